"""The planning requirements, judged on facts made by hand, and what building stops at: no engine, no host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from dag_objects import ABSENT, cluster, dag

from starover.errors import CmdletFailed, ConnectFailed, StaroverError
from starover.estate import Dag, Estate, Exchange, Forest, Server
from starover.step import Report
from starover.steps.cluster_name import Account
from starover.steps.dag import Databases, Volumes
from starover.steps.dag_object import DagObject, Seen
from starover.steps.dns import Record, Records
from starover.steps.membership import Resolved
from starover.steps.preflight import CREATING, EVERY, JOINING, Phase, judged, needs_of
from starover.steps.preflight_estate import distinguished, distinguished_host
from starover.steps.preflight_facts import Facts, Of, WitnessFacts
from starover.steps.preflight_machines import exchange_build, exchange_year, windows_year
from starover.steps.preflight_reports import (
    Controllers,
    ExchangeFacts,
    Features,
    Groups,
    Host,
    Network,
    Pings,
    Replication,
    Servers,
    Services,
    Subnets,
)
from starover.steps.preflight_table import NOT_CHECKED, TABLE
from starover.steps.witness import Administrators, Firewall, Probe

ETS = "EXAMPLE\\Exchange Trusted Subsystem"


def server(name: str, role: str, az: str, number: int) -> Server:
    return Server(
        name=name,
        fqdn=f"{name}.example.com",
        roles=(role,),  # type: ignore[arg-type]
        az=az,
        site=f"AZ{az[-1]}",
        address=f"10.0.{ord(az[-1]) - 97}.{number}",
        subnet=f"10.0.{ord(az[-1]) - 97}.0/24",
        exchange=Exchange() if role == "mailbox" else None,
    )


EX1, EX2 = server("EX1", "mailbox", "1a", 11), server("EX2", "mailbox", "1b", 11)
DC1, DC2 = server("DC1", "dc", "1a", 10), server("DC2", "dc", "1b", 10)
FS3, FS1 = server("FSW3", "witness", "1c", 20), server("FS1", "witness", "1a", 20)
ESTATE = Estate(
    name="e",
    region="eu-west-1",
    forest=Forest(name="example.com", netbios="EXAMPLE"),
    servers=(EX1, EX2, DC1, DC2, FS3, FS1),
    dags=(Dag(name="DAG1", members=("EX1", "EX2"), witness="FSW3"),),
)

EXCHANGE_WITNESS = msgspec.structs.replace(
    ESTATE, servers=tuple(server(one.name, "mailbox", "1c", 20) if one is FS3 else one for one in ESTATE.servers)
)
"""The witness is a server with Exchange that nobody took into the DAG."""
HOST = {
    "version": "10.0.20348", "caption": "Windows Server 2022", "sku": 8, "domain": "example.com", "partOfDomain": True,
    "role": 3, "cores": 8, "utc": "2026-11-20T14:00:00.0000000Z",
}  # fmt: skip
ADAPTER: dict[str, Any] = {
    "name": "Ethernet", "gateways": ["10.0.0.1"], "dns": ["10.0.0.10", "10.0.1.10"], "registers": True, "metric": 5,
    "addresses": [{"address": "10.0.0.11", "prefix": 24, "family": "IPv4", "origin": "Dhcp"}], "routes": [],
    "bindings": ["ms_msclient", "ms_server", "ms_tcpip", "ms_tcpip6"],
}  # fmt: skip
REPLICATION: dict[str, Any] = ADAPTER | {
    "name": "Replication", "gateways": [], "dns": [], "registers": False, "metric": 20, "bindings": ["ms_tcpip"],
    "addresses": [{"address": "10.9.0.11", "prefix": 24, "family": "IPv4", "origin": "Manual"}],
    "routes": [{"prefix": "10.9.1.0/24", "hop": "10.9.0.1"}],
}  # fmt: skip
MEMBER: dict[type[Report], Any] = {
    Host: HOST,
    Network: {"adapters": [ADAPTER]},
    Features: {
        "features": [{"name": "Failover-Clustering", "state": "Installed"}, {"name": "NLB", "state": "Available"}]
    },
    Services: {"services": [{"name": "RemoteRegistry", "status": "Running", "start": "Automatic"}]},
    ExchangeFacts: {
        "version": "Version 15.2 (Build 2562.17)",
        "file": "15.02.2562.037",
        "edition": "Standard",
        "dag": "",
    },
    Pings: {"trips": [{"name": "other", "average": 2}]},
    Volumes: {"volumes": [{"name": "E:\\", "capacity": 2**40, "free": 2**39}]},
}
CONTROLLER: dict[type[Report], Any] = {
    Host: HOST,
    Controllers: {
        "controllers": [
            {"name": f"DC{n}.example.com", "site": f"AZ{az}", "catalog": True, "readOnly": False}
            for n, az in ((1, "a"), (2, "b"))
        ]
    },
    Subnets: {"subnets": [{"name": f"10.0.{n}.0/24", "site": f"CN=AZ{az},CN=Sites"} for n, az in enumerate("abc")]},
    Replication: {"partners": [{"server": "DC1", "partner": "DC2", "failures": 0, "result": 0, "age": 60}]},
    Account: {"found": False, "enabled": False, "path": "", "passwordSet": "", "masters": []},
}
OLD_STATIC = dag(addresses=("10.0.0.50",))
"""Not built yet, with an access point."""
ALL: dict[type[Report], Any] = {
    Servers: {"servers": [{"name": "EX1", "version": "Version 15.2 (Build 2562.17)"}]},
    Databases: {
        "databases": [
            {
                "name": f"DB0{n}", "mounted": True, "server": "EX1", "circularLogging": False, "logFolder": "E:",
                "lags": [],
                "preferences": [
                    {"key": one, "name": "", "value": str(at), "text": ""} for at, one in enumerate(order, 1)
                ],
            }
            for n, order in ((1, ("EX1", "EX2")), (2, ("EX2", "EX1")))
        ]
    },
    Groups: {"groups": [{"name": "Cluster Group", "state": "Online", "types": ["File Share Witness"]}]},
}  # fmt: skip


def build(file: str) -> dict[type[Report], Any]:
    return {ExchangeFacts: {"version": "", "file": file, "edition": "Standard", "dag": ""}}


def feature(name: str, state: str) -> dict[type[Report], Any]:
    return {Features: {"features": [{"name": name, "state": state}]}}


def name_of(ttl: int) -> Records:
    return Records(zone_type="Primary", integrated=True, records=(Record(type="CNAME", data="nlb", ttl=ttl),))


def reports(given: Mapping[type[Report], Any]) -> tuple[Report, ...]:
    return tuple(msgspec.convert(facts, kind) for kind, facts in given.items() if facts is not None)


def of(one: Server, given: Mapping[type[Report], Any], *errors: StaroverError) -> Of:
    return Of(one, reports(given), errors)


def facts(
    *,
    now: DagObject | None = None,
    second: Mapping[type[Report], Any] | None = None,
    controller: Mapping[type[Report], Any] | None = None,
    everything: Mapping[type[Report], Any] | None = None,
    witness: Mapping[type[Report], Any] | None = None,
    **fields: Any,
) -> Facts:
    """An estate in order, but for what is given; `second` is odd about EX2."""
    rights: dict[type[Report], Any] = {
        Administrators: {"members": [ETS]},
        Firewall: {"rules": [{"name": "SMB", "enabled": True}]},
    }
    values: dict[str, Any] = {
        "estate": ESTATE,
        "dag": "DAG1",
        "members": (of(EX1, MEMBER), of(EX2, MEMBER | dict(second or {}))),
        "controllers": tuple(of(one, CONTROLLER | dict(controller or {})) for one in (DC1, DC2)),
        "seen": Seen(EX1, now or dag("EX1", "EX2", activation_mode="DagOnly", alternate_server="FS1"), ()),
        "witnesses": (WitnessFacts("FSW3", "witness", of(FS3, rights | dict(witness or {})), Probe(open=(445, 135))),),
        "organization": reports(ALL | dict(everything or {})),
        "addresses": (("EX1.example.com", Resolved(addresses=("10.0.0.11",))),),
        "reached": (("EX1", "EX2", Probe(open=(64327,))),),
    }
    return Facts(**(values | fields))


def levels(given: Facts, id_: str, phase: Phase = "operate") -> set[str]:
    return {one.level for one in judged(given, [id_], phase)}


def level(given: Facts, id_: str, phase: Phase = "operate") -> str:
    """The worst."""
    found = judged(given, [id_], phase)
    assert found, f"{id_} says nothing"
    return found[0].level


def test_an_estate_in_order_fails_and_warns_at_nothing() -> None:
    wrong = [one for one in judged(facts(), EVERY, "operate") if one.level in ("fail", "warn")]
    # P21: the alternate witness stands beside EX1, which is all that can be had from two zones
    assert [one.check for one in wrong] == ["P21"]


def test_every_requirement_is_checked_or_said_not_to_be() -> None:
    assert set(TABLE) | set(NOT_CHECKED) == set(EVERY)
    assert not set(TABLE) & set(NOT_CHECKED)
    for one in judged(facts(), NOT_CHECKED, "operate"):
        assert (one.level, one.says.startswith("not checked: ")) == ("unknown", True)
    assert set(JOINING) < set(CREATING) <= set(TABLE)


@pytest.mark.parametrize("id_", sorted(TABLE))
def test_what_could_not_be_read_is_unknown_and_never_green(id_: str) -> None:
    """Nobody answered anything but what the inventory says."""
    error = CmdletFailed("the cmdlet is not there")
    empty = Facts(
        estate=ESTATE,
        dag="DAG1",
        members=(Of(EX1, (), (error,)), Of(EX2, (), (error,))),
        controllers=(Of(DC1, (), (error,)),),
        witnesses=(WitnessFacts("FSW3", "witness", Of(FS3, (), (error,)), None),),
        unread=("the cmdlet is not there",),
    )
    inventory_only = {"P02", "P21", "P26"}
    found = {one.level for one in judged(empty, [id_], "operate")}
    if id_ not in inventory_only:
        assert "ok" not in found, judged(empty, [id_], "operate")


@pytest.mark.parametrize(
    ("id_", "given", "wanted"),
    [
        ("P01", {"dag": "EX1"}, "fail"),
        ("P01", {"now": ABSENT, "dag": "NEW"}, "ok"),
        ("P02", {"now": dag(*(f"M{n}" for n in range(17)))}, "fail"),
        ("P03", {"second": {Host: HOST | {"version": "10.0.26100"}}}, "fail"),
        ("P04", {"second": {Host: HOST | {"version": "10.0.14393"}}}, "fail"),
        ("P04", {"second": build("15.02.1000.001")}, "fail"),
        ("P05", {"second": build("15.01.2507.001")}, "fail"),
        ("P05", {"second": build("15.02.2562.020")}, "warn"),
        ("P05", {"second": build("15.02.1748.010")}, "warn"),
        ("P05", {"everything": {Servers: {"servers": [{"name": "OLD", "version": "15.0 (Build 1497.2)"}]}}}, "fail"),
        ("P06", {"second": {Host: HOST | {"domain": "other.com"}}}, "fail"),
        ("P06", {"second": {Host: HOST | {"partOfDomain": False}}}, "fail"),
        ("P07", {"second": {Host: HOST | {"role": 5}}}, "fail"),
        ("P08", {"second": {Host: HOST | {"sku": 101}}}, "fail"),
        ("P08", {"second": {Host: HOST | {"sku": 7, "version": "6.1.7601"}}}, "fail"),
        ("P09", {"second": feature("Failover-Clustering", "InstallPending")}, "fail"),
        ("P09", {"second": feature("Failover-Clustering", "Available")}, "info"),
        ("P10", {"second": {Network: {"adapters": [ADAPTER, REPLICATION]}}}, "fail"),
        ("P11", {"second": {Network: {"adapters": [ADAPTER | {"gateways": []}]}}}, "fail"),
        ("P11", {"second": {Network: {"adapters": [ADAPTER, REPLICATION | {"gateways": ["10.9.0.1"]}]}}}, "fail"),
        ("P11", {"second": {Network: {"adapters": [ADAPTER | {"dns": []}]}}}, "fail"),
        ("P12", {"second": {Network: {"adapters": [ADAPTER, ADAPTER | {"name": "B"}]}}}, "fail"),
        ("P13", {"second": {Pings: {"trips": [{"name": "EX1", "average": 620}]}}}, "fail"),
        ("P13", {"second": {Pings: {"trips": [{"name": "EX1", "average": 300}]}}}, "warn"),
        ("P13", {"second": {Pings: {"trips": [{"name": "EX1", "average": None}]}}}, "fail"),
        ("P15", {"second": {Network: {"adapters": [ADAPTER | {"bindings": ["ms_tcpip6"]}]}}}, "fail"),
        ("P16", {"second": {Network: {"adapters": [ADAPTER | {"bindings": ["ms_tcpip"]}]}}}, "warn"),
        ("P17", {"second": {Network: {"adapters": [ADAPTER, REPLICATION]}}}, "ok"),
        ("P17", {"second": {Network: {"adapters": [ADAPTER, REPLICATION | {"registers": True}]}}}, "warn"),
        ("P17", {"second": {Network: {"adapters": [ADAPTER, REPLICATION | {"routes": []}]}}}, "warn"),
        ("P18", {"second": {Network: {"adapters": [ADAPTER, REPLICATION | {"metric": 1}]}}}, "warn"),
        ("P20", {"now": dag("EX1", "EX2", witness_share="InvalidConfiguration")}, "fail"),
        ("P20", {"witnesses": (WitnessFacts("FSW3", "witness", None, Probe(open=())),)}, "fail"),
        ("P20", {"now": dag("EX1", witness_server="")}, "fail"),
        ("P21", {"now": dag("EX1", "EX2", witness_server="EX2.example.com")}, "fail"),
        ("P21", {"estate": EXCHANGE_WITNESS, "now": dag("EX1", "EX2")}, "warn"),
        ("P22", {"witness": {Administrators: {"members": ["EXAMPLE\\Domain Admins"]}}}, "fail"),
        ("P23", {"witness": {Firewall: {"rules": [{"name": "SMB", "enabled": False}]}}}, "fail"),
        ("P24", {"now": dag("EX1", "EX2")}, "warn"),
        ("P28", {"now": OLD_STATIC, "second": {Host: HOST | {"version": "6.3.9600"}}}, "fail"),
        ("P28", {"now": OLD_STATIC}, "ok"),
        ("P26", {"now": dag("EX1", "EX2", addresses=("10.0.0.50",))}, "ok"),
        ("P29", {"second": {Host: HOST | {"version": "6.2.9200"}}}, "fail"),
        ("P30", {"addresses": (("EX1.example.com", Resolved(addresses=())),)}, "fail"),
        ("P31", {"client_names": (("mail.example.com", name_of(3600)),)}, "warn"),
        ("P31", {"client_names": (("mail.example.com", name_of(300)),)}, "ok"),
        ("P31", {"client_names": (("mail.example.com", None),)}, "unknown"),
        ("P39", {"second": {Volumes: {"volumes": [{"name": "E:\\", "capacity": 2**40, "free": 2**30}]}}}, "warn"),
        ("P39", {"second": {Volumes: {"volumes": []}}}, "unknown"),
        ("P32", {"controller": {Controllers: {"controllers": []}}}, "fail"),
        ("P33", {"second": {Host: HOST | {"cores": 200}}}, "warn"),
        ("P34", {"controller": {Subnets: {"subnets": [{"name": "10.0.0.0/24", "site": "CN=AZa,CN=Sites"}]}}}, "fail"),
        ("P34", {"controller": {Subnets: {"subnets": [{"name": "10.0.0.0/8", "site": "CN=AZa,CN=Sites"}]}}}, "fail"),
        ("P36", {"second": {Host: HOST | {"utc": "2026-11-20T14:01:10.0000000Z"}}}, "warn"),
        ("P36", {"second": {Host: HOST | {"utc": "2026-11-20T14:06:00.0000000Z"}}}, "fail"),
        ("P40", {"everything": {Databases: None}}, "unknown"),
        ("P41", {"now": dag("EX1", "EX2")}, "warn"),
        ("P48", {"second": {Services: {"services": []}}}, "warn"),
        ("P51", {"everything": {Groups: {"groups": [{"name": "X", "state": "Online", "types": ["SQL"]}]}}}, "fail"),
        ("P51", {"second": feature("NLB", "Installed")}, "fail"),
        ("P52", {"reached": (("EX1", "EX2", Probe(open=())),)}, "fail"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_found(id_: str, given: dict[str, Any], wanted: str) -> None:
    assert level(facts(**given), id_) == wanted


def test_a_made_up_address_is_found() -> None:
    made_up = ADAPTER | {
        "addresses": [{"address": "169.254.3.4", "prefix": 16, "family": "IPv4", "origin": "WellKnown"}]
    }
    assert level(facts(second={Network: {"adapters": [made_up]}}), "P14") == "fail"


def test_members_in_one_subnet_cannot_share_an_address_on_aws() -> None:
    near = msgspec.structs.replace(EX2, subnet=EX1.subnet)
    members = (of(EX1, MEMBER), of(near, MEMBER))
    static = dag("EX1", "EX2", addresses=("10.0.0.50",))
    assert level(facts(members=members, now=static), "P26") == "fail"
    assert level(facts(members=members), "P26") == "ok", "without an access point nothing is shared"


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"failures": 3}, "fail"),
        ({"result": 8606}, "fail"),
        ({"age": 7200}, "fail"),
        ({"age": None}, "fail"),
        ({}, "ok"),
    ],
)
def test_replication_between_controllers(change: dict[str, Any], wanted: str) -> None:
    partner = {"server": "DC1", "partner": "DC2", "failures": 0, "result": 0, "age": 60} | change
    assert level(facts(controller={Replication: {"partners": [partner]}}), "P35") == wanted


def copies(*orders: tuple[str, ...], circular: bool = False) -> dict[type[Report], Any]:
    base = ALL[Databases]["databases"][0]
    return {
        Databases: {
            "databases": [
                base
                | {
                    "name": f"DB{n}",
                    "circularLogging": circular,
                    "preferences": [
                        {"key": one, "name": "", "value": str(at), "text": ""} for at, one in enumerate(order, 1)
                    ],
                }
                for n, order in enumerate(orders)
            ]
        }
    }


def test_copies_are_spread_over_zones_and_first_preferences_evenly() -> None:
    assert level(facts(everything=copies(("EX1", "EX2"))), "P38") == "ok"
    assert level(facts(everything=copies(("EX1",))), "P38") == "warn"
    assert level(facts(everything=copies(("EX1", "EX2"), ("EX1", "EX2"))), "P38") == "warn"
    assert level(facts(everything=copies(("EX1",), circular=True)), "P40") == "fail"
    assert level(facts(everything=copies(("EX1", "EX2"), circular=True)), "P40") == "warn"
    assert level(facts(), "P37") == "info", "one server a zone"


def test_a_host_that_is_silent_fails_the_access_check() -> None:
    silent = Of(EX2, (), (ConnectFailed("EX2 did not answer"),))
    assert level(facts(members=(of(EX1, MEMBER), silent)), "P49") == "fail"
    no_exchange = of(EX2, {Host: HOST}, CmdletFailed("rbac-missing Get-ExchangeServer"))
    assert level(facts(members=(of(EX1, MEMBER), no_exchange)), "P49") == "fail"


def test_the_phase_decides_what_counts() -> None:
    broken = facts(witness={Administrators: {"members": []}})
    assert level(broken, "P22", "operate") == "fail"
    assert level(broken, "P22", "build") == "warn", "building mends it"


def test_only_what_the_checks_need_is_asked_for() -> None:
    assert needs_of(["P03"]) == {"host"}
    assert needs_of(["P25", "P46"]) == frozenset()
    assert needs_of(EVERY) >= {"host", "network", "exchange", "directory", "witness", "organization", "names", "ports"}


@pytest.mark.parametrize(
    ("version", "year"),
    [("6.3.9600", "2012 R2"), ("10.0.17763", "2019"), ("10.0.26100", "2025"), ("10.0.99999", "10.0.99999")],
)
def test_windows_by_its_build(version: str, year: str) -> None:
    assert windows_year(version) == year


@pytest.mark.parametrize(
    ("version", "file", "year"),
    [
        ("Version 15.2 (Build 2562.17)", "15.02.2562.037", "SE"),
        ("Version 15.2 (Build 1544.4)", "", "2019"),
        ("Version 15.1 (Build 2507.6)", "", "2016"),
        ("Version 15.0 (Build 1497.2)", "", "2013"),
        ("Version 15.2 (Build 1748.10)", "15.02.2562.017", "SE"),
    ],
)
def test_exchange_by_its_build(version: str, file: str, year: str) -> None:
    build = exchange_build(ExchangeFacts(version=version, file=file, edition="", dag=""))
    assert build is not None
    assert exchange_year(build) == year
    assert exchange_build(ExchangeFacts(version="?", file="", edition="", dag="")) is None


def test_directory_names_in_any_form() -> None:
    assert distinguished("CN=AZ1,CN=Sites,CN=Configuration") == distinguished("AZ1") == "AZ1"
    assert distinguished_host("CN=NTDS Settings,CN=DC1,CN=Servers,CN=AZ1") == "DC1"
    assert distinguished_host("DC1.example.com") == "DC1.example.com"


def test_a_broken_cluster_is_not_called_in_use() -> None:
    lost = dag("EX1", "EX2", cluster=None)
    assert level(facts(now=lost), "P20") == "fail"
    assert "ok" in levels(facts(now=dag("EX1", "EX2", cluster=cluster("EX1", "EX2"))), "P20")

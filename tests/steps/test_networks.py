"""What the step kinds for DAG networks, adapters and the cluster's name decide, by hand: no engine, no host."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from starover.errors import BadParameter, NotSafe
from starover.estate import Estate, Forest, Server
from starover.step import Blocked, Change, Joined, Read, Reply, Step, Steps, Together
from starover.steps.adapters import adapter_set, check_covered, no_route, one_adapter_each, replicating, routed
from starover.steps.cluster_name import Account, cno_gone, cno_staged, controllers_near, master_of
from starover.steps.networks import (
    DagNetworks,
    Interface,
    NetworkSpec,
    OneNetwork,
    Subnet,
    network_gone,
    network_options_set,
    network_set,
    networks_discovered,
    networks_manual,
    read_networks,
)
from starover.steps.preflight_reports import Adapter, Address, Network, Route
from starover.steps.secondary_addresses import Answers, read_addresses, usable

MBX1 = Server(name="MBX1", fqdn="MBX1.example.com", roles=("mailbox",), address="172.19.18.11", subnet="172.19.18.0/24")
MBX2 = Server(name="MBX2", fqdn="MBX2.example.com", roles=("mailbox",), address="172.19.19.12", subnet="172.19.19.0/24")
DC1 = Server(name="DC1", fqdn="DC1.example.com", roles=("dc",), site="AZ1")
DC2 = Server(name="DC2", fqdn="DC2.example.com", roles=("dc",), site="AZ2")
ESTATE = Estate(
    name="e", forest=Forest(name="example.com", netbios="EXAMPLE"), servers=(MBX1, MBX2, DC1, DC2), region="eu-west-1"
)
TYPED = ("Mapi=172.19.18.0/24,172.19.19.0/24:mapi", "Rep=10.10.2.0/24,10.10.1.0/24:replication")


def network(name: str, *cidrs: str, nodes: Sequence[str] = ("MBX1", "MBX2"), **fields: object) -> OneNetwork:
    values: dict[str, object] = {
        "name": name,
        "subnets": tuple(Subnet(subnet=cidr, state="Up", text="") for cidr in cidrs),
        "interfaces": tuple(Interface(node=node, state="Up", address="", text="") for node in nodes),
        "mapi": False,
        "replication": True,
        "ignored": False,
    }
    return OneNetwork(**(values | fields))  # type: ignore[arg-type]


def networks(*found: OneNetwork, **fields: object) -> DagNetworks:
    values: dict[str, object] = {
        "members": ("MBX1", "MBX2"),
        "manual": True,
        "witness_share": "Primary",
        "compression": "InterSubnetOnly",
        "encryption": "InterSubnetOnly",
        "replication_port": 64327,
        "networks": found,
    }
    return DagNetworks(**(values | fields))  # type: ignore[arg-type]


# -- what is typed -----------------------------------------------------------------------------------------------------


def test_networks_are_read_and_clients_replicate_only_without_a_network_for_it() -> None:
    mapi, replication = read_networks(TYPED)
    assert (mapi.use, mapi.replication) == ("mapi", False)
    assert replication == NetworkSpec("Rep", ("10.10.1.0/24", "10.10.2.0/24"), "replication", replication=True)
    (alone,) = read_networks(TYPED[:1])
    assert alone.replication


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (["Rep=10.0.0.0/24:replication"], "for clients"),
        (["A=10.0.0.0/24:mapi", "a=10.0.1.0/24:ignore"], "twice"),
        (["A=10.0.0.0/24:mapi", "B=10.0.0.128/25:ignore"], "overlaps"),
        (["A=10.0.0.5/24:mapi"], "host bits"),
        (["A=10.0.0.0/33:mapi"], "10.0.0.0/33"),
    ],
)
def test_networks_that_cannot_be(typed: list[str], says: str) -> None:
    with pytest.raises(BadParameter, match=says):
        read_networks(typed)


def test_secondary_addresses_that_cannot_be() -> None:
    assert [one.address for one in read_addresses(["MBX1=172.19.18.50", "mbx2=172.19.19.50"], ESTATE)]
    for wrong in (
        ["MBX9=172.19.18.50"],
        ["MBX1=172.19.18.500"],
        ["MBX1=172.19.19.50"],
        ["MBX1=172.19.18.11"],
        ["MBX1=172.19.18.3"],
        ["MBX1=172.19.18.255"],
        ["MBX1=172.19.18.50", "MBX1=172.19.18.51"],
        ["MBX1=172.19.18.50", "MBX2=172.19.18.50"],
    ):
        with pytest.raises(BadParameter):
            read_addresses(wrong, ESTATE)


# -- DAG networks ------------------------------------------------------------------------------------------------------


def wanted(now: DagNetworks, name: str = "Rep", *cidrs: str) -> Change | Blocked | None:
    return network_set(
        now,
        dag="DAG2",
        dag_network=f"DAG2\\{name}",
        name=name,
        subnets=cidrs or ("10.10.1.0/24", "10.10.2.0/24"),
        replication=True,
        ignored=False,
    )


def test_a_network_is_right_by_its_set_of_subnets_and_its_use() -> None:
    assert wanted(networks(network("rep", "10.10.2.0/24", "10.10.1.0/24"))) is None
    assert isinstance(wanted(networks(network("Rep", "10.10.1.0/24"))), Change)
    assert isinstance(wanted(networks(network("Rep", "10.10.1.0/24", "10.10.2.0/24", replication=False))), Change)
    assert isinstance(wanted(networks()), Change)


def test_taking_subnets_from_one_another_does_not_make_a_plan_stale() -> None:
    """Setting the first network empties the second: its planned change must still fit then."""
    before = wanted(networks(network("Rep", "172.19.18.0/24", "10.10.1.0/24")))
    assert before == wanted(networks(network("Rep", "172.19.18.0/24")))
    text = Subnet(subnet="", state="", text="{10.10.1.0/24,Misconfigured}")
    assert (text.cidr, text.how) == ("10.10.1.0/24", "Misconfigured")
    assert Interface(node="", state="", address="", text="{MBX1,Up,10.10.1.11}").parts == ("MBX1", "Up", "10.10.1.11")


def test_adapters_are_discovered_until_every_member_is_up_everywhere() -> None:
    whole = networks(network("Rep", "10.10.1.0/24"))
    assert networks_discovered(whole, dag="DAG2", names=["Rep"]) is None
    for lacking in (
        networks(),
        networks(network("Rep", "10.10.1.0/24", nodes=("MBX1",))),
        networks(network("Rep", subnets=(Subnet(subnet="10.10.1.0/24", state="Misconfigured", text=""),))),
    ):
        assert isinstance(networks_discovered(lacking, dag="DAG2", names=["Rep"]), Change)


def test_what_is_left_over_goes_and_who_sets_them_is_remembered() -> None:
    now = networks(network("Old"))
    assert isinstance(network_gone(now, dag="DAG2", dag_network="DAG2\\Old", name="Old"), Change)
    assert network_gone(networks(), dag="DAG2", dag_network="DAG2\\Old", name="Old") is None
    step = networks_manual.on(MBX1, dag="DAG2", manual=True)
    assert step.revert is not None
    back = step.revert(msgspec.json.encode(networks(manual=False)))
    assert back is not None
    assert back.arguments["manual"] is False
    assert step.revert(msgspec.json.encode(networks())) is None


def test_only_options_that_are_wanted_are_set_and_undone() -> None:
    assert network_options_set(networks(), dag="DAG2", compression="", encryption="", port=0) is None
    change = network_options_set(networks(), dag="DAG2", compression="Disabled", encryption="", port=64400)
    assert isinstance(change, Change)
    assert "encryption" not in change.wanted
    assert "firewall" in change.note
    step = network_options_set.on(MBX1, dag="DAG2", compression="Disabled", encryption="", port=0)
    assert step.revert is not None
    back = step.revert(msgspec.json.encode(networks()))
    assert back is not None
    assert (back.arguments["compression"], back.arguments["encryption"], back.arguments["port"]) == (
        "InterSubnetOnly",
        "",
        0,
    )


def test_nothing_is_set_while_the_alternate_witness_holds_the_quorum() -> None:
    now = networks(network("Old"), manual=False, witness_share="Alternate")
    for blocked in (
        networks_manual(now, dag="DAG2", manual=True),
        wanted(now),
        networks_discovered(now, dag="DAG2", names=["Rep"]),
        network_options_set(now, dag="DAG2", compression="Disabled", encryption="", port=0),
    ):
        assert isinstance(blocked, Blocked)
        assert blocked.guard == "G-SETDAG"


# -- adapters ----------------------------------------------------------------------------------------------------------


def adapter(name: str, address: str, **fields: object) -> Adapter:
    values: dict[str, object] = {
        "name": name,
        "addresses": (Address(address=address, prefix=24, family="IPv4", origin="Manual"),),
        "gateways": (),
        "dns": (),
        "registers": False,
        "bindings": ("ms_tcpip",),
        "metric": 10,
        "routes": (),
    }
    return Adapter(**(values | fields))  # type: ignore[arg-type]


MAPI1 = adapter("MAPI", "172.19.18.11", gateways=("172.19.18.1",), dns=("172.19.18.10",), registers=True)
REP1, REP2 = adapter("Replication", "10.10.1.11"), adapter("Replication", "10.10.2.12")
MAPI2 = adapter("MAPI", "172.19.19.12", gateways=("172.19.19.1",), dns=("172.19.18.10",), registers=True)
SEEN = (Network(adapters=(MAPI1, REP1)), Network(adapters=(MAPI2, REP2)))


def replication_only(now: Network, name: str = "Replication") -> Change | Blocked | None:
    return adapter_set(now, adapter=name, client=False, file_sharing=False, registers=False, dns=())


def test_an_adapter_for_replication_loses_clients_business() -> None:
    assert replication_only(SEEN[0]) is None
    busy = adapter("Replication", "10.10.1.11", bindings=("ms_tcpip", "ms_server"), registers=True, dns=("10.0.0.1",))
    change = replication_only(Network(adapters=(MAPI1, busy)))
    assert isinstance(change, Change)
    assert all(word in change.now for word in ("file sharing", "registers", "DNS servers"))


def test_the_adapter_of_the_session_is_never_touched() -> None:
    assert isinstance(replication_only(SEEN[0], "MAPI"), Blocked)
    assert isinstance(replication_only(SEEN[0], "Nowhere"), Blocked)


def test_undoing_gives_an_adapter_back_what_it_had() -> None:
    busy = adapter("Replication", "10.10.1.11", bindings=("ms_msclient",), registers=True, dns=("10.0.0.1",))
    step = adapter_set.on(MBX1, adapter="Replication", client=False, file_sharing=False, registers=False, dns=())
    assert step.revert is not None
    back = step.revert(msgspec.json.encode(Network(adapters=(busy,))))
    assert back is not None
    assert (back.arguments["client"], back.arguments["file_sharing"], back.arguments["dns"]) == (
        True,
        False,
        ("10.0.0.1",),
    )


def test_routes_are_added_once_and_undone_only_where_they_were_added() -> None:
    route = {"adapter": "Replication", "prefix": "10.10.2.0/24", "hop": "10.10.1.1"}
    there = Network(
        adapters=(adapter("Replication", "10.10.1.11", routes=(Route(prefix="10.10.2.0/24", hop="10.10.1.1"),)),)
    )
    assert isinstance(routed(SEEN[0], **route), Change)
    assert routed(there, **route) is None
    step = routed.on(MBX1, **route)
    assert step.revert is not None
    back = step.revert(msgspec.json.encode(SEEN[0]))
    assert back is not None
    assert back.kind is no_route
    assert step.revert(msgspec.json.encode(there)) is None
    assert isinstance(no_route(there, adapter="Replication", prefix="10.10.2.0/24"), Change)


def asked(part: Steps) -> list[Step]:
    """Every step of a fragment, together or not."""
    found: list[Step] = []
    try:
        ask = next(part)
        while True:
            if isinstance(ask, Step):
                found.append(ask)
            if isinstance(ask, Together):
                for one in ask.parts:
                    found += asked(one)
            ask = part.send(Reply(payload=b""))
    except (StopIteration, AssertionError):
        return found


def test_each_replication_adapter_is_set_and_routed_to_the_others_on_aws() -> None:
    steps = asked(replicating((MBX1, MBX2), SEEN, read_networks(TYPED), aws=True))
    assert {(step.kind.name, step.server.name) for step in steps} == {
        ("adapter_set", "MBX1"),
        ("adapter_set", "MBX2"),
        ("routed", "MBX1"),
        ("routed", "MBX2"),
    }
    route = next(step for step in steps if step.kind is routed and step.server is MBX1)
    assert (route.arguments["prefix"], route.arguments["hop"]) == ("10.10.2.0/24", "10.10.1.1")
    elsewhere = asked(replicating((MBX1, MBX2), SEEN, read_networks(TYPED), aws=False))
    assert {step.kind.name for step in elsewhere} == {"adapter_set"}


def test_every_subnet_of_a_member_is_in_a_network() -> None:
    check_covered((MBX1, MBX2), SEEN, read_networks(TYPED))
    with pytest.raises(NotSafe, match=r"10\.10\.1\.0/24"):
        check_covered((MBX1, MBX2), SEEN, read_networks(TYPED[:1]))
    assert not one_adapter_each(SEEN)
    assert one_adapter_each([Network(adapters=(MAPI1,)), Network(adapters=(MAPI2,))])


# -- the cluster's name ------------------------------------------------------------------------------------------------

ETS = "EXAMPLE\\Exchange Trusted Subsystem"


def account(**fields: object) -> Account:
    values: dict[str, object] = {
        "found": True,
        "enabled": False,
        "path": "CN=DAG2,CN=Computers,DC=example,DC=com",
        "password_set": "",
        "masters": (),
    }
    return Account(**(values | fields))  # type: ignore[arg-type]


def stage(now: Account, *, used: bool = False) -> Change | Blocked | None:
    return cno_staged(now, name="DAG2", path="", master=ETS, grant=f"{ETS}:GA", used=used)


def test_the_cluster_s_account_waits_disabled_for_its_master() -> None:
    assert isinstance(stage(account(found=False)), Change)
    assert isinstance(stage(account()), Change)
    assert stage(account(masters=(ETS.upper(),))) is None
    assert isinstance(stage(account(enabled=True)), Blocked), "a live computer has the name"
    assert stage(account(enabled=True), used=True) is None, "its own cluster has taken it over"


def test_only_an_account_that_was_made_and_never_used_is_removed() -> None:
    step = cno_staged.on(DC1, name="DAG2", path="", master=ETS, grant=f"{ETS}:GA", used=False)
    assert step.revert is not None
    back = step.revert(msgspec.json.encode(account(found=False)))
    assert back is not None
    assert back.kind is cno_gone
    assert step.revert(msgspec.json.encode(account())) is None
    assert isinstance(cno_gone(account(), name="DAG2"), Change)
    assert isinstance(cno_gone(account(enabled=True), name="DAG2"), Blocked)


def test_who_is_the_master_and_who_is_asked() -> None:
    assert master_of("ets", ESTATE, MBX1) == ETS
    assert master_of("first-node", ESTATE, MBX1) == "EXAMPLE\\MBX1$"
    near = msgspec.structs.replace(MBX1, site="AZ2")
    assert controllers_near([near], ESTATE) == [DC2]
    assert controllers_near([], ESTATE) == [DC1, DC2]
    with pytest.raises(BadParameter):
        controllers_near([], Estate(name="e"))


def test_an_address_that_windows_has_or_somebody_answers_at_is_taken() -> None:
    wanted_ = read_addresses(["MBX1=172.19.18.50"], ESTATE)

    def looked(held: Network, *, answers: bool) -> tuple[str, ...]:
        def answer(part: Steps[object]) -> None:
            ask = next(part)
            assert isinstance(ask, Read)
            facts = Answers(answers=answers) if ask.template == "network/answers.ps1.j2" else held
            with pytest.raises(StopIteration):
                part.send(Reply(payload=msgspec.json.encode(facts)))

        steps = usable(wanted_)
        ask = next(steps)
        while True:
            assert isinstance(ask, Together)
            for part in ask.parts:
                answer(part)
            try:
                ask = steps.send(Joined())
            except StopIteration as stop:
                found: tuple[str, ...] = stop.value
                return found

    assert "nobody answers" in looked(SEEN[0], answers=False)[0]
    with pytest.raises(NotSafe, match="somebody answers"):
        looked(SEEN[0], answers=True)
    with pytest.raises(NotSafe, match="MAPI of MBX1"):
        looked(Network(adapters=(adapter("MAPI", "172.19.18.50"),)), answers=False)

"""What the step kinds for witnesses decide, and which host may be one, by hand: no engine, no host."""

from __future__ import annotations

import msgspec
import pytest
from dag_objects import ABSENT, cluster, dag

from starover.errors import BadParameter
from starover.estate import Dag, Estate, Exchange, Forest, Server
from starover.step import Blocked, Change, Read, Reply, Step
from starover.steps.dag_object import DagObject
from starover.steps.witness import (
    Administrators,
    Firewall,
    Rule,
    check_witness,
    exchange_administers,
    exchange_barred,
    firewall_closed,
    firewall_open,
    other_az,
    prepared,
    trusted_subsystem,
    witness_host,
)
from starover.steps.witness_setting import alternate_witness_set, witness_repaired, witness_set

ETS = "EXAMPLE\\Exchange Trusted Subsystem"
GROUPS = ("a", "b")


def server(name: str, role: str, az: str) -> Server:
    return Server(name=name, fqdn=f"{name}.example.com", roles=(role,), az=az)  # type: ignore[arg-type]


FS1, DC1, EX1 = server("FS1", "witness", "1c"), server("DC1", "dc", "1a"), server("EX1", "mailbox", "1a")
ESTATE = Estate(
    name="e",
    forest=Forest(name="example.com", netbios="EXAMPLE"),
    servers=(FS1, DC1, EX1, server("FS2", "witness", "1a")),
    dags=(Dag(name="DAG1", members=("EX1",), witness="FS1", witness_directory="C:\\DAG1"),),
)


# -- the host ----------------------------------------------------------------------------------------------------------


def test_the_group_is_added_once_whatever_its_case_and_taken_out_only_if_it_was_added() -> None:
    without, within = Administrators(members=("EXAMPLE\\Domain Admins",)), Administrators(members=(ETS.upper(),))
    assert isinstance(exchange_administers(without, member=ETS), Change)
    assert exchange_administers(within, member=ETS) is None
    step = exchange_administers.on(FS1, member=ETS)
    assert step.revert is not None
    back = step.revert(msgspec.json.encode(without))
    assert back is not None
    assert back.kind is exchange_barred
    assert step.revert(msgspec.json.encode(within)) is None


def test_only_what_was_closed_is_closed_again() -> None:
    now = Firewall(rules=(Rule(name="smb", enabled=True), Rule(name="wmi", enabled=False)))
    change = firewall_open(now, groups=GROUPS)
    assert isinstance(change, Change)
    assert change.note == "wmi"
    step = firewall_open.on(FS1, groups=GROUPS)
    assert step.revert is not None
    back = step.revert(msgspec.json.encode(now))
    assert back is not None
    assert (back.kind, back.arguments["names"]) == (firewall_closed, ("wmi",))
    open_ = Firewall(rules=(Rule(name="smb", enabled=True), Rule(name="wmi", enabled=True)))
    assert firewall_open(open_, groups=GROUPS) is None
    assert step.revert(msgspec.json.encode(open_)) is None
    assert isinstance(firewall_closed(open_, groups=GROUPS, names=["wmi"]), Change)
    assert firewall_closed(now, groups=GROUPS, names=["wmi"]) is None


def test_a_host_without_such_rules_needs_a_human() -> None:
    assert isinstance(firewall_open(Firewall(rules=()), groups=GROUPS), Blocked)


def steps_for(host: Server) -> list[str]:
    names: list[str] = []
    part = prepared(host, ESTATE, seen_from=EX1)
    ask = next(part)
    while True:
        if isinstance(ask, Step):
            names.append(ask.kind.name)
        assert not isinstance(ask, Read)
        try:
            ask = part.send(Reply(payload=b""))
        except StopIteration:
            return names


def test_each_sort_of_host_gets_exchange_s_rights_in_its_own_way() -> None:
    exchange = msgspec.structs.replace(EX1, exchange=Exchange())
    assert "exchange_administers" in steps_for(FS1)
    assert "exchange_administers_domain" in steps_for(DC1)
    assert steps_for(exchange) == ["feature_installed", "firewall_open"], "setup has given an Exchange server them"


def test_the_group_s_name_needs_the_domain() -> None:
    assert trusted_subsystem(ESTATE) == ETS
    with pytest.raises(BadParameter, match="NetBIOS"):
        trusted_subsystem(Estate(name="e"))


# -- which host --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("EX1", "P21"),
        ("ex1.example.com", "P21"),
        ("DC1", "domain controller"),
        ("FS1.elsewhere.org", "not in the forest"),
    ],
)
def test_who_can_be_no_witness(name: str, says: str) -> None:
    with pytest.raises(BadParameter, match=says):
        check_witness(name, "C:\\x", members=["EX1"], estate=ESTATE, dag="DAG1")


def test_who_can_be_a_witness() -> None:
    for name in ("FS1", "fs1.example.com", "fs1.child.example.com", "UNKNOWN1"):
        check_witness(name, "C:\\x", members=["EX1"], estate=ESTATE, dag="DAG1")
    check_witness("DC1", "C:\\x", members=["EX1"], estate=ESTATE, dag="DAG1", allow_dc=True)
    assert witness_host("fs1", ESTATE) is FS1
    with pytest.raises(BadParameter, match="no server `UNKNOWN1`"):
        witness_host("UNKNOWN1", ESTATE)


def test_each_witness_has_a_directory_of_its_own() -> None:
    check_witness("FS1", "C:\\DAG1", members=[], estate=ESTATE, dag="dag1")
    with pytest.raises(BadParameter, match="another witness's directory"):
        check_witness("fs1", "c:\\dag1", members=[], estate=ESTATE, dag="DAG2")
    with pytest.raises(BadParameter, match="another witness's directory"):
        check_witness("FS2", "C:\\x", members=[], estate=ESTATE, dag="DAG1", other=("FS2.example.com", "C:\\X"))


@pytest.mark.parametrize(("name", "level"), [("FS1", "ok"), ("FS2", "warn"), ("UNKNOWN1", "unknown")])
def test_a_witness_beside_a_member_is_said_aloud(name: str, level: str) -> None:
    assert other_az(name, ["EX1"], ESTATE).level == level


# -- the DAG's own setting ---------------------------------------------------------------------------------------------


def primary(now: DagObject, host: str = "FSW3", directory: str = "C:\\DAG1") -> Change | Blocked | None:
    return witness_set(now, dag="DAG1", server=host, directory=directory)


def test_a_witness_that_is_named_and_in_use_is_right() -> None:
    assert primary(dag("EX1", "EX2")) is None
    assert primary(dag("EX1", "EX2"), "fsw3.example.com", "c:\\dag1\\") is None
    assert primary(dag("EX1")) is None, "an odd number needs no share"


@pytest.mark.parametrize(
    "now",
    [
        dag("EX1", "EX2", witness_share="InvalidConfiguration"),
        dag("EX1", "EX2", cluster=cluster("EX1", "EX2", witness="Failed")),
        dag("EX1", "EX2", cluster=cluster("EX1", "EX2", witness="")),
        dag("EX1", "EX2", cluster=cluster("EX1", "EX2", share="\\\\OLD1.example.com\\DAG1.example.com")),
    ],
)
def test_a_witness_that_is_named_and_not_in_use_is_mended(now: DagObject) -> None:
    for kind in (witness_set, witness_repaired):
        assert isinstance(kind(now, dag="DAG1", server="FSW3", directory="C:\\DAG1"), Change)


def test_another_witness_is_named_while_the_nodes_alone_keep_quorum() -> None:
    change = primary(dag("EX1", "EX2"), "FS9", "C:\\x")
    assert isinstance(change, Change)
    assert "old share on FSW3.example.com stays" in change.note
    alone = cluster("EX1", "EX2", EX2="Down")
    weights = msgspec.structs.replace(
        alone, witness_weight=1, nodes=tuple(msgspec.structs.replace(node, dynamic=1) for node in alone.nodes)
    )
    blocked = primary(dag("EX1", "EX2", cluster=weights), "FS9")
    assert isinstance(blocked, Blocked)
    assert blocked.guard == "G-QUORUM"
    assert isinstance(primary(dag("EX1", "EX2", cluster=None), "FS9"), Blocked)


def test_a_node_that_is_down_is_said_with_the_change() -> None:
    change = primary(dag("EX1", "EX2", "EX3", "EX4", cluster=cluster("EX1", "EX2", "EX3", "EX4", EX4="Down")), "FS9")
    assert isinstance(change, Change)
    assert "down: EX4" in change.note


def test_the_witness_of_a_restored_datacenter_is_left_to_failback() -> None:
    restored = dag("EX1", "EX2", witness_share="Alternate", alternate_server="FSW2")
    assert isinstance(primary(restored, "FS9"), Blocked)
    assert isinstance(witness_repaired(restored, dag="DAG1", server="FSW3", directory="C:\\DAG1"), Blocked)


def test_the_alternate_witness_is_only_a_name() -> None:
    def alternate(now: DagObject) -> Change | Blocked | None:
        return alternate_witness_set(now, dag="DAG1", server="FSW2", directory="C:\\ALT")

    planned = alternate(ABSENT)
    assert isinstance(planned, Change)
    assert alternate(dag()) == planned, "the plan is made before the DAG is there"
    assert alternate(dag(alternate_server="fsw2.example.com", alternate_directory="C:\\alt")) is None


def test_undoing_names_the_witness_that_was() -> None:
    step = witness_set.on(EX1, dag="DAG1", server="FS9", directory="C:\\x")
    assert step.revert is not None
    back = step.revert(msgspec.json.encode(dag("EX1", "EX2")))
    assert back is not None
    assert (back.arguments["server"], back.arguments["directory"]) == ("FSW3.example.com", "C:\\DAG1")
    assert step.revert(msgspec.json.encode(ABSENT)) is None

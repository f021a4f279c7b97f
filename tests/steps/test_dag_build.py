"""What the step kinds that build a DAG decide, by hand: no engine, no host."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from dag_objects import ABSENT, cluster, dag

from starover.errors import BadParameter
from starover.estate import Dag as InventoryDag
from starover.estate import Estate, Forest, Server
from starover.step import Blocked, Change
from starover.steps.access_point import access_point
from starover.steps.dag_object import DagObject, Elsewhere, dag_named, default_directory
from starover.steps.dag_settings import activation_mode_set, dag_created, dag_removed, quorum_model_right
from starover.steps.features import FeatureState, feature_installed
from starover.steps.guards import quorum_without, set_dag_allowed
from starover.steps.membership import member_of, no_member_of

EX1 = Server(name="EX1", fqdn="EX1.example.com", roles=("mailbox",), subnet="10.0.0.0/24", address="10.0.0.11")
EX2 = Server(name="EX2", fqdn="EX2.example.com", roles=("mailbox",), subnet="10.0.1.0/24", address="10.0.1.11")
ESTATE = Estate(name="e", region="eu-west-1", forest=Forest(name="example.com", netbios="EXAMPLE"), servers=(EX1, EX2))


def created(now: DagObject, addresses: str | Sequence[str] = "255.255.255.255") -> Change | Blocked | None:
    return dag_created(
        now,
        dag="DAG1",
        witness_server="FSW3",
        witness_directory="C:\\DAG1",
        addresses=addresses,
        file_system="",
        warning="too near",
    )


def member(now: DagObject, server: str = "EX2") -> Change | Blocked | None:
    return member_of(now, dag="DAG1", server=server)


# -- the object --------------------------------------------------------------------------------------------------------


def test_a_dag_is_created_once_and_the_warning_is_shown() -> None:
    change = created(ABSENT)
    assert isinstance(change, Change)
    assert (change.action, change.note) == ("add", "too near")
    assert "without an access point" in change.wanted
    assert created(dag()) is None
    assert created(dag("EX1", "EX2", addresses=())) is None, "an empty list is no access point as well"


@pytest.mark.parametrize("addresses", [("10.0.0.101", "10.0.1.101"), ("0.0.0.0",)])
def test_an_access_point_is_chosen_at_creation_only(addresses: tuple[str, ...]) -> None:
    assert isinstance(created(dag("EX1", addresses=addresses)), Blocked)
    assert created(dag("EX1", addresses=addresses), addresses) is None
    assert isinstance(created(dag("EX1"), addresses), Blocked)


def test_other_addresses_and_third_party_replication_need_a_human() -> None:
    assert isinstance(created(dag(addresses=("10.0.0.1",)), ("10.0.0.2",)), Blocked)
    assert isinstance(created(dag(third_party="Enabled")), Blocked)


def test_a_dag_is_removed_by_the_same_change_whether_its_members_have_left_yet_or_not() -> None:
    assert dag_removed(ABSENT, dag="DAG1") is None
    assert isinstance(dag_removed(dag(), dag="DAG1"), Change)
    assert dag_removed(dag(), dag="DAG1") == dag_removed(dag("EX1"), dag="DAG1")


def test_undoing_a_creation_removes_only_what_it_made() -> None:
    step = dag_created.on(
        EX1,
        dag="DAG1",
        witness_server="FSW3",
        witness_directory="C:\\DAG1",
        addresses="255.255.255.255",
        file_system="",
        warning="",
    )
    assert step.revert is not None
    back = step.revert(msgspec.json.encode(ABSENT))
    assert back is not None
    assert back.kind is dag_removed
    assert step.revert(msgspec.json.encode(dag())) is None


@pytest.mark.parametrize(
    ("now", "right"),
    [
        (dag("EX1", "EX2"), True),
        (dag("EX1"), True),
        (dag("EX1", "EX2", cluster=cluster("EX1", "EX2", witness="")), False),
        (dag("EX1", members=("EX1",), cluster=cluster("EX1", "EX2")), False),
        (ABSENT, False),
    ],
)
def test_an_even_number_of_members_wants_a_witness_and_an_odd_one_none(now: DagObject, *, right: bool) -> None:
    change = quorum_model_right(now, dag="DAG1", members=[name.rpartition("/")[2] for name in now.members] or ["EX1"])
    assert (change is None) is right
    assert right or isinstance(change, Change)


def test_the_quorum_model_of_a_plan_is_that_of_its_doing() -> None:
    """Else a plan made before the members joined would not fit when they have."""
    before = quorum_model_right(ABSENT, dag="DAG1", members=["EX1", "EX2"])
    after = dag("EX1", "EX2", cluster=cluster("EX1", "EX2", witness=""))
    assert quorum_model_right(after, dag="DAG1", members=["EX1", "EX2"]) == before


# -- members -----------------------------------------------------------------------------------------------------------


def test_a_server_joins_a_dag_that_is_planned_empty_or_has_others_by_the_same_change() -> None:
    changes = [member(now) for now in (ABSENT, dag(), dag("EX1"))]
    assert isinstance(changes[0], Change)
    assert changes == [changes[0]] * 3, "the plan is made before the DAG is there"


def test_a_member_in_ad_and_cluster_is_right() -> None:
    assert member(dag("EX1", "EX2")) is None
    assert member(dag("EX1", "EX2", cluster=cluster("EX1", "EX2", EX2="Paused"))) is None


@pytest.mark.parametrize(
    ("now", "says"),
    [
        (dag("EX1", others=(Elsewhere(dag="DAG9", server="x/EX2"),)), "DAG9"),
        (dag("EX1", "EX2", cluster=cluster("EX1", "EX3")), "half a member"),
        (dag("EX1", cluster=cluster("EX1", "EX2")), "half a member"),
        (dag("EX1", "EX2", cluster=None), "cannot be read"),
        (dag("EX1", "EX2", stopped=("EX2.example.com",)), "stopped member"),
        (dag("EX1", "EX2", witness_share="InvalidConfiguration"), "witness-acl"),
        (dag("EX1", "EX2", cluster=cluster("EX1", "EX2", EX2="Down")), "is Down"),
    ],
)
def test_what_is_no_member_and_cannot_become_one_by_joining(now: DagObject, says: str) -> None:
    blocked = member(now)
    assert isinstance(blocked, Blocked)
    assert says in blocked.why


@pytest.mark.parametrize(
    "now",
    [
        dag("EX1", "EX2", started=("EX1.example.com",)),
        dag("EX1", "EX2", operational=("EX1",)),
        dag("EX1", "EX2", active_manager=""),
        dag("EX1", "EX2", cluster=cluster("EX1", "EX2", EX2="Joining")),
        dag("EX1", "EX2", addresses=("10.0.0.101",)),
    ],
)
def test_a_member_that_is_not_whole_yet_is_waited_for(now: DagObject) -> None:
    assert isinstance(member(now), Change)


def test_a_broken_witness_names_its_repair() -> None:
    blocked = member(dag("EX1", "EX2", witness_share="InvalidConfiguration"))
    assert isinstance(blocked, Blocked)
    assert any("dag-witness-repair --dag DAG1" in line for line in blocked.next)
    assert member(dag("EX1", "EX2", "EX3", witness_share="InvalidConfiguration")) is None, "three need no witness"


def test_leaving_keeps_quorum() -> None:
    leave = no_member_of(dag("EX1", "EX2", "EX3"), dag="DAG1", server="EX3")
    assert isinstance(leave, Change)
    lonely = dag("EX1", "EX2", cluster=cluster("EX1", "EX2", witness="Offline"))
    assert isinstance(no_member_of(lonely, dag="DAG1", server="EX2"), Blocked)
    assert isinstance(no_member_of(dag("EX1"), dag="DAG1", server="EX1"), Change), "the last one may always go"
    assert no_member_of(dag("EX1"), dag="DAG1", server="EX2") is None


def test_undoing_a_join_takes_out_only_who_came_by_it() -> None:
    step = member_of.on(EX1, dag="DAG1", server="EX2")
    assert step.revert is not None
    back = step.revert(msgspec.json.encode(dag("EX1")))
    assert back is not None
    assert (back.kind, back.arguments["server"]) == (no_member_of, "EX2")
    assert step.revert(msgspec.json.encode(dag("EX1", "EX2"))) is None


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("Installed", type(None)),
        ("Available", Change),
        ("InstallPending", Blocked),
        ("Removed", Blocked),
        ("", Blocked),
    ],
)
def test_features(state: str, kind: type[object]) -> None:
    assert isinstance(
        feature_installed(FeatureState(state=state), feature="Failover-Clustering", management=True), kind
    )


# -- DAC ---------------------------------------------------------------------------------------------------------------


def dac(now: DagObject, mode: str = "DagOnly", members: Sequence[str] = ()) -> Change | Blocked | None:
    return activation_mode_set(now, dag="DAG1", mode=mode, members=members)


def test_dac_needs_two_members_now_or_planned() -> None:
    assert isinstance(dac(dag("EX1")), Blocked)
    planned = dac(ABSENT, members=("EX1", "EX2"))
    assert isinstance(planned, Change)
    assert dac(dag("EX1", "EX2"), members=("EX1", "EX2")) == planned, "the plan is made before the DAG is there"
    assert dac(dag("EX1", "EX2", activation_mode="DagOnly")) is None


def test_dac_stays_on_while_a_datacenter_is_stopped() -> None:
    on = dag("EX1", "EX2", activation_mode="DagOnly")
    assert isinstance(dac(on, "Off"), Change)
    stopped = msgspec.structs.replace(on, stopped=("EX2.example.com",))
    assert isinstance(dac(stopped, "Off"), Blocked)


def test_undoing_dac_goes_back_to_what_was() -> None:
    step = activation_mode_set.on(EX1, dag="DAG1", mode="DagOnly", members=())
    assert step.revert is not None
    back = step.revert(msgspec.json.encode(dag("EX1", "EX2")))
    assert back is not None
    assert back.arguments["mode"] == "Off"
    assert step.revert(msgspec.json.encode(ABSENT)) is None


# -- guards ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("view", "gone", "witness", "safe"),
    [
        (cluster("EX1", "EX2"), (), True, True),
        (cluster("EX1", "EX2"), ("EX2",), False, True),
        (cluster("EX1", "EX2"), ("EX2",), True, False),
        (cluster("EX1", "EX2", witness="Offline"), ("EX2",), False, False),
        (cluster("EX1", "EX2", "EX3"), ("EX1", "EX2"), False, False),
        (cluster("EX1", "EX2", "EX3", "EX4"), ("EX1", "EX2"), False, True),
        (cluster("EX1", "EX2", "EX3", "EX4", EX1="Down"), ("EX2",), True, True),
        (None, ("EX1",), False, False),
    ],
)
def test_who_may_be_away_without_losing_quorum(
    view: object, gone: tuple[str, ...], *, witness: bool, safe: bool
) -> None:
    blocked = quorum_without(view, nodes=gone, witness=witness)  # type: ignore[arg-type]
    assert (blocked is None) is safe
    assert safe or (blocked is not None and blocked.guard == "G-QUORUM")


def test_after_a_restore_only_the_witness_in_use_may_be_named() -> None:
    restored = dag("EX1", "EX2", witness_share="Alternate", alternate_server="FSW2.example.com")
    assert set_dag_allowed(dag("EX1", "EX2")) is None
    assert set_dag_allowed(restored) is not None
    assert set_dag_allowed(restored, naming="fsw2") is None
    for blocked in (
        dac(restored),
        quorum_model_right(
            msgspec.structs.replace(restored, cluster=cluster("EX1", "EX2", witness="")), dag="DAG1", members=["EX1"]
        ),
    ):
        assert isinstance(blocked, Blocked)
        assert blocked.guard == "G-SETDAG"


# -- before anything is contacted --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("aap", "given", "members", "says"),
    [
        ("none", ["10.0.0.101"], [EX1], "--ip belongs to"),
        ("none", [], [msgspec.structs.replace(EX1, os="2012")], "P29"),
        ("dhcp", [], [EX1], "dhcp"),
        ("static", [], [EX1], "needs --ip"),
        ("static", ["10.0.0.101"], [EX1, EX2], "10.0.1.0/24 has 0"),
        ("static", ["10.0.0.101", "10.0.0.102", "10.0.1.101"], [EX1, EX2], "10.0.0.0/24 has 2"),
        ("static", ["10.0.0.101", "10.0.9.101"], [EX1, EX2], "in no subnet"),
        ("static", ["10.0.0.11", "10.0.1.101"], [EX1, EX2], "EX1's own"),
        ("static", ["10.0.0.101"], [EX1, msgspec.structs.replace(EX2, subnet=EX1.subnet)], "P26"),
    ],
)
def test_access_points_that_cannot_be(aap: str, given: list[str], members: list[Server], says: str) -> None:
    with pytest.raises(BadParameter, match=says):
        access_point(aap, given, members, ESTATE)


@pytest.mark.parametrize("os", ["2012R2", "2012 R2", "2022", "Windows Server 2025", ""])
def test_access_points_that_can_be(os: str) -> None:
    member = msgspec.structs.replace(EX1, os=os)
    assert access_point("none", [], [member], ESTATE) == "255.255.255.255"
    static = ["10.0.0.101", "10.0.1.101"]
    assert access_point("static", static, [EX1, EX2], ESTATE) == tuple(static)
    at_home = msgspec.structs.replace(ESTATE, region="")
    assert access_point("dhcp", [], [EX1], at_home) == "0.0.0.0"


def test_which_dag_is_meant() -> None:
    with pytest.raises(BadParameter):
        dag_named(None, ESTATE)
    known = msgspec.structs.replace(ESTATE, dags=(InventoryDag(name="DAG1"),))
    assert dag_named(None, known) == dag_named("dag1", known) == "DAG1"
    assert dag_named("DAG7", known) == "DAG7", "a DAG need not be in the inventory"
    assert default_directory("DAG1", ESTATE, EX1.fqdn) == "C:\\DAGFileShareWitnesses\\DAG1.example.com"

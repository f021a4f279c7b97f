"""Clusters beside each other, isolation, quarantine, the witness's lock, and who is let in again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from starover_lab.world.cluster import CLUSSVC
from starover_lab.world.entities import Cluster
from starover_lab.world.errors import WorldError
from starover_lab.world.operator_changes import CMDLETS
from world.conftest import Lab


def force(lab: Lab, name: str) -> Cluster:
    ends = lab.world.cluster_tasks.start(name, name, force=True)
    lab.later((ends - lab.world.now).total_seconds() + 1)
    return lab.world.cluster(name)


def node(lab: Lab, asked: str, name: str) -> tuple[str, str]:
    found = next(one for one in lab.world.nodes(asked) if one.name == name)
    return found.state, found.information


def quorate(lab: Lab) -> list[Cluster]:
    return [one for one in lab.world.state.clusters if one.quorate]


@pytest.fixture
def dark(lab: Callable[..., Lab]) -> Lab:
    """Four members whose witness and two of whom are gone: no quorum."""
    one = lab()
    for name in ("FSW3", "EX1", "EX2"):
        one.world.power_off(name, "ec2")
    one.later(minutes=2)
    assert quorate(one) == []
    return one


def test_who_reaches_the_forced_node_takes_its_configuration_over(dark: Lab) -> None:
    cluster = force(dark, "EX4")
    assert (cluster.forced, cluster.epoch, node(dark, "EX4", "EX3")[0]) == (True, 1000, "Joining")
    dark.later(minutes=2)
    assert cluster.holders == {"ex3", "ex4"}, "its cluster service starts again by itself"
    assert cluster.forced, "two of four are no majority"
    dark.world.power_on("EX1", "ec2")
    dark.later(minutes=10)
    assert not cluster.forced
    assert cluster.holders == {"ex1", "ex3", "ex4"}
    dark.world.power_on("EX2", "ec2")
    dark.later(minutes=10)
    assert quorate(dark) == [cluster]
    assert len(dark.world.state.clusters) == 1, "nobody has the old configuration any more"
    assert dark.world.violations() == []


def test_a_forced_cluster_survives_what_no_majority_would(dark: Lab) -> None:
    cluster = force(dark, "EX3")
    dark.later(minutes=2)
    dark.world.power_off("EX4", "ec2")
    dark.later(minutes=2)
    assert cluster.quorate
    dark.world.power_off("EX3", "ec2")
    dark.later(minutes=2)
    assert not cluster.quorate


def test_who_may_only_join_forms_nothing(lab: Callable[..., Lab]) -> None:
    one = lab("aws-2az-nodac")
    for name in ("ExchangeNode1", "ExchangeNode2"):
        one.world.stop_service(name, CLUSSVC)
    one.later(minutes=1)
    for name in ("ExchangeNode1", "ExchangeNode2"):
        one.world.cluster_tasks.start(name, name, prevent=True)
    one.later(minutes=5)
    assert quorate(one) == []
    force(one, "ExchangeNode1")
    one.later(minutes=2)
    assert node(one, "ExchangeNode1", "ExchangeNode2") == ("Up", "Normal")


def test_a_stopped_cluster_service_is_not_started_by_anybody(dark: Lab) -> None:
    dark.world.stop_service("EX4", CLUSSVC)
    force(dark, "EX3")
    dark.later(minutes=5)
    assert node(dark, "EX3", "EX4")[0] == "Down"


def test_forcing_beside_a_cluster_that_can_be_reached_takes_it_over(lab: Callable[..., Lab]) -> None:
    one = lab()
    one.world.stop_service("EX4", CLUSSVC)
    one.later(minutes=1)
    cluster = force(one, "EX4")
    one.later(minutes=3)
    assert quorate(one) == [cluster]
    assert all(view.state == "Up" for view in one.world.nodes("EX1"))
    assert "I1" not in [one_["id"] for one_ in one.world.violations()]


def test_one_cluster_at_a_time_has_the_witness(lab: Callable[..., Lab]) -> None:
    one = lab()
    one.world.fault("link_flap", "1a,1b", n=1, down="10h")
    one.later(minutes=6)
    first = one.world.cluster("EX1")
    assert first.votes.witness_online
    second = force(one, "EX3")
    assert not second.votes.witness_online, "the other side has it locked"
    one.world.fault("host_off", "EX1")
    one.world.fault("host_off", "EX2")
    one.later(minutes=2)
    assert second.votes.witness_online
    one.world.mend(kind="host_off", target="EX1")
    one.later(minutes=15)
    assert not first.quorate, "the share knows of a later configuration"
    one.world.mend(kind="host_off", target="EX2")
    one.later(minutes=15)
    assert first.quorate, "two of three votes need no witness"


# -- evicted, and let in again ---------------------------------------------------------------------------------------


def test_an_evicted_node_is_cleared_and_added_like_a_new_one(lab: Callable[..., Lab]) -> None:
    one = lab("aws-2az-nodac")
    one.world.power_off("ExchangeNode1", "ec2")
    one.later(minutes=2)
    one.world.cluster_tasks.evict("ExchangeNode2", "ExchangeNode1")
    one.world.copies.remove("DB2", "ExchangeNode1", "ExchangeNode2")
    assert one.world.database("DB1").active == "ExchangeNode2"
    one.world.copies.remove("DB1", "ExchangeNode1", "ExchangeNode2")
    one.world.members.remove("DAG", "ExchangeNode1", "ExchangeNode2", configuration_only=True)
    one.world.power_on("ExchangeNode1", "ec2")
    one.later(minutes=15)
    with pytest.raises(WorldError) as refused:
        one.world.members.add("DAG", "ExchangeNode1", "ExchangeNode2")
    assert refused.value.kind == "member_elsewhere", "it has its old configuration still"
    one.world.cluster_tasks.clear("ExchangeNode1", "ExchangeNode1")
    operation = one.world.members.add("DAG", "ExchangeNode1", "ExchangeNode2")
    one.later((operation.ends - one.world.now).total_seconds() + 30)
    operation.result()
    assert node(one, "ExchangeNode2", "ExchangeNode1") == ("Up", "Normal")
    status = one.world.dag_status("DAG", "ExchangeNode2")
    assert (status.quorum_type, status.votes_present) == ("NodeAndFileShareMajority", 3)


# -- isolated, quarantined -------------------------------------------------------------------------------------------


def test_isolation_keeps_the_vote_for_a_while(lab: Callable[..., Lab]) -> None:
    one = lab()
    one.world.fault("partition", "EX4|EX1,EX2,EX3,FSW3,FSW2,DC1,DC2,DC3")
    one.later(30)
    assert node(one, "EX1", "EX4") == ("Up", "Isolated")
    assert one.world.cluster("EX1").votes.total == 5
    with pytest.raises(WorldError):
        one.world.cluster("EX4")
    assert one.world.server("EX4").services["ClusSvc"].status == "Running"
    one.later(minutes=5)
    assert node(one, "EX1", "EX4") == ("Down", "Normal")
    assert one.world.cluster("EX1").votes.total == 3
    assert one.world.server("EX4").services["ClusSvc"].status == "Stopped"
    one.world.mend()
    one.later(minutes=3)
    assert node(one, "EX1", "EX4") == ("Up", "Normal")
    assert one.world.violations() == []


def test_an_old_windows_knows_no_isolation(lab: Callable[..., Lab]) -> None:
    one = lab("rep-net-2013")
    one.world.fault("nic_down", "MBX2", alias="MAPI")
    one.later(minutes=1)
    assert node(one, "MBX1", "MBX2") == ("Down", "Normal")


def test_three_exits_within_an_hour_are_too_many_for_one_node(lab: Callable[..., Lab]) -> None:
    one = lab()
    one.world.fault("link_flap", "1a,1b", n=3)
    one.later(minutes=20)
    states = {view.name: view.information for view in one.world.nodes("EX1")}
    assert sorted(states.values()) == ["Normal", "Normal", "Normal", "Quarantined"], "a quarter of four is one"
    assert len(one.kinds("quarantine_full")) == 1
    name = next(key for key, value in states.items() if value == "Quarantined")
    one.later(minutes=60)
    assert node(one, "EX1", name) == ("Down", "Quarantined")
    one.later(minutes=90)
    assert node(one, "EX1", name) == ("Up", "Normal"), "after two hours it may join"
    assert "I1" not in [found["id"] for found in one.world.violations()]


def test_exits_that_lie_apart_do_not_count_together(lab: Callable[..., Lab]) -> None:
    one = lab()
    one.world.fault("link_flap", "1a,1b", n=3, down="1m", up="40m")
    one.later(hours=2.5)
    assert one.kinds("node_quarantined") == []
    assert all(view.information == "Normal" for view in one.world.nodes("EX1"))


# -- zones, DCs, other people ----------------------------------------------------------------------------------------


def test_a_zone_returns_in_the_order_that_was_asked_for(lab: Callable[..., Lab]) -> None:
    one = lab()
    one.world.fault("az_loss", "1a")
    one.later(minutes=5)
    number = one.world.fault("az_return", "1a", order="DC1,EX2")
    one.later(minutes=4.5)
    powers = {name: one.world.power(name) for name in ("DC1", "EX2", "EX1")}
    assert powers == {"DC1": "on", "EX2": "off", "EX1": "off"}
    assert one.world.ec2_mode("eu-west-1a") == "up"
    one.later(minutes=5)
    assert (one.world.power("EX2"), one.world.power("EX1")) == ("on", "off")
    one.later(minutes=6)
    assert one.world.power("EX1") == "on"
    one.world.mend(number)
    assert one.world.faults() == []


def test_domain_controllers_replicate_over_the_links_that_there_are(lab: Callable[..., Lab]) -> None:
    one = lab()
    cut = one.world.fault("az_isolated", "1a")
    one.world.recovery.stop("DAG1", "EX3", server="EX4", configuration_only=True)
    one.later(minutes=30)
    assert one.world.dag("DAG1", "EX1", "DC1").stopped == ()
    assert one.world.dag("DAG1", "EX3", "DC3").stopped == ("EX4.example.com",)
    one.world.mend(cut)
    one.later(minutes=4)
    assert one.world.dag("DAG1", "EX1", "DC1").stopped == ("EX4.example.com",)


def test_a_dead_member_that_is_off_the_list_lets_the_others_agree(lab: Callable[..., Lab]) -> None:
    one = lab()
    every = ("EX1", "EX2", "EX3", "EX4")
    for name in every:
        one.world.power_off(name, "ec2")
    one.later(minutes=5)
    for name in every[:3]:
        one.world.power_on(name, "ec2")
    one.later(minutes=20)
    assert one.world.cluster("EX1").quorate
    assert {database.state for database in one.world.state.databases} == {"Dismounted"}, "every bit is 0"
    one.world.recovery.stop("DAG1", "EX1", server="EX4", configuration_only=True)
    one.later(minutes=10)
    mounted = {database.name for database in one.world.state.databases if database.state == "Mounted"}
    assert mounted >= {"DB01", "DB02", "DB03"}
    assert one.world.violations() == []


TARGETS = {
    "Suspend-MailboxDatabaseCopy": "DB01/EX3",
    "Resume-MailboxDatabaseCopy": "DB01/EX3",
    "Set-MailboxDatabaseCopy": "DB01/EX3",
    "Move-ActiveMailboxDatabase": "DB01",
    "Dismount-Database": "DB01",
    "Set-MailboxServer": "EX2",
    "Set-DatabaseAvailabilityGroup": "DAG1",
    "Suspend-ClusterNode": "EX2",
    "Stop-ClusterNode": "EX2",
}


@pytest.mark.parametrize("cmdlet", sorted(CMDLETS))
def test_somebody_else_changes_something_and_back(lab: Callable[..., Lab], cmdlet: str) -> None:
    one = lab()
    number = one.world.fault("operator_parallel_change", TARGETS[cmdlet], cmdlet=cmdlet.upper(), after_s=60)
    one.later(minutes=5)
    record = one.world.state.audit[-1]
    assert (record.cmdlet, record.caller) == (cmdlet, "EXAMPLE\\somebody.else")
    one.world.mend(number)
    one.later(minutes=5)
    assert one.statuses("DB01")["EX1"] == "Mounted"
    assert node(one, "EX1", "EX2") == ("Up", "Normal")


def test_a_zone_with_bad_links_comes_too_late_for_the_lock(lab: Callable[..., Lab]) -> None:
    one = lab()
    one.world.fault("link_latency", "1a,*", ms=400, loss=20)
    one.world.fault("link_flap", "1a,1b", n=3)
    one.later(minutes=25)
    informed = {view.name: view.information for view in one.world.nodes("EX3")}
    assert informed == {"EX1": "Quarantined", "EX2": "Normal", "EX3": "Normal", "EX4": "Normal"}
    assert {database.active for database in one.world.state.databases} <= {"EX2", "EX3", "EX4"}
    assert all(database.state == "Mounted" for database in one.world.state.databases)
    assert quorate(one), "nobody has to force anything"


def test_a_long_way_alone_does_not_take_the_lock_from_its_owner(lab: Callable[..., Lab]) -> None:
    one = lab()
    one.world.fault("link_latency", "1a,*", ms=400)
    one.world.fault("link_flap", "1a,1b", n=1)
    one.later(30)
    assert node(one, "EX1", "EX3") == ("Up", "Isolated")

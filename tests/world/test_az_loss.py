"""A zone lost, quorum forced, and the zone's return: the disaster scenarios at the world's own level."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec
import pytest
from starover_lab.world.dag_recovery import RestoreWishes
from starover_lab.world.dags import DagChanges
from starover_lab.world.errors import WorldError
from starover_lab.world.operations import Operation
from world.conftest import Lab


def done(lab: Lab, operation: Operation) -> list[str]:
    """Let an operation end; what it warned of."""
    lab.later(max((operation.ends - lab.world.now).total_seconds(), 0) + 1)
    operation.result()
    return [notice.kind for notice in operation.notices]


def states(lab: Lab, asked: str) -> dict[str, str]:
    return {node.name: node.state for node in lab.world.nodes(asked)}


def mounted(lab: Lab) -> dict[str, str]:
    """Database to the server that it is mounted on; empty where it is not."""
    return {one.name: one.active if one.state == "Mounted" else "" for one in lab.world.state.databases}


def broken(lab: Lab) -> set[str]:
    return {str(one["id"]) for one in lab.world.violations()}


def stop_services(lab: Lab, names: Iterable[str]) -> None:
    for name in names:
        lab.world.stop_service(name, "ClusSvc")
    lab.later(10)


def turn(lab: Lab, **knobs: object) -> None:
    lab.world.state.tuning = msgspec.structs.replace(lab.world.state.tuning, **knobs)


# -- without DAC -----------------------------------------------------------------------------------------------------


def lose_the_first_zone(lab: Lab, **how: str) -> int:
    number = lab.world.fault("az_loss", "1a", **how)
    lab.later(minutes=2)
    return number


def force_node_2(one: Lab) -> None:
    one.world.power_off("ExchangeNode1", "ec2")
    one.world.power_off("FileServer", "ec2")
    stop_services(one, ["ExchangeNode2"])
    ends = one.world.cluster_tasks.start("ExchangeNode2", "ExchangeNode2", force=True)
    one.later((ends - one.world.now).total_seconds() + 1)


def test_the_default_deployment_is_forced_and_mounts_within_the_dial(lab: Callable[..., Lab]) -> None:
    one = lab("aws-2az-nodac")
    lose_the_first_zone(one)
    assert mounted(one) == {"DB1": "", "DB2": ""}
    force_node_2(one)
    cluster = one.world.cluster("ExchangeNode2")
    assert (cluster.forced, cluster.epoch) == (True, 1000)
    assert cluster.quorum_type == "NodeAndFileShareMajority"
    one.world.cluster_tasks.evict("ExchangeNode2", "ExchangeNode1")
    one.world.cluster_tasks.set_quorum("ExchangeNode2", share=None)
    one.later(minutes=3)
    assert states(one, "ExchangeNode2") == {"ExchangeNode2": "Up"}
    cluster = one.world.cluster("ExchangeNode2")
    assert (cluster.quorum_type, cluster.votes.present, cluster.votes.total) == ("NodeMajority", 1, 1)
    assert not cluster.forced, "one of one is a majority"
    assert mounted(one) == {"DB1": "ExchangeNode2", "DB2": "ExchangeNode2"}
    assert broken(one) == set()


def test_an_evicted_node_that_was_away_is_refused_when_it_comes_back(lab: Callable[..., Lab]) -> None:
    one = lab("aws-2az-nodac")
    number = lose_the_first_zone(one)
    force_node_2(one)
    one.world.cluster_tasks.evict("ExchangeNode2", "ExchangeNode1")
    one.world.mend(number)
    one.world.power_on("ExchangeNode1", "ec2")
    one.world.power_on("FileServer", "ec2")
    one.later(minutes=15)
    assert states(one, "ExchangeNode2") == {"ExchangeNode2": "Up"}
    assert one.world.server("ExchangeNode1").services["ClusSvc"].status == "Stopped"
    assert ("node_refused", "ExchangeNode1") in one.kinds("node_refused")
    assert "I1" not in broken(one)
    with pytest.raises(WorldError) as refused:
        one.world.members.add("DAG", "ExchangeNode1", "ExchangeNode2")
    assert refused.value.kind == "already_member", "AD has it still"


def test_an_old_half_that_meets_nobody_mounts_a_second_time(lab: Callable[..., Lab]) -> None:
    one = lab("aws-2az-nodac")
    lose_the_first_zone(one)
    ends = one.world.cluster_tasks.start("ExchangeNode2", "ExchangeNode2", force=True)
    one.later((ends - one.world.now).total_seconds() + 60)
    assert mounted(one)["DB1"] == "ExchangeNode2"
    one.world.fault("az_return", "1a", wan_delay="30m")
    one.later(minutes=20)
    assert len([cluster for cluster in one.world.state.clusters if cluster.quorate]) == 2
    assert {"I1", "I2"} <= broken(one)
    one.later(minutes=20)
    assert [cluster.epoch for cluster in one.world.state.clusters if cluster.quorate] == [1000]
    assert states(one, "ExchangeNode2") == {"ExchangeNode1": "Up", "ExchangeNode2": "Up"}


# -- with DAC --------------------------------------------------------------------------------------------------------


def datacenter_switchover(one: Lab, **wishes: object) -> list[str]:
    """Zone 1a is gone: fence, Stop-, Restore-DatabaseAvailabilityGroup."""
    for name in ("EX1", "EX2", "FSW1"):
        one.world.power_off(name, "ec2")
    done(one, one.world.recovery.stop("DAG1", "EX3", site="AZ1", configuration_only=True))
    stop_services(one, [name for name in ("EX3", "EX4") if one.world.power(name) == "on"])
    said = done(one, one.world.recovery.restore("DAG1", "EX3", RestoreWishes(**wishes)))  # type: ignore[arg-type]
    one.later(minutes=3)
    return said


@pytest.fixture
def restored(lab: Callable[..., Lab]) -> Lab:
    one = lab("pa-4x2-fsw1")
    lose_the_first_zone(one)
    assert not any(cluster.quorate for cluster in one.world.state.clusters)
    assert datacenter_switchover(one) == []
    return one


def test_a_datacenter_switchover(restored: Lab) -> None:
    one = restored
    dag = one.world.dag("DAG1", "EX3")
    assert dag.stopped == ("EX1.example.com", "EX2.example.com")
    assert dag.started == ("EX3.example.com", "EX4.example.com")
    assert states(one, "EX4") == {"EX3": "Up", "EX4": "Up"}
    status = one.world.dag_status("DAG1", "EX4")
    assert (status.quorum_type, status.witness_share_in_use) == ("NodeAndFileShareMajority", "Alternate")
    assert (status.votes_present, status.votes_total) == (3, 3)
    assert set(mounted(one).values()) <= {"EX3", "EX4"}, "all of them, on who is left"
    for name in ("EX3", "EX4"):
        exchange = one.world.server(name).exchange
        assert exchange is not None
        assert exchange.dacp_bit == 1
    assert broken(one) == set()


def test_a_bare_set_pulls_the_witness_back_to_the_dead_one(restored: Lab) -> None:
    one = restored
    done(one, one.world.dags.change("DAG1", "EX3", DagChanges()))
    status = one.world.dag_status("DAG1", "EX3")
    assert status.witness_share_in_use == "InvalidConfiguration"
    assert (status.votes_present, status.votes_total) == (1, 1), "the witness's vote is gone"
    assert "I17" in broken(one)


def test_naming_the_witness_in_use_keeps_it(restored: Lab) -> None:
    one = restored
    changes = DagChanges(witness_server="FSW2", preference_move_frequency_s="never")
    assert done(one, one.world.dags.change("DAG1", "EX3", changes)) == []
    status = one.world.dag_status("DAG1", "EX3")
    assert (status.witness_share_in_use, status.votes_total) == ("Primary", 3)
    assert broken(one) == set()


def test_the_zone_returns_alone_and_mounts_nothing(restored: Lab) -> None:
    one = restored
    one.world.fault("az_return", "1a", wan_delay="30m")
    for name in ("FSW1", "EX1", "EX2"):
        one.world.power_on(name, "ec2")
    one.later(minutes=15)
    cluster = one.world.cluster("EX1")
    assert cluster.quorate
    assert cluster.votes.present >= 3
    exchange = one.world.server("EX1").exchange
    assert exchange is not None
    assert exchange.dacp_bit == 0
    assert broken(one) == set(), "nothing is mounted twice"
    one.later(minutes=30)
    assert [one_.epoch >= 1000 for one_ in one.world.state.clusters if one_.quorate] == [True]
    assert one.world.server("EX1").services["ClusSvc"].status == "Stopped"
    assert set(mounted(one).values()) <= {"EX3", "EX4"}


def test_without_dac_the_same_return_is_split_brain(lab: Callable[..., Lab]) -> None:
    one = lab("pa-4x2-fsw1")
    done(one, one.world.dags.change("DAG1", "EX1", DagChanges(dac_mode="Off")))
    one.later(minutes=5)
    lose_the_first_zone(one)
    ends = one.world.cluster_tasks.start("EX3", "EX3", force=True)
    one.later((ends - one.world.now).total_seconds() + 90)
    for name in ("EX1", "EX2"):
        one.world.cluster_tasks.evict("EX3", name)
    one.later(minutes=2)
    assert mounted(one)["DB01"] == "EX3"
    one.world.fault("az_return", "1a", wan_delay="30m")
    one.later(minutes=20)
    assert {"I1", "I2"} <= broken(one)


def test_both_sides_forced(lab: Callable[..., Lab]) -> None:
    one = lab("pa-4x2-fsw1")
    one.world.fault("witness_down", "DAG1")
    one.later(minutes=1)
    one.world.fault("partition", "EX1,EX2,DC1|EX3,EX4,DC2")
    one.later(minutes=7)
    for name in ("EX1", "EX3"):
        one.world.cluster_tasks.start(name, name, force=True)
    one.later(minutes=5)
    assert ("cluster_split", "DAG1") in one.kinds("cluster_split")
    assert {"I1", "I2", "I18"} <= broken(one)


def test_failback(restored: Lab) -> None:
    one = restored
    done(one, one.world.dags.change("DAG1", "EX3", DagChanges(witness_server="FSW2")))
    one.world.fault("az_return", "1a", order="DC1")
    one.later(minutes=12)
    assert one.world.dag("DAG1", "EX3", "DC1").stopped == ("EX1.example.com", "EX2.example.com")
    for name in ("EX1", "EX2"):
        one.world.power_on(name, "ec2")
        one.later(minutes=10)
        one.world.cluster_tasks.clear(name, name)
    done(one, one.world.recovery.start("DAG1", "EX3", site="AZ1"))
    assert set(states(one, "EX1").values()) == {"Up"}
    assert one.world.dag("DAG1", "EX3").stopped == ()
    done(one, one.world.dags.change("DAG1", "EX3", DagChanges(witness_server="FSW2")))
    status = one.world.dag_status("DAG1", "EX3")
    assert (status.witness_share_in_use, status.votes_present, status.votes_total) == ("Primary", 5, 5)
    one.world.power_on("FSW1", "ec2")
    one.later(minutes=10)
    done(one, one.world.dags.change("DAG1", "EX3", DagChanges(witness_server="FSW1")))
    assert one.world.dag_status("DAG1", "EX3").witness_share_in_use == "Primary"
    assert broken(one) == set()


# -- the three commands in particular --------------------------------------------------------------------------------


def test_a_half_restore_is_ended_by_a_second_one(lab: Callable[..., Lab]) -> None:
    one = lab("pa-4x2-fsw1")
    turn(one, restore_evicts="second")
    lose_the_first_zone(one)
    assert datacenter_switchover(one) == ["not_evicted", "not_evicted"]
    assert set(states(one, "EX3")) == {"EX1", "EX2", "EX3", "EX4"}
    assert done(one, one.world.recovery.restore("DAG1", "EX3", RestoreWishes())) == []
    assert states(one, "EX3") == {"EX3": "Up", "EX4": "Up"}
    assert one.world.dag_status("DAG1", "EX3").witness_share_in_use == "Alternate"


def test_the_knob_that_keeps_the_alternate_witness(restored: Lab) -> None:
    one = restored
    turn(one, setdag_after_restore="keep")
    done(one, one.world.dags.change("DAG1", "EX3", DagChanges()))
    assert one.world.dag_status("DAG1", "EX3").witness_share_in_use == "Alternate"


def test_one_survivor_takes_the_alternate_witness_too(lab: Callable[..., Lab]) -> None:
    one = lab("pa-4x2-fsw1")
    lose_the_first_zone(one)
    one.world.power_off("EX4", "ec2")
    done(one, one.world.recovery.stop("DAG1", "EX3", server="EX4", configuration_only=True))
    assert datacenter_switchover(one) == []
    status = one.world.dag_status("DAG1", "EX3")
    assert (status.operational, status.witness_share_in_use) == (("EX3",), "Alternate")


def test_a_witness_may_be_named_at_the_restore(lab: Callable[..., Lab]) -> None:
    one = lab()
    one.world.fault("host_off", "FSW3")
    lose_the_first_zone(one)
    assert not any(cluster.quorate for cluster in one.world.state.clusters)
    one.world.mend(kind="host_off")
    done(one, one.world.recovery.stop("DAG1", "EX3", site="AZ1", configuration_only=True))
    one.later(minutes=6)
    said = done(one, one.world.recovery.restore("DAG1", "EX3", RestoreWishes(primary_witness=True)))
    assert said == []
    assert one.world.dag_status("DAG1", "EX3").witness_share_in_use == "Primary"


def test_stop_wipes_the_servers_that_answer(lab: Callable[..., Lab]) -> None:
    one = lab()
    done(one, one.world.recovery.stop("DAG1", "EX3", site="AZ1"))
    service = one.world.server("EX1").services["ClusSvc"]
    assert (service.status, service.start_type) == ("Stopped", "Disabled")
    assert not one.world.cluster_tasks.configured("EX1")
    one.later(minutes=3)
    assert set(mounted(one).values()) == {"EX3", "EX4"}
    assert one.world.dag("DAG1", "EX1", "DC1").stopped == one.world.dag("DAG1", "EX3").stopped, "written on both DCs"
    done(one, one.world.recovery.start("DAG1", "EX3", site="AZ1"))
    assert set(states(one, "EX1").values()) == {"Up"}


def test_stop_without_configuration_only_complains_of_the_dead(lab: Callable[..., Lab]) -> None:
    one = lab()
    one.world.fault("host_off", "EX1")
    one.later(minutes=1)
    operation = one.world.recovery.stop("DAG1", "EX3", site="AZ1")
    with pytest.raises(WorldError) as refused:
        done(one, operation)
    assert (refused.value.kind, refused.value.data["server"]) == ("server_down", "EX1")
    assert "EX1.example.com" in one.world.dag("DAG1", "EX3").stopped


def test_what_is_refused(lab: Callable[..., Lab]) -> None:
    one, off = lab(), lab("aws-2az-nodac")
    for call, kind in (
        (lambda: off.world.recovery.stop("DAG", "ExchangeNode1", site="AZ1"), "not_dac"),
        (lambda: off.world.recovery.restore("DAG", "ExchangeNode1", RestoreWishes()), "not_dac"),
        (lambda: one.world.recovery.restore("DAG1", "EX1", RestoreWishes()), "none_stopped"),
        (lambda: one.world.recovery.stop("DAG1", "EX1", site="AZ3"), "no_members_there"),
        (lambda: one.world.recovery.stop("DAG1", "EX1", site="AZ9"), "not_found"),
        (lambda: one.world.recovery.stop("DAG1", "EX1", server="FSW3"), "not_member"),
        (lambda: one.world.recovery.start("DAG9", "EX1", server="EX1"), "not_found"),
    ):
        with pytest.raises(WorldError) as refused:
            call()
        assert refused.value.kind == kind


def test_a_survivor_that_does_not_answer_is_named(lab: Callable[..., Lab]) -> None:
    one = lab("pa-4x2-fsw1")
    lose_the_first_zone(one)
    one.world.power_off("EX4", "ec2")
    assert datacenter_switchover(one) == ["node_not_started"]
    assert states(one, "EX3") == {"EX3": "Up", "EX4": "Down"}
    one.world.power_on("EX4", "ec2")
    one.later(minutes=10)
    assert states(one, "EX3") == {"EX3": "Up", "EX4": "Up"}
    assert broken(one) == set()

"""Clusters of whole worlds: zones lost and back, witnesses, clean stops, partitions, the Primary Active Manager."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from starover_lab.world.errors import WorldError
from world.conftest import Lab


def nodes(lab: Lab, dag: str) -> dict[str, tuple[str, int]]:
    cluster = lab.world.state.clusters[dag]
    return {node.server: (node.state, cluster.votes.votes[node.id]) for node in cluster.nodes}


def test_the_default_deployment_loses_quorum_with_its_first_zone(lab: Callable[..., Lab]) -> None:
    one = lab("aws-2az", dag=True)
    one.world.fault("az", "1a")
    one.later(5)
    assert one.world.state.clusters["DAG"].quorate, "heartbeats are not missed at once"
    one.later(60)
    assert ("quorum_lost", "DAG") in one.kinds("quorum_lost")
    lost = next(event for event in one.world.events if event.kind == "quorum_lost")
    assert (lost.data["votes"], lost.data["total"]) == (1, 3)
    service = one.world.server("ExchangeNode2").services["clussvc"]
    assert service.status == "Stopped"
    assert {one.world.database(name).state for name in ("DB1", "DB2")} == {"Dismounted"}
    assert one.statuses("DB2") == {"ExchangeNode2": "Dismounted", "ExchangeNode1": "ServiceDown"}
    with pytest.raises(WorldError) as refused:
        one.world.cluster("ExchangeNode2")
    assert refused.value.kind == "service_down"
    assert one.world.violations() == []


def test_the_zone_comes_back_and_everything_mounts_again(lab: Callable[..., Lab]) -> None:
    one = lab("aws-2az-nodac")
    one.world.fault("az_loss", "eu-west-1a")
    one.later(hours=1)
    assert one.world.mend(kind="az", target="") == [1]
    one.later(minutes=15)
    assert nodes(one, "DAG") == {"ExchangeNode1": ("Up", 1), "ExchangeNode2": ("Up", 1)}
    assert one.statuses("DB1") == {"ExchangeNode1": "Mounted", "ExchangeNode2": "Healthy"}
    assert one.statuses("DB2") == {"ExchangeNode2": "Mounted", "ExchangeNode1": "Healthy"}
    assert one.world.violations() == []


def test_a_zone_of_four_members_is_survived_with_the_witness_elsewhere(lab: Callable[..., Lab]) -> None:
    one = lab()
    one.world.fault("az", "1a")
    one.later(minutes=3)
    assert nodes(one, "DAG1") == {"EX1": ("Down", 0), "EX2": ("Down", 0), "EX3": ("Up", 1), "EX4": ("Up", 1)}
    cluster = one.world.cluster("EX3")
    assert (cluster.votes.present, cluster.votes.total, cluster.core_owner) == (3, 3, "EX3")
    assert {one.world.database(f"DB0{n}").active for n in (1, 2)} == {"EX3", "EX4"}
    assert all(one.world.database(f"DB0{n}").state == "Mounted" for n in (1, 2, 3, 4))
    assert one.world.database("DB01").active == "EX3", "the copy on EX4 is blocked"
    one.world.mend()
    one.later(minutes=15)
    assert all(state == ("Up", 1) for state in nodes(one, "DAG1").values())
    assert set(one.statuses("DB01").values()) == {"Healthy", "Mounted"}
    assert one.world.violations() == []


def test_one_node_after_the_other_down_to_the_last_pair(lab: Callable[..., Lab]) -> None:
    one = lab()
    for name in ("EX1", "EX2", "EX3"):
        one.world.fault("host_off", name)
        one.later(minutes=2)
        assert one.world.state.clusters["DAG1"].quorate
    one.world.fault("witness_down", "DAG1")
    one.later(minutes=2)
    assert not one.world.state.clusters["DAG1"].quorate


def test_three_nodes_without_a_witness_and_the_weight_of_the_last_two(three: Lab) -> None:
    three.world.fault("host_off", "mail-01")
    three.later(minutes=2)
    assert nodes(three, "Trio") == {"Mail-01": ("Down", 0), "Mail-02": ("Up", 1), "Mail-03": ("Up", 0)}
    ends = three.world.stop_service("Mail-02", "Cluster Service")
    assert three.world.state.clusters["Trio"].quorate, "a clean stop hands the vote over"
    three.later((ends - three.world.now).total_seconds())
    assert three.world.server("Mail-02").services["ClusSvc"].status == "Stopped"
    three.later(minutes=2)
    assert three.world.database("O’Brien DB").active == "Mail-03"
    three.world.start_service("Mail-02", "ClusSvc")
    three.later(minutes=2)
    assert nodes(three, "Trio")["Mail-02"][0] == "Up"


def test_a_crash_of_the_only_voter_ends_the_cluster_until_it_is_back(three: Lab) -> None:
    three.world.fault("host_off", "mail-01")
    three.later(minutes=2)
    number = three.world.fault("host_off", "mail-02")
    three.later(minutes=2)
    assert not three.world.state.clusters["Trio"].quorate
    three.world.mend(kind="host_off", target="mail-01")
    three.later(minutes=20)
    assert not three.world.state.clusters["Trio"].quorate, "the two that are there have no vote"
    three.world.mend(number)
    three.later(minutes=20)
    assert three.world.state.clusters["Trio"].quorate
    assert all(state == "Up" for state, _ in nodes(three, "Trio").values())


def test_a_cut_between_the_zones_leaves_one_side(lab: Callable[..., Lab]) -> None:
    one = lab()
    one.world.fault("partition", "1a,1c|1b,1c")
    one.later(minutes=3)
    assert {view.name: view.information for view in one.world.nodes("EX1")}["EX3"] == "Isolated"
    assert (one.world.database("DB03").active, one.world.database("DB03").state) == ("EX3", "Mounted"), (
        "up for its roles"
    )
    one.later(minutes=3)
    assert {name: state for name, (state, _) in nodes(one, "DAG1").items()} == {
        "EX1": "Up",
        "EX2": "Up",
        "EX3": "Down",
        "EX4": "Down",
    }
    mounted = {name: one.world.database(name).state == "Mounted" for name in ("DB01", "DB02", "DB03", "DB04")}
    assert mounted == {"DB01": True, "DB02": True, "DB03": False, "DB04": False}, "four minutes of logs exceed the dial"
    assert one.world.violations() == []
    one.world.mend()
    one.later(minutes=10)
    assert all(state == "Up" for state, _ in nodes(one, "DAG1").values())
    assert [one.world.database(name).state for name in mounted] == ["Mounted"] * 4
    assert one.kinds("data_loss") == []


def test_a_short_cut_moves_no_database(lab: Callable[..., Lab]) -> None:
    one = lab()
    one.world.fault("partition", "1a,1c|1b,1c", for_s=180)
    one.later(minutes=10)
    assert one.kinds("database_dismounted", "active_moved") == []
    assert {view.information for view in one.world.nodes("EX1")} == {"Normal"}


def test_an_isolated_zone_with_the_primary_stops_and_the_other_goes_on(lab: Callable[..., Lab]) -> None:
    one = lab()
    one.world.fault("az_isolated", "1a")
    one.later(minutes=6)
    assert one.world.state.clusters["DAG1"].core_owner in ("EX3", "EX4")
    assert one.world.server("EX1").services["ClusSvc"].status == "Stopped"
    assert one.world.listener("EX1") == ("silent",)
    mounted = [name for name in ("DB01", "DB02", "DB03", "DB04") if one.world.database(name).state == "Mounted"]
    assert mounted == ["DB03", "DB04"]


def test_paused_nodes_keep_their_vote_and_do_not_own_the_core_group(lab: Callable[..., Lab]) -> None:
    one = lab()
    one.world.suspend_node("EX3", "EX1", drain=True)
    assert nodes(one, "DAG1")["EX1"] == ("Paused", 1)
    assert one.world.cluster("EX1").core_owner == "EX2"
    with pytest.raises(WorldError):
        one.world.move_core_group("EX1", "EX1")
    one.world.resume_node("EX3", "ex1.example.com")
    assert one.world.move_core_group("EX2", "ex1") == "EX1"


def test_the_primary_is_elected_again_after_its_server_is_gone(lab: Callable[..., Lab]) -> None:
    one = lab()
    one.world.fault("host_off", "EX1")
    one.later(21)
    assert one.world.state.clusters["DAG1"].core_owner == ""
    with pytest.raises(WorldError) as refused:
        one.world.move_active("DB03", "EX3")
    assert refused.value.kind == "no_pam"
    one.later(6)
    assert one.world.state.clusters["DAG1"].core_owner == "EX2"


def test_the_witness_alone_goes_and_comes(lab: Callable[..., Lab]) -> None:
    one = lab()
    one.world.fault("host_off", "FSW3")
    one.later(minutes=1)
    status = one.world.dag_status("dag1", "EX2")
    assert (status.witness_share_in_use, status.witness_failed) == ("InvalidConfiguration", True)
    assert (status.votes_present, status.votes_total) == (3, 3)
    one.world.mend()
    one.later(minutes=10)
    status = one.world.dag_status("DAG1", "EX2")
    assert (status.witness_share_in_use, status.votes_present, status.votes_total) == ("Primary", 5, 5)


def test_copies_stay_healthy_when_only_the_cluster_node_is_down(lab: Callable[..., Lab]) -> None:
    one = lab()
    one.world.fault("service_crash", "EX3", service="ClusSvc")
    one.later(minutes=3)
    assert nodes(one, "DAG1")["EX3"][0] == "Down"
    assert one.statuses("DB01")["EX3"] == "Healthy"
    assert one.world.database("DB03").active != "EX3", "an active copy needs its node"


def test_after_a_reboot_in_dac_mode_the_bit_comes_from_a_member_that_has_it(lab: Callable[..., Lab]) -> None:
    one = lab()
    one.world.fault("host_off", "EX2", for_s=60)
    one.later(minutes=20)
    exchange = one.world.server("EX2").exchange
    assert exchange is not None
    assert exchange.dacp_bit == 1
    assert ("dacp_bit", "EX2") in one.kinds("dacp_bit")

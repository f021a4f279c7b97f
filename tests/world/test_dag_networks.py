"""DAG networks: found from the members' cards, set by hand, and which of them copies use."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from starover_lab.world.dag_networks import NetworkView
from starover_lab.world.dags import DagChanges
from world.conftest import Lab, refusal

MAPI, REPLICATION = "MapiDagNetwork", "ReplicationDagNetwork01"


def networks(one: Lab, dag: str = "DAG2", asked: str = "MBX1") -> dict[str, NetworkView]:
    return {network.name: network for network in one.world.networks.of(dag, asked)}


def by_hand(one: Lab) -> None:
    one.world.dags.change("DAG2", "MBX1", DagChanges(manual_networks=True))


def test_one_card_each_makes_one_network(lab: Callable[..., Lab]) -> None:
    found = networks(lab(), "DAG1", "EX1")
    assert list(found) == [MAPI]
    assert {subnet.subnet for subnet in found[MAPI].subnets} == {
        "10.0.0.0/24",
        "10.0.1.0/24",
        "10.0.32.0/24",
        "10.0.33.0/24",
    }
    assert (found[MAPI].mapi_access, found[MAPI].replication, found[MAPI].ignored) == (True, True, False)


def test_a_second_card_makes_a_replication_network(lab: Callable[..., Lab]) -> None:
    found = networks(lab("rep-net-2013"))
    assert list(found) == [MAPI, REPLICATION]
    assert not found[REPLICATION].mapi_access
    assert [(view.server, view.address) for view in found[REPLICATION].interfaces] == [
        ("MBX1", "10.10.1.11"),
        ("MBX2", "10.10.2.12"),
    ]
    assert {view.state for view in (*found[REPLICATION].interfaces, *found[REPLICATION].subnets)} == {"Up"}


def test_states_of_cards_and_subnets(lab: Callable[..., Lab]) -> None:
    one = lab("rep-net-2013")
    one.world.fault("replication_nic_down", "MBX2")
    found = networks(one)[REPLICATION]
    assert [view.state for view in found.interfaces] == ["Up", "Failed"]
    assert [view.state for view in found.subnets] == ["Up", "Down"]
    one.world.mend()
    one.world.fault("host_off", "MBX2")
    assert [view.state for view in networks(one)[MAPI].subnets] == ["Up", "Unavailable"]


def test_networks_set_by_hand(lab: Callable[..., Lab]) -> None:
    one = lab("rep-net-2013")
    world = one.world
    assert refusal(lambda: world.networks.create("DAG2", "Backup", "MBX1")).kind == "networks_automatic"
    assert refusal(lambda: world.networks.change("DAG2", MAPI, "MBX1", replication=False)).kind == "networks_automatic"
    by_hand(one)
    assert list(networks(one)) == [MAPI, REPLICATION], "what was found stays"
    world.networks.change("DAG2", f"DAG2\\{MAPI.lower()}", "MBX1", replication=False, description="clients")
    world.networks.create("DAG2", "Storage", "MBX1", subnets=["10.10.1.0/24"], replication=False, ignored=True)
    found = networks(one)
    assert [subnet.subnet for subnet in found[REPLICATION].subnets] == ["10.10.2.0/24"], "a subnet moves"
    assert (found[MAPI].replication, found[MAPI].description) == (False, "clients")
    assert refusal(lambda: world.networks.remove("DAG2", "Storage", "MBX1")).kind == "has_subnets"
    world.networks.change("DAG2", REPLICATION, "MBX1", subnets=["10.10.1.0/24", "10.10.2.0/24"], new_name="Logs")
    world.networks.remove("DAG2", "Storage", "MBX1")
    assert list(networks(one)) == ["Logs", MAPI]
    world.dags.change("DAG2", "MBX1", DagChanges(manual_networks=False))
    assert list(networks(one)) == [MAPI, REPLICATION], "names are made anew"


def test_a_new_subnet_is_known_after_it_was_discovered(lab: Callable[..., Lab]) -> None:
    one = lab("rep-net-2013")
    by_hand(one)
    one.world.server("MBX1").nics["Replication"].addresses = ("10.20.1.11",)
    one.world.networks.create("DAG2", "New", "MBX1", subnets=["10.20.1.0/24"])
    assert [view.state for view in networks(one)["New"].subnets] == ["Unknown"]
    one.world.dags.change("DAG2", "MBX1", DagChanges(discover_networks=True))
    assert [view.state for view in networks(one)["New"].subnets] == ["Up"]


def test_two_cards_of_one_member_in_a_network_are_a_mistake(lab: Callable[..., Lab]) -> None:
    one = lab("rep-net-2013")
    by_hand(one)
    every = ["172.19.18.0/24", "172.19.19.0/24", "10.10.1.0/24"]
    one.world.networks.change("DAG2", MAPI, "MBX1", subnets=every)
    assert {view.state for view in networks(one)[MAPI].subnets} == {"Misconfigured"}


@pytest.mark.parametrize(
    ("name", "subnets", "kind"),
    [("", (), "syntax"), ("x" * 129, (), "syntax"), (MAPI, (), "name_in_use"), ("N", ("10.10.1.7/24",), "syntax")],
)
def test_what_no_network_can_be(lab: Callable[..., Lab], name: str, subnets: tuple[str, ...], kind: str) -> None:
    one = lab("rep-net-2013")
    by_hand(one)
    assert refusal(lambda: one.world.networks.create("DAG2", name, "MBX1", subnets=subnets)).kind == kind


def test_copies_stay_off_the_replication_network_until_they_connect_anew(lab: Callable[..., Lab]) -> None:
    one = lab("rep-net-2013")
    world = one.world

    def network() -> tuple[str, str]:
        view = world.copy_view("DB21", "MBX2", "MBX1")
        return view.status, view.network

    one.later(1)
    assert network() == ("Healthy", REPLICATION)
    assert world.copy_view("DB21", "MBX1", "MBX1").network == "", "the active copy gets no logs"
    world.fault("replication_nic_down", "MBX1")
    one.later(1)
    assert network() == ("Healthy", MAPI)
    world.mend()
    one.later(hours=1)
    assert network() == ("Healthy", MAPI), "nobody goes back by himself"
    world.suspend_copy("DB21", "MBX2", "MBX1")
    one.later(5)
    world.resume_copy("DB21", "MBX2", "MBX1")
    one.later(minutes=2)
    assert network() == ("Healthy", REPLICATION)
    assert [event.data for event in world.events if event.kind == "copy_network" and event.subject == "DB21\\MBX2"] == [
        {"was": REPLICATION, "now": MAPI}
    ]


def test_copies_follow_the_settings_of_networks(lab: Callable[..., Lab]) -> None:
    one = lab("rep-net-2013")
    by_hand(one)
    one.world.networks.change("DAG2", REPLICATION, "MBX1", ignored=True)
    one.later(1)
    assert one.world.copy_view("DB22", "MBX1", "MBX1").network == MAPI, "its DC is where it was written"
    assert one.world.copy_view("DB21", "MBX2", "MBX1").network == REPLICATION, "the other site knows later"
    one.later(181)
    used = [one.world.copy_view(*copy, "MBX1").network for copy in (("DB21", "MBX2"), ("DB22", "MBX1"))]
    assert used == [MAPI, MAPI]

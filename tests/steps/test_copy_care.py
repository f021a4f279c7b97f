"""Which copies may be kept behind, and which go back to their network: decided by hand, no host."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from dag_facts import status
from placements import place

from starover.names import CopyId
from starover.step import Blocked, Change
from starover.steps.copies import CopyStatus
from starover.steps.lags import lag_blocked
from starover.steps.networks import DagNetworks, Interface, OneNetwork
from starover.steps.replication_network import (
    CopyNetwork,
    CopyNetworks,
    network_blocked,
    on_network,
    replication_network,
    replication_restarted,
)

WEEK = timedelta(days=7)
EX4 = CopyId("DB01", "EX4")
FOUR = place(status("EX1", "Mounted"), status("EX2"), status("EX3"), status("EX4"))


def test_the_last_of_four_may_stay_behind() -> None:
    assert lag_blocked(FOUR, EX4, WEEK, allow_fewer=False) is None
    assert lag_blocked(FOUR, CopyId("DB01", "EX2"), timedelta(0), allow_fewer=False) is None


@pytest.mark.parametrize(
    ("copies", "lags", "server", "reason"),
    [
        (("EX1", "EX2", "EX3", "EX4"), {}, "EX3", "EX4 come after it"),
        (("EX1", "EX2", "EX3", "EX4"), {}, "EX1", "the active copy"),
        (("EX1", "EX2", "EX3", "EX4"), {}, "EX5", "there is no copy"),
        (("EX1", "EX2", "EX4"), {}, "EX4", "2 good copies"),
        (("EX1", "EX2", "EX3", "EX4"), {"EX3": "1.00:00:00"}, "EX4", "2 good copies"),
    ],
)
def test_which_may_not(copies: tuple[str, ...], lags: dict[str, str], server: str, reason: str) -> None:
    now = place(*(status(one, "Mounted" if one == "EX1" else "Healthy") for one in copies), lags=lags)
    blocked = lag_blocked(now, CopyId("DB01", server), WEEK, allow_fewer=False)
    assert blocked is not None
    assert reason in blocked.why


def test_a_lagged_copy_may_come_before_another_lagged_one_and_fewer_can_be_allowed() -> None:
    two = place(status("EX1", "Mounted"), status("EX3"), status("EX4"), lags={"EX4": "7.00:00:00"})
    assert lag_blocked(two, CopyId("DB01", "EX3"), WEEK, allow_fewer=True) is None
    assert lag_blocked(two, CopyId("DB01", "EX3"), WEEK, allow_fewer=False) is not None


# -- networks ----------------------------------------------------------------------------------------------------------


def network(name: str, *, mapi: bool = False, replication: bool = True, state: str = "Up") -> OneNetwork:
    card = Interface(node="", state="", address="", text=f"{{EX1,{state},10.10.1.11}}")
    return OneNetwork(name=name, subnets=(), interfaces=(card,), mapi=mapi, replication=replication, ignored=False)


def networks(*some: OneNetwork) -> DagNetworks:
    values: dict[str, Any] = {"members": (), "manual": False, "witness_share": "", "compression": "", "encryption": ""}
    return DagNetworks(**values, replication_port=64327, networks=some)


def test_which_network_is_meant() -> None:
    clients, own = network("Mapi", mapi=True), network("Rep")
    assert replication_network(networks(clients, own)) is own
    assert replication_network(networks(clients)) is None
    assert replication_network(networks(own, network("Rep2"))) is None
    assert replication_network(networks(own, network("Rep2")), "rep2") is not None
    assert replication_network(networks(own), "other") is None


def test_a_network_that_is_down_or_for_clients_only_takes_nobody_back() -> None:
    assert network_blocked(network("Rep")) is None
    down = network_blocked(network("Rep", state="Failed"))
    assert down is not None
    assert "EX1 Failed" in down.why
    assert network_blocked(network("Mapi", replication=False)) is not None


def seen(*copies: CopyStatus, used: dict[str, str]) -> CopyNetworks:
    return CopyNetworks(
        copies=copies,
        networks=tuple(
            CopyNetwork(database="DB01", server=one.server, incoming=f"{{ex1,{used[one.server]}}}")
            for one in copies
            if one.server in used
        ),
    )


def back(now: CopyNetworks, server: str = "EX3") -> Change | Blocked | None:
    identity = CopyId("DB01", server)
    return on_network(
        now, identity=identity, database="DB01", network="Rep", comment="x", keep_block=False, block_comment=""
    )


def test_a_copy_over_another_network_is_reconnected() -> None:
    active = status("EX1", "Mounted")
    change = back(seen(active, status("EX2"), status("EX3"), used={"EX3": "Mapi"}))
    assert change == Change("DB01/EX3", "over Mapi", "over Rep")
    assert back(seen(active, status("EX3"), used={"EX3": "rep"})) is None
    last = back(seen(active, status("EX3"), used={"EX3": "Mapi"}))
    assert isinstance(last, Change)
    assert "without a second healthy copy" in last.note


@pytest.mark.parametrize(
    ("copies", "reason"),
    [
        ((status("EX3", "Mounted"), status("EX1")), "the active copy"),
        ((status("EX1", "Mounted"),), "hosts no copy"),
        ((status("EX1", "Mounted"), status("EX3", "Suspended", suspend_comment="disk of Bob")), "disk of Bob"),
        ((status("EX1", "Dismounted", active=True), status("EX3")), "no other copy"),
    ],
)
def test_which_copies_are_left_where_they_are(copies: tuple[CopyStatus, ...], reason: str) -> None:
    blocked = back(seen(*copies, used={"EX3": "Mapi"}))
    assert isinstance(blocked, Blocked)
    assert reason in blocked.why


def test_a_copy_that_we_suspended_and_never_resumed_goes_on() -> None:
    half = status("EX3", "Suspended", suspend_comment="[starover] back to the replication network")
    assert isinstance(back(seen(status("EX1", "Mounted"), half, used={})), Change)


def test_a_restart_is_for_copies_that_are_astray() -> None:
    active = status("EX1", "Mounted")
    astray = seen(active, status("EX3"), used={"EX3": "Mapi"})
    change = replication_restarted(astray, name="EX3", network="Rep")
    assert isinstance(change, Change)
    assert "DB01/EX3 over Mapi" in change.now
    assert replication_restarted(seen(active, status("EX3"), used={}), name="EX3", network="Rep") is None
    assert replication_restarted(seen(active, status("EX3"), used={"EX3": "REP"}), name="EX3", network="Rep") is None

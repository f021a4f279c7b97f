"""Logs that are lost: what comes back by Safety Net, whose copies diverge, and when something is gone for good."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import msgspec
import pytest
from starover_lab.world.errors import WorldError
from starover_lab.world.events import Event
from world.conftest import Lab

NAME = "O’Brien DB"


def events(lab: Lab, kind: str) -> list[Event]:
    return [event for event in lab.world.events if event.kind == kind]


def lose(lab: Lab, logs: int) -> int:
    """Mail-02 dies with so many logs that nobody else has; returns the fault's number."""
    world = lab.world
    stream = world.database(NAME).stream
    world.server("Mail-01").exchange.auto_mount_dial = "BestAvailability"  # type: ignore[union-attr]
    for server in ("Mail-01", "Mail-03"):
        world.server(server).exchange.auto_mount_dial = "BestAvailability"  # type: ignore[union-attr]
    point = stream.generated(world.now)
    held = {server: world.copy(NAME, server) for server in ("Mail-01", "Mail-03")}
    while stream.generated(world.now) < point + logs:
        world.scheduler.advance_to(world.now + timedelta(milliseconds=200))
    for copy in held.values():
        copy.copied = copy.inspected = copy.replayed = point
        copy.flowing = copy.replaying = False
        copy.since = world.now
    number = world.fault("host_off", "Mail-02")
    lab.later(minutes=2)
    assert world.database(NAME).state == "Mounted"
    assert [event.data["lost"] for event in events(lab, "data_loss")] == [logs]
    return number


def turn(lab: Lab, **knobs: object) -> None:
    lab.world.state.tuning = msgspec.structs.replace(lab.world.state.tuning, **knobs)


def test_one_log_too_many_is_mended_within_a_minute(three: Lab) -> None:
    number = lose(three, 1)
    assert three.world.database(NAME).active == "Mail-01"
    three.world.mend(number)
    three.later(minutes=20)
    (mended,) = events(three, "divergence_mended")
    assert (mended.subject, mended.data["logs"]) == (f"{NAME}\\Mail-02", 1)
    assert three.statuses(NAME)["Mail-02"] == "Healthy"
    assert three.world.violations() == []


def test_more_need_a_seed_which_costs_them_unless_they_are_saved(three: Lab) -> None:
    world = three.world
    number = lose(three, 4)
    world.mend(number)
    three.later(minutes=20)
    view = world.copy_view(NAME, "Mail-02", "Mail-01")
    assert (view.status, view.activation_suspended, view.initiator) == ("FailedAndSuspended", False, "Service")
    assert "diverged from the active copy: it has 4 log files" in view.error_message
    assert view.inspected_time is not None
    assert view.inspected_time < events(three, "data_loss")[0].time, "its newest log was written before the loss"
    world.update_copy(NAME, "Mail-02", "Mail-01", delete_existing=True)
    (gone,) = events(three, "lost_for_good")
    assert (gone.subject, gone.data["lost"], gone.data["server"]) == (NAME, 4, "Mail-02")
    assert [one["id"] for one in world.violations()] == ["I16"]


@pytest.mark.parametrize(
    ("how", "lost", "broken"), [("snapshot", False, []), ("copy-aside", False, []), ("discard", True, [])]
)
def test_what_was_saved_or_signed_away_may_be_seeded_over(three: Lab, how: str, lost: bool, broken: list[str]) -> None:
    world = three.world
    world.preserve("Mail-02", "snapshot")
    number = lose(three, 4)
    world.mend(number)
    three.later(minutes=20)
    world.preserve("Mail-02.example.com", how, NAME)  # type: ignore[arg-type]
    world.update_copy(NAME, "Mail-02", "Mail-01", delete_existing=True)
    assert bool(events(three, "lost_for_good")) == lost
    assert [one["id"] for one in world.violations()] == broken
    three.later(minutes=10)
    assert three.statuses(NAME)["Mail-02"] == "Healthy"


def test_a_snapshot_of_before_saves_nothing(three: Lab) -> None:
    three.world.preserve("Mail-02", "snapshot")
    number = lose(three, 4)
    three.world.mend(number)
    three.later(minutes=20)
    three.world.update_copy(NAME, "Mail-02", "Mail-01", delete_existing=True)
    assert [one["id"] for one in three.world.violations()] == ["I16"]


def test_a_copy_removed_and_added_again_has_lost_nothing_yet(three: Lab) -> None:
    world = three.world
    number = lose(three, 4)
    world.mend(number)
    three.later(minutes=20)
    world.copies.remove(NAME, "Mail-02", "Mail-01")
    world.copies.add(NAME, "Mail-02", "Mail-01", mode="postpone")
    assert world.violations() == []
    world.update_copy(NAME, "Mail-02", "Mail-01", delete_existing=True)
    assert [one["id"] for one in world.violations()] == ["I16"]


def test_who_had_parted_earlier_keeps_the_older_point(three: Lab) -> None:
    world = three.world
    lose(three, 4)
    three.later(minutes=10)
    before = world.copy(NAME, "Mail-02").inspected
    mail3 = world.copy(NAME, "Mail-03")
    mail3.copied = mail3.inspected = mail3.inspected - 2
    mail3.flowing, mail3.since = False, world.now
    world.fault("host_off", "Mail-01")
    three.later(minutes=2)
    copy = world.copy(NAME, "Mail-02")
    assert (copy.inspected, copy.diverged) == (before, 4)


# -- Safety Net --------------------------------------------------------------------------------------------------------


def test_active_manager_asks_by_itself_and_a_dead_primary_is_tried_half_a_day(three: Lab) -> None:
    lose(three, 3)
    (request,) = three.world.safety_net.of("Mail-01")
    assert (request.by_itself, request.state, request.primaries[0]) == (True, "Running", "Mail-02")
    three.later(hours=11.9)
    assert request.state == "Running"
    three.later(minutes=15)
    assert request.state == "Completed"
    (back,) = events(three, "safety_net")
    assert isinstance(back.data["recovered_by_safety_net"], bool)
    assert events(three, "duplicates")


def test_naming_the_dead_primary_asks_its_shadow_at_once(three: Lab) -> None:
    world = three.world
    turn(three, safety_net_recovers=1.0)
    lose(three, 3)
    guid, server = str(world.database(NAME).guid), world.server("Mail-03")
    start, end = world.now - timedelta(hours=1), world.now
    slow = world.safety_net.ask(guid, server, start, end)
    quick = world.safety_net.ask(guid, server, start, end, unresponsive=["mail-02.EXAMPLE.com"])
    three.later(minutes=5)
    assert (slow.state, quick.state) == ("Running", "Completed")
    (back,) = events(three, "safety_net")
    assert (back.data["lost"], back.data["recovered_by_safety_net"]) == (3, True)
    (twice,) = events(three, "duplicates")
    assert isinstance(twice.data["messages"], int)
    assert twice.data["messages"] > 0


def test_a_request_that_does_not_cover_the_loss_brings_nothing_back(three: Lab) -> None:
    world = three.world
    lose(three, 3)
    guid, server = str(world.database(NAME).guid), world.server("Mail-03")
    loss = events(three, "data_loss")[0].time
    world.safety_net.ask(guid, server, loss - timedelta(hours=2), loss - timedelta(hours=1), unresponsive=["Mail-02"])
    three.later(minutes=5)
    assert events(three, "safety_net") == []
    with pytest.raises(WorldError) as refused:
        world.safety_net.ask(guid, server, loss, world.now + timedelta(hours=1))
    assert refused.value.kind == "invalid"


# -- invariants --------------------------------------------------------------------------------------------------------


def test_the_last_good_copy_is_watched(lab: Callable[..., Lab]) -> None:
    world = lab("aws-2az", dag=True).world
    world.suspend_copy("DB1", "ExchangeNode2", "ExchangeNode1")
    assert world.violations() == []
    world.dismount("DB1", "ExchangeNode1")
    world.scheduler.advance_to(world.now + timedelta(seconds=30))
    assert [(one["id"], one["subject"]) for one in world.violations()] == [("I8", "DB1")]


def test_a_loss_beyond_what_was_decided_is_watched(lab: Callable[..., Lab]) -> None:
    log = lab().world
    log.state.log.add("data_loss", "DB01", lost=4, decision="dial GoodAvailability", allowed=6)
    log.state.log.add("data_loss", "DB01", lost=400, decision="administrator: BestEffort", allowed=None)
    assert log.violations() == []
    log.state.log.add("data_loss", "DB01", lost=7, decision="dial GoodAvailability", allowed=6)
    assert [one["id"] for one in log.violations()] == ["I3"]


def test_a_lagged_copy_that_lost_its_block_is_watched(lab: Callable[..., Lab]) -> None:
    world = lab().world
    world.suspend_copy("DB01", "EX4", "EX1")
    world.resume_copy("DB01", "EX4", "EX1", replication_only=True)
    assert world.violations() == []
    world.suspend_copy("DB01", "EX4", "EX1")
    world.resume_copy("DB01", "EX4", "EX1")
    assert [one["id"] for one in world.violations()] == ["I10"]

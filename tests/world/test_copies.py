"""Database copies: shipping, suspend and resume, lag, seeding, failures, moves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from starover_lab.world.errors import WorldError
from world.conftest import Lab, refused_kind


def test_suspend_lets_the_queue_grow_and_resume_drains_it(lab: Callable[..., Lab]) -> None:
    one = lab()
    world = one.world
    world.suspend_copy("db01", "ex3.example.com", "EX1", comment="disk swap")
    view = world.copy_view("DB01", "EX3", "EX1")
    assert (view.status, view.comment, view.activation_suspended) == ("Suspended", "disk swap", True)
    one.later(hours=1)
    view = world.copy_view("DB01", "EX3", "EX1")
    assert view.copy_queue == pytest.approx(360, abs=5)
    assert view.copy_queue == view.generated - view.inspected
    assert view.latest_available_time is not None
    assert view.latest_available_time <= world.now - timedelta(minutes=59)
    world.resume_copy("DB01", "EX3", "EX1")
    assert world.copy_view("DB01", "EX3", "EX1").status == "Initializing"
    one.later(20)
    assert world.copy_view("DB01", "EX3", "EX1").status == "Resynchronizing"
    one.later(60)
    view = world.copy_view("DB01", "EX3", "EX1")
    assert (view.status, view.comment, view.activation_suspended) == ("Healthy", "", False)
    assert view.copy_queue <= 1
    lagged = world.copy_view("DB01", "EX4", "EX1")
    assert (lagged.status, lagged.activation_suspended) == ("Healthy", True)
    assert world.violations() == []


def test_an_hour_of_suspension_in_the_two_zone_estate(lab: Callable[..., Lab]) -> None:
    one = lab("aws-2az", dag=True)
    one.world.suspend_copy("DB1", "ExchangeNode2", "ExchangeNode2", comment="my first runbook")
    one.later(hours=1)
    assert one.world.copy_view("DB1", "ExchangeNode2", "ExchangeNode1").copy_queue == pytest.approx(360, abs=5)
    one.world.resume_copy("DB1", "ExchangeNode2", "ExchangeNode2")
    one.later(minutes=2)
    view = one.world.copy_view("DB1", "ExchangeNode2", "ExchangeNode1")
    assert (view.status, view.copy_queue <= 10, view.replay_queue <= 10) == ("Healthy", True, True)
    assert one.statuses("DB2") == {"ExchangeNode2": "Mounted", "ExchangeNode1": "Healthy"}


def test_activation_only_leaves_replication_alone(lab: Callable[..., Lab]) -> None:
    one = lab()
    one.world.suspend_copy("DB01", "EX2", "EX1", comment="no", activation_only=True)
    one.later(hours=1)
    view = one.world.copy_view("DB01", "EX2", "EX1")
    assert (view.status, view.activation_suspended, view.copy_queue <= 1) == ("Healthy", True, True)
    one.world.suspend_copy("DB01", "EX1", "EX1", activation_only=True)


def test_replication_only_resume_keeps_the_block(lab: Callable[..., Lab]) -> None:
    one = lab()
    one.world.suspend_copy("DB01", "EX2", "EX1", comment="why")
    one.world.resume_copy("DB01", "EX2", "EX1", replication_only=True)
    one.later(minutes=2)
    view = one.world.copy_view("DB01", "EX2", "EX1")
    assert (view.status, view.activation_suspended, view.comment) == ("Healthy", True, "why")


def test_what_cannot_be_suspended(lab: Callable[..., Lab]) -> None:
    world = lab().world
    assert refused_kind(lambda: world.suspend_copy("DB01", "EX1", "EX1")) == "active_copy"
    assert refused_kind(lambda: world.suspend_copy("DB99", "EX1", "EX1")) == "not_found"
    assert refused_kind(lambda: world.suspend_copy("DB01", "FSW3", "EX1")) == "not_found"
    world.suspend_copy("DB01", "EX2", "EX1")
    assert refused_kind(lambda: world.suspend_copy("DB01", "EX2", "EX1")) == "already_suspended"
    world.fault("host_off", "EX3")
    with pytest.raises(WorldError) as refused:
        world.suspend_copy("DB01", "EX3", "EX1")
    assert (refused.value.kind, refused.value.blocked_s) == ("server_down", world.state.tuning.rpc_timeout_s)
    world.fault("service_crash", "EX4", service="MSExchangeRepl")
    assert refused_kind(lambda: world.suspend_copy("DB01", "EX4", "EX1")) == "service_down"
    view = world.copy_view("DB01", "EX4", "EX1")
    assert (view.status, view.generated, view.ci_state, view.preference) == ("ServiceDown", 0, "Unknown", 4)


def test_the_lagged_copy_replays_a_week_later(lab: Callable[..., Lab]) -> None:
    one = lab()
    before = one.world.copy_view("DB01", "EX4", "EX1")
    assert before.replayed_time is not None
    assert (one.world.now - before.replayed_time).total_seconds() == pytest.approx(7 * 86_400, abs=120)
    one.later(hours=5)
    after = one.world.copy_view("DB01", "EX4", "EX1")
    assert after.replayed > before.replayed
    assert after.actual_lag_s == pytest.approx(7 * 86_400, abs=120)
    one.world.set_lag("DB01", "EX4", "EX1", replay_s=0)
    one.later(hours=1)
    assert one.world.copy_view("DB01", "EX4", "EX1").replay_queue <= 1
    assert refused_kind(lambda: one.world.set_lag("DB01", "EX4", "EX1", replay_s=15 * 86_400)) == "invalid"


def test_a_lost_source_disconnects_and_a_failover_carries_on(lab: Callable[..., Lab]) -> None:
    one = lab()
    one.world.fault("host_off", "EX1")
    one.later(5)
    assert one.statuses("DB01") == {
        "EX1": "ServiceDown",
        "EX2": "DisconnectedAndHealthy",
        "EX3": "DisconnectedAndHealthy",
        "EX4": "DisconnectedAndHealthy",
    }
    one.later(minutes=2)
    moved = one.world.database("DB01")
    assert (moved.active, moved.state) == ("EX3", "Mounted")
    one.later(minutes=2)
    assert {name: status for name, status in one.statuses("DB01").items() if name != "EX1"} == {
        "EX2": "Healthy",
        "EX3": "Mounted",
        "EX4": "Healthy",
    }
    generated = moved.stream.generated(one.world.now)
    one.later(hours=1)
    assert moved.stream.generated(one.world.now) > generated
    one.world.mend()
    one.later(minutes=20)
    assert one.statuses("DB01")["EX1"] == "Healthy"
    assert one.world.violations() == []


def test_logs_beyond_the_branch_point_need_a_seed(three: Lab) -> None:
    world = three.world
    name = "O’Brien DB"
    for server in ("Mail-01", "Mail-03"):
        world.suspend_copy(name, server, "Mail-01")
    three.later(4)
    for server in ("Mail-01", "Mail-03"):
        world.resume_copy(name, server, "Mail-01")
    world.server("Mail-01").exchange.auto_mount_dial = "BestAvailability"  # type: ignore[union-attr]
    three.later(9)
    number = world.fault("host_off", "Mail-02")
    three.later(minutes=3)
    database = world.database(name)
    loss = [event for event in world.events if event.kind == "data_loss"]
    assert (database.active, database.state) == ("Mail-01", "Mounted")
    assert len(loss) == 1
    assert isinstance(loss[0].data["lost"], int)
    world.mend(number)
    three.later(minutes=20)
    view = world.copy_view(name, "mail-02", "Mail-01")
    if loss[0].data["lost"] > world.state.tuning.lost_log_resilience:
        assert view.status == "FailedAndSuspended"
        assert (view.activation_suspended, view.initiator, view.error_event_id) == (False, "Service", 2070)
        assert "Reseed" in view.comment
    assert [one["id"] for one in world.violations()] == []


def test_more_lost_logs_than_the_dial_allows_stay_dismounted(three: Lab) -> None:
    world = three.world
    name = "O’Brien DB"
    for server in ("Mail-01", "Mail-03"):
        world.suspend_copy(name, server, "Mail-01")
    three.later(minutes=30)
    for server in ("Mail-01", "Mail-03"):
        world.resume_copy(name, server, "Mail-01")
    three.later(16)
    world.fault("host_off", "Mail-02")
    three.later(minutes=10)
    database = world.database(name)
    assert (database.active, database.state) == ("Mail-02", "Dismounted")
    assert three.kinds("failover_failed")


def test_a_switchover_loses_nothing(lab: Callable[..., Lab]) -> None:
    one = lab()
    until = one.world.move_active("DB01", "EX1", target="ex3.example.com")
    assert one.world.database("DB01").state == "Dismounting"
    one.later((until - one.world.now).total_seconds() + 1)
    assert one.statuses("DB01")["EX3"] == "Mounted"
    one.later(minutes=1)
    assert one.statuses("DB01")["EX1"] == "Healthy"
    assert one.kinds("data_loss") == []
    assert refused_kind(lambda: one.world.move_active("DB01", "EX1", target="EX4")) == "activation_blocked"
    assert refused_kind(lambda: one.world.move_active("DB01", "EX1", target="FSW2")) == "not_found"
    one.world.move_active("DB01", "EX1")
    one.later(minutes=2)
    assert one.world.database("DB01").active == "EX1", "without a target and lossless, preference leads"
    assert one.world.violations() == []


def test_dismount_and_mount(lab: Callable[..., Lab]) -> None:
    one = lab()
    one.world.dismount("DB02", "EX1")
    assert refused_kind(lambda: one.world.dismount("DB02", "EX1")) == "not_mounted"
    one.later(minutes=10)
    assert one.statuses("DB02")["EX2"] == "Dismounted"
    generated = one.world.copy_view("DB02", "EX2", "EX1").generated
    one.later(hours=1)
    assert one.world.copy_view("DB02", "EX2", "EX1").generated == generated
    one.world.mount("DB02", "EX1")
    assert refused_kind(lambda: one.world.mount("DB02", "EX1")) == "already_mounted"
    one.later(10)
    assert one.statuses("DB02")["EX2"] == "Mounted"


def test_a_seed_takes_size_over_speed_and_ends_healthy(lab: Callable[..., Lab]) -> None:
    one = lab("aws-2az-nodac")
    world = one.world
    act = {"delete_existing": True}
    assert (
        refused_kind(lambda: world.update_copy("DB1", "ExchangeNode2", "ExchangeNode1", **act)) == "must_be_suspended"
    )
    world.suspend_copy("DB1", "ExchangeNode2", "ExchangeNode1")
    assert refused_kind(lambda: world.update_copy("DB1", "ExchangeNode2", "ExchangeNode1")) == "files_exist"
    until = world.update_copy("DB1", "ExchangeNode2", "ExchangeNode1", **act)
    seconds = (until - world.now).total_seconds()
    assert seconds == pytest.approx(40 * (1 << 30) / 60e6, rel=0.01)
    assert refused_kind(lambda: world.update_copy("DB1", "ExchangeNode2", "ExchangeNode1", **act)) == "seed_in_progress"
    assert refused_kind(lambda: world.suspend_copy("DB1", "ExchangeNode2", "ExchangeNode1")) == "seed_in_progress"
    one.later(seconds / 2)
    view = world.copy_view("DB1", "ExchangeNode2", "ExchangeNode1")
    assert (view.status, view.seed_percent, view.seed_source) == ("Seeding", 50, "ExchangeNode1")
    assert world.copy_view("DB1", "ExchangeNode1", "ExchangeNode1").seeding_source
    one.later(seconds / 2 + 1)
    assert world.copy_view("DB1", "ExchangeNode2", "ExchangeNode1").status == "Initializing"
    one.later(minutes=2)
    view = world.copy_view("DB1", "ExchangeNode2", "ExchangeNode1")
    assert (view.status, view.copy_queue <= 1, view.activation_suspended) == ("Healthy", True, False)
    assert world.violations() == []


def test_seeds_of_one_source_share_its_speed(lab: Callable[..., Lab]) -> None:
    one = lab()
    for server in ("EX2", "EX3"):
        one.world.suspend_copy("DB01", server, "EX1")
    alone = one.world.update_copy("DB01", "EX3", "EX1", source="EX1", delete_existing=True, database_only=True)
    assert refused_kind(lambda: one.world.update_copy("DB01", "EX2", "EX1", delete_existing=True)) == "seed_in_progress"
    one.world.update_copy("DB01", "EX2", "EX1", source="EX1", delete_existing=True, database_only=True)
    one.later((alone - one.world.now).total_seconds() + 1)
    view = one.world.copy_view("DB01", "EX3", "EX1")
    assert (view.status, view.seed_percent) == ("Seeding", 50)


def test_a_seed_breaks_by_fault_or_with_its_source_or_by_hand(lab: Callable[..., Lab]) -> None:
    one = lab()
    one.world.fault("seed_fail", "DB01/EX3", at_pct=30)
    for server in ("EX2", "EX3", "EX4"):
        one.world.suspend_copy("DB01", server, "EX1")
        one.world.update_copy("DB01", server, "EX1", delete_existing=True, database_only=True)
    one.world.cancel_seed("DB01", "EX4", "EX1")
    assert one.statuses("DB01")["EX4"] == "Suspended"
    one.later(minutes=20)
    assert one.statuses("DB01")["EX3"] == "FailedAndSuspended"
    assert one.statuses("DB01")["EX2"] == "Seeding"
    one.world.fault("host_off", "EX1")
    one.later(1)
    assert one.statuses("DB01")["EX2"] == "FailedAndSuspended"


def test_resume_of_a_copy_that_needs_a_seed_falls_back(lab: Callable[..., Lab]) -> None:
    one = lab()
    one.world.fault("log_corrupt", "DB01/EX3")
    assert one.statuses("DB01")["EX3"] == "FailedAndSuspended"
    one.world.resume_copy("DB01", "EX3", "EX1")
    assert one.statuses("DB01")["EX3"] == "Initializing"
    one.later(minutes=1)
    view = one.world.copy_view("DB01", "EX3", "EX1")
    assert view.status == "FailedAndSuspended"
    one.later(hours=1)
    later = one.world.copy_view("DB01", "EX3", "EX1")
    assert later.copy_queue > view.copy_queue, "the queue goes on growing while the cluster registry can be read"
    assert later.notified == view.notified
    one.world.mend()
    one.later(minutes=2)
    assert one.statuses("DB01")["EX3"] == "Healthy"


def test_a_full_log_volume_stops_the_copy_and_dismounts_the_active(lab: Callable[..., Lab]) -> None:
    one = lab()
    number = one.world.fault("disk_full", "EX3", volume="E:")
    one.later(minutes=2)
    assert one.statuses("DB01")["EX3"] == "Failed"
    assert one.world.database("DB03").active != "EX3"
    assert one.world.database("DB03").state == "Mounted"
    one.world.mend(number)
    one.later(minutes=2)
    assert one.statuses("DB01")["EX3"] == "Healthy"


def test_a_standing_copy_fills_the_log_volumes_of_all(lab: Callable[..., Lab]) -> None:
    one = lab()
    other = lab()
    one.world.suspend_copy("DB01", "EX2", "EX1")
    free = []
    for world in (one, other):
        world.later(hours=36)
        space = world.world.space("EX1", "e:\\databases\\db01\\x.log")
        assert space is not None
        free.append(space.free)
    assert free[1] - free[0] > 3000 * (1 << 20)


def test_a_log_volume_fills_in_the_end_and_the_database_goes_elsewhere(three: Lab) -> None:
    world = three.world
    name = "O’Brien DB"
    world.server("Mail-02").volumes["E:"].size = 30 * (1 << 30)
    world.suspend_copy(name, "Mail-03", "Mail-01")
    three.later(hours=20)
    database = world.database(name)
    assert (database.active, database.state) == ("Mail-01", "Mounted")
    reasons = [event.data.get("reason") for event in world.events if event.kind == "database_dismounted"]
    assert reasons == ["volume E: is full"]


def test_preferences_stay_one_to_n(lab: Callable[..., Lab]) -> None:
    one = lab()
    one.world.set_preference("DB02", "EX3", "EX1", 1)
    copies = one.world.database("DB02").copies
    assert {copy.server: copy.preference for copy in copies} == {"EX3": 1, "EX2": 2, "EX4": 3, "EX1": 4}
    assert refused_kind(lambda: one.world.set_preference("DB02", "EX3", "EX1", 5)) == "invalid"
    assert one.world.violations() == []


def test_a_stale_last_log_shows_the_well_known_number(lab: Callable[..., Lab]) -> None:
    one = lab()
    one.world.fault("lastlog_stale", "DB01")
    assert one.world.copy_view("DB01", "EX2", "EX1").copy_queue == 9_223_372_036_854_775_766
    assert one.world.copy_view("DB01", "EX1", "EX1").copy_queue == 0


def test_too_many_moves_are_suppressed(lab: Callable[..., Lab]) -> None:
    one = lab()
    for _ in range(4):
        active = one.world.database("DB01").active
        one.world.fault("service_crash", active, service="MSExchangeIS", for_s=90)
        one.later(minutes=4)
    assert one.kinds("move_suppressed")
    assert one.world.database("DB01").state == "Mounted", "it comes back where it was"

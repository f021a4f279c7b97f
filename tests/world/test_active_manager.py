"""Active Manager: what it does when something breaks, what it chooses, what it moves of its own accord."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from starover_lab.world.best_copy import Candidate, Health, ranked
from starover_lab.world.dags import DagChanges
from starover_lab.world.events import Event
from world.conftest import Lab, refused_kind


def actives(lab: Lab) -> dict[str, str]:
    return {one.name: one.active for one in lab.world.state.databases}


def last(lab: Lab, kind: str) -> Event:
    return [event for event in lab.world.events if event.kind == kind][-1]


def behind(lab: Lab, database: str, *servers: str, logs: int) -> None:
    """These copies stand still until so many logs are missing there."""
    stream = lab.world.database(database).stream
    before = stream.generated(lab.world.now)
    for server in servers:
        copy = lab.world.copy(database, server)
        copy.flowing = False
        copy.copied = copy.inspected = before
        copy.since = lab.world.now
    while stream.generated(lab.world.now) < before + logs:
        lab.world.scheduler.advance_to(lab.world.now + timedelta(seconds=1))
        for server in servers:
            copy = lab.world.copy(database, server)
            copy.flowing, copy.since = False, lab.world.now


# -- choosing --------------------------------------------------------------------------------------------------------


def candidate(server: str, preference: int, **how: object) -> Candidate:
    facts: dict[str, object] = {"status": "Healthy", "ci": "Healthy", "copy_queue": 0, "replay_queue": 0, **how}
    return Candidate(server=server, preference=preference, **facts)  # type: ignore[arg-type]


def test_within_a_set_of_criteria_the_healthier_server_leads() -> None:
    found = ranked(
        [
            candidate("A", 1, health=Health.SAME),
            candidate("B", 2, health=Health.NORMAL, copy_queue=3),
            candidate("C", 3, health=Health.BETTER),
            candidate("D", 4, health=Health.WORSE),
            candidate("E", 5, health=Health.ALL, copy_queue=12),
        ]
    )
    assert [one.server for one in found] == ["B", "C", "A", "E"]


def test_who_is_to_be_emptied_is_taken_last() -> None:
    copies = [candidate("A", 1, last_resort=True), candidate("B", 2, copy_queue=50, replay_queue=90)]
    assert [one.server for one in ranked(copies)] == ["B", "A"]


def test_a_failover_takes_its_time_and_no_longer(lab: Callable[..., Lab]) -> None:
    one = lab()
    one.world.fault("host_off", "EX2")
    one.later(14)
    assert one.world.database("DB02").active == "EX2"
    one.later(40)
    (started,) = [event for event in one.world.events if event.kind == "move_started"]
    down = next(event.time for event in one.world.events if event.kind == "database_dismounted")
    assert 15 <= (started.time - down).total_seconds() <= 30
    assert one.world.database("DB02").state == "Mounted"


def test_who_would_lose_too_much_is_passed_over(lab: Callable[..., Lab]) -> None:
    one = lab()
    behind(one, "DB01", "EX2", "EX3", logs=5)
    for server, dial in (("EX2", "Lossless"), ("EX3", "GoodAvailability")):
        one.world.set_activation(server, "EX1", dial=dial)  # type: ignore[arg-type]
        one.world.copy("DB01", server).flowing = False
    one.world.set_preference("DB01", "EX2", "EX1", 2)
    one.world.fault("host_off", "EX1")
    one.later(minutes=2)
    assert one.world.database("DB01").active == "EX3", (
        "a Lossless dial anywhere makes preference lead; 5 of 0 is too many"
    )
    loss = last(one, "data_loss")
    assert (loss.data["lost"], loss.data["decision"], loss.data["allowed"]) == (5, "dial GoodAvailability", 6)


@pytest.mark.parametrize(
    ("prepare", "reason"),
    [
        (lambda one: one.world.set_activation("EX3", "EX1", policy="Blocked"), "automatic activation"),
        (lambda one: one.world.set_activation("EX3", "EX1", policy="IntrasiteOnly"), "within the site only"),
        (lambda one: one.world.set_activation("EX3", "EX1", max_active=1), "as many as it may"),
        (lambda one: one.world.suspend_node("EX1", "EX3"), "paused"),
        (lambda one: one.world.suspend_copy("DB01", "EX3", "EX1", activation_only=True), "suspended"),
        (lambda one: one.world.fault("ha_component_offline", "EX3"), "HighAvailability"),
        (lambda one: one.world.fault("disk_failed", "EX3", volume="D:"), "does not answer"),
        (lambda one: one.world.fault("service_crash", "EX3"), "MSExchangeIS"),
    ],
)
def test_who_is_no_candidate(lab: Callable[..., Lab], prepare: Callable[[Lab], object], reason: str) -> None:
    one = lab()
    for server in ("EX2", "EX4"):
        one.world.suspend_copy("DB01", server, "EX1")
    prepare(one)
    one.later(1)
    one.world.fault("service_crash", "EX1")
    one.later(minutes=3)
    assert one.world.database("DB01").active == "EX1"
    reasons = last(one, "failover_failed").data["reasons"]
    assert isinstance(reasons, dict)
    assert reason in str(reasons["EX3"])
    assert (
        len([event for event in one.world.events if event.kind == "failover_failed" and event.subject == "DB01"]) == 1
    )


def test_a_stopped_server_is_no_candidate(lab: Callable[..., Lab]) -> None:
    one = lab()
    one.world.recovery.stop("DAG1", "EX1", server="EX3", configuration_only=True)
    one.later(minutes=5)
    assert refused_kind(lambda: one.world.move_active("DB01", "EX1", target="EX3")) == "not_on_lists"


def test_copies_stay_healthy_while_their_node_is_down_but_are_no_candidates(lab: Callable[..., Lab]) -> None:
    one = lab()
    one.world.stop_service("EX3", "ClusSvc")
    one.later(minutes=2)
    assert one.statuses("DB01")["EX3"] == "Healthy"
    assert refused_kind(lambda: one.world.move_active("DB01", "EX1", target="EX3")) == "copy_unhealthy"


def test_a_move_whose_source_dies_on_the_way_becomes_a_failover(lab: Callable[..., Lab]) -> None:
    one = lab()
    behind(one, "DB01", "EX2", "EX3", logs=3)
    one.world.move_active("DB01", "EX1", target="EX3", skip={"Lag"})
    one.later(1)
    for server in ("EX2", "EX3"):
        one.world.copy("DB01", server).flowing = False
    one.world.fault("host_off", "EX1")
    one.later(minutes=2)
    assert one.kinds("move_failed") == [("move_failed", "DB01")]
    assert last(one, "data_loss").data["decision"] == "dial GoodAvailability", "not by the lossless wish"
    assert one.world.violations() == []


def test_what_its_administrator_dismounted_is_moved_and_stays_so(lab: Callable[..., Lab]) -> None:
    one = lab()
    one.world.dismount("DB01", "EX1")
    one.later(30)
    one.world.move_active("DB01", "EX1", target="EX3")
    one.later(minutes=2)
    database = one.world.database("DB01")
    assert (database.active, database.state) == ("EX3", "Dismounted")


# -- of its own accord -----------------------------------------------------------------------------------------------


def test_databases_come_home_within_the_hour(lab: Callable[..., Lab]) -> None:
    one = lab()
    home = actives(one)
    one.world.move_active("DB01", "EX1", target="EX3")
    one.world.move_active("DB04", "EX1", target="EX2")
    one.later(minutes=2)
    assert actives(one) != home
    one.later(minutes=61)
    assert actives(one) == home
    assert {event.data["decision"] for event in one.world.events[-40:] if event.kind == "move_started"} == {"rebalance"}


def test_nothing_comes_home_where_it_is_switched_off_or_not_welcome(lab: Callable[..., Lab]) -> None:
    one = lab()
    one.world.dags.change("DAG1", "EX1", DagChanges(preference_move_frequency_s="never"))
    one.world.move_active("DB01", "EX1", target="EX3")
    one.later(hours=3)
    assert one.world.database("DB01").active == "EX3"
    other = lab()
    other.world.move_active("DB01", "EX1", target="EX3")
    other.world.set_activation("EX1", "EX1", policy="Blocked")
    other.later(hours=3)
    assert other.world.database("DB01").active == "EX3"
    old = lab("rep-net-2013")
    old.world.move_active("DB21", "MBX1", target="MBX2")
    old.later(hours=3)
    assert old.world.database("DB21").active == "MBX2", "2013 has no rebalance"


def test_a_server_is_emptied_every_half_minute(lab: Callable[..., Lab]) -> None:
    one = lab()
    for server in ("EX2", "EX3"):
        one.world.suspend_copy("DB01", server, "EX1", activation_only=True)
    one.world.set_activation("EX1", "EX1", disabled_and_move_now=True)
    one.later(minutes=2)
    assert one.statuses("DB01")["EX1"] == "Mounted", "there is no good copy elsewhere"
    one.world.resume_copy("DB01", "EX3", "EX1")
    one.later(31 + 15)
    assert one.world.database("DB01").active == "EX3"
    one.later(hours=2)
    assert one.world.database("DB01").active == "EX3", "it does not come home to a server that is to be empty"


def test_a_server_with_as_many_as_it_prefers_is_chosen_last(lab: Callable[..., Lab]) -> None:
    one = lab()
    one.world.set_activation("EX3", "EX1", max_preferred_active=1)
    one.world.move_active("DB01", "EX1")
    one.later(minutes=1)
    assert one.world.database("DB01").active == "EX2", "preference 2 has one active already"
    one.world.move_active("DB01", "EX1", target="EX3")
    one.later(minutes=1)
    assert one.world.database("DB01").active == "EX3", "by name it goes"


# -- lagged copies ---------------------------------------------------------------------------------------------------


@pytest.fixture
def managed(lab: Callable[..., Lab]) -> Lab:
    one = lab()
    one.world.dags.change("DAG1", "EX1", DagChanges(replay_lag_manager=True))
    one.later(minutes=5)
    return one


def lag(lab: Lab, server: str = "EX4") -> tuple[str, int]:
    view = lab.world.copy_view("DB01", server, "EX1")
    return view.lag_off, view.replay_queue


def test_too_few_good_copies_for_a_day_end_the_lag(managed: Lab) -> None:
    queue = lag(managed)[1]
    managed.world.suspend_copy("DB01", "EX2", "EX1")
    managed.later(hours=23)
    assert lag(managed)[0] == ""
    managed.later(hours=2)
    assert lag(managed)[0] == "LagDisabled"
    assert lag(managed)[1] < queue / 100
    managed.world.resume_copy("DB01", "EX2", "EX1")
    managed.later(hours=3)
    off, grown = lag(managed)
    assert off == ""
    assert grown > 100, "it lags again and its queue grows"


def test_a_slow_disk_puts_the_play_down_off_and_makes_it_slow(managed: Lab) -> None:
    managed.world.suspend_copy("DB01", "EX2", "EX1")
    managed.world.fault("disk_slow", "EX4", ms=250)
    managed.later(hours=26)
    assert lag(managed)[0] == ""
    managed.later(hours=23)
    off, queue = lag(managed)
    assert off == "LagDisabled"
    managed.later(minutes=1)
    replayed = queue - lag(managed)[1]
    assert 0 < replayed <= managed.world.state.tuning.replay_logs_per_s / 10 * 60 + 1


def test_a_truncation_lag_keeps_logs(lab: Callable[..., Lab]) -> None:
    free = []
    for hours in (0, 100):
        one = lab()
        one.world.set_lag("DB01", "EX2", "EX1", truncation_s=hours * 3600)
        space = one.world.space("EX2", "E:\\Databases\\DB01\\x.log")
        assert space is not None
        free.append(space.free)
    assert free[0] - free[1] > 5000 * (1 << 20)


def test_low_space_ends_the_lag_at_once(managed: Lab) -> None:
    volume = managed.world.server("EX4").volumes["E:"]
    space = managed.world.space("EX4", "E:\\")
    assert space is not None
    volume.size -= space.free - (5 << 30)
    managed.later(minutes=31)
    assert lag(managed)[0] == "NotEnoughFreeSpace"


def test_without_the_manager_a_lag_is_kept(lab: Callable[..., Lab]) -> None:
    one = lab()
    one.world.suspend_copy("DB01", "EX2", "EX1")
    one.later(hours=30)
    assert lag(one)[0] == ""
    one.world.switch_lag("DB01", "EX4", "EX1", on=False)
    one.later(hours=2)
    assert (lag(one)[0], one.world.copy_view("DB01", "EX4", "EX1").replay_lag_s) == ("LagDisabled", 7 * 86_400)
    assert lag(one)[1] <= 1

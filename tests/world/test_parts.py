"""The small parts: AD replication, files, logs, best copy selection, draws, invariants."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starover_lab.world.best_copy import Candidate, ranked
from starover_lab.world.clock import Scheduler
from starover_lab.world.dice import Dice
from starover_lab.world.directory import Directory, DomainController
from starover_lab.world.errors import WorldError
from starover_lab.world.files import FileStore
from starover_lab.world.logs import LogStream, Rate
from world.conftest import Lab

START = datetime(2026, 11, 20, 14, tzinfo=UTC)


# -- Active Directory --------------------------------------------------------------------------------------------------


@pytest.fixture
def forest() -> tuple[Scheduler, Directory, set[str]]:
    clock = Scheduler(START)
    directory = Directory(clock, intra_site_s=15, inter_site_s=180)
    down: set[str] = set()
    for name, site in (("A1", "North"), ("A2", "North"), ("B1", "South")):
        directory.controllers.add(name, DomainController(name, site, lambda name=name: name not in down))  # type: ignore[misc]
    return clock, directory, down


def test_a_write_reaches_its_site_first(forest: tuple[Scheduler, Directory, set[str]]) -> None:
    clock, directory, _ = forest
    dc = directory.controllers
    directory.write(dc["A1"], "x", "new")
    seen = []
    for seconds in (0, 14, 16, 179, 181):
        clock.advance_to(START + timedelta(seconds=seconds))
        seen.append((directory.read(dc["A2"], "x", str), directory.read(dc["B1"], "x", str)))
    assert seen == [(None, None), (None, None), ("new", None), ("new", None), ("new", "new")]
    assert directory.converged("x")


def test_of_two_writes_the_later_wins_everywhere(forest: tuple[Scheduler, Directory, set[str]]) -> None:
    clock, directory, _ = forest
    dc = directory.controllers
    directory.plant("x", "old")
    directory.write(dc["A1"], "x", "first")
    clock.advance_to(START + timedelta(seconds=5))
    directory.write(dc["B1"], "x", "second")
    clock.advance_to(START + timedelta(hours=1))
    assert {directory.read(one, "x", str) for one in dc} == {"second"}


def test_a_dc_that_was_down_catches_up(forest: tuple[Scheduler, Directory, set[str]]) -> None:
    clock, directory, down = forest
    dc = directory.controllers
    down.add("B1")
    directory.write(dc["A1"], "x", "new")
    clock.advance_to(START + timedelta(hours=1))
    assert not directory.converged("x")
    assert directory.closest("South").name == "A1"
    down.clear()
    directory.catch_up()
    clock.advance_to(START + timedelta(hours=2))
    assert directory.read(dc["B1"], "x", str) == "new"


# -- files -------------------------------------------------------------------------------------------------------------


def test_a_file_is_created_once(lab: Callable[..., Lab]) -> None:
    files = lab().world.server("EX1").files
    files.make_folder("C:\\ProgramData\\starover\\receipts", owners=("NT AUTHORITY\\SYSTEM",))
    files.create_new("C:\\ProgramData\\starover\\receipts\\1.begin", b"once")
    with pytest.raises(WorldError) as refused:
        files.create_new("c:/programdata/STAROVER/receipts/.\\1.BEGIN", b"twice")
    assert refused.value.kind == "file_exists"
    assert files.read("c:\\programdata\\starover\\receipts\\1.begin") == b"once"
    assert [entry.name for entry in files.children("C:\\ProgramData\\starover")] == ["receipts"]


def test_what_files_refuse() -> None:
    files = FileStore(lambda: START)
    files.make_folder("C:\\a\\b")
    files.write("C:\\a\\f", b"1")
    for act, kind in (
        (lambda: files.write("C:\\none\\f", b""), "file_not_found"),
        (lambda: files.read("C:\\a\\g"), "file_not_found"),
        (lambda: files.read("C:\\a"), "is_directory"),
        (lambda: files.write("C:\\a\\b", b""), "is_directory"),
        (lambda: files.make_folder("C:\\a\\f"), "file_exists"),
        (lambda: files.children("C:\\a\\f"), "not_a_directory"),
        (lambda: files.remove("C:\\zzz"), "file_not_found"),
        (lambda: files.move("C:\\a\\f", "C:\\a\\b"), "file_exists"),
    ):
        with pytest.raises(WorldError) as refused:
            act()
        assert refused.value.kind == kind


def test_append_move_and_remove() -> None:
    files = FileStore(lambda: START)
    files.make_folder("C:\\a\\b")
    files.write("C:\\a\\b\\f", b"1")
    files.write("C:\\a\\b\\f", b"2", append=True)
    files.move("C:\\a\\b", "C:\\a\\c")
    assert files.read("C:\\A\\C\\F") == b"12"
    assert [entry.path for entry in files.children("C:\\a", deep=True)] == ["C:\\a\\c", "C:\\a\\c\\f"]
    files.remove("C:\\a\\c")
    assert not files.exists("C:\\a\\c\\f")
    assert files.exists("D:\\") or files.get("D:") is not None


def test_files_survive_a_reboot(lab: Callable[..., Lab]) -> None:
    one = lab()
    one.world.server("EX1").files.write("C:\\Temp\\x", b"kept")
    one.world.fault("host_off", "EX1", for_s=5)
    one.later(minutes=20)
    assert one.world.server("EX1").power == "on"
    assert one.world.server("EX1").files.read("C:\\Temp\\x") == b"kept"


# -- logs --------------------------------------------------------------------------------------------------------------


@given(
    peak=st.floats(0.1, 100),
    first=st.integers(0, 10**6),
    steps=st.lists(st.floats(1, 50_000), min_size=1, max_size=10),
)
def test_logs_only_grow_and_their_times_lead_back(peak: float, first: int, steps: list[float]) -> None:
    stream = LogStream(Rate(peak, busy_hour=14, quiet=0.2))
    stream.open("A", first, START)
    now, before = START, first
    for step in steps:
        now += timedelta(seconds=step)
        newest = stream.generated(now)
        most = peak * step / 60 + 1
        assert before <= newest <= before + most
        when = stream.time_of(newest)
        if newest > first:
            assert when is not None
            assert when <= now
            assert stream.generated(when + timedelta(seconds=1.1)) >= newest
        before = newest
    stream.close(now)
    assert stream.generated(now + timedelta(days=3)) == before


def test_the_night_is_quieter_than_the_busy_hour() -> None:
    rate = Rate(6, busy_hour=14, quiet=0.2)
    assert rate.per_minute(START) == pytest.approx(6)
    assert rate.per_minute(START + timedelta(hours=12)) == pytest.approx(1.2)
    assert rate.logs(START, START + timedelta(hours=1)) == pytest.approx(360, abs=5)
    assert rate.logs(START, START + timedelta(days=1)) == pytest.approx(3.6 * 1440)


# -- best copy ---------------------------------------------------------------------------------------------------------


def candidate(server: str, preference: int, **how: object) -> Candidate:
    facts: dict[str, object] = {"status": "Healthy", "ci": "Healthy", "copy_queue": 0, "replay_queue": 0, **how}
    return Candidate(server=server, preference=preference, **facts)  # type: ignore[arg-type]


def order(*candidates: Candidate, lossless: bool = False) -> list[str]:
    return [one.server for one in ranked(candidates, lossless=lossless)]


def test_the_copy_with_most_logs_is_tried_first() -> None:
    assert order(candidate("A", 1, copy_queue=3), candidate("B", 2), candidate("C", 3)) == ["B", "C", "A"]


def test_preference_leads_when_nothing_may_be_lost() -> None:
    copies = (candidate("A", 2), candidate("B", 1, copy_queue=5))
    assert order(*copies, lossless=True) == ["B", "A"]
    assert order(candidate("A", 2), candidate("B", 1, copy_queue=5, dial="Lossless")) == ["B", "A"]


def test_criteria_go_before_queues_and_obstacles_rule_out() -> None:
    assert order(
        candidate("A", 1, ci="Crawling"),
        candidate("B", 2, copy_queue=9, replay_queue=60),
        candidate("C", 3, copy_queue=8),
        candidate("D", 4, suspended=True),
        candidate("E", 5, status="Suspended"),
        candidate("F", 6, status="DisconnectedAndHealthy", copy_queue=20),
        candidate("G", 7, ci="Failed", replay_queue=90),
        candidate("H", 8, ci="NotApplicable"),
    ) == ["H", "C", "A", "F", "B", "G"]


# -- the rest ----------------------------------------------------------------------------------------------------------


def test_draws_depend_on_nothing_but_their_key() -> None:
    one, other = Dice(3), Dice(3)
    other.between(0, 1, "B", "x")
    first = [one.between(5, 6, "A", "x") for _ in range(3)]
    assert first == [other.between(5, 6, "a", "x") for _ in range(3)]
    assert len(set(first)) == 3
    assert all(5 <= value < 6 for value in first)
    assert Dice(4).between(5, 6, "A", "x") != first[0]


def test_broken_invariants_are_seen_once(lab: Callable[..., Lab]) -> None:
    world = lab().world
    database = world.database("DB01")
    database.copies["EX2"].preference = 1
    database.copies["EX2"].replayed += 50
    database.copies["EX3"].status = "Mounted"
    world.state.log.add("data_loss", "DB01", lost=4)
    world.state.log.add("nothing", "DB01")
    assert [(one["id"], one["subject"]) for one in world.violations()] == [
        ("I3", "DB01"),
        ("I1", "DB01"),
        ("I5", "DB01"),
        ("I4", "DB01\\EX2"),
    ]


def test_component_states_follow_their_requesters(lab: Callable[..., Lab]) -> None:
    world = lab().world

    def effective() -> dict[str, str]:
        return {component.name: state for component, state in world.components("EX1", "EX1")}

    assert {name for name, state in effective().items() if state != "Active"} == {
        "ForwardSyncDaemon",
        "ProvisioningRps",
    }
    world.set_component("EX1", "EX1", "hubtransport", "Draining", "Maintenance")
    world.set_component("EX1", "EX1", "HubTransport", "Inactive", "Functional")
    assert effective()["HubTransport"] == "Inactive"
    world.set_component("EX1", "EX1", "HubTransport", "Active", "Functional")
    assert effective()["HubTransport"] == "Draining"
    world.set_component("EX1", "EX1", "ServerWideOffline", "Inactive", "Maintenance")
    assert {name for name, state in effective().items() if state == "Active"} == {
        "Monitoring",
        "RecoveryActionsEnabled",
    }
    with pytest.raises(WorldError):
        world.set_component("EX1", "EX1", "Tracing", "Inactive", "Maintenance")
    with pytest.raises(WorldError):
        world.set_component("EX1", "EX1", "HubTransport", "Inactive", "Me")


def test_a_blocked_server_is_no_candidate(lab: Callable[..., Lab]) -> None:
    one = lab()
    one.world.set_activation("EX3", "EX1", policy="Blocked")
    one.world.fault("host_off", "EX1")
    one.later(minutes=3)
    assert one.world.database("DB01").active == "EX2"


def test_services_stop_and_start_in_their_time(lab: Callable[..., Lab]) -> None:
    one = lab()
    world = one.world
    until = world.stop_service("EX2", "Microsoft Exchange Replication")
    assert world.server("EX2").services["MSExchangeRepl"].status == "StopPending"
    one.later((until - world.now).total_seconds())
    assert world.server("EX2").services["msexchangerepl"].status == "Stopped"
    assert world.copy_view("DB01", "EX2", "EX1").status == "ServiceDown"
    assert "MSExchangeRepl" in world.pending_services("EX2")
    until = world.start_service("EX2", "MSExchangeRepl")
    one.later((until - world.now).total_seconds() + 60)
    assert world.copy_view("DB01", "EX2", "EX1").status == "Healthy"
    with pytest.raises(WorldError):
        world.start_service("EX2", "Spooler2")

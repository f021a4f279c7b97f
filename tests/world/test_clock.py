"""Simulated time: who runs when, and what makes the clock stand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starover_lab.world.clock import Scheduler, Task, TaskStopped

START = datetime(2026, 11, 20, 14, tzinfo=UTC)


@pytest.fixture
def clock() -> Scheduler:
    return Scheduler(START)


def sleeper(clock: Scheduler, log: list[tuple[float, str]], name: str, *waits: float) -> Callable[[], None]:
    def deep(n: int, seconds: float) -> None:
        if n:
            deep(n - 1, seconds)
        else:
            clock.wait(seconds)

    def body() -> None:
        log.append((passed(clock), name))
        for seconds in waits:
            deep(20, seconds)
            log.append((passed(clock), name))

    return body


def passed(clock: Scheduler) -> float:
    return (clock.now - START).total_seconds()


def test_two_scripts_side_by_side_take_as_long_as_one(clock: Scheduler) -> None:
    log: list[tuple[float, str]] = []
    for host in ("B", "A"):
        clock.spawn(host, sleeper(clock, log, host, 150))
    assert clock.pump() is False
    assert log == [(0, "A"), (0, "B"), (150, "A"), (150, "B")]


def test_the_same_host_keeps_its_order(clock: Scheduler) -> None:
    log: list[tuple[float, str]] = []
    for name in ("first", "second", "third"):
        clock.spawn("A", sleeper(clock, log, name))
    clock.pump()
    assert [name for _, name in log] == ["first", "second", "third"]


@pytest.mark.parametrize("arrival", [("A", "B"), ("B", "A")])
def test_an_announced_batch_starts_when_complete_in_an_order_of_its_own(
    clock: Scheduler, arrival: tuple[str, str]
) -> None:
    log: list[tuple[float, str]] = []
    clock.expect(2)
    clock.spawn(arrival[0], sleeper(clock, log, arrival[0], 5))
    assert clock.pump() is True
    assert log == []
    assert "1 announced" in clock.stands_for
    clock.spawn(arrival[1], sleeper(clock, log, arrival[1], 7))
    assert clock.pump() is False
    assert log == [(0, "A"), (0, "B"), *sorted([(5.0, arrival[0]), (7.0, arrival[1])])]


@given(st.data())
def test_no_order_of_arrival_changes_the_story(data: st.DataObject) -> None:
    scripts = data.draw(
        st.lists(
            st.tuples(st.sampled_from("ABC"), st.lists(st.sampled_from([0.5, 1, 2, 2.5]), max_size=4)),
            min_size=1,
            max_size=6,
            unique_by=lambda script: script[0],  # one pool for each host: its own scripts come in order
        )
    )

    def story(order: list[tuple[str, list[float]]]) -> list[tuple[float, str]]:
        clock = Scheduler(START)
        log: list[tuple[float, str]] = []
        clock.expect(len(order))
        for host, waits in order:
            clock.spawn(host, sleeper(clock, log, host, *waits))
            clock.pump()
        assert clock.in_flight == 0
        return log

    assert story(scripts) == story(data.draw(st.permutations(scripts)))


def test_a_silent_host_does_not_freeze_time_and_counts_once(clock: Scheduler) -> None:
    log: list[tuple[float, str]] = []
    clock.expect(3)
    clock.spawn("A", sleeper(clock, log, "A", 1))
    clock.absent("B")
    clock.absent("B")
    assert clock.pump() is True
    assert log == []
    clock.withdraw()
    assert clock.pump() is False
    assert log[-1] == (1, "A")


def test_a_client_that_is_gone_is_not_waited_for(clock: Scheduler) -> None:
    log: list[tuple[float, str]] = []
    clock.expect(5)
    clock.spawn("A", sleeper(clock, log, "A", 1))
    clock.dismiss()
    assert clock.pump() is False
    assert log[-1] == (1, "A")


def test_one_of_several_clients_is_gone_and_owes_no_word_for_what_is_under_way(clock: Scheduler) -> None:
    log: list[tuple[float, str]] = []
    answered: list[Task] = []
    for host, seconds in (("A", 0), ("B", 5), ("C", 9)):
        clock.expect(1, answers=True)
        clock.spawn(host, sleeper(clock, log, host, seconds), answered.append)
    assert clock.pump() is True
    assert passed(clock) == 0
    clock.release()
    assert clock.pump() is False
    assert [task.host for task in answered] == ["A", "B", "C"]
    assert passed(clock) == 9


def test_opening_a_session_may_wait_before_the_announced_script_comes(clock: Scheduler) -> None:
    log: list[tuple[float, str]] = []
    clock.expect(1)
    opened: list[Task] = []
    clock.spawn("A", sleeper(clock, log, "open", 3), opened.append, preliminary=True)
    assert clock.pump() is True
    assert log == [(0, "open"), (3, "open")]
    assert passed(clock) == 3
    clock.spawn("A", sleeper(clock, log, "script", 2))
    assert clock.pump() is False
    assert log[-1] == (5, "script")


def test_the_successor_of_a_quick_script_starts_when_the_quick_one_ended(clock: Scheduler) -> None:
    log: list[tuple[float, str]] = []
    answered: list[Task] = []
    clock.expect(2, answers=True)
    clock.spawn("A", sleeper(clock, log, "quick", 1), answered.append)
    clock.spawn("B", sleeper(clock, log, "slow", 100), answered.append)
    assert clock.pump() is True
    assert [task.host for task in answered] == ["A"]
    assert passed(clock) == 1
    clock.expect(1, answers=True)
    clock.spawn("A", sleeper(clock, log, "next", 1), answered.append)
    clock.pump()
    assert log[-1] == (2, "next")
    clock.expect(0)
    clock.pump()
    assert log[-1] == (100, "slow")


def test_a_hold_ends_at_its_time_and_timers_fire_on_the_way(clock: Scheduler) -> None:
    log: list[str] = []
    clock.at(START + timedelta(hours=1), lambda: log.append("timer"))
    clock.at(START + timedelta(hours=7), lambda: log.append("late timer"))
    assert clock.pump() is False
    assert log == []
    clock.hold_until(START + timedelta(hours=6), lambda: log.append("hold"))
    clock.pump()
    assert log == ["timer", "hold"]
    assert passed(clock) == 6 * 3600


def test_a_forgotten_hold_and_a_cancelled_timer_do_nothing(clock: Scheduler) -> None:
    log: list[str] = []
    forget = clock.hold_until(START + timedelta(hours=6), lambda: log.append("hold"))
    timer = clock.after(5, lambda: log.append("timer"))
    forget()
    timer.cancel()
    assert clock.pump() is False
    assert clock.next_time() is None
    assert (log, clock.now) == ([], START)


def test_time_runs_from_outside(clock: Scheduler) -> None:
    log: list[tuple[float, str]] = []
    clock.jump = False
    clock.spawn("A", sleeper(clock, log, "A", 10))
    assert clock.pump() is True
    assert clock.advance_to(START + timedelta(seconds=4)) is True
    assert log == [(0, "A")]
    clock.advance_to(START + timedelta(seconds=60))
    assert log == [(0, "A"), (10, "A")]
    assert passed(clock) == 60


def test_stop_raises_at_the_wait_and_at_once(clock: Scheduler) -> None:
    log: list[str] = []

    def body() -> None:
        try:
            clock.wait(100)
        finally:
            log.append(f"cleaned at {passed(clock):g}")

    ended: list[Task] = []
    task = clock.spawn("A", body, ended.append)
    clock.spawn("B", lambda: (clock.wait(5), task.stop())[0])
    clock.pump()
    assert log == ["cleaned at 5"]
    assert isinstance(ended[0].error, TaskStopped)


def test_stop_before_the_beginning_runs_nothing(clock: Scheduler) -> None:
    log: list[tuple[float, str]] = []
    ended: list[Task] = []
    clock.expect(2)
    clock.spawn("A", sleeper(clock, log, "A", 1), ended.append).stop(KeyError("mine"))
    clock.pump()
    assert log == []
    assert isinstance(ended[0].error, KeyError)


def test_an_error_reaches_done_or_the_caller(clock: Scheduler) -> None:
    def body() -> None:
        clock.wait(1)
        raise ValueError("boom")

    ended: list[Task] = []
    clock.spawn("A", body, ended.append)
    clock.pump()
    assert str(ended[0].error) == "boom"
    clock.spawn("A", body)
    with pytest.raises(ValueError, match="boom"):
        clock.pump()
    assert clock.in_flight == 0


def test_waiting_outside_a_script_is_a_mistake(clock: Scheduler) -> None:
    with pytest.raises(RuntimeError, match="spawn"):
        clock.wait(1)


def test_run_is_a_script_of_its_own(clock: Scheduler) -> None:
    clock.run("A", lambda: clock.wait(3))
    assert passed(clock) == 3
    with pytest.raises(ZeroDivisionError):
        clock.run("A", lambda: clock.wait(1 // 0))

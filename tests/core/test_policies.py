"""The pure decisions: what follows an error, how a wait goes on, what must hold before a change, errors as data."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starover import errors
from starover.errors import ErrorRecord, Fault, StaroverError, exit_code
from starover.retry import Again, GiveUp, Probe, decide, decide_failed, decide_probe
from starover.settling import Holds, Over, Settling, Wait
from starover.step import Blocked, Left, Settle, Verdict

T0 = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)


def every_error(kind: type[StaroverError] = StaroverError) -> list[type[StaroverError]]:
    return [kind, *(found for child in kind.__subclasses__() for found in every_error(child))]


IN_TREE = [kind for kind in every_error() if kind.__module__ == "starover.errors"]


@pytest.mark.parametrize("kind", IN_TREE)
@pytest.mark.parametrize("attempt", [1, 2, 3, 9])
def test_a_write_is_tried_again_only_when_nothing_was_sent_for_sure(kind: type[StaroverError], attempt: int) -> None:
    decision = decide(kind("x"), mutates=True, attempt=attempt)
    if issubclass(kind, errors.OutcomeUnknown | errors.RemoteFailure):
        assert isinstance(decision, Probe)
    elif issubclass(kind, errors.Throttled) and attempt <= 3:
        assert isinstance(decision, Again)
    else:
        assert isinstance(decision, GiveUp)


@pytest.mark.parametrize("kind", IN_TREE)
def test_nothing_is_tried_for_ever(kind: type[StaroverError]) -> None:
    assert isinstance(decide(kind("x"), mutates=False, attempt=9), GiveUp)
    assert isinstance(decide_probe(kind("x"), attempt=9), GiveUp)
    if issubclass(kind, errors.AuthFailed):  # accounts lock
        assert isinstance(decide(kind("x"), mutates=False, attempt=1), GiveUp)
        assert isinstance(decide_probe(kind("x"), attempt=1), GiveUp)


def test_patience_is_as_long_as_was_asked_for() -> None:
    assert decide(errors.Throttled("x", after=42.0), mutates=True, attempt=1) == Again(42.0)
    waits = [decide(errors.Throttled("x"), mutates=False, attempt=attempt) for attempt in (1, 2, 3)]
    assert waits == [Again(5.0), Again(20.0), Again(60.0)]


@pytest.mark.parametrize(
    ("record", "passes"),
    [
        (ErrorRecord(message="Der RPC-Server ist nicht verfügbar. (0x800706BA)"), True),
        (ErrorRecord(message="The RPC server is unavailable."), True),
        (ErrorRecord(message="x", type="Microsoft.Exchange.SeedInProgressException"), True),
        (ErrorRecord(message="x", fqid="[Server=EX1],0x8007203A,Cmdlet"), True),
        (ErrorRecord(message="Access is denied. (0x80070005)"), False),
        (ErrorRecord(message="it passes by itself, in an hour", type="AmDbMoveMoveSuppressedException"), False),
        (ErrorRecord(message="never seen before"), False),
    ],
)
def test_a_write_that_failed_is_tried_again_when_that_passes_soon(record: ErrorRecord, passes: bool) -> None:
    waits = [decide_failed((record,), attempt=attempt) for attempt in (1, 2, 3, 4)]
    assert waits == ([Again(5.0), Again(20.0), Again(60.0), GiveUp()] if passes else [GiveUp()] * 4)


def test_a_quota_gives_the_other_side_its_time() -> None:
    record = ErrorRecord(message="maximum number of concurrent shells", category="QuotaExceeded")
    assert decide_failed((record,), attempt=1) == Again(60.0)


# -- waiting -----------------------------------------------------------------------------------------------------------


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def settling(**settle: Any) -> Settling:
    return Settling(Settle(**{"every": 10, "limit": 100, **settle}), "the lamp", T0)


def test_each_phase_has_a_pace_of_its_own_and_only_a_standstill_over_all_of_them_is_a_stall() -> None:
    one = settling(limit=10_000, stall=100)

    def saw(seconds: float, amount: int, phase: str, after: int = 0) -> Any:
        left = Left(amount=amount, phase=phase, after=after)
        return one.saw(at(seconds), Verdict(done=False, left=left.total, shown=left))

    assert saw(0, 600, "seeding", 10_000).eta is None
    assert saw(10, 300, "seeding", 10_000).eta == pytest.approx(10)
    assert saw(90, 2000, "copying logs").eta is None, "what copying takes cannot be known from seeding"
    assert saw(100, 1900, "copying logs").eta == pytest.approx(190)
    assert isinstance(saw(205, 1900, "copying logs"), Over)


def test_a_wait_ends_when_it_holds_when_it_is_hopeless_and_when_time_is_over() -> None:
    assert settling().saw(at(0), Verdict(done=True)) == Holds()
    over = settling().saw(at(0), Verdict(done=False, blocked=Blocked("it broke", next=("mend it",))))
    assert isinstance(over, Over)
    assert over.blocked == "it broke"
    assert over.error.next == ("mend it",)
    assert isinstance(settling().saw(at(99), Verdict(done=False)), Wait)
    late = settling().saw(at(100), Verdict(done=False, left=7))
    assert isinstance(late, Over)
    assert "7 left" in late.error.what


def test_the_last_reading_is_at_the_limit() -> None:
    next_ = settling(every=30).saw(at(90), Verdict(done=False))
    assert next_ == Wait(at(100))


def test_a_host_that_restarts_is_waited_out_and_a_wrong_password_is_not() -> None:
    assert isinstance(settling().saw(at(50), errors.ConnectFailed("x")), Wait)
    assert isinstance(settling().saw(at(50), errors.CmdletFailed("x")), Wait)
    for hopeless in (
        errors.AuthFailed("x"),
        errors.BadReport("x"),
        errors.OutputTruncated("x"),
        errors.BadTemplate("x"),
    ):
        assert settling().saw(at(0), hopeless) == Over(hopeless)
    quiet = errors.ConnectFailed("x")
    assert settling().saw(at(100), quiet) == Over(quiet)


def test_standing_still_is_no_progress() -> None:
    wait = settling(stall=25, limit=1000)
    lefts = [(0, 50), (10, 40), (20, 40), (30, 45)]
    assert all(isinstance(wait.saw(at(seconds), Verdict(done=False, left=left)), Wait) for seconds, left in lefts)
    over = wait.saw(at(35), Verdict(done=False, left=41))
    assert isinstance(over, Over)
    assert "no progress for 25 s" in over.error.what


@given(pace=st.integers(1, 50), start=st.integers(100, 10_000), readings=st.integers(1, 20))
def test_the_estimate_is_right_for_a_steady_pace(pace: int, start: int, readings: int) -> None:
    wait = settling(limit=100_000)
    left = start
    next_: Any = wait.saw(at(0), Verdict(done=False, left=left))
    assert next_.eta is None
    for reading in range(1, readings + 1):
        left = start - pace * reading
        if left <= 0:
            return
        next_ = wait.saw(at(10 * reading), Verdict(done=False, left=left))
    assert next_.eta == pytest.approx(left / pace * 10)


# -- errors as data ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", IN_TREE)
def test_an_error_survives_its_journal(kind: type[StaroverError]) -> None:
    error: StaroverError
    if issubclass(kind, errors.Throttled):
        error = kind("what", after=3.5, host="EX1", next=("a",))
    elif issubclass(kind, errors.RemoteFailure):
        record = ErrorRecord(message="m", fqid="f", line=3)
        error = kind("what", records=(record,), certain=("c",), uncertain=("u",), next=("n",), host="EX1")
    else:
        error = kind("what", certain=("c",), uncertain=("u",), next=("n",), host="EX1")
    fault = msgspec.json.decode(msgspec.json.encode(Fault.of(error)), type=Fault)
    back = fault.raised()
    assert type(back) is kind
    assert Fault.of(back) == Fault.of(error)


def test_an_error_of_a_later_version_is_still_an_error() -> None:
    assert type(Fault(error="Novel", what="x").raised()) is StaroverError


def test_of_several_codes_the_gravest_counts() -> None:
    assert exit_code([]) == 0
    assert exit_code([1, 4, 0]) == 4
    assert exit_code([4, 6, 1]) == 6
    assert exit_code([6, 5, 4]) == 5
    assert exit_code([4, 75]) == 75
    assert exit_code([75, 5, 2]) == 5

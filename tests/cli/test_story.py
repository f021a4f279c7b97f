"""Events become lines and a block; silence becomes a heartbeat."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from starover_cli.progress import HEARTBEAT, Quiet
from starover_cli.views.story import Story, progress_text

from starover import events
from starover.errors import Fault
from starover.events import Event, Told

START = datetime(2026, 11, 20, 14, 0, 31, tzinfo=UTC)


class Teller:
    """Gives events to a story, each some seconds after the one before."""

    def __init__(self) -> None:
        self.story = Story(simulated=True)
        self.at = START

    def say(self, event: Event, after: float = 0.0) -> list[str]:
        self.at += timedelta(seconds=after)
        return self.story.take(Told(at=self.at, run="4c1e77b0.1", event=event))


@pytest.fixture
def teller() -> Teller:
    return Teller()


def began(step: int = 1, what: str = "DB1/EX2") -> events.StepBegan:
    return events.StepBegan(
        step=step,
        position=(step,),
        host="EX2",
        kind="suspended",
        title="A copy that no longer replicates",
        risk="L",
        what=what,
        now="Healthy",
        wanted="Suspended",
        operation="6f2c",
        sha256="5be0",
    )


def ended(state: str = "changed", step: int = 1, **more: object) -> events.StepEnded:
    return events.StepEnded(
        step=step,
        position=(step,),
        host="EX2",
        kind="suspended",
        title="A copy that no longer replicates",
        state=state,  # type: ignore[arg-type]
        what="DB1/EX2",
        now="Healthy",
        wanted="Suspended",
        **more,  # type: ignore[arg-type]
    )


def test_a_step_is_told_when_it_begins_and_when_it_ends(teller: Teller) -> None:
    (first,) = teller.say(began())
    assert first.split() == ["1", ">", "DB1/EX2", "Healthy", "->", "Suspended", "on", "EX2", "14:00:31"]
    (last,) = teller.say(ended(), after=0.2)
    assert last.split() == ["1", "ok", "DB1/EX2", "Suspended", "0.2", "s"]


@pytest.mark.parametrize(
    ("state", "mark"),
    [("right", "="), ("changed", "ok"), ("failed", "!"), ("refused", "!"), ("not-verified", "!"), ("unknown", "?")],
)
def test_every_end_has_its_mark(teller: Teller, state: str, mark: str) -> None:
    teller.say(began())
    fault = None if mark in ("=", "ok") else Fault(error="TimedOut", what="no answer in 300 s")
    line, *why = teller.say(ended(state, fault=fault))
    assert line.split()[1] == mark
    assert [text.strip() for text in why] == ([fault.what] if fault else [])


def test_a_lost_answer_says_that_nothing_is_sent_again(teller: Teller) -> None:
    teller.say(began())
    fault = Fault(error="ReplyLost", what="connection reset 3.1 s after sending")
    text = " ".join(teller.say(events.StepUnsure(step=1, host="EX2", operation="6f2c", fault=fault)))
    assert "connection reset" in text
    assert "Not sending again" in text
    assert "?" in text
    assert "looking at what was done" in teller.story.block(teller.at, 100)[0]


def test_hosts_are_named_once_and_the_late_ones_as_late(teller: Teller) -> None:
    assert teller.say(events.Asked(hosts=("EX1", "EX2"))) == ["asking 2 hosts: EX1, EX2"]
    assert teller.say(events.Answered(host="EX1", seconds=0.3)) == []
    fault = Fault(error="ConnectFailed", what="no answer")
    (late,) = teller.say(events.Answered(host="EX2", seconds=8.0, fault=fault))
    assert "EX2: no answer (8.0 s)" in late
    assert teller.say(events.Asked(hosts=("EX1", "EX2"))) == []
    assert teller.say(events.Answered(host="EX2", seconds=8.0, fault=fault)) == []


def test_the_block_never_grows_beyond_its_height(teller: Teller) -> None:
    for number in range(1, 31):
        teller.say(began(number, f"DB{number}/EX2"))
        if number < 29:
            teller.say(ended(step=number))
    block = teller.story.block(teller.at, 100)
    assert len(block) <= 12
    assert "DB29" in block[-2]
    assert "DB30" in block[-1]
    assert "above" in block[0]


def test_a_heartbeat_says_what_is_waited_for_and_how_long_it_takes(teller: Teller) -> None:
    teller.say(began(4, "DB2/EX2"))
    teller.say(events.WaitBegan(host="EX2", what="DB2/EX2", limit=1800, step=4))
    teller.say(events.Progress(host="EX2", what="DB2/EX2", step=4, seconds=90, left=19, eta=300))
    beat = teller.story.heartbeat()
    assert "step 4 DB2/EX2" in beat
    assert "19 left" in beat
    assert "5m 00s" in beat
    teller.say(ended(step=4))
    assert teller.story.heartbeat() == ""


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (
            {"phase": "seeding", "unit": "MB", "whole": 61440, "left": 19456, "eta": 324.0},
            "seeding 41 of 60 GB, 68%, 60 MB/s, about 5m 24s left",
        ),
        ({"phase": "seeding", "unit": "MB", "whole": 900, "left": 450}, "seeding 450 of 900 MB, 50%, for 1m 30s"),
        ({"phase": "copying logs", "unit": "logs", "left": 212, "eta": 10.6}, "20 logs/s, about 11 s left"),
        ({"unit": "messages", "left": 7, "eta": 420.0}, "7 messages left, 1.0 messages/min, about 7m 00s left"),
        ({"left": 2**31}, "waiting 1m 30s"),
        ({"phase": "seeding", "left": 2**31 + 5, "whole": 60}, "seeding 1m 30s"),
        ({}, "waiting 1m 30s"),
        ({"unit": "MB", "whole": 100, "left": 1}, "99%"),
        ({"unit": "MB", "whole": 100, "left": 120}, "0 of 100 MB, 0%"),
    ],
)
def test_progress_says_what_is_known_and_nothing_else(seen: dict[str, object], said: str) -> None:
    event = events.Progress(host="EX2", what="DB2/EX2", seconds=90, **seen)  # type: ignore[arg-type]
    assert said in progress_text(event)


def test_a_wait_of_the_runbook_itself_is_told_and_beaten(teller: Teller) -> None:
    teller.say(events.WaitBegan(host="EX3", what="DB01/EX3 Healthy", limit=1800))
    teller.say(events.Progress(host="EX3", what="DB01/EX3 Healthy", seconds=45, left=120))
    assert "DB01/EX3 Healthy" in teller.story.heartbeat()
    assert "120 left" in teller.story.block(teller.at, 100)[-1]
    (line,) = teller.say(events.WaitEnded(host="EX3", what="DB01/EX3 Healthy", state="held"))
    assert "holds" in line
    assert teller.story.heartbeat() == ""


def test_a_heartbeat_is_due_after_thirty_seconds_of_silence_only() -> None:
    quiet = Quiet(100.0)
    assert not quiet.due(100.0 + HEARTBEAT - 0.1)
    quiet.heard(120.0)
    assert not quiet.due(140.0)
    assert quiet.due(150.0)
    assert not quiet.due(151.0)
    assert quiet.due(180.0)


def test_what_powershell_warned_of_stands_below_the_step(teller: Teller) -> None:
    teller.say(began())
    said = teller.say(ended(warnings=("Please restart MSExchangeIS on EX2.",)), after=1)
    assert said[1:] == ["         warning: Please restart MSExchangeIS on EX2."]
    assert teller.story.rows[1].warnings == ("Please restart MSExchangeIS on EX2.",)

"""What stood before a step that an earlier leg sent: what was read for that sending."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from starover.drivers.past import earlier_prev
from starover.events import StepBegan
from starover.journal import Body, Entry, Recorded, Sent

AT = datetime(2026, 11, 20, tzinfo=UTC)


def _begun(number: int, operation: str, prev: bytes) -> Recorded:
    event = StepBegan(
        step=1,
        position=(1,),
        host="EX1",
        kind="copy_added",
        title="A copy",
        risk="DATA",
        what="DB1/EX1",
        now="none",
        wanted="there",
        operation=operation,
        sha256="",
        prev=msgspec.Raw(prev),
    )
    return Recorded(number=number, digest="", event=event)


def _sent(number: int, operation: str) -> Sent:
    return Sent(number=number, digest="", what="write", host="EX1", script="", sha256="", operation=operation)


def test_a_leg_that_began_a_step_and_was_refused_does_not_say_what_was_before_it() -> None:
    bodies: list[Body] = [
        _begun(10, "one", b"1"),  # refused: nothing was sent
        _begun(10, "one", b"2"),
        _begun(11, "two", b"7"),
        _sent(12, "one"),
        _begun(10, "one", b"3"),  # a later leg, which keeps to what was before
        _sent(12, "one"),
    ]
    entries = [Entry(n=number, at=AT, before="", body=body) for number, body in enumerate(bodies)]
    assert earlier_prev(entries, {"one": False, "two": False}) == {"one": b"2"}

"""Copies of the record on their way out: behind the result of a run, or when somebody asks; decides nothing."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from starover_cli.views.text import plural

if TYPE_CHECKING:
    from starover.sinks import Copies
    from starover_cli.room import Room

__all__ = ["copies_go_out", "hand_over", "line_of"]

GRACE = 5.0
"""Seconds that the end of a run waits for its copies; what is not out by then goes out the next time."""
CALL_SECONDS = 10.0


def hand_over(room: Room, seconds: float) -> list[Copies]:
    """Hand over what is due to every sink of the inventory; nothing without one."""
    from starover.sinks import ship, sinks_of

    sinks = sinks_of(room.estate)
    if not sinks:
        return []
    from starover.transport.aws import calling

    call = calling(room.parts.aws(room.estate, room.file), min(CALL_SECONDS, seconds))
    return ship(room.settings.state, sinks, call, lambda: datetime.now(UTC), seconds=seconds)


@contextmanager
def copies_go_out(room: Room) -> Generator[None]:
    """While the result of a run is shown, its copies go out; the end waits a few seconds for them, and no longer.

    Whatever goes wrong is said in one line: the run is over, and nothing of it depends on a copy.
    """
    if not (room.estate.audit.log_group or room.estate.audit.bucket):
        yield
        return
    told: list[Copies] = []
    failed: list[str] = []

    def work() -> None:
        try:
            told.extend(hand_over(room, GRACE))
        except Exception as error:  # a copy must not end a command
            failed.append(f"{type(error).__name__}: {error}")

    thread = threading.Thread(target=work, name="copies", daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join(GRACE)
        console = room.settings.console
        late = [f"copies of the record are still on their way after {GRACE:g} s"] if thread.is_alive() else []
        for one in [*failed, *late]:
            console.note(f"! {one}; nothing is lost: starover audit ship")
        for copies in [] if late else told:
            if copies.error or copies.altered:
                console.note(f"! {line_of(copies)}; nothing is lost: starover audit ship")


def line_of(copies: Copies) -> str:
    """What became of the copies for one sink, in one line."""
    done = f"{plural(copies.records, 'record')} of {plural(len(copies.runs), 'run')} handed over"
    wrong = [f"{plural(copies.left, 'record')} not yet: {copies.error}"] if copies.error else []
    wrong += [f"{run} is not any more what was handed over" for run in copies.altered]
    return f"{copies.sink}: " + "; ".join([*([done] if copies.records or not wrong else []), *wrong])

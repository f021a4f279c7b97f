"""A run at the server, watched until it ends: what it tells, and when somebody is to be asked. Decides nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from starover.errors import ConnectFailed, StaroverError
from starover.events import StepEnded, Told
from starover_cli.progress import Quiet
from starover_cli.views import json as machine
from starover_cli.views.story import Story

if TYPE_CHECKING:
    from starover.drivers.temporal import Client, Ended, Handle, Standing
    from starover.effects import Approval
    from starover_cli.settings import Settings

__all__ = ["Lines", "follow", "why_silent"]

PERIOD = 1.0
"""Seconds between two looks at a run."""


class Lines:
    """What is told of runs, as lines: for a person on stderr, for a machine as JSON on stdout; a sink."""

    def __init__(self, settings: Settings, *, simulated: bool, named: bool = False) -> None:
        """`named`: several runs are told of, so that each line begins with its run."""
        self._settings = settings
        self._simulated = simulated
        self._named = named
        self._quiet = Quiet(time.monotonic())
        self._stories: dict[str, Story] = {}

    def story(self, run: str) -> Story:
        """What is known of a run."""
        return self._stories.setdefault(run, Story(simulated=self._simulated))

    def tell(self, told: Told, /) -> None:
        """Take one event."""
        lines = self.story(told.run).take(told)
        if self._settings.json:
            self._settings.console.raw(machine.line(told))
        elif lines:
            name = f"{told.run}  " if self._named else ""
            self._settings.console.note("\n".join(f"{name}{line}" for line in lines))
        if lines or self._settings.json:
            self._quiet.heard(time.monotonic())

    def under_way(self) -> str:
        """What is waited for in all runs, in a line; `waits for work` where nothing is under way."""
        found = [
            f"{run} {story.heartbeat().strip().removeprefix('still: ')}".strip()
            for run, story in list(self._stories.items())
            if story.ended is None
        ]
        return "; ".join(found) or "waits for work"

    def say(self, text: str) -> None:
        """A line of our own."""
        self._settings.console.note(f"     {text}")
        self._quiet.heard(time.monotonic())

    def beat(self, text: str) -> None:
        """That it still goes on, where nothing was said for long."""
        if not self._quiet.due(time.monotonic()):
            return
        if self._settings.json:
            self._settings.console.raw(machine.line({"heartbeat": text}))
        else:
            self._settings.console.note(f"     still: {text}")


async def follow(client: Client, handle: Handle, lines: Lines, asked: Callable[[Standing], Approval | None]) -> Ended:
    """Tell of every step until the run has ended.

    `asked` is called once when it waits for an approval: None leaves it waiting, and somebody else gives it. A server
    that is gone for a while is waited for. Raises what ended the run without a result, and what `asked` raises.
    """
    from starover.drivers.temporal import approve, ended, standing

    over = asyncio.ensure_future(ended(client, handle))
    known: set[tuple[object, ...]] = set()
    said = ""
    taken = heard = False
    try:
        while not over.done():
            await asyncio.wait({over}, timeout=PERIOD)
            if over.done():
                break
            try:
                now = await standing(client, handle)
            except StaroverError as error:
                word = why_silent(error, taken=taken)
                if word != said:
                    lines.say(word)
                lines.beat(word)
                said = word
                continue
            said, taken = "", True
            _tell(lines, now.run, now.ended, known)
            lines.beat("; ".join(now.under_way[:3]) or now.state)
            if now.state == "waits for approval" and now.plan is not None and not heard:
                heard = True
                approval = asked(now)
                if approval is not None:
                    await approve(client, handle, approval)
                else:
                    lines.say(f"waits for approval{f' until {now.until:%H:%M} UTC' if now.until else ''}")
        result = await over
    finally:
        over.cancel()
    _tell(lines, result.run, result.steps, known)
    return result


def why_silent(error: StaroverError, *, taken: bool) -> str:
    """Why nobody says where the run is; `taken`: a worker has said so before."""
    from starover.drivers.temporal.client import NoWorker

    if isinstance(error, ConnectFailed):
        return "the Temporal server does not answer; the run goes on when it is back, and this waits for it"
    worker = "(starover worker, on a machine that reaches the hosts)"
    if not isinstance(error, NoWorker):
        return f"{error.what}; this waits"
    if not taken:
        return f"no worker has taken it yet {worker}; this waits"
    return f"no worker answers for it now; the run goes on when one is up {worker}, and this waits for it"


def _tell(lines: Lines, run: str, steps: Sequence[StepEnded], known: set[tuple[object, ...]]) -> None:
    for one in steps:
        key = (run, one.position, one.state, one.now, one.wanted)
        if key not in known:
            known.add(key)
            lines.tell(Told(at=datetime.now(UTC), run=run, event=one))

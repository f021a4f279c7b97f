"""`watch`: the map, live on a terminal; elsewhere one line for each change, and a heartbeat. Changes nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from starover.errors import BadParameter, Mistake
from starover_cli.cmd_look import read_facts
from starover_cli.look import dag_map
from starover_cli.paint import paint
from starover_cli.progress import HEARTBEAT, Quiet
from starover_cli.report import heading
from starover_cli.room import Room
from starover_cli.settings import Settings, common, settings_of
from starover_cli.views import json as machine
from starover_cli.views.text import printable

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

    from starover_cli.views.dag_map import DagMap

__all__ = ["COMMANDS"]

PACE = 1.0
"""Seconds of real time between two looks on a terminal, so that an eye can follow a lab whose time is simulated."""
INTERRUPTED = 130


@click.command()
@click.option("--every", metavar="DURATION", default="10s", help="From one look to the next; default: 10s.")
@click.option("--until", type=click.Choice(["healthy"]), default=None, help="End, with 0, as soon as that is so.")
@common()
@click.pass_context
def watch(ctx: click.Context, every: str, until: str | None) -> int:
    """The map, live. Ctrl-C ends it; with --until it ends by itself."""
    settings = settings_of(ctx)
    seconds = _seconds(every)
    with Room(settings, settings.parts) as room, heading(room):
        if room.dag is None:
            raise Mistake(
                f"the inventory of {room.estate.name} has no DAG to watch.", next=["starover inventory check"]
            )
        with _screen(live=_is_live(settings)) as live:
            try:
                Watching(room, settings, seconds, live).go(until_healthy=until is not None)
            except KeyboardInterrupt:
                return INTERRUPTED if until else 0
    return 0


class Watching:
    """Look, tell what changed, wait; again and again."""

    def __init__(self, room: Room, settings: Settings, every: float, live: Live | None) -> None:
        self._room = room
        self._settings = settings
        self._every = every
        self._live = live
        self._latest: list[str] = []
        self._quiet: Quiet | None = None

    def go(self, *, until_healthy: bool) -> None:
        """Until it is healthy, nobody reads any more, or for ever."""
        from starover_cli.views.watch import is_healthy

        before: DagMap | None = None
        while True:
            drawn = self._look(first=before is None)
            self._tell(before, drawn)
            if (until_healthy and is_healthy(drawn)) or self._settings.console.deaf:
                return
            before = drawn
            if self._live is not None:
                threading.Event().wait(PACE)
            self._room.clock.wait_until(self._room.clock.now() + timedelta(seconds=self._every))

    def _look(self, *, first: bool) -> DagMap:
        room, dag = self._room, self._room.dag
        assert dag is not None
        return dag_map(read_facts(room, self._settings, told=first), room.estate, dag, room.clock.now())

    def _tell(self, before: DagMap | None, drawn: DagMap) -> None:
        from starover_cli.views.watch import change_lines, changes, heartbeat, screen

        console = self._settings.console
        found = changes(before, drawn)
        self._latest += change_lines(drawn, found, console.width)
        now = time.monotonic()
        self._quiet = self._quiet or Quiet(now, HEARTBEAT)
        if self._live is not None:
            self._live.update(_rich(screen(drawn, self._latest, console.width)), refresh=True)
        elif self._settings.json:
            if before is None or found:
                console.raw(machine.line({"at": drawn.where.at, "changes": found, "map": drawn}))
        elif before is None:
            console.result(screen(drawn, [], console.width) + "\n")
        elif found:
            console.result("\n".join(change_lines(drawn, found, console.width)))
            self._quiet.heard(now)
        elif self._quiet.due(now):
            console.result(heartbeat(drawn))


def _seconds(text: str) -> float:
    from starover.parameters import duration

    try:
        seconds = duration(text).total_seconds()
    except ValueError as error:
        raise BadParameter(f"--every {text}: {error}", certain=["nothing was contacted."]) from None
    if seconds < 1:
        raise BadParameter(f"--every {text}: at least a second", certain=["nothing was contacted."])
    return seconds


def _is_live(settings: Settings) -> bool:
    return settings.console.draws and not settings.json


@contextmanager
def _screen(*, live: bool) -> Generator[Live | None]:
    """The part of the terminal that redraws itself; None where lines are printed instead."""
    if not live:
        yield None
        return
    from rich.console import Console as RichConsole
    from rich.live import Live as RichLive

    with RichLive(console=RichConsole(highlight=False), auto_refresh=False, vertical_overflow="visible") as shown:
        yield shown


def _rich(text: str) -> Text:
    from rich.text import Text as RichText

    return RichText.from_ansi(paint(printable(text)))


COMMANDS = (watch,)

"""Telling a person, while it happens, what a run does: a live block on a terminal, lines elsewhere. Decides nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self

from starover.events import Told
from starover_cli.paint import paint
from starover_cli.views import json as machine
from starover_cli.views.story import Story
from starover_cli.views.text import printable

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

    from starover_cli.console import Console

__all__ = ["HEARTBEAT", "Quiet", "Teller"]

HEARTBEAT = 30.0
"""Seconds of silence after which a reader of lines is told that it still goes on."""


class Quiet:
    """Knows when the silence has lasted long enough for a heartbeat; `now` is any clock's seconds."""

    def __init__(self, now: float, period: float = HEARTBEAT) -> None:
        self.period = period
        self._last = now

    def heard(self, now: float) -> None:
        """Something was said."""
        self._last = now

    def due(self, now: float) -> bool:
        """Whether a heartbeat is due; if so the silence begins anew."""
        if now - self._last < self.period:
            return False
        self._last = now
        return True


class Teller:
    """A sink that shows a run on stderr, or as JSON lines on stdout. A context: the block is there while it is open."""

    def __init__(
        self,
        console: Console,
        *,
        simulated: bool,
        json: bool,
        eager: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.story = Story(simulated=simulated, eager=eager)
        self._console = console
        self._json = json
        self._monotonic = monotonic
        self._quiet = Quiet(monotonic())
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._live: Live | None = None
        self._block = console.live and not json

    def tell(self, told: Told, /) -> None:
        """Take one event; called by the driver."""
        with self._lock:
            lines = self.story.take(told)
            if self._json:
                self._console.raw(machine.line(told))
            elif lines and self._live is None:
                self._console.note("\n".join(lines))
            if lines:
                self._quiet.heard(self._monotonic())

    def beat(self) -> None:
        """Say that it still goes on, if that is due."""
        with self._lock:
            due = self._live is None and self._quiet.due(self._monotonic())
            if due and (line := self.story.heartbeat()):
                if self._json:
                    self._console.raw(machine.line({"heartbeat": line.strip()}))
                else:
                    self._console.note(line)

    def __enter__(self) -> Self:
        """Begin to show."""
        self._quiet.heard(self._monotonic())
        if self._block:
            self._live = _live_block(self)
            self._live.start()
        else:
            threading.Thread(target=self._beat_on, name="heartbeat", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The block goes; what it showed is printed with the result."""
        self._over.set()
        if self._live is not None:
            with suppress(OSError):
                self._live.stop()
            self._live = None

    def _beat_on(self) -> None:
        while not self._over.wait(1.0):
            self.beat()

    def renderable(self, width: int) -> Text:
        """The block as rich draws it."""
        from rich.text import Text

        with self._lock:
            lines = self.story.block(self.story.heard, width)
        return Text.from_ansi(paint(printable("\n".join(lines))))


def _live_block(teller: Teller) -> Live:
    from rich.console import Console as RichConsole
    from rich.live import Live

    console = RichConsole(stderr=True, highlight=False, legacy_windows=None)
    return Live(
        console=console,
        transient=True,
        refresh_per_second=4,
        get_renderable=lambda: teller.renderable(min(100, console.width - 1)),
    )

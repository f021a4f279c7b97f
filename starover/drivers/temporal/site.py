"""What a worker has of its own; performs nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from starover.clock import Clock
from starover.errors import StaroverError
from starover.estate import Estate
from starover.events import Sink
from starover.house import House
from starover.transport import Transport

__all__ = ["Site"]


@dataclass(frozen=True, kw_only=True)
class Site:
    """What a worker has of its own, as `drivers.local.Local` has it. The transport stays the caller's."""

    estate: Estate
    """Whose runs it takes, and by which roads it goes to hosts."""
    transport: Transport
    clock: Clock
    """The lab's time in a lab, and then a wait is one for simulated time; else a wait is the server's durable timer."""
    folder: Path
    """Holds `plans/`, `runs/` and `index/`. Workers that take the runs of one estate share it."""
    sinks: Sequence[Sink] = ()
    sign: Callable[[bytes], bytes] | None = None
    house: Callable[[], House] | None = None
    unbegun: Callable[[str, StaroverError, datetime], None] | None = None
    """Hears of starts of a schedule that came to no run, or to one that has no end: who began it, why not, when.

    Called from any thread.
    """

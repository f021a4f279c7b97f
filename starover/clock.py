"""The clock everything else is given; knows no step, no host and no lab."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Protocol

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """Time as the engine's driver sees it. The lab's simulated time comes in through this door and no other."""

    def now(self) -> datetime:
        """The present moment, aware, UTC."""
        ...

    def wait_until(self, when: datetime, /) -> None:
        """Return at `when` or soon after it; at once if it has passed. May be interrupted by `KeyboardInterrupt`."""
        ...

    def expect(self, scripts: int, /) -> None:
        """Announce that this many scripts are about to be sent side by side, so that no simulated time passes before
        the last of them has arrived. A real clock does nothing.
        """
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """The present moment, aware, UTC."""
        return datetime.now(UTC)

    def wait_until(self, when: datetime, /) -> None:
        """Sleep until `when`."""
        seconds = (when - self.now()).total_seconds()
        if seconds > 0:
            threading.Event().wait(seconds)

    def expect(self, scripts: int, /) -> None:
        """Nothing to announce: real time passes anyway."""

"""At most so many calls of an operation in a second; knows no call."""

from __future__ import annotations

import threading
import time

__all__ = ["Rate"]

PER_SECOND = 5.0
"""AWS names no number for Run Command (facts/ssm.md d)."""


class Rate:
    """A bucket for each operation, full at the beginning; by real time. Threads share it."""

    def __init__(self, per_second: float = PER_SECOND, burst: float = PER_SECOND) -> None:
        """`burst`: so many at once, after a rest."""
        self._per_second = per_second
        self._burst = burst
        self._left: dict[str, tuple[float, float]] = {}
        """What was left, and when (monotonic); below zero: so many wait."""
        self._lock = threading.Lock()

    def take(self, operation: str) -> None:
        """Return when it may be called."""
        with self._lock:
            now = time.monotonic()
            left, since = self._left.get(operation, (self._burst, now))
            left = min(self._burst, left + (now - since) * self._per_second) - 1.0
            self._left[operation] = (left, now)
        if left < 0:
            threading.Event().wait(-left / self._per_second)

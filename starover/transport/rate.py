"""At most so many calls of an operation in a second; knows no call."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

__all__ = ["Rate"]

PER_SECOND = 5.0
"""AWS names no number for Run Command (facts/ssm.md d)."""


class Rate:
    """A bucket for each operation, full at the beginning. Threads share it."""

    def __init__(
        self, per_second: float = PER_SECOND, burst: float = PER_SECOND, simulated: Callable[[], float] = lambda: 0.0
    ) -> None:
        """`burst`: so many at once, after a rest. `simulated`: seconds that pass quicker than real ones, in a lab."""
        self._per_second = per_second
        self._burst = burst
        self._simulated = simulated
        self._left: dict[str, tuple[float, float, float]] = {}
        """What was left, and when, in real and in simulated seconds; below zero: so many wait."""
        self._lock = threading.Lock()

    def take(self, operation: str) -> None:
        """Return when it may be called. Who has to wait does so in real time, for no batch was announced."""
        story = self._simulated()
        with self._lock:
            now = time.monotonic()
            left, since, since_story = self._left.get(operation, (self._burst, now, story))
            passed = max(now - since, story - since_story)
            left = min(self._burst, left + passed * self._per_second) - 1.0
            self._left[operation] = (left, now, max(story, since_story))
        if left < 0:
            threading.Event().wait(-left / self._per_second)

"""At most so many calls of an operation in a second, fewer while AWS throttles; knows no call."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["PER_SECOND", "Rate"]

PER_SECOND = 5.0
"""AWS names no number for Run Command (facts/ssm.md d); the inventory's `run_command` may."""
LEAST = 0.1
"""Of the given rate: slower than that nobody is made, however often AWS throttles."""
RECOVERY_S = 60.0
"""Seconds without being throttled after which the slowest has the given rate again."""


@dataclass
class _Bucket:
    """Of one operation."""

    left: float
    """Below zero: so many wait."""
    since: float
    """When that was, in real seconds."""
    story: float
    """The same in simulated ones."""
    pace: float
    """Calls in a second, for now."""


class Rate:
    """A bucket for each operation, full at the beginning. Threads share it."""

    def __init__(
        self, per_second: float = PER_SECOND, burst: float | None = None, simulated: Callable[[], float] = lambda: 0.0
    ) -> None:
        """`burst`: so many at once, after a rest; those of a second. `simulated`: seconds, quicker ones in a lab."""
        self._per_second = per_second
        self._burst = max(1.0, per_second) if burst is None else burst
        self._simulated = simulated
        self._buckets: dict[str, _Bucket] = {}
        self._lock = threading.Lock()

    def take(self, operation: str) -> None:
        """Return when it may be called. Who has to wait does so in real time, for no batch was announced."""
        with self._lock:
            one = self._filled(operation)
            one.left -= 1.0
            wait = -one.left / one.pace
        if wait > 0:
            threading.Event().wait(wait)

    def slower(self, operation: str) -> None:
        """AWS has throttled it: half as many from now on, and none at once."""
        with self._lock:
            one = self._filled(operation)
            one.pace = max(one.pace / 2, self._per_second * LEAST)
            one.left = min(one.left, 0.0)

    def pace(self, operation: str) -> float:
        """Calls in a second, as things are."""
        with self._lock:
            return self._filled(operation).pace

    def _filled(self, operation: str) -> _Bucket:
        now, story = time.monotonic(), self._simulated()
        one = self._buckets.get(operation)
        if one is None:
            one = self._buckets[operation] = _Bucket(self._burst, now, story, self._per_second)
        passed = max(now - one.since, story - one.story, 0.0)
        one.left = min(self._burst, one.left + passed * one.pace)
        one.pace = min(self._per_second, one.pace + passed * self._per_second / RECOVERY_S)
        one.since, one.story = now, max(story, one.story)
        return one

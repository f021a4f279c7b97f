"""How many calls of a service AWS takes in a second of simulated time; knows no call."""

from __future__ import annotations

from datetime import datetime

from starover_lab.world.state import State

__all__ = ["Rates"]


class Rates:
    """A bucket of calls for each service that has a rate.

    Who is refused backs off, in a time that is not the lab's: so behind a refusal there is room for one call, and
    nobody starves while the lab's clock stands.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._left: dict[str, tuple[float, datetime]] = {}

    def takes(self, service: str, per_second: float) -> bool:
        """Whether one more call is taken now."""
        now = self._state.now
        left, at = self._left.get(service, (per_second, now))
        left = min(per_second, left + (now - at).total_seconds() * per_second)
        taken = left >= 1
        self._left[service] = (left - 1 if taken else left + 1, now)
        return taken

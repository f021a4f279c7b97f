"""How a wait goes on from one reading to the next, as a pure object; reads nothing and waits for nothing itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from starover.errors import AuthFailed, BadReport, Mistake, NotVerified, OutputTruncated, StaroverError
from starover.step import Left, Settle, Verdict

__all__ = ["Holds", "Over", "Settling", "Wait"]


@dataclass(frozen=True)
class Holds:
    """The fact holds: the wait is over."""


@dataclass(frozen=True)
class Over:
    """The wait is over, and the fact does not hold, or could not be read."""

    error: StaroverError
    blocked: str = ""
    stalled: bool = False
    """It made no progress for as long as `Settle.stall`."""


@dataclass(frozen=True)
class Wait:
    """Read again at this time."""

    until: datetime
    left: Left | None = None
    eta: float | None = None
    """Seconds that the phase of `left` takes at the pace seen so far; None: not known."""
    still: float = 0.0
    """Seconds without progress, where that will end the wait one day."""


@dataclass
class Settling:
    """One wait: told of every reading, it says what follows."""

    settle: Settle
    what: str
    start: datetime
    first: tuple[datetime, int] | None = field(default=None, init=False)
    """When how much of the present phase was left for the first time."""
    phase: str = field(default="", init=False)
    """What `first` is of."""
    best: tuple[datetime, int] | None = field(default=None, init=False)
    """When how little was left for the last time that it had fallen."""

    def saw(self, now: datetime, reading: Verdict | StaroverError) -> Holds | Over | Wait:
        """What follows a reading, or a failure to read, that came at `now`."""
        if isinstance(reading, StaroverError):
            return self._failed(now, reading)
        if reading.done:
            return Holds()
        if reading.blocked is not None:
            blocked = reading.blocked
            error = NotVerified(f"{self.what}: {blocked.why}", certain=blocked.certain, next=blocked.next)
            return Over(error, blocked=blocked.why)
        left = reading.left
        if left is not None and (self.best is None or left < self.best[1]):
            self.best = (now, left)
        since = (now - (self.best[0] if self.best else self.start)).total_seconds()
        if self.settle.stall is not None and since >= self.settle.stall:
            rest = f", {left} left" if left is not None else ""
            return Over(NotVerified(f"{self.what}: no progress for {since:g} s{rest}"), stalled=True)
        if self._late(now):
            rest = f", {left} left" if left is not None else ""
            return Over(NotVerified(f"{self.what}: not so after {self.settle.limit:g} s{rest}"))
        shown = reading.shown or (Left(amount=left) if left is not None else None)
        still = since if self.settle.stall is not None else 0.0
        return Wait(self._next(now), left=shown, eta=self._eta(now, shown), still=still)

    def _failed(self, now: datetime, error: StaroverError) -> Over | Wait:
        """A host that restarts, or an RPC that fails, is waited out; what cannot mend itself is not."""
        hopeless = isinstance(error, AuthFailed | BadReport | OutputTruncated | Mistake)
        return Over(error) if hopeless or self._late(now) else Wait(self._next(now))

    def _late(self, now: datetime) -> bool:
        return now >= self.start + timedelta(seconds=self.settle.limit)

    def _next(self, now: datetime) -> datetime:
        end = self.start + timedelta(seconds=self.settle.limit)
        return min(now + timedelta(seconds=max(self.settle.every, 0.1)), end)

    def _eta(self, now: datetime, left: Left | None) -> float | None:
        """From the pace within this phase only: how long the others take is not known."""
        if left is None:
            return None
        if self.first is None or left.phase != self.phase:
            self.first, self.phase = (now, left.amount), left.phase
        if left.amount >= self.first[1]:
            return None
        seconds = (now - self.first[0]).total_seconds()
        return left.amount * seconds / (self.first[1] - left.amount)

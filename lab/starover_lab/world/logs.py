"""Transaction logs as functions of time: how many a database has written, and which number was written when.

Nothing is counted one by one: a stream is a list of pieces, each a closed formula. Knows no copy and no server state.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache

__all__ = ["LOG_BYTES", "LogStream", "Rate"]

LOG_BYTES = 1_048_576
"""One log file."""
_DAY = 86_400.0


@dataclass(frozen=True)
class Rate:
    """Logs per minute over the day: `peak` in the busy hour, `quiet` times that twelve hours later, sinus between."""

    peak: float
    busy_hour: float
    quiet: float

    def per_minute(self, when: datetime) -> float:
        """The rate at one moment."""
        return self.peak * (self._mean + self._swing * math.cos(self._angle(when)))

    def logs(self, since: datetime, until: datetime) -> float:
        """How many logs are written between two moments (the integral)."""
        seconds = (until - since).total_seconds()
        waves = (math.sin(self._angle(until)) - math.sin(self._angle(since))) * _DAY / (2 * math.pi)
        whole = self._mean * seconds + self._swing * waves
        return self.peak / 60 * max(whole, 0.0)

    def seconds(self, since: datetime, logs: int, *, near: float) -> float:
        """How many seconds after `since` that many logs are written (Newton's way from `near`, to a millisecond)."""
        for _ in range(50):
            when = since + timedelta(seconds=near)
            step = (logs - self.logs(since, when)) / max(self.per_minute(when) / 60, 1e-9)
            near = max(near + step, 0.0)
            if abs(step) < 0.001:
                break
        return near

    @property
    def _mean(self) -> float:
        return (1 + self.quiet) / 2

    @property
    def _swing(self) -> float:
        return (1 - self.quiet) / 2

    def _angle(self, when: datetime) -> float:
        seconds = when.hour * 3600 + when.minute * 60 + when.second + when.microsecond / 1_000_000
        return 2 * math.pi * (seconds - self.busy_hour * 3600) / _DAY


@lru_cache(maxsize=16384)
def _written(rate: Rate, since: datetime, until: datetime | None, logs: int) -> datetime:
    """When that many logs had been written, found by halves and cut to the second; readings ask for the same again."""
    low, high = since, until
    if high is None:
        high = since + timedelta(days=1)
        while math.floor(rate.logs(since, high)) < logs:
            high += high - since
    while high - low > timedelta(milliseconds=1):
        middle = low + (high - low) / 2
        if math.floor(rate.logs(since, middle)) >= logs:
            high = middle
        else:
            low = middle
    return low.replace(microsecond=0)


@dataclass
class Piece:
    """A time during which one server wrote the stream."""

    server: str
    first: int
    """The newest log that existed when it began."""
    since: datetime
    until: datetime | None = None
    """None: still writing."""
    branch: int = 1


@dataclass
class LogStream:
    """All logs of one database; `branch` counts how often logs were lost and others written in their place."""

    rate: Rate
    pieces: list[Piece] = field(default_factory=list["Piece"])
    branch: int = 1

    def open(self, server: str, first: int, when: datetime) -> None:
        """`server` mounts the database at `when`; its newest log is `first`."""
        self.pieces.append(Piece(server, first, when, branch=self.branch))

    def close(self, when: datetime) -> None:
        """The database stops writing (dismount or crash)."""
        if self.pieces and self.pieces[-1].until is None:
            self.pieces[-1].until = when

    def generated(self, when: datetime) -> int:
        """Number of the newest log at `when`."""
        for piece in reversed(self.pieces):
            if piece.since <= when:
                return self._in(piece, when)
        return self.pieces[0].first if self.pieces else 0

    def time_of(self, generation: int, branch: int | None = None) -> datetime | None:
        """When that log was written, or None when it lies before the stream's memory. Cut to the second.

        `branch`: in the stream as it was then (a diverged copy's own logs); without it as it is now.
        """
        for piece in reversed(self.pieces):
            if generation <= piece.first or (branch is not None and piece.branch > branch):
                continue
            if piece.until is None or self._in(piece, piece.until) >= generation:
                return _written(self.rate, piece.since, piece.until, generation - piece.first)
        return None

    def times(self, first: int, last: int, branch: int | None = None) -> dict[int, datetime]:
        """`time_of` for all of a range at once; one that lies before the stream's memory is left out."""
        found: dict[int, datetime] = {}
        for piece in self.pieces:
            if branch is not None and piece.branch > branch:
                continue
            end = last if piece.until is None else min(last, self._in(piece, piece.until))
            seconds = 0.0
            for generation in range(max(first, piece.first + 1), end + 1):
                seconds = self.rate.seconds(piece.since, generation - piece.first, near=seconds)
                found[generation] = (piece.since + timedelta(seconds=seconds)).replace(microsecond=0)
        return found

    def writers(self, since: datetime, until: datetime) -> list[str]:
        """The servers that wrote the stream, or what was lost of it, between two moments."""
        found = [
            piece.server
            for piece in self.pieces
            if piece.since < until and (piece.until is None or piece.until > since)
        ]
        return list(dict.fromkeys(found))

    def _in(self, piece: Piece, when: datetime) -> int:
        end = min(when, piece.until) if piece.until is not None else when
        return piece.first + math.floor(self.rate.logs(piece.since, end))

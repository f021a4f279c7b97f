"""Time that passes between two calls, where no host is asked for its clock; knows no service."""

from __future__ import annotations

from starover.estate import Server
from starover.render import Arg
from starover.runbook import Steps
from starover.step import Query, R, Settle, wait

__all__ = ["time_passes"]


def time_passes(query: Query[R], server: Server, seconds: float, what: str, **args: Arg) -> Steps:
    """Wait so many seconds: the time between two readings of anything. A plan goes on behind it."""
    readings: list[R] = []

    def over(now: R) -> bool:
        readings.append(now)
        return len(readings) > 1

    settle = Settle(every=seconds, limit=2 * seconds)
    yield from wait(
        query, server, until=over, settle=settle, what=what, progress=None, expected=True, lenient=False, **args
    )

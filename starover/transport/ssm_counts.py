"""How far the commands under way are: one page of counts for all of them; knows no script and no answer.

A list of invocations is of one command, so several commands cost a call each for every look. A page of commands tells
of all that a tool has under way how many instances are done (facts/ssm.md f): who finds his as it was need not look.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import cast

from starover.errors import StaroverError
from starover.transport.calls import CallFailed

__all__ = ["Counts"]

FRESH = timedelta(seconds=0.8)
"""A page is good for whoever looks within that time."""
SULK = timedelta(seconds=30)
"""A page that could not be had is not asked for again within that time: each looks for himself."""


class Counts:
    """Threads share it."""

    def __init__(self, ask: Callable[..., Mapping[str, object]], now: Callable[[], datetime]) -> None:
        """`ask` is ListCommands, `now` the time that AWS has."""
        self._ask = ask
        self._now = now
        self._lock = threading.Lock()
        self._asked: datetime | None = None
        self._until: datetime | None = None
        """Until then what is known counts as known."""
        self._known: dict[str, tuple[str, int]] = {}

    def of(self, command: str, since: datetime) -> tuple[str, int] | None:
        """Status of a command and how many of its instances are done; None: nobody knows. `since`: when it was sent."""
        with self._lock:
            now = self._now()
            if self._until is None or now >= self._until:
                self._look(now, since)
            return self._known.get(command)

    def _look(self, now: datetime, since: datetime) -> None:
        filters = [{"key": "InvokedAfter", "value": f"{since:%Y-%m-%dT%H:%M:%SZ}"}]
        self._known = {}
        try:
            reply = self._ask(Filters=filters, MaxResults=50)
        except (StaroverError, CallFailed):
            self._until = now + SULK
            return
        self._until = now + FRESH
        for one in cast("list[Mapping[str, object]]", reply.get("Commands", [])):
            done, status = one.get("CompletedCount"), one.get("Status")
            if isinstance(done, int) and isinstance(status, str):
                self._known[str(one.get("CommandId"))] = status, done

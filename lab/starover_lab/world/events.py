"""The lab's log of what happened in the world; knows no entity, only names and plain data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from starover_lab.world.errors import Data

__all__ = ["Event", "EventLog"]


@dataclass(frozen=True)
class Event:
    """One thing that happened."""

    number: int
    """Running number, from 1."""
    time: datetime
    """Simulated, UTC."""
    kind: str
    """Such as `copy_status`, `node_down`, `fault`."""
    subject: str
    """Name of what it happened to: a server, `DB\\server`, a DAG."""
    data: dict[str, Data]


class EventLog:
    """Append-only; `after` is called with each new event when it is in the log."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.events: list[Event] = []
        self.after: list[Callable[[Event], None]] = []
        self._now = now

    def add(self, kind: str, subject: str, **data: Data) -> Event:
        """Record what has just happened; call it when the state is whole again."""
        event = Event(len(self.events) + 1, self._now(), kind, subject, data)
        self.events.append(event)
        for listener in self.after:
            listener(event)
        return event

    def since(self, number: int) -> list[Event]:
        """The events after event `number` (0: all)."""
        return self.events[number:]

    def of(self, kind: str) -> list[Event]:
        """The events of one kind."""
        return [event for event in self.events if event.kind == kind]

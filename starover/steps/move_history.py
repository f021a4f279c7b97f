"""How long databases were offline while they moved, by what members' event logs say; changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from starover.step import Query, Report
from starover.steps.guards import moment

__all__ = ["Move", "MoveEvents", "longest", "move_events", "moves"]

BEGUN, SUCCEEDED = 306, 308
"""Events of Active Manager, by CollectOverMetrics.ps1 of Exchange itself."""


class MoveEvent(Report):
    """One entry of the log."""

    id: int
    time: str
    values: tuple[str, ...]
    """The id of the operation comes first."""


class MoveEvents(Report):
    """Moves as one host's log knows them (`update/moves.ps1.j2`)."""

    events: tuple[MoveEvent, ...]


move_events = Query("update/moves.ps1.j2", MoveEvents)
"""Of the host that is asked. The Primary Active Manager of the moment writes them: ask all."""


@dataclass(frozen=True, kw_only=True)
class Move:
    """A database that changed its server."""

    database: str
    begun: datetime
    took: timedelta
    """From its beginning until it was mounted again: the longest it can have been offline."""


def moves(seen: Sequence[MoveEvents], databases: Sequence[str], since: str) -> tuple[Move, ...]:
    """Moves of these databases that began after `since`, each once, in their order."""
    begins: dict[str, MoveEvent] = {}
    ends: dict[str, MoveEvent] = {}
    for event in (one for host in seen for one in host.events if one.values):
        (begins if event.id == BEGUN else ends)[event.values[0]] = event
    found: list[Move] = []
    for operation, begun in begins.items():
        end = ends.get(operation)
        named = {one.casefold() for one in begun.values}
        database = next((one for one in databases if one.casefold() in named), "")
        if end is not None and database and moment(begun.time) >= moment(since):
            begin = moment(begun.time)
            found.append(Move(database=database, begun=begin, took=moment(end.time) - begin))
    return tuple(sorted(found, key=lambda one: one.begun))


def longest(found: Sequence[Move]) -> Move | None:
    """The move during which a database was offline longest; None: none is known."""
    return max(found, key=lambda one: one.took, default=None)

"""What may never be untrue in the estate, checked after every event (simulator.md section 9); changes nothing.

A violation is recorded once, when it begins. I1, I4 and I5 are checked here, the others in
`invariants_of_building`, `..._databases`, `..._disaster` and `..._operations`. I12 compares with the tool's journal, so
tests do that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from starover_lab.world.database_parts import Copy, Database
from starover_lab.world.events import Event
from starover_lab.world.invariants_of_building import untrue
from starover_lab.world.invariants_of_databases import untrue as untrue_of_databases
from starover_lab.world.invariants_of_disaster import untrue_in_disaster
from starover_lab.world.invariants_of_operations import untrue_in_operations
from starover_lab.world.replication import is_active
from starover_lab.world.state import State
from starover_lab.world.storage import counters

__all__ = ["Invariants", "Violation"]


@dataclass(frozen=True)
class Violation:
    """One invariant that became untrue."""

    id: str
    """Such as `I1`."""
    time: datetime
    subject: str
    text: str
    event: int
    """Number of the event after which it was seen."""


class Invariants:
    """Looks after each event; `violations` holds all that was ever seen."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.violations: list[Violation] = []
        self._standing: set[tuple[str, str]] = set()
        self._seen: dict[tuple[str, str], tuple[int, int]] = {}

    def check(self, event: Event) -> None:
        """Check everything now."""
        found = {(id_, subject): text for id_, subject, text in self._untrue(event)}
        for (id_, subject), text in found.items():
            if (id_, subject) not in self._standing:
                self.violations.append(Violation(id_, event.time, subject, text, event.number))
        self._standing = set(found)

    def record(self, id_: str, subject: str, text: str) -> None:
        """Record a violation that no event shows."""
        self.violations.append(Violation(id_, self._state.now, subject, text, len(self._state.log.events)))

    def _untrue(self, event: Event) -> Iterator[tuple[str, str, str]]:
        yield from untrue_of_databases(self._state, event)
        for database in self._state.databases:
            yield from self._one_active(database)
            yield from self._preferences(database)
            for copy in database.copies:
                yield from self._counters(database, copy)
        yield from untrue(self._state, event, self._standing)
        yield from untrue_in_disaster(self._state, event, self._standing)
        yield from untrue_in_operations(self._state, event)

    def _one_active(self, database: Database) -> Iterator[tuple[str, str, str]]:
        mounted = [copy.server for copy in database.copies if copy.status in ("Mounted", "Mounting")]
        if len(mounted) > 1:
            yield "I1", database.name, f"mounted on {', '.join(mounted)} at once"
        if database.copies.get(database.active) is None:
            yield "I1", database.name, f"its active server {database.active} has no copy"

    def _preferences(self, database: Database) -> Iterator[tuple[str, str, str]]:
        preferences = sorted(copy.preference for copy in database.copies)
        if preferences != list(range(1, len(database.copies) + 1)):
            yield "I5", database.name, f"activation preferences are {preferences}"

    def _counters(self, database: Database, copy: Copy) -> Iterator[tuple[str, str, str]]:
        name = f"{database.name}\\{copy.server}"
        now = counters(self._state, database, copy)
        newest = database.stream.generated(self._state.now)
        if not now.replayed <= now.inspected <= now.copied:
            yield "I4", name, f"replayed {now.replayed}, inspected {now.inspected}, copied {now.copied}"
        if not copy.diverged and not is_active(database, copy) and now.copied > newest:
            yield "I4", name, f"copied {now.copied} of {newest} logs"
        branch, before = self._seen.get((database.name, copy.server), (database.stream.branch, 0))
        steady = branch == database.stream.branch and copy.seed is None and not copy.diverged and not copy.recovered
        if steady and copy.files_present and now.inspected < before:
            yield "I4", name, f"inspected went back from {before} to {now.inspected}"
        self._seen[database.name, copy.server] = (database.stream.branch, now.inspected if steady else 0)

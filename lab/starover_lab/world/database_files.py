"""The files of database copies on one host: database, checkpoint and logs, computed from the copies; runs no program.

A log file is there for every generation that the copy has and has not truncated. What somebody moves or removes by hand
is missing for the copy from then on (`Copy.logs_away`); put back, it is the copy's again. Nothing can be moved while it
is in use [model]: the file of a mounted or replaying database, and the logs of such a one. The file of a recovery
database is not of this kind: it lies where somebody put it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from starover_lab.world.database_parts import Copy, Database
from starover_lab.world.errors import WorldError
from starover_lab.world.files import Entry, clean_path, parent_of
from starover_lab.world.logs import LOG_BYTES
from starover_lab.world.state import State
from starover_lab.world.storage import counters, logs_kept

__all__ = ["DatabaseFiles", "Header", "cut_off", "header", "in_use", "newest_whole", "of_file", "recover", "required"]

_DEPTH = 5
"""Logs that a database which is not cleanly closed needs, the newest replayed one included [model]."""


@dataclass(frozen=True)
class Header:
    """What a database file says of itself."""

    clean: bool
    low: int
    high: int
    """The logs that it needs to become clean; 0 when it is."""


def required(state: State, database: Database, copy: Copy) -> tuple[int, int]:
    """The generations that the copy's database file needs; both 0 when it is clean."""
    if copy.recovered or (_active(database, copy) and database.state == "Dismounted"):
        return 0, 0
    high = counters(state, database, copy).replayed
    return max(high - _DEPTH + 1, 1), high


def newest_whole(state: State, database: Database, copy: Copy) -> int:
    """The newest log up to which none is missing; below what the database requires, one of those is missing."""
    low, high = required(state, database, copy)
    missing = [one for one in copy.logs_away if one >= (low or counters(state, database, copy).replayed + 1)]
    newest = counters(state, database, copy).inspected
    return min([newest, *(one - 1 for one in missing)]) if missing else max(newest, high)


def cut_off(state: State, database: Database, copy: Copy) -> None:
    """The copy goes on with the logs that it has without a gap; its counters must be settled."""
    if copy.logs_away:
        copy.copied = copy.inspected = newest_whole(state, database, copy)
        copy.replayed = min(copy.replayed, copy.copied)
        copy.logs_away.clear()
    copy.checkpoint_away = copy.recovered = False


def in_use(database: Database, copy: Copy) -> bool:
    """Whether a service has the copy's files open."""
    if _active(database, copy):
        return database.state != "Dismounted"
    rival = database.rivals.get(copy.server)
    return copy.running or copy.seed is not None or (rival is not None and rival.state != "Dismounted")


def header(state: State, database: Database, copy: Copy) -> Header:
    """What its database file says. Raises `in_use`."""
    _free(database, copy, database.edb_path)
    low, high = required(state, database, copy)
    return Header(not high, low, high)


def recover(state: State, database: Database, copy: Copy) -> int:
    """Play all logs that are there into the database file and close it; returns how many it played.

    Raises `in_use`, `required_log_missing`, `log_missing` (a gap before logs that are there).
    """
    _free(database, copy, database.edb_path)
    now = counters(state, database, copy)
    _, high = required(state, database, copy)
    whole = newest_whole(state, database, copy)
    if high and whole < high:
        raise WorldError("required_log_missing", f"log {whole + 1} is missing", database=database.name)
    if any(one not in copy.logs_away for one in range(whole + 1, now.copied + 1)):
        raise WorldError("log_missing", f"log {whole + 1} is missing", database=database.name)
    copy.copied = copy.inspected = copy.replayed = whole
    copy.since = state.now
    copy.recovered, copy.checkpoint_away = True, False
    state.log.add("database_recovered", f"{database.name}\\{copy.server}", replayed=whole - now.replayed, newest=whole)
    return whole - now.replayed


def of_file(entry: Entry) -> Header | None:
    """What a database file that somebody put elsewhere says of itself; None: it is no database."""
    words = entry.content.decode("utf-8", "replace").split()
    if len(words) != 4 or words[0] != "edb" or not (words[2].isdecimal() and words[3].isdecimal()):
        return None
    return Header(words[2] == "0", int(words[2]), int(words[3]))


def _active(database: Database, copy: Copy) -> bool:
    return database.active.casefold() == copy.server.casefold()


def _free(database: Database, copy: Copy, path: str) -> None:
    if in_use(database, copy):
        raise WorldError("in_use", f"{path} is in use", path=path)


@dataclass(frozen=True)
class _Place:
    """Which file of which copy a path is."""

    database: Database
    copy: Copy
    generation: int = 0
    checkpoint: bool = False


class DatabaseFiles:
    """All files of the copies on one host."""

    def __init__(self, state: State, server: str) -> None:
        self._state = state
        self._server = server
        self._times: dict[tuple[str, int], dict[int, datetime]] = {}
        """When logs were written, by database and branch: a week of them is looked at again and again."""
        self._ranges: dict[str, tuple[tuple[object, ...], tuple[int, int]]] = {}
        """The last range of each database, and what it was made of."""

    def find(self, path: str) -> Entry | None:
        """That file, or None."""
        place = self._place(path)
        return self._entry(place) if place is not None and self._there(place) else None

    def within(self, folder: str) -> list[Entry]:
        """Those in a folder."""
        asked = clean_path(folder).casefold()
        found: list[Entry] = []
        for database, copy in self._copies():
            if parent_of(database.edb_path).casefold() == asked and self._there(_Place(database, copy)):
                found.append(self._entry(_Place(database, copy)))
            if clean_path(database.log_path).casefold() != asked or not copy.files_present:
                continue
            if not copy.checkpoint_away:
                found.append(self._entry(_Place(database, copy, checkpoint=True)))
            first, last = self._range(database, copy)
            known = self._known(database, copy)
            known.update(database.stream.times(first, last, copy.branch if copy.diverged else None))
            for generation in range(first, last + 1):
                if generation not in copy.logs_away:
                    when = known.get(generation, self._state.now)
                    path = _log_path(database, generation)
                    content = _log_mark(database, generation)
                    found.append(Entry(path, False, when, when, content, size=LOG_BYTES))
        return found

    def taken(self, path: str) -> Entry:
        """Take a file from its copy. Raises `in_use`."""
        place = self._place(path)
        if place is None or not self._there(place):
            raise WorldError("file_not_found", f"there is no {path}", path=path)
        _free(place.database, place.copy, path)
        entry = self._entry(place)
        if place.checkpoint:
            place.copy.checkpoint_away = True
        elif place.generation:
            place.copy.logs_away.add(place.generation)
        else:
            place.copy.files_present = False
            self._state.review()
        return entry

    def returned(self, path: str, entry: Entry) -> bool:
        """Whether a file that is put there is the copy's again."""
        place = self._place(path)
        if place is None:
            return False
        if place.checkpoint and place.copy.checkpoint_away:
            place.copy.checkpoint_away = False
            return True
        mine = entry.content == _log_mark(place.database, place.generation)
        if place.generation in place.copy.logs_away and mine:
            first, last = self._range(place.database, place.copy)
            if first <= place.generation <= last:
                place.copy.logs_away.discard(place.generation)
                return True
        return False

    def _copies(self) -> list[tuple[Database, Copy]]:
        return [(one, copy) for one in self._state.databases if (copy := one.copies.get(self._server)) is not None]

    def _place(self, path: str) -> _Place | None:
        clean = clean_path(path).casefold()
        for database, copy in self._copies():
            if clean == clean_path(database.edb_path).casefold():
                return _Place(database, copy)
            if parent_of(clean) != clean_path(database.log_path).casefold():
                continue
            prefix, name = database.log_prefix.casefold(), clean.rpartition("\\")[2]
            if name == f"{prefix}.chk":
                return _Place(database, copy, checkpoint=True)
            number = name.removeprefix(prefix).removesuffix(".log")
            if name == f"{prefix}{number}.log" and len(number) == 8 and set(number) <= set("0123456789abcdef"):
                return _Place(database, copy, int(number, 16))
        return None

    def _there(self, place: _Place) -> bool:
        if not place.copy.files_present:
            return False
        if place.checkpoint:
            return not place.copy.checkpoint_away
        if not place.generation:
            return not place.database.recovery
        first, last = self._range(place.database, place.copy)
        return first <= place.generation <= last and place.generation not in place.copy.logs_away

    def _range(self, database: Database, copy: Copy) -> tuple[int, int]:
        """The oldest and the newest generation on its disk, with those that were moved away."""
        facts = (self._state.now, copy, copy.since, copy.copied, copy.replayed, copy.recovered, copy.files_present)
        known = self._ranges.get(database.name)
        if known is not None and known[0] == facts:
            return known[1]
        found = self._looked(database, copy)
        self._ranges[database.name] = (facts, found)
        return found

    def _looked(self, database: Database, copy: Copy) -> tuple[int, int]:
        last = counters(self._state, database, copy).copied
        low, _ = required(self._state, database, copy)
        oldest = last - logs_kept(self._state, database, copy) + 1
        return max(min(oldest, low or oldest), 1), last

    def _known(self, database: Database, copy: Copy) -> dict[int, datetime]:
        return self._times.setdefault((database.name, copy.branch if copy.diverged else -database.stream.branch), {})

    def _written(self, database: Database, copy: Copy, generation: int) -> datetime:
        known = self._known(database, copy)
        if generation not in known:
            when = database.stream.time_of(generation, copy.branch if copy.diverged else None)
            if when is None:
                return self._state.now
            known[generation] = when
        return known[generation]

    def _entry(self, place: _Place) -> Entry:
        database, copy, now = place.database, place.copy, self._state.now
        if place.checkpoint:
            path = f"{clean_path(database.log_path)}\\{database.log_prefix}.chk"
            return Entry(path, folder=False, created=now, modified=now, content=b"checkpoint", size=8192)
        if place.generation:
            when = self._written(database, copy, place.generation)
            content = _log_mark(database, place.generation)
            path = _log_path(database, place.generation)
            return Entry(path, folder=False, created=when, modified=when, content=content, size=LOG_BYTES)
        low, high = required(self._state, database, copy)
        content = f"edb {database.guid} {low} {high}".encode()
        return Entry(
            clean_path(database.edb_path), folder=False, created=now, modified=now, content=content, size=database.size
        )


def _log_path(database: Database, generation: int) -> str:
    return f"{clean_path(database.log_path)}\\{database.log_prefix}{generation:08X}.log"


def _log_mark(database: Database, generation: int) -> bytes:
    return f"log {database.guid} {generation}".encode()

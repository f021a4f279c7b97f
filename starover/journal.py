"""The journal: append-only, hash-chained JSON lines with their head kept beside; knows no engine, no host, no screen.

One file for each run, `runs/ID.jsonl`. Every line names the hash of the line before it; the number of lines and the
hash of the last one stand in `index/ID.head`, written and fsynced with each append, so that a cut tail is found. A
record counts once both are on disk. What a line holds is one of the entries below; nothing is ever rewritten.
"""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import msgspec

from starover import durable
from starover.errors import BadParameter, Locked, Mistake, StaroverError
from starover.journal_carrier import carried_by, place_of
from starover.journal_chain import Former, take_place
from starover.journal_entries import (
    Acknowledged,
    Answered,
    Begun,
    Body,
    Declined,
    Entry,
    Recorded,
    Resumed,
    Saved,
    Sent,
    Settled,
    Stopped,
    Tried,
    Warned,
)
from starover.journal_lock import hold, is_held

__all__ = [
    "Acknowledged",
    "Answered",
    "Begun",
    "Body",
    "Cut",
    "Declined",
    "Entry",
    "Journal",
    "Recorded",
    "Resumed",
    "Saved",
    "Sent",
    "Settled",
    "Stopped",
    "Tried",
    "Unwritable",
    "Warned",
    "at_work",
    "kept",
    "mentions",
    "path_of",
    "read_journal",
    "resolve",
    "run_ids",
]

ID = re.compile(r"[0-9a-f]{8}\.[1-9][0-9]*")
_ZERO = "0" * 64
_GLANCE = 0.2
"""Seconds for whoever merely looks whether a run is under way (`at_work`)."""


class Cut(BadParameter):
    """A journal cannot be read as far as its head says: `starover audit verify` names what is wrong."""


class Unwritable(StaroverError):
    """A journal cannot be written any more: nothing is sent that it does not hold."""


class Journal:
    """One run's journal, open for appending by this process alone. A context."""

    def __init__(
        self,
        folder: Path,
        run: str,
        lock: sqlite3.Connection,
        file: IO[bytes],
        entries: list[Entry],
        last: str,
        former: Former | None = None,
    ) -> None:
        """Made by `create` and `open`."""
        self.folder = folder
        self.run = run
        self.entries = entries
        """Everything that is in it."""
        self.former = former
        """The run before, for the first record of a new one."""
        self._file = file
        self._last = last
        self._broken: Unwritable | None = None
        """Why nothing more is written: what is on the disk is not what is known here."""
        self._lock = lock
        self._head = _open_head(folder, run)

    @classmethod
    def create(cls, folder: Path, stem: str) -> Self:
        """A new journal under the next free number of `stem` (8 hex digits); safe beside other processes."""
        runs = folder / "runs"
        try:
            runs.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Mistake(
                f"the folder {folder} for plans and journals cannot be made: {error.strerror or error}",
                certain=("nothing was sent",),
            ) from error
        number = 1 + max((int(one.rpartition(".")[2]) for one in run_ids(folder) if one.startswith(stem)), default=0)
        while True:
            run = f"{stem}.{number}"
            try:
                file = (runs / f"{run}.jsonl").open("xb", buffering=0)
            except FileExistsError:
                number += 1
                continue
            except OSError as error:
                raise Mistake(
                    f"the journal of run {run} cannot be made in {runs}: {error.strerror or error}",
                    certain=("nothing was sent",),
                ) from error
            try:
                durable.sync_folder(runs)
                lock = _lock(folder, run)
                former = take_place(folder, run, lambda one: read_head(folder, one))
                return cls(folder, run, lock, file, [], _ZERO, former)
            except OSError as error:
                file.close()
                raise Mistake(
                    f"run {run} cannot be listed in {folder}: {error.strerror or error}", certain=("nothing was sent",)
                ) from error
            except BaseException:
                file.close()
                raise

    @classmethod
    def open(cls, folder: Path, run: str, carrier: str = "") -> Self:
        """An existing journal, to go on with it.

        A line that a crash left half written is dropped, whole ones behind the head are counted anew. Raises
        `BadParameter`, `Cut`, and `Locked` when another process has it open, or somebody else than `carrier` carries
        the run.
        """
        if not carrier:
            read_journal(folder, run)
        lock = _lock(folder, run)
        try:
            _check_carried(folder, run, carrier)
        except BaseException:
            lock.close()
            raise
        try:
            entries, good, last = _read(folder, run)
            file = path_of(folder, run).open("r+b", buffering=0)
        except BaseException:
            lock.close()
            raise
        file.truncate(good)
        file.seek(good)
        journal = cls(folder, run, lock, file, entries, last)
        if read_head(folder, run) != journal.head:
            journal._write_head()
        return journal

    @property
    def path(self) -> Path:
        """The file."""
        return path_of(self.folder, self.run)

    @property
    def head(self) -> tuple[int, str]:
        """How many records there are, and the hash of the last one."""
        return len(self.entries), self._last

    def append(self, at: datetime, *bodies: Body) -> None:
        """Write entries durably: they are on disk, with their head, when this returns."""
        if self._broken is not None:
            raise self._broken
        lines = b""
        for body in bodies:
            entry = Entry(n=len(self.entries), at=at, before=self._last, body=body)
            line = msgspec.json.encode(entry)
            self._last = hashlib.sha256(line).hexdigest()
            self.entries.append(entry)
            lines += line + b"\n"
        try:
            _write(self._file, lines)
            self._write_head()
        except OSError as error:
            self._broken = Unwritable(
                f"the journal {self.path} cannot be written: {error.strerror or error}",
                certain=("what it does not hold was not sent",),
                next=(f"make room, then: starover resume {self.run}",),
            )
            raise self._broken from error

    def _write_head(self) -> None:
        self._head.seek(0)
        _write(self._head, b"%012d %s\n" % (len(self.entries), self._last.encode()))

    def close(self) -> None:
        """Let it go."""
        self._file.close()
        self._head.close()
        self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _write(file: IO[bytes], data: bytes) -> None:
    """All of it, down to the disk."""
    while data:
        data = data[file.write(data) :]
    os.fsync(file.fileno())


def path_of(folder: Path, run: str) -> Path:
    """Where a run's journal lies."""
    return folder / "runs" / f"{run}.jsonl"


def head_of(folder: Path, run: str) -> Path:
    """Where a run's head lies."""
    return folder / "index" / f"{run}.head"


def at_work(folder: Path, run: str) -> bool:
    """Whether somebody is at this run now: a process of this machine, or a workflow that carries it."""
    return bool(carried_by(folder, run)[0]) or is_held(_lock_of(folder, run))


def run_ids(folder: Path) -> list[str]:
    """Every run that has a journal, or a head that says it had one; sorted."""
    names = {path.name.removesuffix(".jsonl") for path in (folder / "runs").glob("*.jsonl")}
    names |= {path.name.removesuffix(".head") for path in (folder / "index").glob("*.head")}
    return sorted((name for name in names if ID.fullmatch(name)), key=lambda one: (one[:8], int(one[9:])))


def resolve(text: str, known: Sequence[str], what: str) -> str:
    """The one id that `text` means: whole, or a unique prefix of at least 4 digits. Raises `BadParameter`."""
    if text in known:
        return text
    wanted = text.casefold()
    if not re.fullmatch(r"[0-9a-f]{4,64}(?:\.[0-9]*)?", wanted):
        raise BadParameter(
            f"`{text}` is not the id of a {what}: give at least 4 of its digits", next=(f"starover {what}s",)
        )
    found = [one for one in known if one.startswith(wanted)] or [one for one in known if wanted.startswith(one)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise BadParameter(f"there is no {what} {text}", next=(f"starover {what}s",))
    raise BadParameter(f"{text} means {len(found)} {what}s", next=(f"one of: {', '.join(found[:8])}",))


def read_journal(folder: Path, run: str) -> list[Entry]:
    """All entries of a run. Raises `BadParameter` when there is none, `Cut` when it cannot be trusted."""
    return _read(folder, run)[0]


def mentions(folder: Path, run: str, text: str) -> bool:
    """Whether a journal holds this text at all: a cheap look before it is read. Raises `FileNotFoundError`."""
    return msgspec.json.encode(text) in path_of(folder, run).read_bytes()


def kept(entries: Sequence[Entry]) -> list[Entry]:
    """The entries that count for a replay: without what a resume put aside, and resumes that were refused."""
    found: list[Entry] = []
    for entry in entries:
        if isinstance(entry.body, Declined):
            continue
        if isinstance(entry.body, Resumed):
            keep = entry.body.keep
            found = [one for one in found if one.n <= keep]
        found.append(entry)
    return found


def _read(folder: Path, run: str) -> tuple[list[Entry], int, str]:
    """Entries, the number of good bytes, and the hash of the last line. The head is read first: it is written last, and
    the run may be under way in another process.
    """
    count, head = read_head(folder, run)
    try:
        data = path_of(folder, run).read_bytes()
    except FileNotFoundError:
        raise BadParameter(f"there is no run {run}", next=("starover runs",)) from None
    entries: list[Entry] = []
    last, good = _ZERO, 0
    for line in lines_of(data):
        try:
            entry = msgspec.json.decode(line, type=Entry)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            break
        if entry.n != len(entries) or entry.before != last:
            break
        entries.append(entry)
        last = hashlib.sha256(line).hexdigest()
        good += len(line) + 1
        if entry.n + 1 == count and last != head:
            raise _cut(run)
    if not entries and not count:
        raise BadParameter(
            f"run {run} ended before its first record: nothing was sent",
            next=("plan and apply again",),
        )
    if len(entries) < count or (good < len(data) and b"\n" in data[good:]):
        raise _cut(run)
    return entries, good, last


def lines_of(data: bytes) -> Iterator[bytes]:
    """The whole lines."""
    *whole, _ = data.split(b"\n")
    yield from whole


def read_head(folder: Path, run: str) -> tuple[int, str]:
    """How many lines there were at the last append, and the hash of the last one; (0, "") when there is no head."""
    last = _read_head(folder, run)
    while (again := _read_head(folder, run)) != last:  # it is written over at this very moment
        last = again
    return last


def _read_head(folder: Path, run: str) -> tuple[int, str]:
    try:
        count, _, digest = head_of(folder, run).read_text("ascii").strip().partition(" ")
        return int(count), digest
    except (OSError, ValueError):
        return 0, ""


def _cut(run: str) -> Cut:
    return Cut(
        f"the journal of {run} is not as it was written",
        certain=("nothing was sent",),
        next=("starover audit verify   names what is wrong",),
    )


def _open_head(folder: Path, run: str) -> IO[bytes]:
    index = folder / "index"
    index.mkdir(parents=True, exist_ok=True)
    path = head_of(folder, run)
    new = not path.exists()
    file = path.open("xb" if new else "r+b", buffering=0)
    if new:
        durable.sync_folder(index)
    return file


def _lock(folder: Path, run: str) -> sqlite3.Connection:
    """Keep other processes out for as long as this one lives."""
    lock = hold(_lock_of(folder, run), seconds=_GLANCE)
    if lock is None:
        raise Locked(
            f"run {run} is under way in another process",
            certain=("nothing was sent by this one",),
            next=("wait for it, or stop it there",),
        )
    return lock


def _lock_of(folder: Path, run: str) -> Path:
    return folder / "index" / f"{run}.lock"


def _check_carried(folder: Path, run: str, carrier: str) -> None:
    """Raises `Locked`."""
    by, _ = carried_by(folder, run)
    if by and by != carrier:
        raise Locked(
            f"run {run} is carried by {by}",
            certain=("nothing was sent by this process",),
            next=(
                "starover runs --engine temporal   where it is, and how to stop it",
                f"is that server gone for good, and no worker of it at work: remove {place_of(folder, run)}",
            ),
        )

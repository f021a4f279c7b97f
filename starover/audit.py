"""Whether the journals are as they were written: changed, missing, swapped, cut and deleted records; mends nothing.

What it can show: that nothing was altered since, as long as journals and heads were not forged together. Copy `index/`
to another machine now and then, and even that shows.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from starover.errors import Mistake
from starover.journal import Begun, Entry, head_of, path_of, read_head, run_ids
from starover.plan import read_plan

__all__ = ["Finding", "verify"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that is not as it was written."""

    run: str
    """The run, or the plan."""
    kind: Literal["changed", "missing", "swapped", "cut", "deleted", "unreadable", "crash"]
    """`crash` is no tampering: a process ended while it wrote, and a resume puts it right."""
    line: int | None = None
    """Record in its file, from 0."""
    says: str

    @property
    def harmless(self) -> bool:
        """It tells of a crash and of nothing worse."""
        return self.kind == "crash"


def verify(folder: Path) -> list[Finding]:
    """Look at every run and every saved plan under `folder`. Empty: all is as it was written."""
    found: list[Finding] = []
    ids = run_ids(folder)
    for run in ids:
        found += _run(folder, run)
    found += _gaps(ids)
    for path in sorted((folder / "plans").glob("*.json")):
        try:
            plan = read_plan(path.read_bytes())
        except (Mistake, OSError) as error:
            found.append(Finding(run=path.stem, kind="changed", says=f"plan {path.stem}: {error}"))
        else:
            if plan.id != path.stem:
                found.append(Finding(run=path.stem, kind="swapped", says=f"plan {path.stem} holds plan {plan.id}"))
    return found


def _gaps(ids: list[str]) -> Iterator[Finding]:
    numbers: dict[str, set[int]] = {}
    for run in ids:
        numbers.setdefault(run[:8], set()).add(int(run[9:]))
    for stem, seen in numbers.items():
        for number in sorted(set(range(1, max(seen))) - seen):
            yield Finding(
                run=f"{stem}.{number}",
                kind="deleted",
                says=f"run {stem}.{number} is gone, with its head: later ones are there",
            )


def _run(folder: Path, run: str) -> Iterator[Finding]:
    count, head = read_head(folder, run)
    try:
        data = path_of(folder, run).read_bytes()
    except FileNotFoundError:
        yield Finding(run=run, kind="deleted", says=f"run {run} is gone: its head tells of {count} records")
        return
    if not data.strip() and not count:
        yield Finding(run=run, kind="crash", says=f"run {run} ended before its first record")
        return
    if not head_of(folder, run).exists():
        yield Finding(run=run, kind="deleted", says=f"the head of run {run} is gone: its end cannot be proven")
    elif not head and data.count(b"\n") > 1:  # with one record only, it ended before the head was written
        yield Finding(run=run, kind="changed", says=f"the head of run {run} cannot be read")
    *lines, rest = data.split(b"\n")
    entries = [_entry(line) for line in lines]
    yield from _order(run, entries)
    yield from _chain(run, lines, entries)
    yield from _end(run, lines, rest, count, head)
    if entries and (first := entries[0]) is not None and (not isinstance(first.body, Begun) or first.body.run != run):
        yield Finding(run=run, kind="swapped", line=0, says=f"the file of run {run} holds another run's journal")


def _entry(line: bytes) -> Entry | None:
    try:
        return msgspec.json.decode(line, type=Entry)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _order(run: str, entries: list[Entry | None]) -> Iterator[Finding]:
    """Records that are missing within, or stand in another order."""
    there = [entry.n for entry in entries if entry is not None]
    for n in sorted(set(range(max(there, default=-1) + 1)) - set(there)):
        if n >= len(entries) or entries[n] is not None:
            yield Finding(run=run, kind="missing", line=n, says=f"record {n} of run {run} is missing")
    for before, after in itertools.pairwise(there):
        if after < before:
            yield Finding(
                run=run, kind="swapped", line=after, says=f"record {after} of run {run} stands behind {before}"
            )
        elif after == before:
            yield Finding(run=run, kind="changed", line=after, says=f"record {after} of run {run} stands there twice")


def _chain(run: str, lines: list[bytes], entries: list[Entry | None]) -> Iterator[Finding]:
    """Records whose hash is not the one that the next record names."""
    by_number = {entry.n: (line, entry) for line, entry in zip(lines, entries, strict=True) if entry is not None}
    for at, entry in enumerate(entries):
        if entry is None:
            yield Finding(run=run, kind="unreadable", line=at, says=f"record {at} of run {run} cannot be read")
    for n, (line, _) in by_number.items():
        after = by_number.get(n + 1)
        if after is not None and after[1].before != hashlib.sha256(line).hexdigest():
            says = f"record {n} of run {run} was changed, or {n + 1} was: one does not follow from the other"
            yield Finding(run=run, kind="changed", line=n, says=says)
    if 0 in by_number and by_number[0][1].before != "0" * 64:
        yield Finding(run=run, kind="changed", line=0, says=f"record 0 of run {run} was changed")


def _end(run: str, lines: list[bytes], rest: bytes, count: int, head: str) -> Iterator[Finding]:
    """What the head says of the last record."""
    if len(lines) < count:
        says = f"run {run} was cut: {len(lines)} of {count} records are there"
        yield Finding(run=run, kind="cut", line=len(lines), says=says)
    elif count and hashlib.sha256(lines[count - 1]).hexdigest() != head:
        says = f"record {count - 1} of run {run} is not the one its head names"
        yield Finding(run=run, kind="changed", line=count - 1, says=says)
    if len(lines) > count or rest:
        extra = len(lines) - count + bool(rest)
        says = f"run {run} ended while it wrote: {extra} record(s) after its head"
        yield Finding(run=run, kind="crash", line=count, says=says)

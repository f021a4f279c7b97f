"""Whether the journals are as they were written: changed, missing, swapped, cut and deleted records; mends nothing.

Works offline, on files alone. What it can show without help: that nothing was altered since, as long as journals, heads
and list were not forged together. Signed heads, or a copy of `index/` kept elsewhere, show even that. What was not
checked is told with what was found.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from starover.errors import BadParameter, Mistake
from starover.events import RunEnded
from starover.journal import (
    Acknowledged,
    Begun,
    Declined,
    Entry,
    Recorded,
    Saved,
    Stopped,
    head_of,
    path_of,
    read_head,
    run_ids,
)
from starover.journal_brought import Order, brought, orders
from starover.journal_chain import Former
from starover.journal_heads import SignedHead, read_signed, signed_of
from starover.plan import read_plan
from starover.signatures import NAMESPACE_HEAD, check

__all__ = ["Checked", "Finding", "check_folder", "verify"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that is not as it was written."""

    run: str
    """The run, or the plan."""
    kind: Literal["changed", "missing", "swapped", "cut", "deleted", "unreadable", "unsigned", "crash"]
    """`crash` is no tampering: a process ended while it wrote, and a resume puts it right."""
    line: int | None = None
    """Record in its file, from 0."""
    says: str

    @property
    def harmless(self) -> bool:
        """It tells of a crash and of nothing worse."""
        return self.kind == "crash"


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What was looked at, what was found, and what nobody could check."""

    findings: tuple[Finding, ...]
    runs: int
    plans: int
    signed: Mapping[str, int]
    """How many runs have a head signed by whom, as the allowed signers are named."""
    unchecked: tuple[str, ...]
    """In words, one thing each."""


@dataclass(frozen=True)
class _Run:
    """A journal as it lies there."""

    name: str
    lines: tuple[bytes, ...]
    entries: tuple[Entry | None, ...]
    rest: bytes
    """What stands behind the last whole line."""
    there: bool
    count: int
    """As its head has it."""
    head: str
    headed: bool
    """There is a head, be it one that cannot be read."""
    signed: SignedHead | None
    is_signed: bool
    """There is a signed head, be it one that cannot be read."""

    @property
    def begun(self) -> Begun | None:
        first = self.entries[0] if self.entries else None
        return first.body if first is not None and isinstance(first.body, Begun) else None

    @property
    def last(self) -> Entry | None:
        return self.entries[-1] if self.entries else None

    def hash_of(self, record: int) -> str:
        """Of a record by its number; empty: it is not there."""
        return hashlib.sha256(self.lines[record]).hexdigest() if 0 <= record < len(self.lines) else ""


def verify(folder: Path) -> list[Finding]:
    """Look at every run and every saved plan under `folder`. Empty: all is as it was written."""
    return list(check_folder(folder).findings)


def check_folder(folder: Path, *, signers: Path | None = None, heads: Path | None = None) -> Checked:
    """Look at everything under `folder`, offline.

    `signers`: the file of allowed signers that signed heads are held against. `heads`: a copy of `index/` that was kept
    elsewhere; every head in it must still be a head here.
    """
    found: list[Finding] = []
    unchecked: list[str] = []
    files = {path: path.read_bytes() for path in sorted((folder / "plans").glob("*.json")) if path.is_file()}
    ids = run_ids(folder)
    runs = {run: _read(folder, run) for run in ids}
    for run in ids:
        found += _run(runs[run])
    found += _gaps(ids, {run for one in orders(folder) for run in one.away})
    found += _chain_over_runs(folder, runs, unchecked)
    signed: dict[str, int] = {}
    found += _signatures(runs, signers, signed, unchecked)
    found += _plans(folder, files, runs)
    if heads is not None:
        found += _copied_heads(heads, runs)
    elif runs:
        unchecked.append(
            "whether journals, heads and the list were forged or taken away together: "
            "only a copy of index/ from elsewhere tells (--heads), or a sink with object lock"
        )
    return Checked(
        findings=tuple(_told_once(found)), runs=len(ids), plans=len(files), signed=signed, unchecked=tuple(unchecked)
    )


def _told_once(found: list[Finding]) -> Iterator[Finding]:
    """What is gone is missed in several places."""
    gone: set[str] = set()
    for one in found:
        if one.kind != "deleted" or one.run not in gone:
            yield one
        gone |= {one.run} if one.kind == "deleted" else set()


def _read(folder: Path, run: str) -> _Run:
    """What is written later is read earlier: somebody may be at work meanwhile, and nothing is wrong for that."""
    is_signed = signed_of(folder, run).exists()
    signed = read_signed(folder, run) if is_signed else None
    count, head = read_head(folder, run)
    headed = head_of(folder, run).exists()
    try:
        data, there = path_of(folder, run).read_bytes(), True
    except OSError as error:
        data, there = b"", not isinstance(error, FileNotFoundError)
    *lines, rest = data.split(b"\n")
    return _Run(
        name=run,
        lines=tuple(lines),
        entries=tuple(_entry(line) for line in lines),
        rest=rest,
        there=there,
        count=count,
        head=head,
        headed=headed,
        signed=signed,
        is_signed=is_signed,
    )


# -- one run -----------------------------------------------------------------------------------------------------------


def _gaps(ids: list[str], away: Set[str]) -> Iterator[Finding]:
    numbers: dict[str, set[int]] = {}
    for run in ids:
        numbers.setdefault(run[:8], set()).add(int(run[9:]))
    for stem, seen in numbers.items():
        for number in sorted(set(range(1, max(seen))) - seen):
            if f"{stem}.{number}" in away:
                continue  # it stayed in the folder that this one was brought from
            yield Finding(
                run=f"{stem}.{number}",
                kind="deleted",
                says=f"run {stem}.{number} is gone, with its head: later ones are there",
            )


def _run(read: _Run) -> Iterator[Finding]:
    run, count, head = read.name, read.count, read.head
    if not read.there:
        yield Finding(run=run, kind="deleted", says=f"run {run} is gone: its head tells of {count} records")
        return
    if not (b"".join(read.lines) + read.rest).strip() and not count:
        yield Finding(run=run, kind="crash", says=f"run {run} ended before its first record")
        return
    if not read.headed:
        yield Finding(run=run, kind="deleted", says=f"the head of run {run} is gone: its end cannot be proven")
    elif not head and len(read.lines) > 1:  # with one record only, it ended before the head was written
        yield Finding(run=run, kind="changed", says=f"the head of run {run} cannot be read")
    lines, entries = list(read.lines), list(read.entries)
    yield from _order(run, entries)
    yield from _chain(run, lines, entries)
    yield from _end(run, lines, read.rest, entries, count, head)
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


def _end(
    run: str, lines: list[bytes], rest: bytes, entries: list[Entry | None], count: int, head: str
) -> Iterator[Finding]:
    """What the head says of the last record."""
    if len(lines) < count:
        says = f"run {run} was cut: {len(lines)} of {count} records are there"
        yield Finding(run=run, kind="cut", line=len(lines), says=says)
    elif count and hashlib.sha256(lines[count - 1]).hexdigest() != head:
        says = f"record {count - 1} of run {run} is not the one its head names"
        yield Finding(run=run, kind="changed", line=count - 1, says=says)
    if len(lines) > count or rest:
        extra = len(lines) - count + bool(rest)
        read = all(one is not None and isinstance(one.body, Acknowledged) for one in entries[count:])
        # nothing follows that but somebody's word that its warnings were read, not even a resume
        if 0 < count <= len(entries) and _ended_well(entries[count - 1]) and not (entries[count:] and read):
            says = f"run {run} had ended well, and {extra} record(s) stand behind its end"
            yield Finding(run=run, kind="changed", line=count, says=says)
            return
        says = f"run {run} ended while it wrote: {extra} record(s) after its head"
        yield Finding(run=run, kind="crash", line=count, says=says)


def _ended_well(entry: Entry | None) -> bool:
    body = entry.body if entry is not None else None
    good = isinstance(body, Recorded) and isinstance(body.event, RunEnded) and body.event.exit == 0
    return good or isinstance(body, Saved)


# -- the chain over runs -----------------------------------------------------------------------------------------------


def _chain_over_runs(folder: Path, runs: Mapping[str, _Run], unchecked: list[str]) -> Iterator[Finding]:
    """Whether each run's first record names the run before it as that one is, here or in the folder it came from."""
    lists = orders(folder)
    own = lists[0].runs
    chained = {name: one.begun.former for name, one in runs.items() if one.begun is not None and one.begun.former}
    for file in (file for file, known in brought(folder).items() if known is None):
        yield Finding(run="chain", kind="unreadable", says=f"{file}, which tells of runs from elsewhere, is not read")
    homes = {name: [one for one in lists if name in one.runs and name not in one.away] for name in chained}
    if not own and not all(homes.values()):
        yield Finding(run="chain", kind="deleted", says="index/chain, the list of all runs in their order, is gone")
    for one in lists:
        yield from _listed(folder, one, runs)
    foreign: list[str] = []
    for name, former in chained.items():
        for one in homes[name]:
            yield from _place(name, former, one, unchecked)
        if not homes[name] and own and _follows(former, runs):
            says = f"run {name} is not listed in index/chain, though it follows {former.run}"
            yield Finding(run=name, kind="changed", says=says)
        elif not homes[name]:
            foreign.append(name)
        if not any(former.run in one.away for one in homes[name]):
            yield from _former(name, former, runs, known=bool(homes[name]))
    if foreign:
        unchecked.append(f"the runs before {_few(foreign)}, which came from another folder")
    loose = [name for name, one in runs.items() if one.begun is not None and one.begun.former is None]
    if loose:
        unchecked.append(f"the order of {len(loose)} run(s) of a version that did not chain them, such as {loose[0]}")


def _listed(folder: Path, one: Order, runs: Mapping[str, _Run]) -> Iterator[Finding]:
    """Each run once, and all of them there."""
    for twice in sorted(name for name, times in Counter(one.runs).items() if times > 1):
        yield Finding(run=twice, kind="changed", says=f"{one.file} lists run {twice} twice")
    for name in one.runs:
        # one that has been begun since the journals were read is there by now
        if name not in runs and name not in one.away and not path_of(folder, name).exists():
            says = f"run {name} is listed in {one.file}, and neither its journal nor its head is there"
            yield Finding(run=name, kind="deleted", says=says)


def _place(name: str, former: Former, one: Order, unchecked: list[str]) -> Iterator[Finding]:
    """Whether the list has the run that it names before it."""
    place = one.runs.index(name)
    before = one.runs[place - 1] if place else ""
    if former.run != before:
        says = f"run {name} names {former.run or 'none'} as the run before it; {one.file} has {before or 'none'}"
        yield Finding(run=name, kind="changed", line=0, says=says)
    elif before in one.away:
        unchecked.append(f"run {before}, the one before {name}: it was not taken over, {one.away[before]}")


def _follows(former: Former, runs: Mapping[str, _Run]) -> bool:
    return former.run in runs and former.head == runs[former.run].hash_of(former.records - 1)


def _former(name: str, former: Former, runs: Mapping[str, _Run], *, known: bool) -> Iterator[Finding]:
    """Whether the run before is there, as it was then."""
    if not former.run or not former.records:
        return
    if former.run not in runs:
        if known:
            says = f"run {former.run} is gone: run {name} was begun after it and names its head"
            yield Finding(run=former.run, kind="deleted", says=says)
    elif runs[former.run].lines and runs[former.run].hash_of(former.records - 1) != former.head:
        says = f"run {former.run} is not the one that run {name} found before it (record {former.records - 1})"
        yield Finding(run=former.run, kind="changed", line=former.records - 1, says=says)


# -- signatures --------------------------------------------------------------------------------------------------------


def _signatures(
    runs: Mapping[str, _Run], signers: Path | None, signed: dict[str, int], unchecked: list[str]
) -> Iterator[Finding]:
    unsigned: list[str] = []
    unheld = 0
    for name, run in runs.items():
        if not run.lines:
            continue
        one = run.signed
        wanted = run.begun is not None and run.begun.signing
        if one is None and run.is_signed:
            yield Finding(run=name, kind="changed", says=f"the signed head of run {name} cannot be read")
        elif one is None and wanted:
            yield _not_signed(run)
        elif one is None:
            unsigned.append(name)
        elif one.run != name or one.head != run.hash_of(one.records - 1):
            says = f"the head of run {name} that was signed (record {one.records - 1}) is not that of its journal"
            yield Finding(run=name, kind="changed", line=one.records - 1, says=says)
        else:
            if one.records < len(run.lines) and _over(run):
                says = f"run {name} was signed up to record {one.records - 1} of {len(run.lines) - 1}, not to its end"
                yield Finding(run=name, kind="unsigned", line=one.records, says=says)
            entry = run.entries[one.records - 1]
            if signers is None:
                unheld += 1
                continue
            try:
                who = check(one.words, one.signature, signers, NAMESPACE_HEAD, at=entry.at if entry else None)
            except BadParameter as error:
                says = f"the signature of run {name} does not hold: {error.what}"
                yield Finding(run=name, kind="changed", says=says)
            else:
                signed[who] = signed.get(who, 0) + 1
    if unsigned:
        unchecked.append(f"who wrote {len(unsigned)} run(s): not signed (no key was configured)")
    if unheld:
        unchecked.append(f"whose signatures {unheld} signed head(s) bear: no file of allowed signers (--signers)")


def _over(run: _Run) -> bool:
    """Whether a leg has ended as it should, and not by a crash."""
    told = [one.body for one in run.entries if one is not None and not isinstance(one.body, Acknowledged | Declined)]
    body = told[-1] if told else None
    return isinstance(body, Saved | Stopped) or (isinstance(body, Recorded) and isinstance(body.event, RunEnded))


def _not_signed(run: _Run) -> Finding:
    if _over(run):
        says = f"run {run.name} was to be signed, and its signed head is not there"
        return Finding(run=run.name, kind="unsigned", says=says)
    return Finding(run=run.name, kind="crash", says=f"run {run.name} ended before its head could be signed")


# -- what lies beside --------------------------------------------------------------------------------------------------


def _plans(folder: Path, files: Mapping[Path, bytes], runs: Mapping[str, _Run]) -> Iterator[Finding]:
    written: dict[str, dict[str, str]] = {}
    for name, run in runs.items():
        for entry in run.entries[-2:]:  # nothing but Ctrl-C follows it
            if entry is not None and isinstance(entry.body, Saved):
                written.setdefault(entry.body.plan, {})[entry.body.sha256] = name
    for path, data in files.items():
        hashes = written.pop(path.stem, {})
        try:
            plan = read_plan(data)
        except Mistake as error:
            yield Finding(run=path.stem, kind="changed", says=f"plan {path.stem}: {error}")
            continue
        if plan.id != path.stem:
            yield Finding(run=path.stem, kind="swapped", says=f"plan {path.stem} holds plan {plan.id}")
        elif hashes and hashlib.sha256(data).hexdigest() not in hashes:
            says = f"plan {path.stem} is not the file that run {max(hashes.values())} wrote: what its digest leaves out"
            yield Finding(run=path.stem, kind="changed", says=says)
    for plan_id, hashes in written.items():
        if (folder / "plans" / f"{plan_id}.json").exists():
            continue  # saved since the files were read
        says = f"plan {plan_id}, which run {max(hashes.values())} made, is gone"
        yield Finding(run=plan_id, kind="deleted", says=says)


def _copied_heads(heads: Path, runs: Mapping[str, _Run]) -> Iterator[Finding]:
    """Heads that were kept elsewhere: each must be that of a run here, which may have gone on since."""
    files = sorted(heads.glob("*.head"))
    if not files:
        raise BadParameter(f"{heads.as_posix()} holds no heads: it is to be a copy of index/")
    for path in files:
        name = path.stem
        count, head = _head_in(path)
        if not count:
            continue
        if name not in runs or not runs[name].lines:
            says = f"run {name} is gone: the copy of its head tells of {count} records"
            yield Finding(run=name, kind="deleted", says=says)
        elif runs[name].hash_of(count - 1) != head:
            says = f"record {count - 1} of run {name} is not the one that the copy of its head names"
            yield Finding(run=name, kind="changed", line=count - 1, says=says)


def _head_in(path: Path) -> tuple[int, str]:
    count, _, digest = path.read_text("ascii", "replace").strip().partition(" ")
    return (int(count), digest) if count.isdecimal() else (0, "")


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")

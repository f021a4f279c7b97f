"""Bringing home what was done elsewhere: the journals of another folder, checked first, copied byte for byte.

Nothing that is here is overwritten, nothing there is touched, and nobody is contacted. Doing it again does nothing, or
brings what was written there since.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from starover import durable
from starover.audit import Checked, Finding, check_folder
from starover.command_line import word
from starover.errors import BadParameter, Locked, StaroverError
from starover.events import RunEnded
from starover.journal import Begun, Entry, Recorded, Saved, head_of, lines_of, path_of, read_head, read_journal, run_ids
from starover.journal_brought import Arrival, Brought, Order, brought, brought_file, orders, write_brought
from starover.journal_carrier import carried_by
from starover.journal_chain import PATIENCE
from starover.journal_heads import signed_of
from starover.journal_lock import hold

__all__ = ["NotTaken", "Overlap", "Reconciled", "Took", "reconcile", "source_of"]


@dataclass(frozen=True, kw_only=True)
class Took:
    """A run that is here now, or as far as it has gone on."""

    run: str
    records: int
    """How many came now."""
    went_on: bool
    """Its beginning was here already."""
    over: bool
    """It has ended, and nothing is left to go on with."""


@dataclass(frozen=True, kw_only=True)
class NotTaken:
    """A run that stays where it is."""

    run: str
    why: str
    refused: bool
    """It is not as it was written, or cannot stand beside what is here; else there was nothing to take."""


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """Two runs of one DAG, from two folders, at the same time."""

    run: str
    other: str
    dag: str
    start: datetime
    """When the later of them began."""
    other_over: bool
    """The other one has ended."""


@dataclass(frozen=True, kw_only=True)
class Reconciled:
    """What became of it."""

    source: Path
    took: tuple[Took, ...]
    here: tuple[str, ...]
    """Runs that are here as they are there, or have gone on here."""
    not_taken: tuple[NotTaken, ...]
    plans: int
    """Files of plans and approvals that came along."""
    overlaps: tuple[Overlap, ...]
    checked: Checked
    """What was found of the other folder before anything was taken."""

    @property
    def refused(self) -> bool:
        """Something was not taken that should have been."""
        return any(one.refused for one in self.not_taken)


@dataclass
class _Count:
    """What is counted on the way."""

    took: list[Took] = field(default_factory=list[Took])
    here: list[str] = field(default_factory=list[str])
    not_taken: list[NotTaken] = field(default_factory=list[NotTaken])
    plans: int = 0


def source_of(named: Path) -> Path:
    """The folder of journals that is meant: itself, or `.starover` in it. Raises `BadParameter`."""
    for one in (named, named / ".starover"):
        if (one / "runs").is_dir() or (one / "index").is_dir():
            return one
    raise BadParameter(
        f"{named.as_posix()} holds no journals: it is to be a folder .starover, with runs/ and index/ in it",
        certain=("nothing was taken",),
    )


def reconcile(named: Path, folder: Path, *, who: str, at: datetime, signers: Path | None = None) -> Reconciled:
    """Take every run of another folder that is as it was written into this one.

    `signers`: the file of allowed signers that signed heads are held against. Raises `BadParameter`, `Locked`, and
    `StaroverError` where a file cannot be written.
    """
    source = source_of(named)
    if source.resolve() == folder.resolve():
        raise BadParameter(f"{source.as_posix()} is this very folder: name the one of the other machine")
    checked = check_folder(source, signers=signers)
    bad = _refused(source, [one for one in checked.findings if not one.harmless])
    count = _Count()
    lock = hold(folder / "index" / "chain.lock", seconds=PATIENCE)
    if lock is None:
        raise Locked(f"another process is beginning a run in {folder.as_posix()}", certain=("nothing was taken",))
    with closing(lock):
        list(_lists(source, folder))  # whatever is wrong with them is told before anything is taken
        try:
            for run in run_ids(source):
                _take(source, folder, run, bad.get(run, ""), count)
            _remember(source, folder, count, who, at)
        except OSError as error:
            raise StaroverError(
                f"{error.filename or folder} cannot be written: {error.strerror or error}",
                certain=("what was taken before is whole", "nothing there was changed"),
                next=(f"starover reconcile {named.as_posix()}   again: it takes what is missing",),
            ) from error
    return Reconciled(
        source=source,
        took=tuple(count.took),
        here=tuple(count.here),
        not_taken=tuple(count.not_taken),
        plans=count.plans,
        overlaps=tuple(_overlaps(folder, [one.run for one in count.took])),
        checked=checked,
    )


# -- what may not come -------------------------------------------------------------------------------------------------


def _refused(source: Path, bad: Sequence[Finding]) -> Mapping[str, str]:
    """The runs that are not as they were written, and why. What is wrong with a plan is wrong with its runs."""
    runs = run_ids(source)
    whole = next((one.says for one in bad if one.run == "chain"), "")
    if whole:
        return dict.fromkeys(runs, whole)
    why: dict[str, str] = {}
    for one in bad:
        if "." in one.run:
            why.setdefault(one.run, one.says)
        else:
            for run in runs:
                if one.run in _plans_of(source, run):
                    why.setdefault(run, one.says)
    return why


def _plans_of(folder: Path, run: str) -> set[str]:
    """Ids of the plans that a run made or applied."""
    try:
        entries = read_journal(folder, run)
    except BadParameter:
        return {run[:8]}
    found = {one.body.plan for one in entries if isinstance(one.body, Saved)}
    begun = entries[0].body
    return found | ({begun.plan.id} if isinstance(begun, Begun) and begun.plan is not None else set())


# -- one run -----------------------------------------------------------------------------------------------------------


def _take(source: Path, folder: Path, run: str, bad: str, count: _Count) -> None:
    records, head = read_head(source, run)
    if bad:
        count.not_taken.append(NotTaken(run=run, why=bad, refused=True))
        return
    if not records:
        why = "it ended before its first record: nothing was sent"
        count.not_taken.append(NotTaken(run=run, why=why, refused=False))
        return
    theirs = b"".join(line + b"\n" for line in _first(lines_of(path_of(source, run).read_bytes()), records))
    mine = _bytes(path_of(folder, run))
    if mine and not theirs.startswith(mine) and not mine.startswith(theirs):
        count.not_taken.append(NotTaken(run=run, why=_two(folder, source, run), refused=True))
        return
    if len(mine) >= len(theirs) and head_of(folder, run).exists():
        count.here.append(run)
    else:
        if by := carried_by(folder, run)[0]:  # it goes on when its server is back, and knows nothing of these records
            why = f"its beginning is here, and it is carried here by {by}"
            count.not_taken.append(NotTaken(run=run, why=why, refused=True))
            return
        with_lock = hold(folder / "index" / f"{run}.lock")
        if with_lock is None:
            why = "its beginning is here, and somebody goes on with it here just now"
            count.not_taken.append(NotTaken(run=run, why=why, refused=True))
            return
        with closing(with_lock):
            _grow(path_of(folder, run), mine, theirs)
            _replace(head_of(folder, run), b"%012d %s\n" % (records, head.encode()))
        entries = read_journal(folder, run)
        came = records - mine.count(b"\n")
        count.took.append(Took(run=run, records=came, went_on=bool(mine), over=_over(entries)))
    if theirs == _bytes(path_of(folder, run)) and (signed := _bytes(signed_of(source, run))):
        _replace(signed_of(folder, run), signed)
    for plan in _plans_of(folder, run):
        for place in (Path("plans") / f"{plan}.json", Path("approvals") / f"{plan}.json"):
            if (source / place).is_file() and not (folder / place).exists():
                _replace(folder / place, (source / place).read_bytes())
                count.plans += 1


def _first(lines: Iterable[bytes], number: int) -> Iterator[bytes]:
    for _, line in zip(range(number), lines, strict=False):
        yield line


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def _two(folder: Path, source: Path, run: str) -> str:
    """Why two journals of one id cannot both be here."""
    first = [_begun(read_journal(one, run)) for one in (folder, source)]
    if None not in first and first[0] and first[1] and first[0].key == first[1].key:
        return "it went on in both places, differently: each has records that the other has not"
    by = first[0].who if first[0] else "somebody"
    return f"another run of the same id is here, by {by}: both were numbered {run.partition('.')[2]} of their plan"


def _grow(path: Path, mine: bytes, theirs: bytes) -> None:
    """Bring the file to `theirs`, of which `mine` is the beginning. A new one appears whole, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if mine:
        with path.open("ab") as file:
            file.write(theirs[len(mine) :])
            file.flush()
            os.fsync(file.fileno())
        return
    part = path.with_suffix(".part")
    durable.write(part, theirs)
    os.link(part, path)  # fails where somebody has begun a run of that id in the meantime
    part.unlink()


def _replace(path: Path, data: bytes) -> None:
    durable.replace(path, data)


# -- the lists ---------------------------------------------------------------------------------------------------------


def _remember(source: Path, folder: Path, count: _Count, who: str, at: datetime) -> None:
    """Keep the other folder's lists, so that the audit can hold its runs against them here too."""
    why = {one.run: one.why for one in count.not_taken}
    taken = {one.run for one in count.took}
    there, own = set(run_ids(folder)), set(orders(folder)[0].runs)
    for file, one, before in _lists(source, folder):
        news = tuple(run for run in one.runs if run in taken)
        if not news and set(one.runs) <= own:
            continue  # it is a copy of this folder
        away = {**before.away, **one.away}
        for run in one.runs:
            if run in why or run not in there:
                away[run] = why.get(run) or away.get(run, "it was gone there already")
            else:
                away.pop(run, None)
        longer = one.runs if len(one.runs) > len(before.order) else before.order
        arrivals = (*before.arrivals, *([Arrival(at=at, who=who, runs=news)] if news else []))
        known = Brought(order=longer, away=away, arrivals=arrivals)
        if known != before:
            write_brought(folder, file, known)


def _lists(source: Path, folder: Path) -> Iterator[tuple[str, Order, Brought]]:
    """Every list there, where it is kept here, and what is known of it; a list may only have grown.

    Raises `BadParameter`.
    """
    for one in orders(source):
        if not one.runs:
            continue
        file = brought_file(one.runs[0])
        before = brought(folder).get(file) or Brought(order=(), away={}, arrivals=())
        shorter = min(len(before.order), len(one.runs))
        if before.order[:shorter] != one.runs[:shorter]:
            raise BadParameter(
                f"{one.file} there is not what {file} here has of it: runs were taken out, or put in between",
                certain=("nothing was taken", "what came from there before is here, as it was"),
                next=(f"starover --dir {word(source.as_posix())} audit verify",),
            )
        yield file, one, before


# -- at the same time --------------------------------------------------------------------------------------------------


def _begun(entries: Sequence[Entry]) -> Begun | None:
    body = entries[0].body if entries else None
    return body if isinstance(body, Begun) else None


def _over(entries: Sequence[Entry]) -> bool:
    ended = [
        one.body.event for one in entries if isinstance(one.body, Recorded) and isinstance(one.body.event, RunEnded)
    ]
    return any(isinstance(one.body, Saved) for one in entries) or (bool(ended) and not ended[-1].resume)


def _dag_of(begun: Begun) -> str:
    """The DAG that a run changes; empty: none, or it only planned."""
    if begun.plan is None or not begun.plan.changes:
        return ""
    return (begun.lease.dag if begun.lease is not None else "") or str(begun.parameters.get("dag") or "")


def _overlaps(folder: Path, came: Sequence[str]) -> Iterator[Overlap]:
    """Runs of the same DAG that went on here while these did there."""
    news = set(came)
    known: dict[str, tuple[Begun, datetime, datetime, bool]] = {}
    for run in run_ids(folder):
        try:
            entries = read_journal(folder, run)
        except BadParameter:
            continue
        begun = _begun(entries)
        if begun is not None and _dag_of(begun):
            known[run] = begun, entries[0].at, entries[-1].at, _over(entries)
    for run in came:
        if run not in known:
            continue
        begun, start, end, over = known[run]
        for other, (its, since, until, ended) in known.items():
            same = (its.estate, _dag_of(its).casefold()) == (begun.estate, _dag_of(begun).casefold())
            if other not in news and same and (since <= end or not over) and (start <= until or not ended):
                later = max(start, since)
                yield Overlap(run=run, other=other, dag=_dag_of(begun), start=later, other_over=ended)

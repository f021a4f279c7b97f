"""The journals of a worker, written for workflows: every write is idempotent by its place; performs no script.

What a workflow has decided stands in its history, and only then anything is sent; the journal says the same. A task
that was cut off may have written lines that its history does not have: whoever goes on puts them aside, as a resume
does.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import msgspec
from temporalio import activity
from temporalio.exceptions import ApplicationError

import starover
from starover.drivers.listeners import Listeners
from starover.drivers.local import save_plan
from starover.drivers.past import find_in, is_dead, other_roads
from starover.drivers.refusals import keep_refusal
from starover.drivers.temporal.failures import failure
from starover.drivers.temporal.payloads import (
    Asking,
    Began,
    Beginning,
    Holding,
    Kept,
    Line,
    Refusing,
    Saving,
    Told,
    Turn,
    Unbegun,
    Written,
)
from starover.drivers.temporal.site import Site
from starover.effects import Failed, Find, Ok
from starover.errors import BadParameter, Fault, Locked, Mistake, NotApproved, Refused, StaroverError
from starover.events import Told as Telling
from starover.journal import Begun, Entry, Journal, Recorded, Resumed, kept, path_of, read_journal, run_ids
from starover.journal_carrier import carried_by, carry, let_go
from starover.journal_heads import sign_head

__all__ = ["Keeper"]

IDLE = 1.0
"""Seconds after its last write for which a worker keeps a journal open: another one may have to go on with it."""
PATIENCE = 3.0
"""Seconds for which another worker's journal is waited for, before the server is told to try again."""
_PAUSE = 0.1


@runtime_checkable
class Forgetful(Protocol):
    """A clock that was told of scripts which will not come: letting it go makes it forget them."""

    def close(self) -> None:
        """Forget; it goes on when it is asked again."""
        ...


@dataclass(eq=False)
class _Open:
    """A journal that this process has open."""

    journal: Journal
    used: float
    lines: list[Entry] = field(default_factory=list[Entry])
    """Those that count, without what was said of putting others aside."""


class Keeper:
    """Writes the journals of a folder; one for a worker."""

    def __init__(self, site: Site) -> None:
        """Nothing is open yet."""
        self.site = site
        self._open: dict[str, _Open] = {}
        self._lock = threading.RLock()
        self._waiting = threading.Condition(self._lock)
        self._listeners = Listeners(site.sinks)
        self._ends = threading.Event()
        self._idler: threading.Thread | None = None

    @property
    def activities(self) -> Sequence[Callable[..., object]]:
        """What a worker offers."""
        return (self.begin, self.write, self.save, self.look, self.hold, self.unbegun, self.refuse)

    def close(self) -> None:
        """Let every journal go."""
        self._ends.set()
        if self._idler is not None:
            self._idler.join()
        with self._lock:
            for run in list(self._open):
                self._open.pop(run).journal.close()

    # -- what workflows ask --------------------------------------------------------------------------------------

    @activity.defn(name="starover-begin")
    def begin(self, asked: Beginning) -> Began:
        """A journal for a run; asked again, the same one."""
        with self._lock, _refusing():
            folder, begun = self.site.folder, asked.begun
            for run in run_ids(folder):
                if run.startswith(asked.stem) and (first := self._first(run)) is not None and first.key == begun.key:
                    if not carried_by(folder, run)[0]:
                        carry(folder, run, asked.workflow, asked.epoch)
                    return self._began(run)
            journal = Journal.create(folder, asked.stem)
            try:
                begun = msgspec.structs.replace(
                    begun, run=journal.run, former=journal.former, signing=self.site.sign is not None
                )
                journal.append(self.site.clock.now(), begun)
                carry(folder, journal.run, asked.workflow, asked.epoch)
            except BaseException:
                journal.close()
                raise
            self._keep_open(journal)
            return self._began(journal.run)

    @activity.defn(name="starover-write")
    def write(self, asked: Turn) -> Written:
        """Lines, each once."""
        with _refusing():
            unsigned = ""
            with self._lock:
                if asked.lines or asked.ends:
                    unsigned = self._write(asked)
                clock = self.site.clock
                if asked.lost and isinstance(clock, Forgetful):
                    clock.close()
                if not asked.scripts or asked.lost:
                    clock.expect(0)
                return Written(at=clock.now(), unsigned=unsigned)

    @activity.defn(name="starover-save")
    def save(self, asked: Saving) -> Kept:
        """A plan, in its file."""
        with self._lock, _refusing():
            servers = {server.name: server for server in self.site.estate.servers}
            entries = read_journal(self.site.folder, asked.run)
            notes = (*asked.plan.notes, *other_roads(entries, servers))
            plan = msgspec.structs.replace(asked.plan, notes=notes)
            return Kept(plan=plan, saved=save_plan(self.site.folder, plan))

    @activity.defn(name="starover-look")
    def look(self, asked: Asking) -> Told:
        """What other journals here say."""
        folder, effect = self.site.folder, asked.effect
        if isinstance(effect, Find):
            return Told(answer=find_in(folder, effect, but=asked.run), digest=asked.digest)
        alive = Failed(fault=Fault.of(NotApproved(f"run {effect.run} is not known to have ended")))
        dead = is_dead(folder, effect.run, effect.key, but=asked.run)
        return Told(answer=Ok() if dead else alive, digest=asked.digest)

    @activity.defn(name="starover-hold")
    def hold(self, asked: Holding) -> Told:
        """An approval, held against the house rules of this worker."""
        if self.site.house is None:
            return Told(answer=asked.approval)
        try:
            return Told(answer=self.site.house().check(asked.plan, asked.approval, self.site.clock.now()))
        except Refused as refused:
            return Told(answer=Failed(fault=Fault.of(refused)))
        except StaroverError as error:
            raise failure(error) from error

    @activity.defn(name="starover-unbegun")
    def unbegun(self, asked: Unbegun) -> None:
        """Whoever cares for schedules hears of a start that came to no run, or to one without an end."""
        if self.site.unbegun is not None:
            self.site.unbegun(asked.who, asked.fault.raised(), self.site.clock.now())

    @activity.defn(name="starover-refuse")
    def refuse(self, asked: Refusing) -> None:
        """What was refused before it was a run stands in the journal; asked again, once."""
        with self._lock, _refusing():
            folder = self.site.folder
            for run in run_ids(folder):
                if run.startswith(asked.key[:8]) and (first := self._first(run)) is not None and first.key == asked.key:
                    return
            keep_refusal(
                folder,
                self.site.clock.now(),
                asked.fault,
                asked=asked.asked,
                who=asked.who,
                estate=asked.estate,
                lab=asked.lab,
                content=asked.content,
                exit=asked.exit,
                plan=asked.plan,
                runbook=asked.runbook,
                parameters=asked.parameters,
                ticket=asked.ticket,
                reason=asked.reason,
                key=asked.key,
                sign=self.site.sign,
            )

    # -- inside --------------------------------------------------------------------------------------------------

    def _first(self, run: str) -> Begun | None:
        try:
            first = read_journal(self.site.folder, run)[0].body
        except BadParameter:
            return None
        return first if isinstance(first, Begun) else None

    def _began(self, run: str) -> Began:
        at = self._open[run].lines[0].at if run in self._open else read_journal(self.site.folder, run)[0].at
        journal = path_of(self.site.folder, run).as_posix()
        return Began(run=run, at=at, version=starover.__version__, journal=journal)

    def _write(self, asked: Turn) -> str:
        folder, run = self.site.folder, asked.run
        one = self._journal(run, asked.workflow)
        by, epoch = carried_by(folder, run)
        if by != asked.workflow and (by or _same(one.lines[asked.first :], asked.lines) < len(asked.lines)):
            # (the last write of a run lets it go, and may be asked for once more)
            raise Locked(
                f"run {run} is not carried by this workflow any more, but by {by or 'nobody'}",
                certain=("nothing more was sent by this workflow",),
                next=(f"starover runs show {run}   who has gone on with it, on a machine of the workers",),
            )
        self._append(one, asked, epoch)
        one.used = time.monotonic()
        if not asked.ends:
            return ""
        unsigned = sign_head(one.journal, self.site.sign)
        let_go(folder, run)
        self._open.pop(run).journal.close()
        return unsigned

    def _append(self, one: _Open, asked: Turn, epoch: int) -> None:
        """What is there already is left alone, and so is what follows it: the next turn says whether that counts."""
        journal, clock = one.journal, self.site.clock
        if asked.first > len(one.lines):
            raise Mistake(
                f"the journal of {asked.run} has {len(one.lines)} lines that count, and should have {asked.first}",
                certain=("nothing was sent since",),
                next=("do all workers of this estate share one folder for journals?",),
            )
        there = one.lines[asked.first :]
        same = _same(there, asked.lines)
        if same < len(asked.lines) and same < len(there):
            # A task that was cut off had written something else, which its history does not have: one of the two.
            if asked.epoch < epoch:
                raise ApplicationError("another worker has gone on with this run meanwhile", non_retryable=True)
            last = one.lines[asked.first + same - 1].n
            journal.append(clock.now(), Resumed(who=asked.workflow, keep=last))
            del one.lines[asked.first + same :]
        fresh = asked.lines[same:]
        if not fresh:
            return
        if asked.epoch > epoch:
            carry(self.site.folder, asked.run, asked.workflow, asked.epoch)
        at = clock.now()
        before = len(journal.entries)
        journal.append(at, *fresh)
        one.lines += journal.entries[before:]
        for line in fresh:
            if isinstance(line, Recorded):
                self._listeners.tell(Telling(at=at, run=asked.run, event=line.event))

    # -- journals that are open ----------------------------------------------------------------------------------

    def _journal(self, run: str, carrier: str) -> _Open:
        """The journal, waiting a little for another worker that has just written. Raises `Locked`."""
        until = time.monotonic() + PATIENCE
        while (found := self._open.get(run)) is None:
            try:
                return self._keep_open(Journal.open(self.site.folder, run, carrier))
            except Locked as locked:
                if carried_by(self.site.folder, run)[0] not in ("", carrier):
                    raise
                if time.monotonic() > until:
                    raise ApplicationError(f"{locked.what}: it is tried again") from locked
            self._waiting.wait(_PAUSE)  # other runs are written meanwhile
        return found

    def _keep_open(self, journal: Journal) -> _Open:
        lines = [one for one in kept(journal.entries) if not isinstance(one.body, Resumed)]
        found = self._open[journal.run] = _Open(journal, time.monotonic(), lines)
        if self._idler is None:
            self._idler = threading.Thread(target=self._idle, daemon=True)
            self._idler.start()
        return found

    def _idle(self) -> None:
        while not self._ends.wait(IDLE / 2):
            with self._lock:
                for run, one in list(self._open.items()):
                    if time.monotonic() - one.used > IDLE:
                        self._open.pop(run).journal.close()


def _same(there: Sequence[Entry], lines: Sequence[Line]) -> int:
    """How many of these lines are there, from the first on."""
    for number, (entry, line) in enumerate(zip(there, lines, strict=False)):
        if entry.body != line and msgspec.json.encode(entry.body) != msgspec.json.encode(line):
            return number
    return min(len(there), len(lines))


@contextmanager
def _refusing() -> Generator[None]:
    """An error of ours ends the run that asked; what only needs patience is tried again."""
    try:
        yield
    except StaroverError as error:
        if error.exit == 1:
            raise
        raise failure(error) from error

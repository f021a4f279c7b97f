"""The engine's own scheduler: processes that want readings and effects; knows no runbook, no plan and no guard.

A process is a generator. It yields what it wants and is sent what it got. Whatever is ready at the same moment is run
first; then the readings wanted by then are merged, one script for each server, equal readings once; calls go singly.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias
from uuid import UUID, uuid5

import msgspec
from typing_extensions import TypeVar

from starover import envelope
from starover.effects import Done, Effect, Facts, Failed, Poll, Reaction, Script, Send, Until, digest_of
from starover.errors import BadReport, CmdletFailed, Fault, PlanIsStale, StaroverError
from starover.remote_errors import advice
from starover.render import Arg, Body
from starover.retry import Again, decide
from starover.runbook import Content
from starover.step import Read, Verdict
from starover.transport import Part
from starover.values import plain

__all__ = ["Got", "Join", "Process", "Scheduler", "Task", "Want", "Watch", "answer_of", "perform", "read", "watch"]

T = TypeVar("T", default=None)

MERGED = 22_000
"""Characters of the parts of one merged reading: with what is around them it stays below 32 KB."""
WRAPPED = 800
"""Characters that the wrapper adds to a part, at most."""


@dataclass(eq=False)
class Task:
    """A process under way or ended."""

    process: Process[object]
    root: bool = False
    """Somebody outside looks at how it ended."""
    join: Join | None = None
    ended: bool = False
    value: object = None
    error: BaseException | None = None


@dataclass(eq=False)
class Join:
    """Wanted: that these processes run side by side, and to be told when the last one has ended."""

    processes: Sequence[Process[object]]
    tasks: list[Task] = field(default_factory=list[Task])
    parent: Task | None = None


@dataclass(frozen=True)
class Watch:
    """Wanted: a poll, with what its readings mean."""

    poll: Poll
    judge: Callable[[bytes], Verdict]


Want: TypeAlias = Read | Effect | Watch | Join
Got: TypeAlias = bytes | Reaction | None
Process: TypeAlias = Generator[Want, Got, T]


def read(wanted: Read) -> Process[bytes]:
    """Get a reading as JSON. Raises what went wrong."""
    got = yield wanted
    assert isinstance(got, bytes)
    return got


def perform(effect: Effect) -> Process[Reaction]:
    """Have an effect performed; a failure is an answer here."""
    got = yield effect
    assert got is not None
    assert not isinstance(got, bytes)
    return got


def watch(poll: Poll, judge: Callable[[bytes], Verdict]) -> Process[Reaction]:
    """Have a poll performed."""
    got = yield Watch(poll, judge)
    assert got is not None
    assert not isinstance(got, bytes)
    return got


def answer_of(facts: Facts, part: str, what: str) -> bytes:
    """The facts of one part. Raises `CmdletFailed` or `BadReport`."""
    if (record := facts.errors.get(part)) is not None:
        said = f"{what} failed on {facts.host}: {record.message}"
        raise CmdletFailed(said, records=(record,), next=advice((record,)), host=facts.host)
    if (facts_of_part := facts.results.get(part)) is None:
        raise BadReport(f"{facts.host} did not answer {what}", host=facts.host)
    return bytes(facts_of_part)


@dataclass(eq=False)
class _Wanted:
    """A reading that one or several tasks want."""

    read: Read
    body: Body
    arguments: bytes
    """As a JSON object."""
    tasks: list[Task]


class Scheduler:
    """Runs processes until all of them wait, and says what they wait for."""

    def __init__(self, content: Content, key: str, judges: dict[int, Callable[[bytes], Verdict]]) -> None:
        """`key` is the run's own UUID: what is derived from it is unique to the run and the same on replay.

        `judges` is filled with what the readings of a poll mean, by its number.
        """
        self.content = content
        self.key = UUID(key)
        self.judges = judges
        self.answered = 0
        """Number of the effect whose end is being worked off: the cause of whatever happens now."""
        self._count = 0
        self._nonces = 0
        self._ready: deque[tuple[Task, Got, BaseException | None]] = deque()
        self._reads: list[tuple[Task, Read]] = []
        self._waiting: dict[int, tuple[Task, Effect]] = {}
        self._new: list[tuple[int, Effect]] = []

    def start(self, process: Process[object], *, root: bool = False) -> Task:
        """Add a process."""
        task = Task(process, root=root)
        self._ready.append((task, None, None))
        return task

    def turn(self) -> tuple[tuple[int, Effect], ...]:
        """Run everything that can run; give the effects that are new."""
        while self._ready or self._reads:
            while self._ready:
                self._advance(*self._ready.popleft())
            self._merge()
        new, self._new = tuple(self._new), []
        return new

    def deliver(self, done: Done) -> None:
        """Take the end of one effect. Raises `PlanIsStale` when it is not one that was asked for."""
        if done.number not in self._waiting:
            raise _misfit(f"effect {done.number} is not under way")
        task, effect = self._waiting[done.number]
        if digest_of(effect) != done.digest:
            raise _misfit(f"effect {done.number} is not the one that was answered")
        del self._waiting[done.number]
        self.answered = done.number
        self._ready.append((task, done.answer, None))

    @property
    def asked(self) -> int:
        """Number of the last effect that was asked for."""
        return self._count

    def nonce(self) -> str:
        """The next 16 hex digits that mark a report."""
        self._nonces += 1
        return uuid5(self.key, f"nonce {self._nonces}").hex[:16]

    def reading(self, wanted: Read, body: Body) -> Script:
        """A script with one reading."""
        return self._script([_Wanted(wanted, body, _json(wanted.arguments), [])])

    # -- inside --------------------------------------------------------------------------------------------------

    def _advance(self, task: Task, got: Got, error: BaseException | None) -> None:
        try:
            want = task.process.send(got) if error is None else task.process.throw(error)
        except StopIteration as stop:
            value: object = stop.value
            self._end(task, value, None)
        except Exception as failure:
            self._end(task, None, failure)
        else:
            self._take(task, want)

    def _take(self, task: Task, want: Want) -> None:
        if isinstance(want, Read):
            self._reads.append((task, want))
        elif isinstance(want, Join):
            want.parent = task
            want.tasks = [self.start(process) for process in want.processes]
            for child in want.tasks:
                child.join = want
            if not want.tasks:
                self._ready.append((task, None, None))
        else:
            self._count += 1
            if isinstance(want, Watch):
                self.judges[self._count] = want.judge
                want = want.poll
            self._waiting[self._count] = (task, want)
            self._new.append((self._count, want))

    def _end(self, task: Task, value: object, error: BaseException | None) -> None:
        task.ended, task.value, task.error = True, value, error
        if task.join is None:
            if error is not None and not task.root:
                raise error
            return
        if all(one.ended for one in task.join.tasks) and task.join.parent is not None:
            self._ready.append((task.join.parent, None, None))

    def _merge(self) -> None:
        """Make one script of all the readings wanted of one server."""
        wanted: dict[str, dict[tuple[str, bytes], _Wanted]] = {}
        for task, one in self._reads:
            try:
                body = self.content.body(one.template, one.arguments)
            except StaroverError as error:
                self._ready.append((task, None, error))
                continue
            arguments = _json(one.arguments)
            same = (one.template, arguments)
            of_host = wanted.setdefault(one.server.name, {})
            if same in of_host:
                of_host[same].tasks.append(task)
            else:
                of_host[same] = _Wanted(one, body, arguments, [task])
        self._reads = []
        for of_host in wanted.values():
            scripts = [part for part in of_host.values() if not part.body.call]
            for some in _in_groups(scripts):
                self.start(self._fetch(some))
            for part in of_host.values():
                if part.body.call:
                    self.start(self._fetch([part]))

    def _fetch(self, parts: list[_Wanted]) -> Process:
        """Send one merged reading, again if that is of use, and hand each task its own part."""
        attempt = 1
        while True:
            try:
                script = self._script(parts)
            except StaroverError as error:
                if len(parts) == 1:
                    self._hand(parts[0], error)
                else:  # one that cannot be composed fails alone
                    for part in parts:
                        self.start(self._fetch([part]))
                return
            answer = yield from perform(Send(what="read", script=script))
            if isinstance(answer, Facts):
                for number, part in enumerate(parts):
                    self._hand(part, _part(answer, part, number))
                return
            assert isinstance(answer, Failed)
            decision = decide(answer.fault.raised(), mutates=False, attempt=attempt)
            if not isinstance(decision, Again):
                for part in parts:
                    self._hand(part, answer.fault)
                return
            attempt += 1
            if decision.seconds > 0:
                yield from perform(Until(seconds=decision.seconds))

    def _hand(self, part: _Wanted, result: bytes | Fault | StaroverError) -> None:
        for task in part.tasks:
            if isinstance(result, bytes):
                self._ready.append((task, result, None))
            else:  # an exception of its own for each task: they are raised in different places
                fault = result if isinstance(result, Fault) else Fault.of(result)
                self._ready.append((task, None, fault.raised()))

    def _script(self, parts: list[_Wanted]) -> Script:
        nonce = self.nonce()
        server = parts[0].read.server
        composed = envelope.reads(server, [(_id(number), part.body) for number, part in enumerate(parts)], nonce)
        return Script(
            host=server.name,
            text=composed.text,
            arguments=composed.arguments,
            way=composed.way,
            nonce=nonce,
            deadline=max(part.read.deadline for part in parts),
            parts=tuple(
                Part(
                    id=_id(number),
                    template=part.read.template,
                    sha256=part.body.sha256,
                    arguments=msgspec.Raw(part.arguments),
                )
                for number, part in enumerate(parts)
            ),
        )


def _in_groups(parts: list[_Wanted]) -> Iterator[list[_Wanted]]:
    """The parts in their order, as many to a script as keep it well below what every road carries (32 KB)."""
    group: list[_Wanted] = []
    size = 0
    for part in parts:
        more = len(part.body.text) + WRAPPED
        if group and size + more > MERGED:
            yield group
            group, size = [], 0
        group.append(part)
        size += more
    if group:
        yield group


def _json(arguments: Mapping[str, Arg]) -> bytes:
    return msgspec.json.encode({name: plain(value) for name, value in arguments.items()}, order="deterministic")


def _part(facts: Facts, part: _Wanted, number: int) -> bytes | StaroverError:
    try:
        return answer_of(facts, _id(number), part.read.template)
    except StaroverError as error:
        return error


def _id(number: int) -> str:
    return f"q{number + 1}"


def _misfit(why: str) -> PlanIsStale:
    return PlanIsStale(
        f"the recorded answers do not fit what the runbook asks now: {why}",
        certain=("nothing was sent by this attempt",),
        next=("starover plan ...   makes a new plan from the facts of now",),
    )

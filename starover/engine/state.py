"""What one machine knows while it runs: the run it was given, and what has happened so far; decides little itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID, uuid5

from starover.effects import Aside, Ok, Record, Script
from starover.engine.tasks import Process, Scheduler, perform
from starover.errors import NotSafe, OutcomeUnknown, StaroverError, Unreachable
from starover.estate import Server
from starover.events import Event, StepBegan, StepEnded
from starover.lease import Scope
from starover.plan import Plan, PlannedStep, Position
from starover.runbook import Bound, Content
from starover.step import Step, Verdict

if TYPE_CHECKING:
    from starover.engine.leasing import Leasing

__all__ = ["Failure", "Group", "GroupEnds", "Run", "State", "what_of"]


def what_of(kind: str, host: str, arguments: bytes) -> str:
    """What an operation does, as its id has it; `arguments` as JSON."""
    return f"{kind} {host} {arguments.decode()}"


@dataclass(kw_only=True)
class Run:
    """All that a machine is given. Pure data and pure functions: the same run and answers give the same effects."""

    id: str
    """`9d20e6f4.1`."""
    key: str
    """A UUID drawn for this run alone: operation ids and nonces derive from it, so they never repeat."""
    content: Content
    version: str
    """Of starover."""
    bound: Bound[object]
    estate: str
    lab: bool
    started: datetime
    """When the first leg began; reading is not older."""
    plan: Plan | None = None
    """The plan to apply; None: make one."""
    who: str = ""
    ticket: str = ""
    reason: str = ""
    earlier: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    """Operations that earlier legs sent and whose answers a resume put aside, with what was before each."""
    sent: Mapping[str, int] = field(default_factory=dict[str, int])
    """The same operations, each with the number of the last effect that was asked for before the resume that put its
    answer aside: from there on it is not sent before it is found out what became of it.
    """
    aside: Sequence[Aside] = ()
    """Those whose beginning was put aside too, by what was to be done: a list that is read anew may have moved it to
    another place in the runbook.
    """
    settled: Mapping[str, str] = field(default_factory=dict[str, str])
    """What a person has decided of outcomes that nobody could find out: `applied` or `not-applied`, by operation and
    how often it had been unsure (`OPERATION#2`).
    """
    lease: Scope | None = None
    """Who must grant the DAG's lease; None: the plan needs none."""
    legs: tuple[tuple[int, str], ...] = ()
    """Of each resume: the number of the last effect before it, and a UUID drawn for it. Each takes the lease anew."""
    servers: Mapping[str, Server] = field(default_factory=dict[str, Server])
    """Those of the estate, by name: the lease is asked for on hosts that no step names."""
    judges: dict[int, Callable[[bytes], Verdict]] = field(default_factory=dict[int, Callable[[bytes], Verdict]])
    """Filled by the machine: what the readings of a poll mean, by the poll's number."""
    steps: dict[Position, Step] = field(default_factory=dict[Position, Step])
    """Filled by the machine: the steps of the runbook, by their place."""
    leased: dict[str, Callable[[], Script | None]] = field(default_factory=dict[str, "Callable[[], Script | None]"])
    """Filled by the machine: hosts that may keep the DAG's lease for this run, each with what gives it back there."""
    unsure: Callable[[], bool] = lambda: False
    """Filled by the machine: whether nobody knows what became of some step; the lease stays then."""

    def operation(self, position: Position, attempt: int, step: str) -> str:
        """The id of the receipt: unique to run, place, try and what is done, and the same on replay."""
        serial = ".".join(str(part) for part in position)
        return str(uuid5(UUID(self.key), f"operation {serial} {attempt} {step}"))


@dataclass(frozen=True)
class Failure:
    """Something that went wrong."""

    error: StaroverError
    resume: int
    reading: bool
    steps: int = 0
    """How many steps had ended."""
    also: tuple[int, ...] = ()
    """Other effects that it comes from."""

    @property
    def counts(self) -> bool:
        """A step that failed always counts; a reading that failed does not where the runbook took it as a value."""
        return not (self.reading and self.error.attempted)


class GroupEnds(Exception):
    """A step is not begun because another part of its group has failed."""


@dataclass(eq=False)
class Group:
    """Parts that run together: when one has failed, none begins another step."""

    outer: Group | None = None
    failed: bool = False

    @property
    def ends(self) -> bool:
        """Whether this group, or one around it, has failed."""
        return self.failed or (self.outer is not None and self.outer.ends)


class State:
    """What has happened in a run so far."""

    def __init__(self, run: Run, scheduler: Scheduler) -> None:
        """Nothing yet."""
        self.run = run
        self.scheduler = scheduler
        self.planned: list[PlannedStep] = []
        self.stops: dict[Position, str] = {}
        """Where a sequence ended while planning, with the sentence that says at what."""
        self.ended: list[StepEnded] = []
        self.failures: list[Failure] = []
        self.quiet: list[Failure] = []
        """Hosts that did not answer and outcomes that are unknown: after one of them nothing more is changed."""
        self.begun: set[str] = set()
        """Every operation whose intent is journalled."""
        self.leasing: Leasing | None = None
        """The DAG's lease; None: none is needed."""
        self._beyond = 0
        run.unsure = lambda: self.unknown or bool(self.loose)

    @property
    def unknown(self) -> bool:
        """Whether nobody knows what became of some step that this leg came to."""
        return "unknown" in {one.position: one.state for one in self.ended}.values()

    def record(self, event: Event) -> Process:
        """Journal an event, before anything that follows from it."""
        if isinstance(event, StepBegan):
            self.begun.add(event.operation)
        if isinstance(event, StepEnded):
            self.ended.append(event)
        answer = yield from perform(Record(event=event))
        assert isinstance(answer, Ok)

    def note_failure(
        self, error: StaroverError, resume: int, *, also: tuple[int, ...] = (), reading: bool = False
    ) -> None:
        """Remember a failure: `resume` is the effect a later leg goes on from, and asks `also` for these anew.

        `reading`: nothing was sent.
        """
        self.failures.append(Failure(error, resume, reading=reading, steps=len(self.ended), also=also))
        self.note_quiet(error, reading=reading)

    def origins(self, error: StaroverError) -> tuple[int, ...]:
        """The effects that a later leg goes on from when the runbook itself raises `error`, first one first.

        Those are the readings which failed with it and were taken as values, or such readings since a step ended: their
        silence may be why a guard refused, so all of them are asked for again. Else the last answer there was.
        """
        taken = [one for one in self.failures if one.reading and one.error.attempted]
        own = {one.resume for one in taken if one.error is error}
        lately = {one.resume for one in taken if one.steps == len(self.ended)}
        return tuple(sorted(own or lately or {self.scheduler.answered}))

    def note_quiet(self, error: StaroverError, *, reading: bool = False) -> None:
        """After a host that did not answer, and after an unknown outcome, nothing more is changed."""
        if isinstance(error, Unreachable | OutcomeUnknown):
            self.quiet.append(Failure(error, 0, reading=reading))

    @property
    def leg(self) -> int:
        """The leg of the run that is going on, counted from 0: a resume is another one."""
        return sum(begins <= self.scheduler.asked for begins, _ in self.run.legs)

    @property
    def is_quiet(self) -> bool:
        """Whether nothing may be changed any more."""
        return any(failure.counts for failure in self.quiet)

    def check_not_quiet(self) -> None:
        """Raises `NotSafe` when nothing may be changed any more."""
        for failure in self.quiet:
            if failure.counts:
                raise NotSafe(
                    f"nothing more is changed in this run, because of an earlier failure: {failure.error.what}",
                    certain=("this step was not begun",),
                    next=(f"starover resume {self.run.id}",),
                    host=failure.error.host,
                )

    def adopted(self, operation: str, what: str) -> tuple[str, ...]:
        """The tries of this very step that an earlier leg sent from another place; `operation`: the id of this one."""
        if operation in self.run.earlier:
            return ()
        of_it = (one.operations for one in self.run.aside if one.what == what)
        return next((some for some in of_it if self.was_sent(some[0]) and some[0] not in self.begun), ())

    def was_sent(self, operation: str) -> bool:
        """Whether an earlier leg sent it and its answer does not count: it is not sent again on a guess."""
        after = self.run.sent.get(operation)
        return after is not None and after <= self.scheduler.asked

    @property
    def loose(self) -> list[str]:
        """Operations that earlier legs sent, and that this one has not come to again."""
        return [one for one in self.run.sent if one not in self.begun and self.was_sent(one)]

    def number_of(self, planned: PlannedStep | None) -> int:
        """The number a step is shown under: that of the plan, or the next one after it."""
        if planned is not None:
            return planned.number
        self._beyond += 1
        return (len(self.run.plan.steps) if self.run.plan else 0) + self._beyond

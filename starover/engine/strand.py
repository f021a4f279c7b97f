"""One sequence of a runbook: takes its asks, has them done or planned, and throws errors where they belong.

The laws of design.md that live here: errors are thrown into the runbook at its yield, and a runbook that swallows one
ends with it all the same; when one part of `together` fails, its neighbours end the step they are in and none begins
another; a plan ends at the first reading that follows a step still to be done.
"""

from __future__ import annotations

from collections.abc import Generator

from starover.effects import Facts, Failed, Find, Found, Poll
from starover.engine.applying import Applying
from starover.engine.state import Group, GroupEnds, State
from starover.engine.tasks import Join, Process, perform, read, watch
from starover.errors import Fault, NotVerified, OutcomeUnknown, StaroverError, Unreachable, exit_code
from starover.events import WaitBegan, WaitEnded
from starover.plan import PlannedStep, Position
from starover.step import Answer, Ask, Blocked, Change, Joined, Outcome, Read, Recall, Reply, Step, Together, Wait
from starover.values import plain

__all__ = ["Parked", "Strand", "gravest"]


_ASKS = (Read, Recall, Together, Wait, Step)


class Parked(Exception):
    """The plan of this sequence ends here."""


def gravest(errors: list[StaroverError]) -> StaroverError:
    """Of several failures the one that decides the exit code; of equals what nobody knows, else the first."""
    worst = exit_code([error.exit for error in errors])
    equals = [error for error in errors if error.exit == worst]
    return next((error for error in equals if isinstance(error, OutcomeUnknown)), equals[0])


class Strand:
    """A generator of a runbook on its way."""

    def __init__(
        self,
        state: State,
        steps: Generator[Ask, Answer, object],
        *,
        prefix: Position = (),
        group: Group | None = None,
        dirty: bool = False,
    ) -> None:
        """`dirty`: while planning, a step before this sequence is still to be done."""
        self.state = state
        self.steps = steps
        self.prefix = prefix
        self.group = group or Group()
        self.dirty = dirty
        self.next = 0
        self.thrown: StaroverError | None = None
        """The last error thrown into the runbook."""

    @property
    def planning(self) -> bool:
        """Whether nothing is to be changed."""
        return self.state.run.plan is None

    @property
    def failing(self) -> StaroverError | None:
        """What the runbook was thrown and has not taken as a value: what it yields now is to put that right."""
        return self.thrown if self.thrown is not None and not self.thrown.attempted else None

    def run(self) -> Process[object]:
        """To the end of the runbook. Raises what it raised, `Parked`, or `GroupEnds`."""
        try:
            value = yield from self._run()
        except (Parked, GroupEnds):
            self._close()
            raise
        except StaroverError:
            self.group.failed = True
            raise
        if self.failing is not None:
            self.group.failed = True
            raise self.failing
        return value

    def _run(self) -> Process[object]:
        answer: Answer | None = None
        error: StaroverError | None = None
        while True:
            try:
                if error is not None:
                    self.thrown = error
                    ask = self.steps.throw(error)
                elif answer is None:
                    ask = next(self.steps)
                else:
                    ask = self.steps.send(answer)
            except StopIteration as stop:
                value: object = stop.value
                return value
            except StaroverError as failure:
                if self.thrown is not failure or failure.attempted:  # its own guard refused, or a report was not as
                    first, *others = self.state.origins(failure)  # promised, or a value was raised
                    self.state.note_failure(failure, first, also=tuple(others))
                raise
            except Exception as bug:
                raise self._bug(bug) from bug
            if self.group.ends and not (self.state.loose and isinstance(ask, Read | Recall | Step | Together)):
                raise GroupEnds  # else it goes on as far as it only finds out what earlier legs had sent
            error = None
            try:
                answer = yield from self._answer(ask)
            except StaroverError as failure:
                error = failure

    def _answer(self, ask: Ask) -> Process[Answer]:
        if type(ask) not in _ASKS:  # a type checker says it earlier
            raise self._bug(TypeError(f"it yields a {type(ask).__name__}; a reading is asked by `yield from`"))
        if isinstance(ask, Read):
            return (yield from self._read(ask))
        if isinstance(ask, Recall):
            return (yield from self._recall(ask))
        position = (*self.prefix, self.next)
        self.next += 1
        if isinstance(ask, Together):
            return (yield from self._together(ask, position))
        if isinstance(ask, Wait):
            return (yield from (self._foresee_wait(ask) if self.planning else self._wait(ask)))
        if self.planning:
            return (yield from self._plan(ask, position))
        return (yield from Applying(self.state, ask, position, self.group, undoing=self.failing is not None).run())

    # -- readings ------------------------------------------------------------------------------------------------

    def _read(self, ask: Read) -> Process[Reply]:
        if self.dirty:
            self._park(f"reads {ask.template} on {ask.server.name}, which follows a change")
        try:
            return Reply(payload=(yield from read(ask)))
        except StaroverError as error:
            self.state.note_failure(error, self.state.scheduler.answered, reading=True)
            raise

    def _recall(self, ask: Recall) -> Process[Reply]:
        arguments = {name: plain(value) for name, value in ask.arguments.items()}
        answer = yield from perform(Find(host=ask.server.name, kind=ask.kind, arguments=arguments, run=ask.run))
        assert isinstance(answer, Found)
        return Reply(payload=bytes(answer.prev) if answer.run else b"")

    # -- planning ------------------------------------------------------------------------------------------------

    def _plan(self, ask: Step, position: Position) -> Process[Outcome]:
        """Find out what the step would change."""
        now = yield from read(ask.check)
        change = ask.change(now)
        body = self.state.run.content.body(ask.kind.apply, ask.arguments) if isinstance(change, Change) else None
        self.state.planned.append(
            PlannedStep(
                number=0,
                position=position,
                kind=ask.kind.name,
                title=ask.kind.doc,
                host=ask.server.name,
                risk=ask.kind.risk,
                change=change if isinstance(change, Change) else None,
                blocked=change if isinstance(change, Blocked) else None,
                template=ask.kind.apply,
                arguments={name: plain(value) for name, value in ask.arguments.items()},
                script=body.text if body else "",
                sha256=body.sha256 if body else "",
                undo=ask.revert is not None,
            )
        )
        if change is None:
            return Outcome(state="right")
        self.dirty = True
        return Outcome(state="planned", change=change if isinstance(change, Change) else None)

    def _foresee_wait(self, ask: Wait) -> Process[Outcome]:
        """A wait for what a planned step brings about is taken to end well; any other one is looked at once."""
        if not self.dirty and not ask.verdict((yield from read(ask.read))).done:
            if not ask.expected:
                self._park(f"waits on {ask.read.server.name}: {ask.what}")
            self.dirty = True  # what is read behind it may be otherwise by then
        return Outcome(state="right")

    def _park(self, why: str) -> None:
        self.state.stops[(*self.prefix, self.next)] = why
        raise Parked

    # -- doing ---------------------------------------------------------------------------------------------------

    def _wait(self, ask: Wait) -> Process[Outcome]:
        host = ask.read.server.name
        body = self.state.run.content.body(ask.read.template, ask.read.arguments)
        yield from self.state.record(WaitBegan(host=host, what=ask.what, limit=ask.settle.limit))
        poll = Poll(what=ask.what, step=0, script=self.state.scheduler.reading(ask.read, body), settle=ask.settle)
        answer = yield from watch(poll, ask.verdict)
        if isinstance(answer, Facts):
            yield from self.state.record(WaitEnded(host=host, what=ask.what, state="held"))
            return Outcome(state="right")
        at = self.state.scheduler.answered
        assert isinstance(answer, Failed)
        error = answer.fault.raised()
        if answer.blocked:
            error = NotVerified(f"{ask.what}, on {host}: {answer.blocked}", next=error.next, host=host)
        if ask.lenient and isinstance(error, NotVerified):
            yield from self.state.record(
                WaitEnded(host=host, what=ask.what, state="not-verified", fault=Fault.of(error))
            )
            return Outcome(state="right")
        self.state.note_failure(error, at)
        yield from self.state.record(
            WaitEnded(
                host=host,
                what=ask.what,
                state="unreachable"
                if isinstance(error, Unreachable)
                else "not-verified"
                if isinstance(error, NotVerified)
                else "failed",
                fault=Fault.of(error),
            )
        )
        raise error

    def _together(self, ask: Together, position: Position) -> Process[Joined]:
        group = Group(outer=self.group)
        parts = [
            Strand(self.state, part, prefix=(*position, number), group=group, dirty=self.dirty)
            for number, part in enumerate(ask.parts)
        ]
        join = Join([part.run() for part in parts])
        yield join
        errors = [task.error for task in join.tasks if isinstance(task.error, StaroverError)]
        if errors:
            raise gravest(errors)
        for task in join.tasks:
            if task.error is not None and not isinstance(task.error, Parked | GroupEnds):
                raise task.error
        if any(isinstance(task.error, GroupEnds) for task in join.tasks):
            raise GroupEnds
        if any(isinstance(task.error, Parked) for task in join.tasks):
            self._park("goes on after parts that end earlier")
        self.dirty = self.dirty or any(part.dirty for part in parts)
        return Joined()

    # -- the end -------------------------------------------------------------------------------------------------

    def _close(self) -> None:
        """Let the runbook go without an end of its own; it cannot ask for anything any more."""
        try:
            self.steps.close()
        except RuntimeError as bug:
            raise self._bug(bug) from bug

    def _bug(self, cause: Exception) -> StaroverError:
        error = StaroverError(
            f"the runbook {self.state.run.bound.runbook} is wrong in itself: {type(cause).__name__}: {cause}",
            certain=("what was done until then stands in the journal",),
        )
        self.state.note_failure(error, self.state.scheduler.answered)
        return error

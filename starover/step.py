"""What a runbook is made of: reports, queries, step kinds and the asks they turn into; knows no engine and no run.

A runbook is a generator. It *asks* by yielding data (`Read`, `Step`, `Together`, `Wait`, `Recall`) and is *answered*
with data (`Reply`, `Outcome`, `Joined`). Nothing here ever touches a server. The types are arranged so that an author
needs no `Any`, no cast and no ignore: payloads cross the seam as bytes and are decoded on this side of it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import Concatenate, Generic, Literal, TypeAlias, overload

import msgspec
from typing_extensions import ParamSpec, TypeVar

from starover.changes import Blocked, Change, Left, Report, Risk, Settle
from starover.errors import BadParameter, BadReport
from starover.estate import Server
from starover.render import Arg
from starover.values import argument

__all__ = [
    "Answer",
    "Ask",
    "Blocked",
    "Change",
    "Joined",
    "Kind",
    "Left",
    "Outcome",
    "Query",
    "Read",
    "Recall",
    "Reply",
    "Report",
    "Risk",
    "Settle",
    "Step",
    "StepKind",
    "Steps",
    "Together",
    "Verdict",
    "Wait",
    "arguments_of",
    "step",
    "wait",
]

T = TypeVar("T", default=None)
R = TypeVar("R", bound="Report")
P = ParamSpec("P")

READ_DEADLINE = 60.0
"""Seconds for one reading; the first one of a session may import Exchange's cmdlets, which takes up to 30."""
WRITE_DEADLINE = 300.0
"""Seconds for one write."""


# -- asks and answers: the inner seam ----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Read:
    """Ask for a template to be run on a server; the answer is a `Reply`."""

    template: str
    server: Server
    arguments: Mapping[str, Arg]
    deadline: float = READ_DEADLINE


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What one reading means for those who wait."""

    done: bool
    blocked: Blocked | None = None
    """Waiting longer is of no use."""
    left: int | None = None
    """How much is left, in any unit, falling to 0."""
    shown: Left | None = None
    """The same for a person."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """Ask for a fact to be made true on a server; the answer is an `Outcome`. Data, and pure functions on readings."""

    kind: Kind
    server: Server
    arguments: Mapping[str, Arg]
    change: Callable[[bytes], Change | Blocked | None] = field(repr=False, compare=False)
    """The kind's `change`, bound to these arguments, on a reading as JSON. Raises `BadReport`."""
    left: Callable[[bytes], Left | None] = field(repr=False, compare=False)
    revert: Callable[[bytes], Step | None] | None = field(repr=False, compare=False)
    """The step that undoes this one, from what the first reading found; None where the kind has no undo."""
    settle: Settle
    """How long to look for the fact after the change; the kind's, or what `within` said."""
    broken: Callable[[bytes], Blocked | None] = field(repr=False, compare=False)
    """Why the fact cannot come about any more, from a reading after the change; None: it still may."""

    def within(self, seconds: float) -> Step:
        """The same step with another limit for the fact to come about, where the kind alone cannot know it."""
        return replace(self, settle=msgspec.structs.replace(self.settle, limit=seconds))

    def warned(self, *warnings: str) -> Step:
        """The same step with what a person should know of it, such as what guards let pass; it binds no plan."""
        text = "; ".join(one for one in warnings if one)

        def change(payload: bytes) -> Change | Blocked | None:
            found = self.change(payload)
            return found.warned(text) if isinstance(found, Change) else found

        return replace(self, change=change) if text else self

    @property
    def check(self) -> Read:
        """The reading that tells whether the step is done."""
        return Read(
            template=self.kind.check, server=self.server, arguments=self.arguments, deadline=self.kind.check_deadline
        )

    def verdict(self, payload: bytes) -> Verdict:
        """What a reading after the change means."""
        change = self.change(payload)
        blocked = change if isinstance(change, Blocked) else self.broken(payload) if change is not None else None
        left = self.left(payload)
        return Verdict(done=change is None, blocked=blocked, left=left.total if left else None, shown=left)


@dataclass(frozen=True, kw_only=True)
class Wait:
    """Ask to wait until a reading satisfies; the answer is an `Outcome`."""

    what: str
    read: Read
    settle: Settle
    verdict: Callable[[bytes], Verdict] = field(repr=False, compare=False)
    expected: bool = False
    """It comes about by itself: a plan goes on behind it, though it does not hold yet."""
    lenient: bool = False
    """When the time is over the run goes on all the same: what follows looks at what is left."""


@dataclass(frozen=True, kw_only=True)
class Together:
    """Ask for several parts to be run side by side; the answer is `Joined`."""

    parts: tuple[Generator[Ask, Answer, None], ...]


@dataclass(frozen=True, kw_only=True)
class Recall:
    """Ask what an earlier run's first reading was, before it changed something; the answer is a `Reply`."""

    server: Server
    kind: str
    arguments: Mapping[str, Arg]
    """Only a step whose arguments have these values counts."""
    run: str = ""
    """Only runs whose id begins so; empty: any."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """The facts that were asked for, as JSON; empty when a `Recall` found nothing."""

    payload: bytes


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a step or a wait. Failures are not outcomes, they are raised at the yield."""

    state: Literal["right", "changed", "planned"]
    """`right`: nothing had to be done. `planned`: this is a plan, and the step would change something."""
    change: Change | None = None
    said: bytes = b""
    """What the report of a call that changed something says, as JSON; empty: nothing, or the answer was lost."""

    def told(self, report: type[R]) -> R | None:
        """The same as a report; None: there is none. Raises `BadReport`."""
        if not self.said:
            return None
        try:
            return msgspec.json.decode(self.said, type=report)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise BadReport(f"the answer of the call is not what {report.__name__} says: {error}") from error


@dataclass(frozen=True)
class Joined:
    """Every part has ended well."""


Ask: TypeAlias = Read | Step | Together | Wait | Recall
Answer: TypeAlias = Reply | Outcome | Joined
Steps: TypeAlias = Generator[Ask, Answer, T]
"""What a runbook (or a part of one) is: `Steps` gives nothing back, `Steps[Copies]` gives copies."""


# -- what authors write ------------------------------------------------------------------------------------------------


class Query(Generic[R]):
    """A template that reads, and the report it answers with."""

    def __init__(self, template: str, report: type[R], *, deadline: float = READ_DEADLINE) -> None:
        """`deadline` is in seconds, connecting included."""
        self.template = template
        self.report = report
        self.deadline = deadline
        self._decoder = msgspec.json.Decoder(report)

    def read(self, server: Server, /, **args: Arg) -> Steps[R]:
        """Read on `server`: `copies = yield from copies_on.read(server)`. Arguments go to the template.

        Raises `Unreachable`, `OutcomeUnknown` (nothing was changed) and `RemoteFailure`.
        """
        answer = yield Read(template=self.template, server=server, arguments=arguments_of(args), deadline=self.deadline)
        assert isinstance(answer, Reply)
        return self.decode(answer.payload)

    def decode(self, payload: bytes) -> R:
        """JSON to the report, strictly. Raises `BadReport`."""
        try:
            return self._decoder.decode(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise BadReport(
                f"the answer of {self.template} is not what {self.report.__name__} says: {error}",
                certain=("nothing was changed by reading",),
            ) from error

    def __repr__(self) -> str:
        return f"Query({self.template!r}, {self.report.__name__})"


class Kind:
    """A step kind without its types: what engine, plan and journal need to know of it."""

    def __init__(
        self,
        *,
        name: str,
        doc: str,
        check: str,
        check_deadline: float,
        apply: str,
        risk: Risk,
        settle: Settle,
        deadline: float,
        tries: int = 1,
        lenient: bool = False,
        repeatable: bool = False,
    ) -> None:
        """`check` and `apply` are template names, deadlines seconds."""
        self.name = name
        self.doc = doc
        """First line of the docstring: the state this kind brings about."""
        self.check = check
        self.check_deadline = check_deadline
        self.apply = apply
        self.risk = risk
        self.settle = settle
        self.deadline = deadline
        self.tries = tries
        """How often it is done at most, when what it began is seen to have broken off."""
        self.lenient = lenient
        """When `settle` is over the run goes on all the same: what follows looks at what is left."""
        self.repeatable = repeatable
        """Done twice is as done once: what leaves no receipt may be sent again once its fact was read as not there."""

    def __repr__(self) -> str:
        return f"<step kind {self.name}>"


class StepKind(Kind, Generic[R, P]):
    """A step that `@step` made of a pure function. Its name is a state, and the function says what is missing to it."""

    def __init__(
        self,
        function: Callable[Concatenate[R, P], Change | Blocked | None],
        *,
        check: Query[R],
        apply: str,
        risk: Risk,
        settle: Settle,
        progress: Callable[[R], int | Left] | None,
        undo: Callable[Concatenate[R, Server, P], Step | None] | None,
        deadline: float,
        broken: Callable[[R], Blocked | None] | None = None,
        tries: int = 1,
        lenient: bool = False,
        repeatable: bool = False,
    ) -> None:
        """Made by `step`."""
        super().__init__(
            name=function.__name__,
            doc=(inspect.getdoc(function) or "").partition("\n")[0],
            check=check.template,
            check_deadline=check.deadline,
            apply=apply,
            risk=risk,
            settle=settle,
            deadline=deadline,
            tries=tries,
            lenient=lenient,
            repeatable=repeatable,
        )
        self.query = check
        self.function = function
        self.progress = progress
        self.undo = undo
        self.broken = broken
        self.signature = _keyword_signature(function)
        self.__doc__ = function.__doc__
        self.__module__ = function.__module__

    def __call__(self, now: R, /, *args: P.args, **kwargs: P.kwargs) -> Change | Blocked | None:
        """The pure function itself: None when nothing is missing. For tests."""
        return self.function(now, *args, **kwargs)

    def on(self, server: Server, /, *args: P.args, **kwargs: P.kwargs) -> Step:
        """Ask for this state on `server`: `yield suspended.on(server, identity=copy.identity, comment=comment)`.

        Raises `BadParameter` for an argument that no template can take.
        """
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        query, progress, undo, broken = self.query, self.progress, self.undo, self.broken

        def revert(prev: bytes) -> Step | None:
            return undo(query.decode(prev), server, *args, **kwargs) if undo is not None else None

        return Step(
            kind=self,
            server=server,
            arguments=arguments_of(bound.arguments),
            change=lambda payload: self.function(query.decode(payload), *args, **kwargs),
            left=lambda payload: None if progress is None else _left(progress(query.decode(payload))),
            revert=None if undo is None else revert,
            settle=self.settle,
            broken=lambda payload: None if broken is None else broken(query.decode(payload)),
        )


def _left(said: int | Left) -> Left:
    """What a `progress` gave, as one type."""
    return said if isinstance(said, Left) else Left(amount=said)


@overload
def step(
    *,
    check: Query[R],
    apply: str,
    risk: Risk,
    settle: Settle = ...,
    progress: Callable[[R], int | Left] | None = ...,
    deadline: float = ...,
    broken: Callable[[R], Blocked | None] | None = ...,
    tries: int = ...,
    lenient: bool = ...,
    repeatable: bool = ...,
) -> Callable[[Callable[Concatenate[R, P], Change | Blocked | None]], StepKind[R, P]]: ...
@overload
def step(
    *,
    check: Query[R],
    apply: str,
    risk: Risk,
    settle: Settle = ...,
    progress: Callable[[R], int | Left] | None = ...,
    undo: Callable[Concatenate[R, Server, P], Step | None],
    deadline: float = ...,
    broken: Callable[[R], Blocked | None] | None = ...,
    tries: int = ...,
    lenient: bool = ...,
    repeatable: bool = ...,
) -> Callable[[Callable[Concatenate[R, P], Change | Blocked | None]], StepKind[R, P]]: ...
def step(
    *,
    check: Query[R],
    apply: str,
    risk: Risk,
    settle: Settle = Settle(),  # noqa: B008 - frozen
    progress: Callable[[R], int | Left] | None = None,
    undo: Callable[Concatenate[R, Server, P], Step | None] | None = None,
    deadline: float = WRITE_DEADLINE,
    broken: Callable[[R], Blocked | None] | None = None,
    tries: int = 1,
    lenient: bool = False,
    repeatable: bool = False,
) -> Callable[[Callable[Concatenate[R, P], Change | Blocked | None]], StepKind[R, P]]:
    """Make a step kind of a pure function `change(now, /, *, ...)`: None when the state holds, else what would change.

    `check` reads, the template `apply` writes; both get the function's keyword arguments. After writing, readings go on
    until the function returns None or `settle` is over; `progress(now)` is what is left then, falling to 0.
    `undo(prev, server, /, *, ...)` gives the step that restores what `prev`, the first reading, found; None: nothing
    to restore. `deadline` is in seconds, for the write.
    `broken(now)` looks at readings after the change only: why what was begun cannot come to its end any
    more. It is then done again, `tries` times in all; the function is asked anew first.
    `lenient`: that the fact has not come about when `settle` is over does not end the run; it says so and goes on.
    `repeatable`: doing it twice is as doing it once, by the service's own word (a call that sets what it names). After
    a lost answer, or the loss of the process that sent it, it is sent again, once in each leg of the run, when it
    leaves no receipt and a whole deadline later the fact still does not hold; without the word it stays unknown, and a
    person decides.
    """

    def make(function: Callable[Concatenate[R, P], Change | Blocked | None]) -> StepKind[R, P]:
        return StepKind(
            function,
            check=check,
            apply=apply,
            risk=risk,
            settle=settle,
            progress=progress,
            undo=undo,
            deadline=deadline,
            broken=broken,
            tries=tries,
            lenient=lenient,
            repeatable=repeatable,
        )

    return make


def wait(
    query: Query[R],
    server: Server,
    /,
    *,
    until: Callable[[R], bool],
    settle: Settle,
    what: str,
    progress: Callable[[R], int | Left] | None = None,
    expected: bool = False,
    lenient: bool = False,
    **args: Arg,
) -> Steps:
    """Wait until a reading satisfies: `yield from wait(copy_status, s, until=caught_up, settle=..., what="...")`.

    `what` says in a few words what is waited for. A plan ends at a wait that does not hold yet, unless a step before it
    brings it about or it is `expected` to come by itself, as replication does. Raises `NotVerified` when `settle` is
    over, unless the wait is `lenient`: then the run goes on, and a later step deals with what is left.
    """

    def verdict(payload: bytes) -> Verdict:
        now = query.decode(payload)
        left = None if progress is None else _left(progress(now))
        return Verdict(done=until(now), left=left.total if left else None, shown=left)

    yield Wait(
        what=what,
        read=Read(template=query.template, server=server, arguments=arguments_of(args), deadline=query.deadline),
        settle=settle,
        verdict=verdict,
        expected=expected or lenient,
        lenient=lenient,
    )


def arguments_of(values: Mapping[str, object]) -> dict[str, Arg]:
    """Every value as an argument. Raises `BadParameter` for what no template can take."""
    return {name: argument(name, value) for name, value in values.items()}


def _keyword_signature(function: Callable[..., object]) -> inspect.Signature:
    """The parameters after `now`, all of which must be given by keyword."""
    first, *rest = inspect.signature(function).parameters.values()
    wrong = [one.name for one in rest if one.kind is not inspect.Parameter.KEYWORD_ONLY]
    if first.kind is not inspect.Parameter.POSITIONAL_ONLY or wrong:
        raise BadParameter(
            f"the step {function.__name__} must be written `def {function.__name__}(now: ..., /, *, ...)`: "
            "the reading comes by position, everything else by keyword"
        )
    return inspect.Signature(rest)

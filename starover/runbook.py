"""Runbooks: generators with a name, parameters from the signature, and the ways to combine parts; contacts nothing."""

from __future__ import annotations

import dis
import functools
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import CodeType, FunctionType, ModuleType
from typing import Annotated, Generic, Literal, Protocol, TypeAlias, cast, get_type_hints, overload

import msgspec
from typing_extensions import ParamSpec, TypeVar

from starover.command_line import command_of
from starover.errors import BadParameter, StaroverError
from starover.estate import Estate, Role, Server
from starover.parameters import Parameter, fill, parameter
from starover.render import Arg, Body
from starover.step import Joined, Kind, R, Recall, Reply, Risk, StepKind, Steps, Together, arguments_of
from starover.step import P as KindP
from starover.values import Plain

__all__ = [
    "DC",
    "AnyRunbook",
    "Beyond",
    "Bound",
    "Content",
    "Finding",
    "Findings",
    "Parameter",
    "Runbook",
    "Steps",
    "attempt",
    "recall",
    "runbook",
    "together",
]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True, default=None)
P = ParamSpec("P")


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a report: what was looked at, where, and how it is."""

    check: str
    """What was looked at: an id of the catalogue (`P38`) or a word."""
    on: str
    """Server, copy, database or DAG."""
    level: Literal["ok", "info", "warn", "fail", "unknown"]
    says: str


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What a runbook that looks returns; subclass it to say more. The journal keeps it as JSON."""

    findings: tuple[Finding, ...] = ()


class Beyond(msgspec.Struct, frozen=True, kw_only=True):
    """What may happen after the first reading that a plan cannot make yet; apply refuses whatever exceeds it."""

    kinds: tuple[str, ...] = ()
    """Names of step kinds."""
    targets: tuple[str, ...] = ()
    """Names of servers."""
    risk: Risk = Risk.READ
    """The highest."""


@dataclass(frozen=True, kw_only=True)
class Bound(Generic[T_co]):
    """A runbook with its parameters, ready to be started (once or often: each start is a new generator)."""

    runbook: str
    summary: str
    parameters: Mapping[str, Plain]
    """Normalised, defaults filled in: what a plan keeps and its digest covers."""
    beyond: Beyond
    start: Callable[[], Steps[T_co]]


ControllerName: TypeAlias = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$",
        max_length=255,
        title="fqdn",
        description="a domain controller, by name or FQDN",
    ),
]

DC = Parameter(
    name="dc",
    type=ControllerName | None,
    required=False,
    default=None,
    help="pin every Exchange session to this domain controller (name or FQDN)",
    many=False,
    choices=(),
)
"""What every runbook takes besides its own parameters (catalogue 6.1: `--dc`); it stands in plans only when given."""


class Runbook(Generic[P, T_co]):
    """A generator function that `@runbook` gave a name and parameters.

    A parameter of type `Estate` is no option: it gets the whole inventory.
    """

    def __init__(
        self, function: Callable[P, Steps[T_co]], beyond: Sequence[Kind] = (), reaches: Sequence[Role] = ()
    ) -> None:
        """Made by `runbook`. Raises `BadParameter` for a parameter that cannot be asked for."""
        self.function = function
        self.name = function.__name__.replace("_", "-")
        self.doc = inspect.getdoc(function) or ""
        self.beyond = tuple(beyond)
        self.reaches = tuple(reaches)
        self.__doc__ = function.__doc__
        self.__module__ = function.__module__
        hints = get_type_hints(function, include_extras=True)
        own = tuple(
            parameter(self.name, one, hints.get(one.name, str), self.doc)
            for one in inspect.signature(function).parameters.values()
            if hints.get(one.name) is not Estate
        )
        if any(one.name == DC.name for one in own):
            raise BadParameter(f"the runbook {self.name} has a parameter `{DC.name}`, which every runbook has already")
        self.own = own
        """The parameters of its signature."""
        self.parameters: tuple[Parameter, ...] = (*own, DC)
        self.estates = tuple(name for name, hint in hints.items() if hint is Estate)
        """Arguments that are the inventory itself: given by `bind`, never asked for."""

    @property
    def summary(self) -> str:
        """First line of the docstring: what is done."""
        return self.doc.partition("\n")[0]

    @property
    def about(self) -> str:
        """The docstring without what it says of parameters: `name: text`, and lines indented below that."""
        names = "|".join(re.escape(one.name) for one in self.parameters)
        if not names:
            return self.doc
        return re.sub(rf"^`?(?:{names})`?:.*\n?(?: +\S.*\n?)*", "", self.doc, flags=re.MULTILINE).strip()

    @functools.cached_property
    def risk(self) -> Risk:
        """The highest risk of any step that it or what it calls may ask for: what a list of runbooks shows.

        By names alone, so what only some parameters do counts too; a plan knows better.
        """
        return Risk.highest(*_risks(self.function, set()))

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Steps[T_co]:
        """The steps themselves, to be used by another runbook with `yield from`, or in a test."""
        return self.function(*args, **kwargs)

    def bind(self, given: Mapping[str, Plain], estate: Estate) -> Bound[T_co]:
        """Turn text and numbers (command line, job, chat, saved plan) into what the function wants.

        Servers and DAGs are looked up in `estate`; the only DAG need not be named. Raises `BadParameter`.
        """
        unknown = sorted(given.keys() - {one.name for one in self.parameters})
        if unknown:
            raise BadParameter(
                f"{self.name} has no parameter `{'`, `'.join(unknown)}`",
                next=(f"it takes: {', '.join(one.option for one in self.parameters) or 'none'}",),
            )
        normal: dict[str, Plain] = {}
        controller = fill(self.name, DC, given.get(DC.name), estate).plain
        if controller is not None:
            normal[DC.name] = controller
        estate = estate.pinned(str(controller or ""))
        values: dict[str, object] = dict.fromkeys(self.estates, estate)
        targets: set[str] = set()
        for one in self.own:
            if one.required and given.get(one.name) in (None, []) and 0 < len(one.choices) <= 3:
                raise BadParameter(
                    f"{self.name} needs {one.option}: {one.help}" if one.help else f"{self.name} needs {one.option}",
                    next=tuple(command_of(self.name, {**given, one.name: choice}) for choice in one.choices),
                )
            try:
                filled = fill(self.name, one, given.get(one.name), estate)
            except BadParameter as error:
                if not any(line.startswith("starover ") for line in error.next):
                    error.next = (*error.next, f"starover runbooks show {self.name}   what it takes")
                raise
            values[one.name], normal[one.name] = filled.value, filled.plain
            targets.update(filled.targets)
        targets.update(one.name for role in self.reaches for one in estate.having(role))
        if not targets and self.estates:
            targets = {one.name for one in estate.servers[:1]}  # whom calls to AWS are about when they are about nobody
        beyond = Beyond(
            kinds=tuple(sorted(kind.name for kind in self.beyond)),
            targets=tuple(sorted(targets)) if self.beyond else (),
            risk=Risk.highest(*(kind.risk for kind in self.beyond)),
        )
        function: Callable[..., Steps[T_co]] = self.function
        return Bound(
            runbook=self.name,
            summary=self.summary,
            parameters=normal,
            beyond=beyond,
            start=lambda: function(**values),
        )

    def __repr__(self) -> str:
        return f"<runbook {self.name}>"


AnyRunbook: TypeAlias = Runbook[..., object]


_ENDS = frozenset({"GET_YIELD_FROM_ITER", "YIELD_VALUE", "RETURN_VALUE", "STORE_FAST", "STORE_DEREF"})


@functools.cache
def _names(code: CodeType) -> frozenset[str]:
    """The names that a function uses, without those that it only asks an earlier run about (`recall`)."""
    asking, names = False, set[str]()
    for one in dis.get_instructions(code):
        if one.opname in _ENDS:
            asking = False
        elif one.argval == recall.__name__:
            asking = True
        elif isinstance(one.argval, CodeType):
            names |= _names(one.argval)
        elif not asking and isinstance(one.argval, str):
            names.add(one.argval)
    return frozenset(names)


def _risks(function: object, seen: set[object]) -> Iterator[Risk]:
    """The risks of the step kinds that a function names, and of those that the functions it names do."""
    if not isinstance(function, FunctionType) or function in seen:
        return
    seen.add(function)
    names = _names(function.__code__)
    named: list[object] = [function.__globals__.get(name) for name in names]
    modules = [one for one in named if isinstance(one, ModuleType) and one.__name__.startswith("starover.")]
    named += [getattr(module, name, None) for module in modules for name in names]
    for one in named:
        things: Sequence[object] = cast("Sequence[object]", one) if isinstance(one, tuple | list) else (one,)
        for thing in things:
            if isinstance(thing, Kind):
                yield thing.risk
            elif isinstance(thing, Runbook):
                yield from _risks(thing.function, seen)
            elif isinstance(thing, FunctionType) and thing.__module__.startswith("starover"):
                yield from _risks(thing, seen)


@overload
def runbook(function: Callable[P, Steps[T]], /) -> Runbook[P, T]: ...
@overload
def runbook(
    *, beyond: Sequence[Kind], reaches: Sequence[Role] = ()
) -> Callable[[Callable[P, Steps[T]]], Runbook[P, T]]: ...
def runbook(
    function: Callable[P, Steps[T]] | None = None, /, *, beyond: Sequence[Kind] = (), reaches: Sequence[Role] = ()
) -> Runbook[P, T] | Callable[[Callable[P, Steps[T]]], Runbook[P, T]]:
    """Make a runbook of a generator function: its name is what is done, its parameters become options.

    `beyond` names the step kinds that may follow a reading which comes after a change, so that a plan can state them.
    Without it a plan must be complete: what the plan could not foresee is refused when it is applied. `reaches`: roles
    whose servers those steps may be on, besides the servers that the parameters name.
    """
    if function is not None:
        return Runbook(function)
    return lambda function: Runbook(function, beyond, reaches)


class Content(Protocol):
    """Where runbooks and templates come from; handed in from outside (`starover.content`)."""

    @property
    def sha256(self) -> str:
        """Hex digest over every runbook and template: plans and journals carry it."""
        ...

    def runbook(self, name: str, /) -> AnyRunbook:
        """The runbook of that name. Raises `BadParameter` with the nearest names."""
        ...

    def body(self, template: str, arguments: Mapping[str, Arg], /) -> Body:
        """Render a template. Raises `BadTemplate` and `BadParameter`."""
        ...


def together(parts: Iterable[Steps[T]]) -> Steps[list[T]]:
    """Run parts side by side; what they return, in their order: `yield from together(one(s) for s in servers)`.

    When one fails, the others end the step they are in, none begins another, and the failure is raised here.
    """
    results: dict[int, T] = {}

    def part(index: int, steps: Steps[T]) -> Steps:
        results[index] = yield from steps

    answer = yield Together(parts=tuple(part(index, steps) for index, steps in enumerate(parts)))
    assert isinstance(answer, Joined)
    return [results[index] for index in sorted(results)]


def attempt(part: Steps[T]) -> Steps[T | StaroverError]:
    """Take an error as a value: `now = yield from attempt(copy_status.read(s))`.

    A host that did not answer a *reading* is then a fact like any other. A step that failed stays failed: the run ends
    with its error, and after `Unreachable` or `OutcomeUnknown` nothing more is changed.
    """
    try:
        return (yield from part)
    except StaroverError as error:
        error.attempted = True
        return error


def recall(server: Server, kind: StepKind[R, KindP], /, *, of_run: str = "", **args: Arg) -> Steps[R | None]:
    """What an earlier run read before it brought about this kind on `server`; None when no run did.

    Only steps whose arguments have the values of `args` count; the latest one wins. `of_run`: only the run with that
    id, or the beginning of one.
    """
    answer = yield Recall(server=server, kind=kind.name, arguments=arguments_of(args), run=of_run)
    assert isinstance(answer, Reply)
    return kind.query.decode(answer.payload) if answer.payload else None

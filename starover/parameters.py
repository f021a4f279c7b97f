"""Parameters of runbooks: from a signature to options, from text to typed values; knows no runbook and asks nobody."""

from __future__ import annotations

import enum
import inspect
import re
import types
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Literal, Protocol, Union, get_args, get_origin, runtime_checkable

import msgspec

from starover.errors import BadParameter, Mistake
from starover.estate import Dag, Estate, Server
from starover.names import free_text, same_host
from starover.render import check_text
from starover.values import Plain, argument, plain

__all__ = ["Filled", "Parameter", "duration", "fill", "parameter"]

_SHOWN = 60
"""Characters of a wrong value that a message repeats."""


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One parameter of a runbook, enough to make an option, a form field or a key of a job from it."""

    name: str
    """As in the signature: `min_copies`."""
    type: object
    """The annotation, `Annotated` and all."""
    required: bool
    default: Plain
    help: str
    """From the docstring's line `name: text` and those indented below it, else from the type."""
    many: bool
    """It takes a list."""
    choices: tuple[str, ...]
    """The only values; empty: any."""

    @property
    def option(self) -> str:
        """As on the command line: `--min-copies`."""
        return "--" + self.name.replace("_", "-")

    @property
    def flag(self) -> bool:
        """It is a yes or no."""
        return bare(self.type) is bool

    @property
    def kind(self) -> str:
        """The type in a word for help and forms: `SERVER`, `COPY`, `INTEGER`..."""
        return _word(self.type)


@dataclass(frozen=True, kw_only=True)
class Filled:
    """A parameter with its value."""

    value: object
    plain: Plain
    targets: tuple[str, ...] = ()
    """Servers it names."""


@runtime_checkable
class _Parsed(Protocol):
    """A type that reads its own text. `str` of a value gives text that `parse` reads as the same value again."""

    @classmethod
    def parse(cls, text: str, /) -> object: ...


def parameter(runbook: str, one: inspect.Parameter, annotation: object, doc: str) -> Parameter:
    """Read one parameter of a signature. Raises `BadParameter` for one that cannot be given by name."""
    if one.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY):
        raise BadParameter(f"the runbook {runbook} has the parameter `{one}`, which cannot be given by name")
    empty = one.default is inspect.Parameter.empty
    inner = bare(annotation)
    item = _item(inner)
    said = re.search(rf"^`?{re.escape(one.name)}`?:\s+(.+(?:\n +\S.*)*)$", doc, re.MULTILINE)
    return Parameter(
        name=one.name,
        type=annotation,
        required=empty and inner is not Dag,
        default=None if empty else _plain(one.name, one.default),
        help=" ".join(said[1].split()) if said else _description(annotation),
        many=item is not None,
        choices=_choices(bare(item) if item is not None else inner),
    )


def fill(runbook: str, one: Parameter, given: Plain, estate: Estate) -> Filled:
    """Make a typed value of what was given (None: nothing). Raises `BadParameter`."""
    wanted = bare(one.type)
    if given is None:
        if wanted is Dag and one.default is None:
            dag = _only_dag(runbook, estate) if not _optional(one.type) else None
            return Filled(value=dag, plain=dag.name if dag else None, targets=_of_dag(dag, estate) if dag else ())
        if one.required:
            raise BadParameter(
                f"{runbook} needs {one.option}", next=(f"{one.option} {one.kind}   {one.help}".rstrip(),)
            )
        given = one.default
    if given is None:
        return Filled(value=None, plain=None)
    try:
        value = _convert(given, one.type, estate)
    except msgspec.ValidationError as error:
        wish = _description(one.type)
        raise BadParameter(
            f"{one.option} {_shown(given)}: {f'it must be {wish}' if wish else error}",
            certain=("nothing was contacted",),
        ) from None
    except ValueError as error:
        raise BadParameter(f"{one.option} {_shown(given)}: {error}", certain=("nothing was contacted",)) from None
    except Mistake as error:
        raise BadParameter(f"{one.option}: {error.what}", certain=("nothing was contacted",), next=error.next) from None
    targets = _of_dag(value, estate) if isinstance(value, Dag) else tuple(_targets(value))
    return Filled(value=value, plain=_plain(one.name, value), targets=targets)


def duration(text: str) -> timedelta:
    """Read `7d`, `12h`, `30m`, `90s` or `d.hh:mm:ss`. Raises `ValueError`."""
    if short := re.fullmatch(r"(\d+)([dhms])", text):
        number = int(short[1])
        return {"d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1), "s": timedelta(seconds=1)}[
            short[2]
        ] * number
    if long := re.fullmatch(r"(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2})", text):
        days, hours, minutes, seconds = (int(part or 0) for part in long.groups())
        return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    raise ValueError("a duration is written 7d, 12h, 30m, 90s or d.hh:mm:ss")


def bare(annotation: object) -> object:
    """The type without `Annotated` and `| None`."""
    if get_origin(annotation) is Annotated:
        return bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        rest = [one for one in get_args(annotation) if one is not type(None)]
        if len(rest) == 1:
            return bare(rest[0])
    return annotation


def _optional(annotation: object) -> bool:
    return get_origin(annotation) in (Union, types.UnionType) and type(None) in get_args(annotation)


def _item(inner: object) -> object | None:
    """What a list is of; None for what is no list."""
    origin = get_origin(inner)
    if isinstance(origin, type) and issubclass(origin, Sequence):
        item: object = get_args(inner)[0]
        return item
    return None


def _convert(given: Plain, annotation: object, estate: Estate) -> object:
    inner = bare(annotation)
    item = _item(inner)
    if item is not None:
        parts = given if isinstance(given, list) else [given]
        return tuple(_convert(part, item, estate) for part in parts)
    if isinstance(given, str):
        given = _clean(given, annotation)
    if inner is Server:
        return _server(str(given), estate.servers)
    if inner is Dag:
        return estate.dag(str(given))
    if inner is timedelta:
        return duration(str(given))
    if isinstance(inner, type) and issubclass(inner, _Parsed):
        return inner.parse(str(given))
    return msgspec.convert(given, annotation, strict=False)


def _clean(text: str, annotation: object) -> str:
    """What a person wrote as one line; in any other text what no line has is refused. Raises `BadParameter`."""
    if any(isinstance(one, msgspec.Meta) and one.title == "Comment" for one in get_args(annotation)):
        return free_text(text)
    check_text(text)
    return text


def _server(name: str, known: Sequence[Server]) -> Server:
    for one in known:
        if same_host(one.name, name):
            return one
    raise BadParameter(
        f"the inventory has no server `{name}`", next=(f"it has: {', '.join(one.name for one in known) or 'none'}",)
    )


def _only_dag(runbook: str, estate: Estate) -> Dag:
    if len(estate.dags) == 1:
        return estate.dags[0]
    names = ", ".join(dag.name for dag in estate.dags)
    raise BadParameter(f"{runbook} needs --dag", next=(f"the inventory has: {names or 'no DAG'}",))


def _of_dag(dag: Dag, estate: Estate) -> tuple[str, ...]:
    """The members of a DAG and its witness hosts, as the inventory names them."""
    witnesses = [one for one in (dag.witness, dag.alternate_witness) if one]
    hosts = [one.name for one in estate.servers if any(same_host(one.name, name) for name in witnesses)]
    return tuple(dict.fromkeys((*dag.members, *hosts)))


def _targets(value: object) -> Iterable[str]:
    if isinstance(value, Server):
        yield value.name
    elif isinstance(value, Dag):
        yield from value.members
    elif isinstance(value, tuple):
        parts: tuple[object, ...] = value  # pyright: ignore[reportUnknownVariableType] # each part is looked at
        for part in parts:
            yield from _targets(part)


def _plain(name: str, value: object) -> Plain:
    if isinstance(value, Server | Dag):
        return value.name
    if isinstance(value, list | tuple):
        parts: list[object] = list(value)  # pyright: ignore[reportUnknownArgumentType] # each part is looked at
        return [_plain(name, part) for part in parts]
    if isinstance(value, _Parsed) and not isinstance(value, timedelta):
        return str(value)
    return plain(argument(name, value))


def _choices(inner: object) -> tuple[str, ...]:
    if get_origin(inner) is Literal:
        return tuple(str(one) for one in get_args(inner))
    if isinstance(inner, type) and issubclass(inner, enum.Enum):
        return tuple(str(one.value) for one in inner)
    return ()


def _description(annotation: object) -> str:
    for one in get_args(annotation):
        if isinstance(one, msgspec.Meta) and one.description:
            return one.description
    return next((found for one in get_args(annotation) if (found := _description(one))), "")


def _word(annotation: object) -> str:
    if _optional(annotation):
        return next((_word(one) for one in get_args(annotation) if one is not type(None)), "VALUE")
    inner = bare(annotation)
    if (item := _item(inner)) is not None:
        return _word(item)
    if choices := _choices(inner):
        return "|".join(choices)
    for one in get_args(annotation):
        if isinstance(one, msgspec.Meta) and one.title:
            return one.title.upper()
    words: dict[object, str] = {str: "TEXT", int: "NUMBER", bool: "", timedelta: "DURATION"}
    return words.get(inner, getattr(inner, "__name__", "VALUE").upper())


def _shown(given: Plain) -> str:
    text = free_text(",".join(str(part) for part in given) if isinstance(given, list) else str(given))
    return (text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...") or "(empty)"

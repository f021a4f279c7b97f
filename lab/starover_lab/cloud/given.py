"""Parameters of a call, which boto3's own rules have let pass, as plain types; knows no service."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

import msgspec

from starover_lab.cloud.errors import CloudError

__all__ = [
    "Given",
    "Looks",
    "Reply",
    "filtered",
    "flag",
    "ident",
    "number",
    "table",
    "tables",
    "tags_of",
    "text",
    "texts",
]

Given: TypeAlias = Mapping[str, object]
Reply: TypeAlias = dict[str, object]
Looks: TypeAlias = Mapping[str, Callable[[Reply], Iterable[str]]]
"""What a filter looks at, by its name."""
_PARTS = re.compile(r"\\.|.", re.DOTALL)
"""A character of a filter's value, with the backslash before it."""


def text(given: Given, name: str, default: str = "") -> str:
    """A parameter as text."""
    value = given.get(name)
    return default if value is None else str(value)


def texts(given: Given, name: str) -> list[str]:
    """A parameter as a list of text."""
    return [str(one) for one in msgspec.convert(given.get(name) or [], list[object])]


def number(given: Given, name: str, default: int = 0) -> int:
    """A parameter as a whole number."""
    value = given.get(name)
    return value if isinstance(value, int) else default


def flag(given: Given, name: str) -> bool:
    """A parameter as yes or no."""
    return given.get(name) is True


def table(given: Given, name: str) -> Given:
    """A parameter as a table; empty where there is none."""
    return msgspec.convert(given.get(name) or {}, dict[str, object])


def tables(given: Given, name: str) -> Sequence[Given]:
    """A parameter as a list of tables."""
    return msgspec.convert(given.get(name) or [], list[dict[str, object]])


def tags_of(given: Given, kind: str) -> dict[str, str]:
    """Tags that a call gives to what it makes."""
    found: dict[str, str] = {}
    for one in tables(given, "TagSpecifications"):
        if text(one, "ResourceType") == kind:
            found |= {text(tag, "Key"): text(tag, "Value") for tag in tables(one, "Tags")}
    return found


def filtered(
    given: Given, things: Iterable[Reply], known: Mapping[str, Callable[[Reply], Iterable[str]]]
) -> list[Reply]:
    """Those that meet every filter. `known`: what a filter looks at, by its name; tags come by themselves."""
    kept = list(things)
    for one in tables(given, "Filters"):
        name, wanted = text(one, "Name"), texts(one, "Values")
        fits = _pattern(wanted)
        if name.startswith("tag:"):
            key = name.removeprefix("tag:")
            kept = [thing for thing in kept if (value := _tag(thing, key)) is not None and fits(value)]
        elif name == "tag-key":
            kept = [thing for thing in kept if any(fits(text(one, "Key")) for one in tables(thing, "Tags"))]
        elif name in known:
            kept = [thing for thing in kept if any(map(fits, known[name](thing)))]
        else:
            raise CloudError("InvalidParameterValue", f"The filter '{name}' is invalid")
    return kept


def _pattern(wanted: Sequence[str]) -> Callable[[str], bool]:
    r"""Whether a value is one of those wanted: `*` and `?` stand for others, unless there is a `\` before them."""
    found = re.compile("|".join("".join(map(_part, _PARTS.findall(one))) for one in wanted) or "(?!)", re.DOTALL)
    return lambda value: found.fullmatch(value) is not None


def _part(part: str) -> str:
    if part in ("*", "?"):
        return ".*" if part == "*" else "."
    return re.escape(part[1:] if part.startswith("\\") and len(part) > 1 else part)


def _tag(thing: Reply, key: str) -> str | None:
    return next((text(one, "Value") for one in tables(thing, "Tags") if text(one, "Key") == key), None)


def ident(prefix: str, digits: str) -> str:
    """An id as AWS makes them: `vpc-0` and sixteen hex digits."""
    return f"{prefix}-0{digits[:16]}"

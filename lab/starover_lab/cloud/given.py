"""Parameters of a call, which boto3's own rules have let pass, as plain types; knows no service."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

import msgspec

from starover_lab.cloud.errors import CloudError, not_simulated

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
        if any(character in value for value in wanted for character in "*?"):
            not_simulated("wildcards in filters")
        if name.startswith("tag:"):
            key = name.removeprefix("tag:")
            kept = [thing for thing in kept if _tag(thing, key) in wanted]
        elif name == "tag-key":
            kept = [thing for thing in kept if any(_tag(thing, key) is not None for key in wanted)]
        elif name in known:
            kept = [thing for thing in kept if set(known[name](thing)) & set(wanted)]
        else:
            raise CloudError("InvalidParameterValue", f"The filter '{name}' is invalid")
    return kept


def _tag(thing: Reply, key: str) -> str | None:
    return next((text(one, "Value") for one in tables(thing, "Tags") if text(one, "Key") == key), None)


def ident(prefix: str, digits: str) -> str:
    """An id as AWS makes them: `vpc-0` and sixteen hex digits."""
    return f"{prefix}-0{digits[:16]}"

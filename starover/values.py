"""Arguments as the engine sees them: what a template may be given, and its plain form; knows no step, no script."""

from __future__ import annotations

import enum
import ipaddress
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias

from starover.errors import BadParameter
from starover.names import CopyId
from starover.render import Arg

__all__ = ["Plain", "argument", "plain"]

if TYPE_CHECKING:
    Plain: TypeAlias = "bool | int | str | list[Plain] | dict[str, Plain] | None"
    """What JSON holds: how arguments stand in plans and journals, and how parameters come in."""
else:
    Plain = object  # msgspec reads no recursive alias; JSON holds nothing else anyway


def argument(name: str, value: object) -> Arg:
    """`value` as an argument, unchanged. Raises `BadParameter` for what no template can take."""
    if value is None or isinstance(
        value,
        bool | int | str | timedelta | enum.Enum | uuid.UUID | ipaddress.IPv4Address | ipaddress.IPv6Address | CopyId,
    ):
        return value
    if isinstance(value, list | tuple):
        items: list[object] = list(value)  # pyright: ignore[reportUnknownArgumentType] # each is looked at here
        return tuple(argument(name, item) for item in items)
    if isinstance(value, Mapping):
        pairs: list[tuple[object, object]] = list(value.items())  # pyright: ignore[reportUnknownArgumentType]
        return {str(key): argument(name, item) for key, item in pairs}
    raise BadParameter(
        f"the argument `{name}` is a {type(value).__name__}: templates take text, whole numbers, durations, addresses, "
        "copies, and lists and tables of them"
    )


def plain(value: Arg) -> Plain:
    """The value as JSON holds it: copies as `DB01/EX4`, durations as seconds with an `s`, addresses as text."""
    if isinstance(value, enum.Enum):  # first, because some enums are numbers or text as well
        inner: object = value.value  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] # any Enum
        return inner if isinstance(inner, bool | int | str) else str(inner)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g}s"
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return str(value)

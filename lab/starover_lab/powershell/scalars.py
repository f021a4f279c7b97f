"""The scalar types of PowerShell as Python types, and .NET's view of text; knows no collection and no object.

`values` gathers these names; import them from there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

__all__ = [
    "NOTHING",
    "Byte",
    "Char",
    "DateTime",
    "Guid",
    "Int16",
    "Long",
    "Nothing",
    "PSEnum",
    "SByte",
    "Single",
    "Sized",
    "SwitchParameter",
    "TimeSpan",
    "TypeLiteral",
    "UInt16",
    "UInt32",
    "UInt64",
    "Version",
    "fold",
    "from_units",
    "units",
]


class Nothing:
    """AutomationNull: what a command without output leaves in a variable. Falsy like `$null`, enumerates to nothing."""

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "NOTHING"


NOTHING = Nothing()


class Sized(int):
    """An integer of a .NET size other than Int32."""

    type_name: ClassVar[str] = ""
    low: ClassVar[int] = 0
    high: ClassVar[int] = 0

    def __repr__(self) -> str:
        return f"{type(self).__name__}({int(self)})"


class Long(Sized):
    """System.Int64."""

    type_name, low, high = "System.Int64", -(2**63), 2**63 - 1


class Byte(Sized):
    """System.Byte."""

    type_name, low, high = "System.Byte", 0, 255


class SByte(Sized):
    """System.SByte."""

    type_name, low, high = "System.SByte", -128, 127


class Int16(Sized):
    """System.Int16."""

    type_name, low, high = "System.Int16", -(2**15), 2**15 - 1


class UInt16(Sized):
    """System.UInt16."""

    type_name, low, high = "System.UInt16", 0, 2**16 - 1


class UInt32(Sized):
    """System.UInt32."""

    type_name, low, high = "System.UInt32", 0, 2**32 - 1


class UInt64(Sized):
    """System.UInt64."""

    type_name, low, high = "System.UInt64", 0, 2**64 - 1


class Single(float):
    """System.Single; the value is the float that the single stands for."""

    def __repr__(self) -> str:
        return f"Single({float(self)})"


class Char(str):
    """System.Char: one UTF-16 unit. Test for it before `str`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Char({str(self)!r})"


def units(text: str) -> str:
    """The text with one character per UTF-16 unit, as .NET counts, indexes and cuts it."""
    if text.isascii() or all(ord(c) < 0x10000 for c in text):
        return str(text)
    raw = text.encode("utf-16-le", "surrogatepass")
    return "".join(chr(raw[i] | raw[i + 1] << 8) for i in range(0, len(raw), 2))


def from_units(text: str) -> str:
    """The inverse of `units`: joins surrogate pairs."""
    if text.isascii() or not any("\ud800" <= c <= "\udfff" for c in text):
        return str(text)
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


# The invariant culture leaves these alone where Unicode would map them into ASCII.
_STAYS = frozenset("ıſ")


def fold(text: str) -> str:
    """The key under which .NET's OrdinalIgnoreCase finds equal texts equal: each unit upper-cased alone."""
    if text.isascii():
        return text.upper()
    return "".join(c if c in _STAYS or len(u := c.upper()) != 1 else u for c in text)


@dataclass(frozen=True)
class DateTime:
    """System.DateTime. Local time is UTC on the lab's hosts."""

    ticks: int
    """100 ns since 0001-01-01T00:00:00."""
    kind: Literal["Utc", "Local", "Unspecified"] = "Unspecified"


@dataclass(frozen=True)
class TimeSpan:
    """System.TimeSpan."""

    ticks: int
    """100 ns, signed."""


@dataclass(frozen=True)
class Version:
    """System.Version; a part that was not given is -1."""

    major: int
    minor: int
    build: int = -1
    revision: int = -1

    def __str__(self) -> str:
        return ".".join(str(part) for part in (self.major, self.minor, self.build, self.revision) if part >= 0)


@dataclass(frozen=True)
class Guid:
    """System.Guid: 36 characters, lower case, with dashes."""

    text: str


@dataclass(frozen=True)
class TypeLiteral:
    """A .NET type as a value (`[int]`, `$x.GetType()`): its full name, `System.Int32`, `System.String[]`."""

    name: str


@dataclass(frozen=True)
class PSEnum:
    """A live enum value: a type, a member's name (or `A, B` of a flags enum) and its number."""

    type_name: str
    name: str
    number: int


@dataclass(frozen=True)
class SwitchParameter:
    """The value of a switch parameter inside a function."""

    present: bool

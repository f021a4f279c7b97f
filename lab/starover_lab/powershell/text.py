"""Values to text and to truth: `[string]x`, `"$x"`, `x.ToString()`, `[bool]x`; knows no cast to another type."""

from __future__ import annotations

from decimal import Decimal

from starover_lab.powershell import dates, numbers
from starover_lab.powershell.types import spoken
from starover_lab.powershell.values import (
    Char,
    DateTime,
    ErrorRecord,
    Guid,
    InvocationInfo,
    NetObject,
    Nothing,
    PSArray,
    PSCredential,
    PSEnum,
    PSException,
    PSList,
    PSObject,
    ScriptBlock,
    Single,
    SwitchParameter,
    TimeSpan,
    TypeLiteral,
    Unsupported,
    Value,
    Version,
    base,
    from_units,
    type_name,
)

__all__ = ["default_text", "interpolate", "joined", "to_bool", "to_string"]

_SMA = "System.Management.Automation"


def to_string(value: Value, separator: str = " ") -> str:
    """`[string]value`: invariant culture, 15 digits, collections joined by `separator` (`$OFS`); `$null` is empty."""
    return _text(value, separator, True)


def interpolate(value: Value, separator: str = " ") -> str:
    """What `"$value"` puts into a string: as `to_string`, but a wrapped value counts without its wrapper.

    Hence a deserialised enum shows its number (facts/exchange.md, point 1).
    """
    return _text(base(value), separator, True)


def _text(value: Value, separator: str, recurse: bool) -> str:
    if isinstance(value, PSObject):
        if value.text is not None:
            return value.text
        if not isinstance(value.base_value, Nothing):
            return _text(value.base_value, separator, recurse)
        if not recurse:
            # Inside a collection or another object only the plain ToString() is asked.
            return ""
        shown = "; ".join(
            f"{p.name}={f'{_SMA}.PSScriptProperty' if p.kind == 'ScriptProperty' else _text(p.value, separator, False)}"
            for p in value.properties.values()
            if p.kind in ("NoteProperty", "Property", "ScriptProperty")
        )
        return f"@{{{shown}}}" if shown else ""
    if isinstance(value, PSArray | PSList) and recurse:
        return from_units(separator.join(_text(item, separator, False) for item in value.items))
    match value:
        case None | Nothing():
            return ""
        case Single() | float():
            return numbers.general(value)
        case DateTime():
            return dates.format_date(value, dates.INVARIANT)
        case TypeLiteral():
            return spoken(value.name)
        case _:
            return default_text(value)


def default_text(value: Value) -> str:
    """`value.ToString()` in en-US, of values that are not `$null`."""
    match value:
        case bool():
            return "True" if value else "False"
        case float():
            return numbers.plain_number(value)
        case Decimal():
            return numbers.plain_decimal(value)
        case int():
            return str(int(value))
        case str():
            return str(value)
        case DateTime():
            return dates.format_date(value)
        case TimeSpan():
            return dates.format_span(value)
        case Version():
            return str(value)
        case Guid() | NetObject():
            return value.text
        case PSEnum():
            return value.name
        case TypeLiteral():
            return value.name
        case ScriptBlock():
            return value.text
        case SwitchParameter():
            return str(value.present)
        case ErrorRecord():
            return value.message
        case PSException():
            raise Unsupported("an exception as text: it holds a stack trace")
        case PSObject():
            if value.text is not None:
                return value.text
            return "" if isinstance(value.base_value, Nothing) else default_text(value.base_value)
        case None | Nothing():
            return ""
        case InvocationInfo() | PSCredential():
            return type_name(value)
        case _:
            return type_name(value)


def joined(items: list[Value], separator: str) -> str:
    """The items as text with a separator between, as `-join` prints them."""
    return from_units(separator.join(_text(item, " ", False) for item in items))


def to_bool(value: Value) -> bool:
    """PowerShell's truth: empty and zero are false, one-element collections count as their element."""
    value = base(value)
    match value:
        case None | Nothing():
            return False
        case bool():
            return value
        case Char():
            return value != "\0"
        case str():
            return bool(value)
        case int() | float() | Decimal():
            return value != 0
        case SwitchParameter():
            return value.present
        case PSArray() | PSList():
            if len(value.items) == 1:
                inner = base(value.items[0])
                # A collection inside is asked for its count only.
                return bool(inner.items) if isinstance(inner, PSArray | PSList) else to_bool(inner)
            return bool(value.items)
        case _:
            return True

"""Casts to dates, versions, GUIDs, characters and other single values; `convert.cast` is the door to them."""

from __future__ import annotations

import re
from decimal import Decimal

from starover_lab.powershell import dates, netobjects, types
from starover_lab.powershell.errors import PSException, Terminated, cast_failure
from starover_lab.powershell.text import default_text, to_string
from starover_lab.powershell.values import (
    Char,
    DateTime,
    Guid,
    NetObject,
    Nothing,
    OrderedHashtable,
    PSArray,
    PSHashtable,
    SwitchParameter,
    TimeSpan,
    TypeLiteral,
    Unsupported,
    Value,
    Version,
    base,
    type_name,
    units,
)

__all__ = ["SCALAR_CASTS", "no_conversion", "not_convertible"]

_SMA = "System.Management.Automation"


def no_conversion(value: Value, target: str) -> Terminated:
    """`Cannot convert the "..." value of type ... to type ...`."""
    try:
        shown = to_string(value)
    except Unsupported:
        shown = type_name(value)
    return cast_failure(
        "ConvertToFinalInvalidCastException",
        f'Cannot convert the "{shown}" value of type "{type_name(value)}" to type "{target}".',
    )


def not_convertible(value: Value, target: str, reason: str) -> Terminated:
    """A number that does not fit, or a conversion that .NET's IConvertible refuses; `reason` is .NET's sentence."""
    kind = "System.InvalidCastException" if reason.startswith("Invalid cast") else "System.OverflowException"
    return cast_failure(
        "InvalidCastIConvertible",
        f'Cannot convert value "{default_text(base(value))}" to type "{target}". Error: "{reason}"',
        inner=PSException(kind, reason),
    )


def _not_parsed(text: str, target: str, reason: str, *, provider: bool = False) -> Terminated:
    suffix = "WithFormatProvider" if provider else ""
    kind = "System.ArgumentException" if "portion" in reason else "System.FormatException"
    return cast_failure(
        f"InvalidCastParseTargetInvocation{suffix}",
        f'Cannot convert value "{text}" to type "{target}". Error: "{reason}"',
        inner=PSException(kind, reason),
    )


def _date(value: Value) -> Value:
    match value:
        case Char():
            raise Unsupported("a character as a date")
        case str():
            try:
                return dates.parse_date(value)
            except dates.DateError as error:
                raise _not_parsed(value, "System.DateTime", str(error), provider=True) from None
        case bool():
            raise Unsupported("a boolean as a date")
        case int() if 0 <= value <= dates.MAX_TICKS:
            return DateTime(int(value))
        case PSArray() | PSHashtable() | OrderedHashtable():
            raise no_conversion(value, "System.DateTime")
        case _:
            raise Unsupported(f"[datetime] of {type_name(value) or '$null'}")


def _span(value: Value) -> Value:
    match value:
        case Char():
            raise Unsupported("a character as a time span")
        case str():
            try:
                return dates.parse_span(value)
            except dates.DateError as error:
                raise _not_parsed(value, "System.TimeSpan", str(error), provider=True) from None
        case bool():
            raise Unsupported("a boolean as a time span")
        case int():
            return TimeSpan(int(value))
        case _:
            raise Unsupported(f"[timespan] of {type_name(value) or '$null'}")


def _version(value: Value) -> Value:
    if value is None or isinstance(value, Nothing):
        return None
    if not isinstance(value, str) or isinstance(value, Char):
        raise Unsupported(f"[version] of a {type_name(value)}")
    fields = value.split(".")
    if not 2 <= len(fields) <= 4:
        reason = "Version string portion was too short or too long."
        raise _not_parsed(value, "System.Version", reason)
    if not all(re.fullmatch("[0-9]{1,9}", field) for field in fields):
        if any(re.fullmatch(r"\s*[-+]?[0-9]+\s*", field) for field in fields if not field.isdigit()):
            raise Unsupported(f"the version '{value}'")
        raise _not_parsed(value, "System.Version", "Input string was not in a correct format.")
    return Version(*(int(field) for field in fields))


_GUID = re.compile(
    r"[{(]?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})[)}]?", re.IGNORECASE
)


def _guid(value: Value) -> Value:
    if not isinstance(value, str) or isinstance(value, Char):
        raise Unsupported(f"[guid] of {type_name(value) or '$null'}")
    text = value.strip()
    match = _GUID.fullmatch(text)
    if match is None:
        if text.startswith(("{0x", "0x")):
            raise Unsupported(f"the GUID '{value}'")
        reason = "Guid should contain 32 digits with 4 dashes (xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx)."
        raise _not_parsed(value, "System.Guid", reason)
    plain = text.strip("{}()")
    if len(plain) not in (32, 36) or (text[0] in "{(") != (text[-1] in ")}") or (len(plain) == 32 and plain != text):
        raise Unsupported(f"the GUID '{value}'")
    return Guid("-".join(match.groups()).lower())


def _char(value: Value) -> Value:
    match value:
        case str():
            if len(units(value)) == 1:
                return Char(value)
            raise _not_parsed(value, "System.Char", "String must be exactly one character long.")
        case bool() | float() | Decimal():
            raise Unsupported(f"[char] of a {type_name(value)}")
        case int():
            if 0 <= value <= 0xFFFF:
                return Char(chr(value))
            raise not_convertible(value, "System.Char", "Value was either too large or too small for a character.")
        case _:
            raise Unsupported(f"[char] of {type_name(value) or '$null'}")


def _switch(value: Value) -> Value:
    if isinstance(value, bool | int | float | Decimal):
        return SwitchParameter(bool(value))
    if isinstance(value, SwitchParameter):
        return value
    raise Unsupported(f"[switch] of {type_name(value) or '$null'}")


def _type(value: Value) -> Value:
    if isinstance(value, TypeLiteral):
        return value
    if not isinstance(value, str):
        raise Unsupported(f"[type] of {type_name(value) or '$null'}")
    try:
        resolved = types.resolve(value)
    except Terminated:
        raise cast_failure(
            "InvalidCastFromStringToType",
            f'Cannot convert the "{value}" value of type "System.String" to type "System.Type".',
        ) from None
    return TypeLiteral(f"{_SMA}.PSObject" if resolved == "pscustomobject" else resolved)


def _ip(value: Value) -> Value:
    if isinstance(value, str) and not isinstance(value, Char):
        return netobjects.ip_address(value)
    raise Unsupported(f"[ipaddress] of {type_name(value) or '$null'}")


def _regex(value: Value) -> Value:
    if isinstance(value, str) and not isinstance(value, Char):
        return NetObject("System.Text.RegularExpressions.Regex", value, value)
    raise Unsupported(f"[regex] of {type_name(value) or '$null'}")


SCALAR_CASTS = {
    "System.DateTime": _date,
    "System.TimeSpan": _span,
    "System.Version": _version,
    "System.Guid": _guid,
    "System.Char": _char,
    f"{_SMA}.SwitchParameter": _switch,
    "System.Type": _type,
    "System.Net.IPAddress": _ip,
    "System.Globalization.CultureInfo": netobjects.culture,
    "System.Text.RegularExpressions.Regex": _regex,
}

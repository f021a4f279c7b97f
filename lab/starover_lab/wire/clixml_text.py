"""How single values are spelled in CLIXML, both ways: escapes, dates, durations, numbers; knows no compound element."""

from __future__ import annotations

import base64
import re
from datetime import datetime, timedelta, timezone
from decimal import Decimal

from starover_lab.powershell.errors import ErrorRecord, PSException
from starover_lab.powershell.values import (
    Byte,
    Char,
    DateTime,
    Guid,
    Int16,
    Long,
    NetObject,
    Nothing,
    PSArray,
    PSEnum,
    PSList,
    PSObject,
    SByte,
    ScriptBlock,
    Single,
    Sized,
    SwitchParameter,
    TimeSpan,
    TypeLiteral,
    UInt16,
    UInt32,
    UInt64,
    Value,
    Version,
    from_units,
    type_name,
    units,
)

__all__ = [
    "date_text",
    "duration_text",
    "escape",
    "float_text",
    "plain_text",
    "primitive",
    "read_date",
    "read_duration",
    "read_float",
    "unescape",
    "xml_escape",
]

_SIZED: dict[type, str] = {
    Long: "I64",
    Byte: "By",
    SByte: "SB",
    Int16: "I16",
    UInt16: "U16",
    UInt32: "U32",
    UInt64: "U64",
}
_TICKS = 10_000_000
# A literal `_x` would read as an escape. Control characters and lone or paired surrogates are not allowed as they are
# (R56); the two last characters of the plane are no XML characters at all.
_ESCAPED = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\U00010000-\U0010ffff]|_(?=[xX])")
_UNESCAPED = re.compile("_[xX]([0-9A-Fa-f]{4})_")
_DURATION = re.compile(
    r"(?P<sign>-)?P(?:(?P<days>\d+)D)?(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?"
    r"(?:(?P<seconds>\d+)(?:\.(?P<fraction>\d{1,7})\d*)?S)?)?"
)
_DATE = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,7})\d*)?(Z|[+-]\d\d:\d\d)?",
)


def _one_escape(match: re.Match[str]) -> str:
    return "".join(f"_x{ord(unit):04X}_" for unit in units(match[0]))


def xml_escape(text: str) -> str:
    """Text for an element's content."""
    if "&" in text:
        text = text.replace("&", "&amp;")
    if "<" in text:
        text = text.replace("<", "&lt;")
    return text.replace(">", "&gt;") if ">" in text else text


def escape(text: str) -> str:
    """A string value for an element's content or, with quotes escaped, an attribute."""
    return xml_escape(_ESCAPED.sub(_one_escape, text))


def unescape(text: str) -> str:
    """The inverse of `escape`, entities aside; surrogate pairs come out joined."""
    if "_" not in text:
        return text
    return from_units(_UNESCAPED.sub(lambda m: chr(int(m[1], 16)), text))


def date_text(value: DateTime) -> str:
    """XmlConvert's round-trip form: offset for local time (the lab's hosts live in UTC), trailing zeros dropped."""
    whole, fraction = divmod(value.ticks, _TICKS)
    text = (datetime(1, 1, 1) + timedelta(seconds=whole)).isoformat()  # noqa: DTZ001 - the kind is written apart
    if fraction:
        text += f".{fraction:07d}".rstrip("0")
    return text + {"Utc": "Z", "Local": "+00:00", "Unspecified": ""}[value.kind]


def read_date(text: str) -> DateTime:
    """The inverse of `date_text`; a time with another offset becomes the host's local time. Raises `ValueError`."""
    match = _DATE.fullmatch(text)
    if match is None:
        raise ValueError(f"not a date: {text[:40]}")
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    zone = match[8]
    moment = datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc)  # noqa: UP017 - timezone is used
    if zone not in (None, "Z"):
        hours, minutes = int(zone[1:3]), int(zone[4:6])
        moment -= (1 if zone[0] == "+" else -1) * timedelta(hours=hours, minutes=minutes)
    since = moment - datetime(1, 1, 1, tzinfo=timezone.utc)  # noqa: UP017
    ticks = (since.days * 86400 + since.seconds) * _TICKS + int((match[7] or "").ljust(7, "0"))
    return DateTime(ticks, "Unspecified" if zone is None else "Utc" if zone == "Z" else "Local")


def duration_text(value: TimeSpan) -> str:
    """An xs:duration of days, hours, minutes and seconds."""
    left = abs(value.ticks)
    seconds, fraction = divmod(left, _TICKS)
    days, seconds = divmod(seconds, 86400)
    hours, seconds = divmod(seconds, 3600)
    minutes, seconds = divmod(seconds, 60)
    text = "-P" if value.ticks < 0 else "P"
    if days:
        text += f"{days}D"
    clock = (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "")
    if seconds or fraction or not (days or clock):
        clock += str(seconds) + (f".{fraction:07d}".rstrip("0") if fraction else "") + "S"
    return text + ("T" + clock if clock else "")


def read_duration(text: str) -> TimeSpan:
    """The inverse of `duration_text`. Raises `ValueError`."""
    match = _DURATION.fullmatch(text)
    if match is None or text.endswith(("P", "T")):
        raise ValueError(f"not a duration: {text[:40]}")
    part = {name: int(found) for name, found in match.groupdict().items() if found and name not in ("sign", "fraction")}
    seconds = part.get("days", 0) * 86400 + part.get("hours", 0) * 3600
    seconds += part.get("minutes", 0) * 60 + part.get("seconds", 0)
    ticks = seconds * _TICKS + int((match["fraction"] or "").ljust(7, "0"))
    return TimeSpan(-ticks if match["sign"] else ticks)


def float_text(value: float) -> str:
    """XmlConvert's form of a Double: shortest round-trip digits, an exponent from 1E+15 on."""
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "INF" if value > 0 else "-INF"
    text = repr(float(value))
    if abs(value) >= 1e15:
        sign, digits, exponent = Decimal(text).normalize().as_tuple()
        assert isinstance(exponent, int)
        figures = "".join(map(str, digits))
        power = exponent + len(figures) - 1
        text = ("-" if sign else "") + figures[0] + ("." + figures[1:] if figures[1:] else "") + f"E+{power}"
    return text.removesuffix(".0").replace("e", "E")


def read_float(text: str) -> float:
    """The inverse of `float_text`. Raises `ValueError`."""
    return float({"INF": "inf", "-INF": "-inf"}.get(text, text))


def plain_text(value: Value) -> str:
    """What an object is as a string at depth 0: its `ToString()`."""
    if value is None or isinstance(value, Nothing):
        return ""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, PSObject):
        if value.text is not None:
            return value.text
        if not isinstance(value.base_value, Nothing):
            return plain_text(value.base_value)
        if value.is_custom or not value.type_names:
            inner = (f"{one.name}={plain_text(one.value)}" for one in value.properties.values())
            return "@{" + "; ".join(inner) + "}"
        return value.type_names[0]
    if isinstance(value, PSArray | PSList):
        return " ".join(plain_text(item) for item in value.items)
    if isinstance(value, PSEnum):
        return value.name
    if isinstance(value, NetObject | ScriptBlock | Guid):
        return value.text
    if isinstance(value, TypeLiteral):
        return value.name
    if isinstance(value, ErrorRecord):
        return value.message
    if isinstance(value, PSException):
        return f"{value.type_name}: {value.message}"
    if isinstance(value, float):
        return float_text(value)
    if isinstance(value, str | int | Decimal | Version):
        return format(value) if isinstance(value, Decimal) else str(value)
    if isinstance(value, SwitchParameter):
        return str(value.present)
    return primitive(value)[1] or type_name(value)


def primitive(value: Value) -> tuple[str, str] | tuple[None, str]:
    """Tag and content of a primitive known type; the tag is None for all else."""
    if isinstance(value, bool):
        return "B", "true" if value else "false"
    if isinstance(value, Char):
        return "C", str(ord(value))
    if isinstance(value, str):
        return "S", escape(value)
    if isinstance(value, Sized):
        return _SIZED[type(value)], str(int(value))
    if isinstance(value, int):
        return "I32", str(value)
    if isinstance(value, Single):
        return "Sg", float_text(value)
    if isinstance(value, float):
        return "Db", float_text(value)
    if isinstance(value, Decimal):
        return "D", format(value, "f")
    if isinstance(value, DateTime):
        return "DT", date_text(value)
    if isinstance(value, TimeSpan):
        return "TS", duration_text(value)
    if isinstance(value, Version):
        return "Version", str(value)
    if isinstance(value, Guid):
        return "G", value.text
    if isinstance(value, ScriptBlock):
        return "SBK", escape(value.text)
    if isinstance(value, TypeLiteral):
        return "S", escape(value.name)  # types.ps1xml has System.RuntimeType serialised as a string
    if isinstance(value, NetObject) and value.type_name == "System.Uri":
        return "URI", escape(value.text or "")
    if isinstance(value, PSArray) and value.type_name == "System.Byte[]":
        return "BA", base64.b64encode(bytes(item for item in value.items if isinstance(item, int))).decode()
    return None, ""

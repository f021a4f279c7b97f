"""Properties and methods of numbers, dates, spans, versions, GUIDs and other single values; knows no collection."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial

from starover_lab.powershell import dates, numbers, types
from starover_lab.powershell.compare import compare
from starover_lab.powershell.convert import default_text
from starover_lab.powershell.invoke import NetError, Registry, Site
from starover_lab.powershell.netobjects import Stopwatch
from starover_lab.powershell.values import (
    Char,
    DateTime,
    Guid,
    Long,
    NetObject,
    PSCredential,
    PSEnum,
    PSException,
    PSObject,
    ScriptBlock,
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

__all__ = ["OBJECT_METHODS", "object_property"]

OBJECT_METHODS = Registry()
_add = OBJECT_METHODS.add
_S = "System.String"
_I = "System.Int32"
_D = "System.Double"
_DATE = "System.DateTime"
_SPAN = "System.TimeSpan"
_VERSION = "System.Version"
_TICKS = {"Days": 864_000_000_000, "Hours": 36_000_000_000, "Minutes": 600_000_000, "Seconds": 10_000_000}
_TICKS["Milliseconds"] = 10_000
_NUMBERS = (
    "System.Int32",
    "System.Int64",
    "System.Double",
    "System.Decimal",
    "System.Byte",
    "System.SByte",
    "System.Int16",
    "System.UInt16",
    "System.UInt32",
    "System.UInt64",
    "System.Single",
)


def _weekday(date: DateTime) -> PSEnum:
    number = dates.parts(date)[0].isoweekday() % 7
    return PSEnum("System.DayOfWeek", list(types.ENUMS["System.DayOfWeek"])[number], number)


_KINDS = {"Unspecified": 0, "Utc": 1, "Local": 2}
_DATE_PROPERTIES: dict[str, Callable[[DateTime], Value]] = {
    "year": lambda d: dates.parts(d)[0].year,
    "month": lambda d: dates.parts(d)[0].month,
    "day": lambda d: dates.parts(d)[0].day,
    "hour": lambda d: dates.parts(d)[0].hour,
    "minute": lambda d: dates.parts(d)[0].minute,
    "second": lambda d: dates.parts(d)[0].second,
    "millisecond": lambda d: dates.parts(d)[1] // 10_000,
    "ticks": lambda d: Long(d.ticks),
    "kind": lambda d: PSEnum("System.DateTimeKind", d.kind, _KINDS[d.kind]),
    "dayofweek": _weekday,
    "dayofyear": lambda d: dates.parts(d)[0].timetuple().tm_yday,
    "date": lambda d: DateTime(d.ticks - d.ticks % _TICKS["Days"], d.kind),
    "timeofday": lambda d: TimeSpan(d.ticks % _TICKS["Days"]),
}


def _whole(ticks: int, unit: int, modulus: int | None) -> int:
    number = abs(ticks) // unit
    if modulus is not None:
        number %= modulus
    return -number if ticks < 0 else number


def _total(unit: int, span: TimeSpan) -> float:
    # .NET Framework multiplies by a fraction, .NET Core divides.
    total = span.ticks / unit
    if total != span.ticks * (1.0 / unit):
        raise Unsupported("a span's total whose last digit differs between 5.1 and 7")
    return total


_SPAN_PROPERTIES: dict[str, Callable[[TimeSpan], Value]] = {
    "days": lambda s: _whole(s.ticks, _TICKS["Days"], None),
    "hours": lambda s: _whole(s.ticks, _TICKS["Hours"], 24),
    "minutes": lambda s: _whole(s.ticks, _TICKS["Minutes"], 60),
    "seconds": lambda s: _whole(s.ticks, _TICKS["Seconds"], 60),
    "milliseconds": lambda s: _whole(s.ticks, _TICKS["Milliseconds"], 1000),
    "ticks": lambda s: Long(s.ticks),
    **{f"total{unit.lower()}": partial(_total, ticks) for unit, ticks in _TICKS.items()},
}
_VERSION_PROPERTIES: dict[str, Callable[[Version], Value]] = {
    "major": lambda v: v.major,
    "minor": lambda v: v.minor,
    "build": lambda v: v.build,
    "revision": lambda v: v.revision,
}


def object_property(value: Value, name: str) -> tuple[Value] | None:
    """A property of a single value (in a tuple), or None when its type has none of that name."""
    key = name.lower()
    match value:
        case Char():
            return None
        case str():
            return (len(units(value)),) if key == "length" else None
        case DateTime() if key in _DATE_PROPERTIES:
            return (_DATE_PROPERTIES[key](value),)
        case DateTime() if key == "datetime":
            return (dates.format_date(value, "F"),)
        case TimeSpan() if key in _SPAN_PROPERTIES:
            return (_SPAN_PROPERTIES[key](value),)
        case Version() if key in _VERSION_PROPERTIES:
            return (_VERSION_PROPERTIES[key](value),)
        case SwitchParameter() if key == "ispresent":
            return (value.present,)
        case TypeLiteral():
            return _type_property(value, key)
        case Version() if key in ("majorrevision", "minorrevision"):
            raise Unsupported(f"a version's {name}")
        case PSEnum() if key == "value__":
            return (value.number,)
        case PSCredential() if key == "username":
            return (value.user_name,)
        case PSCredential() if key == "password":
            return (value.password,)
        case NetObject(state=Stopwatch() as watch):
            return watch.read(key)
        case NetObject():
            return next(((v,) for n, v in value.properties.items() if n.lower() == key), None)
        case ScriptBlock() if key in ("ast", "file", "module", "startposition", "attributes", "id", "isfilter"):
            raise Unsupported(f"a script block's {name}")
        case _:
            return None


def _type_property(value: TypeLiteral, key: str) -> tuple[Value] | None:
    match key:
        case "fullname" if "`" not in value.name and "[" not in value.name.removesuffix("[]"):
            return (value.name,)
        case "name":
            return (types.short_name(value.name),)
        case "namespace":
            return (value.name.partition("[")[0].rpartition(".")[0],)
        case "isarray":
            return (value.name.endswith("[]"),)
        case "count" | "length":
            return None
        case _:
            raise Unsupported(f"a type's {key}")


# -- what every value has


def _any(name: str, *parameters: str) -> Callable[[Callable[[Value, list[Value], Site | None], Value]], object]:
    return _add("", name, *parameters)


@_any("GetType")
def _(value: Value, _arguments: list[Value], _site: Site | None) -> Value:
    inner = base(value)
    if isinstance(inner, PSException | PSObject) or type_name(inner):
        return TypeLiteral(type_name(inner))
    raise Unsupported("GetType")


@_any("ToString")
def _(value: Value, _arguments: list[Value], _site: Site | None) -> Value:
    return default_text(value)


def _same(left: Value, right: Value) -> bool:
    left, right = base(left), base(right)
    if type(left) is not type(right):
        return False
    if isinstance(left, int | float | Decimal | str | DateTime | TimeSpan | Version | Guid | PSEnum | TypeLiteral):
        return left == right
    return left is right


@_any("Equals", "System.Object")
def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    return _same(value, arguments[0])


# -- numbers


def _number_text(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    spec = arguments[0]
    assert isinstance(spec, str)
    try:
        return numbers.format_number(value, spec)
    except numbers.NumberError as error:
        raise NetError("System.FormatException", str(error)) from None


def _compare_to(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    order = compare(value, arguments[0])
    if order is None:
        raise Unsupported("CompareTo with NaN")
    return order


for _name in _NUMBERS:
    _add(_name, "ToString", _S)(_number_text)
    _add(_name, "CompareTo", _name)(_compare_to)
for _name in (_DATE, _SPAN, _VERSION):
    _add(_name, "CompareTo", _name)(_compare_to)


# -- dates


def _date(value: Value) -> DateTime:
    assert isinstance(value, DateTime)
    return value


def _span(value: Value) -> TimeSpan:
    assert isinstance(value, TimeSpan)
    return value


def _moved(date: DateTime, ticks: int) -> DateTime:
    moved = date.ticks + ticks
    if not 0 <= moved <= dates.MAX_TICKS:
        message = "The added or subtracted value results in an un-representable DateTime. (Parameter 'value')"
        raise NetError("System.ArgumentOutOfRangeException", message)
    return DateTime(moved, date.kind)


def _scaled(value: Value, unit: int) -> int:
    assert isinstance(value, float)
    # .NET Framework rounds to milliseconds, .NET Core since 7 does not.
    milliseconds = value * unit / 10_000
    if milliseconds != int(milliseconds):
        raise Unsupported("a date moved by less than milliseconds")
    return int(milliseconds) * 10_000


for _unit, _ticks in _TICKS.items():

    @_add(_DATE, f"Add{_unit}", _D)
    def _(value: Value, arguments: list[Value], _site: Site | None, *, ticks: int = _ticks) -> Value:
        return _moved(_date(value), _scaled(arguments[0], ticks))


@_add(_DATE, "AddTicks", "System.Int64")
def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    ticks = arguments[0]
    assert isinstance(ticks, int)
    return _moved(_date(value), int(ticks))


for _name, _months in (("AddMonths", 1), ("AddYears", 12)):

    @_add(_DATE, _name, _I)
    def _(value: Value, arguments: list[Value], _site: Site | None, *, months: int = _months) -> Value:
        count = arguments[0]
        assert isinstance(count, int)
        return dates.add_months(_date(value), int(count) * months)


@_add(_DATE, "Add", _SPAN)
def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    return _moved(_date(value), _span(arguments[0]).ticks)


@_add(_DATE, "Subtract", _SPAN)
def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    return _moved(_date(value), -_span(arguments[0]).ticks)


@_add(_DATE, "Subtract", _DATE)
def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    return TimeSpan(_date(value).ticks - _date(arguments[0]).ticks)


@_add(_DATE, "ToUniversalTime")
def _(value: Value, _arguments: list[Value], _site: Site | None) -> Value:
    return DateTime(_date(value).ticks, "Utc")


@_add(_DATE, "ToLocalTime")
def _(value: Value, _arguments: list[Value], _site: Site | None) -> Value:
    return DateTime(_date(value).ticks, "Local")


@_add(_DATE, "ToString", _S)
def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    spec = arguments[0]
    assert isinstance(spec, str)
    try:
        return dates.format_date(_date(value), spec or "G")
    except dates.DateError as error:
        raise NetError("System.FormatException", str(error)) from None


for _name, _spec in (("ToShortDateString", "d"), ("ToLongDateString", "D"), ("ToShortTimeString", "t")):

    @_add(_DATE, _name)
    def _(value: Value, _arguments: list[Value], _site: Site | None, *, spec: str = _spec) -> Value:
        return dates.format_date(_date(value), spec)


# -- spans


@_add(_SPAN, "ToString", _S)
def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    spec = arguments[0]
    assert isinstance(spec, str)
    try:
        return dates.format_span(_span(value), spec)
    except dates.DateError as error:
        raise NetError("System.FormatException", str(error)) from None


@_add(_SPAN, "Add", _SPAN)
def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    return TimeSpan(_span(value).ticks + _span(arguments[0]).ticks)


@_add(_SPAN, "Subtract", _SPAN)
def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    return TimeSpan(_span(value).ticks - _span(arguments[0]).ticks)


@_add(_SPAN, "Negate")
def _(value: Value, _arguments: list[Value], _site: Site | None) -> Value:
    return TimeSpan(-_span(value).ticks)


@_add(_SPAN, "Duration")
def _(value: Value, _arguments: list[Value], _site: Site | None) -> Value:
    return TimeSpan(abs(_span(value).ticks))


# -- versions, GUIDs


@_add(_VERSION, "ToString", _I)
def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    assert isinstance(value, Version)
    count = arguments[0]
    assert isinstance(count, int)
    known = str(value).split(".")
    if not 0 <= count <= len(known):
        raise NetError("System.ArgumentException", "Argument must be between 0 and the number of parts.")
    return ".".join(known[:count])


@_add("System.Guid", "ToString", _S)
def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    assert isinstance(value, Guid)
    match arguments[0]:
        case "N" | "n":
            return value.text.replace("-", "")
        case "D" | "d" | "":
            return value.text
        case "B" | "b":
            return f"{{{value.text}}}"
        case "P" | "p":
            return f"({value.text})"
        case _:
            raise Unsupported("this format of a GUID")


# -- credentials


@_add("System.Management.Automation.PSCredential", "GetNetworkCredential")
def _(value: Value, _arguments: list[Value], _site: Site | None) -> Value:
    assert isinstance(value, PSCredential)
    domain, slash, user = value.user_name.rpartition("\\")
    properties: dict[str, Value] = {
        "UserName": user if slash else value.user_name,
        "Password": value.password.secret,
        "Domain": domain,
    }
    return NetObject("System.Net.NetworkCredential", "System.Net.NetworkCredential", None, properties)

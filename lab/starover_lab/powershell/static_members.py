"""Static members of .NET types: `[math]::Max(1, 2)`, `[datetime]::UtcNow`; knows no instance member."""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from starover_lab.powershell import dates, netnames, netobjects, types
from starover_lab.powershell.constructors import construct
from starover_lab.powershell.convert import INTEGERS, cast, joined, to_string
from starover_lab.powershell.dotnet import byte_array, bytes_of, regex_of, replaced
from starover_lab.powershell.errors import Terminated
from starover_lab.powershell.invoke import NetError, Registry, Site, call_method, method_missing
from starover_lab.powershell.parser import ParseError, parse
from starover_lab.powershell.refusals import refuse
from starover_lab.powershell.regex import escape
from starover_lab.powershell.static_math import real, register_math
from starover_lab.powershell.string_methods import STRING_METHODS
from starover_lab.powershell.text_operators import format_text
from starover_lab.powershell.values import (
    NOTHING,
    DateTime,
    Guid,
    NetObject,
    Nothing,
    PSArray,
    PSEnum,
    PSList,
    ScriptBlock,
    Sized,
    TimeSpan,
    TypeLiteral,
    Unsupported,
    Value,
    base,
)

__all__ = ["static_call", "static_get", "static_set"]

_METHODS = Registry()
_add = _METHODS.add
register_math(_METHODS)
_S = "System.String"
_I = "System.Int32"
_D = "System.Double"
_O = "System.Object"
_DATE = "System.DateTime"
_SPAN = "System.TimeSpan"
_CONVERT = "System.Convert"
_MATH = "System.Math"
_REGEX = "System.Text.RegularExpressions.Regex"

Run: TypeAlias = Callable[..., Value]
"""Runs a script block with arguments."""


class _Blocks:
    """A session that can do no more than run a block."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def now(self) -> DateTime:
        raise Unsupported("the time here")

    def environment(self, name: str) -> str | None:
        raise Unsupported(f"the environment variable {name} here")

    def user_name(self) -> str:
        raise Unsupported("the user here")

    def is_administrator(self) -> bool:
        raise Unsupported("the user's role here")

    def call_block(
        self,
        block: ScriptBlock,
        *,
        item: Value = NOTHING,  # noqa: ARG002 - the protocol's
        args: Sequence[Value] = (),
        new_scope: bool = False,  # noqa: ARG002 - the protocol's
    ) -> Iterator[Value]:
        result = self.run(block, *args)
        if not isinstance(result, Nothing):
            yield result


def static_call(
    owner: str, name: str, arguments: Sequence[Value], *, run: Run | None = None, site: Site | None = None
) -> Value:
    """`[owner]::name(arguments)`, `owner` as `types.resolve` gives it."""
    given: list[Value] = [None if isinstance(argument, Nothing) else argument for argument in arguments]
    if site is None and run is not None:
        site = _Blocks(run)
    methods = _METHODS.find(owner, name)
    if not methods and name.lower() == "new":
        return construct(owner, given)
    if not methods and owner in INTEGERS and name.lower() == "parse":
        methods = _METHODS.find("integer", name)
        return call_method(methods, owner, given, site)
    if not methods:
        if netnames.has_static_method(owner, name) is False:
            raise method_missing(owner, name)
        raise Unsupported(f"[{owner}]::{name}()")
    return call_method(methods, None, given, site)


def static_get(owner: str, name: str, *, site: Site | None = None) -> Value:
    """`[owner]::name`."""
    key = name.lower()
    if owner in types.ENUMS:
        found = next((n for n in types.ENUMS[owner] if n.lower() == key), None)
        if found is not None:
            return PSEnum(owner, found, types.ENUMS[owner][found])
    if owner in INTEGERS and key in ("maxvalue", "minvalue"):
        kind = INTEGERS[owner]
        low, high = (kind.low, kind.high) if issubclass(kind, Sized) else (-(2**31), 2**31 - 1)
        return kind(high if key == "maxvalue" else low)
    constant = _CONSTANTS.get((owner, key))
    if constant is not None:
        return constant()
    if site is not None:
        live = _LIVE.get((owner, key))
        if live is not None:
            return live(site)
    if owner == "System.Text.Encoding":
        found_encoding = netobjects.encoding(key)
        if found_encoding is not None:
            return found_encoding
    raise Unsupported(f"[{owner}]::{name}")


def static_set(owner: str, name: str, value: Value) -> None:
    """`[owner]::name = value`: the console's encoding, which changes nothing here."""
    inner = base(value)
    if owner == "System.Console" and name.lower() == "outputencoding" and isinstance(inner, NetObject):
        return
    raise Unsupported(f"setting [{owner}]::{name}")


def _type_of(name: str) -> NetObject:
    found = netobjects.parse_ip(name)
    assert found is not None
    return found


_CONSTANTS: dict[tuple[str, str], Callable[[], Value]] = {
    (_MATH, "pi"): lambda: math.pi,
    (_MATH, "e"): lambda: math.e,
    (_S, "empty"): lambda: "",
    (_DATE, "minvalue"): lambda: DateTime(0),
    (_DATE, "maxvalue"): lambda: DateTime(dates.MAX_TICKS),
    (_SPAN, "zero"): lambda: TimeSpan(0),
    (_SPAN, "maxvalue"): lambda: TimeSpan(2**63 - 1),
    (_SPAN, "minvalue"): lambda: TimeSpan(-(2**63)),
    ("System.Guid", "empty"): lambda: Guid("00000000-0000-0000-0000-000000000000"),
    ("System.Threading.Timeout", "infinitetimespan"): lambda: TimeSpan(-10_000),
    ("System.Threading.Timeout", "infinite"): lambda: -1,
    ("System.Net.IPAddress", "none"): lambda: _type_of("255.255.255.255"),
    ("System.Net.IPAddress", "any"): lambda: _type_of("0.0.0.0"),  # noqa: S104 - a value, no listener
    ("System.Net.IPAddress", "loopback"): lambda: _type_of("127.0.0.1"),
    ("System.Net.IPAddress", "broadcast"): lambda: _type_of("255.255.255.255"),
    (_D, "nan"): lambda: math.nan,
    (_D, "positiveinfinity"): lambda: math.inf,
    (_D, "negativeinfinity"): lambda: -math.inf,
    (_D, "maxvalue"): lambda: 1.7976931348623157e308,
    (_D, "minvalue"): lambda: -1.7976931348623157e308,
    ("System.Boolean", "truestring"): lambda: "True",
    ("System.Boolean", "falsestring"): lambda: "False",
    ("System.BitConverter", "islittleendian"): lambda: True,
    ("System.Globalization.CultureInfo", "invariantculture"): lambda: netobjects.culture(""),
    ("System.Globalization.CultureInfo", "currentculture"): lambda: netobjects.culture("en-US"),
    ("System.Threading.Thread", "currentthread"): netobjects.thread,
    ("System.Console", "outputencoding"): lambda: netobjects.encoding("utf8"),
}


def _environment(name: str) -> Callable[[Site], Value]:
    def read(site: Site) -> Value:
        found = site.environment(name)
        if found is None:
            raise Unsupported(f"the environment variable {name}")
        return found

    return read


_LIVE: dict[tuple[str, str], Callable[[Site], Value]] = {
    (_DATE, "utcnow"): lambda site: DateTime(site.now().ticks, "Utc"),
    (_DATE, "now"): lambda site: DateTime(site.now().ticks, "Local"),
    (_DATE, "today"): lambda site: DateTime(site.now().ticks // dates.TICKS_PER_DAY * dates.TICKS_PER_DAY, "Local"),
    ("System.Environment", "machinename"): _environment("COMPUTERNAME"),
    ("System.Environment", "username"): _environment("USERNAME"),
    ("System.Environment", "userdomainname"): _environment("USERDOMAIN"),
}


# -- text


@_add(_S, "IsNullOrEmpty", "System.String?")
def _(_value: Value, arguments: list[Value], _site: Site | None) -> Value:
    return not arguments[0]


@_add(_S, "IsNullOrWhiteSpace", "System.String?")
def _(_value: Value, arguments: list[Value], _site: Site | None) -> Value:
    text = arguments[0]
    return not text or (isinstance(text, str) and not re.sub(r"[\x1c-\x1f]", "x", text).strip())


@_add(_S, "Join", _S, _O)
def _(_value: Value, arguments: list[Value], _site: Site | None) -> Value:
    items = base(arguments[1])
    if not isinstance(items, PSArray | PSList):
        return to_string(items)
    if any(isinstance(base(item), float | DateTime | PSArray | PSList) for item in items.items):
        raise Unsupported("[string]::Join of these")
    return joined(items.items, to_string(arguments[0]))


@_add(_S, "Format", _S, _O)
def _(_value: Value, arguments: list[Value], _site: Site | None) -> Value:
    if base(arguments[1]) is None:
        raise NetError("System.ArgumentNullException", "Value cannot be null. (Parameter 'args')")
    values = base(arguments[1])
    items = values.items if isinstance(values, PSArray) else [arguments[1]]
    return _formatted(to_string(arguments[0]), items)


for _count in range(2, 8):

    @_add(_S, "Format", _S, *[_O] * _count)
    def _(_value: Value, arguments: list[Value], _site: Site | None) -> Value:
        return _formatted(to_string(arguments[0]), arguments[1:])

    @_add(_S, "Join", _S, *[_O] * _count)
    def _(_value: Value, arguments: list[Value], _site: Site | None) -> Value:
        if any(isinstance(base(item), float | DateTime | PSArray | PSList) for item in arguments[1:]):
            raise Unsupported("[string]::Join of these")
        return joined(arguments[1:], to_string(arguments[0]))


def _formatted(template: str, arguments: list[Value]) -> str:
    try:
        return format_text(template, arguments)
    except Terminated as error:
        inner = error.record.exception.inner
        raise NetError("System.FormatException", "" if inner is None else inner.message) from None


@_add(_S, "Concat", _S, _S)
def _(_value: Value, arguments: list[Value], _site: Site | None) -> Value:
    return to_string(arguments[0]) + to_string(arguments[1])


@_add(_S, "Equals", _S, _S)
def _(_value: Value, arguments: list[Value], _site: Site | None) -> Value:
    return arguments[0] == arguments[1]


@_add(_S, "Equals", _S, _S, "System.StringComparison")
def _(_value: Value, arguments: list[Value], site: Site | None) -> Value:
    methods = STRING_METHODS.find(_S, "Equals")
    return call_method(methods, arguments[0], arguments[1:], site)


# -- regular expressions


@_add(_REGEX, "Escape", _S)
def _(_value: Value, arguments: list[Value], _site: Site | None) -> Value:
    return escape(to_string(arguments[0]))


@_add(_REGEX, "IsMatch", _S, _S)
@_add(_REGEX, "IsMatch", _S, _S, _O)
def _(_value: Value, arguments: list[Value], _site: Site | None) -> Value:
    return regex_of(to_string(arguments[1]), *arguments[2:]).search(to_string(arguments[0])) is not None


@_add(_REGEX, "Match", _S, _S)
@_add(_REGEX, "Match", _S, _S, _O)
def _(_value: Value, arguments: list[Value], _site: Site | None) -> Value:
    regex = regex_of(to_string(arguments[1]), *arguments[2:])
    return netobjects.match_object(regex, regex.search(to_string(arguments[0])))


@_add(_REGEX, "Matches", _S, _S)
@_add(_REGEX, "Matches", _S, _S, _O)
def _(_value: Value, arguments: list[Value], _site: Site | None) -> Value:
    return netobjects.matches(regex_of(to_string(arguments[1]), *arguments[2:]), to_string(arguments[0]))


@_add(_REGEX, "Replace", _S, _S, _O)
@_add(_REGEX, "Replace", _S, _S, _O, _O)
def _(_value: Value, arguments: list[Value], site: Site | None) -> Value:
    regex = regex_of(to_string(arguments[1]), *arguments[3:])
    return replaced(regex, to_string(arguments[0]), arguments[2], site)


@_add(_REGEX, "Split", _S, _S)
def _(_value: Value, arguments: list[Value], _site: Site | None) -> Value:
    return PSArray(list(regex_of(to_string(arguments[1])).split(to_string(arguments[0]))), "System.String[]")


# -- bytes


@_add("System.Management.Automation.ScriptBlock", "Create", _S)
def _(_value: Value, arguments: list[Value], _site: Site | None) -> Value:
    text = to_string(arguments[0])
    try:
        script = parse(text)
    except ParseError as error:
        raise Unsupported(f"[scriptblock]::Create() of what does not parse: {error}") from error
    refuse(script)
    return ScriptBlock(script.text, script)


@_add(_CONVERT, "FromBase64String", _S)
def _(_value: Value, arguments: list[Value], _site: Site | None) -> Value:
    text = re.sub(r"[ \t\r\n]", "", to_string(arguments[0]))
    try:
        return byte_array(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        message = (
            "The input is not a valid Base-64 string as it contains a non-base 64 character, more than two padding "
            "characters, or an illegal character among the padding characters."
        )
        raise NetError("System.FormatException", message) from None


@_add(_CONVERT, "ToBase64String", "System.Byte[]")
def _(_value: Value, arguments: list[Value], _site: Site | None) -> Value:
    return base64.b64encode(bytes_of(arguments[0])).decode("ascii")


@_add("System.BitConverter", "ToString", "System.Byte[]")
def _(_value: Value, arguments: list[Value], _site: Site | None) -> Value:
    return "-".join(f"{b:02X}" for b in bytes_of(arguments[0]))


@_add("System.Security.Cryptography.SHA256", "Create")
def _(_value: Value, _arguments: list[Value], _site: Site | None) -> Value:
    name = "System.Security.Cryptography.SHA256Managed"
    return NetObject(name, name)


# -- dates, spans, versions, addresses, numbers


for _unit, _ticks in (
    ("Days", 864_000_000_000),
    ("Hours", 36_000_000_000),
    ("Minutes", 600_000_000),
    ("Seconds", 10**7),
):

    @_add(_SPAN, f"From{_unit}", _D)
    def _(_value: Value, arguments: list[Value], _site: Site | None, *, ticks: int = _ticks) -> Value:
        return _from(arguments[0], ticks)


@_add(_SPAN, "FromMilliseconds", _D)
def _(_value: Value, arguments: list[Value], _site: Site | None) -> Value:
    return _from(arguments[0], 10_000)


@_add(_SPAN, "FromTicks", "System.Int64")
def _(_value: Value, arguments: list[Value], _site: Site | None) -> Value:
    number = arguments[0]
    assert isinstance(number, int)
    return TimeSpan(int(number))


def _from(value: Value, ticks: int) -> TimeSpan:
    milliseconds = real(value) * (ticks / 10_000)
    if not math.isfinite(milliseconds) or milliseconds != int(milliseconds) or abs(milliseconds) > 9e14:
        raise Unsupported("a time span finer than a millisecond: 5.1 and 7 round differently")
    return TimeSpan(int(milliseconds) * 10_000)


@_add(_DATE, "Parse", _S)
@_add(_SPAN, "Parse", _S)
def _(_value: Value, _arguments: list[Value], _site: Site | None) -> Value:
    raise Unsupported("Parse by the current culture")


@_add(_DATE, "ParseExact", _S, _S, _O)
def _(_value: Value, arguments: list[Value], _site: Site | None) -> Value:
    try:
        return dates.parse_exact(to_string(arguments[0]), to_string(arguments[1]))
    except dates.DateError as error:
        raise NetError("System.FormatException", str(error)) from None


@_add(_DATE, "SpecifyKind", _DATE, "System.DateTimeKind")
def _(_value: Value, arguments: list[Value], _site: Site | None) -> Value:
    date, kind = arguments
    assert isinstance(date, DateTime)
    assert isinstance(kind, PSEnum)
    return DateTime(date.ticks, "Utc" if kind.name == "Utc" else "Local" if kind.name == "Local" else "Unspecified")


@_add("System.Net.IPAddress", "Parse", _S)
def _(_value: Value, arguments: list[Value], _site: Site | None) -> Value:
    found = netobjects.parse_ip(to_string(arguments[0]))
    if found is None:
        raise NetError("System.FormatException", "An invalid IP address was specified.")
    return found


@_add("integer", "Parse", _S)
def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    text = to_string(arguments[0])
    if not re.fullmatch(r"\s*[-+]?[0-9]+\s*", text):
        raise NetError("System.FormatException", "Input string was not in a correct format.")
    try:
        return cast(text, to_string(value))
    except Terminated:
        raise NetError("System.OverflowException", "Value was either too large or too small.") from None


@_add("System.Guid", "Parse", _S)
def _(_value: Value, arguments: list[Value], _site: Site | None) -> Value:
    try:
        return cast(arguments[0], "System.Guid")
    except Terminated as error:
        raise NetError("System.FormatException", error.record.message) from None


# -- the rest


@_add("System.Diagnostics.Stopwatch", "StartNew")
def _(_value: Value, _arguments: list[Value], site: Site | None) -> Value:
    if site is None:
        raise Unsupported("a stopwatch here")
    return netobjects.stopwatch(site.now)


@_add("System.Security.Principal.WindowsIdentity", "GetCurrent")
def _(_value: Value, _arguments: list[Value], site: Site | None) -> Value:
    if site is None:
        raise Unsupported("the user here")
    name = "System.Security.Principal.WindowsIdentity"
    return NetObject(name, name, None, {"Name": site.user_name()})


@_add("System.Enum", "GetNames", _O)
def _(_value: Value, arguments: list[Value], _site: Site | None) -> Value:
    wanted = cast(arguments[0], "System.Type")
    members = types.ENUMS.get(wanted.name) if isinstance(wanted, TypeLiteral) else None
    if members is None:
        raise Unsupported("the names of this enum")
    ordered: list[Value] = [name for name, _ in sorted(members.items(), key=lambda pair: pair[1])]
    return PSArray(ordered, "System.String[]")

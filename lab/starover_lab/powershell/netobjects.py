"""Live .NET objects without a class of their own among the values: how they are made, and what they keep."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from starover_lab.powershell.errors import PSException, cast_failure
from starover_lab.powershell.regex import Regex
from starover_lab.powershell.values import (
    DateTime,
    Long,
    NetObject,
    PSList,
    TimeSpan,
    Unsupported,
    Value,
    base,
    from_units,
)

__all__ = [
    "Bytes",
    "Gzip",
    "Pieces",
    "Stopwatch",
    "culture",
    "encoding",
    "encoding_of",
    "gzip_stream",
    "ip_address",
    "match_object",
    "matches",
    "memory_stream",
    "stopwatch",
    "string_builder",
    "thread",
]

_SHAPE = re.compile(r"(?:0[xX][0-9a-fA-F]{1,8}|[0-9]{1,10})(?:\.(?:0[xX][0-9a-fA-F]{1,8}|[0-9]{1,10})){3}")
_NOT_AN_ADDRESS = "An invalid IP address was specified."


def parse_ip(text: str) -> NetObject | None:
    """An IPv4 address in four parts (a leading 0 means octal, as in .NET); None for what is surely none."""
    numbers: list[int] = []
    if _SHAPE.fullmatch(text):
        for part in text.split("."):
            radix = 16 if part[:2].lower() == "0x" else 8 if part[0] == "0" and len(part) > 1 else 10
            try:
                numbers.append(int(part.lower().removeprefix("0x"), radix))
            except ValueError:
                return None
        if max(numbers) > 255:
            return None
        plain = ".".join(str(n) for n in numbers)
        return NetObject("System.Net.IPAddress", plain, tuple(numbers), {"IPAddressToString": plain})
    if ":" in text or re.fullmatch(r"[0-9xXa-fA-F.]*", text):
        raise Unsupported(f"the address '{text}'")
    return None


def ip_address(text: str) -> NetObject:
    """`[ipaddress]'...'`. Raises `Terminated` (InvalidCastParseTargetInvocation) for what is surely no address."""
    found = parse_ip(text)
    if found is None:
        message = f'Cannot convert value "{text}" to type "System.Net.IPAddress". Error: "{_NOT_AN_ADDRESS}"'
        raise cast_failure(
            "InvalidCastParseTargetInvocation", message, inner=PSException("System.FormatException", _NOT_AN_ADDRESS)
        )
    return found


_ENCODINGS = {
    "utf8": ("System.Text.UTF8Encoding", "utf-8"),
    "ascii": ("System.Text.ASCIIEncoding", "ascii"),
    "unicode": ("System.Text.UnicodeEncoding", "utf-16-le"),
}


def encoding(name: str) -> NetObject | None:
    """`[Text.Encoding]::name`."""
    found = _ENCODINGS.get(name.lower())
    return None if found is None else NetObject(found[0], found[0], found[1])


def encoding_of(value: NetObject) -> str:
    """Python's name of an encoding object."""
    assert isinstance(value.state, str)
    return value.state


@dataclass(eq=False)
class Bytes:
    """A stream in memory."""

    data: bytearray = field(default_factory=bytearray)
    closed: bool = False


@dataclass(eq=False, kw_only=True)
class Gzip(Bytes):
    """A compressing stream: what was written to it goes to the target, compressed, when it is closed."""

    target: Bytes


def memory_stream() -> NetObject:
    """`New-Object System.IO.MemoryStream`."""
    return NetObject("System.IO.MemoryStream", "System.IO.MemoryStream", Bytes())


def gzip_stream(target: NetObject) -> NetObject:
    """`New-Object System.IO.Compression.GZipStream $target, 'Compress'`."""
    if not isinstance(target.state, Bytes):
        raise Unsupported("a GZipStream on something else than a MemoryStream")
    name = "System.IO.Compression.GZipStream"
    return NetObject(name, name, Gzip(target=target.state))


@dataclass(eq=False)
class Pieces:
    """What a string builder holds."""

    texts: list[str]


def string_builder(text: str = "") -> NetObject:
    """`New-Object System.Text.StringBuilder`."""
    return NetObject("System.Text.StringBuilder", text, Pieces([text]))


@dataclass(eq=False)
class Stopwatch:
    """A stopwatch on the session's clock."""

    now: Callable[[], DateTime]
    started: int
    stopped: int | None = None

    def stop(self) -> None:
        """Stop it."""
        if self.stopped is None:
            self.stopped = self.now().ticks

    def read(self, name: str) -> tuple[Value] | None:
        """A property, in a tuple."""
        end = self.now().ticks if self.stopped is None else self.stopped
        match name:
            case "elapsed":
                return (TimeSpan(end - self.started),)
            case "elapsedmilliseconds":
                return (Long((end - self.started) // 10_000),)
            case "isrunning":
                return (self.stopped is None,)
            case _:
                return None


def stopwatch(now: Callable[[], DateTime]) -> NetObject:
    """`[System.Diagnostics.Stopwatch]::StartNew()`."""
    return NetObject("System.Diagnostics.Stopwatch", "System.Diagnostics.Stopwatch", Stopwatch(now, now().ticks))


def culture(value: Value) -> NetObject:
    """A culture by name: en-US and the invariant one; with another one everything here would print otherwise."""
    inner = base(value)
    if isinstance(inner, NetObject) and inner.type_name == "System.Globalization.CultureInfo":
        return inner
    if isinstance(inner, str) and inner.casefold() == "en-us":
        return NetObject("System.Globalization.CultureInfo", "en-US", "en-US", {"Name": "en-US"})
    if inner == "":
        return NetObject("System.Globalization.CultureInfo", "", "", {"Name": ""})
    raise Unsupported("another culture than en-US")


def thread() -> NetObject:
    """`[System.Threading.Thread]::CurrentThread`."""
    properties: dict[str, Value] = {"CurrentCulture": culture("en-US"), "CurrentUICulture": culture("en-US")}
    return NetObject("System.Threading.Thread", "System.Threading.Thread", None, properties)


def _group(type_name: str, text: str | None, place: int, length: int) -> NetObject:
    shown = text or ""
    return NetObject(
        f"System.Text.RegularExpressions.{type_name}",
        shown,
        None,
        {"Success": text is not None, "Value": shown, "Index": max(place, 0), "Length": length},
    )


def match_object(regex: Regex, match: re.Match[str] | None) -> NetObject:
    """A Match object of `[regex]`; `match` is Python's, or None for no match."""
    if match is None:
        found = _group("Match", None, 0, 0)
        found.properties["Groups"] = PSList(
            [_group("Group", None, 0, 0)], "System.Text.RegularExpressions.GroupCollection"
        )
        return found
    found = _group("Match", from_units(match[0]), match.start(), match.end() - match.start())
    texts = dict(regex.groups(match))
    groups: list[Value] = [found]
    numbers = [n for n, key in enumerate(regex.keys, 1) if isinstance(key, int)]
    if len(numbers) == len(regex.keys):
        for number in numbers:
            place = match.start(number)
            groups.append(_group("Group", texts[number], place, match.end(number) - place))
        found.properties["Groups"] = PSList(groups, "System.Text.RegularExpressions.GroupCollection")
    return found


def matches(regex: Regex, text: str) -> PSList:
    """`Matches`."""
    return PSList(
        [match_object(regex, m) for m in regex.find_all(text)], "System.Text.RegularExpressions.MatchCollection"
    )

"""Dates and time spans: parsing, printing and calendar arithmetic as .NET does it in en-US; knows no clock.

Local time is UTC on the lab's hosts. Text that is not surely read is `Unsupported`.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from starover_lab.powershell.errors import Unsupported
from starover_lab.powershell.values import DateTime, TimeSpan

__all__ = [
    "TICKS_PER_SECOND",
    "DateError",
    "add_months",
    "format_date",
    "format_span",
    "from_parts",
    "parse_date",
    "parse_exact",
    "parse_span",
    "parts",
]

TICKS_PER_SECOND = 10_000_000
TICKS_PER_DAY = 86_400 * TICKS_PER_SECOND
MAX_TICKS = 3_155_378_975_999_999_999
_MAX_SPAN = 2**63 - 1
_EPOCH = datetime(1, 1, 1)  # noqa: DTZ001 - .NET's day zero has no zone
_MONTHS = "January February March April May June July August September October November December".split()  # noqa: SIM905
_DAYS = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split()  # noqa: SIM905


class DateError(ValueError):
    """Text that .NET does not read as a date or span, or a format that it refuses. The message is .NET's."""


def parts(date: DateTime) -> tuple[datetime, int]:
    """The calendar parts of a date, and its ticks below one second."""
    seconds, fraction = divmod(date.ticks, TICKS_PER_SECOND)
    return _EPOCH + timedelta(seconds=seconds), fraction


def from_parts(
    year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0, fraction: int = 0
) -> DateTime:
    """A date of kind Unspecified; `fraction` in ticks. Raises `DateError` when there is no such day or time."""
    try:
        moment = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - zone comes from the kind
    except ValueError as error:
        raise DateError("Year, Month, and Day parameters describe an un-representable DateTime.") from error
    return DateTime(_ticks(moment) + fraction)


def _ticks(moment: datetime) -> int:
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * TICKS_PER_SECOND


def add_months(date: DateTime, months: int) -> DateTime:
    """`AddMonths`: the last day of the month where the day does not exist."""
    moment, fraction = parts(date)
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    for day in range(moment.day, 27, -1):
        try:
            made = moment.replace(year=year, month=month + 1, day=day)
        except ValueError:
            continue
        return DateTime(_ticks(made) + fraction, date.kind)
    return DateTime(_ticks(moment.replace(year=year, month=month + 1)) + fraction, date.kind)


_DATE = (
    r"(?:(?P<y>[0-9]{4})-(?P<m>[0-9]{1,2})-(?P<d>[0-9]{1,2})"
    r"|(?P<m2>[0-9]{1,2})/(?P<d2>[0-9]{1,2})/(?P<y2>[0-9]{4})"
    r"|(?P<y4>[0-9]{4})/(?P<m4>[0-9]{1,2})/(?P<d4>[0-9]{1,2})"
    r"|(?P<d3>[0-9]{1,2})[ -](?P<n3>[A-Za-z]+)[ -](?P<y3>[0-9]{4})"
    r"|(?P<n5>[A-Za-z]+) (?P<d5>[0-9]{1,2}),? (?P<y5>[0-9]{4}))"
)
_TIME = (
    r"(?P<h>[0-9]{1,2}):(?P<min>[0-9]{1,2})(?::(?P<s>[0-9]{1,2})(?:\.(?P<f>[0-9]{1,7}))?)?"
    r"(?: ?(?P<ap>[AaPp][Mm]))?"
)
_ZONE = r"(?P<zone>Z|[-+][0-9]{2}:[0-9]{2})"
_FULL = re.compile(rf"\s*{_DATE}(?:(?:T| +){_TIME} ?{_ZONE}?)?\s*")
_WORDS = frozenset(
    name.casefold() for names in (_MONTHS, _DAYS, [m[:3] for m in _MONTHS], [d[:3] for d in _DAYS]) for name in names
) | {"am", "pm", "a", "p", "ad", "gmt", "utc", "z", "t"}


def parse_date(text: str) -> DateTime:
    """`[datetime]'...'`: invariant culture, month before day; a zone turns it into local time.

    Raises `DateError` where .NET surely refuses, `Unsupported` where that is not sure.
    """
    match = _FULL.fullmatch(text)
    if match is None:
        if not text.strip():
            raise DateError(f"String '{text}' was not recognized as a valid DateTime.")
        if re.fullmatch(r"[A-Za-z _-]+", text) and not _WORDS & set(re.findall("[a-z]+", text.casefold())):
            raise DateError(f"The string '{text}' was not recognized as a valid DateTime.")
        raise Unsupported(f"the date '{text}'")
    year = next(int(match[k]) for k in ("y", "y2", "y3", "y4", "y5") if match[k])
    day = next(int(match[k]) for k in ("d", "d2", "d3", "d4", "d5") if match[k])
    number = next((match[k] for k in ("m", "m2", "m4") if match[k]), None)
    month = int(number) if number else _month(match["n3"] or match["n5"], text)
    hour, minute, second = int(match["h"] or 0), int(match["min"] or 0), int(match["s"] or 0)
    if match["ap"]:
        if not 1 <= hour <= 12:
            raise Unsupported(f"the date '{text}'")
        hour = hour % 12 + (12 if match["ap"].lower() == "pm" else 0)
    if hour == 24:
        raise Unsupported(f"the date '{text}'")
    try:
        date = from_parts(year, month, day, hour, minute, second, int((match["f"] or "0").ljust(7, "0")))
    except DateError as error:
        raise DateError(f"String '{text}' was not recognized as a valid DateTime.") from error
    zone = match["zone"]
    if zone is None:
        return date
    offset = 0
    if zone != "Z":
        offset = (int(zone[1:3]) * 60 + int(zone[4:6])) * 60 * (-1 if zone[0] == "-" else 1)
        if abs(offset) > 14 * 3600:
            raise Unsupported(f"the date '{text}'")
    return DateTime(date.ticks - offset * TICKS_PER_SECOND, "Local")


def _month(word: str, text: str) -> int:
    for number, name in enumerate(_MONTHS, 1):
        if word.casefold() in (name.casefold(), name[:3].casefold()):
            return number
    raise Unsupported(f"the date '{text}'")


_FIELDS: dict[str, str] = {
    "yyyy": r"(?P<y>[0-9]{4})",
    "MM": r"(?P<m>[0-9]{2})",
    "dd": r"(?P<d>[0-9]{2})",
    "HH": r"(?P<h>[0-9]{2})",
    "mm": r"(?P<min>[0-9]{2})",
    "ss": r"(?P<s>[0-9]{2})",
}
_TOKEN = re.compile(r"'[^']*'|\"[^\"]*\"|\\.|([a-zA-Z])\1*|%.|.", re.DOTALL)


def parse_exact(text: str, spec: str) -> DateTime:
    """`[datetime]::ParseExact(text, spec, invariant)` for the fixed-width fields of a timestamp."""
    pattern = ""
    for token in _TOKEN.finditer(spec):
        word = token[0]
        if word in _FIELDS:
            pattern += _FIELDS[word]
        elif re.fullmatch("f{1,7}", word):
            pattern += f"(?P<f>[0-9]{{{len(word)}}})"
        elif word[0] in "'\"" and len(word) > 1:
            pattern += re.escape(word[1:-1])
        elif not re.fullmatch(r"[A-Za-z%\\].*|[:/]", word) or word in (":", "T"):
            pattern += re.escape(word)
        else:
            raise Unsupported(f"ParseExact with the format '{spec}'")
    match = re.fullmatch(pattern, text)
    if match is None:
        raise DateError(f"String '{text}' was not recognized as a valid DateTime.")
    found = match.groupdict()
    if not {"y", "m", "d"} <= set(found):
        raise Unsupported(f"ParseExact with the format '{spec}'")
    year, month, day, hour, minute, second = (int(found.get(key) or 0) for key in ("y", "m", "d", "h", "min", "s"))
    try:
        return from_parts(year, month, day, hour, minute, second, int((found.get("f") or "0").ljust(7, "0")))
    except DateError as error:
        raise DateError(f"String '{text}' was not recognized as a valid DateTime.") from error


_STANDARD: dict[str, str] = {
    "d": "M/d/yyyy",
    "D": "dddd, MMMM d, yyyy",
    "f": "dddd, MMMM d, yyyy h:mm tt",
    "F": "dddd, MMMM d, yyyy h:mm:ss tt",
    "g": "M/d/yyyy h:mm tt",
    "G": "M/d/yyyy h:mm:ss tt",
    "s": "yyyy'-'MM'-'dd'T'HH':'mm':'ss",
    "t": "h:mm tt",
    "T": "h:mm:ss tt",
    "u": "yyyy'-'MM'-'dd HH':'mm':'ss'Z'",
    "r": "ddd, dd MMM yyyy HH':'mm':'ss 'GMT'",
    "R": "ddd, dd MMM yyyy HH':'mm':'ss 'GMT'",
    "M": "MMMM d",
    "m": "MMMM d",
    "Y": "MMMM yyyy",
    "y": "MMMM yyyy",
}
INVARIANT = "MM/dd/yyyy HH:mm:ss"
"""How `[string]` and string concatenation print a date."""


def format_date(date: DateTime, spec: str = "G") -> str:
    """`.ToString(spec)` in en-US. Raises `DateError` for a format that .NET refuses."""
    if spec in ("o", "O"):
        suffix = {"Utc": "Z", "Local": "+00:00", "Unspecified": ""}[date.kind]
        return _pattern(date, "yyyy'-'MM'-'dd'T'HH':'mm':'ss'.'fffffff") + suffix
    if len(spec) == 1:
        if spec not in _STANDARD:
            if spec == "U":
                raise Unsupported("date format U")
            raise DateError("Input string was not in a correct format.")
        spec = _STANDARD[spec]
    return _pattern(date, spec)


def _pattern(date: DateTime, spec: str) -> str:
    moment, fraction = parts(date)
    weekday = (moment.isoweekday()) % 7
    out: list[str] = []
    for token in _TOKEN.finditer(spec.removeprefix("%") if len(spec) == 2 else spec):
        word = token[0]
        count = len(word)
        match word[0]:
            case "y":
                year = moment.year if count > 2 else moment.year % 100
                out.append(str(year).zfill(count))
            case "M":
                name = _MONTHS[moment.month - 1]
                out.append(str(moment.month).zfill(count) if count < 3 else name[:3] if count == 3 else name)
            case "d":
                name = _DAYS[weekday]
                out.append(str(moment.day).zfill(count) if count < 3 else name[:3] if count == 3 else name)
            case "H":
                out.append(str(moment.hour).zfill(min(count, 2)))
            case "h":
                out.append(str((moment.hour - 1) % 12 + 1).zfill(min(count, 2)))
            case "m":
                out.append(str(moment.minute).zfill(min(count, 2)))
            case "s":
                out.append(str(moment.second).zfill(min(count, 2)))
            case "f" if count <= 7:
                out.append(f"{fraction:07d}"[:count])
            case "t":
                half = "AM" if moment.hour < 12 else "PM"
                out.append(half[0] if count == 1 else half)
            case "K":
                out.append({"Utc": "Z", "Local": "+00:00", "Unspecified": ""}[date.kind] * count)
            case "'" | '"' if count > 1:
                out.append(word[1:-1])
            case "\\" if count == 2:
                out.append(word[1])
            case "F" | "f" | "z" | "g" | "%" | "\\" | "'" | '"':
                raise Unsupported(f"date format '{spec}'")
            case _:
                # Letters without a meaning stand for themselves, as do / and : in en-US.
                out.append(word)
    return "".join(out)


_SPAN = re.compile(
    r"\s*(?P<sign>-)?(?:(?P<days>[0-9]+)|(?:(?P<d>[0-9]+)\.)?(?P<h>[0-9]+):(?P<m>[0-9]+)"
    r"(?::(?P<s>[0-9]+)(?:\.(?P<f>[0-9]{1,7}))?)?)\s*"
)


def parse_span(text: str) -> TimeSpan:
    """`[timespan]'...'`: `d`, `h:mm`, `h:mm:ss`, `d.h:mm:ss.fffffff`; `25:00:00` counts days. Raises `DateError`."""
    bad = DateError(f"String '{text}' was not recognized as a valid TimeSpan.")
    match = _SPAN.fullmatch(text)
    if match is None:
        if re.fullmatch(r"\s*|[^0-9]*", text):
            raise bad
        raise Unsupported(f"the time span '{text}'")
    if match["days"] is not None:
        days, hours, minutes, seconds = int(match["days"]), 0, 0, 0
    else:
        days, hours, minutes, seconds = (int(match[k] or 0) for k in ("d", "h", "m", "s"))
        if hours > 23 and match["d"] is None and match["s"] is not None and match["f"] is None:
            # The first number of three is taken for days when it cannot be hours.
            days, hours, minutes, seconds = hours, minutes, seconds, 0
    if hours > 23 or minutes > 59 or seconds > 59:
        raise Unsupported(f"the time span '{text}'")
    ticks = (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * TICKS_PER_SECOND
    ticks += int((match["f"] or "0").ljust(7, "0"))
    if ticks > _MAX_SPAN:
        raise Unsupported(f"the time span '{text}'")
    return TimeSpan(-ticks if match["sign"] else ticks)


def format_span(span: TimeSpan, spec: str = "c") -> str:
    """`.ToString(spec)` of a time span. Raises `DateError` for a format that .NET refuses."""
    ticks = abs(span.ticks)
    seconds, fraction = divmod(ticks, TICKS_PER_SECOND)
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, second = divmod(rest, 60)
    if spec in ("", "c", "t", "T"):
        sign = "-" if span.ticks < 0 else ""
        head = f"{days}." if days else ""
        tail = f".{fraction:07d}" if fraction else ""
        return f"{sign}{head}{hours:02d}:{minutes:02d}:{second:02d}{tail}"
    if len(spec) == 1:
        if spec in "gG":
            raise Unsupported(f"time span format {spec}")
        raise DateError("Input string was not in a correct format.")
    out: list[str] = []
    for token in _TOKEN.finditer(spec.removeprefix("%") if len(spec) == 2 else spec):
        word = token[0]
        numbers = {"d": days, "h": hours, "m": minutes, "s": second}
        if word[0] in numbers and len(word) <= (8 if word[0] == "d" else 2):
            out.append(str(numbers[word[0]]).zfill(len(word)))
        elif word[0] == "f" and len(word) <= 7:
            out.append(f"{fraction:07d}"[: len(word)])
        elif word[0] == "\\" and len(word) == 2:
            out.append(word[1])
        elif word[0] in "'\"" and len(word) > 1:
            out.append(word[1:-1])
        elif word[0] in "F%":
            raise Unsupported(f"time span format {spec}")
        else:
            raise DateError("Input string was not in a correct format.")
    return "".join(out)

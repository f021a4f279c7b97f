"""Small pieces of text that every view is made of: times, durations, columns; knows no plan, no run, no terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

__all__ = [
    "ago",
    "clip",
    "clock_time",
    "copy_name",
    "day_time",
    "duration",
    "label_block",
    "moment",
    "name_range",
    "plural",
    "printable",
    "table",
    "wrap",
]

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

# What could move the cursor, ring, colour or turn the reading direction of a terminal, were it printed as it came.
_UNPRINTABLE = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


def printable(text: str, encoding: str = "ascii") -> str:
    """`text` as a stream of that encoding can show it: what it cannot draw, and what would steer it, is escaped."""
    text = _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text.expandtabs(4))
    return text.encode(encoding, "backslashreplace").decode(encoding)


def local(when: datetime, *, simulated: bool) -> datetime:
    """`when` in the time the reader lives in: the lab's own for a lab, else this machine's zone."""
    return when.astimezone(UTC) if simulated else when.astimezone()


def moment(when: datetime, *, simulated: bool = False) -> str:
    """`Fri 20 Nov 14:02:11 +01:00`, or `... (sim)` for simulated time; the same in every locale."""
    here = local(when, simulated=simulated)
    text = f"{_DAYS[here.weekday()]} {here.day:02} {_MONTHS[here.month - 1]} {here:%H:%M:%S}"
    if simulated:
        return f"{text} (sim)"
    zone = here.strftime("%z")
    return f"{text} {zone[:3]}:{zone[3:5]}"


def clock_time(when: datetime, *, simulated: bool = False) -> str:
    """`14:02:11`, in the reader's time."""
    return f"{local(when, simulated=simulated):%H:%M:%S}"


def day_time(when: datetime, *, simulated: bool = False) -> str:
    """`Fri 20 Nov 14:02`, for lists."""
    here = local(when, simulated=simulated)
    return f"{_DAYS[here.weekday()]} {here.day:02} {_MONTHS[here.month - 1]} {here:%H:%M}"


def duration(seconds: float) -> str:
    """`0.4 s`, `38 s`, `17m 04s`, `3h 41m`, `7d`: two units at most, so that a column stays a column."""
    if seconds < 0:
        return f"-{duration(-seconds)}"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}m {rest:02}s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours}h {minutes:02}m"
    days, hours = divmod(hours, 24)
    return f"{days}d {hours}h" if hours else f"{days}d"


def ago(span: timedelta) -> str:
    """`just now`, `5 min old`, `2 days old`: how old something is, in one unit."""
    seconds = span.total_seconds()
    if seconds < 60:
        return "just now"
    for size, word in ((86400, "day"), (3600, "hour"), (60, "min")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {word}{'s' if count > 1 and word != 'min' else ''} old"
    raise AssertionError(seconds)


def plural(count: int, one: str, many: str = "") -> str:
    """`1 vote`, `2 votes`, `2 copies`."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def copy_name(identity: str) -> str:
    r"""A copy's identity as people type it: `DB01/EX4` for `DB01\EX4`."""
    return identity.replace("\\", "/")


def clip(text: str, width: int) -> str:
    """`text` in at most `width` characters; what is cut is marked by `...`, never silently."""
    return text if len(text) <= width else f"{text[: max(0, width - 3)]}..."


def wrap(text: str, width: int, indent: str = "") -> list[str]:
    """`text` in lines of at most `width`, the later ones beginning with `indent`; words and gaps are not cut."""
    lines: list[str] = []
    current = ""
    for word in re.findall(r" *[^ ]+", text):
        if current.strip() and len(current) + len(word) > width:
            lines.append(current)
            current = indent + word.lstrip(" ")
        else:
            current += word
    return [*lines, current]


def table(rows: Iterable[Sequence[str]], gap: int = 2, indent: int = 0, minimum: Sequence[int] = ()) -> list[str]:
    """`rows` as aligned columns; the last column is left as long as it is. `minimum` widens the first columns."""
    kept = [list(row) for row in rows]
    count = max((len(row) for row in kept), default=0)
    widths = [
        max([minimum[column] if column < len(minimum) else 0, *(len(row[column]) for row in kept if column < len(row))])
        for column in range(count)
    ]
    lines: list[str] = []
    for row in kept:
        cells = [cell.ljust(widths[column]) for column, cell in enumerate(row)]
        lines.append((" " * indent + (" " * gap).join(cells)).rstrip())
    return lines


def label_block(pairs: Iterable[tuple[str, str]], width: int, label: int = 12, indent: int = 2) -> list[str]:
    """Lines `  label      text`, the text wrapped under itself; an empty label goes on under the one before."""
    lines: list[str] = []
    for name, text in pairs:
        head = f"{' ' * indent}{name.ljust(label)} "
        for part in text.split("\n"):
            lines.extend(wrap(head + part, width, " " * (indent + label + 1)))
            head = " " * (indent + label + 1)
    return [line.rstrip() for line in lines]


def name_range(names: Sequence[str]) -> str:
    """`DB01-DB96` for an unbroken row of numbered names, else the names while they are few, else their number."""
    parts = [re.fullmatch(r"(.*?)(\d+)", name) for name in names]
    stems = {part[1] for part in parts if part}
    if len(names) > 2 and all(parts) and len(stems) == 1:
        numbers = [int(part[2]) for part in parts if part]
        if numbers == list(range(numbers[0], numbers[0] + len(numbers))):
            return f"{names[0]}-{names[-1]}"
    return ", ".join(names) if len(names) <= 4 else f"{len(names)} databases"

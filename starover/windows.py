"""Maintenance windows as people write them, and whether a time lies in one; knows no clock, no host and no estate."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Annotated, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

__all__ = ["Window", "WindowText", "next_opening", "open_until"]

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY = "|".join(_DAYS)
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_FORM = rf"^(?:({_DAY})(?:-({_DAY}))?|daily) +({_TIME})-({_TIME}|24:00)(?: +([A-Za-z][A-Za-z0-9_+/-]*))?(?![\s\S])"

WindowText: TypeAlias = Annotated[
    str,
    msgspec.Meta(
        pattern=_FORM,
        title="Window",
        description="such as `Sat 22:00-06:00 Europe/Zurich`, `Mon-Fri 20:00-23:00` or `daily 01:00-03:00`; without a "
        "zone UTC; an end before the beginning is on the next day",
    ),
]
"""A maintenance window in the inventory."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """A window that opens on some days of the week, at the local time of a zone."""

    text: str
    """As it was written."""
    days: tuple[int, ...]
    """On which it opens; Monday is 0."""
    begins: time
    length: timedelta
    """By the clock on the wall: it may be an hour more or less on a night when that is put forward or back."""
    zone: tzinfo

    @classmethod
    def parse(cls, text: str) -> Window:
        """Read `Sat 22:00-06:00 Europe/Zurich`. Raises `ValueError` in a person's words."""
        found = re.match(_FORM, text.strip())
        if found is None:
            raise ValueError(f"`{text}` is no window: write it as `Sat 22:00-06:00 Europe/Zurich`")
        first, last, begins, ends, zone = found.groups()
        start = _DAYS.index(first or "Mon")
        stop = _DAYS.index(last or first or "Sun")
        length = _since_midnight(ends) - _since_midnight(begins)
        return cls(
            text=text.strip(),
            days=tuple((start + at) % 7 for at in range((stop - start) % 7 + 1)),
            begins=time.fromisoformat(begins),
            length=length if length > timedelta(0) else length + timedelta(days=1),
            zone=_zone(zone or "UTC"),
        )

    def openings(self, around: datetime) -> list[tuple[datetime, datetime]]:
        """When it opens and closes from the day before `around` to eight days after it, in UTC, in order."""
        today = around.astimezone(self.zone).date()
        found: list[tuple[datetime, datetime]] = []
        for at in range(-1, 9):
            day = today + timedelta(days=at)
            if day.weekday() in self.days:
                opens = datetime.combine(day, self.begins, self.zone)  # a sum with a zone is by the clock on the wall
                found.append((opens.astimezone(UTC), (opens + self.length).astimezone(UTC)))
        return found


def open_until(windows: Sequence[Window], now: datetime) -> datetime | None:
    """When the window that is open now closes, the latest of several; None: none is open. `now` is an aware time."""
    ends = [closes for one in windows for opens, closes in one.openings(now) if opens <= now < closes]
    return max(ends, default=None)


def next_opening(windows: Sequence[Window], now: datetime) -> datetime | None:
    """When the next window opens, in UTC; None: there is none."""
    return min((opens for one in windows for opens, _ in one.openings(now) if opens > now), default=None)


def _since_midnight(text: str) -> timedelta:
    hours, minutes = text.split(":")
    return timedelta(hours=int(hours), minutes=int(minutes))


def _zone(name: str) -> tzinfo:
    if name in ("UTC", "Z"):
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"there is no time zone `{name}`; names are those of the IANA, such as Europe/Zurich"
        ) from None

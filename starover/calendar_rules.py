"""Recurring spans of time by iCalendar's rules (RFC 5545), in a time zone; pure, knows no clock and no policy.

The rule counts by the clock on the wall. A beginning that is left out when the clock is put forward is by the offset
before it; one that comes twice is the first. Days of a length are days of the calendar, hours and minutes are exact.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import takewhile
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

__all__ = ["Spell", "next_begin", "open_spell", "spell"]

AHEAD = timedelta(days=400)
"""How far into the future a beginning is looked for."""
_FREQUENT = re.compile(r"FREQ=(?:SECONDLY|MINUTELY|HOURLY)", re.IGNORECASE)
_LENGTH = re.compile(r"(?:(\d{1,4})d)?(?:(\d{1,4})h)?(?:(\d{1,5})m)?")
_EARLIEST = datetime(2000, 1, 1)  # noqa: DTZ001 - by the clock on the wall


@dataclass(frozen=True, kw_only=True)
class Spell:
    """A span of time that may recur."""

    name: str
    begins: datetime
    """The first one, by the clock on the wall: without a zone."""
    days: int
    exact: timedelta
    """Beyond the days."""
    rule: str
    but_not: frozenset[date]
    zone: tzinfo

    def last_begin(self, now: datetime) -> list[datetime]:
        """Beginnings, in UTC, not after `now` that may still last; in order."""
        wall = now.astimezone(self.zone).replace(tzinfo=None)
        back = timedelta(days=self.days + 2) + self.exact
        return [one for one in self._between(wall - back, wall + timedelta(days=1)) if one <= now]

    def end(self, begins: datetime) -> datetime:
        """When the one that began then (UTC) is over, in UTC."""
        wall = begins.astimezone(self.zone).replace(tzinfo=None) + timedelta(days=self.days)
        return wall.replace(tzinfo=self.zone).astimezone(UTC) + self.exact

    def coming(self, now: datetime) -> datetime | None:
        """The next beginning after `now`, in UTC."""
        wall = now.astimezone(self.zone).replace(tzinfo=None)
        return next((one for one in self._between(wall - timedelta(days=1), wall + AHEAD) if one > now), None)

    def _between(self, first: datetime, last: datetime) -> list[datetime]:
        if not self.rule:
            found = [self.begins] if first <= self.begins <= last else []
        else:
            from dateutil.rrule import rruleset, rrulestr

            made = rrulestr(self.rule, dtstart=self.begins)
            assert not isinstance(made, rruleset)
            if "COUNT=" not in self.rule and "UNTIL=" not in self.rule:
                made = made.replace(until=last)  # else one that never comes would be looked for until the year 9999
            found = list(takewhile(lambda one: one <= last, made.xafter(first, inc=True)))
        return [one.replace(tzinfo=self.zone).astimezone(UTC) for one in found if one.date() not in self.but_not]


def spell(name: str, begins: str, lasts: str, rule: str, but_not: Iterable[str], zone: str) -> Spell:
    """Read what a person wrote. Raises `ValueError` in words that tell what is wished."""
    try:
        first = datetime.fromisoformat(begins)
    except ValueError:
        raise ValueError(f"`begins` cannot be {begins!a}: it is written as 2026-01-03 22:00") from None
    if first.tzinfo is not None or first < _EARLIEST:
        raise ValueError(
            f"`begins` cannot be {begins!a}: it is a time since 2000 by the clock on the wall, without an offset"
        )
    length = _LENGTH.fullmatch(lasts.replace(" ", ""))
    days, hours, minutes = (int(one or 0) for one in length.groups()) if length else (0, 0, 0)
    if not (days or hours or minutes) or days > 366:
        raise ValueError(f"`lasts` cannot be {lasts!a}: it is written as 8h, 90m, 1d12h or 14d")
    try:
        skipped = frozenset(date.fromisoformat(one) for one in but_not)
    except ValueError as error:
        raise ValueError(f"`except` is a list of days such as 2026-12-26: {error}") from None
    return Spell(
        name=name,
        begins=first,
        days=days,
        exact=timedelta(hours=hours, minutes=minutes),
        rule=_rule(rule, first),
        but_not=skipped,
        zone=_zone(zone),
    )


def open_spell(spells: Iterable[Spell], now: datetime) -> tuple[datetime, datetime, Spell] | None:
    """The span that is under way at `now`: since when, until when (UTC), which; of several the one that ends last."""
    found = [
        (begins, ends, one)
        for one in spells
        for begins in one.last_begin(now)
        if begins <= now < (ends := one.end(begins))
    ]
    return max(found, key=lambda one: one[1], default=None)


def next_begin(spells: Iterable[Spell], now: datetime) -> tuple[datetime, Spell] | None:
    """The next span that begins, within 400 days: when (UTC), and which."""
    coming = [(when, one) for one in spells if (when := one.coming(now)) is not None]
    return min(coming, key=lambda one: one[0], default=None)


def _rule(rule: str, first: datetime) -> str:
    text = rule.strip().upper().removeprefix("RRULE:")
    if not text:
        return ""
    if _FREQUENT.search(text) or "\n" in text or not text.startswith("FREQ="):
        raise ValueError(
            f"`rule` cannot be {rule!a}: it is one RRULE that begins with FREQ=DAILY, WEEKLY, MONTHLY or YEARLY"
        )
    text = re.sub(r"(UNTIL=\d{8}T\d{6})Z", r"\1", text)  # by the clock on the wall, as the beginning is
    from dateutil.rrule import rrulestr

    try:
        rrulestr(text, dtstart=first)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise ValueError(f"`rule` cannot be {rule!a}: {error}") from None
    return text


def _zone(name: str) -> tzinfo:
    if name in ("UTC", "Z"):
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"there is no time zone `{name}`; names are those of the IANA, such as Europe/Zurich"
        ) from None

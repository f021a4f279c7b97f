"""Reads what people write for a point in the past: `friday`, `2d`, `2026-11-20`; asks no clock."""

from __future__ import annotations

from datetime import datetime, timedelta

from starover.errors import BadParameter
from starover.parameters import duration

__all__ = ["since"]

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def since(text: str, now: datetime) -> datetime:
    """The moment that `text` means, seen from `now` (aware, in the reader's zone). Raises `BadParameter`."""
    word = text.strip().casefold()
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if word in ("today", "yesterday"):
        return today - timedelta(days=word == "yesterday")
    days = [position for position, name in enumerate(_DAYS) if len(word) >= 3 and name.startswith(word)]
    if days:
        return today - timedelta(days=(now.weekday() - days[0]) % 7)
    try:
        return now - duration(word)
    except ValueError:
        pass
    try:
        when = datetime.fromisoformat(text.strip())
    except ValueError:
        raise BadParameter(
            f"--since {text}: write a day (friday, yesterday), a span (2h, 7d) or a date (2026-11-20)",
            certain=["nothing was contacted."],
        ) from None
    return when if when.tzinfo else when.replace(tzinfo=now.tzinfo)

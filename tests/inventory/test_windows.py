"""Maintenance windows: what people write, and when one is open: across midnight, weeks and changes of the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from starover.errors import BadInventory
from starover.inventory import read
from starover.windows import Window, next_opening, open_until

SATURDAY = "Sat 22:00-06:00 Europe/Zurich"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "now", "closes"),
    [
        (SATURDAY, "2026-11-21 20:59", None),
        (SATURDAY, "2026-11-21 21:00", "2026-11-22 05:00"),
        (SATURDAY, "2026-11-22 04:59", "2026-11-22 05:00"),
        (SATURDAY, "2026-11-22 05:00", None),
        (SATURDAY, "2026-07-18 20:30", "2026-07-19 04:00"),
        ("Sun 23:00-01:00", "2026-11-23 00:30", "2026-11-23 01:00"),
        ("Fri-Mon 01:00-02:00", "2026-11-22 01:30", "2026-11-22 02:00"),
        ("Fri-Mon 01:00-02:00", "2026-11-24 01:30", None),
        ("daily 00:00-24:00", "2026-11-24 23:59", "2026-11-25 00:00"),
        ("Mon 10:00-10:00", "2026-11-24 09:00", "2026-11-24 10:00"),
    ],
)
def test_when_a_window_is_open(text: str, now: str, closes: str | None) -> None:
    assert open_until([Window.parse(text)], at(now)) == (at(closes) if closes else None)


def test_a_night_on_which_the_clock_is_put_back_is_by_the_clock_on_the_wall() -> None:
    window = Window.parse(SATURDAY)
    assert open_until([window], at("2026-10-24 20:00")) == at("2026-10-25 05:00"), "22:00 summer time to 06:00 winter"


def test_of_several_the_one_that_closes_last_and_the_one_that_opens_next() -> None:
    windows = [Window.parse("Sat 22:00-23:00"), Window.parse("Sat 22:30-23:30"), Window.parse("Tue 03:00-04:00")]
    assert open_until(windows, at("2026-11-21 22:45")) == at("2026-11-21 23:30")
    assert next_opening(windows, at("2026-11-21 22:45")) == at("2026-11-24 03:00")
    assert next_opening(windows, at("2026-11-24 05:00")) == at("2026-11-28 22:00")
    assert next_opening([], at("2026-11-24 05:00")) is None


@given(st.integers(0, 1_000_000))
def test_the_next_opening_is_an_opening(minutes: int) -> None:
    now = at("2026-01-01") + timedelta(minutes=minutes)
    windows = [Window.parse(SATURDAY), Window.parse("Wed 01:15-02:00 America/New_York")]
    opens = next_opening(windows, now)
    assert opens is not None
    assert open_until(windows, opens) is not None
    assert open_until(windows, opens - timedelta(minutes=1)) is None


@pytest.mark.parametrize(
    ("window", "says"),
    [
        ("Sat 22:00", "such as `Sat 22:00-06:00 Europe/Zurich`"),
        ("Saturday 22:00-06:00", "such as"),
        ("Sat 25:00-06:00", "such as"),
        ("Sat 22:00-06:00 Europe/Zurichh", "no time zone `Europe/Zurichh`"),
        ("Sat 22:00-06:00 Europe", "no time zone `Europe`"),
    ],
)
def test_an_inventory_with_a_window_nobody_understands(window: str, says: str) -> None:
    text = f"name: x\nservers: []\ndags:\n  - name: DAG1\n    windows:\n      - {window}\n"
    with pytest.raises(BadInventory) as caught:
        read(text)
    assert "inventory:5:" in caught.value.what or "inventory:6:" in caught.value.what
    assert says in caught.value.what

"""Times, durations, columns, escapes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starover_cli.paint import paint
from starover_cli.views import text


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.2, "0.2 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1m 00s"),
        (683, "11m 23s"),
        (3599.7, "1h 00m"),
        (13260, "3h 41m"),
        (7 * 86400, "7d"),
        (-5, "-5.0 s"),
    ],
)
def test_durations_have_two_units_at_most(seconds: float, shown: str) -> None:
    assert text.duration(seconds) == shown


def test_simulated_time_says_so_and_real_time_says_its_offset() -> None:
    when = datetime(2026, 11, 20, 14, 0, 7, tzinfo=UTC)
    assert text.moment(when, simulated=True) == "Fri 20 Nov 14:00:07 (sim)"
    shown = text.moment(when)
    offset = when.astimezone().strftime("%z")
    assert shown.endswith(f"{offset[:3]}:{offset[3:]}")


def test_a_simulated_time_does_not_depend_on_the_offset_it_came_with() -> None:
    plus_two = datetime(2026, 11, 20, 16, 0, 7, tzinfo=timezone(timedelta(hours=2)))
    assert text.clock_time(plus_two, simulated=True) == "14:00:07"


def test_what_a_console_cannot_draw_is_escaped() -> None:
    assert text.printable("O\u2019Brien DB", "ascii") == "O\\u2019Brien DB"
    assert text.printable("O\u2019Brien DB", "utf-8") == "O\u2019Brien DB"
    assert text.printable("O\u2019Brien DB", "cp437") == "O\\u2019Brien DB"


@given(st.text())
def test_nothing_steers_a_terminal_and_nothing_fails_to_encode(raw: str) -> None:
    for encoding in ("ascii", "cp437", "utf-8"):
        shown = text.printable(raw, encoding)
        shown.encode(encoding)
        assert not any(ord(c) < 32 and c != "\n" for c in shown)
        assert "\x7f" not in shown
        assert "\u202e" not in shown


@given(st.lists(st.lists(st.text("abc \u00e9", max_size=8), min_size=1, max_size=4), max_size=5))
def test_a_table_keeps_every_cell(rows: list[list[str]]) -> None:
    lines = text.table(rows)
    assert len(lines) == len(rows)
    for row, line in zip(rows, lines, strict=True):
        assert line.replace(" ", "") == "".join(row).replace(" ", "")


@given(st.lists(st.text("abcdef", min_size=1, max_size=30), min_size=1), st.integers(20, 100))
def test_wrapping_loses_no_word(words: list[str], width: int) -> None:
    lines = text.wrap(" ".join(words), width, "    ")
    assert " ".join(line.strip() for line in lines).split() == words
    assert all(len(line) <= width or len(line.split()) == 1 for line in lines)


def test_what_is_cut_says_so() -> None:
    assert text.clip("ExchangeNode1", 8) == "Excha..."
    assert text.clip("EX1", 8) == "EX1"


def test_numbered_names_become_a_range_only_when_unbroken() -> None:
    assert text.name_range(["DB01", "DB02", "DB03"]) == "DB01-DB03"
    assert text.name_range(["DB01", "DB03", "DB04"]) == "DB01, DB03, DB04"
    assert text.name_range([f"DB{n}" for n in (1, 2, 3, 5, 6)]) == "5 databases"


SCREEN = """LIVE  mail-prod   DAG DAG   2 members  quorum LOST 1/3   DAC Off

MAIL IS DOWN. 0 of 2 databases mounted.

  1  ok  DB1/EX2   Suspended
  2  ~   DB1/EX2   Healthy -> Suspended
  3  ?  not known
! refused: no.   exit 4 refused

next:
  starover assess
"""


def test_colour_only_doubles_the_words() -> None:
    painted = paint(SCREEN)
    assert painted != SCREEN
    import re

    assert re.sub("\x1b\\[[0-9;]*m", "", painted) == SCREEN
    for word in ("LIVE", "MAIL IS DOWN", "LOST 1/3", "exit 4 refused", "next:"):
        assert re.search(f"\x1b\\[[0-9;]+m{word}\x1b", painted), word

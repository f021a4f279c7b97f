"""Job files and their times: what is wrong with its line, daylight saving, windows, what was missed; pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from starover import job_history as history
from starover.errors import BadInventory
from starover.jobs import MOST_MISSED, Begin, Job, Mail, NotNow, Past, Program, decide, following, latest, read_job

PATCH = """\
runbook: rolling-windows-update
schedule: "0 22 * * 6"
timezone: Europe/Madrid
"""


def job(more: str = "", text: str = PATCH) -> Job:
    return read_job(text + more, "patch", "jobs/patch.yaml")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


SATURDAY = utc("2026-11-21T21:00")
"""22:00 in Madrid."""


def test_a_file_says_everything() -> None:
    one = job(
        "parameters: {max_failures: 0, order: [EX1, EX2]}\ntell:\n"
        "  - {mail: a@example.com, from: s@example.com, relay: 'smtp:2525'}\n  - {command: [/bin/to, it]}\n"
    )
    assert one.parameters == {"max-failures": ("0",), "order": ("EX1", "EX2")}
    assert one.tell == (
        Mail(mail=("a@example.com",), sender="s@example.com", relay="smtp:2525"),
        Program(command=("/bin/to", "it")),
    )
    assert one.who == "job:patch"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (PATCH + "windw: x\n", 1, "windw"),
        (PATCH.replace("0 22 * * 6", "0 25 * * 6"), 2, "bad hour"),
        (PATCH.replace("0 22 * * 6", "0 22 * *"), 2, "five fields"),
        (PATCH.replace("0 22 * * 6", "0 0 30 2 *"), 2, "no schedule"),
        (PATCH.replace("Madrid", "Nowhere"), 3, "Europe/Nowhere"),
        (PATCH + "window: whenever\n", 4, "window"),
        (PATCH + "missed: maybe\n", 4, "missed"),
        (PATCH + "tell:\n  - {mail: [a@example.com]}\n", 5, "`from` and `relay`"),
        ("runbook: x\n", 1, "schedule"),
        ("[", 1, "not YAML"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, line: int, words: str) -> None:
    with pytest.raises(BadInventory) as caught:
        job(text=text)
    assert f"jobs/patch.yaml:{line}:" in caught.value.what
    assert words in caught.value.what


def test_the_hour_that_there_is_not_and_the_one_that_there_is_twice() -> None:
    night = job(text=PATCH.replace("0 22 * * 6", "30 2 * * *"))
    # 2027-03-28: the clock goes from 02:00 to 03:00; it runs at once then, and not never
    assert following(night, utc("2027-03-27T12:00")) == utc("2027-03-28T01:00")
    # 2026-10-25: 02:30 comes twice; it runs once
    first = following(night, utc("2026-10-24T12:00"))
    assert first == utc("2026-10-25T00:30")
    assert following(night, first) == utc("2026-10-26T01:30")
    assert latest(night, utc("2026-10-25T01:45")) == first


def test_it_begins_at_its_time_and_up_to_an_hour_later() -> None:
    new = Past()
    assert decide(job(), SATURDAY, new) == Begin(due=SATURDAY)
    late = decide(job(), SATURDAY + timedelta(minutes=59), new)
    assert isinstance(late, Begin)
    assert late.late == timedelta(minutes=59)
    too_late = decide(job(), SATURDAY + timedelta(minutes=61), new)
    assert isinstance(too_late, NotNow)
    assert not too_late.missed, "a job that never ran has missed nothing"
    assert isinstance(decide(job("missed: run\n"), SATURDAY + timedelta(days=2), new), Begin)


def test_it_runs_once_for_a_time() -> None:
    ran = Past(since=SATURDAY, last_due=SATURDAY)
    again = decide(job("missed: run\n"), SATURDAY + timedelta(minutes=3), ran)
    assert isinstance(again, NotNow)
    assert again.done
    assert isinstance(decide(job(), SATURDAY + timedelta(minutes=3), ran, by_hand=True), Begin)


def test_times_that_passed_without_it_are_told() -> None:
    ran = Past(since=SATURDAY - timedelta(weeks=3), last_due=SATURDAY - timedelta(weeks=3))
    now = decide(job(), SATURDAY, ran)
    assert isinstance(now, Begin)
    assert list(now.missed) == [SATURDAY - timedelta(weeks=2), SATURDAY - timedelta(weeks=1)]
    after = decide(job(), SATURDAY + timedelta(hours=5), ran)
    assert isinstance(after, NotNow)
    assert after.missed[-1] == SATURDAY
    told = Past(since=SATURDAY, last_due=ran.last_due)
    quiet = decide(job(), SATURDAY + timedelta(hours=6), told)
    assert isinstance(quiet, NotNow)
    assert not quiet.missed, "it is told once"
    years = decide(job(text=PATCH.replace("0 22 * * 6", "* * * * *")), SATURDAY, Past(since=utc("2020-01-01T00:00")))
    assert isinstance(years, Begin)
    assert len(years.missed) == MOST_MISSED


def test_a_window_counts_for_a_hand_too() -> None:
    one = job("window: Sat 22:00-06:00 Europe/Madrid\nmissed: run\n")
    assert isinstance(decide(one, SATURDAY + timedelta(hours=7), Past()), Begin)
    for by_hand in (False, True):
        closed = decide(one, SATURDAY + timedelta(hours=9), Past(), by_hand=by_hand)
        assert isinstance(closed, NotNow)
        assert "its window is closed" in closed.why


def test_what_was_kept_survives_a_crash_in_the_middle_of_a_line(tmp_path: Path) -> None:
    history.append(tmp_path, "patch", history.Began(at=SATURDAY, due=SATURDAY))
    file = tmp_path / "jobs" / "patch.jsonl"
    file.write_bytes(file.read_bytes() + b'{"type":"end')
    assert history.under_way(history.read(tmp_path, "patch")) is not None
    history.append(tmp_path, "patch", history.Ended(at=SATURDAY, due=SATURDAY, exit=0))
    lines = history.read(tmp_path, "patch")
    assert [type(one).__name__ for one in lines] == ["Began", "Ended"]
    assert history.under_way(lines) is None
    assert history.past_of(lines) == Past(since=SATURDAY, last_due=SATURDAY)

"""Jobs as Temporal's schedules: the same days as cron has them, kept, changed and taken away by the real server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from temporal_server import TemporalServer, missing

from starover.content import find
from starover.inventory import load
from starover.jobs import LATE, Job, read_job

if TYPE_CHECKING:
    from temporalio.client import Client, ScheduleCalendarSpec, ScheduleRange

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "all is there")

INVENTORY = Path(__file__).parents[2] / "inventory" / "example.yaml"
START = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)


def job(text: str = "", name: str = "weekly", schedule: str = "0 22 * * 6") -> Job:
    return read_job(f'runbook: preflight\nschedule: "{schedule}"\n{text}', name, "jobs/weekly.yaml")


def within(value: int, ranges: list[ScheduleRange] | tuple[ScheduleRange, ...]) -> bool:
    return not ranges or any(value in range(one.start, (one.end or one.start) + 1, one.step or 1) for one in ranges)


def matches(day: datetime, specs: list[ScheduleCalendarSpec]) -> bool:
    """As the server's documentation says: a calendar has a time that all of its fields have."""
    return any(
        within(day.day, [*one.day_of_month])
        and within(day.month, [*one.month])
        and within(day.year, [*one.year])
        and within(day.isoweekday() % 7, [*one.day_of_week])
        for one in specs
    )


@pytest.mark.parametrize(
    "schedule",
    ["0 22 * * 6", "0 22 * * 6#3", "5 3 13 * 5", "5 3 */2 * 1", "0 4 L * *", "0 4 * 2 5L", "30 1 1,15 1-6 *",
     "0 0 L * 3#1", "0 6 * * 7", "0 6 29 2 *", "0 3 1 * 6#5"],
)  # fmt: skip
def test_calendars_have_the_days_that_cron_has(schedule: str) -> None:
    from starover.drivers.temporal.schedules import calendars

    specs = calendars(schedule)
    assert all(1 <= day.start <= day.end <= 31 for one in specs for day in one.day_of_month), "else none is taken"
    first, last = datetime(2027, 1, 1, tzinfo=UTC), datetime(2029, 3, 31, tzinfo=UTC)
    cron: set[str] = set()
    for due in CronSim(schedule, first - timedelta(seconds=1)):
        if due >= last:
            break
        cron.add(f"{due:%Y-%m-%d}")
    days = [first + timedelta(days=one) for one in range((last - first).days)]
    assert {f"{one:%Y-%m-%d}" for one in days if matches(one, specs)} == cron
    hours = {hour for one in specs for spec in one.hour for hour in range(spec.start, spec.end + 1)}
    assert hours == set(CronSim(schedule, first).hours)


def test_the_last_working_day_is_refused_and_said() -> None:
    from starover.drivers.temporal.schedules import calendars
    from starover.errors import BadParameter

    with pytest.raises(BadParameter, match="last working day"):
        calendars("0 4 LW * *")


def test_how_late_it_may_begin_is_the_jobs() -> None:
    from starover.drivers.temporal.schedules import ALWAYS, catch_up

    assert catch_up(job(), START) == LATE
    assert catch_up(job("missed: run"), START) == ALWAYS
    assert catch_up(job("window: Sat 22:00-06:00"), START) == timedelta(hours=8)
    assert catch_up(job("window: Sun 00:00-01:00\nmissed: run"), START) == timedelta(seconds=10)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TemporalServer]:
    with TemporalServer(tmp_path_factory.mktemp("temporal")) as one:
        yield one


def test_the_server_keeps_changes_and_forgets_them(server: TemporalServer, tmp_path: Path) -> None:
    from starover.drivers.local import Why
    from starover.drivers.temporal import connect, submission
    from starover.drivers.temporal.schedules import known, place, schedule_id, take_away

    estate = load(INVENTORY)
    given = submission(find(None), estate, Why(who="job:weekly"), runbook="preflight")

    async def act() -> None:
        client = await connect(server.address)
        madrid = job("timezone: Europe/Madrid\nwindow: Sat 22:00-06:00 Europe/Madrid")
        made = await place(client, madrid, given, START)
        assert (made.what, made.paused) == ("new", False)
        assert made.following is not None
        there = made.following.astimezone(ZoneInfo("Europe/Madrid"))
        assert (there.isoweekday(), f"{there:%H:%M}") == (6, "22:00")
        assert (await place(client, madrid, given, START)).what == "same"
        handle = client.get_schedule_handle(schedule_id(estate.name, "weekly"))
        await handle.pause()
        other = await place(client, job("missed: run"), given, START)
        assert (other.what, other.paused) == ("changed", True)
        seen = await handle.describe()
        assert seen.schedule.policy.overlap.name == "SKIP"
        assert seen.schedule.policy.catchup_window == timedelta(days=365)
        last = await place(client, job(name="last-friday", schedule="0 4 * 2 5L"), given, START)
        assert last.following == next(CronSim("0 4 * 2 5L", datetime.now(UTC)))
        await until_known(client, {"weekly", "last-friday"})
        await take_away(client, estate.name, "weekly")
        await until_known(client, {"last-friday"})

    async def until_known(client: Client, names: set[str]) -> None:
        """The server's list is a little behind."""
        for _ in range(600):
            if set(await known(client, estate.name)) == names:
                return
            await asyncio.sleep(0.1)
        raise AssertionError(names)

    asyncio.run(asyncio.wait_for(act(), 60))

"""Jobs as schedules of a Temporal server: put there, changed, taken away; decides nothing about the jobs themselves."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
from cronsim import CronSim
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleCalendarSpec,
    ScheduleHandle,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    ScheduleState,
    ScheduleUpdate,
    ScheduleUpdateInput,
)

from starover.drivers.temporal.client import asking, memo_of
from starover.drivers.temporal.payloads import JOB, Submission, queue_of
from starover.errors import BadParameter
from starover.jobs import LATE, Job
from starover.windows import open_until

__all__ = ["Placed", "calendars", "catch_up", "known", "place", "schedule_id", "take_away"]

ALWAYS = timedelta(days=365)
"""How far back a job is caught up with that says `missed: run`, and has no window."""
_SHORTEST = timedelta(seconds=10)
"""The server takes no shorter time for catching up."""
_SECONDS = timedelta(seconds=30)
"""For one question to the server."""


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A job as the server has it now."""

    job: str
    what: str
    """`new`, `changed` or `same`."""
    following: datetime | None
    """When the server starts it next; None: never, as far as it sees."""
    paused: bool
    """Somebody has paused it at the server: that stays so."""


def schedule_id(estate: str, job: str) -> str:
    """The name of a job's schedule at the server, and of what it starts."""
    return f"starover/{estate}/job/{job}"


async def place(client: Client, job: Job, given: Submission, now: datetime) -> Placed:
    """Have the server start the job at its times; what is there already is changed. A pause stays.

    Raises `BadParameter` for a schedule that the server cannot keep, and `ConnectFailed`.
    """
    name = schedule_id(given.estate.name, job.name)
    late = catch_up(job, now)
    when = f"{job.schedule} {job.zone.key} {late.total_seconds():g}"
    digest = hashlib.sha256(msgspec.json.encode(given, order="deterministic") + when.encode()).hexdigest()
    note = f"starover job {job.name} {digest[:16]}"
    wanted = Schedule(
        action=ScheduleActionStartWorkflow(
            JOB, given, id=name, task_queue=queue_of(given.estate.name), memo=memo_of(given)
        ),
        spec=ScheduleSpec(calendars=calendars(job.schedule), time_zone_name=job.zone.key),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=late),
        state=ScheduleState(note=note),
    )
    what = "new"
    async with asking():
        try:
            handle = await client.create_schedule(name, wanted, rpc_timeout=_SECONDS)
        except ScheduleAlreadyRunningError:
            handle = client.get_schedule_handle(name)
            what = await _change(handle, wanted)
        seen = await handle.describe(rpc_timeout=_SECONDS)
    times = seen.info.next_action_times
    return Placed(job=job.name, what=what, following=times[0] if times else None, paused=seen.schedule.state.paused)


async def _change(handle: ScheduleHandle, wanted: Schedule) -> str:
    what = "changed"

    def updated(there: ScheduleUpdateInput) -> ScheduleUpdate | None:
        nonlocal what
        state = there.description.schedule.state
        if wanted.state.note and (state.note or "").startswith(wanted.state.note):
            what = "same"
            return None
        wanted.state.paused = state.paused
        return ScheduleUpdate(wanted)

    await handle.update(updated, rpc_timeout=_SECONDS)
    return what


async def known(client: Client, estate: str) -> list[str]:
    """Names of the jobs of an estate that the server has."""
    prefix = schedule_id(estate, "")
    async with asking():
        listed = await client.list_schedules(rpc_timeout=_SECONDS)
        return sorted([one.id.removeprefix(prefix) async for one in listed if one.id.startswith(prefix)])


async def take_away(client: Client, estate: str, job: str) -> None:
    """Have the server forget a job. What it has started goes on."""
    async with asking():
        await client.get_schedule_handle(schedule_id(estate, job)).delete(rpc_timeout=_SECONDS)


def catch_up(job: Job, now: datetime) -> timedelta:
    """How long after its time the server may still start a job, when it could not at its time.

    Until its window closes, as that is for the next time; without one as `missed` says.
    """
    from starover.jobs import following

    if job.window is not None:
        due = following(job, now)
        closes = open_until([job.window], due) if due is not None else None
        return max(_SHORTEST, closes - due) if closes is not None and due is not None else _SHORTEST
    return ALWAYS if job.missed == "run" else LATE


# -- cron --------------------------------------------------------------------------------------------------------------

_MONTHS = (
    (31, (1, 3, 5, 7, 8, 10, 12), ()),
    (30, (4, 6, 9, 11), ()),
    (29, (2,), (2024,)),
    (28, (2,), (2025, 2026, 2027)),
)
"""Days, months, and for February the years from which on every fourth has it so."""
_LAST_YEAR = 2099
_EVERY_DAY = frozenset(range(1, 32))


def calendars(schedule: str) -> list[ScheduleCalendarSpec]:
    """A line of cron as the server's calendars: together they have the very days that cron has.

    The server's own cron takes the day of the month and of the week together where both are given (cron: either), and
    knows neither `6#3` nor `L`. Raises `BadParameter` for the last working day of a month (`LW`).
    """
    cron = CronSim(schedule, datetime(2026, 1, 1, tzinfo=UTC))  # only its fields are looked at
    if CronSim.LAST_WEEKDAY in cron.days:
        raise BadParameter(
            f"`{schedule}`: Temporal cannot keep the last working day of a month",
            certain=("nothing was changed at the server",),
            next=("name the day otherwise, such as L (the last day) or 5L (the last Friday)",),
        )
    found: list[ScheduleCalendarSpec] = []
    for days, weekdays, months, years in _days(cron):
        if days and months:
            found.append(
                ScheduleCalendarSpec(
                    second=[ScheduleRange(0)],
                    minute=_ranges(cron.minutes),
                    hour=_ranges(cron.hours),
                    day_of_month=_ranges(days),
                    month=_ranges(months),
                    year=[ScheduleRange(year, _LAST_YEAR, 4) for year in years],
                    day_of_week=_ranges(weekdays),
                    comment=schedule,
                )
            )
    return found


def _days(cron: CronSim) -> Iterator[tuple[set[int], set[int], set[int], Sequence[int]]]:
    """Days of the month, of the week, months and years; each of these makes a calendar of its own."""
    whole = set(range(7))
    plain = {one for one in cron.days if one > 0}
    ends = CronSim.LAST in cron.days
    week = {one % 7 for one in cron.weekdays if isinstance(one, int)}
    numbered = [one for one in cron.weekdays if not isinstance(one, int)]
    # (a fifth week has three days at most: the server knows no 32nd of a month)
    nths = [(day, range(7 * nth - 6, 7 * nth + 1)) for day, nth in numbered if nth != CronSim.LAST]
    within = [({*days} & _EVERY_DAY, {day % 7}) for day, days in nths]
    last = {day % 7 for day, nth in numbered if nth == CronSim.LAST}
    for length, group, years in _MONTHS if ends or last else ((0, tuple(cron.months), ()),):
        months = set(group) & cron.months
        month = plain | ({length} if ends else set[int]())
        weeks = [(set(_EVERY_DAY), week), *within, *[(set(range(length - 6, length + 1)), {day}) for day in last]]
        parts = [(days & month, on) for days, on in weeks] if cron.day_and else [(month, whole), *weeks]
        for days, on in parts:
            if on:
                yield days, on, months, years


def _ranges(values: Iterable[int]) -> list[ScheduleRange]:
    """Runs of numbers."""
    found: list[ScheduleRange] = []
    for one in sorted(values):
        if found and found[-1].end == one - 1:
            found[-1] = ScheduleRange(found[-1].start, one)
        else:
            found.append(ScheduleRange(one, one))
    return found

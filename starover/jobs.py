"""Jobs: a runbook with its parameters, when it is due, and what becomes of a time that passed without it.

Pure: reads no file, asks no clock and no host; what has happened is handed in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from starover.errors import BadInventory
from starover.windows import Window, WindowText, next_opening, open_until
from starover.yaml_lines import Path as Place
from starover.yaml_lines import Problem, parse

__all__ = [
    "COMMAND",
    "LATE",
    "MOST_MISSED",
    "Begin",
    "Decision",
    "Job",
    "Mail",
    "NotNow",
    "Past",
    "Program",
    "Told",
    "decide",
    "following",
    "latest",
    "missed",
    "read_job",
]

LATE = timedelta(hours=1)
"""So long after its time a job without a window may still begin."""
MOST_MISSED = 50
"""So many missed times are counted; a machine that was off for a year has one thing to say, not thousands."""
COMMAND = "dr-drill"
"""What a job may name besides a runbook: `starover drill`, which plays in a lab of its own."""
_Wrong: TypeAlias = Callable[[Place, str], None]
_Times: TypeAlias = "Iterator[datetime]"
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")


class Mail(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody is told by mail, over a relay that takes it from this machine without a password."""

    mail: tuple[str, ...]
    """To whom."""
    sender: str = msgspec.field(name="from")
    relay: str
    """Host, or host:port; port 25 unless given."""


class Program(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A program gets the message on its standard input, and STAROVER_SUBJECT and STAROVER_EXIT in its environment."""

    command: tuple[str, ...]


Told: TypeAlias = "Mail | Program"


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    runbook: str
    schedule: str
    timezone: str = "UTC"
    parameters: dict[str, object] = msgspec.field(default_factory=dict[str, object])
    dag: str = ""
    ticket: str = ""
    reason: str = ""
    window: WindowText = ""
    missed: Literal["report", "run"] = "report"
    tell: tuple[dict[str, object], ...] = ()
    when: Literal["always", "trouble"] = "always"
    experimental: bool = False


@dataclass(frozen=True, kw_only=True)
class Job:
    """One job, as its file says."""

    name: str
    """Of its file, without `.yaml`."""
    runbook: str
    """Or `dr-drill`."""
    parameters: Mapping[str, tuple[str, ...]]
    schedule: str
    """Five fields as cron has them; also `6#2`, the second Saturday."""
    zone: ZoneInfo
    dag: str = ""
    ticket: str = ""
    reason: str = ""
    window: Window | None = None
    """It begins only within it; None: within an hour of its time."""
    missed: Literal["report", "run"] = "report"
    """Of a time that passed without it: only say so, or run when it is noticed and the window allows it."""
    tell: tuple[Told, ...] = ()
    when: Literal["always", "trouble"] = "always"
    experimental: bool = False
    """Somebody wants a runbook without a certificate to change LIVE."""
    lines: Mapping[Place, int] = field(default_factory=dict[Place, int], compare=False)

    @property
    def who(self) -> str:
        """Who did it, in journals."""
        return f"job:{self.name}"


# -- reading -----------------------------------------------------------------------------------------------------------


def read_job(source: str, name: str, shown: str) -> Job:
    """A job from its file's text. `shown` names the file in messages.

    Raises `BadInventory` with the line of everything that is wrong.
    """
    text = parse(source)
    problems = list(text.problems)

    def wrong(place: Place, what: str) -> None:
        problems.append(Problem(text.line(place), what))

    if not _NAME.fullmatch(name):
        wrong((), f"a job's file is named in small letters, digits and hyphens: `{name}` is not")
    file: _File | None = None
    if not problems:
        try:
            file = msgspec.convert(text.tree, _File, strict=False)
        except msgspec.ValidationError as error:
            wrong(_place(str(error)), _plain(str(error)))
    if file is not None:
        zone = _zone(file.timezone, wrong)
        _schedule(file.schedule, wrong)
        window = None
        if file.window:
            try:
                window = Window.parse(file.window)
            except ValueError as error:
                wrong(("window",), str(error))
        told = tuple(_told(one, at, wrong) for at, one in enumerate(file.tell))
        parameters = {key.replace("_", "-"): _texts(value) for key, value in file.parameters.items()}
        if not problems:
            return Job(
                name=name,
                runbook=file.runbook,
                parameters=parameters,
                schedule=" ".join(file.schedule.split()),
                zone=zone,
                dag=file.dag,
                ticket=file.ticket,
                reason=file.reason,
                window=window,
                missed=file.missed,
                tell=tuple(one for one in told if one is not None),
                when=file.when,
                experimental=file.experimental,
                lines=text.lines,
            )
    found = [f"{shown}:{one.line}: {one.text}" for one in sorted(set(problems))]
    raise BadInventory("\n".join(found), certain=("nothing was contacted",), next=("starover job check",))


def _place(said: str) -> Place:
    """Where msgspec's message says something is wrong: `... - at `$.tell[0].mail``."""
    found = re.search(r"at `\$([^`]*)`", said)
    parts = re.findall(r"\.([\w-]+)|\[(\d+)\]", found[1]) if found else []
    return tuple(int(at) if at else key for key, at in parts)


def _plain(said: str) -> str:
    return re.sub(r" - at `\$\.?([^`]*)`", r": \1", said).replace("Object", "A job").rstrip(": ")


def _zone(name: str, wrong: _Wrong) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        wrong(("timezone",), f"`{name}` is no time zone: write it as Europe/Madrid")
        return ZoneInfo("UTC")


def _schedule(text: str, wrong: _Wrong) -> None:
    from cronsim import CronSim, CronSimError

    if len(text.split()) != 5:
        wrong(("schedule",), f"`{text}` is no schedule: five fields, minute hour day month weekday: `0 22 * * 6`")
        return
    try:
        next(CronSim(text, datetime(2026, 1, 1, tzinfo=UTC)))
    except (CronSimError, StopIteration) as error:
        wrong(("schedule",), f"`{text}` is no schedule: {str(error).lower() or 'its day never comes'}")


def _told(given: Mapping[str, object], at: int, wrong: _Wrong) -> Told | None:
    """One of those who are told; a single word stands for a list of one."""
    listed = {key: [value] if key in ("mail", "command") and isinstance(value, str) else value
              for key, value in given.items()}  # fmt: skip
    try:
        if "mail" in given:
            return msgspec.convert(listed, Mail, strict=False)
        return msgspec.convert(listed, Program, strict=False)
    except msgspec.ValidationError as error:
        wrong(("tell", at), f"{_plain(str(error))}; wanted: `mail`, `from` and `relay`, or `command`")
        return None


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, list):
        many: list[object] = value  # pyright: ignore[reportUnknownVariableType] # each is made text
        return tuple(str(one) for one in many)
    return () if value is None else (str(value),)


# -- time --------------------------------------------------------------------------------------------------------------


def latest(job: Job, now: datetime) -> datetime | None:
    """The last time it was due, `now` included, in UTC; None where there was none within ten years."""
    from cronsim import CronSim

    after = now.replace(second=0, microsecond=0) + timedelta(minutes=1)
    return _first(CronSim(job.schedule, after.astimezone(job.zone), reverse=True))


def following(job: Job, now: datetime) -> datetime | None:
    """The next time it is due after `now`, in UTC; daylight saving as cron has it."""
    from cronsim import CronSim

    return _first(CronSim(job.schedule, now.astimezone(job.zone)))


def missed(job: Job, since: datetime, until: datetime) -> list[datetime]:
    """Times it was due after `since` and before `until`, oldest first, at most `MOST_MISSED`."""
    found: list[datetime] = []
    at = since
    while len(found) < MOST_MISSED and (due := following(job, at)) is not None and due < until:
        found.append(due)
        at = due
    return found


def _first(times: _Times) -> datetime | None:
    found = next(times, None)
    return found.astimezone(UTC) if found is not None else None


# -- deciding ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Past:
    """What is known of a job's earlier times."""

    since: datetime | None = None
    """The last of its times that was dealt with, by running or by saying that it was missed; None: it never ran."""
    last_due: datetime | None = None
    """The last of its times at which it ran."""


@dataclass(frozen=True, kw_only=True)
class Begin:
    """It may run now."""

    due: datetime | None
    """The time it runs for; None: by hand."""
    late: timedelta = timedelta(0)
    missed: Sequence[datetime] = ()
    """Earlier times that passed without it."""


@dataclass(frozen=True, kw_only=True)
class NotNow:
    """It must not begin now."""

    why: str
    following: datetime | None
    missed: Sequence[datetime] = ()
    done: bool = False
    """It has run for its last time: that is no failure."""
    closed: bool = False
    """Its window is: a hand cannot begin it either."""


Decision: TypeAlias = "Begin | NotNow"


def decide(job: Job, now: datetime, past: Past, *, by_hand: bool = False) -> Decision:
    """Whether the job may begin at `now`. `by_hand` asks for no time, but for the window all the same."""
    coming = following(job, now)
    closed = job.window is not None and open_until([job.window], now) is None
    if by_hand:
        return NotNow(why=_closed(job, now), following=coming, closed=True) if closed else Begin(due=None)
    due = latest(job, now)
    if due is None:
        return NotNow(why="it has never been due", following=coming)
    if past.last_due is not None and due <= past.last_due:
        return NotNow(why="it has run for its last time", following=coming, done=True)
    before = tuple(missed(job, past.since, due)) if past.since is not None else ()
    late = now - due
    if closed:
        return NotNow(why=_closed(job, now), following=coming, missed=_lost(before, due, past), closed=True)
    if job.window is None and late > LATE and job.missed == "report":
        hours = int(LATE.total_seconds() // 3600)
        why = f"its time has passed more than {hours} h ago, and `missed: report` says to wait"
        return NotNow(why=why, following=coming, missed=_lost(before, due, past))
    return Begin(due=due, late=late, missed=before)


def _lost(before: tuple[datetime, ...], due: datetime, past: Past) -> tuple[datetime, ...]:
    """With the last time itself, unless that has been told already or the job is new."""
    return (*before, due) if past.since is not None and due > past.since else before


def _closed(job: Job, now: datetime) -> str:
    assert job.window is not None
    opens = next_opening([job.window], now)
    return f"its window is closed: {job.window.text}" + (
        "" if opens is None else f", opens {opens.astimezone(job.zone):%a %d %b %H:%M %Z}"
    )

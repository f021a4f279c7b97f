"""A job for the machine's own scheduler: systemd's units, or a line for cron. Text out; writes and starts nothing."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence

from starover.errors import BadParameter
from starover.jobs import Job

__all__ = ["cron_text", "systemd_text"]

_LAST = -1000
"""As CronSim has `L`: the last day of a month, the last such weekday in it."""
_DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")


def cron_text(job: Job, command: Sequence[str]) -> str:
    """Lines for `crontab -e`."""
    line = shlex.join(command).replace("%", r"\%")
    return "\n".join(
        [
            f"# {job.name}: {job.runbook}. cronie goes by CRON_TZ; other crons by the machine's zone,",
            "# which then has to be this one. At any other time the job ends with exit 75 and sends nothing.",
            f"CRON_TZ={job.zone.key}",
            f"{_plain_fields(job)} {line}",
        ]
    )


def systemd_text(job: Job, command: Sequence[str], folder: str) -> list[tuple[str, str]]:
    """The two units, as name and text. Raises `BadParameter` for a schedule that systemd cannot say."""
    name = f"starover-{job.name}"
    service = "\n".join(
        [
            "[Unit]",
            f"Description=starover job {job.name} ({job.runbook})",
            "Wants=network-online.target",
            "After=network-online.target",
            "",
            "[Service]",
            "Type=oneshot",
            f"WorkingDirectory={folder}",
            f"ExecStart={_quoted(command)}",
            "# 3: a report found something; 75: not its time, or the DAG is busy. Both are told, neither is a failure.",
            "SuccessExitStatus=3 75",
            "# Ctrl-C's signal: the run ends after the step under way.",
            "KillSignal=SIGINT",
            "TimeoutStopSec=2h",
        ]
    )
    calendar = [f"OnCalendar={one} {job.zone.key}" for one in _calendars(job)]
    timer = "\n".join(
        [
            "[Unit]",
            f"Description=starover job {job.name}: {job.schedule} {job.zone.key}",
            "",
            "[Timer]",
            *calendar,
            "# After a time when this machine was off it is started at once, and says that it is late or was missed.",
            "Persistent=true",
            "AccuracySec=1s",
            "",
            "[Install]",
            "WantedBy=timers.target",
        ]
    )
    return [(f"{name}.service", service), (f"{name}.timer", timer)]


def _quoted(command: Sequence[str]) -> str:
    return " ".join('"' + one.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$") + '"'
                    for one in command)  # fmt: skip


def _plain_fields(job: Job) -> str:
    """The schedule as every cron takes it. Raises `BadParameter` for `6#2` and the like."""
    if any(mark in job.schedule for mark in "#LW"):
        raise BadParameter(
            f"cron cannot say `{job.schedule}`",
            certain=("nothing was written",),
            next=(f"starover job install {job.name} --systemd",),
        )
    return job.schedule


def _calendars(job: Job) -> list[str]:
    """The schedule in systemd's words; two of them where cron takes the day of the month or that of the week."""
    from datetime import UTC, datetime

    from cronsim import CronSim

    times = CronSim(job.schedule, datetime(2026, 1, 1, tzinfo=UTC))
    clock = f"{_list(times.hours, 24)}:{_list(times.minutes, 60)}:00"
    months = _list(times.months, 12)
    every_day, every_weekday = len(times.days) == 31, len({one for one in times.weekdays if isinstance(one, int)}) >= 7
    found: list[str] = []
    if not every_day or every_weekday:
        if any(one < _LAST for one in times.days):  # the last working day of a month
            raise _unsaid(job)
        days = [one for one in times.days if one > 0]
        found += [f"*-{months}-{_list(days, 31)} {clock}"] if days else []
        found += [f"*-{months}~01 {clock}"] if _LAST in times.days else []
    if not every_weekday:
        plain = sorted(one for one in times.weekdays if isinstance(one, int))
        if plain:
            found.append(f"{','.join(_DAYS[one % 7] for one in plain)} *-{months}-* {clock}")
        for one in times.weekdays:
            if isinstance(one, tuple):
                day, nth = one
                if nth == _LAST:
                    found.append(f"{_DAYS[day % 7]} *-{months}~07/1 {clock}")
                    continue
                if nth not in (1, 2, 3, 4, 5):
                    raise _unsaid(job)
                found.append(f"{_DAYS[day % 7]} *-{months}-{7 * nth - 6:02}..{min(7 * nth, 31):02} {clock}")
    return found


def _unsaid(job: Job) -> BadParameter:
    return BadParameter(
        f"systemd cannot say `{job.schedule}`",
        certain=("nothing was written",),
        next=(f"starover job run {job.name}   from a timer of every day: on another day it does nothing",),
    )


def _list(values: Collection[object], whole: int) -> str:
    plain = sorted(one for one in values if isinstance(one, int))
    return "*" if len(plain) >= whole else ",".join(f"{one:02}" for one in plain)

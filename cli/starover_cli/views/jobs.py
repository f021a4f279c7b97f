"""Jobs as text: the list, and the message that a person reads on Sunday. Data in, text out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from starover.errors import StaroverError
from starover.jobs import Job
from starover_cli.views.head import next_block
from starover_cli.views.runs import RunSummary, verdict_of_run
from starover_cli.views.text import clip, clock_time, day_time, duration, plural, table, wrap

__all__ = ["JobRow", "Message", "jobs_text", "late_text", "message_of"]


@dataclass(frozen=True, kw_only=True)
class JobRow:
    """One job, for the list."""

    job: Job
    following: datetime | None
    last: str
    """`ok Sat 21 Nov 22:05`, `never ran`."""
    missed: int = 0
    """Times that passed without it, and of which nobody has been told."""


def jobs_text(rows: Sequence[JobRow], broken: Sequence[str], width: int = 100) -> str:
    """The list, and what is wrong with the files that are no jobs."""
    cells = [("job", "runbook", "schedule", "next", "last")]
    cells += [
        (
            one.job.name,
            one.job.runbook,
            one.job.schedule,
            "never" if one.following is None else f"{one.following.astimezone(one.job.zone):%a %d %b %H:%M %Z}",
            one.last + (f"; MISSED {one.missed}" if one.missed else ""),
        )
        for one in rows
    ]
    lines = [clip(line, width) for line in table(cells)] if rows else ["There are no jobs here."]
    lines += [f"! {line}" for one in broken for line in one.splitlines()]
    lead = [(f"starover job run {rows[0].job.name} --now", "at once, by hand")] if rows else []
    return "\n".join(lines) + "\n\n" + next_block([*lead, ("starover job check", "everything about them")])


@dataclass(frozen=True, kw_only=True)
class Message:
    """What those who are told get."""

    subject: str
    body: str


class _Verdict(msgspec.Struct, frozen=True):
    verdict: str = ""


def message_of(
    job: Job,
    code: int,
    *,
    run: RunSummary | None,
    mounted: tuple[int, Sequence[str]] | None,
    error: StaroverError | None = None,
    remarks: Sequence[str] = (),
    width: int = 100,
) -> Message:
    """First whether anybody must get up, then what happened, then what to type.

    `mounted`: how many databases serve and the names of those that do not, where the DAG was looked at after the run.
    `remarks`: that it was late, that earlier times were missed.
    """
    # A verdict that the runbook itself gave is the whole message of a night that went well.
    said = _of_value(run) or (verdict_of_run(run) if run is not None else "")
    if error is not None and run is None:
        said = f"It did not begin: {error.what}"
    down = list(mounted[1]) if mounted is not None else []
    state = _state(code, down)
    lines: list[str] = []
    if down:
        lines += wrap(f"MAIL IS DOWN for {', '.join(down)}: somebody must act now.", width)
    elif mounted is not None and code:
        lines += wrap(f"Mail is up: all {plural(mounted[0], 'database')} mounted. It can wait until Monday.", width)
    lines += wrap(said, width)
    fault = run.ended.fault if run is not None and run.ended is not None else None
    certain = fault.certain if fault is not None else error.certain if error is not None else ()
    uncertain = fault.uncertain if fault is not None else error.uncertain if error is not None else ()
    following = list(fault.next if fault is not None else error.next if error is not None else ())
    lines += [line for one in certain for line in wrap(f"certain      {one}", width, " " * 13)]
    lines += [line for one in uncertain for line in wrap(f"not known    {one}", width, " " * 13)]
    lines += [line for one in remarks for line in wrap(one, width)]
    if run is not None:
        span = f"{day_time(run.begun, simulated=run.lab)} - {clock_time(run.last, simulated=run.lab)}"
        took = duration((run.last - run.begun).total_seconds())
        lines.append(f"{job.runbook}   {span}, {took}   run {run.run}")
        if code:
            following.append(f"starover runs show {run.run}")
    body = "\n".join(lines)
    if code and following:
        body += f"\n\n{next_block(list(dict.fromkeys(following)))}"
    return Message(subject=f"starover {job.name}: {state}", body=body + "\n")


def _of_value(run: RunSummary | None) -> str:
    if run is None or run.report is None:
        return ""
    try:
        return msgspec.json.decode(run.report, type=_Verdict).verdict
    except msgspec.MsgspecError:
        return ""


_STATES: Mapping[int, str] = {
    0: "ok",
    1: "something was found",
    2: "it is wrong and did not begin",
    4: "REFUSED, nothing was risked",
    5: "STOPPED, and not everything is known",
    6: "hosts could not be reached",
    75: "not now",
    130: "stopped by a signal",
}


def _state(code: int, down: Sequence[str]) -> str:
    return "MAIL IS DOWN" if down else _STATES.get(code, "STOPPED")


def late_text(late: timedelta, missed: Sequence[datetime], job: Job) -> list[str]:
    """What was not as the schedule has it, in sentences."""
    found: list[str] = []
    if late > timedelta(minutes=5):
        found.append(f"It began {duration(late.total_seconds())} late.")
    if missed:
        when = ", ".join(f"{one.astimezone(job.zone):%a %d %b %H:%M}" for one in list(missed)[-5:])
        more = f"{len(missed)} times, the last of them: " if len(missed) > 5 else ""
        found.append(f"MISSED: {more}{when}. Nothing started it then: was this machine off?")
    return found

"""What a Temporal server knows of runs, and its schedules, for a person. Data in, text out; knows no server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from starover_cli.views.head import next_block
from starover_cli.views.text import clip, day_time, duration, table

if TYPE_CHECKING:
    from starover.drivers.temporal import Ended, Listed, Standing
    from starover.drivers.temporal.schedules import Placed
    from starover.jobs import Job

__all__ = ["listed_data", "listed_text", "placed_text"]


def listed_text(runs: Sequence[tuple[Listed, Standing | Ended | None]], server: str, width: int = 100) -> str:
    """The list, newest last as in the list of journals."""
    if not runs:
        return f"The Temporal server {server} knows no run of this estate."
    rows = [("when", "run at the server", "runbook", "by", "state", "journal", "took")]
    for one, now in reversed(runs):
        took = duration((one.ended - one.began).total_seconds()) if one.ended is not None else ""
        journal = now.run if now is not None else ""
        rows.append((day_time(one.began), one.workflow, one.runbook, one.who, state_of(one, now), journal, took))
    lines = [clip(line, width) for line in table(rows)]
    waiting = [one for one, now in runs if now is not None and now.state == "waits for approval"]
    going = [one for one, _ in runs if one.state == "running"]
    following = [(f"starover approve {one.workflow} --engine temporal", "it waits for that") for one in waiting[:1]]
    following += [(f"starover cancel {one.workflow}", "ends it after the step under way") for one in going[:1]]
    return "\n".join(lines) + (f"\n\n{next_block(following)}" if following else "")


def state_of(one: Listed, now: Standing | Ended | None) -> str:
    """In a word or two."""
    if now is not None:
        return now.state
    return one.state if one.state != "running" else "under way, no worker answers"


def listed_data(one: Listed, now: Standing | Ended | None) -> dict[str, object]:
    """One run, for a machine."""
    return {
        "workflow": one.workflow,
        "execution": one.execution,
        "estate": one.estate,
        "dag": one.dag,
        "runbook": one.runbook,
        "who": one.who,
        "ticket": one.ticket,
        "state": state_of(one, now),
        "began": one.began,
        "ended": one.ended,
        "plan": now.plan.id if now is not None and now.plan is not None else one.plan,
        "run": now.run if now is not None else "",
        "under_way": now.under_way if now is not None else (),
    }


def placed_text(placed: Sequence[tuple[Job, Placed]], gone: Sequence[str], left: Sequence[tuple[str, str]]) -> str:
    """What the server's schedules are now; `left`: jobs that it does not have, and why."""
    rows: list[tuple[str, ...]] = []
    for job, one in placed:
        mark = {"new": "+", "changed": "~", "same": "="}[one.what]
        when = "never" if one.following is None else f"next {one.following.astimezone(job.zone):%a %d %b %H:%M %Z}"
        rows.append((mark, job.name, one.what, when, "PAUSED at the server" if one.paused else ""))
    rows += [("-", name, "removed", "there is no such job any more", "") for name in gone]
    rows += [("!", name, "not there", why, "") for name, why in left]
    return "\n".join(table(rows, indent=2)) or "There is no job, and there was none."

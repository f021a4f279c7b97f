"""Prints how a plan or a run came out, for a person or a machine, and gives the exit code; the words are the views'."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from starover.command_line import with_dag
from starover.errors import Mistake, Refused, StaroverError
from starover_cli.acknowledging import ask_for_them, keep_read, waiting, warning_lines
from starover_cli.around import after_text
from starover_cli.experimental import remark
from starover_cli.history import done_by
from starover_cli.look import dag_map, plain_where
from starover_cli.room import who
from starover_cli.views import dag_map as map_view
from starover_cli.views import json as machine
from starover_cli.views.error import error_data, error_text, exit_line, split_next
from starover_cli.views.findings import findings_exit, value_text
from starover_cli.views.head import Where, first_line, next_block
from starover_cli.views.outcome import ran_data, ran_next, ran_text, what_stands
from starover_cli.views.plan import next_of_plan, plan_text, plan_verdict

if TYPE_CHECKING:
    from starover.approval import Second
    from starover.drivers.local import Planned, Ran
    from starover.plan import Plan
    from starover_cli.room import Room
    from starover_cli.views.dag_map import DagMap
    from starover_cli.views.story import Story

__all__ = ["good_for", "heading", "show_plan", "show_ran", "show_value", "stale"]

CHANGES = 3


@contextmanager
def heading(room: Room) -> Generator[None]:
    """Whatever ends what is within: the screen begins with where this was; nobody silent is asked for it."""
    try:
        yield
    except StaroverError as error:
        _name_dag(room, error)
        if isinstance(error, Mistake):
            raise  # nothing was contacted: it is about the words that were typed, not about an estate
        if not room.settings.json and not room.headed:
            console = room.settings.console
            console.result(first_line(_where_it_ended(room, error), console.width))
        raise


def _where_it_ended(room: Room, error: StaroverError) -> Where:
    """The first line of an error. Where a guard said no, those who told it so are asked for votes and DAC mode."""
    from starover_cli.cmd_look import read_where

    if isinstance(error, Refused) and room.heard:
        with suppress(StaroverError):
            return read_where(room, room.heard)
    now = None
    with suppress(StaroverError):
        now = room.clock.now()
    return plain_where(room.estate, room.dag_of(), now)


def _name_dag(room: Room, error: StaroverError, dag: str = "") -> None:
    """Advice can be pasted where the inventory has several DAGs, too."""
    with suppress(StaroverError):  # without an inventory there is no DAG to be named
        if len(room.estate.dags) > 1:
            known = room.dag_of([error.host])
            name = dag or (known.name if known is not None else "")
            error.next = tuple(with_dag(line, name) if name else line for line in error.next)


def show_plan(
    room: Room,
    plan: Plan,
    where: Where,
    *,
    exit: int,  # noqa: A002
    exit_code: bool,
    asking: bool = False,
    second: Second | None = None,
) -> int:
    """A plan: the whole screen; `asking`: a question follows, so there is no advice to apply it.

    `second`: the second person's approval, where there is one.

    Gives `exit`, or with `exit_code` 3 when the plan changes something.
    """
    console = room.settings.console
    room.headed = True
    code = CHANGES if exit == 0 and exit_code and plan.changes else exit
    house = None
    rough = remark(room.content, plan)
    if plan.changes:
        by = room.settings.by or who()
        house = room.house.foresee(plan, by, where.at or room.clock.now(), ticket=room.settings.ticket, second=second)
    if room.settings.json:
        said: dict[str, object] = {
            "where": where,
            "verdict": plan_verdict(plan),
            "plan": plan,
            "id": plan.id,
            "risk": plan.risk,
            **({"policy": house} if house is not None else {}),
            **({"certificate": rough} if rough else {}),
        }
        if not asking:  # else it is not the last word
            following = [command for command, _ in next_of_plan(plan, room.settings.ticket, house)]
            said |= {"changed": 0, "exit": code, "next": following}
        _raw(room, said)
    else:
        minutes = good_for(plan, where.at)
        done = done_by(room.settings.state, plan)
        console.result(
            plan_text(
                plan,
                where,
                width=console.width,
                good_for=minutes,
                asking=asking,
                done_by=done,
                ticket=room.settings.ticket,
                second=second,
                several=len(room.estate.dags) > 1,
                house=house,
                certificate=rough,
            )
        )
    if code:
        console.note(exit_line(code))
    return code


def _raw(room: Room, data: dict[str, object]) -> None:
    room.settings.console.raw(machine.line(data) if room.lines else machine.document(data))


def good_for(plan: Plan, now: datetime | None) -> str:
    """How long the plan's facts still count, in words."""
    from starover.guard import FRESH

    left = FRESH - (now - plan.made) if now is not None else FRESH
    return f"good for {max(1, round(left.total_seconds() / 60))} min" if left > timedelta(0) else "too old to apply"


def stale(plan: Plan, now: datetime) -> bool:
    """Whether the plan's facts are too old, so that nobody need be asked: the driver refuses it, and journals that."""
    from starover.guard import check_fresh

    try:
        check_fresh(plan, now)
    except StaroverError:
        return True
    return False


def show_value(room: Room, planned: Planned, where: Where, *, exit_code: bool) -> int:
    """What a runbook that looks has found. Gives 0, or with `exit_code` 1 when it found something."""
    console = room.settings.console
    room.headed = True
    assert planned.value is not None
    code = findings_exit(planned.value) if exit_code else 0
    if room.settings.json:
        data = {"where": where, "runbook": planned.plan.runbook, "value": planned.value, "run": planned.run}
        _raw(room, {**data, "changed": 0, "exit": code, "next": []})
    elif (drawn := _map_of(room, planned.value, where)) is not None:
        console.result(_drawn_text(planned.value, drawn, console.width))
    else:
        verdict = plan_verdict(planned.plan) if planned.plan.steps else ""
        parts = [first_line(where, console.width), verdict, value_text(planned.value, console.width)]
        named = f" --dag {where.dag}" if len(room.estate.dags) != 1 and where.dag else ""
        parts.append(next_block([(f"starover{named} status", "the DAG as a map")]))
        console.result("\n\n".join(part for part in parts if part))
    if code:
        console.note(exit_line(code, "findings"))
    return code


def _map_of(room: Room, value: object, where: Where) -> DagMap | None:
    """A DAG's facts are not for reading: they are drawn, as `starover status` does."""
    from starover.steps.assessment import Assessment
    from starover.steps.dag import DagFacts

    facts = value.facts if isinstance(value, Assessment) else value
    if not isinstance(facts, DagFacts) or where.at is None:
        return None
    return dag_map(facts, room.estate, room.estate.dag(facts.name), where.at)


def _drawn_text(value: object, drawn: DagMap, width: int) -> str:
    from starover.steps.assessment import Assessment
    from starover_cli.views.assess import assess_text, next_of_assessment

    if isinstance(value, Assessment):
        named = value.dag if drawn.several else ""
        return f"{assess_text(value, drawn, width)}\n\n{next_block(next_of_assessment(value, None, dag=named))}"
    return map_view.render(drawn, width)


def show_ran(
    room: Room,
    ran: Ran,
    story: Story,
    where: Where | None = None,
    *,
    after: DagMap | None = None,
    acknowledge: bool = False,
) -> int:
    """A run: its steps, the last sentence, and for one that went wrong what is certain and what is not.

    `after`: the DAG as it is now, where the run interrupted somebody. `acknowledge`: its warnings are, by the line that
    began it; otherwise somebody is asked at the end.
    """
    console = room.settings.console
    warnings = waiting(room, ran.run)
    if warnings and acknowledge:
        keep_read(room, ran.run, "flag")
    if ran.error is not None:
        _name_dag(room, ran.error, str(ran.plan.parameters.get("dag") or ""))
    if room.settings.json:
        data = ran_data(ran) | {"approved": story.approved}
        if warnings:
            data |= {"warnings": warnings, "acknowledged": acknowledge}
        if ran.error is not None:
            data["error"] = error_data(ran.error)
        _raw(room, data)
    else:
        head = f"{first_line(where, console.width)}\n" if where is not None else "\n"
        stands = [value_text(ran.value, console.width)] if ran.value is not None else []
        if after is not None:
            stands.append(after_text(room, ran.run, after, console.width))
        text = ran_text(ran, story.rows, console.width, story.approved, "\n\n".join(part for part in stands if part))
        console.result(head + text)
    if ran.error is not None:
        parts = [error_text(ran.error, console.width, bare=True), what_stands(ran, console.width)]
        usual = ran_next(ran)
        known = {command for command, _ in usual}
        own = [line for line in split_next(ran.error.next)[0] if line[0] not in known]
        parts.append(next_block([*own, *usual]))  # what mends this very failure comes first
        console.note("\n" + "\n\n".join(part for part in parts if part))
    elif ran.exit:
        console.note(exit_line(ran.exit, "interrupted" if ran.state == "stopped" else ""))
    if warnings and acknowledge and not room.settings.json:
        lines = [
            "Warnings of this run, acknowledged by --acknowledge-warnings:",
            *warning_lines(warnings, console.width),
        ]
        console.note("\n" + "\n".join(lines))
    elif warnings and not room.settings.json:
        ask_for_them(room, ran.run, warnings)
    return ran.exit

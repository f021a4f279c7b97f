"""`assess`: the first command on a bad day: what is wrong, what is safe, and the saved plan that mends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from starover.command_line import command_of
from starover.errors import Mistake, StaroverError, Unreachable
from starover_cli import params
from starover_cli.attestations import with_certifiers
from starover_cli.look import dag_map
from starover_cli.report import good_for, heading
from starover_cli.room import Room
from starover_cli.settings import Settings, common, settings_of
from starover_cli.views import json as machine
from starover_cli.views.error import error_data, exit_line

if TYPE_CHECKING:
    from starover.errors import Fault
    from starover.plan import Plan
    from starover.steps.assessment import Assessment
    from starover.values import Plain
    from starover_cli.views.dag_map import DagMap

__all__ = ["COMMANDS"]

ASSESS = "az-loss-assess"


@click.command()
@click.option("--lost-site", metavar="SITE", multiple=True, help="An AD site that is known to be lost.")
@click.option("--lost-server", metavar="SERVER", multiple=True, help="A member that is known to be lost.")
@click.option("--no-plan", is_flag=True, help="Only look; make no plan.")
@click.option("--exit-code", is_flag=True, help="Exit 1 when something is to be done.")
@common(record=True)
@click.pass_context
def assess(
    ctx: click.Context, lost_site: tuple[str, ...], lost_server: tuple[str, ...], no_plan: bool, exit_code: bool
) -> int:
    """What is wrong, what is safe, and the plan to mend it. Never changes anything."""
    from starover_cli.views.assess import assess_text, planned_text, unplanned_text

    settings = settings_of(ctx)
    console = settings.console
    with Room(settings, settings.parts) as room, heading(room):
        page, drawn, said = look(room, {"lost_site": [*lost_site], "lost_server": [*lost_server]})
        code = _code(page, drawn, exit_code=exit_code)
        if not settings.json:
            room.headed = True
            console.result(assess_text(page, drawn, console.width))
        plan: Plan | None = None
        why: StaroverError | None = None
        if page.runbook and not no_plan:
            try:
                console.note(f"planning {page.runbook}: everything is read once more")
                plan = plan_of(room, page, said)
            except StaroverError as error:
                why = error
        named = page.dag if drawn.several else ""
        command = _command(page, named) if page.runbook else ""
        if settings.json:
            console.raw(machine.document(_data(page, drawn, plan, why, command, settings, code, named)))
        elif plan is not None:
            minutes = good_for(plan, room.clock.now())
            console.result("\n" + planned_text(plan, console.width, minutes, settings.ticket, named))
        else:
            console.result("\n" + unplanned_text(page, why, command, console.width, named))
    if code:
        console.note(exit_line(code, Unreachable.word if code == Unreachable.exit else "findings"))
    return code


def _code(page: Assessment, drawn: DagMap, *, exit_code: bool) -> int:
    """A bad fact is no failure of the look; to see nothing is one."""
    from starover_cli.views.assess import is_well

    if not drawn.heard:
        return Unreachable.exit
    return int(exit_code and not is_well(page))


def look(room: Room, given: dict[str, Plain]) -> tuple[Assessment, DagMap, dict[str, Fault]]:
    """Ask every host at once; each answer is told as it comes. Raises what `Local.plan` raises.

    Gives the page, its map, and what was told of hosts that did not answer.
    """
    from starover.steps.assessment import Assessment as Page
    from starover_cli.progress import Teller

    named: dict[str, Plain] = {name: value for name, value in given.items() if value}
    if room.settings.dag:
        named["dag"] = room.settings.dag
    teller = Teller(room.settings.console, simulated=room.estate.lab, json=False, eager=True)
    with teller:
        planned = room.local([teller]).plan(ASSESS, named)
    value = planned.value
    if not isinstance(value, Page):
        raise Mistake(f"the runbook {ASSESS} of this home does not return an assessment.")
    drawn = dag_map(value.facts, room.estate, room.estate.dag(value.dag), room.clock.now())
    return value, drawn, teller.story.said


def plan_of(room: Room, page: Assessment, said: dict[str, Fault]) -> Plan:
    """The plan of the runbook that the assessment answers with, saved. Raises what planning raises.

    `said`: what need not be told again.
    """
    from starover_cli.progress import Teller

    runbook = room.content.runbook(page.runbook)
    known = {one.name for one in runbook.parameters}
    given: dict[str, Plain] = {name: value for name, value in page.parameters.items() if name in known}
    if "dag" in known:
        given.setdefault("dag", page.dag)
    given = {**params.typed(runbook, {}, room.settings), **given}
    given = with_certifiers(room.settings.state, runbook, given, room.estate, room.clock.now)
    teller = Teller(room.settings.console, simulated=room.estate.lab, json=False)
    teller.story.said.update(said)
    with teller:
        return room.local([teller]).plan(runbook.name, given).plan


def _command(page: Assessment, dag: str) -> str:
    """The line that plans the answered runbook."""
    named: dict[str, Plain] = {"dag": dag} if dag else {}
    return command_of(page.runbook, {**named, **page.parameters})


def _data(
    page: Assessment,
    drawn: DagMap,
    plan: Plan | None,
    why: StaroverError | None,
    command: str,
    settings: Settings,
    code: int,
    dag: str,
) -> dict[str, object]:
    from starover_cli.views.assess import next_of_assessment, verdict_of

    following = next_of_assessment(page, plan, settings.ticket, command, dag)
    return {
        "where": drawn.where,
        "verdict": verdict_of(page, drawn),
        "answer": page.answer,
        "runbook": page.runbook,
        "parameters": page.parameters,
        "assessment": page,
        "map": drawn,
        "plan": plan,
        "id": plan.id if plan is not None else None,
        "risk": plan.risk if plan is not None else None,
        "unplanned": error_data(why) if why is not None else None,
        "changed": 0,
        "exit": code,
        "next": [command for command, _ in following],
    }


COMMANDS = (assess,)

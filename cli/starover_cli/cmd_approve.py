"""`approve`: a second person looks at what a plan binds and agrees; from a plan's file alone, contacting nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from starover.command_line import word
from starover.errors import BadParameter, NotApproved, StaroverError
from starover_cli.cmd_do import FLAGS
from starover_cli.plan_files import approval_place, load_plan, write_file
from starover_cli.prompt import NotConfirmed
from starover_cli.refusing import approval_refusals_kept
from starover_cli.room import Room, who
from starover_cli.settings import Settings, common, settings_of
from starover_cli.team.line import ENGINES, Line, engine, need_temporal
from starover_cli.views import json as machine

if TYPE_CHECKING:
    from starover.plan import Plan

__all__ = ["COMMANDS", "agree", "clock_of"]

_F = TypeVar("_F", bound=Callable[..., Any])


def _as_applied(function: _F) -> _F:
    """What the person who submitted a run answers, as for `apply`; of no use to a second person."""
    for name in ("yes", "approve", "accept_data_loss", "approval", "break_glass", "experimental"):
        function = FLAGS[name](function)
    return function


@click.command()
@click.argument("plan_id", metavar="ID|FILE|RUN")
@click.option("--to", metavar="FILE", default="", help="Write the approval there; default: beside the plan.")
@click.option("--as", "name", metavar="NAME", default="", help="Your name; default: who this machine says you are.")
@click.option(
    "--key", metavar="FILE", default="", help="Sign it with this SSH key (its public half, where an agent has it)."
)
@engine
@_as_applied
@common(record=True)
@click.pass_context
def approve(
    ctx: click.Context, /, plan_id: str, to: str, name: str, key: str, engine: str, line: Line, **given: Any
) -> int:
    """Approve a plan as the second person; not the one who asked for it, nor the one who applies it.

    Works from a plan's file (`starover plans show ID --to FILE`) on any machine. With --key it is signed by ssh-keygen;
    without, it says who approved and proves it to nobody, and an estate with a policy does not take it.

    With --engine temporal a run that waits at the server is approved: RUN is its name there, its DAG or its plan.
    """
    if engine != ENGINES[0]:
        need_temporal()
        from starover_cli.team.handling import approve_run

        return approve_run(settings_of(ctx), plan_id, {"name": name, "key": key, **given}, line)
    from starover.approval import write_approval
    from starover.approval_signature import agreed, signed
    from starover.guard import check_fresh, same_person
    from starover_cli.views.approval import approval_data, approval_text, approved_text

    settings = settings_of(ctx)
    plan = load_plan(settings, plan_id)
    if plan.nothing or plan.blocked:
        raise BadParameter(f"plan {plan.id} is not to be applied: there is nothing to approve")
    name = name or who()
    now = clock_of(settings, lab_time=plan.made if plan.lab else None)
    console = settings.console
    again = [f"starover approve {word(plan_id)}", *([f"--to {word(to)}"] if to else []), f"--as {word(name)}"]
    again += [f"--key {word(key)}"] if key else []
    with approval_refusals_kept(settings, plan, name, now):
        if same_person(name, plan.by):
            raise NotApproved(
                f"{plan.by} asked for plan {plan.id} and cannot be its second person",
                certain=("nothing was approved",),
                next=(f"starover approve {word(plan_id)} --as NAME   somebody else runs this",),
            )
        check_fresh(plan, now)
        if not settings.json:
            console.result(approval_text(plan, console.width))
        agree(settings, plan, name, " ".join(again))
    made = agreed(plan, name, now)
    if key:
        made = signed(made, Path(key))
    place = Path(to) if to else approval_place(settings, plan_id, plan)
    write_file(place, write_approval(made))
    beside = not to and place == approval_place(settings, plan.id, plan)
    if settings.json:
        console.raw(machine.document(approval_data(made, place.as_posix())))
    else:
        console.result(approved_text(plan, made, place.as_posix(), beside=beside, width=console.width))
    return 0


def agree(settings: Settings, plan: Plan, name: str, command: str) -> None:
    """Have the DAG's name typed (or the plan's id, where it is about no DAG). Raises `NotConfirmed`.

    `command`: what was typed, so that it can be typed again.
    """
    console = settings.console
    dag = str(plan.parameters.get("dag") or "")
    if dag and settings.dag and settings.dag.casefold() == dag.casefold():
        return  # it was typed on the line
    if not console.interactive:
        raise NotConfirmed(
            "nobody is here to be asked, and an approval is a person's.",
            certain=["nothing was approved."],
            next=[f"{command} --dag {dag or 'NAME'}   the DAG's name, typed, is the answer"],
        )
    wanted, what = (dag, "the DAG's name") if dag else (plan.id, "the plan's id")
    if console.ask(f"You are {name}. Type {what} to approve: ") != wanted:
        raise NotConfirmed("the answer was not the name.", certain=["nothing was approved."])


def clock_of(settings: Settings, *, lab_time: datetime | None) -> datetime:
    """The present moment. Of something that happened in a lab (`lab_time`): the lab's, or that where it is not here."""
    if lab_time is None:
        return datetime.now(UTC)
    with contextlib.suppress(StaroverError), Room(settings, settings.parts) as room:
        if room.estate.lab:
            return room.clock.now()
    return lab_time


COMMANDS = (approve,)

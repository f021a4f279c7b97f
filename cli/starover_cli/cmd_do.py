"""`plan`, `apply`, `run`, `resume`, `undo`: what changes something, or says what would."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

import click

from starover.errors import BadInventory, NotSafe
from starover_cli import params
from starover_cli.around import look_after, look_before, map_text
from starover_cli.asking import ask, dag_of_plan, second_for
from starover_cli.attestations import with_certifiers
from starover_cli.cmd_look import read_where
from starover_cli.exchange_steps import name_exchange_steps
from starover_cli.plan_files import load_plan
from starover_cli.refusing import refusals_kept
from starover_cli.report import heading, show_plan, show_ran, show_value, stale
from starover_cli.room import Room
from starover_cli.runbook_group import RunbookGroup
from starover_cli.settings import Settings, common, settings_of
from starover_cli.shipping import copies_go_out

if TYPE_CHECKING:
    from starover.drivers.local import Local, Planned, Ran
    from starover.plan import Plan
    from starover.runbook import AnyRunbook
    from starover_cli.progress import Teller
    from starover_cli.views.head import Where

__all__ = ["COMMANDS", "FLAGS", "make_plan", "perform_runbook"]

_F = TypeVar("_F", bound=Callable[..., Any])
FLAGS: Mapping[str, Callable[[Any], Any]] = {
    "yes": click.option("--yes", "-y", is_flag=True, help="Answer the question whether to do it."),
    "approve": click.option(
        "--approve",
        metavar="ID",
        default="",
        help="The plan's id or digest: the answer where mail may be lost, or the brain split.",
    ),
    "accept_data_loss": click.option(
        "--accept-data-loss",
        metavar="DB=LOGS",
        multiple=True,
        help="The loss that is accepted, exactly as the plan says it; may be repeated.",
    ),
    "approval": click.option(
        "--approval",
        metavar="FILE",
        default="",
        help="The second person's approval, where it was not given in this folder.",
    ),
    "break_glass": click.option(
        "--break-glass",
        metavar="REASON",
        default="",
        help="Nobody else can be reached: replaces the second person alone, and stands first in every report.",
    ),
    "acknowledge_warnings": click.option(
        "--acknowledge-warnings",
        is_flag=True,
        help="The warnings of a run that may split the brain count as read; without it somebody is asked at its end.",
    ),
    "experimental": click.option(
        "--experimental",
        is_flag=True,
        help="Answer the question whether a runbook without a certificate may be used on LIVE.",
    ),
}
"""What a person may answer beforehand, by the name of the argument."""
_exit_code = click.option(
    "--exit-code", is_flag=True, help="Exit 3 when there is something to change, 1 when a report finds something."
)


@click.group(cls=RunbookGroup, subcommand_metavar="NAME [OPTIONS]")
@common(record=True)
def plan() -> None:
    """What a runbook would change now; saved under an id; sends reads only."""


@click.group(cls=RunbookGroup, subcommand_metavar="NAME [OPTIONS]")
@common(record=True)
def run() -> None:
    """Plan, ask, apply."""


def _plan(settings: Settings, runbook: AnyRunbook, values: Mapping[str, object], *, exit_code: bool) -> int:
    with Room(settings, settings.parts) as room, heading(room):
        planned, where = make_plan(room, runbook, values)
        if planned.value is not None and planned.plan.nothing:
            return show_value(room, planned, where, exit_code=exit_code)
        return show_plan(room, planned.plan, where, exit=planned.exit, exit_code=exit_code)


def _answered(function: _F) -> _F:
    """A command that may ask before it changes something."""
    for flag in reversed(list(FLAGS.values())):
        function = flag(function)
    return function


def perform_runbook(
    settings: Settings,
    runbook: AnyRunbook,
    values: Mapping[str, object],
    *,
    exit_code: bool = False,
    **given: Any,
) -> int:
    """`starover run`: plan, ask what `given` does not answer, apply. Gives the exit code."""
    with Room(settings, settings.parts, lines=True) as room, heading(room):
        planned, where = make_plan(room, runbook, values)
        made = planned.plan
        if planned.value is not None and made.nothing:
            return show_value(room, planned, where, exit_code=exit_code)
        if made.nothing or made.blocked:
            return show_plan(room, made, where, exit=planned.exit, exit_code=False)
        return _ask_and_apply(room, made, where, given)


def make_plan(room: Room, runbook: AnyRunbook, values: Mapping[str, object]) -> tuple[Planned, Where]:
    """Plan it, after everything that can be wrong with the words has been looked at."""
    settings = room.settings
    given = params.understood(runbook, params.typed(runbook, values, settings), room.estate)
    given = with_certifiers(settings.state, runbook, given, room.estate, room.clock.now)
    runbook.bind(given, room.estate)
    with _telling(room) as (teller, local):
        try:
            planned = local.plan(runbook.name, given)
        except BadInventory as error:
            name_exchange_steps(error, runbook, room.content)
            raise
    return planned, read_where(room, _answering(teller), str(planned.plan.parameters.get("dag") or ""))


def _answering(teller: Teller) -> list[str]:
    return [host for host in teller.story.answered if host not in teller.story.silent]


def _ask_and_apply(room: Room, made: Plan, where: Where, given: Mapping[str, Any], named: str = "") -> int:
    """Show the plan, ask what the line (`given`) did not answer, and do it. `named`: how the plan was named."""
    settings = room.settings
    dag = dag_of_plan(room, made)
    now = room.clock.now()
    second = second_for(room, made, given, named)
    show_plan(room, made, where, exit=0, exit_code=False, asking=True, second=second)

    def draw() -> None:
        before = look_before(room, made, dag)
        if before is not None and settings.console.interactive and not settings.json:
            settings.console.result("\n" + map_text(before, settings.console.width))

    approval = None
    if not stale(made, now):
        with refusals_kept(room, "apply", made):
            approval = ask(room, made, given, dag=dag, now=now, second=second, before=draw)
    with _telling(room) as (teller, local):
        teller.story.plan = made
        ran = _with_stop(local, lambda: local.apply(made, approve=lambda _plan: approval))
    with copies_go_out(room):
        return show_ran(
            room,
            ran,
            teller.story,
            after=look_after(room, made, dag, changed=ran.changed),
            acknowledge=bool(given.get("acknowledge_warnings")),
        )


@click.command()
@click.argument("plan_id", metavar="ID|FILE")
@_answered
@common(record=True)
@click.pass_context
def apply(ctx: click.Context, /, plan_id: str, **given: Any) -> int:
    """Exactly what the plan says, if the facts still hold."""
    from starover.calls import ENDING
    from starover.guard import check_applicable

    settings = settings_of(ctx)
    with Room(settings, settings.parts, lines=True) as room, heading(room):
        made = load_plan(settings, plan_id)
        hosts = [
            step.host for step in made.steps if not step.template.endswith(ENDING)
        ]  # calls are about the dead, too
        where = read_where(room, hosts, str(made.parameters.get("dag") or ""))
        if made.nothing or made.blocked:
            with suppress(NotSafe), refusals_kept(room, "apply", made):
                check_applicable(made)
            return show_plan(room, made, where, exit=4 if made.blocked else 0, exit_code=False)
        return _ask_and_apply(room, made, where, given, plan_id)


@click.command()
@click.argument("run_id", metavar="RUN")
@FLAGS["acknowledge_warnings"]
@common(record=True)
@click.pass_context
def resume(ctx: click.Context, run_id: str, acknowledge_warnings: bool) -> int:
    """Go on with a run after a crash, a stop or an unknown: looks first, sends nothing twice."""
    settings = settings_of(ctx)
    with Room(settings, settings.parts, lines=True) as room, heading(room):
        with _telling(room) as (teller, local):
            ran = _with_stop(local, lambda: local.resume(run_id))
        with copies_go_out(room):
            where = read_where(room, _answering(teller))
            dag = str(ran.plan.parameters.get("dag") or "")
            after = look_after(room, ran.plan, dag, changed=ran.changed)
            return show_ran(room, ran, teller.story, where, after=after, acknowledge=acknowledge_warnings)


@click.command()
@click.argument("run_id", metavar="RUN")
@_answered
@common(record=True)
@click.pass_context
def undo(ctx: click.Context, /, run_id: str, **given: Any) -> int:
    """Back to what a run found before it changed it, where that was kept; plans first, like any run."""
    settings = settings_of(ctx)
    with Room(settings, settings.parts, lines=True) as room, heading(room):
        with _telling(room) as (teller, local):
            planned = local.undo(run_id)
        where = read_where(room, _answering(teller))
        made = planned.plan
        if made.nothing or made.blocked:
            return show_plan(room, made, where, exit=planned.exit, exit_code=False)
        return _ask_and_apply(room, made, where, given)


@contextmanager
def _telling(room: Room) -> Generator[tuple[Teller, Local]]:
    from starover_cli.progress import Teller

    settings = room.settings
    teller = Teller(settings.console, simulated=room.estate.lab, json=settings.json and room.lines)
    try:
        with teller:
            yield teller, room.local([teller])
    finally:
        room.silent, room.heard = teller.story.unreachable, _answering(teller)


def _with_stop(local: Local, act: Callable[[], Ran]) -> Ran:
    """Do `act`; Ctrl-C once stops after the steps under way, twice at once, a third time as ever."""
    if threading.current_thread() is not threading.main_thread():
        return act()
    before = signal.getsignal(signal.SIGINT)
    pressed = 0

    def interrupted(_number: int, _frame: Any) -> None:
        nonlocal pressed
        pressed += 1
        local.stop()
        if pressed > 1:
            signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, interrupted)
    try:
        return act()
    finally:
        signal.signal(signal.SIGINT, before)


assert isinstance(plan, RunbookGroup)
assert isinstance(run, RunbookGroup)
plan.act, plan.flags = _plan, {"exit_code": _exit_code}
run.act, run.flags = perform_runbook, {**FLAGS, "exit_code": _exit_code}

COMMANDS = (plan, apply, run, resume, undo)

"""A plan, or a runbook, handed to the workers of an estate: what is asked before, and how it came out."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starover.command_line import word
from starover.errors import BadParameter, NotApproved, NotSafe
from starover_cli import params
from starover_cli.acknowledging import COMMAND
from starover_cli.asking import ask, dag_of_plan, second_for
from starover_cli.look import plain_where
from starover_cli.plan_files import load_plan
from starover_cli.refusing import refusals_kept
from starover_cli.report import heading, show_plan, show_ran
from starover_cli.room import Room, who
from starover_cli.team.following import Lines, follow
from starover_cli.team.line import Line, talk
from starover_cli.views import json as machine
from starover_cli.views.error import exit_line
from starover_cli.views.head import first_line, next_block
from starover_cli.views.runs import report_text

if TYPE_CHECKING:
    from starover.approval import Second
    from starover.drivers.local import Why
    from starover.drivers.temporal import Client, Ended, Handle, Standing, Submission
    from starover.effects import Approval
    from starover.plan import Plan
    from starover.runbook import AnyRunbook
    from starover_cli.settings import Settings

__all__ = ["answer", "approving", "show_ended", "submit_plan", "submit_runbook"]


def submit_plan(settings: Settings, named: str, given: Mapping[str, Any], line: Line) -> int:
    """Have exactly this plan applied by the workers. Gives the exit code."""
    from starover.drivers.temporal import submission
    from starover.guard import check_applicable

    _check_words(given)
    with Room(settings, settings.parts, lines=True) as room, heading(room):
        made = load_plan(settings, named)
        if made.nothing or made.blocked:
            with suppress(NotSafe), refusals_kept(room, "submit", made):
                check_applicable(made)
            return _show(room, made, code=4 if made.blocked else 0)
        with refusals_kept(room, "submit", made):
            approval = answer(room, made, given, named, again=f"starover submit {word(named)}")
            whole = submission(
                room.content, room.estate, _why(room), plan=made, approval=approval, zoned=bool(given.get("by_zone"))
            )
        return _submit(room, line, whole, given)


def submit_runbook(
    settings: Settings, runbook: AnyRunbook, values: Mapping[str, object], given: Mapping[str, Any], line: Line
) -> int:
    """Have the workers plan it, and apply it once somebody has approved. Gives the exit code."""
    from starover.drivers.temporal import submission

    _check_words(given)
    with Room(settings, settings.parts, lines=True) as room, heading(room):
        bound = params.understood(runbook, params.typed(runbook, values, settings), room.estate)
        whole = submission(
            room.content,
            room.estate,
            _why(room),
            runbook=runbook.name,
            parameters=bound,
            zoned=bool(given.get("by_zone")),
        )
        return _submit(room, line, whole, given)


def _why(room: Room) -> Why:
    from starover.drivers.local import Why

    settings = room.settings
    return Why(who=settings.by or who(), ticket=settings.ticket, reason=settings.reason)


def _submit(room: Room, line: Line, whole: Submission, given: Mapping[str, Any]) -> int:
    from starover.drivers.temporal import id_of, submit

    lines = Lines(room.settings, simulated=room.estate.lab)
    submitted: list[Handle] = []

    def asked(now: Standing) -> Approval | None:
        assert now.plan is not None
        with refusals_kept(room, f"approve {id_of(whole)}", now.plan):
            return answer(room, now.plan, given, "", again=approving(id_of(whole)))

    async def act(client: Client) -> tuple[Handle, Ended | None]:
        with refusals_kept(room, "submit", whole.plan, whole.runbook, whole.parameters):
            handle = await submit(client, whole)
        submitted.append(handle)
        _say(room, line, handle, whole, follows=bool(given.get("wait")))
        if not given.get("wait"):
            return handle, None
        return handle, await follow(client, handle, lines, asked)

    try:
        _, ended = talk(room, line, act)
    except KeyboardInterrupt:  # it stops a run on this machine, and here it stops the looking on
        for one in submitted:
            ends = f"starover cancel {word(one.workflow)}   ends it after the step under way"
            room.settings.console.note(f"! the run goes on with the workers:\n  {ends}")
        raise
    if ended is None:
        return 0
    return show_ended(room, ended, lines, acknowledge=bool(given.get("acknowledge_warnings")))


def _say(room: Room, line: Line, handle: Handle, whole: Submission, *, follows: bool) -> None:
    console = room.settings.console
    following = [
        ("starover runs --engine temporal", "where it is"),
        (f"starover cancel {word(handle.workflow)}", "ends it after the step under way"),
    ]
    if whole.approval is None:
        following.insert(0, (approving(handle.workflow), "when it waits with a plan"))
    if room.settings.json:
        data = {"submitted": handle.workflow, "execution": handle.execution, "runbook": whole.runbook,
                "sealed": line.sealed, "next": [command for command, _ in following]}  # fmt: skip
        console.raw(machine.line(data))
        return
    if not room.headed:
        where = plain_where(room.estate, room.dag_of(), room.clock.now())
        console.result(first_line(where, console.width))
        room.headed = True
    text = f"submitted   {handle.workflow}   {whole.runbook}, to the workers of {whole.estate.name}"
    said = "            what lies at the server is not encrypted (STAROVER_TEMPORAL_CODEC_KEY)"
    sealed = [] if line.sealed else [said]
    if follows:
        console.note("\n".join([text, *sealed]))
    else:
        console.result("\n".join([text, *sealed, "", next_block(following)]))


def approving(workflow: str) -> str:
    """What is typed to approve the plan with which a run waits at the server."""
    return f"starover approve {word(workflow)} --engine temporal"


def answer(room: Room, made: Plan, given: Mapping[str, Any], named: str, *, again: str = "") -> Approval | None:
    """Show a plan and ask what the line did not answer, as `apply` does; `again`: what is typed to answer there.

    None: what it still lacks is somebody else's approval, and the run waits for that. Raises `Refused` for whatever
    else stands in the way, and what `consent` raises.
    """
    from starover.guard import check_approval

    now = room.clock.now()
    second = second_for(room, made, given, named)
    _show(room, made, code=0, asking=True, second=second)
    approval = ask(room, made, given, dag=dag_of_plan(room, made), now=now, second=second, again=again)
    try:
        check_approval(made, approval, now)
        if approval is not None:
            room.house.check(made, approval, now)
    except NotApproved as error:
        if approval is None or not _waits(room, made, approval, now):
            raise
        room.settings.console.note(f"! {error.what}: it is submitted, and waits for that")
        return None
    return approval


def _waits(room: Room, made: Plan, approval: Approval, now: datetime) -> bool:
    """Whether it lacks somebody else's approval, and nothing else."""
    from starover.guard import needs_second

    if approval.second is not None or approval.break_glass:
        return False  # somebody else's word is there, and does not count
    decision = room.house.foresee(made, approval.by, now, ticket=approval.ticket)
    if decision is not None:
        return decision.verdict == "needs approval"
    return needs_second(made.risk) and bool(approval.ticket)


def _show(room: Room, made: Plan, *, code: int, asking: bool = False, second: Second | None = None) -> int:
    where = plain_where(room.estate, room.dag_of(step.host for step in made.steps), room.clock.now())
    return show_plan(room, made, where, exit=code, exit_code=False, asking=asking, second=second)


def _check_words(given: Mapping[str, Any]) -> None:
    """Raises `BadParameter`."""
    if given.get("acknowledge_warnings") and not given.get("wait"):
        raise BadParameter(
            "--acknowledge-warnings is about the end of the run, which nobody waits for",
            certain=("nothing was contacted",),
            next=("--wait --acknowledge-warnings", "starover attest warnings RUN   afterwards, with the workers"),
        )


def show_ended(room: Room, ended: Ended, lines: Lines, *, acknowledge: bool = False) -> int:
    """How it came out, as a run on this machine is shown. Gives its exit code; raises what ended its planning.

    `acknowledge`: its warnings are, where its journal lies here.
    """
    from starover.drivers.local import Ran

    settings, console = room.settings, room.settings.console
    error = ended.fault.raised() if ended.fault is not None else None
    if ended.state == "looked" or ended.state == "planned" or ended.plan is None:
        if error is not None:
            raise error
        room.headed = True
        value = machine.raw(bytes(ended.value))
        if settings.json:
            console.raw(machine.line({"result": ended.state, "run": ended.run, "value": value, "exit": ended.exit}))
        else:
            console.result(report_text(bytes(ended.value), console.width) or f"{ended.state}   run {ended.run}")
        if ended.exit:
            console.note(exit_line(ended.exit))
        return ended.exit
    ran = Ran(
        run=ended.run,
        plan=ended.plan,
        state=ended.state,
        exit=ended.exit,
        steps=ended.steps,
        changed=ended.changed,
        error=error,
        under_way=ended.under_way,
        resumable=ended.resumable,
        value=None,
        journal=Path(ended.journal),
        unsigned=ended.unsigned,
    )
    code = show_ran(room, ran, lines.story(ended.run), acknowledge=acknowledge)
    from starover.journal import path_of

    if not path_of(settings.state, ended.run).exists():
        there = f"The journal lies with the workers ({ended.journal})"
        if not settings.json:
            console.note(f"{there}: resume, undo and report are typed there.")
        if acknowledge:
            console.note(f"! no warning was acknowledged. {there}; there: {COMMAND} {ended.run}")
    return code

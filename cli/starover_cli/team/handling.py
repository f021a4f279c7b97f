"""Runs that a Temporal server has: which one is meant, its approval, its end, the list of all. Performs nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starover.command_line import word
from starover.errors import BadParameter, NotApproved, StaroverError
from starover_cli.prompt import NotConfirmed
from starover_cli.refusing import refusals_kept
from starover_cli.room import Room, who
from starover_cli.team.line import Line, talk
from starover_cli.team.submitting import answer, approving
from starover_cli.views import json as machine
from starover_cli.views.head import next_block

if TYPE_CHECKING:
    from starover.drivers.temporal import Client, Ended, Listed, Standing
    from starover.plan import Plan
    from starover_cli.settings import Settings
    from starover_cli.views.runs import RunSummary

__all__ = ["approve_run", "at_the_same_time", "end_run", "found_in", "listed"]


def found_in(runs: Sequence[Listed], named: str) -> Listed:
    """The run under way that is meant: by its id at the server, its DAG, or its plan. Raises `BadParameter`."""
    going = [one for one in runs if one.state == "running"]
    wanted = named.casefold()
    exact = [one for one in going if wanted in (one.workflow.casefold(), one.dag.casefold(), one.execution)]
    near = [one for one in going if len(wanted) >= 4 and one.plan and wanted.startswith(one.plan[: len(wanted)])]
    found = exact or near
    if len(found) == 1:
        return found[0]
    there = ", ".join(one.workflow for one in going) or "none"
    raise BadParameter(
        f"{named} means {len(found)} runs under way" if found else f"there is no run {named} under way",
        certain=(f"under way: {there}", "nothing was sent"),
        next=("starover runs --engine temporal",),
    )


RESULTS = 20
"""Of so many of the latest runs that are over it is asked how they ended."""


def listed(room: Room, line: Line) -> list[tuple[Listed, Standing | Ended | None]]:
    """Every run of this estate that the server knows, newest first; where those under way are, how the others ended.

    None: no worker answers for it, or it was ended from outside.
    """
    from starover.drivers.temporal import Handle, ended, list_runs, standing

    async def act(client: Client) -> list[tuple[Listed, Standing | Ended | None]]:
        import asyncio

        async def about(at: int, one: Listed) -> Standing | Ended | None:
            handle = Handle(workflow=one.workflow, execution=one.execution)
            try:
                if one.state == "running":
                    now = await standing(client, handle)
                    if now.state != "ended":  # else the server's list is a little behind
                        return now
                    return await ended(client, handle)
                return await ended(client, handle) if one.state == "completed" and at < RESULTS else None
            except StaroverError:
                return None

        runs = await list_runs(client, estate=room.estate.name)
        known = await asyncio.gather(*(about(at, one) for at, one in enumerate(runs)))
        return list(zip(runs, known, strict=True))

    return talk(room, line, act)


def approve_run(settings: Settings, named: str, given: Mapping[str, Any], line: Line) -> int:
    """Approve the plan with which a run waits: as the one who asked for it, or as the second person. Gives 0."""
    from starover.drivers.temporal import Handle, approve, list_runs, standing
    from starover.guard import same_person

    with Room(settings, settings.parts, lines=True) as room:

        async def act(client: Client) -> tuple[Plan, str]:
            one = found_in(await list_runs(client, estate=room.estate.name), named)
            handle = Handle(workflow=one.workflow, execution=one.execution)
            now = await standing(client, handle)
            if now.state != "waits for approval" or now.plan is None:
                raise BadParameter(
                    f"{one.workflow} waits for no approval: it is {now.state}", certain=("nothing was sent",)
                )
            name = str(given.get("name") or "") or who()
            with refusals_kept(room, f"approve {one.workflow}", now.plan):
                if same_person(name, one.who):
                    approval = answer(room, now.plan, given, "", again=approving(one.workflow))
                else:
                    approval = _second(room, now.plan, one, name, given)
                if approval is None:
                    raise NotApproved(f"plan {now.plan.id} still needs a second person", certain=("the run waits on",))
                await approve(client, handle, approval)
            return now.plan, name

        plan, name = talk(room, line, act)
    if settings.json:
        settings.console.raw(machine.line({"approved": plan.digest, "plan": plan.id, "by": name, "exit": 0}))
    else:
        settings.console.result(f"approved   plan {plan.id} by {name}: the run goes on")
        settings.console.result("\n" + next_block([("starover runs --engine temporal", "where it is")]))
    return 0


def _second(room: Room, plan: Plan, run: Listed, name: str, given: Mapping[str, Any]) -> Any:
    """As somebody else: signed where a key is given. The run stays that of whoever submitted it."""
    from starover.approval_signature import agreed, signed
    from starover.effects import Approval
    from starover.loss import ACCEPTED, bounds
    from starover.loss import agreed as agreed_losses
    from starover_cli.cmd_approve import agree
    from starover_cli.views.approval import approval_text

    settings = room.settings
    key = str(given.get("key") or "")
    if not settings.json:
        settings.console.result(approval_text(plan, settings.console.width))
    again = f"{approving(run.workflow)} --as {word(name)}"
    again += f" --key {word(key)}" if key else ""
    losses, accept = bounds(plan), tuple(given.get("accept_data_loss") or ())
    taken = agreed_losses(losses, accept) if accept else ()
    if losses and not accept and not plan.parameters.get(ACCEPTED):  # whoever submitted it had not seen them
        lost = ",".join(str(one) for one in losses.values())
        raise NotConfirmed(
            "nobody has accepted the loss that this plan may bring.",
            certain=["nothing was approved.", "the run waits on."],
            next=[f"{again} --accept-data-loss {word(lost)}"],
        )
    agree(settings, plan, name, again)
    now = room.clock.now()
    second = agreed(plan, name, now)
    return Approval(
        by=run.who,
        digest=plan.digest,
        how="digest",
        at=now,
        ticket=settings.ticket or run.ticket,
        second=signed(second, Path(key)) if key else second,
        accepted=tuple(str(loss) for loss in taken),
    )


def end_run(settings: Settings, named: str, line: Line, *, now: bool) -> int:
    """End a run, or decline what it waits with. Gives 0."""
    from starover.drivers.temporal import Handle, decline, list_runs, standing, stop

    with Room(settings, settings.parts) as room:

        async def act(client: Client) -> tuple[Listed, str, tuple[str, ...]]:
            one = found_in(await list_runs(client, estate=room.estate.name), named)
            handle = Handle(workflow=one.workflow, execution=one.execution)
            there = await standing(client, handle)
            if there.state == "waits for approval":
                reason = settings.reason or "no reason was given"
                await decline(client, handle, by=settings.by or who(), reason=reason)
                return one, "declined", ()
            return one, "stopping", await stop(client, handle, now=now)

        one, what, under_way = talk(room, line, act)
    at = datetime.now(UTC)
    if settings.json:
        said = {"run": one.workflow, "state": what, "under_way": under_way, "at": at, "exit": 0}
        settings.console.raw(machine.line(said))
    else:
        tail = f"; under way: {', '.join(under_way)}" if under_way else ""
        settings.console.result(f"{what}   {one.workflow}   {one.runbook} of {one.who}{tail}")
    return 0


def at_the_same_time(room: Room, line: Line, came: Sequence[RunSummary]) -> list[str]:
    """Runs that the server had at a DAG while one of these, which came from another machine, was at it. In words.

    Those whose journals are here are left out: they are known without the server.
    """
    from starover.journal import path_of

    changing = [one for one in came if one.plan is not None and one.plan.changes and not one.lab]
    if not changing:
        return []
    from starover.drivers.temporal import Handle, ended, list_runs

    async def act(client: Client) -> list[str]:
        found: list[str] = []
        for run in await list_runs(client, estate=room.estate.name):
            beside = [one for one in changing if _beside(one, run)]
            if beside and run.state == "completed":
                with suppress(StaroverError):
                    over = await ended(client, Handle(workflow=run.workflow, execution=run.execution))
                    if over.run and path_of(room.settings.state, over.run).exists():
                        continue
            for one in beside:
                since = f"{max(one.begun, run.began):%d %b %H:%M} UTC"
                what = f"{run.workflow} of the Temporal server ({run.runbook} of {run.who}, {run.state})"
                found.append(f"{one.run} and {what} were at {run.dag} at the same time, from {since} on")
        return found

    return talk(room, line, act)


def _beside(one: RunSummary, run: Listed) -> bool:
    same = str(one.parameters.get("dag") or "").casefold() == run.dag.casefold()
    return one.estate == run.estate and same and run.began <= one.last and (run.ended or one.last) >= one.begun

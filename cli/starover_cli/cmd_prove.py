"""`plans` and `runs`: what was planned and done; contacts nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from starover.errors import BadParameter
from starover_cli.experimental import remark_of_run
from starover_cli.history import summaries
from starover_cli.plan_files import load_plan, write_file
from starover_cli.report import show_plan
from starover_cli.room import Room
from starover_cli.settings import Settings, common, settings_of
from starover_cli.since import since as read_since
from starover_cli.team.line import ENGINES, Line, engine, need_temporal
from starover_cli.views import json as machine
from starover_cli.views.head import Where

if TYPE_CHECKING:
    from starover.plan import Plan, PlannedStep

__all__ = ["COMMANDS"]


@click.group(invoke_without_command=True)
@common()
@click.pass_context
def plans(ctx: click.Context) -> int:
    """What was planned: list, show ID."""
    return _list_plans(settings_of(ctx)) if ctx.invoked_subcommand is None else 0


@plans.command("list")
@common()
@click.pass_context
def plans_list(ctx: click.Context) -> int:
    """Every plan that is kept here, the newest first."""
    return _list_plans(settings_of(ctx))


def _list_plans(settings: Settings) -> int:
    from starover.journal import run_ids
    from starover.plan import read_plan
    from starover_cli.views.plan import plans_text

    runs = run_ids(settings.state)
    found: list[tuple[Plan, int]] = []
    for file in sorted((settings.state / "plans").glob("*.json")):
        try:
            plan = read_plan(file.read_bytes())
        except (BadParameter, OSError):
            settings.console.note(f"! {file.as_posix()} is no plan, or was changed after it was made")
            continue
        found.append((plan, sum(run.startswith(f"{plan.id}.") for run in runs)))
    found.sort(key=lambda pair: pair[0].made, reverse=True)
    if settings.json:
        settings.console.raw(
            machine.document(
                [
                    {
                        "id": plan.id,
                        "runbook": plan.runbook,
                        "made": plan.made,
                        "changes": len(plan.changes),
                        "runs": count,
                    }
                    for plan, count in found
                ]
            )
        )
    elif found:
        settings.console.result(plans_text(found, settings.console.width))
    else:
        settings.console.result("Nothing was planned here yet.")
    return 0


@plans.command("show")
@click.argument("plan_id", metavar="ID|FILE")
@click.option("--step", "number", metavar="N", type=int, default=None, help="Only this step.")
@click.option("--script", is_flag=True, help="The script that would be sent.")
@click.option("--full", is_flag=True, help="With prologue and epilogue, which are the same in every script.")
@click.option("--to", metavar="FILE", default="", help="Write the plan there, for a second person on another machine.")
@common()
@click.pass_context
def plans_show(ctx: click.Context, plan_id: str, number: int | None, script: bool, full: bool, to: str) -> int:
    """A plan that was made, and the scripts it would send; contacts nothing."""
    settings = settings_of(ctx)
    plan = load_plan(settings, plan_id)
    if to:
        return _export(settings, plan, Path(to))
    steps = [step for step in plan.steps if number is None or step.number == number]
    if number is not None and not steps:
        raise BadParameter(
            f"plan {plan.id} has no step {number}", next=[f"it has steps 1 to {len(plan.steps)}" if plan.steps else ""]
        )
    with Room(settings, settings.parts) as room:
        if script or full:
            return _show_scripts(room, plan, steps, full=full)
        if number is not None:
            plan = _only(plan, steps)
        where = Where(lab=plan.lab, estate=plan.estate, dag=str(plan.parameters.get("dag") or ""), at=plan.made)
        return show_plan(room, plan, where, exit=0, exit_code=False)


def _export(settings: Settings, plan: Plan, file: Path) -> int:
    """Write a plan to a file, from which `approve` and `apply` take it."""
    from starover.plan import write_plan
    from starover_cli.views.head import next_block

    write_file(file, write_plan(plan))
    if settings.json:
        settings.console.raw(machine.document({"plan": plan.digest, "file": file.as_posix()}))
    else:
        line = f"plan  {plan.id}  written to {file.as_posix()}; it holds scripts and names, no secret"
        following = next_block([(f"starover approve {file.as_posix()}", "a second person runs this, on any machine")])
        settings.console.result(f"{line}\n\n{following}")
    return 0


def _only(plan: Plan, steps: list[PlannedStep]) -> Plan:
    import msgspec

    return msgspec.structs.replace(plan, steps=tuple(steps))


def _show_scripts(room: Room, plan: Plan, steps: list[PlannedStep], *, full: bool) -> int:
    from starover.envelope import write
    from starover.render import make_body
    from starover_cli.views.plan import step_script

    settings = room.settings
    sent = [step for step in steps if step.script]
    if not sent:
        raise BadParameter("nothing would be sent for this: it is right already, or blocked.")
    shown: list[tuple[PlannedStep, str, int]] = []
    for step in sent:
        server = room.estate.server(step.host)
        # Run, operation and nonce come when it is applied; zeros stand for them here.
        whole = write(server, make_body(step.template, step.script), _NO_OPERATION, "0" * 16).text
        hidden = len(whole.splitlines()) - len(step.script.splitlines())
        shown.append((step, whole if full else step.script, 0 if full else hidden))
    if settings.json:
        scripts = [
            {"step": step.number, "host": step.host, "template": step.template, "sha256": step.sha256, "script": text}
            for step, text, _ in shown
        ]
        settings.console.raw(machine.document({"plan": plan.digest, "scripts": scripts}))
    else:
        settings.console.result("\n\n".join(step_script(plan, step, text, hidden) for step, text, hidden in shown))
    return 0


_NO_OPERATION = "00000000-0000-0000-0000-000000000000"


@click.group(invoke_without_command=True)
@click.option("--since", metavar="WHEN", default="", help="friday, yesterday, 2h, 7d, 2026-11-20")
@click.option("--all", "everything", is_flag=True, help="Also the plannings.")
@engine
@common()
@click.pass_context
def runs(ctx: click.Context, /, since: str, everything: bool, **given: Any) -> int:
    """What was done: list, show RUN."""
    return _list_runs(settings_of(ctx), since, everything, **given) if ctx.invoked_subcommand is None else 0


@runs.command("list")
@click.option("--since", metavar="WHEN", default="", help="friday, yesterday, 2h, 7d, 2026-11-20")
@click.option("--all", "everything", is_flag=True, help="Also the plannings.")
@engine
@common()
@click.pass_context
def runs_list(ctx: click.Context, /, since: str, everything: bool, **given: Any) -> int:
    """Every run that is kept here, the latest last."""
    return _list_runs(settings_of(ctx), since, everything, **given)


def _list_runs(settings: Settings, since: str, everything: bool, engine: str, line: Line) -> int:
    """The journals here, and beside them what a server knows, where that was asked for."""
    if engine == ENGINES[0]:
        return _list_journals(settings, since, everything, None)
    need_temporal()
    from starover_cli.team.handling import listed
    from starover_cli.views.team import listed_data, listed_text

    with Room(settings, settings.parts) as room:
        known = listed(room, line)
    if not settings.json:
        settings.console.result(f"{listed_text(known, line.address, settings.console.width)}\n\njournals here:")
    return _list_journals(settings, since, everything, [listed_data(one, now) for one, now in known])


def _list_journals(
    settings: Settings, since: str, everything: bool, beside: Sequence[Mapping[str, object]] | None
) -> int:
    from starover_cli.views.runs import run_data, runs_text

    found, broken = summaries(settings.state)
    shown = [one for one in found if everything or not one.planning]
    if since:
        lab = bool(found) and all(one.lab for one in found)
        now = max(one.last for one in found) if lab else datetime.now(UTC).astimezone()
        start = read_since(since, now)
        shown = [one for one in shown if one.begun >= start]
    if settings.json:
        server = {"temporal": beside} if beside is not None else {}
        settings.console.raw(machine.document({"runs": [run_data(one) for one in shown], "broken": broken, **server}))
    else:
        settings.console.result(runs_text(shown, broken, settings.console.width))
    return 0


@runs.command("show")
@click.argument("run_id", metavar="RUN")
@click.option("--scripts", is_flag=True, help="Every script as it was sent.")
@common()
@click.pass_context
def runs_show(ctx: click.Context, run_id: str, scripts: bool) -> int:
    """One run: every step, when, by whom, why, and what to type next; contacts nothing."""
    from starover.journal import at_work, read_journal, resolve, run_ids
    from starover.journal_heads import head_words
    from starover_cli.views.runs import run_data, run_text, scripts_text, summary_of

    settings = settings_of(ctx)
    run = resolve(run_id, run_ids(settings.state), "run")
    one = summary_of(run, read_journal(settings.state, run), at_work=at_work(settings.state, run))
    if one is None:
        raise BadParameter(f"the journal of {run} has no first line", next=["starover audit verify"])
    rough = remark_of_run(settings, one.plan)
    if settings.json:
        data = run_data(one, rough)
        if scripts:
            data["scripts"] = list(one.scripts)
        if one.report is not None:
            data["report"] = machine.raw(one.report)
        settings.console.raw(machine.document(data))
    elif scripts:
        settings.console.result(scripts_text(one))
    else:
        where = Where(lab=one.lab, estate=one.estate, dag=str(one.parameters.get("dag") or ""), at=one.last)
        head = head_words(settings.state, run)
        settings.console.result(run_text(one, where, settings.console.width, head, rough))
    return 0


COMMANDS = (plans, runs)

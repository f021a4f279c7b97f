"""`report`: the story of a run as text, or as one HTML page; reads what is kept here, contacts nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from starover.errors import BadParameter, Mistake
from starover_cli.experimental import remark_of_run
from starover_cli.look import dag_map
from starover_cli.plan_files import write_file
from starover_cli.settings import Settings, common, settings_of
from starover_cli.views import json as machine
from starover_cli.views.head import Where

if TYPE_CHECKING:
    from starover_cli.run_report import RunReport
    from starover_cli.views.dag_map import DagMap

__all__ = ["COMMANDS"]


@click.command()
@click.argument("run_id", metavar="RUN")
@click.option("--html", "file", metavar="FILE", default="", help="Write one page that needs nothing else.")
@common()
@click.pass_context
def report(ctx: click.Context, run_id: str, file: str) -> int:
    """The story of a run: who agreed, what was decided and why, every step, what was lost; contacts nothing."""
    from starover.journal import resolve, run_ids
    from starover_cli.run_report import gather

    settings = settings_of(ctx)
    run = resolve(run_id, run_ids(settings.state), "run")
    told = gather(settings.state, run)
    if file:
        return _write(settings, told, Path(file))
    if settings.json:
        from starover_cli.views.runs import run_data

        more = {"timeline": told.timeline, "down": told.down, "back": told.back, "cost": told.cost}
        data = run_data(told.one, remark_of_run(settings, told.one.plan)) | more
        settings.console.raw(machine.document(data))
    else:
        settings.console.result(_text(settings, told))
    return 0


def _write(settings: Settings, told: RunReport, file: Path) -> int:
    from starover_cli.views.report_page import report_page

    write_file(file, report_page(told, _maps(settings, told), remark_of_run(settings, told.one.plan)).encode("ascii"))
    if settings.json:
        settings.console.raw(machine.document({"run": told.one.run, "file": file.as_posix()}))
    else:
        settings.console.result(f"report of run {told.one.run} written to {file.as_posix()}; it needs nothing else")
    return 0


def _maps(settings: Settings, told: RunReport) -> list[tuple[str, DagMap]]:
    """The looks around the run as maps; zones are the inventory's, so without one there is no map."""
    if not told.looks:
        return []
    try:
        estate, _ = settings.parts.estate(settings)
    except Mistake:
        settings.console.note("no inventory: the page has no map")
        return []
    found: list[tuple[str, DagMap]] = []
    for look in told.looks:
        title = "before" if look.at <= told.one.begun else "after"
        try:
            found.append((title, dag_map(look.facts, estate, estate.dag(look.facts.name), look.at)))
        except BadParameter:
            settings.console.note(f"the inventory has no DAG {look.facts.name}: no map of it")
    return found


def _text(settings: Settings, told: RunReport) -> str:
    from starover_cli.views.report_page import outage_pairs, timeline_lines
    from starover_cli.views.runs import run_text
    from starover_cli.views.text import label_block, table, wrap

    width = settings.console.width
    one = told.one
    where = Where(lab=one.lab, estate=one.estate, dag=told.dag, at=one.last)
    lines = [part for line in table(timeline_lines(told), indent=2) for part in wrap(line, width, " " * 14)]
    mail = label_block(outage_pairs(told), width)
    first, _, rest = run_text(one, where, width, certificate=remark_of_run(settings, one.plan)).partition("\n\n")
    parts = ["\n".join(["mail", *mail]) if mail else "", "\n".join(["timeline", *lines])]
    return "\n\n".join([first, *(part for part in parts if part), rest])


COMMANDS = (report,)

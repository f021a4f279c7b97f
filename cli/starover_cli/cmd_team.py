"""`submit`, `worker`, `cancel`: runs by way of a Temporal server, for a team; loads its client when one is typed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from starover_cli.cmd_do import FLAGS as ANSWERS
from starover_cli.room import Room
from starover_cli.runbook_group import RunbookGroup
from starover_cli.settings import Settings, common, settings_of
from starover_cli.team.line import FLAGS as LINE
from starover_cli.team.line import Line, connected, line_of, need_temporal

if TYPE_CHECKING:
    from starover.runbook import AnyRunbook

__all__ = ["COMMANDS"]

_PLAN = re.compile(r"[0-9a-f]{4,64}|.*[./\\].*")
_OWN: Mapping[str, Callable[[Any], Any]] = {
    "wait": click.option("--wait", is_flag=True, help="Follow it to its end, as `apply` does, with its exit code."),
    "by_zone": click.option(
        "--by-zone",
        is_flag=True,
        help="Scripts go to the workers of each host's Availability Zone (starover worker --zone).",
    ),
}


class SubmitGroup(RunbookGroup):
    """The runbooks, and any plan by its id or file."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A plan where the word is an id or names a file, else the runbook."""
        if not _PLAN.fullmatch(cmd_name):
            return super().get_command(ctx, cmd_name)

        @click.pass_context
        def callback(ctx: click.Context, /, **given: Any) -> int:
            need_temporal()
            from starover_cli.team.submitting import submit_plan

            line = line_of(given)
            return submit_plan(settings_of(ctx), cmd_name, given, line)

        command = click.Command(cmd_name, callback=callback, help="Exactly this plan, if the facts still hold.")
        for flag in self.flags.values():
            command = flag(command)
        return common(record=True)(command)


@click.group(cls=SubmitGroup, subcommand_metavar="PLAN|RUNBOOK [OPTIONS]")
@common(record=True)
def submit() -> None:
    """A plan, or a runbook, done by the team's workers: one run of a DAG at a time (exit 75 for a second)."""


def _submit(settings: Settings, runbook: AnyRunbook, values: Mapping[str, object], **given: Any) -> int:
    need_temporal()
    from starover_cli.team.submitting import submit_runbook

    line = line_of(given)
    return submit_runbook(settings, runbook, values, given, line)


@click.command()
@click.option(
    "--zone",
    "zones",
    metavar="AZ",
    multiple=True,
    help="Take the scripts for hosts of this Availability Zone or site, too; may be repeated.",
)
@click.option("--only-scripts", is_flag=True, help="Take no runs: only the scripts of --zone.")
@click.option("--jobs", "named", metavar="DIR", default="", help="Where the job files are, for those who are told.")
@connected
@common()
@click.pass_context
def worker(ctx: click.Context, zones: tuple[str, ...], only_scripts: bool, named: str, line: Line) -> int:
    """Work for the team's Temporal server: takes runs of this inventory's estate, until SIGTERM or Ctrl-C.

    Workers of one estate share the folder of plans and journals (--dir).
    """
    from starover.errors import BadParameter, StaroverError
    from starover_cli.job_files import folder_of

    need_temporal()
    if only_scripts and not zones:
        raise BadParameter("--only-scripts needs --zone AZ: whose scripts?", certain=("nothing was contacted",))
    from starover_cli.team.working import work

    settings = settings_of(ctx)
    with Room(settings, settings.parts) as room:
        try:
            jobs = folder_of(room, named)
        except StaroverError:
            if named:
                raise
            jobs = None
    return work(settings, line, zones, runs=not only_scripts, jobs=jobs)


@click.command()
@click.argument("run_id", metavar="RUN|DAG")
@click.option("--now", is_flag=True, help="At once, whatever is under way.")
@connected
@common(record=True)
@click.pass_context
def cancel(ctx: click.Context, run_id: str, now: bool, line: Line) -> int:
    """End a run that workers have, after the step under way; one that waits for approval is declined.

    What Ctrl-C does to a run on this machine. --now is Ctrl-C twice.
    """
    need_temporal()
    from starover_cli.team.handling import end_run

    return end_run(settings_of(ctx), run_id, line, now=now)


assert isinstance(submit, SubmitGroup)
submit.act, submit.flags = _submit, {**_OWN, **ANSWERS, **LINE}

COMMANDS = (submit, worker, cancel)

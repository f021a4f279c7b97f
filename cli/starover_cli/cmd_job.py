"""`job`: runbooks from a schedule; what is due, whether the files are right, and the unattended run of one."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from starover.errors import BadParameter, StaroverError
from starover_cli.room import Room
from starover_cli.settings import Settings, common, settings_of
from starover_cli.team.line import Line, connected, need_temporal
from starover_cli.views import json as machine

if TYPE_CHECKING:
    from starover.jobs import Job

__all__ = ["COMMANDS"]

_jobs = click.option(
    "--jobs", "named", metavar="DIR", default="", help="Where the files are; default: jobs/ here or by the inventory."
)


@click.group()
@common()
def job() -> None:
    """Runbooks from a schedule: list, check, run, install."""


@job.command("list")
@_jobs
@common()
@click.pass_context
def job_list(ctx: click.Context, named: str) -> int:
    """Every job: when it is due, how it went, what was missed."""
    from starover_cli.job_files import folder_of, load_all
    from starover_cli.job_running import row_of
    from starover_cli.views.jobs import jobs_text

    settings = settings_of(ctx)
    with Room(settings, settings.parts) as room:
        jobs, broken = load_all(folder_of(room, named))
        now = room.clock.now()
        rows = [row_of(settings.state, one, now) for one in jobs]
    if settings.json:
        data = [{"job": one.job.name, "runbook": one.job.runbook, "schedule": one.job.schedule,
                 "timezone": one.job.zone.key, "next": one.following, "last": one.last, "missed": one.missed}
                for one in rows]  # fmt: skip
        settings.console.raw(machine.document({"jobs": data, "broken": [one.what for one in broken]}))
    else:
        settings.console.result(jobs_text(rows, [one.what for one in broken], settings.console.width))
    return 2 if broken else 0


@job.command("check")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@_jobs
@common()
@click.pass_context
def job_check(ctx: click.Context, names: tuple[str, ...], named: str) -> int:
    """Whether the files are right: runbook, parameters, schedule, window, who is told. Contacts nothing."""
    from starover.jobs import COMMAND
    from starover_cli.cmd_drill import check_drill
    from starover_cli.job_files import bound, folder_of, load_all, load_job, remarks

    settings = settings_of(ctx)
    console = settings.console
    with Room(settings, settings.parts) as room:
        folder = folder_of(room, named)
        if names:
            jobs, broken = [load_job(folder, name) for name in names], list[StaroverError]()
        else:
            jobs, broken = load_all(folder)
        for one in jobs:
            try:
                own = replace_room(room, settings, one)
                if one.runbook == COMMAND:
                    check_drill(own, one.parameters)
                else:
                    bound(own, one)
            except StaroverError as error:
                broken.append(BadParameter(f"{folder / one.name}.yaml: {error.what}", certain=error.certain))
                continue
            said = remarks(room, one)
            console.result(f"  ok  {one.name}   {one.runbook}   {one.schedule} {one.zone.key}")
            for line in said:
                console.result(f"      {line}")
    for wrong in broken:
        console.result(f"  !   {wrong.what}" + "".join(f"\n      {line}" for line in wrong.certain))
    return 2 if broken else 0


@job.command("run")
@click.argument("name")
@click.option("--now", "by_hand", is_flag=True, help="At once, whatever the schedule says; the window still counts.")
@_jobs
@common()
@click.pass_context
def job_run(ctx: click.Context, name: str, by_hand: bool, named: str) -> int:
    """Run a job for its time, unattended: JSON lines, exit 75 when it is not the time or the DAG is busy."""
    from starover_cli.job_files import folder_of, load_job
    from starover_cli.job_running import perform

    settings = settings_of(ctx)
    if not settings.console.draws:
        settings.format = "json"
    with Room(settings, settings.parts) as room:
        found = load_job(folder_of(room, named), name)
        now = room.clock.now()
    return perform(settings, found, now, by_hand=by_hand)


@job.command("install")
@click.argument("name", default="")
@click.option("--systemd", "how", flag_value="systemd", default="systemd", help="Two units (default).")
@click.option("--cron", "how", flag_value="cron", help="Lines for crontab -e.")
@click.option(
    "--temporal",
    "how",
    flag_value="temporal",
    help="Schedules of a Temporal server: of every job where none is named, and then those of no job are removed.",
)
@click.option("--by-zone", is_flag=True, help="With --temporal: scripts go to the workers of each Availability Zone.")
@click.option("--into", metavar="DIR", default="", help="Write the units here, such as /etc/systemd/system.")
@_jobs
@connected
@common()
@click.pass_context
def job_install(ctx: click.Context, name: str, how: str, into: str, named: str, by_zone: bool, line: Line) -> int:
    """What the machine's own scheduler needs for a job, printed or written; or a team's server keeps the jobs."""
    from starover_cli.job_files import folder_of, load_job
    from starover_cli.job_units import cron_text, systemd_text

    settings = settings_of(ctx)
    console = settings.console
    if how == "temporal":
        need_temporal()
        from starover_cli.team.scheduling import install

        return install(settings, line, name, named, by_zone=by_zone)
    if not name:
        raise BadParameter("which job? starover job install NAME", next=("starover job list",))
    with Room(settings, settings.parts) as room:
        folder = folder_of(room, named)
        found = load_job(folder, name)
        command = _command(settings, room.file, folder, name)
    if how == "cron":
        console.result(cron_text(found, command))
        return 0
    units = systemd_text(found, command, str(Path.cwd()))
    for unit, text in units:
        if into:
            _write(Path(into) / unit, text + "\n")
        else:
            console.result(f"# {unit}\n{text}\n")
    if into:
        console.note(f"written: {', '.join(str(Path(into) / unit) for unit, _ in units)}")
        console.note(f"next:\n  systemctl daemon-reload\n  systemctl enable --now {units[1][0]}")
    return 0


def _write(unit: Path, text: str) -> None:
    """Raises `BadParameter`. The folder is the scheduler's, so none is made."""
    try:
        unit.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadParameter(
            f"--into {unit.parent}: {unit.name} cannot be written: {error.strerror or error}",
            next=(f"starover job install {unit.stem.removeprefix('starover-')} --systemd   prints it",),
        ) from None


def replace_room(room: Room, settings: Settings, one: Job) -> Room:
    """The same room for a job that names its DAG, ticket or reason."""
    own = replace(settings, dag=one.dag or settings.dag, ticket=one.ticket, reason=one.reason)
    return Room(own, own.parts, given=(room.estate, room.file))


def _command(settings: Settings, inventory: Path, folder: Path, name: str) -> list[str]:
    """What is typed, with whole paths: a scheduler starts it anywhere."""
    command = [sys.executable, "-m", "starover_cli", "--inventory", str(inventory.resolve())]
    if settings.home:
        command += ["--home", str(Path(settings.home).resolve())]
    for option in ("dag", "transport"):
        if value := getattr(settings, option):
            command += [f"--{option}", value]
    command += ["--dir", str(settings.state.resolve())]
    return [*command, "job", "run", name, "--jobs", str(folder.resolve())]


COMMANDS = (job,)

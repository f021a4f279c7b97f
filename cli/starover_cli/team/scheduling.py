"""The job files of a folder as schedules of a Temporal server: all of them, and no others of this estate."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from starover.errors import BadInventory, StaroverError
from starover.jobs import COMMAND
from starover_cli import params
from starover_cli.job_files import bound, folder_of, lacks_certificate, load_all, load_job
from starover_cli.room import Room
from starover_cli.team.line import Line, talk
from starover_cli.views import json as machine
from starover_cli.views.head import next_block
from starover_cli.views.team import placed_text

if TYPE_CHECKING:
    from starover.drivers.temporal import Client, Submission
    from starover.drivers.temporal.schedules import Placed
    from starover.jobs import Job
    from starover_cli.settings import Settings

__all__ = ["install"]


def install(settings: Settings, line: Line, name: str, folder: str, *, by_zone: bool) -> int:
    """Have the server keep the jobs. Gives 2 where a file is wrong, and then nothing is removed; else 0."""
    from starover.drivers.temporal.schedules import calendars, known, place, take_away

    with Room(settings, settings.parts) as room:
        place_of = folder_of(room, folder)
        jobs, broken = ([load_job(place_of, name)], list[StaroverError]()) if name else load_all(place_of)
        ready: list[tuple[Job, Submission]] = []
        left: list[tuple[str, str]] = []
        for one in jobs:
            try:
                why = _not_for_a_server(room, one)
                if why:
                    left.append((one.name, why))
                else:
                    calendars(one.schedule)  # what the server cannot keep is said before anything is changed there
                    ready.append((one, _given(room, one, by_zone=by_zone)))
            except StaroverError as error:
                broken.append(BadInventory(f"{place_of / one.name}.yaml: {error.what}", certain=error.certain))
        now = room.clock.now()

        async def act(client: Client) -> tuple[list[tuple[Job, Placed]], list[str]]:
            there = [(job, await place(client, job, given, now)) for job, given in ready]
            kept = {job.name for job, _ in ready}
            gone = [] if name or broken else [one for one in await known(client, room.estate.name) if one not in kept]
            for one in gone:
                await take_away(client, room.estate.name, one)
            return there, gone

        placed, gone = talk(room, line, act)
    code = 2 if broken else 0
    console = settings.console
    if settings.json:
        said = {
            "jobs": [placed for _, placed in placed],
            "removed": gone,
            "left": [{"job": job, "why": why} for job, why in left],
            "broken": [one.what for one in broken],
            "exit": code,
        }
        console.raw(machine.document(said))
        return code
    console.result(placed_text(placed, gone, left))
    for wrong in broken:
        console.result(f"  !   {wrong.what}")
    if broken:
        console.result("      nothing was removed: what such a file was about nobody knows")
    following = [("starover worker", "on a machine that reaches the hosts: it does what the server starts")]
    following.append(("starover job install --temporal", "again after each change, and each upgrade of starover"))
    console.result("\n" + next_block(following))
    return code


def _not_for_a_server(room: Room, job: Job) -> str:
    """Why the server cannot have it; empty: it can."""
    if job.runbook == COMMAND:
        return f"{COMMAND} plays in a lab of this machine: starover job install {job.name}"
    if lacks_certificate(room, job):
        return f"{job.runbook} is experimental, and the job does not say `experimental: true`"
    return ""


def _given(room: Room, job: Job, *, by_zone: bool) -> Submission:
    """What its runs are given. Raises `BadParameter` and `BadInventory`."""
    from starover.drivers.local import Why
    from starover.drivers.temporal import submission

    settings = room.settings
    own = replace(settings, dag=job.dag or settings.dag, ticket=job.ticket, reason=job.reason, by=job.who)
    with Room(own, own.parts, given=(room.estate, room.file)) as mine:
        runbook, values = bound(mine, job)
        given = params.understood(runbook, params.typed(runbook, values, own), mine.estate)
        return submission(
            mine.content,
            mine.estate,
            Why(who=job.who, ticket=job.ticket, reason=job.reason),
            runbook=runbook.name,
            parameters=given,
            zoned=by_zone,
            confirmed=True,
            window=job.window.text if job.window is not None else "",
        )

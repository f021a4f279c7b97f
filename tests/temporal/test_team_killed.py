"""Worker processes killed at every point of a run, and another one that goes on: each change is made once."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path
from typing import Any

import pytest
from approving import approved
from temporal_server import TemporalServer, missing

from starover.errors import StaroverError
from starover.journal import Resumed, read_journal

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "all is there")
if not missing():
    from temporal_team import FOUR, Process, Team, alike, play, whole, world

    from starover.drivers import temporal

LIGHTS = ["EX1/one", "EX2/two", "EX3/three", "EX4/four"]


async def story(team: Team, point: int) -> tuple[temporal.Ended, bool]:
    """A run by a worker that dies at a point, and by another one that comes then; whether it had to."""
    team.folder.mkdir(parents=True, exist_ok=True)
    client = await team.client()
    with Process(team.folder, team.address, team.estate.name, point) as first, contextlib.ExitStack() as stack:
        handle = await temporal.submit(client, team.given("lamps-five", heartbeat=3.0))
        ends = asyncio.create_task(person(client, handle))
        second = False
        while not ends.done():
            if first.dead and not second:
                stack.enter_context(Process(team.folder, team.address, team.estate.name))
                second = True
            await asyncio.wait([ends], timeout=0.1)
        return await ends, second


async def person(client: Any, handle: temporal.Handle) -> temporal.Ended:
    """Somebody who approves as soon as that is asked for, and tries again when nobody answers."""
    while True:
        with contextlib.suppress(StaroverError):
            stands = await temporal.standing(client, handle)
            if stands.state == "waits for approval" and stands.plan is not None:
                await temporal.approve(client, handle, approved(stands.plan))
            if stands.state in ("applying", "ended"):
                return await temporal.ended(client, handle)
        await asyncio.sleep(0.1)


def judged(team: Team, ended: temporal.Ended, alone: Path, other: str) -> None:
    """Done once each, by a journal that holds and says what a run says that nobody killed."""
    seen = world(team.folder)
    assert (ended.state, ended.exit, ended.changed) == ("done", 0, 4), ended.fault
    assert sorted(seen["done"]) == LIGHTS
    assert seen["twice"] == []
    assert whole(team.folder)
    entries = read_journal(team.folder, ended.run)
    if not any(isinstance(one.body, Resumed) or "was lost" in repr(one.body) for one in entries):
        alike(team.folder, alone, ended.run, other)


def test_a_run_goes_on_with_another_worker_wherever_the_first_one_is_killed(
    server: TemporalServer, tmp_path: Path
) -> None:
    counted = Team(tmp_path / "counted", server.address)

    async def all_of_them(points: list[int]) -> list[tuple[Team, temporal.Ended, bool]]:
        teams = [Team(tmp_path / f"p{point}", server.address) for point in points]
        found: list[tuple[Team, temporal.Ended, bool]] = []
        side = 4
        for at in range(0, len(points), side):
            some = list(zip(teams[at : at + side], points[at : at + side], strict=True))
            ends = await asyncio.gather(*(asyncio.wait_for(story(team, point), 240) for team, point in some))
            found += [(team, ended, died) for (team, _), (ended, died) in zip(some, ends, strict=True)]
        return found

    if os.environ.get("STAROVER_STORIES"):
        ended, _ = play(story(counted, -1))
        assert ended.state == "done"
        points = list(range(int((counted.folder / "points").read_text())))
    else:
        points = [75]  # while steps are applied
    found = asyncio.run(all_of_them(points))
    assert sum(died for _, _, died in found) >= len(points) - 2, "the last points come after the end"
    wrong: list[str] = []
    for team, ended, _ in found:
        alone = tmp_path / f"alone-{team.folder.name}"
        local = team.local(alone)
        ran = local.apply(local.plan("lamps-five", {"servers": FOUR}).plan, approve=approved)
        try:
            judged(team, ended, alone, ran.run)
        except AssertionError as error:
            died = team.folder / "died"
            wrong.append(f"{team.folder.name}, {died.read_text() if died.exists() else 'alive'}: {str(error)[:500]}")
    assert wrong == []

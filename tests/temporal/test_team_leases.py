"""A lease is kept for as long as a run of the team lasts, also while one script runs for long and nothing ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from temporal_server import TemporalServer, missing

from starover.clock import SystemClock
from starover.transport import Answer, Script

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "all is there")
if not missing():
    from temporal_team import Switch, Team, play, through

    from starover.drivers import temporal


class Long(Switch):
    """A write that ends when EX2 has been asked to renew the lease."""

    def __init__(self, team: Team) -> None:
        super().__init__(team.lamps)
        self.renewed = threading.Event()
        self.kept = False

    def run(self, batch: Sequence[Script], /) -> Iterator[Answer]:
        for script in batch:
            if script.mutates:
                self.kept = self.renewed.wait(30)
            elif script.server.name == "EX2" and script.parts and script.parts[0].template == "lease/renew":
                self.renewed.set()
            yield from super().run([script])


def test_a_script_that_runs_for_long_does_not_outlive_its_lease(
    server: TemporalServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("starover.engine.leasing.LEASE_TTL", 6)
    team = Team(tmp_path / "team", server.address)
    team.estate = msgspec.structs.replace(team.estate, lab=False)  # real time passes by itself
    team.hosts = hosts = Long(team)

    async def story() -> temporal.Ended:
        async with team.worker(real(team)) as client:
            return await through(client, team.given("lamps-on", servers=["EX1"], names=["a"]))

    assert play(story()).state == "done"
    assert hosts.kept, "nobody keeps the lease"


def real(team: Team) -> temporal.Site:
    """The team's, in real time."""
    return replace(team.site, clock=SystemClock())

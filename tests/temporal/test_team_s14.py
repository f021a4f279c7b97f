"""Scenario S14 on Temporal, over the real wires: two workers, one killed in the middle, the same journal as alone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from approving import approved
from lab_cli import SHORT, Place, lab
from temporal_server import TemporalServer, missing

from starover.audit import verify
from starover.errors import StaroverError
from starover.events import RunEnded, StepBegan, StepEnded, WaitBegan
from starover.journal import Recorded, kept, read_journal, run_ids

pytestmark = [
    pytest.mark.wire,
    pytest.mark.skipif(bool(missing()), reason=missing() or "all is there"),
    pytest.mark.skipif(not os.environ.get("STAROVER_STORIES"), reason="ten minutes: make test-all"),
]
if not missing():
    from temporal_team import until

    from starover.drivers import temporal

QUICK = """
name: quick
extends: pa-4x2
tuning: {reboot_s: 20, update_reboot_s: 10, services_after_boot_s: 20}
"""
ROLL = ("rolling-windows-update", "--witness", "last")
FLOW = "starover/quick/dag1"


def story(folder: Path) -> list[tuple[object, ...]]:
    """What the last run of a folder did, and how it found out: but for ids and times."""
    state = folder / ".starover"
    run = next(one for one in run_ids(state) if len(read_journal(state, one)) > 200)
    found: list[tuple[object, ...]] = []
    for one in kept(read_journal(state, run)):
        event = one.body.event if isinstance(one.body, Recorded) else None
        if isinstance(event, StepBegan):
            found.append((event.step, event.host, event.kind, event.what, event.now, event.wanted, event.sha256))
        elif isinstance(event, StepEnded):
            found.append((event.step, event.host, event.kind, event.what, event.now, event.wanted, event.state))
        elif isinstance(event, WaitBegan):
            found.append(("waits", event.host, event.what, event.limit))
        elif isinstance(event, RunEnded):
            found.append(("run", event.state, event.exit, event.changed))
    assert verify(state) == []
    return found


@contextlib.contextmanager
def worker(place: Place, address: str) -> Iterator[subprocess.Popen[bytes]]:
    """`starover worker`, which may be killed."""
    words = [sys.executable, "-c", SHORT, "worker", "--address", address]
    with (place.folder / "worker.log").open("ab") as log:
        process = subprocess.Popen(words, cwd=place.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait(30)


def test_two_workers_one_killed_in_the_middle_and_the_same_journal(tmp_path: Path) -> None:
    for name in ("alone", "team", "server"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "quick.yaml").write_text(QUICK, "utf-8")
    with lab(tmp_path / "alone", str(tmp_path / "alone" / "quick.yaml")) as alone:
        assert alone.rolled("run", *ROLL, "--yes").code == 0

    async def stand(client: object, handle: temporal.Handle) -> temporal.Ended:
        """Approve, kill the one that works when it is in the middle, and wait."""
        plan = (await until(client, handle, "waits for approval")).plan
        assert plan is not None
        await temporal.approve(client, handle, approved(plan))  # type: ignore[arg-type]
        while True:
            with contextlib.suppress(StaroverError):
                if len((await temporal.standing(client, handle)).ended) >= 30:  # type: ignore[arg-type]
                    break
            await asyncio.sleep(0.2)
        first.kill()
        return await temporal.ended(client, handle)  # type: ignore[arg-type]

    async def whole(address: str) -> temporal.Ended:
        client = await temporal.connect(address)
        (listed,) = [one for one in await temporal.list_runs(client) if one.workflow == FLOW]
        handle = temporal.Handle(workflow=FLOW, execution=listed.execution)
        return await asyncio.wait_for(stand(client, handle), 900)

    topology = str(tmp_path / "team" / "quick.yaml")
    with TemporalServer(tmp_path / "server") as server, lab(tmp_path / "team", topology) as team:
        assert team.type("submit", *ROLL, "--address", server.address).code == 0
        with worker(team, server.address) as first, worker(team, server.address):
            ended = asyncio.run(whole(server.address))
        assert (ended.state, ended.exit) == ("done", 0)
        assert team.state()["violations"] == []
    assert story(tmp_path / "team") == story(tmp_path / "alone")

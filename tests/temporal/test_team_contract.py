"""One suite on both drivers: whatever goes wrong, they come to the same end with the same journal."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from approving import approved
from temporal_server import TemporalServer, missing

from starover.audit import verify
from starover.drivers.local import Ran
from starover.effects import Approval
from starover.errors import NotApproved, OutsideWindow, Refused
from starover.journal import read_journal
from starover.plan import Plan
from starover.testing import FakeFault

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "all is there")
if not missing():
    from temporal_team import FOUR, Team, alike, content, likeness, play, until

    from starover.drivers import temporal


@dataclass(frozen=True)
class Came:
    """How a run came out, by whichever driver."""

    state: str
    exit: int
    steps: tuple[tuple[str, str], ...]
    changed: int
    error: str
    under_way: tuple[str, ...]
    resumable: bool


def of_alone(ran: Ran) -> Came:
    steps = tuple(sorted((one.host, one.state) for one in ran.steps))
    error = ran.error.what if ran.error is not None else ""
    return Came(ran.state, ran.exit, steps, ran.changed, error, ran.under_way, ran.resumable)


def of_team(ended: temporal.Ended) -> Came:
    steps = tuple(sorted((one.host, one.state) for one in ended.steps))
    error = ended.fault.what if ended.fault is not None else ""
    return Came(ended.state, ended.exit, steps, ended.changed, error, ended.under_way, ended.resumable)


@pytest.fixture
def team(server: TemporalServer, tmp_path: Path) -> Team:
    return Team(tmp_path / "team", server.address)


_WHOLE = bool(os.environ.get("STAROVER_STORIES"))
ACCIDENTS = [
    *("lost-after", "throttled"),
    *(
        (
            "unreachable",
            "error-after",
            "lost-before",
            "begun",
            "silent",
            "auth",
            "timed-out",
            "cut",
            "no-receipt",
            "leased",
            "died",
        )
        if _WHOLE
        else ()
    ),
]


@pytest.mark.parametrize("what", ["write", *(["read"] if _WHOLE else [])])
@pytest.mark.parametrize("kind", ACCIDENTS)
def test_an_accident_comes_to_the_same_end(team: Team, tmp_path: Path, kind: Any, what: Any) -> None:
    fault = FakeFault(kind, host="EX4", what=what)  # not one of those that go side by side

    async def story() -> temporal.Ended:
        async with team.worker() as client:
            handle = await temporal.submit(client, team.given("lamps-five"))
            waits = await until(client, handle, "waits for approval")
            assert waits.plan is not None
            team.hosts.fail(again(fault))
            await temporal.approve(client, handle, approved(waits.plan))
            return await temporal.ended(client, handle)

    ended = play(story())
    local = team.local(tmp_path / "alone")
    plan = local.plan("lamps-five", {"servers": FOUR}).plan
    local.transport.fail(again(fault))  # type: ignore[attr-defined]
    ran = local.apply(plan, approve=approved)
    assert of_team(ended) == of_alone(ran)
    alike(team.folder, tmp_path / "alone", ended.run, ran.run)


def again(fault: FakeFault) -> FakeFault:
    """One that counts for itself."""
    return FakeFault(fault.kind, host=fault.host, what=fault.what, times=fault.times)


def _refuses(error: Refused) -> Callable[[Plan], Approval]:
    def approve(_plan: Plan) -> Approval:
        raise error

    return approve


@pytest.mark.parametrize("how", ["given", "refused", *(["outside", "weak"] if _WHOLE else [])])
def test_an_approval_that_comes_with_the_run_counts_or_does_not(team: Team, tmp_path: Path, how: str) -> None:
    local = team.local(tmp_path / "alone")
    plan = local.plan("lamps-smash", {"server": "EX1"}).plan
    approval = approved(plan)
    if how == "weak":
        approval = msgspec.structs.replace(approval, how="confirmed")
    error = {"refused": NotApproved("the rules say no"), "outside": OutsideWindow("it is Friday")}.get(how)

    class House:
        def check(self, _plan: Plan, given: Approval, _at: object) -> Approval:
            if error is not None:
                raise error
            return given

    team.house = House if error is not None else None

    async def story() -> temporal.Ended:
        async with team.worker() as client:
            given = team.given("lamps-smash", server="EX1", approval=approval, plan=plan)
            return await temporal.ended(client, await temporal.submit(client, given))

    ended = play(story())
    ran = local.apply(plan, approve=_refuses(error) if error is not None else lambda _plan: approval)
    assert of_team(ended) == of_alone(ran)
    assert ended.exit == {"given": 0, "refused": 4, "outside": 75, "weak": 4}[how]
    alike(team.folder, tmp_path / "alone", ended.run, ran.run)


@pytest.mark.parametrize("now", [True, *([False] if _WHOLE else [])])
def test_whoever_stops_it_gets_the_same_words(team: Team, tmp_path: Path, now: bool) -> None:
    def begins(hosts: Any) -> threading.Event:
        hosts.held["lamp/on.ps1.j2"] = gate = threading.Event()
        return gate

    gate = begins(team.hosts)

    async def story() -> temporal.Ended:
        async with team.worker() as client:
            handle = await temporal.submit(client, team.given("lamps-on"))
            waits = await until(client, handle, "waits for approval")
            assert waits.plan is not None
            await temporal.approve(client, handle, approved(waits.plan))
            await asyncio.to_thread(team.hosts.reached.wait, 60)
            await temporal.stop(client, handle, now=now)
            if not now:
                gate.set()
            ended = await temporal.ended(client, handle)
            gate.set()
            return ended

    ended = play(story())
    local = team.local(tmp_path / "alone")
    plan = local.plan("lamps-on", {"servers": FOUR}).plan
    hosts: Any = local.transport
    there = begins(hosts)

    def presses() -> None:
        hosts.reached.wait(60)
        local.stop()
        if now:
            local.stop()
        else:
            there.set()

    person = threading.Thread(target=presses)
    person.start()
    ran = local.apply(plan, approve=approved)
    there.set()
    person.join()
    assert of_team(ended) == of_alone(ran)
    assert verify(team.folder) == verify(tmp_path / "alone") == []
    one, two = (
        likeness(read_journal(at, run)) for at, run in ((team.folder, ended.run), (tmp_path / "alone", ran.run))
    )
    if now:
        assert {host: lines[-1] for host, lines in one.items()} == {host: lines[-1] for host, lines in two.items()}
        return
    # A workflow that is to end sends nothing more: there the lease stays until it is over, and the journal says where.
    last: list[Any] = [
        read_journal(at, run)[-1].body for at, run in ((team.folder, ended.run), (tmp_path / "alone", ran.run))
    ]
    assert [one.leased for one in last] == [("EX1", "EX2", "EX3", "EX4"), ()]


@pytest.mark.skipif(not _WHOLE, reason="seven seconds of real time: make test-all")
def test_on_live_a_pause_is_a_timer_of_the_server(team: Team) -> None:
    team.estate = msgspec.structs.replace(team.estate, lab=False)
    team.hosts.fail(FakeFault("throttled", what="read"))  # come back in seven seconds

    async def story() -> tuple[temporal.Ended, set[str]]:
        async with team.worker() as client:
            plan = await temporal.ended(client, await temporal.submit(client, team.given("lamps-on", only_plan=True)))
            listed = [one for one in await temporal.list_runs(client) if one.estate == team.estate.name]
            history = await client.get_workflow_handle(listed[0].workflow).fetch_history()
            kinds = {one.WhichOneof("attributes") or "" for one in history.events}
            return plan, kinds

    ended, kinds = play(story())
    assert (ended.state, ended.exit) == ("planned", 0)
    assert "timer_fired_event_attributes" in kinds
    assert content().sha256 == (ended.plan.content if ended.plan is not None else "")


def test_the_library_is_imported_without_temporal() -> None:
    code = "import sys, starover, starover.drivers.local; sys.exit('temporalio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

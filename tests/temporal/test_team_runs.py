"""Runs on Temporal that live: the same journal as on one's own computer, and what a person may say meanwhile."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import threading
from pathlib import Path

import msgspec
import pytest
from approving import approved
from core_hand import NODES
from temporal_server import TemporalServer, missing

from starover.clock import SystemClock
from starover.effects import Failed
from starover.errors import BadInventory, BadParameter, Locked, NotApproved, StaroverError
from starover.journal import Answered, Begun, Recorded, Stopped, read_journal, run_ids

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "all is there")
_WHOLE = bool(os.environ.get("STAROVER_STORIES"))
if not missing():
    from temporal_team import BOOK, FOUR, Team, alike, content, play, through, until
    from temporalio.client import WorkflowFailureError

    from starover.drivers import temporal


@pytest.fixture
def team(server: TemporalServer, tmp_path: Path) -> Team:
    return Team(tmp_path / "team", server.address)


@pytest.mark.parametrize("book", ["lamps-five", *(["lamps-on"] if _WHOLE else [])])
def test_the_journals_of_both_drivers_are_the_same(team: Team, tmp_path: Path, book: str) -> None:
    async def story() -> temporal.Ended:
        async with team.worker() as client:
            return await through(client, team.given(book))

    ended = play(story())
    assert (ended.state, ended.exit, ended.changed) == ("done", 0, 4 if book == "lamps-five" else 8), ended.fault
    local = team.local(tmp_path / "alone")
    planned = local.plan(book, {"servers": FOUR})
    ran = local.apply(planned.plan, approve=approved)
    assert ended.plan is not None
    assert ended.plan.digest == planned.plan.digest
    alike(team.folder, tmp_path / "alone", ended.plan.run, planned.run)
    alike(team.folder, tmp_path / "alone", ended.run, ran.run)
    assert not list((team.folder / "index").glob("*.carried"))


# -- approval ----------------------------------------------------------------------------------------------------------


def test_an_approval_that_does_not_count_is_refused_and_the_run_waits_on(team: Team) -> None:
    async def story() -> temporal.Ended:
        async with team.worker() as client:
            handle = await temporal.submit(client, team.given("lamps-smash", server="EX1"))
            waits = await until(client, handle, "waits for approval")
            assert waits.plan is not None
            good = approved(waits.plan)
            for bad in (
                msgspec.structs.replace(good, digest="0" * 64),
                msgspec.structs.replace(good, ticket=""),
                msgspec.structs.replace(good, how="confirmed"),
            ):
                with pytest.raises(NotApproved):
                    await temporal.approve(client, handle, bad)
            assert team.lamps.done == []
            await temporal.approve(client, handle, good)
            ended = await temporal.ended(client, handle)
            with pytest.raises(BadParameter):
                await temporal.approve(client, handle, good)
            return ended

    ended = play(story())
    assert (ended.state, team.lamps.done) == ("done", ["smash EX1/a"])


def test_a_house_rule_refuses_an_approval_and_the_run_waits_on(team: Team) -> None:
    says: list[StaroverError] = [NotApproved("not on a Friday"), BadInventory("policy.yaml, line 3: nobody knows that")]

    class House:
        def check(self, _plan: object, approval: object, _at: object) -> object:
            if says:
                raise says[-1]
            return approval

    team.house = House

    async def story() -> temporal.Ended:
        async with team.worker() as client:
            handle = await temporal.submit(client, team.given("lamps-on"))
            waits = await until(client, handle, "waits for approval")
            assert waits.plan is not None
            while says:
                with pytest.raises(type(says[-1])) as refused:
                    await temporal.approve(client, handle, approved(waits.plan))
                assert refused.value.what == says.pop().what
            await temporal.approve(client, handle, approved(waits.plan))
            return await temporal.ended(client, handle)

    assert play(story()).state == "done"


@pytest.mark.parametrize("how", ["declined", "timed out"])
def test_who_is_not_approved_changes_nothing_and_the_journal_says_why(team: Team, how: str) -> None:
    async def story() -> temporal.Ended:
        async with team.worker() as client:
            given = team.given("lamps-on", patience=0.5 if how == "timed out" else 600.0)
            handle = await temporal.submit(client, given)
            if how == "declined":
                await until(client, handle, "waits for approval")
                with pytest.raises(BadParameter):
                    await temporal.decline(client, handle, by="oncall-b", reason=" ")
                await temporal.decline(client, handle, by="oncall-b", reason="not tonight")
            return await temporal.ended(client, handle)

    ended = play(story())
    assert (ended.state, ended.exit, team.lamps.done) == ("refused", 4, [])
    assert ended.fault is not None
    assert ("not tonight" if how == "declined" else "nobody approved") in ended.fault.what
    last = read_journal(team.folder, ended.run)[-1].body
    assert isinstance(last, Recorded)
    assert last.event.fault == ended.fault  # type: ignore[union-attr]


def test_who_approves_too_late_is_told_so(team: Team, tmp_path: Path) -> None:
    """Somebody declines, or nobody is waited for any more, while the house rules are being read."""
    from temporalio.exceptions import ApplicationError

    from starover.drivers.temporal.payloads import Told
    from starover.drivers.temporal.workflow import StaroverRun

    given = team.given("lamps-on")
    plan = team.local(tmp_path / "alone").plan("lamps-on", {"servers": FOUR}).plan
    run = StaroverRun(given)
    run.state = temporal.Standing(state="waits for approval", plan=plan)

    async def ask(*_: object) -> Told:
        run.decline("oncall-b", "not tonight")
        return Told(answer=approved(plan))

    run.hands.ask = ask  # type: ignore[method-assign, assignment] # the rules are read meanwhile
    with pytest.raises(ApplicationError, match="waits for no approval any more"):
        asyncio.run(run.approve(approved(plan)))
    assert isinstance(run.hands.approval, Failed)


def test_a_schedules_run_that_was_ended_from_outside_is_told_of(team: Team) -> None:
    async def story() -> None:
        async with team.worker() as client:
            job = await client.start_workflow(
                temporal.JOB,
                team.given("lamps-five"),
                id=f"job-{team.estate.name}",
                task_queue=temporal.queue_of(team.estate.name),
            )
            for _ in range(600):  # the server's list is a little behind
                if runs := await temporal.list_runs(client, estate=team.estate.name):
                    break
                await asyncio.sleep(0.1)
            await client.get_workflow_handle(runs[0].workflow).terminate()
            with pytest.raises(WorkflowFailureError):
                await job.result()

    play(story())
    ((who, error, _),) = team.unbegun
    assert (who, "was ended from outside" in error.what) == ("tester", True)


# -- one run at a time -------------------------------------------------------------------------------------------------


def test_a_second_run_of_the_dag_is_refused_with_words_and_a_plan_is_not(team: Team) -> None:
    async def story() -> Locked:
        async with team.worker() as client:
            handle = await temporal.submit(client, team.given("lamps-on"))
            await until(client, handle, "waits for approval")
            with pytest.raises(Locked) as refused:
                await temporal.submit(client, team.given("lamps-five"))
            only = await temporal.submit(client, team.given("lamps-five", only_plan=True))
            assert (await temporal.ended(client, only)).state == "planned"
            job = await client.execute_workflow(
                temporal.JOB,
                team.given("lamps-five"),
                id=f"job-{team.estate.name}",
                task_queue=temporal.queue_of(team.estate.name),
                result_type=temporal.Ended,
            )
            assert (job.state, job.exit) == ("refused", 75)
            assert [(who, error.exit) for who, error, _ in team.unbegun] == [("tester", 75)]
            listed = await temporal.list_runs(client, estate=team.estate.name)
            assert [
                (one.state, one.runbook, one.dag, one.who) for one in listed if one.workflow == handle.workflow
            ] == [("running", "lamps-on", "DAG1", "tester")]
            assert await temporal.stop(client, handle) == ()
            assert (await temporal.ended(client, handle)).state == "stopped"
            return refused.value

    refused = play(story())
    assert refused.exit == 75
    assert "tester, lamps-on, since" in refused.what


# -- stopping ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["planning", "cancelled", *(["waiting", "once", "twice"] if _WHOLE else [])])
def test_it_can_be_stopped_in_every_state_and_what_is_unknown_is_named(team: Team, when: str) -> None:
    gate = threading.Event()
    template = "lamp/read.ps1.j2" if when == "planning" else "lamp/on.ps1.j2"
    if when != "waiting":
        team.hosts.held[template] = gate

    async def story() -> tuple[temporal.Ended, tuple[str, ...]]:
        async with team.worker() as client:
            handle = await temporal.submit(client, team.given("lamps-on"))
            if when != "planning":
                waits = await until(client, handle, "waits for approval")
                assert waits.plan is not None
            if when in ("once", "twice", "cancelled"):
                await temporal.approve(client, handle, approved(waits.plan))
            if when != "waiting":
                await asyncio.to_thread(team.hosts.reached.wait, 60)
            words: tuple[str, ...] = ()
            if when == "cancelled":
                await client.get_workflow_handle(handle.workflow).cancel()
            else:
                words = await temporal.stop(client, handle, now=when in ("twice", "planning"))
            if when == "once":
                gate.set()
            ended = await temporal.ended(client, handle)
            gate.set()
            with pytest.raises(BadParameter):
                await temporal.stop(client, handle)
            return ended, words

    ended, words = play(story())
    step = "step 1 on EX1: a off -> on"
    assert ended.state == "stopped"
    assert ended.exit == (1 if when in ("waiting", "once") else 130)
    if when in ("planning", "waiting"):
        assert (ended.under_way, team.lamps.done) == ((), [])
    elif when == "once":
        assert words == (step,)
        assert (ended.under_way, team.lamps.done) == ((), ["on EX1/a"])
    else:
        assert words == ((step,) if when == "twice" else ())
        assert [one.startswith(step) for one in ended.under_way] == [True]
    if when == "waiting":
        return
    last = read_journal(team.folder, ended.run)[-1].body
    assert isinstance(last, Stopped)
    assert last.under_way == ended.under_way
    if when in ("once", "twice", "cancelled"):  # nobody carries it any more: it goes on where its journal lies
        local = team.local(team.folder)
        local.transport = team.hosts
        ran = local.resume(ended.run, approve=approved)
        assert (ran.state, ran.exit) == ("done", 0)
        assert sorted(team.lamps.done) == sorted(f"on {node.name}/{name}" for node in NODES for name in "ab")


# -- content -----------------------------------------------------------------------------------------------------------


def test_a_run_goes_by_the_content_that_it_carries_whatever_the_worker_has(team: Team) -> None:
    other = content(book=BOOK.replace('Change(name, "off", "on")', 'Change(name, "dark", "bright")'))

    async def story() -> list[temporal.Ended]:
        async with team.worker() as client:
            return [await through(client, team.given("lamps-on", of)) for of in (other, content())]

    ended = play(story())
    found = [one.plan.steps[0].change for one in ended if one.plan is not None]
    assert [one.wanted if one else "" for one in found] == ["bright", ""]
    assert [one.plan.content == content().sha256 for one in ended if one.plan is not None] == [False, True]


@pytest.mark.skipif(not _WHOLE, reason="the server takes its time: make test-all")
def test_a_worker_whose_machine_asks_for_something_else_sends_nothing_and_the_right_one_goes_on(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    from starover.drivers.temporal import payloads

    given = team.given("lamps-on")
    edited = content(book=BOOK.replace("for name in names", "for name in reversed(names)"))

    async def story() -> temporal.Ended:
        async with team.worker() as client:
            handle = await temporal.submit(client, given)
            waits = await until(client, handle, "waits for approval")
            assert waits.plan is not None
        asked = len(team.hosts.asked)
        with monkeypatch.context() as patched:  # by some mistake its machine is made of other content
            patched.setitem(payloads._CONTENTS, given.content, edited)
            async with team.worker() as client:
                with pytest.raises(StaroverError, match="asks for something else than what was answered"):
                    await temporal.approve(client, handle, approved(waits.plan))
        assert len(team.hosts.asked) == asked
        async with team.worker() as client:
            while True:
                try:
                    await temporal.approve(client, handle, approved(waits.plan))
                except StaroverError:  # the server gives the run out again after a while
                    await asyncio.sleep(0.2)
                else:
                    return await temporal.ended(client, handle)

    ended = play(story())
    assert (ended.state, ended.changed) == ("done", 8)


def test_a_run_of_another_version_is_refused_with_words(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    given = msgspec.structs.replace(team.given("lamps-on"), version="0.0.9")

    async def story() -> temporal.Ended:
        async with team.worker() as client:
            return await temporal.ended(client, await temporal.submit(client, given))

    ended = play(story())
    assert (ended.state, ended.exit, team.lamps.done) == ("refused", 4, [])
    assert ended.fault is not None
    assert "this run goes by starover 0.0.9" in ended.fault.what
    (run,) = run_ids(team.folder)
    begun = read_journal(team.folder, run)[0].body
    assert isinstance(begun, Begun)
    assert (begun.asked, begun.who) == ("submit", given.who), "the refusal is in the workers' journal"


# -- what lies at the server -------------------------------------------------------------------------------------------


def test_with_a_key_nothing_can_be_read_at_the_server_and_without_it_nothing_is_done(team: Team) -> None:
    team.key = temporal.new_key()

    async def story() -> bytes:
        async with team.worker() as client:
            given = team.given("lamps-on")
            handle = await temporal.submit(client, given)
            waits = await until(client, handle, "waits for approval")
            assert waits.plan is not None
            with pytest.raises(BadParameter, match="encrypted, and no key is given"):
                await temporal.standing(await temporal.connect(team.address), handle)
            stranger = await temporal.connect(team.address, sealing=temporal.codec(temporal.new_key()))
            with pytest.raises(BadParameter, match="with another key"):
                await temporal.standing(stranger, handle)
            await temporal.approve(client, handle, approved(waits.plan))
            assert (await temporal.ended(client, handle)).state == "done"
            history = await client.get_workflow_handle(handle.workflow).fetch_history()
            return b"".join(one.SerializeToString() for one in history.events)

    said = play(story())
    assert len(said) > 10_000
    for word in (b"lamp", b"EX1", b"Set-Content", b"tester", b"INC1"):
        assert word not in said.replace(b"starover/unit", b""), word


# -- zones -------------------------------------------------------------------------------------------------------------


def test_scripts_go_to_the_workers_of_each_zone(team: Team, tmp_path: Path) -> None:
    servers = tuple(
        msgspec.structs.replace(one, az=f"1{'ab'[number % 2]}") for number, one in enumerate(team.estate.servers)
    )
    team.estate = msgspec.structs.replace(team.estate, servers=servers)
    there = {zone: Team(tmp_path / zone, team.address, team.lamps) for zone in ("1a", "1b")}

    async def story() -> temporal.Ended:
        async with team.worker() as client:  # it keeps the journals and sends nothing
            one = msgspec.structs.replace
            sites = {
                zone: team.site.__class__(**{**vars(other.site), "estate": team.estate})
                for zone, other in there.items()
            }
            del one
            async with (
                there["1a"].worker(sites["1a"], zones=["1a"], runs=False),
                there["1b"].worker(sites["1b"], zones=["1b"], runs=False),
            ):
                return await through(client, team.given("lamps-five", zoned=True))

    ended = play(story())
    assert (ended.state, ended.changed) == ("done", 4)
    assert team.hosts.asked == []
    assert {script.server.name for script in there["1a"].hosts.asked} == {"EX1", "EX3"}
    assert {script.server.name for script in there["1b"].hosts.asked} == {"EX2", "EX4"}
    assert not (tmp_path / "1a").exists()


# -- the server is gone ------------------------------------------------------------------------------------------------


def test_worker_and_client_live_through_a_time_without_the_server(tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    gate = threading.Event()
    with TemporalServer(tmp_path / "server") as server:
        team = Team(tmp_path / "team", server.address)
        team.hosts.held["lamp/on.ps1.j2"] = gate

        async def story() -> temporal.Ended:
            async with team.worker() as client:
                handle = await temporal.submit(client, team.given("lamps-on"))
                waits = await until(client, handle, "waits for approval")
                assert waits.plan is not None
                await temporal.approve(client, handle, approved(waits.plan))
                going = asyncio.create_task(temporal.ended(client, handle))
                await asyncio.to_thread(team.hosts.reached.wait, 60)
                server.stop(hard=True)
                gate.set()  # its answer comes while nobody takes it
                await asyncio.sleep(70 if _WHOLE else 1.5)
                await asyncio.to_thread(server.start)
                return await going

        ended = play(story())
    assert (ended.state, ended.changed) == ("done", 8)
    assert sorted(team.lamps.done) == sorted(f"on {node.name}/{name}" for node in NODES for name in "ab")


@pytest.mark.skipif(not _WHOLE, reason="a wait of some real seconds: make test-all")
def test_a_worker_that_is_told_to_end_leaves_its_wait_to_another_one(team: Team) -> None:
    team.estate = msgspec.structs.replace(team.estate, lab=False)
    site = dataclasses.replace(team.site, clock=SystemClock())
    team.lamps.stuck = True

    async def story() -> temporal.Ended:
        async with team.worker(site) as client:
            handle = await temporal.submit(client, team.given("lamps-on", servers=["EX1"], names=["a"]))
            waits = await until(client, handle, "waits for approval")
            assert waits.plan is not None
            await temporal.approve(client, handle, approved(waits.plan))
            for _ in range(600):
                if "on EX1/a" in team.lamps.done:
                    break
                await asyncio.sleep(0.1)
            await asyncio.sleep(1)
        team.lamps.on.add(("EX1", "a"))
        async with team.worker(site):
            return await temporal.ended(client, handle)

    ended = play(story())
    assert (ended.state, ended.changed, team.lamps.done) == ("done", 1, ["on EX1/a"])
    (poll,) = [
        one.body
        for one in read_journal(team.folder, ended.run)
        if isinstance(one.body, Answered) and one.body.readings > 0
    ]
    assert poll.readings >= 2

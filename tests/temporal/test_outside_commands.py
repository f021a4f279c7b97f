"""What a person types for a team's server: submit, approve, cancel, runs, worker, job install; on the real server."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result
from core_hand import ESTATE, approval_of, lit
from core_site import Site
from inner_cli import said, typed
from inner_lab import InnerLab
from starover_cli.main import main
from starover_cli.settings import Settings
from temporal_server import TemporalServer, missing

from starover import Server, Steps, runbook
from starover.audit import check_folder
from starover.journal import Begun, read_journal, run_ids
from starover.testing import FakeContent, ManualClock

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "all is there")

INVENTORY = Path(__file__).parents[2] / "inventory" / "example.yaml"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TemporalServer]:
    with TemporalServer(tmp_path_factory.mktemp("temporal")) as one:
        yield one


@dataclass
class Team:
    """A lab, the server, and what is typed there."""

    lab: InnerLab
    server: TemporalServer
    key: Path

    def type(self, *words: str, **more: str) -> Result:
        variables = {"STAROVER_TEMPORAL_ADDRESS": self.server.address, "STAROVER_TEMPORAL_CODEC_KEY": str(self.key)}
        return typed(self.lab, *words, variables={**variables, **more})

    @contextmanager
    def worker(self) -> Iterator[None]:
        """One in a thread of this process."""
        from starover.drivers.temporal import Site, codec, connect, run_worker

        lab, up = self.lab, threading.Event()
        site = Site(estate=lab.estate, transport=lab.transport, clock=lab.clock, folder=lab.folder)
        ends: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

        async def work() -> None:
            until = asyncio.Event()
            ends.append((asyncio.get_running_loop(), until))
            client = await connect(self.server.address, sealing=codec(self.key.read_text()))
            up.set()
            await run_worker(client, site, until=until)

        thread = threading.Thread(target=asyncio.run, args=(work(),))
        thread.start()
        assert up.wait(60)
        try:
            yield
        finally:
            loop, until = ends[0]
            loop.call_soon_threadsafe(until.set)
            thread.join()


@pytest.fixture(scope="module")
def team(server: TemporalServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    from starover.drivers.temporal import new_key

    folder = tmp_path_factory.mktemp("team")
    key = folder / "codec.key"
    key.write_text(new_key())
    with InnerLab("aws-2az-nodac", folder / "lab") as lab:
        team = Team(lab, server, key)
        with team.worker():
            yield team


SUSPEND = ("copies-suspend", "--server", "ExchangeNode2", "--db", "DB1", "--mode", "full", "--comment", "a test")
RESUME = ("copies-resume", "--server", "ExchangeNode2", "--db", "DB1", "--yes", "--wait")


def test_a_runbook_is_planned_approved_and_followed_to_its_end(team: Team) -> None:
    done = team.type("submit", *SUSPEND, "--yes", "--wait")
    assert done.exit_code == 0, done.output
    assert "DB1/ExchangeNode2 goes from Healthy to Suspended" in done.stdout
    assert "changed 1, checked again: holds" in done.stdout
    assert "  1  ok  DB1/ExchangeNode2" in done.stderr
    run = re.findall(r"run ([0-9a-f]{8}\.\d+)", done.stdout)[0]
    assert run in run_ids(team.lab.folder)
    first = known(team, lambda one: one["run"] == run)
    assert (first["state"], first["runbook"], first["dag"]) == ("done", "copies-suspend", "DAG")
    listed = team.type("runs", "--engine", "temporal")
    assert "starover/aws-2az-nodac/dag  copies-suspend" in listed.stdout, listed.output
    assert "journals here:" in listed.stdout
    again = team.type("submit", *SUSPEND, "--yes", "--wait")
    assert (again.exit_code, "Nothing to do" in again.stdout) == (0, True), again.output
    assert team.type("submit", *RESUME).exit_code == 0
    assert check_folder(team.lab.folder).findings == ()


def test_without_the_key_nobody_reads_what_lies_there(team: Team) -> None:
    team.type("submit", *RESUME)
    done = team.type("runs", "--engine", "temporal", STAROVER_TEMPORAL_CODEC_KEY="")
    assert (done.exit_code, "encrypted, and no key is given" in done.stderr) == (2, True), done.output
    kept = b"".join(file.read_bytes() for file in sorted(team.server.folder.glob("temporal.db*")))
    assert b"starover/aws-2az-nodac/dag" in kept  # what docs/scale-out.md says is readable always
    assert b"ExchangeNode2" not in kept
    assert b"Get-MailboxDatabase" not in kept


def test_a_plan_is_done_as_it_is_and_lines_are_for_a_machine(team: Team) -> None:
    plan: str = json.loads(team.type("plan", *SUSPEND, "--format", "json").stdout)["id"]
    done = team.type("submit", plan, "--yes", "--wait", "--format", "json")
    assert done.exit_code == 0, done.output
    lines = said(done)
    assert [one["submitted"] for one in lines if "submitted" in one] == ["starover/aws-2az-nodac/dag"]
    assert (lines[-1]["result"], lines[-1]["changed"], lines[-1]["plan"]) == ("done", 1, plan)
    assert team.type("submit", *RESUME).exit_code == 0


def test_a_second_run_of_the_dag_is_refused_and_the_first_is_approved_or_declined(team: Team) -> None:
    first = team.type("submit", *SUSPEND)
    assert (first.exit_code, "starover approve starover/aws-2az-nodac/dag" in first.stdout) == (0, True)
    second = team.type("submit", *SUSPEND)
    assert (second.exit_code, "exit 75 locked" in second.stderr) == (75, True)
    assert "copies-suspend, since" in " ".join(second.stderr.split())
    assert "the refusal is in the journal: run" in " ".join(second.stderr.split())
    assert "starover runs --engine temporal" in second.stderr
    waiting(team)
    nobody = team.type("approve", "dag", "--engine", "temporal")
    said_so = "starover approve starover/aws-2az-nodac/dag --engine temporal --yes" in nobody.stderr
    assert (nobody.exit_code, said_so) == (2, True), nobody.output  # its plan is not here: `apply` would not find it
    gone = team.type("cancel", "DAG", "--reason", "another day")
    assert (gone.exit_code, "declined" in gone.stdout) == (0, True), gone.output
    team.type("submit", *SUSPEND)
    waiting(team)
    other = team.type("approve", "dag", "--engine", "temporal", "--as", "oncall-b", "--dag", "DAG")
    assert (other.exit_code, "approved" in other.stdout) == (0, True), other.output
    while (resumed := team.type("submit", *RESUME).exit_code) == 75:
        known(team, lambda one: one["state"] in ("applying", "done"))
    assert resumed == 0
    unknown = team.type("cancel", "DAG")
    assert (unknown.exit_code, "no run DAG under way" in unknown.stderr) == (2, True), unknown.output


def test_who_looks_on_no_more_hears_that_the_run_goes_on(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    async def follow(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("starover_cli.team.submitting.follow", follow)
    left = team.type("submit", *SUSPEND, "--wait")
    assert (left.exit_code, "the run goes on with the workers" in left.stderr) == (130, True), left.output
    assert "starover cancel starover/aws-2az-nodac/dag" in left.stderr
    waiting(team)
    assert team.type("cancel", "DAG").exit_code == 0


def known(team: Team, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The newest run of the server that is wanted; its list is a little behind."""
    for _ in range(300):
        runs = json.loads(team.type("runs", "--engine", "temporal", "--format", "json").stdout)["temporal"]
        if found := [one for one in runs if wanted(one)]:
            return dict(found[0])
    raise AssertionError(runs)


def waiting(team: Team) -> None:
    known(team, lambda one: one["state"] == "waits for approval")


def test_a_server_that_is_not_there_is_said_with_what_needs_none(team: Team) -> None:
    done = team.type("submit", *SUSPEND, STAROVER_TEMPORAL_ADDRESS="127.0.0.1:1")
    assert (done.exit_code, "exit 6 unreachable" in done.stderr) == (6, True)
    assert "starover apply PLAN   needs no server" in done.stderr


def test_jobs_of_the_folder_are_schedules_and_no_others_are(team: Team, tmp_path: Path) -> None:
    jobs = tmp_path / "jobs"
    jobs.mkdir()
    for name in ("one", "two"):
        (jobs / f"{name}.yaml").write_text('runbook: health-report\nschedule: "0 6 * * *"\ntimezone: Europe/Madrid\n')
    (jobs / "drill.yaml").write_text('runbook: dr-drill\nschedule: "0 6 1 1 *"\n')
    made = team.type("job", "install", "--temporal", "--jobs", str(jobs))
    assert made.exit_code == 0, made.output
    assert "+  one    new" in made.stdout
    assert "!  drill  not there" in made.stdout
    (jobs / "two.yaml").unlink()
    for _ in range(100):
        again = json.loads(team.type("job", "install", "--temporal", "--jobs", str(jobs), "--format", "json").stdout)
        if again["removed"]:
            break
    assert ([one["what"] for one in again["jobs"]], again["removed"]) == (["same"], ["two"])
    (jobs / "broken.yaml").write_text("runbook: [")
    (jobs / "one.yaml").rename(jobs / "three.yaml")
    (jobs / "a-odd.yaml").write_text('runbook: health-report\nschedule: "0 6 LW * *"\n')
    broken = team.type("job", "install", "--temporal", "--jobs", str(jobs))
    assert (broken.exit_code, "nothing was removed" in broken.stdout) == (2, True), broken.output
    assert "last working day of a month" in " ".join(broken.stdout.split())
    assert "+  three  new" in broken.stdout, "one job that the server cannot keep holds up no other"


def test_what_a_schedule_starts_asks_nobody_and_is_the_jobs(team: Team, tmp_path: Path) -> None:
    from starover.drivers.temporal import codec, connect
    from starover.drivers.temporal.schedules import schedule_id

    jobs = tmp_path / "jobs"
    jobs.mkdir()
    parameters = "{server: ExchangeNode1, db: DB2, mode: full, comment: by the clock}"
    (jobs / "clock.yaml").write_text(f'runbook: copies-suspend\nschedule: "0 6 1 1 *"\nparameters: {parameters}\n')
    assert team.type("job", "install", "clock", "--temporal", "--jobs", str(jobs)).exit_code == 0

    async def trigger() -> None:
        client = await connect(team.server.address, sealing=codec(team.key.read_text()))
        await client.get_schedule_handle(schedule_id(team.lab.estate.name, "clock")).trigger()

    asyncio.run(trigger())
    run = known(team, lambda one: one["who"] == "job:clock" and one["state"] == "done")
    begun = read_journal(team.lab.folder, run["run"])[0].body
    assert isinstance(begun, Begun)
    assert (begun.who, begun.parameters["comment"]) == ("job:clock", "by the clock")
    assert team.type("submit", *RESUME[:2], "ExchangeNode1", "--db", "DB2", *RESUME[5:]).exit_code == 0


def test_a_worker_that_is_told_to_end_ends_well(server: TemporalServer, tmp_path: Path) -> None:
    line = [sys.executable, "-m", "starover_cli", "--inventory", str(INVENTORY), "worker", "--address", server.address]
    process = subprocess.Popen(
        line, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
        env={**os.environ, "STAROVER_TEMPORAL_CODEC_KEY": ""},
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        begins = json.loads(process.stdout.readline())
        assert (begins["worker"], begins["queues"], begins["sealed"]) == ("begins", ["starover-mail-prod"], False)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=120)
    lines = [json.loads(one) for one in out.splitlines()]
    assert [one["worker"] for one in lines if "worker" in one] == ["ending", "ends"]
    assert (process.returncode, err) == (0, "")


def test_a_run_of_the_server_at_the_same_time_is_told_of_when_a_laptop_comes_home(
    server: TemporalServer, tmp_path: Path
) -> None:
    """Nobody takes the team's run: it waits at the server while the laptop works alone."""
    from starover.content import find
    from starover.drivers.local import Why
    from starover.drivers.temporal import connect, submission, submit
    from starover.inventory import load

    estate = load(INVENTORY)

    async def begin() -> None:
        given = submission(find(None), estate, Why(who="the team"), runbook="preflight")
        await submit(await connect(server.address), given)

    asyncio.run(begin())

    @runbook
    def lamps_at(servers: Sequence[Server], dag: str) -> Steps:
        """A lamp of a DAG."""
        for one in servers:
            yield lit.on(one, name="a")

    site = Site(tmp_path / "laptop", clock=ManualClock(datetime.now(UTC)), content=FakeContent([lamps_at]))
    local = site.local()
    local.estate = msgspec.structs.replace(ESTATE, name=estate.name, lab=False)
    made = local.plan("lamps-at", {"servers": ["EX1"], "dag": estate.dags[0].name}).plan
    assert local.apply(made, approve=approval_of).exit == 0
    settings = Settings(dir=str(tmp_path / "team"), inventory=str(INVENTORY))
    line = ["reconcile", str(tmp_path / "laptop"), "--address", server.address]
    done = CliRunner().invoke(main, line, obj=settings, env={"STAROVER_TEMPORAL_CODEC_KEY": ""})
    assert done.exit_code == 0, done.output
    assert "of the Temporal server (preflight of the team" in " ".join(done.stdout.split()), done.output
    other, nobody = Settings(dir=str(tmp_path / "other")), {"STAROVER_TEMPORAL_ADDRESS": ""}
    quiet = CliRunner().invoke(main, ["reconcile", str(tmp_path / "laptop")], obj=other, env=nobody)
    assert "none is named (--address)" in " ".join(quiet.stdout.split())

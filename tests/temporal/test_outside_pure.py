"""The team's commands without a server: what is missing is said, keys and certificates are files, zones are known."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from core_hand import approval_of
from core_site import Site
from starover_cli import main as program
from starover_cli.main import main
from starover_cli.settings import Settings
from starover_cli.team.job_words import JobWords
from starover_cli.team.line import Line
from starover_cli.team.working import zones_of

from starover import job_history
from starover.drivers.local import Why
from starover.errors import BadParameter, ConnectFailed, Locked, StaroverError
from starover.events import RunEnded, Told
from starover.inventory import load
from starover.journal import Recorded, read_journal

INVENTORY = Path(__file__).parents[2] / "inventory" / "example.yaml"
NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)


def typed(folder: Path, *words: str) -> Result:
    settings = Settings(dir=str(folder), inventory=str(INVENTORY))
    return CliRunner().invoke(main, list(words), obj=settings)


@pytest.mark.parametrize(
    "words",
    [
        ("worker",),
        ("submit", "preflight"),
        ("submit", "9d20e6f4"),
        ("cancel", "DAG1"),
        ("runs", "--engine", "temporal"),
        ("approve", "DAG1", "--engine", "temporal"),
        ("job", "install", "--temporal"),
    ],
)
def test_without_the_extra_it_is_said_what_to_type(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *of: None if name == "temporalio" else found(name, *of)
    )
    done = typed(tmp_path, *words)
    assert (done.exit_code, "pip install 'starover[temporal]'" in done.stderr) == (2, True), done.output


def test_zones_are_named_as_zones_or_as_sites() -> None:
    estate = load(INVENTORY)
    assert zones_of(estate, ["AZ1", "EU-WEST-1B", "eu-west-1a"]) == ["eu-west-1a", "eu-west-1b"]
    with pytest.raises(BadParameter, match="no Availability Zone or site mars"):
        zones_of(estate, ["mars"])


def test_who_takes_scripts_only_says_whose(tmp_path: Path) -> None:
    done = typed(tmp_path, "worker", "--only-scripts")
    assert (done.exit_code, "--zone AZ" in done.stderr) == (2, True)


@pytest.mark.parametrize("key", [b"", b"too short", "ключ".encode(), b"A" * 43 + b"="])
def test_the_key_for_payloads_is_a_file_and_in_no_message(key: bytes, tmp_path: Path) -> None:
    pytest.importorskip("temporalio")
    from starover_cli.team.line import sealing

    file = tmp_path / "codec.key"
    file.write_bytes(key)
    if len(key) == 44:
        assert sealing(Line(codec_key=str(file))).sealed
        return
    with pytest.raises(BadParameter) as error:
        assert sealing(Line(codec_key=str(file))).sealed
    assert "too short" not in str(error.value)
    with pytest.raises(BadParameter, match="cannot be read"):
        sealing(Line(codec_key=str(tmp_path / "none")))


def test_certificates_are_files_and_go_in_pairs(tmp_path: Path) -> None:
    pytest.importorskip("temporalio")
    from starover.drivers.temporal.tls import tls_of

    (tmp_path / "one.pem").write_bytes(b"-----")
    assert (tls_of(wanted=False), tls_of(wanted=True)) == (False, True)
    made = tls_of(wanted=False, ca=str(tmp_path / "one.pem"))
    assert not isinstance(made, bool)
    assert made.server_root_ca_cert == b"-----"
    with pytest.raises(BadParameter, match="go together"):
        tls_of(wanted=True, cert="one.pem")
    with pytest.raises(BadParameter, match=r"none\.pem cannot be read"):
        tls_of(wanted=True, ca=str(tmp_path / "none.pem"))


def test_a_process_that_has_loaded_the_client_ends_at_once_with_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[int] = []
    monkeypatch.setattr(program, "os", type("os", (), {"_exit": left.append}))
    monkeypatch.setitem(sys.modules, "temporalio", object())
    with pytest.raises(SystemExit):
        program.leave(75)
    monkeypatch.delitem(sys.modules, "temporalio")
    with pytest.raises(SystemExit) as without:
        program.leave(4)
    assert (left, without.value.code) == ([75], 4)


def test_whatever_was_said_is_out_before_it_ends(tmp_path: Path) -> None:
    pytest.importorskip("temporalio")
    line = [sys.executable, "-m", "starover_cli", "--inventory", str(INVENTORY), "cancel", "DAG1", "--format", "json"]
    environment = {**os.environ, "STAROVER_TEMPORAL_CODEC_KEY": "", "STAROVER_TEMPORAL_ADDRESS": "127.0.0.1:1"}
    said = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment)
    assert (said.returncode, '"exit":6' in said.stdout, "exit 6 unreachable" in said.stderr) == (6, True, True)


def test_those_whom_a_job_tells_are_told_by_the_worker(tmp_path: Path) -> None:
    jobs = tmp_path / "jobs"
    jobs.mkdir()
    heard = tmp_path / "heard"
    program_ = "import os, sys; open(sys.argv[1], 'a').write(os.environ['STAROVER_SUBJECT'] + chr(10))"
    command = json.dumps([sys.executable, "-c", program_, str(heard)])
    (jobs / "lamps.yaml").write_text(
        f'runbook: lamps-on\nschedule: "0 22 * * 6"\ntell:\n  - command: {command}\n', "utf-8"
    )
    site = Site(tmp_path / "state")
    words = JobWords(Settings(dir=str(site.folder)), jobs)
    for who in ("job:lamps", "somebody"):
        local = site.local(who)
        local.sinks = (words,)
        local.why = Why(who=who)
        made = local.plan("lamps-on", {"servers": ["EX1"], "names": [who.removeprefix("job:")]}).plan
        assert local.apply(made, approve=approval_of).exit == 0
        words.close()
    assert heard.read_text() == "starover lamps: ok\n"
    began, ended = job_history.read(site.folder, "lamps")
    assert isinstance(began, job_history.Began)
    assert isinstance(ended, job_history.Ended)
    assert (ended.exit, ended.told, bool(ended.run)) == (0, (), True)
    assert began.due is not None
    busy = Locked("another run of this DAG is under way: starover/unit/dag1")
    words.unbegun("somebody", busy, began.at)
    words.unbegun("job:lamps", busy, began.due + timedelta(weeks=3, minutes=1))
    words.close()
    missed, _, ended = job_history.read(site.folder, "lamps")[2:]
    assert isinstance(missed, job_history.Missed)
    assert missed.due == (began.due + timedelta(weeks=1), began.due + timedelta(weeks=2))
    assert isinstance(ended, job_history.Ended)
    assert (ended.exit, ended.run, ended.due) == (75, "", began.due + timedelta(weeks=3))
    assert heard.read_text().splitlines()[1:] == [ended.subject], "once, and of nobody's own start"


def test_a_run_that_another_worker_began_is_told_by_the_one_that_ended_it(tmp_path: Path) -> None:
    jobs = tmp_path / "jobs"
    jobs.mkdir()
    (jobs / "lamps.yaml").write_text('runbook: lamps-on\nschedule: "0 22 * * 6"\n', "utf-8")
    site = Site(tmp_path / "state")
    words = JobWords(Settings(dir=str(site.folder)), jobs)
    for who in ("somebody", "job:lamps"):
        local = site.local(who)
        local.why = Why(who=who)
        made = local.plan("lamps-on", {"servers": ["EX1"], "names": [who.removeprefix("job:")]})
        ran = local.apply(made.plan, approve=approval_of)
        for run in (made.run, ran.run):
            for one in read_journal(site.folder, run):
                if isinstance(one.body, Recorded) and isinstance(one.body.event, RunEnded):
                    words.tell(Told(at=one.at, run=run, event=one.body.event))
    words.close()
    (_, ended) = job_history.read(site.folder, "lamps")
    assert isinstance(ended, job_history.Ended)
    assert ended.run == ran.run, "the run, and not its planning; of nobody's own run is anything kept"


def test_why_nobody_says_where_a_run_is() -> None:
    pytest.importorskip("temporalio")
    from starover_cli.team.following import why_silent

    from starover.drivers.temporal.client import NoWorker

    nobody = NoWorker("no worker answers for starover/prod/dag1")
    assert "has taken it yet" in why_silent(nobody, taken=False)
    assert "answers for it now" in why_silent(nobody, taken=True)
    other = StaroverError("this run goes by starover 1.2; here is 1.3: it waits for a worker of that version")
    assert "it waits for a worker of that version" in why_silent(other, taken=False)
    assert "server does not answer" in why_silent(ConnectFailed("gone"), taken=True)


def test_a_script_that_nobody_wants_any_more_holds_up_no_other_of_its_host(tmp_path: Path) -> None:
    pytest.importorskip("temporalio")
    from starover.drivers.hosts import Job
    from starover.drivers.temporal import Site as WorkerSite
    from starover.drivers.temporal.crew import Crew
    from starover.effects import Script

    of = Site(tmp_path)
    site = WorkerSite(estate=of.local().estate, transport=of.hosts, clock=of.clock, folder=tmp_path)

    async def story() -> list[int]:
        crew = Crew(site, None)  # type: ignore[arg-type] # no server is asked
        for number, host in ((1, "EX1"), (2, "EX1"), (3, "EX2")):
            job = Job(number, Script(host=host, text="", nonce="n", deadline=1.0, parts=()))
            crew._hosts.put(job)
            if number > 1:  # nobody wants the first one any more
                crew._flights[number] = None  # type: ignore[assignment] # it is only asked whether it is there
        return sorted(job.number for job in crew._wanted())

    assert asyncio.run(story()) == [2, 3]

"""`starover job` on a lab in process: S14 from a file, the same journal as by hand; late, missed, overlapping, told."""

from __future__ import annotations

import os
import re
import socketserver
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from inner_cli import said, typed
from inner_lab import InnerLab
from starover_cli import job_running
from starover_cli.room import Room
from starover_cli.settings import Settings

from starover import job_history as history
from starover.errors import StaroverError
from starover.jobs import Job
from starover.journal import Begun, Recorded, Sent, read_journal, run_ids
from starover.journal_lock import hold

EXAMPLES = Path(__file__).parents[2] / "inventory" / "jobs"
ESTATE = ("pa-4x2",) if "STAROVER_STORIES" in os.environ else ("aws-2az", "dag")
"""Two members do what four do; `make test-all` plays four."""
START = datetime(2026, 11, 20, 14, tzinfo=UTC)


def write(folder: Path, name: str, text: str) -> Path:
    jobs = folder / "jobs-here"
    jobs.mkdir(exist_ok=True)
    (jobs / f"{name}.yaml").write_text(text, "utf-8")
    return jobs


HEALTH = 'runbook: health-report\nschedule: "0 * * * *"\n'


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[InnerLab]:
    with InnerLab("pa-4x2", tmp_path) as made:
        yield made


def shape(folder: Path, run: str) -> tuple[Counter[str], dict[str, list[str]]]:
    """A journal without ids and times: what was sent to whom, and what became of each step, in its order.

    Hosts that are asked side by side may answer in any order.
    """
    sent: Counter[str] = Counter()
    steps: dict[str, list[str]] = {}
    for entry in read_journal(folder, run):
        match entry.body:
            case Sent() as one:
                sent[f"{one.host} {one.what}"] += 1
            case Recorded(event=event):
                step = getattr(event, "step", None)
                if step is not None:
                    steps.setdefault(str(step), []).append(type(event).__name__)
            case _:
                sent[type(entry.body).__name__] += 1
    return sent, steps


def test_the_examples_are_right(lab: InnerLab) -> None:
    result = typed(lab, "job", "check", "--jobs", str(EXAMPLES))
    assert result.exit_code == 0, result.output
    assert result.stdout.count("  ok  ") == len(list(EXAMPLES.glob("*.yaml"))) >= 5
    listed = typed(lab, "job", "list", "--jobs", str(EXAMPLES))
    assert "Sat 21 Nov 22:00 CET" in listed.stdout


def test_s14_from_a_file_is_the_same_run_as_by_hand(tmp_path: Path) -> None:
    shapes: list[object] = []
    for which in ("job", "hand"):
        folder = tmp_path / which
        folder.mkdir()
        with InnerLab(*ESTATE[:1], folder, **dict.fromkeys(ESTATE[1:], True)) as lab:
            if which == "job":
                patch = 'runbook: rolling-windows-update\nschedule: "0 14 * * *"\nparameters: {witness: last}\n'
                jobs = write(lab.folder, "patch", patch)
                result = typed(lab, "job", "run", "patch", "--jobs", str(jobs))
            else:
                result = typed(lab, "run", "rolling-windows-update", "--witness", "last", "--yes", "--format", "json")
            assert result.exit_code == 0, result.output[-3000:]
            runs = [run for run in run_ids(folder) if begun(folder, run).runbook == "rolling-windows-update"]
            shapes.append([shape(folder, run) for run in runs])
            assert {begun(folder, run).who == "job:patch" for run in runs} == {which == "job"}
            if which == "job":
                last = said(result)[-1]
                assert last["exit"] == 0
                assert " patched: " in last["message"].partition("\n")[0]
                assert "Nothing for you to do." in last["message"]
                again = typed(lab, "job", "run", "patch", "--jobs", str(jobs))
                assert again.exit_code == 0
                assert said(again)[-1]["why"] == "it has run for its last time"
    assert shapes[0] == shapes[1]


def begun(folder: Path, run: str) -> Begun:
    body = read_journal(folder, run)[0].body
    assert isinstance(body, Begun)
    return body


def test_a_job_is_not_begun_outside_its_time_nor_twice_at_once(lab: InnerLab) -> None:
    jobs = write(lab.folder, "health", HEALTH.replace("0 *", "0 3"))
    result = typed(lab, "job", "run", "health", "--jobs", str(jobs))
    assert result.exit_code == 75
    assert not lab.transport.sent
    held = hold(history.lock_of(lab.folder, "health"))
    assert held is not None
    result = typed(lab, "job", "run", "health", "--now", "--jobs", str(jobs))
    held.close()
    assert result.exit_code == 75
    assert "is under way" in result.stderr
    assert isinstance(history.read(lab.folder, "health")[-1], history.Overlapped)
    refused = [begun(lab.folder, run) for run in run_ids(lab.folder)]
    assert [(one.asked, one.who, one.runbook) for one in refused] == [("job health", "job:health", "health-report")] * 2
    assert typed(lab, "job", "run", "health", "--now", "--jobs", str(jobs)).exit_code == 0


def test_a_window_that_is_closed_is_no_matter_of_a_hand(lab: InnerLab) -> None:
    jobs = write(lab.folder, "health", HEALTH + "timezone: Europe/Madrid\nwindow: Sat 22:00-06:00 Europe/Madrid\n")
    for more in ((), ("--now",)):
        result = typed(lab, "job", "run", "health", *more, "--jobs", str(jobs))
        assert result.exit_code == 75
        said_so = " ".join(result.stderr.split())
        assert "opens Sat 21 Nov 22:00 CET" in said_so
        assert "job run health --now" not in said_so, "that would be refused too"
    early = write(lab.folder, "early", HEALTH.replace("0 *", "0 3"))
    assert "job run early --now" in typed(lab, "job", "run", "early", "--jobs", str(early)).stderr


def test_units_go_where_there_is_a_folder(lab: InnerLab, tmp_path: Path) -> None:
    jobs = write(lab.folder, "health", HEALTH)
    wrong = typed(lab, "job", "install", "health", "--jobs", str(jobs), "--into", str(tmp_path / "nowhere"))
    assert wrong.exit_code == 2
    assert "starover job install health --systemd" in wrong.stderr
    right = typed(lab, "job", "install", "health", "--jobs", str(jobs), "--into", str(tmp_path))
    assert right.exit_code == 0
    assert "starover-health.timer" in (right.stderr + right.stdout)
    assert (tmp_path / "starover-health.service").read_text().startswith("[Unit]")


def test_what_was_missed_and_cut_off_is_in_the_message(lab: InnerLab) -> None:
    jobs = write(lab.folder, "health", HEALTH)
    history.append(lab.folder, "health", history.Began(at=START.replace(hour=11), due=START.replace(hour=11)))
    listed = typed(lab, "job", "list", "--jobs", str(jobs))
    assert "cut off" in listed.stdout
    assert "MISSED 2" in listed.stdout
    lines = said(typed(lab, "job", "run", "health", "--jobs", str(jobs)))
    assert "MISSED: Fri 20 Nov 12:00, Fri 20 Nov 13:00." in lines[-1]["message"]
    assert lines[0]["subject"] == "starover health: CUT OFF"
    assert "starover resume RUN" in lines[0]["message"]
    assert "MISSED" not in typed(lab, "job", "list", "--jobs", str(jobs)).stdout


def test_a_run_that_was_cut_off_is_told_though_its_time_is_over(lab: InnerLab) -> None:
    jobs = write(lab.folder, "health", HEALTH)
    history.append(lab.folder, "health", history.Began(at=START, due=START))
    result = typed(lab, "job", "run", "health", "--jobs", str(jobs))
    assert result.exit_code == 1
    assert [one.get("subject") for one in said(result)] == ["starover health: CUT OFF", None]
    assert not lab.transport.sent, "nothing is done again by itself"
    assert typed(lab, "job", "run", "health", "--jobs", str(jobs)).exit_code == 0, "it is told once"


class _Relay(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        lines: list[str] = []
        self.wfile.write(b"220 relay\r\n")
        data = False
        for raw in self.rfile:
            line = raw.decode().rstrip("\r\n")
            if data:
                data = line != "."
                lines.append(line)
                if not data:
                    self.server.mails.append("\n".join(lines))  # type: ignore[attr-defined]
                    self.wfile.write(b"250 kept\r\n")
            elif line.upper() == "DATA":
                data = True
                self.wfile.write(b"354 go on\r\n")
            elif line.upper() == "QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            else:
                self.wfile.write(b"250 ok\r\n")


def test_trouble_is_told_by_mail_and_by_a_program_and_deafness_is_kept(lab: InnerLab, tmp_path: Path) -> None:
    server: Any = socketserver.TCPServer(("127.0.0.1", 0), _Relay)
    server.mails = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    script = tmp_path / "told.py"
    script.write_text(
        "import os, sys, pathlib\n"
        f"pathlib.Path({str(tmp_path / 'told')!r}).write_text(os.environ['STAROVER_EXIT'] + ' ' + sys.stdin.read())\n"
    )
    jobs = write(
        lab.folder,
        "resume",
        f"""\
runbook: copies-suspend
schedule: "0 14 * * *"
parameters: {{db: DB01, server: EX2, mode: full}}
tell:
  - {{mail: [team@example.com], from: starover@example.com, relay: "127.0.0.1:{server.server_address[1]}"}}
  - {{command: [{sys.executable}, {script}]}}
  - {{command: [/nowhere/at-all]}}
""",
    )
    lab.transport.accident = lambda script: "before" if script.mutates else None
    result = typed(lab, "job", "run", "resume", "--jobs", str(jobs))
    server.shutdown()
    server.server_close()
    assert result.exit_code not in (0, 75), result.output
    (mail,) = server.mails
    assert "Subject: starover resume: " in mail
    assert "run " in mail
    assert "starover runs show" in mail
    assert (tmp_path / "told").read_text().startswith(f"{result.exit_code} ")
    ended = history.read(lab.folder, "resume")[-1]
    assert isinstance(ended, history.Ended)
    assert ended.exit == result.exit_code
    assert len(ended.told) == 1
    assert "/nowhere/at-all" in ended.told[0]


@pytest.mark.parametrize(
    ("schedule", "calendars"),
    [
        ("0 22 * * 6#3", ["Sat *-*-15..21 22:00:00"]),
        ("*/30 6 * * 1-5", ["Mon,Tue,Wed,Thu,Fri *-*-* 06:00,30:00"]),
        ("5 4 1 * 0", ["*-*-01 04:05:00", "Sun *-*-* 04:05:00"]),
        ("0 9 1 1,4,7,10 *", ["*-01,04,07,10-01 09:00:00"]),
        ("15 * * * *", ["*-*-* *:15:00"]),
        ("0 22 1,L * *", ["*-*-01 22:00:00", "*-*~01 22:00:00"]),
        ("0 22 * 3,6 5L", ["Fri *-03,06~07/1 22:00:00"]),
    ],
)
def test_systemd_is_told_the_same_times(lab: InnerLab, schedule: str, calendars: list[str]) -> None:
    jobs = write(lab.folder, "one", f'runbook: health-report\nschedule: "{schedule}"\ntimezone: Europe/Madrid\n')
    text = typed(lab, "job", "install", "one", "--jobs", str(jobs)).stdout
    found = re.findall(r"^OnCalendar=(.*) Europe/Madrid$", text, re.MULTILINE)
    assert found == calendars
    assert f'"--jobs" "{jobs}"' in text


def test_what_no_scheduler_can_say_is_said_with_what_to_do(lab: InnerLab) -> None:
    jobs = write(lab.folder, "last", 'runbook: health-report\nschedule: "0 22 LW * *"\n')
    result = typed(lab, "job", "install", "last", "--jobs", str(jobs))
    assert result.exit_code == 2
    assert "starover job run last   from a timer of every day" in result.stderr
    assert "job install last --systemd" in typed(lab, "job", "install", "last", "--cron", "--jobs", str(jobs)).stderr


@pytest.mark.parametrize("how", ["--systemd", "--cron"])
def test_what_was_typed_to_install_it_is_what_is_started(lab: InnerLab, how: str) -> None:
    jobs = write(lab.folder, "health", HEALTH)
    given = ("--transport", "winrm", "--dag", "DAG1")
    text = typed(lab, *given, "job", "install", "health", how, "--jobs", str(jobs)).stdout.replace('"', "")
    for words in ("--transport winrm", "--dag DAG1", f"--dir {lab.folder}", "--inventory "):
        assert words in text


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("rtoo: 5", "dr-drill does not take rtoo"),
        ("live: true", "dr-drill does not take live"),
        ("rto: soon", "'soon' is not a valid integer"),
        ("rpo: -1", "-1 is not in the range"),
        ("lose: [az:nowhere]", "the inventory has nothing of that name"),
    ],
)
def test_a_drill_is_checked_before_its_night(lab: InnerLab, given: str, why: str) -> None:
    jobs = write(lab.folder, "drill", f'runbook: dr-drill\nschedule: "0 9 1 * *"\nparameters: {{{given}}}\n')
    result = typed(lab, "job", "check", "--jobs", str(jobs))
    assert result.exit_code == 2
    assert why in result.stdout
    assert typed(lab, "job", "run", "drill", "--now", "--jobs", str(jobs)).exit_code == 2
    right = write(
        lab.folder, "drill", jobs.joinpath("drill.yaml").read_text().replace(given, "lose: [EX1, az:1a], rto: 15")
    )
    assert typed(lab, "job", "check", "--jobs", str(right)).exit_code == 0
    assert not lab.transport.sent


def test_a_wrong_file_is_named_and_nothing_is_contacted(lab: InnerLab) -> None:
    jobs = write(lab.folder, "one", 'runbook: health-reprt\nschedule: "0 * * * *"\n')
    write(lab.folder, "two", 'runbook: preflight\nschedule: "0 * * * *"\nparameters: {colour: red}\n')
    result = typed(lab, "job", "check", "--jobs", str(jobs))
    assert result.exit_code == 2
    assert "health-reprt" in result.stdout
    assert "colour, which preflight does not take" in result.stdout
    assert typed(lab, "job", "run", "two", "--now", "--jobs", str(jobs)).exit_code == 2
    assert typed(lab, "job", "run", "three", "--jobs", str(jobs)).exit_code == 2
    assert not lab.transport.sent


def test_a_job_breaks_no_glass_and_certifies_nothing(lab: InnerLab) -> None:
    head = 'runbook: force-quorum\nschedule: "0 * * * *"\ndag: DAG1\nticket: INC1\nparameters: {lost_site: AZ1, '
    for name, given in (("glass", 'break_glass: "weekly, unattended"'), ("word", "certified_by: [anna, ben]")):
        jobs = write(lab.folder, name, f"{head}{given}}}\n")
        result = typed(lab, "job", "run", name, "--now", "--jobs", str(jobs))
        assert result.exit_code == 2
        assert "nobody is there to give such a word" in result.stderr
    assert not lab.transport.sent


def test_what_is_told_has_no_secret_in_it(lab: InnerLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host, a library or whoever is told may repeat what it was given, by a way that no engine has seen."""
    password = " ".join(["canary in the cage"] * 5)
    monkeypatch.setattr(type(lab.transport), "secrets", lambda _self: [password])

    def fails(own: Settings, _job: Job) -> int:
        with Room(own, own.parts) as room:
            assert room.transport.secrets() == [password]
        raise StaroverError(f"the library said {password}", next=(f"starover --password {password}",))

    monkeypatch.setattr(job_running, "_do", fails)
    script = tmp_path / "told.py"
    script.write_text(
        f"import pathlib, sys\npathlib.Path({str(tmp_path / 'told')!r}).write_text(sys.stdin.read())\n"
        f"sys.exit({password!r})\n"
    )
    tell = f"tell: [{{command: [{sys.executable}, {script}]}}]\n"
    result = typed(lab, "job", "run", "health", "--now", "--jobs", str(write(lab.folder, "health", HEALTH + tell)))
    assert result.exit_code == 1
    kept = (lab.folder / "jobs" / "health.jsonl").read_text()
    assert "could not be told" in result.output
    for text in ((tmp_path / "told").read_text(), result.output, kept):
        assert "(hidden)" in text
        assert "canary" not in text

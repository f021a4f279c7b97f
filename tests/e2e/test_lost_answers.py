"""Answers that are lost on the wire, Ctrl-C and sudden death: the run says what is true, and a resume ends it right."""

from __future__ import annotations

import re
import shutil
import signal
import time
from collections.abc import Iterator

import pytest
from lab_cli import Place, Typed, lab, struck

from starover import retry
from starover.transport import line, session
from starover.transport.psrp import PsrpTransport

pytestmark = pytest.mark.wire
COPY = ("--db", "DB01", "--server", "EX3")
SUSPEND = ("copies-suspend", *COPY, "--mode", "full")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with lab(tmp_path_factory.mktemp("lost"), "pa-4x2") as place:
        yield place


@pytest.fixture
def place(running: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A lab in which DB01/EX3 is Healthy; our own patience is short, the rules are the same."""
    monkeypatch.setattr(line, "LOST_SECONDS", 0.5)
    monkeypatch.setattr(line, "ANSWER_SECONDS", 1.5)
    monkeypatch.setattr(session, "FIRST_PAUSE", 0.02)
    yield running
    running.calm("EX3")
    assert running.within("run", "copies-resume", *COPY, "--yes").code == 0
    assert running.state()["violations"] == []


def planned(place: Place) -> str:
    typed = place.within("--format", "json", "plan", *SUSPEND)
    assert typed.code == 0, typed.err
    return str(typed.json["id"])


def run_of(typed: Typed) -> str:
    found = re.search(r"run ([0-9a-f]{8}\.\d+)", typed.out)
    assert found is not None, typed.out + typed.err
    return found[1]


@pytest.mark.parametrize(
    ("action", "kind", "times", "code", "done"),
    [
        ("Command", "reset-before", 1, 6, 0),
        ("Command", "reset-after", 1, 0, 1),
        ("Command", "half", 1, 0, 1),
        ("Command", "silent-after", 1, 0, 1),
        ("Command", "http-400", 1, 6, 0),
        ("Command", "http-401", 1, 6, 0),
        ("Command", "http-500", 1, 6, 0),
        ("Command", "http-503", 1, 0, 1),
        ("Receive", "reset-after", 1, 0, 1),
        ("Receive", "half", 1, 0, 1),
        ("Receive", "http-401", 1, 5, 1),
        ("Receive", "http-503", 99, 5, 1),
        ("Receive", "reset-after", 5, 0, 1),
    ],
)
def test_a_write_is_done_once_whatever_becomes_of_its_answer(
    place: Place, monkeypatch: pytest.MonkeyPatch, action: str, kind: str, times: int, code: int, done: int
) -> None:
    plan = planned(place)
    before = len(place.writes())
    with monkeypatch.context() as patched:
        patched.setattr(PsrpTransport, "run", struck(lambda: place.accident("EX3", kind, action, times)))
        patched.setattr(retry, "PROBE_TRIES", 2)
        typed = place.within("apply", plan, "--yes")
    assert typed.code == code, typed.out + typed.err
    assert len(place.writes()) - before == done
    assert place.copy("DB01", "EX3")["status"] == ("Suspended" if done else "Healthy")
    if code == 5:
        assert "exit 5 unknown" in typed.err
        assert re.search(r"^  not certain ", typed.err, re.MULTILINE)
        assert "nothing was sent" not in typed.err
    if code:
        assert f"starover resume {run_of(typed)}" in typed.err
        place.calm("EX3")
        again = place.within("resume", run_of(typed))
        assert again.code == 0, again.out + again.err
        assert "changed 1, checked again: holds." in again.out
    assert place.writes()[before:] == ["Suspend-MailboxDatabaseCopy"]
    assert place.copy("DB01", "EX3")["status"] == "Suspended"
    assert place.within("audit", "verify").code == 0


def test_a_host_that_is_gone_after_the_write_leaves_it_unknown_until_it_is_back(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(place)

    def soon() -> None:
        place.control("break", kind="winrm_refused", target="EX3", params={"after_s": 1})

    with monkeypatch.context() as patched:
        patched.setattr(PsrpTransport, "run", struck(soon))
        typed = place.within("apply", plan, "--yes")
    assert typed.code == 5, typed.out + typed.err
    assert "nothing was sent" not in typed.err
    still = place.within("resume", run_of(typed))
    assert still.code == 5, "EX3 is not back"
    place.calm("EX3")
    before = len(place.writes())
    assert place.copy("DB01", "EX3")["status"] == "Suspended"
    assert place.within("resume", run_of(typed)).code == 0
    assert len(place.writes()) == before
    assert "nothing to resume" in place.within("resume", run_of(typed)).err


def wait_for_write(place: Place) -> None:
    """Until the lab has carried the write out, and nobody has heard of it."""
    for _ in range(200):
        if place.control("state")["state"]["databases"]["DB01"]["copies"]["EX3"]["status"] == "Suspended":
            return
        time.sleep(0.05)
    raise AssertionError("nothing was written")


@pytest.mark.parametrize("signals", [(signal.SIGINT, signal.SIGINT), (signal.SIGKILL,)], ids=["ctrl-c", "kill"])
def test_who_is_ended_in_the_middle_of_a_write_resumes_and_finds_it(
    place: Place, signals: tuple[signal.Signals, ...]
) -> None:
    plan = planned(place)
    before = len(place.writes())
    process = place.start("apply", plan, "--yes", accident=("EX3", "silent-after", "Command", 1))
    wait_for_write(place)
    for one in signals:
        process.send_signal(one)
        time.sleep(0.3)
    out, err = process.communicate(timeout=300)
    if signal.SIGINT in signals:
        assert process.returncode == 130, out + err
        assert "exit 130 interrupted" in err
        assert "not known to be done: step 1 on EX3" in " ".join(out.split())
        assert "the host did not take the order to end it: it may still run there" in " ".join(out.split())
    last = max(int(file.stem.rpartition(".")[2]) for file in (place.folder / ".starover" / "runs").glob(f"{plan}.*"))
    there = place.folder / f"another-machine-{last}"  # it has the journal, and nothing else of the process that died
    shutil.copytree(place.folder / ".starover", there, ignore=shutil.ignore_patterns("lab", "*.lock"))
    again = place.within("resume", f"{plan}.{last}", "--dir", str(there))
    assert again.code == 0, again.out + again.err
    assert "receipt found" in again.out
    assert len(place.writes()) - before == 1
    assert place.within("audit", "verify", "--dir", str(there)).code == 0
    assert "nothing to resume" in place.within("resume", f"{plan}.{last}", "--dir", str(there)).err


def test_ctrl_c_once_ends_after_the_step(place: Place) -> None:
    assert place.within("run", *SUSPEND, "--yes").code == 0
    before = len(place.writes())
    plan = str(place.within("--format", "json", "plan", "copies-resume", *COPY).json["id"])
    process = place.start("apply", plan, "--yes", accident=("EX3", "http-503", "Receive", 4))
    try:
        assert process.stderr is not None
        heard = next(text for text in process.stderr if "Suspended -> Healthy" in text)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 1, heard + out + err
    assert "stopping after the step that is under way" in err
    assert place.writes()[before:] == ["Resume-MailboxDatabaseCopy"]
    again = place.within("resume", run_of(Typed(1, out, err)))
    assert again.code == 0, again.out + again.err
    assert len(place.writes()) == before + 1


def test_one_plan_applied_twice_at_once_ends_as_planned(place: Place) -> None:
    plan = planned(place)
    both = [place.start("apply", plan, "--yes") for _ in range(2)]
    look = place.within("--format", "json", "status")
    ends = [(*one.communicate(timeout=300), one.returncode) for one in both]
    assert {code for *_, code in ends} <= {0, 4, 75}, ends  # the DAG is leased to the first
    assert 0 in {code for *_, code in ends}
    assert look.code == 0
    assert place.copy("DB01", "EX3")["status"] == "Suspended"
    third = place.within("apply", plan, "--yes")
    assert third.code == 0
    assert "Nothing to do" in third.out
    assert place.within("audit", "verify").code == 0

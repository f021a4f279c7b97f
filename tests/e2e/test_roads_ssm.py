"""The road ssm over the lab's AWS by boto3: S8, agents that do not answer, cut output, the way back to WinRM."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from lab_cli import Place, lab, snapin

from starover.transport.ssm import SsmTransport
from starover.transport.ssm_script import Sending

pytestmark = pytest.mark.wire
COPY = ("--db", "DB01", "--server", "EX3")
SUSPEND = ("copies-suspend", *COPY, "--mode", "full")
SSM = ("--transport", "ssm")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with lab(tmp_path_factory.mktemp("ssm"), "pa-4x2") as place:
        place.each_server(snapin)
        yield place


@pytest.fixture
def place(running: Place) -> Iterator[Place]:
    """A lab in which DB01/EX3 is Healthy."""
    before = running.inventory.read_text("utf-8")
    yield running
    running.inventory.write_text(before, "utf-8")
    running.calm("EX3")
    assert running.within("run", "copies-resume", *COPY, "--yes").code == 0
    assert running.state()["violations"] == []


def ssm_first(server: dict[str, Any]) -> None:
    server["roads"] = [{"kind": "ssm"}, *server["roads"]]


def break_(place: Place, kind: str, target: str, **params: object) -> None:
    place.control("break", kind=kind, target=target, params=params)


def commands(place: Place) -> int:
    """Scripts that agents have run until now."""
    return sum(one["kind"] == "ssm_script" for one in place.control("events")["events"])


def journal(place: Place, last: int = 1) -> str:
    """The journals of the last runs, planning included."""
    files = sorted((place.folder / ".starover/runs").glob("*.jsonl"), key=lambda file: file.stat().st_mtime_ns)
    return "".join(file.read_text("utf-8") for file in files[-last:])


def test_a_copy_is_suspended_and_resumed_by_run_command(place: Place) -> None:
    before, scripts = len(place.writes()), commands(place)
    first = place.within("run", *SUSPEND, "--comment", "disk swap", "--yes", *SSM)
    assert first.code == 0, first.out + first.err
    assert "changed 1, checked again: holds." in first.out
    assert place.copy("DB01", "EX3")["comment"] == "[starover] disk swap"
    assert commands(place) > scripts
    assert '"road":"ssm ' in journal(place), "the journal names the command"
    assert "Nothing to do" in place.within("run", *SUSPEND, "--yes", *SSM).out
    back = place.within("run", "copies-resume", *COPY, "--yes", *SSM)
    assert back.code == 0, back.out + back.err
    assert place.copy("DB01", "EX3")["status"] == "Healthy"
    assert place.writes()[before:] == ["Suspend-MailboxDatabaseCopy", "Resume-MailboxDatabaseCopy"]
    callers = {entry["caller"] for entry in place.state()["audit"][before:]}
    assert callers == {"EXAMPLE\\EX3$"}, "LocalSystem is the server itself"


def test_the_whole_estate_is_seen_by_run_command(place: Place) -> None:
    seen = place.within("status", *SSM)
    assert seen.code in (0, 1), seen.out + seen.err
    assert "4 of 4 databases mounted" in seen.out
    assert "no answer from" not in seen.out


def test_what_needs_exchanges_own_session_is_refused_before_anything_is_sent(place: Place) -> None:
    def remote(server: dict[str, Any]) -> None:
        if "exchange" in server:
            server["exchange"] = {"version": server["exchange"]["version"]}

    place.each_server(remote)
    scripts = commands(place)
    refused = place.within("plan", *SUSPEND, *SSM)
    assert refused.code == 2, refused.out + refused.err
    said = " ".join(refused.err.split())
    assert "Suspend-MailboxDatabaseCopy" in said or "Get-MailboxDatabaseCopyStatus" in said
    assert "snapin" in said
    assert commands(place) == scripts
    maintenance = place.within("plan", "maintenance-start", "--server", "EX1", *SSM)
    assert maintenance.code == 2
    assert "steps of maintenance-start that need Exchange:" in maintenance.words
    assert "hub drained" in maintenance.words


def test_an_agent_that_does_not_answer_is_unreachable_and_the_next_road_is_taken(place: Place) -> None:
    why = "did not take"
    break_(place, "ssm_agent_dead", "EX3")
    alone = place.within("plan", *SUSPEND, *SSM)
    assert alone.code == 6, alone.out + alone.err
    assert why in " ".join(alone.err.split())
    place.each_server(ssm_first)
    typed = place.within("run", *SUSPEND, "--yes")
    assert typed.code == 0, typed.out + typed.err
    assert '"road":"psrp+http"' in journal(place)
    assert why in journal(place, 2), "the journal says why the first road was left"


def test_output_that_is_cut_is_told_and_changes_nothing(place: Place) -> None:
    break_(place, "ssm_output_truncated", "EX3", characters=400)
    before = len(place.writes())
    typed = place.within("plan", *SUSPEND, *SSM)
    assert typed.code == 1, typed.out + typed.err
    assert "cut" in typed.err
    assert len(place.writes()) == before


@pytest.mark.parametrize(
    ("fault", "target", "params"),
    [
        ("aws_throttle", "send_command", {"times": 2}),
        ("ssm_late_to_see", "", {"questions": 3}),
    ],
)
def test_what_passes_is_waited_for(place: Place, fault: str, target: str, params: dict[str, object]) -> None:
    before = len(place.writes())
    break_(place, fault, target, **params)
    typed = place.within("run", *SUSPEND, "--yes", *SSM)
    assert typed.code == 0, typed.out + typed.err
    assert place.writes()[before:] == ["Suspend-MailboxDatabaseCopy"]


def test_a_write_whose_road_is_refused_goes_by_the_next_one(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.each_server(ssm_first)
    made = place.within("--format", "json", "plan", *SUSPEND)
    assert made.code == 0, made.err
    before = len(place.writes())
    struck = []
    original = SsmTransport.run

    def run(self: SsmTransport, batch: Any, /) -> Any:
        if not struck and any(script.mutates for script in batch):
            struck.append(1)
            break_(place, "aws_error", "send_command", code="AccessDeniedException")
        return original(self, batch)

    monkeypatch.setattr(SsmTransport, "run", run)
    typed = place.within("apply", str(made.json["id"]), "--yes")
    assert typed.code == 0, typed.out + typed.err
    assert place.writes()[before:] == ["Suspend-MailboxDatabaseCopy"]
    assert "AWS does not allow Run Command" in journal(place)


@pytest.mark.parametrize("taken", [True, False], ids=["after sending", "before sending"])
def test_a_write_whose_answer_is_lost_is_done_once(place: Place, monkeypatch: pytest.MonkeyPatch, taken: bool) -> None:
    """Nobody hears whether AWS took the command, and it is not seen either: the receipt tells."""
    from starover.errors import ReplyLost
    from starover.transport import ssm_errand

    place.each_server(ssm_first)
    made = place.within("--format", "json", "plan", *SUSPEND)
    assert made.code == 0, made.err
    before = len(place.writes())
    lost: list[Sending] = []
    original = SsmTransport.call

    def call(self: SsmTransport, operation: str, parameters: Any, **more: Any) -> Any:
        if operation == "list_commands":
            return {"Commands": []}
        if operation == "send_command" and "write" in parameters["Comment"] and not lost:
            lost.append(parameters)
            if taken:
                original(self, operation, parameters, **more)
            raise ReplyLost("the connection to AWS broke")
        return original(self, operation, parameters, **more)

    monkeypatch.setattr(SsmTransport, "call", call)
    monkeypatch.setattr(ssm_errand, "LOOK_PAUSE", 0.01)
    typed = place.within("apply", str(made.json["id"]), "--yes")
    assert typed.code == 0, typed.out + typed.err
    assert len(lost) == 1
    assert place.writes()[before:] == ["Suspend-MailboxDatabaseCopy"]
    assert place.copy("DB01", "EX3")["status"] == "Suspended"
    assert place.within("audit", "verify").code == 0


def test_a_doctor_tries_every_road_and_keeps_what_was_answered(place: Place) -> None:
    import json

    def both(server: dict[str, Any]) -> None:
        server["roads"] = [*server["roads"], {"kind": "ssm"}]

    place.each_server(both)
    break_(place, "ssm_agent_dead", "EX2")
    before = len(place.writes())
    file = place.folder / "answers.json"
    typed = place.within("--format", "json", "doctor", "--hosts", "EX1,EX2,DC1", "--record", str(file), "--exit-code")
    assert typed.code == 1, typed.out + typed.err
    looks = typed.json["looks"]
    assert list(looks) == ["psrp", "ssm"]
    assert [(one["on"], one["check"]) for one in looks["psrp"] if one["level"] != "ok"] == []
    assert [(one["on"], one["check"]) for one in looks["ssm"] if one["level"] != "ok"] == [("EX2", "hello")]
    assert {"exchange", "cmdlets", "dns write", "aws stop"} <= {one["check"] for one in looks["psrp"]}
    kept = json.loads(file.read_text("utf-8"))
    assert {"access/hello.ps1.j2", "access/rights.ps1.j2"} <= {t for one in kept["readings"] for t in one["templates"]}
    password = json.loads((place.folder / ".starover/lab/lab.json").read_text("utf-8"))["users"][0]["password"]
    assert password not in file.read_text("utf-8")
    assert len(place.writes()) == before

"""Roads that die under a change, over the real wires: it ends on the other road, and the change is made once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from dying_door import CuttingDoor, DyingDoor
from lab_cli import Place, lab

from starover.transport import Answer, Script, line, session, ssm_errand
from starover.transport.psrp import PsrpTransport
from starover.transport.ssm import SsmTransport
from starover.transport.winrm import WinrmTransport

pytestmark = pytest.mark.wire
COPY = ("--db", "DB01", "--server", "EX3")
SUSPEND = ("copies-suspend", *COPY, "--mode", "full")
SSM = {"kind": "ssm"}
KINDS = {"psrp": PsrpTransport, "winrm": WinrmTransport, "ssm": SsmTransport}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with lab(tmp_path_factory.mktemp("dying"), "pa-4x2") as place:
        yield place


@pytest.fixture
def place(running: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A lab in which DB01/EX3 is Healthy; our own patience is short, the rules are the same."""
    monkeypatch.setattr(line, "LOST_SECONDS", 0.5)
    monkeypatch.setattr(line, "ANSWER_SECONDS", 1.5)
    monkeypatch.setattr(session, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(ssm_errand, "LOOK_PAUSE", 0.01)
    monkeypatch.setattr(ssm_errand, "POLL_TRIES", 1)
    kept = {name: file(running, name).read_text("utf-8") for name in ("inventory.yaml", "lab.json")}
    yield running
    for name, text in kept.items():
        file(running, name).write_text(text, "utf-8")
    running.calm("EX3")
    assert running.within("run", "copies-resume", *COPY, "--yes").code == 0
    assert running.state()["violations"] == []


def file(place: Place, name: str) -> Path:
    return place.folder / ".starover" / "lab" / name


def about(place: Place) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file(place, "lab.json").read_text("utf-8"))
    return found


def winrm_port(place: Place) -> int:
    (port,) = [int(one["http_port"]) for one in about(place)["hosts"] if one["name"] == "EX3"]
    return port


def give(place: Place, *roads: dict[str, Any]) -> None:
    """These roads to EX3, whose Exchange may be asked by the snap-in."""
    document = yaml.safe_load(file(place, "inventory.yaml").read_text("utf-8"))
    for server in document["servers"]:
        if server["name"] == "EX3":
            server["roads"] = list(roads)
            server["exchange"] |= {"provider": "snapin", "allow_unsupported_snapin": True}
    file(place, "inventory.yaml").write_text(yaml.safe_dump(document, sort_keys=False), "utf-8")


def by_winrm(kind: str, port: int) -> dict[str, Any]:
    return {"kind": kind, "port": port, "scheme": "http", "address": "127.0.0.1", "auth": "negotiate"}


def once(kind: str, act: Callable[[], object]) -> Callable[[Any, Sequence[Script]], Iterator[Answer]]:
    """The road's `run`, which does `act` just before its first write."""
    original, left = KINDS[kind].run, [act]

    def run(self: Any, batch: Sequence[Script], /) -> Iterator[Answer]:
        if left and any(script.mutates for script in batch):
            left.pop()()
        return original(self, batch)

    return run


def dies(place: Place, monkeypatch: pytest.MonkeyPatch, first: str, act: Callable[[], object], then: str) -> None:
    made = place.within("--format", "json", "plan", *SUSPEND)
    assert made.code == 0, made.out + made.err
    before = len(place.writes())
    with monkeypatch.context() as patched:
        patched.setattr(KINDS[first], "run", once(first, act))
        typed = place.within("apply", str(made.json["id"]), "--yes")
    assert typed.code == 0, typed.out + typed.err
    assert place.writes()[before:] == ["Suspend-MailboxDatabaseCopy"], "the change was made once"
    assert place.copy("DB01", "EX3")["status"] == "Suspended"
    runs = sorted((place.folder / ".starover/runs").glob("*.jsonl"), key=lambda one: one.stat().st_mtime_ns)
    journal = runs[-1].read_text("utf-8")
    assert f'"road":"{first}' in journal
    assert f'"road":"{then}' in journal, "the journal says which road"
    assert place.within("audit", "verify").code == 0


@pytest.mark.parametrize(
    ("first", "kind", "action"),
    [
        ("psrp", "shut", ""),
        ("psrp", "reset-after", "Command"),
        ("psrp", "half", "Receive"),
        ("winrm", "shut", ""),
        ("winrm", "reset-after", "Send"),
        ("winrm", "half", "Receive"),
    ],
    ids=lambda part: part or "before sending",
)
def test_from_winrm_to_run_command(
    place: Place, monkeypatch: pytest.MonkeyPatch, first: str, kind: str, action: str
) -> None:
    with DyingDoor(winrm_port(place)) as door:
        give(place, by_winrm(first, door.port), SSM)
        act = door.shut if kind == "shut" else lambda: place.accident("EX3", kind, action)
        dies(place, monkeypatch, first, act, "ssm ")
        assert not door.open, "the first road is dead"


@pytest.mark.parametrize(
    "mark",
    [b"", b"AmazonSSM.SendCommand", b"AmazonSSM.ListCommandInvocations"],
    ids=["before sending", "after sending", "during the answer"],
)
def test_from_run_command_to_winrm(place: Place, monkeypatch: pytest.MonkeyPatch, mark: bytes) -> None:
    told = about(place)
    with CuttingDoor(int(told["aws"]["url"].rpartition(":")[2])) as door:
        told["aws"]["url"] = f"http://127.0.0.1:{door.port}"
        file(place, "lab.json").write_text(json.dumps(told), "utf-8")
        give(place, SSM, by_winrm("psrp", winrm_port(place)))
        dies(place, monkeypatch, "ssm", (lambda: door.cut(mark)) if mark else door.shut, "psrp+http")
        assert not door.open, "the first road is dead"

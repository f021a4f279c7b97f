"""Several roads to a host: S8 over a command shell, and runs whose first road dies before, after and during a write."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dying_door import DyingDoor
from lab_cli import Place, lab, snapin, struck

from starover.transport import line, session
from starover.transport.psrp import PsrpTransport

pytestmark = pytest.mark.wire
COPY = ("--db", "DB01", "--server", "EX3")
SUSPEND = ("copies-suspend", *COPY, "--mode", "full")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with lab(tmp_path_factory.mktemp("roads"), "pa-4x2") as place:
        place.each_server(snapin)
        yield place


@pytest.fixture
def place(running: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A lab in which DB01/EX3 is Healthy; our own patience is short, the rules are the same."""
    monkeypatch.setattr(line, "LOST_SECONDS", 0.5)
    monkeypatch.setattr(line, "ANSWER_SECONDS", 1.5)
    monkeypatch.setattr(session, "FIRST_PAUSE", 0.02)
    before = running.inventory.read_text("utf-8")
    yield running
    running.inventory.write_text(before, "utf-8")
    running.calm("EX3")
    assert running.within("run", "copies-resume", *COPY, "--yes").code == 0
    assert running.state()["violations"] == []


@pytest.fixture
def door(place: Place) -> Iterator[DyingDoor]:
    """EX3 by PowerShell remoting through a door that dies with the first broken connection, then by command shell."""
    (port,) = [one["http_port"] for one in hosts(place) if one["name"] == "EX3"]
    with DyingDoor(port) as made:

        def two_roads(server: dict[str, Any]) -> None:
            if server["name"] == "EX3":
                road = {"scheme": "http", "address": "127.0.0.1", "auth": "negotiate"}
                server["roads"] = [road | {"kind": "psrp", "port": made.port}, road | {"kind": "winrm", "port": port}]

        place.each_server(two_roads)
        yield made


def hosts(place: Place) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((place.folder / ".starover/lab/lab.json").read_text("utf-8"))["hosts"]
    return found


def requests(place: Place, action: str = "") -> int:
    """How many requests EX3 has seen."""
    seen: dict[str, int] = place.control("requests")["requests"]["EX3"]
    return seen.get(action, 0) if action else sum(seen.values())


def _made(file: Path) -> int:
    return file.stat().st_mtime_ns


def test_a_copy_is_suspended_and_resumed_over_the_command_shell(place: Place) -> None:
    before, sends = len(place.writes()), requests(place, "Send")
    narrow = ("--transport", "winrm")
    first = place.within("run", *SUSPEND, "--comment", "disk swap", "--yes", *narrow)
    assert first.code == 0, first.out + first.err
    assert "changed 1, checked again: holds." in first.out
    assert place.copy("DB01", "EX3")["comment"] == "[starover] disk swap"
    assert "Nothing to do" in place.within("run", *SUSPEND, "--yes", *narrow).out
    place.control("clock/advance", seconds=3600)
    assert 180 <= place.copy("DB01", "EX3")["copy_queue"] <= 420, "six logs a minute in the busy hour"
    back = place.within("run", "copies-resume", *COPY, "--yes", *narrow)
    assert back.code == 0, back.out + back.err
    after = place.copy("DB01", "EX3")
    assert (after["status"], after["copy_queue"] <= 10) == ("Healthy", True)
    assert place.writes()[before:] == ["Suspend-MailboxDatabaseCopy", "Resume-MailboxDatabaseCopy"]
    assert requests(place, "Send") > sends, "only a command shell has a standard input"


def test_a_plan_says_which_road_was_taken_and_why(place: Place, door: DyingDoor) -> None:
    door.shut()
    made = place.within("plan", *SUSPEND)
    assert made.code == 0, made.err
    said = " ".join(made.out.split())
    assert "EX3 was read by winrm: psrp+http: EX3 cannot be reached" in said


def test_what_needs_exchanges_own_session_is_refused_before_anything_is_sent(place: Place) -> None:
    def remote(server: dict[str, Any]) -> None:
        if "exchange" in server:
            server["exchange"] = {"version": server["exchange"]["version"]}

    place.each_server(remote)
    before = requests(place)
    refused = place.within("plan", *SUSPEND, "--transport", "winrm")
    assert refused.code == 2, refused.out + refused.err
    said = " ".join(refused.err.split())
    assert "cannot carry the password that Exchange's own session needs" in said
    assert "--transport psrp" in said
    assert "snapin" in said
    assert requests(place) == before


@pytest.mark.parametrize(
    ("kind", "action"),
    [("shut", ""), ("reset-before", "Command"), ("reset-after", "Command"), ("half", "Receive")],
    ids=["before sending", "while it is handed over", "after sending", "during the answer"],
)
def test_a_run_whose_road_dies_ends_on_the_other_with_the_change_made_once(
    place: Place, door: DyingDoor, monkeypatch: pytest.MonkeyPatch, kind: str, action: str
) -> None:
    made = place.within("--format", "json", "plan", *SUSPEND)
    assert made.code == 0, made.err
    before = len(place.writes())
    with monkeypatch.context() as patched:
        act = door.shut if kind == "shut" else lambda: place.accident("EX3", kind, action)
        patched.setattr(PsrpTransport, "run", struck(act))
        typed = place.within("apply", str(made.json["id"]), "--yes")
    assert typed.code == 0, typed.out + typed.err
    assert not door.open, "the first road is dead"
    assert place.writes()[before:] == ["Suspend-MailboxDatabaseCopy"]
    assert place.copy("DB01", "EX3")["status"] == "Suspended"
    journal = max((place.folder / ".starover/runs").glob("*.jsonl"), key=_made).read_text("utf-8")
    assert '"road":"psrp+http"' in journal
    assert '"road":"winrm+http"' in journal, "the journal says which road"
    assert "psrp+http: " in journal, "and why"
    assert place.within("audit", "verify").code == 0

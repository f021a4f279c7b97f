"""Scenario S8 over the real wires, as a person types it: suspend, an hour, resume, undo; a second run does nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab_cli import Place, lab

pytestmark = pytest.mark.wire

CASES = {
    "pa-4x2": (("pa-4x2",), "DB01", "EX3"),
    "aws-2az": (("aws-2az", "--flag", "dag"), "DB1", "ExchangeNode2"),
}


@pytest.fixture(params=CASES, ids=list(CASES))
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Place, str, str]]:
    options, database, server = CASES[request.param]
    with lab(tmp_path, *options) as place:
        yield place, database, server


def settled(place: Place) -> dict[str, Any]:
    """Everything that suspending and resuming may touch, without what moves by itself."""
    moving = {"copied", "inspected", "replayed", "copy_queue", "replay_queue"}
    return {
        f"{name}/{server}": {key: value for key, value in one.items() if key not in moving}
        for name, database in place.state()["databases"].items()
        for server, one in database["copies"].items()
    }


def audit(place: Place) -> list[Any]:
    entries: list[Any] = place.state()["audit"]
    return entries


def test_suspend_an_hour_resume_and_nothing_the_second_time(case: tuple[Place, str, str]) -> None:
    place, database, server = case
    words = ("--db", database, "--server", server)
    before = settled(place)

    suspend = ("run", "copies-suspend", *words, "--mode", "full", "--comment", "disk swap", "--yes")
    first = place.ok(*suspend)
    assert "changed 1, checked again: holds." in first.out
    suspended = place.copy(database, server)
    assert suspended["status"] == "Suspended"
    assert suspended["comment"] == "[starover] disk swap"
    again = place.ok(*suspend)
    assert "Nothing to do" in again.out
    assert len(audit(place)) == 1

    place.ok("lab", "clock", "--advance", "1h")
    grown = place.copy(database, server)["copy_queue"]
    assert 180 <= grown <= 420, "six logs a minute in the busy hour"

    resume = ("run", "copies-resume", *words, "--yes")
    assert "changed 1, checked again: holds." in place.ok(*resume).out
    back = place.copy(database, server)
    assert back["status"] == "Healthy"
    assert back["copy_queue"] <= 10
    assert "Nothing to do" in place.ok(*resume).out

    assert settled(place) == before
    assert [entry["cmdlet"] for entry in audit(place)] == [
        "Suspend-MailboxDatabaseCopy",
        "Resume-MailboxDatabaseCopy",
    ]
    assert {entry["caller"] for entry in audit(place)} == {"EXAMPLE\\operator"}
    assert place.state()["violations"] == []
    place.ok("audit", "verify")


def test_undo_goes_back_to_exactly_what_was(case: tuple[Place, str, str]) -> None:
    place, database, server = case
    before = settled(place)
    run = place.ok(
        "--format", "json", "run", "copies-suspend", "--server", server, "--all-on-server", "--mode", "full", "--yes"
    )
    assert run.json["changed"] >= 1
    assert settled(place) != before
    place.ok("undo", run.json["run"], "--yes")
    place.ok("lab", "clock", "--advance", "10m")
    assert settled(place) == before
    assert place.copy(database, server)["status"] == "Healthy"
    again = place.ok("undo", run.json["run"], "--yes")
    assert "Nothing to do" in again.out


def test_a_lagged_copy_stays_barred_and_keeps_its_comment(tmp_path: Path) -> None:
    with lab(tmp_path, "pa-4x2") as place:
        before = settled(place)
        words = ("--db", "DB01", "--server", "EX4")
        place.ok("run", "copies-suspend", *words, "--mode", "full", "--comment", "swap", "--yes")
        assert place.copy("DB01", "EX4")["comment"] == "[starover blocked] swap"
        place.ok("run", "copies-resume", *words, "--yes")
        assert settled(place) == before


def test_a_copy_that_somebody_else_suspended_is_left_alone(tmp_path: Path) -> None:
    topology = tmp_path / "foreign.yaml"
    topology.write_text(
        "name: foreign\nextends: pa-4x2\ndatabases:\n"
        "  - name: DB05\n    size_gb: 10\n    copies:\n      - {server: EX1}\n"
        "      - {server: EX3, replication_suspended: true, activation_suspended: true, comment: disk of Bob}\n",
        "utf-8",
    )
    with lab(tmp_path, str(topology)) as place:
        words = ("run", "copies-resume", "--db", "DB05", "--server", "EX3", "--yes")
        refused = place.type(*words)
        assert refused.code == 4
        assert "disk of Bob" in refused.out + refused.err
        assert "--force-foreign" in refused.out + refused.err
        assert audit(place) == []
        place.ok(*words, "--force-foreign")
        assert place.copy("DB05", "EX3")["status"] == "Healthy"

"""Copies kept behind, seeded anew, brought back to their network; servers' policies: over the real wires."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lab_cli import Place, Typed, lab, seldom

pytestmark = [pytest.mark.wire, seldom]


def approved(place: Place, *typed: str) -> Typed:
    """A plan of risk D, applied as its last line says."""
    plan = json.loads(place.ok("--format", "json", "plan", *typed).out)["id"]
    return place.ok("apply", plan, "--approve", plan, "--ticket", "INC1", "--yes")


def test_lags_and_policies(tmp_path: Path) -> None:
    with lab(tmp_path, "pa-4x2") as place:
        for lag in ("7d", "168h", "7.00:00:00"):
            lagged = ("copies-lag", "--copy", "DB01/EX4", "--replay-lag", lag)
            assert "Nothing to do" in place.ok("run", *lagged, "--yes").out
        assert place.type("run", "copies-lag", "--copy", "DB01/EX4", "--replay-lag", "15d", "--yes").code == 2
        refused = place.type("run", "copies-lag", "--copy", "DB01\\EX3", "--yes")
        assert refused.code == 4
        assert "EX2 come after it" in refused.words
        assert place.writes() == []

        raised = place.ok("--format", "json", "run", "copies-lag", "--copy", "DB01/EX4", "--replay-lag", "10d", "--yes")
        assert place.copy("DB01", "EX4")["replay_lag_s"] == 10 * 86_400
        lower = place.type("run", "copies-lag", "--copy", "DB01/EX4", "--replay-lag", "7d", "--yes")
        assert lower.code == 2, "lowering is risk D: yes is not enough"
        approved(place, "copies-lag", "--copy", "DB01/EX4", "--replay-lag", "7d")
        assert place.copy("DB01", "EX4")["replay_lag_s"] == 7 * 86_400
        assert "Nothing to do" in place.ok("undo", raised.json["run"], "--yes").out

        policy = ("run", "activation-policy", "--servers", "EX3,EX4", "--policy", "IntrasiteOnly", "--yes")
        run = place.ok("--format", "json", *policy).json["run"]
        assert place.writes()[-2:] == ["Set-MailboxServer"] * 2
        assert "Nothing to do" in place.ok(*policy).out
        place.ok("undo", run, "--yes")
        assert place.writes()[-4:] == ["Set-MailboxServer"] * 4
        again = json.loads(place.ok("--format", "json", "plan", *policy[1:-1]).out)["plan"]
        assert [step["change"]["now"] for step in again["steps"]] == ["Unrestricted"] * 2
        all_of_them = place.type(
            "run", "activation-policy", "--servers", "EX1,EX2,EX3,EX4", "--policy", "Blocked", "--yes"
        )
        assert all_of_them.code == 4
        assert "no server that may activate it" in all_of_them.words
        assert place.state()["violations"] == []


def test_broken_copies_are_seeded_and_diverged_ones_only_when_it_is_said(tmp_path: Path) -> None:
    with lab(tmp_path, "pa-4x2") as place:
        seed = ("run", "copy-seed", "--copy", "DB01/EX3", "--yes")
        assert "Nothing to do" in place.ok(*seed).out
        active = place.type("run", "copy-seed", "--copy", "DB01/EX1", "--yes")
        assert active.code == 4
        assert "active copy" in active.words

        place.ok("lab", "break", "log_corrupt", "DB01/EX3")
        place.ok("lab", "clock", "--advance", "5m")
        kept = place.type(*seed)
        assert kept.code == 4
        assert "--files safe-delete" in kept.words
        place.ok(*seed, "--files", "safe-delete")
        assert place.copy("DB01", "EX3")["status"] == "Healthy"
        assert "Nothing to do" in place.ok(*seed, "--files", "safe-delete").out

        place.ok("lab", "break", "divergence", "DB01/EX2", "logs=4")
        place.ok("lab", "clock", "--advance", "5m")
        diverged = ("copy-seed", "--copy", "DB01/EX2", "--files", "safe-delete")
        refused = place.type("run", *diverged[:3], "--yes")
        assert refused.code == 4
        assert "only copy of lost mail" in refused.words
        safe = place.ok("plan", *diverged)
        assert "snapshots" in safe.out, "kept first, and then it is no loss of data"
        assert "risk D" not in safe.out
        assert place.type("run", *diverged, "--discard-diverged", "DB02", "--yes").code == 2
        approved(place, *diverged, "--discard-diverged", "DB01")
        assert place.copy("DB01", "EX2")["status"] == "Healthy"


def test_a_lagged_copy_that_was_seeded_is_barred_again(tmp_path: Path) -> None:
    with lab(tmp_path, "pa-4x2") as place:
        place.ok("lab", "break", "log_corrupt", "DB01/EX4")
        place.ok("lab", "clock", "--advance", "5m")
        seed = ("run", "copy-seed", "--copy", "DB01/EX4", "--files", "safe-delete", "--source", "EX3", "--yes")
        place.ok(*seed)
        one = place.copy("DB01", "EX4")
        assert (one["status"], one["activation_suspended"], one["replay_lag_s"]) == ("Healthy", True, 7 * 86_400)
        assert "Nothing to do" in place.ok(*seed).out
        assert place.state()["violations"] == []


def test_copies_come_back_to_the_replication_network(tmp_path: Path) -> None:
    with lab(tmp_path, "rep-net-2013") as place:
        back = ("run", "replication-network-return", "--yes")
        before = {"DB21": "MBX2", "DB22": "MBX1"}
        assert "Nothing to do" in place.ok(*back).out
        place.ok("lab", "break", "replication_nic_down", "MBX2")
        place.ok("lab", "clock", "--advance", "10m")
        refused = place.type(*back)
        assert refused.code == 4
        assert "MBX2" in refused.words
        place.ok("lab", "mend", "1")
        place.ok("lab", "clock", "--advance", "5m")
        assert {place.copy(*pair)["network"] for pair in before.items()} == {"MapiDagNetwork"}
        place.ok(*back)
        assert {place.copy(*pair)["network"] for pair in before.items()} == {"ReplicationDagNetwork01"}
        assert {place.copy(*pair)["status"] for pair in before.items()} == {"Healthy"}
        assert "Nothing to do" in place.ok(*back).out
        assert place.writes().count("Suspend-MailboxDatabaseCopy") == 2

        place.ok("lab", "break", "replication_nic_down", "MBX1")
        place.ok("lab", "clock", "--advance", "10m")
        place.ok("lab", "mend", "2")
        place.ok("lab", "clock", "--advance", "5m")
        place.ok(*back, "--restart-repl")
        assert {place.copy(*pair)["network"] for pair in before.items()} == {"ReplicationDagNetwork01"}
        assert place.writes().count("Suspend-MailboxDatabaseCopy") == 2
        assert place.state()["violations"] == []

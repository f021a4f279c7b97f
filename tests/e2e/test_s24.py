"""Scenario S24 over the real wires, without AWS: a password expires during maintenance; a right is missing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab_cli import Place, lab

pytestmark = pytest.mark.wire

START = ("run", "maintenance-start", "--server", "EX1", "--redirect-to", "EX2", "--yes")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with lab(tmp_path_factory.mktemp("s24"), "pa-4x2") as made:
        yield made


def test_a_missing_right_is_found_before_anything_is_written(place: Place) -> None:
    place.ok("lab", "break", "rbac_missing", "Move-ActiveMailboxDatabase")
    refused = place.type("run", "db-switchover", "--db", "DB01", "--to", "EX3", "--yes")
    said = " ".join((refused.out + refused.err).split())
    assert refused.code in (1, 4), said
    assert "Move-ActiveMailboxDatabase" in said
    assert place.writes() == []
    assert place.state()["databases"]["DB01"]["active"] == "EX1"
    place.calm()


SIXTH = """
from pathlib import Path
import lab_cli
from starover.transport.psrp import PsrpTransport
from starover_cli.main import main
place, original, seen = lab_cli.Place(Path()), PsrpTransport.run, []
def run(self, batch, /):
    for script in batch:
        if script.mutates:
            seen.append(script)
            if len(seen) == 5:
                place.control("break", kind="cred_expired", target=ACCOUNT)
                place.accident("EX1", "reset-before", "Command")
    return original(self, batch)
PsrpTransport.run = run
main()
"""
"""The command line; when its fifth change is to be sent the password has expired, and the connection is gone."""


def test_an_expired_password_stops_the_run_and_a_new_one_goes_on(place: Place) -> None:
    account = next(iter(place.control("state")["state"]["accounts"]))
    ended = subprocess.run(
        [sys.executable, "-c", SIXTH.replace("ACCOUNT", repr(account)), *START],
        cwd=place.folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent.parent), *sys.path])},
        capture_output=True,
        encoding="utf-8",
        stdin=subprocess.DEVNULL,
        timeout=120,
        check=False,
    )
    said = " ".join((ended.stdout + ended.stderr).split())
    assert ended.returncode in (5, 6), said
    assert "401" in said or "password" in said or "logon" in said, said
    half = place.writes()
    assert half, "it had begun"
    found = re.search(r"starover resume ([0-9a-f]{8}[.][0-9]+)", said)
    assert found is not None, said
    run = found[1]
    shown = place.ok("runs", "show", run).out
    assert "HubTransport" in shown
    assert place.state()["servers"]["EX1"]["exchange"]["activation_policy"] == "Blocked", "nothing is put back"

    place.calm("EX1")
    place.ok("resume", run)
    state = place.state()
    assert state["dags"]["DAG1"]["cluster"]["nodes"]["EX1"]["state"] == "Paused"
    assert state["databases"]["DB01"]["active"] == "EX3"
    assert state["violations"] == []
    writes = place.writes()
    assert writes[: len(half)] == half
    assert "Nothing to do" in place.ok(*START).out
    assert place.writes() == writes

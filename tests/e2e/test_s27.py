"""Scenario S27 over the real wires: an estate of two servers is patched, with one good copy left meanwhile."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab_cli import Place, Typed, lab

pytestmark = pytest.mark.wire

ROLL = ("run", "rolling-windows-update", "--yes")
TOPOLOGY = """
name: two-nodes
extends: aws-2az
tuning: {reboot_s: 20, update_reboot_s: 10, services_after_boot_s: 20}
dags:
  - name: DAG
    members: [ExchangeNode1, ExchangeNode2]
    witness: FileServer3
    witness_directory: 'C:\\DAG'
    dac_mode: DagOnly
databases:
  - {name: DB1, size_gb: 40, copies: [{server: ExchangeNode1}, {server: ExchangeNode2}]}
  - {name: DB2, size_gb: 60, copies: [{server: ExchangeNode2}, {server: ExchangeNode1}]}
"""


SHORT = """
import starover.transport.line as line
from starover_cli.main import main
line.CONTACT_SECONDS, line.ANSWER_SECONDS, line.LOST_SECONDS = 1.5, 6.0, 3.0
main()
"""
"""The command line; whoever is off swallows everything for a second and a half: loopback has no distance."""


def rolled(place: Place, *words: str) -> Typed:
    """It takes hours of simulated time, and longer than other commands."""
    ended = subprocess.run(
        [sys.executable, "-c", SHORT, *words],
        cwd=place.folder,
        capture_output=True,
        encoding="utf-8",
        stdin=subprocess.DEVNULL,
        timeout=400,
        check=False,
    )
    return Typed(ended.returncode, ended.stdout, ended.stderr)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder: Path = tmp_path_factory.mktemp("s27")
    topology = folder / "two.yaml"
    topology.write_text(TOPOLOGY, "utf-8")
    with lab(folder, str(topology)) as made:
        yield made


def test_more_copies_than_there_can_be_are_refused_for_both(place: Place) -> None:
    refused = rolled(place, *ROLL, "--min-copies", "2")
    said = " ".join((refused.out + refused.err).split())
    assert refused.code == 4, said
    assert "G-COPIES" in said
    assert place.writes() == []


def test_both_are_patched_with_one_good_copy_left_meanwhile(place: Place) -> None:
    typed = rolled(place, *ROLL)
    said = " ".join((typed.out + typed.err).split())
    assert typed.code == 0, typed.out + typed.err
    assert "one good copy left of DB1, DB2 for about 25 min" in said
    assert "never fewer than 1 of 2 good copies" in said
    state = place.state()
    assert state["violations"] == []
    assert {name: one["active"] for name, one in state["databases"].items()} == {
        "DB1": "ExchangeNode1",
        "DB2": "ExchangeNode2",
    }
    booted = [one["subject"] for one in place.control("events")["events"] if one["kind"] == "host_up"]
    assert sorted(booted) == ["ExchangeNode1", "ExchangeNode2", "FileServer3"]
    writes = place.writes()
    second = rolled(place, *ROLL)
    assert second.code == 0
    assert "needs nothing" in second.out
    assert place.writes() == writes

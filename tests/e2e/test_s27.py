"""Scenario S27 over the real wires: an estate of two servers is patched, with one good copy left meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from crash_points import PAIR
from lab_cli import Place, lab

pytestmark = pytest.mark.wire

ROLL = ("run", "rolling-windows-update", "--yes")
TOPOLOGY = f"name: two-nodes\ntuning: {{reboot_s: 20, update_reboot_s: 10, services_after_boot_s: 20}}{PAIR}"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder: Path = tmp_path_factory.mktemp("s27")
    topology = folder / "two.yaml"
    topology.write_text(TOPOLOGY, "utf-8")
    with lab(folder, str(topology)) as made:
        yield made


def test_more_copies_than_there_can_be_are_refused_for_both(place: Place) -> None:
    refused = place.rolled(*ROLL, "--min-copies", "2")
    said = " ".join((refused.out + refused.err).split())
    assert refused.code == 4, said
    assert "G-COPIES" in said
    assert place.writes() == []


def test_both_are_patched_with_one_good_copy_left_meanwhile(place: Place) -> None:
    typed = place.rolled(*ROLL)
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
    second = place.rolled(*ROLL)
    assert second.code == 0
    assert "needs nothing" in second.out
    assert place.writes() == writes

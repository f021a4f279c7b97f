"""Scenario S14 over the real wires: four servers and the witness patched one after the other, mail never down."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from lab_cli import Place, lab

pytestmark = pytest.mark.wire

QUICK = """
name: quick
extends: pa-4x2
tuning: {reboot_s: 20, update_reboot_s: 10, services_after_boot_s: 20}
"""
"""The main estate; whoever boots is looked for in real time, so it boots sooner."""
ROLL = ("run", "rolling-windows-update", "--witness", "last", "--yes")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("s14")
    topology = folder / "quick.yaml"
    topology.write_text(QUICK, "utf-8")
    with lab(folder, str(topology)) as made:
        yield made


def events(place: Place) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = place.control("events")["events"]
    return found


def at(event: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(str(event["time"]))


def offline(told: list[dict[str, Any]]) -> dict[str, float]:
    """The longest that each database was offline, in seconds."""
    down: dict[str, datetime] = {}
    longest: dict[str, float] = {}
    for event in told:
        name = event["subject"]
        if event["kind"] in ("move_started", "database_dismounted"):
            down.setdefault(name, at(event))
        elif event["kind"] == "database_mounted" and name in down:
            longest[name] = max(longest.get(name, 0), (at(event) - down.pop(name)).total_seconds())
    return longest


def test_all_members_and_the_witness_one_after_the_other(place: Place) -> None:
    typed = place.rolled(*ROLL)
    said = " ".join((typed.out + typed.err).split())
    assert typed.code == 0, typed.out + typed.err
    state, told = place.state(), events(place)
    assert state["violations"] == []

    boots = [event["subject"] for event in told if event["kind"] == "host_up"]
    assert sorted(boots) == ["EX1", "EX2", "EX3", "EX4", "FSW3"]
    last = re.search(r"order (EX\d) 1 active, PAM: last", said)
    assert last is not None, said
    assert boots[3] == last[1], "the Primary Active Manager is the last of the members"
    assert boots[4] == "FSW3", "the witness comes when all nodes are up"
    out: list[str] = []
    for event in told:
        if event["kind"] == "node_paused":
            out.append(event["subject"])
            assert len(out) == 1, "at most one is out of service at any time"
        elif event["kind"] == "node_resumed":
            out.remove(event["subject"])
    users = {event["data"]["user"] for event in told if event["kind"] == "task_registered"}
    assert users == {"SYSTEM"}
    installs = [event for event in told if event["kind"] == "update_installed"]
    assert len(installs) == 9
    assert all(seconds < 60 for seconds in offline(told).values())
    assert {name: one["active"] for name, one in state["databases"].items()} == {
        "DB01": "EX1", "DB02": "EX2", "DB03": "EX3", "DB04": "EX4",
    }  # fmt: skip
    assert "never fewer than" in said
    assert "no database was offline longer than" in said

    writes = place.writes()
    second = place.rolled(*ROLL)
    assert second.code == 0
    assert "needs nothing" in second.out
    assert place.writes() == writes
    place.ok("audit", "verify")

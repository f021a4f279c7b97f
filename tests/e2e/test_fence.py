"""Calls to AWS over the control port, as a person types it: what is asked, what is shown, what is kept.

How fences end is tested in `tests/cloud`, without the wire: silent hosts cost real seconds here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from lab_cli import Place, lab

pytestmark = pytest.mark.wire


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with lab(tmp_path_factory.mktemp("fence"), "aws-2az", "--flag", "dag") as made:
        yield made


def test_a_fence_is_planned_with_its_calls_and_applied_by_two(place: Place) -> None:
    planned = place.ok("plan", "fence", "--lost-server", "ExchangeNode1")
    assert "risk X" in planned.words
    assert "goes down: ExchangeNode1 is in a cluster with quorum" in planned.words
    assert "FileServer" in planned.words, "the witness host of that side too"
    plan = planned.words.split("plan ")[1].split()[0]
    shown = place.ok("plans", "show", plan, "--script")
    assert '"operation": "stop_instances"' in shown.out
    assert place.type("apply", plan, "--approve", plan, "--ticket", "INC1", "--yes").code == 4


def test_calls_are_kept_word_for_word(place: Place) -> None:
    assert "Nothing to do" in place.ok("plan", "start-nodes").out
    (journal,) = [
        path
        for path in (place.folder / ".starover" / "runs").glob("*.jsonl")
        if '"start-nodes"' in path.read_text("utf-8")
    ]
    scripts = [json.loads(line).get("body", {}).get("script", "") for line in journal.read_text("utf-8").splitlines()]
    calls = [json.loads(script) for script in scripts if script.startswith("{")]
    assert {(one["service"], one["operation"]) for one in calls} >= {("ec2", "describe_instances")}


def test_a_look_takes_its_time(place: Place) -> None:
    assert place.control("probed", seconds=3)["now"] > place.control("clock")["now"][:0]

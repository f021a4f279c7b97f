"""S3, S10 and S12 with every accident of the line, at every script in process and at every request on real wires: the
run ends right, or stops with an outcome that is the lab's truth; gone on with, it ends as if nothing had happened.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from pathlib import Path

import fault_wires
import pytest
from crash_points import Scenario
from fault_points import KINDS, S3, S10, S12, play
from reliability_page import leave
from starover_lab.wire.plans import KINDS as WIRE_KINDS

from starover.transport import failures, line, session

ALL = "STAROVER_STORIES" in os.environ
"""`make test-all` strikes every script and every request; every day a few are enough."""
SEED = 20261120
DAILY = {"S3": 1, "S10": 1, "S12": 1}
DAILY_WIRE = 4
TIMES = 3
"""Runs that came to their end without a request of that number: there is none when others are struck before it."""
APART = 10
"""Requests between two accidents on the wires, about: many fit into one run."""
PATIENCE = 3 * 3600.0 + 1800
"""Simulated seconds: nothing is waited for longer than a copy's seeding may take, here three hours."""
LINE = {"LOST_SECONDS": 0.5, "ANSWER_SECONDS": 1.5}
"""Our own patience on the wires, made short; the rules are the same."""
SECONDS = 600.0
"""Real ones, on the wires: a host that says nothing costs a few deadlines, and a slow machine is given time."""


@pytest.mark.parametrize("scenario", [S3, S10, S12], ids=lambda one: one.name)
def test_struck_at_any_script_it_ends_right_or_says_what_is_true(scenario: Scenario, tmp_path: Path) -> None:
    lived = play(scenario, tmp_path / "lived")
    assert lived.faults == []
    points = [(number, kind) for number in range(1, lived.scripts + 1) for kind in KINDS]
    chosen = points if ALL else random.Random(SEED).sample(points, DAILY[scenario.name])
    outcomes: Counter[str] = Counter()
    longest = 0.0
    for point in chosen:
        tale = play(scenario, tmp_path / f"{point[0]}-{point[1]}", point, lived)
        assert tale.faults == [], f"{scenario.name}, script {point[0]} {point[1]}: {tale.words}"
        assert tale.given_up <= PATIENCE
        outcomes[tale.outcome] += 1
        longest = max(longest, tale.given_up)
    print(f"{scenario.name}: the longest time to give up was {longest:g} simulated seconds")  # noqa: T201
    leave(
        f"line-{scenario.name}",
        {
            "scenario": scenario.name,
            "runbook": scenario.book,
            "road": "in process",
            "points": len(points),
            "tried": len(chosen),
            "outcomes": outcomes,
            "longest": f"{longest:.0f} s simulated",
            "seed": SEED,
            "whole": ALL,
        },
    )


@pytest.mark.wire
@pytest.mark.parametrize("scenario", [S3, S10, S12] if ALL else [S10], ids=lambda one: one.name)
def test_struck_at_any_request_it_ends_right_or_says_what_is_true(
    scenario: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(failures, "_BUSY_SECONDS", 1.0)
    lived = fault_wires.play(scenario, tmp_path / "lived")
    assert lived.faults == []
    assert lived.exits == [0]
    for name, seconds in LINE.items():
        monkeypatch.setattr(line, name, seconds)
    points: list[fault_wires.Point] = [
        (host, action, number, kind)
        for (host, action), times in sorted(lived.requests.items())
        for number in range(1, times + 1)
        for kind in WIRE_KINDS
    ]
    left = random.Random(SEED).sample(points, len(points))
    at_once = max(1, sum(lived.requests.values()) // APART) if ALL else DAILY_WIRE
    passed: Counter[fault_wires.Point] = Counter()
    tried: set[fault_wires.Point] = set()
    outcomes: Counter[str] = Counter()
    longest = 0.0
    while left:
        now, left = left[:at_once], left[at_once:]
        told = fault_wires.play(scenario, tmp_path / f"{len(left)}", now, lived)
        assert told.faults == [], f"{scenario.name}: struck {told.struck} of seed {SEED}"
        assert told.given_up < SECONDS, f"{scenario.name}: struck {told.struck} of seed {SEED}"
        tried.update(told.struck)
        outcomes[f"exit {told.exits[0]}" if told.exits[0] else "done"] += 1
        longest = max(longest, told.given_up)
        if not ALL:
            break
        missed = [point for point in now if point not in told.struck]
        passed.update(missed if told.exits[0] == 0 else [])
        left += [point for point in missed if passed[point] < TIMES]
    assert tried
    print(f"{scenario.name}: the longest time to give up was {longest:.1f} s, with patience made short")  # noqa: T201
    leave(
        f"line-wire-{scenario.name}",
        {
            "scenario": scenario.name,
            "runbook": scenario.book,
            "road": "real wires",
            "points": len(points),
            "tried": len(tried),
            "outcomes": outcomes,
            "longest": f"{longest:.0f} s real",
            "seed": SEED,
            "whole": ALL,
        },
    )

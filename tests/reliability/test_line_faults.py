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
from fault_choice import Now, Points
from fault_points import KINDS, S3, S10, S12, play
from reliability_page import leave

ALL = "STAROVER_STORIES" in os.environ
"""`make test-all` strikes every script and every request; every day a few are enough."""
SEED = 20261120
DAILY = {"S3": 1, "S10": 1, "S12": 1}
DAILY_WIRE = 4, 20
"""Strokes in the daily run on real wires, and requests between them, about."""
FRUITLESS = 3
"""So many rounds of stories without a point that is left end the search: some requests are made only when nothing
befalls others."""
PATIENCE = 3 * 3600.0 + 1800
"""Simulated seconds: nothing is waited for longer than a copy's seeding may take, here three hours."""
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
    print(f"{scenario.name}: the longest time to give up was {longest:g} simulated seconds")  # noqa: T201 - seen by whoever plays it for long
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
def test_requests_struck_now_and_then_end_right_or_say_what_is_true(tmp_path: Path) -> None:
    lived = fault_wires.play(S10, tmp_path / "lived", Points(fault_wires.kinds))
    assert lived.faults == []
    assert lived.exits == [0]
    with fault_wires.impatient():
        told = fault_wires.play(S10, tmp_path / "struck", Now(fault_wires.kinds, SEED, *DAILY_WIRE), lived)
    assert told.faults == [], f"struck {told.struck} of seed {SEED}"
    assert told.given_up < SECONDS, f"struck {told.struck} of seed {SEED}"
    assert told.struck


@pytest.mark.wire
@pytest.mark.skipif(not ALL, reason="a quarter of an hour each: `make test-all` plays it")
@pytest.mark.parametrize("scenario", [S3, S10, S12], ids=lambda one: one.name)
def test_struck_at_any_request_it_ends_right_or_says_what_is_true(scenario: Scenario, tmp_path: Path) -> None:
    points = Points(fault_wires.kinds)
    lived = fault_wires.play(scenario, tmp_path / "lived", points)
    assert lived.faults == []
    assert lived.exits == [0]
    outcomes: Counter[str] = Counter()
    stories = fruitless = most = 0
    longest = 0.0

    def keep(*, whole: bool) -> None:
        """What is known so far is left after each story: a night that is cut off has its figures."""
        leave(
            f"line-wire-{scenario.name}",
            {
                "scenario": scenario.name,
                "runbook": scenario.book,
                "road": "real wires",
                "points": points.all.total(),
                "tried": points.tried,
                "stories": stories,
                "most": most,
                "outcomes": outcomes,
                "longest": f"{longest:.0f} s real",
                "seed": SEED,
                "whole": whole,
            },
        )

    while fruitless < FRUITLESS and points.left.total():
        before, seed = points.tried, f"{SEED} {stories}"
        shares = points.shares(fault_wires.SIDE_BY_SIDE, seed)
        points.left = Counter()
        for told, left in fault_wires.side_by_side(scenario, tmp_path / f"{stories}", shares, seed, lived):
            assert told.faults == [], f"{scenario.name}: struck {told.struck} of seed {seed}: {told.words}"
            assert told.given_up < SECONDS, f"{scenario.name}: struck {told.struck} of seed {seed}"
            points.left.update(left)
            stories += 1
            for number in {number for number, _, _ in told.struck}:
                code = told.exits[number - 1]
                outcomes[f"exit {code}" if code else "done"] += 1
            most = max(most, len(told.exits))
            longest = max(longest, told.given_up)
        fruitless = fruitless + 1 if points.tried == before else 0
        print(f"{scenario.name}, story {stories}: {points.tried} of {points.all.total()}", flush=True)  # noqa: T201 - seen by whoever plays it for long
        keep(whole=False)
    print(f"{scenario.name}: the longest time to give up was {longest:.1f} s, with patience made short")  # noqa: T201 - seen by whoever plays it for long
    print(f"not met: {+points.left}")  # noqa: T201 - seen by whoever plays it for long
    keep(whole=True)

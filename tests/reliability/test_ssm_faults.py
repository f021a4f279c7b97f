"""S14 over Run Command with every accident of every call to SSM: it ends right, or stops with the lab's truth, and gone
on with, it ends as if nothing had happened; nothing is done twice.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest
from crash_points import S14, S14_SHORT, Scenario
from fault_choice import Chosen, Now, Points
from fault_roads import KINDS, grave, kinds, play, sends
from reliability_page import leave

ALL = "STAROVER_STORIES" in os.environ
"""`make test-all` strikes every call; every day one run is struck a few times."""
SEED = 20261120
DAILY, APART = 10, 40
"""Strokes in the daily run, and calls between them, about."""
FRUITLESS = 3
"""So many stories without a point that is left end the search: some calls are made only when nothing befalls others."""
PATIENCE = 5 * 3600.0
"""Simulated seconds: whoever installs updates is waited for four hours, in silence too, since it may restart."""


def test_struck_now_and_then_it_ends_right_or_says_what_is_true(tmp_path: Path) -> None:
    chosen = Now(kinds, SEED, DAILY, APART)
    told = play(S14_SHORT, tmp_path, chosen, bucket="nobody-may-write")
    assert told.tale.faults == [], f"struck {told.struck} of seed {SEED}: {told.tale.words}"
    assert told.tale.given_up < PATIENCE, f"struck {told.struck} of seed {SEED}: {told.tale.words}"
    assert told.struck


@pytest.mark.skipif(not ALL, reason="half an hour: `make test-all` plays it")
@pytest.mark.parametrize("scenario", [S14_SHORT, S14], ids=lambda one: one.name)
def test_struck_at_any_call_it_ends_right_or_says_what_is_true(scenario: Scenario, tmp_path: Path) -> None:
    points = Points(kinds)
    lived = play(scenario, tmp_path / "lived", points)
    assert lived.tale.faults == []
    outcomes: Counter[str] = Counter()
    stories = fruitless = most = 0
    longest = 0.0

    def keep(*, whole: bool) -> None:
        """What is known so far is left after each story: a night that is cut off has its figures."""
        leave(
            f"line-ssm-{scenario.name}",
            {
                "scenario": scenario.name,
                "runbook": scenario.book,
                "road": "Run Command",
                "kinds": len(KINDS) + 1,
                "points": points.all.total(),
                "tried": points.tried,
                "stories": stories,
                "most": most,
                "outcomes": outcomes,
                "longest": f"{longest:.0f} s simulated",
                "seed": SEED,
                "whole": whole,
            },
        )

    while fruitless < FRUITLESS and points.left.total():
        before = points.tried
        told = play(
            scenario,
            tmp_path / f"{stories}",
            Chosen(kinds, points.left, f"{SEED} {stories}", grave=grave, steps=sends),
            lived.tale,
            bucket="nobody-may-write" if stories % 2 else "",
        )
        where = f"story {stories} of seed {SEED}, struck {told.struck}: {told.tale.words}"
        assert told.tale.faults == [], where
        assert told.tale.given_up < PATIENCE, where
        stories += 1
        fruitless = fruitless + 1 if points.tried == before else 0
        legs = Counter(number for number, _, _ in told.struck)
        for number in legs:
            code = told.tale.exits[number - 1]
            outcomes[f"exit {code}" if code else "done"] += 1
        most = max(most, len(told.tale.exits))
        longest = max(longest, told.tale.given_up)
        print(f"story {stories}: {points.tried} of {points.all.total()}, {told.tale.given_up:g} s", flush=True)  # noqa: T201 - seen by whoever plays it for long
        keep(whole=False)
    print(f"{scenario.name}: the longest time to give up was {longest:g} simulated seconds")  # noqa: T201 - seen by whoever plays it for long
    print(f"not met: {+points.left}")  # noqa: T201 - seen by whoever plays it for long
    keep(whole=True)

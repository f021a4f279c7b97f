"""S14 over Run Command with every accident of every call to SSM: it ends right, or stops with the lab's truth, and gone
on with, it ends as if nothing had happened; nothing is done twice.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from pathlib import Path

from crash_points import S14_SHORT
from fault_roads import KINDS, Point, play, points
from reliability_page import leave

ALL = "STAROVER_STORIES" in os.environ
"""`make test-all` strikes every call; every day one run is struck a few times."""
SEED = 20261120
CALLS = {"send_command": 200, "list_command_invocations": 1000, "describe_instance_information": 50}
"""About as many as there are, for the daily run."""
DAILY = 12
APART = 25
"""Calls between two accidents, about."""
TIMES = 3
"""Runs that came to their end without a call of that number."""
PATIENCE = 2 * 3600.0
"""Simulated seconds."""


def test_struck_at_any_call_it_ends_right_or_says_what_is_true(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    lived = play(S14_SHORT, tmp_path / "lived") if ALL else None
    assert lived is None or lived.tale.faults == []
    every = points(lived.calls if lived is not None else CALLS)
    left = chance.sample(every, len(every))
    at_once = sum(lived.calls.values()) // APART if lived is not None else DAILY
    passed: Counter[Point] = Counter()
    tried: set[Point] = set()
    outcomes: Counter[str] = Counter()
    longest = 0.0
    while left:
        now, left = left[:at_once], left[at_once:]
        told = play(
            S14_SHORT,
            tmp_path / f"{len(left)}",
            now,
            lived.tale if lived is not None else None,
            bucket="nobody-may-write" if len(left) % 2 or not ALL else "",
        )
        assert told.tale.faults == [], f"struck {told.struck} of seed {SEED}: {told.tale.words}"
        assert told.tale.given_up < PATIENCE, f"struck {told.struck} of seed {SEED}: {told.tale.words}"
        tried.update(told.struck)
        outcomes[told.tale.outcome] += 1
        longest = max(longest, told.tale.given_up)
        if not ALL:
            break
        missed = [point for point in now if point not in told.struck]
        passed.update(missed if told.tale.exits[0] == 0 else [])
        left += [point for point in missed if passed[point] < TIMES]
    assert tried
    print(f"S14: the longest time to give up was {longest:g} simulated seconds")  # noqa: T201
    leave(
        "line-ssm-S14",
        {
            "scenario": S14_SHORT.name,
            "runbook": S14_SHORT.book,
            "road": "Run Command",
            "kinds": len(KINDS) + 1,
            "points": len(every),
            "tried": len(tried),
            "outcomes": outcomes,
            "longest": f"{longest:.0f} s simulated",
            "seed": SEED,
            "whole": ALL,
        },
    )

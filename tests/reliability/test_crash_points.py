"""S1, S12, S14 and S21 killed at journal writes (before, within, after) and moved to other machines end as ever."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from crash_points import S14_SHORT, SAMPLED, WHENS, WHOLE, Points, Scenario, Stage, Story, When
from reliability_page import leave

ALL = "STAROVER_STORIES" in os.environ
"""`make test-all` kills at every point; every day a few are enough, others in each scenario."""
SEED = 20261120
DAILY = 4
FRUITLESS = 3
"""So many stories without a point that is left end the search: which scripts go out in one write is up to timing."""


def whole(scenario: Scenario, folder: Path) -> tuple[Points, Story]:
    """The run of a process that lives: what it writes, and what comes of it."""
    points = Points()
    with Stage(scenario, folder) as stage:
        story = stage.play(points.note)
    assert story.faults(story) == []
    return points, story


def test_a_long_run_is_killed_now_and_then(tmp_path: Path) -> None:
    """S14's runbook, shorter and without the run of a process that lives: `make test-all` has both."""
    chance, since = random.Random(SEED), 0

    def strike(_: object) -> When | None:
        nonlocal since
        since += 1
        if since < 80 or chance.random() > 0.05:
            return None
        since = 0
        return chance.choice(WHENS)

    with Stage(S14_SHORT, tmp_path / "home") as stage:
        story = stage.play(strike, move=True)
    assert story.legs > 1
    assert story.faults(story) == []


@pytest.mark.parametrize("scenario", WHOLE if ALL else SAMPLED, ids=lambda one: one.name)
def test_a_run_killed_at_its_journal_writes_comes_to_the_same_end(scenario: Scenario, tmp_path: Path) -> None:
    points, lived = whole(scenario, tmp_path / "whole")
    chance = random.Random(SEED)
    chosen = set(points.all) if ALL else set(chance.sample(points.all, DAILY))
    stories = most = fruitless = 0
    while fruitless < (FRUITLESS if ALL else 1):
        before = points.tried
        with Stage(scenario, tmp_path / f"killed{stories}" / "home") as stage:
            strike = points.strike(chance.randrange(4, 12), lambda key, when: (key, when) in chosen)
            story = stage.play(strike, move=stories % 2 == 0)
        assert story.faults(lived) == [], f"story {stories} of seed {SEED}, {story.legs} legs"
        stories += 1
        most = max(most, story.legs - 1)
        fruitless = fruitless + 1 if points.tried == before or not ALL else 0
    missed = len(points.all) - points.tried
    assert points.tried > 0
    assert not ALL or missed == 0, [point for point, left in points.left.items() if left]
    leave(
        f"crash-{scenario.name}",
        {
            "scenario": scenario.name,
            "runbook": scenario.book,
            "points": len(points.all),
            "tried": points.tried,
            "stories": stories,
            "most": most,
            "seed": SEED,
            "whole": ALL,
        },
    )

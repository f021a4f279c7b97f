"""A wait whose end is no failure: the run goes on, and a later step deals with what is left."""

from __future__ import annotations

import pytest
from core_hand import NODES, Lamps, apply_it, lamp, lit, plan_it

from starover import Settle, Steps, wait
from starover.events import WaitEnded
from starover.step import Wait


def patient() -> Steps:
    yield lit.on(NODES[0], name="a")
    yield from wait(
        lamp, NODES[1], until=lambda now: now.lit, settle=Settle(10, 30), what="the other one", lenient=True, name="b"
    )
    yield lit.on(NODES[2], name="c")


@pytest.mark.parametrize("holds", [True, False])
def test_the_run_goes_on_whether_it_came_about_or_not(holds: bool) -> None:
    lamps = Lamps(on={("EX2", "b")} if holds else set())
    plan = plan_it(Lamps(), patient)
    assert plan.complete
    result, hand = apply_it(plan, lamps.hosts(), patient)
    assert [one.state for one in hand.events if isinstance(one, WaitEnded)] == ["held" if holds else "not-verified"]
    assert lamps.done == ["on EX1/a", "on EX3/c"]
    assert result.exit == 0


def test_a_plan_goes_on_behind_it() -> None:
    asked = next(
        wait(lamp, NODES[1], until=lambda now: now.lit, settle=Settle(10, 30), what="x", lenient=True, name="b")
    )
    assert isinstance(asked, Wait)
    assert asked.expected

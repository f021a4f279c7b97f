"""Law 5: nothing that was sent is sent again on a guess. Answers are lost in every way there is."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from core_faults import faults, lights
from core_hand import NODES, Hand, Lamps, apply_it, lit, plan_it
from hypothesis import given
from hypothesis import strategies as st

from starover import OutcomeUnknown, PlanIsStale, Steps
from starover.effects import Effect, Send
from starover.events import StepBegan, StepEnded, StepUnsure
from starover.testing import FakeFault, FakeTransport


def one() -> Steps:
    yield lit.on(NODES[0], name="a")
    yield lit.on(NODES[1], name="b")


def sends(hand: Hand) -> list[str]:
    return [effect.what for effect in hand.effects if isinstance(effect, Send)]


def go(
    *faults: FakeFault, lamps: Lamps | None = None, **hosts_templates: Any
) -> tuple[Any, Hand, Lamps, FakeTransport]:
    lamps = lamps or Lamps()
    plan = plan_it(lamps, one)
    hosts = lamps.hosts()
    hosts.fail(*faults)
    result, hand = apply_it(plan, hosts, one)
    return result, hand, lamps, hosts


@pytest.mark.parametrize("kind", ["lost-after", "timed-out", "cut"])
def test_done_but_not_heard_of_is_found_out_by_its_receipt(kind: Any) -> None:
    result, hand, lamps, _ = go(FakeFault(kind, what="write"))
    assert result.exit == 0
    assert lamps.done == ["on EX1/a", "on EX2/b"]
    assert sends(hand)[:4] == ["read", "write", "probe", "read"]
    first = next(event for event in hand.events if isinstance(event, StepEnded))
    assert (first.state, "receipt found" in first.note) == ("changed", True)
    assert any(isinstance(event, StepUnsure) for event in hand.events)


def test_never_begun_is_sent_again_once_under_the_same_receipt() -> None:
    result, hand, lamps, hosts = go(FakeFault("lost-before", what="write"))
    assert result.exit == 0
    assert lamps.done == ["on EX1/a", "on EX2/b"]
    assert sends(hand)[:5] == ["read", "write", "probe", "read", "write"]
    writes = [script for script in hosts.asked if script.mutates]
    assert writes[0].operation == writes[1].operation
    assert writes[0].nonce != writes[1].nonce


def test_never_begun_twice_is_the_end() -> None:
    result, hand, lamps, hosts = go(FakeFault("lost-before", what="write", times=-1))
    assert result.exit == 6
    assert lamps.done == []
    assert sum(script.mutates for script in hosts.asked) == 2
    assert hand.ended() == ["a unreachable"]


def test_begun_and_never_ended_but_the_fact_holds_is_done() -> None:
    result, hand, lamps, _ = go(FakeFault("begun", what="write"))
    assert result.exit == 0
    assert lamps.done == ["on EX1/a", "on EX2/b"]
    first = next(event for event in hand.events if isinstance(event, StepEnded))
    assert "found by reading" in first.note


def test_begun_and_never_ended_and_nothing_to_see_stays_unknown() -> None:
    result, hand, _, hosts = go(FakeFault("begun", what="write"), lamps=Lamps(stuck=True))
    assert isinstance(result.error, OutcomeUnknown)
    assert result.exit == 5
    assert hand.ended() == ["a unknown"]
    assert sum(script.mutates for script in hosts.asked) == 1
    assert hand.waited >= lit.deadline


def test_a_script_that_still_runs_is_waited_for() -> None:
    lamps = Lamps(stuck=True)
    plan = plan_it(Lamps(), one)
    hosts = lamps.hosts()
    hosts.fail(FakeFault("begun", what="write"))
    seen = itertools.count()

    def read(host: str, name: str) -> dict[str, object]:
        if next(seen) == 4:  # it takes effect at last
            lamps.on.add(("EX1", "a"))
            lamps.stuck = False
        return lamps.read(host, name)

    hosts.templates = {**hosts.templates, "lamp/read.ps1.j2": read}
    result, hand = apply_it(plan, hosts, one)
    assert result.exit == 0
    assert lamps.done == ["on EX1/a", "on EX2/b"]
    assert 0 < hand.waited < lit.deadline


@pytest.mark.parametrize("kind", ["silent", "unreachable", "lost-before"])
def test_a_host_that_stays_quiet_leaves_it_unknown(kind: Any) -> None:
    quiet = FakeFault(kind, host="EX1", what="probe", times=-1)
    result, hand, lamps, hosts = go(FakeFault("lost-after", what="write"), quiet)
    assert isinstance(result.error, OutcomeUnknown)
    assert result.error.certain
    assert result.error.uncertain
    assert "resume" in result.error.next[0]
    assert hand.ended() == ["a unknown"]
    assert lamps.done == ["on EX1/a"]  # nothing on EX2
    assert sum(script.mutates for script in hosts.asked) == 1


def test_a_probe_is_tried_again_before_it_is_given_up() -> None:
    quiet = FakeFault("unreachable", what="probe", times=2)
    result, hand, lamps, _ = go(FakeFault("lost-after", what="write"), quiet)
    assert result.exit == 0
    assert hand.waited == 5 + 20
    assert lamps.done == ["on EX1/a", "on EX2/b"]


def test_the_receipt_is_there_but_the_fact_cannot_be_read() -> None:
    lamps = Lamps()
    plan = plan_it(lamps, one)
    hosts = lamps.hosts()
    hosts.fail(FakeFault("lost-after", what="write"))
    reads = itertools.count()

    class Quiet(FakeFault):
        def hits(self, script: Any) -> bool:
            return super().hits(script) and next(reads) > 0

    hosts.fail(Quiet("unreachable", what="read", times=-1))
    result, hand = apply_it(plan, hosts, one)
    assert isinstance(result.error, OutcomeUnknown)
    assert hand.ended() == ["a unknown"]


def test_never_begun_and_not_as_planned_any_more_is_refused() -> None:
    lamps = Lamps()
    plan = plan_it(lamps, one)
    hosts = lamps.hosts()
    hosts.fail(FakeFault("lost-before", what="write"))
    reads = itertools.count()

    def read(host: str, name: str) -> dict[str, object]:
        return {"lit": False, "broken": next(reads) > 0}

    hosts.templates = {**hosts.templates, "lamp/read.ps1.j2": read}
    result, hand = apply_it(plan, hosts, one)
    assert result.exit == 4
    assert not isinstance(result.error, PlanIsStale)  # it is blocked, which says more
    assert sum(script.mutates for script in hosts.asked) == 1
    assert hand.ended() == ["a refused"]


def test_a_write_that_was_not_sent_for_sure_is_not_probed() -> None:
    for kind in ("unreachable", "silent", "auth"):
        result, hand, lamps, hosts = go(FakeFault(kind, what="write"))  # type: ignore[arg-type]
        assert result.exit == 6
        assert sends(hand) == ["read", "write"]
        assert lamps.done == []
        assert hand.ended() == ["a unreachable"]
        assert len(hosts.asked) == 2


def test_throttled_writes_are_sent_when_the_other_side_is_ready() -> None:
    result, hand, lamps, hosts = go(FakeFault("throttled", what="write"))
    assert result.exit == 0
    assert hand.waited == 7
    assert lamps.done == ["on EX1/a", "on EX2/b"]
    assert len({script.operation for script in hosts.asked if script.mutates}) == 2


def test_a_lost_answer_to_a_step_that_failed_tells_the_failure() -> None:
    lamps = Lamps()
    plan = plan_it(lamps, one)
    hosts = lamps.hosts()
    hosts.templates = {key: value for key, value in hosts.templates.items() if key != "lamp/on.ps1.j2"}
    hosts.fail(FakeFault("lost-after", what="write"))
    result, hand = apply_it(plan, hosts, one)
    assert result.exit == 1
    assert hand.ended() == ["a failed"]
    assert sum(script.mutates for script in hosts.asked) == 1


def test_a_host_that_cannot_make_the_receipt_has_done_nothing() -> None:
    result, hand, lamps, _ = go(FakeFault("no-receipt", what="write"))
    assert result.exit == 1
    assert result.error.certain == ("the step is not applied",)
    assert "not enough space" in result.error.what
    assert (hand.ended(), lamps.done, sends(hand)) == (["a failed"], [], ["read", "write"])


def test_a_newer_holder_of_the_lease_ends_the_run() -> None:
    result, hand, lamps, _ = go(FakeFault("leased", what="write"))
    assert result.exit == 75
    assert (hand.ended(), lamps.done) == (["a refused"], [])


def test_a_script_that_died_is_probed_and_not_sent_again_by_itself() -> None:
    result, hand, lamps, _ = go(FakeFault("died", what="write"))
    assert result.exit == 1
    assert sends(hand) == ["read", "write", "probe", "read"]
    assert (hand.ended(), lamps.done) == (["a failed"], [])


def test_a_failure_that_cannot_be_looked_into_is_unknown() -> None:
    lamps = Lamps()
    plan = plan_it(lamps, one)
    hosts = lamps.hosts()
    hosts.fail(FakeFault("error-after", what="write"))
    reads = itertools.count()

    class Quiet(FakeFault):
        def hits(self, script: Any) -> bool:
            return super().hits(script) and next(reads) > 0

    hosts.fail(Quiet("unreachable", what="read", times=-1))
    result, hand = apply_it(plan, hosts, one)
    assert isinstance(result.error, OutcomeUnknown)
    assert result.error.certain == ("PowerShell ended with that error",)
    assert hand.ended() == ["a unknown"]


# -- whatever happens --------------------------------------------------------------------------------------------------


@given(faults=faults, side_by_side=st.booleans(), order=st.randoms(use_true_random=False), stuck=st.booleans())
def test_whatever_goes_wrong_nothing_is_done_twice_and_every_word_is_true(
    faults: list[FakeFault], side_by_side: bool, order: Any, stuck: bool
) -> None:
    def runbook() -> Steps:
        return lights(side_by_side=side_by_side)

    lamps = Lamps(stuck=stuck)
    plan = plan_it(Lamps(), runbook)
    hosts = lamps.hosts()
    hosts.fail(*faults)
    result, hand = apply_it(plan, hosts, runbook, take=lambda open_: order.randrange(len(open_)))

    assert len(lamps.done) == len(set(lamps.done))
    intents = [event.operation for event in hand.events if isinstance(event, StepBegan)]
    for at, effect in enumerate(hand.effects):
        if isinstance(effect, Send) and effect.mutates:  # never before its intent
            assert effect.operation in intents_before(hand.effects, at)
    assert len(intents) == len(set(intents))
    ended = {event.position: event for event in hand.events if isinstance(event, StepEnded)}
    assert {event.position for event in hand.events if isinstance(event, StepBegan)} <= ended.keys()
    for event in ended.values():
        name = event.what
        done = f"on {event.host}/{name}" in lamps.done
        if event.state == "changed":
            assert done
            assert (event.host, name) in lamps.on
        elif event.state == "not-verified":
            assert done
        elif event.state in ("unreachable", "refused", "right"):
            assert not done
    assert (result.exit == 0) == (len(lamps.on) == 6)
    if result.exit == 0:
        assert [event.state for event in ended.values()] == ["changed"] * 6
    if not side_by_side:  # a sequence ends at its first failure
        states = [event.state for event in ended.values()]
        assert all(state == "changed" for state in states[:-1])


def intents_before(effects: list[Effect], at: int) -> set[str]:
    return {
        effect.event.operation
        for effect in effects[:at]
        if getattr(effect, "event", None) is not None and isinstance(effect.event, StepBegan)  # type: ignore[union-attr]
    }

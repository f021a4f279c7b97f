"""The same answers in the same order give the same effects, to the byte: resuming and other drivers rest on it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from core_faults import faults, lights
from core_hand import START, Hand, Lamps, approval_of, make_run, plan_it
from hypothesis import given
from hypothesis import strategies as st

from starover import PlanIsStale, Steps
from starover.effects import Done, Record, Send
from starover.engine import machine
from starover.testing import FakeFault


def recorded(troubles: list[FakeFault], order: Any, *, side_by_side: bool) -> tuple[Any, Hand, Any]:
    def runbook() -> Steps:
        return lights(side_by_side=side_by_side)

    lamps = Lamps()
    plan = plan_it(lamps, runbook)
    hosts = lamps.hosts()
    hosts.fail(*troubles)
    hand = Hand(hosts, approval_of(plan), take=lambda open_: order.randrange(len(open_)))
    hand.drive(make_run(plan=plan, started=START + timedelta(seconds=1)), runbook())
    return plan, hand, runbook


@given(troubles=faults, order=st.randoms(use_true_random=False), side_by_side=st.booleans())
def test_replayed_answers_bring_the_same_effects(troubles: list[FakeFault], order: Any, side_by_side: bool) -> None:
    plan, hand, runbook = recorded(troubles, order, side_by_side=side_by_side)
    again = machine(make_run(plan=plan, started=START + timedelta(seconds=1)), runbook())
    batches = [tuple(effect for _, effect in next(again))]
    for done in hand.done:
        on_disk = msgspec.json.decode(msgspec.json.encode(done), type=Done)
        try:
            batches.append(tuple(effect for _, effect in again.send(on_disk)))
        except StopIteration:
            break
    assert msgspec.json.encode(batches) == msgspec.json.encode(hand.batches)


class _First:
    def randrange(self, _: int) -> int:
        return 0


@pytest.mark.parametrize("wrong", ["digest", "number", "again"])
def test_an_answer_to_something_else_stops_the_run(wrong: str) -> None:
    plan, hand, runbook = recorded([], _First(), side_by_side=False)
    for at, done in enumerate(hand.done):
        fresh = machine(make_run(plan=plan, started=START + timedelta(seconds=1)), runbook())
        next(fresh)
        for before in hand.done[:at]:
            fresh.send(before)
        bad = {
            "digest": msgspec.structs.replace(done, digest="f" * 64),
            "number": msgspec.structs.replace(done, number=done.number + 1000),
            "again": hand.done[at - 1] if at else msgspec.structs.replace(done, number=0),
        }[wrong]
        with pytest.raises(PlanIsStale, match="do not fit"):
            fresh.send(bad)


def test_another_run_has_other_receipts_and_marks_for_the_same_plan() -> None:
    plan, hand, runbook = recorded([], _First(), side_by_side=True)
    other = Hand(Lamps().hosts(), approval_of(plan))
    other.drive(make_run(plan=plan, started=START, key="11111111-8f0b-4b13-9d62-0d1c7f1f9a01"), runbook())

    def ids(seen: Hand) -> set[str]:
        sends = [effect for effect in seen.effects if isinstance(effect, Send)]
        return {one.operation for one in sends} - {""} | {one.script.nonce for one in sends}

    assert ids(hand)
    assert not ids(hand) & ids(other)


def test_nothing_is_sent_before_its_record_is_answered() -> None:
    _, hand, _ = recorded([], _First(), side_by_side=True)
    for batch in hand.batches:
        writes = [effect for effect in batch if isinstance(effect, Send) and effect.mutates]
        records = [effect for effect in batch if isinstance(effect, Record)]
        assert not (writes and any(getattr(one.event, "operation", "") == writes[0].operation for one in records))

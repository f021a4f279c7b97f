"""Readings of one server that are ready together travel together, and never in a script that a road cannot carry."""

from __future__ import annotations

from core_hand import NODES, Lamps, lit, plan_it

from starover import Steps, together
from starover.testing import FakeTransport

MANY = 900


def one(number: int) -> Steps:
    yield lit.on(NODES[0], name=f"lamp {number} " + "x" * 40)


def all_of_them() -> Steps:
    yield from together(one(number) for number in range(MANY))


def test_many_readings_are_a_few_scripts_of_a_size_that_every_road_carries() -> None:
    sent: list[FakeTransport] = []

    class Seen(Lamps):
        def hosts(self) -> FakeTransport:
            sent.append(super().hosts())
            return sent[-1]

    plan = plan_it(Seen(), all_of_them)
    assert len(plan.changes) == MANY
    (hosts,) = sent
    texts = [script.text for script in hosts.asked]
    assert 1 < len(texts) < MANY / 20
    assert max(map(len, texts)) < 32 * 1024
    assert sum(len(script.parts) for script in hosts.asked) == MANY

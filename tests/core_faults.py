"""Troubles of every kind, and a runbook to have them with: strategies that several tests share."""

from __future__ import annotations

from core_hand import NODES, lit
from hypothesis import strategies as st

from starover import Steps, together
from starover.testing import FakeFault

KINDS = [
    "lost-before",
    "lost-after",
    "begun",
    "unreachable",
    "silent",
    "throttled",
    "timed-out",
    "cut",
    "error-after",
    "no-receipt",
    "leased",
    "died",
]
faults = st.lists(
    st.builds(
        FakeFault,
        kind=st.sampled_from(KINDS),
        host=st.sampled_from(["", "EX1", "EX2", "EX3"]),
        what=st.sampled_from(["", "read", "write", "probe"]),
        times=st.integers(1, 3),
    ),
    max_size=5,
)


def lights(*, side_by_side: bool) -> Steps:
    def part(number: int) -> Steps:
        for name in "xy":
            yield lit.on(NODES[number], name=name)

    if side_by_side:
        yield from together(part(number) for number in range(3))
    else:
        for number in range(3):
            yield from part(number)

"""Which side of a split DAG gives way: the one without quorum, or of two that have it the one with the older
configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from inner_lab import InnerLab
from starover_lab.world.dags import DagChanges

from starover.step import Risk
from starover.steps.split import ClusterVersion

OLDEST_FIRST = (
    "1:1:1",
    "3:3:276",
    "3:3:277",
    "4:4:1",
    "2026/11/20-02`51`07.000_2:2026/11/20-02`51`07.000_2:1",
    "2026/11/20-02`51`07.000_2:2026/11/20-02`51`07.000_2:12",
    "2026/11/20-02`51`07.000_3:2026/11/20-02`51`07.000_3:1",
    "2026/11/20-14`00`00.250_2:2026/11/20-14`00`00.250_2:1",
)


def test_who_was_forced_leads_and_who_was_forced_later_leads_him() -> None:
    ranks = [ClusterVersion(tag=tag).rank for tag in OLDEST_FIRST]
    assert None not in ranks
    assert ranks == sorted(ranks, key=lambda one: one or ("", 0, 0))
    assert len(set(ranks)) == len(OLDEST_FIRST)


@pytest.mark.parametrize("tag", ["", "3", "3:3", "x:3:3", "3:3:276 ", "2026/11/20_3:3"])
def test_what_is_no_tag_has_no_rank(tag: str) -> None:
    assert ClusterVersion(tag=tag).rank is None


def sides(lab: InnerLab) -> dict[str, list[str]]:
    """Where each database is mounted, on any side."""

    def look(world: Any) -> dict[str, list[str]]:
        return {
            one.name: sorted(
                [one.active] * (one.state == "Mounted")
                + [rival.server for rival in one.rivals if rival.state == "Mounted"]
            )
            for one in world.state.databases
        }

    return lab.do(look)


@pytest.mark.parametrize("order", [("EX1", "EX3"), ("EX3", "EX1")])
def test_the_side_that_was_forced_first_dismounts(order: tuple[str, str], tmp_path: Path) -> None:
    with InnerLab("pa-4x2-fsw1", tmp_path) as lab:
        lab.do(lambda world: world.dags.change("DAG1", "EX1", DagChanges(dac_mode="Off")))
        lab.later(600)
        lab.do(lambda world: world.fault("witness_down", "DAG1"))
        lab.later(60)
        lab.do(lambda world: world.fault("partition", "EX1,EX2,DC1|EX3,EX4,DC2"))
        for name in ("EX1", "EX2", "EX3", "EX4"):
            lab.do(lambda world, name=name: world.stop_service(name, "ClusSvc"))
        lab.later(420)
        for name in order:
            lab.do(lambda world, name=name: world.cluster_tasks.start(name, name, force=True))
            lab.later(60)
        lab.later(600)
        twice = [name for name, places in sides(lab).items() if len(places) > 1]
        assert twice
        planned = lab.plan("split-brain-check", db=twice, dismount=True)
        assert planned.plan.risk is Risk.DATA
        ran = lab.apply(planned.plan)
        assert ran.exit == 0, ran.error
        lab.later(1800)
        half = ("EX3", "EX4") if order[1] == "EX3" else ("EX1", "EX2")
        left = {name: places for name, places in sides(lab).items() if name in twice}
        assert all(len(places) == 1 and places[0] in half for places in left.values()), left

"""Two clusters of one DAG that mount the same databases: seen by each side as its own, and what is left afterwards."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from starover_lab.world.dags import DagChanges
from world.conftest import Lab


@pytest.fixture
def split(lab: Callable[..., Lab]) -> Lab:
    """Without DAC mode the network falls apart, the witness is gone, and both sides are forced."""
    one = lab("pa-4x2-fsw1")
    operation = one.world.dags.change("DAG1", "EX1", DagChanges(dac_mode="Off"))
    one.later((operation.ends - one.world.now).total_seconds() + 1)
    one.later(minutes=5)
    one.world.fault("witness_down", "DAG1")
    one.later(minutes=1)
    one.world.fault("partition", "EX1,EX2,DC1|EX3,EX4,DC2")
    one.later(minutes=7)
    for name in ("EX1", "EX3"):
        one.world.cluster_tasks.start(name, name, force=True)
    one.later(minutes=5)
    return one


def mounted(lab: Lab, asked: str) -> list[str]:
    """Where DB01 is mounted, as one server has it."""
    views = [lab.world.copy_view("DB01", server, asked) for server in ("EX1", "EX2", "EX3", "EX4")]
    return [view.server for view in views if view.status == "Mounted"]


def test_each_side_has_the_database_for_its_own(split: Lab) -> None:
    here, there = mounted(split, "EX1"), mounted(split, "EX3")
    assert len(here) == len(there) == 1
    assert {here[0], there[0]} & {"EX1", "EX2"}
    assert {here[0], there[0]} & {"EX3", "EX4"}
    assert split.world.database_view("DB01", "EX1").active_server == here[0]
    assert split.world.database_view("DB01", "EX3").active_server == there[0]
    assert split.world.database_view("DB01", "EX3").mounted
    broken = {(one["id"], one["subject"]) for one in split.world.violations()}
    assert ("I1", "DB01") in broken


def test_what_one_side_wrote_is_left_over_when_they_meet_again(split: Lab) -> None:
    world = split.world
    split.later(minutes=30)
    (rival,) = world.database("DB01").rivals
    world.stop_service(rival.server, "ClusSvc")
    split.later(minutes=1)
    assert not len(world.database("DB01").rivals)
    copy = world.copy("DB01", rival.server)
    assert copy.diverged == pytest.approx(30 * 6, rel=0.2)
    world.mend()
    for server in {"EX1": ("EX1", "EX2"), "EX2": ("EX1", "EX2")}.get(rival.server, ("EX3", "EX4")):
        world.stop_service(server, "ClusSvc")
    split.later(minutes=30)
    view = world.copy_view("DB01", rival.server, world.database("DB01").active)
    assert view.status == "FailedAndSuspended"
    assert "diverged" in view.error_message
    assert "I4" not in {one["id"] for one in world.violations()}

"""The runbook start-nodes: what is merely off comes back, what was fenced or replaced does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from inner_lab import InnerLab

from starover import NotSafe, NotVerified


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[InnerLab]:
    with InnerLab("pa-4x2", tmp_path) as made:
        yield made


def off(lab: InnerLab, *names: str) -> None:
    for name in names:
        lab.do(lambda world, name=name: world.fault("instance_stop", name))
    lab.later(300)


def power(lab: InnerLab, *names: str) -> set[str]:
    return {lab.do(lambda world, name=name: world.power(name)) for name in names}


def test_members_witness_and_controllers_that_are_off_come_back_and_mail_with_them(lab: InnerLab) -> None:
    off(lab, "FSW3", "DC2", "EX3", "EX4", "EX2")
    assert not lab.do(lambda world: any(cluster.quorate for cluster in world.state.clusters))
    plan = lab.plan("start-nodes").plan
    assert [step.host for step in plan.changes] == ["DC2", "EX2", "EX3", "EX4", "FSW3"]
    ran = lab.apply(plan)
    assert ran.exit == 0, ran.error
    assert power(lab, "FSW3", "DC2", "EX2", "EX3", "EX4") == {"on"}
    assert lab.do(lambda world: all(cluster.quorate for cluster in world.state.clusters))
    assert lab.do(lambda world: {database.state for database in world.state.databases}) == {"Mounted"}
    assert lab.plan("start-nodes").plan.nothing


def test_only_who_is_named(lab: InnerLab) -> None:
    off(lab, "EX3", "EX4", "FSW3")
    plan = lab.plan("start-nodes", server=["EX3"], witness_host=False).plan
    assert [step.host for step in plan.changes] == ["EX3"]


def test_a_fence_is_not_lifted_by_it(lab: InnerLab) -> None:
    lab.do(lambda world: world.fault("az_loss", "1a"))
    lab.later(120)
    assert lab.run("fence", lost_site=["AZ1"]).exit == 0
    lab.do(lambda world: world.mend(kind="az_loss"))
    lab.later(600)
    with pytest.raises(NotSafe, match="failback only"):
        lab.plan("start-nodes")


def test_no_room_is_told_in_ec2s_words(lab: InnerLab) -> None:
    off(lab, "EX3")
    plan = lab.plan("start-nodes").plan
    lab.do(lambda world: world.fault("insufficient_capacity", "1b"))
    ran = lab.apply(plan)
    assert ran.exit == 1
    assert "InsufficientInstanceCapacity" in str(ran.error)


def test_where_ec2_says_nothing_nobody_is_started(lab: InnerLab) -> None:
    for az in ("1a", "1b", "1c"):
        lab.do(lambda world, az=az: world.fault("az_loss", az, ec2="api_down"))
    with pytest.raises(NotVerified, match="nobody knows which are off"):
        lab.plan("start-nodes")


def test_a_side_that_was_evicted_is_refused(lab: InnerLab) -> None:
    off(lab, "EX4")
    lab.do(lambda world: next(iter(world.state.clusters)).nodes.discard("EX4"))
    with pytest.raises(NotSafe, match="evicted"):
        lab.plan("start-nodes")

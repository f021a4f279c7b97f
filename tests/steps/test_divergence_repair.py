"""copy-divergence-repair in process: what lies on a diverged copy alone is kept before it is seeded over."""

from __future__ import annotations

from pathlib import Path

from inner_lab import InnerLab


def test_a_diverged_copy_is_kept_then_seeded_and_a_good_one_left_alone(tmp_path: Path) -> None:
    with InnerLab("pa-4x2", tmp_path) as lab:
        lab.later(3600)
        lab.do(lambda world: world.fault("divergence", "DB01/EX3", logs="3"))
        lab.later(60)
        planned = lab.plan("copy-divergence-repair", copy=["DB01/EX3", "DB02/EX4"])
        assert [one.kind for one in planned.plan.changes] == ["snapshots_begun", "seeded"]
        ran = lab.apply(planned.plan)
        assert ran.exit == 0, ran.error
        assert lab.do(lambda world: world.copy_view("DB01", "EX3", "EX1").status) == "Healthy"
        assert lab.do(lambda world: world.violations()) == []
        assert lab.plan("copy-divergence-repair", copy=["DB01/EX3", "DB02/EX4"]).plan.nothing

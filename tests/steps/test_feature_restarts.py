"""A feature that wants a restart before its server can join: the next plan holds it, never over a mounted database."""

from __future__ import annotations

from pathlib import Path

import pytest
from inner_lab import InnerLab

from starover.errors import NotSafe, PlanIsStale
from starover.step import Change, Risk
from starover.steps.features import FeatureState, feature_complete, feature_installed
from starover.values import Plain

MEMBERS: list[Plain] = ["ExchangeNode1", "ExchangeNode2"]
CREATE: dict[str, Plain] = {
    "dag": "DAG",
    "witness_server": "FileServer3",
    "witness_directory": "C:\\DAG",
    "members": MEMBERS,
}


def test_who_restarts_afterwards_need_not_be_whole_yet() -> None:
    pending = FeatureState(state="InstallPending")
    assert feature_installed(pending, feature="F", management=True, restarts=True) is None
    assert feature_installed(pending, feature="F", management=True) is not None
    assert isinstance(feature_complete(pending, feature="F", server="EX1", comment=""), Change)
    for state in ("Installed", "Available"):
        assert feature_complete(FeatureState(state=state), feature="F", server="EX1", comment="") is None


def test_the_next_plan_restarts_who_waits_when_nothing_is_mounted_there(tmp_path: Path) -> None:
    with InnerLab("aws-2az", tmp_path) as lab:
        lab.do(lambda world: world.fault("pending_reboot", "ExchangeNode2", why="cbs"))
        first = lab.run("dag-create", CREATE)
        assert isinstance(first.error, PlanIsStale)
        assert "Failover-Clustering of ExchangeNode2 was right" in first.error.what
        assert "now it is InstallPending" in first.error.what

        with pytest.raises(NotSafe, match=r"G-COPIES: ExchangeNode2 must restart .* DB2 is mounted on it"):
            lab.plan("dag-create", CREATE)

        lab.do(lambda world: world.dismount("DB2", "ExchangeNode1"))
        plan = lab.plan("dag-create", CREATE).plan
        (restart,) = [one for one in plan.changes if one.kind == "feature_complete"]
        assert (restart.host, plan.risk) == ("ExchangeNode2", Risk.SERVICE)
        assert plan.complete, "what follows the restart is foreseen"
        boot = lab.do(lambda world: world.state.server("ExchangeNode2").boot_time)
        ran = lab.apply(plan)
        assert ran.exit == 0, ran.error
        assert lab.do(lambda world: world.state.server("ExchangeNode2").boot_time) > boot
        assert set(lab.do(lambda world: world.dag("DAG", "ExchangeNode1").members)) == set(MEMBERS)
        assert lab.plan("dag-create", CREATE).plan.nothing

"""The drill: an estate becomes a topology that the lab plays as the same DAG, and what was lost is measured."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from inner_cli import typed
from inner_lab import InnerLab
from lab_cli import lab as place
from starover_cli.drill import Database, Drilled, measured
from starover_cli.drill_topology import topology_of

SINCE = datetime(2026, 11, 20, 15, tzinfo=UTC)


def event(kind: str, after: float, name: str = "DB01", **data: object) -> dict[str, Any]:
    return {"kind": kind, "subject": name, "time": (SINCE + timedelta(seconds=after)).isoformat(), "data": data}


@pytest.mark.parametrize("topology", ["pa-4x2", "aws-2az-nodac"])
def test_the_lab_plays_the_same_dag(topology: str, tmp_path: Path) -> None:
    with InnerLab(topology, tmp_path) as lab:
        estate, (dag,) = lab.estate, lab.estate.dags
        facts: Any = lab.plan("dag-status").value
        copies = {
            (one.name, copy.server): (copy.preference, copy.lag_s, copy.activation_suspended)
            for one in lab.world.state.databases
            for copy in one.copies
        }
    file = tmp_path / "drill.yaml"
    file.write_text(json.dumps(topology_of(estate, dag, facts)), "utf-8")
    with InnerLab(file, tmp_path / "again") as again:
        made: Any = again.plan("dag-status").value
        assert {
            (one.name, copy.server): (copy.preference, copy.lag_s, copy.activation_suspended)
            for one in again.world.state.databases
            for copy in one.copies
        } == copies
        assert (made.dag.activation_mode, made.dag.witness_server) == (
            facts.dag.activation_mode,
            facts.dag.witness_server,
        )
        assert [(one.name, one.az, one.roles) for one in again.estate.servers] == [
            (one.name, one.az, one.roles) for one in estate.servers
        ]


def test_downtime_ends_with_the_last_mount_and_losses_add_up() -> None:
    events = [
        event("database_mounted", -60),
        event("data_loss", 20, lost=3),
        event("database_mounted", 30),
        event("data_loss", 40, lost=2),
        event("database_mounted", 90),
        event("database_mounted", 500, "DB02"),
    ]
    states = {"DB01": {"state": "Mounted"}, "DB02": {"state": "Dismounted"}, "DB03": {"state": "Mounted"}}
    found = measured(events, states, SINCE)
    assert found == (Database("DB01", 90.0, 5), Database("DB02", None, 0), Database("DB03", 0.0, 0))
    whole = Drilled("az:1a", "none", (), found)
    assert (whole.rto, whole.rpo) == (None, 5)
    assert Drilled("az:1a", "none", (), found[:1]).rto == 90.0


def test_goals_stand_in_the_inventory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> Drilled:
        return Drilled("az:1a", "force-quorum", (), (Database("DB1", 700.0, 3), Database("DB2", 60.0, 0)))

    monkeypatch.setattr("starover_cli.drill.play", gone)
    with InnerLab("aws-2az-nodac", tmp_path) as lab:
        assert "no goal was given" in typed(lab, "drill", "--lose", "az:1a").output
        (dag,) = lab.estate.dags
        wanted = msgspec.structs.replace(dag, rto=10, rpo=2)
        lab.estate = msgspec.structs.replace(lab.estate, dags=(wanted,))
        told = typed(lab, "drill", "--lose", "az:1a")
        assert told.exit_code == 1
        assert "DB1 was back after 11m 40s, the goal is 10 min" in told.output
        assert "DB1 lost 3 logs, the goal is 2" in told.output
        assert (
            "RTO 20 min and RPO 9 logs: met"
            in typed(lab, "drill", "--lose", "az:1a", "--rto", "20", "--rpo", "9").output
        )


@pytest.mark.wire
def test_a_goal_that_is_missed_is_said(tmp_path: Path) -> None:
    with place(tmp_path, "aws-2az-nodac") as here:
        told = here.type("--format", "json", "drill", "--lose", "az:1a", "--rto", "1")
        assert told.code == 1
        (one,) = told.json["drills"]
        assert (one["answer"], one["typed"]) == ("force-quorum", ["assess", "apply force-quorum"])
        assert one["rto_s"] > 180, "nobody begins before the phone has rung"
        assert all("the goal is 1 min" in gap for gap in told.json["gaps"])
        assert set(here.mounted().values()) == {"ExchangeNode1", "ExchangeNode2"}, "the estate itself is only read"
        assert here.writes() == []
        refused = here.type("drill", "--live")
        assert refused.code == 2
        assert "server-switchover" in refused.words

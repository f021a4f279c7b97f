"""Whole runbooks over Run Command, in process: S12, S18, S20, S24 and S27's server by the product's own road ssm.

The same over the wires, by processes as a person starts them: tests/e2e/test_scenarios_ssm.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from inner_lab import InnerLab
from inner_roads import BEHIND, VIPS

from starover.errors import AuthFailed, BadInventory, NotSafe
from starover.transport import Script

SSM = ("ssm",)


def topology(folder: Path, text: str) -> Path:
    file = folder / "topology.yaml"
    file.write_text(text, "utf-8")
    return file


def member(lab: InnerLab, name: str) -> dict[str, Any]:
    """All of a member that maintenance must bring back."""
    state = lab.world.state
    exchange = state.servers[name].exchange
    assert exchange is not None
    cluster = state.cluster_of("DAG1", state.servers[name])
    assert cluster is not None
    return {
        "policy": exchange.activation_policy,
        "node": cluster.nodes[name].state,
        "blocks": {
            database.name: (copy.activation_suspended, copy.comment)
            for database in state.databases
            for copy in database.copies
            if copy.server == name
        },
    }


def calm(lab: InnerLab) -> None:
    assert lab.world.invariants.violations == []
    assert max(lab.transport.ran.values()) == 1, "nothing is done twice"
    assert {script.server.roads[0].kind for script in lab.transport.sent if script.way != "call"} == {"ssm"}


def test_a_credential_of_aws_expires_half_way_into_maintenance_and_a_new_one_goes_on(tmp_path: Path) -> None:
    """S12 and S24: stopped `auth` at the sixth change, taken up again, and back as it was."""
    with InnerLab("pa-4x2", tmp_path, roads=SSM) as lab:
        before = member(lab, "EX1")
        writes: list[Script] = []

        def expire(script: Script) -> None:
            if script.mutates and script not in writes:
                writes.append(script)
                if len(writes) == 4:
                    lab.do(lambda world: world.fault("aws_error", "send_command", code="ExpiredTokenException"))

        lab.transport.accident = expire
        half = lab.run("maintenance-start", server="EX1", redirect_to="EX2.example.com")
        assert isinstance(half.error, AuthFailed), half.error
        assert half.resumable
        assert member(lab, "EX1")["policy"] == "Blocked", "nothing is put back"

        lab.do(lambda world: [world.mend(int(str(one["number"]))) for one in world.faults()])
        ended = lab.resume(half.run)
        assert (ended.state, ended.error) == ("done", None)
        assert member(lab, "EX1")["node"] == "Paused"
        assert lab.world.state.databases["DB01"].active == "EX3"
        assert not lab.plan("maintenance-start", server="EX1", redirect_to="EX2.example.com").plan.changes
        with pytest.raises(NotSafe, match="EX2"):
            lab.run("maintenance-start", server="EX2")

        lab.do(lambda world: world.fault("aws_throttle", "send_command", times=2))
        back = lab.run("maintenance-stop", server="EX1")
        assert (back.state, back.error) == ("done", None)
        assert member(lab, "EX1") == before
        calm(lab)


def test_the_default_deployment_loses_its_zone_and_mail_comes_back(tmp_path: Path) -> None:
    """S20: fenced through EC2, forced by the survivor's own agent."""
    with InnerLab(topology(tmp_path, BEHIND), tmp_path, roads=SSM) as lab:
        lab.later(3600)
        lab.do(lambda world: world.fault("az_loss", "1a"))
        lab.later(120)
        ran = lab.run("force-quorum", lost_server=["ExchangeNode1"], force_node="ExchangeNode2")
        assert (ran.state, ran.error) == ("done", None)
        found = {one.name: (one.state, one.active) for one in lab.world.state.databases}
        assert found == {"DB1": ("Mounted", "ExchangeNode2"), "DB2": ("Mounted", "ExchangeNode2")}
        stopped = [script for script in lab.transport.sent if "stop_instances" in script.text and script.mutates]
        assert len(stopped) >= 1, "fenced by EC2"
        assert lab.world.invariants.violations == []


def test_an_address_leaves_dns_and_returns_by_the_agent_of_a_domain_controller(tmp_path: Path) -> None:
    """S18; LocalSystem may write DNS on a domain controller, and nowhere else."""
    with InnerLab(topology(tmp_path, VIPS), tmp_path, roads=SSM, snapin=False) as lab:
        move = {"name": "mail.example.com", "vip": "10.0.0.50"}
        assert lab.run("namespace-switchover", action="remove", **move).changed == 1
        assert not lab.plan("namespace-switchover", action="remove", **move).plan.changes
        last = lab.plan("namespace-switchover", action="remove", **{**move, "vip": "10.0.32.50"}).plan
        assert "I14" in str(last.blocked[0].blocked)
        assert lab.run("namespace-switchover", action="return", **move).changed == 1
        calm(lab)
        asked = {script.server.name for script in lab.transport.sent if script.mutates}
        assert asked <= {"DC1", "DC2", "DC3"}


def test_what_needs_exchanges_session_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    """S26 (c): maintenance is refused when it is planned; what needs no Exchange runs."""
    with InnerLab("pa-4x2", tmp_path, roads=SSM, snapin=False) as lab:
        with pytest.raises(BadInventory, match="cannot carry the password") as refused:
            lab.plan("maintenance-start", server="EX1")
        assert any("allow_unsupported_snapin" in line for line in refused.value.next)
        assert not any(script.mutates for script in lab.transport.sent)
        assert lab.run("elb-drain", server="EX1").changed == 1
        assert lab.plan("patch-status").value is not None

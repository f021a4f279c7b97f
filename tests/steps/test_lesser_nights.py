"""Nights that need no force, or little: a dead Started member, nodes that are back soon, a grey failure (S28)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inner_lab import InnerLab
from starover_lab.world.world import World

from starover.runbook import Findings


def mounted(lab: InnerLab) -> dict[str, str]:
    every = lab.do(lambda world: [(one.name, one.active, one.state) for one in world.state.databases])
    return {name: server if state == "Mounted" else "" for name, server, state in every}


def broken(lab: InnerLab) -> list[object]:
    return [one["id"] for one in lab.do(lambda world: world.violations())]


def test_the_dead_member_leaves_the_started_list_and_everything_mounts(tmp_path: Path) -> None:
    """Every bit of DACP is 0 after a whole DAG went down, and one Started member stays dead."""
    names = ("EX1", "EX2", "EX3", "EX4")
    with InnerLab("pa-4x2", tmp_path) as lab:
        lab.later(3600)
        for name in names:
            lab.do(lambda world, name=name: world.power_off(name, "power"))
        lab.later(60)
        for name in names[1:]:
            lab.do(lambda world, name=name: world.power_on(name, "power"))
        lab.later(1800)
        assert set(mounted(lab).values()) == {""}
        ec2 = {"InstanceIds": ["i-0ex1"]}
        lab.do(lambda _: lab.transport.cloud.answer("ec2", "stop_instances", ec2))
        lab.later(300)
        page: Any = lab.plan("az-loss-assess").value
        assert page.answer == "take-off-started-list", page.verdict
        ran = lab.run(page.runbook, page.parameters)
        assert ran.exit == 0, ran.error
        assert "" not in mounted(lab).values()
        sent = lab.do(lambda world: [one.cmdlet for one in world.state.audit])
        assert sent == ["Stop-DatabaseAvailabilityGroup"], "they agree and mount by themselves"
        stopped = lab.do(lambda world: world.dag("DAG1", "EX2").stopped)
        assert [name.partition(".")[0] for name in stopped] == ["EX1"]
        assert broken(lab) == []


def test_nodes_that_are_back_soon_are_not_evicted(tmp_path: Path) -> None:
    with InnerLab("pa-4x2-fsw1", tmp_path) as lab:

        def off(world: World) -> None:
            for name in ("EX1", "EX2", "FSW1"):
                world.power_off(name, "power")

        lab.later(3600)
        lab.do(off)
        lab.later(90)
        ec2 = {"InstanceIds": ["i-0ex1", "i-0ex2", "i-0fs1"]}
        lab.do(lambda _: lab.transport.cloud.answer("ec2", "stop_instances", ec2))
        lab.later(120)
        page: Any = lab.plan("az-loss-assess").value
        assert page.answer == "start-nodes", page.verdict
        planned = lab.plan("force-quorum", mode="temporary", lost_server=["EX1", "EX2"])
        assert "node_evicted" not in [one.kind for one in planned.plan.changes]
        ran = lab.apply(planned.plan)
        assert ran.exit == 0, ran.error
        assert mounted(lab) == {"DB01": "EX3", "DB02": "EX4", "DB03": "EX3", "DB04": "EX4"}

        def on(world: World) -> None:
            for name in ("EX1", "EX2", "FSW1"):
                world.power_on(name, "power")

        lab.do(on)
        ran = lab.run("start-nodes")
        assert ran.exit == 0, ran.error
        lab.later(600)
        nodes = lab.do(lambda world: {one.name: one.state for one in world.nodes("EX3")})
        assert nodes == {"EX1": "Up", "EX2": "Up", "EX3": "Up", "EX4": "Up"}
        assert broken(lab) == []


def test_a_grey_failure_settles_and_nothing_is_forced(tmp_path: Path) -> None:
    with InnerLab("pa-4x2", tmp_path) as lab:
        lab.later(3600)
        lab.do(lambda world: world.fault("link_flap", "1a,1b", n=3))
        answers: list[str] = []
        for _ in range(5):
            lab.later(240)
            answers.append(str(getattr(lab.plan("az-loss-assess").value, "answer", "")))
        assert set(answers) <= {"settling", "none"}, answers
        assert "settling" in answers
        lab.later(900)
        page: Any = lab.plan("az-loss-assess").value
        assert page.answer == "none", page.verdict
        report = lab.plan("health-report").value
        assert isinstance(report, Findings)
        nodes = lab.do(lambda world: {one.name: one.information for one in world.nodes("EX1")})
        quarantined = {name for name, information in nodes.items() if "Quarantined" in information}
        assert quarantined, "three exits within the hour"
        named = {one.on for one in report.findings if one.check == "node" and "Quarantined" in one.says}
        assert named == quarantined
        assert "" not in mounted(lab).values()
        assert broken(lab) == []


def test_a_server_that_only_we_cannot_reach_keeps_its_databases(tmp_path: Path) -> None:
    """WinRM of a member is silent: the others see it up and serving, so nothing is mounted elsewhere."""
    with InnerLab("pa-4x2", tmp_path) as lab:
        lab.later(3600)
        for name in ("EX1", "EX2", "DC1"):
            lab.do(lambda world, name=name: world.fault("winrm_silent", name))
        page: Any = lab.plan("az-loss-assess").value
        assert (page.answer, page.runbook, page.mail_down) == ("none", "", False), page.verdict
        assert all("ReplayLagManagerEnabled is off" in line for line in page.lagged)
        assert len(page.lagged) == 2
        lab.do(lambda world: world.fault("service_crash", "EX1", service="MSExchangeRepl"))
        page = lab.plan("az-loss-assess").value
        assert (page.answer, page.runbook, page.mail_down) == ("unknown", "", None), page.verdict


def test_what_nobody_can_see_is_not_called_mounted(tmp_path: Path) -> None:
    with InnerLab("pa-4x2", tmp_path) as lab:
        lab.do(lambda world: world.fault("az_loss", "1a"))
        lab.later(2)
        page: Any = lab.plan("az-loss-assess").value
        assert page.recovery == "nobody could see whether DB01, DB02 are mounted"
        assert page.proof[4].says == "unknown"
        assert "DB01, DB02" in page.proof[4].unknown

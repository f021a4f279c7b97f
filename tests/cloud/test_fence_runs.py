"""The runbook fence against the lab: which level is reached for which way a zone is lost, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from inner_lab import InnerLab

from starover import NotSafe, NotVerified
from starover.drivers.local import Ran
from starover.steps.assessment import Assessment
from starover.steps.fence_hosts import FenceReport


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[InnerLab]:
    with InnerLab("pa-4x2", tmp_path) as made:
        yield made


def levels(ran: Ran) -> dict[str, str]:
    assert isinstance(ran.value, FenceReport), ran.error
    return {one.host: one.level for one in ran.value.hosts}


def instance(lab: InnerLab, name: str) -> Any:
    return lab.do(lambda _: lab.transport.cloud.instances.all[name])


def calls(lab: InnerLab, operation: str) -> int:
    return sum(f'"operation": "{operation}"' in script.text for script in lab.transport.sent)


def lose(lab: InnerLab, az: str = "1a", **params: Any) -> None:
    lab.do(lambda world: world.fault("az_loss", az, **params))
    lab.later(120)


def test_a_lost_zone_is_stopped_and_stays_off_when_the_power_returns(lab: InnerLab) -> None:
    lose(lab)
    ran = lab.run("fence", lost_site=["AZ1"])
    assert (ran.exit, levels(ran)) == (0, {"EX1": "F1", "EX2": "F1"})
    assert instance(lab, "i-0ex1").tags["dag-fenced"] == "DAG1"
    assert calls(lab, "stop_instances") == 2, "no force where the plain stop came through"
    again = lab.plan("fence", lost_site=["AZ1"])
    assert again.plan.nothing
    lab.do(lambda world: world.mend(kind="az_loss"))
    lab.later(900)
    assert lab.do(lambda world: (world.power("EX1"), world.power("DC1"))) == ("off", "on")


def test_what_hangs_in_stopping_reaches_f2(lab: InnerLab) -> None:
    lose(lab, ec2="stuck")
    ran = lab.run("fence", lost_server=["EX1", "EX2"])
    assert (ran.exit, levels(ran)) == (0, {"EX1": "F2", "EX2": "F2"})
    assert instance(lab, "i-0ex1").state == "stopping"
    assert calls(lab, "stop_instances") == 4, "plain, then by force"
    assert calls(lab, "replace_network_acl_association") == 0
    assert any("the run goes on" in step.note for step in ran.steps)


def test_where_the_api_says_nothing_the_subnets_are_closed(lab: InnerLab) -> None:
    lose(lab, ec2="api_down")
    ran = lab.run("fence", lost_site=["AZ1"])
    assert (ran.exit, levels(ran)) == (0, {"EX1": "F3", "EX2": "F3"})
    assert calls(lab, "stop_instances") == 0
    assert calls(lab, "create_network_acl") == 1
    assert calls(lab, "replace_network_acl_association") == 2
    lab.do(lambda world: world.mend(kind="az_loss"))
    lab.later(900)
    assert lab.do(lambda world: world.power("EX1")) == "on"
    assert not lab.do(lambda world: world.state.linked(world.server("EX1"), world.server("EX3")))
    assert lab.do(lambda world: world.listener("EX1")) == ("silent",)


def test_a_side_that_serves_is_shown_and_stopped(lab: InnerLab) -> None:
    plan = lab.plan("fence", lost_server=["EX1"]).plan
    assert any("goes down" in step.change.note for step in plan.changes if step.change)
    with pytest.raises(NotSafe, match="serves users"):
        lab.plan("fence", lost_server=["EX1"], method="network")
    assert levels(lab.apply(plan)) == {"EX1": "F1"}


def test_people_alone_need_aws_to_tell_of_the_power(lab: InnerLab) -> None:
    lab.do(lambda world: world.fault("az_isolated", "1a"))
    lab.later(600)
    wanted: dict[str, Any] = {"lost_site": ["AZ1"], "method": "certify", "certified_by": ["Ann", "Bob"]}
    with pytest.raises(NotVerified, match="no level"):
        lab.plan("fence", wanted)
    lab.do(lambda world: world.mend(kind="az_isolated"))
    lose(lab, ec2="api_down")
    lab.later(300)
    found = lab.plan("fence", wanted)
    assert isinstance(found.value, FenceReport)
    assert {one.level for one in found.value.hosts} == {"F4"}


def test_a_witness_of_the_lost_side_is_fenced_with_it(lab: InnerLab) -> None:
    lose(lab, "1b")
    ran = lab.run("fence", lost_site=["AZ2"])
    assert levels(ran) == {"EX3": "F1", "EX4": "F1", "FSW2": "F1"}


def test_throttled_and_lost_answers_change_nothing_about_it(lab: InnerLab) -> None:
    lose(lab)
    plan = lab.plan("fence", lost_server=["EX1"]).plan
    lab.do(lambda world: world.fault("aws_throttle", "stop_instances", times=2))
    lost: list[str] = []

    def accident(script: Any) -> str | None:
        if '"operation": "stop_instances"' in script.text and len(lost) == 2:
            lost.append("after")
            return "after"
        if '"operation": "stop_instances"' in script.text:
            lost.append("")
        return None

    lab.transport.accident = accident
    ran = lab.apply(plan)
    assert (ran.exit, levels(ran)) == (0, {"EX1": "F1"})
    assert calls(lab, "stop_instances") == 3, "two refused, one done and never again"


def test_an_instance_that_may_not_be_stopped_is_let_go_first(lab: InnerLab) -> None:
    lab.do(lambda _: setattr(lab.transport.cloud.instances.all["i-0ex1"], "disable_api_stop", True))
    lose(lab)
    ran = lab.run("fence", lost_server=["EX1"])
    assert levels(ran) == {"EX1": "F1"}
    kinds = [step.kind for step in ran.steps]
    assert kinds.index("api_stop_allowed") < kinds.index("instance_stopping")


def test_automatic_recovery_is_off_before_the_stop_and_a_tag_keeps_what_it_was(lab: InnerLab) -> None:
    lab.do(lambda _: setattr(lab.transport.cloud.instances.all["i-0ex2"], "auto_recovery", "disabled"))
    lab.do(lambda world: world.fault("hardware_failed", "EX1"))
    lab.later(90)
    plan = lab.plan("fence", lost_server=["EX1", "EX2"]).plan
    order = [(step.kind, step.host) for step in plan.changes]
    assert order.index(("instance_tagged", "EX1")) < order.index(("auto_recovery_set", "EX1"))
    assert order.index(("auto_recovery_set", "EX1")) < order.index(("instance_stopping", "EX1"))
    assert ("auto_recovery_set", "EX2") not in order, "it was off already, and failback must leave it so"
    assert lab.apply(plan).exit == 0
    assert instance(lab, "i-0ex1").auto_recovery == "disabled"
    assert instance(lab, "i-0ex1").tags["dag-auto-recovery"] == "default"
    assert "dag-auto-recovery" not in instance(lab, "i-0ex2").tags
    lab.later(900)
    assert lab.do(lambda world: world.power("EX1")) == "off", "nobody moves it to other hardware"
    assert lab.plan("fence", lost_server=["EX1", "EX2"]).plan.nothing


def test_what_a_stop_loses_is_in_the_plan_and_in_the_proof(lab: InnerLab) -> None:
    lab.do(lambda world: setattr(world.server("EX1"), "instance_store", (300.0, 300.0)))
    lab.do(lambda world: setattr(world.server("EX1"), "instance_type", "r5d.4xlarge"))
    lab.do(lambda world: world.fault("az_loss", "1a", ec2="stuck"))
    lab.later(120)
    plan = lab.plan("fence", lost_server=["EX1", "EX2"]).plan
    notes = {step.host: step.change.note for step in plan.changes if step.kind == "instance_stopping" and step.change}
    assert notes["EX1"] == "a stop loses its instance store, 2 x 300 GB"
    assert notes["EX2"] == ""
    assessed = lab.run("az-loss-assess", lost_site=["AZ1"]).value
    assert isinstance(assessed, Assessment)
    assert "2 x 300 GB" in assessed.proof[1].says
    lab.do(lambda world: world.fault("aws_error", "describe_instance_types", code="UnauthorizedOperation"))
    ran = lab.apply(lab.plan("fence", lost_server=["EX1", "EX2"]).plan)
    assert ran.exit == 0, ran.error
    assert any("does not say whether a r5d.4xlarge has" in fact for fact in ran.value.fenced)  # type: ignore[union-attr]

"""Targets, zones and weights: what is drained, what never (G-LASTVIP), and what comes back; on a lab without wires."""

from __future__ import annotations

from pathlib import Path

import pytest
from inner_lab import InnerLab

from starover.errors import BadParameter, NotSafe
from starover.step import Blocked, Change
from starover.steps.balancing import GroupHealth, TargetFact, target_leaving
from starover.steps.route53 import Record, Records, shape
from starover.steps.route53_weights import record_weighted

GROUP = "arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/ExchangeNodes/0a1b"


def target(name: str, state: str = "healthy", port: int = 443, reason: str | None = None) -> TargetFact:
    return TargetFact(id=name, port=port, state=state, reason=reason, says=None)


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        ((target("i-1"), target("i-2")), Change),
        ((target("i-1", "unhealthy"), target("i-2")), Change),
        ((target("i-1"), target("i-2", "unhealthy")), Blocked),
        ((target("i-1"), target("i-1", port=25)), Blocked),
        ((target("i-1"),), Blocked),
        ((target("i-1", "draining"), target("i-2")), type(None)),
        ((target("i-1", "unused", reason="Target.NotRegistered"), target("i-2")), type(None)),
        ((target("i-1", "unused", reason="Target.InvalidState"), target("i-2")), Change),
        ((target("i-2"),), type(None)),
    ],
)
def test_who_may_leave(targets: tuple[TargetFact, ...], expected: type) -> None:
    now = GroupHealth(targets=targets)
    assert type(target_leaving(now, group=GROUP, target="i-1", port=443)) is expected


def weighted(side: str, weight: int) -> Record:
    return Record(
        name="w.example.com.",
        type="A",
        identifier=side,
        weight=weight,
        failover=None,
        region=None,
        multivalue=None,
        special=None,
        ttl=60,
        values=("192.0.2.1",),
        check=None,
        alias=None,
    )


@pytest.mark.parametrize(
    ("other", "weight", "expected"), [(10, 0, Change), (0, 0, Blocked), (0, 5, Change), (0, 10, type(None))]
)
def test_weights_that_are_all_zero_are_refused(other: int, weight: int, expected: type) -> None:
    now = Records(records=(weighted("a", 10), weighted("b", other)))
    found = record_weighted(
        now,
        zone="Z1",
        name="W.example.com",
        identifier="a",
        weight=weight,
        record=shape(weighted("a", weight)),
    )
    assert type(found) is expected


@pytest.fixture
def lab(tmp_path: Path) -> InnerLab:
    return InnerLab("pa-4x2", tmp_path)


def test_only_what_was_registered_comes_back(lab: InnerLab) -> None:
    with lab:
        balancing = lab.transport.cloud.balancing
        (group,) = balancing.groups.all.values()
        instance = group.targets["i-0ex1", 443].instance
        lab.do(lambda _: balancing.groups.register(group, instance, 80))
        lab.do(lambda _: group.targets.pop(("i-0ex1", 443)))
        lab.later(120)
        assert lab.run("elb-drain", server="EX1").exit == 0
        assert not [key for key in group.targets if key[0] == "i-0ex1"]
        assert lab.run("elb-restore", server="EX1").exit == 0
        assert [key for key in group.targets if key[0] == "i-0ex1"] == [("i-0ex1", 80)]


def test_nothing_is_drained_while_no_other_target_is_healthy(lab: InnerLab) -> None:
    with lab:
        for server in ("EX2", "EX3", "EX4"):
            lab.do(lambda world, server=server: world.fault("host_off", server))
        lab.later(200)
        planned = lab.plan("elb-drain", server="EX1")
        assert [step.blocked.guard for step in planned.plan.steps if step.blocked is not None] == ["G-LASTVIP"]


def test_a_zone_is_not_shifted_away_where_nobody_else_serves(lab: InnerLab) -> None:
    with lab:
        lab.do(lambda world: world.fault("az_loss", "1b"))
        lab.later(200)
        with pytest.raises(NotSafe, match="no target of ExchangeNodes outside of eu-west-1a"):
            lab.plan("zonal-shift", az="euw1-az1")
        assert lab.plan("zonal-shift", az="euw1-az2").plan.steps


def test_every_group_of_the_balancer_lets_a_server_go(lab: InnerLab) -> None:
    with lab:
        cloud = lab.transport.cloud

        def smtp() -> str:
            ask: dict[str, object] = {"Name": "smtp", "Protocol": "TCP", "Port": 25, "TargetType": "ip"}
            (made,) = cloud.call("elbv2", "create_target_group", ask)["TargetGroups"]  # type: ignore[misc]
            arn = str(made["TargetGroupArn"])
            (balancer,) = cloud.balancing.balancers
            forward = [{"Type": "forward", "TargetGroupArn": arn}]
            port = {"LoadBalancerArn": balancer, "Protocol": "TCP", "Port": 25, "DefaultActions": forward}
            cloud.call("elbv2", "create_listener", port)
            targets = [{"Id": lab.world.server(name).address} for name in ("EX1", "EX2", "EX3")]
            cloud.call("elbv2", "register_targets", {"TargetGroupArn": arn, "Targets": targets})
            return arn

        arn = lab.do(lambda _: smtp())
        lab.later(120)
        planned = lab.plan("elb-drain", server="EX1").plan
        assert [one.arguments["target"] for one in planned.changes] == ["i-0ex1", "10.0.0.11"]
        assert lab.apply(planned).exit == 0
        assert [key for key in cloud.balancing.groups.all[arn].targets if key[0] == "10.0.0.11"] == []
        assert lab.run("elb-restore", server="EX1").exit == 0
        assert ("10.0.0.11", 25) in cloud.balancing.groups.all[arn].targets


TWO_NODES = """
name: two-nodes
extends: aws-2az
tuning: {elb_zonal_shift: "1"}
"""


def test_a_zone_goes_out_of_the_dns_before_its_last_target_does(tmp_path: Path) -> None:
    file = tmp_path / "two-nodes.yaml"
    file.write_text(TWO_NODES, "utf-8")
    with InnerLab(file, tmp_path) as lab:
        planned = lab.plan("elb-drain", server="ExchangeNode1")
        assert [step.kind for step in planned.plan.changes] == ["zone_shifted", "target_leaving"]
        assert planned.plan.complete
        ran = lab.apply(planned.plan)
        assert ran.exit == 0
        at = {event.kind: event.time for event in reversed(lab.do(lambda world: list(world.events)))}
        assert (at["target"] - at["zonal_shift"]).total_seconds() >= 60, "one time to live of the DNS between them"
        cloud = lab.transport.cloud
        (shift,) = cloud.call("arc-zonal-shift", "list_zonal_shifts", {})["items"]  # type: ignore[misc]
        assert shift["awayFrom"] == "euw1-az1"
        lab.later(600)
        assert cloud.call("arc-zonal-shift", "list_zonal_shifts", {"status": "ACTIVE"}) == {"items": []}
        assert lab.run("elb-restore", server="ExchangeNode1").exit == 0


def test_without_zonal_shift_it_is_said(tmp_path: Path) -> None:
    with InnerLab("aws-2az", tmp_path) as lab:
        (only,) = lab.plan("elb-drain", server="ExchangeNode1").plan.changes
        assert only.change is not None
        assert "no zonal shift is enabled" in only.change.warning
        assert only.change.bound.shown == "", "who else is healthy moves by itself, and binds no plan"


def test_a_zone_that_is_none_is_a_mistake(lab: InnerLab) -> None:
    with lab, pytest.raises(BadParameter, match="euw1-az9"):
        lab.plan("zonal-shift", az="euw1-az9")


def test_maintenance_leaves_balancers_alone_when_told_so(lab: InnerLab) -> None:
    with lab:
        (group,) = lab.transport.cloud.balancing.groups.all.values()
        assert lab.run("maintenance-start", server="EX1", lb=False).exit == 0
        assert ("i-0ex1", 443) in group.targets

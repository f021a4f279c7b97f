"""What AWS does to those who call too often, too early or at a bad moment; over the lab's port."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from aws_lab import AwsLab
from botocore.exceptions import ClientError


@pytest.fixture(scope="module")
def shared() -> Iterator[AwsLab]:
    with AwsLab("pa-4x2") as running:
        yield running


@pytest.fixture
def lab(shared: AwsLab) -> Iterator[AwsLab]:
    yield shared
    shared.do(lambda world: [world.mend(fault["number"]) for fault in world.faults()])
    shared.do(lambda _: shared.pump.set_speed(0))
    shared.later(60)


def codes(act: Any, times: int) -> list[str]:
    """What each call of several was answered with; empty: it was taken."""
    found = []
    for _ in range(times):
        try:
            act()
            found.append("")
        except ClientError as error:
            found.append(str(error.response["Error"]["Code"]))
    return found


def test_a_service_with_a_rate_takes_so_many_calls_of_a_second(lab: AwsLab) -> None:
    lab.do(lambda world: world.fault("aws_rate", "elbv2", per_s="3"))
    ask = lab.client("elbv2").describe_load_balancers
    assert codes(ask, 4) == ["", "", "", "Throttling"]
    assert codes(ask, 1) == [""], "who was refused has backed off, in a time that is not the lab's"
    assert "Throttling" in codes(ask, 2)
    lab.later(1)
    assert codes(ask, 3) == ["", "", ""]
    assert codes(lab.client("ec2").describe_instances, 5) == [""] * 5


def test_route_53_takes_five_calls_a_second_where_the_clock_runs(lab: AwsLab) -> None:
    ask = lab.client("route53").list_hosted_zones
    assert codes(ask, 12) == [""] * 12, "it stands still: there are no seconds"
    lab.do(lambda _: lab.pump.set_speed(0.01))
    found = codes(ask, 12)
    assert found[:5] == [""] * 5
    assert found.count("Throttling") >= 3
    assert codes(lab.client("elbv2").describe_load_balancers, 12) == [""] * 12


def test_an_error_of_some_calls_is_over_by_itself(lab: AwsLab) -> None:
    code = "PriorRequestNotComplete"
    lab.do(lambda world: world.fault("aws_error", "list_hosted_zones", code=code, times="2"))
    assert codes(lab.client("route53").list_hosted_zones, 4) == [code, code, "", ""]


def test_a_call_that_is_slow_takes_simulated_time_from_who_announced_it(lab: AwsLab) -> None:
    lab.do(lambda world: world.fault("aws_slow", "describe_instances", seconds="45"))
    began = lab.do(lambda world: world.now)
    lab.do(lambda world: world.scheduler.expect(1))
    lab.client("ec2", mark="md/starover#call").describe_instances()
    assert (lab.do(lambda world: world.now) - began).total_seconds() == pytest.approx(45)


def test_a_command_reaches_a_host_late(lab: AwsLab) -> None:
    lab.do(lambda world: world.fault("ssm_slow", "EX1", seconds="25"))
    ssm = lab.client("ssm")
    command = ssm.send_command(
        InstanceIds=["i-0ex1", "i-0ex2"], DocumentName="AWS-RunPowerShellScript", Parameters={"commands": ["1"]}
    )["Command"]
    lab.later(60)

    def begun(instance: str) -> datetime:
        told = ssm.get_command_invocation(CommandId=command["CommandId"], InstanceId=instance)
        assert told["Status"] == "Success"
        return datetime.fromisoformat(told["ExecutionStartDateTime"])

    assert (begun("i-0ex1") - begun("i-0ex2")).total_seconds() == pytest.approx(24.4, abs=1)

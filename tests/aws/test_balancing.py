"""Targets and zonal shifts over the lab's port: initial, healthy, draining, unused; by port and by component state."""

from __future__ import annotations

from collections.abc import Iterator
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
    attributes = shared.client("elbv2").describe_target_group_attributes(TargetGroupArn=group(shared))["Attributes"]
    delays = [one for one in attributes if one["Key"] == "deregistration_delay.timeout_seconds"]
    yield shared
    shared.do(lambda world: [world.mend(fault["number"]) for fault in world.faults()])
    arn = group(shared)
    elb = shared.client("elbv2")
    registered = elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
    elb.deregister_targets(TargetGroupArn=arn, Targets=[one["Target"] for one in registered])
    elb.modify_target_group(TargetGroupArn=arn, HealthCheckProtocol="TCP")
    shared.later(1200)
    elb.modify_target_group_attributes(TargetGroupArn=arn, Attributes=delays)
    elb.register_targets(TargetGroupArn=arn, Targets=[{"Id": f"i-0ex{n}"} for n in range(1, 5)])
    shared.later(200)


def group(lab: AwsLab) -> str:
    return str(lab.client("elbv2").describe_target_groups(Names=["ExchangeNodes"])["TargetGroups"][0]["TargetGroupArn"])


def health(lab: AwsLab, instance: str, port: int = 443) -> tuple[str, str]:
    found = lab.client("elbv2").describe_target_health(
        TargetGroupArn=group(lab), Targets=[{"Id": instance, "Port": port}]
    )["TargetHealthDescriptions"][0]
    assert found["Target"] == {"Id": instance, "Port": port}
    return found["TargetHealth"]["State"], found["TargetHealth"].get("Reason", "")


def refused(act: Any) -> str:
    with pytest.raises(ClientError) as caught:
        act()
    return str(caught.value.response["Error"]["Code"])


def test_the_course_of_a_target(lab: AwsLab) -> None:
    elb, arn = lab.client("elbv2"), group(lab)
    assert health(lab, "i-0ex1") == ("healthy", "")
    elb.deregister_targets(TargetGroupArn=arn, Targets=[{"Id": "i-0ex1"}])
    assert health(lab, "i-0ex1") == ("draining", "Target.DeregistrationInProgress")
    lab.later(21)
    assert health(lab, "i-0ex1") == ("unused", "Target.NotRegistered")
    elb.deregister_targets(TargetGroupArn=arn, Targets=[{"Id": "i-0ex1"}])  # once more is no error
    elb.register_targets(TargetGroupArn=arn, Targets=[{"Id": "i-0ex1", "Port": 443}])
    assert health(lab, "i-0ex1") == ("initial", "Elb.RegistrationInProgress")
    lab.later(40)
    assert health(lab, "i-0ex1") == ("initial", "Elb.InitialHealthChecking")
    lab.later(51)
    assert health(lab, "i-0ex1") == ("healthy", "")


def test_ports_are_targets_of_their_own(lab: AwsLab) -> None:
    elb, arn = lab.client("elbv2"), group(lab)
    elb.register_targets(TargetGroupArn=arn, Targets=[{"Id": "i-0ex1", "Port": 25}])
    lab.later(100)
    elb.deregister_targets(TargetGroupArn=arn, Targets=[{"Id": "i-0ex1", "Port": 443}])
    assert health(lab, "i-0ex1", 25)[0] == "healthy"
    assert health(lab, "i-0ex1", 443)[0] == "draining"


def test_a_group_of_addresses_is_used_once_a_listener_leads_to_it(lab: AwsLab) -> None:
    elb = lab.client("elbv2")
    (balancer,) = elb.describe_load_balancers()["LoadBalancers"]
    (made,) = elb.create_target_group(
        Name="smtp", Protocol="TCP", Port=25, VpcId=balancer["VpcId"], TargetType="ip", HealthCheckIntervalSeconds=10
    )["TargetGroups"]
    arn = made["TargetGroupArn"]
    targets = [{"Id": "10.0.0.11"}, {"Id": "10.0.32.13", "Port": 587}]
    elb.register_targets(TargetGroupArn=arn, Targets=targets)
    outside = {"TargetGroupArn": arn, "Targets": [{"Id": "192.0.2.1"}]}
    assert refused(lambda: elb.register_targets(**outside)) == "InvalidTarget"

    def states() -> dict[tuple[str, int], tuple[str, str]]:
        found = elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
        return {
            (one["Target"]["Id"], one["Target"]["Port"]): (
                one["TargetHealth"]["State"],
                one["TargetHealth"].get("Reason", ""),
            )
            for one in found
        }

    lab.later(60)
    assert set(states().values()) == {("unused", "Target.NotInUse")}
    forward = [{"Type": "forward", "TargetGroupArn": arn}]
    port = {"LoadBalancerArn": balancer["LoadBalancerArn"], "Protocol": "TCP", "DefaultActions": forward}
    assert refused(lambda: elb.create_listener(**port, Port=443)) == "DuplicateListener"
    (listener,) = elb.create_listener(**port, Port=25)["Listeners"]
    lab.later(60)
    assert states() == {("10.0.0.11", 25): ("healthy", ""), ("10.0.32.13", 587): ("healthy", "")}
    address = lab.do(lambda world: next(iter(world.state.balancer_addresses.values()))[0])
    behind = lab.do(lambda _: lab.cloud.balancing.behind(address, 25)) or []
    assert {one.name for one in behind} == {"EX1", "EX3"}
    assert refused(lambda: elb.delete_target_group(TargetGroupArn=arn)) == "ResourceInUse"
    elb.delete_listener(ListenerArn=listener["ListenerArn"])
    assert set(states().values()) == {("unused", "Target.NotInUse")}
    elb.delete_target_group(TargetGroupArn=arn)
    assert refused(lambda: states()) == "TargetGroupNotFound"


def test_the_delay_of_draining_is_the_groups(lab: AwsLab) -> None:
    elb, arn = lab.client("elbv2"), group(lab)
    delay = {"Key": "deregistration_delay.timeout_seconds"}
    elb.modify_target_group_attributes(TargetGroupArn=arn, Attributes=[{**delay, "Value": "300"}])
    elb.deregister_targets(TargetGroupArn=arn, Targets=[{"Id": "i-0ex2"}])
    lab.later(290)
    assert health(lab, "i-0ex2")[0] == "draining"
    lab.later(20)
    assert health(lab, "i-0ex2")[0] == "unused"
    assert {**delay, "Value": "300"} in elb.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]


def test_a_tcp_check_does_not_see_maintenance_and_a_page_does(lab: AwsLab) -> None:
    elb, arn = lab.client("elbv2"), group(lab)

    def wide(state: Any) -> None:
        lab.do(lambda world: world.set_component("EX3", "EX3", "ServerWideOffline", state, "Maintenance"))

    wide("Inactive")
    lab.later(200)
    assert health(lab, "i-0ex3")[0] == "healthy"
    elb.modify_target_group(
        TargetGroupArn=arn,
        HealthCheckProtocol="HTTPS",
        HealthCheckPath="/owa/healthcheck.htm",
        Matcher={"HttpCode": "200"},
    )
    assert health(lab, "i-0ex3")[0] == "healthy", "three checks must fail"
    lab.later(100)
    assert health(lab, "i-0ex3") == ("unhealthy", "Target.ResponseCodeMismatch")
    assert health(lab, "i-0ex1")[0] == "healthy"
    wide("Active")
    lab.later(100)
    assert health(lab, "i-0ex3")[0] == "healthy"


def test_a_lost_zone_is_unhealthy_and_a_stopped_instance_unused(lab: AwsLab) -> None:
    lab.do(lambda world: world.fault("az_loss", "1b"))
    lab.later(100)
    assert health(lab, "i-0ex3") == ("unhealthy", "Target.Timeout")
    assert health(lab, "i-0ex1")[0] == "healthy"
    unknown = {"TargetGroupArn": group(lab), "Targets": [{"Id": "i-9"}]}
    assert refused(lambda: lab.client("elbv2").register_targets(**unknown)) == "InvalidTarget"


def test_connections_go_to_targets_only(lab: AwsLab) -> None:
    elb, arn = lab.client("elbv2"), group(lab)
    address = lab.do(lambda world: next(iter(world.state.balancer_addresses.values()))[0])

    def behind() -> set[str]:
        return {one.name for one in lab.do(lambda _: lab.cloud.balancing.behind(address, 443)) or ()}

    assert behind() == {"EX1", "EX2", "EX3", "EX4"}
    elb.deregister_targets(TargetGroupArn=arn, Targets=[{"Id": "i-0ex1"}])
    assert behind() == {"EX2", "EX3", "EX4"}
    lab.do(lambda world: world.fault("host_off", "EX2"))
    lab.later(100)
    assert behind() == {"EX3", "EX4"}


def test_a_shift_takes_a_zone_out_of_the_dns_for_a_time(lab: AwsLab) -> None:
    shifts = lab.client("arc-zonal-shift")
    (balancer,) = lab.client("elbv2").describe_load_balancers()["LoadBalancers"]
    arn, name = balancer["LoadBalancerArn"], balancer["DNSName"]

    def zones() -> set[str]:
        records = lab.do(lambda world: world.dns.query("DC1", name, "A")).answers
        return {lab.do(lambda world, one=one: world.state.zone_of(one.data)) for one in records}

    both = {"eu-west-1a", "eu-west-1b", "eu-west-1c"}
    assert zones() == both
    begun = shifts.start_zonal_shift(resourceIdentifier=arn, awayFrom="euw1-az1", expiresIn="2h", comment="INC1")
    assert begun["status"] == "ACTIVE"
    assert zones() == both - {"eu-west-1a"}
    assert shifts.get_managed_resource(resourceIdentifier=arn)["appliedWeights"]["euw1-az1"] == 0.0
    again = {"resourceIdentifier": arn, "expiresIn": "2h", "comment": "INC2"}
    assert refused(lambda: shifts.start_zonal_shift(**again, awayFrom="euw1-az2")) == "ConflictException"
    shifts.cancel_zonal_shift(zonalShiftId=begun["zonalShiftId"])
    assert zones() == both
    assert refused(lambda: shifts.start_zonal_shift(**again, awayFrom="eu-west-1a")) == "ValidationException"
    shifts.start_zonal_shift(**again, awayFrom="euw1-az2")
    lab.later(7300)
    assert zones() == both
    listed = shifts.list_zonal_shifts(resourceIdentifier=arn)["items"]
    assert [one["status"] for one in listed] == ["EXPIRED", "CANCELED"]


def test_a_balancer_without_zonal_shift_is_not_known_to_it(lab: AwsLab) -> None:
    elb = lab.client("elbv2")
    arn = elb.describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"]
    setting = {"Key": "zonal_shift.config.enabled"}
    elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=[{**setting, "Value": "false"}])
    ask = lab.client("arc-zonal-shift").get_managed_resource
    assert refused(lambda: ask(resourceIdentifier=arn)) == "ResourceNotFoundException"
    elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=[{**setting, "Value": "true"}])
    assert ask(resourceIdentifier=arn)["arn"] == arn

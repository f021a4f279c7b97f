"""The lab's AWS: every reply has the shape that boto3 gives, refusals are worded as botocore prints them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name
from botocore.session import Session
from botocore.validate import ParamValidator
from starover_lab.cloud.api import Cloud
from starover_lab.cloud.errors import CloudError
from starover_lab.world.world import World

SESSION = Session()


class Aws:
    """A world and its AWS; every reply is held to botocore's description of it."""

    def __init__(self, topology: str = "pa-4x2") -> None:
        self.world = World.from_topology(topology)
        self.cloud = Cloud(self.world)

    def __call__(self, service: str, operation: str, /, **parameters: Any) -> Any:
        reply = self.cloud.call(service, operation, parameters)
        model = SESSION.get_service_model(service)
        name = next(one for one in model.operation_names if xform_name(one) == operation)
        shape = model.operation_model(name).output_shape
        if shape is not None:
            report = ParamValidator().validate(reply, shape)
            assert not report.has_errors(), report.generate_report()
            assert set(reply) <= set(shape.members)
        return reply

    def refused(self, service: str, operation: str, /, **parameters: Any) -> CloudError:
        with pytest.raises(CloudError) as caught:
            self(service, operation, **parameters)
        return caught.value

    def later(self, seconds: float) -> None:
        self.world.scheduler.advance_to(self.world.now + timedelta(seconds=seconds))

    def state(self, name: str = "i-0ex1") -> str:
        found = self("ec2", "describe_instances", InstanceIds=[name])
        return str(found["Reservations"][0]["Instances"][0]["State"]["Name"])

    def checks(self, name: str = "i-0ex1") -> tuple[str, str]:
        found = self("ec2", "describe_instance_status", InstanceIds=[name], IncludeAllInstances=True)
        one = found["InstanceStatuses"][0]
        return one["SystemStatus"]["Status"], one["InstanceStatus"]["Status"]


@pytest.fixture
def aws() -> Aws:
    return Aws()


# -- instances


def test_a_stop_shuts_windows_down_and_a_start_boots_it(aws: Aws) -> None:
    assert aws("ec2", "stop_instances", InstanceIds=["i-0ex1"])["StoppingInstances"][0]["CurrentState"]["Name"] == (
        "stopping"
    )
    assert aws.world.power("EX1") == "on", "Windows shuts down in order"
    assert aws.refused("ec2", "start_instances", InstanceIds=["i-0ex1"]).code == "IncorrectInstanceState"
    aws.later(59)
    assert (aws.state(), aws.world.power("EX1")) == ("stopping", "off")
    aws.later(2)
    assert aws.state() == "stopped"
    assert aws.checks() == ("not-applicable", "not-applicable")
    aws("ec2", "start_instances", InstanceIds=["i-0ex1"])
    assert aws.refused("ec2", "stop_instances", InstanceIds=["i-0ex1"]).code == "IncorrectInstanceState"
    aws.later(91)
    assert (aws.state(), aws.checks()) == ("running", ("ok", "initializing"))
    aws.later(200)
    assert (aws.world.power("EX1"), aws.checks()) == ("on", ("ok", "ok"))


def test_force_takes_the_power_away_at_once_and_helps_where_windows_hangs(aws: Aws) -> None:
    aws.world.fault("host_hang", "EX1")
    aws.later(120)
    assert aws.checks() == ("ok", "impaired")
    aws("ec2", "stop_instances", InstanceIds=["i-0ex1"])
    aws.later(1800)
    assert aws.state() == "stopping"
    aws("ec2", "stop_instances", InstanceIds=["i-0ex1"], Force=True)
    assert aws.world.power("EX1") == "off"
    aws.later(121)
    assert aws.state() == "stopped"


@pytest.mark.parametrize(("mode", "seen"), [("stops", "stopped"), ("stuck", "stopping")])
def test_a_stop_in_a_lost_zone(aws: Aws, mode: str, seen: str) -> None:
    number = aws.world.fault("az_loss", "1a", ec2=mode)
    assert (aws.state(), aws.checks()) == ("running", ("ok", "ok")), "a minute passes before it is noticed"
    aws.later(61)
    assert aws.checks() == ("impaired", "impaired")
    aws("ec2", "stop_instances", InstanceIds=["i-0ex1"])
    aws.later(900)
    assert aws.state() == seen
    assert aws.refused("ec2", "start_instances", InstanceIds=["i-0ex1"]).code in (
        "IncorrectInstanceState",
        "InsufficientInstanceCapacity",
    )
    aws.world.mend(number)
    aws.later(900)
    assert (aws.state(), aws.world.power("EX1")) == ("stopped", "off"), "the stop stays requested"
    assert (aws.state("i-0ex2"), aws.world.power("EX2")) == ("running", "on")


def test_the_api_says_nothing_of_a_zone(aws: Aws) -> None:
    aws.world.fault("az_loss", "1a", ec2="api_down")
    for operation in ("describe_instances", "stop_instances", "describe_instance_status"):
        error = aws.refused("ec2", operation, InstanceIds=["i-0ex1"])
        assert error.code == "Unavailable"
        assert "(Unavailable) when calling the " in error.message
    every = aws("ec2", "describe_instances")["Reservations"]
    assert "i-0ex1" not in str(every)
    assert "i-0ex3" in str(every)
    assert len(aws("ec2", "describe_subnets")["Subnets"]) == 5


def test_somebody_stops_an_instance_behind_our_back(aws: Aws) -> None:
    number = aws.world.fault("instance_stop", "EX1")
    aws.later(100)
    assert aws.state() == "stopped"
    aws.world.mend(number)
    assert aws.state() == "pending"


def test_refusals_are_worded_as_botocore_prints_them(aws: Aws) -> None:
    error = aws.refused("ec2", "stop_instances", InstanceIds=["i-9"])
    assert error.message == (
        "An error occurred (InvalidInstanceID.NotFound) when calling the StopInstances operation: "
        "The instance ID 'i-9' does not exist"
    )
    assert "Invalid type for parameter InstanceIds" in aws.refused("ec2", "stop_instances", InstanceIds="i").message
    assert "Missing required parameter" in aws.refused("ec2", "stop_instances").message
    assert aws.refused("ec2", "run_instances", MinCount=1, MaxCount=1).code == "NotSimulated"
    assert aws.refused("ec2", "describe_instances", DryRun=True).code == "DryRunOperation"
    assert aws.refused("ec2", "describe_instances", Filters=[{"Name": "nope", "Values": ["x"]}]).code == (
        "InvalidParameterValue"
    )
    aws("ec2", "modify_instance_attribute", InstanceId="i-0ex1", DisableApiStop={"Value": True})
    assert aws.refused("ec2", "stop_instances", InstanceIds=["i-0ex1"]).code == "OperationNotPermitted"


def test_faults_of_the_api_itself(aws: Aws) -> None:
    aws.world.fault("aws_throttle", "describe_instances", times=2)
    assert {aws.refused("ec2", "describe_instances").code for _ in range(2)} == {"RequestLimitExceeded"}
    aws("ec2", "describe_instances")
    aws("ec2", "stop_instances", InstanceIds=["i-0ex1"])
    aws.later(100)
    number = aws.world.fault("insufficient_capacity", "1a")
    error = aws.refused("ec2", "start_instances", InstanceIds=["i-0ex1"])
    assert "r6i.4xlarge" in error.message
    assert "eu-west-1b" in error.message
    aws.world.mend(number)
    aws("ec2", "start_instances", InstanceIds=["i-0ex1"])
    aws.world.fault("ec2_event", "EX3", code="instance-retirement", in_s=3600)
    events = aws("ec2", "describe_instance_status", InstanceIds=["i-0ex3"])["InstanceStatuses"][0]["Events"]
    assert [one["Code"] for one in events] == ["instance-retirement"]
    assert events[0]["NotBefore"] == aws.world.now + timedelta(seconds=3600)


def test_simplified_automatic_recovery(aws: Aws) -> None:
    def recovers(name: str) -> str:
        found = aws("ec2", "describe_instances", InstanceIds=[name])["Reservations"][0]["Instances"][0]
        return str(found["MaintenanceOptions"]["AutoRecovery"])

    told = aws("ec2", "modify_instance_maintenance_options", InstanceId="i-0ex2", AutoRecovery="disabled")
    assert told == {"InstanceId": "i-0ex2", "AutoRecovery": "disabled"}
    assert (recovers("i-0ex1"), recovers("i-0ex2")) == ("default", "disabled")
    for name in ("EX1", "EX2", "EX3"):
        aws.world.fault("hardware_failed", name)
    aws.world.fault("az_isolated", "1b")
    aws.later(120)
    assert {aws.checks(f"i-0ex{one}") for one in (1, 2, 3)} == {("impaired", "impaired")}
    assert {aws.state(f"i-0ex{one}") for one in (1, 2, 3)} == {"running"}
    aws.later(500)
    assert (aws.world.power("EX1"), aws.checks("i-0ex1")) == ("on", ("ok", "ok")), "on other hardware, booted anew"
    assert (aws.world.power("EX2"), aws.checks("i-0ex2")[0]) == ("off", "impaired"), "it is off, and nobody brings it"
    assert aws.world.power("EX3") == "off", "not while AWS Health has an event for its zone"
    aws.world.mend(kind="az_isolated")
    aws.later(300)
    assert aws.world.power("EX3") == "on"
    aws("ec2", "stop_instances", InstanceIds=["i-0ex2"])
    aws.later(100)
    aws("ec2", "start_instances", InstanceIds=["i-0ex2"])
    aws.later(400)
    assert aws.world.power("EX2") == "on", "a stop and a start put it on other hardware too"


def test_the_disks_of_the_host_are_told_by_type(tmp_path: Path) -> None:
    text = "name: stores\nextends: pa-4x2\nservers:\n  - {name: FSW3, roles: [witness], az: eu-west-1c, "
    text += "address: 10.0.64.200, instance: i-0fs3, instance_type: r5d.4xlarge, instance_store: [300, 300]}\n"
    (tmp_path / "stores.yaml").write_text(text, encoding="utf-8")
    aws = Aws(str(tmp_path / "stores.yaml"))
    (found,) = aws("ec2", "describe_instance_types", InstanceTypes=["r5d.4xlarge"])["InstanceTypes"]
    assert found["InstanceStorageInfo"]["Disks"] == [{"SizeInGB": 300, "Count": 2, "Type": "ssd"}]
    assert "InstanceStorageInfo" not in aws("ec2", "describe_instance_types", InstanceTypes=["r6i.4xlarge"])
    assert aws.refused("ec2", "describe_instance_types", InstanceTypes=["x9.huge"]).code == "InvalidInstanceType"


def test_tags_are_kept_and_found(aws: Aws) -> None:
    aws("ec2", "create_tags", Resources=["i-0ex1"], Tags=[{"Key": "dag-fenced", "Value": "DAG1"}])
    wanted = [{"Name": "tag:dag-fenced", "Values": ["DAG1"]}]
    assert len(aws("ec2", "describe_instances", Filters=wanted)["Reservations"]) == 1
    aws("ec2", "delete_tags", Resources=["i-0ex1"], Tags=[{"Key": "dag-fenced"}])
    assert not aws("ec2", "describe_instances", Filters=wanted)["Reservations"]


# -- network


def passes(aws: Aws, one: str, other: str) -> bool:
    return aws.world.state.linked(aws.world.server(one), aws.world.server(other))


def test_a_network_acl_cuts_between_subnets_at_once(aws: Aws) -> None:
    subnet = next(one for one in aws("ec2", "describe_subnets")["Subnets"] if one["CidrBlock"] == "10.0.0.0/24")
    current = aws(
        "ec2",
        "describe_network_acls",
        Filters=[{"Name": "association.subnet-id", "Values": [subnet["SubnetId"]]}],
    )["NetworkAcls"][0]
    old = next(one for one in current["Associations"] if one["SubnetId"] == subnet["SubnetId"])
    made = aws("ec2", "create_network_acl", VpcId=subnet["VpcId"])["NetworkAcl"]
    assert {entry["RuleAction"] for entry in made["Entries"]} == {"deny"}
    assert passes(aws, "EX1", "EX3")
    new = aws(
        "ec2",
        "replace_network_acl_association",
        AssociationId=old["NetworkAclAssociationId"],
        NetworkAclId=made["NetworkAclId"],
    )["NewAssociationId"]
    assert not passes(aws, "EX1", "EX3")
    assert not passes(aws, "EX3", "EX1")
    assert passes(aws, "EX1", "DC1"), "within a subnet it does nothing"
    assert aws.world.listener("EX1") == ("silent",)
    aws(
        "ec2",
        "create_network_acl_entry",
        NetworkAclId=made["NetworkAclId"],
        RuleNumber=10,
        Egress=False,
        RuleAction="allow",
        Protocol="-1",
        CidrBlock="10.0.32.0/24",
    )
    assert not passes(aws, "EX1", "EX3"), "one direction alone is nothing"
    aws("ec2", "replace_network_acl_association", AssociationId=new, NetworkAclId=current["NetworkAclId"])
    assert passes(aws, "EX1", "EX3")
    gone = old["NetworkAclAssociationId"]
    error = aws.refused("ec2", "replace_network_acl_association", AssociationId=gone, NetworkAclId=made["NetworkAclId"])
    assert error.code == "InvalidAssociationID.NotFound"


def test_a_security_group_leaves_established_flows_alive(aws: Aws) -> None:
    vpc = aws("ec2", "describe_security_groups")["SecurityGroups"][0]["VpcId"]
    group = aws("ec2", "create_security_group", GroupName="quarantine", Description="q", VpcId=vpc)["GroupId"]
    rule = {"IpProtocol": "tcp", "FromPort": 5985, "ToPort": 5986, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    aws("ec2", "authorize_security_group_ingress", GroupId=group, IpPermissions=[rule])
    aws("ec2", "modify_instance_attribute", InstanceId="i-0ex1", Groups=[group])
    assert passes(aws, "EX1", "EX3")
    aws.later(351)
    assert not passes(aws, "EX1", "EX3")
    assert passes(aws, "EX1", "DC1")
    assert aws.world.listener("EX1") == ()


def test_secondary_addresses(aws: Aws) -> None:
    wanted = [{"Name": "attachment.instance-id", "Values": ["i-0ex1"]}]
    (eni,) = aws("ec2", "describe_network_interfaces", Filters=wanted)["NetworkInterfaces"]
    name = eni["NetworkInterfaceId"]
    aws("ec2", "assign_private_ip_addresses", NetworkInterfaceId=name, PrivateIpAddresses=["10.0.0.101"])
    (eni,) = aws("ec2", "describe_network_interfaces", NetworkInterfaceIds=[name])["NetworkInterfaces"]
    assert [one["PrivateIpAddress"] for one in eni["PrivateIpAddresses"]] == ["10.0.0.11", "10.0.0.101"]
    for address in ("10.0.0.10", "10.0.32.7", "10.0.0.1"):
        error = aws.refused("ec2", "assign_private_ip_addresses", NetworkInterfaceId=name, PrivateIpAddresses=[address])
        assert error.code == "InvalidParameterValue"
    aws("ec2", "unassign_private_ip_addresses", NetworkInterfaceId=name, PrivateIpAddresses=["10.0.0.101"])


# -- the rest


def test_snapshots_are_complete_after_their_time_and_keep_what_lay_there(aws: Aws) -> None:
    made = aws(
        "ec2",
        "create_snapshots",
        InstanceSpecification={"InstanceId": "i-0ex3", "ExcludeBootVolume": True},
        Description="run DB01 diverged",
        TagSpecifications=[{"ResourceType": "snapshot", "Tags": [{"Key": "db", "Value": "DB01"}]}],
    )["Snapshots"]
    assert len(made) == 2
    wanted = [{"Name": "tag:db", "Values": ["DB01"]}]

    def states() -> set[str]:
        return {one["State"] for one in aws("ec2", "describe_snapshots", Filters=wanted)["Snapshots"]}

    gib = max(one["VolumeSize"] for one in made)
    assert states() == {"pending"}
    aws.later(gib * 2**30 / 200e6 - 10)
    assert "pending" in states()
    aws.later(20)
    assert states() == {"completed"}
    assert aws.world.state.preserved["db01", "ex3"][0] == "snapshot"


def test_a_volume_grows_once_in_six_hours(aws: Aws) -> None:
    wanted = [{"Name": "attachment.instance-id", "Values": ["i-0ex1"]}]
    volume = aws("ec2", "describe_volumes", Filters=wanted)["Volumes"][2]
    name = volume["VolumeId"]
    assert aws.refused("ec2", "modify_volume", VolumeId=name, Size=1).code == "InvalidParameterValue"
    aws("ec2", "modify_volume", VolumeId=name, Size=volume["Size"] + 100)

    def state() -> str:
        found = aws("ec2", "describe_volumes_modifications", VolumeIds=[name])
        return str(found["VolumesModifications"][0]["ModificationState"])

    assert state() == "modifying"
    aws.later(61)
    assert state() == "optimizing"
    assert aws.refused("ec2", "modify_volume", VolumeId=name, Size=5000).code == "VolumeModificationRateExceeded"
    aws.later(6 * 3600)
    assert state() == "completed"
    aws("ec2", "modify_volume", VolumeId=name, Size=5000)


def test_aws_health_tells_of_power_and_of_links_apart(aws: Aws) -> None:
    wanted = {"services": ["EC2"], "eventStatusCodes": ["open"]}

    def codes() -> list[str]:
        return [one["eventTypeCode"] for one in aws("health", "describe_events", filter=wanted)["events"]]

    number = aws.world.fault("az_loss", "1a")
    assert codes() == [], "it is told some minutes later"
    aws.later(200)
    assert codes() == ["AWS_EC2_POWER_CONNECTIVITY_ISSUE"]
    aws.world.mend(number)
    assert codes() == []
    aws.world.fault("az_isolated", "1b")
    aws.later(200)
    assert codes() == ["AWS_EC2_NETWORK_CONNECTIVITY_ISSUE"]


def test_targets_are_drained_and_come_back(aws: Aws) -> None:
    arn = aws("elbv2", "describe_target_groups", Names=["ExchangeNodes"])["TargetGroups"][0]["TargetGroupArn"]
    aws("elbv2", "describe_load_balancers")
    target = {"TargetGroupArn": arn, "Targets": [{"Id": "i-0ex1", "Port": 443}]}

    def health() -> str:
        found = aws("elbv2", "describe_target_health", **target)
        return str(found["TargetHealthDescriptions"][0]["TargetHealth"]["State"])

    assert health() == "healthy"
    aws("elbv2", "deregister_targets", **target)
    assert health() == "draining"
    aws.later(21)
    assert health() == "unused"
    aws("elbv2", "register_targets", **target)
    assert health() == "initial"
    aws.later(91)
    assert health() == "healthy"
    aws.world.fault("host_off", "EX1")
    assert health() == "healthy", "three checks must fail"
    aws.later(91)
    assert health() == "unhealthy"


def test_a_group_replaces_what_was_stopped_unless_it_is_suspended(make: Callable[[], Aws]) -> None:
    for suspended in (True, False):
        aws = make()
        group = {"AutoScalingGroupName": "exchange"}
        assert aws("autoscaling", "describe_auto_scaling_instances", InstanceIds=["i-0ex1"])["AutoScalingInstances"]
        if suspended:
            aws("autoscaling", "suspend_processes", **group, ScalingProcesses=["ReplaceUnhealthy"])
        aws("ec2", "stop_instances", InstanceIds=["i-0ex1"])
        aws.later(600)
        assert aws.state() == ("stopped" if suspended else "terminated")
        found = aws("autoscaling", "describe_auto_scaling_groups", AutoScalingGroupNames=["exchange"])
        names = [one["ProcessName"] for one in found["AutoScalingGroups"][0]["SuspendedProcesses"]]
        assert names == (["ReplaceUnhealthy"] if suspended else [])


@pytest.fixture
def make(tmp_path: Any) -> Callable[[], Aws]:
    file = tmp_path / "grouped.yaml"
    file.write_text(
        "name: grouped\nextends: aws-2az\nservers:\n"
        "  - {name: ExchangeNode1, instance: i-0ex1, roles: [mailbox], az: eu-west-1a, address: 10.0.0.100,\n"
        "     exchange: {}, auto_scaling_group: exchange}\n",
        encoding="utf-8",
    )
    return lambda: Aws(str(file))

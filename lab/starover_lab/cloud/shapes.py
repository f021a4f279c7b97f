"""EC2's things as boto3 shows them; decides nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from starover_lab.cloud.given import Reply
from starover_lab.cloud.instances import CODES, Instance, Instances, InstanceState
from starover_lab.cloud.vpc import Acl, SecurityGroup, SubnetOfVpc, Vpc
from starover_lab.world.network_cards import EniView
from starover_lab.world.state import State

__all__ = [
    "OWNER",
    "acl_of",
    "change_of",
    "eni_of",
    "group_of",
    "instance_of",
    "state_of",
    "status_of",
    "subnet_of",
    "tag_list",
    "type_of",
]

OWNER = "123456789012"


def state_of(state: InstanceState) -> Reply:
    """A state with its code."""
    return {"Code": CODES[state], "Name": state}


def change_of(instance: Instance, before: InstanceState) -> Reply:
    """What stop and start answer for one instance."""
    return {"InstanceId": instance.id, "CurrentState": state_of(instance.state), "PreviousState": state_of(before)}


def tag_list(tags: Mapping[str, str]) -> list[Reply]:
    """Tags."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def instance_of(instance: Instance, vpc: Vpc, groups: Mapping[str, SecurityGroup]) -> Reply:
    """An instance as describe_instances shows it."""
    server = instance.server
    subnet = vpc.subnet_of(server)
    shown: Reply = {
        "InstanceId": instance.id,
        "InstanceType": server.instance_type,
        "ImageId": "ami-00000000000000000",
        "LaunchTime": instance.launched,
        "Placement": {"AvailabilityZone": server.az, "GroupName": "", "Tenancy": "default"},
        "Platform": "windows",
        "PrivateIpAddress": server.address,
        "PrivateDnsName": "",
        "State": state_of(instance.state),
        "StateTransitionReason": instance.reason,
        "SubnetId": subnet.id if subnet is not None else "",
        "VpcId": vpc.id,
        "SecurityGroups": [{"GroupId": name, "GroupName": groups[name].name} for name in instance.groups],
        "Tags": tag_list(instance.tags),
        "MaintenanceOptions": {"AutoRecovery": instance.auto_recovery},
    }
    if instance.state in ("stopping", "stopped", "terminated") and instance.reason:
        shown["StateReason"] = {
            "Code": "Client.UserInitiatedShutdown",
            "Message": "Client.UserInitiatedShutdown: User initiated shutdown",
        }
    return shown


def type_of(name: str, stores: Sequence[float]) -> Reply:
    """An instance type, of which only the disks of the host are told."""
    shown: Reply = {"InstanceType": name, "InstanceStorageSupported": bool(stores)}
    if stores:
        shown["InstanceStorageInfo"] = {
            "TotalSizeInGB": int(sum(stores)),
            "Disks": [{"SizeInGB": int(size), "Count": count, "Type": "ssd"} for size, count in _counted(stores)],
        }
    return shown


def _counted(sizes: Sequence[float]) -> list[tuple[float, int]]:
    return [(size, sizes.count(size)) for size in dict.fromkeys(sizes)]


def status_of(instance: Instance, instances: Instances, state: State) -> Reply:
    """An instance as describe_instance_status shows it."""
    announced = state.cloud.events.get(instance.server.name, {})
    shown: Reply = {
        "AvailabilityZone": instance.server.az,
        "InstanceId": instance.id,
        "InstanceState": state_of(instance.state),
        "SystemStatus": _check(instances, instance, system=True),
        "InstanceStatus": _check(instances, instance, system=False),
    }
    if announced:
        shown["Events"] = [
            {
                "InstanceEventId": f"instance-event-0{number:016x}",
                "Code": code,
                "Description": f"The instance is running on degraded hardware ({code})",
                "NotBefore": due,
                "NotAfter": due + timedelta(hours=2),
            }
            for number, (code, due) in sorted(announced.items())
        ]
    return shown


def _check(instances: Instances, instance: Instance, *, system: bool) -> Reply:
    status, since = instances.check(instance, system=system)
    shown: Reply = {"Status": status}
    if status in ("ok", "impaired", "initializing"):
        words = {"ok": "passed", "impaired": "failed", "initializing": "initializing"}
        detail: Reply = {"Name": "reachability", "Status": words[status]}
        if since is not None:
            detail["ImpairedSince"] = since
        shown["Details"] = [detail]
    return shown


def subnet_of(subnet: SubnetOfVpc, vpc: Vpc) -> Reply:
    """A subnet."""
    return {
        "SubnetId": subnet.id,
        "VpcId": vpc.id,
        "CidrBlock": subnet.cidr,
        "AvailabilityZone": subnet.az,
        "State": "available",
        "OwnerId": OWNER,
        "Tags": [],
    }


def acl_of(acl: Acl, vpc: Vpc) -> Reply:
    """A network ACL."""
    return {
        "NetworkAclId": acl.id,
        "VpcId": vpc.id,
        "OwnerId": OWNER,
        "IsDefault": acl.default,
        "Associations": [
            {"NetworkAclAssociationId": one.id, "NetworkAclId": acl.id, "SubnetId": one.subnet}
            for one in vpc.associations.values()
            if one.acl is acl
        ],
        "Entries": [
            {
                "RuleNumber": rule.number,
                "Egress": rule.egress,
                "RuleAction": "allow" if rule.allow else "deny",
                "Protocol": rule.protocol,
                "CidrBlock": rule.cidr,
                **({"PortRange": {"From": rule.ports[0], "To": rule.ports[1]}} if rule.ports else {}),
            }
            for rule in sorted(acl.rules, key=lambda one: (one.egress, one.number))
        ],
        "Tags": tag_list(acl.tags),
    }


def group_of(group: SecurityGroup, vpc: Vpc) -> Reply:
    """A security group."""
    return {
        "GroupId": group.id,
        "GroupName": group.name,
        "Description": group.description,
        "VpcId": vpc.id,
        "OwnerId": OWNER,
        "IpPermissions": [
            {
                "IpProtocol": one.protocol,
                **({"FromPort": one.first, "ToPort": one.last} if one.first >= 0 else {}),
                "IpRanges": [{"CidrIp": cidr} for cidr in one.cidrs],
                "UserIdGroupPairs": [{"GroupId": name, "UserId": OWNER} for name in one.groups],
                "Ipv6Ranges": [],
                "PrefixListIds": [],
            }
            for one in group.inbound
        ],
        "IpPermissionsEgress": [
            {
                "IpProtocol": "-1",
                "IpRanges": [{"CidrIp": "0.0.0.0/0"}],
                "UserIdGroupPairs": [],
                "Ipv6Ranges": [],
                "PrefixListIds": [],
            }
        ],
        "Tags": tag_list(group.tags),
    }


def eni_of(view: EniView, vpc: Vpc, az: str, groups: Mapping[str, str]) -> Reply:
    """A network interface. `groups`: names by id."""
    subnet = next((one.id for one in vpc.subnets if one.cidr == view.subnet), "")
    return {
        "NetworkInterfaceId": view.id,
        "AvailabilityZone": az,
        "SubnetId": subnet,
        "VpcId": vpc.id,
        "OwnerId": OWNER,
        "MacAddress": view.mac,
        "Status": "in-use",
        "InterfaceType": "interface",
        "PrivateIpAddress": view.primary,
        "PrivateIpAddresses": [
            {"Primary": address == view.primary, "PrivateIpAddress": address}
            for address in (view.primary, *view.secondary)
        ],
        "Attachment": {"InstanceId": view.instance, "Status": "attached", "DeviceIndex": 0},
        "Groups": [{"GroupId": name, "GroupName": shown} for name, shown in groups.items()],
        "TagSet": [],
    }

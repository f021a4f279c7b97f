"""Calls of EC2 about instances and their network, by boto3's names (catalogue 7.2); storage is elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from starover_lab.cloud import shapes
from starover_lab.cloud.errors import CloudError, missing, not_simulated
from starover_lab.cloud.given import Given, Looks, Reply, filtered, flag, number, table, tables, tags_of, text, texts
from starover_lab.cloud.instances import Instance, Instances, InstanceState
from starover_lab.cloud.vpc import Permission, Rule, Vpc
from starover_lab.world.errors import WorldError
from starover_lab.world.world import World

__all__ = ["Ec2"]

_INSTANCE: Looks = {
    "instance-id": lambda one: [text(one, "InstanceId")],
    "instance-state-name": lambda one: [text(table(one, "State"), "Name")],
    "availability-zone": lambda one: [text(table(one, "Placement"), "AvailabilityZone")],
    "private-ip-address": lambda one: [text(one, "PrivateIpAddress")],
    "subnet-id": lambda one: [text(one, "SubnetId")],
    "vpc-id": lambda one: [text(one, "VpcId")],
    "instance.group-id": lambda one: [text(group, "GroupId") for group in tables(one, "SecurityGroups")],
}
_STATUS: Looks = {
    "availability-zone": lambda one: [text(one, "AvailabilityZone")],
    "instance-state-name": lambda one: [text(table(one, "InstanceState"), "Name")],
    "system-status.status": lambda one: [text(table(one, "SystemStatus"), "Status")],
    "instance-status.status": lambda one: [text(table(one, "InstanceStatus"), "Status")],
    "event.code": lambda one: [text(event, "Code") for event in tables(one, "Events")],
}
_ACL: Looks = {
    "network-acl-id": lambda one: [text(one, "NetworkAclId")],
    "vpc-id": lambda one: [text(one, "VpcId")],
    "default": lambda one: [str(one["IsDefault"]).lower()],
    "association.subnet-id": lambda one: [text(part, "SubnetId") for part in tables(one, "Associations")],
    "association.association-id": lambda one: [
        text(part, "NetworkAclAssociationId") for part in tables(one, "Associations")
    ],
}
_SUBNET: Looks = {
    "subnet-id": lambda one: [text(one, "SubnetId")],
    "vpc-id": lambda one: [text(one, "VpcId")],
    "cidr-block": lambda one: [text(one, "CidrBlock")],
    "availability-zone": lambda one: [text(one, "AvailabilityZone")],
}
_GROUP: Looks = {
    "group-id": lambda one: [text(one, "GroupId")],
    "group-name": lambda one: [text(one, "GroupName")],
    "vpc-id": lambda one: [text(one, "VpcId")],
}
_ENI: Looks = {
    "network-interface-id": lambda one: [text(one, "NetworkInterfaceId")],
    "attachment.instance-id": lambda one: [text(table(one, "Attachment"), "InstanceId")],
    "subnet-id": lambda one: [text(one, "SubnetId")],
    "vpc-id": lambda one: [text(one, "VpcId")],
    "private-ip-address": lambda one: [text(one, "PrivateIpAddress")],
    "addresses.private-ip-address": lambda one: [
        text(part, "PrivateIpAddress") for part in tables(one, "PrivateIpAddresses")
    ],
}


class Ec2:
    """EC2 of one region."""

    def __init__(self, world: World, instances: Instances, vpc: Vpc) -> None:
        self._world = world
        self._state = world.state
        self._instances = instances
        self._vpc = vpc
        self.calls: Mapping[str, Callable[[Given], Reply]] = {
            "describe_instances": self.describe_instances,
            "describe_instance_status": self.describe_instance_status,
            "describe_instance_attribute": self.describe_instance_attribute,
            "modify_instance_attribute": self.modify_instance_attribute,
            "modify_instance_maintenance_options": self.modify_instance_maintenance_options,
            "describe_instance_types": self.describe_instance_types,
            "start_instances": self.start_instances,
            "stop_instances": self.stop_instances,
            "reboot_instances": self.reboot_instances,
            "create_tags": self.create_tags,
            "delete_tags": self.delete_tags,
            "describe_network_interfaces": self.describe_network_interfaces,
            "assign_private_ip_addresses": self.assign_private_ip_addresses,
            "unassign_private_ip_addresses": self.unassign_private_ip_addresses,
            "describe_subnets": self.describe_subnets,
            "describe_network_acls": self.describe_network_acls,
            "create_network_acl": self.create_network_acl,
            "create_network_acl_entry": self.create_network_acl_entry,
            "replace_network_acl_association": self.replace_network_acl_association,
            "describe_security_groups": self.describe_security_groups,
            "create_security_group": self.create_security_group,
            "authorize_security_group_ingress": self.authorize_security_group_ingress,
        }

    # -- instances -----------------------------------------------------------------------------------------------

    def _asked(self, names: Sequence[str]) -> list[Instance]:
        """Those that are named, or all that the API can tell of. Raises `Unavailable` where it cannot."""
        found = self._instances.of(list(names))
        if names:
            self._check_reachable(found)
        return [one for one in found if self._instances.reachable(one)]

    def _check_reachable(self, instances: Sequence[Instance]) -> None:
        if not all(self._instances.reachable(one) for one in instances):
            raise CloudError("Unavailable", "The server is overloaded and can't handle the request.")

    def describe_instances(self, given: Given) -> Reply:
        """Reservations, one for each instance."""
        groups = self._vpc.groups
        shown = [shapes.instance_of(one, self._vpc, groups) for one in self._asked(texts(given, "InstanceIds"))]
        looks: Looks = {**_INSTANCE, "network-interface.addresses.private-ip-address": self._addresses}
        return {
            "Reservations": [
                {
                    "ReservationId": f"r-{text(one, 'InstanceId').removeprefix('i-')}",
                    "OwnerId": shapes.OWNER,
                    "Groups": [],
                    "Instances": [one],
                }
                for one in filtered(given, shown, looks)
            ]
        }

    def _addresses(self, one: Reply) -> list[str]:
        """Every address of an instance's interfaces."""
        mine = [view for view in self._world.nics.enis() if view.instance == text(one, "InstanceId")]
        return [address for view in mine for address in (view.primary, *view.secondary)]

    def describe_instance_status(self, given: Given) -> Reply:
        """Checks and events; of those that run, unless all are wanted."""
        asked = self._asked(texts(given, "InstanceIds"))
        if not flag(given, "IncludeAllInstances"):
            asked = [one for one in asked if one.state == "running"]
        shown = [shapes.status_of(one, self._instances, self._state) for one in asked]
        return {"InstanceStatuses": filtered(given, shown, _STATUS)}

    def describe_instance_attribute(self, given: Given) -> Reply:
        """One attribute."""
        (instance,) = self._asked([text(given, "InstanceId")])
        match text(given, "Attribute"):
            case "disableApiStop":
                shown: Reply = {"DisableApiStop": {"Value": instance.disable_api_stop}}
            case "groupSet":
                shown = {"Groups": [{"GroupId": name} for name in instance.groups]}
            case "instanceType":
                shown = {"InstanceType": {"Value": instance.server.instance_type}}
            case other:
                not_simulated(f"the attribute {other}")
        return {"InstanceId": instance.id, **shown}

    def modify_instance_attribute(self, given: Given) -> Reply:
        """DisableApiStop, or the security groups."""
        (instance,) = self._asked([text(given, "InstanceId")])
        for name in given.keys() - {"InstanceId", "DisableApiStop", "Groups", "DryRun"}:
            not_simulated(f"modify_instance_attribute {name}")
        if "DisableApiStop" in given:
            instance.disable_api_stop = flag(table(given, "DisableApiStop"), "Value")
        if "Groups" in given:
            self._vpc.regroup(instance, texts(given, "Groups"))
        return {}

    def modify_instance_maintenance_options(self, given: Given) -> Reply:
        """Simplified automatic recovery on or off."""
        (instance,) = self._asked([text(given, "InstanceId")])
        for name in given.keys() - {"InstanceId", "AutoRecovery", "DryRun"}:
            not_simulated(f"modify_instance_maintenance_options {name}")
        instance.auto_recovery = "disabled" if text(given, "AutoRecovery") == "disabled" else "default"
        return {"InstanceId": instance.id, "AutoRecovery": instance.auto_recovery}

    def describe_instance_types(self, given: Given) -> Reply:
        """The types that the estate has, with the disks of the host."""
        stores = {one.server.instance_type: one.server.instance_store for one in self._instances.all.values()}
        wanted = texts(given, "InstanceTypes") or [*stores]
        for name in wanted:
            if name not in stores:
                raise CloudError("InvalidInstanceType", f"The following supplied instance types do not exist: [{name}]")
        return {"InstanceTypes": [shapes.type_of(name, stores[name]) for name in wanted]}

    def stop_instances(self, given: Given) -> Reply:
        """Plain or by force; what is refused for one is refused for all."""
        if flag(given, "Hibernate"):
            not_simulated("hibernation")
        asked = self._asked(texts(given, "InstanceIds"))
        before: list[InstanceState] = [self._instances.stop(one, force=flag(given, "Force")) for one in asked]
        return {"StoppingInstances": [shapes.change_of(one, was) for one, was in zip(asked, before, strict=True)]}

    def start_instances(self, given: Given) -> Reply:
        """Start what is stopped."""
        asked = self._asked(texts(given, "InstanceIds"))
        before: list[InstanceState] = [self._instances.start(one) for one in asked]
        return {"StartingInstances": [shapes.change_of(one, was) for one, was in zip(asked, before, strict=True)]}

    def reboot_instances(self, given: Given) -> Reply:
        """Reboot in order."""
        for one in self._asked(texts(given, "InstanceIds")):
            self._instances.reboot(one)
        return {}

    def create_tags(self, given: Given) -> Reply:
        """Tag instances, ACLs, groups."""
        if any(text(tag, "Key").startswith("aws:") for tag in tables(given, "Tags")):
            words = "Tag keys starting with 'aws:' are reserved for internal use"
            raise CloudError("InvalidParameterValue", words)
        for tags in self._tagged(texts(given, "Resources")):
            tags |= {text(tag, "Key"): text(tag, "Value") for tag in tables(given, "Tags")}
        return {}

    def delete_tags(self, given: Given) -> Reply:
        """Take tags away: all, or those named, or those named with that value."""
        for tags in self._tagged(texts(given, "Resources")):
            gone = tables(given, "Tags")
            for key, value in [*tags.items()]:
                fits = [one for one in gone if text(one, "Key") == key and text(one, "Value", value) == value]
                if fits or not gone:
                    del tags[key]
        return {}

    def _tagged(self, names: Sequence[str]) -> list[dict[str, str]]:
        found: list[dict[str, str]] = []
        for name in names:
            if name.startswith("i-"):
                found.append(self._instances.get(name).tags)
            elif name.startswith("acl-"):
                found.append(self._vpc.acl(name).tags)
            elif name.startswith("sg-"):
                found.append(self._vpc.group(name).tags)
            else:
                not_simulated(f"tags of {name}")
        return found

    # -- interfaces ----------------------------------------------------------------------------------------------

    def describe_network_interfaces(self, given: Given) -> Reply:
        """Interfaces with their addresses."""
        wanted = texts(given, "NetworkInterfaceIds")
        views = self._world.nics.enis()
        for name in wanted:
            if not any(one.id == name for one in views):
                missing("InvalidNetworkInterfaceID.NotFound", "networkInterface", name)
        shown: list[Reply] = []
        for view in views:
            if not wanted or view.id in wanted:
                instance = self._instances.get(view.instance)
                groups = {name: self._vpc.groups[name].name for name in instance.groups}
                shown.append(shapes.eni_of(view, self._vpc, instance.server.az, groups))
        return {"NetworkInterfaces": filtered(given, shown, _ENI)}

    def assign_private_ip_addresses(self, given: Given) -> Reply:
        """Give an interface secondary addresses."""
        if "SecondaryPrivateIpAddressCount" in given or flag(given, "AllowReassignment"):
            not_simulated("addresses that EC2 chooses, and reassigning them")
        eni, wanted = text(given, "NetworkInterfaceId"), texts(given, "PrivateIpAddresses")
        for address in wanted:
            try:
                self._world.nics.assign(eni, address)
            except WorldError as error:
                raise _of_world(error, eni, address) from error
        return {
            "NetworkInterfaceId": eni,
            "AssignedPrivateIpAddresses": [{"PrivateIpAddress": address} for address in wanted],
        }

    def unassign_private_ip_addresses(self, given: Given) -> Reply:
        """Take secondary addresses away."""
        eni = text(given, "NetworkInterfaceId")
        for address in texts(given, "PrivateIpAddresses"):
            try:
                self._world.nics.unassign(eni, address)
            except WorldError as error:
                raise _of_world(error, eni, address) from error
        return {}

    # -- subnets, rules ------------------------------------------------------------------------------------------

    def describe_subnets(self, given: Given) -> Reply:
        """Subnets."""
        wanted = texts(given, "SubnetIds")
        for name in wanted:
            if not any(one.id == name for one in self._vpc.subnets):
                missing("InvalidSubnetID.NotFound", "subnet", name)
        shown = [shapes.subnet_of(one, self._vpc) for one in self._vpc.subnets if not wanted or one.id in wanted]
        return {"Subnets": filtered(given, shown, _SUBNET)}

    def describe_network_acls(self, given: Given) -> Reply:
        """Network ACLs."""
        names = texts(given, "NetworkAclIds")
        asked = [self._vpc.acl(name) for name in names] if names else [*self._vpc.acls.values()]
        return {"NetworkAcls": filtered(given, [shapes.acl_of(one, self._vpc) for one in asked], _ACL)}

    def create_network_acl(self, given: Given) -> Reply:
        """An ACL that denies everything."""
        self._check_vpc(text(given, "VpcId"))
        return {"NetworkAcl": shapes.acl_of(self._vpc.new_acl(tags_of(given, "network-acl")), self._vpc)}

    def create_network_acl_entry(self, given: Given) -> Reply:
        """A rule."""
        if "Ipv6CidrBlock" in given or "IcmpTypeCode" in given:
            not_simulated("IPv6 and ICMP rules")
        ports = table(given, "PortRange")
        rule = Rule(
            number=number(given, "RuleNumber"),
            egress=flag(given, "Egress"),
            allow=text(given, "RuleAction") == "allow",
            protocol=text(given, "Protocol"),
            cidr=text(given, "CidrBlock", "0.0.0.0/0"),
            ports=(number(ports, "From"), number(ports, "To")) if ports else None,
        )
        self._vpc.add_rule(self._vpc.acl(text(given, "NetworkAclId")), rule)
        return {}

    def replace_network_acl_association(self, given: Given) -> Reply:
        """Give a subnet another ACL."""
        return {"NewAssociationId": self._vpc.replace(text(given, "AssociationId"), text(given, "NetworkAclId")).id}

    def describe_security_groups(self, given: Given) -> Reply:
        """Security groups."""
        names = texts(given, "GroupIds")
        asked = [self._vpc.group(name) for name in names] if names else [*self._vpc.groups.values()]
        return {"SecurityGroups": filtered(given, [shapes.group_of(one, self._vpc) for one in asked], _GROUP)}

    def create_security_group(self, given: Given) -> Reply:
        """A security group that lets nothing in."""
        self._check_vpc(text(given, "VpcId", self._vpc.id))
        tags = tags_of(given, "security-group")
        made = self._vpc.new_group(text(given, "GroupName"), text(given, "Description"), tags)
        return {"GroupId": made.id, "Tags": shapes.tag_list(tags)}

    def authorize_security_group_ingress(self, given: Given) -> Reply:
        """Inbound rules."""
        found = [
            Permission(
                protocol=text(one, "IpProtocol"),
                first=number(one, "FromPort", -1),
                last=number(one, "ToPort", -1),
                cidrs=tuple(text(part, "CidrIp") for part in tables(one, "IpRanges")),
                groups=tuple(text(part, "GroupId") for part in tables(one, "UserIdGroupPairs")),
            )
            for one in tables(given, "IpPermissions")
        ]
        if not found:
            not_simulated("rules outside of IpPermissions")
        self._vpc.let_in(self._vpc.group(text(given, "GroupId")), found)
        return {"Return": True, "SecurityGroupRules": []}

    def _check_vpc(self, name: str) -> None:
        if name != self._vpc.id:
            missing("InvalidVpcID.NotFound", "vpc", name)


def _of_world(error: WorldError, eni: str, address: str) -> CloudError:
    if error.kind == "ip_in_use":
        return CloudError("InvalidParameterValue", f"Address {address} is in use.")
    if error.kind == "syntax":
        return CloudError("InvalidParameterValue", f"Address {address} is not in the subnet's address range.")
    if error.data.get("object") == "eni":
        return CloudError("InvalidNetworkInterfaceID.NotFound", f"The networkInterface ID '{eni}' does not exist")
    return CloudError("InvalidParameterValue", f"Some of [{address}] are not assigned to interface {eni}")

"""ELB version 2 as its API shows it: balancers and target groups of the topology; how targets are, `targets` tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from starover_lab.cloud.errors import CloudError, not_simulated
from starover_lab.cloud.given import Given, Reply, number, table, tables, text, texts
from starover_lab.cloud.instances import Instance, Instances
from starover_lab.cloud.shapes import OWNER
from starover_lab.cloud.targets import Key, TargetGroup, TargetGroups
from starover_lab.cloud.zones import zone_id
from starover_lab.world.entities import Server
from starover_lab.world.world import World

__all__ = ["Balancer", "Balancing"]

_PORT = 443
_CROSS_ZONE = "load_balancing.cross_zone.enabled"
_SHIFT = "zonal_shift.config.enabled"
_DELAY = "deregistration_delay.timeout_seconds"
NLB_ZONE = "Z2IFOLAFXWLO4F"
"""Hosted zone of network load balancers in eu-west-1, to which an alias points."""


@dataclass(eq=False)
class Balancer:
    """A network load balancer."""

    arn: str
    name: str
    fqdn: str
    attributes: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def shifts(self) -> bool:
        """Whether zonal shift may be used on it."""
        return self.attributes[_SHIFT] == "true"


@dataclass(eq=False)
class Listener:
    """A port of a balancer, and the group that its connections go to."""

    arn: str
    balancer: Balancer
    port: int
    group: TargetGroup
    protocol: str = "TCP"


class Balancing:
    """Network load balancers in front of all mailbox servers."""

    def __init__(self, world: World, instances: Instances, vpc: str) -> None:
        self._state = world.state
        self._instances = instances
        self._vpc = vpc
        self.groups = TargetGroups(world)
        region, tuning = self._state.region, self._state.tuning
        known = self._state.now - timedelta(seconds=tuning.elb_check_s)
        self.balancers: dict[str, Balancer] = {}
        """By ARN."""
        self.listeners: dict[str, Listener] = {}
        """By ARN."""
        for one in world.topology.balancers:
            if one.kind != "nlb" or not one.target_group:
                continue
            digits = self._state.dice.text("elb", one.name, 16)
            stem = f"arn:aws:elasticloadbalancing:{region}:{OWNER}"
            arn = f"{stem}:loadbalancer/net/{one.name}/{digits}"
            shift = "true" if tuning.elb_zonal_shift else "false"
            attributes = {_CROSS_ZONE: "false", _SHIFT: shift, "deletion_protection.enabled": "false"}
            self.balancers[arn] = Balancer(arn, one.name, one.fqdn, attributes)
            group_arn = f"{stem}:targetgroup/{one.target_group}/{digits}"
            group = self._new_group(group_arn, one.target_group, _PORT, int(tuning.elb_deregister_s))
            self._listen(self.balancers[arn], _PORT, group)
            for instance in instances.all.values():
                if instance.server.exchange is not None:
                    self.groups.known(group, instance, _PORT, known)
        self._state.reviewers.append(self.groups.review)
        self.calls: Mapping[str, Callable[[Given], Reply]] = {
            "describe_load_balancers": self.describe_load_balancers,
            "describe_load_balancer_attributes": self.describe_load_balancer_attributes,
            "modify_load_balancer_attributes": self.modify_load_balancer_attributes,
            "describe_listeners": self.describe_listeners,
            "create_listener": self.create_listener,
            "delete_listener": self.delete_listener,
            "create_target_group": self.create_target_group,
            "delete_target_group": self.delete_target_group,
            "describe_target_groups": self.describe_target_groups,
            "describe_target_group_attributes": self.describe_target_group_attributes,
            "modify_target_group": self.modify_target_group,
            "modify_target_group_attributes": self.modify_target_group_attributes,
            "describe_target_health": self.describe_target_health,
            "register_targets": self.register_targets,
            "deregister_targets": self.deregister_targets,
            "describe_tags": self.describe_tags,
        }

    def _new_group(self, arn: str, name: str, port: int, delay: int) -> TargetGroup:
        group = TargetGroup(arn, name, port, [], delay)
        group.probe.interval = max(1, int(self._state.tuning.elb_check_s / 3))
        group.attributes = {
            "proxy_protocol_v2.enabled": "false",
            "preserve_client_ip.enabled": "true",
            "stickiness.enabled": "false",
            "deregistration_delay.connection_termination.enabled": "false",
            _CROSS_ZONE: "use_load_balancer_configuration",
        }
        self.groups.all[arn] = group
        return group

    def _listen(self, balancer: Balancer, port: int, group: TargetGroup) -> Listener:
        digits = self._state.dice.text("listener", f"{balancer.name} {port}", 16)
        arn = f"{balancer.arn.replace(':loadbalancer/', ':listener/')}/{digits}"
        self.listeners[arn] = Listener(arn, balancer, port, group)
        group.balancers.append(balancer.arn)
        return self.listeners[arn]

    def _group(self, given: Given) -> TargetGroup:
        arn = text(given, "TargetGroupArn")
        found = self.groups.all.get(arn)
        if found is None and not (arn.startswith("arn:aws") and ":targetgroup/" in arn):
            raise CloudError("ValidationError", f"'{arn}' is not a valid target group ARN")
        if found is None:
            raise CloudError("TargetGroupNotFound", "One or more target groups not found")
        return found

    def _balancer(self, arn: str) -> Balancer:
        found = self.balancers.get(arn)
        if found is None:
            raise CloudError("LoadBalancerNotFound", f"Load balancer '{arn}' not found")
        return found

    # -- balancers -----------------------------------------------------------------------------------------------

    def describe_load_balancers(self, given: Given) -> Reply:
        """Balancers."""
        names, arns = texts(given, "Names"), texts(given, "LoadBalancerArns")
        known = {one.name for one in self.balancers.values()}
        for name in (*(one for one in names if one not in known), *(one for one in arns if one not in self.balancers)):
            raise CloudError("LoadBalancerNotFound", f"Load balancers '[{name}]' not found")
        return {
            "LoadBalancers": [
                {
                    "LoadBalancerArn": one.arn,
                    "LoadBalancerName": one.name,
                    "DNSName": one.fqdn,
                    "CanonicalHostedZoneId": NLB_ZONE,
                    "Scheme": "internal",
                    "Type": "network",
                    "VpcId": self._vpc,
                    "State": {"Code": "active"},
                    "IpAddressType": "ipv4",
                    "AvailabilityZones": [{"ZoneName": az.name} for az in self._state.azs],
                }
                for one in self.balancers.values()
                if (not names or one.name in names) and (not arns or one.arn in arns)
            ]
        }

    def describe_load_balancer_attributes(self, given: Given) -> Reply:
        """Attributes."""
        return {"Attributes": _pairs(self._balancer(text(given, "LoadBalancerArn")).attributes)}

    def modify_load_balancer_attributes(self, given: Given) -> Reply:
        """Set attributes."""
        balancer = self._balancer(text(given, "LoadBalancerArn"))
        balancer.attributes |= _new_pairs(given, balancer.attributes)
        return {"Attributes": _pairs(balancer.attributes)}

    def describe_listeners(self, given: Given) -> Reply:
        """The ports of a balancer."""
        arn, arns = text(given, "LoadBalancerArn"), texts(given, "ListenerArns")
        if arn:
            self._balancer(arn)
        every = [self._listener(one) for one in arns] or [*self.listeners.values()]
        return {"Listeners": [_listener_shown(one) for one in every if not arn or one.balancer.arn == arn]}

    def _listener(self, arn: str) -> Listener:
        found = self.listeners.get(arn)
        if found is None:
            raise CloudError("ListenerNotFound", "One or more listeners not found")
        return found

    def create_listener(self, given: Given) -> Reply:
        """One more port of a balancer; its connections go to one group."""
        balancer, port = self._balancer(text(given, "LoadBalancerArn")), number(given, "Port")
        actions = tables(given, "DefaultActions")
        if len(actions) != 1 or text(actions[0], "Type") != "forward" or "TargetGroupArn" not in actions[0]:
            not_simulated("listeners that do anything but forward to one target group")
        group = self._group(actions[0])
        if any(one.balancer is balancer and one.port == port for one in self.listeners.values()):
            raise CloudError("DuplicateListener", "A listener already exists on this port for this load balancer")
        made = self._listen(balancer, port, group)
        made.protocol = text(given, "Protocol", "TCP")
        self._state.review()
        return {"Listeners": [_listener_shown(made)]}

    def delete_listener(self, given: Given) -> Reply:
        """Close a port."""
        one = self._listener(text(given, "ListenerArn"))
        del self.listeners[one.arn]
        one.group.balancers.remove(one.balancer.arn)
        self._state.review()
        return {}

    def describe_tags(self, given: Given) -> Reply:
        """They have none."""
        return {"TagDescriptions": [{"ResourceArn": arn, "Tags": []} for arn in texts(given, "ResourceArns")]}

    # -- groups --------------------------------------------------------------------------------------------------

    def describe_target_groups(self, given: Given) -> Reply:
        """Target groups."""
        names, arns = texts(given, "Names"), texts(given, "TargetGroupArns")
        balancer = text(given, "LoadBalancerArn")
        if balancer:
            self._balancer(balancer)
        known = {one.name for one in self.groups.all.values()}
        if any(one not in known for one in names) or any(one not in self.groups.all for one in arns):
            raise CloudError("TargetGroupNotFound", "One or more target groups not found")
        return {
            "TargetGroups": [
                self._shown(one)
                for one in self.groups.all.values()
                if (not names or one.name in names)
                and (not arns or one.arn in arns)
                and (not balancer or balancer in one.balancers)
            ]
        }

    def create_target_group(self, given: Given) -> Reply:
        """A group without targets, which no balancer uses yet; targets are instances or addresses."""
        name, kind = text(given, "Name"), text(given, "TargetType", "instance")
        if any(one.name == name for one in self.groups.all.values()):
            raise CloudError("DuplicateTargetGroupName", f"A target group with the name '{name}' exists already")
        if text(given, "Protocol", "TCP") not in ("TCP", "TLS") or kind not in ("instance", "ip"):
            not_simulated(f"target groups of the type {kind} with the protocol {text(given, 'Protocol')}")
        digits = self._state.dice.text("target group", name, 16)
        arn = f"arn:aws:elasticloadbalancing:{self._state.region}:{OWNER}:targetgroup/{name}/{digits}"
        group = self._new_group(arn, name, number(given, "Port", _PORT), 300)
        group.kind = "ip" if kind == "ip" else "instance"
        group.protocol = text(given, "Protocol", "TCP")
        return self.modify_target_group({**given, "TargetGroupArn": arn, "HealthCheckEnabled": True})

    def delete_target_group(self, given: Given) -> Reply:
        """Take a group away that no balancer uses."""
        group = self._group(given)
        if group.balancers:
            raise CloudError("ResourceInUse", f"Target group '{group.arn}' is currently in use by a listener or a rule")
        del self.groups.all[group.arn]
        return {}

    def _shown(self, one: TargetGroup) -> Reply:
        probe = one.probe
        shown: Reply = {
            "TargetGroupArn": one.arn,
            "TargetGroupName": one.name,
            "Protocol": one.protocol,
            "Port": one.port,
            "VpcId": self._vpc,
            "HealthCheckProtocol": probe.protocol,
            "HealthCheckPort": probe.port,
            "HealthCheckEnabled": probe.enabled,
            "HealthCheckIntervalSeconds": probe.interval,
            "HealthCheckTimeoutSeconds": probe.timeout,
            "HealthyThresholdCount": probe.healthy,
            "UnhealthyThresholdCount": probe.unhealthy,
            "LoadBalancerArns": list(dict.fromkeys(one.balancers)),
            "TargetType": one.kind,
            "IpAddressType": "ipv4",
        }
        if probe.protocol in ("HTTP", "HTTPS"):
            shown |= {"HealthCheckPath": probe.path, "Matcher": {"HttpCode": probe.matcher}}
        return shown

    def describe_target_group_attributes(self, given: Given) -> Reply:
        """Attributes, the delay of draining among them."""
        group = self._group(given)
        return {"Attributes": _pairs({_DELAY: str(group.delay), **group.attributes})}

    def modify_target_group_attributes(self, given: Given) -> Reply:
        """Set attributes."""
        group = self._group(given)
        new = _new_pairs(given, {_DELAY: "", **group.attributes})
        delay = new.pop(_DELAY, str(group.delay))
        if not delay.isdecimal() or int(delay) > 3600:
            raise CloudError("ValidationError", f"'{delay}' is not a valid value for attribute '{_DELAY}'")
        group.delay = int(delay)
        group.attributes |= new
        return self.describe_target_group_attributes(given)

    def modify_target_group(self, given: Given) -> Reply:
        """Change how a group's targets are checked."""
        group = self._group(given)
        probe = group.probe
        protocol = text(given, "HealthCheckProtocol", probe.protocol)
        if protocol not in ("TCP", "HTTP", "HTTPS"):
            raise CloudError("ValidationError", f"Health check protocol '{protocol}' is not supported")
        if protocol == "TCP" and ("HealthCheckPath" in given or "Matcher" in given):
            raise CloudError(
                "InvalidConfigurationRequest", "You cannot specify a health check path for a target group with TCP"
            )
        probe.protocol = protocol
        probe.port = text(given, "HealthCheckPort", probe.port)
        probe.path = text(given, "HealthCheckPath", probe.path or "/")
        probe.matcher = text(table(given, "Matcher"), "HttpCode", probe.matcher or "200-399")
        probe.interval = number(given, "HealthCheckIntervalSeconds", probe.interval)
        probe.timeout = number(given, "HealthCheckTimeoutSeconds", probe.timeout)
        probe.healthy = number(given, "HealthyThresholdCount", probe.healthy)
        probe.unhealthy = number(given, "UnhealthyThresholdCount", probe.unhealthy)
        probe.enabled = given.get("HealthCheckEnabled", probe.enabled) is True
        self._state.review()
        return {"TargetGroups": [self._shown(group)]}

    # -- targets -------------------------------------------------------------------------------------------------

    def describe_target_health(self, given: Given) -> Reply:
        """Health of the targets; of one that is named and not there: unused."""
        group = self._group(given)
        named = [(text(one, "Id"), number(one, "Port", group.port)) for one in tables(given, "Targets")]
        shown: list[Reply] = []
        for key in named or group.targets:
            target = group.targets.get(key)
            health: Reply = (
                {
                    "State": "unused",
                    "Reason": "Target.NotRegistered",
                    "Description": "Target is not registered to the target group",
                }
                if target is None
                else self.groups.state_of(group, target)
            )
            asked = str(key[1]) if group.probe.port == "traffic-port" else group.probe.port
            shown.append({"Target": {"Id": key[0], "Port": key[1]}, "HealthCheckPort": asked, "TargetHealth": health})
        return {"TargetHealthDescriptions": shown}

    def register_targets(self, given: Given) -> Reply:
        """Add targets."""
        group = self._group(given)
        wanted = [(self._instance(group, one), number(one, "Port", group.port)) for one in tables(given, "Targets")]
        for instance, port in wanted:
            self.groups.register(group, instance, port)
        return {}

    def deregister_targets(self, given: Given) -> Reply:
        """Take targets out; they are drained first. Without a port: on every port."""
        group = self._group(given)
        for one in tables(given, "Targets"):
            name = text(one, "Id")
            ports = [number(one, "Port")] if "Port" in one else [port for known, port in group.targets if known == name]
            keys: list[Key] = [(name, port) for port in ports]
            for key in keys:
                self.groups.deregister(group, key)
        return {}

    def _instance(self, group: TargetGroup, one: Given) -> Instance:
        if not 1 <= number(one, "Port", _PORT) <= 65535:
            not_simulated("targets without a port")
        every, name = self._instances.all, text(one, "Id")
        if group.kind == "instance" and not name.startswith("i-"):
            raise CloudError("ValidationError", f"Instance ID '{name}' is not valid")
        found = (
            every.get(name)
            if group.kind == "instance"
            else next((each for each in every.values() if each.server.address == name), None)
        )
        if found is None and group.kind == "ip":
            raise CloudError("InvalidTarget", f"The IP address '{name}' is not within the VPC of the target group")
        if found is None or found.state in ("terminated", "shutting-down", "stopped"):
            raise CloudError(
                "InvalidTarget",
                f"The following targets are not in a running state and cannot be registered: '{text(one, 'Id')}'",
            )
        return found

    def behind(self, address: str, port: int) -> list[Server] | None:
        """The hosts that get connections to an address of a balancer; None: it has no listener on that port."""
        for one in self.balancers.values():
            if address in self._state.balancer_addresses.get(one.fqdn.casefold(), ()):
                groups = [each.group for each in self.listeners.values() if each.balancer is one and each.port == port]
                if groups:
                    return [target.instance.server for target in self.groups.serving(groups)]
        return None

    def healthy(self, fqdn: str) -> bool:
        """Whether a balancer has a healthy target: what an alias is asked for with EvaluateTargetHealth."""
        arns = {one.arn for one in self.balancers.values() if one.fqdn.casefold() == fqdn.casefold()}
        groups = [group for group in self.groups.all.values() if arns & set(group.balancers)]
        states = [self.groups.state_of(group, one)["State"] for group in groups for one in group.targets.values()]
        return "healthy" in states

    def ids(self) -> list[str]:
        """Ids of the zones that the balancers stand in."""
        return [zone_id(az.name) for az in self._state.azs]


def _listener_shown(one: Listener) -> Reply:
    return {
        "ListenerArn": one.arn,
        "LoadBalancerArn": one.balancer.arn,
        "Port": one.port,
        "Protocol": one.protocol,
        "DefaultActions": [{"Type": "forward", "TargetGroupArn": one.group.arn}],
    }


def _pairs(found: Mapping[str, str]) -> list[Reply]:
    return [{"Key": key, "Value": value} for key, value in found.items()]


def _new_pairs(given: Given, known: Mapping[str, str]) -> dict[str, str]:
    new = {text(one, "Key"): text(one, "Value") for one in tables(given, "Attributes")}
    for key in new.keys() - known.keys():
        raise CloudError("ValidationError", f"The attribute key '{key}' is not recognized")
    return new

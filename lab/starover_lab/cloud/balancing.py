"""ELB version 2: one target group for each balancer of the topology, its targets and their health by TCP 443."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from starover_lab.cloud.errors import CloudError, not_simulated
from starover_lab.cloud.given import Given, Reply, number, tables, text, texts
from starover_lab.cloud.instances import Instance, Instances
from starover_lab.cloud.shapes import OWNER
from starover_lab.world.world import World

__all__ = ["Balancing"]

_PORT = 443


@dataclass(eq=False)
class _Target:
    instance: Instance
    up: bool
    """What the checks found last."""
    since: datetime
    """When they found it, or when they began."""
    initial: bool = False
    leaving: datetime | None = None
    """When it has been drained."""


@dataclass(eq=False)
class _TargetGroup:
    arn: str
    name: str
    balancer: str
    """ARN."""
    targets: dict[str, _Target] = field(default_factory=dict[str, _Target])


class Balancing:
    """Network load balancers in front of all mailbox servers."""

    def __init__(self, world: World, instances: Instances, vpc: str) -> None:
        self._world = world
        self._state = world.state
        self._instances = instances
        self._vpc = vpc
        self._groups: dict[str, _TargetGroup] = {}
        region = self._state.region
        known = self._state.now - timedelta(seconds=self._state.tuning.elb_check_s)
        self._balancers: dict[str, tuple[str, str]] = {}
        """ARN to name and DNS name."""
        for one in world.topology.balancers:
            if one.kind != "nlb" or not one.target_group:
                continue
            digits = self._state.dice.text("elb", one.name, 16)
            stem = f"arn:aws:elasticloadbalancing:{region}:{OWNER}"
            balancer = f"{stem}:loadbalancer/net/{one.name}/{digits}"
            group = _TargetGroup(f"{stem}:targetgroup/{one.target_group}/{digits}", one.target_group, balancer)
            self._balancers[balancer] = (one.name, one.fqdn)
            self._groups[group.arn] = group
            for instance in instances.all.values():
                if instance.server.exchange is not None:
                    group.targets[instance.id] = _Target(instance, up=True, since=known)
        if self._groups:
            self._state.reviewers.append(self.review)
        self.calls: Mapping[str, Callable[[Given], Reply]] = {
            "describe_load_balancers": self.describe_load_balancers,
            "describe_target_groups": self.describe_target_groups,
            "describe_target_health": self.describe_target_health,
            "register_targets": self.register_targets,
            "deregister_targets": self.deregister_targets,
        }

    def review(self) -> None:
        """Note what the checks would find."""
        for group in self._groups.values():
            for target in [*group.targets.values()]:
                if target.leaving is not None and self._state.now >= target.leaving:
                    del group.targets[target.instance.id]
                up = self._state.runs(target.instance.server, "W3SVC")
                if up != target.up:
                    target.initial = target.initial and not self._known(target)
                    target.up, target.since = up, self._state.now

    def _group(self, given: Given) -> _TargetGroup:
        found = self._groups.get(text(given, "TargetGroupArn"))
        if found is None:
            raise CloudError("TargetGroupNotFound", "One or more target groups not found")
        return found

    def _known(self, target: _Target) -> bool:
        """Whether the checks have found it often enough as it is."""
        return self._state.now >= target.since + timedelta(seconds=self._state.tuning.elb_check_s)

    def _health(self, target: _Target) -> Reply:
        if target.leaving is not None:
            return {
                "State": "draining",
                "Reason": "Target.DeregistrationInProgress",
                "Description": "Target deregistration is in progress",
            }
        known = self._known(target)
        if target.initial and not known:
            return {"State": "initial", "Reason": "Elb.RegistrationInProgress"}
        if target.instance.state in ("stopped", "terminated"):
            return {
                "State": "unused",
                "Reason": "Target.InvalidState",
                "Description": "Target is in the stopped state",
            }
        if target.up == known:  # up for long enough, or down not long enough to be noticed
            return {"State": "healthy"}
        return {"State": "unhealthy", "Reason": "Target.FailedHealthChecks", "Description": "Health checks failed"}

    # -- calls ---------------------------------------------------------------------------------------------------

    def describe_load_balancers(self, given: Given) -> Reply:
        """Balancers."""
        names, arns = texts(given, "Names"), texts(given, "LoadBalancerArns")
        return {
            "LoadBalancers": [
                {
                    "LoadBalancerArn": arn,
                    "LoadBalancerName": name,
                    "DNSName": fqdn,
                    "Scheme": "internal",
                    "Type": "network",
                    "VpcId": self._vpc,
                    "State": {"Code": "active"},
                    "AvailabilityZones": [{"ZoneName": az.name} for az in self._state.azs],
                }
                for arn, (name, fqdn) in self._balancers.items()
                if (not names or name in names) and (not arns or arn in arns)
            ]
        }

    def describe_target_groups(self, given: Given) -> Reply:
        """Target groups."""
        names, arns = texts(given, "Names"), texts(given, "TargetGroupArns")
        balancer = text(given, "LoadBalancerArn")
        return {
            "TargetGroups": [
                {
                    "TargetGroupArn": one.arn,
                    "TargetGroupName": one.name,
                    "Protocol": "TCP",
                    "Port": _PORT,
                    "VpcId": self._vpc,
                    "HealthCheckProtocol": "TCP",
                    "HealthCheckPort": str(_PORT),
                    "HealthCheckEnabled": True,
                    "HealthCheckIntervalSeconds": 30,
                    "HealthCheckTimeoutSeconds": 10,
                    "HealthyThresholdCount": 3,
                    "UnhealthyThresholdCount": 3,
                    "LoadBalancerArns": [one.balancer],
                    "TargetType": "instance",
                }
                for one in self._groups.values()
                if (not names or one.name in names) and (not arns or one.arn in arns) and balancer in ("", one.balancer)
            ]
        }

    def describe_target_health(self, given: Given) -> Reply:
        """Health of the targets; of one that is named and not there: unused."""
        group = self._group(given)
        named = [text(one, "Id") for one in tables(given, "Targets")]
        shown: list[Reply] = []
        for name in named or group.targets:
            target = group.targets.get(name)
            health: Reply = (
                {
                    "State": "unused",
                    "Reason": "Target.NotRegistered",
                    "Description": "Target is not registered to the target group",
                }
                if target is None
                else self._health(target)
            )
            shown.append({"Target": {"Id": name, "Port": _PORT}, "HealthCheckPort": str(_PORT), "TargetHealth": health})
        return {"TargetHealthDescriptions": shown}

    def register_targets(self, given: Given) -> Reply:
        """Add targets."""
        group = self._group(given)
        for one in tables(given, "Targets"):
            instance = self._named(one)
            if instance.id not in group.targets or group.targets[instance.id].leaving is not None:
                up = self._state.runs(instance.server, "W3SVC")
                group.targets[instance.id] = _Target(instance, up=up, since=self._state.now, initial=True)
                self._state.log.add("target", instance.server.name, group=group.name, state="registered")
        return {}

    def deregister_targets(self, given: Given) -> Reply:
        """Take targets out; they are drained first."""
        group = self._group(given)
        for one in tables(given, "Targets"):
            target = group.targets.get(self._named(one).id)
            if target is not None and target.leaving is None:
                target.leaving = self._state.poke_after(self._state.tuning.elb_deregister_s)
                self._state.log.add("target", target.instance.server.name, group=group.name, state="draining")
        return {}

    def _named(self, one: Given) -> Instance:
        if number(one, "Port", _PORT) != _PORT:
            not_simulated("targets on other ports")
        found = self._instances.all.get(text(one, "Id"))
        if found is None:
            raise CloudError(
                "InvalidTarget",
                f"The following targets are not in a running state and cannot be registered: '{text(one, 'Id')}'",
            )
        return found

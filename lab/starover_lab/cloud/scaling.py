"""Auto Scaling: groups that replace an instance which does not run, unless that is suspended (S-FENCE)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from starover_lab.cloud.errors import CloudError
from starover_lab.cloud.given import Given, Reply, text, texts
from starover_lab.cloud.instances import Instance, Instances
from starover_lab.world.state import State

__all__ = ["Scaling"]

_PROCESSES = (
    "Launch",
    "Terminate",
    "AddToLoadBalancer",
    "AlarmNotification",
    "AZRebalance",
    "HealthCheck",
    "InstanceRefresh",
    "ReplaceUnhealthy",
    "ScheduledActions",
)
_PATIENCE_S = 120.0
"""From an instance's stop until its group has noticed and terminates it."""


@dataclass(eq=False)
class _Group:
    name: str
    instances: list[Instance] = field(default_factory=list[Instance])
    suspended: set[str] = field(default_factory=set[str])
    stopped: dict[str, datetime] = field(default_factory=dict[str, datetime])
    """Instance to when it was seen not to run."""


class Scaling:
    """The groups that servers of the topology are in (`auto_scaling_group`)."""

    def __init__(self, state: State, instances: Instances, groups: Mapping[str, str]) -> None:
        """`groups`: instance to the name of its group."""
        self._state = state
        self._instances = instances
        self._groups: dict[str, _Group] = {}
        for instance, group in groups.items():
            self._groups.setdefault(group, _Group(group)).instances.append(instances.all[instance])
        if self._groups:
            state.reviewers.append(self.review)
        self.calls: Mapping[str, Callable[[Given], Reply]] = {
            "describe_auto_scaling_instances": self.describe_auto_scaling_instances,
            "describe_auto_scaling_groups": self.describe_auto_scaling_groups,
            "suspend_processes": self.suspend_processes,
            "resume_processes": self.resume_processes,
        }

    def review(self) -> None:
        """Replace what does not run: the old instance is gone for good."""
        for group in self._groups.values():
            acts = not group.suspended & {"HealthCheck", "ReplaceUnhealthy", "Terminate"}
            for instance in group.instances:
                if instance.state in ("running", "pending", "terminated") or not acts:
                    group.stopped.pop(instance.id, None)
                    continue
                if instance.id not in group.stopped:
                    group.stopped[instance.id] = self._state.now
                    self._state.poke_after(_PATIENCE_S)
                elif self._state.now >= group.stopped[instance.id] + timedelta(seconds=_PATIENCE_S):
                    self._instances.terminate(instance)

    def describe_auto_scaling_instances(self, given: Given) -> Reply:
        """Which instance is in which group; those in none are left out."""
        wanted = texts(given, "InstanceIds")
        return {
            "AutoScalingInstances": [
                {
                    "InstanceId": one.id,
                    "AutoScalingGroupName": group.name,
                    "AvailabilityZone": one.server.az,
                    "LifecycleState": "InService",
                    "HealthStatus": "HEALTHY" if one.state == "running" else "UNHEALTHY",
                    "ProtectedFromScaleIn": False,
                }
                for group in self._groups.values()
                for one in group.instances
                if (not wanted or one.id in wanted) and one.state != "terminated"
            ]
        }

    def describe_auto_scaling_groups(self, given: Given) -> Reply:
        """Groups with what is suspended."""
        wanted = texts(given, "AutoScalingGroupNames")
        return {
            "AutoScalingGroups": [
                {
                    "AutoScalingGroupName": group.name,
                    "MinSize": len(group.instances),
                    "MaxSize": len(group.instances),
                    "DesiredCapacity": len(group.instances),
                    "DefaultCooldown": 300,
                    "AvailabilityZones": sorted({one.server.az for one in group.instances}),
                    "HealthCheckType": "EC2",
                    "CreatedTime": min(one.launched for one in group.instances),
                    "Instances": [],
                    "SuspendedProcesses": [
                        {"ProcessName": name, "SuspensionReason": "User suspended"} for name in sorted(group.suspended)
                    ],
                }
                for group in self._groups.values()
                if not wanted or group.name in wanted
            ]
        }

    def suspend_processes(self, given: Given) -> Reply:
        """Suspend processes, all unless some are named."""
        self._group(given).suspended |= self._named(given)
        self._state.review()
        return {}

    def resume_processes(self, given: Given) -> Reply:
        """Resume processes, all unless some are named."""
        self._group(given).suspended -= self._named(given)
        self._state.review()
        return {}

    def _group(self, given: Given) -> _Group:
        name = text(given, "AutoScalingGroupName")
        found = self._groups.get(name)
        if found is None:
            raise CloudError("ValidationError", f"AutoScalingGroup name not found - no group '{name}'")
        return found

    def _named(self, given: Given) -> set[str]:
        named = texts(given, "ScalingProcesses")
        for name in named:
            if name not in _PROCESSES:
                raise CloudError("ValidationError", f"'{name}' is not a valid process")
        return {*named} or {*_PROCESSES}

"""Targets of a load balancer, and how its checks find them (simulator.md section 5); knows no API.

Level-triggered: `review` notes what a check would find now, and since when; a state is known when enough checks in a
row have found the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from starover_lab.client_services import KINDS
from starover_lab.cloud.given import Reply
from starover_lab.cloud.instances import Instance
from starover_lab.world.world import World

__all__ = ["Key", "Probe", "Target", "TargetGroup", "TargetGroups"]

Key = tuple[str, int]
"""Instance, or address, and port: one instance may stand in a group twice."""
Found = Literal["up", "silent", "refused", "other"]
"""What a check finds; `other`: an answer with another code than those wanted."""
_SAYS = {
    "silent": ("Target.Timeout", "Request timed out"),
    "refused": ("Target.FailedHealthChecks", "Health checks failed"),
    "other": ("Target.ResponseCodeMismatch", "Health checks failed with these codes: [503]"),
}


@dataclass
class Probe:
    """The health check of a group."""

    protocol: str = "TCP"
    port: str = "traffic-port"
    path: str = ""
    matcher: str = ""
    interval: int = 30
    timeout: int = 10
    healthy: int = 3
    unhealthy: int = 3
    enabled: bool = True


@dataclass(eq=False)
class Target:
    """An instance on a port."""

    name: str
    """By which it was registered: its id, or its address."""
    instance: Instance
    port: int
    found: Found
    """What the checks find now."""
    since: datetime
    """When they found it first, or when they began."""
    was: Found = "up"
    """What they had known before."""
    initial: bool = False
    leaving: datetime | None = None
    """When it has been drained."""

    @property
    def key(self) -> Key:
        """By which its group knows it."""
        return self.name, self.port


@dataclass(eq=False)
class TargetGroup:
    """A target group."""

    arn: str
    name: str
    port: int
    balancers: list[str]
    """ARNs."""
    delay: int
    """deregistration_delay.timeout_seconds."""
    probe: Probe = field(default_factory=Probe)
    targets: dict[Key, Target] = field(default_factory=dict[Key, Target])
    attributes: dict[str, str] = field(default_factory=dict[str, str])
    kind: Literal["instance", "ip"] = "instance"
    """What its targets are registered by."""
    protocol: str = "TCP"


class TargetGroups:
    """The groups of one region."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._state = world.state
        self.all: dict[str, TargetGroup] = {}
        """By ARN."""

    def register(self, group: TargetGroup, instance: Instance, port: int) -> None:
        """Add a target; one that is there already stays as it is."""
        name = instance.server.address if group.kind == "ip" else instance.id
        old = group.targets.get((name, port))
        if old is None or old.leaving is not None:
            found = self._look(group, instance, port)
            group.targets[name, port] = Target(name, instance, port, found, self._state.now, found, initial=True)
            self._wake(group, found)
            self._state.log.add("target", instance.server.name, group=group.name, port=port, state="registered")

    def known(self, group: TargetGroup, instance: Instance, port: int, since: datetime) -> None:
        """Add a target that the checks know since `since`."""
        group.targets[instance.id, port] = Target(instance.id, instance, port, "up", since)

    def deregister(self, group: TargetGroup, key: Key) -> None:
        """Take a target out; it is drained first. One that is not there: nothing."""
        target = group.targets.get(key)
        if target is not None and target.leaving is None:
            target.leaving = self._state.poke_after(group.delay)
            self._state.log.add(
                "target", target.instance.server.name, group=group.name, port=target.port, state="draining"
            )

    def review(self) -> None:
        """Note what the checks find."""
        now = self._state.now
        for group in self.all.values():
            for target in [*group.targets.values()]:
                if target.leaving is not None and now >= target.leaving:
                    del group.targets[target.key]
                found = self._look(group, target.instance, target.port)
                if found != target.found:
                    if self._certain(group, target):
                        target.was, target.initial = target.found, False
                    target.found, target.since = found, now
                    self._wake(group, found)

    def _wake(self, group: TargetGroup, found: Found) -> None:
        self._state.poke_after(_patience(group, found))

    def _certain(self, group: TargetGroup, target: Target) -> bool:
        """Whether enough checks in a row have found it as it is."""
        return self._state.now >= target.since + timedelta(seconds=_patience(group, target.found))

    def _look(self, group: TargetGroup, instance: Instance, port: int) -> Found:
        """One check."""
        server, probe = instance.server, group.probe
        asked = port if probe.port == "traffic-port" else int(probe.port)
        if not self._state.answers(server) or server.cut_off or self._state.cloud.unhealthy.get(server.name):
            return "silent"
        if asked not in KINDS or not self._state.runs(server, KINDS[asked].service):
            return "refused"
        if probe.protocol in ("HTTP", "HTTPS") and server.exchange is not None:
            page = self._world.health_page(server.name, probe.path.strip("/").removesuffix("/healthcheck.htm"))
            answers: dict[str, Found] = {"200": "up", "timeout": "silent", "reset": "refused", "refused": "refused"}
            return answers.get(page, "other") if probe.path.endswith("healthcheck.htm") else "up"
        return "up"

    def state_of(self, group: TargetGroup, target: Target) -> Reply:
        """A target's health, as the API words it."""
        if target.leaving is not None:
            return _health("draining", "Target.DeregistrationInProgress", "Target deregistration is in progress")
        if not group.balancers:
            return _health("unused", "Target.NotInUse", "Target group is not configured to receive traffic from the LB")
        if not group.probe.enabled:
            return _health("unavailable", "Target.HealthCheckDisabled", "Health checks are not enabled")
        if target.instance.state in ("stopped", "terminated"):
            return _health("unused", "Target.InvalidState", "Target is in the stopped state")
        certain = self._certain(group, target)
        if target.initial and not certain:
            begun = self._state.now >= target.since + timedelta(seconds=group.probe.interval)
            reason = "Elb.InitialHealthChecking" if begun else "Elb.RegistrationInProgress"
            return _health("initial", reason, "Initial health checks in progress" if begun else "")
        found = target.found if certain else target.was
        return {"State": "healthy"} if found == "up" else _health("unhealthy", *_SAYS[found])

    def serving(self, groups: Iterable[TargetGroup]) -> list[Target]:
        """Healthy targets of groups; all that are not leaving where none is, as a balancer opens then to all."""
        every = [(group, target) for group in groups for target in group.targets.values() if target.leaving is None]
        healthy = [target for group, target in every if self.state_of(group, target)["State"] == "healthy"]
        return healthy or [target for _, target in every]


def _patience(group: TargetGroup, found: Found) -> float:
    """Seconds until enough checks have found something."""
    return group.probe.interval * (group.probe.healthy if found == "up" else group.probe.unhealthy)


def _health(state: str, reason: str, says: str) -> Reply:
    shown: Reply = {"State": state, "Reason": reason}
    return {**shown, "Description": says} if says else shown

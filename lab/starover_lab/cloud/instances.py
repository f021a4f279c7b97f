"""EC2 instances: their states between the API and the power of simulated hosts (simulator.md sections 5 and 8).

Level-triggered, as the world is: `review` compares each instance with its host, its zone and what was asked of EC2.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from starover_lab.cloud.errors import CloudError, missing
from starover_lab.world.entities import Server
from starover_lab.world.world import World

__all__ = ["CAUSE", "Instance", "InstanceState", "Instances"]

InstanceState = Literal["pending", "running", "stopping", "stopped", "shutting-down", "terminated"]
CAUSE = "ec2"
"""How the world calls power that EC2 took."""
CODES: dict[InstanceState, int] = {
    "pending": 0,
    "running": 16,
    "shutting-down": 32,
    "terminated": 48,
    "stopping": 64,
    "stopped": 80,
}


@dataclass(eq=False)
class Instance:
    """An instance. Times are simulated UTC."""

    id: str
    server: Server
    state: InstanceState = "running"
    until: datetime | None = None
    """When `pending` or `stopping` ends; None: it does not."""
    launched: datetime = field(kw_only=True)
    reason: str = ""
    """StateTransitionReason."""
    disable_api_stop: bool = False
    auto_recovery: Literal["default", "disabled"] = "default"
    """Whether simplified automatic recovery may move it to other hardware."""
    groups: tuple[str, ...] = ()
    """Security groups of its first interface."""
    tags: dict[str, str] = field(default_factory=dict[str, str])
    failing_since: datetime | None = None
    """Since when its status checks would fail."""
    system_failing: bool = False
    """It is the hardware below it that fails."""


class Instances:
    """All instances of the estate."""

    def __init__(self, world: World, group: str) -> None:
        """`group` is the security group that every instance is in."""
        self._world = world
        self._state = world.state
        self.all: dict[str, Instance] = {}
        for server in self._state.servers:
            if server.instance:
                tags = {"Name": server.name}
                self.all[server.instance] = Instance(
                    server.instance, server, launched=server.boot_time, groups=(group,), tags=tags
                )
        self._state.reviewers.append(self.review)
        self.review()

    def get(self, name: str) -> Instance:
        """The instance of that id. Raises `InvalidInstanceID.NotFound`."""
        found = self.all.get(name)
        return found if found is not None else missing("InvalidInstanceID.NotFound", "instance", name)

    def of(self, names: list[str]) -> list[Instance]:
        """The instances of those ids; all for none. Raises `InvalidInstanceID.NotFound`."""
        return [self.get(name) for name in names] if names else list(self.all.values())

    # -- what the API asks for -----------------------------------------------------------------------------------

    def stop(self, instance: Instance, *, force: bool) -> InstanceState:
        """Ask for a stop; the state before. Raises `IncorrectInstanceState`, `OperationNotPermitted`."""
        before = instance.state
        if before in ("terminated", "shutting-down", "pending"):
            raise CloudError(
                "IncorrectInstanceState",
                f"The instance '{instance.id}' is not in a state from which it can be stopped.",
            )
        if instance.disable_api_stop:
            raise CloudError(
                "OperationNotPermitted",
                f"The instance '{instance.id}' may not be stopped. Modify its 'disableApiStop' instance attribute and "
                "try again.",
            )
        if before == "stopped" or (before == "stopping" and not force):
            return before
        server, tuning = instance.server, self._state.tuning
        instance.state, instance.until = "stopping", None
        instance.reason = f"User initiated ({self._state.now:%Y-%m-%d %H:%M:%S} GMT)"
        self._state.log.add("ec2", server.name, state="stopping", force=force)
        if force:
            self._world.power_off(server.name, CAUSE)
            self._ends(instance, self._state.now + timedelta(seconds=tuning.ec2_force_stop_s))
        elif not server.hung:  # a guest that hangs does not shut down
            off = self._world.power_off(server.name, CAUSE, clean=True)
            self._ends(instance, max(off, self._state.now + timedelta(seconds=tuning.ec2_stop_s)))
        return before

    def start(self, instance: Instance) -> InstanceState:
        """Ask for a start; the state before. Raises `IncorrectInstanceState`, `InsufficientInstanceCapacity`."""
        before, server, az = instance.state, instance.server, instance.server.az
        if before in ("running", "pending"):
            return before
        if before != "stopped":
            raise CloudError(
                "IncorrectInstanceState",
                f"The instance '{instance.id}' is not in a state from which it can be started.",
            )
        if self._world.ec2_mode(az) != "up" or self._state.cloud.no_capacity.get(az):
            others = ", ".join(one.name for one in self._state.azs if one.name != az)
            kind = server.instance_type
            raise CloudError(
                "InsufficientInstanceCapacity",
                f"We currently do not have sufficient {kind} capacity in the Availability Zone you requested ({az}). "
                f"Our system will be working on provisioning additional capacity. You can currently get {kind} "
                f"capacity by not specifying an Availability Zone in your request or choosing {others}.",
            )
        self._begin_to_run(instance)
        return before

    def reboot(self, instance: Instance) -> None:
        """Ask for a reboot. Raises `IncorrectInstanceState`."""
        if instance.state != "running":
            raise CloudError(
                "IncorrectInstanceState",
                f"The instance '{instance.id}' is not in a state from which it can be rebooted.",
            )
        self._world.restart_host(instance.server.name)

    def _on_another_host(self, instance: Instance) -> None:
        """What was wrong with the hardware below it stays behind."""
        for number in sorted(self._state.cloud.hardware.get(instance.server.name, ())):
            self._world.mend(number)

    def _recovers(self, instance: Instance) -> bool:
        """Simplified automatic recovery, as AWS documents it: of a running instance whose system status check fails,
        outside service events, where there is room."""
        az, since = self._state.azs.get(instance.server.az), instance.failing_since
        due = timedelta(seconds=self._state.tuning.ec2_recover_s)
        return (
            instance.auto_recovery == "default"
            and instance.state == "running"
            and bool(self._state.cloud.hardware.get(instance.server.name))
            and since is not None
            and self._state.now >= since + due
            and az is not None
            and az.state == "up"
            and not self._state.cloud.no_capacity.get(az.name)
        )

    def terminate(self, instance: Instance) -> None:
        """It is gone for good: its Auto Scaling group has replaced it."""
        instance.state, instance.until = "terminated", None
        self._world.power_off(instance.server.name, CAUSE)
        self._state.log.add("ec2", instance.server.name, state="terminated", force=True)

    # -- what follows --------------------------------------------------------------------------------------------

    def review(self) -> None:
        """Go on as host, zone and time have it."""
        now = self._state.now
        for instance in self.all.values():
            self._look_at_power(instance)
            if instance.state == "stopping" and self._can_stop(instance):
                if instance.until is None and CAUSE in instance.server.down_causes:
                    self._ends(instance, now + timedelta(seconds=self._state.tuning.ec2_stop_s))
                if instance.until is not None and now >= instance.until and instance.server.power == "off":
                    self._settle(instance, "stopped")
            if instance.state == "pending" and instance.until is not None and now >= instance.until:
                self._settle(instance, "running")
            self._look_at_checks(instance)
            if self._recovers(instance):
                self._state.log.add("ec2_recovered", instance.server.name)
                self._on_another_host(instance)

    def _look_at_power(self, instance: Instance) -> None:
        """Somebody stopped or started it, not by this API."""
        taken = CAUSE in instance.server.down_causes
        if taken and instance.state in ("running", "pending"):
            instance.state, instance.until = "stopping", None
            instance.reason = "User initiated"
        elif not taken and instance.state == "stopped":
            self._begin_to_run(instance)

    def _begin_to_run(self, instance: Instance) -> None:
        now = self._state.now
        instance.state, instance.launched, instance.reason, instance.failing_since = "pending", now, "", None
        self._state.cloud.events.get(instance.server.name, {}).clear()  # they concerned the host it was on
        self._ends(instance, now + timedelta(seconds=self._state.tuning.ec2_start_s))
        self._state.log.add("ec2", instance.server.name, state="pending", force=False)
        self._on_another_host(instance)
        self._world.power_on(instance.server.name, CAUSE)

    def _can_stop(self, instance: Instance) -> bool:
        return self._world.ec2_mode(instance.server.az) in ("up", "stops")

    def _ends(self, instance: Instance, when: datetime) -> None:
        instance.until = when
        self._state.poke(when)

    def _settle(self, instance: Instance, state: InstanceState) -> None:
        instance.state, instance.until = state, None
        self._state.log.add("ec2", instance.server.name, state=state, force=False)

    def _look_at_checks(self, instance: Instance) -> None:
        server = instance.server
        az = self._state.azs.get(server.az)
        lost = az is not None and az.state == "lost"
        asked = instance.state in ("stopped", "terminated", "pending") or server.power == "booting"
        hardware = bool(self._state.cloud.hardware.get(server.name))
        failing = not asked and (lost or server.hung or server.power == "off")
        if failing and instance.state == "stopping" and not lost and instance.failing_since is None:
            failing = False  # it shuts down, as it was told to
        if not failing:
            instance.failing_since = None
        elif instance.failing_since is None:
            instance.failing_since = self._state.now
            if hardware:
                self._state.poke(self._state.now + timedelta(seconds=self._state.tuning.ec2_recover_s))
        instance.system_failing = failing and (lost or hardware)

    # -- as the API shows it -------------------------------------------------------------------------------------

    def reachable(self, instance: Instance) -> bool:
        """Whether the API says anything about it: in a zone whose part of it is down it does not."""
        return self._world.ec2_mode(instance.server.az) != "api_down"

    def check(self, instance: Instance, *, system: bool) -> tuple[str, datetime | None]:
        """Status of a check and since when it fails: `ok`, `impaired`, `initializing`, `not-applicable`."""
        if instance.state not in ("running", "stopping"):
            return ("initializing" if instance.state == "pending" else "not-applicable"), None
        since, every = instance.failing_since, timedelta(seconds=self._state.tuning.ec2_check_s)
        if since is not None and self._state.now >= since + every and (instance.system_failing or not system):
            return "impaired", since + every
        if instance.server.power == "booting" and not system:
            return "initializing", None
        return "ok", None

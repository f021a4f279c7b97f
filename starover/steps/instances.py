"""EC2 instances: how they are, stopping and starting them; knows no DAG and no fence.

Every query and step is a call as data; the server is the one whose instance it is, and is not contacted.
"""

from __future__ import annotations

from datetime import datetime

from starover.step import Blocked, Change, Query, Report, Risk, Settle, step

__all__ = [
    "GONE",
    "OFF",
    "STOPS",
    "ApiStop",
    "Checks",
    "Ec2Instance",
    "HostDisk",
    "HostDisks",
    "InstanceStatus",
    "OneInstance",
    "ScalingGroup",
    "ScalingGroups",
    "ScheduledEvent",
    "Tag",
    "api_stop",
    "api_stop_allowed",
    "auto_recovery_set",
    "host_disks",
    "instance_force_stopped",
    "instance_of",
    "instance_running",
    "instance_status",
    "instance_stopping",
    "instance_tagged",
    "instant",
    "is_off",
    "scaling_group",
    "scaling_groups",
    "scaling_suspended",
    "store_lost",
]

OFF = ("stopped", "terminated")
"""States of an instance in which nothing of it runs."""
ENDING = ("stopping", "shutting-down")
"""States of an instance that is on its way there."""
GONE = "terminated"
STOPS = Settle(every=10, limit=240)
"""How long a plain stop may take before it is asked for by force (S-FENCE)."""
SUSPENDED = ("Launch", "Terminate", "HealthCheck", "ReplaceUnhealthy", "AZRebalance", "ScheduledActions")
"""Processes of an Auto Scaling group that would start, replace or move an instance that was stopped."""


class Tag(Report):
    """A tag."""

    key: str
    value: str


class Ec2Instance(Report):
    """An instance, as EC2 has it."""

    id: str
    kind: str | None
    """Its type, such as `r6i.4xlarge`."""
    state: str
    """`pending`, `running`, `stopping`, `stopped`, `shutting-down` or `terminated`."""
    recovery: str | None
    """Simplified automatic recovery: `default`, which is on, or `disabled`."""
    az: str
    vpc: str | None
    subnet: str | None
    address: str | None
    groups: tuple[str, ...]
    """Ids of its security groups."""
    tags: tuple[Tag, ...]

    def tag(self, key: str) -> str:
        """The value of a tag; empty: it is not there."""
        return next((tag.value for tag in self.tags if tag.key == key), "")


class OneInstance(Report):
    """The instance that was asked for (`ec2/instance.call.j2`)."""

    instance: Ec2Instance | None

    @property
    def state(self) -> str:
        """Its state; empty: there is no such instance."""
        return self.instance.state if self.instance is not None else ""


class HostDisk(Report):
    """Disks of the host, of one size."""

    gb: int
    count: int


class HostDisks(Report):
    """The instance store of an instance type (`ec2/instance_stores.call.j2`): what is on it a stop loses."""

    disks: tuple[HostDisk, ...]

    @property
    def text(self) -> str:
        """`2 x 300 GB`; empty: it has none."""
        return ", ".join(f"{one.count} x {one.gb} GB" for one in self.disks)


class ScheduledEvent(Report):
    """What AWS has announced for an instance."""

    id: str | None
    code: str
    """`instance-retirement`, `system-reboot`, `system-maintenance`, `instance-reboot`, `instance-stop`."""
    says: str
    not_before: str | None


class Checks(Report):
    """Status checks of an instance."""

    state: str
    system: str
    """`ok`, `impaired`, `insufficient-data`, `initializing`, `not-applicable`."""
    instance: str
    failing_since: tuple[str, ...]
    events: tuple[ScheduledEvent, ...]

    @property
    def ok(self) -> bool:
        """Both checks pass."""
        return self.system == self.instance == "ok"

    @property
    def failing(self) -> datetime | None:
        """Since when a check has been failing; None: none is, or AWS does not say since when."""
        if not {self.system, self.instance} & {"impaired", "insufficient-data"}:
            return None
        return min((instant(one) for one in self.failing_since), default=None)


class InstanceStatus(Report):
    """The status of one instance (`ec2/instance_status.call.j2`)."""

    checks: Checks | None


class ApiStop(Report):
    """Whether EC2 refuses to stop an instance (`ec2/api_stop.call.j2`)."""

    refused: bool | None


class ScalingGroups(Report):
    """The Auto Scaling groups of one instance: none or one (`autoscaling/instance.call.j2`)."""

    groups: tuple[str, ...]


class ScalingGroup(Report):
    """Which processes of a group are suspended (`autoscaling/group.call.j2`)."""

    suspended: tuple[str, ...]


instance_of = Query("ec2/instance.call.j2", OneInstance)
"""Argument: `instance`, its id."""
instance_status = Query("ec2/instance_status.call.j2", InstanceStatus)
"""Argument: `instance`."""
api_stop = Query("ec2/api_stop.call.j2", ApiStop)
"""Argument: `instance`."""
host_disks = Query("ec2/instance_stores.call.j2", HostDisks)
"""Argument: `kind`, an instance type."""
scaling_groups = Query("autoscaling/instance.call.j2", ScalingGroups)
"""Argument: `instance`."""
scaling_group = Query("autoscaling/group.call.j2", ScalingGroup)
"""Argument: `group`."""


def store_lost(kind: str, found: HostDisks | None) -> str:
    """What a stop of an instance of type `kind` loses; empty: nothing. None: EC2 did not tell."""
    if found is None:
        return f"EC2 does not say whether a {kind} has an instance store, which a stop would lose"
    return f"a stop loses its instance store, {found.text}" if found.disks else ""


def instant(text: str) -> datetime:
    """A time of an AWS reply."""
    return datetime.fromisoformat(text)


@step(check=scaling_group, apply="autoscaling/suspend.call.j2", risk=Risk.SERVICE, repeatable=True)
def scaling_suspended(now: ScalingGroup, /, *, group: str, processes: tuple[str, ...] = SUSPENDED) -> Change | None:
    """An Auto Scaling group that neither replaces nor starts anything."""
    missing = [name for name in processes if name not in now.suspended]
    return (
        Change(f"Auto Scaling group {group}", "acts by itself", f"suspended: {', '.join(missing)}") if missing else None
    )


@step(check=api_stop, apply="ec2/allow_api_stop.call.j2", risk=Risk.SERVICE, repeatable=True)
def api_stop_allowed(now: ApiStop, /, *, instance: str) -> Change | None:
    """An instance that EC2 lets be stopped."""
    return Change(f"{instance} DisableApiStop", "true", "false") if now.refused else None


@step(check=instance_of, apply="ec2/auto_recovery.call.j2", risk=Risk.SERVICE, repeatable=True)
def auto_recovery_set(now: OneInstance, /, *, instance: str, mode: str) -> Change | Blocked | None:
    """An instance that EC2 moves to other hardware by itself (`default`), or that it leaves alone (`disabled`)."""
    if now.instance is None:
        return _unknown(instance)
    was = now.instance.recovery or "default"
    return None if was == mode else Change(f"{instance} automatic recovery", was, mode)


def is_off(now: OneInstance) -> bool:
    """Nothing of it runs."""
    return now.state in OFF


def _unknown(instance: str) -> Blocked:
    return Blocked(f"EC2 knows no instance {instance}", guard="G-INV", next=("the inventory's `instance:`",))


@step(check=instance_of, apply="ec2/stop.call.j2", risk=Risk.SPLIT, repeatable=True)
def instance_stopping(now: OneInstance, /, *, instance: str, note: str = "") -> Change | Blocked | None:
    """An instance whose stop EC2 has accepted; Windows gets time to shut down.

    That it has stopped is another fact (`is_off`, `STOPS`). `note`: what goes down with it.
    """
    if now.instance is None:
        return _unknown(instance)
    return None if now.state in (*OFF, *ENDING) else Change(instance, "runs", "stopping", note)


@step(
    check=instance_of,
    apply="ec2/force_stop.call.j2",
    risk=Risk.SPLIT,
    settle=Settle(every=10, limit=360),
    lenient=True,
    repeatable=True,
)
def instance_force_stopped(now: OneInstance, /, *, instance: str) -> Change | Blocked | None:
    """An instance that is stopped, if need be by force: the stop stays requested until it is possible.

    That it is not seen to have stopped ends nothing: what follows looks at it (S-FENCE).
    """
    if now.instance is None:
        return _unknown(instance)
    return (
        None if is_off(now) else Change(instance, "not stopped", "stopped", "by force, if it has not stopped by then")
    )


@step(
    check=instance_of,
    apply="ec2/start.call.j2",
    risk=Risk.SERVICE,
    settle=Settle(every=10, limit=600),
    repeatable=True,
)
def instance_running(now: OneInstance, /, *, instance: str) -> Change | Blocked | None:
    """An instance that runs. Whether it may be started is for whoever asks."""
    if now.instance is None or now.state == GONE:
        return Blocked(f"EC2 has no instance {instance} any more", guard="G-INV")
    return None if now.state == "running" else Change(instance, "stopped", "running")


@step(check=instance_of, apply="ec2/tag.call.j2", risk=Risk.LOW, repeatable=True)
def instance_tagged(now: OneInstance, /, *, instance: str, key: str, value: str) -> Change | Blocked | None:
    """An instance with a tag."""
    if now.instance is None:
        return Blocked(f"EC2 knows no instance {instance}", guard="G-INV")
    was = now.instance.tag(key)
    return None if was == value else Change(f"{instance} tag {key}", was or "none", value)

"""Targets of load balancers: in service, draining, out; how they are checked (S-LB-DRAIN, S-LB-RESTORE); knows no DAG.

Every query and step is a call as data; the server is the one whose target it is, and is not contacted.
"""

from __future__ import annotations

from starover.errors import BadParameter
from starover.estate import Server
from starover.step import Blocked, Change, Query, Report, Risk, Settle, Step, step

__all__ = [
    "HEALTHY",
    "SERVES",
    "Attributes",
    "BalancerAttributes",
    "BalancerFact",
    "Balancers",
    "GroupFact",
    "GroupHealth",
    "Groups",
    "TargetFact",
    "arn_name",
    "balancer_attributes",
    "balancers_by_name",
    "group_attributes",
    "group_health",
    "groups_by_arn",
    "groups_by_name",
    "groups_of",
    "page_checked",
    "target_leaving",
    "target_registered",
]

LAST_VIP = "G-LASTVIP"
HEALTHY = "healthy"
_LEAVING = ("draining", "unhealthy.draining")
_ABSENT = "Target.NotRegistered"
SERVES = Settle(every=10, limit=600)
"""P(10s,10m): until the checks have found a new target healthy."""


class GroupFact(Report):
    """A target group."""

    arn: str
    name: str
    port: int | None
    balancers: tuple[str, ...] | None
    """ARNs; none: nothing uses it."""
    protocol: str | None
    """Of its health check: `TCP`, `HTTP`, `HTTPS`."""
    path: str | None
    codes: str | None
    """HTTP codes that count as healthy."""


class Groups(Report):
    """Target groups (`elbv2/groups_by_name.call.j2`)."""

    groups: tuple[GroupFact, ...]


class TargetFact(Report):
    """A target."""

    id: str
    """An instance, or an address."""
    port: int
    state: str
    """`initial`, `healthy`, `unhealthy`, `unused`, `draining`, `unhealthy.draining`, `unavailable`."""
    reason: str | None
    """Such as `Target.FailedHealthChecks`."""
    says: str | None

    @property
    def leaving(self) -> bool:
        """It gets no new connections, and will be gone soon."""
        return self.state in _LEAVING

    @property
    def words(self) -> str:
        """For a person: state and reason."""
        return f"{self.state} ({self.reason})" if self.reason else self.state


class GroupHealth(Report):
    """The targets of a group (`elbv2/health.call.j2`)."""

    targets: tuple[TargetFact, ...]

    def find(self, target: str, port: int) -> TargetFact | None:
        """A target; None: it is not registered."""
        return next((one for one in self.targets if (one.id, one.port) == (target, port)), None)

    def of(self, ids: tuple[str, ...]) -> tuple[TargetFact, ...]:
        """The targets with one of these ids, on all ports."""
        return tuple(one for one in self.targets if one.id in ids and one.reason != _ABSENT)

    def others(self, target: str) -> tuple[TargetFact, ...]:
        """Healthy targets that are not this one, on whatever port."""
        return tuple(one for one in self.targets if one.id != target and one.state == HEALTHY)


class Attributes(Report):
    """Of a target group (`elbv2/group_attributes.call.j2`)."""

    delay: str | None
    cross: str | None
    """`true`, `false` or `use_load_balancer_configuration`."""

    @property
    def seconds(self) -> int:
        """How long a target is drained; AWS's default is 300."""
        return int(self.delay) if self.delay is not None and self.delay.isdecimal() else 300


class BalancerFact(Report):
    """A load balancer."""

    arn: str
    name: str
    fqdn: str
    zone: str | None
    """The hosted zone that an alias to it names."""
    scheme: str | None
    """`internal`, or `internet-facing`."""


class Balancers(Report):
    """Load balancers (`elbv2/balancers.call.j2`)."""

    balancers: tuple[BalancerFact, ...]


class BalancerAttributes(Report):
    """Of a balancer (`elbv2/balancer_attributes.call.j2`): `true` or `false`."""

    cross: str | None
    shifts: str | None


groups_by_name = Query("elbv2/groups_by_name.call.j2", Groups)
"""Argument: `names`."""
groups_by_arn = Query("elbv2/groups_by_arn.call.j2", Groups)
"""Argument: `names`, which are ARNs."""
one_group = Query("elbv2/group.call.j2", Groups)
"""Argument: `group`, its ARN."""
groups_of = Query("elbv2/groups_of.call.j2", Groups)
"""Argument: `balancer`, its ARN."""
group_health = Query("elbv2/health.call.j2", GroupHealth)
"""Argument: `group`, its ARN."""
group_attributes = Query("elbv2/group_attributes.call.j2", Attributes)
"""Argument: `group`."""
balancers_by_name = Query("elbv2/balancers.call.j2", Balancers)
"""Argument: `names`."""
balancer_attributes = Query("elbv2/balancer_attributes.call.j2", BalancerAttributes)
"""Argument: `balancer`."""


def arn_name(arn: str) -> str:
    """The name in the ARN of a target group or a balancer: `.../ExchangeNodes/0a1b`."""
    parts = arn.split("/")
    return parts[-2] if len(parts) > 2 else arn


def _put_back(prev: GroupHealth, server: Server, /, *, group: str, target: str, port: int) -> Step | None:
    was = prev.find(target, port)
    return (
        target_registered.on(server, group=group, target=target, port=port)
        if was is not None and not was.leaving
        else None
    )


@step(check=group_health, apply="elbv2/deregister.call.j2", risk=Risk.SERVICE, undo=_put_back, repeatable=True)
def target_leaving(now: GroupHealth, /, *, group: str, target: str, port: int) -> Change | Blocked | None:
    """A target that gets no new connections any more (S-LB-DRAIN). That it is gone is another fact.

    G-LASTVIP: another target must be healthy.
    """
    found = now.find(target, port)
    if found is None or found.leaving or found.reason == _ABSENT:
        return None
    if not now.others(target):
        others = [f"{one.id}:{one.port} {one.words}" for one in now.targets if one.id != target]
        return Blocked(
            f"{LAST_VIP}: no other target of {arn_name(group)} is healthy",
            guard=LAST_VIP,
            certain=(f"others: {', '.join(others) or 'none'}",),
            next=("bring another server into service first",),
        )
    return Change(f"{arn_name(group)} {target}:{port}", found.state, "draining, then out")


def _take_out(prev: GroupHealth, server: Server, /, *, group: str, target: str, port: int) -> Step | None:
    was = prev.find(target, port)
    gone = was is None or was.leaving or was.reason == _ABSENT
    return target_leaving.on(server, group=group, target=target, port=port) if gone else None


@step(check=group_health, apply="elbv2/register.call.j2", risk=Risk.SERVICE, undo=_take_out, repeatable=True)
def target_registered(now: GroupHealth, /, *, group: str, target: str, port: int) -> Change | Blocked | None:
    """A target of the group (S-LB-RESTORE). That the checks find it healthy is another fact."""
    found = now.find(target, port)
    if found is not None and not found.leaving and found.reason != _ABSENT:
        return None
    return Change(f"{arn_name(group)} {target}:{port}", found.state if found is not None else "out", "registered")


def _checked_before(
    prev: Groups, server: Server, /, *, group: str, protocol: str, path: str, codes: str
) -> Step | None:
    del protocol, path, codes
    was = prev.groups[0] if len(prev.groups) == 1 else None
    paged = was is not None and was.protocol in ("HTTP", "HTTPS")
    if was is None or not was.protocol or (paged and not (was.path and was.codes)):  # by gRPC's codes, say
        return None
    return page_checked.on(
        server,
        group=group,
        protocol=was.protocol,
        path=(was.path or "") if paged else "",
        codes=(was.codes or "") if paged else "",
    )


@step(check=one_group, apply="elbv2/check_page.call.j2", risk=Risk.LOW, undo=_checked_before, repeatable=True)
def page_checked(now: Groups, /, *, group: str, protocol: str, path: str, codes: str) -> Change | Blocked | None:
    """A target group whose check asks for a page of the server's health, so that maintenance is seen.

    `path` and `codes` empty: it only tries the port, as `protocol` does it; undo may want that.
    """
    if len(now.groups) != 1:
        return Blocked(f"AWS knows no target group {arn_name(group)}", guard="G-INV")
    found = now.groups[0]
    if codes and (not path.startswith("/") or len(path) > 255):
        raise BadParameter(f"--health-path {path[:60]} is no path of a page", certain=("nothing was changed",))
    if found.protocol == protocol and (not path or (found.path == path and found.codes == codes)):
        return None
    return Change(
        f"{found.name} health check",
        _looks(found.protocol or "?", found.path or "", found.codes or ""),
        _looks(protocol, path, codes),
    )


def _looks(protocol: str, path: str, codes: str) -> str:
    """`HTTPS /owa/healthcheck.htm, 200`, or `TCP`."""
    return f"{protocol} {path}, {codes}" if protocol in ("HTTP", "HTTPS") and path else protocol

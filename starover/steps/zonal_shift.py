"""An Availability Zone taken out of a balancer's DNS for a time (S-ZONAL); knows no DAG and no target."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

import msgspec

from starover.errors import BadParameter, NotSafe
from starover.estate import Estate, Server
from starover.runbook import Steps, together
from starover.step import Blocked, Change, Query, Report, Risk, step
from starover.steps.balancing import (
    HEALTHY,
    arn_name,
    balancer_attributes,
    balancers_by_name,
    group_health,
    groups_of,
)

__all__ = [
    "TWO_HOURS",
    "ActiveShift",
    "Shifts",
    "Span",
    "ZoneId",
    "ZoneName",
    "about",
    "active_shifts",
    "cancelled",
    "expiry",
    "id_of",
    "may_shift",
    "resources",
    "shift_cancelled",
    "shifted",
    "zone_of",
    "zone_shifted",
]


ZoneId = Annotated[
    str, msgspec.Meta(pattern=r"^[a-z]{2,6}[0-9]-az[0-9]{1,2}(?![\s\S])", description="a zone's id, such as euw1-az1")
]
Span = timedelta
TWO_HOURS = timedelta(hours=2)
_ENABLE = (
    "aws elbv2 modify-load-balancer-attributes --load-balancer-arn ARN "
    "--attributes Key=zonal_shift.config.enabled,Value=true"
)
_LONGEST = timedelta(days=3)


class ActiveShift(Report):
    """A shift that is in force."""

    id: str
    away: str
    """The zone's id, such as `euw1-az1`."""
    ends: str
    comment: str | None


class Shifts(Report):
    """The shifts of one balancer that are in force: none or one (`arc-zonal-shift/active.call.j2`)."""

    shifts: tuple[ActiveShift, ...]


class ZoneName(Report):
    """What this account calls a zone (`ec2/zone.call.j2`)."""

    name: str | None


class ZoneIdentity(Report):
    """What every account calls a zone (`ec2/zone_id.call.j2`)."""

    id: str | None


active_shifts = Query("arc-zonal-shift/active.call.j2", Shifts)
"""Argument: `resource`, the balancer's ARN."""
zone_of = Query("ec2/zone.call.j2", ZoneName)
"""Argument: `zone`, its id."""
id_of = Query("ec2/zone_id.call.j2", ZoneIdentity)
"""Argument: `az`, its name."""


@step(check=active_shifts, apply="arc-zonal-shift/start.call.j2", risk=Risk.SERVICE)
def zone_shifted(now: Shifts, /, *, resource: str, zone: str, expires: str, comment: str) -> Change | Blocked | None:
    """A balancer whose DNS does not name a zone any more. It ends by itself after `expires`, such as `2h`."""
    del comment
    if any(one.away == zone for one in now.shifts):
        return None
    if now.shifts:
        return Blocked(
            f"{arn_name(resource)} is shifted away from {now.shifts[0].away} already, and has one shift at a time",
            guard="S-ZONAL",
            next=(f"starover run zonal-shift --action cancel --az {now.shifts[0].away}",),
        )
    return Change(f"{arn_name(resource)} DNS", f"with {zone}", f"without {zone}", f"for {expires}")


@step(check=active_shifts, apply="arc-zonal-shift/cancel.call.j2", risk=Risk.SERVICE)
def shift_cancelled(now: Shifts, /, *, resource: str, shift: str) -> Change | None:
    """A shift that is no more in force: the zone is in the balancer's DNS again."""
    found = next((one for one in now.shifts if one.id == shift), None)
    return Change(f"{arn_name(resource)} DNS", f"without {found.away}", f"with {found.away}") if found else None


def expiry(span: timedelta) -> str:
    """How long, as the API wants it. Raises `BadParameter`."""
    if not timedelta(minutes=1) <= span <= _LONGEST:
        raise BadParameter("--expires-in is between 1m and 3d", certain=("nothing was contacted",))
    return f"{int(span.total_seconds() // 60)}m"


def about(estate: Estate, zone: str) -> Server:
    """The server whom calls about a zone are about: one of that zone, else the first one; it is not contacted.

    Raises `BadParameter`.
    """
    if not estate.servers:
        raise BadParameter("the inventory has no server", certain=("nothing was contacted",))
    return next((one for one in estate.servers if one.az == zone), estate.servers[0])


def resources(estate: Estate, server: Server, named: tuple[str, ...]) -> Steps[tuple[str, ...]]:
    """ARNs of the balancers that are named, else of those of the inventory. Raises `BadParameter`."""
    if named:
        return named
    names = [one.name for one in estate.balancers if one.kind in ("nlb", "alb")]
    if not names:
        raise BadParameter(
            "the inventory has no balancer that zonal shift could be used on",
            certain=("nothing was contacted",),
            next=("--resource ARN",),
        )
    found = yield from balancers_by_name.read(server, names=names)
    return tuple(one.arn for one in found.balancers)


def may_shift(estate: Estate, server: Server, resource: str, name: str) -> Steps:
    """Whether a zone (`name`: what the account calls it) may be taken out of a balancer's DNS; changes nothing.

    Raises `NotSafe` where zonal shift is off, or where no target outside of the zone is healthy.
    """
    settings = yield from balancer_attributes.read(server, balancer=resource)
    if settings.shifts != "true":
        raise NotSafe(
            f"S-ZONAL: zonal shift is not enabled on {arn_name(resource)}",
            certain=("nothing was changed",),
            next=(_ENABLE,),
        )
    groups = (yield from groups_of.read(server, balancer=resource)).groups
    healths = yield from together(group_health.read(server, group=one.arn) for one in groups)
    zones = {identity: one.az for one in estate.servers for identity in (one.instance, one.address) if identity}
    for group, health in zip(groups, healths, strict=True):
        elsewhere = [one for one in health.targets if one.state == HEALTHY and zones.get(one.id) not in (None, name)]
        if not elsewhere:
            told = ", ".join(f"{one.id} {one.words}" for one in health.targets)
            raise NotSafe(
                f"S-ZONAL: no target of {group.name} outside of {name} is healthy",
                certain=("nothing was changed", f"targets: {told or 'none'}"),
                next=("bring a server of another zone into service first",),
            )


def shifted(
    estate: Estate, server: Server, resources: Sequence[str], *, zone: str, name: str, expires: str, comment: str
) -> Steps:
    """Take a zone (`zone` its id, `name` what the account calls it) out of the DNS of balancers, all or none.

    Raises as `may_shift` does, before anything is changed.
    """
    yield from together(may_shift(estate, server, one, name) for one in resources)
    for one in resources:
        yield zone_shifted.on(server, resource=one, zone=zone, expires=expires, comment=comment)


def cancelled(server: Server, resources: Sequence[str], *, zone: str) -> Steps:
    """Put a zone back into the DNS of balancers, or find that it is there."""
    every = yield from together(active_shifts.read(server, resource=one) for one in resources)
    for resource, now in zip(resources, every, strict=True):
        for one in now.shifts:
            if one.away == zone:
                yield shift_cancelled.on(server, resource=resource, shift=one.id)

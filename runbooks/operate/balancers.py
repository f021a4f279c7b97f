"""A member out of the load balancers and back, and a zone out of their DNS: by AWS alone, no host is contacted."""

from collections.abc import Sequence
from typing import Literal

from starover import BadParameter, Estate, Server, Step, Steps, runbook
from starover.steps.balancing import GroupFact
from starover.steps.drains import TargetOf, drain, groups_named, targets_of, undrain, were_targets
from starover.steps.zonal_shift import (
    TWO_HOURS,
    Span,
    ZoneId,
    about,
    cancelled,
    expiry,
    resources,
    shifted,
    zone_of,
)


@runbook
def elb_drain(estate: Estate, server: Server | None = None, target_group: Sequence[str] = ()) -> Steps:
    """Take a server out of its target groups: no new connections, and those it has get time to end.

    Another target must be healthy. What was registered is kept, and elb-restore puts exactly that back. Where it is the
    last target of its zone, and the balancer stays within zones, the zone goes out of the balancer's DNS first.

    server: whose targets; by its instance, or its address
    target_group: name or ARN; those of the inventory's balancers where none is named
    """
    whose = _whose(server)
    groups = yield from _groups(estate, whose, target_group)
    targets = yield from targets_of(whose, groups)
    undo: list[Step] = []
    yield from drain(estate, whose, groups, targets, undo)


@runbook
def elb_restore(estate: Estate, server: Server | None = None, target_group: Sequence[str] = ()) -> Steps:
    """Put a server back into its target groups, and wait until their checks find it healthy.

    What elb-drain found is what comes back; where no run here has drained it, its instance on the group's own port.

    server: whose targets
    target_group: name or ARN; those of the inventory's balancers where none is named
    """
    whose = _whose(server)
    groups = yield from _groups(estate, whose, target_group)
    now = yield from targets_of(whose, groups)
    before = yield from were_targets(whose, groups)
    known = {one.group for one in (*now, *before)}
    new = [
        TargetOf(one.arn, whose.instance or whose.address, one.port)
        for one in groups
        if one.arn not in known and one.port is not None
    ]
    yield from undrain(whose, list(dict.fromkeys((*now, *before, *new))))


@runbook
def zonal_shift(
    estate: Estate,
    az: ZoneId,
    action: Literal["start", "cancel"] = "start",
    resource: Sequence[str] = (),
    expires_in: Span = TWO_HOURS,
) -> Steps:
    """Take one Availability Zone out of the balancers' DNS, or put it back: the first move when a zone is ill.

    Clients follow when their DNS answers are old, a minute or so. It ends by itself after a time. A zone that is
    already out stays out.

    az: the zone's id, such as euw1-az1, not its name
    action: start or cancel
    resource: ARNs; the balancers of the inventory where none is named
    expires_in: 1m to 3d
    """
    ends = expiry(expires_in)
    server = about(estate, "")
    name = (yield from zone_of.read(server, zone=az)).name
    if name is None:
        raise BadParameter(
            f"--az {az} is no zone of {estate.region or 'this region'}",
            certain=("nothing was changed",),
            next=("aws ec2 describe-availability-zones   has the ids",),
        )
    server = about(estate, name)
    balancers = yield from resources(estate, server, tuple(resource))
    if action == "cancel":
        yield from cancelled(server, balancers, zone=az)
    else:
        yield from shifted(estate, server, balancers, zone=az, name=name, expires=ends, comment="starover zonal-shift")


def _whose(server: Server | None) -> Server:
    if server is None:
        raise BadParameter(
            "whose targets? --server NAME", certain=("nothing was contacted",), next=("--target-group is beside it",)
        )
    return server


def _groups(estate: Estate, server: Server, named: Sequence[str]) -> Steps[tuple[GroupFact, ...]]:
    groups = yield from groups_named(estate, server, named)
    if not groups:
        raise BadParameter(
            "the inventory's balancers have no target group",
            certain=("nothing was changed",),
            next=("--target-group ARN", "or `target_group:` of a balancer in the inventory"),
        )
    return groups

"""Which targets a server is behind the estate's balancers, taken out and put back; knows no DAG (S-LB-DRAIN, -RESTORE).

Balancers are those of the inventory that have a `target_group:`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from starover.errors import BadParameter
from starover.estate import Balancer, Estate, Server
from starover.runbook import Steps, recall, together
from starover.step import Settle, Step, wait
from starover.steps.balancing import (
    HEALTHY,
    SERVES,
    GroupFact,
    GroupHealth,
    balancer_attributes,
    group_attributes,
    group_health,
    groups_by_arn,
    groups_by_name,
    groups_of,
    target_leaving,
    target_registered,
)
from starover.steps.pauses import time_passes
from starover.steps.zonal_shift import active_shifts, id_of, shifted, zone_shifted

__all__ = [
    "DRAINS",
    "TargetOf",
    "drain",
    "groups_named",
    "road_to",
    "targets_of",
    "undrain",
    "were_targets",
]

DNS_TTL = 60
"""Seconds for which clients keep the addresses of a balancer's own name."""
DRAINS = (target_leaving, target_registered, zone_shifted)
"""Kinds that draining or putting back may need."""
_KINDS = ("nlb", "alb")
_Until = Callable[[GroupHealth], bool]


class TargetOf(msgspec.Struct, frozen=True):
    """A server as a target."""

    group: str
    """ARN."""
    target: str
    port: int


def _ids(server: Server) -> tuple[str, ...]:
    """What a server is in a target group: its instance, or its address."""
    return tuple(one for one in (server.instance, server.address) if one)


def road_to(balancer: Balancer) -> bool:
    """Whether AWS's API reaches a balancer and its target group is known."""
    return balancer.kind in _KINDS and bool(balancer.target_group)


def groups_named(estate: Estate, server: Server, named: Sequence[str] = ()) -> Steps[tuple[GroupFact, ...]]:
    """The target groups that are named, by name or ARN; else those of the inventory, and all others of their balancers.

    `server`: whom it is about.
    """
    wanted = list(dict.fromkeys(named or [one.target_group for one in estate.balancers if road_to(one)]))
    arns = [one for one in wanted if one.startswith("arn:")]
    names = [one for one in wanted if not one.startswith("arn:")]
    found: list[GroupFact] = []
    if names:
        found += (yield from groups_by_name.read(server, names=names)).groups
    if arns:
        found += (yield from groups_by_arn.read(server, names=arns)).groups
    if not named:
        balancers = dict.fromkeys(arn for one in found for arn in one.balancers or ())
        for one in (yield from together(groups_of.read(server, balancer=arn) for arn in balancers)):
            found += one.groups
    return tuple({one.arn: one for one in found}.values())


def targets_of(server: Server, groups: Sequence[GroupFact]) -> Steps[tuple[TargetOf, ...]]:
    """Where a server is registered now, and not on its way out."""
    if not _ids(server):
        raise BadParameter(
            f"{server.name} has neither `instance:` nor `address:` in the inventory", certain=("nothing was changed",)
        )
    healths = yield from together(group_health.read(server, group=one.arn) for one in groups)
    return tuple(
        TargetOf(group.arn, target.id, target.port)
        for group, health in zip(groups, healths, strict=True)
        for target in health.of(_ids(server))
        if not target.leaving
    )


def drain(
    estate: Estate, server: Server, groups: Sequence[GroupFact], targets: Sequence[TargetOf], undo: list[Step]
) -> Steps:
    """Take a server out of its target groups and wait until each has let it go; `undo` gets what puts it back."""
    arns = {one.group for one in targets}
    facts = [one for one in groups if one.arn in arns]
    attributes = yield from together(group_attributes.read(server, group=one.arn) for one in facts)
    delays = {fact.arn: one.seconds for fact, one in zip(facts, attributes, strict=True)}
    lonely, shifting = yield from _lonely(estate, server, facts, [one.cross for one in attributes])
    yield from _zone_away(estate, server, shifting, max(delays.values(), default=0))
    for one in targets:
        leaving = target_leaving.on(server, group=one.group, target=one.target, port=one.port)
        yield leaving.warned(lonely.get(one.group, ""))  # that rests on others' health, which moves by itself
        undo.append(target_registered.on(server, group=one.group, target=one.target, port=one.port))
    for one in targets:
        settle = Settle(every=5, limit=delays[one.group] + 60)
        what = f"{server.name} out of the target group"
        yield from wait(group_health, server, until=_gone(one), settle=settle, what=what, group=one.group)


def _lonely(
    estate: Estate, server: Server, groups: Sequence[GroupFact], crosses: Sequence[str | None]
) -> Steps[tuple[dict[str, str], tuple[str, ...]]]:
    """Groups of which the server is the last healthy target in its zone, where a balancer stays in its zone; why.

    And which of their balancers let that zone be shifted away.
    """
    found: dict[str, str] = {}
    shifting: list[str] = []
    zone = {name: one.az for one in estate.servers for name in _ids(one)}
    for group, cross in zip(groups, crosses, strict=True):
        health = yield from group_health.read(server, group=group.arn)
        others = [one for one in health.targets if one.id not in _ids(server) and one.state == HEALTHY]
        if not server.az or not others or any(zone.get(one.id) == server.az for one in others):
            continue  # where nobody else serves at all, the step itself is refused
        balancers = group.balancers or ()
        settings = yield from together(balancer_attributes.read(server, balancer=one) for one in balancers)
        as_theirs = cross not in ("true", "false")
        alone = any(one.cross != "true" for one in settings) if as_theirs else cross == "false"
        if not alone:
            continue
        able = [arn for arn, one in zip(balancers, settings, strict=True) if one.shifts == "true"]
        shifting += able
        if len(able) < len(balancers):
            found[group.arn] = f"the last target in {server.az}: its clients wait for DNS, no zonal shift is enabled"
    return found, tuple(dict.fromkeys(shifting))


def _zone_away(estate: Estate, server: Server, balancers: Sequence[str], delay: int) -> Steps:
    """S-ZONAL before a zone's last target goes: clients learn of it by DNS. The shift ends by itself.

    It lasts until the target is gone: then the balancer has no healthy target there, and names the zone no more.
    """
    if not balancers:
        return
    identity = (yield from id_of.read(server, az=server.az)).id
    if identity is None:
        raise BadParameter(f"AWS knows no zone {server.az}, where {server.name} is", certain=("nothing was changed",))
    minutes = (DNS_TTL + delay + 120) // 60 + 1
    yield from shifted(
        estate,
        server,
        balancers,
        zone=identity,
        name=server.az,
        expires=f"{minutes}m",
        comment=f"starover drains {server.name}",
    )
    what = f"one time to live of the balancer's DNS ({DNS_TTL} s) passes"
    yield from time_passes(active_shifts, server, DNS_TTL, what, resource=balancers[0])


def _gone(one: TargetOf) -> _Until:
    def until(now: GroupHealth) -> bool:
        found = now.find(one.target, one.port)
        return found is None or found.state == "unused"

    return until


def _serves(one: TargetOf) -> _Until:
    def until(now: GroupHealth) -> bool:
        found = now.find(one.target, one.port)
        return found is not None and found.state == HEALTHY

    return until


def were_targets(server: Server, groups: Sequence[GroupFact]) -> Steps[tuple[TargetOf, ...]]:
    """What an earlier run of ours found registered before it took the server out; empty: none did."""
    found: list[TargetOf] = []
    for group in groups:
        before = yield from recall(server, target_leaving, group=group.arn)
        was = before.of(_ids(server)) if before is not None else ()
        found += [TargetOf(group.arn, one.id, one.port) for one in was if not one.leaving]
    return tuple(found)


def undrain(server: Server, targets: Sequence[TargetOf]) -> Steps:
    """Put a server back into its target groups, and wait until their checks have found it healthy."""
    for one in targets:
        yield target_registered.on(server, group=one.group, target=one.target, port=one.port)
    for one in targets:
        what = f"{server.name} healthy in the target group"
        yield from wait(group_health, server, until=_serves(one), settle=SERVES, what=what, group=one.group)

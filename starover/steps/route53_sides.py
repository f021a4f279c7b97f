"""The sides of a name in Route 53, active-active or active-passive, each watched in its way (S-R53); knows no DAG."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from starover.errors import BadParameter, NotSafe
from starover.estate import Server
from starover.render import Arg
from starover.runbook import Steps, together
from starover.step import Step
from starover.steps.balancing import HEALTHY, BalancerFact, balancers_by_name, group_health, groups_of
from starover.steps.route53 import Record, Shape, dotted
from starover.steps.route53_checks import alarm_watched, alarms_now, endpoint_watched, reachable, reference_of

__all__ = [
    "EVEN",
    "MemberText",
    "Mode",
    "Side",
    "SideTtl",
    "Watch",
    "check_ttl",
    "records_of",
    "serves",
    "sides_of",
    "standby_of",
    "standing_by",
    "stands_by",
]

Mode = Literal["active-active", "active-passive"]
MemberText = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}=[A-Za-z0-9][A-Za-z0-9.-]{0,63}(?![\s\S])",
        title="Member",
        description="AZ=ADDRESS or AZ=BALANCER, such as eu-west-1a=203.0.113.10 or eu-west-1a=exch-nlb-a",
    ),
]
SideTtl = Annotated[int, msgspec.Meta(ge=1, le=300, description="1 to 300 seconds")]
USUAL_TTL = 60
EVEN = 100
"""The weight of every side of a new active-active name."""
_NOTHING = ("nothing was changed",)


@dataclass(frozen=True)
class Watch:
    """The health check of a side."""

    reference: str
    step: Step
    """What makes it."""


@dataclass(frozen=True)
class Side:
    """Where clients of one side are led."""

    az: str
    """The set identifier."""
    address: str = ""
    """Empty: it is a balancer."""
    balancer: BalancerFact | None = None
    alarm: str = ""
    """The alarm of CloudWatch that says whether its address serves, where no checker comes."""
    alarmed: bool = False
    """That alarm was not `OK` when it was read."""

    @property
    def words(self) -> str:
        """For a person."""
        return f"{self.az} ({self.address or (self.balancer.name if self.balancer is not None else '')})"

    def watched(self, server: Server, name: str, path: str, region: str) -> Watch | None:
        """Its health check; None: an alias, healthy while a target of it is.

        Route 53's checkers do not reach what is internal. There the balancer's own checks are the ones that see, and of
        an address the alarm that the inventory names.
        """
        if self.alarm:
            reference = reference_of(f"alarm {region} {self.alarm}", self.address, "")
            made = alarm_watched.on(server, reference=reference, alarm=self.alarm, region=region, address=self.address)
            return Watch(reference, made)
        if self.balancer is None:
            host, address = name.rstrip("."), self.address
        elif self.balancer.scheme == "internet-facing":
            host, address = self.balancer.fqdn, ""
        else:
            return None
        reference = reference_of(host, address, path)
        return Watch(reference, endpoint_watched.on(server, reference=reference, host=host, address=address, path=path))


def sides_of(server: Server, members: Sequence[str], alarms: Mapping[str, str], region: str) -> Steps[tuple[Side, ...]]:
    """What `--member` names. Raises `BadParameter`, and `NotSafe` for an address that nobody could watch.

    `alarms`: by address, those that the inventory names for what no checker reaches; they are in `region`.
    """
    pairs = [one.partition("=")[::2] for one in members]
    zones = [az for az, _ in pairs]
    if len(pairs) < 2 or len(set(zones)) < len(zones):
        raise BadParameter(
            "--member is given once for each side, twice at least",
            certain=("nothing was contacted",),
            next=("--member eu-west-1a=203.0.113.10 --member eu-west-1b=203.0.113.20",),
        )
    addresses = {place: _address(place) for _, place in pairs}
    private = [place for place, address in addresses.items() if address and not reachable(address)]
    unwatched = [place for place in private if place not in alarms]
    if unwatched or (private and not region):
        raise NotSafe(
            f"S-R53HC: Route 53's checkers come from the Internet and do not reach {', '.join(unwatched or private)}",
            certain=_NOTHING,
            next=(
                "name the balancer in front: an alias is as healthy as its targets",
                f"or the inventory's balancer gets `alarms: [{{address: {(unwatched or private)[0]}, name: ALARM}}]`",
                "ALARM is one of CloudWatch in the inventory's `region:` that says whether clients are served there",
            ),
        )
    watching = {place: alarms[place] for place in private}
    states = yield from _alarms(server, tuple(dict.fromkeys(watching.values())), region)
    names = [place for place, address in addresses.items() if not address]
    found = (yield from balancers_by_name.read(server, names=names)).balancers if names else ()
    known = {one.name.casefold(): one for one in found}
    for name in names:
        if (one := known.get(name.casefold())) is None or not one.zone:
            raise BadParameter(f"AWS knows no load balancer `{name}` that an alias could lead to", certain=_NOTHING)
    return tuple(
        Side(
            az,
            addresses[place],
            known.get(place.casefold()),
            alarm := watching.get(place, ""),
            bool(alarm) and states[alarm] != "OK",
        )
        for az, place in pairs
    )


def _alarms(server: Server, names: Sequence[str], region: str) -> Steps[dict[str, str]]:
    """How alarms stand. Raises `NotSafe` for one that is not there."""
    found = (yield from alarms_now.read(server, names=names)).alarms if names else ()
    states = {one.name: one.state for one in found}
    if missing := [one for one in names if one not in states]:
        raise NotSafe(
            f"S-R53HC: CloudWatch in {region} has no alarm {', '.join(missing)}",
            certain=_NOTHING,
            next=("`alarms:` of a balancer in the inventory names it", "aws cloudwatch describe-alarms"),
        )
    return states


def _address(place: str) -> str:
    try:
        return str(ipaddress.IPv4Address(place))
    except ValueError:
        return ""


def check_ttl(sides: Sequence[Side], ttl: int) -> None:
    """Raises `BadParameter` for a time to live that no record would have: an alias has that of its aim."""
    if ttl != USUAL_TTL and all(one.balancer is not None for one in sides):
        raise BadParameter(
            "--ttl: an alias to a load balancer has no time to live of its own",
            certain=_NOTHING,
            next=("leave it out",),
        )


def serves(server: Server, side: Side) -> Steps[bool]:
    """Whether a balancer has a healthy target in every of its groups; of a side without a check of its own."""
    assert side.balancer is not None
    groups = (yield from groups_of.read(server, balancer=side.balancer.arn)).groups
    healths = yield from together(group_health.read(server, group=one.arn) for one in groups)
    return bool(groups) and all(any(one.state == HEALTHY for one in health.targets) for health in healths)


def standby_of(name: str) -> str:
    """The name behind which several sides stand by, each with a weight: a failover pair has one SECONDARY."""
    return f"standby.{name.rstrip('.')}"


def standing_by(there: Sequence[Record], *, needed: bool) -> tuple[Record, ...]:
    """The records of `standby_of` a name, where they are a group as `records_of` makes it; others are somebody's own.

    Raises `NotSafe` where such a group is `needed`, and somebody's own record has the name.
    """
    own = [one for one in there if one.weight is None]
    if own and not needed:
        return ()
    if own:
        raise NotSafe(
            f"S-R53: {own[0].name.rstrip('.')} has a record already, and no failover made it: {own[0].words}",
            certain=_NOTHING,
            next=("give that record another name: several sides need this one",),
        )
    return tuple(there)


def stands_by(name: str, zone: str) -> Shape:
    """The SECONDARY of a name behind which several stand by: as healthy as any of them."""
    alias: dict[str, Arg] = {"HostedZoneId": zone, "DNSName": dotted(standby_of(name)), "EvaluateTargetHealth": True}
    return {
        "Name": dotted(name),
        "Type": "A",
        "SetIdentifier": "standby",
        "Failover": "SECONDARY",
        "AliasTarget": alias,
    }


def records_of(
    name: str, sides: Sequence[Side], checks: Sequence[str], there: Sequence[Record], *, mode: Mode, ttl: int
) -> tuple[Shape, ...]:
    """The records of a name with these sides. `checks`: ids of their health checks; empty: an alias tells by itself.

    A side that has a weight already keeps it: somebody may have drained it on purpose.
    """
    made: list[Shape] = []
    for place, (side, check) in enumerate(zip(sides, checks, strict=True)):
        record: dict[str, Arg] = {"Name": dotted(name), "Type": "A", "SetIdentifier": side.az}
        if mode == "active-passive":
            record["Failover"] = "SECONDARY" if place else "PRIMARY"
        else:
            old = next((one for one in there if one.identifier == side.az and one.weight is not None), None)
            record["Weight"] = old.weight if old is not None else EVEN
        if check:
            record["HealthCheckId"] = check
        if side.balancer is not None:
            alias: dict[str, Arg] = {"HostedZoneId": side.balancer.zone, "DNSName": dotted(side.balancer.fqdn)}
            record["AliasTarget"] = alias | {"EvaluateTargetHealth": True}
        else:
            record |= {"TTL": ttl, "ResourceRecords": ({"Value": side.address},)}
        made.append(record)
    return tuple(made)

"""The sides of a name in Route 53, active-active or active-passive, each watched in its way (S-R53); knows no DAG."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from starover.errors import BadParameter, NotSafe
from starover.estate import Server
from starover.render import Arg
from starover.runbook import Steps, together
from starover.steps.balancing import HEALTHY, BalancerFact, balancers_by_name, group_health, groups_of
from starover.steps.route53 import Record, Shape, dotted
from starover.steps.route53_checks import reachable, reference_of

__all__ = ["EVEN", "MemberText", "Mode", "Side", "SideTtl", "check_ttl", "records_of", "serves", "sides_of"]

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
class Side:
    """Where clients of one side are led."""

    az: str
    """The set identifier."""
    address: str = ""
    """Empty: it is a balancer."""
    balancer: BalancerFact | None = None

    @property
    def words(self) -> str:
        """For a person."""
        return f"{self.az} ({self.address or (self.balancer.name if self.balancer is not None else '')})"

    def watched(self, name: str, path: str) -> tuple[str, str, str] | None:
        """Reference, host and address of its health check; None: an alias, healthy while a target of it is.

        Route 53's checkers do not reach what is internal, and there the balancer's own checks are the ones that see.
        """
        if self.balancer is None:
            host, address = name.rstrip("."), self.address
        elif self.balancer.scheme == "internet-facing":
            host, address = self.balancer.fqdn, ""
        else:
            return None
        return reference_of(host, address, path), host, address


def sides_of(server: Server, members: Sequence[str], mode: Mode) -> Steps[tuple[Side, ...]]:
    """What `--member` names. Raises `BadParameter`, and `NotSafe` for an address that nobody could watch."""
    pairs = [one.partition("=")[::2] for one in members]
    zones = [az for az, _ in pairs]
    if len(pairs) < 2 or len(set(zones)) < len(zones):
        raise BadParameter(
            "--member is given once for each side, twice at least",
            certain=("nothing was contacted",),
            next=("--member eu-west-1a=203.0.113.10 --member eu-west-1b=203.0.113.20",),
        )
    if mode == "active-passive" and len(pairs) > 2:
        raise BadParameter(
            "active-passive has two sides: Route 53 takes one PRIMARY and one SECONDARY of a name",
            certain=("nothing was contacted",),
            next=("--mode active-active   takes more", "or a balancer in front of those that stand by"),
        )
    addresses = {place: _address(place) for _, place in pairs}
    private = [place for place, address in addresses.items() if address and not reachable(address)]
    if private:
        raise NotSafe(
            f"S-R53HC: Route 53's checkers come from the Internet and do not reach {', '.join(private)}",
            certain=_NOTHING,
            next=(
                "name the balancer in front: an alias is as healthy as its targets",
                "or watch a CloudWatch alarm by a health check of type CLOUDWATCH_METRIC, made by hand",
            ),
        )
    names = [place for place, address in addresses.items() if not address]
    found = (yield from balancers_by_name.read(server, names=names)).balancers if names else ()
    known = {one.name.casefold(): one for one in found}
    for name in names:
        if (one := known.get(name.casefold())) is None or not one.zone:
            raise BadParameter(f"AWS knows no load balancer `{name}` that an alias could lead to", certain=_NOTHING)
    return tuple(Side(az, addresses[place], known.get(place.casefold())) for az, place in pairs)


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

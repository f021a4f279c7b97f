"""Names in Route 53: their sides, and how much of the clients each side gets."""

from collections.abc import Sequence

from starover import BadParameter, Estate, NotSafe, Server, Steps, runbook, together
from starover.steps.dns import Fqdn
from starover.steps.route53 import ZoneRef, records_from, records_set, replaced, within, zone_facts
from starover.steps.route53_checks import check_known, endpoint_watched
from starover.steps.route53_sides import MemberText, Mode, Side, SideTtl, check_ttl, records_of, serves, sides_of
from starover.steps.route53_weights import SetId, Weight, weighed
from starover.steps.zonal_shift import about


@runbook(beyond=[records_set])
def route53_failover(
    estate: Estate,
    hosted_zone: ZoneRef,
    name: Fqdn,
    member: Sequence[MemberText],
    mode: Mode = "active-passive",
    ttl: SideTtl = 60,
    health_path: str = "/owa/healthcheck.htm",
) -> Steps:
    """Let Route 53 lead clients to a side that is healthy: one first and another behind it, or all by weight.

    An address, and a balancer that faces the Internet, is watched by a health check of its own, which asks for a page.
    An internal balancer is as healthy as its targets. The records of the name are replaced in one batch, which is done
    whole or not at all; at least one side must be healthy. Undo puts the old records back; health checks stay.

    hosted_zone: the zone's id
    name: the client name, within the zone
    member: AZ=ADDRESS or AZ=BALANCER, once for each side; the first one is the PRIMARY
    mode: active-passive: PRIMARY and SECONDARY; active-active: weighted, all in use
    ttl: seconds; an alias to a balancer has none of its own
    health_path: the page; begins with /
    """
    if not health_path.startswith("/") or len(health_path) > 255:
        raise BadParameter("--health-path is a path of a page and begins with /", certain=("nothing was contacted",))
    server = about(estate, "")
    sides = yield from sides_of(server, member, mode)
    check_ttl(sides, ttl)
    zone = yield from zone_facts.read(server, zone=hosted_zone)
    if not within(name, zone.name):
        raise BadParameter(f"{name} does not lie in the zone {zone.name.rstrip('.')}", certain=("nothing was changed",))
    for side in sides:
        if (watched := side.watched(name, health_path)) is not None:
            reference, host, address = watched
            yield endpoint_watched.on(server, reference=reference, host=host, address=address, path=health_path)
    seen = yield from together(_seen(server, side, name, health_path) for side in sides)
    if not any(healthy for _, healthy in seen):
        raise NotSafe(
            f"S-R53: no side of {name} is healthy",
            certain=(*(f"{side.words} does not serve {health_path}" for side in sides), "no record was changed"),
            next=("starover run client-check", "bring one side into service first"),
        )
    ill = [side.words for side, (_, healthy) in zip(sides, seen, strict=True) if not healthy]
    there = (yield from records_from.read(server, zone=hosted_zone, name=name)).named(name, ("A", "CNAME"))
    wanted = records_of(name, sides, [check for check, _ in seen], there, mode=mode, ttl=ttl)
    note = f"not healthy now: {', '.join(ill)}" if ill else ""
    yield from replaced(server, zone, name, there, wanted, note=note)


def _seen(server: Server, side: Side, name: str, path: str) -> Steps[tuple[str, bool]]:
    """The id of a side's health check (empty: an alias tells by itself), and whether it is healthy."""
    watched = side.watched(name, path)
    if watched is None:
        return "", (yield from serves(server, side))
    return (yield from check_known(server, watched[0], side.words))


@runbook
def route53_weight(
    estate: Estate, hosted_zone: ZoneRef, name: Fqdn, set_identifier: SetId, weight: Weight = 0
) -> Steps:
    """Give one side of a name in Route 53 another weight; 0 takes it out, while another side is healthy.

    It ends when every name server has it. Clients follow when their DNS answers are old. All weights 0 would mean all
    are used, and is refused.

    hosted_zone: the zone's id
    name: the record's name
    set_identifier: whose weight
    weight: 0 to 255
    """
    yield from weighed(about(estate, ""), hosted_zone, name, set_identifier, weight)

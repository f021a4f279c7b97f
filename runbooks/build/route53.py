"""Names in Route 53: their sides, and how much of the clients each side gets."""

from collections.abc import Sequence

from starover import BadParameter, Estate, NotSafe, Server, Steps, runbook, together
from starover.steps.dns import Fqdn
from starover.steps.route53 import Shape, ZoneRef, records_from, records_set, replaced, within, words_of, zone_facts
from starover.steps.route53_checks import check_known, health_checks, id_of
from starover.steps.route53_sides import (
    MemberText,
    Mode,
    Side,
    SideTtl,
    Watch,
    check_ttl,
    records_of,
    serves,
    sides_of,
    standby_of,
    standing_by,
    stands_by,
)
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
    Of an address that no checker reaches it is as the alarm of CloudWatch that the inventory names for it. An internal
    balancer is as healthy as its targets. With several sides behind the first one those have a name of their own,
    standby.NAME, by weight. The records of a name are replaced in one batch, which is done whole or not at all; at
    least one side must be healthy. A plan that makes health checks ends with them: AWS gives them the ids that the
    records need. Undo puts the old records back; health checks stay.

    hosted_zone: the zone's id
    name: the client name, within the zone
    member: AZ=ADDRESS or AZ=BALANCER, once for each side; the first one is the PRIMARY
    mode: active-passive: the first one is PRIMARY, the others stand by; active-active: weighted, all in use
    ttl: seconds; an alias to a balancer has none of its own
    health_path: the page; begins with /
    """
    if not health_path.startswith("/") or len(health_path) > 255:
        raise BadParameter("--health-path is a path of a page and begins with /", certain=("nothing was contacted",))
    server = about(estate, "")
    alarms = {one.address: one.name for balancer in estate.balancers for one in balancer.alarms}
    sides = yield from sides_of(server, member, alarms, estate.region)
    check_ttl(sides, ttl)
    zone = yield from zone_facts.read(server, zone=hosted_zone)
    if not within(name, zone.name):
        raise BadParameter(f"{name} does not lie in the zone {zone.name.rstrip('.')}", certain=("nothing was changed",))
    watches = [side.watched(server, name, health_path, estate.region) for side in sides]
    behind = standby_of(name)
    there = (yield from records_from.read(server, zone=hosted_zone, name=name)).named(name, ("A", "CNAME"))
    standing = (yield from records_from.read(server, zone=hosted_zone, name=behind)).named(behind, ("A", "CNAME"))
    several = mode == "active-passive" and len(sides) > 2
    standing = standing_by(standing, needed=several)

    def main(checks: Sequence[str]) -> tuple[Shape, ...]:
        if several:
            first = records_of(name, sides[:1], checks[:1], there, mode=mode, ttl=ttl)
            return *first, stands_by(name, hosted_zone)
        return records_of(name, sides, checks, there, mode=mode, ttl=ttl)

    known = yield from health_checks.read(server)
    new = [one for one in watches if one is not None and known.find(one.reference) is None]
    ahead = f"with its id {name} then has {words_of(main(['new'] * len(sides)))}"
    for one in watches:
        if one is not None:
            yield one.step.warned(ahead if new and one is new[-1] else "")
    seen = yield from together(_seen(server, side, watch) for side, watch in zip(sides, watches, strict=True))
    if not any(healthy for _, healthy in seen):
        raise NotSafe(
            f"S-R53: no side of {name} is healthy",
            certain=(*(f"{side.words} does not serve {health_path}" for side in sides), "no record was changed"),
            next=("starover run client-check", "bring one side into service first"),
        )
    ill = [side.words for side, (_, healthy) in zip(sides, seen, strict=True) if not healthy]
    checks = [check for check, _ in seen]
    note = f"not healthy now: {', '.join(ill)}" if ill else ""
    if several:
        group = records_of(behind, sides[1:], checks[1:], standing, mode="active-active", ttl=ttl)
        yield from replaced(server, zone, behind, standing, group)
    yield from replaced(server, zone, name, there, main(checks), note=note)
    if standing and not several:
        yield from replaced(server, zone, behind, standing, ())


def _seen(server: Server, side: Side, watch: Watch | None) -> Steps[tuple[str, bool]]:
    """The id of a side's health check (empty: an alias tells by itself), and whether it is healthy."""
    if watch is None:
        return "", (yield from serves(server, side))
    if side.alarm:
        return (yield from id_of(server, watch.reference, side.words)), not side.alarmed
    return (yield from check_known(server, watch.reference, side.words))


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

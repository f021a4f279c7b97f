"""The names by which clients find mail, in Active Directory's DNS."""

from starover import BadParameter, Estate, NotSafe, Steps, runbook, together
from starover.steps.dns import (
    ALL,
    DnsServers,
    Fqdn,
    Label,
    LoadBalancerName,
    Ttl,
    Zone,
    absolute,
    alias_moved,
    alias_set,
    alias_state,
    answering,
    balancer_target,
    known_everywhere,
    records,
    same_name,
    seconds,
    servers_of,
    ttl_set,
    zone_of,
    zones,
)


@runbook
def dns_cname(
    estate: Estate,
    zone: Zone,
    name: Label = "mail",
    target: Fqdn | None = None,
    load_balancer_name: LoadBalancerName | None = None,
    ttl: Ttl = 300,
    dns_servers: DnsServers = ALL,
) -> Steps:
    """Make a name an alias of the load balancer, and see every DNS server answer with it.

    It is written on the first DNS server that answers and replicated by Active Directory. A name that has any other
    record is left alone. The aim must have an address and answer on TCP 443. Undo puts back what was there.

    zone: an AD integrated zone
    name: the name within the zone
    target: the balancer's DNS name
    load_balancer_name: a balancer of the inventory, instead of --target
    ttl: seconds for which clients may keep the answer
    dns_servers: all, or some, such as DC1,DC2
    """
    aim = _aim(estate, target, load_balancer_name)
    if same_name(aim, f"{name}.{zone}"):
        raise BadParameter(f"{name}.{zone} cannot be an alias of itself", certain=("nothing was contacted",))
    asked = yield from answering(servers_of(dns_servers, estate))
    now = yield from alias_state.read(asked.writer, zone=zone, name=name, target=absolute(aim))
    elsewhere = any(one.type == "CNAME" and not same_name(one.data, aim) for one in now.records)
    kind = alias_moved if elsewhere else alias_set
    yield kind.on(asked.writer, zone=zone, name=name, target=absolute(aim), ttl=seconds(ttl), note=asked.note)
    yield from known_everywhere(asked, f"{name}.{zone}", ttl=ttl, target=aim)


def _aim(estate: Estate, target: str | None, balancer: str | None) -> str:
    """Where the alias points to. Raises `BadParameter`."""
    if bool(target) == bool(balancer):
        raise BadParameter(
            "either --target or --load-balancer-name says where the alias points to",
            certain=("nothing was contacted",),
            next=("--target exch-nlb-0a1b.elb.eu-west-1.amazonaws.com",),
        )
    return target or balancer_target(balancer or "", estate)


CACHED = ("A", "AAAA", "CNAME")
"""Types of record by which clients find a host."""


@runbook
def dns_ttl(estate: Estate, ttl: Ttl = 300) -> Steps:
    """Set how long the answers for all client names of the inventory are cached.

    Do it at least one old time to live before a planned move. Names whose zone is not in Active Directory are left out.
    Undo puts back what was there.

    ttl: seconds
    """
    if not estate.client_names:
        raise BadParameter(
            "the inventory has no client names", certain=("nothing was contacted",), next=("client_names: [...]",)
        )
    asked = yield from answering(servers_of(ALL, estate))
    there = yield from zones.read(asked.writer)
    found = {one.name: zone_of(one.name, there) for one in estate.client_names}
    inside = {fqdn: place for fqdn, place in found.items() if place[0]}
    if not inside:
        raise NotSafe(
            f"{asked.writer.name} has no zone for {', '.join(found)}",
            certain=("nothing was changed",),
            next=("names outside of Active Directory are changed where their zone is kept",),
            host=asked.writer.name,
        )
    read = yield from together(records.read(asked.writer, zone=zone, name=name) for zone, name in inside.values())
    kinds: dict[str, list[str]] = {}
    for fqdn, now in zip(inside, read, strict=True):
        kinds[fqdn] = [kind for kind in CACHED if any(one.type == kind for one in now.records)]
        if not kinds[fqdn]:
            zone, name = inside[fqdn]
            raise NotSafe(
                f"{fqdn} has no record on {asked.writer.name}",
                certain=("nothing was changed",),
                next=(f"starover plan dns-cname --zone {zone} --name {name} --target ...",),
                host=asked.writer.name,
            )
    for fqdn, (zone, name) in inside.items():
        for kind in kinds[fqdn]:
            yield ttl_set.on(asked.writer, zone=zone, name=name, kind=kind, ttl=seconds(ttl), note=asked.note)
    yield from together(
        known_everywhere(asked, fqdn, ttl=ttl) for fqdn, there_are in kinds.items() if there_are != ["AAAA"]
    )

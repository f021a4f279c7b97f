"""The names by which clients find mail, while they are in use."""

from typing import Literal

from starover import Estate, Finding, Findings, IPv4, NotSafe, Server, Steps, runbook
from starover.steps.client_check import Target, look_at_all, serves
from starover.steps.dns import ALL, DnsServers, Fqdn, answering, records, seconds, servers_of, zone_of, zones
from starover.steps.dns_addresses import (
    address_added,
    address_removed,
    addresses_of,
    answered_everywhere,
    caches_over,
)
from starover.steps.name_moves import leading_of, led_away, living, name_now

QUICK = 300
"""Seconds: clients that keep an answer longer stay away longer."""


@runbook
def namespace_switchover(
    estate: Estate,
    name: Fqdn,
    vip: IPv4,
    action: Literal["remove", "return"],
    wait_ttl: bool = True,
    dns_servers: DnsServers = ALL,
) -> Steps:
    """Take one virtual address of a client name out of DNS, or put it back.

    Clients that know several addresses go to another one by themselves within about twenty seconds. An address is taken
    out only while another one serves, and put back only when it serves itself. Undo is the other action.

    name: the client name, such as mail.example.com
    vip: the address
    action: remove or return
    wait_ttl: wait one time to live at the end, until no cache has the old answer
    dns_servers: all, or some, such as DC1,DC2; they are looked at, one is written
    """
    asked = yield from answering(servers_of(dns_servers, estate))
    zone, label = zone_of(name, (yield from zones.read(asked.writer)))
    if not zone:
        raise NotSafe(
            f"{asked.writer.name} has no zone for {name}",
            certain=("nothing was changed",),
            next=("names outside of Active Directory are changed where their zone is kept",),
            host=asked.writer.name,
        )
    now = yield from records.read(asked.writer, zone=zone, name=label)
    every = addresses_of(now)
    slow = [one for one in now.records if one.type == "A" and one.ttl > QUICK]
    if slow:
        raise NotSafe(
            f"{name} is kept by clients for {max(one.ttl for one in slow)} s, more than {QUICK}",
            certain=("nothing was changed",),
            next=(f"starover run dns-ttl --ttl {QUICK}   and wait the old time to live first",),
            host=asked.writer.name,
        )
    ttl = max((one.ttl for one in now.records if one.type == "A"), default=QUICK)
    if action == "remove":
        if vip in every and len(every) > 1:
            yield from _serving(asked.writer, name, tuple(one for one in every if one != vip), some=True)
        yield address_removed.on(asked.writer, zone=zone, name=label, address=vip, note=asked.note)
    else:
        if vip not in every:
            yield from _serving(asked.writer, name, (vip,), some=False)
        yield address_added.on(asked.writer, zone=zone, name=label, address=vip, ttl=seconds(ttl), note=asked.note)
    yield from answered_everywhere(asked, f"{label}.{zone}", (vip,), there=action == "return")
    changes = (vip in every) is (action == "remove")
    if wait_ttl and changes:
        yield from caches_over(asked.writer, ttl)


@runbook
def namespace_move(
    estate: Estate, name: Fqdn, vip: IPv4, wait_ttl: bool = True, dns_servers: DnsServers = ALL
) -> Steps[Findings]:
    """Lead the clients of a name away from a virtual address that is dead, in Active Directory's DNS and in Route 53.

    A name with other addresses that serve only loses this one. Where it has no other, the addresses that the inventory
    gives its balancers elsewhere take its place, if they serve. Weights become 0, and what follows a health check is
    left to it. Undo puts back what was there.

    name: the client name, such as mail.example.com
    vip: the address that is dead
    wait_ttl: wait one time to live at the end, until no cache has the old answer
    dns_servers: all, or some, such as DC1,DC2; they are looked at, one is written
    """
    now = yield from name_now(estate, name, dns_servers)
    if vip not in now.everywhere:
        says = f"{name} does not lead to {vip}: {', '.join(now.everywhere) or 'it leads nowhere'}"
        return Findings(findings=(Finding(check="namespace", on=name, level="ok", says=says),))
    alive, spare = yield from living(estate, now, {vip})
    others = [one for one in estate.balancers if one.fqdn and set(one.addresses) & alive]
    findings, _ = yield from led_away(leading_of(now, (vip,), alive, spare, others), wait_ttl=wait_ttl)
    return Findings(findings=findings)


def _serving(anybody: Server, name: str, addresses: tuple[str, ...], *, some: bool) -> Steps:
    """S-CLIENTCHECK: raises `NotSafe` unless they serve; one is enough with `some`."""
    seen = yield from look_at_all([Target(one, name, name, anybody, shared=True) for one in addresses], ("https",))
    ill = [f"{one.target.address}: {why}" for one in seen if (why := serves(one))]
    if ill and not (some and len(ill) < len(addresses)):
        raise NotSafe(
            f"G-LASTVIP: {'no other address' if some else 'that address'} of {name} serves clients",
            certain=(*ill, "nothing was changed"),
            next=(f"starover run client-check --namespace {name}",),
        )

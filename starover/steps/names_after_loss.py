"""The client names of a DAG after a side was lost: which of their addresses are dead, and where they are led instead.

Everything is read before anything is changed, so that the plan of a recovery shows it. A name for which there is no
place is told of, and holds up no recovery.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from starover.errors import StaroverError
from starover.estate import Dag, Estate
from starover.names import same_host
from starover.runbook import Finding, Steps, attempt, recall
from starover.steps.client_check import Protocol, Target, look_at_all, serves
from starover.steps.dns import ALL, seconds
from starover.steps.dns_addresses import address_added, address_removed, addresses_of
from starover.steps.name_moves import (
    Leading,
    NameNow,
    addresses_led,
    known_names,
    leading_of,
    led_away,
    living,
    name_now,
)
from starover.steps.route53 import records_set

__all__ = ["NAMES_BACK", "Leads", "dead_of", "names_home", "names_led", "names_to_lead"]

WEB: tuple[Protocol, ...] = ("https",)


@dataclass(frozen=True)
class Leads:
    """What is to be done about the names."""

    leads: tuple[Leading, ...] = ()
    said: tuple[Finding, ...] = ()


def dead_of(estate: Estate, lost: Collection[str], addresses: Sequence[str], alive: Collection[str]) -> list[str]:
    """Addresses that are dead: those in a lost zone's subnets that do not serve, and those that alone do not serve.

    `lost`: names of lost servers; a zone in which a member lives is not lost.
    """
    gone = {one.az for one in estate.servers if one.az and any(same_host(one.name, name) for name in lost)}
    gone -= {
        one.az
        for one in estate.servers
        if "mailbox" in one.roles and not any(same_host(one.name, name) for name in lost)
    }
    silent = [one for one in addresses if one not in alive]
    return [one for one in silent if _zone(estate, one) in gone or (alive and not _zone(estate, one))]


def _zone(estate: Estate, address: str) -> str:
    """The zone in which an address of the estate lies; empty: nobody knows."""
    found = ipaddress.ip_address(address)
    subnets = [(ipaddress.ip_network(one.cidr), one.az) for one in estate.subnets]
    return next((az for network, az in subnets if found in network), "")


def names_to_lead(dag: Dag, estate: Estate, lost: Collection[str]) -> Steps[Leads]:
    """Read every client name of the DAG, and decide where each is led."""
    leads: list[Leading] = []
    said: list[Finding] = []
    for name in known_names(estate, dag.name):
        now = yield from attempt(name_now(estate, name, ALL))
        if not isinstance(now, NameNow):
            said.append(_told(name, f"stays as it is: {now.what}"))
            continue
        alive, spare = yield from living(estate, now, ())
        dead = dead_of(estate, lost, now.everywhere, alive)
        others = [one for one in estate.balancers if one.fqdn and set(one.addresses) & alive]
        try:
            leads += [leading_of(now, dead, alive, spare, others)] if dead else []
        except StaroverError as error:
            said.append(_told(name, error.what))
        if not dead:
            says = f"every address of it that is known serves: {', '.join(now.everywhere) or 'it leads nowhere'}"
            said.append(Finding(check="namespace", on=name, level="info", says=says))
    return Leads(tuple(leads), tuple(said))


def names_led(found: Leads) -> Steps[tuple[list[Finding], bool]]:
    """Lead them. True: this is a plan, and something is still to be changed."""
    said, coming = list(found.said), False
    for one in found.leads:
        more, planned = yield from led_away(one, wait_ttl=False)
        said += more
        coming = coming or planned
        if not planned:
            says = f"away from {', '.join(one.away)}; clients follow within {one.now.ttl} s"
            said.append(Finding(check="namespace", on=one.now.name, level="info", says=says))
    return said, coming


# -- and back ----------------------------------------------------------------------------------------------------------


def names_home(dag: Dag, estate: Estate) -> Steps[tuple[Finding, ...]]:
    """Addresses that an earlier run of ours led clients away from are led to again, where they serve (failback 7).

    Of Route 53 it is only said what a run here has changed: its records may have been changed since for other reasons.
    """
    said: list[Finding] = []
    for name in known_names(estate, dag.name):
        now = yield from attempt(name_now(estate, name, ALL))
        if not isinstance(now, NameNow) or not now.zone:
            continue
        gone = yield from _led_from(estate, now)
        if gone:
            seen = yield from look_at_all([Target(one, name, name, now.asked.writer, shared=True) for one in gone], WEB)
            ill = {one.target.address: why for one in seen if (why := serves(one))}
            for address in gone:
                if address in ill:
                    said.append(_told(name, f"is not led to {address} again: {ill[address]}"))
                    continue
                yield address_added.on(
                    now.asked.writer,
                    zone=now.zone,
                    name=now.label,
                    address=address,
                    ttl=seconds(min(now.ttl, 300)),
                    note=now.asked.note,
                )
        for server in estate.servers:
            kept = yield from recall(server, records_set, name=name)
            if kept is not None:
                was = "; ".join(f"{one.type} {one.words}" for one in kept.named(name))
                said.append(_told(name, f"a run here changed its records in Route 53; they were: {was or 'none'}"))
                break
    return tuple(said)


def _led_from(estate: Estate, now: NameNow) -> Steps[list[str]]:
    """Addresses that a name had before a run of ours led it away, and has no more."""
    found: list[str] = []
    for server in estate.having("dc"):
        removed = yield from recall(server, address_removed, zone=now.zone, name=now.label)
        led = yield from recall(server, addresses_led, zone=now.zone, name=now.label)
        for before in (removed, led):
            if before is not None:
                found += [one for one in addresses_of(before) if one not in now.addresses]
    return list(dict.fromkeys(found)) if now.addresses else []


NAMES_BACK = (address_added,)
"""Kinds that leading names home may need."""


def _told(name: str, says: str) -> Finding:
    return Finding(check="namespace", on=name, level="warn", says=says)

"""Addresses of a client name in Active Directory's DNS: one taken out, one put back (S-A-DEL, S-A-ADD)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from starover.estate import Server
from starover.names import IPv4
from starover.runbook import Steps
from starover.step import Blocked, Change, Risk, Settle, Step, step, wait
from starover.steps.disaster import Machine, at, machine
from starover.steps.dns import Answer, Asked, Records, Zone, heard_everywhere, records

__all__ = ["address_added", "address_removed", "addresses_of", "answered_everywhere", "caches_over"]


def addresses_of(now: Records) -> tuple[str, ...]:
    """The IPv4 addresses of a name."""
    return tuple(one.data for one in now.records if one.type == "A")


def _removed_back(prev: Records, server: Server, /, *, zone: Zone, name: str, address: IPv4, note: str) -> Step | None:
    del note
    was = next((one for one in prev.records if one.type == "A" and one.data == address), None)
    if was is None:
        return None
    return address_added.on(server, zone=zone, name=name, address=address, ttl=timedelta(seconds=was.ttl), note="")


@step(check=records, apply="dns/remove_address.ps1.j2", risk=Risk.SERVICE, undo=_removed_back)
def address_removed(now: Records, /, *, zone: Zone, name: str, address: IPv4, note: str) -> Change | Blocked | None:
    """A name without one of its addresses: clients that know others go there within about 20 seconds (S-A-DEL)."""
    every = addresses_of(now)
    if address not in every:
        return None
    if len(every) == 1:
        return Blocked(
            f"{address} is the last address of {name}.{zone}: clients would find nothing",
            guard="G-LASTVIP",
            certain=("I14: the last virtual address is never taken out", "nothing was changed"),
            next=("--action return   puts another one back first",),
        )
    ttl = next(one.ttl for one in now.records if one.data == address)
    said = "; ".join(part for part in (f"caches keep it for up to {ttl} s", note) if part)
    left = ", ".join(one for one in every if one != address)
    return Change(f"{name}.{zone}", f"A {address}", f"only {left}", said, action="remove")


def _added_back(
    prev: Records, server: Server, /, *, zone: Zone, name: str, address: IPv4, ttl: timedelta, note: str
) -> Step | None:
    del ttl, note
    if address in addresses_of(prev):
        return None
    return address_removed.on(server, zone=zone, name=name, address=address, note="")


@step(check=records, apply="dns/add_address.ps1.j2", risk=Risk.SERVICE, undo=_added_back)
def address_added(
    now: Records, /, *, zone: Zone, name: str, address: IPv4, ttl: timedelta, note: str
) -> Change | Blocked | None:
    """A name with that address among its others (S-A-ADD)."""
    if address in addresses_of(now):
        return None
    others = [one for one in now.records if one.type == "CNAME"]
    if others:
        return Blocked(
            f"{name}.{zone} is an alias ({others[0].data}), and an alias is the only record of its name",
            guard="I14",
            certain=("nothing was changed",),
        )
    wanted = f"A {address} TTL {int(ttl.total_seconds())}"
    return Change(f"{name}.{zone}", "no such address", wanted, note, action="add")


def answered_everywhere(asked: Asked, fqdn: str, addresses: Sequence[str], *, there: bool) -> Steps:
    """Wait until every DNS server that answers gives the name these addresses, or gives none of them any longer."""

    def until(now: Answer) -> bool:
        return all((one in now.addresses) is there for one in addresses)

    yield from heard_everywhere(asked, fqdn, f"{fqdn} {'with' if there else 'without'} {', '.join(addresses)}", until)


def caches_over(server: Server, ttl: int) -> Steps:
    """Let one time to live pass by the clock of a DNS server: then no cache has the old answer any more."""
    began: list[datetime] = []

    def until(now: Machine) -> bool:
        here = at(now.utc)
        if here is None:
            return False
        began.append(here)
        return here - began[0] >= timedelta(seconds=ttl)

    settle = Settle(every=min(max(ttl / 4, 5), 60), limit=ttl + 120)
    what = f"one time to live ({ttl} s) passes"
    yield from wait(machine, server, until=until, settle=settle, what=what, expected=True, names=())

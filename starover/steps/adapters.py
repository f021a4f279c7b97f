"""Network adapters of members: the one for replication without clients' business, and routes to the others."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from starover.errors import NotSafe
from starover.estate import Server
from starover.runbook import Steps, together
from starover.step import Blocked, Change, Risk, Step, step
from starover.steps.networks import NetworkSpec
from starover.steps.preflight_reports import Adapter, Network, network

__all__ = ["adapter_set", "check_covered", "in_networks", "no_route", "one_adapter_each", "replicating", "routed"]


def one_adapter_each(seen: Sequence[Network]) -> bool:
    """Whether every member has one network only, as EC2 instances usually have."""
    return all(len(one.used) == 1 for one in seen)


def check_covered(members: Sequence[Server], seen: Sequence[Network], specs: Sequence[NetworkSpec]) -> None:
    """Raises `NotSafe` unless every subnet of every member's adapters is in one of the networks."""
    for member, adapters in zip(members, seen, strict=True):
        for adapter in adapters.used:
            if in_networks(adapter, specs) is None:
                address = adapter.ipv4[0]
                subnet = ipaddress.ip_network(f"{address.address}/{address.prefix}", strict=False)
                raise NotSafe(
                    f"{subnet} ({adapter.name} of {member.name}) is in none of the networks",
                    certain=("every subnet of a member belongs in exactly one network", "nothing was changed"),
                    next=(f"--network NAME={subnet}:replication   or mapi, or ignore",),
                    host=member.name,
                )


def replicating(
    members: Sequence[Server], seen: Sequence[Network], specs: Sequence[NetworkSpec], *, aws: bool
) -> Steps:
    """Take clients' business off each adapter for replication, and route it to the others' replication subnets.

    The router is known on AWS only; elsewhere routes are left as they are.
    """
    everywhere = [subnet for spec in specs if spec.use == "replication" for subnet in spec.subnets]

    def part(server: Server, adapters: Network) -> Steps:
        for adapter in adapters.used:
            spec = in_networks(adapter, specs)
            if spec is None or spec.use != "replication":
                continue
            yield adapter_set.on(
                server, adapter=adapter.name, client=False, file_sharing=False, registers=False, dns=()
            )
            address = adapter.ipv4[0]
            own = ipaddress.ip_network(f"{address.address}/{address.prefix}", strict=False)
            for prefix in everywhere if aws else ():
                if not own.overlaps(ipaddress.ip_network(prefix)):
                    yield routed.on(server, adapter=adapter.name, prefix=prefix, hop=router_of(str(own)))

    yield from together(part(server, adapters) for server, adapters in zip(members, seen, strict=True))


def in_networks(adapter: Adapter, specs: Sequence[NetworkSpec]) -> NetworkSpec | None:
    """The network that an adapter's first IPv4 address is in."""
    for address in adapter.ipv4[:1]:
        for spec in specs:
            if any(ipaddress.ip_address(address.address) in ipaddress.ip_network(subnet) for subnet in spec.subnets):
                return spec
    return None


def router_of(subnet: str) -> str:
    """The router of an AWS subnet: its first address, always."""
    return str(ipaddress.ip_network(subnet).network_address + 1)


def _adapter(now: Network, name: str) -> Adapter | None:
    return next((one for one in now.adapters if one.name == name), None)


def _adapter_back(
    prev: Network,
    server: Server,
    /,
    *,
    adapter: str,
    client: bool,
    file_sharing: bool,
    registers: bool,
    dns: Sequence[str],
) -> Step | None:
    del client, file_sharing, registers, dns
    was = _adapter(prev, adapter)
    if was is None:
        return None
    return adapter_set.on(
        server,
        adapter=adapter,
        client=was.bound("ms_msclient"),
        file_sharing=was.bound("ms_server"),
        registers=was.registers,
        dns=was.dns,
    )


@step(check=network, apply="network/set_adapter.ps1.j2", risk=Risk.SERVICE, undo=_adapter_back)
def adapter_set(
    now: Network,
    /,
    *,
    adapter: str,
    client: bool,
    file_sharing: bool,
    registers: bool,
    dns: Sequence[str],
) -> Change | Blocked | None:
    """An adapter's bindings, DNS servers and registration are as wanted (S-NIC)."""
    found = _adapter(now, adapter)
    if found is None:
        return Blocked(f"there is no adapter `{adapter}` that is up", next=("Get-NetAdapter   on the host",))
    pairs = [
        ("client", found.bound("ms_msclient"), client),
        ("file sharing", found.bound("ms_server"), file_sharing),
        ("registers in DNS", found.registers, registers),
    ]
    wrong = [what for what, was, wanted in pairs if was != wanted]
    wrong += ["DNS servers"] if set(found.dns) != set(dns) else []
    if not wrong:
        return None
    if found.gateways:
        return Blocked(
            f"{adapter} has a gateway ({', '.join(found.gateways)}): it may be the one that carries this session",
            certain=("nothing was changed",),
            next=("take its gateway away at the console, then this again",),
        )
    return Change(f"adapter {adapter}", f"otherwise: {', '.join(wrong)}", _words(client, file_sharing, registers, dns))


def _words(client: bool, file_sharing: bool, registers: bool, dns: Sequence[str]) -> str:
    on = [
        word
        for word, is_on in (("client", client), ("file sharing", file_sharing), ("DNS registration", registers))
        if is_on
    ]
    return ", ".join([*on, *dns]) or "replication only"


def _unroute(prev: Network, server: Server, /, *, adapter: str, prefix: str, hop: str) -> Step | None:
    if _has_route(prev, adapter, prefix, hop):
        return None
    return no_route.on(server, adapter=adapter, prefix=prefix)


def _has_route(now: Network, adapter: str, prefix: str, hop: str) -> bool:
    found = _adapter(now, adapter)
    return found is not None and any((one.prefix, one.hop) == (prefix, hop) for one in found.routes)


@step(check=network, apply="network/add_route.ps1.j2", risk=Risk.LOW, undo=_unroute)
def routed(now: Network, /, *, adapter: str, prefix: str, hop: str) -> Change | Blocked | None:
    """An adapter reaches another member's replication subnet, also after a restart (S-ROUTE)."""
    if _has_route(now, adapter, prefix, hop):
        return None
    return Change(f"route to {prefix}", "none", f"by {adapter} over {hop}", action="add")


@step(check=network, apply="network/remove_route.ps1.j2", risk=Risk.LOW)
def no_route(now: Network, /, *, adapter: str, prefix: str) -> Change | Blocked | None:
    """An adapter has no route of its own to a subnet."""
    found = _adapter(now, adapter)
    there = found is not None and any(one.prefix == prefix for one in found.routes)
    return Change(f"route to {prefix}", f"by {adapter}", "none", action="remove") if there else None

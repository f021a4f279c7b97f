"""The cmdlets that read and set network cards of their host: NetAdapter, NetTCPIP and DnsClient modules.

Another host's cards are never reached from here: these cmdlets take a CIM session for that, which a network logon
cannot open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

from starover_lab.cmdlets import network_cards as cards_of
from starover_lab.cmdlets.changes import change
from starover_lab.cmdlets.cim_objects import chosen, cim_array, objects_of
from starover_lab.cmdlets.machine import Machine, given_list, machine, reading, switch
from starover_lab.cmdlets.objects import make, text_of
from starover_lab.powershell.command import Body, Invocation
from starover_lab.powershell.errors import ErrorRecord
from starover_lab.powershell.values import PSObject, Unsupported, Value, enumerate_
from starover_lab.world.errors import WorldError
from starover_lab.world.machine_parts import Nic, Route

__all__ = ["BODIES"]


def _lister(class_name: str, objects: Callable[[Machine], Iterable[PSObject]], *columns: str) -> Body:
    """A reading cmdlet that only selects by columns."""

    def body(call: Invocation) -> Iterator[Value]:
        for bound in call.records():
            if bound.get("CimSession") is not None:
                raise Unsupported(f"{call.spec.name} -CimSession: the lab does not simulate it")
            yield from chosen(call, bound, class_name, objects(reading(call)), *columns)

    return body


def _adapters(here: Machine) -> Iterator[PSObject]:
    return (cards_of.adapter(here, nic) for nic in cards_of.cards(here))


def _bindings(here: Machine) -> Iterator[PSObject]:
    return (one for nic in cards_of.cards(here) for one in cards_of.bindings(here, nic))


def _dns_clients(here: Machine) -> Iterator[PSObject]:
    return (cards_of.dns_client(here, nic) for nic in cards_of.cards(here))


def get_route(call: Invocation) -> Iterator[Value]:
    """Get-NetRoute, of the active store unless -PolicyStore names the persistent one."""
    for bound in call.records():
        here = reading(call)
        store = text_of(bound.get("PolicyStore")) or "ActiveStore"
        if store.casefold() not in {"activestore", "persistentstore"}:
            raise Unsupported(f"Get-NetRoute -PolicyStore {store}: the lab does not simulate it")
        exact = "PersistentStore" if store.casefold() == "persistentstore" else "ActiveStore"
        columns = ("DestinationPrefix", "InterfaceAlias", "InterfaceIndex", "NextHop", "AddressFamily")
        yield from chosen(call, bound, "MSFT_NetRoute", cards_of.routes(here, exact), *columns)


def get_server_address(call: Invocation) -> Iterator[Value]:
    """Get-DnsClientServerAddress."""
    for bound in call.records():
        here = reading(call)
        families = list(enumerate_(bound["AddressFamily"])) if bound.get("AddressFamily") is not None else []
        every = cards_of.server_addresses(here, families)
        yield from chosen(call, bound, "MSFT_DNSClientServerAddress", every, "InterfaceAlias", "InterfaceIndex")


def get_configuration(call: Invocation) -> Iterator[Value]:
    """Get-NetIPConfiguration: a card's addresses, gateway and DNS servers in one object."""
    for bound in call.records():
        here = reading(call)
        alias, index = text_of(bound.get("InterfaceAlias")), bound.get("InterfaceIndex")
        found = [
            nic
            for nic in cards_of.cards(here)
            if (not alias or nic.alias.casefold() == alias.casefold()) and (index is None or nic.index == index)
        ]
        if not found:
            message = f"No interface found with alias '{alias}'." if alias else "No matching interface was found."
            call.error(call.record("CmdletizationQuery_NotFound", "ObjectNotFound", message, target=alias))
        yield from (_configuration(here, nic) for nic in found)


def _configuration(here: Machine, nic: Nic) -> PSObject:
    own = [one for one in cards_of.addresses(here) if one.get("InterfaceAlias") == nic.alias]
    v4 = [one for one in own if one.get("IPv4Address") is not None]
    v6 = [one for one in own if one.get("IPv6Address") is not None]
    gateways = [
        cards_of.route_object(nic, route, "ActiveStore")
        for route in nic.routes
        if route.prefix == "0.0.0.0/0" and nic.up
    ]
    return make(
        "Get-NetIPConfiguration",
        {
            "ComputerName": here.server.name,
            "InterfaceAlias": nic.alias,
            "InterfaceIndex": nic.index,
            "InterfaceDescription": cards_of.adapter(here, nic).get("InterfaceDescription"),
            "NetAdapter": cards_of.adapter(here, nic),
            "NetIPv4Interface": cards_of.interface(nic, "IPv4"),
            "NetIPv6Interface": cards_of.interface(nic, "IPv6"),
            "AllIPAddresses": cim_array(v4),
            "IPv6Address": cim_array([]),
            "IPv6TemporaryAddress": cim_array([]),
            "IPv6LinkLocalAddress": cim_array(v6),
            "IPv4Address": cim_array(v4),
            "IPv4DefaultGateway": cim_array(gateways) if gateways else None,
            "DNSServer": cim_array([cards_of.server_address(nic, 23), cards_of.server_address(nic, 2)]),
        },
        text="NetIPConfiguration",
    )


# -- changes


def _asked_cards(call: Invocation, bound: Mapping[str, Value], class_name: str) -> list[Nic]:
    """The cards that a change names, by alias, name, index or object; an unknown one is reported."""
    here = machine(call)
    every = list(_adapters(here))
    given = bound.get("InputObject")
    if given is not None:
        found = [text_of(one.get("InterfaceAlias")) for one in objects_of(given)]
    else:
        columns = ("Name", "InterfaceAlias", "InterfaceIndex", "InterfaceDescription")
        found = [text_of(one.get("Name")) for one in chosen(call, bound, class_name, every, *columns)]
    by_alias = {nic.alias.casefold(): nic for nic in cards_of.cards(here)}
    return [by_alias[alias.casefold()] for alias in found]


def _refused(call: Invocation, target: str, error: WorldError) -> ErrorRecord:
    kind = "Microsoft.Management.Infrastructure.CimException"
    if error.kind == "exists":
        message, number, category = f"Instance {target} already exists ", 5010, "ResourceExists"
    elif error.kind == "not_found":
        message, number, category = "Element not found. ", 1168, "ObjectNotFound"
    else:
        message, number, category = "The parameter is incorrect. ", 87, "InvalidArgument"
    return call.record(f"Windows System Error {number}", category, message, type_name=kind, target=target)


def _set_binding(call: Invocation, *, enabled: bool) -> Iterator[Value]:
    for bound in call.records():
        here = machine(call)
        components = given_list(bound.get("ComponentID"))
        if not components:
            raise Unsupported(f"{call.spec.name} without -ComponentID: the lab does not simulate it")
        for nic in _asked_cards(call, bound, "MSFT_NetAdapterBindingSettingData"):
            for component in components:
                act = partial(here.world.nics.bind, here.host, nic.alias, component, enabled=enabled)
                change(call, f"{nic.alias} ({component})", act, partial(_refused, call, component))
            if switch(bound.get("PassThru")):
                wanted = {one.casefold() for one in components}
                yield from (
                    one for one in cards_of.bindings(here, nic) if text_of(one.get("ComponentID")).casefold() in wanted
                )


def enable_binding(call: Invocation) -> Iterator[Value]:
    """Enable-NetAdapterBinding -ComponentID."""
    yield from _set_binding(call, enabled=True)


def disable_binding(call: Invocation) -> Iterator[Value]:
    """Disable-NetAdapterBinding -ComponentID."""
    yield from _set_binding(call, enabled=False)


def set_dns_client(call: Invocation) -> Iterator[Value]:
    """Set-DnsClient -RegisterThisConnectionsAddress."""
    for bound in call.records():
        here = machine(call)
        for name in ("ConnectionSpecificSuffix", "ResetConnectionSpecificSuffix", "UseSuffixWhenRegistering"):
            if bound.get(name):
                raise Unsupported(f"Set-DnsClient -{name}: the lab does not simulate it")
        register = bound.get("RegisterThisConnectionsAddress")
        for nic in _asked_cards(call, bound, "MSFT_DNSClient"):
            if register is not None:
                act = partial(here.world.nics.register_dns, here.host, nic.alias, enabled=bool(register))
                change(call, nic.alias, act, partial(_refused, call, nic.alias))
    yield from ()


def set_server_address(call: Invocation) -> Iterator[Value]:
    """Set-DnsClientServerAddress: -ServerAddresses in this order, or -ResetServerAddresses."""
    for bound in call.records():
        here = machine(call)
        servers = [] if switch(bound.get("ResetServerAddresses")) else given_list(bound.get("ServerAddresses"))
        if not servers and not switch(bound.get("ResetServerAddresses")):
            continue
        for nic in _asked_cards(call, bound, "MSFT_DNSClientServerAddress"):
            act = partial(here.world.nics.set_dns_servers, here.host, nic.alias, servers)
            change(call, nic.alias, act, partial(_refused, call, nic.alias))
    yield from ()


_INTERFACE = {"InterfaceAlias", "InterfaceIndex", "InputObject", "InterfaceMetric", "AddressFamily", "PassThru"}


def set_interface(call: Invocation) -> Iterator[Value]:
    """Set-NetIPInterface -InterfaceMetric."""
    for bound in call.records():
        here = machine(call)
        other = sorted(name for name in bound if name not in _INTERFACE and bound[name] is not None)
        if other:
            raise Unsupported(f"Set-NetIPInterface -{other[0]}: the lab does not simulate it")
        metric = bound.get("InterfaceMetric")
        for nic in _asked_cards(call, bound, "MSFT_NetIPInterface"):
            if isinstance(metric, int):
                act = partial(here.world.nics.set_metric, here.host, nic.alias, int(metric))
                change(call, nic.alias, act, partial(_refused, call, nic.alias))
    yield from ()


def new_route(call: Invocation) -> Iterator[Value]:
    """New-NetRoute, into one store or, without -PolicyStore, into both."""
    for bound in call.records():
        here = machine(call)
        store = text_of(bound.get("PolicyStore")).casefold()
        metric = bound.get("RouteMetric")
        route = Route(
            text_of(bound.get("DestinationPrefix")),
            text_of(bound.get("NextHop")) or "0.0.0.0",  # noqa: S104 - no binding: on link
            int(metric) if isinstance(metric, int) else 256,
            persistent=store != "activestore",
            active=store != "persistentstore",
        )
        for nic in _asked_cards(call, bound, "MSFT_NetRoute"):
            target = f"MSFT_NetRoute (DestinationPrefix = {route.prefix}, NextHop = {route.next_hop})"
            act = partial(here.world.nics.add_route, here.host, nic.alias, route)
            if change(call, target, act, partial(_refused, call, "MSFT_NetRoute")):
                stores = [
                    one for one, on in (("ActiveStore", route.active), ("PersistentStore", route.persistent)) if on
                ]
                yield from (cards_of.route_object(nic, route, one) for one in stores)


def remove_route(call: Invocation) -> Iterator[Value]:
    """Remove-NetRoute, from both stores."""
    for bound in call.records():
        here = machine(call)
        given = bound.get("InputObject")
        columns = ("DestinationPrefix", "InterfaceAlias", "InterfaceIndex", "NextHop", "AddressFamily")
        every = [*cards_of.routes(here, "ActiveStore"), *cards_of.routes(here, "PersistentStore")]
        found = objects_of(given) if given is not None else chosen(call, bound, "MSFT_NetRoute", every, *columns)
        gone: set[tuple[str, str, str]] = set()
        for one in found:
            key = tuple(text_of(one.get(name)) for name in ("InterfaceAlias", "DestinationPrefix", "NextHop"))
            alias, prefix, hop = key
            if (alias, prefix, hop) in gone or hop == "0.0.0.0":  # noqa: S104 - on link: they come with the card
                continue
            gone.add((alias, prefix, hop))
            act = partial(here.world.nics.remove_route, here.host, alias, prefix, hop)
            change(call, f"{prefix} via {hop}", act, partial(_refused, call, "MSFT_NetRoute"))
    yield from ()


BODIES: dict[str, Body] = {
    "Get-NetAdapter": _lister(
        "MSFT_NetAdapter", _adapters, "Name", "InterfaceAlias", "InterfaceDescription", "InterfaceIndex"
    ),
    "Get-NetAdapterBinding": _lister(
        "MSFT_NetAdapterBindingSettingData", _bindings, "Name", "InterfaceDescription", "ComponentID", "DisplayName"
    ),
    "Get-NetIPAddress": _lister(
        "MSFT_NetIPAddress",
        cards_of.addresses,
        "IPAddress",
        "InterfaceAlias",
        "InterfaceIndex",
        "AddressFamily",
        "PrefixOrigin",
        "SuffixOrigin",
        "AddressState",
        "PrefixLength",
        "SkipAsSource",
    ),
    "Get-NetIPInterface": _lister(
        "MSFT_NetIPInterface",
        cards_of.interfaces,
        "InterfaceAlias",
        "InterfaceIndex",
        "AddressFamily",
        "Dhcp",
        "ConnectionState",
    ),
    "Get-NetIPConfiguration": get_configuration,
    "Get-NetRoute": get_route,
    "Get-DnsClient": _lister(
        "MSFT_DNSClient", _dns_clients, "InterfaceAlias", "InterfaceIndex", "RegisterThisConnectionsAddress"
    ),
    "Get-DnsClientServerAddress": get_server_address,
    "Enable-NetAdapterBinding": enable_binding,
    "Disable-NetAdapterBinding": disable_binding,
    "Set-DnsClient": set_dns_client,
    "Set-DnsClientServerAddress": set_server_address,
    "Set-NetIPInterface": set_interface,
    "New-NetRoute": new_route,
    "Remove-NetRoute": remove_route,
}

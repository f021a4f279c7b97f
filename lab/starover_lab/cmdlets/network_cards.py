"""Network cards of a host as CIM objects: adapters, bindings, addresses, interfaces, routes, DNS; changes nothing.

A cluster's own address is configured on the node that owns its core group and on no other. Numbers of a card that the
lab does not simulate are as on a healthy EC2 instance.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_address, ip_network

from starover_lab.cmdlets.cim_objects import cim
from starover_lab.cmdlets.machine import Machine
from starover_lab.cmdlets.net_enums import net_enum
from starover_lab.cmdlets.objects import guid_of, make, span
from starover_lab.powershell.values import Byte, PSArray, PSEnum, PSObject, UInt16, UInt32, UInt64, Value
from starover_lab.world.machine_parts import BINDINGS, Nic, Route

__all__ = [
    "adapter",
    "address_object",
    "addresses",
    "bindings",
    "cards",
    "dns_client",
    "interface",
    "interfaces",
    "route_object",
    "routes",
    "server_address",
    "server_addresses",
    "way",
]

_DISPLAY = {
    "ms_msclient": "Client for Microsoft Networks",
    "ms_server": "File and Printer Sharing for Microsoft Networks",
    "ms_tcpip": "Internet Protocol Version 4 (TCP/IPv4)",
    "ms_tcpip6": "Internet Protocol Version 6 (TCP/IPv6)",
}
_FOREVER = span(timedelta.max)
_LOOPBACK = "Loopback Pseudo-Interface 1"


def cards(here: Machine) -> list[Nic]:
    """The host's cards."""
    return here.world.nics.of(here.host)


def _description(here: Machine, nic: Nic) -> str:
    place = [one.alias for one in cards(here)].index(nic.alias)
    return "Amazon Elastic Network Adapter" + (f" #{place + 1}" if place else "")


def adapter(here: Machine, nic: Nic) -> PSObject:
    """MSFT_NetAdapter."""
    guid = f"{{{guid_of('card', here.host, nic.alias).text.upper()}}}"
    status = "Disabled" if nic.disabled else "Up" if nic.up else "Disconnected"
    return cim(
        "MSFT_NetAdapter",
        [
            ("Name", nic.alias),
            ("InterfaceAlias", nic.alias),
            ("InterfaceDescription", _description(here, nic)),
            ("InterfaceIndex", UInt32(nic.index)),
            ("ifIndex", UInt32(nic.index)),
            ("InterfaceName", f"ethernet_{nic.index}"),
            ("ifAlias", nic.alias),
            ("ifDesc", _description(here, nic)),
            ("Status", status),
            ("AdminStatus", net_enum("NetAdapter.AdminStatus", "Down" if nic.disabled else "Up")),
            (
                "MediaConnectionState",
                net_enum("NetAdapter.MediaConnectionState", "Connected" if nic.up else "Disconnected"),
            ),
            ("MacAddress", nic.mac),
            ("PermanentAddress", nic.mac.replace("-", "")),
            ("LinkSpeed", "10 Gbps" if nic.up else "0 bps"),
            ("Speed", UInt64(10_000_000_000 if nic.up else 0)),
            ("MtuSize", UInt32(9001)),
            ("FullDuplex", True),
            ("Virtual", False),
            ("Hidden", False),
            ("HardwareInterface", True),
            ("ConnectorPresent", True),
            ("InterfaceGuid", guid),
            ("DeviceID", guid),
            ("SystemName", here.server.fqdn),
        ],
        namespace="ROOT/StandardCimv2",
        text=f'MSFT_NetAdapter (CreationClassName = "MSFT_NetAdapter", DeviceID = "{guid}", '
        f'SystemCreationClassName = "CIM_NetworkPort", SystemName = "{here.server.fqdn}")',
    )


def bindings(here: Machine, nic: Nic) -> Iterator[PSObject]:
    """MSFT_NetAdapterBindingSettingData of a card."""
    for component in BINDINGS:
        yield cim(
            "MSFT_NetAdapterBindingSettingData",
            [
                ("Name", nic.alias),
                ("InterfaceAlias", nic.alias),
                ("InterfaceDescription", _description(here, nic)),
                ("ComponentID", component),
                ("DisplayName", _DISPLAY[component]),
                ("Description", ""),
                ("Enabled", nic.bindings[component]),
            ],
            namespace="ROOT/StandardCimv2",
            text=nic.alias,
        )


def address_object(
    alias: str, index: int, address: str, prefix: int, origin: str, *, suffix: str = "", skip: bool = False
) -> PSObject:
    """MSFT_NetIPAddress."""
    family = "IPv6" if ":" in address else "IPv4"
    return cim(
        "MSFT_NetIPAddress",
        [
            ("IPAddress", address),
            ("IPv4Address", address if family == "IPv4" else None),
            ("IPv6Address", address if family == "IPv6" else None),
            ("InterfaceIndex", UInt32(index)),
            ("InterfaceAlias", alias),
            ("AddressFamily", net_enum("NetIPAddress.AddressFamily", family)),
            ("Type", net_enum("NetIPAddress.Type", "Unicast")),
            ("PrefixLength", Byte(prefix)),
            ("PrefixOrigin", net_enum("PrefixOrigin", origin)),
            ("SuffixOrigin", net_enum("SuffixOrigin", suffix or origin)),
            ("AddressState", net_enum("AddressState", "Preferred")),
            ("ValidLifetime", _FOREVER),
            ("PreferredLifetime", _FOREVER),
            ("SkipAsSource", skip),
            ("PolicyStore", "ActiveStore"),
        ],
        text=address,
    )


def _link_local(nic: Nic) -> str:
    digits = nic.mac.replace("-", "").lower()
    host = f"{int(digits[:2], 16) ^ 2:02x}{digits[2:6]}fffe{digits[6:]}"[:16]
    parts = ":".join(host[at : at + 4].lstrip("0") or "0" for at in range(0, 16, 4))
    return f"fe80::{parts}%{nic.index}"


def addresses(here: Machine) -> Iterator[PSObject]:
    """Every address of the host: cards, the cluster's if this node owns it, the loopback's."""
    for nic in cards(here):
        origin = "Dhcp" if nic.dhcp else "Manual"
        if nic.up and nic.bindings["ms_tcpip6"]:
            yield address_object(nic.alias, nic.index, _link_local(nic), 64, "WellKnown", suffix="Link")
        if not nic.up or not nic.bindings["ms_tcpip"]:
            continue
        for address in nic.addresses:
            yield address_object(nic.alias, nic.index, address, nic.prefix, origin)
        for address in _of_cluster(here, nic):
            yield address_object(nic.alias, nic.index, address, nic.prefix, "Manual")
    yield address_object(_LOOPBACK, 1, "::1", 128, "WellKnown")
    yield address_object(_LOOPBACK, 1, "127.0.0.1", 8, "WellKnown")


def _of_cluster(here: Machine, nic: Nic) -> list[str]:
    """Addresses of a cluster's access point that are online on this card."""
    if not nic.subnet:
        return []
    network = ipaddress.ip_network(nic.subnet)
    online = here.world.nics.cluster_addresses(here.host)
    return [one for one in online if one not in nic.addresses and ipaddress.ip_address(one) in network]


def interface(nic: Nic, family: str) -> PSObject:
    """MSFT_NetIPInterface."""
    return cim(
        "MSFT_NetIPInterface",
        [
            ("InterfaceAlias", nic.alias),
            ("ifAlias", nic.alias),
            ("InterfaceIndex", UInt32(nic.index)),
            ("ifIndex", UInt32(nic.index)),
            ("AddressFamily", net_enum("NetIPAddress.AddressFamily", family)),
            ("InterfaceMetric", UInt32(nic.metric)),
            ("AutomaticMetric", net_enum("AutomaticMetric", "Disabled")),
            ("Dhcp", net_enum("NetIPInterface.Dhcp", "Enabled" if nic.dhcp and family == "IPv4" else "Disabled")),
            ("ConnectionState", net_enum("ConnectionState", "Connected" if nic.up else "Disconnected")),
            ("NlMtu", UInt32(9001)),
            ("PolicyStore", "ActiveStore"),
        ],
    )


def interfaces(here: Machine) -> Iterator[PSObject]:
    """The IP interfaces of all cards."""
    for nic in cards(here):
        for family, component in (("IPv6", "ms_tcpip6"), ("IPv4", "ms_tcpip")):
            if nic.bindings[component]:
                yield interface(nic, family)


def route_object(nic: Nic, route: Route, store: str) -> PSObject:
    """MSFT_NetRoute."""
    return cim(
        "MSFT_NetRoute",
        [
            ("DestinationPrefix", route.prefix),
            ("NextHop", route.next_hop),
            ("InterfaceAlias", nic.alias),
            ("ifAlias", nic.alias),
            ("InterfaceIndex", UInt32(nic.index)),
            ("ifIndex", UInt32(nic.index)),
            ("AddressFamily", net_enum("NetIPAddress.AddressFamily", "IPv6" if ":" in route.prefix else "IPv4")),
            ("RouteMetric", UInt16(route.metric)),
            ("InterfaceMetric", UInt32(nic.metric)),
            ("Protocol", net_enum("NetRoute.Protocol", "NetMgmt" if route.next_hop != "0.0.0.0" else "Local")),  # noqa: S104
            ("State", net_enum("NetRoute.State", "Alive")),
            ("Store", net_enum("NetIPAddress.Store", store)),
            ("PolicyStore", store),
        ],
        text=f'MSFT_NetRoute (InstanceID = ":{nic.index}:{route.prefix}")',
    )


def _routes(here: Machine, store: str) -> Iterator[tuple[Nic, Route]]:
    for nic in cards(here):
        for route in nic.routes:
            if route.persistent if store == "PersistentStore" else route.active and nic.up:
                yield nic, route
        if store == "ActiveStore" and nic.up and nic.subnet:
            yield nic, Route(nic.subnet, "0.0.0.0", persistent=False)  # noqa: S104 - on link


def routes(here: Machine, store: str) -> Iterator[PSObject]:
    """Routes of a store; the active one has those to the cards' own subnets too."""
    return (route_object(nic, route, store) for nic, route in _routes(here, store))


def way(here: Machine, address: str) -> tuple[Nic, Route] | None:
    """The card and route that packets to an IPv4 address take: the longest prefix, then the lowest metric."""
    target = ip_address(address)
    fitting = [
        (network.prefixlen, -route.metric, nic, route)
        for nic, route in _routes(here, "ActiveStore")
        if target in (network := ip_network(route.prefix, strict=False))
    ]
    best = max(fitting, key=lambda one: one[:2], default=None)
    return None if best is None else best[2:]


def dns_client(here: Machine, nic: Nic) -> PSObject:
    """MSFT_DNSClient."""
    made = make(
        "Get-DnsClient",
        {
            "Name": str(nic.index),
            "Hostname": here.server.name,
            "InterfaceAlias": nic.alias,
            "InterfaceIndex": UInt32(nic.index),
            "RegisterThisConnectionsAddress": nic.register_dns,
        },
        text=f'MSFT_DNSClient (Name = "{nic.index}", CreationClassName = "", SystemCreationClassName = "")',
    )
    made.set("Suffix", "")
    made.set("SuffixSearchList", PSArray([], "System.String[]"))
    return made


_FAMILY = {2: "IPv4", 23: "IPv6"}


def server_address(nic: Nic, family: int) -> PSObject:
    """MSFT_DNSClientServerAddress; its family is a plain number."""
    servers: list[Value] = [one for one in nic.dns_servers if (":" in one) == (family == 23)]
    return cim(
        "MSFT_DNSClientServerAddress",
        [
            ("InterfaceAlias", nic.alias),
            ("InterfaceIndex", UInt32(nic.index)),
            ("AddressFamily", UInt16(family)),
            ("Address", PSArray(list(servers), "System.String[]")),
            ("ServerAddresses", PSArray(servers, "System.String[]")),
            ("ElementName", nic.alias),
            ("Name", str(nic.index)),
        ],
        text=f'MSFT_DNSClientServerAddress (Name = "{nic.index}", CreationClassName = "", '
        'SystemCreationClassName = "", SystemName = "")',
    )


def server_addresses(here: Machine, families: list[Value]) -> Iterator[PSObject]:
    """DNS servers of all cards, of both families or those asked for."""
    asked = {one.name if isinstance(one, PSEnum) else str(one) for one in families}
    for nic in cards(here):
        for number, name in _FAMILY.items():
            if not asked or name.casefold() in {one.casefold() for one in asked} or str(number) in asked:
                yield server_address(nic, number)

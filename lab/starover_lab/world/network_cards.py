"""`world.nics`: network cards of a host, as Windows and as EC2 have them; knows no DAG network."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from starover_lab.world.entities import Server
from starover_lab.world.errors import WorldError
from starover_lab.world.machine_parts import Nic, Route
from starover_lab.world.state import State

__all__ = ["EniView", "NetworkCards"]


@dataclass(frozen=True, kw_only=True)
class EniView:
    """A network interface as EC2's API shows it."""

    id: str
    instance: str
    server: str
    subnet: str
    """CIDR."""
    mac: str
    primary: str
    secondary: tuple[str, ...]


class NetworkCards:
    """Cards by server and alias. All raise `not_found` (server, nic)."""

    def __init__(self, state: State) -> None:
        self._state = state

    def of(self, server: str) -> list[Nic]:
        """The cards: read their fields, change them here only."""
        return list(self._state.server(server).nics)

    def cluster_addresses(self, server: str) -> list[str]:
        """Addresses that the cluster brought online on that host, beside those of the cards."""
        host = self._state.server(server)
        return [
            cluster.online_address
            for cluster in self._state.clusters
            if cluster.online_address and cluster.core_owner.casefold() == host.name.casefold()
        ]

    def bind(self, server: str, alias: str, component: str, *, enabled: bool) -> None:
        """Enable-/Disable-NetAdapterBinding. Raises `not_found` (object binding)."""
        host, nic = self._find(server, alias)
        known = next((one for one in nic.bindings if one.casefold() == component.casefold()), None)
        if known is None:
            raise WorldError("not_found", f"{alias} has no {component}", object="binding", name=component)
        nic.bindings[known] = enabled
        self._changed(host, nic, binding=known, enabled=enabled)

    def register_dns(self, server: str, alias: str, *, enabled: bool) -> None:
        """Set-DnsClient -RegisterThisConnectionsAddress."""
        host, nic = self._find(server, alias)
        nic.register_dns = enabled
        self._changed(host, nic, register_dns=enabled)

    def set_dns_servers(self, server: str, alias: str, addresses: Sequence[str]) -> None:
        """Set-DnsClientServerAddress; empty: -ResetServerAddresses (DHCP's, or none on a static card).

        Raises `syntax`.
        """
        host, nic = self._find(server, alias)
        for one in addresses:
            _address(one, "ServerAddresses")
        if not addresses and nic.dhcp and nic.is_mapi:
            dcs = [self._state.servers[dc.name].address for dc in self._state.directory.controllers]
            addresses = [one for one in dcs if one]
        nic.dns_servers = tuple(addresses)
        self._changed(host, nic, dns_servers=", ".join(nic.dns_servers))

    def set_metric(self, server: str, alias: str, metric: int) -> None:
        """Set-NetIPInterface -InterfaceMetric."""
        host, nic = self._find(server, alias)
        nic.metric = metric
        self._changed(host, nic, metric=metric)

    def add_route(self, server: str, alias: str, route: Route) -> None:
        """New-NetRoute in the stores that `route` names. Raises `exists`, `syntax`."""
        host, nic = self._find(server, alias)
        try:
            prefix = str(ipaddress.ip_network(route.prefix))
        except ValueError:
            raise WorldError(
                "syntax", f"`{route.prefix}` is no prefix", parameter="DestinationPrefix", value=route.prefix
            ) from None
        _address(route.next_hop, "NextHop")
        for at, old in enumerate(nic.routes):
            if (old.prefix, old.next_hop) != (prefix, route.next_hop):
                continue
            if (old.persistent and route.persistent) or (old.active and route.active):
                raise WorldError("exists", f"the route to {prefix} is there already", object="route", name=prefix)
            nic.routes[at] = Route(prefix, route.next_hop, route.metric, persistent=True, active=True)
            break
        else:
            nic.routes.append(Route(prefix, route.next_hop, route.metric, route.persistent, route.active))
        self._changed(host, nic, route=prefix, next_hop=route.next_hop)

    def remove_route(self, server: str, alias: str, prefix: str, next_hop: str = "") -> None:
        """Remove-NetRoute from both stores. Raises `not_found` (object route)."""
        host, nic = self._find(server, alias)
        gone = [one for one in nic.routes if one.prefix == prefix and next_hop in ("", one.next_hop)]
        if not gone:
            raise WorldError("not_found", f"{alias} has no route to {prefix}", object="route", name=prefix)
        nic.routes[:] = [one for one in nic.routes if one not in gone]
        self._changed(host, nic, route_removed=prefix)

    # -- EC2's side ----------------------------------------------------------------------------------------------

    def enis(self) -> list[EniView]:
        """All interfaces of EC2 instances."""
        return [
            EniView(
                id=nic.eni,
                instance=server.instance,
                server=server.name,
                subnet=nic.subnet,
                mac=nic.mac.replace("-", ":").lower(),
                primary=nic.addresses[0],
                secondary=nic.secondary,
            )
            for server in self._state.servers
            for nic in server.nics
            if nic.eni
        ]

    def assign(self, eni: str, address: str) -> None:
        """assign_private_ip_addresses without reassignment.

        Raises `not_found` (eni), `syntax` (not in the subnet, or reserved there), `ip_in_use`.
        """
        host, nic = self._eni(eni)
        if address in nic.secondary:
            return
        _address(address, "PrivateIpAddresses")
        network, wanted = ipaddress.ip_network(nic.subnet), ipaddress.ip_address(address)
        reserved = {network[0], network[1], network[2], network[3], network[-1]}
        if wanted not in network or wanted in reserved:
            raise WorldError(
                "syntax", f"{address} is not free in {nic.subnet}", parameter="PrivateIpAddresses", value=address
            )
        for one in self.enis():
            if address in (one.primary, *one.secondary):
                raise WorldError("ip_in_use", f"{address} belongs to {one.server}", address=address, by=one.id)
        nic.secondary = (*nic.secondary, address)
        self._changed(host, nic, assigned=address)

    def unassign(self, eni: str, address: str) -> None:
        """unassign_private_ip_addresses. Raises `not_found` (eni, address)."""
        host, nic = self._eni(eni)
        if address not in nic.secondary:
            raise WorldError("not_found", f"{eni} has no {address}", object="address", name=address)
        nic.secondary = tuple(one for one in nic.secondary if one != address)
        self._changed(host, nic, unassigned=address)

    # -- small things --------------------------------------------------------------------------------------------

    def _find(self, server: str, alias: str) -> tuple[Server, Nic]:
        host = self._state.server(server)
        nic = host.nics.get(alias)
        if nic is None:
            raise WorldError("not_found", f"{host.name} has no card {alias}", object="nic", name=alias)
        return host, nic

    def _eni(self, eni: str) -> tuple[Server, Nic]:
        for server in self._state.servers:
            for nic in server.nics:
                if eni and nic.eni == eni:
                    return server, nic
        raise WorldError("not_found", f"there is no interface {eni}", object="eni", name=eni)

    def _changed(self, host: Server, nic: Nic, **data: str | int | bool) -> None:
        self._state.cards_changed += 1
        self._state.log.add("nic", host.name, alias=nic.alias, **data)
        self._state.review()


def _address(text: str, parameter: str) -> None:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        raise WorldError("syntax", f"`{text}` is no address", parameter=parameter, value=text) from None

"""`world.nics`: network cards of a host, as Windows and as EC2 have them; knows no DAG network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
        raise NotImplementedError

    def bind(self, server: str, alias: str, component: str, *, enabled: bool) -> None:
        """Enable-/Disable-NetAdapterBinding. Raises `not_found` (object binding)."""
        raise NotImplementedError

    def register_dns(self, server: str, alias: str, *, enabled: bool) -> None:
        """Set-DnsClient -RegisterThisConnectionsAddress."""
        raise NotImplementedError

    def set_dns_servers(self, server: str, alias: str, addresses: Sequence[str]) -> None:
        """Set-DnsClientServerAddress; empty: -ResetServerAddresses (DHCP's, or none on a static card)."""
        raise NotImplementedError

    def set_metric(self, server: str, alias: str, metric: int) -> None:
        """Set-NetIPInterface -InterfaceMetric."""
        raise NotImplementedError

    def add_route(self, server: str, alias: str, route: Route) -> None:
        """New-NetRoute in the stores that `route` names. Raises `exists`, `syntax`."""
        raise NotImplementedError

    def remove_route(self, server: str, alias: str, prefix: str, next_hop: str = "") -> None:
        """Remove-NetRoute from both stores. Raises `not_found` (object route)."""
        raise NotImplementedError

    def enis(self) -> list[EniView]:
        """All interfaces of EC2 instances."""
        raise NotImplementedError

    def assign(self, eni: str, address: str) -> None:
        """assign_private_ip_addresses without reassignment.

        Raises `not_found` (eni), `syntax` (not in the subnet, or reserved there), `ip_in_use`.
        """
        raise NotImplementedError

    def unassign(self, eni: str, address: str) -> None:
        """unassign_private_ip_addresses. Raises `not_found`."""
        raise NotImplementedError

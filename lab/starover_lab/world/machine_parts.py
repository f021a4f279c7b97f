"""Parts of one Windows host: network cards, routes, firewall rules, shares, features; knows no host and no rule."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["BINDINGS", "FirewallRule", "InstallState", "Nic", "Route", "SmbShare"]

InstallState = Literal["Available", "Installed", "InstallPending", "Removed"]
BINDINGS = ("ms_msclient", "ms_server", "ms_tcpip", "ms_tcpip6")
"""Client for Microsoft Networks, File and Printer Sharing, IPv4, IPv6."""


@dataclass(frozen=True)
class Route:
    """A route beside the one to the card's own subnet."""

    prefix: str
    """CIDR; `0.0.0.0/0` is the default route."""
    next_hop: str
    metric: int = 256
    persistent: bool = True
    active: bool = True


@dataclass(eq=False)
class Nic:
    """A network card as Windows has it; EC2 calls it an interface."""

    alias: str
    index: int
    """InterfaceIndex."""
    mac: str
    addresses: tuple[str, ...]
    """IPv4 addresses configured in Windows, the primary first. A cluster's address is not among them."""
    prefix: int
    """Length of the subnet's prefix."""
    dns_servers: tuple[str, ...] = ()
    register_dns: bool = True
    bindings: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(BINDINGS, True))
    dhcp: bool = True
    metric: int = 15
    routes: list[Route] = field(default_factory=list[Route])
    down_by: set[int] = field(default_factory=set[int])
    """Numbers of the faults that keep it down."""
    disabled: bool = False
    eni: str = ""
    """EC2's id; empty where the host is no instance."""
    secondary: tuple[str, ...] = ()
    """Secondary private addresses on EC2's side; Windows does not know them."""

    @property
    def up(self) -> bool:
        """Whether it carries packets."""
        return not self.down_by and not self.disabled

    @property
    def subnet(self) -> str:
        """CIDR of its subnet; empty without an address."""
        if not self.addresses:
            return ""
        return str(ipaddress.ip_interface(f"{self.addresses[0]}/{self.prefix}").network)

    @property
    def gateway(self) -> str:
        """Next hop of its default route; empty: none."""
        return next((route.next_hop for route in self.routes if route.prefix == "0.0.0.0/0" and route.active), "")

    @property
    def is_mapi(self) -> bool:
        """Whether clients reach the host by it: it has a default gateway (catalogue.md P11)."""
        return bool(self.gateway)


@dataclass(eq=False)
class FirewallRule:
    """An inbound rule of Windows Firewall."""

    name: str
    """Such as FPS-SMB-In-TCP; the same in every language."""
    display_name: str
    group: str
    """Such as @FirewallAPI.dll,-28502; the same in every language."""
    display_group: str
    """File and Printer Sharing."""
    protocol: str
    port: int
    """0: any."""
    enabled: bool
    profiles: tuple[str, ...] = ("Domain", "Private")


@dataclass(eq=False)
class SmbShare:
    """An SMB share."""

    name: str
    path: str
    access: tuple[str, ...] = ()
    r"""Who has full control, `DOMAIN\name`; `Everyone` is everybody."""

"""What hosts report in a preflight: machines, adapters, versions, Active Directory, and the queries; judges nothing."""

from __future__ import annotations

from starover.step import Query, Report

__all__ = [
    "Adapter",
    "Address",
    "Controller",
    "Controllers",
    "ExchangeFacts",
    "Feature",
    "Features",
    "Group",
    "Groups",
    "Host",
    "Network",
    "Partner",
    "Pings",
    "Replication",
    "Route",
    "ServerVersion",
    "Servers",
    "ServiceState",
    "Services",
    "Subnets",
    "Trip",
    "controllers",
    "exchange",
    "features",
    "groups",
    "host",
    "network",
    "pings",
    "replication",
    "servers",
    "services",
    "subnets",
]


class Host(Report):
    """Windows and the machine (`preflight/host.ps1.j2`)."""

    version: str
    """`10.0.20348`."""
    caption: str
    sku: int
    """OperatingSystemSKU: 7 Standard, 8 Datacenter, 10 Enterprise."""
    domain: str
    part_of_domain: bool
    role: int
    """3: member server; 4, 5: domain controller."""
    cores: int
    """Logical processors."""
    utc: str
    """ISO 8601, by the host's own clock."""


class Feature(Report):
    """A Windows feature."""

    name: str
    state: str


class Features(Report):
    """Some Windows features (`feature/states.ps1.j2`)."""

    features: tuple[Feature, ...]

    def state(self, name: str) -> str:
        """`Installed`, `Available`...; empty: this Windows has none such."""
        return next((one.state for one in self.features if one.name.casefold() == name.casefold()), "")


class Address(Report):
    """An address of an adapter."""

    address: str
    prefix: int
    family: str
    """`IPv4`, `IPv6`."""
    origin: str
    """`Dhcp`, `Manual`, `WellKnown`..."""


class Route(Report):
    """A persistent route."""

    prefix: str
    hop: str


class Adapter(Report):
    """An adapter that is up."""

    name: str
    addresses: tuple[Address, ...]
    gateways: tuple[str, ...]
    dns: tuple[str, ...]
    registers: bool
    """Its address is registered in DNS."""
    bindings: tuple[str, ...]
    """Component ids that are on: `ms_msclient`, `ms_server`, `ms_tcpip`, `ms_tcpip6`..."""
    metric: int
    """-1: none."""
    routes: tuple[Route, ...]

    @property
    def ipv4(self) -> tuple[Address, ...]:
        """Its IPv4 addresses, without the loopback."""
        return tuple(one for one in self.addresses if one.family == "IPv4" and not one.address.startswith("127."))

    def bound(self, component: str) -> bool:
        """Whether a protocol or client is bound to it."""
        return any(one.casefold() == component for one in self.bindings)


class Network(Report):
    """A host's adapters (`network/adapters.ps1.j2`)."""

    adapters: tuple[Adapter, ...]

    @property
    def used(self) -> tuple[Adapter, ...]:
        """Those with an IPv4 address."""
        return tuple(one for one in self.adapters if one.ipv4)

    @property
    def mapi(self) -> tuple[Adapter, ...]:
        """Those with a gateway: clients come by these."""
        return tuple(one for one in self.used if one.gateways)


class ServiceState(Report):
    """A service."""

    name: str
    status: str
    start: str


class Services(Report):
    """Some services (`preflight/services.ps1.j2`)."""

    services: tuple[ServiceState, ...]


class Trip(Report):
    """Round trips to a host; None: it does not answer."""

    name: str
    average: int | None


class Pings(Report):
    """Round trips to others, in milliseconds (`network/ping.ps1.j2`)."""

    trips: tuple[Trip, ...]


class ExchangeFacts(Report):
    """Which Exchange a server has (`server/exchange.ps1.j2`)."""

    version: str
    """`Version 15.2 (Build 2562.37)`."""
    file: str
    """File version of ExSetup.exe; empty: not readable."""
    edition: str
    dag: str
    """The DAG it is a member of; empty: none."""


class ServerVersion(Report):
    """A server with Exchange."""

    name: str
    version: str


class Servers(Report):
    """Every server with Exchange (`server/all.ps1.j2`)."""

    servers: tuple[ServerVersion, ...]


class Group(Report):
    """A cluster group."""

    name: str
    state: str
    types: tuple[str, ...]
    """Of its resources."""


class Groups(Report):
    """The groups of a cluster (`cluster/groups.ps1.j2`)."""

    groups: tuple[Group, ...]


class Controller(Report):
    """A domain controller."""

    name: str
    site: str
    catalog: bool
    read_only: bool


class Controllers(Report):
    """The domain controllers of a domain (`ad/controllers.ps1.j2`)."""

    controllers: tuple[Controller, ...]


class AdSubnet(Report):
    """A subnet of an AD site."""

    name: str
    site: str
    """A distinguished name."""


class Subnets(Report):
    """The subnets of all AD sites (`ad/subnets.ps1.j2`)."""

    subnets: tuple[AdSubnet, ...]


class Partner(Report):
    """Replication of one domain controller from another."""

    server: str
    partner: str
    failures: int
    """In a row."""
    result: int
    age: int | None
    """Seconds since it last succeeded."""


class Replication(Report):
    """Replication in the forest (`ad/replication.ps1.j2`)."""

    partners: tuple[Partner, ...]


host = Query("preflight/host.ps1.j2", Host)
"""Of the host that is asked."""
features = Query("feature/states.ps1.j2", Features)
"""Argument: `names`."""
network = Query("network/adapters.ps1.j2", Network)
"""Of the host that is asked."""
services = Query("preflight/services.ps1.j2", Services)
"""Argument: `names`."""
pings = Query("network/ping.ps1.j2", Pings, deadline=300)
"""Argument: `names`."""
exchange = Query("server/exchange.ps1.j2", ExchangeFacts)
"""Argument: `name`."""
servers = Query("server/all.ps1.j2", Servers)
"""Of the organization."""
groups = Query("cluster/groups.ps1.j2", Groups)
"""Of the cluster of the node that is asked."""
controllers = Query("ad/controllers.ps1.j2", Controllers)
"""Of the domain of the controller that is asked."""
subnets = Query("ad/subnets.ps1.j2", Subnets)
"""Of the forest."""
replication = Query("ad/replication.ps1.j2", Replication)
"""Argument: `forest`."""

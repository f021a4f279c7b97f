"""The entries of a topology file as typed structs; reads no file. `docs/lab.md` describes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, TypeAlias

import msgspec

from starover.estate import Balancer, ClientName, Forest, Role, Site, Subnet
from starover.names import Comment, DagName, DbName, ServerName, WitnessDirectory
from starover_lab.world.entities import Year
from starover_lab.world.tuning import Tuning

__all__ = [
    "START",
    "AccountSpec",
    "CertificateSpec",
    "ComputerSpec",
    "CopySpec",
    "DagSpec",
    "DatabaseSpec",
    "Duration",
    "ExchangeSpec",
    "FarmSpec",
    "FaultSpec",
    "File",
    "Frequency",
    "NicSpec",
    "Part",
    "RecordSpec",
    "RouteSpec",
    "SendConnectorSpec",
    "ServerSpec",
    "Topology",
    "UpdateSpec",
    "VolumeSpec",
    "Where",
    "seconds",
]

START = datetime(2026, 11, 20, 14, tzinfo=UTC)
"""When a lab begins unless its topology says otherwise: Friday afternoon."""
_DURATION = r"^(?:\d+(?:\.\d+)?[smhd]|(?:\d+\.)?\d{1,2}:\d{2}:\d{2}|0)(?![\s\S])"
Duration = Annotated[
    str,
    msgspec.Meta(pattern=_DURATION, description="a time span such as 90s, 30m, 168h, 7d, 01:00:00 or 7.00:00:00"),
]
# A union with a literal of the same type would still ask for the pattern.
Frequency = Annotated[
    str,
    msgspec.Meta(pattern=rf"{_DURATION}|^never(?![\s\S])", description="a time span such as 30m or 01:00:00, or never"),
]
Size = Annotated[float, msgspec.Meta(ge=0, le=1_000_000, description="gigabytes (2^30 bytes)")]


class Spec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An entry of a topology."""


class VolumeSpec(Spec, frozen=True, kw_only=True):
    """A volume of a host."""

    mount: str
    """`D:`, or the path of a mount point."""
    size_gb: Size
    used_gb: Size = 20.0
    """By other things than the lab's databases and logs."""
    fs: Literal["NTFS", "ReFS"] = "NTFS"


class RouteSpec(Spec, frozen=True, kw_only=True):
    """A static route of a network card."""

    prefix: str
    """CIDR."""
    next_hop: str


class NicSpec(Spec, frozen=True, kw_only=True):
    """A network card of a host."""

    alias: str
    """As Windows names it: MAPI, Replication, Ethernet 2."""
    address: str
    """With its prefix: 172.19.18.11/24."""
    purpose: Literal["mapi", "replication", "other"] = "mapi"
    """mapi: with default gateway, DNS servers, all bindings and registration in DNS; the others without."""
    gateway: str = ""
    """Empty: the subnet's first address on a mapi card, none on others."""
    dns_servers: tuple[str, ...] = ()
    """Empty: the DCs on a mapi card, none on others."""
    register_dns: bool | None = None
    bindings: dict[Literal["ms_msclient", "ms_server", "ms_tcpip", "ms_tcpip6"], bool] = {}
    dhcp: bool | None = None
    """Unset: as EC2 does it on an instance."""
    metric: int = 0
    routes: tuple[RouteSpec, ...] = ()


class CertificateSpec(Spec, frozen=True, kw_only=True):
    """A certificate in the machine store of Exchange servers."""

    name: str
    """For this file only."""
    subject: str = ""
    """Empty: CN= and the first domain."""
    domains: tuple[str, ...] = ()
    days: float = 400
    """Left when the lab begins; below 0: it has expired."""
    services: tuple[Literal["IIS", "SMTP", "IMAP", "POP", "UM", "Federation"], ...] = ("IIS", "SMTP")
    """Empty: it only lies there."""
    servers: tuple[ServerName, ...] = ()
    """Empty: all Exchange servers."""
    self_signed: bool = False
    exportable: bool = True
    """Its private key may leave the store."""


class RecordSpec(Spec, frozen=True, kw_only=True):
    """A DNS record that is there from the beginning, beside those of the hosts."""

    name: str
    """In full: mail.example.com. What lies in none of `dns_zones` needs its zone there."""
    type: Literal["A", "AAAA", "CNAME", "MX", "TXT"] = "A"
    data: str
    ttl: Duration = "1h"


class ExchangeSpec(Spec, frozen=True, kw_only=True):
    """Exchange on a host."""

    year: Year = "SE"
    cu: str = ""
    """Such as CU14."""
    build: str = ""
    """Such as 15.2.1544.4; empty: that of `cu`, or of the newest one of its year that the lab knows."""
    edition: Literal["Enterprise", "Standard"] = "Enterprise"
    activation_policy: Literal["Unrestricted", "IntrasiteOnly", "Blocked"] = "Unrestricted"
    auto_mount_dial: Literal["Lossless", "GoodAvailability", "BestAvailability"] = "GoodAvailability"
    max_active: int | None = None
    namespace: str = ""
    """Host name in all its URLs; empty: its own, and no external URL, as setup leaves it."""
    extended_protection: bool | None = None
    """Unset: as setup does it, on from 2019 CU14 and in SE."""

    @property
    def installed(self) -> str:
        """Its build."""
        return self.build or _BUILDS.get((self.year, self.cu.upper()), _BUILDS[self.year, ""])


_BUILDS: dict[tuple[Year, str], str] = {
    ("2013", ""): "15.0.1497.2",
    ("2016", ""): "15.1.2507.6",
    ("2019", "CU14"): "15.2.1544.4",
    ("2019", ""): "15.2.1748.10",
    ("SE", ""): "15.2.2562.37",
}
"""Of cumulative updates as they were released (catalogue 2.1); without one: CU23, CU23, CU15, SE of February 2026."""


class ServerSpec(Spec, frozen=True, kw_only=True):
    """A Windows host."""

    name: ServerName
    roles: tuple[Role, ...] = ()
    az: str = ""
    site: str = ""
    """AD site; empty: that of its subnet, else the first of its AZ."""
    subnet: str = ""
    """CIDR; empty: the one of `subnets` that holds its address."""
    address: str = ""
    secondary_addresses: tuple[str, ...] = ()
    os: Literal["2012R2", "2016", "2019", "2022", "2025"] = "2022"
    instance: str = ""
    instance_type: str = "m5.xlarge"
    auto_scaling_group: str = ""
    """The Auto Scaling group that would replace it; empty: none."""
    disable_api_stop: bool = False
    """EC2 refuses to stop it until that is taken back."""
    auto_recovery: bool = True
    """EC2 moves it to other hardware by itself when its own fails (simplified automatic recovery)."""
    instance_store: tuple[float, ...] = ()
    """Disks of the host that a stop loses, GB each; the same for every server of one `instance_type`."""
    cores: int = 4
    memory_gb: int = 16
    volumes: tuple[VolumeSpec, ...] = ()
    """Empty: C: of 100 GB, and on Exchange servers D: and E: of 500 GB."""
    exchange: ExchangeSpec | None = None
    shares: dict[str, str] = {}
    """SMB share name to local path; a witness's share is made by itself."""
    nics: tuple[NicSpec, ...] = ()
    """Empty: one card with `address`."""
    features: dict[str, Literal["Available", "Installed", "InstallPending", "Removed"]] = {}
    """Windows features that differ from what such a host has."""
    pending_reboot: tuple[Literal["cbs", "wu", "rename", "ccm"], ...] = ()
    gc: bool = True
    """Of a DC: it is a global catalog."""
    time_skew_s: float = 0.0


class ComputerSpec(Spec, frozen=True, kw_only=True):
    """A computer account beside those of the hosts, such as the pre-staged one of a cluster."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=15)]
    enabled: bool = False
    description: str = ""
    full_control: tuple[str, ...] = ()
    """Who has full control over it: Exchange Trusted Subsystem, or the first node's account MBX1$."""


class SendConnectorSpec(Spec, frozen=True, kw_only=True):
    """A connector by which mail leaves the organization."""

    name: str
    source_servers: tuple[ServerName, ...] = ()
    """Empty: all Exchange servers."""
    smart_hosts: tuple[str, ...] = ()
    """Empty: by DNS."""
    address_spaces: tuple[str, ...] = ("SMTP:*;1",)


class UpdateSpec(Spec, frozen=True, kw_only=True):
    """A Windows update that hosts are offered."""

    name: Annotated[str, msgspec.Meta(pattern=r"^KB[0-9]{6,8}(?![\s\S])")]
    title: str = ""
    """Empty: a security update of that number."""
    servers: tuple[ServerName, ...] = ()
    """Empty: all hosts."""
    size_mb: Annotated[float, msgspec.Meta(ge=0, le=1_000_000)] = 64.0
    install: Duration = "5m"
    reboot: Literal["never", "always", "can"] = "never"
    categories: tuple[str, ...] = ("Security Updates",)
    severity: Literal["", "Critical", "Important", "Moderate", "Low"] = "Important"
    browse_only: bool = False
    after: str = ""
    """Another of these that must be installed first."""
    installed_days: float | None = None
    """It was installed so many days ago."""


class CopySpec(Spec, frozen=True, kw_only=True):
    """One copy of a database; the first in the list is active unless the database says otherwise."""

    server: ServerName
    preference: Annotated[int, msgspec.Meta(ge=0, le=16)] = 0
    """0: its place in the list."""
    replay_lag: Duration = "0"
    truncation_lag: Duration = "0"
    activation_suspended: bool = False
    replication_suspended: bool = False
    comment: Comment = ""
    files: bool = True
    """False: nothing has been seeded yet."""


class DatabaseSpec(Spec, frozen=True, kw_only=True):
    """A mailbox database."""

    name: DbName
    size_gb: Size = 100.0
    copies: Annotated[tuple[CopySpec, ...], msgspec.Meta(min_length=1, max_length=16)]
    active: str = ""
    """Server with the active copy; empty: the copy of preference 1."""
    mounted: bool = True
    edb_path: str = ""
    """Empty: D:\\Databases\\NAME\\NAME.edb."""
    log_path: str = ""
    """Empty: E:\\Databases\\NAME."""
    log_rate_per_min: Annotated[float, msgspec.Meta(ge=0, le=6000)] = 6.0
    """In the busy hour."""
    circular_logging: bool = False
    mount_at_startup: bool = True
    mailboxes: int = 250


class DagSpec(Spec, frozen=True, kw_only=True):
    """A Database Availability Group with its cluster."""

    name: DagName
    members: Annotated[tuple[ServerName, ...], msgspec.Meta(max_length=16)] = ()
    witness: str = ""
    witness_directory: WitnessDirectory | Literal[""] = ""
    alternate_witness: str = ""
    alternate_witness_directory: WitnessDirectory | Literal[""] = ""
    dac_mode: Literal["Off", "DagOnly"] = "Off"
    ip_addresses: tuple[str, ...] = ("255.255.255.255",)
    """255.255.255.255: without an administrative access point."""
    preference_move_frequency: Frequency = "01:00:00"
    replay_lag_manager: bool = False
    dynamic_quorum: bool = True
    primary_active_manager: str = ""
    """Empty: the first member."""


class FarmSpec(Spec, frozen=True, kw_only=True):
    """A farm of a balancer of the kind `zevenet`."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9-]{1,64}(?![\s\S])")]
    balancer: str = ""
    """Empty: the only one of that kind."""
    profile: Literal["http", "l4xnat"] = "l4xnat"
    vip: str = ""
    """Empty: its balancer's first address."""
    vport: Annotated[int, msgspec.Meta(ge=1, le=65535)]
    service: str = "exchange"
    """Of an http farm."""
    backends: tuple[ServerName, ...] = ()
    """Empty: all Exchange servers."""
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 0
    """Of its backends; 0: `vport`."""


class AccountSpec(Spec, frozen=True, kw_only=True):
    """Somebody who may log on."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=20, pattern=r"^[^\\/\"\[\]:;|=,+*?<>@\s]+(?![\s\S])")]
    password: str = ""
    """Empty: one that belongs to the lab's seed. `lab.json` tells it."""
    groups: tuple[str, ...] = ("Domain Users",)
    role_groups: tuple[str, ...] = ()
    """Exchange role groups, such as Organization Management."""
    roles: tuple[str, ...] = ()
    """Single management roles, such as Database Copies."""
    administrator: bool = True
    """Of every host."""


class FaultSpec(Spec, frozen=True, kw_only=True):
    """A fault that is there from the beginning."""

    kind: str
    target: str = ""
    params: dict[str, str] = {}


class Part(Spec, frozen=True, kw_only=True):
    """What a file or a flag says."""

    description: str = ""
    start: datetime | None = None
    seed: int | None = None
    region: str = ""
    forest: Forest | None = None
    azs: tuple[str, ...] = ()
    """Empty: those of the servers."""
    sites: tuple[Site, ...] = ()
    subnets: tuple[Subnet, ...] = ()
    servers: tuple[ServerSpec, ...] = ()
    dags: tuple[DagSpec, ...] = ()
    databases: tuple[DatabaseSpec, ...] = ()
    accounts: tuple[AccountSpec, ...] = ()
    balancers: tuple[Balancer, ...] = ()
    farms: tuple[FarmSpec, ...] = ()
    client_names: tuple[ClientName, ...] = ()
    certificates: tuple[CertificateSpec, ...] = ()
    """Empty: one for the client names on all Exchange servers."""
    computers: tuple[ComputerSpec, ...] = ()
    send_connectors: tuple[SendConnectorSpec, ...] = ()
    updates: tuple[UpdateSpec, ...] = ()
    dns_zones: tuple[str, ...] = ()
    """Beside the forest's own."""
    dns_records: tuple[RecordSpec, ...] = ()
    safety_net_hold: Duration | Literal[""] = ""
    """How long delivered mail is kept for resubmission; empty: 2 days."""
    cno_creation: bool | None = None
    """Whether a cluster may create its computer account itself; usually it may not and the account is pre-staged."""
    tuning: dict[str, str] = {}
    """Numbers by knob; see `Tuning`."""
    faults: tuple[FaultSpec, ...] = ()


class File(Part, frozen=True, kw_only=True):
    """A topology file."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    extends: str = ""
    """Name or path of another topology."""
    use: tuple[str, ...] = ()
    """Flags that are always on."""
    flags: dict[str, Part] = {}


Where: TypeAlias = "tuple[str, int]"
"""File and line."""


@dataclass(frozen=True, kw_only=True)
class Topology:
    """A whole topology, flags and extensions worked in."""

    name: str
    description: str
    start: datetime
    seed: int
    region: str
    forest: Forest
    azs: tuple[str, ...]
    sites: tuple[Site, ...]
    subnets: tuple[Subnet, ...]
    servers: tuple[ServerSpec, ...]
    dags: tuple[DagSpec, ...]
    databases: tuple[DatabaseSpec, ...]
    accounts: tuple[AccountSpec, ...]
    balancers: tuple[Balancer, ...]
    farms: tuple[FarmSpec, ...]
    client_names: tuple[ClientName, ...]
    certificates: tuple[CertificateSpec, ...]
    computers: tuple[ComputerSpec, ...]
    send_connectors: tuple[SendConnectorSpec, ...]
    updates: tuple[UpdateSpec, ...]
    dns_zones: tuple[str, ...]
    dns_records: tuple[RecordSpec, ...]
    safety_net_hold_s: float
    cno_creation: bool
    tuning: Tuning
    faults: tuple[FaultSpec, ...]
    where: Mapping[tuple[str, str], Where] = field(default_factory=dict[tuple[str, str], Where])
    """(section, name) to the place where it is defined."""


def seconds(duration: str) -> float:
    """The seconds of a `Duration`."""
    if duration == "0":
        return 0.0
    if duration[-1] in "smhd":
        return float(duration[:-1]) * {"s": 1, "m": 60, "h": 3600, "d": 86_400}[duration[-1]]
    days, dot, clock = duration.rpartition(".")
    hours, minutes, rest = (int(part) for part in clock.split(":"))
    return timedelta(days=int(days) if dot else 0, hours=hours, minutes=minutes, seconds=rest).total_seconds()

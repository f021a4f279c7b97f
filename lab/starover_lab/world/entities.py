"""What exists in the simulated estate, as plain dataclasses (simulator.md section 1); knows no transition.

Times are simulated UTC, durations seconds, sizes bytes. Names compare case-insensitively.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from starover_lab.world.client_settings import ClientAccessSettings
from starover_lab.world.files import FileStore
from starover_lab.world.machine_parts import FirewallRule, InstallState, Nic, SmbShare
from starover_lab.world.mail_parts import Mail
from starover_lab.world.names import Names
from starover_lab.world.quorum import Quorum
from starover_lab.world.update_parts import HistoryEntry, ScheduledTask, Update

__all__ = [
    "EC2_MODES",
    "Account",
    "AdSite",
    "AuditRecord",
    "Az",
    "Cluster",
    "ClusterNode",
    "Component",
    "DagObject",
    "Ec2Mode",
    "ExchangeServer",
    "NetworkConfig",
    "NodeState",
    "Server",
    "Service",
    "Subnet",
    "Volume",
    "Year",
]

Year = Literal["2013", "2016", "2019", "SE"]
NodeState = Literal["Up", "Down", "Paused", "Joining"]
ServiceStatus = Literal["Running", "Stopped", "StartPending", "StopPending"]
StartType = Literal["Automatic", "Manual", "Disabled"]
Ec2Mode = Literal["stops", "stuck", "api_down"]
"""A stop in a lost zone reaches `stopped`, hangs in `stopping`, or the API answers nothing for that zone."""
EC2_MODES: Final[tuple[Ec2Mode, ...]] = ("api_down", "stuck", "stops")
"""The worst first."""


@dataclass(eq=False)
class Az:
    """An Availability Zone."""

    name: str
    lost_by: set[int] = field(default_factory=set[int])
    """Numbers of the faults that took its power."""
    isolated_by: set[int] = field(default_factory=set[int])
    """Numbers of the faults that cut its links."""
    ec2_by: dict[int, Ec2Mode] = field(default_factory=dict[int, "Ec2Mode"])
    """Faults that took its power, to how EC2 answers for its instances meanwhile."""

    @property
    def state(self) -> Literal["up", "lost", "isolated"]:
        """What the zone is like."""
        return "lost" if self.lost_by else "isolated" if self.isolated_by else "up"

    @property
    def ec2(self) -> Ec2Mode | Literal["up"]:
        """How EC2 answers for the zone's instances: of several losses the worst counts."""
        for mode in EC2_MODES:
            if mode in self.ec2_by.values():
                return mode
        return "up"


@dataclass(eq=False)
class Subnet:
    """A subnet of one AZ."""

    cidr: str
    az: str
    site: str = ""


@dataclass(eq=False)
class AdSite:
    """An Active Directory site."""

    name: str
    az: str = ""


@dataclass(eq=False)
class Account:
    """A person or service that may log on."""

    name: str
    """sAMAccountName."""
    netbios: str
    dns_name: str
    password: str = field(repr=False)
    groups: tuple[str, ...] = ()
    role_groups: tuple[str, ...] = ()
    """Exchange role groups (RBAC); they decide over `/PowerShell` only."""
    roles: tuple[str, ...] = ()
    """Single management roles beside those of the role groups."""
    administrator: bool = True
    """Member of the local Administrators of every host."""
    expired: bool = False

    @property
    def down_level(self) -> str:
        """`EXAMPLE\\operator`."""
        return f"{self.netbios}\\{self.name}"


@dataclass(eq=False)
class Service:
    """A Windows service."""

    name: str
    display_name: str
    start_type: StartType = "Automatic"
    status: ServiceStatus = "Running"
    crashed: bool = False
    """It ended unexpectedly (a fault) and starts no more until that is mended."""
    gave_up: bool = False
    """It ended itself (a cluster service without quorum) and is started again by the service control manager."""
    busy_until: datetime | None = None
    """End of StartPending or StopPending."""
    began: datetime | None = None
    """When its process was started last; None: with the host."""


@dataclass(eq=False)
class Volume:
    """A volume of a host; what databases and logs use on it is computed from them."""

    mount: str
    """`D:` or a mount point."""
    fs: str
    size: int
    other: int
    """Bytes used by anything else than databases and logs of the lab."""
    failed: bool = False
    stuffed: bool = False
    """Fault `disk_full`: not a byte free."""
    disk: int = 0
    """Bytes of the disk below it; 0: not bigger than the volume."""
    disk_seen: int = 0
    """The same as Windows last saw it."""
    latency_ms: float = 5.0
    """Of a read."""


@dataclass(eq=False)
class Component:
    """A server component's requesters, on the server and in AD: requester to (state, since)."""

    name: str
    local: dict[str, tuple[str, datetime]] = field(default_factory=dict[str, tuple[str, datetime]])
    remote: dict[str, tuple[str, datetime]] = field(default_factory=dict[str, tuple[str, datetime]])
    always_inactive: bool = False
    """Inactive on healthy servers too (facts/exchange.md point 10)."""


@dataclass(eq=False)
class ExchangeServer:
    """Exchange on a host."""

    year: Year
    cu: str
    build: str
    """`15.2.2562.37`."""
    edition: str
    guid: UUID
    components: Names[Component]
    activation_policy: Literal["Unrestricted", "IntrasiteOnly", "Blocked"] = "Unrestricted"
    activation_disabled_and_move_now: bool = False
    auto_mount_dial: Literal["Lossless", "GoodAvailability", "BestAvailability"] = "GoodAvailability"
    max_active: int | None = None
    max_preferred_active: int | None = None
    ha_offline: bool = False
    """Fault `ha_component_offline`: HighAvailability is offline to Active Manager, and Active is what is printed."""
    vdir_broken: bool = False
    """Fault `exchange_vdir_down`: `/PowerShell` answers nothing."""
    excluded_controllers: tuple[str, ...] = ()
    """StaticExcludedDomainControllers."""
    excluded_before: tuple[str, ...] = ()
    """What it was until `excluded_at`: a change acts at the next refresh of the topology."""
    excluded_at: datetime | None = None
    topology_at: datetime | None = None
    """MSExchangeADTopology started then."""
    backup_information: dict[str, int] | None = None
    """Values of the registry key BackupInformation; None: nobody has made it. They are kept; no log goes by them."""
    dacp_bit: int = 1
    dacp_set_at: datetime | None = None
    """When the bit became 1 last; survives a reboot."""
    client_access: ClientAccessSettings = field(default_factory=ClientAccessSettings)
    mail: Mail = field(default_factory=Mail)

    @property
    def anchors_sessions(self) -> bool:
        """Exchange 2013 CU11, and no other: a session goes to where its mailbox is (powershell.md section 2)."""
        return self.build.startswith("15.0.1156.")


@dataclass(eq=False)
class Server:
    """A Windows host."""

    name: str
    fqdn: str
    domain: str
    site: str
    az: str
    subnet: str
    address: str
    os: str
    """`2012R2`, `2016`, `2019`, `2022` or `2025`."""
    instance: str
    instance_type: str
    instance_store: tuple[float, ...]
    """Disks of the host, GB each."""
    cores: int
    memory_gb: int
    roles: tuple[str, ...]
    guid: UUID
    boot_time: datetime
    files: FileStore
    services: Names[Service] = field(default_factory=Names[Service])
    volumes: Names[Volume] = field(default_factory=Names[Volume])
    shares: Names[SmbShare] = field(default_factory=Names[SmbShare])
    local_groups: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    r"""Group to `DOMAIN\\name`s, or a bare SID whose account is gone."""
    nics: Names[Nic] = field(default_factory=Names[Nic])
    features: dict[str, InstallState] = field(default_factory=dict[str, InstallState])
    firewall: list[FirewallRule] = field(default_factory=list[FirewallRule])
    pending_reboot: set[str] = field(default_factory=set[str])
    """Of `cbs`, `wu`, `rename`, `ccm`."""
    updates: list[Update] = field(default_factory=list[Update])
    update_history: list[HistoryEntry] = field(default_factory=list[HistoryEntry])
    """Oldest first."""
    scheduled_tasks: dict[str, ScheduledTask] = field(default_factory=dict[str, ScheduledTask])
    """By case-folded path and name."""
    time_skew_s: float = 0.0
    """How far its clock is ahead of the domain's."""
    power: Literal["on", "booting", "off"] = "on"
    down_causes: set[int | str] = field(default_factory=set["int | str"])
    """What keeps it off: numbers of faults, and words of others who took its power (`ec2`)."""
    boots_at: datetime | None = None
    """When the boot under way, or the last one, ends."""
    hung: bool = False
    """Answers ping and nothing else."""
    listener_faults: set[str] = field(default_factory=set[str])
    """Of `refused`, `silent`, `slow`."""
    exchange: ExchangeServer | None = None

    @property
    def cut_off(self) -> bool:
        """No card by which others reach it carries anything."""
        return bool(len(self.nics)) and not any(nic.is_mapi and nic.up for nic in self.nics)

    @property
    def is_dc(self) -> bool:
        """A domain controller."""
        return "dc" in self.roles


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """A DAG network as it was set by hand."""

    name: str
    subnets: tuple[str, ...] = ()
    """CIDRs."""
    description: str = ""
    replication: bool = True
    ignored: bool = False


@dataclass(frozen=True, kw_only=True)
class DagObject:
    """The Database Availability Group as Active Directory keeps it; every DC has its own replica."""

    name: str
    guid: UUID
    members: tuple[str, ...] = ()
    """Server names in the order they were added."""
    started: tuple[str, ...] = ()
    """FQDNs."""
    stopped: tuple[str, ...] = ()
    """FQDNs."""
    witness_server: str = ""
    """FQDN."""
    witness_directory: str = ""
    alternate_witness_server: str = ""
    alternate_witness_directory: str = ""
    dac_mode: Literal["Off", "DagOnly"] = "Off"
    ip_addresses: tuple[str, ...] = ()
    manual_networks: bool = False
    preference_move_frequency_s: float | None = 3600.0
    """None: never (Timeout.InfiniteTimeSpan)."""
    replay_lag_manager: bool = False
    auto_reseed: bool = True
    auto_redistribute: bool = False
    replication_port: int = 64327
    network_compression: Literal["Disabled", "Enabled", "InterSubnetOnly", "SeedOnly"] = "InterSubnetOnly"
    network_encryption: Literal["Disabled", "Enabled", "InterSubnetOnly", "SeedOnly"] = "InterSubnetOnly"
    file_system: Literal["NTFS", "ReFS"] = "NTFS"
    networks: tuple[NetworkConfig, ...] = ()
    """As set by hand; only with `manual_networks`."""
    created: datetime
    changed: datetime


@dataclass(eq=False)
class ClusterNode:
    """A server as member of a cluster."""

    server: str
    id: int
    state: NodeState = "Up"
    paused: bool = False
    """Wish of `Suspend-ClusterNode`; survives while the node is up."""
    missed_since: datetime | None = None
    """Its heartbeats are missing since then."""
    joining_since: datetime | None = None
    prevent_quorum: bool = False
    """It was started to join only: it waits and never forms a cluster."""
    isolated_since: datetime | None = None
    """Heartbeats lost, cluster service alive: for a while Up with its vote, and what is mounted on it stays so."""
    exits: list[datetime] = field(default_factory=list[datetime])
    """When it left unexpectedly."""
    quarantined_until: datetime | None = None

    @property
    def serves(self) -> bool:
        """Whether databases may be mounted on it now: up, and heard by the others."""
        return self.state in ("Up", "Paused") and self.isolated_since is None

    @property
    def information(self) -> Literal["Normal", "Isolated", "Quarantined"]:
        """`StatusInformation` of Windows Server 2016 and later, shown beside the state."""
        if self.quarantined_until is not None:
            return "Quarantined"
        return "Normal" if self.isolated_since is None else "Isolated"


@dataclass(eq=False)
class Cluster:
    """A failover cluster with the votes it last agreed on.

    Forced quorum can make several of one DAG: each with its own configuration, held by some of the servers.
    """

    name: str
    nodes: Names[ClusterNode]
    votes: Quorum
    witness_server: str = ""
    """Name of the server with the file share witness in use; empty: none."""
    witness_path: str = ""
    witness_missed_since: datetime | None = None
    quorate: bool = True
    core_owner: str = ""
    """Node that owns the core group: the Primary Active Manager. Empty while nobody does."""
    owner_lost_since: datetime | None = None
    retry_since: datetime | None = None
    """Since then enough nodes are there to form the cluster again."""
    addresses: tuple[str, ...] = ()
    """Of its administrative access point; empty: it has none."""
    online_address: str = ""
    """The one of them that fits the owner's subnet."""
    key: str = ""
    """Where `State.clusters` keeps it, when that is not its name: a second cluster of one DAG."""
    discovered: set[str] = field(default_factory=set[str])
    """Subnets (CIDR) that it found at its members."""
    holders: set[str] = field(default_factory=set[str])
    """Servers (case-folded) that have this configuration; a server has one at most."""
    origin: str = ""
    """What all configurations of one cluster have in common, since it was made."""
    epoch: int = 0
    """Version of the configuration; forcing quorum adds a thousand."""
    forced_at: datetime | None = None
    """When quorum was forced last in the history of this configuration; of two the later leads."""
    forced: bool = False
    recovering: bool = False
    """Quorum was forced and not every member is back: the witness in use may be taken away by a bare Set-DAG."""
    actives: dict[str, str] = field(default_factory=dict[str, str])
    """Database to the server with its active copy, as this configuration remembers it since it stood alone."""

    @property
    def quorum_type(self) -> str:
        """`NodeMajority` or `NodeAndFileShareMajority`."""
        return "NodeAndFileShareMajority" if self.votes.witness else "NodeMajority"

    @property
    def version(self) -> tuple[float, int]:
        """How new its configuration is: a forced one leads those that were not, a later one an earlier one."""
        return (self.forced_at.timestamp() if self.forced_at is not None else 0.0, self.epoch)

    @property
    def paxos_tag(self) -> str:
        """The same as the cluster database has it (KB 947713): `3:3:276`, with a time once quorum was forced."""
        formed, changes = divmod(self.epoch, 1000)
        when = f"{self.forced_at:%Y/%m/%d-%H`%M`%S}.{self.forced_at.microsecond // 1000:03d}_" if self.forced_at else ""
        return f"{when}{formed + 1}:{when}{formed + 1}:{changes + 1}"


@dataclass(frozen=True, kw_only=True)
class AuditRecord:
    """One mutating cmdlet, as the admin audit log keeps it."""

    cmdlet: str
    parameters: dict[str, str]
    caller: str
    """The person over `/PowerShell`, `SERVER$` over the snap-in."""
    server: str
    """Where it ran."""
    time: datetime
    succeeded: bool = True
    error: str = ""
    object_modified: str = ""

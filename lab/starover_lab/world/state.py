"""The whole estate in one place, for the parts that move it; holds no rule but who hears of a change.

The parts are level-triggered: a transition sets plain facts (this host is off, that copy is suspended) and calls
`review`; each part then compares facts with what should follow from them, and asks with `poke` to look again at a time.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from starover_lab.world.client_settings import Organization
from starover_lab.world.clock import Scheduler
from starover_lab.world.database_parts import Database
from starover_lab.world.dice import Dice
from starover_lab.world.directory import Directory
from starover_lab.world.dns_zones import Zone
from starover_lab.world.entities import Account, AdSite, AuditRecord, Az, Cluster, Server, Service, Subnet
from starover_lab.world.errors import WorldError
from starover_lab.world.events import EventLog
from starover_lab.world.farm_parts import Farm
from starover_lab.world.names import Names
from starover_lab.world.principals import Principals
from starover_lab.world.tuning import Tuning

__all__ = ["CloudFaults", "State", "first_label"]


def first_label(name: str) -> str:
    """`EX1` of `EX1`, `ex1.example.com` or `EX1$`: how servers are told apart."""
    return name.partition(".")[0].rstrip("$")


def _servers() -> Names[Server]:
    return Names(first_label)


@dataclass(eq=False)
class CloudFaults:
    """What is wrong with AWS's API, beside what a lost zone does to it."""

    throttled: dict[str, int] = field(default_factory=dict[str, int])
    """Call (`stop_instances`) to how many of the next ones are refused."""
    rates: dict[str, float] = field(default_factory=dict[str, float])
    """Service to how many of its calls are taken in a second, whoever calls."""
    slow: dict[str, float] = field(default_factory=dict[str, float])
    """Call to the seconds that it takes."""
    deliveries: dict[str, float] = field(default_factory=dict[str, float])
    """Server to the seconds until its SSM agent has a command."""
    refusals: dict[str, int] = field(default_factory=dict[str, int])
    """Of `refused`: how many of the next ones; a call that is not there: all of them."""
    no_capacity: dict[str, int] = field(default_factory=dict[str, int])
    """AZ to the number of faults that leave no room to start anything there."""
    refused: dict[str, str] = field(default_factory=dict[str, str])
    """Call (`put_object`) to the code of the error with which it is refused, whoever calls."""
    agents: dict[str, int] = field(default_factory=dict[str, int])
    """Server to the number of faults by which its SSM agent is dead."""
    undeliverable: dict[str, int] = field(default_factory=dict[str, int])
    """Server to the number of faults by which commands do not get there."""
    cut_outputs: dict[str, int] = field(default_factory=dict[str, int])
    """Server to the characters that are left of a command's output."""
    unseen: int = 0
    """How many questions about a new command find it not there yet."""
    role_denied: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    """Server and call to the number of faults by which its instance's role does not allow it."""
    hardware: dict[str, set[int]] = field(default_factory=dict[str, set[int]])
    """Server to the numbers of the faults by which the hardware below it has failed."""
    unhealthy: dict[str, int] = field(default_factory=dict[str, int])
    """Server to the number of faults by which no balancer's check reaches it."""
    events: dict[str, dict[int, tuple[str, datetime]]] = field(
        default_factory=dict[str, dict[int, tuple[str, datetime]]]
    )
    """Server to what is announced for its instance, by number of the fault: code, and not before when."""


@dataclass(eq=False)
class State:
    """Everything that exists, and the clock."""

    name: str
    dns_name: str
    netbios: str
    region: str
    scheduler: Scheduler
    tuning: Tuning
    dice: Dice
    log: EventLog
    directory: Directory
    principals: Principals
    organization: Organization
    azs: Names[Az] = field(default_factory=Names[Az])
    sites: Names[AdSite] = field(default_factory=Names[AdSite])
    subnets: Names[Subnet] = field(default_factory=Names[Subnet])
    servers: Names[Server] = field(default_factory=_servers)
    accounts: Names[Account] = field(default_factory=Names[Account])
    databases: Names[Database] = field(default_factory=Names[Database])
    dags: list[str] = field(default_factory=list[str])
    clusters: Names[Cluster] = field(default_factory=Names[Cluster])
    """By name of their DAG."""
    audit: list[AuditRecord] = field(default_factory=list[AuditRecord])
    audit_off: bool = False
    """Fault: nothing is kept in it."""
    cut_links: dict[frozenset[str], int] = field(default_factory=dict[frozenset[str], int])
    """Two AZs to how many faults cut the links between them."""
    witness_marks: dict[tuple[str, str, str], int] = field(default_factory=dict[tuple[str, str, str], int])
    """(Host, share, origin of a cluster), case-folded, to the newest configuration that locked that witness."""
    partition: tuple[frozenset[str], ...] = ()
    """Groups of server names (case-folded) that do not reach each other; empty: all do."""
    witness_faults: set[str] = field(default_factory=set[str])
    """Hosts whose witness share does not answer."""
    noise: dict[str, int] = field(default_factory=dict[str, int])
    """Fault `ps_noise`: host to level."""
    ui_culture: str = "en-US"
    zones: Names[Zone] = field(default_factory=Names[Zone])
    balancer_addresses: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """DNS name of a balancer (case-folded) to its addresses; the world outside knows these names."""
    farms: Names[Farm] = field(default_factory=Names[Farm])
    failing_apis: dict[str, int] = field(default_factory=dict[str, int])
    """Fault `zapi_fails`: balancer (case-folded) to how many answers of its API are failures yet."""
    shifted: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    """DNS name of a balancer, and an AZ whose addresses are taken out of it."""
    client_names: tuple[str, ...] = ()
    cno_creation: bool = False
    """Whether a cluster may create its computer account itself."""
    dns_faults: set[str] = field(default_factory=set[str])
    """DCs (case-folded) whose DNS server does not answer."""
    latency_ms: dict[frozenset[str], float] = field(default_factory=dict[frozenset[str], float])
    """Fault `link_latency`: two AZs (one, within itself) to their round trip."""
    packet_loss: dict[frozenset[str], float] = field(default_factory=dict[frozenset[str], float])
    """The same to the share of packets that are lost, 0 to 1."""
    slow_reboots: dict[str, float] = field(default_factory=dict[str, float])
    """Host (case-folded) to the seconds that a reboot takes longer; infinity: it never returns."""
    cards_changed: int = 0
    """Raised whenever a network card, a DAG network or a membership changes: who uses a network looks again."""
    filters: list[Callable[[Server, Server | None], bool]] = field(
        default_factory=list[Callable[[Server, Server | None], bool]]
    )
    """What else decides whether packets pass between two hosts: network ACLs, security groups. None: one outside."""
    cloud: CloudFaults = field(default_factory=CloudFaults)
    aws: Callable[[str, str, str, Mapping[str, object]], Mapping[str, object]] | None = None
    """A call of a host with the role of its instance: host, service, operation, parameters. None: there is no AWS.
    Raises `WorldError` (aws)."""
    rbac_missing: set[str] = field(default_factory=set[str])
    seed_failures: dict[tuple[str, str], float] = field(default_factory=dict[tuple[str, str], float])
    """Fault `seed_fail`: (database, server), case-folded, to the percentage at which a seed breaks."""
    seed_stalls: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    """Fault `seed_stall`: copies, (database, server), case-folded, whose seeds stand still."""
    preserved: dict[tuple[str, str], tuple[str, datetime]] = field(
        default_factory=dict[tuple[str, str], tuple[str, datetime]]
    )
    """(database, server), case-folded, to how the files there were last kept safe (`snapshot`, `copy-aside`, or
    `discard`: somebody signed that they may go), and when."""
    left_diverged: dict[tuple[str, str], tuple[int, datetime | None]] = field(
        default_factory=dict[tuple[str, str], tuple[int, datetime | None]]
    )
    """(database, server), case-folded, to the logs of their own that files of a removed copy hold, and since when."""
    volumes_full: dict[tuple[str, str], tuple[datetime, bool]] = field(
        default_factory=dict[tuple[str, str], tuple[datetime, bool]]
    )
    """(server, volume) to when it was last looked at, and whether it was full."""
    reviewers: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]])
    _reviewing: bool = False
    _again: bool = False
    _pokes: set[datetime] = field(default_factory=set[datetime])

    @property
    def now(self) -> datetime:
        """The simulated moment."""
        return self.scheduler.now

    def server(self, name: str) -> Server:
        """The host of that name (short, FQDN or computer account). Raises `not_found`."""
        server = self.servers.get(name)
        if server is None:
            raise WorldError("not_found", f"there is no server {name}", object="server", name=name)
        return server

    def database(self, name: str) -> Database:
        """The database of that name. Raises `not_found`."""
        database = self.databases.get(name)
        if database is None:
            raise WorldError("not_found", f"there is no database {name}", object="database", name=name)
        return database

    def cluster_of(self, dag: str, asked: Server) -> Cluster | None:
        """The cluster of a DAG as a host sees it: the one whose configuration it has, else the one that leads."""
        held = self.cluster_on(asked)
        return held if held is not None and held.name.casefold() == dag.casefold() else self.leading_cluster(dag)

    def cluster_on(self, server: Server) -> Cluster | None:
        """The cluster whose configuration a server has."""
        name = server.name.casefold()
        return next((one for one in self.clusters if name in one.holders), None)

    def leading_cluster(self, dag: str) -> Cluster | None:
        """Of a DAG's clusters the one with quorum, or with the newest configuration."""
        own = [one for one in self.clusters if one.name.casefold() == dag.casefold()]
        return max(own, key=lambda one: (one.quorate, one.version), default=None)

    def acting_cluster(self, dag: str, active: Server) -> Cluster | None:
        """The cluster whose Active Manager has a database: that of its active server while it has quorum."""
        held = self.cluster_of(dag, active)
        return held if held is not None and held.quorate else self.leading_cluster(dag)

    def service(self, server: Server, name: str) -> Service | None:
        """A service of a host, by name or display name, or None."""
        service = server.services.get(name)
        if service is not None:
            return service
        return next((one for one in server.services if one.display_name.casefold() == name.casefold()), None)

    def runs(self, server: Server, service: str) -> bool:
        """Whether the host answers and that service runs on it."""
        found = server.services.get(service)
        return self.answers(server) and found is not None and found.status == "Running"

    def zone_of(self, address: str) -> str:
        """The AZ of the subnet that holds an address; empty: none does."""
        found = ipaddress.ip_address(address)
        return next((one.az for one in self.subnets if found in ipaddress.ip_network(one.cidr)), "")

    def answers(self, server: Server) -> bool:
        """Whether a host is up and its services can be asked over the network at all."""
        return server.power == "on" and not server.hung

    def linked(self, one: Server, other: Server) -> bool:
        """Whether packets pass between two hosts, up or not."""
        if one is other:
            return True
        if self.cards_changed and (one.cut_off or other.cut_off):
            return False
        if one.az != other.az and any(
            (az := self.azs.get(name)) is not None and az.state == "isolated" for name in (one.az, other.az)
        ):
            return False
        if self.cut_links and one.az != other.az and self.cut_links.get(frozenset((one.az, other.az))):
            return False
        if not all(passes(one, other) for passes in self.filters):
            return False
        names = (one.name.casefold(), other.name.casefold())
        return not self.partition or any(all(name in group for name in names) for group in self.partition)

    def reaches(self, one: Server, other: Server) -> bool:
        """Whether `one` gets an answer from `other`."""
        return self.answers(one) and self.answers(other) and self.linked(one, other)

    def review(self) -> None:
        """Let every part see what has changed, until nothing follows any more."""
        if self._reviewing:
            self._again = True
            return
        self._reviewing = True
        try:
            for _ in range(20):
                self._again = False
                for reviewer in self.reviewers:
                    reviewer()
                if not self._again:
                    return
            raise AssertionError("the parts of the world do not come to rest")
        finally:
            self._reviewing = False

    def again(self) -> None:
        """A part changed something that the others must see in the same moment."""
        self._again = True

    def poke(self, when: datetime) -> None:
        """Review again at `when`."""
        if when not in self._pokes:
            self._pokes.add(when)
            self.scheduler.at(when, lambda: self._poked(when))

    def poke_after(self, seconds: float) -> datetime:
        """Review again after that many seconds; returns the moment."""
        when = self.now + timedelta(seconds=seconds)
        self.poke(when)
        return when

    def _poked(self, when: datetime) -> None:
        self._pokes.discard(when)
        self.review()

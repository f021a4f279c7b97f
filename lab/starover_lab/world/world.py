"""The door to the simulated estate for cmdlets, wire and control: reads, writes, faults; knows no PowerShell, no wire.

A read answers at once with the facts of this moment, a write makes its transition at once; both raise `WorldError`. How
long a cmdlet takes is the caller's business: it waits with `world.scheduler.wait` (and `WorldError.blocked_s` before it
tells an error). Writes that go on by themselves (mount, move, seed) return the moment at which they are expected to be
done, so that the cmdlet can wait for it. `asked` is the server on which the cmdlet runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Literal

from starover_lab.world.access_points import AccessPoints
from starover_lab.world.activation import Activation
from starover_lab.world.active_manager import ActiveManager
from starover_lab.world.ad_objects import ActiveDirectory
from starover_lab.world.build import build
from starover_lab.world.client_access import ClientAccess
from starover_lab.world.clock import Scheduler
from starover_lab.world.cluster import Clusters
from starover_lab.world.cluster_tasks import ClusterTasks
from starover_lab.world.components import Components, ComponentState, HealthPage
from starover_lab.world.copy_sets import CopySets
from starover_lab.world.dacp import Dacp
from starover_lab.world.dag_networks import DagNetworks
from starover_lab.world.dag_objects import dags_on
from starover_lab.world.dag_recovery import DagRecovery
from starover_lab.world.dags import Dags
from starover_lab.world.database_door import DatabaseDoor
from starover_lab.world.directory import DomainController
from starover_lab.world.dns import Dns
from starover_lab.world.entities import (
    Account,
    AuditRecord,
    Cluster,
    ClusterNode,
    Component,
    DagObject,
    Server,
)
from starover_lab.world.errors import Data, WorldError
from starover_lab.world.events import Event
from starover_lab.world.faults import Faults
from starover_lab.world.hosts import Hosts
from starover_lab.world.invariants import Invariants
from starover_lab.world.invariants_of_operations import runs_nothing
from starover_lab.world.lag import ReplayLag
from starover_lab.world.members import Members
from starover_lab.world.network_cards import NetworkCards
from starover_lab.world.operator_changes import somebody
from starover_lab.world.queues import Queues
from starover_lab.world.reading import Reading
from starover_lab.world.rebalance import Rebalance
from starover_lab.world.recovery_databases import RecoveryDatabases
from starover_lab.world.replication import Replication
from starover_lab.world.safety_net import SafetyNet
from starover_lab.world.seeding import Seeding
from starover_lab.world.server_settings import ServerSettings
from starover_lab.world.service_control import ServiceControl
from starover_lab.world.snapshot import snapshot
from starover_lab.world.split_brain import SplitBrain
from starover_lab.world.state import State
from starover_lab.world.storage import space
from starover_lab.world.topology import load
from starover_lab.world.topology_specs import Topology
from starover_lab.world.updates import Updates
from starover_lab.world.views import DagStatus, NodeView, Space
from starover_lab.world.windows import Windows
from starover_lab.world.witness import Witness

__all__ = ["World"]

_HOUSEKEEPING_S = 1800.0


class World(DatabaseDoor):
    """One estate and its time."""

    state: State
    """Everything as dataclasses: `.servers`, `.databases`, `.clusters`, `.accounts`, `.azs`, `.tuning`, `.dice`."""

    topology: Topology
    """What it was made of: balancers, client names, description."""

    def __init__(self, topology: Topology, *, seed: int | None = None) -> None:
        """A world at its topology's start. Raises `FaultError` when a fault of the topology cannot be made."""
        self.topology = topology
        state = self.state = build(topology, seed=seed)
        self._replication = Replication(state)
        self._seeding = Seeding(state, self._replication)
        self._clusters = Clusters(state)
        activation = Activation(state, self._replication)
        self.safety_net = SafetyNet(state)
        """Resubmit requests: Active Manager's own, and others."""
        self._active_manager = ActiveManager(state, self._replication, activation, self.safety_net.lost)
        self.lag = ReplayLag(state, self._replication, activation)
        """Lagged copies giving their delay up."""
        self._hosts = Hosts(state, self._clusters)
        self._components = Components(state, self._hosts)
        self._servers = ServerSettings(state)
        self.services = ServiceControl(state, self._hosts)
        """Services and who needs whom."""
        self._reading = Reading(state, self._replication, self._seeding)
        self._faults = Faults(state, self._hosts, self._replication)
        self._faults.somebody = partial(somebody, self)
        self.invariants = Invariants(state)
        self.ad = ActiveDirectory(state)
        """Computer accounts, groups, DCs and their replication."""
        self.dns = Dns(state)
        """DNS zones and resolving."""
        witness = Witness(state, self._clusters)
        access_points = AccessPoints(state, self.ad, self.dns)
        self.copies = CopySets(state, self.ad, self._seeding)
        """Database copies as configuration: added, removed, as each DC knows them."""
        self.dags = Dags(state, self._clusters, self._hosts, witness, self.ad)
        """DAG objects: New-, Set-, Remove-DatabaseAvailabilityGroup."""
        self.cluster_tasks = ClusterTasks(state, self._clusters, self._hosts, self._reading)
        """Cluster nodes started, stopped, forced, evicted and cleared; the quorum set by hand."""
        self.recovery_databases = RecoveryDatabases(state, self.ad, self.copies)
        self.recovery = DagRecovery(state, self._clusters, self.cluster_tasks, witness, self.ad)
        """Stop-, Restore- and Start-DatabaseAvailabilityGroup."""
        self.members = Members(state, self._clusters, witness, self.ad, access_points, self.copies)
        """Servers joining and leaving a DAG."""
        self.networks = DagNetworks(state, self.ad)
        """DAG networks."""
        self.windows = Windows(state, self._hosts, self._active_manager.evacuate)
        """Features, groups, firewall, shares, reboots, reachability."""
        self.nics = NetworkCards(state)
        """Network cards, and EC2's interfaces."""
        self.client_access = ClientAccess(state)
        """Virtual directories, Outlook Anywhere, certificates, providers."""
        self.updates = Updates(state)
        """Windows updates."""
        self.queues = Queues(state)
        """Transport queues and send connectors."""
        self._split_brain = SplitBrain(state, self._replication, activation)
        state.directory.arrived.append(self._replicated)
        state.reviewers += [
            self._hosts.review,
            state.directory.review,
            self._clusters.review,
            access_points.review,
            Dacp(state).review,
            self._active_manager.review,
            Rebalance(state, activation, self._active_manager).review,
            self._split_brain.review,
            self._seeding.review,
            self._replication.review,
            self.lag.review,
            self.safety_net.review,
            self.queues.review,
            self.updates.review,
        ]
        state.review()
        state.log.after.append(self.invariants.check)
        state.log.add("lab_started", state.name, seed=state.dice.seed)
        self._keep_house()
        for fault in topology.faults:
            self.fault(fault.kind, fault.target, **fault.params)

    @classmethod
    def from_topology(
        cls, topology: str | Path, *, seed: int | None = None, flags: Sequence[str] = (), dag: bool = False
    ) -> World:
        """A world from a topology by name or file; `dag` is short for the flag `dag`. Raises `TopologyError`."""
        if dag and not load(topology, flags=flags).dags:
            flags = [*flags, "dag"]
        return cls(load(topology, flags=flags), seed=seed)

    @property
    def scheduler(self) -> Scheduler:
        """The clock."""
        return self.state.scheduler

    @property
    def now(self) -> datetime:
        """The simulated moment."""
        return self.state.now

    @property
    def events(self) -> list[Event]:
        """All that has happened."""
        return self.state.log.events

    # -- hosts, people -------------------------------------------------------------------------------------------

    def server(self, name: str) -> Server:
        """A host by short name, FQDN or computer account, whether it is up or not. Raises `not_found`."""
        return self.state.server(name)

    def listener(self, host: str) -> tuple[str, ...]:
        """Faults of a host's WinRM listener now, as `wire.endpoint` has them."""
        return self._servers.listener(self.server(host))

    def account(self, user: str) -> Account | None:
        r"""The account behind `DOMAIN\name`, `name@domain` or `name`; None when unknown or expired."""
        return self._servers.account(user)

    def reach(self, asked: str, target: str) -> Server:
        """The target, if `asked` gets an answer from it. Raises `not_found`, `server_down` (with `blocked_s`)."""
        return self._servers.reach(self.server(asked), self.server(target))

    def exchange_answers(self, server: str) -> bool:
        """Whether `/PowerShell` of that server takes connections now."""
        return self._servers.exchange_answers(self.server(server))

    def pending_services(self, server: str) -> Sequence[str]:
        """Automatic services that are not running."""
        return [
            service.name
            for service in self.server(server).services
            if service.start_type == "Automatic" and service.status != "Running"
        ]

    def space(self, server: str, path: str) -> Space | None:
        """The volume that a path of that server lies on, now; None when there is no such volume or no server."""
        host = self.state.servers.get(server)
        return space(self.state, host, path) if host is not None else None

    def start_service(self, server: str, service: str) -> datetime:
        """Start a service; returns when it runs. Raises `not_found`, `service_down` when it does not start."""
        return self.services.start(server, service)

    def stop_service(self, server: str, service: str) -> datetime:
        """Stop a service (clussvc: the node leaves cleanly); returns when it has stopped. Raises `has_dependents`."""
        return self.services.stop(server, service)

    def health_page(self, server: str, directory: str) -> HealthPage:
        """What `https://SERVER/DIRECTORY/healthcheck.htm` answers now: a status, or how the connection fails."""
        return self._components.health_page(server, directory)

    # -- power, for whoever stands in EC2's place ----------------------------------------------------------------

    def power_off(self, server: str, cause: str, *, clean: bool = False) -> datetime:
        """Take a host's power away, or with `clean` let it shut down in order; returns when it is off.

        `cause` is the taker's word (`ec2`); the host stays off until `power_on` names the same and no fault keeps it
        off. Also on a host that is off already: then the word alone counts. Raises `not_found`.
        """
        host = self.server(server)
        if clean:
            if host.power == "on":
                self._active_manager.evacuate(host)
            return self._hosts.shut_down(host, cause, cause)
        self._hosts.off(host, cause, cause)
        return self.now

    def power_on(self, server: str, cause: str) -> None:
        """Take a cause back; the host boots if nothing else keeps it off (a lost zone does). Raises `not_found`."""
        self._hosts.on(self.server(server), cause)

    def restart_host(self, server: str) -> datetime:
        """Reboot a host from outside, in order; returns when it should answer again. Raises `not_found`."""
        return self._hosts.reboot(self.server(server))

    def power(self, server: str) -> Literal["on", "booting", "off"]:
        """A host's power now. Raises `not_found`."""
        return self.server(server).power

    def ec2_mode(self, az: str) -> Literal["up", "stops", "stuck", "api_down"]:
        """How EC2 answers for a zone's instances (fault `az_loss`, `ec2=`). Raises `not_found`."""
        found = self.state.azs.get(az)
        if found is None:
            raise WorldError("not_found", f"there is no zone {az}", object="az", name=az)
        return found.ec2

    # -- Active Directory ----------------------------------------------------------------------------------------

    def dc_of(self, asked: str, name: str | None = None) -> DomainController:
        """The DC that a cmdlet on `asked` uses, or the one named. Raises `no_dc`, `not_found`, `server_down`."""
        return self._servers.dc_of(self.server(asked), name)

    def dag_names(self, asked: str, dc: str | None = None) -> list[str]:
        """The DAGs that this DC knows."""
        return self._servers.dag_names(self.dc_of(asked, dc))

    def dag(self, name: str, asked: str, dc: str | None = None) -> DagObject:
        """A DAG as this DC knows it. Raises `not_found`."""
        return self._servers.dag(name, self.dc_of(asked, dc))

    def dag_status(self, name: str, asked: str, dc: str | None = None) -> DagStatus:
        """The same with what `-Status` asks the cluster. Raises `no_quorum` when no member can tell."""
        controller = self.dc_of(asked, dc)
        return self._reading.dag_status(self._servers.dag(name, controller), controller.name, self.server(asked))

    def dag_of(self, server: str) -> str:
        """The DAG of a server as the DC of its site knows it; empty: none. Without a DC: as its cluster knows it."""
        host = self.server(server)
        try:
            dags = dags_on(self.state.directory, self.state.directory.closest(host.site))
        except WorldError:
            return next((cluster.name for cluster in self.state.clusters if host.name in cluster.nodes), "")
        names = [dag.name for dag in dags if host.name.casefold() in {name.casefold() for name in dag.members}]
        return names[0] if names else ""

    # -- cluster -------------------------------------------------------------------------------------------------

    def cluster(self, asked: str) -> Cluster:
        """The cluster as a node sees it. Raises `service_down` (no cluster service there), `no_quorum`."""
        return self._reading.cluster(self.server(asked))

    def nodes(self, asked: str) -> list[NodeView]:
        """The nodes of that cluster."""
        return self._reading.nodes(self.cluster(asked))

    def suspend_node(self, asked: str, node: str, *, drain: bool = False) -> None:
        """Pause a node."""
        cluster = self.cluster(asked)
        self._clusters.pause(cluster, _node(cluster, node), drain=drain)

    def resume_node(self, asked: str, node: str) -> None:
        """End a node's pause."""
        cluster = self.cluster(asked)
        self._clusters.resume(cluster, _node(cluster, node))

    def move_core_group(self, asked: str, node: str | None = None) -> str:
        """Move the core group (and with it the PAM) to a node that is up; returns its new owner."""
        return self._clusters.move_core_group(self.cluster(asked), node)

    # -- Exchange servers ----------------------------------------------------------------------------------------

    def components(self, server: str, asked: str) -> list[tuple[Component, ComponentState]]:
        """Each component and its effective state (`Active`, `Inactive`, `Draining`)."""
        return self._components.of(self.reach(asked, server))

    def set_component(
        self,
        server: str,
        asked: str,
        component: str,
        state: ComponentState,
        requester: str,
        *,
        local_only: bool = False,
        remote_only: bool = False,
    ) -> None:
        """Set-ServerComponentState. Raises `not_found`, `invalid`."""
        host = self.server(server) if remote_only else self.reach(asked, server)
        self._components.set(host, component, state, requester, local=not remote_only, remote=not local_only)

    def set_activation(
        self,
        server: str,
        asked: str,
        *,
        policy: Literal["Unrestricted", "IntrasiteOnly", "Blocked"] | None = None,
        disabled_and_move_now: bool | None = None,
        dial: Literal["Lossless", "GoodAvailability", "BestAvailability"] | None = None,
        max_active: int | Literal["unlimited"] | None = None,
        max_preferred_active: int | Literal["unlimited"] | None = None,
    ) -> None:
        """Set-MailboxServer: activation policy, disabled and move now, AutoDatabaseMountDial, maximum of actives."""
        self.dc_of(asked)
        self._servers.set_activation(
            self.server(server),
            policy=policy,
            disabled_and_move_now=disabled_and_move_now,
            dial=dial,
            max_active=max_active,
            max_preferred_active=max_preferred_active,
        )

    # -- records and faults --------------------------------------------------------------------------------------

    def record_audit(self, record: AuditRecord) -> None:
        """Keep a mutating cmdlet in the admin audit log (also when it failed)."""
        if not self.state.audit_off:
            self.state.audit.append(record)
        host = self.state.servers.get(record.server)
        if host is not None and (why := runs_nothing(self.state, host)):
            self.invariants.record("I13", host.name, f"{record.cmdlet} ran on a host that {why}")

    def fault(self, kind: str, target: str = "", **params: Data) -> int:
        """Break something; returns the fault's number. Raises `FaultError` with what is known."""
        return self._faults.make(kind, target, params).number

    def mend(self, number: int | None = None, *, kind: str = "", target: str = "") -> list[int]:
        """Undo a fault by number, or all of a kind and target, or all; returns the numbers undone."""
        numbers = [number] if number is not None else self._faults.matching(kind, target)
        for one in numbers:
            self._faults.mend(one)
        return numbers

    def faults(self) -> list[Mapping[str, Data]]:
        """The faults in force: number, kind, target, params, since."""
        return [
            {
                "number": one.number,
                "kind": one.kind,
                "target": one.target,
                "params": dict(one.params),
                "since": one.since.isoformat(),
                "text": one.text or "still to come",
            }
            for one in self._faults.in_force.values()
        ]

    def violations(self) -> list[Mapping[str, Data]]:
        """Invariants that were broken: id, time, text, event."""
        return [
            {
                "id": one.id,
                "time": one.time.isoformat(),
                "subject": one.subject,
                "text": one.text,
                "event": one.event,
            }
            for one in self.invariants.violations
        ]

    def snapshot(self) -> dict[str, Data]:
        """The whole state as JSON-able data."""
        return snapshot(self.state, self._replication, faults=self.faults(), violations=self.violations())

    def _keep_house(self) -> None:
        """Look round every half hour for what comes about slowly: volumes that fill."""
        self.state.review()
        self.scheduler.after(_HOUSEKEEPING_S, self._keep_house)

    def _replicated(self, _: str, key: str) -> None:
        """A change of a DAG landed on another DC: those who ask that DC know it now."""
        if key.startswith(("dag:", "dagattr:", "member:")):
            self.state.cards_changed += 1
            self.state.review()


def _node(cluster: Cluster, name: str) -> ClusterNode:
    node = cluster.nodes.get(name)
    if node is None:
        raise WorldError("not_found", f"there is no node {name}", object="node", name=name)
    return node

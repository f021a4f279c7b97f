"""Stop-, Restore- and Start-DatabaseAvailabilityGroup: a datacenter switchover and the way back; knows no cmdlet text.

simulator.md section 4; facts/exchange.md points 15 and 16. All three take their time and go on when nobody waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from starover_lab.world.ad_objects import ActiveDirectory
from starover_lab.world.cluster import CLUSSVC, Clusters
from starover_lab.world.cluster_tasks import ClusterTasks
from starover_lab.world.dag_objects import find_dag, read_dag, write_dag
from starover_lab.world.directory import DomainController
from starover_lab.world.entities import Cluster, ClusterNode, DagObject, Server
from starover_lab.world.errors import WorldError
from starover_lab.world.names import same
from starover_lab.world.operations import Operation
from starover_lab.world.replication import REPL
from starover_lab.world.state import State, first_label
from starover_lab.world.witness import Witness
from starover_lab.world.witness_share import default_directory

__all__ = ["DagRecovery", "RestoreWishes"]


@dataclass(frozen=True, kw_only=True)
class RestoreWishes:
    """What Restore-DatabaseAvailabilityGroup was told beside the DAG."""

    site: str = ""
    """Empty: all members that are not stopped."""
    witness_server: str = ""
    """-AlternateWitnessServer; empty: as the DAG has it."""
    witness_directory: str = ""
    primary_witness: bool = False
    """-UsePrimaryWitnessServer."""


class DagRecovery:
    """Datacenter switchovers of DAGs in DAC mode."""

    def __init__(
        self, state: State, clusters: Clusters, tasks: ClusterTasks, witness: Witness, ad: ActiveDirectory
    ) -> None:
        self._state = state
        self._clusters = clusters
        self._tasks = tasks
        self._witness = witness
        self._ad = ad

    # -- stop ----------------------------------------------------------------------------------------------------

    def stop(
        self,
        dag: str,
        asked: str,
        *,
        site: str = "",
        server: str = "",
        configuration_only: bool = False,
        dc: str | None = None,
    ) -> Operation:
        """Stop-DatabaseAvailabilityGroup for the members of a site, or one member.

        Written on the contacted DC and on one DC of each site concerned that answers. Unless `configuration_only`, the
        cluster configuration of each is wiped, its service Disabled, its databases dismounted; those that do not answer
        are an error. Raises `not_found`, `not_dac`, `no_members_there`, `no_dc`; `Operation.error`: `server_down`.
        """
        state, asker = self._state, self._state.server(asked)
        target = self._ad.dc(asked, dc)
        known = self._guarded(target, dag)
        hosts = self._meant(known, site, server)
        for one in self._controllers(target, asker, hosts):
            self._move(one, known.name, hosts, to="stopped")
        state.log.add("dag_stopped", known.name, servers=", ".join(host.name for host in hosts), dc=target.name)
        state.review()
        if configuration_only:
            return Operation(state.now)
        there = [host for host in hosts if state.reaches(asker, host)]
        silent = [host for host in hosts if host not in there]
        seconds = state.tuning.stop_dag_member_s * len(there) + (state.tuning.rpc_timeout_s if silent else 0.0)
        operation = Operation(state.poke_after(seconds))
        for number, host in enumerate(there, start=1):
            moment = state.now + timedelta(seconds=state.tuning.stop_dag_member_s * number)
            state.scheduler.at(moment, lambda host=host: self._stopped(host))  # type: ignore[misc]
        if silent:
            operation.error = _down(silent[0])
        return operation

    def _stopped(self, host: Server) -> None:
        if self._state.answers(host):
            self._tasks.clean_up(host)

    # -- restore -------------------------------------------------------------------------------------------------

    def restore(self, dag: str, asked: str, wishes: RestoreWishes, *, dc: str | None = None) -> Operation:
        """Restore-DatabaseAvailabilityGroup: the survivors form the DAG's cluster again, the stopped are evicted.

        Notices: `witness_*`, `not_evicted` (the cluster service was still starting: run it again), `node_not_started`.
        Raises `not_found`, `not_dac`, `none_stopped`, `no_members_there`, `server_down`, `service_down`, `no_dc`;
        `Operation.error` the same when it breaks off.
        """
        state, asker = self._state, self._state.server(asked)
        target = self._ad.dc(asked, dc)
        known = self._guarded(target, dag)
        stopped = {first_label(one).casefold() for one in known.stopped}
        if not stopped:
            raise WorldError("none_stopped", f"{known.name} has no stopped servers", dag=known.name)
        hosts = [state.servers[name] for name in known.members if name.casefold() not in stopped]
        if wishes.site:
            hosts = [host for host in hosts if same(host.site, wishes.site)]
        if not hosts:
            raise WorldError("no_members_there", "no member is left", dag=known.name, site=wishes.site)
        reached = [host for host in hosts if state.reaches(asker, host)]
        if not reached:
            raise _down(hosts[0], state.tuning.rpc_timeout_s)
        operation = Operation(state.poke_after(state.tuning.restore_dag_s))
        leader = self._leader(reached, asker)
        begun = state.now
        forced = False
        cluster = state.cluster_on(leader)
        if cluster is None or leader.name not in cluster.nodes:
            raise WorldError("service_down", f"{leader.name} has no cluster", server=leader.name, service=CLUSSVC)
        if not self._up(cluster, leader):
            service = leader.services.get(CLUSSVC)
            if service is not None and service.start_type == "Disabled":
                service.start_type = "Automatic"
            begun, forced = self._tasks.force(leader), True
        state.log.add("dag_restoring", known.name, node=leader.name, forced=forced)
        late = forced and state.tuning.restore_evicts == "second"

        def join() -> None:
            self._evict(known, leader, stopped, operation, late=late)
            self._start_others(reached, leader)

        state.scheduler.at(begun + timedelta(seconds=1), join)
        state.scheduler.at(
            operation.ends, lambda: self._restored(known, target, hosts, leader, asker, wishes, operation, late=late)
        )
        return operation

    def _leader(self, reached: Sequence[Server], asker: Server) -> Server:
        """The survivor that begins: one that is up already, else one with the newest configuration, the asker first."""

        def rank(host: Server) -> tuple[bool, int, bool]:
            cluster = self._state.cluster_on(host)
            return (
                cluster is None or not self._up(cluster, host),
                -(cluster.epoch if cluster is not None else -1),
                host is not asker,
            )

        return min(reached, key=rank)

    def _up(self, cluster: Cluster, host: Server) -> bool:
        node = cluster.nodes.get(host.name)
        return (
            self._state.cluster_on(host) is cluster
            and cluster.quorate
            and node is not None
            and node.state in ("Up", "Paused")
        )

    def _evict(self, known: DagObject, leader: Server, stopped: set[str], operation: Operation, *, late: bool) -> None:
        cluster = self._state.cluster_on(leader)
        if cluster is None or not self._up(cluster, leader):
            return
        cluster.recovering = True
        for node in cluster.nodes:
            if node.server.casefold() not in stopped:
                continue
            if late:
                operation.warn("not_evicted", f"{node.server} could not be evicted", server=node.server, dag=known.name)
            else:
                self._clusters.evict(cluster, node)

    def _start_others(self, reached: Sequence[Server], leader: Server) -> None:
        for host in reached:
            service = host.services.get(CLUSSVC)
            if host is leader or service is None or not self._state.answers(host) or service.crashed:
                continue
            if service.start_type == "Disabled":
                service.start_type = "Automatic"
            if service.status == "Stopped":
                service.status, service.gave_up = "StartPending", False
                service.busy_until = self._state.poke_after(self._state.tuning.service_start_s)
        self._state.review()

    def _restored(
        self,
        known: DagObject,
        target: DomainController,
        hosts: Sequence[Server],
        leader: Server,
        asker: Server,
        wishes: RestoreWishes,
        operation: Operation,
        *,
        late: bool,
    ) -> None:
        """Quorum type and witness for who is left, and the bits."""
        state, cluster = self._state, self._state.cluster_on(leader)
        if cluster is None or not self._up(cluster, leader):
            operation.error = WorldError("no_quorum", f"{known.name} has no quorum", cluster=known.name)
            return
        for host in hosts:
            if not self._up(cluster, host):
                operation.warn("node_not_started", f"{host.name} has not joined", server=host.name, dag=known.name)
        dc = target if target.up() else state.directory.closest(asker.site)
        dag = find_dag(state.directory, dc, known.name) or known
        if wishes.witness_server:
            host = state.server(wishes.witness_server)
            dag = replace(
                dag,
                alternate_witness_server=host.fqdn,
                alternate_witness_directory=wishes.witness_directory or default_directory(state, dag.name),
            )
            write_dag(state.directory, dc, dag, state.now)
        elif wishes.witness_directory and dag.alternate_witness_server:
            dag = replace(dag, alternate_witness_directory=wishes.witness_directory)
            write_dag(state.directory, dc, dag, state.now)
        self._witness.settle_restored(cluster, dag, asker, operation, primary=wishes.primary_witness)
        if late:
            state.log.add("dag_half_restored", dag.name, nodes=len(cluster.nodes))
        for host in hosts:
            if host.exchange is not None and self._up(cluster, host) and state.runs(host, REPL):
                host.exchange.dacp_bit, host.exchange.dacp_set_at = 1, state.now
                state.log.add("dacp_bit", host.name, bit=1)
        state.log.add("dag_restored", dag.name, nodes=len(cluster.nodes), witness=cluster.witness_server or "none")
        state.review()

    # -- start ---------------------------------------------------------------------------------------------------

    def start(
        self,
        dag: str,
        asked: str,
        *,
        site: str = "",
        server: str = "",
        configuration_only: bool = False,
        dc: str | None = None,
    ) -> Operation:
        """Start-DatabaseAvailabilityGroup: stopped members join the cluster again; the witness stays what it is.

        Raises `not_found`, `not_dac`, `no_members_there`, `no_quorum`, `server_down`, `no_dc`.
        """
        state, asker = self._state, self._state.server(asked)
        target = self._ad.dc(asked, dc)
        known = self._guarded(target, dag)
        hosts = self._meant(known, site, server)
        if configuration_only:
            for one in self._controllers(target, asker, hosts):
                self._move(one, known.name, hosts, to="started")
            return Operation(state.now)
        silent = [host for host in hosts if not state.reaches(asker, host)]
        if silent:
            raise _down(silent[0], state.tuning.rpc_timeout_s)
        leader = self._leading(known, asker)
        operation = Operation(state.poke_after(state.tuning.start_dag_member_s * len(hosts)))
        for one in self._controllers(target, asker, hosts):
            self._move(one, known.name, hosts, to="started")
        for number, host in enumerate(hosts, start=1):
            moment = state.now + timedelta(seconds=state.tuning.start_dag_member_s * number)
            state.scheduler.at(
                moment,
                lambda host=host: self._started(known.name, host, leader, operation),  # type: ignore[misc]
            )
        state.log.add("dag_started", known.name, servers=", ".join(host.name for host in hosts), dc=target.name)
        return operation

    def _leading(self, known: DagObject, asker: Server) -> Cluster:
        cluster = self._state.cluster_of(known.name, asker)
        cluster = cluster if cluster is not None and cluster.quorate else self._state.leading_cluster(known.name)
        if cluster is None or not cluster.quorate:
            raise WorldError("no_quorum", f"the cluster {known.name} has no quorum", cluster=known.name)
        return cluster

    def _started(self, dag: str, host: Server, cluster: Cluster, operation: Operation) -> None:
        """The host's old configuration is wiped, and it joins."""
        state = self._state
        if self._up(cluster, host):
            return
        ups = [state.servers[node.server] for node in cluster.nodes if node.state in ("Up", "Paused")]
        if not cluster.quorate or not any(state.reaches(host, up) for up in ups):
            operation.error = (
                _down(host)
                if cluster.quorate
                else WorldError("no_quorum", f"the cluster {dag} has no quorum", cluster=dag)
            )
            return
        node = cluster.nodes.get(host.name)
        if node is None or state.cluster_on(host) is not cluster:
            self._tasks.clean_up(host)
        number = node.id if node is not None else max((one.id for one in cluster.nodes), default=0) + 1
        self._clusters.enter(cluster, ClusterNode(host.name, number))
        cluster.discovered.update(nic.subnet for nic in host.nics if nic.subnet)
        state.cards_changed += 1
        state.log.add("member_started", host.name, dag=dag)
        state.review()

    # -- small things --------------------------------------------------------------------------------------------

    def _guarded(self, dc: DomainController, dag: str) -> DagObject:
        known = read_dag(self._state.directory, dc, dag)
        if known.dac_mode != "DagOnly":
            raise WorldError("not_dac", f"{known.name} is not in DAC mode", dag=known.name)
        return known

    def _meant(self, known: DagObject, site: str, server: str) -> list[Server]:
        """The members of a site, or the one named. Raises `no_members_there`, `not_member`, `not_found`."""
        state = self._state
        if server:
            host = state.server(server)
            if not any(same(host.name, name) for name in known.members):
                raise WorldError("not_member", f"{host.name} is no member", server=host.name, dag=known.name)
            return [host]
        if site not in state.sites:
            raise WorldError("not_found", f"there is no site {site}", object="site", name=site)
        hosts = [state.servers[name] for name in known.members if same(state.servers[name].site, site)]
        if not hosts:
            raise WorldError("no_members_there", f"no member is in {site}", dag=known.name, site=site)
        return hosts

    def _controllers(self, target: DomainController, asker: Server, hosts: Sequence[Server]) -> list[DomainController]:
        """The contacted DC, and of each site concerned the first DC that answers the asker."""
        state, found = self._state, [target]
        for site in dict.fromkeys(host.site.casefold() for host in hosts):
            there = [
                one
                for one in state.directory.controllers
                if same(one.site, site) and one.up() and state.linked(asker, state.servers[one.name])
            ]
            if there and not any(one in found for one in there):
                found.append(there[0])
        return found

    def _move(self, dc: DomainController, dag: str, hosts: Sequence[Server], *, to: str) -> None:
        """Write hosts onto the list of started or of stopped servers, and off the other."""
        known = find_dag(self._state.directory, dc, dag)
        if known is None:
            return
        names = {host.fqdn.casefold() for host in hosts}

        def list_of(old: Sequence[str], *, add: bool) -> tuple[str, ...]:
            kept = tuple(one for one in old if one.casefold() not in names)
            return (*kept, *(host.fqdn for host in hosts)) if add else kept

        write_dag(
            self._state.directory,
            dc,
            replace(
                known,
                started=list_of(known.started, add=to == "started"),
                stopped=list_of(known.stopped, add=to == "stopped"),
            ),
            self._state.now,
        )


def _down(host: Server, blocked_s: float = 0.0) -> WorldError:
    return WorldError(
        "server_down", f"{host.name} does not answer", blocked_s=blocked_s, server=host.name, fqdn=host.fqdn
    )

"""What administrators do to cluster nodes and quorum beside Exchange: FailoverClusters' cmdlets, `net start clussvc`.

simulator.md section 4. Who may be asked and what is printed is the cmdlets' business.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from starover_lab.world import forced_quorum, quarantine, quorum
from starover_lab.world.cluster import CLUSSVC, Clusters
from starover_lab.world.entities import Cluster, ClusterNode, Server
from starover_lab.world.errors import WorldError
from starover_lab.world.forced_quorum import holds
from starover_lab.world.hosts import Hosts
from starover_lab.world.reading import Reading
from starover_lab.world.state import State, first_label

__all__ = ["ClusterTasks"]


class ClusterTasks:
    """Nodes and quorum by hand."""

    def __init__(self, state: State, clusters: Clusters, hosts: Hosts, reading: Reading) -> None:
        self._state = state
        self._clusters = clusters
        self._hosts = hosts
        self._reading = reading

    def start(
        self, asked: str, node: str, *, force: bool = False, prevent: bool = False, clear_quarantine: bool = False
    ) -> datetime:
        """Start-ClusterNode, or `net start clussvc` with its switches; returns when the service should run.

        Raises `not_found` (no such node, or no configuration on it), `server_down`, `service_down` (Disabled).
        """
        host = self._reached(asked, node)
        if self._state.cluster_on(host) is None:
            raise WorldError("not_found", f"{host.name} is no cluster node", object="cluster", name=host.name)
        if clear_quarantine:
            self.clear_quarantine(host)
        if force:
            return self.force(host)
        self._configured(host).nodes[host.name].prevent_quorum = prevent
        return self._hosts.start(host, CLUSSVC)

    def stop(self, asked: str, node: str) -> datetime:
        """Stop-ClusterNode; returns when the service has stopped. Raises `not_found`, `server_down`."""
        return self._hosts.stop(self._reached(asked, node), CLUSSVC)

    def evict(self, asked: str, node: str) -> None:
        """Remove-ClusterNode: the cluster forgets a node, AD does not; a host that is away keeps what it knows.

        Raises `service_down`, `no_quorum`, `not_found`.
        """
        cluster, found = self._node(asked, node)
        self._clusters.evict(cluster, found)
        self._state.review()

    def clear(self, asked: str, node: str) -> None:
        """Clear-ClusterNode -Force: wipe the configuration on a host. Raises `server_down`, `not_found`, `is_up`."""
        host = self._reached(asked, node)
        cluster = self._state.cluster_on(host)
        own = cluster.nodes.get(host.name) if cluster is not None else None
        if cluster is not None and cluster.quorate and own is not None and own.state in ("Up", "Paused"):
            raise WorldError("is_up", f"{host.name} is a node that is up", server=host.name, cluster=cluster.name)
        self.clean_up(host)

    def set_quorum(self, asked: str, *, share: str | None) -> None:
        """Set-ClusterQuorum: no witness (None), or the file share `\\\\server\\share`.

        Raises `service_down`, `no_quorum`, `not_found` (object share: it does not answer).
        """
        state = self._state
        cluster = self._reading.cluster(state.server(asked))
        if share is None:
            if self._clusters.release_witness(cluster):
                cluster.votes = quorum.recalc(cluster.votes)
                state.log.add("quorum_type", cluster.name, type="NodeMajority", now=self._clusters.weights(cluster))
            state.review()
            return
        name, _, folder = share.strip("\\").partition("\\")
        host = state.servers.get(name)
        old = (cluster.witness_server, cluster.witness_path)
        if host is not None and folder:
            cluster.witness_server, cluster.witness_path = host.name, f"\\\\{name}\\{folder}"
        ups = [state.servers[one.server] for one in cluster.nodes if one.state in ("Up", "Paused")]
        if host is None or not any(self._clusters.witness_reachable(cluster, up) for up in ups):
            cluster.witness_server, cluster.witness_path = old
            raise WorldError("not_found", f"the share {share} does not answer", object="share", name=share)
        cluster.witness_missed_since = None
        cluster.votes = quorum.recalc(replace(cluster.votes, witness=True, witness_online=True))
        state.log.add("witness_set", cluster.name, server=host.name, online=True, now=self._clusters.weights(cluster))
        state.review()

    # -- on a host, by itself ------------------------------------------------------------------------------------

    def force(self, server: Server) -> datetime:
        """Start-ClusterNode -ForceQuorum on a host; returns when it should be up. Nothing where it is up already.

        The node goes on alone with its configuration; those who reach it later take that over. Raises `not_found` (no
        configuration), `service_down` (start type Disabled).
        """
        state = self._state
        cluster = self._configured(server)
        if cluster.quorate and cluster.nodes[server.name].state in ("Up", "Paused"):
            return state.now
        service = server.services.get(CLUSSVC)
        if service is None or service.start_type == "Disabled" or service.crashed:
            raise WorldError("service_down", f"{CLUSSVC} cannot be started", server=server.name, service=CLUSSVC)
        ends = state.poke_after(state.tuning.service_start_s)
        service.status, service.gave_up, service.busy_until = "StartPending", False, None
        state.scheduler.at(ends, lambda: self._forced(server))
        return ends

    def _forced(self, server: Server) -> None:
        state, cluster = self._state, self._state.cluster_on(server)
        service = server.services.get(CLUSSVC)
        if cluster is None or service is None or service.status != "StartPending" or not state.answers(server):
            return
        elsewhere = [one for one in state.clusters if one.origin == cluster.origin and one.quorate]
        made = forced_quorum.split_off(state, cluster, cluster.nodes[server.name])
        node = made.nodes[server.name]
        node.state = "Paused" if node.paused else "Up"
        service.status = "Running"
        made.quorate = True
        seen = self._clusters.witness_reachable(made, server)
        made.votes = quorum.recalc(
            replace(made.votes, up={**made.votes.up, node.id: True}, witness_online=made.votes.witness and seen)
        )
        self._clusters.own(made, server.name)
        state.log.add("quorum_forced", made.name, node=server.name, epoch=made.epoch, now=self._clusters.weights(made))
        if elsewhere:
            state.log.add("cluster_split", made.name, clusters=len(elsewhere) + 1)
        state.review()

    def clear_quarantine(self, server: Server) -> None:
        """Start-ClusterNode -ClearQuarantine: in every configuration in which it is in one."""
        for cluster in self._state.clusters:
            node = cluster.nodes.get(server.name)
            if node is not None:
                quarantine.lift(self._state, cluster, node)

    def clean_up(self, server: Server) -> None:
        """Wipe the configuration on a host, its cluster service ended for good (Clear-ClusterNode -Force)."""
        state, cluster = self._state, self._state.cluster_on(server)
        if cluster is not None:
            node = cluster.nodes.get(server.name)
            if node is not None:
                self._clusters.stop(cluster, node)
            forced_quorum.clean_up(state, server)
            state.log.add("node_cleared", server.name, cluster=cluster.name)
        service = server.services.get(CLUSSVC)
        if service is not None:
            service.status, service.gave_up, service.start_type = "Stopped", False, "Disabled"
            service.busy_until = None
        state.review()

    def _configured(self, server: Server) -> Cluster:
        cluster = self._state.cluster_on(server)
        if cluster is None or server.name not in cluster.nodes:
            raise WorldError("not_found", f"{server.name} is no cluster node", object="cluster", name=server.name)
        return cluster

    def configured(self, server: str) -> bool:
        """Whether a host has a cluster configuration at all."""
        return self._state.cluster_on(self._state.server(server)) is not None

    def _node(self, asked: str, name: str) -> tuple[Cluster, ClusterNode]:
        cluster = self._reading.cluster(self._state.server(asked))
        found = cluster.nodes.get(name)
        if found is None:
            raise WorldError("not_found", f"there is no node {name}", object="node", name=name)
        return cluster, found

    def _reached(self, asked: str, node: str) -> Server:
        """The host of a node; the local one without asking anybody, another if it answers."""
        state, asker = self._state, self._state.server(asked)
        host = state.servers.get(first_label(node))
        known = state.cluster_on(asker)
        if host is None or (host is not asker and (known is None or host.name not in known.nodes)):
            raise WorldError("not_found", f"there is no node {node}", object="node", name=node)
        if host is not asker and not state.reaches(asker, host):
            raise WorldError(
                "server_down", f"{host.name} does not answer", blocked_s=state.tuning.rpc_timeout_s, server=host.name
            )
        if host is not asker and known is not None and not holds(known, host.name) and state.cluster_on(host) is None:
            raise WorldError("not_found", f"{host.name} has no configuration", object="cluster", name=host.name)
        return host

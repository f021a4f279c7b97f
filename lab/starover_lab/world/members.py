"""`world.members`: servers joining and leaving a DAG and its cluster; knows no cmdlet text."""

from __future__ import annotations

from dataclasses import replace

from starover_lab.world.access_points import AccessPoints
from starover_lab.world.ad_objects import ActiveDirectory
from starover_lab.world.cluster import Clusters
from starover_lab.world.copy_sets import CopySets
from starover_lab.world.dag_objects import dags_on, find_dag, link, read_dag, write_dag
from starover_lab.world.directory import DomainController
from starover_lab.world.entities import Cluster, ClusterNode, DagObject, ExchangeServer, Server
from starover_lab.world.errors import Kind, WorldError
from starover_lab.world.forced_quorum import holds
from starover_lab.world.names import Names
from starover_lab.world.operations import Operation
from starover_lab.world.quorum import Quorum
from starover_lab.world.replication import REPL
from starover_lab.world.state import State, first_label
from starover_lab.world.witness import Witness

__all__ = ["Members"]

FEATURE = "Failover-Clustering"
_MOST_MEMBERS = 16


class Members:
    """Membership."""

    def __init__(
        self,
        state: State,
        clusters: Clusters,
        witness: Witness,
        ad: ActiveDirectory,
        access_points: AccessPoints,
        copies: CopySets,
    ) -> None:
        self._state = state
        self._clusters = clusters
        self._witness = witness
        self._ad = ad
        self._access_points = access_points
        self._copies = copies
        self._joining: set[str] = set()

    # -- joining -------------------------------------------------------------------------------------------------

    def add(self, dag: str, server: str, asked: str, *, dc: str | None = None) -> Operation:
        """Add-DatabaseAvailabilityGroupServer: 150 s for the first member, 180 s for each further one.

        The DC of *that server's* site decides whether the DAG looks empty: if it does, a new cluster is formed, even
        where another DC knows better (invariant I6). It goes on when nobody waits for it. Notices: `witness_*`. Raises
        `not_found` (dag, server), `already_member`, `member_elsewhere`, `busy`, `too_many`, `is_dc`, `other_domain`,
        `other_os`, `other_version`, `witness_is_member`, `feature_pending`, `server_down`, `service_down`, `no_quorum`,
        `cno_denied`, `cno_in_use`, `no_ip_for_subnet`, `ip_in_use`, `no_dc`; `Operation.error`: `server_down`,
        `no_quorum` when it breaks off.
        """
        state, asker, host = self._state, self._state.server(asked), self._state.server(server)
        target = self._ad.dc(asked, dc)
        known = read_dag(state.directory, target, dag)
        exchange = host.exchange
        if exchange is None:
            raise WorldError("not_found", f"{host.name} has no Exchange", object="server", name=server)
        self._free(known, host, target)
        self._reached(asker, host)
        view = read_dag(state.directory, state.directory.closest(host.site), known.name)
        self._fits(known, host, exchange, {*known.members, *view.members})
        first = not view.members
        if first:
            self._access_points.check(known, host)
        else:
            self._joinable(view, host)
        seconds = state.tuning.add_first_member_s if first else state.tuning.add_member_s
        operation = Operation(state.poke_after(seconds))
        self._joining.add(host.name.casefold())
        state.log.add("member_joining", host.name, dag=known.name, first=first)
        state.scheduler.at(
            operation.ends, lambda: self._joined(known, view, host, asker, target, operation, first=first)
        )
        return operation

    def _joined(
        self,
        known: DagObject,
        view: DagObject,
        host: Server,
        asker: Server,
        target: DomainController,
        operation: Operation,
        *,
        first: bool,
    ) -> None:
        state = self._state
        self._joining.discard(host.name.casefold())
        try:
            self._reached(asker, host)
            cluster = self._formed(known, host) if first else self._joinable(view, host)
            dc = target if target.up() else state.directory.closest(asker.site)
            dag = find_dag(state.directory, dc, known.name) or known
        except WorldError as error:
            operation.error = error
            state.log.add("member_failed", host.name, dag=known.name, reason=error.message)
            return
        if host.features.get(FEATURE) != "Installed":
            host.features[FEATURE] = "Installed"
            state.log.add("feature_installed", host.name, feature=FEATURE)
        number = max((node.id for node in cluster.nodes), default=0) + 1
        self._clusters.enter(cluster, ClusterNode(host.name, number))
        cluster.core_owner = cluster.core_owner or host.name
        cluster.discovered.update(nic.subnet for nic in host.nics if nic.subnet)
        link(state.directory, dc, dag.name, host.name, joined=True)
        started = tuple(one for one in dag.started if one.casefold() != host.fqdn.casefold())
        write_dag(state.directory, dc, replace(dag, started=(*started, host.fqdn)), state.now)
        if host.exchange is not None and dag.dac_mode == "DagOnly" and not first:
            host.exchange.dacp_bit = 0
        self._owned_by(host, dag.name, dc)
        self._witness.settle(cluster, dag, host, operation)
        state.cards_changed += 1
        state.log.add("member_added", host.name, dag=dag.name, dc=dc.name, node=number)
        state.review()

    def _formed(self, dag: DagObject, host: Server) -> Cluster:
        """A new cluster, whether or not the DAG has one already."""
        state = self._state
        self._access_points.check(dag, host)
        number = sum(one.name.casefold() == dag.name.casefold() for one in state.clusters)
        origin = f"{dag.name} {state.now.isoformat()} {host.name}"
        cluster = Cluster(name=dag.name, nodes=Names(first_label), votes=Quorum(up={}), origin=origin)
        cluster.key = dag.name if not number else f"{dag.name}#{number + 1}"
        state.clusters.add(cluster.key, cluster)
        self._access_points.make(cluster, dag, host)
        state.log.add("cluster_formed", dag.name, node=host.name, clusters=number + 1)
        return cluster

    def _joinable(self, view: DagObject, host: Server) -> Cluster:
        """The cluster of the members that a DC knows. Raises `no_quorum`, `server_down`."""
        state = self._state
        names = {name.casefold() for name in view.members}
        clusters = sorted(
            (one for one in state.clusters if any(node.server.casefold() in names for node in one.nodes)),
            key=lambda one: (not one.quorate, *(-part for part in one.version)),
        )
        if not clusters or not clusters[0].quorate:
            raise WorldError("no_quorum", f"the cluster {view.name} has no quorum", cluster=view.name)
        ups = [node.server for node in clusters[0].nodes if node.serves]
        if not any(state.reaches(host, state.servers[name]) for name in ups):
            raise WorldError(
                "server_down",
                f"{host.name} reaches no node of {view.name}",
                blocked_s=state.tuning.rpc_timeout_s,
                server=ups[0] if ups else view.members[0],
            )
        return clusters[0]

    def _free(self, known: DagObject, host: Server, dc: DomainController) -> None:
        if host.name.casefold() in self._joining:
            raise WorldError("busy", f"{host.name} is being added already", server=host.name)
        for dag in dags_on(self._state.directory, dc):
            if host.name.casefold() in {name.casefold() for name in dag.members}:
                kind: Kind = "already_member" if dag.name == known.name else "member_elsewhere"
                raise WorldError(kind, f"{host.name} is a member of {dag.name}", server=host.name, dag=dag.name)
        for cluster in self._state.clusters:
            if holds(cluster, host.name) or (cluster.quorate and host.name in cluster.nodes):
                raise WorldError(
                    "member_elsewhere", f"{host.name} is a node already", server=host.name, dag=cluster.name
                )

    def _fits(self, known: DagObject, host: Server, exchange: ExchangeServer, members: set[str]) -> None:
        if len(members) >= _MOST_MEMBERS:
            raise WorldError("too_many", f"{known.name} has {len(members)} members", limit=_MOST_MEMBERS)
        if host.is_dc:
            raise WorldError("is_dc", f"{host.name} is a domain controller", server=host.name)
        if known.witness_server and first_label(known.witness_server).casefold() == host.name.casefold():
            raise WorldError("witness_is_member", f"{host.name} is the witness", server=host.name, dag=known.name)
        for name in sorted(members):
            other = self._state.servers[name]
            if other.domain.casefold() != host.domain.casefold():
                raise WorldError(
                    "other_domain", f"{host.name} is in another domain", server=host.name, domain=host.domain
                )
            if other.os != host.os:
                raise WorldError(
                    "other_os", f"{host.name} has another Windows", server=host.name, os=host.os, wanted=other.os
                )
            year = other.exchange.year if other.exchange is not None else exchange.year
            if _family(year) != _family(exchange.year):
                raise WorldError(
                    "other_version",
                    f"{host.name} has another Exchange",
                    server=host.name,
                    version=exchange.year,
                    wanted=year,
                )
        if host.features.get(FEATURE) == "InstallPending":
            raise WorldError("feature_pending", f"{FEATURE} waits for a reboot", server=host.name, feature=FEATURE)

    def _reached(self, asker: Server, host: Server) -> None:
        if not self._state.reaches(asker, host):
            raise WorldError(
                "server_down",
                f"{host.name} does not answer",
                blocked_s=self._state.tuning.rpc_timeout_s,
                server=host.name,
                fqdn=host.fqdn,
            )
        if not self._state.runs(host, REPL):
            raise WorldError("service_down", f"{REPL} does not run on {host.name}", server=host.name, service=REPL)

    # -- leaving -------------------------------------------------------------------------------------------------

    def remove(
        self, dag: str, server: str, asked: str, *, configuration_only: bool = False, dc: str | None = None
    ) -> Operation:
        """Remove-DatabaseAvailabilityGroupServer; with `configuration_only` AD alone, the cluster keeps its node.

        Notices: `witness_*`. Raises `not_found`, `not_member`, `has_copies`, `no_quorum`, `server_down`, `no_dc`.
        """
        state, asker, host = self._state, self._state.server(asked), self._state.server(server)
        target = self._ad.dc(asked, dc)
        known = read_dag(state.directory, target, dag)
        if host.name.casefold() not in {name.casefold() for name in known.members}:
            raise WorldError("not_member", f"{host.name} is no member of {known.name}", server=host.name, dag=dag)
        held = [one.name for one in state.databases if host.name in one.copies and len(one.copies) > 1]
        if held:
            raise WorldError("has_copies", f"{host.name} has copies", server=host.name, databases=list(held))
        if configuration_only:
            self._forget(known, host, target)
            return Operation(state.now)
        cluster = self._with(host)
        if cluster is not None and not cluster.quorate:
            raise WorldError("no_quorum", f"the cluster {cluster.name} has no quorum", cluster=cluster.name)
        if cluster is not None:
            self._reached(asker, host)
        operation = Operation(state.poke_after(state.tuning.remove_member_s))
        state.log.add("member_leaving", host.name, dag=known.name)
        state.scheduler.at(operation.ends, lambda: self._left(known, host, target, operation))
        return operation

    def _left(self, known: DagObject, host: Server, target: DomainController, operation: Operation) -> None:
        state = self._state
        cluster = self._with(host)
        dc = target if target.up() else state.directory.closest(host.site)
        if cluster is not None:
            if not cluster.quorate:
                operation.error = WorldError("no_quorum", f"{cluster.name} has no quorum", cluster=cluster.name)
                return
            self._clusters.evict(cluster, cluster.nodes[host.name])
        self._forget(known, host, dc)
        if cluster is not None and not len(cluster.nodes):
            state.clusters.discard(cluster.key or cluster.name)
            self._access_points.unmake(cluster, dc)
            state.log.add("cluster_destroyed", cluster.name, node=host.name)
        elif cluster is not None:
            dag = find_dag(state.directory, dc, known.name)
            if dag is not None:
                self._witness.settle(cluster, dag, state.servers[cluster.core_owner or host.name], operation)
        state.review()

    def _with(self, host: Server) -> Cluster | None:
        """The cluster that has a host for a node, one with quorum before others."""
        found = [one for one in self._state.clusters if host.name in one.nodes]
        return max(found, key=lambda one: (one.quorate, one.version), default=None)

    def _forget(self, known: DagObject, host: Server, dc: DomainController) -> None:
        state = self._state
        link(state.directory, dc, known.name, host.name, joined=False)
        dag = find_dag(state.directory, dc, known.name)
        if dag is not None:
            started = tuple(one for one in dag.started if one.casefold() != host.fqdn.casefold())
            stopped = tuple(one for one in dag.stopped if one.casefold() != host.fqdn.casefold())
            write_dag(state.directory, dc, replace(dag, started=started, stopped=stopped), state.now)
        self._owned_by(host, "", dc)
        state.cards_changed += 1
        state.log.add("member_removed", host.name, dag=known.name, dc=dc.name)
        state.review()

    def _owned_by(self, host: Server, dag: str, dc: DomainController) -> None:
        """A server's databases belong to its DAG."""
        for database in self._state.databases:
            if host.name in database.copies:
                database.dag = dag
                self._copies.publish(database, dc)


def _family(year: str) -> str:
    """2019 and SE are one family while an upgrade in place runs (catalogue.md P05)."""
    return "SE" if year == "2019" else year

"""Quorum type and witness of a DAG's cluster, as Exchange sets them anew whenever members or the DAG change.

Odd number of nodes: no witness; even: file share witness (simulator.md section 3).
"""

from __future__ import annotations

from dataclasses import replace

from starover_lab.world import quorum
from starover_lab.world.cluster import Clusters
from starover_lab.world.entities import Cluster, DagObject, Server
from starover_lab.world.machine_parts import SmbShare
from starover_lab.world.operations import Operation
from starover_lab.world.state import State, first_label
from starover_lab.world.witness_share import obstacle, share_name, share_rights

__all__ = ["Witness"]


class Witness:
    """Keeps the witness of clusters right."""

    def __init__(self, state: State, clusters: Clusters) -> None:
        self._state = state
        self._clusters = clusters

    def prepare(self, dag: DagObject, host: Server, directory: str, asker: Server, operation: Operation) -> bool:
        """Make the witness directory on a host; a notice in `operation` and False when that cannot be."""
        trouble = obstacle(self._state, asker, host, directory)
        if trouble is not None:
            if trouble not in operation.notices:
                operation.notices.append(trouble)
            self._state.log.add("witness_refused", host.name, dag=dag.name, reason=trouble.kind)
            return False
        host.files.make_folder(directory)
        return True

    def settle(self, cluster: Cluster, dag: DagObject, asker: Server, operation: Operation) -> None:
        """Set quorum type and witness by the number of nodes and the DAG's witness. The cluster must be quorate."""
        server, directory = dag.witness_server, dag.witness_directory
        keeps = self._state.tuning.setdag_after_restore == "keep" and cluster.recovering
        if keeps and _is(dag.alternate_witness_server, cluster.witness_server):
            server, directory = dag.alternate_witness_server, dag.alternate_witness_directory
        if len(cluster.nodes) % 2:
            server = ""
        self._use(cluster, dag, server, directory, asker, operation)

    def settle_restored(
        self, cluster: Cluster, dag: DagObject, asker: Server, operation: Operation, *, primary: bool
    ) -> None:
        """After a Restore: an even number of survivors, or a single one, takes the alternate witness (or primary)."""
        count = len(cluster.nodes)
        server, directory = dag.alternate_witness_server, dag.alternate_witness_directory
        if primary or not server:
            server, directory = dag.witness_server, dag.witness_directory
        self._use(cluster, dag, server if count == 1 or count % 2 == 0 else "", directory, asker, operation)

    def _use(
        self, cluster: Cluster, dag: DagObject, server: str, directory: str, asker: Server, operation: Operation
    ) -> None:
        """Make a witness the cluster's, or none; the cluster must be quorate."""
        state = self._state
        host = state.servers.get(first_label(server)) if server else None
        if host is None:
            self._without(cluster)
            return
        share = share_name(state, dag.name)
        path = f"\\\\{host.fqdn}\\{share}"
        made = self.prepare(dag, host, directory, asker, operation)
        if made:
            rights = share_rights(
                state, dag.name, (node.server for node in cluster.nodes), named=bool(cluster.addresses)
            )
            old = host.shares.get(share)
            if old is None or (old.path, old.access) != (directory, rights):
                host.shares.add(share, SmbShare(share, directory, rights))
                state.log.add("share_made", host.name, share=share, path=directory)
        same = cluster.votes.witness and (cluster.witness_server, cluster.witness_path) == (host.name, path)
        if not same and not self._clusters.release_witness(cluster):
            return
        cluster.witness_server, cluster.witness_path = host.name, path
        seen = any(
            self._clusters.witness_reachable(cluster, state.servers[node.server])
            for node in cluster.nodes
            if node.state in ("Up", "Paused")
        )
        before = cluster.votes
        cluster.witness_missed_since = None
        if same and before.witness_online and not seen:
            self._clusters.lose_witness(cluster)
            return
        cluster.votes = quorum.recalc(replace(before, witness=True, witness_online=seen))
        if cluster.votes != before or not same:
            state.log.add(
                "witness_set", cluster.name, server=host.name, online=seen, now=self._clusters.weights(cluster)
            )
        state.review()

    def _without(self, cluster: Cluster) -> None:
        if not cluster.votes.witness:
            cluster.votes = quorum.recalc(cluster.votes)
            return
        if self._clusters.release_witness(cluster):
            self._state.log.add("quorum_type", cluster.name, type="NodeMajority", now=self._clusters.weights(cluster))
            self._state.review()


def _is(fqdn: str, name: str) -> bool:
    return bool(fqdn) and first_label(fqdn).casefold() == name.casefold()

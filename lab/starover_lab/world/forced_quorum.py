"""Configurations of one cluster after quorum was forced: who has which, and which of them leads; counts no vote.

simulator.md section 3: the forced node's configuration is the authority, a thousand versions ahead; who joins later
takes it over. A server that was away keeps what it had: with enough of its like it forms a cluster of its own, which is
how split brain begins.
"""

from __future__ import annotations

from dataclasses import replace

from starover_lab.world.entities import Cluster, ClusterNode, Server
from starover_lab.world.names import Names
from starover_lab.world.state import State, first_label

__all__ = [
    "clean_up",
    "holds",
    "newer",
    "remember",
    "remembered_actives",
    "split_off",
    "take_over",
    "witness_free",
    "witness_locked",
]

_FORCED = 1000
"""How far forcing puts a configuration ahead."""


def holds(cluster: Cluster, server: str) -> bool:
    """Whether a server has this configuration."""
    return server.casefold() in cluster.holders


def newer(state: State, cluster: Cluster) -> list[Cluster]:
    """Clusters with quorum that have a later configuration of the same cluster."""
    return [
        one
        for one in state.clusters
        if one is not cluster and one.quorate and one.origin == cluster.origin and _rank(one) > _rank(cluster)
    ]


def _rank(cluster: Cluster) -> tuple[tuple[float, int], bool, int, str]:
    """Of two configurations the later one leads; of equal ones that with quorum, then with more nodes."""
    ups = sum(node.state in ("Up", "Paused") for node in cluster.nodes)
    return (cluster.version, cluster.quorate, ups, cluster.key)


def split_off(state: State, cluster: Cluster, node: ClusterNode) -> Cluster:
    """The configuration that a node goes on with when quorum is forced on it; the others keep theirs."""
    nodes: Names[ClusterNode] = Names(first_label)
    for old in cluster.nodes:
        nodes.add(old.server, ClusterNode(old.server, old.id, "Down", paused=old.paused))
    made = Cluster(
        name=cluster.name,
        nodes=nodes,
        votes=replace(cluster.votes, up=dict.fromkeys(cluster.votes.up, False), witness_online=False),
        witness_server=cluster.witness_server,
        witness_path=cluster.witness_path,
        quorate=False,
        addresses=cluster.addresses,
        discovered=set(cluster.discovered),
        origin=cluster.origin,
        epoch=cluster.epoch + _FORCED,
        forced_at=state.now,
        forced=True,
        recovering=True,
        actives=remembered_actives(state, cluster),
    )
    key = cluster.key or cluster.name
    cluster.holders.discard(node.server.casefold())
    made.holders.add(node.server.casefold())
    if cluster.holders:
        cluster.key = _free_key(state, cluster.name)
        state.clusters.add(cluster.key, cluster)
    made.key = "" if key == cluster.name else key
    state.clusters.add(key, made)
    return made


def remembered_actives(state: State, cluster: Cluster) -> dict[str, str]:
    """Where a configuration has its databases active: as when it lost quorum, else as they are."""
    if cluster.actives and not cluster.quorate:
        return dict(cluster.actives)
    name = cluster.name.casefold()
    return {one.name: one.active for one in state.databases if one.dag.casefold() == name}


def take_over(state: State, server: Server, cluster: Cluster) -> None:
    """A server joins: its own configuration gives way to that of the cluster."""
    if not holds(cluster, server.name):
        clean_up(state, server)
        cluster.holders.add(server.name.casefold())


def clean_up(state: State, server: Server) -> None:
    """A server's configuration is wiped. A cluster that nobody has any more is gone."""
    for cluster in state.clusters:
        if holds(cluster, server.name):
            cluster.holders.discard(server.name.casefold())
            if not cluster.holders:
                state.clusters.discard(cluster.key or cluster.name)


def remember(state: State, cluster: Cluster, node: ClusterNode) -> None:
    """A node is evicted while it is away: what it knows is the cluster with itself in it."""
    cluster.holders.discard(node.server.casefold())
    for one in state.clusters:
        if one is not cluster and one.origin == cluster.origin and not one.quorate and node.server in one.nodes:
            one.holders.add(node.server.casefold())
            return
    nodes: Names[ClusterNode] = Names(first_label)
    for old in cluster.nodes:
        nodes.add(old.server, ClusterNode(old.server, old.id, "Down", paused=old.paused))
    kept = replace(
        cluster,
        nodes=nodes,
        votes=replace(cluster.votes, up=dict.fromkeys(cluster.votes.up, False)),
        quorate=False,
        core_owner="",
        online_address="",
        forced=False,
        holders={node.server.casefold()},
        actives=remembered_actives(state, cluster),
        discovered=set(cluster.discovered),
        key=_free_key(state, cluster.name),
    )
    state.clusters.add(kept.key, kept)


def witness_free(state: State, cluster: Cluster) -> bool:
    """Whether a cluster may lock its witness: no later configuration has, and no other cluster holds it now."""
    if state.witness_marks.get(_mark(cluster), 0) > cluster.epoch:
        return False
    return not any(
        one is not cluster
        and one.quorate
        and one.votes.witness_online
        and (one.witness_server, one.witness_path) == (cluster.witness_server, cluster.witness_path)
        for one in state.clusters
    )


def witness_locked(state: State, cluster: Cluster) -> None:
    """A cluster with quorum has its witness: the share keeps the version of its configuration."""
    if cluster.votes.witness and cluster.votes.witness_online and (cluster.epoch or state.witness_marks):
        mark = _mark(cluster)
        state.witness_marks[mark] = max(state.witness_marks.get(mark, 0), cluster.epoch)


def _mark(cluster: Cluster) -> tuple[str, str, str]:
    return cluster.witness_server.casefold(), cluster.witness_path.casefold(), cluster.origin


def _free_key(state: State, name: str) -> str:
    number = 2
    while f"{name}#{number}" in state.clusters:
        number += 1
    return f"{name}#{number}"

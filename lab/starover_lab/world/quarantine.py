"""Nodes that lose their heartbeats: isolated for a while, quarantined when it happens too often; counts no vote.

simulator.md section 3 (Windows Server 2016 and later); at most a quarter of the nodes, one in clusters of two or three,
are in quarantine at a time (facts/exchange.md point 19).
"""

from __future__ import annotations

from datetime import timedelta

from starover_lab.world.entities import Cluster, ClusterNode
from starover_lab.world.state import State

__all__ = ["isolates", "left_unexpectedly", "lift", "release"]

_HOUR = timedelta(hours=1)


def isolates(state: State, node: ClusterNode) -> bool:
    """Whether the node's Windows knows isolation and quarantine."""
    return state.servers[node.server].os != "2012R2"


def left_unexpectedly(state: State, cluster: Cluster, node: ClusterNode) -> bool:
    """Count an unexpected exit; whether it puts the node into quarantine."""
    if not isolates(state, node):
        return False
    node.exits = [moment for moment in node.exits if moment > state.now - _HOUR] + [state.now]
    if len(node.exits) < state.tuning.quarantine_exits or node.quarantined_until is not None:
        return False
    already = sum(one.quarantined_until is not None for one in cluster.nodes)
    if already >= max(len(cluster.nodes) // 4, 1):
        state.log.add("quarantine_full", node.server, cluster=cluster.name, quarantined=already)
        return False
    node.quarantined_until = state.poke_after(state.tuning.quarantine_s)
    state.log.add("node_quarantined", node.server, cluster=cluster.name, exits=len(node.exits))
    return True


def lift(state: State, cluster: Cluster, node: ClusterNode) -> bool:
    """End a node's quarantine (`Start-ClusterNode -ClearQuarantine`); whether it was in one."""
    if node.quarantined_until is None:
        return False
    node.quarantined_until, node.exits = None, []
    state.log.add("quarantine_lifted", node.server, cluster=cluster.name)
    return True


def release(state: State, cluster: Cluster) -> None:
    """End the quarantines that have lasted long enough."""
    for node in cluster.nodes:
        if node.quarantined_until is not None and state.now >= node.quarantined_until:
            lift(state, cluster, node)

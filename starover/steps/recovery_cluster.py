"""A cluster brought back by force, node by node: stopped, forced on one, others evicted or joined, its quorum right.

Every check answers on a host whose cluster service is stopped, so a plan foresees the whole way. Whether it is safe to
go it is not for these steps to know: the runbook proves that first (G-FENCE). Steps act on the node they are sent to.
"""

from __future__ import annotations

from starover.estate import Server
from starover.names import same_host
from starover.step import Blocked, Change, Risk, Settle, Step, step
from starover.steps.dag import Node, short
from starover.steps.disaster import CLUSTER_SERVICE, Machine, machine

__all__ = [
    "NAMES",
    "cluster_joined",
    "cluster_stopped",
    "majority_of_nodes",
    "node_evicted",
    "quorum_forced",
]

NAMES = (CLUSTER_SERVICE,)


def _node(now: Machine, server: str) -> Node | None:
    nodes = now.cluster.nodes if now.cluster is not None else ()
    return next((one for one in nodes if same_host(one.name, server)), None)


def _up(now: Machine, server: str) -> bool:
    node = _node(now, server)
    return node is not None and node.state in ("Up", "Paused")


def _no_service(server: str) -> Blocked:
    return Blocked(f"{server} has no cluster service: it is no member of a DAG", certain=("nothing was changed",))


def _start_again(prev: Machine, server: Server, /, *, names: tuple[str, ...], note: str) -> Step | None:
    del names, note
    return cluster_joined.on(server, names=NAMES, server=server.name) if prev.running(CLUSTER_SERVICE) else None


@step(
    check=machine,
    apply="recovery/stop_cluster.ps1.j2",
    risk=Risk.SERVICE,
    settle=Settle(every=5, limit=180),
    undo=_start_again,
)
def cluster_stopped(now: Machine, /, *, names: tuple[str, ...], note: str) -> Change | Blocked | None:
    """The cluster service of a survivor is stopped, so that it follows the node that is forced (S-CLUS-STOP)."""
    del names
    runs = now.running(CLUSTER_SERVICE)
    if runs is None:
        return _no_service(now.name)
    return Change(f"{short(now.name)} cluster service", "Running", "Stopped", note=note) if runs else None


@step(
    check=machine,
    apply="recovery/force.ps1.j2",
    risk=Risk.SPLIT,
    settle=Settle(every=5, limit=180),
    deadline=300,
)
def quorum_forced(now: Machine, /, *, names: tuple[str, ...], server: str, note: str) -> Change | Blocked | None:
    """A cluster runs again, formed by force on one node alone, whose configuration all others take (S-FORCE).

    `note`: what mounts by itself once there is quorum, with what it loses.
    """
    del names
    if _up(now, server):
        return None
    if now.running(CLUSTER_SERVICE) is None:
        return _no_service(server)
    return Change(f"quorum on {server}", "none", "forced, sole voter", note=note)


@step(check=machine, apply="recovery/evict.ps1.j2", risk=Risk.SPLIT, settle=Settle(every=5, limit=120))
def node_evicted(now: Machine, /, *, names: tuple[str, ...], node: str) -> Change | Blocked | None:
    """A lost node is no part of the cluster any more (S-EVICT)."""
    del names
    found = _node(now, node)
    if now.cluster is not None and found is None:
        return None
    if found is not None and found.state in ("Up", "Paused"):
        return Blocked(
            f"{node} is {found.state} in this cluster: a living node is not evicted",
            guard="G-FENCE",
            certain=("nothing was changed",),
            next=("starover assess   tells what it does there",),
        )
    return Change(f"cluster node {node}", "a node", "evicted", action="remove")


@step(check=machine, apply="recovery/majority.ps1.j2", risk=Risk.SERVICE, settle=Settle(every=5, limit=60))
def majority_of_nodes(now: Machine, /, *, names: tuple[str, ...], members: int) -> Change | Blocked | None:
    """An odd number of nodes votes without a witness (S-QUORUM-FIX). `members`: how many there will be."""
    del names
    if now.cluster is not None and not now.cluster.quorum_resource:
        return None
    return Change("quorum model", "with a witness", f"NodeMajority ({members} member{'s' * (members > 1)})")


@step(check=machine, apply="recovery/join.ps1.j2", risk=Risk.SERVICE, settle=Settle(every=10, limit=300))
def cluster_joined(now: Machine, /, *, names: tuple[str, ...], server: str) -> Change | Blocked | None:
    """A survivor is up in the cluster (S-CLUS-START)."""
    del names
    node = _node(now, server)
    if _up(now, server):
        return None
    if now.running(CLUSTER_SERVICE) is None:
        return _no_service(server)
    if node is not None and node.information == "Quarantined":
        return Blocked(
            f"{server} is Quarantined: three unexpected exits within an hour",
            certain=("nothing was changed",),
            next=("find the cause; after 15 quiet minutes: starover run host-event --server " + server,),
        )
    return Change(f"cluster node {server}", "down", "Up")

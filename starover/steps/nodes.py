"""Cluster nodes paused and resumed, and the owner of the core group (S-NODE-PAUSE, S-PAM); knows no runbook.

All of it runs on a node: a DAG without an access point has no name that a cluster cmdlet could be given.
"""

from __future__ import annotations

from starover.estate import Server
from starover.names import same_host
from starover.step import Blocked, Change, Query, Report, Risk, Settle, Step, step
from starover.steps.dag import ClusterState, Node, cluster_state, short

__all__ = ["CoreGroup", "core_group", "node_paused", "node_resumed", "owner_moved", "owner_moved_off"]


class CoreGroup(Report):
    """The core group of the cluster, whose owner is Primary Active Manager (`node/core_group.ps1.j2`)."""

    groups: int
    """Core groups that were found: exactly one."""
    owner: str
    active_manager: str
    """As Exchange has it; it follows the owner within seconds."""
    nodes: tuple[Node, ...]

    def node(self, name: str) -> Node | None:
        """The node of that name, short or full."""
        return next((node for node in self.nodes if same_host(node.name, name)), None)


core_group = Query("node/core_group.ps1.j2", CoreGroup)
"""Argument: `dag`. As the node that is asked sees it."""


def _node(now: ClusterState, server: str) -> Node | Blocked:
    node = next((one for one in now.nodes if same_host(one.name, server)), None)
    return node or Blocked(f"{server} is no node of the cluster {now.name}", certain=("nothing was changed",))


def _pause_back(prev: ClusterState, at: Server, /, *, server: str) -> Step | None:
    was = _node(prev, server)
    return node_resumed.on(at, server=server) if isinstance(was, Node) and was.state == "Up" else None


@step(check=cluster_state, apply="node/pause.ps1.j2", risk=Risk.SERVICE, settle=Settle(5, 60), undo=_pause_back)
def node_paused(now: ClusterState, /, *, server: str) -> Change | Blocked | None:
    """A node owns nothing and gets nothing; its vote stays (S-NODE-PAUSE)."""
    node = _node(now, server)
    if isinstance(node, Blocked) or node.state == "Paused":
        return node if isinstance(node, Blocked) else None
    if node.state != "Up":
        return Blocked(
            f"the node {server} is {node.state}", certain=("nothing was changed",), next=("starover status",)
        )
    return Change(f"cluster node {server}", node.state, "Paused")


def _resume_back(prev: ClusterState, at: Server, /, *, server: str) -> Step | None:
    was = _node(prev, server)
    return node_paused.on(at, server=server) if isinstance(was, Node) and was.state == "Paused" else None


@step(check=cluster_state, apply="node/resume.ps1.j2", risk=Risk.SERVICE, settle=Settle(5, 60), undo=_resume_back)
def node_resumed(now: ClusterState, /, *, server: str) -> Change | Blocked | None:
    """A node takes part again (S-NODE-RESUME)."""
    node = _node(now, server)
    if isinstance(node, Blocked) or node.state == "Up":
        return node if isinstance(node, Blocked) else None
    if node.state != "Paused":
        return Blocked(
            f"the node {server} is {' '.join(filter(None, (node.state, node.information)))}, not Paused",
            certain=("nothing was changed",),
            next=("starover run health-report   says what is wrong with it",),
        )
    return Change(f"cluster node {server}", node.state, "Up")


def _unfit(now: CoreGroup, target: str) -> Blocked | None:
    """Why a node cannot own the core group."""
    if now.groups != 1:
        return Blocked(f"{now.groups} core groups were found in the cluster", certain=("nothing was changed",))
    node = now.node(target)
    if node is None or node.state != "Up":
        seen = node.state if node is not None else "not in the cluster"
        return Blocked(
            f"{target} is {seen}: the Primary Active Manager must be on a node that is Up",
            certain=("nothing was changed",),
            next=("--to auto   takes one that is",),
        )
    return None


def _owner_back(prev: CoreGroup, at: Server, /, *, dag: str, target: str) -> Step | None:
    return None if same_host(prev.owner, target) else owner_moved.on(at, dag=dag, target=short(prev.owner))


@step(check=core_group, apply="node/move_core_group.ps1.j2", risk=Risk.LOW, settle=Settle(5, 60), undo=_owner_back)
def owner_moved(now: CoreGroup, /, *, dag: str, target: str) -> Change | Blocked | None:
    """A server is Primary Active Manager (S-PAM)."""
    if same_host(short(now.active_manager), target) and same_host(now.owner, target):
        return None
    was = short(now.active_manager) or "nobody"
    return _unfit(now, target) or Change(f"Primary Active Manager of {dag}", was, target)


def _off_back(prev: CoreGroup, at: Server, /, *, dag: str, server: str, target: str) -> Step | None:
    del server, target
    return owner_moved.on(at, dag=dag, target=short(prev.owner))


@step(check=core_group, apply="node/move_core_group.ps1.j2", risk=Risk.LOW, settle=Settle(5, 60), undo=_off_back)
def owner_moved_off(now: CoreGroup, /, *, dag: str, server: str, target: str) -> Change | Blocked | None:
    """A server is not Primary Active Manager, whoever else is (S-PAM)."""
    if not same_host(short(now.active_manager), server) and not same_host(now.owner, server):
        return None
    return _unfit(now, target) or Change(f"Primary Active Manager of {dag}", server, target)

"""The FailoverClusters module, changing: nodes started, stopped, paused, evicted, cleared; groups moved; the quorum.

What starts, stops or clears a node acts on that node's own service: from a network logon on the local one only. What
the cluster itself carries out (pause, resume, evict, move) works for every node. Wordings and ids are unverified but
for those of `clusters`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from starover_lab.cmdlets.clusters import cluster_here, denied, failed, get_quorum, node_names, nodes_of, seen_here
from starover_lab.cmdlets.machine import Machine, given_list, machine, switch
from starover_lab.cmdlets.objects import text_of
from starover_lab.cmdlets.prompts import may
from starover_lab.cmdlets.windows import fits
from starover_lab.powershell.command import Body, Invocation
from starover_lab.powershell.values import Unsupported, Value
from starover_lab.world.errors import WorldError
from starover_lab.world.names import same
from starover_lab.world.state import first_label

__all__ = ["BODIES"]

_NOT_A_NODE = "The computer '{0}' is not a node of a cluster"
_NO_SERVICE = "The cluster service on node '{0}' could not be started. The service cannot be started"
_LATE = "Waiting for the operation on node '{0}' to complete timed out. The wait operation timed out"
_FOREVER_S = 120
"""How long Start-ClusterNode waits for a node when -Wait does not tell."""


def _asked(call: Invocation, here: Machine) -> list[str]:
    return given_list(call.bound.get("Name")) or given_list(call.bound.get("InputObject")) or [here.host]


def _report(call: Invocation, error: WorldError, node: str) -> None:
    """A refusal of the world as a cluster cmdlet says it."""
    if error.blocked_s > 0:
        call.wait(error.blocked_s)
    match error.kind:
        case "not_found":
            failed(call, "ClusterNodeNotFound", "ObjectNotFound", _NOT_A_NODE.format(node), node)
        case "service_down":
            failed(call, "ClusterNodeStartFailed", "ConnectionError", _NO_SERVICE.format(node), node)
        case "no_quorum":
            failed(call, "ClusterEndpointNotRegistered", "ConnectionError", error.message, node)
        case _:
            failed(call, "ClusterNodeFailed", "InvalidOperation", error.message[:1].upper() + error.message[1:], node)


def _own_service(call: Invocation, act: Callable[[Machine, str], object]) -> list[str]:
    """Act on the service of each node that is meant; those that it went well for. Other hosts are a second hop."""
    here, done = machine(call), list[str]()
    for name in _asked(call, here):
        node = first_label(name)
        if here.network_logon and not same(node, here.host):
            denied(call, name)
            continue
        if not may(call, node, call.spec.name):
            continue
        call.wait(here.pace(here.world.state.tuning.write_s))
        try:
            act(here, node)
        except WorldError as error:
            _report(call, error, node)
            continue
        done.append(node)
    return done


def start_node(call: Invocation) -> Iterator[Value]:
    """Start-ClusterNode: with -ForceQuorum (FixQuorum, fq) the node goes on alone; ends when it is up, or at -Wait."""
    force, prevent = switch(call.bound.get("ForceQuorum")), switch(call.bound.get("PreventQuorum"))
    clear = switch(call.bound.get("ClearQuarantine"))

    def act(here: Machine, node: str) -> None:
        here.world.cluster_tasks.start(here.host, node, force=force, prevent=prevent, clear_quarantine=clear)

    given = call.bound.get("Wait")
    limit = given if isinstance(given, int) and not isinstance(given, bool) else _FOREVER_S
    for node in _own_service(call, act):
        here = machine(call)
        up = _wait_for(call, here, node, limit)
        if not up and limit:
            failed(call, "ClusterWaitTimeout", "OperationTimeout", _LATE.format(node), node)
        seen = seen_here(call, node) if up else None
        if seen is not None:
            yield from (one for one in nodes_of(seen) if same(str(one.get("Name")), node))


def _wait_for(call: Invocation, here: Machine, node: str, seconds: int) -> bool:
    """Whether a node is up, at once or within so many seconds."""
    for left in range(seconds, -1, -1):
        try:
            views = here.world.nodes(node)
        except WorldError:
            views = []
        if any(same(view.name, node) and view.state in {"Up", "Paused"} for view in views):
            return True
        if left:
            call.wait(1.0)
    return False


def stop_node(call: Invocation) -> Iterator[Value]:
    """Stop-ClusterNode: the node hands its vote over; ends when its service has stopped."""

    def act(here: Machine, node: str) -> None:
        ends = here.world.cluster_tasks.stop(here.host, node)
        call.wait(max((ends - here.world.now).total_seconds(), 0.0))

    _own_service(call, act)
    yield from ()


def clear_node(call: Invocation) -> Iterator[Value]:
    """Clear-ClusterNode: the configuration of a node that is not up is wiped; -Force asks nothing."""
    if switch(call.bound.get("Force")):
        call.common.setdefault("Confirm", False)
    _own_service(call, lambda here, node: here.world.cluster_tasks.clear(here.host, node))
    yield from ()


def _node_change(call: Invocation, act: Callable[[Machine, str], object], *, gives: bool) -> Iterator[Value]:
    """What the cluster does with its nodes, asked on the local one."""
    here = cluster_here(call)
    if here is None:
        return
    for name in _asked(call, here):
        known = [one for one in node_names(here) if fits(one, name)]
        if not known:
            failed(call, "ClusterObjectNotFound", "ObjectNotFound", f"The cluster node '{name}' was not found", name)
        for node in known:
            if not may(call, node, call.spec.name):
                continue
            call.wait(here.pace(here.world.state.tuning.write_s))
            try:
                act(here, node)
            except WorldError as error:
                _report(call, error, node)
                continue
            seen = seen_here(call, here.host) if gives else None
            if seen is not None:
                yield from (one for one in nodes_of(seen) if same(str(one.get("Name")), node))


def suspend_node(call: Invocation) -> Iterator[Value]:
    """Suspend-ClusterNode."""
    drain = switch(call.bound.get("Drain"))
    yield from _node_change(call, lambda here, node: here.world.suspend_node(here.host, node, drain=drain), gives=True)


def resume_node(call: Invocation) -> Iterator[Value]:
    """Resume-ClusterNode: of a node that is not paused it is an error."""
    yield from _node_change(call, lambda here, node: here.world.resume_node(here.host, node), gives=True)


def remove_node(call: Invocation) -> Iterator[Value]:
    """Remove-ClusterNode: evict; a node that is away learns nothing of it. -Force asks nothing."""
    if switch(call.bound.get("Force")):
        call.common.setdefault("Confirm", False)
    yield from _node_change(call, lambda here, node: here.world.cluster_tasks.evict(here.host, node), gives=False)


def move_group(call: Invocation) -> Iterator[Value]:
    """Move-ClusterGroup of the core group: the Primary Active Manager goes with it."""
    here = cluster_here(call)
    if here is None or not may(call, "Cluster Group", call.spec.name):
        return
    call.wait(here.pace(here.world.state.tuning.write_s))
    try:
        here.world.move_core_group(here.host, text_of(call.bound.get("Node")) or None)
    except WorldError as error:
        failed(call, "ClusterGroupMoveFailed", "InvalidOperation", error.message)
    yield from ()


def set_quorum(call: Invocation) -> Iterator[Value]:
    """Set-ClusterQuorum -NoWitness, or -FileShareWitness; gives the settings."""
    here = cluster_here(call)
    if here is None:
        return
    share = text_of(call.bound.get("FileShareWitness"))
    if not share and not switch(call.bound.get("NoWitness")):
        raise Unsupported("Set-ClusterQuorum: the lab knows -NoWitness and -FileShareWitness")
    call.wait(here.pace(here.world.state.tuning.write_s))
    try:
        here.world.cluster_tasks.set_quorum(here.host, share=share or None)
    except WorldError as error:
        text = f"There was an error configuring the file share witness '{share}'. {error.message}"
        failed(call, "ClusterQuorumFailed", "InvalidOperation", text, share or None)
        return
    yield from get_quorum(call)


BODIES: dict[str, Body] = {
    "Start-ClusterNode": start_node,
    "Stop-ClusterNode": stop_node,
    "Clear-ClusterNode": clear_node,
    "Suspend-ClusterNode": suspend_node,
    "Resume-ClusterNode": resume_node,
    "Remove-ClusterNode": remove_node,
    "Move-ClusterGroup": move_group,
    "Set-ClusterQuorum": set_quorum,
}

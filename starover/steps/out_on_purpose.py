"""Members that are out on purpose: stopped, evicted or fenced since a disaster, so nobody waits for them; reads only.

A member that should be there and is silent is no such thing: it still stops whatever needs all of them (law 6). Nor is
one that is missing in the cluster, while nothing proves that it was put out: a join that broke off looks the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from starover.errors import ConnectFailed, NotSafe, OutcomeUnknown, StaroverError
from starover.estate import Dag, Estate, Server
from starover.names import same_host
from starover.runbook import Steps, attempt, recall, together
from starover.steps.dag import DagFacts, look_at
from starover.steps.dag_object import DagObject, dag_facts, listed
from starover.steps.fencing import TAG
from starover.steps.instances import OFF, OneInstance, instance_of
from starover.steps.recovery_cluster import node_evicted

__all__ = ["left_of", "look_whole", "no_node", "out_by_dag", "put_out", "refuse_out", "still_in", "unless_out"]

T = TypeVar("T")
STOPPED = "on the DAG's Stopped list"
_RECALLED = {"evicted": node_evicted}
"""What is only looked up in journals here and never asked for. By a word, so that it counts as no danger of who reads
(`Runbook.risk` goes by the kinds that a function names)."""


def out_by_dag(server: str, dag: DagObject) -> str:
    """Why a member is out, as the DAG's own lists have it; empty: they say nothing of it."""
    return STOPPED if listed(server, dag.stopped) else ""


def no_node(server: str, *, members: Sequence[str], nodes: Sequence[str] | None) -> bool:
    """Whether a member of the DAG is missing in its cluster. `nodes`: of the one that was read; None: none was."""
    return bool(nodes) and listed(server, members) and not any(same_host(one, server) for one in nodes or ())


def left_of(servers: Sequence[Server], dag: DagObject) -> list[str]:
    """Names of those that are missing in the cluster."""
    nodes = [one.name for one in dag.cluster.nodes] if dag.cluster is not None else None
    return [one.name for one in servers if no_node(one.name, members=dag.members, nodes=nodes)]


def put_out(silent: Sequence[Server], left: Sequence[str] = (), peers: Sequence[Server] = ()) -> Steps[dict[str, str]]:
    """Which of these silent members were put out, with what proves it; who is not in the answer should be there.

    Proof is the tag of a fence. For those that are missing in the cluster (`left`) it is also that EC2 has them off, or
    that a run of ours has evicted them, by way of one of the `peers`. What EC2 does not say is no proof. Only who is
    silent is asked about, so it costs nothing where nobody is.
    """
    asked = [one for one in silent if one.instance]
    found = yield from together(attempt(instance_of.read(one, instance=one.instance)) for one in asked)
    known = {
        server.name: one.instance
        for server, one in zip(asked, found, strict=True)
        if isinstance(one, OneInstance) and one.instance is not None
    }
    out: dict[str, str] = {}
    for server in silent:
        instance = known.get(server.name)
        if instance is not None and (mark := instance.tag(TAG)):
            out[server.name] = f"fenced (EC2 tag {TAG}={mark})"
        elif server.name in left and instance is not None and instance.state in OFF:
            out[server.name] = f"no node of the cluster any more, and its instance is {instance.state}"
        elif server.name in left and (yield from _evicted_by_us(server, peers)):
            out[server.name] = "evicted from the cluster by a run of ours"
    return out


def _evicted_by_us(server: Server, peers: Sequence[Server]) -> Steps[bool]:
    for peer in peers:
        if peer is not server and (yield from recall(peer, _RECALLED["evicted"], node=server.name)) is not None:
            return True
    return False


def still_in(servers: Sequence[Server], dag: DagObject) -> Steps[list[Server]]:
    """Of these members those that nobody has put out."""
    here = [one for one in servers if not out_by_dag(one.name, dag)]
    left = left_of(here, dag)
    out = yield from put_out([one for one in here if one.name in left], left, here)
    return [one for one in here if one.name not in out]


def look_whole(
    dag: Dag, estate: Estate, servers: Sequence[Server], *, health: bool, skip: Sequence[Server] = ()
) -> Steps[DagFacts]:
    """`look_at`, with why members are out that are so on purpose."""
    facts = yield from look_at(dag, estate, servers, health=health, skip=skip)
    state = facts.dag
    nodes = [one.name for one in facts.cluster.nodes] if facts.cluster is not None else None
    stopped, members = (state.stopped, state.members) if state is not None else ((), ())
    out = {host.server: STOPPED for host in facts.members if listed(host.server, stopped)}
    silent = [host.server for host in facts.members if not host.answers and host.server not in out]
    left = [name for name in silent if no_node(name, members=members, nodes=nodes)]
    out |= yield from put_out([one for one in servers if one.name in silent], left, estate.members(dag))
    marked = (msgspec.structs.replace(host, out=out.get(host.server, "")) for host in facts.members)
    return msgspec.structs.replace(facts, members=tuple(marked))


def refuse_out(server: str, why: str) -> NotSafe:
    """What is said where somebody wants to work with a member that is out."""
    return NotSafe(
        f"{server} is out of the DAG on purpose: {why}",
        certain=("nothing was changed",),
        next=("starover plan failback ...   brings it back in order, and only that does",),
    )


def unless_out(dag: Dag, estate: Estate, server: Server, read: Steps[T]) -> Steps[T]:
    """A reading of one member. Where that is silent and the others say why it is out, raises `NotSafe` with it."""
    answer = yield from attempt(read)
    if not isinstance(answer, StaroverError):
        return answer
    if isinstance(answer, ConnectFailed | OutcomeUnknown):
        others = [one for one in estate.members(dag) if one is not server]
        seen = yield from together(attempt(dag_facts.read(one, dag=dag.name)) for one in others)
        said = [one for one in seen if isinstance(one, DagObject) and one.found]
        why = next((why for one in said if (why := out_by_dag(server.name, one))), "")
        left = list(dict.fromkeys(name for one in said for name in left_of([server], one)))
        why = why or (yield from put_out([server], left, others)).get(server.name, "")
        if why:
            raise refuse_out(server.name, why)
    raise answer

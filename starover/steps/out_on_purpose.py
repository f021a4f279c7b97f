"""Members that are out on purpose: stopped, evicted or fenced since a disaster, so nobody waits for them; reads only.

A member that should be there and is silent is no such thing: it still stops whatever needs all of them (law 6).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from starover.errors import ConnectFailed, NotSafe, OutcomeUnknown, StaroverError
from starover.estate import Dag, Estate, Server
from starover.names import same_host
from starover.runbook import Steps, attempt, together
from starover.steps.dag import DagFacts, look_at
from starover.steps.dag_object import DagObject, dag_facts, listed
from starover.steps.fencing import TAG
from starover.steps.instances import OneInstance, instance_of

__all__ = ["fenced_since", "look_whole", "not_out", "out_by_dag", "out_of", "refuse_out", "unless_out"]


T = TypeVar("T")


def out_of(server: str, *, members: Sequence[str], stopped: Sequence[str], nodes: Sequence[str] | None) -> str:
    """Why a silent member is out, as the DAG and its cluster have it; empty: it should be there.

    `nodes`: those of a cluster that was read; None: none was.
    """
    if listed(server, stopped):
        return "on the DAG's Stopped list"
    if nodes and listed(server, members) and not any(same_host(one, server) for one in nodes):
        return "no node of the cluster any more"
    return ""


def out_by_dag(server: str, dag: DagObject) -> str:
    """As `out_of`, from the DAG object."""
    nodes = [one.name for one in dag.cluster.nodes] if dag.cluster is not None else None
    return out_of(server, members=dag.members, stopped=dag.stopped, nodes=nodes)


def not_out(servers: Sequence[Server], dag: DagObject) -> list[Server]:
    """Of these members those that are not stopped, and where a cluster was read are in it."""
    return [one for one in servers if not out_by_dag(one.name, dag)]


def fenced_since(silent: Sequence[Server]) -> Steps[dict[str, str]]:
    """Which of these instances carry the tag of a fence, with what is to be said of it; what EC2 does not say is not.

    They are asked of EC2 alone, so that it costs nothing where nobody is silent.
    """
    asked = [one for one in silent if one.instance]
    found = yield from together(attempt(instance_of.read(one, instance=one.instance)) for one in asked)
    return {
        server.name: f"fenced (EC2 tag {TAG}={mark})"
        for server, one in zip(asked, found, strict=True)
        if isinstance(one, OneInstance) and one.instance is not None and (mark := one.instance.tag(TAG))
    }


def look_whole(
    dag: Dag, estate: Estate, servers: Sequence[Server], *, health: bool, skip: Sequence[Server] = ()
) -> Steps[DagFacts]:
    """`look_at`, with why members are out that are so on purpose."""
    facts = yield from look_at(dag, estate, servers, health=health, skip=skip)
    state = facts.dag
    nodes = [one.name for one in facts.cluster.nodes] if facts.cluster is not None else None
    out: dict[str, str] = {}
    for host in facts.members:
        if state is not None and (not host.answers or listed(host.server, state.stopped)):
            out[host.server] = out_of(host.server, members=state.members, stopped=state.stopped, nodes=nodes)
    silent = [host.server for host in facts.members if not host.answers and not out.get(host.server)]
    out |= yield from fenced_since([one for one in servers if one.name in silent])
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
        why = why or (yield from fenced_since([server])).get(server.name, "")
        if why:
            raise refuse_out(server.name, why)
    raise answer

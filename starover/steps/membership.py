"""A server's way into a DAG: feature, the join itself, and Active Directory keeping up; knows no runbook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starover.estate import Server
from starover.names import DagName, ServerName, same_host
from starover.runbook import Steps, together
from starover.step import Blocked, Change, Query, Report, Risk, Settle, Step, step, wait
from starover.steps import guards
from starover.steps.ad_wait import replicated, those_of
from starover.steps.dag import Check, replication_health, short
from starover.steps.dag_object import DagObject, dag_facts, listed
from starover.steps.dag_settings import activation_mode_set, quorum_model_right
from starover.steps.feature_restarts import completed
from starover.steps.features import FAILOVER_CLUSTERING, feature_complete, feature_installed
from starover.steps.witness_setting import witness_broken

__all__ = ["Resolved", "healthy", "joined", "member_of", "no_member_of", "resolved"]

JOINING = Settle(every=30, limit=1200)
"""How long a domain controller may take to learn of the members so far, before the next one joins."""


class Resolved(Report):
    """The addresses a host finds for a name (`network/resolve.ps1.j2`)."""

    addresses: tuple[str, ...]


resolved = Query("network/resolve.ps1.j2", Resolved)
"""Argument: `name`. A name that nobody knows has no address."""


def _leave(prev: DagObject, asked: Server, /, *, dag: DagName, server: ServerName, note: str = "") -> Step | None:
    del note
    return None if prev.has(server) else no_member_of.on(asked, dag=dag, server=server)


@step(
    check=dag_facts,
    apply="dag/add_server.ps1.j2",
    risk=Risk.LOW,
    settle=Settle(every=10, limit=600),
    undo=_leave,
    deadline=1800,
)
def member_of(now: DagObject, /, *, dag: DagName, server: ServerName, note: str = "") -> Change | Blocked | None:
    """A server is a member of the DAG, in Active Directory and in its cluster (S-MEMBER).

    `note`: what a person should know of it before it serves clients.
    """
    elsewhere = next((one.dag for one in now.others if same_host(short(one.server), server)), "")
    if elsewhere:
        return Blocked(
            f"{server} is a member of the DAG {elsewhere}",
            certain=("nothing was changed",),
            next=(f"take it out of {elsewhere} first, or leave it there",),
        )
    node = now.cluster.node(server) if now.cluster is not None else None
    if not now.has(server):
        if node is not None:
            return _half(f"{server} is a node of {dag}'s cluster, and {dag} does not list it", dag, server)
        return Change(f"{dag} member {server}", "no member", "member", note=note, action="add")
    if now.cluster is None:
        return Blocked(
            f"{server} is a member of {dag}, but its cluster cannot be read: {now.cluster_error or 'no answer'}",
            certain=("nothing was changed",),
            next=("starover status",),
        )
    if node is None:
        return _half(f"{dag} lists {server}, and its cluster does not have it", dag, server)
    if listed(server, now.stopped):
        return Blocked(
            f"{server} is a stopped member of {dag}", next=("Start-DatabaseAvailabilityGroup   by failback",)
        )
    if broken := witness_broken(now):
        return Blocked(
            broken,
            guard="G-WITNESS",
            certain=(f"{server} is a member of {dag}",),
            next=(f"starover run dag-witness-repair --dag {dag}",),
        )
    missing = _missing(now, server, node.state)
    if not missing:
        return None
    if node.state == "Down":
        return Blocked(
            f"{server} is a member of {dag}, but its node is Down",
            certain=("nothing was changed",),
            next=(f"look at the cluster service of {server}", "starover status"),
        )
    return Change(f"{dag} member {server}", "no member", "member", note=note, action="add")


def _half(why: str, dag: str, server: str) -> Blocked:
    return Blocked(
        f"half a member: {why}",
        certain=("nothing was changed",),
        next=(
            f"Remove-DatabaseAvailabilityGroupServer -Identity {dag} -MailboxServer {server} -ConfigurationOnly",
            "by hand, with the node out of the cluster; then this again",
        ),
    )


def _missing(now: DagObject, server: str, node: str) -> list[str]:
    """What a listed member still lacks."""
    missing = [] if node in ("Up", "Paused") else [f"node {node}"]
    missing += [] if listed(server, now.started) else ["not started"]
    missing += [] if listed(server, now.operational) else ["not operational"]
    missing += [] if now.active_manager else ["no Primary Active Manager"]
    if now.access_point == "static" and now.cluster is not None:
        states = {one.type: one.state for one in now.cluster.resources if one.state == "Online"}
        missing += [] if {"Network Name", "IP Address"} <= states.keys() else ["access point not online"]
    return missing


@step(
    check=dag_facts,
    apply="dag/remove_server.ps1.j2",
    risk=Risk.SERVICE,
    settle=Settle(every=10, limit=600),
    deadline=1800,
)
def no_member_of(now: DagObject, /, *, dag: DagName, server: ServerName) -> Change | Blocked | None:
    """A server is no member of the DAG, neither in Active Directory nor in its cluster (S-MEMBER-REMOVE)."""
    node = now.cluster.node(server) if now.cluster is not None else None
    if not now.has(server) and node is None:
        return None
    if len(now.members) > 1 and now.has(server):
        blocked = guards.quorum_without(now.cluster, nodes=[server])
        if blocked is not None:
            return blocked
    return Change(f"{dag} member {server}", "member", "no member", action="remove")


def joined(
    asked: Server,
    dag: str,
    servers: Sequence[Server],
    present: Sequence[str],
    controllers: Mapping[str, Sequence[str]],
    *,
    dac: bool = False,
    access_point: bool = False,
    notes: Mapping[str, str] | None = None,
    waiting: Sequence[Server] = (),
) -> Steps:
    """Bring servers into a DAG, one after the other, each only when its domain controllers know those before it.

    `present` are the members that are there; `asked` is the host whose Exchange session does it, a member already or
    the first of `servers`. `controllers` is what `controllers_of` found for each of `servers`. `dac`: DagOnly when all
    have joined. `access_point`: the DAG has a name that DNS must know.
    `notes`: what is said with a server's joining, by its name. `waiting`: those that must restart
    first (`clustering_waits`); one after the other, so that mail keeps a way.
    """
    yield from together(_feature(server, dag) for server in servers if server not in waiting)
    for server in waiting:
        yield from completed(server, comment=f"joins {dag}")
    before = [short(name) for name in present]
    for server in servers:
        yield from replicated(asked, dag, those_of(controllers, [server]), members=tuple(before), settle=JOINING)
        yield member_of.on(asked, dag=dag, server=server.name, note=(notes or {}).get(server.name, ""))
        if not any(same_host(server.name, name) for name in before):
            before.append(server.name)
    yield quorum_model_right.on(asked, dag=dag, members=tuple(before))
    if access_point:
        name = f"{dag}.{asked.fqdn.partition('.')[2]}"
        yield from wait(
            resolved,
            asked,
            until=lambda now: bool(now.addresses),
            settle=Settle(every=10, limit=600),
            what=f"DNS has an address for {name}",
            name=name,
        )
    if dac:
        yield activation_mode_set.on(asked, dag=dag, mode="DagOnly", members=tuple(before))
        yield from replicated(asked, dag, those_of(controllers, servers), members=tuple(before), mode="DagOnly")
    else:  # whoever comes next, with copies say, asks these controllers: the last member is known there too (S-AD-WAIT)
        yield from replicated(asked, dag, those_of(controllers, servers), members=tuple(before), settle=JOINING)
    yield from healthy(servers)


def healthy(servers: Sequence[Server]) -> Steps:
    """Wait until the replication checks of each member pass, those of copies aside: a new member has none yet."""
    yield from together(
        wait(
            replication_health,
            server,
            until=lambda now: not any(_failed(one) for one in now.checks),
            settle=Settle(every=30, limit=600),
            what=f"healthy replication of {server.name}",
            expected=True,
            name=server.name,
        )
        for server in servers
    )


def _failed(check: Check) -> bool:
    of_copies = check.name.startswith(("Database", "DB"))
    return not of_copies and "fail" in check.result.casefold()


def _feature(server: Server, dag: str) -> Steps:
    yield feature_installed.on(server, feature=FAILOVER_CLUSTERING, management=True, restarts=True)
    yield feature_complete.on(server, feature=FAILOVER_CLUSTERING, server=server.name, comment=f"joins {dag}")

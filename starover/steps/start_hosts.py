"""Members and witness hosts that are merely off, started again (S-START): who may be, and what follows; knows no fence.

It is the cheap way back, for hosts that nobody has replaced: fenced or evicted ones come back by failback only.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from starover.errors import NotSafe, NotVerified, StaroverError
from starover.estate import Dag, Estate, Server
from starover.names import same_host
from starover.runbook import Steps, attempt, together
from starover.step import Settle, wait
from starover.steps.dag_object import DagObject, dag_facts, listed
from starover.steps.disaster import CLUSTER_SERVICE, Machine, machine
from starover.steps.fence_hosts import LostHost, lost_hosts
from starover.steps.fencing import TAG
from starover.steps.instances import instance_running
from starover.steps.mounting import BY_ITSELF, SideCopies, side_copies

__all__ = ["automount_awaited", "hosts_to_start", "quorum_awaited", "refuse_replaced", "started"]

BOOT = Settle(every=15, limit=1200)
"""P(15s,20m)."""
_NAMES = (CLUSTER_SERVICE,)


def hosts_to_start(dag: Dag, estate: Estate, named: Sequence[Server], *, witness: bool) -> Steps[tuple[LostHost, ...]]:
    """The hosts of the DAG that EC2 has stopped: `named` or all members, the witness host, and the DCs of their sites.

    Raises `NotSafe` for a fenced one, `NotVerified` where EC2 tells of none of them.
    """
    members = estate.members(dag)
    wanted = [*(named or members)]
    if witness and dag.witness:
        wanted += [one for one in estate.servers if same_host(one.name, dag.witness) and one not in wanted]
    sites = {one.site for one in wanted if one.site}
    wanted += [one for one in estate.servers if "dc" in one.roles and one.site in sites and one not in wanted]
    found = yield from lost_hosts([one for one in wanted if one.instance], ())
    if not any(host.instance is not None for host in found):
        raise NotVerified(
            "EC2 says nothing of any of these hosts, so nobody knows which are off",
            certain=("nothing was changed",),
            uncertain=("whether they are off",),
            next=("starover run access-check --aws true", f"starover run az-loss-assess --dag {dag.name}"),
        )
    fenced = [host.server for host in found if _tag(host)]
    if fenced:
        raise NotSafe(
            f"G-FENCE: {', '.join(one.name for one in fenced)} {'was' if len(fenced) == 1 else 'were'} fenced, and a "
            "fence is lifted by failback only",
            certain=("nothing was changed",),
            next=tuple(f"starover plan failback --site {site}" for site in dict.fromkeys(one.site for one in fenced)),
        )
    return tuple(host for host in found if host.instance is not None and host.instance.state == "stopped")


def _tag(host: LostHost) -> str:
    return host.instance.instance.tag(TAG) if host.instance is not None and host.instance.instance is not None else ""


def refuse_replaced(dag: Dag, estate: Estate, off: Collection[str]) -> Steps:
    """G-SETDAG: raises `NotSafe` while a recovery is open, or where the cluster has gone on without one of them."""
    alive = [one for one in estate.members(dag) if one.name not in off]
    seen = yield from together(attempt(dag_facts.read(one, dag=dag.name)) for one in alive)
    for now in seen:
        if isinstance(now, StaroverError) or not now.found:
            continue
        why = _replaced(now, off)
        if why:
            raise NotSafe(
                f"G-SETDAG: {why}: that side may have been replaced",
                certain=("nothing was changed",),
                next=("starover plan failback --site SITE   brings it back in order",),
            )


def _replaced(now: DagObject, off: Collection[str]) -> str:
    if now.witness_share == "Alternate":
        return "the DAG runs on its alternate witness, so a recovery is open"
    stopped = [name for name in off if listed(name, now.stopped)]
    if stopped:
        return f"{', '.join(stopped)} is on the DAG's list of stopped servers"
    if now.cluster is not None:
        gone = [name for name in off if now.has(name) and now.cluster.node(name) is None]
        if gone:
            return f"the cluster goes on without {', '.join(gone)}, which was evicted"
    return ""


def started(hosts: Sequence[LostHost], members: Collection[str]) -> Steps:
    """Start them, domain controllers first, and wait until Windows answers, of members the cluster service too."""
    dcs = [host for host in hosts if "dc" in host.server.roles]
    others = [host for host in hosts if host not in dcs]
    for group in (dcs, others):
        yield from together(_started(host.server, member=host.server.name in members) for host in group)


def _started(server: Server, *, member: bool) -> Steps:
    yield instance_running.on(server, instance=server.instance)
    what = f"{CLUSTER_SERVICE} runs" if member else "Windows answers"
    yield from wait(machine, server, until=_runs if member else _answers, settle=BOOT, what=what, names=_NAMES)


def _runs(now: Machine) -> bool:
    return now.running(CLUSTER_SERVICE) is True


def _answers(_: Machine) -> bool:
    return True


def quorum_awaited(member: Server) -> Steps:
    """Wait until the cluster answers on a member: it does so with quorum only."""
    yield from wait(
        machine,
        member,
        until=lambda now: now.cluster is not None,
        settle=BOOT,
        what="the cluster has quorum",
        names=_NAMES,
    )


def automount_awaited(member: Server, members: Sequence[Server]) -> Steps:
    """Wait until Active Manager has mounted every database by itself; what it does not mount, `assess` explains."""
    yield from wait(
        side_copies,
        member,
        until=lambda now: not _not_mounted(now),
        settle=BY_ITSELF,
        progress=lambda now: len(_not_mounted(now)),
        what="every database mounted by Active Manager (else: starover assess)",
        expected=True,
        servers=tuple(one.name for one in members),
    )


def _not_mounted(now: SideCopies) -> list[str]:
    names = {copy.database for one in now.members for copy in one.copies}
    return sorted(name for name in names if now.mounted(name) is None)

"""From what hosts said to what the decision table asks: who is lost, who has quorum, what is mounted; pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

import msgspec

from starover.estate import Dag, Estate, Server
from starover.names import same_host
from starover.steps.assessment import Lost, Partition, Situation
from starover.steps.copies import CopyStatus
from starover.steps.dag import short
from starover.steps.dag_object import ClusterView
from starover.steps.disaster import CLUSTER_SERVICE, REPLICATION, STORE, Heard, Survey, at
from starover.steps.instances import OFF

__all__ = [
    "Cloud",
    "Place",
    "force_node",
    "last_log",
    "quorum_lost_at",
    "silent_names",
    "situation",
    "survivors",
    "up_and_silent",
]


class Cloud(msgspec.Struct, frozen=True, kw_only=True):
    """What EC2 says of one server's instance."""

    server: str
    state: str
    """`running`, `stopping`, `stopped`, `terminated`..."""
    checks: str
    """`ok`, or what is wrong with its status checks."""
    fenced: bool = False
    """It carries our tag `dag-fenced`."""
    store: str = ""
    """What is said of its instance store, which a stop loses; empty: it has none, or is off."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Another place that looked at a silent host."""

    asked: str
    answered: tuple[str, ...]
    """Names of the silent hosts that answered a ping from there."""
    looked_at: tuple[str, ...]


def survivors(seen: Survey) -> tuple[Heard, ...]:
    """The members that answer."""
    return seen.answering()


def silent_names(seen: Survey, dag: Dag) -> list[str]:
    """Members that do not answer, and the witness host in use where it does not either."""
    names = [one.server for one in seen.members if not one.answers]
    witness = witness_in_use(seen, dag)
    host = seen.host(witness) if witness else None
    return [*names, *([host.server] if host is not None and not host.answers else [])]


def up_and_silent(seen: Survey) -> tuple[str, tuple[str, ...]]:
    """A survivor with an Exchange session, and the members that are up in its cluster and silent from here."""
    mute = [one.server for one in seen.members if not one.answers]
    for host in seen.members:
        if host.cluster is None or host.copies is None:
            continue
        up = [one.name for one in host.cluster.nodes if one.state in ("Up", "Paused") and one.information != "Isolated"]
        return host.server, tuple(name for name in mute if any(same_host(name, one) for one in up))
    return "", ()


def witness_in_use(seen: Survey, dag: Dag) -> str:
    """The host of the witness that votes: the DAG object's, the alternate one after a Restore, else the inventory's."""
    found = seen.object
    if found is None:
        return dag.witness
    return found.alternate_server if found.witness_share == "Alternate" else found.witness_server or dag.witness


def situation(
    seen: Survey,
    dag: Dag,
    estate: Estate,
    *,
    clouds: Mapping[str, Cloud] | None = None,
    places: Sequence[Place] = (),
    beside: Sequence[CopyStatus] = (),
) -> Situation:
    """What the decision table asks for. `clouds` by server name; None: EC2 could not be read.

    `beside`: copies on members that are up in the cluster and silent from here, as a survivor sees them.
    """
    found = seen.object
    here = survivors(seen)
    lost = tuple(_lost(name, seen, estate, clouds, places) for name in silent_names(seen, dag))
    clusters = tuple(_partitions(seen))
    mounted = {copy.database for host in here if host.copies for copy in host.copies.copies if copy.mounted}
    mounted |= {copy.database for copy in beside if copy.mounted}
    _, apart = up_and_silent(seen)
    unseen = tuple(
        one.name
        for one in seen.databases or ()
        if one.name not in mounted
        and any(same_host(one.server, name) for name in apart)
        and not any(copy.database == one.name and same_host(copy.server, one.server) for copy in beside)
    )
    names = None if seen.databases is None else tuple(one.name for one in seen.databases)
    return Situation(
        dag=dag.name,
        members=dag.members,
        answering=tuple(one.server for one in here),
        clusters=clusters,
        isolated=tuple(dict.fromkeys(_isolated(seen))),
        changed=_changed(seen),
        mode=found.activation_mode if found is not None else "",
        started=found.started if found is not None else (),
        databases=names,
        mounted=tuple(sorted(mounted)),
        unseen=unseen,
        away=tuple(name for name in names or () if not any(_may_have(host, name) for host in here)),
        rebooted=_all_rebooted(seen),
        sick=tuple(_sick(here)) if clusters else (),
        lost=lost,
        elsewhere=_elsewhere(seen, lost),
        lost_site=_whole_site([one.name for one in lost if one.role == "member"], dag, estate),
        force_node=force_node(seen),
    )


def _may_have(host: Heard, database: str) -> bool:
    return host.copies is None or host.copies.copy(database) is not None


# -- who is lost -------------------------------------------------------------------------------------------------------


def _lost(
    name: str,
    seen: Survey,
    estate: Estate,
    clouds: Mapping[str, Cloud] | None,
    places: Sequence[Place],
) -> Lost:
    server = estate.server(name)
    member = any(same_host(one.server, name) for one in seen.members)
    cloud = (clouds or {}).get(server.name)
    down, why = _down(server, cloud, places)
    return Lost(
        name=server.name,
        role="member" if member else "witness",
        down=down,
        why=f"{why}; {cloud.store}" if cloud is not None and cloud.store else why,
        level="F1" if cloud is not None and cloud.state in OFF else "",
        fenced=cloud is not None and cloud.fenced,
        returns=_returns(server, cloud, seen),
    )


def _down(server: Server, cloud: Cloud | None, places: Sequence[Place]) -> tuple[bool | None, str]:
    """Down where EC2 says so; without EC2 where two independent places see nothing of it."""
    if cloud is not None:
        if cloud.state in OFF:
            return True, f"EC2: {cloud.state}"
        if cloud.checks not in ("", "ok"):
            return True, f"EC2: {cloud.state}, status checks {cloud.checks}"
        if not cloud.checks:
            return None, f"EC2: {cloud.state}, and nothing of its status checks; silent from here"
        return False, f"EC2: {cloud.state}, status checks ok; silent from here"
    looked = [one for one in places if any(same_host(name, server.name) for name in one.looked_at)]
    answered = [one.asked for one in looked if any(same_host(name, server.name) for name in one.answered)]
    if answered:
        return False, f"silent from here, but it answers {', '.join(answered)}"
    if looked:
        return True, f"silent from here and from {', '.join(one.asked for one in looked)}; EC2 could not be read"
    return None, "silent from here; EC2 could not be read, and no other place has looked"


def _returns(server: Server, cloud: Cloud | None, seen: Survey) -> str:
    """A stopped instance can be started where its zone lives; a booting one comes by itself."""
    if cloud is None or cloud.fenced:
        return ""
    alive = any(one.answers and one.az == server.az for one in seen.hosts)
    if cloud.state == "pending":
        return "EC2: it is starting"
    if cloud.state == "stopped" and alive:
        return f"EC2: stopped, and {server.az or 'its zone'} lives"
    return ""


def _whole_site(lost: Sequence[str], dag: Dag, estate: Estate) -> str:
    """G-ADSITE: the site whose members are exactly the lost ones."""
    members = estate.members(dag)
    sites = {one.site for one in members if one.site and any(same_host(one.name, name) for name in lost)}
    if len(sites) != 1 or len(lost) == len(members):
        return ""
    site = sites.pop()
    there = {one.name for one in members if one.site == site}
    return site if there == {one.name for one in members if any(same_host(one.name, name) for name in lost)} else ""


# -- what the cluster is -----------------------------------------------------------------------------------------------


def _partitions(seen: Survey) -> Iterator[Partition]:
    """Each quorate cluster once: views that share a node that is up are views of one cluster."""
    found: list[tuple[set[str], str, ClusterView]] = []
    for host in seen.members:
        view = host.cluster
        if view is None:
            continue
        up = {short(node.name).casefold() for node in view.nodes if node.state in ("Up", "Paused")}
        if not up or any(up & other for other, _, _ in found):
            continue
        found.append((up, host.server, view))
    for up, server, view in found:
        votes = sum(node.dynamic for node in view.nodes if short(node.name).casefold() in up)
        online = view.witness_state == "Online"
        yield Partition(
            nodes=tuple(node.name for node in view.nodes if short(node.name).casefold() in up),
            votes=votes + (view.witness_weight if online else 0),
            total=sum(node.dynamic for node in view.nodes) + view.witness_weight,
            seen_by=server,
        )


def _isolated(seen: Survey) -> Iterator[str]:
    for host in seen.members:
        for node in host.cluster.nodes if host.cluster is not None else ():
            if node.information == "Isolated":
                yield node.name


def _sick(here: Sequence[Heard]) -> Iterator[str]:
    for host in here:
        for service in (STORE, REPLICATION):
            if host.machine is not None and host.machine.running(service) is False:
                yield f"{service} on {host.server}"


def _elsewhere(seen: Survey, lost: Sequence[Lost]) -> str:
    """The witness's lock in the hands of a member that we cannot see: it may well be quorate."""
    for host in seen.others:
        for holder in host.lock.holders if host.lock is not None else ():
            name = short(holder.user.rpartition("\\")[2].rstrip("$"))
            if any(one.role == "member" and same_host(one.name, name) for one in lost):
                return f"{name}, which does not answer, holds the witness's lock on {host.server}"
    return ""


# -- times -------------------------------------------------------------------------------------------------------------


def last_log(seen: Survey, of: Collection[str] | None = None) -> datetime | None:
    """When the last log was written that anybody here knows of: mail was served until then. `of`: these databases."""
    names = None if of is None else {name.casefold() for name in of}
    times = [
        time
        for host in seen.members
        if host.copies is not None
        for log in host.copies.logs
        if names is None or log.database.casefold() in names
        for time in (at(log.notified_time), at(log.inspected_time))
    ]
    return max((one for one in times if one is not None), default=None)


def quorum_lost_at(seen: Survey) -> datetime | None:
    """When a survivor's own log says that quorum was lost, the latest; None: none says so."""
    times = [at(event.time) for host in seen.members if host.events for event in host.events.events if event.id == 1177]
    return max((one for one in times if one is not None), default=None)


def _changed(seen: Survey) -> float | None:
    """Seconds since the membership changed last, by the logs of the nodes themselves."""
    times = [at(event.time) for host in seen.members if host.events for event in host.events.events]
    last = max((one for one in times if one is not None), default=None)
    now = seen.now
    return (now - last).total_seconds() if last is not None and now is not None else None


def _all_rebooted(seen: Survey) -> bool:
    """Whether every member that answers has booted since the last log was written: then every DACP bit began at 0."""
    last = last_log(seen)
    boots = [at(host.machine.boot_time) for host in seen.members if host.machine is not None]
    return last is not None and bool(boots) and all(boot is not None and boot > last for boot in boots)


def force_node(seen: Survey) -> str:
    """Where to force: the newest configuration (a node that was up to the end), the least loss, lowest preferences."""
    last = last_log(seen)

    def order(host: Heard) -> tuple[bool, bool, int, int]:
        assert host.machine is not None
        boot = at(host.machine.boot_time)
        own = host.copies.logs if host.copies else ()
        lacking = sum(max(0, log.notified - log.inspected) for log in own if log.inspected)
        places = sum(copy.preference or 9 for copy in (host.copies.copies if host.copies else ()) if not copy.lag)
        return (last is not None and boot is not None and boot > last, host.copies is None, lacking, places)

    able = [one for one in survivors(seen) if one.machine is not None]
    able = [one for one in able if one.machine and one.machine.running(CLUSTER_SERVICE) is not None]
    return min(able, key=order).server if able else ""

"""A DAG as its hosts see it now: AD object, cluster, copies, databases, members' health; reads only, grades nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from starover.errors import StaroverError
from starover.inventory import Dag, Estate, Server
from starover.names import same_host
from starover.runbook import Steps, attempt, together
from starover.step import Query, Report
from starover.steps import direct
from starover.steps.answers import answer_of
from starover.steps.copies import CopyStatus, DatabaseCopies, copies_on
from starover.steps.dag_reports import (
    Check,
    Checks,
    ClusterState,
    Component,
    Components,
    DagState,
    DatabaseInfo,
    Databases,
    Hello,
    Node,
    Pair,
    Services,
    Volume,
    Volumes,
    short,
)

__all__ = [
    "Check",
    "Checks",
    "ClusterState",
    "Component",
    "Components",
    "DagFacts",
    "DagState",
    "DatabaseInfo",
    "Databases",
    "Hello",
    "HostFacts",
    "MemberHealth",
    "Node",
    "Pair",
    "Services",
    "Volume",
    "Volumes",
    "cluster_state",
    "components",
    "dag_state",
    "databases",
    "hello",
    "look_at",
    "members_of",
    "replication_health",
    "server_named",
    "services",
    "short",
    "volumes",
]

T = TypeVar("T")


dag_state = Query("dag/state.ps1.j2", DagState)
"""Argument: `dag`."""
cluster_state = Query("cluster/state.ps1.j2", ClusterState)
"""As the node that is asked sees it."""
databases = Query("database/list.ps1.j2", Databases)
"""Of the whole organization."""
replication_health = Query("server/replication_health.ps1.j2", Checks)
"""Argument: `name`."""
components = Query("server/components.ps1.j2", Components)
"""Argument: `name`."""
services = Query("server/services.ps1.j2", Services)
"""Argument: `name`."""
volumes = Query("server/volumes.ps1.j2", Volumes)
"""Of the host that is asked."""
hello = Query("server/hello.ps1.j2", Hello)
"""Of the host that is asked."""


class MemberHealth(msgspec.Struct, frozen=True, kw_only=True):
    """What only a health report asks; None: not read, `HostFacts.errors` says why."""

    checks: Checks | None
    components: Components | None
    services: Services | None
    volumes: Volumes | None


class HostFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What one host answered; None: not read, `errors` says why."""

    server: str
    boot_time: str | None
    cluster: ClusterState | None = None
    dag: DagState | None = None
    copies: tuple[CopyStatus, ...] | None = None
    health: MemberHealth | None = None
    errors: tuple[str, ...] = ()
    out: str = ""
    """Of a member: why it is out of the DAG on purpose (`out_on_purpose`); empty: it should be there."""

    @property
    def answers(self) -> bool:
        """It said something."""
        return self.boot_time is not None


class DagFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A DAG as seen now. Order as in the inventory."""

    name: str
    members: tuple[HostFacts, ...]
    others: tuple[HostFacts, ...]
    """Witness hosts and domain controllers."""
    databases: tuple[DatabaseInfo, ...] | None
    """Those with a copy on a member; None: nobody could be asked."""

    @property
    def dag(self) -> DagState | None:
        """The DAG object, by the first member that could read it."""
        return next((host.dag for host in self.members if host.dag), None)

    @property
    def cluster(self) -> ClusterState | None:
        """The cluster, by the first member whose cluster service answers."""
        return next((host.cluster for host in self.members if host.cluster), None)


def server_named(estate: Estate, name: str) -> Server | None:
    """The server of that name, short or full."""
    return next((server for server in estate.servers if same_host(server.name, name)), None)


def members_of(dag: Dag, estate: Estate) -> list[Server]:
    """The members as the inventory lists them."""
    return [server for name in dag.members if (server := server_named(estate, name))]


def look_at(
    dag: Dag, estate: Estate, servers: Sequence[Server], *, health: bool, skip: Sequence[Server] = ()
) -> Steps[DagFacts]:
    """Ask `servers` (members of `dag`), the witness hosts and the domain controllers, side by side.

    A host that does not answer is a fact, not an error. `health` asks for the checks of members too. `skip`: hosts that
    were silent a moment ago, and are not asked again.
    """
    others = [server for server in estate.servers if server not in servers and {"dc", "witness"} & set(server.roles)]
    count = len(servers)
    seen = yield from together(
        [_silent(server) if server in skip else _member(dag, server, health) for server in servers]
        + [_silent(server) if server in skip else _other(server) for server in others]
    )
    known: tuple[DatabaseInfo, ...] | None = None
    for server, facts in zip(servers, seen[:count], strict=True):
        if facts.copies is not None:
            listed = yield from attempt(direct.databases(server) if direct.is_only(server) else databases.read(server))
            if isinstance(listed, Databases):
                known = tuple(one for one in listed.databases if _has_copy_on(one, servers))
                break
    return DagFacts(name=dag.name, members=tuple(seen[:count]), others=tuple(seen[count:]), databases=known)


def _has_copy_on(database: DatabaseInfo, servers: Sequence[Server]) -> bool:
    return any(same_host(pair.server, server.name) for pair in database.preferences for server in servers)


def _member(dag: Dag, server: Server, health: bool) -> Steps[HostFacts]:
    name = server.name
    alone = direct.is_only(server)
    parts: list[Steps[Report | StaroverError]] = [
        attempt(hello.read(server)),
        attempt(cluster_state.read(server)),
        attempt(direct.dag(server, dag.name) if alone else dag_state.read(server, dag=dag.name)),
        attempt(direct.copies(server, name) if alone else copies_on.read(server, name=name)),
    ]
    if health:
        parts += [
            attempt(direct.replication_health(server, name) if alone else replication_health.read(server, name=name)),
            attempt(direct.components(server, name) if alone else components.read(server, name=name)),
            attempt(direct.services(server, name) if alone else services.read(server, name=name)),
            attempt(volumes.read(server)),
        ]
    answers = yield from together(parts)
    first, copies = answer_of(answers, Hello), answer_of(answers, DatabaseCopies)
    return HostFacts(
        server=name,
        boot_time=None if first is None else first.boot_time,
        cluster=answer_of(answers, ClusterState),
        dag=answer_of(answers, DagState),
        copies=None if copies is None else copies.copies,
        health=MemberHealth(
            checks=answer_of(answers, Checks),
            components=answer_of(answers, Components),
            services=answer_of(answers, Services),
            volumes=answer_of(answers, Volumes),
        )
        if health
        else None,
        errors=_errors(answers),
    )


def _silent(server: Server) -> Steps[HostFacts]:
    yield from together(())
    return HostFacts(server=server.name, boot_time=None, errors=("did not answer a moment ago",))


def _other(server: Server) -> Steps[HostFacts]:
    answer = yield from attempt(hello.read(server))
    return HostFacts(
        server=server.name,
        boot_time=answer.boot_time if isinstance(answer, Hello) else None,
        errors=_errors([answer]),
    )


def _errors(answers: Sequence[Report | StaroverError]) -> tuple[str, ...]:
    """Each thing that went wrong once, in order."""
    return tuple(dict.fromkeys(answer.what for answer in answers if isinstance(answer, StaroverError)))

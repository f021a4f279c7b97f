"""A DAG on a bad day: what every host still says of itself, its cluster and its copies; reads only, judges nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

import msgspec

from starover.errors import ConnectFailed, OutcomeUnknown, StaroverError
from starover.estate import Dag, Estate, Server
from starover.names import same_host
from starover.runbook import Steps, attempt, together
from starover.step import Query, Report
from starover.steps.answers import answer_of
from starover.steps.copies import CopyStatus
from starover.steps.dag import Pair, Volume
from starover.steps.dag_object import ClusterView, DagObject, dag_facts

__all__ = [
    "CLUSTER_SERVICE",
    "REPLICATION",
    "STORE",
    "Answered",
    "ClusterEvents",
    "CopyLogs",
    "DatabaseOrder",
    "DatabaseOrders",
    "Heard",
    "Lock",
    "Machine",
    "MemberCopies",
    "Survey",
    "at",
    "cluster_events",
    "database_orders",
    "machine",
    "member_copies",
    "pings",
    "survey",
    "witness_lock",
]

T = TypeVar("T")

CLUSTER_SERVICE = "clussvc"
REPLICATION = "MSExchangeRepl"
STORE = "MSExchangeIS"
SERVICES = (CLUSTER_SERVICE, REPLICATION, STORE, "MSExchangeADTopology")
"""Services without which a member serves nothing."""
QUICK = 8.0
"""Seconds after which a host counts as silent: the verdict must not wait for those who are gone (ux.md, rule 9)."""


def at(time: str) -> datetime | None:
    """A time as templates print it; None: there is none. Fractions beyond a microsecond are cut."""
    if not time:
        return None
    whole, point, rest = time.partition(".")
    digits = rest.rstrip("Z")[:6] if point else ""
    return datetime.fromisoformat(f"{whole.rstrip('Z')}.{digits.ljust(6, '0')}+00:00")


class ServiceState(Report):
    """A Windows service."""

    name: str
    status: str
    start: str


class Machine(Report):
    """A host as it is now (`disaster/machine.ps1.j2`)."""

    name: str
    utc: str
    boot_time: str
    """ISO 8601, UTC."""
    services: tuple[ServiceState, ...]
    """Those of `SERVICES` that it has."""
    volumes: tuple[Volume, ...]
    owner: str
    """The node that owns the core group, as this one sees it: the Primary Active Manager. Empty: not seen."""
    cluster: ClusterView | None
    cluster_error: str

    def running(self, service: str) -> bool | None:
        """Whether a service runs; None: the host does not have it."""
        found = next((one for one in self.services if one.name.casefold() == service.casefold()), None)
        return None if found is None else found.status == "Running"


class CopyLogs(Report):
    """Where the log stream of one copy stands. Numbers are generations, times ISO 8601 in UTC or empty."""

    database: str
    generated: int
    notified: int
    """The last log that the active copy told this one of."""
    inspected: int
    replayed: int
    stale: bool
    """Exchange itself says that what it knows of the last log is too old."""
    notified_time: str
    inspected_time: str
    replayed_time: str
    latest_time: str
    volume: str
    """Mount point of the log volume."""
    free: str
    """Free on it, as text (exchange.md, point 2)."""


class MemberCopies(Report):
    """A member's copies, its dial and its policy, as it knows them (`disaster/copies.ps1.j2`)."""

    server: str
    dial: str
    """AutoDatabaseMountDial."""
    policy: str
    """DatabaseCopyAutoActivationPolicy."""
    copies: tuple[CopyStatus, ...]
    logs: tuple[CopyLogs, ...]

    def copy(self, database: str) -> CopyStatus | None:
        """Its copy of a database."""
        return next((one for one in self.copies if one.database.casefold() == database.casefold()), None)

    def log(self, database: str) -> CopyLogs | None:
        """Where that copy's log stream stands."""
        return next((one for one in self.logs if one.database.casefold() == database.casefold()), None)


class DatabaseOrder(Report):
    """A database as Active Directory has it."""

    name: str
    guid: str
    server: str
    """Where it was active last."""
    preferences: tuple[Pair, ...]

    @property
    def servers(self) -> tuple[str, ...]:
        """The servers of its copies, the most preferred first."""
        order = sorted(self.preferences, key=lambda pair: int(pair.value) if pair.value.isdigit() else 99)
        return tuple(pair.server for pair in order)


class DatabaseOrders(Report):
    """Every database of the organization."""

    databases: tuple[DatabaseOrder, ...]


class Holder(Report):
    """Somebody who has a file open on a share."""

    user: str
    """`EXAMPLE\\EX1$`."""
    computer: str
    path: str


class Lock(Report):
    """Who holds files open on a witness host (`disaster/lock.ps1.j2`)."""

    holders: tuple[Holder, ...]


class Answered(Report):
    """Which hosts answer a ping from the one that was asked."""

    answered: tuple[str, ...]


class ClusterEvent(Report):
    """An event of the cluster service: 1069 it went, 1135 a node was removed, 1177 quorum was lost."""

    id: int
    time: str
    """ISO 8601, UTC."""


class ClusterEvents(Report):
    """A host's own events of the cluster, the newest first."""

    events: tuple[ClusterEvent, ...]


machine = Query("disaster/machine.ps1.j2", Machine, deadline=QUICK)
"""Argument: `names`, of services. Of the host that is asked."""
member_copies = Query("disaster/copies.ps1.j2", MemberCopies)
"""Argument: `name`, of the server."""
database_orders = Query("disaster/databases.ps1.j2", DatabaseOrders)
"""Of the whole organization."""
witness_lock = Query("disaster/lock.ps1.j2", Lock, deadline=QUICK)
"""Of the witness host that is asked."""
pings = Query("disaster/pings.ps1.j2", Answered, deadline=30)
"""Argument: `names`."""
cluster_events = Query("disaster/events.ps1.j2", ClusterEvents, deadline=QUICK)
"""Of the host that is asked."""


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What one host said. None: it was not asked, or did not say; `errors` tells why."""

    server: str
    role: str
    """`member`, `witness` or `dc`."""
    az: str
    site: str
    machine: Machine | None = None
    dag: DagObject | None = None
    copies: MemberCopies | None = None
    lock: Lock | None = None
    """Of a witness host."""
    events: ClusterEvents | None = None
    """Of a member."""
    errors: tuple[str, ...] = ()
    silent: bool = False
    """Nobody answered on any road; with `machine` None and not silent, it refused or failed."""

    @property
    def answers(self) -> bool:
        """Windows on it says something."""
        return self.machine is not None

    @property
    def cluster(self) -> ClusterView | None:
        """The cluster as this node sees it."""
        return self.machine.cluster if self.machine is not None else None


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """A DAG and its neighbours, asked side by side."""

    dag: str
    members: tuple[Heard, ...]
    others: tuple[Heard, ...]
    """Witness hosts and domain controllers."""
    databases: tuple[DatabaseOrder, ...] | None
    """Those with a copy on a member; None: nobody could list them."""

    @property
    def object(self) -> DagObject | None:
        """The DAG's AD object, by the member that sees most: one whose cluster answers before others."""
        seen = [host.dag for host in self.members if host.dag is not None and host.dag.found]
        return next((one for one in seen if one.cluster is not None), seen[0] if seen else None)

    @property
    def hosts(self) -> tuple[Heard, ...]:
        """All of them."""
        return (*self.members, *self.others)

    def host(self, name: str) -> Heard | None:
        """The host of that name."""
        return next((one for one in self.hosts if same_host(one.server, name)), None)

    def answering(self, role: str = "member") -> tuple[Heard, ...]:
        """The hosts of a role that said something."""
        return tuple(one for one in self.hosts if one.role == role and one.answers)

    @property
    def now(self) -> datetime | None:
        """The latest clock of those that answered."""
        return max((t for one in self.hosts if one.machine and (t := at(one.machine.utc))), default=None)


def survey(dag: Dag, estate: Estate) -> Steps[Survey]:
    """Ask members, witness hosts and domain controllers at once; a silent one costs its own deadline and no more."""
    members = estate.members(dag)
    others = [one for one in estate.servers if one not in members and {"dc", "witness"} & set(one.roles)]
    heard = yield from together([_member(dag, server) for server in members] + [_other(server) for server in others])
    first, rest = heard[: len(members)], heard[len(members) :]
    return Survey(
        dag=dag.name, members=tuple(first), others=tuple(rest), databases=(yield from _databases(members, first))
    )


def _databases(members: Sequence[Server], heard: Sequence[Heard]) -> Steps[tuple[DatabaseOrder, ...] | None]:
    for server, one in zip(members, heard, strict=True):
        if one.copies is None:
            continue
        listed = yield from attempt(database_orders.read(server))
        if isinstance(listed, DatabaseOrders):
            return tuple(
                database
                for database in listed.databases
                if any(same_host(name, member.name) for name in database.servers for member in members)
            )
    return None


def _member(dag: Dag, server: Server) -> Steps[Heard]:
    """Windows first and quickly; Exchange only where Windows answers, since opening its session takes a while."""
    here = yield from attempt(machine.read(server, names=SERVICES))
    if not isinstance(here, Machine):
        return _silent(server, "member", here)
    parts: list[Steps[Report | StaroverError]] = [
        attempt(cluster_events.read(server)),
        attempt(dag_facts.read(server, dag=dag.name)),
        attempt(member_copies.read(server, name=server.name)),
    ]
    answers = yield from together(parts)
    return Heard(
        server=server.name,
        role="member",
        az=server.az,
        site=server.site,
        machine=here,
        dag=answer_of(answers, DagObject),
        copies=answer_of(answers, MemberCopies),
        events=answer_of(answers, ClusterEvents),
        errors=tuple(dict.fromkeys(one.what for one in answers if isinstance(one, StaroverError))),
    )


def _other(server: Server) -> Steps[Heard]:
    role = "dc" if "dc" in server.roles else "witness"
    here = yield from attempt(machine.read(server, names=SERVICES))
    if not isinstance(here, Machine):
        return _silent(server, role, here)
    lock = (yield from attempt(witness_lock.read(server))) if role == "witness" else None
    return Heard(
        server=server.name,
        role=role,
        az=server.az,
        site=server.site,
        machine=here,
        lock=lock if isinstance(lock, Lock) else None,
        errors=(lock.what,) if isinstance(lock, StaroverError) else (),
    )


def _silent(server: Server, role: str, error: StaroverError) -> Heard:
    return Heard(
        server=server.name,
        role=role,
        az=server.az,
        site=server.site,
        errors=(error.what,),
        silent=isinstance(error, ConnectFailed | OutcomeUnknown),
    )

"""What `status` and `health-report` read, command by command, of servers whose provider is `direct`; judges nothing.

Such a server takes no script (`powershell.md` 2.1): one command with literal parameters, whose objects come back as
they are. So each reading here has a template marked `# single`, and is made into the report that a script would give.
"""

from __future__ import annotations

import re

from starover.estate import Server
from starover.runbook import Steps
from starover.step import Query, Report
from starover.steps.copies import CopyStatus, DatabaseCopies
from starover.steps.dag_reports import (
    Check,
    Checks,
    Component,
    Components,
    DagState,
    DatabaseInfo,
    Databases,
    Pair,
    Services,
)

__all__ = ["components", "copies", "dag", "databases", "is_only", "replication_health", "services"]

_PAIR = re.compile(r"\[(?P<key>.+), (?P<value>[^,]*)\]")


class _Dag(Report):
    name: str
    servers: tuple[str, ...] | None
    witness_server: str | None
    witness_directory: str | None
    alternate_witness_server: str | None
    witness_share_in_use: str | None
    datacenter_activation_mode: str | None
    primary_active_manager: str | None
    started_mailbox_servers: tuple[str, ...] | None
    stopped_mailbox_servers: tuple[str, ...] | None


class _Dags(Report):
    objects: tuple[_Dag, ...]


class _Copy(Report):
    name: str
    database_name: str
    mailbox_server: str
    status: str
    active_copy: bool
    activation_suspended: bool
    suspend_comment: str | None
    activation_preference: int | None
    copy_queue_length: int | None
    replay_queue_length: int | None
    content_index_state: str | None
    replay_lag_status: str | None
    error_message: str | None


class _Copies(Report):
    objects: tuple[_Copy, ...]


class _Database(Report):
    name: str
    mounted: bool | None
    server: str | None
    activation_preference: tuple[str, ...] | None
    replay_lag_times: tuple[str, ...] | None
    circular_logging_enabled: bool
    log_folder_path: str | None


class _Databases(Report):
    objects: tuple[_Database, ...]


class _Check(Report):
    check: str
    result: str
    error: str | None


class _Checks(Report):
    objects: tuple[_Check, ...]


class _Component(Report):
    component: str
    state: str


class _Components(Report):
    objects: tuple[_Component, ...]


class _Role(Report):
    services_not_running: tuple[str, ...] | None


class _Roles(Report):
    objects: tuple[_Role, ...]


_dag = Query("direct/dag.ps1.j2", _Dags)
_copies = Query("direct/copies.ps1.j2", _Copies)
_databases = Query("direct/databases.ps1.j2", _Databases)
_checks = Query("direct/replication_health.ps1.j2", _Checks)
_components = Query("direct/components.ps1.j2", _Components)
_services = Query("direct/services.ps1.j2", _Roles)


def is_only(server: Server) -> bool:
    """Whether nothing but single commands goes to the server's Exchange."""
    return server.exchange is not None and server.exchange.provider == "direct"


def dag(server: Server, name: str) -> Steps[DagState]:
    """The DAG object with its live fields."""
    (one,) = (yield from _dag.read(server, dag=name)).objects
    return DagState(
        name=one.name,
        members=one.servers or (),
        witness_server=one.witness_server or "",
        witness_directory=one.witness_directory or "",
        alternate_server=one.alternate_witness_server or "",
        witness_share=one.witness_share_in_use or "",
        activation_mode=one.datacenter_activation_mode or "",
        active_manager=one.primary_active_manager or "",
        started=one.started_mailbox_servers or (),
        stopped=one.stopped_mailbox_servers or (),
    )


def copies(server: Server, name: str) -> Steps[DatabaseCopies]:
    """Every copy that the server `name` hosts."""
    found = yield from _copies.read(server, name=name)
    return DatabaseCopies(
        copies=tuple(
            CopyStatus(
                identity=one.name,
                database=one.database_name,
                server=one.mailbox_server,
                status=one.status,
                active=one.active_copy,
                activation_suspended=one.activation_suspended,
                suspend_comment=one.suspend_comment or "",
                preference=one.activation_preference,
                copy_queue=one.copy_queue_length,
                replay_queue=one.replay_queue_length,
                content_index=one.content_index_state or "",
                replay_lag=one.replay_lag_status or "",
                error_message=one.error_message or "",
            )
            for one in found.objects
        )
    )


def databases(server: Server) -> Steps[Databases]:
    """Every database of the organization."""
    found = yield from _databases.read(server)
    return Databases(
        databases=tuple(
            DatabaseInfo(
                name=one.name,
                mounted=bool(one.mounted),
                server=one.server or "",
                preferences=_pairs(one.activation_preference),
                lags=_pairs(one.replay_lag_times),
                circular_logging=one.circular_logging_enabled,
                log_folder=one.log_folder_path or "",
            )
            for one in found.objects
        )
    )


def _pairs(texts: tuple[str, ...] | None) -> tuple[Pair, ...]:
    """Pairs by their text, `[EX1, 2]`: what is deep in an object arrives as that."""
    found: list[Pair] = []
    for text in texts or ():
        match = _PAIR.fullmatch(text)
        key, value = (match["key"], match["value"]) if match else ("", "")
        found.append(Pair(key=key, name="", value=value, text=text))
    return tuple(found)


def replication_health(server: Server, name: str) -> Steps[Checks]:
    """What Test-ReplicationHealth says of a server."""
    found = yield from _checks.read(server, name=name)
    return Checks(
        checks=tuple(Check(name=one.check, result=one.result, error=one.error or "") for one in found.objects)
    )


def components(server: Server, name: str) -> Steps[Components]:
    """The component states of a server."""
    found = yield from _components.read(server, name=name)
    return Components(components=tuple(Component(name=one.component, state=one.state) for one in found.objects))


def services(server: Server, name: str) -> Steps[Services]:
    """The services that a server's roles need and that do not run."""
    found = yield from _services.read(server, name=name)
    return Services(not_running=tuple(one for role in found.objects for one in role.services_not_running or ()))

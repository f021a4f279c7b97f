"""Exchange's cmdlets by version and rights, as specifications with their bodies; runs nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from starover_lab.cmdlets import (
    activation,
    certificates,
    client_access,
    copies,
    dag_networks,
    dag_recovery,
    dags,
    database_settings,
    databases,
    health,
    health_sets,
    mail_flow,
    moves,
    queues,
    recovery_databases,
    reference,
    resubmit,
    servers,
    virtual_directories,
)
from starover_lab.cmdlets.not_simulated import exchange_others
from starover_lab.cmdlets.rbac import allowed, trimmed
from starover_lab.powershell.command import Body, CommandSpec

__all__ = ["exchange_commands", "snapin_commands"]

_EXCHANGE: dict[str, Body] = (
    copies.BODIES
    | databases.BODIES
    | database_settings.BODIES
    | dags.BODIES
    | dag_networks.BODIES
    | dag_recovery.BODIES
    | servers.BODIES
    | health.BODIES
    | health_sets.BODIES
    | mail_flow.BODIES
    | queues.BODIES
    | activation.BODIES
    | moves.BODIES
    | recovery_databases.BODIES
    | resubmit.BODIES
    | virtual_directories.BODIES
    | client_access.BODIES
    | certificates.BODIES
)


def snapin_commands(year: str) -> Iterator[CommandSpec]:
    """All cmdlets of that Exchange version; those that the lab does not simulate are refused when they are called."""
    for name, body in _EXCHANGE.items():
        found = reference.spec(name, body, year)
        if found is not None:
            yield found
    yield from exchange_others(year, _EXCHANGE)


def exchange_commands(year: str, roles: Collection[str], missing: Collection[str]) -> Iterator[CommandSpec]:
    """What somebody with these roles finds at `/PowerShell`: a cmdlet or parameter without a role is not there."""
    for found in snapin_commands(year):
        if allowed(roles, found.name, missing):
            yield trimmed(found, missing)

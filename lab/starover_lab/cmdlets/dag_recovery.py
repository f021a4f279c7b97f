"""Stop-, Restore- and Start-DatabaseAvailabilityGroup: the commands of a datacenter switchover; reads nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from starover_lab.cmdlets.dag_tasks import run_task
from starover_lab.cmdlets.dags import refuse_other
from starover_lab.cmdlets.identities import known_server
from starover_lab.cmdlets.machine import exchange_error, machine, reading, switch
from starover_lab.cmdlets.objects import text_of
from starover_lab.powershell.command import Body, Invocation
from starover_lab.powershell.values import Value
from starover_lab.world.dag_recovery import DagRecovery, RestoreWishes
from starover_lab.world.errors import WorldError
from starover_lab.world.operations import Operation

__all__ = ["BODIES"]

_MEANT = {"Identity", "ActiveDirectorySite", "MailboxServer", "ConfigurationOnly"}
_RESTORE = {
    "Identity",
    "ActiveDirectorySite",
    "AlternateWitnessServer",
    "AlternateWitnessDirectory",
    "UsePrimaryWitnessServer",
}


def _move(call: Invocation, act: Callable[..., Operation]) -> Iterator[Value]:
    """Stop or start the members of a site, or one member."""
    for bound in call.records():
        refuse_other(call, bound, _MEANT)
        here = machine(call)
        dc = here.dc(bound.get("DomainController"))
        server = _server(call, bound, dc)
        if server is None:
            continue
        identity = text_of(bound.get("Identity"))
        begin = partial(
            act,
            here.world.recovery,
            identity,
            here.host,
            site=text_of(bound.get("ActiveDirectorySite")),
            server=server,
            configuration_only=switch(bound.get("ConfigurationOnly")),
            dc=dc,
        )
        run_task(call, identity, bound, begin, dc=dc)
    yield from ()


def _server(call: Invocation, bound: Mapping[str, Value], dc: str | None) -> str | None:
    """The member that is named, empty where a site is; None when nobody knows it, which is reported."""
    asked = text_of(bound.get("MailboxServer"))
    if not asked:
        return ""
    try:
        return known_server(machine(call), asked)
    except WorldError as error:
        reading(call)
        call.error(exchange_error(call, error, asked, dc))
        return None


def stop_dag(call: Invocation) -> Iterator[Value]:
    """Stop-DatabaseAvailabilityGroup."""
    yield from _move(call, DagRecovery.stop)


def start_dag(call: Invocation) -> Iterator[Value]:
    """Start-DatabaseAvailabilityGroup."""
    yield from _move(call, DagRecovery.start)


def restore_dag(call: Invocation) -> Iterator[Value]:
    """Restore-DatabaseAvailabilityGroup: minutes; it may stop half-way and be run again."""
    for bound in call.records():
        refuse_other(call, bound, _RESTORE)
        here = machine(call)
        dc = here.dc(bound.get("DomainController"))
        identity = text_of(bound.get("Identity"))
        wishes = RestoreWishes(
            site=text_of(bound.get("ActiveDirectorySite")),
            witness_server=text_of(bound.get("AlternateWitnessServer")),
            witness_directory=text_of(bound.get("AlternateWitnessDirectory")),
            primary_witness=switch(bound.get("UsePrimaryWitnessServer")),
        )
        begin = partial(here.world.recovery.restore, identity, here.host, wishes, dc=dc)
        run_task(call, identity, bound, begin, dc=dc)
    yield from ()


BODIES: dict[str, Body] = {
    "Stop-DatabaseAvailabilityGroup": stop_dag,
    "Restore-DatabaseAvailabilityGroup": restore_dag,
    "Start-DatabaseAvailabilityGroup": start_dag,
}

"""Restart-Computer and the start types of services; knows no cluster."""

from __future__ import annotations

from collections.abc import Iterator

from starover_lab.cmdlets.machine import given_list, machine, switch
from starover_lab.cmdlets.objects import text_of
from starover_lab.cmdlets.prompts import may
from starover_lab.powershell.command import Body, Invocation
from starover_lab.powershell.values import Value
from starover_lab.world.names import same
from starover_lab.world.state import first_label

__all__ = ["BODIES"]

_ACTION = "Enable the Remote shutdown access rights and restart the computer."


def restart(call: Invocation) -> Iterator[Value]:
    """Restart-Computer of this host: the session dies with it. Another host is a second hop."""
    for bound in call.records():
        here = machine(call)
        for computer in given_list(bound.get("ComputerName")) or ["localhost"]:
            local = same(computer, "localhost") or computer == "." or same(first_label(computer), here.host)
            if local and switch(bound.get("Wait")):
                message = "The local computer cannot be waited for."
                kind = "System.InvalidOperationException"
                error_id = "RestartComputerOnLocalMachine"
                call.error(call.record(error_id, "InvalidOperation", message, type_name=kind, target=computer))
            elif not local:
                message = (
                    f"Failed to restart the computer {computer} with the following error message: Access is denied. "
                    "(Exception from HRESULT: 0x80070005 (E_ACCESSDENIED))."
                )
                call.error(call.record("RestartcomputerFailed", "OperationStopped", message, target=computer))
            elif may(call, f"localhost ({here.server.name.upper()})", _ACTION):
                here.world.windows.restart(here.host)
    yield from ()


def set_service(call: Invocation) -> Iterator[Value]:
    """Set-Service -StartupType of a service of this host."""
    for bound in call.records():
        here = machine(call)
        for name in given_list(bound.get("Name")) or given_list(bound.get("InputObject")):
            service = here.world.state.service(here.server, name)
            if service is None:
                message = f"Service {name} was not found on computer '.'."
                kind = "System.InvalidOperationException"
                call.error(call.record("InvalidOperationException", "ObjectNotFound", message, type_name=kind))
                continue
            start = text_of(bound.get("StartupType"))
            if not may(call, f"{service.display_name} ({service.name})"):
                continue
            call.wait(here.pace(here.world.state.tuning.read_s))
            for known in ("Automatic", "Manual", "Disabled"):
                if same(known, start):
                    service.start_type = known
    yield from ()


BODIES: dict[str, Body] = {"Restart-Computer": restart, "Set-Service": set_service}

"""How the cmdlets of a DAG run: they last as long as their work on the servers, warn, and tell where their log is.

A task that fails warns of its log file first (facts/exchange.md point 16); that of adding a member misspells its name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from starover_lab.cmdlets.machine import Machine, machine, mutate
from starover_lab.powershell.command import Invocation
from starover_lab.powershell.values import Value
from starover_lab.world.errors import WorldError
from starover_lab.world.operations import Notice, Operation

__all__ = ["NOTHING_CHANGED", "run_task", "wait_until", "warn"]

NOTHING_CHANGED = "The command completed successfully but no settings of '{0}' have been modified."
"""A warning; as published (tr-c270257ab7)."""
_LOG = (
    'The operation wasn\'t successful because an error was encountered. You may find more details in log file "{0}" on '
    '"{1}".'
)
"""As published (tr-d2307ed35c)."""
_MISSPELT = {"add-databaseavailabilitygroupserver": "add-databaseavailabiltygroupserver"}
_VULNERABLE = (
    "Until this problem is corrected, the database availability group may be more vulnerable to failures. You can use "
    "the Set-DatabaseAvailabilityGroup cmdlet to try the operation again."
)
_NOTICES = {
    # tr-3defd126d0
    "witness_path_not_found": (
        f"Unable to access file shares on witness server '{{server}}'. {_VULNERABLE} Error: The network path was not "
        "found."
    ),
    # tr-be40d1e513
    "witness_rpc_unavailable": (
        f"Failed to create file share witness directory '{{directory}}' on witness server '{{server}}'. {_VULNERABLE} "
        "Error: WMI exception occurred on server '{server}': The RPC server is unavailable. (Exception from HRESULT: "
        "0x800706BA)"
    ),
    "witness_access_denied": (
        f"Failed to create file share witness directory '{{directory}}' on witness server '{{server}}'. {_VULNERABLE} "
        "Error: WMI exception occurred on server '{server}': Access is denied. (Exception from HRESULT: 0x80070005 "
        "(E_ACCESSDENIED))"
    ),
    # tr-b8b3564618
    "not_evicted": (
        "Server '{server}' was marked as stopped in database availability group '{dag}' but couldn't be removed from "
        "the cluster. Error: A server-side database availability group administrative operation failed. Error: The "
        "operation failed. EvictClusterNodeEx failed with 0x46. Error: The remote server has been paused or is in the "
        "process of being started"
    ),
    "node_not_started": (
        "Server '{server}' in database availability group '{dag}' couldn't be started. Its cluster service hasn't "
        "joined the cluster."
    ),
    "copy_needs_seed": (
        "Replication is suspended for database copy '{copy}' because the database copy needs to be seeded."
    ),
    "restart_store": (
        "Please restart the Microsoft Exchange Information Store service on server {server} after adding new mailbox "
        "databases."
    ),
    "files_left": (
        'The copy of the mailbox database "{copy}" on server "{server}" has been removed. If necessary, manually '
        "delete the database copy's log files located at '{log_path}' and its database file located at '{edb_path}'."
    ),
}


def wait_until(call: Invocation, moment: datetime) -> None:
    """Let time pass until a moment of the world."""
    call.wait(max((moment - machine(call).world.now).total_seconds(), 0.0))


def warn(call: Invocation, notice: Notice) -> None:
    """Say what an operation warns of."""
    words = {key: str(value) for key, value in notice.data.items()}
    call.warning(_NOTICES[notice.kind].format_map({"directory": "", "server": "", **words}))


def _log_file(here: Machine, cmdlet: str) -> str:
    name = _MISSPELT.get(cmdlet.casefold(), cmdlet.casefold())
    return f"C:\\ExchangeSetupLogs\\DagTasks\\dagtask_{here.world.now:%Y-%m-%d_%H-%M-%S}.000_{name}.log"


def run_task(
    call: Invocation,
    target: str,
    bound: Mapping[str, Value],
    begin: Callable[[], Operation],
    *,
    dc: str | None = None,
    logged: bool = True,
) -> bool:
    """Carry out a change that takes its time on the servers; whether it was done. `logged`: a failure warns first."""
    here = machine(call)

    def act() -> None:
        try:
            operation = begin()
            wait_until(call, operation.ends)
            for notice in operation.notices:
                warn(call, notice)
            operation.result()
        except WorldError:
            if logged:
                call.warning(_LOG.format(_log_file(here, call.spec.name), here.server.name))
            raise

    return mutate(call, target, bound, act, dc=dc)

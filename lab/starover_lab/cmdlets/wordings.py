"""What Exchange's cmdlets say when the world refuses: exception types, categories, texts; knows no call and no world.

Texts come from published transcripts where there are any (their ids stand beside them), else they say what the
reference pages say they say.
"""

from __future__ import annotations

from collections.abc import Callable

from starover_lab.world.errors import WorldError

__all__ = ["kind_of", "wording"]

_REPLAY = "Microsoft.Exchange.Cluster.Replay."
_DAG_TASK = f"{_REPLAY}DagTaskOperationFailedException"
_TASK_INVALID = ("Microsoft.Exchange.Management.Tasks.TaskInvalidOperationException", "InvalidOperation")
# Kind of refusal -> (exception type, category).
_KINDS: dict[str, tuple[str, str]] = {
    "not_found": ("Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException", "NotSpecified"),
    "no_dc": ("Microsoft.Exchange.Data.Directory.SuitabilityDirectoryException", "NotSpecified"),
    "server_down": (f"{_REPLAY}ReplayServiceDownException", "NotSpecified"),
    "service_down": (f"{_REPLAY}ReplayServiceDownException", "NotSpecified"),
    "no_quorum": (f"{_REPLAY}AmClusterNotRunningException", "NotSpecified"),
    "no_pam": (f"{_REPLAY}AmInvalidConfiguration", "NotSpecified"),
    "seed_in_progress": (f"{_REPLAY}SeedInProgressException", "InvalidOperation"),
    "must_be_suspended": (f"{_REPLAY}SeederInstanceInvalidStateForBeginException", "InvalidOperation"),
    "move_suppressed": (f"{_REPLAY}AmDbMoveMoveSuppressedException", "InvalidOperation"),
    "name_in_use": ("Microsoft.Exchange.Management.Tasks.DagTaskNameInUseException", "InvalidArgument"),
    "syntax": ("Microsoft.Exchange.Data.DataValidationException", "InvalidArgument"),
    "invalid": ("Microsoft.Exchange.Data.DataValidationException", "InvalidArgument"),
}
_OF_DAG_TASKS = {
    "server_down",
    "service_down",
    "no_quorum",
    "cno_denied",
    "cno_in_use",
    "no_ip_for_subnet",
    "ip_in_use",
    "feature_pending",
}


def kind_of(error: WorldError) -> tuple[str, str]:
    """Exception type and category of a refusal."""
    if "seeding" in error.data:
        return (f"{_REPLAY}SeederOperationFailedException", "InvalidOperation")
    if "fqdn" in error.data and error.kind in _OF_DAG_TASKS:
        return (_DAG_TASK, "NotSpecified")
    return _KINDS.get(error.kind, ("System.InvalidOperationException", "InvalidOperation"))


_RPC = {"Suspend": "SuspendCopy", "Resume": "ResumeCopy", "Update": "BeginSeed", "Add": "RunConfigurationUpdater"}
_CLUSTER_CALLS = {"Add-": "AddNodeToCluster", "Remove-": "EvictNodeFromCluster"}


def _unreachable(cmdlet: str, server: str, *, down: bool) -> str:
    """A server, or the service on it, does not answer (tr-7606439d59, tr-4e0b377c3e, tr-5ccca07f02)."""
    code = "0x6ba (The RPC server is unavailable)"
    if not down:
        code = "0x6d9 (There are no more endpoints available from the endpoint mapper)"
    verb, _, noun = cmdlet.partition("-")
    if noun == "MailboxDatabaseCopy":
        function = f"cli_Rpcc{_RPC.get(verb, 'RunConfigurationUpdater')}"
        return (
            f"The Microsoft Exchange Replication service may not be running on server {server}. Specific RPC error "
            f"message: Error {code} from {function}."
        )
    if noun == "DatabaseAvailabilityGroupServer":
        return (
            "A server-side database availability group administrative operation failed. Error: The operation failed "
            f"with message: Error {code} from cli_Rpcc{_CLUSTER_CALLS.get(verb + '-', 'RunConfigurationUpdater')} "
            f"[Server: {server}]"
        )
    hresult = "0x800706BA" if down else "0x800706D9"
    return f"Can't connect to server {server}: {code.partition('(')[2][:-1]}. (Exception from HRESULT: {hresult})"


def _not_found(error: WorldError, target: str, dc: str) -> str:
    name = str(error.data.get("name", target))
    match error.data.get("object"):
        case "component":
            return f"The server component '{name}' isn't known."
        case "witness":
            return (
                f"The witness server '{name}' couldn't be found. Specify the name of an existing server, and make sure "
                "that it can be resolved."
            )
        case "certificate":
            return f"The certificate with thumbprint {name} was not found."
        case "network":
            target = name
        case _:
            pass
    return f"The operation couldn't be performed because object '{target}' couldn't be found on '{dc}'."


def _no_quorum(cmdlet: str, cluster: str) -> str:
    if "DatabaseAvailabilityGroup" in cmdlet:
        return (
            f"The cluster of database availability group '{cluster}' doesn't have quorum. The operation can't be "
            "performed until enough of its members are running."
        )
    return "An Active Manager operation failed. Error: The cluster service is not running or has no quorum."


def _text(error: WorldError, key: str) -> str:
    value = error.data.get(key, "")
    return ", ".join(str(one) for one in value) if isinstance(value, list) else str(value)


_FAILED = "A server-side database availability group administrative operation failed. Error: The operation failed."
_STATIC = f"{_FAILED} CreateCluster errors may result from incorrectly configured static addresses. Error: "
_AM = "An Active Manager operation failed. Error: The database action failed. Error: "
_FORCIBLY = (
    "If you need to activate this database copy, you can use the Move-ActiveMailboxDatabase cmdlet with the -{0} "
    "parameter to forcibly activate the database copy."
)
_PLACE = " [Database: {database}, Server: {server}]"
_PHRASES: dict[str, str] = {
    "dac_not_agreed": (
        f"{_AM}Server '{{server}}' is not permitted to mount databases: automount consensus has not been reached in "
        f"its database availability group (datacenter activation coordination).{_PLACE}"
    ),
    "not_on_lists": (
        f"{_AM}A server must be a member of a database availability group, and it must have quorum. Server "
        f"'{{server}}' is kept from mounting by the stopped or started servers list: it is a stopped server.{_PLACE}"
    ),
    "mount_failed": (
        f"{_AM}Operation failed with message: MapiExceptionCallFailed: Unable to mount database. (hr=0x80004005, "
        f"ec=-2147467259){_PLACE}"
    ),
    # tr-4e0b377c3e
    "validation_down": (
        f"{_AM}An error occurred while trying to validate the specified database copy for possible activation. Error: "
        "{copy_server}: A server-side administrative operation has failed. The Microsoft Exchange Replication service "
        "may not be running on server {server}. Specific RPC error message: Error 0x6ba (The RPC server is "
        f"unavailable) from cli_RpcsGetCopyStatusWithHealthState [Server: {{server}}]{_PLACE}"
    ),
    # facts/exchange.md point 14
    "component_offline": (
        f"{_AM}Server '{{server}}' component (HighAvailability) state is offline. If you need to activate databases "
        "copies on this server, you can use the Set-ServerComponentState cmdlet to bring the component online, or the "
        f"Move-ActiveMailboxDatabase cmdlet with the -SkipHealthChecks parameter.{_PLACE}"
    ),
    # The words of tr-20e0a1ac18.
    "copy_unhealthy": (
        f"{_AM}Database copy '{{database}}' is in a {{status}} state on server '{{copy_server}}'. Reason: {{message}}. "
        f"{_FORCIBLY.format('SkipHealthChecks')}{_PLACE}"
    ),
    "catalog_unhealthy": (
        f"{_AM}Database copy '{{database}}' on server '{{copy_server}}' has content index catalog files in the "
        f"following state: '{{ci}}'. {_FORCIBLY.format('SkipClientExperienceChecks')}{_PLACE}"
    ),
    "queue_long": (
        f"{_AM}Database copy '{{database}}' on server '{{copy_server}}' has a {{what}} queue length of {{length}} "
        "logs, which is too high to enable automatic recovery. You can use the Move-ActiveMailboxDatabase cmdlet with "
        f"the -SkipLagChecks and -MountDialOverride parameters to move the database with loss.{_PLACE}"
    ),
    "limit_of_actives": (
        f"{_AM}Server '{{server}}' has {{limit}} active databases, as many as its MaximumActiveDatabases allows."
    ),
    "seeding_source": f"{_AM}The database copy '{{copy}}' is used as the seeding source of another copy.",
    "activation_blocked": (
        f"{_AM}Activation of database copy '{{copy}}' is suspended. {_FORCIBLY.format('SkipHealthChecks')}{_PLACE}"
    ),
    "too_many_lost_logs": (
        f"{_AM}Database '{{database}}' was not mounted: {{lost}} logs would be lost, and the mount dial allows "
        "{allowed}."
    ),
    "no_candidate": f"{_AM}No copy of database '{{database}}' can be activated. The database stays where it is.",
    "move_failed": (
        f"{_AM}Active Manager failed to move database '{{database}}' to server '{{server}}'; a rollback was done. "
        "Reason: {message}."
    ),
    "active_copy": "The operation can't be performed because '{target}' is the active mailbox database copy.",
    "already_suspended": "The mailbox database copy '{target}' is already suspended.",
    "must_be_suspended": "The mailbox database copy '{target}' must be suspended before it can be updated.",
    "files_exist": (
        "The target '{target}' already has database or log files. Use the DeleteExistingFiles or the "
        "SafeDeleteExistingFiles parameter."
    ),
    "disk_full": "There is not enough disk space on server {server} for the database copy '{target}'.",
    "no_dc": (
        "Active Directory server is not available. Error message: Active directory response: The LDAP server is "
        "unavailable."
    ),
    "has_members": (
        "Database availability group '{dag}' can't be removed because it still has member servers: {members}."
    ),
    "already_member": "Server '{server}' is already a member of a database availability group: '{dag}'.",
    "member_elsewhere": "Server '{server}' is already a member of another database availability group: '{dag}'.",
    "busy": (
        "Another operation on server '{server}' is in progress. Wait until it has ended, and then try the operation "
        "again."
    ),
    "too_many": "The limit of {limit} has been reached: {message}.",
    "is_dc": (
        "Server '{server}' is a domain controller. A directory server can't be a member of a database availability "
        "group."
    ),
    "other_domain": (
        "Server '{server}' is in another domain. All members of a database availability group must be in the same "
        "domain."
    ),
    "other_os": (
        "Server '{server}' can't be added: all members of a database availability group must run the same operating "
        "system, and this one runs Windows Server {os} instead of {wanted}."
    ),
    "other_version": (
        "Server '{server}' can't be added: it runs Exchange {version}, and the members of the database availability "
        "group run Exchange {wanted}."
    ),
    "feature_pending": (
        "The Failover-Clustering feature isn't fully installed on server '{server}'. A reboot is required to finish "
        "its installation."
    ),
    "witness_is_member": (
        "Server '{server}' can't be the witness server and a member of database availability group '{dag}' at the "
        "same time."
    ),
    # tr-4b3126fbb6
    "witness_default_directory": (
        "The task was unable to create the default witness directory on server {server}. Please manually specify a "
        "witness directory."
    ),
    "cno_denied": (
        f"{_FAILED} Error: The cluster network name couldn't be created: insufficient access rights to the computer "
        "account '{name}' (CNO)."
    ),
    "cno_in_use": (
        f"{_FAILED} Error: The cluster network name couldn't be created: the computer account '{{name}}' (CNO) is "
        "enabled and in use by another computer."
    ),
    "no_ip_for_subnet": f"{_STATIC}None of the static addresses is in the subnet {{subnet}} of server '{{server}}'.",
    "ip_in_use": f"{_STATIC}The address {{address}} is used by '{{by}}' already.",
    # tr-2a622f59d7
    "not_dac": (
        "You can run this command on a database availability group (DAG) only when the DatacenterActivationMode "
        "parameter for the DAG is set to DagOnly"
    ),
    "none_stopped": (
        "Database availability group '{dag}' has no servers in its StoppedMailboxServers list. Stop the failed servers "
        "with Stop-DatabaseAvailabilityGroup first."
    ),
    "no_members_there": "Database availability group '{dag}' has no such member servers in site '{site}'.",
    "has_copies": (
        "Server '{server}' can't be removed from the database availability group because it hosts replicated mailbox "
        "databases: {databases}. Remove their database copies first."
    ),
    "networks_automatic": (
        "The networks of database availability group '{dag}' are configured automatically. Set "
        "ManualDagNetworkConfiguration to $true before you change them."
    ),
    "has_subnets": "The network '{network}' can't be removed because it has subnets: {subnets}.",
    "copy_exists": "The Mailbox server already hosts a copy of the database: '{copy}'.",
    "circular_logging": (
        "Database '{database}' has circular logging enabled. Disable circular logging, and then try again."
    ),
    "not_mounted": "Database '{database}' is not mounted. Mount its active copy, and then try the operation again.",
    "path_unavailable": "The path '{path}' is not available on server '{server}', or another database uses it.",
    "no_other_copy": (
        "The files of '{target}' can't be deleted: the database has no other healthy copy that would be left."
    ),
    "move_suppressed": (
        "Move for database '{target}' was suppressed because too many moves have happened recently. {moves} moves have "
        "happened within 01:00:00."
    ),
    "reseed_needed": "The mailbox database copy '{target}' needs to be seeded. {message}",
}


class _Words(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return ""


def wording(cmdlet: str, error: WorldError, target: str, dc: str) -> str:
    """Exchange's text for a refusal; `dc` is the domain controller that answered."""
    kind = error.kind
    server = str(error.data.get("fqdn") or error.data.get("server") or target.rpartition("\\")[2])
    special: dict[str, Callable[[], str]] = {
        "not_found": lambda: _not_found(error, target, dc),
        "server_down": lambda: _unreachable(cmdlet, server, down=True),
        "service_down": lambda: _unreachable(cmdlet, server, down=False),
        "no_quorum": lambda: _no_quorum(cmdlet, str(error.data.get("cluster") or target)),
        "name_in_use": lambda: _name_in_use(error),
        "not_member": lambda: _not_member(cmdlet, error, target),
        "syntax": lambda: _syntax(error),
        "seed_in_progress": lambda: (
            f"A seed operation is already in progress for '{error.data.get('copy') or target}' "
            "(SeedInProgressException, FE1C6491)."
        ),
    }
    if "seeding" in error.data:
        where = f"[Database: {error.data['seeding']}, Server: {server}]"
        return f"The seeding operation failed. Error: {error.message} {where}"
    if kind in special:
        return special[kind]()
    phrase = _PHRASES.get(kind)
    if phrase is None:
        return error.message[:1].upper() + error.message[1:] + ("" if error.message.endswith(".") else ".")
    words = _Words({key: _text(error, key) for key in error.data})
    words["copy_server"] = _text(error, "server")
    return phrase.format_map(
        _Words({"moves": "3", **words, "target": target, "server": server, "message": error.message})
    )


def _name_in_use(error: WorldError) -> str:
    name = error.data.get("name")
    what = {
        "dag": f"A database availability group named '{name}' already exists.",
        "computer": f"The name '{name}' is already in use by a computer account.",
    }
    return what.get(str(error.data.get("by")), f"A network named '{name}' already exists.")


def _not_member(cmdlet: str, error: WorldError, target: str) -> str:
    server = error.data.get("server")
    if cmdlet.endswith("MailboxDatabaseCopy"):
        return (
            f"The Mailbox server '{server}' is not a member of the same database availability group as the server of "
            f"'{target}'."
        )
    return f"Server '{server}' isn't a member of the database availability group '{error.data.get('dag')}'."


def _syntax(error: WorldError) -> str:
    parameter, value = error.data.get("parameter"), error.data.get("value")
    return f"The value '{value}' of parameter {parameter} isn't valid: {error.message}."

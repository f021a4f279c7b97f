"""One database copy as Get-MailboxDatabaseCopyStatus prints it, all properties of a 2016 listing; changes nothing.

What the world does not know is as on a healthy server. `facts/exchange.md` points 7 to 9 decide where pages differ.
"""

from __future__ import annotations

from datetime import timedelta

from starover_lab.cmdlets.machine import Machine
from starover_lab.cmdlets.objects import DATA, guid_of, list_of, make, moment, product, size
from starover_lab.powershell.values import Long, UInt32, Value
from starover_lab.world.views import CopyView, Space

__all__ = ["copy_status", "lag_text"]

_GOOD = {"Mounted", "Healthy", "SeedingSource", "DisconnectedAndHealthy"}


def lag_text(seconds: float) -> str:
    """`7.00:00:00`: whole seconds, as the listings have it."""
    whole = int(seconds)
    days, rest = divmod(whole, 86400)
    clock = f"{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    return f"{days}.{clock}" if days else clock


def _lag_status(view: CopyView) -> str:
    percentage = int(min(100 * view.actual_lag_s / view.replay_lag_s, 100)) if view.replay_lag_s else 0
    enabled = view.replay_lag_s > 0 and view.lag_off != "LagDisabled"
    return (
        f"Enabled:{enabled}; PlayDownReason:{view.lag_off or 'None'}; ReplaySuspendReason:None; "
        f"Percentage:{percentage}; Configured:{lag_text(view.replay_lag_s)}; "
        f"MaxDelay:{lag_text(view.replay_lag_max_delay_s)}; Actual:{lag_text(view.actual_lag_s)}"
    )


def _volume(space: Space | None, owner: str) -> tuple[Value, Value]:
    """Mount point and volume name."""
    if space is None:
        return None, None
    mount = space.mount if space.mount.endswith("\\") else space.mount + "\\"
    return mount, f"\\\\?\\Volume{{{guid_of('volume', owner, space.mount).text}}}\\"


def _process(view: CopyView) -> int:
    """The worker's process id: one number for each start of a copy."""
    started = view.instance_started.isoformat() if view.instance_started else ""
    return 4 * (700 + int(guid_of("worker", view.database, view.server, started).text[:4], 16) % 6000)


def copy_status(here: Machine, view: CopyView, *, connections: bool = False) -> Value:
    """The output object of one copy."""
    now = here.world.now
    name = f"{view.database}\\{view.server}"
    good = view.status in _GOOD
    answers = view.status != "ServiceDown"
    identity = product(
        ["Microsoft.Exchange.Management.SystemConfigurationTasks.DatabaseCopyIdParameter", "System.Object"],
        [],
        text=name,
    )
    checked = moment(now - timedelta(seconds=18)) if good else moment(view.status_since)
    database_mount, database_volume = _volume(view.database_space, view.server)
    log_mount, log_volume = _volume(view.log_space, view.server)
    values: dict[str, Value] = {
        "Identity": identity,
        "Id": identity,
        "Name": name,
        "DatabaseName": view.database,
        "Status": view.status,
        "InstanceStartTime": moment(view.instance_started),
        "LastStatusTransitionTime": None if view.is_active else moment(view.status_since),
        "InternalStartupMessage": ("StartupSucceeded" if not view.error_message else "StartupFailed")
        if answers
        else "",
        "InternalStartupMessageTimeUtc": moment(view.instance_started, utc=True),
        "MailboxServer": view.server,
        "ActiveDatabaseCopy": view.active_server.lower(),
        "ActiveCopy": view.is_active,
        "ActivationPreference": view.preference,
        "StatusRetrievedTime": moment(now),
        "WorkerProcessId": _process(view) if answers else None,
        "IsLastCopyAvailabilityChecksPassed": good,
        "LastCopyAvailabilityChecksPassedTime": checked,
        "IsLastCopyRedundancyChecksPassed": good,
        "LastCopyRedundancyChecksPassedTime": checked,
        "ActivationSuspended": view.activation_suspended,
        "ActionInitiator": view.initiator,
        "ErrorMessage": view.error_message,
        "ErrorEventId": None if view.error_event_id is None else UInt32(view.error_event_id),
        "ExtendedErrorInfo": "",
        "SuspendComment": view.comment,
        "ContentIndexState": view.ci_state,
        "SeedingSourceForDB": view.seeding_source,
        "CopyQueueLength": Long(view.copy_queue),
        "ReplayQueueLength": Long(view.replay_queue),
        "LatestAvailableLogTime": moment(view.latest_available_time),
        "LastCopyNotificationedLogTime": moment(view.notified_time),
        "LastCopiedLogTime": moment(view.copied_time),
        "LastInspectedLogTime": moment(view.inspected_time),
        "LastReplayedLogTime": moment(view.replayed_time),
        "CurrentReplayLogTime": moment(view.replayed_time),
        "LastLogGenerated": Long(view.generated),
        "LastLogCopyNotified": Long(view.notified),
        "LastLogCopied": Long(view.copied),
        "LastLogInspected": Long(view.inspected),
        "LastLogReplayed": Long(view.replayed),
        "LowestLogPresent": Long(max((view.generated if view.is_active else view.copied) - 1000, 0)),
        "LastLogInfoIsStale": view.log_info_stale,
        "LastLogInfoFromCopierTime": moment(now) if view.is_active else None,
        "LastLogInfoFromClusterTime": moment(now) if answers else None,
        "LastLogInfoFromClusterGen": Long(view.generated),
        "ReplicationIsInBlockMode": view.is_active or (view.status == "Healthy" and view.copy_queue == 0),
        "ActivationDisabledAndMoveNow": view.activation_disabled_and_move_now,
        "AutoActivationPolicy": view.activation_policy,
        "LogsReplayedSinceInstanceStart": Long(0),
        "LogsCopiedSinceInstanceStart": Long(0),
        "LatestFullBackupTime": moment(view.last_full_backup),
        "SnapshotBackup": None if view.last_full_backup is None else True,
        "SnapshotLatestFullBackup": None if view.last_full_backup is None else True,
        "LogReplayQueueIncreasing": view.replay_queue_increasing,
        "LogCopyQueueIncreasing": view.copy_queue_increasing,
        "ReplayLagStatus": _lag_status(view),
        "DatabaseSeedStatus": _seed_status(view),
        "DatabaseVolumeMountPoint": database_mount,
        "DatabaseVolumeName": database_volume,
        "LogVolumeMountPoint": log_mount,
        "LogVolumeName": log_volume,
        "IsPrimaryActiveManager": view.is_pam,
        "IsActiveManagerRoleUnknown": not view.pam_known,
    }
    space = view.log_space or view.database_space
    if space is not None:
        values["DiskFreeSpace"] = size(space.free)
        values["DiskTotalSpace"] = size(space.size)
        values["DiskFreeSpacePercent"] = 100 * space.free // space.size if space.size else 0
    if not good:
        values.update(_failed_checks(view, name))
    if connections:
        values |= _connections(here, view)
    return make("Get-MailboxDatabaseCopyStatus", values, text=name)


def _failed_checks(view: CopyView, name: str) -> dict[str, Value]:
    """What the checks of availability and redundancy say of a copy that is not well (texts of a 2016 listing)."""
    if view.is_active:
        return {}
    reason = f" Reason: {view.error_message}" if view.error_message else ""
    details = "".join(
        f" [{label}: {text}]"
        for label, text in (("SuspendComment", view.comment), ("ErrorMessage", view.error_message))
        if text
    )
    return {
        "LastCopyAvailabilityCheckFailedID": "DatabaseCheckPassiveCopyStatusIsOkForAvailability",
        "LastCopyAvailabilityCheckFailedErrorMsg": (
            f"Database copy '{view.database}' is in a {view.status} state on server '{view.server}'.{reason} If you "
            "need to activate this database copy, you can use the Move-ActiveMailboxDatabase cmdlet with the "
            "-SkipHealthChecks parameter to forcibly activate the database copy."
        ),
        "LastCopyRedundancyCheckFailedID": "DatabaseCheckPassiveCopyStatusIsOkForRedundancy",
        "LastCopyRedundancyCheckFailedErrorMsg": (
            f"Passive database copy '{name}' has an unhealthy status '{view.status}'.{details}"
        ),
    }


def _seed_status(view: CopyView) -> Value:
    if view.seed_percent is None:
        return None
    amount = size(view.seed_bytes).text or ""
    return f"Percentage:{view.seed_percent}; Read:{amount}; Written:{amount}; ReadPerSec:; WrittenPerSec:"


def _connections(here: Machine, view: CopyView) -> dict[str, Value]:
    """`{server,network}` of each connection, with the server at its other end."""
    if not view.is_active:
        return {
            name: f"{{{view.active_server.lower()},{network}}}"
            for name, network in (("IncomingLogCopyingNetwork", view.network), ("SeedingNetwork", view.seed_network))
            if network
        }
    copies = here.world.state.databases[view.database].copies
    others = [here.world.copy_view(view.database, copy.server, here.host) for copy in copies]
    outgoing: list[Value] = [f"{{{one.server.lower()},{one.network}}}" for one in others if one.network]
    return {"OutgoingConnections": list_of(outgoing, DATA + "MultiValuedProperty`1[[System.String]]")}

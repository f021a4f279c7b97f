"""A suspended lagged copy recovered to a moment, and mounted beside production; knows no runbook (point-in-time)."""

from __future__ import annotations

from starover.names import CopyId, DbName
from starover.step import Blocked, Change, Query, Report, Risk, Settle, step
from starover.steps.lagged_logs import CLEAN, DIRTY, NO_FILE, LogFiles, log_files
from starover.steps.resubmitting import Utc

__all__ = ["RecoveryDatabase", "database_recovered", "recovery_database", "recovery_mounted"]


@step(
    check=log_files,
    apply="lagged/recover.ps1.j2",
    risk=Risk.DATA,
    settle=Settle(every=15, limit=600),
    deadline=86_400,
)
def database_recovered(
    now: LogFiles, /, *, identity: CopyId, database: DbName, folder: str, until: Utc | None
) -> Change | Blocked | None:
    """The file of a suspended copy has played what lies beside it and is in Clean Shutdown (`eseutil /r /a`).

    There is no undo but the snapshots: the copy does not go on from there, it needs a seed.
    """
    del database, folder
    if now.state == CLEAN or now.code == NO_FILE:  # moved on to the recovery database
        return None
    if now.state == DIRTY and now.later:
        return Blocked(
            f"{now.later} logs after {until} lie beside {identity} still: they would be played",
            guard="G-LAG",
            certain=("nothing was changed",),
        )
    return Change(f"database file of {identity}", DIRTY, CLEAN, note=f"as of {until}; its copy needs a seed then")


class RecoveryDatabase(Report):
    """A recovery database of the host that is asked (`lagged/recovery.ps1.j2`)."""

    found: bool
    """Whether there is a database of that name."""
    recovery: bool
    mounted: bool
    path: str
    file: str
    """Where the recovered file goes."""
    there: bool
    """Whether it lies there."""


recovery_database = Query("lagged/recovery.ps1.j2", RecoveryDatabase)
"""Arguments: `database` (whose copy it was made from), `server`, `name`, `folder`."""


@step(
    check=recovery_database,
    apply="lagged/recovery_mount.ps1.j2",
    risk=Risk.LOW,
    settle=Settle(every=10, limit=600),
    deadline=3600,
)
def recovery_mounted(
    now: RecoveryDatabase, /, *, database: DbName, server: str, name: DbName, folder: str
) -> Change | Blocked | None:
    """A recovered file is mounted as a recovery database, never over production; its copy has no file from then on."""
    del folder
    if now.found and not now.recovery:
        return Blocked(f"{name} is no recovery database", certain=("nothing was changed",))
    if now.found and now.path.casefold() != now.file.casefold():
        return Blocked(
            f"{name} is there, over {now.path}: from another recovery",
            certain=("nothing was changed",),
            next=(f"Dismount-Database and Remove-MailboxDatabase {name} when its mail was restored",),
        )
    if now.mounted:
        return None
    was = "Dismounted" if now.found else "none"
    return Change(
        f"recovery database {name} on {server}", was, "Mounted", note=f"from {database}, {now.file}", action="add"
    )

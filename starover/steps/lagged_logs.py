"""The log files of a suspended lagged copy, set aside and put back: what is not played stays out; knows no runbook."""

from __future__ import annotations

from datetime import datetime

from starover.estate import Server
from starover.names import CopyId, DbName
from starover.step import Blocked, Change, Query, Report, Risk, Settle, Step, step
from starover.steps.disaster import at
from starover.steps.resubmitting import Utc, utc_text

__all__ = ["CLEAN", "DIRTY", "NO_FILE", "LogFiles", "log_files", "logs_put_back", "logs_set_aside"]

DIRTY = "Dirty Shutdown"
CLEAN = "Clean Shutdown"
NO_FILE = -1811
MOVES = 3600.0
"""Seconds in which the logs of two weeks are moved within their volume."""


class LogFiles(Report):
    """What a copy has on the host that is asked (`lagged/logs.ps1.j2`)."""

    state: str
    """`Dirty Shutdown`, `Clean Shutdown`; empty: the file cannot be read, for it is in use."""
    code: int
    """Of `eseutil /mh`; -1032: in use, -1811: there is no such file."""
    high: int
    """The newest log that the database requires; 0: none."""
    replayed: str
    """When that log was written, ISO 8601, UTC; empty: nobody knows."""
    later: int
    """Logs that are not to be played and lie beside it."""
    aside: int
    """Files in the folder aside."""
    folder: str
    """Its path."""


log_files = Query("lagged/logs.ps1.j2", LogFiles, deadline=600)
"""Arguments: `database`, `folder` (the name of the folder aside), `until` (None: only what it requires is played)."""


def _put_back(
    prev: LogFiles, server: Server, /, *, identity: CopyId, database: DbName, folder: str, until: Utc | None
) -> Step:
    del prev
    return logs_put_back.on(server, identity=identity, database=database, folder=folder, until=until)


@step(
    check=log_files,
    apply="lagged/set_aside.ps1.j2",
    risk=Risk.LOW,
    settle=Settle(every=15, limit=300),
    undo=_put_back,
    deadline=MOVES,
)
def logs_set_aside(
    now: LogFiles, /, *, identity: CopyId, database: DbName, folder: str, until: Utc | None
) -> Change | Blocked | None:
    """No log lies beside a suspended copy that is not to be played: those above what it requires, or after `until`.

    They are moved within their volume, not deleted. The range is what `eseutil /mh` names (lagged-copy-activate).
    """
    del database, folder
    certain = ("nothing was moved",)
    if now.state == CLEAN or now.code == NO_FILE:
        if until is not None:
            return None  # it was recovered to that moment already
        return Blocked(
            f"the database file of {identity} is {'gone' if now.code == NO_FILE else 'in a clean state'}: "
            "somebody recovered it by hand",
            certain=certain,
            next=(f"starover plan copy-seed --copy {identity.database}/{identity.server}",),
        )
    if now.state and now.state != DIRTY:
        return Blocked(f"eseutil says of {identity}: {now.state}", certain=certain)
    played = at(now.replayed)
    if until is not None and played is not None and played > datetime.fromisoformat(until):
        return Blocked(
            f"{identity} has played what was written until {utc_text(played)}: it cannot go back to {until}",
            guard="G-LAG",
            certain=certain,
            next=("a later --logs-until, or a snapshot of its volumes from before",),
        )
    if now.state and not now.later:
        return None
    kept = "what its database requires" if until is None else f"until {until}"
    return Change(f"logs of {identity}", "all that were copied", kept, note=f"the rest is moved to {now.folder}")


@step(
    check=log_files, apply="lagged/put_back.ps1.j2", risk=Risk.LOW, settle=Settle(every=15, limit=300), deadline=MOVES
)
def logs_put_back(
    now: LogFiles, /, *, identity: CopyId, database: DbName, folder: str, until: Utc | None
) -> Change | Blocked | None:
    """What was set aside lies beside its copy again; only while nothing has played on without it."""
    del database, folder, until
    if not now.aside:
        return None
    if now.state != DIRTY:
        return Blocked(
            f"the database of {identity} is {now.state or 'in use'}: it has gone on without its logs in {now.folder}",
            certain=("they lie there untouched",),
        )
    return Change(f"logs of {identity}", f"in {now.folder}", "with the copy")

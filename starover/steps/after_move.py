"""What is looked at after a database has moved: its other copies, and whether clients can log on (S-MOVE-DB)."""

from __future__ import annotations

from collections.abc import Sequence

from starover.estate import Server
from starover.names import CopyId, DbName, same_host
from starover.runbook import Steps
from starover.step import Outcome, Query, Report, Settle, Step, wait
from starover.steps.copies import CopyStatus, DatabaseCopies, copies_of

__all__ = ["LogOn", "already_there", "log_on", "moved_and_well"]

SETTLES = Settle(every=5, limit=300)
"""P(5s,5m)."""


class Attempt(Report):
    """One try to log on to the system mailbox of a database."""

    server: str
    result: str
    """`Success` or `*FAILURE*`."""
    error: str


class LogOn(Report):
    """What `Test-MAPIConnectivity` found (`move/mapi.ps1.j2`)."""

    results: tuple[Attempt, ...]

    @property
    def works(self) -> bool:
        """Somebody tried, and everybody could."""
        return bool(self.results) and all(one.result == "Success" for one in self.results)


log_on = Query("move/mapi.ps1.j2", LogOn)
"""Argument: `database`."""


def moved_and_well(at: Server, step: Step, database: DbName, before: Sequence[CopyStatus]) -> Steps:
    """A move, and where it was one: wait until the other copies are Healthy again and clients can log on.

    `before`: the copies before it; those that were not well then are not waited for. Without the wait whatever comes
    next (another move back, maintenance) would find no copy that can take over.
    """
    outcome = yield step
    if isinstance(outcome, Outcome) and outcome.state == "right":
        return
    wanted = [one.id for one in before if one.active or one.status == "Healthy"]

    def until(now: DatabaseCopies) -> bool:
        return all(_well(now.find(one)) for one in wanted)

    names = ", ".join(one.server for one in wanted)
    yield from wait(
        copies_of,
        at,
        until=until,
        settle=SETTLES,
        what=f"the copies of {database} on {names} Healthy",
        expected=True,
        database=database,
    )
    yield from wait(
        log_on,
        at,
        until=lambda now: now.works,
        settle=SETTLES,
        what=f"clients log on to {database}",
        expected=True,
        database=database,
    )


def _well(one: CopyStatus | None) -> bool:
    return one is None or one.mounted or (not one.active and one.status == "Healthy")


def already_there(copies: Sequence[CopyStatus], earlier: DatabaseCopies | None) -> CopyId | None:
    """Where an earlier run with the same wish has moved a database, if it still is there; None: it has not.

    `earlier`: what that run found before it moved the database to where it is now.
    """
    now = next((one for one in copies if one.mounted), None)
    was = next((one for one in earlier.copies if one.active), None) if earlier is not None else None
    if now is None or was is None or same_host(now.server, was.server):
        return None
    return now.id

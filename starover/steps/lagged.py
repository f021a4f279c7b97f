"""A lagged copy put into service with all logs that it has (lagged-copy-activate, all-logs); knows no runbook."""

from __future__ import annotations

from collections.abc import Sequence

from starover.names import CopyId, DbName
from starover.step import Blocked, Change, Left, Risk, Settle, step
from starover.steps.copies import CopyStatus, DatabaseCopies, copies_of
from starover.steps.copy_spec import lag_text

__all__ = ["SLOWEST", "lagged_activated", "replay_seconds"]

SLOWEST = 2.0
"""Logs a second that a replay makes at the least, for planning."""
READY = ("Suspended", "Healthy")


def replay_seconds(one: CopyStatus) -> float:
    """How long playing all its logs may take, with an hour to spare; a day where nobody knows how many they are."""
    return 86_400.0 if one.replay_queue is None else one.replay_queue / SLOWEST + 3600


def _left(now: DatabaseCopies) -> Left:
    """Logs that the copies still have to replay: the one that is activated has by far the most."""
    return Left(amount=max((one.replay_queue or 0 for one in now.copies if not one.mounted), default=0), unit="logs")


@step(
    check=copies_of,
    apply="move/database.ps1.j2",
    risk=Risk.DATA,
    settle=Settle(every=30, limit=86_400),
    progress=_left,
    deadline=86_400,
)
def lagged_activated(
    now: DatabaseCopies, /, *, database: DbName, target: str, dial: str, comment: str, skip: Sequence[str]
) -> Change | Blocked | None:
    """A lagged copy serves its database, all its logs replayed: what it was behind for is over then."""
    del dial, comment, skip
    one = now.find(CopyId(database, target))
    certain = ("nothing was changed",)
    if one is None:
        return Blocked(f"{target} hosts no copy of {database}", certain=certain, next=("starover status",))
    if one.mounted:
        return None
    if one.active:
        return Blocked(
            f"{database} is active on {target} already, and {one.status}",
            certain=certain,
            next=(f"starover plan mount-databases --db {database}",),
        )
    if not one.lag:
        return Blocked(
            f"{one.id} is no lagged copy",
            guard="G-LAG",
            certain=certain,
            next=(f"starover plan db-switchover --db {database} --to {target}",),
        )
    if one.status not in READY:
        return Blocked(
            f"{one.id} is {one.status}: {one.error_message or 'it cannot be activated'}",
            certain=certain,
            next=("starover run health-report",),
        )
    active = next((copy for copy in now.copies if copy.active), None)
    was = f"active on {active.server}, {active.status}" if active is not None else "active nowhere"
    return Change(
        database, was, f"active on {target}", note=f"its lag of {lag_text(one.lag)} is played down: it is gone then"
    )

"""A lagged copy put into service, with all logs that it has or with none but the played ones; knows no runbook."""

from __future__ import annotations

from collections.abc import Sequence

from starover.names import CopyId, DbName, same_host
from starover.step import Blocked, Change, Left, Risk, Settle, step
from starover.steps.copies import CopyStatus, DatabaseCopies, copies_of
from starover.steps.copy_spec import lag_text

__all__ = ["REPLICATION", "SLOWEST", "lagged_activated", "lagged_cut_over", "replay_seconds"]

REPLICATION = "MSExchangeRepl"
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
    one = _ready(now, database, target)
    if not isinstance(one, CopyStatus):
        return one
    return Change(
        database,
        _where(now),
        f"active on {target}",
        note=f"its lag of {lag_text(one.lag)} is played down: it is gone then",
    )


@step(
    check=copies_of,
    apply="lagged/cut_over.ps1.j2",
    risk=Risk.DATA,
    settle=Settle(every=5, limit=1800),
    deadline=3600,
)
def lagged_cut_over(
    now: DatabaseCopies, /, *, database: DbName, source: str, target: str, comment: str
) -> Change | Blocked | None:
    """A lagged copy serves its database as it is, without the logs that were set aside; Safety Net sends mail again.

    Done on `source`, the host of the active copy, whose replication service stands meanwhile, so that it gives none of
    its logs (lagged-copy-activate, safety-net). There is no undo: what other copies have beyond that is theirs alone.
    """
    del comment
    one = _ready(now, database, target)
    if not isinstance(one, CopyStatus):
        return one
    if not any(same_host(copy.server, source) for copy in now.copies if copy.active):
        return Blocked(
            f"{database} is not active on {source} any more: {_where(now)}",
            certain=("nothing was changed",),
            next=(f"starover plan lagged-copy-activate --copy {one.id} --variant safety-net",),
        )
    return Change(
        database,
        _where(now),
        f"active on {target} without later logs, BestEffort",
        note=f"the last {lag_text(one.lag)} are given up, Safety Net sends their mail again; all others need a seed",
    )


def _where(now: DatabaseCopies) -> str:
    active = next((copy for copy in now.copies if copy.active), None)
    return f"active on {active.server}, {active.status}" if active is not None else "active nowhere"


def _ready(now: DatabaseCopies, database: str, target: str) -> CopyStatus | Blocked | None:
    """The lagged copy, where it can be activated; None: it serves already."""
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
    return one

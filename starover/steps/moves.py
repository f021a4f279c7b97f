"""Active databases moved: one by name, all off a server, back to where they belong; knows no runbook.

S-MOVE-DB, S-EVACUATE, S-REBALANCE (catalogue 5.4). Which copy is the best one follows Active Manager (simulator,
section 6).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

from starover.estate import Server
from starover.names import CopyId, DbName, same_host
from starover.runbook import Steps
from starover.step import Blocked, Change, Left, Query, Report, Risk, Settle, Step, step, wait
from starover.steps import guards
from starover.steps.activation import Activation, move_now_set
from starover.steps.copies import (
    GOOD_COPY_QUEUE,
    GOOD_INDEX,
    GOOD_REPLAY_QUEUE,
    CopyStatus,
    DatabaseCopies,
    copies_of,
    copies_on,
)
from starover.steps.dag import DatabaseInfo
from starover.steps.placement import places_of

__all__ = [
    "LOSSLESS",
    "USABLE",
    "Moment",
    "active_on",
    "best_copies",
    "evacuated",
    "home",
    "homeward",
    "leaving",
    "moment_of",
    "moved",
    "moved_with_loss",
    "paused",
]

LOSSLESS = "Lossless"
USABLE = frozenset({"Healthy", "DisconnectedAndHealthy", "DisconnectedAndResynchronizing", "SeedingSource"})
"""Only copies in one of these may be activated at all (simulator, section 6)."""


class Moment(Report):
    """A host's time, and what is being installed there (`server/moment.ps1.j2`)."""

    utc: str
    """ISO 8601."""
    installing: tuple[str, ...]
    """Processes of Exchange's setup and of Windows' installer."""


moment_of = Query("server/moment.ps1.j2", Moment)
"""Of the host that is asked."""


# -- which copy is the best one ----------------------------------------------------------------------------------------


def _sets(copy: CopyStatus) -> int:
    """The first of the ten criteria sets that a copy meets, from 0; lower is better."""
    healthy = copy.content_index in GOOD_INDEX
    crawling = copy.content_index == "Crawling"
    short = copy.queue is not None and copy.queue < GOOD_COPY_QUEUE
    ready = copy.replay_queue is not None and copy.replay_queue < GOOD_REPLAY_QUEUE
    met = (
        healthy and short and ready,
        crawling and short and ready,
        healthy and ready,
        crawling and ready,
        ready,
        healthy and short,
        crawling and short,
        healthy,
        crawling,
        True,
    )
    return met.index(True)


def best_copies(
    copies: Sequence[CopyStatus], nodes_up: Collection[str], servers: Sequence[Activation]
) -> list[CopyStatus]:
    """Copies that an administrator's lossless move may go to, the best one first (Active Manager's choice).

    Lagged and barred ones, and those on servers that may not take one more database, are left out. Within a set of
    criteria the preference decides, as for every lossless switchover.
    """
    fit = [
        one
        for one in copies
        if not one.active
        and one.status in USABLE
        and guards.stays_behind(one) is None
        and any(same_host(one.server, node) for node in nodes_up)
        and any(same_host(one.server, server.name) and server.takes for server in servers)
    ]
    return sorted(fit, key=lambda one: (_sets(one), one.preference or 99, one.server.casefold()))


# -- one database ------------------------------------------------------------------------------------------------------


def _move(
    now: DatabaseCopies, database: str, target: str, skip: Sequence[str], note: str, dial: str
) -> Change | Blocked | None:
    one = now.find(CopyId(database, target))
    active = next((copy for copy in now.copies if copy.active), None)
    if one is None:
        hosts = ", ".join(copy.server for copy in now.copies) or "nobody"
        return Blocked(
            f"{target} hosts no copy of {database}", certain=(f"hosted by {hosts}", "nothing was changed"), next=()
        )
    if one.mounted:
        return None
    if one.active:
        return Blocked(
            f"{database} is active on {target} already, and {one.status}",
            certain=("nothing was changed",),
            next=("starover plan mount-databases   mounts it, with what may be lost",),
        )
    blocked = None if "lag" in skip else guards.stays_behind(one)
    blocked = blocked or _unfit(one, skip)
    if blocked is not None:
        return blocked
    was = f"active on {active.server}" if active is not None else "active nowhere"
    wanted = f"active on {target}" + ("" if dial == LOSSLESS else f", {dial}")
    return Change(database, was, wanted, note=note)


def _unfit(one: CopyStatus, skip: Sequence[str]) -> Blocked | None:
    """Why a copy does not take over now (S-MOVE-DB)."""
    certain = (f"{one.id} is {one.status}, queues {one.copy_queue}/{one.replay_queue}", "nothing was changed")
    if one.status == "SeedingSource" and "active-copy" not in skip:
        return Blocked(
            f"{one.id} is the source of a seed",
            guard="G-SEED",
            certain=certain,
            next=("wait until the seed has ended",),
        )
    if "health" in skip:
        return None
    if one.status not in ("Healthy", "SeedingSource"):
        said = f": {one.error_message}" if one.error_message else ""
        return Blocked(f"{one.id} is {one.status}{said}", certain=certain, next=("starover run health-report",))
    if one.content_index not in GOOD_INDEX and "client-experience" not in skip:
        return Blocked(
            f"the content index of {one.id} is {one.content_index}",
            certain=certain,
            next=("--skip client-experience   search would not work there",),
        )
    long = one.queue is None or one.queue > GOOD_COPY_QUEUE
    if long or one.replay_queue is None or one.replay_queue > GOOD_REPLAY_QUEUE:
        return Blocked(
            f"{one.id} lacks logs: its queues are {one.copy_queue}/{one.replay_queue}",
            certain=certain,
            next=("wait until they are short", "--skip health   it takes as long as copying and replaying them"),
        )
    return None


def _back(
    prev: DatabaseCopies,
    at: Server,
    /,
    *,
    database: DbName,
    target: str,
    dial: str,
    comment: str,
    skip: Sequence[str],
    note: str,
) -> Step | None:
    del dial, skip, note
    was = next((one for one in prev.copies if one.active), None)
    if was is None or same_host(was.server, target):
        return None
    back = f"undo of {comment}"[:512]  # so that nobody takes it for a move that was wished for
    return moved.on(at, database=database, target=was.server, dial=LOSSLESS, comment=back, skip=(), note="")


@step(
    check=copies_of,
    apply="move/database.ps1.j2",
    risk=Risk.SERVICE,
    settle=Settle(every=5, limit=300),
    undo=_back,
    deadline=600,
)
def moved(
    now: DatabaseCopies, /, *, database: DbName, target: str, dial: str, comment: str, skip: Sequence[str], note: str
) -> Change | Blocked | None:
    """A database is mounted on a server, without losing a log (S-MOVE-DB).

    `skip` are checks of Active Manager to be left out: active-copy, health, lag, client-experience, max-active. `note`
    is shown behind the line.
    """
    del comment
    return _move(now, database, target, skip, note, dial)


@step(
    check=copies_of,
    apply="move/database.ps1.j2",
    risk=Risk.DATA,
    settle=Settle(every=5, limit=300),
    undo=_back,
    deadline=600,
)
def moved_with_loss(
    now: DatabaseCopies, /, *, database: DbName, target: str, dial: str, comment: str, skip: Sequence[str], note: str
) -> Change | Blocked | None:
    """A database is mounted on a server, even if that loses as many logs as `dial` allows (S-MOVE-DB)."""
    del comment
    return _move(now, database, target, skip, note, dial)


# -- all off a server --------------------------------------------------------------------------------------------------


def active_on(now: Sequence[CopyStatus], databases: Sequence[str]) -> tuple[str, ...]:
    """Of these databases those that are active among these copies, all of one server."""
    wanted = {name.casefold() for name in databases}
    return tuple(one.database for one in now if one.active and one.database.casefold() in wanted)


def _leave_back(
    prev: DatabaseCopies, at: Server, /, *, name: str, databases: Sequence[DbName], flagged: bool
) -> Step | None:
    del prev, databases
    return None if flagged else move_now_set.on(at, server=name, enabled=False)


def _active_left(now: DatabaseCopies) -> Left:
    return Left(amount=sum(one.active for one in now.copies), unit="databases")


@step(
    check=copies_on,
    apply="move/leave.ps1.j2",
    risk=Risk.SERVICE,
    settle=Settle(every=15, limit=600),
    progress=_active_left,
    undo=_leave_back,
    lenient=True,
)
def leaving(
    now: DatabaseCopies, /, *, name: str, databases: Sequence[DbName], flagged: bool
) -> Change | Blocked | None:
    """Active Manager moves these databases off a server, and nothing becomes active there meanwhile (S-EVACUATE).

    `flagged`: somebody had told it so before.
    """
    del flagged
    here = active_on(now.copies, databases)
    return Change(f"active on {name}: {', '.join(here)}", "here", "elsewhere") if here else None


@step(
    check=copies_on,
    apply="move/rest.ps1.j2",
    risk=Risk.SERVICE,
    settle=Settle(every=15, limit=1200),
    progress=_active_left,
    deadline=1200,
)
def evacuated(
    now: DatabaseCopies, /, *, name: str, databases: Sequence[DbName], comment: str
) -> Change | Blocked | None:
    """None of these databases is active on a server; what Active Manager left there is moved by name (S-EVACUATE)."""
    del comment
    if not active_on(now.copies, databases):
        return None
    return Change(f"what is still active on {name}", "to be seen", "moved by name")


# -- back to where they belong -----------------------------------------------------------------------------------------


def home(database: DatabaseInfo) -> str:
    """The server of a database's first preference; empty: it has no copy."""
    return next(iter(places_of(database.preferences)), "")


def homeward(
    databases: Sequence[DatabaseInfo],
    copies: Mapping[str, Sequence[CopyStatus]],
    servers: Sequence[Activation],
    *,
    only: str = "",
    zones: Mapping[str, str] | None = None,
) -> Iterator[tuple[str, str, str]]:
    """Databases that are not active on their first preference: name, target, and why it stays (empty: it moves).

    From the server with most active databases first. `only`: back to this server alone. With `zones` (of each server,
    by name) those whose way stays in one zone come first.
    """
    load = {one.name.casefold(): one.active for one in servers}
    astray: list[tuple[bool, int, str, str, str]] = []
    for database in databases:
        here = copies.get(database.name, ())
        target = home(database)
        active = next((one for one in here if one.active), None)
        own = next((one for one in here if same_host(one.server, target)), None)
        if active is None or own is None or own.active or (only and not same_host(target, only)):
            continue
        blocked = guards.stays_behind(own) or _unfit(own, ())
        takes = next((one for one in servers if same_host(one.name, target)), None)
        why = blocked.why if blocked is not None else ""
        if not why and (takes is None or not takes.takes):
            why = f"{target} may not take it now (policy, limit)"
        far = (zones or {}).get(active.server, "") != (zones or {}).get(target, "")
        astray.append((far, -load.get(active.server.casefold(), 0), database.name, target, why))
    for _, _, name, target, why in sorted(astray):
        yield name, target, why


def paused(server: Server, seconds: float) -> Steps:
    """Wait that long, by the host's own clock."""
    if seconds <= 0:
        return
    begun: list[datetime] = []

    def over(now: Moment) -> bool:
        begun.append(guards.moment(now.utc))
        return (begun[-1] - begun[0]).total_seconds() >= seconds

    yield from wait(
        moment_of,
        server,
        until=over,
        settle=Settle(every=seconds, limit=3 * seconds + 60),
        what=f"a pause of {seconds:g} s",
        expected=True,
    )

"""A copy's way into being: added, seeded, barred from activation, removed; and what forbids it; knows no runbook."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from starover.command_line import word
from starover.estate import Server
from starover.names import CopyId, DbName, ServerName, same_host
from starover.step import Blocked, Change, Left, Risk, Settle, Step, step
from starover.steps.copies import CopyStatus, DatabaseCopies, copies_of, resumed
from starover.steps.copy_spec import MAX_COPIES, lag_text
from starover.steps.placement import SPACE_FACTOR, HostView, copy_host

__all__ = [
    "barred",
    "catalog_seeded",
    "copy_added",
    "copy_removed",
    "divergence_of",
    "may_have_diverged",
    "seed_limit",
    "seeded",
    "seeded_over",
]

SEED_PACE = 10_000_000
"""Bytes a second that a seed makes at the least."""
SEED_STALL = 3600
"""Seconds without a byte after which a seed is given up."""
SEEDING = "Seeding"
NEEDS_SEED = ("Suspended", "FailedAndSuspended", "Failed")
"""States of a copy that does not come back by itself, or need not."""
HOLDS_ITS_DATABASE = ("Healthy", "SeedingSource", "DisconnectedAndHealthy")
LOG = 2**20
"""Bytes of a transaction log."""


def seed_limit(size: int | None) -> float:
    """Seconds a seed of this many bytes may take (S-SEED); a day where the size is not known."""
    return 86_400 if size is None else size / SEED_PACE + 3600


# -- adding and removing -----------------------------------------------------------------------------------------------


def _remove_again(
    prev: HostView,
    asked: Server,
    /,
    *,
    database: DbName,
    server: ServerName,
    preference: int | None,
    replay_lag: timedelta | None,
    truncation_lag: timedelta | None,
    note: str,
) -> Step | None:
    del preference, replay_lag, truncation_lag, note
    if not prev.placement.found or prev.placement.has(server):
        return None
    return copy_removed.on(asked, identity=CopyId(database, server), database=database)


@step(
    check=copy_host,
    apply="copy/add.ps1.j2",
    risk=Risk.LOW,
    settle=Settle(every=10, limit=300),
    undo=_remove_again,
    deadline=900,
)
def copy_added(
    now: HostView,
    /,
    *,
    database: DbName,
    server: ServerName,
    preference: int | None,
    replay_lag: timedelta | None,
    truncation_lag: timedelta | None,
    note: str,
) -> Change | Blocked | None:
    """A server has a copy of the database, its seeding postponed (S-COPY-ADD).

    It is asked of `server` itself, since its volumes count. `preference` None: Exchange gives the next one. `note` is
    what whoever approves it should know.
    """
    place = now.placement
    if place.found and place.has(server):
        return None
    blocked = _membership(now, database, server) or _active(now, database) or _room(now, database, server)
    if blocked is not None:
        return blocked
    wanted = f"preference {preference}" if preference else "next preference"
    wanted += f", replay lag {lag_text(replay_lag)}" if replay_lag else ""
    wanted += f", truncation lag {lag_text(truncation_lag)}" if truncation_lag else ""
    return Change(CopyId(database, server), "none", wanted, note=note, action="add")


def _membership(now: HostView, database: str, server: str) -> Blocked | None:
    place, target = now.placement, now.server(server)
    certain = ("nothing was changed",)
    if not place.found:
        return Blocked(f"there is no database {database}", certain=certain, next=("starover status",))
    if target is None:
        return Blocked(f"{server} is no server with mailbox databases", certain=certain)
    active = now.server(place.active_server)
    if not target.in_dag or active is None or active.in_dag.casefold() != target.in_dag.casefold():
        here = f"{server} is a member of {target.in_dag}" if target.in_dag else f"{server} is a member of no DAG"
        there = f"{place.active_server} is in {active.in_dag or 'none' if active else 'none'}"
        return Blocked(
            f"{here}, and {there}: a database has copies within one DAG",
            certain=certain,
            next=(f"starover plan dag-add-members --members {server}",),
        )
    if target.family != active.family:
        return Blocked(
            f"{server} has {target.build}, and {place.active_server} has {active.build}: one DAG has one version",
            guard="G-VERSION",
            certain=certain,
        )
    if len(place.order) >= MAX_COPIES:
        return Blocked(f"{database} has {len(place.order)} copies already, which is the most", certain=certain)
    return None


def _active(now: HostView, database: str) -> Blocked | None:
    place = now.placement
    if not place.mounted and not any(one.mounted for one in place.copies):
        return Blocked(
            f"{database} is not mounted on {place.active_server}, so nothing can be copied from it",
            certain=("nothing was changed",),
            next=("starover status   shows what it is",),
        )
    if place.circular_logging and len(place.order) == 1:
        return Blocked(
            f"{database} has circular logging on: it must be off while the second copy is added",
            guard="P40",
            certain=("nothing was changed",),
            next=(f"Set-MailboxDatabase -Identity '{database}' -CircularLoggingEnabled $false, then mount it anew",),
        )
    return None


def _room(now: HostView, database: str, server: str) -> Blocked | None:
    """P39: the same path, free, with room."""
    place = now.placement
    certain = (f"the database file is {place.edb_path}", "nothing was changed")
    for path in (place.edb_path, place.log_folder):
        if now.volume(path) is None:
            return Blocked(
                f"{server} has no volume for {path}: a copy lies at the same path everywhere",
                guard="P39",
                certain=certain,
                next=(f"give {server} that volume",),
            )
    if now.files:
        return Blocked(
            f"{server} has a file at {place.edb_path} already, and it is no copy of {database}",
            guard="P39",
            certain=certain,
            next=("look whose it is and move it away; nothing is deleted here",),
        )
    volume = now.volume(place.edb_path)
    if volume is not None and place.bytes is not None and volume.free < place.bytes * SPACE_FACTOR:
        return Blocked(
            f"{database} needs {_gb(int(place.bytes * SPACE_FACTOR))} on {volume.name} of {server}, "
            f"and {_gb(volume.free)} are free",
            guard="P39",
            certain=certain,
            next=(f"make room on {server}, or grow the volume",),
        )
    return None


def _gb(size: int) -> str:
    return f"{size / 2**30:.0f} GB"


@step(check=copies_of, apply="copy/remove.ps1.j2", risk=Risk.DATA, settle=Settle(every=10, limit=300))
def copy_removed(now: DatabaseCopies, /, *, identity: CopyId, database: DbName) -> Change | Blocked | None:
    """A server has no copy of the database any more; its files stay (S-COPY-REMOVE)."""
    one = now.find(identity)
    if one is None:
        return None
    if one.active:
        return Blocked(f"{identity} is the active copy", certain=("nothing was changed",))
    left = len(now.copies) - 1
    note = f"its files stay on {identity.server}"
    note += f"; leaves {database} with one copy" if left == 1 else ""
    return Change(identity, one.status, "none", note=note, action="remove")


# -- seeding -----------------------------------------------------------------------------------------------------------


def _left(now: HostView) -> Left:
    """What the seed still lacks: bytes to read (counted in MB, as a log is one), then logs to copy."""
    one, size = now.copy, now.placement.bytes
    if one is None:
        return Left(amount=2**31)
    if one.status in HOLDS_ITS_DATABASE or one.status.endswith("Resynchronizing") or one.status == "Initializing":
        return Left(amount=one.queue or 0, unit="logs", phase="copying logs")
    whole = (size or 0) // LOG
    read = (now.seeded or 0) // LOG
    if not whole:  # it is seen to move, and nobody knows how far it has to go
        return Left(amount=2**31 - read, phase="seeding")
    return Left(amount=whole - read, unit="MB", whole=whole, phase="seeding", after=2**20)


def _broke_off(now: HostView) -> Blocked | None:
    one = now.copy
    if one is None or one.status not in ("FailedAndSuspended", "Failed"):
        return None
    return Blocked(
        f"the seed of {one.id} broke off: {one.error_message or one.status}",
        certain=("the copy is there and takes no logs",),
        next=(f"starover run copy-seed --copy {word(one.id)}",),
    )


def _harmless(one: CopyStatus) -> bool:
    """Whether the copy says what it failed of, and that is no divergence. A text that nobody knows may be one."""
    return one.needs_seed and "copy-diverged" not in one.speaks_of


def may_have_diverged(one: CopyStatus) -> bool:
    """Whether a copy's files may be the only place of mail that the others have lost."""
    return one.status == "FailedAndSuspended" and not _harmless(one)


def divergence_of(one: CopyStatus) -> str:
    """A word for what a copy has failed of, other for every divergence: Exchange names the logs in its text."""
    digest = hashlib.sha256(one.error_message.encode()).hexdigest()
    return f"{one.id} diverged {digest[:12]}"


_SEED = Settle(every=30, limit=86_400, stall=SEED_STALL)
_TRIES = 3


@step(
    check=copy_host,
    apply="copy/seed.ps1.j2",
    risk=Risk.LOW,
    settle=_SEED,
    progress=_left,
    broken=_broke_off,
    tries=_TRIES,
)
def seeded(
    now: HostView,
    /,
    *,
    identity: CopyId,
    database: DbName,
    source: str,
    files: str,
    what: str,
    comment: str,
    coming: bool,
    discard: bool,
) -> Change | Blocked | None:
    """A copy that holds its database and follows the active one (S-SEED).

    It is asked of the copy's own server. `source` empty: the active copy. `files`: what becomes of files that lie
    there: keep, safe-delete or delete. `coming`: an earlier step adds the copy. `discard`: a diverged copy may go.
    """
    del what, comment
    return _seed(now, identity, database, source, files, coming=coming, discard=discard)


@step(
    check=copy_host,
    apply="copy/seed.ps1.j2",
    risk=Risk.DATA,
    settle=_SEED,
    progress=_left,
    broken=_broke_off,
    tries=_TRIES,
)
def seeded_over(
    now: HostView,
    /,
    *,
    identity: CopyId,
    database: DbName,
    source: str,
    files: str,
    what: str,
    comment: str,
    coming: bool,
    discard: bool,
) -> Change | Blocked | None:
    """A copy seeded over files that may be the only ones of their kind: as `seeded`, and data may be lost."""
    del what, comment
    return _seed(now, identity, database, source, files, coming=coming, discard=discard)


def _seed(
    now: HostView, identity: CopyId, database: str, source: str, files: str, *, coming: bool, discard: bool
) -> Change | Blocked | None:
    place, one = now.placement, now.placement.find(identity)
    certain = ("nothing was changed",)
    if not place.found:
        return Blocked(f"there is no database {database}", certain=certain)
    if one is None and not coming:
        return Blocked(f"{identity.server} hosts no copy of {database}", certain=certain, next=("starover status",))
    if one is not None and one.active:
        return Blocked(f"{identity} is the active copy: it is never seeded", certain=certain)
    if one is not None and one.status in HOLDS_ITS_DATABASE:
        return None
    giver = source or place.active_server
    wanted = f"Healthy, seeded from {giver}"
    if one is not None and one.status not in NEEDS_SEED:
        if one.status == "ServiceDown":
            return Blocked(
                f"the replication service of {identity.server} does not answer",
                certain=certain,
                next=(f"look at MSExchangeRepl on {identity.server}",),
            )
        return Change(identity, one.status, wanted, action="add")
    blocked = _source(now, identity, source, giver, coming=coming) or (
        _files(now, one, files, discard=discard) if one else None
    )
    return blocked or Change(identity, _held(now, one), wanted, action="add")


def _held(now: HostView, one: CopyStatus | None) -> str:
    """What the copy has now; a copy that an earlier step adds is like one without files."""
    if one is None or not now.files:
        return "no database"
    return f"{one.status}, with files"


def _source(now: HostView, identity: CopyId, source: str, giver: str, *, coming: bool) -> Blocked | None:
    place = now.placement
    if coming and source and not place.has(giver):
        return None  # it is to come as well, and is looked at when it has
    others = [one for one in place.copies if not same_host(one.server, identity.server)]
    whole = [one for one in others if one.mounted or one.status in HOLDS_ITS_DATABASE]
    if not whole:
        seen = ", ".join(f"{one.id} {one.status}" for one in others) or "there is none"
        return Blocked(
            f"no other copy of {place.name} is Mounted or Healthy to seed {identity} from",
            guard="G-COPIES",
            certain=(f"the others: {seen}", "nothing was changed"),
        )
    if source and not any(same_host(one.server, giver) for one in whole):
        state = next((one.status for one in others if same_host(one.server, giver)), "no copy")
        return Blocked(
            f"{giver} cannot give the seed of {identity}: {state}",
            certain=("nothing was changed",),
            next=(f"one of these can: {', '.join(one.server for one in whole)}",),
        )
    busy = next((one for one in others if one.status == SEEDING), None)
    if busy is not None:
        return Blocked(
            f"{busy.id} is being seeded: one seed of a database at a time",
            guard="G-SEED",
            certain=("nothing was changed",),
            next=("wait until it is Healthy, then this again",),
        )
    return None


def _files(now: HostView, one: CopyStatus, files: str, *, discard: bool) -> Blocked | None:
    """What lies there may be what nobody else has (I16)."""
    if not now.files:
        return None
    if may_have_diverged(one) and not discard:
        return Blocked(
            f"{one.id} may have diverged: then it holds the only copy of lost mail",
            guard="I16",
            certain=(f"Exchange says: {one.error_message or 'nothing'}", "nothing was changed"),
            next=(
                f"take a snapshot of its volumes first; then --discard-diverged {one.database}",
                "that is risk D and needs the plan's digest approved",
            ),
        )
    if files != "keep":
        return None
    if one.status == "Suspended" and not one.needs_seed:
        return Blocked(
            f"{one.id} is Suspended and holds its database"
            + (f' ("{one.suspend_comment}")' if one.suspend_comment else ""),
            certain=("nothing was changed",),
            next=(
                f"starover run copies-resume --db {word(one.database)} --server {one.server}   if it may go on",
                f"starover run copy-seed --copy {word(one.id)} --files safe-delete   if its files may go",
            ),
        )
    return Blocked(
        f"{one.id} is {one.status}, and files lie at {now.placement.edb_path}: seeding would have to delete them",
        certain=(f"Exchange says: {one.error_message or 'nothing'}", "nothing was changed"),
        next=(f"starover run copy-seed --copy {word(one.id)} --files safe-delete",),
    )


@step(
    check=copies_of,
    apply="copy/seed_catalog.ps1.j2",
    risk=Risk.LOW,
    settle=Settle(every=60, limit=21_600, stall=None),
)
def catalog_seeded(now: DatabaseCopies, /, *, identity: CopyId, database: DbName) -> Change | Blocked | None:
    """A copy whose content index is Healthy; until Exchange 2016 it is beside the database (S-CI)."""
    one = now.find(identity)
    certain = ("nothing was changed",)
    if one is None:
        return Blocked(f"{identity.server} hosts no copy of {database}", certain=certain)
    if one.content_index in ("", "NotApplicable"):
        return Blocked(f"{identity} has no content index of its own: from Exchange 2019 on it is in the database")
    if one.content_index == "Healthy":
        return None
    others = [copy for copy in now.copies if copy is not one and copy.content_index == "Healthy"]
    if not others:
        return Blocked(f"no other copy of {database} has a Healthy content index", certain=certain)
    return Change(identity, f"index {one.content_index}", "index Healthy")


# -- kept back ---------------------------------------------------------------------------------------------------------


def _unbar(
    prev: DatabaseCopies, server: Server, /, *, identity: CopyId, database: DbName, comment: str, coming: bool
) -> Step | None:
    del comment, coming
    was = prev.find(identity)
    if was is None or was.activation_suspended:
        return None
    return resumed.on(
        server, identity=identity, database=database, keep_block=False, block_comment=None, force_foreign=False
    )


@step(check=copies_of, apply="copy/block.ps1.j2", risk=Risk.LOW, settle=Settle(every=5, limit=120), undo=_unbar)
def barred(
    now: DatabaseCopies, /, *, identity: CopyId, database: DbName, comment: str, coming: bool
) -> Change | Blocked | None:
    """A copy that is not activated by anybody unless asked for by name: a lagged one (G-LAG).

    `coming`: earlier steps add or seed it, after which it can be activated.
    """
    del database, comment
    one = now.find(identity)
    if one is None and not coming:
        return Blocked(f"{identity.server} hosts no copy of {identity.database}", certain=("nothing was changed",))
    settled = one is not None and not (coming and one.status in (*NEEDS_SEED, SEEDING))
    if one is not None and settled and one.activation_suspended:
        return None
    return Change(identity, "may be activated", "activation suspended")

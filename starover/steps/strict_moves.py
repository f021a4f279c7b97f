"""A database moved while it is dismounted, as the documented datacenter switchback has it; knows no failback."""

from __future__ import annotations

from collections.abc import Sequence

from starover.names import CopyId, DbName, same_host
from starover.step import Blocked, Change, Risk, Settle, step
from starover.steps.copies import CopyStatus, DatabaseCopies, copies_of

__all__ = ["down_for_move", "mounted_again", "moved_down"]


def _active(now: DatabaseCopies) -> CopyStatus | None:
    return next((one for one in now.copies if one.active), None)


@step(check=copies_of, apply="recovery/dismount.ps1.j2", risk=Risk.SERVICE, settle=Settle(every=5, limit=120))
def down_for_move(now: DatabaseCopies, /, *, database: DbName, target: str) -> Change | None:
    """A database is dismounted, so that it can be moved with nobody at work in it."""
    active = _active(now)
    if active is None or not active.mounted or same_host(active.server, target):
        return None
    return Change(database, f"mounted on {active.server}", "dismounted for its move")


@step(check=copies_of, apply="move/database.ps1.j2", risk=Risk.SERVICE, settle=Settle(every=5, limit=300), deadline=600)
def moved_down(
    now: DatabaseCopies, /, *, database: DbName, target: str, dial: str, comment: str, skip: Sequence[str]
) -> Change | Blocked | None:
    """A dismounted database is active on a server, and stays dismounted."""
    del dial, comment, skip
    active, own = _active(now), now.find(CopyId(database, target))
    if own is not None and own.active:
        return None
    if own is None or own.status != "Healthy":
        return Blocked(
            f"{database} on {target} is {own.status if own is not None else 'no copy'}",
            certain=(f"{database} is dismounted on {active.server if active is not None else 'nobody'}",),
            next=(f"starover plan mount-databases --db {database}",),
        )
    return Change(database, f"active on {active.server if active is not None else 'nobody'}", f"active on {target}")


@step(check=copies_of, apply="failback/mount.ps1.j2", risk=Risk.SERVICE, settle=Settle(every=5, limit=300))
def mounted_again(now: DatabaseCopies, /, *, database: DbName) -> Change | Blocked | None:
    """A database that was dismounted for its move serves again."""
    active = _active(now)
    if active is not None and active.mounted:
        return None
    return Change(database, "dismounted for its move", "mounted")

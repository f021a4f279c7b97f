"""Databases mounted on the surviving side, with what that loses (S-MOUNT, G-LOSS); knows no cluster and no runbook."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from starover.command_line import word
from starover.estate import Server
from starover.names import CopyId, DbName, same_host
from starover.runbook import Steps
from starover.step import Blocked, Change, Query, Report, Risk, Settle, step, wait
from starover.steps.copies import CopyStatus
from starover.steps.disaster import MemberCopies
from starover.steps.losses import DIALS, AcceptedLoss, Loss, accepted

__all__ = [
    "BY_ITSELF",
    "SideCopies",
    "at_risk",
    "dial_for",
    "loss_note",
    "mounted",
    "mounted_by_itself",
    "mounted_with_loss",
    "side_copies",
]

BY_ITSELF = Settle(every=15, limit=300)
"""How long Active Manager is given to mount by itself (S-MOUNT)."""


class SideCopies(Report):
    """Every copy on the servers of one side (`disaster/side.ps1.j2`)."""

    members: tuple[MemberCopies, ...]

    def of(self, database: str) -> list[CopyStatus]:
        """The copies of one database on this side."""
        return [copy for one in self.members if (copy := one.copy(database)) is not None]

    def on(self, database: str, server: str) -> CopyStatus | None:
        """One of them."""
        return next((one for one in self.of(database) if same_host(one.server, server)), None)

    def mounted(self, database: str) -> CopyStatus | None:
        """The copy that serves."""
        return next((one for one in self.of(database) if one.mounted), None)


side_copies = Query("disaster/side.ps1.j2", SideCopies, deadline=120)
"""Argument: `servers`."""


def at_risk(loss: Loss, given: Collection[AcceptedLoss]) -> bool:
    """Whether mounting it may lose more than its server's dial lets pass, because a person has accepted that."""
    said = accepted(loss.database, given)
    if said is None or loss.active:
        return False
    return loss.beyond_dial or said.logs is None or (loss.limit is not None and said.logs > loss.limit)


def dial_for(loss: Loss, given: Collection[AcceptedLoss], wished: str = "Lossless") -> str:
    """The smallest dial that lets pass what may be lost: the server's standing decision, or what was accepted.

    `wished` is the smallest one that a person asked for.
    """
    said = accepted(loss.database, given)
    order = ["Lossless", "GoodAvailability", "BestAvailability", "BestEffort"]
    logs = loss.known or 0
    if at_risk(loss, given) and said is not None:
        if said.logs is None:
            return order[-1]
        logs = said.logs
    fits = next((name for name in order[:-1] if (DIALS[name.casefold()] or 0) >= logs), order[-1])
    return max(fits, wished if wished in order else order[0], key=order.index)


def loss_note(loss: Loss, given: Collection[AcceptedLoss]) -> str:
    """What stands behind the line of a mount, so that an approval binds it.

    `may lose DB1=9` where a person accepted more than the dial lets pass (`loss.bounds` reads it).
    """
    since = f"last log {loss.inspected[:19]}Z" if loss.inspected and not loss.active else ""
    if loss.active:
        return "the active copy itself: nothing is missing"
    if at_risk(loss, given):
        return "; ".join(filter(None, (f"may lose {accepted(loss.database, given)}", since)))
    if loss.known == 0:
        return "; ".join(filter(None, ("no log is known to be missing", since)))
    return "; ".join(filter(None, (f"{loss.known} logs known missing, within the dial {loss.dial}", since)))


def mounted_by_itself(asked: Server, servers: Sequence[str], databases: Sequence[str]) -> Steps:
    """Give Active Manager its five minutes; what it has not mounted by then is the next step's."""
    wanted = list(databases)
    yield from wait(
        side_copies,
        asked,
        until=lambda now: all(now.mounted(one) for one in wanted),
        settle=BY_ITSELF,
        progress=lambda now: sum(now.mounted(one) is None for one in wanted),
        what=f"{', '.join(wanted)} mounted by Active Manager",
        expected=True,
        lenient=True,
        servers=tuple(servers),
    )


def _mount(now: SideCopies, database: str, target: str, note: str) -> Change | Blocked | None:
    if now.mounted(database) is not None:
        return None
    one = now.on(database, target)
    if one is None:
        return Blocked(
            f"{target} hosts no copy of {database}",
            certain=("nothing was mounted",),
            next=("starover assess   lists the copies of this side",),
        )
    if one.lag:
        return Blocked(
            f"{one.id} is a lagged copy: it is activated by its own runbook only",
            guard="G-LAG",
            certain=("nothing was mounted",),
            next=(f"starover plan lagged-copy-activate --copy {word(one.id)} --variant all-logs",),
        )
    if one.activation_suspended and not one.active:
        return Blocked(
            f"{one.id} is barred from activation",
            guard="G-LAG",
            certain=("nothing was mounted",),
            next=(f"starover plan copies-resume --db {word(database)} --server {target}",),
        )
    return Change(database, "not mounted", f"mounted on {target}", note=note)


@step(
    check=side_copies,
    apply="recovery/mount.ps1.j2",
    risk=Risk.SERVICE,
    settle=Settle(every=5, limit=60),
    deadline=600,
    lenient=True,
)
def mounted(
    now: SideCopies,
    /,
    *,
    servers: Sequence[str],
    database: DbName,
    identity: CopyId,
    target: str,
    dial: str,
    accept: bool,
    note: str,
) -> Change | Blocked | None:
    """A database is mounted on this side, losing no more than its server's dial lets pass (S-MOUNT).

    `servers` are those of this side, `note` is shown behind the line. Mounted anywhere on this side is right.
    """
    del servers, identity, dial, accept
    return _mount(now, database, target, note)


@step(
    check=side_copies,
    apply="recovery/mount.ps1.j2",
    risk=Risk.DATA,
    settle=Settle(every=5, limit=60),
    deadline=600,
    lenient=True,
)
def mounted_with_loss(
    now: SideCopies,
    /,
    *,
    servers: Sequence[str],
    database: DbName,
    identity: CopyId,
    target: str,
    dial: str,
    accept: bool,
    note: str,
) -> Change | Blocked | None:
    """A database is mounted on this side although that loses logs, as many as a person has accepted (S-MOUNT)."""
    del servers, identity, dial, accept
    return _mount(now, database, target, note)

"""Windows Update on one host: what it offers, the worker that installs as SYSTEM, restarts it waits for; no verdicts.

S-WU-SCAN and S-WU-INSTALL (catalogue 5.6). Tasks lie in `\\Starover\\`, files under `C:\\ProgramData\\Starover` like
everything of ours on a host: one folder, since a template knows no run, and one installation at a time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import timedelta

from starover.estate import Server
from starover.runbook import Steps
from starover.step import Blocked, Change, Left, Query, Report, Risk, Settle, step, wait
from starover.steps.guards import moment

__all__ = [
    "Installation",
    "Offer",
    "Pending",
    "Scan",
    "Setup",
    "SetupService",
    "UpdateResult",
    "installing",
    "installing_here",
    "pending_of",
    "progress_of",
    "scan",
    "setup_of",
    "updates_order",
    "worker_ended",
    "worker_removed",
]

SEARCHED = 900.0
"""Seconds for a search; the script itself gives up after fourteen minutes."""
SILENT = timedelta(minutes=45)
"""A worker without a sign of life for longer hangs (S-WU-INSTALL)."""
FOUR_HOURS = 4 * 3600.0
REBOOTS = ("never", "always", "can")


class Offer(Report):
    """An update that a host is offered."""

    id: str
    revision: int
    title: str
    articles: tuple[str, ...]
    """`KB5044411`."""
    categories: tuple[str, ...]
    """Ids of its classification and of products: names are localised."""
    severity: str
    reboot: int
    """0 never, 1 always, 2 perhaps."""
    downloaded: bool
    browse_only: bool
    """Optional: a person has to choose it."""
    size: int
    """Bytes to download, at most."""

    @property
    def name(self) -> str:
        """`KB5044411`; its title where it has no article."""
        return ", ".join(self.articles) or self.title


class Pending(Report):
    """Restarts that a host waits for (`update/pending.ps1.j2`)."""

    pending: tuple[str, ...]
    """`servicing`, `windows-update`, `renames`."""
    boot_time: str
    utc: str

    @property
    def due(self) -> bool:
        """A restart is needed; renames alone are too common to mean it."""
        return bool({"servicing", "windows-update"} & set(self.pending))


class Scan(Report):
    """What Windows Update offers a host (`update/scan.ps1.j2`)."""

    how: str
    """`network`, or `system`: by a scheduled task, because a network logon may not search."""
    updates: tuple[Offer, ...]
    pending: tuple[str, ...]
    boot_time: str
    utc: str

    def named(self, ids: Sequence[str]) -> tuple[str, ...]:
        """The names of these updates, in the order of the search."""
        return tuple(one.name for one in self.updates if one.id in ids)


class UpdateResult(Report):
    """What the agent said of one installation."""

    id: str
    code: int
    """2 succeeded, 3 with errors, 4 failed, 5 aborted."""
    hresult: str
    """`0x800F0922`."""
    reboot: bool
    problem: str


class Installation(Report):
    """How far the worker is (`update/state.ps1.j2`); without one everything is empty."""

    order: str
    """Whose it is."""
    phase: str
    """`searching`, `downloading`, `installing`, `done`, `broken`."""
    current: str
    """The id of the update it is at."""
    problem: str
    heartbeat: str
    results: tuple[UpdateResult, ...]
    task: bool
    running: bool
    utc: str

    @property
    def silent(self) -> timedelta:
        """Since when it has given no sign of life."""
        return moment(self.utc) - moment(self.heartbeat) if self.heartbeat else timedelta(0)

    @property
    def hung(self) -> bool:
        """At work, and without a sign of life for too long."""
        return self.running and self.silent > SILENT


class SetupService(Report):
    """A service and how it starts."""

    name: str
    status: str
    start: str
    """`Automatic`, `Manual`, `Disabled`."""


class Setup(Report):
    """What a setup of Exchange has left (`update/setup.ps1.j2`)."""

    unfinished: tuple[str, ...]
    """Roles with a watermark: Setup has to be run to its end."""
    services: tuple[SetupService, ...]

    @property
    def disabled(self) -> tuple[str, ...]:
        """Services that cannot start."""
        return tuple(one.name for one in self.services if one.start == "Disabled")


scan = Query("update/scan.ps1.j2", Scan, deadline=SEARCHED)
"""Of the host that is asked."""
pending_of = Query("update/pending.ps1.j2", Pending)
"""Of the host that is asked."""
progress_of = Query("update/state.ps1.j2", Installation)
"""Of the host that is asked."""
setup_of = Query("update/setup.ps1.j2", Setup)
"""Of the host that is asked."""


def updates_order(server: str, boot: str, number: int, ids: Sequence[str]) -> str:
    """What names an order to the worker: the same host, boot, round and updates are the same order, and are not begun
    twice."""
    text = "|".join([server.casefold(), boot, str(number), *sorted(ids)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@step(check=progress_of, apply="update/install.ps1.j2", risk=Risk.SERVICE, settle=Settle(every=5, limit=120))
def installing(
    now: Installation, /, *, server: str, key: str, ids: Sequence[str], names: Sequence[str]
) -> Change | Blocked | None:
    """A worker has begun to install exactly these updates of a host, or has done so (S-WU-INSTALL).

    `key` names the order (`updates_order`). That it has ended is another fact (`worker_ended`), what came of it only
    a search can tell.
    """
    del ids
    return _begun(now, server, key, names)


@step(
    check=progress_of,
    apply="update/install_here.ps1.j2",
    risk=Risk.SERVICE,
    settle=Settle(every=5, limit=120),
    deadline=FOUR_HOURS,
)
def installing_here(
    now: Installation, /, *, server: str, key: str, ids: Sequence[str], names: Sequence[str]
) -> Change | Blocked | None:
    """The same, by a script of the agent of Systems Manager, which is LocalSystem: it lasts as long as installing does.

    What came of it is told as of a worker with a task, also when its answer is lost.
    """
    del ids
    return _begun(now, server, key, names)


def _begun(now: Installation, server: str, key: str, names: Sequence[str]) -> Change | Blocked | None:
    if now.order == key:
        return None
    if now.running:
        return Blocked(
            f"updates of {server} are being installed already, by an order of somebody else",
            guard="G-SETUP",
            certain=(f"it is {now.phase}, last sign of life {now.heartbeat or 'none'}",),
            next=("wait until it has ended, then look again",),
        )
    return Change(f"updates of {server}: {', '.join(names)}", "offered", "being installed")


@step(check=progress_of, apply="update/remove.ps1.j2", risk=Risk.SERVICE, settle=Settle(every=5, limit=120))
def worker_removed(now: Installation, /, *, server: str, hung: bool) -> Change | Blocked | None:
    """Neither task nor files of a worker are left on a host. One that is at work is stopped only where it is `hung`."""
    if now.running and not hung:
        return Blocked(f"updates of {server} are being installed", guard="G-SETUP")
    if not now.task and not now.phase:
        return None
    was, wanted = ("hangs", "stopped and removed") if hung else ("there", "none")
    return Change(f"worker on {server}", was, wanted, action="remove")


def worker_ended(server: Server) -> Steps:
    """Wait until no worker installs anything on a host, or until it hangs: every 20 s, four hours at most."""

    def left(now: Installation) -> Left:
        return Left(amount=int(now.running), phase=now.phase)

    yield from wait(
        progress_of,
        server,
        until=lambda now: not now.running or now.hung,
        settle=Settle(every=20, limit=FOUR_HOURS + 600),
        progress=left,
        what=f"the installation of updates on {server.name} to end",
        expected=True,
    )

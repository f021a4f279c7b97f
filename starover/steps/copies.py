"""Database copies: their status, suspending and resuming them, and what must remain; knows no runbook."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta

from starover.command_line import word
from starover.errors import BadParameter, ErrorRecord
from starover.inventory import Server
from starover.names import CopyId, DbName, same_host
from starover.parameters import duration
from starover.remote_errors import causes
from starover.runbook import Steps
from starover.step import Blocked, Change, Left, Query, Report, Risk, Settle, Step, step, wait

__all__ = [
    "CopyStatus",
    "DatabaseCopies",
    "Tag",
    "caught_up",
    "copies_of",
    "copies_on",
    "named_on",
    "redundancy",
    "resumed",
    "suspended",
]

GOOD_COPY_QUEUE = 10
"""Logs a good copy may lack (G-COPIES)."""
GOOD_REPLAY_QUEUE = 50
"""Logs a good copy may still have to replay (G-COPIES)."""
STALE_QUEUE = 2**40
"""From here on a copy queue is no length: Exchange says 9223372036854775766 when it has lost count."""
SEED_CAUSES = frozenset({"seed-broken", "reseed-needed", "copy-diverged", "database-damaged"})
"""Of `remote_causes.CAUSES`: what resuming does not mend."""
GOOD_INDEX = frozenset({"", "Healthy", "NotApplicable"})


class CopyStatus(Report):
    """One copy as `Get-MailboxDatabaseCopyStatus` prints it (`copy/_facts.ps1.j2`)."""

    identity: str
    """`DB01\\EX3`."""
    database: str
    server: str
    status: str
    active: bool
    activation_suspended: bool
    suspend_comment: str
    preference: int | None
    copy_queue: int | None
    """Logs not yet inspected; None: the server did not say."""
    replay_queue: int | None
    content_index: str
    """`NotApplicable` on 2019 and later, and always empty on some."""
    replay_lag: str
    """`Enabled:True; ...; Configured:7.00:00:00; ...` (exchange.md, point 9)."""
    error_message: str

    @property
    def id(self) -> CopyId:
        """As a person writes it."""
        return CopyId(self.database, self.server)

    @property
    def lag(self) -> timedelta:
        """The replay lag that is configured."""
        return self._lag("Configured") or timedelta(0)

    @property
    def max_delay(self) -> timedelta | None:
        """How long playing the lag down may be put off; None: the version, or the server, does not say."""
        return self._lag("MaxDelay")

    @property
    def speaks_of(self) -> frozenset[str]:
        """Causes (`remote_causes.CAUSES`) that its error message speaks of; empty where nobody knows the words."""
        return causes(ErrorRecord(message=self.error_message)) if self.error_message else frozenset()

    @property
    def needs_seed(self) -> bool:
        """Whether it says that it cannot go on without a seed."""
        return not self.speaks_of.isdisjoint(SEED_CAUSES)

    def _lag(self, name: str) -> timedelta | None:
        found = re.search(rf"{name}:\s*([0-9.:]+)", self.replay_lag)
        return duration(found[1]) if found else None

    @property
    def replication_suspended(self) -> bool:
        """It does not copy logs because somebody said so."""
        return self.status in ("Suspended", "FailedAndSuspended")

    @property
    def mounted(self) -> bool:
        """It serves mail."""
        return self.active and self.status == "Mounted"

    @property
    def queue(self) -> int | None:
        """The copy queue, None where the number is none."""
        return self.copy_queue if self.copy_queue is not None and 0 <= self.copy_queue < STALE_QUEUE else None

    @property
    def good(self) -> bool:
        """Mounted, or a copy that could take over now (G-COPIES); a lagged or blocked one could not."""
        if self.active:
            return self.mounted
        return (
            self.status == "Healthy"
            and self.queue is not None
            and self.queue <= GOOD_COPY_QUEUE
            and self.replay_queue is not None
            and self.replay_queue <= GOOD_REPLAY_QUEUE
            and self.content_index in GOOD_INDEX
            and not self.activation_suspended
            and not self.lag
        )


class DatabaseCopies(Report):
    """Several copies: of one database, or of all databases on one server."""

    copies: tuple[CopyStatus, ...]

    def find(self, copy: CopyId) -> CopyStatus | None:
        """The copy of that name; compared exactly but for case, because a near match is another copy."""
        for one in self.copies:
            if one.database.casefold() == copy.database.casefold() and same_host(one.server, copy.server):
                return one
        return None


copies_on = Query("copy/on_server.ps1.j2", DatabaseCopies)
"""Every copy on a server. Argument: `name`, the server whose copies are meant."""
copies_of = Query("copy/of_database.ps1.j2", DatabaseCopies)
"""Every copy of a database. Argument: `database`."""


def named_on(here: DatabaseCopies, server: Server, names: Sequence[str]) -> list[CopyId]:
    """The copies that a server hosts of the databases that were named, each once, as Exchange writes them.

    Raises `BadParameter` for one it does not host, with a hint for `DB01EX4`, whose backslash a shell ate.
    """
    found: dict[CopyId, None] = {}
    for name in names:
        one = here.find(CopyId(name, server.name))
        if one is None:
            raise BadParameter(
                f"{server.name} hosts no copy of a database {name}",
                certain=("nothing was sent but reads",),
                next=tuple(_meant(here, server, name)),
            )
        found.setdefault(one.id)
    return list(found)


def _meant(here: DatabaseCopies, server: Server, name: str) -> Iterator[str]:
    short = name[: -len(server.name)]
    if name.casefold().endswith(server.name.casefold()) and here.find(CopyId(short, server.name)) is not None:
        yield f"did the shell eat a backslash? write {short}/{server.name}"
    yield f"it hosts: {', '.join(sorted(copy.database for copy in here.copies)) or 'none'}"


class Tag:
    """How starover marks the comment of a copy it suspends, so that any later run, anywhere, knows it again.

    `[starover] disk swap`; `all`: the whole server was suspended at once; `blocked`: the copy was barred from
    activation before, so resuming must leave it so (G-LAG). It stands in Exchange's own comment because a journal may
    be on another machine.
    """

    _FORM = re.compile(r"\[starover((?: all| blocked)*)\] ?(.*)", re.DOTALL)

    def __init__(self, comment: str) -> None:
        """Read a comment as Exchange gives it."""
        found = self._FORM.fullmatch(comment)
        words = found[1].split() if found else []
        self.ours = found is not None
        self.all = "all" in words
        self.blocked = "blocked" in words
        self.text = found[2] if found else comment

    @staticmethod
    def write(text: str, *, everything: bool = False, blocked: bool = False) -> str:
        """A marked comment, one line of at most 512 characters (Exchange's limit)."""
        mark = "[starover" + " all" * everything + " blocked" * blocked + "]"
        return f"{mark} {text}"[:512].rstrip()


def redundancy(copies: Sequence[CopyStatus], without: CopyId) -> tuple[Blocked | None, str]:
    """G-COPIES for taking one passive copy out of service: what forbids it, and what it leaves.

    Refused when no other copy is Mounted or Healthy; fewer than min(2, copies - 1) good ones is said aloud.
    """
    others = [one for one in copies if not same_host(one.server, without.server)]
    good = [one for one in others if one.good]
    wanted = min(2, len(copies) - 1)
    if not good:
        seen = ", ".join(f"{one.id} {one.status}" for one in others) or "there is no other copy"
        blocked = Blocked(
            f"no other copy of {without.database} is Mounted or Healthy",
            guard="G-COPIES",
            certain=(f"the others: {seen}", "nothing was changed"),
            next=("bring another copy to Healthy first: starover run health-report",),
        )
        return blocked, ""
    left = ", ".join(str(one.id) for one in good)
    if len(good) < wanted or not any(not one.active for one in good):
        return None, f"leaves {without.database} without a second healthy copy (good: {left})"
    return None, ""


def _suspend_undo(
    prev: DatabaseCopies,
    server: Server,
    /,
    *,
    identity: CopyId,
    database: DbName,
    activation_only: bool,
    comment: str,
) -> Step | None:
    del activation_only, comment
    was = prev.find(identity)
    if was is None or was.replication_suspended:
        return None
    return resumed.on(
        server,
        identity=identity,
        database=database,
        keep_block=was.activation_suspended,
        block_comment=was.suspend_comment if was.activation_suspended else None,
        force_foreign=False,
    )


@step(
    check=copies_of,
    apply="copy/suspend.ps1.j2",
    risk=Risk.LOW,
    settle=Settle(every=5, limit=120),
    undo=_suspend_undo,
)
def suspended(
    now: DatabaseCopies, /, *, identity: CopyId, database: DbName, activation_only: bool, comment: str
) -> Change | Blocked | None:
    """A copy that no longer replicates, or may not be activated (S-COPY-SUSPEND)."""
    del database
    one = now.find(identity)
    if one is None:
        return _absent(identity)
    if activation_only:
        if one.activation_suspended:
            return None
        return Change(identity, "may be activated", "activation suspended", note=_said(comment))
    if one.status == "Suspended":
        return None
    if one.status == "FailedAndSuspended":
        return Blocked(
            f"{identity} is FailedAndSuspended: it is out of service already, and suspending would hide why",
            certain=(f"Exchange says: {one.error_message or 'nothing'}",),
        )
    if one.active:
        return Blocked(
            f"{identity} is the active copy: its replication cannot be suspended",
            next=(
                (
                    f"starover plan copies-suspend --db {word(identity.database)} --server {identity.server} "
                    "--mode activation-only   an active copy may be barred from activation"
                ),
            ),
        )
    blocked, warning = redundancy(now.copies, identity)
    return blocked or Change(identity, one.status, "Suspended", note=_said(comment), warning=warning)


def _resume_undo(
    prev: DatabaseCopies,
    server: Server,
    /,
    *,
    identity: CopyId,
    database: DbName,
    keep_block: bool,
    block_comment: str | None,
    force_foreign: bool,
) -> Step | None:
    del keep_block, block_comment, force_foreign
    was = prev.find(identity)
    if was is None or not (was.replication_suspended or was.activation_suspended):
        return None
    return suspended.on(
        server,
        identity=identity,
        database=database,
        activation_only=not was.replication_suspended,
        comment=was.suspend_comment,
    )


@step(
    check=copies_of,
    apply="copy/resume.ps1.j2",
    risk=Risk.LOW,
    settle=Settle(every=15, limit=300),
    undo=_resume_undo,
)
def resumed(
    now: DatabaseCopies,
    /,
    *,
    identity: CopyId,
    database: DbName,
    keep_block: bool,
    block_comment: str | None,
    force_foreign: bool,
) -> Change | Blocked | None:
    """A copy that replicates again, and may be activated unless it was barred from it before (S-COPY-RESUME).

    `block_comment` is the comment that a copy which stays barred had before; None: not known.
    """
    del database
    one = now.find(identity)
    if one is None:
        return _absent(identity)
    barred = one.activation_suspended and not keep_block
    astray = keep_block and one.activation_suspended and block_comment not in (None, one.suspend_comment)
    if not one.replication_suspended and not barred and not astray:
        return None
    tag = Tag(one.suspend_comment)
    if not tag.ours and not force_foreign:
        who = f'comment "{one.suspend_comment}"' if one.suspend_comment else "no comment"
        return Blocked(
            f"{identity} was suspended by somebody else ({who})",
            certain=("nothing was changed",),
            next=(
                f"starover run copies-resume --db {word(identity.database)} --server {identity.server} --force-foreign",
            ),
        )
    if one.needs_seed:
        return Blocked(
            f"{identity} needs to be seeded, resuming would fail again",
            certain=(f"Exchange says: {one.error_message}",),
        )
    if one.replication_suspended:
        wanted = "Healthy, activation stays suspended" if keep_block else "Healthy"
        return Change(identity, one.status, wanted, note=_said(one.suspend_comment))
    if astray:
        return Change(identity, _said(one.suspend_comment), _said(block_comment or "") or "no comment")
    return Change(identity, "activation suspended", "may be activated", note=_said(one.suspend_comment))


def caught_up(server: Server, copy: CopyId) -> Steps:
    """Wait until a resumed copy is Healthy and lacks at most ten logs: every 15 s, 30 min at most (S-COPY-RESUME)."""

    def until(now: DatabaseCopies) -> bool:
        one = now.find(copy)
        return one is not None and (
            one.active or (one.status == "Healthy" and one.queue is not None and one.queue <= GOOD_COPY_QUEUE)
        )

    def left(now: DatabaseCopies) -> Left:
        one = now.find(copy)
        unknown = one is None or one.queue is None or one.queue >= STALE_QUEUE
        return Left(amount=STALE_QUEUE) if unknown or one is None else Left(amount=one.queue or 0, unit="logs")

    yield from wait(
        copies_of,
        server,
        until=until,
        settle=Settle(every=15, limit=1800, stall=600),
        progress=left,
        what=f"{copy} Healthy, copy queue at most {GOOD_COPY_QUEUE}",
        expected=True,
        database=copy.database,
    )


def _absent(copy: CopyId) -> Blocked:
    return Blocked(
        f"{copy.server} hosts no copy of {copy.database}",
        certain=("nothing was changed",),
        next=("starover status",),
    )


def _said(comment: str) -> str:
    return f'comment "{Tag(comment).text}"' if comment else ""

"""What bringing a database up on this side would lose, and when the log disks are full (G-LOSS, S-LOGSPACE); pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import combinations

import msgspec

from starover.errors import BadParameter
from starover.names import DbName, same_host
from starover.steps.copies import STALE_QUEUE, CopyStatus
from starover.steps.disaster import CopyLogs, DatabaseOrder, Heard, Survey, at
from starover.steps.placement import bytes_in

__all__ = [
    "DIALS",
    "LOG_BYTES",
    "AcceptedLoss",
    "LogSpace",
    "Loss",
    "accepted",
    "dial_of",
    "log_space",
    "loss_of",
    "losses",
    "verdict_on",
]

LOG_BYTES = 2**20
"""Bytes of one transaction log."""
DIALS: Mapping[str, int | None] = {"lossless": 0, "goodavailability": 6, "bestavailability": 12, "besteffort": None}
"""Logs that a mount by itself may lose (simulator.md section 6); None: any number."""
TAKES_OVER = frozenset({"Healthy", "DisconnectedAndHealthy", "DisconnectedAndResynchronizing", "SeedingSource"})
"""What Active Manager activates by itself."""
MEASURED = timedelta(minutes=10)
"""Between two points of a log stream, at least, that a rate is taken from."""
PLANNING_RATE = 6.0
"""Logs a minute of a busy hour, where nothing was measured (simulator.md section 5)."""


class AcceptedLoss(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a person accepts to lose of a database: `DB1=9`, or `DB1=unknown` where nobody can count."""

    database: DbName
    logs: int | None
    """At most so many; None: an unknown number."""

    @classmethod
    def parse(cls, text: str) -> AcceptedLoss:
        """Read `DB=LOGS` or `DB=unknown`. Raises `BadParameter`."""
        database, equals, number = text.rpartition("=")
        word = number.strip().casefold()
        if not equals or not (word == "unknown" or word.isdigit()):
            raise BadParameter(
                f"`{text}` is no accepted loss", next=("write DB1=9 (at most nine logs) or DB1=unknown",)
            )
        try:
            return msgspec.convert({"database": database, "logs": None if word == "unknown" else int(word)}, cls)
        except msgspec.ValidationError:
            raise BadParameter(f"`{database}` in `{text}` is no name of a database") from None

    def __str__(self) -> str:
        """As a person writes it."""
        return f"{self.database}={'unknown' if self.logs is None else self.logs}"


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """What a database would lose when its best copy on this side is mounted."""

    database: str
    target: str
    """Server of the copy that would be activated; empty: there is none on this side."""
    status: str
    """Of that copy."""
    active: bool
    """It is the active copy itself: nothing is missing."""
    known: int | None
    """Logs known to be missing; None: cannot be counted."""
    why: str
    """Why it cannot be counted; empty: it can."""
    notified: str
    """When the last log was written that this side was told of: what came after it cannot be counted by anybody."""
    inspected: str
    """When the last log was written that this side has: mail after it may be missing."""
    bound: int | None
    """An upper bound where the number is unknown: log rate times the minutes since; None: not even that."""
    dial: str
    limit: int | None
    """Logs that the target's dial lets pass by itself; None: any number."""
    by_itself: bool
    """It mounts by itself once there is quorum."""
    without: str
    """Why it does not mount by itself; empty: it does."""

    @property
    def beyond_dial(self) -> bool:
        """A person must accept the loss before this is mounted."""
        if self.active or not self.target:
            return False
        return self.known is None or (self.limit is not None and self.known > self.limit)

    @property
    def text(self) -> str:
        """One line, with the bound as it is at this moment."""
        most = f"; at most about {self.bound} logs by now" if self.known is None and self.bound is not None else ""
        return f"{self.standing}{most}"

    @property
    def standing(self) -> str:
        """The same without what moves with the time: a plan binds it."""
        if not self.target:
            return f"{self.database}: no copy on this side"
        if self.active:
            return f"{self.database}: complete on {self.target}"
        lost = "nothing known to be missing" if self.known == 0 else f"{self.known} logs known missing"
        if self.known is None:
            lost = f"unknown ({self.why})"
        since = f", last log {self.inspected[:19]}Z" if self.inspected else ""
        how = "mounts by itself" if self.by_itself else self.without
        return f"{self.database} on {self.target}: {lost}{since}; {how}"


class LogSpace(msgspec.Struct, frozen=True, kw_only=True):
    """How long the log volume of a server lasts."""

    server: str
    volume: str
    databases: tuple[str, ...]
    free: int
    """Bytes."""
    rate: float
    """Logs a minute, of all its databases together."""
    measured: bool
    """False: nothing could be measured, a planning value stands for it."""
    hours: float

    @property
    def low(self) -> bool:
        """Full within a day (G-SURVIVE)."""
        return self.hours < 24

    @property
    def text(self) -> str:
        """One line."""
        source = "measured" if self.measured else f"assumed, {PLANNING_RATE:g} a minute for each database"
        return f"{self.server} {self.volume} full in {self.hours:.0f} h ({self.rate:.1f} logs a minute, {source})"


def dial_of(name: str) -> int | None:
    """The number of logs a dial lets pass; an unknown word counts as Lossless."""
    return DIALS.get(name.casefold(), 0)


def losses(seen: Survey, survivors: Sequence[Heard], databases: Sequence[DatabaseOrder] | None = None) -> list[Loss]:
    """What each database would lose on `survivors`, in the order of Active Directory's list."""
    return [loss_of(one, survivors, seen) for one in (databases if databases is not None else seen.databases or ())]


def loss_of(database: DatabaseOrder, survivors: Sequence[Heard], seen: Survey, *, target: str = "") -> Loss:
    """What mounting a database on this side would lose: on `target`, else on the copy that would be chosen."""
    here = [
        (host, copy, log)
        for host in survivors
        if host.copies is not None
        and (copy := host.copies.copy(database.name)) is not None
        and (log := host.copies.log(database.name)) is not None
        and (not target or same_host(target, host.server))
    ]
    if not here:
        return Loss(
            database=database.name, target="", status="", active=False, known=None, why="no copy on this side",
            notified="", inspected="", bound=None, dial="", limit=0, by_itself=False, without="no copy on this side",
        )  # fmt: skip
    host, copy, log = _chosen(here, database)
    assert host.copies is not None
    known, why = _missing(copy, log, quorate=any(one.cluster is not None for one in seen.members))
    limit = dial_of(host.copies.dial)
    without = _kept_down(copy, host.copies.policy, known, limit)
    rate = rate_of(database.name, seen)
    return Loss(
        database=database.name,
        target=host.server,
        status=copy.status,
        active=copy.active,
        known=known,
        why=why,
        notified=log.notified_time,
        inspected="" if copy.active else log.inspected_time or log.latest_time,
        bound=_bound(log, seen, rate) if known is None else known,
        dial=host.copies.dial,
        limit=limit,
        by_itself=not without,
        without=without,
    )


def _chosen(
    here: Sequence[tuple[Heard, CopyStatus, CopyLogs]], database: DatabaseOrder
) -> tuple[Heard, CopyStatus, CopyLogs]:
    """Active Manager's order (simulator.md section 6): the active copy, then what may be activated, then the log."""
    places = {name.casefold(): place for place, name in enumerate(database.servers)}
    by_preference = any(host.copies is not None and dial_of(host.copies.dial) == 0 for host, _, _ in here)

    def order(one: tuple[Heard, CopyStatus, CopyLogs]) -> tuple[bool, bool, bool, int, int]:
        host, copy, log = one
        place = places.get(host.server.casefold(), 99)
        return (
            not copy.active,
            copy.activation_suspended or bool(copy.lag),
            copy.status not in TAKES_OVER,
            place if by_preference else -log.inspected,
            place,
        )

    return min(here, key=order)


def _missing(copy: CopyStatus, log: CopyLogs, *, quorate: bool) -> tuple[int | None, str]:
    """Last notified minus inspected; with quorum the copy queue too, which comes from the cluster's registry."""
    if copy.active:
        return 0, ""
    if copy.copy_queue is not None and copy.copy_queue >= STALE_QUEUE:
        return None, "Exchange has lost count of the last log"
    if log.stale:
        return None, "what Exchange knows of the last log is too old"
    if log.notified <= 0 or log.inspected <= 0:
        return None, "the copy does not say which log it was told of last"
    queue = copy.queue or 0 if quorate else 0
    if log.notified < log.inspected and not queue:
        return None, f"it has inspected log {log.inspected} and was told of {log.notified} only"
    return max(log.notified - log.inspected, queue), ""


def _kept_down(copy: CopyStatus, policy: str, known: int | None, limit: int | None) -> str:
    if copy.active:
        return ""
    if copy.activation_suspended:
        return "its activation is suspended"
    if policy == "Blocked":
        return "the server's activation policy is Blocked"
    if copy.status not in TAKES_OVER:
        return f"the copy is {copy.status}"
    if known is None:
        return "nobody knows how much is missing"
    if limit is not None and known > limit:
        return f"more than the dial allows ({limit})"
    return ""


def _bound(log: CopyLogs, seen: Survey, rate: float | None) -> int | None:
    last, now = at(log.inspected_time) or at(log.latest_time), seen.now
    if last is None or now is None or rate is None:
        return None
    return max(0, round((now - last).total_seconds() / 60 * rate))


def accepted(database: str, given: Collection[AcceptedLoss]) -> AcceptedLoss | None:
    """What was accepted for a database."""
    return next((one for one in given if one.database.casefold() == database.casefold()), None)


def verdict_on(loss: Loss, given: Collection[AcceptedLoss]) -> str:
    """G-LOSS for one database: why it may not be mounted; empty: it may.

    A loss up to the target's dial is a standing decision and needs no flag; an unknown one needs the word `unknown`.
    """
    if not loss.beyond_dial:
        return ""
    said = accepted(loss.database, given)
    if loss.known is None:
        if said is not None and said.logs is None:
            return ""
        most = f" (at most about {loss.bound})" if loss.bound is not None else ""
        return f"nobody can count what {loss.database} would lose{most}: {loss.why}"
    if said is not None and said.logs is not None and said.logs >= loss.known:
        return ""
    more = f", and {said.logs} were accepted" if said is not None and said.logs is not None else ""
    return f"{loss.database} would lose {loss.known} logs, more than the dial allows ({loss.limit}){more}"


# -- log space ---------------------------------------------------------------------------------------------------------


def rate_of(database: str, seen: Survey) -> float | None:
    """Logs a minute: between the two points of the log stream that lie furthest apart; None: too close together.

    Every copy of a database has the same stream, so the lagged one's replay gives a rate over days.
    """
    points = [
        point
        for host in seen.members
        if host.copies is not None and (log := host.copies.log(database)) is not None
        for point in _points(log)
    ]
    pairs = [(abs(one[0] - other[0]), abs(one[1] - other[1])) for one, other in combinations(points, 2)]
    span, logs = max(pairs, default=(timedelta(0), 0))
    return logs / (span.total_seconds() / 60) if span >= MEASURED and logs > 0 else None


def _points(log: CopyLogs) -> Iterator[tuple[datetime, int]]:
    for number, time in (
        (log.notified, log.notified_time),
        (log.inspected, log.inspected_time),
        (log.replayed, log.replayed_time),
    ):
        moment = at(time)
        if number > 0 and moment is not None:
            yield moment, number


def log_space(host: Heard, seen: Survey) -> list[LogSpace]:
    """S-LOGSPACE of one server: for each of its log volumes, how long it lasts while nothing is truncated."""
    if host.copies is None:
        return []
    volumes: dict[str, list[CopyLogs]] = {}
    for log in host.copies.logs:
        volumes.setdefault(log.volume, []).append(log)
    found: list[LogSpace] = []
    for volume, logs in volumes.items():
        free = bytes_in(logs[0].free)
        rates = [rate_of(log.database, seen) for log in logs]
        if free is None:
            continue
        rate = sum(PLANNING_RATE if one is None else one for one in rates)
        found.append(
            LogSpace(
                server=host.server,
                volume=volume,
                databases=tuple(log.database for log in logs),
                free=free,
                rate=rate,
                measured=None not in rates,
                hours=free / (rate * LOG_BYTES * 60) if rate else float("inf"),
            )
        )
    return found

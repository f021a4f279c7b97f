"""Mail of lost logs out of Safety Net: what was asked for already, and asking the shadow when the primary is dead.

S-MAILFLOW. Active Manager asks by itself after every loss; a primary Safety Net that does not answer is tried for
twelve hours before its shadow is. Asking again may deliver mail twice, also to the outside: a person decides that.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, TypeAlias

import msgspec

from starover.errors import BadParameter, StaroverError
from starover.estate import Estate
from starover.names import DbName
from starover.runbook import Steps, attempt, together
from starover.step import Blocked, Change, Query, Report, Risk, Settle, step
from starover.steps.disaster import DatabaseOrder, at
from starover.steps.losses import Loss

__all__ = [
    "DONE",
    "ResubmitRequest",
    "ResubmitRequests",
    "Utc",
    "offers",
    "resubmit_asked",
    "resubmit_requests",
    "span",
    "utc_text",
]

Utc: TypeAlias = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ(?![\s\S])", title="Utc", description="2026-11-20T14:59:10Z, in UTC"
    ),
]
"""A moment as a person types it."""
BEFORE = timedelta(hours=1)
"""How much further back than the last log on this side mail is asked for (S-MAILFLOW)."""
DONE = "Completed"


class ResubmitRequest(Report):
    """A request of a server."""

    identity: str
    destination: str
    """The database's GUID."""
    start: str
    end: str
    """ISO 8601, UTC."""
    state: str
    """`Running` or `Completed`."""

    def covers(self, guid: str, start: datetime, end: datetime) -> bool:
        """Whether it is for that database and for some of that time."""
        first, last = at(self.start), at(self.end)
        mine = guid.casefold() in self.destination.casefold()
        return mine and first is not None and last is not None and first <= end and start <= last


class ResubmitRequests(Report):
    """What one server was asked for (`recovery/resubmits.ps1.j2`)."""

    utc: str
    """The server's clock."""
    requests: tuple[ResubmitRequest, ...]

    def of(self, guid: str) -> list[ResubmitRequest]:
        """Those for a database."""
        return [one for one in self.requests if guid.casefold() in one.destination.casefold()]


resubmit_requests = Query("recovery/resubmits.ps1.j2", ResubmitRequests)
"""Argument: `server`, its name."""


def span(since: Utc, until: Utc) -> tuple[datetime, datetime]:
    """From when to when. Raises `BadParameter` where the end is not after the beginning, or one is no moment."""
    try:
        first, last = datetime.fromisoformat(since), datetime.fromisoformat(until)
    except ValueError as error:
        raise BadParameter(f"--since or --until: {error}", certain=("nothing was contacted",)) from None
    if first >= last:
        raise BadParameter(f"--since {since} is not before --until {until}", certain=("nothing was contacted",))
    return first, last


def utc_text(time: datetime) -> Utc:
    """A moment as it is typed."""
    return f"{time:%Y-%m-%dT%H:%M:%S}Z"


@step(check=resubmit_requests, apply="recovery/resubmit.ps1.j2", risk=Risk.DATA, settle=Settle(every=5, limit=60))
def resubmit_asked(
    now: ResubmitRequests,
    /,
    *,
    server: str,
    database: DbName,
    guid: str,
    start: Utc,
    end: Utc,
    unresponsive: Sequence[str],
) -> Change | Blocked | None:
    """Mail of a database is delivered again from Safety Net's shadow, since its primary is dead (S-MAILFLOW).

    Done, too, when Active Manager's own request for that time has ended by itself.
    """
    del server
    first, last = datetime.fromisoformat(start), datetime.fromisoformat(end)
    for one in now.of(guid):
        same = (at(one.start), at(one.end)) == (first, last)
        if same or (one.state == DONE and one.covers(guid, first, last)):
            return None
    return Change(
        f"mail of {database} in Safety Net",
        "not asked of the shadow",
        f"delivered again, {start} to {end}",
        note=f"mail may arrive twice, also outside; not asked: {', '.join(unresponsive)}",
        action="add",
    )


def offers(
    estate: Estate, databases: Sequence[DatabaseOrder], costs: Sequence[Loss], lost: Sequence[str]
) -> Steps[list[str]]:
    """For each database that lost logs, or may have: how far Safety Net is, and what a person could still do."""
    lossy = [one for one in costs if one.target and not one.active and one.known != 0]
    read = yield from together(
        attempt(resubmit_requests.read(estate.server(one.target), server=one.target)) for one in lossy
    )
    said: list[str] = []
    for one, answer in zip(lossy, read, strict=True):
        guid = next((it.guid for it in databases if same_name(it.name, one.database)), "")
        if isinstance(answer, StaroverError):
            said.append(f"{one.database}: what Safety Net was asked for could not be read ({answer.what})")
        else:
            said.append(_offer(one, answer, guid, lost))
    return said


def same_name(one: str, other: str) -> bool:
    """Whether two names are one database."""
    return one.casefold() == other.casefold()


def _offer(loss: Loss, now: ResubmitRequests, guid: str, lost: Sequence[str]) -> str:
    mine = now.of(guid) if guid else []
    latest = mine[-1] if mine else None
    if latest is not None and latest.state == DONE:
        return (
            f"{loss.database}: Safety Net has delivered again what it had (request {latest.identity} on {loss.target})"
        )
    kept, end = at(loss.inspected) or at(loss.notified), at(latest.end if latest is not None else "") or at(now.utc)
    asked = (
        f"request {latest.identity} of Active Manager is {latest.state}"
        if latest is not None
        else "no request is there"
    )
    if kept is None or end is None:
        return f"{loss.database}: {asked} on {loss.target}; when its last log was written nobody knows"
    dead = ",".join(lost)
    command = (
        f"starover plan mail-resubmit --db {loss.database} --lost-server {dead}"
        f" --since {utc_text(kept - BEFORE)} --until {utc_text(end)}"
    )
    return (
        f"{loss.database}: {asked} on {loss.target}; where its primary was on {dead}, that is tried for 12 hours before"
        f" the shadow answers. Asking the shadow now may deliver mail twice, also outside: {command}"
    )

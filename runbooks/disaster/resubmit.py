"""Bring mail of lost logs back from the shadow of Safety Net."""

from collections.abc import Sequence

from starover import (
    BadParameter,
    Dag,
    DbName,
    Estate,
    NotSafe,
    Server,
    Settle,
    Steps,
    attempt,
    runbook,
    together,
    wait,
)
from starover.steps.assessing import named_lost
from starover.steps.copies import DatabaseCopies, copies_on
from starover.steps.disaster import Machine, database_orders, machine
from starover.steps.recovery_cluster import NAMES
from starover.steps.resubmitting import DONE, ResubmitRequests, Utc, resubmit_asked, resubmit_requests, span


@runbook
def mail_resubmit(dag: Dag, estate: Estate, db: DbName, lost_server: Sequence[Server], since: Utc, until: Utc) -> Steps:
    """Ask the shadow of Safety Net for mail that was lost with a database's logs, because its primary is dead.

    Active Manager has asked by itself, but tries a dead primary for twelve hours first. What was delivered then already
    may arrive twice, also outside the organization. force-quorum prints this line with its times.

    dag: the DAG; need not be named where the inventory has one
    db: the database that lost logs, mounted again
    lost_server: members that are dead, and held its primary Safety Net; repeat it for several
    since: an hour before the last log that was kept, in UTC
    until: when it was mounted again, in UTC
    """
    start, end = span(since, until)
    lost = named_lost(dag, estate, (), lost_server)
    members = estate.members(dag)
    gone = [one for one in members if one.name in lost]
    if not gone:
        raise BadParameter("mail-resubmit needs --lost-server", certain=("nothing was contacted",))
    living = yield from together(attempt(machine.read(one, names=NAMES)) for one in gone)
    up = [one.name for one, answer in zip(gone, living, strict=True) if isinstance(answer, Machine)]
    if up:
        raise NotSafe(
            f"{', '.join(up)} answers: its own Safety Net is asked, and its shadow need not be",
            certain=("nothing was changed",),
            next=(f"starover plan mailflow-triage   says whether transport runs on {up[0]}",),
        )
    at = yield from _mounted(db, [one for one in members if one not in gone])
    orders = yield from database_orders.read(at)
    guid = next((one.guid for one in orders.databases if one.name.casefold() == db.casefold()), "")
    yield resubmit_asked.on(
        at, server=at.name, database=db, guid=guid, start=since, end=until, unresponsive=tuple(one.fqdn for one in gone)
    )

    def ended(now: ResubmitRequests) -> bool:
        return any(one.state == DONE and one.covers(guid, start, end) for one in now.requests)

    yield from wait(
        resubmit_requests,
        at,
        until=ended,
        settle=Settle(every=60, limit=21600),
        what=f"mail of {db} delivered again from Safety Net",
        lenient=True,
        server=at.name,
    )


def _mounted(db: str, members: Sequence[Server]) -> Steps[Server]:
    """The member where a database is mounted. Raises `NotSafe`."""
    answers = yield from together(attempt(copies_on.read(one, name=one.name)) for one in members)
    for server, answer in zip(members, answers, strict=True):
        if isinstance(answer, DatabaseCopies):
            for copy in answer.copies:
                if copy.mounted and copy.database.casefold() == db.casefold():
                    return server
    raise NotSafe(
        f"{db} is mounted on no member that answers: mail would have nowhere to go",
        certain=("nothing was changed",),
        next=(f"starover plan mount-databases --db {db}",),
    )

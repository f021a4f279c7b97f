"""Move-ActiveMailboxDatabase: what is moved, where to and under which checks; Active Manager decides, not this."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from starover_lab.cmdlets.identities import find_databases, known_server
from starover_lab.cmdlets.machine import Machine, exchange_error, machine, mutate, reading, switch
from starover_lab.cmdlets.objects import make, moment, text_of
from starover_lab.powershell.command import Body, Invocation
from starover_lab.powershell.values import Long, PSObject, Value
from starover_lab.world.database_parts import Database
from starover_lab.world.errors import WorldError
from starover_lab.world.move_checks import EVERY_SKIP, Skip

__all__ = ["BODIES"]

_SKIPS: dict[str, Skip] = {
    "SkipActiveCopyChecks": "ActiveCopy",
    "SkipClientExperienceChecks": "ClientExperience",
    "SkipHealthChecks": "Health",
    "SkipLagChecks": "Lag",
    "SkipMaximumActiveDatabasesChecks": "MaximumActiveDatabases",
    "SkipMoveSuppressionChecks": "MoveSuppression",
}
"""-SkipCpuChecks skips what the lab does not have."""
_LOST = (
    "Database '{0}' was mounted on server '{1}' with a loss of {2} log files. Messages are requested again from Safety "
    "Net."
)
"""Unverified wording."""


@dataclass(frozen=True)
class _Wish:
    """One call's argument: what to move, where to, how."""

    bound: Mapping[str, Value]
    databases: tuple[Database, ...]
    target: str | None
    dial: str
    skip: frozenset[Skip]


def _wishes(call: Invocation) -> Iterator[_Wish]:
    """What is to be moved, and where to: a database, all of a server's, or those that prefer a server."""
    for bound in call.records():
        here = machine(call)
        named = text_of(bound.get("Server")) or text_of(bound.get("ActivatePreferredOnServer"))
        identity = text_of(bound.get("Identity"))
        try:
            here.world.dc_of(here.host, here.dc(bound.get("DomainController")))
            wanted = text_of(bound.get("ActivateOnServer"))
            target = known_server(here, wanted) if wanted else None
            if not named:
                found = find_databases(here, identity)
                if len(found) != 1:
                    raise WorldError("invalid", f"'{identity}' matches multiple entries")
            else:
                server = known_server(here, named)
                found = here.world.databases_on(server)
                if bound.get("Server") is not None:
                    found = [one for one in found if one.active.casefold() == server.casefold() and one.dag]
                else:
                    target = server
                    found = [one for one in found if _prefers(one, server)]
        except WorldError as error:
            reading(call)
            call.error(exchange_error(call, error, named or identity, here.dc(bound.get("DomainController"))))
            continue
        skip: frozenset[Skip] = frozenset(check for name, check in _SKIPS.items() if switch(bound.get(name)))
        if switch(bound.get("SkipAllChecks")):
            skip = EVERY_SKIP
        dial = text_of(bound.get("MountDialOverride")) or "Lossless"
        yield _Wish(dict(bound), tuple(found), target, dial, skip)


def _prefers(database: Database, server: str) -> bool:
    return database.active.casefold() != server.casefold() and database.copies[server].preference == 1


def move(call: Invocation) -> Iterator[Value]:
    """Move-ActiveMailboxDatabase: returns when each database is mounted on its new server."""
    for wish in _wishes(call):
        if switch(wish.bound.get("MoveAllDatabasesOrNone")) and not _all_can(call, wish):
            continue
        for database in wish.databases:
            moved = _move(call, wish, database)
            if moved is not None:
                yield moved


def _all_can(call: Invocation, wish: _Wish) -> bool:
    """Whether each database has somewhere to go; what forbids one is reported."""
    here = machine(call)
    for database in wish.databases:
        try:
            here.world.move_active(
                database.name, here.host, target=wish.target, dial=wish.dial, skip=wish.skip, dry=True
            )
        except WorldError as error:
            reading(call)
            call.error(exchange_error(call, error, database.name))
            return False
    return True


def _move(call: Invocation, wish: _Wish, database: Database) -> PSObject | None:
    here = machine(call)
    before, mounted = database.active, database.state == "Mounted"
    begin = partial(
        here.world.move_active,
        database.name,
        here.host,
        target=wish.target,
        dial=wish.dial,
        skip=wish.skip,
        comment=text_of(wish.bound.get("MoveComment")),
    )
    if not mutate(call, database.name, wish.bound, partial(_to_the_end, call, here, database, begin)):
        return None
    lost = database.lost if database.active != before else 0
    if lost:
        call.warning(_LOST.format(database.name, database.active, lost))
    status = "Warning" if lost else "SkippedAlreadyActive" if database.active == before else "Succeeded"
    return _result(database, before, status, mounted=mounted, lost=lost)


def _to_the_end(call: Invocation, here: Machine, database: Database, begin: partial[datetime]) -> None:
    """Begin the move and wait until it is over. Raises `move_failed` when it was given up on the way."""
    before = len(here.world.events)
    ends = begin()
    target = database.moving_to
    call.wait(max((ends - here.world.now).total_seconds(), 0.0))
    while database.moving_to or (database.state == "Mounting" and database.state_until is not None):
        call.wait(1.0)
    failed = [one for one in here.world.events[before:] if one.kind == "move_failed" and one.subject == database.name]
    if failed and target:
        reason = str(failed[0].data.get("reason"))
        fqdn = here.world.server(target).fqdn
        raise WorldError("move_failed", reason, database=database.name, server=target, fqdn=fqdn, reason=reason)


def _result(database: Database, before: str, status: str, *, mounted: bool, lost: int) -> PSObject:
    """The result object; nobody has published one whole, so its properties are unverified."""
    since = next((piece.since for piece in reversed(database.stream.pieces)), None)
    return make(
        "Move-ActiveMailboxDatabase",
        {
            "Identity": database.name,
            "ActiveServerAtStart": before.lower(),
            "ActiveServerAtEnd": database.active.lower(),
            "Status": status,
            "NumberOfLogsLost": Long(lost),
            "RecoveryPointObjective": moment(since) if status != "SkippedAlreadyActive" else None,
            "MountStatusAtMoveStart": "Mounted" if mounted else "Dismounted",
            "MountStatusAtMoveEnd": "Mounted" if database.state == "Mounted" else "Dismounted",
        },
        text=database.name,
    )


BODIES: dict[str, Body] = {"Move-ActiveMailboxDatabase": move}

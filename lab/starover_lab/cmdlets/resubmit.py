"""Add-ResubmitRequest and Get-ResubmitRequest, Test-MAPIConnectivity: mail after a move; knows no log."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

from starover_lab.cmdlets.identities import find_databases, known_server
from starover_lab.cmdlets.machine import Machine, exchange_error, given_list, machine, mutate, reading, switch
from starover_lab.cmdlets.objects import make, moment, product, span, text_of
from starover_lab.powershell.command import Body, Invocation
from starover_lab.powershell.dates import parts
from starover_lab.powershell.values import DateTime, Unsupported, Value
from starover_lab.world.database_parts import Database
from starover_lab.world.errors import WorldError
from starover_lab.world.safety_net import ResubmitRequest

__all__ = ["BODIES"]

_NOT_HERE = ("CorrelationId", "MessageId", "Recipient", "ResubmitTo", "Sender", "TestOnly")


def _utc(value: Value) -> datetime:
    """A bound time; the lab's hosts keep UTC."""
    if not isinstance(value, DateTime):
        raise TypeError("a time is bound as a DateTime")
    return parts(value)[0].replace(tzinfo=UTC)


def _request(here: Machine, one: ResubmitRequest) -> Value:
    domain = here.world.state.dns_name
    database = here.world.database(one.database)
    return make(
        "Get-ResubmitRequest",
        {
            "Identity": str(one.id),
            "ServerName": f"{one.server}.{domain}",
            "Destination": str(database.guid),
            "StartTime": moment(one.start),
            "EndTime": moment(one.end),
            "CreationTime": moment(one.created),
            "State": one.state,
        },
        text=str(one.id),
    )


def add(call: Invocation) -> Iterator[Value]:
    """Add-ResubmitRequest for a database (-Destination its GUID); other searches are not simulated."""
    for bound in call.records():
        other = next((name for name in _NOT_HERE if bound.get(name) is not None), "")
        if other or bound.get("Destination") is None:
            raise Unsupported(f"Add-ResubmitRequest {'-' + other if other else 'without -Destination'}")
        here = machine(call)
        guid = text_of(bound.get("Destination"))
        named = text_of(bound.get("Server"))
        made: list[ResubmitRequest] = []
        try:
            server = here.world.reach(here.host, known_server(here, named or here.host))
        except WorldError as error:
            reading(call)
            call.error(exchange_error(call, error, named))
            continue
        unresponsive = given_list(bound.get("UnresponsivePrimaryServers"))
        start, end = _utc(bound.get("StartTime")), _utc(bound.get("EndTime"))
        ask = partial(here.world.safety_net.ask, guid, server, start, end, unresponsive=unresponsive)

        def keep(ask: partial[ResubmitRequest] = ask, made: list[ResubmitRequest] = made) -> None:
            made.append(ask())

        if mutate(call, guid, bound, keep):
            yield _request(here, made[0])


def get(call: Invocation) -> Iterator[Value]:
    """Get-ResubmitRequest: the requests of one server, here without a name."""
    for bound in call.records():
        here = reading(call)
        identity = text_of(bound.get("Identity"))
        owner, _, number = identity.rpartition("\\")
        named = text_of(bound.get("Server")) or owner
        try:
            server = here.world.reach(here.host, known_server(here, named or here.host))
            found = [one for one in here.world.safety_net.of(server.name) if number in ("", str(one.id))]
            if number and not found:
                raise WorldError("not_found", f"there is no request {identity}", object="request", name=identity)
        except WorldError as error:
            call.error(exchange_error(call, error, named or identity))
            continue
        for one in found:
            yield _request(here, one)


def _asked(here: Machine, bound: dict[str, Value]) -> list[Database]:
    if bound.get("Database") is not None:
        return find_databases(here, text_of(bound.get("Database")))
    named = text_of(bound.get("Server"))
    server = known_server(here, named) if named else here.host
    return [one for one in here.world.databases_on(server) if one.active.casefold() == server.casefold()]


def test_mapi(call: Invocation) -> Iterator[Value]:
    """Test-MAPIConnectivity: logs on to the system mailbox of a database, or of all that are active on a server."""
    for bound in call.records():
        if bound.get("Identity") is not None or bound.get("CopyOnServer") is not None:
            raise Unsupported("Test-MAPIConnectivity of a mailbox or of a passive copy: the lab has no mailboxes")
        here = reading(call)
        if switch(bound.get("IncludePassive")):
            raise Unsupported("Test-MAPIConnectivity -IncludePassive")
        try:
            databases = _asked(here, dict(bound))
        except WorldError as error:
            call.error(exchange_error(call, error, text_of(bound.get("Database")) or text_of(bound.get("Server"))))
            continue
        for database in databases:
            yield _outcome(here, database)


def _outcome(here: Machine, database: Database) -> Value:
    """`Success`, or `*FAILURE*` with the store's error (unverified wording)."""
    mounted = here.world.database_view(database.name, here.host).mounted
    text = "Success" if mounted else "*FAILURE*"
    error = "" if mounted else f"Database is dismounted. Database: {database.name}, server: {database.active}."
    result = product(["Microsoft.Exchange.Monitoring.MapiTransactionResult", "System.Object"], [], text=text)
    return make(
        "Test-MAPIConnectivity",
        {
            "Server": database.active,
            "Database": database.name,
            "Mailbox": "SystemMailbox{" + str(database.guid) + "}",
            "Result": result,
            "Latency": span(timedelta(milliseconds=12)) if mounted else None,
            "Error": error,
        },
        text=database.name,
    )


BODIES: dict[str, Body] = {
    "Add-ResubmitRequest": add,
    "Get-ResubmitRequest": get,
    "Test-MAPIConnectivity": test_mapi,
}

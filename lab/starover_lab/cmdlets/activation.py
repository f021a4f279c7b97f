"""The cmdlets that mount, dismount and move databases and set component states; Active Manager decides, not they."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Literal

from starover_lab.cmdlets.identities import find_databases, known_server
from starover_lab.cmdlets.machine import Machine, exchange_error, machine, mutate, mutate_until, reading, switch
from starover_lab.cmdlets.objects import product, text_of
from starover_lab.powershell.command import Body, Invocation
from starover_lab.powershell.values import Long, PSObject, Value
from starover_lab.world.entities import Database
from starover_lab.world.errors import WorldError

__all__ = ["BODIES"]


def _databases(call: Invocation) -> Iterator[tuple[Machine, dict[str, Value], Database]]:
    """Each call's machine, arguments and the one database that its Identity names."""
    for bound in call.records():
        here = machine(call)
        identity = text_of(bound.get("Identity"))
        try:
            found = find_databases(here, identity)
            if len(found) != 1:
                raise WorldError(
                    "invalid", f"the operation couldn't be performed because '{identity}' is not one database"
                )
        except WorldError as error:
            reading(call)
            call.error(exchange_error(call, error, identity, here.dc(bound.get("DomainController"))))
            continue
        yield here, dict(bound), found[0]


def mount(call: Invocation) -> Iterator[Value]:
    """Mount-Database: returns when the database is mounted."""
    for here, bound, database in _databases(call):
        mutate_until(call, database.name, bound, partial(here.world.mount, database.name, here.host))
    yield from ()


def dismount(call: Invocation) -> Iterator[Value]:
    """Dismount-Database: returns when the database is dismounted."""
    for here, bound, database in _databases(call):
        mutate_until(call, database.name, bound, partial(here.world.dismount, database.name, here.host))
    yield from ()


def _moves(call: Invocation) -> Iterator[tuple[dict[str, Value], Database, str | None]]:
    """What is to be moved, and where to: a database, all of a server's, or those that prefer a server."""
    for bound in call.records():
        here = machine(call)
        given = dict(bound)
        named = text_of(bound.get("Server")) or text_of(bound.get("ActivatePreferredOnServer"))
        target = text_of(bound.get("ActivateOnServer")) or None
        try:
            if not named:
                found = find_databases(here, text_of(bound.get("Identity")))
            else:
                server = known_server(here, named)
                found = here.world.databases_on(server)
                if bound.get("Server") is not None:
                    found = [one for one in found if one.active.casefold() == server.casefold()]
                else:
                    target = server
                    found = [
                        one
                        for one in found
                        if one.active.casefold() != server.casefold() and one.copies[server].preference == 1
                    ]
            if target is not None:
                target = known_server(here, target)
        except WorldError as error:
            reading(call)
            call.error(exchange_error(call, error, named or text_of(bound.get("Identity"))))
            continue
        for database in found:
            yield given, database, target


def move(call: Invocation) -> Iterator[Value]:
    """Move-ActiveMailboxDatabase: returns when the database is mounted on its new server."""
    for bound, database, target in _moves(call):
        here = machine(call)
        before = database.active
        mounted = database.state == "Mounted"
        dial = text_of(bound.get("MountDialOverride"))
        chosen = "Lossless" if dial in {"", "None"} else dial
        act = partial(here.world.move_active, database.name, here.host, target=target, dial=chosen)
        if mutate_until(call, database.name, bound, act):
            yield _moved(database, before, mounted=mounted)


def _moved(database: Database, before: str, *, mounted: bool) -> PSObject:
    """The result object; nobody has published one whole, so its properties are unverified."""
    return product(
        ["Microsoft.Exchange.Management.SystemConfigurationTasks.DatabaseMoveResult", "System.Object"],
        [
            ("Identity", database.name),
            ("ActiveServerAtStart", before),
            ("ActiveServerAtEnd", database.active),
            ("Status", "Succeeded"),
            ("MountStatusAtMoveStart", "Mounted" if mounted else "Dismounted"),
            ("MountStatusAtMoveEnd", database.state),
            ("NumberOfLogsLost", Long(0)),
            ("RecoveryPointObjective", None),
            ("ErrorMessage", ""),
        ],
        text=database.name,
    )


def _state(text: str) -> Literal["Active", "Inactive", "Draining"]:
    match text:
        case "Inactive" | "Draining":
            return text
        case _:
            return "Active"


def set_component(call: Invocation) -> Iterator[Value]:
    """Set-ServerComponentState: one requester's wish for one component."""
    for bound in call.records():
        here = machine(call)
        identity = text_of(bound.get("Identity"))
        try:
            server = known_server(here, identity)
        except WorldError as error:
            reading(call)
            call.error(exchange_error(call, error, identity))
            continue
        act = partial(
            here.world.set_component,
            server,
            here.host,
            text_of(bound.get("Component")),
            _state(text_of(bound.get("State"))),
            text_of(bound.get("Requester")),
            local_only=switch(bound.get("LocalOnly")),
            remote_only=switch(bound.get("RemoteOnly")),
        )
        mutate(call, server, bound, act)
    yield from ()


BODIES: dict[str, Body] = {
    "Mount-Database": mount,
    "Dismount-Database": dismount,
    "Move-ActiveMailboxDatabase": move,
    "Set-ServerComponentState": set_component,
}

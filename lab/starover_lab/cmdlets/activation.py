"""The cmdlets that mount and dismount databases and set component states; Active Manager decides, not they."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Literal

from starover_lab.cmdlets.identities import find_databases, known_server
from starover_lab.cmdlets.machine import Machine, exchange_error, machine, mutate, mutate_until, reading, switch
from starover_lab.cmdlets.objects import text_of
from starover_lab.powershell.command import Body, Invocation
from starover_lab.powershell.values import Value
from starover_lab.world.database_parts import Database
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
        accepted = [f"-{name}" for name in ("AcceptDataLoss", "Force") if switch(bound.get(name))]
        decision = f"administrator: Mount-Database {' '.join(accepted)}" if accepted else ""
        act = partial(here.world.mount, database.name, here.host, decision=decision)
        mutate_until(call, database.name, bound, act)
    yield from ()


def dismount(call: Invocation) -> Iterator[Value]:
    """Dismount-Database: returns when the database is dismounted."""
    for here, bound, database in _databases(call):
        mutate_until(call, database.name, bound, partial(here.world.dismount, database.name, here.host))
    yield from ()


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
    "Set-ServerComponentState": set_component,
}

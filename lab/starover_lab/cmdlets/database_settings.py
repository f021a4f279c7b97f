"""Set-MailboxDatabase -CircularLoggingEnabled; knows no copy.

Of a database with several copies the change is in force at once (continuous replication circular logging).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from starover_lab.cmdlets.dag_tasks import NOTHING_CHANGED
from starover_lab.cmdlets.machine import Machine, exchange_error, machine, mutate, reading
from starover_lab.cmdlets.objects import text_of
from starover_lab.powershell.command import Body, Invocation
from starover_lab.powershell.values import Unsupported, Value
from starover_lab.world.database_parts import Database
from starover_lab.world.directory import DomainController
from starover_lab.world.errors import WorldError

__all__ = ["BODIES"]


def _set_logging(here: Machine, database: Database, dc: DomainController, on: bool) -> None:
    database.circular_logging = on
    here.world.copies.publish(database, dc)


def set_database(call: Invocation) -> Iterator[Value]:
    """Set-MailboxDatabase."""
    for bound in call.records():
        other = sorted(name for name in bound if name not in {"Identity", "DomainController", "CircularLoggingEnabled"})
        if other:
            raise Unsupported(f"{call.spec.name} -{other[0]}: the lab does not simulate it")
        here = machine(call)
        identity, dc = text_of(bound.get("Identity")), here.dc(bound.get("DomainController"))
        wanted = bound.get("CircularLoggingEnabled")
        try:
            target = here.world.dc_of(here.host, dc)
            database = here.world.database(identity)
        except WorldError as error:
            reading(call)
            call.error(exchange_error(call, error, identity, dc))
            continue
        before = database.circular_logging
        act = partial(_set_logging, here, database, target, before if wanted is None else bool(wanted))
        if mutate(call, database.name, bound, act, dc=dc) and database.circular_logging == before:
            call.warning(NOTHING_CHANGED.format(database.name))
    yield from ()


BODIES: dict[str, Body] = {"Set-MailboxDatabase": set_database}

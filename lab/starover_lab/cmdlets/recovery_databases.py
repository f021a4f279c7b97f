"""New-MailboxDatabase -Recovery; the lab makes no other database while it runs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from starover_lab.cmdlets.identities import known_server
from starover_lab.cmdlets.machine import exchange_error, machine, mutate, reading, switch
from starover_lab.cmdlets.objects import text_of
from starover_lab.powershell.command import Body, Invocation
from starover_lab.powershell.values import Unsupported, Value
from starover_lab.world.errors import WorldError

__all__ = ["BODIES"]


def new_database(call: Invocation) -> Iterator[Value]:
    """New-MailboxDatabase."""
    for bound in call.records():
        here = machine(call)
        if not switch(bound.get("Recovery")) or not text_of(bound.get("EdbFilePath")):
            raise Unsupported("New-MailboxDatabase without -Recovery and -EdbFilePath: the lab does not simulate it")
        name, edb = text_of(bound.get("Name")), text_of(bound.get("EdbFilePath"))
        logs = text_of(bound.get("LogFolderPath")) or edb.rpartition("\\")[0]
        try:
            server = known_server(here, text_of(bound.get("Server")))
        except WorldError as error:
            reading(call)
            call.error(exchange_error(call, error, text_of(bound.get("Server"))))
            continue
        dc = here.dc(bound.get("DomainController"))
        mutate(
            call, name, bound, partial(here.world.recovery_databases.create, name, server, edb, logs, here.host, dc=dc)
        )
    yield from ()


BODIES: dict[str, Body] = {"New-MailboxDatabase": new_database}

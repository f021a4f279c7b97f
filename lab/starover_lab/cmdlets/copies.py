"""The cmdlets of mailbox database copies: status, suspend, resume, seed, properties; knows no session and no wire."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial

from starover_lab.cmdlets.copy_status import copy_status
from starover_lab.cmdlets.dag_tasks import run_task, warn
from starover_lab.cmdlets.identities import find_copies, find_databases, known_server
from starover_lab.cmdlets.machine import (
    Machine,
    exchange_error,
    given_list,
    machine,
    mutate,
    mutate_until,
    reading,
    switch,
)
from starover_lab.cmdlets.objects import text_of
from starover_lab.powershell.command import Body, Invocation
from starover_lab.powershell.errors import Stopped
from starover_lab.powershell.values import TimeSpan, Unsupported, Value
from starover_lab.world.errors import WorldError
from starover_lab.world.operations import Operation

__all__ = ["BODIES"]

_LOOK_S = 30.0
"""How often a cmdlet that waits for a seed looks whether it has ended."""


def _blocked_by_dead(call: Invocation, copies: list[tuple[str, str]]) -> None:
    """A server that does not answer is waited for once, all of them side by side."""
    here = machine(call)
    longest = 0.0
    for server in {server for _, server in copies}:
        try:
            here.world.reach(here.host, server)
        except WorldError as error:
            longest = max(longest, error.blocked_s)
    if longest > 0:
        call.wait(longest)


def get_copy_status(call: Invocation) -> Iterator[Value]:
    """Get-MailboxDatabaseCopyStatus: copies of a database, one copy, those of a server, or all."""
    for bound in call.records():
        here = reading(call)
        dc = here.dc(bound.get("DomainController"))
        try:
            here.world.dc_of(here.host, dc)
            copies = _asked_for(here, bound.get("Identity"), bound.get("Server"), local=switch(bound.get("Local")))
        except WorldError as error:
            call.error(exchange_error(call, error, text_of(bound.get("Identity") or bound.get("Server")), dc))
            continue
        _blocked_by_dead(call, copies)
        for database, server in copies:
            view = here.world.copy_view(database, server, here.host)
            if switch(bound.get("Active")) and not view.is_active:
                continue
            yield copy_status(here, view, connections=switch(bound.get("ConnectionStatus")))


def _asked_for(here: Machine, identity: Value, server: Value, *, local: bool) -> list[tuple[str, str]]:
    if server is not None:
        name = known_server(here, text_of(server))
        return [(database.name, name) for database in here.world.databases_on(name)]
    copies = find_copies(here, text_of(identity) or "*")
    return [copy for copy in copies if copy[1].casefold() == here.host.casefold()] if local else copies


def _each(call: Invocation) -> Iterator[tuple[Machine, dict[str, Value], str, str, str]]:
    """Each call's machine, arguments and the one copy that its Identity names: database, server, `DB\\SERVER`."""
    for bound in call.records():
        here = machine(call)
        identity = text_of(bound.get("Identity"))
        try:
            here.world.dc_of(here.host, here.dc(bound.get("DomainController")))
            copies = find_copies(here, identity)
            if len(copies) != 1:
                raise WorldError(
                    "invalid", f"the operation couldn't be performed because '{identity}' matches multiple entries"
                )
        except WorldError as error:
            reading(call)
            call.error(exchange_error(call, error, identity, here.dc(bound.get("DomainController"))))
            continue
        database, server = copies[0]
        yield here, dict(bound), database, server, f"{database}\\{server}"


def suspend(call: Invocation) -> Iterator[Value]:
    """Suspend-MailboxDatabaseCopy."""
    for here, bound, database, server, name in _each(call):
        if switch(bound.get("EnableReplayLag")):
            mutate(call, name, bound, partial(here.world.switch_lag, database, server, here.host, on=True))
            continue
        act = partial(
            here.world.suspend_copy,
            database,
            server,
            here.host,
            comment=text_of(bound.get("SuspendComment")),
            activation_only=switch(bound.get("ActivationOnly")),
        )
        mutate(call, name, bound, act)
    yield from ()


def resume(call: Invocation) -> Iterator[Value]:
    """Resume-MailboxDatabaseCopy."""
    for here, bound, database, server, name in _each(call):
        if switch(bound.get("DisableReplayLag")):
            act = partial(here.world.switch_lag, database, server, here.host, on=False)
        else:
            only = switch(bound.get("ReplicationOnly"))
            act = partial(here.world.resume_copy, database, server, here.host, replication_only=only)
        mutate(call, name, bound, act)
    yield from ()


def update(call: Invocation) -> Iterator[Value]:
    """Update-MailboxDatabaseCopy: seed a copy; without -BeginSeed the call lasts as long as the seed does."""
    if call.set_name == "ExplicitServer":
        yield from _update_server(call)
        return
    for here, bound, database, server, name in _each(call):
        _seed(call, here, bound, database, server, name)


def _update_server(call: Invocation) -> Iterator[Value]:
    """-Server: seed every suspended copy of a server."""
    for bound in call.records():
        here = machine(call)
        target = text_of(bound.get("Server"))
        try:
            server = known_server(here, target)
        except WorldError as error:
            call.error(exchange_error(call, error, target))
            continue
        for database in here.world.databases_on(server):
            copy = database.copies.get(server)
            if copy is not None and copy.replication_suspended and database.active.casefold() != server.casefold():
                _seed(call, here, dict(bound), database.name, server, f"{database.name}\\{server}")
    yield from ()


def _seed(call: Invocation, here: Machine, bound: dict[str, Value], database: str, server: str, name: str) -> None:
    if switch(bound.get("CancelSeed")):
        mutate(call, name, bound, partial(here.world.cancel_seed, database, server, here.host))
        return
    sources = given_list(bound.get("SourceServer"))
    catalog = switch(bound.get("CatalogOnly"))
    begin = partial(
        here.world.update_copy,
        database,
        server,
        here.host,
        source=sources[0] if sources else None,
        network=text_of(bound.get("Network")) or None,
        delete_existing=switch(bound.get("DeleteExistingFiles")),
        safe_delete=switch(bound.get("SafeDeleteExistingFiles")),
        database_only=switch(bound.get("DatabaseOnly")),
        catalog_only=catalog,
        manual_resume=switch(bound.get("ManualResume")),
    )
    if switch(bound.get("BeginSeed")):
        mutate(call, name, bound, begin)
    elif catalog:
        mutate_until(call, name, bound, begin)
    else:
        mutate(call, name, bound, partial(_seed_to_the_end, call, here, database, server, begin))


def _seed_to_the_end(
    call: Invocation, here: Machine, database: str, server: str, begin: Callable[[], datetime | Operation]
) -> None:
    """Wait for a seed. It ends with the session that waits for it; what broke it is raised."""
    begun = begin()
    ends, notices = (begun.ends, begun.notices) if isinstance(begun, Operation) else (begun, [])
    copy = here.world.copy(database, server)
    seed = copy.seed
    try:
        while seed is not None and copy.seed is seed:
            left = (ends - here.world.now).total_seconds()
            call.wait(min(left, _LOOK_S) if left > 0 else _LOOK_S)
    except Stopped:
        if seed is not None and copy.seed is seed:
            here.world.cancel_seed(database, server, here.host)
        raise
    for notice in notices:
        warn(call, notice)
    broken = copy.error.message if copy.error is not None and copy.error.cause == "seed" else ""
    if not broken and seed is not None and not copy.files_present:
        broken = "The seeding operation was cancelled."
    if broken:
        raise WorldError("reseed_needed", broken, seeding=database, fqdn=here.world.server(server).fqdn)


def add(call: Invocation) -> Iterator[Value]:
    """Add-MailboxDatabaseCopy: lasts as long as the seed, unless it is postponed."""
    for bound in call.records():
        here = machine(call)
        dc = here.dc(bound.get("DomainController"))
        identity = text_of(bound.get("Identity"))
        try:
            found = find_databases(here, identity)
            server = known_server(here, text_of(bound.get("MailboxServer")))
            if len(found) != 1:
                raise WorldError("invalid", f"'{identity}' is not one database")
        except WorldError as error:
            reading(call)
            missing = text_of(bound.get("MailboxServer")) if error.data.get("object") == "server" else identity
            call.error(exchange_error(call, error, missing, dc))
            continue
        database = found[0].name
        postponed, configuration = switch(bound.get("SeedingPostponed")), switch(bound.get("ConfigurationOnly"))
        preference, delay = bound.get("ActivationPreference"), _seconds(bound.get("ReplayLagMaxDelay"))
        begin = partial(
            here.world.copies.add,
            database,
            server,
            here.host,
            preference=int(preference) if isinstance(preference, int) else None,
            replay_lag_s=_seconds(bound.get("ReplayLagTime")) or 0.0,
            truncation_lag_s=_seconds(bound.get("TruncationLagTime")) or 0.0,
            replay_lag_max_delay_s=86_400.0 if delay is None else delay,
            mode="configuration" if configuration else "postpone" if postponed else "seed",
            dc=dc,
        )
        if postponed or configuration:
            run_task(call, database, bound, begin, dc=dc, logged=False)
        else:
            seed = partial(_seed_to_the_end, call, here, database, server, begin)
            mutate(call, database, bound, seed, dc=dc)
    yield from ()


def remove(call: Invocation) -> Iterator[Value]:
    """Remove-MailboxDatabaseCopy: its files stay where they are."""
    for here, bound, database, server, name in _each(call):
        dc = here.dc(bound.get("DomainController"))
        begin = partial(here.world.copies.remove, database, server, here.host, dc=dc)
        run_task(call, name, bound, begin, dc=dc, logged=False)
    yield from ()


def set_copy(call: Invocation) -> Iterator[Value]:
    """Set-MailboxDatabaseCopy."""
    for here, bound, database, server, name in _each(call):
        if bound.get("DatabaseCopyAutoActivationPolicy") is not None:
            raise Unsupported("Set-MailboxDatabaseCopy -DatabaseCopyAutoActivationPolicy: the lab does not simulate it")
        mutate(call, name, bound, partial(_set, here, bound, database, server))
    yield from ()


def _seconds(value: Value) -> float | None:
    if value is None:
        return None
    if not isinstance(value, TimeSpan):
        raise TypeError("a lag is bound as a TimeSpan")
    return timedelta(microseconds=value.ticks / 10).total_seconds()


def _set(here: Machine, bound: dict[str, Value], database: str, server: str) -> None:
    replay, truncation = _seconds(bound.get("ReplayLagTime")), _seconds(bound.get("TruncationLagTime"))
    delay = _seconds(bound.get("ReplayLagMaxDelay"))
    if replay is not None or truncation is not None or delay is not None:
        here.world.set_lag(
            database, server, here.host, replay_s=replay, truncation_s=truncation, replay_lag_max_delay_s=delay
        )
    preference = bound.get("ActivationPreference")
    if isinstance(preference, int):
        here.world.set_preference(database, server, here.host, int(preference))


BODIES: dict[str, Body] = {
    "Get-MailboxDatabaseCopyStatus": get_copy_status,
    "Suspend-MailboxDatabaseCopy": suspend,
    "Resume-MailboxDatabaseCopy": resume,
    "Update-MailboxDatabaseCopy": update,
    "Set-MailboxDatabaseCopy": set_copy,
    "Add-MailboxDatabaseCopy": add,
    "Remove-MailboxDatabaseCopy": remove,
}

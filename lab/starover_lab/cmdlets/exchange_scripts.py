r"""Exchange's own DAG scripts of `...\V15\Scripts`, as commands of an Exchange server; knows no runbook.

They load the snap-in themselves, so they run in a plain session as the computer account. What they do is documented;
their wording is not verified, and what they print goes to the host, not to the pipeline.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial

from starover_lab.cmdlets.exsetup import FOLDER
from starover_lab.cmdlets.identities import known_server
from starover_lab.cmdlets.machine import Machine, machine, switch
from starover_lab.cmdlets.objects import text_of
from starover_lab.cmdlets.prompts import may
from starover_lab.powershell.command import CommandSpec, Invocation, Parameter
from starover_lab.powershell.values import PSObject, Value
from starover_lab.world.database_parts import Database
from starover_lab.world.entities import Server
from starover_lab.world.errors import WorldError

__all__ = ["scripts"]

_SCRIPTS = f"{FOLDER}Scripts"


def _log_error(call: Invocation, text: str) -> None:
    """As the scripts' common library reports (tr-64ac127845)."""
    now = machine(call).world.now
    kind = "Microsoft.PowerShell.Commands.WriteErrorException"
    record = call.record(kind, "NotSpecified", f"[{now:%Y-%m-%dT%H:%M:%S} UTC] {text}", type_name=kind)
    record.command = "Log-Error"
    call.error(record)


def _server(call: Invocation, here: Machine) -> Server | None:
    name = text_of(call.bound.get("ServerName"))
    try:
        return here.world.server(known_server(here, name))
    except WorldError:
        _log_error(call, f"The server {name} was not found.")
        return None


def _actives(here: Machine, server: Server) -> list[Database]:
    return [
        one
        for one in here.world.databases_on(server.name)
        if one.active.casefold() == server.name.casefold() and one.state in ("Mounted", "Mounting")
    ]


def _until(call: Invocation, here: Machine, database: Database, seconds: float = 600) -> bool:
    """Wait until a database is mounted somewhere."""
    waited = 0.0
    while database.state != "Mounted" and waited < seconds:
        call.wait(5)
        waited += 5
    del here
    return database.state == "Mounted"


def start_maintenance(call: Invocation) -> Iterator[Value]:
    """StartDagServerMaintenance.ps1: blocked, paused, emptied; what was set is set back when it fails."""
    here = machine(call)
    world = here.world
    server = _server(call, here)
    if server is None or server.exchange is None or not may(call, server.name):
        return
    call.wait(here.pace(10))
    alone = [one for one in _actives(here, server) if len(one.copies) == 1]
    dag = world.dag_of(server.name)
    members = world.dag(dag, here.host).members if dag else ()
    if alone:
        _log_error(call, f"{alone[0].name} on {server.name} has a single copy and is mounted; it would go down.")
        return
    if len(members) <= 2 and not switch(call.bound.get("OverrideMinimumTwoCopies")):
        _log_error(call, f"The DAG has {len(members)} members; use -OverrideMinimumTwoCopies.")
        return
    before = server.exchange.activation_policy
    blocked = [(one.name, one.copies[server.name].activation_suspended) for one in world.databases_on(server.name)]
    undo: list[Callable[[], object]] = []
    try:
        world.set_activation(server.name, here.host, policy="Blocked")
        undo.append(lambda: world.set_activation(server.name, here.host, policy=before))
        if switch(call.bound.get("PauseClusterNode")) or here.year == "2013":
            world.suspend_node(here.host, server.name)
            undo.append(lambda: world.resume_node(here.host, server.name))
        for name, was in blocked:
            if not was and world.database(name).active.casefold() != server.name.casefold():
                world.suspend_copy(name, server.name, here.host, comment="maintenance", activation_only=True)
                undo.append(partial(world.resume_copy, name, server.name, here.host))
        for database in _actives(here, server):
            world.move_active(database.name, here.host)
            if not _until(call, here, database):
                raise WorldError("move_failed", f"{database.name} did not move", database=database.name)
            world.suspend_copy(database.name, server.name, here.host, comment="maintenance", activation_only=True)
        if world.cluster(here.host).core_owner.casefold() == server.name.casefold():
            world.move_core_group(here.host)
            call.wait(here.pace(world.state.tuning.pam_election_s))
    except WorldError as error:
        _log_error(call, f"*FAILED*: {error.message}! Now attempting to perform rollback to prevent a DB outage")
        for act in reversed(undo):
            with contextlib.suppress(WorldError):
                act()
    yield from ()


def stop_maintenance(call: Invocation) -> Iterator[Value]:
    """StopDagServerMaintenance.ps1: resumed and unrestricted, every copy with it, deliberate blocks too."""
    here = machine(call)
    server = _server(call, here)
    if server is None or not may(call, server.name):
        return
    call.wait(here.pace(10))
    world = here.world
    try:
        world.resume_node(here.host, server.name)
        world.set_activation(server.name, here.host, policy="Unrestricted")
        for database in world.databases_on(server.name):
            if database.active.casefold() != server.name.casefold():
                world.resume_copy(database.name, server.name, here.host)
    except WorldError as error:
        _log_error(call, error.message)
    yield from ()


def redistribute(call: Invocation) -> Iterator[Value]:
    """RedistributeActiveDatabases.ps1, by activation preference, or the report of who has what."""
    here = machine(call)
    world = here.world
    dag = text_of(call.bound.get("DagName")) or world.dag_of(here.host)
    databases = sorted((one for one in world.state.databases if one.dag.casefold() == dag.casefold()), key=_name)
    by_preference = switch(call.bound.get("BalanceDbsByActivationPreference"))
    for database in databases if by_preference else ():
        first = min(database.copies, key=lambda copy: copy.preference)
        if database.active.casefold() == first.server.casefold() or not may(call, database.name, "Move"):
            continue
        try:
            world.move_active(database.name, here.host, target=first.server)
            _until(call, here, database)
        except WorldError as error:
            call.warning(f"{database.name} stays on {database.active}: {error.message}")
    if switch(call.bound.get("ShowDatabaseDistributionByServer")):
        for name in world.dag(dag, here.host).members:
            held = [one for one in databases if name in one.copies]
            active = [one for one in held if one.active.casefold() == name.casefold()]
            preferred = sum(one.copies[name].preference == 1 for one in held)
            yield PSObject(
                [
                    ("ServerName", name),
                    ("TotalDbs", len(held)),
                    ("ActiveDbs", len(active)),
                    ("PassiveDbs", len(held) - len(active)),
                    ("PreferenceCountList", preferred),
                    ("MountedDbs", sum(one.state == "Mounted" for one in active)),
                    ("DismountedDbs", sum(one.state == "Dismounted" for one in active)),
                    ("DagName", dag),
                ]
            )


def _name(database: Database) -> str:
    return database.name.casefold()


def _script(
    name: str, body: Callable[[Invocation], Iterator[Value]], *parameters: Parameter, asks: bool = False
) -> CommandSpec:
    return CommandSpec(
        name=name,
        body=body,
        module=_SCRIPTS,
        class_name=name,
        parameters=parameters,
        should_process=True,
        confirm_impact="High" if asks else "Medium",
    )


def scripts(year: str) -> Iterator[CommandSpec]:
    """The scripts of an Exchange server of that version; 2013's knows no -PauseClusterNode."""
    name = Parameter.of("ServerName", "string", mandatory=True, position=0)
    pause = [] if year == "2013" else [Parameter.of("PauseClusterNode", "switch")]
    more = [Parameter.of("MoveComment", "string"), Parameter.of("OverrideMinimumTwoCopies", "switch")]
    yield _script("StartDagServerMaintenance.ps1", start_maintenance, name, *more, *pause, Parameter.of("Force"))
    yield _script("StopDagServerMaintenance.ps1", stop_maintenance, name)
    switches = ("BalanceDbsByActivationPreference", "ShowDatabaseDistributionByServer", "ShowDatabaseCurrentActives")
    yield _script(
        "RedistributeActiveDatabases.ps1",
        redistribute,
        Parameter.of("DagName", "string"),
        *(Parameter.of(one, "switch") for one in switches),
        asks=True,
    )

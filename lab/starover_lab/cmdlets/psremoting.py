"""New-, Get-, Remove- and Import-PSSession: sessions at `/PowerShell` opened from a plain session; knows no wire.

From a network logon only an explicit credential reaches another session, also one on the own host (simulator.md
section 11). The texts of refused connections follow WinRM's; their ids end in PSSessionOpenFailed.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from starover_lab.cmdlets import refusals
from starover_lab.cmdlets.commands import Imported
from starover_lab.cmdlets.exchange_session import ExchangeSession, SessionRefused
from starover_lab.cmdlets.machine import Machine, given_list, machine, table
from starover_lab.cmdlets.net_enums import net_enum
from starover_lab.cmdlets.objects import guid_of, text_of
from starover_lab.cmdlets.prompts import may
from starover_lab.cmdlets.proxies import proxy
from starover_lab.cmdlets.refusals import NoConnection, refused_record
from starover_lab.cmdlets.remote_values import EnumForm
from starover_lab.cmdlets.windows import fits, is_pattern
from starover_lab.powershell.command import Body, CommandSpec, Invocation
from starover_lab.powershell.values import (
    NetObject,
    PSCredential,
    Unsupported,
    Value,
    Version,
    enumerate_,
)
from starover_lab.world.entities import Account, Server
from starover_lab.world.errors import WorldError
from starover_lab.world.names import same

__all__ = ["BODIES", "RemoteSession", "imported_by"]

_SMA = "System.Management.Automation"


@dataclass(eq=False, repr=False)
class RemoteSession:
    """A PSSession as the session that opened it keeps it."""

    number: int
    name: str
    session: ExchangeSession
    shown: NetObject

    @property
    def state(self) -> str:
        """`Opened`, `Closed` or `Broken`."""
        if self.session.closed:
            return "Closed"
        return "Opened" if self.session.alive() else "Broken"

    def refreshed(self) -> NetObject:
        """The object that scripts hold, with its present state."""
        state = self.state
        self.shown.properties["State"] = net_enum("RunspaceState", state)
        available = "Available" if state == "Opened" else "None"
        self.shown.properties["Availability"] = net_enum("RunspaceAvailability", available)
        return self.shown


def _shown(number: int, name: str, session: ExchangeSession, configuration: str) -> RemoteSession:
    made = RemoteSession(
        number,
        name,
        session,
        NetObject(
            f"{_SMA}.Runspaces.PSSession",
            f"[PSSession]{name}",
            properties={
                "Id": number,
                "Name": name,
                "ComputerName": session.fqdn,
                "ComputerType": net_enum("TargetMachineType", "RemoteMachine"),
                "ConfigurationName": configuration,
                "InstanceId": session.runspace,
            },
        ),
    )
    made.shown.state = made
    made.refreshed()
    return made


def _account(here: Machine, credential: Value) -> Account:
    """Who opens the session. Raises `NoConnection` for a network logon without, or with a wrong, credential."""
    world = here.world
    if credential is None:
        own = world.account(here.caller)
        if here.network_logon or own is None:
            raise NoConnection(refusals.DENIED)
        return own
    if not isinstance(credential, PSCredential):
        raise NoConnection(refusals.DENIED)
    account = world.account(credential.user_name)
    if account is None or account.password != credential.password.secret:
        raise NoConnection(refusals.DENIED)
    return account


def _host(call: Invocation, here: Machine, uri: str) -> Server:
    """The server behind a connection URI. Raises `NoConnection`, after the time that it takes."""
    parts = urlsplit(uri)
    name = parts.hostname or ""
    if name.replace(".", "").isdigit():
        raise NoConnection(refusals.BY_ADDRESS)
    world = here.world
    server = world.state.servers.get(name)
    if server is None or ("." in name and not same(name, server.fqdn)):
        balanced = any(same(one.name, name) for one in world.topology.client_names)
        raise NoConnection(refusals.PRINCIPAL if balanced else refusals.unknown(name))
    try:
        world.reach(here.host, server.name)
    except WorldError as error:
        call.wait(error.blocked_s)
        raise NoConnection(refusals.UNREACHABLE) from error
    if parts.path.strip("/").casefold() != "powershell":
        raise NoConnection(refusals.NOT_THERE)
    return server


def _open(call: Invocation, here: Machine, uri: str, credential: Value) -> ExchangeSession:
    server = _host(call, here, uri)
    account = _account(here, credential)
    if here.registry is None:
        raise NoConnection(refusals.DENIED)
    call.wait(here.pace(here.world.state.tuning.exchange_open_s))
    try:
        return here.registry.open_exchange(server.name, account)
    except SessionRefused as refused:
        raise NoConnection(refusals.of_session(refused, here.world.state.dns_name)) from refused


def new_session(call: Invocation) -> Iterator[Value]:
    """New-PSSession to `/PowerShell` of an Exchange server."""
    for bound in call.records():
        here = machine(call)
        uris = given_list(bound.get("ConnectionUri"))
        configuration = text_of(bound.get("ConfigurationName"))
        computers = given_list(bound.get("ComputerName"))
        if not uris:
            for computer in computers or ["localhost"]:
                if bound.get("Credential") is not None or not here.network_logon:
                    raise Unsupported("New-PSSession to a plain session: the lab has only /PowerShell behind it")
                call.error(refused_record(call, computer, refusals.DENIED))
            continue
        names = given_list(bound.get("Name"))
        for at, uri in enumerate(uris):
            target = urlsplit(uri).hostname or uri
            try:
                session = _open(call, here, uri, bound.get("Credential"))
            except NoConnection as refused:
                call.error(refused_record(call, target, refused.reason))
                continue
            here.session_ids += 1
            name = names[at] if at < len(names) else f"Session{here.session_ids}"
            made = _shown(here.session_ids, name, session, configuration or "Microsoft.PowerShell")
            here.sessions.append(made)
            yield made.shown


def _selected(here: Machine, bound: Mapping[str, Value]) -> list[RemoteSession]:
    """The sessions that -Session, -Id, -InstanceId or -Name gives; all without one of them."""
    given = bound.get("Session")
    if given is not None:
        items = [item.state for item in enumerate_(given) if isinstance(item, NetObject)]
        return [one for one in here.sessions if any(one is item for item in items)]
    found = list(here.sessions)
    for name, value in (("Id", "number"), ("Name", "name")):
        wanted = given_list(bound.get(name))
        if wanted:
            found = [one for one in found if any(fits(str(getattr(one, value)), pattern) for pattern in wanted)]
    instances = {text.casefold() for text in given_list(bound.get("InstanceId"))}
    return [one for one in found if not instances or one.session.runspace.text in instances]


def get_session(call: Invocation) -> Iterator[Value]:
    """Get-PSSession: those of this session."""
    here = machine(call)
    if call.bound.get("ComputerName") is not None or call.bound.get("ConnectionUri") is not None:
        raise Unsupported("Get-PSSession of another computer: the lab does not simulate it")
    state = text_of(call.bound.get("State"))
    configuration = text_of(call.bound.get("ConfigurationName"))
    for one in _selected(here, call.bound):
        shown = one.refreshed()
        if (state in {"", "All"} or one.state == state) and (
            not configuration or fits(str(shown.properties["ConfigurationName"]), configuration)
        ):
            yield shown


def remove_session(call: Invocation) -> Iterator[Value]:
    """Remove-PSSession: closes sessions, and takes away the proxies that lived by them."""
    for bound in call.records():
        here = machine(call)
        for one in _selected(here, bound):
            if not may(call, one.name, "Remove"):
                continue
            one.session.closed = True
            one.refreshed()
            here.sessions.remove(one)
            for spec in imported_by(call, one.session):
                table(call).remove(spec.name)
    yield from ()


def _module_name(session: ExchangeSession) -> str:
    seed = session.runspace.text.encode()
    return f"tmp_{zlib.crc32(seed) & 0xFFFFFFFF:08x}.{session.runspace.text[:3]}"


def imported_by(call: Invocation, session: ExchangeSession) -> list[CommandSpec]:
    """The proxies in the calling session that stand for this one's cmdlets."""
    return [spec for spec in table(call) if spec.module == _module_name(session)]


def import_session(call: Invocation) -> Iterator[Value]:
    """Import-PSSession: makes proxies of a session's cmdlets, all or those named."""
    here = machine(call)
    found = _selected(here, {"Session": call.bound.get("Session")})
    for parameter in ("Prefix", "Module", "FullyQualifiedModule", "ArgumentList"):
        if call.bound.get(parameter) is not None:
            raise Unsupported(f"Import-PSSession -{parameter}: the lab does not simulate it")
    if not found or found[0].state != "Opened":
        message = "The session is not open: its state is not Opened."
        raise call.fail(call.record("PSSessionStateBroken", "InvalidArgument", message))
    session = found[0].session
    wanted = given_list(call.bound.get("CommandName"))
    specs = [spec for spec in session.commands if not wanted or any(fits(spec.name, one) for one in wanted)]
    _import_time(call, here, None if not wanted or any(map(is_pattern, wanted)) else len(specs))
    if not specs:
        message = "Running the Get-Command command in a remote session returned no results."
        raise call.fail(
            call.record("ErrorNoResultsFromRemoteEnd", "InvalidResult", message, type_name=f"{_SMA}.RuntimeException")
        )
    module = _module_name(session)
    form: EnumForm = here.registry.enum_form if here.registry is not None else "wrapped"
    made = [proxy(session, spec, module, form) for spec in specs if not _shadows(call, spec)]
    if not made:
        message = (
            "No command proxies have been created, because all of the requested remote commands would shadow existing "
            "local commands.  Use the AllowClobber parameter if you want to shadow existing local commands."
        )
        raise call.fail(call.record("ErrorNoCommandsImportedBecauseOfSkipping", "InvalidResult", message))
    for spec in made:
        table(call).add(spec)
    session.used = here.world.now
    yield NetObject(
        f"{_SMA}.PSModuleInfo",
        module,
        state=Imported(tuple(made)),
        properties={
            "Name": module,
            "ModuleType": net_enum("ModuleType", "Script"),
            "Version": Version(1, 0),
            "Path": f"C:\\Users\\{here.caller.rpartition(chr(92))[2]}\\AppData\\Local\\Temp\\{module}\\{module}.psm1",
            "Guid": guid_of("module", module),
        },
    )


def _import_time(call: Invocation, here: Machine, count: int | None) -> None:
    """One second and something per command; with no names given the whole of Exchange is fetched."""
    tuning = here.world.state.tuning
    if count is None:
        low, high = tuning.exchange_import_all_min_s, tuning.exchange_import_all_max_s
        seconds = here.world.state.dice.between(low, high, here.host, "import_all")
    else:
        seconds = tuning.exchange_import_s + tuning.exchange_import_per_command_s * count
    call.wait(here.pace(seconds))


def _shadows(call: Invocation, spec: CommandSpec) -> bool:
    """Whether a command of that name keeps a proxy from being made."""
    if call.bound.get("AllowClobber") or call.runner.commands.find(spec.name) is None:
        return False
    call.warning(
        f"Proxy creation has been skipped for the following command: '{spec.name}', because it would shadow an "
        "existing local command.  Use the AllowClobber parameter if you want to shadow existing local commands."
    )
    return True


BODIES: dict[str, Body] = {
    "New-PSSession": new_session,
    "Get-PSSession": get_session,
    "Remove-PSSession": remove_session,
    "Import-PSSession": import_session,
}

"""A session of Windows PowerShell on a host (`Microsoft.PowerShell`): full language, no Exchange cmdlet; knows no wire.

A network logon has nothing to delegate: what needs another host as the caller is refused by the cmdlets themselves. A
password that stands as text in what is run is an event of its own, `secret_in_script`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from starover_lab.cmdlets import (
    ad_accounts,
    ad_topology,
    certificates,
    cim,
    cluster_nodes,
    clusters,
    commands,
    contents,
    disks,
    dns_client,
    dns_server,
    event_log,
    exchange_scripts,
    exsetup,
    features,
    file_moves,
    files,
    firewall,
    hotfixes,
    local_groups,
    native,
    network,
    out_string,
    providers,
    psremoting,
    reachability,
    reference,
    restarts,
    scheduled_tasks,
    service_control,
    shares,
    update_agent,
    windows,
)
from starover_lab.cmdlets.aws_tools import AWS_TOOLS
from starover_lab.cmdlets.client_commands import ready
from starover_lab.cmdlets.exchange_session import Registry
from starover_lab.cmdlets.machine import Machine
from starover_lab.cmdlets.noise import make_noise
from starover_lab.cmdlets.not_simulated import windows_others
from starover_lab.cmdlets.objects import moment
from starover_lab.cmdlets.read_host import READ_HOST
from starover_lab.cmdlets.releases import release
from starover_lab.powershell.command import Body, CommandSpec, CommandTable
from starover_lab.powershell.errors import ErrorRecord, PSException, Stopped, Terminated, Unsupported
from starover_lab.powershell.session import Host, ParseError, Session
from starover_lab.powershell.values import DateTime, NetObject, PSArray, PSHashtable, Value, Version
from starover_lab.wire.endpoint import Command, Emit, Pipeline, Stream
from starover_lab.world.clock import Task
from starover_lab.world.entities import Account, Server

__all__ = ["PlainRunspace", "environment_of", "windows_commands"]

_SMA = "System.Management.Automation"
_WINDOWS: dict[str, Body] = (
    windows.BODIES
    | out_string.BODIES
    | service_control.SERVICE_BODIES
    | cim.BODIES
    | files.BODIES
    | file_moves.BODIES
    | providers.BODIES
    | contents.BODIES
    | disks.BODIES
    | features.BODIES
    | firewall.BODIES
    | hotfixes.BODIES
    | shares.BODIES
    | network.BODIES
    | dns_client.BODIES
    | reachability.BODIES
    | restarts.BODIES
    | scheduled_tasks.BODIES
    | commands.BODIES
    | event_log.BODIES
    | psremoting.BODIES
)
_CLUSTER: dict[str, Body] = clusters.BODIES | cluster_nodes.BODIES
_DIRECTORY: dict[str, Body] = ad_accounts.BODIES | ad_topology.BODIES
_SHORTEST_SECRET = 6


def _bodies(server: Server) -> dict[str, Body]:
    """What a host's modules can do. FailoverClusters and IIS come with Exchange; AD has tools there and on DCs."""
    found = dict(_WINDOWS)
    if server.exchange is not None:
        found |= _CLUSTER | certificates.WEB_BODIES
    if server.exchange is not None or server.is_dc:
        found |= _DIRECTORY
    if server.is_dc:
        found |= dns_server.BODIES
    if server.os != "2012R2":
        found |= local_groups.BODIES
    return found


def windows_commands(server: Server) -> Iterator[CommandSpec]:
    """The modules and programs of a host."""
    bodies = _bodies(server)
    for name, body in bodies.items():
        found = reference.spec(name, body)
        if found is not None:
            yield found
    yield from windows_others(server, bodies)
    yield from native.programs(server)
    if server.exchange is not None:
        yield from exchange_scripts.scripts(server.exchange.year)
    yield READ_HOST
    if server.instance:
        yield from AWS_TOOLS


def environment_of(server: Server, account: Account) -> dict[str, str]:
    """The environment variables of a process of somebody on a host."""
    found = {
        "ALLUSERSPROFILE": "C:\\ProgramData",
        "COMPUTERNAME": server.name.upper(),
        "NUMBER_OF_PROCESSORS": str(server.cores),
        "OS": "Windows_NT",
        "ProgramData": "C:\\ProgramData",
        "ProgramFiles": "C:\\Program Files",
        "PROCESSOR_ARCHITECTURE": "AMD64",
        "SystemDrive": "C:",
        "SystemRoot": "C:\\Windows",
        "TEMP": f"C:\\Users\\{account.name}\\AppData\\Local\\Temp",
        "TMP": f"C:\\Users\\{account.name}\\AppData\\Local\\Temp",
        "USERDNSDOMAIN": server.domain.upper(),
        "USERDOMAIN": account.netbios,
        "USERNAME": account.name,
        "USERPROFILE": f"C:\\Users\\{account.name}",
        "windir": "C:\\Windows",
    }
    if server.exchange is not None:
        found["ExchangeInstallPath"] = exsetup.FOLDER
    return found


def _tell_version(session: Session, server: Server) -> None:
    """`$PSVersionTable` of the host's own Windows PowerShell."""
    table, host = session.variable("PSVersionTable"), session.variable("Host")
    own = release(server.os).powershell
    assert isinstance(table, PSHashtable)
    assert isinstance(host, NetObject)
    table.set("PSVersion", own)
    table.set("BuildVersion", Version(10, 0, own.build, own.revision))
    table.set("PSCompatibleVersions", PSArray([*(Version(major, 0) for major in range(1, 6)), own]))
    host.properties["Version"] = own


def _failed(error_id: str, category: str, type_name: str, message: str) -> Terminated:
    exception = PSException(type_name, message)
    record = ErrorRecord(exception=exception, error_id=error_id, category=category)
    exception.record = record
    return Terminated(record, script=True)


class PlainRunspace:
    """Implements `wire.endpoint.Runspace`."""

    def __init__(self, registry: Registry, host: str, account: Account, own: CommandTable, *, network: bool) -> None:
        """`own` are PowerShell's own cmdlets; `network` tells whether the logon can be delegated."""
        self._world = registry.world
        server = self._world.server(host)
        table = own.copy()
        for spec in windows_commands(server):
            table.add(spec)
        maker = table.find("New-Object")
        assert maker is not None
        table.add(replace(maker, body=update_agent.new_object(maker.body)))
        self.machine = Machine(
            self._world,
            server.name,
            account.down_level,
            network_logon=network,
            registry=registry,
            commands=table,
        )
        self._session = Session(
            table,
            self.machine,
            self._world.scheduler.wait,
            host=Host(
                user=account.down_level,
                administrator=account.administrator,
                environment=environment_of(server, account),
                now=self._now,
            ),
        )
        _tell_version(self._session, server)
        self._task: Task | None = None
        self._registry = registry
        registry.shells[self] = (server.name, account.down_level)

    def _now(self) -> DateTime:
        found = moment(self._world.now, utc=True)
        assert found is not None
        return found

    def invoke(self, pipeline: Pipeline, emit: Emit, /) -> int | None:
        """Run a pipeline: statements one after the other, each a script or commands; `exit` ends it with its code."""
        self._look_for_secrets(pipeline.commands)
        self._task = self._world.scheduler.current
        self.machine.client = pipeline.host
        make_noise(self._world, self.machine.host, emit)
        try:
            for statement in _statements(pipeline.commands):
                code = self._run(statement, pipeline.input, emit)
                if code is not None:
                    return code
        except ParseError as error:
            raise _failed(error.error_id, "ParserError", f"{_SMA}.ParseException", str(error)) from error
        except Unsupported as error:
            message = (
                f"The lab refuses this script: {error}. It runs only what it evaluates exactly as Windows PowerShell."
            )
            raise _failed("NotSimulated", "NotImplemented", "System.NotSupportedException", message) from error
        finally:
            self._task = None
            self.machine.client = None
        return None

    def _run(self, statement: Sequence[Command], given: Sequence[Value], emit: Emit) -> int | None:
        """One pipeline of a client's making: scripts and commands, each stage handing on what it put out."""
        stages = list(_stages(statement))
        values = list(given)
        for number, stage in enumerate(stages, 1):
            if number == len(stages):
                return self._stage(stage, values, emit)
            kept: list[Value] = []

            def keep(stream: Stream, value: Value, kept: list[Value] = kept) -> None:
                if stream == "output":
                    kept.append(value)
                else:
                    emit(stream, value)

            code = self._stage(stage, values, keep)
            if code is not None:
                return code
            values = kept
        return None

    def _stage(self, stage: Sequence[Command], given: Sequence[Value], emit: Emit) -> int | None:
        first = stage[0]
        if first.is_script:
            return self._session.run_script(
                first.text,
                {name: value for name, value in first.parameters if name is not None},
                [value for name, value in first.parameters if name is None],
                given or None,
                local_scope=bool(first.use_local_scope),
                emit=emit,
            )
        table = self._session.commands
        self._session.run_commands([ready(table, one) for one in stage], emit=emit, input_=given)
        return None

    def _look_for_secrets(self, commands_: Sequence[Command]) -> None:
        """A password as text in a script is what an audit must never find (simulator.md section 11)."""
        texts = [one.text for one in commands_]
        texts += [value for one in commands_ for _, value in one.parameters if isinstance(value, str)]
        for account in self._world.state.accounts:
            secret = account.password
            if len(secret) >= _SHORTEST_SECRET and any(secret in text for text in texts):
                self._world.state.log.add("secret_in_script", self.machine.host, account=account.down_level)

    def stop(self) -> None:
        """End what runs at its next statement or wait."""
        self._session.stop()
        if self._task is not None:
            self._task.stop(Stopped())

    def close(self) -> None:
        """The shell is gone, and with it the sessions it had opened."""
        self._registry.shells.pop(self, None)
        for one in self.machine.sessions:
            one.session.closed = True


def _stages(statement: Sequence[Command]) -> Iterator[list[Command]]:
    """A script by itself, commands together. Invoke-Expression from outside is a script in the session's own scope."""
    commands_: list[Command] = []
    for command in statement:
        text = next((value for name, value in command.parameters if (name or "Command").casefold() == "command"), None)
        if not command.is_script and command.text.casefold() == "invoke-expression" and isinstance(text, str):
            command = Command(text=text, is_script=True)
        if not command.is_script:
            commands_.append(command)
            continue
        if commands_:
            yield commands_
            commands_ = []
        yield [command]
    if commands_:
        yield commands_


def _statements(given: Sequence[Command]) -> Iterator[list[Command]]:
    found: list[Command] = []
    for command in given:
        found.append(command)
        if command.end_of_statement:
            yield found
            found = []
    if found:
        yield found

"""The WinRM service of one host: actions on shells in, envelopes out; knows no HTTP and no user's password."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from starover_lab.wire import faults, soap
from starover_lab.wire.clixml_in import Element
from starover_lab.wire.config import config
from starover_lab.wire.endpoint import (
    CommandShell,
    CommandShells,
    Endpoint,
    EndpointRefused,
    Principal,
    Runspace,
    Scripts,
    ScriptTask,
)
from starover_lab.wire.psrp import PsrpShell
from starover_lab.wire.shells import Shell, command_xml
from starover_lab.wire.winrs import WinrsShell, options_of

__all__ = ["Caller", "Limits", "Service"]

_LOG = logging.getLogger(__name__)
_POWERSHELL = "http://schemas.microsoft.com/powershell/"
_CONFIG = "http://schemas.microsoft.com/wbem/wsman/1/config"
_XML = "{http://schemas.microsoft.com/powershell}"
_SELECTOR = "{http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd}Selector"
_TERMINATE = "/signal/terminate"
_FIRST_PROCESS = 2464

T = TypeVar("T", Runspace, CommandShell)


@dataclass(frozen=True)
class Limits:
    """Quotas of the service; Windows' own defaults."""

    shells_per_user: int = 30
    """MaxShellsPerUser."""
    commands_per_shell: int = 1000
    """MaxConcurrentCommandsPerShell: commands of a shell, ended or not, that no signal has cleared away."""
    processes_per_shell: int = 25
    """MaxProcessesPerShell: commands of a command shell that run at once."""
    operations_per_user: int = 1500
    """MaxConcurrentOperationsPerUser: requests under way, and all commands of command shells that are open."""
    idle_seconds: float = 7200.0
    """IdleTimeout of a shell whose client asks for none, in simulated time."""


@dataclass(frozen=True)
class Caller:
    """Who asks, from where, and over which virtual directory."""

    user: str
    ip: str
    configuration: str = ""
    """What the path alone decides: `Microsoft.Exchange` under /PowerShell; empty: the resource names it."""


@dataclass(eq=False)
class Service:
    """All shells of one host."""

    host: str
    endpoint: Endpoint
    scripts: Scripts
    limits: Limits = field(default_factory=Limits)
    allow_unencrypted: bool = False
    """What the configuration says of it; the listeners see to it."""
    shells: dict[str, Shell] = field(default_factory=dict[str, Shell])
    opened: int = 0
    """Shells opened so far."""
    _boot: int = -1
    _under_way: Counter[str] = field(default_factory=Counter[str])
    """Requests that are not answered yet, by user."""

    async def answer(self, caller: Caller, document: bytes) -> tuple[int, bytes]:
        """HTTP status and envelope for one request."""
        relates_to, machine = "", ""
        user = caller.user.lower()
        self._under_way[user] += 1
        try:
            request = soap.parse(document)
            relates_to, machine = request.message_id, request.machine
            return 200, await self._do(caller, request)
        except faults.Fault as fault:
            return 500, fault.answer(relates_to, machine)
        except soap.BadEnvelope as error:
            return 500, faults.unreadable(str(error)).answer(relates_to, machine)
        except Exception:
            # A closed connection would look like HTTP 400 for ever to a client that encrypts (gotcha 10).
            _LOG.exception("the service failed")
            return 500, faults.Fault(1359, "An internal error occurred. ").answer(relates_to, machine)
        finally:
            self._under_way[user] -= 1

    def refuse(self, document: bytes) -> tuple[int, bytes]:
        """As if the user had too many operations under way."""
        try:
            request = soap.parse(document)
        except soap.BadEnvelope as error:
            return 500, faults.unreadable(str(error)).answer("", "")
        fault = faults.too_many_operations(self.limits.operations_per_user)
        return 500, fault.answer(request.message_id, request.machine)

    async def _do(self, caller: Caller, request: soap.Request) -> bytes:
        self._forget_earlier_boots()
        self._forget_idle()
        self._count(caller, request)
        limit = soap.duration(request.timeout) if request.timeout else 60.0
        if limit is None or limit <= 0:
            raise faults.bad_header(request.timeout)
        if request.action == "Create":
            try:
                return await self._create(caller, request)
            except faults.Fault:
                self.scripts.absent(self.host)  # without a session no script will come
                raise
        if request.action == "Receive":
            body = await self._receive(caller, request, limit)
        elif request.action == "Get" and request.resource == _CONFIG:
            body = config(
                allow_unencrypted=self.allow_unencrypted,
                operations=self.limits.operations_per_user,
                idle=int(self.limits.idle_seconds * 1000),
                processes=self.limits.processes_per_shell,
                shells=self.limits.shells_per_user,
            )
        elif request.action == "Enumerate":
            body = self._enumerate(caller, request)
        elif request.action in ("Command", "Send", "Signal", "Delete", "Get", "Connect", "Disconnect", "Reconnect"):
            shell = self._shell(caller, request)
            actions = {
                "Get": self._describe,
                "Command": self._command,
                "Send": self._send,
                "Signal": self._signal,
                "Delete": self._delete,
                "Connect": self._connect,
                "Disconnect": self._disconnect,
                "Reconnect": self._reconnect,
            }
            if request.action in ("Command", "Send", "Signal") and shell.asleep(self.scripts.now):
                raise faults.shell_is_disconnected()
            body = actions[request.action](shell, request)
            if request.action != "Get":  # who only looks uses nothing
                shell.last_used = self.scripts.now
            self.scripts.kick()
        else:
            raise faults.unknown_action(request.action)
        return soap.answer(request.action, request.message_id, body)

    def close(self) -> None:
        """Close every shell: the host's service stops."""
        for shell in list(self.shells.values()):
            shell.close()
        self.shells.clear()
        self.scripts.kick()

    # -- shells --------------------------------------------------------------------------------------------------

    def _forget_earlier_boots(self) -> None:
        boot = self.endpoint.boot(self.host)
        if boot != self._boot:
            self._boot = boot
            self.close()

    def _forget_idle(self) -> None:
        now = self.scripts.now
        for shell in [one for one in self.shells.values() if one.over(now)]:
            del self.shells[shell.id]
            shell.close()

    def _mine(self, caller: Caller) -> list[Shell]:
        return [one for one in self.shells.values() if one.owner.lower() == caller.user.lower()]

    def _count(self, caller: Caller, request: soap.Request) -> None:
        """MaxConcurrentOperationsPerUser. What ends something is always let through."""
        kept = sum(one.operations for one in self._mine(caller) if isinstance(one, WinrsShell))
        most = self.limits.operations_per_user
        if request.action not in ("Signal", "Delete") and kept + self._under_way[caller.user.lower()] > most:
            raise faults.too_many_operations(most)

    def _shell(self, caller: Caller, request: soap.Request) -> Shell:
        shell = self.shells.get(request.shell)
        if shell is None:
            raise faults.no_shell(request.shell)
        if shell.owner.lower() != caller.user.lower():
            raise faults.access_denied()
        return shell

    async def _create(self, caller: Caller, request: soap.Request) -> bytes:
        wanted = request.only("Shell")
        if wanted is None:
            raise faults.unreadable("Shell")
        commands = request.resource == soap.WSMAN_SHELL + "/cmd"
        if not commands and not request.resource.startswith(_POWERSHELL):
            raise faults.unknown_resource(request.resource)
        if len(self._mine(caller)) >= self.limits.shells_per_user:
            raise faults.too_many_shells(self.limits.shells_per_user)
        shell_id = (wanted.get("ShellId") or soap.new_id()).upper()
        if shell_id in self.shells:
            raise faults.shell_exists()
        make = self._commands if commands else self._powershell
        shell = await make(caller, request, wanted, shell_id)
        self.shells[shell.id] = shell
        return soap.answer("Create", request.message_id, _resource_created(shell) + shell.describe(self.scripts.now))

    async def _powershell(self, caller: Caller, request: soap.Request, wanted: Element, shell_id: str) -> Shell:
        """A runspace pool."""
        configuration = caller.configuration or request.resource.removeprefix(_POWERSHELL)
        principal = Principal(name=caller.user)
        idle = _checked(_idle_timeout(wanted)) or self.limits.idle_seconds
        runspace = await self._opened(lambda: self.endpoint.open(self.host, configuration, principal))
        now = self.scripts.now
        self.opened += 1
        shell = PsrpShell(
            id=shell_id,
            resource=request.resource,
            owner=caller.user,
            client_ip=caller.ip,
            address=request.to,
            created=now,
            last_used=now,
            process_id=_FIRST_PROCESS + 4 * self.opened,
            idle_timeout=idle,
            session=request.session,
            most_commands=self.limits.commands_per_shell,
            locale=request.locale,
            data_locale=request.data_locale,
            input_streams=_child(wanted, "InputStreams") or "stdin pr",
            output_streams=_child(wanted, "OutputStreams") or "stdout",
            host=self.host,
            endpoint=self.endpoint,
            scripts=self.scripts,
            principal=principal,
            configuration=configuration,
        )
        shell.adopt(runspace)
        try:
            shell.feed(soap.octets(wanted.find(_XML + "creationXml")))
        except faults.Fault:
            shell.close()
            raise
        return shell

    async def _commands(self, caller: Caller, request: soap.Request, wanted: Element, shell_id: str) -> Shell:
        """A command shell."""
        endpoint = self.endpoint
        if caller.configuration or not isinstance(endpoint, CommandShells):
            raise faults.unknown_resource(request.resource)
        options = options_of(wanted)
        principal = Principal(name=caller.user)
        opened = await self._opened(lambda: endpoint.open_commands(self.host, principal, options))
        now = self.scripts.now
        self.opened += 1
        return WinrsShell(
            id=shell_id,
            resource=request.resource,
            owner=caller.user,
            client_ip=caller.ip,
            address=request.to,
            created=now,
            last_used=now,
            process_id=_FIRST_PROCESS + 4 * self.opened,
            idle_timeout=_idle_timeout(wanted) or self.limits.idle_seconds,
            session=request.session,
            most_commands=self.limits.commands_per_shell,
            most_processes=self.limits.processes_per_shell,
            input_streams=_child(wanted, "InputStreams") or "stdin",
            output_streams=_child(wanted, "OutputStreams") or "stdout stderr",
            host=self.host,
            scripts=self.scripts,
            commands_of=opened,
            options=options,
            codepage=request.options.get("WINRS_CODEPAGE", ""),
        )

    async def _opened(self, make: Callable[[], T]) -> T:
        """What the endpoint opens, which may take its (simulated) time. Raises `Fault`."""
        opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        made: list[T] = []

        def body() -> None:
            made.append(make())

        def done(task: ScriptTask) -> None:
            if opened.cancelled():  # the client has gone
                for one in made:
                    one.close()
            elif isinstance(task.error, EndpointRefused):
                opened.set_exception(faults.refused(task.error.code, task.error.message))
            elif task.error is not None:
                _LOG.error("a session could not be opened", exc_info=task.error)
                opened.set_exception(faults.Fault(1359, "An internal error occurred. "))
            else:
                opened.set_result(None)

        self.scripts.spawn(self.host, body, done, preliminary=True)
        await opened
        return made[0]

    async def _receive(self, caller: Caller, request: soap.Request, limit: float) -> str:
        shell = self._shell(caller, request)
        wanted = request.only("Receive")
        stream = None if wanted is None else wanted.find(soap.RSP + "DesiredStream")
        if stream is None:
            raise faults.unreadable("Receive")
        command_id = stream.get("CommandId") or ""
        outbox = shell.find(command_id).outbox if command_id else shell.outbox
        if outbox is None:
            raise faults.bad_parameter("Shell cmd plugin", "%systemroot%\\system32\\winrscmd.dll")
        if shell.asleep(self.scripts.now):
            raise faults.shell_is_disconnected()
        shell.last_used = self.scripts.now
        try:
            return await outbox.receive(request.message_id, limit, request.envelope_size)
        finally:
            shell.last_used = self.scripts.now

    # -- the other actions ---------------------------------------------------------------------------------------

    def _command(self, shell: Shell, request: soap.Request) -> str:
        made = shell.command(request)
        return f"<rsp:CommandResponse><rsp:CommandId>{made.id}</rsp:CommandId></rsp:CommandResponse>"

    def _send(self, shell: Shell, request: soap.Request) -> str:
        wanted = request.only("Send")
        streams = [] if wanted is None else wanted.findall(soap.RSP + "Stream")
        if not streams:
            raise faults.unreadable("Send")
        for one in streams:
            end = (one.get("End") or "").lower() in ("true", "1")
            shell.send(one.get("Name", "stdin"), one.get("CommandId") or "", soap.octets(one), end=end)
        return "<rsp:SendResponse/>"

    def _signal(self, shell: Shell, request: soap.Request) -> str:
        wanted = request.only("Signal")
        if wanted is None:
            raise faults.unreadable("Signal")
        command = shell.find(wanted.get("CommandId") or "")
        if (_child(wanted, "Code") or "").lower().endswith(_TERMINATE):
            shell.forget(command)
        else:
            shell.stop(command)
        return "<rsp:SignalResponse/>"

    def _describe(self, shell: Shell, request: soap.Request) -> str:  # noqa: ARG002 - actions are alike
        return shell.describe(self.scripts.now, more=True)

    def _delete(self, shell: Shell, request: soap.Request) -> str:  # noqa: ARG002 - actions are alike
        del self.shells[shell.id]
        shell.close()
        return ""

    def _connect(self, shell: Shell, request: soap.Request) -> str:
        wanted = request.only("Connect")
        if wanted is None or not isinstance(shell, PsrpShell):
            raise faults.unreadable("Connect")
        command_id = wanted.get("CommandId") or ""
        if not shell.asleep(self.scripts.now) and shell.session != request.session:
            raise faults.shell_of_another()
        shell.connected, shell.session = True, request.session
        if command_id:
            shell.find(command_id)
            return "<rsp:ConnectResponse/>"
        data = shell.connect(soap.octets(wanted.find(_XML + "connectXml")))
        return (
            f"<rsp:ConnectResponse><rsp:InputStreams>{soap.text(shell.input_streams)}</rsp:InputStreams>"
            f"<rsp:OutputStreams>{soap.text(shell.output_streams)}</rsp:OutputStreams>"
            f'<connectResponseXml xmlns="http://schemas.microsoft.com/powershell">{soap.base64_text(data)}'
            "</connectResponseXml></rsp:ConnectResponse>"
        )

    def _disconnect(self, shell: Shell, request: soap.Request) -> str:
        wanted = request.only("Disconnect")
        asked = None if wanted is None else _checked(_idle_timeout(wanted))
        shell.idle_timeout = asked or shell.idle_timeout
        shell.disconnect()
        return ""

    def _reconnect(self, shell: Shell, request: soap.Request) -> str:
        shell.connected, shell.session = True, request.session
        return ""

    def _enumerate(self, caller: Caller, request: soap.Request) -> str:
        mine = self._mine(caller)
        if request.resource == soap.WSMAN_SHELL:
            items = "".join(one.describe(self.scripts.now, more=True) for one in mine)
        elif request.resource == soap.WSMAN_SHELL + "/Command":
            wanted = {(one.text or "").strip().upper() for one in request.body.iter(_SELECTOR)}
            shells = [one for one in mine if not wanted or one.id in wanted]
            items = "".join(command_xml(one) for shell in shells for one in shell.commands.values() if one.running)
        else:
            raise faults.unknown_resource(request.resource)
        inner = f"<w:Items>{items}</w:Items>" if items else ""
        return (
            "<n:EnumerateResponse><n:EnumerationContext></n:EnumerationContext>"
            f"{inner}<w:EndOfSequence></w:EndOfSequence></n:EnumerateResponse>"
        )


def _child(element: Element, name: str) -> str | None:
    found = element.find(soap.RSP + name)
    return None if found is None else found.text


_LEAST_IDLE, _MOST_IDLE = 60, 2147483
"""Seconds that a client may ask for; the configuration has them in milliseconds."""


def _idle_timeout(wanted: Element) -> float | None:
    """The seconds that a client asks for, if it does."""
    return soap.duration((_child(wanted, "IdleTimeOut") or _child(wanted, "IdleTimeout") or "").strip())


def _checked(seconds: float | None) -> float | None:
    """Raises `Fault` for a time that PowerShell's shells do not take."""
    if seconds is not None and not _LEAST_IDLE <= seconds <= _MOST_IDLE + 1:
        raise faults.bad_idle_time(_LEAST_IDLE * 1000, _MOST_IDLE * 1000 + 647)
    return seconds


def _resource_created(shell: Shell) -> str:
    """R40."""
    return (
        f"<x:ResourceCreated><a:Address>{soap.text(shell.address)}</a:Address><a:ReferenceParameters>"
        f"<w:ResourceURI>{soap.text(shell.resource)}</w:ResourceURI>"
        f'<w:SelectorSet><w:Selector Name="ShellId">{shell.id}</w:Selector></w:SelectorSet>'
        "</a:ReferenceParameters></x:ResourceCreated>"
    )

"""A PowerShell shell: the server's side of MS-PSRP over a runspace of the endpoint; knows no HTTP and no Exchange.

What is sent, when and in which form follows the recorded servers of PowerShell 5.1 (rules B, C, F and G).
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from typing_extensions import override

from starover_lab.powershell.errors import ErrorRecord, PSException, Stopped, Terminated, Unsupported
from starover_lab.powershell.values import (
    DateTime,
    Long,
    Nothing,
    OrderedHashtable,
    PSArray,
    PSObject,
    Value,
    Version,
)
from starover_lab.wire import faults, psrp_in, records, soap
from starover_lab.wire.clixml import properties, serialize
from starover_lab.wire.clixml_in import BadClixml
from starover_lab.wire.clixml_text import plain_text
from starover_lab.wire.endpoint import Endpoint, Principal, Runspace, Scripts, ScriptTask, Stream
from starover_lab.wire.fragments import NO_ID, BadFragment, Message, MessageType, Outgoing, Reassembler
from starover_lab.wire.keys import SessionKey
from starover_lab.wire.shells import Command, MessageOutbox, Shell

__all__ = ["PsrpShell"]

_LOG = logging.getLogger(__name__)
_OPENED = 2
_COMPLETED, _STOPPED, _FAILED = 4, 3, 5
_MAX_COMMANDS = 1000
_SET_SHOULD_EXIT = 6
"""RemoteHostMethodId: how a client learns the code of `exit`."""
_TICKS_AT_EPOCH = 621_355_968_000_000_000
_INFORMATIONAL: dict[Stream, tuple[MessageType, str]] = {
    "warning": (MessageType.WARNING_RECORD, "Warning"),
    "verbose": (MessageType.VERBOSE_RECORD, "Verbose"),
    "debug": (MessageType.DEBUG_RECORD, "Debug"),
}
_CAPABILITY: tuple[tuple[str, Value], ...] = (
    ("protocolversion", Version(2, 3)),
    ("PSVersion", Version(2, 0)),
    ("SerializationVersion", Version(1, 1, 0, 1)),
)


def _private_data() -> PSObject:
    """APPLICATION_PRIVATE_DATA of Windows PowerShell 5.1, in its order."""
    version = Version(5, 1, 26100, 1)
    compatible: list[Value] = [Version(n, 0) for n in range(1, 6)]
    table = records.PrimitiveDictionary.of(
        [
            ("PSVersion", version),
            ("PSEdition", "Desktop"),
            ("PSCompatibleVersions", PSArray([*compatible, version], "System.Version[]")),
            ("CLRVersion", Version(4, 0, 30319, 42000)),
            ("BuildVersion", Version(10, 0, 26100, 1)),
            ("WSManStackVersion", Version(3, 0)),
            ("PSRemotingProtocolVersion", Version(2, 3)),
            ("SerializationVersion", Version(1, 1, 0, 1)),
        ]
    )
    data: OrderedHashtable = records.PrimitiveDictionary.of([("PSVersionTable", table)])
    return PSObject([("ApplicationPrivateData", data)], type_names=())


@dataclass(kw_only=True, eq=False)
class _Pipeline(Command):
    """A command of a PowerShell shell."""

    messages: MessageOutbox
    """The outbox again, by its own type."""
    pid: bytes = NO_ID
    wanted: psrp_in.Wanted | None = None
    input: list[Value] = field(default_factory=list[Value])
    begun: bool = False
    runspace: Runspace | None = None
    task: ScriptTask | None = None


@dataclass(kw_only=True, eq=False)
class PsrpShell(Shell):
    """One runspace pool."""

    host: str
    endpoint: Endpoint
    scripts: Scripts
    principal: Principal
    configuration: str
    pool_outbox: MessageOutbox = field(default_factory=MessageOutbox)

    def __post_init__(self) -> None:
        self._key = SessionKey()
        self._reassembler = Reassembler()
        self._object_id = 0
        self._invocations = 0
        self._rpid = NO_ID
        self._least, self._most = 1, 1
        self._idle: list[Runspace] = []
        self._runspaces: list[Runspace] = []
        self._queue: deque[_Pipeline] = deque()
        self._pipelines: dict[bytes, _Pipeline] = {}
        self._has_host = False

    # -- the shell's side ----------------------------------------------------------------------------------------

    @property
    @override
    def outbox(self) -> MessageOutbox:
        return self.pool_outbox

    def adopt(self, runspace: Runspace) -> None:
        """The runspace that was opened with the shell."""
        self._runspaces.append(runspace)
        self._idle.append(runspace)

    def connect(self, data: bytes) -> bytes:
        """Another client takes the pool over: the fragments of the answer (rules R19, R20). Raises `Fault`."""
        self._reassembler = Reassembler()
        out = bytearray()
        for message in self._read(data):
            if message.kind is MessageType.SESSION_CAPABILITY:
                out += self._make(message.kind, properties(_CAPABILITY), rpid=message.rpid).cut(1 << 15)
            elif message.kind is MessageType.CONNECT_RUNSPACEPOOL:
                self._rpid = message.rpid
                counts: list[tuple[str, Value]] = [("MinRunspaces", self._least), ("MaxRunspaces", self._most)]
                out += self._make(MessageType.RUNSPACEPOOL_INIT_DATA, properties(counts)).cut(1 << 15)
                self._say(MessageType.APPLICATION_PRIVATE_DATA, serialize(_private_data()))
        return bytes(out)

    @override
    def command(self, request: soap.Request) -> Command:
        line = request.only("CommandLine")
        arguments = None if line is None else line.find(soap.RSP + "Arguments")
        if line is None or arguments is None:
            raise faults.unreadable("CommandLine")
        if len(self.commands) >= _MAX_COMMANDS:
            raise faults.too_many_commands()
        command_id = (line.get("CommandId") or soap.new_id()).upper()
        outbox = MessageOutbox(command_id)
        made = _Pipeline(id=command_id, outbox=outbox, messages=outbox)
        self.commands[command_id] = made
        self._feed(soap.octets(arguments), made)
        return made

    @override
    def send(self, stream: str, command_id: str, data: bytes, *, end: bool) -> None:
        made = self.find(command_id) if command_id else None
        assert made is None or isinstance(made, _Pipeline)
        self._feed(data, made)

    @override
    def stop(self, command: Command) -> None:
        assert isinstance(command, _Pipeline)
        if not command.running:
            return
        if command.task is None:
            if command in self._queue:
                self._queue.remove(command)
            self._end(command, Stopped())
            return
        if command.runspace is not None:
            command.runspace.stop()
        command.task.stop(Stopped())

    @override
    def close(self) -> None:
        for command in list(self.commands.values()):
            self.forget(command)
        self.outbox.close()
        for runspace in self._runspaces:
            runspace.close()

    # -- messages in ---------------------------------------------------------------------------------------------

    def _read(self, data: bytes) -> list[Message]:
        try:
            return self._reassembler.feed(data)
        except BadFragment as error:
            raise faults.unreadable(f"fragment: {error}") from None

    def feed(self, data: bytes) -> None:
        """The pool's own messages: creationXml. Raises `Fault`."""
        self._feed(data, None)

    def _feed(self, data: bytes, command: _Pipeline | None) -> None:
        for message in self._read(data):
            try:
                self._take(message, command)
            except (BadClixml, ValueError) as error:
                raise faults.unreadable(f"{message.kind.name}: {error}") from None

    def _take(self, message: Message, command: _Pipeline | None) -> None:
        handlers: dict[MessageType, Callable[[Message], None]] = {
            MessageType.SESSION_CAPABILITY: self._on_capability,
            MessageType.INIT_RUNSPACEPOOL: self._on_init,
            MessageType.PUBLIC_KEY: self._on_public_key,
            MessageType.SET_MAX_RUNSPACES: partial(self._on_set, most=True),
            MessageType.SET_MIN_RUNSPACES: partial(self._on_set, most=False),
            MessageType.GET_AVAILABLE_RUNSPACES: self._on_available,
            MessageType.RESET_RUNSPACE_STATE: self._on_reset,
        }
        handler = handlers.get(message.kind)
        if handler is not None:
            handler(message)
            return
        owner = command or self._pipelines.get(message.pid)
        if owner is None:
            return  # an answer to a host call of a pipeline that is gone
        if message.kind in (MessageType.CREATE_PIPELINE, MessageType.GET_COMMAND_METADATA):
            owner.pid = message.pid
            self._pipelines[message.pid] = owner
            if message.kind is MessageType.GET_COMMAND_METADATA:
                self._no_metadata(owner)
                return
            self._invocations += 1
            try:
                owner.wanted = psrp_in.wanted(message.body, self._key, self._invocations, pool_has_host=self._has_host)
            except BadClixml as error:
                self._end(owner, _unreadable(error))
                return
            if not owner.wanted.takes_input:
                self._begin(owner)
        elif message.kind is MessageType.PIPELINE_INPUT:
            try:
                owner.input.append(psrp_in.value(message.body, self._key))
            except BadClixml as error:
                self._end(owner, _unreadable(error))
        elif message.kind is MessageType.END_OF_PIPELINE_INPUT:
            self._begin(owner)

    def _on_capability(self, message: Message) -> None:
        self._rpid = message.rpid
        self.outbox.put(self._make(message.kind, properties(_CAPABILITY), rpid=NO_ID))

    def _on_init(self, message: Message) -> None:
        asked = psrp_in.opening(message.body)
        self._least, self._most = asked.least, max(asked.most, 1)
        self._has_host = asked.has_host
        self._say(MessageType.APPLICATION_PRIVATE_DATA, serialize(_private_data()), last_of_answer=True)
        self._say(MessageType.RUNSPACEPOOL_STATE, properties([("RunspaceState", _OPENED)]))

    def _on_public_key(self, message: Message) -> None:
        wrapped = self._key.wrapped_for(psrp_in.public_key(message.body))
        payload = properties([("EncryptedSessionKey", wrapped)])
        self.outbox.put(self._make(MessageType.ENCRYPTED_SESSION_KEY, payload, rpid=NO_ID))

    def _on_set(self, message: Message, *, most: bool) -> None:
        call = psrp_in.availability(message.body)
        allowed = call.count >= max(self._least, 1) if most else 1 <= call.count <= self._most
        if allowed and most:
            self._most = call.count
        elif allowed:
            self._least = call.count
        self._answer_call(call, allowed)

    def _on_available(self, message: Message) -> None:
        busy = len(self._runspaces) - len(self._idle)
        self._answer_call(psrp_in.availability(message.body), self._most - busy)

    def _on_reset(self, message: Message) -> None:
        """A new session state: old runspaces are closed and a new one is opened when a pipeline needs it."""
        call = psrp_in.availability(message.body)
        quiet = len(self._idle) == len(self._runspaces)
        if quiet:
            for runspace in self._runspaces:
                runspace.close()
            self._runspaces.clear()
            self._idle.clear()
        self._answer_call(call, quiet)

    def _answer_call(self, call: psrp_in.CallForAvailability, response: Value) -> None:
        pairs: list[tuple[str, Value]] = [("SetMinMaxRunspacesResponse", response), ("ci", Long(call.call_id))]
        self._say(MessageType.RUNSPACE_AVAILABILITY, properties(pairs))

    # -- pipelines -----------------------------------------------------------------------------------------------

    def _begin(self, command: _Pipeline) -> None:
        if command.begun or command.wanted is None or not command.running:
            return
        command.begun = True
        if self._idle or command.wanted.pipeline.is_nested or len(self._runspaces) < self._most:
            self._spawn(command)
        else:
            self._queue.append(command)

    def _spawn(self, command: _Pipeline) -> None:
        command.runspace = self._idle.pop(0) if self._idle else None
        wanted = command.wanted
        assert wanted is not None
        pipeline = wanted.pipeline.with_input(tuple(command.input))

        def body() -> None:
            if command.runspace is None:
                command.runspace = self.endpoint.open(self.host, self.configuration, self.principal)
                self._runspaces.append(command.runspace)
            code = command.runspace.invoke(pipeline, partial(self._emit, command))
            if code is not None and wanted.has_host and command.running:
                call = records.host_call(_SET_SHOULD_EXIT, "SetShouldExit", [code])
                self._tell(command, MessageType.PIPELINE_HOST_CALL, serialize(call))

        def done(task: ScriptTask) -> None:
            if command.runspace is not None and command.runspace in self._runspaces:
                self._idle.append(command.runspace)
            self._end(command, task.error)
            if self._queue and self._idle:
                self._spawn(self._queue.popleft())

        command.task = self.scripts.spawn(self.host, body, done)

    def _end(self, command: _Pipeline, error: BaseException | None) -> None:
        if not command.running:
            return
        command.running = False
        self._pipelines.pop(command.pid, None)
        pairs: list[tuple[str, Value]] = [("PipelineState", _COMPLETED)]
        record = _record_of(error)
        if record is not None:
            state = _STOPPED if isinstance(error, Stopped) else _FAILED
            pairs = [("PipelineState", state), ("ExceptionAsErrorRecord", records.error(record, terminating=True))]
        self._tell(command, MessageType.PIPELINE_STATE, properties(pairs, self._key), ends=True)

    def _emit(self, command: _Pipeline, stream: Stream, value: Value) -> None:
        """One record of a running pipeline."""
        assert command.wanted is not None
        if isinstance(value, Nothing) or not command.running:
            return
        kind: MessageType
        made: Value = value
        if stream == "output":
            kind = MessageType.PIPELINE_OUTPUT
        elif stream == "error":
            kind = MessageType.ERROR_RECORD
            made = records.error(value) if isinstance(value, ErrorRecord) else value
        elif stream == "progress":
            kind, made = MessageType.PROGRESS_RECORD, records.progress(value)
        elif stream == "information":
            now = DateTime(_TICKS_AT_EPOCH + round(self.scripts.now.timestamp() * 1e7), "Local")
            kind = MessageType.INFORMATION_RECORD
            made = records.information(value, user=self.owner, computer=self.host.upper(), now=now)
        else:
            kind, name = _INFORMATIONAL[stream]
            made = records.informational(name, plain_text(value))
        if stream in command.wanted.merged:
            kind = MessageType.PIPELINE_OUTPUT
        self._tell(command, kind, serialize(made, self._key))

    def _no_metadata(self, command: _Pipeline) -> None:
        """GET_COMMAND_METADATA: nothing is offered (R27 with a count of 0)."""
        prefix = "Selected.Microsoft.PowerShell.Commands."
        names = (f"{prefix}GenericMeasureInfo", PSObject.CUSTOM, "System.Object")
        self._tell(command, MessageType.PIPELINE_OUTPUT, serialize(PSObject([("Count", 0)], type_names=names)))
        self._end(command, None)

    # -- messages out --------------------------------------------------------------------------------------------

    def _make(
        self,
        kind: MessageType,
        payload: str,
        *,
        rpid: bytes | None = None,
        pid: bytes = NO_ID,
        last_of_answer: bool = False,
        ends: bool = False,
    ) -> Outgoing:
        self._object_id += 1
        return Outgoing.of(
            kind,
            payload,
            object_id=self._object_id,
            rpid=self._rpid if rpid is None else rpid,
            pid=pid,
            last_of_answer=last_of_answer,
            ends=ends,
        )

    def _say(self, kind: MessageType, payload: str, *, last_of_answer: bool = False) -> None:
        self.outbox.put(self._make(kind, payload, last_of_answer=last_of_answer))

    def _tell(self, command: _Pipeline, kind: MessageType, payload: str, *, ends: bool = False) -> None:
        command.messages.put(self._make(kind, payload, pid=command.pid, ends=ends))


def _unreadable(error: BadClixml) -> Terminated:
    """A pipeline that cannot be read fails by itself; the pool lives on."""
    exception = PSException("System.Management.Automation.Remoting.PSRemotingDataStructureException", str(error))
    return Terminated(ErrorRecord(exception=exception, error_id="PSRemotingDataStructure", category="InvalidData"))


def _record_of(error: BaseException | None) -> ErrorRecord | None:
    """The record under which a pipeline's end is reported; None when it ended well."""
    if error is None:
        return None
    if isinstance(error, Terminated):
        return error.record
    prefix = "System.Management.Automation."
    if isinstance(error, Stopped):
        return ErrorRecord(
            exception=PSException(prefix + "PipelineStoppedException", "The pipeline has been stopped."),
            error_id="PipelineStopped",
            category="OperationStopped",
        )
    if isinstance(error, Unsupported):
        return ErrorRecord(
            exception=PSException(prefix + "PSNotSupportedException", f"The lab refuses this script: {error}"),
            error_id="LabRefusesScript",
            category="NotImplemented",
        )
    _LOG.error("a pipeline ended with an error of the lab itself", exc_info=error)
    return ErrorRecord(
        exception=PSException(prefix + "PSInvalidOperationException", f"The lab failed: {type(error).__name__}"),
        error_id="LabFailed",
        category="NotSpecified",
    )

"""A PowerShell shell: the server's side of MS-PSRP over a runspace of the endpoint; knows no HTTP and no Exchange.

What is sent, when and in which form follows the recorded servers of PowerShell 5.1 (rules B, C, F and G).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from typing_extensions import override

from starover_lab.powershell.errors import Stopped
from starover_lab.powershell.values import Nothing, Value
from starover_lab.wire import faults, metadata, psrp_in, psrp_out, soap
from starover_lab.wire.clixml_in import BadClixml
from starover_lab.wire.endpoint import Emit, Endpoint, Pipeline, Principal, Runspace, Scripts, ScriptTask, Stream
from starover_lab.wire.fragments import NO_ID, BadFragment, Message, MessageType, Outgoing, Reassembler
from starover_lab.wire.host_calls import HostLink
from starover_lab.wire.keys import SessionKey
from starover_lab.wire.shells import Command, MessageOutbox, Shell

__all__ = ["PsrpShell"]

_SET_SHOULD_EXIT = 6


@dataclass(kw_only=True, eq=False)
class _Pipeline(Command):
    """A command of a PowerShell shell."""

    messages: MessageOutbox
    """The outbox again, by its own type."""
    pid: bytes = NO_ID
    wanted: psrp_in.Wanted | None = None
    question: metadata.Question | None = None
    """What is asked of the session's commands, in place of a pipeline."""
    input: list[Value] = field(default_factory=list[Value])
    begun: bool = False
    runspace: Runspace | None = None
    link: HostLink | None = None
    task: ScriptTask | None = None


@dataclass(kw_only=True, eq=False)
class PsrpShell(Shell):
    """One runspace pool."""

    host: str
    endpoint: Endpoint
    scripts: Scripts
    principal: Principal
    configuration: str
    most_commands: int = 1000
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
        self._host_info = psrp_in.HostInfo()
        self._host_calls = 0

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
                out += self._make(message.kind, psrp_out.capability(), rpid=message.rpid).cut(1 << 15)
            elif message.kind is MessageType.CONNECT_RUNSPACEPOOL:
                self._rpid = message.rpid
                counts = psrp_out.init_data(self._least, self._most)
                out += self._make(MessageType.RUNSPACEPOOL_INIT_DATA, counts).cut(1 << 15)
                self._say(MessageType.APPLICATION_PRIVATE_DATA, psrp_out.private_data())
        return bytes(out)

    @override
    def command(self, request: soap.Request) -> Command:
        line = request.only("CommandLine")
        arguments = None if line is None else line.find(soap.RSP + "Arguments")
        if line is None or arguments is None:
            raise faults.unreadable("CommandLine")
        if len(self.commands) >= self.most_commands:
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
            self._invocations += 1
            if message.kind is MessageType.GET_COMMAND_METADATA:
                owner.question = metadata.question(message.body)
                owner.wanted = psrp_in.Wanted(owner.question.pipeline(self._invocations), False, psrp_in.HostInfo())
                self._begin(owner)
                return
            try:
                owner.wanted = psrp_in.wanted(message.body, self._key, self._invocations, pool_host=self._host_info)
            except BadClixml as error:
                self._end(owner, psrp_out.unreadable(error))
                return
            if not owner.wanted.takes_input:
                self._begin(owner)
        elif message.kind is MessageType.PIPELINE_INPUT:
            try:
                owner.input.append(psrp_in.value(message.body, self._key))
            except BadClixml as error:
                self._end(owner, psrp_out.unreadable(error))
        elif message.kind is MessageType.END_OF_PIPELINE_INPUT:
            self._begin(owner)
        elif message.kind is MessageType.PIPELINE_HOST_RESPONSE and owner.link is not None:
            owner.link.answered(psrp_in.host_answer(message.body, self._key), owner.task)

    def _on_capability(self, message: Message) -> None:
        self._rpid = message.rpid
        self.outbox.put(self._make(message.kind, psrp_out.capability(), rpid=NO_ID))

    def _on_init(self, message: Message) -> None:
        asked = psrp_in.opening(message.body)
        self._least, self._most = asked.least, max(asked.most, 1)
        self._host_info = asked.host
        self._say(MessageType.APPLICATION_PRIVATE_DATA, psrp_out.private_data(), last_of_answer=True)
        self._say(MessageType.RUNSPACEPOOL_STATE, psrp_out.opened())

    def _on_public_key(self, message: Message) -> None:
        wrapped = self._key.wrapped_for(psrp_in.public_key(message.body))
        payload = psrp_out.session_key(wrapped)
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
        self._say(MessageType.RUNSPACE_AVAILABILITY, psrp_out.availability(call.call_id, response))

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
        link = command.link = self._link(command, wanted.host) if wanted.host.here else None
        pipeline = wanted.pipeline.with_input(tuple(command.input), link)

        def body() -> None:
            if command.runspace is None:
                command.runspace = self.endpoint.open(self.host, self.configuration, self.principal)
                self._runspaces.append(command.runspace)
            emit = partial(self._emit, command)
            if command.question is not None:
                self._describe_commands(command.runspace, pipeline, command.question, emit)
                return
            code = command.runspace.invoke(pipeline, emit)
            if code is not None and link is not None and command.running:
                link.tell(_SET_SHOULD_EXIT, "SetShouldExit", code)

        def done(task: ScriptTask) -> None:
            self.last_used = self.scripts.now
            if command.runspace is not None and command.runspace in self._runspaces:
                self._idle.append(command.runspace)
            self._end(command, task.error)
            if self._queue and self._idle:
                self._spawn(self._queue.popleft())

        command.task = self.scripts.spawn(self.host, body, done)

    def _describe_commands(
        self, runspace: Runspace, pipeline: Pipeline, question: metadata.Question, emit: Emit
    ) -> None:
        found: list[Value] = []
        runspace.invoke(pipeline, lambda stream, value: found.append(value) if stream == "output" else None)
        for one in metadata.answers(question, found):
            emit("output", one)

    def _end(self, command: _Pipeline, error: BaseException | None) -> None:
        if not command.running:
            return
        command.running = False
        self._pipelines.pop(command.pid, None)
        self._tell(command, MessageType.PIPELINE_STATE, psrp_out.pipeline_state(error, self._key), ends=True)

    def _emit(self, command: _Pipeline, stream: Stream, value: Value) -> None:
        """One record of a running pipeline."""
        assert command.wanted is not None
        if isinstance(value, Nothing) or not command.running:
            return
        kind, payload = psrp_out.record(
            stream, value, self._key, user=self.owner, computer=self.host.upper(), now=self.scripts.now
        )
        if stream in command.wanted.merged:
            kind = MessageType.PIPELINE_OUTPUT
        self._tell(command, kind, payload)
        if command.link is not None and kind is not MessageType.PIPELINE_OUTPUT:
            command.link.show(stream, value)

    def _link(self, command: _Pipeline, info: psrp_in.HostInfo) -> HostLink:
        def send(payload: str) -> None:
            if command.running:
                self._tell(command, MessageType.PIPELINE_HOST_CALL, payload)

        def next_id() -> int:
            self._host_calls += 1
            return self._host_calls

        def waits(now: bool) -> None:
            command.messages.waits_for_host = now

        return HostLink(info, self.scripts, send, next_id, waits, self._key)

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

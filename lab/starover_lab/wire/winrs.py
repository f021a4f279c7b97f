"""A command shell (WinRS): programs with their streams as bytes, over processes of the endpoint; knows no HTTP, no cmd.

What is sent and in which form follows the recorded servers (rules R29, R35, R43 and F2, F3).
"""

from __future__ import annotations

import base64
import codecs
import logging
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Literal

from typing_extensions import override

from starover_lab.powershell.errors import Stopped
from starover_lab.wire import faults, soap
from starover_lab.wire.clixml_in import Element
from starover_lab.wire.endpoint import CommandShell, Process, Scripts, ScriptTask, ShellOptions
from starover_lab.wire.shells import STREAM_ROOM, Command, Outbox, Shell, command_state, span

__all__ = ["WinrsShell", "options_of"]

_LOG = logging.getLogger(__name__)
Stream = Literal["stdout", "stderr"]
_CONTROL_C = -1073741510
"""STATUS_CONTROL_C_EXIT: what a program that was interrupted returns."""
_FAILED = 1
_CODEPAGE = 437
_UTF8 = 65001
_LONGEST_STREAM = 32768
"""Bytes of one Stream element."""


def options_of(wanted: Element) -> ShellOptions:
    """What the body of a Create says."""
    variables = wanted.findall(f"{soap.RSP}Environment/{soap.RSP}Variable")
    directory = wanted.find(soap.RSP + "WorkingDirectory")
    return ShellOptions(
        environment=tuple((one.get("Name", ""), one.text or "") for one in variables),
        working_directory="" if directory is None else (directory.text or "").strip(),
    )


class StreamOutbox(Outbox):
    """What a program wrote, and its end."""

    def __init__(self, command_id: str) -> None:
        super().__init__()
        self._command_id = command_id
        self._queue: deque[tuple[Stream, bytes]] = deque()
        self._exit_code: int | None = None
        self._told = False

    @property
    def ready(self) -> bool:
        """Whether something was written, or the program has ended; that it has is told once."""
        return bool(self._queue) or self._exit_code is not None

    def put(self, stream: Stream, data: bytes) -> None:
        """The program wrote."""
        if data:
            self._queue.append((stream, data))
            self.wake()

    def end(self, exit_code: int) -> None:
        """The program has ended."""
        self._exit_code = exit_code
        self.wake()

    def take(self, room: int) -> str:
        """As much as there is room for. Raises `Fault` when all was given before."""
        if self._told:
            raise faults.no_command()
        parts: list[str] = []
        while self._queue:
            free = min((room - STREAM_ROOM) // 4 * 3, _LONGEST_STREAM)
            stream, data = self._queue[0]
            if parts and len(data) > free:
                break
            self._queue.popleft()
            if len(data) > free:
                self._queue.appendleft((stream, data[free:]))
            parts.append(self._stream(stream, data[:free]))
            room -= len(parts[-1])
        code = None if self._queue else self._exit_code
        if code is not None:
            self._told = True
            parts += [self._stream("stdout"), self._stream("stderr")]
        parts.append(command_state(self._command_id, "Running" if code is None else "Done", code))
        return f"<rsp:ReceiveResponse>{''.join(parts)}</rsp:ReceiveResponse>"

    def _stream(self, name: Stream, data: bytes = b"") -> str:
        end = "" if data else ' End="true"'
        text = base64.b64encode(data).decode()
        return f'<rsp:Stream Name="{name}" CommandId="{self._command_id}"{end}>{text}</rsp:Stream>'


@dataclass(kw_only=True, eq=False)
class _Run(Command):
    """A command of a command shell."""

    streams: StreamOutbox
    """The outbox again, by its own type."""
    process: Process
    given: bytearray = field(default_factory=bytearray)
    task: ScriptTask | None = None


@dataclass(kw_only=True, eq=False)
class WinrsShell(Shell):
    """One command shell."""

    host: str
    scripts: Scripts
    commands_of: CommandShell
    options: ShellOptions
    codepage: str = ""
    """Of input and output, as the client wrote it; the console's own where it wrote none."""
    most_commands: int = 1000
    most_processes: int = 25
    operations: int = 0
    """Commands begun so far: of a command shell the service takes none back before the shell is gone (MS-WSMV note
    118), so they count against MaxConcurrentOperationsPerUser."""

    def __post_init__(self) -> None:
        number = int(self.codepage) if self.codepage.isdecimal() else _CODEPAGE
        try:
            self._codec = codecs.lookup("utf-8" if number == _UTF8 else f"cp{number}").name
        except LookupError:
            self._codec = f"cp{_CODEPAGE}"

    @property
    @override
    def outbox(self) -> None:
        return None

    @override
    def command(self, request: soap.Request) -> Command:
        wanted = request.only("CommandLine")
        words = [] if wanted is None else [wanted.find(soap.RSP + "Command"), *wanted.findall(soap.RSP + "Arguments")]
        if wanted is None or not words or words[0] is None:
            raise faults.unreadable("CommandLine")
        if len(self.commands) >= self.most_commands:
            raise faults.too_many_commands()
        if sum(one.running for one in self.commands.values()) >= self.most_processes:
            raise faults.too_many_processes()
        line = " ".join(text for one in words if one is not None and (text := one.text or ""))
        command_id = (wanted.get("CommandId") or soap.new_id()).upper()
        outbox = StreamOutbox(command_id)
        process = self.commands_of.process(line)
        made = _Run(id=command_id, outbox=outbox, streams=outbox, process=process, line=line)
        self.commands[command_id] = made
        self.operations += 1
        if not process.reads_input:
            self._begin(made)
        return made

    @override
    def send(self, stream: str, command_id: str, data: bytes, *, end: bool) -> None:
        made = self.find(command_id)
        assert isinstance(made, _Run)
        made.given += data
        if end and made.running and made.task is None:
            self._begin(made)

    def _begin(self, made: _Run) -> None:
        given = made.given.decode(self._codec, "replace")

        def write(stream: Stream, text: str) -> None:
            made.streams.put(stream, text.encode(self._codec, "replace"))

        code: list[int] = []

        def body() -> None:
            code.append(made.process.run(given, write))

        made.task = self.scripts.spawn(self.host, body, partial(self._ended, made, code))

    def _ended(self, made: _Run, code: list[int], task: ScriptTask) -> None:
        self.last_used = self.scripts.now
        if not made.running:
            return
        made.running = False
        if task.error is None:
            made.streams.end(code[0])
        elif isinstance(task.error, Stopped):
            made.streams.end(_CONTROL_C)
        else:
            _LOG.error("a command ended with an error of the lab itself", exc_info=task.error)
            made.streams.put("stderr", f"The lab failed: {type(task.error).__name__}\r\n".encode())
            made.streams.end(_FAILED)

    @override
    def stop(self, command: Command) -> None:
        assert isinstance(command, _Run)
        if not command.running:
            return
        if command.task is None:
            command.running = False
            command.streams.end(_CONTROL_C)
            return
        command.process.stop()
        command.task.stop(Stopped())

    @override
    def close(self) -> None:
        for command in list(self.commands.values()):
            self.forget(command)
        self.commands_of.close()

    @override
    def _fields(self, now: datetime, idle: float, *, more: bool) -> list[tuple[str, str]]:
        """R43."""
        text = soap.text
        fields = [
            ("ShellId", self.id),
            ("ResourceUri", text(self.resource)),
            ("Owner", text(self.owner)),
            ("ClientIP", self.client_ip),
        ]
        if self.options.environment:
            variables = (
                f'<rsp:Variable Name="{soap.attribute(name)}">{text(value)}</rsp:Variable>'
                for name, value in self.options.environment
            )
            fields.append(("Environment", "".join(variables)))
        if self.options.working_directory:
            fields.append(("WorkingDirectory", text(self.options.working_directory)))
        return [
            *fields,
            ("IdleTimeOut", f"PT{self.idle_timeout:.3f}S"),
            ("InputStreams", text(self.input_streams)),
            ("OutputStreams", text(self.output_streams)),
            ("ShellRunTime", span((now - self.created).total_seconds())),
            ("ShellInactivity", span(idle)),
        ]

"""Shells as WinRM has them: their description, their commands and what waits to be fetched; knows no HTTP.

A Receive may be sent again and must then get the same answer; a newer one takes the place of one that still waits,
because the older may belong to a connection that is gone (facts/winrm.md, gotchas 7 and 8).
"""

from __future__ import annotations

import asyncio
import base64
from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from starover_lab.wire import faults, soap
from starover_lab.wire.fragments import Outgoing

__all__ = ["STREAM_ROOM", "Command", "MessageOutbox", "Outbox", "Shell", "command_state", "command_xml", "span"]

_STATE = soap.WSMAN_SHELL + "/CommandState/"
# What an answer needs besides its streams: envelope and headers, and the longest CommandState.
_ENVELOPE = 1400
STREAM_ROOM = 100
"""What one Stream element needs besides its text."""
_SMALLEST_CUT = 256


class Outbox(ABC):
    """What one target, a shell or a command, has for its client."""

    def __init__(self) -> None:
        self._waiter: asyncio.Future[None] | None = None
        self._latest: object = None
        self._last: tuple[str, str] = ("", "")
        self._closed = False

    @property
    @abstractmethod
    def ready(self) -> bool:
        """Whether there is anything to fetch."""

    @abstractmethod
    def take(self, room: int) -> str:
        """The content of a ReceiveResponse of at most `room` bytes, gone from here with that."""

    def wake(self) -> None:
        """Something came: who waits looks again."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    @property
    def awaited(self) -> bool:
        """Whether a Receive waits."""
        return self._waiter is not None and not self._waiter.done()

    def dismiss(self) -> None:
        """The client leaves: a Receive that waits ends with the fault for that."""
        self._latest = None
        self.wake()

    def close(self) -> None:
        """The target is gone: who waits is told, and who comes later too."""
        self._closed = True
        self.wake()

    async def receive(self, message_id: str, limit: float | None, envelope_size: int) -> str:
        """One Receive: the content of its answer. Raises `Fault` when there is nothing in `limit` seconds, or when the
        target went away or a newer Receive came meanwhile."""
        if message_id == self._last[0] and message_id:
            return self._last[1]
        me = self._latest = object()
        self.wake()
        while self._closed or not self.ready:
            if self._closed:
                raise faults.aborted()
            waiter = self._waiter = asyncio.get_running_loop().create_future()
            try:
                await asyncio.wait_for(waiter, limit)
            except TimeoutError:
                raise faults.timed_out() from None
            finally:
                if self._waiter is waiter:
                    self._waiter = None
            if self._latest is not me:
                raise faults.aborted() if self._latest is not None else faults.stream_disconnected()
        body = self.take(envelope_size - _ENVELOPE)
        self._last = (message_id, body)
        return body


class MessageOutbox(Outbox):
    """PSRP messages, one fragment a Stream (rules R31-R37)."""

    def __init__(self, command_id: str = "") -> None:
        """`command_id` is empty for a pool."""
        super().__init__()
        self._command_id = command_id
        self._queue: deque[Outgoing] = deque()
        self.waits_for_host = False
        """A host call wants its answer before the pipeline can go on."""
        self._over = False

    @property
    def ready(self) -> bool:
        """Whether a message waits."""
        return bool(self._queue)

    def put(self, message: Outgoing) -> None:
        """One more message; who waits gets it when the loop comes to it, with all that was put until then."""
        self._queue.append(message)
        self.wake()

    def take(self, room: int) -> str:
        """As many whole messages as there is room for; a message that fits into no answer is cut."""
        attributes = f' CommandId="{self._command_id}"' if self._command_id else ""
        parts: list[str] = []
        while self._queue:
            message = self._queue[0]
            free = (room - STREAM_ROOM) // 4 * 3
            if parts and (message.left > free or (not message.begun and len(message.data) + 21 > free)):
                break
            fragment = message.cut(max(free, _SMALLEST_CUT))
            text = base64.b64encode(fragment).decode()
            parts.append(f'<rsp:Stream Name="stdout"{attributes}>{text}</rsp:Stream>')
            room -= len(parts[-1])
            if message.done:
                self._queue.popleft()
                self._over = self._over or message.ends
                if message.last_of_answer:
                    break
        return f"<rsp:ReceiveResponse>{''.join(parts)}{self._state()}</rsp:ReceiveResponse>"

    def _state(self) -> str:
        if not self._command_id or self._queue:
            return ""
        if self._over:
            return command_state(self._command_id, "Done", 0)
        return command_state(self._command_id, "Pending") if self.waits_for_host else ""


def command_state(command_id: str, state: Literal["Done", "Pending", "Running"], exit_code: int | None = None) -> str:
    """The last element of a Receive's answer (R33, R35)."""
    code = "" if exit_code is None else f"<rsp:ExitCode>{exit_code}</rsp:ExitCode>"
    return f'<rsp:CommandState CommandId="{command_id}" State="{_STATE}{state}">{code}</rsp:CommandState>'


@dataclass(kw_only=True, eq=False)
class Command:
    """One command of a shell; what runs it adds to this."""

    id: str
    outbox: Outbox
    running: bool = True
    line: str = ""
    """The command line, where there is one."""


@dataclass(kw_only=True, eq=False)
class Shell(ABC):
    """One shell of one user."""

    id: str
    resource: str
    owner: str
    client_ip: str
    address: str
    """The address that Create was sent to; the answer gives it back."""
    created: datetime
    last_used: datetime
    process_id: int
    idle_timeout: float = 7200.0
    locale: str = "en-US"
    data_locale: str = "en-US"
    input_streams: str = "stdin"
    output_streams: str = "stdout"
    session: str = ""
    """The SessionId of the client it is connected to."""
    connected: bool = True
    commands: dict[str, Command] = field(default_factory=dict[str, Command])

    @property
    @abstractmethod
    def outbox(self) -> Outbox | None:
        """Where a Receive without CommandId fetches; None where the shell has no output of its own."""

    @abstractmethod
    def command(self, request: soap.Request) -> Command:
        """Begin a command. Raises `Fault`."""

    @abstractmethod
    def send(self, stream: str, command_id: str, data: bytes, *, end: bool) -> None:
        """Input for the shell or one of its commands. Raises `Fault`."""

    @abstractmethod
    def stop(self, command: Command) -> None:
        """Interrupt a command; its output goes on until it has ended."""

    @abstractmethod
    def close(self) -> None:
        """The shell is gone with all its commands."""

    def find(self, command_id: str) -> Command:
        """The command of that id. Raises `Fault`."""
        found = self.commands.get(command_id.upper())
        if found is None:
            raise faults.no_command()
        return found

    def _outboxes(self) -> list[Outbox]:
        own = [] if self.outbox is None else [self.outbox]
        return own + [one.outbox for one in self.commands.values()]

    def idle(self, now: datetime) -> float:
        """Seconds in which nothing was wanted of it and nothing ran in it."""
        busy = any(one.running for one in self.commands.values()) or any(one.awaited for one in self._outboxes())
        if busy:
            self.last_used = now
        return (now - self.last_used).total_seconds()

    def asleep(self, now: datetime) -> bool:
        """Whether it counts as disconnected: by its client, or because it was idle for too long."""
        return not self.connected or self.idle(now) > self.idle_timeout

    def over(self, now: datetime) -> bool:
        """Whether it was disconnected for so long that the service removes it: its idle time once more [model]."""
        return self.idle(now) > self.idle_timeout * (2 if self.connected else 1)

    def disconnect(self) -> None:
        """Its client leaves it and may come back."""
        self.connected = False
        for one in self._outboxes():
            one.dismiss()

    def forget(self, command: Command) -> None:
        """The client is done with a command."""
        if command.running:
            self.stop(command)
        command.outbox.close()
        self.commands.pop(command.id, None)

    def describe(self, now: datetime, *, more: bool = False) -> str:
        """The `rsp:Shell` element (R41); `more` as in the answers to Get and Enumerate (R42)."""
        idle = self.idle(now) if more else 0.0
        inner = "".join(f"<rsp:{name}>{value}</rsp:{name}>" for name, value in self._fields(now, idle, more=more))
        return f'<rsp:Shell xmlns:rsp="{soap.WSMAN_SHELL}">{inner}</rsp:Shell>'

    def _fields(self, now: datetime, idle: float, *, more: bool) -> list[tuple[str, str]]:
        """Names and XML of the description's parts; `idle` in seconds."""
        text = soap.text
        fields = [
            ("ShellId", self.id),
            ("ResourceUri", text(self.resource)),
            ("Owner", text(self.owner)),
            ("ClientIP", self.client_ip),
            ("ProcessId", str(self.process_id)),
            ("IdleTimeOut", f"PT{self.idle_timeout:.3f}S"),
            ("InputStreams", text(self.input_streams)),
            ("OutputStreams", text(self.output_streams)),
            ("MaxIdleTimeOut", "PT2147483.647S"),
            ("Locale", text(self.locale)),
            ("DataLocale", text(self.data_locale)),
            ("CompressionMode", "NoCompression"),
            ("ProfileLoaded", "Yes"),
            ("Encoding", "UTF8"),
            ("BufferMode", "Block"),
            ("State", "Disconnected" if self.asleep(now) else "Connected"),
            ("ShellRunTime", span((now - self.created).total_seconds())),
            ("ShellInactivity", span(idle)),
        ]
        if more:
            fields += [("MemoryUsed", "58MB"), ("ChildProcesses", "0")]
        return fields


def span(seconds: float) -> str:
    """A time as WinRM writes it: `P0DT0H1M2S`."""
    left = max(int(seconds), 0)
    return f"P{left // 86400}DT{left % 86400 // 3600}H{left % 3600 // 60}M{left % 60}S"


def command_xml(command: Command) -> str:
    """A running command in the answer to Enumerate (R22)."""
    return (
        f'<rsp:Command xmlns:rsp="{soap.WSMAN_SHELL}"><rsp:CommandId>{command.id}</rsp:CommandId>'
        f"<rsp:CommandLine>{soap.text(command.line)}</rsp:CommandLine><rsp:CommandState>Running</rsp:CommandState></rsp:Command>"
    )

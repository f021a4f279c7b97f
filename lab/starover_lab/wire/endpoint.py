"""The seam between the wire and what runs behind it; knows neither SOAP nor Exchange.

The wire turns messages into calls of these protocols, the sessions of `starover_lab.cmdlets` implement them. All of it
runs in the one thread of the lab's event loop; a pipeline runs as a coroutine of `starover_lab.world.clock.Scheduler`
(a greenlet), so it may wait for simulated time in the middle of a plain call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, Protocol, runtime_checkable

from starover_lab.powershell.values import Value

__all__ = [
    "ClientHost",
    "Command",
    "CommandShell",
    "CommandShells",
    "Emit",
    "Endpoint",
    "EndpointRefused",
    "Pipeline",
    "Principal",
    "Process",
    "Runspace",
    "ScriptTask",
    "Scripts",
    "ShellOptions",
    "Stream",
    "Write",
]

Stream = Literal["output", "error", "warning", "verbose", "debug", "information", "progress"]
Emit = Callable[[Stream, Value], None]
"""Takes one record of one stream as soon as it exists. Error records are `values.ErrorRecord`, warnings are text."""


@dataclass(frozen=True, kw_only=True)
class Principal:
    """Who logged on, and how."""

    name: str
    """`EXAMPLE\\operator`."""
    logon: Literal["network", "service", "interactive"] = "network"
    """A network logon has nothing to delegate: no second hop (simulator.md section 11)."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """One command of a pipeline as PSRP's CreatePipeline carries it."""

    text: str
    is_script: bool
    use_local_scope: bool | None = None
    parameters: tuple[tuple[str | None, Value], ...] = ()
    """Name (None: positional argument) and value, in order."""
    end_of_statement: bool = False


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """What one client call wants run."""

    commands: tuple[Command, ...]
    input: tuple[Value, ...] = ()
    add_to_history: bool = False
    is_nested: bool = False
    invocation: int = 0
    """Number of this pipeline in its shell, from 1."""
    extra: dict[str, Value] = field(default_factory=dict[str, Value])
    host: ClientHost | None = None

    def with_input(self, given: tuple[Value, ...], host: ClientHost | None = None) -> Pipeline:
        """The same pipeline with its input, and with its client's host."""
        return replace(self, input=given, host=host)


class ClientHost(Protocol):
    """The host of a client, if it has one: what a pipeline may show and ask (MS-PSRP 2.2.3.17)."""

    @property
    def has_ui(self) -> bool:
        """Whether there is a user interface behind it; without one nothing can be shown or asked."""
        ...

    def tell(self, method: int, name: str, *arguments: Value) -> None:
        """Call a method without an answer."""
        ...

    def ask(self, method: int, name: str, *arguments: Value) -> Value:
        """Call a method and wait for its answer, in the pipeline's coroutine. Raises `Terminated` with the client's
        error, and `Stopped`.
        """
        ...


class Runspace(Protocol):
    """One open PowerShell session on one host."""

    def invoke(self, pipeline: Pipeline, emit: Emit, /) -> int | None:
        """Run to the end, in the caller's coroutine; returns the code of `exit`, None when nothing exited.

        Raises `values.Terminated` with the error record when the pipeline ends with a terminating error, and
        `values.Stopped` when `stop` ended it.
        """
        ...

    def stop(self) -> None:
        """Ask the pipeline under way to stop at its next wait or statement; called from outside its coroutine."""
        ...

    def close(self) -> None:
        """The shell is gone: release what the session held (imported Exchange sessions among it)."""
        ...


class EndpointRefused(Exception):
    """The endpoint does not open a session: the wire answers the fault with this code and text."""

    def __init__(self, code: int, message: str) -> None:
        """`code` is WSMan's decimal fault code (`facts/winrm.md`)."""
        super().__init__(message)
        self.code = code
        self.message = message


class Endpoint(Protocol):
    """What opens sessions on a host."""

    def authenticate(self, host: str, user: str, /) -> str | None:
        """The password of `user` (`DOMAIN\\name`, `name@domain` or `name`) on this host, or None if unknown."""
        ...

    def clock_error(self, host: str, /) -> float:
        """Seconds by which the host's clock is ahead of its domain's: Kerberos minds."""
        ...

    def open(self, host: str, configuration: str, principal: Principal, /) -> Runspace:
        """Open a session.

        `configuration` is `Microsoft.PowerShell` or `Microsoft.Exchange`. Raises `EndpointRefused`. May wait.
        """
        ...

    def boot(self, host: str, /) -> int:
        """A number that changes with every boot of the host: the shells of an earlier boot are gone."""
        ...

    def modes(self, host: str, /) -> Sequence[str]:
        """Faults of this host's listener now (`simulator.md` section 8).

        Any of `off`, `refused`, `silent`, `slow`, and of `drops-before`, `drops-after`: the connection of every script
        is reset before it runs, or when it has run.
        """
        ...


Write = Callable[[Literal["stdout", "stderr"], str], None]
"""Takes what a program writes, as it writes it."""


@dataclass(frozen=True, kw_only=True)
class ShellOptions:
    """What a client wants of a command shell."""

    environment: tuple[tuple[str, str], ...] = ()
    """Variables besides those of the host, name and value."""
    working_directory: str = ""


class Process(Protocol):
    """One command line of a command shell; it may be run once."""

    @property
    def reads_input(self) -> bool:
        """Whether it wants its standard input whole before it can begin."""
        ...

    def run(self, given: str, write: Write, /) -> int:
        """Run to the end, in the caller's coroutine; returns the exit code. Raises `Stopped` when `stop` ended it.

        `given` is the standard input; empty when it reads none.
        """
        ...

    def stop(self) -> None:
        """Ctrl-C: end it at its next wait or statement; called from outside its coroutine."""
        ...


class CommandShell(Protocol):
    """One open WinRS shell: every command is a process of its own."""

    def process(self, line: str, /) -> Process:
        """What `cmd.exe /c LINE` would be. Begins nothing."""
        ...

    def close(self) -> None:
        """The shell is gone."""
        ...


@runtime_checkable
class CommandShells(Protocol):
    """An endpoint that opens command shells too; without it the wire refuses them."""

    def open_commands(self, host: str, principal: Principal, options: ShellOptions, /) -> CommandShell:
        """Open a shell (`windows/shell/cmd`). Raises `EndpointRefused`. May wait."""
        ...


class ScriptTask(Protocol):
    """One script under way (`world.clock.Task`)."""

    @property
    def error(self) -> BaseException | None:
        """What it ended with, if it raised."""
        ...

    def stop(self, error: BaseException | None = None) -> None:
        """Raise `error` in it, at its present or next wait."""
        ...


class Scripts(Protocol):
    """What takes scripts in: the scheduler, made to run whenever something has happened to it."""

    @property
    def now(self) -> datetime:
        """Simulated time, aware, UTC."""
        ...

    def spawn(
        self, host: str, body: Callable[[], None], done: Callable[[ScriptTask], None], *, preliminary: bool = False
    ) -> ScriptTask:
        """Run `body` as a coroutine of the simulation and call `done` when it has ended, neither before this returns.

        `preliminary`: it opens a session, and is not one of the scripts that a client announced.
        """
        ...

    def pause(self) -> ScriptTask:
        """Suspend the script that calls until `go_on` with its task, which this returns then."""
        ...

    def go_on(self, task: ScriptTask) -> None:
        """End a script's pause."""
        ...

    def absent(self, host: str) -> None:
        """A client tried the host in vain: the script that it announced will not come."""
        ...

    def kick(self) -> None:
        """Run soon what can run now: after a task was told to stop."""
        ...

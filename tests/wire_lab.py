"""A WinRM host over a made-up endpoint, in a thread of its own, for tests of the wire; runs no PowerShell."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from starover_lab.cmdlets.sessions import Sessions
from starover_lab.powershell.errors import ErrorRecord, PSException, Stopped, Terminated
from starover_lab.powershell.values import Value
from starover_lab.pump import Pump
from starover_lab.tls import Authority
from starover_lab.wire.auth import forget
from starover_lab.wire.endpoint import Emit, Endpoint, EndpointRefused, Pipeline, Principal, ShellOptions, Write
from starover_lab.wire.host import Host, Options
from starover_lab.world.clock import Scheduler
from starover_lab.world.entities import Account
from starover_lab.world.world import World

RECORDINGS = Path(__file__).resolve().parents[1].parent / "shared" / "conformance" / "wsman"
"""What real WinRM servers answered; not part of this repository."""
USER, PASSWORD = "EXAMPLE\\operator", "Correct-Horse-7"

Act = Callable[["FakeRunspace", Pipeline, Emit], int | None]
Program = Callable[[str, Write], int]
T = TypeVar("T")


def error(message: str, *, error_id: str = "Made", category: str = "InvalidOperation") -> ErrorRecord:
    return ErrorRecord(
        exception=PSException("System.Management.Automation.RuntimeException", message),
        error_id=error_id,
        category=category,
    )


class FakeRunspace:
    def __init__(self, endpoint: FakeEndpoint, principal: Principal, configuration: str) -> None:
        self.endpoint = endpoint
        self.principal = principal
        self.configuration = configuration
        self.ran: list[Pipeline] = []
        self.closed = False
        self.stopping = False

    def wait(self, seconds: float) -> None:
        self.endpoint.scheduler.wait(seconds)
        if self.stopping:
            raise Stopped

    def invoke(self, pipeline: Pipeline, emit: Emit, /) -> int | None:
        self.ran.append(pipeline)
        if self.endpoint.invoke is not None:
            return self.endpoint.invoke(self, pipeline, emit)
        text = pipeline.commands[0].text
        self.endpoint.executed.append(text)
        act = self.endpoint.acts.get(text)
        if act is not None:
            return act(self, pipeline, emit)
        raise Terminated(error(f"The term '{text[:40]}' is not recognized", category="ObjectNotFound"))

    def stop(self) -> None:
        self.stopping = True

    def close(self) -> None:
        self.closed = True


class FakeProcess:
    """A program: `programs` says what it does, by its command line."""

    def __init__(self, endpoint: FakeEndpoint, line: str) -> None:
        self.endpoint = endpoint
        self.line = line
        self.reads_input = line in endpoint.readers
        self.stopped = False

    def run(self, given: str, write: Write, /) -> int:
        self.endpoint.executed.append(self.line)
        program = self.endpoint.programs.get(self.line) or self.endpoint.program
        if program is None:
            write("stderr", f"'{self.line}' is not recognized\r\n")
            return 1
        return program(given, write)

    def stop(self) -> None:
        self.stopped = True


class FakeCommands:
    def __init__(self, endpoint: FakeEndpoint, principal: Principal, options: ShellOptions) -> None:
        self.endpoint = endpoint
        self.principal = principal
        self.options = options
        self.processes: list[FakeProcess] = []
        self.closed = False

    def process(self, line: str, /) -> FakeProcess:
        self.processes.append(FakeProcess(self.endpoint, line))
        return self.processes[-1]

    def close(self) -> None:
        self.closed = True


class FakeEndpoint:
    """`acts` maps the text of a pipeline's first command to what it does."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.acts: dict[str, Act] = {}
        self.invoke: Act | None = None
        """Does every pipeline, in place of `acts`."""
        self.programs: dict[str, Program] = {}
        self.program: Program | None = None
        """Does every command line that `programs` has not."""
        self.readers: set[str] = set()
        """Command lines that read their standard input."""
        self.command_shells: list[FakeCommands] = []
        self.executed: list[str] = []
        self.runspaces: list[FakeRunspace] = []
        self.users = {USER: PASSWORD, "operator": PASSWORD, "operator@example.com": PASSWORD}
        self.faults: list[str] = []
        self.boots = 0
        self.refusal: EndpointRefused | None = None

    def says(self, text: str, *values: Value) -> None:
        def act(_: FakeRunspace, __: Pipeline, emit: Emit) -> None:
            for value in values:
                emit("output", value)

        self.acts[text] = act

    def authenticate(self, host: str, user: str, /) -> str | None:
        return {name.lower(): password for name, password in self.users.items()}.get(user.lower())

    def clock_error(self, host: str, /) -> float:
        return 0.0

    def open(self, host: str, configuration: str, principal: Principal, /) -> FakeRunspace:
        if self.refusal is not None:
            raise self.refusal
        made = FakeRunspace(self, principal, configuration)
        self.runspaces.append(made)
        return made

    def open_commands(self, host: str, principal: Principal, options: ShellOptions, /) -> FakeCommands:
        if self.refusal is not None:
            raise self.refusal
        self.command_shells.append(FakeCommands(self, principal, options))
        return self.command_shells[-1]

    def boot(self, host: str, /) -> int:
        return self.boots

    def modes(self, host: str, /) -> Sequence[str]:
        return tuple(self.faults)


class WireLab:
    """One host, EX1, with its loop in a thread; used as a context manager."""

    def __init__(self, directory: Path, options: Options | None = None) -> None:
        self.scheduler = Scheduler(datetime(2026, 3, 7, 22, 0, tzinfo=UTC))
        self.endpoint = FakeEndpoint(self.scheduler)
        self._serves: Endpoint = self.endpoint
        self.ca_file = directory / "ca.pem"
        self._options = options
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> WireLab:
        authority = Authority("test lab")
        self.ca_file.write_bytes(authority.pem)
        tls = authority.server(["ex1.example.com", "localhost"], ["127.0.0.1"])
        self.pump = Pump(self.scheduler)
        self.host = Host("EX1", self._serves, self.pump, tls=tls, options=self._options, fqdn="ex1.example.com")
        self._thread.start()
        self.call(self.host.start)
        return self

    def __exit__(self, *_: object) -> None:
        self.now(self.host.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
        forget()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self._loop.run_until_complete(asyncio.sleep(0))

    def call(self, make: Callable[[], asyncio.Future[T]] | Callable[[], object]) -> object:
        """Run a coroutine function in the lab's loop."""
        return asyncio.run_coroutine_threadsafe(make(), self._loop).result(20)  # type: ignore[arg-type]

    def now(self, act: Callable[[], T]) -> T:
        """Run a plain function in the lab's thread."""
        done: Future[T] = Future()

        def run() -> None:
            try:
                done.set_result(act())
            except BaseException as problem:
                done.set_exception(problem)

        self._loop.call_soon_threadsafe(run)
        return done.result(20)

    def until(self, true: Callable[[], bool]) -> None:
        """Return when something has become true in the lab's thread."""
        for _ in range(2000):
            if self.now(true):
                return
            time.sleep(0.005)
        raise AssertionError("it did not come true")

    def set(self, *faults: str) -> None:
        """The line's modes from now on; listeners follow."""
        self.endpoint.faults = list(faults)
        self.call(self.host.follow)


class EstateLab(WireLab):
    """EX1 of a simulated estate, with the lab's own sessions."""

    def __init__(self, directory: Path, topology: str = "pa-4x2") -> None:
        super().__init__(directory)
        self.world = World.from_topology(topology)
        self.scheduler = self.world.scheduler
        self._serves = Sessions(self.world)

    @property
    def user(self) -> Account:
        """Who may log on."""
        return next(iter(self.world.state.accounts))

"""Scheduled tasks at work: a script started as SYSTEM, in the background, until it ends or its host does; no cmdlet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from starover_lab.cmdlets import command_line
from starover_lab.powershell.errors import Terminated, Unsupported
from starover_lab.powershell.values import Value
from starover_lab.wire.endpoint import Command, Pipeline, Runspace, Stream
from starover_lab.world.clock import Task
from starover_lab.world.entities import Account
from starover_lab.world.errors import WorldError
from starover_lab.world.names import same
from starover_lab.world.update_parts import ScheduledTask
from starover_lab.world.world import World

__all__ = ["SYSTEM_NAMES", "TaskRuns"]

SYSTEM_NAMES = {"SYSTEM", "NT AUTHORITY\\SYSTEM", "S-1-5-18", "LOCALSYSTEM"}
_RUNNING, _ENDED_BY_USER = 267009, 267014
_NOT_FOUND = 2147942402
"""The program or its script is not there (0x80070002)."""
_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))


@dataclass
class _Run:
    host: str
    boot: datetime
    task: ScheduledTask
    script: Task


@dataclass(eq=False)
class TaskRuns:
    """The tasks that run on all hosts of a lab."""

    world: World
    open: Callable[[str, Account], Runspace]
    """Opens a session on a host as somebody of that host, who can do anything there."""
    _runs: list[_Run] = field(default_factory=list["_Run"])

    def __post_init__(self) -> None:
        """Watch the hosts: a task dies with the one it runs on."""
        self.world.state.reviewers.append(self._review)

    def start(self, host: str, task: ScheduledTask) -> bool:
        """Begin a task, as it is registered now; False when it runs already and is ignored."""
        if task.running and task.multiple != "Parallel":
            return False
        if task.user.upper() not in SYSTEM_NAMES:
            raise Unsupported(f"a scheduled task as {task.user}: the lab runs tasks as SYSTEM")
        world, server = self.world, self.world.server(host)
        task.running += 1
        task.last_run, task.last_result = world.now, _RUNNING
        world.state.log.add("task_started", server.name, task=task.path + task.name)
        script = world.scheduler.spawn(
            server.name,
            lambda: self._work(server.name, task),
            lambda ended: self._ended(server.name, task, ended),
            background=True,
        )
        self._runs.append(_Run(server.name, server.boot_time, task, script))
        if task.limit is not None:
            world.scheduler.after(task.limit.total_seconds(), script.stop)
        return True

    def stop(self, host: str, task: ScheduledTask) -> None:
        """End what runs of a task."""
        for run in self._of(host, task):
            run.script.stop()

    def _of(self, host: str, task: ScheduledTask) -> list[_Run]:
        return [run for run in self._runs if same(run.host, host) and run.task is task]

    def _review(self) -> None:
        for run in self._runs:
            server = self.world.server(run.host)
            if server.power != "on" or server.boot_time != run.boot:
                run.script.stop()

    def _ended(self, host: str, task: ScheduledTask, script: Task) -> None:
        self._runs[:] = [run for run in self._runs if run.script is not script]
        task.running -= 1
        if script.error is not None:
            task.last_result = _ENDED_BY_USER
        self.world.state.log.add("task_ended", host, task=task.path + task.name, result=task.last_result)
        if script.error is not None and isinstance(script.error, Exception):
            raise script.error

    def _work(self, host: str, task: ScheduledTask) -> None:
        """The action: powershell.exe with a script or a command."""
        program = task.execute.rpartition("\\")[2].casefold().removesuffix(".exe")
        if program != "powershell":
            raise Unsupported(f"a scheduled task that runs {task.execute}")
        task.last_result = self.powershell(host, command_line.arguments(task.arguments), _nowhere)

    def powershell(self, host: str, words: list[str], emit: Callable[[Stream, Value], None]) -> int:
        """What powershell.exe does with these arguments as SYSTEM, in the caller's coroutine; its exit code."""
        files = [at for at, word in enumerate(words) if word.casefold() in ("-file", "-f", "/file")]
        parameters: tuple[tuple[str | None, Value], ...] = ()
        if files:
            at = files[0]
            command_line.powershell([*words[:at], "-Command", "exit"])  # the other switches must be such as it has
            try:
                content = self.world.server(host).files.read(words[at + 1])
            except (WorldError, IndexError):
                return _NOT_FOUND
            text = _text(content)
            parameters = _parameters(words[at + 2 :])
        else:
            call = command_line.powershell(words)
            if call.script is None:
                raise Unsupported("powershell.exe without a script")
            text = call.script
        return self._run(host, text, parameters, emit)

    def _run(
        self,
        host: str,
        text: str,
        parameters: tuple[tuple[str | None, Value], ...],
        emit: Callable[[Stream, Value], None],
    ) -> int:
        state = self.world.state
        account = Account(name="SYSTEM", netbios="NT AUTHORITY", dns_name=state.dns_name, password="")
        runspace = self.open(host, account)
        command = Command(text=text, is_script=True, use_local_scope=False, parameters=parameters)
        try:
            code = runspace.invoke(Pipeline(commands=(command,)), emit)
        except Terminated as error:
            state.log.add("task_failed", host, message=error.record.message)
            return 1
        finally:
            runspace.close()
        return code or 0


def _nowhere(_: Stream, __: Value) -> None:
    """A task has no console."""


def _text(content: bytes) -> str:
    """A script file's text; without a byte order mark Windows PowerShell takes the ANSI code page."""
    for mark, codec in _MARKS:
        if content.startswith(mark):
            return content[len(mark) :].decode(codec, "replace")
    return content.decode("cp1252", "replace")


def _parameters(words: list[str]) -> tuple[tuple[str | None, Value], ...]:
    """The arguments behind `-File script`: names with their values, texts all of them."""
    found: list[tuple[str | None, Value]] = []
    name: str | None = None
    for word in words:
        if word.startswith("-") and len(word) > 1 and not word[1].isdigit() and name is None:
            name = word[1:].removesuffix(":")
            continue
        found.append((name, word))
        name = None
    if name is not None:
        found.append((name, True))
    return tuple(found)

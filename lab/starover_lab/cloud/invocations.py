"""A Run Command invocation on its way: delivered, run as LocalSystem, timed out, cut; knows no API and no PowerShell.

Sources: facts/ssm.md (a, d) for what the agent does; everything happens in simulated time, as a coroutine of the
scheduler that arrives like a script over WinRM does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, Protocol, runtime_checkable

from starover_lab.cloud.errors import CloudError
from starover_lab.wire.endpoint import Write
from starover_lab.world.clock import Task, TaskStopped
from starover_lab.world.entities import Server
from starover_lab.world.events import Event
from starover_lab.world.world import World

__all__ = [
    "COMBINED",
    "STDERR",
    "STDOUT",
    "Agent",
    "Command",
    "Course",
    "Invocation",
    "Store",
    "combined",
    "cut",
    "reached",
]

Status = Literal["Pending", "InProgress", "Delayed", "Success", "Cancelled", "TimedOut", "Failed", "Cancelling"]
STDOUT, STDERR, COMBINED = 24_000, 8_000, 2_500
"""Characters that GetCommandInvocation gives of each, and ListCommandInvocations of both together."""
_CUT = b"--output truncated--"
_CUT_BOTH = "\n---Output truncated---"
_ERRORS = "\n----------ERROR-------\n"
_REBOOT = 3010
_AT_ONCE = 5
"""Commands that an agent runs side by side."""
_LOOK_S = 5.0
"""How often an undelivered command is tried again."""
_TERMINAL = ("Success", "Cancelled", "TimedOut", "Failed")
_COUNTS = ("Failed", "ExecutionTimedOut")
"""Details that count for MaxErrors."""

Store = Callable[[str, str, bytes], None]
"""Puts an object into S3: bucket, key, content. Raises `CloudError`."""

Patch = Callable[[Server, str, Mapping[str, Sequence[str]]], tuple[str, int]]
"""AWS-RunPatchBaseline on a host, in the caller's coroutine: host, instance, parameters; what it prints, exit code."""


@runtime_checkable
class Agent(Protocol):
    """Whoever runs scripts on the hosts."""

    def run_as_system(self, host: str, script: str, environment: Mapping[str, str], write: Write, /) -> int:
        """`powershell.exe -f` as LocalSystem, in the caller's coroutine; the exit code."""
        ...


class _Killed(TaskStopped):
    """The agent ends powershell.exe, and why."""

    def __init__(self, why: Literal["timeout", "cancel", "off"]) -> None:
        super().__init__()
        self.why = why


@dataclass(eq=False)
class Command:
    """One SendCommand. Times are simulated UTC."""

    id: str
    comment: str
    document: str
    parameters: Mapping[str, list[str]]
    requested: datetime
    timeout: int
    """Seconds within which it must begin."""
    execution: float
    """Seconds that it may run."""
    concurrency: int
    errors: int
    targets: list[dict[str, object]]
    bucket: str = ""
    prefix: str = ""
    invocations: dict[str, Invocation] = field(default_factory=dict[str, "Invocation"])
    """By instance, in the order in which they were named."""
    max_concurrency: str = "50"
    max_errors: str = "0"

    @property
    def script(self) -> str:
        """What is run."""
        return "\n".join(self.parameters.get("commands", ()))


@dataclass(eq=False)
class Invocation:
    """A command on one instance."""

    command: Command
    instance: str
    server: Server
    status: Status = "Pending"
    details: str = "Pending"
    code: int = -1
    began: datetime | None = None
    ended: datetime | None = None
    stdout: bytes = b""
    stderr: bytes = b""
    cancelled: bool = False
    cut_to: int = 0
    """Characters that are left of the output by a fault; 0: as AWS has it."""
    task: Task | None = None
    sent: bool = False
    """MaxConcurrency has let it begin; an error elsewhere does not stop it any more."""
    running: bool = False

    @property
    def terminal(self) -> bool:
        """Nothing of it changes any more."""
        return self.status in _TERMINAL

    @property
    def counts(self) -> bool:
        """Whether it is an error that MaxErrors counts."""
        return self.details in _COUNTS

    def path(self, stream: str) -> str:
        """Key of its output in S3."""
        step = "awsrunPowerShellScript"
        parts = (self.command.prefix.strip("/"), self.command.id, self.instance, step, f"0.{step}", stream)
        return "/".join(part for part in parts if part)


def reached(world: World, server: Server) -> bool:
    """Whether the agent of a host talks to its service now: a dead agent, host, network or zone does not."""
    state = world.state
    az = state.azs.get(server.az)
    return (
        state.answers(server)
        and not state.cloud.agents.get(server.name)
        and not server.cut_off
        and (az is None or az.state == "up")
        and all(passes(server, None) for passes in state.filters)
    )


def cut(content: bytes, longest: int) -> str:
    """Output as the API gives it: cut by bytes, a mark at its end."""
    if len(content) > longest:
        content = content[: longest - len(_CUT)] + _CUT
    return content.decode("utf-8", "replace")


def combined(stdout: bytes, stderr: bytes, longest: int = COMBINED) -> str:
    """Both together, as ListCommandInvocations has them."""
    out, err = stdout.decode("utf-8", "replace"), stderr.decode("utf-8", "replace")
    head = _ERRORS if err else ""
    room = longest - len(head)
    if len(out) + len(err) <= room:
        return out + head + err
    half = room // 2
    if len(err) <= half:
        return out[: room - len(_CUT_BOTH) - len(err)] + _CUT_BOTH + head + err
    if len(out) <= half:
        return out + head + err[: room - len(_CUT_BOTH) - len(out)] + _CUT_BOTH
    part = half - len(_CUT_BOTH)
    return out[:part] + _CUT_BOTH + head + err[:part] + _CUT_BOTH


def _as_seen(text: str, script: str) -> bytes:
    """Output on its way through the console's code page into the agent, which takes it for UTF-8."""
    return text.encode("utf-8") if "OutputEncoding" in script else text.encode("cp437", "replace")


class Course:
    """What becomes of the invocations of all commands."""

    def __init__(self, world: World, agent: Agent | None, store: Store, patch: Patch) -> None:
        """`patch`: what is done for a command without a script."""
        self._patch = patch
        self._world = world
        self._state = world.state
        self._agent = agent
        self._store = store
        self._running: list[Invocation] = []
        world.state.log.after.append(self._on_event)

    def begin(self, one: Invocation) -> None:
        """Send it on its way: it arrives as a script on its host does."""
        one.sent = self._turn(one)
        one.cut_to = self._state.cloud.cut_outputs.get(one.server.name, 0)
        own = not one.command.script  # nobody announced that anything of it comes to the host
        one.task = self._world.scheduler.spawn(one.server.name, lambda: self._go(one), _raise, preliminary=own)
        self._world.scheduler.answered_early(one.task)  # SendCommand's; of its end the client hears when he looks

    def cancel(self, one: Invocation) -> None:
        """Stop it; what powershell.exe started goes on."""
        if one.terminal:
            return
        one.cancelled = True
        if one.running and one.task is not None:
            one.status = one.details = "Cancelling"
            one.task.stop(_Killed("cancel"))
        else:
            self._end(one, "Cancelled", "Cancelled")

    def _on_event(self, event: Event) -> None:
        if event.kind == "host_off":
            for one in list(self._running):
                if one.running and one.server.name == event.subject and one.task is not None:
                    one.task.stop(_Killed("off"))

    # -- the course of one ---------------------------------------------------------------------------------------

    def _go(self, one: Invocation) -> None:
        late = self._state.cloud.deliveries.get(one.server.name, 0.0)
        self._world.scheduler.wait(max(late, self._state.tuning.ssm_deliver_s))
        if self._state.cloud.undeliverable.get(one.server.name) and not one.terminal:
            self._end(one, "Failed", "Undeliverable")
            return
        if self._delivered(one):
            self._execute(one)

    def _delivered(self, one: Invocation) -> bool:
        """Wait for its turn and for the agent."""
        command, latest = one.command, one.command.requested + timedelta(seconds=one.command.timeout)
        last = latest + timedelta(seconds=command.execution)
        dropped = "{{ssm:/" in command.script.replace(" ", "")  # amazon-ssm-agent issue 599
        while not one.terminal:
            now = self._state.now
            if not one.sent and sum(other.counts for other in command.invocations.values()) > command.errors:
                self._end(one, "Cancelled", "Terminated")
                break
            one.sent = turn = one.sent or self._turn(one)
            if turn and now <= latest and not dropped and reached(self._world, one.server):
                return self._free(one)
            if now >= last:
                self._end(one, "TimedOut", "DeliveryTimedOut")
                break
            if turn and (now - command.requested).total_seconds() >= command.timeout / 2:
                one.status = one.details = "Delayed"
            until = latest if now < latest else last
            self._world.scheduler.wait(min(_LOOK_S if now < latest else 60.0, (until - now).total_seconds()) or 0.1)
        return False

    def _turn(self, one: Invocation) -> bool:
        """Whether MaxConcurrency lets it begin: those before it come first."""
        before = list(one.command.invocations.values())
        waiting = [other for other in before[: before.index(one)] if not other.terminal]
        after = [other for other in before[before.index(one) + 1 :] if other.running]
        return len(waiting) + len(after) < one.command.concurrency

    def _free(self, one: Invocation) -> bool:
        """Wait until the agent has time for it."""
        while sum(other.server is one.server for other in self._running) >= _AT_ONCE and not one.terminal:
            self._world.scheduler.wait(1.0)
        return not one.terminal

    def _execute(self, one: Invocation) -> None:
        assert self._agent is not None
        assert one.task is not None
        one.status = one.details = "InProgress"
        one.began = self._state.now
        self._running.append(one)
        self._state.log.add("ssm_script", one.server.name, command=one.command.id)
        task = one.task
        try:
            while True:
                timer = self._world.scheduler.after(one.command.execution, lambda: task.stop(_Killed("timeout")))
                one.running = True
                try:
                    code = self._run(one, self._agent)
                finally:
                    one.running = False
                    timer.cancel()
                if code != _REBOOT:
                    break
                self._reboot(one)
        except _Killed as killed:
            self._killed(one, killed)
            raise
        finally:
            self._running.remove(one)
        one.code = code
        self._end(one, "Success" if code == 0 else "Failed", "Success" if code == 0 else "Failed")

    def _run(self, one: Invocation, agent: Agent) -> int:
        script = one.command.script
        if not script:
            said, code = self._patch(one.server, one.instance, one.command.parameters)
            one.stdout += said.encode()
            return code

        def write(stream: Literal["stdout", "stderr"], text: str) -> None:
            seen = _as_seen(text, script)
            if stream == "stdout":
                one.stdout += seen
            else:
                one.stderr += seen

        return agent.run_as_system(one.server.name, script, {"SSM_COMMAND_ID": one.command.id}, write)

    def _reboot(self, one: Invocation) -> None:
        """Exit code 3010: the machine restarts, and the script runs again from its beginning."""
        boot = one.server.boot_time
        self._world.restart_host(one.server.name)
        while one.server.boot_time == boot or not reached(self._world, one.server):
            self._world.scheduler.wait(_LOOK_S)

    def _killed(self, one: Invocation, killed: _Killed) -> None:
        if killed.why == "cancel":
            self._end(one, "Cancelled", "Cancelled")
        elif killed.why == "timeout":
            self._end(one, "TimedOut", "ExecutionTimedOut")
        else:  # the host went off below it: nobody tells the service, which waits for the end of its time
            assert one.began is not None
            left = (one.began + timedelta(seconds=one.command.execution) - self._state.now).total_seconds()

            def wait() -> None:
                self._world.scheduler.wait(left)
                if not one.terminal:
                    self._end(one, "TimedOut", "ExecutionTimedOut")

            self._world.scheduler.spawn(one.server.name, wait, preliminary=True)

    def _end(self, one: Invocation, status: Status, details: str) -> None:
        one.status, one.details, one.ended = status, details, self._state.now
        self._state.log.add("ssm", one.server.name, command=one.command.id, status=details)
        if one.command.bucket and one.began is not None:
            for stream, content in (("stdout", one.stdout), ("stderr", one.stderr)):
                if content:
                    self._upload(one, stream, content)

    def _upload(self, one: Invocation, stream: str, content: bytes) -> None:
        try:
            if self._state.cloud.refused.get("put_object"):
                raise CloudError("AccessDenied", "Access Denied")
            self._store(one.command.bucket, one.path(stream), content)
        except CloudError as error:  # the agent writes it into its own log, and that is all
            self._state.log.add("ssm_upload_failed", one.server.name, command=one.command.id, error=error.code)


def _raise(task: Task) -> None:
    if task.error is not None and not isinstance(task.error, TaskStopped):
        raise task.error

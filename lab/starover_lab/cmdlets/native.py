"""Programs that scripts call beside cmdlets: icacls, net, repadmin, shutdown, eseutil, powershell; knows no cmdlet.

What a program writes to its error stream arrives in a remote session as error records; its exit code is in
`$LASTEXITCODE` and fails nothing by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from starover_lab.cmdlets import ad_security, eseutil, files
from starover_lab.cmdlets.exsetup import NAME
from starover_lab.cmdlets.local_groups import NET_FAILURES, group_name, shown_name
from starover_lab.cmdlets.machine import Machine, given_list, machine
from starover_lab.cmdlets.task_runs import SYSTEM_NAMES
from starover_lab.powershell.command import CommandSpec, Invocation, Parameter
from starover_lab.powershell.errors import ErrorRecord, PSException
from starover_lab.powershell.text import to_string
from starover_lab.powershell.values import Unsupported, Value
from starover_lab.wire.endpoint import Stream
from starover_lab.world.entities import Server
from starover_lab.world.errors import WorldError
from starover_lab.world.names import same

__all__ = ["programs"]


class _Ended(NamedTuple):
    """What a program printed, and its exit code."""

    lines: list[str]
    errors: list[str]
    code: int


_Program = Callable[[Invocation, list[str]], _Ended]
_DONE = "The command completed successfully."


def _icacls(call: Invocation, arguments: list[str]) -> _Ended:
    lines, code = files.icacls(call, arguments)
    return _Ended(lines, [], code)


def _net(call: Invocation, arguments: list[str]) -> _Ended:
    verb = arguments[0].casefold() if arguments else ""
    if verb == "localgroup" and len(arguments) >= 2:
        return _localgroup(call, arguments[1], arguments[2:])
    if verb in {"start", "stop"} and len(arguments) == 2:
        return _net_service(call, arguments[1], start=verb == "start")
    if verb == "start" and len(arguments) > 2 and arguments[1].casefold() in {"clussvc", "cluster service"}:
        return _net_cluster(call, [one.casefold().lstrip("/-") for one in arguments[2:]])
    raise Unsupported(f"net.exe {' '.join(arguments)}: the lab does not simulate it")


def _system_error(number: int, text: str) -> _Ended:
    return _Ended([], [f"System error {number} has occurred.", text], 2)


def _localgroup(call: Invocation, asked: str, rest: list[str]) -> _Ended:
    here = machine(call)
    switches = [one.casefold() for one in rest if one.startswith("/")]
    members = [one for one in rest if not one.startswith("/")]
    if set(switches) - {"/add", "/delete"} or (members and len(switches) != 1):
        raise Unsupported(f"net.exe localgroup {' '.join(rest)}: the lab does not simulate it")
    call.wait(here.pace(here.world.state.tuning.write_s if members else here.world.state.tuning.read_s))
    try:
        group = group_name(here, asked)
        if not members:
            return _Ended(_group_lines(here, group), [], 0)
        act = here.world.windows.add_to_group if "/add" in switches else here.world.windows.remove_from_group
        for member in members:
            act(here.host, group, member)
    except WorldError as error:
        if error.data.get("object") == "account":
            text = f"There is no such global user or group: {error.data.get('name')}."
            return _Ended([], [text, "More help is available by typing NET HELPMSG 3783."], 2)
        if error.kind not in NET_FAILURES:
            return _system_error(1355, "The specified domain either does not exist or could not be contacted.")
        return _system_error(*NET_FAILURES[error.kind])
    return _Ended([_DONE, ""], [], 0)


def _group_lines(here: Machine, group: str) -> list[str]:
    names = [
        one.rpartition("\\")[2] if same(one.rpartition("\\")[0], here.host) else one
        for one in here.world.windows.group_members(here.host, group)
    ]
    head = [f"Alias name     {shown_name(here, group)}", "Comment        ", "", "Members", "", "-" * 79]
    return [*head, *names, _DONE, ""]


def _net_service(call: Invocation, name: str, *, start: bool) -> _Ended:
    here = machine(call)
    service = here.world.state.service(here.server, name)
    if service is None:
        return _system_error(1060, "The specified service does not exist as an installed service.")
    if (service.status == "Running") == start:
        text = "has already been started" if start else "is not started"
        return _Ended([], [f"The {service.display_name} service {text}."], 2)
    above = [] if start else here.world.services.running_dependents(here.server, service)
    if above:
        # net.exe asks first, and nobody is there to answer.
        names = [one.display_name for one in above]
        text = f"The following services are dependent on the {service.display_name} service."
        return _Ended([text, *names, ""], ["No valid response was provided."], 2)
    act = here.world.start_service if start else here.world.stop_service
    try:
        ends = act(here.host, service.name)
    except WorldError:
        return _system_error(
            1058,
            "The service cannot be started, either because it is disabled or because it has no "
            "enabled devices associated with it.",
        )
    call.wait(max((ends - here.world.now).total_seconds(), 0.0))
    done = "started" if start else "stopped"
    return _Ended([f"The {service.display_name} service was {done} successfully.", ""], [], 0)


_FORCED, _PREVENTED = {"fq", "forcequorum", "fixquorum"}, {"pq", "preventquorum"}


def _net_cluster(call: Invocation, switches: list[str]) -> _Ended:
    """`net start clussvc` with switches: /fq, /forcequorum, /pq."""
    here = machine(call)
    if set(switches) - _FORCED - _PREVENTED:
        raise Unsupported(f"net.exe start clussvc {' '.join(switches)}: the lab does not simulate it")
    service = here.world.state.service(here.server, "ClusSvc")
    if service is None:
        return _system_error(1060, "The specified service does not exist as an installed service.")
    if service.status == "Running":
        return _Ended([], [f"The {service.display_name} service has already been started."], 2)
    force, prevent = bool(_FORCED & set(switches)), bool(_PREVENTED & set(switches))
    try:
        ends = here.world.cluster_tasks.start(here.host, here.host, force=force, prevent=prevent)
    except WorldError:
        return _system_error(1058, "The service cannot be started, because it is disabled or is not configured.")
    call.wait(max((ends - here.world.now).total_seconds(), 0.0))
    return _Ended([f"The {service.display_name} service was started successfully.", ""], [], 0)


def _repadmin(call: Invocation, arguments: list[str]) -> _Ended:
    if not arguments or arguments[0].casefold() not in {"/syncall", "-syncall"}:
        raise Unsupported(f"repadmin.exe {' '.join(arguments)}: the lab does not simulate it")
    here = machine(call)
    if not here.server.is_dc and here.network_logon:
        return _Ended(
            [], ["SyncAll exited with fatal Win32 error: 8453 (0x2105):", "    Replication access was denied."], 5
        )
    try:
        ends = here.world.ad.sync(here.host)
    except WorldError:
        return _Ended(
            [], ["SyncAll reported the following errors:", "Error contacting server (network error): 1722"], 1
        )
    call.wait(max((ends - here.world.now).total_seconds(), here.world.state.tuning.read_s))
    return _Ended(["Syncing all NC's held on " + here.host + ".", "SyncAll terminated with no errors."], [], 0)


def _dsacls(call: Invocation, arguments: list[str]) -> _Ended:
    lines, code = ad_security.dsacls(call, arguments)
    return _Ended(lines, [], code)


def _shutdown(call: Invocation, arguments: list[str]) -> _Ended:
    here = machine(call)
    low = [one.casefold() for one in arguments]
    assert here.registry is not None
    pending = here.registry.shutdowns
    if low == ["/a"]:
        if here.host not in pending:
            text = "Unable to abort the system shutdown because no shutdown was in progress.(1116)"
            return _Ended([], [text], 1116)
        pending.pop(here.host).cancel()
        return _Ended([], [], 0)
    if "/r" not in low:
        raise Unsupported(f"shutdown.exe {' '.join(arguments)}: the lab does not simulate it")
    delay = float(arguments[low.index("/t") + 1]) if "/t" in low else 30.0
    if here.host in pending:
        return _Ended([], ["A system shutdown has already been scheduled.(1190)"], 1190)
    boot = here.server.boot_time

    def go() -> None:
        pending.pop(here.host, None)
        if here.server.boot_time == boot:
            here.world.windows.restart(here.host)

    pending[here.host] = here.world.scheduler.after(delay, go)
    return _Ended([], [], 0)


def _ipconfig(call: Invocation, arguments: list[str]) -> _Ended:
    low = arguments[0].casefold() if len(arguments) == 1 else ""
    if low == "/flushdns":
        call.wait(machine(call).world.state.tuning.read_s)
        return _Ended(["", "Windows IP Configuration", "", "Successfully flushed the DNS Resolver Cache."], [], 0)
    raise Unsupported(f"ipconfig.exe {' '.join(arguments)}: the lab does not simulate it")


def _powershell(call: Invocation, arguments: list[str]) -> _Ended:
    """A process of its own for a script file, as SYSTEM has it; it ends with whoever started it, who waits for it."""
    here = machine(call)
    runs = here.registry.task_runs if here.registry is not None else None
    if runs is None or here.caller.rpartition("\\")[2].upper() not in SYSTEM_NAMES:
        raise Unsupported(f"powershell.exe as a program of {here.caller}: the lab runs one as SYSTEM alone")

    def emit(stream: Stream, value: Value) -> None:
        if stream in ("output", "error"):
            raise Unsupported(f"powershell.exe as a program that writes something: {to_string(value)}")

    return _Ended([], [], runs.powershell(here.server.name, arguments, emit))


def _setup(call: Invocation, arguments: list[str]) -> _Ended:
    raise Unsupported(f"{call.spec.name} {' '.join(arguments)}: the lab does not simulate setup")


def _eseutil(call: Invocation, arguments: list[str]) -> _Ended:
    lines, code = eseutil.run(call, arguments)
    return _Ended(lines, [], code)


_PROGRAMS: dict[str, _Program] = {
    "icacls.exe": _icacls,
    "net.exe": _net,
    "shutdown.exe": _shutdown,
    "ipconfig.exe": _ipconfig,
    "powershell.exe": _powershell,
}
_DIRECTORY: dict[str, _Program] = {"repadmin.exe": _repadmin, "dsacls.exe": _dsacls}


def _stderr(text: str) -> ErrorRecord:
    record = ErrorRecord(
        exception=PSException("System.Management.Automation.RemoteException", text),
        error_id="NativeCommandError",
        category="NotSpecified",
        target=text,
    )
    record.unsigned = True
    return record


def _spec(name: str, program: _Program) -> CommandSpec:
    def body(call: Invocation) -> Iterator[Value]:
        ended = program(call, given_list(call.bound.get("ArgumentList")))
        call.runner.set_variable("LASTEXITCODE", ended.code, "global")
        yield from ended.lines
        for text in ended.errors:
            call.error(_stderr(text))

    return CommandSpec(
        name=name,
        body=body,
        parameters=(Parameter.of("ArgumentList", "object[]", remaining=True),),
    )


def programs(server: Server) -> Iterator[CommandSpec]:
    """The programs of a host; repadmin comes with AD's tools, Exchange's setup with Exchange."""
    found = _PROGRAMS | (_DIRECTORY if server.is_dc or server.exchange is not None else {})
    if server.exchange is not None:
        found = found | {NAME: _setup, eseutil.NAME: _eseutil}
    yield from (_spec(name, program) for name, program in found.items())

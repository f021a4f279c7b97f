"""The cmdlets of scheduled tasks; a task's script runs in this lab's own PowerShell, as SYSTEM, in the background.

Only what starts on demand is simulated: a trigger is kept and never fires. CIM objects made by New-* are plain until
they are registered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta

from starover_lab.cmdlets.cim_objects import chosen, cim, cim_array, cim_error, objects_of
from starover_lab.cmdlets.machine import Machine, machine, reading, switch
from starover_lab.cmdlets.net_enums import net_enum
from starover_lab.cmdlets.objects import moment, text_of
from starover_lab.cmdlets.prompts import may
from starover_lab.cmdlets.task_runs import SYSTEM_NAMES
from starover_lab.powershell.command import Body, Invocation
from starover_lab.powershell.values import PSEnum, PSObject, TimeSpan, UInt32, Unsupported, Value
from starover_lab.world.update_parts import ScheduledTask

__all__ = ["BODIES"]

_SPACE = "Root/Microsoft/Windows/TaskScheduler"


def _duration(length: timedelta | None) -> str:
    """A time span as the scheduler keeps it: `PT4H`; none is `PT0S`."""
    if length is None:
        return "PT0S"
    seconds = int(length.total_seconds())
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, seconds = divmod(rest, 60)
    clock = "".join(f"{number}{unit}" for number, unit in ((hours, "H"), (minutes, "M"), (seconds, "S")) if number)
    date = f"{days}D" if days else ""
    return f"P{date}" + (f"T{clock}" if clock or not date else "")


def _span(value: Value) -> timedelta | None:
    return timedelta(microseconds=value.ticks / 10) if isinstance(value, TimeSpan) else None


def new_action(call: Invocation) -> Iterator[Value]:
    """New-ScheduledTaskAction."""
    bound = call.bound
    yield cim(
        "MSFT_TaskExecAction",
        [
            ("Id", text_of(bound.get("Id")) or None),
            ("Arguments", text_of(bound.get("Argument")) or None),
            ("Execute", text_of(bound.get("Execute"))),
            ("WorkingDirectory", text_of(bound.get("WorkingDirectory")) or None),
        ],
        namespace=_SPACE,
    )


def new_principal(call: Invocation) -> Iterator[Value]:
    """New-ScheduledTaskPrincipal."""
    bound = call.bound
    yield cim(
        "MSFT_TaskPrincipal2",
        [
            ("DisplayName", None),
            ("GroupId", text_of(bound.get("GroupId")) or None),
            ("Id", text_of(bound.get("Id")) or "Author"),
            ("LogonType", net_enum("ScheduledTask.LogonTypeEnum", text_of(bound.get("LogonType")) or "None")),
            ("RunLevel", net_enum("ScheduledTask.RunLevelEnum", text_of(bound.get("RunLevel")) or "Limited")),
            ("UserId", text_of(bound.get("UserId")) or None),
        ],
        namespace=_SPACE,
    )


def new_settings(call: Invocation) -> Iterator[Value]:
    """New-ScheduledTaskSettingsSet; three days unless a limit is given."""
    bound = call.bound
    limit = _span(bound.get("ExecutionTimeLimit")) if "ExecutionTimeLimit" in bound else timedelta(days=3)
    several = text_of(bound.get("MultipleInstances")) or "IgnoreNew"
    yield cim(
        "MSFT_TaskSettings3",
        [
            ("AllowDemandStart", not switch(bound.get("DisallowDemandStart"))),
            ("AllowHardTerminate", not switch(bound.get("DisallowHardTerminate"))),
            ("DisallowStartIfOnBatteries", not switch(bound.get("AllowStartIfOnBatteries"))),
            ("Enabled", not switch(bound.get("Disable"))),
            ("ExecutionTimeLimit", _duration(limit)),
            ("Hidden", switch(bound.get("Hidden"))),
            ("MultipleInstances", net_enum("ScheduledTask.MultipleInstancesEnum", several)),
            ("Priority", bound.get("Priority") or 7),
            ("StartWhenAvailable", switch(bound.get("StartWhenAvailable"))),
            ("StopIfGoingOnBatteries", not switch(bound.get("DontStopIfGoingOnBatteries"))),
        ],
        namespace=_SPACE,
    )


def new_trigger(call: Invocation) -> Iterator[Value]:
    """New-ScheduledTaskTrigger: kept, never fired."""
    yield cim("MSFT_TaskTrigger", [("Enabled", True), ("StartBoundary", None)], namespace=_SPACE)
    del call


# -- registered tasks


def _folder(path: str) -> str:
    parts = [part for part in path.replace("/", "\\").split("\\") if part]
    return "\\" + "".join(f"{part}\\" for part in parts)


def _state(task: ScheduledTask) -> str:
    return "Disabled" if task.disabled else "Running" if task.running else "Ready"


def _shown(task: ScheduledTask) -> PSObject:
    action = cim(
        "MSFT_TaskExecAction",
        [("Arguments", task.arguments), ("Execute", task.execute), ("WorkingDirectory", task.working_directory)],
        namespace=_SPACE,
    )
    principal = cim(
        "MSFT_TaskPrincipal2",
        [
            ("LogonType", net_enum("ScheduledTask.LogonTypeEnum", task.logon_type)),
            ("RunLevel", net_enum("ScheduledTask.RunLevelEnum", task.run_level)),
            ("UserId", task.user),
        ],
        namespace=_SPACE,
    )
    settings = cim(
        "MSFT_TaskSettings3",
        [
            ("Enabled", not task.disabled),
            ("ExecutionTimeLimit", _duration(task.limit)),
            ("MultipleInstances", net_enum("ScheduledTask.MultipleInstancesEnum", task.multiple)),
        ],
        namespace=_SPACE,
    )
    return cim(
        "MSFT_ScheduledTask",
        [
            ("State", net_enum("ScheduledTask.StateEnum", _state(task))),
            ("Actions", cim_array([action])),
            ("Author", task.author),
            ("Date", f"{task.registered:%Y-%m-%dT%H:%M:%S}"),
            ("Description", task.description or None),
            ("Principal", principal),
            ("Settings", settings),
            ("TaskName", task.name),
            ("TaskPath", task.path),
            ("Triggers", cim_array([])),
            ("URI", task.path + task.name),
            ("Version", None),
        ],
        namespace=_SPACE,
        text=f"MSFT_ScheduledTask (TaskName = {task.name!r}, TaskPath = {task.path!r})".replace("'", '"'),
    )


def _tasks(here: Machine) -> list[ScheduledTask]:
    return sorted(here.server.scheduled_tasks.values(), key=lambda one: one.key)


def _chosen(call: Invocation, bound: Mapping[str, Value]) -> list[ScheduledTask]:
    """The tasks that -TaskName, -TaskPath or -InputObject name; a plain name without one is reported."""
    here = machine(call)
    every = {f"{task.path}{task.name}": task for task in _tasks(here)}
    if bound.get("InputObject") is not None:
        keys = [_key(one) for one in objects_of(bound["InputObject"])]
        return [every[key] for key in keys if key in every]
    shown = [_shown(task) for task in every.values()]
    return [every[_key(one)] for one in chosen(call, bound, "MSFT_ScheduledTask", shown, "TaskName", "TaskPath")]


def _key(task: PSObject) -> str:
    return text_of(task.get("TaskPath")) + text_of(task.get("TaskName"))


def get_task(call: Invocation) -> Iterator[Value]:
    """Get-ScheduledTask."""
    for bound in call.records():
        reading(call)
        yield from (_shown(task) for task in _chosen(call, bound))


def get_info(call: Invocation) -> Iterator[Value]:
    """Get-ScheduledTaskInfo."""
    for bound in call.records():
        reading(call)
        for task in _chosen(call, bound):
            yield cim(
                "MSFT_TaskDynamicInfo",
                [
                    ("LastRunTime", moment(task.last_run)),
                    ("LastTaskResult", UInt32(task.last_result)),
                    ("NextRunTime", None),
                    ("NumberOfMissedRuns", UInt32(0)),
                    ("TaskName", task.name),
                    ("TaskPath", task.path),
                ],
                namespace=_SPACE,
            )


def _part(value: Value, name: str) -> str:
    found = value.get(name) if isinstance(value, PSObject) else None
    return found.name if isinstance(found, PSEnum) else text_of(found)


def register(call: Invocation) -> Iterator[Value]:
    """Register-ScheduledTask of one action, to be started on demand."""
    for bound in call.records():
        here = machine(call)
        if bound.get("Xml") is not None or bound.get("InputObject") is not None:
            raise Unsupported("Register-ScheduledTask by XML or object: the lab takes an action")
        call.wait(here.pace(here.world.state.tuning.write_s))
        actions = objects_of(bound.get("Action"))
        if len(actions) != 1:
            raise Unsupported("a scheduled task of several actions")
        made = _made(here, bound, actions[0])
        known = here.server.scheduled_tasks.get(made.key)
        if known is not None and not switch(bound.get("Force")):
            text = "Cannot create a file when that file already exists."
            cim_error(call, "0x800700b7", "ResourceExists", text, made.name)
            continue
        here.server.scheduled_tasks[made.key] = made
        here.world.state.log.add("task_registered", here.host, task=made.path + made.name, user=made.user)
        yield _shown(made)


def _made(here: Machine, bound: Mapping[str, Value], action: PSObject) -> ScheduledTask:
    principal, settings = bound.get("Principal"), bound.get("Settings")
    user = _part(principal, "UserId") if isinstance(principal, PSObject) else text_of(bound.get("User"))
    return ScheduledTask(
        path=_folder(text_of(bound.get("TaskPath"))),
        name=text_of(bound.get("TaskName")).strip("\\"),
        execute=_part(action, "Execute"),
        arguments=_part(action, "Arguments"),
        working_directory=_part(action, "WorkingDirectory"),
        user=user or here.caller,
        logon_type=_enum(principal, "LogonType", "ServiceAccount" if user.upper() in SYSTEM_NAMES else "Interactive"),
        run_level=_enum(principal, "RunLevel", text_of(bound.get("RunLevel")) or "Limited"),
        description=text_of(bound.get("Description")),
        limit=_limit(settings),
        multiple=_enum(settings, "MultipleInstances", "IgnoreNew"),
        author=here.caller,
        registered=here.world.now,
    )


def _enum(value: Value, name: str, default: str) -> str:
    found = value.get(name) if isinstance(value, PSObject) else None
    return default if found is None else _part(value, name)


def _limit(settings: Value) -> timedelta | None:
    """The time limit of a settings set; three days without one."""
    text = _part(settings, "ExecutionTimeLimit") if isinstance(settings, PSObject) else "P3D"
    days, _, clock = text.removeprefix("P").partition("T")
    seconds = int(days.removesuffix("D") or 0) * 86_400
    number = ""
    for sign in clock:
        if sign.isdigit():
            number += sign
        else:
            seconds += int(number) * {"H": 3600, "M": 60, "S": 1}[sign]
            number = ""
    return timedelta(seconds=seconds) if seconds else None


def start(call: Invocation) -> Iterator[Value]:
    """Start-ScheduledTask: returns at once."""
    for bound in call.records():
        here = reading(call)
        for task in _chosen(call, bound):
            if task.disabled:
                cim_error(call, "0x80041326", "NotSpecified", "The task is disabled.", task.name)
            elif here.registry is None or here.registry.task_runs is None:
                raise Unsupported("a scheduled task where no session can be opened")
            elif not here.registry.task_runs.start(here.host, task):
                here.world.state.log.add("task_ignored", here.host, task=task.path + task.name)
    yield from ()


def _each(act: Callable[[Machine, ScheduledTask], None]) -> Body:
    def body(call: Invocation) -> Iterator[Value]:
        for bound in call.records():
            here = machine(call)
            for task in _chosen(call, bound):
                if may(call, task.path + task.name):
                    call.wait(here.pace(here.world.state.tuning.write_s))
                    act(here, task)
                    if call.spec.name.startswith(("Disable", "Enable")):
                        yield _shown(task)

    return body


def _stop(here: Machine, task: ScheduledTask) -> None:
    if here.registry is not None and here.registry.task_runs is not None:
        here.registry.task_runs.stop(here.host, task)


def _forget(here: Machine, task: ScheduledTask) -> None:
    here.server.scheduled_tasks.pop(task.key, None)
    here.world.state.log.add("task_unregistered", here.host, task=task.path + task.name)


BODIES: dict[str, Body] = {
    "New-ScheduledTaskAction": new_action,
    "New-ScheduledTaskPrincipal": new_principal,
    "New-ScheduledTaskSettingsSet": new_settings,
    "New-ScheduledTaskTrigger": new_trigger,
    "Register-ScheduledTask": register,
    "Get-ScheduledTask": get_task,
    "Get-ScheduledTaskInfo": get_info,
    "Start-ScheduledTask": start,
    "Stop-ScheduledTask": _each(_stop),
    "Unregister-ScheduledTask": _each(_forget),
    "Disable-ScheduledTask": _each(lambda _, task: setattr(task, "disabled", True)),
}

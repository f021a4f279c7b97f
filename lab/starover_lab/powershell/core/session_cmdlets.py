"""Cmdlets about the session itself: variables, commands, strict mode, the date, sleeping."""

from __future__ import annotations

import re
from collections.abc import Iterator

from starover_lab.powershell import dates
from starover_lab.powershell.command import CommandSpec, Invocation, Parameter
from starover_lab.powershell.convert import to_bool, to_string
from starover_lab.powershell.core.common import CORE, cmdlet, not_here, only_in_7
from starover_lab.powershell.errors import Unsupported
from starover_lab.powershell.text_operators import wildcard
from starover_lab.powershell.values import (
    DateTime,
    NetObject,
    Nothing,
    PSArray,
    PSEnum,
    PSHashtable,
    PSList,
    Value,
    base,
    fold,
)

__all__ = ["COMMANDS"]

_SMA = "System.Management.Automation"


def _names(value: Value) -> list[str]:
    inner = base(value)
    return [to_string(item) for item in (inner.items if isinstance(inner, PSArray | PSList) else [value])]


def _scope(call: Invocation) -> str | None:
    return to_string(call.bound["Scope"]) if "Scope" in call.bound else None


# -- variables


def _get_variable(call: Invocation) -> Iterator[Value]:
    if set(call.bound) - {"Name", "ValueOnly", "Scope"} or "Name" not in call.bound:
        raise Unsupported("Get-Variable with these parameters")
    for name in _names(call.bound["Name"]):
        if any(c in name for c in "*?["):
            raise Unsupported("Get-Variable with a wildcard")
        value = call.runner.get_variable(name, _scope(call))
        if isinstance(value, Nothing):
            text = f"Cannot find a variable with the name '{name}'."
            call.error(
                call.record(
                    "VariableNotFound", "ObjectNotFound", text, type_name=f"{_SMA}.ItemNotFoundException", target=name
                )
            )
        elif to_bool(call.bound.get("ValueOnly", False)):
            yield value
        else:
            shown = f"{_SMA}.PSVariable"
            yield NetObject(shown, shown, None, {"Name": name, "Value": value})


def _set_variable(call: Invocation) -> Iterator[Value]:
    if set(call.bound) - {"Name", "Value", "Scope"}:
        raise Unsupported("Set-Variable with these parameters")
    values = [bound["Value"] for bound in call.records() if "Value" in bound]
    yield from ()
    value = None if not values else values[0] if call.input is None or len(values) == 1 else PSArray(values)
    for name in _names(call.bound["Name"]):
        call.runner.set_variable(name, value, _scope(call))


def _new_variable(call: Invocation) -> Iterator[Value]:
    for name in _names(call.bound["Name"]):
        if not isinstance(call.runner.get_variable(name, _scope(call) or "local"), Nothing):
            raise Unsupported("New-Variable of one that is there")
    yield from _set_variable(call)


def _remove_variable(call: Invocation) -> Iterator[Value]:
    yield from ()
    for name in _names(call.bound["Name"]):
        if any(c in name for c in "*?[") or not call.runner.remove_variable(name, _scope(call)):
            raise Unsupported("Remove-Variable of what is not there")


# -- commands


def _parameters(spec: CommandSpec) -> PSHashtable:
    table = PSHashtable()
    for parameter in spec.parameters:
        shown = f"{_SMA}.ParameterMetadata"
        table.set(parameter.name, NetObject(shown, shown, None, {"Name": parameter.name}))
    for name in spec.common_names():
        shown = f"{_SMA}.ParameterMetadata"
        table.set(name, NetObject(shown, shown, None, {"Name": name}))
    return table


_TYPES = {"Cmdlet": 8, "Function": 2}


def command_info(spec: CommandSpec) -> NetObject:
    """What Get-Command gives."""
    return NetObject(
        f"{_SMA}.{spec.kind}Info",
        spec.name,
        spec,
        {
            "Name": spec.name,
            "CommandType": PSEnum(f"{_SMA}.CommandTypes", spec.kind, _TYPES[spec.kind]),
            "ModuleName": spec.module,
            "Source": spec.module,
            "Parameters": _parameters(spec),
        },
    )


def _get_command(call: Invocation) -> Iterator[Value]:
    if set(call.bound) - {"Name", "CommandType", "Module"} or "Name" not in call.bound:
        raise Unsupported("Get-Command with these parameters")
    kinds = [name.casefold() for name in _names(call.bound["CommandType"])] if "CommandType" in call.bound else None
    modules = [name.casefold() for name in _names(call.bound["Module"])] if "Module" in call.bound else None
    for bound in call.records():
        for name in _names(bound["Name"]):
            found = _matching(call, name)
            found = [s for s in found if kinds is None or s.kind.casefold() in kinds]
            found = [s for s in found if modules is None or s.module.casefold() in modules]
            if not found and not any(c in name for c in "*?["):
                text = (
                    f"The term '{name}' is not recognized as the name of a cmdlet, function, script file, or program."
                )
                call.error(
                    call.record(
                        "CommandNotFoundException",
                        "ObjectNotFound",
                        text,
                        type_name=f"{_SMA}.CommandNotFoundException",
                        target=name,
                    )
                )
            for spec in found:
                yield command_info(spec)


def _matching(call: Invocation, name: str) -> list[CommandSpec]:
    if not any(c in name for c in "*?["):
        one = call.runner.commands.find(name)
        if one is None and call.machine is None and not re.fullmatch(r"no[-\w]*", name):
            raise Unsupported(f"Get-Command {name}")
        return [] if one is None else [one]
    if call.machine is None:
        raise Unsupported("Get-Command with a wildcard")
    expression = wildcard(name)
    return sorted((s for s in call.runner.commands if expression.fullmatch(fold(s.name))), key=lambda s: s.name)


def _set_strict_mode(call: Invocation) -> Iterator[Value]:
    yield from ()
    if to_bool(call.bound.get("Off", False)):
        call.runner.set_strict(None)
        return
    version = to_string(call.bound.get("Version")).casefold()
    if version != "latest" and not re.fullmatch(r"[1-9](\.[0-9])?", version):
        raise Unsupported(f"Set-StrictMode -Version {version}")
    call.runner.set_strict(version)


# -- time


def _get_date(call: Invocation) -> Iterator[Value]:
    if set(call.bound) & {"UFormat", "DisplayHint"}:
        raise Unsupported("Get-Date -UFormat, -DisplayHint")
    for bound in call.records():
        given = bound.get("Date")
        date = given if isinstance(given, DateTime) else DateTime(call.runner.now().ticks, "Local")
        moment, fraction = dates.parts(date)
        parts = [moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second]
        for place, name in enumerate(("Year", "Month", "Day", "Hour", "Minute", "Second")):
            number = bound.get(name)
            if isinstance(number, int):
                parts[place] = int(number)
        milliseconds = bound.get("Millisecond")
        if isinstance(milliseconds, int):
            fraction = int(milliseconds) * 10_000 + fraction % 10_000
            if "Millisecond" in bound and given is None:
                # The clock's remainder below a millisecond is not known to be kept.
                fraction -= fraction % 10_000
        year, month, day, hour, minute, second = parts
        try:
            made = dates.from_parts(year, month, day, hour, minute, second, fraction)
        except dates.DateError:
            raise Unsupported("Get-Date of no real date") from None
        made = DateTime(made.ticks, date.kind)
        if "Format" not in bound:
            yield made
            continue
        spec = to_string(bound["Format"])
        if spec.casefold() in ("filedate", "filedateuniversal", "filedatetime", "filedatetimeuniversal"):
            raise Unsupported(f"Get-Date -Format {spec}")
        try:
            yield dates.format_date(made, spec)
        except dates.DateError:
            raise Unsupported(f"Get-Date -Format {spec}") from None


def _start_sleep(call: Invocation) -> Iterator[Value]:
    for bound in call.records():
        yield from ()
        seconds, milliseconds = bound.get("Seconds"), bound.get("Milliseconds")
        if isinstance(milliseconds, int):
            call.wait(int(milliseconds) / 1000)
        elif isinstance(seconds, int):
            call.wait(int(seconds))


def _not_negative(value: Value) -> str | None:
    if isinstance(value, int) and value < 0:
        return (
            f"The {int(value)} argument is less than the minimum allowed range of 0. Supply an argument that is "
            "greater than or equal to 0 and then try the command again."
        )
    return None


_NUMBERS = ("Year", "Month", "Day", "Hour", "Minute", "Second", "Millisecond")

COMMANDS = (
    cmdlet(
        "Get-Variable",
        _get_variable,
        Parameter.of("Name", "string[]", position=0, by_value=True, by_property=True),
        Parameter.of("ValueOnly", "switch"),
        Parameter.of("Scope", "string"),
        Parameter.of("Include", "string[]"),
        Parameter.of("Exclude", "string[]"),
    ),
    cmdlet(
        "Set-Variable",
        _set_variable,
        Parameter.of("Name", "string[]", mandatory=True, position=0),
        Parameter.of("Value", "object", position=1, by_value=True),
        *(Parameter.of(name, "object") for name in ("Description", "Option", "Visibility", "Include", "Exclude")),
        Parameter.of("Force", "switch"),
        Parameter.of("PassThru", "switch"),
        Parameter.of("Scope", "string"),
        should_process=True,
    ),
    cmdlet(
        "New-Variable",
        _new_variable,
        Parameter.of("Name", "string", mandatory=True, position=0),
        Parameter.of("Value", "object", position=1, by_value=True),
        *(Parameter.of(name, "object") for name in ("Description", "Option", "Visibility")),
        Parameter.of("Force", "switch"),
        Parameter.of("PassThru", "switch"),
        Parameter.of("Scope", "string"),
        should_process=True,
    ),
    cmdlet(
        "Remove-Variable",
        _remove_variable,
        Parameter.of("Name", "string[]", mandatory=True, position=0),
        Parameter.of("Force", "switch"),
        Parameter.of("Scope", "string"),
        should_process=True,
    ),
    cmdlet(
        "Get-Command",
        _get_command,
        Parameter.of("Name", "string[]", sets=["AllCommandSet"], position=0, by_value=True),
        Parameter.of("CommandType", "string[]", sets=["AllCommandSet"], aliases=["Type"]),
        Parameter.of("Module", "string[]", aliases=["PSSnapin"]),
        Parameter.of("Verb", "string[]", sets=["CmdletSet"]),
        Parameter.of("Noun", "string[]", sets=["CmdletSet"]),
        Parameter.of("All", "switch"),
        Parameter.of("Syntax", "switch"),
        Parameter.of("ParameterName", "string[]"),
        *(not_here(name) for name in ("ArgumentList", "FullyQualifiedModule", "ParameterType", "TotalCount")),
        *(not_here(name, "switch") for name in ("ListImported", "ShowCommandInfo")),
        module=CORE,
        default_set="CmdletSet",
    ),
    cmdlet(
        "Set-StrictMode",
        _set_strict_mode,
        Parameter.of("Off", "switch", sets=["Off"], mandatory=True),
        Parameter.of("Version", "object", sets=["Version"], mandatory=True, aliases=["v"]),
        module=CORE,
    ),
    cmdlet(
        "Get-Date",
        _get_date,
        Parameter.of("Date", "datetime", position=0, by_value=True, aliases=["LastWriteTime"]),
        *(Parameter.of(name, "int") for name in _NUMBERS),
        Parameter.of("DisplayHint", "object"),
        Parameter.of("Format", "string", sets=["net"]),
        Parameter.of("UFormat", "string", sets=["UFormat"]),
        only_in_7("AsUTC", "switch"),
        default_set="net",
    ),
    cmdlet(
        "Start-Sleep",
        _start_sleep,
        Parameter.of(
            "Seconds", "int", sets=["Seconds"], mandatory=True, position=0, by_value=True, validations=(_not_negative,)
        ),
        Parameter.of("Milliseconds", "int", sets=["Milliseconds"], mandatory=True, validations=(_not_negative,)),
        default_set="Seconds",
    ),
)

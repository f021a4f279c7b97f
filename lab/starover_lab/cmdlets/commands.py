"""Which commands a session has: Get-Command, modules and snap-ins; knows no remote session and runs no command."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from starover_lab.cmdlets.catalogue import snapin_commands
from starover_lab.cmdlets.exsetup import application
from starover_lab.cmdlets.machine import Machine, given_list, machine, switch, table
from starover_lab.cmdlets.net_enums import net_enum
from starover_lab.cmdlets.objects import product
from starover_lab.cmdlets.windows import fits, is_pattern
from starover_lab.powershell.command import Body, CommandSpec, Invocation
from starover_lab.powershell.errors import Terminated, Unsupported
from starover_lab.powershell.types import resolve
from starover_lab.powershell.values import NetObject, PSHashtable, PSList, PSObject, Value, Version, enumerate_

__all__ = ["BODIES", "SNAPIN", "Imported"]

SNAPIN = "Microsoft.Exchange.Management.PowerShell.SnapIn"
_SWITCHES = ("Verbose", "Debug", "WhatIf", "Confirm")
_SNAPINS = (SNAPIN, "Microsoft.Exchange.Management.PowerShell.E2010")
_SMA = "System.Management.Automation"
_NO_MODULES = {"", "ExchangePowerShell", "Microsoft.PowerShell.Core"}
"""What commands come from that is no module: programs, Exchange's own shell, a snap-in."""


@dataclass(frozen=True)
class Imported:
    """What stands behind a module that Import-PSSession made."""

    specs: tuple[CommandSpec, ...]


def _full_name(name: str) -> str:
    """A parameter's type; one that the language does not know is written in full already."""
    try:
        return resolve(name)
    except (Terminated, Unsupported):
        return name


def _info(here: Machine, spec: CommandSpec) -> PSObject:
    """A CmdletInfo, FunctionInfo or ApplicationInfo."""
    if _kind(spec) == "Application":
        return application(here.server, spec)
    parameters = PSHashtable()
    for one in spec.parameters:
        parameters.set(
            one.name,
            NetObject(
                f"{_SMA}.ParameterMetadata",
                f"{_SMA}.ParameterMetadata",
                properties={
                    "Name": one.name,
                    "ParameterType": _full_name(one.type),
                    "Aliases": PSList([*one.aliases]),
                    "IsDynamic": False,
                    "SwitchParameter": one.is_switch,
                },
            ),
        )
    for name, alias in spec.common_names().items():
        known: dict[str, Value] = {"Name": name, "Aliases": PSList([alias]), "IsDynamic": False}
        if name in _SWITCHES:
            known["SwitchParameter"] = True
        parameters.set(name, NetObject(f"{_SMA}.ParameterMetadata", f"{_SMA}.ParameterMetadata", properties=known))
    verb, _, noun = spec.name.partition("-")
    version = Version(*(int(part) for part in spec.version.split("."))) if spec.version else None
    return product(
        [f"{_SMA}.{spec.kind}Info", f"{_SMA}.CommandInfo", "System.Object"],
        [
            ("Name", spec.name),
            ("CommandType", net_enum("CommandTypes", spec.kind)),
            ("Verb", verb if noun else ""),
            ("Noun", noun),
            ("Source", spec.module),
            ("ModuleName", spec.module),
            ("Version", version),
            ("Parameters", parameters),
            ("Visibility", net_enum("SessionStateEntryVisibility", "Public")),
        ],
        text=spec.name,
    )


def _kind(spec: CommandSpec) -> str:
    return "Application" if spec.name.endswith(".exe") else spec.kind


def _wanted(spec: CommandSpec, bound: Mapping[str, Value]) -> bool:
    verb, _, noun = spec.name.partition("-")
    given = (
        (verb, given_list(bound.get("Verb"))),
        (noun, given_list(bound.get("Noun"))),
        (spec.module, given_list(bound.get("Module"))),
        (_kind(spec), [one for one in given_list(bound.get("CommandType")) if one.casefold() != "all"]),
    )
    parameters = given_list(bound.get("ParameterName"))
    return all(not patterns or any(fits(text, one) for one in patterns) for text, patterns in given) and (
        not parameters or any(fits(own.name, one) for own in spec.parameters for one in parameters)
    )


def _named(spec: CommandSpec, pattern: str) -> bool:
    """Whether a command has that name; a program is found without its extension too."""
    return fits(spec.name, pattern) or (_kind(spec) == "Application" and fits(spec.name.removesuffix(".exe"), pattern))


def get_command(call: Invocation) -> Iterator[Value]:
    """Get-Command among what the session has now."""
    for bound in call.records():
        commands = call.runner.commands
        names = given_list(bound.get("Name"))
        for name in names or ["*"]:
            plain = name.rpartition("\\")[2]
            if is_pattern(plain):
                candidates = sorted(commands, key=lambda spec: spec.name.casefold())
            else:
                candidates = [one for key in (plain, f"{plain}.exe") if (one := commands.find(key)) is not None]
            found = [spec for spec in candidates if _named(spec, plain) and _wanted(spec, bound)]
            yield from (_info(machine(call), spec) for spec in found)
            if not found and names and not is_pattern(plain):
                record = call.record(
                    "CommandNotFoundException",
                    "ObjectNotFound",
                    f"The term '{name}' is not recognized as the name of a cmdlet, function, script file, or operable "
                    "program. Check the spelling of the name, or if a path was included, verify that the path is "
                    "correct and try again.",
                    type_name=f"{_SMA}.CommandNotFoundException",
                    target=name,
                )
                call.error(record)


def _module(name: str) -> NetObject:
    return NetObject(
        f"{_SMA}.PSModuleInfo",
        name,
        properties={"Name": name, "ModuleType": net_enum("ModuleType", "Manifest"), "Version": Version(1, 0)},
    )


def import_module(call: Invocation) -> Iterator[Value]:
    """Import-Module: of a session's module (-ModuleInfo), or of one that the host has and that is there already."""
    for bound in call.records():
        for info in enumerate_(bound.get("ModuleInfo")) if bound.get("ModuleInfo") is not None else ():
            if isinstance(info, NetObject) and isinstance(info.state, Imported):
                for spec in info.state.specs:
                    table(call).add(spec)
            if switch(bound.get("PassThru")):
                yield info
        for name in given_list(bound.get("Name")):
            found = [one for one in _here(call) if fits(one, name)]
            if not found and not is_pattern(name):
                record = call.record(
                    "Modules_ModuleNotFound",
                    "ResourceUnavailable",
                    f"The specified module '{name}' was not loaded because no valid module file was found in any "
                    "module directory.",
                    type_name="System.IO.FileNotFoundException",
                    target=name,
                )
                call.error(record)
            if switch(bound.get("PassThru")):
                yield from (_module(one) for one in found)


def _here(call: Invocation) -> list[str]:
    """The modules whose cmdlets the session has."""
    loaded = {spec.module for spec in call.runner.commands if not spec.module.startswith("tmp_")}
    return sorted(loaded - _NO_MODULES)


def get_module(call: Invocation) -> Iterator[Value]:
    """Get-Module: what is loaded, proxies of remote sessions among it."""
    patterns = given_list(call.bound.get("Name")) or ["*"]
    loaded = sorted({spec.module for spec in table(call) if spec.module.startswith("tmp_")})
    for name in [*_here(call), *loaded]:
        if any(fits(name, pattern) for pattern in patterns):
            yield _module(name)


def _snapin(here: Machine, name: str) -> PSObject:
    return product(
        [f"{_SMA}.PSSnapInInfo", "System.Object"],
        [
            ("Name", name),
            ("PSVersion", Version(1, 0)),
            ("Description", "Admin Tasks for the Exchange Server"),
            ("Host", here.host),
        ],
        text=name,
    )


def add_snapin(call: Invocation) -> Iterator[Value]:
    """Add-PSSnapin: Exchange's own, on an Exchange server: live cmdlets that ask no role (not supported)."""
    for bound in call.records():
        here = machine(call)
        exchange = here.server.exchange
        for name in given_list(bound.get("Name")):
            known = [one for one in _SNAPINS if fits(one, name)] if exchange is not None else []
            if exchange is None or not known:
                record = call.record(
                    "AddPSSnapInRead",
                    "InvalidArgument",
                    f"The Windows PowerShell snap-in '{name}' is not installed on this computer.",
                    type_name=f"{_SMA}.PSArgumentException",
                    target=name,
                )
                call.error(record)
                continue
            call.wait(here.pace(here.world.state.tuning.exchange_import_s))
            here.provider = "snapin"
            here.snapins.append(known[0])
            for spec in snapin_commands(exchange.year):
                table(call).add(spec)
            if switch(bound.get("PassThru")):
                yield _snapin(here, known[0])


def get_snapin(call: Invocation) -> Iterator[Value]:
    """Get-PSSnapin: what is loaded, or with -Registered what could be."""
    here = machine(call)
    loaded = list(dict.fromkeys(here.snapins))
    names = list(_SNAPINS) if switch(call.bound.get("Registered")) and here.server.exchange is not None else loaded
    patterns = given_list(call.bound.get("Name")) or ["*"]
    yield from (_snapin(here, name) for name in names if any(fits(name, pattern) for pattern in patterns))


BODIES: dict[str, Body] = {
    "Get-Command": get_command,
    "Import-Module": import_module,
    "Get-Module": get_module,
    "Add-PSSnapin": add_snapin,
    "Get-PSSnapin": get_snapin,
}

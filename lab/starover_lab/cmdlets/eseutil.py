r"""eseutil.exe: a database's header (/mh) and recovery by its logs (/r), with its prints and codes; decides nothing.

The prints follow Exchange's own utility as published; a run that ends with an error has the engine's negative number as
exit code. What it is asked beside these two is refused.
"""

from __future__ import annotations

from starover_lab.cmdlets.machine import Machine, machine
from starover_lab.cmdlets.paths import Refused, provider_path, store
from starover_lab.powershell.command import Invocation
from starover_lab.powershell.values import Unsupported
from starover_lab.world.database_files import Header, header, in_use, of_file, recover
from starover_lab.world.database_parts import Copy, Database
from starover_lab.world.errors import WorldError
from starover_lab.world.files import clean_path
from starover_lab.world.storage import replay_speed

__all__ = ["NAME", "run"]

NAME = "eseutil.exe"
_LOGO = (
    "",
    "Extensible Storage Engine Utilities for Microsoft(R) Exchange Server",
    "Version 15.02",
    "Copyright (C) Microsoft Corporation. All Rights Reserved.",
    "",
)
_BAR = (
    "Performing soft recovery...",
    "                      Restore Status (% complete)",
    "",
    "          0    10   20   30   40   50   60   70   80   90  100",
    "          |----|----|----|----|----|----|----|----|----|----|",
    f"          {'.' * 51}",
    "",
)
_CODES = {
    "in_use": (-1032, "JET_errFileAccessDenied, Cannot access file, the file is locked or in use"),
    "file_not_found": (-1811, "JET_errFileNotFound, File not found"),
    "log_missing": (-528, "JET_errMissingLogFile, Current log file missing"),
    "required_log_missing": (-543, "JET_errRequiredLogFilesMissing, The required log files for recovery is missing."),
}


def run(call: Invocation, arguments: list[str]) -> tuple[list[str], int]:
    """`eseutil /mh FILE` and `eseutil /r BASE [/lPATH] [/sPATH] [/a]`: the lines it prints, and its exit code."""
    low = [one.casefold() for one in arguments]
    if low[:1] == ["/mh"] and len(low) == 2:
        return _dump(call, arguments[1])
    if low[:1] == ["/r"] and len(low) >= 2:
        return _recover(call, arguments[1], arguments[2:])
    raise Unsupported(f"{NAME} {' '.join(arguments)}: the lab does not simulate it")


def _dump(call: Invocation, given: str) -> tuple[list[str], int]:
    here = machine(call)
    call.wait(here.pace(here.world.state.tuning.read_s))
    path = _path(call, given)
    lines = [*_LOGO, "Initiating FILE DUMP mode...", f"         Database: {given}", ""]
    try:
        found = _header(call, here, path)
    except WorldError as error:
        code, _ = _CODES[error.kind]
        return _failed([*lines, f"Access to source database '{given}' failed with Jet error {code}."], error)
    state = "Clean Shutdown" if found.clean else "Dirty Shutdown"
    lines += [
        "DATABASE HEADER:",
        "        File Type: Database",
        "   Format ulMagic: 0x89abcdef",
        "   Engine ulMagic: 0x89abcdef",
        "         cbDbPage: 32768",
        f"            State: {state}",
        f"     Log Required: {found.low}-{found.high} (0x{found.low:x}-0x{found.high:x})",
        f"    Log Committed: 0-{found.high} (0x0-0x{found.high:x})",
        "   Log Recovering: 0 (0x0)",
        "         Shadowed: Yes",
    ]
    return _done(lines)


def _header(call: Invocation, here: Machine, path: str) -> Header:
    """Raises `in_use`, `file_not_found`."""
    for database, copy in _copies(here):
        if clean_path(database.edb_path).casefold() != path.casefold():
            continue
        if in_use(database, copy):
            raise WorldError("in_use", f"{path} is in use", path=path)
        if copy.files_present and not database.recovery:
            return header(here.world.state, database, copy)
    entry = store(call).get(path)
    found = of_file(entry) if entry is not None else None
    if found is None:
        raise WorldError("file_not_found", f"there is no database {path}", path=path)
    return found


def _recover(call: Invocation, base: str, options: list[str]) -> tuple[list[str], int]:
    here = machine(call)
    logs, system, lossy = "", "", False
    for one in options:
        match one[:2].casefold():
            case "/l":
                logs = one[2:].removeprefix(":")
            case "/s":
                system = one[2:].removeprefix(":")
            case "/a" if len(one) == 2:
                lossy = True
            case _:
                raise Unsupported(f"{NAME} /r {one}: the lab does not simulate it")
    lines = [
        *_LOGO,
        "Initiating RECOVERY mode...",
        f"    Logfile base name: {base}",
        f"            Log files: {logs or '<current directory>'}",
        f"         System files: {system or '<current directory>'}",
        "",
    ]
    folder = _path(call, logs or ".").casefold()
    found = next(
        (
            (database, copy)
            for database, copy in _copies(here)
            if database.log_prefix.casefold() == base.casefold()
            and clean_path(database.log_path).casefold() == folder
            and copy.files_present
        ),
        None,
    )
    if found is None:
        raise Unsupported(f"{NAME} /r {base} where no copy of a database has its logs")
    database, copy = found
    try:
        if not lossy:  # a copy has no current log of its own
            raise WorldError("log_missing", "the current log is missing", path=folder)
        played = recover(here.world.state, database, copy)
    except WorldError as error:
        return _failed([*lines, *_BAR], error)
    call.wait(
        here.pace(here.world.state.tuning.read_s) + played / replay_speed(here.world.state, database, here.server)
    )
    return _done([*lines, *_BAR])


def _copies(here: Machine) -> list[tuple[Database, Copy]]:
    return [
        (database, copy)
        for database in here.world.state.databases
        if (copy := database.copies.get(here.server.name)) is not None
    ]


def _path(call: Invocation, given: str) -> str:
    try:
        return provider_path(call, given)
    except Refused:
        return clean_path(given)


def _done(lines: list[str]) -> tuple[list[str], int]:
    return [*lines, "", "Operation completed successfully in 0.125 seconds.", ""], 0


def _failed(lines: list[str], error: WorldError) -> tuple[list[str], int]:
    code, name = _CODES[error.kind]
    return [*lines, "", f"Operation terminated with error {code} ({name}) after 0.16 seconds.", ""], code

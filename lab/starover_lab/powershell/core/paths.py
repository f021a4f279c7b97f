"""Join-Path, Split-Path, Test-Path, Get-Item: names and variables only; a host with files brings its own."""

from __future__ import annotations

import re
from collections.abc import Iterator

from starover_lab.powershell.command import ALL_SETS, InSet, Invocation, Parameter
from starover_lab.powershell.convert import to_string
from starover_lab.powershell.core.common import MANAGEMENT, cmdlet, not_here, only_in_7
from starover_lab.powershell.errors import Unsupported
from starover_lab.powershell.values import Nothing, PSArray, PSList, Value, base

__all__ = ["COMMANDS"]

# Folders that some system has at its root.
_ROOTS = frozenset(
    """bin boot cdrom dev etc home lib lib32 lib64 libx32 lost+found media mnt opt proc root run sbin snap srv sys tmp
    usr var app applications data library private system users volumes work workspace init""".split()  # noqa: SIM905
)


_DRIVES = frozenset("alias cert env function hkcu hklm temp variable wsman registry filesystem".split())  # noqa: SIM905


def _texts(value: Value) -> list[Value]:
    inner = base(value)
    return list(inner.items) if isinstance(inner, PSArray | PSList) else [value]


def exists(call: Invocation, path: str) -> bool:
    """Whether something of that name is there, as far as it can be told without a file system."""
    drive, colon, rest = path.partition(":")
    if colon and drive.casefold() in ("variable", "function", "env"):
        if drive.casefold() == "variable":
            return not isinstance(call.runner.get_variable(rest.strip("\\/")), Nothing)
        if drive.casefold() == "function":
            found = call.runner.commands.find(rest.strip("\\/"))
            return found is not None and found.kind == "Function"
        name = rest.strip("\\/")
        if not name or any(c in name for c in "*?[\\/"):
            raise Unsupported(f"the path {path}")
        return call.runner.environment(name) is not None
    if colon and len(drive) > 1 and drive.isalpha() and drive.casefold() not in _DRIVES:
        return False
    if colon or any(c in path for c in "*?[~") or not path:
        raise Unsupported(f"the path {path}")
    first = re.split(r"[\\/]", path.lstrip("\\/"))[0]
    if path[0] in "\\/" and first.casefold() in (*_ROOTS, ""):
        raise Unsupported(f"the path {path}")
    if path[0] not in "\\/" and first in (".", ".."):
        raise Unsupported(f"the path {path}")
    return False


def _test_path(call: Invocation) -> Iterator[Value]:
    if set(call.bound) - {"Path", "LiteralPath", "PathType"}:
        raise Unsupported("Test-Path with these parameters")
    for bound in call.records():
        literal = "LiteralPath" in bound
        given = bound.get("LiteralPath" if literal else "Path")
        if given is None:
            raise Unsupported("Test-Path of $null")
        for one in _texts(given):
            path = to_string(one)
            if not path:
                raise Unsupported("Test-Path of an empty path: an error in 5.1 only")
            if literal and any(c in path for c in "*?[") and ":" not in path and path[0] not in "\\/.~":
                yield False
            else:
                yield exists(call, path)


def _get_item(call: Invocation) -> Iterator[Value]:
    for bound in call.records():
        yield from ()
        for one in _texts(bound.get("Path", bound.get("LiteralPath"))):
            path = to_string(one)
            if path.startswith("variable:") or exists(call, path):
                raise Unsupported(f"Get-Item {path}")
            drive, colon, _ = path.partition(":")
            error_id, kind = ("DriveNotFound", "DriveNotFound") if colon else ("PathNotFound", "ItemNotFound")
            text = f"Cannot find path '{path}' because it does not exist."
            if colon:
                text = f"Cannot find drive. A drive with the name '{drive}' does not exist."
            full = f"System.Management.Automation.{kind}Exception"
            call.error(call.record(error_id, "ObjectNotFound", text, type_name=full, target=drive if colon else path))


def _join_path(call: Invocation) -> Iterator[Value]:
    if "Resolve" in call.bound:
        raise Unsupported("Join-Path -Resolve")
    for bound in call.records():
        child = to_string(bound.get("ChildPath"))
        for one in _texts(bound.get("Path")):
            parent = to_string(one)
            if call.machine is None and (not parent.startswith("/") and "/" not in parent and "\\" not in parent):
                call.differs("Join-Path: the separator is the platform's")
            separator = "\\" if call.machine is not None else "/"
            head = parent.replace("/" if separator == "\\" else "\\", separator)
            tail = child.replace("/" if separator == "\\" else "\\", separator)
            if call.machine is None and ("\\" in parent or "\\" in child):
                call.differs("Join-Path with a backslash")
            yield f"{head.rstrip(separator)}{separator}{tail.lstrip(separator)}"


def _split_path(call: Invocation) -> Iterator[Value]:
    wanted = set(call.bound) - {"Path", "LiteralPath"}
    for bound in call.records():
        for one in _texts(bound.get("Path", bound.get("LiteralPath"))):
            path = to_string(one)
            if call.machine is None and "\\" in path:
                call.differs("Split-Path with a backslash")
            trimmed = path.rstrip("\\/")
            place = max(trimmed.rfind("\\"), trimmed.rfind("/"))
            if wanted == {"Leaf"} and trimmed:
                yield trimmed[place + 1 :]
            elif wanted <= {"Parent"} and place > 0 and trimmed[place - 1] != ":":
                if call.machine is None:
                    call.differs("Split-Path -Parent: the separator is the platform's")
                yield trimmed[:place].replace("/", "\\")
            else:
                raise Unsupported(f"Split-Path {path}")


def _path(name: str = "Path") -> tuple[Parameter, Parameter]:
    return (
        Parameter(name=name, type="string[]", sets={name: InSet(mandatory=True, position=0, by_value=True)}),
        Parameter(
            name="LiteralPath",
            type="string[]",
            aliases=("PSPath",),
            sets={"LiteralPath": InSet(mandatory=True, by_property=True)},
        ),
    )


COMMANDS = (
    cmdlet(
        "Test-Path",
        _test_path,
        Parameter(
            name="Path",
            type="string[]",
            sets={"Path": InSet(mandatory=True, position=0, by_value=True)},
            allow_null=True,
            allow_empty_string=True,
            allow_empty_collection=True,
        ),
        _path()[1],
        Parameter.of("PathType", "string", aliases=["Type"]),
        Parameter.of("IsValid", "switch"),
        Parameter.of("Filter", "string"),
        Parameter.of("Include", "string[]"),
        Parameter.of("Exclude", "string[]"),
        Parameter.of("OlderThan", "datetime"),
        Parameter.of("NewerThan", "datetime"),
        not_here("Credential"),
        not_here("UseTransaction", "switch"),
        module=MANAGEMENT,
        default_set="Path",
    ),
    cmdlet(
        "Get-Item",
        _get_item,
        *_path(),
        Parameter.of("Filter", "string"),
        Parameter.of("Force", "switch"),
        *(not_here(name) for name in ("Include", "Exclude", "Credential", "Stream")),
        not_here("UseTransaction", "switch"),
        module=MANAGEMENT,
        default_set="Path",
    ),
    cmdlet(
        "Join-Path",
        _join_path,
        Parameter(
            name="Path",
            type="string[]",
            aliases=("PSPath",),
            sets={ALL_SETS: InSet(mandatory=True, position=0, by_value=True)},
        ),
        Parameter(
            name="ChildPath",
            type="string",
            sets={ALL_SETS: InSet(mandatory=True, position=1)},
            allow_null=True,
            allow_empty_string=True,
        ),
        Parameter.of("Resolve", "switch"),
        not_here("Credential"),
        not_here("UseTransaction", "switch"),
        only_in_7("AdditionalChildPath", "string[]"),
        module=MANAGEMENT,
    ),
    cmdlet(
        "Split-Path",
        _split_path,
        Parameter(name="Path", type="string[]", sets={ALL_SETS: InSet(position=0, by_value=True)}),
        Parameter.of("LiteralPath", "string[]"),
        *(
            Parameter.of(name, "switch")
            for name in ("Leaf", "Parent", "Qualifier", "NoQualifier", "Resolve", "IsAbsolute")
        ),
        not_here("Credential"),
        not_here("UseTransaction", "switch"),
        only_in_7("LeafBase", "switch"),
        only_in_7("Extension", "switch"),
        module=MANAGEMENT,
    ),
)

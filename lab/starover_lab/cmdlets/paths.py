"""Paths of a host's file system as PowerShell's provider sees them, and items as objects; changes nothing.

Another host's share is a second hop and refused, but to SYSTEM, which goes there as the server's own account. The
drives of other providers do not exist here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

from starover_lab.cmdlets.exsetup import files_of, version_info
from starover_lab.cmdlets.machine import given_list, machine
from starover_lab.cmdlets.net_enums import net_enum
from starover_lab.cmdlets.objects import moment, product
from starover_lab.cmdlets.windows import fits, is_pattern
from starover_lab.powershell.command import Invocation
from starover_lab.powershell.values import ErrorRecord, Long, PSObject, Value
from starover_lab.world.errors import WorldError
from starover_lab.world.files import Entry, FileStore, clean_path, parent_of
from starover_lab.world.names import same
from starover_lab.world.remote_files import over_smb

__all__ = [
    "Refused",
    "asked_paths",
    "expand",
    "failed_io",
    "home",
    "item",
    "not_found",
    "provider_notes",
    "provider_path",
    "store",
]

_PROVIDER = "Microsoft.PowerShell.Core\\FileSystem"


class Refused(Exception):
    """A path cannot be used; carries the error record."""

    def __init__(self, record: ErrorRecord) -> None:
        super().__init__(record.message)
        self.record = record


def store(call: Invocation) -> FileStore:
    """The host's files."""
    return files_of(machine(call).server)


def not_found(call: Invocation, path: str) -> Refused:
    """There is nothing at that path."""
    return Refused(
        call.record(
            "PathNotFound",
            "ObjectNotFound",
            f"Cannot find path '{path}' because it does not exist.",
            type_name="System.Management.Automation.ItemNotFoundException",
            target=path,
        )
    )


def failed_io(call: Invocation, error_id: str, category: str, message: str, type_name: str, path: str) -> Refused:
    """An error of the file system."""
    return Refused(call.record(error_id, category, message, type_name=type_name, target=path))


def provider_path(call: Invocation, path: str) -> str:
    """A path as the file system has it. Raises `Refused` for another host's share and for a drive that is not here."""
    here = machine(call)
    plain = path.removeprefix("Microsoft.PowerShell.Core\\").removeprefix("FileSystem::").replace("/", "\\")
    if plain.startswith("\\\\"):
        return _over_smb(call, plain)
    drive, colon, rest = plain.partition(":")
    if not colon:
        return clean_path(f"{home(call)}\\{plain}")
    mounts = {one.mount[:2].casefold() for one in here.server.volumes} | {"c:"}
    if f"{drive}:".casefold() not in mounts:
        kind = "System.Management.Automation.DriveNotFoundException"
        message = f"Cannot find drive. A drive with the name '{drive}' does not exist."
        raise failed_io(call, "DriveNotFound", "ObjectNotFound", message, kind, drive)
    return clean_path(f"{drive}:{rest}")


def _over_smb(call: Invocation, path: str) -> str:
    """A UNC path, where the session's identity may go there."""
    here = machine(call)
    denied = "System.UnauthorizedAccessException"
    if here.network_logon or not same(here.caller, "NT AUTHORITY\\SYSTEM"):
        raise failed_io(call, "ItemExistsUnauthorizedAccessError", "PermissionDenied", "Access is denied", denied, path)
    try:
        over_smb(here.world.state, here.server, path)
    except WorldError as error:
        if error.kind == "access_denied":
            message = f"Access to the path '{path}' is denied."
            raise failed_io(call, "UnauthorizedAccess", "PermissionDenied", message, denied, path) from None
        message = "The network path was not found."
        raise failed_io(call, "IOException", "WriteError", message, "System.IO.IOException", path) from None
    return clean_path(path)


def home(call: Invocation) -> str:
    """Where a session starts."""
    return f"C:\\Users\\{machine(call).caller.rpartition(chr(92))[2]}\\Documents"


def asked_paths(bound: Mapping[str, Value]) -> list[tuple[str, bool]]:
    """The paths given, each with whether it is literal."""
    literal = given_list(bound.get("LiteralPath"))
    return [(path, True) for path in literal] or [(path, False) for path in given_list(bound.get("Path"))]


def expand(call: Invocation, path: str, *, literal: bool) -> Iterator[Entry]:
    """What a path names: itself, or all that its wildcards fit. Raises `Refused`; a pattern without a hit is none."""
    files = store(call)
    if literal or not is_pattern(path):
        entry = files.get(provider_path(call, path))
        if entry is None:
            raise not_found(call, provider_path(call, path))
        yield entry
        return
    lead, *rest = provider_path(call, path).split("\\")
    yield from _below(files, lead, rest)


def _below(files: FileStore, folder: str, parts: list[str]) -> Iterator[Entry]:
    if not parts:
        entry = files.get(folder)
        if entry is not None:
            yield entry
        return
    if not is_pattern(parts[0]):
        yield from _below(files, f"{folder}\\{parts[0]}", parts[1:])
        return
    above = files.get(folder)
    if above is None or not above.folder:
        return
    for child in files.children(folder):
        if fits(child.name, parts[0]):
            yield from _below(files, child.path, parts[1:])


def provider_notes(path: str) -> list[tuple[str, Value]]:
    """The members that the provider adds to everything it hands out."""
    drive = path[:1].upper()
    above = parent_of(path)
    return [
        ("PSPath", f"{_PROVIDER}::{path}"),
        ("PSParentPath", f"{_PROVIDER}::{above}" if above else ""),
        ("PSChildName", path.rpartition("\\")[2]),
        ("PSDrive", _drive(drive)),
        ("PSProvider", _file_system()),
    ]


@lru_cache(maxsize=26)
def _drive(letter: str) -> PSObject:
    """Shared by all items of a drive, as in PowerShell."""
    return product(["System.Management.Automation.PSDriveInfo", "System.Object"], [("Name", letter)], text=letter)


@lru_cache(maxsize=1)
def _file_system() -> PSObject:
    """The one provider."""
    return product(
        ["System.Management.Automation.ProviderInfo", "System.Object"], [("Name", "FileSystem")], text=_PROVIDER
    )


def item(call: Invocation, entry: Entry, *, listed: bool = False) -> PSObject:
    """A FileInfo or DirectoryInfo; as text a listed one (Get-ChildItem) is its name, another its full path."""
    kind = "DirectoryInfo" if entry.folder else "FileInfo"
    full = entry.path + "\\" if entry.path.endswith(":") else entry.path
    stem, dot, extension = entry.name.rpartition(".")
    columns: list[tuple[str, Value]] = [
        ("Name", entry.name),
        ("FullName", full),
        ("Exists", True),
        ("Extension", f".{extension}" if dot else ""),
        ("BaseName", stem if dot and not entry.folder else entry.name),
        ("CreationTime", moment(entry.created)),
        ("CreationTimeUtc", moment(entry.created, utc=True)),
        ("LastAccessTime", moment(entry.modified)),
        ("LastAccessTimeUtc", moment(entry.modified, utc=True)),
        ("LastWriteTime", moment(entry.modified)),
        ("LastWriteTimeUtc", moment(entry.modified, utc=True)),
        ("Attributes", net_enum("FileAttributes", "Directory" if entry.folder else "Archive")),
        ("Mode", "d-----" if entry.folder else "-a----"),
        ("PSIsContainer", entry.folder),
    ]
    if not entry.folder:
        columns += [
            ("Length", Long(entry.size if entry.size is not None else len(entry.content))),
            ("DirectoryName", parent_of(entry.path)),
            ("IsReadOnly", False),
            ("VersionInfo", version_info(machine(call).server, entry)),
        ]
    made = product(
        [f"System.IO.{kind}", "System.IO.FileSystemInfo", "System.MarshalByRefObject", "System.Object"],
        columns,
        text=entry.name if listed else full,
    )
    for name, value in provider_notes(full):
        made.set(name, value)
    return made

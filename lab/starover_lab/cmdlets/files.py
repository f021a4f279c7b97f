"""The item cmdlets on a host's file system, and icacls.exe; knows no content cmdlet and no other host.

Creating is exclusive: of two that make the same file without -Force, one succeeds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from starover_lab.cmdlets import providers, registry, web_bindings
from starover_lab.cmdlets.drives import drive_of
from starover_lab.cmdlets.machine import given_list, switch
from starover_lab.cmdlets.objects import moment, product, text_of
from starover_lab.cmdlets.paths import (
    Refused,
    asked_paths,
    expand,
    failed_io,
    home,
    item,
    provider_path,
    store,
)
from starover_lab.cmdlets.prompts import may
from starover_lab.cmdlets.windows import fits
from starover_lab.powershell.command import Body, Invocation
from starover_lab.powershell.text import to_string
from starover_lab.powershell.values import DateTime, Unsupported, Value
from starover_lab.world.errors import WorldError
from starover_lab.world.files import Entry, FileStore, parent_of

__all__ = ["BODIES", "icacls"]

NON_INTERACTIVE = "Windows PowerShell is in NonInteractive mode. Read and Prompt functionality is not available."


def _kept(bound: Mapping[str, Value], entry: Entry) -> bool:
    """Whether -Filter, -Include and -Exclude let an item through."""
    only, out = given_list(bound.get("Include")), given_list(bound.get("Exclude"))
    pattern = text_of(bound.get("Filter"))
    return (
        (not pattern or fits(entry.name, pattern))
        and (not only or any(fits(entry.name, one) for one in only))
        and not any(fits(entry.name, one) for one in out)
    )


def get_item(call: Invocation) -> Iterator[Value]:
    """Get-Item."""
    for bound in call.records():
        for path, literal in asked_paths(bound):
            if drive_of(path) != "file":
                yield from providers.item(call, path)
                continue
            try:
                for entry in expand(call, path, literal=literal):
                    if _kept(bound, entry):
                        yield item(call, entry)
            except Refused as refused:
                call.error(refused.record)


def _listed(call: Invocation, bound: Mapping[str, Value], entry: Entry, depth: int) -> Iterator[Entry]:
    """What lies in a folder, and below as deep as asked for."""
    files = store(call)
    if not entry.folder:
        if _kept(bound, entry):
            yield entry
        return
    only_files, only_folders = switch(bound.get("File")), switch(bound.get("Directory"))
    children = files.children(entry.path)
    for child in [one for one in children if one.folder] + [one for one in children if not one.folder]:
        if _kept(bound, child) and not (only_files and child.folder) and not (only_folders and not child.folder):
            yield child
    if depth > 0:
        for child in children:
            if child.folder:
                yield from _listed(call, bound, child, depth - 1)


def get_child_item(call: Invocation) -> Iterator[Value]:
    """Get-ChildItem."""
    for bound in call.records():
        given = bound.get("Depth")
        depth = int(given) if isinstance(given, int) else (1000 if switch(bound.get("Recurse")) else 0)
        for path, literal in asked_paths(bound) or [(home(call), True)]:
            if drive_of(path) != "file":
                yield from providers.children(call, path)
                continue
            try:
                for entry in expand(call, path, literal=literal):
                    for child in _listed(call, bound, entry, depth):
                        below = child.path[len(entry.path) + 1 :] if child is not entry else child.name
                        yield below if switch(bound.get("Name")) else item(call, child, listed=True)
            except Refused as refused:
                call.error(refused.record)


def _ticks(value: Value) -> int | None:
    return value.ticks if isinstance(value, DateTime) else None


def test_path(call: Invocation) -> Iterator[Value]:
    """Test-Path: a drive or a share that is not to be had is no path."""
    for bound in call.records():
        kind = text_of(bound.get("PathType")) or "Any"
        for path, literal in asked_paths(bound):
            if drive_of(path) != "file":
                yield providers.exists(call, path, kind)
                continue
            try:
                found = [entry for entry in expand(call, path, literal=literal) if _kept(bound, entry)]
            except Refused:
                found = []
            newer, older = _ticks(bound.get("NewerThan")), _ticks(bound.get("OlderThan"))
            yield any(
                (kind == "Any" or entry.folder == (kind == "Container"))
                and (newer is None or (when := _ticks(moment(entry.modified))) is None or when > newer)
                and (older is None or (when := _ticks(moment(entry.modified))) is None or when < older)
                for entry in found
            )


def _full(call: Invocation, bound: Mapping[str, Value]) -> list[str]:
    name = text_of(bound.get("Name"))
    paths = given_list(bound.get("Path")) or [home(call)]
    return [provider_path(call, f"{path}\\{name}" if name else path) for path in paths]


def new_item(call: Invocation) -> Iterator[Value]:
    """New-Item: a file (new, unless -Force) or a folder with all above it."""
    for bound in call.records():
        if any(drive_of(path) == "web" for path in given_list(bound.get("Path"))):
            yield from web_bindings.new_item(call, bound)
            continue
        keys = [path for path in given_list(bound.get("Path")) if drive_of(path) == "registry"]
        if keys:
            for path in keys:
                yield from registry.new_key(call, path)
            continue
        kind = (text_of(bound.get("ItemType")) or "File").casefold()
        if kind not in {"file", "directory"}:
            raise Unsupported(f"New-Item -ItemType {kind}: the lab's file system has files and folders")
        try:
            for path in _full(call, bound):
                action = "Create Directory" if kind == "directory" else "Create File"
                if may(call, f"Destination: {path}", action):
                    make = _make_folder if kind == "directory" else _make_file
                    yield item(call, make(call, path, bound))
        except Refused as refused:
            call.error(refused.record)


def _make_folder(call: Invocation, path: str, bound: Mapping[str, Value]) -> Entry:
    existing = store(call).get(path)
    if existing is not None and not (existing.folder and switch(bound.get("Force"))):
        message = f"An item with the specified name {path} already exists."
        raise failed_io(call, "DirectoryExist", "ResourceExists", message, "System.IO.IOException", path)
    return store(call).make_folder(path)


def _make_file(call: Invocation, path: str, bound: Mapping[str, Value]) -> Entry:
    content = to_string(bound.get("Value")).encode("utf-8", "surrogatepass")
    files = store(call)
    try:
        if switch(bound.get("Force")):
            files.make_folder(parent_of(path))
            return files.write(path, content)
        return files.create_new(path, content)
    except WorldError as error:
        if error.kind == "file_exists":
            message, type_name = f"The file '{path}' already exists.", "System.IO.IOException"
        elif error.kind == "is_directory":
            message, type_name = f"Access to the path '{path}' is denied.", "System.UnauthorizedAccessException"
        else:
            message, type_name = f"Could not find a part of the path '{path}'.", "System.IO.DirectoryNotFoundException"
        raise failed_io(call, "NewItemIOError", "WriteError", message, type_name, path) from error


def remove_item(call: Invocation) -> Iterator[Value]:
    """Remove-Item. A folder that is not empty needs -Recurse: the question otherwise asked cannot be answered here."""
    for bound in call.records():
        for path, literal in asked_paths(bound):
            if drive_of(path) == "web":
                web_bindings.remove_item(call, path)
                continue
            try:
                for entry in list(expand(call, path, literal=literal)):
                    if not _kept(bound, entry):
                        continue
                    files = store(call)
                    full = entry.folder and bool(files.children(entry.path))
                    if full and not switch(bound.get("Recurse")):
                        message = NON_INTERACTIVE
                        kind = "System.Management.Automation.PSInvalidOperationException"
                        raise failed_io(call, "InvalidOperation", "InvalidOperation", message, kind, entry.path)
                    action = "Remove Directory" if entry.folder else "Remove File"
                    if may(call, entry.path, action):
                        _remove(call, files, entry.path)
            except Refused as refused:
                call.error(refused.record)
    yield from ()


def _remove(call: Invocation, files: FileStore, path: str) -> None:
    try:
        files.remove(path)
    except WorldError as error:
        if error.kind != "in_use":
            raise
        busy = "The process cannot access the file because it is being used by another process."
        message = f"Cannot remove item {path}: {busy}"
        raise failed_io(
            call, "RemoveFileSystemItemIOError", "WriteError", message, "System.IO.IOException", path
        ) from error


_SYSTEM = ("NT AUTHORITY\\SYSTEM", "BUILTIN\\Administrators")


def get_acl(call: Invocation) -> Iterator[Value]:
    """Get-Acl: owner, and who has access."""
    for bound in call.records():
        for path, literal in asked_paths(bound):
            if drive_of(path) != "file":
                yield from providers.acl(call, path)
                continue
            try:
                entries = list(expand(call, path, literal=literal))
            except Refused as refused:
                call.error(refused.record)
                continue
            for entry in entries:
                who = entry.owners or (*_SYSTEM, "BUILTIN\\Users")
                kind = "Directory" if entry.folder else "File"
                made = product(
                    [f"System.Security.AccessControl.{kind}Security", "System.Object"],
                    [
                        ("Owner", "BUILTIN\\Administrators"),
                        ("AccessToString", "\n".join(f"{name} Allow  FullControl" for name in who)),
                        ("AreAccessRulesProtected", bool(entry.owners)),
                        ("Path", f"Microsoft.PowerShell.Core\\FileSystem::{entry.path}"),
                    ],
                )
                yield made


_SIDS = {"*S-1-5-18": "NT AUTHORITY\\SYSTEM", "*S-1-5-32-544": "BUILTIN\\Administrators"}


def icacls(call: Invocation, arguments: list[str]) -> tuple[list[str], int]:
    """`icacls.exe PATH /inheritance:r /grant:r WHO:RIGHTS...`: the lines it prints and its exit code."""
    if not arguments:
        raise Unsupported("icacls.exe without arguments")
    path, *options = arguments
    try:
        entry = store(call).get(provider_path(call, path))
    except Refused as refused:
        entry, reason = None, refused.record.message
    else:
        reason = "The system cannot find the file specified."
    if entry is None:
        return [f"{path}: {reason}", "Successfully processed 0 files; Failed processing 1 files"], 2
    granted: list[str] = []
    for option in options:
        low = option.casefold()
        if low in {"/inheritance:r", "/grant", "/grant:r", "/q", "/c", "/t"}:
            continue
        who, colon, _ = option.partition(":")
        if low.startswith("/") or not colon:
            raise Unsupported(f"icacls.exe {option}: the lab does not simulate it")
        granted.append(_SIDS.get(who.upper(), who))
    if "/inheritance:r" in (option.casefold() for option in options):
        entry.owners = ()
    entry.owners = tuple(dict.fromkeys((*entry.owners, *granted)))
    return [f"processed file: {path}", "Successfully processed 1 files; Failed processing 0 files"], 0


BODIES: dict[str, Body] = {
    "Get-Item": get_item,
    "Get-ChildItem": get_child_item,
    "Test-Path": test_path,
    "New-Item": new_item,
    "Remove-Item": remove_item,
    "Get-Acl": get_acl,
}

"""Move-Item and Copy-Item on a host's file system; knows no content and no other provider."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from starover_lab.cmdlets.machine import switch
from starover_lab.cmdlets.objects import text_of
from starover_lab.cmdlets.paths import Refused, asked_paths, expand, failed_io, item, provider_path, store
from starover_lab.cmdlets.prompts import may
from starover_lab.powershell.command import Body, Invocation
from starover_lab.powershell.values import Unsupported, Value
from starover_lab.world.errors import WorldError
from starover_lab.world.files import Entry

__all__ = ["BODIES"]

_RENAME_S = 0.0005
"""How long it takes to give one of a database's files another place [model]; there may be tens of thousands."""


def _target(call: Invocation, bound: Mapping[str, Value], entry: Entry) -> str:
    """Where an item goes: into a folder that is there, else to that very path."""
    given = text_of(bound.get("Destination"))
    if not given:
        raise Unsupported(f"{call.spec.name} without -Destination")
    path = provider_path(call, given)
    known = store(call).get(path)
    return f"{path}\\{entry.name}" if known is not None and known.folder else path


def _io(call: Invocation, error: WorldError, path: str) -> Refused:
    """What the file system refuses, as the provider tells it."""
    verb = call.spec.name.partition("-")[0]
    if error.kind == "file_exists":
        message = "Cannot create a file when that file already exists."
        return failed_io(call, f"{verb}FileInfoItemIOError", "WriteError", message, "System.IO.IOException", path)
    if error.kind == "in_use":
        message = "The process cannot access the file because it is being used by another process."
        return failed_io(call, f"{verb}FileInfoItemIOError", "WriteError", message, "System.IO.IOException", path)
    message = f"Could not find a part of the path '{path}'."
    kind = "System.IO.DirectoryNotFoundException"
    return failed_io(call, f"System.IO.DirectoryNotFoundException,{verb}", "ObjectNotFound", message, kind, path)


def _each(call: Invocation) -> Iterator[tuple[Mapping[str, Value], Entry]]:
    for bound in call.records():
        for path, literal in asked_paths(bound):
            try:
                yield from ((bound, entry) for entry in list(expand(call, path, literal=literal)))
            except Refused as refused:
                call.error(refused.record)


def move_item(call: Invocation) -> Iterator[Value]:
    """Move-Item; a file that is there is replaced with -Force only, in one step."""
    for bound, entry in _each(call):
        files = store(call)
        try:
            target = _target(call, bound, entry)
            if not may(call, f"Item: {entry.path} Destination: {target}", "Move File"):
                continue
            known = files.get(target)
            if known is not None and not known.folder and not entry.folder and switch(bound.get("Force")):
                files.remove(target)
            moved = files.move(entry.path, target)
        except WorldError as error:
            call.error(_io(call, error, entry.path).record)
            continue
        except Refused as refused:
            call.error(refused.record)
            continue
        if moved.size is not None:
            call.wait(_RENAME_S)
        if switch(bound.get("PassThru")):
            yield item(call, moved)


def copy_item(call: Invocation) -> Iterator[Value]:
    """Copy-Item; a file that is there is replaced."""
    for bound, entry in _each(call):
        try:
            target = _target(call, bound, entry)
            if not may(call, f"Item: {entry.path} Destination: {target}", "Copy File"):
                continue
            made = _copied(call, entry, target, deep=switch(bound.get("Recurse")))
        except WorldError as error:
            call.error(_io(call, error, text_of(bound.get("Destination"))).record)
            continue
        except Refused as refused:
            call.error(refused.record)
            continue
        if switch(bound.get("PassThru")):
            yield item(call, made)


def _copied(call: Invocation, entry: Entry, target: str, *, deep: bool) -> Entry:
    files = store(call)
    if not entry.folder:
        return files.write(target, entry.content)
    made = files.make_folder(target)
    if deep:
        for child in files.children(entry.path):
            _copied(call, child, f"{target}\\{child.name}", deep=True)
    return made


BODIES: dict[str, Body] = {"Move-Item": move_item, "Copy-Item": copy_item}

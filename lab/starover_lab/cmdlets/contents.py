"""Get-Content, Set-Content and Add-Content on a host's files, with Windows PowerShell 5.1's encodings."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping

from starover_lab.cmdlets.machine import switch
from starover_lab.cmdlets.objects import text_of
from starover_lab.cmdlets.paths import Refused, asked_paths, expand, failed_io, provider_notes, provider_path, store
from starover_lab.cmdlets.prompts import may
from starover_lab.cmdlets.windows import is_pattern
from starover_lab.powershell.command import Body, Invocation
from starover_lab.powershell.text import to_string
from starover_lab.powershell.values import Byte, Long, PSArray, PSList, PSObject, Unsupported, Value, enumerate_
from starover_lab.world.errors import WorldError
from starover_lab.world.files import Entry

__all__ = ["BODIES"]

_CODECS = {
    "": "cp1252",
    "default": "cp1252",
    "oem": "cp437",
    "string": "utf-16-le",
    "unknown": "utf-16-le",
    "ascii": "ascii",
    "utf7": "utf-7",
    "utf8": "utf-8",
    "unicode": "utf-16-le",
    "bigendianunicode": "utf-16-be",
    "utf32": "utf-32-le",
}
"""-Encoding of 5.1 to a codec; without one files are read and written in the ANSI code page."""
_MARKS = {
    "utf8": codecs.BOM_UTF8,
    "unicode": codecs.BOM_UTF16_LE,
    "string": codecs.BOM_UTF16_LE,
    "unknown": codecs.BOM_UTF16_LE,
    "bigendianunicode": codecs.BOM_UTF16_BE,
    "utf32": codecs.BOM_UTF32_LE,
}


def _encoding(bound: Mapping[str, Value]) -> str:
    name = text_of(bound.get("Encoding")).casefold()
    if name != "byte" and name not in _CODECS:
        raise Unsupported(f"-Encoding {name}: the lab does not simulate it")
    return name


def _text(content: bytes, encoding: str) -> str:
    """A file's text; a byte order mark decides before what was asked for."""
    for mark, codec in (
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):
        if content.startswith(mark):
            return content[len(mark) :].decode(codec, "replace")
    return content.decode(_CODECS[encoding], "replace")


def _lines(text: str) -> list[str]:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def _noted(text: str, entry: Entry, count: int) -> PSObject:
    """A string with the members that Get-Content adds to it."""
    return PSObject(
        [*provider_notes(entry.path), ("ReadCount", Long(count))],
        type_names=["System.String", "System.Object"],
        base_value=text,
    )


def _number(value: Value) -> int | None:
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else None


def get_content(call: Invocation) -> Iterator[Value]:
    """Get-Content: lines, or with -Raw the whole text."""
    for bound in call.records():
        for name in ("Delimiter", "Stream", "Wait"):
            if bound.get(name):
                raise Unsupported(f"Get-Content -{name}: the lab does not simulate it")
        for path, literal in asked_paths(bound):
            try:
                for entry in list(expand(call, path, literal=literal)):
                    yield from _content(call, entry, bound)
            except Refused as refused:
                call.error(refused.record)


def _content(call: Invocation, entry: Entry, bound: Mapping[str, Value]) -> Iterator[Value]:
    if entry.folder:
        message = f"Access to the path '{entry.path}' is denied."
        kind = "System.UnauthorizedAccessException"
        raise failed_io(call, "GetContentReaderUnauthorizedAccessError", "PermissionDenied", message, kind, entry.path)
    encoding = _encoding(bound)
    if encoding == "byte":
        yield from (Byte(one) for one in entry.content)
        return
    text = _text(entry.content, encoding)
    if switch(bound.get("Raw")):
        if text:
            yield _noted(text, entry, 1)
        return
    lines = _lines(text)
    total, tail = _number(bound.get("TotalCount")), _number(bound.get("Tail"))
    if total is not None and total >= 0:
        lines = lines[:total]
    if tail is not None and tail >= 0:
        lines = lines[len(lines) - tail :] if tail else []
    count = _number(bound.get("ReadCount"))
    if count not in {None, 1}:
        yield PSArray([_noted(line, entry, at) for at, line in enumerate(lines, 1)])
        return
    for at, line in enumerate(lines, 1):
        yield _noted(line, entry, at)


def _targets(call: Invocation, bound: Mapping[str, Value]) -> list[str]:
    found: list[str] = []
    for path, literal in asked_paths(bound):
        if literal or not is_pattern(path):
            found.append(provider_path(call, path))
        else:
            found += [entry.path for entry in expand(call, path, literal=False)]
    return found


def _write(call: Invocation, *, append: bool) -> None:
    """All values of the pipeline go into one writing of each file."""
    values: list[Value] = []
    last: Mapping[str, Value] = call.bound
    for bound in call.records():
        last = bound
        given = bound.get("Value")
        values += enumerate_(given) if isinstance(given, PSArray | PSList) else [given]
    encoding = _encoding(last)
    end = "" if switch(last.get("NoNewline")) else "\r\n"
    if encoding == "byte":
        content = bytes(int(one) & 255 for one in values if isinstance(one, int))
    else:
        text = "".join(to_string(one) + end for one in values)
        content = text.encode(_CODECS[encoding], "replace")
    try:
        for path in _targets(call, last):
            if not may(call, f"Path: {path}", "Add Content" if append else "Set Content"):
                continue
            files = store(call)
            existing = files.get(path)
            fresh = existing is None or not existing.content or not append
            try:
                files.write(path, (_MARKS.get(encoding, b"") if fresh else b"") + content, append=append)
            except WorldError as error:
                raise _unwritable(call, path, error) from error
    except Refused as refused:
        call.error(refused.record)


def _unwritable(call: Invocation, path: str, error: WorldError) -> Refused:
    if error.kind == "is_directory":
        message, kind = f"Access to the path '{path}' is denied.", "System.UnauthorizedAccessException"
        return failed_io(call, "GetContentWriterUnauthorizedAccessError", "PermissionDenied", message, kind, path)
    message = f"Could not find a part of the path '{path}'."
    kind = "System.IO.DirectoryNotFoundException"
    return failed_io(call, "GetContentWriterDirectoryNotFoundError", "ObjectNotFound", message, kind, path)


def set_content(call: Invocation) -> Iterator[Value]:
    """Set-Content."""
    _write(call, append=False)
    yield from ()


def add_content(call: Invocation) -> Iterator[Value]:
    """Add-Content."""
    _write(call, append=True)
    yield from ()


BODIES: dict[str, Body] = {"Get-Content": get_content, "Set-Content": set_content, "Add-Content": add_content}

"""Constructors of .NET types: what `New-Object` and `[type]::new()` make; knows no cmdlet."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from starover_lab.powershell import dates, netobjects, types
from starover_lab.powershell.convert import cast, to_string
from starover_lab.powershell.errors import PSException, Unsupported, known_exceptions
from starover_lab.powershell.values import (
    NetObject,
    PSArray,
    PSCredential,
    PSEnum,
    PSList,
    PSObject,
    SecureString,
    TimeSpan,
    Value,
    Version,
    base,
    custom_object,
)

__all__ = ["construct"]


def construct(full: str, given: Sequence[Value]) -> Value:
    """A new object of a type (`New-Object`, `[type]::new()`). Raises `Unsupported` for other types and arguments."""
    count = len(given)
    match full:
        case "pscustomobject" | "System.Management.Automation.PSObject" if not count:
            return custom_object([])
        case "System.Collections.ArrayList" if not count:
            return PSList()
        case "System.IO.MemoryStream" if not count:
            return netobjects.memory_stream()
        case "System.IO.Compression.GZipStream" if count == 2:
            target, mode = base(given[0]), cast(given[1], "System.IO.Compression.CompressionMode")
            if isinstance(target, NetObject) and isinstance(mode, PSEnum) and mode.name == "Compress":
                return netobjects.gzip_stream(target)
        case "System.Text.StringBuilder" if count <= 1:
            if not count or isinstance(base(given[0]), str):
                return netobjects.string_builder(to_string(given[0]) if count else "")
        case "System.Text.UTF8Encoding" if count <= 1:
            return netobjects.encoding("utf8")
        case "System.Version" if count in (2, 3, 4):
            numbers = [cast(value, "System.Int32") for value in given]
            return Version(*(int(n) for n in numbers if isinstance(n, int)))
        case "System.TimeSpan" if count in (3, 4):
            parts = [cast(value, "System.Int32") for value in given]
            units = (86_400, 3600, 60, 1)[-count:]
            total = sum(int(n) * unit for n, unit in zip(parts, units, strict=True) if isinstance(n, int))
            return TimeSpan(total * dates.TICKS_PER_SECOND)
        case "System.Security.SecureString" if not count:
            return SecureString("")
        case "System.Management.Automation.PSCredential" if count == 2:
            user, word = base(given[0]), base(given[1])
            if isinstance(user, str) and user and isinstance(word, SecureString):
                return PSCredential(str(user), word)
        case "Microsoft.Management.Infrastructure.CimInstance" if count == 1 and _is_cim(base(given[0])):
            return copy.deepcopy(given[0])
        case "System.Security.Principal.WindowsPrincipal" if count == 1:
            return NetObject(full, full, given[0])
        case _ if full.startswith("System.Collections.Generic.List[") and not count:
            return PSList([], full)
        case _ if full.endswith("Exception") and full in known_exceptions().values() and count <= 2:
            return _exception(full, given)
        case _ if full.endswith("[]") and count == 1:
            return _array(full, given[0])
        case _:
            pass
    raise Unsupported(f"New-Object {full} with {count} arguments")


def _is_cim(value: Value) -> bool:
    return isinstance(value, PSObject) and "Microsoft.Management.Infrastructure.CimInstance" in value.type_names


def _array(full: str, length: Value) -> Value:
    size = cast(length, "System.Int32")
    element = types.element_type(full)
    assert isinstance(size, int)
    if not 0 <= size <= 1_000_000:
        raise Unsupported("New-Object of such an array")
    zero = cast(0, element) if element.startswith("System.Int") or element == "System.Byte" else None
    if zero is None and element not in ("System.Object", "System.String"):
        raise Unsupported(f"New-Object {full}")
    return PSArray([zero] * size, full)


# Exceptions whose constructor takes a parameter's name, or nothing, where the others take a message.
_ODD = ("ArgumentNullException", "ArgumentOutOfRangeException", "Win32Exception", "COMException")


def _exception(full: str, given: Sequence[Value]) -> Value:
    if not given or full.endswith(_ODD) or not full.startswith("System."):
        raise Unsupported(f"a new {full} with these arguments")
    message, inner = base(given[0]), base(given[1]) if len(given) == 2 else None
    if not isinstance(message, str) or not isinstance(inner, PSException | None):
        raise Unsupported(f"a new {full} with these arguments")
    return PSException(full, str(message), inner)

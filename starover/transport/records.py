"""pypsrp's objects as plain text and error records; knows no connection."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from xml.etree import ElementTree as ET

import msgspec
from pypsrp.complex_objects import GenericComplexObject

from starover.errors import ErrorRecord

__all__ = ["error_record", "json_of", "line_of", "warning_text"]

_CATEGORIES = """
NotSpecified OpenError CloseError DeviceError DeadlockDetected InvalidArgument InvalidData InvalidOperation
InvalidResult InvalidType MetadataError NotImplemented NotInstalled ObjectNotFound OperationStopped OperationTimeout
SyntaxError ParserError PermissionDenied ResourceBusy ResourceExists ResourceUnavailable ReadError WriteError
FromStdErr SecurityError ProtocolError ConnectionError AuthenticationError LimitsExceeded QuotaExceeded NotEnabled
""".split()  # noqa: SIM905 - a list of 32 quoted words would be hard to read
"""The names of System.Management.Automation.ErrorCategory, by number."""


def line_of(item: object) -> str:
    """One output object as a line."""
    return "" if item is None else str(item)


_HEAD = re.compile(r"^(?:[A-Z]+(?![a-z])|[A-Z])")
"""The capitals that a name in camel case begins without: `Name`, `IPAddress`, `EdbFilePath`."""


def json_of(item: object) -> str:
    """One output object as a line of JSON: its properties, names in camel case; what is no plain value as its text."""
    if not isinstance(item, GenericComplexObject):
        return msgspec.json.encode(_plain(item)).decode()
    members = item.adapted_properties | item.extended_properties
    found = {_HEAD.sub(lambda head: head[0].lower(), name, count=1): _plain(one) for name, one in members.items()}
    return msgspec.json.encode(found).decode()


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, list | tuple | set):
        items: list[object] = [*value]  # pyright: ignore[reportUnknownVariableType] # pypsrp says no more
        return [_plain(one) for one in items]
    if isinstance(value, GenericComplexObject) and value.to_string is None and value.property_sets:
        return _plain(value.property_sets[0])  # a list of a type of Exchange's own
    return _shown(str(value))


def _shown(text: str) -> str:
    """pypsrp gives what it does not understand, such as an enum that was deserialised twice, as its XML: its text."""
    if not text.startswith("<Obj "):
        return text
    try:
        found = ET.fromstring(text).findtext("ToString")  # noqa: S314 - expat expands no external entity
    except ET.ParseError:
        return text
    return text if found is None else found


def warning_text(record: object) -> str:
    """The message of a warning record."""
    return _text(record, "message")


def error_record(record: object) -> ErrorRecord:
    """An error record as PSRP carries it, as text."""
    exception: object = getattr(record, "exception", None)
    adapted: object = getattr(exception, "adapted_properties", None)
    said = adapted.get("Message") if isinstance(adapted, dict) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    types: object = getattr(exception, "types", None)
    kind = types[0] if isinstance(types, list) and types else ""  # pyright: ignore[reportUnknownVariableType]
    code: object = adapted.get("HResult") if isinstance(adapted, dict) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    category: object = getattr(record, "category", None)
    line: object = getattr(record, "invocation_script_line_number", None)
    return ErrorRecord(
        message=str(said) if said else str(record),  # pyright: ignore[reportUnknownArgumentType]
        fqid=_text(record, "fq_error"),
        category=_CATEGORIES[category] if isinstance(category, int) and 0 <= category < len(_CATEGORIES) else "",
        type=str(kind).removeprefix("Deserialized."),  # pyright: ignore[reportUnknownArgumentType]
        target=_text(record, "target_name"),
        command=_text(record, "command_name") or _text(record, "activity"),
        line=line if isinstance(line, int) else 0,
        hresult=f"0x{code & 0xFFFFFFFF:08X}" if isinstance(code, int) else "",
        inner=tuple(itertools.islice(_below(exception), _DEEPEST)),
    )


_DEEPEST = 5


def _below(exception: object) -> Iterator[str]:
    """The exceptions inside one, as `TYPE: MESSAGE`."""
    while True:
        adapted: object = getattr(exception, "adapted_properties", None)
        exception = adapted.get("InnerException") if isinstance(adapted, dict) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
        if not isinstance(exception, GenericComplexObject):
            return
        kind = str(exception.types[0]) if exception.types else ""
        yield f"{kind.removeprefix('Deserialized.')}: {exception.adapted_properties.get('Message') or exception}"


def _text(record: object, name: str) -> str:
    value: object = getattr(record, name, None)
    return "" if value is None else str(value)

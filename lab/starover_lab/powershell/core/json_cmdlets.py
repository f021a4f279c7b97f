"""ConvertTo-Json and ConvertFrom-Json."""

from __future__ import annotations

from collections.abc import Iterator

from starover_lab.powershell.command import Invocation, Parameter
from starover_lab.powershell.convert import to_bool, to_string
from starover_lab.powershell.core.common import cmdlet, only_in_7
from starover_lab.powershell.errors import ErrorRecord, Unsupported
from starover_lab.powershell.json_text import BadJson, from_json, to_json
from starover_lab.powershell.values import OrderedHashtable, PSArray, PSHashtable, PSList, PSObject, Value, base

__all__ = ["COMMANDS"]

_INVALID_OPERATION = "System.InvalidOperationException"


def _convert_to(call: Invocation) -> Iterator[Value]:
    depth = call.bound.get("Depth", 2)
    assert isinstance(depth, int)
    if depth > 100:
        text = "The maximum depth allowed for serialization is 100."
        raise call.fail(call.record("ReachedMaximumDepthAllowed", "InvalidOperation", text))
    values = [bound["InputObject"] for bound in call.records() if "InputObject" in bound]
    if not values:
        return
    value = values[0] if call.input is None or len(values) == 1 else PSArray(values)
    if base(value) is None:
        call.differs("ConvertTo-Json of $null")
        return
    inner = base(value)
    if not to_bool(call.bound.get("Compress", False)) and isinstance(
        inner, PSArray | PSList | PSHashtable | OrderedHashtable | PSObject
    ):
        raise Unsupported("ConvertTo-Json without -Compress: 5.1 and 7 indent differently")
    try:
        yield to_json(value, int(depth), call.differs)
    except BadJson as error:
        raise call.fail(_record(call, error)) from None


def _record(call: Invocation, error: BadJson) -> ErrorRecord:
    if error.kind == "System.ArgumentException":
        return call.record(error.kind, "NotSpecified", str(error), type_name="System.ArgumentException")
    return call.record(error.kind, "InvalidOperation", str(error), type_name=_INVALID_OPERATION)


def _convert_from(call: Invocation) -> Iterator[Value]:
    texts = [to_string(bound.get("InputObject")) for bound in call.records()]
    if not texts:
        return
    try:
        if len(texts) > 1:
            try:
                first = from_json(texts[0], call.differs, call.line)
            except BadJson:
                # Lines of one document.
                yield from _out(call, from_json("\n".join(texts), call.differs, call.line))
                return
            yield from _out(call, first)
            for text in texts[1:]:
                yield from _out(call, _one(call, text))
            return
        yield from _out(call, _one(call, texts[0]))
    except BadJson as error:
        raise call.fail(_record(call, error)) from None


def _one(call: Invocation, text: str) -> Value:
    if not text.strip():
        raise Unsupported("ConvertFrom-Json of an empty text: 5.1 and 7 differ")
    return from_json(text, call.differs, call.line)


def _out(call: Invocation, value: Value) -> Iterator[Value]:
    if isinstance(value, PSArray) and not call.runner.is_51("an array out of JSON: one object in 5.1, its items in 7"):
        yield from value.items
    else:
        yield value


COMMANDS = (
    cmdlet(
        "ConvertTo-Json",
        _convert_to,
        Parameter.of(
            "InputObject",
            "object",
            mandatory=True,
            position=0,
            by_value=True,
            allow_null=True,
            allow_empty_string=True,
            allow_empty_collection=True,
        ),
        Parameter.of("Depth", "int"),
        Parameter.of("Compress", "switch"),
        only_in_7("EnumsAsStrings", "switch"),
        only_in_7("AsArray", "switch"),
        only_in_7("EscapeHandling"),
    ),
    cmdlet(
        "ConvertFrom-Json",
        _convert_from,
        Parameter.of("InputObject", "string", mandatory=True, position=0, by_value=True, allow_empty_string=True),
        only_in_7("AsHashtable", "switch"),
        only_in_7("Depth", "int"),
        only_in_7("NoEnumerate", "switch"),
    ),
)

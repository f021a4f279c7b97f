"""Measure-Object."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from starover_lab.powershell.command import Invocation, Parameter
from starover_lab.powershell.compare import compare, is_number
from starover_lab.powershell.convert import cast, to_bool, to_string
from starover_lab.powershell.core.common import INPUT, cmdlet, items_of, lookup, only_in_7
from starover_lab.powershell.core.sorting import kind
from starover_lab.powershell.errors import Terminated, Unsupported
from starover_lab.powershell.values import PSArray, PSList, PSObject, Value, base, units

__all__ = ["COMMANDS"]

_CLASSES = "Microsoft.PowerShell.Commands"


def _flag(call: Invocation, name: str) -> bool:
    return to_bool(call.bound.get(name, False))


def _measure(call: Invocation) -> Iterator[Value]:
    given = base(call.bound.get("Property"))
    names = [to_string(item) for item in given.items] if isinstance(given, PSArray | PSList) else [""]
    items = [item for item in items_of(call) if base(item) is not None]
    text = any(_flag(call, name) for name in ("Line", "Word", "Character", "IgnoreWhiteSpace"))
    for name in names:
        values: list[Value] = []
        for item in items:
            found = lookup(call, item, name) if name else (item,)
            if found is not None and base(found[0]) is not None:
                values.append(found[0])
        if name and not values:
            message = (
                'Cannot process argument because the value of argument "Property" is not valid. Change the value of '
                'the "Property" argument and run the operation again.'
            )
            call.error(
                call.record(
                    "TextMeasurePropertyNotFound" if text else "GenericMeasurePropertyNotFound",
                    "InvalidArgument",
                    message,
                    type_name="System.Management.Automation.PSArgumentException",
                )
            )
            continue
        yield _text(call, values, name) if text else _generic(call, values, name)


def _generic(call: Invocation, values: list[Value], name: str) -> Value:
    asked = {flag for flag in ("Sum", "Average", "Maximum", "Minimum") if _flag(call, flag)}
    wants_numbers = bool(asked & {"Sum", "Average"})
    numbers: list[float] = []
    if wants_numbers:
        for value in values:
            number = _number(call, value)
            if number is not None:
                numbers.append(number)
    extremes: dict[str, Value] = {"Maximum": None, "Minimum": None}
    numeric = True
    if asked & {"Maximum", "Minimum"} and values:
        if len({kind(value) for value in values}) > 1:
            raise Unsupported("Measure-Object of values of different types")
        numeric = is_number(base(values[0]))
        for which, sign in (("Maximum", 1), ("Minimum", -1)):
            if which in asked:
                best = values[0]
                for value in values[1:]:
                    order = compare(value, best)
                    if order is None:
                        raise Unsupported("Measure-Object of NaN")
                    best = value if order * sign > 0 else best
                extremes[which] = cast(best, "System.Double") if numeric else best
        if not numeric and wants_numbers:
            raise Unsupported("Measure-Object -Sum and -Maximum of text")
    if any(math.isnan(number) for number in numbers):
        raise Unsupported("Measure-Object of NaN")
    total = float(sum(numbers))
    kind_name = "GenericMeasureInfo" if numeric else "GenericObjectMeasureInfo"
    properties: list[tuple[str, Value]] = [("Count", len(values))]
    if numeric:
        count = len(numbers)
        properties += [
            ("Average", total / count if "Average" in asked and count else None),
            ("Sum", total if "Sum" in asked else None),
        ]
    properties += [("Maximum", extremes["Maximum"]), ("Minimum", extremes["Minimum"]), ("Property", name or None)]
    if asked & {"Average"} and not numbers:
        raise Unsupported("the average of nothing")
    full = f"{_CLASSES}.{kind_name}"
    return PSObject(properties, type_names=[full, f"{_CLASSES}.MeasureInfo", "System.Object"], text=full)


def _number(call: Invocation, value: Value) -> float | None:
    inner = base(value)
    if isinstance(inner, bool):
        raise Unsupported("Measure-Object of booleans")
    try:
        number = cast(value, "System.Double")
    except Terminated:
        text = f'Input object "{to_string(value)}" is not numeric.'
        call.error(
            call.record(
                "NonNumericInputObject",
                "InvalidType",
                text,
                type_name="System.Management.Automation.PSInvalidOperationException",
                target=value,
            )
        )
        return None
    assert isinstance(number, float)
    return number


def _text(call: Invocation, values: list[Value], name: str) -> Value:
    if _flag(call, "IgnoreWhiteSpace"):
        raise Unsupported("Measure-Object -IgnoreWhiteSpace")
    texts = [to_string(value) for value in values]
    if any(not text.isascii() for text in texts):
        raise Unsupported("Measure-Object of words beyond ASCII")
    lines = sum(text.count("\n") + (1 if text and not text.endswith("\n") else 0) for text in texts)
    words = sum(len(re.findall(r"\S+", text)) for text in texts)
    characters = sum(len(units(text)) for text in texts)
    properties: list[tuple[str, Value]] = [
        ("Lines", lines if _flag(call, "Line") else None),
        ("Words", words if _flag(call, "Word") else None),
        ("Characters", characters if _flag(call, "Character") else None),
        ("Property", name or None),
    ]
    full = f"{_CLASSES}.TextMeasureInfo"
    return PSObject(properties, type_names=[full, f"{_CLASSES}.MeasureInfo", "System.Object"], text=full)


COMMANDS = (
    cmdlet(
        "Measure-Object",
        _measure,
        INPUT,
        Parameter.of("Property", "string[]", position=0),
        *(Parameter.of(name, "switch", sets=["GenericMeasure"]) for name in ("Sum", "Average", "Maximum", "Minimum")),
        *(
            Parameter.of(name, "switch", sets=["TextMeasure"])
            for name in ("Line", "Word", "Character", "IgnoreWhiteSpace")
        ),
        only_in_7("AllStats", "switch"),
        only_in_7("StandardDeviation", "switch"),
        default_set="GenericMeasure",
    ),
)

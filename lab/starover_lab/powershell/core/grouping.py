"""Group-Object."""

from __future__ import annotations

from collections.abc import Iterator

from starover_lab.powershell.command import Invocation, Parameter
from starover_lab.powershell.compare import equals
from starover_lab.powershell.convert import to_bool, to_string
from starover_lab.powershell.core.common import INPUT, cmdlet, items_of, key_of
from starover_lab.powershell.core.sorting import kind
from starover_lab.powershell.errors import Unsupported
from starover_lab.powershell.values import PSArray, PSHashtable, PSList, PSObject, Value, base

__all__ = ["COMMANDS"]

_GROUP = "Microsoft.PowerShell.Commands.GroupInfo"
_COLLECTION = "System.Collections.ObjectModel.Collection`1[System.Management.Automation.PSObject]"


def _group(call: Invocation) -> Iterator[Value]:
    given = base(call.bound.get("Property"))
    keys = [key_of(one, lambda name: name == "expression") for one in given.items] if isinstance(given, PSArray) else []
    ignore_case = not to_bool(call.bound.get("CaseSensitive", False))
    if "Culture" in call.bound:
        raise Unsupported("Group-Object -Culture")
    groups: list[tuple[list[Value], list[Value]]] = []
    kinds: dict[int, set[str]] = {}
    for item in items_of(call):
        if base(item) is None:
            continue
        values = [_value(call, key, item) for key in keys] if keys else [item]
        for place, value in enumerate(values):
            if isinstance(base(value), PSObject | PSArray | PSList):
                raise Unsupported("Group-Object by objects")
            kinds.setdefault(place, set()).add(kind(value))
        found = next((group for group in groups if _same(group[0], values, ignore_case=ignore_case)), None)
        if found is None:
            groups.append((values, [item]))
        else:
            found[1].append(item)
    if any(len(found) > 1 for found in kinds.values()):
        raise Unsupported("Group-Object of values of different types")
    if "AsHashTable" in call.bound:
        yield _table(call, groups)
        return
    no_element = to_bool(call.bound.get("NoElement", False))
    for values, items in groups:
        name = ", ".join(to_string(value) for value in values)
        yield PSObject(
            [
                ("Values", PSList(values, "System.Collections.ArrayList")),
                ("Count", len(items)),
                ("Group", PSList([] if no_element else items, _COLLECTION)),
                ("Name", name),
            ],
            type_names=[_GROUP, "System.Object"],
            text=_GROUP,
        )


def _value(call: Invocation, key: object, item: Value) -> Value:
    from starover_lab.powershell.core.common import Key

    assert isinstance(key, Key)
    found = key.of(call, item)
    return None if found is None else found[0]


def _same(left: list[Value], right: list[Value], *, ignore_case: bool) -> bool:
    return all(equals(a, b, ignore_case=ignore_case) for a, b in zip(left, right, strict=True))


def _table(call: Invocation, groups: list[tuple[list[Value], list[Value]]]) -> Value:
    if any(len(values) != 1 for values, _ in groups):
        raise Unsupported("Group-Object -AsHashTable by several properties")
    table = PSHashtable()
    as_text = to_bool(call.bound.get("AsString", False))
    for values, items in groups:
        key = to_string(values[0]) if as_text else values[0]
        if key is None:
            raise Unsupported("Group-Object -AsHashTable with $null")
        table.set(key, PSList(items, _COLLECTION))
    return table


COMMANDS = (
    cmdlet(
        "Group-Object",
        _group,
        INPUT,
        Parameter.of("Property", "object[]", position=0),
        Parameter.of("NoElement", "switch"),
        Parameter.of("AsHashTable", "switch", aliases=["AHT"]),
        Parameter.of("AsString", "switch"),
        Parameter.of("CaseSensitive", "switch"),
        Parameter.of("Culture", "string"),
    ),
)

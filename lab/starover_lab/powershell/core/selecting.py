"""Select-Object and Get-Unique."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from starover_lab.powershell.command import Invocation, Parameter
from starover_lab.powershell.compare import equals
from starover_lab.powershell.convert import to_bool, to_string
from starover_lab.powershell.core.common import INPUT, Key, cmdlet, items_of, key_of, lookup, only_in_7
from starover_lab.powershell.errors import Unsupported
from starover_lab.powershell.text_operators import wildcard
from starover_lab.powershell.values import (
    NetObject,
    OrderedHashtable,
    PSArray,
    PSHashtable,
    PSList,
    PSObject,
    Value,
    base,
    fold,
    type_name,
)

__all__ = ["COMMANDS"]


def _number(call: Invocation, name: str, default: int) -> int:
    value = call.bound.get(name)
    return int(value) if isinstance(value, int) else default


def _chosen(call: Invocation) -> Iterator[Value]:
    """The objects that -First, -Last, -Skip, -SkipLast and -Index leave."""
    objects = (bound["InputObject"] for bound in call.records() if "InputObject" in bound)
    first, skip = _number(call, "First", -1), _number(call, "Skip", 0)
    last, skip_last = _number(call, "Last", -1), _number(call, "SkipLast", 0)
    if "Index" in call.bound:
        wanted = base(call.bound["Index"])
        assert isinstance(wanted, PSArray)
        places = sorted({int(n) for n in wanted.items if isinstance(n, int)})
        for place, item in enumerate(objects):
            if place in places:
                yield item
        return
    if last >= 0 and first >= 0:
        raise Unsupported("Select-Object -Last together with -First")
    if last >= 0 and skip:
        # -Skip counts from the end then.
        everything = list(objects)
        yield from everything[: max(0, len(everything) - skip)][-last:] if last else []
        return
    if first == 0:
        if skip or to_bool(call.bound.get("Wait", False)):
            raise Unsupported("Select-Object -First 0 together with -Skip")
        return
    tail: deque[Value] = deque()
    taken = 0
    for place, item in enumerate(objects):
        if place < skip:
            continue
        if last >= 0 or skip_last:
            tail.append(item)
            if last >= 0 and len(tail) > last:
                tail.popleft()
            elif skip_last and len(tail) > skip_last:
                yield tail.popleft()
            continue
        yield item
        taken += 1
        if taken == first:
            return
    if last >= 0:
        yield from tail


def _property_names(item: Value) -> list[str]:
    if isinstance(item, PSObject):
        return [p.name for p in item.properties.values() if p.kind != "ScriptMethod"]
    inner = base(item)
    if isinstance(inner, NetObject):
        return list(inner.properties)
    if isinstance(inner, str):
        return ["Length"]
    raise Unsupported(f"the properties of a {type_name(inner)}")


def _expanded(item: Value, pattern: str) -> list[str]:
    expression = wildcard(pattern)
    return [name for name in _property_names(item) if expression.fullmatch(fold(name))]


def _properties(call: Invocation, keys: Sequence[Key], excluded: Sequence[str], item: Value) -> list[tuple[str, Value]]:
    found: list[tuple[str, Value]] = []
    for key in keys:
        expression = key.expression
        if isinstance(expression, str) and any(c in expression for c in "*?["):
            for name in _expanded(item, expression):
                if any(wildcard(one).fullmatch(fold(name)) for one in excluded):
                    continue
                value = lookup(call, item, name)
                found.append((name, None if value is None else value[0]))
            continue
        if isinstance(expression, str) and any(wildcard(one).fullmatch(fold(expression)) for one in excluded):
            continue
        value = key.of(call, item)
        name = key.name
        if isinstance(expression, str) and name == expression:
            # A property keeps the spelling of the object.
            name = next((own for own in _names_or_none(item) if fold(own) == fold(name)), name)
        found.append((name, None if value is None else value[0]))
    if len({fold(name) for name, _ in found}) != len(found):
        raise Unsupported("Select-Object with one name twice")
    return found


def _names_or_none(item: Value) -> list[str]:
    try:
        return _property_names(item)
    except Unsupported:
        return []


def _selected_type(item: Value) -> list[str]:
    first = item.type_names[0] if isinstance(item, PSObject) and item.type_names else type_name(item)
    return [f"Selected.{first}", PSObject.CUSTOM, "System.Object"]


def _select(call: Invocation) -> Iterator[Value]:
    excluded = _texts(call.bound.get("ExcludeProperty"))
    given = base(call.bound.get("Property"))
    keys = [key_of(one, _allowed) for one in given.items] if isinstance(given, PSArray | PSList) else []
    expand = call.bound.get("ExpandProperty")
    if excluded and not keys and expand is None:
        call.differs("Select-Object -ExcludeProperty without -Property")
        excluded = []
    unique = to_bool(call.bound.get("Unique", False))
    seen: list[Value] = []
    for item in _chosen(call):
        for made in _of_one(call, item, keys, excluded, None if expand is None else to_string(expand)):
            if unique and any(_same(made, one) for one in seen):
                continue
            if unique:
                seen.append(made)
            yield made


def _allowed(name: str) -> bool:
    return name in ("name", "label", "expression")


def _texts(value: Value) -> list[str]:
    inner = base(value)
    return [to_string(item) for item in inner.items] if isinstance(inner, PSArray | PSList) else []


def _of_one(
    call: Invocation, item: Value, keys: Sequence[Key], excluded: Sequence[str], expand: str | None
) -> Iterator[Value]:
    if not keys and expand is None:
        yield item
        return
    inner = base(item)
    if inner is None:
        return
    if isinstance(inner, PSArray | PSList | PSHashtable | OrderedHashtable) and any(
        isinstance(key.expression, str) and key.expression not in ("Count", "Length") for key in keys
    ):
        call.differs("properties of a collection or dictionary")
    properties = _properties(call, keys, excluded, item)
    if expand is None:
        yield PSObject(properties, type_names=_selected_type(item))
        return
    if any(c in expand for c in "*?["):
        raise Unsupported("Select-Object -ExpandProperty with a wildcard")
    found = lookup(call, item, expand)
    if found is None:
        text = f'Property "{expand}" cannot be found.'
        call.error(
            call.record(
                "ExpandPropertyNotFound",
                "InvalidArgument",
                text,
                type_name="System.Management.Automation.PSArgumentException",
                target=item,
            )
        )
        return
    value = base(found[0])
    if value is None:
        raise Unsupported("Select-Object -ExpandProperty of $null")
    for one in value.items if isinstance(value, PSArray | PSList) else [found[0]]:
        if properties:
            yield _with_properties(one, properties)
        elif base(one) is not None:
            yield one
        else:
            raise Unsupported("Select-Object -ExpandProperty of items that are $null")


def _with_properties(item: Value, properties: Sequence[tuple[str, Value]]) -> Value:
    if not isinstance(item, PSObject):
        raise Unsupported("Select-Object -ExpandProperty with -Property on plain values")
    for name, value in properties:
        if item.find(name) is not None:
            raise Unsupported("Select-Object -ExpandProperty with a property that is there already")
        item.set(name, value)
    return item


def _same(left: Value, right: Value) -> bool:
    a, b = base(left), base(right)
    if isinstance(a, PSObject) and isinstance(b, PSObject):
        if list(a.properties) != list(b.properties):
            raise Unsupported("-Unique of objects with different properties")
        return all(_same(p.value, b.properties[name].value) for name, p in a.properties.items())
    if type_name(a) != type_name(b):
        if a is None or b is None:
            return False
        raise Unsupported("-Unique of values of different types")
    return equals(a, b, ignore_case=False)


def _get_unique(call: Invocation) -> Iterator[Value]:
    if "OnType" in call.bound:
        raise Unsupported("Get-Unique -OnType")
    previous: list[Value] = []
    for item in items_of(call):
        inner = base(item)
        if not isinstance(inner, str | int | float):
            raise Unsupported("Get-Unique of objects")
        if not previous or to_string(previous[0]) != to_string(item):
            previous = [item]
            yield item


COMMANDS = (
    cmdlet(
        "Select-Object",
        _select,
        INPUT,
        Parameter.of("Property", "object[]", sets=["DefaultParameter", "SkipLastParameter"], position=0),
        Parameter.of("ExcludeProperty", "string[]", sets=["DefaultParameter", "SkipLastParameter"]),
        Parameter.of("ExpandProperty", "string", sets=["DefaultParameter", "SkipLastParameter"]),
        Parameter.of("Unique", "switch"),
        Parameter.of("Last", "int", sets=["DefaultParameter"], validations=()),
        Parameter.of("First", "int", sets=["DefaultParameter"]),
        Parameter.of("Skip", "int", sets=["DefaultParameter"]),
        Parameter.of("SkipLast", "int", sets=["SkipLastParameter"]),
        Parameter.of("Wait", "switch", sets=["DefaultParameter", "IndexParameter"]),
        Parameter.of("Index", "int[]", sets=["IndexParameter"]),
        only_in_7("SkipIndex", "int[]"),
        default_set="DefaultParameter",
    ),
    cmdlet("Get-Unique", _get_unique, INPUT, Parameter.of("AsString", "switch"), Parameter.of("OnType", "switch")),
)

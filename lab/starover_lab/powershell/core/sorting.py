"""Sort-Object and Compare-Object."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cmp_to_key

from starover_lab.powershell.command import Invocation, Parameter
from starover_lab.powershell.compare import compare, equals, is_number
from starover_lab.powershell.convert import to_bool
from starover_lab.powershell.core.common import INPUT, Key, cmdlet, items_of, key_of, only_in_7
from starover_lab.powershell.errors import Terminated, Unsupported
from starover_lab.powershell.values import PSArray, PSList, PSObject, Value, base, type_name

__all__ = ["COMMANDS", "kind"]


def kind(value: Value) -> str:
    """Values of one kind are ordered by that kind alone."""
    inner = base(value)
    return "number" if is_number(inner) else type_name(inner)


def _sort(call: Invocation) -> Iterator[Value]:
    given = base(call.bound.get("Property"))
    keys = [key_of(one, _allowed) for one in given.items] if isinstance(given, PSArray | PSList) else []
    descending = to_bool(call.bound.get("Descending", False))
    ignore_case = not to_bool(call.bound.get("CaseSensitive", False))
    if "Culture" in call.bound:
        raise Unsupported("Sort-Object -Culture")
    items = [item for item in items_of(call) if base(item) is not None]
    if not keys:
        for item in items:
            if isinstance(base(item), PSObject | PSArray | PSList):
                raise Unsupported("Sort-Object of objects without -Property")
    columns = [[_part(call, key, item) for key in keys] if keys else [(item,)] for item in items]
    directions = [_direction(key, descending) for key in keys] or [descending]
    mixed = False
    for place in range(len(directions)):
        kinds = {kind(row[place][0]) for row in columns if row[place] and base(row[place][0]) is not None}
        mixed = mixed or len(kinds) > 1

    def order(a: int, b: int) -> int:
        for left, right, down in zip(columns[a], columns[b], directions, strict=True):
            result = _order(left, right, ignore_case=ignore_case, down=down)
            if result:
                return result
        return 0

    places = _as_dotnet(len(items), order) if mixed else sorted(range(len(items)), key=cmp_to_key(order))
    unique = to_bool(call.bound.get("Unique", False))
    last: int | None = None
    for place in places:
        if unique and last is not None and order(last, place) == 0:
            continue
        last = place
        yield items[place]


def _as_dotnet(count: int, order: Callable[[int, int], int]) -> list[int]:
    """The places of few items in order, compared in the sequence in which .NET does it.

    The type of the left value decides a comparison, so values of different types have no order of their own. Equal ones
    stay as they came in 7 and not always in 5.1: refused when that shows.
    """
    if count > 16:
        raise Unsupported("Sort-Object of many values of different types")
    by_place = _insertion(count, lambda a, b: order(a, b) or (a > b) - (a < b))
    if by_place != _insertion(count, order):
        raise Unsupported("Sort-Object of values of different types that are equal")
    return by_place


def _insertion(count: int, order: Callable[[int, int], int]) -> list[int]:
    """How .NET's introspective sort orders up to sixteen items: two and three by exchanges, more by insertion."""
    places = list(range(count))
    if count <= 3:
        for a, b in ((0, 1),) if count == 2 else ((0, 1), (0, 2), (1, 2)) if count == 3 else ():
            if order(places[a], places[b]) > 0:
                places[a], places[b] = places[b], places[a]
        return places
    for end in range(1, count):
        moved, at = places[end], end - 1
        while at >= 0 and order(moved, places[at]) < 0:
            places[at + 1] = places[at]
            at -= 1
        places[at + 1] = moved
    return places


def _part(call: Invocation, key: Key, item: Value) -> tuple[Value, ...]:
    return key.of(call, item) or ()


def _direction(key: Key, descending: bool) -> bool:
    if "descending" in key.options:
        return to_bool(key.options["descending"])
    if "ascending" in key.options:
        return not to_bool(key.options["ascending"])
    return descending


def _allowed(name: str) -> bool:
    return name in ("expression", "ascending", "descending")


def _order(left: Sequence[Value], right: Sequence[Value], *, ignore_case: bool, down: bool) -> int:
    # Objects without the property come last, whatever the direction.
    if not left or not right:
        return len(right) - len(left)
    try:
        result = compare(left[0], right[0], ignore_case=ignore_case)
    except Terminated as error:
        # The cmdlet goes on with the texts of both.
        raise Unsupported("Sort-Object of values that cannot be compared") from error
    if result is None:
        raise Unsupported("Sort-Object with NaN")
    return -result if down else result


def _compare(call: Invocation) -> Iterator[Value]:
    for name in ("Property", "PassThru", "SyncWindow", "Culture"):
        if name in call.bound:
            raise Unsupported(f"Compare-Object -{name}")
    ignore_case = not to_bool(call.bound.get("CaseSensitive", False))
    left, right = _given(call, "ReferenceObject"), _given(call, "DifferenceObject")
    kinds = {kind(item) for item in [*left, *right]}
    if len(kinds) > 1 or any(isinstance(base(item), PSObject | PSArray | PSList) for item in [*left, *right]):
        raise Unsupported("Compare-Object of objects, or of values of different types")
    same: list[Value] = []
    rest = list(right)
    missing: list[Value] = []
    for item in left:
        place = next((i for i, other in enumerate(rest) if equals(item, other, ignore_case=ignore_case)), None)
        if place is None:
            missing.append(item)
        else:
            same.append(item)
            del rest[place]
    if len(missing) + len(rest) > 1 and missing and rest and (len(missing) > 1 or len(rest) > 1):
        raise Unsupported("the order of Compare-Object's results")
    include = to_bool(call.bound.get("IncludeEqual", False))
    if include and (missing or rest) and same:
        raise Unsupported("the order of Compare-Object's results")
    rows: list[tuple[Value, str]] = [(item, "==") for item in same] if include else []
    if not to_bool(call.bound.get("ExcludeDifferent", False)):
        rows += [(item, "=>") for item in rest] + [(item, "<=") for item in missing]
    for item, side in rows:
        yield PSObject([("InputObject", item), ("SideIndicator", side)])


def _given(call: Invocation, name: str) -> list[Value]:
    value = base(call.bound.get(name))
    return list(value.items) if isinstance(value, PSArray | PSList) else []


def _side(name: str, position: int) -> Parameter:
    return Parameter.of(
        name,
        "psobject[]",
        mandatory=True,
        position=position,
        by_value=name == "DifferenceObject",
        allow_empty_collection=True,
        transform=_as_array,
    )


def _as_array(value: Value) -> Value:
    inner = base(value)
    return inner if isinstance(inner, PSArray | PSList) else PSArray([value])


COMMANDS = (
    cmdlet(
        "Sort-Object",
        _sort,
        INPUT,
        Parameter.of("Property", "object[]", position=0),
        Parameter.of("Descending", "switch"),
        Parameter.of("Unique", "switch"),
        Parameter.of("CaseSensitive", "switch"),
        Parameter.of("Culture", "string"),
        only_in_7("Top", "int"),
        only_in_7("Bottom", "int"),
        only_in_7("Stable", "switch"),
    ),
    cmdlet(
        "Compare-Object",
        _compare,
        _side("ReferenceObject", 0),
        _side("DifferenceObject", 1),
        Parameter.of("SyncWindow", "int"),
        Parameter.of("Property", "object[]"),
        Parameter.of("ExcludeDifferent", "switch"),
        Parameter.of("IncludeEqual", "switch"),
        Parameter.of("PassThru", "switch"),
        Parameter.of("Culture", "string"),
        Parameter.of("CaseSensitive", "switch"),
    ),
)

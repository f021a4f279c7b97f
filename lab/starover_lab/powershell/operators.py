"""The operators by name: which rule holds for single values, for collections on the left, and for `$null`.

`-and`, `-or` and the comma belong to the evaluator, because they decide what is evaluated.
"""

from __future__ import annotations

from collections.abc import Callable

from starover_lab.powershell import arithmetic, text_operators, types
from starover_lab.powershell.compare import compare, equals
from starover_lab.powershell.convert import as_type, cast, to_bool, to_string
from starover_lab.powershell.values import (
    Char,
    Long,
    PSArray,
    PSHashtable,
    PSList,
    ScriptBlock,
    TypeLiteral,
    Unsupported,
    Value,
    base,
)

__all__ = ["Decide", "SetMatches", "binary", "contains", "range_", "unary"]

SetMatches = Callable[[PSHashtable], None]
"""Takes the new `$Matches` of a successful `-match`."""
Decide = Callable[[ScriptBlock, str], bool]
"""Runs the script block of a `-split` for one character (`$_`)."""

_ARITHMETIC: dict[str, Callable[[Value, Value], Value]] = {
    "+": arithmetic.add,
    "-": arithmetic.subtract,
    "*": arithmetic.multiply,
    "/": arithmetic.divide,
    "%": arithmetic.remainder,
}
_ORDER: dict[str, Callable[[int], bool]] = {
    "lt": lambda n: n < 0,
    "le": lambda n: n <= 0,
    "gt": lambda n: n > 0,
    "ge": lambda n: n >= 0,
}
_CASED = frozenset(
    "eq ne lt le gt ge like notlike match notmatch replace split contains notcontains in notin".split()  # noqa: SIM905
)


def binary(
    operator: str,
    left: Value,
    right: Value,
    *,
    set_matches: SetMatches | None = None,
    decide: Decide | None = None,
) -> Value:
    """`left operator right`; `operator` as written, in any case: `+`, `-eq`, `-cnotlike`, `-is`, `..`.

    Raises `Terminated` as the engine does, `Unsupported` where the answer is not known exactly.
    """
    if operator in _ARITHMETIC:
        return _ARITHMETIC[operator](left, right)
    name = operator.lower().lstrip("-\u2013\u2014\u2015")
    ignore_case = True
    if name[:1] in ("c", "i") and name[1:] in _CASED:
        ignore_case = name[0] == "i"
        name = name[1:]
    match name:
        case "eq" | "ne" | "lt" | "le" | "gt" | "ge" | "like" | "notlike" | "match" | "notmatch":
            return _filtered(name, left, right, ignore_case, set_matches)
        case "contains" | "notcontains":
            return contains(left, right, ignore_case=ignore_case) is (name == "contains")
        case "in" | "notin":
            return contains(right, left, ignore_case=ignore_case) is (name == "in")
        case "replace":
            values = base(left)
            if isinstance(values, PSArray | PSList):
                return PSArray(
                    [text_operators.replace(item, base(right), ignore_case=ignore_case) for item in values.items]
                )
            return text_operators.replace(left, base(right), ignore_case=ignore_case)
        case "split":
            return text_operators.split(base(left), base(right), ignore_case=ignore_case, decide=decide)
        case "join":
            return text_operators.join(_unwrapped(left), right)
        case "f":
            values = base(right)
            arguments = values.items if isinstance(values, PSArray | PSList) else [right]
            return text_operators.format_text(to_string(left), arguments)
        case "is" | "isnot":
            return types.is_a(left, _type(right)) is (name == "is")
        case "as":
            return as_type(left, _type(right))
        case "xor":
            return to_bool(left) is not to_bool(right)
        case "band" | "bor" | "bxor" | "shl" | "shr":
            return arithmetic.bitwise(name, left, right)
        case "..":
            return range_(left, right)
        case _:
            raise Unsupported(f"operator {operator}")


def _unwrapped(value: Value) -> Value:
    inner = base(value)
    return inner if isinstance(inner, PSArray | PSList) else value


def _members(collection: Value) -> list[Value]:
    inner = base(collection)
    return inner.items if isinstance(inner, PSArray | PSList) else [collection]


def contains(collection: Value, value: Value, *, ignore_case: bool = True) -> bool:
    """`collection -contains value`."""
    return any(equals(item, value, ignore_case=ignore_case) for item in _members(collection))


def _filtered(name: str, left: Value, right: Value, ignore_case: bool, set_matches: SetMatches | None) -> Value:
    """A test of a single value, or the items of a collection for which it holds."""
    values = base(left)
    if isinstance(values, PSArray | PSList):
        kept = [item for item in values.items if _holds(name, item, right, ignore_case, None)]
        return PSArray(kept)
    return _holds(name, left, right, ignore_case, set_matches)


def _holds(name: str, left: Value, right: Value, ignore_case: bool, set_matches: SetMatches | None) -> bool:
    if name in ("eq", "ne"):
        return equals(left, right, ignore_case=ignore_case) is (name == "eq")
    if name in _ORDER:
        order = compare(left, right, ignore_case=ignore_case)
        return order is not None and _ORDER[name](order)
    if name in ("like", "notlike"):
        return text_operators.like(left, right, ignore_case=ignore_case) is (name == "like")
    table = text_operators.match(left, right, ignore_case=ignore_case)
    if table is not None and set_matches is not None:
        set_matches(table)
    return (table is not None) is (name == "match")


def _type(value: Value) -> str:
    inner = base(value)
    if isinstance(inner, TypeLiteral):
        return inner.name
    if isinstance(inner, str) and not isinstance(inner, Char):
        found = cast(inner, "System.Type")
        assert isinstance(found, TypeLiteral)
        return found.name
    raise Unsupported("a type that is neither a literal nor text")


def range_(low: Value, high: Value) -> PSArray:
    """`low..high`: whole numbers, both ends in, downwards if need be."""
    ends = [text for end in (low, high) if isinstance(text := base(end), str) and len(text) == 1]
    if len(ends) == 2 and not all(text.isdigit() for text in ends):
        raise Unsupported("a range of characters: not in 5.1")
    first, last = cast(low, "System.Int32"), cast(high, "System.Int32")
    assert isinstance(first, int)
    assert isinstance(last, int)
    if abs(last - first) > 5_000_000:
        raise Unsupported("a very long range")
    step = 1 if last >= first else -1
    return PSArray(list(range(first, last + step, step)))


def unary(operator: str, value: Value) -> Value:
    """`operator value`: `-not`, `!`, `-`, `+`, `-join`, `-split`, `-bnot`."""
    match operator.lower().replace("\u2013", "-").replace("\u2014", "-").replace("\u2015", "-"):
        case "-not" | "!":
            return not to_bool(value)
        case "-":
            return arithmetic.negate(value)
        case "+":
            return arithmetic.add(0, base(value))
        case "-join":
            return text_operators.unary_join(_unwrapped(value))
        case "-split" | "-isplit" | "-csplit":
            return text_operators.unary_split(_unwrapped(value))
        case "-bnot":
            number = arithmetic.to_number(base(value), "-bnot")
            if isinstance(number, Long):
                return Long(~int(number))
            if type(number) is int:
                return ~number
            raise Unsupported("-bnot of something else than a whole number")
        case _:
            raise Unsupported(f"operator {operator}")

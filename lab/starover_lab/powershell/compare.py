"""Equality and order of values: the left operand's type decides, the right one is converted; knows no collections rule.

`operators` applies these to single values and to collections.
"""

from __future__ import annotations

import math
from decimal import Decimal

from starover_lab.powershell import numbers
from starover_lab.powershell.collation import compare_text, equal_text
from starover_lab.powershell.convert import cast, to_bool, to_string
from starover_lab.powershell.errors import Terminated, failure
from starover_lab.powershell.values import (
    Char,
    DateTime,
    Guid,
    NetObject,
    Nothing,
    PSEnum,
    PSObject,
    SwitchParameter,
    TimeSpan,
    TypeLiteral,
    Unsupported,
    Value,
    Version,
    base,
    fold,
    type_name,
)

__all__ = ["compare", "equals", "is_number"]


def is_number(value: Value) -> bool:
    """Whether the value is a number for the operators (not a boolean, not a character)."""
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _null(value: Value) -> bool:
    return value is None or isinstance(value, Nothing)


def equals(left: Value, right: Value, *, ignore_case: bool = True) -> bool:
    """`left -eq right` of single values: one truth, whatever is on the right."""
    left, right = base(left), base(right)
    if _null(left):
        return _null(right)
    if _null(right):
        return False
    if isinstance(left, str) and not isinstance(left, Char):
        return equal_text(left, to_string(right), ignore_case=ignore_case)
    if isinstance(left, bool):
        return left == to_bool(right)
    if is_number(left) and is_number(right):
        return _compare_numbers(left, right) == 0
    if isinstance(left, Char) and isinstance(right, str) and len(right) == 1:
        return fold(left) == fold(right) if ignore_case else str(left) == str(right)
    if left is right:
        return True
    if type(left) is type(right):
        if isinstance(left, DateTime | TimeSpan):
            assert isinstance(right, DateTime | TimeSpan)
            return left.ticks == right.ticks
        if isinstance(left, Version | Guid | TypeLiteral | SwitchParameter):
            return left == right
    if isinstance(left, PSObject):
        return False
    if isinstance(left, NetObject):
        if isinstance(right, NetObject) and left.type_name == right.type_name == "System.Net.IPAddress":
            return left.text == right.text
        raise Unsupported(f"comparing a {left.type_name}")
    return _equals_converted(left, right)


def _equals_converted(left: Value, right: Value) -> bool:
    if isinstance(left, SwitchParameter):
        return left.present == to_bool(right)
    if isinstance(left, TypeLiteral):
        raise Unsupported("comparing a type with something else")
    if isinstance(left, int | float | Decimal) and isinstance(right, str) and not isinstance(right, Char):
        _check_whole(right)
    try:
        converted = cast(right, type_name(left))
    except Terminated:
        return False
    if is_number(left) and is_number(converted):
        return _compare_numbers(left, converted) == 0
    if isinstance(left, PSEnum) and isinstance(converted, PSEnum):
        return left.number == converted.number
    return type(left) is type(converted) and left == converted


def _check_whole(text: str) -> None:
    real = numbers.parse_double(text)
    if real is not None and (not math.isfinite(real) or real != int(real)):
        raise Unsupported("-eq of a number with the text of a fraction")


def _exact(value: Value) -> Decimal | float:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, float):
        return Decimal(value) if math.isfinite(value) else value
    assert isinstance(value, int)
    return Decimal(int(value))


def _compare_numbers(left: Value, right: Value) -> int | None:
    """-1, 0, 1, or None where one is NaN. Doubles are compared as doubles, decimals as decimals."""
    if isinstance(left, float) or isinstance(right, float):
        if isinstance(left, Decimal) or isinstance(right, Decimal):
            # The double becomes a decimal of 15 digits.
            left, right = _as_decimal(left), _as_decimal(right)
            return (left > right) - (left < right)
        a, b = _as_float(left), _as_float(right)
        return None if math.isnan(a) or math.isnan(b) else (a > b) - (a < b)
    x, y = _exact(left), _exact(right)
    return (x > y) - (x < y)


def _as_float(value: Value) -> float:
    assert isinstance(value, int | float)
    return float(value)


def _as_decimal(value: Value) -> Decimal:
    made = cast(value, "System.Decimal")
    assert isinstance(made, Decimal)
    return made


def compare(left: Value, right: Value, *, ignore_case: bool = True) -> int | None:
    """The order of two single values for `-lt`, `-gt` and their like: -1, 0, 1; None: NaN, which is never in order."""
    left, right = base(left), base(right)
    if _null(left):
        return 0 if _null(right) else -_against_null(right)
    if _null(right):
        return _against_null(left)
    if isinstance(left, str) and not isinstance(left, Char):
        return compare_text(left, to_string(right), ignore_case=ignore_case)
    if is_number(left):
        return _compare_numbers(left, _as_number(left, right))
    if isinstance(left, bool):
        return int(left) - int(to_bool(right))
    if isinstance(left, DateTime | TimeSpan):
        converted = _convert_for(left, right)
        assert isinstance(converted, DateTime | TimeSpan)
        return (left.ticks > converted.ticks) - (left.ticks < converted.ticks)
    if isinstance(left, Version):
        other = _convert_for(left, right)
        if isinstance(other, Nothing) or other is None:
            return 1
        assert isinstance(other, Version)
        a = (left.major, left.minor, left.build, left.revision)
        b = (other.major, other.minor, other.build, other.revision)
        return (a > b) - (a < b)
    if isinstance(left, PSEnum):
        raise Unsupported("the order of enums")
    if isinstance(left, Char | Guid | NetObject):
        raise Unsupported(f"the order of a {type_name(left)}")
    if left is right:
        return 0
    raise failure(
        "NotIcomparable",
        "InvalidOperation",
        f'Cannot compare "{type_name(left)}" because it is not IComparable.',
    )


def _against_null(value: Value) -> int:
    # A negative number is less than $null, everything else is greater.
    if is_number(value):
        assert isinstance(value, int | float | Decimal)
        if isinstance(value, float) and math.isnan(value):
            raise Unsupported("the order of NaN and $null")
        return -1 if value < 0 else 1
    return 1


def _as_number(left: Value, right: Value) -> Value:
    if is_number(right):
        return right
    if isinstance(right, str) and not isinstance(right, Char):
        if not right.strip():
            return 0
        scanned = numbers.scan_number(right)
        if scanned is not None:
            return scanned
        return cast(right, "System.Int32" if type(left) is int else type_name(left))
    return _convert_for(left, right)


def _convert_for(left: Value, right: Value) -> Value:
    try:
        return cast(right, type_name(left))
    except Terminated as error:
        raise failure(
            "ComparisonFailure",
            "InvalidOperation",
            f'Could not compare "{to_string(left)}" to "{to_string(right)}". Error: "{error.record.message}"',
        ) from None

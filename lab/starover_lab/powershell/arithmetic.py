"""`+ - * / %`, negation and the bit operators on values; knows no comparison and no text operator but `+` and `*`."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal, localcontext
from fractions import Fraction

from starover_lab.powershell import dates, numbers
from starover_lab.powershell.convert import cast, to_string
from starover_lab.powershell.errors import PSException, Terminated, failure
from starover_lab.powershell.values import (
    Char,
    DateTime,
    Long,
    Nothing,
    OrderedHashtable,
    PSArray,
    PSEnum,
    PSHashtable,
    PSList,
    PSObject,
    Single,
    Sized,
    SwitchParameter,
    TimeSpan,
    UInt64,
    Unsupported,
    Value,
    base,
    from_units,
    type_name,
)

__all__ = ["add", "bitwise", "divide", "multiply", "negate", "no_operator", "remainder", "subtract", "to_number"]

_INT = (-(2**31), 2**31 - 1)
_LONG = (-(2**63), 2**63 - 1)
_DECIMAL = 2**96 - 1
_LONGEST = 64 * 1024 * 1024


def no_operator(value: Value, operator: str) -> Terminated:
    """`... does not contain a method named 'op_Addition'`."""
    name = type_name(value)
    if isinstance(value, PSObject) and value.is_custom:
        name = "System.Management.Automation.PSObject"
    return failure(
        "MethodNotFound",
        "InvalidOperation",
        f"Method invocation failed because [{name}] does not contain a method named '{operator}'.",
        target=operator,
    )


def to_number(value: Value, operator: str, other: Value = None) -> int | float | Decimal | None:
    """An operand as the number that arithmetic works with; None when it has no numeric meaning.

    Text is read in PowerShell's own notation and keeps the type it has there. Other text is an error of a cast to the
    type of the `other` operand.
    """
    match value:
        case None | Nothing():
            return 0
        case Char() | SwitchParameter() | PSEnum():
            raise Unsupported(f"{operator} with a {type_name(value)}")
        case bool():
            return int(value)
        case Sized() if " " in value.type_name:
            raise Unsupported("arithmetic with a number out of JSON: its type differs between 5.1 and 7")
        case int() | float() | Decimal():
            return value
        case str():
            if not value.strip():
                return 0
            scanned = numbers.scan_number(value)
            if scanned is None:
                numeric = isinstance(other, int | float | Decimal) and not isinstance(other, bool)
                scanned = cast(value, type_name(other) if numeric else "System.Int32")
            assert isinstance(scanned, int | float | Decimal)
            return scanned
        case _:
            return None


def _numbers(
    left: Value, right: Value, operator: str, apply: Callable[[int | float | Decimal, int | float | Decimal], Value]
) -> Value:
    if isinstance(right, TimeSpan | DateTime):
        raise Unsupported(f"a number and a {type_name(right)}")
    a = to_number(left, operator, right)
    b = to_number(right, operator, left) if a is not None else None
    if a is None:
        raise no_operator(left, operator)
    if b is None:
        raise no_operator(right, operator)
    return apply(a, b)


def _checked(number: int, left: int | float | Decimal, right: int | float | Decimal) -> Value:
    """The result of whole-number arithmetic in the type of its operands; a double where it does not fit."""
    if isinstance(left, UInt64) or isinstance(right, UInt64):
        raise Unsupported("arithmetic with an UInt64")
    if isinstance(left, Long) or isinstance(right, Long) or _wide(left, right):
        return Long(number) if _LONG[0] <= number <= _LONG[1] else float(number)
    return number if _INT[0] <= number <= _INT[1] else float(number)


def _wide(left: int | float | Decimal, right: int | float | Decimal) -> bool:
    # UInt32 with a signed number is a long; two of them stay unsigned, which is not needed here.
    kinds = [type(n).__name__ for n in (left, right)]
    if "UInt32" in kinds:
        raise Unsupported("arithmetic with an UInt32")
    return False


def _arithmetic(left: int | float | Decimal, right: int | float | Decimal, symbol: str) -> Value:
    if isinstance(left, Decimal) or isinstance(right, Decimal):
        return _decimals(_to_decimal(left), _to_decimal(right), symbol)
    if isinstance(left, float) or isinstance(right, float):
        if isinstance(left, Single) or isinstance(right, Single):
            raise Unsupported("arithmetic with a single")
        return _doubles(float(left), float(right), symbol)
    a, b = int(left), int(right)
    match symbol:
        case "+":
            return _checked(a + b, left, right)
        case "-":
            return _checked(a - b, left, right)
        case "*":
            return _checked(a * b, left, right)
        case "/":
            if b == 0:
                raise _zero()
            if a % b:
                return a / b
            return _checked(a // b, left, right)
        case _:
            if b == 0:
                raise _zero()
            return _checked(int(math.copysign(1, a)) * (abs(a) % abs(b)), left, right)


def _doubles(a: float, b: float, symbol: str) -> float:
    try:
        match symbol:
            case "+":
                return a + b
            case "-":
                return a - b
            case "*":
                return a * b
            case "/":
                if b == 0:
                    if a == 0 or math.isnan(a):
                        return math.nan
                    return math.copysign(math.inf, a) * math.copysign(1, b)
                return a / b
            case _:
                return math.nan if b == 0 or math.isinf(a) else math.fmod(a, b)
    except OverflowError:
        raise Unsupported("arithmetic beyond a double") from None


def _to_decimal(value: int | float | Decimal) -> Decimal:
    if isinstance(value, Decimal):
        return value
    made = cast(value, "System.Decimal")
    assert isinstance(made, Decimal)
    return made


def _decimals(a: Decimal, b: Decimal, symbol: str) -> Decimal:
    with localcontext() as context:
        context.prec = 60
        match symbol:
            case "+":
                made = a + b
            case "-":
                made = a - b
            case "*":
                made = a * b
            case "/":
                if b == 0:
                    raise _zero()
                made = a / b
                if made * b != a:
                    return _inexact(a, b)
            case _:
                if b == 0:
                    raise _zero()
                made = a % b
    digits = made.as_tuple()
    if (
        not isinstance(digits.exponent, int)
        or digits.exponent < -28
        or abs(int(made.scaleb(-digits.exponent))) > _DECIMAL
    ):
        raise Unsupported("a decimal of more than 28 digits")
    return made.quantize(Decimal(1)) if digits.exponent > 0 else made


def _inexact(a: Decimal, b: Decimal) -> Decimal:
    """A quotient with as many places as 96 bits hold, 28 at most."""
    exact = Fraction(a) / Fraction(b)
    for places in range(28, -1, -1):
        digits = round(exact * 10**places)
        if abs(digits) <= _DECIMAL:
            return Decimal(digits).scaleb(-places)
    raise Unsupported("a decimal out of range")


def _zero() -> Terminated:
    return failure(
        "RuntimeException",
        "NotSpecified",
        "Attempted to divide by zero.",
        inner=PSException("System.DivideByZeroException", "Attempted to divide by zero."),
    )


def add(left: Value, right: Value) -> Value:
    """`left + right`: text is joined, collections grow, dictionaries merge, numbers add."""
    a, b = base(left), base(right)
    match a:
        case None | Nothing():
            return None if isinstance(b, Nothing) else right
        case Char():
            if isinstance(b, str):
                return from_units(a + b)
            raise Unsupported("+ with a character")
        case str():
            return from_units(a + to_string(b))
        case PSArray() | PSList():
            more = b.items if isinstance(b, PSArray | PSList) else [None if isinstance(b, Nothing) else right]
            return PSArray([*a.items, *more])
        case PSHashtable() | OrderedHashtable():
            return _merged(a, b)
        case DateTime() | TimeSpan():
            return _later(a, b, 1)
        case _:
            return _numbers(a, b, "op_Addition", lambda x, y: _arithmetic(x, y, "+"))


def _merged(left: PSHashtable | OrderedHashtable, right: Value) -> Value:
    if right is None or isinstance(right, Nothing):
        raise Unsupported("a dictionary + $null")
    if not isinstance(right, PSHashtable | OrderedHashtable):
        raise failure(
            "AddHashTableToNonHashTable", "InvalidOperation", "A hash table can only be added to another hash table."
        )
    if isinstance(left, OrderedHashtable) or isinstance(right, OrderedHashtable):
        raise Unsupported("adding an ordered dictionary")
    made = PSHashtable(dict(left.entries))
    for key, value in right.pairs():
        if key in made:
            name = to_string(key)
            text = f"Item has already been added. Key in dictionary: '{name}'  Key being added: '{name}'"
            raise failure("System.ArgumentException", "OperationStopped", text, type_name="System.ArgumentException")
        made.set(key, value)
    return made


def _later(left: DateTime | TimeSpan, right: Value, sign: int) -> Value:
    """A date or span plus (or minus, `sign=-1`) a span, and the span between two dates."""
    if isinstance(left, DateTime) and isinstance(right, DateTime):
        if sign < 0:
            return TimeSpan(left.ticks - right.ticks)
        raise Unsupported("a date + a date")
    name = "op_Addition" if sign > 0 else "op_Subtraction"
    if sign < 0 and isinstance(left, DateTime) and not isinstance(right, TimeSpan):
        raise Unsupported("a date - something else than a date or span")
    try:
        span = cast(right, "System.TimeSpan")
    except Terminated as error:
        raise failure(
            "MethodArgumentConversionInvalidCastArgument",
            "NotSpecified",
            f'Cannot convert argument "1", with value: "{to_string(right)}", for "{name}" to type '
            f'"System.TimeSpan": "{error.record.message}"',
            type_name="System.Management.Automation.MethodException",
        ) from None
    assert isinstance(span, TimeSpan)
    ticks = left.ticks + sign * span.ticks
    if isinstance(left, DateTime):
        if not 0 <= ticks <= dates.MAX_TICKS:
            raise Unsupported("a date out of range")
        return DateTime(ticks, left.kind)
    return TimeSpan(ticks)


def subtract(left: Value, right: Value) -> Value:
    """`left - right`."""
    a, b = base(left), base(right)
    if isinstance(a, DateTime | TimeSpan):
        return _later(a, b, -1)
    return _numbers(a, b, "op_Subtraction", lambda x, y: _arithmetic(x, y, "-"))


def multiply(left: Value, right: Value) -> Value:
    """`left * right`: text and arrays are repeated."""
    a, b = base(left), base(right)
    if a is None or isinstance(a, Nothing):
        return None
    if isinstance(a, TimeSpan):
        raise Unsupported("a time span * a number: an error in 5.1 only")
    if isinstance(a, PSList):
        raise Unsupported("a list * a number")
    if (isinstance(a, str) and not isinstance(a, Char)) or isinstance(a, PSArray):
        times = cast(b, "System.Int32")
        assert isinstance(times, int)
        if times < 0:
            text = "Specified argument was out of the range of valid values. (Parameter 'times')"
            raise failure(
                "System.ArgumentOutOfRangeException",
                "OperationStopped",
                text,
                type_name="System.ArgumentOutOfRangeException",
            )
        if len(a if isinstance(a, str) else a.items) * times > _LONGEST:
            raise Unsupported("a very long repetition")
        return a * times if isinstance(a, str) else PSArray(a.items * times, a.type_name)
    return _numbers(a, b, "op_Multiply", lambda x, y: _arithmetic(x, y, "*"))


def divide(left: Value, right: Value) -> Value:
    """`left / right`: whole numbers give a double unless they divide evenly."""
    a, b = base(left), base(right)
    if isinstance(a, TimeSpan):
        raise Unsupported("a time span / something: an error in 5.1 only")
    return _numbers(a, b, "op_Division", lambda x, y: _arithmetic(x, y, "/"))


def remainder(left: Value, right: Value) -> Value:
    """`left % right`, with the sign of the left operand."""
    return _numbers(base(left), base(right), "op_Modulus", lambda x, y: _arithmetic(x, y, "%"))


def negate(value: Value) -> Value:
    """`-value`."""
    inner = base(value)
    if isinstance(inner, TimeSpan):
        return TimeSpan(-inner.ticks)
    if isinstance(inner, float):
        return -inner
    return subtract(0, inner)


def bitwise(symbol: str, left: Value, right: Value) -> Value:
    """`-band`, `-bor`, `-bxor`, `-shl`, `-shr` of whole numbers; `symbol` without the dash."""
    a, b = base(left), base(right)
    for value in (a, b):
        if isinstance(value, PSEnum):
            raise Unsupported("bit operators with an enum")
    x, y = to_number(a, "op_BitwiseAnd"), to_number(b, "op_BitwiseAnd")
    if x is None or y is None:
        raise Unsupported("bit operators with something else than numbers")
    if not isinstance(x, int) or not isinstance(y, int):
        raise Unsupported("bit operators with fractions")
    if any(isinstance(n, Sized) and not isinstance(n, Long) for n in (x, y)):
        raise Unsupported("bit operators with odd sizes")
    wide = isinstance(x, Long) or (isinstance(y, Long) and not symbol.startswith("sh"))
    match symbol:
        case "band":
            number = int(x) & int(y)
        case "bor":
            number = int(x) | int(y)
        case "bxor":
            number = int(x) ^ int(y)
        case "shl" | "shr":
            bits = 64 if wide else 32
            shift = int(y) & (bits - 1)
            number = int(x) >> shift if symbol == "shr" else (int(x) << shift) & ((1 << bits) - 1)
            number -= (1 << bits) if number >> (bits - 1) == 1 and symbol == "shl" else 0
        case _:
            raise Unsupported(f"-{symbol}")
    return Long(number) if wide else number

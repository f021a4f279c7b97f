"""`[math]::...`: what 5.1 and 7 compute alike; knows no other type."""

from __future__ import annotations

import math
from collections.abc import Callable

from starover_lab.powershell.errors import Unsupported
from starover_lab.powershell.invoke import Registry, Site
from starover_lab.powershell.values import Long, PSEnum, Sized, Value, base

__all__ = ["real", "register_math"]

_MATH = "System.Math"
_D = "System.Double"
_O = "System.Object"


def _same_kind(arguments: list[Value]) -> list[int | float]:
    numbers = [base(a) for a in arguments]
    if all(type(n) is int for n in numbers) or all(isinstance(n, Long) for n in numbers):
        return [n for n in numbers if isinstance(n, int)]
    if all(isinstance(n, int | float) and not isinstance(n, bool | Sized) for n in numbers):
        return [float(n) for n in numbers if isinstance(n, int | float)]
    raise Unsupported("[math] with these kinds of numbers")


def real(value: Value) -> float:
    """A number that is a double; a whole one chooses another overload."""
    inner = base(value)
    if not isinstance(inner, float):
        raise Unsupported("[math] with a whole number here: the overload differs between 5.1 and 7")
    if not math.isfinite(inner):
        raise Unsupported("[math] with NaN or infinity")
    return inner


def register_math(registry: Registry) -> None:
    """Make `[math]`'s methods known."""
    _add = registry.add

    for _name, _pick in (("Max", max), ("Min", min)):

        @_add(_MATH, _name, _O, _O)
        def _(
            _value: Value,
            arguments: list[Value],
            _site: Site | None,
            *,
            pick: Callable[[list[int | float]], int | float] = _pick,
        ) -> Value:
            numbers = _same_kind(arguments)
            if any(isinstance(n, float) and math.isnan(n) for n in numbers):
                raise Unsupported("[math] with NaN")
            return pick(numbers)

    @_add(_MATH, "Abs", _O)
    def _(_value: Value, arguments: list[Value], _site: Site | None) -> Value:
        number = _same_kind(arguments)[0]
        return Long(abs(number)) if isinstance(number, Long) else abs(number)

    @_add(_MATH, "Round", _O)
    def _(_value: Value, arguments: list[Value], _site: Site | None) -> Value:
        return float(round(real(arguments[0])))

    @_add(_MATH, "Round", _O, _O)
    def _(_value: Value, arguments: list[Value], _site: Site | None) -> Value:
        number, digits = real(arguments[0]), base(arguments[1])
        if isinstance(digits, PSEnum) and digits.type_name == "System.MidpointRounding":
            if digits.name == "AwayFromZero" and abs(number) < 1e15:
                return math.copysign(math.floor(abs(number) + 0.5), number)
            return float(round(number))
        if type(digits) is not int:
            raise Unsupported("[math]::Round with these arguments")
        if not 0 <= digits <= 15 or abs(number) > 1e15:
            raise Unsupported("[math]::Round of such a number")
        # .NET scales by a power of ten, rounds half to even, and scales back.
        scale = 10.0**digits
        scaled = number * scale
        return float(round(scaled)) / scale

    for _name, _function in (("Floor", math.floor), ("Ceiling", math.ceil), ("Truncate", math.trunc)):

        @_add(_MATH, _name, _O)
        def _(
            _value: Value, arguments: list[Value], _site: Site | None, *, function: Callable[[float], int] = _function
        ) -> Value:
            number = real(arguments[0])
            return number if not math.isfinite(number) else float(function(number))

    @_add(_MATH, "Pow", _D, _D)
    def _(_value: Value, arguments: list[Value], _site: Site | None) -> Value:
        a, b = real(arguments[0]), real(arguments[1])
        try:
            result = math.pow(a, b)
        except (OverflowError, ValueError):
            raise Unsupported("[math]::Pow of such numbers") from None
        return result

    @_add(_MATH, "Sqrt", _D)
    def _(_value: Value, arguments: list[Value], _site: Site | None) -> Value:
        number = real(arguments[0])
        return math.sqrt(number) if number >= 0 else math.nan

    @_add(_MATH, "Sign", _O)
    def _(_value: Value, arguments: list[Value], _site: Site | None) -> Value:
        number = _same_kind(arguments)[0]
        return (number > 0) - (number < 0)

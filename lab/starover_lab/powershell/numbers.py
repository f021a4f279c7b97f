"""Numbers to text and text to numbers, as .NET and PowerShell do it in the en-US culture; knows no operator.

Where .NET Framework (5.1) and .NET Core (7) print different digits the answer is `Unsupported`.
"""

from __future__ import annotations

import math
import re
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, localcontext

from starover_lab.powershell.errors import PSException, Terminated, Unsupported, cast_failure
from starover_lab.powershell.numerals import NUMBER, number_value
from starover_lab.powershell.values import Long, Single, Sized, Value

__all__ = [
    "NumberError",
    "format_number",
    "general",
    "parse_double",
    "parse_integer",
    "plain_number",
    "round_trip",
    "scan_number",
]


class NumberError(ValueError):
    """A format specifier that .NET refuses (`FormatException`)."""


def general(value: float) -> str:
    """A double as `[string]`, `"$x"` and `+` print it: 15 digits (7 for a single), invariant culture."""
    return _general(value, 7 if isinstance(value, Single) else 15)


def _general(value: float, digits: int) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        if math.copysign(1, value) < 0:
            raise Unsupported("negative zero as text: 0 in 5.1, -0 in 7")
        return "0"
    mantissa, _, power = f"{value:.{digits - 1}e}".partition("e")
    exponent = int(power)
    sign = "-" if mantissa.startswith("-") else ""
    figures = mantissa.lstrip("-").replace(".", "").rstrip("0")
    if exponent >= digits or exponent < -5:
        return f"{sign}{figures[0]}{'.' if len(figures) > 1 else ''}{figures[1:]}E{exponent:+03d}"
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{figures}" if exponent > -5 else _small(sign, figures, exponent)
    whole = figures[: exponent + 1].ljust(exponent + 1, "0")
    fraction = figures[exponent + 1 :]
    return f"{sign}{whole}{'.' if fraction else ''}{fraction}"


def _small(sign: str, figures: str, exponent: int) -> str:
    return f"{sign}{figures[0]}{'.' if len(figures) > 1 else ''}{figures[1:]}E{exponent:+03d}"


def plain_number(value: float) -> str:
    """`(x).ToString()` and `{0}` of a double: 15 digits in 5.1, the shortest that round-trips in 7."""
    if math.isinf(value):
        raise Unsupported("infinity as text: differs between cultures' versions")
    text = _general(value, 7 if isinstance(value, Single) else 15)
    exact = value if isinstance(value, Single) else float(value)
    if not math.isnan(value) and (
        (isinstance(value, Single) and Decimal(text) != Decimal(_shortest_single(value)))
        or (not isinstance(value, Single) and float(text) != exact)
        or 1e15 <= abs(exact) < 1e17
    ):
        raise Unsupported("a double as text with more than 15 digits: differs between 5.1 and 7")
    return text


def round_trip(value: float) -> str:
    """The shortest text that reads back as the same double, in the form of .NET Core's `R`."""
    if not math.isfinite(value):
        return general(value)
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    figures, exponent = Decimal(repr(abs(float(value)))).as_tuple()[1:]
    digits = "".join(str(n) for n in figures).rstrip("0")
    assert isinstance(exponent, int)
    place = len(figures) + exponent
    sign = "-" if value < 0 else ""
    if place > 17 or place < -3:
        return f"{sign}{digits[0]}{'.' if len(digits) > 1 else ''}{digits[1:]}E{place - 1:+03d}"
    if place <= 0:
        return f"{sign}0.{'0' * -place}{digits}"
    whole, fraction = digits[:place].ljust(place, "0"), digits[place:]
    return f"{sign}{whole}{'.' if fraction else ''}{fraction}"


def _shortest_single(value: float) -> str:
    import struct

    for digits in range(1, 10):
        text = f"{value:.{digits - 1}e}"
        if struct.pack("f", float(text)) == struct.pack("f", value):
            return text
    raise Unsupported("a single as text")


def plain_decimal(value: Decimal) -> str:
    """A decimal with its scale: `1.50`."""
    return format(value, "f")


_STANDARD = re.compile(r"([A-Za-z])([0-9]{0,2})")


def format_number(value: Value, spec: str) -> str:
    """A number in a standard or custom format of the en-US culture. Raises `NumberError`, `Unsupported`."""
    if (standard := _STANDARD.fullmatch(spec)) is not None:
        return _standard(value, standard[1], int(standard[2]) if standard[2] else None)
    if not spec:
        return _plain(value)
    return _custom(value, spec)


def _plain(value: Value) -> str:
    if isinstance(value, float):
        return plain_number(value)
    return plain_decimal(value) if isinstance(value, Decimal) else str(int(_integer(value)))


def _integer(value: Value) -> int:
    assert isinstance(value, int)
    return int(value)


def _standard(value: Value, letter: str, precision: int | None) -> str:
    kind = letter.upper()
    if kind in "DX":
        if not isinstance(value, int):
            raise NumberError("Format specifier was invalid.")
        number = int(value)
        if kind == "D":
            return f"{'-' if number < 0 else ''}{str(abs(number)).zfill(precision or 0)}"
        bits = 64 if isinstance(value, Long) else 32
        if isinstance(value, Sized) and not isinstance(value, Long):
            bits = (type(value).high - type(value).low).bit_length()
        text = f"{number & (1 << bits) - 1:{'X' if letter == 'X' else 'x'}}"
        return text.zfill(precision or 0)
    if kind in "NF":
        if precision is None:
            raise Unsupported(f"format {letter} without a precision: the default differs between 5.1 and 7")
        text = _rounded(value, precision)
        negative, text = text.startswith("-"), text.lstrip("-")
        if kind == "N":
            whole, dot, fraction = text.partition(".")
            text = f"{int(whole):,}{dot}{fraction}"
        # .NET Framework prints no sign for what rounds to zero, .NET Core does.
        if negative and not text.strip("0.,"):
            raise Unsupported("a negative number that rounds to zero")
        return f"-{text}" if negative else text
    if kind == "G" and precision is None:
        return _plain(value)
    if kind == "E":
        return _scientific(value, letter, 6 if precision is None else precision)
    if kind in "RGCP":
        raise Unsupported(f"number format {letter}{'' if precision is None else precision}")
    raise NumberError("Format specifier was invalid.")


def _scientific(value: Value, letter: str, precision: int) -> str:
    assert isinstance(value, int | float | Decimal)
    exact = Decimal(value)
    if precision > 14 or not exact.is_finite() or exact == 0:
        raise Unsupported("this number in scientific notation")
    place = exact.adjusted() - precision
    with localcontext() as context:
        context.prec = 400
        step = Decimal(1).scaleb(place)
        framework = (Decimal(f"{exact:.14e}") if isinstance(value, float) else exact).quantize(step, ROUND_HALF_UP)
        if framework != exact.quantize(step, ROUND_HALF_EVEN):
            raise Unsupported("a number that 5.1 and 7 round differently")
    mantissa, _, power = f"{framework:.{precision}e}".partition("e")
    return f"{mantissa}{letter}{int(power):+04d}"


def _rounded(value: Value, places: int, *, custom: bool = False) -> str:
    """Fixed digits, half away from zero; `Unsupported` where binary midpoints round differently in 5.1 and 7.

    A custom format rounds from 15 digits in both.
    """
    with localcontext() as context:
        context.prec = 80
        step = Decimal(1).scaleb(-places)
        if not isinstance(value, float):
            exact = value if isinstance(value, Decimal) else Decimal(_integer(value))
            return format(exact.quantize(step, ROUND_HALF_UP), "f")
        if not math.isfinite(value) or places > 15:
            raise Unsupported("number format of an infinite or very precise double")
        exact = Decimal(value)
        framework = Decimal(f"{value:.14e}").quantize(step, ROUND_HALF_UP)
        if custom and abs(exact) < 10**15:
            return format(framework, "f")
        core = exact.quantize(step, ROUND_HALF_EVEN)
        if framework != core or abs(exact) >= 10**15:
            raise Unsupported("a double that 5.1 and 7 round differently")
        return format(core, "f")


_CUSTOM = re.compile(r"(?P<whole>[#0]*(?:,[#0]+)*)(?:\.(?P<fraction>0*#*))?")


def _custom(value: Value, spec: str) -> str:
    match = _CUSTOM.fullmatch(spec)
    if match is None or not isinstance(value, int | float | Decimal) or isinstance(value, bool):
        raise Unsupported(f"number format {spec}")
    whole, fraction = match["whole"], match["fraction"] or ""
    places = len(fraction)
    text = _rounded(value, places, custom=True)
    negative = text.startswith("-")
    digits, _, rest = text.lstrip("-").partition(".")
    if negative and not (digits + rest).strip("0"):
        raise Unsupported("a negative number that rounds to zero")
    digits = digits.lstrip("0").zfill(whole.replace(",", "").lstrip("#").count("0"))
    if "#" in whole.replace(",", "").lstrip("#"):
        raise Unsupported(f"number format {spec}")
    if "," in whole and digits:
        width = len(digits)
        digits = "".join(c + ("," if (width - i - 1) % 3 == 0 and i + 1 < width else "") for i, c in enumerate(digits))
    least = fraction.count("0")
    rest = rest[:least] + rest[least:].rstrip("0")
    return f"{'-' if negative else ''}{digits}{'.' if rest else ''}{rest}"


_WHITE = " \t\n\v\f\r"
_DECIMAL_INTEGER = re.compile(r"[-+]?[0-9]+")
_HEX = re.compile(r"(?:0[xX]|#|&[hH])([0-9a-fA-F]+)")
_REAL = re.compile(r"[-+]?(?:[0-9]+(?:,[0-9]*)*(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")


def parse_double(text: str) -> float | None:
    """`Convert.ToDouble` in the invariant culture: thousands separators and exponents; None: it is no number."""
    text = text.strip(_WHITE)
    if _REAL.fullmatch(text):
        return float(text.replace(",", ""))
    if text.casefold() in ("nan", "infinity", "-infinity", "+infinity", "∞", "-∞"):
        raise Unsupported(f"'{text}' as a number")
    return None


def scan_number(text: str, line: int = 0) -> Value | None:
    """The number that the whole text is in PowerShell's own notation (`0x10`, `1kb`, `5L`), with its type; or None."""
    text = text.strip(_WHITE)
    match = NUMBER.fullmatch(text)
    if match is None or not any(c.isdigit() for c in text):
        return None
    return number_value(match, line)


def parse_integer(text: str, low: int, high: int, bits: int) -> int | None:
    """Text to an integer of a size, as `[int]'...'` does; None when the text is no number.

    Raises `Terminated` with InvalidCastFromStringToInteger only through the caller: an overflow gives `OverflowError`.
    """
    text = text.strip(_WHITE)
    if not text:
        raise Unsupported("blanks as a whole number: 0 in 7, an error in 5.1")
    if _DECIMAL_INTEGER.fullmatch(text):
        number = int(text)
        if not low <= number <= high:
            raise OverflowError
        return number
    if (hexadecimal := _HEX.fullmatch(text)) is not None:
        number = int(hexadecimal[1], 16)
        if number >= 1 << bits:
            raise OverflowError
        return number - (1 << bits) if low < 0 and number > high else number
    real = parse_double(text)
    if real is None:
        scanned = scan_number(text)
        if scanned is None:
            return None
        if isinstance(scanned, float):
            real = scanned
        elif isinstance(scanned, int | Decimal):
            real = None
            number = int(scanned) if isinstance(scanned, int) else int(scanned.to_integral_value("ROUND_HALF_EVEN"))
            return number if low <= number <= high else None
    if real is None:
        return None
    number = round(real)
    return number if low <= number <= high else None


def not_a_number(text: str, target: str, *, overflow: bool = False) -> Terminated:
    """The error of `[int]'x'`; `target` is the full type name."""
    short = {"System.Int32": "an Int32", "System.Int64": "an Int64", "System.Byte": "an unsigned byte"}
    reason = (
        f"Value was either too large or too small for {short.get(target, 'a ' + target.removeprefix('System.'))}."
        if overflow
        else "Input string was not in a correct format."
    )
    return cast_failure(
        "InvalidCastFromStringToInteger",
        f'Cannot convert value "{text}" to type "{target}". Error: "{reason}"',
        inner=PSException("System.OverflowException" if overflow else "System.FormatException", reason),
    )

"""Numeric literals: from the text of a token to its value; knows no token around it.

Windows PowerShell 5.1 knows the suffixes `l` and `d`; what only 7 reads as a number (`0b1`, `5u`, `1y`), or reads as
another one, is `Unsupported`.
"""

from __future__ import annotations

import re
from decimal import Decimal

from starover_lab.powershell.values import Long, Unsupported, Value

__all__ = ["NUMBER", "number_value"]

NUMBER = re.compile(
    r"(?P<sign>[-+\u2013\u2014\u2015])?"
    r"(?:0[xX](?P<hex>[0-9a-fA-F]*)|0[bB](?P<binary>[01]*)"
    r"|(?P<digits>[0-9]+(?:\.(?!\.)[0-9]*)?|\.[0-9]*)(?P<exponent>[eE][-+\u2013\u2014\u2015]?[0-9]*)?)"
    r"(?P<suffix>[a-zA-Z]*)",
)
"""A candidate: what a number may look like, with all letters behind it."""

_MULTIPLIERS = {"kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30, "tb": 1 << 40, "pb": 1 << 50}
_SUFFIX = re.compile(r"(?P<type>[a-z]{0,2}?)(?P<multiplier>kb|mb|gb|tb|pb)?", re.IGNORECASE)
_SEVEN = frozenset({"y", "s", "u", "n", "us", "ul", "uy"})
_LARGEST_DECIMAL = 2**96 - 1


def number_value(match: re.Match[str], line: int) -> Value | None:
    """The value of a match of `NUMBER`, or None when it is no number (`12abc`); the caller checks what follows it.

    Raises `Unsupported` for what 5.1 and 7 read differently.
    """
    suffix = _SUFFIX.fullmatch(match["suffix"])
    if suffix is None:
        return None
    kind = suffix["type"].lower()
    if match["binary"] is not None or kind in _SEVEN:
        if match["binary"] == "":
            return None
        raise Unsupported(f"number {match[0]}: not a number in Windows PowerShell 5.1", line)
    if kind not in ("", "l", "d"):
        return None
    multiplier = _MULTIPLIERS.get((suffix["multiplier"] or "").lower(), 1)
    negative = match["sign"] not in (None, "+")
    if match["hex"] is not None:
        return _hexadecimal(match, kind, multiplier, negative, line)
    exponent = match["exponent"] or ""
    if exponent and not exponent[-1].isdigit():
        return None
    if exponent:
        exponent = re.sub("[\u2013\u2014\u2015]", "-", exponent)
    text = match["digits"] + exponent
    if kind == "d":
        return _decimal(text, multiplier, negative, match[0], line)
    if exponent or "." in text:
        if kind == "l":
            raise Unsupported(f"number {match[0]}", line)
        real = float(text) * multiplier
        return -real if negative else real
    return _whole(-int(text) if negative else int(text), multiplier, kind, match[0], line)


def _whole(number: int, multiplier: int, kind: str, text: str, line: int) -> Value:
    number *= multiplier
    if kind == "" and -(2**31) <= number < 2**31:
        return number
    if -(2**63) <= number < 2**63:
        return Long(number)
    if kind == "l" or multiplier != 1:
        raise Unsupported(f"number {text}", line)
    return Decimal(number) if abs(number) <= _LARGEST_DECIMAL else float(number)


def _decimal(text: str, multiplier: int, negative: bool, source: str, line: int) -> Value:
    value = Decimal(text) * multiplier
    if value.as_tuple().exponent not in range(-28, 1):
        value = value.quantize(Decimal(1)) if value == value.to_integral_value() else value
    if abs(value) > _LARGEST_DECIMAL or len(value.as_tuple().digits) > 28:
        raise Unsupported(f"number {source}", line)
    return -value if negative else value


def _hexadecimal(match: re.Match[str], kind: str, multiplier: int, negative: bool, line: int) -> Value | None:
    digits = match["hex"]
    if not digits:
        return None
    if digits.lower().endswith("d") and kind == "" and multiplier != 1:
        raise Unsupported(f"number {match[0]}", line)
    length = len(digits.lstrip("0"))
    # The top bit of 8 or 16 written digits is the sign; with leading zeros 5.1 and 7 disagree.
    if length > 16 or (length < len(digits) and len(digits) > 7 and length in (8, 16)) or kind == "d":
        raise Unsupported(f"number {match[0]}", line)
    number = int(digits, 16)
    if length == 16 and number >= 2**63:
        number -= 2**64
    elif length == 8 and number >= 2**31:
        number -= 2**32
    if kind == "l" and length == 8 and number < 0:
        raise Unsupported(f"number {match[0]}", line)
    value = _whole(-number if negative else number, multiplier, kind, match[0], line)
    return Long(value) if len(digits) == 16 and type(value) is int else value

"""Conversion of values: to text, to truth, and casts to a named type; knows no operator.

`cast` is what `[type]value`, typed variables and parameter binding do. Failures raise `Terminated` with the engine's
own error ids; a conversion that is not known exactly raises `Unsupported`.
"""

from __future__ import annotations

import math
import re
import struct
from decimal import Decimal

from starover_lab.powershell import numbers, types
from starover_lab.powershell.errors import Terminated, cast_failure
from starover_lab.powershell.scalar_casts import SCALAR_CASTS, no_conversion, not_convertible
from starover_lab.powershell.text import default_text, interpolate, joined, to_bool, to_string
from starover_lab.powershell.values import (
    Byte,
    Char,
    DateTime,
    Int16,
    Long,
    NetObject,
    Nothing,
    OrderedHashtable,
    PSArray,
    PSCredential,
    PSEnum,
    PSException,
    PSHashtable,
    PSList,
    PSObject,
    SByte,
    Single,
    Sized,
    SwitchParameter,
    UInt16,
    UInt32,
    UInt64,
    Unsupported,
    Value,
    base,
    custom_object,
    type_name,
    units,
)

__all__ = [
    "as_type",
    "cast",
    "cast_text",
    "default_text",
    "interpolate",
    "joined",
    "no_conversion",
    "to_bool",
    "to_string",
]

_SMA = "System.Management.Automation"
INTEGERS: dict[str, type[int]] = {
    "System.Int32": int,
    "System.Int64": Long,
    "System.Byte": Byte,
    "System.SByte": SByte,
    "System.Int16": Int16,
    "System.UInt16": UInt16,
    "System.UInt32": UInt32,
    "System.UInt64": UInt64,
}


_PRINCIPAL = "System.Security.Principal"


def cast_text(value: Value, name: str) -> Value:
    """`cast` with a type literal's inside (`int`, `string[]`); raises TypeNotFound for an unknown name."""
    return cast(value, types.resolve(name))


def as_type(value: Value, target: str) -> Value:
    """`value -as [target]`: `$null` where the cast fails."""
    try:
        return cast(value, target)
    except Terminated:
        return None


def cast(value: Value, target: str) -> Value:
    """`[target]value`, with the full type name (`types.resolve`) or `pscustomobject`."""
    match target:
        case "System.Object":
            return value
        case "System.String":
            # Nothing stays nothing: [string] of a command without output is $null.
            return None if isinstance(value, Nothing) else to_string(value)
        case "System.Boolean":
            return to_bool(value)
        case "System.Void":
            raise Unsupported("a cast to [void] away from a statement")
        case "pscustomobject" | "System.Management.Automation.PSObject":
            return _custom(value, target)
        case _:
            pass
    inner = base(value)
    if target in INTEGERS:
        return _integer(inner, target)
    if target in ("System.Double", "System.Single", "System.Decimal"):
        return _real(inner, target)
    if target.endswith("[]") or target == "System.Array":
        return _array(inner, target)
    if inner is not None and not isinstance(inner, Nothing) and type_name(inner) == target:
        return value
    if target in types.ENUMS:
        return _enum(inner, target)
    scalar = SCALAR_CASTS.get(target)
    if scalar is not None:
        return scalar(inner)
    if inner is None or isinstance(inner, Nothing):
        if target.startswith(("System.Collections.", _SMA)) and target != f"{_SMA}.SwitchParameter":
            return None
        raise Unsupported(f"$null as [{target}]")
    if target == "System.Collections.Hashtable":
        if isinstance(inner, OrderedHashtable):
            raise Unsupported("[hashtable] of an ordered dictionary")
        raise no_conversion(inner, target)
    if target.startswith(("System.Collections.ArrayList", "System.Collections.Generic.")):
        return _list(inner, target)
    if target.endswith("Exception") and isinstance(inner, str):
        return PSException(target, inner)
    if target == f"{_PRINCIPAL}.WindowsPrincipal" and type_name(inner) == f"{_PRINCIPAL}.WindowsIdentity":
        return NetObject(target, target, inner)
    raise Unsupported(f"[{target}] of a {type_name(inner)}")


def _custom(value: Value, target: str) -> Value:
    inner = base(value)
    if isinstance(inner, OrderedHashtable | PSHashtable) and target == "pscustomobject":
        names = [(to_string(key), item) for key, item in inner.pairs()]
        if len({name.casefold() for name, _ in names}) != len(names):
            raise Unsupported("[pscustomobject] of keys with one name")
        return custom_object(names)
    if target == "pscustomobject":
        return value
    if isinstance(inner, PSObject) or inner is None:
        return value
    raise Unsupported("a cast to [psobject]")


def _integer(value: Value, target: str) -> Value:
    kind = INTEGERS[target]
    low, high = (-(2**31), 2**31 - 1) if not issubclass(kind, Sized) else (kind.low, kind.high)
    match value:
        case None | Nothing():
            number = 0
        case Char():
            number = ord(value)
        case str():
            if not value:
                return kind(0)
            try:
                parsed = numbers.parse_integer(value, low, high, (high - low).bit_length())
            except OverflowError:
                raise numbers.not_a_number(value, target, overflow=True) from None
            if parsed is None:
                raise numbers.not_a_number(value, target)
            return kind(parsed)
        case bool() | int():
            number = int(value)
        case float():
            if not math.isfinite(value):
                raise not_convertible(value, target, "Value was either too large or too small.")
            number = round(value)
        case Decimal():
            number = int(value.to_integral_value("ROUND_HALF_EVEN"))
        case PSEnum():
            number = value.number
        case DateTime():
            raise not_convertible(value, target, f"Invalid cast from 'DateTime' to '{types.short_name(target)}'.")
        case SwitchParameter():
            raise Unsupported("a switch as a number")
        case NetObject() | PSCredential():
            raise Unsupported(f"a {type_name(value)} as a number")
        case _:
            raise no_conversion(value, target)
    if not low <= number <= high:
        raise not_convertible(value, target, f"Value was either too large or too small for {target}.")
    return kind(number)


def _real(value: Value, target: str) -> Value:
    match value:
        case None | Nothing():
            number: Decimal | float | int = 0
        case Char() | SwitchParameter() | NetObject() | PSCredential() | DateTime():
            raise Unsupported(f"a {type_name(value)} as [{target}]")
        case str():
            number = _real_text(value, target)
        case bool() | int() | float() | Decimal():
            number = value
        case PSEnum():
            number = value.number
        case _:
            raise no_conversion(value, target)
    if target == "System.Double":
        return float(number)
    if target == "System.Single":
        return Single(struct.unpack("f", struct.pack("f", float(number)))[0])
    if isinstance(number, Single) or (isinstance(number, float) and not abs(number) < 7e27):
        raise Unsupported("a large or single number as [decimal]")
    if isinstance(number, float):
        text = format(Decimal(f"{number:.14e}"), "f")
        return Decimal(text.rstrip("0").rstrip(".") if "." in text else text)
    return number if isinstance(number, Decimal) else Decimal(int(number))


def _real_text(text: str, target: str) -> float | Decimal:
    stripped = text.strip()
    if not stripped:
        if text:
            raise Unsupported("blanks as a number")
        return 0.0
    if not re.fullmatch(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?", stripped):
        if re.fullmatch(r"[A-Za-z_]+", stripped) and stripped.casefold() not in ("nan", "infinity"):
            raise cast_failure(
                "InvalidCastFromStringToDoubleOrSingle"
                if target != "System.Decimal"
                else "InvalidCastFromStringToDecimal",
                f'Cannot convert value "{text}" to type "{target}". Error: "Input string was not in a correct format."',
            )
        raise Unsupported(f"'{text}' as [{target}]")
    return float(stripped)


def _array(value: Value, target: str) -> Value:
    element = "System.Object" if target == "System.Array" else types.element_type(target)
    if value is None or isinstance(value, Nothing):
        return None
    if isinstance(value, PSArray) and (target in ("System.Array", value.type_name)):
        return value
    if isinstance(value, str) and element == "System.Char":
        return PSArray([Char(c) for c in units(value)], target)
    items = list(value.items) if isinstance(value, PSArray | PSList) else [value]
    if element == f"{_SMA}.PSObject":
        raise Unsupported(f"a cast to [{target}]")
    made = f"{element}[]"
    return PSArray([cast(item, element) for item in items], made)


def _list(value: Value, target: str) -> Value:
    element = types.element_type(target)
    if isinstance(value, PSArray | PSList):
        return PSList([cast(item, element) for item in value.items], target)
    raise Unsupported(f"[{target}] of a {type_name(value)}")


def _enum(value: Value, target: str) -> Value:
    if isinstance(value, str) and not isinstance(value, Char):
        found = types.enum_member(target, value)
        if found is not None:
            return found
        if re.fullmatch(r"\s*[A-Za-z_]\w*\s*", value):
            raise cast_failure(
                "SubstringDisambiguationEnumParseThrewAnException",
                f'Cannot convert value "{value}" to type "{target}". Error: "Unable to match the identifier name '
                f"{value} to a valid enumerator name. Specify one of the following enumerator names and try again:\n"
                f'{", ".join(types.ENUMS[target])}"',
            )
    if isinstance(value, int) and not isinstance(value, bool):
        for name, number in types.ENUMS[target].items():
            if number == value:
                return PSEnum(target, name, number)
    raise Unsupported(f"{type_name(value) or '$null'} as [{target}]")

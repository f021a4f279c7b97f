"""Values to JSON and back as ConvertTo-Json and ConvertFrom-Json do it; knows no cmdlet.

`differs` is called where Windows PowerShell 5.1 and 7 write or read otherwise; it refuses, or lets 5.1's way be taken.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import cast

from starover_lab.powershell.convert import default_text, to_string
from starover_lab.powershell.errors import Unsupported
from starover_lab.powershell.numbers import general
from starover_lab.powershell.values import (
    Char,
    DateTime,
    Guid,
    Long,
    NetObject,
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
    Value,
    base,
    fold,
    from_units,
    type_name,
    units,
)

__all__ = ["BadJson", "Differs", "UndecidedInt", "from_json", "to_json"]

Differs = Callable[[str], None]
_EPOCH_TICKS = 621_355_968_000_000_000


class BadJson(ValueError):
    """Text that no JSON reader of PowerShell takes, a key that it refuses, or a key that is not text (`kind`)."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class UndecidedInt(Sized):
    """A whole number out of JSON: Int32 in 5.1, Int64 in 7. What shows its type is refused."""

    type_name = "System.Int64 or System.Int32"
    line: int = 0
    """Where it was read."""


_SHORT = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _quoted(text: str, differs: Differs) -> str:
    out: list[str] = []
    for c in units(text):
        if c in _SHORT:
            out.append(_SHORT[c])
        elif c < " " or c in "\x85\u2028\u2029":
            out.append(f"\\u{ord(c):04x}")
        elif c in "<>&'":
            differs("< > & ' in JSON: escaped in 5.1 only")
            out.append(f"\\u{ord(c):04x}")
        else:
            out.append(c)
    return f'"{from_units("".join(out))}"'


def to_json(value: Value, depth: int, differs: Differs) -> str:
    """The value as compact JSON; what lies deeper than `depth` becomes its text. Raises `BadJson`."""
    return _Writer(depth, differs).write(value, 0)


class _Writer:
    def __init__(self, depth: int, differs: Differs) -> None:
        self.depth = depth
        self.differs = differs

    def write(self, value: Value, level: int) -> str:
        if isinstance(value, PSObject) and not isinstance(value.base_value, Nothing) and value.properties:
            return self._wrapped(value, level)
        inner = base(value)
        match inner:
            case None | Nothing():
                return "null"
            case bool():
                return "true" if inner else "false"
            case Char() | str() | Guid():
                return _quoted(default_text(inner), self.differs)
            case PSEnum():
                return str(inner.number)
            case int():
                return str(int(inner))
            case float() | Decimal():
                return self._real(inner)
            case DateTime():
                self.differs("a date in JSON")
                # 5.1 writes milliseconds since 1970.
                return f'"\\/Date({(inner.ticks - _EPOCH_TICKS) // 10_000})\\/"'
            case PSArray() | PSList():
                if isinstance(inner, PSList) and "+" in inner.type_name:
                    raise Unsupported("the keys of a dictionary in JSON")
                if level > self.depth:
                    return _quoted(to_string(inner), self.differs)
                return f"[{','.join(self.write(item, level + 1) for item in inner.items)}]"
            case PSHashtable() | OrderedHashtable():
                if level > self.depth:
                    return _quoted(type_name(inner), self.differs)
                return self._pairs([(self._key(key, inner), item) for key, item in inner.pairs()], level)
            case PSObject():
                return self._object(inner, level)
            case SwitchParameter():
                return self._pairs([("IsPresent", inner.present)], level)
            case NetObject() if inner.type_name == "System.Collections.DictionaryEntry":
                self.differs("a dictionary's entry in JSON")
                pairs = [(name, inner.properties[name]) for name in ("Name", "Key", "Value")]
                return self._pairs(pairs, level)
            case _:
                raise Unsupported(f"a {type_name(inner)} in JSON")

    def _key(self, key: Value, owner: PSHashtable | OrderedHashtable) -> str:
        if isinstance(key, str) and not isinstance(key, Char):
            return key
        raise BadJson(
            "NonStringKeyInDictionary", f"The type '{owner.type_name}' is not supported. Keys must be strings."
        )

    def _real(self, value: float | Decimal) -> str:
        if isinstance(value, Single):
            raise Unsupported("a single in JSON")
        if isinstance(value, Decimal):
            text = default_text(value)
            if "." not in text:
                self.differs("a whole decimal in JSON")
            return text
        if value != value or value in (float("inf"), float("-inf")):
            raise Unsupported("NaN or infinity in JSON")
        if value == int(value):
            self.differs("a whole double in JSON")
        if abs(value) >= 1e15 or abs(value) < 1e-4:
            raise Unsupported("a very large or small double in JSON")
        if float(general(value)) != value:
            # Both write what reads back as the same number.
            return repr(float(value))
        return general(value)

    def _pairs(self, pairs: list[tuple[str, Value]], level: int) -> str:
        body = (f"{_quoted(name, self.differs)}:{self.write(item, level + 1)}" for name, item in pairs)
        return f"{{{','.join(body)}}}"

    def _object(self, value: PSObject, level: int) -> str:
        if level > self.depth:
            return _quoted(to_string(value), self.differs)
        if any(p.kind in ("ScriptProperty", "AliasProperty") for p in value.properties.values()):
            raise Unsupported("a script property in JSON")
        return self._pairs([(p.name, p.value) for p in value.properties.values() if p.kind != "ScriptMethod"], level)

    def _wrapped(self, value: PSObject, level: int) -> str:
        inner = base(value)
        if isinstance(inner, PSArray | PSList | PSHashtable | OrderedHashtable):
            raise Unsupported("a collection with further members in JSON")
        pairs: list[tuple[str, Value]] = [("value", inner)]
        pairs += [(p.name, p.value) for p in value.properties.values() if p.kind != "ScriptMethod"]
        return self._pairs(pairs, level)


# -- reading

_DATE = re.compile(r"\s*(?:[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2}.*)?|/Date\(.*\)/)\s*", re.DOTALL)
_SURELY_BAD = re.compile(r"\s*(?:\{\s*[A-Za-z_]\w*\s*(?!\s*:)(?:[A-Za-z_]|$)|(?!t|f|n|N|I|u|-)[A-Za-z_])")
_WORDS = ("true", "false", "null", "new", "NaN", "Infinity", "undefined")


def from_json(text: str, differs: Differs, line: int = 0) -> Value:
    """The value of one JSON text. Raises `BadJson` (`kind` is the error id) and `Unsupported`; `line` is for those."""

    def whole(digits: str) -> Value:
        number = int(digits)
        differs_here = _undecided(differs, "a whole number out of JSON")
        if not -(2**63) <= number < 2**63:
            raise Unsupported("a very long number in JSON")
        if differs_here:
            undecided = UndecidedInt(number)
            undecided.line = line
            return undecided
        return number if -(2**31) <= number < 2**31 else Long(number)

    def real(digits: str) -> Value:
        differs("a fraction out of JSON: Decimal in 5.1, Double in 7")
        return float(digits) if "e" in digits.lower() else Decimal(digits)

    def pairs(found: list[tuple[str, Value]]) -> Value:
        made = PSObject()
        for name, item in found:
            if not name:
                raise BadJson("EmptyKeyInJsonString", "The provided JSON includes a property whose name is empty.")
            if fold(name) in made.properties:
                differs("keys in JSON that differ in case only, or twice")
                raise BadJson("DuplicateKeysInJsonString", f"Cannot convert the JSON string: duplicated key '{name}'.")
            made.set(name, _read(item, differs))
        return made

    def constant(name: str) -> Value:
        raise Unsupported(f"{name} in JSON")

    try:
        found: Value = json.loads(
            text, parse_int=whole, parse_float=real, object_pairs_hook=pairs, parse_constant=constant, strict=False
        )
    except json.JSONDecodeError as error:
        if _surely_bad(text, error):
            raise BadJson("System.ArgumentException", f"Conversion from JSON failed with error: {error.msg}") from None
        raise Unsupported(f"JSON that only one of 5.1 and 7 may read: {error.msg}") from None
    except RecursionError:
        raise Unsupported("very deep JSON") from None
    return _read(found, differs)


def _undecided(differs: Differs, what: str) -> bool:
    try:
        differs(what)
    except Unsupported:
        return True
    return False


def _surely_bad(text: str, error: json.JSONDecodeError) -> bool:
    stripped = text.strip()
    if not stripped:
        return False
    if re.search(r"//|/\*|'", text):
        return False
    if error.pos >= len(text.rstrip()):
        # It ends in the middle.
        return stripped[0] in '{["'
    if _SURELY_BAD.match(text):
        return True
    word = re.match(r"[A-Za-z]+", stripped)
    return word is not None and word[0] not in _WORDS and len(word[0]) > 1 and not stripped[len(word[0]) :].strip()


def _read(value: object, differs: Differs) -> Value:
    match value:
        case list():
            return PSArray([_read(item, differs) for item in cast("list[object]", value)])
        case str():
            if _DATE.fullmatch(value):
                differs("a date out of JSON: a string in 5.1, a date in 7")
                if value.strip().startswith("/Date"):
                    raise Unsupported("a date in 5.1's own form out of JSON")
            return from_units(value)
        case None | bool() | int() | float() | Decimal() | PSObject():
            return value
        case _:
            raise Unsupported("this JSON")

"""Methods of System.String and System.Char; knows no other type."""

from __future__ import annotations

from starover_lab.powershell.chars import is_white
from starover_lab.powershell.invoke import NetError, Registry, Site
from starover_lab.powershell.values import (
    Char,
    PSArray,
    PSEnum,
    Unsupported,
    Value,
    fold,
    from_units,
    units,
)

__all__ = ["STRING_METHODS", "lower", "upper"]

STRING_METHODS = Registry()
_add = STRING_METHODS.add
_S = "System.String"
_I = "System.Int32"
_CHARS = "System.Char[]"
_COMPARISON = "System.StringComparison"
_SPLIT = "System.StringSplitOptions"
_RANGE = "System.ArgumentOutOfRangeException"


def _text(value: Value) -> str:
    if not isinstance(value, str):
        raise Unsupported("a method of text with something else")
    return str(value)


def _number(value: Value) -> int:
    assert isinstance(value, int)
    return int(value)


def _plain(*texts: str) -> None:
    """A culture's comparison is the ordinal one for visible ASCII only."""
    for text in texts:
        if not text.isascii() or not text.isprintable():
            raise Unsupported("a search by culture in text beyond visible ASCII")


def upper(text: str) -> str:
    """`ToUpperInvariant`."""
    return fold(text)


def lower(text: str) -> str:
    """`ToLowerInvariant`."""
    return "".join(c if c == "İ" or len(c.lower()) != 1 else c.lower() for c in text)


def _set(value: Value) -> str:
    assert isinstance(value, PSArray)
    return "".join(_text(item) for item in value.items)


def _strip(value: Value, where: str, chars: str | None) -> str:
    text = units(_text(value))
    start, end = 0, len(text)
    gone = is_white if not chars else set(chars).__contains__
    if "s" in where:
        while start < end and gone(text[start]):
            start += 1
    if "e" in where:
        while end > start and gone(text[end - 1]):
            end -= 1
    return from_units(text[start:end])


def _register_trim(name: str, where: str) -> None:
    @_add(_S, name)
    def _(value: Value, _arguments: list[Value], _site: Site | None) -> Value:
        return _strip(value, where, None)

    for count in range(1, 9):
        # A text of several characters is taken for a set of them in 5.1 and 7.
        kinds = (_CHARS,) if count == 1 else ("System.Char",) * count

        @_add(_S, name, *kinds)
        def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
            chars = "".join(_set(a) if isinstance(a, PSArray) else _text(a) for a in arguments)
            return _strip(value, where, chars)


_register_trim("Trim", "se")
_register_trim("TrimStart", "s")
_register_trim("TrimEnd", "e")


@_add(_S, "Split")
def _(value: Value, _arguments: list[Value], _site: Site | None) -> Value:
    return _parts(_split_at(units(_text(value)), None), 0)


@_add(_S, "Split", "System.Object")
def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    return _parts(_split_at(units(_text(value)), _separator(arguments[0])), 0)


@_add(_S, "Split", "System.Object", "System.Object")
def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    separator, second = arguments
    text = units(_text(value))
    limit, options = 0, 0
    if isinstance(second, PSEnum) and second.type_name == _SPLIT:
        options = second.number
    elif isinstance(second, int) and not isinstance(second, bool) and second > 0:
        limit = second
    else:
        raise Unsupported("Split with these arguments: the overload differs between 5.1 and 7")
    if isinstance(separator, PSArray) and separator.type_name == "System.String[]" and len(separator.items) == 1:
        mark = _text(separator.items[0])
        if not mark or limit:
            raise Unsupported("Split by such texts")
        return _parts(text.split(units(mark)), options)
    return _parts(_split_at(text, _separator(separator), limit), options)


def _separator(value: Value) -> str:
    if isinstance(value, Char):
        return value
    if isinstance(value, str) and len(units(value)) == 1:
        return value
    if isinstance(value, PSArray) and value.type_name == _CHARS and value.items:
        return _set(value)
    raise Unsupported("Split by this: the overload differs between 5.1 and 7")


def _split_at(text: str, marks: str | None, limit: int = 0) -> list[str]:
    parts: list[str] = [""]
    for c in text:
        hit = is_white(c) if marks is None else c in marks
        if hit and (not limit or len(parts) < limit):
            parts.append("")
        else:
            parts[-1] += c
    return parts


def _parts(parts: list[str], options: int) -> PSArray:
    return PSArray([from_units(part) for part in parts if part or not options], "System.String[]")


@_add(_S, "Replace", _S, "System.String?")
def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    old, new = arguments
    if not old:
        raise NetError("System.ArgumentException", "String cannot be of zero length. (Parameter 'oldValue')")
    return from_units(units(_text(value)).replace(units(_text(old)), "" if new is None else units(_text(new))))


@_add(_S, "Replace", "System.Char", "System.Char")
def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    return from_units(units(_text(value)).replace(_text(arguments[0]), _text(arguments[1])))


def _ends(value: Value, part: Value, comparison: Value, *, start: bool) -> bool:
    text, mark = _text(value), _text(part)
    if isinstance(comparison, PSEnum) and comparison.name.startswith("Ordinal"):
        if comparison.name == "OrdinalIgnoreCase":
            text, mark = fold(text), fold(mark)
    else:
        if mark and text != mark:
            _plain(text, mark)
        if isinstance(comparison, PSEnum) and comparison.name.endswith("IgnoreCase"):
            text, mark = fold(text), fold(mark)
    return text.startswith(mark) if start else text.endswith(mark)


for _name, _start in (("StartsWith", True), ("EndsWith", False)):

    @_add(_S, _name, _S)
    def _(value: Value, arguments: list[Value], _site: Site | None, *, start: bool = _start) -> Value:
        return _ends(value, arguments[0], None, start=start)

    @_add(_S, _name, _S, _COMPARISON)
    def _(value: Value, arguments: list[Value], _site: Site | None, *, start: bool = _start) -> Value:
        return _ends(value, arguments[0], arguments[1], start=start)


@_add(_S, "Contains", "System.Object")
def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    part = arguments[0]
    if not isinstance(part, str):
        raise Unsupported("Contains with something else than text: the overload differs between 5.1 and 7")
    return units(part) in units(_text(value))


def _find(value: Value, part: Value, start: int | None, *, last: bool = False) -> int:
    text, mark = units(_text(value)), units(_text(part))
    if not isinstance(part, Char):
        if not mark:
            raise Unsupported("IndexOf an empty text")
        _plain(text, mark)
    if last:
        if start is not None:
            raise Unsupported("LastIndexOf from a position")
        return text.rfind(mark)
    if start is not None and not 0 <= start <= len(text):
        message = "Index was out of range. Must be non-negative and less than the size of the collection."
        raise NetError(_RANGE, f"{message} (Parameter 'startIndex')")
    return text.find(mark, start or 0)


@_add(_S, "IndexOf", _S)
@_add(_S, "IndexOf", "System.Char")
def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    return _find(value, arguments[0], None)


@_add(_S, "IndexOf", _S, _I)
@_add(_S, "IndexOf", "System.Char", _I)
def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    return _find(value, arguments[0], _number(arguments[1]))


@_add(_S, "IndexOf", _S, _COMPARISON)
def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    comparison = arguments[1]
    if not isinstance(comparison, PSEnum) or not comparison.name.startswith("Ordinal"):
        raise Unsupported("IndexOf by culture")
    text, part = units(_text(value)), units(_text(arguments[0]))
    return fold(text).find(fold(part)) if comparison.name == "OrdinalIgnoreCase" else text.find(part)


@_add(_S, "LastIndexOf", _S)
@_add(_S, "LastIndexOf", "System.Char")
def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    return _find(value, arguments[0], None, last=True)


@_add(_S, "IndexOfAny", _CHARS)
def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    marks = _set(arguments[0])
    return next((i for i, c in enumerate(units(_text(value))) if c in marks), -1)


@_add(_S, "Substring", _I)
def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    text, start = units(_text(value)), _number(arguments[0])
    if start < 0:
        raise NetError(_RANGE, "StartIndex cannot be less than zero. (Parameter 'startIndex')")
    if start > len(text):
        raise NetError(_RANGE, "startIndex cannot be larger than length of string. (Parameter 'startIndex')")
    return from_units(text[start:])


@_add(_S, "Substring", _I, _I)
def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    text, start, length = units(_text(value)), _number(arguments[0]), _number(arguments[1])
    if start < 0 or length < 0 or start + length > len(text):
        raise NetError(_RANGE, "Index and length must refer to a location within the string. (Parameter 'length')")
    return from_units(text[start : start + length])


@_add(_S, "Remove", _I)
def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    text, start = units(_text(value)), _number(arguments[0])
    if not 0 <= start < len(text):
        raise NetError(_RANGE, "startIndex must be less than length of string. (Parameter 'startIndex')")
    return from_units(text[:start])


@_add(_S, "Remove", _I, _I)
def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    text, start, length = units(_text(value)), _number(arguments[0]), _number(arguments[1])
    if start < 0 or length < 0 or start + length > len(text):
        raise NetError(_RANGE, "Index and count must refer to a location within the string. (Parameter 'count')")
    return from_units(text[:start] + text[start + length :])


@_add(_S, "Insert", _I, _S)
def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    text, start = units(_text(value)), _number(arguments[0])
    if not 0 <= start <= len(text):
        raise NetError(_RANGE, "Specified argument was out of the range of valid values. (Parameter 'startIndex')")
    return from_units(text[:start] + units(_text(arguments[1])) + text[start:])


for _name, _left in (("PadLeft", True), ("PadRight", False)):

    def _pad(value: Value, arguments: list[Value], _site: Site | None, *, left: bool = _left) -> Value:
        text, width = units(_text(value)), _number(arguments[0])
        mark = _text(arguments[1]) if len(arguments) > 1 else " "
        if width < 0:
            raise NetError(_RANGE, "Non-negative number required. (Parameter 'totalWidth')")
        return from_units(text.rjust(width, mark) if left else text.ljust(width, mark))

    _add(_S, _name, _I)(_pad)
    _add(_S, _name, _I, "System.Char")(_pad)


@_add(_S, "ToUpper")
@_add(_S, "ToUpperInvariant")
def _(value: Value, _arguments: list[Value], _site: Site | None) -> Value:
    return upper(_text(value))


@_add(_S, "ToLower")
@_add(_S, "ToLowerInvariant")
def _(value: Value, _arguments: list[Value], _site: Site | None) -> Value:
    return lower(_text(value))


@_add(_S, "ToCharArray")
def _(value: Value, _arguments: list[Value], _site: Site | None) -> Value:
    return PSArray([Char(c) for c in units(_text(value))], _CHARS)


@_add(_S, "Equals", "System.Object")
def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    other = arguments[0]
    return isinstance(other, str) and not isinstance(other, Char) and str(other) == _text(value)


@_add(_S, "Equals", "System.String?", _COMPARISON)
def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    other, comparison = arguments
    if other is None:
        return False
    if not isinstance(comparison, PSEnum) or not comparison.name.startswith("Ordinal"):
        raise Unsupported("Equals by culture")
    left, right = _text(value), _text(other)
    return fold(left) == fold(right) if comparison.name == "OrdinalIgnoreCase" else left == right


@_add(_S, "Chars", _I)
def _(value: Value, arguments: list[Value], _site: Site | None) -> Value:
    text, index = units(_text(value)), _number(arguments[0])
    if not 0 <= index < len(text):
        raise NetError("System.IndexOutOfRangeException", "Index was outside the bounds of the array.")
    return Char(text[index])


@_add(_S, "ToString")
@_add(_S, "Clone")
def _(value: Value, _arguments: list[Value], _site: Site | None) -> Value:
    return _text(value)

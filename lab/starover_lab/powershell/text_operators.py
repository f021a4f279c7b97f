"""`-like`, `-match`, `-replace`, `-split`, `-join` and `-f` on values; knows no order of values."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from starover_lab.powershell import dates, numbers
from starover_lab.powershell.convert import cast, default_text, joined, to_string
from starover_lab.powershell.errors import PSException, Terminated, failure
from starover_lab.powershell.regex import BadPattern, Regex, compile_regex, escape
from starover_lab.powershell.values import (
    DateTime,
    NetObject,
    Nothing,
    PSArray,
    PSHashtable,
    PSList,
    PSObject,
    ScriptBlock,
    TimeSpan,
    Unsupported,
    Value,
    base,
    fold,
    units,
)

__all__ = ["format_text", "join", "like", "match", "matches_table", "replace", "split", "unary_join", "unary_split"]


def _subject(value: Value) -> str:
    return "" if value is None or isinstance(value, Nothing) else to_string(value)


@lru_cache(maxsize=512)
def wildcard(pattern: str, ignore_case: bool = True) -> re.Pattern[str]:
    """A wildcard pattern (`*`, `?`, `[a-c]`, backtick escapes) as an expression for a folded whole text."""
    if ignore_case:
        pattern = fold(pattern)
    out: list[str] = []
    position = 0
    while position < len(pattern):
        c = pattern[position]
        position += 1
        if c == "*":
            out.append(".*")
        elif c == "?":
            out.append(".")
        elif c == "`" and position < len(pattern):
            out.append(re.escape(pattern[position]))
            position += 1
        elif c == "[":
            end = pattern.find("]", position)
            inside = pattern[position:end]
            if end < 0 or not inside or "`" in inside or "[" in inside:
                raise Unsupported(f"the wildcard pattern {pattern}")
            position = end + 1
            out.append(_wildcard_set(inside))
        elif c == "`":
            raise Unsupported("a wildcard pattern that ends with a backtick")
        else:
            out.append(re.escape(c))
    return re.compile("".join(out), re.DOTALL)


def _wildcard_set(inside: str) -> str:
    out: list[str] = []
    position = 0
    while position < len(inside):
        if position + 2 < len(inside) and inside[position + 1] == "-":
            low, high = inside[position], inside[position + 2]
            if low > high:
                raise Unsupported(f"the wildcard set [{inside}]")
            out.append(f"{re.escape(low)}-{re.escape(high)}")
            position += 3
        else:
            out.append(re.escape(inside[position]))
            position += 1
    return f"[{''.join(out)}]"


def like(value: Value, pattern: Value, *, ignore_case: bool = True) -> bool:
    """`value -like pattern` of a single value."""
    text = units(_subject(value))
    expression = wildcard(units(_subject(pattern)), ignore_case)
    return expression.fullmatch(fold(text) if ignore_case else text) is not None


def _regex(pattern: Value, ignore_case: bool) -> Regex:
    inner = base(pattern)
    if isinstance(inner, NetObject) and inner.type_name == "System.Text.RegularExpressions.Regex":
        raise Unsupported("an operator with a [regex] object")
    return compile_regex(_subject(pattern), ignore_case)


def match(value: Value, pattern: Value, *, ignore_case: bool = True) -> PSHashtable | None:
    """`value -match pattern` of a single value: what `$Matches` becomes, or None."""
    try:
        regex = _regex(pattern, ignore_case)
    except BadPattern:
        raise Unsupported("-match with a bad pattern: 5.1 and 7 give different error ids") from None
    found = regex.search(_subject(value))
    return None if found is None else matches_table(regex, found)


def matches_table(regex: Regex, found: re.Match[str]) -> PSHashtable:
    """`$Matches` of one match: groups by number or name."""
    table = PSHashtable()
    for key, text in regex.groups(found):
        if text is not None:
            table.set(key, text)
    return table


def replace(value: Value, right: Value, *, ignore_case: bool = True) -> str:
    """`value -replace pattern[, replacement]` of a single value."""
    arguments = right.items if isinstance(right, PSArray | PSList) else [right]
    if len(arguments) > 2 or not arguments:
        raise Unsupported("-replace with more than two arguments")
    replacement = arguments[1] if len(arguments) == 2 else ""
    if isinstance(base(replacement), ScriptBlock):
        raise Unsupported("-replace with a script block: not in 5.1")
    text = _subject(value)
    try:
        return _regex(arguments[0], ignore_case).replace(text, _subject(replacement))
    except BadPattern as error:
        pattern = _subject(arguments[0])
        raise failure(
            "InvalidRegularExpression",
            "InvalidOperation",
            f"The regular expression pattern {pattern} is not valid.",
            inner=PSException("System.ArgumentException", str(error)),
            target=pattern,
        ) from None


def split(
    left: Value, right: Value, *, ignore_case: bool = True, decide: Callable[[ScriptBlock, str], bool] | None = None
) -> PSArray:
    """`left -split pattern[, limit]`; `decide` runs a script block given instead of a pattern for one character."""
    arguments = right.items if isinstance(right, PSArray | PSList) else [right]
    simple = len(arguments) == 3 and to_string(arguments[2]).casefold() == "simplematch"
    if not arguments or len(arguments) > (3 if simple else 2):
        raise Unsupported("-split with options")
    limit = 0
    if len(arguments) > 1:
        asked = cast(arguments[1], "System.Int32")
        assert isinstance(asked, int)
        if asked < 0:
            raise Unsupported("-split with a negative limit")
        limit = asked
    delimiter = escape(_subject(arguments[0])) if simple else base(arguments[0])
    parts: list[Value] = []
    for item in left.items if isinstance(left, PSArray | PSList) else [left]:
        text = _subject(item)
        if isinstance(delimiter, ScriptBlock):
            if decide is None or limit:
                raise Unsupported("-split with a script block")
            parts.extend(_split_by(text, delimiter, decide))
        elif limit == 1:
            parts.append(text)
        else:
            try:
                parts.extend(_regex(delimiter, ignore_case).split(text, limit))
            except BadPattern:
                raise Unsupported("-split with a bad pattern: 5.1 and 7 give different error ids") from None
    return PSArray(parts, "System.String[]")


def _split_by(text: str, block: ScriptBlock, decide: Callable[[ScriptBlock, str], bool]) -> list[str]:
    parts = [""]
    for c in units(text):
        if decide(block, c):
            parts.append("")
        else:
            parts[-1] += c
    return parts


def unary_split(value: Value) -> PSArray:
    """`-split value`: at runs of blanks, none kept at the ends."""
    items = value.items if isinstance(value, PSArray | PSList) else [value]
    parts: list[Value] = []
    for item in items:
        text = _subject(item)
        if any((c > "\x7f" and c.isspace()) or "\x1c" <= c <= "\x1f" for c in text):
            raise Unsupported("-split at blanks beyond ASCII")
        parts.extend(text.split())
        if not text.split():
            raise Unsupported("-split of blanks only")
    return PSArray(parts, "System.String[]")


def join(left: Value, right: Value) -> str:
    """`left -join separator`."""
    separator = _subject(right)
    if isinstance(left, PSArray | PSList):
        return joined(left.items, separator)
    return _subject(left)


def unary_join(value: Value) -> str:
    """`-join value`."""
    return join(value, "")


_HOLE = re.compile(r"\{(\d+)(?: *, *(-?\d+))? *(?::((?:[^{}])*))?\}|\{\{|\}\}|[{}]")


def format_text(template: str, arguments: list[Value]) -> str:
    """`template -f arguments`, and `[string]::Format`. Raises `Terminated` (FormatError)."""
    out: list[str] = []
    position = 0
    for hole in _HOLE.finditer(template):
        out.append(template[position : hole.start()])
        position = hole.end()
        if hole[0] in ("{{", "}}"):
            out.append(hole[0][0])
            continue
        if hole[1] is None:
            raise _format_error("Input string was not in a correct format.")
        if int(hole[1]) >= len(arguments):
            raise _format_error(
                "Index (zero based) must be greater than or equal to zero and less than the size of the argument list."
            )
        if "}" in template[position : position + 1] and hole[3] is not None:
            raise Unsupported("}} right behind a format")
        text = formatted(arguments[int(hole[1])], hole[3])
        width = int(hole[2] or 0)
        text_width = len(units(text))
        padding = " " * max(0, abs(width) - text_width)
        out.append(text + padding if width < 0 else padding + text)
    return "".join(out) + template[position:]


def formatted(value: Value, spec: str | None) -> str:
    """One argument of `-f` with its format."""
    inner = base(value)
    try:
        if isinstance(value, PSObject) and value.text is not None:
            return value.text
        if isinstance(inner, PSObject):
            # -f asks the object itself, and that answers as [string] does.
            return to_string(inner)
        if spec:
            if isinstance(inner, DateTime):
                return dates.format_date(inner, spec)
            if isinstance(inner, TimeSpan):
                return dates.format_span(inner, spec)
            if isinstance(inner, int | float) and not isinstance(inner, bool):
                return numbers.format_number(inner, spec)
            if not isinstance(inner, bool | str | PSArray | PSList | PSHashtable | Nothing) and inner is not None:
                raise Unsupported(f"a format for a {type(inner).__name__}")
        return default_text(inner)
    except (numbers.NumberError, dates.DateError) as error:
        raise _format_error(str(error)) from None


def _format_error(reason: str) -> Terminated:
    return failure(
        "FormatError",
        "InvalidOperation",
        f"Error formatting a string: {reason}.",
        inner=PSException("System.FormatException", reason),
    )

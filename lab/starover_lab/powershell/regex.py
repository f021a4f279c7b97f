"""Regular expressions of .NET on Python's engine: translated where both mean the same, refused everywhere else.

Text is matched by UTF-16 units, as .NET does.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from starover_lab.powershell.errors import Unsupported
from starover_lab.powershell.values import from_units, units

__all__ = ["BadPattern", "Regex", "compile_regex", "escape"]


class BadPattern(ValueError):
    """A pattern that .NET surely refuses too."""


# What .NET and Python put into different classes.
_DISPUTED = frozenset({"Mn", "Mc", "Me", "Pc", "No", "Nl"})
_DISPUTED_CASE = frozenset("\u0130\u0131\u017f\u212a\u1e9eςϐϑϕϖϰϱϵ\u1fbe\u2126\u212bßẞ")


@dataclass(frozen=True)
class Regex:
    """A translated pattern."""

    source: str
    compiled: re.Pattern[str]
    keys: tuple[str | int, ...]
    """.NET's name of each group in Python's order, from group 1: its name, or its number among those without one."""
    uses_classes: bool
    ignore_case: bool

    def _subject(self, text: str) -> str:
        if not text.isascii() or any("\x1c" <= c <= "\x1f" for c in text):
            for c in text:
                disputed = c > "\x7f" and unicodedata.category(c) in _DISPUTED
                if self.uses_classes and (disputed or "\x1c" <= c <= "\x1f"):
                    raise Unsupported(f"a regular expression on text with U+{ord(c):04X}")
                if self.ignore_case and c in _DISPUTED_CASE:
                    raise Unsupported(f"a regular expression that ignores case on text with U+{ord(c):04X}")
        return units(text)

    def search(self, text: str) -> re.Match[str] | None:
        """The first match; its groups hold UTF-16 units."""
        return self.compiled.search(self._subject(text))

    def find_all(self, text: str) -> Iterator[re.Match[str]]:
        """Every match."""
        return self.compiled.finditer(self._subject(text))

    def groups(self, match: re.Match[str]) -> list[tuple[str | int, str | None]]:
        """Number or name and text of each group, 0 (the whole match) included; None: it took no part."""
        found: list[tuple[str | int, str | None]] = [(0, from_units(match[0]))]
        for index, key in enumerate(self.keys, 1):
            text = match[index]
            found.append((key, None if text is None else from_units(text)))
        return found

    def replace(self, text: str, replacement: str) -> str:
        """Every match replaced by the text with `$1`, `${name}`, `$&` and the rest filled in."""
        pieces = _replacement(replacement, self.keys)

        def fill(match: re.Match[str]) -> str:
            subject = match.string
            out: list[str] = []
            for piece in pieces:
                if isinstance(piece, int):
                    out.append(match[piece] or "")
                elif piece == "$`":
                    out.append(subject[: match.start()])
                elif piece == "$'":
                    out.append(subject[match.end() :])
                else:
                    out.append(units(piece))
            return "".join(out)

        return from_units(self.compiled.sub(fill, self._subject(text)))

    def replace_by(self, text: str, function: Callable[[re.Match[str]], str]) -> str:
        """Every match replaced by what the function makes of it."""
        return from_units(self.compiled.sub(lambda m: units(function(m)), self._subject(text)))

    def split(self, text: str, limit: int = 0) -> list[str]:
        """Split at the matches, groups included; `limit` parts at most unless 0."""
        parts = self.compiled.split(self._subject(text), maxsplit=limit - 1 if limit > 0 else 0)
        return [from_units(part) for part in parts if part is not None]


_METACHARACTERS = frozenset("\\*+?|{[()^$.# ")
_NAMED = {"\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}


def escape(text: str) -> str:
    """`[regex]::Escape`."""
    return "".join(_NAMED.get(c) or (f"\\{c}" if c in _METACHARACTERS else c) for c in text)


def _replacement(text: str, keys: tuple[str | int, ...]) -> list[str | int]:
    """Literal pieces, and the Python index of a group where one is meant."""
    indices: dict[str, int] = {str(key): index for index, key in enumerate(keys, 1)}
    indices["0"] = 0
    pieces: list[str | int] = []
    position = 0
    for match in re.finditer(r"\$(?:(\d+)|\{(\w+)\}|([$&`'+_]))", text):
        pieces.append(text[position : match.start()])
        position = match.end()
        number, name, sign = match[1], match[2], match[3]
        if sign is not None:
            if sign in "+_":
                raise Unsupported(f"${sign} in a replacement")
            pieces.append(0 if sign == "&" else {"$": "$", "`": "$`", "'": "$'"}[sign])
        elif (number or name) in indices:
            pieces.append(indices[number or name])
        elif name is not None and not name.isdigit():
            pieces.append(match[0])
        else:
            pieces.append(match[0])
    pieces.append(text[position:])
    # A literal that looks like a mark must not be taken for one.
    if any(piece in ("$`", "$'") for piece in re.split(r"\$[`']", text)):
        raise Unsupported("an odd replacement text")
    return pieces


@lru_cache(maxsize=512)
def compile_regex(pattern: str, ignore_case: bool = True) -> Regex:
    """Translate and compile. Raises `BadPattern` for what .NET refuses too, `Unsupported` for what is not sure."""
    translation = _Translator(units(pattern))
    text = translation.translate()
    if ignore_case and any(c in _DISPUTED_CASE for c in pattern):
        raise Unsupported("a regular expression that ignores the case of rare letters")
    try:
        compiled = re.compile(text, re.IGNORECASE if ignore_case else 0)
    except (re.error, OverflowError) as error:
        raise Unsupported(f"the regular expression {pattern}") from error
    return Regex(
        pattern, compiled, translation.keys(), translation.uses_classes, ignore_case or "i" in translation.seen
    )


_QUANTIFIER = re.compile(r"(?:[*+?]|\{\d+(?:,\d*)?\})")
_NAMED_GROUP = re.compile(r"\(\?(?:<([A-Za-z_]\w*)>|'([A-Za-z_]\w*)')", re.ASCII)
_OPTIONS = re.compile(r"\(\?(?!:)([imns]*)(?:-([imns]*))?([:)])")


@dataclass
class _Level:
    """One group under way, or the whole pattern."""

    scopes: int = 0
    """How many scopes of inline options close with it."""
    started: bool = False
    """Something stands in it already."""
    inner: bool = False
    """One of them began after something else: a bar would then part more than .NET's options do."""


class _Translator:
    """One walk over a pattern."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.position = 0
        self.out: list[str] = []
        self.names: list[str | None] = []
        self.stack: list[_Level] = []
        self.level = _Level()
        self.uses_classes = False
        self.seen: set[str] = set()
        self.repeatable = False
        self.quantified = False

    def keys(self) -> tuple[str | int, ...]:
        """.NET numbers the groups without a name first."""
        number = 0
        made: list[str | int] = []
        for name in self.names:
            if name is None:
                number += 1
                made.append(number)
            else:
                made.append(name)
        return tuple(made)

    def refuse(self) -> Unsupported:
        return Unsupported(f"the regular expression {self.pattern}")

    def translate(self) -> str:
        pattern = self.pattern
        while self.position < len(pattern):
            c = pattern[self.position]
            quantifier = _QUANTIFIER.match(pattern, self.position)
            if quantifier is not None:
                self._quantify(quantifier[0])
            elif c == "(":
                self._open()
            elif c == ")":
                if not self.stack:
                    raise BadPattern("Too many )'s.")
                self.out.append(")" * self.level.scopes + ")")
                self.level = self.stack.pop()
                self._atom(1)
            elif c == "[":
                self._set()
            elif c == "\\":
                self._escape()
            elif c == "|":
                if self.level.inner:
                    raise self.refuse()
                self.out.append("|")
                self.level.started = True
                self.position += 1
                self.repeatable = self.quantified = False
            else:
                self.out.append(c if c in "^$." else re.escape(c))
                self._atom(1)
        if self.stack:
            raise BadPattern("Not enough )'s.")
        return "".join(self.out) + ")" * self.level.scopes

    def _atom(self, length: int) -> None:
        self.position += length
        self.level.started = True
        self.repeatable, self.quantified = True, False

    def _quantify(self, text: str) -> None:
        if not self.repeatable:
            if self.quantified:
                raise BadPattern("Nested quantifier.")
            raise BadPattern("Quantifier {x,y} following nothing.")
        if text.startswith("{"):
            low, comma, high = text[1:-1].partition(",")
            if comma and high and int(low) > int(high):
                raise BadPattern("Illegal {x,y} with x > y.")
        self.position += len(text)
        self.out.append(text)
        if self.pattern.startswith("?", self.position):
            self.out.append("?")
            self.position += 1
        self.repeatable, self.quantified = False, True

    def _open(self) -> None:
        pattern, start = self.pattern, self.position
        options = _OPTIONS.match(pattern, start)
        if options is not None:
            self._options(options)
            return
        if not pattern.startswith("(?", start):
            self.names.append(None)
            self._enter("(", 1)
            return
        for sign in ("(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>"):
            if pattern.startswith(sign, start):
                self._enter(sign, len(sign))
                return
        named = _NAMED_GROUP.match(pattern, start)
        if named is None:
            raise self.refuse()
        name = named[1] or named[2]
        if name in self.names:
            raise self.refuse()
        self.names.append(name)
        self._enter(f"(?P<{name}>", len(named[0]))

    def _options(self, options: re.Match[str]) -> None:
        on, off = options[1], options[2] or ""
        if "n" in on + off:
            raise self.refuse()
        self.seen |= set(on)
        text = f"(?{on}{'-' + off if off else ''}:"
        if options[3] == ":":
            self._enter(text, len(options[0]))
            return
        # Up to the end of the enclosing group: a group of our own that closes with it.
        self.out.append(text)
        self.level.scopes += 1
        self.level.inner = self.level.inner or self.level.started
        self.position = options.end()
        self.repeatable = self.quantified = False

    def _enter(self, text: str, length: int) -> None:
        self.stack.append(self.level)
        self.level = _Level()
        self.out.append(text)
        self.position += length
        self.repeatable = self.quantified = False

    def _escape(self) -> None:
        pattern, start = self.pattern, self.position
        if start + 1 >= len(pattern):
            raise BadPattern("Illegal \\ at end of pattern.")
        c = pattern[start + 1]
        if c in "dDwWsSbB":
            self.uses_classes = True
            self.out.append(f"\\{c}")
            self._atom(2)
        elif c == "A":
            self.out.append("\\A")
            self._atom(2)
        elif c == "Z":
            self.out.append("(?=\\n?\\Z)")
            self._atom(2)
        elif c == "z":
            self.out.append("\\Z")
            self._atom(2)
        elif "1" <= c <= "9":
            self._back_reference(c)
        elif c == "k":
            named = re.compile(r"\\k(?:<(\w+)>|'(\w+)')").match(pattern, start)
            if named is None or (named[1] or named[2]) not in self.names:
                raise self.refuse()
            self.out.append(f"(?P={named[1] or named[2]})")
            self._atom(len(named[0]))
        else:
            text, length = self._character(start)
            self.out.append(text)
            self._atom(length)

    def _back_reference(self, digit: str) -> None:
        following = self.pattern[self.position + 2 : self.position + 3]
        if following.isdigit() or any(name is not None for name in self.names):
            raise self.refuse()
        if int(digit) > len(self.names):
            raise self.refuse()
        self.out.append(f"(?:\\{digit})")
        self._atom(2)

    def _character(self, start: int) -> tuple[str, int]:
        """One escaped character (for outside and inside a set): Python's spelling, and the length read."""
        c = self.pattern[start + 1] if start + 1 < len(self.pattern) else ""
        simple = {"t": "\\t", "n": "\\n", "r": "\\r", "f": "\\f", "v": "\\v", "a": "\\a", "e": "\\x1b"}
        if c in simple:
            return simple[c], 2
        code = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4}))").match(self.pattern, start)
        if code is not None:
            return re.escape(chr(int(code[1] or code[2], 16))), len(code[0])
        if not c or c.isalnum() or c == "_":
            raise self.refuse()
        return re.escape(c), 2

    def _set(self) -> None:
        pattern = self.pattern
        position = self.position + 1
        out = ["["]
        if pattern.startswith("^", position):
            out.append("^")
            position += 1
        first = True
        last: str | None = None
        while True:
            if position >= len(pattern):
                raise BadPattern("Unterminated [] set.")
            c = pattern[position]
            if c == "]" and not first:
                break
            first = False
            if c == "[" and pattern.startswith("[:", position):
                raise self.refuse()
            if pattern.startswith("-[", position):
                # Subtraction of sets.
                raise self.refuse()
            if c == "-" and last is not None and position + 1 < len(pattern) and pattern[position + 1] != "]":
                position = self._range(position + 1, last, out)
                last = None
                continue
            if c == "\\" and position + 1 < len(pattern) and pattern[position + 1] in "dDwWsS":
                self.uses_classes = True
                out.append(pattern[position : position + 2])
                position += 2
                last = None
                if pattern.startswith("-", position) and not pattern.startswith("-]", position):
                    raise self.refuse()
                continue
            text, length = self._member(position)
            out.append(text)
            position += length
            last = text
        out.append("]")
        self.out.append("".join(out))
        self._atom(position + 1 - self.position)

    def _member(self, position: int) -> tuple[str, int]:
        if self.pattern[position] == "\\":
            if self.pattern.startswith("\\b", position):
                return "\\b", 2
            return self._character(position)
        return re.escape(self.pattern[position]), 1

    def _range(self, position: int, low: str, out: list[str]) -> int:
        if self.pattern[position] == "\\" and self.pattern[position + 1 : position + 2] in tuple("dDwWsS"):
            raise self.refuse()
        high, length = self._member(position)
        if _value(low) > _value(high):
            raise BadPattern("[x-y] range in reverse order.")
        out.append(f"-{high}")
        return position + length


def _value(member: str) -> int:
    compiled = re.compile(f"[{member}]", re.DOTALL)
    return next(code for code in range(0x10000) if compiled.match(chr(code)))

"""What every token is scanned with: places, blanks, comments and quoted strings; knows no kind of token but strings."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import Literal

from starover_lab.powershell.chars import (
    SINGLE_QUOTES,
    is_blank,
    is_double_quote,
    is_single_quote,
    is_variable_start,
    is_white,
)
from starover_lab.powershell.values import Unsupported, Value

__all__ = ["Mode", "ParseError", "Part", "Scanner", "Token", "run_end"]

Mode = Literal["command", "expression", "typename"]

_NEW_LINE = re.compile(r"\r\n|\r|\n")
# What most scripts are made of is taken at once, the rest character by character: scripts are scanned by the thousand.
_BLANKS = re.compile(r"[ \t\v\f]*")
_COMMENT = re.compile(r"[^\r\n]*")
_UNTIL_SINGLE_QUOTE = re.compile(f"[^{SINGLE_QUOTES}]*")
_PLAIN_IN_DOUBLE_QUOTES = re.compile(r"[ !#%-_a-~]+")
_ESCAPES = {"0": "\0", "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


class ParseError(Exception):
    """A script that does not parse: the first error that PowerShell's parser would report."""

    def __init__(self, error_id: str, line: int, column: int, message: str = "") -> None:
        """`error_id` is the engine's (`MissingEndCurlyBrace`); line and column are from 1."""
        super().__init__(message or f"{error_id} at line {line}, column {column}")
        self.error_id = error_id
        self.line = line
        self.column = column


Part = str | tuple[Literal["variable"], str] | tuple[Literal["expression"], str, int]
"""A piece of an expandable string: text, a variable's name, or a sub-expression's source with its offset."""


@dataclass(slots=True, eq=False)
class Token:
    """One token; `kind` is a word (`Variable`, `Generic`, `NewLine`...), a keyword, or the operator itself."""

    kind: str
    text: str
    start: int
    end: int
    value: str = ""
    """The value of a string or bare word; the name of a variable, parameter or label."""
    number: Value = None
    parts: tuple[Part, ...] | None = None
    """Of an expandable string or bare word that has something to expand."""
    streams: tuple[int, int | None, bool] = (0, None, False)
    """Of a redirection: from, to (None: a file), append."""
    colon: bool = False
    """A parameter with its colon: `-Name:`."""


def run_end(run: re.Pattern[str], text: str, position: int) -> int:
    """Where what the pattern takes from a position on ends; there, when it takes nothing."""
    found = run.match(text, position)
    return position if found is None else found.end()


class Scanner:
    """A text and a position in it."""

    def __init__(self, text: str, base: tuple[int, int] = (1, 1)) -> None:
        """`base` is line and column of the text's begin in the script that it is a part of."""
        self.text = text
        self.base_line, self.base_column = base
        self.length = len(text)
        self._lines = [0, *(found.end() for found in _NEW_LINE.finditer(text))]
        self.pos = 0
        self.mode: Mode = "command"
        self.signed = False
        """Whether `-5` is one token, as where an operand may begin."""
        self.simple_names = False
        """Whether a word ends at the first character that is no part of a name (member names, keys)."""

    # -- places and errors

    def line(self, offset: int) -> int:
        """The line of an offset, from 1."""
        return self.base_line + bisect_right(self._lines, offset) - 1

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset, from 1."""
        row = bisect_right(self._lines, offset) - 1
        column = offset - self._lines[row]
        return self.base_line + row, column + (self.base_column if row == 0 else 1)

    def error(self, error_id: str, offset: int) -> ParseError:
        """The error of that id at that offset, ready to be raised."""
        offset = max(0, min(offset, self.length))
        return ParseError(error_id, *self.place(offset))

    # -- characters

    def peek(self, ahead: int = 0) -> str:
        """The character at the position; NUL at the end."""
        at = self.pos + ahead
        return self.text[at] if at < self.length else "\0"

    def _skip_blanks(self) -> None:
        self.pos = run_end(_BLANKS, self.text, self.pos)
        while self.pos < self.length and is_blank(self.text[self.pos]):
            self.pos += 1

    def _skip_newline(self) -> None:
        """Over CR, LF or CR LF at the position."""
        self.pos += 2 if self.text.startswith("\r\n", self.pos) else 1

    def _line_comment(self) -> None:
        self.pos = run_end(_COMMENT, self.text, self.pos)

    def _block_comment(self) -> None:
        end = self.text.find("#>", self.pos + 2)
        if end < 0:
            raise self.error("MissingTerminatorMultiLineComment", self.pos)
        self.pos = end + 2

    def skip_newlines(self, *, semicolons: bool = False) -> None:
        """Over blanks, new lines, comments and line continuations; over semicolons if told so."""
        while self.pos < self.length:
            c = self.text[self.pos]
            if is_blank(c):
                self._skip_blanks()
            elif c in "\r\n":
                self._skip_newline()
            elif c == ";" and semicolons:
                self.pos += 1
            elif c == "#":
                self._line_comment()
            elif c == "<" and self.peek(1) == "#":
                self._block_comment()
            elif c == "`" and self.pos + 1 < self.length and is_white(self.peek(1)):
                self.pos += 1
                if self.peek() in "\r\n":
                    self._skip_newline()
            else:
                return

    # -- strings

    def _escape(self) -> str:
        """What a backtick and the next character stand for; the position is behind the backtick."""
        c = self.peek()
        self.pos += 1
        if c in "eu":
            # 7 reads `e and `u{..} as escapes, 5.1 as the letter.
            raise Unsupported(f"escape `{c}", self.line(self.pos))
        return _ESCAPES.get(c, c)

    def _single_quoted(self) -> str:
        """The value of a single-quoted string; the position is behind the opening quote."""
        opened = self.pos - 1
        text, n, at = self.text, self.length, self.pos
        pieces: list[str] = []
        begin = at
        while (at := run_end(_UNTIL_SINGLE_QUOTE, text, at)) < n:
            if at + 1 < n and is_single_quote(text[at + 1]):
                # Of two quotes in a row the second one survives, whichever characters they are.
                pieces.append(text[begin:at])
                begin = at + 1
                at += 2
            else:
                pieces.append(text[begin:at])
                self.pos = at + 1
                return "".join(pieces)
        raise self.error("TerminatorExpectedAtEndOfString", opened)

    def _double_quoted(self, parts: list[Part]) -> None:
        """Append the parts of a double-quoted string; the position is behind the opening quote."""
        opened = self.pos - 1
        while self.pos < self.length:
            if (plain := _PLAIN_IN_DOUBLE_QUOTES.match(self.text, self.pos)) is not None:
                parts.append(plain[0])
                self.pos = plain.end()
                continue
            c = self.text[self.pos]
            self.pos += 1
            if is_double_quote(c):
                if not is_double_quote(self.peek()):
                    return
                c = self.peek()
                self.pos += 1
            elif c == "$":
                if self._expansion(parts, here=False):
                    continue
            elif c == "`" and self.pos < self.length and self.peek() != "\0":
                c = self._escape()
            parts.append(c)
        raise self.error("TerminatorExpectedAtEndOfString", opened)

    def _expansion(self, parts: list[Part], *, here: bool) -> bool:
        """Append what a dollar in a string begins, if it begins anything; the position is behind the dollar."""
        c = self.peek()
        if c == "(":
            self.pos += 1
            parts.append(self._sub_expression(here=here))
            return True
        if c == "{" or (self.pos < self.length and is_variable_start(c)):
            start = self.pos - 1
            old, self.mode = self.mode, "expression"
            try:
                token = self.variable(start, in_string=True)
            finally:
                self.mode = old
            parts.append(("variable", token.value))
            return True
        return False

    def _sub_expression(self, *, here: bool) -> tuple[Literal["expression"], str, int]:
        """The source of a sub-expression in a string: PowerShell only counts parentheses, quoted ones too."""
        start = self.pos - 2
        taken = ["$("]
        depth = 1
        while self.pos < self.length:
            c = self.text[self.pos]
            self.pos += 1
            if c == "(":
                depth += 1
            elif c == ")":
                depth -= 1
            elif (c == "`" or is_double_quote(c)) and not here and is_double_quote(self.peek()):
                c = self.peek()
                self.pos += 1
            taken.append(c)
            if depth == 0:
                return "expression", "".join(taken), start
        raise self.error("IncompleteDollarSubexpressionReference", start)

    def _here_string(self, start: int) -> Token:
        """A here-string; the position is behind its two opening characters."""
        is_quote = is_single_quote if is_single_quote(self.text[start + 1]) else is_double_quote
        self._skip_blanks()
        if self.pos >= self.length:
            raise self.error("TerminatorExpectedAtEndOfString", start)
        if self.peek() not in "\r\n":
            raise self.error("UnexpectedCharactersAfterHereStringHeader", self.pos)
        self._skip_newline()
        parts: list[Part] = []
        false_footer = -1
        newline = ""
        while True:
            # At the beginning of a line: only here may the footer stand.
            if is_quote(self.peek()) and self.peek(1) == "@":
                self.pos += 2
                break
            if newline:
                parts.append(newline)
            line_start = self.pos
            self._skip_blanks()
            if is_quote(self.peek()) and self.peek(1) == "@" and false_footer < 0:
                false_footer = self.pos
            self.pos = line_start
            newline = self._here_line(parts, expand=is_quote is is_double_quote)
            if not newline:
                if false_footer >= 0:
                    raise self.error("WhitespaceBeforeHereStringFooter", false_footer)
                raise self.error("TerminatorExpectedAtEndOfString", start)
        kind = "HereStringLiteral" if is_quote is is_single_quote else "HereStringExpandable"
        return self._string_token(kind, start, parts)

    def _here_line(self, parts: list[Part], *, expand: bool) -> str:
        """Append one line of a here-string; returns its new line, or an empty text at the end of the script."""
        while self.pos < self.length:
            c = self.text[self.pos]
            if c in "\r\n":
                self._skip_newline()
                return "\r\n" if self.text.startswith("\r\n", self.pos - 2) and c == "\r" else c
            self.pos += 1
            if expand and c == "$":
                if self._expansion(parts, here=True):
                    continue
            elif expand and c == "`" and self.pos < self.length and self.peek() != "\0":
                c = self._escape()
            parts.append(c)
        return ""

    def _string_token(self, kind: str, start: int, parts: list[Part]) -> Token:
        merged: list[Part] = []
        for part in parts:
            if isinstance(part, str) and merged and isinstance(merged[-1], str):
                merged[-1] += part
            else:
                merged.append(part)
        token = self._token(kind, start)
        if all(isinstance(part, str) for part in merged):
            token.value = "".join(part for part in merged if isinstance(part, str))
        else:
            token.parts = tuple(merged)
            token.value = token.text
        return token

    # -- tokens

    def variable(self, start: int, *, in_string: bool = False) -> Token:
        """A variable; the position is behind its `$` or `@`."""
        raise NotImplementedError

    def _token(self, kind: str, start: int, value: str = "") -> Token:
        return Token(kind, self.text[start : self.pos], start, self.pos, value)

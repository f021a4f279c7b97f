"""The tokenizer: from the text of a script to tokens, as Windows PowerShell scans it; knows no grammar.

What a token is depends on where it stands, so the parser sets `mode` and asks for one token at a time. Behaviour was
measured against a real engine (tests/data/parse.jsonl, quoting.jsonl). The first error raises `ParseError`.
"""

from __future__ import annotations

import re

from starover_lab.powershell.chars import (
    ends_number,
    ends_token,
    is_blank,
    is_dash,
    is_double_quote,
    is_identifier_follow,
    is_identifier_start,
    is_letter,
    is_letter_or_digit,
    is_single_quote,
    is_variable_start,
    is_white,
)
from starover_lab.powershell.numerals import NUMBER, number_value
from starover_lab.powershell.scanner import Mode, ParseError, Part, Scanner, Token, run_end

__all__ = ["KEYWORDS", "Mode", "ParseError", "Part", "Token", "Tokenizer", "single_literal"]


def _words(text: str) -> list[str]:
    return text.split()


KEYWORDS = frozenset(
    _words(
        "begin break catch class configuration continue data define do dynamicparam else elseif end enum exit filter"
        " finally for foreach from function if in parallel param process return sequence switch throw trap try until"
        " using var while workflow"
    )
)
_CASED_WORDS = _words("eq ne ge gt lt le like notlike match notmatch replace contains notcontains in notin split")
_PLAIN_WORDS = _words("bnot not isnot is as f and band or bor xor bxor join shl shr")
OPERATORS: dict[str, str] = {
    prefix + name: "-" + ("c" if prefix == "c" else "") + name for name in _CASED_WORDS for prefix in ("", "i", "c")
} | {name: "-" + name for name in _PLAIN_WORDS}
"""Operators by their text without the dash, to the kind of their token; the `i` forms are the plain ones."""

_PUNCTUATION = frozenset("(){}];,")
# Runs of what stands in most words; what else may stand in them is looked at character by character.
_NAME = re.compile("[A-Za-z0-9_]*")
_LETTERS = re.compile("[A-Za-z]*")
_PLAIN = re.compile(r"[!#%*+\-./0-9:<=>?@A-Z\[\\\]^_a-z~]+")


class Tokenizer(Scanner):
    """Scans one text, token by token."""

    def next_token(self) -> Token:
        """The next token in the current mode."""
        while True:
            start = self.pos
            if start >= self.length:
                return self._token("EndOfInput", start)
            c = self.text[start]
            self.pos += 1
            if is_blank(c):
                self._skip_blanks()
            elif c == "#":
                self._line_comment()
            elif c == "<" and self.peek() == "#":
                self.pos = start
                self._block_comment()
            elif c == "`" and (self.pos >= self.length or is_white(self.peek())):
                if self.pos >= self.length:
                    raise self.error("IncompleteString", self.pos)
                if self.peek() in "\r\n":
                    self._skip_newline()
                else:
                    self._skip_blanks()
            else:
                return self._scan(c, start)

    def _scan(self, c: str, start: int) -> Token:
        if c in _PUNCTUATION:
            return self._token(c, start)
        if is_identifier_start(c):
            return self._identifier(start)
        if c in "\r\n":
            self.pos = start
            self._skip_newline()
            return self._token("NewLine", start)
        if is_single_quote(c):
            value = self._single_quoted()
            return self._token("StringLiteral", start, value)
        if is_double_quote(c):
            parts: list[Part] = []
            self._double_quoted(parts)
            return self._string_token("StringExpandable", start, parts)
        if c.isascii() and c.isdigit():
            return self._redirection_or_number(start)
        if c == "$":
            if self.peek() == "(":
                self.pos += 1
                return self._token("$(", start)
            return self.variable(start)
        if is_dash(c):
            return self._dash(start)
        return self._symbol(c, start)

    def _symbol(self, c: str, start: int) -> Token:
        following = self.peek()
        if c == "@":
            return self._at(start)
        if c in "+*/%":
            if (c == "+" and following == "+") or following == "=":
                self.pos += 1
                return self._operator(c + following, start)
            if c == "*" and following == ">":
                return self._redirection(0, start)
            if c == "+" and self.signed and (following.isdigit() or following == "."):
                return self._number(start)
            return self._operator(c, start)
        if c == "=":
            return self._operator(c, start)
        if c == "|" or c == "&":
            self.pos += following == c
            return self._token(c * (1 + (following == c)), start)
        if c == ">":
            self.pos = start
            return self._redirection(1, start)
        if c == "<":
            return self._token("RedirectIn", start)
        if c == ".":
            return self._dot(start)
        if c == "[":
            if self.mode == "command" and not ends_token(following):
                return self._generic(start)
            return self._token(c, start)
        if c == "!":
            if (self.mode == "command" and not ends_token(following)) or (
                self.mode == "expression" and is_identifier_start(following)
            ):
                return self._generic(start)
            return self._token(c, start)
        if c == ":":
            return self._colon(start)
        if c == "?" and self.mode == "expression":
            # 7 has ?:, ?? and ??= here; 5.1 reads a bare word, which no expression allows.
            return self._token("Generic", start, "?")
        return self._generic(start)

    def _at(self, start: int) -> Token:
        c = self.peek()
        if c == "{" or c == "(":
            self.pos += 1
            return self._token("@" + c, start)
        if is_single_quote(c) or is_double_quote(c):
            self.pos += 1
            return self._here_string(start)
        if self.pos < self.length and is_variable_start(c):
            token = self.variable(start)
            if token.kind == "Variable":
                token.kind = "SplattedVariable"
            return token
        raise self.error("UnrecognizedToken", start)

    def _operator(self, kind: str, start: int) -> Token:
        if self.mode == "command" and not ends_token(self.peek()):
            return self._generic(start)
        return self._token(kind, start)

    def _dash(self, start: int) -> Token:
        c = self.peek()
        if self.pos < self.length and is_dash(c):
            self.pos += 1
            return self._operator("--", start)
        if c == "=":
            self.pos += 1
            return self._operator("-=", start)
        if is_letter(c) or c in "_?":
            return self._parameter(start)
        if self.signed and (c.isdigit() or c == "."):
            return self._number(start)
        return self._operator("-", start)

    def _parameter(self, start: int) -> Token:
        command = self.mode == "command"
        colon = False
        self.pos = run_end(_LETTERS, self.text, self.pos)
        while self.pos < self.length:
            c = self.text[self.pos]
            if is_blank(c) or c in "{}();,|&.[\r\n\0":
                break
            if c == ":":
                colon = True
                self.pos += command
                break
            if is_single_quote(c) or is_double_quote(c):
                if command:
                    return self._generic(start)
                break
            if not command and not (c.isascii() and c.isalpha()):
                break
            self.pos += 1
        name = self.text[start + 1 : self.pos - (colon and command)]
        if not command and name.lower() in OPERATORS:
            return self._token(OPERATORS[name.lower()], start)
        if not name:
            return self._token("-", start)
        token = self._token("Parameter", start, name)
        token.colon = colon
        return token

    def _dot(self, start: int) -> Token:
        c = self.peek()
        if c == ".":
            self.pos += 1
            if self.mode == "command" and not ends_token(self.peek()):
                return self._generic(start)
            return self._token("..", start)
        if c.isascii() and c.isdigit():
            return self._number(start)
        if self.mode == "command" and not ends_token(c) and c not in "$\"'":
            return self._generic(start)
        return self._token(".", start)

    def _colon(self, start: int) -> Token:
        if self.peek() == ":":
            self.pos += 1
            if self.mode == "command" and not self.simple_names and not ends_token(self.peek()):
                return self._generic(start)
            return self._token("::", start)
        if self.mode != "command":
            return self._token(":", start)
        if not is_identifier_start(self.peek()):
            return self._generic(start)
        while self.pos < self.length and is_identifier_follow(self.text[self.pos]):
            self.pos += 1
        if not ends_token(self.peek()):
            return self._generic(start)
        return self._token("Label", start, self.text[start + 1 : self.pos])

    def _redirection_or_number(self, start: int) -> Token:
        if "1" <= self.text[start] <= "6" and self.peek() == ">":
            if self.mode == "expression" and not (self.peek(1) == "&" and self.peek(2) in "12"):
                token = self._token("Number", start)
                token.number = int(token.text)
                return token
            return self._redirection(int(self.text[start]), start)
        return self._number(start)

    def _redirection(self, stream: int, start: int) -> Token:
        """A redirection; the position is at its `>`."""
        self.pos += 1
        to: int | None = None
        append = self.peek() == ">"
        opener = self.text[start]
        targets = ("1",) if opener == "*" else ("1", "2") if opener != ">" else ()
        if append:
            self.pos += 1
        elif self.peek() == "&" and self.peek(1) in targets:
            to = int(self.peek(1))
            self.pos += 2
        token = self._token("Redirection", start)
        token.streams = (stream, to, append)
        return token

    def _number(self, start: int) -> Token:
        match = NUMBER.match(self.text, start)
        value = None
        if match is not None:
            self.pos = match.end()
            c = self.peek()
            if ends_token(c) or (self.mode == "expression" and ends_number(c)):
                value = number_value(match, self.line(start))
        if value is None:
            self.pos = start
            return self._generic(start, first=True)
        token = self._token("Number", start)
        token.number = value
        return token

    def _identifier(self, start: int) -> Token:
        self.pos = run_end(_NAME, self.text, self.pos)
        while self.pos < self.length and is_identifier_follow(self.text[self.pos]):
            self.pos += 1
        if self.mode == "typename":
            while self.pos < self.length and (
                is_letter_or_digit(self.text[self.pos]) or self.text[self.pos] in ".`_+#\\"
            ):
                self.pos += 1
        elif not self.simple_names and self.mode == "command":
            if not ends_token(self.peek()):
                return self._generic(start)
            word = self.text[start : self.pos].lower()
            if word in KEYWORDS:
                return self._token(word, start)
        return self._token("Identifier", start, self.text[start : self.pos])

    def _generic(self, start: int, *, first: bool = False) -> Token:
        """A bare word: all up to a character that ends it, quoted pieces and expansions included.

        What was scanned already is taken as it is written, unless `first`.
        """
        parts: list[Part] = [] if first else [self.text[start : self.pos]]
        if not first and self.text[start] == "`":
            self.pos = start + 1
            parts = [self._escape()]
        while self.pos < self.length and not ends_token(c := self.text[self.pos]):
            if (plain := _PLAIN.match(self.text, self.pos)) is not None:
                parts.append(plain[0])
                self.pos = plain.end()
                continue
            self.pos += 1
            if c == "`" and self.peek() != "\0":
                c = self._escape()
            elif is_single_quote(c):
                c = self._single_quoted()
            elif is_double_quote(c):
                self._double_quoted(parts)
                continue
            elif c == "$" and self._expansion(parts, here=False):
                continue
            parts.append(c)
        return self._string_token("Generic", start, parts)

    def variable(self, start: int, *, in_string: bool = False) -> Token:
        """A variable; the position is behind its `$` or `@`."""
        if self.peek() == "{":
            return self._braced_variable(start, in_string=in_string)
        c = self.peek()
        if self.pos >= self.length or not is_variable_start(c):
            # A lone dollar is a bare word, in every mode.
            return self._generic(start)
        self.pos += 1
        if c not in "$?^":
            self.pos = run_end(_NAME, self.text, self.pos)
            while self.pos < self.length:
                c = self.text[self.pos]
                if c == ":" and self.peek(1) == ":":
                    break
                if not (is_letter_or_digit(c) or c in "_?:"):
                    if self.mode == "command" and c not in ".[=" and not ends_token(c):
                        self.pos = start
                        return self._generic(start, first=True)
                    break
                self.pos += 1
        elif self.mode == "command" and not ends_token(self.peek()):
            self.pos = start
            return self._generic(start, first=True)
        name = self.text[start + 1 : self.pos]
        if not name.rpartition(":")[2]:
            drive = name.lower().rstrip(":") not in ("", "global", "local", "script", "private", "variable")
            raise self.error("InvalidVariableReferenceWithDrive" if drive else "InvalidVariableReference", start)
        return self._token("Variable", start, name)

    def _braced_variable(self, start: int, *, in_string: bool) -> Token:
        self.pos += 1
        name = ""
        while True:
            if self.pos >= self.length:
                raise self.error("IncompleteDollarVariableReference", start + 1)
            c = self.text[self.pos]
            self.pos += 1
            if c == "}":
                break
            if c == "`":
                if self.pos >= self.length:
                    continue
                c = self._escape()
            elif c == "{":
                raise self.error("OpenBraceNeedsToBeBackTickedInVariableName", self.pos)
            elif in_string and is_double_quote(c) and is_double_quote(self.peek()):
                c = self.peek()
                self.pos += 1
            name += c
        if not name:
            raise self.error("EmptyVariableReference", self.pos - 1)
        following = self.peek()
        if self.mode == "command" and not ends_token(following) and following not in ".[":
            self.pos = start
            return self._generic(start, first=True)
        if not name.rpartition(":")[2]:
            raise self.error("InvalidBracedVariableReference", start)
        return self._token("Variable", start, name)

    # -- what the parser asks for where blanks matter

    def member_access(self, *, brackets: bool) -> Token | None:
        """The `.`, `::` or `[` of a member or an index directly behind an expression, or None."""
        while self.peek() == "<" and self.peek(1) == "#":
            self._block_comment()
        start = self.pos
        c, following = self.peek(), self.peek(1)
        after_blank = self.mode == "command"
        if c == "." and following != "." and not (after_blank and (is_blank(following) or following in "\0\r\n")):
            self.pos += 1
            return self._token(".", start)
        if c == ":" and following == ":":
            third = self.peek(2)
            if after_blank and (is_blank(third) or third in "\0\r\n"):
                return None
            self.pos += 2
            return self._token("::", start)
        if c == "[" and brackets:
            self.pos += 1
            return self._token("[", start)
        return None

    def invocation(self) -> Token | None:
        """The `(` or `{` directly behind a member's name, or None."""
        start = self.pos
        if self.peek() in "({":
            self.pos += 1
            return self._token(self.text[start], start)
        return None

    def left_bracket(self) -> Token | None:
        """The `[` of an attribute or type, over blanks and comments, or None."""
        resume, moved = self.pos, False
        while True:
            start = self.pos
            c = self.peek()
            if self.pos < self.length and is_blank(c):
                self._skip_blanks()
                moved = True
            elif c == "#":
                self._line_comment()
                moved = True
            elif c == "<" and self.peek(1) == "#":
                self._block_comment()
                moved = False
            elif c == "[":
                self.pos += 1
                return self._token("[", start)
            else:
                if c in ".:" and moved:
                    self.pos = resume
                return None

    def verbatim(self) -> str:
        """The rest of a command behind `--%`."""
        self._skip_blanks()
        start = self.pos
        quoted = False
        while self.pos < self.length and self.text[self.pos] not in "\r\n":
            c = self.text[self.pos]
            quoted ^= is_double_quote(c)
            if not quoted and (c == "|" or (c == "&" and self.peek(1) == "&")):
                break
            self.pos += 1
        return self.text[start : self.pos]


def single_literal(text: str) -> str | None:
    """The value when `text` is exactly one single-quoted string, otherwise None (for tests of what renders)."""
    tokenizer = Tokenizer(text)
    tokenizer.mode = "expression"
    try:
        token = tokenizer.next_token()
    except ParseError:
        return None
    return token.value if token.kind == "StringLiteral" and token.end == len(text) and token.start == 0 else None

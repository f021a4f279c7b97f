"""What all rules of the grammar stand on: one token of lookahead, modes, going back; knows no rule.

The grammar is Windows PowerShell 5.1's, with its error ids; the first error ends parsing.
"""

from __future__ import annotations

from starover_lab.powershell import nodes
from starover_lab.powershell.tokens import Mode, ParseError, Token, Tokenizer

__all__ = ["BINARY", "UNARY", "Rules"]

BINARY: dict[str, int] = {
    **dict.fromkeys(("-and", "-or", "-xor"), 1),
    **dict.fromkeys(("-band", "-bor", "-bxor"), 2),
    **dict.fromkeys(
        (
            prefix + name
            for prefix in ("-", "-c")
            for name in ("eq", "ne", "ge", "gt", "lt", "le", "like", "notlike", "match", "notmatch", "replace")
        ),
        5,
    ),
    **dict.fromkeys(
        (prefix + name for prefix in ("-", "-c") for name in ("contains", "notcontains", "in", "notin", "split")), 5
    ),
    **dict.fromkeys(("-join", "-is", "-isnot", "-as", "-shl", "-shr"), 5),
    **dict.fromkeys(("+", "-"), 9),
    **dict.fromkeys(("*", "/", "%"), 10),
    "-f": 12,
    "..": 13,
}
"""Binary operators and how strongly they bind; -and, -or and -xor bind alike."""
UNARY = frozenset({",", "--", "++", "!", "+", "-", "-not", "-bnot", "-split", "-csplit", "-join"})
# Tokens that every mode scans alike.
_INVARIANT = frozenset(
    {"NewLine", "EndOfInput", "StringLiteral", "StringExpandable", "HereStringLiteral", "HereStringExpandable"}
    | {"(", ")", "{", "}", "]", "@(", "@{", "$(", ";", "&&", "||", "&", "|", ",", "RedirectIn"}
)


class Rules:
    """A parser's state. The rules are in the subclasses; `Parser` joins them."""

    def __init__(self, text: str, base: tuple[int, int] = (1, 1)) -> None:
        self.text = text
        self.scan = Tokenizer(text, base)
        self.ungot: Token | None = None
        self.no_comma = False
        """Whether a comma separates (arguments, parameters) instead of making an array."""

    # -- tokens

    def peek(self) -> Token:
        """The next token, left where it is."""
        if self.ungot is None:
            self.ungot = self.scan.next_token()
        return self.ungot

    def next(self) -> Token:
        """The next token, taken."""
        token = self.peek()
        self.ungot = None
        return token

    def resync(self, offset: int) -> None:
        """Go back (or on) to an offset."""
        self.ungot = None
        self.scan.pos = offset

    def set_mode(self, mode: Mode) -> None:
        """Scan in another mode from here; a token looked at already is scanned again where modes differ."""
        if mode != self.scan.mode and self.ungot is not None and self.ungot.kind not in _INVARIANT:
            self.resync(self.ungot.start)
        self.scan.mode = mode

    def mode(self, mode: Mode) -> _InMode:
        """Scan in a mode for a while."""
        return _InMode(self, mode)

    def commas(self, *, separate: bool) -> _WithCommas:
        """Take commas for separators, or for the array operator, for a while."""
        return _WithCommas(self, separate)

    def skip_newlines(self) -> None:
        """Over new lines; not when another token was looked at already."""
        if self.ungot is None or self.ungot.kind == "NewLine":
            self.ungot = None
            self.scan.skip_newlines()

    def skip_separators(self) -> None:
        """Over new lines and semicolons."""
        if self.ungot is None or self.ungot.kind in ("NewLine", ";"):
            self.ungot = None
            self.scan.skip_newlines(semicolons=True)

    # -- places and errors

    def error(self, error_id: str, offset: int) -> ParseError:
        """A parse error at an offset, ready to be raised."""
        return self.scan.error(error_id, offset)

    def line(self, offset: int) -> int:
        """The line of an offset."""
        return self.scan.line(offset)

    def before(self, error_id: str, token: Token) -> ParseError:
        """A parse error at the character before a token."""
        return self.error(error_id, token.start - (token.kind != "EndOfInput"))

    # -- rules that rules of other files need

    def statement(self) -> nodes.Statement | None:
        """One statement, or None when there is none."""
        raise NotImplementedError

    def pipeline(self) -> nodes.Statement | None:
        """A pipeline or an assignment."""
        raise NotImplementedError

    def statements(self) -> tuple[list[nodes.Statement], list[nodes.Trap]]:
        """A list of statements, with the traps apart."""
        raise NotImplementedError

    def statement_block(self) -> nodes.Block | None:
        """Statements between braces, or None when there is no brace."""
        raise NotImplementedError

    def script_block(self, opened: Token | None, *, is_filter: bool = False) -> nodes.Script:
        """What is inside a script block whose brace was taken (None: a whole script)."""
        raise NotImplementedError

    def expression(self) -> nodes.Expression | None:
        """An expression with its binary operators, or None."""
        raise NotImplementedError

    def unary(self) -> nodes.Expression | None:
        """An operand with its unary operators, or None."""
        raise NotImplementedError

    def primary(self, *, members: bool) -> nodes.Expression | None:
        """A literal, a variable, something in brackets; with the members behind it if told so."""
        raise NotImplementedError

    def expandable(self, token: Token) -> nodes.Expression:
        """The expression of a string token with something to expand."""
        raise NotImplementedError

    def simple_name(self) -> nodes.Constant | None:
        """A word that is nothing but a name, or None."""
        raise NotImplementedError

    def single_argument(self, *, command_name: bool = False) -> nodes.Expression | None:
        """One argument as behind a command (a file name, the condition of a switch), or None."""
        raise NotImplementedError

    def attribute(self) -> nodes.Attribute | nodes.TypeExpression | None:
        """`[type]` or `[attribute()]`, or None."""
        raise NotImplementedError

    def attributes(self, *, in_expression: bool) -> list[nodes.Attribute | nodes.TypeExpression]:
        """All attributes and types that follow each other."""
        raise NotImplementedError


class _InMode:
    """A mode for a while. An error that leaves it ends parsing, so nothing is put back then."""

    __slots__ = ("_mode", "_old", "_rules")

    def __init__(self, rules: Rules, mode: Mode) -> None:
        self._rules = rules
        self._mode: Mode = mode
        self._old: Mode = mode

    def __enter__(self) -> None:
        self._old = self._rules.scan.mode
        self._rules.set_mode(self._mode)

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            self._rules.set_mode(self._old)


class _WithCommas:
    """A meaning of commas for a while."""

    __slots__ = ("_old", "_rules", "_separate")

    def __init__(self, rules: Rules, separate: bool) -> None:
        self._rules, self._separate = rules, separate

    def __enter__(self) -> None:
        self._old, self._rules.no_comma = self._rules.no_comma, self._separate

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            self._rules.no_comma = self._old

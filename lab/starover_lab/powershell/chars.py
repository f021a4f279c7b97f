"""Which characters open, continue and end PowerShell's tokens; knows nothing of tokens themselves.

PowerShell classifies UTF-16 units, so a character beyond the BMP is never a letter, a digit or a blank here.
"""

from __future__ import annotations

import unicodedata

__all__ = [
    "SINGLE_QUOTES",
    "ends_number",
    "ends_token",
    "is_blank",
    "is_dash",
    "is_double_quote",
    "is_identifier_follow",
    "is_identifier_start",
    "is_letter",
    "is_letter_or_digit",
    "is_single_quote",
    "is_variable_start",
    "is_white",
]

SINGLE_QUOTES = "'\u2018\u2019\u201a\u201b"
"""Every character that opens and closes a single-quoted string (domain/powershell.md section 13)."""
_SINGLE = frozenset(SINGLE_QUOTES)
_DOUBLE = frozenset('"\u201c\u201d\u201e')
_DASHES = frozenset("-\u2013\u2014\u2015")
_ASCII_BLANKS = frozenset(" \t\v\f")
_ASCII_ENDS = frozenset("\0\t\n\v\f\r &(),;{|}")
_NUMBER_ENDS = frozenset("!#%*+-./<=>]")
_VARIABLE_PUNCTUATION = frozenset("$?:^_")
_WHITE_CONTROLS = frozenset("\t\n\v\f\r\x85\xa0")


def is_letter(c: str) -> bool:
    """`char.IsLetter`."""
    return "\0" < c <= "\uffff" and unicodedata.category(c)[0] == "L"


def is_letter_or_digit(c: str) -> bool:
    """`char.IsLetterOrDigit`."""
    if not "\0" < c <= "\uffff":
        return False
    category = unicodedata.category(c)
    return category[0] == "L" or category == "Nd"


def is_blank(c: str) -> bool:
    """White space inside a line; U+0085, U+00A0 and U+2028/2029 are blanks, never new lines."""
    if c < "\x80":
        return c in _ASCII_BLANKS
    return c in "\x85\xa0" or ("\u0100" < c <= "\uffff" and unicodedata.category(c)[0] == "Z")


def is_white(c: str) -> bool:
    """`char.IsWhiteSpace`: blanks and new lines."""
    return c in _WHITE_CONTROLS or (c <= "\uffff" and unicodedata.category(c)[0] == "Z")


def is_dash(c: str) -> bool:
    """Hyphen, en dash, em dash, horizontal bar."""
    return c in _DASHES


def is_single_quote(c: str) -> bool:
    """A character of the single-quote class."""
    return c in _SINGLE


def is_double_quote(c: str) -> bool:
    """A character of the double-quote class."""
    return c in _DOUBLE


def is_variable_start(c: str) -> bool:
    """May follow `$` in a variable without braces."""
    if c < "\x80":
        return c.isalnum() or c in _VARIABLE_PUNCTUATION
    return is_letter_or_digit(c)


def is_identifier_start(c: str) -> bool:
    """A letter or an underscore."""
    return c.isalpha() or c == "_" if c < "\x80" else is_letter(c)


def is_identifier_follow(c: str) -> bool:
    """A letter, a digit or an underscore."""
    return c.isalnum() or c == "_" if c < "\x80" else is_letter_or_digit(c)


def ends_token(c: str) -> bool:
    """Ends a bare word in every mode."""
    return c in _ASCII_ENDS if c < "\x80" else is_blank(c)


def ends_number(c: str) -> bool:
    """Ends a number in an expression, beside what ends every token: `7+` is two tokens, `7z` is one."""
    return c in _NUMBER_ENDS if c < "\x80" else is_dash(c)

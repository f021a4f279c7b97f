"""Comparing text as PowerShell's operators do, in the invariant culture; refuses where 5.1 and 7 may differ.

Windows PowerShell asks Windows (NLS), 7 asks ICU. Both ignore invisible characters, and each orders punctuation its own
way. What is answered here is what both tables say; everything else is `Unsupported`.
"""

from __future__ import annotations

import unicodedata

from starover_lab.powershell.values import Unsupported, fold

__all__ = ["compare_text", "equal_text"]

# Letters that expand, have look-alikes of equal weight or other cases than one upper and one lower.
_ODD = frozenset("ªº²³µ¼½¾¹ßæÆœŒĳĲŀĿŉſıİǆǅǄĸςϐϑϒϓϔϕϖϗϰϱϲϳϴϵ϶ðÐøØđĐħĦłŁŧŦþÞŋŊ")


_SHARP = "ß"
_KEPT = "я"
"""Stands for it where it is a letter of its own: compared by itself, and in no text beside Latin ones."""


def _plain(c: str) -> bool:
    """Whether the character is compared by itself: visible, not composed of others, with one other case at most."""
    code = ord(c)
    if code < 0x7F:
        return code >= 0x20 or c in "\t\n\v\f\r"
    if c in _ODD:
        return False
    if 0xA1 <= code < 0x180 or 0x386 <= code < 0x3CF or 0x400 <= code < 0x460:
        return code != 0xAD
    return 0x2010 <= code <= 0x2027 or 0x2030 <= code <= 0x205E or code == 0x20AC


def equal_text(left: str, right: str, *, ignore_case: bool) -> bool:
    """Whether two texts are equal for `-eq` (or `-ceq`). Raises `Unsupported` where invisible characters decide."""
    if left == right:
        return True
    if not left or not right:
        if any(_plain(c) or c == _SHARP for c in left + right):
            return False  # what can be seen is not nothing
    elif _SHARP in left + right:  # Windows takes it for ss, ICU does not: what both say counts
        as_one = equal_text(left.replace(_SHARP, _KEPT), right.replace(_SHARP, _KEPT), ignore_case=ignore_case)
        as_two = equal_text(left.replace(_SHARP, "ss"), right.replace(_SHARP, "ss"), ignore_case=ignore_case)
        if as_one is as_two:
            return as_one
        raise Unsupported("comparing text with U+00DF: Windows takes it for ss, and 7 does not")
    if not (left.isascii() and right.isascii()):
        left, right = unicodedata.normalize("NFC", left), unicodedata.normalize("NFC", right)
    if not left.isascii() or not right.isascii() or not left.isprintable() or not right.isprintable():
        if _width_differs(left, right):
            return False
        for c in left + right:
            if not _plain(c):
                raise Unsupported(f"comparing text with U+{ord(c):04X}: what is ignored differs between 5.1 and 7")
    return ignore_case and fold(left) == fold(right)


def _wide(c: str) -> bool:
    """Whether it is an ASCII character in the width of an ideograph."""
    return 0xFF01 <= ord(c) <= 0xFF5E


def _width_differs(left: str, right: str) -> bool:
    """Whether a character stands against another of the other width: never equal, since width is not ignored.

    Two wide characters that differ in case only are left to the caller.
    """
    if len(left) != len(right) or not all(_plain(c) or _wide(c) for c in left + right):
        return False
    return any(_wide(x) is not _wide(y) for x, y in zip(left, right, strict=True))


def _primary(text: str) -> str:
    """The text with case and accents taken away; `Unsupported` when something else than ASCII is left."""
    if text.isascii():
        bare = text
    else:
        bare = "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
        if not bare.isascii():
            raise Unsupported("the order of text beyond Latin letters")
    for c in bare:
        if not " " <= c < "\x7f":
            raise Unsupported("the order of text with control characters")
    return bare.lower()


def compare_text(left: str, right: str, *, ignore_case: bool) -> int:
    """-1, 0 or 1: the order of two texts for `-lt` and Sort-Object.

    Punctuation comes before digits, digits before letters; at equal letters lower case comes first when case counts.
    """
    if equal_text(left, right, ignore_case=ignore_case):
        return 0
    a, b = _primary(left), _primary(right)
    with_signs = _by_letters(a, b)
    # Windows passes over hyphens and apostrophes at first.
    without = _by_letters(a.translate(_PASSED_OVER), b.translate(_PASSED_OVER))
    if with_signs == without and with_signs != 0:
        return with_signs
    if a == b and not ignore_case and fold(left) == fold(right) and left.isascii() and right.isascii():
        # Only case differs: the first difference decides.
        first = next((x, y) for x, y in zip(left, right, strict=True) if x != y)
        return -1 if first[0].islower() else 1
    raise Unsupported("the order of texts that differ in accents or punctuation")


_PASSED_OVER = {ord("-"): None, ord("'"): None}


def _by_letters(a: str, b: str) -> int:
    for x, y in zip(a, b, strict=False):
        if x != y:
            rank_x, rank_y = _rank(x), _rank(y)
            if rank_x == rank_y == 0:
                return _by_signs(x, y)
            if rank_x != rank_y:
                return -1 if rank_x < rank_y else 1
            return -1 if x < y else 1
    return (len(a) > len(b)) - (len(a) < len(b))


# The order of signs in ICU's root and in Windows' tables; answered is what both say.
_ICU = " _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$"
_NLS = " '-!\"#$%&()*,./:;?@[\\]^_`{|}~+<=>"


def _by_signs(x: str, y: str) -> int:
    icu, nls = _ICU.index(x) < _ICU.index(y), _NLS.index(x) < _NLS.index(y)
    if icu is not nls:
        raise Unsupported("the order of different punctuation")
    return -1 if icu else 1


def _rank(c: str) -> int:
    return 2 if c.isalpha() else 1 if c.isdigit() else 0

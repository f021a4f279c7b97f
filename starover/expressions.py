"""Regular expressions that people write: whether one is taken, by how long it can take at most; knows no user of them.

Python's matcher tries one way after the other, and of `(a+)+$` there are as many as ways to cut a title in pieces. An
expression with too many ways is refused when it is read, so that no fact can make it hang later.
"""

from __future__ import annotations

import re
import warnings

__all__ = ["LONGEST", "SUBJECT", "why_not"]

LONGEST = 200
"""Characters of an expression: brackets in brackets without end are nobody's."""
SUBJECT = 300
"""Characters of a text that an expression is tried on; whoever tries it cuts the text."""
MOST = 3e8
"""Ways to be tried on such a text at most: about two seconds, and much less for what is not made up."""
FEW = 4
"""Times that a piece which can be read in several ways may come."""
_OPENS = re.compile(r"\?(?:P<\w+>|[ims]*:|=|!|<=|<!|(?P<flags>[ims]+\)))")
_TIMES = re.compile(r"\{(\d+)\}|\{(\d*),(\d*)\}")


class _Unbounded(Exception):
    """Why nobody can say how long it takes."""


def why_not(text: str) -> str:
    """Why it is no expression that is taken; empty: it is one, and ends soon on texts of `SUBJECT` characters."""
    if len(text) > LONGEST:
        return f"it has {len(text)} characters, and {LONGEST} are the most"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            re.compile(text)
            ways, _ = _Reader(text).alternatives(0)
        except (re.error, OverflowError, RecursionError, Warning, _Unbounded) as error:
            return str(error)
    if ways * SUBJECT > MOST:
        return "it could be tried in too many ways to end soon: leave out some of its `*`, `+`, `?`, `{}` and `|`"
    return ""


class _Reader:
    """Counts the ways of an expression that Python has read already."""

    def __init__(self, text: str) -> None:
        """Nothing is read yet."""
        self.text = text

    def alternatives(self, at: int) -> tuple[float, int]:
        """Ways of `a|b|...` up to its end or closing bracket, and where that is."""
        ways, whole = 0.0, 1.0
        while at < len(self.text) and self.text[at] != ")":
            if self.text[at] == "|":
                ways, whole, at = ways + whole, 1.0, at + 1
                continue
            one, end, group = self._atom(at)
            one, at = self._repeated(one, end, group=group)
            whole *= one
        return ways + whole, at

    def _atom(self, at: int) -> tuple[float, int, bool]:
        """Ways of one piece, where it ends, and whether it is in brackets."""
        text = self.text
        if text[at] == "\\":
            return 1.0, at + 2, False
        if text[at] == "[":
            end = at + (2 if text[at + 1] == "^" else 1)
            end += text[end] == "]"  # that comes first, and is itself
            while text[end] != "]":
                end += 2 if text[end] == "\\" else 1
            return 1.0, end + 1, False
        if text[at] != "(":
            return 1.0, at + 1, False
        at += 1
        if text[at] == "?":
            opens = _OPENS.match(text, at)
            if opens is None:
                raise _Unbounded(f"`({text[at : at + 3]}` is not taken")
            if opens["flags"]:
                return 1.0, opens.end(), False
            at = opens.end()
        ways, end = self.alternatives(at)
        return ways, end + 1, True

    def _repeated(self, ways: float, at: int, *, group: bool) -> tuple[float, int]:
        """The same as often as it may come, and what is behind that."""
        text = self.text
        times = _TIMES.match(text, at)
        if times is not None:
            least = int(times[1] or times[2] or 0)
            most = int(times[1] or times[3] or max(least, SUBJECT))
            end = times.end()
        elif text[at : at + 1] in ("*", "+", "?"):
            least, most, end = 0, 1 if text[at] == "?" else SUBJECT, at + 1
        else:
            return ways, at
        if text[end : end + 1] in ("?", "+"):  # lazy, possessive
            end += 1
        if most <= 1:
            return ways + 1, end
        if group and ways > 1 and most <= FEW:
            return ways**most * (most - least + 1), end
        if group and ways > 1:
            raise _Unbounded(
                "what is repeated can itself be read in several ways, as in `(a+)+`: nobody knows how long that takes"
            )
        return ways * most, end

"""Just enough of PowerShell's lexical rules to tell code from strings and comments; knows no template and no grammar.

The lab has the exact tokenizer; this one serves the library, which must not know the lab, for two questions: does a
value stand inside quotes, and which characters of a template are code.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["VALUE", "Segment", "Spot", "ValueSpot", "code_only", "segments", "values"]

VALUE = "\ue000"
"""Stands for a value in a template's skeleton; a private character that no template needs."""

_SINGLE = "'\u2018\u2019\u201a\u201b"
_DOUBLE = '"\u201c\u201d\u201e'
_TOKEN = re.compile(
    rf"""
      (?P<block><\#.*?(?:\#>|\Z))
    | (?P<here_single>@[{_SINGLE}][^\S\n]*\n.*?(?:\n[{_SINGLE}]@|\Z))
    | (?P<here_double>@[{_DOUBLE}][^\S\n]*\n.*?(?:\n[{_DOUBLE}]@|\Z))
    | (?P<single>[{_SINGLE}](?:[{_SINGLE}]{{2}}|[^{_SINGLE}])*(?:[{_SINGLE}]|\Z))
    | (?P<double>[{_DOUBLE}](?:[{_DOUBLE}]{{2}}|`.|[^{_DOUBLE}`])*(?:[{_DOUBLE}]|\Z))
    | (?P<escape>`.)
    | (?P<comment>(?:(?<=[\s;(){{}}|,&=])|\A)\#[^\n]*)
    """,
    re.VERBOSE | re.DOTALL,
)


class Spot(enum.Enum):
    """Where a value stands; the words complete the sentence "puts a value ..."."""

    CODE = "by itself"
    QUOTES = "in quotes"
    COMMENT = "in a comment"
    GLUED = "against other text"


@dataclass(frozen=True)
class Segment:
    """A string or a comment."""

    where: Spot
    start: int
    end: int


@dataclass(frozen=True)
class ValueSpot:
    """One value of a skeleton."""

    where: Spot
    line: int
    """From 1."""


def segments(text: str) -> Iterator[Segment]:
    """The strings and comments of a PowerShell text, in order."""
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        if kind in {"block", "comment"}:
            yield Segment(Spot.COMMENT, *match.span())
        elif kind != "escape":
            yield Segment(Spot.QUOTES, *match.span())


def code_only(text: str) -> str:
    """The text with comments blanked and the insides of strings replaced by `_`; as long as before, lines kept."""
    out: list[str] = []
    at = 0
    for segment in segments(text):
        out.append(text[at : segment.start])
        inside = text[segment.start : segment.end]
        if segment.where is Spot.COMMENT:
            out.append(re.sub(r"[^\n]", " ", inside))
        else:
            out.append(inside[:1] + re.sub(r"[^\n]", "_", inside[1:-1]) + inside[1:][-1:])
        at = segment.end
    out.append(text[at:])
    return "".join(out)


_BEFORE = re.compile(r"[\s=(,;{\[\]:|+*/!\-]")
_AFTER = re.compile(r"[\s),;}\]|]")


def values(text: str) -> Iterator[ValueSpot]:
    """Every value of a skeleton, in order, with where it stands."""
    spans = list(segments(text))
    for match in re.finditer(VALUE, text):
        at = match.start()
        line = text.count("\n", 0, at) + 1
        inside = next((s.where for s in spans if s.start <= at < s.end), None)
        if inside is not None:
            yield ValueSpot(inside, line)
        elif (at > 0 and not _BEFORE.match(text[at - 1])) or (at + 1 < len(text) and not _AFTER.match(text[at + 1])):
            yield ValueSpot(Spot.GLUED, line)
        else:
            yield ValueSpot(Spot.CODE, line)

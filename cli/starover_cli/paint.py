"""Colour, which only doubles what words and marks say already: text in, the same text with escape codes out."""

from __future__ import annotations

import re
from functools import partial

__all__ = ["paint"]

_RED, _GREEN, _YELLOW, _CYAN, _BOLD, _DIM = "31", "32", "33", "36", "1", "2"

_STEP = r"^(?P<head>\s*(?:\d+\s+)?)"
_RULES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.MULTILINE), code)
    for pattern, code in (
        (r"(?P<hit>\bMAIL IS (?:PARTLY )?DOWN\b|\bLOST \d+/\d+|\bSTOPPED\b|\bBREAK GLASS\b)", _RED),
        (r"^(?P<hit>MAIL IS BACK)\b", _GREEN),
        (r"^(?P<hit>LIVE)\b", f"{_BOLD};{_RED}"),
        (r"^(?P<hit>LAB)\b", f"{_BOLD};{_CYAN}"),
        (rf"{_STEP}(?P<hit>!)(?=\s)", _RED),
        (rf"{_STEP}(?P<hit>-)(?=\s{{2}})", _RED),
        (rf"{_STEP}(?P<hit>\?)(?=\s)", _YELLOW),
        (rf"{_STEP}(?P<hit>~)(?=\s)", _YELLOW),
        (rf"{_STEP}(?P<hit>\+|ok)(?=\s{{2}})", _GREEN),
        (rf"{_STEP}(?P<hit>>)(?=\s{{2}})", _CYAN),
        (r"(?P<hit>\bexit \d+ [a-z ]+)$", _RED),
        (r"^(?P<hit>next:)$", _BOLD),
        (r"^(?P<hit>warning)\b", _YELLOW),
    )
)


def paint(text: str) -> str:
    """`text` with marks and verdict words coloured; without the codes it is `text` again."""
    for pattern, code in _RULES:
        text = pattern.sub(partial(_around, code), text)
    return text


def _around(code: str, found: re.Match[str]) -> str:
    start, end = found.start("hit") - found.start(), found.end("hit") - found.start()
    whole = found[0]
    return f"{whole[:start]}\x1b[{code}m{whole[start:end]}\x1b[0m{whole[end:]}"

"""What an error record of PowerShell means: its cause, whether another try is of use, what a person does about it.

Pure: it looks at records alone and knows no engine, no step and no wire. The table of what means what is
`remote_patterns`; ids, exception types and codes stand before words there, because words are localised. It is loaded
with the first record: hundreds of patterns are compiled then.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starover.errors import ErrorRecord
from starover.remote_causes import CAUSES

if TYPE_CHECKING:
    from starover.remote_patterns import Pattern

__all__ = ["NONE", "UNKNOWN", "Meaning", "advice", "causes", "classify", "classify_all"]

NONE = "none"
"""What was said is no error."""
UNKNOWN = "unknown"
"""Nothing in the table fits."""


@dataclass(frozen=True)
class Meaning:
    """What one error record means."""

    cause: str
    """A word of `remote_causes.CAUSES`, or `unknown`."""
    retryable: bool
    """It passes by itself: after a look at the fact, another try is worth it."""
    after: float | None
    """Seconds before that try; None: the usual back-off, or never when it is not retryable."""
    advice: str
    """What the person on call does about it; empty when there is nothing to say."""
    times: int
    """How often it is tried again at most."""
    mark: str
    """How good the pattern is: `obs`, `doc`, `mem` (see `remote_patterns.Pattern`); empty when none fitted."""


_NOTHING_KNOWN = Meaning(UNKNOWN, retryable=False, after=None, advice="", times=0, mark="")


def classify(record: ErrorRecord) -> Meaning:
    """What this record means: the first pattern of the table that fits decides.

    Where none does: the exceptions inside it, outermost first, its HRESULT, and at last PowerShell's own category.
    """
    found = _by_table(record, _codes(f"{record.fqid}\n{_plain(record.message)}"))
    for inner in record.inner:
        if found is not None:
            return found
        kind, _, text = inner.partition(": ")
        found = _by_table(ErrorRecord(message=text, type=kind, command=record.command), _codes(_plain(text)))
    if found is None and not _says_nothing(record.hresult):
        # Only codes speak: the words were asked already.
        found = _by_table(ErrorRecord(message="", command=record.command), _codes(record.hresult))
    if found is not None:
        return found
    from starover.remote_patterns import BY_CATEGORY

    cause = BY_CATEGORY.get(record.category.partition(":")[0].strip())
    return _NOTHING_KNOWN if cause is None else _meaning(cause, "doc")


def _says_nothing(hresult: str) -> bool:
    """Whether an HRESULT is none, or one that .NET gives to whole families of exceptions."""
    return not hresult or hresult.startswith("0x8013") or hresult in _FAMILIES


_FAMILIES = frozenset(
    {"0x00000000", "0x80004001", "0x80004002", "0x80004003", "0x80004005", "0x80070057", "0x8000FFFF"}
)
"""E_NOTIMPL, E_NOINTERFACE, E_POINTER, E_FAIL, E_INVALIDARG, E_UNEXPECTED."""


def _by_table(record: ErrorRecord, codes: frozenset[int]) -> Meaning | None:
    from starover.remote_patterns import PATTERNS

    ids = f"{record.fqid}\n{record.type}"
    text = _plain(record.message)
    for pattern in PATTERNS:
        if _fits(pattern, record, ids, text, codes):
            return _meaning(pattern.cause, pattern.mark)
    return None


def causes(record: ErrorRecord) -> frozenset[str]:
    """Every cause that a record speaks of, for those who ask after one of them: `classify` names the nearest."""
    from starover.remote_patterns import PATTERNS

    text = _plain(record.message)
    ids, codes = f"{record.fqid}\n{record.type}", _codes(f"{record.fqid}\n{text}")
    return frozenset(one.cause for one in PATTERNS if _fits(one, record, ids, text, codes))


def classify_all(records: Sequence[ErrorRecord]) -> Meaning:
    """What several records of one failure mean together: the first whose cause is known."""
    meanings = [classify(record) for record in records]
    return next((one for one in meanings if one.cause not in (NONE, UNKNOWN)), _NOTHING_KNOWN)


def advice(records: Sequence[ErrorRecord]) -> tuple[str, ...]:
    """A line for the `next` of an error, or nothing."""
    said = classify_all(records).advice
    return (said,) if said else ()


def _meaning(word: str, mark: str) -> Meaning:
    cause = CAUSES[word]
    return Meaning(
        word, retryable=cause.retryable, after=cause.after, advice=cause.advice, times=cause.times, mark=mark
    )


def _fits(pattern: Pattern, record: ErrorRecord, ids: str, text: str, codes: frozenset[int]) -> bool:
    """Every part of a pattern that is not empty must fit."""
    return (
        (not pattern.codes or not codes.isdisjoint(pattern.codes))
        and (pattern.ids is None or pattern.ids.search(ids) is not None)
        and (pattern.text is None or pattern.text.search(text) is not None)
        and (pattern.command is None or pattern.command.search(f"{record.command} {record.fqid}") is not None)
    )


def _plain(message: str) -> str:
    """The message on one line, with straight apostrophes: consoles wrap it, Exchange prints both kinds."""
    return " ".join(message.replace("’", "'").split())


_HEX = re.compile(r"\b0x([0-9a-f]{3,8})\b|\berror\W{1,2}0x([0-9a-f]{1,2})\b|\bcode ?: ?(8[0-9a-f]{7})\b", re.IGNORECASE)
_DECIMAL = re.compile(
    r"\b(?:win32|code(?: is)?|error|fehler|erreur(?: syst[eè]me)?|ActiveDirectoryServer)[ :]{1,3}'?(\d{1,5})"
    r"(?=['\".,;:)\]]|\s*$|\s+(?:has|from|\())",
    re.IGNORECASE,
)
_SIGNED = re.compile(r"(?<![\d-])-(2\d{9})\b|(?<!\d)(2\d{9})\b")


def _codes(text: str) -> frozenset[int]:
    """Codes that a text names: an HRESULT made of a Windows code as that code, any other HRESULT whole."""
    found = [int(next(filter(None, match)), 16) for match in _HEX.findall(text)]
    found += [int(digits) for digits in _DECIMAL.findall(text)]
    found += [2**32 - int(minus) if minus else int(plain) for minus, plain in _SIGNED.findall(text)]
    return frozenset(code & 0xFFFF if code >> 16 == 0x8007 else code for code in found)

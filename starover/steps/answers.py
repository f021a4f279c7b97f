"""The one among several answers that is of a kind, for readings that went side by side; knows no reading."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

__all__ = ["answer_of"]

T = TypeVar("T")


def answer_of(answers: Sequence[object], kind: type[T]) -> T | None:
    """The first answer of that kind; None: it was an error."""
    return next((answer for answer in answers if isinstance(answer, kind)), None)

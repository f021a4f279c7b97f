"""Accidents of the line, planned per host, request and number: resets, cut answers, silence, HTTP errors, a quota;
knows no SOAP body."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

__all__ = ["KINDS", "Accident", "Kind", "Plans"]

Kind = Literal[
    "reset-before",
    "reset-after",
    "half",
    "silent-before",
    "silent-after",
    "http-400",
    "http-401",
    "http-500",
    "http-503",
    "quota",
]
"""`reset-before`: the connection is reset and nothing was done; `reset-after`: all was done, then it is reset; `half`:
done, and the answer is cut in the middle; `silent-before`, `silent-after`: nothing or all was done, and no answer ever
comes; `http-...`: that status, nothing done; `quota`: the fault of too many operations, nothing done."""
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass
class Accident:
    """One plan: it happens to `times` requests after `skip` others that match. Retries count like everything else."""

    kind: Kind
    action: str = ""
    """Only to requests of that action (`Command`, `Receive`...); empty: to any."""
    skip: int = 0
    times: int = 1


class Plans:
    """The accidents that await one host."""

    def __init__(self) -> None:
        self._waiting: list[Accident] = []

    def add(self, accident: Accident) -> None:
        """One more; they are tried in the order in which they were added."""
        self._waiting.append(accident)

    def clear(self) -> None:
        """None any more."""
        self._waiting.clear()

    def strike(self, action: str) -> Kind | None:
        """What happens to this request. Each request counts once for every accident it matches, until one strikes."""
        for accident in self._waiting:
            if accident.action and accident.action.lower() != action.lower():
                continue
            if accident.skip > 0:
                accident.skip -= 1
                continue
            accident.times -= 1
            if accident.times <= 0:
                self._waiting.remove(accident)
            return accident.kind
        return None

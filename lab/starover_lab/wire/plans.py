"""Accidents of the line, planned per host and request: resets, cut answers, HTTP errors; knows no SOAP body."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

__all__ = ["KINDS", "Accident", "Kind", "Plans"]

Kind = Literal["reset-before", "reset-after", "half", "silent-after", "http-400", "http-401", "http-500", "http-503"]
"""`reset-before`: the connection is reset and nothing was done; `reset-after`: all was done, then it is reset; `half`:
done, and the answer is cut in the middle; `silent-after`: done, and the answer never comes; the others: that status,
nothing done."""
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass
class Accident:
    """One plan: it happens to `times` requests after `skip` others that match."""

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

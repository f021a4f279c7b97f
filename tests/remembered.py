"""A transport that asks a host once and remembers what it said, for many plans of a world that nobody changes; it knows
no step and no value.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeAlias

from inner_lab import InnerLab

from starover.transport import Answer, Script

__all__ = ["Remembered"]

FRESH = timedelta(minutes=5)
"""Simulated time for which a reading is given again."""
_Key: TypeAlias = tuple[str, str, str]
_NONCE = "\ue5a8"
"""What stands in for the nonce: it is in no script and in no answer."""


class Remembered:
    """The lab's own transport behind a memory: the same text for the same host has the same answer.

    What is not known word for word goes to the lab, so a value that stands in a script is always read there. What was
    answered from memory counts as sent.
    """

    def __init__(self, lab: InnerLab) -> None:
        """Stands in for the lab's carrier."""
        self._lab = lab
        self._inner = lab.carrier
        self._known: dict[_Key, tuple[datetime, Answer]] = {}

    def run(self, batch: Sequence[Script], /) -> Iterator[Answer]:
        """As `Transport.run`."""
        scheduler = self._lab.world.scheduler
        news: dict[str, Script] = {}
        for script in batch:
            known = self._known.get(_key(script))
            if known is None or script.mutates or scheduler.now - known[0] > FRESH:
                news[script.id] = script
                continue
            self._lab.transport.sent.append(script)
            self._lab.simulation.later(scheduler.withdraw)
            yield replace(known[1], id=script.id, output=known[1].output.replace(_NONCE, script.nonce))
        for answer in self._inner.run(list(news.values())) if news else ():
            script = news[answer.id]
            if answer.error is None and not script.mutates:
                self._known[_key(script)] = (scheduler.now, replace(answer, output=_without(answer.output, script)))
            yield answer

    def secrets(self) -> Sequence[str]:
        """As `Transport.secrets`."""
        return self._inner.secrets()

    def close(self) -> None:
        """As `Transport.close`."""
        self._inner.close()


def _key(script: Script) -> _Key:
    return (script.server.name, script.way, _without(script.text, script))


def _without(text: str, script: Script) -> str:
    return text.replace(script.nonce, _NONCE) if script.nonce else text

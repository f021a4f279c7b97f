"""What a plan may lose, in log files by database (catalogue 4, G-LOSS): words and numbers; knows no plan, no host."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import msgspec

from starover.errors import BadParameter
from starover.step import Change
from starover.values import Plain

__all__ = ["ACCEPTED", "Loss", "accepted", "bounds"]

ACCEPTED = "accept_data_loss"
"""Parameter of runbooks that may lose mail: what somebody has accepted already when the plan is made."""

_WORDS = "may lose "


class Loss(msgspec.Struct, frozen=True):
    """A bound for one database: written `DB1=3`, or `DB1=unknown` where nobody can count.

    A step kind binds it into its plan by `Change(..., note=loss.note)`: then the digest covers it, the screen shows it,
    and whoever applies the plan must accept exactly that.
    """

    database: str
    logs: int | None
    """At most so many log files; None: unknown."""

    @classmethod
    def parse(cls, text: str, /) -> Loss:
        """Read `DB1=3` or `DB1=unknown`. Raises `BadParameter`."""
        database, equals, count = (part.strip() for part in text.partition("="))
        if not equals or not database or not re.fullmatch(r"[0-9]{1,9}|unknown", count):
            raise BadParameter(
                f"`{text}` is no accepted loss: it is written DATABASE=LOGS, or DATABASE=unknown",
                certain=("nothing was contacted",),
            )
        return cls(database, None if count == "unknown" else int(count))

    def __str__(self) -> str:
        """As a person writes it."""
        return f"{self.database}={'unknown' if self.logs is None else self.logs}"

    @property
    def note(self) -> str:
        """As it stands in a `Change`."""
        return f"{_WORDS}{self}"

    @property
    def words(self) -> str:
        """`DB1: at most 3 logs`, `DB1: nobody knows how much`."""
        if self.logs is None:
            return f"{self.database}: nobody knows how much"
        return f"{self.database}: at most {self.logs} log{'' if self.logs == 1 else 's'}"


def bounds(changes: Iterable[Change], parameters: Mapping[str, Plain]) -> dict[str, Loss]:
    """What a plan may lose, by database in lower case.

    Each part of a note (parts are parted by `;`) that reads `may lose DB=n` is a bound; what was accepted when the
    plan was made, its parameter `accept_data_loss`, is the wider one and wins.
    """
    found: dict[str, Loss] = {}
    for change in changes:
        for part in change.note.split(";"):
            text = part.strip()
            if text.startswith(_WORDS):
                _take(found, text.removeprefix(_WORDS))
    given = parameters.get(ACCEPTED)
    for one in given if isinstance(given, list) else []:
        _take(found, str(one))
    return found


def _take(found: dict[str, Loss], text: str) -> None:
    try:
        loss = Loss.parse(text)
    except BadParameter:
        return  # a sentence that only begins like a bound
    found[loss.database.casefold()] = loss


def accepted(bound: Mapping[str, Loss], given: Iterable[str]) -> tuple[Loss, ...]:
    """What was accepted (`DB1=3`, `DB1=3,DB2=0`), held against what the plan may lose.

    Raises `BadParameter` unless it is exactly that, database by database: more would be a misunderstanding, less a no.
    """
    said: dict[str, Loss] = {}
    for text in given:
        for part in text.split(","):
            loss = Loss.parse(part)
            said[loss.database.casefold()] = loss
    wanted = ",".join(str(loss) for loss in bound.values())
    if not bound:
        raise BadParameter(
            "this plan may lose nothing, so there is no loss to accept",
            certain=("nothing was sent",),
            next=("leave --accept-data-loss away",),
        )
    if {name: loss.logs for name, loss in said.items()} != {name: loss.logs for name, loss in bound.items()}:
        raise BadParameter(
            f"accepted was {','.join(str(loss) for loss in said.values())}; this plan may lose {wanted}",
            certain=("nothing was sent",),
            next=(f"--accept-data-loss {wanted}   if that is what you accept",),
        )
    return tuple(bound.values())

"""What facts and changes are made of: reports, risks, changes, refusals, patience; knows no step and no run."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Literal

import msgspec
from typing_extensions import dataclass_transform

from starover.names import CopyId

__all__ = ["Blocked", "Change", "Left", "Report", "Risk", "Settle"]


class Risk(enum.Enum):
    """What a step may cost (catalogue, section 1)."""

    READ = "R"
    LOW = "L"
    SERVICE = "S"
    """Interrupts the service."""
    DATA = "D"
    """May lose data."""
    SPLIT = "X"
    """May make two brains of one cluster."""

    @property
    def rank(self) -> int:
        """0 for READ, rising with the danger."""
        return "RLSDX".index(self.value)

    @classmethod
    def highest(cls, *risks: Risk) -> Risk:
        """The most dangerous of several; READ of none."""
        return max(risks, key=lambda risk: risk.rank, default=cls.READ)


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(msgspec.field,))
class ReportMeta(msgspec.StructMeta):
    """Makes every report frozen, with fields by keyword, camel case in JSON and no unknown fields."""

    def __new__(mcls, name: str, bases: tuple[type, ...], namespace: dict[str, object], /) -> ReportMeta:
        return super().__new__(
            mcls, name, bases, namespace, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True
        )


class Report(msgspec.Struct, metaclass=ReportMeta):
    """What a template reports: subclass it with the fields of the JSON, in snake case here and camel case there.

    Decoding is strict: a missing or unknown field, or text where a number is due, is a `BadReport`. Parts of a report
    (a row, a nested object) are Reports too.
    """


class Change(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a step would change: `Change(identity, now.status, "Suspended")`.

    It is part of the plan's digest, so whatever must bind an approval belongs in it, and nothing that moves by itself.
    """

    what: str | CopyId
    """The thing, in the field's words: a copy, a server, a setting. Kept as text."""
    now: str
    wanted: str
    note: str = ""
    """Shown behind the line: a comment, a bound on what may be lost."""
    action: Literal["add", "change", "remove"] = "change"
    """Which mark a plan shows: `+`, `~` or `-`."""
    warning: str = ""
    """What a person should know and what moves with the facts, such as who else is well: shown, and binds nothing."""

    def __post_init__(self) -> None:
        """A copy's id becomes text."""
        msgspec.structs.force_setattr(self, "what", str(self.what))

    @property
    def bound(self) -> Change:
        """The part of it that a plan binds."""
        return msgspec.structs.replace(self, warning="") if self.warning else self

    @property
    def shown(self) -> str:
        """Note and warning, as a line shows them."""
        return "; ".join(part for part in (self.note, self.warning) if part)

    def warned(self, text: str) -> Change:
        """The same with a warning more."""
        return msgspec.structs.replace(self, warning="; ".join(part for part in (self.warning, text) if part))


class Blocked(msgspec.Struct, frozen=True, omit_defaults=True):
    """The step may not be done and needs a human; the plan shows why, apply refuses (`NotSafe`, exit 4)."""

    why: str
    """One sentence in the field's words."""
    guard: str = ""
    """The guard's name, such as `G-COPIES`, where one spoke."""
    certain: tuple[str, ...] = ()
    next: tuple[str, ...] = ()
    """What to type, or what would make it pass."""


class Settle(msgspec.Struct, frozen=True):
    """How long to wait for a fact after a change: a reading every `every` seconds, for `limit` seconds at most."""

    every: float = 5.0
    limit: float = 120.0
    stall: float | None = None
    """Give up when `progress` has not fallen for this many seconds; None: only the limit counts."""


@dataclass(frozen=True, kw_only=True)
class Left:
    """How much is left of what is waited for, fit to be shown: what a `progress` may give instead of a number."""

    amount: int
    """In `unit`, falling to 0 within its phase."""
    unit: str = ""
    """`logs`, `MB`, `messages`, `databases`."""
    whole: int | None = None
    """Of how much; None: nobody knows, or it grows meanwhile."""
    phase: str = ""
    """`seeding`, `copying logs`: each has a pace of its own."""
    after: int = 0
    """At least what later phases count as, so that the number for a stall falls from one to the next."""

    @property
    def total(self) -> int:
        """The number that falls over all phases."""
        return self.amount + self.after

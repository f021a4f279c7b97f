"""Several guards judged at once, and the refusal that tells of all of them; knows no rule and no runbook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starover.errors import NotSafe, OutsideWindow
from starover.step import Blocked

__all__ = ["WINDOW", "Judged", "admit", "judged"]

WINDOW = "G-WINDOW"
"""The one guard whose refusal passes by itself: exit 75, so that a job tries again."""


@dataclass(frozen=True)
class Judged:
    """What a guard of the catalogue (section 4) says."""

    guard: str
    """`G-COPIES`."""
    blocked: Blocked | None = None
    """Why not; None: it passes."""
    warnings: tuple[str, ...] = ()
    """What it lets pass and a person should know."""


def judged(guard: str, blocked: Blocked | None, *warnings: str) -> Judged:
    """A guard that speaks by `blocked` alone."""
    return Judged(guard, blocked, tuple(one for one in warnings if one))


def admit(what: str, every: Sequence[Judged], *, host: str = "") -> tuple[str, ...]:
    """What the guards warn of, when all of them pass.

    Raises `NotSafe` with each guard that refuses, its facts and what would make it pass, and those that pass by name;
    `OutsideWindow` when the window is among them. `what` would be done: `taking EX1 out of service`.
    """
    refusing = [one for one in every if one.blocked is not None]
    if not refusing:
        return tuple(dict.fromkeys(warning for one in every for warning in one.warnings))
    certain: list[str] = []
    following: list[str] = []
    for one in refusing:
        assert one.blocked is not None
        certain += [f"{one.guard}: {one.blocked.why}", *one.blocked.certain]
        following += one.blocked.next
    passing = [one.guard for one in every if one.blocked is None]
    certain.append(f"passed: {' '.join(passing) or 'none'} ({len(passing)} of {len(every)})")
    closed = any(one.guard == WINDOW for one in refusing)
    names = " and ".join(dict.fromkeys(one.guard for one in refusing))
    kind = OutsideWindow if closed else NotSafe
    raise kind(
        f"{what} {'has to wait for a maintenance window' if closed else 'is not safe now'} ({names})",
        certain=(*dict.fromkeys(line for line in certain if line != "nothing was changed"), "nothing was changed"),
        next=tuple(dict.fromkeys(following)),
        host=host,
    )

"""The first line of every screen, and the last block: where am I, and what to type next."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from starover_cli.views.text import moment, plural

__all__ = ["Where", "first_line", "next_block"]


ALIGNED = 60
"""A longer command is followed by its meaning at once: it must not push the others' out of sight."""


class Where(msgspec.Struct, frozen=True, kw_only=True):
    """What the first line says. None means: not asked or not answered, and is printed as `?` where it must be known."""

    lab: bool
    estate: str
    dag: str = ""
    members: int | None = None
    votes: int | None = None
    """Votes present now."""
    votes_total: int | None = None
    """Votes that count now."""
    votes_needed: int | None = None
    dac: str | None = None
    """`Off` or `DagOnly`."""
    witness_lost: bool = False
    """The witness has no say (its dynamic weight is 0 in a DAG that has one)."""
    at: datetime | None = None
    """When this was true; None: no clock could be asked."""

    @property
    def quorum(self) -> str:
        """`quorum 3/3`, `quorum LOST 1/3`, `quorum 2/2 (witness 0)` or `quorum ?`."""
        if self.votes is None or self.votes_total is None:
            return "quorum ?"
        lost = self.votes_needed is not None and self.votes < self.votes_needed
        text = f"quorum {'LOST ' if lost else ''}{self.votes}/{self.votes_total}"
        return f"{text} (witness 0)" if self.witness_lost and not lost else text


def first_line(where: Where, width: int = 100) -> str:
    """`LAB   estate   DAG name   2 members  quorum 3/3   DAC Off        Fri 20 Nov 14:00:07 (sim)`."""
    words = [f"{'LAB ' if where.lab else 'LIVE'}  {where.estate}"]
    if where.dag:
        words.append(f"DAG {where.dag}")
        members = "" if where.members is None else f"{plural(where.members, 'member')}  "
        words += [f"{members}{where.quorum}", f"DAC {where.dac or '?'}"]
    lines = [words[0]]
    for word in words[1:]:
        if len(lines[-1]) + 3 + len(word) <= width:
            lines[-1] += f"   {word}"
        else:
            lines.append(f"      {word}")
    time = "" if where.at is None else moment(where.at, simulated=where.lab)
    room = width - len(lines[-1]) - len(time)
    if time and room >= 2:
        lines[-1] += " " * room + time
    elif time:
        lines.append(time.rjust(min(width, len(time) + 6)))
    return "\n".join(lines)


def next_block(lines: Sequence[tuple[str, str]] | Sequence[str]) -> str:
    """The `next:` block: at most three commands, each with an optional word on what it is for."""
    pairs = [(line, "") if isinstance(line, str) else line for line in lines][:3]
    if not pairs:
        return ""
    widest = max((len(command) for command, _ in pairs if len(command) <= ALIGNED), default=0)
    rows = [f"  {command.ljust(widest)}   {meaning}".rstrip() for command, meaning in pairs]
    return "\n".join(["next:", *rows])

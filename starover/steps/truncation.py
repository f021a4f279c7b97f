"""What lets logs go: backups, and loose truncation in the registry of each member (catalogue, disk-relief 3 and 5)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from starover.estate import Server
from starover.runbook import Finding
from starover.step import Change, Query, Report, Risk, Step, step
from starover.steps.disaster import DatabaseOrder

__all__ = ["Backups", "backed_up", "backups_of", "loosely_truncated", "protected"]


class Truncation(Report):
    """Loose truncation on a host, by its registry (`relief/truncation.ps1.j2`)."""

    protect: int
    """Passive copies that are waited for; 0: it is off."""


class Backup(Report):
    """A database and its last full backup."""

    name: str
    last: str
    """ISO 8601, UTC; empty: none is known."""
    running: bool


class Backups(Report):
    """Of all databases with a copy on a server (`relief/backups.ps1.j2`)."""

    backups: tuple[Backup, ...]


truncation_of = Query("relief/truncation.ps1.j2", Truncation)
"""Of the host that is asked."""
backups_of = Query("relief/backups.ps1.j2", Backups)
"""Argument: `server`."""


def backed_up(now: Backups, names: Collection[str]) -> Iterator[Finding]:
    """When each database was backed up last, and that a backup is what lets its logs go."""
    for one in now.backups:
        if one.name not in names:
            continue
        when = f"last full backup {one.last[:16].replace('T', ' ')}Z" if one.last else "no full backup is known"
        if one.running:
            says = f"{when}; one runs now: logs go when it ends"
        else:
            says = f"{when}: run a full backup (VSS) with your backup product, of any copy; logs go when it ends"
        yield Finding(check="backup", on=one.name, level="info" if one.running else "warn", says=says)


def protected(databases: Sequence[DatabaseOrder], names: Collection[str]) -> int:
    """How many passive copies truncation shall wait for, so that one straggler alone is passed over; 1 at the least."""
    passive = [len(one.servers) - 1 for one in databases if one.name in names]
    return max(1, max(passive, default=1) - 1)


def _back(prev: Truncation, at: Server, /, *, server: str, protect: int) -> Step | None:
    if prev.protect == protect:
        return None
    return loosely_truncated.on(at, server=server, protect=prev.protect)


@step(check=truncation_of, apply="relief/loosen.ps1.j2", risk=Risk.DATA, undo=_back)
def loosely_truncated(now: Truncation, /, *, server: str, protect: int) -> Change | None:
    """A member lets logs go that the copy furthest behind still lacks, when its volume is low (loose truncation).

    `protect`: so many passive copies are waited for all the same; 0 turns it off.
    """
    if now.protect == protect:
        return None
    words = {0: "off"}
    note = "a copy that is passed over needs a seed afterwards; while circular logging is off a backup is waited for"
    return Change(
        f"loose truncation on {server}",
        words.get(now.protect, f"waits for {now.protect} passive copies"),
        words.get(protect, f"waits for {protect} passive copies"),
        note=note if protect else "",
    )

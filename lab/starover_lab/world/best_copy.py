"""Best copy selection of Active Manager as a pure function over facts of the candidates; changes nothing.

simulator.md section 6 [doc]: which copies may be activated at all, in which order they are tried, and by which of the
ten sets of criteria.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

__all__ = ["ALLOWED_STATUS", "DIAL", "Candidate", "ranked"]

ALLOWED_STATUS = ("Healthy", "DisconnectedAndHealthy", "DisconnectedAndResynchronizing", "SeedingSource")
DIAL = {"Lossless": 0, "GoodAvailability": 6, "BestAvailability": 12}
"""Lost logs up to which a database mounts by itself."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One passive copy as Active Manager sees it."""

    server: str
    preference: int
    status: str
    ci: str
    """`NotApplicable` counts as healthy."""
    copy_queue: int
    replay_queue: int
    obstacle: str = ""
    """Why it may not be activated at all (blocked, suspended, server gone); empty: it may."""
    dial: str = "GoodAvailability"


def _ci_good(one: Candidate) -> bool:
    return one.ci in ("Healthy", "NotApplicable")


def _ci_crawling(one: Candidate) -> bool:
    return one.ci == "Crawling"


def _short_copy(one: Candidate) -> bool:
    return one.copy_queue < 10


def _short_replay(one: Candidate) -> bool:
    return one.replay_queue < 50


_SETS: tuple[tuple[Callable[[Candidate], bool], ...], ...] = (
    (_ci_good, _short_copy, _short_replay),
    (_ci_crawling, _short_copy, _short_replay),
    (_ci_good, _short_replay),
    (_ci_crawling, _short_replay),
    (_short_replay,),
    (_ci_good, _short_copy),
    (_ci_crawling, _short_copy),
    (_ci_good,),
    (_ci_crawling,),
    (),
)


def ranked(candidates: Sequence[Candidate], *, lossless: bool = False) -> list[Candidate]:
    """The copies that may be activated, best first.

    `lossless`: an administrator's lossless switchover without a target. Then, or when any server's dial is Lossless,
    preference leads; otherwise the shortest copy queue.
    """
    allowed = [one for one in candidates if not one.obstacle and one.status in ALLOWED_STATUS]
    if lossless or any(one.dial == "Lossless" for one in candidates):
        ordered = sorted(allowed, key=lambda one: one.preference)
    else:
        ordered = sorted(allowed, key=lambda one: (one.copy_queue, one.preference))
    found: list[Candidate] = []
    for criteria in _SETS:
        found += [one for one in ordered if one not in found and all(test(one) for test in criteria)]
    return found

"""Best copy and server selection of Active Manager as a pure function over facts of the candidates; changes nothing.

simulator.md section 6 [doc]: which copies may be activated at all, in which order they are tried, and by which of the
ten sets of criteria, within each set by the health of the servers' components.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

__all__ = ["ALLOWED_STATUS", "DIAL", "LONG_COPY_QUEUE", "LONG_REPLAY_QUEUE", "Candidate", "Health", "allowed", "ranked"]

ALLOWED_STATUS = ("Healthy", "DisconnectedAndHealthy", "DisconnectedAndResynchronizing", "SeedingSource")
DIAL = {"Lossless": 0, "GoodAvailability": 6, "BestAvailability": 12}
"""Lost logs up to which a database mounts by itself."""
LONG_COPY_QUEUE = 10
LONG_REPLAY_QUEUE = 50
"""From these lengths on a queue is too long."""


class Health(IntEnum):
    """How healthy a server's components are beside those of the server that it would take over from."""

    ALL = 0
    NORMAL = 1
    """Nothing of normal or higher priority is unhealthy."""
    BETTER = 2
    SAME = 3
    WORSE = 4
    """Never chosen."""


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
    gone: str = ""
    """Why nothing could be mounted there now (server, services, cluster, volumes); no switch helps against it."""
    consent: str = ""
    """Why the DAG does not let that server mount: `dacp` (bit 0), `stopped` (on the list of stopped servers)."""
    suspended: bool = False
    """Activation of this copy is suspended."""
    lagged: bool = False
    offline: bool = False
    """Its server's component HighAvailability is offline."""
    full: int | None = None
    """The number of active databases that its server may hold, when that is reached."""
    policy: str = ""
    """Why nothing is activated there by itself; an administrator who names the server may."""
    last_resort: bool = False
    """Taken when no other copy can be (moves off it are wished, or it holds as many actives as preferred)."""
    health: Health = Health.ALL
    lost: int = 0
    """Logs that would be lost by mounting it now, after the last try to copy them."""
    dial: str = "GoodAvailability"

    @property
    def obstacle(self) -> str:
        """Why it is not activated by itself; empty: it may be."""
        if self.suspended:
            return "activation of this copy is suspended"
        if self.gone:
            return self.gone
        if self.consent:
            return _CONSENT[self.consent]
        if self.offline:
            return "component HighAvailability is offline"
        if self.full is not None:
            return f"the server holds {self.full} active databases, as many as it may"
        return self.policy


_CONSENT = {
    "dacp": "the DAC protocol does not allow mounting on this server",
    "stopped": "the server is on the DAG's list of stopped servers",
}


def allowed(dial: str) -> int | None:
    """Lost logs up to which that dial or override mounts; None: any number."""
    return None if dial == "BestEffort" else DIAL.get(dial, 0)


def _ci_good(one: Candidate) -> bool:
    return one.ci in ("Healthy", "NotApplicable")


def _ci_crawling(one: Candidate) -> bool:
    return one.ci == "Crawling"


def _short_copy(one: Candidate) -> bool:
    return one.copy_queue < LONG_COPY_QUEUE


def _short_replay(one: Candidate) -> bool:
    return one.replay_queue < LONG_REPLAY_QUEUE


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
    preference leads; otherwise the shortest copy queue. Of those that meet a set of criteria, the server with the
    healthier components leads.
    """
    able = [
        one for one in candidates if not one.obstacle and one.status in ALLOWED_STATUS and one.health < Health.WORSE
    ]
    if lossless or any(one.dial == "Lossless" for one in candidates):
        ordered = sorted(able, key=lambda one: one.preference)
    else:
        ordered = sorted(able, key=lambda one: (one.copy_queue, one.preference))
    found: list[Candidate] = []
    for late in (False, True):
        for criteria in _SETS:
            meet = [
                one
                for one in ordered
                if one.last_resort is late and one not in found and all(test(one) for test in criteria)
            ]
            found += sorted(meet, key=lambda one: one.health)
    return found

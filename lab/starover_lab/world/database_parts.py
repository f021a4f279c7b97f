"""What databases and their copies are in the simulated estate, as plain dataclasses; knows no transition.

Times are simulated UTC, durations seconds, sizes bytes. Names compare case-insensitively.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from starover_lab.world.logs import LogStream
from starover_lab.world.names import Names

__all__ = ["Copy", "CopyError", "Database", "DatabaseState", "Rival", "Seed"]

DatabaseState = Literal["Mounted", "Mounting", "Dismounted", "Dismounting"]


@dataclass(frozen=True)
class CopyError:
    """What is wrong with a copy."""

    message: str
    event_id: int
    needs_reseed: bool
    """True: FailedAndSuspended until it is seeded; False: Failed, and it tries again by itself."""
    cause: Literal["fault", "seed", "divergence", "storage"] = "fault"


@dataclass(eq=False)
class Seed:
    """A seed under way into a copy."""

    source: str
    total: int
    """Bytes."""
    done: float
    """Bytes that had been copied at `since`."""
    since: datetime
    speed: float
    """Bytes per second since then."""
    started: datetime
    from_generation: int
    network: str = ""
    """DAG network that it goes over."""
    database_only: bool = False
    manual_resume: bool = False
    fails_at: float | None = None
    """Fault `seed_fail`: bytes at which it breaks."""


@dataclass(eq=False)
class Copy:
    """One copy of a database; its log counters stand as they were at `since` and are computed on from there."""

    server: str
    preference: int
    replay_lag_s: float = 0.0
    truncation_lag_s: float = 0.0
    replay_lag_max_delay_s: float = 86_400.0
    replication_suspended: bool = False
    activation_suspended: bool = False
    comment: str = ""
    initiator: str = "Unknown"
    """`Unknown`, `Service`; `Administrator` is unverified (never seen in an output)."""
    error: CopyError | None = None
    seed: Seed | None = None
    phase: Literal["", "initializing", "resynchronizing"] = ""
    phase_until: datetime | None = None
    """None while the phase waits for a connection."""
    running: bool = True
    """The replication service has the copy started: not suspended, not failed, not being seeded."""
    retry_until: datetime | None = None
    """A resume of a copy that needs a seed shows Initializing until then."""
    block_kept: bool = False
    """Activation was blocked already when the copy was suspended wholly: an automatic resume leaves the block."""
    connected: bool = True
    network: str = ""
    """DAG network that its logs come in by; chosen anew with each connection."""
    flowing: bool = True
    """Logs are being copied."""
    replaying: bool = True
    since: datetime = field(kw_only=True)
    copied: int = field(kw_only=True)
    inspected: int = field(kw_only=True)
    replayed: int = field(kw_only=True)
    held_from: int = 0
    """Newest log when it was added: older ones are kept for no sake of it."""
    left_over: bool = False
    """Files of an earlier copy lie in its place."""
    networks_seen: int = -1
    """`State.cards_changed` when its network was last looked at."""
    diverged: int = 0
    """Logs it has beyond the point where the stream went on elsewhere."""
    files_present: bool = True
    notified: int = 0
    """Newest log of which it heard from the active, while it hears nothing."""
    branch: int = 1
    """Branch of the stream that its newest logs belong to."""
    diverged_at: datetime | None = None
    """When the stream went on without its newest logs."""
    lag_off: Literal["", "LagDisabled", "NotEnoughFreeSpace"] = ""
    """Why it replays without delay although a replay lag is configured; empty: it keeps the lag."""
    lag_off_by: Literal["", "administrator", "manager"] = ""
    registry_generation: int | None = None
    """Newest log in the cluster registry as it last read it, while it cannot read it; None: it can."""
    ci_state: str = "Healthy"
    logs_away: set[int] = field(default_factory=set[int])
    """Generations of log files that somebody moved or removed while nothing used them."""
    checkpoint_away: bool = False
    """Its checkpoint file was moved or removed."""
    recovered: bool = False
    """Its database file was recovered by hand and is in a clean state."""
    status: str = ""
    """As it was recorded last."""
    status_since: datetime | None = None
    started: datetime | None = None

    @property
    def lag_s(self) -> float:
        """The replay lag that it keeps now."""
        return 0.0 if self.lag_off else self.replay_lag_s


@dataclass(eq=False)
class Rival:
    """A database mounted a second time, by another cluster of the same DAG: split brain."""

    server: str
    state: Literal["Mounting", "Mounted", "Dismounting", "Dismounted"]
    since: datetime
    until: datetime | None
    """End of `Mounting` or `Dismounting`."""
    first: int
    """Newest log that it began with."""


@dataclass(eq=False)
class Database:
    """A mailbox database."""

    name: str
    guid: UUID
    edb_path: str
    log_path: str
    log_prefix: str
    size: int
    active: str
    """Server with the active copy."""
    copies: Names[Copy]
    stream: LogStream
    dag: str = ""
    circular_logging: bool = False
    mount_at_startup: bool = True
    mailboxes: int = 0
    state: DatabaseState = "Mounted"
    wanted: bool = True
    """Whether Active Manager should have it mounted; a dismount by an administrator makes it False."""
    down_since: datetime | None = None
    """Active Manager saw it go down then."""
    retry_at: datetime | None = None
    state_until: datetime | None = None
    """End of `Mounting` or `Dismounting`."""
    moving_to: str = ""
    """Where it is to be mounted once it is dismounted."""
    move_decision: str = ""
    """Who took the last move's risk of lost logs: the dial, or an administrator."""
    move_skips: tuple[str, ...] = ()
    """Checks that the last move's administrator skipped."""
    mounted_since: datetime | None = None
    moves: list[datetime] = field(default_factory=list[datetime])
    """Moves of the last hour, whoever wanted them."""
    stale_log_info: bool = False
    """Fault `lastlog_stale`."""
    recovery: bool = False
    """A recovery database: made over files that were recovered by hand, in no DAG."""
    kept_down: bool = False
    """Fault `anchor_database_down`: no copy of it can be mounted."""
    rivals: Names[Rival] = field(default_factory=Names[Rival])
    """By name of their server."""
    lost: int = 0
    """Logs lost by the last move; 0: none."""
    few_good_since: datetime | None = None
    """Since then it has fewer good copies for high availability than the lag manager wants."""

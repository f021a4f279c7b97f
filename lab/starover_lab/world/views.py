"""What the world answers to reading cmdlets: one moment's facts, computed; knows no output format of Exchange."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from starover_lab.world.entities import DagObject

__all__ = ["STALE_QUEUE", "CopyView", "DagStatus", "DatabaseView", "NodeView", "Space"]

STALE_QUEUE = 9_223_372_036_854_775_766
"""CopyQueueLength when the cluster's data on the last log is too old."""


@dataclass(frozen=True, kw_only=True)
class Space:
    """A volume at one moment, in bytes."""

    mount: str
    size: int
    free: int


@dataclass(frozen=True, kw_only=True)
class CopyView:
    """One database copy at one moment.

    On the active copy `copied`, `inspected` and `replayed` are 0 and their times None, as Exchange prints them. A time
    is None where the log is older than the memory of the lab.
    """

    database: str
    server: str
    status: str
    active_server: str
    is_active: bool
    preference: int
    activation_suspended: bool
    replication_suspended: bool
    comment: str
    initiator: str
    error_message: str
    error_event_id: int | None
    copy_queue: int
    replay_queue: int
    generated: int
    notified: int
    copied: int
    inspected: int
    replayed: int
    latest_available_time: datetime | None
    notified_time: datetime | None
    copied_time: datetime | None
    inspected_time: datetime | None
    replayed_time: datetime | None
    log_info_stale: bool
    ci_state: str
    replay_lag_s: float
    truncation_lag_s: float
    replay_lag_max_delay_s: float
    lag_off: str
    """Why it keeps no lag although one is configured: `LagDisabled`, `NotEnoughFreeSpace`; empty: it keeps it."""
    actual_lag_s: float
    """Age of the newest replayed log, when replay lag is on or replay stands."""
    seeding_source: bool
    seed_source: str
    """Server it is being seeded from; empty: none."""
    seed_percent: int | None
    seed_bytes: int
    seed_network: str
    """DAG network that the seed goes over; empty: none."""
    network: str
    """DAG network that its logs come in by; empty: none, or no connection."""
    copy_queue_increasing: bool
    replay_queue_increasing: bool
    status_since: datetime | None
    instance_started: datetime | None
    activation_policy: str
    activation_disabled_and_move_now: bool
    is_pam: bool
    pam_known: bool
    database_space: Space | None
    log_space: Space | None
    last_full_backup: datetime | None
    edb_path: str
    log_path: str


@dataclass(frozen=True, kw_only=True)
class DatabaseView:
    """A database at one moment."""

    name: str
    active_server: str
    state: str
    mounted: bool | None
    """None: its server does not answer."""
    size: int
    available_new_mailbox_space: int


@dataclass(frozen=True, kw_only=True)
class NodeView:
    """A cluster node at one moment."""

    name: str
    id: int
    state: str
    node_weight: int
    dynamic_weight: int
    information: Literal["Normal", "Isolated", "Quarantined"] = "Normal"


@dataclass(frozen=True, kw_only=True)
class DagStatus:
    """What `Get-DatabaseAvailabilityGroup -Status` adds to the AD object."""

    dag: DagObject
    dc: str
    """The DC whose replica `dag` is."""
    operational: tuple[str, ...]
    """Members whose node is up."""
    primary_active_manager: str
    """Empty: none just now."""
    in_maintenance: tuple[str, ...]
    """Members whose node is paused or whose activation is blocked for maintenance."""
    witness_share_in_use: str
    """`Primary`, `Alternate`, `None` or `InvalidConfiguration`."""
    witness_failed: bool
    quorum_type: str
    votes_present: int
    votes_total: int

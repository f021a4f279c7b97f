"""`world.copies`: which copies a database has, and what AD knows of them; knows no cmdlet text and ships no log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from starover_lab.world.operations import Operation
from starover_lab.world.state import State

__all__ = ["CopyConfig", "CopySets", "DatabaseConfig"]


@dataclass(frozen=True, kw_only=True)
class CopyConfig:
    """A copy as AD keeps it."""

    server: str
    preference: int
    replay_lag_s: float
    truncation_lag_s: float
    replay_lag_max_delay_s: float


@dataclass(frozen=True, kw_only=True)
class DatabaseConfig:
    """A database as one DC knows it."""

    name: str
    dag: str
    circular_logging: bool
    copies: tuple[CopyConfig, ...]
    """In the order of preference."""


class CopySets:
    """Copies as configuration."""

    def __init__(self, state: State) -> None:
        self._state = state

    def config(self, database: str, asked: str, *, dc: str | None = None) -> DatabaseConfig:
        """What a DC knows of a database's copies: Get-MailboxDatabase's columns. Raises `not_found`, `no_dc`."""
        raise NotImplementedError

    def add(
        self,
        database: str,
        server: str,
        asked: str,
        *,
        preference: int | None = None,
        replay_lag_s: float = 0.0,
        truncation_lag_s: float = 0.0,
        replay_lag_max_delay_s: float = 86_400.0,
        mode: Literal["seed", "postpone", "configuration"] = "seed",
        dc: str | None = None,
    ) -> Operation:
        """Add-MailboxDatabaseCopy. `seed`: it begins at once, and `ends` is when it should be done.

        `postpone`: the copy is Suspended. `configuration`: Initializing, then Failed until it is seeded. Notices:
        `copy_needs_seed`, `restart_store`. Raises `not_found`, `copy_exists`, `not_member`, `too_many`, `not_mounted`,
        `circular_logging`, `invalid` (ActivationPreference, lags), `path_unavailable`, `disk_full`, `files_exist`,
        `no_quorum`, `server_down`, `service_down`, `seed_in_progress`, `no_dc`.
        """
        raise NotImplementedError

    def remove(self, database: str, server: str, asked: str, *, dc: str | None = None) -> Operation:
        """Remove-MailboxDatabaseCopy: files stay, preferences close ranks. Notices: `files_left`.

        Raises `not_found`, `active_copy`, `circular_logging`, `no_quorum`, `seed_in_progress`, `no_dc`.
        """
        raise NotImplementedError

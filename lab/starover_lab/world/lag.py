"""Lagged copies and when they give their delay up; knows no activation.

simulator.md section 6 [doc]: with ReplayLagManagerEnabled a lagged copy replays all it has when its database has fewer
than three good copies for high availability for more than a day, or when space is low. A slow disk puts that off, at
most by ReplayLagMaxDelay.
"""

from __future__ import annotations

from datetime import timedelta

from starover_lab.world.activation import Activation
from starover_lab.world.database_parts import Copy, Database
from starover_lab.world.replication import Replication, is_active
from starover_lab.world.state import State
from starover_lab.world.storage import space, volume_of

__all__ = ["ReplayLag"]

_MB = 1 << 20


class ReplayLag:
    """Plays lagged copies down and lets them lag again."""

    def __init__(self, state: State, replication: Replication, activation: Activation) -> None:
        self._state = state
        self._replication = replication
        self._activation = activation

    def switch(self, database: Database, copy: Copy, *, on: bool) -> None:
        """Resume-MailboxDatabaseCopy -DisableReplayLag gives the delay up, Suspend- -EnableReplayLag wants it back."""
        self._set(database, copy, "" if on else "LagDisabled", "" if on else "administrator")
        self._state.review()

    def review(self) -> None:
        """Let the manager decide for every lagged copy."""
        for database in self._state.databases:
            lagged = [copy for copy in database.copies if copy.replay_lag_s and copy.lag_off_by != "administrator"]
            if lagged:
                managed = self._managed(database)
                self._count(database, managed=managed)
                for copy in lagged:
                    self._decide(database, copy, managed=managed)

    def _managed(self, database: Database) -> bool:
        config = self._activation.dag(database)
        return config is not None and config.replay_lag_manager

    def _count(self, database: Database, *, managed: bool) -> None:
        good = sum(
            1
            for copy in database.copies
            if not copy.replay_lag_s and self._replication.status(database, copy) in ("Healthy", "Mounted", "Mounting")
        )
        if not managed or good >= self._state.tuning.play_down_copies:
            database.few_good_since = None
        elif database.few_good_since is None:
            database.few_good_since = self._state.now
            self._state.poke_after(self._state.tuning.play_down_after_s + 1)

    def _decide(self, database: Database, copy: Copy, *, managed: bool) -> None:
        state = self._state
        if is_active(database, copy) or not managed:
            if copy.lag_off_by == "manager":
                self._set(database, copy, "", "")
            return
        server = state.servers[copy.server]
        room = space(state, server, database.log_path)
        if room is not None and room.free < state.tuning.play_down_free_mb * _MB:
            self._set(database, copy, "NotEnoughFreeSpace", "manager")
            return
        if database.few_good_since is None:
            self._set(database, copy, "", "")
            return
        due = database.few_good_since + timedelta(seconds=state.tuning.play_down_after_s)
        volume = volume_of(server, database.edb_path)
        if volume is not None and volume.latency_ms > state.tuning.slow_disk_ms:
            due += timedelta(seconds=copy.replay_lag_max_delay_s)
        if state.now > due:
            self._set(database, copy, "LagDisabled", "manager")
        else:
            state.poke(due + timedelta(seconds=1))

    def _set(self, database: Database, copy: Copy, why: str, who: str) -> None:
        if copy.lag_off == why and copy.lag_off_by == who:
            return
        self._replication.settle(database, copy)
        match why:
            case "LagDisabled" | "NotEnoughFreeSpace":
                copy.lag_off = why
            case _:
                copy.lag_off = ""
        match who:
            case "administrator" | "manager":
                copy.lag_off_by = who
            case _:
                copy.lag_off_by = ""
        self._state.log.add("replay_lag", f"{database.name}\\{copy.server}", play_down=copy.lag_off, by=who)

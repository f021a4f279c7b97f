"""What Active Manager moves of its own accord: home to the preferred copies, and off servers that are to be emptied.

simulator.md section 6: Exchange 2016 and later look at every PreferenceMoveFrequency whether a database's copy of
preference 1 could have it; `DatabaseCopyActivationDisabledAndMoveNow` is looked at every 30 seconds.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from starover_lab.world.activation import Activation
from starover_lab.world.active_manager import ActiveManager
from starover_lab.world.best_copy import LONG_COPY_QUEUE, LONG_REPLAY_QUEUE, Candidate
from starover_lab.world.database_parts import Database
from starover_lab.world.state import State

__all__ = ["Rebalance"]


class Rebalance:
    """Moves without loss, or not at all."""

    def __init__(self, state: State, activation: Activation, manager: ActiveManager) -> None:
        self._state = state
        self._activation = activation
        self._manager = manager
        self._last: dict[str, datetime] = {}
        """When the databases of a DAG were looked at last."""
        self._due: list[tuple[datetime, Database, str]] = []
        """Moves of the present round still to come: when, what, where to."""
        self._emptied: datetime | None = None

    def review(self) -> None:
        """Look whether it is time."""
        self._empty_servers()
        for name in self._state.dags:
            self._tick(name)
        self._go_on()

    def _empty_servers(self) -> None:
        """Every 30 seconds: off the servers with DisabledAndMoveNow, as long as a good copy is elsewhere."""
        state = self._state
        wanted = [
            database
            for database in state.databases
            if database.state == "Mounted"
            and database.dag
            and (exchange := state.servers[database.active].exchange) is not None
            and exchange.activation_disabled_and_move_now
        ]
        if not wanted:
            self._emptied = None
            return
        if self._emptied is None:
            self._emptied = state.poke_after(state.tuning.move_now_s / 2)
        if state.now < self._emptied:
            return
        self._emptied = state.poke_after(state.tuning.move_now_s)
        for database in wanted:
            self._manager.move_by_itself(database, why="DisabledAndMoveNow")

    def _tick(self, dag: str) -> None:
        state = self._state
        last = self._last.setdefault(dag.casefold(), state.now)
        own = [database for database in state.databases if database.dag.casefold() == dag.casefold()]
        config = next((found for one in own if (found := self._activation.dag(one)) is not None), None)
        if config is None or config.preference_move_frequency_s is None:
            return
        due = last + timedelta(seconds=config.preference_move_frequency_s)
        if state.now < due:
            state.poke(due)
            return
        self._last[dag.casefold()] = state.now
        state.poke_after(config.preference_move_frequency_s)
        at = state.now
        for database in own:
            home = self._home(database)
            if home:
                self._due.append((at, database, home))
                at += timedelta(seconds=state.tuning.rebalance_pause_s)
                state.poke(at)

    def _home(self, database: Database) -> str:
        """The server of preference 1, when the database could go there now; empty: it stays."""
        exchange = self._state.servers[database.active].exchange
        if database.state != "Mounted" or exchange is None or exchange.year == "2013":
            return ""
        first = next((copy for copy in database.copies if copy.preference == 1), None)
        if first is None or first.server.casefold() == database.active.casefold():
            return ""
        one = next(one for one in self._activation.candidates(database) if one.server == first.server)
        return one.server if _welcome(one) else ""

    def _go_on(self) -> None:
        for due in [one for one in self._due if one[0] <= self._state.now]:
            self._due.remove(due)
            _, database, home = due
            if self._home(database) == home:
                self._manager.move_by_itself(database, why="rebalance", only=home)


def _welcome(one: Candidate) -> bool:
    """Whether a database may come home: a good copy with short queues on a server in service."""
    return (
        one.status == "Healthy"
        and not one.obstacle
        and not one.last_resort
        and one.copy_queue < LONG_COPY_QUEUE
        and one.replay_queue < LONG_REPLAY_QUEUE
    )

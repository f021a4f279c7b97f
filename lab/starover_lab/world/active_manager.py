"""Active Manager: mounting, dismounting, switchover and failover; knows no cmdlet and no quorum arithmetic.

Nothing moves without quorum and a Primary Active Manager (the owner of the core group).
"""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta

from starover_lab.world.best_copy import DIAL, Candidate, ranked
from starover_lab.world.dag_objects import find_dag
from starover_lab.world.entities import Copy, Database, Server
from starover_lab.world.errors import WorldError
from starover_lab.world.replication import REPL, Replication
from starover_lab.world.state import State
from starover_lab.world.storage import copy_storage_fails, counters

__all__ = ["STORE", "ActiveManager"]

STORE = "MSExchangeIS"
_RETRY_S = 60.0


class ActiveManager:
    """Keeps the databases mounted that should be."""

    def __init__(self, state: State, replication: Replication) -> None:
        self._state = state
        self._replication = replication

    # -- what administrators do ----------------------------------------------------------------------------------

    def mount(self, database: Database) -> datetime:
        """Mount on the server with the active copy; returns when it should be mounted."""
        if database.state in ("Mounted", "Mounting"):
            raise WorldError("already_mounted", f"{database.name} is mounted", database=database.name)
        server = self._state.servers[database.active]
        self._may_act(database, server)
        database.wanted = True
        until = self._begin_mount(database, server.name)
        self._state.review()
        return until

    def dismount(self, database: Database) -> datetime:
        """Dismount and keep it so; returns when it is dismounted."""
        if database.state not in ("Mounted", "Mounting"):
            raise WorldError("not_mounted", f"{database.name} is not mounted", database=database.name)
        self._may_act(database, self._state.servers[database.active])
        database.wanted = False
        until = self._begin_dismount(database)
        self._state.review()
        return until

    def move(self, database: Database, target: str | None, dial: str) -> datetime:
        """Switch over to `target`, or to the best copy; returns when it should be mounted there."""
        if not database.dag:
            raise WorldError("no_candidate", f"{database.name} is in no DAG", database=database.name, reasons={})
        self._may_act(database, None)
        candidates = self._candidates(database, by_hand=target is not None)
        if target is not None:
            wanted = target.partition(".")[0].casefold()
            chosen = [one for one in candidates if one.server.casefold() == wanted]
            if not chosen:
                raise WorldError("not_found", f"{target} has no passive copy", object="copy", name=target)
            if chosen[0].obstacle:
                raise WorldError("activation_blocked", chosen[0].obstacle, server=target, reason=chosen[0].obstacle)
        else:
            chosen = candidates
        order = ranked(chosen, lossless=target is None and dial == "Lossless")
        if not order:
            reasons: dict[str, str] = {one.server: one.obstacle or one.status for one in chosen}
            raise WorldError(
                "no_candidate",
                f"no copy of {database.name} can be activated",
                database=database.name,
                reasons={**reasons},
            )
        lost = 0 if self._source_gives(database) else order[0].copy_queue
        allowed = DIAL.get(dial)
        if allowed is not None and lost > allowed:
            raise WorldError(
                "too_many_lost_logs", f"{lost} logs would be lost", database=database.name, lost=lost, allowed=allowed
            )
        database.wanted = True
        until = self._begin_move(database, order[0].server, decision=f"administrator: {dial}")
        self._state.review()
        return until

    def evacuate(self, server: Server) -> None:
        """A server shuts down: what is active on it is moved away without loss, where that is possible."""
        for database in self._state.databases:
            if database.active.casefold() == server.name.casefold() and database.state == "Mounted" and database.dag:
                with contextlib.suppress(WorldError):
                    self.move(database, None, "Lossless")

    # -- what follows by itself ----------------------------------------------------------------------------------

    def review(self) -> None:
        """End what is under way, notice what broke, mount what should be mounted."""
        for database in self._state.databases:
            self._finish(database)
            self._notice(database)
            self._restore(database)

    def _finish(self, database: Database) -> None:
        now = self._state.now
        if database.state_until is None or now < database.state_until:
            return
        database.state_until = None
        if database.state == "Mounting":
            database.state = "Mounted"
            database.down_since = database.retry_at = None
            database.mounted_since = now
            database.stream.open(database.active, database.stream.generated(now), now)
            self._state.log.add("database_mounted", database.name, server=database.active)
        elif database.state == "Dismounting":
            database.state = "Dismounted"
            self._state.log.add("database_dismounted", database.name, server=database.active, reason="asked")
            if database.moving_to:
                target, database.moving_to = database.moving_to, ""
                self._switch(database, target)

    def _notice(self, database: Database) -> None:
        """A mounted database whose server, services, storage or cluster are gone is mounted no more."""
        if database.state == "Dismounted":
            return
        trouble = self._trouble(database, self._state.servers[database.active])
        if not trouble:
            return
        now = self._state.now
        database.stream.close(now)
        database.state, database.state_until, database.mounted_since = "Dismounted", None, None
        database.moving_to = ""
        self._state.log.add("database_dismounted", database.name, server=database.active, reason=trouble)
        self._state.again()

    def _restore(self, database: Database) -> None:
        state = self._state
        if database.state != "Dismounted" or not database.wanted or database.moving_to:
            return
        if database.dag and self._pam_missing(database):
            database.down_since = database.retry_at = None
            return
        if database.down_since is None:
            database.down_since = state.now
            wait = state.dice.between(
                state.tuning.failover_min_s, state.tuning.failover_max_s, database.active, f"failover {database.name}"
            )
            database.retry_at = state.poke_after(wait)
            return
        if database.retry_at is None or state.now < database.retry_at:
            return
        database.retry_at = None
        own = state.servers[database.active]
        if not self._trouble(database, own) and not self._dacp_forbids(database, own):
            self._begin_mount(database, own.name)
        elif not (database.dag and self._fail_over(database)):
            database.retry_at = state.poke_after(_RETRY_S)

    def _fail_over(self, database: Database) -> bool:
        state = self._state
        hour_ago = state.now - timedelta(hours=1)
        database.moves = [moment for moment in database.moves if moment > hour_ago]
        if len(database.moves) >= state.tuning.moves_before_suppression:
            state.log.add("move_suppressed", database.name, moves=len(database.moves))
            return False
        gives = self._source_gives(database)
        candidates = self._candidates(database, by_hand=False)
        for one in ranked(candidates):
            lost = 0 if gives else one.copy_queue
            if lost <= DIAL.get(one.dial, 0):
                database.moves.append(state.now)
                self._begin_move(database, one.server, decision=f"dial {one.dial}")
                return True
        state.log.add(
            "failover_failed",
            database.name,
            reasons={one.server: one.obstacle or f"{one.status}, {one.copy_queue} logs missing" for one in candidates},
        )
        return False

    # -- steps ---------------------------------------------------------------------------------------------------

    def _begin_dismount(self, database: Database) -> datetime:
        state = self._state
        database.stream.close(state.now)
        database.state, database.mounted_since = "Dismounting", None
        database.state_until = state.poke_after(state.tuning.dismount_s)
        return database.state_until

    def _begin_mount(self, database: Database, server: str, extra_s: float = 0.0) -> datetime:
        state = self._state
        database.state = "Mounting"
        database.state_until = state.poke_after(state.tuning.mount_s + extra_s)
        state.log.add("database_mounting", database.name, server=server)
        return database.state_until

    def _begin_move(self, database: Database, target: str, *, decision: str) -> datetime:
        state, tuning = self._state, self._state.tuning
        state.log.add("move_started", database.name, source=database.active, target=target, decision=decision)
        database.move_decision = decision
        if database.state in ("Mounted", "Mounting"):
            database.moving_to = target
            ends = self._begin_dismount(database)
            queue = counters(state, database, database.copies[target])
            newest = database.stream.generated(state.now)
            replay = (newest - queue.replayed) / tuning.replay_logs_per_s
            return ends + timedelta(seconds=max(tuning.mount_s, tuning.switchover_s - tuning.dismount_s) + replay)
        return self._switch(database, target)

    def _switch(self, database: Database, target: str) -> datetime:
        """Make another copy the active one, with the logs that can still be had, and mount it."""
        state, tuning = self._state, self._state.tuning
        old, new = database.copies[database.active], database.copies[target]
        newest = database.stream.generated(state.now)
        gives = self._source_gives(database)
        for copy in database.copies:
            self._replication.settle(database, copy)
        if gives:
            new.copied = new.inspected = newest
        start, replayed = new.inspected, new.replayed
        lost = max(newest - start, 0)
        database.active = new.server
        old.running = old.flowing = old.replaying = old.connected = False
        old.phase, old.phase_until = "", None
        if lost:
            self._branch(database, new, start)
            state.log.add("data_loss", database.name, lost=lost, decision=database.move_decision, server=new.server)
        switching = tuning.switchover_s - tuning.dismount_s - tuning.mount_s if gives else 0.0
        ends = self._begin_mount(
            database, new.server, max(switching, 0.0) + (start - replayed) / tuning.replay_logs_per_s
        )
        state.log.add("active_moved", database.name, source=old.server, target=new.server, lost=lost)
        state.again()
        return ends

    def _branch(self, database: Database, new: Copy, start: int) -> None:
        """The stream goes on from `start`: whoever has more than that has diverged."""
        now = self._state.now
        database.stream.branch += 1
        database.stream.open(new.server, start, now)
        database.stream.close(now)
        for copy in database.copies:
            if copy is not new:
                copy.diverged = max(copy.inspected - start, 0)

    # -- conditions ----------------------------------------------------------------------------------------------

    def _candidates(self, database: Database, *, by_hand: bool) -> list[Candidate]:
        state = self._state
        found: list[Candidate] = []
        newest = database.stream.generated(state.now)
        for copy in database.copies:
            if copy.server.casefold() == database.active.casefold():
                continue
            server = state.servers[copy.server]
            exchange = server.exchange
            now = counters(state, database, copy)
            found.append(
                Candidate(
                    server=copy.server,
                    preference=copy.preference,
                    status=self._replication.status(database, copy),
                    ci="NotApplicable" if exchange and exchange.year in ("2019", "SE") else copy.ci_state,
                    copy_queue=max(newest - now.inspected, 0),
                    replay_queue=now.inspected - now.replayed,
                    obstacle=self._obstacle(database, copy, server, by_hand=by_hand),
                    dial=exchange.auto_mount_dial if exchange else "Lossless",
                )
            )
        return found

    def _obstacle(self, database: Database, copy: Copy, server: Server, *, by_hand: bool) -> str:
        exchange = server.exchange
        if copy.activation_suspended:
            return "activation of this copy is suspended"
        if trouble := self._trouble(database, server):
            return trouble
        if self._dacp_forbids(database, server):
            return "the DAC protocol does not allow mounting on this server"
        if exchange is None:
            return "no Exchange server"
        availability = exchange.components.get("HighAvailability")
        if availability and any(state == "Inactive" for state, _ in availability.local.values()):
            return "component HighAvailability is offline"
        if exchange.max_active is not None and self._mounted_on(server) >= exchange.max_active:
            return "the server holds as many active databases as it may"
        if database.stale_log_info and not by_hand:
            return "the last log of the active copy is not known"
        if by_hand:
            return ""
        if exchange.activation_policy == "Blocked" or exchange.activation_disabled_and_move_now:
            return "automatic activation on this server is blocked"
        if exchange.activation_policy == "IntrasiteOnly" and server.site != self._state.servers[database.active].site:
            return "automatic activation is allowed within the site only"
        return ""

    def _mounted_on(self, server: Server) -> int:
        return sum(
            1
            for database in self._state.databases
            if database.active.casefold() == server.name.casefold() and database.state in ("Mounted", "Mounting")
        )

    def _trouble(self, database: Database, server: Server) -> str:
        """Why a database cannot be mounted on that server; empty when it can."""
        state = self._state
        if server.power != "on":
            return "server is down"
        if not state.answers(server):
            return "server does not answer"
        for service in (STORE, REPL):
            if not state.runs(server, service):
                return f"service {service} is not running"
        if database.dag:
            cluster = state.cluster_of(database.dag, server)
            if cluster is None or not cluster.quorate:
                return "the cluster has no quorum"
            node = cluster.nodes.get(server.name)
            if node is None or node.state not in ("Up", "Paused"):
                return "the cluster node is down"
        copy = database.copies.get(server.name)
        return copy_storage_fails(state, database, copy) if copy is not None else "no copy"

    def _dacp_forbids(self, database: Database, server: Server) -> bool:
        if not database.dag or server.exchange is None or server.exchange.dacp_bit:
            return False
        try:
            dc = self._state.directory.closest(server.site)
        except WorldError:
            return True
        dag = find_dag(self._state.directory, dc, database.dag)
        return dag is not None and dag.dac_mode == "DagOnly"

    def _source_gives(self, database: Database) -> bool:
        """Whether the last logs can still be copied from the active copy's server."""
        server = self._state.servers[database.active]
        return self._state.runs(server, REPL) and not copy_storage_fails(
            self._state, database, database.copies[database.active]
        )

    def _pam_missing(self, database: Database) -> bool:
        cluster = self._state.cluster_of(database.dag, self._state.servers[database.active])
        return cluster is None or not cluster.quorate or not cluster.core_owner

    def _may_act(self, database: Database, server: Server | None) -> None:
        """Raise when nobody may mount or move now, or that server cannot."""
        state = self._state
        if database.dag:
            cluster = state.cluster_of(database.dag, state.servers[database.active])
            if cluster is None or not cluster.quorate:
                raise WorldError("no_quorum", "the cluster has no quorum", cluster=database.dag)
            if not cluster.core_owner:
                raise WorldError("no_pam", "there is no Primary Active Manager now", cluster=database.dag)
        if server is None:
            return
        if not state.answers(server):
            raise WorldError(
                "server_down", f"{server.name} is down", blocked_s=state.tuning.rpc_timeout_s, server=server.name
            )
        for service in (STORE, REPL):
            if not state.runs(server, service):
                raise WorldError("service_down", f"{service} does not run", server=server.name, service=service)
        if self._dacp_forbids(database, server):
            raise WorldError("activation_blocked", "DACP bit is 0", server=server.name, reason="dacp")

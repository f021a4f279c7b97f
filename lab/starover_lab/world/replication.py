"""Continuous replication: what each copy does, its status, suspend and resume; knows no cmdlet and no activation.

The status depends on MSExchangeRepl and not on the cluster node (facts/exchange.md point 6); CopyQueueLength goes on
growing as long as the cluster registry can be read (point 7).
"""

from __future__ import annotations

from starover_lab.world.database_parts import Copy, CopyError, Database
from starover_lab.world.divergence import branch_point, diverged_error
from starover_lab.world.entities import Server
from starover_lab.world.errors import WorldError
from starover_lab.world.network_map import shared, still_usable
from starover_lab.world.state import State
from starover_lab.world.storage import copy_storage_fails, counters

__all__ = ["REPL", "Replication"]

REPL = "MSExchangeRepl"
_RECOVERED = (
    "The log file stream of database copy '{copy}' has diverged from the active copy: its database was recovered by "
    "another program. The copy must be seeded again."
)
"""Unverified: nobody has published what a copy says after eseutil /r."""
_UNSEEDED = "The database copy has no files. It needs to be seeded."


def is_active(database: Database, copy: Copy) -> bool:
    """Whether this is the active copy."""
    return copy.server.casefold() == database.active.casefold()


class Replication:
    """Moves all copies along."""

    def __init__(self, state: State) -> None:
        self._state = state

    # -- looking -------------------------------------------------------------------------------------------------

    def status(self, database: Database, copy: Copy) -> str:
        """The copy's status (simulator.md section 2, first match wins)."""
        if not self._state.runs(self._state.servers[copy.server], REPL):
            return "ServiceDown"
        if is_active(database, copy):
            return database.state
        if (rival := database.rivals.get(copy.server)) is not None:
            return rival.state
        if copy.seed is not None:
            return "Seeding"
        if copy.retry_until is not None:
            return "Initializing"
        if copy.error is not None and copy.error.needs_reseed:
            return "FailedAndSuspended"
        if copy.replication_suspended:
            return "Suspended"
        if copy.error is not None or not copy.files_present:
            return "Failed"
        if copy.phase == "initializing":
            return "Initializing"
        if not copy.connected:
            return "DisconnectedAndResynchronizing" if copy.phase else "DisconnectedAndHealthy"
        if copy.phase == "resynchronizing":
            return "Resynchronizing"
        if self.is_seeding_source(database, copy):
            return "SeedingSource"
        return "Healthy"

    def is_seeding_source(self, database: Database, copy: Copy) -> bool:
        """Whether another copy is being seeded from this one."""
        return any(
            other.seed is not None and other.seed.source.casefold() == copy.server.casefold()
            for other in database.copies
        )

    # -- transitions ---------------------------------------------------------------------------------------------

    def suspend(self, database: Database, copy: Copy, *, comment: str, activation_only: bool) -> None:
        """Suspend replication (and with it activation), or activation alone."""
        name = f"{database.name}\\{copy.server}"
        if not activation_only:
            if is_active(database, copy):
                raise WorldError("active_copy", f"{name} is the active copy", copy=name)
            if copy.seed is not None:
                raise WorldError("seed_in_progress", f"{name} is being seeded", copy=name, source=copy.seed.source)
            if copy.replication_suspended:
                raise WorldError("already_suspended", f"{name} is suspended already", copy=name)
            copy.replication_suspended = True
            copy.block_kept = copy.activation_suspended
        copy.activation_suspended = True
        copy.comment = comment
        copy.initiator = "Administrator"
        self._state.log.add(
            "copy_suspended", name, activation_only=activation_only, comment=comment, initiator=copy.initiator
        )
        self._state.review()

    def resume(self, database: Database, copy: Copy, *, replication_only: bool) -> None:
        """Resume replication, and activation too unless `replication_only`."""
        name = f"{database.name}\\{copy.server}"
        if copy.seed is not None:
            raise WorldError("seed_in_progress", f"{name} is being seeded", copy=name, source=copy.seed.source)
        block_lost = copy.replication_suspended and copy.block_kept and not replication_only and copy.replay_lag_s > 0
        copy.replication_suspended = copy.block_kept = False
        if not replication_only:
            copy.activation_suspended = False
        if not copy.activation_suspended:
            copy.comment = ""
        copy.initiator = "Unknown"
        if copy.error is None and not copy.files_present and not is_active(database, copy):
            copy.error = CopyError(_UNSEEDED, 2070, needs_reseed=True)
        if copy.error is not None and copy.error.needs_reseed and not is_active(database, copy):
            copy.retry_until = self._state.poke_after(self._state.tuning.initializing_s)
        self._state.log.add("copy_resumed", name, replication_only=replication_only, block_lost=block_lost)
        self._state.review()

    def fail(self, database: Database, copy: Copy, error: CopyError) -> None:
        """A failure item: by it the service itself suspends a copy that needs a seed (facts/exchange.md point 8)."""
        copy.error = error
        if error.needs_reseed:
            copy.initiator = "Service"
            copy.comment = (
                "The database copy was automatically suspended due to failure item processing having failure item "
                f"tag Reseed. {error.message}"
            )
        self._state.log.add(
            "copy_failed", f"{database.name}\\{copy.server}", error=error.message, needs_reseed=error.needs_reseed
        )
        self._state.review()

    def heal(self, database: Database, copy: Copy) -> None:
        """Take an error away; what the service had suspended because of it runs again."""
        copy.error = None
        copy.retry_until = None
        copy.diverged, copy.diverged_at = 0, None
        if copy.initiator == "Service":
            copy.initiator, copy.comment = "Unknown", ""
        self._state.log.add("copy_healed", f"{database.name}\\{copy.server}")
        self._state.review()

    def settle(self, database: Database, copy: Copy) -> None:
        """Fix the copy's counters as they are now, before its circumstances change."""
        copied, inspected, replayed = counters(self._state, database, copy)
        copy.copied, copy.inspected, copy.replayed = copied, inspected, replayed
        copy.since = self._state.now

    # -- following -----------------------------------------------------------------------------------------------

    def review(self) -> None:
        """Let every copy follow its circumstances."""
        for database in self._state.databases:
            for copy in database.copies:
                self._registry(database, copy)
                if not is_active(database, copy):
                    self._follow(database, copy)
            for copy in database.copies:
                self._record(database, copy)

    def _follow(self, database: Database, copy: Copy) -> None:
        state = self._state
        server, source = state.servers[copy.server], state.servers[database.active]
        if copy.retry_until is not None and state.now >= copy.retry_until:
            copy.retry_until = None
        if not copy.seed:
            self._storage(database, copy)
        connected = state.runs(server, REPL) and state.runs(source, REPL) and state.linked(server, source)
        running = (
            state.runs(server, REPL)
            and copy.server not in database.rivals
            and not copy.replication_suspended
            and copy.error is None
            and copy.seed is None
            and copy.files_present
        )
        if running and not copy.running and copy.recovered:
            self.fail(database, copy, CopyError(_RECOVERED.format(copy=f"{database.name}\\{copy.server}"), 2070, True))
            running = False
        if running and not copy.running:
            copy.logs_away.clear()  # what is missing comes again from the active copy [model]
            copy.checkpoint_away = False
            copy.phase, copy.phase_until = "initializing", state.poke_after(state.tuning.initializing_s)
            copy.started = state.now
        elif not running:
            copy.phase, copy.phase_until = "", None
        elif connected and not copy.connected and not copy.phase:
            copy.phase, copy.phase_until = "resynchronizing", None
        changed_run, copy.running = copy.running is not running, running
        copy_flows = self._phase(database, copy, connected=connected)
        replays = copy.running and not copy.phase
        if copy.flowing is not copy_flows or copy.replaying is not replays or changed_run:
            self.settle(database, copy)
            copy.notified = database.stream.generated(state.now)
        copy.connected, copy.flowing, copy.replaying = connected, copy_flows, replays
        self._network(database, copy, server, source, fresh=changed_run)

    def _network(self, database: Database, copy: Copy, server: Server, source: Server, *, fresh: bool) -> None:
        """A new connection chooses its network; a standing one leaves its own only when that carries nothing more."""
        state = self._state
        if not (copy.running and copy.connected) or not database.dag:
            copy.network = "" if not copy.running else copy.network
            return
        if fresh:
            copy.network = ""
        elif copy.network and copy.networks_seen == state.cards_changed:
            return
        copy.networks_seen = state.cards_changed
        if copy.network and still_usable(state, database.dag, copy.network, source, server):
            return
        before, copy.network = copy.network, shared(state, database.dag, source, server)
        if before:
            state.log.add("copy_network", f"{database.name}\\{copy.server}", was=before, now=copy.network)

    def _phase(self, database: Database, copy: Copy, *, connected: bool) -> bool:
        """Take the start-up phases on; returns whether logs flow."""
        state = self._state
        if not copy.running:
            return False
        if copy.phase == "initializing" and copy.phase_until is not None and state.now >= copy.phase_until:
            copy.phase, copy.phase_until = "resynchronizing", None
        if copy.phase == "resynchronizing":
            if not connected:
                copy.phase_until = None
            elif copy.phase_until is None:
                mends = 0 < copy.diverged <= state.tuning.lost_log_resilience
                seconds = state.tuning.divergence_mend_s if mends else state.tuning.resynchronizing_s
                copy.phase_until = state.poke_after(seconds)
            elif state.now >= copy.phase_until:
                copy.phase, copy.phase_until = "", None
                if not self._same_branch(database, copy):
                    return False
        return connected and not copy.phase

    def _same_branch(self, database: Database, copy: Copy) -> bool:
        """Compare the copy's logs with the active's: mend a small divergence, fail at a large one."""
        if copy.diverged > self._state.tuning.lost_log_resilience:
            copy.running = False
            self.fail(database, copy, diverged_error(database, copy))
            return False
        if copy.diverged:
            logs, copy.copied = copy.diverged, branch_point(copy)
            copy.inspected = copy.copied
            copy.replayed = min(copy.replayed, copy.copied)
            copy.since = self._state.now
            copy.diverged, copy.diverged_at = 0, None
            self._state.log.add("divergence_mended", f"{database.name}\\{copy.server}", logs=logs)
        copy.branch = database.stream.branch
        return True

    def _storage(self, database: Database, copy: Copy) -> None:
        trouble = copy_storage_fails(self._state, database, copy)
        if trouble and copy.error is None and not copy.replication_suspended:
            copy.error = CopyError(trouble, 2137, needs_reseed=False, cause="storage")
        elif not trouble and copy.error is not None and copy.error.cause == "storage":
            copy.error = None

    def _registry(self, database: Database, copy: Copy) -> None:
        """While the node cannot read the cluster registry, it keeps the newest log it read last."""
        own = self._state.servers[copy.server]
        cluster = self._state.cluster_of(database.dag, own) if database.dag else None
        if cluster is None:
            return
        node = cluster.nodes.get(copy.server)
        readable = cluster.quorate and node is not None and node.serves
        if readable:
            copy.registry_generation = None
        elif copy.registry_generation is None:
            copy.registry_generation = database.stream.generated(self._state.now)

    def _record(self, database: Database, copy: Copy) -> None:
        status = self.status(database, copy)
        if status == copy.status:
            return
        before, copy.status, copy.status_since = copy.status, status, self._state.now
        if before:
            self._state.log.add("copy_status", f"{database.name}\\{copy.server}", was=before, now=status)

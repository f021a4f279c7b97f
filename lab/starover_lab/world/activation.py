"""Who may mount a database now, and which copies could take over: the facts that Active Manager decides on.

Changes nothing. simulator.md section 6, facts/exchange.md points 6 and 14.
"""

from __future__ import annotations

from starover_lab.world.best_copy import Candidate
from starover_lab.world.component_health import compared
from starover_lab.world.dag_objects import find_dag
from starover_lab.world.database_files import newest_whole, of_file, required
from starover_lab.world.database_parts import Copy, Database
from starover_lab.world.entities import Cluster, DagObject, ExchangeServer, Server
from starover_lab.world.errors import WorldError
from starover_lab.world.replication import REPL, Replication
from starover_lab.world.state import State, first_label
from starover_lab.world.storage import copy_storage_fails, counters, log_volume_fails

__all__ = ["STORE", "Activation"]

STORE = "MSExchangeIS"


class Activation:
    """Looks; Active Manager acts."""

    def __init__(self, state: State, replication: Replication) -> None:
        self._state = state
        self._replication = replication

    # -- servers -------------------------------------------------------------------------------------------------

    def trouble(self, database: Database, server: Server, *, mounted: bool = False) -> str:
        """Why a database cannot be mounted on that server; empty when it can.

        `mounted`: why it cannot stay so. An isolated node is up for its roles until the cluster gives it up
        (simulator.md section 3).
        """
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
            isolated = mounted and node is not None and node.isolated_since is not None
            if node is None or not (node.serves or isolated):
                return "the cluster node is down"
        if database.kept_down:
            return "the database cannot be mounted"
        if database.recovery and not mounted and (why := _file_fails(database, server)):
            return why
        copy = database.copies.get(server.name)
        return copy_storage_fails(state, database, copy) if copy is not None else "no copy"

    def consent(self, database: Database, server: Server) -> str:
        """Why the DAG does not let that server mount: `dacp`, `stopped`; empty when it does.

        A server that reaches no DC does not know its DAG: then a bit of 0 forbids.
        """
        if not database.dag or server.exchange is None:
            return ""
        try:
            dc = self._state.directory.closest(server.site)
        except WorldError:
            return "" if server.exchange.dacp_bit else "dacp"
        dag = find_dag(self._state.directory, dc, database.dag)
        if dag is None or dag.dac_mode != "DagOnly":
            return ""
        if server.fqdn.casefold() in (name.casefold() for name in dag.stopped):
            return "stopped"
        return "" if server.exchange.dacp_bit else "dacp"

    def actives_on(self, server: Server) -> int:
        """How many databases are mounted or being mounted there."""
        return sum(
            1
            for database in self._state.databases
            if database.active.casefold() == server.name.casefold() and database.state in ("Mounted", "Mounting")
        )

    def full(self, server: Server) -> int | None:
        """The number of active databases that the server may hold, when it holds as many."""
        limit = server.exchange.max_active if server.exchange is not None else None
        return limit if limit is not None and self.actives_on(server) >= limit else None

    # -- who decides ---------------------------------------------------------------------------------------------

    def cluster(self, database: Database) -> Cluster | None:
        """The cluster whose Active Manager has the database."""
        return self._state.acting_cluster(database.dag, self._state.servers[database.active]) if database.dag else None

    def pam_missing(self, database: Database) -> bool:
        """Whether nobody may act: no quorum, or no Primary Active Manager."""
        cluster = self.cluster(database)
        return cluster is None or not cluster.quorate or not cluster.core_owner

    def dag(self, database: Database) -> DagObject | None:
        """The DAG's configuration as the Primary Active Manager's DC has it; None when it reaches none."""
        cluster = self.cluster(database)
        if cluster is None or not cluster.core_owner:
            return None
        try:
            dc = self._state.directory.closest(self._state.servers[cluster.core_owner].site)
        except WorldError:
            return None
        return find_dag(self._state.directory, dc, database.dag)

    def may_act(self, database: Database, server: Server | None) -> None:
        """Raise when nobody may mount or move now, or that server cannot.

        `no_quorum`, `no_pam`, `server_down`, `service_down`, `not_on_lists`, `dac_not_agreed`, `mount_failed`.
        """
        state = self._state
        if database.dag:
            cluster = self.cluster(database)
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
        reason = self.consent(database, server)
        if reason:
            raise self.refusal(reason, database, server)
        trouble = self.trouble(database, server)
        if trouble:
            raise WorldError("mount_failed", trouble, database=database.name, server=server.name, fqdn=server.fqdn)

    def refusal(self, consent: str, database: Database, server: Server) -> WorldError:
        """The error for what `consent` says."""
        if consent == "stopped":
            return WorldError(
                "not_on_lists", f"{server.name} is a stopped server", server=server.name, fqdn=server.fqdn,
                database=database.name,
            )  # fmt: skip
        return WorldError(
            "dac_not_agreed", "DACP bit is 0", server=server.name, fqdn=server.fqdn, database=database.name
        )

    # -- copies --------------------------------------------------------------------------------------------------

    def gives(self, database: Database, target: Server) -> bool:
        """Whether the last logs can still be copied from the active copy's server to `target`."""
        source = self._state.servers[database.active]
        return (
            self._state.runs(source, REPL)
            and self._state.linked(source, target)
            and not log_volume_fails(database, source)
        )

    def lost(self, database: Database, copy: Copy) -> int:
        """Logs of the stream that are lost if this copy is mounted now."""
        if not copy.diverged and self.gives(database, self._state.servers[copy.server]):
            return 0
        now = counters(self._state, database, copy)
        has = newest_whole(self._state, database, copy) if copy.logs_away else now.inspected
        return max(database.stream.generated(self._state.now) - (has - copy.diverged), 0)

    def candidates(self, database: Database) -> list[Candidate]:
        """All passive copies as Active Manager sees them."""
        state = self._state
        newest = database.stream.generated(state.now)
        usable = database.state in ("Mounted", "Mounting", "Dismounting")
        source = state.servers[database.active]
        dag = self.dag(database)
        found: list[Candidate] = []
        for copy in database.copies:
            if copy.server.casefold() == database.active.casefold():
                continue
            server = state.servers[copy.server]
            exchange = server.exchange
            if exchange is None:
                continue
            now = counters(state, database, copy)
            gone = self._gone(database, server) or self._lacks(database, copy)
            found.append(
                Candidate(
                    server=copy.server,
                    preference=copy.preference,
                    status=self._replication.status(database, copy),
                    ci="NotApplicable" if exchange.year in ("2019", "SE") else copy.ci_state,
                    copy_queue=max(newest - now.inspected, 0),
                    replay_queue=now.inspected - now.replayed,
                    gone=gone,
                    consent=self._consent(dag, database, server),
                    suspended=copy.activation_suspended,
                    lagged=copy.replay_lag_s > 0,
                    offline=_offline(exchange),
                    full=self.full(server),
                    policy=self._policy(database, server, exchange, source),
                    last_resort=self._last_resort(server, exchange),
                    health=compared(state, server, source if usable else None),
                    lost=self.lost(database, copy),
                    dial=exchange.auto_mount_dial,
                )
            )
        return found

    def _gone(self, database: Database, server: Server) -> str:
        trouble = self.trouble(database, server)
        if trouble or not database.dag:
            return trouble
        cluster = self.cluster(database)
        if cluster is None or self._state.cluster_of(database.dag, server) is not cluster:
            return "the server is in another cluster"
        pam = self._state.servers.get(cluster.core_owner) if cluster.core_owner else None
        if pam is not None and not self._state.reaches(pam, server):
            return "the Primary Active Manager does not reach the server"
        return ""

    def _lacks(self, database: Database, copy: Copy) -> str:
        """What of its files a copy lacks that it cannot be mounted without; empty: nothing."""
        if not copy.files_present:
            return "the copy has no files"
        _, high = required(self._state, database, copy)
        if copy.logs_away and newest_whole(self._state, database, copy) < high:
            return "a log file that the database requires is missing"
        return ""

    def _consent(self, dag: DagObject | None, database: Database, server: Server) -> str:
        """As `consent`, and what the Primary Active Manager's own DC says."""
        stopped = () if dag is None or dag.dac_mode != "DagOnly" else dag.stopped
        if server.name.casefold() in (first_label(name).casefold() for name in stopped):
            return "stopped"
        return self.consent(database, server)

    def _policy(self, database: Database, server: Server, exchange: ExchangeServer, source: Server) -> str:
        if database.stale_log_info:
            return "the last log of the active copy is not known"
        if exchange.activation_policy == "Blocked":
            return "automatic activation on this server is blocked"
        if exchange.activation_policy == "IntrasiteOnly" and server.site != source.site:
            return "automatic activation is allowed within the site only"
        cluster = self._state.cluster_of(database.dag, server) if database.dag else None
        node = cluster.nodes.get(server.name) if cluster is not None else None
        return "the cluster node is paused" if node is not None and node.state == "Paused" else ""

    def _last_resort(self, server: Server, exchange: ExchangeServer) -> bool:
        limit = exchange.max_preferred_active
        return exchange.activation_disabled_and_move_now or (limit is not None and self.actives_on(server) >= limit)


def _file_fails(database: Database, server: Server) -> str:
    """Why the file that a recovery database was made over cannot be mounted; empty: it was closed cleanly [doc]."""
    entry = server.files.get(database.edb_path)
    if entry is None or entry.folder:
        return "the database file is missing"
    found = of_file(entry)
    if found is None:
        return "the file is no database"
    return "" if found.clean else "the database file is in a dirty shutdown state"


def _offline(exchange: ExchangeServer) -> bool:
    """Whether component HighAvailability is offline, whatever is printed of it (facts/exchange.md point 14)."""
    wishes = [
        state
        for name in ("HighAvailability", "ServerWideOffline")
        if (component := exchange.components.get(name)) is not None
        for state, _ in [*component.local.values(), *component.remote.values()]
    ]
    return exchange.ha_offline or "Inactive" in wishes

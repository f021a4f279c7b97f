"""The facts of one moment for reading cmdlets: copies, databases, DAGs, nodes; changes nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from starover_lab.world.cluster import CLUSSVC
from starover_lab.world.database_parts import Copy, Database
from starover_lab.world.entities import Cluster, Component, DagObject, Server
from starover_lab.world.errors import WorldError
from starover_lab.world.replication import REPL, Replication, is_active
from starover_lab.world.seeding import Seeding
from starover_lab.world.split_brain import rival_of
from starover_lab.world.state import State, first_label
from starover_lab.world.storage import counters, last_backup, space
from starover_lab.world.views import STALE_QUEUE, CopyView, DagStatus, DatabaseView, NodeView

__all__ = ["Reading"]


class Reading:
    """Computes views."""

    def __init__(self, state: State, replication: Replication, seeding: Seeding) -> None:
        self._state = state
        self._replication = replication
        self._seeding = seeding

    def copy(self, database: Database, copy: Copy, asked: Server) -> CopyView:
        """A copy as the replication service on its server tells it to `asked`."""
        state = self._state
        server = state.servers[copy.server]
        told = state.reaches(asked, server) and state.runs(server, REPL)
        active = is_active(database, copy) or copy.server in database.rivals
        if not told:
            return self._silent(database, copy, server, active=active)
        status = self._replication.status(database, copy)
        newest = database.stream.generated(state.now)
        now = counters(state, database, copy)
        generated = newest if copy.registry_generation is None else copy.registry_generation
        notified = newest if active or copy.flowing else copy.notified
        queue = 0 if active else max(generated - now.inspected, 0)
        if database.stale_log_info and not active:
            queue = STALE_QUEUE
        exchange = server.exchange
        cluster = state.cluster_of(database.dag, server) if database.dag else None
        owner = cluster.core_owner if cluster is not None and cluster.quorate else ""
        growing = database.state == "Mounted" and not active and not copy.flowing
        seed = copy.seed
        replayed_at = self._time(database, copy, now.replayed)
        lagging = copy.replay_lag_s > 0 or not copy.replaying
        is_modern = exchange is not None and exchange.year in ("2019", "SE")
        return CopyView(
            database=database.name,
            server=copy.server,
            status=status,
            active_server=copy.server if active else self._active_for(database, asked),
            is_active=active,
            preference=copy.preference,
            activation_suspended=copy.activation_suspended,
            replication_suspended=copy.replication_suspended,
            comment=copy.comment,
            initiator=copy.initiator,
            error_message=copy.error.message if copy.error is not None else "",
            error_event_id=copy.error.event_id if copy.error is not None else None,
            copy_queue=queue,
            replay_queue=0 if active else now.inspected - now.replayed,
            generated=generated,
            notified=notified,
            copied=0 if active else now.copied,
            inspected=0 if active else now.inspected,
            replayed=0 if active else now.replayed,
            latest_available_time=None if active else self._time(database, copy, notified),
            notified_time=self._time(database, copy, notified),
            copied_time=None if active else self._time(database, copy, now.copied),
            inspected_time=None if active else self._time(database, copy, now.inspected),
            replayed_time=None if active else replayed_at,
            log_info_stale=database.stale_log_info,
            ci_state="NotApplicable" if is_modern else copy.ci_state,
            replay_lag_s=copy.replay_lag_s,
            truncation_lag_s=copy.truncation_lag_s,
            replay_lag_max_delay_s=copy.replay_lag_max_delay_s,
            lag_off=copy.lag_off,
            actual_lag_s=(state.now - replayed_at).total_seconds() if lagging and replayed_at and not active else 0.0,
            seeding_source=self._replication.is_seeding_source(database, copy),
            seed_source=seed.source if seed is not None else "",
            seed_percent=int(100 * self._seeding.done(seed) / max(seed.total, 1)) if seed is not None else None,
            seed_bytes=int(self._seeding.done(seed)) if seed is not None else 0,
            seed_network=seed.network if seed is not None else "",
            network=copy.network if copy.connected and copy.running and not active else "",
            copy_queue_increasing=growing,
            replay_queue_increasing=not active and copy.flowing and not copy.replaying,
            status_since=copy.status_since,
            instance_started=copy.started,
            activation_policy=exchange.activation_policy if exchange is not None else "",
            activation_disabled_and_move_now=exchange is not None and exchange.activation_disabled_and_move_now,
            is_pam=owner.casefold() == copy.server.casefold(),
            pam_known=bool(owner),
            database_space=space(state, server, database.edb_path),
            log_space=space(state, server, database.log_path),
            last_full_backup=None if database.circular_logging else last_backup(state.now),
            edb_path=database.edb_path,
            log_path=database.log_path,
        )

    def database(self, database: Database, asked: Server) -> DatabaseView:
        """A database as `-Status` shows it: Mounted is unknown when its server does not answer."""
        active = self._active_for(database, asked)
        server, rival = self._state.servers[active], database.rivals.get(active)
        now = rival.state if rival is not None else database.state
        told = self._state.reaches(asked, server) and self._state.runs(server, REPL)
        return DatabaseView(
            name=database.name,
            active_server=active,
            state=now if told else "Unknown",
            mounted=now == "Mounted" if told else None,
            size=database.size,
            available_new_mailbox_space=database.size // 20,
        )

    def _active_for(self, database: Database, asked: Server) -> str:
        """The server with the active copy as the cluster of `asked` has it: in a split brain each side has its own."""
        rival = rival_of(self._state, database, asked)
        return rival.server if rival is not None else database.active

    def dag_status(self, dag: DagObject, dc: str, asked: Server) -> DagStatus:
        """A DAG with what its cluster knows. Raises `no_quorum`, `server_down`."""
        state = self._state
        cluster = state.cluster_of(dag.name, asked)
        if cluster is None:
            return _empty(dag, dc)
        members = [state.servers[node.server] for node in cluster.nodes]
        if not any(state.reaches(asked, server) for server in members):
            raise WorldError(
                "server_down",
                f"no member of {dag.name} answers",
                blocked_s=state.tuning.rpc_timeout_s,
                server=members[0].name,
            )
        if not cluster.quorate:
            raise WorldError("no_quorum", f"the cluster {cluster.name} has no quorum", cluster=cluster.name)
        ups = [node for node in cluster.nodes if node.serves]
        return DagStatus(
            dag=dag,
            dc=dc,
            operational=tuple(node.server for node in ups),
            primary_active_manager=cluster.core_owner,
            in_maintenance=tuple(
                node.server for node in cluster.nodes if node.state == "Paused" or self._in_maintenance(node.server)
            ),
            witness_share_in_use=self._witness_in_use(cluster, dag),
            witness_failed=cluster.votes.witness and not cluster.votes.witness_online,
            quorum_type=cluster.quorum_type,
            votes_present=cluster.votes.present,
            votes_total=cluster.votes.total,
        )

    def cluster(self, asked: Server) -> Cluster:
        """The cluster that a server is a node of, as the cluster service there tells it."""
        cluster = self._state.cluster_on(asked)
        node = cluster.nodes.get(asked.name) if cluster is not None else None
        if cluster is None or node is None:
            raise WorldError("not_found", f"{asked.name} is no cluster node", object="cluster", name=asked.name)
        if not self._state.runs(asked, CLUSSVC):
            raise WorldError(
                "service_down", f"{CLUSSVC} is not running on {asked.name}", server=asked.name, service=CLUSSVC
            )
        if not cluster.quorate or not node.serves:
            raise WorldError("no_quorum", f"the cluster {cluster.name} has no quorum", cluster=cluster.name)
        return cluster

    def nodes(self, cluster: Cluster) -> list[NodeView]:
        """The nodes by id."""
        return [
            NodeView(
                name=node.server,
                id=node.id,
                state=node.state,
                node_weight=cluster.votes.weights.get(node.id, 1),
                dynamic_weight=cluster.votes.votes.get(node.id, 0),
                information=node.information,
            )
            for node in sorted(cluster.nodes, key=lambda node: node.id)
        ]

    def _in_maintenance(self, name: str) -> bool:
        exchange = self._state.servers[name].exchange
        return exchange is not None and exchange.activation_policy == "Blocked"

    def _witness_in_use(self, cluster: Cluster, dag: DagObject) -> str:
        if not cluster.votes.witness:
            return "None"
        if not cluster.votes.witness_online:
            return "InvalidConfiguration"
        primary = first_label(dag.witness_server).casefold() == cluster.witness_server.casefold()
        return "Primary" if primary else "Alternate"

    def _silent(self, database: Database, copy: Copy, server: Server, *, active: bool) -> CopyView:
        """What is left when the copy's server does not tell: what AD has; the rest is zero, empty and unknown."""
        exchange = server.exchange
        return CopyView(
            database=database.name,
            server=copy.server,
            status="ServiceDown",
            active_server=database.active,
            is_active=active,
            preference=copy.preference,
            activation_suspended=False,
            replication_suspended=False,
            comment="",
            initiator="Unknown",
            error_message=f"The Microsoft Exchange Replication service doesn't answer on server {server.fqdn}.",
            error_event_id=None,
            copy_queue=0,
            replay_queue=0,
            generated=0,
            notified=0,
            copied=0,
            inspected=0,
            replayed=0,
            latest_available_time=None,
            notified_time=None,
            copied_time=None,
            inspected_time=None,
            replayed_time=None,
            log_info_stale=False,
            ci_state="Unknown",
            replay_lag_s=copy.replay_lag_s,
            truncation_lag_s=copy.truncation_lag_s,
            replay_lag_max_delay_s=copy.replay_lag_max_delay_s,
            lag_off=copy.lag_off,
            actual_lag_s=0.0,
            seeding_source=False,
            seed_source="",
            seed_percent=None,
            seed_bytes=0,
            seed_network="",
            network="",
            copy_queue_increasing=False,
            replay_queue_increasing=False,
            status_since=copy.status_since,
            instance_started=None,
            activation_policy=exchange.activation_policy if exchange is not None else "",
            activation_disabled_and_move_now=exchange is not None and exchange.activation_disabled_and_move_now,
            is_pam=False,
            pam_known=False,
            database_space=None,
            log_space=None,
            last_full_backup=None,
            edb_path=database.edb_path,
            log_path=database.log_path,
        )

    def _time(self, database: Database, copy: Copy, generation: int) -> datetime | None:
        return (
            database.stream.time_of(generation, copy.branch if copy.diverged else None) if copy.files_present else None
        )


def effective_state(component: Component, *, server_wide_offline: bool) -> Literal["Active", "Inactive", "Draining"]:
    """A component's state from all its requesters: Inactive before Draining before Active."""
    if component.always_inactive:
        return "Inactive"
    if server_wide_offline and component.name not in ("Monitoring", "RecoveryActionsEnabled"):
        return "Inactive"
    wishes = {state for state, _ in [*component.local.values(), *component.remote.values()]}
    if "Inactive" in wishes:
        return "Inactive"
    return "Draining" if "Draining" in wishes else "Active"


def _empty(dag: DagObject, dc: str) -> DagStatus:
    return DagStatus(
        dag=dag,
        dc=dc,
        operational=(),
        primary_active_manager="",
        in_maintenance=(),
        witness_share_in_use="None",
        witness_failed=False,
        quorum_type="NodeMajority",
        votes_present=0,
        votes_total=0,
    )

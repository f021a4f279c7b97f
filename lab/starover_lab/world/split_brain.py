"""Databases that a second cluster of the same DAG mounts while the first has them: what DAC mode is there to prevent.

A cluster that stood alone remembers where its databases were active (simulator.md section 3); with quorum and a Primary
Active Manager of its own it mounts them there again, unless the DAC protocol forbids (section 7). What it writes then
is its own: the copy has diverged when the rival ends. Knows no cmdlet.
"""

from __future__ import annotations

from datetime import datetime

from starover_lab.world.activation import Activation
from starover_lab.world.database_parts import Database, Rival
from starover_lab.world.entities import Cluster, Server
from starover_lab.world.errors import WorldError
from starover_lab.world.replication import Replication
from starover_lab.world.state import State

__all__ = ["SplitBrain", "rival_of"]


def rival_of(state: State, database: Database, asked: Server) -> Rival | None:
    """The second mount of a database that the cluster of `asked` has for its own; None: it has the first, or none."""
    mine = state.cluster_of(database.dag, asked)
    sides = ((one, state.cluster_of(database.dag, state.servers[one.server])) for one in database.rivals)
    return next((one for one, side in sides if side is mine), None)


class SplitBrain:
    """Mounts what the other side has mounted already, as the real thing would."""

    def __init__(self, state: State, replication: Replication, activation: Activation) -> None:
        self._state = state
        self._replication = replication
        self._activation = activation

    def review(self) -> None:
        """Let each cluster that stands beside the one that has a database do as it would."""
        if len(self._state.clusters) < 2:
            return
        for database in self._state.databases:
            if not database.dag:
                continue
            own = self._activation.cluster(database)
            for rival in database.rivals:
                self._follow(database, rival, own)
            if database.state not in ("Mounted", "Mounting") or not database.wanted:
                continue
            for cluster in self._state.clusters:
                beside = cluster is not own and cluster.name.casefold() == database.dag.casefold()
                if beside and cluster.quorate and cluster.core_owner:
                    self._mount(database, cluster)

    def dismount(self, database: Database, rival: Rival) -> datetime:
        """An administrator dismounts what his side has mounted; it stays so. Returns when it is dismounted."""
        state = self._state
        if rival.state not in ("Mounting", "Mounted"):
            raise WorldError("not_mounted", f"{database.name} is not mounted", database=database.name)
        self._keep(database, rival)
        rival.state, rival.until = "Dismounting", state.poke_after(state.tuning.dismount_s)
        state.log.add("rival_dismounting", database.name, server=rival.server, beside=database.active)
        state.review()
        return rival.until

    def _mount(self, database: Database, cluster: Cluster) -> None:
        state = self._state
        if any(state.cluster_of(database.dag, state.servers[one.server]) is cluster for one in database.rivals):
            return
        remembered = cluster.actives.get(database.name, database.active)
        places = sorted(database.copies, key=lambda copy: (copy.server != remembered, copy.preference))
        for copy in places:
            server = state.servers[copy.server]
            if state.cluster_of(database.dag, server) is not cluster or copy.server == database.active:
                continue
            if copy.files_present and not copy.activation_suspended and self._able(database, server):
                self._replication.settle(database, copy)
                until = state.poke_after(state.tuning.failover_max_s + state.tuning.mount_s)
                database.rivals.add(
                    copy.server, Rival(copy.server, "Mounting", since=until, until=until, first=copy.inspected)
                )
                state.log.add("rival_mounting", database.name, server=copy.server, beside=database.active)
                state.again()
                return

    def _able(self, database: Database, server: Server) -> bool:
        return not (self._activation.trouble(database, server) or self._activation.consent(database, server))

    def _follow(self, database: Database, rival: Rival, own: Cluster | None) -> None:
        state = self._state
        server = state.servers[rival.server]
        cluster = state.cluster_of(database.dag, server)
        if cluster is own or not self._able(database, server):
            self._end(database, rival)
        elif rival.until is not None and state.now >= rival.until:
            mounting = rival.state == "Mounting"
            rival.state, rival.until = "Mounted" if mounting else "Dismounted", None
            kind = "rival_mounted" if mounting else "rival_dismounted"
            state.log.add(kind, database.name, server=rival.server, beside=database.active)

    def _end(self, database: Database, rival: Rival) -> None:
        """The other side has it no more."""
        database.rivals.discard(rival.server)
        if rival.state in ("Mounting", "Mounted"):
            self._keep(database, rival)
        self._state.again()

    def _keep(self, database: Database, rival: Rival) -> None:
        """The rival is mounted no more: what it wrote is its own."""
        state = self._state
        written = int(database.stream.rate.logs(rival.since, state.now)) if rival.state == "Mounted" else 0
        copy = database.copies.get(rival.server)
        if copy is None:
            return
        copy.copied = copy.inspected = copy.replayed = rival.first + written
        copy.since = state.now
        if written:
            copy.diverged += written
            copy.diverged_at = state.now
        state.log.add("rival_ended", database.name, server=rival.server, logs=written)

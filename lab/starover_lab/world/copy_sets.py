"""`world.copies`: which copies a database has, and what AD knows of them; knows no cmdlet text and ships no log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from starover_lab.world.ad_objects import ActiveDirectory
from starover_lab.world.database_parts import Copy, Database
from starover_lab.world.directory import DomainController
from starover_lab.world.entities import Server
from starover_lab.world.errors import WorldError
from starover_lab.world.operations import Operation
from starover_lab.world.replication import REPL, is_active
from starover_lab.world.seeding import Seeding
from starover_lab.world.state import State
from starover_lab.world.storage import space, volume_of

__all__ = ["CopyConfig", "CopySets", "DatabaseConfig", "config_of", "database_key"]

_MOST_COPIES = 16
_MOST_LAG_S = 14 * 86_400.0


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


def database_key(name: str) -> str:
    """Where the directory keeps a database."""
    return f"database:{name.casefold()}"


def config_of(database: Database) -> DatabaseConfig:
    """What AD keeps of a database."""
    copies = sorted(database.copies, key=lambda copy: copy.preference)
    return DatabaseConfig(
        name=database.name,
        dag=database.dag,
        circular_logging=database.circular_logging,
        copies=tuple(
            CopyConfig(
                server=copy.server,
                preference=copy.preference,
                replay_lag_s=copy.replay_lag_s,
                truncation_lag_s=copy.truncation_lag_s,
                replay_lag_max_delay_s=copy.replay_lag_max_delay_s,
            )
            for copy in copies
        ),
    )


class CopySets:
    """Copies as configuration."""

    def __init__(self, state: State, ad: ActiveDirectory, seeding: Seeding) -> None:
        self._state = state
        self._ad = ad
        self._seeding = seeding

    def config(self, database: str, asked: str, *, dc: str | None = None) -> DatabaseConfig:
        """What a DC knows of a database's copies: Get-MailboxDatabase's columns. Raises `not_found`, `no_dc`."""
        target = self._ad.dc(asked, dc)
        found = self._state.directory.read(target, database_key(database), DatabaseConfig)
        if found is None:
            raise WorldError(
                "not_found", f"there is no database {database}", object="database", name=database, dc=target.name
            )
        return found

    def publish(self, database: Database, dc: DomainController) -> None:
        """Write what a database has become to AD, by way of one DC."""
        if self._state.directory.read(dc, database_key(database.name), DatabaseConfig) != config_of(database):
            self._state.directory.write(dc, database_key(database.name), config_of(database))

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
        state, target = self._state, self._ad.dc(asked, dc)
        found, host = state.database(database), state.server(server)
        name = f"{found.name}\\{host.name}"
        count = len(found.copies)
        self._may_add(found, host, state.server(asked), name)
        place = count + 1 if preference is None else preference
        if not 1 <= place <= count + 1:
            raise WorldError(
                "invalid",
                f"the activation preference must be 1 to {count + 1}",
                parameter="ActivationPreference",
                value=place,
                allowed=f"1-{count + 1}",
            )
        for parameter, value in (("ReplayLagTime", replay_lag_s), ("TruncationLagTime", truncation_lag_s)):
            if not 0 <= value <= _MOST_LAG_S:
                raise WorldError(
                    "invalid",
                    f"{parameter} is at most 14 days",
                    parameter=parameter,
                    value=value,
                    allowed="14.00:00:00",
                )
        left_over = host.files.exists(found.edb_path)
        if mode == "seed":
            self._may_seed(found, host, name, left_over=left_over)
        for one in found.copies:
            one.preference += one.preference >= place
        newest = found.stream.generated(state.now)
        copy = Copy(
            host.name,
            place,
            replay_lag_s=replay_lag_s,
            truncation_lag_s=truncation_lag_s,
            replay_lag_max_delay_s=replay_lag_max_delay_s,
            replication_suspended=mode != "configuration",
            activation_suspended=mode != "configuration",
            files_present=False,
            left_over=left_over,
            running=False,
            flowing=False,
            replaying=False,
            connected=False,
            since=state.now,
            copied=0,
            inspected=0,
            replayed=0,
            held_from=newest,
            notified=newest,
            ci_state="Suspended",
        )
        if left_over:
            key = (found.name.casefold(), host.name.casefold())
            copy.diverged, copy.diverged_at = state.left_diverged.pop(key, (0, None))
        if mode == "configuration":
            copy.retry_until = state.poke_after(state.tuning.initializing_s)
        found.copies.add(host.name, copy)
        host.files.make_folder(found.edb_path.rpartition("\\")[0])
        host.files.make_folder(found.log_path)
        self.publish(found, target)
        state.log.add("copy_added", name, preference=place, mode=mode, dc=target.name)
        operation = Operation(state.now)
        if mode == "seed":
            operation.ends = self._seeding.begin(found, copy)
        else:
            operation.warn("copy_needs_seed", f"{name} needs to be seeded", copy=name, server=host.name)
        operation.warn("restart_store", f"restart MSExchangeIS on {host.name}", server=host.name)
        state.review()
        return operation

    def remove(self, database: str, server: str, asked: str, *, dc: str | None = None) -> Operation:
        """Remove-MailboxDatabaseCopy: files stay, preferences close ranks. Notices: `files_left`.

        Raises `not_found`, `active_copy`, `circular_logging`, `no_quorum`, `seed_in_progress`, `no_dc`.
        """
        state, target = self._state, self._ad.dc(asked, dc)
        found, host = state.database(database), state.server(server)
        name = f"{found.name}\\{host.name}"
        copy = found.copies.get(host.name)
        if copy is None:
            raise WorldError("not_found", f"there is no copy {name}", object="copy", name=name)
        if is_active(found, copy):
            raise WorldError("active_copy", f"{name} is the active copy", copy=name)
        if found.circular_logging and len(found.copies) == 2:
            raise WorldError("circular_logging", f"{found.name} has circular logging", database=found.name)
        self._quorate(found, host)
        if copy.seed is not None:
            raise WorldError("seed_in_progress", f"{name} is being seeded", copy=name, source=copy.seed.source)
        found.copies.discard(host.name)
        for one in found.copies:
            one.preference -= one.preference > copy.preference
        if copy.files_present or copy.left_over:
            host.files.write(found.edb_path, b"")
            if copy.diverged:
                key = (found.name.casefold(), host.name.casefold())
                state.left_diverged[key] = (copy.diverged, copy.diverged_at)
        self.publish(found, target)
        state.log.add("copy_removed", name, dc=target.name)
        operation = Operation(state.now)
        operation.warn(
            "files_left",
            f"the files of {name} stay",
            copy=name,
            server=host.name,
            edb_path=found.edb_path,
            log_path=found.log_path,
        )
        state.review()
        return operation

    # -- checks --------------------------------------------------------------------------------------------------

    def _may_add(self, database: Database, host: Server, asker: Server, name: str) -> None:
        state = self._state
        if host.exchange is None:
            raise WorldError("not_found", f"{host.name} has no Exchange", object="server", name=host.name)
        if host.name in database.copies:
            raise WorldError("copy_exists", f"there is a copy {name} already", copy=name)
        active = state.servers[database.active]
        cluster = state.cluster_of(database.dag, active) if database.dag else None
        if cluster is None or host.name not in cluster.nodes:
            raise WorldError(
                "not_member", f"{host.name} is not in the DAG of {database.name}", server=host.name, dag=database.dag
            )
        self._quorate(database, host)
        if len(database.copies) >= _MOST_COPIES:
            raise WorldError("too_many", f"{database.name} has {_MOST_COPIES} copies", limit=_MOST_COPIES)
        if database.state != "Mounted":
            raise WorldError("not_mounted", f"{database.name} is not mounted", database=database.name)
        if database.circular_logging and len(database.copies) == 1:
            raise WorldError("circular_logging", f"{database.name} has circular logging", database=database.name)
        if not state.reaches(asker, host):
            raise WorldError(
                "server_down",
                f"{host.name} does not answer",
                blocked_s=state.tuning.rpc_timeout_s,
                server=host.name,
                fqdn=host.fqdn,
            )
        if not state.runs(host, REPL):
            raise WorldError("service_down", f"{REPL} does not run on {host.name}", server=host.name, service=REPL)
        for path in (database.edb_path, database.log_path):
            if volume_of(host, path) is None or self._taken(database, host, path):
                raise WorldError(
                    "path_unavailable", f"{path} cannot be used on {host.name}", server=host.name, path=path
                )

    def _taken(self, database: Database, host: Server, path: str) -> bool:
        return any(
            host.name in one.copies and path.casefold() in (one.edb_path.casefold(), one.log_path.casefold())
            for one in self._state.databases
            if one is not database
        )

    def _may_seed(self, database: Database, host: Server, name: str, *, left_over: bool) -> None:
        if left_over:
            raise WorldError("files_exist", f"{name} has files", copy=name, path=database.edb_path)
        room = space(self._state, host, database.edb_path)
        if room is None or room.free < database.size:
            raise WorldError(
                "disk_full", f"no room for {name}", copy=name, free=room.free if room else 0, needed=database.size
            )
        self._seeding.check_source(database, None)

    def _quorate(self, database: Database, host: Server) -> None:
        cluster = self._state.acting_cluster(database.dag, host) if database.dag else None
        if cluster is not None and not cluster.quorate:
            raise WorldError("no_quorum", f"the cluster {cluster.name} has no quorum", cluster=cluster.name)

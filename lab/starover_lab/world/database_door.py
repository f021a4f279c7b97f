"""The door to databases and their copies: what is read of them, suspended, seeded, set, mounted and moved.

One of the parts that `World` is made of; it decides nothing itself.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Unpack

from starover_lab.world.active_manager import ActiveManager, MoveWish
from starover_lab.world.copy_sets import CopySets
from starover_lab.world.database_parts import Copy, Database
from starover_lab.world.directory import DomainController
from starover_lab.world.divergence import preserve
from starover_lab.world.errors import WorldError
from starover_lab.world.lag import ReplayLag
from starover_lab.world.reading import Reading
from starover_lab.world.replication import REPL, Replication
from starover_lab.world.seeding import Seeding
from starover_lab.world.server_settings import ServerSettings
from starover_lab.world.split_brain import SplitBrain, rival_of
from starover_lab.world.state import State, first_label
from starover_lab.world.views import CopyView, DatabaseView

__all__ = ["DatabaseDoor"]


class DatabaseDoor:
    """What cmdlets ask and do of databases and copies; `asked` is the server on which the cmdlet runs."""

    state: State
    copies: CopySets
    """Database copies as configuration: added, removed, as each DC knows them."""
    lag: ReplayLag
    """Lagged copies giving their delay up."""
    _reading: Reading
    _servers: ServerSettings
    _seeding: Seeding
    _replication: Replication
    _active_manager: ActiveManager
    _split_brain: SplitBrain

    def database(self, name: str) -> Database:
        """A database. Raises `not_found`."""
        return self.state.database(name)

    def copy(self, database: str, server: str) -> Copy:
        """One copy. Raises `not_found`."""
        return self._copy(database, server)[1]

    def databases_on(self, server: str) -> list[Database]:
        """Databases with a copy on that server, by name."""
        host = self.state.server(server).name
        return sorted((one for one in self.state.databases if host in one.copies), key=lambda one: one.name.casefold())

    def database_view(self, name: str, asked: str) -> DatabaseView:
        """A database now, as `Get-MailboxDatabase -Status` shows it."""
        return self._reading.database(self.database(name), self.state.server(asked))

    def copy_view(self, database: str, server: str, asked: str) -> CopyView:
        """One copy now, as `Get-MailboxDatabaseCopyStatus` shows it; `ServiceDown` when its server does not answer."""
        found, copy = self._copy(database, server)
        return self._reading.copy(found, copy, self.state.server(asked))

    def suspend_copy(
        self, database: str, server: str, asked: str, *, comment: str = "", activation_only: bool = False
    ) -> None:
        """Suspend-MailboxDatabaseCopy. Raises `active_copy`, `already_suspended`, `server_down`, `service_down`."""
        found, copy = self._asked_copy(database, server, asked)
        self._replication.suspend(found, copy, comment=comment, activation_only=activation_only)

    def resume_copy(self, database: str, server: str, asked: str, *, replication_only: bool = False) -> None:
        """Resume-MailboxDatabaseCopy. A copy that needs a reseed falls back to FailedAndSuspended after a while."""
        found, copy = self._asked_copy(database, server, asked)
        self._replication.resume(found, copy, replication_only=replication_only)

    def update_copy(
        self,
        database: str,
        server: str,
        asked: str,
        *,
        source: str | None = None,
        network: str | None = None,
        delete_existing: bool = False,
        safe_delete: bool = False,
        database_only: bool = False,
        catalog_only: bool = False,
        manual_resume: bool = False,
    ) -> datetime:
        """Update-MailboxDatabaseCopy: begin a seed; returns when it should be done (see `copy_view().seed_percent`).

        `network` is a DAG network's name, with or without `DAG\\`; `safe_delete` deletes files only while another copy
        is healthy; `catalog_only` seeds the content index and nothing else. Raises `active_copy`, `must_be_suspended`,
        `files_exist`, `seed_in_progress` (this copy is being seeded, or its source gives another seed of the database
        and `database_only` is not set), `source_unhealthy`, `no_other_copy`, `disk_full`, `not_found`.
        """
        found, copy = self._asked_copy(database, server, asked)
        if catalog_only:
            return self._seeding.begin_catalog(found, copy, source=source)
        return self._seeding.begin(
            found,
            copy,
            source=source,
            network=network,
            delete_existing=delete_existing,
            safe_delete=safe_delete,
            database_only=database_only,
            manual_resume=manual_resume,
        )

    def cancel_seed(self, database: str, server: str, asked: str) -> None:
        """Update-MailboxDatabaseCopy -CancelSeed."""
        self._seeding.cancel(*self._asked_copy(database, server, asked))

    def set_preference(self, database: str, server: str, asked: str, preference: int) -> None:
        """Set-MailboxDatabaseCopy -ActivationPreference: take out, insert, renumber 1..n. Raises `invalid`."""
        dc = self._dc(asked)
        found, copy = self._copy(database, server)
        self._servers.set_preference(found, copy, preference)
        self.copies.publish(found, dc)

    def set_lag(
        self,
        database: str,
        server: str,
        asked: str,
        *,
        replay_s: float | None = None,
        truncation_s: float | None = None,
        replay_lag_max_delay_s: float | None = None,
    ) -> None:
        """Set-MailboxDatabaseCopy -ReplayLagTime, -TruncationLagTime, -ReplayLagMaxDelay; at most 14 days.

        Raises `invalid`.
        """
        dc = self._dc(asked)
        found, copy = self._copy(database, server)
        self._replication.settle(found, copy)
        self._servers.set_lag(
            found, copy, replay_s=replay_s, truncation_s=truncation_s, max_delay_s=replay_lag_max_delay_s
        )
        self.copies.publish(found, dc)

    def mount(self, database: str, asked: str, *, decision: str = "") -> datetime:
        """Mount-Database on the server with the active copy; returns when it should be mounted.

        `decision`: the switches by which somebody accepted lost data.
        """
        self._dc(asked)
        return self._active_manager.mount(self.database(database), decision=decision)

    def dismount(self, database: str, asked: str) -> datetime:
        """Dismount-Database: in a split brain what the side of `asked` has; returns when it is dismounted."""
        self._dc(asked)
        found = self.database(database)
        rival = rival_of(self.state, found, self.state.server(asked))
        if rival is not None:
            return self._split_brain.dismount(found, rival)
        return self._active_manager.dismount(found)

    def move_active(
        self, database: str, asked: str, *, target: str | None = None, dial: str = "Lossless", **how: Unpack[MoveWish]
    ) -> datetime:
        """Move-ActiveMailboxDatabase; returns when it should be mounted on the target.

        `dial` is `Lossless`, `GoodAvailability`, `BestAvailability`, `BestEffort` or `None` (the target's own).
        """
        self._dc(asked)
        return self._active_manager.move(self.database(database), target, dial, **how)

    def switch_lag(self, database: str, server: str, asked: str, *, on: bool) -> None:
        """Resume-MailboxDatabaseCopy -DisableReplayLag (off), Suspend-MailboxDatabaseCopy -EnableReplayLag (on)."""
        self.lag.switch(*self._asked_copy(database, server, asked), on=on)

    def preserve(
        self, server: str, how: Literal["snapshot", "copy-aside", "discard"], database: str | None = None
    ) -> None:
        """Note that the database files of a server, all or one database's, were kept safe just now (I16).

        `discard`: nobody kept them, and somebody signed that they may go.
        """
        for one in self.databases_on(server):
            if database is None or one.name.casefold() == database.casefold():
                preserve(self.state, one, self.state.server(server).name, how)

    def _copy(self, database: str, server: str) -> tuple[Database, Copy]:
        found = self.database(database)
        copy = found.copies.get(server)
        if copy is None:
            name = f"{found.name}\\{first_label(server)}"
            raise WorldError("not_found", f"there is no copy {name}", object="copy", name=name)
        return found, copy

    def _asked_copy(self, database: str, server: str, asked: str) -> tuple[Database, Copy]:
        """A copy whose replication service answers."""
        found, copy = self._copy(database, server)
        host = self._servers.reach(self.state.server(asked), self.state.server(copy.server))
        if not self.state.runs(host, REPL):
            raise WorldError("service_down", f"{REPL} does not run on {host.name}", server=host.name, service=REPL)
        return found, copy

    def _dc(self, asked: str) -> DomainController:
        """The DC that a cmdlet on `asked` uses. Raises `no_dc`."""
        return self._servers.dc_of(self.state.server(asked), None)

"""Recovery databases: made over a database file that somebody recovered by hand; knows no eseutil and no cmdlet.

Such a database has one copy, is in no DAG, takes no mail and mounts only by name, and only over a clean file [doc]:
whether it is one is looked at when it is to be mounted, as it may be put there, or recovered, after this.
"""

from __future__ import annotations

from starover_lab.world.ad_objects import ActiveDirectory
from starover_lab.world.copy_sets import CopySets
from starover_lab.world.database_parts import Copy, Database
from starover_lab.world.errors import WorldError
from starover_lab.world.files import clean_path
from starover_lab.world.logs import LogStream, Rate
from starover_lab.world.names import Names
from starover_lab.world.state import State, first_label

__all__ = ["RecoveryDatabases"]


class RecoveryDatabases:
    """Makes them."""

    def __init__(self, state: State, ad: ActiveDirectory, copies: CopySets) -> None:
        self._state = state
        self._ad = ad
        self._copies = copies

    def create(self, name: str, server: str, edb: str, logs: str, asked: str, *, dc: str | None = None) -> Database:
        """New-MailboxDatabase -Recovery. Raises `exists`, `not_found`, `name_in_use` (a path of another), `no_dc`."""
        state, target = self._state, self._ad.dc(asked, dc)
        host = state.server(server)
        if name in state.databases:
            raise WorldError("exists", f"there is a database {name}", object="database", name=name)
        for other in state.databases:
            if host.name in other.copies and clean_path(other.edb_path).casefold() == clean_path(edb).casefold():
                raise WorldError("name_in_use", f"{edb} belongs to {other.name}", name=edb, object="database")
        entry = host.files.get(edb)
        stream = LogStream(Rate(0.0, state.tuning.busy_hour, state.tuning.quiet_share))
        stream.open(host.name, 0, state.now)
        stream.close(state.now)
        made = Database(
            name=name,
            guid=state.dice.guid("database", name),
            edb_path=edb,
            log_path=logs,
            log_prefix=f"E{len(state.databases):02d}",
            size=entry.size or 0 if entry is not None else 0,
            active=host.name,
            copies=Names(first_label),
            stream=stream,
            mount_at_startup=False,
            state="Dismounted",
            wanted=False,
            recovery=True,
        )
        made.copies.add(host.name, Copy(host.name, 1, since=state.now, copied=0, inspected=0, replayed=0))
        state.databases.add(name, made)
        host.files.make_folder(logs)
        self._copies.publish(made, target)
        state.log.add("recovery_database_made", name, server=host.name, path=edb, dc=target.name)
        state.review()
        return made

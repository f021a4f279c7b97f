"""Active Manager: mounting, dismounting, switchover and failover; knows no cmdlet and no quorum arithmetic.

Nothing moves without quorum and a Primary Active Manager (the owner of the core group). What it decides on comes from
`activation`, the order of copies from `best_copy`, the checks before an administrator's move from `move_checks`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import TypedDict, Unpack

from starover_lab.world.activation import STORE, Activation
from starover_lab.world.best_copy import Candidate, allowed, ranked
from starover_lab.world.database_files import cut_off
from starover_lab.world.database_parts import Database
from starover_lab.world.divergence import branch_point, part
from starover_lab.world.entities import Server
from starover_lab.world.errors import Data, WorldError
from starover_lab.world.move_checks import Skip, objection
from starover_lab.world.replication import Replication
from starover_lab.world.state import State
from starover_lab.world.storage import copy_storage_fails, counters, replay_speed

__all__ = ["STORE", "ActiveManager", "Lossy", "MoveWish"]

_RETRY_S = 60.0
_UNSKIPPED: frozenset[Skip] = frozenset()

Lossy = Callable[[Database, int, datetime | None], None]
"""Told of lost logs: the database, how many, and when the last log that is left was written."""


class MoveWish(TypedDict, total=False):
    """What an administrator's move may say beside where to and at which dial."""

    skip: AbstractSet[Skip]
    """Checks that are left out."""
    comment: str
    dry: bool
    """Only the checks: nothing moves."""


class ActiveManager:
    """Keeps the databases mounted that should be."""

    def __init__(self, state: State, replication: Replication, activation: Activation, lossy: Lossy) -> None:
        self._state = state
        self._replication = replication
        self._activation = activation
        self._lossy = lossy
        self._dials: dict[str, int | None] = {}
        """Lost logs that the move under way may cost, by database."""
        self._refused: dict[str, dict[str, Data]] = {}
        """Why no copy of a database could be activated when that was said last."""

    # -- what administrators do ----------------------------------------------------------------------------------

    def mount(self, database: Database, *, decision: str = "") -> datetime:
        """Mount on the server with the active copy; returns when it should be mounted.

        `decision`: the switch by which an administrator accepted lost data; it does not help against the DAC protocol.
        """
        if database.state in ("Mounted", "Mounting"):
            raise WorldError("already_mounted", f"{database.name} is mounted", database=database.name)
        server = self._state.servers[database.active]
        self._activation.may_act(database, server)
        limit = self._activation.full(server)
        if limit is not None:
            raise WorldError(
                "limit_of_actives", f"{server.name} holds {limit} actives", server=server.name, limit=limit
            )
        database.wanted = True
        if decision:
            self._state.log.add("data_loss_accepted", database.name, server=server.name, decision=decision)
        until = self._begin_mount(database, server.name)
        self._state.review()
        return until

    def dismount(self, database: Database) -> datetime:
        """Dismount and keep it so; returns when it is dismounted."""
        if database.state not in ("Mounted", "Mounting"):
            raise WorldError("not_mounted", f"{database.name} is not mounted", database=database.name)
        self._activation.may_act(database, None)
        database.wanted = False
        database.moving_to = ""
        until = self._begin_dismount(database)
        self._state.review()
        return until

    def move(self, database: Database, target: str | None, dial: str, **how: Unpack[MoveWish]) -> datetime:
        """Switch over to `target`, or to the best copy; returns when it should be mounted there.

        Where it is active already nothing happens. `dial`: `None` is the target's own. A database that its
        administrator has dismounted stays so on its new server.
        """
        skip = how.get("skip", _UNSKIPPED)
        if target is not None and target.partition(".")[0].casefold() == database.active.casefold():
            return self._state.now
        chosen, limit = self._chosen(database, target, dial, skip)
        if how.get("dry", False):
            return self._state.now
        decision = f"administrator: {dial if dial != 'None' else f'dial {chosen.dial}'}"
        database.move_skips = tuple(sorted(skip))
        until = self._begin_move(
            database, chosen.server, decision=decision, limit=limit, comment=how.get("comment", "")
        )
        self._state.review()
        return until

    def move_by_itself(self, database: Database, *, why: str, only: str = "") -> bool:
        """A lossless move without an administrator, to the best copy or to the server `only`; whether it began.

        Without `only` somebody wants the server emptied: that is not suppressed [model].
        """
        if database.state != "Mounted" or self._activation.pam_missing(database):
            return False
        if only and self._suppressed(database):
            return False
        for one in ranked(self._activation.candidates(database), lossless=True):
            if (only and one.server.casefold() != only.casefold()) or one.lost or (not only and one.last_resort):
                continue
            database.move_skips = ()
            self._begin_move(database, one.server, decision=why, limit=0)
            return True
        return False

    def evacuate(self, server: Server) -> None:
        """A server shuts down: what is active on it is moved away without loss, where that is possible."""
        for database in self._state.databases:
            if database.active.casefold() == server.name.casefold() and database.state == "Mounted" and database.dag:
                with contextlib.suppress(WorldError):
                    self.move(database, None, "Lossless", skip={"MoveSuppression"})

    def _chosen(
        self, database: Database, target: str | None, dial: str, skip: AbstractSet[Skip]
    ) -> tuple[Candidate, int | None]:
        """The copy that a move by hand goes to, and how many logs it may lose. Raises what forbids it."""
        name = database.name
        if not database.dag:
            raise WorldError("no_candidate", f"{name} is in no DAG", database=name, reasons={})
        self._activation.may_act(database, None)
        candidates = self._activation.candidates(database)
        if target is not None:
            wanted = target.partition(".")[0].casefold()
            candidates = [one for one in candidates if one.server.casefold() == wanted]
            if not candidates:
                raise WorldError("not_found", f"{target} has no passive copy", object="copy", name=f"{name}\\{target}")
        if "ActiveCopy" not in skip and self._replication.is_seeding_source(database, database.copies[database.active]):
            copy = f"{name}\\{database.active}"
            raise WorldError("seeding_source", f"{copy} is used as the seeding source", copy=copy, database=name)
        moves = self._recent(database)
        if "MoveSuppression" not in skip and self._suppressed(database):
            raise WorldError("move_suppressed", f"{moves} moves lately", database=name, moves=moves)
        if target is not None:
            (only,) = candidates
            refusal = objection(database, only, skip, fqdn=self._state.servers[only.server].fqdn)
            if refusal is not None:
                raise refusal
            order = [only]
        else:
            order = ranked(candidates, lossless=dial == "Lossless")
            if not order and skip:
                free = [one for one in candidates if objection(database, one, skip, fqdn="") is None and not one.policy]
                order = sorted(free, key=lambda one: (one.copy_queue, one.preference))
        for one in order:
            limit = allowed(one.dial if dial == "None" else dial)
            if limit is None or one.lost <= limit:
                return one, limit
        if order:
            lost, most = order[0].lost, allowed(order[0].dial if dial == "None" else dial)
            raise WorldError(
                "too_many_lost_logs", f"{lost} logs would be lost", database=name, lost=lost, allowed=most or 0
            )
        reasons: dict[str, str] = {one.server: one.obstacle or one.status for one in candidates}
        raise WorldError("no_candidate", f"no copy of {name} can be activated", database=name, reasons={**reasons})

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
            self._refused.pop(database.name, None)
            database.mounted_since = now
            database.stream.open(database.active, database.stream.generated(now), now)
            self._state.log.add("database_mounted", database.name, server=database.active)
        elif database.state == "Dismounting":
            database.state = "Dismounted"
            self._state.log.add("database_dismounted", database.name, server=database.active, reason="asked")
            if database.moving_to:
                target, database.moving_to = database.moving_to, ""
                self._complete(database, target)

    def _complete(self, database: Database, target: str) -> None:
        """The second half of a move: what held when it began is looked at again; what does not hold undoes it."""
        server = self._state.servers[target]
        limit = self._dials.pop(database.name, 0)
        lost = self._activation.lost(database, database.copies[target])
        trouble = self._activation.trouble(database, server) or self._activation.consent(database, server)
        if self._activation.pam_missing(database):
            trouble = trouble or "there is no Primary Active Manager"
        if not trouble and limit is not None and lost > limit:
            trouble = f"{lost} logs would be lost"
        if not trouble:
            self._switch(database, target, limit)
            return
        self._state.log.add("move_failed", database.name, target=target, reason=trouble)
        own = self._state.servers[database.active]
        if database.wanted and not self._activation.pam_missing(database) and self._mountable(database, own):
            self._begin_mount(database, own.name)

    def _notice(self, database: Database) -> None:
        """A mounted database whose server, services, storage or cluster are gone is mounted no more."""
        if database.state == "Dismounted":
            return
        trouble = self._activation.trouble(database, self._state.servers[database.active], mounted=True)
        if not trouble:
            return
        now = self._state.now
        database.stream.close(now)
        database.state, database.state_until, database.mounted_since = "Dismounted", None, None
        if database.moving_to:
            self._state.log.add("move_failed", database.name, target=database.moving_to, reason=trouble)
        database.moving_to = ""
        self._state.log.add("database_dismounted", database.name, server=database.active, reason=trouble)
        self._state.again()

    def _restore(self, database: Database) -> None:
        state = self._state
        if database.state != "Dismounted" or not database.wanted or database.moving_to:
            return
        if database.dag and self._activation.pam_missing(database):
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
        if self._mountable(database, own):
            self._begin_mount(database, own.name)
        elif not (database.dag and self._fail_over(database)):
            database.retry_at = state.poke_after(_RETRY_S)

    def _mountable(self, database: Database, server: Server) -> bool:
        return not (
            self._activation.trouble(database, server)
            or self._activation.consent(database, server)
            or self._activation.full(server) is not None
        )

    def _fail_over(self, database: Database) -> bool:
        """Activate the best copy that loses no more than its server's dial allows; the next one where it would."""
        state = self._state
        own = state.servers[database.active]
        returns = state.answers(own) and not copy_storage_fails(state, database, database.copies[own.name])
        # Where a database cannot come back to, suppression would only keep mail away [model].
        if returns and self._suppressed(database):
            state.log.add("move_suppressed", database.name, moves=self._recent(database))
            return False
        candidates = self._activation.candidates(database)
        for one in ranked(candidates):
            limit = allowed(one.dial)
            if limit is None or one.lost <= limit:
                database.move_skips = ()
                self._begin_move(database, one.server, decision=f"dial {one.dial}", limit=limit)
                return True
        reasons: dict[str, Data] = {
            one.server: one.obstacle or f"{one.status}, {one.lost} logs missing" for one in candidates
        }
        if self._refused.get(database.name) != reasons:
            self._refused[database.name] = reasons
            state.log.add("failover_failed", database.name, reasons=reasons)
        return False

    def _recent(self, database: Database) -> int:
        """Moves within the window of suppression."""
        since = self._state.now - timedelta(seconds=self._state.tuning.move_suppression_s)
        database.moves = [moment for moment in database.moves if moment > since]
        return len(database.moves)

    def _suppressed(self, database: Database) -> bool:
        most = self._state.tuning.moves_before_suppression
        return bool(most) and self._recent(database) >= most

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

    def _begin_move(
        self, database: Database, target: str, *, decision: str, limit: int | None, comment: str = ""
    ) -> datetime:
        state, tuning = self._state, self._state.tuning
        database.moves.append(state.now)
        database.lost = 0
        state.log.add(
            "move_started", database.name, source=database.active, target=target, decision=decision, comment=comment
        )
        database.move_decision = decision
        if database.state not in ("Mounted", "Mounting"):
            return self._switch(database, target, limit)
        database.moving_to = target
        self._dials[database.name] = limit
        ends = self._begin_dismount(database)
        queue = counters(state, database, database.copies[target])
        newest = database.stream.generated(state.now)
        replay = (newest - queue.replayed) / replay_speed(state, database, state.servers[target])
        return ends + timedelta(seconds=max(tuning.mount_s, tuning.switchover_s - tuning.dismount_s) + replay)

    def _switch(self, database: Database, target: str, limit: int | None) -> datetime:
        """Make another copy the active one, with the logs that can still be had, and mount it."""
        state, tuning = self._state, self._state.tuning
        old, new = database.copies[database.active], database.copies[target]
        newest = database.stream.generated(state.now)
        lost = self._activation.lost(database, new)
        gives = not lost and not new.diverged
        for copy in database.copies:
            self._replication.settle(database, copy)
        if gives:
            new.logs_away.clear()
            new.copied = new.inspected = newest
        cut_off(state, database, new)
        start, replayed = new.inspected, new.replayed
        last_kept = database.stream.time_of(branch_point(new), new.branch)
        database.active, database.lost = new.server, lost
        old.running = old.flowing = old.replaying = old.connected = False
        old.phase, old.phase_until = "", None
        new.error = new.retry_until = None
        new.replication_suspended = False
        if lost or new.diverged:
            part(state, database, new, branch_point(new))
            database.stream.open(new.server, start, state.now)
            database.stream.close(state.now)
        if lost:
            state.log.add(
                "data_loss",
                database.name,
                lost=lost,
                decision=database.move_decision,
                allowed=limit,
                server=new.server,
                last_log=last_kept.isoformat() if last_kept is not None else None,
            )
            self._lossy(database, lost, last_kept)
        skipped: list[Data] = [*database.move_skips]
        state.log.add("active_moved", database.name, source=old.server, target=new.server, lost=lost, skipped=skipped)
        ends = state.now
        if database.wanted:
            switching = tuning.switchover_s - tuning.dismount_s - tuning.mount_s if gives else 0.0
            speed = replay_speed(state, database, state.servers[new.server])
            ends = self._begin_mount(database, new.server, max(switching, 0.0) + max(start - replayed, 0) / speed)
        state.again()
        return ends

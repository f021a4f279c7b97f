"""Seeding a database copy: begin, progress, end; knows replication only through the copy's fields."""

from __future__ import annotations

from datetime import datetime, timedelta

from starover_lab.world.database_parts import Copy, CopyError, Database, Seed
from starover_lab.world.divergence import sacrifice
from starover_lab.world.errors import WorldError
from starover_lab.world.network_map import known_networks, shared, usable
from starover_lab.world.replication import REPL, Replication, is_active
from starover_lab.world.state import State
from starover_lab.world.storage import space

__all__ = ["Seeding"]

_MB = 1_000_000
_STALLED_LOOK = timedelta(hours=1)
"""When to look again at a seed that stands still: nobody knows its end."""
_INDEX_SHARE = 0.1
"""Size of a content index by the size of its database."""
_CRAWL_PER_S = 20_000_000
"""Bytes of a database that are indexed in a second when its index was not seeded along."""
_GOOD_SOURCES = ("Healthy", "Mounted", "SeedingSource")


class Seeding:
    """All seeds under way; those of one source share its throughput."""

    def __init__(self, state: State, replication: Replication) -> None:
        self._state = state
        self._replication = replication

    def begin(
        self,
        database: Database,
        copy: Copy,
        *,
        source: str | None = None,
        network: str | None = None,
        delete_existing: bool = False,
        safe_delete: bool = False,
        database_only: bool = False,
        manual_resume: bool = False,
    ) -> datetime:
        """Begin; returns when it should end. The copy must be suspended (or need the seed)."""
        state = self._state
        name = f"{database.name}\\{copy.server}"
        if is_active(database, copy):
            raise WorldError("active_copy", f"{name} is the active copy", copy=name)
        if copy.seed is not None:
            raise WorldError("seed_in_progress", f"{name} is being seeded", copy=name, source=copy.seed.source)
        needs = copy.error is not None and copy.error.needs_reseed
        if not copy.replication_suspended and not needs:
            raise WorldError("must_be_suspended", f"{name} is not suspended", copy=name)
        has_files = copy.files_present or copy.left_over
        if has_files and not (delete_existing or safe_delete):
            raise WorldError("files_exist", f"{name} has files", copy=name, path=database.edb_path)
        if safe_delete and not self._another_good(database, copy):
            raise WorldError("no_other_copy", f"no other copy of {database.name} is healthy", copy=name)
        giver = self.check_source(database, copy, source, database_only=database_only)
        over = self._network(database, copy, giver, network)
        room = space(state, state.servers[copy.server], database.edb_path)
        available = (room.free + (database.size if copy.files_present else 0)) if room is not None else 0
        if available < database.size:
            raise WorldError("disk_full", f"no room for {name}", copy=name, free=available, needed=database.size)
        self._replication.settle(database, copy)
        sacrifice(state, database, copy)
        copy.files_present = copy.left_over = copy.recovered = copy.checkpoint_away = False
        copy.logs_away.clear()
        server = state.servers[copy.server]
        if server.files.exists(database.edb_path):
            server.files.remove(database.edb_path)
        percent = state.seed_failures.get((database.name.casefold(), copy.server.casefold()))
        copy.seed = Seed(
            source=giver.server,
            total=database.size,
            done=0.0,
            since=state.now,
            speed=0.0,
            started=state.now,
            from_generation=database.stream.generated(state.now),
            network=over,
            database_only=database_only,
            manual_resume=manual_resume,
            fails_at=None if percent is None else database.size * percent / 100,
        )
        state.log.add("seed_started", name, source=giver.server, bytes=database.size, network=over)
        self._share(giver.server)
        state.review()
        return self.expected_end(copy)

    def begin_catalog(self, database: Database, copy: Copy, *, source: str | None) -> datetime:
        """Seed the content index alone, over the MAPI network; the copy goes on replicating meanwhile.

        Returns when it should end. Raises `active_copy`, `not_found`, `source_unhealthy`, `seed_in_progress`.
        """
        state, name = self._state, f"{database.name}\\{copy.server}"
        if is_active(database, copy):
            raise WorldError("active_copy", f"{name} is the active copy", copy=name)
        if copy.seed is not None or copy.ci_state == "Seeding":
            raise WorldError("seed_in_progress", f"{name} is being seeded", copy=name)
        giver = self.check_source(database, copy, source, database_only=True)
        if giver.ci_state != "Healthy":
            raise WorldError(
                "source_unhealthy", f"no healthy index on {giver.server}", source=giver.server, status=giver.ci_state
            )
        copy.ci_state = "Seeding"
        ends = state.now + timedelta(seconds=database.size * _INDEX_SHARE / (state.tuning.seed_mb_per_s_cross_az * _MB))
        state.log.add("catalog_seed_started", name, source=giver.server)
        state.scheduler.at(ends, lambda: self._catalog_seeded(database, copy))
        return ends

    def _indexed(self, copy: Copy) -> None:
        if copy.ci_state == "Crawling":
            copy.ci_state = "Healthy"

    def _catalog_seeded(self, database: Database, copy: Copy) -> None:
        if copy.ci_state == "Seeding":
            copy.ci_state = "Healthy"
            self._state.log.add("catalog_seeded", f"{database.name}\\{copy.server}")

    def cancel(self, database: Database, copy: Copy) -> None:
        """End a seed before its time; the copy stays suspended and without files."""
        name = f"{database.name}\\{copy.server}"
        if copy.seed is None:
            raise WorldError("invalid", f"{name} is not being seeded", copy=name)
        source, copy.seed = copy.seed.source, None
        copy.replication_suspended = True
        self._state.log.add("seed_cancelled", name)
        self._share(source)
        self._state.review()

    def done(self, seed: Seed) -> float:
        """Bytes copied by now."""
        passed = (self._state.now - seed.since).total_seconds()
        return min(seed.done + seed.speed * passed, float(seed.total))

    def expected_end(self, copy: Copy) -> datetime:
        """When the seed ends if nothing changes; now when there is none."""
        seed = copy.seed
        if seed is None:
            return self._state.now
        if seed.speed <= 0:
            return self._state.now + _STALLED_LOOK
        return self._state.now + timedelta(seconds=(seed.total - self.done(seed)) / seed.speed)

    def review(self) -> None:
        """End what is finished, break what has lost its source or meets its fault."""
        for database in self._state.databases:
            for copy in database.copies:
                if copy.seed is not None:
                    self._follow(database, copy, copy.seed)

    def _follow(self, database: Database, copy: Copy, seed: Seed) -> None:
        state = self._state
        server, source = state.servers[copy.server], state.servers[seed.source]
        done = self.done(seed)
        stalled = (database.name.casefold(), copy.server.casefold()) in state.seed_stalls
        if stalled is not (seed.speed <= 0):
            self._share(seed.source)
        if not (state.runs(server, REPL) and state.runs(source, REPL) and state.linked(server, source)):
            self._break(database, copy, seed, f"communication with server {source.fqdn} was lost while seeding")
        elif seed.fails_at is not None and done >= seed.fails_at - 1:
            self._break(database, copy, seed, "an error occurred while seeding: the target stopped receiving data")
        elif done >= seed.total - 1:
            self._finish(database, copy, seed)

    def _finish(self, database: Database, copy: Copy, seed: Seed) -> None:
        copy.seed = None
        copy.files_present = True
        copy.ci_state = "Crawling" if seed.database_only else "Healthy"
        if seed.database_only:
            self._state.scheduler.after(database.size / _CRAWL_PER_S, lambda: self._indexed(copy))
        copy.error = None
        copy.retry_until = None
        copy.diverged, copy.diverged_at, copy.branch = 0, None, database.stream.branch
        copy.running = copy.flowing = copy.replaying = False
        copy.copied = copy.inspected = copy.replayed = copy.notified = seed.from_generation
        copy.since = self._state.now
        if not seed.manual_resume:
            copy.replication_suspended = False
            copy.activation_suspended = copy.activation_suspended and copy.block_kept
            if not copy.activation_suspended:
                copy.comment, copy.initiator = "", "Unknown"
        self._state.log.add("seed_finished", f"{database.name}\\{copy.server}", source=seed.source)
        self._share(seed.source)
        self._state.again()

    def _break(self, database: Database, copy: Copy, seed: Seed, why: str) -> None:
        copy.seed = None
        self._state.log.add("seed_failed", f"{database.name}\\{copy.server}", source=seed.source, reason=why)
        self._share(seed.source)
        self._replication.fail(
            database, copy, CopyError(f"The seeding operation failed. Error: {why}.", 2070, True, "seed")
        )

    def _share(self, source: str) -> None:
        """The seeds of one source share its throughput: new speeds, and new looks at the ends."""
        state = self._state
        running = [
            (copy, copy.seed, (database.name.casefold(), copy.server.casefold()) in state.seed_stalls)
            for database in state.databases
            for copy in database.copies
            if copy.seed is not None and copy.seed.source.casefold() == source.casefold()
        ]
        for copy, seed, stalled in running:
            near = state.servers[copy.server].az == state.servers[seed.source].az
            tuning = state.tuning
            speed = (tuning.seed_mb_per_s_same_az if near else tuning.seed_mb_per_s_cross_az) * _MB / len(running)
            seed.done, seed.since, seed.speed = self.done(seed), state.now, 0.0 if stalled else speed
            if stalled:
                continue
            goal = min(float(seed.total), seed.fails_at if seed.fails_at is not None else float(seed.total))
            state.poke_after(max(goal - seed.done, 0.0) / speed)

    def check_source(
        self, database: Database, copy: Copy | None, source: str | None = None, *, database_only: bool = False
    ) -> Copy:
        """The copy that a seed would come from. Raises `not_found`, `source_unhealthy`, `seed_in_progress`."""
        name = source or database.active
        giver = database.copies.get(name.partition(".")[0])
        if giver is None:
            raise WorldError("not_found", f"{name} has no copy of {database.name}", object="copy", name=name)
        status = self._replication.status(database, giver)
        if giver is copy or status not in _GOOD_SOURCES or giver.seed is not None:
            raise WorldError("source_unhealthy", f"{giver.server} cannot give the seed", source=name, status=status)
        for other in database.copies:
            seed = other.seed
            if seed is None or seed.source.casefold() != giver.server.casefold():
                continue
            if not (database_only and seed.database_only):
                raise WorldError(
                    "seed_in_progress",
                    f"{giver.server} gives a seed of {database.name} already",
                    copy=f"{database.name}\\{other.server}",
                    source=giver.server,
                )
        return giver

    def _another_good(self, database: Database, copy: Copy) -> bool:
        return any(
            one is not copy and self._replication.status(database, one) in _GOOD_SOURCES for one in database.copies
        )

    def _network(self, database: Database, copy: Copy, giver: Copy, wanted: str | None) -> str:
        """The DAG network that the seed goes over. Raises `not_found` for one that the two do not share."""
        state = self._state
        source, target = state.servers[giver.server], state.servers[copy.server]
        if not wanted:
            return shared(state, database.dag, source, target) if database.dag else ""
        plain = wanted.rpartition("\\")[2]
        for one in known_networks(state, database.dag, target):
            if one.name.casefold() == plain.casefold() and usable(one, source, target):
                return one.name
        raise WorldError("not_found", f"there is no such DAG network {wanted}", object="network", name=wanted)

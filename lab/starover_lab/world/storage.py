"""How full the volumes are, computed from databases and logs; changes nothing.

Truncation [doc, simplified]: a log may go once the nightly backup (or circular logging) allows it, every copy without
replay lag has replayed it and every lagged copy has inspected it. So a copy that stands makes the log volumes of all
copies grow.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache

from starover_lab.world.database_parts import Copy, Database
from starover_lab.world.entities import Server, Volume
from starover_lab.world.files import clean_path
from starover_lab.world.logs import LOG_BYTES
from starover_lab.world.state import State
from starover_lab.world.views import Space

__all__ = [
    "Counters",
    "copy_storage_fails",
    "counters",
    "last_backup",
    "log_volume_fails",
    "logs_kept",
    "replay_speed",
    "space",
    "volume_of",
]

_KEPT_LOGS = 100
_BACKUP_HOUR = 22
_LOOK = timedelta(minutes=10)


class Counters(tuple[int, int, int]):
    """Copied, inspected and replayed logs of one copy at one moment."""

    __slots__ = ()

    @property
    def copied(self) -> int:
        """Newest log that has arrived."""
        return self[0]

    @property
    def inspected(self) -> int:
        """Newest log found whole."""
        return self[1]

    @property
    def replayed(self) -> int:
        """Newest log played into the database."""
        return self[2]


def counters(state: State, database: Database, copy: Copy, when: datetime | None = None) -> Counters:
    """A copy's log counters at a moment (default: now); on the active copy all three are the newest log."""
    now = when or state.now
    stream, tuning = database.stream, state.tuning
    if copy.server.casefold() == database.active.casefold():
        newest = stream.generated(now)
        return Counters((newest, newest, newest))
    passed = max((now - copy.since).total_seconds(), 0.0)

    def behind(seconds: float) -> int:  # what an earlier branch had beyond the newest log of now is not shipped
        return min(stream.generated(now - timedelta(seconds=seconds)), stream.generated(now))

    copied, inspected, replayed = copy.copied, copy.inspected, copy.replayed
    if copy.flowing:
        shipped = int(tuning.ship_logs_per_s * passed)
        copied = max(copied, min(behind(tuning.ship_latency_s), copied + shipped))
        inspected = max(inspected, min(behind(tuning.ship_latency_s + tuning.inspect_s), inspected + shipped))
    else:
        inspected = copied if passed > tuning.inspect_s else inspected
    if copy.replaying:
        speed = replay_speed(state, database, state.servers[copy.server])
        limit = min(inspected, replayed + int(speed * passed))
        if copy.flowing:
            limit = min(limit, behind(tuning.ship_latency_s + tuning.inspect_s + tuning.replay_latency_s))
        if copy.lag_s:
            limit = min(limit, behind(copy.lag_s))
        replayed = max(replayed, limit)
    return Counters((copied, inspected, replayed))


def last_backup(now: datetime) -> datetime:
    """When the nightly full backup last ran."""
    backup = now.replace(hour=_BACKUP_HOUR, minute=0, second=0, microsecond=0)
    return backup - timedelta(days=1) if backup > now else backup


def volume_of(server: Server, path: str) -> Volume | None:
    """The volume with the longest mount point that leads to a path."""
    place = _place(path)
    fitting = [one for one in server.volumes if place.startswith(_place(one.mount))]
    return max(fitting, key=lambda one: len(one.mount), default=None)


@lru_cache(maxsize=4096)
def _place(path: str) -> str:
    """A path as it is compared: asked for thousands of times in a story, and always for the same few."""
    return clean_path(path).casefold() + "\\"


def copy_storage_fails(state: State, database: Database, copy: Copy) -> str:
    """Why a copy's volumes cannot be written, or an empty text."""
    server = state.servers[copy.server]
    for path in (database.log_path, database.edb_path):
        volume = volume_of(server, path)
        if volume is not None and volume.failed:
            return f"volume {volume.mount} does not answer"
        if volume is not None and _full(state, server, volume):
            return f"volume {volume.mount} is full"
    return ""


def log_volume_fails(database: Database, server: Server) -> bool:
    """Whether a database's logs on that server cannot be read any more; a full volume can."""
    volume = volume_of(server, database.log_path)
    return server.power != "on" or volume is None or volume.failed


def replay_speed(state: State, database: Database, server: Server) -> float:
    """Logs a second that a copy there replays: a slow disk makes it slower."""
    speed, limit = state.tuning.replay_logs_per_s, state.tuning.slow_disk_ms
    if all(volume.latency_ms <= limit for volume in server.volumes):
        return speed
    volumes = (volume_of(server, database.edb_path), volume_of(server, database.log_path))
    slowest = max((volume.latency_ms for volume in volumes if volume is not None), default=0.0)
    return speed * limit / max(slowest, limit)


def space(state: State, server: Server, path: str) -> Space | None:
    """Size and free bytes of the volume that a path lies on, or None when the host has no such volume."""
    volume = volume_of(server, path)
    if volume is None:
        return None
    return Space(mount=volume.mount, size=volume.size, free=max(_free(state, server, volume), 0))


def _full(state: State, server: Server, volume: Volume) -> bool:
    """Whether nothing is free; looked at anew every ten minutes, for it fills slowly."""
    if volume.stuffed:
        return True
    key = (server.name, volume.mount)
    looked, full = state.volumes_full.get(key, (None, False))
    if looked is None or state.now - looked >= _LOOK:
        full = _free(state, server, volume) <= 0
        state.volumes_full[key] = (state.now, full)
    return full


def _free(state: State, server: Server, volume: Volume) -> int:
    if volume.stuffed:
        return 0
    used = volume.other
    for database in state.databases:
        copy = database.copies.get(server.name)
        if copy is None:
            continue
        if volume_of(server, database.edb_path) is volume:
            used += (
                database.size if copy.seed is None and copy.files_present else int(copy.seed.done if copy.seed else 0)
            )
        if volume_of(server, database.log_path) is volume:
            used += logs_kept(state, database, copy) * LOG_BYTES
    return volume.size - used


def logs_kept(state: State, database: Database, copy: Copy) -> int:
    """How many log files a copy has on its disk, what was moved away by hand included."""
    lowest = counters(state, database, copy).copied
    for other in database.copies:
        own = counters(state, database, other)
        lowest = min(lowest, max(own.inspected if other.replay_lag_s else own.replayed, other.held_from))
    if not database.circular_logging:
        lowest = min(lowest, database.stream.generated(last_backup(state.now)))
    if copy.lag_s:
        lowest = min(lowest, counters(state, database, copy).replayed)
    if copy.truncation_lag_s:
        lowest = min(lowest, database.stream.generated(state.now - timedelta(seconds=copy.truncation_lag_s)))
    if not copy.files_present:
        return 0
    return max(counters(state, database, copy).copied - lowest, _KEPT_LOGS)

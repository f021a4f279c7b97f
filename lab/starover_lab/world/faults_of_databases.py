"""Faults of databases, their copies and the volumes that these lie on; keeps no list of those in force."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from starover_lab.world.database_parts import CopyError
from starover_lab.world.divergence import diverged_error
from starover_lab.world.entities import Server, Volume
from starover_lab.world.fault_tools import Broken, Kind, Tools
from starover_lab.world.storage import counters

__all__ = ["TABLE"]


def _copy_failed(tools: Tools) -> Broken:
    database, copy = tools.passive()
    reseed = tools.text("reseed", "false").casefold() in ("true", "1", "yes")
    message = tools.text("message") or "The Microsoft Exchange Replication service encountered an error."
    tools.replication.fail(database, copy, CopyError(message, 2070, needs_reseed=reseed))
    return Broken(f"{database.name}\\{copy.server} has failed", lambda: tools.replication.heal(database, copy))


def _log_corrupt(tools: Tools) -> Broken:
    database, copy = tools.passive()
    generation = int(tools.number_of("gen", counters(tools.state, database, copy).inspected))
    log = f"{database.log_path}\\{database.log_prefix}{generation:08X}.log"
    message = f"File check failed : Logfile '{log}' was not found or is damaged"
    tools.replication.fail(database, copy, CopyError(message, 2070, needs_reseed=True))
    return Broken(f"a log of {database.name}\\{copy.server} is damaged", lambda: tools.replication.heal(database, copy))


def _divergence(tools: Tools) -> Broken:
    database, copy = tools.passive()
    logs = int(tools.number_of("logs", tools.number_of("k", 3)))
    tools.replication.settle(database, copy)
    copy.diverged, copy.diverged_at = logs, tools.state.now
    tools.replication.fail(database, copy, diverged_error(database, copy))
    return Broken(
        f"{database.name}\\{copy.server} has {logs} logs of its own", lambda: tools.replication.heal(database, copy)
    )


def _ci_failed(tools: Tools) -> Broken:
    database, copy = tools.copy()
    before, copy.ci_state = copy.ci_state, tools.text("state", "Failed")
    return Broken(
        f"the content index of {database.name}\\{copy.server} is {copy.ci_state}",
        lambda: setattr(copy, "ci_state", before),
    )


def _lastlog_stale(tools: Tools) -> Broken:
    database = tools.database()
    database.stale_log_info = True
    return Broken(f"the last log of {database.name} is not known", lambda: setattr(database, "stale_log_info", False))


def _seed_fail(tools: Tools) -> Broken:
    database, copy = tools.copy()
    key = (database.name.casefold(), copy.server.casefold())
    percent = tools.number_of("at_pct", 50)
    tools.state.seed_failures[key] = percent
    if copy.seed is not None:
        copy.seed.fails_at = copy.seed.total * percent / 100
    return Broken(
        f"seeds of {database.name}\\{copy.server} break at {percent:g} %",
        lambda: (tools.state.seed_failures.pop(key, None), None)[1],
    )


def _where(tools: Tools) -> tuple[Server, str]:
    """The host and the volume: `EX3` with the parameter, or `EX3/D:`; an empty volume is the kind's default."""
    name, _, mount = tools.target.replace("\\", "/").partition("/")
    return replace(tools, target=name).server(), mount or tools.text("volume")


def _volume(flag: str, words: str) -> Callable[[Tools], Broken]:
    def act(tools: Tools) -> Broken:
        server, mount = _where(tools)
        mount = mount or "E:"
        volume = server.volumes.get(mount)
        if volume is None:
            raise tools.fail(f"{server.name} has no volume `{mount}`", [one.mount for one in server.volumes])
        setattr(volume, flag, True)
        return Broken(f"{volume.mount} of {server.name} {words}", lambda: setattr(volume, flag, False))

    return act


def _disk_slow(tools: Tools) -> Broken:
    server, mount = _where(tools)
    slow = [one for one in server.volumes if not mount or one.mount.casefold() == mount.casefold()]
    if not slow:
        raise tools.fail(f"{server.name} has no volume `{mount}`", [one.mount for one in server.volumes])
    latency = tools.number_of("ms", 200)
    before = [(one, one.latency_ms) for one in slow]
    _settle(tools, server.name)
    for volume in slow:
        volume.latency_ms = latency

    def undo() -> None:
        _settle(tools, server.name)
        _restore(before)

    return Broken(f"{', '.join(one.mount for one in slow)} of {server.name} answer after {latency:g} ms", undo)


def _restore(before: list[tuple[Volume, float]]) -> None:
    for volume, latency in before:
        volume.latency_ms = latency


def _settle(tools: Tools, server: str) -> None:
    """Fix how far the copies there have come: from now on they replay at another speed."""
    for database in tools.state.databases:
        copy = database.copies.get(server)
        if copy is not None:
            tools.replication.settle(database, copy)


def _ha_offline(tools: Tools) -> Broken:
    server = tools.server()
    exchange = server.exchange
    if exchange is None:
        known = [one.name for one in tools.state.servers if one.exchange is not None]
        raise tools.fail(f"{server.name} has no Exchange", known)
    exchange.ha_offline = True
    return Broken(
        f"HighAvailability of {server.name} is offline to Active Manager",
        lambda: setattr(exchange, "ha_offline", False),
    )


_COPY = "copy, DB/SERVER"
_DISK = "server, or SERVER/VOLUME"
TABLE = {
    "copy_failed": Kind(
        "a passive copy fails", _COPY, _copy_failed, {"reseed": "true: it needs a seed", "message": "text"}
    ),
    "log_corrupt": Kind("a log of a passive copy is damaged", _COPY, _log_corrupt, {"gen": "which generation"}),
    "divergence": Kind(
        "a passive copy has logs of its own", _COPY, _divergence, {"logs": "how many, 3", "k": "the same"}
    ),
    "ci_failed": Kind("a content index fails", _COPY, _ci_failed, {"state": "default Failed"}),
    "lastlog_stale": Kind("the cluster's data on the last log is too old", "database", _lastlog_stale),
    "seed_fail": Kind("seeds of a copy break", _COPY, _seed_fail, {"at_pct": "percentage, 50"}),
    "disk_full": Kind("a volume is full", _DISK, _volume("stuffed", "is full"), {"volume": "default E:"}),
    "disk_failed": Kind("a volume fails", _DISK, _volume("failed", "has failed"), {"volume": "default E:"}),
    "disk_slow": Kind(
        "disks answer slowly", _DISK, _disk_slow, {"volume": "which one, all", "ms": "a read takes so long, 200"}
    ),
    "ha_component_offline": Kind(
        "Active Manager holds HighAvailability for offline, and Active is printed", "Exchange server", _ha_offline
    ),
}
"""By name."""

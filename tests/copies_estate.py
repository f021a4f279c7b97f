"""Hosts made of functions that keep database copies: AD that lags, seeds that take time and break."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec
from dag_facts import status
from function_hosts import FunctionHosts
from placements import GB, pair, place

from starover.estate import Estate, Exchange, Server
from starover.names import CopyId
from starover.testing import ManualClock, PowerShellError

ZONES = {"EX1": "1a", "EX2": "1a", "EX3": "1b", "EX4": "1b"}
ESTATE = Estate(
    name="copies",
    lab=True,
    servers=tuple(
        Server(
            name=name,
            fqdn=f"{name}.example.com",
            roles=("mailbox",),
            az=az,
            site=az.upper(),
            exchange=Exchange(version="15.2.2562.37"),
            credential="env:OPERATOR",
        )
        for name, az in ZONES.items()
    ),
)
PACE = 60_000_000


@dataclass
class Copy:
    """A passive copy, or the active one."""

    state: str
    seeded_at: datetime | None = None
    """When its seed will be done; None: no seed."""
    barred: bool = False
    lag: timedelta = timedelta(0)
    message: str = ""
    source: str = ""


@dataclass
class Database:
    """Its copies in the order of preference; the first one that is Mounted is active."""

    copies: dict[str, Copy]
    size: int = 60 * GB


@dataclass
class World:
    """What scripts read and change."""

    databases: dict[str, Database]
    clock: ManualClock = field(default_factory=ManualClock)
    ad_lag: float = 180.0
    known: dict[str, dict[str, set[str]]] = field(default_factory=dict[str, dict[str, set[str]]])
    """By domain controller and database, who has a copy."""
    breaks: int = 0
    """How many seeds break off half-way."""
    seeds: list[tuple[str, str, datetime]] = field(default_factory=list[tuple[str, str, datetime]])
    """Copy, source and time of each seed begun."""
    sets: list[str] = field(default_factory=list[str])
    """Every preference that was set."""
    free: int = 400 * GB
    policy: dict[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        for dc in ("DC1", "DC2"):
            self.known[dc] = {name: set(one.copies) for name, one in self.databases.items()}

    @staticmethod
    def dc(host: str) -> str:
        return "DC1" if ZONES[host] == "1a" else "DC2"

    def spread(self, host: str, name: str) -> None:
        """AD learns which copies there are: the host's own controller at once, the other later."""
        servers = set(self.databases[name].copies)
        for dc in self.known:
            if dc == self.dc(host):
                self.known[dc][name] = servers
            else:
                self.clock.after(self.ad_lag, lambda dc=dc: self.known[dc].__setitem__(name, servers))

    def placement(self, host: str, name: str) -> Any:
        found = next((one for one in self.databases if one.casefold() == name.casefold()), None)
        if found is None:
            return place(found=False)
        database = self.databases[found]
        self._settle()
        copies = [
            status(
                server,
                one.state,
                activation_suspended=one.barred,
                error_message=one.message,
                replay_lag=f"Configured:{one.lag.days}.00:00:00; MaxDelay:1.00:00:00",
            )
            for server, one in database.copies.items()
            if server in self.known[self.dc(host)][found]
        ]
        made = place(*copies, name=found, size=database.size)
        lags = tuple(pair(one.server, f"{database.copies[one.server].lag.days}.00:00:00") for one in copies)
        return msgspec.structs.replace(made, replay_lags=lags)

    def _settle(self) -> None:
        for database in self.databases.values():
            for one in database.copies.values():
                if one.state == "Seeding" and one.seeded_at is not None and self.clock.now() >= one.seeded_at:
                    one.state, one.seeded_at, one.barred = ("Healthy", None, False)
                    if self.breaks:
                        self.breaks -= 1
                        one.state, one.message = "FailedAndSuspended", "The seeding operation failed: TcpChannel"

    def view(self, host: str, database: str) -> Any:
        found = self.placement(host, database)
        one = self.databases[found.name].copies.get(host) if found.found else None
        return plain(
            {
                "host": host,
                "placement": found,
                "servers": self.servers(),
                "volumes": self.volumes(),
                "files": one is not None and one.state not in ("Suspended", "FailedAndSuspended", "Seeding"),
                "seeds": [{"server": host, "status": self.progress(found.name, one)}] if one else [],
            }
        )

    def progress(self, name: str, one: Copy) -> str:
        if one.seeded_at is None:
            return ""
        size = self.databases[name].size
        left = (one.seeded_at - self.clock.now()).total_seconds() * PACE
        return f"Percentage:{100 - int(100 * left / size)}; Read:x ({max(0, int(size - left)):,} bytes); Written:"

    def servers(self) -> list[dict[str, str]]:
        build = "Version 15.2 (Build 2562.37)"
        return [
            {"name": name, "dag": "DAG1", "build": build, "policy": self.policy.get(name, "Unrestricted")}
            for name in ZONES
        ]

    def volumes(self) -> list[dict[str, Any]]:
        return [{"name": f"{letter}:\\", "capacity": 500 * GB, "free": self.free} for letter in "CDE"]

    def add(self, host: str, database: str, server: str, preference: int | None, **more: Any) -> None:
        copies = self.databases[database].copies
        if self.known[self.dc(host)][database] != set(copies):
            raise PowerShellError("the domain controller does not know all copies yet")
        if preference is not None and preference > len(copies) + 1:
            raise PowerShellError("activation preference out of range")
        items = list(copies.items())
        made = Copy("Suspended", barred=True)
        if more.get("replay_lag"):
            made.lag = timedelta(seconds=float(str(more["replay_lag"]).rstrip("s")))
        items.insert(len(items) if preference is None else preference - 1, (server, made))
        self.databases[database].copies = dict(items)
        self.spread(host, database)

    def seed(self, host: str, identity: str, source: str, **_: Any) -> None:
        copy = CopyId.parse(identity)
        copies = self.databases[copy.database].copies
        one = copies[copy.server]
        assert copy.server == host
        assert one.state != "Mounted"
        if one.state not in ("Suspended", "FailedAndSuspended", "Failed"):
            return
        giver = source or next(server for server, other in copies.items() if other.state == "Mounted")
        assert copies[giver].state in ("Mounted", "Healthy")
        assert not any(other.state == "Seeding" for other in copies.values()), "two seeds of one database"
        self.seeds.append((str(copy), giver, self.clock.now()))
        one.state, one.message, one.source = "Seeding", "", giver
        one.seeded_at = self.clock.now() + timedelta(seconds=self.databases[copy.database].size / PACE)

    def order(self, host: str, database: str, order: list[str], **_: Any) -> None:
        for place_, text in enumerate(order):
            copies = list(self.databases[database].copies.items())
            server = CopyId.parse(text).server
            at = [name for name, _ in copies].index(server)
            if at != place_:
                copies.insert(place_, copies.pop(at))
                self.databases[database].copies = dict(copies)
                self.sets.append(f"{database}/{server}={place_ + 1}")
        self.spread(host, database)

    def bar(self, host: str, identity: str, **_: Any) -> None:
        del host
        copy = CopyId.parse(identity)
        self.databases[copy.database].copies[copy.server].barred = True

    def unbar(self, host: str, identity: str, **_: Any) -> None:
        del host
        copy = CopyId.parse(identity)
        self.databases[copy.database].copies[copy.server].barred = False

    def lags(self, host: str, identity: str, replay_lag: str | None, **_: Any) -> None:
        del host
        copy = CopyId.parse(identity)
        if replay_lag is not None:
            seconds = float(replay_lag.rstrip("s"))
            self.databases[copy.database].copies[copy.server].lag = timedelta(seconds=seconds)

    def remove(self, host: str, identity: str, **_: Any) -> None:
        copy = CopyId.parse(identity)
        del self.databases[copy.database].copies[copy.server]
        self.spread(host, copy.database)

    def templates(self) -> Mapping[str, Callable[..., object]]:
        return {
            "database/placement.ps1.j2": lambda host, database, **_: plain(self.placement(host, database)),
            "database/placements.ps1.j2": lambda host, databases: plain(
                {"databases": [self.placement(host, name) for name in databases]}
            ),
            "database/on_controller.ps1.j2": lambda host, database, controller: {
                "servers": sorted(self.known[controller.partition(".")[0]][database])
            },
            "copy/host.ps1.j2": lambda host, database, **_: self.view(host, database),
            "copy/of_database.ps1.j2": lambda host, database, **_: plain(
                {"copies": self.placement(host, database).copies}
            ),
            "server/volumes.ps1.j2": lambda host: {"volumes": self.volumes()},
            "server/policies.ps1.j2": lambda host, **_: {"servers": self.servers()},
            "server/set_policy.ps1.j2": lambda host, server, policy: self.policy.update({server: policy}),
            "server/directory.ps1.j2": lambda host, name: {
                "site": ZONES[name].upper(),
                "controllers": [f"{self.dc(name)}.example.com"],
            },
            "server/transport_config.ps1.j2": lambda host: {"safetyNetHold": "2.00:00:00"},
            "copy/add.ps1.j2": self.add,
            "copy/seed.ps1.j2": self.seed,
            "copy/preferences.ps1.j2": self.order,
            "copy/block.ps1.j2": self.bar,
            "copy/resume.ps1.j2": self.unbar,
            "copy/lags.ps1.j2": self.lags,
            "copy/remove.ps1.j2": self.remove,
        }


def plain(value: object) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))


def pairs() -> World:
    """The guide's two databases, each on one server."""
    return World({"DB1": Database({"EX1": Copy("Mounted")}, 40 * GB), "DB2": Database({"EX3": Copy("Mounted")})})


@dataclass
class Site(FunctionHosts):
    """A folder with plans and runs against a world."""

    world: World = field(default_factory=pairs)
    estate = ESTATE

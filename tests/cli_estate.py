"""A small estate of fake hosts behind the command line: four members, two databases, the real content, no wire."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from click.testing import CliRunner, Result
from starover_cli.main import main
from starover_cli.room import Parts
from starover_cli.settings import Settings

from starover.clock import Clock
from starover.content import Content, find
from starover.estate import Dag, Estate, Exchange, Server
from starover.testing import FakeFault, FakeTransport, ManualClock, PowerShellError
from starover.transport import Transport

ZONES = {"EX1": "eu-west-1a", "EX2": "eu-west-1a", "EX3": "eu-west-1b", "EX4": "eu-west-1b"}
ORDER = {"DB01": ("EX1", "EX3", "EX2"), "DB02": ("EX2", "EX4", "EX1")}
CONTENT = find()


def servers() -> tuple[Server, ...]:
    members = [
        Server(
            name=name,
            fqdn=f"{name}.example.com",
            roles=("mailbox",),
            az=zone,
            exchange=Exchange(version="15.2.2562.37", provider="snapin", allow_unsupported_snapin=True),
        )
        for name, zone in ZONES.items()
    ]
    others = [
        Server(name="DC1", fqdn="DC1.example.com", roles=("dc",), az="eu-west-1a"),
        Server(name="FSW3", fqdn="FSW3.example.com", roles=("witness",), az="eu-west-1c"),
    ]
    return (*members, *others)


@dataclass
class Hosts:
    """The state behind the fake templates."""

    lab: bool = True
    suspended: dict[tuple[str, str], str] = field(default_factory=dict)
    """(database, server) -> comment."""
    stuck: bool = False
    """Suspending does nothing, so that verification fails."""
    dac: str = "DagOnly"
    down: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        templates: dict[str, Callable[..., object]] = {
            "server/hello.ps1.j2": lambda host: {"name": host, "bootTime": "2026-11-01T03:00:00Z"},
            "cluster/state.ps1.j2": self.cluster,
            "dag/state.ps1.j2": self.dag,
            "database/list.ps1.j2": self.databases,
            "copy/on_server.ps1.j2": lambda host, name: {"copies": [c for c in self.copies() if c["server"] == name]},
            "copy/of_database.ps1.j2": self.of_database,
            "copy/suspend.ps1.j2": self.suspend,
            "copy/resume.ps1.j2": self.resume,
            "server/replication_health.ps1.j2": lambda host, name: {
                "checks": [{"name": "ClusterService", "result": "Passed", "error": ""}]
            },
            "server/components.ps1.j2": lambda host, name: {"components": []},
            "server/services.ps1.j2": lambda host, name: {"notRunning": []},
            "server/volumes.ps1.j2": lambda host: {"volumes": [{"name": "D:", "capacity": 100, "free": 60}]},
        }
        self.transport = FakeTransport(templates)
        self.clock = ManualClock()
        self.estate = Estate(
            name="pa-4x2",
            lab=self.lab,
            servers=servers(),
            dags=(Dag(name="DAG1", members=tuple(ZONES), witness="FSW3"),),
        )
        for host in self.down:
            self.transport.fail(FakeFault("silent", host=host, times=-1))

    def cluster(self, host: str) -> object:
        return {
            "name": "DAG1",
            "dynamicQuorum": True,
            "witnessWeight": 1,
            "witnessState": "Online",
            "nodes": [
                {"name": name, "state": "Up", "information": "Normal", "weight": 1, "dynamic": 1} for name in ZONES
            ],
        }

    def dag(self, host: str, dag: str) -> object:
        return {
            "name": dag,
            "members": list(ZONES),
            "witnessServer": "FSW3.example.com",
            "witnessDirectory": "C:\\DAG",
            "alternateServer": "",
            "witnessShare": "Primary",
            "activationMode": self.dac,
            "activeManager": "EX3",
            "started": [],
            "stopped": [],
        }

    def databases(self, host: str) -> object:
        def pairs(order: tuple[str, ...]) -> list[dict[str, str]]:
            return [
                {"key": name, "name": name, "value": str(position), "text": f"[{name}, {position}]"}
                for position, name in enumerate(order, 1)
            ]

        return {
            "databases": [
                {
                    "name": name,
                    "mounted": True,
                    "server": order[0],
                    "preferences": pairs(order),
                    "lags": [],
                    "circularLogging": False,
                    "logFolder": f"E:\\{name}",
                }
                for name, order in ORDER.items()
            ]
        }

    def copies(self) -> list[dict[str, object]]:
        return [
            {
                "identity": f"{database}\\{server}",
                "database": database,
                "server": server,
                "status": "Mounted"
                if position == 1
                else "Suspended"
                if (database, server) in self.suspended
                else "Healthy",
                "active": position == 1,
                "activationSuspended": (database, server) in self.suspended,
                "suspendComment": self.suspended.get((database, server), ""),
                "preference": position,
                "copyQueue": 0,
                "replayQueue": 0,
                "contentIndex": "NotApplicable",
                "replayLag": "Enabled:False; Configured:00:00:00; MaxDelay:1.00:00:00; Actual:00:00:00",
                "errorMessage": "",
            }
            for database, order in ORDER.items()
            for position, server in enumerate(order, 1)
        ]

    def of_database(self, host: str, database: str, **rest: object) -> object:
        found = [copy for copy in self.copies() if copy["database"] == database]
        if not found:
            raise PowerShellError(f"The database '{database}' does not exist.", fqid="NotFound")
        return {"copies": found}

    def suspend(self, host: str, identity: str, comment: str, **rest: object) -> None:
        database, server = identity.split("/")
        if not self.stuck:
            self.suspended[database, server] = comment

    def resume(self, host: str, identity: str, **rest: object) -> None:
        database, server = identity.split("/")
        self.suspended.pop((database, server), None)


class FakeParts(Parts):
    """The command line's pieces, made of fakes."""

    def __init__(self, hosts: Hosts) -> None:
        self.hosts = hosts

    def estate(self, settings: Settings) -> tuple[Estate, Path]:
        return self.hosts.estate, Path("inventory.yaml")

    def content(self, settings: Settings) -> Content:
        return find(settings.home) if settings.home else CONTENT

    def transport(self, estate: Estate, file: Path, clock: Callable[[], Clock]) -> Transport:
        return self.hosts.transport

    def clock(self, estate: Estate, file: Path) -> Clock:
        return self.hosts.clock


def starover(hosts: Hosts, folder: Path, *line: str, typed: str = "") -> Result:
    """Type one line."""
    settings = Settings(parts=FakeParts(hosts))
    return CliRunner().invoke(main, ["--dir", str(folder), *line], obj=settings, input=typed)


def typing(hosts: Hosts, folder: Path, *always: str) -> Callable[..., Result]:
    """Somebody who types lines at one prompt, `always` before each."""
    return partial(starover, hosts, folder, *always)

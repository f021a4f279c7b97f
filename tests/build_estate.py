"""Hosts made of functions on which a DAG can be built: AD that lags, a cluster, witnesses. What runs need, no more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from dag_objects import ABSENT, cluster, dag
from function_hosts import FunctionHosts

from starover.estate import Estate, Exchange, Forest, Server, Site
from starover.testing import ManualClock, PowerShellError

ETS = "EXAMPLE\\Exchange Trusted Subsystem"


def _server(name: str, role: str, az: str, number: int) -> Server:
    return Server(
        name=name,
        fqdn=f"{name}.example.com",
        roles=(role,),  # type: ignore[arg-type]
        az=az,
        site=f"AZ{'abc'.index(az[-1]) + 1}",
        address=f"10.0.{32 * 'abc'.index(az[-1])}.{number}",
        subnet=f"10.0.{32 * 'abc'.index(az[-1])}.0/24",
        exchange=Exchange(version="15.2.2562.37") if role == "mailbox" else None,
        credential="env:OPERATOR",
    )


ESTATE = Estate(
    name="built",
    lab=True,
    region="eu-west-1",
    forest=Forest(name="example.com", netbios="EXAMPLE"),
    sites=tuple(Site(name=f"AZ{n}", az=f"1{az}") for n, az in enumerate("abc", 1)),
    servers=(
        _server("DC1", "dc", "1a", 10),
        _server("DC2", "dc", "1b", 10),
        _server("EX1", "mailbox", "1a", 11),
        _server("EX2", "mailbox", "1b", 11),
        _server("EX3", "mailbox", "1b", 12),
        _server("FS1", "witness", "1a", 20),
        _server("FS3", "witness", "1c", 20),
    ),
)


@dataclass
class World:
    """The state that scripts read and change."""

    members: list[str] = field(default_factory=list[str])
    there: bool = False
    fields: dict[str, Any] = field(default_factory=dict[str, Any])
    """Of the DAG's AD object."""
    late: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """What DC2 knows; DC1 knows at once."""
    lag: float = 60.0
    admins: dict[str, list[str]] = field(default_factory=lambda: {"FS1": [], "FS3": []})
    open: set[str] = field(default_factory=set[str])
    features: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    share: str = "Primary"
    """Of an even DAG; made `InvalidConfiguration` while Exchange has no rights on the witness."""
    host: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """What is odd about a host, by template."""
    ill: set[str] = field(default_factory=set[str])
    """Members whose replication checks fail."""
    clock: ManualClock = field(default_factory=ManualClock)

    def spread(self) -> None:
        """Let DC2 learn what DC1 knows."""
        known = {"found": self.there, "members": tuple(self.members), "mode": self.fields.get("activation_mode", "Off")}
        self.clock.after(self.lag, lambda: self.late.update(dag=known))

    def facts(self, host: str, **_: Any) -> object:
        if not self.there:
            return ABSENT
        sees = host in self.members
        even = bool(self.members) and len(self.members) % 2 == 0
        return _dag(
            *self.members,
            cluster=cluster(*self.members, share=f"\\\\{self.fields['witness_server']}\\DAG1") if sees else None,
            witness_share=(self.share if self.permitted else "InvalidConfiguration") if even else "None",
            **self.fields,
        )

    @property
    def permitted(self) -> bool:
        return ETS in self.admins[str(self.fields["witness_server"]).partition(".")[0]]

    def create(self, host: str, **arguments: Any) -> None:
        del host
        self.there = True
        self.fields = {
            "witness_server": arguments["witness_server"],
            "witness_directory": arguments["witness_directory"],
            "activation_mode": "Off",
        }
        self.spread()

    def remove(self, host: str, **_: Any) -> None:
        del host
        if self.members:
            raise PowerShellError("it has members")
        self.there = False
        self.spread()

    def add(self, host: str, server: str, **_: Any) -> None:
        del host
        if not self.there:
            raise PowerShellError("there is no such DAG")
        controller = "DC1" if server == "EX1" else "DC2"
        known = self.late.get("dag", {"members": ()})["members"] if controller == "DC2" else tuple(self.members)
        assert set(known) == set(self.members), f"{server} joined past members that {controller} does not know"
        self.members.append(server)
        self.spread()

    def leave(self, host: str, server: str, **_: Any) -> None:
        del host
        self.members.remove(server)
        self.spread()

    def set(self, **fields: Any) -> None:
        self.fields |= fields
        self.spread()

    def on_controller(self, host: str, controller: str, **_: Any) -> object:
        del host
        known = {"found": self.there, "members": tuple(self.members), "mode": self.fields.get("activation_mode", "Off")}
        if controller.startswith("DC2"):
            known = self.late.get("dag", {"found": False, "members": (), "mode": ""})
        return {"found": known["found"], "members": known["members"], "activationMode": known["mode"]}

    def machine(self, host: str) -> object:
        base = {
            "version": "10.0.20348", "caption": "Windows Server 2022 Datacenter", "sku": 8, "domain": "example.com",
            "partOfDomain": True, "role": 3, "cores": 8, "utc": self.clock.now().isoformat(),
        }  # fmt: skip
        return base | self.host.get(host, {})

    def adapters(self, host: str) -> object:
        server = next(one for one in ESTATE.servers if one.name == host)
        address = self.host.get(host, {}).get("address", server.address)
        return {
            "adapters": [
                {
                    "name": "Ethernet", "gateways": ["10.0.0.1"], "dns": ["10.0.0.10", "10.0.32.10"], "registers": True,
                    "addresses": [{"address": address, "prefix": 24, "family": "IPv4", "origin": "Dhcp"}],
                    "bindings": ["ms_msclient", "ms_server", "ms_tcpip", "ms_tcpip6"], "metric": 5, "routes": [],
                }
            ]
        }  # fmt: skip

    def install(self, host: str, feature: str, **_: Any) -> None:
        self.features[host, feature] = "Installed"

    def feature(self, host: str, feature: str) -> str:
        return self.features.get((host, feature), "Available")

    def templates(self) -> Mapping[str, Callable[..., object]]:
        ex = {"version": "Version 15.2 (Build 2562.37)", "file": "15.02.2562.037", "edition": "Enterprise", "dag": ""}
        return {
            "dag/facts.ps1.j2": self.facts,
            "dag/create.ps1.j2": self.create,
            "dag/remove.ps1.j2": self.remove,
            "dag/add_server.ps1.j2": self.add,
            "dag/remove_server.ps1.j2": self.leave,
            "dag/on_controller.ps1.j2": self.on_controller,
            "dag/set_witness.ps1.j2": lambda host, server, directory, **_: self.set(
                witness_server=server, witness_directory=directory
            ),
            "dag/set_alternate_witness.ps1.j2": lambda host, server, directory, **_: self.set(
                alternate_server=server, alternate_directory=directory
            ),
            "dag/activation_mode.ps1.j2": lambda host, mode, **_: self.set(activation_mode=mode),
            "dag/quorum_model.ps1.j2": lambda host, **_: None,
            "server/directory.ps1.j2": lambda host, name, **_: {
                "site": f"example.com/Configuration/Sites/{self.site(name)}",
                "controllers": ["DC1.example.com" if self.site(name) == "AZ1" else "DC2.example.com"],
            },
            "feature/state.ps1.j2": lambda host, feature, **_: {"state": self.feature(host, feature)},
            "feature/states.ps1.j2": lambda host, names, **_: {
                "features": [{"name": name, "state": self.feature(host, name)} for name in names]
            },
            "feature/install.ps1.j2": self.install,
            "witness/administrators.ps1.j2": lambda host, **_: {"members": self.admins[host]},
            "witness/add_administrator.ps1.j2": lambda host, member, **_: self.admins[host].append(member),
            "witness/remove_administrator.ps1.j2": lambda host, member, **_: self.admins[host].remove(member),
            "witness/firewall.ps1.j2": lambda host, **_: {"rules": [{"name": "SMB", "enabled": host in self.open}]},
            "witness/open_firewall.ps1.j2": lambda host, **_: self.open.add(host),
            "witness/close_firewall.ps1.j2": lambda host, names, **_: self.open.discard(host),
            "network/probe.ps1.j2": lambda host, address, ports, **_: {
                "open": list(ports) if address.partition(".")[0] in self.open else []
            },
            "preflight/host.ps1.j2": self.machine,
            "network/adapters.ps1.j2": self.adapters,
            "network/ping.ps1.j2": lambda host, names, **_: {
                "trips": [{"name": name, "average": self.host.get(host, {}).get("trip", 2)} for name in names]
            },
            "server/exchange.ps1.j2": lambda host, name, **_: ex,
            "server/replication_health.ps1.j2": lambda host, **_: {
                "checks": [
                    {"name": "ClusterService", "result": "*FAILED*" if host in self.ill else "Passed", "error": ""},
                    {"name": "DatabaseRedundancy", "result": "*FAILED*", "error": "one copy"},
                ]
            },
            "server/all.ps1.j2": lambda host, **_: {"servers": []},
            "database/list.ps1.j2": lambda host, **_: {"databases": []},
            "cluster/groups.ps1.j2": lambda host, **_: {"groups": []},
            "ad/controllers.ps1.j2": lambda host, **_: {
                "controllers": [
                    {"name": f"DC{n}.example.com", "site": f"AZ{n}", "catalog": True, "readOnly": False} for n in (1, 2)
                ]
            },
            "ad/subnets.ps1.j2": lambda host, **_: {
                "subnets": [{"name": s.subnet, "site": f"CN={s.site},CN=Sites"} for s in ESTATE.servers]
            },
            "ad/replication.ps1.j2": lambda host, **_: {"partners": []},
        }

    @staticmethod
    def site(name: str) -> str:
        return next(server.site for server in ESTATE.servers if server.name == name)


def _dag(*members: str, **fields: Any) -> object:
    """As the template prints it: `dag` gives what it is decoded to."""
    return msgspec.json.decode(msgspec.json.encode(dag(*members, **fields)))


@dataclass
class Place(FunctionHosts):
    """A folder with plans and runs against a world."""

    world: World = field(default_factory=World)
    estate = ESTATE

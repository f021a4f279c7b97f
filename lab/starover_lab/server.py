"""The lab as a process: world, sessions, listeners of all hosts, control and the files that clients need."""

from __future__ import annotations

import asyncio
import http.client
import logging
import secrets
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from starover.errors import Mistake
from starover_lab import written
from starover_lab.aws.port import AwsPort
from starover_lab.client_ports import ClientPorts
from starover_lab.cloud.api import Cloud
from starover_lab.control import Control
from starover_lab.dns_server import DnsListener
from starover_lab.farm.port import FarmPort
from starover_lab.farm.zapi import Zapi, key_of
from starover_lab.pump import PATIENCE, Pump
from starover_lab.tls import Authority
from starover_lab.wire import auth
from starover_lab.wire.endpoint import Endpoint
from starover_lab.wire.host import Host, Options
from starover_lab.world.entities import Server
from starover_lab.world.events import Event
from starover_lab.world.world import World

__all__ = ["LabServer", "Ready", "refuse_second", "run"]

_LOG = logging.getLogger(__name__)
_ADDRESS = "127.0.0.1"
_SHORT_PATIENCE = 0.4
"""While a port is refused the lab does not see who tries it, and must guess sooner that somebody did."""


@dataclass(frozen=True)
class Ready:
    """What a caller is told when everything listens."""

    name: str
    servers: int
    folder: Path
    url: str


@dataclass(eq=False)
class LabServer:
    """One lab. Everything runs in the loop that called `start`."""

    world: World
    endpoint: Endpoint
    folder: Path
    options: Options = field(default_factory=Options)

    def __post_init__(self) -> None:
        self.topology = self.world.topology
        self.pump = Pump(self.world.scheduler)
        self.aws = AwsPort(Cloud(self.world, self.endpoint), self.pump)
        self._hosts: dict[str, Host] = {}
        self._dns = [DnsListener(name, self.world.dns) for name in self.world.dns.servers()]
        self._token = secrets.token_urlsafe(24)
        self._control = Control(self, self._token)
        self._client_ports: ClientPorts | None = None
        names = dict.fromkeys(one.balancer for one in self.world.state.farms)
        self._zapis = [Zapi(self.world, name) for name in names]
        self._farm_ports: list[FarmPort] = []
        self._stop = asyncio.Event()
        self._following: set[asyncio.Task[None]] = set()

    @property
    def name(self) -> str:
        """The topology's name."""
        return self.topology.name

    @property
    def hosts(self) -> Mapping[str, Host]:
        """The hosts on the line, by name."""
        return self._hosts

    async def start(self) -> Ready:
        """Listen everywhere, then write the files. Raises `Mistake` and `OSError`."""
        authority = Authority(f"starover lab {self.name}")
        for spec in self.topology.servers:
            fqdn = self.world.server(spec.name).fqdn
            tls = authority.server([fqdn, spec.name, "localhost"], [_ADDRESS])
            host = Host(spec.name, self.endpoint, self.pump, address=_ADDRESS, tls=tls, options=self.options, fqdn=fqdn)
            self._hosts[spec.name] = host
            await host.start()
            await host.follow()
        for dns in self._dns:
            await dns.serve()
        self._client_ports = ClientPorts(self.world, authority, self._behind)
        await self._client_ports.serve()
        for zapi in self._zapis:
            known = [one.fqdn for one in self.topology.balancers if one.name == zapi.name and one.fqdn]
            port = FarmPort(zapi, self.pump, authority, known or [zapi.name], self.world.state.tuning.aws_call_s)
            self._farm_ports.append(port)
            await port.serve()
        await self._control.listener.serve()
        self.aws.serve()
        self.pump.afterwards.append(self._follow)
        self.world.state.log.after.append(self._on_event)
        users = list(self.world.state.accounts)
        if not users:
            raise Mistake("the topology has no account", certain=("nothing was started",))
        url = self._control.url
        lab = written.lab_json(self.world, self._hosts, self._dns, users, url, self._token)
        lab["ports"] = [
            {"address": place.address, "port": place.port, "at": at} for place, at in self._client_ports.at.items()
        ]
        lab["aws"] = {"url": self.aws.url, "region": self.topology.region}
        apis = {port.zapi.name: port.url for port in self._farm_ports}
        lab["keys"] = [{"name": name, "key": key_of(self.world, name)} for name in apis]
        estate = written.estate(self.world, self._hosts, apis)
        written.write(self.folder, estate, f"lab:{users[0].down_level}", authority.pem, lab)
        return Ready(self.name, len(self._hosts), self.folder, url)

    async def until_down(self) -> None:
        """Return when somebody has asked for the end."""
        await self._stop.wait()

    def down(self) -> None:
        """End soon: the one who asked still gets an answer."""
        asyncio.get_running_loop().call_later(0.05, self._stop.set)

    def close(self) -> None:
        """Close everything and take the files away."""
        written.remove(self.folder)
        self.pump.close()
        for task in self._following:
            task.cancel()
        for host in self._hosts.values():
            host.close()
        for dns in self._dns:
            dns.close()
        if self._client_ports is not None:
            self._client_ports.close()
        for port in self._farm_ports:
            port.close()
        self._control.listener.close()
        self.aws.close()
        auth.forget()

    def _behind(self, address: str, port: int) -> Sequence[Server] | None:
        """The hosts that get connections to an address of any balancer; None: none has a listener there."""
        found = (
            one(address, port) for one in (self.aws.cloud.balancing.behind, *(zapi.behind for zapi in self._zapis))
        )
        return next((one for one in found if one is not None), None)

    def _on_event(self, event: Event) -> None:
        """A host that goes off takes its shells and what runs in them along, at that very moment."""
        host = self._hosts.get(event.subject)
        if event.kind == "host_off" and host is not None:
            host.service.close()

    def _follow(self) -> None:
        refused = any(host.line() == "refused" for host in self._hosts.values())
        self.pump.patience = _SHORT_PATIENCE if refused else PATIENCE
        for host in self._hosts.values():
            if host.out_of_step:
                task = asyncio.ensure_future(host.follow())
                self._following.add(task)
                task.add_done_callback(self._following.discard)


def refuse_second(folder: Path) -> None:
    """Raises `Mistake` when a lab of this folder answers; one that died without a word is forgotten."""
    try:
        lab = msgspec.json.decode((folder / written.LAB).read_bytes(), type=_Known)
    except (OSError, msgspec.MsgspecError):
        return
    address = urlsplit(lab.control.url)
    line = http.client.HTTPConnection(address.hostname or "", address.port, timeout=2)
    try:
        line.request("GET", "/v1/clock", headers={"Authorization": f"Bearer {lab.control.token}"})
        alive = line.getresponse().status == 200
    except TimeoutError:  # somebody listens there: it calculates
        alive = True
    except (OSError, http.client.HTTPException):
        alive = False
    finally:
        line.close()
    if alive:
        raise Mistake(
            f"the lab {lab.name} is up in {folder} already",
            certain=("it goes on as it was",),
            next=("starover lab down", "or give the new one another folder: --dir DIR"),
        )
    written.remove(folder)


class _KnownControl(msgspec.Struct):
    url: str
    token: str


class _Known(msgspec.Struct):
    name: str
    control: _KnownControl


async def run(
    make: Callable[[], LabServer], ready: Callable[[Ready], None], *, signals: Sequence[signal.Signals] = ()
) -> None:
    """Bring a lab up, tell `ready`, and take it down when asked to, by control or by one of the signals."""
    lab = make()
    loop = asyncio.get_running_loop()
    for one in signals:
        loop.add_signal_handler(one, lab.down)
    try:
        ready(await lab.start())
        await lab.until_down()
    finally:
        lab.close()

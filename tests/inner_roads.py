"""The lab in process over roads: the product's own Run Command and its own way from road to road, without sockets.

The road `ssm` is `starover.transport.ssm` on the lab's cloud; boto3 is left out, and HTTP. The road `psrp` is whatever
`inner_lab` has. Nothing is known here of any runbook.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from queue import SimpleQueue
from typing import Any, Protocol, TypeVar, cast

import msgspec
from botocore.exceptions import ClientError
from starover_lab.cloud.api import Cloud

from starover import envelope
from starover.clock import Clock
from starover.errors import ConnectFailed, ReplyLost, StaroverError
from starover.estate import Estate, Road, Server
from starover.transport import Answer, Script, Transport
from starover.transport.aws import Clients
from starover.transport.rate import Rate
from starover.transport.route import RoutedTransport
from starover.transport.ssm import SsmTransport

__all__ = ["BEHIND", "VIPS", "Roads", "with_roads"]

BEHIND = 'name: behind\nextends: aws-2az-nodac\ntuning: {ship_latency_s: "30"}\n'
VIPS = """name: vips
extends: pa-4x2
balancers: [{name: vips, kind: zevenet, addresses: [10.0.0.50, 10.0.32.50]}]
client_names: [{name: mail.example.com, balancer: vips, dag: DAG1}]
dns_records:
  - {name: mail.example.com, data: 10.0.0.50, ttl: 300s}
  - {name: mail.example.com, data: 10.0.32.50, ttl: 300s}
"""
"""Topologies of S20 (copies lack three logs at any moment) and of S18."""

T = TypeVar("T")


class World(Protocol):
    """Whoever does things in the world's thread."""

    def now(self, act: Callable[[], T]) -> T:
        """Do something there and give its result."""
        ...


class Inner(Protocol):
    """The transport in process (`inner_lab.InnerTransport`)."""

    cloud: Cloud
    asked: set[tuple[str, str]]
    accident: Callable[[Script], str | None]
    sent: list[Script]
    ran: Any

    def run(self, batch: Sequence[Script], /) -> Iterator[Answer]: ...
    def secrets(self) -> Sequence[str]: ...
    def close(self) -> None: ...


def with_roads(estate: Estate, kinds: Sequence[str], *, snapin: bool) -> Estate:
    """The same estate with these roads to every host; with `snapin` Exchange is asked as LocalSystem may ask it."""

    def change(server: Server) -> Server:
        roads = tuple(Road(kind=cast(Any, kind)) for kind in kinds)
        exchange = server.exchange
        if exchange is not None and snapin:
            exchange = msgspec.structs.replace(exchange, provider="snapin", allow_unsupported_snapin=True)
        return msgspec.structs.replace(server, roads=roads, exchange=exchange)

    return msgspec.structs.replace(estate, servers=tuple(change(server) for server in estate.servers))


class _Client:
    """One service, as boto3's client of it."""

    def __init__(self, world: World, inner: Inner, service: str) -> None:
        self._world, self._inner, self._service = world, inner, service

    def __getattr__(self, operation: str) -> Callable[..., object]:
        def call(**parameters: object) -> object:
            self._inner.asked.add((self._service, operation))
            answer = self._world.now(lambda: self._inner.cloud.answer(self._service, operation, parameters))
            if "error" in answer:
                error = cast("Mapping[str, object]", answer["error"])
                told = {"Code": str(error["code"]), "Message": str(error["message"])}
                raise ClientError({"Error": told, "ResponseMetadata": {"HTTPStatusCode": 400}}, operation)  # type: ignore[typeddict-item]
            return answer["reply"]

        return call


class _Clients:
    """As `starover.transport.aws.Clients`."""

    def __init__(self, world: World, inner: Inner) -> None:
        self._world, self._inner = world, inner

    def of(self, service: str, **_: object) -> _Client:
        return _Client(self._world, self._inner, service)


class _RunCommand:
    """The road ssm, which may be struck: before a script is sent, or after it was run."""

    def __init__(self, inner: Inner, world: World, withdraw: Callable[[], None], clock: Clock) -> None:
        clients = cast(Clients, _Clients(world, inner))
        self._road = SsmTransport(clients, lambda: clock, Rate(1e6, burst=1e6))
        self._inner, self._world, self._withdraw = inner, world, withdraw
        self._nonces: set[str] = set()
        """Of scripts that were on this road before: a reading is tried again as it is."""

    def run(self, batch: Sequence[Script], /) -> Iterator[Answer]:
        struck = {script.id: self._inner.accident(script) for script in batch}
        through = [script for script in batch if struck[script.id] != "before"]
        for script in batch:
            if struck[script.id] == "before":
                host = script.server.name
                self._withdraw()
                yield Answer(id=script.id, error=ConnectFailed(f"{host}: AWS does not answer", host=host), road="ssm")
        by_id = {script.id: script for script in batch}
        before = {script.id: self._taken(script) if script.nonce in self._nonces else 0 for script in through}
        self._nonces |= {script.nonce for script in through}
        self._inner.sent.extend(through)
        for answer in self._road.run(through):
            script = by_id[answer.id]
            if answer.road == "ssm" and self._taken(script) == before[script.id]:  # nothing comes to the host
                self._withdraw()
            if script.mutates:
                self._inner.ran[script.operation] += _began(script, answer)
            if struck[script.id] == "after" and answer.error is None:
                lost = ReplyLost("the connection to AWS broke", host=script.server.name)
                yield Answer(id=script.id, error=lost, road=answer.road)
            else:
                yield answer

    def _taken(self, script: Script) -> int:
        """How many commands with it AWS has, which the road may not have heard of."""
        asked: dict[str, object] = {"InstanceId": script.server.instance, "MaxResults": 50}
        found = 0
        while True:  # to the last page: a reading may have been sent more often than a page has room for
            answer = self._world.now(lambda: Cloud.answer(self._inner.cloud, "ssm", "list_commands", dict(asked)))
            reply = cast("Mapping[str, Any]", answer["reply"])
            found += sum(script.nonce in str(one["Parameters"]) for one in reply["Commands"])
            if not (more := reply.get("NextToken")):
                return found
            asked["NextToken"] = more

    def secrets(self) -> Sequence[str]:
        return ()

    def close(self) -> None:
        self._road.close()


def _began(script: Script, answer: Answer) -> bool:
    with contextlib.suppress(StaroverError):
        held = envelope.decode(answer.output, script.nonce).receipts.get(script.operation)
        return held is not None and held.state == "ran"
    return False


class Roads:
    """A transport over several roads, in the estate's order; calls as data go the way they always go."""

    def __init__(self, inner: Inner, world: World, withdraw: Callable[[], None], clock: Clock) -> None:
        """`withdraw`: of the scripts that were announced one less comes."""
        self._inner = inner
        carriers: dict[str, Transport] = {"psrp": inner, "ssm": _RunCommand(inner, world, withdraw, clock)}
        self._routed = RoutedTransport(carriers, lambda: clock)

    def run(self, batch: Sequence[Script], /) -> Iterator[Answer]:
        came: SimpleQueue[Answer] = SimpleQueue()

        def carry(transport: Transport, scripts: list[Script]) -> None:
            for answer in transport.run(scripts):
                came.put(answer)

        calls = [script for script in batch if script.way == "call"]
        others = [script for script in batch if script.way != "call"]
        for transport, scripts in ((self._inner, calls), (self._routed, others)):
            if scripts:
                threading.Thread(target=carry, args=(transport, scripts), daemon=True).start()
        for _ in batch:
            yield came.get()

    def secrets(self) -> Sequence[str]:
        return self._inner.secrets()

    def close(self) -> None:
        self._routed.close()

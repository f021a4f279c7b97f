"""The balancer's API on a real socket: what a call becomes, whose key is good, and what each failure is called."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest
from starover_lab.farm.port import FarmPort
from starover_lab.farm.zapi import BASE, Zapi, key_of
from starover_lab.pump import Pump
from starover_lab.tls import Authority
from starover_lab.world.world import World

from starover.calls import Call
from starover.errors import AuthFailed, BadTemplate, ConnectFailed, ReplyLost, TimedOut
from starover.estate import Balancer, Server
from starover.transport.calls import CallFailed
from starover.transport.credentials import Credential
from starover.transport.farm import FarmCalls, request_of

pytestmark = pytest.mark.wire

EX1 = Server(name="EX1", fqdn="EX1.example.com", roles=("mailbox",), address="10.0.0.11")


class Keys:
    """A credential that is one key."""

    def __init__(self, key: str) -> None:
        self._key = key

    def resolve(self, reference: str, /) -> Credential:
        return Credential("zapi", self._key)

    def passwords(self) -> Sequence[str]:
        return [self._key]


class FarmLab:
    """A balancer in a thread of this process."""

    def __init__(self, folder: Path) -> None:
        self.world = World.from_topology("pa-4x2-farm")
        self.key = key_of(self.world, "zen")
        self.authority = folder / "ca.pem"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> FarmLab:
        authority = Authority("test")
        self.authority.write_bytes(authority.pem)
        self._thread.start()

        async def serve() -> None:
            self.pump = Pump(self.world.scheduler)
            self.port = FarmPort(Zapi(self.world, "zen"), self.pump, authority, ["zen.example.com"], 0.2)
            await self.port.serve()

        asyncio.run_coroutine_threadsafe(serve(), self._loop).result(20)
        return self

    def __exit__(self, *_: object) -> None:
        async def close() -> None:
            self.port.close()
            self.pump.close()
            await asyncio.sleep(0)

        asyncio.run_coroutine_threadsafe(close(), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)
        self._loop.close()

    def do(self, act: object) -> None:
        async def run() -> None:
            act(self.world)  # type: ignore[operator]

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(20)

    def calls(self, *, key: str = "", api: str = "", ca_file: str | None = None, patience: float = 20) -> FarmCalls:
        authority = str(self.authority) if ca_file is None else ca_file
        made = Balancer(name="zen", kind="zevenet", api=api or self.port.url, ca_file=authority, credential="env:ZAPI")
        return FarmCalls([made], Keys(key or self.key), patience=patience)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[FarmLab]:
    with FarmLab(tmp_path) as lab:
        yield lab


def call(operation: str, **parameters: object) -> Call:
    return Call(service="zevenet", operation=operation, parameters={"balancer": "zen", **parameters})


LIST = call("list_farms")
OUT = call("set_backend", farm="Web", service_id="exchange", backend_id=1, action="maintenance", mode="drain")


def test_a_backend_goes_into_maintenance_and_comes_back(lab: FarmLab) -> None:
    calls = lab.calls()
    listed = json.loads(msgspec.json.encode(calls.call(LIST, EX1, 30)))
    assert [one["farmname"] for one in listed["params"]] == ["Web", "Smtp", "Submission"]
    calls.call(OUT, EX1, 30)
    shown = json.loads(msgspec.json.encode(calls.call(call("get_farm", farm="Web"), EX1, 30)))
    assert [one["status"] for one in shown["services"][0]["backends"]] == ["maintenance", "up", "up", "up"]
    assert shown["params"]["status"] == "maintenance"
    calls.call(call("set_backend", farm="Smtp", backend_id=0, action="maintenance"), EX1, 30)
    calls.call(call("set_backend", farm="Smtp", backend_id=0, action="up"), EX1, 30)
    assert lab.world.state.farms["Smtp"].backends[0].mode == ""


def test_a_stranger_needs_the_key_and_the_authority(lab: FarmLab) -> None:
    """Another client, with the header that the real balancer wants."""
    port = int(lab.port.url.rpartition(":")[2])
    context = ssl.create_default_context(cafile=str(lab.authority))
    said: list[tuple[int, object]] = []
    for key in (lab.key, "wrong"):
        line = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=context)
        line.request("GET", f"{BASE}/farms/Smtp", headers={"ZAPI_KEY": key})
        answer = line.getresponse()
        said.append((answer.status, json.loads(answer.read())))
        line.close()
    (good, shown), (bad, _) = said
    assert (good, bad) == (200, 401)
    assert isinstance(shown, dict)
    assert [one["ip"] for one in shown["backends"]][:2] == ["10.0.0.11", "10.0.1.12"]


def test_what_goes_wrong_has_a_name(lab: FarmLab, tmp_path: Path) -> None:
    with pytest.raises(AuthFailed) as refused:
        lab.calls(key="not-the-key").call(OUT, EX1, 30)
    assert "not-the-key" not in str(refused.value)
    with pytest.raises(CallFailed) as missing:
        lab.calls().call(call("get_farm", farm="Nowhere"), EX1, 30)
    assert missing.value.record.fqid == "zapi-404"
    other = tmp_path / "other.pem"
    other.write_bytes(Authority("other").pem)
    with pytest.raises(ConnectFailed, match="not trusted"):
        lab.calls(ca_file=str(other)).call(OUT, EX1, 30)
    with pytest.raises(ConnectFailed, match="cannot be read"):
        lab.calls(ca_file=str(tmp_path / "none.pem")).call(OUT, EX1, 30)
    with socket.create_server(("127.0.0.1", 0)) as unused:
        free = unused.getsockname()[1]
    with pytest.raises(ConnectFailed, match="cannot be reached"):
        lab.calls(api=f"https://127.0.0.1:{free}").call(OUT, EX1, 30)
    with pytest.raises(BadTemplate, match="no `api:`"):
        lab.calls().call(Call(service="zevenet", operation="list_farms", parameters={"balancer": "other"}), EX1, 30)
    assert all(one.mode == "" for farm in lab.world.state.farms for one in farm.backends)


def test_a_failure_of_its_own_leaves_a_reading_to_be_repeated_and_a_write_to_be_looked_at(lab: FarmLab) -> None:
    lab.do(lambda world: world.fault("zapi_fails", "zen", times=2))
    with pytest.raises(ReplyLost):
        lab.calls().call(LIST, EX1, 30)
    with pytest.raises(CallFailed) as failed:
        lab.calls().call(OUT, EX1, 30)
    assert failed.value.record.fqid == "zapi-500"
    lab.calls().call(OUT, EX1, 30)


def test_a_balancer_in_a_lost_zone_is_silent(lab: FarmLab) -> None:
    lab.do(lambda world: world.fault("az_loss", "1c"))
    with pytest.raises(ConnectFailed):
        lab.calls(patience=0.3).call(LIST, EX1, 30)


def test_an_answer_that_does_not_come_leaves_it_open(tmp_path: Path) -> None:
    """Something takes the connection, makes TLS, and says nothing."""
    authority, file, ended = Authority("mute"), tmp_path / "ca.pem", threading.Event()
    file.write_bytes(authority.pem)
    context, _ = authority.server(["localhost"], ["127.0.0.1"])
    with socket.create_server(("127.0.0.1", 0)) as door:

        def take() -> None:
            line, _ = door.accept()
            with context.wrap_socket(line, server_side=True) as secured:
                secured.recv(4096)
                ended.wait(20)

        taker = threading.Thread(target=take)
        taker.start()
        api = f"https://127.0.0.1:{door.getsockname()[1]}"
        balancer = Balancer(name="zen", kind="zevenet", api=api, ca_file=str(file), credential="env:ZAPI")
        try:
            with pytest.raises(TimedOut):
                FarmCalls([balancer], Keys("k"), patience=2).call(OUT, EX1, 30)
        finally:
            ended.set()
            taker.join(20)


@pytest.mark.parametrize(
    "wrong",
    [
        call("get_farm", farm="../x"),
        call("get_farm", farm="a/b"),
        call("get_farm"),
        call("delete_farm", farm="Web"),
        call("set_backend", farm="Web", backend_id=1, action="stop"),
        call("set_backend", farm="Web", service_id="a b", backend_id=1, action="up"),
    ],
)
def test_nothing_but_the_calls_of_the_catalogue_can_be_made(wrong: Call) -> None:
    with pytest.raises(BadTemplate):
        request_of(wrong)

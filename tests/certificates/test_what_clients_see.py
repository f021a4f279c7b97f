"""The lab's servers show on real sockets which certificate they have: a look knows it by its serial number."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from starover_lab.client_ports import ClientPorts, Place
from starover_lab.tls import Authority
from starover_lab.world.world import World

from starover.calls import Call
from starover.estate import Server
from starover.transport.probe import Probes

pytestmark = pytest.mark.wire

EX1 = Server(name="EX1", fqdn="EX1.example.com", roles=("mailbox",), address="10.0.0.11")


@contextmanager
def served(world: World) -> Iterator[Probes]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def begin() -> ClientPorts:
        ports = ClientPorts(world, Authority("test"))
        await ports.serve()
        return ports

    async def end() -> None:
        ports.close()
        left = [one for one in asyncio.all_tasks() if one is not asyncio.current_task()]
        await asyncio.gather(*left, return_exceptions=True)

    ports = asyncio.run_coroutine_threadsafe(begin(), loop).result(20)
    try:
        yield Probes(lambda address, port: ("127.0.0.1", ports.at[Place(address, port)]))
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)
        loop.close()


def look(probes: Probes) -> dict[str, Any]:
    given = {"address": EX1.address, "port": 443, "tls": True, "name": EX1.fqdn, "path": "/owa/healthcheck.htm"}
    return dict(probes.call(Call(service="probe", operation="http", parameters=given), EX1, 20))


def test_another_certificate_is_seen_at_once() -> None:
    world = World.from_topology("pa-4x2")
    access = world.client_access
    before = next(one for one in access.certificates("EX1") if "IIS" in one.services)
    other = next(one for one in access.certificates("EX1") if one is not before)
    with served(world) as probes:
        assert int(look(probes)["serial"], 16) == before.serial
        access.enable_certificate("EX1", "EX1", other.thumbprint, ["IIS"])
        seen = look(probes)
    assert int(seen["serial"], 16) == other.serial != before.serial
    assert (seen["status"], seen["names"][0]) == (200, other.domains[0])

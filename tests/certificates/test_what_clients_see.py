"""The lab's servers show on real sockets which certificate they have: a look knows it by its serial number."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from starover_lab.client_ports import ClientPorts, Place
from starover_lab.client_services import certificate_for
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


SPEAKS = {25: "smtp", 587: "smtp", 143: "imap", 110: "pop"}


def shown_at(probes: Probes, port: int, *, tls: bool = False) -> dict[str, Any]:
    given = {"address": EX1.address, "port": port, "seconds": 20, "name": EX1.fqdn}
    given |= {"tls": tls, "starttls": "" if tls else SPEAKS[port]}
    return dict(probes.call(Call(service="probe", operation="tls", parameters=given), EX1, 20))


def test_mail_services_show_theirs_when_tls_is_asked_for() -> None:
    world = World.from_topology("pa-4x2")
    access = world.client_access
    own = next(one for one in access.certificates("EX1") if one.subject == "CN=EX1")
    for name in ("MSExchangeImap4", "MSExchangePop3"):
        world.state.servers["EX1"].services[name].status = "Running"
    access.enable_certificate("EX1", "DC1", own.thumbprint, ["IMAP", "POP"])
    with served(world) as probes:
        for port in SPEAKS:
            seen = shown_at(probes, port)
            assert (seen["serial"], seen["answers"], seen["error"]) == (f"{own.serial:X}", True, ""), port
        assert shown_at(probes, 25)["said"][1].startswith("250-EX1.example.com ")
        assert shown_at(probes, 993, tls=True)["serial"] == f"{own.serial:X}"


def test_smtp_without_a_certificate_for_its_name_offers_no_tls() -> None:
    world = World.from_topology("pa-4x2")
    held = world.state.servers["EX1"].exchange
    assert held is not None
    held.client_access.certificates[:] = [replace(one, domains=()) for one in held.client_access.certificates]
    with served(world) as probes:
        assert (shown_at(probes, 25)["error"], shown_at(probes, 25)["serial"]) == ("tls", "")


@pytest.mark.parametrize(
    ("more", "shown"),
    [
        ({}, "own"),
        ({"domains": ("EX1.example.com",)}, "new"),
        ({"domains": ("*.example.com",)}, "new"),
        ({"domains": ("*.example.com",), "services": ()}, "own"),
        ({"domains": ("*.example.com",), "self_signed": True}, "new"),
        ({"domains": ("*.example.com",), "expires": True}, "own"),
    ],
)
def test_smtp_takes_the_newest_one_that_is_for_its_own_name(more: dict[str, Any], shown: str) -> None:
    world = World.from_topology("pa-4x2")
    server = world.state.servers["EX1"]
    assert server.exchange is not None
    own = next(one for one in server.exchange.client_access.certificates if one.subject == "CN=EX1")
    given: dict[str, Any] = {"domains": ("mail.example.com",), "services": ("SMTP",), "self_signed": False} | more
    if given.pop("expires", False):
        given["not_after"] = world.now
    new = replace(own, thumbprint="AB" * 20, not_before=world.now, **given)
    server.exchange.client_access.certificates[:] = [new, own]
    found = certificate_for(server, "smtp", world.now)
    assert found is (new if shown == "new" else own)

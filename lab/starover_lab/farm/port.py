"""Where a balancer's API answers: https on loopback, each request as a script of the world; knows no farm itself."""

from __future__ import annotations

import asyncio

import msgspec

from starover_lab.aws.port import ANNOUNCED
from starover_lab.farm.zapi import BASE, Zapi
from starover_lab.pump import Pump
from starover_lab.tls import Authority
from starover_lab.wire.endpoint import ScriptTask
from starover_lab.wire.http1 import Connection, HttpRequest, HttpResponse, Listener

__all__ = ["FarmPort"]

_ADDRESS = "127.0.0.1"


class FarmPort:
    """One balancer's door."""

    def __init__(self, zapi: Zapi, pump: Pump, authority: Authority, names: list[str], latency: float) -> None:
        """`names` it is called by in TLS; `latency` is what an announced call takes, in simulated seconds."""
        self.zapi = zapi
        self._pump = pump
        self._latency = latency
        context, digest = authority.server([*names, "localhost"], [_ADDRESS])
        self._listener = Listener(
            _ADDRESS,
            0,
            self._handle,
            tls=context,
            certificate_hash=digest,
            line=lambda: "up" if zapi.answers else "silent",
            on_turned_away=lambda: pump.absent(zapi.name),
        )

    @property
    def url(self) -> str:
        """What the inventory calls `api:`."""
        return f"https://{_ADDRESS}:{self._listener.port}"

    async def serve(self) -> None:
        """Listen. Raises `OSError`."""
        await self._listener.serve()

    def close(self) -> None:
        """Give the port back."""
        self._listener.close()

    async def _handle(self, _: Connection, request: HttpRequest) -> HttpResponse:
        came: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()
        path, counts = request.path.partition("?")[0], ANNOUNCED in request.headers.get("user-agent", "")
        key = request.headers.get("zapi_key", "")
        said: list[tuple[int, bytes]] = []

        def body() -> None:
            if counts:
                self._pump.scheduler.wait(self._latency)
            if not path.startswith(BASE):
                said.append((404, b"{}"))
                return
            status, reply = self.zapi.answer(request.method, path.removeprefix(BASE), key, request.body)
            said.append((status, msgspec.json.encode(reply)))

        def ended(task: ScriptTask) -> None:
            if not came.done():
                came.set_result(said[0] if said and task.error is None else (500, b"{}"))

        name = f"zapi {self.zapi.name} {request.method} {path} {request.body.decode('latin-1')}"
        self._pump.spawn(name, body, ended, preliminary=not counts)
        status, answer = await came
        return HttpResponse(status, answer, (("Content-Type", "application/json"),))

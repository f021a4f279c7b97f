"""The lab's AWS port in a thread of this process, over a world with sessions, and boto3 clients for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from datetime import timedelta
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from starover_lab.aws.port import AwsPort
from starover_lab.cloud.api import Cloud
from starover_lab.cmdlets.sessions import Sessions
from starover_lab.pump import Pump
from starover_lab.world.world import World

T = TypeVar("T")


class AwsLab:
    """`with AwsLab("pa-4x2") as lab: lab.client("ec2").describe_instances()`."""

    def __init__(self, topology: str, **options: Any) -> None:
        self.world = World.from_topology(topology, **options)
        self.cloud = Cloud(self.world, Sessions(self.world))
        self.port: AwsPort
        self._clients: dict[tuple[str, str], Any] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> AwsLab:
        self._thread.start()

        async def serve() -> None:
            self.pump = Pump(self.world.scheduler)
            self.port = AwsPort(self.cloud, self.pump)
            self.port.serve()

        asyncio.run_coroutine_threadsafe(serve(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients.values():
            client.close()

        async def close() -> None:
            self.port.close()
            self.pump.close()

        asyncio.run_coroutine_threadsafe(close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def client(self, service: str, mark: str = "") -> Any:
        """boto3's, which tries nothing twice."""
        key = (service, mark)
        if key not in self._clients:
            session = boto3.Session("lab", "lab", region_name="eu-west-1")
            config = Config(retries={"total_max_attempts": 1}, user_agent_extra=mark, proxies={})
            self._clients[key] = session.client(service, endpoint_url=self.port.url, config=config)  # type: ignore[call-arg]
        return self._clients[key]

    def do(self, act: Callable[[World], T]) -> T:
        """Do something in the world's thread."""
        done: Future[T] = Future()

        def run() -> None:
            try:
                done.set_result(act(self.world))
            except BaseException as error:
                done.set_exception(error)
            self.pump.run()

        self._loop.call_soon_threadsafe(run)
        return done.result(20)

    def later(self, seconds: float) -> None:
        """Let simulated time pass."""
        self.do(lambda world: world.scheduler.advance_to(world.now + timedelta(seconds=seconds)))

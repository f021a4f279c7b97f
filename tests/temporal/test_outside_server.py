"""The server that the tests use is the real one, and forgets nothing when it is restarted."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from temporal_server import TemporalServer, missing

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "all is there")


def test_it_can_be_stopped_and_started_again_and_forgets_nothing(tmp_path: Path) -> None:
    from temporalio.client import Client

    async def begin(address: str) -> None:
        client = await Client.connect(address)
        await client.start_workflow("Nobody", id="one", task_queue="nobody")

    async def look(address: str) -> str:
        client = await Client.connect(address)
        return (await client.get_workflow_handle("one").describe()).workflow_type

    with TemporalServer(tmp_path) as server:
        asyncio.run(begin(server.address))
        server.stop(hard=True)
        server.start()
        assert asyncio.run(look(server.address)) == "Nobody"

"""A worker: takes runs and scripts from a Temporal server and performs them with what this machine has."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from datetime import timedelta

from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from starover.drivers.temporal.crew import Crew
from starover.drivers.temporal.keeping import Keeper
from starover.drivers.temporal.payloads import queue_of
from starover.drivers.temporal.site import Site
from starover.drivers.temporal.workflow import StaroverJob, StaroverRun

__all__ = ["Site", "run_worker"]

SCRIPTS = 100
"""At once, on one worker."""
SIGNS = timedelta(seconds=2)
"""Signs of life are passed on no rarer than that: so long a cancelled script may not hear of it."""
STICKY = timedelta(seconds=5)
"""After so long the run of a worker that has died is given to another one."""
GRACE = timedelta(minutes=10)
"""A worker that is told to end ends the scripts that it has sent."""


async def run_worker(
    client: Client,
    site: Site,
    /,
    *,
    zones: Sequence[str] = (),
    runs: bool = True,
    until: asyncio.Event | None = None,
) -> None:
    """Work until `until` is set (None: until cancelled), through times in which the server is gone.

    `zones`: take the scripts for hosts of these Availability Zones, of runs that were submitted `zoned`. `runs`: take
    whole runs, keep their journals in the site's folder, and send the scripts of those that are not `zoned`.
    """
    crew, keeper = Crew(site, client), Keeper(site)
    threads = ThreadPoolExecutor(SCRIPTS, "starover-journal")
    workers: list[Worker] = []
    if runs:
        workers.append(
            Worker(
                client,
                task_queue=queue_of(site.estate.name),
                workflows=[StaroverRun, StaroverJob],
                activities=[*crew.activities, *keeper.activities],
                activity_executor=threads,
                workflow_runner=UnsandboxedWorkflowRunner(),
                max_concurrent_activities=SCRIPTS,
                max_heartbeat_throttle_interval=SIGNS,
                sticky_queue_schedule_to_start_timeout=STICKY,
                graceful_shutdown_timeout=GRACE,
                debug_mode=True,  # machines are pure: a long one is no deadlock, but a busy computer
            )
        )
    workers += [
        Worker(
            client,
            task_queue=queue_of(site.estate.name, zone),
            activities=list(crew.activities),
            max_concurrent_activities=SCRIPTS,
            max_heartbeat_throttle_interval=SIGNS,
            graceful_shutdown_timeout=GRACE,
        )
        for zone in zones
    ]
    try:
        async with AsyncExitStack() as stack:
            for worker in workers:
                await stack.enter_async_context(worker)
            await (until or asyncio.Event()).wait()
    finally:
        keeper.close()
        threads.shutdown(wait=False)

"""What readings mean, wherever a wait is done: a machine of its own, told the same as the workflow's; sends nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from temporalio.client import Client

from starover.drivers.temporal.course import run_of
from starover.drivers.temporal.payloads import Story, Submission, Watching
from starover.effects import Machine
from starover.engine import Run, machine
from starover.step import Verdict

__all__ = ["Replicas"]

MOST = 4
"""Machines that a worker remembers."""


class _Replica:
    """The machine of one run, as far as it was told."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.machine: Machine = machine(run, run.bound.start())
        self.told = 0
        next(self.machine)

    def tell(self, story: Story) -> None:
        """More of it."""
        for done in story.told:
            self.told += 1
            try:
                self.machine.send(done)
            except StopIteration:
                return


class Replicas:
    """What the readings of a poll mean is a function that a machine makes (`engine.Run.judges`); it cannot be sent."""

    def __init__(self, client: Client) -> None:
        """None is known yet."""
        self._client = client
        self._known: dict[str, _Replica] = {}
        self._lock = asyncio.Lock()

    async def judge(self, asked: Watching) -> Callable[[bytes], Verdict]:
        """What the readings of this poll mean. Raises `RPCError` and the like where nobody answers for the workflow."""
        number = asked.sending.number
        async with self._lock:
            replica = self._known.get(asked.sending.run)
            workflow = self._client.get_workflow_handle(asked.workflow, run_id=asked.execution)
            if replica is not None and number in replica.run.judges:
                return replica.run.judges[number]
            while replica is None or number not in replica.run.judges:
                since = replica.told if replica is not None else 0
                story: Story = await workflow.query("story", args=[asked.sending.run, since], result_type=Story)
                if replica is None:
                    given: Submission = await workflow.query("submission", result_type=Submission)
                    replica = _Replica(run_of(given, story.begun, story.started))
                    while len(self._known) >= MOST:
                        del self._known[next(iter(self._known))]
                    self._known[asked.sending.run] = replica
                elif not story.told:
                    raise RuntimeError(f"poll {number} of run {asked.sending.run} was never asked for")
                replica.tell(story)
        return replica.run.judges[number]

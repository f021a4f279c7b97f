"""How a workflow has things done: scripts and waits by activities, journals by local ones, time by timers.

It is part of the workflow, so it decides by nothing but its history. What has ended lies in `mail`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec
from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, TimeoutType
from temporalio.exceptions import TimeoutError as TimedOut

from starover.drivers.hosts import Job
from starover.drivers.temporal.course import Course
from starover.drivers.temporal.failures import error_of
from starover.drivers.temporal.payloads import (
    Asking,
    Came,
    Passing,
    Reading,
    Sending,
    Submission,
    Told,
    Turn,
    Watching,
    Written,
    queue_of,
    zone_for,
)
from starover.effects import NOBODY, Approval, Approve, Dead, Effect, Failed, Find, Ok, Poll, Until, digest_of
from starover.errors import ConnectFailed, Fault, NotApproved, ReplyLost, StaroverError

__all__ = ["WRITES", "Hands", "Mail"]

T = TypeVar("T")

UNCLAIMED = timedelta(minutes=10)
"""So long a script waits for a worker; then it was certainly not sent."""
LONGER = timedelta(minutes=15)
"""So much longer than its deadline a script may take before its worker is given up: its host may be busy."""
WAITS = timedelta(days=30)
"""The longest wait for a fact; what ends it is its own limit."""
ENDING = timedelta(seconds=20)
"""For hosts to take the order to end their scripts, after somebody has said: now."""
WRITES = timedelta(minutes=1)
"""For what is done by the worker that has the task itself."""
_AGAIN = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=10))
"""What changes nothing, or the same thing only, is tried until somebody does it."""
_ONCE = RetryPolicy(maximum_attempts=1)


@dataclass(frozen=True)
class Mail:
    """Something has ended; with neither script nor answer: time has passed."""

    number: int
    job: Job | None = None
    came: Came | None = None
    told: Told | None = None


class Hands:
    """Everything that one run has under way."""

    def __init__(self, given: Submission, stop: Callable[[], None]) -> None:
        """`stop` is called when somebody cancels the workflow from outside."""
        self.given = given
        self.approval: Approval | Failed | None = None
        """What is answered when the machine asks for the approval of its plan."""
        self.mail: deque[Mail] = deque()
        self.flying: dict[int, tuple[Job, workflow.ActivityHandle[Came]]] = {}
        self._stop = stop
        self._lost = False
        """A worker was lost since the last turn."""
        self._scripts: dict[asyncio.Task[None], None] = {}
        """In the order in which they were begun: on a replay they are cancelled in the same."""
        self._others: dict[asyncio.Task[None], None] = {}
        self._wakes = False
        """It looks again when a lease is due."""

    # -- scripts, waits, questions -------------------------------------------------------------------------------

    async def let_go(self, course: Course) -> None:
        """Nothing that is still under way counts any more; hosts are told to end it, where that can be done."""
        flying = [handle for _, handle in self.flying.values()]
        for handle in flying:
            handle.cancel()
        for task in list(self._others):
            task.cancel()
        if flying and course.result is None:
            await self._whatever(workflow.wait(list(self._scripts), timeout=ENDING.total_seconds()))
        for mail in self.mail:
            if mail.job is not None and mail.came is not None and mail.came.fate:
                course.track.fates[mail.job.operation] = mail.came.fate
        for task in list(self._scripts):
            task.cancel()
        self.mail.clear()
        self.flying.clear()
        self._scripts, self._others, self._wakes = {}, {}, False

    def start(self, course: Course, job: Job, of: int, going: Reading | None = None) -> None:
        """Have a script sent, one `of` so many, or a wait begun, or gone on with."""
        effect = course.open[job.number]
        sending = Sending(
            run=course.run.id,
            number=job.number,
            digest=digest_of(effect),
            script=job.script,
            operation=job.operation,
            mutates=job.mutates,
            turn=course.written,
            of=of,
        )
        zone = zone_for(self.given, job.script)
        heartbeat = timedelta(seconds=self.given.heartbeat)
        queue = queue_of(self.given.estate.name, zone)
        if isinstance(effect, Poll):
            info = workflow.info()
            watching = Watching(
                sending=sending,
                workflow=info.workflow_id,
                execution=info.run_id,
                what=effect.what,
                step=effect.step,
                settle=effect.settle,
                going=going,
                back=course.leases.following,
            )
            handle = workflow.start_activity(
                "starover-poll",
                watching,
                task_queue=queue,
                result_type=Came,
                schedule_to_start_timeout=UNCLAIMED if zone else None,
                start_to_close_timeout=WAITS,
                heartbeat_timeout=heartbeat,
                retry_policy=_AGAIN,
                cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
                summary=f"{job.script.host}: {effect.what}"[:200],
            )
        else:
            part = job.script.parts[0].template if job.script.parts else "receipt"
            handle = workflow.start_activity(
                "starover-send",
                sending,
                task_queue=queue,
                result_type=Came,
                schedule_to_start_timeout=UNCLAIMED,
                start_to_close_timeout=timedelta(seconds=job.script.deadline) + LONGER,
                heartbeat_timeout=heartbeat,
                retry_policy=_ONCE,
                cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
                summary=f"{job.script.host}: {part}"[:200],
            )
        self.flying[job.number] = (job, handle)
        self._spawn(self._script(course, job, sending.digest, handle), self._scripts)

    async def _script(self, course: Course, job: Job, digest: str, handle: workflow.ActivityHandle[Came]) -> None:
        try:
            came = await handle
        except ActivityError as error:
            self._lost = True
            came = Came(digest=digest, answer=Failed(fault=Fault.of(_lost(error, job))), at=course.now)
        self.flying.pop(job.number, None)
        self.mail.append(Mail(job.number, job=job, came=came))

    def perform(self, course: Course, number: int, effect: Effect) -> None:
        """Have done what is no script."""
        self._spawn(self._perform(course, number, effect), self._others)

    async def _perform(self, course: Course, number: int, effect: Effect) -> None:
        digest = digest_of(effect)
        if isinstance(effect, Until):
            if self.given.estate.lab:  # simulated time passes where its clock is, and nowhere else
                until = Passing(until=course.now + timedelta(seconds=effect.seconds), digest=digest)
                told = await workflow.execute_activity(
                    "starover-pass",
                    until,
                    result_type=Told,
                    start_to_close_timeout=WAITS,
                    heartbeat_timeout=timedelta(seconds=self.given.heartbeat),
                    retry_policy=_AGAIN,
                )
            else:
                await workflow.sleep(effect.seconds)
                told = Told(answer=Ok(), digest=digest)
        elif isinstance(effect, Approve):
            told = Told(answer=self.approval or Failed(fault=Fault.of(NotApproved(NOBODY))), digest=digest)
        else:
            assert isinstance(effect, Find | Dead)
            told = await self.ask("starover-look", Asking(run=course.run.id, digest=digest, effect=effect), Told)
        self.mail.append(Mail(number, told=told))

    def keep_up(self, course: Course) -> None:
        """Have mail come when a lease is due, though nothing else may have ended until then.

        A script that runs for long must not outlive the lease that it was begun under. Simulated time does not pass by
        itself, so nobody waits for it.
        """
        due = course.leases.following
        if due is not None and not self._wakes and not self.given.estate.lab:
            self._wakes = True
            self._spawn(self._wake(course, due), self._others)

    async def _wake(self, course: Course, due: datetime) -> None:
        await workflow.sleep(max(0.0, (due - course.now).total_seconds()))
        self._wakes = False
        course.now = max(course.now, due)
        self.mail.append(Mail(0))

    def _spawn(self, work: Awaitable[None], tasks: dict[asyncio.Task[None], None]) -> None:
        task = asyncio.ensure_future(work)
        tasks[task] = None
        task.add_done_callback(lambda done: tasks.pop(done, None))

    async def write(self, course: Course, *, scripts: int = 0, ends: bool = False) -> str:
        """Have the lines written; why the head is not signed, where it `ends`."""
        lines = tuple(course.lines)
        turn = Turn(
            workflow=self.carrier,
            run=course.run.id,
            first=course.written,
            lines=lines,
            epoch=self.epoch,
            scripts=scripts,
            lost=self._lost,
            ends=ends,
        )
        self._lost = False
        written = await self.ask("starover-write", turn, Written)
        course.written += len(lines)
        del course.lines[: len(lines)]
        course.now = max(course.now, written.at)
        return written.unsigned

    async def ask(self, what: str, asked: msgspec.Struct, answer: type[T]) -> T:
        """Something done where the journals lie, by the worker that has this very task. Raises `StaroverError`."""
        task = asyncio.ensure_future(
            workflow.execute_local_activity(
                what, asked, result_type=answer, start_to_close_timeout=WRITES, retry_policy=_AGAIN
            )
        )
        try:
            return await self._whatever(task)
        except ActivityError as error:
            raise error_of(error.cause) from error

    async def _whatever(self, work: Awaitable[T]) -> T:
        """Wait for it, though somebody cancels the workflow meanwhile: that is a stop, and it ends in good order."""
        task = asyncio.ensure_future(work)
        while True:
            try:
                return await asyncio.shield(task)
            except asyncio.CancelledError:
                if task.cancelled():
                    raise
                self._stop()

    @property
    def carrier(self) -> str:
        """Who carries the run, in the folder of journals."""
        info = workflow.info()
        return f"Temporal: {info.workflow_id} ({info.run_id})"

    @property
    def epoch(self) -> int:
        """How long the history is that this goes by."""
        return workflow.info().get_current_history_length()


def _lost(error: ActivityError, job: Job) -> StaroverError:
    """What is known of a script whose activity did not end."""
    host, cause = job.script.host, error.cause
    if isinstance(cause, TimedOut):
        if cause.type == TimeoutType.SCHEDULE_TO_START:
            return ConnectFailed(
                f"no worker took the script for {host} in {UNCLAIMED.total_seconds() / 60:.0f} minutes",
                certain=("it was not sent",),
                next=("starover worker   on a machine that reaches it",),
                host=host,
            )
        if cause.type == TimeoutType.START_TO_CLOSE:
            return ReplyLost(f"the worker that sent it to {host} gave no answer in time", host=host)
        return ReplyLost(f"the worker that sent it to {host} was lost", host=host)
    return ReplyLost(f"the worker that sent it to {host} did not end it: {cause or error}", host=host)

"""The workflow: one run of a runbook, from its plan to its end, by the same machine as on one's own computer.

It runs again and again from its history, so it decides by nothing but that: no clock, no chance, no disk, no transport.
What is performed is performed by activities; the journal is written by local ones (docs/decisions/temporal.md).
"""

from __future__ import annotations

import asyncio
import builtins
from collections import deque
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import msgspec
from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    TimeoutError,  # noqa: A004 - Temporal's own
    TimeoutType,
    WorkflowAlreadyStartedError,
)

import starover
from starover.drivers.hosts import Job
from starover.drivers.temporal.course import Course, begun_of, bound_of, run_of
from starover.drivers.temporal.failures import error_of, failure
from starover.drivers.temporal.payloads import (
    JOB,
    RUN,
    Asking,
    Began,
    Beginning,
    Came,
    Ended,
    Holding,
    Kept,
    Passing,
    Reading,
    Saving,
    Sending,
    Standing,
    Story,
    Submission,
    Told,
    Turn,
    Watching,
    Written,
    id_of,
    memo_of,
    queue_of,
)
from starover.effects import NOBODY, Approval, Approve, Dead, Effect, Failed, Find, Ok, Poll, Until, digest_of
from starover.errors import (
    BadParameter,
    ConnectFailed,
    Fault,
    Locked,
    NotApproved,
    OutsideWindow,
    PlanIsStale,
    ReplyLost,
    StaroverError,
)
from starover.guard import FRESH, check_approval
from starover.journal import Begun
from starover.plan import Plan
from starover.step import Risk
from starover.windows import Window, open_until

__all__ = ["StaroverJob", "StaroverRun"]

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
_AGAIN = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=10))
"""What changes nothing, or the same thing only, is tried until somebody does it."""
_ONCE = RetryPolicy(maximum_attempts=1)
LONGEST = 40_000
"""Events of a history after which a run is stopped: a server takes 51,200."""
LARGEST = 40_000_000
"""Bytes of a history after which a run is stopped: a server takes 50 MB."""
TELLS = 1_000_000
"""Bytes of answers that one question gives."""


@dataclass(frozen=True)
class _Mail:
    """Something has ended."""

    number: int
    job: Job | None = None
    came: Came | None = None
    told: Told | None = None


@workflow.defn(name=RUN, sandboxed=False)
class StaroverRun:
    """One run; see `payloads.RUN`."""

    @workflow.init
    def __init__(self, given: Submission) -> None:
        """Nothing has begun."""
        self.given = given
        self.course: Course | None = None
        self.begun: Begun | None = None
        self.began: Began | None = None
        self.state = Standing(state="planning")
        self.stops = 0
        self.lost = False
        """A worker was lost since the last turn."""
        self.why = ""
        """Why the run is stopped, where no person wants it."""
        self.approval: Approval | Failed | None = None
        self._mail: deque[_Mail] = deque()
        self._flying: dict[int, tuple[Job, workflow.ActivityHandle[Came]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @workflow.run
    async def run(self, given: Submission) -> Ended:
        """From its first effect to its result. What stops it altogether is raised."""
        if given.version != starover.__version__:
            words = f"this run goes by starover {given.version}; here is {starover.__version__}"
            if workflow.unsafe.is_replaying():
                raise RuntimeError(f"{words}: it waits for a worker of that version")
            refused = PlanIsStale(
                words, certain=("nothing was sent",), next=("submit it anew, or upgrade the workers",)
            )
            return Ended(state="refused", exit=refused.exit, fault=Fault.of(refused))
        if given.window and not given.estate.lab and not open_until([Window.parse(given.window)], workflow.now()):
            shut = OutsideWindow(
                f"{given.who} does not begin: its window is closed: {given.window}", certain=("nothing was sent",)
            )
            return Ended(state="refused", exit=shut.exit, fault=Fault.of(shut))
        try:
            bound_of(given)
        except StaroverError as error:
            return Ended(state="refused", exit=error.exit, fault=Fault.of(error))
        try:
            ended = await self._whole()
        except StaroverError as error:
            if (
                workflow.unsafe.is_replaying()
            ):  # another machine than the one that asked: the run waits for the right one
                raise RuntimeError(error.what) from error
            raise failure(error) from error
        self.state = msgspec.structs.replace(self.state, state="ended")
        return ended

    # -- asked from outside --------------------------------------------------------------------------------------

    @workflow.query(name="standing")
    def standing(self) -> Standing:
        """Where it is."""
        course = self.course
        if course is None:
            return self.state
        return msgspec.structs.replace(
            self.state,
            state="stopping" if self.stops and self.state.state != "ended" else self.state.state,
            under_way=course.words(),
            ended=tuple(course.ended),
        )

    @workflow.query(name="submission")
    def submission(self) -> Submission:
        """What it was given."""
        return self.given

    @workflow.query(name="story")
    def story(self, run: str, since: int) -> Story:
        """What the machine of this run was told, from a number on."""
        course, begun = self.course, self.begun
        if course is None or begun is None or begun.run != run:
            raise ValueError(f"run {run} is not under way here")
        told, size = course.told[since:], 0
        for number, one in enumerate(told):
            size += len(msgspec.json.encode(one))
            if size > TELLS:
                told = told[: max(1, number)]
                break
        return Story(begun=begun, started=course.run.started, told=tuple(told), all=len(course.told))

    @workflow.update(name="stop")
    def stop(self, now: bool) -> list[str]:
        """End after the steps under way, or at once; gives those."""
        self._stop(now=now)
        return list(self.course.words()) if self.course is not None else []

    @workflow.update(name="approve")
    async def approve(self, approval: Approval) -> None:
        """The plan is approved, if the house rules say so too."""
        assert self.state.plan is not None
        told = await self._ask("starover-hold", Holding(plan=self.state.plan, approval=approval), Told)
        if isinstance(told.answer, Failed):
            raise failure(told.answer.fault.raised())
        assert isinstance(told.answer, Approval)
        if self.approval is None:
            self.approval = told.answer

    @approve.validator
    def _may_approve(self, approval: Approval) -> None:
        plan = self._waiting()
        try:
            check_approval(plan, approval, approval.at)
        except StaroverError as error:
            raise failure(error) from error

    @workflow.update(name="decline")
    def decline(self, by: str, reason: str) -> None:
        """Somebody says no."""
        why = NotApproved(f"{by} declined it: {reason}", certain=("nothing was changed",))
        self.approval = Failed(fault=Fault.of(why))

    @decline.validator
    def _may_decline(self, by: str, reason: str) -> None:
        self._waiting()
        if not by.strip() or not reason.strip():
            raise failure(BadParameter("whoever declines says who, and why"))

    def _waiting(self) -> Plan:
        plan = self.state.plan
        if self.state.state != "waits for approval" or plan is None or self.approval is not None:
            raise failure(BadParameter("this run does not wait for an approval", certain=("nothing was done",)))
        return plan

    def _stop(self, *, now: bool) -> None:
        self.stops = max(self.stops, 2 if now else 1)
        if self.course is not None:
            self.course.stops = self.stops

    # -- the run -------------------------------------------------------------------------------------------------

    async def _whole(self) -> Ended:
        plan = self.given.plan
        if plan is None:
            planned = await self._plan()
            if planned.state != "planned" or planned.plan is None or self.given.only_plan:
                return planned
            plan = planned.plan
        self.state = Standing(state="applying", plan=plan, run=self.state.run)
        if plan.risk is not Risk.READ and (plan.changes or plan.stops):
            self.approval = await self._approved(plan)
        if self.stops:
            return Ended(state="stopped", exit=130 if self.stops > 1 else 1, plan=plan, run=self.state.run)
        course = await self._begin(plan.id, plan)
        await self._carry(course)
        return await self._end(course, plan)

    async def _plan(self) -> Ended:
        course = await self._begin("", None)
        await self._carry(course)
        result = course.result
        plan = result.plan if result is not None and result.error is None else None
        if plan is not None and result is not None:
            kept = await self._ask("starover-save", Saving(run=course.run.id, plan=plan), Kept)
            course.lines.append(kept.saved)
            plan = kept.plan
        return await self._end(course, plan)

    async def _begin(self, stem: str, plan: Plan | None) -> Course:
        """A journal for what comes now, and the machine."""
        key = str(workflow.uuid4())
        begun = begun_of(self.given, key, plan)
        wanted = Beginning(workflow=self._carrier, stem=stem or key[:8], begun=begun, epoch=self._epoch)
        began = await self._ask("starover-begin", wanted, Began)
        if began.version != starover.__version__:
            raise RuntimeError(
                f"this run was begun by starover {began.version} and waits for a worker of that version; "
                f"here is {starover.__version__}"
            )
        self.began, self.begun = began, msgspec.structs.replace(begun, run=began.run)
        self.state = msgspec.structs.replace(self.state, run=began.run)
        self.course = course = Course(run_of(self.given, self.begun, began.at))
        course.stops = self.stops
        return course

    async def _approved(self, plan: Plan) -> Approval | Failed | None:
        """Whoever approves it, or why nobody does; None: the run is stopped."""
        approval = self.given.approval
        if approval is None and self.given.confirmed:
            at = plan.made if self.given.estate.lab else workflow.now()
            approval = Approval(by=self.given.who, digest=plan.id, how="confirmed", at=at, ticket=self.given.ticket)
        if approval is not None:
            told = await self._ask("starover-hold", Holding(plan=plan, approval=approval), Told)
            return told.answer if isinstance(told.answer, Approval | Failed) else None
        patience = timedelta(seconds=self.given.patience)
        if not self.given.estate.lab:  # its facts are too old then, whoever approves it
            patience = max(min(patience, plan.made + FRESH - workflow.now()), timedelta(0))
        self.state = Standing(
            state="waits for approval", plan=plan, run=self.state.run, until=workflow.now() + patience
        )
        try:
            await workflow.wait_condition(lambda: self.approval is not None or self.stops > 0, timeout=patience)
        except builtins.TimeoutError:
            nobody = NotApproved(
                f"nobody approved plan {plan.id} in {patience.total_seconds() / 60:.0f} minutes",
                certain=("nothing was changed",),
                next=(f"{plan.command}   makes a new plan",),
            )
            self.approval = Failed(fault=Fault.of(nobody))
        except asyncio.CancelledError:
            self._stop(now=True)
        await workflow.wait_condition(workflow.all_handlers_finished)
        self.state = Standing(state="applying", plan=plan, run=self.state.run)
        return self.approval

    async def _carry(self, course: Course) -> None:
        """Until the machine has a result, or it must stop."""
        await self._follow(course, course.begin(), [])
        while course.result is None and await self._comes(course):
            others: list[tuple[int, Effect]] = []
            again: list[tuple[Job, Reading]] = []
            while self._mail and course.result is None:
                mail = self._mail.popleft()
                if mail.job is not None and mail.came is not None:
                    if mail.came.going is not None:
                        course.now = max(course.now, mail.came.at)
                        again.append((mail.job, mail.came.going))
                    else:
                        others += course.came(mail.job, mail.came)
                elif mail.told is not None:
                    others += course.answer(mail.number, mail.told.digest, mail.told.answer)
            await self._follow(course, others, again)
            info = workflow.info()
            if info.get_current_history_length() > LONGEST or info.get_current_history_size() > LARGEST:
                self.why = "it has become too long for one history of Temporal"
                self._stop(now=False)
        await self._let_go(course)

    async def _comes(self, course: Course) -> bool:
        """Wait until something has ended; False: it must stop."""
        try:
            await workflow.wait_condition(lambda: bool(self._mail) or course.must_stop)
        except asyncio.CancelledError:
            self._stop(now=True)
        return not course.must_stop

    async def _follow(self, course: Course, others: list[tuple[int, Effect]], again: list[tuple[Job, Reading]]) -> None:
        """Write down what has happened, and only then do what follows."""
        jobs = course.ready()
        await self._write(course, scripts=len(jobs))
        if course.result is not None:
            return
        for job in jobs:
            self._start(course, job, len(jobs))
        for job, going in again:
            self._start(course, job, 1, going)
        for number, effect in others:
            self._spawn(self._other(course, number, effect))

    async def _let_go(self, course: Course) -> None:
        """Nothing that is still under way counts any more; hosts are told to end it, where that can be done."""
        flying = [handle for _, handle in self._flying.values()]
        for handle in flying:
            handle.cancel()
        for task in self._tasks:
            if not self._flying:
                task.cancel()
        if flying and course.result is None:
            await self._whatever(workflow.wait(self._tasks, timeout=ENDING.total_seconds()))
        for mail in self._mail:
            if mail.job is not None and mail.came is not None and mail.came.fate:
                course.fates[mail.job.operation] = mail.came.fate
        for task in self._tasks:
            task.cancel()
        self._mail.clear()
        self._flying.clear()
        self._tasks = set()

    async def _end(self, course: Course, plan: Plan | None) -> Ended:
        """The last lines, and what came of it."""
        assert self.began is not None
        if course.result is None:
            course.stopped()
        unsigned = await self._write(course, ends=True)
        result, steps = course.result, tuple(course.ended)
        changed = sum(one.state in ("changed", "not-verified") for one in steps)
        common = Ended(
            state="stopped",
            exit=130 if self.stops > 1 else 1,
            run=course.run.id,
            plan=plan,
            steps=steps,
            changed=changed,
            under_way=course.words(),
            resumable=course.run.plan is not None,
            journal=self.began.journal,
            unsigned=unsigned,
        )
        if result is None:
            if self.why:
                words = StaroverError(
                    self.why, next=(f"starover resume {course.run.id}   on a machine of the workers",)
                )
                common = msgspec.structs.replace(common, fault=Fault.of(words))
            return common
        return msgspec.structs.replace(
            common,
            state=result.state,
            exit=result.exit,
            fault=Fault.of(result.error) if result.error is not None else None,
            resumable=result.resume > 0,
            value=msgspec.Raw(msgspec.json.encode(result.value)),
        )

    # -- having things done --------------------------------------------------------------------------------------

    def _start(self, course: Course, job: Job, of: int, going: Reading | None = None) -> None:
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
        server = course.run.servers.get(job.script.host)
        zone = server.az if self.given.zoned and server is not None else ""
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
                back=course.renewal,
            )
            handle = workflow.start_activity(
                "starover-poll",
                watching,
                task_queue=queue,
                result_type=Came,
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
        self._flying[job.number] = (job, handle)
        self._spawn(self._script(course, job, sending.digest, handle))

    async def _script(self, course: Course, job: Job, digest: str, handle: workflow.ActivityHandle[Came]) -> None:
        try:
            came = await handle
        except ActivityError as error:
            self.lost = True
            came = Came(digest=digest, answer=Failed(fault=Fault.of(_lost(error, job))), at=course.now)
        self._flying.pop(job.number, None)
        self._mail.append(_Mail(job.number, job=job, came=came))

    async def _other(self, course: Course, number: int, effect: Effect) -> None:
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
            told = await self._ask("starover-look", Asking(run=course.run.id, digest=digest, effect=effect), Told)
        self._mail.append(_Mail(number, told=told))

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _write(self, course: Course, *, scripts: int = 0, ends: bool = False) -> str:
        """Have the lines written; why the head is not signed, where it `ends`."""
        lines = tuple(course.lines)
        turn = Turn(
            workflow=self._carrier,
            run=course.run.id,
            first=course.written,
            lines=lines,
            epoch=self._epoch,
            scripts=scripts,
            lost=self.lost,
            ends=ends,
        )
        self.lost = False
        written = await self._ask("starover-write", turn, Written)
        course.written += len(lines)
        del course.lines[: len(lines)]
        course.now = max(course.now, written.at)
        return written.unsigned

    async def _ask(self, what: str, asked: msgspec.Struct, answer: type[T]) -> T:
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
                self._stop(now=True)

    @property
    def _carrier(self) -> str:
        info = workflow.info()
        return f"Temporal: {info.workflow_id} ({info.run_id})"

    @property
    def _epoch(self) -> int:
        return workflow.info().get_current_history_length()


def _lost(error: ActivityError, job: Job) -> StaroverError:
    """What is known of a script whose activity did not end."""
    host, cause = job.script.host, error.cause
    if isinstance(cause, TimeoutError):
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
    if isinstance(cause, ApplicationError) and cause.type == "StaroverNotSent":
        return ConnectFailed(cause.message, certain=("it was not sent",), host=host)
    return ReplyLost(f"the worker that sent it to {host} did not end it: {cause or error}", host=host)


@workflow.defn(name=JOB, sandboxed=False)
class StaroverJob:
    """What a schedule starts; see `payloads.JOB`."""

    @workflow.run
    async def run(self, given: Submission) -> Ended:
        """The run of its DAG, or the news that there is one already."""
        try:
            ended: Ended = await workflow.execute_child_workflow(
                RUN,
                given,
                id=id_of(given, str(workflow.uuid4())),
                task_queue=queue_of(given.estate.name),
                result_type=Ended,
                memo=memo_of(given),
                parent_close_policy=workflow.ParentClosePolicy.REQUEST_CANCEL,
            )
        except WorkflowAlreadyStartedError as error:
            locked = Locked(f"another run of this DAG is under way: {error.workflow_id}", certain=("nothing was sent",))
            return Ended(state="refused", exit=locked.exit, fault=Fault.of(locked))
        return ended

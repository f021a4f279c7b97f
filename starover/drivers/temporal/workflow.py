"""The workflow: one run of a runbook, from its plan to its end, by the same machine as on one's own computer.

It runs again and again from its history, so it decides by nothing but that: no clock, no chance, no disk, no transport.
What is performed is performed by activities; the journal is written by local ones (docs/decisions/temporal.md).
"""

from __future__ import annotations

import asyncio
import builtins
from contextlib import suppress
from datetime import timedelta
from typing import TypeVar

import msgspec
from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ChildWorkflowError, WorkflowAlreadyStartedError

import starover
from starover.drivers.hosts import Job
from starover.drivers.temporal.course import Course, begun_of, bound_of, run_of
from starover.drivers.temporal.failures import broken_off, failure
from starover.drivers.temporal.hands import WRITES, Hands
from starover.drivers.temporal.payloads import (
    JOB,
    RUN,
    Began,
    Beginning,
    Ended,
    Holding,
    Kept,
    Reading,
    Refusing,
    Saving,
    Standing,
    Story,
    Submission,
    Told,
    Unbegun,
    id_of,
    memo_of,
    queue_of,
)
from starover.effects import Approval, Effect, Failed
from starover.errors import (
    BadParameter,
    Fault,
    Locked,
    NotApproved,
    OutsideWindow,
    PlanIsStale,
    StaroverError,
)
from starover.guard import FRESH, check_approval
from starover.journal import Begun
from starover.plan import Plan
from starover.step import Risk
from starover.windows import Window, open_until

__all__ = ["StaroverJob", "StaroverRun"]

T = TypeVar("T")

LONGEST = 40_000
"""Events of a history after which a run is stopped: a server takes 51,200."""
LARGEST = 40_000_000
"""Bytes of a history after which a run is stopped: a server takes 50 MB."""
TELLS = 1_000_000
"""Bytes of answers that one question gives."""


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
        self.why = ""
        """Why the run is stopped, where no person wants it."""
        self.hands = Hands(given, lambda: self._stop(now=True))

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
            return await _refused(given, refused)
        if given.window and not given.estate.lab and not open_until([Window.parse(given.window)], workflow.now()):
            shut = OutsideWindow(
                f"{given.who} does not begin: its window is closed: {given.window}", certain=("nothing was sent",)
            )
            return await _refused(given, shut)
        try:
            bound_of(given)
        except StaroverError as error:
            return await _refused(given, error)
        try:
            ended = await self._whole()
        except StaroverError as error:
            if workflow.unsafe.is_replaying():  # another machine than the one that asked: it waits for the right one
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
            under_way=course.track.words(),
            ended=tuple(course.track.ended),
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
        return list(self.course.track.words()) if self.course is not None else []

    @workflow.update(name="approve")
    async def approve(self, approval: Approval) -> None:
        """The plan is approved, if the house rules say so too."""
        assert self.state.plan is not None
        try:
            told = await self.hands.ask("starover-hold", Holding(plan=self.state.plan, approval=approval), Told)
        except StaroverError as error:  # the rules cannot be read
            raise failure(error) from error
        if isinstance(told.answer, Failed):
            raise failure(told.answer.fault.raised())
        assert isinstance(told.answer, Approval)
        if self.hands.approval is not None or self.stops:  # while the rules were asked
            late = NotApproved("the run waits for no approval any more", certain=("this approval did nothing",))
            raise failure(late)
        self.hands.approval = told.answer

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
        self.hands.approval = Failed(fault=Fault.of(why))

    @decline.validator
    def _may_decline(self, by: str, reason: str) -> None:
        self._waiting()
        if not by.strip() or not reason.strip():
            raise failure(BadParameter("whoever declines says who, and why"))

    def _waiting(self) -> Plan:
        plan = self.state.plan
        if self.state.state != "waits for approval" or plan is None or self.hands.approval is not None:
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
            self.hands.approval = await self._approved(plan)
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
            kept = await self.hands.ask("starover-save", Saving(run=course.run.id, plan=plan), Kept)
            course.lines.append(kept.saved)
            plan = kept.plan
        return await self._end(course, plan)

    async def _begin(self, stem: str, plan: Plan | None) -> Course:
        """A journal for what comes now, and the machine."""
        key = str(workflow.uuid4())
        begun = begun_of(self.given, key, plan)
        wanted = Beginning(workflow=self.hands.carrier, stem=stem or key[:8], begun=begun, epoch=self.hands.epoch)
        began = await self.hands.ask("starover-begin", wanted, Began)
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
            told = await self.hands.ask("starover-hold", Holding(plan=plan, approval=approval), Told)
            return told.answer if isinstance(told.answer, Approval | Failed) else None
        patience = timedelta(seconds=self.given.patience)
        if not self.given.estate.lab:  # its facts are too old then, whoever approves it
            patience = max(min(patience, plan.made + FRESH - workflow.now()), timedelta(0))
        self.state = Standing(
            state="waits for approval", plan=plan, run=self.state.run, until=workflow.now() + patience
        )
        try:
            await workflow.wait_condition(lambda: self.hands.approval is not None or self.stops > 0, timeout=patience)
        except builtins.TimeoutError:
            nobody = NotApproved(
                f"nobody approved plan {plan.id} in {patience.total_seconds() / 60:.0f} minutes",
                certain=("nothing was changed",),
                next=(f"{plan.command}   makes a new plan",),
            )
            self.hands.approval = Failed(fault=Fault.of(nobody))
        except asyncio.CancelledError:
            self._stop(now=True)
        await workflow.wait_condition(workflow.all_handlers_finished)
        self.state = Standing(state="applying", plan=plan, run=self.state.run)
        return self.hands.approval

    async def _carry(self, course: Course) -> None:
        """Until the machine has a result, or it must stop."""
        await self._follow(course, course.begin(), [])
        while course.result is None and await self._comes(course):
            others: list[tuple[int, Effect]] = []
            again: list[tuple[Job, Reading]] = []
            while self.hands.mail and course.result is None:
                mail = self.hands.mail.popleft()
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
        await self.hands.let_go(course)

    async def _comes(self, course: Course) -> bool:
        """Wait until something has ended; False: it must stop."""
        try:
            await workflow.wait_condition(lambda: bool(self.hands.mail) or course.must_stop)
        except asyncio.CancelledError:
            self._stop(now=True)
        return not course.must_stop

    async def _follow(self, course: Course, others: list[tuple[int, Effect]], again: list[tuple[Job, Reading]]) -> None:
        """Write down what has happened, and only then do what follows."""
        jobs = course.ready()
        await self.hands.write(course, scripts=len(jobs))
        if course.result is not None:
            return
        for job in jobs:
            self.hands.start(course, job, len(jobs))
        for job, going in again:
            self.hands.start(course, job, 1, going)
        for number, effect in others:
            self.hands.perform(course, number, effect)
        self.hands.keep_up(course)

    async def _end(self, course: Course, plan: Plan | None) -> Ended:
        """The last lines, and what came of it."""
        assert self.began is not None
        if course.result is None:
            course.stopped()
        unsigned = await self.hands.write(course, ends=True)
        result, steps = course.result, tuple(course.track.ended)
        changed = sum(one.state in ("changed", "not-verified") for one in steps)
        common = Ended(
            state="stopped",
            exit=130 if self.stops > 1 else 1,
            run=course.run.id,
            plan=plan,
            steps=steps,
            changed=changed,
            under_way=course.track.words(),
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


async def _refused(given: Submission, error: StaroverError) -> Ended:
    """It does not begin: why not stands in the journal of the workers."""
    fault = Fault.of(error)
    refusing = Refusing(
        key=str(workflow.uuid4()),
        asked="submit",
        fault=fault,
        exit=error.exit,
        who=given.who,
        estate=given.estate.name,
        lab=given.estate.lab,
        content=given.content,
        runbook=given.runbook,
        parameters=given.parameters,
        ticket=given.ticket,
        reason=given.reason,
        plan=given.plan,
    )
    with suppress(ActivityError):  # it is refused in any case, and whoever asked hears of it
        await workflow.execute_local_activity(
            "starover-refuse",
            refusing,
            start_to_close_timeout=WRITES,
            retry_policy=RetryPolicy(maximum_attempts=3),
        )
    return Ended(state="refused", exit=error.exit, fault=fault)


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
            ended = await _refused(given, locked)
        except ChildWorkflowError as error:  # it has no result, so no last line of its journal is told
            await _unbegun(given, broken_off(error.workflow_id, error.cause))
            raise
        if not ended.run and ended.fault is not None:
            await _unbegun(given, ended.fault.raised())
        return ended


async def _unbegun(given: Submission, error: StaroverError) -> None:
    """Whoever cares for schedules hears that a start came to no run, or to one without an end."""
    await workflow.execute_local_activity(
        "starover-unbegun",
        Unbegun(who=given.who, fault=Fault.of(error)),
        start_to_close_timeout=WRITES,
        retry_policy=RetryPolicy(maximum_attempts=3),
    )

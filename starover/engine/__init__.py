"""The only loop: `machine` turns asks into effects and answers into a result; knows no IO, thread, clock or chance.

Plan and apply are the same machine. It is a generator: it emits batches of numbered effects and is told of one that
ended at a time, in whatever order. The same answers in the same order give the same effects, which is what resuming,
and any other driver, rests on.
"""

from __future__ import annotations

import msgspec

from starover.effects import NOBODY, Approval, Approve, Failed, Machine, Result
from starover.engine.leasing import Leasing
from starover.engine.outcomes import left_alone
from starover.engine.state import Failure, Run, State, what_of
from starover.engine.strand import Parked, Strand, gravest
from starover.engine.tasks import Process, Scheduler, perform
from starover.errors import Fault, Refused, StaroverError, Unreachable
from starover.events import Approved, Looked, RunBegan, RunEnded, RunState
from starover.guard import check_applicable, check_approval, check_fresh
from starover.plan import Plan, digest_of
from starover.step import Risk, Steps

__all__ = ["Run", "machine", "what_of"]


def machine(run: Run, runbook: Steps[object]) -> Machine:
    """Plan `runbook`, or apply `run.plan` with it.

    Raises `PlanIsStale` when told of an effect that it did not ask for, as on replay of another runbook's answers.
    """
    scheduler = Scheduler(run.content, run.key, run.judges)
    state = State(run, scheduler)
    task = scheduler.start(_whole(state, runbook), root=True)
    while True:
        new = scheduler.turn()
        if task.ended:
            break
        done = yield new
        scheduler.deliver(done)
    if task.error is not None:
        raise task.error
    assert isinstance(task.value, Result)
    return task.value


def _whole(state: State, runbook: Steps[object]) -> Process[Result]:
    """A run from its first record to its last."""
    run = state.run
    yield from state.record(
        RunBegan(
            runbook=run.bound.runbook,
            mode="plan" if run.plan is None else "apply",
            plan=run.plan.id if run.plan is not None else "",
            who=run.who,
            ticket=run.ticket,
            reason=run.reason,
        )
    )
    value: object = None
    failed: StaroverError | None = None
    try:
        if run.plan is not None:
            yield from _approve(state, run.plan)
            yield from _lease(state, run.plan)
        value = yield from Strand(state, runbook).run()
    except Parked:
        pass
    except StaroverError as error:
        failed = error
    report = value if isinstance(value, msgspec.Struct) else None
    if report is not None:
        yield from state.record(Looked(report=msgspec.Raw(msgspec.json.encode(report))))
    counted = [failure for failure in state.failures if failure.counts and (failed is not None or not failure.reading)]
    errors = [*([failed] if failed is not None else []), *(failure.error for failure in counted)]
    if errors and state.loose:
        errors.append(left_alone(len(state.loose), run.id))
    result = _result(state, report, gravest(errors) if errors else None, _resume(counted))
    unknown = state.unknown or (result.error is not None and state.loose)
    if state.leasing is not None and not unknown:  # else it stays until that is known
        yield from state.leasing.give_back()
    yield from state.record(
        RunEnded(
            state=result.state,
            exit=result.exit,
            changed=result.changed,
            plan=result.plan.digest if result.plan is not None else "",
            fault=Fault.of(result.error) if result.error is not None else None,
            resume=result.resume,
            also=tuple(
                sorted({one for failure in counted for one in (failure.resume, *failure.also)} - {0, result.resume})
            ),
        )
    )
    return result


def _approve(state: State, plan: Plan) -> Process:
    """Raises `Refused` when the plan may not be applied."""
    try:
        check_applicable(plan)
        check_fresh(plan, state.run.started)
        if plan.risk is Risk.READ or not (plan.changes or plan.stops):
            return
        answer = yield from perform(Approve(digest=plan.digest, risk=plan.risk.value))
        if isinstance(answer, Failed) and answer.fault.what != NOBODY:
            raise answer.fault.raised()
        check_approval(plan, answer if isinstance(answer, Approval) else None, state.run.started)
        assert not isinstance(answer, Failed)
    except Refused as error:
        state.note_failure(error, 0)
        raise
    if isinstance(answer, Approval):
        second = answer.second
        yield from state.record(
            Approved(
                digest=plan.digest,
                by=answer.by,
                how=answer.how,
                ticket=answer.ticket,
                second=second.by if second is not None else "",
                second_at=second.at if second is not None else None,
                break_glass=answer.break_glass,
                accepted=answer.accepted,
                signed=answer.signed,
                policy=answer.policy,
                rests_on=answer.rests_on,
                waivers=answer.waivers,
            )
        )


def _lease(state: State, plan: Plan) -> Process:
    """Before anything is read that decides: what was read without the lease may be old already. Raises `Refused`."""
    if state.run.lease is None or plan.risk is Risk.READ or not (plan.changes or plan.stops):
        return
    state.leasing = Leasing(state, state.run.lease)
    try:
        yield from state.leasing.take()
    except StaroverError as error:
        state.note_failure(error, 0)
        raise


def _resume(counted: list[Failure]) -> int:
    return next((failure.resume for failure in counted if failure.resume), 0)


def _result(state: State, report: msgspec.Struct | None, error: StaroverError | None, resume: int) -> Result:
    changed = sum(step.state in ("changed", "not-verified") for step in state.ended)
    ended = tuple(state.ended)
    if error is not None:
        word = _WORDS.get(error.exit, "failed")
        return Result(
            state=word, value=report, error=error, changed=changed, exit=error.exit, resume=resume, ended=ended
        )
    if state.run.plan is not None:
        return Result(state="done" if changed else "nothing", value=report, changed=changed, ended=ended)
    plan = _plan(state)
    if plan.blocked:
        return Result(state="refused", plan=plan, value=report, exit=Refused.exit)
    if plan.nothing:
        return Result(state="looked" if report is not None and not plan.steps else "nothing", plan=plan, value=report)
    return Result(state="planned", plan=plan, value=report)


def _plan(state: State) -> Plan:
    run = state.run
    steps = sorted(state.planned, key=lambda step: step.position)
    plan = Plan(
        digest="",
        runbook=run.bound.runbook,
        summary=run.bound.summary,
        parameters=dict(run.bound.parameters),
        content=run.content.sha256,
        version=run.version,
        estate=run.estate,
        lab=run.lab,
        made=run.started,
        run=run.id,
        by=run.who,
        steps=tuple(msgspec.structs.replace(step, number=number) for number, step in enumerate(steps, 1)),
        frontier=state.stops[max(state.stops, key=len)] if state.stops else "",
        stops=tuple(sorted(state.stops)),
        beyond=run.bound.beyond,
    )
    return msgspec.structs.replace(plan, digest=digest_of(plan))


_WORDS: dict[int, RunState] = {4: "refused", 75: "refused", 5: "unknown", Unreachable.exit: "unreachable"}

"""One step done for real: read again, send once, find out what became of it, verify; knows no runbook, no other step.

The laws of design.md that live here: a step that no longer fits its plan is refused (4); what was sent is never sent
again on a guess (5): receipt, then reading, then the decision. Every way out ends with a `StepEnded` in the journal.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

import msgspec

from starover import envelope
from starover.effects import Facts, Failed, Poll, Script, Send, Until
from starover.engine.fits import check_change, check_foreseen, check_script
from starover.engine.leasing import refused
from starover.engine.outcomes import Known, broke_off, never_began, said_of, state_of, unknown
from starover.engine.state import Group, GroupEnds, State, what_of
from starover.engine.tasks import Process, perform, read, watch
from starover.errors import (
    BadReport,
    CmdletFailed,
    ConnectFailed,
    ErrorRecord,
    Fault,
    Locked,
    NotSafe,
    NotVerified,
    OutcomeUnknown,
    Refused,
    RemoteFailure,
    ReplyLost,
    StaroverError,
)
from starover.events import StepBegan, StepEnded, StepState, StepUnsure
from starover.plan import PlannedStep, Position
from starover.remote_errors import advice
from starover.render import Body
from starover.retry import BACKOFF, Again, GiveUp, decide, decide_failed, decide_probe
from starover.step import Blocked, Change, Outcome, Step
from starover.transport import Part
from starover.values import plain

__all__ = ["Applying"]

PROBE_DEADLINE = 30.0
"""Seconds for looking at a receipt."""


class Applying:
    """One step on its way."""

    def __init__(self, state: State, step: Step, position: Position, group: Group, *, undoing: bool) -> None:
        """`undoing`: the runbook yields it to put right what failed; then the plan does not know it."""
        self.state = state
        self.step = step
        self.position = position
        self.group = group
        self.undoing = undoing
        state.run.steps[position] = step
        plan = state.run.plan
        assert plan is not None
        self.plan = plan
        self.planned: PlannedStep | None = None if undoing else plan.at(position)
        self.number = state.number_of(self.planned)
        self.host = step.server.name
        self.arguments = {name: plain(value) for name, value in step.arguments.items()}
        self._json = msgspec.Raw(msgspec.json.encode(self.arguments, order="deterministic"))
        self.change: Change | None = self.planned.change if self.planned is not None else None
        self.operation = ""
        self.adopted: tuple[str, ...] = ()
        """What an earlier leg had sent for the same from another place in the runbook: it is not sent anew."""
        self.applied = False
        """A try of it has run, and PowerShell reported no error."""
        self.note = ""
        self.warnings: tuple[str, ...] = ()
        self.unsure = 0
        """How often nobody knew what became of the write."""
        self.stuck = False
        """What the last try began stood still."""
        self.fault: Fault | None = None
        """Why nobody knew what became of it, the last time."""
        self.repeated: list[int] = []
        """Legs in which what leaves no receipt was sent again, because its fact had not come about."""
        self.sent_at = 0
        """Number of the last sending of the write."""
        self.resume = 0
        """Number of the effect from which a later leg goes on when the step fails where it is now; 0: the last one."""

    def run(self) -> Process[Outcome]:
        """Make the fact true. Raises what went wrong, after it stands in the journal."""
        try:
            outcome = yield from self._run()
        except GroupEnds:
            raise
        except Exception as cause:
            error = cause if isinstance(cause, StaroverError) else self._bug(cause)
            if self.applied and not isinstance(error, NotVerified | OutcomeUnknown):
                self.state.note_quiet(error)
                error = broke_off(self.step.kind.name, self.host, self.state.run.id, error)
            self.state.note_failure(error, self.resume or self.state.scheduler.answered)
            yield from self._ended(state_of(error, sent=bool(self.operation)), error)
            if error is cause:
                raise
            raise error from cause
        yield from self._ended("changed" if outcome.state == "changed" else "right", None)
        return outcome

    # -- the way of one step -------------------------------------------------------------------------------------

    def _run(self) -> Process[Outcome]:
        check_foreseen(self.plan, self.planned, self.position, self.step, self.arguments, undoing=self.undoing)
        before = yield from read(self.step.check)
        attempt = 1
        self.adopted = self.state.adopted(self._operation(attempt), self._what)
        if (kept := self.state.run.earlier.get(self._operation(attempt))) is not None:
            # An earlier leg had begun this very step: what it read first is what was before, whatever is there now.
            before = kept
        change = self.step.change(before)
        if change is None:
            self.note = "done already, not by this step" if self.change is not None else ""
            return Outcome(state="right")
        while True:
            self._check_change(change)
            assert isinstance(change, Change)
            self.change = change
            body = self.state.run.content.body(self.step.kind.apply, self.step.arguments)
            check_script(self.plan, self.planned, body)
            result = yield from self._write(body, before, attempt)
            self.note = result.note
            if result.record is not None:
                change = yield from self._after_failure(result.record, attempt, earlier=result.earlier)
                if change is None:
                    self.note = "PowerShell reported an error, but the fact holds"
            else:
                self.applied = True
                change = None if result.holds else (yield from self._verify(attempt))
            if change is None:
                return Outcome(state="changed", change=self.change, said=result.said)
            attempt += 1

    def _write(self, body: Body, before: bytes, attempt: int) -> Process[Known]:
        """Journal the intent, send once, and find out what became of it."""
        if attempt == 1 and not self.state.was_sent(self._operation(attempt)):
            if self.group.ends:
                raise GroupEnds
            self.state.check_not_quiet()
        self.operation, late = self._operation(attempt), self.group.ends
        yield from self.state.record(self._began(body, before, attempt))
        tries, resent = 1, False
        while True:
            asks = self.state.was_sent(self.operation) and not resent and tries == 1  # sent before, and not now
            lease = None if asks else (yield from self._leased(body))
            if isinstance(lease, Known):
                return lease
            if not asks:
                self._check_may_send(late=late)
            script = self._script(body, before, lease)
            answer = yield from perform(Send(what="write", operation=self.operation, script=script))
            self.sent_at = self.resume = self.state.scheduler.answered
            leasing, expired = self.state.leasing, refused(answer, self.operation)
            if leasing is not None and expired is not None:
                yield from leasing.regain(self.host, self.operation, expired=expired)
                if (found := (yield from self._look_again())) is not None:
                    return found
                continue
            if isinstance(answer, Facts):
                known = self._known(answer)
                if known is not None and known.done:
                    self.warnings = answer.warnings
                    return replace(known, said=said_of(answer, self.operation))
                if known is not None:
                    raise never_began(self.step.kind.name, self.host, answer.errors.get(self.operation))
                fault, earlier = Fault.of(ReplyLost(f"an earlier sending still runs on {self.host}")), False
            else:
                assert isinstance(answer, Failed)
                fault, earlier = answer.fault, answer.earlier
            error = fault.raised()
            decision = decide(error, mutates=True, attempt=tries)
            if isinstance(decision, Again):
                tries += 1
                yield from perform(Until(seconds=decision.seconds))
                continue
            if isinstance(decision, GiveUp):
                if self.repeated and self.fault is not None:
                    raise self._unknown(self.fault, error.what)
                raise error
            self.fault = fault
            found = yield from self._find_out(fault)
            if found.done:
                return replace(found, earlier=earlier)
            if isinstance(error, RemoteFailure) and not self.repeated:
                self.resume = self.sent_at
                raise error
            if resent and not earlier:
                self.resume = self.sent_at
                raise ConnectFailed(
                    f"{self.host} never began the script, though it was sent twice",
                    certain=("it had not begun when its receipt was last looked for", "the fact does not hold"),
                    next=(f"starover resume {self.state.run.id}",),
                    host=self.host,
                )
            resent = True

    def _after_failure(self, record: ErrorRecord, attempt: int, *, earlier: bool) -> Process[Change | Blocked | None]:
        """PowerShell failed. None: the fact holds all the same. A change: worth another try. Else raises."""
        what = f"{self.step.kind.name} failed on {self.host}: {record.message}"
        decision = decide_failed((record,), attempt=attempt)
        passing = isinstance(decision, Again)
        self.resume = self.sent_at
        if isinstance(decision, Again):
            yield from perform(Until(seconds=decision.seconds))
        try:
            change = self.step.change((yield from read(self.step.check)))
        except StaroverError as error:
            raise OutcomeUnknown(
                what,
                certain=("PowerShell ended with that error",),
                uncertain=(f"whether a part of it was done: {error.what}",),
                next=(f"starover resume {self.state.run.id}   reads {self.host} first", *advice((record,))),
                host=self.host,
            ) from error
        if change is None or (self._alone and (passing or (earlier and self._as_before(change)))):
            return change
        raise CmdletFailed(
            what,
            records=(record,),
            certain=("the fact was read again: it does not hold",),
            next=(f"starover resume {self.state.run.id}   tries this step again", *advice((record,))),
            host=self.host,
        )

    def _verify(self, attempt: int) -> Process[Change | Blocked | None]:
        """Read until nothing is missing (None), or `settle` is over. A change: it broke off, do it again."""
        kind = self.step.kind
        body = self.state.run.content.body(kind.check, self.step.arguments)
        poll = Poll(
            what=str(self.change.what) if self.change else kind.doc,
            step=self.number,
            script=self.state.scheduler.reading(self.step.check, body),
            settle=self.step.settle,
        )
        answer = yield from watch(poll, self.step.verdict)
        self.resume = self.state.scheduler.answered
        if isinstance(answer, Facts):
            return None
        assert isinstance(answer, Failed)
        error = answer.fault.raised()
        self.state.note_quiet(error)
        if (answer.blocked or answer.stalled) and attempt < kind.tries and self._alone:
            self.stuck = answer.stalled
            yield from perform(Until(seconds=BACKOFF[min(attempt, len(BACKOFF)) - 1]))
            now = self.step.change((yield from read(self.step.check)))
            if now is None or self._alone:
                # What stands still half-way is our own doing: it is not what the plan began from.
                return self.change if self.stuck and isinstance(now, Change) else now
        if kind.lenient and isinstance(error, NotVerified):
            self.note = "; ".join([*([self.note] if self.note else []), f"{error.what}: the run goes on"])
            return None
        raise NotVerified(
            f"{kind.name} was applied on {self.host}, but does not hold: {answer.blocked or error.what}",
            certain=("the script ran and reported no error", *error.certain),
            uncertain=("whether the fact still comes about",),
            next=(f"starover resume {self.state.run.id}   looks again", *error.next),
            host=self.host,
        )

    # -- the lost answer -----------------------------------------------------------------------------------------

    def _find_out(self, fault: Fault) -> Process[Known]:
        """Receipt, then reading, then the decision. Raises `OutcomeUnknown` when it stays unknown.

        What went straight to /PowerShell, and a call, has no receipt: only the fact can tell that it was done, nothing
        that it was not. Where doing it twice is as doing it once, the fact is enough when it has had a whole deadline:
        it is sent again once in each leg, because a resume is somebody's word to go on.
        """
        body = self.state.run.content.body(self.step.kind.apply, self.step.arguments)
        traced = envelope.leaves_receipt(self.step.server, body)
        yield from self.state.record(
            StepUnsure(step=self.number, host=self.host, operation=self.operation, fault=fault)
        )
        self.unsure += 1
        match self.state.run.settled.get(f"{self.operation}#{self.unsure}"):
            case "applied":
                return Known(done=True, holds=True, note="settled by a person: applied")
            case "not-applied":
                return Known(done=False)
            case _:
                pass
        waited, why = 0.0, f"{self.host} has begun it and not ended it"
        every, limit = max(self.step.settle.every, 1.0), self.step.kind.deadline
        while True:
            receipt = (yield from self._probe(fault)) if traced else None
            if receipt is not None and receipt.lost:
                receipt, why = None, f"{self.host} has lost what it kept beside the lease, receipts too"
            if receipt is not None and receipt.record is not None:
                return receipt
            try:
                now = self.step.change((yield from read(self.step.check)))
            except StaroverError as error:
                raise self._unknown(fault, error.what) from error
            if now is None:
                how = "receipt found, it holds" if receipt is not None and receipt.done else "found by reading"
                return Known(done=True, holds=True, note=f"answer lost, {how}")
            if receipt is not None and receipt.done:
                return Known(done=True, note="answer lost, receipt found")
            if receipt is not None:
                self._check_change(now)
                return Known(done=False)
            if waited >= limit and not traced and self.step.kind.repeatable and self.state.leg not in self.repeated:
                self._check_repeatable(fault, now)
                self.repeated.append(self.state.leg)
                return Known(done=False)
            if waited >= limit:
                raise self._unknown(fault, why)
            waited += every
            yield from perform(Until(seconds=every))

    def _probe(self, fault: Fault) -> Process[Known | None]:
        """What the host's receipt says; None: begun and not ended."""
        attempt = 1
        while True:
            nonce = self.state.scheduler.nonce()
            leasing = self.state.leasing
            dag = leasing.scope.dag if leasing is not None else ""
            composed = envelope.probe(self.step.server, (self.operation,), nonce, dag=dag)
            script = Script(
                host=self.host,
                text=composed.text,
                arguments=composed.arguments,
                nonce=nonce,
                deadline=PROBE_DEADLINE,
            )
            answer = yield from perform(Send(what="probe", operation=self.operation, script=script))
            if attempt == 1 and not isinstance(fault.raised(), RemoteFailure):
                # After an error of PowerShell's own a later leg decides anew, and may send what never began.
                self.resume = self.state.scheduler.answered
            if isinstance(answer, Facts) and self.operation in answer.receipts:
                return self._known(answer)
            error: StaroverError = (
                answer.fault.raised()
                if isinstance(answer, Failed)
                else BadReport(f"{self.host} did not say what it knows of the operation", host=self.host)
            )
            decision = decide_probe(error, attempt=attempt)
            if not isinstance(decision, Again):
                raise self._unknown(fault, error.what) from error
            attempt += 1
            yield from perform(Until(seconds=decision.seconds))

    def _known(self, facts: Facts) -> Known | None:
        """What a receipt says of the operation; None: begun and not ended. Raises `Locked`."""
        operation = self.operation
        held = facts.receipts.get(operation)
        state = held.state if held is not None else "in-progress"
        match state:
            case "ran" | "ran-before":
                note = "" if state == "ran" else "an earlier sending had done it"
                return Known(done=True, note=note, record=facts.errors.get(operation))
            case "absent":
                return Known(done=False)
            case "in-progress":
                return None
            case "lost":
                return Known(done=False, lost=True)
            case "refused":
                raise Locked(
                    f"{self.host} has seen a newer holder of the lease and refused the step",
                    certain=("the step is not applied",),
                    host=self.host,
                )
            case _:
                assert_never(state)

    @property
    def _alone(self) -> bool:
        """Nothing has failed beside it after which nothing more may be changed."""
        return not self.group.ends and not self.state.is_quiet

    def _check_may_send(self, *, late: bool) -> None:
        """The last look before it is sent (law 6). `late`: its group had failed when it was to be found out about."""
        if (late or self.state.is_quiet) and self.repeated and self.fault is not None:
            raise self._unknown(self.fault, "it is not sent again, because of another failure in this run")
        if late:
            what = f"{self.host} never began it, and a part beside it has failed: it is not sent"
            raise NotSafe(what, certain=("there was no receipt of it",), host=self.host)
        self.state.check_not_quiet()

    def _check_repeatable(self, fault: Fault, change: Change | Blocked) -> None:
        """What is not as planned any more is not sent again; that it was sent once stays unknown."""
        try:
            self._check_change(change)
        except Refused as error:
            raise self._unknown(fault, f"it is not sent again: {error.what}") from error

    def _check_change(self, change: Change | Blocked) -> None:
        check_change(self.plan, change, self.change, self.host, known=self.planned is not None or bool(self.operation))

    # -- words ---------------------------------------------------------------------------------------------------

    @property
    def _what(self) -> str:
        return what_of(self.step.kind.name, self.host, bytes(self._json))

    def _operation(self, attempt: int) -> str:
        if attempt <= len(self.adopted):
            return self.adopted[attempt - 1]
        return self.state.run.operation(self.position, attempt, self._what)

    def _leased(self, body: Body) -> Process[envelope.Lease | Known | None]:
        """What the script carries of the DAG's lease; a result: while it was taken anew the fact has come to hold."""
        leasing = self.state.leasing
        if leasing is None:
            return None
        while True:
            takes, leg = leasing.takes, self.state.leg
            try:
                lease = yield from leasing.ready(
                    self.step.server, traced=envelope.leaves_receipt(self.step.server, body)
                )
            except StaroverError:  # not from the last answer on: whoever was silent is asked again
                self.resume = self.resume or leasing.first
                raise
            found = (yield from self._look_again()) if takes != leasing.takes else None
            if found is not None or self.state.leg == leg:
                return found or lease
            # A resume came while it was read: the lease is the earlier leg's, and not good any more.

    def _look_again(self) -> Process[Known | None]:
        """The lease was taken anew, and somebody else may have had it since the fact was read. None: send it."""
        now = self.step.change((yield from read(self.step.check)))
        if now is None:
            return Known(done=True, holds=True, note="done already, not by this step")
        self._check_change(now)
        return None

    def _script(self, body: Body, before: bytes, lease: envelope.Lease | None) -> Script:
        nonce = self.state.scheduler.nonce()
        composed = envelope.write(self.step.server, body, self.operation, nonce, before, lease=lease, stuck=self.stuck)
        part = Part(id=self.operation, template=self.step.kind.apply, sha256=body.sha256, arguments=self._json)
        return Script(
            host=self.host,
            text=composed.text,
            arguments=composed.arguments,
            way=composed.way,
            nonce=nonce,
            deadline=self.step.kind.deadline,
            parts=(part,),
        )

    def _as_before(self, change: Change | Blocked) -> bool:
        """Whether a reading asks for the very change that was begun."""
        return isinstance(change, Change) and self.change is not None and change.bound == self.change.bound

    def _began(self, body: Body, before: bytes, attempt: int) -> StepBegan:
        assert self.change is not None
        return StepBegan(
            step=self.number,
            position=self.position,
            host=self.host,
            kind=self.step.kind.name,
            title=self.step.kind.doc,
            risk=self.step.kind.risk.value,
            what=str(self.change.what),
            now=self.change.now,
            wanted=self.change.wanted,
            note=self.change.shown,
            operation=self.operation,
            attempt=attempt,
            sha256=body.sha256,
            arguments=self._json,
            prev=msgspec.Raw(before),
            undoing=self.undoing,
        )

    def _ended(self, state: StepState, error: StaroverError | None) -> Process:
        change = self.change
        yield from self.state.record(
            StepEnded(
                step=self.number,
                position=self.position,
                host=self.host,
                kind=self.step.kind.name,
                title=self.step.kind.doc,
                state=state,
                what=str(change.what) if change else self.step.kind.doc,
                now=change.now if change else "",
                wanted=change.wanted if change else "",
                note=self.note,
                warnings=self.warnings,
                operation=self.operation,
                fault=Fault.of(error) if error is not None else None,
            )
        )

    def _unknown(self, fault: Fault, why: str) -> OutcomeUnknown:
        change = self.change
        what = f"{change.what}: {change.now} -> {change.wanted}" if change else self.step.kind.name
        often = len(self.repeated) + (self.unsure > len(self.repeated))
        times = {1: "once", 2: "twice"}.get(often, f"{often} times")
        return unknown(self.number, self.host, self.state.run.id, fault, what, why, times)

    def _bug(self, cause: Exception) -> StaroverError:
        what = f"the step kind {self.step.kind.name} is wrong in itself: {type(cause).__name__}: {cause}"
        if self.operation:
            return OutcomeUnknown(what, uncertain=("what became of the step after it was sent",), host=self.host)
        return StaroverError(what, certain=("this step was not begun",), host=self.host)

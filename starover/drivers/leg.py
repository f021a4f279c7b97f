"""One leg of a run on this machine: performs effects, journals before and after, replays; decides nothing."""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue
from typing import TypeAlias

import msgspec

from starover import envelope
from starover import journal as kept
from starover.clock import Clock
from starover.effects import (
    Approval,
    Approve,
    Done,
    Effect,
    Facts,
    Failed,
    Find,
    Found,
    Held,
    Ok,
    Poll,
    Reaction,
    Record,
    Result,
    Script,
    Send,
    Until,
    digest_of,
)
from starover.engine import Run, machine
from starover.errors import CmdletFailed, ErrorRecord, Fault, NotApproved, ReplyLost, StaroverError
from starover.estate import Server
from starover.events import (
    Answered,
    Asked,
    Event,
    Progress,
    Retrying,
    Sink,
    StepBegan,
    StepEnded,
    StepSent,
    Stopping,
    Told,
)
from starover.journal import Entry, Journal
from starover.redact import Redactor
from starover.settling import Holds, Over, Settling
from starover.step import Steps, Verdict
from starover.transport import Answer, Transport
from starover.transport import Script as WireScript

__all__ = ["Leg", "Mail", "Stop"]

EARSHOT = 0.5
"""Seconds after which waiting for mail is taken up anew: on Windows a Ctrl-C is not heard within a wait."""


@dataclass(frozen=True)
class Stop:
    """Put into the inbox by whoever wants the leg to end."""


@dataclass(frozen=True)
class _Came:
    """A reaction came, in a thread, for an effect."""

    number: int
    reaction: Reaction
    answer: Answer | None = None
    readings: int = 0


Mail: TypeAlias = Stop | _Came | Event


@dataclass(eq=False)
class Leg:
    """Everything that one leg needs, and its state."""

    run: Run
    steps: Steps[object]
    journal: Journal
    transport: Transport
    servers: Mapping[str, Server]
    clock: Clock
    sinks: Sequence[Sink]
    redact: Redactor
    approve: Callable[[], Approval | None]
    find: Callable[[Find], Found]
    inbox: SimpleQueue[Mail]
    unanswered: dict[str, bool] = field(default_factory=dict[str, bool])
    """Operations that earlier legs sent and that no answer counts for; True where one came and was put aside."""

    def __post_init__(self) -> None:
        """Nothing is under way."""
        self.open: dict[int, Effect] = {}
        self.under_way: dict[str, StepBegan] = {}
        """Steps begun and not ended, by operation."""
        self.unknown: dict[str, StepBegan] = {}
        """Steps that ended, and nobody knows how."""
        self.ended: list[StepEnded] = []
        self.result: Result | None = None
        self.stops = 0
        self._engine = machine(self.run, self.steps)

    def replay(self, entries: Sequence[Entry]) -> None:
        """Take what the journal holds. Raises `PlanIsStale` when the runbook asks for something else now."""
        self._open(next(self._engine))
        for entry in entries:
            body = entry.body
            if isinstance(body, kept.Recorded):
                self._saw(body.event)
                self._send(Done(number=body.number, digest=body.digest, answer=Ok()))
            elif isinstance(body, kept.Answered):
                self._send(Done(number=body.number, digest=body.digest, answer=body.answer))

    def live(self) -> Result | None:
        """Go on until the run ends, or is stopped (None)."""
        self._perform(list(self.open.items()))
        while self.result is None and not self._must_stop():
            try:
                mail = self.inbox.get(timeout=EARSHOT)
            except Empty:
                continue
            self._read_mail(mail)
        if self.result is None:
            self.journal.append(self.clock.now(), kept.Stopped(now=bool(self.under_way), under_way=self.words()))
        self.clock.expect(0)  # nothing follows the last answer
        return self.result

    def words(self) -> tuple[str, ...]:
        """What was sent and is not known to be done."""
        return tuple(
            f"step {one.step} on {one.host}: {one.what} {one.now} -> {one.wanted}"
            for one in (*self.under_way.values(), *self.unknown.values())
        )

    # -- engine --------------------------------------------------------------------------------------------------

    def _open(self, new: tuple[tuple[int, Effect], ...]) -> list[tuple[int, Effect]]:
        self.open.update(new)
        return list(new)

    def _send(self, done: Done) -> list[tuple[int, Effect]]:
        """Tell the engine; give what is new."""
        self.open.pop(done.number, None)
        try:
            return self._open(self._engine.send(done))
        except StopIteration as stop:
            result: object = stop.value
            assert isinstance(result, Result)
            self.result = result
            return []

    def _answer(self, came: _Came) -> list[tuple[int, Effect]]:
        """Journal an answer, tell of it, and tell the engine."""
        effect = self.open[came.number]
        reaction = self.redact.reaction(came.reaction)
        digest = digest_of(effect)
        answer = came.answer
        entry = kept.Answered(
            number=came.number,
            digest=digest,
            answer=reaction,
            operation=effect.operation if isinstance(effect, Send) and effect.mutates else "",
            host=effect.script.host if isinstance(effect, Send | Poll) else "",
            road=answer.road if answer else "",
            seconds=round(answer.seconds, 3) if answer else 0.0,
            tries=tuple(
                kept.Tried(what=self.redact.text(one.what), sent=one.sent, waited=one.waited)
                for one in (answer.attempts if answer else ())
            ),
            readings=came.readings,
        )
        self.journal.append(self.clock.now(), entry)
        if isinstance(effect, Send) and answer is not None:
            for one in entry.tries:
                self._tell(Retrying(host=entry.host, why=one.what, wait=one.waited))
            fault = reaction.fault if isinstance(reaction, Failed) else None
            self._tell(Answered(host=entry.host, what=effect.what, road=entry.road, seconds=entry.seconds, fault=fault))
        return self._send(Done(number=came.number, digest=digest, answer=reaction))

    # -- performing ----------------------------------------------------------------------------------------------

    def _perform(self, new: list[tuple[int, Effect]]) -> None:
        """Have effects performed: what needs no thread at once, then all scripts side by side."""
        work = deque(new)
        sends: list[tuple[int, Send]] = []
        polls: list[tuple[int, Poll]] = []
        while work:
            number, effect = work.popleft()
            if isinstance(effect, Record):
                if not (self.stops and isinstance(effect.event, StepBegan)):  # else a resume asks for it again
                    work.extend(self._record(number, effect))
            elif isinstance(effect, Approve):
                approval = self.approve()
                none = Failed(fault=Fault.of(NotApproved("nobody approved it")))
                work.extend(self._answer(_Came(number, approval or none)))
            elif isinstance(effect, Find):
                work.extend(self._answer(_Came(number, self.find(effect))))
            elif isinstance(effect, Until):
                self._thread(self._wait, number, effect)
            elif isinstance(effect, Poll):
                polls.append((number, effect))
            elif effect.operation in self.unanswered and effect.mutates:
                came = self.unanswered.pop(effect.operation)
                why = ReplyLost(
                    "an earlier leg of this run sent it, and its answer does not count", host=effect.script.host
                )
                work.extend(self._answer(_Came(number, Failed(fault=Fault.of(why), earlier=came))))
            else:
                sends.append((number, effect))
        if self.result is None and not self._must_stop():
            self._dispatch(sends, polls)

    def _record(self, number: int, effect: Record) -> list[tuple[int, Effect]]:
        digest = digest_of(effect)
        at = self.clock.now()
        self.journal.append(at, kept.Recorded(number=number, digest=digest, event=effect.event))
        self._saw(effect.event)
        self._tell(effect.event, at)
        return self._send(Done(number=number, digest=digest, answer=Ok()))

    def _saw(self, event: Event) -> None:
        if isinstance(event, StepBegan):
            self.under_way[event.operation] = event
        elif isinstance(event, StepEnded):
            self.ended = [one for one in self.ended if one.position != event.position]
            self.ended.append(event)
            self.unknown.pop(event.operation, None)
            if (begun := self.under_way.pop(event.operation, None)) is not None and event.state == "unknown":
                self.unknown[event.operation] = begun

    def _dispatch(self, sends: list[tuple[int, Send]], polls: list[tuple[int, Poll]]) -> None:
        """Journal scripts, announce them, and have them run."""
        self.clock.expect(len(sends) + len(polls))
        if not sends and not polls:
            return
        entries = [_sent(number, effect, effect.what, effect.operation) for number, effect in sends]
        entries += [_sent(number, effect, "poll", "") for number, effect in polls]
        at = self.clock.now()
        self.journal.append(at, *entries)
        for what in ("read", "write", "probe"):
            hosts = tuple(effect.script.host for _, effect in sends if effect.what == what)
            if hosts:
                self._tell(Asked(hosts=hosts, what=what), at)
        for _, effect in sends:
            if (begun := self.under_way.get(effect.operation)) is not None and effect.mutates:
                self._tell(StepSent(step=begun.step, host=begun.host, operation=begun.operation), at)
        if sends:
            self._thread(self._ask, sends)
        for number, poll in polls:
            self._thread(self._watch, number, poll, self.run.judges[number])

    def _tell(self, event: Event, at: datetime | None = None) -> None:
        told = Told(at=at or self.clock.now(), run=self.run.id, event=event)
        for sink in self.sinks:
            sink.tell(told)

    # -- mail and stopping ---------------------------------------------------------------------------------------

    def _read_mail(self, mail: Mail) -> None:
        if isinstance(mail, _Came):
            self._perform(self._answer(mail))
        elif isinstance(mail, Stop):
            self.stops += 1
            after = self.stops == 1 and bool(self.under_way)
            self._tell(Stopping(when="after-step" if after else "now", under_way=self.words()))
        else:
            self._tell(mail)

    def _must_stop(self) -> bool:
        """Once: when no step is under way. Twice: at once."""
        return self.stops > 1 or (self.stops == 1 and not self.under_way)

    # -- threads: these touch nothing of the leg but the transport, the clock and the inbox ------------------------

    def _thread(self, work: Callable[..., None], *arguments: object) -> None:
        threading.Thread(target=work, args=arguments, daemon=True).start()

    def _wire(self, number: int, script: Script, send: Send | None = None) -> WireScript:
        return WireScript(
            id=f"{self.run.id}/{number}",
            server=self.servers[script.host],
            text=script.text,
            arguments=script.arguments,
            deadline=script.deadline,
            mutates=send is not None and send.mutates,
            parts=script.parts,
            operation=send.operation if send is not None else "",
            nonce=script.nonce,
        )

    def _ask(self, sends: list[tuple[int, Send]]) -> None:
        """Run scripts side by side and mail what comes."""
        waiting = {f"{self.run.id}/{number}": (number, send) for number, send in sends}
        why = "the transport gave no answer"
        try:
            for answer in self.transport.run([self._wire(number, send.script, send) for number, send in sends]):
                number, send = waiting.pop(answer.id)
                self.inbox.put(_Came(number, reaction_of(answer, send.script), answer))
        except Exception as bug:  # a transport never raises; if it does, nothing is known of what it had taken
            why = f"the transport failed in itself: {type(bug).__name__}: {bug}"
        for number, send in waiting.values():
            lost = ReplyLost(why, host=send.script.host)
            self.inbox.put(_Came(number, Failed(fault=Fault.of(lost))))

    def _wait(self, number: int, until: Until) -> None:
        try:
            self.clock.wait_until(self.clock.now() + timedelta(seconds=until.seconds))
        except StaroverError as error:
            self.inbox.put(_Came(number, Failed(fault=Fault.of(error))))
        else:
            self.inbox.put(_Came(number, Ok()))

    def _watch(self, number: int, poll: Poll, judge: Callable[[bytes], Verdict]) -> None:
        """Read until it satisfies, and mail the end of it."""
        readings = 0
        try:
            settling = Settling(poll.settle, poll.what, self.clock.now())
            while True:
                (answer,) = self.transport.run([self._wire(number, poll.script)])
                readings += 1
                reaction = self.redact.reaction(reaction_of(answer, poll.script))
                next_ = settling.saw(self.clock.now(), verdict_of(reaction, poll, judge))
                if isinstance(next_, Holds):
                    self.inbox.put(_Came(number, reaction, answer, readings))
                    return
                if isinstance(next_, Over):
                    failed = Failed(fault=Fault.of(next_.error), blocked=next_.blocked)
                    self.inbox.put(_Came(number, failed, answer, readings))
                    return
                waited = (self.clock.now() - settling.start).total_seconds()
                self.inbox.put(
                    Progress(
                        host=poll.script.host,
                        what=poll.what,
                        step=poll.step,
                        seconds=waited,
                        left=next_.left,
                        eta=next_.eta,
                    )
                )
                self.clock.wait_until(next_.until)
                self.clock.expect(1)
        except Exception as bug:
            error = bug if isinstance(bug, StaroverError) else StaroverError(f"{type(bug).__name__}: {bug}")
            self.inbox.put(_Came(number, Failed(fault=Fault.of(error)), None, readings))


def _sent(number: int, effect: Send | Poll, what: str, operation: str) -> kept.Sent:
    script = effect.script
    return kept.Sent(
        number=number,
        digest=digest_of(effect),
        what=what,
        host=script.host,
        script=script.text,
        sha256=hashlib.sha256(script.text.encode()).hexdigest(),
        operation=operation,
        parts=script.parts,
        arguments=script.arguments,
        deadline=script.deadline,
    )


def reaction_of(answer: Answer, script: Script) -> Facts | Failed:
    """What came over the wire, as an answer to the effect."""
    if answer.error is not None:
        return Failed(fault=Fault.of(answer.error))
    try:
        decoded = envelope.decode(answer.output, script.nonce)
    except StaroverError as error:
        found = Fault.of(error)
        if answer.errors:  # PowerShell said why there is no report
            failed = CmdletFailed(answer.errors[-1].message, records=answer.errors)
            found = Fault.of(failed)
        return Failed(fault=msgspec.structs.replace(found, host=script.host))
    return Facts(
        host=script.host,
        results={part: msgspec.Raw(facts) for part, facts in decoded.results.items() if isinstance(facts, bytes)},
        errors={part: error for part, error in decoded.results.items() if isinstance(error, ErrorRecord)},
        receipts={
            name: Held(state=one.state, prev=msgspec.Raw(one.prev or b"null"))
            for name, one in decoded.receipts.items()
        },
        warnings=decoded.warnings,
        provider=decoded.provider,
    )


def verdict_of(reaction: Reaction, poll: Poll, judge: Callable[[bytes], Verdict]) -> Verdict | StaroverError:
    """What one reading of a poll means."""
    if isinstance(reaction, Failed):
        return reaction.fault.raised()
    assert isinstance(reaction, Facts)
    part = poll.script.parts[0]
    if (record := reaction.errors.get(part.id)) is not None:
        return CmdletFailed(f"{part.template} failed: {record.message}", records=(record,), host=poll.script.host)
    try:
        return judge(bytes(reaction.results[part.id]))
    except StaroverError as error:
        return error

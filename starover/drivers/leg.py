"""One leg of a run on this machine: performs effects, journals before and after, replays; decides nothing."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from queue import Empty, SimpleQueue
from typing import TypeAlias

from starover import journal as kept
from starover.clock import Clock, SystemClock
from starover.drivers.hosts import Came, Hosts, Job, Woke
from starover.drivers.listeners import Listeners
from starover.drivers.tracking import Renewals, sent
from starover.drivers.tracking import Steps as Tracked
from starover.effects import (
    NOBODY,
    Approval,
    Approve,
    Dead,
    Done,
    Effect,
    Facts,
    Failed,
    Find,
    Found,
    Keep,
    Ok,
    Poll,
    Reaction,
    Record,
    Result,
    Send,
    Until,
    digest_of,
)
from starover.engine import Run, machine
from starover.errors import (
    BadReport,
    CmdletFailed,
    Fault,
    NotApproved,
    OutcomeUnknown,
    Refused,
    ReplyLost,
    StaroverError,
)
from starover.estate import Server
from starover.events import (
    Answered,
    Asked,
    Event,
    Progress,
    Retrying,
    Sink,
    StepBegan,
    StepSent,
    Stopping,
    Told,
)
from starover.journal import Entry, Journal
from starover.redact import Redactor
from starover.remote_errors import advice
from starover.settling import Holds, Over, Settling
from starover.step import Steps, Verdict
from starover.transport import Answer, Transport

__all__ = ["Leg", "Mail", "Stop"]

EARSHOT = 0.5
"""Seconds after which waiting for mail is taken up anew: on Windows a Ctrl-C is not heard within a wait."""


GIVE_BACK_SECONDS = 25.0
"""Seconds of real time for hosts to take the lease back, after the first Ctrl-C; a second leaves at once."""
END_SECONDS = 8.0
"""Seconds of real time for hosts to take the order to end a script, after the second Ctrl-C; a third leaves at once."""


@dataclass(frozen=True)
class Stop:
    """Mail: whoever runs this wants it to end."""


Mail: TypeAlias = Stop | Came | Woke
New: TypeAlias = list[tuple[int, Effect]]


@dataclass
class _Watch:
    """A poll under way."""

    poll: Poll
    settling: Settling
    readings: int = 0


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
    dead: Callable[[Dead], bool]
    inbox: SimpleQueue[Mail]
    unanswered: dict[str, bool] = field(default_factory=dict[str, bool])
    """Operations that earlier legs sent and that no answer counts for; True where one came and was put aside."""

    def __post_init__(self) -> None:
        """Nothing is under way."""
        self.open: dict[int, Effect] = {}
        self.track = Tracked()
        """Its steps, so far."""
        self.result: Result | None = None
        self.stops = 0
        self.listeners = Listeners(self.sinks)
        self.asked = 0
        """Number of the last effect that the engine has asked for."""
        self._leases = Renewals()
        self._watches: dict[int, _Watch] = {}
        self._hosts = Hosts(self.transport, self.servers, self.clock, self.inbox.put, self.redact.text)
        self._engine = machine(self.run, self.steps)

    def replay(self, entries: Sequence[Entry]) -> None:
        """Take what the journal holds. Raises `PlanIsStale` when the runbook asks for something else now."""
        self._open(next(self._engine))
        for entry in entries:
            body = entry.body
            if isinstance(body, kept.Recorded):
                self.track.saw(body.event)
                self._send(Done(number=body.number, digest=body.digest, answer=Ok()))
            elif isinstance(body, kept.Answered):
                self._send(Done(number=body.number, digest=body.digest, answer=body.answer))

    def live(self) -> Result | None:
        """Go on until the run ends, or is stopped (None)."""
        try:
            self._perform(list(self.open.items()))
            while self.result is None and not self.track.must_stop(self.stops):
                try:
                    mail = self.inbox.get(timeout=EARSHOT)
                except Empty:
                    self._keep_up()
                    continue
                self._read_mail(mail)
        except StaroverError as error:  # of the journal, or of time: there is no going on, but by a resume
            if not self.track.begun or isinstance(error, OutcomeUnknown):
                raise
            words = self.track.words()
            raise OutcomeUnknown(error.what, certain=error.certain, uncertain=words, next=error.next) from error
        if self.result is None:
            if self.stops > 1:
                self.track.fates = self._hosts.end(END_SECONDS)
            else:
                self._give_back()
            last = kept.Stopped(
                now=bool(self.track.begun), under_way=self.track.words(), leased=tuple(sorted(self.run.leased))
            )
            self.journal.append(self.clock.now(), last)
        return self.result

    def _give_back(self) -> None:
        """Give the lease back after a stop with nothing unknown: nobody needs to wait until it is over.

        It is no answer to the machine: whoever resumes the run takes the lease anew, whatever came of this.
        """
        if self.track.unknown or self.run.unsure():
            return
        scripts = [script for make in self.run.leased.values() if (script := make()) is not None]
        jobs = [Job(number, script) for number, script in enumerate(scripts, self.asked + 1)]
        if not jobs:
            return
        effects = [Send(what="lease", script=job.script) for job in jobs]
        self.journal.append(self.clock.now(), *(sent(one, job) for one, job in zip(effects, jobs, strict=True)))
        for job in jobs:
            self._hosts.put(job)
        until, came = time.monotonic() + GIVE_BACK_SECONDS, True
        while jobs and self.stops < 2 and time.monotonic() < until:
            if came:
                self._start_only(jobs)
            try:
                mail = self.inbox.get(timeout=EARSHOT)
            except Empty:
                came = False
                continue
            came = True
            if isinstance(mail, Stop):
                self.stops += 1
            elif isinstance(mail, Came):
                self._hosts.free(mail.job)
                if mail.job in jobs:
                    jobs.remove(mail.job)
                    if isinstance(mail.reaction, Facts) and "lease" in mail.reaction.results:
                        self.run.leased.pop(mail.job.script.host, None)

    def _start_only(self, wanted: Sequence[Job]) -> None:
        """Run those of the scripts whose hosts are free, and let go what nobody wants any more."""
        found: list[Job] = []
        while jobs := self._hosts.ready():
            for job in jobs:
                if job in wanted:
                    found.append(job)
                else:
                    self._hosts.free(job)
        self.clock.expect(len(found))
        self._hosts.start(found)

    # -- engine --------------------------------------------------------------------------------------------------

    def _open(self, new: tuple[tuple[int, Effect], ...]) -> New:
        self.open.update(new)
        self.asked = max([self.asked, *(number for number, _ in new)])
        return list(new)

    def _send(self, done: Done) -> New:
        """Tell the engine; give what is new."""
        self.open.pop(done.number, None)
        try:
            return self._open(self._engine.send(done))
        except StopIteration as stop:
            result: object = stop.value
            assert isinstance(result, Result)
            self.result = result
            return []

    def _answer(self, number: int, reaction: Reaction, answer: Answer | None = None, *, readings: int = 0) -> New:
        """Journal an answer, tell of it, and tell the engine."""
        effect = self.open[number]
        reaction = self.redact.reaction(reaction)
        digest = digest_of(effect)
        entry = kept.Answered(
            number=number,
            digest=digest,
            answer=reaction,
            operation=effect.operation if isinstance(effect, Send) and effect.mutates else "",
            host=effect.script.host if isinstance(effect, Send | Poll | Keep) else "",
            road=answer.road if answer else "",
            seconds=round(answer.seconds, 3) if answer else 0.0,
            tries=tuple(
                kept.Tried(what=self.redact.text(one.what), sent=one.sent, waited=one.waited)
                for one in (answer.attempts if answer else ())
            ),
            readings=readings,
        )
        at = self.clock.now()
        self.journal.append(at, entry)
        if isinstance(effect, Send) and effect.what != "lease" and answer is not None:
            for one in entry.tries:
                self._tell(Retrying(host=entry.host, why=one.what, wait=one.waited), at)
            fault = reaction.fault if isinstance(reaction, Failed) else None
            heard = Answered(
                host=entry.host,
                what=effect.what,
                road=entry.road,
                seconds=entry.seconds,
                fault=fault,
                call=effect.script.way == "call",
            )
            self._tell(heard, at)
        return self._send(Done(number=number, digest=digest, answer=reaction))

    # -- performing ----------------------------------------------------------------------------------------------

    def _perform(self, new: New) -> None:
        """Have effects performed: what needs no host at once, and then every script whose host is free."""
        work = deque(new)
        while work:
            number, effect = work.popleft()
            if isinstance(effect, Record):
                if self.stops and isinstance(effect.event, StepBegan):  # a resume asks for it again
                    self.track.begun.pop(effect.event.position, None)  # an earlier try of it had ended, with an error
                else:
                    work.extend(self._record(number, effect))
            elif isinstance(effect, Approve):
                work.extend(self._answer(number, self._approval()))
            elif isinstance(effect, Find):
                work.extend(self._answer(number, self.find(effect)))
            elif isinstance(effect, Until):
                self._hosts.wake_after(number, effect.seconds)
            elif isinstance(effect, Dead):
                alive = Failed(fault=Fault.of(NotApproved(f"run {effect.run} is not known to have ended")))
                work.extend(self._answer(number, Ok() if self.dead(effect) else alive))
            elif isinstance(effect, Keep):
                self._leases.keep(number, effect, self.clock.now())
            elif isinstance(effect, Poll):
                self._hosts.put(Job(number, effect.script))
            elif effect.operation in self.unanswered and effect.mutates:
                came = self.unanswered.pop(effect.operation)
                why = ReplyLost("an earlier leg of this run sent it; no answer counts", host=effect.script.host)
                work.extend(self._answer(number, Failed(fault=Fault.of(why), earlier=came)))
            else:
                self._hosts.put(Job(number, effect.script, effect.operation, effect.mutates))
        self._start()

    def _approval(self) -> Approval | Failed:
        try:
            return self.approve() or Failed(fault=Fault.of(NotApproved(NOBODY)))
        except Refused as refused:
            return Failed(fault=Fault.of(refused))

    def _record(self, number: int, effect: Record) -> New:
        digest = digest_of(effect)
        at = self.clock.now()
        self.journal.append(at, kept.Recorded(number=number, digest=digest, event=effect.event))
        self.track.saw(effect.event)
        self._tell(effect.event, at)
        return self._send(Done(number=number, digest=digest, answer=Ok()))

    def _start(self) -> None:
        """Journal the scripts that can start, announce them, and have them run.

        The announcement comes after every mail, be it of nothing: so whoever simulates time knows what follows.
        """
        if self._leases:
            for job in self._leases.due(self.clock.now()):
                self._hosts.put(job)
        jobs = [] if self.result is not None or self.track.must_stop(self.stops) else self._hosts.ready()
        first = [job for job in jobs if job.number not in self._watches]
        if first:
            at = self.clock.now()
            self.journal.append(at, *(sent(self.open[job.number], job) for job in first))
            for what in ("read", "write", "probe"):
                sends = [job for job in first if isinstance(one := self.open[job.number], Send) and one.what == what]
                if sends:
                    self._tell(Asked(hosts=tuple(dict.fromkeys(job.script.host for job in sends)), what=what), at)
            for job in first:
                for begun in self.track.begun.values():
                    if job.mutates and begun.operation == job.operation:
                        self._tell(StepSent(step=begun.step, host=begun.host, operation=begun.operation), at)
                poll = self.open[job.number]
                if isinstance(poll, Poll):
                    self._watches[job.number] = _Watch(poll, Settling(poll.settle, poll.what, at))
        self.clock.expect(len(jobs))
        self._hosts.start(jobs)

    def _keep_up(self) -> None:
        """Nothing has come for a while: a long script must not outlive the lease that it was begun under.

        Simulated time does not pass by itself, and a story must not depend on how long real time takes.
        """
        if self._leases and isinstance(self.clock, SystemClock):
            self._perform([])

    def _tell(self, event: Event, at: datetime | None = None) -> None:
        self.listeners.tell(Told(at=at or self.clock.now(), run=self.run.id, event=event))

    # -- mail ----------------------------------------------------------------------------------------------------

    def _read_mail(self, mail: Mail) -> None:
        if isinstance(mail, Stop):
            self.stops += 1
            after = self.stops == 1 and bool(self.track.begun)
            self._tell(Stopping(when="after-step" if after else "now", under_way=self.track.words()))
        elif isinstance(mail, Came):
            self._hosts.free(mail.job)
            if mail.job.number in self._leases:
                self._perform(self._renewed(mail))
            elif (watching := self._watches.get(mail.job.number)) is not None:
                self._perform(self._read(mail.job.number, watching, mail))
            else:
                self._perform(self._answer(mail.job.number, mail.reaction, mail.answer))
        elif mail.error is not None:
            raise mail.error  # time itself has failed: the journal stands, and a resume goes on
        elif (watching := self._watches.get(mail.number)) is not None:
            self._hosts.put(Job(mail.number, watching.poll.script))
            self._perform([])
        else:
            self._perform(self._answer(mail.number, Ok()))

    def _renewed(self, came: Came) -> New:
        """A renewal of the lease: told only when it is not ours any more."""
        if not self._leases.came(came.job.number, came.reaction):
            return []
        return self._answer(came.job.number, came.reaction, came.answer)

    def _read(self, number: int, watch: _Watch, came: Came) -> New:
        """One reading of a poll: the last one is its answer."""
        watch.readings += 1
        now = self.clock.now()
        reaction = self.redact.reaction(came.reaction)
        next_ = watch.settling.saw(now, verdict_of(reaction, watch.poll, self.run.judges[number]))
        if isinstance(next_, Holds | Over):
            del self._watches[number]
            if isinstance(next_, Over):
                reaction = Failed(fault=Fault.of(next_.error), blocked=next_.blocked, stalled=next_.stalled)
            return self._answer(number, reaction, came.answer, readings=watch.readings)
        event = Progress(
            host=watch.poll.script.host,
            what=watch.poll.what,
            step=watch.poll.step,
            seconds=(now - watch.settling.start).total_seconds(),
            left=next_.left.amount if next_.left is not None else None,
            unit=next_.left.unit if next_.left is not None else "",
            whole=next_.left.whole if next_.left is not None else None,
            phase=next_.left.phase if next_.left is not None else "",
            eta=next_.eta,
            still=next_.still,
        )
        self._tell(event, now)
        self._hosts.wake(number, next_.until)
        return []


def verdict_of(reaction: Reaction, poll: Poll, judge: Callable[[bytes], Verdict]) -> Verdict | StaroverError:
    """What one reading of a poll means."""
    if isinstance(reaction, Failed):
        return reaction.fault.raised()
    assert isinstance(reaction, Facts)
    part = poll.script.parts[0]
    if (record := reaction.errors.get(part.id)) is not None:
        said = f"{part.template} failed: {record.message}"
        return CmdletFailed(said, records=(record,), next=advice((record,)), host=poll.script.host)
    try:
        return judge(bytes(reaction.results[part.id]))
    except StaroverError as error:
        return error
    except Exception as bug:
        return BadReport(f"{poll.what} cannot be judged: {type(bug).__name__}: {bug}", host=poll.script.host)

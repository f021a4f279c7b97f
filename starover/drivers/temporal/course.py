"""One machine on its way, as a workflow has it: pure, told of what ended, says what follows; performs nothing.

What `drivers.leg` does with threads and a journal at hand, apart from performing: the lines of the journal in their
order, the scripts that wait for their host, and what is under way when somebody wants it to stop.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import datetime

from starover.drivers.hosts import Job, Waiting
from starover.drivers.local import scope_for
from starover.drivers.temporal.payloads import Came, Line, Submission, content_of
from starover.drivers.tracking import Renewals, Steps, sent
from starover.effects import Done, Effect, Keep, Ok, Poll, Reaction, Record, Result, Send, digest_of
from starover.engine import Run, machine
from starover.events import StepBegan
from starover.journal import Answered, Begun, Recorded, Stopped
from starover.plan import Plan
from starover.runbook import Bound

__all__ = ["Course", "begun_of", "bound_of", "run_of"]

_Effects = list[tuple[int, Effect]]


def bound_of(given: Submission) -> Bound[object]:
    """The runbook of a run, bound by the content that it carries. Raises `Mistake`."""
    return content_of(given).runbook(given.runbook).bind(given.parameters, given.estate)


def begun_of(given: Submission, key: str, plan: Plan | None) -> Begun:
    """The first line of a journal, without what is known where the journal lies."""
    bound = bound_of(given)
    return Begun(
        run="",
        key=key,
        runbook=bound.runbook,
        summary=bound.summary,
        parameters=dict(bound.parameters),
        content=given.content,
        version=given.version,
        estate=given.estate.name,
        lab=given.estate.lab,
        who=given.who,
        ticket=given.ticket,
        reason=given.reason,
        plan=plan,
        lease=scope_for(given.estate, plan) if plan is not None and given.leased else None,
    )


def run_of(given: Submission, begun: Begun, started: datetime) -> Run:
    """What the machine is given: the same wherever it is built."""
    return Run(
        id=begun.run,
        key=begun.key,
        content=content_of(given),
        version=begun.version,
        bound=bound_of(given),
        estate=begun.estate,
        lab=begun.lab,
        started=started,
        plan=begun.plan,
        who=begun.who,
        ticket=begun.ticket,
        reason=begun.reason,
        lease=begun.lease,
        servers={server.name: server for server in given.estate.servers},
    )


class Course:
    """One run, planning or applying, from its first effect to its result."""

    def __init__(self, run: Run) -> None:
        """Nothing is under way."""
        self.run = run
        self.open: dict[int, Effect] = {}
        self.told: list[Done] = []
        """All that the machine was told, in its order: who tells it to another one gets the same."""
        self.lines: list[Line] = []
        """Lines that are not in the journal yet."""
        self.written = 1
        """How many lines the journal has, the first one among them."""
        self.now = run.started
        """When the last thing happened that is known of."""
        self.result: Result | None = None
        self.stops = 0
        self.track = Steps()
        """Its steps, so far."""
        self.leases = Renewals()
        self._hosts = Waiting()
        self._machine = machine(run, run.bound.start())

    # -- being told ----------------------------------------------------------------------------------------------

    def begin(self) -> _Effects:
        """What is wanted first, apart from scripts (`ready`)."""
        return self._follow(list(self._take(next(self._machine))))

    def answer(self, number: int, digest: str, reaction: Reaction, *, came: Came | None = None) -> _Effects:
        """An effect has ended: what is wanted now, apart from scripts (`ready`).

        `digest` is that of the effect that was answered. Raises `PlanIsStale` when another one was asked for.
        """
        effect = self.open[number]
        script = effect.script if isinstance(effect, Send | Poll | Keep) else None
        self.lines.append(
            Answered(
                number=number,
                digest=digest,
                answer=reaction,
                operation=effect.operation if isinstance(effect, Send) and effect.mutates else "",
                host=script.host if script is not None else "",
                road=came.road if came is not None else "",
                seconds=came.seconds if came is not None else 0.0,
                tries=came.tries if came is not None else (),
                readings=came.readings if came is not None else 0,
            )
        )
        return self._follow(self._send(Done(number=number, digest=digest, answer=reaction)))

    def came(self, job: Job, came: Came) -> _Effects:
        """A script was answered."""
        self.now = max(self.now, came.at)
        if not isinstance(self.open[job.number], Poll):
            self._hosts.free(job)
        if job.number in self.leases and not self.leases.came(job.number, came.answer):
            return []
        return self.answer(job.number, came.digest, came.answer, came=came)

    # -- what follows --------------------------------------------------------------------------------------------

    def ready(self) -> list[Job]:
        """Scripts to be sent now, one at a time for each host; from here on they are in the lines."""
        for job in self.leases.due(self.now):
            self._hosts.put(job)
        if self.result is not None or self.must_stop:
            return []
        found: list[Job] = []
        while jobs := self._hosts.ready():
            for job in jobs:
                if isinstance(self.open[job.number], Poll):  # it holds its host while it reads, and not in between
                    self._hosts.free(job)
            found += jobs
        self.lines += [sent(self.open[job.number], job) for job in found]
        return found

    @property
    def must_stop(self) -> bool:
        """Once: when no step is under way. Twice: at once."""
        return self.track.must_stop(self.stops)

    def stopped(self) -> None:
        """It ends here, without a result."""
        leased = tuple(sorted(self.run.leased))
        self.lines.append(Stopped(now=bool(self.track.begun), under_way=self.track.words(), leased=leased))

    # -- the machine ---------------------------------------------------------------------------------------------

    def _take(self, new: Sequence[tuple[int, Effect]]) -> Sequence[tuple[int, Effect]]:
        self.open.update(new)
        return new

    def _send(self, done: Done) -> _Effects:
        """Tell the machine; give what is new."""
        self.open.pop(done.number, None)
        self.told.append(done)
        try:
            return list(self._take(self._machine.send(done)))
        except StopIteration as stop:
            result: object = stop.value
            assert isinstance(result, Result)
            self.result = result
            return []

    def _follow(self, new: _Effects) -> _Effects:
        """Record what is to be recorded, have scripts wait for their hosts; the rest is somebody else's."""
        others: _Effects = []
        work = deque(new)
        while work:
            number, effect = work.popleft()
            if isinstance(effect, Record):
                if self.stops and isinstance(effect.event, StepBegan):  # a resume asks for it again
                    self.track.begun.pop(effect.event.position, None)  # an earlier try of it had ended, with an error
                else:
                    digest = digest_of(effect)
                    self.lines.append(Recorded(number=number, digest=digest, event=effect.event))
                    self.track.saw(effect.event)
                    work.extend(self._send(Done(number=number, digest=digest, answer=Ok())))
            elif isinstance(effect, Keep):
                self.leases.keep(number, effect, self.now)
            elif isinstance(effect, Send):
                self._hosts.put(Job(number, effect.script, effect.operation, effect.mutates))
            elif isinstance(effect, Poll):
                self._hosts.put(Job(number, effect.script))
            else:
                others.append((number, effect))
        return others

"""Simulated time: one clock, one queue, scripts as coroutines; knows no host's state, no asyncio and no wall clock.

A script is a greenlet, so it may wait for simulated time from arbitrarily deep plain Python calls. Nothing here runs by
itself: the wire's event loop (or a test) calls `pump` after everything that it did to the scheduler. The rules of time
(simulator.md section 5): the clock moves only when every script in flight waits and the announced batch has arrived;
what is due at one moment runs in the order (time, host, number on that host), world timers first.

All of it belongs to one thread.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import greenlet

__all__ = ["Scheduler", "Task", "TaskStopped", "Timer"]


class TaskStopped(BaseException):
    """Raised inside a script, at its wait, after `Task.stop`. No `Exception`: a script's own `try` must not eat it."""


class Task:
    """One script under way on one host; made by `Scheduler.spawn`."""

    def __init__(self, host: str, number: int, *, preliminary: bool, owes: bool, background: bool = False) -> None:
        self.host = host
        self.number = number
        """Running number on that host, from 1."""
        self.error: BaseException | None = None
        """What the body ended with, if it raised; `TaskStopped` (or what `stop` was given) after a stop."""
        self.finished = False
        self.preliminary = preliminary
        """Opens a session before an announced script: runs at once and is no arrival."""
        self.background = background
        """Nobody waits for it (a scheduled task): it is no arrival, and its waits do not move the clock."""
        self.owes = owes
        """Its client promised another `expect` after this script's answer; the clock stands until it comes."""
        self.stopping: BaseException | None = None
        self.coroutine: greenlet.greenlet | None = None
        """None until it has begun."""
        self._wake: Callable[[Task], None] | None = None

    def stop(self, error: BaseException | None = None) -> None:
        """Raise `error` (default `TaskStopped`) in the script at its present or next wait; does nothing once finished.

        A script that has not begun never begins. Takes effect with the next `pump`.
        """
        if self.finished or self.stopping is not None:
            return
        self.stopping = error if error is not None else TaskStopped()
        if self._wake is not None:
            self._wake(self)


@dataclass
class Timer:
    """A world transition that is due at a time."""

    when: datetime
    act: Callable[[], None]
    cancelled: bool = False

    def cancel(self) -> None:
        """Forget it; harmless when it has already fired."""
        self.cancelled = True


@dataclass
class _Announcement:
    missing: int
    answers: bool


@dataclass(order=True)
class _Hold:
    when: datetime
    number: int
    done: Callable[[], None] = field(compare=False)
    answers: bool = field(compare=False)


@dataclass(order=True)
class _Due:
    when: datetime
    host: str
    number: int
    task: Task = field(compare=False)
    body: Callable[[], None] = field(compare=False)
    done: Callable[[Task], None] | None = field(compare=False)


class Scheduler:
    """The lab's one clock and event queue."""

    def __init__(self, start: datetime) -> None:
        """`start` is an aware time; the clock shows it in UTC."""
        self._now = start.astimezone(UTC)
        self.jump = True
        """Whether `pump` may leap to the next moment somebody waits for. Off: only `advance_to` moves the clock."""
        self._numbers: dict[str, int] = {}
        self._ready: list[_Due] = []
        self._waiting: dict[Task, _Due] = {}
        self._paused: dict[Task, _Due] = {}
        self._timers: list[tuple[datetime, int, Timer]] = []
        self._holds: list[_Hold] = []
        self._serial = itertools.count()
        self._announced: deque[_Announcement] = deque()
        self._absent: set[str] = set()
        self._owed = 0
        self._current: _Due | None = None
        self._pumping = False

    # -- looking -------------------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """The present simulated moment, aware, UTC."""
        return self._now

    @property
    def current(self) -> Task | None:
        """The script that runs at this very moment, or None outside of all scripts."""
        return self._current.task if self._current else None

    @property
    def in_flight(self) -> int:
        """Scripts taken in and not yet finished."""
        return len(self._ready) + len(self._waiting) + len(self._paused) + (1 if self._current else 0)

    @property
    def missing(self) -> int:
        """Announced scripts that have not arrived yet."""
        return sum(one.missing for one in self._announced)

    @property
    def stands_for(self) -> str:
        """Why the clock may not move now, in words; empty when it may."""
        if self._gate_closed():
            return f"{self.missing} announced scripts have not arrived"
        if self._owed:
            return f"{self._owed} answers were given and their client has not said what follows"
        return ""

    def next_time(self) -> datetime | None:
        """The next moment at which anything is due (script, hold or world timer), or None."""
        return min((one for one in (self._next_wanted(), self._next_timer()) if one is not None), default=None)

    # -- scripts -------------------------------------------------------------------------------------------------

    def spawn(
        self,
        host: str,
        body: Callable[[], None],
        done: Callable[[Task], None] | None = None,
        *,
        preliminary: bool = False,
        background: bool = False,
    ) -> Task:
        """Take a script in; it begins with the next `pump`, once the announced batch is complete.

        `done` is called from within `pump` when it ends, with `Task.error` set if it raised. Without `done` an error
        that is no stop is raised out of `pump`. It counts as one arrival of the oldest incomplete announcement, unless
        `preliminary` (opening a session: that comes before the announced script, runs at once and may itself wait) or
        `background` (a task of the host's own: its waits are as world timers, for which alone the clock never moves).
        """
        number = self._numbers.get(host, 0) + 1
        self._numbers[host] = number
        announced = not preliminary and not background
        owes = announced and bool(self._announced) and self._announced[0].answers
        task = Task(host, number, preliminary=preliminary, owes=owes, background=background)
        task._wake = self._wake  # pyright: ignore[reportPrivateUsage]  # a task is the scheduler's own
        if announced:
            self._arrive()
        heapq.heappush(self._ready, _Due(self._now, host, number, task, body, done))
        return task

    def wait(self, seconds: float) -> None:
        """Suspend the script that calls until `seconds` of simulated time have passed; zero or less returns at once.

        Raises what `Task.stop` was given when the script is to stop, and `RuntimeError` outside of a script.
        """
        due = self._own()
        if seconds <= 0:
            return
        due.when = self._now + timedelta(seconds=seconds)
        if due.task.background:
            timer = self.at(due.when, lambda: self.go_on(due.task))
            try:
                self._suspend(due, self._paused)
            finally:
                timer.cancel()
            return
        self._suspend(due, self._waiting)

    def pause(self) -> Task:
        """Suspend the script that calls until somebody outside of the simulation calls `go_on` with its task; the clock
        does not wait for that. Returns the task. Raises as `wait`.
        """
        due = self._own()
        self._suspend(due, self._paused)
        return due.task

    def go_on(self, task: Task) -> None:
        """End a task's pause, with the next `pump`; does nothing when it does not pause."""
        due = self._paused.pop(task, None)
        if due is not None:
            due.when = self._now
            heapq.heappush(self._ready, due)

    def _own(self) -> _Due:
        due = self._current
        if due is None or due.task.coroutine is None or greenlet.getcurrent() is not due.task.coroutine:
            raise RuntimeError("only a script taken in by Scheduler.spawn can wait for simulated time")
        if due.task.stopping is not None:
            raise due.task.stopping
        return due

    def _suspend(self, due: _Due, place: dict[Task, _Due]) -> None:
        own = due.task.coroutine
        assert own is not None
        assert own.parent is not None
        place[due.task] = due
        own.parent.switch()
        if due.task.stopping is not None:
            raise due.task.stopping

    def run(self, host: str, body: Callable[[], None]) -> None:
        """Take a script in and pump until it has ended; raises its error. For tests and for the lab's own doing."""
        task = self.spawn(host, body, lambda _: None, preliminary=True)
        self.pump()
        if not task.finished:
            raise RuntimeError(f"the script on {host} did not end: {self.stands_for or 'the clock may not jump'}")
        if task.error is not None:
            raise task.error

    # -- world timers --------------------------------------------------------------------------------------------

    def at(self, when: datetime, act: Callable[[], None]) -> Timer:
        """Do `act` when the clock reaches `when` (now, if that has passed). Timers alone never move the clock."""
        timer = Timer(max(when, self._now), act)
        heapq.heappush(self._timers, (timer.when, next(self._serial), timer))
        return timer

    def after(self, seconds: float, act: Callable[[], None]) -> Timer:
        """Do `act` after `seconds` of simulated time."""
        return self.at(self._now + timedelta(seconds=seconds), act)

    # -- clients -------------------------------------------------------------------------------------------------

    def expect(self, scripts: int, *, answers: bool = False) -> None:
        """A client announces that this many scripts will arrive side by side; none begins before the last is there.

        With `answers` the client promises another `expect`, be it of 0, after each answer it gets, and the clock stands
        between an answer and that call: so a quick script's successor starts when the quick one ended, and not when a
        slow neighbour ended. Every `expect` settles all answers given so far.
        """
        self._owed = 0
        if scripts > 0:
            self._announced.append(_Announcement(scripts, answers))

    def answered_early(self, task: Task) -> None:
        """The client of a script has its answer now, while the script goes on: its end will be none. What is promised
        after an answer is promised now.
        """
        self._owed += task.owes
        task.owes = False

    def absent(self, host: str) -> None:
        """An announced script will not arrive because its host does not answer. Counted once per host and batch."""
        if self._announced and host not in self._absent:
            self._absent.add(host)
            self._arrive()

    def withdraw(self, scripts: int = 1) -> None:
        """The client itself gave up that many of its announced scripts."""
        for _ in range(scripts):
            self._arrive()

    def dismiss(self) -> None:
        """The announcing client is gone: nothing is missing and nobody owes a word."""
        self._announced.clear()
        self._absent.clear()
        self.release()

    def release(self) -> None:
        """One of several announcing clients is gone, and nobody knows which scripts are its own: neither the answers
        given nor those under way hold up the clock until a word follows. Who is still there says it all the same.
        """
        self._owed = 0
        for due in (*self._ready, *self._waiting.values(), *self._paused.values()):
            due.task.owes = False

    def hold_until(self, when: datetime, done: Callable[[], None], *, answers: bool = False) -> Callable[[], None]:
        """A client waits for an absolute time: `done` is called from within `pump` when the clock is there.

        `answers` as in `expect`. Returns a function that forgets the hold.
        """
        hold = _Hold(max(when.astimezone(UTC), self._now), next(self._serial), done, answers)
        heapq.heappush(self._holds, hold)

        def forget() -> None:
            if hold in self._holds:
                self._holds.remove(hold)
                heapq.heapify(self._holds)

        return forget

    # -- running -------------------------------------------------------------------------------------------------

    def pump(self) -> bool:
        """Run everything that can run now, moving the clock as far as its rules let it.

        Returns whether somebody still waits: for a missing script, for a client's word, or (with `jump` off) for time.
        """
        return self._pump(None)

    def advance_to(self, when: datetime) -> bool:
        """Move the clock to `when` and do all that falls due on the way, whether somebody waits for it or not.

        Stops early, and returns False, when an announced script is missing or a client owes a word.
        """
        self._pump(when.astimezone(UTC))
        return self._now >= when

    def _pump(self, until: datetime | None) -> bool:
        if self._pumping:
            return True
        self._pumping = True
        try:
            while True:
                if self._step():
                    continue
                wanted = self._next_wanted() if until is None else self.next_time()
                if self.stands_for:
                    return True
                if until is None:
                    if wanted is None:
                        return False
                    if not self.jump:
                        return True
                    self._move(min(wanted, self._next_timer() or wanted))
                elif wanted is not None and wanted <= until:
                    self._move(wanted)
                else:
                    self._now = max(self._now, until)
                    return wanted is not None
        finally:
            self._pumping = False

    def _step(self) -> bool:
        """Do one thing that is due now: a timer, else a script, else a hold; False when there is none."""
        while self._timers and (self._timers[0][0] <= self._now or self._timers[0][2].cancelled):
            timer = heapq.heappop(self._timers)[2]
            if not timer.cancelled:
                timer.cancelled = True
                timer.act()
                return True
        closed = self._gate_closed()
        if self._ready and not closed:
            self._resume(heapq.heappop(self._ready))
            return True
        early = [due for due in self._ready if due.task.preliminary or due.task.stopping is not None]
        if early:
            due = min(early)
            self._ready.remove(due)
            heapq.heapify(self._ready)
            self._resume(due)
            return True
        if self._holds and self._holds[0].when <= self._now and not closed:
            hold = heapq.heappop(self._holds)
            self._owed += hold.answers
            hold.done()
            return True
        return False

    def _resume(self, due: _Due) -> None:
        task = due.task
        if task.coroutine is None:
            if task.stopping is not None:
                self._finish(due, task.stopping)
                return
            task.coroutine = greenlet.greenlet(lambda: self._live(due))
        task.coroutine.parent = greenlet.getcurrent()
        before, self._current = self._current, due
        try:
            task.coroutine.switch()
        finally:
            self._current = before
        if task.coroutine.dead:
            self._finish(due, task.error)

    def _live(self, due: _Due) -> None:
        try:
            due.body()
        except (Exception, TaskStopped) as error:
            due.task.error = error
        except BaseException as error:
            if error is not due.task.stopping:
                raise
            due.task.error = error

    def _finish(self, due: _Due, error: BaseException | None) -> None:
        task = due.task
        task.finished = True
        task.error = error
        self._owed += task.owes
        if due.done is not None:
            due.done(task)
        elif error is not None and error is not task.stopping:
            raise error

    def _wake(self, task: Task) -> None:
        due = self._waiting.pop(task, None) or self._paused.pop(task, None)
        if due is not None:
            due.when = self._now
            heapq.heappush(self._ready, due)

    def _arrive(self) -> None:
        if self._announced:
            self._announced[0].missing -= 1
            if self._announced[0].missing == 0:
                self._announced.popleft()
                self._absent.clear()

    def _gate_closed(self) -> bool:
        """Whether announced scripts are missing that are not just opening their session."""
        opening = sum(1 for task in self._waiting if task.preliminary)
        return self.missing > opening

    def _next_wanted(self) -> datetime | None:
        """When the first script or client wants to go on."""
        times = [due.when for due in self._waiting.values()]
        if self._holds:
            times.append(self._holds[0].when)
        return min(times, default=None)

    def _next_timer(self) -> datetime | None:
        while self._timers and self._timers[0][2].cancelled:
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def _move(self, when: datetime) -> None:
        self._now = max(self._now, when)
        for task, due in list(self._waiting.items()):
            if due.when <= self._now:
                del self._waiting[task]
                heapq.heappush(self._ready, due)

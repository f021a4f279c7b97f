"""Scripts side by side, each host in a thread of its own, sessions kept between scripts; knows no wire and no step."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from starover.errors import ConnectFailed, StaroverError, TimedOut
from starover.estate import Road, Server
from starover.transport import Answer, Attempt, Script
from starover.transport.credentials import Resolver

if TYPE_CHECKING:
    from starover.transport.line import Deadline

__all__ = ["FanOut", "HostSession", "Progress"]

GRACE_SECONDS = 1.0
"""Beyond its deadline, for a host's own thread to say itself what went wrong."""
CLOSE_SECONDS = 5.0


@dataclass
class Progress:
    """What is known of a script under way; read by another thread when its deadline passes."""

    sent: bool = False
    stop: threading.Event = field(default_factory=threading.Event)
    """Somebody wants it ended."""
    stopped: threading.Event = field(default_factory=threading.Event)
    """The host has taken the order to end it."""
    attempts: list[Attempt] = field(default_factory=list[Attempt])
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _given_up: bool = False

    def hand_over(self) -> bool:
        """Whether it may still be sent, which it counts as from now on: nobody has been told that it was not."""
        with self._lock:
            self.sent = self.sent or not self._given_up
            return not self._given_up

    def give_up(self) -> bool:
        """Nobody waits for it any more: it is not sent from now on. Whether it may have been sent before."""
        with self._lock:
            self._given_up = True
            return self.sent

    def note(self, error: Exception, waited: float) -> None:
        """One try did not succeed."""
        from starover.transport.failures import Failed, root

        what = error.error.what if isinstance(error, Failed) else f"the connection was lost: {root(error)}"
        sent = error.sent if isinstance(error, Failed) else True
        self.attempts.append(Attempt(what=what, sent=sent, waited=round(waited, 3)))


class HostSession(Protocol):
    """A host as one road reaches it. Used by one thread at a time; may move between threads."""

    @property
    def road(self) -> Road:
        """Where it leads."""
        ...

    def run(self, script: Script, deadline: Deadline, progress: Progress, /) -> Answer:
        """Run one script; never raises for the host. A write is handed over at most once."""
        ...

    def close(self) -> None:
        """Give it back. Raises nothing."""
        ...


@dataclass
class _Host:
    """What is kept of a host between scripts."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    sessions: dict[str, HostSession] = field(default_factory=dict[str, HostSession])
    """By kind of road."""


@dataclass
class _Task:
    """A script under way."""

    script: Script
    end: float
    """Of monotonic time."""
    progress: Progress = field(default_factory=Progress)
    over: threading.Event = field(default_factory=threading.Event)
    """Its answer is there."""

    def fate(self, end: float) -> str:
        """What became of the wish to end it, in words, at the latest at `end` (of monotonic time)."""
        while not (self.over.is_set() or self.progress.stopped.is_set()) and time.monotonic() < end:
            self.progress.stopped.wait(min(0.1, max(0.0, end - time.monotonic())))
        if self.progress.stopped.is_set():
            return "its script there was ended"
        if self.over.is_set():
            return "its script there had ended by itself" if self.progress.sent else "its script was not sent any more"
        return "the host did not take the order to end it: it may still run there"


class FanOut:
    """Runs scripts over one kind of road. Safe to call from several threads; a host is used by one at a time."""

    kind: str
    """`Road.kind` that it takes."""

    def __init__(self, credentials: Resolver) -> None:
        """Connects to nothing yet."""
        self.credentials = credentials
        self._hosts: dict[str, _Host] = {}
        self._under_way: dict[str, _Task] = {}
        self._lock = threading.Lock()

    def road(self, script: Script) -> Road | None:
        """The road that a script takes; None: the inventory has none of this kind."""
        return next((road for road in script.server.roads if road.kind == self.kind), None)

    def open(self, server: Server, road: Road) -> HostSession:
        """A new session; what it needs is loaded here, because it is slow."""
        raise NotImplementedError

    def run(self, batch: Sequence[Script], /) -> Iterator[Answer]:
        """Run each script on its host, side by side, and give answers as they come, one for each script.

        They begin at once; the deadlines count from now.
        """
        now = time.monotonic()
        tasks = {index: _Task(script, now + script.deadline) for index, script in enumerate(batch)}
        self._under_way.update({task.script.id: task for task in tasks.values()})
        done: queue.SimpleQueue[tuple[int, Answer]] = queue.SimpleQueue()
        by_host: dict[str, list[int]] = {}
        for index, script in enumerate(batch):
            by_host.setdefault(script.server.name.casefold(), []).append(index)
        for name, indices in by_host.items():
            mine = [(index, tasks[index]) for index in indices]
            threading.Thread(
                target=self._work, args=(self._host(name), mine, done), name=f"{self.kind}-{name}", daemon=True
            ).start()
        return _answers(tasks, done)

    def stop(self, ids: Collection[str], seconds: float, /) -> Mapping[str, str]:
        """As `transport.Ending.stop`: what waits is not sent, what runs gets the signal at its next sign of life."""
        tasks = {id_: task for id_ in ids if (task := self._under_way.get(id_)) is not None}
        for task in tasks.values():
            task.progress.stop.set()
        end = time.monotonic() + seconds
        return {id_: task.fate(end) for id_, task in tasks.items()}

    def secrets(self) -> Sequence[str]:
        """The passwords that were resolved so far."""
        return self.credentials.passwords()

    def close(self) -> None:
        """Give back every session, side by side; a host that does not answer is left."""
        with self._lock:
            hosts = list(self._hosts.values())
            self._hosts.clear()
        busy = [host for host in hosts if host.sessions]
        threads = [threading.Thread(target=_give_back, args=(host,), daemon=True) for host in busy]
        for thread in threads:
            thread.start()
        end = time.monotonic() + CLOSE_SECONDS
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _host(self, name: str) -> _Host:
        with self._lock:
            return self._hosts.setdefault(name, _Host())

    def _work(self, host: _Host, tasks: list[tuple[int, _Task]], done: queue.SimpleQueue[tuple[int, Answer]]) -> None:
        for index, task in tasks:
            try:
                answer = self._run(host, task)
            except Exception as error:
                answer = _failed(task, error)
            task.over.set()
            self._under_way.pop(task.script.id, None)
            done.put((index, answer))

    def _run(self, host: _Host, task: _Task) -> Answer:
        from starover.transport.line import Deadline  # loads pypsrp, which is slow

        script = task.script
        road = self.road(script)
        if road is None:
            error = ConnectFailed(
                f"the inventory has no road `{self.kind}` to {script.server.name}",
                certain=("nothing was sent",),
                next=(f"give {script.server.name} `roads: [{{kind: {self.kind}}}]`",),
                host=script.server.name,
            )
            return Answer(id=script.id, error=error)
        if not host.lock.acquire(timeout=max(0.0, task.end - time.monotonic())):
            return _late(task)
        try:
            if task.progress.stop.is_set():
                error = ConnectFailed(
                    "stopped before it was sent", certain=("nothing was sent",), host=script.server.name
                )
                return Answer(id=script.id, error=error)
            session = host.sessions.get(road.kind)
            if session is None or session.road != road:
                session = host.sessions[road.kind] = self.open(script.server, road)
            return session.run(script, Deadline(task.end - time.monotonic()), task.progress)
        finally:
            host.lock.release()


def _answers(tasks: dict[int, _Task], done: queue.SimpleQueue[tuple[int, Answer]]) -> Iterator[Answer]:
    """Answers as they come; a host whose thread is late is given up."""
    while tasks:
        wait = min(task.end for task in tasks.values()) + GRACE_SECONDS - time.monotonic()
        try:
            index, answer = done.get(timeout=max(0.0, wait))
        except queue.Empty:
            for index in [index for index, task in tasks.items() if task.end + GRACE_SECONDS <= time.monotonic()]:
                yield _late(tasks.pop(index))
        else:
            if tasks.pop(index, None) is not None:
                yield answer


def _give_back(host: _Host) -> None:
    if host.lock.acquire(timeout=CLOSE_SECONDS / 2):
        try:
            for session in host.sessions.values():
                session.close()
        finally:
            host.lock.release()


def _late(task: _Task) -> Answer:
    """The answer for a host whose thread does not come back in time (a name server that hangs, say)."""
    name = task.script.server.name
    error: StaroverError
    if task.progress.give_up():
        error = TimedOut(
            f"{name} did not answer before the deadline",
            certain=("the script was sent once",),
            uncertain=("whether it was run, and whether it still runs",),
            host=name,
        )
    else:
        error = ConnectFailed(f"{name} does not answer", certain=("nothing was sent",), host=name)
    return Answer(id=task.script.id, error=error, attempts=tuple(task.progress.attempts), seconds=task.script.deadline)


def _failed(task: _Task, error: Exception) -> Answer:
    from starover.transport.failures import failure

    name = task.script.server.name
    failed = failure(error, "receive" if task.progress.sent else "open", name, name)
    return Answer(id=task.script.id, error=failed.error, attempts=tuple(task.progress.attempts))

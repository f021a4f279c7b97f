"""The scripts of a worker: sent once each, one at a time for each host, answered and redacted; decides nothing.

Whoever simulates time is told of a batch before it is sent, as by the driver on one's own computer.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError

from starover.drivers.hosts import Came as Answered
from starover.drivers.hosts import Hosts, Job, Woke
from starover.drivers.leg import verdict_of
from starover.drivers.listeners import Listeners
from starover.drivers.temporal.codec import LIMIT, size_of
from starover.drivers.temporal.payloads import Came, Passing, Reading, Sending, Told, Watching
from starover.drivers.temporal.replica import Replicas
from starover.drivers.temporal.site import Site
from starover.effects import Failed, Ok, Poll
from starover.errors import ConnectFailed, Fault, OutputTruncated, StaroverError
from starover.events import Progress
from starover.events import Told as Telling
from starover.journal import Tried
from starover.redact import Redactor
from starover.settling import Holds, Over, Settling
from starover.settling import Wait as Again

__all__ = ["Crew"]

GATHER = 0.25
"""Seconds for which the scripts of one turn wait for each other, to go in one batch; some may go to another worker."""
END_SECONDS = 8.0
"""Seconds of real time for a host to take the order to end a script."""
_SIGNS = 0.25
"""The part of the heartbeat's time after which a sign of life is given."""


@dataclass(eq=False)
class _Flight:
    """A script that is wanted, waits for its host, or is there."""

    job: Job
    came: asyncio.Future[Answered]


@dataclass
class _Batch:
    """Scripts of one turn that have come so far."""

    flights: list[_Flight] = field(default_factory=list[_Flight])


class Crew:
    """Sends scripts and waits for facts; one for a worker. Belongs to one event loop."""

    def __init__(self, site: Site, client: Client) -> None:
        """Every host is free."""
        self.site = site
        self._loop = asyncio.get_running_loop()
        self._listeners = Listeners(site.sinks)
        self._redact = Redactor(site.transport.secrets)
        self._servers = {server.name: server for server in site.estate.servers}
        self._hosts = Hosts(site.transport, self._servers, site.clock, self._hear, self._redact.text)
        self._serial = itertools.count(1)
        self._flights: dict[int, _Flight] = {}
        self._waits: dict[int, asyncio.Future[None]] = {}
        self._batches: dict[tuple[str, int], _Batch] = {}
        self._starting = asyncio.Lock()
        self._tasks: set[asyncio.Future[None]] = set()
        self._replicas = Replicas(client)

    @property
    def activities(self) -> Sequence[Callable[..., object]]:
        """What a worker offers."""
        return (self.send, self.poll, self.let_pass)

    # -- what workflows ask --------------------------------------------------------------------------------------

    @activity.defn(name="starover-send")
    async def send(self, asked: Sending) -> Came:
        """Send a script, once, and say what came of it."""
        async with _SignsOfLife():
            return await self._send(asked, asked.of)

    @activity.defn(name="starover-poll")
    async def poll(self, asked: Watching) -> Came:
        """Read until it satisfies, or until a lease is to be renewed: then it is gone on with by another activity.

        When this worker is lost, the server has another one go on from the last sign of life.
        """
        info = activity.info()
        going = asked.going
        if info.attempt > 1 and info.heartbeat_details:
            going = msgspec.json.decode(str(info.heartbeat_details[0]), type=Reading)
        judge = await self._replicas.judge(asked)
        effect = Poll(what=asked.what, step=asked.step, script=asked.sending.script, settle=asked.settle)
        now = self.site.clock.now()
        going = going or Reading(start=now)
        settling = Settling(asked.settle, asked.what, going.start)
        settling.first, settling.phase, settling.best = going.first, going.phase, going.best
        first = info.attempt == 1 and asked.going is None
        async with _SignsOfLife() as signs:
            while True:
                signs.say(msgspec.json.encode(going).decode())
                if going.next is not None:
                    if asked.back is not None and self.site.clock.now() >= asked.back:
                        at = self.site.clock.now()
                        return Came(digest=asked.sending.digest, answer=Failed(fault=_GOES_ON), at=at, going=going)
                    await self._until(going.next)
                came = await self._send(asked.sending, asked.sending.of if first else 1)
                first = False
                following = settling.saw(came.at, verdict_of(came.answer, effect, judge))
                readings = going.readings + 1
                if isinstance(following, Holds):
                    return msgspec.structs.replace(came, readings=readings)
                if isinstance(following, Over):
                    failed = Failed(
                        fault=Fault.of(following.error), blocked=following.blocked, stalled=following.stalled
                    )
                    return msgspec.structs.replace(came, answer=self._redact.reaction(failed), readings=readings)
                if activity.is_worker_shutdown():
                    raise ApplicationError("this worker ends; another one goes on with the wait")
                self._tell(asked, going.start, came.at, following)
                going = Reading(
                    start=going.start,
                    readings=readings,
                    next=following.until,
                    first=settling.first,
                    phase=settling.phase,
                    best=settling.best,
                )

    @activity.defn(name="starover-pass")
    async def let_pass(self, asked: Passing) -> Told:
        """Let simulated time pass."""
        async with _SignsOfLife():
            await self._until(asked.until)
            return Told(answer=Ok(), digest=asked.digest)

    # -- scripts -------------------------------------------------------------------------------------------------

    async def _send(self, asked: Sending, of: int) -> Came:
        """Have it sent when its host is free. Cancelled: the host is told to end it."""
        host = asked.script.host
        if host not in self._servers:
            why = ConnectFailed(f"the worker's inventory has no server {host}", certain=("it was not sent",), host=host)
            return Came(digest=asked.digest, answer=Failed(fault=Fault.of(why)), at=self.site.clock.now())
        number = next(self._serial)
        job = Job(number, asked.script, asked.operation, asked.mutates)
        flight = self._flights[number] = _Flight(job, self._loop.create_future())
        self._gather((asked.run, asked.turn), flight, of)
        fate = ""
        try:
            came = await asyncio.shield(flight.came)
        except asyncio.CancelledError:
            fates = await asyncio.to_thread(self._hosts.end, END_SECONDS, job)
            if not asked.mutates:
                raise
            fate = fates.get(asked.operation, "it may not have been sent")
            gone = StaroverError("somebody wanted it to end")
            return Came(digest=asked.digest, answer=Failed(fault=Fault.of(gone)), at=self.site.clock.now(), fate=fate)
        finally:
            self._flights.pop(number, None)
        return self._came(asked, came)

    def _came(self, asked: Sending, came: Answered) -> Came:
        answer = came.answer
        found = Came(
            digest=asked.digest,
            answer=self._redact.reaction(came.reaction),
            at=self.site.clock.now(),
            road=answer.road if answer else "",
            seconds=round(answer.seconds, 3) if answer else 0.0,
            tries=tuple(
                Tried(what=self._redact.text(one.what), sent=one.sent, waited=one.waited)
                for one in (answer.attempts if answer else ())
            ),
        )
        if size_of(found) > LIMIT:
            large = OutputTruncated(
                f"the answer of {asked.script.host} is larger than a Temporal server takes", host=asked.script.host
            )
            found = msgspec.structs.replace(found, answer=Failed(fault=Fault.of(large)))
        return found

    def _gather(self, turn: tuple[str, int], flight: _Flight, of: int) -> None:
        """Scripts of one turn go together, as far as they come to this worker."""
        if of == 1:
            self._go(_Batch([flight]))
            return
        batch = self._batches.setdefault(turn, _Batch())
        batch.flights.append(flight)
        if len(batch.flights) == of:
            del self._batches[turn]
            self._go(batch)
        elif len(batch.flights) == 1:
            self._loop.call_later(GATHER, self._late, turn, batch)

    def _late(self, turn: tuple[str, int], batch: _Batch) -> None:
        if self._batches.get(turn) is batch:
            del self._batches[turn]
            self._go(batch)

    def _go(self, batch: _Batch) -> None:
        for flight in batch.flights:
            self._hosts.put(flight.job)
        self._spawn(self._start())

    async def _start(self) -> None:
        """Announce what can start, and have it run."""
        async with self._starting:
            jobs = self._wanted()
            if jobs:
                await asyncio.to_thread(self.site.clock.expect, len(jobs))
                self._hosts.start(jobs)

    def _wanted(self) -> list[Job]:
        """What can start, without what nobody wants any more: a script that waited when its run was stopped."""
        found: list[Job] = []
        while jobs := self._hosts.ready():
            for job in jobs:
                if job.number in self._flights:
                    found.append(job)
                else:
                    self._hosts.free(job)  # and the next one for that host may start
        return found

    def _hear(self, mail: Answered | Woke) -> None:
        """From any thread."""
        self._loop.call_soon_threadsafe(self._read, mail)

    def _read(self, mail: Answered | Woke) -> None:
        if isinstance(mail, Woke):
            waiting = self._waits.pop(mail.number, None)
            if waiting is None or waiting.done():
                return
            if mail.error is not None:
                waiting.set_exception(ApplicationError(mail.error.what))
            else:
                waiting.set_result(None)
            return
        self._hosts.free(mail.job)
        flight = self._flights.get(mail.job.number)
        if flight is not None and not flight.came.done():
            flight.came.set_result(mail)
        self._spawn(self._start())

    async def _until(self, when: datetime) -> None:
        """Wait, by the clock handed in."""
        number = next(self._serial)
        waiting = self._waits[number] = self._loop.create_future()
        self._hosts.wake(number, when)
        await waiting

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _tell(self, asked: Watching, start: datetime, now: datetime, following: Again) -> None:
        left = following.left
        event = Progress(
            host=asked.sending.script.host,
            what=asked.what,
            step=asked.step,
            seconds=(now - start).total_seconds(),
            left=left.amount if left is not None else None,
            unit=left.unit if left is not None else "",
            whole=left.whole if left is not None else None,
            phase=left.phase if left is not None else "",
            eta=following.eta,
            still=following.still,
        )
        self._listeners.tell(Telling(at=now, run=asked.sending.run, event=event))


_GOES_ON = Fault.of(StaroverError("a lease is to be renewed; the wait goes on"))


class _SignsOfLife:
    """Tells the server, as long as it lasts, that this worker is alive."""

    def __init__(self) -> None:
        self._details: tuple[str, ...] = ()
        self._task: asyncio.Task[None] | None = None

    def say(self, how_far: str) -> None:
        """What whoever goes on should know."""
        self._details = (how_far,)
        activity.heartbeat(*self._details)

    async def __aenter__(self) -> _SignsOfLife:
        self._task = asyncio.ensure_future(self._beat())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()

    async def _beat(self) -> None:
        timeout = activity.info().heartbeat_timeout
        pause = timeout.total_seconds() * _SIGNS if timeout is not None else 5.0
        while True:
            activity.heartbeat(*self._details)
            await asyncio.sleep(pause)

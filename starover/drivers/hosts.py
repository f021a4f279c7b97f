"""Scripts on their way: one at a time for each host, all hosts side by side; threads that touch nothing but their mail.

A host's session is used by one script at a time, so a second one waits here, where its deadline does not run yet and
nobody has announced it. A call does not go to the host that it is about, which may be silent: it waits for nobody.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from starover import envelope
from starover.clock import Clock
from starover.effects import Facts, Failed, Held, Script
from starover.errors import BadReport, CmdletFailed, ErrorRecord, Fault, OutputTruncated, ReplyLost, StaroverError
from starover.estate import Server
from starover.lease import Said
from starover.remote_errors import advice
from starover.transport import Answer, Ending, Transport
from starover.transport import Script as WireScript

__all__ = ["Came", "Hosts", "Job", "Waiting", "Woke", "not_ours"]


@dataclass(frozen=True)
class Job:
    """One script to be run for an effect."""

    number: int
    script: Script
    operation: str = ""
    mutates: bool = False


@dataclass(frozen=True)
class Came:
    """Mail: what came back for a script."""

    job: Job
    reaction: Facts | Failed
    answer: Answer | None


@dataclass(frozen=True)
class Woke:
    """Mail: the time that an effect waited for has come."""

    number: int
    error: StaroverError | None = None


def not_ours(renewal: Facts | Failed) -> bool:
    """Whether the answer to a renewal says that the lease is somebody else's, or over.

    No answer and nonsense are no news: the next write asks.
    """
    if not isinstance(renewal, Facts) or "lease" not in renewal.results:
        return False
    try:
        return msgspec.json.decode(renewal.results["lease"], type=Said).state != "mine"
    except msgspec.MsgspecError:
        return False


class Waiting:
    """Scripts that wait for their host, and which hosts have one; sends nothing."""

    def __init__(self) -> None:
        """Every host is free."""
        self._waiting: dict[str, deque[Job]] = {}
        self._calls: list[Job] = []
        self._busy: set[str] = set()

    def put(self, job: Job) -> None:
        """Have a script wait for its host."""
        if job.script.way == "call":
            self._calls.append(job)
        else:
            self._waiting.setdefault(job.script.host, deque()).append(job)

    def ready(self) -> list[Job]:
        """Take out what can start now: every call, and the first script of each host that is free."""
        jobs, self._calls = self._calls, []
        for host, queue in self._waiting.items():
            if queue and host not in self._busy:
                self._busy.add(host)
                jobs.append(queue.popleft())
        return jobs

    def free(self, job: Job) -> None:
        """A script has ended, and its host is free again."""
        if job.script.way != "call":
            self._busy.discard(job.script.host)


class Hosts(Waiting):
    """Whoever wants scripts run puts them in, starts what can start, and reads the mail."""

    def __init__(
        self,
        transport: Transport,
        servers: Mapping[str, Server],
        clock: Clock,
        mail: Callable[[Came | Woke], None],
        mask: Callable[[str], str],
    ) -> None:
        """`mail` takes what comes, from any thread; `mask` hides secrets in what is repeated of an answer."""
        super().__init__()
        self._transport = transport
        self._servers = servers
        self._clock = clock
        self._mail = mail
        self._mask = mask
        self._flying: dict[str, Job] = {}

    def free(self, job: Job) -> None:
        """A script has ended, and its host is free again."""
        self._flying.pop(f"{job.number}", None)
        super().free(job)

    def start(self, jobs: Sequence[Job]) -> None:
        """Run scripts side by side."""
        if jobs:
            self._flying.update({f"{job.number}": job for job in jobs})
            threading.Thread(target=self._ask, args=(list(jobs),), daemon=True).start()

    def end(self, seconds: float, only: Job | None = None) -> dict[str, str]:
        """End what is under way at the hosts, where that can be done; what became of each write, by its operation.

        `only`: nothing but this one.
        """
        flying = {name: job for name, job in self._flying.items() if only in (None, job)}
        if not flying:
            return {}
        fates: Mapping[str, str] = {}
        if isinstance(self._transport, Ending):
            fates = self._transport.stop(list(flying), seconds)
        nobody = "nothing here can end its script there"
        return {job.operation: fates.get(name, nobody) for name, job in flying.items() if job.mutates}

    def wake(self, number: int, when: datetime) -> None:
        """Mail at that time."""
        threading.Thread(target=self._wait, args=(number, when), daemon=True).start()

    def wake_after(self, number: int, seconds: float) -> None:
        """Mail after so many seconds."""
        self.wake(number, self._clock.now() + timedelta(seconds=seconds))

    # -- in threads ----------------------------------------------------------------------------------------------

    def _ask(self, jobs: list[Job]) -> None:
        waiting = {f"{job.number}": job for job in jobs}
        why = "the transport gave no answer"
        try:
            for answer in self._transport.run([self._wire(job) for job in jobs]):
                job = waiting.pop(answer.id)
                self._mail(Came(job, reaction_of(answer, job.script, self._mask, mutates=job.mutates), answer))
        except Exception as bug:  # a transport never raises; if it does, nothing is known of what it had taken
            why = f"the transport failed in itself: {type(bug).__name__}: {bug}"
        for job in waiting.values():
            lost = ReplyLost(why, host=job.script.host)
            self._mail(Came(job, Failed(fault=Fault.of(lost)), None))

    def _wire(self, job: Job) -> WireScript:
        script = job.script
        return WireScript(
            id=f"{job.number}",
            server=self._servers[script.host],
            text=script.text,
            arguments=script.arguments,
            deadline=script.deadline,
            mutates=job.mutates,
            parts=script.parts,
            operation=job.operation,
            nonce=script.nonce,
            way=script.way,
        )

    def _wait(self, number: int, when: datetime) -> None:
        try:
            self._clock.wait_until(when)
        except Exception as bug:
            error = bug if isinstance(bug, StaroverError) else StaroverError(f"{type(bug).__name__}: {bug}")
            self._mail(Woke(number, error))
        else:
            self._mail(Woke(number))


PLAIN = "the session is not elevated: it has not all rights of an administrator"
"""A warning of every script that was run so."""


def reaction_of(answer: Answer, script: Script, mask: Callable[[str], str], *, mutates: bool = False) -> Facts | Failed:
    """What came over the wire, as an answer to the effect; `mutates`: the script is a write. What an error repeats of
    it has gone through `mask`.
    """
    if answer.error is not None:
        return Failed(fault=Fault.of(answer.error))
    try:
        if script.way == "script":
            decoded = envelope.decode(answer.output, script.nonce)
        elif script.way == "call":
            decoded = envelope.called(script.parts[0].id, answer, write=mutates, host=script.host)
        else:
            decoded = envelope.answered(script.parts[0].id, answer, write=mutates, host=script.host)
    except StaroverError as error:
        found = Fault.of(error)
        if isinstance(error, BadReport | OutputTruncated):
            found = msgspec.structs.replace(found, certain=(envelope.what_came(mask(answer.output)),))
        if answer.errors:  # PowerShell said why there is no report
            failed = CmdletFailed(answer.errors[-1].message, records=answer.errors, next=advice(answer.errors))
            found = Fault.of(failed)
        return Failed(fault=msgspec.structs.replace(found, host=script.host))
    return Facts(
        host=script.host,
        results={part: msgspec.Raw(facts) for part, facts in decoded.results.items() if isinstance(facts, bytes)},
        errors={part: error for part, error in decoded.results.items() if isinstance(error, ErrorRecord)},
        receipts={
            name: Held(state=one.state, prev=msgspec.Raw(one.prev or b"null")) for name, one in decoded.receipts.items()
        },
        warnings=tuple(dict.fromkeys((*answer.warnings, *decoded.warnings, *(() if decoded.elevated else (PLAIN,))))),
        provider=decoded.provider,
    )

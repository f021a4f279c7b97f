"""What a run has under way, whichever driver has it: steps, leases, the line of a script sent; performs nothing."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from starover.drivers.hosts import Job, not_ours
from starover.effects import Effect, Facts, Failed, Keep, Send, digest_of
from starover.events import Event, StepBegan, StepEnded
from starover.journal import Sent
from starover.plan import Position

__all__ = ["Renewals", "Steps", "sent"]


class Steps:
    """The steps of a run, as its events tell of them."""

    def __init__(self) -> None:
        """None has begun."""
        self.begun: dict[Position, StepBegan] = {}
        """Begun and not ended: the last try of each."""
        self.unknown: dict[Position, StepBegan] = {}
        """Those that ended, and nobody knows how."""
        self.ended: list[StepEnded] = []
        self.fates: dict[str, str] = {}
        """What became of scripts that were to be ended at their hosts, by operation."""

    def saw(self, event: Event) -> None:
        """Take one event."""
        if isinstance(event, StepBegan):
            self.begun[event.position] = event
        elif isinstance(event, StepEnded):
            self.ended = [one for one in self.ended if one.position != event.position]
            self.ended.append(event)
            self.unknown.pop(event.position, None)
            if (begun := self.begun.pop(event.position, None)) is not None and event.state == "unknown":
                self.unknown[event.position] = begun

    def words(self) -> tuple[str, ...]:
        """What was sent and is not known to be done, and what became of a script that was to be ended at its host."""
        return tuple(
            f"step {one.step} on {one.host}: {one.what} {one.now} -> {one.wanted}"
            + (f" ({self.fates[one.operation]})" if one.operation in self.fates else "")
            for one in (*self.begun.values(), *self.unknown.values())
        )

    def must_stop(self, stops: int) -> bool:
        """Asked to stop once: when no step is under way. Twice: at once."""
        return stops > 1 or (stops == 1 and not self.begun)


class Renewals:
    """Leases that are kept on hosts for as long as the run lasts, by the number of their `Keep`."""

    def __init__(self) -> None:
        """There is none."""
        self._kept: dict[int, tuple[Keep, datetime]] = {}
        """And when each was renewed last."""
        self._going: set[int] = set()
        """Those whose renewal waits for its host, or is there."""

    def __contains__(self, number: int) -> bool:
        return number in self._kept

    def __bool__(self) -> bool:
        return bool(self._kept)

    def keep(self, number: int, keep: Keep, now: datetime) -> None:
        """Have one renewed from now on."""
        self._kept[number] = keep, now

    def due(self, now: datetime) -> list[Job]:
        """The scripts to be sent now: one on its way is not doubled."""
        jobs: list[Job] = []
        for number, (keep, last) in self._kept.items():
            if number not in self._going and (now - last).total_seconds() >= keep.every:
                self._kept[number] = keep, now
                self._going.add(number)
                jobs.append(Job(number, keep.script))
        return jobs

    @property
    def following(self) -> datetime | None:
        """When one is due next; None: there is none."""
        return min((last + timedelta(seconds=keep.every) for keep, last in self._kept.values()), default=None)

    def came(self, number: int, answer: Facts | Failed) -> bool:
        """A renewal was answered; True: the lease is not ours any more, and that is the answer to its `Keep`."""
        self._going.discard(number)
        if not not_ours(answer):
            return False
        del self._kept[number]
        return True


def sent(effect: Effect, job: Job) -> Sent:
    """The line that says that a script is sent for an effect."""
    return Sent(
        number=job.number,
        digest=digest_of(effect),
        what=effect.what if isinstance(effect, Send) else "lease" if isinstance(effect, Keep) else "poll",
        host=job.script.host,
        script=job.script.text,
        sha256=hashlib.sha256(job.script.text.encode()).hexdigest(),
        operation=job.operation,
        parts=job.script.parts,
        arguments=job.script.arguments,
        deadline=job.script.deadline,
    )

"""The scheduler of the simulation on the event loop of the wire: what happened to it makes it run; knows neither."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from starover_lab.wire.endpoint import ScriptTask
from starover_lab.world.clock import Scheduler, Task

__all__ = ["PATIENCE", "Pump"]

_LOG = logging.getLogger(__name__)
_BEAT = 0.05
PATIENCE = 2.0
"""Real seconds without a sign of a client after which its announced scripts are no longer waited for."""


class Pump:
    """Implements `wire.endpoint.Scripts`. Everything happens in the loop's one thread."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.afterwards: list[Callable[[], None]] = []
        """Called after each run of the scheduler, when the world may have changed."""
        self.speed = 0.0
        """Simulated seconds a real second while nobody waits; 0: the clock stands when nobody waits."""
        self.patience = PATIENCE
        self._asked = False
        self._beating: asyncio.Task[None] | None = None
        self._last_sign = 0.0
        self._giving_up: asyncio.TimerHandle | None = None

    @property
    def now(self) -> datetime:
        """Simulated time."""
        return self.scheduler.now

    def spawn(
        self, host: str, body: Callable[[], None], done: Callable[[ScriptTask], None], *, preliminary: bool = False
    ) -> ScriptTask:
        """Take a script in; it begins when the loop comes round."""
        task = self.scheduler.spawn(host, body, done, preliminary=preliminary)
        self.kick()
        return task

    def pause(self) -> Task:
        """Suspend the script that calls."""
        return self.scheduler.pause()

    def go_on(self, task: ScriptTask) -> None:
        """End its pause."""
        assert isinstance(task, Task)
        self.scheduler.go_on(task)
        self.kick()

    def absent(self, host: str) -> None:
        """An announced script will not come."""
        self.scheduler.absent(host)
        self.kick()

    def kick(self, *, sign: bool = True) -> None:
        """Run the scheduler soon. `sign`: a client has given a sign that what it announced may still come; one that
        merely waits for a time gives none."""
        loop = asyncio.get_running_loop()
        if sign:
            self._last_sign = loop.time()
        if not self._asked:
            self._asked = True
            loop.call_soon(self.run)

    def run(self) -> None:
        """Run the scheduler now, and then whoever wants to know what became of the world."""
        self._asked = False
        try:
            self.scheduler.pump()
        except Exception:
            _LOG.exception("a script of the lab itself failed")
        for act in self.afterwards:
            act()
        if self.scheduler.missing and self._giving_up is None:
            self._giving_up = asyncio.get_running_loop().call_later(self.patience, self._give_up)

    def _give_up(self) -> None:
        """Whoever cannot even connect (a refused port, a name that is none) cannot tell the lab. The clock must not
        stand for ever for scripts that will not come: after a while without any sign they are taken for withdrawn."""
        loop = asyncio.get_running_loop()
        self._giving_up = None
        missing = self.scheduler.missing
        left = self._last_sign + self.patience - loop.time()
        if missing and left > 0:
            self._giving_up = loop.call_later(left, self._give_up)
        elif missing:
            _LOG.info("%d announced scripts did not come", missing)
            self.scheduler.withdraw(missing)
            self.run()

    def set_speed(self, speed: float) -> None:
        """Let the clock run by itself, for clients that announce nothing; 0 stops that."""
        self.speed = speed
        if speed > 0 and self._beating is None:
            self._beating = asyncio.ensure_future(self._beat())

    async def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        before = loop.time()
        while self.speed > 0:
            await asyncio.sleep(_BEAT)
            passed, before = loop.time() - before, loop.time()
            if not self.scheduler.stands_for:
                self.scheduler.advance_to(self.scheduler.now + timedelta(seconds=passed * self.speed))
                self.run()
        self._beating = None

    def close(self) -> None:
        """The loop ends."""
        if self._beating is not None:
            self._beating.cancel()
        if self._giving_up is not None:
            self._giving_up.cancel()

"""Which road carries a script, and which one next when it is closed; knows no wire, only transports by kind of road.

The inventory's order counts. A road that is closed or throttled is left at once, because nothing was sent on it. What
was sent and not answered is asked again elsewhere only if it reads; a write is not: its receipt is looked for first,
and that (a reading) takes whatever road there is.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from starover.clock import Clock, SystemClock
from starover.errors import AuthFailed, BadInventory, OutcomeUnknown, ReplyLost, StaroverError, Unreachable
from starover.estate import Server
from starover.transport import Answer, Attempt, Ending, Script, Transport, ssm_script, winrm

__all__ = ["RoutedTransport", "goes_on", "roads_for"]

CLOSED_SECONDS = 60.0
"""How long a road that was found closed is tried last."""
LEAST_SECONDS = 3.0
"""With less of its deadline left a script is not begun on another road."""
_CANNOT: Mapping[str, Callable[[Script], str]] = {"winrm": winrm.unfit, "ssm": ssm_script.unfit}
"""Why a road cannot carry a script; empty: it can."""


def roads_for(script: Script) -> tuple[str, ...]:
    """Kinds of road that can carry this script, in the inventory's order; `command` has a road of its own.

    Raises `BadInventory` when the server has none that can.
    """
    server = script.server
    if script.way == "command":
        return ("psrp",)  # to /PowerShell, which the same transport reaches
    kinds = tuple(dict.fromkeys(road.kind for road in server.roads if road.kind != "exchange"))
    why: dict[str, str] = {kind: _CANNOT[kind](script) if kind in _CANNOT else "" for kind in kinds}
    able = tuple(kind for kind in kinds if not why[kind])
    if able:
        return able
    raise BadInventory(_unable(server, why), certain=("nothing was sent",), next=_mend(server), host=server.name)


def goes_on(error: StaroverError, *, mutates: bool, here: str, there: str) -> bool:
    """Whether a script that ended with `error` on the road `here` may be tried `there`."""
    if isinstance(error, AuthFailed):  # the same password on another road is one more bad logon
        return "ssm" in (here, there) and here != there
    if isinstance(error, Unreachable):
        return True
    return isinstance(error, OutcomeUnknown) and not mutates


@dataclass
class _Way:
    """A script and the roads that it has not been tried on."""

    script: Script
    ends: float
    """Of monotonic time."""
    left: list[str]
    tried: list[Attempt] = field(default_factory=list[Attempt])

    def next_script(self) -> Script:
        """The same script with what is left of its deadline."""
        return replace(self.script, deadline=max(0.0, self.ends - time.monotonic()), elsewhere=bool(self.left))


class RoutedTransport:
    """Transports by kind of road, as one."""

    def __init__(self, carriers: Mapping[str, Transport], clock: Callable[[], Clock] = SystemClock) -> None:
        """`carriers`: by `Road.kind`. `clock` is told of a script that goes once more: who simulates time must know."""
        self._carriers = carriers
        self._clock = clock
        self._ends = False
        self._closed: dict[tuple[str, str], float] = {}
        """When a road of a server was last found closed, monotonic."""

    def run(self, batch: Sequence[Script], /) -> Iterator[Answer]:
        """Run each script over its first open road, all side by side; see `Transport.run`."""
        came: queue.SimpleQueue[tuple[str, Answer]] = queue.SimpleQueue()
        ways: dict[str, _Way] = {}
        groups: dict[str, list[Script]] = {}
        now = time.monotonic()
        for script in batch:
            try:
                kinds = self._open_first(script, roads_for(script))
            except BadInventory as error:
                yield Answer(id=script.id, error=error)
                continue
            ways[script.id] = _Way(script, now + script.deadline, list(kinds[1:]))
            groups.setdefault(kinds[0], []).append(replace(script, elsewhere=True) if kinds[1:] else script)
        for kind, scripts in groups.items():
            self._start(kind, scripts, came)
        while ways:
            kind, answer = came.get()
            way = ways[answer.id]
            following = self._following(way, kind, answer)
            if following is None:
                del ways[answer.id]
                yield replace(answer, attempts=(*way.tried, *answer.attempts)) if way.tried else answer
                continue
            assert answer.error is not None
            sent = isinstance(answer.error, OutcomeUnknown)
            way.tried.extend(answer.attempts)
            way.tried.append(Attempt(what=f"{answer.road or kind}: {answer.error.what}", sent=sent, waited=0.0))
            way.left.remove(following)
            self._clock().expect(1)
            self._start(following, [way.next_script()], came)

    def stop(self, ids: Collection[str], seconds: float, /) -> Mapping[str, str]:
        """As `transport.Ending.stop`, on every road at once; nothing goes over another road any more."""
        self._ends = True
        fates: dict[str, str] = {}

        def end(carrier: Ending) -> None:
            fates.update(carrier.stop(ids, seconds))

        able = [carrier for carrier in self._carriers.values() if isinstance(carrier, Ending)]
        threads = [threading.Thread(target=end, args=(carrier,), daemon=True) for carrier in able]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(seconds + 1)
        return dict(fates)

    def secrets(self) -> Sequence[str]:
        """What the carriers have carried."""
        return [secret for carrier in self._carriers.values() for secret in carrier.secrets()]

    def close(self) -> None:
        """Close every carrier."""
        for carrier in self._carriers.values():
            carrier.close()

    # -- inside --------------------------------------------------------------------------------------------------

    def _open_first(self, script: Script, kinds: Sequence[str]) -> list[str]:
        """Roads that were just found closed come last. Raises `BadInventory` when none has a carrier."""
        name, now = script.server.name.casefold(), time.monotonic()
        able = [kind for kind in kinds if kind in self._carriers]
        if not able:
            why = dict.fromkeys(kinds, "nobody here takes it")
            raise BadInventory(
                _unable(script.server, why), certain=("nothing was sent",), next=_mend(script.server), host=name
            )
        closed = [kind for kind in able if now - self._closed.get((name, kind), -CLOSED_SECONDS) < CLOSED_SECONDS]
        return [*(kind for kind in able if kind not in closed), *closed]

    def _following(self, way: _Way, kind: str, answer: Answer) -> str | None:
        """The road to try next, None: this is the answer."""
        name = way.script.server.name.casefold()
        error = answer.error
        if error is None:
            self._closed.pop((name, kind), None)
            return None
        if isinstance(error, Unreachable) and not isinstance(error, AuthFailed):
            self._closed[name, kind] = time.monotonic()
        if self._ends or way.ends - time.monotonic() < LEAST_SECONDS:
            return None
        mutates = way.script.mutates
        return next((there for there in way.left if goes_on(error, mutates=mutates, here=kind, there=there)), None)

    def _start(self, kind: str, scripts: list[Script], came: queue.SimpleQueue[tuple[str, Answer]]) -> None:
        def carry() -> None:
            waiting = {script.id: script for script in scripts}
            why = "the transport gave no answer"
            try:
                for answer in self._carriers[kind].run(scripts):
                    waiting.pop(answer.id, None)
                    came.put((kind, answer))
            except Exception as bug:  # a transport never raises; if it does, nothing is known of what it had taken
                why = f"the transport failed in itself: {type(bug).__name__}: {bug}"
            for script in waiting.values():
                lost = ReplyLost(why, host=script.server.name)
                came.put((kind, Answer(id=script.id, error=lost, road=kind)))

        threading.Thread(target=carry, name=f"road-{kind}", daemon=True).start()


def _unable(server: Server, why: Mapping[str, str]) -> str:
    if not why:
        return f"the inventory has no road to {server.name}"
    return f"no road to {server.name} will do: " + "; ".join(f"{kind}: {reason}" for kind, reason in why.items())


def _mend(server: Server) -> tuple[str, ...]:
    return (f"give {server.name} `roads: [{{kind: psrp}}]`",)

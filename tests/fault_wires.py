"""Runs whose requests are struck on the real wires: a whole lab in a thread, and the command line in this process.

A point is a host, an action of WS-Management and its number there, and what happens to it (`starover_lab.wire.plans`).
"""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from crash_points import Scenario, steady
from fault_points import LEGS, difference
from lab_cli import Place, Typed
from starover_lab.cmdlets.sessions import Sessions
from starover_lab.server import LabServer
from starover_lab.wire.plans import Kind, Plans
from starover_lab.world.world import World

__all__ = ["Point", "Told", "WireEstate", "play"]

T = TypeVar("T")
Point: TypeAlias = tuple[str, str, int, Kind]
"""Host, action, number of that request there from 1, what happens to it."""


class WireEstate:
    """A lab whose hosts listen, in a thread of this process: `with WireEstate(topology, folder) as lab`."""

    def __init__(self, topology: str, folder: Path) -> None:
        self.place = Place(folder)
        self.world = World.from_topology(topology)
        self.requests: Counter[tuple[str, str]] = Counter()
        """By host and action."""
        self.waiting: dict[tuple[str, str, int], Kind] = {}
        """What is to happen to which request."""
        self.struck: list[Point] = []
        self.last = 0.0
        """When the last one was struck, in real seconds of `time.monotonic`."""
        self.server: LabServer
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> WireEstate:
        self._thread.start()

        async def start() -> None:
            self.server = LabServer(self.world, Sessions(self.world), self.place.folder / ".starover" / "lab")
            await self.server.start()
            for name, host in self.server.hosts.items():
                self._watch(name, host.plans)

        asyncio.run_coroutine_threadsafe(start(), self._loop).result(60)
        return self

    def __exit__(self, *_: object) -> None:
        async def end() -> None:
            self.server.close()
            left = asyncio.all_tasks() - {asyncio.current_task()}
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
            await asyncio.sleep(0)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(60)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _watch(self, name: str, plans: Plans) -> None:
        def strike(action: str) -> Kind | None:
            self.requests[name, action] += 1
            point = (name, action, self.requests[name, action])
            kind = self.waiting.pop(point, None)
            if kind is not None:
                self.struck.append((*point, kind))
                self.last = time.monotonic()
            return kind

        plans.strike = strike  # type: ignore[method-assign]

    def do(self, act: Callable[[], T]) -> T:
        """Something in the lab's thread."""
        done: Future[T] = Future()

        def run() -> None:
            try:
                done.set_result(act())
            except BaseException as error:
                done.set_exception(error)

        self._loop.call_soon_threadsafe(run)
        return done.result(60)


@dataclass
class Told:
    """How one struck run went."""

    exits: list[int] = field(default_factory=list[int])
    words: list[str] = field(default_factory=list[str])
    faults: list[str] = field(default_factory=list[str])
    requests: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    """By host and action, in the struck command."""
    struck: list[Point] = field(default_factory=list[Point])
    given_up: float = 0.0
    """Real seconds from the last stroke to the end of the struck command, where it did not end well."""
    state: Any = None
    writes: Counter[str] = field(default_factory=Counter[str])


def play(scenario: Scenario, folder: Path, points: Collection[Point] = (), lived: Told | None = None) -> Told:
    """`starover run`, struck at these requests as far as it comes; then all is well, and `resume`, or the same line
    again where no run was begun.
    """
    told = Told()
    topology = scenario.topology
    folder.mkdir(parents=True, exist_ok=True)
    if "\n" in topology:
        (folder / "topology.yaml").write_text(topology, "utf-8")
        topology = str(folder / "topology.yaml")
    with WireEstate(topology, folder) as lab:
        lab.do(lambda: lab.waiting.update({(host, action, number): kind for host, action, number, kind in points}))
        typed = _typed(lab, told, *_words(scenario))
        told.given_up = time.monotonic() - lab.last if typed.code and lab.struck else 0.0
        lab.do(lab.waiting.clear)
        told.requests, told.struck = Counter(lab.requests), list(lab.struck)
        while told.exits[-1] and len(told.exits) < LEGS:
            lab.place.control("clock/advance", seconds=120)
            run = re.search(r"starover resume ([0-9a-f]{8}\.\d+)", typed.err)
            typed = _typed(lab, told, *(("resume", run[1]) if run else _words(scenario)))
        if told.exits[-1]:
            told.faults.append(f"it comes to no good end although all is well again: {told.words}")
        found = lab.do(lambda: (steady(lab.world.snapshot()), [one.cmdlet for one in lab.world.state.audit]))
        told.state, told.writes = found[0], Counter(found[1])
        told.faults += [f"invariant {one.id}: {one.text}" for one in lab.world.invariants.violations]
        if lab.place.within("audit", "verify").code:
            told.faults.append("the journal is not whole")
    if lived is not None and told.state != lived.state:
        told.faults.append(f"another final state: {difference(told.state, lived.state)}")
    if lived is not None and told.writes != lived.writes:
        told.faults.append(f"other cmdlets: {told.writes - lived.writes} more, {lived.writes - told.writes} less")
    return told


def _words(scenario: Scenario) -> list[str]:
    words = ["run", scenario.book, "--yes"]
    for name, value in scenario.parameters.items():
        for one in value if isinstance(value, list) else [value]:
            words += [f"--{name.replace('_', '-')}", str(one)]
    return words


def _typed(lab: WireEstate, told: Told, *words: str) -> Typed:
    typed = lab.place.within(*words)
    told.exits.append(typed.code)
    told.words.append(" ".join(typed.err.split())[-400:] if typed.code else "")
    if typed.code not in (0, 5, 6):
        told.faults.append(f"an accident of the line ends with {typed.code}: {typed.words[-600:]}")
    if typed.code == 6 and "not certain" in typed.err:
        told.faults.append(f"unreachable, and yet unsure: {typed.words[-600:]}")
    return typed

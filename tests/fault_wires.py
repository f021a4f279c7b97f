"""Runs whose requests are struck on the real wires: a whole lab in a thread, and the command line in this process.

A request is known by its host, its action of WS-Management, and the script that is at work there (`fault_choice`); what
happens to it is `starover_lab.wire.plans`'. Stories mostly wait, so they are played side by side, in processes.
"""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar, cast

import pytest
from crash_points import Scenario, crowded, steady
from fault_choice import Call, Chooser, Chosen, about
from fault_points import LEGS, difference
from lab_cli import Place, Typed
from starover_lab.cmdlets.sessions import Sessions
from starover_lab.server import LabServer
from starover_lab.wire.plans import KINDS, Kind, Plans
from starover_lab.world.world import World

from starover.transport import Answer, Script, failures, line, session
from starover.transport.psrp import PsrpTransport

__all__ = ["SIDE_BY_SIDE", "Told", "WireEstate", "impatient", "kinds", "play", "side_by_side"]

T = TypeVar("T")
PATIENCE: Mapping[ModuleType, Mapping[str, float]] = {
    line: {"LOST_SECONDS": 0.5, "ANSWER_SECONDS": 1.5, "MARGIN_SECONDS": 1.5},
    session: {"FIRST_PAUSE": 0.02, "OPERATION_SECONDS": 2},
    failures: {"_BUSY_SECONDS": 1.0},
}
"""Our own on the wires, made short; the rules are the same."""
MOST = 150
"""Accidents in one story: few of them end a leg."""
SIDE_BY_SIDE = 4
"""Stories, each in a process."""
BETWEEN = 120.0
"""Simulated seconds until somebody goes on."""


def kinds(call: Call) -> Sequence[str]:
    """What may happen to a request: whatever the lab can do to any."""
    del call
    return KINDS


class WireEstate:
    """A lab whose hosts listen, in a thread of this process: `with WireEstate(topology, folder, choose) as lab`."""

    def __init__(self, topology: str, folder: Path, choose: Chooser) -> None:
        self.place = Place(folder)
        self.world = World.from_topology(topology)
        crowded(self.world)  # nobody loses a hundred sessions within the hours after which they end by themselves
        self.choose: Chooser | None = choose
        """None: all is well."""
        self.leg = 1
        self.struck: list[tuple[int, Call, str]] = []
        """Leg, request, what happened to it."""
        self.last = 0.0
        """When the last one of this leg was struck, in real seconds of `time.monotonic`; 0: none was."""
        self._at_work: dict[str, str] = {}
        """The script at each host."""
        self.server: LabServer
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> WireEstate:
        self._thread.start()

        async def start() -> None:
            self.server = LabServer(self.world, Sessions(self.world), self.place.folder / ".starover" / "lab")
            await self.server.start()
            for name, host in self.server.hosts.items():
                many = replace(host.options.limits, shells_per_user=10_000)  # the listener counts for itself
                host.configure(replace(host.options, limits=many))
                self._watch(name, host.plans)

        asyncio.run_coroutine_threadsafe(start(), self._loop).result(60)
        self._patch = pytest.MonkeyPatch()
        original, at_work = PsrpTransport.run, self._at_work

        def run(transport: PsrpTransport, batch: Sequence[Script], /) -> Iterator[Answer]:
            at_work.update({script.server.name: about(script) for script in batch})
            return original(transport, batch)

        self._patch.setattr(PsrpTransport, "run", run)
        return self

    def __exit__(self, *_: object) -> None:
        self._patch.undo()

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
            call = (name, action, self._at_work.get(name, ""))
            kind = self.choose(call) if self.choose is not None else None
            if kind is not None:
                self.struck.append((self.leg, call, kind))
                self.last = time.monotonic()
            return cast("Kind | None", kind)

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
    struck: list[tuple[int, Call, str]] = field(default_factory=list[tuple[int, Call, str]])
    """Leg from 1, request, what happened to it."""
    given_up: float = 0.0
    """Real seconds from the last stroke in a leg to its end, where it did not end well; the longest."""
    state: Any = None
    writes: Counter[str] = field(default_factory=Counter[str])


@contextmanager
def impatient() -> Iterator[None]:
    """Within it the tool has little patience with a line."""
    with pytest.MonkeyPatch.context() as patch:
        for module, patience in PATIENCE.items():
            for name, seconds in patience.items():
                patch.setattr(module, name, seconds)
        yield


def side_by_side(
    scenario: Scenario,
    folder: Path,
    shares: Sequence[Counter[tuple[Call, str]]],
    seed: str,
    lived: Told,
) -> Iterator[tuple[Told, Counter[tuple[Call, str]]]]:
    """A story for each share of the points, and what it has left of it."""
    with ProcessPoolExecutor(len(shares), get_context("spawn")) as pool:
        stories = [
            pool.submit(_story, scenario, folder / f"{number}", share, f"{seed} {number}", lived)
            for number, share in enumerate(shares)
        ]
        for story in stories:
            yield story.result()


def _story(
    scenario: Scenario, folder: Path, left: Counter[tuple[Call, str]], seed: str, lived: Told
) -> tuple[Told, Counter[tuple[Call, str]]]:
    with impatient():
        return play(scenario, folder, Chosen(kinds, left, seed, most=MOST), lived), left


def play(scenario: Scenario, folder: Path, choose: Chooser, lived: Told | None = None) -> Told:
    """`starover run`, struck as `choose` says; then `resume`, or the same line again where no run was begun, struck
    again; then all is well, and it is ended.
    """
    told = Told()
    topology = scenario.topology
    folder.mkdir(parents=True, exist_ok=True)
    if "\n" in topology:
        (folder / "topology.yaml").write_text(topology, "utf-8")
        topology = str(folder / "topology.yaml")
    with WireEstate(topology, folder, choose) as lab:
        words, idle, after = _words(scenario), 0, 0
        while True:
            before, last = len(lab.struck), choose.over
            typed = _typed(lab, told, *words)
            if typed.code and lab.last:
                told.given_up = max(told.given_up, time.monotonic() - lab.last)
            idle = idle + 1 if len(lab.struck) == before else 0
            if last or idle >= LEGS:
                lab.choose, after = None, after + 1
            if not typed.code or after >= LEGS:
                break
            lab.place.control("clock/advance", seconds=BETWEEN)
            lab.leg, lab.last = lab.leg + 1, 0.0
            run = re.search(r"starover resume ([0-9a-f]{8}\.\d+)", typed.err)
            words = ["resume", run[1]] if run else _words(scenario)
        lab.choose = None
        told.struck = lab.struck
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

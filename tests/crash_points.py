"""Runs killed at their journal writes and gone on with by a new driver, on the lab without wires.

A kill is a `BaseException` out of a journal write, before it, within it (the line is there, its head is not), or after
it: nothing of the process that was does another thing, and its scripts go on at their hosts, whose answers nobody
hears. A second driver, in another folder to which the journals were copied, goes on: another machine.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec
from inner_lab import InnerLab, Simulation
from starover_lab.world.world import World

from starover.audit import verify
from starover.content import find
from starover.drivers.local import Local, Ran, Why
from starover.errors import BadParameter
from starover.events import RunEnded
from starover.journal import Body, Journal, Recorded, Sent, read_journal
from starover.plan import Plan
from starover.values import Plain

CONTENT = find()
When = Literal["before", "within", "after"]
WHENS: tuple[When, ...] = ("before", "within", "after")
REST = 900.0
"""Seconds until what starts late after a restart is there."""
READING = r"\Starover\Search"
"""A task that a reading starts and removes: whoever goes on with a run reads again."""
Strike: TypeAlias = Callable[[tuple[Body, ...]], When | None]
"""Asked at every journal write, with what it holds, whether the process is killed there."""


class Killed(BaseException):
    """What SIGKILL is to a driver in this process."""


@dataclass(frozen=True)
class Scenario:
    """One of the scenarios, as far as it is one run."""

    name: str
    topology: str
    """Its name, or a whole one as YAML."""
    book: str
    parameters: Mapping[str, Plain]
    zone: str = ""
    """An availability zone that is lost an hour into the story, two minutes before the run."""


S1 = Scenario(
    "S1",
    "aws-2az",
    "dag-create",
    {
        "dag": "DAG",
        "witness_server": "FileServer3",
        "witness_directory": "C:\\DAG",
        "alternate_witness_server": "FileServer",
        "alternate_witness_directory": "C:\\DAGALT",
        "members": ["ExchangeNode1", "ExchangeNode2"],
        "dac": True,
    },
)
S12 = Scenario("S12", "pa-4x2", "maintenance-start", {"server": "EX1", "redirect_to": "EX2"})
S14 = Scenario(
    "S14",
    """
name: still
extends: pa-4x2
dags:
  - name: DAG1
    members: [EX1, EX2, EX3, EX4]
    witness: FSW3
    witness_directory: 'C:\\DAGFileShareWitnesses\\DAG1.example.com'
    alternate_witness: FSW2
    alternate_witness_directory: 'C:\\DAGFileShareWitnesses\\DAG1.example.com'
    dac_mode: DagOnly
    preference_move_frequency: never
""",
    "rolling-windows-update",
    {"witness": "last"},
)
"""Automatic rebalancing is off: else how long the run takes decides who moves a database home."""
PAIR = """
extends: aws-2az
dags:
  - name: DAG
    members: [ExchangeNode1, ExchangeNode2]
    witness: FileServer3
    witness_directory: 'C:\\DAG'
    dac_mode: DagOnly
    preference_move_frequency: never
databases:
  - {name: DB1, size_gb: 40, copies: [{server: ExchangeNode1}, {server: ExchangeNode2}]}
  - {name: DB2, size_gb: 60, copies: [{server: ExchangeNode2}, {server: ExchangeNode1}]}
"""
"""Two members, two databases with a copy on each: the smallest DAG; a topology without its name and updates."""
S14_SHORT = Scenario(
    "S14-short",
    f"""
name: short{PAIR}
updates:
  - {{name: KB5044411, title: 2026-11 Cumulative Update (KB5044411), servers: [ExchangeNode1], reboot: always}}
""",
    "rolling-windows-update",
    {"witness": "last"},
)
"""The same runbook where only one of two members has an update: it takes a third of S14's time."""
S21 = Scenario(
    "S21",
    "pa-4x2-fsw1",
    "force-quorum",
    {"lost_site": ["AZ1"], "surviving_site": "AZ2", "witness": "alternate"},
    zone="1a",
)
WHOLE = (S1, S12, S14, S14_SHORT, S21)
SAMPLED = (S1, S12, S21)


class MortalClock:
    """The simulated clock for one driver: what it waits for is forgotten when it dies."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._waits: dict[threading.Event, Callable[[], None]] = {}
        self._dead = False

    def now(self) -> datetime:
        return self._simulation.world.scheduler.now

    def wait_until(self, when: datetime, /) -> None:
        there = threading.Event()
        scheduler = self._simulation.world.scheduler

        def hold() -> None:
            if self._dead:
                there.set()
                return
            scheduler.expect(0, answers=True)
            self._waits[there] = scheduler.hold_until(when, there.set, answers=True)

        self._simulation.later(hold)
        there.wait()
        self._simulation.later(lambda: self._waits.pop(there, None))

    def expect(self, scripts: int, /) -> None:
        self._simulation.now(lambda: self._simulation.world.scheduler.expect(scripts, answers=True))

    def die(self) -> None:
        """As the lab's control port does it when the line of a client breaks."""

        def end() -> None:
            self._dead = True
            for there, forget in self._waits.items():
                forget()
                there.set()
            self._simulation.world.scheduler.dismiss()

        self._simulation.now(end)


@contextmanager
def killed(strike: Strike) -> Iterator[None]:
    """Within it, the journal write for which `strike` says so kills."""
    append = Journal.append

    def watched(self: Journal, at: datetime, *bodies: Body) -> None:
        when = strike(bodies)
        if when == "before":
            raise Killed
        if when == "within":
            number, sync = 0, os.fsync

            def cut(_: int) -> None:
                nonlocal number
                number += 1
                if number == 1:  # the lines are down, the head is next
                    raise Killed

            os.fsync = cut
            try:
                append(self, at, *bodies)
            finally:
                os.fsync = sync
        append(self, at, *bodies)
        if when == "after":
            raise Killed

    Journal.append = watched  # type: ignore[method-assign]
    try:
        yield
    finally:
        Journal.append = append  # type: ignore[method-assign]


@dataclass
class Story:
    """What came of one run, killed or not."""

    ended: bool
    """By its journal: done, and well."""
    error: object
    writes: Counter[tuple[str, str, str, bool]]
    """What the lab's admin audit log holds since the run began: cmdlet, parameters, server, success."""
    events: Counter[tuple[str, str]]
    """Everything that happened in the lab's world since, by kind and subject."""
    state: Any
    """The world, without what time alone changes."""
    twice: list[str]
    """Operations whose body ran more than once on its host."""
    broken: list[object]
    """Invariants."""
    audit: list[str]
    """What `audit verify` finds, apart from what every crash leaves."""
    legs: int

    def faults(self, whole: Story) -> list[str]:
        """Where it differs from the same run of a process that lived; empty: nowhere."""
        checks = {
            f"ended with {self.error}": self.ended,
            f"done twice: {self.twice}": not self.twice,
            f"invariants: {self.broken}": not self.broken,
            f"journal: {self.audit}": not self.audit,
            f"cmdlets: {_other(self.writes, whole.writes)}": self.writes == whole.writes,
            f"events: {_other(self.events, whole.events)}": self.events == whole.events,
            "another final state": self.state == whole.state,
        }
        return [what for what, good in checks.items() if not good]


def _other(one: Counter[Any], two: Counter[Any]) -> list[Any]:
    return [(key, one[key], two[key]) for key in {**one, **two} if one[key] != two[key]]


def crowded(world: World) -> None:
    """Sessions of killed processes end by themselves after hours. Nobody kills a run forty times within them, so they
    are not counted here.
    """
    tuning = world.state.tuning
    world.state.tuning = msgspec.structs.replace(tuning, shells_per_user=10_000, exchange_sessions_per_user=10_000)


class Stage:
    """A scenario up to its plan, in a lab of its own. A context."""

    def __init__(self, scenario: Scenario, folder: Path) -> None:
        self.folder = folder
        topology: str | Path = scenario.topology
        if "\n" in scenario.topology:
            folder.mkdir(parents=True, exist_ok=True)
            topology = folder / "topology.yaml"
            topology.write_text(scenario.topology, "utf-8")
        self.lab = InnerLab(topology, folder, CONTENT)
        self.lab.do(crowded)
        with killed(lambda _bodies: None):
            if scenario.zone:
                self.lab.later(3600)
                self.lab.do(lambda world: world.fault("az_loss", scenario.zone))
                self.lab.later(120)
            self.plan: Plan = self.lab.plan(scenario.book, scenario.parameters).plan
        self._audited, self._events = self.lab.do(lambda world: (len(world.state.audit), len(world.state.log.events)))
        self.kills = 0

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        self.lab.close()

    def driver(self, who: str = "tester") -> tuple[Local, MortalClock]:
        """A process: a driver with sessions and a clock of its own."""
        clock = MortalClock(self.lab.simulation)
        self.lab.transport.close()
        local = Local(
            estate=self.lab.estate,
            content=self.lab.content,
            transport=self.lab.transport,
            clock=clock,
            folder=self.folder,
            why=Why(who=who),
        )
        return local, clock

    def leg(self, act: Callable[[Local], Ran], strike: Strike) -> Ran | None:
        """One process's work on the run; None: it was killed."""
        local, clock = self.driver()
        with killed(strike):
            try:
                return act(local)
            except Killed:
                self.kills += 1
                clock.die()
                return None

    def move(self) -> None:
        """The journals go to another machine, which knows nothing else."""
        there = self.folder.with_name(f"{self.folder.name}-{self.kills}")
        shutil.copytree(self.folder, there, ignore=shutil.ignore_patterns("*.lock"))
        self.folder = there

    def play(self, strike: Strike | None = None, *, move: bool = False) -> Story:
        """Apply the plan; whenever `strike` kills, another process goes on, until the run has ended.

        `move`: it goes on with a copy of the journals on another machine each time.
        """
        run, legs = f"{self.plan.id}.1", 1

        def resume(local: Local) -> Ran:
            return local.resume(run, approve=self.lab.approve)

        strike = strike or (lambda _bodies: None)
        ran = self.leg(lambda local: local.apply(self.plan, approve=self.lab.approve), strike)
        while ran is None:
            if move:
                self.move()
            try:
                legs += 1
                ran = self.leg(resume, strike)
            except BadParameter as error:
                if "before its first record" in error.what:  # nothing was sent, so it is applied anew
                    run = f"{self.plan.id}.2"
                    ran = self.leg(lambda local: local.apply(self.plan, approve=self.lab.approve), strike)
                elif "nothing to resume" in error.what:
                    break  # killed when all was over
                else:
                    raise
        self.lab.later(REST)
        return self._story(run, ran, legs)

    def _story(self, run: str, ran: Ran | None, legs: int) -> Story:
        def look(world: Any) -> tuple[Any, ...]:
            writes = Counter(
                (
                    one.cmdlet,
                    msgspec.json.encode(dict(one.parameters), enc_hook=str).decode(),
                    one.server,
                    one.succeeded,
                )
                for one in world.state.audit[self._audited :]
            )
            events = Counter(
                (one.kind, one.subject)
                for one in world.state.log.events[self._events :]
                if one.data.get("task") != READING
            )
            return writes, events, world.snapshot(), world.violations()

        writes, events, state, broken = self.lab.do(look)
        last = read_journal(self.folder, run)[-1].body
        return Story(
            ended=isinstance(last, Recorded) and isinstance(last.event, RunEnded) and last.event.exit == 0,
            error=ran.error if ran is not None else None,
            writes=writes,
            events=events,
            state=steady(state),
            twice=[name for name, times in self.lab.transport.ran.items() if times > 1],
            broken=[one["id"] for one in broken],
            audit=[one.says for one in verify(self.folder) if not one.harmless],
            legs=legs,
        )


Key: TypeAlias = tuple[str, str]


class _Names:
    """What journal writes are, in whatever leg they happen, and in whatever order hosts answer: nonces are numbered in
    that order, so the digest of an effect does not tell.
    """

    def __init__(self) -> None:
        self._scripts: dict[str, str] = {}
        """By the digest of the effect."""

    def __call__(self, bodies: Sequence[Body]) -> tuple[Key, ...]:
        return tuple((type(body).__name__, self._name(body)) for body in bodies)

    def _name(self, body: Body) -> str:
        if isinstance(body, Recorded):
            event = body.event
            words = [getattr(event, name, "") for name in ("position", "host", "kind", "what", "state")]
            return f"{type(event).__name__} {words}"
        if isinstance(body, Sent):
            # Each leg holds the lease under another name; else a story could be killed there in its first leg only.
            parts = [
                part.template if body.what == "lease" else f"{part.template} {bytes(part.arguments).decode()}"
                for part in body.parts
            ]
            self._scripts[body.digest] = f"{body.what} {body.host} {body.operation} {parts}"
        digest = str(getattr(body, "digest", ""))
        return self._scripts.get(digest, digest)


class Points:
    """Every point at which a run can be killed, and which of them have been tried."""

    MOST = 40
    """Kills in one story."""

    def __init__(self) -> None:
        self._names = _Names()
        self.all: list[tuple[Key, When]] = []
        self.left: Counter[tuple[Key, When]] = Counter()

    @property
    def tried(self) -> int:
        return len(self.all) - self.left.total()

    def note(self, bodies: tuple[Body, ...]) -> When | None:
        """A strike that kills nothing: a write of the run that lives. What goes out with it may go alone elsewhere."""
        points = [(self._names(bodies)[0], when) for when in WHENS]
        self.all += points
        self.left.update(points)
        return None

    def strike(self, apart: int, wanted: Callable[[Key, When], bool]) -> Strike:
        """For one story: kills at points that are left and wanted, so many writes apart."""
        since, kills = apart, 0

        def judge(bodies: tuple[Body, ...]) -> When | None:
            nonlocal since, kills
            since += 1
            keys = self._names(bodies)
            if since > apart and kills < self.MOST:
                for when in WHENS:
                    if hit := [key for key in keys if self.left[key, when] > 0 and wanted(key, when)]:
                        self.left.subtract((key, when) for key in dict.fromkeys(hit))
                        since, kills = 0, kills + 1
                        return when
            return None

        return judge


_MOVING = {
    *("time", "events", "audit", "faults", "boot_time", "free", "queues", "epoch"),
    *("generated", "copied", "inspected", "replayed", "copy_queue", "replay_queue"),
}
"""What time alone changes: logs, room on volumes, numbers of configurations."""


def steady(state: Any) -> Any:
    """A snapshot without what time alone changes."""
    if isinstance(state, dict):
        return {key: steady(value) for key, value in state.items() if key not in _MOVING}
    return state

"""Runs struck at one script or from it on, on the lab without wires, and held against the lab's own truth.

`before`: the script never arrives; `after`: it runs, its answer is lost; `gone`: nothing arrives at that host from
there on; `mute`: everything arrives there from then on, and no answer comes back. Then all is well again, and the run
is gone on with: it must come to the end of a run that was never struck.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from crash_points import CONTENT, S12, Scenario, steady
from inner_lab import InnerLab

from starover import audit
from starover.drivers.local import Ran
from starover.errors import NotVerified, OutcomeUnknown, OutputTruncated, Refused, StaroverError, Unreachable
from starover.events import RunEnded, StepBegan, StepEnded, StepState
from starover.journal import Begun, Recorded, read_journal, run_ids
from starover.transport import Script

__all__ = [
    "KINDS",
    "LEGS",
    "S3",
    "S10",
    "S12",
    "Point",
    "Striker",
    "Tale",
    "difference",
    "go_on",
    "judge",
    "leg",
    "open_run",
    "play",
    "put_back",
]

KINDS = ("before", "after", "gone", "mute")
LEGS = 4
"""A struck run and what goes on with it."""
REST = 600.0
"""Seconds until copies are well again."""
S3 = Scenario(
    "S3",
    r"""
name: built
extends: aws-2az
dags:
  - name: DAG
    members: [ExchangeNode1, ExchangeNode2]
    witness: FileServer3
    witness_directory: 'C:\DAG'
    dac_mode: DagOnly
""",
    "copies-add",
    {"copy": ["DB1=ExchangeNode2,pref=2", "DB2=ExchangeNode1,pref=2"]},
)
S10 = Scenario("S10", "pa-4x2", "db-switchover", {"db": "DB01", "to": "EX3"})

Point: TypeAlias = tuple[int, str]
"""Number of the script, counted from 1 over planning and applying, and what happens to it."""


@dataclass
class Tale:
    """How one struck run went."""

    words: list[str] = field(default_factory=list[str])
    """Each leg's end, in words."""
    exits: list[int] = field(default_factory=list[int])
    faults: list[str] = field(default_factory=list[str])
    """What is not as it must be; empty: nothing."""
    next: tuple[str, ...] = ()
    """What the legs say that a person should type."""
    scripts: int = 0
    given_up: float = 0.0
    """Simulated seconds from the stroke to the end of the leg that it ended; 0: the run went on."""
    state: Any = None
    """The world at last, without what time alone changes."""
    writes: Counter[str] = field(default_factory=Counter[str])
    """Mutating cmdlets in the lab's own audit log; none: they are not compared."""

    @property
    def outcome(self) -> str:
        """Of the struck leg: `done`, or the exit code that it ended with."""
        return f"exit {self.exits[0]}" if self.exits[0] else "done"


def play(scenario: Scenario, folder: Path, point: Point | None = None, lived: Tale | None = None) -> Tale:
    """Plan and apply, with the stroke; then all is well again, and it is gone on with. Held against `lived`, the run
    that was never struck.
    """
    tale = Tale()
    topology: str | Path = scenario.topology
    if "\n" in scenario.topology:
        folder.mkdir(parents=True, exist_ok=True)
        topology = folder / "topology.yaml"
        topology.write_text(scenario.topology, "utf-8")
    with InnerLab(topology, folder, CONTENT) as lab:
        striker = Striker(lab, point)
        lab.transport.accident = striker
        leg(lab, tale, lambda: lab.run(scenario.book, scenario.parameters))
        tale.scripts = striker.seen
        if point is not None and striker.when is None:
            tale.faults.append(f"there is no script {point[0]}")
        if striker.when is not None and tale.exits[0]:
            tale.given_up = (lab.clock.now() - striker.when).total_seconds()
        lab.transport.accident = lambda _script: None
        go_on(lab, tale, lambda: lab.run(scenario.book, scenario.parameters), seconds=120)
        lab.later(REST)
        judge(lab, tale, lived)
    return tale


class Striker:
    """Asked about every script: counts them, and strikes."""

    def __init__(self, lab: InnerLab, point: Point | None = None) -> None:
        self._lab, self._point = lab, point
        self.seen = 0
        self.when: datetime | None = None
        self._host = ""

    def __call__(self, script: Script) -> str | None:
        self.seen += 1
        if self._point is None:
            return None
        number, kind = self._point
        if self.seen == number:
            self.when, self._host = self._lab.world.now, script.server.name
        elif kind in ("before", "after") or script.server.name != self._host:
            return None
        return {"gone": "before", "mute": "after"}.get(kind, kind)


def leg(lab: InnerLab, tale: Tale, act: Callable[[], Ran]) -> None:
    """One process's work; an error that is none of the tool's own ends the test."""
    try:
        ran = act()
    except StaroverError as error:
        tale.words.append(f"not begun: {type(error).__name__}: {error.what}")
        tale.exits.append(error.exit)
        tale.next += tuple(error.next)
        _is_word(error, tale)
        if not isinstance(error, Unreachable | OutcomeUnknown | OutputTruncated | Refused | NotVerified):
            tale.faults.append(f"an accident of the line is called {type(error).__name__}: {error.what}")
    else:
        tale.words.append(f"{ran.state}: {ran.error.what if ran.error is not None else ''}")
        tale.exits.append(ran.exit)
        tale.next += tuple(ran.error.next) if ran.error is not None else ()
        if ran.error is not None:
            _is_word(ran.error, tale)
            if ran.exit != ran.error.exit:
                tale.faults.append(f"exit {ran.exit} for {type(ran.error).__name__}")
        tale.faults += _untrue(lab, ran)


def go_on(
    lab: InnerLab,
    tale: Tale,
    begin: Callable[[], Ran],
    *,
    seconds: float,
    legs: int = LEGS,
    resumes: Callable[[int], bool] = lambda _exit: True,
) -> None:
    """All is well again: what a person then does, until it ends well or `legs` are over. `begin` plans it anew.

    `resumes`: whether a run that ended with this exit code is gone on with at all.
    """
    while tale.exits[-1] and len(tale.exits) < legs:
        lab.later(seconds)
        left = open_run(lab.folder) if resumes(tale.exits[-1]) and not put_back(tale.words[-1]) else ""
        leg(lab, tale, partial(lab.resume, left) if left else begin)
    if tale.exits[-1]:
        tale.faults.append("it comes to no good end although all is well again")


def _is_word(error: StaroverError, tale: Tale) -> None:
    """An error of the tool itself has no kind of its own, and nothing may be unknown without a word about it."""
    if type(error) is StaroverError:
        tale.faults.append(f"a bug: {error.what}")
    bare = error.what.startswith("the connection to ")  # the lab's own words for a reading, without a wire to tell of
    if isinstance(error, OutcomeUnknown) and not (error.certain or error.uncertain or bare):
        tale.faults.append(f"unknown, and nothing is said of it: {error.what}")


TRUTH: Mapping[StepState, tuple[int, ...]] = {
    "right": (0,),
    "changed": (1,),
    "not-verified": (1,),
    "refused": (0,),
    "unreachable": (0,),
    "failed": (0, 1),
    "unknown": (0, 1),
}
"""How often a step's body may have run on its host, in this run, by what the run says of it at last."""


def _untrue(lab: InnerLab, ran: Ran) -> list[str]:
    """Where what the run says of its steps is not what the hosts did."""
    operations: dict[int, set[str]] = defaultdict(set)
    said: dict[int, list[StepEnded]] = defaultdict(list)
    for entry in read_journal(lab.folder, ran.run):
        event = entry.body.event if isinstance(entry.body, Recorded) else None
        if isinstance(event, StepBegan):
            operations[event.step].add(event.operation)
        elif isinstance(event, StepEnded):
            said[event.step].append(event)
    found: list[str] = []
    for step, ends in said.items():
        ended = ends[-1]
        times = sum(lab.transport.ran[operation] for operation in operations[step])
        late = any(one.state == "unknown" for one in ends)  # then the fact alone has decided, whoever brought it about
        if times not in TRUTH[ended.state] and not (ended.state in ("right", "changed") and late and times <= 1):
            found.append(f"step {step} {ended.what} on {ended.host} is {ended.state}, and was done {times} times")
    return found


def put_back(words: str) -> bool:
    """Whether a leg's end says that the run has put back what it had done: it is planned anew, then."""
    return "began to put back what it had done" in words


def open_run(folder: Path) -> str:
    """The run that was begun last, where it can be gone on with; empty: it cannot."""
    begun = [(entries[0], run) for run in run_ids(folder) if (entries := read_journal(folder, run))]
    applied = [(one.at, run) for one, run in begun if isinstance(one.body, Begun) and one.body.plan is not None]
    if not applied:
        return ""
    _, run = max(applied)
    last = read_journal(folder, run)[-1].body
    ended = last.event if isinstance(last, Recorded) else None
    return run if not isinstance(ended, RunEnded) or (ended.exit and ended.resume) else ""


def judge(lab: InnerLab, tale: Tale, lived: Tale | None) -> None:
    twice = [operation for operation, times in lab.transport.ran.items() if times > 1]
    if twice:
        tale.faults.append(f"done twice: {', '.join(twice)}")
    tale.faults += [f"invariant {one.id}: {one.text}" for one in lab.world.invariants.violations]
    tale.faults += [f"journal: {one.says}" for one in audit.verify(lab.folder) if not one.harmless]
    tale.state, tale.writes = lab.do(
        lambda world: (steady(world.snapshot()), Counter(one.cmdlet for one in world.state.audit))
    )
    if lived is not None and tale.state != lived.state:
        tale.faults.append(f"another final state: {difference(tale.state, lived.state)}")
    if lived is not None and lived.writes and tale.writes != lived.writes:
        tale.faults.append(f"other cmdlets: {tale.writes - lived.writes} more, {lived.writes - tale.writes} less")


def difference(one: Any, two: Any, at: str = "") -> list[str]:
    """Where two worlds differ, in words."""
    if isinstance(one, dict) and isinstance(two, dict):
        return [line for key in {**one, **two} for line in difference(one.get(key), two.get(key), f"{at}.{key}")]
    return [] if one == two else [f"{at}: {one!r}, not {two!r}"]

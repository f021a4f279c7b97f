"""Stories: random sequences of runbooks, faults, accidents and returns, played on a lab without wires, and judged.

A story is a list of small numbers, so that it can be drawn at random and made shorter; `play` gives it its words. What
the estate may suffer is judged by the lab's own invariants; whether a runbook is to blame is judged by a shadow: the
same faults at the same moments with nobody at work.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple, TypeAlias

from inner_lab import InnerLab
from starover_lab.world.world import World

from starover import audit
from starover.drivers.local import Ran
from starover.errors import OutcomeUnknown, StaroverError
from starover.transport import Script
from starover.values import Plain

Draw: TypeAlias = Callable[["Dice"], dict[str, Plain]]


class Deed(NamedTuple):
    """One thing that happens: `run`, `fault`, `mend` or `pass`; the numbers choose what exactly."""

    kind: str
    which: int
    how: int
    accident: int = 0
    """For `run`: 0 none; else the n-th script is struck, odd: its answer is lost, even: it never arrives."""


@dataclass(frozen=True)
class Story:
    """What is to be played."""

    topology: str
    deeds: tuple[Deed, ...]


@dataclass
class Dice:
    """Takes choices out of one number, so that a story stays small."""

    world: World
    number: int

    def of(self, *choices: str) -> str:
        self.number, left = divmod(self.number, len(choices))
        return choices[left]

    def member(self) -> str:
        return self.of(*[server.name for server in self.world.state.servers if server.exchange is not None])

    def server(self) -> str:
        return self.of(*[server.name for server in self.world.state.servers])

    def witness(self) -> str:
        return self.of(*[server.name for server in self.world.state.servers if "witness" in server.roles])

    def database(self) -> str:
        return self.of(*[database.name for database in self.world.state.databases])

    def copy(self) -> str:
        database = self.world.state.databases[self.database()]
        return f"{database.name}/{self.of(*[copy.server for copy in database.copies])}"

    def passive(self) -> str:
        database = self.world.state.databases[self.database()]
        passive = [copy.server for copy in database.copies if copy.server != database.active]
        return f"{database.name}/{self.of(*(passive or [database.active]))}"

    def site(self) -> str:
        return self.of(*sorted({server.site for server in self.world.state.servers if server.exchange is not None}))

    def az(self) -> str:
        return self.of(*[az.name for az in self.world.state.azs])


def to(text: str) -> dict[str, Plain]:
    database, _, server = text.partition("/")
    return {"db": database, "to": server}


def pair(text: str) -> dict[str, Plain]:
    database, _, server = text.partition("/")
    return {"db": database, "server": server}


RUNBOOKS: Mapping[str, Draw] = {
    "copies-suspend": lambda dice: {**pair(dice.copy()), "mode": dice.of("full", "activation-only")},
    "copies-resume": lambda dice: pair(dice.copy()),
    "copy-seed": lambda dice: {"copy": [dice.copy()]},
    "copies-lag": lambda dice: {"copy": dice.copy()},
    "activation-policy": lambda dice: {"servers": [dice.member()], "policy": dice.of("Blocked", "Unrestricted")},
    "activation-preferences": lambda _: {"policy": "spread"},
    "dac-mode": lambda dice: {"off": dice.of("", "off") == "off"},
    "dag-set-witness": lambda dice: {"server": dice.witness(), "directory": "C:\\DAG"},
    "dag-witness-repair": lambda _: {},
    "witness-prepare": lambda dice: {"server": dice.witness()},
    "db-switchover": lambda dice: {**to(dice.passive()), "hold": dice.of("", "swap")},
    "server-switchover": lambda dice: {"server": dice.member()},
    "pam-move": lambda dice: {"to": dice.member()},
    "redistribute": lambda _: {},
    "maintenance-start": lambda dice: {"server": dice.member()},
    "maintenance-stop": lambda dice: {"server": dice.member()},
    "server-reboot": lambda dice: {"server": dice.member()},
    "service-restart": lambda dice: {
        "server": dice.member(),
        "service": dice.of("MSExchangeTransport", "MSExchangeRepl", "clussvc"),
    },
    "az-loss-assess": lambda _: {},
    "fence": lambda dice: {"lost_site": [dice.site()]},
    "start-nodes": lambda _: {},
    "force-quorum": lambda dice: {"lost_site": [dice.site()], "hold_mount": dice.of("", "", "hold") == "hold"},
    "mount-databases": lambda dice: {"db": [dice.database()]},
    "failback": lambda dice: {"site": dice.site(), "when": "now"},
    "health-report": lambda _: {},
    "patch-status": lambda _: {},
    "mailflow-triage": lambda _: {},
    "queue-relief": lambda dice: {"action": dice.of("retry", "resume"), "servers": [dice.member()]},
    "windows-update": lambda dice: {"server": dice.member(), "return_on_failure": dice.of("", "back") == "back"},
    "update-repair": lambda dice: {"server": dice.member()},
    "host-event": lambda dice: {"server": dice.member()},
    "dag-status": lambda _: {},
}
"""What stories may run, with parameters drawn from the estate."""

FAULTS: Mapping[str, Callable[[Dice], tuple[str, dict[str, str | float]]]] = {
    "host_off": lambda dice: (dice.server(), {}),
    "host_hang": lambda dice: (dice.server(), {}),
    "az_loss": lambda dice: (dice.az(), {}),
    "az_isolated": lambda dice: (dice.az(), {}),
    "service_crash": lambda dice: (
        dice.member(),
        {"service": dice.of("MSExchangeIS", "MSExchangeRepl", "clussvc")},
    ),
    "witness_down": lambda dice: (dice.witness(), {}),
    "partition": lambda dice: (f"{dice.az()}|{dice.az()}", {}),
    "link_flap": lambda dice: (f"{dice.az()},*", {}),
    "disk_full": lambda dice: (dice.member(), {}),
    "disk_failed": lambda dice: (dice.member(), {}),
    "divergence": lambda dice: (dice.passive(), {}),
    "lastlog_stale": lambda dice: (dice.database(), {}),
    "queue_stuck": lambda dice: (dice.member(), {"messages": 80}),
    "witness_reboot": lambda dice: (dice.witness(), {}),
    "reboot_never_returns": lambda dice: (dice.member(), {}),
    "winrm_refused": lambda dice: (dice.server(), {}),
    "exchange_vdir_down": lambda dice: (dice.member(), {}),
}
"""What stories may break. A kind that the lab does not have fails at once."""

REPEATABLE = frozenset({"server-reboot", "service-restart"})
"""Runbooks that are never done: a second run does it again."""


class Misdeed(AssertionError):
    """The story ended badly."""


@dataclass
class Told:
    """How a story went, in words and in figures."""

    lines: list[str] = field(default_factory=list[str])
    ran: Counter[str] = field(default_factory=Counter[str])
    """Runs by state."""
    writes: int = 0
    violations: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])
    """Invariant, subject, text: all that were broken, by the world alone."""

    def __str__(self) -> str:
        return "\n".join(self.lines)


class Player:
    """Plays one story in a folder of its own."""

    def __init__(self, story: Story, folder: Path) -> None:
        self.story = story
        self.folder = folder
        self.told = Told()
        self.times: list[datetime] = []
        self._faults: list[int] = []
        self._effects: Counter[str] = Counter()

    def play(self) -> Told:
        """Raises `Misdeed` with the whole story in words."""
        with InnerLab(self.story.topology, self.folder) as lab:
            try:
                for deed in self.story.deeds:
                    self.times.append(lab.clock.now())
                    self._do(lab, deed)
                self.times.append(lab.clock.now())
                self._judge(lab)
            except Misdeed as misdeed:
                raise Misdeed(f"{misdeed}\n{self.story.topology}\n{self.told}") from misdeed
        return self.told

    # -- deeds ---------------------------------------------------------------------------------------------------

    def _do(self, lab: InnerLab, deed: Deed) -> None:
        if deed.kind == "run":
            self._run(lab, deed)
        else:
            line = lab.do(lambda world: happen(world, deed, self._faults))
            self.told.lines.append(f"  {lab.clock.now():%H:%M:%S}  {line}")

    def _run(self, lab: InnerLab, deed: Deed) -> None:
        names = sorted(RUNBOOKS)
        name = names[deed.which % len(names)]
        parameters = RUNBOOKS[name](Dice(lab.world, deed.how))
        said = " ".join(f"{key}={value}" for key, value in parameters.items())
        struck = ""
        if deed.accident:
            number, how = deed.accident, "after" if deed.accident % 2 else "before"
            struck = f", script {number} struck {how}"
            lab.transport.accident = accident_at(number, how)
        sent = len(lab.transport.sent)
        began = f"  {lab.clock.now():%H:%M:%S}  run {name} {said}{struck}: "
        try:
            plan = lab.plan(name, parameters).plan
            ran = lab.apply(plan) if not plan.blocked else None
        except StaroverError as error:
            self._is_word(error, began)
            self.told.lines.append(f"{began}{type(error).__name__}: {error.what}")
            self.told.ran[f"not begun: {type(error).__name__}"] += 1
            return
        finally:
            lab.transport.accident = lambda _script: None
            self._count(lab.transport.sent[sent:])
        if ran is None:
            self.told.lines.append(f"{began}refused: {plan.blocked[0].blocked}")
            self.told.ran["refused"] += 1
            return
        self.told.lines.append(f"{began}{ran.state}, {ran.changed} changed {ran.error.what if ran.error else ''}")
        self.told.ran[ran.state] += 1
        if ran.error is not None:
            self._is_word(ran.error, began)
        if ran.state == "done" and not deed.accident and name not in REPEATABLE:
            self._again(lab, name, parameters, began)
        if ran.resumable and deed.accident:
            self._resume(lab, ran, began)

    def _again(self, lab: InnerLab, name: str, parameters: Mapping[str, Plain], began: str) -> None:
        """Law 1: what is done is done. A second plan right away finds nothing to change."""
        try:
            plan = lab.plan(name, parameters).plan
        except StaroverError:
            return  # the world may have moved in the meantime
        if plan.changes and not lab.do(lambda world: world.faults()):  # a fault may undo at once what was done
            what = ", ".join(f"{step.what} {step.change}" for step in plan.changes)
            raise Misdeed(f"{began}a second plan has changes: {what}")

    def _resume(self, lab: InnerLab, ran: Ran, began: str) -> None:
        sent = len(lab.transport.sent)
        try:
            again = lab.resume(ran.run)
        except StaroverError as error:
            self._is_word(error, began)
            self.told.lines.append(f"            resumed: {type(error).__name__}: {error.what}")
            return
        finally:
            self._count(lab.transport.sent[sent:])
        self.told.lines.append(f"            resumed: {again.state} {again.error.what if again.error else ''}")

    def _count(self, scripts: list[Script]) -> None:
        for script in scripts:
            if script.mutates:
                self.told.writes += 1

    @staticmethod
    def _is_word(error: StaroverError, began: str) -> None:
        """An error of the tool itself has no kind of its own: whatever goes wrong must."""
        if type(error) is StaroverError:
            raise Misdeed(f"{began}a bug: {error.what}")
        if isinstance(error, OutcomeUnknown) and not (error.certain or error.uncertain):
            raise Misdeed(f"{began}unknown, and nothing is said of it: {error.what}")

    # -- judging -------------------------------------------------------------------------------------------------

    def _judge(self, lab: InnerLab) -> None:
        for finding in audit.verify(self.folder):
            if not finding.harmless:
                raise Misdeed(f"the journal: {finding}")
        twice = [operation for operation, times in lab.transport.ran.items() if times > 1]
        if twice:
            raise Misdeed(f"sent again and done twice: {', '.join(twice)}")
        found = broken(lab.world)
        if not found:
            return
        alone = shadow(self.story, self.times)
        for id_, subject, text in found:
            if (id_, subject) not in {(one[0], one[1]) for one in alone}:
                raise Misdeed(f"{id_} of {subject} is broken, and not by the world alone: {text}")
            self.told.violations.append((id_, subject, text))


def accident_at(number: int, how: str) -> Callable[[Script], str | None]:
    """Strikes the n-th script from now."""
    seen = 0

    def strike(script: Script) -> str | None:
        nonlocal seen
        del script
        seen += 1
        return how if seen == number else None

    return strike


def happen(world: World, deed: Deed, faults: list[int]) -> str:
    """A deed of the world itself, in the simulation's thread; in words."""
    if deed.kind == "pass":
        minutes = (1, 5, 30, 120, 360)[deed.which % 5]
        world.scheduler.advance_to(world.now + timedelta(minutes=minutes))
        return f"{minutes} minutes pass"
    if deed.kind == "mend":
        if not faults:
            return "nothing to mend"
        number = faults.pop(deed.which % len(faults))
        world.mend(number)
        return f"fault {number} is mended"
    names = sorted(FAULTS)
    name = names[deed.which % len(names)]
    target, params = FAULTS[name](Dice(world, deed.how))
    try:
        number = world.fault(name, target, **params)
        if number not in faults:  # the same once more is the same fault
            faults.append(number)
    except StaroverError as error:
        return f"{name} {target} cannot be: {error.what}"
    return f"{name} {target} {params or ''}"


def broken(world: World) -> list[tuple[str, str, str]]:
    """Every invariant that was ever broken."""
    return [(one.id, one.subject, one.text) for one in world.invariants.violations]


def shadow(story: Story, times: list[datetime]) -> list[tuple[str, str, str]]:
    """What the same faults at the same moments break when nobody is at work."""
    world = World.from_topology(story.topology)
    faults: list[int] = []
    for deed, when in zip(story.deeds, times, strict=False):
        world.scheduler.advance_to(when)
        if deed.kind != "run":
            happen(world, deed, faults)
    world.scheduler.advance_to(times[-1])
    return broken(world)


def figures(told: Iterator[Told]) -> dict[str, int]:
    """Sums over stories, for reports."""
    total: Counter[str] = Counter()
    for one in told:
        total["stories"] += 1
        total["runs"] += sum(one.ran.values())
        total["writes"] += one.writes
        for state, times in one.ran.items():
            total[state] += times
    return dict(total)

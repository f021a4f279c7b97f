"""Two at once on one DAG: two laptops, a sleeper that wakes, two sides that take each other for lost; never both."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest
from approving import approved
from inner_lab import InnerLab, InnerTransport, SimulatedClock

from starover import Dag, Estate, Server, Steps, runbook
from starover.content import find
from starover.drivers.local import Local, Ran, Why
from starover.plan import Plan
from starover.render import Arg, Body
from starover.runbook import AnyRunbook
from starover.step import Settle, wait
from starover.steps.moves import Moment, moment_of
from starover.steps.preferences import policy_set
from starover.transport import Script

OUR = find()
PATIENCE = 60.0
"""Seconds of real time after which a test has got stuck."""


@runbook
def block_all(dag: Dag, estate: Estate, server: Sequence[Server] = (), lost_server: Sequence[Server] = ()) -> Steps:
    """Keep databases from being activated, one server after the other."""
    for one in server or [one for one in estate.members(dag) if one not in lost_server]:
        yield policy_set.on(one, server=one.name, policy="Blocked")


@runbook
def release_all(dag: Dag, estate: Estate, server: Sequence[Server] = ()) -> Steps:
    """The opposite of it."""
    for one in server or estate.members(dag):
        yield policy_set.on(one, server=one.name, policy="Unrestricted")


@runbook
def wait_long(dag: Dag, estate: Estate) -> Steps:
    """Change something, wait for two hours, change something else."""
    first, second = estate.members(dag)[:2]
    yield policy_set.on(first, server=first.name, policy="Blocked")
    begun: list[datetime] = []

    def later(now: Moment) -> bool:
        begun.append(datetime.fromisoformat(now.utc[:19]))
        return begun[-1] - begun[0] > timedelta(hours=2)

    yield from wait(
        moment_of, first, until=later, settle=Settle(every=300, limit=10_000), what="two hours", expected=True
    )
    yield policy_set.on(second, server=second.name, policy="Blocked")


class Content:
    """Our own, and those above."""

    sha256 = OUR.sha256

    def runbook(self, name: str, /) -> AnyRunbook:
        return next((one for one in (block_all, release_all, wait_long) if one.name == name), None) or OUR.runbook(name)

    def body(self, template: str, arguments: dict[str, Arg], /) -> Body:
        return OUR.body(template, arguments)


class Gate:
    """A clock that stops its driver before each batch of scripts until it is let through."""

    def __init__(self, clock: SimulatedClock) -> None:
        self._clock = clock
        self.turn = threading.Condition()
        self.waits = False
        self.steps = 0
        """How often it may still pass; negative: always."""

    def now(self) -> datetime:
        return self._clock.now()

    def wait_until(self, when: datetime, /) -> None:
        self._clock.wait_until(when)

    def expect(self, scripts: int, /) -> None:
        if scripts:
            with self.turn:
                self.waits = True
                self.turn.notify_all()
                assert self.turn.wait_for(lambda: self.steps, PATIENCE)
                self.steps -= self.steps > 0
                self.waits = False
        self._clock.expect(scripts)


@dataclass
class Laptop:
    """A person with a driver of their own, that goes on when it is told to."""

    lab: InnerLab
    name: str
    folder: Path
    ran: Ran | None = None
    wrote: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        self.gate = Gate(self.lab.clock)
        self.transport = InnerTransport(self.lab.simulation)
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def local(self) -> Local:
        return Local(
            estate=self.lab.estate,
            content=self.lab.content,
            transport=self.transport,
            clock=self.gate,
            folder=self.folder,
            why=Why(who=self.name),
        )

    def plan(self, book: str, **parameters: str | list[str]) -> Plan:
        self.gate.steps = -1
        made = self.local().plan(book, {"dag": "DAG1", **parameters}).plan
        self.gate.steps = 0
        return made

    def start(self, act: Callable[[Local], Ran]) -> None:
        def live() -> None:
            try:
                self.ran = act(self.local())
            except BaseException as error:
                self._error = error
            finally:
                with self.gate.turn:
                    self.gate.waits = True
                    self.gate.turn.notify_all()

        self.gate.waits = False
        self._thread = threading.Thread(target=live)
        self._thread.start()

    def apply(self, plan: Plan) -> None:
        self.start(lambda local: local.apply(plan, approve=lambda made: approved(made, self.name)))
        self.rest()

    def rest(self) -> None:
        """Wait until it is at its gate, or has ended."""
        with self.gate.turn:
            assert self.gate.turn.wait_for(lambda: self.gate.waits, PATIENCE)

    @property
    def over(self) -> bool:
        return self.ran is not None or self._error is not None

    def step(self) -> None:
        """Let it pass its gate once."""
        if not self.over:
            with self.gate.turn:
                self.gate.waits = False
                self.gate.steps = 1
                self.gate.turn.notify_all()
            self.rest()

    def until_wrote(self, times: int) -> None:
        while not self.over and len(self.writes) < times:
            self.step()

    def finish(self) -> Ran:
        while not self.over:
            self.step()
        assert self._thread is not None
        self._thread.join(PATIENCE)
        if self._error is not None:
            raise self._error
        assert self.ran is not None
        return self.ran

    @property
    def writes(self) -> list[Script]:
        return [one for one in self.transport.sent if one.mutates and self.transport.ran[one.operation]]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[InnerLab]:
    with InnerLab("pa-4x2", tmp_path, content=Content()) as made:
        yield made


@pytest.fixture
def two(lab: InnerLab, tmp_path: Path) -> tuple[Laptop, Laptop]:
    return Laptop(lab, "oncall-a", tmp_path / "a"), Laptop(lab, "oncall-b", tmp_path / "b")


def pass_time(lab: InnerLab, seconds: float) -> None:
    lab.do(lambda world: world.scheduler.release())
    lab.later(seconds)


def test_whoever_comes_second_is_told_who_has_it(two: tuple[Laptop, Laptop]) -> None:
    a, b = two
    a.apply(a.plan("block-all"))
    a.until_wrote(1)
    b.apply(b.plan("block-all", server=["EX4"]))
    late = b.finish()
    assert (late.exit, late.state, b.writes) == (75, "refused", [])
    assert late.error is not None
    assert "DAG1 is leased to run" in late.error.what
    assert "oncall-a, block-all" in late.error.what
    assert a.finish().exit == 0
    assert len(a.writes) == 4
    b.ran = None
    b.apply(b.plan("release-all", server=["EX4"]))
    assert b.finish().exit == 0, "given back at the end"


def test_a_sleeper_that_wakes_after_another_has_worked_changes_nothing(
    two: tuple[Laptop, Laptop], lab: InnerLab
) -> None:
    a, b = two
    a.apply(a.plan("block-all"))
    a.until_wrote(1)
    pass_time(lab, 1000)
    b.apply(b.plan("block-all", server=["EX4"]))
    assert b.finish().exit == 75, "the sleeper still has it"
    pass_time(lab, 1000)
    b.ran = None
    b.apply(b.plan("block-all", server=["EX4"]))
    assert b.finish().exit == 0
    woken = a.finish()
    assert woken.exit == 75, woken.error
    assert len(a.writes) == 1
    assert woken.error is not None
    assert "taken over" in woken.error.what


def test_a_host_that_the_second_could_not_ask_refuses_the_sleeper_by_its_own_clock(
    two: tuple[Laptop, Laptop], lab: InnerLab
) -> None:
    a, b = two
    a.apply(a.plan("block-all", server=["EX2", "EX3"]))
    a.until_wrote(1)
    pass_time(lab, 2000)
    plan = b.plan("block-all", server=["EX1", "EX4"])
    b.transport.accident = lambda script: "before" if script.server.name == "EX3" else None
    b.apply(plan)
    b.until_wrote(1)
    woken = a.finish()
    assert woken.exit == 75, woken.error
    assert [one.server.name for one in a.writes] == ["EX2"]
    assert b.finish().exit == 0


def test_a_lease_that_nobody_else_took_meanwhile_is_taken_anew(two: tuple[Laptop, Laptop], lab: InnerLab) -> None:
    a, _ = two
    a.apply(a.plan("block-all"))
    a.until_wrote(1)
    pass_time(lab, 4000)
    assert a.finish().exit == 0
    assert len(a.writes) == 4


def test_a_host_that_has_lost_what_it_kept_grants_the_lease_anew_before_it_is_written_on(
    two: tuple[Laptop, Laptop], lab: InnerLab
) -> None:
    a, _ = two
    a.apply(a.plan("block-all"))
    a.until_wrote(1)
    folder = "C:\\ProgramData\\Starover\\lease"

    def clear() -> None:
        files = lab.world.server("EX3").files
        for entry in files.children(folder):
            files.remove(entry.path)

    lab.do(lambda _: clear())
    assert a.finish().exit == 0
    assert len({one.operation for one in a.writes}) == 4
    kept = lab.world.server("EX3").files.get(f"{folder}\\dag-DAG1.token")
    assert kept is not None, "written on without asking"


def take_over(a: Laptop, b: Laptop) -> None:
    """The journals of `a` as they are now go to `b`, which goes on with its run."""
    for file in [one for one in a.folder.rglob("*") if one.is_file() and not one.name.endswith(".lock")]:
        copy = b.folder / file.relative_to(a.folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(file.read_bytes())
    run = next(one.stem for one in (b.folder / "runs").glob("*.jsonl") if '"mode":"apply"' in one.read_text())
    b.start(lambda local: local.resume(run, approve=lambda made: approved(made, "oncall-a")))
    b.rest()


def is_for_the_lease(script: Script) -> bool:
    return any(one.template.startswith("lease/") for one in script.parts)


def test_what_a_killed_leg_had_sent_comes_late_and_stands_in_nobodys_way(
    two: tuple[Laptop, Laptop], lab: InnerLab
) -> None:
    a, b = two
    plan = a.plan("block-all")
    late: list[Script] = []

    def delayed(script: Script) -> Literal["before"] | None:
        if script.server.name == "EX3" and not late:  # the first thing that EX3 is asked is for the lease
            late.append(script)
            return "before"
        return None

    a.transport.accident = delayed
    a.apply(plan)
    a.until_wrote(1)
    take_over(a, b)
    b.until_wrote(1)
    lab.clock.expect(len(late))
    assert [one.error for one in InnerTransport(lab.simulation).run(late)] == [None]
    ran = b.finish()
    assert ran.exit == 0, ran.error
    done = {one.operation: (one.server.name, b.transport.ran[one.operation]) for one in b.writes}
    assert sorted(done.values()) == [("EX2", 1), ("EX3", 1), ("EX4", 1)]
    a.finish()
    assert [one.server.name for one in a.writes] == ["EX1"], "it finds nothing left to do"


def test_a_run_taken_over_elsewhere_is_not_gone_on_with_by_the_sleeper(two: tuple[Laptop, Laptop]) -> None:
    a, b = two
    a.apply(a.plan("block-all"))
    a.until_wrote(1)
    take_over(a, b)
    b.until_wrote(1)
    woken = a.finish()
    assert woken.exit == 75, woken.error
    assert b.finish().exit == 0
    done = [one.server.name for one in (*a.writes, *b.writes)]
    assert sorted(done) == ["EX1", "EX2", "EX3", "EX4"]


def test_a_sleeper_whose_lease_is_over_does_not_take_it_from_the_leg_that_went_on(
    two: tuple[Laptop, Laptop], lab: InnerLab
) -> None:
    a, b = two
    a.apply(a.plan("block-all"))
    a.until_wrote(2)
    for _ in ("what EX2 has now", "what EX3 has"):
        a.step()
    pass_time(lab, 2000)  # with the write to EX3 under its pen
    b.transport.accident = lambda one: "before" if one.server.name == "EX3" and is_for_the_lease(one) else None
    take_over(a, b)
    while not b.over and not any(map(is_for_the_lease, b.transport.sent)):
        b.step()
    b.transport.accident = lambda _: None
    woken = a.finish()
    assert woken.exit == 75, woken.error
    assert [one.server.name for one in a.writes] == ["EX1", "EX2"]
    assert b.finish().exit == 0
    assert [one.server.name for one in b.writes] == ["EX3", "EX4"]


def test_each_side_takes_the_other_for_lost(two: tuple[Laptop, Laptop]) -> None:
    a, b = two
    mine, yours = a.plan("block-all", lost_server=["EX1", "EX2"]), b.plan("block-all", lost_server=["EX3", "EX4"])
    a.apply(mine)
    a.until_wrote(1)
    b.apply(yours)
    late = b.finish()
    assert (late.exit, b.writes) == (75, [])
    assert a.finish().exit == 0
    assert {one.server.name for one in a.writes} == {"EX3", "EX4"}
    asked = [one for one in a.transport.sent if one.parts and one.parts[0].template.startswith("lease/")]
    assert {one.server.name for one in asked if one.parts[0].template == "lease/take"} >= {"EX3", "EX4"}
    assert not {"EX1", "EX2"} & {one.server.name for one in asked if one.parts[0].template != "lease/look"}


def test_a_surviving_member_that_is_silent_keeps_a_disaster_run_from_beginning(
    two: tuple[Laptop, Laptop],
) -> None:
    a, _ = two
    plan = a.plan("block-all", lost_server=["EX1", "EX2"])
    a.transport.accident = lambda script: "before" if script.server.name == "EX4" else None
    a.apply(plan)
    ran = a.finish()
    assert (ran.exit, a.writes) == (4, [])
    assert ran.error is not None
    assert "every surviving member" in ran.error.what


def test_a_minority_does_not_begin_and_a_majority_with_the_witness_does(two: tuple[Laptop, Laptop]) -> None:
    a, _ = two
    plan = a.plan("block-all", server=["EX3"])
    silent = ("EX1", "EX2", a.lab.estate.dags[0].witness)
    a.transport.accident = lambda script: "before" if script.server.name in silent else None
    a.apply(plan)
    ran = a.finish()
    assert (ran.exit, a.writes) == (4, []), ran.error
    a.ran = None
    a.transport.accident = lambda script: "before" if script.server.name in ("EX1", "EX2") else None
    a.apply(plan)
    assert a.finish().exit == 0


def test_what_a_run_of_our_own_could_not_give_back_is_taken_at_once_and_another_s_is_not(
    two: tuple[Laptop, Laptop],
) -> None:
    a, b = two
    dead = False

    def die(script: Script) -> str | None:
        nonlocal dead
        dead = dead or (script.server.name == "EX2" and bool(a.writes))
        return "before" if dead else None

    a.transport.accident = die
    a.apply(a.plan("block-all"))
    assert a.finish().exit == 6
    a.transport.accident = lambda script: None
    b.apply(b.plan("block-all", server=["EX4"]))
    assert b.finish().exit == 75, "its journal is not here: nobody knows whether it still goes on"
    a.ran = None
    a.apply(a.plan("block-all", server=["EX3"]))
    assert a.finish().exit == 0


def test_a_long_wait_keeps_the_lease(two: tuple[Laptop, Laptop], lab: InnerLab) -> None:
    a, b = two
    a.apply(a.plan("wait-long"))
    begun = lab.clock.now()
    while lab.clock.now() - begun < timedelta(minutes=100):
        a.step()
    b.apply(b.plan("block-all", server=["EX4"]))
    assert (b.finish().exit, b.writes) == (75, [])
    assert a.finish().exit == 0
    takes = [one for one in a.transport.sent if one.parts and one.parts[0].template == "lease/take"]
    assert len(takes) == 4, "renewed, never taken anew"


def test_a_call_is_not_made_when_another_has_the_lease(two: tuple[Laptop, Laptop], lab: InnerLab) -> None:
    a, b = two
    lab.do(lambda world: world.fault("az_loss", "1a"))
    lab.later(120)
    a.apply(a.plan("fence", lost_server=["EX1"]))
    while not any(one.parts and one.parts[0].template == "lease/take" for one in a.transport.sent):
        a.step()
    pass_time(lab, 2000)
    b.apply(b.plan("block-all", lost_server=["EX1", "EX2"]))
    b.until_wrote(1)
    late = a.finish()
    assert late.exit == 75, late.error
    assert not [one for one in a.transport.sent if one.mutates], "nothing was stopped"


# -- any order ---------------------------------------------------------------------------------------------------------

MANY = 120 if os.environ.get("STAROVER_STORIES") else 3


def interleaved(a: Laptop, b: Laptop, chance: random.Random) -> list[tuple[str, str]]:
    """Let both go on in an order of chance; who wrote, in order."""
    order: list[tuple[str, str]] = []
    seen = {a.name: 0, b.name: 0}
    while not (a.over and b.over):
        one = chance.choice([laptop for laptop in (a, b) if not laptop.over])
        one.step()
        order += [(one.name, script.server.name) for script in one.writes[seen[one.name] :]]
        seen[one.name] = len(one.writes)
    return order


@pytest.mark.parametrize("seed", range(MANY))
@pytest.mark.parametrize("what", ["two plans", "one plan", "two sides"])
def test_in_no_order_do_both_write(two: tuple[Laptop, Laptop], seed: int, what: str) -> None:
    a, b = two
    chance = random.Random(f"{what} {seed}")
    two_sides = what == "two sides"
    mine = a.plan("block-all", **{"lost_server": ["EX1", "EX2"]} if two_sides else {})
    yours = mine
    if what != "one plan":
        yours = b.plan("block-all", **{"lost_server": ["EX3", "EX4"]} if two_sides else {"server": ["EX4", "EX1"]})
    for one, plan in ((a, mine), (b, yours)):
        one.apply(plan)
    order = interleaved(a, b, chance)
    ended = {one.name: one.finish() for one in (a, b)}
    who = [name for name, _ in order]
    assert who == sorted(who) or who == sorted(who, reverse=True), f"one after the other, never in between: {order}"
    for one in (a, b):
        assert ended[one.name].exit in (0, 4, 75), ended[one.name].error
        if ended[one.name].exit == 75:
            assert one.writes == []
    hosts = [host for _, host in order]
    assert len(hosts) == len(set(hosts)), "nothing twice"

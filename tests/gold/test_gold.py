"""What a gold runbook is held to, each trial with each runbook: a few every day, all of them in `make test-all`."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
from crash_points import Points, Stage, crowded, killed
from fault_points import KINDS, LEGS, Striker, Tale, go_on, leg
from gold import ALL, LOOKS, case_of, chosen
from hostile import escaped, places, strings, tried
from inner_lab import InnerLab
from three_ways import Case

from starover.content import find
from starover.drivers.local import Ran
from starover.envelope import decode
from starover.errors import BadParameter, ErrorRecord, Mistake, Refused, RemoteFailure
from starover.transport import Answer, Script

_F = TypeVar("_F", bound=Callable[..., None])
SEED = 20261120
POINTS = 12 if ALL else 2
"""Journal writes, or scripts, at which each run is struck."""
STRINGS = strings(2000, SEED)
"""Two for each parameter: `tests/reliability/test_hostile_strings.py` has all of them in all."""


def held(test: _F) -> _F:
    """With each runbook of its trial that is chosen now."""
    made: _F = pytest.mark.parametrize("book", chosen(test.__name__.removeprefix("test_")))(test)
    return made


def steps(ran: Ran) -> set[str]:
    return {step.kind for step in ran.steps if step.state == "changed"}


def writes(lab: InnerLab) -> list[str]:
    return [script.operation for script in lab.transport.sent if script.mutates]


def broken(lab: InnerLab, earlier: int) -> set[str]:
    return {one.id for one in lab.world.invariants.violations[earlier:]}


@held
def test_run_twice(book: str, tmp_path: Path) -> None:
    """The second time there is nothing to do, and nothing is sent but reads."""
    case = case_of(book)
    with case.lab(tmp_path) as lab:
        first = lab.run(book, case.parameters)
        assert first.exit == 0, first.error
        assert steps(first) == set(case.brings)
        sent = writes(lab)
        again = lab.plan(book, case.parameters)
        assert [step for step in again.plan.steps if step.change is not None] == []
        assert lab.apply(again.plan).state in ("nothing", "done")
        assert writes(lab) == sent


class _CaseStage(Stage):
    """A case up to its plan: what `Stage` is for a scenario."""

    def __init__(self, case: Case, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        with killed(lambda _bodies: None):
            self.lab = case.lab(folder)
            self.lab.do(crowded)
            self.plan = self.lab.plan(case.book, case.parameters).plan
        self._audited, self._events = self.lab.do(lambda world: (len(world.state.audit), len(world.state.log.events)))
        self.kills = 0


@held
def test_killed_at_a_journal_write(book: str, tmp_path: Path) -> None:
    """Another machine that has the journals comes to the same end, and nothing is done twice."""
    case = case_of(book)
    points = Points()
    with _CaseStage(case, tmp_path / "lived" / "home") as stage:
        lived = stage.play(points.note)
    assert lived.ended, lived.error
    chance = random.Random(f"{SEED} {book}")
    wanted = set(chance.sample(points.all, min(POINTS, len(points.all))))
    strike = points.strike(4, lambda key, when: (key, when) in wanted)
    with _CaseStage(case, tmp_path / "killed" / "home") as stage:
        story = stage.play(strike, move=True)
    assert story.legs > 1
    assert [fault for fault in story.faults(lived) if not fault.startswith("invariants")] == []
    assert set(story.broken) <= set(lived.broken)


def opened(case: Case, folder: Path) -> InnerLab:
    """The case's lab, in a folder that is made for it."""
    folder.mkdir(parents=True)
    return case.lab(folder)


@held
def test_struck_on_the_wire(book: str, tmp_path: Path) -> None:
    """Whatever is lost, it ends right, or stops with a word about it; when all is well again it comes to its end."""
    case = case_of(book)
    with opened(case, tmp_path / "lived") as lab:
        counter = Striker(lab)
        lab.transport.accident = counter
        assert lab.run(book, case.parameters).exit == 0
        scripts = counter.seen
    chance = random.Random(f"{SEED} {book}")
    for number in chance.sample(range(1, scripts + 1), min(POINTS if ALL else 1, scripts)):
        kind = chance.choice(KINDS)
        with opened(case, tmp_path / f"{kind}{number}") as lab:
            before, earlier = lab.transport.ran.copy(), len(lab.world.invariants.violations)
            tale = Tale()
            lab.transport.accident = Striker(lab, (number, kind))
            leg(lab, tale, partial(lab.run, book, case.parameters))
            lab.transport.accident = lambda _script: None
            # What was refused has not begun, or saw too little: a person plans it anew.
            begin = partial(lab.run, book, case.parameters)
            go_on(lab, tale, begin, seconds=120, legs=LEGS + 1, resumes=lambda code: code != 4)
            done = lab.transport.ran - before
            where = f"{kind} at script {number}: {tale.words}"
            assert tale.faults == [], where
            assert tale.exits[-1] == 0, where
            assert set(done.values()) <= {1}, where
            left_over = [] if case.anew else [one for one in lab.plan(book, case.parameters).plan.steps if one.change]
            assert left_over == [], where
            assert broken(lab, earlier) <= set(case.breaks), where


@held
def test_hostile_values(book: str, tmp_path: Path) -> None:
    """Refused as a parameter, or harmless: within a literal only, in whatever is sent."""
    books = {book: find().runbooks[book]}
    with InnerLab("pa-4x2", tmp_path) as lab:
        for place in places(books):
            for text in random.Random(f"{SEED} {place.name}").sample(STRINGS, 2):
                said = tried(lab, place, text)
                where = f"{place.name} {text[:60]!a}"
                assert said.error is None or isinstance(said.error, BadParameter | Mistake | Refused | RemoteFailure), (
                    where
                )
                assert escaped(text, said) == [], where
                assert not said.wrote, where


@held
def test_by_run_command_too(book: str, tmp_path: Path) -> None:
    """The same steps over the road of Run Command, the scripts being what an agent gets."""
    case = case_of(book)
    with replace(case, roads=("ssm",)).lab(tmp_path) as lab:
        before, earlier = lab.transport.ran.copy(), len(lab.world.invariants.violations)
        ran = lab.run(book, case.parameters)
        assert ran.exit == 0, ran.error
        # Updates install in another way where no session may be lost: the step says `here`.
        assert {kind.removesuffix("_here") for kind in steps(ran)} == {one.removesuffix("_here") for one in case.brings}
        assert set((lab.transport.ran - before).values()) <= {1}
        assert broken(lab, earlier) <= set(case.breaks)
        if book not in LOOKS:
            return
        assert writes(lab) == []


_PROGRAM = re.compile(r"^\s*& (?!icacls\.exe 'C:\\ProgramData\\Starover')\S+\.exe\b", re.MULTILINE)
"""But the envelope's own, which protects the folder of receipts."""


class _WhatIf:
    """Before a write whose cmdlets have -WhatIf is sent, its twin that has it is: nothing may come of it but words.

    A write that starts a program (icacls.exe) is not asked: a program has no -WhatIf, and would do it.
    """

    def __init__(self, lab: InnerLab) -> None:
        self._lab, self._inner = lab, lab.carrier
        self.tried, self.faults = 0, list[str]()

    def run(self, batch: Sequence[Script], /) -> Iterator[Answer]:
        asking = [one for one in batch if one.mutates and one.way == "script" and "-Confirm:$false" in one.text]
        asking = [one for one in asking if not _PROGRAM.search(one.text)]
        if asking:  # the clock waits for what was announced: it is told that nothing comes, and then that all does
            self._lab.do(lambda world: world.scheduler.withdraw(len(batch)))
            for script in asking:
                self._try(script)
            self._lab.clock.expect(len(batch))
        yield from self._inner.run(batch)

    def _try(self, script: Script) -> None:
        twin = re.sub(r"[0-9a-f](?=')", lambda digit: "f" if digit[0] != "f" else "0", script.operation + "'")[:-1]
        text = script.text.replace(script.operation, twin).replace("-Confirm:$false", "-WhatIf")
        before = self._changes()
        self._lab.clock.expect(1)
        (answer,) = self._inner.run([replace(script, id=f"whatif {script.id}", text=text, operation=twin)])
        self.tried += 1
        if answer.error is not None or answer.failed:
            self.faults.append(f"{script.operation}: {answer.error or [one.message for one in answer.errors]}")
        else:
            said = decode(answer.output, script.nonce).results.values()
            self.faults += [f"{script.operation}: {one.message}" for one in said if isinstance(one, ErrorRecord)]
        if self._changes() != before:
            self.faults.append(f"{script.operation}: -WhatIf changed something")

    def _changes(self) -> int:
        return self._lab.do(lambda world: len(world.state.audit))

    def secrets(self) -> Sequence[str]:
        return self._inner.secrets()

    def close(self) -> None:
        self._inner.close()


@held
def test_whatif_agrees_with_the_plan(book: str, tmp_path: Path) -> None:
    """What the plan wants done Exchange would do: -WhatIf refuses none of it, and does none of it."""
    case = case_of(book)
    with case.lab(tmp_path) as lab:
        asking = _WhatIf(lab)
        lab.carrier = asking
        ran = lab.run(book, case.parameters)
        assert ran.exit == 0, ran.error
        assert steps(ran) == set(case.brings)
        assert asking.faults == []
        assert asking.tried, "none of its writes has -WhatIf: it is not for this trial"

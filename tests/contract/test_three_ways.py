"""Every step of every runbook, three ways: to do; done already; applied but the answer lost, and nothing done twice."""

from __future__ import annotations

import inspect
import os
from pathlib import Path

import pytest
from content_scripts import content, kinds
from disaster_cases import DISASTER
from inner_lab import InnerLab
from three_ways import CASES as ORDINARY
from three_ways import Case

from starover.drivers.local import Planned, Ran
from starover.runbook import AnyRunbook
from starover.transport import Script

CASES = (*ORDINARY, *DISASTER)
PLAIN = CASES if "STAROVER_STORIES" in os.environ else CASES[::6]
"""Played without a lost answer, too; `make test-all` plays all of them so."""
ONLY_LOOKS: set[str] = set()
"""Runbooks that return nothing and change nothing either."""


@pytest.fixture(params=CASES, ids=lambda case: case.label)
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


def plan(lab: InnerLab, case: Case) -> tuple[Planned, str]:
    """The plan in question: of the runbook, or of the undo of a run of it, whose id comes second."""
    if not case.undone:
        return lab.plan(case.book, case.parameters), ""
    first = lab.run(case.book, case.parameters)
    assert (first.exit == 0) is not case.fails, f"{case.book}, to be undone: {first.error}"
    return lab.local().undo(first.run), first.run


def changed(ran: Ran) -> list[tuple[str, str]]:
    """Kind and note of every step that changed something."""
    return [(step.kind, step.note) for step in ran.steps if step.state == "changed"]


def broken(lab: InnerLab, earlier: int) -> set[str]:
    """Invariants broken after so many others, which the preparation broke."""
    return {one.id for one in lab.world.invariants.violations[earlier:]}


def writes(lab: InnerLab) -> int:
    return sum(script.mutates for script in lab.transport.sent)


@pytest.mark.parametrize("case", PLAIN, ids=lambda case: case.label)
def test_it_is_done_once_and_then_it_is_done_already(case: Case, tmp_path: Path) -> None:
    with case.lab(tmp_path) as lab:
        made, first = plan(lab, case)
        before, earlier = lab.transport.ran.copy(), len(lab.world.invariants.violations)
        ran = lab.apply(made.plan)
        assert ran.exit == 0, ran.error
        assert {kind for kind, _ in changed(ran)} == set(case.brings)
        assert set((lab.transport.ran - before).values()) <= {1}
        assert broken(lab, earlier) <= set(case.breaks)
        done_already(lab, case, first)
        assert broken(lab, earlier) <= set(case.breaks)


def done_already(lab: InnerLab, case: Case, first: str) -> None:
    """The same once more has nothing to do, and sends nothing but reads."""
    if case.anew:
        return
    sent = writes(lab)
    again = lab.local().undo(first) if case.undone else lab.plan(case.book, case.parameters)
    assert [step.change for step in again.plan.steps if step.change is not None] == []
    assert lab.apply(again.plan).state in ("nothing", "done")
    assert writes(lab) == sent


def test_the_answer_is_lost_and_nothing_is_done_twice(case: Case, tmp_path: Path) -> None:
    struck: set[str] = set()

    def lose(script: Script) -> str | None:
        if not script.mutates or script.operation in struck:
            return None
        struck.add(script.operation)
        return "after"

    with case.lab(tmp_path) as lab:
        made, first = plan(lab, case)
        before, earlier = lab.transport.ran.copy(), len(lab.world.invariants.violations)
        lab.transport.accident = lose
        ran = lab.apply(made.plan)
        assert ran.exit == 0, ran.error
        assert {kind for kind, _ in changed(ran)} == set(case.brings)
        found = ("receipt found", "found by reading")  # a call leaves no receipt
        assert [note for _, note in changed(ran) if not any(words in note for words in found)] == []
        done = lab.transport.ran - before
        assert (set(done), set(done.values())) == (struck, {1})
        lab.transport.accident = lambda _script: None
        done_already(lab, case, first)
        assert broken(lab, earlier) <= set(case.breaks)


def test_every_step_kind_has_a_case() -> None:
    """A kind without one is not known to be done once: see docs/writing-a-runbook.md, "Three ways"."""
    there = {kind.name for kind in kinds()}
    brought = {kind for case in CASES for kind in case.brings}
    assert sorted(there - brought) == [], "step kinds without a case in tests/three_ways.py"
    assert sorted(brought - there) == [], "no such step kinds"


def test_every_runbook_that_changes_something_has_a_case() -> None:
    changing = {name for name, book in content().runbooks.items() if returns_nothing(book)}
    assert sorted(changing - {case.book for case in CASES} - ONLY_LOOKS) == []


def returns_nothing(book: AnyRunbook) -> bool:
    """What looks returns what it found."""
    return str(inspect.signature(book.function).return_annotation) == "Steps"

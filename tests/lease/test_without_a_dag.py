"""What is about no DAG has no lease: of two runs in one folder the second is refused, and stands in the journal."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from core_hand import ESTATE, Lamps, approval_of
from core_site import BOOKS

from starover.drivers.local import Local, Ran, Why
from starover.errors import Locked
from starover.events import RunEnded, Sink, StepBegan, Told
from starover.journal import Begun, Recorded, read_journal, run_ids
from starover.testing import FakeContent, ManualClock

LOOSE = msgspec.structs.replace(ESTATE, dags=())


def local(folder: Path, lamps: Lamps, who: str, *sinks: Sink, estate: object = LOOSE) -> Local:
    assert isinstance(estate, type(LOOSE))
    return Local(
        estate=estate,
        content=FakeContent(BOOKS),
        transport=lamps.hosts(),
        clock=ManualClock(),
        folder=folder,
        why=Why(who=who),
        sinks=sinks,
    )


class _Held:
    """Waits in the middle of a step until it may go on."""

    def __init__(self) -> None:
        self.began, self.go = threading.Event(), threading.Event()

    def tell(self, told: Told) -> None:
        if isinstance(told.event, StepBegan):
            self.began.set()
            assert self.go.wait(60)


def meanwhile(folder: Path, lamps: Lamps, act: Callable[[], None]) -> Ran:
    """Do something while a run about no DAG is under way."""
    held, ran = _Held(), list[Ran]()
    first = local(folder, lamps, "oncall-a", held)
    made = first.plan("lamps-on", {"servers": ["EX1"], "names": ["a"]}).plan
    thread = threading.Thread(target=lambda: ran.append(first.apply(made, approve=approval_of)))
    thread.start()
    try:
        assert held.began.wait(60)
        act()
    finally:
        held.go.set()
        thread.join()
    return ran[0]


def test_a_second_run_about_no_dag_is_refused_and_kept(tmp_path: Path) -> None:
    lamps = Lamps()
    second = local(tmp_path, lamps, "oncall-b")
    made = second.plan("lamps-on", {"servers": ["EX2"], "names": ["b"]}).plan
    refusals: list[str] = []

    def apply() -> None:
        before = run_ids(tmp_path)
        with pytest.raises(Locked, match="and no DAG, is under way here: "):
            second.apply(made, approve=approval_of)
        refusals.extend(one for one in run_ids(tmp_path) if one not in before)

    assert meanwhile(tmp_path, lamps, apply).state == "done"
    assert lamps.done == ["on EX1/a"]
    (run,) = refusals
    begun, *_, last = [one.body for one in read_journal(tmp_path, run)]
    assert isinstance(begun, Begun)
    assert (begun.asked, begun.who) == ("apply", "oncall-b")
    assert isinstance(last, Recorded)
    assert isinstance(last.event, RunEnded)
    assert last.event.exit == 75
    assert second.apply(made, approve=approval_of).state == "done", "it is free again"


def test_others_are_not_kept_waiting(tmp_path: Path) -> None:
    lamps = Lamps()
    elsewhere = msgspec.structs.replace(LOOSE, name="another")

    def act() -> None:
        for estate in (ESTATE, elsewhere):  # with a DAG's lease, and of another estate
            free = local(tmp_path, lamps, "oncall-b", estate=estate)
            made = free.plan("lamps-on", {"servers": ["EX2"], "names": [estate.name[0]]}).plan
            assert free.apply(made, approve=approval_of).state == "done"

    assert meanwhile(tmp_path, lamps, act).state == "done"

"""Journals that several workers write for one workflow: each line once, and what a cut-off task wrote is put aside."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from core_hand import ESTATE, KEY, Lamps
from temporal_server import missing

from starover.audit import verify
from starover.errors import Locked
from starover.events import WaitBegan
from starover.journal import Begun, Journal, Recorded, Resumed, kept, read_journal
from starover.journal_carrier import carried_by
from starover.testing import ManualClock

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "all is there")
if not missing():
    from temporalio.exceptions import ApplicationError

    from starover.drivers.temporal import Site
    from starover.drivers.temporal.failures import error_of
    from starover.drivers.temporal.keeping import Keeper
    from starover.drivers.temporal.payloads import Beginning, Turn

FLOW = "Temporal: starover/unit/dag1 (one)"
BEGUN = Begun(
    run="",
    key=KEY,
    runbook="lamps-on",
    summary="Light lamps.",
    parameters={},
    content="0" * 64,
    version="0",
    estate="unit",
    lab=True,
    who="tester",
)


def line(number: int, what: str = "a fact") -> Recorded:
    return Recorded(number=number, digest="d" * 64, event=WaitBegan(host="EX1", what=what, limit=1))


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Callable[[], Any]]:
    """Makes workers of one folder, which let go of what another one wants at once."""
    made: list[Any] = []

    def make() -> Any:
        for one in made:
            one.close()
        site = Site(estate=ESTATE, transport=Lamps().hosts(), clock=ManualClock(), folder=tmp_path)
        made.append(Keeper(site))
        return made[-1]

    yield make
    for one in made:
        one.close()


def begun(keeper: Any, epoch: int = 3) -> str:
    run: str = keeper.begin(Beginning(workflow=FLOW, stem="88f0c1d2", begun=BEGUN, epoch=epoch)).run
    return run


def write(keeper: Any, run: str, first: int, *lines: Recorded, epoch: int = 10, ends: bool = False) -> None:
    keeper.write(Turn(workflow=FLOW, run=run, first=first, lines=lines, epoch=epoch, ends=ends))


def said(folder: Path, run: str) -> list[str]:
    """What counts."""
    return [
        one.body.event.what
        for one in kept(read_journal(folder, run))
        if isinstance(one.body, Recorded) and isinstance(one.body.event, WaitBegan)
    ]


def test_what_is_asked_for_again_is_done_once(worker: Callable[[], Any], tmp_path: Path) -> None:
    first = worker()
    run = begun(first)
    write(first, run, 1, line(1, "one"), line(2, "two"))
    second = worker()
    assert begun(second) == run
    write(second, run, 1, line(1, "one"), line(2, "two"), line(3, "three"))
    write(second, run, 1, line(1, "one"))  # a turn of which more was written already: the rest stays
    assert said(tmp_path, run) == ["one", "two", "three"]
    assert not any(isinstance(one.body, Resumed) for one in read_journal(tmp_path, run))
    assert verify(tmp_path) == []


def test_what_a_task_wrote_that_was_cut_off_is_put_aside_and_not_rewritten(
    worker: Callable[[], Any], tmp_path: Path
) -> None:
    first = worker()
    run = begun(first)
    write(first, run, 1, line(1, "one"), line(2, "two"), epoch=10)
    second = worker()
    write(second, run, 1, line(1, "one"), line(2, "otherwise"), epoch=14)
    write(second, run, 3, line(3, "three"), epoch=14)
    assert said(tmp_path, run) == ["one", "otherwise", "three"]
    assert sum(isinstance(one.body, Resumed) for one in read_journal(tmp_path, run)) == 1
    third = worker()  # it reads the journal anew, with what was put aside
    write(third, run, 4, line(4, "four"), epoch=20)
    assert said(tmp_path, run) == ["one", "otherwise", "three", "four"]
    assert verify(tmp_path) == []


def test_a_worker_that_was_slow_and_not_dead_overwrites_nothing(worker: Callable[[], Any], tmp_path: Path) -> None:
    slow = worker()
    run = begun(slow)
    write(slow, run, 1, line(1, "one"), epoch=10)
    quick = worker()
    write(quick, run, 2, line(2, "two"), epoch=14)
    again = worker()
    with pytest.raises(ApplicationError, match="another worker has gone on"):
        write(again, run, 2, line(2, "slow"), epoch=10)
    assert said(tmp_path, run) == ["one", "two"]


def test_nobody_else_goes_on_with_a_run_that_is_carried(worker: Callable[[], Any], tmp_path: Path) -> None:
    keeper = worker()
    run = begun(keeper)
    write(keeper, run, 1, line(1))
    keeper.close()
    with pytest.raises(Locked, match="is carried by Temporal"):
        Journal.open(tmp_path, run)
    last = worker()
    write(last, run, 2, line(2), ends=True)
    write(last, run, 2, line(2), ends=True)  # its task was cut off after the last write
    assert carried_by(tmp_path, run) == ("", 0)
    last.close()
    Journal.open(tmp_path, run).close()
    assert said(tmp_path, run) == ["a fact", "a fact"]
    assert verify(tmp_path) == []


def test_a_run_that_somebody_has_gone_on_with_alone_is_not_written_any_more(
    worker: Callable[[], Any], tmp_path: Path
) -> None:
    keeper = worker()
    run = begun(keeper)
    write(keeper, run, 1, line(1))
    (tmp_path / "index" / f"{run}.carried").unlink()
    with pytest.raises(ApplicationError) as refused:
        write(keeper, run, 2, line(2))
    locked = error_of(refused.value)
    assert isinstance(locked, Locked)
    assert (locked.certain, locked.next[0].split("   ")[0]) == (
        ("nothing more was sent by this workflow",),
        f"starover runs show {run}",
    )
    assert said(tmp_path, run) == ["a fact"]


def test_while_one_journal_is_waited_for_others_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("starover.drivers.temporal.keeping.PATIENCE", 60.0)
    monkeypatch.setattr("starover.drivers.temporal.keeping.IDLE", 600.0)
    site = Site(estate=ESTATE, transport=Lamps().hosts(), clock=ManualClock(), folder=tmp_path)
    other, keeper = Keeper(site), Keeper(site)
    held = begun(other)
    waits = threading.Event()
    opened = Journal.open

    def heard(*given: Any) -> Any:
        try:
            return opened(*given)
        except Locked:
            waits.set()
            raise

    monkeypatch.setattr(Journal, "open", heard)
    patient = threading.Thread(target=write, args=(keeper, held, 1, line(1, "late")))
    patient.start()
    try:
        assert waits.wait(20)
        mine = keeper.begin(Beginning(workflow=FLOW, stem="99f0c1d2", begun=BEGUN, epoch=3)).run
        writes = threading.Thread(target=write, args=(keeper, mine, 1, line(1, "meanwhile")), daemon=True)
        writes.start()
        writes.join(20)
        assert said(tmp_path, mine) == ["meanwhile"]
    finally:
        other.close()
        patient.join()
        keeper.close()
    assert said(tmp_path, held) == ["late"]


class Gone:
    """A screen that is gone."""

    def __init__(self) -> None:
        self.told = 0

    def tell(self, _: object, /) -> None:
        self.told += 1
        raise BrokenPipeError("nobody reads")


def test_a_screen_that_is_gone_holds_up_no_run(tmp_path: Path) -> None:
    gone = Gone()
    site = Site(estate=ESTATE, transport=Lamps().hosts(), clock=ManualClock(), folder=tmp_path, sinks=(gone,))
    keeper = Keeper(site)
    run = begun(keeper)
    write(keeper, run, 1, line(1, "one"))
    write(keeper, run, 2, line(2, "two"))
    keeper.close()
    assert (said(tmp_path, run), gone.told) == (["one", "two"], 1)

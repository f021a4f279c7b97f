"""lagged-copy-activate on the lab without wires: kept, suspended, activated; what it does not do is said."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from dag_facts import status
from inner_lab import InnerLab

from starover.changes import Blocked, Change
from starover.errors import BadParameter, NotSafe
from starover.step import Risk
from starover.steps.copies import DatabaseCopies
from starover.steps.lagged import lagged_activated, replay_seconds

QUICK = 'name: quick\nextends: pa-4x2\ntuning: {snapshot_mb_per_s: "2000"}\n'
LAGGED = "Enabled:True; Configured:7.00:00:00; MaxDelay:1.00:00:00; Actual:7.00:00:00"
WANTED = {"database": "DB01", "target": "EX4", "dial": "Lossless", "comment": "", "skip": ("lag",)}


def test_a_lagged_copy_serves_with_all_its_logs_and_is_kept_before(tmp_path: Path) -> None:
    (tmp_path / "quick.yaml").write_text(QUICK, "utf-8")
    with InnerLab(tmp_path / "quick.yaml", tmp_path) as lab:
        lab.later(3600)
        planned = lab.plan("lagged-copy-activate", copy=["DB01/EX4"], variant="all-logs").plan
        assert planned.risk is Risk.DATA
        ran = lab.apply(planned)
        assert ran.exit == 0, ran.error
        assert [one.kind for one in ran.steps if one.state == "changed"] == [
            "snapshots_begun",
            "suspended",
            "lagged_activated",
        ]
        database = lab.world.state.databases["DB01"]
        assert (database.active, database.state) == ("EX4", "Mounted")
        lost = [event for event in lab.world.events if event.kind == "data_loss"]
        assert (lost, lab.world.violations()) == ([], [])
        assert lab.plan("lagged-copy-activate", copy=["DB01/EX4"], variant="all-logs").plan.nothing


def test_what_is_not_done_is_said_and_how_a_person_does_it(tmp_path: Path) -> None:
    with InnerLab("pa-4x2", tmp_path) as lab:
        with pytest.raises(NotSafe, match="is no lagged copy") as refusal:
            lab.plan("lagged-copy-activate", copy=["DB01/EX3"], variant="all-logs")
        assert refusal.value.next == ("starover plan db-switchover --db DB01 --to EX3",)
        with pytest.raises(BadParameter, match="--logs-until goes with"):
            lab.plan("lagged-copy-activate", copy=["DB01/EX4"], variant="point-in-time")
        with pytest.raises(NotSafe, match="edits log files with eseutil") as refusal:
            lab.plan(
                "lagged-copy-activate",
                copy=["DB01/EX4"],
                variant="point-in-time",
                logs_until="2026-11-20T12:00:00Z",
            )
        assert any("create-snapshots" in line for line in refusal.value.next)
        lab.do(lambda world: setattr(world.state.organization, "safety_net_hold_s", 2 * 86_400.0))
        with pytest.raises(NotSafe, match=r"eseutil|cannot fill a lag"):
            lab.plan("lagged-copy-activate", copy=["DB01/EX4"], variant="safety-net")


def test_only_a_lagged_copy_that_can_play_is_activated() -> None:
    active = status("EX1", "Mounted")
    one = status("EX4", replay_lag=LAGGED, replay_queue=36_000)
    change = lagged_activated(DatabaseCopies(copies=(active, one)), **WANTED)  # type: ignore[arg-type]
    assert isinstance(change, Change)
    assert "7" in change.note
    plain = lagged_activated(DatabaseCopies(copies=(active, status("EX4"))), **WANTED)  # type: ignore[arg-type]
    assert isinstance(plain, Blocked)
    assert plain.guard == "G-LAG"
    broken = msgspec.structs.replace(one, status="FailedAndSuspended")
    assert isinstance(lagged_activated(DatabaseCopies(copies=(active, broken)), **WANTED), Blocked)  # type: ignore[arg-type]
    assert replay_seconds(one) == 36_000 / 2 + 3600
    assert replay_seconds(msgspec.structs.replace(one, replay_queue=None)) == 86_400

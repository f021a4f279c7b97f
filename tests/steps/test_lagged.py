"""lagged-copy-activate on the lab without wires: kept, suspended, activated; and what it refuses."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec
import pytest
from dag_facts import status
from disaster_cases import SHORT_LAG
from inner_lab import InnerLab

from starover.changes import Blocked, Change
from starover.errors import BadParameter, NotSafe
from starover.names import CopyId
from starover.runbook import Findings
from starover.step import Risk
from starover.steps.copies import DatabaseCopies
from starover.steps.lagged import lagged_activated, replay_seconds
from starover.steps.lagged_logs import LogFiles, logs_put_back, logs_set_aside
from starover.steps.lagged_recovery import RecoveryDatabase, database_recovered, recovery_mounted
from starover.values import Plain

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


def test_it_serves_without_its_later_logs_which_lie_aside(tmp_path: Path) -> None:
    """Another database is active beside it, and goes elsewhere before replication stops there."""
    (tmp_path / "lab.yaml").write_text(
        SHORT_LAG + "  - {name: DB02, size_gb: 1, copies: [{server: EX1}, {server: EX2}]}\n", "utf-8"
    )
    with InnerLab(tmp_path / "lab.yaml", tmp_path) as lab:
        ran = lab.run("lagged-copy-activate", copy=["DB01/EX4"], variant="safety-net")
        assert ran.exit == 0, ran.error
        assert [one.kind for one in ran.steps if one.state == "changed"] == [
            "snapshots_begun",
            "suspended",
            "logs_set_aside",
            "moved",
            "owner_moved_off",
            "lagged_cut_over",
        ]
        world = lab.world
        database, other = world.state.databases["DB01"], world.state.databases["DB02"]
        assert (database.active, database.state, other.active, other.state) == ("EX4", "Mounted", "EX2", "Mounted")
        (loss,) = [event for event in world.events if event.kind == "data_loss"]
        lost = loss.data["lost"]
        assert isinstance(lost, int)
        assert lost > 50
        (aside,) = [one for one in world.server("EX4").files.children("E:\\Databases\\DB01") if one.folder]
        logs = world.server("EX4").files.children(aside.path)
        assert lost - 5 <= len(logs) <= lost  # the active copy wrote on until its replication stood
        assert lab.world.violations() == []
        assert isinstance(ran.value, Findings)
        says = [one.says for one in ran.value.findings]
        assert any("Safety Net on EX4: request 1" in text for text in says)
        assert sum("copy-divergence-repair" in text for text in says) == 3
        assert lab.plan("lagged-copy-activate", copy=["DB01/EX4"], variant="safety-net").plan.nothing


def test_replication_runs_again_when_the_move_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lab.yaml").write_text(SHORT_LAG, "utf-8")
    with InnerLab(tmp_path / "lab.yaml", tmp_path) as lab:
        made = lab.plan("lagged-copy-activate", copy=["DB01/EX4"], variant="safety-net").plan
        lab.do(lambda world: world.state.rbac_missing.add("move-activemailboxdatabase -skiplagchecks"))
        ran = lab.apply(made)
        assert ran.exit != 0
        lab.later(120)
        database = lab.world.state.databases["DB01"]
        assert database.state == "Mounted"
        assert database.active != "EX4"  # it came back where it was, or where it found a good copy meanwhile
        assert lab.world.server("EX1").services["MSExchangeRepl"].status == "Running"
        assert [event for event in lab.world.events if event.kind == "data_loss"] == []


def test_it_is_recovered_to_a_moment_beside_production_and_seeded_afterwards(tmp_path: Path) -> None:
    (tmp_path / "lab.yaml").write_text(SHORT_LAG, "utf-8")
    wanted: dict[str, Plain] = {"copy": ["DB01/EX4"], "variant": "point-in-time", "logs_until": "2026-11-20T13:00:00Z"}
    with InnerLab(tmp_path / "lab.yaml", tmp_path) as lab:
        made = lab.plan("lagged-copy-activate", wanted).plan
        assert made.risk is Risk.DATA
        ran = lab.apply(made)
        assert ran.exit == 0, ran.error
        world = lab.world
        (name,) = [one.name for one in world.state.databases if one.recovery]
        recovery, database = world.state.databases[name], world.state.databases["DB01"]
        assert (recovery.state, database.active, database.state) == ("Mounted", "EX1", "Mounted")
        files, until = world.server("EX4").files, datetime.fromisoformat("2026-11-20T13:00:00+00:00")
        (aside,) = [one for one in files.children("E:\\Databases\\DB01") if one.folder]
        late = [one for one in files.children(aside.path) if one.name.endswith(".log")]
        assert late
        assert all(one.modified > until for one in late)
        (played,) = [one for one in world.events if one.kind == "database_recovered"]
        assert min(int(one.name[3:11], 16) for one in late) == played.data["newest"] + 1  # type: ignore[operator]
        assert lab.plan("lagged-copy-activate", wanted).plan.nothing
        assert lab.run("copy-seed", copy=["DB01/EX4"]).exit == 0
        copy = world.state.databases["DB01"].copies["EX4"]
        assert (copy.status, copy.activation_suspended, copy.replay_lag_s) == ("Healthy", True, 7200)
        assert world.violations() == []
        for moment, why in (("2026-11-20T18:00:00Z", "not in the past"), ("2026-11-20T10:00:00Z", "has played what")):
            with pytest.raises(NotSafe, match=why):
                lab.plan("lagged-copy-activate", {**wanted, "logs_until": moment})


def test_a_recovery_stops_before_what_would_be_wrong() -> None:
    dirty = LogFiles(
        state="Dirty Shutdown", code=0, high=20, replayed="2026-11-20T12:59:00Z", later=3, aside=0, folder="E:\\x"
    )
    wanted = {"identity": CopyId("DB01", "EX4"), "database": "DB01", "folder": "x"}
    at_one, at_noon = "2026-11-20T13:00:00Z", "2026-11-20T12:00:00Z"
    assert isinstance(logs_set_aside(dirty, **wanted, until=at_one), Change)  # type: ignore[arg-type]
    passed = logs_set_aside(dirty, **wanted, until=at_noon)  # type: ignore[arg-type]
    assert isinstance(passed, Blocked)
    assert "has played what was written until 2026-11-20T12:59:00Z" in passed.why
    assert isinstance(database_recovered(dirty, **wanted, until=at_one), Blocked)  # type: ignore[arg-type]
    clean = msgspec.structs.replace(dirty, state="Clean Shutdown", later=0)
    assert isinstance(logs_set_aside(clean, **wanted, until=None), Blocked)  # type: ignore[arg-type]
    gone_on = msgspec.structs.replace(clean, aside=3)
    assert isinstance(logs_put_back(gone_on, **wanted, until=None), Blocked)  # type: ignore[arg-type]
    there = RecoveryDatabase(found=True, recovery=False, mounted=True, path="D:\\a.edb", file="D:\\b.edb", there=True)
    for one in (there, msgspec.structs.replace(there, recovery=True)):
        assert isinstance(recovery_mounted(one, database="DB01", server="EX4", name="R", folder="x"), Blocked)


def test_what_cannot_be_had_is_refused(tmp_path: Path) -> None:
    with InnerLab("pa-4x2", tmp_path) as lab:
        with pytest.raises(NotSafe, match="is no lagged copy") as refusal:
            lab.plan("lagged-copy-activate", copy=["DB01/EX3"], variant="all-logs")
        assert refusal.value.next == ("starover plan db-switchover --db DB01 --to EX3",)
        with pytest.raises(BadParameter, match="--logs-until goes with"):
            lab.plan("lagged-copy-activate", copy=["DB01/EX4"], variant="point-in-time")
        lab.do(lambda world: setattr(world.state.organization, "safety_net_hold_s", 2 * 86_400.0))
        with pytest.raises(NotSafe, match="cannot fill a lag"):
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

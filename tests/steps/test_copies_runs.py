"""Whole runs that add, seed and order copies, on hosts made of functions: lanes, AD that lags, seeds that break."""

from __future__ import annotations

import itertools
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from approving import approved
from copies_estate import PACE, Copy, Database, Site, World
from placements import GB

from starover.errors import BadParameter, NotSafe, NotVerified, OutcomeUnknown
from starover.step import Risk
from starover.testing import FakeFault

GUIDE: dict[str, Any] = {"copy": ["DB1=EX3,pref=2", "DB2=EX1,pref=2"]}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_the_guides_two_copies_are_seeded_side_by_side_and_a_second_run_changes_nothing(site: Site) -> None:
    planned = site.plan("copies-add", **GUIDE).plan
    assert planned.complete
    assert planned.risk is Risk.LOW
    assert [one.mark for one in planned.steps] == ["+", "+", "=", "+", "+", "="]
    ran = site.run("copies-add", **GUIDE)
    assert ran.exit == 0, ran.error
    databases = site.world.databases
    assert {name: list(one.copies) for name, one in databases.items()} == {"DB1": ["EX1", "EX3"], "DB2": ["EX3", "EX1"]}
    assert {copy.state for one in databases.values() for copy in one.copies.values()} == {"Mounted", "Healthy"}
    begun = [at for _, _, at in site.world.seeds]
    assert abs(begun[0] - begun[1]) < timedelta(seconds=40 * GB / PACE), "side by side"

    writes = site.hosts.writes
    assert site.plan("copies-add", **GUIDE).plan.nothing
    assert site.hosts.writes == writes


def test_one_database_after_the_other_where_one_server_gives_all_and_only_one_is_allowed(tmp_path: Path) -> None:
    site = Site(tmp_path, World({f"DB{n}": Database({"EX1": Copy("Mounted")}, 10 * GB) for n in range(1, 4)}))
    wanted = [f"DB{n}=EX3,pref=2" for n in range(1, 4)]
    assert site.run("copies-add", copy=wanted, seeds_parallel=1).exit == 0
    begun = [at for _, _, at in site.world.seeds]
    gaps = [(late - early).total_seconds() for early, late in itertools.pairwise(begun)]
    assert min(gaps) >= 10 * GB / PACE


def test_a_matrix_from_a_file(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "layout.yaml"
    file.write_text("DB1: {EX1: 1, EX3: 2, EX2: 3, EX4: {pref: 4, replay-lag: 7d}}\nDB2: {EX1: 1, EX3: 2}\n", "utf-8")
    plan = site.plan("copies-add", layout=str(file)).plan
    file.unlink()
    ran = site.local().apply(plan, approve=approved)
    assert ran.exit == 0, ran.error
    one = site.world.databases["DB1"].copies
    assert list(one) == ["EX1", "EX3", "EX2", "EX4"]
    assert list(site.world.databases["DB2"].copies) == ["EX1", "EX3"]
    assert (one["EX4"].lag, one["EX4"].barred, one["EX3"].barred) == (timedelta(days=7), True, False)
    assert {copy: source for copy, source, _ in site.world.seeds} == {
        "DB1/EX3": "EX1",
        "DB1/EX2": "EX1",
        "DB1/EX4": "EX3",
        "DB2/EX1": "EX3",
    }, "one crossing of the WAN for each database"
    assert site.world.sets == []


def test_the_next_copy_waits_until_its_controller_knows_those_before_it(site: Site) -> None:
    """The world refuses an add past copies that the controller does not know."""
    site.world.ad_lag = 800
    assert site.run("copies-add", copy=["DB1=EX3,pref=2", "DB1=EX2,pref=3", "DB1=EX4,pref=4"]).exit == 0


def test_a_seed_that_breaks_off_is_made_again(site: Site) -> None:
    site.world.breaks = 2
    assert site.run("copies-add", copy=["DB1=EX3,pref=2"]).exit == 0
    assert [copy for copy, _, _ in site.world.seeds] == ["DB1/EX3"] * 3


def test_a_seed_that_always_breaks_stops_and_the_next_run_goes_on_where_it_is(site: Site) -> None:
    site.world.breaks = 3
    ran = site.run("copies-add", copy=["DB1=EX3,pref=2"])
    assert isinstance(ran.error, NotVerified)
    assert "TcpChannel" in ran.error.what
    assert any("copy-seed --copy DB1/EX3" in line for line in ran.error.next)
    plan = site.plan("copies-add", copy=["DB1=EX3,pref=2"]).plan
    assert [one.kind for one in plan.changes] == ["seeded"]
    assert site.run("copies-add", copy=["DB1=EX3,pref=2"]).exit == 0


@pytest.mark.parametrize("template", ["copy/add.ps1.j2", "copy/seed.ps1.j2"])
@pytest.mark.parametrize("kind", ["lost-after", "lost-before", "begun", "timed-out", "cut"])
def test_a_lost_answer_is_found_out_and_nothing_is_done_twice(site: Site, template: str, kind: Any) -> None:
    site.hosts.fail(FakeFault(kind, template=template, what="write"))
    ran = site.run("copies-add", copy=["DB1=EX3,pref=2"])
    if (kind, template) == ("begun", "copy/seed.ps1.j2"):
        assert ran.exit == OutcomeUnknown.exit, "a seed runs, and nobody knows whether the script that began it ended"
        site.world.clock.wait_until(site.world.clock.now() + timedelta(hours=1))
        ran = site.resume(ran.run)
    assert ran.exit == 0, ran.error
    assert list(site.world.databases["DB1"].copies) == ["EX1", "EX3"]
    assert len(site.world.seeds) == 1


def test_postponed_copies_are_added_and_no_more(site: Site) -> None:
    assert site.run("copies-add", copy=["DB1=EX3,pref=2"], seed="postpone").exit == 0
    assert site.world.databases["DB1"].copies["EX3"].state == "Suspended"
    assert site.world.seeds == []
    assert site.plan("copies-add", copy=["DB1=EX3,pref=2"], seed="postpone").plan.nothing
    assert site.run("copies-add", copy=["DB1=EX3,pref=2"]).exit == 0
    assert site.world.databases["DB1"].copies["EX3"].state == "Healthy"


def test_a_first_place_for_a_new_copy_moves_the_others_on(site: Site) -> None:
    assert site.run("copies-add", copy=["DB1=EX3,pref=1"]).exit == 0
    assert list(site.world.databases["DB1"].copies) == ["EX3", "EX1"]


def test_an_existing_copy_gets_the_place_and_the_lag_that_are_wanted(tmp_path: Path) -> None:
    healthy = {"EX1": Copy("Mounted"), "EX2": Copy("Healthy"), "EX3": Copy("Healthy")}
    site = Site(tmp_path, World({"DB1": Database(healthy)}))
    wanted: dict[str, Any] = {"copy": ["DB1=EX2,pref=3,replay-lag=7d"]}
    plan = site.plan("copies-add", **wanted).plan
    assert plan.risk is Risk.SERVICE, "the order of copies that are there decides who is active"
    assert site.run("copies-add", **wanted).exit == 0
    copies = site.world.databases["DB1"].copies
    assert list(copies) == ["EX1", "EX3", "EX2"]
    assert (copies["EX2"].lag, copies["EX2"].barred) == (timedelta(days=7), True)
    assert site.world.seeds == []
    assert site.plan("copies-add", **wanted).plan.nothing


def test_undo_removes_what_was_added_and_only_that(site: Site) -> None:
    ran = site.run("copies-add", **GUIDE)
    undo = site.local().undo(ran.run).plan
    assert undo.risk is Risk.DATA
    assert site.undo(ran.run).exit == 0
    assert {name: list(one.copies) for name, one in site.world.databases.items()} == {"DB1": ["EX1"], "DB2": ["EX3"]}


def test_what_does_not_fit_together_is_refused_before_anything_is_changed(site: Site) -> None:
    site.world.free = 100 * GB
    with pytest.raises(NotSafe, match="P39"):
        site.plan("copies-add", copy=["DB1=EX2,pref=2", "DB2=EX2,pref=2"])
    assert site.plan("copies-add", copy=["DB1=EX2,pref=2"]).plan.changes
    assert site.hosts.writes == []


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"copy": ["DB9=EX3,pref=2"]}, "there is no database DB9"),
        ({"copy": ["DB1=EX3,pref=3"]}, "will have 2 copies"),
        ({"copy": ["DB1=EX3,pref=2"], "restart_store": "window", "seed": "postpone"}, "does not go with"),
        ({"copy": ["DB1=EX3,pref=2"], "seed": "source=EX9"}, "no server `EX9`"),
        ({"copy": ["DB1=EX3,pref=2"], "seeds_parallel": 9}, "number from 1 to 8"),
        ({"copy": ["DB1=EX3,pref=1,replay-lag=7d"]}, "must have the last preference"),
    ],
)
def test_what_cannot_be_is_said(site: Site, wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(BadParameter, match=says):
        site.plan("copies-add", **wrong)
    assert site.hosts.writes == []


def test_a_copy_of_another_dag_is_not_added(site: Site) -> None:
    with pytest.raises(NotSafe, match="a member of DAG1, not of DAG2"):
        site.plan("copies-add", **GUIDE, dag="DAG2")
    assert site.plan("copies-add", **GUIDE, dag="dag1").plan.changes


def test_a_database_named_with_a_quote(tmp_path: Path) -> None:
    site = Site(tmp_path, World({"O\u2019Brien DB": Database({"EX1": Copy("Mounted")}, GB)}))
    assert site.run("copies-add", copy=["O\u2019Brien DB=EX3,pref=2"]).exit == 0
    assert list(site.world.databases["O\u2019Brien DB"].copies) == ["EX1", "EX3"]
    scripts = [one.text for one in site.hosts.sent if one.mutates]
    assert any("'O\u2019\u2019Brien DB'" in text for text in scripts)

"""Undo: a plan of its own, from what each step's first reading found; never a guess."""

from __future__ import annotations

from pathlib import Path

import pytest
from core_hand import approval_of
from core_site import BOOKS, Site

from starover import BadParameter, NotSafe, PlanIsStale, Risk, Steps, runbook
from starover.testing import FakeContent, FakeFault


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_what_was_changed_is_restored_last_first_and_nothing_else(site: Site) -> None:
    site.lamps.on = {("EX1", "b"), ("EX2", "a")}
    before = set(site.lamps.on)
    ran = site.run("lamps-on", "EX1", "EX2")
    planned = site.local().undo(ran.run)
    assert [(step.kind, step.host, step.what) for step in planned.plan.steps] == [
        ("dark", "EX2", "b"),
        ("dark", "EX1", "a"),
    ]
    assert planned.plan.runbook == "undo"
    done = site.local().apply(planned.plan, approve=approval_of)
    assert done.state == "done"
    assert site.lamps.on == before


def test_undone_twice_there_is_nothing_to_do(site: Site) -> None:
    ran = site.run("lamps-on", "EX1")
    site.undo(ran.run)
    assert site.local().undo(ran.run).plan.nothing


def test_an_undo_is_approved_fresh_and_refused_like_any_plan(site: Site) -> None:
    ran = site.run("lamps-on", "EX1")
    planned = site.local().undo(ran.run).plan
    assert planned.risk is Risk.LOW
    assert site.local().apply(planned).state == "refused"
    site.lamps.on.discard(("EX1", "b"))  # somebody else was faster
    done = site.local().apply(planned, approve=approval_of)
    assert [one.state for one in done.steps] == ["right", "changed"]


def test_an_undo_that_was_interrupted_is_resumed(site: Site) -> None:
    ran = site.run("lamps-on", "EX1")
    site.hosts.fail(FakeFault("lost-after", what="write"), FakeFault("silent", what="probe", times=-1))
    back = site.undo(ran.run)
    assert back.exit == 5
    site.hosts.heal()
    assert site.resume(back.run).exit == 0
    assert site.lamps.on == set()
    assert site.lamps.done == ["on EX1/a", "on EX1/b", "off EX1/b", "off EX1/a"]


def test_the_undo_of_an_undo_has_no_undo_and_says_so(site: Site) -> None:
    ran = site.run("lamps-on", "EX1", names=["a"])
    back = site.undo(ran.run)
    planned = site.local().undo(back.run).plan
    assert planned.nothing
    assert planned.notes == ("step 1, dark on EX1, has no undo: a stays off",)


def test_while_a_step_is_unknown_nothing_is_undone(site: Site) -> None:
    site.hosts.fail(FakeFault("lost-after", what="write"), FakeFault("silent", what="probe", times=-1))
    ran = site.run("lamps-on", "EX1")
    site.hosts.heal()
    with pytest.raises(NotSafe, match="nobody knows"):
        site.local().undo(ran.run)
    site.resume(ran.run)
    assert site.undo(ran.run).exit == 0
    assert site.lamps.on == set()


def test_what_was_not_verified_is_undone_too(site: Site) -> None:
    site.lamps.stuck = True
    ran = site.run("lamps-on", "EX1", names=["a"])
    assert ran.exit == 5
    site.lamps.on.add(("EX1", "a"))  # it came about after all
    assert [step.mark for step in site.local().undo(ran.run).plan.steps] == ["~"]


def test_nothing_to_undo(site: Site) -> None:
    site.lamps.on = {("EX1", "a")}
    ran = site.run("lamps-on", "EX1", names=["a"])
    planned = site.local().undo(ran.run)
    assert planned.plan.nothing
    assert planned.plan.notes == (f"run {ran.run} changed nothing",)
    with pytest.raises(BadParameter, match="made a plan"):
        site.local().undo(planned.run)


def test_templates_may_have_changed_since_but_not_what_the_runbook_asks(site: Site) -> None:
    ran = site.run("lamps-on", "EX1", names=["a"])

    site.content = FakeContent(BOOKS, sha256="2" * 64, bodies={"lamp/read.ps1.j2": "# a better way\n"})
    assert [step.kind for step in site.local().undo(ran.run).plan.changes] == ["dark"]

    @runbook
    def lamps_on(servers: str, names: str) -> Steps:
        """Something else under the same name."""
        yield from BOOKS[0](servers=[], names=[])

    site.content = FakeContent([lamps_on], sha256="3" * 64)
    with pytest.raises((PlanIsStale, BadParameter)):
        site.local().undo(ran.run)


def test_a_run_that_went_on_since_makes_its_undo_plan_stale(site: Site) -> None:
    made = site.plan("lamps-on", "EX1").plan
    site.lamps.broken.add(("EX1", "b"))
    ran = site.local().apply(made, approve=approval_of)
    back = site.local().undo(ran.run).plan
    site.lamps.broken.clear()
    site.resume(ran.run)
    with pytest.raises(PlanIsStale, match="gone on"):
        site.local().apply(back, approve=approval_of)

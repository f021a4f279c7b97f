"""Whoever is refused stands in the journal, as whoever acts does: also what is refused before it is a run."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from core_hand import approval_of
from core_site import BOOKS, Site

from starover import BadParameter, NotSafe, PlanIsStale
from starover.audit import verify
from starover.drivers.local import Ran
from starover.errors import Locked, Mistake, StaroverError
from starover.events import RunEnded
from starover.evidence import export
from starover.journal import Begun, Declined, Journal, Recorded, read_journal, run_ids
from starover.testing import FakeContent, FakeFault


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def kept(folder: Path, before: list[str]) -> tuple[Begun, RunEnded]:
    """The one refusal that is new: who asked for what, and why not. Nothing was sent for it."""
    (run,) = [one for one in run_ids(folder) if one not in before]
    entries = read_journal(folder, run)
    begun, last = entries[0].body, entries[-1].body
    assert isinstance(begun, Begun)
    assert isinstance(last, Recorded)
    assert isinstance(last.event, RunEnded)
    assert {type(one.body) for one in entries[1:]} == {Recorded}, "nothing was sent"
    assert verify(folder) == []
    return begun, last.event


def stale(site: Site) -> str:
    made = site.plan("lamps-on", "EX1").plan
    site.content = FakeContent(BOOKS, sha256="1" * 64)
    return made.id


def blocked(site: Site) -> str:
    site.lamps.broken.add(("EX1", "b"))
    return site.plan("lamps-on", "EX1").plan.id


@pytest.mark.parametrize(("prepare", "error"), [(stale, PlanIsStale), (blocked, NotSafe)])
def test_an_apply_that_is_refused_is_a_run_of_its_own(site: Site, prepare: object, error: type[StaroverError]) -> None:
    assert callable(prepare)
    plan = prepare(site)
    before = run_ids(site.folder)
    with pytest.raises(error) as refused:
        site.local("oncall-b", ticket="INC1").apply(plan, approve=approval_of)
    begun, ended = kept(site.folder, before)
    assert (begun.asked, begun.who, begun.ticket, begun.runbook) == ("apply", "oncall-b", "INC1", "lamps-on")
    assert begun.plan is not None
    assert begun.plan.id == plan
    assert (ended.state, ended.exit, ended.changed) == ("refused", 4, 0)
    assert ended.fault is not None
    assert ended.fault.what == refused.value.what
    assert refused.value.certain[-1] == f"the refusal is in the journal: run {begun.run}"
    with pytest.raises(BadParameter, match="refused before it began"):
        site.resume(begun.run)
    with pytest.raises(BadParameter, match="to resume or undo"):
        site.local().undo(begun.run)


def test_it_is_evidence(site: Site) -> None:
    plan = blocked(site)
    with pytest.raises(NotSafe):
        site.local().apply(plan)
    now = site.clock.now()
    bundle = export(site.folder, site.folder / "bundle", now - timedelta(days=1), now + timedelta(days=1))
    assert "G-BULB" in "".join(file.read_text() for file in bundle.folder.glob("runs/*/refusals.json"))


def unknown(site: Site) -> Ran:
    site.hosts.fail(FakeFault("lost-after", what="write"), FakeFault("silent", what="probe", times=-1))
    ran = site.run("lamps-on", "EX1")
    assert ran.state == "unknown"
    site.hosts.heal()
    return ran


def test_an_undo_that_is_refused_is_a_run_of_its_own(site: Site) -> None:
    ran = unknown(site)
    before = run_ids(site.folder)
    with pytest.raises(NotSafe, match="nobody knows"):
        site.local("oncall-b").undo(ran.run)
    begun, ended = kept(site.folder, before)
    assert (begun.asked, begun.who, begun.parameters) == ("undo", "oncall-b", {"run": ran.run})
    assert ended.fault is not None
    assert "nobody knows" in ended.fault.what


def test_a_resume_whose_receipts_may_be_gone_is_refused_in_its_journal(site: Site) -> None:
    ran = unknown(site)
    site.clock.wait_until(site.clock.now() + timedelta(days=85))
    with pytest.raises(PlanIsStale):
        site.resume(ran.run)
    assert isinstance(site.entries(ran.run)[-1].body, Declined)
    assert verify(site.folder) == []


@pytest.mark.parametrize("asked", ["resume", "settle"])
def test_a_run_that_somebody_else_has_open_is_refused_beside_it(site: Site, asked: str) -> None:
    ran = unknown(site)
    before = run_ids(site.folder)
    local = site.local("oncall-b", reason="seen it off")
    with Journal.open(site.folder, ran.run), pytest.raises(Locked):
        local.resume(ran.run) if asked == "resume" else local.settle(ran.run, 1, "applied")
    begun, ended = kept(site.folder, before)
    assert begun.asked == f"{asked} {ran.run}"
    assert begun.plan == ran.plan
    assert ended.exit == 75


def test_where_no_journal_can_be_begun_it_is_refused_all_the_same(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = blocked(site)

    def full(*_: object) -> Journal:
        raise Mistake("the disk is full")

    monkeypatch.setattr(Journal, "create", full)
    with pytest.raises(NotSafe, match="G-BULB") as refused:
        site.local().apply(plan)
    assert refused.value.uncertain[-1] == "the refusal is not in the journal: the disk is full"

"""A person decides what became of a step that nobody can find out: kept, obeyed by resume and undo, never blindly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from core_site import Site

from starover import BadParameter, NotSafe, OutcomeUnknown
from starover.audit import verify
from starover.events import StepUnsure
from starover.journal import Settled
from starover.testing import FakeFault


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def unknown(site: Site, kind: Any = "lost-before") -> str:
    """A run whose first write on EX1 stays unknown, because the host is lost for good."""
    site.hosts.fail(FakeFault(kind, host="EX1", what="write"))
    site.hosts.fail(FakeFault("silent", host="EX1", what="probe", times=-1))
    ran = site.run("lamps-on", "EX1")
    assert isinstance(ran.error, OutcomeUnknown)
    return ran.run


def settle(site: Site, run: str, outcome: Any = "applied", step: int = 1) -> None:
    site.local(reason="the host burnt down").settle(run, step, outcome)


def test_undo_obeys_what_was_decided(site: Site) -> None:
    run = unknown(site, "lost-after")
    with pytest.raises(NotSafe) as caught:
        site.local().undo(run)
    assert any(f"starover settle {run} --step 1" in line for line in caught.value.next)
    settle(site, run, "not-applied")
    assert site.local().undo(run).plan.nothing
    settle(site, run, "applied")  # somebody knew better
    site.hosts.heal()
    (back,) = site.local().undo(run).plan.changes
    assert (back.host, back.change and back.change.wanted) == ("EX1", "off")


def test_resume_goes_on_from_applied_without_asking_the_host_again(site: Site) -> None:
    run = unknown(site, "lost-after")
    settle(site, run, "applied")
    site.hosts.asked.clear()
    site.hosts.heal()
    again = site.resume(run)
    assert (again.state, again.exit) == ("done", 0)
    assert site.lamps.done == ["on EX1/a", "on EX1/b"]
    assert again.steps[0].note == "settled by a person: applied"
    assert all(script.parts for script in site.hosts.asked), "no receipt was looked for"
    assert verify(site.folder) == []
    (kept,) = [one.body for one in site.entries(run) if isinstance(one.body, Settled)]
    assert (kept.outcome, kept.reason) == ("applied", "the host burnt down")


def test_resume_tries_again_what_was_not_applied_and_the_host_itself_prevents_a_second_time(site: Site) -> None:
    run = unknown(site, "lost-after")  # it was applied, and the person was wrong
    settle(site, run, "not-applied")
    site.hosts.heal()
    again = site.resume(run)
    assert again.exit == 0
    assert site.lamps.done == ["on EX1/a", "on EX1/b"], "its receipt kept it from being done twice"


def test_a_decision_is_over_when_the_step_was_sent_again(site: Site) -> None:
    run = unknown(site)
    settle(site, run, "not-applied")
    site.hosts.fail(FakeFault("lost-before", host="EX1", what="write"))
    again = site.resume(run)
    assert (again.state, again.exit) == ("unknown", 5)
    once_more = site.resume(run)
    assert once_more.exit == 5, "the old word does not answer the new question"
    assert len(site.events(StepUnsure)) >= 2
    settle(site, run, "applied")
    site.hosts.heal()
    last = site.resume(run)
    assert last.exit == 0
    assert site.lamps.done == ["on EX1/b"]
    assert verify(site.folder) == []


def test_a_later_leg_replays_the_decision(site: Site) -> None:
    run = unknown(site, "lost-after")
    settle(site, run, "applied")
    site.hosts.heal()
    site.hosts.fail(FakeFault("unreachable", host="EX1", what="write"))
    middle = site.resume(run)
    assert middle.exit == 6
    last = site.resume(run)
    assert (last.state, last.exit) == ("done", 0)
    assert site.lamps.done == ["on EX1/a", "on EX1/b"]


def test_only_what_is_unknown_is_decided_and_with_a_reason(site: Site) -> None:
    run = unknown(site)
    with pytest.raises(BadParameter, match="not unknown"):
        settle(site, run, step=2)
    with pytest.raises(BadParameter, match="reason"):
        site.local().settle(run, 1, "applied")
    site.hosts.heal()
    assert site.resume(run).exit == 0
    with pytest.raises(BadParameter, match="not unknown"):
        settle(site, run)

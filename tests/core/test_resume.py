"""Going on: after a failure, an unknown, a stop; by the journal's answers first, then live, and nothing twice."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from core_faults import KINDS
from core_hand import Lamps, approval_of, lamp, lit
from core_site import BOOKS, Site
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from starover import (
    BadParameter,
    CmdletFailed,
    ConnectFailed,
    Locked,
    NotSafe,
    NotVerified,
    OutcomeUnknown,
    PlanIsStale,
    Server,
    StaroverError,
    Steps,
    attempt,
    runbook,
    together,
)
from starover.audit import verify
from starover.events import RunResumed, StepBegan, StepEnded
from starover.journal import Answered, Journal, Recorded, Resumed, Sent
from starover.testing import FakeContent, FakeFault, PowerShellError
from starover.transport import Answer, Script


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def states(ran: Any) -> list[str]:
    return [f"{one.host}/{one.what} {one.state}" for one in ran.steps]


def test_an_unknown_is_read_first_and_not_sent_again(site: Site) -> None:
    site.hosts.fail(FakeFault("lost-after", what="write"), FakeFault("silent", what="probe", times=-1))
    ran = site.run("lamps-on", "EX1")
    assert isinstance(ran.error, OutcomeUnknown)
    assert (ran.state, ran.exit, ran.resumable) == ("unknown", 5, True)
    assert "step 1 on EX1: a off -> on" in ran.under_way
    site.hosts.heal()
    site.hosts.asked.clear()
    again = site.resume(ran.run)
    assert (again.state, again.exit, again.changed) == ("done", 0, 2)
    assert [script.mutates for script in site.hosts.asked[:2]] == [False, False]
    assert not site.hosts.asked[0].parts  # the receipt comes first
    assert site.lamps.done == ["on EX1/a", "on EX1/b"]
    assert again.under_way == ()
    assert site.events(RunResumed)[0].under_way == ()
    assert verify(site.folder) == []


def test_an_unknown_that_was_not_done_is_sent_once_more_after_a_look(site: Site) -> None:
    site.hosts.fail(FakeFault("lost-before", what="write"), FakeFault("silent", what="probe", times=-1))
    ran = site.run("lamps-on", "EX1")
    assert ran.exit == 5
    assert site.lamps.done == []
    site.hosts.heal()
    assert site.resume(ran.run).exit == 0
    assert site.lamps.done == ["on EX1/a", "on EX1/b"]


def test_an_unknown_may_stay_unknown_for_several_legs(site: Site) -> None:
    site.hosts.fail(FakeFault("lost-after", what="write"), FakeFault("silent", what="probe", times=-1))
    ran = site.run("lamps-on", "EX1")
    for _ in range(3):
        ran = site.resume(ran.run)
        assert (ran.state, ran.resumable) == ("unknown", True)
    site.hosts.heal()
    assert site.resume(ran.run).state == "done"
    assert site.lamps.done == ["on EX1/a", "on EX1/b"]
    assert verify(site.folder) == []


def test_a_step_that_failed_is_tried_again_as_a_new_operation(site: Site) -> None:
    fails = [True]

    def flaky(host: str, name: str) -> None:
        if fails and name == "b":
            raise PowerShellError("access denied")
        site.lamps.switch_on(host, name)

    site.hosts.templates = {**site.hosts.templates, "lamp/on.ps1.j2": flaky}
    ran = site.run("lamps-on", "EX1", names=["a", "b", "c"])
    assert isinstance(ran.error, CmdletFailed)
    assert states(ran) == ["EX1/a changed", "EX1/b failed"]
    again = site.resume(ran.run)
    assert isinstance(again.error, CmdletFailed)  # tried, and it failed again
    fails.clear()
    last = site.resume(ran.run)
    assert states(last) == ["EX1/a changed", "EX1/b changed", "EX1/c changed"]
    assert site.lamps.done == ["on EX1/a", "on EX1/b", "on EX1/c"]
    operations = {one.body.operation for one in site.entries(ran.run) if isinstance(one.body, Sent)} - {""}
    assert len(operations) == 2 + 3


def test_what_did_not_hold_is_looked_at_again_and_not_done_again(site: Site) -> None:
    site.lamps.stuck = True
    ran = site.run("lamps-on", "EX1")
    assert isinstance(ran.error, NotVerified)
    site.lamps.on.add(("EX1", "a"))
    site.lamps.stuck = False
    again = site.resume(ran.run)
    assert states(again) == ["EX1/a changed", "EX1/b changed"]
    assert site.lamps.done == ["on EX1/a", "on EX1/b"]


@pytest.mark.parametrize("kind", ["no-receipt", "died", "leased"])
def test_what_never_began_is_sent_when_the_run_goes_on(site: Site, kind: Any) -> None:
    site.hosts.fail(FakeFault(kind, what="write"))
    ran = site.run("lamps-on", "EX1")
    assert ran.exit in (1, 75)
    assert site.lamps.done == []
    assert site.resume(ran.run).exit == 0
    assert site.lamps.done == ["on EX1/a", "on EX1/b"]


@pytest.mark.parametrize("kind", ["unreachable", "auth", "silent"])
def test_a_host_that_was_away(site: Site, kind: Any) -> None:
    site.hosts.fail(FakeFault(kind, what="write", host="EX2", times=-1))
    ran = site.run("lamps-on", "EX1", "EX2")
    assert ran.exit == 6
    assert states(ran)[-1] == "EX2/a unreachable"
    site.hosts.heal()
    assert site.resume(ran.run).exit == 0
    assert len(site.lamps.done) == len(set(site.lamps.done)) == 4


def test_a_reading_of_the_runbook_that_failed_is_asked_again(site: Site) -> None:
    site.hosts.fail(FakeFault("unreachable", host="EX1"))
    plan = site.plan  # the plan itself needs the reading
    with pytest.raises(ConnectFailed):
        plan("lamps-on", "EX1")
    made = plan("lamps-on", "EX1").plan
    site.hosts.fail(FakeFault("unreachable", host="EX1"))
    ran = site.local().apply(made, approve=approval_of)
    assert ran.exit == 6
    assert site.resume(ran.run).exit == 0


@runbook(beyond=[lit])
def lamps_asking(servers: Sequence[Server], how: str) -> Steps:
    """Light a lamp, look at others whatever becomes of it, and go on only when all answered."""
    yield lit.on(servers[0], name="a")
    silent: StaroverError | None = None
    for server in servers:
        seen = yield from attempt(lamp.read(server, name="b"))
        silent = seen if isinstance(seen, StaroverError) else silent
    if silent is not None:
        raise silent if how == "the same" else NotSafe(f"nobody knows the lamp: {silent.what}")
    yield lit.on(servers[0], name="c")


@pytest.mark.parametrize(("how", "end"), [("the same", 6), ("a guard", 4)])
def test_a_failed_reading_that_was_taken_as_a_value_is_asked_again_when_it_ended_the_run(
    tmp_path: Path, how: str, end: int
) -> None:
    site = Site(tmp_path, content=FakeContent([lamps_asking]))
    made = site.plan("lamps-asking", "EX1", "EX2", "EX3", how=how).plan
    site.hosts.fail(FakeFault("unreachable", host="EX2", what="read", times=1))
    ran = site.audited(site.local().apply(made, approve=approval_of))
    assert (ran.exit, ran.resumable) == (end, True)
    assert site.lamps.done == ["on EX1/a"]
    again = site.resume(ran.run)
    assert (again.exit, again.error) == (0, None)
    assert site.lamps.done == ["on EX1/a", "on EX1/c"]


@runbook(beyond=[lit])
def lamps_at_once(servers: Sequence[Server]) -> Steps:
    """Light a lamp, look at all others side by side, and go on only when all answered."""
    yield lit.on(servers[0], name="a")
    found = yield from together(attempt(lamp.read(server, name="b")) for server in servers)
    if any(isinstance(one, StaroverError) for one in found):
        raise NotSafe("nobody knows the lamps")
    yield lit.on(servers[0], name="c")


def test_all_that_were_silent_side_by_side_are_asked_again_whoever_fell_silent_first(tmp_path: Path) -> None:
    site = Site(tmp_path, content=FakeContent([lamps_at_once]))
    made = site.plan("lamps-at-once", "EX1", "EX2", "EX3").plan
    forwards = site.hosts.run

    def backwards(batch: Sequence[Script], /) -> Iterator[Answer]:
        yield from forwards(list(reversed(batch)))

    site.hosts.run = backwards  # type: ignore[method-assign] # who is asked last answers first
    for host in ("EX2", "EX3"):
        site.hosts.fail(FakeFault("unreachable", host=host, what="read", times=1))
    ran = site.audited(site.local().apply(made, approve=approval_of))
    assert (ran.exit, ran.resumable) == (4, True)
    again = site.resume(ran.run)
    assert (again.exit, again.error) == (0, None)
    assert site.lamps.done == ["on EX1/a", "on EX1/c"]


def test_a_refusal_goes_on_when_the_facts_are_as_planned_again(site: Site) -> None:
    made = site.plan("lamps-on", "EX1").plan
    site.lamps.broken.add(("EX1", "b"))
    ran = site.local().apply(made, approve=approval_of)
    assert ran.state == "refused"
    assert site.resume(ran.run).state == "refused"
    site.lamps.broken.clear()
    assert site.resume(ran.run).state == "done"
    assert site.lamps.done == ["on EX1/a", "on EX1/b"]


def test_a_wait_that_was_in_vain_waits_again(site: Site) -> None:
    ran = site.run("lamps-wait", "EX1")
    assert ran.exit == 5
    site.lamps.on.add(("EX1", "b"))
    assert site.resume(ran.run).exit == 0
    assert site.lamps.done == ["on EX1/a", "on EX1/c"]


def test_neighbours_of_a_failed_part_are_found_done(site: Site) -> None:
    made = site.plan("lamps-together", "EX1", "EX2", "EX3").plan
    site.hosts.fail(FakeFault("lost-after", host="EX1", what="write"))
    site.hosts.fail(FakeFault("silent", host="EX1", what="probe", times=-1))
    ran = site.local().apply(made, approve=approval_of)
    assert ran.exit == 5
    site.hosts.heal()
    again = site.resume(ran.run)
    assert again.exit == 0
    assert again.changed == 6
    assert len(site.lamps.done) == len(set(site.lamps.done)) == 6


def test_what_was_done_beside_a_failure_can_be_undone_after_a_resume(site: Site) -> None:
    """A resume asks again from the first failure on; what neighbours did after it keeps what was before it."""
    fails = [True]

    def flaky(host: str, name: str) -> None:
        if fails and host == "EX1":
            raise PowerShellError("access denied")
        site.lamps.switch_on(host, name)

    site.hosts.templates = {**site.hosts.templates, "lamp/on.ps1.j2": flaky}
    ran = site.run("lamps-each", "EX1", "EX2", "EX3")
    assert ran.exit == 1
    assert len(site.lamps.on) == 4
    fails.clear()
    again = site.resume(ran.run)
    assert again.exit == 0
    assert again.changed == 6
    assert len(site.lamps.done) == len(set(site.lamps.done)) == 6
    assert site.undo(ran.run).exit == 0
    assert site.lamps.on == set()


def test_a_run_that_put_things_back_is_not_gone_on_with(site: Site) -> None:
    made = site.plan("lamps-careful", "EX1", "EX2").plan
    site.lamps.broken.add(("EX2", "a"))
    ran = site.local().apply(made, approve=approval_of)
    assert states(ran) == ["EX1/a changed", "EX2/a refused", "EX1/a changed"]
    assert site.lamps.on == set()
    with pytest.raises(PlanIsStale, match="put back"):
        site.resume(ran.run)


def test_the_legs_of_a_run_are_one_journal(site: Site) -> None:
    site.hosts.fail(FakeFault("unreachable", what="write"))
    ran = site.run("lamps-on", "EX1")
    site.local("oncall-b", ticket="INC2").resume(ran.run, approve=approval_of)
    entries = site.entries(ran.run)
    resumed = [one for one in entries if isinstance(one.body, Resumed)]
    assert [one.body.who for one in resumed] == ["oncall-b"]  # type: ignore[union-attr]
    assert [one.n for one in entries] == list(range(len(entries)))
    assert verify(site.folder) == []


@pytest.mark.parametrize("what", ["sha256", "bodies"])
def test_other_content_is_refused(site: Site, what: str) -> None:
    site.hosts.fail(FakeFault("unreachable", what="write"))
    ran = site.run("lamps-on", "EX1")
    if what == "sha256":
        site.content.sha256 = "f" * 64
        with pytest.raises(PlanIsStale, match="other runbooks or templates"):
            site.resume(ran.run)
    else:  # a content that lies about its hash: the recorded answers do not fit
        site.content = FakeContent(BOOKS, bodies={"lamp/read.ps1.j2": "# another\n"})
        with pytest.raises(PlanIsStale, match="do not fit"):
            site.resume(ran.run)
    assert site.lamps.done == []


def test_what_cannot_be_resumed_says_why(site: Site) -> None:
    good = site.run("lamps-on", "EX1")
    with pytest.raises(BadParameter, match="nothing to resume"):
        site.resume(good.run)
    planned = site.plan("lamps-on", "EX1")
    with pytest.raises(BadParameter, match="making of a plan"):
        site.resume(planned.run)
    with pytest.raises(BadParameter, match="no run"):
        site.resume("abcdef01.1")
    refused = site.local().apply(site.plan("lamps-on", "EX2").plan)
    assert refused.state == "refused"
    assert not refused.resumable
    with pytest.raises(BadParameter, match="refused before it began"):
        site.resume(refused.run)


def test_a_run_under_way_is_not_resumed_beside_itself(site: Site) -> None:
    site.hosts.fail(FakeFault("unreachable", what="write"))
    ran = site.run("lamps-on", "EX1")
    with Journal.open(site.folder, ran.run), pytest.raises(Locked):
        site.resume(ran.run)
    assert site.resume(ran.run).exit == 0


def test_a_half_written_line_is_no_answer(site: Site) -> None:
    site.hosts.fail(FakeFault("unreachable", what="write"))
    ran = site.run("lamps-on", "EX1")
    before = ran.journal.read_bytes()
    ran.journal.write_bytes(before + b'{"n":99,"at":"20')
    assert site.resume(ran.run).exit == 0
    assert verify(site.folder) == []
    assert ran.journal.read_bytes().startswith(before)


# -- whatever happens --------------------------------------------------------------------------------------------------

fault = st.builds(
    FakeFault,
    kind=st.sampled_from([*KINDS, "auth"]),
    host=st.sampled_from(["", "EX1", "EX2", "EX3"]),
    what=st.sampled_from(["read", "write", "probe"]),
    times=st.sampled_from([1, 1, 2, -1]),
)
legs = st.lists(st.lists(fault, max_size=3), min_size=1, max_size=4)


def untrue(site: Site, ran: Any) -> list[str]:
    """What is said otherwise than it is, or not at all, after a leg that may have failed."""
    said = {f"on {one.host}/{one.what}": one.state for one in ran.steps if one.what in ("a", "b")}
    wrong = [
        what for what, state in said.items() if state in ("changed", "not-verified") and what not in site.lamps.done
    ]
    known = ("changed", "not-verified", "unknown")
    lost = [what for what in site.lamps.done if said.get(what) not in known and ran.exit != 5]
    return [*wrong, *lost, *(what for what in site.lamps.done if said.get(what) in ("refused", "unreachable"))]


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=60)
@given(legs=legs, book=st.sampled_from(["lamps-on", "lamps-together", "lamps-each"]))
@example(
    legs=[[FakeFault("lost-before", what="probe"), FakeFault("died", what="write", times=2)]], book="lamps-together"
)
def test_through_any_number_of_troubled_legs_everything_is_done_once_and_can_be_undone(
    legs: list[list[FakeFault]], book: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        site = Site(Path(folder), Lamps(on={("EX2", "b")}))
        made = site.plan(book, "EX1", "EX2", "EX3").plan
        site.hosts.fail(*legs[0])
        ran = site.local().apply(made, approve=approval_of)
        for faults in [*legs[1:], []]:
            if ran.exit == 0:
                break
            assert ran.resumable, ran
            site.hosts.heal()
            site.hosts.fail(*faults)
            ran = site.resume(ran.run)
            assert untrue(site, ran) == []
        site.hosts.heal()
        assert len(site.lamps.done) == len(set(site.lamps.done))
        assert ran.exit == 0, ran
        assert len(site.lamps.on) == 6
        assert ran.changed == 5
        assert verify(site.folder) == []
        assert site.undo(ran.run).exit == 0
        assert site.lamps.on == {("EX2", "b")}


def test_the_journal_says_everything_in_order(site: Site) -> None:
    ran = site.run("lamps-on", "EX1", names=["a"])
    words: list[str] = []
    for one in site.entries(ran.run):
        body = one.body
        if isinstance(body, Recorded):
            words.append(type(body.event).__name__)
        elif isinstance(body, Sent):
            words.append(f"{body.what} {body.host}")
        elif isinstance(body, Answered):
            words.append("answer")
    step = ["read EX1", "answer", "StepBegan", "write EX1", "answer", "poll EX1", "answer", "StepEnded"]
    lease = [*(f"lease EX{n}" for n in range(1, 5)), *["answer"] * 4]
    begins = ["RunBegan", "answer", "Approved", *lease, "Leased", "read EX1", "answer"]
    assert words == [*begins, *step, *lease, "RunEnded"]
    assert {StepBegan, StepEnded} <= {type(told.event) for told in site.told}
    assert lit.name == "lit"

"""A plan applied by hand: read again, refuse what does not fit, send once, verify; approvals; errors in the runbook."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from core_hand import (
    NODES,
    START,
    Hand,
    Lamps,
    apply_it,
    approval_of,
    colour,
    dark,
    lamp,
    lit,
    make_run,
    plan_it,
    smashed,
)

from starover import (
    CmdletFailed,
    NotApproved,
    NotSafe,
    NotVerified,
    PlanIsStale,
    Settle,
    StaroverError,
    Steps,
    attempt,
    recall,
    wait,
)
from starover.effects import Approval, Approve, Effect, Find, Found, Poll, Record, Send
from starover.events import Approved, StepBegan, StepEnded, WaitEnded
from starover.runbook import Beyond
from starover.step import Risk
from starover.testing import FakeFault


def two() -> Steps:
    yield lit.on(NODES[0], name="a")
    yield lit.on(NODES[1], name="b")


def kinds(effects: list[Effect]) -> list[str]:
    return [
        one.what
        if isinstance(one, Send)
        else type(one.event).__name__
        if isinstance(one, Record)
        else type(one).__name__
        for one in effects
    ]


def test_the_way_of_a_step_is_read_intent_send_verify_end() -> None:
    lamps = Lamps()
    result, hand = apply_it(plan_it(lamps, two), lamps.hosts(), two)
    assert (result.state, result.exit, result.changed) == ("done", 0, 2)
    step = ["read", "StepBegan", "write", "Poll", "StepEnded"]
    assert kinds(hand.effects) == ["RunBegan", "Approve", "Approved", *step, *step, "RunEnded"]
    assert lamps.done == ["on EX1/a", "on EX2/b"]


def test_the_intent_says_all_that_an_undo_or_an_audit_needs() -> None:
    lamps = Lamps()
    plan = plan_it(lamps, two)
    _, hand = apply_it(plan, lamps.hosts(), two)
    began = [one for one in hand.events if isinstance(one, StepBegan)]
    writes = [one for one in hand.effects if isinstance(one, Send) and one.what == "write"]
    assert [one.operation for one in began] == [one.operation for one in writes]
    assert len({one.operation for one in began}) == 2
    assert [one.sha256 for one in began] == [one.sha256 for one in plan.changes]
    assert bytes(began[0].prev) == b'{"lit":false,"broken":false,"left":0}'
    assert bytes(began[0].arguments) == b'{"name":"a"}'


def test_applied_twice_it_finds_nothing_to_do() -> None:
    lamps = Lamps()
    plan = plan_it(lamps, two)
    apply_it(plan, lamps.hosts(), two)
    again = plan_it(lamps, two)
    assert again.nothing
    result, hand = apply_it(again, lamps.hosts(), two, approval=None)
    assert (result.state, result.changed) == ("nothing", 0)
    assert "write" not in kinds(hand.effects)


def test_what_became_right_meanwhile_is_done_and_not_sent() -> None:
    lamps = Lamps()
    plan = plan_it(lamps, two)
    lamps.on.add(("EX1", "a"))
    result, hand = apply_it(plan, lamps.hosts(), two)
    assert hand.ended() == ["a right", "b changed"]
    assert result.exit == 0
    assert lamps.done == ["on EX2/b"]


def test_what_was_right_and_is_not_any_more_is_refused() -> None:
    lamps = Lamps(on={("EX1", "a")})
    plan = plan_it(lamps, two)
    lamps.on.clear()
    result, hand = apply_it(plan, lamps.hosts(), two)
    assert isinstance(result.error, PlanIsStale)
    assert "right when the plan was made" in result.error.what
    assert hand.ended() == ["A lamp that shines. refused"]
    assert lamps.done == []


def test_a_step_that_got_blocked_is_refused_and_says_what_to_do() -> None:
    lamps = Lamps()
    plan = plan_it(lamps, two)
    lamps.broken.add(("EX1", "a"))
    result, _ = apply_it(plan, lamps.hosts(), two)
    assert isinstance(result.error, NotSafe)
    assert result.error.next == ("buy a new one",)
    assert result.exit == 4
    assert lamps.done == []


def other_lamp() -> Steps:
    yield lit.on(NODES[0], name="z")


def more_steps() -> Steps:
    yield from two()
    yield lit.on(NODES[2], name="c")


def other_kind() -> Steps:
    yield smashed.on(NODES[0], name="a")


@pytest.mark.parametrize("changed", [other_lamp, more_steps, other_kind])
def test_a_runbook_that_wants_something_else_now_is_refused(changed: Callable[[], Steps]) -> None:
    lamps = Lamps()
    plan = plan_it(lamps, two)
    result, _ = apply_it(plan, lamps.hosts(), changed)
    assert isinstance(result.error, PlanIsStale)
    assert set(lamps.done) <= {"on EX1/a", "on EX2/b"}


def test_another_script_than_the_planned_one_is_refused() -> None:
    lamps = Lamps()
    plan = plan_it(lamps, two)
    run = make_run(plan=plan)
    run.content.bodies = {"lamp/on.ps1.j2": "# something else\n"}  # type: ignore[attr-defined]
    result = Hand(lamps.hosts(), approval_of(plan)).drive(run, two())
    assert isinstance(result.error, PlanIsStale)
    assert "script of step 1" in result.error.what
    assert lamps.done == []


def test_old_facts_are_refused_before_anything_is_read() -> None:
    lamps = Lamps()
    plan = plan_it(lamps, two)
    hosts = lamps.hosts()
    assert apply_it(plan, hosts, two, late=30 * 60)[0].exit == 0
    hosts = Lamps().hosts()
    for late in (30 * 60 + 1, -30 * 60 - 1):  # a clock that was put back makes no facts fresh
        result, _ = apply_it(plan, hosts, two, late=late)
        assert isinstance(result.error, PlanIsStale)
        assert hosts.asked == []


def breaks() -> Steps:
    yield smashed.on(NODES[0], name="a")


@pytest.mark.parametrize(
    ("runbook", "digest", "how", "good"),
    [
        (two, "id", "confirmed", True),
        (two, "digest", "digest", True),
        (two, "wrong", "confirmed", False),
        (two, "id4", "digest", False),
        (two, None, "confirmed", False),
        (breaks, "id", "confirmed", False),
        (breaks, "id", "digest", True),
        (breaks, "digest", "digest", True),
        (breaks, "wrong", "digest", False),
    ],
)
def test_approvals_by_risk(runbook: Callable[[], Steps], digest: str | None, how: Any, good: bool) -> None:
    lamps = Lamps()
    plan = plan_it(lamps, runbook)
    texts = {"id": plan.id, "digest": plan.digest, "wrong": "f" * 8, "id4": plan.id[:4], None: ""}
    approval = None if digest is None else Approval(by="b", digest=texts[digest], how=how, at=START, ticket="INC1")
    result, hand = apply_it(plan, lamps.hosts(), runbook, approval=approval)
    assert any(isinstance(one, Approve) and one.digest == plan.digest for one in hand.effects)
    assert (result.exit == 0) is good
    if good:
        assert [one.by for one in hand.events if isinstance(one, Approved)] == ["b"]
    else:
        assert isinstance(result.error, NotApproved)
        assert lamps.done == []
        assert hand.hosts.asked == []


def test_a_blocked_plan_is_never_begun() -> None:
    lamps = Lamps(broken={("EX2", "b")})
    plan = plan_it(lamps, two)
    result, hand = apply_it(plan, lamps.hosts(), two)
    assert isinstance(result.error, NotSafe)
    assert hand.hosts.asked == []


def test_applied_and_not_so_is_not_verified() -> None:
    lamps = Lamps(stuck=True)
    plan = plan_it(lamps, two)
    result, hand = apply_it(plan, lamps.hosts(), two)
    assert isinstance(result.error, NotVerified)
    assert result.exit == 5
    assert hand.ended() == ["a not-verified"]
    poll = next(one for one in hand.effects if isinstance(one, Poll))
    assert poll.settle == lit.settle
    assert lamps.done == ["on EX1/a"]


def test_waiting_ends_when_it_is_of_no_use() -> None:
    lamps = Lamps()
    plan = plan_it(lamps, two)
    hosts = lamps.hosts()

    def breaks_it(host: str, name: str) -> None:
        lamps.done.append(f"on {host}/{name}")
        lamps.broken.add((host, name))

    hosts.templates = {**hosts.templates, "lamp/on.ps1.j2": breaks_it}
    result, _ = apply_it(plan, hosts, two)
    assert isinstance(result.error, NotVerified)
    assert "a is broken" in result.error.what


def test_powershell_failing_is_read_again_and_ends_the_run() -> None:
    lamps = Lamps()
    plan = plan_it(lamps, two)
    hosts = lamps.hosts()
    hosts.templates = {key: value for key, value in hosts.templates.items() if key != "lamp/on.ps1.j2"}
    result, hand = apply_it(plan, hosts, two)
    assert isinstance(result.error, CmdletFailed)
    assert result.error.records[0].fqid == "CommandNotFoundException"
    assert any("module missing" in line for line in result.error.next)
    assert hand.ended() == ["a failed"]
    assert kinds(hand.effects)[-5:] == ["StepBegan", "write", "read", "StepEnded", "RunEnded"]


def test_powershell_failing_after_all_was_done_is_done() -> None:
    lamps = Lamps()
    plan = plan_it(lamps, two)
    hosts = lamps.hosts()
    hosts.fail(FakeFault("error-after", what="write"))
    result, hand = apply_it(plan, hosts, two)
    assert result.exit == 0
    assert hand.ended() == ["a changed", "b changed"]
    first = next(one for one in hand.events if isinstance(one, StepEnded))
    assert "the fact holds" in first.note


def test_a_passing_error_is_waited_out_and_tried_again_as_a_new_operation() -> None:
    from starover.testing import PowerShellError

    lamps = Lamps()
    plan = plan_it(lamps, two)
    hosts = lamps.hosts()
    fails = ["0x800706BA", "0x800706BA"]

    def flaky(host: str, name: str) -> None:
        if fails:
            raise PowerShellError(f"The RPC server is unavailable. ({fails.pop()})")
        lamps.switch_on(host, name)

    hosts.templates = {**hosts.templates, "lamp/on.ps1.j2": flaky}
    result, hand = apply_it(plan, hosts, two)
    assert result.exit == 0
    assert hand.waited == 5 + 20
    began = [one for one in hand.events if isinstance(one, StepBegan)]
    assert [one.attempt for one in began] == [1, 2, 3, 1]
    assert len({one.operation for one in began}) == 4
    assert lamps.done == ["on EX1/a", "on EX2/b"]


def test_what_passes_only_after_an_hour_is_not_waited_for_and_a_person_is_told() -> None:
    from starover.testing import PowerShellError

    lamps = Lamps()
    plan = plan_it(lamps, two)
    hosts = lamps.hosts()

    def suppressed(host: str, name: str) -> None:
        raise PowerShellError(f"An Active Manager operation failed. Error: {name} on {host}: too many moves")

    hosts.templates = {**hosts.templates, "lamp/on.ps1.j2": suppressed}
    result, hand = apply_it(plan, hosts, two)
    assert isinstance(result.error, CmdletFailed)
    assert hand.waited == 0
    assert any("wait an hour" in line for line in result.error.next)


# -- errors in the runbook ---------------------------------------------------------------------------------------------


def test_an_error_is_thrown_at_the_yield_and_the_runbook_may_put_things_right() -> None:
    lamps = Lamps()

    def runbook() -> Steps:
        yield lit.on(NODES[0], name="a")
        try:
            yield lit.on(NODES[1], name="b")
        except StaroverError:
            yield dark.on(NODES[0], name="a")
            raise

    plan = plan_it(lamps, runbook)
    hosts = lamps.hosts()
    good = hosts.templates["lamp/on.ps1.j2"]

    def fails(host: str, name: str) -> None:
        from starover.testing import PowerShellError

        if name == "b":
            raise PowerShellError("no")
        good(host, name)

    hosts.templates = {**hosts.templates, "lamp/on.ps1.j2": fails}
    result, hand = apply_it(plan, hosts, runbook)
    assert isinstance(result.error, CmdletFailed)
    assert hand.ended() == ["a changed", "b failed", "a changed"]
    assert [one.undoing for one in hand.events if isinstance(one, StepBegan)] == [False, False, True]
    assert lamps.on == set()


def swallows() -> Steps:
    with contextlib.suppress(StaroverError):
        yield lit.on(NODES[0], name="a")


def swallows_by_attempt() -> Steps:
    yield from attempt(one_step())


def one_step() -> Steps:
    yield lit.on(NODES[0], name="a")


@pytest.mark.parametrize("runbook", [swallows, swallows_by_attempt])
def test_a_failed_step_stays_failed_whatever_the_runbook_makes_of_it(runbook: Callable[[], Steps]) -> None:
    lamps = Lamps(stuck=True)
    result, _ = apply_it(plan_it(Lamps(), runbook), lamps.hosts(), runbook)
    assert isinstance(result.error, NotVerified)
    assert result.exit == 5


def test_after_a_host_went_quiet_nothing_more_is_changed() -> None:
    lamps = Lamps()

    def runbook() -> Steps:
        yield from attempt(one_step())
        yield lit.on(NODES[1], name="b")

    plan = plan_it(lamps, runbook)
    hosts = lamps.hosts()
    hosts.fail(FakeFault("silent", host="EX1", times=-1))
    result, hand = apply_it(plan, hosts, runbook)
    assert result.exit == 6
    assert hand.ended() == ["a unreachable", "b refused"]
    assert lamps.done == []


def reads_with_try() -> Steps:
    with contextlib.suppress(StaroverError):
        yield from colour.read(NODES[0])
    yield lit.on(NODES[1], name="b")


def reads_with_attempt() -> Steps:
    yield from attempt(colour.read(NODES[0]))
    yield lit.on(NODES[1], name="b")


@pytest.mark.parametrize(("runbook", "goes_on"), [(reads_with_try, False), (reads_with_attempt, True)])
def test_a_reading_without_answer_stops_changes_unless_it_was_attempted(
    runbook: Callable[[], Steps], goes_on: bool
) -> None:
    lamps = Lamps()
    plan = plan_it(lamps, runbook)
    hosts = lamps.hosts()
    hosts.fail(FakeFault("unreachable", host="EX1", times=-1))
    result, _ = apply_it(plan, hosts, runbook)
    assert (lamps.done == ["on EX2/b"]) is goes_on
    assert result.exit == (0 if goes_on else 6)


def test_putting_right_may_not_exceed_the_plan() -> None:
    lamps = Lamps(stuck=True)

    def runbook() -> Steps:
        try:
            yield lit.on(NODES[0], name="a")
        except StaroverError:
            yield smashed.on(NODES[3], name="everything")
            raise

    result, _ = apply_it(plan_it(Lamps(), runbook), lamps.hosts(), runbook)
    assert result.exit == 5
    assert lamps.done == ["on EX1/a"]


# -- beyond the plan's end ---------------------------------------------------------------------------------------------


def looks_between() -> Steps:
    yield lit.on(NODES[0], name="a")
    yield from colour.read(NODES[0])
    yield lit.on(NODES[1], name="b")


@pytest.mark.parametrize(
    ("beyond", "allowed"),
    [
        (Beyond(kinds=("lit",), targets=("EX2",), risk=Risk.LOW), True),
        (Beyond(kinds=("lit", "dark"), targets=("EX1", "EX2"), risk=Risk.DATA), True),
        (Beyond(kinds=("dark",), targets=("EX2",), risk=Risk.LOW), False),
        (Beyond(kinds=("lit",), targets=("EX3",), risk=Risk.LOW), False),
        (Beyond(kinds=("lit",), targets=("EX2",), risk=Risk.READ), False),
        (Beyond(), False),
    ],
)
def test_beyond_the_frontier_apply_does_what_is_declared_and_refuses_the_rest(beyond: Beyond, allowed: bool) -> None:
    lamps = Lamps()
    plan = plan_it(lamps, looks_between, beyond=beyond)
    result, hand = apply_it(plan, lamps.hosts(), looks_between)
    assert lamps.done == (["on EX1/a", "on EX2/b"] if allowed else ["on EX1/a"])
    if allowed:
        assert result.exit == 0
        assert [one.step for one in hand.events if isinstance(one, StepEnded)] == [1, 2]
    else:
        assert isinstance(result.error, PlanIsStale)


# -- waits and memories ------------------------------------------------------------------------------------------------


def shines(now: Any) -> bool:
    return bool(now.lit)


def waits() -> Steps:
    yield lit.on(NODES[0], name="a")
    yield from wait(lamp, NODES[1], until=shines, settle=Settle(10, 30), what="the other one", name="b")
    yield lit.on(NODES[2], name="c")


@pytest.mark.parametrize("holds", [True, False])
def test_a_wait_of_the_runbook(holds: bool) -> None:
    lamps = Lamps(on={("EX2", "b")} if holds else set())
    plan = plan_it(Lamps(), waits)
    result, hand = apply_it(plan, lamps.hosts(), waits)
    assert [one.state for one in hand.events if isinstance(one, WaitEnded)] == ["held" if holds else "not-verified"]
    assert lamps.done == (["on EX1/a", "on EX3/c"] if holds else ["on EX1/a"])
    assert result.exit == (0 if holds else 5)


def test_recall_gives_what_an_earlier_run_found() -> None:
    seen: list[object] = []

    def runbook() -> Steps:
        seen.append((yield from recall(NODES[0], lit, name="a")))
        seen.append((yield from recall(NODES[1], lit)))

    def found(find: Find) -> Found:
        import msgspec

        if find.host == "EX1" and find.arguments == {"name": "a"}:
            return Found(run="x", prev=msgspec.Raw(b'{"lit":false,"broken":false,"left":3}'))
        return Found()

    Hand(Lamps().hosts(), found=found).drive(make_run(), runbook())
    assert getattr(seen[0], "left", None) == 3
    assert seen[1] is None

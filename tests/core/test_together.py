"""Parts side by side: when one fails, its neighbours end the step they are in and none begins another."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from core_hand import NODES, Lamps, apply_it, colour, lit, plan_it

from starover import CmdletFailed, Server, StaroverError, Steps, attempt, together
from starover.effects import Effect, Record
from starover.events import StepBegan, StepEnded
from starover.testing import FakeFault, PowerShellError


def part(server: Server, names: str = "ab") -> Steps[str]:
    for name in names:
        yield lit.on(server, name=name)
    return server.name


def four() -> Steps:
    found = yield from together(part(server) for server in NODES)
    assert found == ["EX1", "EX2", "EX3", "EX4"]


def test_parts_run_side_by_side_and_give_what_they_found_in_their_order() -> None:
    lamps = Lamps()
    plan = plan_it(lamps, four)
    result, hand = apply_it(plan, lamps.hosts(), four)
    assert result.exit == 0
    assert len(lamps.done) == 8
    batches = [batch for batch in hand.batches if len(batch) == 4]
    assert batches  # four reads at once


def failing(lamps: Lamps, where: str, which: str) -> Callable[..., None]:
    def switch(host: str, name: str) -> None:
        if (host, name) == (where, which):
            raise PowerShellError("no")
        lamps.switch_on(host, name)

    return switch


def first_of(host: str) -> Callable[[list[tuple[int, Effect]]], int]:
    """Everything of one host first: its neighbours stay in the middle of what they do."""

    def take(open_: list[tuple[int, Effect]]) -> int:
        for at, (_, effect) in enumerate(open_):
            script = getattr(effect, "script", None)
            event = getattr(effect, "event", None)
            if host in (getattr(script, "host", ""), getattr(event, "host", "")):
                return at
        return 0

    return take


def test_when_one_fails_neighbours_in_the_middle_end_their_step_and_begin_no_other() -> None:
    lamps = Lamps()
    plan = plan_it(lamps, four)
    hosts = lamps.hosts()
    hosts.templates = {**hosts.templates, "lamp/on.ps1.j2": failing(lamps, "EX1", "a")}
    # all four have begun (intent journalled), then EX1 fails before the others are heard of
    begun: list[str] = []

    def take(open_: list[tuple[int, Effect]]) -> int:
        for at, (_, effect) in enumerate(open_):
            if isinstance(effect, Record) and isinstance(effect.event, StepBegan):
                begun.append(effect.event.host)
                return at
        if len(set(begun)) == 4:
            return first_of("EX1")(open_)
        return 0

    result, hand = apply_it(plan, hosts, four, take=take)
    assert isinstance(result.error, CmdletFailed)
    assert sorted(hand.ended()) == ["a changed", "a changed", "a changed", "a failed"]
    assert sorted(lamps.done) == ["on EX2/a", "on EX3/a", "on EX4/a"]


def test_a_neighbour_that_only_reads_so_far_does_not_begin() -> None:
    lamps = Lamps()
    plan = plan_it(lamps, four)
    hosts = lamps.hosts()
    hosts.templates = {**hosts.templates, "lamp/on.ps1.j2": failing(lamps, "EX1", "a")}
    result, hand = apply_it(plan, hosts, four, take=first_of("EX1"))
    assert result.exit == 1
    assert lamps.done == []
    assert hand.ended() == ["a failed"]


def test_the_gravest_of_several_failures_decides() -> None:
    lamps = Lamps()
    plan = plan_it(lamps, four)
    hosts = lamps.hosts()
    hosts.templates = {**hosts.templates, "lamp/on.ps1.j2": failing(lamps, "EX1", "a")}
    hosts.fail(
        FakeFault("lost-after", host="EX2", what="write"), FakeFault("silent", host="EX2", what="probe", times=-1)
    )
    result, hand = apply_it(plan, hosts, four)
    assert result.exit == 5
    assert {event.host: event.state for event in hand.events if isinstance(event, StepEnded)}["EX2"] == "unknown"


def test_what_follows_a_failed_together_is_not_begun() -> None:
    lamps = Lamps()

    def runbook() -> Steps:
        yield from together([part(NODES[0], "a"), part(NODES[1], "a")])
        yield lit.on(NODES[2], name="after")

    plan = plan_it(lamps, runbook)
    hosts = lamps.hosts()
    hosts.fail(FakeFault("unreachable", host="EX1", what="write"))
    result, _ = apply_it(plan, hosts, runbook)
    assert result.exit == 6
    assert "on EX3/after" not in lamps.done


def test_parts_may_fail_by_themselves_when_attempted() -> None:
    lamps = Lamps()

    seen: list[list[bool]] = []

    def runbook() -> Steps:
        found = yield from together(attempt(part(server)) for server in NODES[:3])
        seen.append([isinstance(one, StaroverError) for one in found])

    plan = plan_it(lamps, runbook)
    hosts = lamps.hosts()
    hosts.templates = {**hosts.templates, "lamp/on.ps1.j2": failing(lamps, "EX1", "a")}
    result, _ = apply_it(plan, hosts, runbook)
    assert seen == [[False] * 3, [True, False, False]]
    assert result.exit == 1  # the step failed all the same
    assert sorted(lamps.done) == ["on EX2/a", "on EX2/b", "on EX3/a", "on EX3/b"]


def test_together_within_together() -> None:
    lamps = Lamps()

    def pair(server: Server) -> Steps[list[str]]:
        return together([part(server, "a"), part(server, "b")])

    def runbook() -> Steps:
        found = yield from together(pair(server) for server in NODES[:2])
        assert found == [["EX1", "EX1"], ["EX2", "EX2"]]
        yield lit.on(NODES[3], name="last")

    plan = plan_it(lamps, runbook)
    assert [step.position for step in plan.steps] == [
        (0, 0, 0, 0, 0),
        (0, 0, 0, 1, 0),
        (0, 1, 0, 0, 0),
        (0, 1, 0, 1, 0),
        (1,),
    ]
    result, _ = apply_it(plan, lamps.hosts(), runbook)
    assert result.exit == 0
    assert len(lamps.done) == 5


def test_nothing_together_is_nothing() -> None:
    def runbook() -> Steps:
        found = yield from together([])
        assert found == []

    assert plan_it(Lamps(), runbook).nothing


@pytest.mark.parametrize("cleanup_asks", [False, True])
def test_a_part_that_is_let_go_cannot_ask_for_more(cleanup_asks: bool) -> None:
    lamps = Lamps()
    closed: list[str] = []

    def tidy(server: Server) -> Steps:
        try:
            yield from colour.read(server)
            yield lit.on(server, name="a")
            yield lit.on(server, name="b")
        finally:
            closed.append(server.name)
            if cleanup_asks:
                yield lit.on(server, name="cleanup")

    def runbook() -> Steps:
        yield from together([tidy(server) for server in NODES[:2]])

    plan = plan_it(lamps, lambda: together([part(NODES[0], "ab"), part(NODES[1], "ab")]))
    hosts = lamps.hosts()
    hosts.fail(FakeFault("unreachable", host="EX1", what="write"))
    result, _ = apply_it(plan, hosts, runbook)
    assert result.exit != 0
    assert "on EX2/cleanup" not in lamps.done
    assert "EX2" in closed


def test_a_passing_error_is_not_tried_again_once_a_neighbour_has_failed() -> None:
    lamps = Lamps()

    def pair() -> Steps:
        yield from together([part(NODES[0], "a"), part(NODES[1], "a")])

    def switch(host: str, name: str) -> None:
        raise PowerShellError("0x800706BA" if host == "EX2" else "no")

    plan = plan_it(lamps, pair)
    hosts = lamps.hosts()
    hosts.templates = {**hosts.templates, "lamp/on.ps1.j2": switch}
    result, hand = apply_it(plan, hosts, pair, take=first_of("EX1"))
    assert result.exit == 1
    ended = {event.host: event.state for event in hand.events if isinstance(event, StepEnded)}
    begun = [event.host for event in hand.events if isinstance(event, StepBegan)]
    assert ended.keys() == set(begun)  # whatever was begun has an end
    assert begun.count("EX2") <= 1

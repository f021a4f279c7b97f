"""What the machine does when nothing is to be changed: merged reads, changes, the frontier, the digest."""

from __future__ import annotations

import msgspec
import pytest
from core_hand import (
    NODES,
    START,
    Hand,
    Lamps,
    colour,
    lamp,
    lit,
    make_run,
    plan_it,
    smashed,
)

from starover import NotSafe, Settle, StaroverError, Steps, attempt, together, wait
from starover.effects import Record, Send
from starover.errors import CmdletFailed, ConnectFailed
from starover.plan import read_plan, write_plan
from starover.runbook import Beyond
from starover.step import Risk
from starover.testing import FakeFault


def reads_of(hand: Hand) -> list[list[str]]:
    return [[part.template for part in one.script.parts] for one in hand.effects if isinstance(one, Send)]


def test_a_plan_says_what_would_change_and_touches_nothing() -> None:
    lamps = Lamps(on={("EX1", "b")})

    def runbook() -> Steps:
        for name in ("a", "b"):
            yield lit.on(NODES[0], name=name)

    hand = Hand(lamps.hosts())
    result = hand.drive(make_run(), runbook())
    assert result.state == "planned"
    assert result.plan is not None
    assert [(one.number, one.mark, one.what, one.host) for one in result.plan.steps] == [
        (1, "~", "a", "EX1"),
        (2, "=", "A lamp that shines.", "EX1"),
    ]
    assert lamps.done == []
    assert hand.hosts.writes == []
    assert result.plan.risk is Risk.LOW
    assert result.plan.made == START


def test_readings_ready_at_the_same_moment_are_one_script_for_each_server() -> None:
    def part(server: object, name: str) -> Steps:
        yield lit.on(server, name=name)  # type: ignore[arg-type]

    def whole() -> Steps:
        yield from together([part(server, name) for server in NODES[:2] for name in ("a", "b", "a")])

    hand = Hand(Lamps().hosts())
    result = hand.drive(make_run(), whole())
    # two servers, two different lamps each: two scripts of two parts, sent in one batch
    assert reads_of(hand) == [["lamp/read.ps1.j2"] * 2] * 2
    assert [len(batch) for batch in hand.batches if batch and isinstance(batch[0], Send)] == [2]
    assert result.plan is not None
    assert len(result.plan.steps) == 6


def test_a_bad_query_fails_alone() -> None:
    lamps = Lamps()
    hosts = lamps.hosts()
    hosts.templates = {"lamp/read.ps1.j2": lamps.read}
    seen: list[object] = []

    def one() -> Steps:
        seen.append((yield from attempt(colour.read(NODES[0]))))

    def other() -> Steps:
        seen.append((yield from lamp.read(NODES[0], name="a")))

    def runbook() -> Steps:
        yield from together([one(), other()])

    hand = Hand(hosts)
    result = hand.drive(make_run(), runbook())
    assert result.exit == 0
    assert len(reads_of(hand)) == 1
    assert isinstance(seen[0], CmdletFailed)
    assert seen[0].records[0].fqid == "CommandNotFoundException"
    assert not isinstance(seen[1], StaroverError)


def test_what_cannot_be_rendered_or_composed_fails_alone() -> None:
    class Content:
        sha256 = "1" * 64

        def body(self, template: str, arguments: object) -> object:
            from starover.errors import BadTemplate
            from starover.render import Body

            if template.startswith("lamp/colour"):
                raise BadTemplate("no such template")
            return Body(text="#\n", sha256="2" * 64, exchange=("Get-Lamp",) if arguments else ())

    run = make_run()
    run.content = Content()  # type: ignore[assignment]
    seen: list[object] = []

    def part(ask: Steps[object]) -> Steps:
        seen.append((yield from attempt(ask)))

    def runbook() -> Steps:
        # EX1 has no `exchange:`, so what wants an Exchange cmdlet cannot be composed for it
        queries = [colour.read(NODES[0]), lamp.read(NODES[0], name="a"), lamp.read(NODES[0])]
        yield from together([part(query) for query in queries])  # type: ignore[arg-type]

    hosts = Lamps().hosts()
    hosts.templates = {"lamp/read.ps1.j2": lambda host, **_: {"lit": True}}
    result = Hand(hosts).drive(run, runbook())
    assert result.exit == 0
    kinds = sorted(type(one).__name__ for one in seen)
    assert kinds == ["BadInventory", "BadTemplate", "Lamp"]


def test_the_plan_ends_at_the_first_reading_that_follows_a_change() -> None:
    def runbook() -> Steps:
        yield from colour.read(NODES[0])
        yield lit.on(NODES[0], name="a")
        yield lit.on(NODES[1], name="a")
        yield from colour.read(NODES[0])
        yield lit.on(NODES[2], name="never planned")

    plan = plan_it(Lamps(), runbook, beyond=Beyond(kinds=("lit",), targets=("EX3",), risk=Risk.SERVICE))
    assert [one.host for one in plan.steps] == ["EX1", "EX2"]
    assert not plan.complete
    assert "lamp/colour.ps1.j2 on EX1" in plan.frontier
    assert plan.risk is Risk.SERVICE
    assert plan.foresees((0,))
    assert plan.foresees((1,))
    assert not plan.foresees((2,))


def test_a_reading_after_a_step_that_is_right_is_no_frontier() -> None:
    def runbook() -> Steps:
        yield lit.on(NODES[0], name="a")
        yield from colour.read(NODES[0])
        yield lit.on(NODES[1], name="b")

    plan = plan_it(Lamps(on={("EX1", "a")}), runbook)
    assert plan.complete
    assert [one.mark for one in plan.steps] == ["=", "~"]


def test_the_frontier_of_one_part_does_not_end_its_neighbours() -> None:
    def part(server: object, *, looks: bool) -> Steps:
        yield lit.on(server, name="a")  # type: ignore[arg-type]
        if looks:
            yield from colour.read(server)  # type: ignore[arg-type]
        yield lit.on(server, name="b")  # type: ignore[arg-type]

    def runbook() -> Steps:
        yield lit.on(NODES[3], name="first")
        yield from together([part(NODES[0], looks=True), part(NODES[1], looks=False)])
        yield lit.on(NODES[3], name="last")

    plan = plan_it(Lamps(on={("EX4", "first")}), runbook)
    assert [(one.host, one.what) for one in plan.changes] == [("EX1", "a"), ("EX2", "a"), ("EX2", "b")]
    assert not plan.foresees((1, 0, 1))
    assert plan.foresees((1, 1, 1))
    assert not plan.foresees((2,))


def test_together_after_a_change_reads_nothing_more() -> None:
    def runbook() -> Steps:
        yield lit.on(NODES[0], name="a")
        yield from together([colour.read(NODES[1])])

    assert plan_it(Lamps(), runbook).stops == ((1, 0, 0), (2,))


def test_a_wait_for_what_a_planned_step_brings_about_is_taken_to_end_well() -> None:
    def shines(now: object) -> bool:
        return bool(getattr(now, "lit", False))

    def runbook() -> Steps:
        yield lit.on(NODES[0], name="a")
        yield from wait(lamp, NODES[0], until=shines, settle=Settle(5, 60), what="light", name="a")
        yield lit.on(NODES[0], name="b")

    def waits_first() -> Steps:
        yield from wait(lamp, NODES[0], until=shines, settle=Settle(5, 60), what="light", name="a")
        yield lit.on(NODES[0], name="b")

    assert [one.what for one in plan_it(Lamps(), runbook).changes] == ["a", "b"]
    stopped = plan_it(Lamps(), waits_first)
    assert stopped.changes == ()
    assert "light" in stopped.frontier
    assert plan_it(Lamps(on={("EX1", "a")}), waits_first).complete


def test_a_plan_goes_on_behind_what_comes_by_itself_but_reads_nothing_more() -> None:
    def runbook() -> Steps:
        settle = Settle(5, 60)
        yield from wait(lamp, NODES[0], until=lambda now: now.lit, settle=settle, what="x", expected=True, name="a")
        yield lit.on(NODES[0], name="b")
        yield from colour.read(NODES[0])

    plan = plan_it(Lamps(), runbook)
    assert [one.what for one in plan.changes] == ["b"]
    assert plan.stops == ((2,),)


def test_a_step_that_is_blocked_is_in_the_plan_with_everything_else() -> None:
    def runbook() -> Steps:
        yield lit.on(NODES[0], name="a")
        yield lit.on(NODES[0], name="b")

    hand = Hand(Lamps(broken={("EX1", "a")}).hosts())
    result = hand.drive(make_run(), runbook())
    assert result.state == "refused"
    assert result.exit == 4
    assert result.plan is not None
    assert [one.mark for one in result.plan.steps] == ["!", "~"]
    assert result.plan.blocked[0].blocked is not None
    assert result.plan.blocked[0].blocked.guard == "G-BULB"


def test_a_runbook_that_only_looks_returns_its_report_and_the_journal_keeps_it() -> None:
    class Seen(msgspec.Struct):
        colours: list[str]

    def runbook() -> Steps[Seen]:
        found = yield from together(colour.read(server) for server in NODES)
        return Seen([one.colour for one in found])

    hand = Hand(Lamps(on={("EX2", "x")}).hosts())
    result = hand.drive(make_run(), runbook())
    assert result.state == "looked"
    assert result.value == Seen(["red []", "red ['x']", "red []", "red []"])
    kept = [one.event for one in hand.effects if isinstance(one, Record) and hasattr(one.event, "report")]
    assert msgspec.json.decode(kept[0].report, type=Seen) == result.value  # type: ignore[union-attr]


def test_an_error_ends_the_plan_and_names_the_host() -> None:
    def runbook() -> Steps:
        yield from colour.read(NODES[0])

    hosts = Lamps().hosts()
    hosts.fail(FakeFault("unreachable", host="EX1"))
    hand = Hand(hosts)
    result = hand.drive(make_run(), runbook())
    assert isinstance(result.error, ConnectFailed)
    assert (result.state, result.exit, result.error.host) == ("unreachable", 6, "EX1")
    assert hand.end.fault is not None


def test_a_host_that_is_attempted_is_a_fact() -> None:
    def runbook() -> Steps[object]:
        found = yield from together(attempt(colour.read(server)) for server in NODES)
        return Struct([type(one).__name__ for one in found])

    class Struct(msgspec.Struct):
        kinds: list[str]

    hosts = Lamps().hosts()
    hosts.fail(FakeFault("silent", host="EX3", times=-1))
    result = Hand(hosts).drive(make_run(), runbook())
    assert result.exit == 0
    assert result.value == Struct(["Colour", "Colour", "ConnectFailed", "Colour"])


def test_a_reading_that_was_lost_is_tried_again_and_one_that_timed_out_is_not() -> None:
    def runbook() -> Steps:
        yield from colour.read(NODES[0])

    hosts = Lamps().hosts()
    hosts.fail(FakeFault("lost-before", times=2))
    hand = Hand(hosts)
    assert hand.drive(make_run(), runbook()).exit == 0
    assert len(hosts.asked) == 3
    assert len({script.nonce for script in hosts.asked}) == 3

    hosts.fail(FakeFault("timed-out", times=-1))
    hosts.asked.clear()
    assert Hand(hosts).drive(make_run(), runbook()).exit == 5
    assert len(hosts.asked) == 1


def test_throttling_is_waited_out() -> None:
    def runbook() -> Steps:
        yield from colour.read(NODES[0])

    hosts = Lamps().hosts()
    hosts.fail(FakeFault("throttled"))
    hand = Hand(hosts)
    assert hand.drive(make_run(), runbook()).exit == 0
    assert hand.waited == 7.0


def test_the_digest_binds_what_would_be_done_and_nothing_else() -> None:
    def runbook() -> Steps:
        yield from colour.read(NODES[0])
        yield lit.on(NODES[0], name="a")

    def other() -> Steps:
        yield from colour.read(NODES[0])
        yield lit.on(NODES[0], name="b")

    plan = plan_it(Lamps(), runbook)
    again = plan_it(Lamps(on={("EX1", "zzz")}), runbook, key="aaaaaaaa-8f0b-4b13-9d62-0d1c7f1f9a01")
    assert again.digest == plan.digest  # other facts, other nonces, other run: the same doing
    assert plan_it(Lamps(), other).digest != plan.digest
    assert plan_it(Lamps(on={("EX1", "a")}), runbook).digest != plan.digest


def test_a_plan_survives_its_file_and_a_changed_one_is_found() -> None:
    def runbook() -> Steps:
        yield lit.on(NODES[0], name="a")
        yield smashed.on(NODES[1], name="b")

    plan = plan_it(Lamps(), runbook)
    assert read_plan(write_plan(plan)) == plan
    for old, new in ((b'"EX1"', b'"EX2"'), (b'"pieces"', b'"dust"'), (b"# lamp/on", b"# lamp/of")):
        with pytest.raises(StaroverError, match="changed after it was made"):
            read_plan(write_plan(plan).replace(old, new))


def test_the_order_in_which_hosts_answer_does_not_change_the_plan() -> None:
    def part(server: object) -> Steps:
        yield from colour.read(server)  # type: ignore[arg-type]
        yield lit.on(server, name="a")  # type: ignore[arg-type]

    def runbook() -> Steps:
        yield from together([part(server) for server in NODES])

    first = Hand(Lamps().hosts()).drive(make_run(), runbook())
    last = Hand(Lamps().hosts(), take=lambda open_: len(open_) - 1).drive(make_run(), runbook())
    assert first.plan is not None
    assert first.plan == last.plan


def test_a_guard_of_the_runbook_itself_refuses() -> None:
    def runbook() -> Steps:
        yield from colour.read(NODES[0])
        raise NotSafe("taking it out would leave mail one fault from a stop")

    hand = Hand(Lamps().hosts())
    result = hand.drive(make_run(), runbook())
    assert (result.state, result.exit) == ("refused", 4)


def test_a_bug_in_a_runbook_is_an_error_with_a_sentence() -> None:
    def runbook() -> Steps:
        yield from colour.read(NODES[0])
        raise KeyError("oops")

    result = Hand(Lamps().hosts()).drive(make_run(), runbook())
    assert result.error is not None
    assert "wrong in itself: KeyError" in result.error.what
    assert result.exit == 1


def test_a_reading_that_was_yielded_instead_of_yielded_from_is_explained() -> None:
    def runbook() -> Steps:
        yield colour.read(NODES[0])  # type: ignore[misc]

    result = Hand(Lamps().hosts()).drive(make_run(), runbook())
    assert result.error is not None
    assert "yields a generator" in result.error.what
    assert "`yield from`" in result.error.what

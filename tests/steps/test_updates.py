"""Updates as data: which are wanted, what a code means, and the verdict after a round, judged by our own search."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from starover_lab.powershell import subset
from starover_lab.powershell.parser import parse

from starover.content import find
from starover.errors import BadParameter
from starover.render import expanded
from starover.steps.move_history import MoveEvent, MoveEvents, longest, moves
from starover.steps.patch_manager import LeftPatch, told_by_baseline
from starover.steps.rolling import Left, Order, fewest, pause_checked
from starover.steps.update_task import Installation, Offer, UpdateResult, updates_order
from starover.steps.updates import CATEGORIES, Exclude, Round, Wish, failure_of, judge, judge_hung, judge_setup

WORKER = Path(__file__).parent.parent / "data" / "update_worker.ps1"
TITLE = "2026-11 Cumulative Update for Microsoft server operating system version 24H2 (KB5044411)"


def offer(kb: str = "KB5044411", **fields: Any) -> Offer:
    one = Offer(
        id=f"id-{kb}",
        revision=200,
        title=TITLE,
        articles=(kb,),
        categories=(CATEGORIES["security"],),
        severity="Critical",
        reboot=1,
        downloaded=False,
        browse_only=False,
        size=1,
    )
    return msgspec.structs.replace(one, **fields)


def said(kb: str, code: int = 2, hresult: str = "0x00000000") -> UpdateResult:
    return UpdateResult(id=f"id-{kb}", code=code, hresult=hresult, reboot=True, problem="")


def one_round(*results: UpdateResult, wanted: tuple[Offer, ...] = (), problem: str = "") -> Round:
    return Round(wanted=wanted or (offer(),), results=results, problem=problem, booted=True)


# -- which -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, ""),
        ({"categories": (CATEGORIES["security"].upper(),)}, ""),
        ({"categories": (CATEGORIES["rollups"],)}, "not among security, critical"),
        ({"browse_only": True}, "optional"),
        ({"title": "Security Update For Exchange Server SE RTM (KB5066366)"}, "excluded"),
        ({"title": "Cumulative Update 15 for Exchange Server 2019"}, "excluded"),
        ({"title": "Exchange Server 2019 CU14 Security Update"}, "excluded"),
        ({"title": "Microsoft .NET Framework 4.8.1 for Windows Server 2022 (KB5011048)"}, "excluded"),
        ({"title": "2026-11 Cumulative Update for .NET Framework 3.5 and 4.8.1 (KB5044400)"}, ""),
    ],
)
def test_what_is_wanted_by_default(fields: dict[str, Any], why: str) -> None:
    assert Wish().why_not(offer(**fields)) == why


def test_an_article_is_wanted_or_left_out_by_its_name() -> None:
    drivers = offer(categories=("other",), browse_only=True)
    assert Wish(include=("KB5044411",)).why_not(drivers) == ""
    assert Wish(exclude=(Exclude("kb5044411"),)).why_not(offer()) == "excluded"
    assert Wish(exclude=(Exclude("24h2"),), include=("KB5044411",)).why_not(offer()) == "excluded", "leaving out wins"
    assert Wish(exclude=(Exclude("KB504441"),)).why_not(offer()) == "", "an article is whole"
    assert str(Exclude.parse(".*x")) == ".*x"


@pytest.mark.parametrize("text", ["(", "(" * 150, "(" * 3000, "a{99999999999}", "[[a]", "x" * 100_000])
def test_what_is_no_expression_is_refused_in_a_line(text: str) -> None:
    with pytest.raises(BadParameter) as found:
        Exclude.parse(text)
    assert len(found.value.what) < 400


def test_codes_are_retried_only_where_that_may_help() -> None:
    assert failure_of("0x80240016").again
    assert failure_of("0x80072ee2").again
    assert not failure_of("0x800F0922").again
    unknown = failure_of("0x81234567")
    assert not unknown.again
    assert "0x81234567" in unknown.says


def test_one_order_is_one_order() -> None:
    same = updates_order("EX1", "2026-11-20T14:00:00Z", 1, ["b", "a"])
    assert same == updates_order("ex1", "2026-11-20T14:00:00Z", 1, ["a", "b"])
    others = [
        updates_order("EX2", "2026-11-20T14:00:00Z", 1, ["a", "b"]),
        updates_order("EX1", "2026-11-20T15:00:00Z", 1, ["a", "b"]),
        updates_order("EX1", "2026-11-20T14:00:00Z", 2, ["a", "b"]),
        updates_order("EX1", "2026-11-20T14:00:00Z", 1, ["a"]),
    ]
    assert len({same, *others}) == 5


# -- verdicts ----------------------------------------------------------------------------------------------------------


def test_nothing_left_is_patched_whatever_the_agent_said() -> None:
    liar = one_round(said("KB5044411", 4, "0x800F0922"))
    verdict = judge("EX1", [liar], [], max_rounds=3, due=False)
    assert verdict is not None
    assert (verdict.word, verdict.good) == ("patched", True)
    due = judge("EX1", [one_round(said("KB5044411"))], [], max_rounds=3, due=True)
    assert due is not None
    assert (due.word, due.good) == ("restart-due", True)


def test_what_failed_for_good_is_not_tried_again() -> None:
    verdict = judge("EX1", [one_round(said("KB5044411", 4, "0x80070070"))], [offer()], max_rounds=3, due=False)
    assert verdict is not None
    assert verdict.word == "failing"
    assert "disk is full" in verdict.says
    assert "--exclude KB5044411" in verdict.next[0]


@pytest.mark.parametrize(
    "last",
    [
        one_round(said("KB5044411", 4, "0x80240016")),
        one_round(said("KB5044411", 3)),
        one_round(),
        one_round(problem="0x80072EE2 The operation timed out"),
    ],
    ids=["another installation", "with errors", "never came to it", "network"],
)
def test_what_may_help_is_tried_until_the_rounds_are_over(last: Round) -> None:
    assert judge("EX1", [last], [offer()], max_rounds=2, due=False) is None
    verdict = judge("EX1", [last, last], [offer()], max_rounds=2, due=False)
    assert verdict is not None
    assert verdict.word == "failing"


def test_a_loop_is_told_from_a_slow_update() -> None:
    fine = one_round(said("KB5044411"))
    assert judge("EX1", [fine], [offer()], max_rounds=3, due=False) is None, "once may be a slow detection"
    verdict = judge("EX1", [fine, fine], [offer()], max_rounds=3, due=False)
    assert verdict is not None
    assert verdict.word == "looping"
    assert "KB5044411" in verdict.says
    assert not verdict.good
    only = judge("EX1", [fine], [offer()], max_rounds=1, due=False)
    assert only is not None
    assert only.word == "looping"


def test_new_updates_need_another_round_and_end_with_the_rounds() -> None:
    fine, more = one_round(said("KB5044411")), offer("KB5090001")
    assert judge("EX1", [fine], [more], max_rounds=2, due=False) is None
    verdict = judge("EX1", [fine], [more], max_rounds=1, due=False)
    assert verdict is not None
    assert (verdict.word, verdict.good) == ("second-round", False)
    assert "KB5090001" in verdict.says


def test_silence_for_longer_than_three_quarters_of_an_hour_is_a_hang() -> None:
    def at(heartbeat: str, *, running: bool = True) -> Installation:
        return Installation(
            order="x", phase="installing", current="id-KB5044411", problem="", heartbeat=heartbeat, results=(),
            task=True, running=running, utc="2026-11-20T15:00:00.0000000Z",
        )  # fmt: skip

    assert not at("2026-11-20T14:15:00.0000000Z").hung
    assert not at("2026-11-20T14:00:00.0000000Z", running=False).hung, "it has ended"
    assert not at("").hung
    hung = at("2026-11-20T14:14:59.0000000Z")
    assert hung.hung
    verdict = judge_hung("EX1", hung, [("id-KB5044411", "KB5044411")])
    assert (verdict.word, verdict.good) == ("hung", False)
    assert "installing KB5044411" in verdict.says


def test_a_setup_that_broke_off_is_half_repaired() -> None:
    assert judge_setup("EX1", (), ()) is None
    for found in (judge_setup("EX1", ("HubTransportRole",), ()), judge_setup("EX1", (), ("MSExchangeIS",))):
        assert found is not None
        assert (found.word, found.good) == ("half-repaired", False)


# -- what a rolling run tells ------------------------------------------------------------------------------------------


def test_moves_are_paired_by_their_operation() -> None:
    def event(number: int, minute: int, second: int, *values: str) -> MoveEvent:
        return MoveEvent(id=number, time=f"2026-11-20T14:{minute:02}:{second:02}.0000000Z", values=values)

    here = MoveEvents(events=(event(308, 5, 20, "op1", "DB01"), event(306, 5, 0, "op1", "DB01")))
    there = MoveEvents(
        events=(event(306, 6, 0, "op2", "db02"), event(308, 6, 45, "op2"), event(306, 7, 0, "op3", "DB01"))
    )
    found = moves([here, there, here], ["DB01", "DB02"], "2026-11-20T14:00:00.0000000Z")
    assert [(one.database, one.took) for one in found] == [
        ("DB01", timedelta(seconds=20)),
        ("DB02", timedelta(seconds=45)),
    ]
    worst = longest(found)
    assert worst is not None
    assert worst.database == "DB02"
    assert moves([here, there], ["DB01"], "2026-11-20T14:06:00.0000000Z") == ()
    assert longest([]) is None


def test_orders_and_pauses() -> None:
    assert str(Order.parse("EX2, EX1")) == "EX2,EX1"
    assert Order.parse("auto").servers == ()
    for wrong in ("EX1,EX1", "EX1,", "ex1,EX1"):
        with pytest.raises(BadParameter):
            Order.parse(wrong)
    assert pause_checked(timedelta(hours=4)) == 14400
    with pytest.raises(BadParameter):
        pause_checked(timedelta(hours=5))


def test_the_least_redundancy_is_told() -> None:
    left = [
        Left(database="DB01", good=3, of=4, without="EX1"),
        Left(database="DB02", good=2, of=4, without="EX2"),
        Left(database="DB03", good=2, of=2, without="EX2"),
    ]
    assert fewest(left) is left[1], "two of four are fewer than two of two"
    assert fewest([]) is None


def test_what_a_patch_baseline_leaves_out_is_no_failure() -> None:
    wanted = (offer("KB5044411"), offer("KB5043080"), offer("KB5041111"))
    left = (LeftPatch(article="KB5043080", title="", state="Missing"),)
    results, left_out = told_by_baseline(wanted, wanted[1:], left)
    assert [(one.id, one.code) for one in results] == [("id-KB5044411", 2), ("id-KB5043080", 4)]
    assert [one.name for one in left_out] == ["KB5041111"]
    verdict = judge("EX1", [one_round(*results, wanted=wanted)], [wanted[1]], max_rounds=1, due=False)
    assert verdict is not None
    assert (verdict.word, "Missing" in verdict.says) == ("failing", True)


# -- the worker --------------------------------------------------------------------------------------------------------


def test_the_worker_is_a_script_of_its_own_that_a_person_has_seen() -> None:
    """It stays in the subset, parses, and is what stands in tests/data: STAROVER_SNAPSHOTS=write makes it anew."""
    text = expanded(find().templates, "update/_worker.ps1.j2")
    assert subset.check(text, "body") == []
    parse(text)
    assert text.isascii()
    assert "\n'@" not in text, "it travels in a here-string"
    assert not {"Restart-Computer", "shutdown.exe", "Stop-Computer"} & {use.name for use in subset.commands_used(text)}
    if os.environ.get("STAROVER_SNAPSHOTS") == "write":
        WORKER.write_text(text, encoding="utf-8-sig", newline="\n")
    assert WORKER.read_text(encoding="utf-8-sig") == text

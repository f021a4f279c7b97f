"""The plan's screen: verdict, steps, remarks, next; and the question that follows it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import cli_maps
import msgspec
import pytest
from approving import second
from starover_cli.console import Console
from starover_cli.prompt import Answers, NotConfirmed, consent
from starover_cli.views.plan import plan_lines, plan_text

from starover.plan import Plan, PlannedStep
from starover.runbook import Beyond
from starover.step import Blocked, Change, Risk

MADE = datetime(2026, 11, 20, 14, 0, 30, tzinfo=UTC)
WHERE = msgspec.structs.replace(cli_maps.WHERE, at=datetime(2026, 11, 20, 14, 0, 31, tzinfo=UTC))


def step(number: int, **more: object) -> PlannedStep:
    values: dict[str, object] = {
        "number": number,
        "position": (number,),
        "kind": "suspended",
        "title": "A copy that no longer replicates.",
        "host": "ExchangeNode2",
        "risk": Risk.LOW,
        "arguments": {"identity": f"DB{number}/ExchangeNode2"},
        "undo": True,
    }
    return PlannedStep(**(values | more))  # type: ignore[arg-type]


def change(number: int, note: str = "") -> Change:
    return Change(f"DB{number}/ExchangeNode2", "Healthy", "Suspended", note=note)


def plan(*steps: PlannedStep, **more: object) -> Plan:
    values: dict[str, object] = {
        "digest": "4c1e77b0" + "0" * 56,
        "runbook": "copies-suspend",
        "summary": "Suspend database copies on a server",
        "parameters": {},
        "content": "c",
        "version": "0.1.0",
        "estate": "aws-2az-nodac",
        "lab": True,
        "made": MADE,
        "steps": steps,
    }
    return Plan(**(values | more))  # type: ignore[arg-type]


SCREEN = """\
LAB   aws-2az-nodac   DAG DAG   2 members  quorum 3/3   DAC Off            Fri 20 Nov 14:00:31 (sim)
plan  4c1e77b0        copies-suspend    risk L            facts of 14:00:30, good for 30 min

DB1/ExchangeNode2 goes from Healthy to Suspended.

  #     on             step               now            wanted
  1  ~  ExchangeNode2  DB1/ExchangeNode2  Healthy        Suspended   comment "disk swap"
  2  =  ExchangeNode2  DB2/ExchangeNode2  right already  suspended

  undo         starover undo RUN restores what was before

1 change, 1 already right. Nothing was sent but reads.

next:
  starover apply 4c1e77b0                        exactly this, if the facts still hold
  starover plans show 4c1e77b0 --step 1 --script   what would be sent"""


def test_a_plan_on_one_screen() -> None:
    made = plan(step(1, change=change(1, 'comment "disk swap"')), step(2))
    text = plan_text(made, WHERE, good_for="good for 30 min")
    assert re.sub(" {3,}", "   ", text) == re.sub(" {3,}", "   ", SCREEN)


def test_nothing_to_do_is_one_line_with_its_reason() -> None:
    lines = plan_text(plan(step(1)), WHERE).splitlines()
    assert lines[-1] == "Nothing to do: DB1/ExchangeNode2 is suspended already."
    assert "next:" not in lines


def test_a_blocked_plan_offers_no_apply() -> None:
    blocked = Blocked(
        "DB1/ExchangeNode2 was suspended by somebody else",
        guard="G-COPIES",
        next=("starover run copies-resume --db DB1 --server ExchangeNode2 --force-foreign",),
    )
    text = plan_text(plan(step(1, blocked=blocked)), WHERE)
    assert "starover apply" not in text
    assert "G-COPIES" in text
    assert "--force-foreign" in text
    assert "1 blocked" in text


def test_the_frontier_says_what_may_come_and_what_is_refused() -> None:
    made = plan(
        step(1, change=change(1)),
        stops=((2,),),
        frontier="copies of DB1",
        beyond=Beyond(kinds=("resumed",), targets=("ExchangeNode2",), risk=Risk.LOW),
    )
    text = plan_text(made, WHERE)
    assert "copies of DB1" in text
    assert "at most resumed on ExchangeNode2, risk L" in text
    assert "refused" in text


def test_a_question_takes_the_place_of_advice() -> None:
    text = plan_text(plan(step(1, change=change(1))), WHERE, asking=True)
    assert "next:" not in text
    assert "~" in text


def test_what_has_no_way_back_says_so() -> None:
    one_way = plan(step(1, change=change(1)), step(2, change=change(2), undo=False))
    assert "step 1; the others have no way back" in plan_text(one_way, WHERE)


class Somebody(Console):
    """A console with a person before it, who answers the questions in turn."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.there = bool(answers)
        self.asked: list[str] = []
        self.noted: list[str] = []

    @property
    def interactive(self) -> bool:
        return self.there

    def ask(self, question: str) -> str:
        self.asked.append(question)
        return self.answers.pop(0)

    def note(self, text: str) -> None:
        self.noted.append(text)


def answered(made: Plan, answer: str | tuple[str, ...] | None, **given: Any) -> tuple[Any, Somebody]:
    console = Somebody(*(() if answer is None else (answer,) if isinstance(answer, str) else answer))
    given = {"ticket": "INC1", "second": second(made)} | given
    approval = consent(made, console, Answers(**given), dag="DAG", now=MADE, who="oncall-a")
    return approval, console


def of_risk(risk: Risk, note: str = "") -> Plan:
    return plan(step(1, change=change(1, note), risk=risk))


@pytest.mark.parametrize("risk", [Risk.LOW, Risk.SERVICE])
def test_low_risk_is_a_yes_or_no(risk: Risk) -> None:
    approval, console = answered(of_risk(risk), "y")
    assert (approval.how, approval.by) == ("confirmed", "oncall-a")
    assert console.asked == ["Do it? [y/N] "]
    with pytest.raises(NotConfirmed):
        answered(of_risk(risk), "")


@pytest.mark.parametrize(
    ("risk", "right", "wrong"), [(Risk.DATA, "4c1e77b0", "y"), (Risk.SPLIT, "DAG", "y"), (Risk.SPLIT, "DAG", "dag")]
)
def test_grave_risk_is_typed_out(risk: Risk, right: str, wrong: str) -> None:
    approval, _ = answered(of_risk(risk), right)
    assert approval.how == "digest"
    with pytest.raises(NotConfirmed):
        answered(of_risk(risk), wrong)


def test_yes_does_not_answer_for_lost_mail() -> None:
    with pytest.raises(NotConfirmed) as caught:
        answered(of_risk(Risk.DATA), None, yes=True)
    assert "--approve 4c1e77b0" in caught.value.next[0]
    approval, _ = answered(of_risk(Risk.DATA), None, approve="4c1e77b0")
    assert approval.digest == "4c1e77b0"


def test_where_nobody_is_nobody_is_asked_and_the_flag_is_named() -> None:
    with pytest.raises(NotConfirmed) as caught:
        answered(of_risk(Risk.LOW), None)
    assert caught.value.exit == 2
    assert caught.value.next == ("starover apply 4c1e77b0 --yes --ticket INC1",), "what was typed is not lost"
    approval, console = answered(of_risk(Risk.LOW), None, yes=True)
    assert approval is not None
    assert console.asked == []


@pytest.mark.parametrize("risk", [Risk.DATA, Risk.SPLIT])
def test_the_loss_is_typed_before_anything_else_is_agreed_to(risk: Risk) -> None:
    made = of_risk(risk, "may lose DB1=3; last log 02:47:10")
    name = () if risk is Risk.DATA else ("DAG",)
    approval, console = answered(made, ("DB1=3", *name))
    assert approval.accepted == ("DB1=3",)
    assert "DB1: at most 3 logs" in console.noted[0]
    assert len(console.asked) == 1 + len(name)
    for wrong in ("", "y", "DB1=4", "DAG"):
        with pytest.raises(NotConfirmed):
            answered(made, (wrong, *name))


def test_a_ticket_that_was_not_given_is_asked_for() -> None:
    approval, console = answered(of_risk(Risk.SPLIT), ("CHG-7", "DAG"), ticket="")
    assert approval.ticket == "CHG-7"
    assert "Ticket" in console.asked[0]
    for wrong in ("", "no ticket; really"):
        with pytest.raises(NotConfirmed):
            answered(of_risk(Risk.SPLIT), (wrong, "DAG"), ticket="")


def test_what_will_be_refused_is_not_asked_for() -> None:
    approval, console = answered(of_risk(Risk.SPLIT), ("DAG",), second=None)
    assert approval.second is None
    assert console.asked == []


def test_with_broken_glass_the_name_is_typed_whatever_the_line_said() -> None:
    glass = {"second": None, "break_glass": "nobody answers the phone", "approve": "4c1e77b0", "dag": "DAG"}
    approval, console = answered(of_risk(Risk.SPLIT), "DAG", **glass)
    assert approval.break_glass == "nobody answers the phone"
    assert "BREAK GLASS" in console.noted[0]
    with pytest.raises(NotConfirmed):
        answered(of_risk(Risk.SPLIT), "", **glass)
    approval, console = answered(of_risk(Risk.SPLIT), None, **glass)
    assert approval.break_glass
    with pytest.raises(NotConfirmed):
        answered(of_risk(Risk.SPLIT), None, **(glass | {"dag": ""}))


def test_reading_is_never_asked_for() -> None:
    made = msgspec.structs.replace(plan(step(1)), steps=())
    approval, console = answered(made, None)
    assert approval is None
    assert console.asked == []


def test_a_wide_plan_keeps_its_columns_and_a_narrow_one_its_words() -> None:
    long = Change("DAG DAG", "no quorum", "ExchangeNode2 with FileServer3.example.com as its witness", note="DB1: none")
    made = plan(step(1, change=long), step(2))
    wide = plan_lines(made, 80)
    at = wide[0].index("wanted")
    wanted = [line[at:].strip() for line in wide[1:4]]
    assert wanted == ["ExchangeNode2 with", "FileServer3.example.com", "as its witness"]
    assert wide[4].split() == ["DB1:", "none"], "a note stands in a line of its own"
    narrow = plan_lines(made, 60)
    assert max(len(line) for line in [*wide, *narrow]) <= 80
    assert max(len(line) for line in narrow) <= 60
    said = " ".join(" ".join(narrow).split())
    assert "DAG DAG no quorum -> ExchangeNode2 with FileServer3.example.com as its witness DB1: none" in said
    assert "right already suspended" in said, "no arrow where nothing changes"

"""What a chat makes of words, and what the bot makes of them: pure, no Slack, no estate."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from chat.chat_bot import POLICY
from chat.slack_stand_in import wrong_blocks
from hypothesis import given
from hypothesis import strategies as some
from starover_bot.__main__ import token
from starover_bot.asks import Apply, Approve, Assess, Cancel, Help, Plan, Report, Runs, Status, read, split
from starover_bot.cards import Button, Card, Part, help_card, in_chat
from starover_bot.desk import Desk
from starover_bot.ledger import Ledger, Open
from starover_bot.rooms import Kept
from starover_bot.slack_blocks import blocks, fallback, whole_text
from starover_bot.slack_text import typed_text
from starover_cli.settings import Settings

from starover.approval import Second
from starover.errors import BadParameter, Locked, StaroverError
from starover.journal_lock import hold
from starover.policy_file import read_policy


@pytest.mark.parametrize(
    ("came", "typed"),
    [
        ("plan x —db DB01 –server EX3", "plan x --db DB01 --server EX3"),
        ("plan x –-db DB01 -–server EX3", "plan x --db DB01 --server EX3"),
        ("plan x —comment=“disk swap”", 'plan x --comment="disk swap"'),
        ("plan x --comment ‘disk swap’", "plan x --comment 'disk swap'"),
        ("plan x --db 7–8", "plan x --db 7-8"),
        ("plan x --to <mailto:anna@example.com|anna@example.com>", "plan x --to anna@example.com"),
        ("plan x --name <http://mail.example.com|mail.example.com>", "plan x --name mail.example.com"),
        ("plan x --url <https://example.com/a?b=1&amp;c=2>", "plan x --url https://example.com/a?b=1&c=2"),
        ("plan x --comment &lt;b&gt; &amp;amp;", "plan x --comment <b> &amp;"),
        ("plan x --comment &lt;http://a|b&gt;", "plan x --comment <http://a|b>"),
        ("plan x\xa0--db DB01 ", "plan x --db DB01"),
        (r"plan x --db DB01\EX4", r"plan x --db DB01\EX4"),
        ("ask <@U0123|anna> in <#C01|ops>", "ask @anna in #ops"),
    ],
)
def test_what_slack_changes_is_turned_back(came: str, typed: str) -> None:
    assert typed_text(came) == typed


@given(some.text(alphabet="abc DB01/EX-3=.:_'\"\\", max_size=60))
def test_what_slack_does_not_change_stays(text: str) -> None:
    assert typed_text(text) == text.strip()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a 'b c' \"d e\"", ["a", "b c", "d e"]),
        ("a --comment='b c'", ["a", "--comment=b c"]),
        ("don't do it", ["don't", "do", "it"]),
        (r"DB01\EX4", [r"DB01\EX4"]),
        ("a '' b", ["a", "", "b"]),
        ("a\n b", ["a", "b"]),
    ],
)
def test_a_line_is_words(line: str, words: list[str]) -> None:
    assert split(line) == words


@pytest.mark.parametrize(
    ("line", "ask"),
    [
        ("", Help()),
        ("help", Help()),
        ("status --dag DAG1", Status(("--dag", "DAG1"))),
        ("assess --lost-site AZ1", Assess(("AZ1",))),
        ("plan", Plan(())),
        ("plan copies-suspend --db DB01", Plan(("copies-suspend", "--db", "DB01"))),
        ("apply 9d20e6f4 --ticket INC1 --accept-data-loss DB1=3", Apply("9d20e6f4", "INC1", ("DB1=3",))),
        ("approve 9d20e6f4 --dag DAG1", Approve("9d20e6f4", "DAG1")),
        ("runs", Runs()),
        ("runs 9d20e6f4.1", Runs("9d20e6f4.1")),
        ("cancel 9d20e6f4.1", Cancel("9d20e6f4.1")),
        ("report 9d20", Report("9d20")),
    ],
)
def test_a_line_is_an_ask(line: str, ask: object) -> None:
    assert read(line) == ask


@pytest.mark.parametrize(
    "line",
    [
        "lunch",
        "apply",
        "apply ../../etc/passwd",
        "apply 9d20e6f4 --approval /tmp/forged",
        "apply 9d20e6f4 --break-glass 'nobody is awake'",
        "apply 9d20e6f4 --ticket 'a b'",
        "plan force-quorum --break-glass='nobody is awake'",
        "plan force-quorum --lost-server EX1 --certified-by anna,ben",
        "plan x --home /tmp/mine",
        "plan x --inventory=/tmp/mine.yaml",
        "plan x --dir /tmp",
        "report /etc/passwd",
        "status --format json",
        "plan x --comment 'not closed",
    ],
)
def test_what_is_no_ask_is_said_and_nothing_is_done(line: str) -> None:
    with pytest.raises(BadParameter):
        read(line)


def test_what_is_to_be_typed_is_typed_with_a_slash_here_and_without_at_a_terminal() -> None:
    here = ["resume 9d20.1   looks first", "runs show 9d20.1", "run health-report", "runbooks"]
    there = ["undo 9d20.1", "approve 9d20 --key KEY"]
    said = in_chat("\n".join(["next:", *(f"  starover {line}" for line in [*here, *there])])).split("\n")
    assert said[1:] == [
        "  /starover resume 9d20.1   looks first",
        "  /starover runs 9d20.1",
        "  /starover plan health-report",
        "  /starover plan",
        *(f"  starover {line}" for line in there),
    ]


def test_help_lists_what_this_person_may_do() -> None:
    policy = read_policy(POLICY, Path("policy.yaml")).policy

    def of(who: str) -> str:
        return "\n".join(part.text for part in help_card(policy, ["DAG1"], who).parts)

    anna, chris, nobody = of("slack:U0ANNA"), of("slack:U0CHRIS"), of("slack:U0NOBODY")
    assert "X  may split the brain   apply: yes, with a ticket, a second person   approve: yes" in anna
    assert "D  may lose data         apply: yes, with a ticket, a second person   approve: not here" in anna
    assert "/starover approve" in anna
    assert "apply: no, operators may   approve: no" in chris
    assert "/starover approve" not in chris
    assert "/starover plan" in chris
    assert "/starover" not in nobody


def test_text_in_a_card_calls_nobody_and_fits() -> None:
    evil = "<!channel> <@U1> *x* `y` & ```\n"
    card = Card(
        title="t" * 4000,
        parts=(Part(evil), Part("x" * 7000), Part("line\n" * 5000)),
        buttons=(Button(name="apply", text="Apply", value="v", sure="s" * 400, grave=True),),
        foot="f" * 4000,
    )
    body = {"text": fallback(card), "blocks": blocks(card)}
    assert wrong_blocks(body) == ""
    assert "mrkdwn" not in json.dumps(body)
    assert evil in whole_text(card)
    assert fallback(Card(title="<!channel>")) == "&lt;!channel&gt;"


@pytest.fixture
def second() -> Callable[[str], Second]:
    def make(by: str) -> Second:
        now = datetime(2026, 11, 20, tzinfo=UTC)
        later = now + timedelta(minutes=30)
        return Second(digest="d" * 64, plan="d" * 8, runbook="x", estate="e", by=by, at=now, expires=later)

    return make


def test_what_the_bot_must_not_forget(tmp_path: Path, second: Callable[[str], Second]) -> None:
    delivery = Open(key="1.2", person="slack:U1", channel="C", text="plan x")
    for first in (True, False):  # and after a restart
        ledger = Ledger(tmp_path / "chat.sqlite")
        assert ledger.first(delivery) is first
        assert ledger.undone() == [delivery]
        ledger.close()
    ledger = Ledger(tmp_path / "chat.sqlite")
    ledger.done("1.2")
    assert ledger.undone() == []
    ledger.approve("card", "slack:U2", second("slack:U2"))
    assert ledger.heard(second("slack:U2"))
    assert not ledger.heard(second("slack:U3")), "what somebody wrote into a file was not said here"
    leg = ledger.begin("card", "plan", "slack:U1", ["plan.1"])
    assert leg is not None
    assert ledger.begin("card", "plan", "slack:U1", []) is None
    ledger.end(leg, released=True)
    again = ledger.begin("card", "plan", "slack:U1", [])
    assert again is not None
    ledger.end(again, released=False)
    assert ledger.begin("card", "plan", "slack:U1", []) is None
    ledger.close()


@pytest.mark.parametrize(
    ("reference", "typed"),
    [
        ("env:NO_SUCH_TOKEN", "export NO_SUCH_TOKEN="),
        ("file:/nowhere/at-all", "--app-token file:PATH"),
        ("xapp-1-secret", "--app-token env:NAME"),
    ],
)
def test_a_token_that_is_not_there_is_said_with_what_to_type(reference: str, typed: str) -> None:
    with pytest.raises(StaroverError) as caught:
        token(reference, "app-token")
    assert any(typed in line for line in caught.value.next)
    assert "xapp-1-secret" not in str(caught.value)


def test_a_second_bot_is_told_what_to_type(tmp_path: Path) -> None:
    held = hold(tmp_path / "chat" / "bot.lock")
    assert held is not None
    channel: Any = None
    with pytest.raises(Locked) as caught:
        Desk(Settings(dir=str(tmp_path), console=Kept()), channel)
    held.close()
    assert any("--dir DIR" in line for line in caught.value.next)

"""The bot by Slack's own client, unmodified, over real HTTP and websockets; the estate is a lab in process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from chat.chat_bot import ANNA, bot
from chat.slack_stand_in import StandIn
from inner_lab import InnerLab
from starover_bot.desk import Desk

from starover.journal import Begun, read_journal


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[InnerLab]:
    with InnerLab("pa-4x2", tmp_path) as lab:
        yield lab


@pytest.fixture
def slack() -> Iterator[StandIn]:
    with StandIn() as slack:
        yield slack


@pytest.fixture
def desk(slack: StandIn, lab: InnerLab) -> Iterator[Desk]:
    with bot(slack, lab) as desk:
        yield desk


SUSPEND = "plan copies-suspend —db DB01 —server EX3 —mode full --comment “disk swap”"


def test_a_plan_is_pressed_and_its_result_is_one_edited_message(slack: StandIn, lab: InnerLab, desk: Desk) -> None:
    slack.type(ANNA, SUSPEND)
    card = slack.message("copies-suspend", "[Apply]")
    for words in ("DB01/EX3 goes from Healthy to Suspended", "risk L", "only anna may press Apply", "eu-west-1a"):
        assert words in card.text
    slack.press(ANNA, card, "Apply")
    desk.wait()
    (told,) = [one for one in slack.messages.values() if one.thread == card.ts]
    assert told.text.startswith("ok  copies-suspend: done, changed 1")
    assert told.versions[0]["text"].startswith("&gt;  copies-suspend"), "the same message told of its beginning"
    assert "[Apply]" not in card.text
    (report,) = slack.files
    assert report["thread"] == card.ts
    assert report["data"].startswith(b"<!doctype html>")
    begun = read_journal(lab.folder, report["name"].removesuffix(".html"))[0].body
    assert isinstance(begun, Begun)
    assert begun.who == "slack:U0ANNA"

"""What is refused in a chat stands in the journal: who, in which words, about which plan, and why not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from chat.chat_bot import ANNA, BEN, CHRIS, POLICY, settings_of
from chat.slack_stand_in import BOT_TOKEN, StandIn
from inner_lab import InnerLab
from starover_bot import asks
from starover_bot.bench import Heard
from starover_bot.desk import Desk
from starover_bot.slack import SlackChannel, client_of

from starover.audit import verify
from starover.events import RunEnded
from starover.journal import Begun, Recorded, read_journal, run_ids

BY_ANOTHER = POLICY.replace("L: {", "L: {second: true, approved_by: [approvers], chat: true, ")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[tuple[Desk, InnerLab]]:
    with InnerLab("pa-4x2", tmp_path) as lab, StandIn() as slack:
        desk = Desk(settings_of(lab, BY_ANOTHER), SlackChannel(client_of(BOT_TOKEN, slack.api)), pace=0.0)
        yield desk, lab
        desk.close()


def test_who_is_refused_in_a_chat_is_in_the_journal(desk: tuple[Desk, InnerLab]) -> None:
    bot, lab = desk
    serial = iter(range(99))

    def say(person: str, text: str, ask: asks.Ask | None = None) -> list[tuple[Begun, RunEnded]]:
        """The refusals that this brings."""
        before = set(run_ids(lab.folder))
        bot.take(Heard(key=f"9.{next(serial)}", person=f"slack:{person}", channel="C0OPS", text=text, ask=ask))
        bot.wait()
        found: list[tuple[Begun, RunEnded]] = []
        for run in sorted({*run_ids(lab.folder)} - before):
            entries = read_journal(lab.folder, run)
            begun, last = entries[0].body, entries[-1].body
            if isinstance(begun, Begun) and begun.asked:
                assert isinstance(last, Recorded)
                assert isinstance(last.event, RunEnded)
                found.append((begun, last.event))
        return found

    assert say(ANNA, "plan copies-suspend --db DB01 --server EX3 --mode full") == []
    (made,) = [file.stem for file in (lab.folder / "plans").glob("*.json")]
    card = bot.bench.ledger.find_card(next(run for run in run_ids(lab.folder)))
    assert say("U0NOBODY", "status") == [], "whoever only looks asks for no act"
    told = [
        (say("U0NOBODY", f"apply {made}"), "knows nobody called slack:U0NOBODY"),
        (say(BEN, f"apply {made}"), "only anna may press Apply"),
        (say(ANNA, f"approve {made} --dag {lab.estate.dags[0].name}"), "anna"),
        (say(CHRIS, f"approve {made} --dag {lab.estate.dags[0].name}"), "approvers"),
    ]
    for kept, why in told:
        assert kept, why
        ((begun, ended),) = kept
        assert begun.plan is not None
        assert begun.plan.id == made
        assert ended.fault is not None
        assert why in ended.fault.what
        assert ended.exit == 4
    (begun, _), *_ = told[0][0]
    assert (begun.who, begun.asked) == ("slack:U0NOBODY", f"apply (in chat: apply {made})")
    ((begun, _),) = say("U0NOBODY", "plan copies-suspend --db DB01")
    assert (begun.runbook, begun.plan) == ("copies-suspend", None)
    if card is not None:
        ((begun, _),) = say(CHRIS, "[drop]", asks.Drop(card.card))
        assert begun.asked == "drop (in chat: [drop])"
    assert verify(lab.folder) == []
    assert not any(script.mutates for script in lab.transport.sent)

"""The bot by Slack's own client, unmodified, over real HTTP and websockets; the estate is a lab in process."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import msgspec
import pytest
from chat.chat_bot import ALONE, ANNA, BEN, CHRIS, POLICY, bot, settings_of
from chat.slack_stand_in import BOT_TOKEN, TEAM, Message, StandIn
from inner_lab import InnerLab
from starover_bot.asks import Apply
from starover_bot.bench import Heard
from starover_bot.desk import Desk
from starover_bot.ledger import Open
from starover_bot.saying import Following
from starover_bot.slack import SlackChannel, client_of

from starover import journal
from starover.events import StepBegan, Told
from starover.journal import Begun, read_journal, run_ids


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


def runs_of(lab: InnerLab, plan: str = "") -> list[str]:
    return [run for run in run_ids(lab.folder) if run.startswith(plan) and applied(lab, run)]


def applied(lab: InnerLab, run: str) -> bool:
    begun = read_journal(lab.folder, run)[0].body
    return isinstance(begun, Begun) and begun.plan is not None and not begun.asked


def sent(lab: InnerLab, cmdlet: str) -> int:
    return lab.do(lambda world: [one.cmdlet for one in world.state.audit]).count(cmdlet)


def suspended(slack: StandIn) -> Message:
    slack.type(ANNA, SUSPEND)
    return slack.message("copies-suspend", "[Apply]")


def test_what_is_delivered_twice_is_done_once(slack: StandIn, lab: InnerLab, desk: Desk) -> None:
    typed = slack.type(ANNA, SUSPEND, copies=2)
    slack.deliver(typed)
    desk.wait()
    (card,) = slack.messages.values()
    before = card.button("Apply")
    slack.deliver(slack.press(ANNA, card, "Apply"), copies=2)
    slack.press(ANNA, card, before)
    slack.whisper(ANNA, "begun already", "nothing is done twice")
    desk.wait()
    assert len(runs_of(lab)) == 1
    assert sent(lab, "Suspend-MailboxDatabaseCopy") == 1
    assert len([one for one in slack.messages.values() if one.thread]) == 1
    slack.press(ANNA, card, before)
    desk.wait()
    assert len(runs_of(lab)) == 1, "nor when it is over"


def test_only_who_asked_may_press(slack: StandIn, lab: InnerLab, desk: Desk) -> None:
    card = suspended(slack)
    slack.press(BEN, card, "Apply")
    assert "only anna may press Apply" in slack.whisper(BEN, "refused")
    slack.type(BEN, f"apply {card.text.split('plan ')[1][:8]}")
    desk.wait()
    assert len([one for one in slack.whispers if "only anna may press Apply" in one[1]]) == 2
    slack.press(ANNA, card, "Apply", team="T0OTHER")
    slack.whisper(ANNA, "the policy knows nobody called slack:T0OTHER/U0ANNA")
    assert runs_of(lab) == []


def test_who_has_no_rights_does_nothing(slack: StandIn, lab: InnerLab, desk: Desk) -> None:
    slack.type("U0NOBODY", "status")
    assert "names: ['slack:U0NOBODY']" in slack.whisper("U0NOBODY", "the policy knows nobody called slack:U0NOBODY")
    slack.type(CHRIS, SUSPEND)
    card = slack.message("copies-suspend", "[Scripts]")
    assert "[Apply]" not in card.text
    assert "operators may" in card.text
    plan = card.text.split("plan ")[1][:8]
    slack.type(CHRIS, f"apply {plan}")
    desk.wait()
    slack.message("copies-suspend: refused", "nothing was sent")
    assert sent(lab, "Suspend-MailboxDatabaseCopy") == 0
    slack.type(CHRIS, "help")
    slack.type(ANNA, "help")
    theirs, hers = slack.whisper(CHRIS, "You are chris"), slack.whisper(ANNA, "You are anna")
    assert "/starover apply" not in theirs
    assert "/starover apply" in hers
    assert "no, operators may" in theirs


def test_a_runbook_without_a_certificate_is_typed_for_on_live(slack: StandIn, tmp_path: Path) -> None:
    with InnerLab("pa-4x2", tmp_path) as lab:
        lab.estate = msgspec.structs.replace(lab.estate, lab=False)
        with bot(slack, lab) as desk:
            slack.type(ANNA, "plan pam-move --to EX3")
            card = slack.message("pam-move", "[Apply]")
            slack.press(ANNA, card, "Apply")
            words = f"apply {card.text.split('plan ')[1][:8]} --experimental"
            assert words in slack.whisper(ANNA, "pam-move is experimental, and this is LIVE")
            assert runs_of(lab) == []
            slack.type(ANNA, words)
            desk.wait()
            slack.message("pam-move: done")
            assert len(runs_of(lab)) == 1


def test_without_a_policy_nobody_has_rights(slack: StandIn, lab: InnerLab) -> None:
    with bot(slack, lab) as desk:
        (lab.folder / "policy.yaml").unlink()
        slack.type(ANNA, "status")
        desk.wait()
        slack.whisper(ANNA, "there is no policy.yaml")
        (lab.folder / "policy.yaml").write_text("peple: {}\n", encoding="utf-8")
        slack.type(ANNA, "status")
        desk.wait()
        slack.whisper(ANNA, "policy.yaml:1")
    assert slack.messages == {}


def test_a_card_is_good_as_long_as_its_plan(slack: StandIn, lab: InnerLab, desk: Desk) -> None:
    card = suspended(slack)
    lab.later(31 * 60)
    slack.press(ANNA, card, "Apply")
    slack.whisper(ANNA, "are good for 30")
    desk.wait()
    assert "too old" in card.text
    assert "[Apply]" not in card.text
    slack.type(ANNA, SUSPEND)  # the same plan, made again: another card
    desk.wait()
    fresh = slack.message("copies-suspend", "[Apply]")
    assert fresh.ts != card.ts
    slack.press(ANNA, fresh, "Drop")
    desk.wait()
    assert "dropped by anna" in fresh.text
    assert runs_of(lab) == []


def test_what_people_write_and_edit_is_no_command(slack: StandIn, lab: InnerLab, desk: Desk) -> None:
    card = suspended(slack)
    plan = card.text.split("plan ")[1][:8]
    said = {"type": "message", "user": ANNA, "text": f"/starover apply {plan}", "channel": "C0OPS", "ts": "1.1"}
    edited = {"type": "message", "subtype": "message_changed", "channel": "C0OPS", "message": said, "ts": "1.2"}
    for number, event in enumerate((said, edited)):
        body = {"type": "event_callback", "team_id": TEAM, "event": event, "event_id": f"Ev{number}", "event_time": 1}
        slack.deliver(slack.envelope("events_api", body))
    slack.hang_up()  # Slack closes the line every few hours
    slack.type(ANNA, f"apply {plan}")
    desk.wait()
    assert len(runs_of(lab)) == 1


def test_a_slack_that_is_busy_or_away_hears_the_end_all_the_same(slack: StandIn, lab: InnerLab, desk: Desk) -> None:
    slack.later.update({"chat.postMessage": 1, "chat.update": 2})
    card = suspended(slack)
    slack.press(ANNA, card, "Apply")
    slack.message("ok  copies-suspend: done", thread=True)
    desk.wait()
    slack.type(ANNA, "plan copies-resume --db DB01 --server EX3")
    card = slack.message("copies-resume", "[Apply]")
    before = card.button("Apply")
    slack.broken.add("chat.update")
    slack.press(ANNA, card, "Apply")
    desk.wait()
    assert slack.messages[list(slack.messages)[-1]].text.startswith(">  copies-resume")
    slack.broken.clear()
    desk.catch_up()
    told = slack.message("ok  copies-resume", "Changed 1", thread=True)
    assert told.thread == card.ts
    slack.press(ANNA, card, before)
    slack.whisper(ANNA, "begun already")
    slack.broken.add("chat.postMessage")  # what nobody could follow is not begun
    slack.type(ANNA, SUSPEND)
    desk.wait()
    assert len(runs_of(lab)) == 2


def test_a_bot_that_is_not_in_the_channel_says_so(slack: StandIn, lab: InnerLab, desk: Desk) -> None:
    slack.outside.add("C0OPS")
    slack.type(ANNA, SUSPEND)
    assert "/invite it" in slack.whisper(ANNA, "not_in_channel")
    slack.type(ANNA, "plan")
    assert "copies-suspend           L  " in slack.whisper(ANNA, "the runbooks")
    slack.type(ANNA, "plan copies-suspend --help")
    assert "--mode" in slack.whisper(ANNA, "plan copies-suspend")


def test_a_run_is_stopped_after_its_step_and_goes_on(
    slack: StandIn, lab: InnerLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, began, go = Following.tell, threading.Event(), threading.Event()

    def tell(self: Following, told: Told) -> None:
        whole(self, told)
        if isinstance(told.event, StepBegan):
            began.set()
            assert go.wait(60)

    monkeypatch.setattr(Following, "tell", tell)
    with bot(slack, lab, ALONE) as desk:
        slack.type(ANNA, "plan maintenance-start —server EX1 —redirect-to EX2")
        card = slack.message("maintenance-start", "risk S", "[Apply]")
        slack.press(ANNA, card, "Apply")
        assert began.wait(60)
        running = slack.message("[Stop]", thread=True)
        stop = running.button("Stop")
        slack.press(CHRIS, running, stop)
        slack.whisper(CHRIS, "operators may")
        slack.press(BEN, running, stop)
        slack.whisper(BEN, "stops after the steps that are under way")
        go.set()
        desk.wait()
        assert "maintenance-start: stopped" in running.text
        slack.press(CHRIS, running, "Resume")
        slack.whisper(CHRIS, "operators may")
        desk.wait()
        (run,) = runs_of(lab)
        refused = read_journal(lab.folder, run)[-1].body
        assert isinstance(refused, journal.Declined)
        assert refused.who == f"slack:{CHRIS}"
        slack.press(ANNA, running, "Resume")
        desk.wait()
        assert running.text.startswith("ok  maintenance-start: done")
    assert len(runs_of(lab)) == 1


def test_no_secret_is_said(slack: StandIn, lab: InnerLab, desk: Desk) -> None:
    password = lab.transport.secrets()[0]
    slack.type(ANNA, f'plan copies-suspend --db DB01 --server EX3 --mode full --comment "{password} {BOT_TOKEN}"')
    card = slack.message("copies-suspend", "(hidden) (hidden)")
    slack.press(ANNA, card, "Apply")
    desk.wait()
    everything = slack.story() + "".join(one["data"].decode() for one in slack.files)
    assert "done" in everything
    assert password not in everything
    assert BOT_TOKEN not in everything


@pytest.mark.parametrize("at", ["step-began", "step-sent", "step-ended"])
def test_a_bot_that_dies_in_the_middle_tells_the_truth_when_it_is_back(
    slack: StandIn, lab: InnerLab, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with bot(slack, lab) as desk:
        card = suspended(slack)
        desk.wait()
    channel = SlackChannel(client_of(BOT_TOKEN, slack.api))
    dying = Desk(settings_of(lab), channel, pace=0.0)
    with monkeypatch.context() as patch:
        patch.setattr(Following, "tell", dies_at(at))
        heard = Heard(
            key="9.9",
            person=f"slack:{ANNA}",
            channel="C0OPS",
            text="[apply]",
            ask=Apply("", card=card.button("Apply")["value"]),
        )
        dying.bench.ledger.first(Open(key=heard.key, person=heard.person, channel=heard.channel, text=heard.text))
        with pytest.raises(Killed):
            dying._answer(heard)
        dying.close()  # the kernel gives the files back
    (running,) = [one for one in slack.messages.values() if one.thread]
    assert running.text.startswith(">")
    before = card.button("Apply")
    with bot(slack, lab) as desk:
        assert running.text.startswith("?  copies-suspend: Interrupted")
        assert "cut off in the middle" in running.text
        slack.whisper(ANNA, "started anew in the middle of this")
        slack.press(ANNA, card, before)
        slack.whisper(ANNA, "begun already")
        assert len(runs_of(lab)) == 1
        slack.press(ANNA, running, "Resume")
        desk.wait()
        assert running.text.startswith("ok  copies-suspend: done")
    assert len(runs_of(lab)) == 1
    assert sent(lab, "Suspend-MailboxDatabaseCopy") == 1


def test_a_disk_that_is_full_in_the_middle_of_a_run_begins_none_again(
    slack: StandIn, lab: InnerLab, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = suspended(slack)
    before = card.button("Apply")
    whole, full = journal._write, [True]

    def write(file: IO[bytes], data: bytes) -> None:
        if full and b'"step-ended"' in data:
            full.clear()
            raise OSError(errno.ENOSPC, "No space left on device")
        whole(file, data)

    monkeypatch.setattr(journal, "_write", write)
    slack.press(ANNA, card, before)
    told = slack.message("cannot be written", "[Resume]", thread=True)
    desk.wait()
    assert not full
    slack.press(ANNA, card, before)
    slack.whisper(ANNA, "begun already")
    slack.press(ANNA, told, "Resume")
    desk.wait()
    assert told.text.startswith("ok  copies-suspend: done")
    assert len(runs_of(lab)) == 1
    assert sent(lab, "Suspend-MailboxDatabaseCopy") == 1


class Killed(BaseException):
    """The process is gone."""


def dies_at(event: str) -> Callable[[Following, Told], None]:
    whole = Following.tell

    def tell(self: Following, told: Told) -> None:
        whole(self, told)
        if told.event.__struct_config__.tag == event:
            raise Killed

    return tell


# -- S21 ---------------------------------------------------------------------------------------------------------------


def test_a_datacenter_is_moved_by_two_people_and_not_by_one(slack: StandIn, tmp_path: Path) -> None:
    with InnerLab("pa-4x2-fsw1", tmp_path) as lab:
        lab.later(3600)
        lab.do(lambda world: world.fault("az_loss", "1a"))
        lab.later(120)
        with bot(slack, lab) as desk:
            slack.type(ANNA, "assess —lost-site AZ1")
            card = slack.message("force-quorum", "risk X", "[Approve]")
            plan = card.text.split("plan ")[1][:8]
            for words in ("MAIL IS DOWN", "void if", "a second person"):
                assert words in card.text
            assert lab.local().load(plan).digest in "".join(card.text.split())

            slack.press(ANNA, card, "Apply")
            slack.whisper(ANNA, f"/starover apply {plan} --ticket ID")
            alone = f"apply {plan} --ticket INC1 --approve {plan}"
            slack.type(ANNA, alone)
            slack.message("force-quorum: refused", "risk X needs a second person", "nothing was sent")
            slack.press(ANNA, card, "Approve")
            slack.whisper(ANNA, "cannot be its second person")
            slack.press(CHRIS, card, "Approve")
            slack.whisper(CHRIS, "chris approved it, and may not")
            slack.type(ANNA, f"{alone} --break-glass “nobody else is awake”")
            slack.whisper(ANNA, "--break-glass is not for a chat")
            desk.wait()
            assert sent(lab, "Restore-DatabaseAvailabilityGroup") == 0

            slack.press(BEN, card, "Approve")
            slack.message("ben approved plan", thread=True)
            desk.wait()
            assert "ben approved it at" in card.text
            slack.press(BEN, card, "Apply")
            slack.whisper(BEN, "only anna may press Apply")
            slack.type(ANNA, alone)
            desk.wait()
            told = slack.message("ok  force-quorum: done", thread=True)
            assert "MAIL IS BACK" in told.text.split("\n")[1]
            assert sent(lab, "Restore-DatabaseAvailabilityGroup") == 1
            page = slack.files[-1]["data"].decode()
            assert "ben approved it in chat" in page
        assert lab.do(lambda world: world.violations()) == []


def test_where_the_policy_takes_no_approval_in_chat_the_button_is_not_there(slack: StandIn, tmp_path: Path) -> None:
    with InnerLab("pa-4x2-fsw1", tmp_path) as lab:
        lab.later(3600)
        lab.do(lambda world: world.fault("az_loss", "1a"))
        lab.later(120)
        with bot(slack, lab, POLICY.replace(", chat: true", "")) as desk:
            slack.type(ANNA, "plan force-quorum --lost-site AZ1 --surviving-site AZ2 --witness alternate")
            card = slack.message("force-quorum", "risk X", "[Apply]")
            assert "[Approve]" not in card.text
            plan = card.text.split("plan ")[1][:8]
            slack.type(BEN, f"approve {plan} --dag DAG1")
            slack.whisper(BEN, "takes no approval given there for risk X")
            slack.type(ANNA, f"apply {plan} --ticket INC1 --approve {plan}")
            slack.message("force-quorum: refused")
            desk.wait()
        assert sent(lab, "Restore-DatabaseAvailabilityGroup") == 0


def test_an_interruption_has_four_eyes_where_the_policy_wants_them(slack: StandIn, tmp_path: Path) -> None:
    here = POLICY.replace("second: true, ", "second: true, chat: true, ")
    with InnerLab("pa-4x2", tmp_path) as lab, bot(slack, lab, here) as desk:
        slack.type(ANNA, "plan activation-policy --servers EX4 --policy Blocked")
        card = slack.message("activation-policy", "risk S", "[Approve]")
        for words in ("void if", "interrupts"):
            assert words in card.text, "what the second person agrees to"
        slack.press(ANNA, card, "Apply")
        slack.message("activation-policy: refused", "risk S needs a second person", "nothing was sent")
        slack.press(BEN, card, "Approve")
        slack.message("ben approved plan", thread=True)
        desk.wait()
        slack.press(ANNA, card, "Apply")
        desk.wait()
        slack.message("ok  activation-policy: done", thread=True)
        page = slack.files[-1]["data"].decode()
        assert "ben approved it in chat" in page

"""What the step kinds for copies decide, by hand: no engine, no host."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from dag_facts import status

from starover.inventory import Server
from starover.names import CopyId
from starover.step import Blocked, Change
from starover.steps.copies import CopyStatus, DatabaseCopies, Tag, redundancy, resumed, suspended

EX3 = Server(name="EX3", fqdn="EX3.example.com", roles=("mailbox",))
COPY = CopyId("DB01", "EX3")


def database(*copies: CopyStatus) -> DatabaseCopies:
    return DatabaseCopies(copies=copies)


LAGGED = status("EX4", activation_suspended=True, replay_lag="Enabled:True; Configured:7.00:00:00; Actual:6.23:59:00")


def suspend(now: DatabaseCopies, *, activation_only: bool = False) -> Change | Blocked | None:
    return suspended(now, identity=COPY, database="DB01", activation_only=activation_only, comment="[starover] x")


def resume(now: DatabaseCopies, *, keep_block: bool = False, force: bool = False) -> Change | Blocked | None:
    return resumed(now, identity=COPY, database="DB01", keep_block=keep_block, block_comment=None, force_foreign=force)


def test_a_healthy_passive_copy_would_be_suspended_and_a_suspended_one_is_right() -> None:
    change = suspend(database(status("EX1", "Mounted"), status("EX2"), status("EX3")))
    assert isinstance(change, Change)
    assert (change.what, change.now, change.wanted) == ("DB01/EX3", "Healthy", "Suspended")
    assert suspend(database(status("EX1", "Mounted"), status("EX3", "Suspended"))) is None


@pytest.mark.parametrize(
    ("copies", "why"),
    [
        ((status("EX3", "Mounted"), status("EX2")), "active copy"),
        ((status("EX1", "Mounted"), status("EX3", "FailedAndSuspended")), "FailedAndSuspended"),
        ((status("EX1", "Mounted"), status("EX2")), "hosts no copy"),
        ((status("EX1", "Dismounted", active=True), status("EX2", "Failed"), status("EX3")), "no other copy"),
        ((status("EX3"), LAGGED), "no other copy"),
    ],
)
def test_what_may_not_be_suspended(copies: tuple[CopyStatus, ...], why: str) -> None:
    blocked = suspend(database(*copies))
    assert isinstance(blocked, Blocked)
    assert why in blocked.why


def test_the_last_second_copy_is_suspended_with_a_warning() -> None:
    change = suspend(database(status("EX1", "Mounted"), status("EX3"), LAGGED))
    assert isinstance(change, Change)
    assert "without a second healthy copy" in change.warning
    assert "without" not in change.bound.note, "who else is well moves by itself, so it binds no plan"
    plenty = suspend(database(status("EX1", "Mounted"), status("EX2"), status("EX3"), LAGGED))
    assert isinstance(plenty, Change)
    assert "without" not in plenty.note


def test_activation_only_leaves_replication_and_takes_the_active_copy_too() -> None:
    change = suspend(database(status("EX3", "Mounted")), activation_only=True)
    assert isinstance(change, Change)
    assert change.wanted == "activation suspended"
    assert suspend(database(status("EX3", activation_suspended=True)), activation_only=True) is None


@pytest.mark.parametrize("comment", ["", "disk swap", "[starovers] x", " [starover] x"])
def test_a_copy_that_somebody_else_suspended_needs_force(comment: str) -> None:
    now = database(status("EX3", "Suspended", suspend_comment=comment, activation_suspended=True))
    blocked = resume(now)
    assert isinstance(blocked, Blocked)
    assert "somebody else" in blocked.why
    assert isinstance(resume(now, force=True), Change)


def test_a_copy_that_needs_a_seed_is_not_resumed() -> None:
    now = database(status("EX3", "Suspended", suspend_comment="[starover] x", error_message="needs to be seeded"))
    assert isinstance(resume(now), Blocked)


def test_resuming_is_done_when_nothing_is_suspended_but_a_wanted_block() -> None:
    assert resume(database(status("EX3"))) is None
    barred = database(status("EX3", activation_suspended=True, suspend_comment="[starover] x"))
    assert resume(barred, keep_block=True) is None
    assert isinstance(resume(barred), Change)


def test_undo_asks_for_what_was_before() -> None:
    step = suspended.on(EX3, identity=COPY, database="DB01", activation_only=False, comment="[starover] x")
    assert step.revert is not None
    before = database(status("EX1", "Mounted"), status("EX3", activation_suspended=True))
    back = step.revert(msgspec.json.encode(before))
    assert back is not None
    assert (back.kind.name, back.arguments["keep_block"]) == ("resumed", True)
    again = resumed.on(EX3, identity=COPY, database="DB01", keep_block=False, block_comment=None, force_foreign=False)
    assert again.revert is not None
    was = database(status("EX3", "Suspended", suspend_comment="[starover] swap", activation_suspended=True))
    back = again.revert(msgspec.json.encode(was))
    assert back is not None
    assert (back.kind.name, back.arguments["comment"], back.arguments["activation_only"]) == (
        "suspended",
        "[starover] swap",
        False,
    )


@pytest.mark.parametrize("everything", [False, True])
@pytest.mark.parametrize("blocked", [False, True])
@pytest.mark.parametrize("text", ["disk swap", "", "O\u2019Brien's [starover] note"])
def test_a_tag_says_again_what_was_written(everything: bool, blocked: bool, text: str) -> None:
    tag = Tag(Tag.write(text, everything=everything, blocked=blocked))
    assert (tag.ours, tag.all, tag.blocked, tag.text) == (True, everything, blocked, text)


def test_a_tagged_comment_fits_into_exchange() -> None:
    assert len(Tag.write("x" * 600, everything=True, blocked=True)) == 512


def test_what_a_good_copy_is() -> None:
    assert status("EX3").good
    assert not status("EX3", copy_queue=11).good
    assert not status("EX3", replay_queue=51).good
    assert not status("EX3", copy_queue=9223372036854775766).good
    assert not status("EX3", copy_queue=None).good
    assert not status("EX3", content_index="Crawling").good
    assert not LAGGED.good
    assert LAGGED.lag == timedelta(days=7)
    assert status("EX1", "Mounted", replay_queue=0, copy_queue=0).good


def test_redundancy_names_the_copies_it_counts() -> None:
    blocked, _ = redundancy([status("EX3"), status("EX1", "ServiceDown")], COPY)
    assert blocked is not None
    assert any("DB01/EX1 ServiceDown" in line for line in blocked.certain)

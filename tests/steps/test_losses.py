"""G-LOSS and S-LOGSPACE as pure functions: what would be lost, who must agree to it, when the log disks are full."""

from __future__ import annotations

from typing import Any

import pytest
from dag_facts import status

from starover.errors import BadParameter
from starover.steps.dag import Pair
from starover.steps.disaster import CopyLogs, DatabaseOrder, Heard, Machine, MemberCopies, Survey, at
from starover.steps.losses import AcceptedLoss, Loss, log_space, loss_of, verdict_on
from starover.steps.mounting import at_risk, dial_for, loss_note

STALE = 9223372036854775766
NOW = "2026-11-20T15:02:00.0000000Z"


def log(**fields: Any) -> CopyLogs:
    values: dict[str, Any] = {
        "database": "DB01",
        "generated": 0,
        "notified": 1000,
        "inspected": 997,
        "replayed": 990,
        "stale": False,
        "notified_time": "2026-11-20T15:00:00.0000000Z",
        "inspected_time": "2026-11-20T14:59:30.0000000Z",
        "replayed_time": "2026-11-20T14:59:00.0000000Z",
        "latest_time": "",
        "volume": "E:\\",
        "free": "100 GB (107,374,182,400 bytes)",
    }
    return CopyLogs(**(values | fields))


def host(server: str, *, dial: str = "GoodAvailability", policy: str = "Unrestricted", **fields: Any) -> Heard:
    """A survivor with a passive copy of DB01; `log_` and other fields change its log stream and its status."""
    stream = fields.pop("stream", {})
    copy = status(server, fields.pop("state", "DisconnectedAndHealthy"), **fields)
    copies = MemberCopies(server=server, dial=dial, policy=policy, copies=(copy,), logs=(log(**stream),))
    machine = Machine(
        name=server, utc=NOW, boot_time=NOW, services=(), volumes=(), owner="", cluster=None, cluster_error="stopped"
    )
    return Heard(server=server, role="member", az="", site="", machine=machine, copies=copies)


def database(*servers: str) -> DatabaseOrder:
    pairs = tuple(
        Pair(key=name, name=name, value=str(place), text=f"[{name}, {place}]") for place, name in enumerate(servers, 1)
    )
    return DatabaseOrder(name="DB01", guid="", server=servers[0], preferences=pairs)


def of(*hosts: Heard, order: tuple[str, ...] = ("EX1", "EX3", "EX4")) -> Loss:
    return loss_of(database(*order), hosts, Survey(dag="DAG1", members=hosts, others=(), databases=None))


def test_last_notified_minus_inspected_is_what_is_known() -> None:
    found = of(host("EX3"))
    assert (found.known, found.target, found.limit, found.by_itself) == (3, "EX3", 6, True)
    assert found.standing == ("DB01 on EX3: 3 logs known missing, last log 2026-11-20T14:59:30Z; mounts by itself")


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"copy_queue": STALE}, "lost count"),
        ({"stream": {"stale": True}}, "too old"),
        ({"stream": {"notified": 0}}, "does not say"),
        ({"stream": {"inspected": 0}}, "does not say"),
        ({"stream": {"notified": 990}}, "was told of 990 only"),
    ],
)
def test_what_nobody_can_count_is_unknown_and_never_mounts_by_itself(fields: dict[str, Any], why: str) -> None:
    found = of(host("EX3", **fields))
    assert found.known is None
    assert why in found.why
    assert not found.by_itself
    for given in ((), (AcceptedLoss("DB01", 1000),), (AcceptedLoss("DB02", None),)):
        assert "nobody can count" in verdict_on(found, given)
    assert verdict_on(found, (AcceptedLoss("db01", None),)) == ""


@pytest.mark.parametrize(
    ("dial", "missing", "accepted", "allowed"),
    [
        ("GoodAvailability", 6, None, True),
        ("GoodAvailability", 7, None, False),
        ("GoodAvailability", 7, 6, False),
        ("GoodAvailability", 7, 7, True),
        ("Lossless", 0, None, True),
        ("Lossless", 1, None, False),
        ("BestAvailability", 12, None, True),
        ("BestAvailability", 13, None, False),
        ("BestEffort", 500, None, True),
        ("a word that nobody knows", 1, None, False),
    ],
)
def test_a_loss_up_to_the_dial_is_a_standing_decision(
    dial: str, missing: int, accepted: int | None, allowed: bool
) -> None:
    found = of(host("EX3", dial=dial, stream={"inspected": 1000 - missing}))
    given = () if accepted is None else (AcceptedLoss("DB01", accepted),)
    assert (verdict_on(found, given) == "") == allowed
    assert found.by_itself == (allowed and accepted is None)


def test_the_copy_that_lacks_least_is_chosen_but_lagged_barred_and_failed_ones_come_last() -> None:
    lagged = {"replay_lag": "Enabled:True; Configured:7.00:00:00; MaxDelay:1.00:00:00; Actual:7.00:00:00"}
    assert of(host("EX3"), host("EX4", stream={"inspected": 999})).target == "EX4"
    assert of(host("EX3"), host("EX4", stream={"inspected": 999}, **lagged)).target == "EX3"
    assert of(host("EX3"), host("EX4", stream={"inspected": 999}, activation_suspended=True)).target == "EX3"
    assert of(host("EX3"), host("EX4", stream={"inspected": 999}, state="FailedAndSuspended")).target == "EX3"
    assert of(host("EX3"), host("EX4", stream={"inspected": 999}, dial="Lossless")).target == "EX3", "preference leads"


@pytest.mark.parametrize("kept", [{"activation_suspended": True}, {"policy": "Blocked"}, {"state": "Failed"}])
def test_what_keeps_a_copy_down_is_said(kept: dict[str, Any]) -> None:
    found = of(host("EX3", **kept))
    assert not found.by_itself
    assert found.without


def test_the_active_copy_lacks_nothing_and_no_copy_is_said_so() -> None:
    found = of(host("EX3", state="Dismounted", active=True))
    assert (found.known, found.beyond_dial) == (0, False)
    assert "no copy on this side" in of(order=("EX1",)).standing


def test_what_an_approval_binds_does_not_move_with_the_time() -> None:
    """The bound on an unknown loss grows by the minute, so no change may hold it."""
    lagging = host("EX4", stream={"replayed": 400, "replayed_time": "2026-11-20T13:00:00.0000000Z"})
    found = of(host("EX3", copy_queue=STALE), lagging, order=("EX1", "EX3"))
    assert found.bound is not None
    assert f"{found.bound} logs" in found.text
    assert str(found.bound) not in found.standing.replace("2026", "")
    given = (AcceptedLoss("DB01", None),)
    assert loss_note(found, given) == "may lose DB01=unknown; last log 2026-11-20T14:59:30Z"
    assert (at_risk(found, given), dial_for(found, given)) == (True, "BestEffort")


@pytest.mark.parametrize(("logs", "dial"), [(7, "BestAvailability"), (12, "BestAvailability"), (13, "BestEffort")])
def test_no_wider_dial_is_sent_than_what_was_accepted(logs: int, dial: str) -> None:
    found = of(host("EX3", stream={"inspected": 993}))
    assert dial_for(found, (AcceptedLoss("DB01", logs),)) == dial
    assert dial_for(of(host("EX3")), ()) == "GoodAvailability", "three logs, within the server's dial"
    assert dial_for(of(host("EX3", stream={"inspected": 1000})), ()) == "Lossless"


def test_hours_until_the_log_disk_is_full() -> None:
    lone = host("EX3")
    (space,) = log_space(lone, Survey(dag="DAG1", members=(lone,), others=(), databases=None))
    assert not space.measured, "the points of one stream lie too close together"
    lagged = host("EX4", stream={"replayed": 400, "replayed_time": "2026-11-20T14:00:00.0000000Z"})
    (space,) = log_space(lagged, Survey(dag="DAG1", members=(lagged,), others=(), databases=None))
    assert space.measured
    assert space.rate == pytest.approx(10.0)
    assert space.hours == pytest.approx(102400 / 600)
    assert not space.low


@pytest.mark.parametrize("text", ["DB01", "DB01=", "DB01=-1", "DB01=some", "=3", "DB01=3.5", "a/b=3"])
def test_no_accepted_loss(text: str) -> None:
    with pytest.raises(BadParameter):
        AcceptedLoss.parse(text)


def test_an_accepted_loss_reads_what_it_writes() -> None:
    for text in ("DB01=9", "O\u2019Brien DB=unknown", "DB01=0"):
        assert str(AcceptedLoss.parse(text)) == text


def test_times_of_templates() -> None:
    assert at("") is None
    assert at("2026-11-20T15:02:00.1234567Z") == at("2026-11-20T15:02:00.123456Z")
    assert at("2026-11-20T15:02:00Z") == at("2026-11-20T15:02:00.0000000Z")

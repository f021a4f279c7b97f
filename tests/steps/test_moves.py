"""Which copy a database may move to, and which it never moves to in passing."""

from __future__ import annotations

from typing import Any

import pytest
from dag_facts import status

from starover.step import Blocked, Change
from starover.steps.activation import Activation
from starover.steps.copies import DatabaseCopies
from starover.steps.moves import best_copies, moved


def here(**target: Any) -> DatabaseCopies:
    """DB01 is active on EX1; EX3 has what is given."""
    active = status("EX1", "Mounted")
    return DatabaseCopies(copies=(active, status("EX3", **({"state": "Healthy"} | target))))


def ask(now: DatabaseCopies, *skip: str) -> Change | Blocked | None:
    return moved(now, database=now.copies[0].database, target="EX3", dial="Lossless", comment="", skip=skip, note="")


def test_a_healthy_copy_takes_over() -> None:
    change = ask(here())
    assert isinstance(change, Change)
    assert (change.now, change.wanted) == ("active on EX1", "active on EX3")


@pytest.mark.parametrize(
    ("target", "why", "skip"),
    [
        ({"state": "FailedAndSuspended", "error_message": "no disk"}, "no disk", "health"),
        ({"state": "DisconnectedAndHealthy"}, "DisconnectedAndHealthy", "health"),
        ({"copy_queue": 11}, "lacks logs", "health"),
        ({"copy_queue": None}, "lacks logs", "health"),
        ({"replay_queue": 51}, "lacks logs", "health"),
        ({"state": "SeedingSource"}, "source of a seed", "active-copy"),
        ({"content_index": "Crawling"}, "content index", "client-experience"),
        ({"activation_suspended": True}, "barred", "lag"),
        ({"replay_lag": "Enabled:True; Configured:7.00:00:00; MaxDelay:1.00:00:00"}, "lagged", "lag"),
    ],
)
def test_what_does_not_take_over_unless_its_check_is_left_out(target: dict[str, Any], why: str, skip: str) -> None:
    blocked = ask(here(**target))
    assert isinstance(blocked, Blocked)
    assert why in blocked.why
    assert isinstance(ask(here(**target), skip), Change)


def test_what_is_there_already_is_done_and_what_is_dismounted_is_another_matter() -> None:
    assert ask(DatabaseCopies(copies=(status("EX3", "Mounted"), status("EX1")))) is None
    blocked = ask(DatabaseCopies(copies=(status("EX3", "Dismounted", active=True), status("EX1"))))
    assert isinstance(blocked, Blocked)
    assert "mount-databases" in " ".join(blocked.next)


def test_a_server_without_a_copy_is_named_with_those_that_have_one() -> None:
    blocked = ask(DatabaseCopies(copies=(status("EX1", "Mounted"),)))
    assert isinstance(blocked, Blocked)
    assert "hosted by EX1" in blocked.certain


def test_the_best_copy_is_active_managers() -> None:
    servers = [
        Activation(name=name, dag="DAG1", policy="Unrestricted", move_now=False, dial="", max_active=None, active=0)
        for name in ("EX1", "EX2", "EX3", "EX4")
    ]
    found = [
        status("EX4", preference=2, replay_queue=51),
        status("EX2", preference=4),
        status("EX3", preference=3),
        status("EX1", preference=1, activation_suspended=True),
    ]
    names = [one.name for one in servers]
    assert [one.server for one in best_copies(found, names, servers)] == ["EX3", "EX2", "EX4"]
    assert [one.server for one in best_copies(found, ["EX4"], servers)] == ["EX4"]

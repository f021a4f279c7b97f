"""The decision table of az-loss-assess, row by row, and what cannot be proven; first match counts."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from starover.steps.assessment import Decision, Lost, Partition, Situation, decide

FOUR = ("EX1", "EX2", "EX3", "EX4")


def member(name: str, down: bool | None = True, **fields: Any) -> Lost:
    return Lost(name=name, role="member", down=down, why="stopped" if down else "silent", **fields)


def witness(name: str = "FSW1", down: bool | None = True, **fields: Any) -> Lost:
    return Lost(name=name, role="witness", down=down, why="stopped" if down else "silent", **fields)


def part(*nodes: str, votes: int = 3, total: int = 5) -> Partition:
    return Partition(nodes=nodes, votes=votes, total=total, seen_by=nodes[0])


def night(**fields: Any) -> Situation:
    """An AZ is gone: EX1, EX2 and the witness FSW1 do not answer and are stopped; EX3 and EX4 have no quorum."""
    base: dict[str, Any] = {
        "dag": "DAG1",
        "members": FOUR,
        "answering": ("EX3", "EX4"),
        "mode": "DagOnly",
        "started": tuple(f"{name}.example.com" for name in FOUR),
        "databases": ("DB01", "DB02"),
        "lost": (member("EX1"), member("EX2"), witness()),
        "lost_site": "AZ1",
        "force_node": "EX3",
    }
    return Situation(**(base | fields))


QUORATE: dict[str, Any] = {"clusters": (part("EX3", "EX4"),), "changed": 900.0}

ROWS: dict[str, tuple[Situation, str, str, dict[str, Any]]] = {
    "two quorate clusters": (
        night(clusters=(part("EX1", "EX2"), part("EX3", "EX4"))),
        "split-brain-check",
        "split-brain-check",
        {"db": ["DB01", "DB02"]},
    ),
    "two quorate clusters, settling": (
        night(clusters=(part("EX1", "EX2"), part("EX3", "EX4")), changed=5.0, isolated=("EX3",)),
        "split-brain-check",
        "split-brain-check",
        {"db": ["DB01", "DB02"]},
    ),
    "isolated": (night(**QUORATE, isolated=("EX3",), mounted=("DB01", "DB02")), "settling", "", {}),
    "changed four minutes ago": (night(**(QUORATE | {"changed": 240.0})), "settling", "", {}),
    "quorate, and one that is up is silent from here": (
        night(**QUORATE, mounted=("DB02",), unseen=("DB01",)),
        "unknown",
        "",
        {},
    ),
    "every bit is zero": (
        night(**QUORATE, rebooted=True, lost=(member("EX1"),)),
        "take-off-started-list",
        "mount-databases",
        {"db": ["DB01", "DB02"]},
    ),
    "every bit is zero, not proven": (
        night(**QUORATE, rebooted=True, lost=(member("EX1", None),), lost_site=""),
        "fence-first",
        "fence",
        {"lost_server": ["EX1"], "include_witness": False},
    ),
    "every bit is zero, the dead one is off the list already": (
        night(**QUORATE, rebooted=True, lost=(member("EX1"),), started=("EX2", "EX3", "EX4")),
        "mount-databases",
        "mount-databases",
        {"db": ["DB01", "DB02"]},
    ),
    "every bit is zero, two members": (
        night(
            clusters=(part("B", votes=2, total=3),),
            changed=900.0,
            members=("A", "B"),
            answering=("B",),
            started=("A", "B"),
            rebooted=True,
            lost=(member("A"),),
        ),
        "force-quorum",
        "force-quorum",
        {"mode": "dac", "witness": "primary", "lost_server": ["A"]},
    ),
    "bits do not matter without DAC": (
        night(**QUORATE, rebooted=True, mode="Off"),
        "mount-databases",
        "mount-databases",
        {"db": ["DB01", "DB02"]},
    ),
    "store is dead": (
        night(**QUORATE, sick=("MSExchangeIS on EX3",), mounted=("DB01",)),
        "service-restart",
        "service-restart",
        {"server": "EX3", "service": "MSExchangeIS"},
    ),
    "quorum kept": (night(**QUORATE, mounted=("DB01", "DB02")), "none", "", {}),
    "quorum kept, one is not mounted": (
        night(**QUORATE, mounted=("DB01",)),
        "mount-databases",
        "mount-databases",
        {"db": ["DB02"]},
    ),
    "quorum kept, one of two that are not mounted has no copy here": (
        night(**QUORATE, away=("DB01",)),
        "mount-databases",
        "mount-databases",
        {"db": ["DB02"]},
    ),
    "quorum kept, nothing here can mount what is down": (
        night(**QUORATE, mounted=("DB01",), away=("DB02",)),
        "mount-databases",
        "",
        {},
    ),
    "quorum kept, nobody can list the databases": (night(**QUORATE, databases=None), "unknown", "", {}),
    "quorate elsewhere": (
        night(elsewhere="EX1 holds the witness lock"),
        "minority",
        "fence",
        {"lost_server": ["EX3", "EX4"]},
    ),
    "can be back soon": (
        night(lost=(member("EX1", returns="booting since 02:59"), member("EX2"), witness())),
        "start-nodes",
        "start-nodes",
        {"server": ["EX1"], "witness_host": False},
    ),
    "witness can be back soon": (
        night(lost=(member("EX1"), witness(returns="stopped, and its zone lives"))),
        "start-nodes",
        "start-nodes",
        {"witness_host": True},
    ),
    "fenced by us, so it may not be started": (
        night(lost=(member("EX1", returns="stopped", fenced=True), member("EX2"))),
        "force-quorum",
        "force-quorum",
        {"lost_site": ["AZ1"], "mode": "auto"},
    ),
    "not proven": (
        night(lost=(member("EX1", None), member("EX2"), witness())),
        "fence-first",
        "fence",
        {"lost_site": ["AZ1"], "include_witness": True},
    ),
    "proven to run": (
        night(lost=(member("EX1", False), member("EX2", False), witness(down=False))),
        "fence-first",
        "fence",
        {"lost_site": ["AZ1"], "include_witness": True},
    ),
    "witness not proven": (
        night(lost=(member("EX1"), member("EX2"), witness(down=None))),
        "fence-first",
        "fence",
        {"lost_site": ["AZ1"], "include_witness": True},
    ),
    "DAC": (night(), "force-quorum", "force-quorum", {"lost_site": ["AZ1"], "mode": "auto"}),
    "DAC, lost servers are no whole site": (
        night(lost_site="", lost=(member("EX1"), witness())),
        "force-quorum",
        "force-quorum",
        {"lost_server": ["EX1"], "mode": "auto"},
    ),
    "no DAC": (
        night(mode="Off"),
        "force-quorum",
        "force-quorum",
        {"lost_server": ["EX1", "EX2"], "force_node": "EX3", "mode": "auto"},
    ),
    "nobody knows whether DAC": (night(mode=""), "unknown", "", {}),
    "every member answers": (
        night(answering=FOUR, lost=(witness(),)),
        "start-nodes",
        "start-nodes",
        {},
    ),
    "nobody answers": (night(answering=(), lost=tuple(member(one, None) for one in FOUR)), "unknown", "", {}),
}


@pytest.mark.parametrize("row", ROWS)
def test_the_table(row: str) -> None:
    situation, answer, runbook, parameters = ROWS[row]
    found = decide(situation)
    assert (found.answer, found.runbook) == (answer, runbook)
    assert found.parameters == parameters
    assert found.verdict


def test_force_is_answered_only_where_every_lost_one_is_proven_down_and_nobody_has_quorum() -> None:
    """Whatever else the facts are: one doubt less than all of them does not do."""
    for down in (None, False):
        for who in range(3):
            lost = [member("EX1"), member("EX2"), witness()]
            lost[who] = msgspec.structs.replace(lost[who], down=down)
            for mode in ("DagOnly", "Off"):
                assert decide(night(lost=tuple(lost), mode=mode)).answer == "fence-first"
    for mode in ("DagOnly", "Off"):
        assert decide(night(**QUORATE, mode=mode)).answer == "mount-databases"
        assert decide(night(mode=mode, elsewhere="EX1 is quorate, says Systems Manager")).answer == "minority"


def test_what_cannot_be_proven_is_named_with_its_raw_fact() -> None:
    found: Decision = decide(night(lost=(member("EX1", None), member("EX2"), witness())))
    assert found.uncertain == ("whether EX1 still runs: silent",)
    assert "EX1" in found.verdict
    assert "EX2" not in found.verdict

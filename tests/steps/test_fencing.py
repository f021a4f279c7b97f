"""Levels of G-FENCE: each is reached by its own facts alone, and what is not proven counts for nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from starover.steps.fencing import (
    PORTS,
    FenceFacts,
    level_of,
    shortfall,
    strength,
)
from starover.steps.instances import Checks
from starover.steps.subnet_rules import AclEntry, NetworkAcl, denies_all

NOW = datetime(2026, 11, 20, 3, 10, tzinfo=UTC)
SILENT: dict[str, tuple[int, ...] | None] = {"EX3": (), "EX4": (), "DC2": ()}


def rule(number: int, action: str, *, egress: bool = False, protocol: str = "-1", cidr: str = "0.0.0.0/0") -> AclEntry:
    return AclEntry(number=number, egress=egress, action=action, protocol=protocol, cidr=cidr)


def acl(*entries: AclEntry) -> NetworkAcl:
    return NetworkAcl(id="acl-1", vpc="vpc-1", subnets=(), entries=entries)


DENY = acl(rule(32767, "deny"), rule(32767, "deny", egress=True))
ALLOW = acl(rule(100, "allow"), rule(100, "allow", egress=True), *DENY.entries)


def checks(seconds: float | None, system: str = "impaired") -> Checks:
    since = () if seconds is None else ((NOW - timedelta(seconds=seconds)).isoformat(),)
    return Checks(state="running", system=system, instance="ok", failing_since=since, events=())


def facts(**more: Any) -> FenceFacts:
    base = {"host": "EX1", "instance": "i-1", "state": "running", "now": NOW, "survivors": ("EX3", "EX4")}
    return FenceFacts(**{**base, "open": SILENT, "acl": ALLOW, **more})


@pytest.mark.parametrize(
    ("more", "level"),
    [
        ({}, ""),
        ({"checks": checks(3600)}, ""),
        ({"state": "stopped", "open": {"EX3": (445,)}}, "F1"),
        ({"state": "terminated"}, "F1"),
        ({"state": None, "stopped_cleanly": True}, "F1"),
        ({"state": "shutting-down"}, ""),
        ({"state": "stopping", "checks": checks(300)}, "F2"),
        ({"state": "stopping", "checks": checks(299)}, ""),
        ({"state": "stopping", "checks": checks(None)}, ""),
        ({"state": "stopping", "checks": checks(3600, "insufficient-data")}, "F2"),
        ({"state": "stopping", "checks": checks(3600, "initializing")}, ""),
        ({"state": "stopping", "checks": checks(3600), "now": None}, ""),
        ({"state": "running", "checks": checks(3600)}, ""),
        ({"acl": DENY}, "F3"),
        ({"acl": DENY, "state": None}, "F3"),
        ({"acl": DENY, "state": "stopping", "checks": checks(400)}, "F2"),
        ({"certified_by": ("Ann", "Bob"), "power_event": "power lost"}, "F4"),
        ({"certified_by": ("Ann", "ann "), "power_event": "power lost"}, ""),
        ({"certified_by": ("Ann", "Bob")}, ""),
        ({"certified_by": ("Ann",), "power_event": "power lost"}, ""),
        ({"acl": DENY, "certified_by": ("Ann", "Bob"), "power_event": "power lost"}, "F3"),
    ],
)
def test_a_level_is_reached_by_its_own_facts(more: dict[str, Any], level: str) -> None:
    assert level_of(facts(**more)).level == level


@pytest.mark.parametrize(
    "seen",
    [
        {},
        {"EX3": (), "EX4": ()},  # no place more
        {"EX3": (), "DC2": ()},  # a survivor was not asked
        {"EX3": (), "EX4": None, "DC2": ()},  # one could not tell
        {"EX3": (), "EX4": (), "DC2": None},
        {"EX3": (), "EX4": (5985,), "DC2": ()},
        {"EX3": (), "EX4": (), "DC2": (), "tool": (135,)},
    ],
)
def test_silence_is_proven_by_every_survivor_and_one_place_more(seen: dict[str, Any]) -> None:
    assert level_of(facts(acl=DENY, open=seen)).level == ""
    assert level_of(facts(state="stopping", checks=checks(900), open=seen)).level == ""


def test_nobody_left_to_ask_proves_nothing() -> None:
    assert level_of(facts(acl=DENY, survivors=(), open={"DC2": ()})).level == ""


@pytest.mark.parametrize(
    ("one", "denies"),
    [
        (DENY, True),
        (ALLOW, False),
        (acl(), True),
        (acl(rule(10, "deny"), rule(20, "allow"), rule(10, "deny", egress=True)), True),
        (acl(rule(10, "deny", protocol="6"), rule(20, "allow")), False),
        (acl(rule(10, "deny", cidr="10.0.0.0/8"), rule(20, "allow")), False),
        (acl(rule(10, "allow", egress=True)), False),
        (acl(rule(10, "deny"), rule(20, "allow", cidr="::/0")), False),
    ],
)
def test_an_acl_denies_when_nothing_passes_either_way(one: NetworkAcl, *, denies: bool) -> None:
    assert denies_all(one.entries) is denies


def test_the_raw_facts_are_told() -> None:
    told = level_of(facts(state="stopping", checks=checks(400), open={**SILENT, "tool": None}, acl=DENY))
    text = "\n".join(told.why)
    assert "i-1: stopping" in text
    assert "failing for 400 s" in text
    assert all(str(port) in text for port in PORTS)
    assert "tool could not say" in text
    assert "acl-1" in text


SHORT = {
    # (level, dac, second, break glass): enough?
    ("", True, True, True): False,
    ("F1", False, False, False): True,
    ("F2", True, False, False): True,
    ("F2", False, False, False): True,
    ("F3", True, False, False): False,
    ("F3", True, True, False): True,
    ("F3", True, False, True): True,
    ("F4", True, True, False): True,
    ("F4", True, False, True): False,
    ("F3", False, True, False): False,
    ("F3", False, False, True): False,
    ("F3", False, True, True): True,
    ("F4", False, True, True): True,  # on top of a denying ACL
}


@pytest.mark.parametrize("case", SHORT, ids=str)
def test_what_is_enough(case: tuple[Any, bool, bool, bool]) -> None:
    level, dac, second, glass = case
    fenced = msgspec.structs.replace(level_of(facts()), level=level, denied=True)
    assert (shortfall(fenced, dac=dac, second=second, break_glass=glass) == "") is SHORT[case]


def test_without_dac_people_count_only_on_top_of_the_network() -> None:
    word = msgspec.structs.replace(level_of(facts()), level="F4", denied=False)
    assert "on top" in shortfall(word, dac=False, second=True, break_glass=True)


@pytest.mark.parametrize("level", ["F2", "F3", "F4"])
def test_who_serves_must_be_stopped(level: Any) -> None:
    fenced = msgspec.structs.replace(level_of(facts(serves="DB01 is mounted there")), level=level, denied=True)
    assert "only F1" in shortfall(fenced, dac=True, second=True, break_glass=True)
    stopped = msgspec.structs.replace(fenced, level="F1")
    assert shortfall(stopped, dac=True, second=False, break_glass=False) == ""


def test_the_order_of_levels() -> None:
    assert strength("F1") > strength("F2") > strength("F3") > strength("F4") > strength("") == 0


def test_what_is_advised_may_help() -> None:
    def advice(**more: Any) -> str:
        return "\n".join(level_of(facts(**more)).further)

    assert "EC2 may still" in advice()
    assert "--certified-by" in advice(certified_by=("Ann", " ann"))
    seen = advice(certified_by=("Ann", "Bob"))
    assert "--certified-by" not in seen, "that has been given"
    assert "AWS Health" in seen
    blind = advice(instance="", state=None)
    assert "EC2 may still" not in blind, "nobody can ask it to"
    assert "in the inventory" in blind
    assert advice(state="stopped") == ""

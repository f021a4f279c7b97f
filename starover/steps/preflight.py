"""The preflight: gather the facts that the chosen checks need, judge them, and stop what builds on a failed one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from types import ModuleType
from typing import Literal

from starover.errors import NotSafe
from starover.estate import Estate, Server
from starover.names import same_host
from starover.runbook import Finding, Steps
from starover.steps import preflight_estate, preflight_machines
from starover.steps.dag_object import Seen
from starover.steps.preflight_facts import Facts, gather
from starover.steps.preflight_table import MENDED, NOT_CHECKED, OPERATING, TABLE, Word

__all__ = ["CREATING", "EVERY", "JOINING", "Phase", "judged", "looked_at", "needs_of", "passed"]

Phase = Literal["plan", "build", "operate"]
CHECKS: tuple[ModuleType, ...] = (preflight_machines, preflight_estate)
"""Whose checks stand in the table."""
EVERY = tuple(f"P{number:02}" for number in range(1, 59))
JOINING = ("P03", "P04", "P05", "P06", "P07", "P08", "P10", "P11", "P12", "P13", "P14", "P15", "P36", "P51")
"""What must hold of servers before one of them joins a DAG.

P09, the feature, is not among them: who lacks it gets it, and who waits for a restart is restarted (S-FEATURE).
"""
CREATING = (*JOINING, "P29", "P32", "P34", "P35")
"""What must hold before a DAG is made of them."""

_LEVELS = ("fail", "unknown", "warn", "info", "ok")


def needs_of(ids: Collection[str]) -> frozenset[str]:
    """The groups of facts that some checks need."""
    return frozenset[str]().union(*(TABLE[one].needs for one in ids if one in TABLE))


def judged(facts: Facts, ids: Collection[str], phase: Phase) -> tuple[Finding, ...]:
    """What the checks find, the worst first, else in their order."""
    found: list[Finding] = []
    for id_ in EVERY:
        if id_ not in ids:
            continue
        if id_ not in TABLE:
            why = NOT_CHECKED.get(id_, "nobody looks at it yet")
            found.append(
                Finding(check=id_, on=facts.dag or facts.estate.name, level="unknown", says=f"not checked: {why}")
            )
            continue
        found += [
            Finding(check=id_, on=on, level=_level(id_, word, phase), says=says)
            for word, on, says in TABLE[id_].judge(facts)
        ]
    return tuple(sorted(found, key=lambda one: _LEVELS.index(one.level)))


def _level(id_: str, word: Word, phase: Phase) -> Literal["ok", "info", "warn", "fail", "unknown"]:
    if word == "bad":
        level = TABLE[id_].level
        if phase != "operate" and id_ in OPERATING:
            return "info"
        return "warn" if phase != "operate" and id_ in MENDED and level == "fail" else level
    return word


def looked_at(
    estate: Estate,
    dag: str,
    members: Sequence[Server],
    ids: Collection[str],
    phase: Phase,
    *,
    known: Seen | None = None,
) -> Steps[tuple[Finding, ...]]:
    """Gather and judge. Hosts that do not answer are findings."""
    facts = yield from gather(estate, dag, members, needs_of(ids), known=known)
    return judged(facts, ids, phase)


def passed(
    estate: Estate, dag: str, members: Sequence[Server], present: Sequence[str], known: Seen, ids: Collection[str]
) -> Steps:
    """Raises where a check fails that building rests on: `Unreachable` for a silent server, else `NotSafe`.

    `present` are the members that are there; those of the inventory are looked at together with the new ones, because
    all members must be alike.
    """
    there = [server for server in estate.servers if any(same_host(server.name, name) for name in present)]
    every = list({server.name: server for server in (*there, *members)}.values())
    facts = yield from gather(estate, dag, every, needs_of(ids), known=known)
    for one in facts.members:
        if one.silent:
            raise one.errors[0]
    failed = [one for one in judged(facts, ids, "build") if one.level == "fail"]
    if failed:
        first, checks = failed[0], ",".join(dict.fromkeys(one.check for one in failed))
        raise NotSafe(
            f"{first.check}: {first.on}: {first.says}",
            certain=(*(f"{one.check}: {one.on}: {one.says}" for one in failed[1:]), "nothing was changed"),
            next=(f"starover run preflight --phase build --only {checks}",),
            host=first.on if any(same_host(first.on, server.name) for server in every) else "",
        )

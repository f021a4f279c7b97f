"""The gold runbooks of the catalogue (6.3), and what each is tried with: from this alone their certificates are made.

A trial is a test of `tests/gold/test_gold.py` with the runbook's name as its parameter; `starover/certificates.json`
is written of them and held to what pytest collects.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from crash_points import S14_SHORT
from disaster_cases import DISASTER
from three_ways import CASES, Case

__all__ = ["ALL", "LOOKS", "TRIALS", "case_of", "certificates", "chosen"]

ALL = "STAROVER_STORIES" in os.environ
"""`make test-all` tries every runbook with everything; every day each trial is held with one or two."""
FILE = "tests/gold/test_gold.py"
LOOKS = ("preflight", "health-report", "az-loss-assess")
"""Those that change nothing."""
CHANGES = (
    *("dag-create", "dag-add-members", "copies-add", "activation-preferences", "copies-suspend", "copies-resume"),
    *("force-quorum", "failback", "maintenance-start", "maintenance-stop", "windows-update", "rolling-windows-update"),
    *("dns-cname", "witness-prepare", "dag-set-witness", "fence"),
)
UNASKED = ("fence",)
"""What -WhatIf is not asked of: it asks AWS, which has none."""
TRIALS: Mapping[str, tuple[str, ...]] = {
    "run_twice": (*CHANGES, *LOOKS),
    "killed_at_a_journal_write": CHANGES,
    "struck_on_the_wire": (*CHANGES, *LOOKS),
    "hostile_values": (*CHANGES, *LOOKS),
    "by_run_command_too": (*CHANGES, *LOOKS),
    "whatif_agrees_with_the_plan": tuple(one for one in CHANGES if one not in UNASKED),
}
"""Which runbooks each trial is for, by the name of its test without `test_`."""
DAILY: Mapping[str, tuple[str, ...]] = {
    "run_twice": ("copies-suspend", "health-report"),
    "killed_at_a_journal_write": ("copies-suspend",),
    "struck_on_the_wire": ("copies-suspend", "health-report"),
    "hostile_values": ("dns-cname", "preflight"),
    "by_run_command_too": ("copies-suspend",),
    "whatif_agrees_with_the_plan": ("copies-resume",),
}


def chosen(trial: str) -> tuple[str, ...]:
    """The runbooks that a trial is held with now."""
    return TRIALS[trial] if ALL else DAILY[trial]


def case_of(book: str) -> Case:
    """Where the runbook has something to do; a look is had where nothing is wrong."""
    if book in LOOKS:
        parameters = {"lost_site": ["AZ1"]} if book == "az-loss-assess" else {}
        return Case(topology="pa-4x2", book=book, parameters=parameters, brings=())
    case = next(one for one in (*CASES, *DISASTER) if one.book == book and not one.undone)
    if book != "rolling-windows-update":
        return case
    brings = next(one.brings for one in CASES if one.book == "windows-update")
    short = S14_SHORT  # a member is patched, and not the witness alone
    return Case(
        topology=short.topology, book=book, parameters=short.parameters, brings=(*brings, "moved", "owner_moved_off")
    )


def certificates() -> dict[str, dict[str, str]]:
    """Node ids of each runbook's trials, by trial."""
    return {book: dict(_nodes(book)) for book in sorted({*CHANGES, *LOOKS})}


def _nodes(book: str) -> Iterator[tuple[str, str]]:
    for trial, books in TRIALS.items():
        if book in books:
            yield trial, f"{FILE}::test_{trial}[{book}]"

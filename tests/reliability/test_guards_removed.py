"""Every guard that is taken away is noticed by a named test."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from mutants import MUTANTS, Mutant
from reliability_page import leave

ROOT = Path(__file__).parents[2]
ALL = "STAROVER_STORIES" in os.environ
SAMPLE = 4
"""How many are tried every day, in turn by the length of the list; `make test-all` tries them all."""


def survives(mutant: Mutant) -> bool:
    """Whether the named test still passes without the guard."""
    ended = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-x",
            "-p",
            "no:randomly",
            "-p",
            "no:cacheprovider",
            "-p",
            "mutants",
            mutant.noticed_by,
        ],
        cwd=ROOT,
        env={**os.environ, "STAROVER_MUTANT": mutant.name, "PYTHONPATH": str(ROOT / "tests")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode in (0, 1), ended.stdout + ended.stderr
    return ended.returncode == 0


@pytest.mark.parametrize(
    "mutant", MUTANTS if ALL else MUTANTS[:: max(1, len(MUTANTS) // SAMPLE)], ids=lambda one: one.name
)
def test_the_removal_is_noticed(mutant: Mutant) -> None:
    noticed = not survives(mutant)
    figures = {"name": mutant.name, "removes": mutant.removes, "by": mutant.noticed_by, "noticed": noticed}
    leave(f"guard-{mutant.name}", figures)
    assert noticed, f"{mutant.noticed_by} does not notice that this is gone: {mutant.removes}"

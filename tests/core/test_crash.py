"""Killed before, within and after every journal write, and again while resuming: every mutation happens once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parents[1]
ALL = ["EX1/one", "EX1/two", "EX2/three", "EX3/four", "EX4/five"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the cases are forked from one process, which Windows cannot")
def test_killed_at_every_write_and_resumed_every_mutation_happens_once(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent)])}
    done = subprocess.run(
        [sys.executable, str(HERE / "core_crash.py"), str(tmp_path), "17"],
        env=environment,
        capture_output=True,
        check=True,
        text=True,
    )
    found = json.loads(done.stdout)
    assert found["points"] > 100  # three for each write of a run of five steps
    resumed = 0
    for case in found["cases"]:
        if "before its first record" in case["said"]:
            assert case["done"] == []  # nothing was sent, and a resume says so
            continue
        assert sorted(case["done"]) == ALL, case
        assert case["twice"] == [], case  # it did not even take a receipt to prevent it
        assert case["audit"] == [], case
        if case["result"] is None:  # it had ended when it was killed: there was nothing to resume
            continue
        resumed += 1
        assert case["result"]["exit"] == 0, case
        assert case["result"]["steps"].count("changed") == len(ALL), case
    assert resumed > 100

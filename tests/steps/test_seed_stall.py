"""A seed that stands still: said after a quarter of an hour, cancelled after an hour and begun anew, twice (S-SEED)."""

from __future__ import annotations

from pathlib import Path

import pytest
from inner_lab import InnerLab
from starover_cli.views.story import progress_text

from starover.drivers.local import Ran
from starover.events import Progress
from starover.transport import Script

TOPOLOGY = """
name: stalls
extends: aws-2az
dags:
  - {name: DAG, members: [ExchangeNode1, ExchangeNode2], witness: FileServer3, witness_directory: 'C:\\DAG'}
databases:
  - {name: DB1, size_gb: 1, copies: [{server: ExchangeNode1}, {server: ExchangeNode2}]}
"""
SEED = {"copy": ["DB1/ExchangeNode2"], "files": "safe-delete"}


def seeded(folder: Path, seconds: float) -> tuple[Ran, list[Script], list[str]]:
    """A broken copy is seeded while its seeds stand still for so long: the run, what it wrote, the lab's events."""
    topology = folder / "stalls.yaml"
    topology.write_text(TOPOLOGY, "utf-8")
    with InnerLab(topology, folder) as lab:
        lab.do(lambda world: world.fault("log_corrupt", "DB1/ExchangeNode2"))
        lab.later(300)
        plan = lab.plan("copy-seed", SEED).plan
        lab.do(lambda world: world.fault("seed_stall", "DB1/ExchangeNode2", for_s=seconds))
        ran = lab.apply(plan)
        wrote = [script for script in lab.transport.sent if script.mutates and "BeginSeed" in script.text]
        events = lab.do(lambda world: [one.kind for one in world.state.log.events if "seed" in one.kind])
        assert set(lab.transport.ran.values()) == {1}
        return ran, wrote, events


def test_a_seed_that_stands_still_is_cancelled_and_begun_anew(tmp_path: Path) -> None:
    ran, wrote, events = seeded(tmp_path, 5000)
    assert ran.exit == 0, ran.error
    assert len(wrote) == 2
    assert ["$staroverStuck = $true" in script.text for script in wrote] == [False, True]
    assert wrote[0].parts[0].sha256 == wrote[1].parts[0].sha256, "the approved script is the same"
    assert events.count("seed_started") == 2


def test_what_never_moves_is_given_up_after_the_third_time(tmp_path: Path) -> None:
    ran, wrote, _ = seeded(tmp_path, 90_000)
    assert ran.exit == 5
    assert ran.error is not None
    assert "no progress" in ran.error.what
    assert len(wrote) == 3


@pytest.mark.parametrize(("still", "said"), [(600.0, False), (900.0, True)])
def test_a_person_is_told_when_nothing_moves(still: float, said: bool) -> None:
    event = Progress(host="EX1", what="DB1/EX2", seconds=2000, left=10, unit="MB", still=still)
    assert ("NO PROGRESS" in progress_text(event)) is said

"""Scenario S22 (a) over the real wires: a zone is cut off, not lost; its half serves, and nothing is forced.

What comes of it where somebody lifts a fence by hand (b), without DAC (c), or when both sides are forced (d) is the
lab's own: tests/world/test_az_loss.py; what our runbooks say then: tests/steps/test_force_quorum.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from lab_cli import lab

pytestmark = pytest.mark.wire


def test_a_zone_that_is_only_cut_off_is_fenced_first(tmp_path: Path) -> None:
    with lab(tmp_path, "pa-4x2-fsw1", quick=True) as place:
        place.ok("lab", "break", "az_isolated", "1a")
        place.ok("lab", "clock", "--advance", "6m")
        there = {"DB01": "EX1", "DB02": "EX2"}
        assert place.mounted() | there == place.mounted(), "the other side serves all along"

        seen = place.type("assess")
        assert "Fence first, never force" in " ".join(seen.out.split())
        assert "whether EX1 still runs: EC2: running, status checks ok" in " ".join(seen.out.split())

        forced = place.type("plan", "force-quorum", "--lost-site", "AZ1")
        assert forced.code == 4
        assert "quorum LOST 2/5   DAC DagOnly" in forced.out, "who told the guard so tells the first line too"
        assert "az-loss-assess answers `fence-first`" in " ".join((forced.out + forced.err).split())
        assert place.writes() == []
        assert place.mounted() | there == place.mounted()
        assert place.state()["violations"] == []

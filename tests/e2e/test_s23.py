"""Scenario S23 over the real wires: after S21 the lost site comes back, in order, and a second run changes nothing.

Its variants (no room in the zone, no right to take snapshots, the way without DAC) run in process:
tests/steps/test_failback.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from lab_cli import lab

pytestmark = pytest.mark.wire

TOPOLOGY = """name: behind
extends: pa-4x2-fsw1
tuning:
  ship_latency_s: "40"
  seed_mb_per_s_same_az: "2000"
  seed_mb_per_s_cross_az: "2000"
  snapshot_mb_per_s: "2000"
  reboot_s: "60"
"""
"""Copies lack four logs at any moment; what takes hours is quick, since every look goes over a real wire."""
FORCE = ("force-quorum", "--lost-site", "AZ1", "--surviving-site", "AZ2", "--witness", "alternate")
BACK = ("failback", "--site", "AZ1", "--when", "now")
LAGGED = {"DB01": "EX4", "DB02": "EX3", "DB03": "EX2", "DB04": "EX1"}


def test_a_lost_site_comes_back(tmp_path: Path) -> None:
    (tmp_path / "behind.yaml").write_text(TOPOLOGY, "utf-8")
    with lab(tmp_path, str(tmp_path / "behind.yaml"), quick=True) as place:
        place.ok("lab", "clock", "--advance", "1h")
        place.ok("lab", "break", "az", "1a")
        place.ok("lab", "clock", "--advance", "2m")
        glass = ("--break-glass", "nobody else can be reached tonight")
        plan = str(place.ok("--format", "json", "plan", *FORCE).json["plan"]["digest"])[:8]
        place.ok("--dag", "DAG1", "apply", plan, "--ticket", "INC1", "--approve", plan, *glass)
        place.ok("lab", "break", "az_return", "1a")
        place.ok("lab", "clock", "--advance", "1h")

        plan = str(place.ok("--format", "json", "plan", *BACK).json["plan"]["digest"])[:8]
        ran = place.ok("apply", plan, "--ticket", "INC2", "--approve", plan)
        assert "4 of 4 databases mounted, every passive copy healthy" in ran.out
        assert "kept as snap-" in ran.out
        assert place.mounted() == {"DB01": "EX1", "DB02": "EX2", "DB03": "EX3", "DB04": "EX4"}
        state = place.state()
        assert state["violations"] == []
        assert all(place.copy(name, server)["activation_suspended"] for name, server in LAGGED.items())
        writes = place.writes()
        assert writes.count("Start-DatabaseAvailabilityGroup") == 1
        place.ok("run", *BACK)
        assert place.writes() == writes, "a second run changes nothing"
        place.ok("audit", "verify")

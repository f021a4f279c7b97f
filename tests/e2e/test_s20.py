"""Scenario S20 over the real wires: the default deployment loses a zone, DAC is off, and mail comes back.

The variants (losses beyond the dial, held mounts, stops that hang) run in process: tests/steps/test_force_quorum.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from lab_cli import lab

pytestmark = pytest.mark.wire

TOPOLOGY = """name: behind
extends: aws-2az-nodac
tuning: {ship_latency_s: "30"}
"""
"""Copies lack three logs at any moment: six a minute, each told of at once."""


def test_the_zone_of_the_witness_is_lost(tmp_path: Path) -> None:
    (tmp_path / "behind.yaml").write_text(TOPOLOGY, "utf-8")
    with lab(tmp_path, str(tmp_path / "behind.yaml"), quick=True) as place:
        place.ok("lab", "clock", "--advance", "1h")
        place.ok("lab", "break", "az", "1a")
        place.ok("lab", "clock", "--advance", "2m")
        assert place.mounted() == {"DB1": "", "DB2": ""}

        seen = place.ok("assess")
        assert "MAIL IS DOWN since 15:00" in seen.out
        assert "3 logs known missing" in seen.out
        assert "ExchangeNode1: EC2: running, status checks" in seen.out
        assert "needs        a ticket, a second person's approval" in seen.out
        plan = next(line.split()[1] for line in seen.out.splitlines() if line.startswith("plan "))
        assert place.writes() == [], "assess reads only"

        alone = place.type("apply", plan, "--ticket", "INC1", "--approve", plan)
        assert alone.code == 4
        assert "needs a second person" in alone.err + alone.out
        assert place.mounted() == {"DB1": "", "DB2": ""}

        place.ok("--dag", "DAG", "approve", plan, "--as", "oncall-b")
        ran = place.ok("apply", plan, "--ticket", "INC1", "--approve", plan)
        assert "MAIL IS BACK" in ran.out
        assert place.mounted() == {"DB1": "ExchangeNode2", "DB2": "ExchangeNode2"}
        state = place.state()
        assert state["violations"] == []

        writes = place.writes()
        place.ok("run", "force-quorum", "--lost-server", "ExchangeNode1")  # nobody need agree to nothing
        assert place.writes() == writes, "a second run changes nothing"
        assert "Set-DatabaseAvailabilityGroup" not in writes
        place.ok("audit", "verify")

"""Scenario S21 over the real wires: half of a DAG with DAC and its witness are lost, and the datacenter is moved."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab_cli import lab

pytestmark = pytest.mark.wire

FORCE = ("force-quorum", "--lost-site", "AZ1", "--surviving-site", "AZ2", "--witness", "alternate")


def test_a_datacenter_is_switched_over(tmp_path: Path) -> None:
    with lab(tmp_path, "pa-4x2-fsw1", quick=True) as place:
        place.ok("lab", "clock", "--advance", "1h")
        place.ok("lab", "break", "az", "1a")
        place.ok("lab", "clock", "--advance", "2m")
        assert set(place.mounted().values()) == {""}

        planned = place.ok("--format", "json", "plan", *FORCE).json
        plan = str(planned["plan"]["digest"])[:8]
        glass = ("--break-glass", "nobody else can be reached tonight")
        ran = place.ok("--dag", "DAG1", "apply", plan, "--ticket", "INC1", "--approve", plan, *glass)
        assert "nobody else can be reached" in ran.out + ran.err, "loud in the report"
        assert place.mounted() == {"DB01": "EX3", "DB02": "EX4", "DB03": "EX3", "DB04": "EX4"}
        assert place.state()["violations"] == []
        writes = place.writes()
        assert "Set-DatabaseAvailabilityGroup" not in writes
        assert writes.count("Restore-DatabaseAvailabilityGroup") == 1
        for refused in (
            ("db-switchover", "--db", "DB03", "--to", "EX4", "--hold", "freeze"),
            ("dag-networks", "--network", "All=10.0.0.0/16:mapi", "--compression", "Enabled"),
        ):
            typed = place.type("plan", *refused)
            assert typed.code == 4
            assert "G-SETDAG" in typed.out + typed.err
        place.ok("run", *FORCE)
        assert place.writes() == writes, "a second run changes nothing"
        assert place.copy("DB01", "EX4")["activation_suspended"], "lagged copies keep their block (I10)"

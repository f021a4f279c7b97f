"""S12, S14, S18 and S20 over Run Command and the lab's AWS port, by processes as a person starts them.

They take minutes, so `make test-all` alone plays them; tests/transport/test_over_ssm.py plays them in process.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from inner_roads import BEHIND, VIPS
from lab_cli import Place, lab

pytestmark = [
    pytest.mark.wire,
    pytest.mark.skipif("STAROVER_STORIES" not in os.environ, reason="minutes; `make test-all` plays it"),
]
QUICK = "name: quick\nextends: pa-4x2\ntuning: {reboot_s: 20, update_reboot_s: 10, services_after_boot_s: 20}\n"
SSM = ("--transport", "ssm")


def snapin(place: Place) -> None:
    """Exchange may be asked by LocalSystem."""
    file = place.folder / ".starover" / "lab" / "inventory.yaml"
    document = yaml.safe_load(file.read_text("utf-8"))
    for server in document["servers"]:
        if "exchange" in server:
            server["exchange"] |= {"provider": "snapin", "allow_unsupported_snapin": True}
    file.write_text(yaml.safe_dump(document, sort_keys=False), "utf-8")


def write(folder: Path, text: str) -> str:
    file = folder / "topology.yaml"
    file.write_text(text, "utf-8")
    return str(file)


def test_s12(tmp_path: Path) -> None:
    with lab(tmp_path, "pa-4x2") as place:
        snapin(place)
        start = ("run", "maintenance-start", "--server", "EX1", "--redirect-to", "EX2", "--yes", *SSM)
        before = place.state()["servers"]["EX1"]["exchange"]["activation_policy"]
        place.ok(*start)
        state = place.state()
        assert state["databases"]["DB01"]["active"] == "EX3"
        assert state["dags"]["DAG1"]["cluster"]["nodes"]["EX1"]["state"] == "Paused"
        writes = place.writes()
        assert "Nothing to do" in place.ok(*start).out
        second = place.type("run", "maintenance-start", "--server", "EX2", "--yes", *SSM)
        assert second.code == 4
        assert "G-SINGLE" in second.words
        assert place.writes() == writes
        place.ok("run", "maintenance-stop", "--server", "EX1", "--yes", *SSM)
        state = place.state()
        assert state["servers"]["EX1"]["exchange"]["activation_policy"] == before
        assert state["databases"]["DB04"]["copies"]["EX1"]["activation_suspended"], "lagged and barred, as before"
        assert state["violations"] == []
        assert {entry["caller"] for entry in state["audit"]} <= {f"EXAMPLE\\EX{number}$" for number in range(1, 5)}
        place.ok("audit", "verify")


def test_s14(tmp_path: Path) -> None:
    with lab(tmp_path, write(tmp_path, QUICK)) as place:
        snapin(place)
        roll = ("run", "rolling-windows-update", "--witness", "last", "--yes", *SSM)
        started = place.start(*roll)
        out, err = started.communicate(timeout=900)
        assert started.returncode == 0, out + err
        events = place.control("events")["events"]
        boots = [event["subject"] for event in events if event["kind"] == "host_up"]
        assert sorted(boots) == ["EX1", "EX2", "EX3", "EX4", "FSW3"]
        assert boots[-1] == "FSW3"
        state = place.state()
        assert {name: one["active"] for name, one in state["databases"].items()} == {
            "DB01": "EX1", "DB02": "EX2", "DB03": "EX3", "DB04": "EX4",
        }  # fmt: skip
        assert state["violations"] == []


def test_s18(tmp_path: Path) -> None:
    with lab(tmp_path, write(tmp_path, VIPS)) as place:
        move = ("run", "namespace-switchover", "--name", "mail.example.com", *SSM, "--yes", "--vip")
        assert "one time to live (300 s) passes" in place.ok(*move, "10.0.0.50", "--action", "remove").words
        last = place.type(*move, "10.0.32.50", "--action", "remove")
        assert last.code == 4
        assert "I14" in last.words
        place.ok(*move, "10.0.0.50", "--action", "return")
        assert place.state()["violations"] == []


def test_s20(tmp_path: Path) -> None:
    with lab(tmp_path, write(tmp_path, BEHIND), quick=True) as place:
        snapin(place)
        place.ok("lab", "clock", "--advance", "1h")
        place.ok("lab", "break", "az", "1a")
        place.ok("lab", "clock", "--advance", "2m")
        seen = place.ok("assess", *SSM)
        plan = next(line.split()[1] for line in seen.out.splitlines() if line.startswith("plan "))
        assert place.type("apply", plan, "--ticket", "INC1", "--approve", plan, *SSM).code == 4
        place.ok("--dag", "DAG", "approve", plan, "--as", "oncall-b")
        assert "MAIL IS BACK" in place.ok("apply", plan, "--ticket", "INC1", "--approve", plan, *SSM).out
        assert place.mounted() == {"DB1": "ExchangeNode2", "DB2": "ExchangeNode2"}
        assert place.state()["violations"] == []

"""Scenario S28 over the real wires: a zone with bad links, out of the balancer's DNS first, and nothing is forced."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lab_cli import Place, lab

pytestmark = pytest.mark.wire

SHIFT = ("run", "zonal-shift", "--az", "euw1-az1", "--yes")


def answer(place: Place) -> str:
    """What `assess` says should be done."""
    typed = place.within("--format", "json", "assess", "--no-plan")
    return str(json.loads(typed.out.splitlines()[-1] if not typed.out.startswith("{\n") else typed.out)["answer"])


def test_a_grey_zone_is_led_around_and_nothing_is_forced(tmp_path: Path) -> None:
    with lab(tmp_path, "pa-4x2") as place:
        place.within("lab", "clock", "--advance", "1h")
        assert place.within("lab", "break", "link_latency", "1a,*", "ms=400", "loss=20").code == 0
        assert place.within("lab", "break", "link_flap", "1a,1b", "n=3", "down=120", "up=60").code == 0
        first = place.ok(*SHIFT)
        assert "without euw1-az1" in first.words
        assert "Nothing to do" in place.within(*SHIFT).words

        said: list[str] = []
        for minutes in (1, 2, 2, 2, 2):
            place.within("lab", "clock", "--advance", f"{minutes}m")
            said.append(answer(place))
        assert set(said) <= {"settling", "none"}, said
        assert "settling" in said
        place.within("lab", "clock", "--advance", "20m")
        assert answer(place) == "none"
        typed = place.type("plan", "force-quorum", "--lost-site", "AZ1")
        assert typed.code == 4, typed.words
        assert place.writes() == []

        nodes = {name: one["information"] for name, one in place.state()["dags"]["DAG1"]["cluster"]["nodes"].items()}
        assert nodes == {"EX1": "Quarantined", "EX2": "Normal", "EX3": "Normal", "EX4": "Normal"}
        assert "Down, Quarantined" in place.within("run", "health-report").words
        assert "EX1 Quarantined -> Up" in place.ok("run", "host-event", "--server", "EX1", "--yes").words
        place.within("lab", "clock", "--advance", "5m")
        state = place.state()
        assert {one["state"] for one in state["dags"]["DAG1"]["cluster"]["nodes"].values()} == {"Up"}
        assert "" not in place.mounted().values(), "every database serves"
        assert state["violations"] == []
        again = place.within("run", "host-event", "--server", "EX1", "--yes")
        assert (again.code, place.state()["dags"]["DAG1"]["cluster"]) == (0, state["dags"]["DAG1"]["cluster"])

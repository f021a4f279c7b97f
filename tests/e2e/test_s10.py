"""Scenario S10 over the real wires: a switchover, the rebalance that undoes it, a swap that holds it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lab_cli import Place, lab

pytestmark = pytest.mark.wire

WORDS = ("run", "db-switchover", "--db", "DB01", "--to", "EX3")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with lab(tmp_path_factory.mktemp("s10"), "pa-4x2") as made:
        yield made


def test_it_moves_and_goes_back_by_itself_unless_it_is_held(place: Place) -> None:
    assert place.state()["databases"]["DB01"]["active"] == "EX1"
    first = place.ok(*WORDS, "--yes")
    assert "changed 1, checked again: holds." in first.out
    assert "DB01 will go back to EX1 within 1 h (G-REBAL)" in " ".join((first.out + first.err).split())
    database = place.state()["databases"]["DB01"]
    assert (database["active"], database["state"]) == ("EX3", "Mounted")
    assert "Nothing to do" in place.ok(*WORDS, "--yes").out
    assert place.writes() == ["Move-ActiveMailboxDatabase"]

    place.ok("lab", "clock", "--advance", "61m")
    assert place.state()["databases"]["DB01"]["active"] == "EX1", "automatic rebalancing, from 2016 on"

    place.ok(*WORDS, "--hold", "swap", "--yes")
    place.ok("lab", "clock", "--advance", "61m")
    held = place.state()["databases"]["DB01"]
    assert held["active"] == "EX3"
    assert {name: copy["preference"] for name, copy in held["copies"].items()} == {
        "EX3": 1,
        "EX1": 2,
        "EX2": 3,
        "EX4": 4,
    }
    writes = place.writes()
    assert "Nothing to do" in place.ok(*WORDS, "--hold", "swap", "--yes").out

    refused = place.type("run", "db-switchover", "--db", "DB01", "--to", "EX4", "--yes")
    assert refused.code == 4
    assert "G-LAG" in refused.out + refused.err
    assert place.writes() == writes
    assert place.state()["violations"] == []
    place.ok("audit", "verify")

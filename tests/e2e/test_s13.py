"""Scenario S13 over the real wires: maintenance refused by witness, quorum, copies and window, and what is said."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lab_cli import Place, lab

pytestmark = pytest.mark.wire

ALLOWED = "one good copy left of DB1, DB2 for about 25 min"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with lab(tmp_path_factory.mktemp("s13"), "aws-2az", "--flag", "dag") as made:
        yield made


@pytest.fixture
def whole(place: Place) -> Iterator[Place]:
    """The lab with nothing broken, before and after, and nothing changed in it."""
    writes = place.writes()
    yield place
    assert place.writes() == writes, "a refusal sends reads only"
    place.calm()


def start(server: str) -> tuple[str, ...]:
    return ("run", "maintenance-start", "--server", server, "--yes")


def said(place: Place, *words: str, code: int = 4) -> str:
    typed = place.type(*words)
    assert typed.code == code, typed.out + typed.err
    return " ".join((typed.out + typed.err).split())


def test_without_a_witness_neither_of_two_may_go(whole: Place) -> None:
    whole.ok("lab", "break", "witness_down", "FileServer")
    whole.ok("lab", "clock", "--advance", "5m")
    second = said(whole, *start("ExchangeNode2"))
    assert "is not safe now (G-WITNESS)" in second
    assert "the weights of the nodes are now: ExchangeNode1 1, ExchangeNode2 0" in second
    assert "ExchangeNode1 could not go either: G-QUORUM, 0 of 1 votes would remain" in second
    assert "passed: G-SETUP G-SINGLE G-QUORUM G-COPIES G-SEED G-WINDOW (6 of 7)" in second
    first = said(whole, *start("ExchangeNode1"))
    assert "is not safe now (G-WITNESS and G-QUORUM)" in first


def test_without_a_second_good_copy_the_database_is_named(whole: Place) -> None:
    whole.ok("lab", "break", "divergence", "DB2/ExchangeNode1")
    refused = said(whole, *start("ExchangeNode2"))
    assert "G-COPIES: no other copy of DB2 can take over" in refused
    assert "DB2/ExchangeNode1 FailedAndSuspended" in refused


def test_with_all_well_it_is_allowed_with_a_warning_and_only_in_its_window(whole: Place) -> None:
    planned = said(whole, "plan", "maintenance-start", "--server", "ExchangeNode2", code=0)
    assert ALLOWED in planned

    inventory = whole.folder / ".starover" / "lab" / "inventory.yaml"
    text = inventory.read_text("utf-8")
    head, dags, rest = text.partition("dags:\n- name: DAG\n")
    assert dags
    try:
        inventory.write_text(f"{head}{dags}  windows:\n  - Sun 01:00-05:00 Europe/Zurich\n{rest}", "utf-8")
        late = said(whole, *start("ExchangeNode2"), code=75)
        assert "has to wait for a maintenance window (G-WINDOW)" in late
        assert "the next one opens on Sun 22 Nov at 00:00 UTC" in late
        assert ALLOWED in said(whole, "plan", "maintenance-start", "--server", "ExchangeNode2", "--now", code=0)
    finally:
        inventory.write_text(text, "utf-8")
    assert "G-COPIES" in said(
        whole, "plan", "maintenance-start", "--server", "ExchangeNode2", "--min-copies", "2", code=4
    )

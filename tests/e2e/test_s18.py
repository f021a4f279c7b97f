"""S18: a virtual address out of DNS and in again, and what clients meet meanwhile; over real sockets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab_cli import Place, lab
from three_ways import TWO_VIPS

pytestmark = pytest.mark.wire
MOVE = ("namespace-switchover", "--name", "mail.example.com", "--vip")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder: Path = tmp_path_factory.mktemp("s18")
    (folder / "two-vips.yaml").write_text(TWO_VIPS, "utf-8")
    with lab(folder, "two-vips.yaml") as made:
        yield made


def findings(place: Place, *more: str) -> dict[tuple[str, str], dict[str, Any]]:
    """By check and place."""
    typed = place.type("--format", "json", "run", "client-check", *more)
    document = json.loads(typed.out.splitlines()[-1])
    return {(one["check"], one["on"]): one for one in document["value"]["findings"]}


def test_s18(place: Place) -> None:
    seen = findings(place)
    assert seen["https 443", "mail.example.com 10.0.0.50"]["level"] == "ok"
    assert seen["redirect 80", "mail.example.com 10.0.32.50"]["level"] == "ok"
    assert seen["smtp 25", "EX3 10.0.32.13"]["level"] == "ok"
    assert seen["dns", "mail.example.com"]["says"] == "10.0.0.50, 10.0.32.50"

    out = place.ok("run", *MOVE, "10.0.0.50", "--action", "remove", "--yes")
    assert "one time to live (300 s) passes" in out.words
    assert "Nothing to do" in place.ok("run", *MOVE, "10.0.0.50", "--action", "remove", "--yes").out
    last = place.type("run", *MOVE, "10.0.32.50", "--action", "remove", "--yes")
    assert last.code == 4
    assert "I14" in last.words
    assert "last address" in last.words
    place.ok("run", *MOVE, "10.0.0.50", "--action", "return", "--yes")
    assert place.state()["violations"] == []


def test_an_address_that_serves_nobody_is_not_put_back(place: Place) -> None:
    place.ok("run", *MOVE, "10.0.0.50", "--action", "remove", "--yes")
    for server in ("EX1", "EX2", "EX3", "EX4"):
        place.control("break", kind="service_crash", target=server, params={"service": "W3SVC"})
    refused = place.type("run", *MOVE, "10.0.0.50", "--action", "return", "--yes")
    assert refused.code == 4
    assert "the connection was cut" in refused.words
    place.control("mend", kind="service_crash")
    place.control("clock/advance", seconds=600)
    place.ok("run", *MOVE, "10.0.0.50", "--action", "return", "--yes")


def test_a_server_in_maintenance_shows_it_to_clients(place: Place) -> None:
    place.control("break", kind="service_crash", target="EX4", params={"service": "W3SVC"})
    place.control("break", kind="service_crash", target="EX2", params={"service": "MSExchangeFrontEndTransport"})
    seen = findings(place, "--servers", "EX1,EX2,EX4", "--protocols", "https,smtp,imap")
    assert seen["https 443", "EX1 10.0.0.11"]["level"] == "ok"
    assert seen["https 443", "EX4 10.0.33.14"]["level"] == "fail"
    assert seen["smtp 25", "EX2 10.0.1.12"]["level"] == "fail"
    assert seen["https 443", "EX2 10.0.1.12"]["level"] == "ok"
    assert seen["imap 993", "EX1 10.0.0.11"]["level"] == "fail", "IMAP is not started unless somebody wants it"
    place.control("mend", kind="service_crash")
    old = place.type("run", "client-check", "--protocols", "rpc")
    assert old.code == 2

"""Scenario S17 over the real wires: a client name becomes an alias of the balancer, on every DNS server, and back."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab_cli import Place, lab

pytestmark = pytest.mark.wire

BALANCER = "exch-nlb-0a1b.elb.eu-west-1.amazonaws.com"
CNAME = ("run", "dns-cname", "--zone", "example.com", "--name", "mail", "--target", BALANCER, "--ttl", "300", "--yes")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with lab(tmp_path, "aws-2az") as place:
        yield place


def with_records(folder: Path, *records: str) -> str:
    """A topology in which DNS holds something already."""
    file = folder / "named.yaml"
    file.write_text(
        "name: named\nextends: aws-2az\ndns_records:\n" + "".join(f"  - {one}\n" for one in records), "utf-8"
    )
    return str(file)


def mail(place: Place) -> list[str]:
    """What every DNS server has for the name, when all have heard."""
    place.ok("lab", "clock", "--advance", "20m")
    found: list[str] = place.state()["zones"]["example.com"].get("mail", [])
    return found


def written(place: Place) -> list[Any]:
    """Every change of a DNS record since the lab began."""
    events = [json.loads(line) for line in place.ok("--format", "json", "lab", "events").out.splitlines()]
    return [one for one in events if one["kind"] in ("dns_added", "dns_changed", "dns_removed")]


def test_the_alias_is_made_once_and_every_dns_server_answers_with_it(place: Place) -> None:
    first = place.ok(*CNAME)
    assert "changed 1, checked again: holds." in first.out
    assert mail(place) == [f"CNAME {BALANCER}. ttl=300"]
    for dc in ("DC1", "DC2"):
        assert f"{dc} answers mail.example.com with {BALANCER}, TTL 300 (waiting-ad) on DC1: holds" in first.err
    assert len(written(place)) == 1
    again = place.ok(*CNAME)
    assert "Nothing to do" in again.out
    assert len(written(place)) == 1
    assert place.state()["violations"] == []


def test_undo_takes_exactly_this_alias_away(place: Place) -> None:
    run = place.ok("--format", "json", *CNAME).json["run"]
    place.ok("undo", run, "--yes")
    assert mail(place) == []
    assert "Nothing to do" in place.ok("undo", run, "--yes").out


def test_a_name_with_another_record_is_left_alone_and_the_record_shown(tmp_path: Path) -> None:
    with lab(tmp_path, with_records(tmp_path, "{name: mail.example.com, type: A, data: 10.0.0.50}")) as place:
        before = mail(place)
        refused = place.type(*CNAME)
        assert refused.code == 4
        assert "A 10.0.0.50" in refused.out
        assert mail(place) == before
        assert written(place) == []


def test_only_the_time_to_live_of_a_right_alias_changes(tmp_path: Path) -> None:
    record = f"{{name: mail.example.com, type: CNAME, data: {BALANCER}, ttl: 1h}}"
    with lab(tmp_path, with_records(tmp_path, record)) as place:
        assert mail(place) == [f"CNAME {BALANCER}. ttl=3600"]
        run = place.ok(*CNAME)
        assert f"CNAME {BALANCER} TTL 3600 to CNAME {BALANCER} TTL 300" in " ".join(run.out.split())
        assert mail(place) == [f"CNAME {BALANCER}. ttl=300"]
        assert [one["kind"] for one in written(place)] == ["dns_changed"]
        assert "Nothing to do" in place.ok(*CNAME).out
        place.ok("run", "dns-ttl", "--ttl", "60", "--yes")
        assert mail(place) == [f"CNAME {BALANCER}. ttl=60"]
        assert "Nothing to do" in place.ok("run", "dns-ttl", "--ttl", "60", "--yes").out


def test_an_alias_that_points_elsewhere_is_moved_and_undo_moves_it_back(tmp_path: Path) -> None:
    record = "{name: mail.example.com, type: CNAME, data: exchangenode1.example.com, ttl: 10m}"
    with lab(tmp_path, with_records(tmp_path, record)) as place:
        run = place.ok("--format", "json", *CNAME).json
        assert mail(place) == [f"CNAME {BALANCER}. ttl=300"]
        place.ok("undo", run["run"], "--yes")
        assert mail(place) == ["CNAME exchangenode1.example.com. ttl=600"]


def test_without_the_first_dns_server_the_next_one_is_written(place: Place) -> None:
    place.ok("lab", "break", "dc_down", "DC1")
    run = place.ok(*CNAME)
    assert "changed 1, checked again: holds." in run.out
    assert "DC1 does not answer" in " ".join(run.out.split())
    (change,) = written(place)
    assert change["data"]["dc"] == "DC2"
    place.ok("lab", "mend", "1")
    assert mail(place) == [f"CNAME {BALANCER}. ttl=300"]
    assert "Nothing to do" in place.ok(*CNAME).out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--target", "no-such-balancer.elb.amazonaws.com"), "has no address"),
        (("--target", "filesERVER.example.com"), "does not answer on TCP 443"),
        (("--target", BALANCER, "--zone", "example.org"), "does not have the zone example.org"),
    ],
)
def test_an_alias_to_nowhere_is_refused(place: Place, words: tuple[str, ...], says: str) -> None:
    zone = () if "--zone" in words else ("--zone", "example.com")
    refused = place.type("run", "dns-cname", *zone, *words, "--yes")
    assert refused.code == 4
    assert says in " ".join(refused.out.split())
    assert written(place) == []


@pytest.mark.parametrize(
    "words",
    [
        ("--zone", "example.com"),
        ("--zone", "example.com", "--target", "10.0.0.1"),
        ("--zone", "example.com", "--target", "mail.example.com"),
        ("--zone", "example.com", "--target", BALANCER, "--load-balancer-name", "exch-nlb-0a1b"),
        ("--zone", "example.com", "--load-balancer-name", "nobody"),
        ("--zone", "example.com", "--target", BALANCER, "--ttl", "0"),
        ("--zone", "example.com", "--target", BALANCER, "--name", "@"),
        ("--zone", "example.com", "--target", BALANCER, "--name", "a.b"),
        ("--zone", "example.com'; Remove-Item", "--target", BALANCER),
        ("--zone", "example.com", "--target", BALANCER, "--dns-servers", "FileServer"),
    ],
)
def test_bad_words_contact_nobody(tmp_path: Path, words: tuple[str, ...]) -> None:
    """No host listens where the inventory says: whoever asks one would be silent, not wrong."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        (tmp_path / "inventory.yaml").write_text(
            "name: closed\nservers:\n"
            + "".join(
                f"  - {{name: {name}, fqdn: {name}.example.com, roles: [{role}], credential: 'env:X', "
                f"roads: [{{scheme: http, address: 127.0.0.{n}, port: {port}}}]}}\n"
                for n, (name, role) in enumerate([("DC1", "dc"), ("FileServer", "witness")], 1)
            )
            + f"balancers:\n  - {{name: exch-nlb-0a1b, fqdn: {BALANCER}}}\n",
            "utf-8",
        )
        typed = Place(tmp_path).type("--inventory", "inventory.yaml", "run", "dns-cname", *words, "--yes")
    assert typed.code == 2, typed.out + typed.err

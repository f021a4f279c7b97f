"""A lab in a realm: the map drawn by tickets alone, a clock that is wrong, and a stranger with a ticket."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from kdc import Kdc, missing
from lab_cli import Place, lab
from pypsrp.client import Client
from starover_lab.world.world import World

pytestmark = [pytest.mark.wire, pytest.mark.skipif(bool(missing()), reason=missing() or "all is there")]

TOPOLOGY = "pa-4x2"


@pytest.fixture(scope="module")
def realm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kdc]:
    world = World.from_topology(TOPOLOGY)
    operator = next(iter(world.state.accounts))
    hosts = [world.server(spec.name).fqdn for spec in world.topology.servers]
    users = {"operator": operator.password}
    with Kdc(tmp_path_factory.mktemp("kdc"), world.topology.forest.name.upper(), users, hosts) as made:
        yield made


@pytest.fixture(scope="module")
def place(realm: Kdc, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in realm.environment.items():
            patch.setenv(name, value)
        with lab(tmp_path_factory.mktemp("lab"), TOPOLOGY) as running:
            own = running.folder / ".starover" / "lab" / "inventory.yaml"
            text = own.read_text("utf-8")
            assert "auth: negotiate" in text
            own.with_name("kerberos.yaml").write_text(text.replace("auth: negotiate", "auth: kerberos"), "utf-8")
            yield running


def typed(place: Place, *words: str) -> str:
    file = place.folder / ".starover" / "lab" / "kerberos.yaml"
    answer = place.type("--inventory", str(file), *words)
    assert answer.code == 0, answer.words
    return answer.words


def test_every_host_answers_by_kerberos(place: Place, realm: Kdc) -> None:
    log = realm.folder / "kdc.log"
    told = typed(place, "status")
    assert "Mail is up. 4 of 4 databases mounted" in told
    assert log.read_text().count("HTTP/ex1.example.com") >= 1
    assert log.read_text().count("HTTP/dc1.example.com") >= 1


def test_a_wrong_clock_closes_one_host_and_says_so(place: Place) -> None:
    place.ok("lab", "break", "kerberos_skew", "EX4", "seconds=600")
    told = typed(place, "status")
    assert "0x80090324" in told
    assert "EX4" in told
    place.calm()
    assert "0x80090324" not in typed(place, "status")


def test_a_strangers_client_with_a_ticket_and_no_password(place: Place, realm: Kdc) -> None:
    realm.kinit("operator")
    hosts = {one["name"]: one for one in lab_json(place)["hosts"]}
    with Client(
        hosts["EX2"]["address"],
        port=hosts["EX2"]["http_port"],
        ssl=False,
        auth="kerberos",
        negotiate_hostname_override=hosts["EX2"]["fqdn"],
        negotiate_service="HTTP",
    ) as client:
        output, _, failed = client.execute_ps("$env:COMPUTERNAME")
    assert (output.strip(), failed) == ("EX2", False)


def lab_json(place: Place) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = json.loads((place.folder / ".starover" / "lab" / "lab.json").read_text())
    return found

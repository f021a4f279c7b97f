"""Witness, DAC mode, access point and networks of a DAG over the real wires, each with a second run and its undo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lab_cli import Place, lab, seldom

pytestmark = [pytest.mark.wire, seldom]

ETS = r"EXAMPLE\Exchange Trusted Subsystem"


def twice(place: Place, *words: str) -> str:
    """Run it, and once more: the second time nothing is changed. Gives the id of the first run."""
    run: str = place.ok("--format", "json", "run", *words, "--yes").json["run"]
    before = settled(place.state())
    place.ok("run", *words, "--yes")
    assert settled(place.state()) == before
    assert before["violations"] == []
    return run


def settled(state: Any) -> Any:
    """The world without its clock and what moves with it."""
    kept = {key: state[key] for key in ("dags", "audit", "zones", "accounts", "violations")}
    hosts = {
        name: {key: one[key] for key in ("administrators", "features", "shares", "nics")}
        for name, one in state["servers"].items()
    }
    return kept | {"servers": hosts}


def test_another_witness_and_dac_mode_and_back(tmp_path: Path) -> None:
    with lab(tmp_path, "aws-2az-nodac") as place:
        before = place.state()["dags"]["DAG"]
        moved = twice(place, "dag-set-witness", "--server", "FileServer3", "--directory", r"C:\DAG")
        cluster = place.state()["dags"]["DAG"]["cluster"]
        assert (cluster["witness"], cluster["witness_online"], cluster["votes"]) == ("FileServer3", True, 3)
        switched = twice(place, "dac-mode")
        assert place.state()["dags"]["DAG"]["ad"]["DC2"]["dac_mode"] == "DagOnly"
        place.ok("undo", switched, "--yes")
        place.ok("undo", moved, "--yes")
        place.ok("lab", "clock", "--advance", "10m")
        after = place.state()
        assert after["dags"]["DAG"] == before
        assert ETS not in after["servers"]["FileServer3"]["administrators"]

        refused = place.type("run", "dag-set-witness", "--server", "ExchangeNode2", "--yes")
        assert refused.code == 2
        place.ok("lab", "break", "host_off", "ExchangeNode2")
        place.ok("lab", "clock", "--advance", "5m")
        refused = place.type("run", "dag-set-witness", "--server", "FileServer3", "--skip-witness-prepare", "--yes")
        assert refused.code == 4, refused.err
        assert "G-QUORUM" in refused.out + refused.err


def test_one_adapter_a_member_needs_no_networks(tmp_path: Path) -> None:
    with lab(tmp_path, "aws-2az-nodac") as place:
        one = ("run", "dag-networks", "--network", "All=10.0.0.0/19,10.0.32.0/19:mapi", "--yes")
        assert "nothing to do" in place.ok(*one).out
        two = ("--network", "A=10.0.0.0/19:mapi", "--network", "B=10.0.32.0/19:replication")
        assert place.type("run", "dag-networks", *two, "--yes").code == 4
        assert place.type("run", "dag-networks", "--network", "A=10.0.0.0/19:mapi", "--yes").code == 4
        assert place.writes() == []


def test_an_access_point_and_networks_of_two_adapters_on_2013(tmp_path: Path) -> None:
    with lab(tmp_path, "rep-net-2013-unbuilt") as place:
        staged = twice(place, "cno-prestage", "--dag", "DAG2")
        place.ok("undo", staged, "--yes")
        twice(place, "dag-secondary-ips", "--ip", "MBX1=172.19.18.50", "--ip", "MBX2=172.19.19.50")
        create = (
            *("dag-create", "--dag", "DAG2", "--witness-server", "FS1"),
            *("--aap", "static", "--ip", "172.19.18.50", "--ip", "172.19.19.50"),
            *("--members", "MBX1,MBX2"),
        )
        twice(place, *create)
        built = place.state()["dags"]["DAG2"]
        assert built["cluster"]["online_address"] == "172.19.18.50"
        assert built["cluster"]["witness_online"]
        assert built["second_clusters"] == []

        networks = (
            *("dag-networks", "--dag", "DAG2", "--encryption", "Enabled"),
            *("--network", "Mapi=172.19.18.0/24,172.19.19.0/24:mapi"),
            *("--network", "Rep=10.10.1.0/24,10.10.2.0/24:replication"),
        )
        run = twice(place, *networks)
        place.ok("undo", run, "--yes")
        assert place.state()["violations"] == []


def test_an_adapter_for_replication_loses_clients_business_and_gets_it_back(tmp_path: Path) -> None:
    topology = tmp_path / "busy.yaml"
    topology.write_text(
        "name: busy\nextends: rep-net-2013\nservers:\n"
        "  - name: MBX1\n    roles: [mailbox]\n    az: eu-west-1a\n    address: 172.19.18.11\n    os: 2012R2\n"
        "    exchange: {year: '2013', cu: CU23, build: 15.0.1497.2}\n    nics:\n"
        "      - {alias: MAPI, address: 172.19.18.11/24}\n"
        "      - alias: Replication\n        address: 10.10.1.11/24\n        purpose: replication\n"
        "        register_dns: true\n        bindings: {ms_server: true}\n        dns_servers: [172.19.18.10]\n",
        "utf-8",
    )
    with lab(tmp_path, str(topology)) as place:
        found = place.ok("run", "preflight", "--only", "P17")
        assert "ms_server on" in found.out
        run = twice(
            place,
            *("dag-networks", "--network", "Mapi=172.19.18.0/24,172.19.19.0/24:mapi"),
            *("--network", "Rep=10.10.1.0/24,10.10.2.0/24:replication"),
        )
        assert "ms_server on" not in place.ok("run", "preflight", "--only", "P17").out
        place.ok("undo", run, "--yes")
        assert "ms_server on" in place.ok("run", "preflight", "--only", "P17").out

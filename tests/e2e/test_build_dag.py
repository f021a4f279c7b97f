"""Building a DAG over the real wires, as a person types it: scenarios S1, S5, S6, and the DAG's part of S7."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab_cli import Place, lab

pytestmark = pytest.mark.wire

WITNESS = ("--witness-server", "FileServer3", "--witness-directory", r"C:\DAG")
CREATE = (
    "dag-create",
    *("--dag", "DAG"),
    *WITNESS,
    *("--alternate-witness-server", "FileServer", "--alternate-witness-directory", r"C:\DAGALT"),
    *("--members", "ExchangeNode1,ExchangeNode2"),
    *("--dac", "true"),
)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with lab(tmp_path, "aws-2az") as found:
        yield found


def dag(place: Place) -> Any:
    """The DAG as the lab has it: AD by domain controller, and the cluster."""
    return place.state()["dags"]["DAG"]


def test_s1_a_dag_without_an_access_point_and_a_second_run_that_changes_nothing(place: Place) -> None:
    first = place.ok("run", *CREATE, "--yes")
    assert "all hold" in first.out
    built = dag(place)
    for controller in ("DC1", "DC2"):
        ad = built["ad"][controller]
        assert ad["members"] == ["ExchangeNode1", "ExchangeNode2"]
        assert (ad["dac_mode"], ad["witness"], ad["alternate_witness"]) == (
            "DagOnly",
            "FileServer3.example.com",
            "FileServer.example.com",
        )
    cluster = built["cluster"]
    assert {node["state"] for node in cluster["nodes"].values()} == {"Up"}
    assert (cluster["quorum_type"], cluster["witness_online"]) == ("NodeAndFileShareMajority", True)
    assert (cluster["votes"], cluster["total"]) == (3, 3)
    assert (cluster["addresses"], built["second_clusters"]) == ([], [])
    state = place.state()
    for host in ("FileServer", "FileServer3"):
        assert r"EXAMPLE\Exchange Trusted Subsystem" in state["servers"][host]["administrators"]
    created = next(entry for entry in state["audit"] if entry["cmdlet"] == "New-DatabaseAvailabilityGroup")
    assert "255.255.255.255" in created["parameters"]["DatabaseAvailabilityGroupIpAddresses"]
    assert not any(name.casefold() == "dag" for zone in state["zones"].values() for name in zone)
    assert state["violations"] == []

    wrote = place.writes()
    again = place.ok("run", *CREATE, "--yes")
    assert "0 changes" in again.out or "Nothing to do" in again.out
    assert place.writes() == wrote
    assert strip(place.state()["servers"]) == strip(state["servers"])
    place.ok("audit", "verify")


def strip(servers: Any) -> Any:
    """What a run may change about a host, without what moves by itself."""
    kept = ("administrators", "features", "shares", "nics")
    return {name: {key: one[key] for key in kept} for name, one in servers.items()}


def test_s1_is_undone_to_nothing(place: Place) -> None:
    run = place.ok("--format", "json", "run", *CREATE, "--yes").json["run"]
    place.ok("undo", run, "--yes")
    assert "DAG" not in place.state()["dags"] or not any(dag(place)["ad"].values())
    assert place.state()["violations"] == []


def test_s5_the_next_member_never_joins_past_a_controller_that_knows_nothing(place: Place) -> None:
    place.ok("lab", "break", "ad_latency", "seconds=1500")
    stopped = place.type("run", *CREATE, "--yes")
    assert stopped.code == 5, stopped.err
    assert "waiting-ad" in stopped.err
    built = dag(place)
    assert built["ad"]["DC1"]["members"] == ["ExchangeNode1"]
    assert built["second_clusters"] == []
    assert place.state()["violations"] == []

    place.ok("lab", "mend")
    place.ok("lab", "clock", "--advance", "30m")
    run = place.ok("--format", "json", "runs").json["runs"][0]["run"]
    place.ok("resume", run)
    built = dag(place)
    assert built["ad"]["DC2"]["members"] == ["ExchangeNode1", "ExchangeNode2"]
    assert (built["second_clusters"], len(built["cluster"]["nodes"])) == ([], 2)
    assert place.writes().count("Add-DatabaseAvailabilityGroupServer") == 2
    wrote = place.writes()
    place.ok("run", *CREATE, "--yes")
    assert place.writes() == wrote
    assert place.state()["violations"] == []


def test_s6_a_witness_without_rights_is_found_and_repaired(place: Place) -> None:
    place.ok("lab", "break", "witness_share_acl_removed", "FileServer3")
    stopped = place.type("run", *CREATE, "--skip-witness-prepare", "--yes")
    assert stopped.code == 5, stopped.err
    assert "witness-acl" in stopped.err
    assert "dag-witness-repair" in stopped.err
    assert not dag(place)["cluster"]["witness_online"]

    refused = place.type("run", *CREATE, "--skip-witness-prepare", "--yes")
    assert refused.code == 4
    place.ok("run", "dag-witness-repair", "--dag", "DAG", "--yes")
    assert dag(place)["cluster"]["witness_online"]
    place.ok("run", *CREATE, "--skip-witness-prepare", "--yes")
    assert dag(place)["ad"]["DC1"]["dac_mode"] == "DagOnly"
    wrote = place.writes()
    place.ok("run", "dag-witness-repair", "--dag", "DAG", "--yes")
    assert place.writes() == wrote
    assert place.state()["violations"] == []


@pytest.mark.parametrize(
    "wrong",
    [
        ("--dag", "Mail-Availability-1", *WITNESS),
        ("--dag", "DAG1; Remove-Item", *WITNESS),
        ("--dag", "DAG", "--witness-server", "10.0.0.200"),
        ("--dag", "DAG", "--witness-server", "ExchangeNode2", "--members", "ExchangeNode1,ExchangeNode2"),
        ("--dag", "DAG", "--witness-server", "FileServer3", "--witness-directory", "C:\\"),
        ("--dag", "DAG", "--witness-server", "FileServer3", "--witness-directory", r"\\x\y"),
        ("--dag", "DAG", *WITNESS, "--members", "ExchangeNode1,DC1"),
        ("--dag", "DAG", *WITNESS, "--members", "ExchangeNode1,ExchangeNode9"),
        ("--dag", "DAG", *WITNESS, "--aap", "static", "--members", "ExchangeNode1"),
    ],
    ids=lambda words: " ".join(words)[:40],
)
def test_s7_bad_input_is_refused_before_anybody_is_asked(tmp_path: Path, wrong: tuple[str, ...]) -> None:
    """There is an inventory and no host behind it: asking one would be another exit."""
    inventory = tmp_path / "inventory.yaml"
    servers = "".join(
        f"  - {{name: {name}, fqdn: {name}.example.com, roles: [{role}], address: {address}{more}}}\n"
        for name, role, address, more in (
            ("ExchangeNode1", "mailbox", "127.0.0.2", ", exchange: {version: 15.2.2562.37}"),
            ("ExchangeNode2", "mailbox", "127.0.0.3", ", exchange: {version: 15.2.2562.37}"),
            ("FileServer3", "witness", "127.0.0.4", ""),
            ("DC1", "dc", "127.0.0.5", ""),
        )
    )
    inventory.write_text(f"name: e\nforest: {{name: example.com, netbios: EXAMPLE}}\nservers:\n{servers}", "utf-8")
    typed = Place(tmp_path).type("--inventory", str(inventory), "plan", "dag-create", *wrong)
    assert typed.code == 2, typed.err
    assert "asking" not in typed.err


@pytest.mark.parametrize(
    ("change", "fault", "check"),
    [
        ("os: '2025'", (), "P03"),
        ("nics: [{alias: Ethernet, address: 169.254.3.4/16}]", (), "P14"),
        ("", ("link_latency", "1a,1b", "ms=620"), "P13"),
    ],
    ids=["os", "apipa", "rtt"],
)
def test_s7_what_the_hosts_say_is_refused_before_anything_is_changed(
    tmp_path: Path, change: str, fault: tuple[str, ...], check: str
) -> None:
    topology = tmp_path / "odd.yaml"
    topology.write_text(
        "name: odd\nextends: aws-2az\n"
        + (
            "servers:\n  - name: ExchangeNode2\n    roles: [mailbox]\n    az: eu-west-1b\n    address: 10.0.32.100\n"
            f"    exchange: {{year: '2019', cu: CU14, build: 15.2.1544.4}}\n    {change}\n"
            if change
            else ""
        ),
        "utf-8",
    )
    with lab(tmp_path, str(topology)) as place:
        if fault:
            place.ok("lab", "break", *fault)
        refused = place.type("run", *CREATE, "--yes")
        assert refused.code == 4, refused.out + refused.err
        assert f"{check}: " in refused.err
        assert place.writes() == []

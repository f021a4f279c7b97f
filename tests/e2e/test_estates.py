"""Estates nobody has prepared: other names, sizes and shapes, written as anybody writes a topology."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from lab_cli import Place, Typed, lab

pytestmark = pytest.mark.wire
MAIL = "Kunden’s Post"

THREE = f"""
name: trois-zones
forest: {{name: corp.example, netbios: CORP}}
azs: [eu-north-1a, eu-north-1b, eu-north-1c]
sites: [{{name: Nord, az: eu-north-1a}}, {{name: Ost, az: eu-north-1b}}, {{name: West, az: eu-north-1c}}]
subnets:
  - {{cidr: 10.1.0.0/24, site: Nord, az: eu-north-1a}}
  - {{cidr: 10.2.0.0/24, site: Ost, az: eu-north-1b}}
  - {{cidr: 10.3.0.0/24, site: West, az: eu-north-1c}}
servers:
  - {{name: ndc, roles: [dc], address: 10.1.0.10}}
  - {{name: mbx-n1, roles: [mailbox], address: 10.1.0.11, os: "2025", exchange: {{year: SE}}}}
  - {{name: MBX-o1, roles: [mailbox], address: 10.2.0.11, os: "2025", exchange: {{year: SE}}}}
  - {{name: Mbx-W1, roles: [mailbox], address: 10.3.0.11, os: "2025", exchange: {{year: SE}}}}
dags:
  - {{name: dag-eu, members: [mbx-n1, MBX-o1, Mbx-W1], dac_mode: DagOnly}}
databases:
  - name: "{MAIL}"
    size_gb: 20
    copies: [{{server: mbx-n1}}, {{server: MBX-o1}}, {{server: Mbx-W1, replay_lag: 3d, activation_suspended: true}}]
  - name: buchhaltung 2026
    size_gb: 20
    copies: [{{server: MBX-o1}}, {{server: Mbx-W1}}, {{server: mbx-n1}}]
accounts:
  - {{name: operator, groups: [Domain Admins, Domain Users], role_groups: [Organization Management]}}
"""


def six() -> str:
    """Six members in three zones, twelve databases with three copies each, and a second DAG of two."""
    lines = [
        "name: six",
        "forest: {name: six.example, netbios: SIX}",
        "azs: [a-1a, a-1b, a-1c]",
        "sites: [{name: P, az: a-1a}, {name: Q, az: a-1b}, {name: R, az: a-1c}]",
        "servers:",
        "  - {name: DCP, roles: [dc], az: a-1a, address: 10.1.0.5}",
        "  - {name: FS, roles: [witness], az: a-1c, address: 10.3.0.9}",
    ]
    members = [f"S{number}" for number in range(1, 7)]
    for at, name in enumerate([*members, "T1", "T2"]):
        zone = at // 2 % 3
        place = f"az: a-1{'abc'[zone]}, address: 10.{zone + 1}.0.{20 + at}"
        lines.append(f"  - {{name: {name}, roles: [mailbox], {place}, exchange: {{year: '2019', cu: CU14}}}}")
    lines += [
        "dags:",
        f"  - {{name: BIG, members: [{', '.join(members)}], witness: FS, witness_directory: 'C:\\BIG'}}",
        "  - {name: small, members: [T1, T2], witness: FS, witness_directory: 'C:\\small'}",
        "databases:",
        "  - {name: tiny, size_gb: 1, copies: [{server: T1}, {server: T2}]}",
    ]
    for number in range(12):
        copies = ", ".join(f"{{server: {members[(number + step) % 6]}}}" for step in range(3))
        lines.append(f"  - {{name: M{number + 1:02}, size_gb: 10, copies: [{copies}]}}")
    lines += ["accounts:", "  - {name: ops, groups: [Domain Admins], role_groups: [Organization Management]}"]
    return "\n".join(lines)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("three")
    (folder / "three.yaml").write_text(THREE, "utf-8")
    with lab(folder, "three.yaml") as place:
        yield place


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("six")
    (folder / "six.yaml").write_text(six(), "utf-8")
    with lab(folder, "six.yaml") as place:
        yield place


def run(place: Place, *words: str, code: int = 0) -> Typed:
    typed = place.within("run", *words, "--yes")
    assert typed.code == code, typed.out + typed.err
    return typed


def and_back(place: Place, *words: str, changes: int) -> None:
    """Run it, run it again, undo it, undo it again: the second time nothing, the world exactly as before."""
    before, written = place.copies(), len(place.writes())
    first = run(place, *words)
    assert f"changed {changes}, " in first.out
    sent = place.writes()[written:]
    assert len(sent) >= changes
    assert "Nothing to do" in run(place, *words).out
    assert place.writes()[written:] == sent
    found = re.search(r"run ([0-9a-f]{8}\.\d+)", first.out)
    assert found is not None
    back = place.within("undo", found[1], "--yes")
    assert back.code == 0, back.out + back.err
    place.control("clock/advance", seconds=600)
    assert place.copies() == before
    sent = place.writes()
    assert "Nothing to do" in place.within("undo", found[1], "--yes").out
    assert place.writes() == sent
    assert place.state()["violations"] == []


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        (("copies-suspend", "--db", MAIL, "--server", "mbx-o1", "--mode", "full"), 1),
        (("copies-suspend", "--db", MAIL, "--db", "BUCHHALTUNG 2026", "--server", "MBX-W1", "--mode", "full"), 2),
        (("copies-suspend", "--db", "*", "--server", "Mbx-W1", "--mode", "full", "--comment", "‘curly’ $(x)"), 2),
        (("copies-suspend", "--server", "mbx-n1", "--all-on-server", "--mode", "activation-only"), 1),
        (("copies-suspend", "--db", f"{MAIL}/mbx-n1", "--mode", "activation-only"), 1),
    ],
    ids=["one", "two", "every", "all-on-server", "active"],
)
def test_every_way_to_suspend_is_done_once_and_undone_exactly(
    three: Place, words: tuple[str, ...], changes: int
) -> None:
    and_back(three, *words, changes=changes)


def test_resume_of_what_was_suspended_is_undone_as_well(three: Place) -> None:
    before = three.copies()
    run(three, "copies-suspend", "--server", "Mbx-W1", "--all-on-server", "--mode", "full")
    and_back(three, "copies-resume", "--server", "Mbx-W1", "--all-on-server", changes=2)
    run(three, "copies-resume", "--server", "Mbx-W1", "--all-on-server")
    three.control("clock/advance", seconds=600)
    assert three.copies() == before, "the lagged copy is barred as it was"


def test_a_dag_of_three_needs_no_witness_and_is_well(three: Place) -> None:
    seen = three.within("--format", "json", "status")
    drawn = json.loads(seen.out)["map"]
    assert (drawn["where"]["votes"], drawn["where"]["votes_total"]) == (3, 3)
    assert {row["name"] for row in drawn["databases"]} == {MAIL, "buchhaltung 2026"}
    assert "Mail is up." in json.loads(seen.out)["verdict"][0]
    report = three.within("run", "health-report")
    assert report.code == 0
    assert "dag-eu is well" in report.out


@pytest.mark.parametrize(
    "variables",
    [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "LANG": "C", "PYTHONIOENCODING": "cp437"}],
    ids=["ascii", "cp437"],
)
def test_a_console_that_cannot_draw_a_name_escapes_it(three: Place, variables: dict[str, str]) -> None:
    seen = three.type("status", **variables)
    assert seen.code == 0, seen.err
    assert "Kunden\\u2019s Post" in seen.out
    planned = three.type("plan", "copies-suspend", "--db", MAIL, "--server", "mbx-o1", "--mode", "full", **variables)
    assert planned.code == 0, planned.err
    machine = three.type("--format", "json", "status", **variables)
    assert MAIL in {row["name"] for row in json.loads(machine.out)["map"]["databases"]}


@pytest.mark.parametrize(("columns", "most"), [("60", 60), ("200", 100)])
def test_a_terminal_is_filled_and_never_overrun(
    three: Place, monkeypatch: pytest.MonkeyPatch, columns: str, most: int
) -> None:
    monkeypatch.setattr("starover_cli.console.Console.width", property(lambda _: min(100, int(columns))))
    for words in (("status",), ("plan", "copies-suspend", "--db", "*", "--server", "mbx-w1", "--mode", "full")):
        typed = three.within(*words)
        text = "\n".join(line for line in typed.out.splitlines() if "starover " not in line)
        assert max(len(line) for line in text.splitlines()) <= most, text


def test_of_two_dags_one_is_named(big: Place) -> None:
    for words in (("status",), ("run", "health-report")):
        typed = big.within(*words)
        assert typed.code == 2
        assert "BIG" in typed.err
        assert "small" in typed.err
    seen = big.within("--dag", "big", "status")
    assert seen.code == 0
    assert "M01-M12: ACTIVE on 1, all healthy" in seen.out
    assert "quorum 7/7" in seen.out
    assert "tiny" not in seen.out
    report = big.within("--dag", "big", "run", "health-report")
    assert "starover --dag BIG status" in report.out
    small = big.within("--dag", "small", "status")
    assert "quorum 3/3" in small.out
    assert re.search(r"^tiny ", small.out, re.MULTILINE)
    wrong = big.within("--dag", "BIG", "plan", "copies-suspend", "--db", "tiny", "--server", "T1", "--mode", "full")
    assert wrong.code == 2
    assert "T1 is no member of BIG" in wrong.err


def test_a_server_of_a_big_dag_is_emptied_and_filled_again(big: Place) -> None:
    and_back(big, "copies-suspend", "--dag", "BIG", "--server", "S3", "--all-on-server", "--mode", "full", changes=4)


def test_two_labs_in_two_directories_know_nothing_of_each_other(three: Place, big: Place) -> None:
    before = three.copies()
    run(big, "copies-suspend", "--dag", "small", "--db", "tiny", "--server", "T2", "--mode", "full")
    assert three.copies() == before
    foreign = max(big.folder.glob(".starover/plans/*.json"), key=lambda file: file.stat().st_mtime)
    here = three.folder / ".starover" / "plans" / foreign.name
    here.write_bytes(foreign.read_bytes())
    typed = three.within("apply", foreign.stem, "--yes")
    here.unlink()
    assert typed.code == 2
    assert "estate" in typed.err

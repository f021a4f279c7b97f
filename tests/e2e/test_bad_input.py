"""What a person can get wrong, over the real wires: one clear message, the right exit code with its word, no harm."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from lab_cli import Place, Typed, lab

pytestmark = pytest.mark.wire
SUSPEND = ("plan", "copies-suspend", "--server", "EX3", "--mode", "full")
SECRET = "not-the-password-77"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with lab(tmp_path_factory.mktemp("bad"), "pa-4x2") as running:
        yield running
        assert running.writes() == [], "nothing here may change anything"


def complains(typed: Typed, code: int, word: str, *said: str) -> str:
    """The message, which has the shape that every message has."""
    text = typed.err[typed.err.rindex("\n!") + 1 :] if "\n!" in typed.err else typed.err
    assert typed.code == code, typed.out + typed.err
    assert text.startswith(f"! {word}: "), typed.err
    assert len(re.findall(rf"exit {code} {word}$", text, re.MULTILINE)) == 1, text
    assert re.search(r"^  certain ", text, re.MULTILINE), "it says what is certain"
    flat = " ".join(text.split())
    for words in said:
        assert words in flat, text
    assert max(len(line) for line in text.splitlines()) <= 100
    return text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("plan", "copies-suspnd"), ("no runbook `copies-suspnd`", "copies-suspend")),
        (("plan",), ("needs a name", "copies-suspend, ")),
        (("stats",), ("no command 'stats'", "starover status")),
        (("plan", "copies-suspend", "--db", "DB01", "--mode", "full"), ("needs --server",)),
        (("plan", "copies-suspend", "--db", "DB01", "--server", "EX3"), ("needs --mode", "--mode activation-only")),
        ((*SUSPEND, "--db", "DB01", "--moed", "x"), ("no option --moed", "--mode")),
        (("plan", "copies-suspend", "--server", "EX3", "--mode", "fall", "--db", "DB01"), ("'fall' is not one of",)),
        ((*SUSPEND, "--db", "DB01", "--server", "EX4"), ("EX3 and EX4",)),
        ((*SUSPEND, "--db", "DB01/EX4"), ("EX3 and EX4",)),
        (("plan", "copies-suspend", "--mode", "full", "--db", "DB01EX4"), ("DB01/EX4",)),
        ((*SUSPEND, "--db", "DB01EX3"), ("no copy of a database DB01EX3", "DB01/EX3", "DB01, DB02, DB03, DB04")),
        ((*SUSPEND, "--db", "DB99"), ("no copy of a database DB99", "it hosts: DB01")),
        ((*SUSPEND, "--db", ""), ("--db (empty)", "a database's name")),
        ((*SUSPEND, "--db", "DB01", "--comment", "x" * 600), ("at most 512", "...")),
        ((*SUSPEND, "--db", "DB01", "--all-on-server"), ("exclude each other",)),
        (SUSPEND, ("--all-on-server",)),
        (("plan", "copies-suspend", "--db", "DB01", "--mode", "full", "--server", "EX9"), ("no server `EX9`", "EX4")),
        (("plan", "copies-suspend", "--db", "DB01", "--mode", "full", "--server", "DC1"), ("no member of DAG1",)),
        ((*SUSPEND, "--db", "DB01", "--dag", "DAG9"), ("no DAG `DAG9`", "DAG1")),
        ((*SUSPEND, "--db", "DB01", "--ticket", "two words"), ("a ticket is",)),
        (("apply", "12"), ("at least 4",)),
        (("apply", "12345678"), ("no plan 12345678",)),
        (("resume", "12345678.1"), ("no run 12345678.1",)),
        (("undo", "12345678.1"), ("no run 12345678.1",)),
        (("lab", "up", "pa-4x2", "--detach"), ("already: pa-4x2",)),
        (("lab", "break", "frob", "EX1"), ("no fault `frob`", "host_off")),
        (("lab", "break", "host_off", "EX99"), ("no server `EX99`", "EX4")),
        (("lab", "clock", "--advance", "5x"), ("a duration is written",)),
        (("--home", "nowhere", "runbooks"), ("nowhere",)),
    ],
    ids=lambda case: " ".join(case)[:40],
)
def test_a_wrong_line_is_answered_in_one_message(place: Place, words: tuple[str, ...], said: tuple[str, ...]) -> None:
    typed = place.within(*words)
    complains(typed, 2, "bad input", *said)
    assert typed.out == ""


def test_the_same_in_json_is_one_document_with_the_same_code(place: Place) -> None:
    for words in (("plan", "nope"), (*SUSPEND, "--db", "DB99"), ("--inventory", "nowhere.yaml", "status"), ("stats",)):
        typed = place.within("--format", "json", *words)
        (line,) = typed.out.splitlines()
        data = json.loads(line)
        assert (data["exit"], data["word"]) == (typed.code, "bad input") == (2, "bad input")
        assert data["what"]
        assert data["certain"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty"),
        ("- a\n- b\n", "begins with `name:`"),
        ("name: [a\nservers: }\n", "bad.yaml:2: this is not YAML"),
        ("name: x\nname: y\n", "bad.yaml:2: the key `name` stands twice: first in line 1"),
        ("name: x\nservres: []\n", "did you mean `servers`?"),
        ("name: x\nservers:\n  - {name: A, fqdn: A.x.y, roles: [dc]}\ndags:\n  - {name: D, members: [B]}\n", "`B`"),
        (
            "name: x\ndefaults: {credential: hunter2hunter2}\nservers: [{name: A, fqdn: A.b, roles: [dc]}]\n",
            "reference",
        ),
        ("name: x\n", "no DAG"),
        ("name: \udcff\n", "not UTF-8"),
    ],
)
def test_a_broken_inventory_names_file_line_and_wish(place: Place, tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "bad.yaml"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    for words in (("status",), ("run", "health-report")):
        text = complains(place.within("--inventory", str(file), *words), 2, "bad input", said)
        assert "hunter2" not in text


def inventory(place: Place, tmp_path: Path, *, scheme: str, **road: str) -> tuple[str, str]:
    """The lab's inventory with another road or credential, as an option."""
    folder = place.folder / ".starover" / "lab"
    estate = yaml.safe_load((folder / "inventory.yaml").read_text("utf-8"))
    credential = road.pop("credential", "")
    if credential:
        estate["defaults"]["credential"] = credential
    for server in estate["servers"]:
        (kept,) = (one for one in server["roads"] if one["scheme"] == scheme and one.get("kind", "psrp") == "psrp")
        if scheme == "https":
            kept["ca_file"] = str(folder / "ca.pem")
        kept |= road
        server["roads"] = [{key: value for key, value in kept.items() if value != ""}]
    (tmp_path / "other.yaml").write_text(yaml.safe_dump(estate), "utf-8")
    (tmp_path / "lab.json").write_bytes((folder / "lab.json").read_bytes())
    return "--inventory", str(tmp_path / "other.yaml")


def test_a_wrong_password_is_told_once_and_never_shown(place: Place, tmp_path: Path) -> None:
    option = inventory(place, tmp_path, scheme="http", credential="env:OPS")
    secrets = {"OPS_USER": "EXAMPLE\\operator", "OPS_PASSWORD": SECRET}
    denied = place.within(*option, *SUSPEND, "--db", "DB01", **secrets)
    complains(denied, 6, "not authenticated", "EX3 does not accept the user and password", "nothing was sent")
    assert denied.out.startswith("LAB ")
    nobody = place.within(*option, "status", **secrets)
    assert nobody.code == 6, "a look that sees nothing has failed"
    assert "9 hosts" in nobody.out
    assert "starover inventory check" in nobody.out
    missing = place.within(*option, *SUSPEND, "--db", "DB01")
    complains(missing, 6, "not authenticated", "OPS_USER and OPS_PASSWORD", "export OPS_USER")
    kept = [file for file in (place.folder / ".starover").rglob("*") if file.is_file()]
    assert not [file for file in kept if SECRET in file.read_text("utf-8", "replace")]
    assert SECRET not in denied.out + denied.err


def test_a_certificate_that_is_not_trusted_says_how_to_trust_it(place: Place, tmp_path: Path) -> None:
    (tmp_path / "other.pem").write_bytes(authority())
    for name in ("", str(tmp_path / "other.pem")):
        option = inventory(place, tmp_path, scheme="https", ca_file=name)
        typed = place.within(*option, *SUSPEND, "--db", "DB01")
        complains(typed, 6, "unreachable", "is not trusted", "`ca_file:`", "nothing was sent")
        assert "_ssl.c" not in typed.err
    option = inventory(place, tmp_path, scheme="https", ca_file="nowhere.pem")
    complains(place.within(*option, *SUSPEND, "--db", "DB01"), 2, "bad input", "there is no file", "nowhere.pem")
    option = inventory(place, tmp_path, scheme="https")
    assert place.within(*option, *SUSPEND, "--db", "DB01").code == 0


def authority() -> bytes:
    """A certificate of somebody else."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "somebody else")])
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    start = datetime(2020, 1, 1, tzinfo=UTC)
    built = built.serial_number(1).not_valid_before(start).not_valid_after(start + timedelta(days=36500))
    built = built.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def test_hosts_that_are_away_are_named_and_cost_their_own_time_only(place: Place) -> None:
    place.ok("lab", "break", "winrm_silent", "EX2")
    place.ok("lab", "break", "winrm_refused", "EX1")
    try:
        seen = place.within("--format", "json", "status")
        assert seen.code == 0
        assert {row["name"] for row in json.loads(seen.out)["map"]["databases"]} == {"DB01", "DB02", "DB03", "DB04"}
        silent = {one["server"]: one["why"] for one in json.loads(seen.out)["map"]["silent"]}
        assert set(silent) == {"EX1", "EX2"}
        assert "refused" in silent["EX1"]
        assert "says nothing" in silent["EX2"]
        assert "EX2" in seen.err
        for server in ("EX1", "EX2"):
            words = ("run", "copies-suspend", "--db", "DB03", "--server", server, "--mode", "full", "--yes")
            complains(place.within(*words), 6, "unreachable", server, "nothing was sent")
    finally:
        place.ok("lab", "mend")


def test_without_a_terminal_nobody_is_asked_and_nothing_sent(place: Place) -> None:
    words = ("run", "copies-suspend", "--db", "DB04", "--server", "EX3", "--mode", "full")
    asked = place.within(*words)
    text = complains(asked, 2, "not confirmed", "nobody is here to be asked")
    (command,) = re.findall(r"^  starover (apply [0-9a-f]{8} --yes)$", text, re.MULTILINE)
    assert command.split()[1] in asked.out
    lines = place.within("--format", "json", *words).out.splitlines()
    assert [json.loads(line) for line in lines][-1]["word"] == "not confirmed"


def test_a_refusal_says_why_and_what_would_pass(place: Place) -> None:
    active = place.within("run", "copies-suspend", "--db", "DB01", "--server", "EX1", "--mode", "full", "--yes")
    assert active.code == 4
    assert "exit 4 refused" in active.err
    assert "DB01/EX1 is the active copy" in active.out
    assert "activation-only" in active.out


def test_no_lab_and_a_dead_one_are_the_same_short_message(tmp_path: Path) -> None:
    nowhere = Place(tmp_path)
    complains(nowhere.type("status"), 2, "bad input", "there is no inventory", "starover lab up")
    for words in (("lab", "status"), ("lab", "down"), ("lab", "break", "az", "1a"), ("lab", "clock"), ("lab", "mend")):
        complains(nowhere.within(*words), 6, "no lab", "starover lab up")
    assert "no estate yet" in nowhere.ok().out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("extends: pa-4x3\n", "no topology `pa-4x3`"),
        ("extends: pa-4x2\ndatabases:\n  - {name: X, copies: [{server: EX77}]}\n", "mine.yaml:4: a copy is on `EX77`"),
        ("extends: pa-4x2\nfaults:\n  - {kind: nonsense}\n", "no fault `nonsense`"),
    ],
)
def test_a_topology_with_a_mistake_starts_nothing(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "mine.yaml").write_text(f"name: mine\n{text}", "utf-8")
    nowhere = Place(tmp_path)
    complains(nowhere.type("lab", "up", "mine.yaml", "--detach"), 2, "bad input", said, "nothing is running")
    assert not (tmp_path / ".starover" / "lab" / "lab.json").exists()

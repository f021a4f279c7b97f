"""Evidence bundles: all that a run did, checked by a program that knows nothing of starover."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from core_hand import approval_of
from core_site import Site
from signing import Person

from starover.errors import BadParameter
from starover.evidence import export
from starover.evidence_verifier import KINDS, kind_of
from starover.journal import read_journal, run_ids
from starover.testing import FakeFault

FIRST, LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> tuple[Person, Person]:
    folder = tmp_path_factory.mktemp("keys")
    return Person.new("oncall-a", folder), Person.new("mallory", folder)


@pytest.fixture(scope="module")
def state(people: tuple[Person, Person], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that went well, one that was refused, one that stayed unknown and was stopped at."""
    folder = tmp_path_factory.mktemp("state")
    site = Site(folder)

    def run(server: str, before: Any = lambda: None) -> int:
        local = site.local()
        local.sign = people[0].sign
        made = local.plan("lamps-on", {"servers": [server], "names": ["a"]}).plan
        before()
        return local.apply(made, approve=approval_of).exit

    assert run("EX1") == 0
    assert run("EX2", lambda: site.lamps.broken.add(("EX2", "a"))) == 4
    lost = (FakeFault("lost-after", what="write"), FakeFault("silent", what="probe", times=-1))
    assert run("EX3", lambda: site.hosts.fail(*lost)) == 5
    return folder


@pytest.fixture(scope="module")
def kept(state: Path, people: tuple[Person, Person], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evidence") / "bundle"
    made = export(state, folder, FIRST, LAST, people[0].sign)
    assert (made.runs, made.unsigned, made.left_out) == (tuple(run_ids(state)), "", ())
    return folder


@pytest.fixture
def bundle(kept: Path, tmp_path: Path) -> Path:
    """A copy to be tampered with."""
    return Path(shutil.copytree(kept, tmp_path / "bundle"))


def checked(bundle: Path, *words: str) -> tuple[int, str]:
    """By a Python that finds nothing but its own library."""
    line = [sys.executable, "-I", "-S", str(bundle / "verify.py"), *words]
    ended = subprocess.run(line, capture_output=True, text=True, check=False, cwd=bundle.parent)
    assert not ended.stderr, ended.stderr
    return ended.returncode, ended.stdout


def test_the_verifier_is_short_and_stands_alone(bundle: Path) -> None:
    text = (bundle / "verify.py").read_text("utf-8")
    assert len(text.splitlines()) <= 150
    assert "import starover" not in text
    assert "from starover" not in text


def test_a_bundle_proves_itself(bundle: Path, people: tuple[Person, Person]) -> None:
    signers = bundle.parent / "signers"
    signers.write_text(people[0].line, "utf-8")
    code, said = checked(bundle, "--signers", str(signers))
    assert code == 0, said
    assert "as it was written: 6 run(s)" in said
    assert "signed: oncall-a (7)" in said, "six heads and the bundle itself"
    assert "not checked" not in said
    code, said = checked(bundle)
    assert code == 0, said
    assert "whose the keys are" in said


def test_what_a_run_did_lies_in_it(state: Path, bundle: Path) -> None:
    told: dict[int, dict[str, list[Any]]] = {}
    for run in run_ids(state):
        folder = bundle / "runs" / run
        items = {kind: json.loads((folder / f"{kind}.json").read_text("utf-8")) for kind in KINDS}
        if items["plan"]:
            told[read_journal(state, run)[-1].body.event.exit] = items  # type: ignore[union-attr]
            names = {file.name for file in (folder / "scripts").iterdir()}
            assert len(names) == len(items["scripts"]) > 0
    assert set(told) == {0, 4, 5}
    assert all(items["plan"][0]["body"]["plan"]["digest"] for items in told.values())
    assert all(
        {one["body"]["entry"] for one in items["approval"]} == {"answered", "recorded"} for items in told.values()
    )
    assert [one["body"]["event"]["state"] for one in told[0]["verified"] if "event" in one["body"]] == ["changed"]
    assert any(one["body"].get("operation") for one in told[0]["receipts"])
    assert told[0]["refusals"] == []
    assert {one["body"]["event"].get("state") for one in told[4]["refusals"]} == {"refused"}
    assert {one["body"]["event"].get("state") for one in told[5]["refusals"]} == {"unknown"}


def test_every_file_that_is_lost_or_changed_is_found(bundle: Path) -> None:
    own = ("verify.py", "README.txt")
    files = [file for file in sorted(bundle.rglob("*")) if file.is_file() and file.name not in own]
    for file in files[:: max(1, len(files) // 6)]:
        data = file.read_bytes()
        middle = len(data) // 2
        for now in (None, data[:middle], data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]):
            if now is None:
                file.unlink()
            else:
                file.write_bytes(now)
            if now is not None or file.name != "MANIFEST.sig":  # then it is merely not signed, and that is said
                assert checked_in_process(bundle) == 1, file
        file.write_bytes(data)
    assert checked_in_process(bundle) == 0


def links(bundle: Path) -> None:
    (bundle / "journal" / "runs" / "00000000.1.jsonl").symlink_to("/dev/zero")


def pipes(bundle: Path) -> None:
    os.mkfifo(bundle / "journal" / "runs" / "00000000.1.jsonl")


def moves(bundle: Path) -> None:
    shutil.move(bundle / "journal", bundle.parent / "elsewhere")
    (bundle / "journal").symlink_to(bundle.parent / "elsewhere")


def nests(bundle: Path) -> None:
    path = next((bundle / "journal" / "runs").glob("*.jsonl"))
    path.write_bytes(path.read_bytes() + b'{"n":' + b"[" * 200_000 + b"\n")
    seal(bundle)


def counts(bundle: Path) -> None:
    path = next((bundle / "journal" / "index").glob("*.head"))
    lines = (bundle / "journal" / "runs" / f"{path.stem}.jsonl").read_bytes().split(b"\n")[:-1]
    path.write_text(f"-1 {hashlib.sha256(lines[-2]).hexdigest()}\n")
    seal(bundle)


def seal(bundle: Path) -> None:
    """As somebody would who has no key."""
    (bundle / "MANIFEST.sig").unlink()
    names = [one for one in sorted(bundle.rglob("*")) if one.is_file() and one.name != "MANIFEST"]
    lines = [f"{hashlib.sha256(one.read_bytes()).hexdigest()}  {one.relative_to(bundle).as_posix()}\n" for one in names]
    (bundle / "MANIFEST").write_text("".join(lines), "utf-8")


@pytest.mark.parametrize("act", [links, pipes, moves, nests, counts])
def test_a_bundle_made_to_fool_the_verifier_does_not(bundle: Path, act: Callable[[Path], None]) -> None:
    act(bundle)
    line = [sys.executable, "-I", "-S", str(bundle / "verify.py")]
    ended = subprocess.run(line, capture_output=True, text=True, check=False, cwd=bundle.parent, timeout=60)
    assert (ended.returncode, ended.stderr) == (1, "")
    assert ended.stdout.startswith("NOT AS IT WAS WRITTEN")


def test_what_stands_behind_a_head_is_said_not_to_be_checked(bundle: Path) -> None:
    path = next((bundle / "journal" / "runs").glob("*.jsonl"))
    *_, last = lines = path.read_bytes().split(b"\n")[:-1]
    more = {**json.loads(last), "n": len(lines), "before": hashlib.sha256(last).hexdigest()}
    more["body"] = {"entry": "answered", "number": 9, "digest": "", "answer": {"answer": "ok"}}
    path.write_bytes(b"\n".join([*lines, json.dumps(more).encode(), b""]))
    seal(bundle)
    code, said = checked(bundle)
    assert f"what stands behind the head of run {path.stem}" in said, (code, said)


def checked_in_process(bundle: Path) -> int:
    """The same program, without a process for each file."""
    from starover.evidence_verifier import main

    try:
        return main(bundle, "")
    except (OSError, ValueError):
        return 1


def sealed_anew(bundle: Path) -> None:
    """What a forger without the key does: the manifest is made to fit, and is not signed any more."""
    import hashlib

    (bundle / "MANIFEST.sig").unlink(missing_ok=True)
    lines = []
    for file in sorted(bundle.rglob("*")):
        if file.is_file() and file.name != "MANIFEST":
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            lines.append(f"{digest}  {file.relative_to(bundle).as_posix()}\n")
    (bundle / "MANIFEST").write_text("".join(lines), "utf-8")


@pytest.mark.parametrize("what", ["script", "refusal", "record", "item", "head"])
def test_a_bundle_whose_manifest_was_made_to_fit_is_still_found_out(bundle: Path, what: str) -> None:
    run = next(one for one in sorted((bundle / "runs").iterdir()) if json.loads((one / "refusals.json").read_text()))
    if what == "script":
        script = next((run / "scripts").iterdir())
        script.write_text(script.read_text("utf-8").replace("a", "b", 1), "utf-8")
    elif what == "refusal":
        (run / "refusals.json").write_text("[]", "utf-8")
    elif what == "record":
        journal = bundle / "journal" / "runs" / f"{run.name}.jsonl"
        journal.write_bytes(b"".join(line + b"\n" for line in journal.read_bytes().splitlines()[:-1]))
    elif what == "item":
        file = run / "plan.json"
        file.write_text(file.read_text("utf-8").replace("oncall-a", "somebody"), "utf-8")
    else:
        head = bundle / "journal" / "index" / f"{run.name}.head"
        head.write_text(head.read_text("ascii")[:-5] + "0000\n", "ascii")
    sealed_anew(bundle)
    code, said = checked(bundle)
    assert code == 1, said
    assert run.name in said


def test_a_bundle_signed_by_somebody_else_is_not_taken(bundle: Path, people: tuple[Person, Person]) -> None:
    signers = bundle.parent / "signers"
    signers.write_text(people[1].line, "utf-8")
    code, said = checked(bundle, "--signers", str(signers))
    assert code == 1
    assert "MANIFEST.sig does not hold" in said


def test_only_what_was_asked_for_is_in_it_and_the_edge_is_told(state: Path, tmp_path: Path) -> None:
    first = {run: read_journal(state, run)[0].at for run in run_ids(state)}
    late = max(first, key=lambda run: first[run])
    moment = first[late]
    if list(first.values()).count(moment) == 1:
        made = export(state, tmp_path / "late", moment, moment + timedelta(days=1))
        assert late in made.runs
    assert export(state, tmp_path / "none", FIRST, FIRST + timedelta(days=1)).runs == ()
    code, said = checked(tmp_path / "none")
    assert code == 0
    assert "not signed" in said
    with pytest.raises(BadParameter, match="there already"):
        export(state, tmp_path / "none", FIRST, LAST)


def test_a_journal_that_was_tampered_with_is_left_out_and_named(state: Path, tmp_path: Path) -> None:
    there = Path(shutil.copytree(state, tmp_path / "state"))
    run = run_ids(there)[0]
    file = there / "runs" / f"{run}.jsonl"
    file.write_bytes(file.read_bytes()[:-30])
    made = export(there, tmp_path / "out", FIRST, LAST)
    assert made.left_out == (run,)
    assert run not in made.runs


def test_every_kind_of_record_has_its_place() -> None:
    assert kind_of({"entry": "saved"}) == ""
    assert kind_of({"entry": "stopped"}) == "people"
    assert kind_of({"entry": "recorded", "event": {"event": "run-ended", "exit": 0}}) == ""

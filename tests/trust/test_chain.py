"""The chain over runs and signed heads: whatever is changed, cut, reordered or lost is found, offline."""

from __future__ import annotations

import hashlib
import shutil
import threading
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from core_hand import approval_of
from core_site import Site
from signing import Person

from starover.audit import Checked, check_folder, verify
from starover.effects import Ok
from starover.journal import Answered, Begun, Entry, Journal, read_head, read_journal, run_ids
from starover.journal_chain import listed
from starover.journal_heads import read_signed, statement

AT = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> tuple[Person, Person]:
    folder = tmp_path_factory.mktemp("keys")
    return Person.new("oncall-a", folder), Person.new("mallory", folder)


@pytest.fixture(scope="module")
def kept(people: tuple[Person, Person], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs and their plannings, every head signed."""
    folder = tmp_path_factory.mktemp("kept")
    site = Site(folder)
    for server in ("EX1", "EX2", "EX3"):
        local = site.local()
        local.sign = people[0].sign
        ran = local.apply(local.plan("lamps-on", {"servers": [server], "names": ["a"]}).plan, approve=approval_of)
        assert (ran.exit, ran.unsigned) == (0, "")
    (folder.parent / "signers").write_text(people[0].line, "utf-8")
    return folder


@pytest.fixture
def folder(kept: Path, tmp_path: Path) -> Path:
    """A copy to be tampered with."""
    return Path(shutil.copytree(kept, tmp_path / "state"))


@pytest.fixture
def signers(people: tuple[Person, Person], tmp_path: Path) -> Path:
    file = tmp_path / "signers"
    file.write_text(people[0].line, "utf-8")
    return file


def bad(checked: Checked) -> set[tuple[str, str]]:
    return {(one.run, one.kind) for one in checked.findings if not one.harmless}


def begun(folder: Path, run: str) -> Begun:
    body = read_journal(folder, run)[0].body
    assert isinstance(body, Begun)
    return body


def test_each_run_names_the_head_of_the_one_before_and_what_is_signed_is_told(folder: Path, signers: Path) -> None:
    order = listed(folder)
    assert sorted(order) == sorted(run_ids(folder))
    assert len(order) == 6
    for before, run in zip(["", *order], order, strict=False):
        former = begun(folder, run).former
        assert former is not None
        assert former.run == before
        assert (former.records, former.head) == (read_head(folder, before) if before else (0, ""))
    checked = check_folder(folder, signers=signers)
    assert checked.findings == ()
    assert checked.signed == {"oncall-a": 6}
    assert [one for one in checked.unchecked if "forged" in one], "without a copy of the heads that is not known"
    without = check_folder(folder)
    assert without.signed == {}
    assert any("6 signed head(s)" in one for one in without.unchecked)


def test_no_key_is_no_fault_and_is_said(tmp_path: Path) -> None:
    site = Site(tmp_path)
    ran = site.run("lamps-on", "EX1")
    assert "no signing key" in ran.unsigned
    checked = check_folder(tmp_path)
    assert checked.findings == ()
    assert any("2 run(s): not signed" in one for one in checked.unchecked)


def test_a_key_that_cannot_sign_ends_no_run_and_is_found(tmp_path: Path, people: tuple[Person, Person]) -> None:
    site = Site(tmp_path)
    local = site.local()
    local.sign = Person("nobody", tmp_path / "missing").sign
    ran = local.apply(local.plan("lamps-on", {"servers": ["EX1"], "names": ["a"]}).plan, approve=approval_of)
    assert ran.exit == 0
    assert "no key" in ran.unsigned
    assert (ran.run, "unsigned") in bad(check_folder(tmp_path))


def test_every_file_that_is_lost_is_missed(kept: Path, tmp_path: Path) -> None:
    for number, file in enumerate(sorted(kept.rglob("*"))):
        if not file.is_file() or file.suffix == ".lock":
            continue
        there = Path(shutil.copytree(kept, tmp_path / f"lost{number}"))
        (there / file.relative_to(kept)).unlink()
        assert bad(check_folder(there)), file.name


def test_every_file_that_is_cut_or_changed_is_found(kept: Path, tmp_path: Path, signers: Path) -> None:
    for number, file in enumerate(sorted(kept.rglob("*"))):
        if not file.is_file() or file.suffix == ".lock":
            continue
        there = Path(shutil.copytree(kept, tmp_path / f"changed{number}"))
        data = file.read_bytes()
        *lines, last = data.split(b"\n")
        middle = len(data) // 2
        tampered = {
            "cut": data[: middle + 1],
            "emptied": b"",
            "a bit": data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :],
            "swapped": b"\n".join([*lines[:-2], lines[-1], lines[-2], last]) if len(lines) > 1 else b"",
            "longer": data + b"x",
        }
        for how, now in tampered.items():
            if how == "longer" and file.suffix == ".jsonl":
                continue  # what a crash leaves: half a line behind the head, which counts for nothing
            (there / file.relative_to(kept)).write_bytes(now)
            held = signers if file.suffix == ".signed" else None  # each signature is a process
            assert bad(check_folder(there, signers=held)), f"{how}: {file.name}"


def forged(folder: Path, run: str) -> None:
    """A journal written anew from its first line to its head, with another person in it."""
    file = folder / "runs" / f"{run}.jsonl"
    before, lines = "0" * 64, []
    for line in file.read_bytes().splitlines():
        entry = msgspec.json.decode(line.replace(b'"who":"oncall-a"', b'"who":"somebody"'), type=Entry)
        lines.append(msgspec.json.encode(msgspec.structs.replace(entry, before=before)))
        before = hashlib.sha256(lines[-1]).hexdigest()
    file.write_bytes(b"".join(line + b"\n" for line in lines))
    (folder / "index" / f"{run}.head").write_text(f"{len(lines):012d} {before}\n", "ascii")


def test_a_run_forged_with_its_head_is_given_away_by_the_next_one(folder: Path) -> None:
    run = listed(folder)[2]
    forged(folder, run)
    for file in (folder / "index").glob("*.signed"):
        file.unlink()
    found = [one for one in verify(folder) if one.kind == "changed"]
    assert [one.run for one in found] == [run]
    assert listed(folder)[3] in found[0].says


def test_the_last_run_forged_with_its_head_is_given_away_by_its_signature(
    folder: Path, signers: Path, people: tuple[Person, Person]
) -> None:
    run = listed(folder)[-1]
    forged(folder, run)
    assert bad(check_folder(folder)) == {(run, "changed")}
    words = statement(run, *read_head(folder, run))
    (folder / "index" / f"{run}.signed").write_bytes(words + people[1].sign(words))
    assert bad(check_folder(folder, signers=signers)) == {(run, "changed")}
    unheld = check_folder(folder)
    assert not bad(unheld), "whose key it is only the allowed signers tell"
    assert any("allowed signers" in one for one in unheld.unchecked)


def test_the_newest_run_taken_away_without_a_trace_is_missed_by_a_copy_of_the_heads(folder: Path) -> None:
    copy = Path(shutil.copytree(folder / "index", folder.parent / "elsewhere"))
    run = listed(folder)[-1]
    (folder / "runs" / f"{run}.jsonl").unlink()
    (folder / "index" / f"{run}.head").unlink()
    (folder / "index" / f"{run}.signed").unlink()
    assert bad(check_folder(folder)) == {(run, "deleted")}, "the list still has it"
    chain = folder / "index" / "chain"
    chain.write_text("".join(f"{one}\n" for one in listed(folder)[:-1]), "ascii")
    assert not bad(check_folder(folder))
    assert bad(check_folder(folder, heads=copy)) == {(run, "deleted")}


def test_a_run_between_others_taken_away_with_every_trace_of_it(folder: Path) -> None:
    run = listed(folder)[2]
    (folder / "runs" / f"{run}.jsonl").unlink()
    for end in ("head", "signed"):
        (folder / "index" / f"{run}.{end}").unlink()
    chain = folder / "index" / "chain"
    chain.write_text("".join(f"{one}\n" for one in listed(folder) if one != run), "ascii")
    assert any(run in one.says for one in check_folder(folder).findings if not one.harmless)


def test_a_run_that_goes_on_later_is_still_the_one_that_was_named(
    tmp_path: Path, people: tuple[Person, Person]
) -> None:
    site = Site(tmp_path)
    site.lamps.stuck = True
    local = site.local()
    local.sign = people[0].sign
    ran = local.apply(local.plan("lamps-on", {"servers": ["EX1"], "names": ["a"]}).plan, approve=approval_of)
    assert ran.resumable
    site.plan("lamps-on", "EX2")
    early = read_signed(tmp_path, ran.run)
    site.lamps.on.add(("EX1", "a"))
    again = site.local()
    again.sign = people[0].sign
    assert again.resume(ran.run, approve=approval_of).exit == 0
    late = read_signed(tmp_path, ran.run)
    assert early is not None
    assert late is not None
    assert late.records > early.records
    assert not bad(check_folder(tmp_path))


def test_runs_that_are_begun_at_once_stand_in_one_order(tmp_path: Path) -> None:
    def some(stem: str) -> None:
        for _ in range(5):
            with Journal.create(tmp_path, stem) as journal:
                journal.append(AT, Answered(number=1, digest="0" * 64, answer=Ok()))

    threads = [threading.Thread(target=some, args=(f"{number:08d}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(listed(tmp_path)) == sorted(run_ids(tmp_path))
    assert len(listed(tmp_path)) == 20


def test_a_journal_copied_into_another_folder_is_no_fault(folder: Path, tmp_path: Path) -> None:
    run = listed(folder)[3]
    there = tmp_path / "there"
    for part, name in (("runs", f"{run}.jsonl"), ("index", f"{run}.head"), ("index", f"{run}.signed")):
        (there / part).mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / part / name, there / part / name)
    Site(there).plan("lamps-on", "EX1")
    checked = check_folder(there)
    assert not bad(checked)
    assert any(run in one for one in checked.unchecked)

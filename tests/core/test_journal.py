"""The journal on disk: what was tampered with is named, what a crash leaves is told apart, ids are exclusive."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from core_hand import approval_of
from core_site import Site
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from starover import BadParameter, Locked, Mistake, OutcomeUnknown, StaroverError
from starover.audit import verify
from starover.effects import Ok
from starover.journal import Answered, Cut, Entry, Journal, Resumed, at_work, kept, read_journal, resolve, run_ids
from starover.journal_carrier import carry, let_go

AT = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)


def answer(number: int) -> Answered:
    return Answered(number=number, digest="0" * 64, answer=Ok())


@pytest.fixture
def run(tmp_path: Path) -> tuple[Path, Path, list[bytes]]:
    """A folder, the journal of a good run in it, and its lines."""
    ran = Site(tmp_path).run("lamps-on", "EX1", names=["a"])
    return tmp_path, ran.journal, ran.journal.read_bytes().splitlines()


def kinds(folder: Path) -> set[str]:
    return {finding.kind for finding in verify(folder)}


def test_what_was_written_is_read_again(run: tuple[Path, Path, list[bytes]]) -> None:
    folder, file, lines = run
    entries = read_journal(folder, file.stem)
    assert [one.n for one in entries] == list(range(len(lines)))
    assert verify(folder) == []
    for line, after in zip(lines, entries[1:], strict=False):
        assert after.before == hashlib.sha256(line).hexdigest()
    assert all(json.loads(line)["body"]["entry"] for line in lines)  # readable by whatever reads JSON


def write(file: Path, lines: list[bytes]) -> None:
    file.write_bytes(b"".join(line + b"\n" for line in lines))


def changed(lines: list[bytes]) -> list[bytes]:
    return [*lines[:5], lines[5].replace(b'"number":', b'"number":1'), *lines[6:]]


def changed_last(lines: list[bytes]) -> list[bytes]:
    return [*lines[:-1], lines[-1].replace(b'"done"', b'"nothing"')]


def missing(lines: list[bytes]) -> list[bytes]:
    return [*lines[:4], *lines[5:]]


def swapped(lines: list[bytes]) -> list[bytes]:
    return [*lines[:4], lines[5], lines[4], *lines[6:]]


def cut(lines: list[bytes]) -> list[bytes]:
    return lines[:-2]


def garbled(lines: list[bytes]) -> list[bytes]:
    return [*lines[:3], b"{}", *lines[4:]]


def doubled(lines: list[bytes]) -> list[bytes]:
    return [*lines[:3], lines[2], *lines[3:]]


@pytest.mark.parametrize(
    ("tamper", "kind", "line"),
    [
        (changed, "changed", 5),
        (changed_last, "changed", -1),
        (missing, "missing", 4),
        (swapped, "swapped", 4),
        (cut, "cut", -2),
        (garbled, "unreadable", 3),
        (doubled, "changed", 2),
    ],
)
def test_tampering_is_named_and_the_run_is_not_gone_on_with(
    run: tuple[Path, Path, list[bytes]], tamper: Callable[[list[bytes]], list[bytes]], kind: str, line: int
) -> None:
    folder, file, lines = run
    write(file, tamper(lines))
    found = [finding for finding in verify(folder) if finding.kind == kind]
    assert found, verify(folder)
    assert {finding.run for finding in found} == {file.stem}
    assert line % len(lines) in {finding.line for finding in found}
    assert all(file.stem in finding.says for finding in found)
    assert not any(finding.harmless for finding in found)
    with pytest.raises(Cut):
        read_journal(folder, file.stem)


def test_forged_to_the_end_the_head_still_tells(run: tuple[Path, Path, list[bytes]]) -> None:
    folder, file, lines = run
    before = "0" * 64
    forged: list[bytes] = []
    for line in lines:
        entry = msgspec.json.decode(line.replace(b"oncall-a", b"somebody"), type=Entry)
        forged.append(msgspec.json.encode(msgspec.structs.replace(entry, before=before)))
        before = hashlib.sha256(forged[-1]).hexdigest()
    write(file, forged)
    assert kinds(folder) == {"changed"}
    with pytest.raises(Cut):
        read_journal(folder, file.stem)


def test_a_deleted_run_and_a_deleted_head_are_missed(run: tuple[Path, Path, list[bytes]]) -> None:
    folder, file, lines = run
    file.unlink()
    (gone,) = [finding for finding in verify(folder) if finding.kind == "deleted"]
    assert gone.run == file.stem
    assert str(len(lines)) in gone.says
    write(file, lines)
    (folder / "index" / f"{file.stem}.head").unlink()
    assert kinds(folder) == {"deleted", "crash"}


def test_a_run_deleted_with_its_head_leaves_a_gap(tmp_path: Path) -> None:
    site = Site(tmp_path)
    made = site.plan("lamps-on", "EX1").plan
    runs = [site.local().apply(made, approve=approval_of) for _ in range(3)]
    runs[1].journal.unlink()
    (tmp_path / "index" / f"{runs[1].run}.head").unlink()
    assert [(finding.run, finding.kind) for finding in verify(tmp_path)] == [(runs[1].run, "deleted")]


def test_two_journals_under_each_others_names_are_noticed(tmp_path: Path) -> None:
    site = Site(tmp_path)
    first, second = site.run("lamps-on", "EX1").journal, site.run("lamps-on", "EX2").journal
    one, two = first.read_bytes(), second.read_bytes()
    first.write_bytes(two)
    second.write_bytes(one)
    found = {finding.run for finding in verify(tmp_path) if finding.kind == "swapped"}
    assert found == {first.stem, second.stem}


def test_a_changed_plan_is_noticed(run: tuple[Path, Path, list[bytes]]) -> None:
    folder, _, _ = run
    (plan,) = (folder / "plans").glob("*.json")
    plan.write_bytes(plan.read_bytes().replace(b'"EX1"', b'"EX2"'))
    (found,) = verify(folder)
    assert (found.run, found.kind) == (plan.stem, "changed")


def test_a_line_without_its_head_and_half_a_line_are_a_crash(run: tuple[Path, Path, list[bytes]]) -> None:
    folder, file, lines = run
    *head, extra = lines
    (folder / "index" / f"{file.stem}.head").write_text(
        f"{len(head):012d} {hashlib.sha256(head[-1]).hexdigest()}\n", "ascii"
    )
    file.write_bytes(b"".join(line + b"\n" for line in [*head, extra]) + b'{"n":')
    (found,) = verify(folder)
    assert found.kind == "crash"
    assert found.harmless
    with Journal.open(folder, file.stem) as journal:
        assert len(journal.entries) == len(lines)
        journal.append(AT, answer(1000))
    assert verify(folder) == []


def test_a_folder_without_anything_is_in_order(tmp_path: Path) -> None:
    assert verify(tmp_path) == []
    assert run_ids(tmp_path) == []
    with pytest.raises(BadParameter):
        read_journal(tmp_path, "00000000.1")


def test_a_journal_that_was_never_begun_says_so(tmp_path: Path) -> None:
    with Journal.create(tmp_path, "00000000") as journal:
        run = journal.run
    with pytest.raises(BadParameter, match="before its first record"):
        read_journal(tmp_path, run)
    assert [finding.kind for finding in verify(tmp_path)] == ["crash"]


def test_numbers_are_never_used_twice(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        with Journal.create(tmp_path, "00000000") as journal:
            assert journal.run == f"00000000.{number}"
            journal.append(AT, answer(1))
    (tmp_path / "runs" / "00000000.3.jsonl").unlink()  # its head still knows it
    with Journal.create(tmp_path, "00000000") as journal:
        assert journal.run == "00000000.4"


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with Journal.create(tmp_path, "00000000") as journal:
        journal.append(AT, answer(1))
        with pytest.raises(Locked):
            Journal.open(tmp_path, journal.run)
        assert at_work(tmp_path, journal.run)
    assert not at_work(tmp_path, journal.run)
    carry(tmp_path, journal.run, "starover/unit/dag1", 1)
    assert at_work(tmp_path, journal.run), "no process of this machine has it, and a workflow goes on with it"
    let_go(tmp_path, journal.run)
    assert not at_work(tmp_path, journal.run)
    with Journal.open(tmp_path, journal.run) as again:
        again.append(AT, answer(2))
    assert len(read_journal(tmp_path, journal.run)) == 2


def test_a_full_disk_ends_the_run_before_anything_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(tmp_path)
    made = site.plan("lamps-on", "EX1").plan
    good = os.fsync
    left = iter(range(13))

    def full(handle: int) -> None:
        if next(left, None) is None:
            raise OSError(28, "No space left on device")
        good(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StaroverError, match="No space left") as caught:
        site.local().apply(made, approve=approval_of)
    monkeypatch.undo()
    before = list(site.lamps.done)
    (run,) = [one for one in run_ids(tmp_path) if one.startswith(made.id)]
    assert type(caught.value) is not OutcomeUnknown
    assert site.resume(run).exit == 0
    assert len(before) < 2
    assert site.lamps.done == ["on EX1/a", "on EX1/b"]


def test_a_disk_that_is_full_while_a_step_is_under_way_leaves_that_step_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path)
    made = site.plan("lamps-on", "EX1").plan
    good = os.fsync

    def full(handle: int) -> None:
        if site.lamps.done:
            raise OSError(28, "No space left on device")
        good(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutcomeUnknown, match="No space left") as caught:
        site.local().apply(made, approve=approval_of)
    monkeypatch.undo()
    assert caught.value.uncertain == ("step 1 on EX1: a off -> on",)
    (run,) = [one for one in run_ids(tmp_path) if one.startswith(made.id)]
    assert site.resume(run).exit == 0
    assert site.lamps.done == ["on EX1/a", "on EX1/b"]


def test_a_journal_that_could_not_be_written_takes_nothing_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Journal.create(tmp_path, "00000000") as journal:
        journal.append(AT, answer(1))
        monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(StaroverError, match="No space left"):
            journal.append(AT, answer(2))
        monkeypatch.undo()
        with pytest.raises(StaroverError, match="No space left"):  # what is on the disk is not what is known here
            journal.append(AT, answer(3))
    with Journal.open(tmp_path, journal.run) as again:
        again.append(AT, answer(4))
    assert [one.n for one in read_journal(tmp_path, journal.run)] == list(range(3))


def test_what_cannot_be_locked_is_not_called_under_way_elsewhere(tmp_path: Path) -> None:
    site = Site(tmp_path)
    ran = site.run("lamps-on", "EX1")
    lock = tmp_path / "index" / f"{ran.run}.lock"
    lock.unlink()
    lock.mkdir()
    with pytest.raises(Mistake, match="cannot be locked"):
        Journal.open(tmp_path, ran.run)
    (tmp_path / "runs").rename(tmp_path / "before")
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(Mistake, match="cannot be made"):
        site.plan("lamps-on", "EX1")


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(Mistake, match="cannot be made"):
        Site(tmp_path / "file").plan("lamps-on", "EX1")


def test_what_a_resume_puts_aside_does_not_count() -> None:
    def entry(n: int, body: Answered | Resumed) -> Entry:
        return Entry(n=n, at=AT, before="", body=body)

    entries = [entry(n, answer(n)) for n in range(4)]
    entries += [entry(4, Resumed(who="a", keep=2)), entry(5, answer(5)), entry(6, Resumed(who="b", keep=5))]
    assert [one.n for one in kept(entries)] == [0, 1, 2, 4, 5, 6]
    entries += [entry(7, Resumed(who="c", keep=1)), entry(8, answer(8))]
    assert [one.n for one in kept(entries)] == [0, 1, 7, 8]


def test_no_name_is_bad_for_windows(run: tuple[Path, Path, list[bytes]]) -> None:
    folder, _, _ = run
    assert not any(set(':*?"<>|') & set(path.name) for path in folder.rglob("*"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(at=st.integers(0), bit=st.integers(0, 7))
def test_any_flipped_bit_is_found(run: tuple[Path, Path, list[bytes]], at: int, bit: int) -> None:
    folder, file, lines = run
    data = bytearray(b"".join(line + b"\n" for line in lines))
    at %= len(data)
    data[at] ^= 1 << bit
    file.write_bytes(data)
    try:
        assert [finding for finding in verify(folder) if not finding.harmless]
    finally:
        write(file, lines)
    assert verify(folder) == []


@given(
    known=st.lists(st.from_regex(r"[0-9a-f]{8}", fullmatch=True), unique=True, max_size=6), text=st.text(max_size=10)
)
def test_resolving_gives_the_one_or_refuses(known: list[str], text: str) -> None:
    starts = [one for one in known if len(text) >= 4 and one.startswith(text.casefold())]
    try:
        found = resolve(text, known, "plan")
    except BadParameter:
        assert len(starts) != 1
    else:
        assert found == text or starts == [found]

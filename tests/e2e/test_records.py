"""Records that somebody tampered with, and plans that do not fit any more: named, refused, and nothing sent."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lab_cli import Place, lab

pytestmark = pytest.mark.wire
SUSPEND = ("copies-suspend", "--server", "EX3", "--mode", "full")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with lab(tmp_path_factory.mktemp("records"), "pa-4x2") as running:
        assert running.within("run", *SUSPEND, "--db", "DB01", "--yes").code == 0
        assert running.within("audit", "verify").code == 0
        yield running


def cut(lines: list[bytes]) -> list[bytes]:
    return lines[:-2]


def drop(lines: list[bytes]) -> list[bytes]:
    return [*lines[:3], *lines[4:]]


def swap(lines: list[bytes]) -> list[bytes]:
    return [*lines[:3], lines[4], lines[3], *lines[5:]]


def change(lines: list[bytes]) -> list[bytes]:
    return [line.replace(b"Suspended", b"Resumed!!") for line in lines]


@pytest.mark.parametrize("how", [cut, drop, swap, change, None], ids=lambda how: how.__name__ if how else "deleted")
def test_a_journal_that_was_tampered_with_is_named(
    place: Place, tmp_path: Path, how: Callable[[list[bytes]], list[bytes]] | None
) -> None:
    state = tmp_path / ".starover"
    shutil.copytree(place.folder / ".starover", state, ignore=shutil.ignore_patterns("lab"))
    other = Place(tmp_path)
    assert other.within("audit", "verify").code == 0
    file = max(state.glob("runs/*.jsonl"), key=lambda one: one.stat().st_size)
    if how is None:
        file.unlink()
    else:
        file.write_bytes(b"".join(how(file.read_bytes().splitlines(keepends=True))))
    typed = other.within("audit", "verify")
    assert typed.code == 1
    assert file.stem in typed.out
    found = other.within("--format", "json", "audit", "verify").json
    assert found["ok"] is False
    assert {one["run"] for one in found["findings"]} == {file.stem}


def plan_of(place: Place, database: str) -> str:
    return str(place.within("--format", "json", "plan", *SUSPEND, "--db", database).json["id"])


def test_a_plan_that_was_changed_is_not_applied(place: Place) -> None:
    plan = plan_of(place, "DB02")
    file = place.folder / ".starover" / "plans" / f"{plan}.json"
    whole, before = file.read_bytes(), place.writes()
    file.write_bytes(whole.replace(b"DB02", b"DB04"))
    typed = place.within("apply", plan, "--yes")
    assert (typed.code, place.writes()) == (2, before)
    assert "was changed after it was made" in typed.err
    assert place.within("audit", "verify").code == 1
    file.write_bytes(whole)
    assert place.within("audit", "verify").code == 0


def test_a_plan_is_refused_when_the_world_has_moved_on(place: Place) -> None:
    plan, before = plan_of(place, "DB02"), place.writes()
    place.control("break", kind="copy_failed", target="DB02/EX3")
    typed = place.within("apply", plan, "--yes")
    place.calm("EX3")
    assert (typed.code, place.writes()) == (4, before)
    assert "planned Healthy -> Suspended, now Failed" in " ".join(typed.err.split())


def test_a_plan_is_refused_when_its_facts_are_old(place: Place) -> None:
    plan, before = plan_of(place, "DB02"), place.writes()
    place.control("clock/advance", seconds=31 * 60)
    typed = place.within("apply", plan, "--yes")
    assert (typed.code, place.writes()) == (4, before)
    assert "good for 30" in typed.err


def test_a_plan_of_other_content_is_refused(place: Place, tmp_path: Path) -> None:
    home = tmp_path / "home"
    here = Path(__file__).parents[2]
    for name in ("runbooks", "ps_templates"):
        shutil.copytree(here / name, home / name, ignore=shutil.ignore_patterns("__pycache__"))
    plan, before = plan_of(place, "DB02"), place.writes()
    template = home / "ps_templates" / "copy" / "suspend.ps1.j2"
    template.write_text(template.read_text("utf-8") + "# another\n", "utf-8")
    typed = place.within("--home", str(home), "apply", plan, "--yes")
    assert (typed.code, place.writes()) == (4, before)
    assert "other runbooks or templates" in typed.err
    assert "--home" in typed.err
    assert json.loads(place.within("--format", "json", "plans", "show", plan).out)["id"] == plan

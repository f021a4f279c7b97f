"""The page of figures says what is missing and what is a sample; `make test-all` plays all that has more to play."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from reliability_page import SECTIONS, leave, page

TESTS = Path(__file__).parents[1]
STRINGS = {"strings": 2000, "bound": 6000, "refused": 5990, "seed": 1, "places": 3}


def test_nothing_is_missing_unsaid(tmp_path: Path) -> None:
    assert f"no figures for: {', '.join(SECTIONS)}" in " ".join(page(tmp_path).split())
    assert "Not every test" in page(tmp_path, 1)
    assert "Not every test" not in page(tmp_path)


def test_strings_are_summed_over_runbooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAROVER_FIGURES", str(tmp_path))
    leave("strings-a", {**STRINGS, "taken": 10, "planned": 10, "read": 7, "ends": {"planned": 10}, "whole": True})
    leave("strings-b", {**STRINGS, "taken": 10, "planned": 10, "carried": 4, "ends": {"NotSafe": 10}, "whole": True})
    text = " ".join(page(tmp_path).split())
    assert "6 parameters of 2 runbooks (of " in text
    assert "of 12000 values 11980 were refused before anything was contacted and 20 taken" in text
    assert "All that were taken were planned (10 NotSafe, 10 planned); 7 plans" in text
    assert "Seed 1, `make test-all`" in text
    leave("strings-b", {**STRINGS, "taken": 10, "planned": 1, "ends": {"NotSafe": 1}, "whole": False})
    text = " ".join(page(tmp_path).split())
    assert "20 taken. 11 were planned" in text
    assert "Seed 1, a sample" in text


def test_all_that_plays_more_is_played_by_test_all() -> None:
    """Directly, or by a module of the tests that does."""
    makefile = (TESTS.parent / "Makefile").read_text("utf-8")
    found = re.search(r"--include='test_\*\.py' '([^']+)' tests", makefile)
    assert found is not None
    selects = re.compile(found[1], re.MULTILINE)
    helpers = {path.stem: path.read_text("utf-8") for path in TESTS.glob("*.py")}
    more = {name for name, text in helpers.items() if "environ" in text and "STAROVER_STORIES" in text} - {"conftest"}
    assert {"gold", "lab_cli"} <= more
    left_out = [
        path.name
        for path in TESTS.rglob("test_*.py")
        if re.search(rf"^(from|import) ({'|'.join(more)})\b", text := path.read_text("utf-8"), re.MULTILINE)
        and not selects.search(text)
    ]
    assert left_out == []

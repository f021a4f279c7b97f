"""The certificates that are shown name tests that exist: those that pytest collects when all is tried, no others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from cli_estate import CONTENT, Hosts, starover
from gold import certificates

from starover.certificates import FILE, certificate, is_experimental
from starover.content import Content

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "starover" / FILE


def test_the_file_is_what_the_tests_try() -> None:
    """STAROVER_SNAPSHOTS=write makes it anew."""
    text = json.dumps(certificates(), indent=1, sort_keys=True) + "\n"
    if os.environ.get("STAROVER_SNAPSHOTS") == "write":
        SHIPPED.write_text(text, "utf-8", newline="\n")
    assert SHIPPED.read_text("utf-8") == text


def test_every_test_that_it_names_exists() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:randomly", "tests/gold/test_gold.py"],
        cwd=ROOT,
        env={**os.environ, "STAROVER_STORIES": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    there = {line.strip() for line in told.stdout.splitlines() if "::" in line}
    named = {node for tests in json.loads(SHIPPED.read_text("utf-8")).values() for node in tests.values()}
    assert named == there, told.stdout[-2000:] + told.stderr[-2000:]


def test_every_gold_runbook_exists_and_each_change_is_tried_with_everything() -> None:
    found = certificates()
    assert set(found) <= set(CONTENT.runbooks)
    for book, tests in found.items():
        assert {"run_twice", "hostile_values"} <= set(tests), book


def test_another_homes_runbook_has_no_certificate() -> None:
    assert certificate(CONTENT, "copies-suspend")
    assert not certificate(CONTENT, "copy-seed")
    other = Content(CONTENT.files, folder=Path("elsewhere"))
    assert is_experimental(other, "copies-suspend")


def test_it_is_shown(tmp_path: Path) -> None:
    hosts = Hosts()
    gold = starover(hosts, tmp_path, "runbooks", "show", "copies-suspend")
    assert "test_killed_at_a_journal_write[copies-suspend]" in gold.stdout
    seed = starover(hosts, tmp_path, "runbooks", "show", "copy-seed")
    assert "experimental" in seed.stdout
    rows = starover(hosts, tmp_path, "runbooks").stdout.splitlines()
    marked = {words[0] for row in rows if len(words := row.split()) > 1 and words[1] in ("L*", "S*", "D*", "X*")}
    assert "copy-seed" in marked
    assert "copies-suspend" not in marked
    data = {one["name"]: one for one in json.loads(starover(hosts, tmp_path, "--format", "json", "runbooks").stdout)}
    assert data["copies-suspend"]["certificate"]["run_twice"].startswith("tests/gold/")
    assert data["copy-seed"]["certificate"] == {}

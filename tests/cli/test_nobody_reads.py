"""`starover ... | head`: what is done goes on when nobody reads any more, and ends with its own exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

import pytest
from inner_cli import InnerParts
from inner_lab import InnerLab
from starover_cli.console import Console
from starover_cli.main import main
from starover_cli.settings import Settings

from starover.events import RunEnded
from starover.journal import Recorded, read_journal, run_ids

Nobody = Callable[[], None]


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> Iterator[Nobody]:
    """Have stdout and stderr be pipes that nobody reads."""
    files = list[TextIO]()

    def gone() -> None:
        for name in ("stdout", "stderr"):
            reader, writer = os.pipe()
            os.close(reader)
            files.append(os.fdopen(writer, "w", encoding="utf-8"))
            monkeypatch.setattr(sys, name, files[-1])

    yield gone
    monkeypatch.undo()
    for file in files:
        file.close()


def test_a_console_is_deaf_and_raises_nothing(nobody: Nobody) -> None:
    nobody()
    console = Console()
    assert console.ask("Do it? ") == "", "nobody has said yes"
    console.note("progress")
    assert not console.deaf
    for _ in range(3):
        console.result("text")
    assert console.deaf
    console.raw("{}")
    console.flush()
    assert not console.interactive


def states(folder: Path) -> list[str]:
    ends = [read_journal(folder, run)[-1].body for run in run_ids(folder)]
    events = [one.event for one in ends if isinstance(one, Recorded)]
    return [one.state for one in events if isinstance(one, RunEnded)]


def test_a_run_goes_on_and_its_code_is_its_own(tmp_path: Path, nobody: Nobody) -> None:
    with InnerLab("pa-4x2", tmp_path) as lab:

        def typed(*words: str) -> int:
            nobody()  # a pipe of its own for each command
            settings = Settings(dir=str(lab.folder), parts=InnerParts(lab))
            return int(main.main(list(words), standalone_mode=False, obj=settings))

        copy = ("copies-suspend", "--db", "DB01", "--server", "EX3", "--mode", "full")
        assert typed("plan", *copy, "--exit-code") == 3
        assert typed("run", *copy, "--yes") == 0
        assert "done" in states(tmp_path)
        assert typed("--format", "json", "run", "copies-resume", "--db", "DB01", "--server", "EX3", "--yes") == 0
        assert typed("apply", "ffffffff", "--yes") == 2
        assert typed("runs") == 0
        assert typed("--help") == 0
        assert typed("watch") == 0, "nobody watches any more"
    assert not list(tmp_path.glob("crash*"))

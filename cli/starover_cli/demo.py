"""The first five minutes of a new user, typed by itself: what `make demo` runs. Knows only the command line."""

from __future__ import annotations

import os
import shutil
import subprocess  # the demo types what a person would type
import sys
import tempfile
from pathlib import Path

__all__ = ["main"]

COPY = ("--db", "DB01", "--server", "EX3")
SUSPEND = ("run", "copies-suspend", *COPY, "--mode", "full", "--comment", "disk swap", "--yes")

STORY: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("A lab of Windows servers comes up on this machine.", ("lab", "up", "pa-4x2", "--detach")),
    ("How is the DAG?", ("status",)),
    (
        "A disk of EX3 will be swapped: what would suspending its copy of DB01 change? Only reads are sent.",
        ("plan", "copies-suspend", *COPY, "--mode", "full", "--comment", "disk swap"),
    ),
    ("Do it: plan, apply, and look again whether it holds.", SUSPEND),
    ("The same command again has nothing to do.", SUSPEND),
    ("An hour passes in the lab; logs pile up for the suspended copy.", ("lab", "clock", "--advance", "1h")),
    ("The disk is in: resume, and wait until the copy has caught up.", ("run", "copies-resume", *COPY, "--yes")),
    ("Everything graded, on one page.", ("run", "health-report")),
    ("What was done, by whom, and is the journal whole?", ("runs",)),
    ("", ("audit", "verify")),
    ("Put everything away.", ("lab", "down")),
)


def main() -> int:
    """Play the story in a folder of its own; 0, or the code of the first command that did not end well."""
    folder = Path(tempfile.mkdtemp(prefix="starover-demo-"))
    environment = {key: value for key, value in os.environ.items() if not key.startswith("STAROVER_")}
    worst = 0
    try:
        for words, command in STORY:
            if words:
                print(f"\n# {words}", flush=True)  # noqa: T201 - a story is told on stdout
            typed = " ".join(f'"{part}"' if " " in part else part for part in command)
            print(f"$ starover {typed}", flush=True)  # noqa: T201
            ended = subprocess.run(  # noqa: S603 - our own command line, words of our own
                [sys.executable, "-m", "starover_cli", *command], cwd=folder, env=environment, check=False
            )
            worst = worst or ended.returncode
            if ended.returncode:
                break
    finally:
        if worst:
            subprocess.run(
                [sys.executable, "-m", "starover_cli", "lab", "down"], cwd=folder, env=environment, check=False
            )
        shutil.rmtree(folder, ignore_errors=True)
    return worst


if __name__ == "__main__":
    raise SystemExit(main())

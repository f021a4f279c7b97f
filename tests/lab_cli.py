"""A lab as a person starts it, and the command line as a person types it: for end-to-end tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Typed:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The document, or the last line's."""
        return json.loads(self.out if self.out.startswith("{\n") else self.out.splitlines()[-1])


@dataclass(frozen=True)
class Place:
    """A directory in which commands are typed."""

    folder: Path

    def type(self, *words: str, **variables: str) -> Typed:
        """`starover words`; never a terminal, at most a minute."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("STAROVER_", "COV_"))}
        ended = subprocess.run(
            [sys.executable, "-m", "starover_cli", *words],
            cwd=self.folder,
            env=environment | variables,
            capture_output=True,
            encoding="utf-8",
            stdin=subprocess.DEVNULL,
            timeout=60,
            check=False,
        )
        assert "Traceback" not in ended.stderr + ended.stdout, ended.stderr
        return Typed(ended.returncode, ended.stdout, ended.stderr)

    def ok(self, *words: str) -> Typed:
        """As `type`, and it must end with 0."""
        typed = self.type(*words)
        assert typed.code == 0, f"starover {' '.join(words)}: exit {typed.code}\n{typed.out}\n{typed.err}"
        return typed

    def state(self) -> Any:
        """The lab's whole world: the truth that a run is held against."""
        return json.loads(self.ok("lab", "state").out)

    def writes(self) -> list[Any]:
        """Mutating cmdlets the lab has carried out, from its audit log."""
        events = json.loads(self.ok("--format", "json", "lab", "events").out)
        return [event for event in events["events"] if event["kind"] == "audit"]


@contextmanager
def lab(folder: Path, topology: str, *options: str) -> Iterator[Place]:
    """A lab that runs, put away at the end."""
    place = Place(folder)
    place.ok("lab", "up", topology, "--detach", *options)
    try:
        yield place
    finally:
        place.type("lab", "down")

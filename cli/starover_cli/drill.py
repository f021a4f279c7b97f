"""A loss played in a lab of its own and measured: until when mail was down, and what it lost; knows no live host."""

from __future__ import annotations

import json
import shutil
import subprocess  # the drill types what a person would type
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from starover.child_environment import for_ourselves
from starover.errors import Mistake
from starover_cli.lab_client import Lab
from starover_cli.settings import LAB_FOLDER, STATE_FOLDER

__all__ = ["Database", "Drilled", "measured", "play"]

STAROVER = (sys.executable, "-m", "starover_cli")
BEFORE, PHONE = "1h", "3m"
"""Of ordinary mail before the loss; until somebody begins."""
PATIENCE = 600
"""Real seconds that one command may take."""
LATER = "15m"
"""What is given to failovers that come by themselves."""


@dataclass(frozen=True)
class Database:
    """What the loss did to one database."""

    name: str
    back: float | None
    """Seconds from the loss until it served again; 0: it never stopped; None: it does not serve."""
    lost: int
    """Logs."""


@dataclass(frozen=True)
class Drilled:
    """One loss."""

    lost: str
    """`az:eu-west-1a`, `witness`, a server."""
    answer: str
    """What assess said: `none`, `force-quorum`..."""
    typed: tuple[str, ...]
    """The commands that brought mail back."""
    databases: tuple[Database, ...]
    stopped: str = ""
    """Why it went no further; empty: it went to its end."""

    @property
    def rto(self) -> float | None:
        """Seconds until all of them served again; None: some never did."""
        times = [one.back for one in self.databases]
        return None if None in times else max((one for one in times if one is not None), default=0.0)

    @property
    def rpo(self) -> int:
        """Logs that the worst of them lost."""
        return max((one.lost for one in self.databases), default=0)


def measured(
    events: Sequence[Mapping[str, Any]], databases: Mapping[str, Mapping[str, Any]], since: datetime
) -> tuple[Database, ...]:
    """What events of the lab since a loss, and its databases afterwards, say of each."""
    found: list[Database] = []
    for name, now in databases.items():
        mine = [one for one in events if one["subject"] == name and datetime.fromisoformat(one["time"]) >= since]
        lost = sum(int(one["data"]["lost"]) for one in mine if one["kind"] == "data_loss")
        came = [datetime.fromisoformat(one["time"]) for one in mine if one["kind"] == "database_mounted"]
        back = (max(came) - since).total_seconds() if came else 0.0
        found.append(Database(name, back if now["state"] == "Mounted" else None, lost))
    return tuple(found)


@dataclass
class _Stage:
    """A folder with a lab in it."""

    folder: Path
    typed: list[str] = field(default_factory=list[str])

    def type(self, *words: str) -> subprocess.CompletedProcess[str]:
        """`starover words`."""
        return subprocess.run(  # noqa: S603 - our own command line, words of our own
            [*STAROVER, *words],
            cwd=self.folder,
            env=for_ourselves(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=PATIENCE,
            check=False,
        )

    def must(self, *words: str) -> str:
        """The same, and it ends well. Raises `Mistake` with what it said."""
        ended = self.type(*words)
        if ended.returncode:
            said = [line for line in ended.stderr.splitlines() if line.strip()]
            raise Mistake(
                f"the drill stops: starover {' '.join(words)} ended with {ended.returncode}",
                certain=(*said[:3], "nothing live was contacted by it"),
            )
        return ended.stdout

    @property
    def lab(self) -> Lab:
        """Its door."""
        return Lab.at(self.folder / STATE_FOLDER / LAB_FOLDER)


def play(topology: Mapping[str, Any], dag: str, lost: str, fault: tuple[str, str]) -> Drilled:
    """Start the lab, take `fault` (kind and target) away, do what assess says, and measure. Raises `Mistake`."""
    folder = Path(tempfile.mkdtemp(prefix="starover-drill-"))
    stage = _Stage(folder)
    try:
        file = folder / "estate.yaml"
        file.write_text(json.dumps(topology), encoding="utf-8")
        stage.must("lab", "up", str(file), "--detach")
        stage.must("lab", "clock", "--advance", BEFORE)
        since = datetime.fromisoformat(stage.lab.get("clock")["now"])
        stage.must("lab", "break", *fault)
        stage.must("lab", "clock", "--advance", PHONE)
        answer, stopped = _mended(stage, dag)
        state = stage.lab.get("state")["state"]
        events = stage.lab.get("events")["events"]
        return Drilled(lost, answer, tuple(stage.typed), measured(events, state["databases"], since), stopped)
    finally:  # also after Ctrl-C: no lab is left running
        stage.type("lab", "down")
        shutil.rmtree(folder, ignore_errors=True)


def _mended(stage: _Stage, dag: str) -> tuple[str, str]:
    """Do what assess says, once; its answer, and why it went no further."""
    said = json.loads(stage.must("--dag", dag, "--format", "json", "assess"))
    answer, plan = str(said["answer"]), said.get("id")
    stage.typed.append("assess")
    if plan is None:
        stage.must("lab", "clock", "--advance", LATER)
        why = said.get("unplanned")
        return answer, str(why["what"]) if why else ""
    words = ("--dag", dag, "apply", plan, "--ticket", "DRILL", "--approve", plan)
    glass = ("--break-glass", "a drill in a lab") if said.get("risk") == "X" else ()
    ended = stage.type(*words, *glass)
    stage.typed.append(f"apply {said['runbook']}")
    stage.must("lab", "clock", "--advance", LATER)
    if not ended.returncode:
        return answer, ""
    lines = [line.strip() for line in ended.stderr.splitlines() if line.lstrip().startswith(("!", "?"))]
    return answer, " ".join(lines) or f"apply ended with {ended.returncode}"

"""A lab as a person starts it, and the command line as a person types it: for end-to-end tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from starover_cli.main import main
from starover_cli.settings import Settings

from starover.transport import Answer, Script
from starover.transport.psrp import PsrpTransport

_COMMAND = [sys.executable, "-m", "starover_cli"]
QUICK = "import starover.transport.line as line; line.CONTACT_SECONDS = 1.5; from starover_cli.main import main; main()"
"""The command line, with less patience for hosts that are gone."""
SHORT = """
import starover.transport.line as line
from starover_cli.main import main
line.CONTACT_SECONDS, line.ANSWER_SECONDS, line.LOST_SECONDS = 1.5, 6.0, 3.0
main()
"""
"""The same for long runs; whoever is off swallows everything for a second and a half: loopback has no distance."""
APART = "STAROVER_STORIES" in os.environ
"""`make test-all` types every command into a process of its own. Every day most are typed in this one, over the same
wires to the same lab: starting Python and reading the content costs more than what a command does.
"""
seldom = pytest.mark.skipif(not APART, reason="minutes; in process every day, `make test-all` plays it")
"""What takes long on the wires."""
_MOVING = frozenset({"copied", "inspected", "replayed", "copy_queue", "replay_queue"})


_OURS = ("STAROVER_", "COV_")
"""How variables begin that would change what is typed."""


def _environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith(_OURS)}


@dataclass(frozen=True)
class Typed:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def words(self) -> str:
        """Everything it said, however the lines were broken."""
        return " ".join((self.out + self.err).split())

    @property
    def json(self) -> Any:
        """The document, or the last line's."""
        return json.loads(self.out if self.out.startswith("{\n") else self.out.splitlines()[-1])


def _here(words: Sequence[str], variables: Mapping[str, str | None]) -> Typed:
    ended = CliRunner().invoke(main, words, obj=Settings(), env=variables)
    assert "Traceback" not in ended.output, ended.output
    return Typed(ended.exit_code, ended.stdout, ended.stderr)


@dataclass(frozen=True)
class Place:
    """A directory in which commands are typed."""

    folder: Path
    command: tuple[str, ...] = tuple(_COMMAND)
    seconds: float = 300
    """How long a command may take."""

    def type(self, *words: str, **variables: str) -> Typed:
        """`starover words`; never a terminal."""
        if not (APART or variables or words[:2] == ("lab", "up")) and self.command == tuple(_COMMAND):
            with chdir(self.folder):
                return _here(words, dict.fromkeys(one for one in os.environ if one.startswith(_OURS)))
        ended = subprocess.run(
            [*self.command, *words],
            cwd=self.folder,
            env=_environment() | variables,
            capture_output=True,
            encoding="utf-8",
            stdin=subprocess.DEVNULL,
            timeout=self.seconds,
            check=False,
        )
        assert "Traceback" not in ended.stderr + ended.stdout, ended.stderr
        return Typed(ended.returncode, ended.stdout, ended.stderr)

    def within(self, *words: str, **variables: str) -> Typed:
        """As `type`, but in this process, which is quicker: for lines that end before much happens."""
        state = self.folder / ".starover"
        head = ["--dir", str(state)]
        if (state / "lab" / "inventory.yaml").is_file() and "--inventory" not in words:
            head += ["--inventory", str(state / "lab" / "inventory.yaml")]
        return _here([*head, *words], variables)

    def rolled(self, *words: str) -> Typed:
        """As `type`, for what takes hours of simulated time, and longer than other commands."""
        return replace(self, command=(sys.executable, "-c", SHORT), seconds=400).type(*words)

    def ok(self, *words: str) -> Typed:
        """As `type`, and it must end with 0."""
        typed = self.type(*words)
        assert typed.code == 0, f"starover {' '.join(words)}: exit {typed.code}\n{typed.out}\n{typed.err}"
        return typed

    @property
    def inventory(self) -> Path:
        """The lab's own."""
        return self.folder / ".starover" / "lab" / "inventory.yaml"

    def each_server(self, act: Callable[[dict[str, Any]], None]) -> None:
        """Edit every server of the lab's inventory."""
        document = yaml.safe_load(self.inventory.read_text("utf-8"))
        for server in document["servers"]:
            act(server)
        self.inventory.write_text(yaml.safe_dump(document, sort_keys=False), "utf-8")

    def state(self) -> Any:
        """The lab's whole world: the truth that a run is held against."""
        return self.control("state")["state"]

    def writes(self) -> list[str]:
        """Names of the mutating cmdlets that the lab has carried out, in order."""
        return [entry["cmdlet"] for entry in self.state()["audit"]]

    def copy(self, database: str, server: str) -> dict[str, Any]:
        """One copy as it is."""
        found: dict[str, Any] = self.state()["databases"][database]["copies"][server]
        return found

    def mounted(self) -> dict[str, str]:
        """Where each database serves; empty: nowhere."""
        found = self.state()["databases"]
        return {name: one["active"] if one["state"] == "Mounted" else "" for name, one in found.items()}

    def copies(self) -> dict[str, dict[str, Any]]:
        """Every copy, without what moves by itself."""
        return {
            f"{name}/{server}": {key: value for key, value in one.items() if key not in _MOVING}
            for name, database in self.state()["databases"].items()
            for server, one in database["copies"].items()
        }

    def start(self, *words: str, accident: tuple[str, str, str, int] | None = None) -> subprocess.Popen[str]:
        """`starover words`, not waited for; with an accident (host, kind, action, times) of its first write."""
        code = (
            "from pathlib import Path; import lab_cli; from starover_cli.main import main; "
            "from starover.transport.psrp import PsrpTransport; "
            f"PsrpTransport.run = lab_cli.struck(lambda: lab_cli.Place(Path()).accident(*{accident!r})); main()"
        )
        tests = os.pathsep.join([str(Path(__file__).parent), *sys.path])
        return subprocess.Popen(
            ([sys.executable, "-c", code] if accident else _COMMAND) + list(words),
            cwd=self.folder,
            env=_environment() | {"PYTHONPATH": tests},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )

    def control(self, path: str, /, **body: object) -> Any:
        """Ask the lab's own door."""
        door = json.loads((self.folder / ".starover" / "lab" / "lab.json").read_text("utf-8"))["control"]
        request = urllib.request.Request(
            f"{door['url']}/v1/{path}",
            json.dumps(body).encode() if body else None,
            {"Authorization": f"Bearer {door['token']}"},
        )
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)

    def accident(self, host: str, kind: str, action: str, times: int = 1) -> None:
        """Plan an accident of the line (`wire.plans`)."""
        self.control("accidents", host=host, kind=kind, action=action, times=times)

    def calm(self, *hosts: str) -> None:
        """No accidents, no faults, everything up and settled again."""
        for host in hosts:
            self.control("accidents/clear", host=host)
        for fault in self.control("faults")["faults"]:
            self.control("mend", number=fault["number"])
        self.control("clock/advance", seconds=600)


def snapin(server: dict[str, Any]) -> None:
    """A server of an inventory whose Exchange is asked by its snap-in."""
    if "exchange" in server:
        server["exchange"] |= {"provider": "snapin", "allow_unsupported_snapin": True}


def struck(act: Callable[[], object]) -> Callable[[PsrpTransport, Sequence[Script]], Iterator[Answer]]:
    """The transport's `run`, which does `act` just before the first write is sent: plans an accident, say."""
    original = PsrpTransport.run
    left = [act]

    def run(self: PsrpTransport, batch: Sequence[Script], /) -> Iterator[Answer]:
        if left and any(script.mutates for script in batch):
            left.pop()()
        return original(self, batch)

    return run


@contextmanager
def lab(folder: Path, topology: str, *options: str, quick: bool = False) -> Iterator[Place]:
    """A lab that runs, put away at the end; `quick`: commands have less patience for hosts that are gone."""
    place = Place(folder, (sys.executable, "-c", QUICK) if quick else tuple(_COMMAND))
    place.ok("lab", "up", topology, "--detach", *options)
    try:
        yield place
    finally:
        place.type("lab", "down")

"""A lab that runs for a benchmark: started as a person does, its requests counted, its topology made to size."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from starover.estate import Estate
from starover.inventory import load

STAROVER = [sys.executable, "-m", "starover_cli"]


@dataclass(frozen=True)
class Cost:
    """What something took: real seconds, this machine's CPU on the client's side, requests at the hosts."""

    wall: float
    cpu: float
    requests: int = 0


@dataclass(frozen=True)
class Lab:
    """A running lab."""

    folder: Path
    """Where commands are typed."""

    @property
    def home(self) -> Path:
        return self.folder / ".starover" / "lab"

    @property
    def estate(self) -> Estate:
        return load(self.home / "inventory.yaml")

    def user(self) -> tuple[str, str]:
        """Name and password of the first user."""
        one = json.loads((self.home / "lab.json").read_text("utf-8"))["users"][0]
        return one["name"], one["password"]

    def control(self, path: str, **body: object) -> dict[str, dict[str, dict[str, int]]]:
        door = json.loads((self.home / "lab.json").read_text("utf-8"))["control"]
        data = json.dumps(body).encode() if body else None
        request = urllib.request.Request(f"{door['url']}/v1/{path}", data, {"Authorization": f"Bearer {door['token']}"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            found: dict[str, dict[str, dict[str, int]]] = json.load(answer)
            return found

    def requests(self) -> int:
        """How many requests all hosts have answered so far, logons not counted."""
        return sum(sum(one.values()) for one in self.control("requests")["requests"].values())

    def typed(self, *words: str) -> Cost:
        """`starover words`, as a process of its own."""
        return process([*STAROVER, *words], self.folder)


def process(command: list[str], folder: Path) -> Cost:
    """Run a program to its end; it must succeed."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if ended.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: exit {ended.returncode}\n{ended.stdout}\n{ended.stderr}")
    return Cost(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


@contextmanager
def lab(folder: Path, topology: str) -> Iterator[Lab]:
    """Start a lab, and put it away at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run([*STAROVER, "lab", "up", topology, "--detach"], cwd=folder, check=True, capture_output=True)
    try:
        yield Lab(folder)
    finally:
        subprocess.run([*STAROVER, "lab", "down"], cwd=folder, check=False, capture_output=True)


def big(members: int, databases: int, copies: int) -> str:
    """YAML of a DAG of that size over two zones, each database with so many copies."""
    lines = [
        "name: big",
        "forest: {name: example.com, netbios: EXAMPLE}",
        "sites: [{name: AZ1, az: eu-west-1a}, {name: AZ2, az: eu-west-1b}, {name: AZ3, az: eu-west-1c}]",
        "subnets:",
        *(f"  - {{cidr: 10.0.{32 * n}.0/24, site: AZ{n + 1}, az: eu-west-1{'abc'[n]}}}" for n in range(3)),
        "servers:",
        *(f"  - {{name: DC{n + 1}, roles: [dc], address: 10.0.{32 * n}.10}}" for n in range(2)),
        *(
            f"  - {{name: EX{n + 1:02}, roles: [mailbox], address: 10.0.{32 * (n % 2)}.{20 + n}, exchange: {{}}}}"
            for n in range(members)
        ),
        "  - {name: FSW, roles: [witness], address: 10.0.64.200}",
        "dags:",
        (
            f"  - {{name: DAG1, members: [{', '.join(f'EX{n + 1:02}' for n in range(members))}], witness: FSW, "
            "witness_directory: 'C:\\DAG1', dac_mode: DagOnly}"
        ),
        "databases:",
        *(
            f"  - {{name: DB{n + 1:03}, size_gb: 10, copies: ["
            + ", ".join(f"{{server: EX{(n + step) % members + 1:02}}}" for step in range(copies))
            + "]}"
            for n in range(databases)
        ),
        "accounts:",
        "  - {name: operator, groups: [Domain Admins, Domain Users], role_groups: [Organization Management]}",
    ]
    return "\n".join(lines) + "\n"

"""What a reading costs, as ratios in one run: a client for each script, one pool, and merged into one script.

`python benchmarks/reads.py [N]` starts a lab, asks one host for N facts in three ways, and prints wall time relative to
the fastest. Absolute times say nothing about real Windows, where opening a shell starts a process.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pypsrp.client import Client

from starover import envelope
from starover.content import find
from starover.inventory import load
from starover.transport import Script
from starover.transport.credentials import Credentials
from starover.transport.psrp import PsrpTransport

NONCE = "0123456789abcdef"
REPEATS = 5


def median_seconds(work: Callable[[], None]) -> float:
    """The median of a few runs, after one that does not count."""
    work()
    times: list[float] = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2]


def measure(folder: Path, count: int) -> None:
    """Print the table for the lab in `folder`."""
    estate = load(folder / "inventory.yaml")
    server = next(one for one in estate.servers if "dc" in one.roles)
    road = server.roads[0]
    credentials = Credentials(folder=folder, lab=True)
    known = credentials.resolve(server.credential)
    body = find().body("server/hello.ps1.j2", {})

    def script(number: int, parts: int) -> Script:
        composed = envelope.reads(server, [(str(part), body) for part in range(parts)], NONCE)
        return Script(id=str(number), server=server, text=composed.text, deadline=60, mutates=False)

    def alone() -> None:
        for _ in range(count):
            client = Client(
                road.address,
                port=road.port,
                ssl=road.scheme == "https",
                auth=road.auth,
                username=known.user,
                password=known.password,
            )
            client.execute_ps(script(0, 1).text)

    with_pool = PsrpTransport(credentials)

    def pooled() -> None:
        for number in range(count):
            assert all(answer.error is None for answer in with_pool.run([script(number, 1)]))

    def merged() -> None:
        assert all(answer.error is None for answer in with_pool.run([script(0, count)]))

    seconds = {"a client for each script": alone, "one pool": pooled, "merged into one script": merged}
    measured = {name: median_seconds(work) for name, work in seconds.items()}
    with_pool.close()
    least = min(measured.values())
    print(f"{count} facts of one host, {road.auth} over {road.scheme}; median of {REPEATS}")
    for name, taken in measured.items():
        print(f"  {name:26} {taken / least:6.1f} x   {1 if name.startswith('merged') else count} scripts")


def main() -> None:
    """Start a lab, measure, put it away."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "starover_cli"]
        subprocess.run([*command, "lab", "up", "aws-2az", "--detach"], cwd=folder, check=True, capture_output=True)
        try:
            measure(Path(folder) / ".starover" / "lab", int(sys.argv[1]) if len(sys.argv) > 1 else 10)
        finally:
            subprocess.run([*command, "lab", "down"], cwd=folder, check=False, capture_output=True)


if __name__ == "__main__":
    main()

"""`python benchmarks [--hosts N] [--steps N] [--delay SECONDS]`: every figure in one run, against labs started here.

Ratios count, not times: loopback has no distance and starts no process. `--delay` gives each request some.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from clients import compare
from figures import big_plan, first_fact, helps
from places import Cost, lab


def table(found: dict[str, Cost], unit: int) -> None:
    """Every client, for one step on one host, and against the quickest."""
    least = min(cost.wall for cost in found.values())
    print(f"  {'':26} {'wall':>9} {'CPU':>9} {'requests':>9} {'ratio':>7}")
    for name, cost in found.items():
        wall, cpu = 1000 * cost.wall / unit, 1000 * cost.cpu / unit
        print(f"  {name:26} {wall:6.2f} ms {cpu:6.2f} ms {cost.requests / unit:9.2f} {cost.wall / least:6.1f}x")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=8)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--delay", type=float, default=0.0, help="real seconds that each request takes longer")
    parser.add_argument("--databases", type=int, default=100)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with lab(folder / "clients", "pa-4x2") as running:
            servers = running.estate.servers[: asked.hosts]
            if asked.delay:
                running.control("winrm", requestSeconds=asked.delay)
            print(f"one step on one host ({len(servers)} hosts side by side, {asked.steps} steps, negotiate over http)")
            table(compare(running, servers, asked.steps, repeats=asked.repeats), len(servers) * asked.steps)
            running.control("winrm", requestSeconds=0)
            first, whole, hosts, silent = first_fact(running)
        print(f"\nstatus, {silent} of {hosts} hosts silent: first fact after {first:.2f} s, whole after {whole:.1f} s")
        print("\nCPU of help")
        for words, cost in helps(folder).items():
            print(f"  {words:38} {cost.cpu:5.2f} s")
        print(f"\n16 members x {asked.databases} databases x 4 copies")
        for words, cost in big_plan(folder / "big", databases=asked.databases).items():
            print(f"  {words:38} {cost.wall:6.1f} s, CPU {cost.cpu:5.2f} s")


if __name__ == "__main__":
    main()

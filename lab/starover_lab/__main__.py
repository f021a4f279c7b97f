"""`python -m starover_lab up TOPOLOGY|FILE --dir DIR`: a lab in the foreground, as the command line starts it."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from starover.errors import StaroverError

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0 when the lab was taken down, 2 for bad input, 1 when a port or file cannot be had."""
    parser = argparse.ArgumentParser(prog="python -m starover_lab", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="bring a lab up and stay in the foreground until it is taken down")
    up.add_argument("topology", help="a topology's name, or the path of a topology file")
    up.add_argument("--dir", type=Path, default=Path(".starover"), help="where the inventory, ca.pem and lab.json go")
    up.add_argument("--flag", action="append", default=[], dest="flags", help="a flag of the topology, such as dag")
    up.add_argument("--seed", type=int, default=None, help="another seed than the topology's")
    up.add_argument("--speed", type=float, default=0.0, help="simulated seconds a real one while nobody waits")
    up.add_argument("--verbose", action="store_true", help="log more to standard error")
    given = parser.parse_args(arguments)
    logging.basicConfig(
        level=logging.INFO if given.verbose else logging.WARNING, format="%(name)s: %(message)s", stream=sys.stderr
    )
    try:
        _up(given.topology, given.dir, given.flags, given.seed, given.speed)
    except StaroverError as error:
        for line in (error.what, *error.certain, *error.next):
            print(line, file=sys.stderr)  # noqa: T201 - this is a command
        return error.exit
    except OSError as error:
        print(f"the lab cannot come up: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _up(topology: str, folder: Path, flags: list[str], seed: int | None, speed: float) -> None:
    from starover_lab.cmdlets.sessions import Sessions
    from starover_lab.server import LabServer, Ready, refuse_second, run
    from starover_lab.world.world import World

    refuse_second(folder)
    world = World.from_topology(topology, seed=seed, flags=flags)
    labs: list[LabServer] = []

    def make() -> LabServer:
        labs.append(LabServer(world, Sessions(world), folder))
        return labs[0]

    def ready(told: Ready) -> None:
        if speed:
            labs[0].pump.set_speed(speed)
        # Everything that was made until now stays for good: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)
        print(f"{told.name}: {told.servers} hosts up, {told.folder / 'inventory.yaml'}", flush=True)  # noqa: T201

    asyncio.run(run(make, ready, signals=(signal.SIGINT, signal.SIGTERM)))


if __name__ == "__main__":
    sys.exit(main())

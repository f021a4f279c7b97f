"""Figures of the command line: CPU of --help, the first fact of a status with half the hosts silent, a big plan."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import time
from pathlib import Path

from places import STAROVER, Cost, Lab, big, lab, process

HELP = (("--help",), ("plan", "--help"), ("run", "copies-suspend", "--help"))
_FACT = re.compile(rb"[A-Z]+[0-9]+ [0-9]+(\.[0-9]+)? m?s")
"""A host that has answered, and after how long."""


def helps(folder: Path) -> dict[str, Cost]:
    """The quickest of three runs of each help: nothing else is as steady."""
    return {
        f"starover {' '.join(words)}": min(
            (process([*STAROVER, *words], folder) for _ in range(3)), key=lambda one: one.cpu
        )
        for words in HELP
    }


def first_fact(running: Lab) -> tuple[float, float, int, int]:
    """Seconds until `status` shows that a host answered, and until it ended; hosts, and those of them silent."""
    names = [server.name for server in running.estate.servers]
    silent = names[::2]
    for name in silent:
        running.control("break", kind="winrm_silent", target=name)
    said = b""
    main, other = pty.openpty()
    start = time.perf_counter()
    first = 0.0
    child = subprocess.Popen([*STAROVER, "status"], cwd=running.folder, stdin=other, stdout=other, stderr=other)
    os.close(other)
    while True:
        ready, _, _ = select.select([main], [], [], 0.05)
        try:
            piece = os.read(main, 65536) if ready else b""
        except OSError:  # the other end is closed
            break
        said += piece
        if not first and _FACT.search(said):
            first = time.perf_counter() - start
        if not ready and child.poll() is not None:
            break
    child.wait()
    os.close(main)
    return first, time.perf_counter() - start, len(names), len(silent)


def big_plan(folder: Path, members: int = 16, databases: int = 100, copies: int = 4) -> dict[str, Cost]:
    """What plans over a big DAG take."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "big.yaml").write_text(big(members, databases, copies), "utf-8")
    with lab(folder, "big.yaml") as running:
        return {
            "plan activation-preferences": running.typed("plan", "activation-preferences", "--policy", "spread"),
            "status": running.typed("status"),
        }

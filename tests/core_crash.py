"""A five-step run that is killed before, within and after every journal write, and resumed until it is done.

Run as a program: it forks one child for each crash, whose hosts live in a file, and prints what came of it as JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from core_hand import ESTATE, NODES, Lamps, approval_of, colour, lit

from starover import Server, Steps, journal, runbook, together
from starover.audit import verify
from starover.drivers.local import Local, Ran, Why
from starover.errors import BadParameter
from starover.journal import Journal
from starover.testing import FakeContent, FakeTransport, ManualClock
from starover.transport import Answer, Script


@runbook
def five() -> Steps:
    """Five changes, two of them side by side, and a reading in between that changes nothing."""
    yield from colour.read(NODES[0])
    yield lit.on(NODES[0], name="one")
    yield lit.on(NODES[0], name="two")
    yield from together([part(NODES[1], "three"), part(NODES[2], "four")])
    yield lit.on(NODES[3], name="five")


def part(server: Server, name: str) -> Steps:
    yield lit.on(server, name=name)


EMPTY: dict[str, Any] = {"on": [], "done": [], "receipts": {}, "twice": []}


class FileLamps(Lamps):
    """Lamps whose state outlives the process."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file = file
        for host, name in self.load()["on"]:
            self.on.add((host, name))

    def load(self) -> dict[str, Any]:
        return json.loads(self.file.read_text() if self.file.exists() else json.dumps(EMPTY))

    def save(self, state: dict[str, Any]) -> None:
        fresh = self.file.with_suffix(".new")
        fresh.write_text(json.dumps(state))
        fresh.replace(self.file)

    def switch_on(self, host: str, name: str) -> None:
        super().switch_on(host, name)
        state = self.load()
        state["on"].append([host, name])
        state["done"].append(f"{host}/{name}")
        self.save(state)

    def note_twice(self, operation: str) -> None:
        state = self.load()
        state["twice"].append(operation)
        self.save(state)


class FileReceipts(MutableMapping[str, bytes]):
    """Receipts that outlive the process."""

    def __init__(self, lamps: FileLamps) -> None:
        self.lamps = lamps

    def __getitem__(self, key: str) -> bytes:
        return self.lamps.load()["receipts"][key].encode()

    def __setitem__(self, key: str, value: bytes) -> None:
        state = self.lamps.load()
        state["receipts"][key] = value.decode()
        self.lamps.save(state)

    def __delitem__(self, key: str) -> None:
        raise NotImplementedError

    def __iter__(self) -> Iterator[str]:
        return iter(self.lamps.load()["receipts"])

    def __len__(self) -> int:
        return len(self.lamps.load()["receipts"])


HOSTS = threading.Lock()
"""Hosts are not killed with the process that asks them: what one has begun it ends first."""


class Hosts(FakeTransport):
    def __init__(self, lamps: FileLamps) -> None:
        super().__init__(lamps.hosts().templates, receipts=FileReceipts(lamps))
        self.lamps = lamps

    def run(self, batch: Sequence[Script], /) -> Iterator[Answer]:
        for script in batch:
            with HOSTS:
                if script.mutates and f"{script.server.name} {script.operation}" in self.receipts:
                    self.lamps.note_twice(script.operation)
                answers = list(super().run([script]))
            yield from answers


def local(folder: Path) -> Local:
    hosts = Hosts(FileLamps(folder / "world.json"))
    return Local(
        estate=ESTATE,
        content=FakeContent([five]),
        transport=hosts,
        clock=ManualClock(),
        folder=folder,
        why=Why(who="unit"),
    )


def crash_at(point: int) -> None:
    """Kill this process at a point: three for each append, before it, between line and head, and after it."""
    seen = 0

    def pass_by() -> None:
        nonlocal seen
        if seen == point:
            HOSTS.acquire()
            os.kill(os.getpid(), signal.SIGKILL)
        seen += 1

    append = Journal.append

    between = False

    def watched(self: Journal, *args: Any) -> None:
        nonlocal between
        pass_by()
        between = True
        append(self, *args)
        pass_by()

    def fsync(_: int) -> None:  # a killed process loses nothing that it has written: no need to wait for the disk
        nonlocal between
        if between:  # the line is down, its head is not
            between = False
            pass_by()

    Journal.append = watched  # type: ignore[method-assign, assignment]
    journal.os.fsync = fsync  # type: ignore[attr-defined]


def child(work: Callable[[], object]) -> int:
    """Run in a child; give its wait status."""
    pid = os.fork()
    if pid == 0:
        code = 3
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(pid, 0)[1]


def apply(folder: Path, point: int) -> None:
    crash_at(point)
    local(folder).apply(local(folder).load(plan_id(folder)), approve=approval_of)


def resume(folder: Path, run: str, point: int, out: Path) -> None:
    crash_at(point)
    ran: Ran = local(folder).resume(run, approve=approval_of)
    out.write_text(json.dumps({"state": ran.state, "exit": ran.exit, "steps": [one.state for one in ran.steps]}))


def plan_id(folder: Path) -> str:
    return next((folder / "plans").glob("*.json")).stem


def one_case(folder: Path, point: int, again: int) -> dict[str, Any] | None:
    """Crash at `point` of the run, and in the first resume at `again`; None when the run did not get that far."""
    local(folder).plan("five", {})
    if not os.WIFSIGNALED(child(lambda: apply(folder, point))):
        return None
    run = f"{plan_id(folder)}.1"
    out = folder / "out.json"
    legs = 0
    said = ""
    while not out.exists() and legs < 4:
        try:
            Journal.open(folder, run).close()
        except BadParameter as error:  # killed before its first line
            said = str(error)
            break
        status = child(partial(resume, folder, run, again if legs == 0 else -1, out))
        legs += 1
        if os.WEXITSTATUS(status) == 3:  # raised: it had ended already
            break
    world = FileLamps(folder / "world.json").load()
    return {
        "point": point,
        "again": again,
        "done": world["done"],
        "twice": world["twice"],
        "legs": legs,
        "said": said,
        "result": json.loads(out.read_text()) if out.exists() else None,
        "audit": [finding.says for finding in verify(folder)],
    }


def main(folder: Path, step: int) -> None:
    cases: list[dict[str, Any]] = []
    point = 0
    while True:
        (where := folder / f"a{point}").mkdir()
        case = one_case(where, point, -1)
        if case is None:
            break
        cases.append(case)
        point += 1
    for first in range(4, point, step):  # killed again while it resumes
        for again in range(0, 30, step + 2):
            (where := folder / f"b{first}-{again}").mkdir()
            case = one_case(where, first, again)
            assert case is not None
            cases.append(case)
    sys.stdout.write(json.dumps({"points": point, "cases": cases}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))

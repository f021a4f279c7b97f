"""Lamps with files of their own (content, hosts, journals), a Temporal server and workers: what those tests share.

Run as a program it is a worker process on lamps that lie in a file, which kills itself where it is told to.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from approving import approved
from core_crash import FileLamps, FileReceipts
from core_hand import ESTATE, Lamps

from starover.audit import verify
from starover.content import Content
from starover.drivers.local import Local, Why
from starover.drivers.temporal import Ended, Handle, Site, Standing, Submission, codec, connect, run_worker
from starover.drivers.temporal import approve as give
from starover.drivers.temporal import ended as end_of
from starover.drivers.temporal import standing as standing_of
from starover.drivers.temporal import submission as submission_of
from starover.drivers.temporal import submit as submit_to
from starover.drivers.temporal.client import NoWorker
from starover.effects import Approval
from starover.errors import StaroverError
from starover.journal import Entry, Journal, read_journal
from starover.plan import Plan
from starover.testing import FakeTransport, ManualClock
from starover.transport import Answer, Script
from starover.values import Plain

T = TypeVar("T")

BOOK = '''
"""Lamps."""

from collections.abc import Sequence

from starover import Change, Query, Report, Risk, Server, Settle, Steps, runbook, step, together, wait


class Lamp(Report):
    """A lamp."""

    lit: bool
    broken: bool = False
    left: int = 0


lamp = Query("lamp/read.ps1.j2", Lamp)


@step(check=lamp, apply="lamp/on.ps1.j2", risk=Risk.LOW, settle=Settle(5, 60))
def lit(now: Lamp, /, *, name: str) -> Change | None:
    """A lamp that shines."""
    return None if now.lit else Change(name, "off", "on")


@step(check=lamp, apply="lamp/smash.ps1.j2", risk=Risk.DATA)
def smashed(now: Lamp, /, *, name: str) -> Change | None:
    """A lamp in pieces."""
    return None if now.broken else Change(name, "whole", "pieces", "glass everywhere", "remove")


@runbook
def lamps_on(servers: Sequence[Server], names: Sequence[str] = ("a", "b")) -> Steps:
    """Light lamps, one after the other."""
    for server in servers:
        for name in names:
            yield lit.on(server, name=name)


@runbook
def lamps_smash(server: Server) -> Steps:
    """Smash a lamp."""
    yield smashed.on(server, name="a")


@runbook
def lamps_five(servers: Sequence[Server]) -> Steps:
    """A lamp on the first server, then on two side by side, then a wait, then one more."""
    yield lit.on(servers[0], name="one")
    yield from together([part(servers[1], "two"), part(servers[2], "three")])
    yield from wait(lamp, servers[0], until=lambda now: now.lit, settle=Settle(10, 60), what="one shines", name="one")
    yield lit.on(servers[3], name="four")


def part(server: Server, name: str) -> Steps:
    """A lamp."""
    yield lit.on(server, name=name)
'''
FILES = {
    "runbooks/operate/lamps.py": BOOK,
    "ps_templates/lamp/read.ps1.j2": "[pscustomobject]@{ lit = [bool]({{ name }} -eq 'x') }\n",
    "ps_templates/lamp/on.ps1.j2": "Set-Content -Path {{ name }} -Value 'on' -ErrorAction Stop\n",
    "ps_templates/lamp/smash.ps1.j2": "Remove-Item -Path {{ name }} -ErrorAction Stop\n",
}
FOUR: list[Plain] = ["EX1", "EX2", "EX3", "EX4"]


def content(**more: str) -> Content:
    """The lamps' content, with other text for some files (`lamps='...'`)."""
    book = more.get("book", BOOK)
    return Content({name: text.encode() for name, text in {**FILES, "runbooks/operate/lamps.py": book}.items()})


@dataclass
class Switch(FakeTransport):
    """Hosts that can be made to wait: a script of a template that is held does not begin."""

    def __init__(self, lamps: Lamps) -> None:
        super().__init__(lamps.hosts().templates)
        self.held: dict[str, threading.Event] = {}
        self.reached = threading.Event()

    def run(self, batch: Sequence[Script], /) -> Iterator[Answer]:
        for script in batch:
            for part in script.parts:
                if (gate := self.held.get(part.template)) is not None:
                    self.reached.set()
                    gate.wait(60)
            yield from super().run([script])


@dataclass
class Team:
    """A folder of journals, lamps, and the server's address."""

    folder: Path
    address: str
    lamps: Lamps = field(default_factory=Lamps)
    key: str = ""
    house: Any = None
    unbegun: list[tuple[str, StaroverError, datetime]] = field(default_factory=list[Any])
    """Starts of a schedule that came to no run."""

    def __post_init__(self) -> None:
        self.hosts = Switch(self.lamps)
        self.clock = ManualClock()
        # A name of its own for each test: one server serves them all, and a DAG has one run at a time.
        self.estate = msgspec.structs.replace(ESTATE, name=f"unit-{abs(hash(str(self.folder))):x}")

    @property
    def site(self) -> Site:
        return Site(
            estate=self.estate,
            transport=self.hosts,
            clock=self.clock,
            folder=self.folder,
            house=self.house,
            unbegun=lambda *told: self.unbegun.append(told),
        )

    def given(self, book: str, of: Content | None = None, **more: Any) -> Submission:
        options = {name: more.pop(name) for name in _OPTIONS if name in more}
        parameters: dict[str, Plain] = more or {"servers": FOUR}
        return submission_of(
            of or content(), self.estate, Why(who="tester"), runbook=book, parameters=parameters, **options
        )

    async def client(self) -> Any:
        return await connect(self.address, sealing=codec(self.key))

    @contextlib.asynccontextmanager
    async def worker(self, site: Site | None = None, **options: Any) -> AsyncIterator[Any]:
        """A worker in this process; gives a client."""
        client, until = await self.client(), asyncio.Event()
        work = asyncio.create_task(run_worker(client, site or self.site, until=until, **options))
        try:
            yield client
        finally:
            until.set()
            await work

    def local(self, folder: Path, of: Content | None = None) -> Local:
        """The other driver, on lamps of its own."""
        return Local(
            estate=self.estate,
            content=of or content(),
            transport=Switch(Lamps()),
            clock=ManualClock(),
            folder=folder,
            why=Why(who="tester"),
        )


_OPTIONS = ("approval", "patience", "leased", "zoned", "heartbeat", "only_plan", "plan")


async def until(client: Any, handle: Handle, *states: str) -> Standing:
    """Wait until a run stands there; a worker on a busy machine may not say so at once."""
    while True:
        with contextlib.suppress(NoWorker):
            found = await standing_of(client, handle)
            if found.state in states:
                return found
        await asyncio.sleep(0.05)


async def through(client: Any, given: Submission, approval: Callable[[Plan], Approval] = approved) -> Ended:
    """Submit, approve when asked, wait for the end."""
    handle = await submit_to(client, given)
    if (await until(client, handle, "waits for approval", "ended")).state != "ended":
        plan = (await standing_of(client, handle)).plan
        assert plan is not None
        await give(client, handle, approval(plan))
    return await end_of(client, handle)


def play(story: Coroutine[Any, Any, T]) -> T:
    """Run it, and not for ever."""

    async def within() -> T:
        return await asyncio.wait_for(story, 240)

    return asyncio.run(within())


# -- journals ----------------------------------------------------------------------------------------------------------

_HEX = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]*|[0-9a-f]{64}|\b[0-9a-f]{16}\b")
_RUN = re.compile(rb"\b[0-9a-f]{8}\.[0-9]+\b")
_TIME = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+]00:00)")
_TOOK = re.compile(rb'"(seconds|readings|age|number)":[0-9.]+')


def likeness(entries: Sequence[Entry]) -> dict[str, list[bytes]]:
    """What a journal says, but for ids and times, and for the order in which hosts answered that were asked side by
    side: by host, and under the empty name what is about none.
    """
    found: dict[str, list[bytes]] = {}
    for one in entries:
        # (which run was before it in the same folder is another folder's matter)
        text = re.sub(rb'"former":{[^}]*}', b"", msgspec.json.encode(one.body))
        text = _HEX.sub(b"ID", _RUN.sub(b"RUN", _TIME.sub(b"TIME", text)))
        host = str(getattr(one.body, "host", "") or getattr(getattr(one.body, "event", None), "host", ""))
        found.setdefault(host, []).append(_TOOK.sub(rb'"\1":0', text))
    return found


def alike(team: Path, alone: Path, run: str, other: str) -> None:
    """The same journal, but for ids and times, and both hold."""
    one, two = likeness(read_journal(team, run)), likeness(read_journal(alone, other))
    assert one.keys() == two.keys()
    for host in one:
        for here, there in zip(one[host], two[host], strict=False):
            assert here.decode() == there.decode(), host
        assert len(one[host]) == len(two[host]), host
    assert whole(team)
    assert whole(alone)


def whole(folder: Path) -> bool:
    """Whether a folder's journals hold, apart from what every crash leaves."""
    return [one.says for one in verify(folder) if not one.harmless] == []


# -- worker processes --------------------------------------------------------------------------------------------------


class FileHosts(FakeTransport):
    """Hosts in a file. What is sent twice is noted there."""

    def __init__(self, lamps: FileLamps) -> None:
        super().__init__(lamps.hosts().templates, receipts=FileReceipts(lamps))
        self.lamps = lamps
        self.lock = threading.Lock()

    def run(self, batch: Sequence[Script], /) -> Iterator[Answer]:
        for script in batch:
            with self.lock:
                pass_by(f"sends {script.parts[0].template if script.parts else 'probe'}")
                if script.mutates and f"{script.server.name} {script.operation}" in self.receipts:
                    self.lamps.note_twice(script.operation)
                self.leases = {key: (held[0], held[1], held[2]) for key, held in self._kept().items()}
                answers = list(super().run([script]))
                self._keep()
                pass_by(f"sent {script.parts[0].template if script.parts else 'probe'}")
            yield from answers

    def _kept(self) -> dict[str, Any]:
        return dict(self.lamps.load().get("leases", {}))

    def _keep(self) -> None:
        state = self.lamps.load()
        if state.get("leases") != (leases := {key: list(held) for key, held in self.leases.items()}):
            self.lamps.save({**state, "leases": leases})


POINT, SEEN = -1, 0
_POINTS = threading.Lock()


def pass_by(what: str) -> None:
    """A place where this process may die."""
    global SEEN
    with _POINTS:
        if SEEN == POINT:
            (Path(sys.argv[1]) / "died").write_text(what)
            os.kill(os.getpid(), signal.SIGKILL)
        SEEN += 1
        if POINT < 0:
            (Path(sys.argv[1]) / "points").write_text(str(SEEN))


def _watch_journals() -> None:
    """Three places for each append: before it, between lines and head, after it."""
    append, sync, between = Journal.append, os.fsync, threading.local()

    def watched(self: Journal, *args: Any) -> None:
        pass_by("before an append")
        between.on = True
        append(self, *args)
        pass_by("after an append")

    def fsync(handle: int) -> None:
        if getattr(between, "on", False):
            between.on = False
            pass_by("within an append")
        if sys.platform == "never":
            sync(handle)

    Journal.append = watched  # type: ignore[method-assign, assignment]
    os.fsync = fsync


@dataclass
class Process:
    """A worker process on the lamps of a folder."""

    folder: Path
    address: str
    estate: str
    point: int = -2
    """Where it kills itself; -1: it counts; -2: nowhere."""

    def __enter__(self) -> Process:
        words = [sys.executable, str(Path(__file__)), str(self.folder), self.address, self.estate, str(self.point)]
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait(30)

    @property
    def dead(self) -> bool:
        return self.process.poll() is not None


async def _work(folder: Path, address: str, estate: str) -> None:
    hosts = FileHosts(FileLamps(folder / "world.json"))
    site = Site(
        estate=msgspec.structs.replace(ESTATE, name=estate), transport=hosts, clock=ManualClock(), folder=folder
    )
    await run_worker(await connect(address), site)


def world(folder: Path) -> dict[str, Any]:
    """What the lamps of a folder have seen."""
    found: dict[str, Any] = json.loads((folder / "world.json").read_text())
    return found


if __name__ == "__main__":
    POINT = int(sys.argv[4])
    _watch_journals()
    asyncio.run(_work(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))

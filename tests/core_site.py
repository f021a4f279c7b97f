"""A folder with a local driver, fake hosts and a few runbooks: what driver tests share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core_hand import ESTATE, NODES, Lamps, approval_of, colour, dark, lamp, lit

from starover import Server, Settle, StaroverError, Steps, attempt, recall, runbook, together, wait
from starover.audit import verify
from starover.drivers.local import Local, Planned, Ran, Why
from starover.events import Told
from starover.journal import Entry, read_journal
from starover.testing import FakeContent, FakeTransport, ManualClock


@runbook
def lamps_on(servers: Sequence[Server], names: Sequence[str] = ("a", "b")) -> Steps:
    """Light lamps, one after the other.

    servers: where
    names: which ones
    """
    yield from colour.read(NODES[0])
    for server in servers:
        for name in names:
            yield lit.on(server, name=name)


@runbook
def lamps_together(servers: Sequence[Server], names: Sequence[str] = ("a", "b")) -> Steps:
    """Light lamps, servers side by side."""
    yield from together(part(server, names) for server in servers)


@runbook
def lamps_each(servers: Sequence[Server], names: Sequence[str] = ("a", "b")) -> Steps:
    """Light lamps, servers side by side, and let none stop another."""
    yield from together(attempt(part(server, names)) for server in servers)


def part(server: Server, names: Sequence[str]) -> Steps:
    for name in names:
        yield lit.on(server, name=name)


@runbook
def lamps_careful(servers: Sequence[Server]) -> Steps:
    """Light lamps, and put out those that were lit when something fails."""
    done: list[Server] = []
    try:
        for server in servers:
            yield lit.on(server, name="a")
            done.append(server)
    except StaroverError:
        for server in done:
            yield dark.on(server, name="a")
        raise


@runbook(beyond=[lit])
def lamps_looking(servers: Sequence[Server]) -> Steps:
    """Light lamps, looking at the colour in between."""
    for server in servers:
        yield lit.on(server, name="a")
        yield from colour.read(server)


@runbook
def lamps_wait(server: Server) -> Steps:
    """Light a lamp, wait for another, light a third."""
    yield lit.on(server, name="a")
    yield from wait(lamp, server, until=lambda now: now.lit, settle=Settle(10, 60), what="somebody else", name="b")
    yield lit.on(server, name="c")


@runbook
def lamps_memory(server: Server) -> Steps:
    """Light a lamp if it was found dark by an earlier run."""
    before = yield from recall(server, lit, name="a")
    if before is not None:
        yield lit.on(server, name=f"was-{before.lit}")


BOOKS = [lamps_on, lamps_together, lamps_each, lamps_careful, lamps_looking, lamps_wait, lamps_memory]


@dataclass
class Site:
    folder: Path
    lamps: Lamps = field(default_factory=Lamps)
    clock: ManualClock = field(default_factory=ManualClock)
    content: FakeContent = field(default_factory=lambda: FakeContent(BOOKS))
    told: list[Told] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.hosts: FakeTransport = self.lamps.hosts()

    def tell(self, told: Told) -> None:
        self.told.append(told)

    def local(self, who: str = "oncall-a", **why: Any) -> Local:
        return Local(
            estate=ESTATE,
            content=self.content,
            transport=self.hosts,
            clock=self.clock,
            folder=self.folder,
            why=Why(who=who, **why),
            sinks=[self],
        )

    def plan(self, book: str, *servers: str, **parameters: Any) -> Planned:
        key = "server" if book in ("lamps-wait", "lamps-memory") else "servers"
        value: Any = servers[0] if key == "server" else list(servers)
        return self.local().plan(book, {key: value, **parameters})

    def run(self, book: str, *servers: str, **parameters: Any) -> Ran:
        return self.audited(self.local().apply(self.plan(book, *servers, **parameters).plan, approve=approval_of))

    def resume(self, run: str) -> Ran:
        return self.audited(self.local().resume(run, approve=approval_of))

    def audited(self, ran: Ran) -> Ran:
        """Whatever was written can be read again."""
        assert verify(self.folder) == []
        return ran

    def undo(self, run: str) -> Ran:
        return self.local().apply(self.local().undo(run).plan, approve=approval_of)

    def entries(self, run: str) -> list[Entry]:
        return read_journal(self.folder, run)

    def events(self, kind: type[Any]) -> list[Any]:
        return [told.event for told in self.told if isinstance(told.event, kind)]

"""A folder with plans and runs against hosts made of functions; knows no estate and no runbook."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from approving import approved

from starover.content import find
from starover.drivers.local import Local, Planned, Ran, Why
from starover.estate import Estate
from starover.testing import FakeTransport, ManualClock

CONTENT = find()


class Hosts(Protocol):
    """The state that scripts read and change."""

    clock: ManualClock

    def templates(self) -> Mapping[str, Callable[..., object]]: ...


@dataclass
class FunctionHosts:
    """The product at work there; which estate, and what world, its children say."""

    folder: Path
    world: Any
    """A `Hosts`."""
    estate: ClassVar[Estate]

    def __post_init__(self) -> None:
        world: Hosts = self.world
        self.hosts = FakeTransport(world.templates())

    def local(self) -> Local:
        return Local(
            estate=self.estate,
            content=CONTENT,
            transport=self.hosts,
            clock=self.world.clock,
            folder=self.folder,
            why=Why(who="tester"),
        )

    def plan(self, book: str, **parameters: Any) -> Planned:
        return self.local().plan(book, parameters)

    def run(self, book: str, **parameters: Any) -> Ran:
        return self.local().apply(self.plan(book, **parameters).plan, approve=approved)

    def resume(self, run: str) -> Ran:
        return self.local().resume(run, approve=approved)

    def undo(self, run: str) -> Ran:
        return self.local().apply(self.local().undo(run).plan, approve=approved)

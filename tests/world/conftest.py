from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from starover_lab.world.errors import WorldError
from starover_lab.world.world import World

THREE = """
name: three
start: 2026-03-01T02:00:00Z
servers:
  - {name: dc-a, roles: [dc], az: z1, address: 192.168.1.1}
  - {name: dc-b, roles: [dc], az: z2, address: 192.168.2.1}
  - {name: Mail-01, roles: [mailbox], az: z1, address: 192.168.1.11, exchange: {year: "2016", build: 15.1.2507.6}}
  - {name: Mail-02, roles: [mailbox], az: z2, address: 192.168.2.11, exchange: {year: "2016", build: 15.1.2507.6}}
  - {name: Mail-03, roles: [mailbox], az: z3, address: 192.168.3.11, exchange: {year: "2016", build: 15.1.2507.6}}
sites:
  - {name: North, az: z1}
  - {name: South, az: z2}
  - {name: West, az: z3}
dags:
  - {name: Trio, members: [Mail-01, mail-02, Mail-03.example.com]}
databases:
  - name: O’Brien DB
    size_gb: 12
    log_rate_per_min: 60
    copies: [{server: mail-02}, {server: Mail-01}, {server: Mail-03}]
accounts:
  - {name: alice, password: "pass word’1", role_groups: [Organization Management]}
"""


class Lab:
    """A world with a few words for tests."""

    def __init__(self, world: World) -> None:
        self.world = world

    def later(self, seconds: float = 0, *, minutes: float = 0, hours: float = 0) -> None:
        assert self.world.scheduler.advance_to(
            self.world.now + timedelta(seconds=seconds, minutes=minutes, hours=hours)
        )

    def statuses(self, database: str) -> dict[str, str]:
        return {
            copy.server: self.world.copy_view(database, copy.server, self.alive).status
            for copy in self.world.database(database).copies
        }

    @property
    def alive(self) -> str:
        return next(server.name for server in self.world.state.servers if self.world.state.answers(server))

    def kinds(self, *kinds: str) -> list[tuple[str, str]]:
        return [(event.kind, event.subject) for event in self.world.events if event.kind in kinds]


def refusal(act: Callable[[], object]) -> WorldError:
    """The error with which the world refuses an act."""
    with pytest.raises(WorldError) as refused:
        act()
    return refused.value


def refused_kind(act: Callable[[], object]) -> str:
    """The kind of that error."""
    return refusal(act).kind


@pytest.fixture
def lab(tmp_path: Path) -> Callable[..., Lab]:
    def make(topology: str = "pa-4x2", **how: object) -> Lab:
        """A topology by name, or as YAML."""
        if "\n" in topology:
            file = tmp_path / "topology.yaml"
            file.write_text(topology, encoding="utf-8")
            topology = str(file)
        return Lab(World.from_topology(topology, **how))  # type: ignore[arg-type]

    return make


@pytest.fixture
def three(tmp_path: Path) -> Lab:
    file = tmp_path / "three.yaml"
    file.write_text(THREE, encoding="utf-8")
    return Lab(World.from_topology(file))

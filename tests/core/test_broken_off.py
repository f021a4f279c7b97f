"""A change that takes long and breaks off: noticed at once, done again as often as the kind allows, each time anew."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
from core_hand import ESTATE, approval_of

from starover import Blocked, Change, NotVerified, Query, Report, Risk, Server, Settle, Steps, runbook, step
from starover.drivers.local import Local, Ran, Why
from starover.testing import FakeContent, FakeFault, FakeTransport, ManualClock


class Kiln(Report):
    """A kiln that heats up."""

    degrees: int
    cracked: bool


kiln = Query("kiln/read.ps1.j2", Kiln)


def cracked(now: Kiln) -> Blocked | None:
    return Blocked("it cracked") if now.cracked else None


@step(
    check=kiln,
    apply="kiln/heat.ps1.j2",
    risk=Risk.LOW,
    settle=Settle(every=60, limit=120),
    progress=lambda now: 1000 - now.degrees,
    broken=cracked,
    tries=3,
)
def hot(now: Kiln, /, *, wanted: int) -> Change | Blocked | None:
    """A kiln that is hot."""
    return None if now.degrees >= wanted else Change("kiln", "cold", f"{wanted} degrees")


@runbook
def kiln_heat(server: Server, minutes: int) -> Steps:
    """Heat a kiln."""
    yield hot.on(server, wanted=1000).within(minutes * 60)


@dataclass
class Site:
    folder: Path
    cracks: int = 0
    """How often it cracks half-way."""
    readings_to_heat: int = 4
    heated: int = 0
    degrees: int = 0
    cracked: bool = False
    clock: ManualClock = field(default_factory=ManualClock)

    def read(self, host: str, wanted: int) -> dict[str, object]:
        del host, wanted
        if self.heated and not self.cracked and self.degrees < 1000:
            self.degrees += 1000 // self.readings_to_heat
            if self.heated <= self.cracks and self.degrees >= 500:
                self.cracked, self.degrees = True, 0
        return {"degrees": self.degrees, "cracked": self.cracked}

    def heat(self, host: str, wanted: int) -> None:
        del host, wanted
        self.heated += 1
        self.cracked = False

    def __post_init__(self) -> None:
        self.hosts = FakeTransport({"kiln/read.ps1.j2": self.read, "kiln/heat.ps1.j2": self.heat})

    def run(self, minutes: int = 60) -> Ran:
        local = Local(
            estate=ESTATE,
            content=FakeContent([kiln_heat]),
            transport=self.hosts,
            clock=self.clock,
            folder=self.folder,
            why=Why(who="oncall-a"),
        )
        plan = local.plan("kiln-heat", {"server": "EX1", "minutes": minutes}).plan
        assert plan is not None
        return local.apply(plan, approve=approval_of)


def test_what_broke_off_is_done_again(tmp_path: Path) -> None:
    site = Site(tmp_path, cracks=2)
    ran = site.run()
    assert ran.error is None
    assert site.heated == 3


def test_it_is_not_done_more_often_than_the_kind_allows(tmp_path: Path) -> None:
    site = Site(tmp_path, cracks=9)
    before = site.clock.now()
    ran = site.run()
    assert isinstance(ran.error, NotVerified)
    assert "cracked" in ran.error.what
    assert site.heated == 3
    assert (site.clock.now() - before).total_seconds() < 1800, "it did not wait for the limit"


@pytest.mark.parametrize("what", ["read", "write"])
def test_what_was_applied_is_not_called_unreachable_because_it_could_not_be_done_again(
    tmp_path: Path, what: Literal["read", "write"]
) -> None:
    site = Site(tmp_path, cracks=1)

    def cracks(host: str, wanted: int) -> dict[str, object]:
        if (said := site.read(host, wanted))["cracked"]:
            site.hosts.fail(FakeFault("unreachable", what=what, times=-1))
        return said

    site.hosts.templates = {**site.hosts.templates, "kiln/read.ps1.j2": cracks}
    ran = site.run()
    assert site.heated == 1
    assert ([one.state for one in ran.steps], ran.exit, ran.changed) == (["not-verified"], 5, 1)


def test_a_crack_that_was_there_before_does_not_stop_it(tmp_path: Path) -> None:
    site = Site(tmp_path, cracked=True)
    assert site.run().error is None
    assert site.heated == 1


def test_a_step_may_have_more_time_than_its_kind(tmp_path: Path) -> None:
    assert Site(tmp_path / "slow", readings_to_heat=50).run(minutes=60).error is None
    assert isinstance(Site(tmp_path / "too-slow", readings_to_heat=50).run(minutes=10).error, NotVerified)

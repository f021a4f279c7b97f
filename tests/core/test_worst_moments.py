"""What happens at the worst moment: a second try, a stop between two tries, a lease that is lost twice over."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from core_hand import NODES, approval_of, lamp, lit
from core_site import Site

from starover import Settle, Steps, runbook, together, wait
from starover.drivers.local import Local, Ran
from starover.testing import FakeContent, PowerShellError
from starover.transport import Answer, Script


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def within(seconds: float, act: Any) -> Any:
    """What `act` gives; it must not hang."""
    said: list[Any] = []
    thread = threading.Thread(target=lambda: said.append(act()), daemon=True)
    thread.start()
    thread.join(seconds)
    assert said, f"no end after {seconds} s"
    return said[0]


def passing_once(site: Site, then: Any = None) -> None:
    """The first switching fails with an error that passes."""
    tries: list[str] = []

    def flaky(host: str, name: str) -> None:
        tries.append(name)
        if len(tries) == 1:
            if then is not None:
                then()
            raise PowerShellError("The operation has timed out.")
        site.lamps.switch_on(host, name)

    site.hosts.templates = {**site.hosts.templates, "lamp/on.ps1.j2": flaky}


def test_a_step_that_came_right_at_its_second_try_is_not_under_way_any_more(site: Site) -> None:
    passing_once(site)
    ran = site.run("lamps-on", "EX1", names=["a"])
    assert (ran.state, ran.under_way) == ("done", ())


def test_ctrl_c_between_two_tries_of_a_step_ends_the_run(site: Site) -> None:
    made = site.plan("lamps-on", "EX1").plan
    local = site.local()
    passing_once(site, local.stop)
    ran = within(20, lambda: local.apply(made, approve=approval_of))
    assert (ran.state, ran.under_way, ran.resumable) == ("stopped", (), True)
    again = site.resume(ran.run)
    assert (again.state, site.lamps.done) == ("done", ["on EX1/a", "on EX1/b"])


class Through:
    """The site's hosts, with something to do before each script."""

    def __init__(self, site: Site, before: Any) -> None:
        self.site = site
        self.before = before

    def run(self, batch: Sequence[Script], /) -> Iterator[Answer]:
        for script in batch:
            self.before(script)
            yield from self.site.hosts.run([script])

    def secrets(self) -> Sequence[str]:
        return ()

    def close(self) -> None:
        pass


def through(site: Site, before: Any) -> Local:
    local = site.local()
    local.transport = Through(site, before)
    return local


def apply_through(site: Site, before: Any, plan: Any) -> Ran:
    ran: Ran = within(20, lambda: through(site, before).apply(plan, approve=approval_of))
    return site.audited(ran)


OTHERS = "99999999-8f0b-4b13-9d62-0d1c7f1f9a01/99999999-8f0b-4b13-9d62-0d1c7f1f9a02"


@runbook
def lamps_slow() -> Steps:
    """One lamp that takes long, and a long wait beside it."""

    def slow() -> Steps:
        yield lit.on(NODES[0], name="a")

    def waits() -> Steps:
        yield from wait(lamp, NODES[1], until=lambda now: now.lit, settle=Settle(700, 7000), what="x", name="b")

    yield from together([slow(), waits()])


def test_renewals_that_pile_up_behind_a_long_script_are_one(tmp_path: Path) -> None:
    site = Site(tmp_path, content=FakeContent([lamps_slow]))
    plan = site.local().plan("lamps-slow", {}).plan
    free, looks = threading.Event(), [0]

    def read(host: str, name: str) -> dict[str, object]:
        if name != "b":
            return site.lamps.read(host, name)
        looks[0] += 1
        if looks[0] == 5:
            free.set()
        return {"lit": looks[0] >= 8}

    def before(script: Script) -> None:
        if script.mutates:
            free.wait(20)
            site.hosts.leases["EX1 DAG1"] = (9, OTHERS, "{}")

    site.hosts.templates = {**site.hosts.templates, "lamp/read.ps1.j2": read}
    assert apply_through(site, before, plan).state == "done"
    renewed = [one for one in site.hosts.lease_scripts if one.parts[0].template == "lease/renew"]
    assert sum(one.server.name == "EX1" for one in renewed) == 1

"""Ctrl-C twice: it ends now, what runs at hosts is ended where that can be done, and where not that is said."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from core_hand import NODES, Lamps, approval_of
from core_site import Site
from starover_cli.views.outcome import ran_data, ran_text, what_stands

from starover.drivers.local import Local
from starover.errors import ConnectFailed, ReplyLost
from starover.journal import Sent, Stopped
from starover.testing import FakeFault, FakeTransport
from starover.transport import Answer, Ending, Script, Transport
from starover.transport.calls import WithCalls
from starover.transport.route import RoutedTransport


class Slow(FakeTransport):
    """Hosts on which a write takes until it is ended; whoever presses Ctrl-C presses it twice then."""

    def __init__(self, lamps: Lamps, fate: str) -> None:
        super().__init__(lamps.hosts().templates)
        self.fate = fate
        self.local: Local | None = None
        self.over = threading.Event()
        self.told: list[str] = []

    def run(self, batch: Sequence[Script], /) -> Iterator[Answer]:
        for script in batch:
            if script.mutates and self.local is not None:
                self.local.stop()
                self.local.stop()
                self.over.wait(30)
                yield Answer(id=script.id, error=ReplyLost("ended"))
            else:
                yield from super().run([script])

    def stop(self, ids: Collection[str], seconds: float, /) -> Mapping[str, str]:
        self.told = list(ids)
        self.over.set()
        return dict.fromkeys(ids, self.fate)


def test_twice_ends_what_runs_and_says_what_became_of_it(tmp_path: Path) -> None:
    site = Site(tmp_path)
    made = site.plan("lamps-on", "EX1", names=["a", "b"]).plan
    site.hosts = hosts = Slow(site.lamps, "its script there was ended")
    hosts.local = local = site.local()
    ran = local.apply(made, approve=approval_of)
    assert (ran.state, ran.exit, ran.resumable) == ("stopped", 130, True)
    assert ran.under_way == ("step 1 on EX1: a off -> on (its script there was ended)",)
    assert len(hosts.told) == 1
    last = site.entries(ran.run)[-1].body
    assert isinstance(last, Stopped)
    assert last.under_way == ran.under_way, "the journal says it too"
    hosts.local = None
    assert site.resume(ran.run).exit == 0
    assert site.lamps.done == ["on EX1/a", "on EX1/b"], "it is looked for before anything is sent again"


class Carrier:
    """A road that knows one script."""

    def __init__(self, mine: str) -> None:
        self.mine = mine

    def run(self, batch: Sequence[Script], /) -> Iterator[Answer]:
        return iter(())

    def stop(self, ids: Collection[str], seconds: float, /) -> Mapping[str, str]:
        return {self.mine: f"ended by {self.mine}"} if self.mine in ids else {}

    def secrets(self) -> Sequence[str]:
        return ()

    def close(self) -> None:
        """Nothing is open."""


def test_every_road_is_asked_at_once_and_calls_go_nowhere_else() -> None:
    roads: dict[str, Transport] = {"psrp": Carrier("1"), "ssm": Carrier("2"), "winrm": FakeTransport({})}
    whole = WithCalls(RoutedTransport(roads), {})
    assert isinstance(whole, Ending)
    assert whole.stop(["1", "2", "3"], 1) == {"1": "ended by 1", "2": "ended by 2"}
    assert not WithCalls(FakeTransport({}), {}).stop(["1"], 1)


def test_a_call_that_was_made_cannot_be_taken_back() -> None:
    began, release = threading.Event(), threading.Event()

    class Caller:
        road = "aws"

        def call(self, *_: object) -> Mapping[str, object]:
            began.set()
            release.wait(30)
            return {}

    whole = WithCalls(FakeTransport({}), {}, Caller())
    text = '{"service": "ec2", "operation": "stop_instances", "parameters": {}}'
    script = Script(id="7", server=NODES[0], text=text, deadline=20, mutates=True, way="call")
    thread = threading.Thread(target=lambda: list(whole.run([script])))
    thread.start()
    assert began.wait(20)
    assert whole.stop(["7", "8"], 1) == {"7": "a call that was made cannot be taken back"}
    release.set()
    thread.join(20)
    assert whole.stop(["7"], 1) == {}


def holders(site: Site) -> set[str]:
    """Who has the DAG's lease, as its hosts keep it; `-`: given back."""
    return {holder for _, holder, _ in site.hosts.leases.values()}


class Pressed(FakeTransport):
    """Hosts where somebody presses Ctrl-C once while a write is under way."""

    local: Local | None = None
    deaf = ""
    """A host that does not answer any more then."""

    def run(self, batch: Sequence[Script], /) -> Iterator[Answer]:
        for script in batch:
            if self.local is not None and script.mutates:
                self.local.stop()
                self.local = None
                yield from super().run([script])
            elif self.local is None and self.deaf == script.server.name:
                yield Answer(id=script.id, error=ConnectFailed("silent"))
            else:
                yield from super().run([script])


def pressed(site: Site) -> Pressed:
    site.hosts = hosts = Pressed(site.lamps.hosts().templates)
    return hosts


def test_once_gives_the_lease_back_at_once_and_a_resume_takes_it_anew(tmp_path: Path) -> None:
    site = Site(tmp_path)
    made = site.plan("lamps-on", "EX1", names=["a", "b"]).plan
    hosts = pressed(site)
    hosts.local = local = site.local()
    ran = site.audited(local.apply(made, approve=approval_of))
    assert (ran.state, ran.exit, ran.under_way, ran.leased) == ("stopped", 1, (), "")
    assert holders(site) == {"-"}, "nobody waits half an hour for it"
    entries = [one.body for one in site.entries(ran.run)]
    assert isinstance(entries[-1], Stopped)
    assert entries[-1].leased == ()
    back = [one for one in entries if isinstance(one, Sent) and one.parts[0].template == "lease/release"]
    assert len(back) == len(hosts.leases), "journalled before it is sent"
    assert site.resume(ran.run).exit == 0
    assert site.lamps.done == ["on EX1/a", "on EX1/b"]
    assert holders(site) == {"-"}


def test_a_host_that_does_not_take_it_back_is_named(tmp_path: Path) -> None:
    site = Site(tmp_path)
    made = site.plan("lamps-on", "EX1", names=["a", "b"]).plan
    hosts = pressed(site)
    hosts.local, hosts.deaf = site.local(), "EX2"
    ran = hosts.local.apply(made, approve=approval_of)
    assert (ran.state, ran.leased) == ("stopped", "DAG1")
    last = site.entries(ran.run)[-1].body
    assert isinstance(last, Stopped)
    assert last.leased == ("EX2",)


def test_where_something_is_unknown_the_lease_stays_and_it_is_said(tmp_path: Path) -> None:
    site = Site(tmp_path)
    made = site.plan("lamps-on", "EX1", names=["a", "b"]).plan
    site.hosts = hosts = Slow(site.lamps, "its script there was ended")
    hosts.local = local = site.local()
    ran = local.apply(made, approve=approval_of)
    assert ran.exit == 130
    assert "-" not in holders(site)
    assert (ran.leased, ran.until) == ("DAG1", site.clock.now() + timedelta(minutes=31))
    text = " ".join(ran_text(ran, {}).split())
    assert "the lease of DAG1 stays with it until " in text
    assert f"starover lease release {ran.run} --dag DAG1" in text
    assert ran_data(ran)["lease"] == {"dag": "DAG1", "until": ran.until}


def test_after_an_unknown_outcome_too(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.hosts.fail(FakeFault("lost-after", what="write"), FakeFault("silent", what="probe", times=-1))
    ran = site.run("lamps-on", "EX1", names=["a"])
    assert (ran.state, ran.leased) == ("unknown", "DAG1")
    assert "the lease of DAG1 stays with it until " in " ".join(what_stands(ran).split())
    assert site.run("lamps-on", "EX2", names=["a"]).state == "refused"

"""What happens at the worst moment: a second try, a stop between two tries, a lease that is lost twice over."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from core_hand import NODES, approval_of, lamp, lit
from core_site import Site

from starover import (
    ConnectFailed,
    NotSafe,
    OutcomeUnknown,
    PlanIsStale,
    Query,
    Report,
    Server,
    Settle,
    Steps,
    runbook,
    together,
    wait,
)
from starover.audit import check_folder
from starover.clock import SystemClock
from starover.drivers.local import Local, Ran
from starover.drivers.past import is_dead, unknown_steps
from starover.effects import Ok
from starover.events import StepSent, Told
from starover.journal import Answered, Begun, Journal, read_journal
from starover.testing import FakeContent, FakeFault, PowerShellError, report
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


# -- legs that end early again -----------------------------------------------------------------------------------------


class Names(Report):
    """Which lamps are dark."""

    names: list[str]


darks = Query("lamp/darks.ps1.j2", Names)


@runbook(beyond=[lit])
def lamps_listed(servers: Sequence[Server]) -> Steps:
    """One lamp here, and there whatever a list says."""

    def here() -> Steps:
        yield lit.on(servers[0], name="a")

    def there() -> Steps:
        yield lit.on(servers[1], name="first")
        found = yield from darks.read(servers[1])
        for name in found.names:
            yield lit.on(servers[1], name=name)

    yield from together([here(), there()])


def lost_here(site: Site, probes: str) -> None:
    """The answer of EX1 is lost, and nobody can look for its receipt."""
    site.hosts.fail(FakeFault("lost-after", host="EX1", what="write"))
    site.hosts.fail(FakeFault(probes, host="EX1", what="probe", times=-1))  # type: ignore[arg-type]


def words(ran: Ran) -> list[str]:
    return [f"{one.host}/{one.what} {one.state}" for one in ran.steps]


@pytest.mark.parametrize("book", ["lamps-each", "lamps-together"])
def test_what_an_earlier_leg_did_is_found_again_though_the_next_leg_fails_sooner(site: Site, book: str) -> None:
    made = site.plan(book, "EX1", "EX2").plan
    lost_here(site, "unreachable")
    ran = site.local().apply(made, approve=approval_of)
    assert sorted(words(ran)) == ["EX1/a unknown", "EX2/a changed", "EX2/b changed"]
    site.hosts.heal()
    lost_here(site, "auth")
    again = site.resume(ran.run)
    assert sorted(words(again)) == ["EX1/a unknown", "EX2/a changed", "EX2/b changed"]
    assert site.lamps.done == ["on EX1/a", "on EX2/a", "on EX2/b"]
    site.hosts.heal()
    key = site.entries(ran.run)[0].body.key  # type: ignore[union-attr]
    assert not is_dead(site.folder, ran.run, key, but="")
    site.local(reason="seen by hand").settle(ran.run, 1, "applied")
    assert is_dead(site.folder, ran.run, key, but="")  # a person has decided what was unknown: others may have the DAG
    site.hosts.leases.clear()
    assert site.undo(ran.run).exit == 0
    assert site.lamps.on == set()


class Later(FakeFault):
    """Hits what is done with the lamp b."""

    def hits(self, script: Script) -> bool:
        return super().hits(script) and b'"b"' in bytes(script.parts[0].arguments)


def unlisted(tmp_path: Path) -> tuple[Site, Ran]:
    """A leg that ended with two unknown, and the second of them came from a list that looks otherwise by now."""
    site = Site(tmp_path, content=FakeContent([lamps_listed]))
    began: list[str] = []

    def on(host: str, name: str) -> None:
        began.append(name)
        site.lamps.done.append(f"on {host}/{name}")
        if (host, name) != ("EX2", "b"):  # that one takes its time
            site.lamps.on.add((host, name))

    def dark(host: str) -> dict[str, object]:
        return {"names": [name for name in "ab" if (host, name) not in site.lamps.on]}

    site.hosts.templates = {**site.hosts.templates, "lamp/darks.ps1.j2": dark, "lamp/on.ps1.j2": on}
    made = site.local().plan("lamps-listed", {"servers": ["EX1", "EX2"]}).plan
    looked, sent, probes = threading.Event(), threading.Event(), [0]

    def before(script: Script) -> None:
        if script.server.name == "EX1" and not script.parts:
            probes[0] += 1
            if probes[0] == 2:
                assert sent.wait(20)
            looked.set()
        elif script.parts[0].template == "lamp/darks.ps1.j2":
            assert looked.wait(20)
            assert probes[0] == 1
        elif script.mutates and b'"b"' in bytes(script.parts[0].arguments):
            sent.set()

    lost_here(site, "unreachable")
    site.hosts.fail(Later("begun", host="EX2", what="write"))
    ran = apply_through(site, before, made)
    assert sorted(words(ran)) == ["EX1/a unknown", "EX2/a changed", "EX2/b unknown", "EX2/first changed"]
    site.hosts.heal()
    return site, ran


def test_a_step_that_stands_elsewhere_in_the_next_leg_is_found_out_about_and_not_sent_again(tmp_path: Path) -> None:
    site, ran = unlisted(tmp_path)
    again = site.resume(ran.run)
    assert site.lamps.done.count("on EX2/b") == 1
    assert (again.exit, "EX2/b unknown" in words(again)) == (5, True)
    site.lamps.on.add(("EX2", "b"))
    last = site.resume(ran.run)
    assert last.exit == 0
    assert site.lamps.done.count("on EX2/b") == 1
    assert {holder for _, holder, _ in site.hosts.leases.values()} == {"-"}, "nothing is missing: others may have it"
    undone = site.local().undo(ran.run).plan
    assert [step.arguments["name"] for step in undone.steps] == ["b", "a", "first"] or undone.notes


def test_what_had_not_begun_is_not_sent_beside_a_part_that_has_failed(site: Site) -> None:
    made = site.plan("lamps-together", "EX1", "EX2").plan
    lost_here(site, "unreachable")
    ran = site.local().apply(made, approve=approval_of)
    assert sorted(words(ran)) == ["EX1/a unknown", "EX2/a changed", "EX2/b changed"]
    site.hosts.heal()
    site.hosts.receipts.clear()  # as if neither had ever come
    site.lamps.on -= {("EX1", "a"), ("EX2", "b")}
    site.lamps.broken.add(("EX1", "a"))
    refused, done = threading.Event(), list(site.lamps.done)

    def before(script: Script) -> None:
        if script.server.name == "EX1" and script.parts and script.parts[0].template == "lamp/read.ps1.j2":
            refused.set()
        elif script.server.name == "EX2" and script.parts and b'"b"' in bytes(script.parts[0].arguments):
            assert refused.wait(20)
            threading.Event().wait(0.3)  # until the engine has heard of it

    local = through(site, before)
    again: Ran = within(30, lambda: local.resume(ran.run, approve=approval_of))
    assert site.lamps.done == done
    assert "EX2/b refused" in words(again)
    site.lamps.broken.clear()
    assert site.resume(ran.run).exit == 0


def test_what_the_next_leg_did_not_come_to_keeps_the_lease_and_is_not_undone_around(tmp_path: Path) -> None:
    """EX1 turns out to be broken, which is a refusal; what EX2 had begun before is as unknown as it was."""
    site, ran = unlisted(tmp_path)
    site.hosts.templates = {**site.hosts.templates, "lamp/darks.ps1.j2": lambda _: {"names": []}}
    site.hosts.receipts.clear()  # EX1 never began it
    site.lamps.on.discard(("EX1", "a"))
    site.lamps.broken.add(("EX1", "a"))
    again = site.resume(ran.run)
    assert (again.exit, again.state) == (5, "unknown")
    assert all(not holder.startswith("-") for _, holder, _ in site.hosts.leases.values())
    with pytest.raises(NotSafe, match="EX2"):
        site.local().undo(ran.run)
    assert unknown_steps(read_journal(site.folder, ran.run))[0].host == "EX2"


def test_who_has_lost_the_lease_meanwhile_still_finds_out_what_it_had_sent(site: Site) -> None:
    made = site.plan("lamps-each", "EX1", "EX2").plan
    lost_here(site, "unreachable")
    ran = site.local().apply(made, approve=approval_of)
    assert sorted(words(ran)) == ["EX1/a unknown", "EX2/a changed", "EX2/b changed"]
    site.hosts.heal()
    for key in site.hosts.leases:
        site.hosts.leases[key] = (9, OTHERS, "{}")
    again = site.resume(ran.run)
    assert again.exit == 75
    assert sorted(words(again)) == ["EX1/a changed", "EX1/b refused", "EX2/a changed", "EX2/b changed"]


def test_what_was_sent_so_long_ago_that_its_receipt_is_gone_is_not_sent_again(site: Site) -> None:
    site.lamps.stuck = True
    made = site.plan("lamps-on", "EX1").plan
    lost_here(site, "unreachable")
    ran = site.local().apply(made, approve=approval_of)
    site.hosts.heal()
    site.clock.wait_until(site.clock.now() + timedelta(days=91))
    site.hosts.receipts.clear()
    with pytest.raises(PlanIsStale, match="91 days"):
        site.resume(ran.run)
    assert site.lamps.done == ["on EX1/a"]


def test_an_unknown_is_not_hidden_behind_a_refusal_and_keeps_the_lease(site: Site) -> None:
    made = site.plan("lamps-each", "EX1", "EX2", names=["a"]).plan
    lost_here(site, "unreachable")
    site.hosts.fail(FakeFault("leased", host="EX2", what="write", times=-1))
    ran = site.local().apply(made, approve=approval_of)
    assert sorted(words(ran)) == ["EX1/a unknown", "EX2/a refused"]
    assert (ran.state, ran.exit) == ("unknown", 5)
    assert all(holder != "-" for _, holder, _ in site.hosts.leases.values())


class Cleared(Through):
    """Somebody has cleared the folder where the host keeps receipts and lease."""

    def run(self, batch: Sequence[Script], /) -> Iterator[Answer]:
        for script in batch:
            if script.parts:
                yield from self.site.hosts.run([script])
            else:
                lost = {"id": script.operation, "state": "lost", "begin": None, "end": None}
                yield Answer(id=script.id, output=report(script.server.name, script.nonce, receipts=[lost]))


def test_a_host_that_has_lost_its_receipts_proves_nothing(site: Site) -> None:
    site.lamps.stuck = True
    made = site.plan("lamps-on", "EX1").plan
    site.hosts.fail(FakeFault("lost-after", what="write"))
    local = site.local()
    local.transport = Cleared(site, None)
    ran = local.apply(made, approve=approval_of)
    assert words(ran) == ["EX1/a unknown"]
    assert ran.error is not None
    assert "lost what it kept" in ran.error.uncertain[0]
    assert site.lamps.done == ["on EX1/a"]


# -- law 6 at the last moment ------------------------------------------------------------------------------------------


def test_a_host_that_goes_quiet_while_another_is_asked_for_patience_stops_that_one_too(site: Site) -> None:
    made = site.plan("lamps-together", "EX1", "EX2", names=["a"]).plan
    quiet, asked = threading.Event(), threading.Event()

    def before(script: Script) -> None:
        if script.mutates and script.server.name == "EX1":
            assert asked.wait(20)
            quiet.set()
        elif script.mutates:
            asked.set()

    site.hosts.fail(FakeFault("throttled", host="EX2", what="write"))
    site.hosts.fail(FakeFault("unreachable", host="EX1", what="write"))
    wait_until = site.clock.wait_until

    def patient(when: Any, /) -> None:
        assert quiet.wait(20)
        threading.Event().wait(0.2)  # until the engine has heard of it
        wait_until(when)

    site.clock.wait_until = patient  # type: ignore[method-assign]
    ran = apply_through(site, before, made)
    assert sorted(words(ran)) == ["EX1/a unreachable", "EX2/a refused"]
    assert site.lamps.done == []
    site.hosts.heal()
    site.clock.wait_until = wait_until  # type: ignore[method-assign]
    assert site.resume(ran.run).exit == 0


class Ahead(SystemClock):
    """Real time, some of it skipped."""

    def __init__(self) -> None:
        self.skipped = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.skipped


def test_the_lease_is_kept_while_a_single_script_runs_for_long(site: Site) -> None:
    clock = Ahead()
    renewed = threading.Event()

    def before(script: Script) -> None:
        if script.mutates:
            clock.skipped += timedelta(seconds=700)
            assert renewed.wait(20), "nobody keeps the lease"
        elif script.parts[0].template == "lease/renew":
            renewed.set()

    local = through(site, before)
    local.clock = clock
    made = local.plan("lamps-on", {"servers": ["EX1"], "names": ["a"]}).plan
    assert within(30, lambda: local.apply(made, approve=approval_of)).state == "done"


class Garbled(Through):
    """EX2 answers a renewal with something that no lease is."""

    def run(self, batch: Sequence[Script], /) -> Iterator[Answer]:
        for script in batch:
            for answer in super().run([script]):
                if script.server.name != "EX2" or not script.parts or script.parts[0].template != "lease/renew":
                    yield answer
                else:
                    part = {"id": "lease", "ok": True, "facts": {"state": "mine", "token": "many"}}
                    yield Answer(id=script.id, output=report("EX2", script.nonce, parts=[part]))


def test_a_host_that_answers_a_renewal_with_nonsense_does_not_end_the_run(site: Site) -> None:
    clock = Ahead()
    renewed = threading.Event()

    def before(script: Script) -> None:
        if script.mutates:
            clock.skipped += timedelta(seconds=700)
            assert renewed.wait(20)
        elif script.parts[0].template == "lease/renew" and script.server.name == "EX2":
            renewed.set()

    local = site.local()
    local.transport, local.clock = Garbled(site, before), clock
    made = local.plan("lamps-on", {"servers": ["EX1"], "names": ["a", "b"]}).plan
    assert within(30, lambda: local.apply(made, approve=approval_of)).state == "done"


# -- those who watch ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trouble", [BrokenPipeError("nobody reads"), UnicodeEncodeError("cp1252", "é", 0, 1, "no")])
def test_a_screen_that_is_gone_does_not_end_the_run_in_the_middle_of_a_step(site: Site, trouble: Exception) -> None:
    heard: list[object] = []

    def tell(told: Told) -> None:
        heard.append(told.event)
        if isinstance(told.event, StepSent):
            raise trouble

    made = site.plan("lamps-on", "EX1").plan
    site.tell = tell  # type: ignore[method-assign]
    assert site.local().apply(made, approve=approval_of).state == "done"
    assert isinstance(heard[-1], StepSent), "it is told nothing more"
    assert site.lamps.done == ["on EX1/a", "on EX1/b"]


def test_a_screen_that_is_gone_keeps_nobody_from_resuming(site: Site) -> None:
    made = site.plan("lamps-on", "EX1").plan
    site.hosts.fail(FakeFault("unreachable", what="write", times=-1))
    ran = site.local().apply(made, approve=approval_of)
    assert ran.exit == 6
    site.hosts.heal()

    def tell(_: Told) -> None:
        raise BrokenPipeError("nobody reads")

    site.tell = tell  # type: ignore[method-assign] # a sink is told by this name
    assert site.resume(ran.run).exit == 0


def test_time_that_fails_while_a_step_is_under_way_leaves_that_step_unknown(site: Site) -> None:
    made = site.plan("lamps-on", "EX1").plan
    site.hosts.fail(FakeFault("throttled", what="write"))

    def gone(_: object, /) -> None:
        raise ConnectFailed("the lab's clock does not answer")

    site.clock.wait_until = gone  # type: ignore[method-assign]
    with pytest.raises(OutcomeUnknown, match="clock") as caught:
        site.local().apply(made, approve=approval_of)
    assert caught.value.uncertain == ("step 1 on EX1: a off -> on",)


# -- power ------------------------------------------------------------------------------------------------------------


def test_plans_and_signed_heads_are_on_the_disk_and_put_there_as_windows_wants_it(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")
    down: dict[int, bool] = {}
    good = os.fsync

    def synced(handle: int) -> None:
        if stat.S_ISREG((seen := os.fstat(handle)).st_mode):
            down[seen.st_ino] = fcntl.fcntl(handle, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY
        good(handle)

    monkeypatch.setattr(os, "fsync", synced)
    local = site.local()
    local.sign = lambda _: b"a signature"
    made = local.plan("lamps-on", {"servers": ["EX1"]})
    plan = site.folder / "plans" / f"{made.plan.id}.json"
    signed = site.folder / "index" / f"{made.run}.signed"
    assert down[plan.stat().st_ino]
    assert down[signed.stat().st_ino]
    assert all(down.values()), "Windows puts down only what was opened for writing"


# -- somebody looks while it is written --------------------------------------------------------------------------------


def test_a_journal_that_is_being_written_is_read_and_audited_as_what_it_is(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process writes between any two readings of ours."""
    ran = site.run("lamps-on", "EX1", names=["a"])
    at, ends = site.clock.now(), 0
    with Journal.create(site.folder, "00000000") as journal:
        begun = site.entries(ran.run)[0].body
        assert isinstance(begun, Begun)
        journal.append(at, msgspec.structs.replace(begun, run=journal.run, former=journal.former))
        good = Path.read_bytes, Path.read_text

        def more() -> None:
            nonlocal ends
            if ends < 400:
                ends += 1
                journal.append(at, Answered(number=ends, digest="x", answer=Ok()))

        def read_bytes(path: Path) -> bytes:
            more()
            data = good[0](path)
            more()
            return data

        def read_text(path: Path, *words: Any) -> str:
            text = good[1](path, *words)
            if ends % 3 == 0:  # else a head would never be the same twice
                more()
            return text

        monkeypatch.setattr(Path, "read_bytes", read_bytes)
        monkeypatch.setattr(Path, "read_text", read_text)
        for _ in range(5):
            assert read_journal(site.folder, journal.run)
        assert [one.says for one in check_folder(site.folder).findings if not one.harmless] == []
    assert ends > 20

"""The local driver: plans and runs kept in files, events, approvals, stops, deadlines, secrets, time."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from core_hand import ESTATE, NODES, Lamps, approval_of, lit
from core_site import BOOKS, Site

import starover
from starover import BadParameter, NotSafe, PlanIsStale
from starover.drivers.local import Local, Why
from starover.effects import Facts
from starover.events import Answered, Asked, Progress, RunBegan, RunEnded, StepBegan, StepEnded, StepSent, Stopping
from starover.journal import Answered as Heard
from starover.journal import Begun, Sent, Stopped, read_journal, resolve, run_ids
from starover.testing import FakeContent, FakeFault, FakeTransport, ManualClock
from starover.transport import Answer, Script


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_a_plan_is_saved_under_its_id_and_found_by_four_digits(site: Site) -> None:
    made = site.plan("lamps-on", "EX1").plan
    assert (site.folder / "plans" / f"{made.id}.json").is_file()
    for text in (made.id, made.id[:4], made.digest, made.id.upper()):
        assert site.local().load(text) == made
    for wrong in ("abc", "zzzz", "0000000", ""):
        with pytest.raises(BadParameter):
            site.local().load(wrong)


def test_ids_that_mean_several_are_refused_and_named() -> None:
    known = ["5e1b9f03.1", "5e1b9f03.2", "5e1baaaa.1"]
    assert resolve("5e1b9f03.2", known, "run") == "5e1b9f03.2"
    assert resolve("5e1ba", known, "run") == "5e1baaaa.1"
    with pytest.raises(BadParameter, match="means 3 runs"):
        resolve("5e1b", known, "run")


def test_a_run_has_its_plans_id_and_a_counter(site: Site) -> None:
    made = site.plan("lamps-on", "EX1").plan
    runs = [site.local().apply(made.id[:5], approve=approval_of).run for _ in range(3)]
    assert runs == [f"{made.id}.{n}" for n in (1, 2, 3)]
    assert set(runs) < set(run_ids(site.folder))


def test_the_first_line_says_who_why_and_with_what(site: Site) -> None:
    made = site.plan("lamps-on", "EX1", names=["a"]).plan
    ran = site.local("oncall-b", ticket="INC1234", reason="dark").apply(made, approve=approval_of)
    begun = site.entries(ran.run)[0].body
    assert isinstance(begun, Begun)
    assert (begun.who, begun.ticket, begun.reason) == ("oncall-b", "INC1234", "dark")
    assert (begun.content, begun.version, begun.estate) == (site.content.sha256, starover.__version__, "unit")
    assert begun.parameters == {"servers": ["EX1"], "names": ["a"]}
    assert begun.plan == made


def test_every_script_is_in_the_journal_before_it_is_sent(site: Site) -> None:
    early: list[str] = []

    class Watching(FakeTransport):
        def run(self, batch: Sequence[Script], /) -> Iterator[Answer]:
            for script in batch:
                journals = [read_journal(site.folder, run) for run in run_ids(site.folder)]
                texts = {one.body.script for entries in journals for one in entries if isinstance(one.body, Sent)}
                if script.text not in texts:
                    early.append(script.id)
            return super().run(batch)

    site.hosts = Watching(site.lamps.hosts().templates)
    ran = site.run("lamps-together", "EX1", "EX2")
    assert ran.exit == 0
    assert early == []
    sent = [one.body for one in site.entries(ran.run) if isinstance(one.body, Sent)]
    import hashlib

    assert all(one.sha256 == hashlib.sha256(one.script.encode()).hexdigest() for one in sent)
    assert [part.template for one in sent if one.what == "write" for part in one.parts] == ["lamp/on.ps1.j2"] * 4


def test_events_tell_the_story(site: Site) -> None:
    site.run("lamps-on", "EX1", names=["a"])
    kinds = [type(told.event) for told in site.told]
    order = [RunBegan, Asked, Answered, StepBegan, Asked, StepSent, Answered, StepEnded, RunEnded]
    rest = iter(kinds)
    assert all(kind in rest for kind in order)
    assert {told.run for told in site.told} == set(run_ids(site.folder))
    assert all(msgspec.json.encode(told) for told in site.told)


def test_nobody_approves_nothing_is_begun(site: Site) -> None:
    made = site.plan("lamps-on", "EX1").plan
    ran = site.local().apply(made)
    assert (ran.state, ran.exit, ran.changed) == ("refused", 4, 0)
    assert site.hosts.writes == []


def test_a_blocked_plan_is_saved_shown_and_refused(site: Site) -> None:
    site.lamps.broken.add(("EX1", "b"))
    planned = site.plan("lamps-on", "EX1")
    assert planned.exit == 4
    assert [step.mark for step in planned.plan.steps] == ["~", "!"]
    with pytest.raises(NotSafe, match="G-BULB"):
        site.local().apply(planned.plan, approve=approval_of)
    assert site.lamps.done == []


def test_other_content_or_another_estate_is_refused_before_anything(site: Site) -> None:
    made = site.plan("lamps-on", "EX1").plan
    site.content = FakeContent(BOOKS, sha256="1" * 64)
    with pytest.raises(PlanIsStale):
        site.local().apply(made, approve=approval_of)
    other = Local(
        estate=msgspec.structs.replace(ESTATE, name="prod"),
        content=FakeContent(BOOKS),
        transport=site.hosts,
        clock=site.clock,
        folder=site.folder,
        why=Why(who="x"),
    )
    with pytest.raises(BadParameter, match="for the estate unit"):
        other.apply(made, approve=approval_of)


def test_time_comes_from_the_clock_that_was_handed_in(site: Site) -> None:
    start = site.clock.now()
    site.lamps.stuck = True
    site.clock.after(17, lambda: site.lamps.on.add(("EX1", "a")))
    ran = site.run("lamps-on", "EX1", names=["a"])
    assert ran.exit == 0
    assert site.clock.now() == start + timedelta(seconds=20)  # a reading every 5 s
    entries = site.entries(ran.run)
    assert entries[0].at == start
    assert entries[-1].at == start + timedelta(seconds=20)
    polls = [one.body for one in entries if isinstance(one.body, Heard) and one.body.readings]
    assert [one.readings for one in polls] == [5]
    assert [one.seconds for one in site.events(Progress)] == [0, 5, 10, 15]


def test_scripts_sent_side_by_side_are_announced_together(site: Site) -> None:
    site.run("lamps-together", "EX1", "EX2", "EX3", names=["a"])
    announced = site.clock.announced
    assert announced.count(3) == 2  # the readings of the plan, and those of the run
    assert sum(announced) == len(site.hosts.asked) + len(site.hosts.lease_scripts)  # every script, those of waits too
    assert 0 in announced  # after an answer that nothing follows, that is said as well


def test_a_host_that_is_slow_does_not_hold_up_the_others(site: Site) -> None:
    others = threading.Event()

    class Slow(FakeTransport):
        def run(self, batch: Sequence[Script], /) -> Iterator[Answer]:
            late = [script for script in batch if script.server.name == "EX1"]
            yield from super().run([script for script in batch if script not in late])
            for script in late:
                if script.mutates:
                    assert others.wait(30)
                yield from super().run([script])

    def last(host: str, name: str) -> None:
        site.lamps.switch_on(host, name)
        if (host, name) == ("EX2", "c"):
            others.set()

    site.hosts = Slow({**site.lamps.hosts().templates, "lamp/on.ps1.j2": last})
    ran = site.run("lamps-together", "EX1", "EX2", names=["a", "b", "c"])
    assert ran.exit == 0
    assert site.lamps.done.index("on EX2/c") < site.lamps.done.index("on EX1/a")


def test_a_host_runs_one_script_at_a_time_and_no_deadline_runs_before(site: Site) -> None:
    busy: set[str] = set()
    clashes: list[str] = []

    class Counting(FakeTransport):
        def run(self, batch: Sequence[Script], /) -> Iterator[Answer]:
            hosts = [script.server.name for script in batch]
            clashes.extend(host for host in hosts if host in busy or hosts.count(host) > 1)
            busy.update(hosts)
            for answer in super().run(batch):
                busy.discard(hosts.pop(0))
                yield answer

    site.hosts = Counting(site.lamps.hosts().templates)
    ran = site.run("lamps-together", "EX1", "EX1", "EX1", "EX2", names=["a", "b"])
    assert ran.exit == 0
    assert clashes == []


# -- stopping ----------------------------------------------------------------------------------------------------------


class Stopper(FakeTransport):
    """Presses Ctrl-C while a script is under way."""

    def __init__(self, lamps: Lamps, when: str, times: int) -> None:
        super().__init__(lamps.hosts().templates)
        self.when, self.times = when, times
        self.local: Local | None = None
        self.go_on = threading.Event()

    def run(self, batch: Sequence[Script], /) -> Iterator[Answer]:
        for script in batch:
            if self.when in [part.template for part in script.parts] and self.local is not None:
                for _ in range(self.times):
                    self.local.stop()
                self.local = None
                if self.times > 1:
                    self.go_on.wait(30)
            yield from super().run([script])


def test_ctrl_c_once_ends_after_the_step_and_can_be_resumed(site: Site) -> None:
    site.hosts = hosts = Stopper(site.lamps, "lamp/on.ps1.j2", 1)
    made = site.plan("lamps-on", "EX1", names=["a", "b", "c"]).plan
    hosts.local = local = site.local()
    ran = local.apply(made, approve=approval_of)
    assert (ran.state, ran.exit, ran.changed, ran.resumable) == ("stopped", 1, 1, True)
    assert ran.under_way == ()
    assert [one.state for one in ran.steps] == ["changed"]  # verified as well
    assert [one.when for one in site.events(Stopping)] == ["after-step"]
    again = site.resume(ran.run)
    assert (again.state, again.changed) == ("done", 3)
    assert site.lamps.done == ["on EX1/a", "on EX1/b", "on EX1/c"]


def test_ctrl_c_while_only_reading_ends_at_once(site: Site) -> None:
    site.hosts = hosts = Stopper(site.lamps, "lamp/read.ps1.j2", 1)
    made = site.plan("lamps-on", "EX1").plan
    hosts.local = local = site.local()
    ran = local.apply(made, approve=approval_of)
    assert (ran.state, ran.exit, ran.changed) == ("stopped", 1, 0)
    assert site.lamps.done == []
    assert site.resume(ran.run).state == "done"


def test_ctrl_c_twice_ends_now_and_names_what_is_unknown(site: Site) -> None:
    site.hosts = hosts = Stopper(site.lamps, "lamp/on.ps1.j2", 2)
    made = site.plan("lamps-together", "EX1", "EX2", names=["a"]).plan
    hosts.local = local = site.local()
    ran = local.apply(made, approve=approval_of)
    assert (ran.state, ran.exit, ran.resumable) == ("stopped", 130, True)
    said = "(nothing here can end its script there)"
    assert sorted(ran.under_way) == [f"step 1 on EX1: a off -> on {said}", f"step 2 on EX2: a off -> on {said}"]
    last = site.entries(ran.run)[-1].body
    assert isinstance(last, Stopped)
    assert last.now
    hosts.go_on.set()
    again = site.resume(ran.run)
    assert again.exit == 0
    assert sorted(site.lamps.done) == ["on EX1/a", "on EX2/a"]


def test_ctrl_c_with_parts_side_by_side_ends_all_that_was_begun(site: Site) -> None:
    site.hosts = hosts = Stopper(site.lamps, "lamp/on.ps1.j2", 1)
    made = site.plan("lamps-together", "EX1", "EX2", "EX3").plan
    hosts.local = local = site.local()
    ran = local.apply(made, approve=approval_of)
    assert ran.state == "stopped"
    assert ran.under_way == ()
    assert all(one.state == "changed" for one in ran.steps)
    assert site.resume(ran.run).changed == 6
    assert len(site.lamps.done) == len(set(site.lamps.done)) == 6


def test_stopping_a_plan_leaves_no_plan(site: Site) -> None:
    site.hosts = hosts = Stopper(site.lamps, "lamp/read.ps1.j2", 1)
    hosts.local = local = site.local()
    with pytest.raises(starover.StaroverError, match="stopped before the plan"):
        local.plan("lamps-on", {"servers": ["EX1"]})
    assert list((site.folder / "plans").glob("*")) == []


# -- what must not leak, and what must not break -----------------------------------------------------------------------


def test_secrets_are_in_no_file_and_no_event(tmp_path: Path) -> None:
    secret = 'hunter"2\\ß'
    site = Site(tmp_path)

    def leaky(host: str, name: str) -> dict[str, object]:
        return {"lit": False, "broken": False, "left": 0} if name == "a" else {"lit": True}

    def angry(host: str, name: str) -> None:
        from starover.testing import PowerShellError

        raise PowerShellError(f"cannot log on with {secret}")

    def colour(host: str) -> dict[str, object]:
        return {"colour": f"the password is {secret}"}

    templates = {"lamp/read.ps1.j2": leaky, "lamp/on.ps1.j2": angry, "lamp/colour.ps1.j2": colour}
    site.hosts = FakeTransport(templates)
    site.hosts.carried = [secret]
    ran = site.run("lamps-on", "EX1")
    assert ran.exit == 1
    texts = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    texts += msgspec.json.encode(site.told)
    for form in (secret.encode(), msgspec.json.encode(secret)[1:-1], b"hunter"):
        assert form not in texts
    assert b"(hidden)" in texts
    assert ran.error is not None
    assert "hunter" not in ran.error.what


def test_text_under_a_telling_key_is_masked_without_being_known(site: Site) -> None:
    from starover.redact import Redactor

    masked = Redactor().reaction(
        Facts(results={"q1": msgspec.Raw(b'{"adminPassword":"geheim","clientSecret": "x\\"y","user":"me"}')})
    )
    assert isinstance(masked, Facts)
    assert bytes(masked.results["q1"]) == b'{"adminPassword":"(hidden)","clientSecret": "(hidden)","user":"me"}'


def test_a_transport_that_breaks_leaves_the_step_unknown(site: Site) -> None:
    class Breaks(FakeTransport):
        def run(self, batch: Sequence[Script], /) -> Iterator[Answer]:
            if batch[0].mutates or not batch[0].parts:
                raise RuntimeError("oops")
            return super().run(batch)

    site.hosts = Breaks(site.lamps.hosts().templates)
    ran = site.run("lamps-on", "EX1")
    assert ran.exit == 5
    assert ran.under_way


def test_a_bug_in_a_step_kind_is_an_error_with_a_sentence(site: Site) -> None:
    kind: Any = lit
    good = kind.function
    made = site.plan("lamps-on", "EX1").plan
    calls: list[object] = []

    def bad(now: Any, *, name: str) -> Any:
        calls.append(now)
        if len(calls) > 1:
            raise KeyError("oops")
        return good(now, name=name)

    kind.function = bad
    try:
        ran = site.local().apply(made, approve=approval_of)
    finally:
        kind.function = good
    assert ran.exit == 5
    assert ran.error is not None
    assert "oops" in ran.error.what


def test_two_processes_that_apply_at_once_get_two_numbers(site: Site) -> None:
    made = site.plan("lamps-on", "EX1").plan
    barrier = threading.Barrier(4)
    runs: list[str] = []

    def one() -> None:
        local = Local(
            estate=ESTATE,
            content=site.content,
            transport=FakeTransport(Lamps().hosts().templates),
            clock=ManualClock(),
            folder=site.folder,
            why=Why(who="x"),
        )
        barrier.wait()
        runs.append(local.apply(made, approve=approval_of).run)

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(runs) == [f"{made.id}.{n}" for n in (1, 2, 3, 4)]


def test_a_planning_that_fails_is_in_the_journal(site: Site) -> None:
    site.hosts.fail(FakeFault("auth", times=-1))
    with pytest.raises(starover.AuthFailed):
        site.plan("lamps-on", "EX1")
    (run,) = run_ids(site.folder)
    end = site.events(RunEnded)[-1]
    assert (end.state, end.exit) == ("unreachable", 6)
    assert read_journal(site.folder, run)
    assert list((site.folder / "plans").glob("*")) == []


def test_beyond_the_frontier_a_run_goes_on_as_declared(site: Site) -> None:
    planned = site.plan("lamps-looking", "EX1", "EX2").plan
    assert [step.host for step in planned.steps] == ["EX1"]
    assert planned.beyond.kinds == ("lit",)
    assert planned.beyond.targets == ("EX1", "EX2")
    ran = site.local().apply(planned, approve=approval_of)
    assert ran.exit == 0
    assert site.lamps.done == ["on EX1/a", "on EX2/a"]


def test_what_an_earlier_run_found_is_remembered(site: Site) -> None:
    assert site.plan("lamps-memory", "EX1").plan.nothing
    site.run("lamps-on", "EX1", names=["a"])
    assert [step.what for step in site.plan("lamps-memory", "EX1").plan.changes] == ["was-False"]
    assert site.plan("lamps-memory", "EX2").plan.nothing


def test_hosts_of_the_estate_only(site: Site) -> None:
    with pytest.raises(BadParameter, match="no server `EX9`"):
        site.plan("lamps-on", "EX9")
    assert NODES[0].name == "EX1"

"""Servers patched on the lab's own sessions: verdicts on what goes wrong, what stays out, what is not touched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from crash_points import PAIR
from inner_lab import InnerLab

from starover.content import find
from starover.drivers.local import Ran
from starover.errors import BadParameter, NotSafe, NotVerified, StaroverError
from starover.runbook import Findings
from starover.steps.rolling_updates import PatchReport

CONTENT = find()
HOST, MATE = "ExchangeNode1", "ExchangeNode2"
SMALL = f"""
name: small{PAIR}updates:
  - name: KB5044411
    title: 2026-11 Cumulative Update for Microsoft server operating system (KB5044411)
    servers: [ExchangeNode1]
    size_mb: 10
    install: 2m
    reboot: always
  - {{name: KB5043080, title: 2026-11 Security Update (KB5043080), servers: [ExchangeNode1], size_mb: 10, install: 1m}}
  - {{name: KB5066366, title: Security Update For Exchange Server (KB5066366), servers: [ExchangeNode1], size_mb: 10}}
  - {{name: KB5044400, installed_days: 30}}
  - {{name: KB5043070, installed_days: 30}}
"""


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[InnerLab]:
    topology = tmp_path / "small.yaml"
    topology.write_text(SMALL, "utf-8")
    with InnerLab(topology, tmp_path, CONTENT) as made:
        yield made


def kinds(ran: Ran) -> list[str]:
    return [step.kind for step in ran.steps if step.state == "changed"]


def node(lab: InnerLab, name: str) -> str:
    return lab.do(lambda world: next(one.state for one in world.nodes(MATE) if one.name == name))


def events(lab: InnerLab, kind: str) -> list[Any]:
    return lab.do(lambda world: [one for one in world.state.log.events if one.kind == kind])


def says(ran: Ran) -> list[tuple[str, str]]:
    assert isinstance(ran.value, Findings)
    return [(one.check, one.says) for one in ran.value.findings]


def test_a_member_is_patched_and_comes_back_and_then_nothing_is_done(lab: InnerLab) -> None:
    ran = lab.run("windows-update", server=HOST)
    assert ran.exit == 0, ran.error
    assert {"installing", "rebooted", "node_resumed"} <= set(kinds(ran))
    assert isinstance(ran.value, PatchReport)
    assert ran.value.verdict == f"{HOST}: KB5044411, KB5043080 installed in 1 round."
    assert node(lab, HOST) == "Up"
    offered = lab.do(lambda world: [one.kb for one in world.updates.offered(HOST)])
    assert offered == ["KB5066366"], "Exchange's own update has a procedure of its own"
    installers = {one.data["user"] for one in events(lab, "task_registered")}
    assert installers == {"SYSTEM"}, "and where a network logon may search, only installing needs a task"
    assert lab.do(lambda world: list(world.server(HOST).scheduled_tasks)) == [], "nothing of ours is left"
    assert not lab.do(lambda world: world.server(HOST).files.exists("C:\\ProgramData\\Starover\\updates"))
    writes = sum(script.mutates for script in lab.transport.sent)
    again = lab.run("windows-update", server=HOST)
    assert (again.state, kinds(again)) == ("nothing", [])
    assert any("excluded" in text for _, text in says(again))
    assert sum(script.mutates for script in lab.transport.sent) == writes


@pytest.mark.parametrize(
    ("fault", "target", "knobs", "word", "rounds"),
    [
        ("update_hang", "KB5044411", {}, "hung", 1),
        ("update_fail", "KB5044411", {"hresult": "0x80070070"}, "failing", 1),
        ("update_loops", "KB5044411", {}, "looping", 2),
    ],
)
def test_in_doubt_it_stays_out_of_service(
    lab: InnerLab, fault: str, target: str, knobs: dict[str, str], word: str, rounds: int
) -> None:
    lab.do(lambda world: world.fault(fault, target, **knobs))
    ran = lab.run("windows-update", server=HOST, max_rounds=2)
    assert isinstance(ran.error, NotVerified)
    assert ran.error.what.startswith(f"{word}: {HOST}")
    assert target in ran.error.what
    assert any("stays out of service" in line for line in ran.error.certain)
    assert kinds(ran).count("installing") == rounds
    assert node(lab, HOST) == "Paused"
    assert not lab.do(lambda world: world.updates.busy(HOST)), "a worker that hangs is stopped"
    assert (word == "hung") == ("rebooted" not in kinds(ran) and word == "hung"), "what hangs is not restarted by us"
    assert lab.do(lambda world: world.invariants.violations) == []


def test_a_script_of_the_agent_installs_where_run_command_is_the_only_road(tmp_path: Path) -> None:
    """S-WU-INSTALL, the SSM way: no task at all; one that hangs is told by its last sign of life."""
    topology = tmp_path / "small.yaml"
    topology.write_text(SMALL, "utf-8")
    with InnerLab(topology, tmp_path, CONTENT, roads=("ssm",)) as lab:
        lab.do(lambda world: world.fault("update_hang", "KB5044411"))
        ran = lab.run("windows-update", server=HOST)
        assert isinstance(ran.error, NotVerified)
        assert ran.error.what.startswith(f"hung: {HOST} hangs: installing KB5044411")
        assert "installing_here" in kinds(ran)
        assert events(lab, "task_registered") == []
        assert node(lab, HOST) == "Paused"
        with pytest.raises(BadParameter, match="patch baseline"):
            lab.local().plan("windows-update", {"server": HOST, "method": "patch-baseline", "include": ["KB5044411"]})


def test_a_patch_baseline_installs_and_our_own_search_judges(lab: InnerLab) -> None:
    lab.do(lambda world: world.fault("update_fail", "KB5044411"))
    ran = lab.run("windows-update", server=HOST, method="patch-baseline", max_rounds=1)
    assert isinstance(ran.error, NotVerified)
    assert "KB5044411: Patch Manager calls it Failed" in ran.error.what
    assert "KB5043080" not in ran.error.what
    assert node(lab, HOST) == "Paused"
    assert events(lab, "host_off") == [], "AWS restarts nobody"


def test_more_updates_after_the_first_ones_take_a_second_round(lab: InnerLab) -> None:
    lab.do(lambda world: world.fault("update_needs_second_round", HOST))
    ran = lab.run("windows-update", server=HOST, max_rounds=1)
    assert isinstance(ran.error, NotVerified)
    assert ran.error.what.startswith("second-round: ")
    assert node(lab, HOST) == "Paused"
    more = lab.run("windows-update", server=HOST)
    assert more.exit == 0, more.error
    assert "hub_drained" not in kinds(more), "it was out of service already"
    assert node(lab, HOST) == "Up"


def test_a_failed_update_need_not_keep_it_out(lab: InnerLab) -> None:
    lab.do(lambda world: world.fault("update_fail", "KB5043080"))
    ran = lab.run("windows-update", server=HOST, return_on_failure=True)
    assert isinstance(ran.error, NotVerified)
    assert any("back in service, by --return-on-failure" in line for line in ran.error.certain)
    assert node(lab, HOST) == "Up"


def test_a_host_that_does_not_come_back(lab: InnerLab) -> None:
    lab.do(lambda world: world.fault("reboot_never_returns", HOST))
    ran = lab.run("windows-update", server=HOST)
    assert ran.exit == 5
    assert ran.error is not None
    assert any("told to restart" in line for line in ran.error.certain)
    assert any("host-event" in line for line in ran.error.next)
    assert "node_resumed" not in kinds(ran)


def test_an_update_of_exchange_that_broke_off_is_repaired_as_far_as_that_goes(lab: InnerLab) -> None:
    lab.run("maintenance-start", server=HOST)
    lab.do(lambda world: world.fault("su_failed", HOST))
    ran = lab.run("windows-update", server=MATE)
    assert ran.state == "nothing", "nothing is wanted there"
    half = lab.run("update-repair", server=HOST)
    assert isinstance(half.error, NotVerified)
    assert half.error.what.startswith("half-repaired: ")
    assert "Setup.exe" in half.error.next[0]
    assert kinds(half) == ["start_types_restored", "rebooted"]
    starts = lab.do(lambda world: {one.name: one.start_type for one in world.server(HOST).services})
    peers = lab.do(lambda world: {one.name: one.start_type for one in world.server(MATE).services})
    assert starts == peers
    with pytest.raises(NotVerified):
        lab.plan("update-repair", server=HOST)
    assert node(lab, HOST) == "Paused"
    lab.do(lambda world: world.mend())  # a person has run Setup to its end
    whole = lab.run("update-repair", server=HOST)
    assert whole.exit == 0, whole.error
    assert node(lab, HOST) == "Up"
    assert lab.run("update-repair", server=HOST).state == "nothing"


def test_a_rolling_run_stops_at_the_first_doubt_and_goes_on_from_there(lab: InnerLab) -> None:
    lab.do(lambda world: world.fault("update_fail", "KB5044411"))
    ran = lab.run("rolling-windows-update", pause="0s")
    assert isinstance(ran.error, NotVerified)
    assert any("nobody was patched in this run" in line for line in ran.error.certain)
    assert any("redundancy: never fewer than" in line for line in ran.error.certain)
    assert any("rolling-windows-update" in line for line in ran.error.next)
    lab.do(lambda world: world.mend())
    on = lab.run("rolling-windows-update", pause="0s")
    assert on.exit == 0, on.error
    assert ("order", "out of service already") in says(on)
    assert any(check == "redundancy" and "never fewer than" in text for check, text in says(on))
    active = lab.do(lambda world: {one.name: one.active for one in world.state.databases})
    assert active == {"DB1": HOST, "DB2": MATE}


def test_nobody_is_begun_while_the_dag_is_not_well_or_the_guards_say_no(lab: InnerLab) -> None:
    lab.do(lambda world: world.fault("witness_down", "FileServer3"))
    lab.later(300)
    with pytest.raises(StaroverError) as caught:
        lab.plan("windows-update", server=HOST)
    assert isinstance(caught.value, NotSafe)
    assert "G-WITNESS" in caught.value.what


def test_what_does_not_fit_is_refused_before_anything_is_contacted(lab: InnerLab) -> None:
    for book, wrong in (
        ("windows-update", {"server": HOST, "method": "ssm-script"}),
        ("windows-update", {"server": HOST, "include": ["5044411"]}),
        ("windows-update", {"server": HOST, "exclude": ["("]}),
        ("windows-update", {"server": "FileServer3"}),
        ("rolling-windows-update", {"order": "ExchangeNode1,ExchangeNode1"}),
        ("rolling-windows-update", {"pause": "5h"}),
        ("rolling-windows-update", {"max_failures": 3}),
        ("disk-relief", {"server": HOST, "size": 10}),
    ):
        with pytest.raises(BadParameter):
            lab.plan(book, wrong)
    assert lab.transport.sent == []

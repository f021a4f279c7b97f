"""Maintenance, moves and restarts on the lab's own sessions: what is done, what is put back, what is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from inner_lab import InnerLab

from starover.content import find
from starover.drivers.local import Ran
from starover.errors import BadParameter, NotSafe, OutsideWindow, StaroverError
from starover.runbook import Findings
from starover.transport import Answer, Script

CONTENT = find()


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[InnerLab]:
    with InnerLab("pa-4x2", tmp_path, CONTENT) as made:
        yield made


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InnerLab]:
    """For what only plans."""
    with InnerLab("pa-4x2", tmp_path_factory.mktemp("calm"), CONTENT) as made:
        yield made


def kinds(ran: Ran) -> list[str]:
    return [step.kind for step in ran.steps if step.state == "changed"]


def server_state(lab: InnerLab, name: str) -> dict[str, Any]:
    """All of a member that maintenance touches and must bring back."""

    def look(world: Any) -> dict[str, Any]:
        host = world.state.servers[name]
        exchange = host.exchange
        return {
            "policy": exchange.activation_policy,
            "move_now": exchange.activation_disabled_and_move_now,
            "components": {
                one.name: state for one, state in world.components(name, name) if one.name != "HighAvailability"
            },
            "node": next(node.state for node in world.nodes(name) if node.name == name),
            "starts": {one.name: one.start_type for one in host.services},
            "barred": {
                f"{database.name}/{name}": (copy.activation_suspended, copy.comment)
                for database in world.state.databases
                if (copy := database.copies.get(name)) is not None
            },
        }

    return lab.do(look)


def active(lab: InnerLab) -> dict[str, str]:
    return lab.do(lambda world: {one.name: one.active for one in world.state.databases})


def refusal(lab: InnerLab, book: str, **parameters: Any) -> StaroverError:
    with pytest.raises(StaroverError) as caught:
        lab.plan(book, **parameters)
    return caught.value


# -- out and back ------------------------------------------------------------------------------------------------------


def test_out_of_service_and_back_exactly_as_it_was(lab: InnerLab) -> None:
    before = server_state(lab, "EX1")
    assert before["barred"]["DB04/EX1"][0], "the lagged copy there is barred from activation"
    ran = lab.run("maintenance-start", server="EX1", redirect_to="EX2")
    assert ran.exit == 0, ran.error
    out = server_state(lab, "EX1")
    assert active(lab)["DB01"] == "EX3"
    assert (out["policy"], out["node"], out["move_now"]) == ("Blocked", "Paused", True)
    on = {name for name, state in out["components"].items() if state == "Active"}
    assert on == {"Monitoring", "RecoveryActionsEnabled"}
    assert lab.do(lambda world: world.cluster("EX2").core_owner) != "EX1"
    assert lab.plan("maintenance-start", server="EX1").plan.nothing

    assert "G-SINGLE" in refusal(lab, "maintenance-start", server="EX2").what

    ran = lab.run("maintenance-stop", server="EX1")
    assert ran.exit == 0, ran.error
    assert server_state(lab, "EX1") == before
    assert lab.plan("maintenance-stop", server="EX1").plan.nothing
    assert lab.do(lambda world: world.invariants.violations) == []


def test_undo_of_a_start_is_a_stop(lab: InnerLab) -> None:
    before = server_state(lab, "EX3")
    ran = lab.run("maintenance-start", server="EX3")
    assert ran.exit == 0, ran.error
    undone = lab.apply(lab.local().undo(ran.run).plan)
    assert undone.exit == 0, undone.error
    lab.later(60)
    assert server_state(lab, "EX3") == before


def test_a_policy_that_was_not_the_usual_one_comes_back_and_databases_when_asked(lab: InnerLab) -> None:
    assert lab.run("activation-policy", servers=["EX1"], policy="IntrasiteOnly").exit == 0
    assert lab.run("maintenance-start", server="EX1").exit == 0
    assert active(lab)["DB01"] != "EX1"
    ran = lab.run("maintenance-stop", server="EX1", rebalance=True)
    assert ran.exit == 0, ran.error
    assert server_state(lab, "EX1")["policy"] == "IntrasiteOnly"
    assert active(lab)["DB01"] == "EX1"


def test_somebody_wiped_the_activation_blocks_meanwhile(lab: InnerLab) -> None:
    assert lab.run("maintenance-start", server="EX1").exit == 0
    lab.do(lambda world: world.resume_copy("DB04", "EX1", "EX1"))
    assert not server_state(lab, "EX1")["barred"]["DB04/EX1"][0]
    assert lab.run("maintenance-stop", server="EX1").exit == 0
    assert server_state(lab, "EX1")["barred"]["DB04/EX1"][0]


def test_without_the_journal_nobody_guesses_the_policy(lab: InnerLab, tmp_path: Path) -> None:
    assert lab.run("maintenance-start", server="EX1").exit == 0
    lab.folder = tmp_path / "another machine"
    error = refusal(lab, "maintenance-stop", server="EX1")
    assert "nobody knows which activation policy EX1 had" in error.what
    assert any("activation-policy --servers EX1" in line for line in error.next)


@pytest.mark.parametrize("cmdlet", ["Suspend-ClusterNode", "ServerWideOffline"])
def test_a_failure_on_the_way_puts_back_all_but_the_databases(lab: InnerLab, cmdlet: str) -> None:
    before = server_state(lab, "EX1")
    plan = lab.plan("maintenance-start", server="EX1").plan
    spoil(lab, cmdlet)
    ran = lab.apply(plan)
    assert ran.exit == 1, ran.error
    lab.later(120)
    assert server_state(lab, "EX1") == before


def test_what_could_not_be_put_back_is_named_and_who_brings_it_back(lab: InnerLab) -> None:
    before = server_state(lab, "EX1")
    plan = lab.plan("maintenance-start", server="EX1").plan
    spoil(lab, "Suspend-ClusterNode")
    lab.transport.accident = silent_from("component/restore_hub.ps1.j2")
    ran = lab.apply(plan)
    lab.transport.accident = lambda _script: None
    assert ran.exit == 6, ran.error
    assert ran.error is not None
    assert ran.error.uncertain[-1].endswith("on EX1: hub_restored, target_registered")
    assert "Suspend-ClusterNode" in str(ran.error.certain), "and why it was put back at all"
    assert "maintenance-stop --server EX1" in ran.error.next[0]
    assert server_state(lab, "EX1") != before
    assert lab.run("maintenance-stop", server="EX1").exit == 0
    lab.later(120)
    assert server_state(lab, "EX1") == before


def silent_from(template: str) -> Callable[[Script], str | None]:
    """Nothing arrives anywhere from the first change of this kind on."""
    gone = False

    def silent(script: Script) -> str | None:
        nonlocal gone
        gone = gone or (script.mutates and script.parts[0].template == template)
        return "before" if gone else None

    return silent


def spoil(lab: InnerLab, words: str) -> None:
    """The first write with these words fails in PowerShell."""
    original = lab.transport.run
    left = [1]

    def run(batch: Sequence[Script], /) -> Iterator[Answer]:
        made = list(batch)
        for at, script in enumerate(made):
            if left and script.mutates and words in script.text:
                left.pop()
                made[at] = dataclasses.replace(script, text=script.text.replace(words, f"{words}X"))
        return original(made)

    lab.transport.run = run  # type: ignore[method-assign]


def test_after_an_unknown_outcome_nothing_is_put_back(lab: InnerLab) -> None:
    plan = lab.plan("maintenance-start", server="EX1").plan
    lab.transport.accident = silent_from("node/pause.ps1.j2")
    ran = lab.apply(plan)
    assert ran.exit in (5, 6)
    lab.transport.accident = lambda _script: None
    assert server_state(lab, "EX1")["policy"] == "Blocked"
    ran = lab.resume(ran.run)
    assert ran.exit == 0, ran.error
    assert server_state(lab, "EX1")["node"] == "Paused"


def test_what_a_dead_run_left_is_brought_back_and_what_others_left_is_named(lab: InnerLab) -> None:
    before = server_state(lab, "EX1")
    plan = lab.plan("maintenance-start", server="EX1").plan
    lab.transport.accident = silent_from("node/pause.ps1.j2")
    assert lab.apply(plan).exit in (5, 6)
    lab.transport.accident = lambda _script: None
    lab.do(lambda world: world.suspend_node("EX4", "EX4"))
    with pytest.raises(BadParameter, match="no such run here"):
        lab.plan("maintenance-cleanup", run_id="0000aaaa.1")
    with pytest.raises(BadParameter, match="id of a run"):
        lab.plan("maintenance-cleanup", run_id="the last one")
    named = lab.plan("maintenance-cleanup", run_id=f"{plan.id}.1").plan
    assert named.changes == lab.plan("maintenance-cleanup").plan.changes
    ran = lab.run("maintenance-cleanup", run_id=plan.id[:6])
    assert ran.exit == 0, ran.error
    assert server_state(lab, "EX1") == before
    assert server_state(lab, "EX4")["node"] == "Paused"
    assert lab.plan("maintenance-cleanup", run_id=plan.id[:6]).plan.nothing
    left = lab.plan("maintenance-cleanup")
    assert left.plan.nothing
    assert isinstance(left.value, Findings)
    assert [(one.on, one.says) for one in left.value.findings] == [
        ("EX4", "node Paused; no run of ours here has done it")
    ]


# -- what is refused ---------------------------------------------------------------------------------------------------


def test_who_is_no_member_or_the_server_itself(calm: InnerLab) -> None:
    assert isinstance(refusal(calm, "maintenance-start", server="FSW3"), BadParameter)
    assert isinstance(refusal(calm, "maintenance-start", server="EX1", redirect_to="EX1"), BadParameter)
    assert isinstance(refusal(calm, "maintenance-start", server="EX1", redirect_to="FSW3"), NotSafe)


def test_windows(calm: InnerLab, monkeypatch: pytest.MonkeyPatch) -> None:
    dag, now = calm.estate.dags[0], calm.clock.now()
    closed = f"{now:%a} {(now.hour + 2) % 24:02}:00-{(now.hour + 3) % 24:02}:00"
    estate = msgspec.structs.replace(calm.estate, dags=(msgspec.structs.replace(dag, windows=(closed,)),))
    monkeypatch.setattr(calm, "estate", estate)
    error = refusal(calm, "maintenance-start", server="EX1")
    assert isinstance(error, OutsideWindow)
    assert error.exit == 75
    assert any("passed: G-SETUP G-SINGLE G-WITNESS G-QUORUM G-COPIES G-SEED" in line for line in error.certain)
    assert calm.plan("maintenance-start", server="EX1", now=True).plan.changes


def test_min_copies(calm: InnerLab) -> None:
    assert "G-COPIES" in refusal(calm, "maintenance-start", server="EX1", min_copies=3).what


# -- restarts ----------------------------------------------------------------------------------------------------------


def test_a_member_is_restarted_and_back_as_it_was(lab: InnerLab) -> None:
    before = server_state(lab, "EX2")
    booted = lab.do(lambda world: world.state.servers["EX2"].boot_time)
    ran = lab.run("server-reboot", server="EX2")
    assert ran.exit == 0, ran.error
    assert kinds(ran).count("rebooted") == 1
    assert lab.do(lambda world: world.state.servers["EX2"].boot_time) > booted
    lab.later(60)
    assert server_state(lab, "EX2") == before
    assert lab.do(lambda world: world.invariants.violations) == []


def test_services_are_restarted_with_what_each_needs(lab: InnerLab) -> None:
    for service, wanted in (
        ("MSExchangeIS", ["moved", "service_restarted"]),
        ("msexchangerepl", ["service_restarted"]),
        ("W3SVC", ["service_restarted"]),
    ):
        ran = lab.run("service-restart", server="EX1", service=service)
        assert ran.exit == 0, ran.error
        assert kinds(ran) == wanted
        lab.later(120)
    assert lab.do(lambda world: world.invariants.violations) == []


def test_the_cluster_service_is_not_stopped_under_an_active_database(calm: InnerLab) -> None:
    error = refusal(calm, "service-restart", server="EX1", service="ClusSvc")
    assert any("DB01 is active on EX1 and would fail over" in line for line in error.certain)
    assert "WinRM" in refusal(calm, "service-restart", server="EX1", service="WinRM").what
    assert "no service" in refusal(calm, "service-restart", server="EX1", service="Nonsense").what


# -- moves -------------------------------------------------------------------------------------------------------------


def test_a_lagged_copy_is_no_target_and_the_best_one_is_found(calm: InnerLab) -> None:
    planned = calm.plan("db-switchover", db=["DB01"], to="EX4")
    assert planned.exit == 4
    blocked = planned.plan.blocked[0].blocked
    assert blocked is not None
    assert blocked.guard == "G-LAG"
    best = calm.plan("db-switchover", db=["DB01"]).plan.changes[0].change
    assert best is not None
    assert best.wanted == "active on EX3"
    assert "DB01 will go back to EX1 within 1 h (G-REBAL)" in best.note


def test_all_off_a_server_and_back_to_where_they_belong(lab: InnerLab) -> None:
    home = active(lab)
    assert lab.run("server-switchover", server="EX3").exit == 0
    assert "EX3" not in active(lab).values()
    assert lab.plan("server-switchover", server="EX3").plan.nothing
    lab.later(120)
    assert lab.run("redistribute").exit == 0
    assert active(lab) == home
    assert lab.plan("redistribute").plan.nothing


def test_the_primary_active_manager_moves_to_a_node_that_is_up(lab: InnerLab) -> None:
    owner = lab.do(lambda world: world.cluster("EX1").core_owner)
    ran = lab.run("pam-move")
    assert ran.exit == 0, ran.error
    now = lab.do(lambda world: world.cluster("EX1").core_owner)
    assert now != owner
    assert lab.plan("pam-move", to=now).plan.nothing
    lab.do(lambda world: world.suspend_node("EX4", "EX4"))
    planned = lab.plan("pam-move", to="EX4")
    assert planned.exit == 4


def test_freezing_the_rebalance_holds_until_it_is_undone(lab: InnerLab) -> None:
    ran = lab.run("db-switchover", db=["DB01"], to="EX3", hold="freeze")
    assert ran.exit == 0, ran.error
    lab.later(3700)
    assert active(lab)["DB01"] == "EX3"
    assert lab.apply(lab.local().undo(ran.run).plan).exit == 0
    assert active(lab)["DB01"] == "EX1"

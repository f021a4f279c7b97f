"""After one side was given up: who is out on purpose stops nobody, who is merely silent stops everything (law 6)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from inner_lab import InnerLab
from starover_cli.look import dag_map
from starover_cli.views.dag_map import judge

from starover.errors import ConnectFailed, NotSafe
from starover.runbook import Findings
from starover.steps.dag import DagFacts
from starover.steps.out_on_purpose import no_node
from starover.values import Plain


def _zone_lost(lab: InnerLab, book: dict[str, Plain]) -> None:
    lab.later(3600)
    lab.do(lambda world: world.fault("az_loss", "1a"))
    lab.later(120)
    ran = lab.run("force-quorum", book)
    assert ran.exit == 0, ran.error


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InnerLab]:
    """S21 after its force: EX1 and EX2 on the Stopped list, EX3 and EX4 with the alternate witness."""
    with InnerLab("pa-4x2-fsw1", tmp_path_factory.mktemp("stopped")) as lab:
        _zone_lost(lab, {"lost_site": ["AZ1"], "surviving_site": "AZ2", "witness": "alternate"})
        yield lab


@pytest.mark.parametrize(
    ("book", "given", "says"),
    [
        ("db-switchover", {"db": ["DB03"], "to": "EX4", "hold": "freeze"}, "freezing DAG1 is not safe now (G-SETDAG)"),
        ("dag-networks", {"network": ["A=10.0.0.0/16:mapi"], "compression": "Enabled"}, "not safe now (G-SETDAG)"),
        ("db-switchover", {"db": ["DB01"], "to": "EX1"}, "moving DB01 to EX1 is not safe now (G-SINGLE)"),
        ("maintenance-start", {"server": "EX4", "redirect_to": "EX3", "now": True}, "not safe now (G-COPIES)"),
        ("copies-suspend", {"server": "EX1", "mode": "full", "db": ["DB01"]}, "EX1 is out of the DAG on purpose"),
        ("server-switchover", {"server": "EX2"}, "EX2 is out of the DAG on purpose: on the DAG's Stopped list"),
    ],
)
def test_guards_speak_and_not_the_dead_members(
    stopped: InnerLab, book: str, given: dict[str, Plain], says: str
) -> None:
    with pytest.raises(NotSafe) as refusal:
        stopped.plan(book, given)
    assert says in refusal.value.what


def test_what_the_survivors_can_do_is_planned(stopped: InnerLab) -> None:
    moved = stopped.plan("db-switchover", {"db": ["DB04"], "to": "EX3", "now": True}).plan
    assert [one.kind for one in moved.changes] == ["moved"]
    assert [one.kind for one in stopped.plan("pam-move").plan.changes] == ["owner_moved"]
    assert stopped.plan("redistribute").plan.complete
    assert stopped.plan("dac-mode").plan.nothing, "DC1 is asked of nobody"
    assert stopped.plan("rolling-windows-update", now=True).plan.complete, "the witness in use, not the dead one"


def test_a_setting_that_would_turn_dac_off_is_refused(stopped: InnerLab) -> None:
    (step,) = [one for one in stopped.plan("dac-mode", off=True).plan.steps if one.blocked is not None]
    assert step.blocked is not None
    assert "a datacenter is stopped (EX1, EX2)" in step.blocked.why


def test_every_look_says_who_is_out(stopped: InnerLab) -> None:
    said: dict[str, list[tuple[str, str]]] = {}
    for book in ("health-report", "quorum-report", "client-check"):
        value = stopped.plan(book).value
        assert isinstance(value, Findings)
        said[book] = [(one.on, one.level) for one in value.findings if "out on purpose" in one.says]
        assert not [one for one in value.findings if one.level == "unknown" and one.on in ("EX1", "EX2")], book
    assert said["health-report"] == said["quorum-report"] == [("EX1", "warn"), ("EX2", "warn")]
    assert said["client-check"] == [("EX1", "info"), ("EX2", "info")]
    facts = stopped.plan("dag-status").value
    assert isinstance(facts, DagFacts)
    drawn = dag_map(facts, stopped.estate, stopped.estate.dags[0], stopped.clock.now())
    assert {one.server for one in drawn.silent} == {"DC1", "FSW1"}
    assert "Out on purpose: EX1, EX2 (on the DAG's Stopped list); back by failback only." in judge(drawn)


def test_an_evicted_member_is_out_too(tmp_path: Path) -> None:
    with InnerLab("aws-2az-nodac", tmp_path) as lab:
        _zone_lost(lab, {"lost_server": ["ExchangeNode1"]})
        with pytest.raises(NotSafe) as refusal:
            lab.plan("db-switchover", {"db": ["DB2"], "to": "ExchangeNode2", "hold": "freeze"})
        assert "G-SETDAG: a recovery is open (evicted from the cluster: ExchangeNode1)" in refusal.value.certain[0]
        lab.do(lambda world: world.fault("aws_error", "describe_instances", code="UnauthorizedOperation"))
        report = lab.plan("health-report").value
        assert "evicted from the cluster by a run of ours" in str(report), "its journal tells where EC2 does not"


def test_a_member_that_should_be_there_and_is_silent_stops_everything(tmp_path: Path) -> None:
    with InnerLab("pa-4x2", tmp_path) as lab:
        lab.do(lambda world: world.fault("winrm_silent", "EX1"))
        with pytest.raises(ConnectFailed, match="EX1"):
            lab.plan("pam-move")


def test_a_fence_counts_before_anything_is_forced(tmp_path: Path) -> None:
    with InnerLab("pa-4x2", tmp_path) as lab:
        lab.do(lambda world: world.fault("winrm_silent", "EX1"))
        tag: Plain = {"Key": "dag-fenced", "Value": "DAG1"}
        told = {"Resources": ["i-0ex1"], "Tags": [tag]}
        lab.do(lambda _: lab.transport.cloud.answer("ec2", "create_tags", told))
        assert lab.plan("pam-move", to="EX3").plan.complete
        with pytest.raises(NotSafe, match="EX1 is out of the DAG on purpose: fenced"):
            lab.plan("server-switchover", server="EX1")


def test_silence_and_a_missing_node_prove_no_eviction(tmp_path: Path) -> None:
    """A member that is in the DAG and not in the cluster may as well be one whose join broke off (law 6)."""
    with InnerLab("pa-4x2", tmp_path) as lab:
        lab.do(lambda world: world.cluster_tasks.evict("EX1", "EX4"))
        lab.later(60)
        lab.do(lambda world: world.fault("winrm_silent", "EX4"))
        with pytest.raises(ConnectFailed, match="EX4"):
            lab.plan("pam-move", to="EX3")
        assert "out on purpose" not in str(lab.plan("health-report").value)
        lab.do(lambda _: lab.transport.cloud.answer("ec2", "stop_instances", {"InstanceIds": ["i-0ex4"]}))
        lab.later(300)
        assert lab.plan("pam-move", to="EX3").plan.complete
        with pytest.raises(NotSafe, match="no node of the cluster any more, and its instance is stopped"):
            lab.plan("server-switchover", server="EX4")


def test_who_is_missing_in_the_cluster() -> None:
    assert no_node("EX1", members=("EX1", "EX2"), nodes=("EX2",))
    assert not no_node("EX2", members=("EX1", "EX2"), nodes=("EX2",))
    assert not no_node("EX3", members=("EX1", "EX2"), nodes=("EX2",)), "no member either"
    assert not no_node("EX1", members=("EX1",), nodes=None), "nobody could read the cluster"

"""force-quorum on the lab without wires: what it needs, what it does, what it leaves; a second run is nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from inner_lab import InnerLab

from starover.drivers.local import Planned, Ran
from starover.errors import NotSafe, StaroverError
from starover.plan import Plan
from starover.step import Risk
from starover.steps.witness_write import WitnessWrite, written_to
from starover.transport import Script
from starover.values import Plain

TWO: dict[str, Plain] = {"lost_server": ["ExchangeNode1"]}
FOUR: dict[str, Plain] = {"lost_site": ["AZ1"], "surviving_site": "AZ2", "witness": "alternate"}


@contextmanager
def night(folder: Path, topology: str | Path, *, zone: str = "1a", wait: float = 120, **how: Any) -> Iterator[InnerLab]:
    """An hour of mail, then a zone is lost."""
    with InnerLab(topology, folder) as lab:
        lab.later(3600)
        lab.do(lambda world: world.fault("az_loss", zone, **how))
        lab.later(wait)
        yield lab


def behind(folder: Path, logs: int, topology: str = "aws-2az-nodac") -> Path:
    """The topology with copies that lack so many logs at any moment (six a minute, each notified at once)."""
    file = folder / f"behind{logs}.yaml"
    file.write_text(f'name: behind\nextends: {topology}\ntuning: {{ship_latency_s: "{10 * logs}"}}\n', "utf-8")
    return file


def databases(lab: InnerLab) -> dict[str, str]:
    """Where each one is mounted; empty: nowhere."""
    every = lab.do(lambda world: [(one.name, one.active, one.state) for one in world.state.databases])
    return {name: server if state == "Mounted" else "" for name, server, state in every}


def broken(lab: InnerLab) -> list[object]:
    return [one["id"] for one in lab.do(lambda world: world.violations())]


def kinds(planned: Planned | Plan) -> list[str]:
    plan = planned.plan if isinstance(planned, Planned) else planned
    return [one.kind for one in plan.changes]


def refused(ran: Ran) -> StaroverError:
    assert ran.exit == 4
    assert isinstance(ran.error, NotSafe)
    return ran.error


# -- without DAC -------------------------------------------------------------------------------------------------------


def test_the_default_deployment_gets_its_mail_back_and_a_second_run_changes_nothing(tmp_path: Path) -> None:
    with night(tmp_path, behind(tmp_path, 3)) as lab:
        assert set(databases(lab).values()) == {""}
        planned = lab.plan("force-quorum", TWO)
        plan = planned.plan
        assert plan.complete, "everything is foreseen, although the cluster service is stopped"
        assert plan.risk is Risk.SPLIT
        forced = next(one for one in plan.changes if one.kind == "quorum_forced")
        assert forced.host == "ExchangeNode2"
        assert forced.change is not None
        assert "DB1 on ExchangeNode2: 3 logs known missing, last log 2026-11-20T14:59" in forced.change.note
        assert "mounts by itself" in forced.change.note
        order = kinds(planned)
        assert order.index("instance_tagged") < order.index("quorum_forced") < order.index("node_evicted")
        assert order.index("node_evicted") < order.index("majority_of_nodes") < order.index("mounted")

        ran = lab.apply(plan)
        assert ran.exit == 0, ran.error
        assert databases(lab) == {"DB1": "ExchangeNode2", "DB2": "ExchangeNode2"}
        lost = lab.do(lambda world: [event.data["lost"] for event in world.events if event.kind == "data_loss"])
        assert lost == [3]
        assert lab.do(lambda world: [one.source_servers for one in world.queues.connectors()]) == [("ExchangeNode2",)]
        assert broken(lab) == []
        again = lab.plan("force-quorum", TWO)
        assert again.plan.nothing


def test_what_loses_more_than_its_dial_stays_down_until_a_person_has_said_so(tmp_path: Path) -> None:
    with night(tmp_path, behind(tmp_path, 9)) as lab:
        planned = lab.plan("force-quorum", TWO)
        error = refused(lab.apply(planned.plan))
        assert "DB1 would lose 9 logs" in error.what
        assert databases(lab) == {"DB1": "", "DB2": "ExchangeNode2"}, "everything else is done"
        assert any("DB1=9" in line for line in error.next)

        with pytest.raises(NotSafe, match="9 logs, more than the dial allows \\(6\\), and 8 were accepted"):
            lab.plan("force-quorum", TWO, accept_data_loss=["DB1=8"])
        planned = lab.plan("force-quorum", TWO, accept_data_loss=["DB1=9"])
        assert kinds(planned) == ["mounted_with_loss"]
        assert planned.plan.risk is Risk.DATA
        assert planned.plan.changes[0].change is not None
        assert "may lose DB1=9" in planned.plan.changes[0].change.note
        assert lab.apply(planned.plan).exit == 0
        assert databases(lab)["DB1"] == "ExchangeNode2"
        assert broken(lab) == []


def test_where_nobody_can_count_only_the_word_unknown_is_accepted(tmp_path: Path) -> None:
    with InnerLab("aws-2az-nodac", tmp_path) as lab:
        lab.later(3600)
        lab.do(lambda world: world.fault("lastlog_stale", "DB1"))
        lab.do(lambda world: world.fault("az_loss", "1a"))
        lab.later(120)
        page = lab.plan("az-loss-assess").value
        assert {one.database: one.known for one in page.cost} == {"DB1": None, "DB2": 0}  # type: ignore[attr-defined]
        error = refused(lab.run("force-quorum", TWO))
        assert "nobody can count what DB1 would lose" in error.what
        with pytest.raises(NotSafe, match="nobody can count"):
            lab.plan("force-quorum", TWO, accept_data_loss=["DB1=100"])
        assert lab.run("force-quorum", TWO, accept_data_loss=["DB1=unknown"]).exit == 0
        assert databases(lab)["DB1"] == "ExchangeNode2"


def test_held_back_nothing_mounts_until_it_is_named(tmp_path: Path) -> None:
    with night(tmp_path, behind(tmp_path, 3)) as lab:
        planned = lab.plan("force-quorum", TWO, hold_mount=True)
        order = kinds(planned)
        assert order.index("policy_set") < order.index("quorum_forced")
        ran = lab.apply(planned.plan)
        assert ran.exit == 0, ran.error
        assert databases(lab) == {"DB1": "ExchangeNode2", "DB2": "ExchangeNode2"}
        losses = lab.do(lambda world: [event.data["decision"] for event in world.events if event.kind == "data_loss"])
        assert [one for one in losses if str(one).startswith("dial ")] == [], "nobody but us chose to lose them"
        assert broken(lab) == []


def test_a_stop_that_hangs_is_enough_when_the_checks_have_failed_for_five_minutes(tmp_path: Path) -> None:
    with night(tmp_path, "aws-2az-nodac", ec2="stuck", wait=400) as lab:
        ran = lab.run("force-quorum", TWO)
        assert ran.exit == 0, ran.error
        assert databases(lab) == {"DB1": "ExchangeNode2", "DB2": "ExchangeNode2"}
        assert broken(lab) == []


def test_without_a_word_of_ec2_nothing_is_forced(tmp_path: Path) -> None:
    with night(tmp_path, "aws-2az-nodac", ec2="api_down", wait=400) as lab:
        with pytest.raises(NotSafe, match="fenced at no level") as refusal:
            lab.plan("force-quorum", TWO)
        assert "quorum untouched, nothing forced, nothing mounted" in refusal.value.certain
        assert set(databases(lab).values()) == {""}


def test_a_dag_without_an_alternate_witness_gets_the_spare_one_that_answers(tmp_path: Path) -> None:
    file = tmp_path / "spare.yaml"
    file.write_text(
        "name: spare\nextends: pa-4x2-fsw1\ndags:\n  - {name: DAG1, members: [EX1, EX2, EX3, EX4], witness: FSW1, "
        "witness_directory: 'C:\\DAG', dac_mode: 'Off'}\n",
        "utf-8",
    )
    with night(tmp_path, file) as lab:
        lost = {"lost_server": ["EX1", "EX2"]}
        with pytest.raises(NotSafe, match="no alternate witness") as refusal:
            lab.plan("force-quorum", lost)
        assert any("--witness 'new:FSW2:C:" in line for line in refusal.value.next)
        page: Any = lab.plan("az-loss-assess").value
        assert page.parameters["witness"] == "new:FSW2:C:\\DAGFileShareWitnesses\\DAG1.example.com"
        ran = lab.run("force-quorum", {**page.parameters, "dag": "DAG1"})
        assert ran.exit == 0, ran.error
        used = lab.do(lambda world: {one.witness_server for one in world.state.clusters if len(one.nodes) == 2})
        assert used == {"FSW2"}
        assert broken(lab) == []
        assert lab.plan("force-quorum", {**page.parameters, "dag": "DAG1"}).plan.nothing
        assert lab.plan("force-quorum", lost).plan.nothing, "it is the DAG's own witness now"


def test_a_witness_that_does_not_answer_is_none_and_nothing_is_forced(tmp_path: Path) -> None:
    with night(tmp_path, "pa-4x2-fsw1") as lab:
        lost = {"lost_server": ["EX1", "EX2"]}
        lab.do(lambda world: world.power_off("FSW2", "power"))
        lab.later(120)
        with pytest.raises(NotSafe, match="no answer of the witness FSW2") as refusal:
            lab.plan("force-quorum", lost)
        assert "quorum untouched, nothing forced, nothing mounted" in refusal.value.certain
        (advice,) = refusal.value.next
        assert "--witness 'new:" in advice


def test_nobody_is_evicted_where_the_nodes_that_stay_would_have_no_witness(tmp_path: Path) -> None:
    with InnerLab("pa-4x2", tmp_path) as lab:
        for names in (("EX1", "EX2"), ("FSW2", "FSW3")):
            for name in names:
                lab.do(lambda world, name=name: world.power_off(name, "power"))
            lab.later(300)
        with pytest.raises(NotSafe, match="no answer of the witness FSW") as refusal:
            lab.plan("evict-nodes", lost_server=["EX1", "EX2"])
        assert any(line.startswith("starover run dag-witness-repair --dag DAG1") for line in refusal.value.next)


# -- with DAC ----------------------------------------------------------------------------------------------------------


def test_a_datacenter_is_switched_over_and_a_second_run_changes_nothing(tmp_path: Path) -> None:
    with night(tmp_path, "pa-4x2-fsw1") as lab:
        planned = lab.plan("force-quorum", FOUR)
        order = kinds(planned)
        assert order.index("instance_tagged") < order.index("side_stopped") < order.index("dag_restored")
        assert "quorum_forced" not in order
        assert order.index("written_to") < order.index("dag_restored")
        page: Any = lab.plan("az-loss-assess").value
        assert "not tested yet by a write" in page.proof[6].says
        ran = lab.apply(planned.plan)
        assert ran.exit == 0, ran.error
        assert databases(lab) == {"DB01": "EX3", "DB02": "EX4", "DB03": "EX3", "DB04": "EX4"}
        sent = lab.do(lambda world: [one.cmdlet for one in world.state.audit])
        assert "Set-DatabaseAvailabilityGroup" not in sent
        assert broken(lab) == []
        said = {(one.check, one.on) for one in ran.value.findings}  # type: ignore[union-attr]
        assert {("redundancy", "DB01"), ("preference", "DB01"), ("S-LOGSPACE", "EX3")} <= said, "looked at afterwards"
        assert not {one for one in said if one[0] in ("log on", "https 443")}, "clients can log on"
        again = lab.plan("force-quorum", FOUR)
        assert again.plan.nothing
        lab.do(lambda world: world.fault("service_crash", "EX3", service="W3SVC"))
        found: Any = lab.plan("force-quorum", FOUR).value
        assert ("https 443", "EX3 10.0.32.13", "fail") in {(one.check, one.on, one.level) for one in found.findings}
        lab.do(lambda world: world.mend(kind="service_crash"))
        page = lab.plan("az-loss-assess").value
        assert "alternate witness FSW2: EX3, EX4 wrote and read a file there at 2026-" in page.proof[6].says
        file = r"C:\DAGFileShareWitnesses\DAG1.example.com-starover-write-test.txt"
        assert lab.do(lambda world: world.server("FSW2").files.read(file)).startswith(b"starover: written by EX")


def test_who_cannot_write_on_the_witness_host_stops_the_run() -> None:
    problem = "Access is denied"
    now = WitnessWrite(name="EX3", utc="2026-11-20T15:00:00Z", file=r"\\fsw2\C$\x", written="", problem=problem)
    assert written_to.broken is not None
    refused = written_to.broken(now)
    assert refused is not None
    assert "EX3 cannot write on the witness host: Access is denied" in refused.why
    assert written_to(now, test_file=now.file) is not None


def test_without_an_alternate_witness_the_one_that_is_left_needs_another_one_named_first(tmp_path: Path) -> None:
    two = tmp_path / "two.yaml"
    two.write_text(
        "name: two\nextends: aws-2az-nodac\ndags:\n  - {name: DAG, members: [ExchangeNode1, ExchangeNode2], "
        "witness: FileServer, witness_directory: 'C:\\DAG', dac_mode: DagOnly}\n",
        "utf-8",
    )
    with night(tmp_path, two) as lab:
        with pytest.raises(NotSafe, match="no alternate witness") as refusal:
            lab.plan("force-quorum", TWO)
        assert "FileServer3 answers and may become it" in refusal.value.certain
        (advice,) = refusal.value.next
        ran = lab.apply(lab.plan("force-quorum", TWO, witness=advice.split("'")[1]).plan)
        assert ran.exit == 0, ran.error
        assert databases(lab) == {"DB1": "ExchangeNode2", "DB2": "ExchangeNode2"}
        assert broken(lab) == []
        assert lab.plan("force-quorum", TWO).plan.nothing


def test_a_mode_that_contradicts_the_dag_is_refused(tmp_path: Path) -> None:
    with night(tmp_path, "pa-4x2-fsw1") as lab:
        with pytest.raises(NotSafe, match="DatacenterActivationMode is DagOnly"):
            lab.plan("force-quorum", FOUR, mode="nodac")
        with pytest.raises(NotSafe, match="not proven stopped"):
            lab.plan("force-quorum", FOUR, mode="temporary")


def test_where_quorum_is_kept_nothing_is_forced(tmp_path: Path) -> None:
    with night(tmp_path, "pa-4x2", wait=900) as lab:
        with pytest.raises(NotSafe, match="answers `none`") as refusal:
            lab.plan("force-quorum", lost_site=["AZ1"])
        assert refusal.value.next == ("starover watch",)
        assert set(databases(lab).values()) == {"EX3", "EX4"}


# -- around it ---------------------------------------------------------------------------------------------------------


def test_assess_names_the_runbook_with_parameters_that_it_takes(tmp_path: Path) -> None:
    with night(tmp_path, "aws-2az-nodac") as lab:
        page: Any = lab.plan("az-loss-assess").value
        assert (page.answer, page.runbook, page.mail_down) == ("force-quorum", "force-quorum", True)
        assert [one.number for one in page.proof] == list(range(1, 12))
        assert "event 1177" in page.proof[0].says
        planned = lab.plan(page.runbook, page.parameters)
        assert "quorum_forced" in kinds(planned)


def test_a_node_that_runs_behind_a_broken_network_is_never_taken_for_lost(tmp_path: Path) -> None:
    with InnerLab("pa-4x2-fsw1", tmp_path) as lab:
        lab.later(3600)
        lab.do(lambda world: world.fault("az_isolated", "1a"))
        for name in ("EX1", "EX2", "FSW1", "DC1"):
            lab.do(lambda world, name=name: world.fault("winrm_silent", name))
        lab.later(400)
        page: Any = lab.plan("az-loss-assess").value
        assert (page.answer, page.runbook) == ("fence-first", "fence")
        with pytest.raises(NotSafe, match="answers `fence-first`"):
            lab.plan("force-quorum", FOUR)
        there = {"DB01": "EX1", "DB02": "EX2", "DB03": "", "DB04": ""}
        assert databases(lab) == there, "the other side serves all along"

        assert lab.run("fence", page.parameters).exit == 0
        error = refused(lab.run("force-quorum", FOUR))
        assert re.search(r"DB01 would lose [4-9]\d logs", error.what), "six a minute for seven minutes"
        assert "logs: 0 were known to be missing before there was quorum" in error.what
        stays = {"DB01": "", "DB02": "", "DB03": "EX3", "DB04": "EX4"}
        assert databases(lab) == stays, "seven minutes of mail were written where nobody here can look"
        flags = error.next[0].rpartition(" ")[2].split(",")
        ran = lab.run("force-quorum", FOUR, accept_data_loss=list(flags))
        assert ran.exit == 0, ran.error
        assert databases(lab) == {"DB01": "EX3", "DB02": "EX4", "DB03": "EX3", "DB04": "EX4"}
        assert broken(lab) == []


def test_what_a_whole_dag_leaves_down_when_it_restarts_without_one_member(tmp_path: Path) -> None:
    """Every DACP bit is 0, and one Started member is dead: it leaves the list, and everything mounts."""
    with InnerLab("pa-4x2", tmp_path) as lab:
        lab.later(3600)
        for name in ("EX1", "EX2", "EX3", "EX4"):
            lab.do(lambda world, name=name: world.power_off(name, "power"))
        lab.later(60)
        for name in ("EX2", "EX3", "EX4"):
            lab.do(lambda world, name=name: world.power_on(name, "power"))
        lab.later(1800)
        assert set(databases(lab).values()) == {""}
        page: Any = lab.plan("az-loss-assess").value
        assert page.answer in ("take-off-started-list", "fence-first", "start-nodes"), page.verdict


def test_what_may_be_lost_before_mail_stops(tmp_path: Path) -> None:
    with InnerLab("pa-4x2", tmp_path) as lab:
        report: Any = lab.plan("quorum-report").value
        assert (report.votes, report.total, report.margin) == (5, 5, 2)
        assert report.fatal == (), "no single loss, no pair and no zone"
        lost = lab.plan("quorum-report", lose=["az:1a", "witness"]).value
        assert [one.level for one in lost.findings][:1] == ["warn"]  # type: ignore[attr-defined]
    with InnerLab("aws-2az-nodac", tmp_path / "two") as lab:
        report = lab.plan("quorum-report").value
        assert len(report.fatal) == 2
        assert "stops it" in report.verdict


def test_nothing_is_mounted_twice_in_peace(tmp_path: Path) -> None:
    with InnerLab("pa-4x2", tmp_path) as lab:
        report: Any = lab.plan("split-brain-check", db=["DB01", "DB02"]).value
        assert report.doubled == ()
        assert [one.quorate for one in report.sides] == [True]
        assert {one.database for one in report.sides[0].mounted} == {"DB01", "DB02", "DB03", "DB04"}


def test_two_clusters_of_one_dag_are_no_case_for_any_runbook(tmp_path: Path) -> None:
    """Somebody has forced both sides by hand (S22 d)."""
    with InnerLab("pa-4x2-fsw1", tmp_path) as lab:
        lab.do(lambda world: world.fault("witness_down", "DAG1"))
        lab.later(60)
        lab.do(lambda world: world.fault("partition", "EX1,EX2,DC1|EX3,EX4,DC2"))
        lab.later(420)
        for name in ("EX1", "EX3"):
            lab.do(lambda world, name=name: world.cluster_tasks.start(name, name, force=True))
        lab.later(600)
        page: Any = lab.plan("az-loss-assess").value
        assert (page.answer, page.runbook) == ("split-brain-check", "split-brain-check")
        report: Any = lab.plan("split-brain-check", page.parameters).value
        assert report.doubled
        assert [one.quorate for one in report.sides if one.mounted] == [True, True]
        dismounting = lab.plan("split-brain-check", page.parameters, dismount=True).plan.changes
        assert {one.host for one in dismounting} <= {"EX1", "EX2"}, "EX3 was forced: whoever meets it follows it"
        for book, given in (
            ("force-quorum", FOUR),
            ("mount-databases", page.parameters),
            ("evict-nodes", {"lost_server": ["EX1", "EX2"]}),
        ):
            with pytest.raises(NotSafe):
                lab.plan(book, given)
        assert {"I1", "I2"} <= {str(one) for one in broken(lab)}


def test_who_may_run_apart_is_said_even_where_all_is_well(tmp_path: Path) -> None:
    with InnerLab("aws-2az-nodac", tmp_path) as lab:
        lab.later(3600)
        lab.do(lambda world: world.fault("az_isolated", "1a"))
        lab.later(300)
        lab.do(lambda world: world.cluster_tasks.start("ExchangeNode2", "ExchangeNode2", force=True))
        lab.later(600)
        page: Any = lab.plan("az-loss-assess").value
        assert page.answer == "none", "the other zone is silent, and this side serves"
        assert any("ExchangeNode1 runs apart" in line and "status checks ok" in line for line in page.uncertain)


def test_a_database_that_somebody_dismounted_is_mounted_by_name(tmp_path: Path) -> None:
    with InnerLab("pa-4x2", tmp_path) as lab:
        lab.later(3600)
        lab.do(lambda world: world.dismount("DB01", "EX1"))
        lab.later(60)
        page: Any = lab.plan("az-loss-assess").value
        assert (page.answer, page.parameters) == ("mount-databases", {"db": ["DB01"]})
        ran = lab.run("mount-databases", page.parameters)
        assert ran.exit == 0, ran.error
        assert databases(lab)["DB01"] == "EX1"
        assert lab.plan("mount-databases", page.parameters).plan.nothing
        assert broken(lab) == []


def test_a_force_whose_answer_is_lost_is_looked_for_and_never_sent_again(tmp_path: Path) -> None:
    with night(tmp_path, "aws-2az-nodac") as lab:
        planned = lab.plan("force-quorum", TWO)
        struck: list[str] = []

        def accident(script: Script) -> str | None:
            mine = script.mutates and script.parts[0].template == "recovery/force.ps1.j2"
            if not mine or struck:
                return None
            struck.append(script.operation)
            return "after"

        lab.transport.accident = accident
        ran = lab.apply(planned.plan)
        assert struck, "the answer of the force was lost"
        assert ran.exit == 0, ran.error
        assert lab.transport.ran[struck[0]] == 1
        sent = [one for one in lab.transport.sent if one.parts and one.parts[0].template == "recovery/force.ps1.j2"]
        assert len(sent) == 1
        assert databases(lab) == {"DB1": "ExchangeNode2", "DB2": "ExchangeNode2"}
        assert broken(lab) == []


def test_lost_servers_leave_the_dag_only_when_nothing_there_may_be_needed(tmp_path: Path) -> None:
    with night(tmp_path, behind(tmp_path, 9)) as lab:
        kept = lab.plan("force-quorum", TWO, remove_from_dag=True)
        assert "member_dropped" not in kinds(kept), "DB1 waits for a person, and its newest logs are there"
        accepted = ["DB1=9"]
        planned = lab.plan("force-quorum", TWO, remove_from_dag=True, accept_data_loss=accepted)
        assert kinds(planned).count("lost_copy_removed") == 2
        ran = lab.apply(planned.plan)
        assert ran.exit == 0, ran.error
        assert lab.do(lambda world: world.dag("DAG", "ExchangeNode2").members) == ("ExchangeNode2",)
        assert broken(lab) == []
        assert lab.plan("force-quorum", TWO, remove_from_dag=True, accept_data_loss=accepted).plan.nothing


def test_what_somebody_forced_by_hand_is_put_in_order(tmp_path: Path) -> None:
    with night(tmp_path, "aws-2az-nodac") as lab:
        lab.do(lambda world: world.cluster_tasks.start("ExchangeNode2", "ExchangeNode2", force=True))
        lab.later(600)
        ran = lab.run("evict-nodes", lost_server=["ExchangeNode1"])
        assert ran.exit == 0, ran.error
        nodes = lab.do(lambda world: [one.name for one in world.nodes("ExchangeNode2")])
        assert nodes == ["ExchangeNode2"]
        assert lab.plan("evict-nodes", lost_server=["ExchangeNode1"]).plan.nothing
        assert broken(lab) == []

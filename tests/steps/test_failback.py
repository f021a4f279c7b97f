"""failback on the lab without wires: S23 with its variants, the way without DAC after S20, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from dag_facts import status
from inner_lab import InnerLab
from placements import place

from starover.changes import Blocked, Change
from starover.drivers.local import Ran
from starover.errors import CmdletFailed, NotSafe, OutsideWindow
from starover.step import Risk
from starover.steps.dag import Node
from starover.steps.dag_object import ClusterView, Resource
from starover.steps.disaster import Machine, ServiceState
from starover.steps.failback_dag import ComingBack, recovery_held, side_started, witness_home
from starover.steps.failback_hosts import cluster_kept_off
from starover.steps.failback_side import skewed
from starover.steps.resync import giver_of
from starover.transport import Script
from starover.values import Plain

FORCE: dict[str, Plain] = {"lost_site": ["AZ1"], "surviving_site": "AZ2", "witness": "alternate"}
BACK: dict[str, Plain] = {"site": "AZ1", "when": "now"}


@contextmanager
def morning(folder: Path, topology: str, logs: int = 0, **force: Any) -> Iterator[InnerLab]:
    """A zone was lost and is there again: quorum was forced with so many logs lost, and an hour has passed."""
    file = folder / "morning.yaml"
    tuning = 'seed_mb_per_s_same_az: "2000", seed_mb_per_s_cross_az: "2000", snapshot_mb_per_s: "2000"'
    tuning += f', ship_latency_s: "{10 * logs}"' if logs else ""
    file.write_text(f"name: morning\nextends: {topology}\ntuning: {{{tuning}}}\n", "utf-8")
    with InnerLab(file, folder) as lab:
        lab.later(3600)
        lab.do(lambda world: world.fault("az_loss", "1a"))
        lab.later(120)
        ran = lab.run("force-quorum", **(force or FORCE))
        assert ran.exit == 0, ran.error
        lab.do(lambda world: world.fault("az_return", "1a"))
        lab.later(3600)
        yield lab


def mounted(lab: InnerLab) -> dict[str, str]:
    every = lab.do(lambda world: [(one.name, one.active, one.state) for one in world.state.databases])
    return {name: server if state == "Mounted" else "" for name, server, state in every}


def broken(lab: InnerLab) -> list[object]:
    return [one["id"] for one in lab.do(lambda world: world.violations())]


def asked_first(lab: InnerLab, server: str) -> str:
    """The DNS server that a host asks first."""
    return next(nic.dns_servers[0] for nic in lab.world.server(server).nics if nic.dns_servers)


def changed(ran: Ran) -> list[tuple[str, str]]:
    return [(one.kind, one.host) for one in ran.steps if one.state == "changed"]


def at(lab: InnerLab, kind: str, subject: str) -> Any:
    """When something happened last."""
    return max(one.time for one in lab.world.events if (one.kind, one.subject) == (kind, subject))


# -- with DAC ----------------------------------------------------------------------------------------------------------


def test_a_site_comes_back_and_a_second_run_changes_nothing(tmp_path: Path) -> None:
    with morning(tmp_path, "pa-4x2-fsw1", logs=4) as lab:
        assert mounted(lab) == {"DB01": "EX3", "DB02": "EX4", "DB03": "EX3", "DB04": "EX4"}
        assert asked_first(lab, "EX4") == "10.0.32.10", "a living DNS server, since the force"
        planned = lab.plan("failback", BACK).plan
        assert not planned.complete, "nobody can read a host that is off"
        assert planned.risk is Risk.DATA, "no second person: nothing here makes two brains"
        before = lab.do(lambda world: len(world.state.audit))
        ran = lab.apply(planned)
        assert ran.exit == 0, ran.error
        assert mounted(lab) == {"DB01": "EX1", "DB02": "EX2", "DB03": "EX3", "DB04": "EX4"}
        assert broken(lab) == []
        assert asked_first(lab, "EX4") == "10.0.0.10", "as before the zone was lost"

        done = changed(ran)
        order = [done.index(one) for one in (
            ("groups_set", "EX2"), ("instance_running", "EX1"), ("cluster_kept_off", "EX1"),
            ("instance_running", "EX2"), ("cluster_kept_off", "EX2"), ("controllers_excluded", "EX3"),
            ("recovery_held", "EX3"), ("side_started", "EX3"), ("snapshots_begun", "EX1"), ("seeded", "EX1"),
            ("moved", "EX3"), ("instance_running", "FSW1"), ("witness_home", "EX3"), ("rebalancing_set", "EX3"),
            ("fence_tag_gone", "FSW1"),
        )]  # fmt: skip
        assert order == sorted(order)
        assert at(lab, "seed_started", "DB01\\EX1") > at(lab, "snapshot", "EX1")
        audit = lab.do(lambda world: list(world.state.audit)[before:])
        sets = [dict(one.parameters) for one in audit if one.cmdlet == "Set-DatabaseAvailabilityGroup"]
        assert [str(one.get("WitnessServer", ""))[:4] for one in sets] == ["FSW2", "FSW2", "FSW1", ""]
        names = [one.cmdlet for one in audit]
        assert names.index("Set-DatabaseAvailabilityGroup") < names.index("Start-DatabaseAvailabilityGroup")

        dag = lab.do(lambda world: world.dag("DAG1", "EX3"))
        assert (dag.stopped, dag.preference_move_frequency_s) == ((), 3600.0)
        (cluster,) = lab.world.state.clusters
        assert cluster.witness_server == "FSW1"
        assert {one.server: one.state for one in cluster.nodes} == dict.fromkeys(("EX1", "EX2", "EX3", "EX4"), "Up")
        lagged = {(one.name, copy.server) for one in lab.world.state.databases for copy in one.copies if copy.lag_s}
        barred = {
            (one.name, copy.server) for one in lab.world.state.databases for copy in one.copies
            if copy.activation_suspended
        }  # fmt: skip
        assert lagged == barred == {("DB01", "EX4"), ("DB02", "EX3"), ("DB03", "EX2"), ("DB04", "EX1")}
        tags = {name: one.tags for name, one in lab.transport.cloud.instances.all.items()}
        assert not any({"dag-fenced", "dag-auto-recovery"} & {*one} for one in tags.values())
        assert {one.auto_recovery for one in lab.transport.cloud.instances.all.values()} == {"default"}
        report: Any = ran.value
        assert (report.votes, report.total, report.margin) == (5, 5, 2)
        assert [one.level for one in report.findings if one.check not in ("S-RESYNC", "quorum", "not checked")] == []
        kept = [one.says for one in report.findings if one.check == "S-RESYNC" and one.on == "DB01/EX1"]
        assert kept
        assert "kept as snap-" in kept[0]
        assert "seeded from EX3" in kept[0]

        assert lab.plan("failback", BACK).plan.nothing


def test_what_was_cut_off_is_made_again_and_ends_as_if_it_had_never_been(tmp_path: Path) -> None:
    """No room in the zone for three hours; then no right to take a snapshot; then a person gives the copies up."""
    with morning(tmp_path, "pa-4x2-fsw1", logs=4) as lab:
        lab.do(lambda world: world.fault("insufficient_capacity", "1a"))
        begun = lab.world.now
        ran = lab.run("failback", BACK)
        assert ran.exit == 1
        assert isinstance(ran.error, CmdletFailed)
        assert any("another type" in line and "never another zone" in line for line in ran.error.next)
        assert (lab.world.now - begun).total_seconds() >= 7200
        states = {name: one.state for name, one in lab.transport.cloud.instances.all.items()}
        assert (states["i-0ex1"], states["i-0ex2"], states["i-0fs1"]) == ("stopped",) * 3
        lab.do(lambda world: world.mend(kind="insufficient_capacity"))

        lab.do(lambda world: world.fault("aws_error", "create_snapshots", code="UnauthorizedOperation"))
        ran = lab.run("failback", BACK)
        assert ran.exit == 4
        assert isinstance(ran.error, NotSafe)
        assert "DB0" in ran.error.what
        assert any(line.startswith("--discard-diverged DB0") for line in ran.error.next)
        assert lab.world.events[-1].kind != "lost_for_good"
        assert {one.server: one.state for one in next(iter(lab.world.state.clusters)).nodes}["EX1"] == "Up"

        ran = lab.run("failback", BACK, discard_diverged=["DB01", "DB02"])
        assert ran.exit == 0, ran.error
        assert {("seeded_over", "EX1"), ("seeded_over", "EX2")} <= set(changed(ran))
        assert mounted(lab) == {"DB01": "EX1", "DB02": "EX2", "DB03": "EX3", "DB04": "EX4"}
        assert set(broken(lab)) <= {"I16"}, "the lab knows of no signature: it was given up by word of a person"
        assert lab.plan("failback", BACK).plan.nothing
        frequency = lab.do(lambda world: world.dag("DAG1", "EX3").preference_move_frequency_s)
        assert frequency == 3600.0, "what it was before the first of the three runs"


def test_batches_wait_for_the_window_and_the_documented_order_dismounts_first(tmp_path: Path) -> None:
    with morning(tmp_path, "pa-4x2-fsw1") as lab:
        (dag,) = lab.estate.dags
        closed = msgspec.structs.replace(dag, windows=("Sun 02:00-03:00",))
        lab.estate = msgspec.structs.replace(lab.estate, dags=(closed,))
        ran = lab.run("failback", site="AZ1", strict_dismount=True, batch=1)
        assert isinstance(ran.error, OutsideWindow)
        assert ran.exit == 75
        assert mounted(lab) == {"DB01": "EX3", "DB02": "EX4", "DB03": "EX3", "DB04": "EX4"}
        members = {one.server: one.state for one in next(iter(lab.world.state.clusters)).nodes}
        assert members["EX1"] == members["EX2"] == "Up", "everything before the moves is done"
        ran = lab.run("failback", site="AZ1", strict_dismount=True, batch=1, when="now")
        assert ran.exit == 0, ran.error
        moves = [kind for kind, _ in changed(ran) if kind in ("down_for_move", "moved_down", "mounted_again")]
        assert moves == ["down_for_move", "moved_down", "mounted_again"] * 2
        assert mounted(lab) == {"DB01": "EX1", "DB02": "EX2", "DB03": "EX3", "DB04": "EX4"}
        assert broken(lab) == []


# -- without DAC -------------------------------------------------------------------------------------------------------


def test_an_evicted_member_joins_anew_with_the_copies_it_had(tmp_path: Path) -> None:
    with morning(tmp_path, "aws-2az-nodac", logs=3, lost_server=["ExchangeNode1"]) as lab:
        assert set(mounted(lab).values()) == {"ExchangeNode2"}
        ran = lab.run("failback", BACK)
        assert ran.exit == 0, ran.error
        assert mounted(lab) == {"DB1": "ExchangeNode1", "DB2": "ExchangeNode2"}
        assert broken(lab) == []
        places = {one.name: {copy.server: copy.preference for copy in one.copies} for one in lab.world.state.databases}
        assert places == {
            "DB1": {"ExchangeNode1": 1, "ExchangeNode2": 2},
            "DB2": {"ExchangeNode2": 1, "ExchangeNode1": 2},
        }
        done = [kind for kind, _ in changed(ran)]
        assert done.index("copy_back") < done.index("snapshots_begun") < done.index("seeded")
        (cluster,) = lab.world.state.clusters
        assert cluster.witness_server == "FileServer3", "one in a zone without members, as there is one"
        assert lab.do(lambda world: [one.source_servers for one in world.queues.connectors()]) == [("ExchangeNode1",)]
        assert lab.plan("failback", BACK).plan.nothing


def test_a_failback_that_was_cut_off_before_anybody_left_the_object_is_made_again(tmp_path: Path) -> None:
    with morning(tmp_path, "aws-2az-nodac", lost_server=["ExchangeNode1"]) as lab:
        plan = lab.plan("failback", BACK).plan
        dead = False

        def die(script: Script) -> str | None:
            nonlocal dead
            dead = dead or (script.mutates and script.parts[0].template == "copy/remove.ps1.j2")
            return "before" if dead else None

        lab.transport.accident = die
        assert lab.apply(plan).exit in (5, 6)
        lab.transport.accident = lambda _script: None
        again = lab.plan("failback", BACK).plan
        assert not again.blocked
        assert lab.apply(again).exit == 0
        assert mounted(lab) == {"DB1": "ExchangeNode1", "DB2": "ExchangeNode2"}
        assert broken(lab) == []


def test_databases_whose_every_copy_was_lost_come_back_with_their_members(tmp_path: Path) -> None:
    file = tmp_path / "lost-whole.yaml"
    file.write_text(
        "name: lost-whole\nextends: pa-4x2-fsw1\ndags:\n  - {name: DAG1, members: [EX1, EX2, EX3, EX4], witness: FSW1, "
        "witness_directory: 'C:\\DAG', alternate_witness: FSW2, alternate_witness_directory: 'C:\\DAG', "
        "dac_mode: 'Off'}\ndatabases:\n"
        "  - {name: DB01, size_gb: 1, copies: [{server: EX1}]}\n"
        "  - {name: DB02, size_gb: 1, copies: [{server: EX2}, {server: EX1}]}\n"
        "  - {name: DB03, size_gb: 1, copies: [{server: EX3}, {server: EX1}]}\n"
        "  - {name: DB04, size_gb: 1, copies: [{server: EX4}]}\n",
        "utf-8",
    )
    with morning(tmp_path, str(file), lost_server=["EX1", "EX2"], mode="nodac") as lab:
        assert mounted(lab) == {"DB01": "", "DB02": "", "DB03": "EX3", "DB04": "EX4"}
        ran = lab.run("failback", BACK)
        assert ran.exit == 0, ran.error
        assert mounted(lab) == {"DB01": "EX1", "DB02": "EX2", "DB03": "EX3", "DB04": "EX4"}
        removed = [dict(one.parameters)["Identity"] for one in lab.do(lambda world: list(world.state.audit))
                   if one.cmdlet == "Remove-MailboxDatabaseCopy"]  # fmt: skip
        assert sorted(map(str, removed)) == ["DB02\\EX1", "DB03\\EX1"], "what served last, and the only one, stay"
        assert broken(lab) == []
        places = {one.name: {copy.server: copy.preference for copy in one.copies} for one in lab.world.state.databases}
        two = {"EX1": 2}
        assert places == {"DB01": {"EX1": 1}, "DB02": {"EX2": 1} | two, "DB03": {"EX3": 1} | two, "DB04": {"EX4": 1}}
        assert lab.plan("failback", BACK).plan.nothing


# -- what is refused ---------------------------------------------------------------------------------------------------


def test_what_may_not_come_back_by_this_way(tmp_path: Path) -> None:
    with morning(tmp_path, "pa-4x2-fsw1") as lab:
        with pytest.raises(NotSafe, match="contradicts the DAG"):
            lab.plan("failback", BACK, mode="nodac")
        with pytest.raises(NotSafe, match="no survivor of DAG1 has quorum"):
            lab.plan("failback", site="AZ2")
        lab.do(lambda _: lab.transport.cloud.instances.get("i-0ex2").tags.clear())
        with pytest.raises(NotSafe, match="S-UNFENCE: EX2 is off, and no fence of ours keeps it so"):
            lab.plan("failback", BACK)
        for name in ("i-0ex1", "i-0ex2", "i-0fs1"):  # by hand, without failback (S22 b)
            lab.do(lambda _, name=name: lab.transport.cloud.instances.start(lab.transport.cloud.instances.get(name)))
        lab.later(1200)
        with pytest.raises(
            NotSafe, match=r"EX1 runs (a cluster of its own|its cluster service) beside DAG1"
        ) as refusal:
            lab.plan("failback", BACK)
        assert any("starover plan fence --lost-site AZ1" in line for line in refusal.value.next)
        assert "I1" not in broken(lab)


def test_a_fence_that_no_journal_here_knows_is_not_lifted(tmp_path: Path) -> None:
    with morning(tmp_path, "pa-4x2-fsw1") as lab:
        lab.folder = tmp_path / "elsewhere"
        with pytest.raises(NotSafe, match="no journal here tells by whom"):
            lab.plan("failback", BACK)


def test_a_dag_that_nothing_happened_to_has_nothing_to_come_back(tmp_path: Path) -> None:
    with InnerLab("pa-4x2", tmp_path) as lab:
        assert lab.plan("failback", BACK).plan.nothing


# -- decisions ---------------------------------------------------------------------------------------------------------


def a_dag(*up: str, witness: str = "FSW2", share: str = "Alternate", frequency: str = "01:00:00") -> ComingBack:
    nodes = tuple(Node(name=name, state="Up", information="Normal", weight=1, dynamic=1) for name in up)
    path = f"\\\\{witness}.example.com\\DAG1.example.com"
    resource = Resource(name="witness", type="File Share Witness", state="Online", share=path)
    cluster = ClusterView(
        name="DAG1",
        quorum_type="",
        quorum_resource="witness" if witness else "",
        witness_weight=1,
        nodes=nodes,
        resources=(resource,) if witness else (),
    )
    return ComingBack(
        started=("EX3.example.com", "EX4.example.com"),
        stopped=("EX1.example.com", "EX2.example.com"),
        witness_server="FSW1.example.com",
        witness_directory="C:\\DAG1",
        witness_share=share,
        alternate_server="FSW2.example.com",
        alternate_directory="C:\\DAG1",
        frequency=frequency,
        cluster=cluster,
        cluster_error="",
    )


def test_only_the_witness_in_use_is_named_while_members_come_back() -> None:
    now = a_dag("EX3", "EX4")
    wanted = {"dag": "DAG1", "directory": "C:\\DAG1", "hold": True}
    refused = recovery_held(now, server="FSW1.example.com", **wanted)  # type: ignore[arg-type]
    assert isinstance(refused, Blocked)
    assert refused.guard == "G-SETDAG"
    change = recovery_held(now, server="FSW2.example.com", **wanted)  # type: ignore[arg-type]
    assert isinstance(change, Change)
    held = msgspec.structs.replace(now, witness_server="FSW2.example.com", frequency="-00:00:00.0010000")
    assert recovery_held(held, server="FSW2", **wanted) is None  # type: ignore[arg-type]


def test_a_side_has_started_when_lists_nodes_and_quorum_model_say_so() -> None:
    wanted = {"dag": "DAG1", "site": "AZ1", "servers": ("EX1", "EX2"), "server": "FSW2", "directory": "C:\\DAG1"}
    assert isinstance(side_started(a_dag("EX3", "EX4"), **wanted), Change)  # type: ignore[arg-type]
    started = msgspec.structs.replace(
        a_dag("EX1", "EX2", "EX3", "EX4"), stopped=(), started=("EX1", "EX2", "EX3", "EX4")
    )
    assert side_started(started, **wanted) is None  # type: ignore[arg-type]
    assert isinstance(side_started(a_dag("EX1", "EX2", "EX3", "EX4"), **wanted), Change)  # type: ignore[arg-type]
    alone = msgspec.structs.replace(started, cluster=a_dag("EX1", "EX2", "EX3", "EX4", witness="").cluster)
    assert isinstance(side_started(alone, **wanted), Change), "an even number votes with a witness"  # type: ignore[arg-type]


def test_the_witness_goes_home_only_when_every_node_is_up() -> None:
    wanted = {"dag": "DAG1", "server": "FSW1.example.com", "directory": "C:\\DAG1", "hold": True}
    now = a_dag("EX1", "EX2", "EX3", "EX4", share="Primary")
    assert isinstance(witness_home(now, **wanted), Change)  # type: ignore[arg-type]
    assert now.cluster is not None
    down = tuple(msgspec.structs.replace(one, state="Down") if one.name == "EX2" else one for one in now.cluster.nodes)
    late = msgspec.structs.replace(now, cluster=msgspec.structs.replace(now.cluster, nodes=down))
    refused = witness_home(late, **wanted)  # type: ignore[arg-type]
    assert isinstance(refused, Blocked)
    assert "EX2" in refused.why
    assert witness_home(a_dag("EX1", "EX2", witness="FSW1", share="Primary"), **wanted) is None  # type: ignore[arg-type]


def a_host(status: str, start: str, *, utc: str = "2026-11-20T15:00:00+00:00", cluster: bool = False) -> Machine:
    return Machine(
        name="EX1",
        utc=utc,
        boot_time=utc,
        services=(ServiceState(name="clussvc", status=status, start=start),),
        volumes=(),
        owner="",
        cluster=a_dag("EX1").cluster if cluster else None,
        cluster_error="",
    )


def test_a_returning_member_is_asleep_before_it_is_let_out() -> None:
    keep = {"names": ("clussvc",), "wipe": False}
    assert isinstance(cluster_kept_off(a_host("StartPending", "Automatic"), **keep), Change)  # type: ignore[arg-type]
    assert isinstance(cluster_kept_off(a_host("Stopped", "Automatic"), **keep), Change)  # type: ignore[arg-type]
    assert cluster_kept_off(a_host("Stopped", "Disabled"), **keep) is None  # type: ignore[arg-type]
    own = cluster_kept_off(a_host("Running", "Automatic", cluster=True), **keep)  # type: ignore[arg-type]
    assert isinstance(own, Blocked)
    assert own.guard == "G-FENCE"


def test_clocks_that_kerberos_would_refuse_keep_a_member_out() -> None:
    here = a_host("Running", "Automatic")
    assert skewed(here, here) == ""
    late = a_host("Running", "Automatic", utc="2026-11-20T15:02:00+00:00")
    assert "120 s apart" in skewed(late, here)
    with pytest.raises(NotSafe, match="Kerberos"):
        skewed(a_host("Running", "Automatic", utc="2026-11-20T15:05:00+00:00"), here)


def test_a_copy_is_seeded_within_its_site_where_a_good_one_is() -> None:
    sites = {"EX1": "AZ1", "EX2": "AZ1", "EX3": "AZ2"}
    now = place(status("EX3", status="Mounted", active=True), status("EX2"), status("EX1", status="FailedAndSuspended"))
    own = now.copies[-1]
    assert giver_of(now, own, sites) == "EX2"
    assert giver_of(now, own, {**sites, "EX2": "AZ3"}) == "", "the active one, then"

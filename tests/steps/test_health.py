"""How facts are graded: pure functions on facts made by hand."""

from __future__ import annotations

import msgspec
import pytest
from dag_facts import status

from starover.runbook import Finding
from starover.steps.dag import ClusterState, DagFacts, DagState, DatabaseInfo, HostFacts, Node, Pair, short
from starover.steps.health import findings, verdict


def cluster(*dynamic: int, witness: str = "Online", witness_weight: int = 1, **states: str) -> ClusterState:
    nodes = tuple(
        Node(name=f"EX{n}", state=states.get(f"EX{n}", "Up"), information="Normal", weight=1, dynamic=vote)
        for n, vote in enumerate(dynamic, 1)
    )
    return ClusterState(
        name="DAG1", dynamic_quorum=True, witness_weight=witness_weight, witness_state=witness, nodes=nodes
    )


DAG = DagState(
    name="DAG1",
    members=("EX1", "EX3"),
    witness_server="FSW3.example.com",
    witness_directory="C:\\DAG1",
    alternate_server="",
    witness_share="Primary",
    activation_mode="DagOnly",
    active_manager="EX1",
    started=(),
    stopped=(),
)


def pair(server: str, value: int) -> Pair:
    return Pair(key="", name="", value="", text=f"[{server}, {value}]")


DB01 = DatabaseInfo(
    name="DB01",
    mounted=True,
    server="EX1",
    preferences=(pair("EX1", 1), pair("EX3", 2)),
    lags=(),
    circular_logging=False,
    log_folder="E:\\DB01",
)


def facts(**changes: object) -> DagFacts:
    base: dict[str, object] = {
        "name": "DAG1",
        "members": (
            HostFacts(server="EX1", boot_time="t", cluster=cluster(1, 1), dag=DAG, copies=(status("EX1", "Mounted"),)),
            HostFacts(
                server="EX3", boot_time="t", cluster=cluster(1, 1), dag=DAG, copies=(status("EX3", preference=2),)
            ),
        ),
        "others": (HostFacts(server="FSW3", boot_time="t"),),
        "databases": (DB01,),
    }
    return DagFacts(**(base | changes))  # type: ignore[arg-type]


def found(given: DagFacts, level: str) -> dict[str, str]:
    return {f"{one.check} {one.on}": one.says for one in findings(given) if one.level == level}


def test_a_dag_in_order_has_nothing_red_or_amber() -> None:
    assert not found(facts(), "fail")
    assert not found(facts(), "warn")
    assert "well in everything" in verdict(findings(facts()), "DAG1")


def test_what_is_not_looked_at_is_unknown_and_never_green() -> None:
    assert any(key.startswith("not checked") for key in found(facts(), "unknown"))


@pytest.mark.parametrize(
    ("state", "level", "key"),
    [
        (cluster(1, 0, witness="Offline", witness_weight=0), "fail", "witness FSW3.example.com"),
        (cluster(1, 1, EX2="Down"), "warn", "node EX2"),
        (cluster(1, 1, EX1="Down", EX2="Down"), "fail", "quorum DAG1"),
    ],
)
def test_quorum_and_witness(state: ClusterState, level: str, key: str) -> None:
    first, second = facts().members
    members = tuple(msgspec.structs.replace(host, cluster=state) for host in (first, second))
    assert key in found(facts(members=members), level)


def test_no_cluster_service_is_quorum_lost_but_no_answer_is_unknown() -> None:
    stopped = tuple(msgspec.structs.replace(host, cluster=None) for host in facts().members)
    assert "quorum DAG1" in found(facts(members=stopped), "fail")
    silent = tuple(HostFacts(server=host.server, boot_time=None, errors=("silent",)) for host in facts().members)
    assert "quorum DAG1" in found(facts(members=silent, databases=None), "unknown")


def test_a_database_without_a_mounted_copy_is_red_and_unknown_where_a_host_is_silent() -> None:
    first, second = facts().members
    down = msgspec.structs.replace(first, copies=(status("EX1", "Dismounted", active=True),))
    assert "mounted DB01" in found(facts(members=(down, second)), "fail")
    silent = HostFacts(server="EX1", boot_time=None, errors=("no answer in 8 s",))
    assert "mounted DB01" in found(facts(members=(silent, second)), "unknown")


@pytest.mark.parametrize(
    ("fields", "level"),
    [
        ({"copy_queue": 9223372036854775766}, "fail"),
        ({"copy_queue": None}, "fail"),
        ({"copy_queue": 11}, "warn"),
        ({"replay_queue": 51}, "warn"),
        ({"activation_suspended": True}, "warn"),
        ({"state": "Suspended"}, "warn"),
    ],
)
def test_a_copy_that_is_not_in_order(fields: dict[str, object], level: str) -> None:
    first, second = facts().members
    changed = dict(fields)
    bad = status("EX3", str(changed.pop("state", "Healthy")), preference=2, **changed)
    members = (first, msgspec.structs.replace(second, copies=(bad,)))
    assert "copy DB01/EX3" in found(facts(members=members), level)


def test_the_verdict_names_the_worst() -> None:
    red = Finding(check="a", on="DB01", level="fail", says="down")
    amber = Finding(check="b", on="DB02", level="warn", says="late")
    assert "RED: DB01" in verdict([red, amber], "DAG1")
    assert "AMBER: DB02" in verdict([amber], "DAG1")


def test_votes_count_only_who_is_there() -> None:
    state = cluster(1, 1, EX2="Down")
    assert (state.votes, state.total, state.needed) == (2, 3, 2)


def test_names_come_in_many_forms() -> None:
    assert short("contoso.com/Configuration/Servers/EX1") == short("EX1.contoso.com") == short("EX1") == "EX1"
    assert pair("EX1", 2).server == "EX1"
    assert Pair(key="EX1", name="contoso.com/x/EX1", value="2", text="").server == "EX1"

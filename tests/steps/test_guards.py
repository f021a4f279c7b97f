"""Guards by themselves: each refuses what it is there for, lets the rest pass, and all of them speak at once."""

from __future__ import annotations

import pytest
from dag_facts import status
from dag_objects import cluster, dag
from placements import pair

from starover.errors import NotSafe, OutsideWindow
from starover.estate import Dag
from starover.step import Blocked
from starover.steps import guards
from starover.steps.activation import Activation
from starover.steps.copies import CopyStatus
from starover.steps.dag import DatabaseInfo
from starover.steps.gate import Judged, admit
from starover.steps.redundancy import copies_without, no_seed, only_copies

SATURDAY = Dag(name="DAG1", members=("EX1", "EX2"), windows=("Sat 22:00-06:00",))


def why(one: Judged) -> str:
    return one.blocked.why if one.blocked is not None else ""


# -- all at once -------------------------------------------------------------------------------------------------------


def test_a_refusal_names_every_guard_with_its_facts_and_what_would_make_it_pass() -> None:
    every = [
        Judged("G-SETUP"),
        Judged("G-WITNESS", Blocked("the witness is Offline", certain=("since 14:51",), next=("mend it",))),
        Judged("G-COPIES", None, ("one good copy left",)),
        Judged("G-QUORUM", Blocked("0 of 1 votes would remain", next=("mend it",))),
    ]
    with pytest.raises(NotSafe) as caught:
        admit("taking EX1 out of service", every, host="EX1")
    error = caught.value
    assert error.what == "taking EX1 out of service is not safe now (G-WITNESS and G-QUORUM)"
    assert error.certain == (
        "G-WITNESS: the witness is Offline",
        "since 14:51",
        "G-QUORUM: 0 of 1 votes would remain",
        "passed: G-SETUP G-COPIES (2 of 4)",
        "nothing was changed",
    )
    assert error.next == ("mend it",)
    assert admit("it", [every[0], every[2]]) == ("one good copy left",)


def test_a_closed_window_is_another_exit_code_even_beside_others() -> None:
    with pytest.raises(OutsideWindow):
        admit("it", [Judged("G-COPIES", Blocked("no")), Judged("G-WINDOW", Blocked("closed"))])


# -- quorum and witness ------------------------------------------------------------------------------------------------


def test_an_even_dag_without_its_witness_stays_together_and_says_who_else_could_not_go() -> None:
    broken = cluster("EX1", "EX2", witness="Failed")
    uneven = tuple(
        node if node.name == "EX1" else type(node)(**{**_fields(node), "dynamic": 0}) for node in broken.nodes
    )
    view = type(broken)(**{**_fields(broken), "nodes": uneven})
    now = dag("EX1", "EX2", cluster=view, witness_share="InvalidConfiguration")
    said = guards.witness_well(now, "EX2")
    assert "FSW3.example.com is Failed, share in use: InvalidConfiguration" in why(said)
    assert said.blocked is not None
    assert "EX1 1, EX2 0" in said.blocked.certain[0]
    assert "EX1 could not go either: G-QUORUM, 0 of 1 votes would remain" in said.blocked.certain[1]
    assert guards.quorum_without(view, nodes=["EX2"]) is None, "it has no vote to lose"
    assert guards.quorum_without(view, nodes=["EX1"]) is not None


@pytest.mark.parametrize(
    ("members", "share", "passes"),
    [
        (("EX1", "EX2"), "Primary", True),
        (("EX1", "EX2"), "Alternate", True),
        (("EX1", "EX2"), "InvalidConfiguration", False),
        (("EX1", "EX2"), "None", False),
        (("EX1", "EX2", "EX3"), "None", True),
    ],
)
def test_the_witness_counts_where_members_are_even(members: tuple[str, ...], share: str, passes: bool) -> None:
    assert (guards.witness_well(dag(*members, witness_share=share), "EX1").blocked is None) is passes


def _fields(one: object) -> dict[str, object]:
    return {name: getattr(one, name) for name in one.__struct_fields__}  # type: ignore[attr-defined]


# -- one at a time -----------------------------------------------------------------------------------------------------


def test_nobody_goes_while_another_is_out() -> None:
    now = dag("EX1", "EX2", "EX3", cluster=cluster("EX1", "EX2", "EX3", EX2="Paused", EX3="Down"))
    said = why(guards.nobody_else_out("EX1", now, offline=["ex2.example.com"], draining=["EX2"]))
    assert "EX2: node Paused, ServerWideOffline Inactive, HubTransport not Active" in said
    assert "EX3: node Down" in said
    alone = dag("EX1", "EX2", "EX3", cluster=cluster("EX1", "EX2", "EX3", EX2="Paused"))
    assert guards.nobody_else_out("EX2", alone, offline=["EX2"]).blocked is None, "it is the one that is out"


def test_setups_are_waited_for() -> None:
    assert guards.no_setup({"EX1": [], "EX2": []}).blocked is None
    assert "ExSetup on EX2" in why(guards.no_setup({"EX1": [], "EX2": ["ExSetup"]}))


@pytest.mark.parametrize(
    ("now", "override", "passes"),
    [
        ("2026-11-21T23:00:00.0000000Z", False, True),
        ("2026-11-21T12:00:00.0000000Z", False, False),
        ("2026-11-21T12:00:00.0000000Z", True, True),
    ],
)
def test_windows(now: str, override: bool, passes: bool) -> None:
    said = guards.window_open(SATURDAY, now, override=override)
    assert (said.blocked is None) is passes
    assert bool(said.warnings) is override
    if said.blocked is not None:
        assert "Sat 21 Nov at 22:00 UTC" in said.blocked.certain[1]
        assert said.blocked.next[0].startswith("--now")
    assert guards.window_open(Dag(name="DAG1"), now, override=False).blocked is None


def test_the_last_address_stays() -> None:
    assert guards.another_remains("10.0.0.50", [], kind="address").blocked is not None
    assert guards.another_remains("10.0.0.50", ["10.0.32.50"], kind="address").blocked is None


# -- copies that lag, copies that go back ------------------------------------------------------------------------------


def test_a_lagged_or_barred_copy_is_left_alone() -> None:
    lagged = "Enabled:True; Configured:7.00:00:00; MaxDelay:1.00:00:00"
    assert guards.stays_behind(status("EX3")) is None
    assert guards.stays_behind(status("EX4", replay_lag=lagged)) is not None
    barred = guards.stays_behind(status("EX3", activation_suspended=True, suspend_comment="disk of Bob"))
    assert barred is not None
    assert "disk of Bob" in barred.why


def test_blocks_and_lags_are_compared() -> None:
    lagged = "Configured:7.00:00:00"
    before = [status("EX1", "Mounted"), status("EX3", activation_suspended=True), status("EX4", replay_lag=lagged)]
    assert guards.blocks_changed(before, before) == []
    assert guards.blocks_changed(before, [status("EX1"), status("EX3"), status("EX4")]) == [
        "DB01/EX3 is no longer barred",
        "DB01/EX4 had a lag of 7 days, 0:00:00 and has 0:00:00",
    ]


@pytest.mark.parametrize(
    ("frequency", "target", "warns"),
    [
        ("01:00:00", "EX3", "within 1 h"),
        ("00:30:00", "EX3", "within 30 min"),
        ("1.00:00:00", "EX3", "within 24 h"),
        ("-00:00:00.0010000", "EX3", ""),
        ("", "EX3", ""),
        ("01:00:00", "ex1.example.com", ""),
    ],
)
def test_what_automatic_rebalancing_will_undo(frequency: str, target: str, warns: str) -> None:
    said = guards.rebalanced(frequency, "DB01", target, "EX1")
    assert warns in said
    assert bool(said) is bool(warns)


# -- redundancy --------------------------------------------------------------------------------------------------------


def database(*servers: str, name: str = "DB01") -> DatabaseInfo:
    return DatabaseInfo(
        name=name,
        mounted=True,
        server=servers[0],
        preferences=tuple(pair(server, place) for place, server in enumerate(servers, 1)),
        lags=(),
        circular_logging=False,
        log_folder="E:\\",
    )


def activation(name: str, **fields: object) -> Activation:
    values: dict[str, object] = {
        "name": name,
        "dag": "DAG1",
        "policy": "Unrestricted",
        "move_now": False,
        "dial": "GoodAvailability",
        "max_active": None,
        "active": 1,
    }
    return Activation(**(values | fields))  # type: ignore[arg-type]


def judge(*copies: CopyStatus, hosts: tuple[str, ...] = (), **options: object) -> Judged:
    names = hosts or tuple(one.server for one in copies)
    values: dict[str, object] = {
        "nodes_up": ["EX1", "EX2", "EX3", "EX4"],
        "servers": [activation(name) for name in ("EX1", "EX2", "EX3", "EX4")],
        "min_copies": None,
        "accept_offline": (),
        "minutes": 25,
    }
    return copies_without("EX1", [database(*names)], {"DB01": copies}, **(values | options))  # type: ignore[arg-type]


def test_two_good_ones_of_three_remain() -> None:
    assert judge(status("EX1", "Mounted"), status("EX2"), status("EX3")) == Judged("G-COPIES")
    assert judge(status("EX1"), status("EX2", "Mounted"), status("EX3")) == Judged("G-COPIES")


def test_one_of_two_is_allowed_and_said_and_none_is_refused() -> None:
    allowed = judge(status("EX1", "Mounted"), status("EX2"))
    assert allowed.blocked is None
    assert allowed.warnings == ("one good copy left of DB01 for about 25 min",)
    for bad in (status("EX2", "FailedAndSuspended"), status("EX2", copy_queue=11), status("EX2", copy_queue=2**60)):
        refused = judge(status("EX1", "Mounted"), bad)
        assert "DB01" in why(refused)
    assert "would keep 0 good" in why(judge(status("EX1"), status("EX2", "Failed")))
    assert "2 must remain" in why(judge(status("EX1", "Mounted"), status("EX2"), min_copies=2))


def test_one_left_of_three_needs_the_word_of_a_person() -> None:
    three = (status("EX1", "Mounted"), status("EX2"), status("EX3", "Failed"))
    refused = judge(*three)
    assert "would keep 1 good of 3 copies, and 2 must remain" in why(refused)
    assert refused.blocked is not None
    assert refused.blocked.next[0].startswith("--min-copies 1")
    assert judge(*three, min_copies=1).warnings


@pytest.mark.parametrize(
    "options",
    [
        {"nodes_up": ["EX1"]},
        {"servers": [activation("EX1"), activation("EX2", policy="Blocked")]},
        {"servers": [activation("EX1"), activation("EX2", move_now=True)]},
        {"servers": [activation("EX1"), activation("EX2", max_active=3, active=3)]},
    ],
)
def test_a_good_copy_on_a_server_that_may_not_take_over_is_none(options: dict[str, object]) -> None:
    assert "no other copy of DB01 can take over" in why(judge(status("EX1", "Mounted"), status("EX2"), **options))


def test_lagged_and_barred_copies_are_none_to_fall_back_on() -> None:
    lagged = status("EX4", replay_lag="Configured:7.00:00:00")
    barred = status("EX3", activation_suspended=True)
    refused = judge(status("EX1", "Mounted"), lagged, barred)
    assert refused.blocked is not None
    assert "EX4 Healthy (lagged)" in refused.blocked.certain[0]
    assert "EX3 Healthy (barred from activation)" in refused.blocked.certain[0]


def test_a_single_copy_goes_offline_only_when_somebody_says_so() -> None:
    assert only_copies([database("EX1"), database("EX1", "EX2", name="DB02")], "EX1") == ["DB01"]
    assert "would be offline" in why(judge(status("EX1", "Mounted")))
    assert judge(status("EX1", "Mounted"), accept_offline=["db01"]).blocked is None


def test_databases_without_a_copy_there_do_not_count() -> None:
    assert judge(status("EX2", "Failed"), hosts=("EX2", "EX3")).blocked is None


@pytest.mark.parametrize(
    ("copies", "says"),
    [
        ((status("EX1", "Mounted"), status("EX2", "Seeding")), "DB01/EX2 is being seeded from EX1"),
        ((status("EX1", "Seeding"), status("EX2", "Mounted")), "DB01/EX1 is being seeded"),
        ((status("EX1", "SeedingSource"), status("EX2", "Mounted"), status("EX3", "Seeding")), "DB01/EX3"),
        ((status("EX1"), status("EX2", "Mounted"), status("EX3", "Seeding")), ""),
    ],
)
def test_seeds_are_not_broken_off(copies: tuple[CopyStatus, ...], says: str) -> None:
    said = why(no_seed("EX1", [database(*(one.server for one in copies))], {"DB01": copies}))
    assert says in said
    assert bool(said) is bool(says)

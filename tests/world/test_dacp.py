"""Datacenter activation: every vector of the rules, and the bits of a running DAG."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from starover_lab.world.dacp import Member, settle
from starover_lab.world.dags import DagChanges
from world.conftest import Lab

VECTORS = json.loads((Path(__file__).parents[1] / "data" / "dacp_vectors.json").read_text(encoding="utf-8"))["vectors"]


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
def test_vector(vector: dict) -> None:
    state = vector["state"]
    bits = settle(
        {
            name: Member(
                one["bit"],
                one["am_running"],
                one["dacp_set_at"] if one["dacp_set_at"] is None else float(one["dacp_set_at"]),
            )
            for name, one in state["members"].items()
        },
        state["started"],
        state["partitions"],
        sees_witness=state["witness_reachable_from"],
        witness_boot=float(state["witness_boot_at"]),
    )
    assert {name: bits[name] for name in vector["expect_bits"]} == vector["expect_bits"]


def test_one_started_member_alone_follows_the_rule_of_two() -> None:
    members = {"A": Member(0, runs=True, set_at=100.0)}
    for boot, bit in ((50.0, 1), (150.0, 0)):
        assert settle(members, ["A"], [["A"]], sees_witness=["A"], witness_boot=boot) == {"A": bit}
    assert settle(members, ["A"], [["A"]], sees_witness=[], witness_boot=50.0) == {"A": 0}


@pytest.mark.parametrize(("witness_restarts", "state"), [(False, "Mounted"), (True, "Dismounted")])
def test_the_last_of_two_mounts_only_if_the_witness_did_not_restart_with_it(
    lab: Callable[..., Lab], witness_restarts: bool, state: str
) -> None:
    one = lab("aws-3az-witness", dag=True)
    world = one.world
    world.dags.change("DAG", "ExchangeNode1", DagChanges(dac_mode="DagOnly"))
    one.later(minutes=30)
    world.fault("host_off", "ExchangeNode1")
    one.later(minutes=5)
    assert world.database("DB2").state == "Mounted"
    world.windows.restart("ExchangeNode2")
    if witness_restarts:
        world.fault("witness_reboot", "FileServer")
    one.later(minutes=30)
    assert world.state.clusters["DAG"].quorate
    assert world.database("DB2").state == state
    assert {one["id"] for one in world.violations()} == {"I8"}, "the last good copies were restarted by hand"


def test_dac_mode_sets_the_bits_of_those_who_answer(lab: Callable[..., Lab]) -> None:
    one = lab("aws-2az", dag=True)
    exchange = one.world.server("ExchangeNode1").exchange
    assert exchange is not None
    before = exchange.dacp_set_at
    one.later(minutes=10)
    one.world.dags.change("DAG", "ExchangeNode1", DagChanges(dac_mode="DagOnly"))
    assert exchange.dacp_bit == 1
    assert exchange.dacp_set_at is not None
    assert before is not None
    assert exchange.dacp_set_at > before

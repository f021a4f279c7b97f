"""Quorum arithmetic against every vector, the simulator's worked table, and properties over all clusters."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starover_lab.world.quorum import Quorum, form, join, lose, recalc, split

VECTORS = json.loads((Path(__file__).parents[1] / "data" / "quorum_vectors.json").read_text(encoding="utf-8"))[
    "vectors"
]


def cluster(nodes: int, *, witness: bool, dynamic: bool = True) -> Quorum:
    return recalc(
        Quorum(up=dict.fromkeys(range(1, nodes + 1), True), witness=witness, witness_online=witness, dynamic=dynamic)
    )


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
def test_vector(vector: dict) -> None:
    state = cluster(vector["nodes"], witness=vector["witness"], dynamic=vector["dynamic"])
    for event in vector["events"]:
        loss = lose(
            state, event.get("down", []), witness=event.get("witness_down", False), clean=event.get("clean", False)
        )
        expect = event["expect"]
        assert loss.quorum is expect["quorum"]
        assert expect.get("votes", loss.votes) == loss.votes
        assert expect.get("total", loss.total) == loss.total
        for node, weight in expect.get("d", {}).items():
            assert loss.after.votes[int(node)] == weight
        assert expect.get("W", loss.after.witness_vote) == loss.after.witness_vote
        state = loss.after


def test_after_the_last_pair_the_total_stays_three_and_returns_to_five() -> None:
    state = lose(cluster(4, witness=True), [1, 2]).after
    state = lose(state, [3]).after
    assert (state.total, state.present) == (3, 2)
    for node in (3, 2, 1):
        state = join(state, node)
    assert (state.total, state.witness_vote) == (5, 1)


def test_a_named_node_loses_the_tie() -> None:
    state = Quorum(up=dict.fromkeys((1, 2, 3, 4), True), lower_priority=2)
    assert recalc(state).votes == {1: 1, 2: 0, 3: 1, 4: 1}


def test_a_node_without_weight_never_votes() -> None:
    state = recalc(Quorum(up=dict.fromkeys((1, 2, 3), True), weights={3: 0}))
    assert state.votes[3] == 0
    assert state.total % 2 == 1


@pytest.mark.parametrize(
    ("owner", "sees", "keeps"),
    [
        (1, (True, True), 0),  # the part with the core group's owner tries the lock first
        (3, (True, True), 1),
        (1, (False, True), 1),  # who cannot reach the share cannot lock it
        (3, (True, False), 0),
        (1, (False, False), None),
    ],
)
def test_a_cut_between_two_zones(owner: int, sees: tuple[bool, bool], keeps: int | None) -> None:
    state = cluster(4, witness=True)
    assert split(state, [[1, 2], [3, 4]], sees_witness=sees, owner=owner) == keeps


def test_the_larger_part_needs_no_witness() -> None:
    assert split(cluster(5, witness=False), [[1, 2], [3, 4, 5]], sees_witness=(False, False), owner=1) == 1


def test_only_the_last_voter_forms_the_cluster_again() -> None:
    state = lose(cluster(3, witness=False), [1]).after
    lost = lose(state, [2])
    assert not lost.quorum
    assert form(lost.after, [3], witness_reachable=False) is None
    formed = form(lost.after, [2], witness_reachable=False)
    assert formed is not None
    assert formed.up == {1: False, 2: True, 3: False}


def test_a_witness_helps_to_form_only_where_it_is_reached() -> None:
    lost = lose(cluster(2, witness=True), [1], witness=True).after
    assert form(lost, [2], witness_reachable=False) is None
    formed = form(lost, [2], witness_reachable=True)
    assert formed is not None
    assert formed.present == 2


@given(
    nodes=st.integers(1, 16),
    witness=st.booleans(),
    losses=st.lists(st.integers(1, 16), max_size=16),
)
def test_quorate_totals_are_odd_and_losses_one_by_one_obey_the_majority(
    nodes: int, witness: bool, losses: list[int]
) -> None:
    state = cluster(nodes, witness=witness)
    for node in losses:
        assert state.total % 2 == 1
        if not state.up.get(node):
            continue
        loss = lose(state, [node])
        assert loss.quorum == (2 * loss.votes > loss.total)
        if not loss.quorum:
            assert loss.after.votes == state.votes
            return
        state = loss.after
        assert 2 * state.present > state.total


@given(nodes=st.integers(2, 16), witness=st.booleans(), data=st.data())
def test_two_parts_never_both_keep_quorum(nodes: int, witness: bool, data: st.DataObject) -> None:
    state = cluster(nodes, witness=witness)
    left = data.draw(st.sets(st.integers(1, nodes)))
    parts = [sorted(left), sorted(set(range(1, nodes + 1)) - left)]
    sees = data.draw(st.tuples(st.booleans(), st.booleans()))
    owner = data.draw(st.integers(1, nodes))
    winner = split(state, parts, sees_witness=sees, owner=owner)
    if winner is not None:
        loss = lose(state, parts[1 - winner], witness=not sees[winner])
        assert loss.quorum

"""The library's quorum arithmetic: every vector, the rules by hand, and agreement with the lab's own at random."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starover_lab.world import quorum as lab

from starover.steps.dag import ClusterState, Node
from starover.steps.quorum import WITNESS, Voter, Votes, fatal, lose, losses, recalculated, returned, votes_of

VECTORS = json.loads((Path(__file__).parents[1] / "data" / "quorum_vectors.json").read_text("utf-8"))["vectors"]


def cluster(count: int, *, witness: bool, dynamic: bool = True, tie: str = "") -> Votes:
    nodes = tuple(Voter(name=f"EX{number}") for number in range(1, count + 1))
    return recalculated(Votes(nodes=nodes, witness=witness, online=witness, dynamic=dynamic, tie=tie))


def votes(state: Votes) -> dict[str, int]:
    return {node.name: node.vote for node in state.nodes}


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
def test_vector(vector: dict[str, Any]) -> None:
    state = cluster(vector["nodes"], witness=vector["witness"], dynamic=vector["dynamic"])
    for event in vector["events"]:
        down = [f"EX{number}" for number in event.get("down", [])]
        loss = lose(state, down, witness=event.get("witness_down", False), clean=event.get("clean", False))
        expect = event["expect"]
        assert loss.quorum is expect["quorum"]
        assert expect.get("votes", loss.votes) == loss.votes
        assert expect.get("total", loss.total) == loss.total
        for node, weight in expect.get("d", {}).items():
            assert votes(loss.after)[f"EX{node}"] == weight
        assert expect.get("W", loss.after.witness_vote) == loss.after.witness_vote
        state = loss.after


ACTS = st.lists(
    st.tuples(st.sampled_from(["lose", "clean", "join", "witness"]), st.sets(st.integers(1, 5), max_size=3)),
    max_size=6,
)


@given(st.integers(1, 5), st.booleans(), st.booleans(), ACTS)
def test_it_agrees_with_the_lab_that_was_written_without_it(
    count: int, witness: bool, dynamic: bool, acts: list[tuple[str, set[int]]]
) -> None:
    ours = cluster(count, witness=witness, dynamic=dynamic)
    theirs = lab.recalc(
        lab.Quorum(
            up=dict.fromkeys(range(1, count + 1), True), witness=witness, witness_online=witness, dynamic=dynamic
        )
    )
    for act, chosen in acts:
        some = sorted(one for one in chosen if one <= count)
        if act == "join":
            for one in some:
                ours, theirs = returned(ours, f"EX{one}"), lab.join(theirs, one)
        else:
            nodes = some[:1] if act == "clean" else some
            if any(not theirs.up[one] for one in nodes):
                continue
            mine = lose(ours, [f"EX{one}" for one in nodes], witness=act == "witness", clean=act == "clean")
            loss = lab.lose(theirs, nodes, witness=act == "witness", clean=act == "clean" and bool(nodes))
            if not (act == "clean" and not nodes):
                assert (mine.quorum, mine.votes, mine.total) == (loss.quorum, loss.votes, loss.total)
            if not loss.quorum:
                return
            ours, theirs = mine.after, loss.after
        assert list(votes(ours).values()) == [theirs.votes[node] for node in sorted(theirs.up)]
        assert ours.witness_vote == theirs.witness_vote


def test_names_may_be_short_or_full_in_any_case_and_what_is_down_costs_nothing() -> None:
    state = cluster(3, witness=False)
    assert lose(state, ["ex2.example.com"]).lost == ("EX2",)
    after = lose(state, ["EX1"]).after
    again = lose(after, ["EX1"])
    assert (again.quorum, again.votes) == (True, after.present)


def test_a_named_node_loses_the_tie_and_one_without_weight_never_votes() -> None:
    assert votes(cluster(4, witness=False, tie="EX2")) == {"EX1": 1, "EX2": 0, "EX3": 1, "EX4": 1}
    weightless = Votes(nodes=(Voter(name="EX1"), Voter(name="EX2"), Voter(name="EX3", weight=0)))
    assert votes(recalculated(weightless))["EX3"] == 0


def test_every_single_and_double_loss_and_each_zone_once_and_the_first_that_is_fatal() -> None:
    state = cluster(4, witness=True)
    zones = {"1a": ["EX1", "ex2.example.com"], "1b": ["EX3", "EX4", WITNESS], "1c": ["FSW3"]}
    seen = [loss.lost for loss in losses(state, zones)]
    assert len(seen) == len(set(seen)) == 5 + 10 + 1, "1a is a pair already, 1c has no voter"
    assert seen[-1] == ("EX3", "EX4", WITNESS)
    worst = fatal(state, zones)
    assert worst is not None
    assert worst.lost == ("EX3", "EX4", WITNESS)
    assert (worst.votes, worst.total, worst.needed) == (2, 5, 3)
    assert fatal(state) is None, "five votes bear any two losses"


def test_live_weights_are_taken_as_they_are_read() -> None:
    def node(name: str, state: str, dynamic: int) -> Node:
        return Node(name=name, state=state, information="", weight=1, dynamic=dynamic)

    nodes = (node("EX1", "Up", 1), node("EX2", "Paused", 0), node("EX3", "Down", 0))
    read = ClusterState(name="DAG1", dynamic_quorum=True, witness_weight=0, witness_state="Failed", nodes=nodes)
    live = votes_of(read)
    assert (live.up, live.present, live.total, live.needed, live.online) == (("EX1", "EX2"), 1, 1, 1, False)
    assert lose(live, ["EX2"]).quorum, "it has no vote"
    assert not lose(live, ["EX1"]).quorum

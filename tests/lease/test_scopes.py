"""Whom the lease is asked of, and that no two can hold it: pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from starover.errors import NotSafe
from starover.estate import Dag, Estate, Server
from starover.lease import Said, Scope, lacking, note_of, other, scope_of
from starover.values import Plain

SITES = {"EX1": "AZ1", "EX2": "AZ1", "EX3": "AZ2", "EX4": "AZ2", "FS1": "AZ1", "FS2": "AZ2", "DC1": "AZ1"}
ESTATE = Estate(
    name="unit",
    servers=tuple(
        Server(name=name, fqdn=f"{name}.example.com", roles=("mailbox",), site=site) for name, site in SITES.items()
    ),
    dags=(
        Dag(name="DAG1", members=("EX1", "EX2", "EX3", "EX4"), witness="FS1", alternate_witness="FS2"),
        Dag(name="ODD", members=("EX1", "EX2", "EX3"), witness="FS1"),
    ),
)


def scope(
    hosts: Sequence[str] = ("EX1",), handled: Sequence[str] = (), *, split: bool = False, **parameters: Plain
) -> Scope | None:
    return scope_of(ESTATE, "something", parameters, hosts, handled, split=split)


def test_an_ordinary_run_asks_the_members_and_one_witness() -> None:
    assert scope(dag="dag1") == Scope(dag="DAG1", members=("EX1", "EX2", "EX3", "EX4"), witnesses=("FS1",))
    assert scope(("EX4", "DC1")) == Scope(
        dag="DAG1", members=("EX1", "EX2", "EX3", "EX4"), witnesses=("FS1",), also=("DC1",)
    )
    assert scope(("DC1",)) is None, "no DAG is touched"
    assert scope_of(ESTATE, "lease-release", {"dag": "DAG1"}, ("EX1",), split=False) is None


def test_a_run_in_a_disaster_asks_every_survivor_and_looks_at_the_lost() -> None:
    by_site = scope(("EX3",), dag="DAG1", lost_site=["AZ1"], split=True)
    assert by_site is not None
    assert (by_site.members, by_site.lost, by_site.witnesses) == (("EX3", "EX4"), ("EX1", "EX2"), ("FS2",))
    assert by_site.every
    assert not by_site.silent_lost
    assert scope(("EX3",), dag="DAG1", lost_server=["ex1.example.com", "EX2"], split=True) is not None
    unnamed = scope(("EX3",), dag="DAG1", split=True)
    assert unnamed is not None
    assert (unnamed.silent_lost, lacking(unnamed, ["EX3"], silent=["EX1", "EX2", "EX4"])) == (True, 0)
    assert lacking(unnamed, ["EX3"], silent=["EX1", "EX2"]) == 1, "a member that answers must grant it"
    assert lacking(unnamed, [], silent=["EX1", "EX2", "EX3", "EX4"]) > 0


def test_a_dag_that_is_not_there_yet_asks_those_who_shall_be_members() -> None:
    new = scope((), dag="NEW", members=["EX1", "EX3"], witness_server="FS2")
    assert new == Scope(dag="NEW", members=("EX1", "EX3"), witnesses=("FS2",), every=True)
    empty = scope((), dag="NEW", members=[], witness_server="FS2")
    assert empty is not None
    assert empty.members == ("FS2",)


def test_a_member_that_is_off_and_shall_be_started_does_not_count() -> None:
    starting = scope((), ("EX2", "EX3", "EX4"), dag="DAG1")
    assert starting is not None
    assert lacking(starting, ["EX1"], silent=["EX2", "EX3", "EX4"]) == 0
    assert lacking(starting, ["EX1"], silent=["EX2"]) > 0, "what answers and does not grant it counts"


@pytest.mark.parametrize(
    ("granted", "gone", "short"),
    [
        (["EX1", "EX2", "EX3"], [], 0),
        (["EX1", "EX2"], [], 1),
        (["EX1", "EX2", "FS1"], [], 0),
        (["EX1", "EX2", "FS2"], [], 1),
        (["EX3", "EX4"], ["EX1", "EX2"], 0),
        (["EX3"], ["EX1", "EX2"], 1),
        (["EX3"], ["EX1", "EX2", "EX4"], 0),
        ([], [], 3),
    ],
)
def test_a_majority(granted: list[str], gone: list[str], short: int) -> None:
    ordinary = scope(dag="DAG1")
    assert ordinary is not None
    assert lacking(ordinary, granted, gone=gone) == short


@settings(max_examples=200, deadline=None)
@given(
    count=some.integers(1, 16),
    witness=some.booleans(),
    one=some.sets(some.integers(0, 16)),
    two=some.sets(some.integers(0, 16)),
)
def test_two_majorities_meet(count: int, witness: bool, one: set[int], two: set[int]) -> None:
    names = [f"EX{at}" for at in range(count)]
    made = Scope(dag="D", members=tuple(names), witnesses=("FS",) if witness else ())
    voters = [*names, *(["FS"] if witness and count % 2 == 0 else [])]
    first, second = ({voters[at] for at in some if at < len(voters)} for some in (one, two))
    if not lacking(made, first) and not lacking(made, second):
        assert first & second
    every = Scope(dag="D", members=tuple(names), every=True)
    assert (lacking(every, first) == 0) == (set(names) <= first)


def test_somebody_else_s_counts_wherever_it_is_seen() -> None:
    ordinary = scope(dag="DAG1")
    assert ordinary is not None
    mine = Said(state="mine", token=3, holder="a/a", note="", age=0)
    theirs = Said(state="held", token=9, holder="b/b", note='{"run":"9d20e6f4.1","who":"oncall-a"}', age=20)
    assert other(ordinary, {"EX1": mine, "EX2": mine, "EX3": mine}) is None
    seen = other(ordinary, {"EX1": mine, "EX2": mine, "EX3": mine, "EX4": theirs})
    assert seen is not None
    assert (seen.host, seen.note.run, seen.note.who) == ("EX4", "9d20e6f4.1", "oncall-a")


@pytest.mark.parametrize("text", ["", "null", "{", "[]", '{"run": 3}', '{"other": 1}'])
def test_a_note_that_cannot_be_read_is_an_empty_one(text: str) -> None:
    assert note_of(text).run == ""


def test_a_plan_about_members_of_two_dags_has_no_one_lease() -> None:
    two = msgspec.structs.replace(
        ESTATE, dags=(Dag(name="DAG1", members=("EX1", "EX2")), Dag(name="DAG2", members=("EX3", "EX4")))
    )
    with pytest.raises(NotSafe, match="EX1 of DAG1, EX4 of DAG2"):
        scope_of(two, "elb-drain", {}, ("EX1", "FS1"), ("EX4",), split=False)
    named = scope_of(two, "dag-set-witness", {"dag": "DAG1"}, ("EX1", "EX4"), split=False)
    assert named is not None
    assert (named.dag, named.also) == ("DAG1", ("EX4",)), "another DAG's member may be this one's witness"
    single = scope_of(two, "elb-drain", {}, ("FS1", "EX4"), split=False)
    assert single is not None
    assert single.dag == "DAG2"

"""Orders, sources, lanes and room of copies that are to be: pure, by hand and by property."""

from __future__ import annotations

from datetime import timedelta

import pytest
from dag_facts import status
from hypothesis import given
from hypothesis import strategies as st
from placements import GB, place

from starover.errors import BadParameter, NotSafe
from starover.estate import Estate, Exchange, Server
from starover.names import CopyId
from starover.steps.copy_plan import DatabasePlan, check_room, lanes, notes, plan_database
from starover.steps.copy_spec import CopySpec, Lag
from starover.steps.dag import Volume
from starover.steps.placement import Placement
from starover.steps.preferences import after_adding, spread, wanted_order

ZONES = {"EX1": "1a", "EX2": "1a", "EX3": "1b", "EX4": "1b", "EX5": "1c"}
ESTATE = Estate(
    name="unit",
    servers=tuple(
        Server(name=name, fqdn=f"{name}.example.com", roles=("mailbox",), az=az, exchange=Exchange())
        for name, az in ZONES.items()
    ),
)


def spec(text: str) -> CopySpec:
    return CopySpec.parse(f"DB01={text}")


def planned(now: Placement, *texts: str, source: str | None = None) -> DatabasePlan:
    return plan_database(now, sorted(map(spec, texts), key=lambda one: one.preference), ESTATE, source)


SINGLE = place(status("EX1", "Mounted"))
PAIR = place(status("EX1", "Mounted"), status("EX3"))


@pytest.mark.parametrize(
    ("order", "places", "wanted"),
    [
        (["EX1"], {"EX2": 2}, ["EX1", "EX2"]),
        (["EX1"], {"EX2": 1}, ["EX2", "EX1"]),
        (["EX1", "EX2"], {"EX3": 2, "EX4": 4}, ["EX1", "EX3", "EX2", "EX4"]),
        (["EX1", "EX2"], {"ex2.example.com": 1}, ["ex2.example.com", "EX1"]),
        (["EX1"], {"EX2": 3}, None),
        (["EX1"], {"EX2": 2, "EX3": 2}, None),
    ],
)
def test_where_each_copy_ends_up(order: list[str], places: dict[str, int], wanted: list[str] | None) -> None:
    assert wanted_order(order, places) == wanted


@given(st.permutations(list(ZONES)), st.integers(1, 5), st.data())
def test_adding_in_the_order_of_preference_leaves_the_wanted_order(
    servers: list[str], count: int, data: st.DataObject
) -> None:
    there, new = servers[:-count], servers[-count:]
    free = data.draw(st.permutations(range(1, len(servers) + 1)))
    places = dict(sorted(zip(new, free, strict=False), key=lambda pair: pair[1]))
    wanted = wanted_order(there, places)
    assert wanted is not None
    if there or min(places.values()) == 1:
        assert after_adding(there, list(places.items())) == wanted


def test_the_guides_case_needs_nothing_but_the_copy() -> None:
    plan = planned(SINGLE, "EX3,pref=2")
    (one,) = plan.copies
    assert (one.exists, one.preference, one.source) == (False, 2, "")
    assert plan.order == ("EX1", "EX3")


def test_the_first_copy_of_a_zone_crosses_the_wan_the_next_one_does_not() -> None:
    plan = planned(SINGLE, "EX2,pref=4", "EX3,pref=2", "EX4,pref=3", "EX5,pref=5")
    assert {one.spec.server: one.source for one in plan.copies} == {"EX3": "", "EX4": "EX3", "EX2": "", "EX5": ""}


def test_a_copy_that_is_behind_gives_no_seed() -> None:
    plan = planned(SINGLE, "EX2,pref=2", "EX3,pref=4,replay-lag=7d", "EX4,pref=3")
    assert {one.spec.server: one.source for one in plan.copies}["EX3"] == "EX4"
    lagged = place(status("EX1", "Mounted"), status("EX3"), lags={"EX3": "7.00:00:00"})
    with pytest.raises(BadParameter, match="EX3 must have the last preference"):
        planned(lagged, "EX4,pref=3")
    assert planned(lagged, "EX4,pref=2").copies[0].source == ""


def test_a_copy_that_is_not_whole_gives_no_seed() -> None:
    broken = place(status("EX1", "Mounted"), status("EX3", "FailedAndSuspended"))
    assert planned(broken, "EX4,pref=3").copies[0].source == ""
    assert planned(PAIR, "EX4,pref=3").copies[0].source == "EX3"


def test_one_source_for_all_and_the_active_one_needs_no_name() -> None:
    assert planned(PAIR, "EX4,pref=3", source="EX1").copies[0].source == ""
    assert planned(PAIR, "EX5,pref=3", source="EX3").copies[0].source == "EX3"


def test_a_place_behind_the_end_is_asked_for_when_it_is_there() -> None:
    plan = planned(SINGLE, "EX3,pref=1", "EX2,pref=3")
    assert [(one.spec.server, one.preference) for one in plan.copies] == [("EX3", 1), ("EX2", 3)]
    assert planned(PAIR, "EX3,pref=1").copies[0].preference is None, "it is there: the order is put right at the end"
    with pytest.raises(BadParameter, match="will have 2 copies"):
        planned(SINGLE, "EX3,pref=3")


def test_lanes_share_no_more_than_so_many_seeds_of_one_giving_server() -> None:
    def of(name: str, active: str) -> DatabasePlan:
        return planned(place(status(active, "Mounted"), name=name), "EX5,pref=2")

    plans = [of("A", "EX1"), of("B", "EX2"), of("C", "EX1"), of("D", "EX1")]
    assert [[one.name for one in lane] for lane in lanes(plans, 2)] == [["A", "D"], ["C"], ["B"]]
    assert [[one.name for one in lane] for lane in lanes(plans, 1)] == [["A", "C", "D"], ["B"]]
    assert len(lanes(plans, 8)) == 4


def test_what_fits_alone_may_not_fit_together() -> None:
    plans = [planned(place(status("EX1", "Mounted"), name=name), "EX3,pref=2") for name in "AB"]
    roomy = [Volume(name="C:\\", capacity=GB, free=GB), Volume(name="D:\\", capacity=500 * GB, free=100 * GB)]
    check_room("EX3", roomy, plans)
    tight = [*roomy, Volume(name="D:\\Databases\\", capacity=500 * GB, free=90 * GB)]
    with pytest.raises(NotSafe, match=r"96 GB on D:\\Databases\\ of EX3, and 90 GB are free"):
        check_room("EX3", tight, plans)
    check_room("EX4", tight, plans)


def test_safety_net_that_is_shorter_than_the_lag_is_said() -> None:
    plan = planned(SINGLE, "EX3,pref=2,replay-lag=7d")
    said = notes([plan], timedelta(days=2))[CopyId("DB01", "EX3")]
    assert "Safety Net holds mail for 2d" in said
    assert "Safety Net" not in notes([plan], timedelta(days=7))[CopyId("DB01", "EX3")]
    assert plan.copies[0].spec.replay_lag == Lag.parse("7d")


# -- spreading ---------------------------------------------------------------------------------------------------------


@st.composite
def layouts(draw: st.DrawFn) -> dict[str, tuple[list[str], list[str]]]:
    names = [f"DB{n:02}" for n in range(draw(st.integers(1, 12)))]
    layout: dict[str, tuple[list[str], list[str]]] = {}
    for name in names:
        order = draw(st.permutations(list(ZONES)))[: draw(st.integers(1, 5))]
        behind = draw(st.sets(st.sampled_from(order), max_size=len(order) - 1))
        layout[name] = (order, sorted(behind))
    return layout


@given(layouts())
def test_spreading_keeps_every_copy_and_puts_lagged_ones_last(layout: dict[str, tuple[list[str], list[str]]]) -> None:
    for name, order in spread(layout, ZONES).items():
        before, behind = layout[name]
        assert sorted(order) == sorted(before)
        assert set(order[len(order) - len(behind) :]) == set(behind)


@given(layouts())
def test_no_first_place_can_be_given_to_a_server_with_two_less(
    layout: dict[str, tuple[list[str], list[str]]],
) -> None:
    made = spread(layout, ZONES)
    count = {server: sum(order[0] == server for order in made.values()) for server in ZONES}
    for name, order in made.items():
        for other in (one for one in order if one not in layout[name][1]):
            assert count[order[0]] - count[other] <= 1


def test_spreading_what_is_even_already_moves_no_first_place() -> None:
    layout = {f"DB{n}": ([f"EX{n}", *(f"EX{m}" for m in range(1, 5) if m != n)], list[str]()) for n in range(1, 5)}
    assert {name: order[0] for name, order in spread(layout, ZONES).items()} == {
        f"DB{n}": f"EX{n}" for n in range(1, 5)
    }


def test_the_second_place_is_in_another_zone() -> None:
    layout = {"DB1": (["EX1", "EX2", "EX3", "EX4"], list[str]())}
    assert spread(layout, ZONES)["DB1"] == ["EX1", "EX3", "EX2", "EX4"]


def test_chains_are_found_where_no_single_move_helps() -> None:
    """A can only move to EX2, which is full because of B, which can move on to EX3."""
    layout = {"A": (["EX1", "EX2"], []), "B": (["EX2", "EX3"], []), "C": (["EX1"], list[str]())}
    assert {name: order[0] for name, order in spread(layout, ZONES).items()} == {"A": "EX2", "B": "EX3", "C": "EX1"}

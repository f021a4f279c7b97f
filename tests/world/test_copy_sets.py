"""Copies come and go: adding, seeding and removing them, preferences, and what each DC knows of it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starover_lab.world.errors import WorldError
from starover_lab.world.world import World
from world.conftest import Lab, refusal


def preferences(world: World, database: str) -> list[str]:
    return [copy.server for copy in sorted(world.database(database).copies, key=lambda copy: copy.preference)]


def without(one: Lab, database: str, *servers: str) -> Lab:
    for server in servers:
        one.world.copies.remove(database, server, "EX1")
    return one


def test_two_databases_get_their_second_copies_side_by_side(lab: Callable[..., Lab]) -> None:
    """S3 as the world sees it: 40 GB and 60 GB at 60 MB/s from two sources."""
    one = lab("aws-2az", dag=True)
    world = one.world
    for database, server in (("DB1", "ExchangeNode2"), ("DB2", "ExchangeNode1")):
        world.copies.remove(database, server, "ExchangeNode1")
        world.server(server).files.remove(world.database(database).edb_path)
    ends = {}
    for database, server in (("DB1", "ExchangeNode2"), ("DB2", "ExchangeNode1")):
        operation = world.copies.add(database, server, "ExchangeNode1", preference=2, mode="postpone")
        assert [notice.kind for notice in operation.notices] == ["copy_needs_seed", "restart_store"]
        assert operation.ends == world.now
        assert one.statuses(database)[server] == "Suspended"
        ends[database] = (world.update_copy(database, server, "ExchangeNode1") - world.now).total_seconds()
    assert ends["DB1"] == pytest.approx(40 * 2**30 / 60e6, rel=0.01)
    assert ends["DB2"] == pytest.approx(60 * 2**30 / 60e6, rel=0.01)
    one.later(max(ends.values()) + 1)
    one.later(minutes=3)
    for database in ("DB1", "DB2"):
        assert sorted(one.statuses(database).values()) == ["Healthy", "Mounted"]
        passive = next(copy for copy in world.database(database).copies if copy.preference == 2)
        view = world.copy_view(database, passive.server, "ExchangeNode1")
        assert (view.copy_queue <= 10, view.activation_suspended, view.ci_state) == (True, False, "NotApplicable")
    assert world.violations() == []


def test_a_copy_that_seeds_at_once(lab: Callable[..., Lab]) -> None:
    one = without(lab(), "DB01", "EX2")
    one.world.server("EX2").files.remove(one.world.database("DB01").edb_path)
    operation = one.world.copies.add("DB01", "ex2.example.com", "EX1", preference=2, replay_lag_s=3600)
    assert one.statuses("DB01")["EX2"] == "Seeding"
    assert preferences(one.world, "DB01") == ["EX1", "EX2", "EX3", "EX4"], "the others make room"
    one.later((operation.ends - one.world.now).total_seconds() + 1)
    one.later(minutes=5)
    assert one.statuses("DB01")["EX2"] == "Healthy"
    assert one.world.violations() == []


def test_a_copy_by_configuration_only_fails_until_it_is_seeded(lab: Callable[..., Lab]) -> None:
    one = without(lab(), "DB01", "EX2")
    one.world.server("EX2").files.remove(one.world.database("DB01").edb_path)
    one.world.copies.add("DB01", "EX2", "EX1", mode="configuration")
    assert one.statuses("DB01")["EX2"] == "Initializing"
    one.later(minutes=1)
    assert one.statuses("DB01")["EX2"] == "Failed"
    one.world.suspend_copy("DB01", "EX2", "EX1")
    one.world.update_copy("DB01", "EX2", "EX1")
    one.later(hours=1)
    assert one.statuses("DB01")["EX2"] == "Healthy"


def test_resuming_what_was_never_seeded_does_not_make_it_healthy(lab: Callable[..., Lab]) -> None:
    one = without(lab(), "DB01", "EX2")
    one.world.copies.add("DB01", "EX2", "EX1", mode="postpone")
    one.world.resume_copy("DB01", "EX2", "EX1")
    one.later(minutes=2)
    assert one.statuses("DB01")["EX2"] == "FailedAndSuspended"


def test_files_of_an_earlier_copy_stay_and_must_be_deleted(lab: Callable[..., Lab]) -> None:
    one = lab()
    world = one.world
    operation = world.copies.remove("DB01", "EX2", "EX1")
    assert operation.notices[0].data["edb_path"] == "D:\\Databases\\DB01\\DB01.edb"
    assert preferences(world, "DB01") == ["EX1", "EX3", "EX4"]
    assert refusal(lambda: world.copies.add("DB01", "EX2", "EX1")).kind == "files_exist"
    world.copies.add("DB01", "EX2", "EX1", mode="postpone")
    assert refusal(lambda: world.update_copy("DB01", "EX2", "EX1")).kind == "files_exist"
    world.update_copy("DB01", "EX2", "EX1", safe_delete=True)
    one.later(hours=1)
    assert one.statuses("DB01")["EX2"] == "Healthy"


def test_what_cannot_be_added(lab: Callable[..., Lab]) -> None:
    one = lab()
    world = one.world

    def add(**how: object) -> WorldError:
        given = {"database": "DB01", "server": "EX2", "asked": "EX1", **how}
        return refusal(lambda: world.copies.add(**given))  # type: ignore[arg-type]

    assert add().kind == "copy_exists"
    assert add(database="DB99").kind == "not_found"
    assert add(server="FSW3").kind == "not_found"
    world.copies.remove("DB01", "EX2", "EX1")
    assert add(preference=5).data["allowed"] == "1-4"
    assert add(preference=0).kind == "invalid"
    assert add(replay_lag_s=15 * 86_400.0).data["parameter"] == "ReplayLagTime"
    world.fault("host_off", "EX2")
    assert add().kind == "server_down"
    world.mend()
    one.later(minutes=10)
    world.database("DB01").log_path = "X:\\Logs"
    assert add().data["path"] == "X:\\Logs"
    world.database("DB01").log_path = world.database("DB02").log_path
    assert add().kind == "path_unavailable"
    assert preferences(world, "DB01") == ["EX1", "EX3", "EX4"], "nothing was half done"


def test_the_active_copy_must_be_mounted_and_without_circular_logging(lab: Callable[..., Lab]) -> None:
    one = without(lab("aws-2az", dag=True), "DB1")
    world = one.world
    world.copies.remove("DB1", "ExchangeNode2", "ExchangeNode1")
    world.database("DB1").circular_logging = True

    def add() -> str:
        return refusal(lambda: world.copies.add("DB1", "ExchangeNode2", "ExchangeNode1", mode="postpone")).kind

    assert add() == "circular_logging"
    world.database("DB1").circular_logging = False
    world.dismount("DB1", "ExchangeNode1")
    assert add() == "not_mounted"


def test_a_server_outside_the_dag_gets_no_copy(lab: Callable[..., Lab]) -> None:
    world = lab("aws-3az-full", dag=True).world
    error = refusal(lambda: world.copies.add("DB1", "ExchangeNode3", "ExchangeNode1"))
    assert (error.kind, error.data["dag"]) == ("not_member", "DAG")
    world = lab("aws-2az").world
    assert refusal(lambda: world.copies.add("DB1", "ExchangeNode2", "ExchangeNode1")).kind == "not_member"


def test_what_cannot_be_removed(lab: Callable[..., Lab]) -> None:
    world = lab("aws-2az", dag=True).world
    assert refusal(lambda: world.copies.remove("DB1", "ExchangeNode1", "ExchangeNode1")).kind == "active_copy"
    assert refusal(lambda: world.copies.remove("DB1", "FileServer", "ExchangeNode1")).kind == "not_found"
    world.database("DB1").circular_logging = True
    assert refusal(lambda: world.copies.remove("DB1", "ExchangeNode2", "ExchangeNode1")).kind == "circular_logging"


def test_safe_delete_needs_another_good_copy(lab: Callable[..., Lab]) -> None:
    one = lab("aws-2az", dag=True)
    world = one.world
    world.suspend_copy("DB1", "ExchangeNode2", "ExchangeNode1")
    world.dismount("DB1", "ExchangeNode1")
    one.later(10)
    error = refusal(lambda: world.update_copy("DB1", "ExchangeNode2", "ExchangeNode1", safe_delete=True))
    assert error.kind == "no_other_copy"


def test_a_seed_goes_over_the_network_that_was_named(lab: Callable[..., Lab]) -> None:
    one = lab("rep-net-2013")
    world = one.world
    world.suspend_copy("DB21", "MBX2", "MBX1")

    def seed(network: str | None) -> str:
        world.update_copy("DB21", "MBX2", "MBX1", network=network, delete_existing=True)
        used = world.copy_view("DB21", "MBX2", "MBX1").seed_network
        world.cancel_seed("DB21", "MBX2", "MBX1")
        return used

    assert seed(None) == "ReplicationDagNetwork01"
    assert seed("DAG2\\mapidagnetwork") == "MapiDagNetwork"
    error = refusal(lambda: world.update_copy("DB21", "MBX2", "MBX1", network="DAG2\\Nowhere", delete_existing=True))
    assert (error.kind, error.data["object"]) == ("not_found", "network")


def test_a_stalled_seed_gets_no_further_until_it_is_mended(lab: Callable[..., Lab]) -> None:
    one = lab()
    world = one.world
    world.suspend_copy("DB01", "EX3", "EX1")
    world.update_copy("DB01", "EX3", "EX1", delete_existing=True)
    one.later(minutes=5)
    world.fault("seed_stall", "DB01/EX3")
    before = world.copy_view("DB01", "EX3", "EX1").seed_bytes
    one.later(hours=2)
    view = world.copy_view("DB01", "EX3", "EX1")
    assert (view.status, view.seed_bytes) == ("Seeding", before)
    assert before > 0
    world.mend()
    one.later(hours=1)
    assert one.statuses("DB01")["EX3"] == "Healthy"


def test_a_content_index_comes_with_the_seed_or_by_itself_or_is_crawled(lab: Callable[..., Lab]) -> None:
    one = lab("rep-net-2013")
    world = one.world

    def index() -> str:
        return world.copy_view("DB21", "MBX2", "MBX1").ci_state

    world.fault("ci_failed", "DB21/MBX2", state="FailedAndSuspended")
    ends = world.update_copy("DB21", "MBX2", "MBX1", catalog_only=True)
    assert (index(), one.statuses("DB21")["MBX2"]) == ("Seeding", "Healthy")
    assert refusal(lambda: world.update_copy("DB21", "MBX2", "MBX1", catalog_only=True)).kind == "seed_in_progress"
    one.later((ends - world.now).total_seconds())
    assert index() == "Healthy"
    world.fault("ci_failed", "DB22/MBX2")
    assert refusal(lambda: world.update_copy("DB22", "MBX1", "MBX1", catalog_only=True)).kind == "source_unhealthy"
    world.suspend_copy("DB21", "MBX2", "MBX1")
    world.update_copy("DB21", "MBX2", "MBX1", delete_existing=True, database_only=True)
    one.later(minutes=40)
    assert (one.statuses("DB21")["MBX2"], index()) == ("Healthy", "Crawling")
    one.later(hours=2)
    assert index() == "Healthy"


def test_each_dc_learns_of_copies_in_its_time(lab: Callable[..., Lab]) -> None:
    one = lab()
    world = one.world
    world.set_preference("DB01", "EX3", "EX1", 1)
    world.set_lag("DB01", "EX2", "EX1", replay_s=7200, replay_lag_max_delay_s=60)

    def known(asked: str, dc: str | None = None) -> list[tuple[str, float]]:
        return [(copy.server, copy.replay_lag_s) for copy in world.copies.config("db01", asked, dc=dc).copies]

    week = 7 * 86_400.0
    assert known("EX1") == [("EX3", 0), ("EX1", 0), ("EX2", 7200), ("EX4", week)]
    assert known("EX4") == [("EX1", 0), ("EX3", 0), ("EX2", 0), ("EX4", week)]
    assert known("EX4", "DC1.example.com") == known("EX1")
    one.later(181)
    assert known("EX4") == known("EX1")


def test_preferences_in_ascending_order_end_as_wished(lab: Callable[..., Lab]) -> None:
    """S11 as the world sees it."""
    one = lab()
    world = one.world
    for place, server in enumerate(("EX1", "EX2", "EX4", "EX3"), start=1):
        world.set_preference("DB02", server, "EX1", place)
    wished, calls = ["EX2", "EX4", "EX1", "EX3"], 0
    for place, server in enumerate(wished, start=1):
        if preferences(world, "DB02")[place - 1] != server:
            world.set_preference("DB02", server, "EX1", place)
            calls += 1
        assert sorted(copy.preference for copy in world.database("DB02").copies) == [1, 2, 3, 4]
    assert preferences(world, "DB02") == wished
    assert calls <= 4
    assert world.violations() == []


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["add", "remove", "prefer"]), st.sampled_from(["EX2", "EX3", "EX4"]), st.integers(1, 4)
        ),
        max_size=12,
    )
)
def test_preferences_are_one_to_n_whatever_happens(steps: list[tuple[str, str, int]]) -> None:
    world = World.from_topology("pa-4x2")
    for what, server, place in steps:
        with contextlib.suppress(WorldError):
            if what == "add":
                world.copies.add("DB01", server, "EX1", preference=place, mode="postpone")
            elif what == "remove":
                world.copies.remove("DB01", server, "EX1")
            else:
                world.set_preference("DB01", server, "EX1", place)
        count = len(world.database("DB01").copies)
        assert sorted(copy.preference for copy in world.database("DB01").copies) == list(range(1, count + 1))
    assert world.violations() == []

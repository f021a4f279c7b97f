"""What the step kinds for adding, seeding, ordering and barring copies decide, by hand: no engine, no host."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from dag_facts import status
from placements import GB, pair, place, view

from starover.errors import BadReport
from starover.estate import Server
from starover.names import CopyId
from starover.step import Blocked, Change, Left, Risk
from starover.steps.copies import CopyStatus, DatabaseCopies
from starover.steps.dag import Pair, Volume
from starover.steps.lags import TransportConfig, held, lag_lowered, lag_set, safety_net_note
from starover.steps.placement import HostView, Placement, SeedOf, ServerFacts, bytes_in, preference_text
from starover.steps.preferences import Policies, ordered, policy_set
from starover.steps.seeding import barred, catalog_seeded, copy_added, copy_removed, seed_limit, seeded, seeded_over

EX3 = Server(name="EX3", fqdn="EX3.example.com", roles=("mailbox",))
COPY = CopyId("DB01", "EX3")
SINGLE = place(status("EX1", "Mounted"))
ADDED = place(status("EX1", "Mounted"), status("EX3", "Suspended", activation_suspended=True))


def add(now: HostView, **more: Any) -> Change | Blocked | None:
    asked: dict[str, Any] = {"preference": 2, "replay_lag": None, "truncation_lag": None, "note": "be warned"}
    return copy_added(now, database="DB01", server="EX3", **(asked | more))


def seed(now: HostView, **more: Any) -> Change | Blocked | None:
    asked: dict[str, Any] = {"source": "", "files": "keep", "what": "all", "coming": False, "discard": False}
    return seeded(now, identity=COPY, database="DB01", comment="x", **(asked | more))


def order(now: Placement, *servers: str, coming: tuple[str, ...] = ()) -> Change | Blocked | None:
    return ordered(now, database="DB01", order=tuple(CopyId("DB01", one) for one in servers), coming=coming)


def why(change: Change | Blocked | None) -> str:
    assert isinstance(change, Blocked), change
    return change.why


def changed(change: Change | Blocked | None) -> Change:
    assert isinstance(change, Change), change
    return change


# -- adding ------------------------------------------------------------------------------------------------------------


def test_a_copy_is_added_where_none_is() -> None:
    change = changed(add(view("EX3", SINGLE), replay_lag=timedelta(days=7)))
    assert (change.what, change.now, change.wanted, change.action) == (
        "DB01/EX3",
        "none",
        "preference 2, replay lag 7d",
        "add",
    )
    assert change.note == "be warned"
    assert "next preference" in changed(add(view("EX3", SINGLE), preference=None)).wanted
    assert add(view("EX3", ADDED)) is None
    assert add(view("EX3", SINGLE), preference=1) != add(view("EX3", SINGLE)), "the preference binds an approval"


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (view("EX3", place(found=False)), "there is no database DB01"),
        (view("EX3", SINGLE, servers=()), "no server with mailbox databases"),
        (view("EX3", place(status("EX1", "Dismounted", active=True))), "not mounted"),
        (view("EX3", place(status("EX1", "Mounted"), circular_logging=True)), "circular logging"),
        (view("EX3", SINGLE, files=True), "has a file at D:\\Databases\\DB01\\DB01.edb already"),
        (view("EX3", SINGLE, free=47 * GB), "needs 48 GB on D:\\ of EX3, and 47 GB are free"),
        (view("EX3", place(status("EX1", "Mounted"), log_folder="L:\\Logs")), "no volume for L:\\Logs"),
        (view("EX3", place(status("EX1", "Mounted"), edb_path="X:\\a.edb")), "no volume for X:\\a.edb"),
        (view("EX3", place(*(status(f"EX{n}", "Mounted" if n == 20 else "Healthy") for n in range(20, 36)))), "16"),
    ],
)
def test_what_forbids_a_copy(now: HostView, reason: str) -> None:
    assert reason in why(add(now))


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"dag": ""}, "a member of no DAG"),
        ({"dag": "example.com/Configuration/DAG2"}, "a member of DAG2"),
        ({"build": "Version 15.1 (Build 2507.6)"}, "one DAG has one version"),
    ],
)
def test_a_copy_stays_within_one_dag_and_one_version(facts: dict[str, str], reason: str) -> None:
    here = {"name": "EX3", "dag": "DAG1", "build": "Version 15.2 (Build 2562.37)", "policy": "Unrestricted"}
    servers = (ServerFacts(**(here | {"name": "EX1"})), ServerFacts(**(here | facts)))
    assert reason in why(add(view("EX3", SINGLE, servers=servers)))
    assert "active" not in why(add(view("EX3", SINGLE, servers=servers)))


def test_2019_and_se_may_share_a_dag() -> None:
    servers = (
        ServerFacts(name="EX1", dag="x/DAG1", build="Version 15.2 (Build 1544.4)", policy=""),
        ServerFacts(name="EX3", dag="DAG1", build="Version 15.2 (Build 2562.37)", policy=""),
    )
    assert isinstance(add(view("EX3", SINGLE, servers=servers)), Change)


def test_a_mount_point_counts_before_the_drive_it_is_on() -> None:
    volumes = (
        Volume(name="D:\\", capacity=GB, free=400 * GB),
        Volume(name="d:\\databases\\db01\\", capacity=GB, free=10 * GB),
        Volume(name="E:\\", capacity=GB, free=400 * GB),
    )
    assert "10 GB are free" in why(add(view("EX3", SINGLE, volumes=volumes)))


def test_undo_removes_only_what_was_not_there() -> None:
    step = copy_added.on(
        EX3, database="DB01", server="EX3", preference=2, replay_lag=None, truncation_lag=None, note=""
    )
    assert step.revert is not None
    back = step.revert(msgspec.json.encode(view("EX3", SINGLE)))
    assert back is not None
    assert (back.kind.name, back.kind.risk, back.arguments["identity"]) == ("copy_removed", Risk.DATA, COPY)
    assert step.revert(msgspec.json.encode(view("EX3", ADDED))) is None


def test_an_active_copy_is_never_removed() -> None:
    def remove(*copies: CopyStatus) -> Change | Blocked | None:
        return copy_removed(DatabaseCopies(copies=copies), identity=COPY, database="DB01")

    assert "active" in why(remove(status("EX3", "Mounted"), status("EX1")))
    change = changed(remove(status("EX3"), status("EX1", "Mounted")))
    assert (change.action, "one copy" in change.note, "files stay" in change.note) == ("remove", True, True)
    assert remove(status("EX1", "Mounted")) is None


# -- seeding -----------------------------------------------------------------------------------------------------------


def test_the_plan_of_a_seed_is_the_same_before_and_after_its_copy_is_added() -> None:
    planned = changed(seed(view("EX3", SINGLE), coming=True))
    assert planned == seed(view("EX3", ADDED), coming=True)
    assert (planned.now, planned.wanted) == ("no database", "Healthy, seeded from EX1")
    assert "hosts no copy" in why(seed(view("EX3", SINGLE)))


@pytest.mark.parametrize("state", ["Healthy", "SeedingSource", "DisconnectedAndHealthy"])
def test_a_copy_that_holds_its_database_is_not_seeded_whatever_its_queue(state: str) -> None:
    now = place(status("EX1", "Mounted"), status("EX3", state, copy_queue=5000))
    for files in ("keep", "safe-delete", "delete"):
        assert seed(view("EX3", now, files=True), files=files) is None


@pytest.mark.parametrize("state", ["Seeding", "Initializing", "Resynchronizing"])
def test_a_seed_under_way_is_waited_for(state: str) -> None:
    now = place(status("EX1", "Mounted"), status("EX3", state))
    assert changed(seed(view("EX3", now))).now == state


BROKEN = {"error_message": "File check failed : Logfile 'E0000072921.log' was not found."}
DIVERGED = {"error_message": "The log file has diverged from the active copy."}


@pytest.mark.parametrize(
    ("copies", "files", "asked", "reason"),
    [
        ((status("EX3", "Mounted"), status("EX1")), True, {}, "active copy: it is never seeded"),
        ((status("EX1", "Dismounted", active=True), status("EX3", "Suspended")), False, {}, "no other copy"),
        ((status("EX1", "Mounted"), status("EX3", "ServiceDown")), True, {}, "does not answer"),
        (
            (status("EX1", "Mounted"), status("EX2", "Failed"), status("EX3", "Suspended")),
            False,
            {"source": "EX2"},
            "EX2",
        ),
        ((status("EX1", "Mounted"), status("EX3", "Suspended")), False, {"source": "EX4"}, "EX4 cannot give"),
        ((status("EX1", "Mounted"), status("EX2", "Seeding"), status("EX3", "Suspended")), False, {}, "DB01/EX2"),
        ((status("EX1", "Mounted"), status("EX3", "Suspended")), True, {}, "Suspended and holds its database"),
        ((status("EX1", "Mounted"), status("EX3", "FailedAndSuspended", **BROKEN)), True, {}, "would have to delete"),
        ((status("EX1", "Mounted"), status("EX3", "FailedAndSuspended")), True, {}, "may have diverged"),
        (
            (status("EX1", "Mounted"), status("EX3", "FailedAndSuspended", **DIVERGED)),
            True,
            {"files": "safe-delete"},
            "may have diverged",
        ),
    ],
)
def test_what_is_not_seeded(copies: tuple[CopyStatus, ...], files: bool, asked: dict[str, Any], reason: str) -> None:
    assert reason in why(seed(view("EX3", place(*copies), files=files), **asked))


def test_files_that_may_go_are_in_the_plan() -> None:
    failed = view("EX3", place(status("EX1", "Mounted"), status("EX3", "FailedAndSuspended", **BROKEN)), files=True)
    assert changed(seed(failed, files="safe-delete")).now == "FailedAndSuspended, with files"
    diverged = view("EX3", place(status("EX1", "Mounted"), status("EX3", "FailedAndSuspended", **DIVERGED)), files=True)
    assert isinstance(seed(diverged, files="safe-delete", discard=True), Change)
    assert seeded_over.risk is Risk.DATA


def test_a_source_that_is_to_come_is_looked_at_when_it_has() -> None:
    assert changed(seed(view("EX3", SINGLE), source="EX4", coming=True)).wanted == "Healthy, seeded from EX4"
    there = place(status("EX1", "Mounted"), status("EX4", "Suspended"), status("EX3", "Suspended"))
    assert "EX4 cannot give" in why(seed(view("EX3", there), source="EX4", coming=True))


def test_a_seed_that_broke_off_is_noticed_while_waiting_and_wanted_anew_by_the_next_run() -> None:
    broken = view(
        "EX3", place(status("EX1", "Mounted"), status("EX3", "FailedAndSuspended", error_message="TcpChannel"))
    )
    step = seeded.on(
        EX3,
        identity=COPY,
        database="DB01",
        source="",
        files="keep",
        what="all",
        comment="x",
        coming=True,
        discard=False,
    )
    verdict = step.verdict(msgspec.json.encode(broken))
    assert verdict.blocked is not None
    assert "TcpChannel" in verdict.blocked.why
    assert isinstance(step.change(msgspec.json.encode(broken)), Change)
    suspended = step.verdict(msgspec.json.encode(view("EX3", ADDED)))
    assert (suspended.done, suspended.blocked) == (False, None)


def test_what_is_left_of_a_seed_falls_to_nothing() -> None:
    def left(state: str, text: str = "", **fields: Any) -> int:
        now = place(status("EX1", "Mounted"), status("EX3", state, **fields))
        found = view("EX3", now, seeds=(SeedOf(server="EX3", status=text),))
        assert seeded.progress is not None
        said = seeded.progress(found)
        assert isinstance(said, Left)
        return said.total

    stages = [
        left("Suspended"),
        left("Seeding", "Percentage:0; Read:0 B (0 bytes); Written:"),
        left("Seeding", "Percentage:50; Read:20 GB (21,474,836,480 bytes); Written:"),
        left("Seeding", "Percentage:75; Read:; Written:"),
        left("Initializing", copy_queue=40),
        left("Healthy", copy_queue=3),
        left("Healthy"),
    ]
    assert stages == sorted(stages, reverse=True)
    assert stages[-1] == 0
    assert stages[1] - stages[2] == 20 * 1024


def test_how_long_a_seed_may_take() -> None:
    assert seed_limit(40 * GB) == pytest.approx(40 * GB / 10e6 + 3600)
    assert seed_limit(None) == 86_400


def test_a_catalog_is_seeded_only_where_there_is_one() -> None:
    def index(*copies: CopyStatus) -> Change | Blocked | None:
        return catalog_seeded(DatabaseCopies(copies=copies), identity=COPY, database="DB01")

    good = status("EX1", "Mounted", content_index="Healthy")
    assert "from Exchange 2019 on" in why(index(good, status("EX3")))
    assert index(good, status("EX3", content_index="Healthy")) is None
    assert changed(index(good, status("EX3", content_index="Failed"))).now == "index Failed"
    assert "no other copy" in why(index(status("EX3", content_index="Failed")))


# -- barring -----------------------------------------------------------------------------------------------------------


def test_a_copy_is_barred_after_it_was_seeded() -> None:
    def bar(*copies: CopyStatus, coming: bool) -> Change | Blocked | None:
        return barred(DatabaseCopies(copies=copies), identity=COPY, database="DB01", comment="x", coming=coming)

    active = status("EX1", "Mounted")
    planned = changed(bar(active, coming=True))
    assert planned == bar(active, status("EX3", "Suspended", activation_suspended=True), coming=True)
    assert planned == bar(active, status("EX3"), coming=True)
    assert bar(active, status("EX3", activation_suspended=True), coming=True) is None
    assert bar(active, status("EX3", "Suspended", activation_suspended=True), coming=False) is None
    assert "hosts no copy" in why(bar(active, coming=False))


# -- order -------------------------------------------------------------------------------------------------------------

FOUR = place(status("EX1", "Mounted"), status("EX2"), status("EX4"), status("EX3"), lags={"EX3": "7.00:00:00"})


def test_an_order_that_differs_is_a_change_that_says_both() -> None:
    change = changed(order(FOUR, "EX2", "EX4", "EX1", "EX3"))
    assert (change.now, change.wanted) == ("EX1=1 EX2=2 EX4=3 EX3=4", "EX2=1 EX4=2 EX1=3 EX3=4")
    assert "moves to EX2" in change.note
    assert order(FOUR, "EX1", "EX2", "EX4", "EX3") is None
    assert order(FOUR, "ex1.example.com", "EX2", "EX4", "EX3") is None
    assert changed(order(FOUR, "EX1", "EX4", "EX2", "EX3")).note == ""


@pytest.mark.parametrize(
    ("servers", "reason"),
    [
        (("EX2", "EX4", "EX1"), "EX3 is not named"),
        (("EX2", "EX4", "EX1", "EX3", "EX5"), "EX5 has none"),
        (("EX2", "EX3", "EX1", "EX4"), "the lagged copy of DB01 on EX3 must be last"),
    ],
)
def test_orders_that_cannot_be(servers: tuple[str, ...], reason: str) -> None:
    assert reason in why(order(FOUR, *servers))


def test_copies_that_come_take_their_place() -> None:
    assert order(SINGLE, "EX1", "EX3", coming=("EX3",)) is None
    assert order(SINGLE, "EX3", "EX1", coming=("EX3",)) is None
    assert "EX3 has none" in why(order(SINGLE, "EX1", "EX3"))
    pair_ = place(status("EX1", "Mounted"), status("EX2"))
    change = changed(order(pair_, "EX2", "EX3", "EX1", coming=("EX3",)))
    assert change.now == "EX1=1 EX3=2 EX2=3"


def test_preferences_with_a_hole_are_put_right() -> None:
    holes = place(status("EX1", "Mounted"), status("EX3"), preferences=(pair("EX1", 1), pair("EX3", 3)))
    assert changed(order(holes, "EX1", "EX3")).now == "EX1=1 EX3=3"


def test_undo_gives_back_the_order_that_was_found() -> None:
    step = ordered.on(EX3, database="DB01", order=(COPY,), coming=())
    assert step.revert is not None
    back = step.revert(msgspec.json.encode(FOUR))
    assert back is not None
    assert back.arguments["order"] == tuple(CopyId("DB01", f"EX{n}") for n in (1, 2, 4, 3))


def test_pairs_are_read_in_every_form() -> None:
    flat = Pair(key="", name="", value="", text="[EX1, 2]")
    path = Pair(key="example.com/Configuration/EX2", name="", value="1", text="[example.com/Configuration/EX2, 1]")
    odd = place(
        status("EX1", "Mounted"), status("EX2"), preferences=(flat, path), replay_lags=(pair("EX2", "7.00:00:00"),)
    )
    assert odd.places == {"EX2": 1, "EX1": 2}
    assert list(odd.places) == ["EX2", "EX1"]
    assert odd.replay_lag("EX2") == timedelta(days=7)
    assert odd.lagged == ("EX2",)
    flat_lag = Pair(key="", name="", value="", text="[EX1, 1.00:00:00]")
    assert place(status("EX1"), replay_lags=(flat_lag,)).replay_lag("EX1") == timedelta(days=1)
    with pytest.raises(BadReport):
        place(status("EX1"), replay_lags=(pair("EX1", "soon"),)).replay_lag("EX1")
    assert preference_text(odd.places) == "EX2=1 EX1=2"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("152.1 MB (159,449,088 bytes)", 159_449_088),
        ("40 GB (42.949.672.960 Bytes)", 42_949_672_960),
        ("1\u00a0GB (1\u00a0073\u202f741\u00a0824 octets)", 1_073_741_824),
        ("0 B (0 bytes)", 0),
        ("", None),
        ("Unlimited", None),
    ],
)
def test_sizes_are_read_in_every_language(text: str, number: int | None) -> None:
    assert bytes_in(text) == number


# -- lags --------------------------------------------------------------------------------------------------------------


def test_raising_a_lag_is_free_and_lowering_it_is_not() -> None:
    def asked(**more: Any) -> dict[str, Any]:
        return {"identity": COPY, "database": "DB01", "truncation_lag": None, "max_delay": None, "note": ""} | more

    now = place(status("EX1", "Mounted"), status("EX3"), lags={"EX3": "2.00:00:00"})
    week, day = timedelta(days=7), timedelta(days=1)
    assert changed(lag_set(now, **asked(replay_lag=week))).wanted == "replay lag 7d"
    assert changed(lag_set(now, **asked(replay_lag=week))).now == "replay lag 2d"
    assert "loses the way back" in why(lag_set(now, **asked(replay_lag=day)))
    assert "shorter" in changed(lag_lowered(now, **asked(replay_lag=day))).note
    assert (lag_set.risk, lag_lowered.risk) == (Risk.LOW, Risk.DATA)
    assert lag_set(now, **asked(replay_lag=timedelta(days=2))) is None
    assert changed(lag_set(now, **asked(replay_lag=None, max_delay=week))).now == "at most delayed by 1d"
    assert "hosts no copy" in why(lag_set(SINGLE, **asked(replay_lag=week)))
    step = lag_set.on(EX3, **asked(replay_lag=week))
    assert step.revert is not None
    back = step.revert(msgspec.json.encode(now))
    assert back is not None
    assert (back.kind.name, back.arguments["replay_lag"]) == ("lag_lowered", timedelta(days=2))


def test_safety_net_and_lag() -> None:
    assert safety_net_note(timedelta(days=2), timedelta(days=7))
    assert not safety_net_note(timedelta(days=7), timedelta(days=7))
    assert held(TransportConfig(safety_net_hold="2.00:00:00")) == timedelta(days=2)
    assert held(TransportConfig(safety_net_hold="?")) is None
    assert held(None) is None


# -- policy ------------------------------------------------------------------------------------------------------------


def test_an_activation_policy() -> None:
    server = ServerFacts(name="EX3", dag="", build="", policy="IntrasiteOnly")
    now = Policies(servers=(server,))
    assert policy_set(now, server="EX3", policy="IntrasiteOnly") is None
    change = changed(policy_set(now, server="ex3.example.com", policy="Blocked"))
    assert (change.now, change.wanted) == ("IntrasiteOnly", "Blocked")
    assert "no server" in why(policy_set(now, server="EX4", policy="Blocked"))
    step = policy_set.on(EX3, server="EX3", policy="Blocked")
    assert step.revert is not None
    back = step.revert(msgspec.json.encode(now))
    assert back is not None
    assert back.arguments["policy"] == "IntrasiteOnly"

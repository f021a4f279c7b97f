"""Whole runs of the runbooks that build a DAG, on hosts made of functions: order, second runs, lag, undo."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from approving import approved
from build_estate import ETS, Place

from starover.errors import BadParameter, NotSafe, NotVerified
from starover.testing import FakeFault

CREATE: dict[str, Any] = {
    "dag": "DAG1",
    "witness_server": "FS3",
    "witness_directory": "C:\\DAG",
    "alternate_witness_server": "FS1",
    "alternate_witness_directory": "C:\\DAGALT",
    "members": ["EX1", "EX2"],
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr("os.fsync", lambda _: None)  # no power is lost here, and there are thousands of lines
    return Place(tmp_path)


def test_a_dag_is_built_in_order_and_a_second_run_changes_nothing(place: Place) -> None:
    ran = place.run("dag-create", **CREATE)
    assert ran.exit == 0, ran
    writes = place.hosts.writes
    dag = [name for name in writes if name.startswith("dag/")]
    assert dag == [
        "dag/create.ps1.j2",
        "dag/set_alternate_witness.ps1.j2",
        "dag/add_server.ps1.j2",
        "dag/add_server.ps1.j2",
        "dag/activation_mode.ps1.j2",
    ]
    assert max(writes.index(name) for name in writes if name.startswith("witness/")) < writes.index(dag[0])
    assert place.world.members == ["EX1", "EX2"]
    assert all(ETS in members for members in place.world.admins.values())

    again = place.plan("dag-create", **CREATE)
    assert again.plan.nothing
    assert place.hosts.writes == writes


def test_the_next_member_waits_until_its_controller_knows_those_before_it(place: Place) -> None:
    """The world asserts it: a join past members that the joining server's controller does not know fails."""
    place.world.lag = 800
    assert place.run("dag-create", **CREATE).exit == 0


@pytest.mark.parametrize("dac", [True, False])
def test_a_run_ends_when_the_controllers_know_the_last_member_too(place: Place, dac: bool) -> None:
    place.world.lag = 800
    assert place.run("dag-create", **CREATE | {"dac": dac}).exit == 0
    assert place.world.late["dag"]["members"] == ("EX1", "EX2")


def test_ad_that_never_hears_of_it_stops_the_run_and_resume_goes_on(place: Place) -> None:
    place.world.lag = 3000
    ran = place.run("dag-create", **CREATE)
    assert ran.exit == NotVerified.exit
    assert place.world.members == ["EX1"], "the second one never joins past a controller that knows nothing"
    assert "waiting-ad" in str(ran.error)
    place.world.lag = 60
    place.world.clock.wait_until(place.world.clock.now() + timedelta(hours=2))
    assert place.resume(ran.run).exit == 0
    assert place.world.members == ["EX1", "EX2"]


def test_a_member_whose_replication_fails_its_checks_is_not_called_done(place: Place) -> None:
    place.world.ill.add("EX2")
    ran = place.run("dag-create", **CREATE)
    assert ran.exit == NotVerified.exit
    assert "healthy replication of EX2" in str(ran.error)
    place.world.ill.clear()
    assert place.resume(ran.run).exit == 0


def test_adding_goes_on_at_the_first_one_that_is_missing(place: Place) -> None:
    place.run("dag-create", **CREATE | {"members": ["EX1"]})
    assert place.world.fields["activation_mode"] == "Off", "one member needs no DAC"
    before = len(place.hosts.writes)
    assert place.run("dag-add-members", dag="DAG1", members=["EX1", "EX2", "EX3"]).exit == 0
    assert place.world.members == ["EX1", "EX2", "EX3"]
    assert place.hosts.writes[before:].count("dag/add_server.ps1.j2") == 2
    assert place.run("dac-mode", dag="DAG1").exit == 0
    assert place.world.fields["activation_mode"] == "DagOnly"
    assert place.plan("dac-mode", dag="DAG1").plan.nothing
    assert place.run("dac-mode", dag="DAG1", off=True).exit == 0
    assert place.world.fields["activation_mode"] == "Off"


def test_a_witness_without_rights_stops_the_second_member_and_repair_mends_it(place: Place) -> None:
    place.world.open.add("FS3")
    planned = place.plan("dag-create", **CREATE | {"skip_witness_prepare": True}).plan
    created = next(one for one in planned.changes if one.what == "DAG DAG1")
    assert created.change is not None
    assert "FS3: Exchange Trusted Subsystem is no administrator" in created.change.note
    assert "FS3: its firewall" not in created.change.note
    ran = place.run("dag-create", **CREATE | {"skip_witness_prepare": True})
    assert ran.exit == NotVerified.exit
    assert ran.error is not None
    assert "witness-acl" in ran.error.what
    assert any("dag-witness-repair --dag DAG1" in line for line in ran.error.next)
    assert place.plan("dag-create", **CREATE | {"skip_witness_prepare": True}).plan.blocked
    assert place.run("dag-witness-repair", dag="DAG1").exit == 0
    assert ETS in place.world.admins["FS3"]
    assert place.run("dag-create", **CREATE | {"skip_witness_prepare": True}).exit == 0
    assert place.plan("dag-witness-repair", dag="DAG1").plan.nothing


def test_another_witness_and_back(place: Place) -> None:
    place.run("dag-create", **CREATE | {"alternate_witness_server": None, "alternate_witness_directory": None})
    ran = place.run("dag-set-witness", dag="DAG1", server="FS1", directory="C:\\NEW")
    assert ran.exit == 0
    assert place.world.fields["witness_server"] == "FS1"
    assert place.plan("dag-set-witness", dag="DAG1", server="FS1", directory="C:\\NEW").plan.nothing
    undo = place.local().undo(ran.run)
    assert place.local().apply(undo.plan, approve=approved).exit == 0
    assert place.world.fields["witness_server"] == "FS3"


def test_undoing_a_creation_takes_out_the_members_the_dag_and_the_rights(place: Place) -> None:
    ran = place.run("dag-create", **CREATE)
    undo = place.local().undo(ran.run)
    assert place.local().apply(undo.plan, approve=approved).exit == 0
    assert (place.world.members, place.world.there) == ([], False)
    assert not any(place.world.admins.values())


@pytest.mark.parametrize(
    ("odd", "says"),
    [
        ({"version": "10.0.26100"}, "P03"),
        ({"role": 5}, "P07"),
        ({"trip": 620}, "P13"),
        ({"address": "169.254.3.4"}, "P14"),
        ({"partOfDomain": False}, "P06"),
        ({"sku": 101}, "P08"),
    ],
)
def test_what_preflight_fails_is_not_built(place: Place, odd: dict[str, Any], says: str) -> None:
    place.world.host["EX2"] = odd
    with pytest.raises(NotSafe, match=says):
        place.plan("dag-create", **CREATE)
    assert place.hosts.writes == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"dag": "Mail-Availability-1"},
        {"dag": "DAG1; Remove-Item"},
        {"witness_server": "10.0.0.200"},
        {"witness_server": "EX2"},
        {"witness_server": "DC1"},
        {"witness_server": "NOWHERE"},
        {"witness_directory": "C:\\"},
        {"witness_directory": "\\\\x\\y"},
        {"alternate_witness_server": "FS3", "alternate_witness_directory": "c:\\dag"},
        {"members": ["EX1", "EX1"]},
        {"members": ["EX1", "NOWHERE"]},
        {"members": ["EX1", "DC1"]},
        {"members": ["EX1", "FS1"], "alternate_witness_server": None, "alternate_witness_directory": None},
        {"aap": "static"},
        {"aap": "dhcp"},
        {"aap": "static", "ip": ["10.0.0.101"]},
    ],
)
def test_bad_input_is_refused_before_anybody_is_asked(place: Place, wrong: dict[str, Any]) -> None:
    with pytest.raises(BadParameter):
        place.plan("dag-create", **CREATE | wrong)
    assert place.hosts.asked == []


@pytest.mark.parametrize(
    "template",
    [
        "feature/install.ps1.j2",
        "witness/add_administrator.ps1.j2",
        "witness/open_firewall.ps1.j2",
        "dag/create.ps1.j2",
        "dag/set_alternate_witness.ps1.j2",
        "dag/add_server.ps1.j2",
        "dag/activation_mode.ps1.j2",
    ],
)
@pytest.mark.parametrize("kind", ["lost-after", "lost-before", "cut"])
def test_an_answer_that_is_lost_changes_nothing_twice(place: Place, template: str, kind: Any) -> None:
    place.hosts.fail(FakeFault(kind, template=template, what="write", times=1))
    ran = place.run("dag-create", **CREATE)
    assert ran.exit == 0
    assert len(place.hosts.writes) == ran.changed, "each change was carried out once"
    assert place.world.members == ["EX1", "EX2"]

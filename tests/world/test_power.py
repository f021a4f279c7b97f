"""Power of hosts as EC2 takes and gives it: who keeps a host off, orderly shutdowns, boots that are overtaken."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from starover_lab.world.errors import WorldError
from starover_lab.world.fault_kinds import FaultError
from world.conftest import Lab


def test_a_stopped_instance_stays_off_when_its_zone_returns(lab: Callable[..., Lab]) -> None:
    one = lab()
    loss = one.world.fault("az_loss", "1a", ec2="stuck")
    assert one.world.ec2_mode("eu-west-1a") == "stuck"
    one.world.power_off("EX1", "ec2")
    one.world.mend(loss)
    one.later(minutes=10)
    assert (one.world.power("EX1"), one.world.power("EX2")) == ("off", "on")
    assert one.world.ec2_mode("eu-west-1a") == "up"
    one.world.power_on("EX1", "ec2")
    assert one.world.power("EX1") == "booting"
    one.later(minutes=5)
    assert one.world.power("EX1") == "on"


def test_a_lost_zone_starts_nothing(lab: Callable[..., Lab]) -> None:
    one = lab()
    one.world.power_off("EX1", "ec2")
    loss = one.world.fault("az_loss", "1a")
    one.world.power_on("EX1", "ec2")
    one.later(minutes=10)
    assert one.world.power("EX1") == "off"
    one.world.mend(loss)
    one.later(minutes=10)
    assert one.world.power("EX1") == "on"


def test_an_orderly_stop_moves_databases_and_hands_the_vote_over(lab: Callable[..., Lab]) -> None:
    one = lab()
    ends = one.world.power_off("EX1", "ec2", clean=True)
    assert one.world.power("EX1") == "on"
    one.later((ends - one.world.now).total_seconds() + 1)
    assert one.world.power("EX1") == "off"
    down = next(event for event in one.world.events if (event.kind, event.subject) == ("node_down", "EX1"))
    assert down.data["clean"] is True
    one.later(minutes=2)
    assert one.world.database("DB01").state == "Mounted"
    assert [event for event in one.world.events if event.kind == "data_loss"] == []


def test_a_start_during_a_shutdown_boots_after_it(lab: Callable[..., Lab]) -> None:
    one = lab()
    before = one.world.server("FSW3").boot_time
    one.world.power_off("FSW3", "ec2", clean=True)
    one.world.power_on("FSW3", "ec2")
    one.later(minutes=10)
    assert one.world.power("FSW3") == "on"
    assert one.world.server("FSW3").boot_time > before


def test_a_boot_that_was_cut_off_does_not_end_the_next_one_early(lab: Callable[..., Lab]) -> None:
    one = lab()
    one.world.power_off("EX4", "ec2")
    one.world.power_on("EX4", "ec2")
    one.later(minutes=3)
    one.world.power_off("EX4", "ec2")
    one.world.power_on("EX4", "ec2")
    one.later(minutes=2)
    assert one.world.power("EX4") == "booting"
    one.later(minutes=3)
    assert one.world.power("EX4") == "on"


def test_a_stop_in_the_middle_of_a_restart_wins(lab: Callable[..., Lab]) -> None:
    one = lab()
    one.world.restart_host("EX4")
    one.later(10)
    one.world.power_off("EX4", "ec2", clean=True)
    one.later(minutes=10)
    assert one.world.power("EX4") == "off"


def test_an_instance_that_somebody_stopped(lab: Callable[..., Lab]) -> None:
    one = lab()
    number = one.world.fault("instance_stop", "EX2")
    one.later(minutes=1)
    assert one.world.power("EX2") == "off"
    one.world.mend(number)
    one.later(minutes=8)
    assert one.world.power("EX2") == "on"


def test_what_ec2_cannot_do_and_zones_that_are_not_there_are_refused(lab: Callable[..., Lab]) -> None:
    one = lab()
    with pytest.raises(FaultError, match="sulks"):
        one.world.fault("az_loss", "1a", ec2="sulks")
    with pytest.raises(WorldError):
        one.world.ec2_mode("mars-1a")

"""A log volume that fills: what may be taken for lost, and the milder ways, on the lab's sessions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from inner_lab import InnerLab

from starover.content import find
from starover.errors import NotSafe
from starover.runbook import Findings

CONTENT = find()
HOST, GONE = "EX1", "EX3"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[InnerLab]:
    with InnerLab("pa-4x2", tmp_path, CONTENT) as made:
        yield made


def _remove_lost(lab: InnerLab) -> list[str]:
    plan = lab.plan("disk-relief", server=HOST, option="remove-lost").plan
    return sorted(str(step.change.what) for step in plan.changes if step.change is not None)


@pytest.mark.parametrize("fault", ["winrm_silent", "host_hang"])
def test_silence_is_not_loss(lab: InnerLab, fault: str) -> None:
    lab.do(lambda world: world.fault(fault, GONE))
    lab.later(120)
    with pytest.raises(NotSafe) as caught:
        _remove_lost(lab)
    assert f"starover plan fence --lost-server {GONE}" in caught.value.next
    assert GONE in caught.value.what
    assert any("whether" in line for line in caught.value.uncertain)


def test_a_backup_is_told_of_and_loose_truncation_is_set_on_every_member_and_taken_back(lab: InnerLab) -> None:
    looked = lab.run("disk-relief", server=HOST, option="backup")
    assert isinstance(looked.value, Findings)
    told = [one for one in looked.value.findings if one.check == "backup"]
    assert {one.on for one in told} == {"DB01", "DB02", "DB03", "DB04"}
    assert all("last full backup" in one.says for one in told)
    ran = lab.run("disk-relief", server=HOST, option="loose-truncation")
    assert ran.exit == 0, ran.error

    def values() -> list[dict[str, int] | None]:
        return lab.do(lambda world: [world.server(f"EX{n}").exchange.backup_information for n in range(1, 5)])

    assert values() == [{"LooseTruncation_MinCopiesToProtect": 2}] * 4, "of three passive copies one may be passed over"
    assert lab.run("disk-relief", server=HOST, option="loose-truncation").state == "nothing"
    back = lab.local().undo(ran.run)
    assert lab.apply(back.plan).exit == 0
    assert values() == [{"LooseTruncation_MinCopiesToProtect": 0}] * 4
    lab.do(lambda world: world.fault("winrm_silent", GONE))
    with pytest.raises(NotSafe, match="silence is not down"):
        lab.plan("disk-relief", server=HOST, option="loose-truncation")


def test_who_answers_but_not_for_its_copies_is_not_lost(lab: InnerLab) -> None:
    lab.do(lambda world: world.fault("service_crash", GONE, service="MSExchangeRepl"))
    lab.do(lambda world: world.fault("exchange_vdir_down", GONE))
    lab.later(60)
    with pytest.raises(NotSafe, match="Windows on it answers"):
        _remove_lost(lab)


def test_an_instance_that_is_off_is_proof_and_its_copies_go(lab: InnerLab) -> None:
    lab.do(lambda world: world.fault("instance_stop", GONE))
    lab.later(600)
    planned = _remove_lost(lab)
    assert planned
    assert all(one.endswith(f"/{GONE}") for one in planned)
    ran = lab.run("disk-relief", server=HOST, option="remove-lost")
    assert ran.exit == 0, ran.error
    again = lab.plan("disk-relief", server=HOST, option="remove-lost")
    assert again.plan.nothing

"""Maintenance by Microsoft's scripts on the lab's sessions: the same state, and every block as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from dag_facts import status
from inner_lab import InnerLab

from starover.changes import Blocked, Change
from starover.content import find
from starover.drivers.local import Ran
from starover.errors import BadParameter, NotSafe
from starover.steps.dag import Node
from starover.steps.maintenance_scripts import Scripted, emptied_by_script, refilled_by_script

CONTENT = find()


def kinds(ran: Ran) -> list[str]:
    return [step.kind for step in ran.steps if step.state == "changed"]


def seen(lab: InnerLab) -> dict[str, Any]:
    def look(world: Any) -> dict[str, Any]:
        return {
            "policy": world.server("EX1").exchange.activation_policy,
            "node": {one.name: one.state for one in world.nodes("EX2")}["EX1"],
            "active": [one.name for one in world.state.databases if one.active == "EX1"],
            "role": world.cluster("EX2").core_owner == "EX1",
            "barred": sorted(
                one.name
                for one in world.state.databases
                if "EX1" in one.copies and one.active != "EX1" and one.copies["EX1"].activation_suspended
            ),
        }

    return lab.do(look)


def test_out_by_script_and_back_by_script_or_without_as_it_was(tmp_path: Path) -> None:
    with InnerLab("pa-4x2", tmp_path, CONTENT) as lab:
        lab.do(lambda world: world.set_activation("EX1", "EX1", policy="IntrasiteOnly"))
        before = seen(lab)
        assert before["barred"] == ["DB04"]
        out = lab.run("maintenance-start", server="EX1", lb=False, use_exchange_scripts=True)
        assert out.exit == 0, out.error
        assert kinds(out) == ["hub_drained", "emptied_by_script", "server_offline"]
        assert seen(lab) == {"policy": "Blocked", "node": "Paused", "active": [], "role": False, "barred": ["DB04"]}
        assert lab.run("maintenance-start", server="EX1", lb=False, use_exchange_scripts=True).state == "nothing"
        back = lab.run("maintenance-stop", server="EX1", lb=False, use_exchange_scripts=True)
        assert back.exit == 0, back.error
        assert "refilled_by_script" in kinds(back)
        after = seen(lab)
        assert (after["policy"], after["node"]) == ("IntrasiteOnly", "Up")
        assert after["barred"] == ["DB04"], "the script wipes it, and it is set again"
        assert lab.run("maintenance-stop", server="EX1", lb=False, use_exchange_scripts=True).state == "nothing"
        # mixed: out by the script, back by the steps
        assert lab.run("maintenance-start", server="EX1", lb=False, use_exchange_scripts=True).exit == 0
        assert lab.run("maintenance-stop", server="EX1", lb=False).exit == 0
        assert seen(lab)["barred"] == ["DB04"]


def test_what_the_scripts_need(tmp_path: Path) -> None:
    with InnerLab("pa-4x2", tmp_path, CONTENT) as lab, pytest.raises(BadParameter):
        lab.plan("maintenance-start", server="EX1", override_minimum_copies=True)
    pair = "name: pair\nextends: aws-2az-nodac\n"
    (tmp_path / "pair.yaml").write_text(pair, "utf-8")
    with InnerLab(tmp_path / "pair.yaml", tmp_path / "two", CONTENT) as lab:
        with pytest.raises(NotSafe) as refusal:
            lab.plan("maintenance-start", server="ExchangeNode1", use_exchange_scripts=True)
        assert any("--override-minimum-copies" in line for line in refusal.value.next)


NODE = Node(name="EX3", state="Up", information="", weight=1, dynamic=1)
UP = Scripted(
    folder="C:\\Program Files\\Microsoft\\Exchange Server\\V15\\",
    policy="Unrestricted",
    copies=(status("EX3", "Mounted"), status("EX3", identity="DB02\\EX3", database="DB02", activation_suspended=True)),
    nodes=(NODE,),
    active_manager="EX3",
)
OUT: dict[str, Any] = {"server": "EX3", "dag": "DAG1", "comment": "x", "override": False}
BACK: dict[str, Any] = {"server": "EX3", "dag": "DAG1", "policy": "Unrestricted", "comments": ("x",)}


def test_each_thing_that_the_script_does_is_looked_at() -> None:
    blocks = {"databases": ("DB01",), "blocks": ("DB02\\EX3",)}
    assert isinstance(emptied_by_script(UP, **OUT, **blocks), Change)
    done = msgspec.structs.replace(
        UP,
        policy="Blocked",
        copies=(status("EX3"), UP.copies[1]),
        nodes=(msgspec.structs.replace(NODE, state="Paused"),),
        active_manager="EX1",
    )
    assert emptied_by_script(done, **OUT, **blocks) is None
    for wrong in (
        {"policy": "Unrestricted"},
        {"copies": UP.copies},
        {"nodes": UP.nodes},
        {"active_manager": "EX3.example.com"},
    ):
        assert isinstance(emptied_by_script(msgspec.structs.replace(done, **wrong), **OUT, **blocks), Change), wrong
    assert isinstance(emptied_by_script(done, **OUT, databases=("DB01",), blocks=()), Change), "a block too many"
    away = msgspec.structs.replace(UP, folder="D:\\Exchange\\")
    assert isinstance(emptied_by_script(away, **OUT, **blocks), Blocked)
    assert refilled_by_script(UP, **BACK, blocks=("DB02\\EX3",)) is None
    wiped = msgspec.structs.replace(
        UP, copies=(UP.copies[0], msgspec.structs.replace(UP.copies[1], activation_suspended=False))
    )
    change = refilled_by_script(wiped, **BACK, blocks=("DB02\\EX3",))
    assert isinstance(change, Change)
    assert "DB02/EX3" in change.wanted


def test_a_copy_that_somebody_holds_still_is_nothing_for_the_script() -> None:
    """On the way back it resumes every copy: so it is called neither on the way out nor on the way back."""
    held = msgspec.structs.replace(
        UP, copies=(UP.copies[0], status("EX3", "Suspended", identity="DB03\\EX3", database="DB03"))
    )
    wiped = msgspec.structs.replace(held, policy="Blocked")
    out = emptied_by_script(held, **OUT, databases=("DB01",), blocks=())
    back = refilled_by_script(wiped, **BACK, blocks=())
    for refusal in (out, back):
        assert isinstance(refusal, Blocked)
        assert refusal.guard == "S-COPY-RESUME"
        assert "DB03/EX3" in refusal.why
        assert any("--use-exchange-scripts" in line for line in refusal.next), "what to do instead"
    barred = msgspec.structs.replace(held.copies[1], status="Healthy", activation_suspended=True)
    assert isinstance(
        emptied_by_script(
            msgspec.structs.replace(held, copies=(UP.copies[0], barred)),
            **OUT,
            databases=("DB01",),
            blocks=("DB03\\EX3",),
        ),
        Change,
    ), "one that is merely barred still replicates"

"""What follows a move, and second runs of what chooses by itself, on the lab's sessions."""

from __future__ import annotations

from pathlib import Path

from dag_facts import status
from inner_lab import InnerLab

from starover.content import find
from starover.drivers.local import Ran
from starover.runbook import Findings
from starover.steps.after_move import Attempt, LogOn, already_there
from starover.steps.copies import DatabaseCopies

CONTENT = find()
PAIR = r"""
name: pair
extends: aws-2az
dags:
  - {name: DAG, members: [ExchangeNode1, ExchangeNode2], witness: FileServer3, witness_directory: 'C:\DAG'}
databases:
  - {name: DB1, size_gb: 40, copies: [{server: ExchangeNode1}, {server: ExchangeNode2}]}
  - {name: DB2, size_gb: 40, copies: [{server: ExchangeNode1}, {server: ExchangeNode2}]}
"""


def active(lab: InnerLab, name: str) -> str:
    return lab.do(lambda world: world.database(name).active)


def texts(ran: Ran) -> list[str]:
    return [one.says for one in ran.value.findings] if isinstance(ran.value, Findings) else []


def test_a_switchover_ends_when_the_next_one_finds_a_copy_and_auto_does_not_go_on_by_itself(tmp_path: Path) -> None:
    (tmp_path / "pair.yaml").write_text(PAIR, "utf-8")
    with InnerLab(tmp_path / "pair.yaml", tmp_path, CONTENT) as lab:
        first = lab.run("db-switchover", db=["DB1"])
        assert first.exit == 0, first.error
        assert active(lab, "DB1") == "ExchangeNode2"
        second = lab.run("db-switchover", db=["DB1"])
        assert second.state == "nothing"
        assert any("--to SERVER" in line for line in texts(second))
        # maintenance of where it went is possible at once: the copy it left is well again
        out = lab.run("maintenance-start", server="ExchangeNode2", lb=False)
        assert out.exit == 0, out.error
        assert active(lab, "DB1") == "ExchangeNode1"
        assert lab.run("maintenance-start", server="ExchangeNode2", lb=False).state == "nothing"
        assert lab.run("maintenance-stop", server="ExchangeNode2", lb=False).exit == 0
        # moved on by somebody else, auto moves it again
        assert lab.run("db-switchover", db=["DB1"]).exit == 0
        assert active(lab, "DB1") == "ExchangeNode2"


def test_the_role_of_primary_active_manager_stays_where_auto_put_it(tmp_path: Path) -> None:
    (tmp_path / "pair.yaml").write_text(PAIR, "utf-8")
    with InnerLab(tmp_path / "pair.yaml", tmp_path, CONTENT) as lab:

        def owner() -> str:
            return lab.do(lambda world: world.cluster("ExchangeNode1").core_owner)

        was = owner()
        assert lab.run("pam-move").exit == 0
        assert owner() != was
        again = lab.run("pam-move")
        assert again.state == "nothing"
        assert any("--to SERVER" in line for line in texts(again))
        assert lab.run("pam-move", to=was).exit == 0
        assert owner() == was


def test_where_an_earlier_run_has_put_a_database() -> None:
    was = DatabaseCopies(copies=(status("EX1", "Mounted"), status("EX3")))
    now = (status("EX1"), status("EX3", "Mounted"))
    put = already_there(now, was)
    assert put is not None
    assert put.server == "EX3"
    assert already_there(was.copies, was) is None, "it is where it was: nothing has moved it"
    assert already_there(now, None) is None
    assert already_there((status("EX1"), status("EX3", "Dismounted")), was) is None


def test_a_mailbox_store_that_nobody_could_try_is_not_well() -> None:
    assert not LogOn(results=()).works
    well, ill = Attempt(server="EX1", result="Success", error=""), Attempt(server="EX1", result="*FAILURE*", error="x")
    assert LogOn(results=(well,)).works
    assert not LogOn(results=(well, ill)).works

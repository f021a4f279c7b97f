"""Exchange's own DAG scripts: what they do to a server, and what they wipe out."""

from __future__ import annotations

import pytest
from lab_hosts import Estate, Shell

SCRIPTS = "C:\\Program Files\\Microsoft\\Exchange Server\\V15\\Scripts\\"
START = f"& '{SCRIPTS}StartDagServerMaintenance.ps1' -ServerName 'EX1' -MoveComment 'patch' -PauseClusterNode"
STOP = f"& '{SCRIPTS}StopDagServerMaintenance.ps1' -ServerName 'EX1'"


@pytest.fixture
def shell(estate: Estate) -> Shell:
    return estate.open("EX2")


def test_a_server_is_emptied_and_comes_back_without_its_blocks(estate: Estate, shell: Shell) -> None:
    world = estate.world
    exchange = world.server("EX1").exchange
    assert exchange is not None
    assert world.copy("DB04", "EX1").activation_suspended, "a lagged copy, blocked on purpose"
    assert shell.run(START).ids == []
    assert world.database("DB01").active != "EX1"
    assert exchange.activation_policy == "Blocked"
    assert {node.name: node.state for node in world.nodes("EX2")}["EX1"] == "Paused"
    assert world.cluster("EX2").core_owner != "EX1"
    assert shell.run(STOP).ids == []
    assert exchange.activation_policy == "Unrestricted"
    assert {node.name: node.state for node in world.nodes("EX2")}["EX1"] == "Up"
    assert not world.copy("DB04", "EX1").activation_suspended, "wiped out"


def test_a_database_that_cannot_move_undoes_it_all(estate: Estate, shell: Shell) -> None:
    world = estate.world
    for copy in ("DB01/EX2", "DB01/EX3"):
        world.fault("copy_failed", copy, reseed="true")
    told = shell.run(START)
    assert "rollback" in told.errors[0].message
    exchange = world.server("EX1").exchange
    assert exchange is not None
    assert exchange.activation_policy == "Unrestricted"
    assert {node.name: node.state for node in world.nodes("EX2")}["EX1"] == "Up"
    assert world.database("DB01").active == "EX1"


def test_a_small_dag_needs_to_be_told() -> None:
    estate = Estate("aws-2az", dag=True)
    shell = estate.open("ExchangeNode2")
    script = START.replace("'EX1'", "'ExchangeNode1'")
    assert "OverrideMinimumTwoCopies" in shell.run(script).errors[0].message
    assert shell.run(script + " -OverrideMinimumTwoCopies").ids == []
    assert estate.world.database("DB1").active == "ExchangeNode2"


def test_databases_are_spread_by_preference(estate: Estate, shell: Shell) -> None:
    shell.run(START)
    shell.run(STOP)
    estate.pass_time(60)
    assert shell.run("RedistributeActiveDatabases.ps1 -BalanceDbsByActivationPreference").ids, "it asks"
    assert shell.run("RedistributeActiveDatabases.ps1 -BalanceDbsByActivationPreference -Confirm:$false").ids == []
    assert estate.world.database("DB01").active == "EX1"
    report = (
        "RedistributeActiveDatabases.ps1 -ShowDatabaseDistributionByServer -Confirm:$false | "
        "ForEach-Object { $_.ServerName + '=' + [string]$_.ActiveDbs }"
    )
    assert shell.run(report).texts == ["EX1=1", "EX2=1", "EX3=1", "EX4=1"]

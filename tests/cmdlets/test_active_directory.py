"""The AD cmdlets on a domain controller and elsewhere: whom they answer, and the account of a cluster's name."""

from __future__ import annotations

import pytest
from lab_hosts import Estate, Shell

NS = "Microsoft.ActiveDirectory.Management."
CNO = "CN=DAG9,CN=Computers,DC=example,DC=com"
STAGE = f"New-ADComputer -Name 'DAG9' -Enabled $false -Path '{CNO.partition(',')[2]}'"
READ = "Get-ADComputer -Identity 'DAG9'"
NO_SERVER = "ActiveDirectoryServer:0"


@pytest.fixture
def dc(estate: Estate) -> Shell:
    return estate.open("DC1")


def test_an_identity_that_is_not_there_ends_the_statement(dc: Shell) -> None:
    told = dc.run(
        "try { Get-ADComputer -Identity 'NIX' } catch { $_.CategoryInfo.Category; $_.Exception.GetType().Name }"
    )
    assert told.texts == ["ObjectNotFound", "ADIdentityNotFoundException"]
    assert dc.run("Get-ADComputer -Filter \"Name -eq 'NIX'\"").output == []


def test_filters_select(dc: Shell) -> None:
    assert dc.run("Get-ADComputer -Filter \"Name -like 'EX*'\" | ForEach-Object { $_.Name }").texts == [
        "EX1",
        "EX2",
        "EX3",
        "EX4",
    ]
    assert dc.run("(Get-ADComputer -Identity 'EX1').DNSHostName").texts == ["EX1.example.com"]


@pytest.mark.parametrize(
    ("host", "script"),
    [("EX1", "Get-ADComputer -Identity 'EX1'"), ("DC1", "Get-ADComputer -Identity 'EX1' -Server 'DC2'")],
)
def test_a_network_logon_reaches_no_second_host(estate: Estate, host: str, script: str) -> None:
    told = estate.open(host).run(script)
    assert [one.partition(",")[0] for one in told.ids] == [NO_SERVER]


def test_a_name_that_no_module_brings(estate: Estate) -> None:
    assert estate.open("FSW2").run("Get-ADComputer -Identity 'EX1'").ids == ["CommandNotFoundException"]


def test_an_account_is_staged_disabled_and_granted(estate: Estate, dc: Shell) -> None:
    assert dc.run(STAGE).ids == []
    assert dc.run(f"({READ}).Enabled").texts == ["False"]
    again = dc.run(STAGE)
    assert again.ids == [f"ActiveDirectoryServer:1316,{NS}Commands.NewADComputer"]
    grant = f"dsacls.exe '{CNO}' /G 'EXAMPLE\\EX1$:GA'; $LASTEXITCODE"
    assert dc.run(grant).texts[-1] == "0"
    granted = f"(Get-Acl -Path 'AD:\\{CNO}').Access | ForEach-Object {{ [string]$_.IdentityReference }}"
    assert "EXAMPLE\\EX1$" in dc.run(granted).texts
    assert dc.run(grant.replace("DAG9", "NIX")).texts[-1] == "2"


def test_removing_an_account_asks_and_nobody_can_answer(dc: Shell) -> None:
    dc.run(STAGE)
    assert dc.run("Remove-ADComputer -Identity 'DAG9'").ids == [
        f"HostFunctionNotImplemented,{NS}Commands.RemoveADComputer"
    ]
    assert dc.run("Remove-ADComputer -Identity 'DAG9' -Confirm:$false").ids == []
    assert [one.partition(":")[0] for one in dc.run(READ).ids] == ["ActiveDirectoryCmdlet"]


def test_another_site_learns_of_an_account_later_or_by_repadmin(estate: Estate, dc: Shell) -> None:
    dc.run(STAGE)
    other = estate.open("DC2")
    assert [one.partition(":")[0] for one in other.run(READ).ids] == ["ActiveDirectoryCmdlet"]
    assert dc.run("repadmin.exe /syncall /AdeP; $LASTEXITCODE").texts[-1] == "0"
    assert other.run(f"({READ}).Enabled").texts == ["False"]


def test_changes_are_kept(dc: Shell) -> None:
    dc.run(STAGE)
    assert dc.run("Set-ADComputer -Identity 'DAG9' -Description 'for the DAG'").ids == []
    assert dc.run(f"({READ} -Properties Description).Description").texts == ["for the DAG"]
    assert dc.run("Enable-ADAccount -Identity 'DAG9$'").ids == []
    assert dc.run(f"({READ}).Enabled").texts == ["True"]


def test_members_of_a_group(dc: Shell) -> None:
    told = dc.run("Get-ADGroupMember -Identity 'Exchange Trusted Subsystem' | ForEach-Object { $_.Name }")
    assert told.texts == ["EX1", "EX2", "EX3", "EX4"]


# -- questions


def test_whether_a_cmdlet_asks_is_its_impact_against_the_preference(estate: Estate) -> None:
    """-Confirm asks always, -Confirm:$false never; High asks by itself."""
    shell = estate.open("EX1")
    path = "C:\\asked.txt"
    assert shell.run(f"[void](New-Item -Path '{path}' -ItemType File)").ids == []
    asked = ["HostFunctionNotImplemented,Microsoft.PowerShell.Commands.RemoveItemCommand"]
    assert shell.run(f"Remove-Item -LiteralPath '{path}' -Confirm").ids == asked
    assert shell.run(f"Test-Path -LiteralPath '{path}'").texts == ["True"]
    assert shell.run(f"Remove-Item -LiteralPath '{path}' -Confirm:$false").ids == []
    assert shell.run(f"Test-Path -LiteralPath '{path}'").texts == ["False"]


def test_what_was_listed_can_be_removed_by_pipeline(estate: Estate) -> None:
    shell = estate.open("EX1")
    for name in ("a", "b"):
        shell.run(f"[void](New-Item -Path 'C:\\list\\{name}.txt' -ItemType File -Force)")
    assert shell.run("Get-ChildItem -Path 'C:\\list' -Filter 'a*' | Remove-Item").ids == []
    assert shell.run("(Get-ChildItem -Path 'C:\\list').Name").texts == ["b.txt"]

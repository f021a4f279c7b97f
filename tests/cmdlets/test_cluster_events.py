"""What a survivor's System log says of the cluster, and which domain controllers a server may use."""

from __future__ import annotations

from typing import Any

from lab_hosts import Estate

EVENTS = (
    "Get-WinEvent -FilterHashtable @{ LogName = 'System'; ProviderName = 'Microsoft-Windows-FailoverClustering'; "
    "Id = @(1135, 1177) } -MaxEvents 5 | ForEach-Object { '{0} {1}' -f $_.Id, $_.TimeCreated.ToString('HH:mm') }"
)


def test_a_survivor_keeps_who_was_removed_and_when_quorum_was_lost() -> None:
    estate = Estate("aws-2az-nodac")
    node2 = estate.open("ExchangeNode2")
    told = node2.run(EVENTS)
    assert told.ids == ["NoMatchingEventsFound,Microsoft.PowerShell.Commands.GetWinEventCommand"]
    estate.world.fault("az_loss", "1a")
    estate.pass_time(120)
    told = node2.run(EVENTS)
    assert [line.split()[0] for line in told.texts] == ["1177", "1135"], "the newest first"
    assert told.texts[0].split()[1] == told.texts[1].split()[1]


def test_where_quorum_is_kept_there_is_no_1177() -> None:
    estate = Estate("pa-4x2")
    estate.world.fault("az_loss", "1a")
    estate.pass_time(120)
    told = estate.open("EX3").run(EVENTS)
    assert {line.split()[0] for line in told.texts} == {"1135"}
    assert len(told.texts) == 2, "EX1 and EX2"


def test_a_clean_stop_removes_nobody() -> None:
    estate = Estate("pa-4x2")
    estate.world.stop_service("EX1", "ClusSvc")
    estate.pass_time(60)
    assert estate.open("EX3").run(EVENTS).ids == [
        "NoMatchingEventsFound,Microsoft.PowerShell.Commands.GetWinEventCommand"
    ]


def test_a_server_leaves_out_the_domain_controllers_that_it_is_told_to() -> None:
    estate = Estate("pa-4x2")

    def anew() -> Any:
        return estate.exchange("Set-ExchangeServer", "Get-ExchangeServer", host="EX3")

    shell = anew()
    used = "(Get-ExchangeServer -Identity EX3 -Status).CurrentDomainControllers | ForEach-Object { [string]$_ }"
    assert shell.run(used).texts == ["DC2.example.com"], "its own site first"
    change = "Set-ExchangeServer -Identity EX3 -StaticExcludedDomainControllers {} -Confirm:$false"
    assert shell.run(change.format("'DC2.example.com'")).ids == []
    assert shell.run(used).texts == ["DC2.example.com"], "until its topology is looked at again"
    estate.pass_time(901)
    shell = anew()
    assert shell.run(used).texts == ["DC1.example.com", "DC3.example.com"]
    kept = "(Get-ExchangeServer -Identity EX3).StaticExcludedDomainControllers | ForEach-Object { [string]$_ }"
    assert shell.run(kept).texts == ["DC2.example.com"]
    assert shell.run(change.format("$null")).ids == []
    estate.pass_time(901)
    shell = anew()
    assert shell.run(used).texts == ["DC2.example.com"]

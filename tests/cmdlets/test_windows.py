"""Services, processes, volumes, CIM and the cluster, as a script on one host sees them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from lab_hosts import Estate, Shell

MESSAGES: dict[str, dict[str, Any]] = {
    row["id"]: row
    for row in map(
        json.loads, (Path(__file__).parents[1] / "data" / "exchange" / "messages.jsonl").read_text("utf-8").splitlines()
    )
}


@pytest.fixture
def shell(estate: Estate) -> Shell:
    return estate.open()


def test_services(estate: Estate, shell: Shell) -> None:
    assert shell.run("[string](Get-Service -Name 'MSExchangeRepl').Status").texts == ["Running"]
    estate.world.fault("service_crash", "EX1", service="MSExchangeRepl")
    assert shell.run("[string](Get-Service -Name 'msexchangerepl').Status").texts == ["Stopped"]
    assert shell.run("Get-Service -Name 'Nix'").ids == [
        "NoServiceFoundForGivenName,Microsoft.PowerShell.Commands.GetServiceCommand"
    ]
    assert shell.run("Get-Service -Name 'Nix*'").ids == []
    assert shell.run("Get-Service -Name 'WinRM' -ComputerName 'EX2'").ids == [
        "System.InvalidOperationException,Microsoft.PowerShell.Commands.GetServiceCommand"
    ]


def test_a_word_alone_is_a_service_not_an_object(shell: Shell) -> None:
    for verb in ("Restart", "Stop", "Start"):
        assert shell.run(f"{verb}-Service W3SVC -Confirm:$false").ids == []
    assert shell.run("Restart-Service 'Nix'").ids == [
        "NoServiceFoundForGivenName,Microsoft.PowerShell.Commands.RestartServiceCommand"
    ]
    wrong = shell.run("Restart-Service -InputObject 'W3SVC'")
    assert wrong.ids == ["CannotConvertArgumentNoMessage,Microsoft.PowerShell.Commands.RestartServiceCommand"]


def test_processes(shell: Shell) -> None:
    assert shell.run("@(Get-Process -Name 'ExSetup*' -ErrorAction SilentlyContinue).Count").texts == ["0"]
    assert shell.run("(Get-Process -Name 'clussvc').Name").texts == ["clussvc"]
    assert shell.run("Get-Process -Name 'ExSetup'").ids == [
        "NoProcessFoundForGivenName,Microsoft.PowerShell.Commands.GetProcessCommand"
    ]


@pytest.mark.parametrize(
    ("where", "wanted"),
    [
        ("DriveType=3", ["C:\\", "D:\\", "E:\\"]),
        ("DriveType = 3 AND DriveLetter <> 'C:'", ["D:\\", "E:\\"]),
        ("Name LIKE 'D%' OR Name='E:\\\\'", ["D:\\", "E:\\"]),
        ("DriveLetter IS NULL", []),
        ("Capacity > 1500000000000", ["D:\\"]),
        ("BootVolume = TRUE", ["C:\\"]),
    ],
)
def test_wql(shell: Shell, where: str, wanted: list[str]) -> None:
    quoted = where.replace("'", "''")
    told = shell.run(f"@(Get-CimInstance -ClassName 'Win32_Volume' -Filter '{quoted}') | ForEach-Object {{ $_.Name }}")
    assert told.texts == wanted
    script = f"@(Get-CimInstance -Query 'SELECT * FROM Win32_Volume WHERE {quoted}').Count"
    assert shell.run(script).texts == [str(len(wanted))]


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ("-ClassName 'No_Such'", "0x80041010"),
        ("-ClassName 'Win32_Volume' -Filter 'DriveType=='", "0x80041017"),
        ("-ClassName 'Win32_Volume' -Filter 'Nix=1'", "0x80041017"),
        ("-ClassName 'Win32_Volume' -ComputerName 'EX2'", "0x80070005"),
    ],
)
def test_what_cim_refuses(shell: Shell, arguments: str, wanted: str) -> None:
    told = shell.run(f"Get-CimInstance {arguments}")
    assert told.ids == [f"HRESULT {wanted},Microsoft.Management.Infrastructure.CimCmdlets.GetCimInstanceCommand"]


def test_a_class_that_the_lab_does_not_have_is_refused_not_invalid(shell: Shell) -> None:
    told = shell.run("Get-CimInstance -ClassName 'Win32_BIOS'")
    assert told.ended is not None
    assert told.ended.category == "NotImplemented"


def test_the_system_tells_its_boot(estate: Estate, shell: Shell) -> None:
    script = "(Get-CimInstance -ClassName 'Win32_OperatingSystem').LastBootUpTime.ToUniversalTime().ToString('o')"
    (told,) = shell.run(script).texts
    assert told.startswith(estate.world.server("EX1").boot_time.strftime("%Y-%m-%dT%H:%M:%S"))
    assert shell.run("(Get-CimInstance -ClassName 'Win32_ComputerSystem').Domain").texts == ["example.com"]


def test_volumes_fill_up(estate: Estate, shell: Shell) -> None:
    estate.world.fault("disk_full", "EX1", volume="E:")
    assert shell.run("(Get-Volume -DriveLetter 'E').SizeRemaining").texts == ["0"]
    assert shell.run("Get-Volume -DriveLetter 'Q'").errors[0].category == "ObjectNotFound"


def test_the_cluster(shell: Shell) -> None:
    assert shell.run("(Get-ClusterNode).Name").texts == ["EX1", "EX2", "EX3", "EX4"]
    script = "$n = Get-ClusterNode -Name 'EX2'; [string]$n.State; $n.NodeWeight; $n.DynamicWeight; $n.Id"
    assert shell.run(script).texts == ["Up", "1", "1", "2"]
    assert shell.run("$q = Get-ClusterQuorum; [string]$q.QuorumType").texts == ["NodeAndFileShareMajority"]
    script = "$r = @(Get-ClusterResource | Where-Object { [string]$_.ResourceType -eq 'File Share Witness' }); "
    assert shell.run(script + "$r.Count; [string]$r[0].State").texts == ["1", "Online"]
    assert shell.run("(Get-ClusterGroup | Where-Object { $_.IsCoreGroup }).OwnerNode.Name").texts == ["EX1"]
    assert shell.run("(Get-ClusterResource | Get-ClusterParameter -Name 'SharePath').Value").texts == [
        "\\\\FSW3.example.com\\DAG1.example.com"
    ]
    assert shell.run("Get-ClusterNode -Name 'EX9'").errors[0].category == "ObjectNotFound"


def test_a_stopped_cluster_service_answers_as_published(estate: Estate, shell: Shell) -> None:
    estate.world.fault("service_crash", "EX1", service="ClusSvc")
    told = shell.run("Get-ClusterNode")
    wanted = MESSAGES["tr-401f9ba533"]
    assert told.ids == [wanted["fully_qualified_error_id"]]
    assert told.errors[0].message == wanted["message"]
    assert told.errors[0].category == "ConnectionError"
    assert told.warnings == [MESSAGES["tr-9359f83247"]["message"]]


def test_another_node_is_a_second_hop(shell: Shell) -> None:
    assert shell.run("Get-ClusterNode -Cluster 'EX2'").ids == [
        "ClusterAccessDenied,Microsoft.FailoverClusters.PowerShell.GetNodeCommand"
    ]
    assert shell.run("(Get-Cluster -Name 'EX1').Name").texts == ["DAG1"]


def test_names_are_localised_and_the_kind_is_not(estate: Estate, shell: Shell) -> None:
    estate.world.fault("localized", "de-DE")
    told = shell.run("Get-ClusterGroup | ForEach-Object { $_.Name + '=' + [string]$_.GroupType }")
    assert told.texts == ["Clustergruppe=Cluster", "Verf\u00fcgbarer Speicher=AvailableStorage"]


def test_a_failed_witness_is_told_as_a_warning_of_a_read(estate: Estate) -> None:
    shell = estate.exchange("Get-DatabaseAvailabilityGroup", "Test-ReplicationHealth")
    estate.world.fault("witness_down", "DAG1")
    estate.world.scheduler.advance_to(estate.world.now.replace(minute=10))
    told = shell.run("[string](Get-DatabaseAvailabilityGroup -Identity 'DAG1' -Status).WitnessShareInUse")
    assert told.texts == ["InvalidConfiguration"]
    assert told.warnings == [MESSAGES["tr-738db276e8"]["message"].replace("<DAG>", "DAG1")]
    told = shell.run("(Test-ReplicationHealth | Where-Object { [string]$_.Result -ne 'Passed' }).Check")
    assert told.texts == ["FileShareQuorum"]


def test_replication_health_sees_what_is_wrong(estate: Estate) -> None:
    shell = estate.exchange("Test-ReplicationHealth", "Test-ServiceHealth", "Get-ServerHealth")
    healthy = (
        "Test-ReplicationHealth -Identity '{0}' | Where-Object {{ [string]$_.Result -ne 'Passed' }} | "
        "ForEach-Object {{ $_.Check }}"
    )
    assert shell.run(healthy.format("EX1")).texts == []
    estate.world.fault("service_crash", "EX2", service="ClusSvc")
    assert "ClusterService" in shell.run(healthy.format("EX2")).texts
    estate.world.fault("service_crash", "EX3", service="MSExchangeTransport")
    script = "Test-ServiceHealth -Server 'EX3' | ForEach-Object {{ $_.ServicesNotRunning }}"
    assert set(shell.run(script.format()).texts) == {"MSExchangeTransport"}
    script = "(Get-ServerHealth -Identity 'EX3' | Where-Object { [string]$_.AlertValue -eq 'Unhealthy' }).HealthSetName"
    assert shell.run(script).texts == ["HubTransport"]


def test_queues(estate: Estate) -> None:
    shell = estate.exchange("Get-Queue")
    assert [
        text.partition("\\")[2] for text in shell.run("Get-Queue | ForEach-Object { [string]$_.Identity }").texts
    ] == [
        "Submission",
        "Shadow\\3",
        "Shadow\\4",
        "Shadow\\5",
        *("6", "7", "8", "9", "10"),
    ]
    assert [int(one) for one in shell.run("(Get-Queue).MessageCount").texts][:4] == [0, 45, 45, 45]
    estate.world.fault("service_crash", "EX1", service="MSExchangeTransport")
    assert "Verify that the service is started" in shell.run("Get-Queue -Server 'EX1'").errors[0].message


def test_a_session_asks_the_dc_it_was_told_to(estate: Estate) -> None:
    shell = estate.exchange("Set-ADServerSettings", "Get-ADServerSettings", "Get-DatabaseAvailabilityGroup")
    told = shell.run(
        "Set-ADServerSettings -PreferredServer 'DC2.example.com' -ViewEntireForest $true; Get-ADServerSettings"
    )
    assert told.ids == []
    assert told.objects[0].get("ViewEntireForest") is True
    assert shell.run("(Get-DatabaseAvailabilityGroup).OriginatingServer").texts == ["DC2.example.com"]
    estate.world.fault("dc_down", "DC2")
    assert shell.run("Get-DatabaseAvailabilityGroup -Identity 'DAG1'").errors
    assert shell.run("(Get-DatabaseAvailabilityGroup -DomainController 'DC1.example.com').Name").texts == ["DAG1"]


def test_a_service_is_stopped_and_started_in_its_time(estate: Estate, shell: Shell) -> None:
    told = shell.run("Stop-Service -Name 'MSExchangeRepl'; [string](Get-Service -Name 'MSExchangeRepl').Status")
    assert told.texts == ["Stopped"]
    told = shell.run("Start-Service -Name 'MSExchangeRepl'; [string](Get-Service -Name 'MSExchangeRepl').Status")
    assert told.texts == ["Running"]
    assert told.seconds >= estate.world.state.tuning.service_start_s
    estate.world.fault("service_crash", "EX1", service="MSExchangeRepl")
    assert shell.run("Start-Service -Name 'MSExchangeRepl'").ids == [
        "StartServiceFailed,Microsoft.PowerShell.Commands.StartServiceCommand"
    ]


def test_nodes_pause_and_the_core_group_moves(shell: Shell) -> None:
    state = "[string](Get-ClusterNode -Name 'EX2').State"
    assert shell.run(f"Suspend-ClusterNode -Name 'EX2' | Out-Null; {state}").texts == ["Paused"]
    assert shell.run(f"Resume-ClusterNode -Name 'EX2' | Out-Null; {state}").texts == ["Up"]
    told = shell.run(
        "Move-ClusterGroup -Name 'Cluster Group' -Node 'EX3' | Out-Null; @(Get-ClusterGroup)[0].OwnerNode.Name"
    )
    assert told.texts == ["EX3"]


def test_no_two_processes_have_one_number(estate: Estate) -> None:
    script = "Get-CimInstance -ClassName 'Win32_Process' | ForEach-Object { [string]$_.ProcessId }"
    for host in ("EX1", "EX2", "EX3", "EX4", "DC1", "FSW3"):
        ids = estate.open(host).run(script).texts
        assert len(set(ids)) == len(ids) > 1, host

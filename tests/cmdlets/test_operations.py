"""Components, services, queues, connectors, monitoring overrides: what scripts of day-to-day operations meet."""

from __future__ import annotations

import pytest
from lab_hosts import Estate, Shell

QUEUES = (
    "Get-Queue",
    "Redirect-Message",
    "Retry-Queue",
    "Suspend-Queue",
    "Resume-Queue",
    "Get-Message",
    "Get-ServerComponentState",
    "Set-ServerComponentState",
    "Get-ExchangeDiagnosticInfo",
)
DRAIN = (
    "Set-ServerComponentState -Identity 'EX1' -Component 'HubTransport' -State 'Draining' -Requester 'Maintenance' "
    "-Confirm:$false"
)
WAITING = (
    "$n = 0; foreach ($q in @(Get-Queue -Server 'EX1' -ErrorAction Stop)) "
    "{ if ([string]$q.DeliveryType -ne 'ShadowRedundancy' -and [string]$q.Identity -notlike '*\\Poison') "
    "{ $n += $q.MessageCount } }; $n"
)


@pytest.fixture
def mail(estate: Estate) -> Shell:
    return estate.exchange(*QUEUES)


def test_a_server_drains_and_its_shadow_queues_stay(estate: Estate, mail: Shell) -> None:
    assert int(mail.run(WAITING).texts[0]) > 0
    assert mail.run(DRAIN).ids == []
    assert int(mail.run(WAITING).texts[0]) > 0, "the running service has not read it yet"
    told = mail.run("Restart-Service -Name 'MSExchangeTransport'")
    assert told.ids == []
    assert told.seconds >= estate.world.state.tuning.transport_start_s
    assert "Verify that the service is started" in (mail.run(WAITING).ended or mail.run(WAITING).errors[0]).message
    estate.pass_time(30)
    assert mail.run(WAITING).texts == ["0"]
    shadow = "(Get-Queue -Server 'EX1' | Where-Object { [string]$_.DeliveryType -eq 'ShadowRedundancy' }).MessageCount"
    assert all(int(one) > 0 for one in mail.run(shadow).texts)


def test_without_a_restart_the_service_learns_of_its_component_later(estate: Estate, mail: Shell) -> None:
    mail.run(DRAIN)
    estate.pass_time(estate.world.state.tuning.transport_poll_s + 10)
    assert mail.run(WAITING).texts == ["0"]


def test_a_queue_grows_while_its_database_is_down_and_is_redirected(estate: Estate, mail: Shell) -> None:
    estate.world.dismount("DB04", "EX1")
    for _ in range(3):
        estate.pass_time(400)
        mail.run(WAITING)  # a session unused for a quarter of an hour is gone
    script = (
        "$q = Get-Queue -Server 'EX1' -Filter \"NextHopDomain -eq 'db04'\"; [string]$q.Status; $q.MessageCount; "
        "$q.LastError; $q.RetryCount"
    )
    status, count, error, retries = mail.run(script).texts
    assert status == "Retry"
    assert int(count) > 500
    assert "432 4.2.0" in error
    assert int(retries) >= 10
    assert len(mail.run("Get-Message -Queue 'EX1\\9' -ResultSize 7").objects) == 7
    mail.run(DRAIN)
    mail.run("Restart-Service -Name 'MSExchangeTransport'")
    estate.pass_time(30)
    told = mail.run("Redirect-Message -Server 'EX1' -Target 'EX2.example.com' -Confirm:$false")
    assert told.ids == []
    estate.pass_time(60)
    assert mail.run(WAITING).texts == ["0"]
    moved = mail.run("(Get-Queue -Server 'EX2' -Filter \"NextHopDomain -eq 'db04'\").MessageCount").texts
    assert int(moved[0]) > 2 * 500


def test_a_draining_server_is_no_target(mail: Shell) -> None:
    told = mail.run(DRAIN.replace("'EX1'", "'EX2'"))
    assert told.ids == []
    told = mail.run("Redirect-Message -Server 'EX1' -Target 'EX2.example.com' -Confirm:$false")
    assert told.errors
    assert "HubTransport" in told.errors[0].message
    assert mail.run("Redirect-Message -Server 'EX1' -Target 'EX9.example.com' -Confirm:$false").errors


def test_stuck_messages_are_moved_by_nothing(estate: Estate, mail: Shell) -> None:
    number = estate.world.fault("queue_stuck", "EX1", messages=80)
    mail.run(DRAIN)
    mail.run("Restart-Service -Name 'MSExchangeTransport'")
    estate.pass_time(60)
    mail.run("Redirect-Message -Server 'EX1' -Target 'EX2.example.com' -Confirm:$false")
    mail.run("Get-Queue -Server 'EX1' -Filter \"Status -eq 'Retry'\" | Retry-Queue -Confirm:$false")
    estate.pass_time(300)
    assert mail.run(WAITING).texts == ["80"]
    estate.world.mend(number)
    estate.pass_time(1)
    assert mail.run(WAITING).texts == ["0"]


def test_a_suspended_submission_queue_fills_until_it_is_resumed(estate: Estate, mail: Shell) -> None:
    assert mail.run("Suspend-Queue -Identity 'EX1\\Submission' -Confirm:$false").ids == []
    estate.pass_time(600)
    script = "$q = Get-Queue -Identity 'EX1\\Submission'; [string]$q.Status; $q.MessageCount"
    status, count = mail.run(script).texts
    assert status == "Suspended"
    assert int(count) > 1000
    assert mail.run("Resume-Queue -Identity 'EX1\\Submission' -Confirm:$false").ids == []
    estate.pass_time(60)
    assert mail.run(script).texts[1] == "0"
    assert mail.run("Resume-Queue -Identity 'EX1\\Submission'").ids[0].startswith("HostFunctionNotImplemented")
    assert "doesn't exist" in mail.run("Suspend-Queue -Identity 'EX1\\77' -Confirm:$false").errors[0].message


def test_back_pressure_is_told_by_the_diagnostics(estate: Estate, mail: Shell) -> None:
    script = (
        "[string](Get-ExchangeDiagnosticInfo -Server 'EX1' -Process 'EdgeTransport' -Component 'ResourceThrottling')"
    )
    assert 'CurrentResourceUse="High"' not in mail.run(script).texts[0]
    number = estate.world.fault("backpressure", "EX1")
    assert 'Resource="PrivateBytes" CurrentResourceUse="High"' in mail.run(script).texts[0]
    estate.pass_time(300)
    assert int(mail.run("(Get-Queue -Identity 'EX1\\Submission').MessageCount").texts[0]) > 100
    estate.world.mend(number)
    estate.world.fault("disk_full", "EX1", volume="C:")
    assert 'Resource="UsedDiskSpace" CurrentResourceUse="High"' in mail.run(script).texts[0]


# -- components

STATE = "[string](Get-ServerComponentState -Identity 'EX1' -Component '{0}').State"
SET = "Set-ServerComponentState -Identity 'EX1' -Component '{0}' -State '{1}' -Requester '{2}' -Confirm:$false "


def test_every_requester_has_a_say_on_both_sides(mail: Shell) -> None:
    mail.run(SET.format("OwaProxy", "Inactive", "Maintenance"))
    mail.run(SET.format("OwaProxy", "Inactive", "HealthAPI"))
    mail.run(SET.format("OwaProxy", "Active", "Maintenance"))
    assert mail.run(STATE.format("OwaProxy")).texts == ["Inactive"]
    mail.run(SET.format("OwaProxy", "Active", "HealthAPI") + "-LocalOnly")
    assert mail.run(STATE.format("OwaProxy")).texts == ["Inactive"]
    mail.run(SET.format("OwaProxy", "Active", "HealthAPI") + "-RemoteOnly")
    assert mail.run(STATE.format("OwaProxy")).texts == ["Active"]
    script = (
        "(Get-ServerComponentState -Identity 'EX1' -Component 'OwaProxy').LocalStates | "
        "ForEach-Object { [string]$_.Requester + '=' + [string]$_.State }"
    )
    assert mail.run(script).texts == ["Maintenance=Active", "HealthApi=Active"], "entries stay"


def test_a_server_offline_takes_all_but_two_with_it(estate: Estate, mail: Shell) -> None:
    mail.run(SET.format("ServerWideOffline", "Inactive", "Maintenance"))
    script = (
        "Get-ServerComponentState -Identity 'EX1' | Where-Object { [string]$_.State -ne 'Inactive' } | "
        "ForEach-Object { $_.Component }"
    )
    assert mail.run(script).texts == ["Monitoring", "RecoveryActionsEnabled"]
    assert estate.world.health_page("EX1", "owa") == "503"
    assert estate.world.health_page("EX2", "/owa") == "200"
    mail.run(SET.format("ServerWideOffline", "Active", "Maintenance"))
    assert mail.run(script).texts.count("OwaProxy") == 1
    assert not {"ForwardSyncDaemon", "ProvisioningRps"} & set(mail.run(script).texts)
    assert estate.world.health_page("EX1", "owa") == "200"


def test_imap_stops_with_its_proxy_and_stays_stopped(estate: Estate, mail: Shell) -> None:
    mail.run("Start-Service -Name 'MSExchangeImap4'")
    mail.run(SET.format("ServerWideOffline", "Inactive", "Maintenance"))
    estate.pass_time(10)
    status = "[string](Get-Service -Name 'MSExchangeImap4').Status"
    assert mail.run(status).texts == ["Stopped"]
    mail.run(SET.format("ServerWideOffline", "Active", "Maintenance"))
    estate.pass_time(60)
    assert mail.run(status).texts == ["Stopped"]


@pytest.mark.parametrize(
    ("component", "state", "requester", "words"),
    [
        ("OwaProxy", "Draining", "Maintenance", "Owaproxy does not drain"),
        ("Nix", "Inactive", "Maintenance", "'nix' isn't known"),
        ("OwaProxy", "Inactive", "Nobody", "HealthAPI,Maintenance"),
    ],
)
def test_what_a_component_refuses(mail: Shell, component: str, state: str, requester: str, words: str) -> None:
    told = mail.run(SET.format(component, state, requester))
    assert words.casefold() in told.errors[0].message.casefold()


# -- services


def test_a_service_with_dependents_is_stopped_by_force_only(estate: Estate) -> None:
    shell = estate.open()
    told = shell.run("Restart-Service -Name 'MSExchangeADTopology'")
    assert told.ids == ["ServiceHasDependentServices,Microsoft.PowerShell.Commands.RestartServiceCommand"]
    names = "@((Get-Service -Name 'MSExchangeADTopology').DependentServices) | ForEach-Object { $_.Name }"
    assert "MSExchangeTransport" in shell.run(names).texts
    told = shell.run("Restart-Service -Name 'MSExchangeADTopology' -Force")
    assert told.ids == []
    assert told.seconds >= 5 + 5 + 20 + 40, "dependents, itself, and back in the other order"
    assert "MSExchangeTransport" not in estate.world.pending_services("EX1")
    assert shell.run("Stop-Service -Name 'MSExchangeADTopology' -Force").ids == []
    assert shell.run("[string](Get-Service -Name 'MSExchangeRepl').Status").texts == ["Stopped"]
    told = shell.run("Start-Service -Name 'MSExchangeRepl'; [string](Get-Service -Name 'MSExchangeADTopology').Status")
    assert told.texts == ["Running"], "what it needs is started with it"


def test_a_half_failed_update_and_its_repair_by_hand(estate: Estate) -> None:
    shell = estate.exchange("Get-ServerComponentState", "Set-ServerComponentState", host="EX2")
    number = estate.world.fault("su_failed", "EX1")
    here = estate.open("EX1")
    script = "(Get-CimInstance -ClassName 'Win32_Service' -Filter \"Name='MSExchangeIS'\").StartMode"
    assert here.run(script).texts == ["Disabled"]
    assert here.run("Start-Service -Name 'MSExchangeIS'").errors
    state = "[string](Get-ServerComponentState -Identity 'EX1' -Component 'ServerWideOffline').State"
    assert shell.run(state).texts == ["Inactive"]
    shell.run(SET.format("ServerWideOffline", "Active", "Functional"))
    assert shell.run(state).texts == ["Active"]
    here.run("Set-Service -Name 'MSExchangeIS' -StartupType Manual")
    estate.world.mend(number)
    estate.pass_time(120)
    assert here.run(script).texts == ["Manual"], "what was repaired by hand is left alone"
    assert "MSExchangeTransport" not in estate.world.pending_services("EX1")


# -- mail flow and monitoring


def test_overrides_run_out(estate: Estate) -> None:
    shell = estate.exchange(
        "Add-ServerMonitoringOverride", "Get-ServerMonitoringOverride", "Remove-ServerMonitoringOverride"
    )
    add = (
        "Add-ServerMonitoringOverride -Identity '{0}' -Server 'EX1' -ItemType Responder -PropertyName Enabled "
        "-PropertyValue 0 -Duration '04:00:00' -Confirm:$false"
    )
    assert shell.run(add.format("AD\\ActiveDirectoryConnectivityConfigDCServerReboot")).ids == []
    told = shell.run("Get-ServerMonitoringOverride -Server 'EX1'")
    assert told.objects[0].get("HealthSetName") == "AD"
    assert str(told.objects[0].get("ExpirationTime")).startswith("2026-11-20 18:0")
    assert shell.run(add.format("ad\\X")).errors, "the health set's name is case-sensitive"
    assert shell.run(add.format("AD\\ActiveDirectoryConnectivityConfigDCServerReboot")).errors, "it is there already"
    count = "@(Get-ServerMonitoringOverride -Server 'EX1').Count"
    for _ in range(24):
        assert shell.run(count).texts == ["1"]
        estate.pass_time(600)
    assert shell.run(count).texts == ["0"]
    assert shell.run(add.format("Store\\X")).ids == []
    remove = (
        "Remove-ServerMonitoringOverride -Identity 'Store\\X' -Server 'EX1' -ItemType Responder -PropertyName Enabled "
        "-Confirm:$false"
    )
    assert shell.run(remove).ids == []
    assert shell.run(remove).errors


def test_health_sets_roll_up_their_monitors(estate: Estate) -> None:
    shell = estate.exchange("Get-HealthReport")
    estate.world.fault("service_crash", "EX1", service="ClusSvc")
    script = (
        "Get-HealthReport -Identity 'EX1' | Where-Object { [string]$_.AlertValue -eq 'Unhealthy' } | "
        "ForEach-Object { $_.HealthSet; $_.MonitorCount }"
    )
    assert shell.run(script).texts == ["Clustering", "2"]


# -- disks


def test_a_volume_grows_with_its_disk_after_windows_has_looked(estate: Estate) -> None:
    shell = estate.open()
    volume = estate.world.server("EX1").volumes["E:"]
    volume.disk = volume.size + 2**30
    most = "$s = Get-PartitionSupportedSize -DriveLetter 'E'; [string]$s.SizeMax"
    assert shell.run(most).texts == [str(volume.size)]
    resize = f"Resize-Partition -DriveLetter 'E' -Size {volume.disk} -Confirm:$false"
    assert shell.run(resize).ids == ["StorageWMI 4097,Resize-Partition"]
    assert shell.run("Update-HostStorageCache").ids == []
    assert shell.run(most).texts == [str(volume.disk)]
    assert shell.run(resize).ids == []
    assert shell.run(
        "[string](Get-Volume -DriveLetter 'E').Size; (Get-Partition -DriveLetter 'E').DiskNumber"
    ).texts == [
        str(volume.disk),
        "2",
    ]
    assert shell.run("Get-Partition -DriveLetter 'Q'").errors[0].category == "ObjectNotFound"


# -- event logs

WRITTEN = "Get-WinEvent -FilterHashtable @{{ {0} }} | ForEach-Object {{ [string]$_.Id + ' ' + $_.ProviderName }}"


def test_a_host_keeps_what_happened_to_it(estate: Estate) -> None:
    shell = estate.open("EX3")
    estate.world.fault("self_heal", "EX3", action="ForceReboot", responder="R1")
    estate.pass_time(600)
    number = estate.world.fault("host_off", "EX3")
    estate.pass_time(60)
    estate.world.mend(number)
    estate.pass_time(600)
    shell = estate.open("EX3")
    told = shell.run(WRITTEN.format("LogName = 'System'; Id = @(41, 1074, 6005, 6006, 6008)"))
    assert [one.split()[0] for one in told.texts] == ["6005", "6008", "41", "6005", "6006", "1074"], "the newest first"
    script = (
        "$e = Get-WinEvent -FilterHashtable @{ LogName = "
        "'Microsoft-Exchange-ManagedAvailability/RecoveryActionResults' }; $e.Properties | ForEach-Object { $_.Value }"
    )
    assert shell.run(script).texts == ["ForceReboot", "EX3", "R1", "Finished", "Succeeded"]
    since = "StartTime = [datetime]::UtcNow; LogName = 'System'"
    assert shell.run(WRITTEN.format(since)).ids == [
        "NoMatchingEventsFound,Microsoft.PowerShell.Commands.GetWinEventCommand"
    ]
    assert shell.run("Get-WinEvent -LogName 'Nix'").ids == [
        "NoMatchingLogsFound,Microsoft.PowerShell.Commands.GetWinEventCommand"
    ]
    moves = WRITTEN.format("LogName = 'Microsoft-Exchange-HighAvailability/Operational'")
    assert "227" in {one.split()[0] for one in estate.open("EX1").run(moves).texts}


def test_a_silenced_responder_does_nothing(estate: Estate) -> None:
    shell = estate.exchange("Add-ServerMonitoringOverride")
    told = shell.run(
        "Add-ServerMonitoringOverride -Identity 'AD\\R1' -Server 'EX3' -ItemType Responder -PropertyName Enabled "
        "-PropertyValue 0 -Duration '04:00:00' -Confirm:$false"
    )
    assert told.ids == []
    estate.world.fault("self_heal", "EX3", action="ForceReboot", responder="R1")
    estate.pass_time(60)
    assert estate.world.server("EX3").power == "on"


def test_an_engine_that_answers_nothing_is_passed_by(estate: Estate) -> None:
    shell = estate.exchange("Get-Queue", "Get-MalwareFilteringServer", "Set-MalwareFilteringServer")
    estate.world.fault("malware_engine_stuck", "EX1")
    estate.pass_time(600)
    waiting = "(Get-Queue -Identity 'EX1\\Submission').MessageCount"
    assert int(shell.run(waiting).texts[0]) > 500
    script = "Set-MalwareFilteringServer -Identity 'EX1' -BypassFiltering $true -Confirm:$false"
    assert shell.run(script).warnings == []
    assert shell.run(script).warnings, "nothing changed"
    estate.pass_time(60)
    assert shell.run(waiting + "; (Get-MalwareFilteringServer -Identity 'EX1').BypassFiltering").texts == ["0", "True"]


def test_a_connector_without_a_living_source_keeps_its_mail(estate: Estate) -> None:
    shell = estate.exchange("Get-Queue", "Get-SendConnector", "Set-SendConnector", host="EX3")
    sources = "(Get-SendConnector -Identity 'Internet').SourceTransportServers | ForEach-Object { $_.Name }"
    move = "Set-SendConnector -Identity 'Internet' -SourceTransportServers {0} -Confirm:$false"
    assert shell.run(move.format("'EX1'")).ids == []
    assert shell.run(sources).texts == ["EX1"]
    estate.world.fault("host_off", "EX1")
    estate.pass_time(600)
    queue = "$q = Get-Queue -Server 'EX3' -Filter \"NextHopDomain -eq 'Internet'\"; [string]$q.Status; $q.MessageCount"
    status, count = shell.run(queue).texts
    assert status == "Retry"
    assert int(count) > 200
    assert shell.run(move.format("'EX3','EX4'")).ids == []
    estate.pass_time(60)
    status, count = shell.run(queue).texts
    assert status == "Active"
    assert int(count) < 5
    assert shell.run(move.format("'FSW3'")).errors
    assert shell.run("Get-SendConnector -Identity 'Nix'").errors

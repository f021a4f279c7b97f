"""Windows Update over WinRM and as SYSTEM, scheduled tasks that really run, reboots that end installations."""

from __future__ import annotations

import json
from typing import Any

import pytest
from lab_hosts import Estate, Shell

SEARCH = (
    "$s = New-Object -ComObject 'Microsoft.Update.Session'; "
    "$r = $s.CreateUpdateSearcher().Search(\"IsInstalled=0 and Type='Software' and IsHidden=0\"); "
)
TITLES = SEARCH + "foreach ($u in $r.Updates) { [string]$u.KBArticleIDs[0] }"
DENIED = "Access is denied. (Exception from HRESULT: 0x80070005 (E_ACCESSDENIED))"
FOLDER = "C:\\ProgramData\\DagRunbook\\1"
WORKER = r"""
param($Folder)
$ErrorActionPreference = 'Stop'
function Save($phase, $results) {
    $now = [datetime]::UtcNow.ToString('o')
    $state = [pscustomobject]@{ phase = $phase; results = @($results); utc = $now; who = $env:USERNAME }
    $json = ConvertTo-Json -InputObject $state -Depth 5 -Compress
    Set-Content -LiteralPath ($Folder + '\state.new') -Value $json -Encoding UTF8
    Move-Item -LiteralPath ($Folder + '\state.new') -Destination ($Folder + '\state.json') -Force
}
$done = @()
Save 'search' $done
$session = New-Object -ComObject 'Microsoft.Update.Session'
$found = $session.CreateUpdateSearcher().Search("IsInstalled=0 and Type='Software' and IsHidden=0")
foreach ($update in $found.Updates) {
    $one = New-Object -ComObject 'Microsoft.Update.UpdateColl'
    $one.Add($update) | Out-Null
    if (-not $update.EulaAccepted) { $update.AcceptEula() }
    $kb = [string]$update.KBArticleIDs[0]
    Save ('download ' + $kb) $done
    $get = $session.CreateUpdateDownloader()
    $get.Updates = $one
    $get.Download() | Out-Null
    Save ('install ' + $kb) $done
    $put = $session.CreateUpdateInstaller()
    $put.Updates = $one
    $put.ForceQuiet = $true
    $result = $put.Install()
    $inner = $result.GetUpdateResult(0)
    $code = '0x{0:X8}' -f $inner.HResult
    $reboot = [bool]$result.RebootRequired
    $done += [pscustomobject]@{ kb = $kb; code = [int]$inner.ResultCode; hresult = $code; reboot = $reboot }
}
Save 'done' $done
exit 0
"""
REGISTER = (
    "$a = New-ScheduledTaskAction -Execute 'powershell.exe' -Argument "
    "'-NoProfile -NonInteractive -ExecutionPolicy Bypass -File \"" + FOLDER + '\\wu.ps1" -Folder "' + FOLDER + "\"'; "
    "$p = New-ScheduledTaskPrincipal -UserId 'SYSTEM' -LogonType ServiceAccount -RunLevel Highest; "
    "$s = New-ScheduledTaskSettingsSet -ExecutionTimeLimit ([timespan]::FromHours(4)) -AllowStartIfOnBatteries "
    "-DontStopIfGoingOnBatteries -MultipleInstances IgnoreNew; "
    "Register-ScheduledTask -TaskPath '\\DagRunbook\\' -TaskName 'WU-1' -Action $a -Principal $p -Settings $s -Force | "
    "Out-Null; "
    "Start-ScheduledTask -TaskPath '\\DagRunbook\\' -TaskName 'WU-1'"
)
STATE = "[string](Get-ScheduledTask -TaskPath '\\DagRunbook\\' -TaskName 'WU-1').State"
RESULT = "[string](Get-ScheduledTaskInfo -TaskPath '\\DagRunbook\\' -TaskName 'WU-1').LastTaskResult"


@pytest.fixture
def shell(estate: Estate) -> Shell:
    return estate.open()


def begin(shell: Shell) -> None:
    """Write the worker and start it, as the product does."""
    shell.run(f"New-Item -ItemType Directory -Force -Path '{FOLDER}' | Out-Null")
    quoted = WORKER.replace("'", "''")
    told = shell.run(f"Set-Content -LiteralPath '{FOLDER}\\wu.ps1' -Value '{quoted}' -Encoding UTF8; " + REGISTER)
    assert told.ids == []


def state_of(shell: Shell) -> dict[str, Any]:
    told = shell.run(f"Get-Content -LiteralPath '{FOLDER}\\state.json' -Raw -Encoding UTF8")
    found: dict[str, Any] = json.loads(told.texts[0])
    return found


def until_it_ends(estate: Estate, shell: Shell, seconds: float = 4 * 3600) -> None:
    begun = estate.world.now
    while shell.run(STATE).texts == ["Running"] and (estate.world.now - begun).total_seconds() < seconds:
        estate.pass_time(60)


def test_a_network_logon_may_search_where_the_host_lets_it(shell: Shell) -> None:
    told = shell.run(TITLES)
    assert told.ended is None
    assert told.errors[0].message == DENIED, "Windows Server 2025"
    assert told.errors[0].fqid == "System.UnauthorizedAccessException"
    older = Estate("pa-4x2-2022").open()
    assert older.run(TITLES).texts == ["5044411", "5043080"]
    for member in ("CreateUpdateDownloader", "CreateUpdateInstaller"):
        script = (
            "try { (New-Object -ComObject 'Microsoft.Update.Session')." + member + "() } "
            "catch { '0x{0:X8}' -f $_.Exception.HResult; $_.Exception.GetType().FullName }"
        )
        assert older.run(script).texts == ["0x80070005", "System.UnauthorizedAccessException"]


def test_an_update_tells_what_a_scan_reads() -> None:
    shell = Estate("pa-4x2-2022").open()
    script = SEARCH + (
        "$u = $r.Updates.Item(0); $u.Title; $u.Identity.RevisionNumber; @($u.Categories)[0].Name; $u.MsrcSeverity; "
        "$u.InstallationBehavior.RebootBehavior; $u.IsDownloaded; $u.BrowseOnly; $u.MaxDownloadSize; $r.Updates.Count"
    )
    told = shell.run(script)
    assert told.ids == []
    assert told.texts[1:] == ["200", "Security Updates", "Critical", "1", "False", "False", str(512 * 2**20), "2"]
    assert shell.run(SEARCH.replace("IsHidden=0", "Nix=0") + "1").errors[0].fqid.startswith("System.Runtime.Interop")
    assert shell.run("New-Object -ComObject 'Nix.Nix'").ids == [
        "NoCOMClassIdentified,Microsoft.PowerShell.Commands.NewObjectCommand"
    ]


def test_the_worker_runs_as_system_and_its_state_is_read_meanwhile(estate: Estate, shell: Shell) -> None:
    begin(shell)
    assert shell.run(STATE).texts == ["Running"]
    assert shell.run(RESULT).texts == ["267009"]
    estate.pass_time(120)
    state = state_of(shell)
    assert (state["phase"], state["who"], state["results"]) == ("install 5044411", "SYSTEM", [])
    assert shell.run("(Get-Process -Name 'TrustedInstaller').Name").texts == ["TrustedInstaller"]
    assert shell.run("Start-ScheduledTask -TaskPath '\\DagRunbook\\' -TaskName 'WU-1'").ids == []
    until_it_ends(estate, shell)
    state = state_of(shell)
    assert [(one["kb"], one["code"], one["reboot"]) for one in state["results"]] == [
        ("5044411", 2, True),
        ("5043080", 2, False),
    ]
    assert shell.run(RESULT).texts == ["0"]
    key = "HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\WindowsUpdate\\Auto Update\\RebootRequired"
    assert shell.run(f"Test-Path -LiteralPath '{key}'").texts == ["True"]
    assert shell.run("(New-Object -ComObject 'Microsoft.Update.SystemInfo').RebootRequired").texts == ["True"]
    assert shell.run("Unregister-ScheduledTask -TaskPath '\\DagRunbook\\' -TaskName 'WU-1' -Confirm:$false").ids == []
    assert shell.run(STATE).errors[0].category == "ObjectNotFound"


def test_a_reboot_ends_what_was_installed_and_takes_longer_for_it(estate: Estate, shell: Shell) -> None:
    begin(shell)
    until_it_ends(estate, shell)
    assert [one.state for one in estate.world.updates.all("EX1")][:2] == ["pending_reboot", "installed"]
    shell.run("Restart-Computer -Force")
    estate.pass_time(30 + 240 + 200)
    assert estate.world.server("EX1").power == "booting"
    estate.pass_time(200)
    assert estate.world.server("EX1").power == "on"
    assert estate.world.updates.offered("EX1") == []
    assert not estate.world.updates.reboot_required("EX1")
    again = estate.open()
    begin(again)
    until_it_ends(estate, again)
    assert state_of(again) | {"utc": ""} == {"phase": "done", "results": [], "utc": "", "who": "SYSTEM"}


def test_updates_that_fail_loop_or_come_later(estate: Estate, shell: Shell) -> None:
    estate.world.fault("update_fail", "KB5043080", hresult="0x800F0922")
    estate.world.fault("update_loops", "KB5044411", server="EX1")
    estate.world.fault("update_needs_second_round", "EX2")
    begin(shell)
    until_it_ends(estate, shell)
    results = {one["kb"]: (one["code"], one["hresult"]) for one in state_of(shell)["results"]}
    assert results == {"5044411": (2, "0x00000000"), "5043080": (4, "0x800F0922")}
    shell.run("Restart-Computer -Force")
    estate.pass_time(900)
    assert [one.kb for one in estate.world.updates.offered("EX1")] == ["KB5044411", "KB5043080"], "a loop"
    other = estate.open("EX2")
    before = {one.kb for one in estate.world.updates.offered("EX2")}
    begin(other)
    until_it_ends(estate, other)
    other.run("Restart-Computer -Force")
    estate.pass_time(900)
    after = {one.kb for one in estate.world.updates.offered("EX2")}
    assert len(after - before) == 1, "a second round"


def test_a_hung_installation_is_stopped_and_leaves_the_host_as_it_was(estate: Estate, shell: Shell) -> None:
    estate.world.fault("update_hang", "KB5044411")
    begin(shell)
    estate.pass_time(3600)
    first = state_of(shell)
    estate.pass_time(3600)
    assert state_of(shell)["utc"] == first["utc"], "no sign of life"
    assert shell.run("Stop-ScheduledTask -TaskPath '\\DagRunbook\\' -TaskName 'WU-1'").ids == []
    estate.pass_time(1)
    assert shell.run(STATE).texts == ["Ready"]
    assert shell.run(RESULT).texts == ["267014"]
    assert not estate.world.updates.busy("EX1")
    begin(shell)
    for _ in range(5):
        estate.pass_time(3600)
    assert shell.run(STATE).texts == ["Ready"], "its time limit ended it"


def test_a_task_dies_with_its_host(estate: Estate, shell: Shell) -> None:
    begin(shell)
    estate.pass_time(120)
    estate.world.fault("host_off", "EX1")
    estate.pass_time(10)
    estate.world.mend()
    estate.pass_time(600)
    again = estate.open()
    assert again.run(STATE).texts == ["Ready"]
    assert state_of(again)["phase"] == "install 5044411"
    assert estate.world.updates.all("EX1")[0].state == "downloaded"


def test_tasks_are_found_replaced_and_missed(shell: Shell) -> None:
    assert shell.run(STATE).ids == ["CmdletizationQuery_NotFound,Get-ScheduledTask"]
    begin(shell)
    told = shell.run(REGISTER.replace(" -Force", ""))
    assert told.ids == ["HRESULT 0x800700b7,Register-ScheduledTask"]
    names = "Get-ScheduledTask -TaskPath '\\DagRunbook\\*' | ForEach-Object { $_.TaskPath + $_.TaskName }"
    assert shell.run(names).texts == ["\\DagRunbook\\WU-1"]
    shown = (
        "$t = Get-ScheduledTask -TaskName 'WU-1'; $t.Principal.UserId; [string]$t.Principal.RunLevel; "
        "$t.Settings.ExecutionTimeLimit"
    )
    assert shell.run(shown).texts == ["SYSTEM", "Highest", "PT4H"]


def test_what_is_in_is_a_hotfix(estate: Estate, shell: Shell) -> None:
    assert shell.run("(Get-HotFix).HotFixID").texts == ["KB5041234"]
    assert shell.run("Get-HotFix -Id 'KB5044411'").ids == [
        "GetHotFixNoEntriesFound,Microsoft.PowerShell.Commands.GetHotFixCommand"
    ]
    begin(shell)
    until_it_ends(estate, shell)
    assert shell.run("(Get-HotFix).HotFixID").texts == ["KB5041234", "KB5043080"], "the other waits for its reboot"


def test_a_shutdown_that_was_told_is_taken_back(estate: Estate, shell: Shell) -> None:
    assert shell.run("& shutdown.exe '/r' '/t' '60' 2>$null; $LASTEXITCODE").texts[-1] == "0"
    assert shell.run("& shutdown.exe '/r' '/t' '60' 2>$null; $LASTEXITCODE").texts[-1] == "1190"
    assert shell.run("& shutdown.exe '/a' 2>$null; $LASTEXITCODE").texts[-1] == "0"
    assert shell.run("& shutdown.exe '/a' 2>$null; $LASTEXITCODE").texts[-1] == "1116"
    estate.pass_time(120)
    assert estate.world.server("EX1").power == "on"
    shell.run("& shutdown.exe '/r' '/t' '60' 2>$null")
    estate.pass_time(100)
    assert estate.world.server("EX1").power == "booting"


def test_a_script_that_polls_moves_the_clock_for_both(estate: Estate, shell: Shell) -> None:
    begin(shell)
    script = (
        "$n = 0; do { Start-Sleep -Seconds 20; $n += 1; $state = Get-Content -LiteralPath '"
        + FOLDER
        + "\\state.json' -Raw -Encoding UTF8 | ConvertFrom-Json } while ($state.phase -ne 'done'); $state.phase"
    )
    told = shell.run(script)
    assert told.texts == ["done"]
    assert 16 * 60 < told.seconds < 20 * 60, "two downloads, twelve and four minutes"


def test_an_update_without_a_reboot_loops_too(estate: Estate, shell: Shell) -> None:
    estate.world.fault("update_loops", "KB5043080")
    begin(shell)
    until_it_ends(estate, shell)
    results = {one["kb"]: one["code"] for one in state_of(shell)["results"]}
    assert results["5043080"] == 2, "the agent says that it is in"
    assert [one.kb for one in estate.world.updates.offered("EX1")] == ["KB5043080"]

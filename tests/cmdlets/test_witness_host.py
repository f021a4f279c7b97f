"""What makes a host a witness, through PowerShell: local groups, features, firewall, shares, a wanted reboot."""

from __future__ import annotations

import pytest
from lab_hosts import Estate, Shell

ETS = "EXAMPLE\\Exchange Trusted Subsystem"
MEMBERS = "Get-LocalGroupMember -SID 'S-1-5-32-544' | ForEach-Object { $_.Name }"
GROUPS = "Microsoft.PowerShell.Commands."


@pytest.fixture
def bare() -> Estate:
    return Estate("aws-3az-witness")


@pytest.fixture
def host(bare: Estate) -> Shell:
    return bare.open("FileServer")


def test_a_member_is_added_once_and_named_by_sid_and_by_name(host: Shell) -> None:
    assert host.run(f"Add-LocalGroupMember -SID 'S-1-5-32-544' -Member '{ETS}'").ids == []
    assert ETS in host.run(MEMBERS).texts
    again = host.run(f"Add-LocalGroupMember -Group 'Administrators' -Member '{ETS}'")
    assert again.ids == [f"MemberExists,{GROUPS}AddLocalGroupMemberCommand"]
    assert host.run(f"Remove-LocalGroupMember -Group 'Administrators' -Member '{ETS}'").ids == []
    gone = host.run(f"Remove-LocalGroupMember -Group 'Administrators' -Member '{ETS}'")
    assert gone.ids == [f"MemberNotFound,{GROUPS}RemoveLocalGroupMemberCommand"]
    assert ETS not in host.run(MEMBERS).texts


@pytest.mark.parametrize(
    ("arguments", "error_id"),
    [
        ("-Group 'Administrators' -Member 'EXAMPLE\\Nix'", "PrincipalNotFound"),
        (f"-Group 'Nix' -Member '{ETS}'", "GroupNotFound"),
        (f"-SID 'S-1-5-32-999' -Member '{ETS}'", "GroupNotFound"),
    ],
)
def test_what_is_not_there_is_named(host: Shell, arguments: str, error_id: str) -> None:
    assert host.run(f"Add-LocalGroupMember {arguments}").ids == [f"{error_id},{GROUPS}AddLocalGroupMemberCommand"]


def test_an_orphaned_sid_breaks_the_cmdlet_and_not_net(bare: Estate, host: Shell) -> None:
    bare.world.fault("orphan_sid", "FileServer", sid="S-1-5-21-1-2-3-1600")
    told = host.run(MEMBERS)
    assert told.output == []
    assert [one.message for one in told.errors] == ["Failed to compare two elements in the array."]
    assert "S-1-5-21-1-2-3-1600" in host.run("net.exe localgroup Administrators").texts
    assert host.run(f"Add-LocalGroupMember -SID 'S-1-5-32-544' -Member '{ETS}'").ids == []


def test_net_localgroup_tells_by_exit_code_and_by_its_number(host: Shell) -> None:
    add = f"net.exe localgroup Administrators '{ETS}' /add; $LASTEXITCODE"
    assert host.run(add).texts[-1] == "0"
    again = host.run(add)
    assert again.texts[-1] == "2"
    assert again.errors[0].message == "System error 1378 has occurred."
    assert again.ids == ["NativeCommandError"] * 2
    missing = host.run("net.exe localgroup Administrators 'EXAMPLE\\Nix' /add; $LASTEXITCODE")
    assert missing.texts[-1] == "2"
    assert host.run(f"net.exe localgroup Administrators '{ETS}' /delete; $LASTEXITCODE").texts[-1] == "0"


def test_names_of_groups_and_display_groups_are_localised_their_ids_are_not(bare: Estate, host: Shell) -> None:
    bare.world.fault("localized", "de-DE")
    assert host.run(f"Add-LocalGroupMember -Group 'Administrators' -Member '{ETS}'").ids == [
        f"GroupNotFound,{GROUPS}AddLocalGroupMemberCommand"
    ]
    assert host.run(f"Add-LocalGroupMember -SID 'S-1-5-32-544' -Member '{ETS}'").ids == []
    assert host.run("Get-NetFirewallRule -DisplayGroup 'File and Printer Sharing'").ids == [
        "CmdletizationQuery_NotFound_DisplayGroup,Get-NetFirewallRule"
    ]
    assert host.run("@(Get-NetFirewallRule -Group '@FirewallAPI.dll,-28502').Count -gt 0").texts == ["True"]


def test_2012_r2_has_no_module_for_local_groups(bare: Estate) -> None:
    bare.world.server("FileServer").os = "2012R2"
    old = bare.open("FileServer")
    assert old.run(MEMBERS).ids == ["CommandNotFoundException"]
    assert old.run(f"net.exe localgroup Administrators '{ETS}' /add; $LASTEXITCODE").texts[-1] == "0"


def test_a_feature_takes_its_time_and_is_installed(bare: Estate, host: Shell) -> None:
    state = "Get-WindowsFeature -Name 'FS-FileServer' | ForEach-Object { [string]$_.InstallState + $_.Installed }"
    assert host.run(state).texts == ["AvailableFalse"]
    told = host.run("$r = Install-WindowsFeature -Name 'FS-FileServer'; $r.Success; [string]$r.RestartNeeded")
    assert told.texts == ["True", "No"]
    assert told.seconds >= bare.world.state.tuning.feature_install_s
    assert host.run(state).texts == ["InstalledTrue"]
    again = host.run("$r = Install-WindowsFeature -Name 'FS-FileServer'; [string]$r.ExitCode")
    assert again.texts == ["NoChangeNeeded"]


def test_a_feature_that_no_windows_has(host: Shell) -> None:
    assert host.run("Get-WindowsFeature -Name 'Nix'").output == []
    told = host.run("Install-WindowsFeature -Name 'Nix'")
    assert told.ids == ["NameDoesNotExist,Microsoft.Windows.ServerManager.Commands.AddWindowsFeatureCommand"]


def test_the_file_server_group_is_there_only_with_the_role(host: Shell) -> None:
    count = "@(Get-NetFirewallRule -Group '@FirewallAPI.dll,-{0}' -ErrorAction SilentlyContinue).Count"
    assert host.run(count.format(28502)).texts != ["0"]
    enabled = (
        "Enable-NetFirewallRule -Group '@FirewallAPI.dll,-28502'; Get-NetFirewallRule -Group "
        "'@FirewallAPI.dll,-28502' | ForEach-Object { [string]$_.Enabled } | Select-Object -Unique"
    )
    assert host.run(enabled).texts == ["True"]


def test_enabled_is_an_enum_whose_false_is_true_in_an_if(host: Shell) -> None:
    """`False` is 2: `if ($rule.Enabled)` holds for every rule."""
    told = host.run(
        "$rule = Get-NetFirewallRule -Group '@FirewallAPI.dll,-28502' | Select-Object -First 1; [string]$rule.Enabled; "
        "if ($rule.Enabled) { 'taken' }"
    )
    assert told.texts == ["False", "taken"]


def test_shares_need_a_folder_and_an_answer(host: Shell) -> None:
    assert host.run("Get-SmbShare -Name 'Nix'").ids == ["CmdletizationQuery_NotFound_Name,Get-SmbShare"]
    assert host.run("Remove-SmbShare -Name 'C$'").ids == ["HostFunctionNotImplemented,Remove-SmbShare"]


SESSION_MANAGER = "HKLM:\\SYSTEM\\CurrentControlSet\\Control\\Session Manager"
REBOOT = "HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\"


@pytest.mark.parametrize(
    ("why", "read"),
    [
        ("cbs", f"Test-Path -LiteralPath '{REBOOT}Component Based Servicing\\RebootPending'"),
        ("wu", f"Test-Path -LiteralPath '{REBOOT}WindowsUpdate\\Auto Update\\RebootRequired'"),
        (
            "rename",
            f"$null -ne (Get-ItemProperty -LiteralPath '{SESSION_MANAGER}').PendingFileRenameOperations",
        ),
    ],
)
def test_a_wanted_reboot_shows_in_its_place_and_is_gone_after_it(bare: Estate, why: str, read: str) -> None:
    assert bare.open("ExchangeNode1").run(read).texts == ["False"]
    bare.world.fault("pending_reboot", "ExchangeNode1", why=why)
    shell = bare.open("ExchangeNode1")
    assert shell.run(read).texts == ["True"]
    assert shell.run("Restart-Computer -Force").ids == []
    tuning = bare.world.state.tuning
    bare.pass_time(tuning.reboot_s + 60 + (tuning.update_reboot_s if why == "wu" else 0))
    assert bare.open("ExchangeNode1").run(read).texts == ["False"]


def test_a_key_that_is_not_there(host: Shell) -> None:
    assert host.run("Get-ItemProperty -LiteralPath 'HKLM:\\SOFTWARE\\Nix'").ids == [
        "PathNotFound,Microsoft.PowerShell.Commands.GetItemPropertyCommand"
    ]
    told = host.run("Get-ItemProperty -LiteralPath 'HKLM:\\SOFTWARE\\Microsoft' -Name 'Nix'")
    assert told.ids == [
        "System.Management.Automation.PSArgumentException,Microsoft.PowerShell.Commands.GetItemPropertyCommand"
    ]


def test_which_update_of_exchange_a_file_tells(bare: Estate) -> None:
    exchange = bare.world.server("ExchangeNode1").exchange
    assert exchange is not None
    exchange.build = "15.2.1544.9"
    told = bare.open("ExchangeNode1").run(
        "$setup = Get-ItemProperty -LiteralPath 'HKLM:\\SOFTWARE\\Microsoft\\ExchangeServer\\v15\\Setup'; "
        "(Get-Item -LiteralPath ($setup.MsiInstallPath + 'bin\\ExSetup.exe')).VersionInfo.FileVersion; "
        "(Get-Command ExSetup.exe).FileVersionInfo.FileVersion"
    )
    assert told.texts == ["15.02.1544.009"] * 2
    assert bare.open("FileServer").run("Get-Command -Name 'ExSetup.exe'").ids[0].startswith("CommandNotFoundException")

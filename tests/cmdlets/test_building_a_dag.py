"""A DAG made, changed and taken apart by Exchange's cmdlets: order, duration, warnings, refusals, the second DC."""

from __future__ import annotations

import pytest
from lab_hosts import Estate, Shell

CMDLETS = (
    "New-DatabaseAvailabilityGroup",
    "Set-DatabaseAvailabilityGroup",
    "Get-DatabaseAvailabilityGroup",
    "Remove-DatabaseAvailabilityGroup",
    "Add-DatabaseAvailabilityGroupServer",
    "Remove-DatabaseAvailabilityGroupServer",
    "Get-DatabaseAvailabilityGroupNetwork",
    "New-DatabaseAvailabilityGroupNetwork",
    "Set-DatabaseAvailabilityGroupNetwork",
    "Remove-DatabaseAvailabilityGroupNetwork",
    "Add-MailboxDatabaseCopy",
    "Remove-MailboxDatabaseCopy",
    "Set-MailboxDatabaseCopy",
    "Update-MailboxDatabaseCopy",
    "Get-MailboxDatabaseCopyStatus",
    "Get-MailboxDatabase",
    "Set-MailboxDatabase",
    "Set-MailboxServer",
    "Get-MailboxServer",
)
CREATE = "New-DatabaseAvailabilityGroup -Name 'DAG' -WitnessServer 'FileServer' -WitnessDirectory 'C:\\DAG'"
JOIN = "Add-DatabaseAvailabilityGroupServer -Identity 'DAG' -MailboxServer '{0}' -Confirm:$false"
ETS = "EXAMPLE\\Exchange Trusted Subsystem"
NAMES = "-DatabaseAvailabilityGroup 'DAG' -Name 'Rep' -Subnets '10.9.0.0/24'"


@pytest.fixture
def bare() -> Estate:
    """Two Exchange servers, a file server for the witness, no DAG."""
    return Estate("aws-3az-witness")


def prepare_witness(estate: Estate) -> None:
    told = estate.open("FileServer").run(
        f"Add-LocalGroupMember -SID 'S-1-5-32-544' -Member '{ETS}'; "
        "foreach ($g in '@FirewallAPI.dll,-28502','@FirewallAPI.dll,-34251') { Enable-NetFirewallRule -Group $g }"
    )
    assert told.ids == []


def live_on(estate: Estate, seconds: float = 240) -> None:
    """Time passes, and the Exchange session is kept."""
    estate.pass_time(seconds)
    estate.sessions.registry.exchange[0].used = estate.world.now


@pytest.fixture
def shell(bare: Estate) -> Shell:
    return bare.exchange(*CMDLETS, host="ExchangeNode1")


@pytest.fixture
def dag(bare: Estate, shell: Shell) -> Shell:
    """With a DAG of both servers."""
    prepare_witness(bare)
    assert shell.run(CREATE).warnings == []
    for name in ("ExchangeNode1", "ExchangeNode2"):
        assert shell.run(JOIN.format(name)).ids == []
        live_on(bare)
    return shell


def test_members_join_one_after_the_other_each_in_its_time(bare: Estate, shell: Shell) -> None:
    prepare_witness(bare)
    shell.run(CREATE)
    tuning = bare.world.state.tuning
    assert shell.run(JOIN.format("ExchangeNode1")).seconds >= tuning.add_first_member_s
    live_on(bare)
    assert shell.run(JOIN.format("ExchangeNode2")).seconds >= tuning.add_member_s
    told = shell.run(
        "$dag = Get-DatabaseAvailabilityGroup -Identity 'DAG' -Status; $dag.Servers | ForEach-Object { $_.Name }; "
        "[string]$dag.PrimaryActiveManager; [string]$dag.WitnessShareInUse"
    )
    assert sorted(told.texts[:2]) == ["ExchangeNode1", "ExchangeNode2"]
    assert told.texts[2:] == ["ExchangeNode1", "Primary"]
    assert bare.world.violations() == []


def test_a_witness_that_is_not_ready_is_a_warning(bare: Estate, shell: Shell) -> None:
    told = shell.run(CREATE)
    assert told.ids == []
    assert len(told.objects) == 1
    assert told.warnings[0].startswith("Failed to create file share witness directory 'C:\\DAG' on witness server")
    prepare_witness(bare)
    for name in ("ExchangeNode1", "ExchangeNode2"):
        shell.run(JOIN.format(name))
        live_on(bare)
    again = shell.run("Set-DatabaseAvailabilityGroup -Identity 'DAG'")
    assert again.warnings == ["The command completed successfully but no settings of 'DAG' have been modified."]
    assert shell.run("[string](Get-DatabaseAvailabilityGroup 'DAG' -Status).WitnessShareInUse").texts == ["Primary"]


@pytest.mark.parametrize(
    ("script", "kind", "text"),
    [
        (CREATE.replace("'DAG'", "'dag'", 1), "DagTaskNameInUseException", "already exists"),
        (CREATE.replace("'DAG'", "'EXCHANGENODE2'", 1), "DagTaskNameInUseException", "in use by a computer account"),
        (CREATE.replace("'DAG'", "'D2'", 1).replace("FileServer", "Nix"), "ManagementObjectNotFoundException", "'Nix'"),
        (JOIN.format("Nix"), "ManagementObjectNotFoundException", "object 'Nix' couldn't be found on"),
        (JOIN.format("ExchangeNode1").replace("'DAG'", "'NIX'"), "ManagementObjectNotFoundException", "'NIX'"),
        (
            "Remove-DatabaseAvailabilityGroup -Identity 'NIX' -Confirm:$false",
            "ManagementObjectNotFoundException",
            "NIX",
        ),
    ],
)
def test_refusals_carry_class_and_text(shell: Shell, script: str, kind: str, text: str) -> None:
    shell.run(CREATE)
    told = shell.run(script)
    assert f"[FailureCategory=Cmdlet-{kind}]" in told.ids[0]
    assert text in told.errors[0].message


def test_a_failing_task_names_its_log_file_as_misspelt_as_exchange_does(dag: Shell) -> None:
    told = dag.run(JOIN.format("ExchangeNode1"))
    assert "already a member of a database availability group: 'DAG'" in told.errors[0].message
    assert "_add-databaseavailabiltygroupserver.log" in told.warnings[0]


def test_another_controller_knows_nothing_of_a_new_dag_yet(bare: Estate, shell: Shell) -> None:
    shell.run(CREATE + " -DomainController 'DC1.example.com'")
    read = "(Get-DatabaseAvailabilityGroup -Identity 'DAG' -DomainController '{0}.example.com').Name"
    assert shell.run(read.format("DC1")).texts == ["DAG"]
    assert "couldn't be found on 'DC2.example.com'" in shell.run(read.format("DC2")).errors[0].message
    bare.pass_time(bare.world.state.tuning.ad_inter_site_s + 5)
    assert shell.run(read.format("DC2")).texts == ["DAG"]


def test_settings_are_kept_and_the_rest_stays(dag: Shell) -> None:
    told = dag.run(
        "Set-DatabaseAvailabilityGroup -Identity 'DAG' -DatacenterActivationMode 'DagOnly' "
        "-PreferenceMoveFrequency ([System.Threading.Timeout]::InfiniteTimeSpan) -NetworkCompression 'Enabled'; "
        "$dag = Get-DatabaseAvailabilityGroup -Identity 'DAG'; [string]$dag.DatacenterActivationMode; "
        "[string]$dag.PreferenceMoveFrequency; [string]$dag.NetworkCompression; [string]$dag.NetworkEncryption"
    )
    assert told.texts == ["DagOnly", "-00:00:00.0010000", "Enabled", "InterSubnetOnly"]


@pytest.mark.parametrize(
    "change", ["-WitnessServer 'ExchangeNode1'", "-WitnessDirectory 'C:\\'", "-ThirdPartyReplication 'Enabled'"]
)
def test_settings_that_cannot_be(dag: Shell, change: str) -> None:
    told = dag.run(f"Set-DatabaseAvailabilityGroup -Identity 'DAG' {change}")
    assert len(told.ids) == 1


def test_a_dag_with_members_and_a_member_with_copies_stay(bare: Estate, dag: Shell) -> None:
    dag.run("Add-MailboxDatabaseCopy -Identity 'DB1' -MailboxServer 'ExchangeNode2' -SeedingPostponed")
    remove = "Remove-DatabaseAvailabilityGroup{0} -Identity 'DAG' {1} -Confirm:$false"
    assert "ExchangeNode1, ExchangeNode2" in dag.run(remove.format("", "")).errors[0].message
    told = dag.run(remove.format("Server", "-MailboxServer 'ExchangeNode2'"))
    assert "DB1" in told.errors[0].message
    dag.run("Remove-MailboxDatabaseCopy -Identity 'DB1\\ExchangeNode2' -Confirm:$false")
    for name in ("ExchangeNode2", "ExchangeNode1"):
        told = dag.run(remove.format("Server", f"-MailboxServer '{name}'"))
        assert told.ids == []
        live_on(bare)
    assert dag.run(remove.format("", "")).ids == []
    assert len(bare.world.state.dags) == 0
    assert bare.world.violations() == []


@pytest.mark.parametrize(
    "cmdlet",
    ["Remove-DatabaseAvailabilityGroup -Identity 'DAG'", "Remove-MailboxDatabaseCopy -Identity 'DB1\\ExchangeNode1'"],
)
def test_removals_ask_and_nobody_can_answer(dag: Shell, cmdlet: str) -> None:
    told = dag.run(cmdlet)
    assert told.ids[0].startswith("HostFunctionNotImplemented,")


# -- an access point


def test_an_access_point_is_online_with_the_address_of_its_owner(bare: Estate) -> None:
    prepare_witness(bare)
    subnets = [
        bare.world.server(name).address.rpartition(".")[0] + ".77" for name in ("ExchangeNode1", "ExchangeNode2")
    ]
    shell = bare.exchange(*CMDLETS, host="ExchangeNode1")
    staged = bare.open("DC1").run(
        "New-ADComputer -Name 'DAG' -Enabled $false; $dn = (Get-ADComputer -Identity 'DAG').DistinguishedName; "
        "dsacls.exe $dn /G 'EXAMPLE\\Exchange Trusted Subsystem:GA'; $LASTEXITCODE"
    )
    assert staged.texts[-1] == "0"
    live_on(bare, 400)
    addresses = ",".join(f"'{one}'" for one in subnets)
    assert shell.run(f"{CREATE} -DatabaseAvailabilityGroupIpAddresses {addresses}").ids == []
    assert shell.run(JOIN.format("ExchangeNode1")).ids == []
    told = bare.open("ExchangeNode1").run(
        "Get-ClusterResource | Where-Object { [string]$_.ResourceType -eq 'IP Address' } | ForEach-Object { "
        "$address = ($_ | Get-ClusterParameter -Name 'Address').Value; $address + ' ' + [string]$_.State }; "
        "[string](Get-Cluster).AdministrativeAccessPoint"
    )
    assert told.texts == [f"{subnets[0]} Online", f"{subnets[1]} Offline", "ActiveDirectoryAndDns"]


# -- networks


def test_networks_are_found_until_somebody_sets_them(dag: Shell) -> None:
    assert dag.run("(Get-DatabaseAvailabilityGroupNetwork).Name").texts == ["MapiDagNetwork"]
    refused = dag.run(f"New-DatabaseAvailabilityGroupNetwork {NAMES}")
    assert "ManualDagNetworkConfiguration" in refused.errors[0].message
    told = dag.run(
        "Set-DatabaseAvailabilityGroup -Identity 'DAG' -ManualDagNetworkConfiguration $true; "
        f"[void](New-DatabaseAvailabilityGroupNetwork {NAMES} -ReplicationEnabled $true); "
        "Set-DatabaseAvailabilityGroupNetwork -Identity 'DAG\\Rep' -ReplicationEnabled $false; "
        "$n = Get-DatabaseAvailabilityGroupNetwork -Identity 'DAG\\Rep'; [string]$n.Identity; "
        "[string]$n.Subnets[0].SubnetId; $n.ReplicationEnabled"
    )
    assert told.texts == ["DAG\\Rep", "10.9.0.0/24", "False"]


def test_a_network_goes_when_its_subnets_are_gone(dag: Shell) -> None:
    dag.run(
        "Set-DatabaseAvailabilityGroup -Identity 'DAG' -ManualDagNetworkConfiguration $true; "
        f"[void](New-DatabaseAvailabilityGroupNetwork {NAMES})"
    )
    remove = "Remove-DatabaseAvailabilityGroupNetwork -Identity 'DAG\\Rep' -Confirm:$false"
    assert "10.9.0.0/24" in dag.run(remove).errors[0].message
    assert dag.run("Set-DatabaseAvailabilityGroupNetwork -Identity 'DAG\\Rep' -Subnets $null").ids == []
    assert dag.run(remove).ids == []
    assert dag.run("(Get-DatabaseAvailabilityGroupNetwork).Name").texts == ["MapiDagNetwork"]


# -- copies


ADD = "Add-MailboxDatabaseCopy -Identity 'DB1' -MailboxServer 'ExchangeNode2' "
STATES = "Get-MailboxDatabaseCopyStatus -Identity 'DB1' | ForEach-Object { [string]$_.Status }"


def test_a_copy_is_added_suspended_and_seeded_by_somebody(bare: Estate, dag: Shell) -> None:
    told = dag.run(ADD + "-ActivationPreference 2 -SeedingPostponed")
    assert told.ids == []
    assert "needs to be seeded" in told.warnings[0]
    assert "restart the Microsoft Exchange Information Store" in told.warnings[1]
    assert dag.run(STATES).texts == ["Mounted", "Suspended"]
    seed = dag.run(
        "Update-MailboxDatabaseCopy -Identity 'DB1\\ExchangeNode2' -SourceServer 'ExchangeNode1' -Confirm:$false"
    )
    assert seed.ids == []
    assert seed.seconds > 60
    bare.pass_time(120)
    assert dag.run(STATES).texts == ["Mounted", "Healthy"]


def test_without_postponing_the_cmdlet_lasts_as_long_as_the_seed(bare: Estate, dag: Shell) -> None:
    told = dag.run(ADD)
    assert told.seconds > 60
    bare.pass_time(120)
    assert dag.run(STATES).texts == ["Mounted", "Healthy"]


def test_a_seed_that_breaks_is_an_error_of_the_cmdlet(bare: Estate, dag: Shell) -> None:
    dag.run(ADD + "-SeedingPostponed")
    bare.world.fault("seed_fail", "DB1/ExchangeNode2", at_pct=50)
    told = dag.run("Update-MailboxDatabaseCopy -Identity 'DB1\\ExchangeNode2' -Confirm:$false")
    assert len(told.errors) == 1
    assert dag.run(STATES).texts == ["Mounted", "FailedAndSuspended"]


@pytest.mark.parametrize(
    ("script", "text"),
    [
        (ADD.replace("ExchangeNode2", "ExchangeNode1"), "already hosts a copy"),
        (ADD + "-ActivationPreference 5", "must be 1 to 2"),
        (ADD.replace("DB1", "Nix"), "couldn't be found on"),
        (
            "Remove-MailboxDatabaseCopy -Identity 'DB1\\ExchangeNode1' -Confirm:$false",
            "is the active mailbox database copy",
        ),
        ("Set-MailboxDatabaseCopy -Identity 'DB1\\ExchangeNode1' -ActivationPreference 9", "must be 1 to"),
    ],
)
def test_copies_that_cannot_be(dag: Shell, script: str, text: str) -> None:
    assert text in dag.run(script).errors[0].message


def test_lags_and_preferences_of_a_copy(dag: Shell) -> None:
    dag.run(ADD + "-SeedingPostponed")
    told = dag.run(
        "Set-MailboxDatabaseCopy -Identity 'DB1\\ExchangeNode2' -ReplayLagTime 7.00:00:00 -ActivationPreference 1; "
        "$db = Get-MailboxDatabase -Identity 'DB1'; $db.ReplayLagTimes | ForEach-Object { [string]$_ }; "
        "$db.ActivationPreference | ForEach-Object { [string]$_ }"
    )
    assert told.texts == [
        "[ExchangeNode2, 7.00:00:00]",
        "[ExchangeNode1, 00:00:00]",
        "[ExchangeNode2, 1]",
        "[ExchangeNode1, 2]",
    ]


def test_the_files_of_a_removed_copy_stay(dag: Shell) -> None:
    dag.run(ADD)
    told = dag.run("Remove-MailboxDatabaseCopy -Identity 'DB1\\ExchangeNode2' -Confirm:$false")
    assert "manually delete" in told.warnings[0]
    assert dag.run(STATES).texts == ["Mounted"]


def test_circular_logging_stands_in_the_way_of_a_second_copy(dag: Shell) -> None:
    dag.run("Set-MailboxDatabase -Identity 'DB1' -CircularLoggingEnabled $true")
    assert "ircular" in dag.run(ADD + "-SeedingPostponed").errors[0].message
    dag.run("Set-MailboxDatabase -Identity 'DB1' -CircularLoggingEnabled $false")
    assert dag.run(ADD + "-SeedingPostponed").ids == []


def test_a_servers_limits(dag: Shell) -> None:
    change = "Set-MailboxServer -Identity 'ExchangeNode1' -AutoDatabaseMountDial 'Lossless' -MaximumActiveDatabases 20"
    assert dag.run(change).warnings == []
    assert dag.run(change).warnings == [
        "The command completed successfully but no settings of 'ExchangeNode1' have been modified."
    ]
    told = dag.run(
        "$m = Get-MailboxServer 'ExchangeNode1'; [string]$m.AutoDatabaseMountDial; $m.MaximumActiveDatabases"
    )
    assert told.texts == ["Lossless", "20"]


def test_what_was_done_and_refused_stands_in_the_audit_log(bare: Estate, dag: Shell) -> None:
    dag.run(JOIN.format("ExchangeNode1"))
    last = list(bare.world.state.audit)[-1]
    assert (last.cmdlet, last.succeeded) == ("Add-DatabaseAvailabilityGroupServer", False)
    done = [one.cmdlet for one in bare.world.state.audit if one.succeeded]
    assert done.count("Add-DatabaseAvailabilityGroupServer") == 2

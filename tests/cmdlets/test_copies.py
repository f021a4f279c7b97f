"""The cmdlets of database copies: what they take, what they do, what they say."""

from __future__ import annotations

import pytest
from lab_hosts import Estate, Shell

STATUS = "Get-MailboxDatabaseCopyStatus"
SUSPEND = "Suspend-MailboxDatabaseCopy"
RESUME = "Resume-MailboxDatabaseCopy"


@pytest.fixture
def shell(estate: Estate) -> Shell:
    return estate.exchange(
        STATUS, SUSPEND, RESUME, "Set-MailboxDatabaseCopy", "Update-MailboxDatabaseCopy", "Get-MailboxDatabase"
    )


def names(shell: Shell, arguments: str) -> list[str]:
    told = shell.run(f"{STATUS} {arguments}")
    assert told.ids == []
    return [str(one.get("Name")) for one in told.objects]


def status(shell: Shell, copy: str) -> str:
    return shell.run(f"[string]({STATUS} -Identity '{copy}').Status").texts[0]


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ("-Identity 'DB01'", ["DB01\\EX1", "DB01\\EX3", "DB01\\EX2", "DB01\\EX4"]),
        ("-Identity 'db01\\ex3'", ["DB01\\EX3"]),
        ("-Identity 'DB01\\*'", ["DB01\\EX1", "DB01\\EX3", "DB01\\EX2", "DB01\\EX4"]),
        ("-Identity '*\\EX4'", ["DB01\\EX4", "DB02\\EX4", "DB03\\EX4", "DB04\\EX4"]),
        ("-Server 'EX2'", ["DB01\\EX2", "DB02\\EX2", "DB03\\EX2", "DB04\\EX2"]),
        ("-Server 'ex2.example.com' -Active", ["DB02\\EX2"]),
        ("-Identity 'DB0*' -Active", ["DB01\\EX1", "DB02\\EX2", "DB03\\EX3", "DB04\\EX4"]),
        ("-Identity 'DB03' -Local", ["DB03\\EX1"]),
    ],
)
def test_which_copies_are_meant(shell: Shell, arguments: str, wanted: list[str]) -> None:
    assert names(shell, arguments) == wanted


def test_a_null_identity_returns_everything(shell: Shell) -> None:
    assert len(names(shell, "-Identity $null")) == len(names(shell, "")) == 16


@pytest.mark.parametrize("arguments", ["-Identity 'DB09'", "-Identity 'DB01\\EX9'", "-Server 'EX9'", "-Server 'DC1'"])
def test_what_is_not_there_is_not_found(shell: Shell, arguments: str) -> None:
    told = shell.run(f"{STATUS} {arguments}")
    assert told.output == []
    (error,) = told.errors
    assert "FailureCategory=Cmdlet-ManagementObjectNotFoundException" in error.fqid
    assert error.fqid.endswith(",Microsoft.Exchange.Management.SystemConfigurationTasks.GetMailboxDatabaseCopyStatus")
    assert "couldn't be found on 'DC1.example.com'" in error.message
    assert error.reason == "ManagementObjectNotFoundException"


def test_a_bracket_is_no_wildcard(shell: Shell) -> None:
    assert shell.run(f"{STATUS} -Identity 'DB0[1]'").errors


def test_suspend_and_resume(estate: Estate, shell: Shell) -> None:
    told = shell.run(f"{SUSPEND} -Identity 'DB01\\EX3' -SuspendComment 'disk swap' -Confirm:$false")
    assert (told.ids, told.output) == ([], [])
    assert told.seconds == pytest.approx(estate.world.state.tuning.write_s)
    script = f"$c = {STATUS} -Identity 'DB01\\EX3'; [string]$c.Status; $c.ActivationSuspended; $c.SuspendComment"
    assert shell.run(script).texts == ["Suspended", "True", "disk swap"]
    assert shell.run(f"{RESUME} -Identity 'DB01\\EX3' -Confirm:$false").ids == []
    estate.world.scheduler.advance_to(estate.world.now.replace(minute=30))
    estate.sessions.registry.exchange[0].used = estate.world.now
    assert shell.run(script).texts == ["Healthy", "False", ""]


def test_a_resume_of_replication_keeps_the_block(shell: Shell) -> None:
    shell.run(f"{SUSPEND} -Identity 'DB01\\EX3' -Confirm:$false; {RESUME} -Identity 'DB01\\EX3' -ReplicationOnly")
    assert shell.run(f"({STATUS} -Identity 'DB01\\EX3').ActivationSuspended").texts == ["True"]


def test_activation_only_leaves_replication_alone(shell: Shell) -> None:
    shell.run(f"{SUSPEND} -Identity 'DB02\\EX4' -ActivationOnly -Confirm:$false")
    assert status(shell, "DB02\\EX4") == "Healthy"
    assert shell.run(f"({STATUS} -Identity 'DB02\\EX4').ActivationSuspended").texts == ["True"]


def test_copies_come_down_the_pipeline(shell: Shell) -> None:
    told = shell.run(
        f"{STATUS} -Identity 'DB01\\EX3' | {SUSPEND} -Confirm:$false; 'DB02\\EX1' | {SUSPEND} -Confirm:$false"
    )
    assert told.ids == []
    assert (status(shell, "DB01\\EX3"), status(shell, "DB02\\EX1")) == ("Suspended", "Suspended")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (f"{SUSPEND} -Identity 'DB01\\EX1' -Confirm:$false", "active mailbox database copy"),
        (f"{SUSPEND} -Identity 'DB01' -Confirm:$false", "matches multiple entries"),
        (f"{SUSPEND} -Identity 'DB09\\EX3' -Confirm:$false", "couldn't be found"),
        ("Set-MailboxDatabaseCopy -Identity 'DB01\\EX3' -ActivationPreference 9 -Confirm:$false", "preference"),
    ],
)
def test_what_cannot_be_done_is_an_error_and_changes_nothing(
    estate: Estate, shell: Shell, script: str, words: str
) -> None:
    before = [(one.status, one.preference) for one in copies(estate)]
    told = shell.run(script)
    (error,) = told.errors
    assert words in error.message
    assert [(one.status, one.preference) for one in copies(estate)] == before


def copies(estate: Estate) -> list[object]:
    world = estate.world
    return [world.copy_view(db.name, copy.server, "EX1") for db in world.state.databases for copy in db.copies]


def test_what_if_changes_nothing(estate: Estate, shell: Shell) -> None:
    assert shell.run(f"{SUSPEND} -Identity 'DB01\\EX3' -WhatIf").ids == []
    assert status(shell, "DB01\\EX3") == "Healthy"
    assert estate.world.state.audit == []


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ("-Identity 'DB01\\EX3' -Comment 'x'", "NamedParameterNotFound"),
        ("-Identity 'DB01\\EX3' -ActivationOnly -EnableReplayLag", "AmbiguousParameterSet"),
        ("-SuspendComment 'x'", "MissingMandatoryParameter"),
        ("-Identity 'DB01\\EX3' -SuspendComment ('x' * 513)", "ParameterArgumentValidationError"),
        ("-Identity $null", "ParameterArgumentValidationErrorNullNotAllowed"),
    ],
)
def test_parameters_are_those_of_the_reference(shell: Shell, arguments: str, wanted: str) -> None:
    told = shell.run(f"{SUSPEND} {arguments} -Confirm:$false")
    assert told.ids == [f"{wanted},{SUSPEND}"]


def test_a_dead_server_is_told_by_the_one_asked_after_a_while(estate: Estate, shell: Shell) -> None:
    estate.world.fault("host_off", "EX3")
    told = shell.run(f"{STATUS} -Identity 'DB01' | ForEach-Object {{ [string]$_.Name + '=' + [string]$_.Status }}")
    assert "DB01\\EX3=ServiceDown" in told.texts
    assert "DB01\\EX1=Mounted" in told.texts
    assert told.seconds >= estate.world.state.tuning.rpc_timeout_s
    told = shell.run(f"{SUSPEND} -Identity 'DB01\\EX3' -Confirm:$false")
    assert "0x6ba" in told.errors[0].message


def test_a_stopped_replication_service_refuses_at_once(estate: Estate, shell: Shell) -> None:
    estate.world.fault("service_crash", "EX3", service="MSExchangeRepl")
    told = shell.run(f"{SUSPEND} -Identity 'DB01\\EX3' -Confirm:$false")
    assert "0x6d9" in told.errors[0].message
    assert status(shell, "DB01\\EX3") == "ServiceDown"


def test_preferences_are_renumbered(shell: Shell) -> None:
    shell.run("Set-MailboxDatabaseCopy -Identity 'DB01\\EX2' -ActivationPreference 1 -Confirm:$false")
    script = "(Get-MailboxDatabase -Identity 'DB01').ActivationPreference | ForEach-Object { [string]$_ }"
    assert shell.run(script).texts == ["[EX2, 1]", "[EX1, 2]", "[EX3, 3]", "[EX4, 4]"]


def test_a_seed_runs_on_its_own_or_as_long_as_the_call(estate: Estate, shell: Shell) -> None:
    update = "Update-MailboxDatabaseCopy -Identity 'DB01\\EX3' -DeleteExistingFiles -Force -Confirm:$false"
    assert "suspended" in shell.run(update).errors[0].message
    shell.run(f"{SUSPEND} -Identity 'DB01\\EX3' -Confirm:$false")
    begun = shell.run(f"{update} -BeginSeed")
    assert (begun.ids, begun.seconds < 10) == ([], True)
    assert status(shell, "DB01\\EX3") == "Seeding"
    assert shell.run(f"({STATUS} -Identity 'DB01\\EX3').DatabaseSeedStatus").texts[0].startswith("Percentage:")
    shell.run("Update-MailboxDatabaseCopy -Identity 'DB01\\EX3' -CancelSeed -Confirm:$false")
    shell.run(f"{SUSPEND} -Identity 'DB01\\EX3' -Confirm:$false")
    assert shell.run(update).seconds > 600


def test_parameters_come_and_go_with_versions() -> None:
    estate = Estate("aws-2az", dag=True)
    shell = estate.exchange("Update-MailboxDatabaseCopy", "Get-MailboxDatabase", host="ExchangeNode1")
    told = shell.run(
        "Update-MailboxDatabaseCopy -Identity 'DB1\\ExchangeNode2' -NoThrottle -CancelSeed -Confirm:$false"
    )
    assert "NamedParameterNotFound" not in "".join(told.ids)
    told = shell.run("Get-MailboxDatabase -IncludePreExchange2010")
    assert told.ids == ["NamedParameterNotFound,Get-MailboxDatabase"]
    exchange = estate.world.server("ExchangeNode1").exchange
    assert exchange is not None
    exchange.year = "2013"
    old = estate.exchange("Update-MailboxDatabaseCopy", host="ExchangeNode1")
    told = old.run("Update-MailboxDatabaseCopy -Identity 'DB1\\ExchangeNode2' -NoThrottle -CancelSeed -Confirm:$false")
    assert told.ids == ["NamedParameterNotFound,Update-MailboxDatabaseCopy"]


def test_an_empty_identity_is_not_everything(shell: Shell) -> None:
    told = shell.run(f"{STATUS} -Identity ''")
    assert (told.output, told.ids) == ([], [f"ParameterArgumentTransformationError,{STATUS}"])


def test_a_move_ends_when_the_database_is_mounted_there(estate: Estate) -> None:
    shell = estate.exchange("Move-ActiveMailboxDatabase", "Dismount-Database", "Mount-Database", "Get-MailboxDatabase")
    told = shell.run("Move-ActiveMailboxDatabase -Identity 'DB01' -ActivateOnServer 'EX3' -Confirm:$false")
    assert told.ids == []
    assert shell.run("$d = Get-MailboxDatabase -Identity 'DB01' -Status; $d.Mounted; $d.Server.Name").texts == [
        "True",
        "EX3",
    ]
    told = shell.run("Move-ActiveMailboxDatabase -Identity 'DB01' -ActivateOnServer 'EX4' -Confirm:$false")
    assert told.errors
    script = "(Get-MailboxDatabase -Identity 'DB03' -Status).Mounted"
    assert shell.run(f"Dismount-Database -Identity 'DB03' -Confirm:$false; {script}").texts == ["False"]
    assert shell.run(f"Mount-Database -Identity 'DB03'; {script}").texts == ["True"]


def test_component_states_are_set_by_requester(estate: Estate) -> None:
    shell = estate.exchange("Set-ServerComponentState", "Get-ServerComponentState")
    change = (
        "Set-ServerComponentState -Identity 'EX1' -Component 'HubTransport' -State '{0}' -Requester 'Maintenance'; "
    )
    script = (
        "$c = Get-ServerComponentState -Identity 'EX1' -Component 'HubTransport'; "
        "[string]$c.State; $c.LocalStates[0].State"
    )
    assert shell.run(change.format("Draining") + script).texts == ["Draining", "Draining"]
    assert shell.run(change.format("Active") + script).texts == ["Active", "Active"]
    unknown = "Set-ServerComponentState -Identity 'EX1' -Component 'Nix' -State 'Active' -Requester 'Maintenance'"
    assert "'Nix'" in shell.run(unknown).errors[0].message

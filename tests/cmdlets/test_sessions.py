"""Which commands a session has, as whom, and when it breaks (simulator.md section 11)."""

from __future__ import annotations

import pytest
from lab_hosts import OPEN, Estate
from starover_lab.powershell.values import PSCredential, SecureString
from starover_lab.wire.endpoint import Command, EndpointRefused
from starover_lab.world.entities import Account

URI = "http://EX1.example.com/PowerShell/"
STATUS = "Get-MailboxDatabaseCopyStatus"


def test_a_naive_script_finds_no_exchange_cmdlet(estate: Estate) -> None:
    told = estate.open().run(f"{STATUS} -Identity 'DB01'; $env:COMPUTERNAME")
    assert told.ids == ["CommandNotFoundException"]
    assert told.texts == ["EX1"]


def test_the_second_hop_needs_a_credential_also_to_the_own_host(estate: Estate) -> None:
    script = f"New-PSSession -ConfigurationName 'Microsoft.Exchange' -ConnectionUri '{URI}' -Authentication Kerberos"
    told = estate.open().run(script)
    assert told.ids == ["AccessDenied,PSSessionOpenFailed"]
    assert told.errors[0].category == "OpenError"
    assert "Access is denied" in told.errors[0].message


def test_the_second_script_in_a_pool_opens_and_imports_nothing(estate: Estate) -> None:
    shell = estate.exchange(STATUS)
    script = f"@(Get-PSSession).Count; [string](Get-Command -Name {STATUS}).CommandType; {STATUS} -Identity 'DB01\\EX3'"
    told = shell.run(script)
    assert told.texts[:2] == ["1", "Function"]
    assert told.seconds == pytest.approx(estate.world.state.tuning.read_s)
    assert told.objects[-1].get("PSComputerName") == "EX1.example.com"


def test_another_cmdlet_imports_only_itself(estate: Estate) -> None:
    shell = estate.exchange(STATUS, "Suspend-MailboxDatabaseCopy")
    assert shell.run("Get-MailboxServer").ids == ["CommandNotFoundException"]
    told = shell.run("$m = Import-PSSession -Session (Get-PSSession) -CommandName 'Get-MailboxServer' -AllowClobber")
    tuning = estate.world.state.tuning
    assert told.seconds == pytest.approx(tuning.exchange_import_s + tuning.exchange_import_per_command_s)
    assert shell.run("Get-MailboxServer -Identity 'EX2'").objects[0].get("Name") == "EX2"


def test_importing_everything_takes_its_time(estate: Estate) -> None:
    shell = estate.open()
    shell.run(OPEN.format("EX1.example.com"), estate.credential)
    told = shell.run("$m = Import-PSSession -Session (Get-PSSession) -DisableNameChecking -AllowClobber")
    tuning = estate.world.state.tuning
    assert tuning.exchange_import_all_min_s <= told.seconds <= tuning.exchange_import_all_max_s


def test_direct_takes_one_command_and_no_script(estate: Estate) -> None:
    shell = estate.open(configuration="Microsoft.Exchange")
    assert shell.run(f"{STATUS} -Identity 'DB01'").ids == ["ScriptsNotAllowed"]
    two = Command(text=STATUS, is_script=False, end_of_statement=True), Command(text=STATUS, is_script=False)
    assert shell.pipeline(*two).ids == ["ScriptsNotAllowed"]
    told = shell.command(STATUS, Identity="DB01\\EX3")
    assert [one.get("Name") for one in told.objects] == ["DB01\\EX3"]
    assert shell.command("Get-Item", Path="C:\\").ids == ["CommandNotFoundException"]


def test_the_audit_names_the_person_over_powershell_and_the_computer_over_the_snap_in(estate: Estate) -> None:
    remote = estate.exchange("Suspend-MailboxDatabaseCopy")
    remote.run("Suspend-MailboxDatabaseCopy -Identity 'DB01\\EX3' -SuspendComment 'disk' -Confirm:$false")
    snapin = estate.open("EX2")
    snapin.run("Add-PSSnapin -Name 'Microsoft.Exchange.Management.PowerShell.SnapIn'")
    snapin.run("Resume-MailboxDatabaseCopy -Identity 'DB01\\EX3' -Confirm:$false")
    estate.world.scheduler.advance_to(estate.world.now.replace(hour=15))
    found = [(one.cmdlet, one.caller, one.server, one.succeeded) for one in estate.world.state.audit]
    assert found == [
        ("Suspend-MailboxDatabaseCopy", "EXAMPLE\\operator", "EX1", True),
        ("Resume-MailboxDatabaseCopy", "EXAMPLE\\EX2$", "EX2", True),
    ]
    assert estate.world.state.audit[0].parameters == {"Identity": "DB01\\EX3", "SuspendComment": "disk"}


def test_reading_is_no_matter_for_the_audit(estate: Estate) -> None:
    estate.exchange(STATUS, "Test-ReplicationHealth").run(f"{STATUS} -Identity 'DB01'; Test-ReplicationHealth")
    assert estate.world.state.audit == []


def test_proxies_die_with_powershell_and_go_with_their_session(estate: Estate) -> None:
    shell = estate.exchange(STATUS)
    estate.world.fault("exchange_vdir_down", "EX1")
    assert shell.run(f"{STATUS} -Identity 'DB01'").ids == [f"PSSessionStateBroken,{STATUS}"]
    assert shell.run("[string](Get-PSSession).State").texts == ["Broken"]
    estate.world.mend()
    assert shell.run(f"{STATUS} -Identity 'DB01'").ids == [f"PSSessionStateBroken,{STATUS}"]
    assert shell.run(f"Remove-PSSession -Session (Get-PSSession); {STATUS}").ids == ["CommandNotFoundException"]


def test_the_plain_session_and_the_snap_in_live_without_powershell(estate: Estate) -> None:
    estate.world.fault("exchange_vdir_down", "EX1")
    shell = estate.open()
    told = shell.run(OPEN.format("EX1.example.com"), estate.credential)
    assert told.ids == ["WinRMHttpError,PSSessionOpenFailed"]
    assert told.ended is not None
    assert "503" in told.ended.message
    told = shell.run(
        "Add-PSSnapin -Name 'Microsoft.Exchange.Management.PowerShell.SnapIn'; "
        "(Get-MailboxDatabase -Identity 'DB01').Name"
    )
    assert (told.ids, told.texts) == ([], ["DB01"])
    other = shell.run(OPEN.format("EX2.example.com"), estate.credential)
    assert other.ids == []


def test_sessions_are_limited_and_removing_one_makes_room(estate: Estate) -> None:
    limit = estate.world.state.tuning.exchange_sessions_per_user
    shells = [estate.open() for _ in range(limit + 1)]
    for shell in shells[:-1]:
        assert shell.run(OPEN.format("EX1.example.com"), estate.credential).ids == []
    refused = shells[-1].run(OPEN.format("EX1.example.com"), estate.credential)
    assert refused.ended is not None
    assert "maximum number of concurrent shells" in refused.ended.message
    shells[0].run("Remove-PSSession -Session (Get-PSSession)")
    assert shells[-1].run(OPEN.format("EX1.example.com"), estate.credential).ids == []


def test_a_forgotten_session_counts_a_quarter_of_an_hour(estate: Estate) -> None:
    shell = estate.exchange(STATUS)
    estate.world.scheduler.advance_to(estate.world.now.replace(hour=16))
    assert shell.run("[string](Get-PSSession).State").texts == ["Broken"]


def test_shells_are_limited(estate: Estate) -> None:
    limit = estate.world.state.tuning.shells_per_user
    shells = [estate.open() for _ in range(limit)]
    with pytest.raises(EndpointRefused, match=f"maximum number of {limit} concurrent shells"):
        estate.open()
    shells[0].runspace.close()
    estate.open()
    estate.open("EX2")


def test_closing_a_shell_gives_its_exchange_session_back(estate: Estate) -> None:
    shell = estate.exchange(STATUS)
    assert [one.alive() for one in estate.sessions.registry.exchange] == [True]
    shell.runspace.close()
    assert [one.alive() for one in estate.sessions.registry.exchange] == [False]


@pytest.mark.parametrize(
    ("fqdn", "wanted"),
    [
        ("EX9.example.com", "NetworkPathNotFound"),
        ("10.0.0.11", "CannotUseIPAddress"),
        ("DC1.example.com", "URLNotAvailable"),
        ("mail.example.com", "-2144108387"),
    ],
)
def test_a_name_that_is_no_exchange_server(estate: Estate, fqdn: str, wanted: str) -> None:
    told = estate.open().run(OPEN.format(fqdn), estate.credential)
    assert told.ids == [f"{wanted},PSSessionOpenFailed"]


def test_a_dead_server_is_waited_for(estate: Estate) -> None:
    estate.world.fault("host_off", "EX2")
    told = estate.open().run(OPEN.format("EX2.example.com"), estate.credential)
    assert told.ids == ["WinRMOperationTimeout,PSSessionOpenFailed"]
    assert told.seconds >= estate.world.state.tuning.rpc_timeout_s


def test_a_wrong_password_is_refused(estate: Estate) -> None:
    wrong = PSCredential(estate.operator.down_level, SecureString("not it"))
    assert estate.open().run(OPEN.format("EX1.example.com"), wrong).ids == ["AccessDenied,PSSessionOpenFailed"]


def test_rights_decide_what_is_there_over_powershell_and_not_over_the_snap_in(estate: Estate) -> None:
    estate.world.fault("rbac_missing", "Suspend-MailboxDatabaseCopy")
    estate.world.fault("rbac_missing", "Get-MailboxDatabase -Status")
    shell = estate.exchange(STATUS, "Suspend-MailboxDatabaseCopy", "Get-MailboxDatabase")
    assert shell.run("Suspend-MailboxDatabaseCopy -Identity 'DB01\\EX3'").ids == ["CommandNotFoundException"]
    assert shell.run("Get-MailboxDatabase -Status").ids == ["NamedParameterNotFound,Get-MailboxDatabase"]
    assert shell.run("(Get-Command -Name Get-MailboxDatabase).Parameters.ContainsKey('Status')").texts == ["False"]
    script = "$m = Import-PSSession -Session (Get-PSSession) -CommandName 'Suspend-MailboxDatabaseCopy'"
    assert shell.run(script).ids == ["ErrorNoResultsFromRemoteEnd,Microsoft.PowerShell.Commands.ImportPSSessionCommand"]
    snapin = estate.open("EX2")
    snapin.run("Add-PSSnapin -Name 'Microsoft.Exchange.Management.PowerShell.SnapIn'")
    told = snapin.run("Suspend-MailboxDatabaseCopy -Identity 'DB01\\EX3' -Confirm:$false; Get-MailboxDatabase -Status")
    assert told.ids == []


def test_somebody_without_a_role_gets_no_exchange_session(estate: Estate) -> None:
    nobody = Account("reader", "EXAMPLE", "example.com", "a password of length")
    estate.world.state.accounts.add("reader", nobody)
    credential = PSCredential("EXAMPLE\\reader", SecureString(nobody.password))
    told = estate.open().run(OPEN.format("EX1.example.com"), credential)
    assert told.ended is not None
    assert "Access is denied" in told.ended.message
    assert "management roles" in told.ended.message
    with pytest.raises(EndpointRefused) as refused:
        estate.open(configuration="Microsoft.Exchange", user="EXAMPLE\\reader")
    assert refused.value.code == 5


def test_somebody_who_may_only_look(estate: Estate) -> None:
    viewer = Account(
        "viewer", "EXAMPLE", "example.com", "another password", role_groups=("View-Only Organization Management",)
    )
    estate.world.state.accounts.add("viewer", viewer)
    shell = estate.open(configuration="Microsoft.Exchange", user="viewer@example.com")
    assert shell.command(STATUS, Identity="DB01").ids == []
    assert shell.command("Suspend-MailboxDatabaseCopy", Identity="DB01\\EX3").ids == ["CommandNotFoundException"]


def test_a_password_as_text_is_found_out(estate: Estate) -> None:
    shell = estate.open()
    shell.run("param($Credential) $Credential.UserName", estate.credential)
    assert not [one for one in estate.world.events if one.kind == "secret_in_script"]
    shell.run(f"$p = '{estate.operator.password}'")
    (event,) = [one for one in estate.world.events if one.kind == "secret_in_script"]
    assert event.subject == "EX1"
    assert estate.operator.password not in str(event)


def test_who_may_log_on(estate: Estate) -> None:
    secret = estate.operator.password
    for name in ("EXAMPLE\\operator", "operator@example.com", "operator", "example\\OPERATOR"):
        assert estate.sessions.authenticate("EX1", name) == secret
    assert estate.sessions.authenticate("EX1", "OTHER\\operator") is None
    assert estate.sessions.authenticate("EX1", "nobody") is None
    estate.world.fault("cred_expired", "operator")
    assert estate.sessions.authenticate("EX1", "operator") is None


def test_a_proxy_sees_the_global_error_preference_only(estate: Estate) -> None:
    shell = estate.exchange("Suspend-MailboxDatabaseCopy")
    active = "Suspend-MailboxDatabaseCopy -Identity 'DB01\\EX1' -Confirm:$false"
    told = shell.run(f"$ErrorActionPreference = 'Stop'; {active}; 'went on'")
    assert (told.texts, told.ended) == (["went on"], None)
    told = shell.run(f"{active} -ErrorAction Stop; 'went on'")
    assert told.output == []
    assert told.ended is not None
    assert told.ended.exception.type_name == "System.Management.Automation.RemoteException"


def test_an_unanswerable_question_is_an_error(estate: Estate) -> None:
    shell = estate.exchange("Suspend-MailboxDatabaseCopy")
    told = shell.run("$ConfirmPreference = 'None'; Suspend-MailboxDatabaseCopy -Identity 'DB01\\EX3'")
    assert [one.partition(",")[0] for one in told.ids] == ["HostFunctionNotImplemented"]
    assert estate.world.copy_view("DB01", "EX3", "EX1").status == "Healthy"


def test_unknown_configurations_are_refused(estate: Estate) -> None:
    with pytest.raises(EndpointRefused):
        estate.open(configuration="PowerShell.7")


def test_every_host_is_its_own(estate: Estate) -> None:
    for host in ("EX3", "FSW3", "DC1"):
        assert estate.open(host).run("$env:COMPUTERNAME; [Environment]::MachineName").texts == [host, host]
    assert estate.open("FSW3").run("Get-ClusterNode").ids == ["CommandNotFoundException"]
    told = estate.open("FSW3").run("Add-PSSnapin -Name 'Microsoft.Exchange.Management.PowerShell.SnapIn'")
    assert told.ids == ["AddPSSnapInRead,Microsoft.PowerShell.Commands.AddPSSnapinCommand"]


def test_what_clients_put_around_a_script(estate: Estate) -> None:
    shell = estate.open()
    script = Command(
        text="Invoke-Expression", is_script=False, parameters=(("Command", "'a'; 1 + 1; (Get-Cluster).Name"),)
    )
    told = shell.pipeline(script, Command(text="Out-String", is_script=False, parameters=(("Stream", None),)))
    assert told.texts == ["a", "2", "DAG1"]
    told = shell.pipeline(script, Command(text="Out-String", is_script=False))
    assert told.texts == ["a\r\n2\r\nDAG1\r\n"]
    whole = Command(text="Get-Cluster", is_script=True)
    assert shell.pipeline(whole, Command(text="Out-String", is_script=False)).ended is not None


def test_statements_run_one_after_the_other(estate: Estate) -> None:
    first = Command(text="$x = 1; $x", is_script=True, end_of_statement=True)
    told = estate.open().pipeline(first, Command(text="$x + 1", is_script=True))
    assert told.texts == ["1", "2"]


def test_a_script_that_does_not_parse_or_is_not_simulated(estate: Estate) -> None:
    told = estate.open().run("if (")
    assert told.ended is not None
    assert told.ended.category == "ParserError"
    told = estate.open().run("Get-WinEvent -ListProvider System")
    assert told.ids == ["NotSimulated"]


def test_noise_stands_beside_the_answer(estate: Estate) -> None:
    estate.world.fault("ps_noise", "EX1", level=3)
    told = estate.open().run("'answer'")
    assert told.texts[-1] == "answer"
    assert len(told.texts) > 1
    assert told.warnings
    assert estate.open("EX2").run("'answer'").texts == ["answer"]


def test_what_the_lab_does_not_simulate_is_refused_and_not_missing(estate: Estate) -> None:
    assert estate.open().run("Get-PhysicalDisk").ids == ["NotSimulated"]
    assert estate.open().run("Get-Mailbox").ids == ["CommandNotFoundException"]
    assert estate.exchange("Get-Mailbox").run("Get-Mailbox -Identity 'x'").ids == ["NotSimulated"]
    assert estate.open("FSW3").run("Get-DnsServerZone").ids == ["CommandNotFoundException"]

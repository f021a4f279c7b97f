"""What remoting makes of live objects: the three forms of an enum, sizes as text only, errors that keep their id."""

from __future__ import annotations

import pytest
from lab_hosts import Estate

STATE = "Get-ServerComponentState"
SERVER = "Get-MailboxServer"


@pytest.mark.parametrize(
    ("expression", "live", "wrapped", "text"),
    [
        ("$s.GetType().FullName", "Microsoft.Exchange.Data.ServiceState", "System.Int32", "System.String"),
        ("$s -eq 'Active'", "True", "False", "True"),
        ('"$s"', "Active", "1", "Active"),
        ("[string]$s", "Active", "Active", "Active"),
        ("$s.ToString()", "Active", "Active", "Active"),
        ("'{0}' -f $s", "Active", "Active", "Active"),
        ("$s -like 'Act*'", "True", "True", "True"),
    ],
)
def test_the_three_forms_of_an_enum(estate: Estate, expression: str, live: str, wrapped: str, text: str) -> None:
    script = f"$s = ({STATE} -Identity 'EX1' -Component 'ServerWideOffline').State; {expression}"
    snapin = estate.open("EX2")
    snapin.run("Add-PSSnapin -Name 'Microsoft.Exchange.Management.PowerShell.SnapIn'")
    assert snapin.run(script).texts == [live]
    assert estate.exchange(STATE).run(script).texts == [wrapped]
    estate.sessions.registry.enum_form = "text"
    assert estate.exchange(STATE, host="EX3").run(script).texts == [text]


def test_a_size_is_in_its_text_only(estate: Estate) -> None:
    shell = estate.exchange(SERVER)
    script = f"$size = ({SERVER} -Identity 'EX1').MigrationLogMaxFileSize; "
    assert shell.run(script + "[string]$size; $size.GetType().FullName").texts == [
        "100 MB (104,857,600 bytes)",
        "System.Management.Automation.PSCustomObject",
    ]
    (answer,) = shell.run(script + "ConvertTo-Json -InputObject $size -Compress").texts
    assert answer.startswith('{"SerializationData":')
    assert "104,857,600" not in answer


def test_an_identity_keeps_its_members(estate: Estate) -> None:
    shell = estate.exchange("Get-DatabaseAvailabilityGroup", "Get-MailboxDatabase")
    script = "$m = (Get-DatabaseAvailabilityGroup -Identity 'DAG1').Servers; $m[0].Name; [string]$m[0]; $m.Count"
    assert shell.run(script).texts == ["EX4", "EX4", "4"]
    script = "$p = @((Get-MailboxDatabase -Identity 'DB01').ActivationPreference)[1]; $p.Key.Name; $p.Value; [string]$p"
    assert shell.run(script).texts == ["EX3", "2", "[EX3, 2]"]
    shell = estate.exchange(SERVER)
    script = f"$v = ({SERVER} -Identity 'EX1').AdminDisplayVersion; [string]$v; $v.Major; $v.Build"
    assert shell.run(script).texts == ["Version 15.2 (Build 2562.37)", "15", "2562"]


def test_deserialised_objects_have_no_methods_of_their_own(estate: Estate) -> None:
    shell = estate.exchange(SERVER)
    assert shell.run(f"({SERVER} -Identity 'EX1').MigrationLogMaxFileSize.ToBytes()").ids == ["MethodNotFound"]


def test_a_remote_error_keeps_its_id_and_says_where_it_is_from(estate: Estate) -> None:
    shell = estate.exchange(SERVER)
    script = (
        f"try {{ {SERVER} -Identity 'EX9' -ErrorAction Stop }} catch {{ $e = $_.Exception }}; $e.GetType().FullName; "
    )
    told = shell.run(script + "[string]$e.SerializedRemoteException")
    assert told.texts[0] == "System.Management.Automation.RemoteException"
    assert "ManagementObjectNotFoundException" in told.texts[1]


def test_direct_objects_are_live_on_the_wire(estate: Estate) -> None:
    told = estate.open(configuration="Microsoft.Exchange").command(SERVER, Identity="EX1")
    (found,) = told.objects
    assert found.type_names[0] == "Microsoft.Exchange.Data.Directory.Management.MailboxServer"
    assert found.find("SerializationData") is not None
    assert found.find("PSComputerName") is None

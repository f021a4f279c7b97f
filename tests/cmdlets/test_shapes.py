"""Objects against what real servers printed: every property, with a kind that fits, and no state nobody has seen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab_hosts import Estate
from starover_lab.cmdlets import objects
from starover_lab.powershell.values import (
    DateTime,
    Guid,
    Long,
    NetObject,
    PSArray,
    PSEnum,
    PSList,
    PSObject,
    Single,
    UInt16,
    UInt32,
    Value,
    type_name,
)

DATA = Path(__file__).parents[1] / "data" / "exchange"
ROWS: list[dict[str, Any]] = [json.loads(line) for line in (DATA / "shapes.jsonl").read_text("utf-8").splitlines()]
STATES: dict[str, dict[str, Any]] = json.loads((DATA / "states.json").read_text("utf-8"))
ON_DC = ("Get-ADForest", "Get-ADGroup")
CALLS = {
    "Get-ADForest": "Get-ADForest",
    "Get-ADGroup": "Get-ADGroup -Identity 'Exchange Trusted Subsystem'",
    "Get-AuthConfig": "Get-AuthConfig",
    "Get-ClientAccessServer": "Get-ClientAccessServer",
    "Get-DatabaseAvailabilityGroupNetwork": "Get-DatabaseAvailabilityGroupNetwork",
    "Get-DnsClient": "Get-DnsClient",
    "Get-ExchangeCertificate": "Get-ExchangeCertificate",
    "Get-LocalGroupMember": "Get-LocalGroupMember -Group 'Administrators'",
    "Get-MapiVirtualDirectory": "Get-MapiVirtualDirectory",
    "Get-NetIPConfiguration": "Get-NetIPConfiguration",
    "Get-OabVirtualDirectory": "Get-OabVirtualDirectory",
    "Get-OrganizationConfig": "Get-OrganizationConfig",
    "Get-OwaVirtualDirectory": "Get-OwaVirtualDirectory",
    "Get-SendConnector": "Get-SendConnector",
    "Get-SmbShare": "Get-SmbShare",
    "Get-WebBinding": "Get-WebBinding",
    "Get-WebServicesVirtualDirectory": "Get-WebServicesVirtualDirectory",
    "Get-WindowsFeature": "Get-WindowsFeature",
    "Test-NetConnection": "Test-NetConnection -ComputerName 'EX2' -InformationLevel Detailed",
    "Get-MailboxDatabaseCopyStatus": "Get-MailboxDatabaseCopyStatus -Identity 'DB01'",
    "Get-ServerComponentState": "Get-ServerComponentState -Identity 'EX1'",
    "Get-MailboxServer": "Get-MailboxServer -Identity 'EX1'",
    "Get-ExchangeServer": "Get-ExchangeServer -Identity 'EX1' -Status",
    "Test-ServiceHealth": "Test-ServiceHealth",
    "Get-MailboxDatabase": "Get-MailboxDatabase -Status",
    "Get-Service": "Get-Service",
    "Get-Cluster": "Get-Cluster",
}
SNAPIN = "Add-PSSnapin -Name 'Microsoft.Exchange.Management.PowerShell.SnapIn'; "
NUMBERS = (int, float)

# Kinds of a listing are guesses from its text: `0` may be any number.
FITS: dict[str, tuple[type, ...]] = {
    "String": (str, PSObject),
    "String or enum": (str, PSEnum, PSObject, NetObject),
    "Boolean": (bool,),
    "Int32": (int,),
    "Int64": (*NUMBERS, Long, UInt32),
    "Single/Double/Version": (Single, float, str, PSObject),
    "Guid": (Guid, str),
    "DateTime": (DateTime,),
    "ByteQuantifiedSize": (PSObject,),
    "collection": (PSList, PSArray),
    "Byte[]": (PSArray,),
    "String[]": (PSArray, PSList),
    "UInt16": (UInt16,),
    "UInt32": (UInt32,),
    "Uri": (NetObject,),
    "untyped": (PSObject, PSArray, NetObject),
}


def outputs(estate: Estate, cmdlet: str, *, live: bool) -> list[PSObject]:
    if cmdlet in ON_DC:
        told = estate.open("DC1").run(CALLS[cmdlet])
    elif live:
        told = estate.open().run(SNAPIN + CALLS[cmdlet])
    else:
        told = estate.exchange(cmdlet).run(CALLS[cmdlet])
    assert told.ids == []
    assert told.objects
    return told.objects


def unfit(row: dict[str, Any], found: PSObject) -> Iterator[str]:
    """What of a real object's properties is missing or of another kind."""
    for wanted in row["properties"]:
        if wanted.get("extended") or wanted["name"] == "RunspaceId":
            continue  # remoting adds it
        member = found.find(wanted["name"].partition(" (")[0])
        if member is None:
            yield f"{wanted['name']} is missing"
        elif member.value is not None and not fits(wanted, member.value):
            yield f"{wanted['name']}: {type_name(member.value)} for {wanted['type']}"


def fits(wanted: dict[str, Any], value: Value) -> bool:
    kind = wanted.get("kind")
    if kind == "enum":
        return isinstance(value, PSEnum)
    if kind == "list":
        return isinstance(value, PSList | PSArray)
    if kind == "object":
        return isinstance(value, PSObject)
    return wanted["type"] in ("empty", "Null") or isinstance(value, FITS[wanted["type"]])


@pytest.mark.parametrize("row", [row for row in ROWS if "mock" not in row["evidence"]], ids=lambda row: row["cmdlet"])
def test_live_objects_have_the_shape_of_real_ones(estate: Estate, row: dict[str, Any]) -> None:
    for found in outputs(estate, row["cmdlet"], live=True):
        assert list(unfit(row, found)) == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["cmdlet"])
def test_every_name_a_tool_relies_on_is_there(estate: Estate, row: dict[str, Any]) -> None:
    own = [wanted for wanted in row["properties"] if not wanted.get("extended")]
    names = {wanted["name"].partition(" (")[0].casefold() for wanted in own} - {"runspaceid"}
    for found in outputs(estate, row["cmdlet"], live=True):
        assert names <= {member.name.casefold() for member in found.properties.values()}


@pytest.mark.parametrize("row", [row for row in ROWS if "CLIXML" in row["evidence"]], ids=lambda row: row["cmdlet"])
def test_types_are_those_of_the_export(estate: Estate, row: dict[str, Any]) -> None:
    found = outputs(estate, row["cmdlet"], live=True)[0]
    assert found.type_names == row["types"]
    if not row["types"][0].startswith("Microsoft.Exchange."):
        return
    arrived = outputs(Estate(), row["cmdlet"], live=False)[0]
    again = row["cmdlet"] == "Get-ExchangeCertificate"  # made again from its encoded form
    assert arrived.type_names == [name if again else f"Deserialized.{name}" for name in row["types"]]
    extended = {wanted["name"] for wanted in row["properties"] if wanted.get("extended")}
    assert extended <= {member.name for member in arrived.properties.values()}


def test_a_2013_copy_has_no_properties_of_later_versions() -> None:
    estate = Estate("aws-2az", dag=True)
    exchange = estate.world.server("ExchangeNode1").exchange
    assert exchange is not None
    exchange.year = "2013"
    told = estate.exchange("Get-DatabaseAvailabilityGroup", host="ExchangeNode1").run("Get-DatabaseAvailabilityGroup")
    assert told.objects[0].find("PreferenceMoveFrequency") is None
    assert told.objects[0].find("ReplayLagManagerEnabled") is not None


def properties_of(kind: str) -> Iterator[str]:
    """`Cmdlet.Property` of everything that is of this enum."""
    for cmdlet in objects.shapes():
        for row in objects.shape(cmdlet).properties:
            if row.kind == f"enum {kind}":
                yield f"{cmdlet}.{row.name}"


@pytest.mark.parametrize("kind", objects.enums())
def test_a_state_that_nobody_saw_printed_is_marked(kind: str) -> None:
    seen = {member for key in properties_of(kind) for member in STATES.get(key, {})}
    if kind.startswith("Microsoft.FailoverClusters."):
        noun = kind.rpartition(".")[2]
        for known in ("State", "StatusInformation"):
            if noun.endswith(known):
                seen |= set(STATES.get(f"Get-{noun.removesuffix(known)}.{known}", {}))
    assert set(objects.members(kind)) - seen <= set(objects.unverified(kind))


def test_numbers_are_those_of_the_exports() -> None:
    for key, values in STATES.items():
        cmdlet, _, name = key.partition(".")
        if cmdlet not in objects.shapes():
            continue
        kinds = [row.kind for row in objects.shape(cmdlet).properties if row.name == name]
        for member, known in values.items():
            if kinds and kinds[0].startswith("enum ") and known.get("number") is not None:
                assert objects.enum(kinds[0].removeprefix("enum "), member).number == known["number"], key


def test_a_property_that_no_server_has_cannot_be_made() -> None:
    with pytest.raises(KeyError, match="Made"):
        objects.make("Get-MailboxServer", {"Made": 1})


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (159_449_088, "152.1 MB (159,449,088 bytes)"),
        (1_728_485_810_176, "1.572 TB (1,728,485,810,176 bytes)"),
        (2_198_886_936_576, "2 TB (2,198,886,936,576 bytes)"),
        (524_288_000, "500 MB (524,288,000 bytes)"),
    ],
)
def test_sizes_print_as_real_ones_do(count: int, text: str) -> None:
    assert objects.size(count).text == text


def test_component_states_of_a_healthy_server(estate: Estate) -> None:
    found = {str(one.get("Component")): one for one in outputs(estate, "Get-ServerComponentState", live=True)}
    inactive = [name for name, one in found.items() if one.get("State") != objects.enum("ServiceState", "Active")]
    assert sorted(inactive) == ["ForwardSyncDaemon", "ProvisioningRps"]
    assert len(found) == 34
    assert "UMCallRouter" not in found
    told = [
        name for name, one in found.items() if isinstance(states := one.get("LocalStates"), PSList) and states.items
    ]
    assert sorted(told) == ["Monitoring", "RecoveryActionsEnabled", "ServerWideOffline"]


def test_the_counters_of_an_active_copy_are_empty(estate: Estate) -> None:
    for one in outputs(estate, "Get-MailboxDatabaseCopyStatus", live=True):
        active = one.get("ActiveCopy") is True
        assert (one.get("LastLogInspected") == 0) is active
        assert (one.get("LastInspectedLogTime") is None) is active
        assert one.get("LastLogGenerated") != 0

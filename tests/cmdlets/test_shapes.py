"""Objects against what real servers printed: every property, with a kind that fits, and no state nobody has seen.

`tests/data/exchange/shapes.jsonl` holds what was recorded, of cmdlets that the lab does not have too: when it learns
one of those, a test here fails until the cmdlet is called in `CALLS`.
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab_hosts import Estate, Shell
from starover_lab.cmdlets import net_enums, objects
from starover_lab.cmdlets.catalogue import snapin_commands
from starover_lab.cmdlets.not_simulated import exchange_others
from starover_lab.cmdlets.plain_session import windows_commands
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
    Value,
    Version,
    type_name,
)
from starover_lab.wire.clixml import serialize

Row = dict[str, Any]
DATA = Path(__file__).parents[1] / "data" / "exchange"
RECORDED: list[Row] = [json.loads(line) for line in (DATA / "shapes.jsonl").read_text("utf-8").splitlines()]
STATES: dict[str, dict[str, Any]] = json.loads((DATA / "states.json").read_text("utf-8"))
SNAPIN = "Add-PSSnapin -Name 'Microsoft.Exchange.Management.PowerShell.SnapIn'"
CALLS = {
    "Get-ADForest": "Get-ADForest",
    "Get-ADGroup": "Get-ADGroup -Identity 'Exchange Trusted Subsystem'",
    "Get-AuthConfig": "Get-AuthConfig",
    "Get-ClientAccessServer": "Get-ClientAccessServer",
    "Get-Cluster": "Get-Cluster",
    "Get-Command": "Get-Command -Name 'ExSetup.exe'",
    "Get-DatabaseAvailabilityGroupNetwork": "Get-DatabaseAvailabilityGroupNetwork",
    "Get-DnsClient": "Get-DnsClient",
    "Get-ExchangeCertificate": "Get-ExchangeCertificate",
    "Get-ExchangeDiagnosticInfo": "Get-ExchangeDiagnosticInfo -Server 'EX1' -Process 'EdgeTransport' "
    "-Component 'ResourceThrottling'",
    "Get-ExchangeServer": "Get-ExchangeServer -Identity 'EX1' -Status",
    "Get-HotFix": "Get-HotFix",
    "Get-LocalGroupMember": "Get-LocalGroupMember -Group 'Administrators'",
    "Get-MailboxDatabase": "Get-MailboxDatabase -Status",
    "Get-MailboxDatabaseCopyStatus": "Get-MailboxDatabaseCopyStatus -Identity 'DB01'",
    "Get-MailboxServer": "Get-MailboxServer -Identity 'EX1'",
    "Get-MapiVirtualDirectory": "Get-MapiVirtualDirectory",
    "Get-NetIPConfiguration": "Get-NetIPConfiguration",
    "Get-OabVirtualDirectory": "Get-OabVirtualDirectory",
    "Get-OrganizationConfig": "Get-OrganizationConfig",
    "Get-OwaVirtualDirectory": "Get-OwaVirtualDirectory",
    "Get-SendConnector": "Get-SendConnector",
    "Get-ServerComponentState": "Get-ServerComponentState -Identity 'EX1'",
    "Get-ServerMonitoringOverride": "Get-ServerMonitoringOverride -Server 'EX1'",
    "Get-Service": "Get-Service",
    "Get-SmbOpenFile": "Get-SmbOpenFile",
    "Get-SmbShare": "Get-SmbShare",
    "Get-WebBinding": "Get-WebBinding",
    "Get-WebServicesVirtualDirectory": "Get-WebServicesVirtualDirectory",
    "Get-WinEvent": "Get-WinEvent -LogName 'System'",
    "Get-WinEvent -ListLog": "Get-WinEvent -ListLog 'System','Application'",
    "Get-WindowsFeature": "Get-WindowsFeature",
    # The exports come of Get-WmiObject; CIM hands out the same properties without those of WMI itself (`__CLASS`).
    "Get-WmiObject -Class Win32_ComputerSystem": "Get-CimInstance -ClassName 'Win32_ComputerSystem'",
    "Get-WmiObject -Class Win32_Processor": "Get-CimInstance -ClassName 'Win32_Processor'",
    "Test-NetConnection": "Test-NetConnection -ComputerName 'EX2' -InformationLevel Detailed",
    "Test-ServiceHealth": "Test-ServiceHealth",
}
"""What to run for the rows of a cmdlet, or of a cmdlet asked in a certain way."""
HOSTS = {"Get-ADForest": "DC1", "Get-ADGroup": "DC1", "Get-SmbOpenFile": "FSW3"}
"""Where, when not on an Exchange server."""
UNMET = {
    "Get-ExchangeDiagnosticInfo -Process MSExchangeADTopology": "Get-ExchangeDiagnosticInfo -Server 'EX1' "
    "-Process 'MSExchangeADTopology' -Component 'VariantConfiguration' -Argument 'Overrides'",
    "Get-WmiObject -Class Win32_NetworkAdapter": "Get-CimInstance -ClassName 'Win32_NetworkAdapter'",
    "Get-WmiObject -Class Win32_NetworkAdapterConfiguration": "Get-CimInstance "
    "-ClassName 'Win32_NetworkAdapterConfiguration'",
    "Get-WmiObject -Class Win32_PageFileSetting": "Get-CimInstance -ClassName 'Win32_PageFileSetting'",
    "Get-WmiObject -Class Win32_PhysicalMemory": "Get-CimInstance -ClassName 'Win32_PhysicalMemory'",
    "Get-WmiObject -Class Win32_PowerPlan": "Get-CimInstance -ClassName 'Win32_PowerPlan'",
    "Test-NetConnection -DiagnoseRouting": "Test-NetConnection -ComputerName 'EX2' -DiagnoseRouting",
}
"""What was recorded of the lab's cmdlets and is not met: the lab refuses to answer it, by name."""
NOT_OUTPUT = {
    "shape-84cfb3425b": ({"Credential", "Ensure"}, "parameters of the tool itself"),
    "shape-02571222ea": (
        {
            f"{name}{part}"
            for name in (
                "CalendarRepairWorkCycle",
                "ManagedFolderWorkCycle",
                "OABGeneratorWorkCycle",
                "PublicFolderWorkCycle",
                "SharingPolicyWorkCycle",
                "SharingSyncWorkCycle",
                "SiteMailboxWorkCycle",
                "TopNWorkCycle",
                "UMReportingWorkCycle",
            )
            for part in ("", "Checkpoint")
        }
        | {"MailboxProcessorWorkCycle"},
        "Exchange 2013 took them as parameters; neither export of a later server has them",
    ),
}
"""Names in a tool's mock that its author set and no server printed."""
REMOTING = {"PSComputerName", "PSShowComputerName", "RunspaceId", "SerializationData", "__ClassMetadata"}
"""What remoting adds, or the writer of CIM objects: a whole class in Windows' own XML, which the lab does not make."""
OTHER_ARGUMENTS = ("-DiagnoseRouting", "-ListLog", "-Process MSExchangeADTopology")

NUMBERS = (int, float)
"""The kinds of a listing are guesses from its text, where `0` may be any number."""
FITS: dict[str, tuple[type, ...]] = {
    "String": (str, PSObject),
    "String or enum": (str, PSEnum, PSObject, NetObject),
    "Boolean": (bool,),
    "Int32": (int,),
    "Int64": (*NUMBERS, Long),
    "Single/Double/Version": (Single, float, str, PSObject),
    "Guid": (Guid, str),
    "DateTime": (DateTime,),
    "ByteQuantifiedSize": (PSObject,),
    "collection": (PSList, PSArray),
    "Byte[]": (PSArray,),
    "String[]": (PSArray, PSList),
    "Uri": (NetObject,),
    "Version": (Version,),
    "untyped": (PSObject, PSArray, NetObject),
}


def way(row: Row) -> str:
    """The cmdlet, with the argument that makes its output another one."""
    cmdlet, asked = str(row["cmdlet"]), str(row.get("parameters", ""))
    if cmdlet == "Get-WmiObject":
        return f"{cmdlet} {asked}"
    return next((f"{cmdlet} {one}" for one in OTHER_ARGUMENTS if one in asked), cmdlet)


ROWS = [row for row in RECORDED if way(row) in CALLS]


@pytest.fixture(scope="module")
def seen() -> Shells:
    """An estate in which each of the cmdlets has something to tell; nothing is changed in it afterwards."""
    estate = Estate()
    estate.world.mend(estate.world.fault("service_crash", "EX1", service="MSExchangeIS"))
    shells = Shells(estate)
    override = (
        "Add-ServerMonitoringOverride -Identity 'AD\\R1' -Server 'EX1' -ItemType Responder -PropertyName Enabled "
        "-PropertyValue 0 -Duration '04:00:00' -Confirm:$false"
    )
    assert shells.plain("EX1").run(override).ids == []
    return shells


class Shells:
    """One session a host, one that has imported, and what was put out in them."""

    def __init__(self, estate: Estate) -> None:
        self.estate = estate
        self.known: dict[str, list[PSObject]] = {}
        self.hosts: dict[str, Shell] = {}
        self.imported: Shell | None = None

    def plain(self, host: str) -> Shell:
        if host not in self.hosts:
            self.hosts[host] = self.estate.open(host)
            if self.estate.world.server(host).exchange is not None:
                assert self.hosts[host].run(SNAPIN).ids == []
        return self.hosts[host]

    def live(self, what: str) -> list[PSObject]:
        if what not in self.known:
            self.known[what] = told(self.plain(HOSTS.get(what, "EX1")), what)
        return self.known[what]

    def arrived(self, what: str) -> list[PSObject]:
        """The same through implicit remoting."""
        if self.imported is None:
            own = {spec.name for spec in snapin_commands("SE")}
            self.imported = self.estate.exchange(*sorted(own & CALLS.keys()))
        return told(self.imported, what)


def told(shell: Shell, what: str) -> list[PSObject]:
    found = shell.run(CALLS[what])
    assert found.ids == []
    assert found.objects
    return found.objects


def simulated() -> set[str]:
    """The cmdlets that the lab answers, on any host and in any version of Exchange."""
    refused = next(exchange_others("SE", ())).body
    specs = [spec for year in ("2013", "2016", "2019", "SE") for spec in snapin_commands(year)]
    for server in Estate().world.state.servers:
        specs += windows_commands(server)
    found = {spec.name for spec in specs if spec.body is not refused}
    return found | {"Get-WmiObject"} if "Get-CimInstance" in found else found


def test_all_that_was_recorded_of_the_labs_cmdlets_is_called() -> None:
    known = simulated()
    recorded = {way(row) for row in RECORDED}
    assert {way(row) for row in RECORDED if row["cmdlet"] in known} - CALLS.keys() - UNMET.keys() == set()
    assert CALLS.keys() | UNMET.keys() <= recorded


@pytest.mark.parametrize("what", UNMET)
def test_what_is_not_met_is_refused(seen: Shells, what: str) -> None:
    ended = seen.plain("EX1").run(UNMET[what]).ended
    assert ended is not None
    assert ended.error_id == "NotSimulated"


def unfit(row: Row, found: PSObject) -> Iterator[str]:
    """What of a real object's properties is missing or of another kind."""
    for wanted in own_properties(row):
        member = found.find(wanted["name"].partition(" (")[0])
        if member is None:
            yield f"{wanted['name']} is missing"
        elif member.value is not None and not fits(row, wanted, member.value):
            yield f"{wanted['name']}: {type_name(member.value)} for {wanted['type']}"


def own_properties(row: Row) -> Iterator[Row]:
    """Without what remoting, or WMI beside the class, adds."""
    for wanted in row["properties"]:
        wmi = row["cmdlet"] == "Get-WmiObject" and wanted["name"].startswith("__")
        if not wanted.get("extended") and wanted["name"] != "RunspaceId" and not wmi:
            yield wanted


def fits(row: Row, wanted: Row, value: Value) -> bool:
    kind, name = wanted.get("kind"), wanted["type"]
    if kind == "enum":
        numbers = wanted.get("numbers", {})
        return isinstance(value, PSEnum) and numbers.get(value.name, value.number) == value.number
    if kind == "list":
        return isinstance(value, PSList | PSArray)
    if kind == "object":
        return isinstance(value, PSObject)
    if name in ("empty", "Null"):
        return True
    if isinstance(value, int) and not isinstance(value, bool) and "CLIXML" in row["evidence"]:
        return type_name(value) == f"System.{name}"
    return isinstance(value, FITS[name])


@pytest.mark.parametrize("row", [row for row in ROWS if "mock" not in row["evidence"]], ids=lambda row: row["id"])
def test_live_objects_have_the_shape_of_real_ones(seen: Shells, row: Row) -> None:
    for found in seen.live(way(row)):
        assert list(unfit(row, found)) == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_every_name_a_tool_relies_on_is_there(seen: Shells, row: Row) -> None:
    names = {wanted["name"].partition(" (")[0] for wanted in own_properties(row)}
    names -= NOT_OUTPUT.get(row["id"], (set[str](), ""))[0]
    for found in seen.live(way(row)):
        assert {name.casefold() for name in names} <= {member.name.casefold() for member in found.properties.values()}


@pytest.mark.parametrize("row", [row for row in ROWS if "CLIXML" in row["evidence"]], ids=lambda row: row["id"])
def test_types_are_those_of_the_export(seen: Shells, row: Row) -> None:
    wanted = [name.removeprefix("Deserialized.") for name in row["types"]]
    if row["cmdlet"] == "Get-WmiObject":
        of_classes = [name.partition("#")[2].replace("\\", "/") for name in wanted if "#" in name]
        cim = "Microsoft.Management.Infrastructure.CimInstance"
        wanted = [*(f"{cim}#{name}" for name in of_classes), cim, "System.Object"]
    assert seen.live(way(row))[0].type_names == wanted
    if not wanted[0].startswith("Microsoft.Exchange."):
        return
    arrived = seen.arrived(way(row))[0]
    again = row["cmdlet"] == "Get-ExchangeCertificate"  # made again from its encoded form
    assert arrived.type_names == [name if again else f"Deserialized.{name}" for name in wanted]
    extended = {one["name"] for one in row["properties"] if one.get("extended")}
    assert extended <= {member.name for member in arrived.properties.values()}


@pytest.mark.parametrize("row", [row for row in ROWS if "CLIXML" in row["evidence"]], ids=lambda row: row["id"])
def test_the_wire_keeps_own_and_added_members_apart(seen: Shells, row: Row) -> None:
    """As recorded of a ServiceController too: its `Name` and `RequiredServices` stand in MS, the others in Props."""
    written = ET.fromstring(serialize(seen.live(way(row))[0]))
    own, added = ({one.get("N") for one in written.iterfind(f"{part}/*")} for part in ("Props", "MS"))
    assert {wanted["name"] for wanted in own_properties(row)} - REMOTING <= own
    assert {wanted["name"] for wanted in row["properties"] if wanted.get("extended")} - REMOTING <= added


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


@pytest.mark.parametrize("what", CALLS)
def test_what_is_printed_was_seen_or_is_marked(seen: Shells, what: str) -> None:
    for found in seen.live(what):
        for member in found.properties.values():
            known = STATES.get(f"{what.partition(' ')[0]}.{member.name}")
            if known is not None and isinstance(member.value, PSEnum):
                kind, name = member.value.type_name, member.value.name
                assert name in {*known, *objects.unverified(kind), *net_enums.unverified(kind)}, member.name


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


def test_component_states_of_a_healthy_server(seen: Shells) -> None:
    found = {str(one.get("Component")): one for one in seen.live("Get-ServerComponentState")}
    inactive = [name for name, one in found.items() if one.get("State") != objects.enum("ServiceState", "Active")]
    assert sorted(inactive) == ["ForwardSyncDaemon", "ProvisioningRps"]
    assert len(found) == 34
    assert "UMCallRouter" not in found
    told = [
        name for name, one in found.items() if isinstance(states := one.get("LocalStates"), PSList) and states.items
    ]
    assert sorted(told) == ["Monitoring", "RecoveryActionsEnabled", "ServerWideOffline"]


def test_the_counters_of_an_active_copy_are_empty(seen: Shells) -> None:
    for one in seen.live("Get-MailboxDatabaseCopyStatus"):
        active = one.get("ActiveCopy") is True
        assert (one.get("LastLogInspected") == 0) is active
        assert (one.get("LastInspectedLogTime") is None) is active
        assert one.get("LastLogGenerated") != 0

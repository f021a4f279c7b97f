"""Enums of Windows and PowerShell that cmdlets hand out; makes all enums known to the evaluator, so that they compare.

Numbers are .NET's own, as documented.
"""

from __future__ import annotations

from collections.abc import Sequence

from starover_lab.cmdlets import objects
from starover_lab.powershell import types
from starover_lab.powershell.values import PSEnum

__all__ = ["net_enum", "net_flags", "unverified"]

_SMA = "System.Management.Automation"
_CIM = "Microsoft.PowerShell.Cmdletization.GeneratedTypes"
_ENUMS: dict[str, dict[str, int]] = {
    "System.IO.FileAttributes": {
        "ReadOnly": 1,
        "Hidden": 2,
        "System": 4,
        "Directory": 16,
        "Archive": 32,
        "Normal": 128,
    },
    f"{_SMA}.CommandTypes": {
        "Alias": 1,
        "Function": 2,
        "Filter": 4,
        "Cmdlet": 8,
        "ExternalScript": 16,
        "Application": 32,
        "Script": 64,
        "Workflow": 128,
        "Configuration": 256,
    },
    f"{_SMA}.ModuleType": {"Script": 0, "Binary": 1, "Manifest": 2, "Cim": 3, "Workflow": 4},
    f"{_SMA}.SessionStateEntryVisibility": {"Public": 0, "Private": 1},
    f"{_SMA}.RemotingCapability": {"None": 0, "PowerShell": 1, "SupportedByCommand": 2, "OwnedByCommand": 3},
    "System.Diagnostics.Eventing.Reader.EventLogType": {
        "Administrative": 0,
        "Operational": 1,
        "Analytical": 2,
        "Debug": 3,
    },
    "System.Diagnostics.Eventing.Reader.EventLogIsolation": {"Application": 0, "System": 1, "Custom": 2},
    "System.Diagnostics.Eventing.Reader.EventLogMode": {"Circular": 0, "AutoBackup": 1, "Retain": 2},
    f"{_SMA}.Runspaces.RunspaceAvailability": {
        "None": 0,
        "Available": 1,
        "AvailableForNestedCommand": 2,
        "Busy": 3,
        "RemoteDebug": 4,
    },
    f"{_SMA}.Runspaces.RunspaceState": {
        "BeforeOpen": 0,
        "Opening": 1,
        "Opened": 2,
        "Closed": 3,
        "Closing": 4,
        "Broken": 5,
        "Disconnecting": 6,
        "Disconnected": 7,
        "Connecting": 8,
    },
    f"{_SMA}.Runspaces.TargetMachineType": {"RemoteMachine": 0, "VirtualMachine": 1, "Container": 2},
    f"{_CIM}.ScheduledTask.StateEnum": {"Unknown": 0, "Disabled": 1, "Queued": 2, "Ready": 3, "Running": 4},
    f"{_CIM}.ScheduledTask.LogonTypeEnum": {
        "None": 0,
        "Password": 1,
        "S4U": 2,
        "Interactive": 3,
        "Group": 4,
        "ServiceAccount": 5,
        "InteractiveOrPassword": 6,
    },
    f"{_CIM}.ScheduledTask.RunLevelEnum": {"Limited": 0, "Highest": 1},
    f"{_CIM}.ScheduledTask.MultipleInstancesEnum": {"Parallel": 0, "Queue": 1, "IgnoreNew": 2},
    f"{_CIM}.NetSecurity.Enabled": {"True": 1, "False": 2},
    f"{_CIM}.NetSecurity.Direction": {"Inbound": 1, "Outbound": 2},
    f"{_CIM}.NetSecurity.Action": {"NotConfigured": 0, "Allow": 2, "Block": 4},
    f"{_CIM}.NetSecurity.Profile": {"Any": 0, "Domain": 1, "Private": 2, "Public": 4, "NotApplicable": 65535},
    f"{_CIM}.NetSecurity.EdgeTraversal": {"Block": 0, "Allow": 1, "DeferToUser": 2, "DeferToApp": 3},
    f"{_CIM}.NetSecurity.PrimaryStatus": {"Unknown": 0, "OK": 1, "Inactive": 2, "Error": 3},
    f"{_CIM}.NetSecurity.PolicyStoreType": {"None": 0, "Local": 1, "GroupPolicy": 2, "Dynamic": 3, "Generated": 4},
    f"{_CIM}.NetIPAddress.AddressFamily": {"IPv4": 2, "IPv6": 23},
    f"{_CIM}.NetIPAddress.PrefixOrigin": {
        "Other": 0,
        "Manual": 1,
        "WellKnown": 2,
        "Dhcp": 3,
        "RouterAdvertisement": 4,
    },
    f"{_CIM}.NetIPAddress.SuffixOrigin": {"Other": 0, "Manual": 1, "WellKnown": 2, "Dhcp": 3, "Link": 4, "Random": 5},
    f"{_CIM}.NetIPAddress.AddressState": {
        "Invalid": 0,
        "Tentative": 1,
        "Duplicate": 2,
        "Deprecated": 3,
        "Preferred": 4,
    },
    f"{_CIM}.NetIPAddress.Type": {"Unicast": 1, "Anycast": 2},
    f"{_CIM}.NetIPAddress.Store": {"PersistentStore": 0, "ActiveStore": 1},
    f"{_CIM}.NetIPInterface.Dhcp": {"Disabled": 0, "Enabled": 1},
    f"{_CIM}.NetIPInterface.AutomaticMetric": {"Disabled": 0, "Enabled": 1},
    f"{_CIM}.NetIPInterface.ConnectionState": {"Disconnected": 0, "Connected": 1},
    f"{_CIM}.NetRoute.Protocol": {"Other": 1, "Local": 2, "NetMgmt": 3, "Dhcp": 19},
    f"{_CIM}.NetRoute.State": {"Invalid": 0, "Alive": 2},
    f"{_CIM}.NetAdapter.AdminStatus": {"Up": 1, "Down": 2, "Testing": 3},
    f"{_CIM}.NetAdapter.MediaConnectionState": {"Unknown": 0, "Connected": 1, "Disconnected": 2},
    f"{_CIM}.SmbShare.ShareState": {"Pending": 0, "Online": 1, "Offline": 2},
    f"{_CIM}.SmbShare.AvailabilityType": {"NonClustered": 0, "Clustered": 1, "ScaleOut": 2, "CSV": 3},
    f"{_CIM}.SmbShare.ShareType": {
        "FileSystemDirectory": 0,
        "PrintQueue": 1,
        "Device": 2,
        "InterprocessCommunication": 3,
    },
    f"{_CIM}.SmbShare.FolderEnumerationMode": {"AccessBased": 0, "Unrestricted": 1},
    f"{_CIM}.SmbShare.CachingMode": {"None": 0, "Manual": 1, "Documents": 2, "Programs": 3, "BranchCache": 4},
    f"{_CIM}.SmbShare.AccessControlType": {"Allow": 0, "Deny": 1},
    f"{_CIM}.SmbShare.ShareAccessRight": {"Full": 0, "Change": 1, "Read": 2, "Custom": 3},
    "Microsoft.DnsClient.Commands.RecordType": {
        "UNKNOWN": 0,
        "A": 1,
        "NS": 2,
        "CNAME": 5,
        "SOA": 6,
        "PTR": 12,
        "MX": 15,
        "TXT": 16,
        "AAAA": 28,
        "SRV": 33,
        "A_AAAA": 65534,
        "ALL": 255,
        "ANY": 255,
    },
    "Microsoft.DnsClient.Commands.DNSSection": {"Question": 0, "Answer": 1, "Authority": 2, "Additional": 3},
    "Microsoft.ActiveDirectory.Management.ADGroupCategory": {"Distribution": 0, "Security": 1},
    "Microsoft.ActiveDirectory.Management.ADGroupScope": {"DomainLocal": 0, "Global": 1, "Universal": 2},
    "System.Security.AccessControl.AccessControlType": {"Allow": 0, "Deny": 1},
    "System.DirectoryServices.ActiveDirectoryRights": {"GenericAll": 983551},
    "System.DirectoryServices.ActiveDirectorySecurityInheritance": {"None": 0, "All": 1},
}

_UNVERIFIED: dict[str, tuple[str, ...]] = {
    f"{_SMA}.CommandTypes": (
        *("Alias", "Function", "Filter", "Cmdlet", "ExternalScript", "Script", "Workflow", "Configuration"),
    ),
    f"{_SMA}.RemotingCapability": ("None", "SupportedByCommand", "OwnedByCommand"),
    f"{_SMA}.SessionStateEntryVisibility": ("Private",),
    f"{_CIM}.ScheduledTask.StateEnum": ("Unknown", "Queued"),
    f"{_CIM}.SmbShare.AvailabilityType": ("NonClustered", "ScaleOut", "CSV"),
    f"{_CIM}.SmbShare.ShareState": ("Pending", "Offline"),
    f"{_CIM}.SmbShare.ShareType": ("PrintQueue", "Device", "InterprocessCommunication"),
    "System.Diagnostics.Eventing.Reader.EventLogType": ("Operational", "Analytical", "Debug"),
    "System.Diagnostics.Eventing.Reader.EventLogIsolation": ("Custom",),
    "System.Diagnostics.Eventing.Reader.EventLogMode": ("AutoBackup", "Retain"),
}
"""Documented, and in no recorded output of a real server; of enums that such outputs show at all."""

types.ENUMS.update(_ENUMS)
types.ENUMS.update(
    {kind: {name: objects.enum(kind, name).number for name in objects.members(kind)} for kind in objects.enums()}
)


def net_enum(type_name: str, member: str) -> PSEnum:
    """A live value; the type may be given by the end of its name (`RunspaceState`)."""
    if type_name not in _ENUMS:
        (type_name,) = (name for name in _ENUMS if name.endswith("." + type_name))
    return PSEnum(type_name, member, _ENUMS[type_name][member])


def unverified(type_name: str) -> tuple[str, ...]:
    """The members of an enum that no output of a real server has shown, as far as such outputs were recorded."""
    return _UNVERIFIED.get(type_name, ())


def net_flags(type_name: str, members: Sequence[str]) -> PSEnum:
    """Several members of a flags enum at once: `Domain, Private`."""
    found = [net_enum(type_name, member) for member in members]
    return PSEnum(found[0].type_name, ", ".join(members), sum(one.number for one in found))

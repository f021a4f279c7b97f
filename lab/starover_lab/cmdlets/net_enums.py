"""Enums of Windows and PowerShell that cmdlets hand out; makes all enums known to the evaluator, so that they compare.

Numbers are .NET's own, as documented.
"""

from __future__ import annotations

from starover_lab.cmdlets import objects
from starover_lab.powershell import types
from starover_lab.powershell.values import PSEnum

__all__ = ["net_enum"]

_SMA = "System.Management.Automation"
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
}

types.ENUMS.update(_ENUMS)
types.ENUMS.update(
    {kind: {name: objects.enum(kind, name).number for name in objects.members(kind)} for kind in objects.enums()}
)


def net_enum(type_name: str, member: str) -> PSEnum:
    """A live value; the type may be given by the end of its name (`RunspaceState`)."""
    if type_name not in _ENUMS:
        (type_name,) = (name for name in _ENUMS if name.endswith("." + type_name))
    return PSEnum(type_name, member, _ENUMS[type_name][member])

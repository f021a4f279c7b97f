"""Get-HotFix: the Windows updates that are in, as Win32_QuickFixEngineering lists them; knows no agent."""

from __future__ import annotations

from collections.abc import Iterator

from starover_lab.cmdlets.machine import given_list, reading
from starover_lab.cmdlets.objects import product
from starover_lab.cmdlets.windows import fits
from starover_lab.powershell.command import Body, Invocation
from starover_lab.powershell.values import PSArray, PSObject, Value
from starover_lab.world.names import same
from starover_lab.world.state import first_label
from starover_lab.world.update_parts import Update

__all__ = ["BODIES"]

_CLASS = "Win32_QuickFixEngineering"
_ABOVE = ("CIM_LogicalElement", "CIM_ManagedSystemElement")
_OBJECT = "System.Management.ManagementObject"
_TYPES = (
    *(f"{_OBJECT}#root\\cimv2\\{name}" for name in (_CLASS, *_ABOVE)),
    *(f"{_OBJECT}#{name}" for name in (_CLASS, *_ABOVE)),
    _OBJECT,
    "System.Management.ManagementBaseObject",
    "System.ComponentModel.Component",
    "System.MarshalByRefObject",
    "System.Object",
)


def _hotfix(host: str, kind: str, update: Update) -> PSObject:
    """One of the class as WMI hands it out, its system properties first (shape-69d69bab63)."""
    when = update.installed_at
    key = f'{_CLASS}.HotFixID="{update.kb}",ServicePackInEffect=""'
    path = f"\\\\{host}\\root\\cimv2:{key}"
    own: list[tuple[str, Value]] = [
        ("Caption", f"http://support.microsoft.com/?kbid={update.kb.removeprefix('KB')}"),
        ("CSName", host),
        ("Description", kind),
        ("FixComments", ""),
        ("HotFixID", update.kb),
        ("InstallDate", None),
        ("InstalledBy", "NT AUTHORITY\\SYSTEM"),
        ("InstalledOn", f"{when.month}/{when.day}/{when.year}" if when is not None else ""),
        ("Name", None),
        ("ServicePackInEffect", ""),
        ("Status", None),
    ]
    about: list[tuple[str, Value]] = [
        ("__GENUS", 2),
        ("__CLASS", _CLASS),
        ("__SUPERCLASS", _ABOVE[0]),
        ("__DYNASTY", _ABOVE[-1]),
        ("__RELPATH", key),
        ("__PROPERTY_COUNT", len(own)),
        ("__DERIVATION", PSArray(list(_ABOVE), "System.String[]")),
        ("__SERVER", host),
        ("__NAMESPACE", "root\\cimv2"),
        ("__PATH", path),
    ]
    return product(_TYPES, [*about, *own, ("PSComputerName", host)], text=path)


def get_hotfix(call: Invocation) -> Iterator[Value]:
    """Get-HotFix of this host; InstalledOn is text (facts/exchange.md point 20)."""
    here = reading(call)
    for computer in given_list(call.bound.get("ComputerName")):
        if not same(first_label(computer), here.host) and computer not in {".", "localhost"}:
            message = "Access is denied. (Exception from HRESULT: 0x80070005 (E_ACCESSDENIED))"
            kind = "System.UnauthorizedAccessException"
            call.error(call.record(kind, "NotSpecified", message, type_name=kind, target=computer))
            return
    wanted, kinds = given_list(call.bound.get("Id")), given_list(call.bound.get("Description"))
    there = [one for one in here.world.updates.installed(here.host) if one.state == "installed"]
    found = [one for one in there if not wanted or any(same(one.kb, name) for name in wanted)]
    for update in sorted(found, key=lambda one: one.kb):
        kind = "Security Update" if "Security Updates" in update.categories else "Update"
        if kinds and not any(fits(kind, pattern) for pattern in kinds):
            continue
        yield _hotfix(here.host.upper(), kind, update)
    missing = [name for name in wanted if not any(same(one.kb, name) for one in there)]
    if wanted and missing and not found:
        message = (
            "Cannot find the requested hotfix on the 'localhost' computer. Verify the input and run the command again."
        )
        kind = "System.ArgumentException"
        call.error(call.record("GetHotFixNoEntriesFound", "ObjectNotFound", message, type_name=kind))


BODIES: dict[str, Body] = {"Get-HotFix": get_hotfix}

"""Get-HotFix: the Windows updates that are in, as Win32_QuickFixEngineering lists them; knows no agent."""

from __future__ import annotations

from collections.abc import Iterator

from starover_lab.cmdlets.machine import given_list, reading
from starover_lab.cmdlets.objects import product
from starover_lab.cmdlets.windows import fits
from starover_lab.powershell.command import Body, Invocation
from starover_lab.powershell.values import Value
from starover_lab.world.names import same
from starover_lab.world.state import first_label

__all__ = ["BODIES"]

_CLASS = "System.Management.ManagementObject#root\\cimv2\\Win32_QuickFixEngineering"


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
        when = update.installed_at
        yield product(
            [_CLASS, "System.Management.ManagementObject", "System.Object"],
            [
                ("__CLASS", "Win32_QuickFixEngineering"),
                ("__SERVER", here.host.upper()),
                ("Caption", f"http://support.microsoft.com/?kbid={update.kb.removeprefix('KB')}"),
                ("CSName", here.host.upper()),
                ("Description", kind),
                ("FixComments", ""),
                ("HotFixID", update.kb),
                ("InstallDate", None),
                ("InstalledBy", "NT AUTHORITY\\SYSTEM"),
                ("InstalledOn", f"{when.month}/{when.day}/{when.year}" if when is not None else ""),
                ("Name", None),
                ("ServicePackInEffect", ""),
                ("Status", None),
                ("PSComputerName", here.host.upper()),
            ],
            text=f"\\\\{here.host.upper()}\\root\\cimv2:Win32_QuickFixEngineering",
        )
    missing = [name for name in wanted if not any(same(one.kb, name) for one in there)]
    if wanted and missing and not found:
        message = (
            "Cannot find the requested hotfix on the 'localhost' computer. Verify the input and run the command again."
        )
        kind = "System.ArgumentException"
        call.error(call.record("GetHotFixNoEntriesFound", "ObjectNotFound", message, type_name=kind))


BODIES: dict[str, Body] = {"Get-HotFix": get_hotfix}

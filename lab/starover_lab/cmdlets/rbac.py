"""Who may use which Exchange cmdlet over `/PowerShell`; the snap-in asks nobody.

Role groups and what their roles allow are those of the product's documentation as far as the lab has the cmdlets; the
assignment of single cmdlets to roles is from memory.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from starover_lab.powershell.command import CommandSpec
from starover_lab.world.entities import Account

__all__ = ["allowed", "roles_of", "trimmed"]

_VDIRS = tuple(
    f"{verb}-{noun}VirtualDirectory"
    for noun in ("Owa", "Ecp", "WebServices", "ActiveSync", "Oab", "Mapi", "PowerShell", "Autodiscover")
    for verb in ("Get", "Set")
)
_ROLES: dict[str, tuple[str, ...]] = {
    "Database Availability Groups": (
        "Get-DatabaseAvailabilityGroup",
        "New-DatabaseAvailabilityGroup",
        "Set-DatabaseAvailabilityGroup",
        "Remove-DatabaseAvailabilityGroup",
        "Stop-DatabaseAvailabilityGroup",
        "Restore-DatabaseAvailabilityGroup",
        "Start-DatabaseAvailabilityGroup",
        "Add-DatabaseAvailabilityGroupServer",
        "Remove-DatabaseAvailabilityGroupServer",
        "Get-DatabaseAvailabilityGroupNetwork",
        "New-DatabaseAvailabilityGroupNetwork",
        "Set-DatabaseAvailabilityGroupNetwork",
        "Remove-DatabaseAvailabilityGroupNetwork",
    ),
    "Database Copies": (
        "Get-MailboxDatabase",
        "Get-MailboxDatabaseCopyStatus",
        "Suspend-MailboxDatabaseCopy",
        "Resume-MailboxDatabaseCopy",
        "Update-MailboxDatabaseCopy",
        "Set-MailboxDatabaseCopy",
        "Add-MailboxDatabaseCopy",
        "Remove-MailboxDatabaseCopy",
    ),
    "Databases": (
        "Get-MailboxDatabase",
        "Get-MailboxDatabaseCopyStatus",
        "Get-MailboxServer",
        "Set-MailboxDatabase",
        "New-MailboxDatabase",
        "Set-MailboxServer",
        "Mount-Database",
        "Dismount-Database",
        "Move-ActiveMailboxDatabase",
        "Test-MAPIConnectivity",
    ),
    "Exchange Servers": (
        "Get-ExchangeServer",
        "Set-ExchangeServer",
        "Get-MailboxServer",
        "Set-MailboxServer",
        "Get-ServerComponentState",
        "Set-ServerComponentState",
    ),
    "Monitoring": (
        "Get-ServerHealth",
        "Get-HealthReport",
        "Get-ServerMonitoringOverride",
        "Add-ServerMonitoringOverride",
        "Remove-ServerMonitoringOverride",
        "Get-ServerComponentState",
        "Test-ReplicationHealth",
        "Test-ServiceHealth",
        "Get-MailboxDatabaseCopyStatus",
    ),
    "Transport Queues": (
        "Get-Queue",
        "Get-Message",
        "Retry-Queue",
        "Resume-Queue",
        "Suspend-Queue",
        "Redirect-Message",
        "Add-ResubmitRequest",
        "Get-ResubmitRequest",
        "Get-ExchangeDiagnosticInfo",
    ),
    "Exchange Virtual Directories": (*_VDIRS, "Get-OutlookAnywhere", "Set-OutlookAnywhere"),
    "Organization Client Access": (
        "Get-ClientAccessService",
        "Set-ClientAccessService",
        "Get-ClientAccessServer",
        "Set-ClientAccessServer",
        "Get-OutlookProvider",
        "Set-OutlookProvider",
        "Get-OrganizationConfig",
        "Set-OrganizationConfig",
        "Get-AuthConfig",
        "Set-AuthConfig",
        "Test-OutlookConnectivity",
    ),
    "Exchange Server Certificates": (
        "Get-ExchangeCertificate",
        "Enable-ExchangeCertificate",
        "Export-ExchangeCertificate",
        "Import-ExchangeCertificate",
    ),
    "Organization Transport Settings": (
        "Get-TransportConfig",
        "Set-TransportConfig",
        "Get-SendConnector",
        "Set-SendConnector",
    ),
    "Send Connectors": ("Get-SendConnector", "Set-SendConnector"),
    "Edge Subscriptions": ("Get-EdgeSubscription", "Test-EdgeSynchronization"),
    "Transport Hygiene": ("Get-MalwareFilteringServer", "Set-MalwareFilteringServer"),
    "View-Only Configuration": (
        *(name for name in _VDIRS if name.startswith("Get-")),
        "Get-OutlookAnywhere",
        "Get-ClientAccessService",
        "Get-ClientAccessServer",
        "Get-OutlookProvider",
        "Get-OrganizationConfig",
        "Get-AuthConfig",
        "Get-ExchangeCertificate",
        "Get-DatabaseAvailabilityGroup",
        "Get-DatabaseAvailabilityGroupNetwork",
        "Get-MailboxDatabase",
        "Get-MailboxDatabaseCopyStatus",
        "Get-MailboxServer",
        "Get-ExchangeServer",
        "Get-ServerComponentState",
        "Get-TransportConfig",
        "Get-Queue",
        "Get-SendConnector",
        "Get-TransportService",
        "Get-EdgeSubscription",
        "Get-MalwareFilteringServer",
        "Get-UMActiveCalls",
    ),
}
_EVERYBODY = {"Get-ADServerSettings", "Set-ADServerSettings"}
"""Part of nearly every role."""
_GROUPS: dict[str, tuple[str, ...]] = {
    "organization management": tuple(_ROLES),
    "view-only organization management": ("Monitoring", "View-Only Configuration"),
    "server management": (
        "Database Copies",
        "Databases",
        "Exchange Server Certificates",
        "Exchange Servers",
        "Exchange Virtual Directories",
        "Monitoring",
        "Transport Queues",
    ),
}


def roles_of(account: Account, missing: Collection[str]) -> set[str]:
    """The management roles of an account, but for those that a fault has taken from everybody."""
    found = set(account.roles)
    for group in account.role_groups:
        found.update(_GROUPS.get(group.casefold(), ()))
    return {role for role in found if role.casefold() not in missing}


def allowed(roles: Collection[str], cmdlet: str, missing: Collection[str]) -> bool:
    """Whether somebody with these roles finds the cmdlet in a session at `/PowerShell`."""
    if not roles or cmdlet.casefold() in missing:
        return False
    if cmdlet not in _EVERYBODY and not any(cmdlet in names for names in _ROLES.values()):
        return set(_ROLES) <= set(roles)  # of no role that is known here: whoever has them all has it too
    folded = {role.casefold() for role in roles}
    return cmdlet in _EVERYBODY or any(cmdlet in names for role, names in _ROLES.items() if role.casefold() in folded)


def trimmed(spec: CommandSpec, missing: Collection[str]) -> CommandSpec:
    """The cmdlet without the parameters that a fault has taken from everybody (`Cmdlet -Parameter`)."""
    lead = spec.name.casefold() + " -"
    gone = {one.removeprefix(lead) for one in missing if one.startswith(lead)}
    if not gone:
        return spec
    kept = tuple(one for one in spec.parameters if one.name.casefold() not in gone)
    return replace(spec, parameters=kept)

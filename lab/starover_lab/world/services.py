"""Which Windows services and server components a host of each kind has; knows no host.

Start types, states and components are those of one healthy 2016 and one healthy 2019 server (CSS-Exchange exports,
states.json of the conformance data); what stands for 2013 and SE is taken from the nearest of them. Display names are
Windows' and Exchange's own.
"""

from __future__ import annotations

from collections.abc import Sequence

from starover_lab.world.entities import Component, Service, StartType, Year
from starover_lab.world.names import Names

__all__ = ["NEEDS", "TOPOLOGY", "components_of", "services_of"]

TOPOLOGY = "MSExchangeADTopology"

_Row = tuple[str, str, StartType, bool]
_AUTO: StartType = "Automatic"
_MANUAL: StartType = "Manual"

_WINDOWS: tuple[_Row, ...] = (
    ("EventLog", "Windows Event Log", _AUTO, True),
    ("LanmanServer", "Server", _AUTO, True),
    ("Netlogon", "Netlogon", _AUTO, True),
    ("TrustedInstaller", "Windows Modules Installer", _MANUAL, False),
    ("VSS", "Volume Shadow Copy", _MANUAL, False),
    ("W32Time", "Windows Time", _AUTO, True),
    ("WinRM", "Windows Remote Management (WS-Management)", _AUTO, True),
    ("wuauserv", "Windows Update", _MANUAL, False),
)
_DC: tuple[_Row, ...] = (
    ("NTDS", "Active Directory Domain Services", _AUTO, True),
    ("DNS", "DNS Server", _AUTO, True),
    ("Kdc", "Kerberos Key Distribution Center", _AUTO, True),
    ("DFSR", "DFS Replication", _AUTO, True),
)
_EXCHANGE: tuple[_Row, ...] = (
    ("FMS", "Microsoft Filtering Management Service", _AUTO, True),
    ("HostControllerService", "Microsoft Exchange Search Host Controller", _AUTO, True),
    ("IISADMIN", "IIS Admin Service", _AUTO, True),
    ("MSComplianceAudit", "Microsoft Exchange Compliance Audit", _AUTO, True),
    ("MSExchangeADTopology", "Microsoft Exchange Active Directory Topology", _AUTO, True),
    ("MSExchangeAntispamUpdate", "Microsoft Exchange Anti-spam Update", _AUTO, True),
    ("MSExchangeCompliance", "Microsoft Exchange Compliance Service", _AUTO, True),
    ("MSExchangeDagMgmt", "Microsoft Exchange DAG Management", _AUTO, True),
    ("MSExchangeDelivery", "Microsoft Exchange Mailbox Transport Delivery", _AUTO, True),
    ("MSExchangeDiagnostics", "Microsoft Exchange Diagnostics", _AUTO, True),
    ("MSExchangeEdgeSync", "Microsoft Exchange EdgeSync", _AUTO, True),
    ("MSExchangeFastSearch", "Microsoft Exchange Search", _AUTO, True),
    ("MSExchangeFrontEndTransport", "Microsoft Exchange Frontend Transport", _AUTO, True),
    ("MSExchangeHM", "Microsoft Exchange Health Manager", _AUTO, True),
    ("MSExchangeHMRecovery", "Microsoft Exchange Health Manager Recovery", _AUTO, True),
    ("MSExchangeImap4", "Microsoft Exchange IMAP4", _MANUAL, False),
    ("MSExchangeIMAP4BE", "Microsoft Exchange IMAP4 Backend", _MANUAL, False),
    ("MSExchangeIS", "Microsoft Exchange Information Store", _AUTO, True),
    ("MSExchangeMailboxAssistants", "Microsoft Exchange Mailbox Assistants", _AUTO, True),
    ("MSExchangeMailboxReplication", "Microsoft Exchange Mailbox Replication", _AUTO, True),
    ("MSExchangeMitigation", "Microsoft Exchange Emergency Mitigation Service", _AUTO, True),
    ("MSExchangePop3", "Microsoft Exchange POP3", _MANUAL, False),
    ("MSExchangePOP3BE", "Microsoft Exchange POP3 Backend", _MANUAL, False),
    ("MSExchangeRepl", "Microsoft Exchange Replication", _AUTO, True),
    ("MSExchangeRPC", "Microsoft Exchange RPC Client Access", _AUTO, True),
    ("MSExchangeServiceHost", "Microsoft Exchange Service Host", _AUTO, True),
    ("MSExchangeSubmission", "Microsoft Exchange Mailbox Transport Submission", _AUTO, True),
    ("MSExchangeThrottling", "Microsoft Exchange Throttling", _AUTO, True),
    ("MSExchangeTransport", "Microsoft Exchange Transport", _AUTO, True),
    ("MSExchangeTransportLogSearch", "Microsoft Exchange Transport Log Search", _AUTO, True),
    ("NetTcpPortSharing", "Net.Tcp Port Sharing Service", _AUTO, True),
    ("pla", "Performance Logs & Alerts", _MANUAL, True),
    ("SearchExchangeTracing", "Tracing Service for Search in Exchange", _AUTO, True),
    ("W3SVC", "World Wide Web Publishing Service", _AUTO, True),
    ("WAS", "Windows Process Activation Service", _MANUAL, True),
    ("wsbexchange", "Microsoft Exchange Server Extension for Windows Server Backup", _MANUAL, False),
)
_ONLY_2013_2016: tuple[_Row, ...] = (
    ("MSExchangeNotificationsBroker", "Microsoft Exchange Notifications Broker", _AUTO, False),
    ("MSExchangeUM", "Microsoft Exchange Unified Messaging", _AUTO, True),
    ("MSExchangeUMCR", "Microsoft Exchange Unified Messaging Call Router", _AUTO, True),
)

_COMPONENTS = [
    "ServerWideOffline",
    "HubTransport",
    "FrontendTransport",
    "Monitoring",
    "RecoveryActionsEnabled",
    "AutoDiscoverProxy",
    "ActiveSyncProxy",
    "EcpProxy",
    "EwsProxy",
    "ImapProxy",
    "OabProxy",
    "OwaProxy",
    "PopProxy",
    "PushNotificationsProxy",
    "RpsProxy",
    "RwsProxy",
    "RpcProxy",
    "UMCallRouter",
    "XropProxy",
    "HttpProxyAvailabilityGroup",
    "ForwardSyncDaemon",
    "ProvisioningRps",
    "MapiProxy",
    "EdgeTransport",
    "HighAvailability",
    "SharedCache",
    "MailboxDeliveryProxy",
    "RoutingUpdates",
    "RestProxy",
    "DefaultProxy",
    "Lsass",
    "RoutingService",
    "E4EProxy",
    "CafeLAMv2",
    "LogExportProvider",
]
_NOT_2013 = [
    "MailboxDeliveryProxy",
    "RoutingUpdates",
    "RestProxy",
    "DefaultProxy",
    "Lsass",
    "RoutingService",
    "E4EProxy",
    "CafeLAMv2",
    "LogExportProvider",
]
_ALWAYS_INACTIVE = ("ForwardSyncDaemon", "ProvisioningRps")


_ON_DIRECTORY = (
    "MSExchangeAntispamUpdate",
    "MSExchangeDagMgmt",
    "MSExchangeDelivery",
    "MSExchangeEdgeSync",
    "MSExchangeFastSearch",
    "MSExchangeFrontEndTransport",
    "MSExchangeImap4",
    "MSExchangeIMAP4BE",
    "MSExchangeIS",
    "MSExchangeMailboxAssistants",
    "MSExchangeMailboxReplication",
    "MSExchangeNotificationsBroker",
    "MSExchangePop3",
    "MSExchangePOP3BE",
    "MSExchangeRepl",
    "MSExchangeRPC",
    "MSExchangeServiceHost",
    "MSExchangeSubmission",
    "MSExchangeThrottling",
    "MSExchangeTransport",
    "MSExchangeTransportLogSearch",
    "MSExchangeUM",
    "MSExchangeUMCR",
)
NEEDS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_ON_DIRECTORY, ("MSExchangeADTopology",)),
    "MSExchangeADTopology": ("NetTcpPortSharing",),
    "W3SVC": ("WAS",),
}
"""Service to those without which it does not run; from memory."""


def services_of(*, dc: bool, year: Year | None, clustered: bool) -> Names[Service]:
    """The services of a host: a domain controller, an Exchange server of some year, a member of a cluster."""
    rows: list[_Row] = [*_WINDOWS]
    remote_registry = year not in ("2019", "SE")
    rows.append(("RemoteRegistry", "Remote Registry", _AUTO, remote_registry))
    if dc:
        rows += _DC
    if year is not None:
        rows += _EXCHANGE
        if year in ("2013", "2016"):
            rows += _ONLY_2013_2016
        rows.append(("ClusSvc", "Cluster Service", _AUTO if clustered else "Disabled", clustered))
    found: Names[Service] = Names()
    for name, display, start, running in sorted(rows, key=lambda row: row[0].casefold()):
        found.add(name, Service(name, display, start, "Running" if running else "Stopped"))
    return found


def components_of(year: Year) -> Names[Component]:
    """The server components of an Exchange server, none with an entry but those a fresh server has."""
    found: Names[Component] = Names()
    for name in _component_names(year):
        found.add(name, Component(name, always_inactive=name in _ALWAYS_INACTIVE))
    return found


def _component_names(year: Year) -> Sequence[str]:
    if year == "2013":
        return [name for name in _COMPONENTS if name not in _NOT_2013]
    if year == "2016":
        return _COMPONENTS
    return [name for name in _COMPONENTS if name != "UMCallRouter"]

"""Test-ReplicationHealth, Test-ServiceHealth, transport settings and those of a session; knows no session's life."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from starover_lab.cmdlets.databases import ad_columns
from starover_lab.cmdlets.identities import known_server
from starover_lab.cmdlets.machine import Machine, exchange_error, given_list, reading
from starover_lab.cmdlets.objects import enhanced_timespan, guid_of, list_of, make, product, text_of
from starover_lab.cmdlets.prompts import may
from starover_lab.cmdlets.replication_checks import Check, checks
from starover_lab.powershell.command import Body, Invocation
from starover_lab.powershell.values import PSObject, Value
from starover_lab.world.entities import Server
from starover_lab.world.errors import WorldError

__all__ = ["BODIES"]


def _target(call: Invocation, here: Machine, name: str) -> Server | None:
    """The Exchange server asked about, here without a name, if it answers; a failure is reported."""
    try:
        return here.world.reach(here.host, known_server(here, name or here.host))
    except WorldError as error:
        call.error(exchange_error(call, error, name or here.host))
        return None


def _outcome(server: Server, check: Check) -> PSObject:
    """The result prints as `Passed`, `*FAILED*` or `*WARN*` (the last unverified)."""
    result = product(["Microsoft.Exchange.Monitoring.ReplicationCheckResult", "System.Object"], [], text=check.result)
    return make(
        "Test-ReplicationHealth",
        {
            "Server": server.name,
            "Check": check.name,
            "CheckDescription": check.description,
            "Result": result,
            "Error": check.error,
        },
    )


def test_replication_health(call: Invocation) -> Iterator[Value]:
    """Test-ReplicationHealth: the checks of one member, or of every member of -DatabaseAvailabilityGroup."""
    for bound in call.records():
        here = reading(call)
        dag = text_of(bound.get("DatabaseAvailabilityGroup"))
        names = [text_of(bound.get("Identity"))]
        if dag:
            try:
                names = list(here.world.dag(dag, here.host, here.dc(bound.get("DomainController"))).members)
            except WorldError as error:
                call.error(exchange_error(call, error, dag))
                continue
        for name in names:
            server = _target(call, here, name)
            if server is not None:
                for check in checks(here, server):
                    yield _outcome(server, check)


_COMMON = ("IISAdmin", "MSExchangeADTopology", "MSExchangeServiceHost", "W3Svc", "WinRM")
_ROLES: dict[str, tuple[str, ...]] = {
    "Mailbox Server Role": (
        "MSExchangeDelivery",
        "MSExchangeIS",
        "MSExchangeMailboxAssistants",
        "MSExchangeRepl",
        "MSExchangeRPC",
        "MSExchangeSubmission",
        "MSExchangeThrottling",
        "MSExchangeTransportLogSearch",
    ),
    "Client Access Server Role": ("MSExchangeMailboxReplication", "MSExchangeRPC"),
    "Unified Messaging Server Role": ("MSExchangeUM",),
    "Hub Transport Server Role": ("MSExchangeEdgeSync", "MSExchangeTransport", "MSExchangeTransportLogSearch"),
}
"""What each role needs, as Test-ServiceHealth lists it; 2019 and SE have no Unified Messaging role."""


def test_service_health(call: Invocation) -> Iterator[Value]:
    """Test-ServiceHealth: per role, which required services run."""
    for bound in call.records():
        here = reading(call)
        server = _target(call, here, text_of(bound.get("Server")))
        if server is None:
            continue
        for role, own in _ROLES.items():
            if role.startswith("Unified") and server.exchange is not None and server.exchange.year in {"2019", "SE"}:
                continue
            services = sorted({*_COMMON, *own}, key=str.casefold)
            known = [name for name in services if here.world.state.service(server, name) is not None]
            running = [name for name in known if here.world.state.runs(server, name)]
            missing = [name for name in known if name not in running]
            yield make(
                "Test-ServiceHealth",
                {
                    "Role": role,
                    "RequiredServicesRunning": not missing,
                    "ServicesRunning": list_of(running),
                    "ServicesNotRunning": list_of(missing),
                },
            )


def get_transport_config(call: Invocation) -> Iterator[Value]:
    """Get-TransportConfig."""
    here = reading(call)
    try:
        dc = here.world.dc_of(here.host, here.dc(call.bound.get("DomainController"))).name
    except WorldError as error:
        call.error(exchange_error(call, error, "Transport Settings"))
        return
    name = "Transport Settings"
    hold = here.world.client_access.organization().safety_net_hold_s
    yield make(
        "Get-TransportConfig",
        ad_columns(here, name, "server", guid_of("transport", name).text, dc, "ms-Exch-Transport-Settings")
        | {"SafetyNetHoldTime": enhanced_timespan(timedelta(seconds=hold))},
        text=name,
    )


def set_ad_server_settings(call: Invocation) -> Iterator[Value]:
    """Set-ADServerSettings: which DC this session asks."""
    here = reading(call)
    preferred = given_list(call.bound.get("PreferredServer")) or given_list(
        call.bound.get("SetPreferredDomainControllers")
    )
    if not may(call, "session"):
        return
    try:
        if preferred:
            here.preferred_dc = here.world.dc_of(here.host, preferred[0]).name
    except WorldError as error:
        call.error(exchange_error(call, error, preferred[0]))
        return
    if call.bound.get("ViewEntireForest") is not None:
        here.view_entire_forest = bool(call.bound["ViewEntireForest"])
    yield from ()


def get_ad_server_settings(call: Invocation) -> Iterator[Value]:
    """Get-ADServerSettings."""
    here = reading(call)
    domain = here.world.state.dns_name
    default = f"{here.world.dc_of(here.host).name}.{domain}"
    chosen = f"{here.preferred_dc}.{domain}" if here.preferred_dc else None
    yield make(
        "Get-ADServerSettings",
        {
            "DefaultGlobalCatalog": default,
            "DefaultConfigurationDomainController": default,
            "DefaultPreferredDomainControllers": list_of([default]),
            "UserPreferredConfigurationDomainController": chosen,
            "UserPreferredDomainControllers": list_of([chosen] if chosen else []),
            "RecipientViewRoot": domain,
            "ViewEntireForest": here.view_entire_forest,
        },
    )


BODIES: dict[str, Body] = {
    "Test-ReplicationHealth": test_replication_health,
    "Test-ServiceHealth": test_service_health,
    "Get-TransportConfig": get_transport_config,
    "Set-ADServerSettings": set_ad_server_settings,
    "Get-ADServerSettings": get_ad_server_settings,
}

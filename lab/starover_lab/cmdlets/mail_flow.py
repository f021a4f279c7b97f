"""Send connectors, transport services, Edge subscriptions, malware filtering: what carries mail; knows no queue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from ipaddress import IPv4Address

from starover_lab.cmdlets.dag_tasks import NOTHING_CHANGED
from starover_lab.cmdlets.databases import ad_columns
from starover_lab.cmdlets.identities import known_server
from starover_lab.cmdlets.machine import Machine, exchange_error, given_list, machine, mutate, reading
from starover_lab.cmdlets.objects import DATA, ad_id, guid_of, list_of, make, product, text_of
from starover_lab.powershell.command import Body, Invocation
from starover_lab.powershell.values import PSObject, Unsupported, Value
from starover_lab.world.entities import Server
from starover_lab.world.errors import WorldError
from starover_lab.world.mail_parts import SendConnector

__all__ = ["BODIES"]

_SERVERS = f"{DATA}Directory.ADMultiValuedProperty`1[[{DATA}Directory.ADObjectId]]"
_ANY = str(IPv4Address(0))
_SYSTEM = f"{DATA}Directory.SystemConfiguration."


def _texts(kind: str, items: tuple[str, ...]) -> Value:
    return list_of(
        [product([f"{DATA}{kind}", "System.Object"], [], text=one) for one in items],
        f"{DATA}MultiValuedProperty`1[[{DATA}{kind}]]",
    )


def _connector(here: Machine, one: SendConnector, dc: str) -> PSObject:
    domain = here.world.state.dns_name
    guid = guid_of("connector", one.name).text
    values = ad_columns(here, one.name, "server", guid, dc, "ms-Exch-Routing-SMTP-Connector") | {
        "SmartHosts": _texts("SmartHost", one.smart_hosts),
        "SmartHostsString": ",".join(one.smart_hosts),
        "AddressSpaces": _texts("AddressSpace", one.address_spaces),
        "DNSRoutingEnabled": not one.smart_hosts,
        "Enabled": one.enabled,
        "Comment": one.comment,
        "SourceTransportServers": list_of([ad_id(name, "server", domain) for name in one.source_servers], _SERVERS),
        "SourceIPAddress": product(["System.Net.IPAddress", "System.Object"], [("IPAddressToString", _ANY)], text=_ANY),
    }
    return make("Get-SendConnector", values, text=one.name)


def get_send_connector(call: Invocation) -> Iterator[Value]:
    """Get-SendConnector."""
    for bound in call.records():
        here = reading(call)
        dc, identity = here.dc(bound.get("DomainController")), text_of(bound.get("Identity"))
        try:
            origin = here.world.dc_of(here.host, dc).name
            found = [here.world.queues.connector(identity)] if identity else here.world.queues.connectors()
        except WorldError as error:
            call.error(exchange_error(call, error, identity, dc))
            continue
        yield from (_connector(here, one, origin) for one in found)


_SETTABLE = {"Identity", "DomainController", "SourceTransportServers", "SmartHosts", "Enabled", "Comment", "Force"}


def _names(bound: Mapping[str, Value], name: str) -> tuple[str, ...] | None:
    return tuple(given_list(bound[name])) if name in bound else None


def set_send_connector(call: Invocation) -> Iterator[Value]:
    """Set-SendConnector, as far as the way out goes: source servers, smart hosts, enabled."""
    for bound in call.records():
        here = machine(call)
        other = sorted(set(bound) - _SETTABLE)
        if other:
            raise Unsupported(f"Set-SendConnector -{other[0]}: the lab does not simulate it")
        identity, dc = text_of(bound.get("Identity")), here.dc(bound.get("DomainController"))
        queues = here.world.queues
        sources = _names(bound, "SourceTransportServers")
        try:
            before = _plain(queues.connector(identity))
            sources = None if sources is None else tuple(known_server(here, one) for one in sources)
        except WorldError as error:
            reading(call)
            call.error(exchange_error(call, error, identity, dc))
            continue
        enabled = bound.get("Enabled")
        act = partial(
            queues.set_connector,
            identity,
            here.host,
            source_servers=sources,
            smart_hosts=_names(bound, "SmartHosts"),
            enabled=None if enabled is None else bool(enabled),
            comment=text_of(bound["Comment"]) if "Comment" in bound else None,
        )
        if mutate(call, identity, bound, act, dc=dc) and _plain(queues.connector(identity)) == before:
            call.warning(NOTHING_CHANGED.format(identity))
    yield from ()


def _plain(one: SendConnector) -> tuple[object, ...]:
    return (one.source_servers, one.smart_hosts, one.enabled, one.comment)


def _servers(call: Invocation, here: Machine, bound: Mapping[str, Value]) -> Iterator[tuple[Server, str]]:
    identity, dc = text_of(bound.get("Identity")), here.dc(bound.get("DomainController"))
    identity = identity.partition("\\")[0]
    try:
        origin = here.world.dc_of(here.host, dc).name
        names = [known_server(here, identity)] if identity else [one.name for one in here.world.state.servers]
    except WorldError as error:
        call.error(exchange_error(call, error, identity, dc))
        return
    for name in sorted(names, key=str.casefold):
        server = here.world.server(name)
        if server.exchange is not None:
            yield server, origin


def get_transport_service(call: Invocation) -> Iterator[Value]:
    """Get-TransportService; settings the lab does not have are left out."""
    for bound in call.records():
        here = reading(call)
        for server, dc in _servers(call, here, bound):
            own = ad_columns(here, server.name, "server", str(server.guid), dc, "ms-Exch-Exchange-Server")
            columns: list[tuple[str, Value]] = [
                ("Name", server.name),
                ("MessageExpirationTimeout", "2.00:00:00"),
                ("MessageRetryInterval", "00:15:00"),
                ("OutboundConnectionFailureRetryInterval", "00:10:00"),
                ("PoisonMessageDetectionEnabled", True),
                ("PoisonThreshold", 2),
                ("QueueMaxIdleTime", "00:03:00"),
                ("MessageTrackingLogEnabled", True),
                *((name, value) for name, value in own.items() if name != "Name"),
            ]
            yield product([f"{_SYSTEM}TransportServer", "System.Object"], columns, text=server.name)


def get_edge_subscription(call: Invocation) -> Iterator[Value]:
    """Get-EdgeSubscription: the lab's estates have no Edge server."""
    for bound in call.records():
        reading(call)
        identity = text_of(bound.get("Identity"))
        if identity:
            error = WorldError("not_found", f"there is no {identity}", object="edge", name=identity)
            call.error(exchange_error(call, error, identity))
    yield from ()


def test_edge_synchronization(call: Invocation) -> Iterator[Value]:
    """Test-EdgeSynchronization: without a subscription it has nothing to test."""
    reading(call)
    text = "The Edge Transport server couldn't be found: there is no Edge subscription for this Active Directory site."
    call.warning(text)
    yield from ()


def get_malware_filtering_server(call: Invocation) -> Iterator[Value]:
    """Get-MalwareFilteringServer."""
    for bound in call.records():
        here = reading(call)
        for server, dc in _servers(call, here, bound):
            exchange = server.exchange
            own = ad_columns(here, server.name, "server", str(server.guid), dc, "ms-Exch-Exchange-Server")
            columns: list[tuple[str, Value]] = [
                ("Name", server.name),
                ("ForceRescan", False),
                ("BypassFiltering", exchange is not None and exchange.mail.bypass_filtering),
                ("UpdateFrequency", 60),
                ("UpdateTimeout", 150),
                ("DeferWaitTime", 5),
                ("DeferAttempts", 3),
                ("MinimumSuccessfulEngineScans", 1),
                ("ScanErrorAction", "Block"),
                ("ScanTimeout", 300),
                *((name, value) for name, value in own.items() if name != "Name"),
            ]
            yield product([f"{_SYSTEM}MalwareFilteringServer", "System.Object"], columns, text=server.name)


def set_malware_filtering_server(call: Invocation) -> Iterator[Value]:
    """Set-MalwareFilteringServer -BypassFiltering."""
    for bound in call.records():
        here = machine(call)
        other = sorted(set(bound) - {"Identity", "DomainController", "BypassFiltering"})
        if other:
            raise Unsupported(f"Set-MalwareFilteringServer -{other[0]}: the lab does not simulate it")
        bypass = bool(bound.get("BypassFiltering"))
        for server, dc in _servers(call, here, bound):
            same = server.exchange is not None and server.exchange.mail.bypass_filtering is bypass
            act = partial(here.world.queues.bypass_filtering, server.name, bypass=bypass)
            if mutate(call, server.name, bound, act, dc=dc) and same:
                call.warning(NOTHING_CHANGED.format(server.name))
    yield from ()


def get_um_active_calls(call: Invocation) -> Iterator[Value]:
    """Get-UMActiveCalls: nobody telephones in the lab."""
    reading(call)
    yield from ()


BODIES: dict[str, Body] = {
    "Get-SendConnector": get_send_connector,
    "Set-SendConnector": set_send_connector,
    "Get-TransportService": get_transport_service,
    "Get-EdgeSubscription": get_edge_subscription,
    "Test-EdgeSynchronization": test_edge_synchronization,
    "Get-MalwareFilteringServer": get_malware_filtering_server,
    "Set-MalwareFilteringServer": set_malware_filtering_server,
    "Get-UMActiveCalls": get_um_active_calls,
}

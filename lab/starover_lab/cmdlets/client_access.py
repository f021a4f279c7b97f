"""What clients find by: Outlook Anywhere, Autodiscover's address, Outlook providers, MAPI over HTTP; knows no URL.

Get-ClientAccessServer is the name of Exchange 2013; later versions have it too and warn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

from starover_lab.cmdlets.dag_tasks import NOTHING_CHANGED
from starover_lab.cmdlets.databases import ad_columns
from starover_lab.cmdlets.identities import known_server
from starover_lab.cmdlets.machine import (
    Machine,
    exchange_error,
    exchange_record,
    given_list,
    machine,
    mutate,
    reading,
    switch,
)
from starover_lab.cmdlets.objects import DATA, guid_of, list_of, make, moment, product, server_version, text_of
from starover_lab.cmdlets.uris import uri
from starover_lab.cmdlets.virtual_directories import (
    AUTHENTICATION,
    boolean,
    methods,
    own_columns,
    servers_asked,
    split_identity,
)
from starover_lab.powershell.command import Body, Invocation
from starover_lab.powershell.values import DateTime, PSObject, TimeSpan, Unsupported, Value
from starover_lab.world.client_access import OutlookAnywhere, OutlookProvider
from starover_lab.world.errors import WorldError

__all__ = ["BODIES"]

_RPC = "Rpc (Default Web Site)"
_METHODS = f"{DATA}MultiValuedProperty`1[[{DATA}Directory.SystemConfiguration.{AUTHENTICATION}]]"
_RENAMED = (
    "The {0} cmdlet will be removed in a future version of Exchange. Use the {1} cmdlet instead. If you have any "
    "scripts that use the {0} cmdlet, update them to use the {1} cmdlet. For more information, see "
    "http://go.microsoft.com/fwlink/p/?LinkId=254711."
)
"""From memory."""


def _refuse_other(call: Invocation, bound: Mapping[str, Value], known: set[str]) -> None:
    other = sorted(name for name in bound if name not in known | {"Identity", "DomainController"})
    if other:
        raise Unsupported(f"{call.spec.name} -{other[0]}: the lab does not simulate it")


def _text(bound: Mapping[str, Value], name: str) -> str | None:
    """A text that was given; `$null` clears."""
    return text_of(bound[name]) if name in bound else None


def _changed(
    call: Invocation,
    target: str,
    bound: Mapping[str, Value],
    read: Callable[[], object],
    act: Callable[[], object],
    dc: str | None,
) -> None:
    """Carry out a change, and warn when it changed nothing."""
    before = read()
    if mutate(call, target, bound, act, dc=dc) and read() == before:
        call.warning(NOTHING_CHANGED.format(target))


# -- Outlook Anywhere


def _outlook_anywhere(here: Machine, view: OutlookAnywhere, dc: str) -> PSObject:
    values = own_columns(here, view.server, _RPC, "ms-Exch-Rpc-Http-Virtual-Directory", dc) | {
        "ServerName": view.server,
        "SSLOffloading": view.ssl_offloading,
        "ExternalHostname": view.external_hostname or None,
        "InternalHostname": view.internal_hostname or None,
        "ExternalClientAuthenticationMethod": view.external_auth,
        "InternalClientAuthenticationMethod": view.internal_auth,
        "IISAuthenticationMethods": methods(view.iis_auth, _METHODS),
        "ExternalClientsRequireSsl": view.external_ssl,
        "InternalClientsRequireSsl": view.internal_ssl,
        "MetabasePath": f"IIS://{here.world.server(view.server).fqdn}/W3SVC/1/ROOT/Rpc",
        "ExtendedProtectionTokenChecking": view.extended_protection,
    }
    return make("Get-OutlookAnywhere", values, text=f"{view.server}\\{_RPC}")


def get_outlook_anywhere(call: Invocation) -> Iterator[Value]:
    """Get-OutlookAnywhere."""
    for bound in call.records():
        here = reading(call)
        dc = here.dc(bound.get("DomainController"))
        try:
            origin = here.world.dc_of(here.host, dc).name
            for server in servers_asked(here, bound):
                yield _outlook_anywhere(here, here.world.client_access.outlook_anywhere(server), origin)
        except WorldError as error:
            call.error(exchange_error(call, error, text_of(bound.get("Identity") or bound.get("Server")), dc))


_ANYWHERE = {
    "InternalHostname",
    "ExternalHostname",
    "InternalClientsRequireSsl",
    "ExternalClientsRequireSsl",
    "SSLOffloading",
    "InternalClientAuthenticationMethod",
    "ExternalClientAuthenticationMethod",
    "IISAuthenticationMethods",
}


def set_outlook_anywhere(call: Invocation) -> Iterator[Value]:
    """Set-OutlookAnywhere."""
    for bound in call.records():
        _refuse_other(call, bound, _ANYWHERE)
        here = machine(call)
        dc = here.dc(bound.get("DomainController"))
        identity = text_of(bound.get("Identity"))
        try:
            server = known_server(here, split_identity(identity, here)[0])
        except WorldError as error:
            reading(call)
            call.error(exchange_error(call, error, identity, dc))
            continue
        access = here.world.client_access
        act = partial(
            access.set_outlook_anywhere,
            server,
            here.host,
            internal_hostname=_text(bound, "InternalHostname"),
            external_hostname=_text(bound, "ExternalHostname"),
            internal_ssl=boolean(bound.get("InternalClientsRequireSsl")),
            external_ssl=boolean(bound.get("ExternalClientsRequireSsl")),
            ssl_offloading=boolean(bound.get("SSLOffloading")),
            internal_auth=text_of(bound.get("InternalClientAuthenticationMethod")) or None,
            external_auth=text_of(bound.get("ExternalClientAuthenticationMethod")) or None,
            iis_auth=given_list(bound["IISAuthenticationMethods"]) if "IISAuthenticationMethods" in bound else None,
        )
        _changed(call, f"{server}\\{_RPC}", bound, partial(access.outlook_anywhere, server), act, dc)
    yield from ()


# -- Autodiscover


def _client_access(here: Machine, cmdlet: str, name: str, dc: str) -> PSObject:
    server = here.world.server(name)
    build = server.exchange.build if server.exchange is not None else "15.0.0.0"
    columns = ad_columns(here, name, "server", str(server.guid), dc, "ms-Exch-Exchange-Server")
    return make(
        cmdlet,
        columns
        | {
            "AdminDisplayVersion": server_version(build),
            "AutoDiscoverServiceCN": name,
            "AutoDiscoverServiceInternalUri": uri(here.world.client_access.scp(name)),
            "AutoDiscoverServiceGuid": guid_of("scp", "autodiscover"),
            "AutoDiscoverSiteScope": list_of([server.site]),
        },
        text=name,
    )


def _get_client_access(call: Invocation) -> Iterator[Value]:
    for bound in call.records():
        here = reading(call)
        _warn_of_name(call, here)
        dc = here.dc(bound.get("DomainController"))
        identity = text_of(bound.get("Identity"))
        try:
            origin = here.world.dc_of(here.host, dc).name
            names = [known_server(here, identity)] if identity else servers_asked(here, {})
        except WorldError as error:
            call.error(exchange_error(call, error, identity, dc))
            continue
        yield from (_client_access(here, call.spec.name, name, origin) for name in names)


def _warn_of_name(call: Invocation, here: Machine) -> None:
    if call.spec.name.endswith("ClientAccessServer") and here.year != "2013":
        call.warning(_RENAMED.format(call.spec.name, call.spec.name.replace("Server", "Service")))


def _set_client_access(call: Invocation) -> Iterator[Value]:
    for bound in call.records():
        _refuse_other(call, bound, {"AutoDiscoverServiceInternalUri"})
        here = machine(call)
        _warn_of_name(call, here)
        dc = here.dc(bound.get("DomainController"))
        identity = text_of(bound.get("Identity"))
        try:
            server = known_server(here, identity)
        except WorldError as error:
            reading(call)
            call.error(exchange_error(call, error, identity, dc))
            continue
        address = _text(bound, "AutoDiscoverServiceInternalUri")
        access = here.world.client_access
        act = partial(access.set_scp, server, here.host, access.scp(server) if address is None else address)
        _changed(call, server, bound, partial(access.scp, server), act, dc)
    yield from ()


# -- the organization


def _provider(here: Machine, view: OutlookProvider, dc: str) -> PSObject:
    guid = guid_of("provider", view.name).text
    values = ad_columns(here, view.name, "server", guid, dc, "ms-Exch-Auto-Discover-Config") | {
        "CertPrincipalName": view.cert_principal_name or None,
        "Server": view.server or None,
        "TTL": view.ttl_h,
    }
    return make("Get-OutlookProvider", values, text=view.name)


def get_provider(call: Invocation) -> Iterator[Value]:
    """Get-OutlookProvider: EXCH, EXPR and WEB."""
    for bound in call.records():
        here = reading(call)
        dc = here.dc(bound.get("DomainController"))
        identity = text_of(bound.get("Identity"))
        access = here.world.client_access
        try:
            origin = here.world.dc_of(here.host, dc).name
            found = [access.provider(identity)] if identity else access.providers()
        except WorldError as error:
            call.error(exchange_error(call, error, identity, dc))
            continue
        yield from (_provider(here, one, origin) for one in found)


def set_provider(call: Invocation) -> Iterator[Value]:
    """Set-OutlookProvider -CertPrincipalName; `$null` clears it."""
    for bound in call.records():
        _refuse_other(call, bound, {"CertPrincipalName"})
        here = machine(call)
        dc = here.dc(bound.get("DomainController"))
        identity = text_of(bound.get("Identity"))
        access = here.world.client_access
        try:
            access.provider(identity)
        except WorldError as error:
            reading(call)
            call.error(exchange_error(call, error, identity, dc))
            continue
        principal = _text(bound, "CertPrincipalName")
        act = partial(access.set_provider, identity, here.host, cert_principal_name=principal)
        _changed(call, identity, bound, partial(access.provider, identity), act, dc)
    yield from ()


def get_organization(call: Invocation) -> Iterator[Value]:
    """Get-OrganizationConfig."""
    here = reading(call)
    dc = here.dc(call.bound.get("DomainController"))
    try:
        origin = here.world.dc_of(here.host, dc).name
    except WorldError as error:
        call.error(exchange_error(call, error, "Exchange", dc))
        return
    columns = ad_columns(
        here, "Exchange", "server", guid_of("organization").text, origin, "ms-Exch-Organization-Container"
    )
    yield make(
        "Get-OrganizationConfig",
        columns
        | {
            "LegacyExchangeDN": "/o=Exchange",
            "MapiHttpEnabled": here.world.client_access.organization().mapi_http,
        },
        text="Exchange",
    )


def set_organization(call: Invocation) -> Iterator[Value]:
    """Set-OrganizationConfig -MapiHttpEnabled."""
    here = machine(call)
    bound = call.bound
    _refuse_other(call, bound, {"MapiHttpEnabled"})
    access = here.world.client_access
    act = partial(access.set_organization, here.host, mapi_http=boolean(bound.get("MapiHttpEnabled")))
    dc = here.dc(bound.get("DomainController"))
    _changed(call, "Exchange", bound, lambda: access.organization().mapi_http, act, dc)
    yield from ()


def set_transport(call: Invocation) -> Iterator[Value]:
    """Set-TransportConfig -SafetyNetHoldTime."""
    here = machine(call)
    bound = call.bound
    _refuse_other(call, bound, {"SafetyNetHoldTime"})
    access = here.world.client_access
    given = bound.get("SafetyNetHoldTime")
    seconds = timedelta(microseconds=given.ticks / 10).total_seconds() if isinstance(given, TimeSpan) else None
    act = partial(access.set_organization, here.host, safety_net_hold_s=seconds)
    dc = here.dc(bound.get("DomainController"))
    _changed(call, "Transport Settings", bound, lambda: access.organization().safety_net_hold_s, act, dc)
    yield from ()


def get_auth_config(call: Invocation) -> Iterator[Value]:
    """Get-AuthConfig: which certificate signs tokens, and which is next."""
    here = reading(call)
    dc = here.dc(call.bound.get("DomainController"))
    name = "Auth Configuration"
    try:
        origin = here.world.dc_of(here.host, dc).name
    except WorldError as error:
        call.error(exchange_error(call, error, name, dc))
        return
    organization = here.world.client_access.organization()
    values = ad_columns(here, name, "server", guid_of("auth").text, origin, "ms-Exch-Auth-Auth-Config") | {
        "CurrentCertificateThumbprint": organization.auth_certificate,
        "PreviousCertificateThumbprint": organization.previous_auth_certificate,
        "NextCertificateThumbprint": organization.next_auth_certificate,
        "NextCertificateEffectiveDate": moment(organization.next_auth_effective),
    }
    yield make("Get-AuthConfig", values, text=name)


_FIRST = datetime(1, 1, 1, tzinfo=UTC)
_SOONEST = timedelta(hours=48)
_TOO_SOON = (
    "The new certificate's effective date is not at least 48 hours in the future and may not be deployed on all "
    "necessary servers by that time. Use the Force parameter to set it anyway."
)


def set_auth_config(call: Invocation) -> Iterator[Value]:
    """Set-AuthConfig: the next certificate with its day, or -PublishCertificate, or -ClearPreviousCertificate."""
    here = machine(call)
    bound = call.bound
    next_ = {"NewCertificateThumbprint", "NewCertificateEffectiveDate", "Force"}
    _refuse_other(call, bound, {*next_, "PublishCertificate", "ClearPreviousCertificate"})
    access, dc = here.world.client_access, here.dc(bound.get("DomainController"))
    thumbprint, day = text_of(bound.get("NewCertificateThumbprint")), bound.get("NewCertificateEffectiveDate")
    if thumbprint:
        if not isinstance(day, DateTime):
            raise Unsupported("Set-AuthConfig -NewCertificateThumbprint without a date: the lab does not simulate it")
        effective = _FIRST + timedelta(microseconds=day.ticks // 10)
        if effective < here.world.now + _SOONEST and not switch(bound.get("Force")):
            reading(call)
            call.error(exchange_record(call, "System.InvalidOperationException", "InvalidOperation", _TOO_SOON))
            return
        mutate(
            call,
            "Auth Configuration",
            bound,
            partial(access.set_next_auth, here.host, thumbprint, effective),
            dc=dc,
        )
    elif switch(bound.get("PublishCertificate")):
        mutate(call, "Auth Configuration", bound, partial(access.publish_auth, here.host), dc=dc)
    elif switch(bound.get("ClearPreviousCertificate")):
        mutate(call, "Auth Configuration", bound, partial(access.clear_previous_auth, here.host), dc=dc)
    yield from ()


def test_outlook(call: Invocation) -> Iterator[Value]:
    """Test-OutlookConnectivity by probe: whether a server answers Outlook over HTTP, as managed availability finds."""
    here = reading(call)
    bound = call.bound
    probe = text_of(bound.get("ProbeIdentity"))
    if not probe:
        raise Unsupported("Test-OutlookConnectivity without -ProbeIdentity: the lab does not simulate it")
    asked = text_of(bound.get("RunFromServerId")) or here.host
    try:
        server = here.world.reach(here.host, known_server(here, asked))
    except WorldError as error:
        call.error(exchange_error(call, error, asked))
        return
    runs = all(here.world.state.runs(server, name) for name in ("MSExchangeHM", "W3SVC", "MSExchangeIS"))
    works = runs and (here.world.client_access.organization().mapi_http or "mapihttp" not in probe.casefold())
    yield product(
        ["Microsoft.Exchange.Monitoring.ActiveMonitoring.InvokeMonitoringProbe.MonitoringProbeResult", "System.Object"],
        [
            ("MonitorIdentity", f"OutlookMapiHttp.Protocol\\{probe.rpartition(chr(92))[2]}"),
            ("RequestId", guid_of("probe", server.name, here.world.now.isoformat())),
            ("StartTime", moment(here.world.now)),
            ("EndTime", moment(here.world.now)),
            ("Error", "" if works else "The probe failed."),
            ("Exception", ""),
            ("PoisonedCount", 0),
            ("ExecutionId", 1),
            ("Latency", 12.0),
            ("Result", "Succeeded" if works else "Failed"),
            ("Server", server.name),
        ],
        text=probe,
    )


BODIES: dict[str, Body] = {
    "Get-OutlookAnywhere": get_outlook_anywhere,
    "Set-OutlookAnywhere": set_outlook_anywhere,
    "Get-ClientAccessService": _get_client_access,
    "Set-ClientAccessService": _set_client_access,
    "Get-ClientAccessServer": _get_client_access,
    "Set-ClientAccessServer": _set_client_access,
    "Get-OutlookProvider": get_provider,
    "Set-OutlookProvider": set_provider,
    "Get-OrganizationConfig": get_organization,
    "Set-OrganizationConfig": set_organization,
    "Set-TransportConfig": set_transport,
    "Get-AuthConfig": get_auth_config,
    "Set-AuthConfig": set_auth_config,
    "Test-OutlookConnectivity": test_outlook,
}

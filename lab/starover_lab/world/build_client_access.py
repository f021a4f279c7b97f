"""What clients meet when the lab begins: virtual directories, certificates, providers, farms; makes no transition."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from starover_lab.world.client_settings import (
    VDIRS,
    Certificate,
    ClientAccessSettings,
    ExtendedProtection,
    OutlookAnywhere,
    OutlookProvider,
    VirtualDirectory,
)
from starover_lab.world.entities import ExchangeServer, Server
from starover_lab.world.farm_parts import Farm, FarmBackend
from starover_lab.world.state import State, first_label
from starover_lab.world.topology_specs import CertificateSpec, ExchangeSpec, FarmSpec, Topology

__all__ = ["settle_client_access"]

_AGE = timedelta(days=30)
_PATHS = {
    "owa": "/owa",
    "ecp": "/ecp",
    "EWS": "/EWS/Exchange.asmx",
    "Microsoft-Server-ActiveSync": "/Microsoft-Server-ActiveSync",
    "OAB": "/OAB",
    "mapi": "/mapi",
    "PowerShell": "/powershell",
}
_AUTH: dict[str, tuple[str, ...]] = {
    "owa": ("Basic", "Fba"),
    "ecp": ("Basic", "Fba"),
    "EWS": ("Ntlm", "WindowsIntegrated", "WSSecurity", "OAuth"),
    "Microsoft-Server-ActiveSync": ("Basic",),
    "OAB": ("WindowsIntegrated", "OAuth"),
    "mapi": ("Ntlm", "OAuth", "Negotiate"),
    "PowerShell": (),
    "Autodiscover": ("Basic", "Ntlm", "WindowsIntegrated", "WSSecurity", "OAuth"),
}
_PROTECTED = {"owa", "ecp", "ews", "microsoft-server-activesync", "mapi", "autodiscover"}


def settle_client_access(state: State, topology: Topology) -> None:
    """Every Exchange server's settings and the organization's."""
    names = [one.name for one in topology.client_names]
    specs = topology.certificates or ((_default(names),) if names else ())
    auth = state.dice.text("certificate", "auth", 40).upper()
    organization = state.organization
    organization.auth_certificate = auth
    organization.safety_net_hold_s = topology.safety_net_hold_s
    organization.mapi_http = not any(
        server.exchange is not None and server.exchange.year == "2013" for server in state.servers
    )
    for name in ("EXCH", "EXPR", "WEB"):
        organization.providers[name] = OutlookProvider(name=name, cert_principal_name="")
    by_name = {first_label(spec.name).casefold(): spec.exchange for spec in topology.servers}
    for server in state.servers:
        spec = by_name.get(server.name.casefold())
        if server.exchange is not None and spec is not None:
            server.exchange.client_access = _settings(state, server, server.exchange, spec, specs, auth)
    for farm in topology.farms:
        state.farms.add(farm.name, _farm(state, farm, topology))


def _farm(state: State, spec: FarmSpec, topology: Topology) -> Farm:
    able = [one for one in topology.balancers if one.kind == "zevenet" and spec.balancer in ("", one.name)]
    names = _names(spec.backends)
    behind = [one for one in state.servers if one.exchange is not None and (not names or one.name.casefold() in names)]
    port = spec.port or spec.vport
    first = 0 if spec.profile == "l4xnat" else 1
    return Farm(
        spec.name,
        able[0].name,
        spec.profile,
        spec.vip or able[0].addresses[0],
        spec.vport,
        spec.service if spec.profile == "http" else "",
        [FarmBackend(first + at, one.name, one.address, port) for at, one in enumerate(behind)],
    )


def _default(names: list[str]) -> CertificateSpec:
    domain = names[0].partition(".")[2]
    return CertificateSpec(name="default", domains=tuple(dict.fromkeys([*names, f"autodiscover.{domain}"])))


def _settings(
    state: State,
    server: Server,
    exchange: ExchangeServer,
    spec: ExchangeSpec,
    certificates: tuple[CertificateSpec, ...],
    auth: str,
) -> ClientAccessSettings:
    host = spec.namespace or server.fqdn.casefold()
    on = protected_by_setup(exchange) if spec.extended_protection is None else spec.extended_protection
    settings = ClientAccessSettings()
    for name in VDIRS:
        path = _PATHS.get(name, "")
        scheme = "http" if name == "PowerShell" else "https"
        protection: ExtendedProtection = "Require" if on and name.casefold() in _PROTECTED else "None"
        settings.vdirs[name.casefold()] = VirtualDirectory(
            server=server.name,
            name=name,
            internal_url=f"{scheme}://{server.fqdn.casefold() if name == 'PowerShell' else host}{path}" if path else "",
            external_url=f"https://{host}{path}" if path and spec.namespace and name != "PowerShell" else "",
            internal_auth=_AUTH[name],
            external_auth=("Fba",) if name in ("owa", "ecp") else (),
            iis_auth=_AUTH["mapi"] if name == "mapi" else (),
            extended_protection=protection,
        )
    settings.outlook_anywhere = OutlookAnywhere(
        server=server.name,
        internal_hostname=host,
        external_hostname=spec.namespace,
        internal_ssl=bool(spec.namespace),
        external_ssl=bool(spec.namespace),
        ssl_offloading=not on,
        internal_auth="Ntlm",
        external_auth="Negotiate",
        iis_auth=("Basic", "Ntlm", "Negotiate"),
        extended_protection="Require" if on else "None",
    )
    domain = spec.namespace.partition(".")[2]
    scp = f"autodiscover.{domain}" if spec.namespace else server.fqdn.casefold()
    settings.scp_uri = f"https://{scp}/Autodiscover/Autodiscover.xml"
    settings.certificates = _certificates(state, server, certificates, auth)
    return settings


def protected_by_setup(exchange: ExchangeServer) -> bool:
    """Whether setup turned Extended Protection on: from 2019 CU14 (15.2.1544), and in SE [doc]."""
    build = tuple(int(part) for part in exchange.build.split(".") if part.isdigit())
    return build[:3] >= (15, 2, 1544)


def _certificates(state: State, server: Server, specs: tuple[CertificateSpec, ...], auth: str) -> list[Certificate]:
    fqdn = server.fqdn.casefold()
    mine = [spec for spec in specs if not spec.servers or server.name.casefold() in _names(spec.servers)]
    iis_taken = any("IIS" in spec.services for spec in mine)
    found = [
        Certificate(
            thumbprint=state.dice.text("certificate", f"self {server.name}", 40).upper(),
            subject=f"CN={server.name}",
            issuer=f"CN={server.name}",
            domains=(server.name, fqdn),
            not_before=state.now - _AGE,
            not_after=state.now - _AGE + timedelta(days=5 * 365),
            services=("SMTP",) if iis_taken else ("IMAP", "POP", "IIS", "SMTP"),
            self_signed=True,
            friendly_name="Microsoft Exchange",
        ),
        Certificate(
            thumbprint=auth,
            subject="CN=Microsoft Exchange Server Auth Certificate",
            issuer="CN=Microsoft Exchange Server Auth Certificate",
            domains=(),
            not_before=state.now - timedelta(days=5 * 365 - 400),
            not_after=state.now + timedelta(days=400),
            services=("SMTP",),
            self_signed=True,
            friendly_name="Microsoft Exchange Server Auth Certificate",
        ),
    ]
    for spec in mine:
        subject = spec.subject or f"CN={spec.domains[0] if spec.domains else spec.name}"
        found.append(
            Certificate(
                thumbprint=state.dice.text("certificate", f"{spec.name} {subject}", 40).upper(),
                subject=subject,
                issuer=subject if spec.self_signed else "CN=Lab Issuing CA, O=Lab",
                domains=spec.domains,
                not_before=state.now - _AGE,
                not_after=state.now + timedelta(days=spec.days),
                services=spec.services,
                self_signed=spec.self_signed,
                exportable=spec.exportable,
            )
        )
    return found


def _names(servers: Iterable[str]) -> set[str]:
    return {first_label(name).casefold() for name in servers}

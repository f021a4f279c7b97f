"""What sends clients to a name: URLs, Outlook Anywhere, Autodiscover, MAPI over HTTP, providers; knows no runbook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, TypeAlias
from urllib.parse import urlsplit

import msgspec

from starover.estate import Server
from starover.names import ServerName
from starover.step import Blocked, Change, Query, Report, Risk, Settle, Step, step

__all__ = [
    "PATHS",
    "ClientSettings",
    "Directory",
    "MapiHttp",
    "OutlookAnywhere",
    "PrincipalName",
    "Probe",
    "Protection",
    "Providers",
    "autodiscover_set",
    "autodiscover_uri",
    "client_settings",
    "mapi_http",
    "mapi_http_set",
    "mapi_probe",
    "outlook_anywhere_set",
    "protection",
    "provider_set",
    "providers",
    "same_url",
    "urls_set",
]

PATHS: Mapping[str, str] = {
    "ecp": "/ecp",
    "owa": "/owa",
    "ews": "/EWS/Exchange.asmx",
    "activesync": "/Microsoft-Server-ActiveSync",
    "oab": "/OAB",
    "mapi": "/mapi",
}
"""Each protocol's path. ECP comes before OWA, which would warn that ECP is still elsewhere."""
EXTERNAL_AUTH = "Negotiate"

PrincipalName: TypeAlias = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(?:none|msstd:(?:\*\.)?[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)+)(?![\s\S])",
        title="PrincipalName",
        description="msstd: and a name that clients see in the certificate, such as msstd:mail.example.com, or none",
    ),
]


def same_url(one: str, other: str) -> bool:
    """Whether two URLs are the same: scheme and host in any case, the path as it is, a last slash says nothing."""
    left, right = urlsplit(one), urlsplit(other)
    return (left.scheme.casefold(), left.netloc.casefold(), left.path.rstrip("/")) == (
        right.scheme.casefold(),
        right.netloc.casefold(),
        right.path.rstrip("/"),
    )


# -- one server --------------------------------------------------------------------------------------------------------


class Directory(Report):
    """A virtual directory."""

    protocol: str
    """A key of `PATHS`."""
    vdir: str
    """`EX1\\owa (Default Web Site)`."""
    internal: str
    """A URL; empty: none."""
    external: str


class OutlookAnywhere(Report):
    """RPC over HTTP."""

    vdir: str
    internal: str
    """A host; empty: none."""
    external: str
    internal_ssl: bool
    external_ssl: bool
    external_auth: str
    offloading: bool


class ClientSettings(Report):
    """Where one server sends its clients (`client/settings.ps1.j2`)."""

    directories: tuple[Directory, ...]
    anywhere: tuple[OutlookAnywhere, ...]
    autodiscover: str
    """The service connection point's URI; empty: none."""

    def directory(self, vdir: str) -> Directory | None:
        """The virtual directory of that identity."""
        return next((one for one in self.directories if one.vdir.casefold() == vdir.casefold()), None)


class Protection(Report):
    """The parts of a server that demand Extended Protection (`client/protection.ps1.j2`)."""

    protected: tuple[str, ...]


client_settings = Query("client/settings.ps1.j2", ClientSettings)
"""Arguments: `name` of the server, and `legacy`, whether it is Exchange 2013."""
protection = Query("client/protection.ps1.j2", Protection, deadline=180)
"""Argument: `name` of the server, whose web server is asked."""


def _urls_back(
    prev: ClientSettings,
    server: Server,
    /,
    *,
    name: ServerName,
    legacy: bool,
    protocol: str,
    vdir: str,
    internal: str | None,
    external: str | None,
) -> Step | None:
    del internal, external
    was = prev.directory(vdir)
    if was is None:
        return None
    return urls_set.on(
        server,
        name=name,
        legacy=legacy,
        protocol=protocol,
        vdir=vdir,
        internal=was.internal or None,
        external=was.external or None,
    )


@step(check=client_settings, apply="client/set_urls.ps1.j2", risk=Risk.SERVICE, undo=_urls_back)
def urls_set(
    now: ClientSettings,
    /,
    *,
    name: ServerName,
    legacy: bool,
    protocol: str,
    vdir: str,
    internal: str | None,
    external: str | None,
) -> Change | Blocked | None:
    """A virtual directory has these URLs (S-VDIR); None: no URL."""
    del legacy, protocol
    was = now.directory(vdir)
    if was is None:
        return Blocked(f"{name} has no virtual directory {vdir} by now", certain=("nothing was changed",))
    if same_url(was.internal, internal or "") and same_url(was.external, external or ""):
        return None
    return Change(vdir, _pair(was.internal, was.external), _pair(internal or "", external or ""))


def _pair(internal: str, external: str) -> str:
    if same_url(internal, external):
        return internal or "no URL"
    return f"inside {internal or 'none'}, outside {external or 'none'}"


def _anywhere_back(
    prev: ClientSettings,
    server: Server,
    /,
    *,
    name: ServerName,
    legacy: bool,
    vdir: str,
    internal: str | None,
    external: str | None,
    internal_ssl: bool,
    external_ssl: bool,
    external_auth: str,
    offloading: bool,
) -> Step | None:
    del internal, external, internal_ssl, external_ssl, offloading
    was = next((one for one in prev.anywhere if one.vdir.casefold() == vdir.casefold()), None)
    if was is None:
        return None
    return outlook_anywhere_set.on(
        server,
        name=name,
        legacy=legacy,
        vdir=vdir,
        internal=was.internal or None,
        external=was.external or None,
        internal_ssl=was.internal_ssl,
        external_ssl=was.external_ssl,
        external_auth=was.external_auth or external_auth,
        offloading=was.offloading,
    )


@step(check=client_settings, apply="client/set_anywhere.ps1.j2", risk=Risk.SERVICE, undo=_anywhere_back)
def outlook_anywhere_set(
    now: ClientSettings,
    /,
    *,
    name: ServerName,
    legacy: bool,
    vdir: str,
    internal: str | None,
    external: str | None,
    internal_ssl: bool,
    external_ssl: bool,
    external_auth: str,
    offloading: bool,
) -> Change | Blocked | None:
    """Outlook Anywhere of a server answers to these names, over TLS or with TLS ended before it (S-OA)."""
    del legacy
    was = next((one for one in now.anywhere if one.vdir.casefold() == vdir.casefold()), None)
    if was is None:
        return Blocked(f"{name} has no Outlook Anywhere by now", certain=("nothing was changed",))
    before = _shown(was.internal, was.external, was.internal_ssl, was.external_ssl, was.external_auth, was.offloading)
    wanted = _shown(internal or "", external or "", internal_ssl, external_ssl, external_auth, offloading)
    return None if before.casefold() == wanted.casefold() else Change(vdir, before, wanted)


def _shown(
    internal: str, external: str, internal_ssl: bool, external_ssl: bool, external_auth: str, offloading: bool
) -> str:
    inside = f"inside {internal or 'none'}{' TLS' if internal_ssl else ''}"
    outside = f"outside {external or 'none'}{' TLS' if external_ssl else ''} {external_auth}"
    return f"{inside}, {outside}, TLS {'ended before it' if offloading else 'to the server'}"


def autodiscover_uri(host: str) -> str:
    """Where Outlook inside the domain is told to look."""
    return f"https://{host}/Autodiscover/Autodiscover.xml"


def _autodiscover_back(
    prev: ClientSettings, server: Server, /, *, name: ServerName, legacy: bool, uri: str | None
) -> Step | None:
    del uri
    return autodiscover_set.on(server, name=name, legacy=legacy, uri=prev.autodiscover or None)


@step(check=client_settings, apply="client/set_autodiscover.ps1.j2", risk=Risk.SERVICE, undo=_autodiscover_back)
def autodiscover_set(
    now: ClientSettings, /, *, name: ServerName, legacy: bool, uri: str | None
) -> Change | Blocked | None:
    """A server's service connection point names this address (S-SCP)."""
    del legacy
    if same_url(now.autodiscover, uri or ""):
        return None
    return Change(f"{name} Autodiscover", now.autodiscover or "none", uri or "none")


# -- the organization --------------------------------------------------------------------------------------------------


class MapiHttp(Report):
    """Whether Outlook may speak MAPI over HTTP."""

    enabled: bool


class ProbeResult(Report):
    """One connection of the probe."""

    result: str
    """`Succeeded`."""
    error: str


class Probe(Report):
    """What managed availability finds as Outlook would (`client/mapi_probe.ps1.j2`)."""

    results: tuple[ProbeResult, ...]

    @property
    def succeeded(self) -> bool:
        """It connected."""
        return bool(self.results) and all(one.result == "Succeeded" for one in self.results)


class Provider(Report):
    """An Outlook provider."""

    name: str
    """`EXCH`, `EXPR`, `WEB`."""
    principal: str
    """`msstd:mail.example.com`, `none`, or empty: not set."""


class Providers(Report):
    """Every Outlook provider."""

    providers: tuple[Provider, ...]

    def find(self, name: str) -> Provider | None:
        """The one of that name."""
        return next((one for one in self.providers if one.name.casefold() == name.casefold()), None)


mapi_http = Query("client/mapi.ps1.j2", MapiHttp)
mapi_probe = Query("client/mapi_probe.ps1.j2", Probe, deadline=180)
"""Argument: `name` of the server."""
providers = Query("client/providers.ps1.j2", Providers)


def _mapi_back(prev: MapiHttp, server: Server, /, *, enabled: bool) -> Step | None:
    return None if prev.enabled == enabled else mapi_http_set.on(server, enabled=prev.enabled)


@step(check=mapi_http, apply="client/set_mapi.ps1.j2", risk=Risk.SERVICE, undo=_mapi_back)
def mapi_http_set(now: MapiHttp, /, *, enabled: bool) -> Change | Blocked | None:
    """Whether Outlook may speak MAPI over HTTP (S-MAPI)."""
    if now.enabled == enabled:
        return None
    words = {True: "enabled", False: "disabled"}
    return Change("MAPI over HTTP", words[now.enabled], words[enabled], note="Outlook asks its users to restart it")


def _provider_back(prev: Providers, server: Server, /, *, provider: str, principal: str | None) -> Step | None:
    was = prev.find(provider)
    if was is None or was.principal == (principal or ""):
        return None
    return provider_set.on(server, provider=provider, principal=was.principal or None)


@step(
    check=providers,
    apply="client/set_provider.ps1.j2",
    risk=Risk.SERVICE,
    settle=Settle(every=5, limit=60),
    undo=_provider_back,
)
def provider_set(now: Providers, /, *, provider: str, principal: str | None) -> Change | Blocked | None:
    """Outlook is told to expect a certificate of this name (S-OPROV); None: told nothing."""
    was = now.find(provider)
    if was is None:
        return Blocked(f"there is no Outlook provider {provider}", certain=("nothing was changed",))
    if was.principal.casefold() == (principal or "").casefold():
        return None
    return Change(f"Outlook provider {provider}", was.principal or "not set", principal or "not set")

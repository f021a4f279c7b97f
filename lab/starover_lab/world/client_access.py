"""`world.client_access`: names, URLs, certificates and providers that Outlook and others use; knows no mail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from starover_lab.world.client_settings import (
    VDIRS,
    Certificate,
    ClientAccessSettings,
    ExtendedProtection,
    Organization,
    OutlookAnywhere,
    OutlookProvider,
    VirtualDirectory,
)
from starover_lab.world.errors import WorldError
from starover_lab.world.state import State

__all__ = [
    "VDIRS",
    "Certificate",
    "ClientAccess",
    "ExtendedProtection",
    "Organization",
    "OutlookAnywhere",
    "OutlookProvider",
    "VirtualDirectory",
]

_SERVICELET = timedelta(hours=12)
"""How long after its day a next Auth certificate comes into force by itself [model]."""
_ONE_HOLDER = ("IIS", "IMAP", "POP")
"""Services that one certificate of a server can have at a time: a binding has one, and the settings of IMAP and POP
name one [mem]."""


class ClientAccess:
    """Client access settings. Servers by name; those of an Exchange server raise `not_found` (object exchange)."""

    def __init__(self, state: State) -> None:
        self._state = state

    def vdir(self, server: str, name: str) -> VirtualDirectory:
        """One virtual directory. Raises `not_found` (object vdir)."""
        found = self._settings(server).vdirs.get(name.casefold())
        if found is None:
            raise WorldError("not_found", f"{server} has no virtual directory {name}", object="vdir", name=name)
        return found

    def set_vdir(
        self,
        server: str,
        name: str,
        asked: str,
        *,
        internal_url: str | None = None,
        external_url: str | None = None,
        internal_auth: Sequence[str] | None = None,
        external_auth: Sequence[str] | None = None,
        iis_auth: Sequence[str] | None = None,
        extended_protection: ExtendedProtection | None = None,
    ) -> None:
        """Set-*VirtualDirectory; an empty URL clears it. Raises `not_found`, `syntax`, `no_dc`."""
        self._writable(asked)
        old = self.vdir(server, name)
        for parameter, url in (("InternalUrl", internal_url), ("ExternalUrl", external_url)):
            _check_url(parameter, url)
        new = replace(
            old,
            internal_url=old.internal_url if internal_url is None else internal_url,
            external_url=old.external_url if external_url is None else external_url,
            internal_auth=old.internal_auth if internal_auth is None else tuple(internal_auth),
            external_auth=old.external_auth if external_auth is None else tuple(external_auth),
            iis_auth=old.iis_auth if iis_auth is None else tuple(iis_auth),
            extended_protection=extended_protection or old.extended_protection,
        )
        self._settings(server).vdirs[old.name.casefold()] = new
        self._log("vdir", old.server, name=old.name, internal_url=new.internal_url, external_url=new.external_url)

    def outlook_anywhere(self, server: str) -> OutlookAnywhere:
        """Get-OutlookAnywhere. Raises `not_found`."""
        found = self._settings(server).outlook_anywhere
        if found is None:
            raise WorldError("not_found", f"{server} has no Outlook Anywhere", object="vdir", name="Rpc")
        return found

    def set_outlook_anywhere(
        self,
        server: str,
        asked: str,
        *,
        internal_hostname: str | None = None,
        external_hostname: str | None = None,
        internal_ssl: bool | None = None,
        external_ssl: bool | None = None,
        ssl_offloading: bool | None = None,
        internal_auth: str | None = None,
        external_auth: str | None = None,
        iis_auth: Sequence[str] | None = None,
    ) -> None:
        """Set-OutlookAnywhere. Raises `not_found`, `no_dc`."""
        self._writable(asked)
        old = self.outlook_anywhere(server)
        new = replace(
            old,
            internal_hostname=old.internal_hostname if internal_hostname is None else internal_hostname,
            external_hostname=old.external_hostname if external_hostname is None else external_hostname,
            internal_ssl=old.internal_ssl if internal_ssl is None else internal_ssl,
            external_ssl=old.external_ssl if external_ssl is None else external_ssl,
            ssl_offloading=old.ssl_offloading if ssl_offloading is None else ssl_offloading,
            internal_auth=internal_auth or old.internal_auth,
            external_auth=external_auth or old.external_auth,
            iis_auth=old.iis_auth if iis_auth is None else tuple(iis_auth),
        )
        self._settings(server).outlook_anywhere = new
        self._log("outlook_anywhere", old.server, internal=new.internal_hostname, external=new.external_hostname)

    def scp(self, server: str) -> str:
        """AutoDiscoverServiceInternalUri."""
        return self._settings(server).scp_uri

    def set_scp(self, server: str, asked: str, uri: str) -> None:
        """Set-ClientAccessService. Raises `not_found`, `syntax`, `no_dc`."""
        self._writable(asked)
        _check_url("AutoDiscoverServiceInternalUri", uri)
        self._settings(server).scp_uri = uri
        self._log("scp", self._state.server(server).name, uri=uri)

    def organization(self) -> Organization:
        """Get-OrganizationConfig, Get-AuthConfig, Get-TransportConfig as far as needed; read it, change it here."""
        organization, effective = self._state.organization, self._state.organization.next_auth_effective
        if effective is not None and self._state.now >= effective + _SERVICELET:
            self._rotate()
        return organization

    def set_next_auth(self, asked: str, thumbprint: str, effective: datetime) -> None:
        """Set-AuthConfig -NewCertificateThumbprint -NewCertificateEffectiveDate: by itself it comes into force then.

        Raises `not_found` (object certificate) where the asking server does not have it, `no_dc`.
        """
        self._writable(asked)
        self._certificate(asked, thumbprint)
        organization = self._state.organization
        organization.next_auth_certificate, organization.next_auth_effective = thumbprint.upper(), effective
        self._log("auth", self._state.dns_name, next=thumbprint.upper())

    def publish_auth(self, asked: str) -> None:
        """Set-AuthConfig -PublishCertificate: the next one is in force now. Raises `invalid` without a next one."""
        self._writable(asked)
        if not self._state.organization.next_auth_certificate:
            raise WorldError("invalid", "there is no next certificate", parameter="PublishCertificate")
        self._rotate()

    def clear_previous_auth(self, asked: str) -> None:
        """Set-AuthConfig -ClearPreviousCertificate."""
        self._writable(asked)
        self._state.organization.previous_auth_certificate = ""

    def _rotate(self) -> None:
        organization = self._state.organization
        organization.previous_auth_certificate = organization.auth_certificate
        organization.auth_certificate = organization.next_auth_certificate
        organization.next_auth_certificate, organization.next_auth_effective = "", None
        self._log("auth", self._state.dns_name, current=organization.auth_certificate)

    def set_organization(
        self, asked: str, *, mapi_http: bool | None = None, safety_net_hold_s: float | None = None
    ) -> None:
        """Set-OrganizationConfig -MapiHttpEnabled, Set-TransportConfig -SafetyNetHoldTime. Raises `no_dc`."""
        self._writable(asked)
        organization = self._state.organization
        if mapi_http is not None:
            organization.mapi_http = mapi_http
        if safety_net_hold_s is not None:
            organization.safety_net_hold_s = safety_net_hold_s
        self._log("organization", self._state.dns_name, mapi_http=organization.mapi_http)

    def providers(self) -> list[OutlookProvider]:
        """All Outlook providers."""
        return list(self._state.organization.providers.values())

    def provider(self, name: str) -> OutlookProvider:
        """Get-OutlookProvider. Raises `not_found` (object provider)."""
        for found in self.providers():
            if found.name.casefold() == name.casefold():
                return found
        raise WorldError("not_found", f"there is no Outlook provider {name}", object="provider", name=name)

    def set_provider(self, name: str, asked: str, *, cert_principal_name: str | None = None) -> None:
        """Set-OutlookProvider. Raises `not_found`, `no_dc`."""
        self._writable(asked)
        old = self.provider(name)
        principal = old.cert_principal_name if cert_principal_name is None else cert_principal_name
        self._state.organization.providers[old.name] = replace(old, cert_principal_name=principal)
        self._log("outlook_provider", old.name, cert_principal_name=principal)

    def certificates(self, server: str) -> list[Certificate]:
        """Get-ExchangeCertificate."""
        return list(self._settings(server).certificates)

    def enable_certificate(self, server: str, asked: str, thumbprint: str, services: Sequence[str]) -> None:
        """Enable-ExchangeCertificate: adds services; IIS, IMAP and POP leave the certificate that had them.

        Raises `not_found` (object certificate), `no_dc`.
        """
        self._writable(asked)
        settings = self._settings(server)
        self._certificate(server, thumbprint)
        kept: list[Certificate] = []
        for one in settings.certificates:
            if one.thumbprint.casefold() == thumbprint.casefold():
                one = replace(one, services=tuple(dict.fromkeys((*one.services, *services))))
            else:
                taken = {service for service in services if service in _ONE_HOLDER}
                one = replace(one, services=tuple(service for service in one.services if service not in taken))
            kept.append(one)
        settings.certificates[:] = kept
        self._log("certificate", self._state.server(server).name, thumbprint=thumbprint, services=list(services))

    def export_certificate(self, server: str, thumbprint: str) -> Certificate:
        """What Export-ExchangeCertificate takes along. Raises `not_found`, and `invalid` for a key that stays."""
        found = self._certificate(server, thumbprint)
        if not found.exportable:
            raise WorldError("invalid", "the private key is not exportable", parameter="Thumbprint", value=thumbprint)
        return found

    def import_certificate(self, server: str, asked: str, certificate: Certificate) -> None:
        """Import-ExchangeCertificate: it lies in the store and has no service. Raises `name_in_use`, `no_dc`."""
        self._writable(asked)
        settings = self._settings(server)
        if any(one.thumbprint.casefold() == certificate.thumbprint.casefold() for one in settings.certificates):
            raise WorldError("name_in_use", "it is there already", name=certificate.thumbprint, by="certificate")
        settings.certificates.append(replace(certificate, services=()))
        self._log("certificate", self._state.server(server).name, thumbprint=certificate.thumbprint, imported=True)

    def back_end(self, server: str) -> Certificate | None:
        """What the back end shows on 444; None: nothing is bound there."""
        settings = self._settings(server)
        if settings.back_end is None:
            return None
        signed = [one for one in settings.certificates if one.self_signed and "Auth" not in one.subject]
        named = [one for one in settings.certificates if one.thumbprint.casefold() == settings.back_end.casefold()]
        return next(iter(named or signed or settings.certificates), None)

    def bind_back_end(self, server: str, thumbprint: str | None) -> None:
        """Bind a certificate of the store to 444, or nothing. Raises `not_found`."""
        if thumbprint is not None:
            self._certificate(server, thumbprint)
        self._settings(server).back_end = thumbprint
        self._log("back_end", self._state.server(server).name, thumbprint=thumbprint or "")

    def _certificate(self, server: str, thumbprint: str) -> Certificate:
        for one in self._settings(server).certificates:
            if one.thumbprint.casefold() == thumbprint.casefold():
                return one
        raise WorldError("not_found", f"no certificate {thumbprint}", object="certificate", name=thumbprint)

    def _settings(self, server: str) -> ClientAccessSettings:
        host = self._state.server(server)
        if host.exchange is None:
            raise WorldError("not_found", f"{host.name} is no Exchange server", object="exchange", name=host.name)
        return host.exchange.client_access

    def _writable(self, asked: str) -> None:
        """All of it is written to AD, so a DC must answer."""
        self._state.directory.closest(self._state.server(asked).site)

    def _log(self, kind: str, subject: str, **data: str | bool | list[str]) -> None:
        self._state.log.add(f"{kind}_set", subject, **{key: _plain(value) for key, value in data.items()})


def _plain(value: str | bool | list[str]) -> str | bool:
    return ", ".join(value) if isinstance(value, list) else value


def _check_url(parameter: str, url: str | None) -> None:
    if not url:
        return
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise WorldError("syntax", f"`{url}` is no URL", parameter=parameter, value=url)

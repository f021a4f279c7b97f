"""`world.client_access`: names, URLs, certificates and providers that Outlook and others use; knows no mail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from starover_lab.world.state import State

__all__ = [
    "VDIRS",
    "Certificate",
    "ClientAccess",
    "OrganizationSettings",
    "OutlookAnywhere",
    "OutlookProvider",
    "VirtualDirectory",
]

VDIRS = ("owa", "ecp", "EWS", "Microsoft-Server-ActiveSync", "OAB", "mapi", "PowerShell", "Autodiscover")
"""Names of the virtual directories as IIS has them."""


@dataclass(frozen=True, kw_only=True)
class VirtualDirectory:
    """A virtual directory of one server."""

    server: str
    name: str
    """Such as `owa`; its identity is `SERVER\\owa (Default Web Site)`."""
    internal_url: str
    external_url: str
    internal_auth: tuple[str, ...]
    """Such as Basic, Fba, Ntlm, WindowsIntegrated, OAuth."""
    external_auth: tuple[str, ...]
    iis_auth: tuple[str, ...]
    """IISAuthenticationMethods, where the directory has them (mapi)."""
    extended_protection: Literal["None", "Allow", "Require"]


@dataclass(frozen=True, kw_only=True)
class OutlookAnywhere:
    """RPC over HTTP of one server."""

    server: str
    internal_hostname: str
    external_hostname: str
    internal_ssl: bool
    external_ssl: bool
    ssl_offloading: bool
    internal_auth: str
    external_auth: str
    iis_auth: tuple[str, ...]
    extended_protection: Literal["None", "Allow", "Require"]


@dataclass(frozen=True, kw_only=True)
class OutlookProvider:
    """An Outlook provider of the organization: EXCH, EXPR or WEB."""

    name: str
    cert_principal_name: str
    """`msstd:mail.example.com`; empty: not set."""
    server: str = ""
    ttl_h: int = 1


@dataclass(frozen=True, kw_only=True)
class OrganizationSettings:
    """Settings of the whole organization."""

    mapi_http: bool
    auth_certificate: str
    """Thumbprint of the current Auth certificate."""
    next_auth_certificate: str
    next_auth_effective: datetime | None
    safety_net_hold_s: float


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """A certificate in a server's machine store."""

    thumbprint: str
    subject: str
    """`CN=mail.example.com`."""
    issuer: str
    domains: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    services: tuple[str, ...]
    """Of IIS, SMTP, IMAP, POP, UM, Federation."""
    self_signed: bool
    friendly_name: str = ""


class ClientAccess:
    """Client access settings. Servers by name; those of an Exchange server raise `not_found` (object exchange)."""

    def __init__(self, state: State) -> None:
        self._state = state

    def vdir(self, server: str, name: str) -> VirtualDirectory:
        """One virtual directory. Raises `not_found` (object vdir)."""
        raise NotImplementedError

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
        extended_protection: Literal["None", "Allow", "Require"] | None = None,
    ) -> None:
        """Set-*VirtualDirectory; an empty URL clears it. Raises `not_found`, `syntax`, `no_dc`."""
        raise NotImplementedError

    def outlook_anywhere(self, server: str) -> OutlookAnywhere:
        """Get-OutlookAnywhere."""
        raise NotImplementedError

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
        """Set-OutlookAnywhere. Raises `no_dc`."""
        raise NotImplementedError

    def scp(self, server: str) -> str:
        """AutoDiscoverServiceInternalUri."""
        raise NotImplementedError

    def set_scp(self, server: str, asked: str, uri: str) -> None:
        """Set-ClientAccessService. Raises `syntax`, `no_dc`."""
        raise NotImplementedError

    def organization(self) -> OrganizationSettings:
        """Get-OrganizationConfig, Get-AuthConfig, Get-TransportConfig as far as needed."""
        raise NotImplementedError

    def set_organization(
        self, asked: str, *, mapi_http: bool | None = None, safety_net_hold_s: float | None = None
    ) -> None:
        """Set-OrganizationConfig -MapiHttpEnabled, Set-TransportConfig -SafetyNetHoldTime. Raises `no_dc`."""
        raise NotImplementedError

    def provider(self, name: str) -> OutlookProvider:
        """Get-OutlookProvider. Raises `not_found` (object provider)."""
        raise NotImplementedError

    def providers(self) -> list[OutlookProvider]:
        """All Outlook providers."""
        raise NotImplementedError

    def set_provider(self, name: str, asked: str, *, cert_principal_name: str | None = None) -> None:
        """Set-OutlookProvider. Raises `not_found`, `no_dc`."""
        raise NotImplementedError

    def certificates(self, server: str) -> list[Certificate]:
        """Get-ExchangeCertificate."""
        raise NotImplementedError

    def enable_certificate(self, server: str, asked: str, thumbprint: str, services: Sequence[str]) -> None:
        """Enable-ExchangeCertificate: adds services; IIS leaves the certificate that had it. Raises `not_found`."""
        raise NotImplementedError

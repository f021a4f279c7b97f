"""Client access settings as plain data: of one Exchange server, and of the organization; knows no rule."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from starover_lab.world.mail_parts import SendConnector

__all__ = [
    "VDIRS",
    "Certificate",
    "ClientAccessSettings",
    "ExtendedProtection",
    "Organization",
    "OutlookAnywhere",
    "OutlookProvider",
    "VirtualDirectory",
]

ExtendedProtection = Literal["None", "Allow", "Require"]
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
    extended_protection: ExtendedProtection


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
    extended_protection: ExtendedProtection


@dataclass(frozen=True, kw_only=True)
class OutlookProvider:
    """An Outlook provider of the organization: EXCH, EXPR or WEB."""

    name: str
    cert_principal_name: str
    """`msstd:mail.example.com`; empty: not set."""
    server: str = ""
    ttl_h: int = 1


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
    exportable: bool = True
    """Its private key may leave the store."""

    @property
    def serial(self) -> int:
        """Its serial number, by which a client knows it again."""
        return int.from_bytes(hashlib.sha256(f"serial {self.thumbprint.casefold()}".encode()).digest()[:15], "big")


@dataclass(eq=False)
class ClientAccessSettings:
    """Of one Exchange server."""

    vdirs: dict[str, VirtualDirectory] = field(default_factory=dict[str, VirtualDirectory])
    """By case-folded name."""
    outlook_anywhere: OutlookAnywhere | None = None
    scp_uri: str = ""
    certificates: list[Certificate] = field(default_factory=list[Certificate])
    back_end: str | None = ""
    """Thumbprint that the back end shows on 444; empty: the self-signed one; None: nothing is bound there."""


@dataclass(eq=False)
class Organization:
    """Of the whole organization."""

    mapi_http: bool = True
    auth_certificate: str = ""
    """Thumbprint of the current Auth certificate."""
    previous_auth_certificate: str = ""
    next_auth_certificate: str = ""
    next_auth_effective: datetime | None = None
    safety_net_hold_s: float = 172_800.0
    providers: dict[str, OutlookProvider] = field(default_factory=dict[str, OutlookProvider])
    """By name: EXCH, EXPR, WEB."""
    send_connectors: dict[str, SendConnector] = field(default_factory=dict[str, SendConnector])
    """By case-folded name."""

"""What clients would meet on a new member and not on its peers: certificate, names, protection; changes nothing.

A member serves every client whose database comes to it, so what differs shows when a database moves (catalogue,
dag-add-members; P42, P44, P53). What no cmdlet here tells is called not checked (P54, P55, P57).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from starover.errors import StaroverError
from starover.estate import Server
from starover.runbook import Steps, attempt
from starover.steps.certificates import Certificates
from starover.steps.client_access import ClientSettings, Protection
from starover.steps.client_servers import certificates_of, protection_of, settings_of

__all__ = ["Serves", "notes_of", "unlike"]

NOT_CHECKED = "not checked: Auth certificate, Kerberos credential (ASA), antivirus exclusions"
"""P54, P55, P57."""


@dataclass(frozen=True)
class Serves:
    """How a server meets its clients; a text instead of what could not be read."""

    settings: ClientSettings | str
    certificates: Certificates | str
    protection: Protection | str


def unlike(new: Serves, peer: Serves, name: str) -> list[str]:
    """What a new member has otherwise than the peer called `name`, or what is not known of it."""
    return [
        *_certificate(new.certificates, peer.certificates, name),
        *_names(new, peer, name),
        *_guard(new, peer, name),
    ]


def _certificate(new: Certificates | str, peer: Certificates | str, name: str) -> list[str]:
    if isinstance(new, str) or isinstance(peer, str):
        return ["P42 certificate: not known"]
    mine, other = new.shown, peer.shown
    if mine is None:
        return ["P42 shows clients no certificate"]
    if other is not None and mine.thumbprint.casefold() != other.thumbprint.casefold():
        return [f"P42 shows {mine.principal or mine.subject}, {name} shows {other.principal or other.subject}"]
    return []


def _names(new: Serves, peer: Serves, name: str) -> list[str]:
    if isinstance(new.settings, str) or isinstance(peer.settings, str):
        return ["P44 virtual directories: not known"]
    others = {one.protocol: (_host(one.internal), _host(one.external)) for one in peer.settings.directories}
    differ = sorted(
        {
            one.protocol
            for one in new.settings.directories
            if one.protocol in others and (_host(one.internal), _host(one.external)) != others[one.protocol]
        }
    )
    found = [f"P44 other names than {name}: {', '.join(differ)}"] if differ else []
    if _host(new.settings.autodiscover) != _host(peer.settings.autodiscover):
        found.append(f"Autodiscover points to {_host(new.settings.autodiscover) or 'nothing'}")
    return found


def _guard(new: Serves, peer: Serves, name: str) -> list[str]:
    if isinstance(new.protection, str) or isinstance(peer.protection, str):
        return ["P53 Extended Protection: not known"]
    if bool(new.protection.protected) != bool(peer.protection.protected):
        return [f"P53 Extended Protection {'on' if new.protection.protected else 'off'}, unlike {name}"]
    return []


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "").casefold()


def notes_of(new: Sequence[Server], peer: Server) -> Steps[dict[str, str]]:
    """For each new member what is said with its joining."""
    servers = [*new, peer]
    read = yield from attempt(settings_of(servers))
    settings = dict.fromkeys([one.name for one in servers], read.what) if isinstance(read, StaroverError) else read
    seen = yield from certificates_of(servers)
    guarded = yield from protection_of(servers)

    def serves(server: Server) -> Serves:
        return Serves(settings[server.name], seen[server.name], guarded[server.name])

    return {server.name: "; ".join([*unlike(serves(server), serves(peer), peer.name), NOT_CHECKED]) for server in new}

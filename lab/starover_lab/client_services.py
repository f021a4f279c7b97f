"""What mail clients find on which port of an Exchange server, and what it needs; opens no socket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from starover_lab.world.client_settings import Certificate
from starover_lab.world.entities import Server
from starover_lab.world.state import State
from starover_lab.world.world import World

__all__ = ["KINDS", "ClientService", "certificate_for", "inactive", "reached"]

_CERTIFIED = {"smtp": "SMTP", "imap": "IMAP", "pop": "POP"}
"""The service whose certificate is shown; of all others IIS's."""


@dataclass(frozen=True)
class ClientService:
    """What stands on a port."""

    speaks: str
    service: str
    """Of Windows: without it nobody listens."""
    tls: bool = False
    component: str = ""
    """Without which it does not serve; empty: it does not matter."""


KINDS: Mapping[int, ClientService] = {
    80: ClientService("http", "W3SVC"),
    443: ClientService("http", "W3SVC", tls=True),
    25: ClientService("smtp", "MSExchangeFrontEndTransport", component="FrontendTransport"),
    465: ClientService("smtp", "MSExchangeFrontEndTransport", tls=True, component="FrontendTransport"),
    587: ClientService("smtp", "MSExchangeFrontEndTransport", component="FrontendTransport"),
    143: ClientService("imap", "MSExchangeImap4", component="ImapProxy"),
    993: ClientService("imap", "MSExchangeImap4", tls=True, component="ImapProxy"),
    110: ClientService("pop", "MSExchangePop3", component="PopProxy"),
    995: ClientService("pop", "MSExchangePop3", tls=True, component="PopProxy"),
}


def reached(state: State, server: Server) -> bool:
    """Whether packets from outside reach a host that is alive."""
    az = state.azs.get(server.az)
    return (
        state.answers(server)
        and not server.cut_off
        and (az is None or az.state != "isolated")
        and all(passes(server, None) for passes in state.filters)
    )


def certificate_for(server: Server, speaks: str, now: datetime) -> Certificate | None:
    """The certificate that a server shows for what stands on a port; None: it has none that would do.

    SMTP takes one that is for its connector's name, which is the server's own: of those the newest one that a CA
    signed, else the newest one [doc]. No assignment is ever taken back [doc].
    """
    assert server.exchange is not None
    service = _CERTIFIED.get(speaks, "IIS")
    held = [one for one in server.exchange.client_access.certificates if service in one.services]
    if service != "SMTP":
        return next((one for one in held if not one.self_signed), next(iter(held), None))
    fit = [one for one in held if _for(one, server.fqdn) and one.not_before <= now < one.not_after]
    fit.sort(key=lambda one: one.not_before)
    signed = [one for one in fit if not one.self_signed]
    return next(reversed(signed or fit), None)


def _for(one: Certificate, host: str) -> bool:
    wanted = host.casefold()
    return any(name.casefold() in (wanted, f"*.{wanted.partition('.')[2]}") for name in one.domains)


def inactive(world: World, server: Server, component: str) -> bool:
    """Whether a component of a server serves nobody."""
    found = {one.name: state for one, state in world.components(server.name, server.name)}
    return bool(component) and found.get(component, "Active") != "Active"

"""What mail clients find on which port of an Exchange server, and what it needs; opens no socket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from starover_lab.world.entities import Server
from starover_lab.world.state import State
from starover_lab.world.world import World

__all__ = ["KINDS", "ClientService", "inactive", "reached"]


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


def inactive(world: World, server: Server, component: str) -> bool:
    """Whether a component of a server serves nobody."""
    found = {one.name: state for one, state in world.components(server.name, server.name)}
    return bool(component) and found.get(component, "Active") != "Active"

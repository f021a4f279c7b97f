"""`world.components`: server component states by requester, and what they switch; knows no queue and no balancer.

simulator.md section 4 and facts/exchange.md point 10. That IMAP and POP services stop with their proxies and stay
stopped afterwards is observed; what the health page of an inactive protocol answers is not documented: a knob.
"""

from __future__ import annotations

from typing import Literal

from starover_lab.world.entities import Component, ExchangeServer, Server
from starover_lab.world.errors import WorldError
from starover_lab.world.hosts import Hosts
from starover_lab.world.reading import effective_state
from starover_lab.world.state import State

__all__ = ["HEALTH_PAGES", "ComponentState", "Components", "HealthPage"]

ComponentState = Literal["Active", "Inactive", "Draining"]
HealthPage = Literal["200", "503", "reset", "timeout", "refused"]
_REQUESTERS = ("HealthAPI", "Maintenance", "Sidelined", "Functional", "Deployment")
_DRAINING = ("HubTransport", "FrontendTransport", "UMCallRouter")
"""The only ones that drain (observed)."""
_SERVICES = {"ImapProxy": "MSExchangeImap4", "PopProxy": "MSExchangePop3"}
HEALTH_PAGES = {
    "owa": "OwaProxy",
    "ecp": "EcpProxy",
    "ews": "EwsProxy",
    "mapi": "MapiProxy",
    "oab": "OabProxy",
    "rpc": "RpcProxy",
    "autodiscover": "AutoDiscoverProxy",
    "microsoft-server-activesync": "ActiveSyncProxy",
    "powershell": "RpsProxy",
}
"""Virtual directory (case-folded) to the component that decides over its `healthcheck.htm`."""


class Components:
    """Component states of all Exchange servers."""

    def __init__(self, state: State, hosts: Hosts) -> None:
        self._state = state
        self._hosts = hosts

    def of(self, server: Server) -> list[tuple[Component, ComponentState]]:
        """Each component with its effective state."""
        exchange = _exchange(server)
        offline = effective_state(exchange.components["ServerWideOffline"], server_wide_offline=False) == "Inactive"
        return [(one, effective_state(one, server_wide_offline=offline)) for one in exchange.components]

    def set(
        self, server: Server, name: str, wanted: ComponentState, requester: str, *, local: bool, remote: bool
    ) -> None:
        """Set one requester's wish for a component, on the server, in AD, or both. Raises `not_found`, `invalid`."""
        component = _exchange(server).components.get(name)
        if component is None:
            raise WorldError("not_found", f"there is no component {name}", object="component", name=name)
        known = next((one for one in _REQUESTERS if one.casefold() == requester.casefold()), None)
        if known is None:
            allowed = ", ".join(_REQUESTERS)
            message = f"there is no requester {requester}"
            raise WorldError("invalid", message, parameter="Requester", value=requester, allowed=allowed)
        if wanted == "Draining" and component.name not in _DRAINING:
            message = f"{component.name} does not drain"
            raise WorldError("invalid", message, parameter="State", value=wanted, allowed="Active, Inactive")
        before = dict(self._named(server))
        spelt = "HealthApi" if known == "HealthAPI" else known
        for given, states in ((local, component.local), (remote, component.remote)):
            if given:
                states[spelt] = (wanted, self._state.now)
        self._state.log.add("component", server.name, component=component.name, state=wanted, requester=spelt)
        self._switch(server, before)
        self._state.review()

    def health_page(self, server: str, directory: str) -> HealthPage:
        """What `https://SERVER/DIRECTORY/healthcheck.htm` answers: it is there while its component is Active."""
        host = self._state.server(server)
        if not self._state.answers(host):
            return "timeout"
        if host.exchange is None or not self._state.runs(host, "W3SVC"):
            return "refused"
        component = HEALTH_PAGES.get(directory.strip("/").casefold(), "DefaultProxy")
        found = self._named(host).get(component, "Active")
        return "200" if found == "Active" else self._state.tuning.healthcheck_mode

    def _named(self, server: Server) -> dict[str, ComponentState]:
        return {component.name: found for component, found in self.of(server)}

    def _switch(self, server: Server, before: dict[str, ComponentState]) -> None:
        """Stop the services of proxies that have just become inactive; nobody starts them again."""
        after = self._named(server)
        for component, name in _SERVICES.items():
            service = server.services.get(name)
            gone = before.get(component) != "Inactive" and after.get(component) == "Inactive"
            if gone and service is not None and service.status == "Running" and self._state.answers(server):
                self._hosts.stop(server, name)


def _exchange(server: Server) -> ExchangeServer:
    if server.exchange is None:
        raise WorldError("not_found", f"{server.name} is no Exchange server", object="exchange", name=server.name)
    return server.exchange

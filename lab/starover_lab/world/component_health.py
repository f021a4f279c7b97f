"""How healthy the components of an Exchange server are, from the services they stand on; knows no database."""

from __future__ import annotations

from dataclasses import dataclass

from starover_lab.world.best_copy import Health
from starover_lab.world.entities import Server
from starover_lab.world.state import State

__all__ = ["MONITORS", "Monitor", "compared", "unhealthy"]


@dataclass(frozen=True)
class Monitor:
    """One monitor: unhealthy here when its service does not run [model]."""

    name: str
    health_set: str
    service: str
    ha_impacting: bool
    low: bool = False
    """Below normal priority."""


MONITORS = (
    Monitor("ServiceHealthMSExchangeReplEndpointMonitor", "DataProtection", "MSExchangeRepl", True),
    Monitor("ServiceHealthActiveManagerMonitor", "DataProtection", "MSExchangeRepl", True),
    Monitor("ClusterServiceCrashMonitor", "Clustering", "ClusSvc", True),
    Monitor("ClusterEndpointMonitor", "Clustering", "ClusSvc", True),
    Monitor("StoreServiceKillServerMonitor", "Store", "MSExchangeIS", True),
    Monitor("ActiveDirectoryConnectivityMonitor", "AD", "MSExchangeADTopology", False),
    Monitor("TransportServiceRunningMonitor", "HubTransport", "MSExchangeTransport", False),
    Monitor("FrontendTransportServiceRunningMonitor", "FrontendTransport", "MSExchangeFrontEndTransport", False),
    Monitor("MaintenanceFailureMonitor.HealthManager", "Monitoring", "MSExchangeHM", False, low=True),
)


def unhealthy(state: State, server: Server) -> list[Monitor]:
    """The monitors whose service is there and does not run."""
    return [
        one
        for one in MONITORS
        if state.service(server, one.service) is not None and not state.runs(server, one.service)
    ]


def compared(state: State, server: Server, source: Server | None) -> Health:
    """How a server's components do beside those of the one it would take over from; None: that one is not usable."""
    own = unhealthy(state, server)
    if not own:
        return Health.ALL
    if all(one.low for one in own):
        return Health.NORMAL
    if source is None:
        return Health.BETTER
    theirs = len(unhealthy(state, source))
    return Health.BETTER if len(own) < theirs else Health.SAME if len(own) == theirs else Health.WORSE

"""The road `psrp`: PowerShell remoting over WinRM, and /PowerShell itself; knows no wire, no step and no plan."""

from __future__ import annotations

import msgspec

from starover.estate import Road, Server
from starover.transport import Script
from starover.transport.fanout import FanOut, HostSession

__all__ = ["PsrpTransport"]


class PsrpTransport(FanOut):
    """Runs scripts over PSRP, and single commands at /PowerShell."""

    kind = "psrp"

    def road(self, script: Script) -> Road | None:
        """The road that a script takes; that to /PowerShell needs no line in the inventory."""
        return _exchange_road(script.server) if script.way == "command" else super().road(script)

    def open(self, server: Server, road: Road) -> HostSession:
        """A new session, with pypsrp."""
        from starover.transport.session import Session  # loads pypsrp, which is slow

        return Session(server, road, self.credentials)


def _exchange_road(server: Server) -> Road:
    """To the /PowerShell that the inventory names; by itself http on port 80 of the server's own name, by Kerberos."""
    road = next((road for road in server.roads if road.kind == "exchange"), None)
    road = road or Road(kind="exchange", scheme="http", auth="kerberos")
    named = server.exchange.server if server.exchange is not None else "local"
    name = server.fqdn if named == "local" else named
    return road if road.address else msgspec.structs.replace(road, address=name)

"""The road `winrm`: a command shell, for hosts where nothing else is open; knows no wire, no step and no plan."""

from __future__ import annotations

from starover.estate import Road, Server
from starover.transport.fanout import FanOut, HostSession

__all__ = ["WinrmTransport"]


class WinrmTransport(FanOut):
    """Runs scripts in command shells. It carries text only: no password, no objects."""

    kind = "winrm"

    def open(self, server: Server, road: Road) -> HostSession:
        """A new session, with pywinrm."""
        from starover.transport.shell import ShellSession  # loads pywinrm, which is slow

        return ShellSession(server, road, self.credentials)

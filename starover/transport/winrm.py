"""The road `winrm`: a command shell, for hosts where nothing else is open; knows no wire, no step and no plan."""

from __future__ import annotations

from starover.estate import Road, Server
from starover.transport import Script
from starover.transport.fanout import FanOut, HostSession

__all__ = ["WinrmTransport", "unfit"]


def unfit(script: Script) -> str:
    """Why a command shell cannot carry a script; empty: it can."""
    if script.arguments:
        return "a command shell cannot carry the password that this script needs for Exchange's own session"
    if script.way != "script":
        return "a command shell gives text back, and this template is answered with objects"
    return ""


class WinrmTransport(FanOut):
    """Runs scripts in command shells. It carries text only: no password, no objects."""

    kind = "winrm"

    def open(self, server: Server, road: Road) -> HostSession:
        """A new session, with pywinrm."""
        from starover.transport.shell import ShellSession  # loads pywinrm, which is slow

        return ShellSession(server, road, self.credentials)

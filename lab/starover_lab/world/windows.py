"""`world.windows`: features, groups, firewall, shares, reboots and reachability of Windows hosts; knows no Exchange."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from starover_lab.world.machine_parts import FirewallRule, InstallState, SmbShare
from starover_lab.world.operations import Operation
from starover_lab.world.state import State

__all__ = ["FILE_SHARING", "WMI", "Windows"]

FILE_SHARING = "@FirewallAPI.dll,-28502"
"""Firewall group File and Printer Sharing."""
WMI = "@FirewallAPI.dll,-34251"
"""Firewall group Windows Management Instrumentation (WMI)."""


class Windows:
    """Windows hosts; every `server` is a name."""

    def __init__(self, state: State) -> None:
        self._state = state

    # -- features and reboots ------------------------------------------------------------------------------------

    def features(self, server: str) -> dict[str, InstallState]:
        """Get-WindowsFeature: name (such as Failover-Clustering) to state."""
        raise NotImplementedError

    def install(self, server: str, names: Sequence[str], *, management_tools: bool = False) -> Operation:
        """Install-WindowsFeature; what is there already takes no time. With a reboot pending: InstallPending.

        Raises `not_found` (object feature).
        """
        raise NotImplementedError

    def pending_reboot(self, server: str) -> frozenset[str]:
        """Why the host wants a reboot: of `cbs`, `wu`, `rename`, `ccm`."""
        raise NotImplementedError

    def restart(self, server: str) -> datetime:
        """Restart-Computer: databases move away, the node leaves, it boots; returns when it should answer again."""
        raise NotImplementedError

    # -- local groups --------------------------------------------------------------------------------------------

    def group_members(self, server: str, group: str) -> tuple[str, ...]:
        r"""Members of a local group as `DOMAIN\name`, or a bare SID whose account is gone. Raises `not_found`.

        `group` is its name or SID (S-1-5-32-544). A DC has no local groups: see `world.ad`.
        """
        raise NotImplementedError

    def add_to_group(self, server: str, group: str, member: str) -> None:
        """Raises `not_found` (object group, account), `already_in_group`."""
        raise NotImplementedError

    def remove_from_group(self, server: str, group: str, member: str) -> None:
        """Raises `not_found`, `not_in_group`."""
        raise NotImplementedError

    # -- firewall ------------------------------------------------------------------------------------------------

    def firewall_rules(self, server: str) -> list[FirewallRule]:
        """All inbound rules that the lab knows."""
        raise NotImplementedError

    def enable_rules(self, server: str, names: Sequence[str], *, enabled: bool = True) -> None:
        """Enable-/Disable-NetFirewallRule by rule name. Raises `not_found` (object firewall_rule)."""
        raise NotImplementedError

    # -- shares --------------------------------------------------------------------------------------------------

    def shares(self, server: str) -> list[SmbShare]:
        """Get-SmbShare."""
        raise NotImplementedError

    def make_share(self, server: str, name: str, path: str, access: Sequence[str]) -> SmbShare:
        """New-SmbShare -FullAccess. Raises `exists`, `file_not_found`."""
        raise NotImplementedError

    def remove_share(self, server: str, name: str) -> None:
        """Remove-SmbShare. Raises `not_found`."""
        raise NotImplementedError

    def grant_share(self, server: str, name: str, account: str) -> None:
        """Grant-SmbShareAccess -AccessRight Full. Raises `not_found`."""
        raise NotImplementedError

    # -- the network as seen from a host --------------------------------------------------------------------------

    def ping(self, asked: str, target: str) -> float | None:
        """Round trip in milliseconds to a host name or address, or None; a hung host answers ping."""
        raise NotImplementedError

    def port_open(self, asked: str, target: str, port: int) -> bool:
        """Whether TCP reaches a port of a host name or address: route, card, firewall and service."""
        raise NotImplementedError

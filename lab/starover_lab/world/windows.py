"""`world.windows`: features, groups, firewall, shares, reboots and reachability of Windows hosts; changes no DAG."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from ipaddress import ip_address, ip_network

from starover_lab.world.dag_objects import dags_on
from starover_lab.world.entities import Server, Volume
from starover_lab.world.errors import WorldError
from starover_lab.world.hosts import Hosts
from starover_lab.world.machine_build import FILE_SHARING, WMI
from starover_lab.world.machine_parts import FirewallRule, InstallState, SmbShare
from starover_lab.world.operations import Operation
from starover_lab.world.principals import ADMINISTRATORS
from starover_lab.world.replication import REPL
from starover_lab.world.state import State

__all__ = ["FILE_SHARING", "WMI", "Windows"]

_TOOLS = {
    "failover-clustering": (
        "RSAT-Clustering",
        "RSAT-Clustering-CmdInterface",
        "RSAT-Clustering-Mgmt",
        "RSAT-Clustering-PowerShell",
    ),
    "dns": ("RSAT-DNS-Server",),
    "ad-domain-services": ("RSAT-ADDS", "RSAT-AD-PowerShell"),
}
_GROUP_SIDS = {
    ADMINISTRATORS: "Administrators",
    "S-1-5-32-545": "Users",
    "S-1-5-32-551": "Backup Operators",
    "S-1-5-32-555": "Remote Desktop Users",
    "S-1-5-32-580": "Remote Management Users",
}
_PORTS: dict[int, str] = {
    53: "DNS",
    80: "W3SVC",
    88: "Kdc",
    135: "",
    139: "LanmanServer",
    389: "NTDS",
    443: "W3SVC",
    445: "LanmanServer",
    587: "MSExchangeFrontEndTransport",
    25: "MSExchangeFrontEndTransport",
    808: "MSExchangeRepl",
    3343: "ClusSvc",
    5985: "WinRM",
    5986: "WinRM",
    64327: "MSExchangeRepl",
}
"""TCP port to the service that listens there; empty: Windows itself."""


class Windows:
    """Windows hosts; every `server` is a name."""

    def __init__(self, state: State, hosts: Hosts, evacuate: Callable[[Server], None]) -> None:
        """`evacuate` moves a server's databases away before it restarts."""
        self._state = state
        self._hosts = hosts
        self._evacuate = evacuate

    # -- features and reboots ------------------------------------------------------------------------------------

    def features(self, server: str) -> dict[str, InstallState]:
        """Get-WindowsFeature: name (such as Failover-Clustering) to state. Raises `not_found`."""
        return dict(self._state.server(server).features)

    def install(self, server: str, names: Sequence[str], *, management_tools: bool = False) -> Operation:
        """Install-WindowsFeature; what is there already takes no time. With a reboot pending: InstallPending.

        Raises `not_found` (object feature).
        """
        state, host = self._state, self._state.server(server)
        known = {name.casefold(): name for name in host.features}
        wanted: list[str] = []
        for name in names:
            found = known.get(name.casefold())
            if found is None:
                raise WorldError("not_found", f"there is no feature {name}", object="feature", name=name)
            wanted += [found, *(_TOOLS.get(found.casefold(), ()) if management_tools else ())]
        new = [name for name in dict.fromkeys(wanted) if host.features.get(name) not in ("Installed", "InstallPending")]
        if not new:
            return Operation(state.now)
        operation = Operation(state.poke_after(state.tuning.feature_install_s))
        state.scheduler.at(operation.ends, lambda: self._installed(host, new, operation))
        return operation

    def _installed(self, host: Server, names: list[str], operation: Operation) -> None:
        state = self._state
        if not state.answers(host):
            operation.error = WorldError("server_down", f"{host.name} does not answer", server=host.name)
            return
        for name in names:
            host.features[name] = "InstallPending" if "cbs" in host.pending_reboot else "Installed"
        state.log.add("feature_installed", host.name, feature=", ".join(names), state=host.features[names[0]])
        state.review()

    def pending_reboot(self, server: str) -> frozenset[str]:
        """Why the host wants a reboot: of `cbs`, `wu`, `rename`, `ccm`."""
        return frozenset(self._state.server(server).pending_reboot)

    def restart(self, server: str) -> datetime:
        """Restart-Computer: databases move away, the node leaves, it boots; returns when it should answer again.

        Raises `not_found`.
        """
        host = self._state.server(server)
        self._evacuate(host)
        return self._hosts.reboot(host)

    # -- local groups --------------------------------------------------------------------------------------------

    def group_members(self, server: str, group: str) -> tuple[str, ...]:
        r"""Members of a local group as `DOMAIN\name`, or a bare SID whose account is gone. Raises `not_found`.

        `group` is its name or SID (S-1-5-32-544). A DC has no local groups: see `world.ad`.
        """
        host = self._state.server(server)
        return host.local_groups[self._group(host, group)]

    def groups(self, server: str) -> list[str]:
        """Names of the local groups."""
        return list(self._state.server(server).local_groups)

    def add_to_group(self, server: str, group: str, member: str) -> None:
        """Add-LocalGroupMember. Raises `not_found` (object group, account), `already_in_group`, `no_dc`."""
        host = self._state.server(server)
        name, account = self._group(host, group), self._account(host, member)
        members = host.local_groups[name]
        if account.casefold() in {one.casefold() for one in members}:
            raise WorldError("already_in_group", f"{account} is in {name}", group=name, member=account)
        host.local_groups[name] = (*members, account)
        self._state.log.add("local_group", host.name, group=name, added=account)
        self._state.review()

    def remove_from_group(self, server: str, group: str, member: str) -> None:
        """Remove-LocalGroupMember. Raises `not_found`, `not_in_group`."""
        host = self._state.server(server)
        name = self._group(host, group)
        members = host.local_groups[name]
        account = member if member in members else self._account(host, member)
        if account.casefold() not in {one.casefold() for one in members}:
            raise WorldError("not_in_group", f"{account} is not in {name}", group=name, member=account)
        host.local_groups[name] = tuple(one for one in members if one.casefold() != account.casefold())
        self._state.log.add("local_group", host.name, group=name, removed=account)
        self._state.review()

    def _group(self, host: Server, group: str) -> str:
        wanted = _GROUP_SIDS.get(group.upper(), group.rpartition("\\")[2])
        for name in host.local_groups:
            if name.casefold() == wanted.casefold():
                return name
        raise WorldError("not_found", f"{host.name} has no group {group}", object="group", name=group)

    def _account(self, host: Server, account: str) -> str:
        """`DOMAIN\\name` as it is spelt. Raises `not_found`, `no_dc`."""
        domain, slash, name = account.rpartition("\\")
        if slash and domain.casefold() == host.name.casefold():
            return f"{host.name}\\{name}"
        full = self._state.principals.full(account)
        if full.partition("\\")[0].casefold() == self._state.netbios.casefold():
            self._state.directory.closest(host.site)
        return full

    # -- firewall ------------------------------------------------------------------------------------------------

    def firewall_rules(self, server: str) -> list[FirewallRule]:
        """All inbound rules that the lab knows."""
        return list(self._state.server(server).firewall)

    def enable_rules(self, server: str, names: Sequence[str], *, enabled: bool = True) -> None:
        """Enable-/Disable-NetFirewallRule by rule name. Raises `not_found` (object firewall_rule)."""
        host = self._state.server(server)
        by_name = {rule.name.casefold(): rule for rule in host.firewall}
        missing = [name for name in names if name.casefold() not in by_name]
        if missing:
            raise WorldError("not_found", f"no rule {missing[0]}", object="firewall_rule", name=missing[0])
        changed = [rule for rule in (by_name[name.casefold()] for name in names) if rule.enabled is not enabled]
        for rule in changed:
            rule.enabled = enabled
        if changed:
            shown = ", ".join(rule.name for rule in changed)
            self._state.log.add("firewall", host.name, rules=shown, enabled=enabled)
            self._state.review()

    def add_rule(self, server: str, rule: FirewallRule) -> None:
        """New-NetFirewallRule, inbound. Raises `exists`."""
        host = self._state.server(server)
        if any(one.name.casefold() == rule.name.casefold() for one in host.firewall):
            raise WorldError("exists", f"there is a rule {rule.name}", object="firewall_rule", name=rule.name)
        host.firewall.append(rule)
        self._state.log.add("firewall", host.name, rules=rule.name, enabled=rule.enabled)
        self._state.review()

    # -- disks ---------------------------------------------------------------------------------------------------

    def look_at_disks(self, server: str) -> None:
        """Update-HostStorageCache: a disk that has grown is seen."""
        for volume in self._state.server(server).volumes:
            volume.disk_seen = volume.disk

    def most_size(self, volume: Volume) -> int:
        """What its partition may grow to on the disk as Windows sees it."""
        return max(volume.size, volume.disk_seen)

    def resize(self, server: str, mount: str, size: int) -> None:
        """Resize-Partition, bigger only. Raises `not_found`, `invalid`."""
        host = self._state.server(server)
        volume = host.volumes.get(mount)
        if volume is None:
            raise WorldError("not_found", f"{host.name} has no volume {mount}", object="volume", name=mount)
        most = self.most_size(volume)
        if not volume.size < size <= most:
            raise WorldError(
                "invalid", "the size is not supported", parameter="Size", value=size, allowed=f"up to {most}"
            )
        volume.size = size
        self._state.log.add("volume_resized", host.name, volume=volume.mount, size=size)
        self._state.review()

    # -- shares --------------------------------------------------------------------------------------------------

    def shares(self, server: str) -> list[SmbShare]:
        """Get-SmbShare."""
        return sorted(self._state.server(server).shares, key=lambda share: share.name.casefold())

    def make_share(self, server: str, name: str, path: str, access: Sequence[str]) -> SmbShare:
        """New-SmbShare -FullAccess. Raises `exists`, `file_not_found`, `not_found` (object account)."""
        host = self._state.server(server)
        if name in host.shares:
            raise WorldError("exists", f"{host.name} shares {name} already", object="share", name=name)
        if not host.files.exists(path):
            raise WorldError("file_not_found", f"there is no folder {path}", path=path)
        made = SmbShare(name, path, tuple(self._account(host, one) for one in access))
        host.shares.add(name, made)
        self._state.log.add("share_made", host.name, share=name, path=path)
        self._state.review()
        return made

    def remove_share(self, server: str, name: str) -> None:
        """Remove-SmbShare. Raises `not_found`."""
        host = self._state.server(server)
        self._share(host, name)
        host.shares.discard(name)
        self._state.log.add("share_removed", host.name, share=name)
        self._state.review()

    def grant_share(self, server: str, name: str, account: str) -> None:
        """Grant-SmbShareAccess -AccessRight Full. Raises `not_found`."""
        host = self._state.server(server)
        share, full = self._share(host, name), self._account(host, account)
        share.access = tuple(dict.fromkeys((*share.access, full)))
        self._state.log.add("share_access", host.name, share=share.name, granted=full)
        self._state.review()

    def _share(self, host: Server, name: str) -> SmbShare:
        found = host.shares.get(name)
        if found is None:
            raise WorldError("not_found", f"{host.name} shares no {name}", object="share", name=name)
        return found

    # -- the network as seen from a host --------------------------------------------------------------------------

    def ping(self, asked: str, target: str) -> float | None:
        """Round trip in milliseconds to a host name or address, or None; a hung host answers ping."""
        state, host = self._state, self._state.server(asked)
        found = self._at(target)
        if found is None or not state.answers(host) or found.power != "on":
            return None
        if not state.linked(host, found) or not self._carried(host, found, target):
            return None
        if host is found:
            return 0.0
        between = frozenset((host.az, found.az))
        usual = state.tuning.rtt_same_az_ms if len(between) == 1 else state.tuning.rtt_cross_az_ms
        lost = state.packet_loss.get(between, 0.0)
        if lost and state.dice.between(0.0, 1.0, host.name, f"ping {found.name}") < lost:
            return None
        return state.latency_ms.get(between, usual)

    def port_open(self, asked: str, target: str, port: int) -> bool:
        """Whether TCP reaches a port of a host name or address: route, card, firewall and service."""
        state, host, found = self._state, self._state.server(asked), self._at(target)
        if found is None and self._balanced(host, target):
            return port == 443
        if found is None or not state.reaches(host, found) or not self._carried(host, found, target):
            return False
        service = REPL if port in self._replication_ports(found) else _PORTS.get(port)
        if service is None or (service and not state.runs(found, service)):
            return False
        if port == 5986 or host is found:
            return True
        rules = [rule for rule in found.firewall if rule.port == port]
        return (not rules and port in _PORTS) or any(rule.enabled for rule in rules)

    def _balanced(self, host: Server, target: str) -> bool:
        """Whether a load balancer takes a connection: its node's zone is there, a server behind it answers."""
        state = self._state
        if not any(target in addresses for addresses in state.balancer_addresses.values()):
            return False
        subnet = next((one for one in state.subnets if ip_address(target) in ip_network(one.cidr)), None)
        zone = state.azs.get(subnet.az) if subnet is not None else None
        cut_off = zone is not None and (zone.state == "lost" or (zone.state == "isolated" and zone.name != host.az))
        behind = (server for server in state.servers if server.exchange is not None and state.runs(server, "W3SVC"))
        return state.answers(host) and not cut_off and any(behind)

    def _replication_ports(self, host: Server) -> set[int]:
        """Where MSExchangeRepl of a member listens."""
        directory = self._state.directory
        try:
            dags = dags_on(directory, directory.closest(host.site))
        except WorldError:
            return set()
        return {dag.replication_port for dag in dags if host.name.casefold() in {one.casefold() for one in dag.members}}

    def _at(self, target: str) -> Server | None:
        """The host behind a name or an address, a cluster's address included."""
        state = self._state
        for server in state.servers:
            if server.address == target or any(target in nic.addresses for nic in server.nics):
                return server
        for cluster in state.clusters:
            if cluster.online_address == target and cluster.core_owner:
                owner = state.servers[cluster.core_owner]
                # EC2 delivers only what is assigned to the interface.
                routed = any(target in nic.secondary or not nic.eni for nic in owner.nics)
                return owner if routed else None
        return state.servers.get(target)

    def _carried(self, host: Server, target: Server, address: str) -> bool:
        """Whether the cards between two hosts carry packets; networks without a gateway reach only by their routes."""
        nic = next((nic for nic in target.nics if address in nic.addresses), None)
        if nic is None:
            nic = next((nic for nic in target.nics if nic.is_mapi), None)
        if nic is None:
            return True
        if not nic.up:
            return False
        if nic.is_mapi or host is target:
            return any(one.is_mapi and one.up for one in host.nics) or not len(host.nics)
        return any(
            one.up and (one.subnet == nic.subnet or any(route.prefix == nic.subnet for route in one.routes))
            for one in host.nics
            if not one.is_mapi
        )

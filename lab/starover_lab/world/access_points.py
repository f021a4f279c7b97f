"""The administrative access point of a DAG's cluster: computer account, addresses, DNS name; knows no quorum.

Static addresses only: EC2's DHCP gives no second one. A DAG without an access point has none of this.
"""

from __future__ import annotations

import ipaddress
from dataclasses import replace

from starover_lab.world.ad_objects import ActiveDirectory, ComputerObject, computer_key, computer_object
from starover_lab.world.dag_objects import NO_ADDRESS
from starover_lab.world.directory import DomainController
from starover_lab.world.dns import Dns
from starover_lab.world.entities import Cluster, DagObject, Server
from starover_lab.world.errors import WorldError
from starover_lab.world.principals import ETS
from starover_lab.world.state import State

__all__ = ["AccessPoints", "fitting"]

_DESCRIPTION = "Failover cluster virtual network name account"


class AccessPoints:
    """Makes, moves and takes away access points."""

    def __init__(self, state: State, ad: ActiveDirectory, dns: Dns) -> None:
        self._state = state
        self._ad = ad
        self._dns = dns

    def check(self, dag: DagObject, host: Server) -> None:
        """Whether `host` could form the DAG's cluster.

        Raises `no_ip_for_subnet`, `ip_in_use`, `cno_denied`, `cno_in_use`, `no_dc`; nothing without an access point.
        """
        addresses = _own(dag)
        if not addresses:
            return
        if not fitting(addresses, host):
            subnet = next((nic.subnet for nic in host.nics if nic.is_mapi), host.subnet)
            raise WorldError(
                "no_ip_for_subnet", f"{dag.name} has no address in {subnet}", server=host.name, subnet=subnet
            )
        for address in addresses:
            user = self._user(address, dag.name)
            if user:
                raise WorldError("ip_in_use", f"{address} is used by {user}", address=address, by=user)
        account = self._account(dag.name, self._state.directory.closest(host.site))
        if account is None and not self._state.cno_creation:
            raise WorldError("cno_denied", f"no right to create the account {dag.name}", name=dag.name)
        if account is not None and account.enabled:
            raise WorldError("cno_in_use", f"{dag.name} is a live computer", name=dag.name)
        allowed = (f"{self._state.netbios}\\{ETS}", f"{self._state.netbios}\\{host.name}$")
        if account is not None and not set(allowed) & set(account.full_control):
            raise WorldError("cno_denied", f"no full control over the account {dag.name}", name=dag.name)

    def make(self, cluster: Cluster, dag: DagObject, host: Server) -> None:
        """Give a new cluster its access point."""
        cluster.addresses = _own(dag)
        if not cluster.addresses:
            return
        state, dc = self._state, self._state.directory.closest(host.site)
        account = self._account(dag.name, dc)
        if account is None:
            account = computer_object(state, dag.name, enabled=False)
        made = replace(
            account,
            enabled=True,
            description=account.description or _DESCRIPTION,
            password_set=state.now,
            dns_name=f"{dag.name}.{state.dns_name}",
        )
        self._ad.put_computer(dc, made, "cno_enabled")

    def unmake(self, cluster: Cluster, dc: DomainController) -> None:
        """The cluster is destroyed: its account is disabled and stays."""
        account = self._account(cluster.name, dc) if cluster.addresses else None
        if account is not None:
            self._ad.put_computer(dc, replace(account, enabled=False), "cno_disabled")

    def review(self) -> None:
        """The address that fits the owner of the core group is online, and registered in DNS."""
        for cluster in self._state.clusters:
            if not cluster.addresses:
                continue
            owner = self._state.servers.get(cluster.core_owner) if cluster.quorate and cluster.core_owner else None
            online = fitting(cluster.addresses, owner) if owner is not None else ""
            if online == cluster.online_address:
                continue
            cluster.online_address = online
            if owner is None or not online:
                continue
            self._state.log.add("address_online", cluster.name, address=online, node=owner.name)
            try:
                dc = self._state.directory.closest(owner.site)
            except WorldError:
                continue
            self._dns.register(dc, f"{cluster.name}.{self._state.dns_name}", (online,))

    def _account(self, name: str, dc: DomainController) -> ComputerObject | None:
        return self._state.directory.read(dc, computer_key(name), ComputerObject)

    def _user(self, address: str, dag: str) -> str:
        """Who has an address already, in Windows or as another cluster; empty: nobody."""
        for server in self._state.servers:
            if server.address == address or any(address in nic.addresses for nic in server.nics):
                return server.name
        taken = [one for one in self._state.clusters if address in one.addresses]
        return next((one.name for one in taken if one.name.casefold() != dag.casefold()), "")


def _own(dag: DagObject) -> tuple[str, ...]:
    return tuple(one for one in dag.ip_addresses if one != NO_ADDRESS)


def fitting(addresses: tuple[str, ...], host: Server) -> str:
    """The first of some addresses that lies in the subnet of a card by which clients reach a host; empty: none."""
    networks = [ipaddress.ip_network(nic.subnet) for nic in host.nics if nic.is_mapi and nic.subnet]
    return next((one for one in addresses if any(ipaddress.ip_address(one) in net for net in networks)), "")

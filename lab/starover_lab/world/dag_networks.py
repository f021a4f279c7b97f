"""`world.networks`: the networks of a DAG, discovered from its members' cards or set by hand; knows no cmdlet text."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from starover_lab.world.ad_objects import ActiveDirectory
from starover_lab.world.dag_objects import read_dag, write_dag
from starover_lab.world.directory import DomainController
from starover_lab.world.entities import Cluster, DagObject, NetworkConfig, Server
from starover_lab.world.errors import WorldError
from starover_lab.world.machine_parts import Nic
from starover_lab.world.network_map import is_mapi, networks_of
from starover_lab.world.state import State

__all__ = ["DagNetworks", "InterfaceView", "NetworkView", "SubnetView"]


_MOST_NAME = 128
SubnetState = Literal["Up", "Down", "Partitioned", "Misconfigured", "Unavailable", "Unknown"]
InterfaceState = Literal["Up", "Failed", "Unreachable", "Unavailable", "Unknown"]


@dataclass(frozen=True)
class SubnetView:
    """A subnet of a DAG network."""

    subnet: str
    """CIDR."""
    state: SubnetState


@dataclass(frozen=True)
class InterfaceView:
    """A member's card in a DAG network."""

    server: str
    state: InterfaceState
    address: str


@dataclass(frozen=True, kw_only=True)
class NetworkView:
    """A DAG network at one moment."""

    name: str
    description: str
    subnets: tuple[SubnetView, ...]
    interfaces: tuple[InterfaceView, ...]
    mapi_access: bool
    replication: bool
    ignored: bool


class DagNetworks:
    """DAG networks."""

    def __init__(self, state: State, ad: ActiveDirectory) -> None:
        self._state = state
        self._ad = ad

    def of(self, dag: str, asked: str, *, dc: str | None = None) -> list[NetworkView]:
        """Get-DatabaseAvailabilityGroupNetwork, by name. Raises `not_found`, `no_dc`."""
        state = self._state
        found = read_dag(state.directory, self._ad.dc(asked, dc), dag)
        cluster = state.cluster_of(found.name, state.server(asked))
        networks = networks_of(state, found, cluster)
        return [self._view(network, cluster) for network in sorted(networks, key=lambda one: one.name.casefold())]

    def create(
        self,
        dag: str,
        name: str,
        asked: str,
        *,
        subnets: Sequence[str] = (),
        description: str = "",
        replication: bool = True,
        ignored: bool = False,
        dc: str | None = None,
    ) -> None:
        """New-DatabaseAvailabilityGroupNetwork; a subnet leaves the network it was in.

        Its state is Unknown until networks are discovered. Raises `not_found`, `networks_automatic`, `name_in_use`,
        `syntax` (Name, Subnets), `no_quorum`.
        """
        found, target, cluster = self._manual(dag, asked, dc)
        networks = networks_of(self._state, found, cluster)
        _check_name(name, networks)
        wanted = _cidrs(subnets)
        made = NetworkConfig(
            name=name, subnets=wanted, description=description, replication=replication, ignored=ignored
        )
        self._write(found, target, (*_without(networks, wanted), made), name)

    def change(
        self,
        dag: str,
        name: str,
        asked: str,
        *,
        new_name: str | None = None,
        subnets: Sequence[str] | None = None,
        description: str | None = None,
        replication: bool | None = None,
        ignored: bool | None = None,
        dc: str | None = None,
    ) -> None:
        """Set-DatabaseAvailabilityGroupNetwork. Raises as `create`, and `not_found` (object network)."""
        found, target, cluster = self._manual(dag, asked, dc)
        networks = networks_of(self._state, found, cluster)
        old = _named(networks, name)
        if new_name is not None and new_name.casefold() != old.name.casefold():
            _check_name(new_name, networks)
        wanted = old.subnets if subnets is None else _cidrs(subnets)
        new = NetworkConfig(
            name=new_name or old.name,
            subnets=wanted,
            description=old.description if description is None else description,
            replication=old.replication if replication is None else replication,
            ignored=old.ignored if ignored is None else ignored,
        )
        others = _without(tuple(one for one in networks if one is not old), wanted)
        self._write(found, target, (*others, new), new.name)

    def remove(self, dag: str, name: str, asked: str, *, dc: str | None = None) -> None:
        """Remove-DatabaseAvailabilityGroupNetwork. Raises `not_found`, `networks_automatic`, `has_subnets`."""
        found, target, cluster = self._manual(dag, asked, dc)
        networks = networks_of(self._state, found, cluster)
        old = _named(networks, name)
        if old.subnets:
            raise WorldError("has_subnets", f"{old.name} has subnets", network=old.name, subnets=list(old.subnets))
        self._write(found, target, tuple(one for one in networks if one is not old), old.name)

    # -- small things --------------------------------------------------------------------------------------------

    def _manual(self, dag: str, asked: str, dc: str | None) -> tuple[DagObject, DomainController, Cluster | None]:
        state, target = self._state, self._ad.dc(asked, dc)
        found = read_dag(state.directory, target, dag)
        if not found.manual_networks:
            raise WorldError("networks_automatic", f"{found.name} keeps its networks itself", dag=found.name)
        cluster = state.cluster_of(found.name, state.server(asked))
        if cluster is not None and not cluster.quorate:
            raise WorldError("no_quorum", f"the cluster {cluster.name} has no quorum", cluster=cluster.name)
        return found, target, cluster

    def _write(
        self, found: DagObject, target: DomainController, networks: tuple[NetworkConfig, ...], name: str
    ) -> None:
        state = self._state
        write_dag(state.directory, target, replace(found, networks=networks), state.now)
        state.cards_changed += 1
        state.log.add("network_set", f"{found.name}\\{name}", dc=target.name)
        state.review()

    def _view(self, network: NetworkConfig, cluster: Cluster | None) -> NetworkView:
        state = self._state
        members = [state.servers[node.server] for node in cluster.nodes] if cluster is not None else []
        cards = [
            (server, nic) for server in members for nic in server.nics if nic.subnet and nic.subnet in network.subnets
        ]
        twice = len({server.name for server, _ in cards}) < len(cards)
        discovered = cluster.discovered if cluster is not None else set[str]()
        return NetworkView(
            name=network.name,
            description=network.description,
            subnets=tuple(
                SubnetView(subnet, "Misconfigured" if twice else self._subnet_state(subnet, cards, discovered))
                for subnet in network.subnets
            ),
            interfaces=tuple(
                InterfaceView(server.name, self._interface_state(server, nic), nic.addresses[0])
                for server, nic in cards
            ),
            mapi_access=is_mapi(state, network),
            replication=network.replication,
            ignored=network.ignored,
        )

    def _subnet_state(self, subnet: str, cards: list[tuple[Server, Nic]], discovered: set[str]) -> SubnetState:
        if subnet not in discovered:
            return "Unknown"
        own = [(server, nic) for server, nic in cards if nic.subnet == subnet]
        states = {self._interface_state(server, nic) for server, nic in own}
        if not states:
            return "Unknown"
        if states == {"Up"}:
            return "Up"
        if states == {"Unavailable"}:
            return "Unavailable"
        return "Partitioned" if "Up" in states else "Down"

    def _interface_state(self, server: Server, nic: Nic) -> InterfaceState:
        if not self._state.answers(server):
            return "Unavailable"
        return "Up" if nic.up else "Failed"


def _named(networks: tuple[NetworkConfig, ...], name: str) -> NetworkConfig:
    plain = name.rpartition("\\")[2]
    for one in networks:
        if one.name.casefold() == plain.casefold():
            return one
    raise WorldError("not_found", f"there is no DAG network {name}", object="network", name=name)


def _check_name(name: str, networks: tuple[NetworkConfig, ...]) -> None:
    if not name or len(name) > _MOST_NAME:
        raise WorldError("syntax", "a network's name has 1 to 128 characters", parameter="Name", value=name)
    if any(one.name.casefold() == name.casefold() for one in networks):
        raise WorldError("name_in_use", f"there is a network {name}", name=name, by="network")


def _cidrs(subnets: Sequence[str]) -> tuple[str, ...]:
    found: list[str] = []
    for one in subnets:
        try:
            found.append(str(ipaddress.ip_network(one)))
        except ValueError:
            raise WorldError("syntax", f"`{one}` is no subnet", parameter="Subnets", value=one) from None
    return tuple(dict.fromkeys(found))


def _without(networks: tuple[NetworkConfig, ...], subnets: tuple[str, ...]) -> tuple[NetworkConfig, ...]:
    """The networks with some subnets taken out of them."""
    return tuple(
        replace(one, subnets=tuple(subnet for subnet in one.subnets if subnet not in subnets)) for one in networks
    )

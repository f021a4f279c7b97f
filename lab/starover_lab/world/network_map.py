"""Which networks a DAG has and which of them two servers share, computed from cards and settings; changes nothing.

Automatic networks [doc]: every subnet by which clients come belongs to MapiDagNetwork, the further cards of the members
to ReplicationDagNetwork01, 02 and so on, in the order of the cards.
"""

from __future__ import annotations

from collections.abc import Iterable

from starover_lab.world.dag_objects import find_dag
from starover_lab.world.entities import Cluster, DagObject, NetworkConfig, Server
from starover_lab.world.errors import WorldError
from starover_lab.world.state import State

__all__ = ["MAPI", "automatic", "is_mapi", "known_networks", "networks_of", "shared", "still_usable", "usable"]

MAPI = "MapiDagNetwork"


def automatic(members: Iterable[Server], discovered: set[str]) -> tuple[NetworkConfig, ...]:
    """The networks that a DAG finds by itself."""
    found: dict[str, dict[str, None]] = {}
    for server in members:
        further = 0
        for nic in server.nics:
            if nic.subnet not in discovered:
                continue
            if nic.is_mapi:
                name = MAPI
            else:
                further += 1
                name = f"ReplicationDagNetwork{further:02d}"
            found.setdefault(name, {})[nic.subnet] = None
    return tuple(NetworkConfig(name=name, subnets=tuple(found[name])) for name in sorted(found))


def networks_of(state: State, dag: DagObject, cluster: Cluster | None) -> tuple[NetworkConfig, ...]:
    """A DAG's networks: set by hand, or found."""
    if dag.manual_networks and dag.networks:
        return dag.networks
    if cluster is None:
        return ()
    return automatic((state.servers[node.server] for node in cluster.nodes), cluster.discovered)


def is_mapi(state: State, network: NetworkConfig) -> bool:
    """Whether clients come by one of a network's subnets."""
    return any(nic.is_mapi and nic.subnet in network.subnets for server in state.servers for nic in server.nics)


def usable(network: NetworkConfig, one: Server, other: Server) -> bool:
    """Whether both servers have a card in a network that carries packets."""
    if network.ignored:
        return False
    return all(any(nic.up and nic.subnet in network.subnets for nic in server.nics) for server in (one, other))


def known_networks(state: State, dag: str, asker: Server) -> tuple[NetworkConfig, ...]:
    """A DAG's networks as a server knows them; none when no DC answers it."""
    try:
        dc = state.directory.closest(asker.site)
    except WorldError:
        return ()
    found = find_dag(state.directory, dc, dag)
    return networks_of(state, found, state.cluster_of(dag, asker)) if found is not None else ()


def shared(state: State, dag: str, source: Server, target: Server) -> str:
    """The network that a new connection between two members takes: one for replication, else the MAPI network."""
    fitting = [one for one in known_networks(state, dag, target) if usable(one, source, target)]
    order = sorted(fitting, key=lambda one: (is_mapi(state, one) or not one.replication, not one.replication, one.name))
    return order[0].name if order else ""


def still_usable(state: State, dag: str, name: str, source: Server, target: Server) -> bool:
    """Whether a connection that goes over a network may stay there."""
    return any(
        one.name.casefold() == name.casefold() and usable(one, source, target)
        for one in known_networks(state, dag, target)
    )

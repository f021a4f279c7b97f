"""Invariants of clusters beside each other, quorum, forcing and recovery (I2, I7, I17, I18); changes nothing."""

from __future__ import annotations

from collections.abc import Iterator

from starover_lab.world.cluster import CLUSSVC
from starover_lab.world.dag_objects import find_dag
from starover_lab.world.entities import Cluster, DagObject
from starover_lab.world.errors import WorldError
from starover_lab.world.events import Event
from starover_lab.world.forced_quorum import holds
from starover_lab.world.names import same
from starover_lab.world.state import State, first_label

__all__ = ["untrue_in_disaster"]

Untrue = tuple[str, str, str]
"""Invariant, subject, text."""
_QUORUM_SET = frozenset({"member_added", "member_removed", "dag_restored", "witness_set", "quorum_type"})


def untrue_in_disaster(state: State, event: Event, standing: set[tuple[str, str]]) -> Iterator[Untrue]:
    """What is untrue now. What an event alone shows stands for the moment of that event."""
    yield from _clusters(state)
    if event.kind in _QUORUM_SET or any(id_ == "I7" for id_, _ in standing):
        yield from _parity(state)
    if event.kind == "dag_changed":
        yield from _witness_left(state, event)
    if event.kind == "quorum_forced":
        yield from _unfenced(state, event)


def _clusters(state: State) -> Iterator[Untrue]:
    """I2: two clusters of one DAG may only be where they cannot mount the same database."""
    for name in state.dags:
        quorate = [one for one in state.clusters if same(one.name, name) and one.quorate]
        if len(quorate) > 1 and sum(_may_mount(state, one) for one in quorate) > 1:
            forced = sum(one.epoch > 0 for one in quorate)
            yield "I2", name, f"{len(quorate)} clusters of one DAG have quorum, {forced} of them since it was forced"


def _may_mount(state: State, cluster: Cluster) -> bool:
    """Whether a node of a cluster may mount: DAC is off, or its bit is set."""
    for node in cluster.nodes:
        server = state.servers[node.server]
        if not (holds(cluster, node.server) and node.serves and server.exchange is not None):
            continue
        dag = _dag(state, cluster, node.server)
        if dag is None or dag.dac_mode == "Off" or server.exchange.dacp_bit:
            return True
    return False


def _parity(state: State) -> Iterator[Untrue]:
    """I7: an odd number of nodes goes without a witness, an even one with it."""
    for name in state.dags:
        cluster = state.leading_cluster(name)
        if cluster is None or not cluster.quorate or not cluster.core_owner:
            continue
        dag = _dag(state, cluster, cluster.core_owner)
        count = len(cluster.nodes)
        if dag is None or not dag.witness_server or count == 1:
            continue
        if cluster.votes.witness is (count % 2 == 1):
            yield "I7", name, f"{cluster.quorum_type} with {count} nodes"


def _witness_left(state: State, event: Event) -> Iterator[Untrue]:
    """I17: while a recovery is open, a Set-DAG names the witness in use."""
    named = first_label(str(event.data.get("named_witness") or ""))
    for cluster in state.clusters:
        if not (same(cluster.name, event.subject) and cluster.quorate and cluster.recovering):
            continue
        in_use = cluster.votes.witness and cluster.votes.witness_online  # a dead one may be replaced (S-QUORUM-FIX)
        if in_use and not same(named, cluster.witness_server):
            yield "I17", event.subject, f"a Set-DAG during a recovery that does not name {cluster.witness_server}"


def _unfenced(state: State, event: Event) -> Iterator[Untrue]:
    """I18: quorum is forced only where nobody else of the DAG can still run, or come back by itself."""
    forcing = state.servers[str(event.data["node"])]
    own = state.cluster_on(forcing)
    if own is None:
        return
    for node in own.nodes:
        host = state.servers[node.server]
        held = state.cluster_on(host)
        if host is forcing or held is None or held.origin != own.origin or host.power == "off":
            continue
        service = host.services.get(CLUSSVC)
        runs = service is not None and service.start_type != "Disabled"
        if runs and (not state.linked(forcing, host) or (held is not own and held.quorate)):
            yield "I18", own.name, f"quorum was forced on {forcing.name} while {host.name} was not fenced"


def _dag(state: State, cluster: Cluster, server: str) -> DagObject | None:
    try:
        dc = state.directory.closest(state.servers[server].site)
    except WorldError:
        return None
    return find_dag(state.directory, dc, cluster.name)

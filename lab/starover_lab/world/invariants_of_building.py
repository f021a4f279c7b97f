"""Invariants of clusters, witnesses, activation and DNS (I6, I10, I11, I14, I15); changes nothing."""

from __future__ import annotations

from collections.abc import Iterator

from starover_lab.world.dag_objects import converged, dags_on
from starover_lab.world.directory import DomainController
from starover_lab.world.dns_zones import Node
from starover_lab.world.entities import DagObject
from starover_lab.world.events import Event
from starover_lab.world.state import State, first_label

__all__ = ["untrue"]

Untrue = tuple[str, str, str]
"""Invariant, subject, text."""
_MEMBERSHIP = frozenset(
    {"cluster_formed", "member_added", "member_removed", "member_failed", "node_evicted", "dag_changed", "dag_created"}
)


def untrue(state: State, event: Event, standing: set[tuple[str, str]]) -> Iterator[Untrue]:
    """What is untrue now. Costly looks are taken after the events that may change them, or while they stand."""
    yield from _clusters(state)
    if event.kind in _MEMBERSHIP or any(id_ in ("I6", "I11") for id_, _ in standing):
        dags = _known(state)
        yield from _nodes_are_members(state, dags)
        yield from _witnesses(dags)
    yield from _activation(state, event)
    yield from _names(state, event, looked=any(id_ == "I14" for id_, _ in standing))


def _known(state: State) -> list[DagObject]:
    dc: DomainController | None = next((one for one in state.directory.controllers if one.up()), None)
    return dags_on(state.directory, dc) if dc is not None else []


def _clusters(state: State) -> Iterator[Untrue]:
    counted: dict[str, set[str]] = {}
    for cluster in state.clusters:
        counted.setdefault(cluster.name, set()).add(cluster.origin)
    for name, origins in counted.items():
        if len(origins) > 1:
            yield "I6", name, f"{len(origins)} clusters of one DAG"


def _nodes_are_members(state: State, dags: list[DagObject]) -> Iterator[Untrue]:
    for dag in dags:
        if not converged(state.directory, dag.name):
            continue
        known = {name.casefold() for name in dag.members}
        for cluster in state.clusters:
            if cluster.name.casefold() != dag.name.casefold():
                continue
            strangers = [
                node.server for node in cluster.nodes if node.state != "Down" and node.server.casefold() not in known
            ]
            if strangers:
                yield "I6", f"{dag.name} members", f"{', '.join(strangers)} in the cluster, not in the DAG"


def _witnesses(dags: list[DagObject]) -> Iterator[Untrue]:
    used: dict[tuple[str, str], str] = {}
    for dag in dags:
        members = {name.casefold() for name in dag.members}
        for host, folder in (
            (dag.witness_server, dag.witness_directory),
            (dag.alternate_witness_server, dag.alternate_witness_directory),
        ):
            if not host:
                continue
            if first_label(host).casefold() in members:
                yield "I11", dag.name, f"the witness {host} is a member"
            other = used.setdefault((first_label(host).casefold(), folder.casefold()), dag.name)
            if other != dag.name:
                yield "I11", dag.name, f"{folder} on {host} is the witness of {other} too"


def _activation(state: State, event: Event) -> Iterator[Untrue]:
    if event.kind not in ("database_mounting", "database_mounted", "active_moved"):
        return
    database = state.databases.get(event.subject)
    if database is None:
        return
    copy, server = database.copies.get(database.active), state.servers[database.active]
    skipped = event.data.get("skipped")
    explicit = isinstance(skipped, list) and not {"Health", "Lag"}.isdisjoint(skipped)
    blocked = copy is not None and copy.replay_lag_s > 0 and copy.activation_suspended and not explicit
    if event.kind == "active_moved" and copy is not None and blocked:
        yield "I10", f"{database.name}\\{copy.server}", "a lagged copy whose activation is blocked was activated"
    exchange = server.exchange
    if event.kind != "active_moved" and database.dag and exchange is not None and not exchange.dacp_bit:
        guarded = any(dag.dac_mode == "DagOnly" for dag in _known(state) if dag.name == database.dag)
        if guarded:
            yield "I15", database.name, f"mounted on {server.name} while its DACP bit is 0"


def _names(state: State, event: Event, *, looked: bool) -> Iterator[Untrue]:
    gone = event.kind == "dns_removed" and event.data.get("type") == "A" and event.data.get("left") == 0
    if gone and event.subject.casefold() in {name.casefold() for name in state.client_names}:
        yield "I14", event.subject, "the last address of a name that clients use was removed"
    if not (looked or event.kind.startswith("dns_")):
        return
    for dc in state.directory.controllers:
        for key in state.directory.keys(dc, "dns:"):
            node = state.directory.read(dc, key, Node)
            kinds = [record.type for record in node.records] if node is not None else []
            if "CNAME" in kinds and len(kinds) > 1:
                yield "I14", key.rpartition(":")[2], "a name with a CNAME has other records"

"""What may never be untrue while servers are worked on (simulator.md section 9: I9, I13); changes nothing."""

from __future__ import annotations

from collections.abc import Iterator

from starover_lab.world.entities import Server
from starover_lab.world.events import Event
from starover_lab.world.state import State

__all__ = ["runs_nothing", "untrue_in_operations"]

_OFFLINE, _REQUESTER = "ServerWideOffline", "Maintenance"


def untrue_in_operations(state: State, event: Event) -> Iterator[tuple[str, str, str]]:
    """I9: one member of a DAG is in maintenance at a time. An override of it is nowhere to be seen here."""
    data = event.data
    if event.kind != "component" or (data.get("component"), data.get("state")) != (_OFFLINE, "Inactive"):
        return
    for cluster in state.clusters:
        names = [node.server for node in cluster.nodes]
        if data.get("requester") != _REQUESTER or event.subject not in names:
            continue
        out = [name for name in names if _in_maintenance(state.servers[name])]
        if len(out) > 1:
            yield "I9", cluster.name, f"{' and '.join(out)} are in maintenance at once"


def _in_maintenance(server: Server) -> bool:
    exchange = server.exchange
    component = exchange.components.get(_OFFLINE) if exchange is not None else None
    return component is not None and component.local.get(_REQUESTER, ("Active", None))[0] == "Inactive"


def runs_nothing(state: State, server: Server) -> str:
    """I13: why no step can run on a host; empty: it can. A fenced host is off, or nothing passes its subnet."""
    zone = state.azs.get(server.az)
    if server.power != "on":
        return "is off"
    if zone is not None and zone.state == "lost":
        return f"is in {zone.name}, which is lost"
    if not all(passes(server, None) for passes in state.filters):
        return "is fenced by its network"
    return ""

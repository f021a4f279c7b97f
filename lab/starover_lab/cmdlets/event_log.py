"""Get-WinEvent: what the cluster service of this host wrote into its System log; knows no other event yet.

The world's own log says who was up when; a host logs what happened while its cluster service was up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from starover_lab.cmdlets.machine import Machine, reading
from starover_lab.cmdlets.objects import moment, product
from starover_lab.powershell.command import Body, Invocation
from starover_lab.powershell.values import Long, PSArray, PSHashtable, PSObject, Unsupported, Value, enumerate_
from starover_lab.world.state import first_label

__all__ = ["BODIES"]

_PROVIDER = "Microsoft-Windows-FailoverClustering"
_KEYS = {"logname", "providername", "id"}
_TEXTS = {
    1135: "Cluster node '{0}' was removed from the active failover cluster membership. The Cluster service on this "
    "node may have stopped.",
    1177: "The Cluster service is shutting down because quorum was lost. This could be due to the loss of network "
    "connectivity between some or all nodes in the cluster, or a failover of the witness disk.",
}
"""Unverified wording."""


@dataclass(frozen=True)
class _Entry:
    time: datetime
    id: int
    about: str


def _entries(here: Machine) -> Iterator[_Entry]:
    """Of this host, the oldest first: nodes removed while it was up, and the loss of quorum that stopped it."""
    host = first_label(here.host).casefold()
    clusters = {
        cluster.name: {node.server.casefold() for node in cluster.nodes} for cluster in here.world.state.clusters
    }
    away: set[str] = set()
    for event in here.world.events:
        if event.kind in ("node_up", "host_up"):
            away.discard(event.subject.casefold())
        elif event.kind == "host_off":
            away.add(event.subject.casefold())
        elif event.kind == "node_down":
            away.add(event.subject.casefold())
            own = host in clusters.get(str(event.data.get("cluster")), set())
            if own and host not in away and not event.data.get("clean"):
                yield _Entry(event.time, 1135, event.subject)
        elif event.kind == "quorum_lost":
            nodes = clusters.get(event.subject, set())
            if host in nodes and host not in away:
                yield _Entry(event.time, 1177, event.subject)
            away |= nodes


def get_win_event(call: Invocation) -> Iterator[Value]:
    """Get-WinEvent -FilterHashtable, for the cluster's events in the System log."""
    given = call.bound.get("FilterHashtable")
    tables = list(enumerate_(given)) if isinstance(given, PSArray) else [given]
    if len(tables) != 1 or not isinstance(tables[0], PSHashtable):
        raise Unsupported("Get-WinEvent: the lab knows -FilterHashtable with one table only")
    wanted = {str(key).casefold(): value for key, value in tables[0].pairs()}
    if not wanted.keys() <= _KEYS or [str(one) for one in _list(wanted.get("logname"))] != ["System"]:
        raise Unsupported("Get-WinEvent: the lab knows LogName System, ProviderName and Id only")
    here = reading(call)
    ids = {int(one) for one in _list(wanted.get("id")) if isinstance(one, int)}
    providers = {str(one).casefold() for one in _list(wanted.get("providername"))}
    found = [one for one in _entries(here) if not ids or one.id in ids]
    if providers and _PROVIDER.casefold() not in providers:
        raise Unsupported(f"Get-WinEvent: the lab's hosts keep events of {_PROVIDER} only")
    most = call.bound.get("MaxEvents")
    newest = found[::-1][: int(most)] if isinstance(most, int) else found[::-1]
    if not newest:
        message = "No events were found that match the specified selection criteria."
        call.error(call.record("NoMatchingEventsFound", "ObjectNotFound", message, type_name="System.Exception"))
        return
    for number, one in enumerate(newest):
        yield _record(here, one, len(found) - number)


def _list(value: Value) -> list[Value]:
    return [] if value is None else list(enumerate_(value)) if isinstance(value, PSArray) else [value]


def _record(here: Machine, one: _Entry, number: int) -> PSObject:
    return product(
        ["System.Diagnostics.Eventing.Reader.EventLogRecord", "System.Diagnostics.Eventing.Reader.EventRecord"],
        [
            ("Message", _TEXTS[one.id].format(one.about)),
            ("Id", one.id),
            ("Level", 1),
            ("RecordId", Long(number)),
            ("ProviderName", _PROVIDER),
            ("LogName", "System"),
            ("MachineName", here.world.server(here.host).fqdn),
            ("TimeCreated", moment(one.time)),
            ("LevelDisplayName", "Critical"),
        ],
    )


BODIES: dict[str, Body] = {"Get-WinEvent": get_win_event}

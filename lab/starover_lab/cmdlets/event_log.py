"""Get-WinEvent: the cluster's events in the System log of this host, and what else happened to it; writes nothing.

The world's own log says who was up when; a host logs what happened while its cluster service was up.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from starover_lab.cmdlets.machine import Machine, given_list, reading, switch
from starover_lab.cmdlets.net_enums import net_enum
from starover_lab.cmdlets.objects import extend, list_of, moment, product
from starover_lab.cmdlets.windows import fits, is_pattern
from starover_lab.powershell.command import Body, Invocation
from starover_lab.powershell.values import (
    Byte,
    DateTime,
    Guid,
    Int16,
    Long,
    PSArray,
    PSHashtable,
    PSObject,
    Unsupported,
    Value,
    enumerate_,
)
from starover_lab.world.host_events import CLASSIC, LOGS, Logged, host_events
from starover_lab.world.state import first_label

__all__ = ["BODIES"]

_PROVIDER = "Microsoft-Windows-FailoverClustering"
_READER = "System.Diagnostics.Eventing.Reader."
_NAMES = "System.Collections.ObjectModel.ReadOnlyCollection`1[[System.String]]"
_PROVIDER_IDS = {
    "Microsoft-Windows-FailoverClustering": "baf908ea-3421-4ca9-9b84-6689b8c6f85f",
    "Microsoft-Windows-Kernel-Power": "331c3b3a-2005-44c2-ac5e-77220c37d6b4",
    "Microsoft-Windows-WindowsUpdateClient": "945a8954-c147-4acd-925f-40c45405a658",
    "Service Control Manager": "555908d1-a6d7-4695-8e1e-26931d2012f4",
    "User32": "b0aa8734-56f7-41cc-b2f4-de228e98b946",
}
"""Providers with a manifest; the others are classic sources, whose events have qualifiers and no version."""
_CLASSIC_KEYWORD, _SYSTEM_KEYWORD = 36028797018963968, -9223372036854775808
"""As shape-e993d686eb and shape-fefdf5936f have them."""
_KEYS = {"logname", "providername", "id", "level", "starttime", "endtime"}
_LEVELS = {1: "Critical", 2: "Error", 3: "Warning", 4: "Information"}
_TEXTS = {
    1135: "Cluster node '{0}' was removed from the active failover cluster membership. The Cluster service on this "
    "node may have stopped.",
    1177: "The Cluster service is shutting down because quorum was lost. This could be due to the loss of network "
    "connectivity between some or all nodes in the cluster, or a failover of the witness disk.",
}
"""Unverified wording."""


def _cluster_events(here: Machine) -> Iterator[Logged]:
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
                yield _of_cluster(event.time, 1135, event.subject)
        elif event.kind == "quorum_lost":
            nodes = clusters.get(event.subject, set())
            if host in nodes and host not in away:
                yield _of_cluster(event.time, 1177, event.subject)
            away |= nodes


def _of_cluster(time: datetime, number: int, about: str) -> Logged:
    text = _TEXTS[number].format(about)
    return Logged(time=time, log="System", provider=_PROVIDER, id=number, level=1, text=text, values=(about,))


def _wanted(call: Invocation) -> dict[str, Value]:
    """What is asked for, by the keys of a filter table."""
    for other in ("FilterXml", "FilterXPath", "Path", "ComputerName", "ListProvider"):
        if call.bound.get(other) is not None:
            raise Unsupported(f"Get-WinEvent -{other}: the lab does not simulate it")
    given = call.bound.get("FilterHashtable")
    if given is None:
        named = {name: call.bound.get(name) for name in ("LogName", "ProviderName")}
        return {name.casefold(): value for name, value in named.items() if value is not None}
    tables = list(enumerate_(given)) if isinstance(given, PSArray) else [given]
    if len(tables) != 1 or not isinstance(tables[0], PSHashtable):
        raise Unsupported("Get-WinEvent: the lab knows -FilterHashtable with one table only")
    wanted = {str(key).casefold(): value for key, value in tables[0].pairs()}
    if not wanted.keys() <= _KEYS:
        raise Unsupported(f"Get-WinEvent: the lab filters by {', '.join(sorted(_KEYS))} only")
    return wanted


def _missing(call: Invocation, message: str, error_id: str = "NoMatchingEventsFound") -> None:
    call.error(call.record(error_id, "ObjectNotFound", message, type_name="System.Exception"))


def get_win_event(call: Invocation) -> Iterator[Value]:
    """Get-WinEvent by log, provider, number, level and time, the newest first; with -ListLog what logs there are."""
    wanted = _wanted(call)
    here = reading(call)
    if call.bound.get("ListLog") is not None:
        yield from _logs(call, here, given_list(call.bound.get("ListLog")))
        return
    logs = {str(one).casefold() for one in _list(wanted.get("logname"))}
    providers = {str(one).casefold() for one in _list(wanted.get("providername"))}
    known = {name.casefold() for name in LOGS}
    for name in sorted(logs - known):
        text = f'There is not an event log on the localhost computer that matches "{name}".'
        _missing(call, text, "NoMatchingLogsFound")
    written = {name.casefold() for names in LOGS.values() for name in names}
    if providers - written:
        raise Unsupported(f"Get-WinEvent: the lab's hosts keep no events of {', '.join(sorted(providers - written))}")
    ids = {int(one) for one in _list(wanted.get("id")) if isinstance(one, int)}
    levels = {int(one) for one in _list(wanted.get("level")) if isinstance(one, int)}
    first, last = _moment(wanted.get("starttime")), _moment(wanted.get("endtime"))
    every = _every(here)
    found = [
        one
        for one in every
        if (not logs or one.log.casefold() in logs)
        and (not providers or one.provider.casefold() in providers)
        and (not ids or one.id in ids)
        and (not levels or one.level in levels)
        and (first is None or _ticks(one) >= first)
        and (last is None or _ticks(one) <= last)
    ]
    most = call.bound.get("MaxEvents")
    ordered = found if switch(call.bound.get("Oldest")) else found[::-1]
    shown = ordered[: int(most)] if isinstance(most, int) else ordered
    if not shown and (not logs or logs & known):
        _missing(call, "No events were found that match the specified selection criteria.")
    for one in shown:
        yield _record(here, one, found.index(one) + 1)


def _list(value: Value) -> list[Value]:
    return [] if value is None else list(enumerate_(value)) if isinstance(value, PSArray) else [value]


def _moment(value: Value) -> int | None:
    """Ticks of a time, the lab's hosts keeping UTC; a text is not read."""
    if value is None:
        return None
    if not isinstance(value, DateTime):
        raise Unsupported("Get-WinEvent: the lab takes times as [datetime] values")
    return value.ticks


def _ticks(one: Logged) -> int:
    found = moment(one.time)
    assert found is not None
    return found.ticks


def _every(here: Machine) -> list[Logged]:
    """All that a host's logs hold, the oldest first."""
    return sorted([*_cluster_events(here), *host_events(here.world.state, here.host)], key=lambda one: one.time)


def _logs(call: Invocation, here: Machine, patterns: list[str]) -> Iterator[Value]:
    """Logs by name (shape-17523cc7a9); how large their files are is unverified."""
    every = _every(here)
    for pattern in patterns:
        found = [name for name in LOGS if fits(name, pattern)]
        if not found and not is_pattern(pattern):
            text = f'There is not an event log on the localhost computer that matches "{pattern}".'
            _missing(call, text, "NoMatchingLogsFound")
        for name in found:
            yield _log(name, [one for one in every if one.log == name])


def _log(name: str, entries: list[Logged]) -> PSObject:
    classic = name in CLASSIC
    last = moment(entries[-1].time if entries else None)
    made = product(
        [f"{_READER}EventLogConfiguration", "System.Object"],
        [
            ("LogName", name),
            ("LogType", net_enum("EventLogType", "Administrative" if classic else "Operational")),
            ("LogIsolation", net_enum("EventLogIsolation", "System" if name == "System" else "Application")),
            ("IsEnabled", True),
            ("IsClassicLog", classic),
            ("SecurityDescriptor", "O:BAG:SYD:(A;;0xf0007;;;SY)(A;;0x7;;;BA)(A;;0x5;;;SO)(A;;0x1;;;S-1-5-32-573)"),
            ("LogFilePath", f"%SystemRoot%\\System32\\Winevt\\Logs\\{name.replace('/', '%4')}.evtx"),
            ("MaximumSizeInBytes", Long(20971520)),
            ("LogMode", net_enum("EventLogMode", "Circular")),
            ("OwningProviderName", "" if classic else LOGS[name][0]),
            ("ProviderNames", PSArray([*LOGS[name]], "System.String[]")),
            ("ProviderLevel", None),
            ("ProviderKeywords", None),
            ("ProviderBufferSize", 64),
            ("ProviderMinimumNumberOfBuffers", 0),
            ("ProviderMaximumNumberOfBuffers", 16 if name == "System" else 64),
            ("ProviderLatency", 1000),
            ("ProviderControlGuid", None),
            ("FileSize", Long(1118208)),
            ("IsLogFull", False),
            ("LastAccessTime", last),
            ("LastWriteTime", last),
            ("OldestRecordNumber", Long(1) if entries else None),
            ("RecordCount", Long(len(entries))),
        ],
        text=f"{_READER}EventLogConfiguration",
    )
    extend(made, "FileSize", "IsLogFull", "LastAccessTime", "LastWriteTime", "OldestRecordNumber", "RecordCount")
    return made


def _record(here: Machine, one: Logged, number: int) -> PSObject:
    values = [product([f"{_READER}EventProperty", "System.Object"], [("Value", value)]) for value in one.values]
    own = _PROVIDER_IDS.get(one.provider)
    made = product(
        [f"{_READER}EventLogRecord", f"{_READER}EventRecord", "System.Object"],
        [
            ("Id", one.id),
            ("Version", None if own is None else Byte(0)),
            ("Qualifiers", 0 if own is None else None),
            ("Level", Byte(one.level)),
            ("Task", 0),
            ("Opcode", None if own is None else Int16(0)),
            ("Keywords", Long(_CLASSIC_KEYWORD if own is None else _SYSTEM_KEYWORD)),
            ("RecordId", Long(number)),
            ("ProviderName", one.provider),
            ("ProviderId", None if own is None else Guid(own)),
            ("LogName", one.log),
            ("ProcessId", None),
            ("ThreadId", None),
            ("MachineName", here.world.server(here.host).fqdn),
            ("UserId", None),
            ("TimeCreated", moment(one.time)),
            ("ActivityId", None),
            ("RelatedActivityId", None),
            ("ContainerLog", one.log),
            ("MatchedQueryIds", PSArray([], "System.UInt32[]")),
            ("Bookmark", product([f"{_READER}EventBookmark", "System.Object"], [])),
            ("LevelDisplayName", _LEVELS[one.level]),
            ("OpcodeDisplayName", None if own is None else "Info"),
            ("TaskDisplayName", None),
            ("KeywordsDisplayNames", list_of(["Classic"] if own is None else [], _NAMES)),
            ("Properties", list_of(values, f"System.Collections.Generic.List`1[[{_READER}EventProperty]]")),
            ("Message", one.text),
        ],
        text=f"{_READER}EventLogRecord",
    )
    extend(made, "Message")
    return made


BODIES: dict[str, Body] = {"Get-WinEvent": get_win_event}

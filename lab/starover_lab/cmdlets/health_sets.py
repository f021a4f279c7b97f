"""Managed Availability as cmdlets show it: monitors, health sets, overrides of one server; acts on nothing itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial

from starover_lab.cmdlets.identities import known_server
from starover_lab.cmdlets.machine import Machine, exchange_error, exchange_record, mutate, reading, switch
from starover_lab.cmdlets.objects import list_of, make, moment, text_of
from starover_lab.powershell.command import Body, Invocation
from starover_lab.powershell.values import PSObject, TimeSpan, Value
from starover_lab.world.component_health import MONITORS, Monitor
from starover_lab.world.entities import ExchangeServer, Server
from starover_lab.world.errors import WorldError
from starover_lab.world.mail_parts import MonitoringOverride

__all__ = ["BODIES"]


_COMPONENTS = {"HubTransport": "HubTransport", "FrontendTransport": "FrontendTransport", "Monitoring": "Monitoring"}
"""Health set to the server component whose state is its own; the others have none."""


def _target(call: Invocation, here: Machine, name: str) -> Server | None:
    try:
        return here.world.reach(here.host, known_server(here, name or here.host))
    except WorldError as error:
        call.error(exchange_error(call, error, name or here.host))
        return None


def _monitors(here: Machine, server: Server, bound: Mapping[str, Value]) -> Iterator[tuple[Monitor, str, str]]:
    """Monitors asked for, with their alert and the state of their component."""
    states = {component.name: state for component, state in here.world.components(server.name, here.host)}
    wanted = text_of(bound.get("HealthSet")).casefold()
    for one in MONITORS:
        if here.world.state.service(server, one.service) is None or (wanted and wanted != one.health_set.casefold()):
            continue
        if switch(bound.get("HaImpactingOnly")) and not one.ha_impacting:
            continue
        alert = "Healthy" if here.world.state.runs(server, one.service) else "Unhealthy"
        shown = {"Active": "Online", "Inactive": "Offline", "Draining": "PartiallyOnline"}
        component = _COMPONENTS.get(one.health_set, "")
        yield one, alert, shown[states[component]] if component in states else "NotApplicable"


def _entry(here: Machine, server: Server, one: Monitor, alert: str, component: str) -> PSObject:
    return make(
        "Get-ServerHealth",
        {
            "Server": server.name,
            "CurrentHealthSetState": component,
            "Name": one.name,
            "HealthSetName": one.health_set,
            "AlertValue": alert,
            "IsHaImpacting": one.ha_impacting,
            "ServerComponentName": _COMPONENTS.get(one.health_set, "None"),
            "Identity": f"{one.health_set}\\{one.name}\\",
            "LastExecutionTime": moment(here.world.now),
        },
    )


def get_server_health(call: Invocation) -> Iterator[Value]:
    """Get-ServerHealth: a monitor is unhealthy here when its service does not run."""
    for bound in call.records():
        here = reading(call)
        server = _target(call, here, text_of(bound.get("Identity")))
        if server is not None:
            yield from (_entry(here, server, *one) for one in _monitors(here, server, bound))


def get_health_report(call: Invocation) -> Iterator[Value]:
    """Get-HealthReport: the same by health set."""
    for bound in call.records():
        here = reading(call)
        server = _target(call, here, text_of(bound.get("Identity")))
        if server is None:
            continue
        by_set: dict[str, list[tuple[Monitor, str, str]]] = {}
        for one in _monitors(here, server, bound):
            by_set.setdefault(one[0].health_set, []).append(one)
        for name, found in sorted(by_set.items(), key=lambda item: item[0].casefold()):
            yield make(
                "Get-HealthReport",
                {
                    "Server": server.name,
                    "State": found[0][2],
                    "HealthSet": name,
                    "AlertValue": "Unhealthy" if any(alert == "Unhealthy" for _, alert, _ in found) else "Healthy",
                    "LastTransitionTime": moment(server.boot_time),
                    "MonitorCount": len(found),
                    "HaImpactingMonitorCount": sum(one.ha_impacting for one, _, _ in found),
                    "Entries": list_of(
                        [_entry(here, server, *one) for one in found],
                        "System.Collections.Generic.List`1[[Microsoft.Exchange.Monitoring.MonitorHealthEntry]]",
                    ),
                    "Identity": name,
                },
            )


# -- overrides

_MOST = timedelta(days=60)
"""Longest -Duration [mem]."""


def _zulu(when: datetime | None) -> str:
    """Times of overrides are texts (facts/exchange.md point 20)."""
    return "" if when is None else f"{when:%Y-%m-%d %H:%M:%SZ}"


def _overrides(here: Machine, exchange: ExchangeServer) -> list[MonitoringOverride]:
    now = here.world.now
    return [one for one in exchange.mail.overrides if one.expires is None or one.expires > now]


def get_override(call: Invocation) -> Iterator[Value]:
    """Get-ServerMonitoringOverride: those that have not run out."""
    for bound in call.records():
        here = reading(call)
        server = _target(call, here, text_of(bound.get("Server")))
        for one in _overrides(here, server.exchange) if server is not None and server.exchange is not None else ():
            identity = "\\".join(filter(None, (one.health_set, one.item, one.target)))
            yield make(
                "Get-ServerMonitoringOverride",
                {
                    "ItemType": one.item_type,
                    "PropertyName": one.property_name,
                    "PropertyValue": one.value,
                    "HealthSetName": one.health_set,
                    "MonitoringItemName": one.item,
                    "TargetResource": one.target,
                    "ExpirationTime": _zulu(one.expires),
                    "ApplyVersion": one.apply_version,
                    "CreatedBy": f"{here.world.state.dns_name}/Users/{one.created_by}",
                    "CreatedTime": _zulu(one.created),
                    "Identity": identity,
                },
                text=identity,
            )


def _refuse(call: Invocation, category: str, text: str) -> None:
    call.error(exchange_record(call, "Microsoft.Exchange.Monitoring.FailedToRunForLocationException", category, text))


def _named(call: Invocation, identity: str) -> tuple[str, str, str] | None:
    """Health set, item and target of `HealthSet\\Item[\\TargetResource]`; reported when it is none."""
    parts = identity.split("\\")
    if not 2 <= len(parts) <= 3 or not all(parts[:2]):
        _refuse(call, "InvalidArgument", f"'{identity}' is not of the form HealthSet\\Item[\\TargetResource].")
        return None
    return parts[0], parts[1], parts[2] if len(parts) == 3 else ""


def add_override(call: Invocation) -> Iterator[Value]:
    """Add-ServerMonitoringOverride; the health set's name is case-sensitive (documented)."""
    for bound in call.records():
        here = reading(call)
        identity = text_of(bound.get("Identity"))
        named = _named(call, identity)
        server = _target(call, here, text_of(bound.get("Server"))) if named is not None else None
        if named is None or server is None or server.exchange is None:
            continue
        if named[0] not in {one.health_set for one in MONITORS}:
            _refuse(call, "InvalidArgument", f"The health set '{named[0]}' wasn't found on server '{server.name}'.")
            continue
        lasts, version = bound.get("Duration"), text_of(bound.get("ApplyVersion"))
        seconds = lasts.ticks / 10_000_000 if isinstance(lasts, TimeSpan) else None
        if seconds is None and not version:
            _refuse(call, "InvalidArgument", "Specify either the Duration or the ApplyVersion parameter.")
            continue
        if seconds is not None and not 0 < seconds <= _MOST.total_seconds():
            _refuse(call, "InvalidArgument", f"The duration must be positive and at most {_MOST.days} days.")
            continue
        made = MonitoringOverride(
            health_set=named[0],
            item=named[1],
            target=named[2],
            item_type=text_of(bound.get("ItemType")),
            property_name=text_of(bound.get("PropertyName")),
            value=text_of(bound.get("PropertyValue")),
            created=here.world.now,
            created_by=here.auditor.rpartition("\\")[2],
            expires=None if seconds is None else here.world.now + timedelta(seconds=seconds),
            apply_version=version,
        )
        if any(one.key == made.key for one in _overrides(here, server.exchange)):
            _refuse(call, "InvalidOperation", f"A monitoring override for '{identity}' already exists.")
            continue
        mutate(call, identity, bound, partial(_add, here, server.exchange, made))
    yield from ()


def _add(here: Machine, exchange: ExchangeServer, made: MonitoringOverride) -> None:
    exchange.mail.overrides[:] = [*_overrides(here, exchange), made]


def remove_override(call: Invocation) -> Iterator[Value]:
    """Remove-ServerMonitoringOverride."""
    for bound in call.records():
        here = reading(call)
        identity = text_of(bound.get("Identity"))
        named = _named(call, identity)
        server = _target(call, here, text_of(bound.get("Server"))) if named is not None else None
        if named is None or server is None or server.exchange is None:
            continue
        kind, name = text_of(bound.get("ItemType")).casefold(), text_of(bound.get("PropertyName")).casefold()
        known = _overrides(here, server.exchange)
        kept = [one for one in known if one.key != (*named, kind, name)]
        if len(kept) == len(known):
            _refuse(call, "ObjectNotFound", f"There is no monitoring override for '{identity}'.")
            continue
        mutate(call, identity, bound, partial(_keep, server.exchange, kept))
    yield from ()


def _keep(exchange: ExchangeServer, kept: list[MonitoringOverride]) -> None:
    exchange.mail.overrides[:] = kept


BODIES: dict[str, Body] = {
    "Get-ServerHealth": get_server_health,
    "Get-HealthReport": get_health_report,
    "Get-ServerMonitoringOverride": get_override,
    "Add-ServerMonitoringOverride": add_override,
    "Remove-ServerMonitoringOverride": remove_override,
}

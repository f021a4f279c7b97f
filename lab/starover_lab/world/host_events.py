"""What a host's event logs would show of what happened to it in the world; knows no cmdlet and no filter.

Providers, numbers and channels are Windows' and Exchange's own as far as they are documented; the wording of messages
is not verified.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from starover_lab.world.events import Event
from starover_lab.world.state import State

__all__ = ["CLASSIC", "LOGS", "Logged", "host_events"]

SYSTEM = "System"
APPLICATION = "Application"
RECOVERY = "Microsoft-Exchange-ManagedAvailability/RecoveryActionResults"
AVAILABILITY = "Microsoft-Exchange-HighAvailability/Operational"
LOGS: dict[str, tuple[str, ...]] = {
    SYSTEM: (
        "EventLog",
        "Microsoft-Windows-FailoverClustering",
        "Microsoft-Windows-Kernel-Power",
        "Microsoft-Windows-WindowsUpdateClient",
        "Service Control Manager",
        "User32",
    ),
    APPLICATION: ("MSExchangeTransport", "MSExchange ADAccess", "MSExchangeRepl"),
    RECOVERY: ("Microsoft-Exchange-ManagedAvailability",),
    AVAILABILITY: ("Microsoft-Exchange-HighAvailability",),
}
"""Log to the providers that write into it here."""
CLASSIC = (SYSTEM, APPLICATION)
"""Windows' own logs; the others are channels of an application."""
CRITICAL, ERROR, WARNING, INFORMATION = 1, 2, 3, 4


@dataclass(frozen=True, kw_only=True)
class Logged:
    """One entry of an event log."""

    time: datetime
    log: str
    provider: str
    id: int
    level: int = INFORMATION
    """1 critical, 2 error, 3 warning, 4 information."""
    text: str
    values: tuple[str, ...] = ()
    """What stands in its `Properties`, in order."""


def host_events(state: State, host: str) -> Iterator[Logged]:
    """Everything but the cluster's, the oldest first."""
    for event in state.log.events:
        make = _MAKERS.get(event.kind)
        if make is not None:
            yield from make(state, host.casefold(), event)


_Maker = Callable[[State, str, Event], Iterator[Logged]]


def _is(event: Event, host: str) -> bool:
    return event.subject.casefold() == host


def _off(_: State, host: str, event: Event) -> Iterator[Logged]:
    if _is(event, host) and event.data.get("reason") == "restart":
        text = "The Event log service was stopped."
        yield Logged(time=event.time, log=SYSTEM, provider="EventLog", id=6006, text=text)


def _restarting(_: State, host: str, event: Event) -> Iterator[Logged]:
    if _is(event, host):
        yield Logged(
            time=event.time,
            log=SYSTEM,
            provider="User32",
            id=1074,
            text=f"The process has initiated the restart of computer {event.subject.upper()} for the following reason: "
            "Operating System: Service pack (Planned).",
        )


def _up(state: State, host: str, event: Event) -> Iterator[Logged]:
    if not _is(event, host):
        return
    before = [one for one in state.log.events[: event.number - 1] if one.kind == "host_off" and _is(one, host)]
    if before and before[-1].data.get("reason") != "restart":
        yield Logged(
            time=event.time,
            log=SYSTEM,
            provider="Microsoft-Windows-Kernel-Power",
            id=41,
            level=CRITICAL,
            text="The system has rebooted without cleanly shutting down first. This error could be caused if the "
            "system stopped responding, crashed, or lost power unexpectedly.",
        )
        text = (
            f"The previous system shutdown at {before[-1].time:%H:%M:%S} on {before[-1].time:%m/%d/%Y} was unexpected."
        )
        yield Logged(time=event.time, log=SYSTEM, provider="EventLog", id=6008, level=ERROR, text=text)
    text = "The Event log service was started."
    yield Logged(time=event.time, log=SYSTEM, provider="EventLog", id=6005, text=text)


def _crashed(state: State, host: str, event: Event) -> Iterator[Logged]:
    if _is(event, host):
        name = str(event.data.get("service", ""))
        service = state.servers[event.subject].services.get(name)
        shown = service.display_name if service is not None else name
        text = f"The {shown} service terminated unexpectedly.  It has done this 1 time(s)."
        provider = "Service Control Manager"
        yield Logged(
            time=event.time, log=SYSTEM, provider=provider, id=7031, level=ERROR, text=text, values=(shown, "1")
        )


def _update(_: State, host: str, event: Event) -> Iterator[Logged]:
    if not _is(event, host):
        return
    kb, provider = str(event.data.get("kb", "")), "Microsoft-Windows-WindowsUpdateClient"
    if event.kind == "update_installing":
        text = f"Installation Started: Windows has started installing the following update: {kb}"
        yield Logged(time=event.time, log=SYSTEM, provider=provider, id=43, text=text, values=(kb,))
        return
    code = str(event.data.get("hresult", "0x00000000"))
    if int(code, 16):
        text = f"Installation Failure: Windows failed to install the following update with error {code}: {kb}."
        yield Logged(time=event.time, log=SYSTEM, provider=provider, id=20, level=ERROR, text=text, values=(code, kb))
    else:
        text = f"Installation Successful: Windows successfully installed the following update: {kb}"
        yield Logged(time=event.time, log=SYSTEM, provider=provider, id=19, text=text, values=(kb,))


def _pressure(_: State, host: str, event: Event) -> Iterator[Logged]:
    if _is(event, host):
        level, resource = str(event.data.get("level")), str(event.data.get("resource"))
        rising = level != "Low"
        before, after = ("Normal", level) if rising else ("High", "Normal")
        way = "increased" if rising else "decreased"
        yield Logged(
            time=event.time,
            log=APPLICATION,
            provider="MSExchangeTransport",
            id=15004 if rising else 15005,
            level=WARNING if rising else INFORMATION,
            text=f"The resource pressure {way} from {before} to {after}. The following resources are under pressure: "
            f"{resource} = {after}",
            values=(before, after, resource),
        )


def _recovery(_: State, host: str, event: Event) -> Iterator[Logged]:
    """Managed Availability did something about what it found."""
    if _is(event, host):
        action, responder = str(event.data.get("action")), str(event.data.get("responder"))
        resource, result = str(event.data.get("resource")), str(event.data.get("result"))
        yield Logged(
            time=event.time,
            log=RECOVERY,
            provider="Microsoft-Exchange-ManagedAvailability",
            id=501 if result == "Succeeded" else 502,
            level=INFORMATION if result == "Succeeded" else ERROR,
            text=f"Recovery Action Completed. (ActionId={action}, ResourceName={resource}, Requester={responder}, "
            f"Result={result})",
            values=(action, resource, responder, "Finished", result),
        )


def _moved(state: State, host: str, event: Event) -> Iterator[Logged]:
    """A database changed its server: every member's channel has it."""
    database = state.databases.get(event.subject)
    if database is None or not any(copy.server.casefold() == host for copy in database.copies):
        return
    source, target = str(event.data.get("source")), str(event.data.get("target"))
    decision = str(event.data.get("decision", ""))
    by_hand = decision.startswith("administrator")
    yield Logged(
        time=event.time,
        log=AVAILABILITY,
        provider="Microsoft-Exchange-HighAvailability",
        id=227,
        text=f"Active Manager moves database {event.subject} from {source} to {target}. "
        f"ActionInitiator: {'Admin' if by_hand else 'Automatic'}. Decision: {decision}",
        values=(event.subject, source, target, "Admin" if by_hand else "Automatic", decision),
    )


def _operation(state: State, host: str, event: Event) -> Iterator[Logged]:
    """A move begins (306) or has succeeded (308), as CollectOverMetrics.ps1 reads them: the operation's id comes first.

    A real server writes them where Active Manager is primary; here every member with a copy has them.
    """
    database = state.databases.get(event.subject)
    if database is None or not any(copy.server.casefold() == host for copy in database.copies):
        return
    moves = ("move_started", "database_mounted")
    so_far = [one for one in state.log.events[: event.number] if one.kind in moves and one.subject == event.subject]
    begun = so_far[-1] if event.kind == "move_started" else next(iter(so_far[-2:-1]), None)
    if begun is None or begun.kind != "move_started":
        return  # mounted without a move
    initiated = event is begun
    yield Logged(
        time=event.time,
        log=AVAILABILITY,
        provider="Microsoft-Exchange-HighAvailability",
        id=306 if initiated else 308,
        text=f"Moving database {event.subject} {'was initiated' if initiated else 'succeeded'}.",
        values=(str(state.dice.guid("operation", str(begun.number))), event.subject),
    )


def _begun(state: State, host: str, event: Event) -> Iterator[Logged]:
    yield from _moved(state, host, event)
    yield from _operation(state, host, event)


def _lost(state: State, host: str, event: Event) -> Iterator[Logged]:
    database = state.databases.get(event.subject)
    if database is None or not any(copy.server.casefold() == host for copy in database.copies):
        return
    lost = str(event.data.get("lost"))
    yield Logged(
        time=event.time,
        log=AVAILABILITY,
        provider="Microsoft-Exchange-HighAvailability",
        id=228,
        level=WARNING,
        text=f"Database {event.subject} was mounted on {event.data.get('server')} without its last {lost} logs.",
        values=(event.subject, str(event.data.get("server")), lost),
    )


_MAKERS: dict[str, _Maker] = {
    "host_off": _off,
    "host_restarting": _restarting,
    "host_up": _up,
    "service_crashed": _crashed,
    "update_installing": _update,
    "update_installed": _update,
    "backpressure": _pressure,
    "recovery_action": _recovery,
    "move_started": _begun,
    "database_mounted": _operation,
    "data_loss": _lost,
}

"""Why mail waits on a server, as findings (catalogue, mailflow-triage); looks, and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, TypeAlias

from starover.errors import StaroverError
from starover.estate import Server
from starover.runbook import Finding, Steps, attempt, together
from starover.step import Query, Report
from starover.steps.components import HUB, ComponentState, find, hub_held, offline
from starover.steps.dag import Volume
from starover.steps.mailflow import SendConnectors, orphaned, send_connectors
from starover.steps.queues import Queue

__all__ = ["Mailflow", "Pressure", "mailflow", "triage", "triaged"]

Level: TypeAlias = Literal["ok", "info", "warn", "fail", "unknown"]
RISES = 15004
FULL, SCARCE = 0.05, 0.15
"""Parts of a volume that are free: back pressure begins long before the queue database's volume is full."""


class Pressure(Report):
    """An event of back pressure: 15004 it rises, 15005 it falls."""

    id: int
    time: str
    says: str


class Mailflow(Report):
    """Why mail may wait on a server (`relief/mailflow.ps1.j2`)."""

    components: tuple[ComponentState, ...]
    queues: tuple[Queue, ...]
    answers: bool
    """The transport service could be asked."""
    pressure: tuple[Pressure, ...]
    """The newest first."""
    bypassed: bool
    """The antimalware filter lets everything pass."""
    stopped: tuple[str, ...]
    """Services of transport that should run."""
    volumes: tuple[Volume, ...]


mailflow = Query("relief/mailflow.ps1.j2", Mailflow)
"""Argument: `server`, which is the host that is asked too."""


def triage(servers: Sequence[Server], threshold: int) -> Steps[tuple[Finding, ...]]:
    """Ask members side by side; one that does not answer is a fact, and its mail waits elsewhere."""
    answers = yield from together(attempt(mailflow.read(server, server=server.name)) for server in servers)
    silent = [server.name for server, one in zip(servers, answers, strict=True) if isinstance(one, StaroverError)]
    asked = next((server for server in servers if server.name not in silent), None)
    connectors = (yield from attempt(send_connectors.read(asked))) if asked is not None else None
    found: list[Finding] = []
    for server, one in zip(servers, answers, strict=True):
        if isinstance(one, StaroverError):
            found.append(Finding(check="host", on=server.name, level="unknown", says=one.what))
        else:
            found += triaged(server.name, one, threshold)
    if isinstance(connectors, SendConnectors):
        found += _connectors(connectors, silent)
    return tuple(found)


def triaged(server: str, now: Mailflow, threshold: int) -> Iterator[Finding]:
    """What is to be said of one server, causes first."""

    def finding(check: str, level: Level, says: str) -> Finding:
        return Finding(check=check, on=server, level=level, says=says)

    if not now.answers:
        yield finding("transport", "fail", "MSExchangeTransport cannot be asked: nothing is known of its queues")
    if now.stopped:
        yield finding("service", "fail", f"{', '.join(now.stopped)} does not run")
    hub = find(now.components, HUB)
    if hub_held(now.components) != "Active" or offline(now.components):
        yield finding("component", "info", "out of service on purpose (requester Maintenance): queues are not relieved")
    elif hub is not None and hub.state != "Active":
        yield finding("component", "fail", f"{HUB} is {hub.state}: {_holders(hub)}")
    if now.pressure and now.pressure[0].id == RISES:
        last = now.pressure[0]
        yield finding("back pressure", "fail", f"since {last.time[:19]}Z: {' '.join(last.says.split())}")
    if now.bypassed:
        yield finding("antimalware", "warn", "the filter is bypassed: mail passes unscanned")
    for volume in now.volumes:
        free = volume.free / volume.capacity if volume.capacity else 1.0
        if free < SCARCE:
            level: Level = "fail" if free < FULL else "warn"
            yield finding("volume", level, f"{volume.name} has {free:.0%} free: back pressure follows")
    yield from _queues(server, now.queues, threshold)


def _queues(server: str, queues: Sequence[Queue], threshold: int) -> Iterator[Finding]:
    waiting = sum(one.messages for one in queues if one.counts)
    for one in queues:
        if not one.counts:
            if one.name.casefold() == "poison" and one.messages:
                says = f"{one.messages} messages: each has crashed transport before; a person looks at them"
                yield Finding(check="poison queue", on=server, level="warn", says=says)
            continue
        why = f" to {one.hop}" if one.hop else ""
        error = f": {one.error}" if one.error else ""
        if one.status in ("Retry", "Suspended"):
            action = "retry" if one.status == "Retry" else "resume"
            says = (
                f"{one.identity} is {one.status}, {one.messages} messages{why}{error}; queue-relief --action {action}"
            )
            yield Finding(check="queue", on=server, level="fail" if one.messages >= threshold else "warn", says=says)
        elif one.messages >= threshold:
            says = f"{one.identity} holds {one.messages} messages{why}{error}"
            yield Finding(check="queue", on=server, level="fail", says=says)
    total: Level = "ok" if waiting < threshold else "info"
    yield Finding(check="queues", on=server, level=total, says=f"{waiting} messages wait")


def _holders(hub: ComponentState) -> str:
    said = [f"{one.requester} wants {one.state}" for one in hub.held if one.state != "Active"]
    return ", ".join(said) or "nobody says why"


def _connectors(connectors: SendConnectors, silent: Sequence[str]) -> Iterator[Finding]:
    for one in orphaned(connectors.connectors, silent):
        says = f"every source is silent ({', '.join(one.sources)}): its mail waits; P50"
        yield Finding(check="send connector", on=one.name, level="fail", says=says)
    for one in connectors.connectors:
        if one.enabled and len(one.sources) == 1:
            says = f"{one.sources[0]} is its only source: its mail waits whenever that server is out"
            yield Finding(check="send connector", on=one.name, level="warn", says=says)

"""What AWS announces for a member's host, and its node in quarantine; a member moved to another host by stop and start.

Catalogue, host-event. The instance is stopped only after the member was taken out of service; it is no fence.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from starover.errors import NotSafe, StaroverError
from starover.estate import Dag, Server
from starover.names import same_host
from starover.runbook import Finding, Steps, attempt
from starover.step import Blocked, Change, Query, Report, Risk, Settle, step, wait
from starover.steps.dag import ClusterState, Node, cluster_state, hello
from starover.steps.disaster import Machine, at, cluster_events, machine
from starover.steps.instances import (
    GONE,
    OFF,
    Checks,
    api_stop,
    host_disks,
    instance_of,
    instance_status,
    instant,
    scaling_groups,
    store_lost,
)
from starover.windows import Window, next_opening, open_until

__all__ = [
    "HostEvent",
    "booted_anew",
    "instance_halted",
    "instance_relaunched",
    "launched_of",
    "look",
    "may_stop",
    "quarantine_ended",
    "quiet",
    "store_note",
]

STOPPED = Settle(every=10, limit=900)
QUIET = timedelta(minutes=15)


@dataclass(frozen=True, kw_only=True)
class HostEvent:
    """Why a member should leave its host, or not."""

    server: str
    checks: Checks | None
    node: Node | None

    @property
    def moves(self) -> bool:
        """Only another host helps: AWS has announced something, or a status check fails."""
        if self.checks is None:
            return False
        failing = {self.checks.system, self.checks.instance} & {"impaired"}
        return bool(self.checks.events or failing)

    @property
    def quarantined(self) -> bool:
        """Its node was thrown out of the cluster three times within an hour."""
        return self.node is not None and self.node.information == "Quarantined"

    def findings(self, dag: Dag, now: datetime | None = None) -> Iterator[Finding]:
        """What was seen."""
        if self.checks is None:
            yield Finding(
                check="EC2", on=self.server, level="unknown", says="EC2 could not be asked about its instance"
            )
        else:
            bad = not self.checks.ok
            says = f"{self.checks.state}; status checks: system {self.checks.system}, instance {self.checks.instance}"
            yield Finding(check="EC2", on=self.server, level="warn" if bad else "ok", says=says)
            for event in self.checks.events:
                due = f", not before {event.not_before}" if event.not_before else ""
                yield Finding(check="event", on=self.server, level="warn", says=f"{event.code}: {event.says}{due}")
                if event.not_before and now is not None and (late := _late(dag, now, instant(event.not_before))):
                    yield Finding(check="G-WINDOW", on=self.server, level="warn", says=late)
        if self.node is not None:
            state = " ".join(filter(None, (self.node.state, self.node.information)))
            yield Finding(check="node", on=self.server, level="warn" if self.quarantined else "ok", says=state)


def _late(dag: Dag, now: datetime, due: datetime) -> str:
    """Whether no maintenance window of the DAG opens before AWS acts by itself."""
    windows = [Window.parse(text) for text in dag.windows]
    if not windows or open_until(windows, now) is not None:
        return ""
    opens = next_opening(windows, now)
    if opens is not None and opens < due:
        return ""
    return "no maintenance window opens before it: AWS acts by itself then, or --now is given"


def look(dag: Dag, server: Server, asked: Server) -> Steps[HostEvent]:
    """What AWS says of its instance, and the cluster of its node, as `asked` sees it."""
    checks: Checks | None = None
    if server.instance:
        status = yield from attempt(instance_status.read(server, instance=server.instance))
        checks = None if isinstance(status, StaroverError) else status.checks
    seen = yield from attempt(cluster_state.read(asked))
    node = None
    if isinstance(seen, ClusterState):
        node = next((one for one in seen.nodes if same_host(one.name, server.name)), None)
    del dag
    return HostEvent(server=server.name, checks=checks, node=node)


def quiet(server: Server, asked: Server, now: datetime) -> Steps:
    """No membership of the cluster has changed for a quarter of an hour: what threw the node out is over.

    Raises `NotSafe`: a quarantine that is ended too early ends in the next one.
    """
    seen = yield from cluster_events.read(asked)
    times = [time for one in seen.events if (time := at(one.time)) is not None]
    last = max(times, default=None)
    if last is not None and now - last < QUIET:
        minutes = int((now - last).total_seconds() // 60)
        raise NotSafe(
            f"{server.name} is Quarantined, and the cluster lost a node {minutes} minutes ago: it has not settled",
            certain=("nothing was changed",),
            next=("find out what throws it out; after 15 quiet minutes the same command again",),
            host=server.name,
        )


def may_stop(server: Server) -> Steps:
    """Nobody would replace the instance, and EC2 lets it be stopped. Raises `NotSafe`."""
    refused = yield from api_stop.read(server, instance=server.instance)
    groups = yield from scaling_groups.read(server, instance=server.instance)
    why = [
        *([f"EC2 does not let {server.instance} be stopped (DisableApiStop)"] if refused.refused else []),
        *(f"Auto Scaling group {name} would replace it" for name in groups.groups),
    ]
    if why:
        raise NotSafe(
            f"{server.name} cannot be moved to another host: {'; '.join(why)}",
            certain=("nothing was changed",),
            next=("take the protection away, or put the instance in standby, by whoever has set it",),
            host=server.name,
        )


def store_note(server: Server) -> Steps[str]:
    """What its instance store loses by a stop, for a plan; empty: it has none. What nobody could ask is said."""
    found = yield from attempt(instance_of.read(server, instance=server.instance))
    kind = found.instance.kind if not isinstance(found, StaroverError) and found.instance is not None else None
    if not kind:
        return "EC2 does not say whether it has an instance store, which a stop would lose"
    disks = yield from attempt(host_disks.read(server, kind=kind))
    return store_lost(kind, None if isinstance(disks, StaroverError) else disks)


class Launched(Report):
    """An instance, and since when it has been on its host (`ec2/launched.call.j2`)."""

    state: str | None
    launched: str | None


launched_of = Query("ec2/launched.call.j2", Launched)
"""Argument: `instance`."""


def _no_instance(instance: str) -> Blocked:
    return Blocked(f"EC2 has no instance {instance} any more", guard="G-INV")


@step(check=launched_of, apply="ec2/stop.call.j2", risk=Risk.SERVICE, settle=STOPPED, repeatable=True)
def instance_halted(now: Launched, /, *, instance: str, since: str, note: str) -> Change | Blocked | None:
    """An instance has left the host that it was launched on at `since`: it is stopped (host-event)."""
    if now.state in (None, GONE):
        return _no_instance(instance)
    if now.state in OFF or now.launched != since:
        return None
    return Change(instance, "running on its host", "stopped", note=note)


@step(
    check=launched_of,
    apply="ec2/start.call.j2",
    risk=Risk.SERVICE,
    settle=Settle(every=10, limit=600),
    repeatable=True,
)
def instance_relaunched(now: Launched, /, *, instance: str, since: str) -> Change | Blocked | None:
    """An instance runs, and not on the host that it was launched on at `since` (host-event)."""
    if now.state in (None, GONE):
        return _no_instance(instance)
    if now.state == "running" and now.launched != since:
        return None
    return Change(instance, "on the host it leaves", "running on another one")


@step(check=machine, apply="node/clear_quarantine.ps1.j2", risk=Risk.SERVICE, settle=Settle(every=10, limit=300))
def quarantine_ended(now: Machine, /, *, names: tuple[str, ...], server: str) -> Change | Blocked | None:
    """A node takes part in its cluster again after a quarantine (S-CLUS-START), as it sees itself."""
    del names
    nodes = now.cluster.nodes if now.cluster is not None else ()
    if any(same_host(one.name, server) and one.state in ("Up", "Paused") for one in nodes):
        return None
    return Change(f"cluster node {server}", "Quarantined", "Up")


def booted_anew(server: Server, boot: str) -> Steps:
    """Wait until Windows has booted on the new host."""
    yield from wait(
        hello,
        server,
        until=lambda now: now.boot_time > boot,
        settle=Settle(every=15, limit=1800),
        what=f"{server.name} to boot on its new host",
        expected=True,
    )

"""Fencing the hosts of a lost side: the facts that prove a level, and the steps that bring it about (S-FENCE)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias, TypeVar

from starover.errors import StaroverError
from starover.estate import Dag, Estate, Server
from starover.names import same_host
from starover.runbook import Findings, Steps, attempt, together
from starover.step import Outcome, Query, Report, wait
from starover.steps.answers import answer_of
from starover.steps.disaster import CLUSTER_SERVICE, at, machine, member_copies
from starover.steps.fencing import PORTS, RECOVERY_TAG, TAG, Fenced, FenceFacts
from starover.steps.instances import (
    OFF,
    STOPS,
    ApiStop,
    HostDisks,
    InstanceStatus,
    OneInstance,
    ScalingGroups,
    api_stop,
    api_stop_allowed,
    auto_recovery_set,
    host_disks,
    instance_force_stopped,
    instance_of,
    instance_status,
    instance_stopping,
    instance_tagged,
    is_off,
    scaling_groups,
    scaling_suspended,
    store_lost,
)
from starover.steps.subnet_rules import (
    DENY_NAME,
    NetworkAcl,
    SubnetAcl,
    SubnetPlace,
    Subnets,
    deny_acl_made,
    deny_acls,
    subnet_acl,
    subnet_denied,
    subnets_of,
)

__all__ = [
    "BEYOND",
    "FenceReport",
    "HealthEvents",
    "HostSilence",
    "LostHost",
    "Method",
    "Silence",
    "cut_off",
    "fence_facts",
    "health_events",
    "lost_hosts",
    "power_off",
    "sides",
    "silence",
]

T = TypeVar("T")
Method: TypeAlias = Literal["auto", "stop", "network", "certify"]
"""How to fence: in the order of S-FENCE until it is enough, by EC2 alone, by network ACLs alone, by people's word."""

POWER = "POWER"
"""In the code of an AWS Health event that tells of a loss of power, such as AWS_EC2_POWER_CONNECTIVITY_ISSUE."""


class HostSilence(Report):
    """Which ports of one host answer."""

    address: str
    open: tuple[int, ...]


class Silence(Report):
    """What one place reaches of several hosts (`network/silence.ps1.j2`)."""

    utc: str
    hosts: tuple[HostSilence, ...]

    def of(self, address: str) -> tuple[int, ...] | None:
        """The ports of a host that answer; None: it was not asked."""
        return next((one.open for one in self.hosts if one.address == address), None)


class HealthEvent(Report):
    """An open event of AWS Health."""

    code: str
    zone: str | None
    since: str | None


class HealthEvents(Report):
    """What AWS Health says of EC2 in a zone (`health/events.call.j2`)."""

    events: tuple[HealthEvent, ...]


silence = Query("network/silence.ps1.j2", Silence, deadline=600)
"""Arguments: `addresses`, `ports`. Who is silent costs Windows half a minute for each port."""
health_events = Query("health/events.call.j2", HealthEvents)
"""Argument: `az`."""

BEYOND = (deny_acl_made, subnet_denied)
"""What `cut_off` may have to do; a runbook that fences declares it."""


class FenceReport(Findings, frozen=True, kw_only=True):
    """How far each host is fenced, with the raw facts."""

    dag: str
    fenced: tuple[str, ...]
    """A sentence for each host: its level, and what proves it."""
    hosts: tuple[Fenced, ...]


@dataclass(frozen=True, kw_only=True)
class LostHost:
    """A host of the lost side, as EC2 and the host itself tell."""

    server: Server
    instance: OneInstance | None
    """None: EC2 could not be asked, or has no such instance."""
    api_stop: ApiStop | None = None
    groups: tuple[str, ...] = ()
    """Auto Scaling groups."""
    store: str = ""
    """What is said of its instance store, which a stop loses; empty: it has none."""
    place: SubnetPlace | None = None
    """Its subnet, by EC2's word or by the inventory's range; None: not known, or several have that range."""
    serves: str = ""

    @property
    def runs(self) -> bool:
        """EC2 answers for it, and it is not off."""
        return self.instance is not None and self.instance.instance is not None and self.instance.state not in OFF

    @property
    def recovers(self) -> bool:
        """EC2 would move it to other hardware by itself, and start it there: of what runs only."""
        known = self.instance.instance if self.instance is not None else None
        return known is not None and known.state in ("pending", "running") and known.recovery != "disabled"

    @property
    def subnet(self) -> str:
        """Id of its subnet; empty: not known."""
        return self.place.id if self.place is not None else ""

    @property
    def vpc(self) -> str:
        """Id of its VPC; empty: not known."""
        return self.place.vpc if self.place is not None else ""


def sides(
    dag: Dag, estate: Estate, lost: Collection[str], *, witness: bool
) -> tuple[tuple[Server, ...], tuple[Server, ...], tuple[Server, ...]]:
    """Who is to be fenced, who survives, and who else can say that the lost ones are silent: DCs and witness hosts of
    this side.

    `lost` are members by name; with `witness` the DAG's witness hosts in their sites or zones are fenced too.
    """
    members = estate.members(dag)
    gone = tuple(one for one in members if one.name in lost)
    zones, sites = {one.az for one in gone} - {""}, {one.site for one in gone} - {""}

    def there(one: Server) -> bool:
        return one.az in zones if one.az else one.site in sites

    shares = [name for name in (dag.witness, dag.alternate_witness) if name]
    hosts = [one for one in estate.servers if one not in members and any(same_host(one.name, name) for name in shares)]
    fenced = (*gone, *(one for one in hosts if witness and there(one)))
    near = [one for one in estate.servers if one not in members and not there(one) and {"dc", "witness"} & {*one.roles}]
    return fenced, tuple(one for one in members if one.name not in lost), tuple(near)


def lost_hosts(lost: Sequence[Server], members: Collection[str]) -> Steps[tuple[LostHost, ...]]:
    """Ask EC2 about the hosts of the lost side, and those that are `members` whether they serve.

    Whoever does not answer is left open.
    """
    found = yield from together(_lost_host(server, member=server.name in members) for server in lost)
    return tuple(found)


def _lost_host(server: Server, *, member: bool) -> Steps[LostHost]:
    parts: list[Steps[Report | StaroverError]] = []
    if server.instance:
        parts = [
            attempt(instance_of.read(server, instance=server.instance)),
            attempt(api_stop.read(server, instance=server.instance)),
            attempt(scaling_groups.read(server, instance=server.instance)),
        ]
    answers = yield from together(parts)
    serves = (yield from _serves(server)) if member else ""
    groups = answer_of(answers, ScalingGroups)
    instance = answer_of(answers, OneInstance)
    known = instance.instance if instance is not None else None
    store = (
        (yield from _store(server, known.kind)) if known is not None and known.kind and known.state not in OFF else ""
    )
    return LostHost(
        server=server,
        instance=instance,
        api_stop=answer_of(answers, ApiStop),
        groups=groups.groups if groups is not None else (),
        store=store,
        place=(yield from _place(server, instance)),
        serves=serves,
    )


def _store(server: Server, kind: str) -> Steps[str]:
    found = yield from attempt(host_disks.read(server, kind=kind))
    return store_lost(kind, found if isinstance(found, HostDisks) else None)


def _place(server: Server, found: OneInstance | None) -> Steps[SubnetPlace | None]:
    """Its subnet. Where EC2 says nothing of a zone's instances it still knows the zone's subnets."""
    known = found.instance if found is not None else None
    if known is not None and known.subnet and known.vpc:
        return SubnetPlace(id=known.subnet, vpc=known.vpc, az=known.az)
    if not (server.instance and server.subnet):
        return None
    named = yield from attempt(subnets_of.read(server, cidr=server.subnet))
    return named.subnets[0] if isinstance(named, Subnets) and len(named.subnets) == 1 else None


def _serves(server: Server) -> Steps[str]:
    """What shows that a member still serves users; empty: nothing that we can see."""
    here = yield from attempt(machine.read(server, names=(CLUSTER_SERVICE,)))
    if isinstance(here, StaroverError):
        return ""
    if here.cluster is not None:
        return f"{server.name} is in a cluster with quorum"
    copies = yield from attempt(member_copies.read(server, name=server.name))
    if isinstance(copies, StaroverError):
        return ""
    mounted = [copy.database for copy in copies.copies if copy.status == "Mounted"]
    return f"{', '.join(mounted)} mounted on {server.name}" if mounted else ""


def power_off(hosts: Sequence[LostHost], dag: str) -> Steps[bool]:
    """Have EC2 stop them, in the order of S-FENCE: nothing may start them again, a plain stop, then force.

    Nothing: no Auto Scaling group, and no automatic recovery, which a tag keeps as it was.

    The stop stays requested where it is not possible yet, so that no node comes back with the power. True: this is a
    plan, and one of them is still to be stopped.
    """
    groups = {group: host.server for host in hosts if host.runs for group in host.groups}
    for group, server in groups.items():
        yield scaling_suspended.on(server, group=group)
    planned = yield from together(
        _power_off(host, dag) for host in hosts if host.instance is not None and host.server.instance
    )
    return any(planned)


def _power_off(host: LostHost, dag: str) -> Steps[bool]:
    server, instance = host.server, host.server.instance
    if host.recovers:
        yield instance_tagged.on(server, instance=instance, key=RECOVERY_TAG, value="default")
        yield auto_recovery_set.on(server, instance=instance, mode="disabled")
    if host.runs:
        yield api_stop_allowed.on(server, instance=instance)
    notes = [f"goes down: {host.serves}"] if host.serves else []
    notes += [host.store] if host.store else []
    yield instance_stopping.on(server, instance=instance, note="; ".join(notes))
    yield from wait(
        instance_of, server, until=is_off, settle=STOPS, what=f"{instance} stopped", lenient=True, instance=instance
    )
    stopped = yield instance_force_stopped.on(server, instance=instance)
    yield instance_tagged.on(server, instance=instance, key=TAG, value=dag)
    assert isinstance(stopped, Outcome)
    return stopped.state == "planned"


def cut_off(hosts: Sequence[LostHost], survivors: Sequence[LostHost]) -> Steps:
    """Let nothing pass the subnets of these hosts, where no survivor lives in them (F3)."""
    kept = {host.subnet for host in survivors}
    subnets = {host.subnet: host for host in hosts if host.subnet and host.subnet not in kept}
    for vpc, host in {host.vpc: host for host in subnets.values() if host.vpc}.items():
        yield deny_acl_made.on(host.server, vpc=vpc)
    for subnet, host in subnets.items():
        found = yield from deny_acls.read(host.server, vpc=host.vpc, name=DENY_NAME)
        current = yield from subnet_acl.read(host.server, subnet=subnet)
        if found.acls and current.acl is not None:
            association = current.acl.association(subnet)
            yield subnet_denied.on(host.server, subnet=subnet, association=association, acl=found.acls[0].id)


def fence_facts(
    hosts: Sequence[LostHost],
    survivors: Sequence[Server],
    others: Sequence[Server],
    *,
    certified_by: Sequence[str] = (),
    stopped_cleanly: Collection[str] = (),
) -> Steps[tuple[FenceFacts, ...]]:
    """Everything that G-FENCE asks for, read now. `others`: places beside the survivors, such as DCs of this side."""
    places = [*survivors, *others]
    addresses = tuple(host.server.address for host in hosts if host.server.address)
    heard = yield from together(attempt(silence.read(place, addresses=addresses, ports=PORTS)) for place in places)
    seen = dict(zip((place.name for place in places), heard, strict=True))
    status = yield from together(_status(host) for host in hosts)
    acls = yield from _acls(hosts)
    events = yield from _power_events(hosts)
    clocks = [at(one.utc) for one in heard if isinstance(one, Silence)]
    now = max((clock for clock in clocks if clock is not None), default=None)
    return tuple(
        _facts_of(
            host,
            answers,
            seen,
            [server.name for server in survivors],
            now,
            acls.get(host.subnet),
            events.get(host.server.az, ""),
            tuple(certified_by),
            host.server.name in stopped_cleanly,
        )
        for host, answers in zip(hosts, status, strict=True)
    )


def _facts_of(
    host: LostHost,
    status: tuple[OneInstance | None, InstanceStatus | None],
    seen: Mapping[str, Silence | StaroverError],
    survivors: Sequence[str],
    now: datetime | None,
    acl: NetworkAcl | None,
    event: str,
    certified_by: tuple[str, ...],
    clean: bool,
) -> FenceFacts:
    instance, checks = status
    address = host.server.address
    return FenceFacts(
        host=host.server.name,
        instance=host.server.instance,
        state=None if instance is None else instance.state,
        checks=checks.checks if checks is not None else None,
        store=host.store,
        now=now,
        survivors=tuple(survivors),
        open={place: one.of(address) if isinstance(one, Silence) else None for place, one in seen.items()},
        subnet=host.subnet,
        acl=acl,
        stopped_cleanly=clean,
        power_event=event,
        certified_by=certified_by,
        serves=host.serves,
    )


def _status(host: LostHost) -> Steps[tuple[OneInstance | None, InstanceStatus | None]]:
    if not host.server.instance:
        return None, None
    answers = yield from together(
        [
            attempt(instance_of.read(host.server, instance=host.server.instance)),
            attempt(instance_status.read(host.server, instance=host.server.instance)),
        ]
    )
    return answer_of(answers, OneInstance), answer_of(answers, InstanceStatus)


def _acls(hosts: Sequence[LostHost]) -> Steps[dict[str, NetworkAcl]]:
    subnets = {host.subnet: host.server for host in hosts if host.subnet}
    found = yield from together(attempt(subnet_acl.read(server, subnet=name)) for name, server in subnets.items())
    pairs = zip(subnets, found, strict=True)
    return {name: one.acl for name, one in pairs if isinstance(one, SubnetAcl) and one.acl is not None}


def _power_events(hosts: Sequence[LostHost]) -> Steps[dict[str, str]]:
    zones = {host.server.az: host.server for host in hosts if host.server.az and host.server.instance}
    found = yield from together(attempt(health_events.read(server, az=az)) for az, server in zones.items())
    said: dict[str, str] = {}
    for az, one in zip(zones, found, strict=True):
        if isinstance(one, HealthEvents):
            codes = [event.code for event in one.events if POWER in event.code]
            said[az] = ", ".join(dict.fromkeys(codes))
    return said

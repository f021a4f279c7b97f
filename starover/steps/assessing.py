"""Looking at a bad day from every place there is, and saying what it means; reads only, stops at no silent host."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from starover.errors import BadParameter, StaroverError
from starover.estate import Dag, Estate, Server
from starover.runbook import Finding, Steps, attempt, together
from starover.step import Query, Report
from starover.steps.assessment import Assessment, Decision, HostRoad, Situation, decide
from starover.steps.copies import CopyStatus
from starover.steps.dag import ClusterState, DagFacts, DagState, DatabaseInfo, HostFacts, short
from starover.steps.dag_object import ClusterView
from starover.steps.disaster import QUICK, Answered, Heard, Survey, pings, survey
from starover.steps.fencing import TAG
from starover.steps.instances import OFF, Ec2Instance, HostDisks, InstanceStatus, OneInstance, store_lost
from starover.steps.lags import LagManager, lag_manager
from starover.steps.losses import LogSpace, Loss, log_space, losses
from starover.steps.mailflow import (
    EdgeSubscription,
    EdgeSubscriptions,
    SendConnectors,
    edge_subscriptions,
    said,
    send_connectors,
    severed,
)
from starover.steps.mounting import SideCopies
from starover.steps.proof import proof
from starover.steps.rest_witness import needs_witness, rest_witness
from starover.steps.situation import Cloud, Place, last_log, silent_names, situation, survivors, up_and_silent
from starover.steps.witness_write import WitnessWrite, path_beside, tested, witness_write
from starover.steps.zonal_shift import ZoneIdentity
from starover.values import Plain

__all__ = ["Assessed", "assessed", "named_lost"]

_instance = Query("ec2/instance.call.j2", OneInstance, deadline=QUICK)
_status = Query("ec2/instance_status.call.j2", InstanceStatus, deadline=QUICK)
_disks = Query("ec2/instance_stores.call.j2", HostDisks, deadline=QUICK)
_zone = Query("ec2/zone_id.call.j2", ZoneIdentity, deadline=QUICK)
"""As `instances` and `zonal_shift` have them, with the patience of a first look."""
_copies_beside = Query("disaster/side.ps1.j2", SideCopies, deadline=4.0)
"""As `mounting` has it. Who runs answers at once; who has just died would be waited for."""


@dataclass(frozen=True)
class Assessed:
    """What was seen, what it comes to, and the page made of it."""

    seen: Survey
    situation: Situation
    decision: Decision
    page: Assessment
    connectors: SendConnectors | None
    severed: tuple[EdgeSubscription, ...] = ()
    """Edge servers whose site is lost whole."""


def named_lost(dag: Dag, estate: Estate, sites: Sequence[str], servers: Sequence[Server]) -> tuple[str, ...]:
    """The members that a person calls lost. Raises `BadParameter` for a site or server without a member, or for all."""
    members = estate.members(dag)
    foreign = [one.name for one in servers if one not in members]
    if foreign:
        raise BadParameter(
            f"--lost-server {', '.join(foreign)}: no member of {dag.name}",
            certain=("nothing was contacted",),
            next=(f"its members: {', '.join(dag.members)}",),
        )
    for site in sites:
        if not any(one.site.casefold() == site.casefold() for one in members):
            known = ", ".join(sorted({one.site for one in members if one.site})) or "none"
            raise BadParameter(
                f"--lost-site {site}: no member of {dag.name} is in that site",
                certain=("nothing was contacted",),
                next=(f"its members' sites: {known}",),
            )
    wanted = {site.casefold() for site in sites}
    lost = tuple(one.name for one in members if one in servers or one.site.casefold() in wanted)
    if lost and len(lost) == len(members):
        raise BadParameter(
            f"G-ADSITE: that is every member of {dag.name}; somebody must survive", certain=("nothing was contacted",)
        )
    return lost


def assessed(dag: Dag, estate: Estate, lost: Collection[str] = ()) -> Steps[Assessed]:
    """Look, decide, and write the page. `lost`: members that a person says are lost, whether or not they answer."""
    seen = yield from survey(dag, estate)
    silent = list(dict.fromkeys([*silent_names(seen, dag), *lost]))
    clouds = yield from _clouds(estate, silent)
    unseen = [name for name in silent if name not in clouds and not _answers(seen, name)]
    places = yield from _places(seen, estate, unseen)
    connectors, edges, plays = yield from _connectors(seen, estate)
    tried = yield from _witness_tried(seen, estate)
    beside = yield from _copies_of_silent(seen, estate)
    now = situation(seen, dag, estate, clouds=clouds, places=places, beside=beside)
    decision = decide(now)
    missing = [one for one in seen.databases or () if one.name not in (*now.mounted, *now.unseen)]
    here = survivors(seen)
    costs = losses(seen, here, missing)
    space = [one for host in here for one in log_space(host, seen)]
    gone = [one.name for one in now.lost if one.role == "member"]
    living = {one.site for one in estate.members(dag) if one.name not in gone}
    sites = {one.site for one in estate.members(dag) if one.site and one.site not in living}
    subscribed = None if edges is None else edges.edges
    mailflow = None if connectors is None else said(connectors.connectors, gone, subscribed, sites)
    zonal = yield from _zonal(now, estate)
    given = {**decision.parameters, **_witness_given(seen, now, decision, dag, estate)}
    page = Assessment(
        dag=dag.name,
        answer=decision.answer,
        runbook=decision.runbook,
        parameters=given,
        verdict=decision.verdict,
        mail_down=None if seen.databases is None or now.unseen else bool(seen.databases) and not now.mounted,
        since=last.isoformat() if (last := last_log(seen, [one.name for one in missing])) else "",
        certain=(*_certain(seen, now), *decision.certain),
        uncertain=(*decision.uncertain, *_uncounted(costs)),
        cost=tuple(costs),
        space=tuple(space),
        proof=proof(seen, now, decision, dag, costs=costs, space=space, mailflow=mailflow, witness_tested=tried),
        hosts=tuple(_road(one, estate) for one in seen.hosts),
        recovery=_recovery(now, costs),
        wait=decision.wait,
        zonal=zonal,
        lagged=tuple(_lagged(here, _played_down(seen, plays))),
        facts=facts_of(seen),
        findings=tuple(_findings(seen, now, costs, space)),
    )
    return Assessed(seen, now, decision, page, connectors, tuple(severed(subscribed or (), sites)))


def _answers(seen: Survey, name: str) -> bool:
    host = seen.host(name)
    return host is not None and host.answers


def _clouds(estate: Estate, silent: Sequence[str]) -> Steps[dict[str, Cloud]]:
    """What EC2 says of those that do not answer; who is missing could not be asked about."""
    servers = [server for name in silent if (server := estate.server(name)).instance]
    answers = yield from together(_cloud(server) for server in servers)
    return {one.server: one for one in answers if one is not None}


def _cloud(server: Server) -> Steps[Cloud | None]:
    parts: list[Steps[Report | StaroverError]] = [
        attempt(_instance.read(server, instance=server.instance)),
        attempt(_status.read(server, instance=server.instance)),
    ]
    found, status = yield from together(parts)
    if not isinstance(found, OneInstance) or found.instance is None:
        return None
    checks = status.checks if isinstance(status, InstanceStatus) else None
    return Cloud(
        server=server.name,
        state=found.state,
        checks="" if checks is None else "ok" if checks.ok else f"system {checks.system}, instance {checks.instance}",
        fenced=bool(found.instance.tag(TAG)),
        store=(yield from _store(server, found.instance)),
    )


def _store(server: Server, instance: Ec2Instance) -> Steps[str]:
    if not instance.kind or instance.state in OFF:
        return ""
    disks = yield from attempt(_disks.read(server, kind=instance.kind))
    return store_lost(instance.kind, disks if isinstance(disks, HostDisks) else None)


def _places(seen: Survey, estate: Estate, silent: Sequence[str]) -> Steps[list[Place]]:
    """Each silent host is looked at from one living one, in another zone where there is one."""
    able = [one for one in seen.hosts if one.answers]
    if not able or not silent:
        return []
    tasks: dict[str, list[str]] = {}
    for number, name in enumerate(silent):
        zone = estate.server(name).az
        from_ = [one for one in able if one.az != zone] or able
        tasks.setdefault(from_[number % len(from_)].server, []).append(name)
    answers = yield from together(_looked(estate, asked, names) for asked, names in tasks.items())
    return [one for one in answers if one is not None]


def _looked(estate: Estate, asked: str, names: Sequence[str]) -> Steps[Place | None]:
    addresses = {(server := estate.server(name)).address or server.fqdn: name for name in names}
    answer = yield from attempt(pings.read(estate.server(asked), names=tuple(addresses)))
    if not isinstance(answer, Answered):
        return None
    return Place(
        asked=asked,
        answered=tuple(addresses[one] for one in answer.answered if one in addresses),
        looked_at=tuple(names),
    )


def _connectors(
    seen: Survey, estate: Estate
) -> Steps[tuple[SendConnectors | None, EdgeSubscriptions | None, LagManager | None]]:
    """Send connectors, Edge subscriptions and the lag manager, by the first survivor that can list the connectors."""
    for host in survivors(seen):
        if host.copies is not None or host.dag is not None:
            at = estate.server(host.server)
            parts: list[Steps[SendConnectors | EdgeSubscriptions | LagManager | StaroverError]] = [
                attempt(send_connectors.read(at)),
                attempt(edge_subscriptions.read(at)),
                attempt(lag_manager.read(at, dag=seen.dag)),
            ]
            answer, edges, plays = yield from together(parts)
            if isinstance(answer, SendConnectors):
                known = edges if isinstance(edges, EdgeSubscriptions) else None
                return answer, known, plays if isinstance(plays, LagManager) else None
    return None, None, None


def _copies_of_silent(seen: Survey, estate: Estate) -> Steps[Sequence[CopyStatus]]:
    """The copies of members that are silent from here and up in a survivor's cluster: that one can ask them.

    What it could not tell, or not in time, is left out. Who is not up in the cluster is not asked: Exchange would wait.
    """
    asked, names = up_and_silent(seen)
    if not names:
        return ()
    answer = yield from attempt(_copies_beside.read(estate.server(asked), servers=names))
    if not isinstance(answer, SideCopies):
        return ()
    return [copy for one in answer.members for copy in one.copies if copy.status != "ServiceDown"]


def _witness_tried(seen: Survey, estate: Estate) -> Steps[str]:
    """What writes on the alternate witness gave, where some were made: looking writes nothing."""
    found = seen.object
    host = seen.host(short(found.alternate_server)) if found is not None and found.alternate_server else None
    if found is None or host is None or not host.answers or not found.alternate_directory:
        return ""
    file = path_beside(estate.server(host.server).fqdn, found.alternate_directory)
    here = [estate.server(one.server) for one in survivors(seen)]
    answers = yield from together(attempt(witness_write.read(server)) for server in here)
    return tested(host.server, file, [one for one in answers if isinstance(one, WitnessWrite)])


def _witness_given(seen: Survey, now: Situation, decision: Decision, dag: Dag, estate: Estate) -> Mapping[str, Plain]:
    """The witness that force-quorum is to name, where its alternate cannot be had and something else can."""
    gone = [one.name for one in now.lost if one.role == "member"]
    left = len(now.members) - len(gone)
    dac = now.mode == "DagOnly"
    mode = decision.parameters.get("mode")
    if decision.runbook != "force-quorum" or mode == "temporary" or not needs_witness(left, dac=dac):
        return {}
    best = rest_witness(seen, dag, estate, gone)
    return {} if best.which == "alternate" or "witness" in decision.parameters else {"witness": str(best)}


# -- the page ----------------------------------------------------------------------------------------------------------


def _certain(seen: Survey, now: Situation) -> list[str]:
    silent = [one.server for one in seen.hosts if not one.answers]
    lines = [f"members that answer: {', '.join(now.answering) or 'none'}"]
    if silent:
        lines.append(f"{', '.join(silent)}: no answer from here")
    return lines


def _uncounted(costs: Sequence[Loss]) -> list[str]:
    """What no number covers: logs written after the last one that this side was told of."""
    return [
        f"what {one.database} wrote after its last notice of {one.notified[:19]}Z cannot be counted"
        for one in costs
        if one.target and not one.active and one.notified
    ]


def _recovery(now: Situation, costs: Sequence[Loss]) -> str:
    if not now.answering:
        return "nobody here can tell"
    alone = [one.database for one in costs if one.by_itself]
    person = [one.database for one in costs if not one.by_itself]
    if now.unseen:
        return f"nobody could see whether {', '.join(now.unseen)} {'is' if len(now.unseen) == 1 else 'are'} mounted"
    if now.clusters and not costs:
        return "none is needed: quorum holds and every database is mounted"
    when = "the PAM is trying now" if now.clusters else "once there is quorum"
    one = len(alone) == 1
    parts = [f"{', '.join(alone)} {'mounts by itself' if one else 'mount by themselves'} {when}"] if alone else []
    parts += [f"{', '.join(person)} {'waits' if len(person) == 1 else 'wait'} for a person"] if person else []
    return "; ".join(parts) or "nothing mounts by itself"


def _zonal(now: Situation, estate: Estate) -> Steps[str]:
    """A balancer that may still send clients into the lost zone, with what takes it out there, by the zone's id."""
    lost = [estate.server(one.name) for one in now.lost if one.role == "member"]
    zones = {one.az for one in lost}
    if len(zones) != 1 or not estate.balancers or not now.answering:
        return ""
    zone = zones.pop()
    found = yield from attempt(_zone.read(lost[0], az=zone))
    known = found.id if isinstance(found, ZoneIdentity) else None
    names = ", ".join(one.name for one in estate.balancers)
    says = f"{names} may still send clients to {zone}"
    if not known:
        return f"{says}: take it out of their DNS first (zonal-shift; EC2 does not say the zone's id, such as euw1-az1)"
    return f"{says}: starover plan zonal-shift --az {known}   comes first"


def _played_down(seen: Survey, plays: LagManager | None) -> str:
    """When lagged copies lose their lag by themselves: after 24 hours with fewer than three good ones beside them."""
    if plays is None:
        return f"nobody could read ReplayLagManagerEnabled: where it is on, {_DAY}"
    if not plays.enabled:
        return "ReplayLagManagerEnabled is off: nothing plays it down by itself"
    last, now = last_log(seen), seen.now
    if last is None or now is None:
        return f"{_DAY}: decide before"
    left = max(24 - (now - last).total_seconds() / 3600, 0)
    return f"{_DAY}, in about {left:.0f} h where they are missing since the last log: decide before"


_DAY = "it is played down after 24 h with fewer than three good copies"


def _lagged(here: Sequence[Heard], when: str) -> list[str]:
    found: list[str] = []
    for host in here:
        for copy in host.copies.copies if host.copies is not None else ():
            if copy.lag:
                barred = ", barred from activation" if copy.activation_suspended else ""
                found.append(f"{copy.id}: lag {copy.lag.days} d{barred}; {when}")
    return found


def _road(host: Heard, estate: Estate) -> HostRoad:
    server = estate.server(host.server)
    says = f"up since {host.machine.boot_time[:19]}Z" if host.machine is not None else "; ".join(host.errors)
    return HostRoad(
        server=host.server,
        role=host.role,
        az=host.az,
        answers=host.answers,
        roads=tuple(dict.fromkeys(road.kind for road in server.roads)),
        says=says or "no answer",
    )


def _findings(seen: Survey, now: Situation, costs: Sequence[Loss], space: Sequence[LogSpace]) -> list[Finding]:
    found = [
        Finding(
            check="host",
            on=one.server,
            level="ok" if one.answers else "unknown",
            says="answers" if one.answers else "; ".join(one.errors) or "no answer",
        )
        for one in seen.hosts
    ]
    quorum = f"kept by {', '.join(now.clusters[0].nodes)}" if now.clusters else "nobody who answers has it"
    found.append(Finding(check="quorum", on=now.dag, level="ok" if now.clusters else "fail", says=quorum))
    found += [Finding(check="G-LOSS", on=one.database, level="fail", says=one.text) for one in costs]
    found += [
        Finding(check="S-LOGSPACE", on=one.server, level="fail" if one.low else "ok", says=one.text) for one in space
    ]
    return found


def facts_of(seen: Survey) -> DagFacts:
    """The same as a map draws it."""
    mounted = {copy.database for host in seen.members if host.copies for copy in host.copies.copies if copy.mounted}
    databases = None
    if seen.databases is not None:
        databases = tuple(
            DatabaseInfo(
                name=one.name,
                mounted=one.name in mounted,
                server=one.server,
                preferences=one.preferences,
                lags=(),
                circular_logging=False,
                log_folder="",
            )
            for one in seen.databases
        )
    return DagFacts(
        name=seen.dag,
        members=tuple(_host_facts(one) for one in seen.members),
        others=tuple(_host_facts(one) for one in seen.others),
        databases=databases,
    )


def _host_facts(host: Heard) -> HostFacts:
    found = host.dag
    return HostFacts(
        server=host.server,
        boot_time=host.machine.boot_time if host.machine is not None else None,
        cluster=None if host.cluster is None else _state(host.cluster),
        dag=None
        if found is None or not found.found
        else DagState(
            name="",
            members=found.members,
            witness_server=found.witness_server,
            witness_directory=found.witness_directory,
            alternate_server=found.alternate_server,
            witness_share=found.witness_share,
            activation_mode=found.activation_mode,
            active_manager=found.active_manager,
            started=found.started,
            stopped=found.stopped,
        ),
        copies=host.copies.copies if host.copies is not None else None,
        errors=host.errors,
    )


def _state(view: ClusterView) -> ClusterState:
    return ClusterState(
        name=view.name,
        dynamic_quorum=True,
        witness_weight=view.witness_weight,
        witness_state=view.witness_state,
        nodes=view.nodes,
    )

"""The side of a DAG that comes back: which hosts, how far each is on its way, and whether it may come; changes nothing.

A fence is lifted by failback only, where its tag and a journal of the fence tell of it (S-UNFENCE). So the tag is the
last thing that goes: as long as it is there, the host is on its way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from starover.errors import BadParameter, NotSafe, StaroverError
from starover.estate import Dag, Estate, Server
from starover.names import same_host
from starover.runbook import Steps, attempt, recall, together
from starover.steps import guards
from starover.steps.dag import short
from starover.steps.dag_object import DagObject, dag_facts, listed
from starover.steps.disaster import CLUSTER_SERVICE, Machine, machine
from starover.steps.failback_dag import ComingBack, coming_back, recovery_held
from starover.steps.fence_hosts import HealthEvents, LostHost, health_events, lost_hosts
from starover.steps.fencing import TAG
from starover.steps.instances import OFF, instance_tagged
from starover.steps.preferences import Policies, policies
from starover.steps.subnet_rules import NetworkAcl, denies_all, subnet_acl, subnet_denied
from starover.steps.unfencing import QUARANTINE, groups_of

__all__ = [
    "NAMES",
    "Mode",
    "Returning",
    "ReturningSide",
    "asleep",
    "closed_by_us",
    "members_there",
    "returning_side",
    "skewed",
]

Mode = Literal["auto", "dac", "nodac"]
NAMES = (CLUSTER_SERVICE,)
UNTOUCHED = ("nothing was changed",)
SKEW, TOO_MUCH = timedelta(seconds=60), timedelta(minutes=5)
"""Between two clocks: worth a word, and more than Kerberos bears (P36)."""


def asleep(now: Machine) -> bool:
    """Its cluster service is stopped and does not start by itself: it cannot vote, whatever it reaches."""
    service = next((one for one in now.services if one.name.casefold() == CLUSTER_SERVICE), None)
    return service is not None and (service.status, service.start) == ("Stopped", "Disabled")


@dataclass(frozen=True, kw_only=True)
class Returning:
    """A host of the side that comes back."""

    host: LostHost
    tagged: bool
    """It carries our tag."""
    denied: bool
    """Nothing passes its subnet: where EC2 could not be reached that day, it is fenced by this alone."""
    behind: bool
    """It is in the quarantine's security group and in no other, running or not."""
    awake: Machine | None
    """What Windows on it says; None: it is off, or silent."""

    @property
    def server(self) -> Server:
        """Which one."""
        return self.host.server

    @property
    def fenced(self) -> bool:
        """A fence of ours is to be lifted."""
        return self.tagged or self.denied

    @property
    def off(self) -> bool:
        """Its instance is stopped."""
        return self.host.instance is not None and self.host.instance.state in OFF

    @property
    def out(self) -> bool:
        """It has left the quarantine with its cluster service off: the network was opened."""
        return not self.behind and self.awake is not None and asleep(self.awake)


@dataclass(frozen=True, kw_only=True)
class ReturningSide:
    """A site that comes back, and the side that has carried everything."""

    site: str
    mode: Literal["dac", "nodac"]
    asked: Server
    """A survivor whose cluster answers: Exchange is asked there."""
    now: ComingBack
    object: DagObject
    members: tuple[Returning, ...]
    """All members of the site."""
    witnesses: tuple[Returning, ...]
    """Witness hosts of the DAG in the site."""
    controllers: tuple[LostHost, ...]
    """Domain controllers of the site."""
    survivors: tuple[Server, ...]
    before: str
    """PreferenceMoveFrequency as it was before a failback began to hold it; empty: this version has none."""

    @property
    def coming(self) -> tuple[Returning, ...]:
        """Members whose fence is still to be lifted."""
        return tuple(one for one in self.members if one.fenced)

    @property
    def away(self) -> tuple[Returning, ...]:
        """Those of them that are not in the cluster again."""
        return tuple(
            one for one in self.coming if listed(one.server.name, self.now.stopped) or not self.now.up(one.server.name)
        )

    def kept(self, one: Returning) -> bool:
        """Whether the cluster still counts it: nobody was forced on without it, it was only away."""
        node = self.now.cluster.node(one.server.name) if self.now.cluster is not None else None
        return node is not None and not listed(one.server.name, self.now.stopped)

    @property
    def fenced_witnesses(self) -> tuple[Returning, ...]:
        """Witness hosts that are fenced."""
        return tuple(one for one in self.witnesses if one.fenced)

    @property
    def open(self) -> bool:
        """A recovery is open: somebody is fenced or stopped, the alternate witness votes, or a failback was cut off."""
        stopped = any(listed(one.server.name, self.now.stopped) for one in self.members)
        held = self.before != self.now.frequency
        return bool(self.coming or self.fenced_witnesses or stopped or held) or self.now.witness_share == "Alternate"


def members_there(dag: Dag, estate: Estate, site: str) -> tuple[tuple[Server, ...], tuple[Server, ...]]:
    """The members of a site, and the others. Raises `BadParameter` where one of the two is nobody (G-ADSITE)."""
    members = estate.members(dag)
    here = tuple(one for one in members if one.site.casefold() == site.casefold())
    rest = tuple(one for one in members if one not in here)
    if here and rest:
        return here, rest
    sites = ", ".join(sorted({one.site for one in members}))
    raise BadParameter(
        f"--site {site}: {'every member is there' if here else 'no member is there'}",
        certain=("nothing was contacted",),
        next=(f"the members of {dag.name} are in {sites}",),
    )


def returning_side(dag: Dag, estate: Estate, site: str, mode: Mode) -> Steps[ReturningSide]:
    """Look at both sides, side by side, and refuse what must not come back by this way.

    Raises `NotSafe`: no survivor has quorum, `mode` is another one than the DAG's, a member runs a cluster of its
    own or without a fence, nobody here has fenced it, its Exchange is another one, or AWS speaks of trouble there.
    """
    members, survivors = members_there(dag, estate, site)
    asked, now, found = yield from _survivor(dag, survivors)
    chosen = _mode(found, mode)
    shares = [name for name in (dag.witness, dag.alternate_witness, now.witness_server) if name]
    beside = [one for one in estate.servers if one.site.casefold() == members[0].site.casefold() and one not in members]
    hosts = [one for one in beside if any(same_host(one.name, short(name)) for name in shares)]
    returning = yield from together(_returning(server) for server in (*members, *hosts))
    controllers = yield from lost_hosts([one for one in beside if "dc" in one.roles], ())
    side = ReturningSide(
        site=members[0].site,
        mode=chosen,
        asked=asked,
        now=now,
        object=found,
        members=tuple(returning[: len(members)]),
        witnesses=tuple(returning[len(members) :]),
        controllers=controllers,
        survivors=survivors,
        before=(yield from _before(dag, survivors, now)),
    )
    _no_own_cluster(side, dag)
    yield from _fence_known(side)
    yield from _builds_equal(side)
    if side.away:
        yield from _zone_quiet(side)
    return side


def _survivor(dag: Dag, survivors: Sequence[Server]) -> Steps[tuple[Server, ComingBack, DagObject]]:
    """The first survivor whose cluster has quorum, and the DAG as it sees it."""
    heard = yield from together(attempt(dag_facts.read(one, dag=dag.name)) for one in survivors)
    for server, found in zip(survivors, heard, strict=True):
        if isinstance(found, DagObject) and found.found and found.cluster is not None:
            return server, (yield from coming_back.read(server, dag=dag.name)), found
    said = [
        f"{one.name}: {now.what}" for one, now in zip(survivors, heard, strict=True) if isinstance(now, StaroverError)
    ]
    raise NotSafe(
        f"no survivor of {dag.name} has quorum: there is nothing that anybody could come back to",
        certain=(*said, *UNTOUCHED),
        next=("starover assess",),
    )


def _before(dag: Dag, survivors: Sequence[Server], now: ComingBack) -> Steps[str]:
    """How often databases moved home by themselves before an earlier failback held that; as now where none did."""
    if now.moves_home or not now.frequency:
        return now.frequency
    for at in survivors:
        kept = yield from recall(at, recovery_held, dag=dag.name, hold=True)
        if kept is not None:
            return kept.frequency
    return now.frequency


def _mode(found: DagObject, wanted: Mode) -> Literal["dac", "nodac"]:
    own: Literal["dac", "nodac"] = "dac" if found.activation_mode == "DagOnly" else "nodac"
    if wanted not in ("auto", own):
        raise NotSafe(
            f"--mode {wanted} contradicts the DAG: DatacenterActivationMode is {found.activation_mode or 'Off'}",
            certain=UNTOUCHED,
            next=(f"--mode {own}, or auto",),
        )
    return own


def _returning(server: Server) -> Steps[Returning]:
    (host,) = yield from lost_hosts([server], ())
    known = host.instance.instance if host.instance is not None else None
    behind = denied = False
    awake: Machine | StaroverError | None = None
    if known is not None and known.vpc:
        quarantine = (yield from groups_of.read(server, vpc=known.vpc, name=QUARANTINE)).one
        behind = quarantine is not None and known.groups == (quarantine.id,)
    if host.subnet:
        acl = (yield from subnet_acl.read(server, subnet=host.subnet)).acl
        denied = acl is not None and denies_all(acl.entries)
    if known is None or known.state not in OFF:
        awake = yield from attempt(machine.read(server, names=NAMES))
    return Returning(
        host=host,
        tagged=known is not None and bool(known.tag(TAG)),
        denied=denied,
        behind=behind,
        awake=awake if isinstance(awake, Machine) else None,
    )


def _no_own_cluster(side: ReturningSide, dag: Dag) -> None:
    """Nobody of that side runs beside this one: neither in a cluster of its own nor without a fence."""
    for one in side.members:
        name = one.server.name
        if side.now.up(name):
            continue
        apart = one.awake is not None and one.awake.cluster is not None
        runs = one.awake is not None and not asleep(one.awake) and not one.behind
        out = side.mode == "nodac" or listed(name, side.now.stopped)
        if apart or (runs and out):
            raise NotSafe(
                f"{name} runs {'a cluster of its own' if apart else 'its cluster service'} beside {dag.name}",
                certain=(
                    f"the cluster of {dag.name} is that of {', '.join(s.name for s in side.survivors)}",
                    *UNTOUCHED,
                ),
                next=(f"starover plan fence --lost-site {side.site}   stops it, then this again",),
            )
        if not one.fenced and one.off and out:
            raise NotSafe(
                f"S-UNFENCE: {name} is off, and no fence of ours keeps it so",
                certain=(f"its instance has no tag {TAG}", *UNTOUCHED),
                next=(f"starover plan fence --lost-site {side.site}   writes it down, then this again",),
            )


def _fence_known(side: ReturningSide) -> Steps:
    """A journal here tells of every fence that is to be lifted."""
    for one in (*side.coming, *side.fenced_witnesses):
        kept = yield from recall(one.server, instance_tagged, instance=one.server.instance, key=TAG)
        if kept is None and not (one.denied and (yield from closed_by_us(side, one.host.subnet))):
            raise NotSafe(
                f"S-UNFENCE: {one.server.name} is fenced, and no journal here tells by whom and how",
                certain=(
                    f"its instance has the tag {TAG}" if one.tagged else f"nothing passes {one.host.subnet}",
                    *UNTOUCHED,
                ),
                next=(
                    "type it where the fence was made: its journal knows what was before",
                    f"starover plan fence --lost-site {side.site}   after taking the tag away: makes one of ours",
                ),
            )


def closed_by_us(side: ReturningSide, subnet: str) -> Steps[NetworkAcl | None]:
    """The network ACL of a subnet before a fence of ours closed it; None: no journal here tells."""
    for one in (*side.members, *side.witnesses):
        before = yield from recall(one.server, subnet_denied, subnet=subnet)
        if before is not None and before.acl is not None:
            return before.acl
    return None


def _builds_equal(side: ReturningSide) -> Steps[Policies]:
    known = yield from policies.read(side.asked)
    builds = {one.name: one.build for one in known.servers}
    wanted = builds.get(side.asked.name, "")
    other = {
        one.server.name: build
        for one in side.coming
        if (build := next((b for name, b in builds.items() if same_host(name, one.server.name)), wanted)) != wanted
    }
    if other:
        said = ", ".join(f"{name} {build}" for name, build in other.items())
        raise NotSafe(
            f"G-VERSION: {said}, and {side.asked.name} {wanted}: patches must be equal before anybody comes back",
            certain=UNTOUCHED,
            next=("bring the survivors to the same build first: starover run patch-status",),
        )
    return known


def _zone_quiet(side: ReturningSide) -> Steps:
    """AWS Health speaks of no open trouble in the zone; where it cannot be asked, the hour of the DC must do."""
    server = side.away[0].server
    if not server.az:
        return
    said = yield from attempt(health_events.read(server, az=server.az))
    if isinstance(said, HealthEvents) and said.events:
        codes = ", ".join(dict.fromkeys(one.code for one in said.events))
        raise NotSafe(
            f"AWS Health has an open event for {server.az}: {codes}",
            certain=UNTOUCHED,
            next=("wait until it is closed and the zone has been stable for an hour",),
        )


def skewed(there: Machine, here: Machine) -> str:
    """What is wrong between two clocks read side by side; empty: nothing. Raises `NotSafe` where Kerberos refuses."""
    apart = abs(guards.moment(there.utc) - guards.moment(here.utc))
    if apart < SKEW:
        return ""
    says = f"the clocks of {short(there.name)} and {short(here.name)} are {int(apart.total_seconds())} s apart"
    if apart >= TOO_MUCH:
        raise NotSafe(
            f"{says}: Kerberos refuses it",
            certain=("its cluster service is off, behind the quarantine",),
            next=(f"mend the time service of {short(there.name)}, then this again",),
        )
    return says

"""What a bad day means: the decision table of az-loss-assess (catalogue section 6 D) and its result; pure, asks nobody.

The table is looked through from above and its first matching row answers. `?` in the catalogue's table is None here:
what cannot be proven is never taken for down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import msgspec

from starover.names import same_host
from starover.runbook import Findings
from starover.steps.dag import DagFacts
from starover.steps.losses import LogSpace, Loss
from starover.values import Plain

__all__ = [
    "SETTLED",
    "Answer",
    "Assessment",
    "Decision",
    "HostRoad",
    "Lost",
    "Partition",
    "ProofLine",
    "Situation",
    "decide",
]

SETTLED = 300.0
"""Seconds after a membership change until a cluster is judged."""

Answer = Literal[
    "split-brain-check",
    "settling",
    "take-off-started-list",
    "service-restart",
    "none",
    "mount-databases",
    "minority",
    "start-nodes",
    "fence-first",
    "force-quorum",
    "unknown",
]
"""The word of the decision table. `take-off-started-list` is its third row; `unknown`: a fact of the table is missing,
and the verdict says which."""


class Partition(msgspec.Struct, frozen=True, kw_only=True):
    """A quorate cluster of the DAG, as those see it that are in it."""

    nodes: tuple[str, ...]
    """Those that are up in it."""
    votes: int
    total: int
    seen_by: str
    """The host that said so."""

    @property
    def margin(self) -> int:
        """Votes that may still go."""
        return self.votes - (self.total // 2 + 1)


class Lost(msgspec.Struct, frozen=True, kw_only=True):
    """A member or witness host that does not answer."""

    name: str
    role: Literal["member", "witness"]
    down: bool | None
    """Proven down or fenced; None: cannot be proven; False: proven to run."""
    why: str
    """The raw fact behind it."""
    level: str = ""
    """Level of G-FENCE that is reached: `F1` to `F4`; empty: none."""
    fenced: bool = False
    """Fenced by us: it comes back only by failback."""
    returns: str = ""
    """Why it can be back within the RTO: a reboot under way, an instance that can be started; empty: it cannot."""


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """The facts that the decision table asks for."""

    dag: str
    members: tuple[str, ...]
    answering: tuple[str, ...]
    """Members whose Windows answers."""
    clusters: tuple[Partition, ...] = ()
    """Every quorate cluster that any host sees, each once."""
    isolated: tuple[str, ...] = ()
    changed: float | None = None
    """Seconds since the membership changed last; None: not known."""
    mode: str = ""
    """`DagOnly`, `Off`; empty: nobody could read the DAG object."""
    started: tuple[str, ...] = ()
    databases: tuple[str, ...] | None = ()
    """None: nobody could list them."""
    mounted: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    """Databases that may be mounted on a member that is up in the cluster and silent from here: nobody could tell."""
    rebooted: bool = False
    """Every answering member has booted since mail was last written: with DagOnly every DACP bit is 0."""
    sick: tuple[str, ...] = ()
    """`MSExchangeIS on EX1`: services without which a server that answers serves nothing."""
    lost: tuple[Lost, ...] = ()
    """Members, and witness hosts of their side, that do not answer."""
    elsewhere: str = ""
    """What shows that a quorate part of the DAG runs where we cannot look; empty: nothing does."""
    lost_site: str = ""
    """The AD site whose members are exactly the lost ones; empty: there is none."""
    force_node: str = ""
    """Survivor with the newest configuration, then the least loss, then the lowest preferences."""
    away: tuple[str, ...] = ()
    """Databases of which no member that answers has a copy: nothing can mount them here."""

    @property
    def lost_members(self) -> tuple[str, ...]:
        """The members that do not answer."""
        return tuple(one.name for one in self.lost if one.role == "member")


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the table, filled in."""

    answer: Answer
    runbook: str = ""
    """What to run now; empty: nothing."""
    parameters: dict[str, Plain] = {}
    """For that runbook, as `Runbook.bind` takes them."""
    verdict: str
    certain: tuple[str, ...] = ()
    uncertain: tuple[str, ...] = ()
    wait: str = ""
    """The cheaper alternative."""


class ProofLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the proof (catalogue 6.2)."""

    number: int
    """1 to 11, as the catalogue numbers them."""
    what: str
    says: str
    unknown: str = ""
    """Why the line cannot be filled; then `says` is `unknown`."""


class HostRoad(msgspec.Struct, frozen=True, kw_only=True):
    """A host, and whether anybody is at home."""

    server: str
    role: str
    az: str
    answers: bool
    roads: tuple[str, ...]
    """The roads that were tried, as the inventory lists them."""
    says: str
    """`up since ...`, or what went wrong."""


class Assessment(Findings, frozen=True, kw_only=True):
    """What az-loss-assess found; never more than a look."""

    dag: str
    answer: Answer
    """The decision table's word."""
    runbook: str = ""
    """The next runbook; empty: nothing is to be run."""
    parameters: dict[str, Plain] = msgspec.field(default_factory=dict[str, Plain])
    """For that runbook, as `Runbook.bind` takes them."""
    verdict: str
    """One sentence in the field's words."""
    mail_down: bool | None
    """No database is mounted; None: nobody could see."""
    since: str = ""
    """When the last log was written, ISO 8601; empty: not known."""
    certain: tuple[str, ...] = ()
    uncertain: tuple[str, ...] = ()
    cost: tuple[Loss, ...] = ()
    """What each database that is not mounted would lose."""
    space: tuple[LogSpace, ...] = ()
    proof: tuple[ProofLine, ...] = ()
    hosts: tuple[HostRoad, ...] = ()
    recovery: str = ""
    """What is expected to happen by itself, or what takes a person."""
    wait: str = ""
    """The cheaper alternative, and when it is one."""
    zonal: str = ""
    """The first move while a balancer still points at the lost zone; empty: none does."""
    lagged: tuple[str, ...] = ()
    """Lagged copies on this side: while they lack company they may be played down."""
    facts: DagFacts
    """For the map before."""


Row = Callable[[Situation], Decision | None]


def decide(now: Situation) -> Decision:
    """The first row of the table that matches."""
    for row in _ROWS:
        found = row(now)
        if found is not None:
            return found
    return Decision(
        answer="unknown",
        verdict=f"Nobody can tell what {now.dag} needs: no member answers.",
        certain=("no member of the DAG answers on any road from here",),
        uncertain=("whether mail is down, or only the way to the servers",),
        wait="look from another place: another tool host, or AWS Systems Manager",
    )


def _split(now: Situation) -> Decision | None:
    if len(now.clusters) < 2:
        return None
    sides = " and ".join(_names(one.nodes) for one in now.clusters)
    return Decision(
        answer="split-brain-check",
        runbook="split-brain-check",
        parameters={"db": list(now.databases or ())},
        verdict=f"TWO CLUSTERS of {now.dag} have quorum: {sides}. Page a human; no step is safe by itself.",
        certain=tuple(f"{one.seen_by} sees quorum of {_names(one.nodes)}" for one in now.clusters),
        uncertain=("whether one database is mounted on both sides",),
    )


def _settling(now: Situation) -> Decision | None:
    fresh = bool(now.clusters) and now.changed is not None and now.changed < SETTLED
    if not now.isolated and not fresh:
        return None
    if now.isolated:
        why = f"{_names(now.isolated)} {'is' if len(now.isolated) == 1 else 'are'} Isolated"
    else:
        why = f"the membership changed {max(int(now.changed or 0), 0)} s ago"  # by clocks that differ a little
    return Decision(
        answer="settling",
        verdict=f"The cluster of {now.dag} is still settling: {why}. Look again in a few minutes.",
        certain=(why,),
        uncertain=("what it will be when it has settled",),
        wait="starover assess   in five minutes",
    )


def _bits_zero(now: Situation) -> Decision | None:
    """Both rows about a whole DAG that rebooted while one Started member is dead: nothing mounts, though quorate."""
    dead = [one for one in now.lost if one.role == "member" and _listed(one.name, now.started)]
    nothing = bool(now.databases) and not now.mounted
    if len(now.clusters) != 1 or now.mode != "DagOnly" or not (nothing and now.rebooted and dead):
        return None
    names = _names(one.name for one in dead)
    left = [name for name in now.started if not any(same_host(name, one.name) for one in dead)]
    certain = (
        f"{_names(now.clusters[0].nodes)} have quorum, and nothing is mounted",
        f"every member that answers has rebooted, so every DACP bit is 0 until {names} is back or off the Started list",
    )
    unproven = [one for one in dead if not one.down]
    if unproven:
        return _fence(now, unproven, "nothing mounts because of DAC mode", certain)
    if len(left) > 1:
        return Decision(
            answer="take-off-started-list",
            runbook="mount-databases",
            parameters={"db": [name for name in now.databases or () if name not in now.away]},
            verdict=f"{now.dag} has quorum and mounts nothing: {names} is dead and on the Started list. Take it off.",
            certain=certain,
            uncertain=("if nothing mounts within five minutes after that: force-quorum --mode dac",),
        )
    return Decision(
        answer="force-quorum",
        runbook="force-quorum",
        parameters={"mode": "dac", "witness": "primary", "lost_server": [one.name for one in dead]},
        verdict=f"{now.dag} has quorum and mounts nothing: one Started member would remain, so Stop and Restore.",
        certain=certain,
    )


def _sick(now: Situation) -> Decision | None:
    if not now.clusters or not now.sick:
        return None
    service, _, server = now.sick[0].partition(" on ")
    return Decision(
        answer="service-restart",
        runbook="service-restart",
        parameters={"server": server, "service": service},
        verdict=f"{now.sick[0]} does not run, and {now.dag} has quorum: a service, not a disaster.",
        certain=tuple(f"{one} does not run" for one in now.sick),
    )


def _quorate(now: Situation) -> Decision | None:
    if not now.clusters:
        return None
    one = now.clusters[0]
    votes = f"{one.votes} of {one.total} votes are here"
    fatal = f"{one.margin} more may be lost" if one.margin > 0 else "the next loss of a voter takes quorum away"
    if now.databases is None:
        return Decision(
            answer="unknown",
            verdict=f"{now.dag} has quorum, and nobody could list its databases.",
            certain=(votes,),
            uncertain=("which databases are mounted",),
            wait="starover assess   again; starover status",
        )
    if now.unseen:
        return Decision(
            answer="unknown",
            verdict=f"{now.dag} has quorum, and nobody could see whether {_names(now.unseen)} "
            f"{'is' if len(now.unseen) == 1 else 'are'} mounted: the server is up in the cluster and silent from here.",
            certain=(votes, fatal),
            uncertain=(f"whether {_names(now.unseen)} {'serves' if len(now.unseen) == 1 else 'serve'} users",),
            wait="find the way to that server (WinRM, firewall), then starover assess; nothing is mounted by hand now",
        )
    missing = [name for name in now.databases if name not in now.mounted]
    if not missing:
        gone = f" No answer from {_names(now.lost_members)}." if now.lost_members else ""
        return Decision(
            answer="none",
            verdict=f"{now.dag} has quorum and serves every database: do nothing to the cluster, watch.{gone}",
            certain=(votes, fatal),
            uncertain=_apart(now),
        )
    here = [name for name in missing if name not in now.away]
    away = [name for name in missing if name in now.away]
    told = [f"{now.dag} has quorum, and {_names(missing)} {'is' if len(missing) == 1 else 'are'} not mounted."]
    told += [f"No copy of {_names(away)} is on this side: a member that has one must come back."] if away else []
    told += ["Find out why, then mount."] if here else []
    return Decision(
        answer="mount-databases",
        runbook="mount-databases" if here else "",
        parameters={"db": [*here]} if here else {},
        verdict=" ".join(told),
        certain=(votes, f"{len(now.databases) - len(missing)} of {len(now.databases)} databases are mounted"),
        uncertain=(*(("why: dial, blocked policy, most active databases, failed copy",) if here else ()), *_apart(now)),
        wait="" if here else "starover assess   when they are back",
    )


def _apart(now: Situation) -> tuple[str, ...]:
    """Members that may run where nobody can look: then there may be a second cluster."""
    return tuple(
        f"whether {one.name} runs apart from the others, with a cluster of its own: {one.why}"
        for one in now.lost
        if one.role == "member" and not one.down
    )


def _minority(now: Situation) -> Decision | None:
    if not now.elsewhere or not now.answering:
        return None
    return Decision(
        answer="minority",
        runbook="fence",
        parameters={"lost_server": list(now.answering)},
        verdict=f"This side ({_names(now.answering)}) is the minority: {now.elsewhere}. Never force.",
        certain=(now.elsewhere,),
        uncertain=("when the network is whole again",),
    )


def _returning(now: Situation) -> Decision | None:
    if not now.answering or not now.lost or any(one.fenced for one in now.lost):
        return None
    back = [one for one in now.lost if one.returns]
    if not back:
        return None
    nodes = [one.name for one in back if one.role == "member"]
    witness = [one.name for one in back if one.role == "witness"]
    parameters: dict[str, Plain] = {"witness_host": bool(witness)}
    if nodes:
        parameters["server"] = list(nodes)
    return Decision(
        answer="start-nodes",
        runbook="start-nodes",
        parameters=parameters,
        verdict=f"{now.dag} has no quorum, and {_names([*nodes, *witness])} can be back soon: start, do not force.",
        certain=tuple(f"{one.name}: {one.returns}" for one in back),
        wait="if they do not come back: starover plan force-quorum --mode temporary",
    )


def _unproven(now: Situation) -> Decision | None:
    open_ = [one for one in now.lost if not one.down]
    if not now.answering or not now.lost_members or not open_:
        return None
    return _fence(now, open_, "no member that answers has quorum", ())


def _force(now: Situation) -> Decision | None:
    if not now.answering:
        return None
    if not now.lost_members:
        return Decision(
            answer="start-nodes",
            runbook="start-nodes",
            parameters={},
            verdict=f"{now.dag} has no quorum although every member answers: start the cluster service.",
            certain=(f"every member answers: {_names(now.answering)}",),
            wait="if quorum does not come: starover plan force-quorum --mode temporary",
        )
    if now.mode not in ("DagOnly", "Off"):
        return Decision(
            answer="unknown",
            verdict=f"{now.dag} has no quorum, and nobody could read whether DAC is on: no way is safe yet.",
            certain=(f"only {_names(now.answering)} can be asked",),
            uncertain=("DatacenterActivationMode: no surviving domain controller, or no Exchange session",),
            wait="bring a domain controller of this side back, then starover assess",
        )
    where: dict[str, Plain] = {"lost_site": [now.lost_site]} if now.lost_site else {"lost_server": [*now.lost_members]}
    certain = tuple(f"{one.name}: {one.why}" for one in now.lost)
    if now.mode == "DagOnly":
        return Decision(
            answer="force-quorum",
            runbook="force-quorum",
            parameters={**where, "mode": "auto"},
            verdict=f"{now.dag} has no quorum, and {_down(now.lost_members)}: switch the datacenter over.",
            certain=certain,
        )
    node: dict[str, Plain] = {"force_node": now.force_node} if now.force_node else {}
    return Decision(
        answer="force-quorum",
        runbook="force-quorum",
        parameters={"lost_server": list(now.lost_members), **node, "mode": "auto"},
        verdict=f"{now.dag} has no quorum (DAC Off), and {_down(now.lost_members)}: force it on one node.",
        certain=certain,
    )


_ROWS: tuple[Row, ...] = (
    _split,
    _settling,
    _bits_zero,
    _sick,
    _quorate,
    _minority,
    _returning,
    _unproven,
    _force,
)
"""In the order of the catalogue; `_bits_zero` and `_quorate` are two rows each, `_force` is the last two."""


def _fence(now: Situation, open_: Sequence[Lost], why: str, certain: tuple[str, ...]) -> Decision:
    nodes = [one.name for one in now.lost if one.role == "member"]
    where: dict[str, Plain] = {"lost_site": [now.lost_site]} if now.lost_site else {"lost_server": [*nodes]}
    return Decision(
        answer="fence-first",
        runbook="fence",
        parameters={**where, "include_witness": any(one.role == "witness" for one in now.lost)},
        verdict=f"{now.dag}: {why}, and {_names(one.name for one in open_)} may still run. Fence first, never force.",
        certain=certain,
        uncertain=tuple(f"whether {one.name} still runs: {one.why}" for one in open_),
    )


def _names(names: Iterable[str]) -> str:
    """`EX1`, `EX1 and EX2`, `EX1, EX2 and EX3`."""
    every = list(names)
    return every[0] if len(every) == 1 else f"{', '.join(every[:-1])} and {every[-1]}" if every else "nobody"


def _down(names: Sequence[str]) -> str:
    return f"{_names(names)} {'is' if len(names) == 1 else 'are'} down"


def _listed(name: str, names: Sequence[str]) -> bool:
    return any(same_host(one, name) for one in names)

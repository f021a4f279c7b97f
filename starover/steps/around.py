"""A DAG around one of its members, read side by side before that member is touched; changes nothing."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from starover.errors import BadParameter, NotSafe, StaroverError
from starover.estate import Dag, Estate, Server
from starover.names import same_host
from starover.runbook import Steps, attempt, together
from starover.step import Report
from starover.steps import guards
from starover.steps.activation import Activation, activations
from starover.steps.components import HUB, ComponentState, ComponentStates, component_states, find, hub_held, offline
from starover.steps.copies import CopyStatus, DatabaseCopies, copies_on
from starover.steps.dag import DatabaseInfo, databases, members_of, short
from starover.steps.dag_object import DagObject, dag_facts
from starover.steps.gate import Judged, judged
from starover.steps.moves import Moment, moment_of
from starover.steps.out_on_purpose import left_of, out_by_dag, put_out, refuse_out
from starover.steps.placement import places_of
from starover.steps.redundancy import copies_without, no_seed, only_copies

__all__ = ["Around", "Member", "look_around", "member_of"]

AWAY = 25
"""Minutes that a member is out of service, roughly: for the warning about exposure (scenario S13)."""


@dataclass(frozen=True)
class Member:
    """What one member answered."""

    server: Server
    copies: tuple[CopyStatus, ...]
    components: tuple[ComponentState, ...]
    moment: Moment

    @property
    def takes_mail(self) -> bool:
        """Its transport is neither draining nor off."""
        hub = find(self.components, HUB)
        return hub is not None and hub.state == "Active" and not offline(self.components)


@dataclass(frozen=True)
class Around:
    """A DAG as its members see it now."""

    dag: Dag
    seen: DagObject
    """The DAG and its cluster."""
    seen_by: Server
    """The member that sees it with its cluster: whom to ask, and who does what concerns all."""
    members: tuple[Member, ...]
    """In the order of the inventory; without those that are out."""
    out: dict[str, str]
    """Members that are out on purpose, with why: stopped, evicted or fenced since a disaster."""
    databases: tuple[DatabaseInfo, ...]
    """Those with a copy on a member."""
    servers: tuple[Activation, ...]

    def member(self, server: Server) -> Member:
        """What a member answered. Raises `NotSafe` for one that is out on purpose."""
        if server.name in self.out:
            raise refuse_out(server.name, self.out[server.name])
        return next(one for one in self.members if one.server is server)

    def others(self, server: Server) -> list[Member]:
        """The members but one."""
        return [one for one in self.members if one.server is not server]

    @property
    def copies(self) -> dict[str, list[CopyStatus]]:
        """Every copy by database, as its own server sees it."""
        found: dict[str, list[CopyStatus]] = {one.name: [] for one in self.databases}
        for member in self.members:
            for copy in member.copies:
                name = next((name for name in found if name.casefold() == copy.database.casefold()), copy.database)
                found.setdefault(name, []).append(copy)
        return found

    @property
    def nodes_up(self) -> tuple[str, ...]:
        """Cluster nodes that are up and not paused."""
        cluster = self.seen.cluster
        return tuple(node.name for node in cluster.nodes if node.state == "Up") if cluster is not None else ()

    def active_on(self, server: Server) -> tuple[str, ...]:
        """Databases that are active on a member and have other copies."""
        alone = only_copies(self.databases, server.name)
        return tuple(
            sorted(one.database for one in self.member(server).copies if one.active and one.database not in alone)
        )

    def refuge(self, server: Server) -> Member | None:
        """The best other member for the mail of one: up, taking mail, not blocked; in its site if there is one."""
        fit = [
            one
            for one in self.others(server)
            if one.takes_mail
            and any(same_host(one.server.name, node) for node in self.nodes_up)
            and any(same_host(one.server.name, other.name) and other.policy != "Blocked" for other in self.servers)
        ]
        return min(fit, key=lambda one: one.server.site != server.site, default=None)

    # -- guards ------------------------------------------------------------------------------------------------------

    def judge_quorum(self, server: Server) -> Judged:
        """G-QUORUM for the loss of one member."""
        return judged("G-QUORUM", guards.quorum_without(self.seen.cluster, nodes=[server.name]))

    def judge_witness(self, server: Server) -> Judged:
        """G-WITNESS."""
        return guards.witness_well(self.seen, server.name)

    def judge_single(self, server: Server) -> Judged:
        """G-SINGLE."""
        off = [one.server.name for one in self.members if offline(one.components)]
        draining = [one.server.name for one in self.members if hub_held(one.components) != "Active"]
        return guards.nobody_else_out(server.name, self.seen, draining=draining, offline=off)

    def judge_all_in(self) -> Judged:
        """G-SINGLE for what concerns everybody: no member is in maintenance, half in it, or down."""
        off = [one.server.name for one in self.members if offline(one.components)]
        draining = [one.server.name for one in self.members if hub_held(one.components) != "Active"]
        return guards.nobody_else_out("", self.seen, draining=draining, offline=off)

    def judge_setup(self) -> Judged:
        """G-SETUP."""
        return guards.no_setup({one.server.name: one.moment.installing for one in self.members})

    def judge_seed(self, server: Server) -> Judged:
        """G-SEED."""
        return no_seed(server.name, self.databases, self.copies)

    def judge_window(self, server: Server, *, now: bool) -> Judged:
        """G-WINDOW, by the clock of that server."""
        return guards.window_open(self.dag, self.member(server).moment.utc, override=now)

    def judge_copies(
        self, server: Server, *, min_copies: int | None, accept_offline: Collection[str], minutes: int = AWAY
    ) -> Judged:
        """G-COPIES."""
        return copies_without(
            server.name,
            self.databases,
            self.copies,
            nodes_up=self.nodes_up,
            servers=self.servers,
            min_copies=min_copies,
            accept_offline=accept_offline,
            minutes=minutes,
        )


def member_of(dag: Dag, server: Server) -> None:
    """Raises `BadParameter` for a server that the inventory does not have among the DAG's members."""
    if not any(same_host(server.name, name) for name in dag.members):
        raise BadParameter(
            f"{server.name} is no member of {dag.name}",
            certain=("nothing was contacted",),
            next=(f"its members: {', '.join(dag.members) or 'none'}",),
        )


def look_around(dag: Dag, estate: Estate, server: Server | None = None) -> Steps[Around]:
    """Ask every member, side by side. All must answer: a member that is silent is not worked around (law 6).

    But for those that are out on purpose, and stay so until failback: on the DAG's Stopped list, evicted, or fenced.
    `server` is one that is to be worked on. Raises `NotSafe` where that one is out.
    """
    servers = members_of(dag, estate)
    if not servers:
        raise BadParameter(f"{dag.name} has no members in the inventory", certain=("nothing was contacted",))
    heard = yield from together(_member(one) for one in servers)
    errors = {one.name: error for one, error in zip(servers, heard, strict=True) if isinstance(error, StaroverError)}
    answering = [one for one in servers if one.name not in errors]
    if not answering:
        raise errors[servers[0].name]
    for asked in answering:
        seen = yield from dag_facts.read(asked, dag=dag.name)
        if seen.cluster is not None:
            break
    else:
        asked, seen = answering[0], (yield from dag_facts.read(answering[0], dag=dag.name))
    if not seen.found:
        raise NotSafe(
            f"there is no DAG {dag.name}: {asked.name} lists none of that name",
            certain=("nothing was changed",),
            next=("starover status",),
            host=asked.name,
        )
    out = yield from _out(seen, servers, list(errors))
    missing = [name for name in errors if name not in out]
    if missing:
        raise errors[missing[0]]
    if server is not None and server.name in out:
        raise refuse_out(server.name, out[server.name])
    known = yield from databases.read(asked)
    limits = yield from activations.read(asked)
    names = {short(name).casefold() for name in seen.members}
    mine = tuple(one for one in limits.servers if one.name.casefold() in names)
    return Around(
        dag=dag,
        seen=seen,
        seen_by=asked,
        members=tuple(one for one in heard if isinstance(one, Member) and one.server.name not in out),
        out=out,
        databases=tuple(
            one for one in known.databases if any(server.casefold() in names for server in places_of(one.preferences))
        ),
        servers=mine,
    )


def _out(seen: DagObject, servers: Sequence[Server], silent: Collection[str]) -> Steps[dict[str, str]]:
    """Who is out on purpose: whoever is stopped, and of the silent ones those that are proven evicted or fenced."""
    out = {one.name: why for one in servers if (why := out_by_dag(one.name, seen))}
    mute = [one for one in servers if one.name in silent and one.name not in out]
    return out | (yield from put_out(mute, left_of(mute, seen), servers))


def _member(server: Server) -> Steps[Member | StaroverError]:
    """What a member answers, or the first thing that it did not."""
    parts: list[Steps[Report | StaroverError]] = [
        attempt(copies_on.read(server, name=server.name)),
        attempt(component_states.read(server, server=server.name)),
        attempt(moment_of.read(server)),
    ]
    answers = yield from together(parts)
    for one in answers:
        if isinstance(one, StaroverError):
            return one
    copies, components, moment = answers
    assert isinstance(copies, DatabaseCopies)
    assert isinstance(components, ComponentStates)
    assert isinstance(moment, Moment)
    return Member(server, copies.copies, components.components, moment)

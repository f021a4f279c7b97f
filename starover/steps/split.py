"""The sides of a DAG that fell apart: who sees whom, what each has mounted, how far its logs go; pure but one step."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from starover.errors import NotSafe
from starover.estate import Estate
from starover.names import DbName
from starover.runbook import Steps, attempt, together
from starover.step import Blocked, Change, Query, Report, Risk, Settle, step
from starover.steps.dag import short
from starover.steps.disaster import Heard, MemberCopies, Survey, member_copies

__all__ = [
    "ClusterVersion",
    "MountedHere",
    "Side",
    "cluster_version",
    "dismounted",
    "doubles",
    "giving_way",
    "sides_of",
]


class ClusterVersion(Report):
    """Which configuration a node of a cluster goes by (`disaster/tag.ps1.j2`)."""

    tag: str
    """`3:3:276`: next epoch, epoch of the last update, updates since. Once quorum was forced each epoch begins with
    when that was: `2026/11/20-02`51`07.000_4` (KB 947713). Empty: no cluster service runs."""

    @property
    def rank(self) -> tuple[str, int, int] | None:
        """Of two the greater is newer: forced before not forced, later before earlier; None: it cannot be read."""
        found = _TAG.fullmatch(self.tag)
        return None if found is None else (found["when"] or "", int(found["epoch"]), int(found["updates"]))


_TIME = r"\d{4}/\d\d/\d\d-\d\d\D\d\d\D\d\d\.\d+"
_TAG = re.compile(rf"(?:{_TIME}_)?\d+:(?:(?P<when>{_TIME})_)?(?P<epoch>\d+):(?P<updates>\d+)")
cluster_version = Query("disaster/tag.ps1.j2", ClusterVersion)
"""Of the node that is asked."""


class MountedHere(msgspec.Struct, frozen=True, kw_only=True):
    """A database that a side has mounted."""

    database: str
    server: str
    generated: int
    """Its last log there."""
    last: str
    """When that was written, ISO 8601, UTC."""


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """Members that are one cluster, or one member that is in none."""

    servers: tuple[str, ...]
    quorate: bool
    mounted: tuple[MountedHere, ...]

    @property
    def text(self) -> str:
        """One line."""
        what = ", ".join(f"{one.database} on {one.server} up to log {one.generated}" for one in self.mounted)
        quorum = "has quorum" if self.quorate else "has no quorum"
        return f"{', '.join(self.servers)} {quorum}; mounted: {what or 'nothing'}"


def sides_of(seen: Survey) -> tuple[Side, ...]:
    """The members that answer, by the cluster they are up in; those in none are one side together."""
    groups: list[tuple[set[str], list[Heard]]] = []
    alone: list[Heard] = []
    for host in seen.members:
        if not host.answers:
            continue
        up = {
            short(node.name).casefold()
            for node in (host.cluster.nodes if host.cluster is not None else ())
            if node.state in ("Up", "Paused")
        }
        if short(host.server).casefold() not in up:
            alone.append(host)
            continue
        group = next((members for names, members in groups if names & up), None)
        if group is None:
            groups.append((up, [host]))
        else:
            group.append(host)
    sides = [_side(members, quorate=True) for _, members in groups]
    return (*sides, *([_side(alone, quorate=False)] if alone else []))


def _side(members: Sequence[Heard], *, quorate: bool) -> Side:
    return Side(
        servers=tuple(one.server for one in members),
        quorate=quorate,
        mounted=tuple(
            MountedHere(
                database=copy.database,
                server=host.server,
                generated=log.generated,
                last=log.notified_time or log.inspected_time,
            )
            for host in members
            if host.copies is not None
            for copy in host.copies.copies
            if copy.mounted and (log := host.copies.log(copy.database)) is not None
        ),
    )


def doubles(sides: Sequence[Side], databases: Sequence[str]) -> tuple[str, ...]:
    """Of these databases those that are mounted more than once."""
    found: list[str] = []
    for name in databases:
        places = [one for side in sides for one in side.mounted if one.database.casefold() == name.casefold()]
        if len(places) > 1:
            found.append(places[0].database)
    return tuple(found)


def giving_way(estate: Estate, sides: Sequence[Side], doubled: Sequence[str]) -> Steps[Side]:
    """The side that is to dismount: the one without quorum; of two that have it, the one with the older configuration.

    Raises `NotSafe` where that cannot be told.
    """
    holding = [one for one in sides if any(here.database in doubled for here in one.mounted)]
    weak = [one for one in holding if not one.quorate]
    if len(holding) == 2 and len(weak) == 1:
        return weak[0]
    why = "neither has quorum" if weak else "more than two have them mounted"
    if len(holding) == 2 and not weak:
        asked = [estate.server(one.servers[0]) for one in holding]
        answers = yield from together(attempt(cluster_version.read(server)) for server in asked)
        ranks = [one.rank if isinstance(one, ClusterVersion) else None for one in answers]
        known = [one for one in ranks if one is not None]
        if len(set(known)) == 2:
            return holding[ranks.index(min(known))]
        why = "both have quorum, and " + (
            "their configurations are equally new" if len(known) == 2 else "the version of a configuration is unknown"
        )
    raise NotSafe(
        f"nobody can tell which side is to give way: {why}",
        certain=(*(one.text for one in sides), "nothing was changed"),
        next=("decide who serves, then: starover plan fence --lost-server ... for the other side",),
    )


@step(check=member_copies, apply="recovery/dismount.ps1.j2", risk=Risk.DATA, settle=Settle(every=5, limit=120))
def dismounted(now: MemberCopies, /, *, name: str, database: DbName) -> Change | Blocked | None:
    """A database no longer serves on one server; the other side goes on (split-brain-check)."""
    copy = now.copy(database)
    if copy is None or not copy.mounted:
        return None
    return Change(f"{database} on {name}", "mounted on both sides", "dismounted here")

"""The sides of a DAG that fell apart: who sees whom, what each has mounted, how far its logs go; pure but one step."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from starover.names import DbName
from starover.step import Blocked, Change, Risk, Settle, step
from starover.steps.dag import short
from starover.steps.disaster import Heard, MemberCopies, Survey, member_copies

__all__ = ["MountedHere", "Side", "dismounted", "doubles", "sides_of"]


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


@step(check=member_copies, apply="recovery/dismount.ps1.j2", risk=Risk.DATA, settle=Settle(every=5, limit=120))
def dismounted(now: MemberCopies, /, *, name: str, database: DbName) -> Change | Blocked | None:
    """A database no longer serves on one server; the other side goes on (split-brain-check)."""
    copy = now.copy(database)
    if copy is None or not copy.mounted:
        return None
    return Change(f"{database} on {name}", "mounted on both sides", "dismounted here")

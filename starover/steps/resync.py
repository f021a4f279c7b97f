"""Copies on members that came back: caught up, or kept as snapshots and seeded anew (S-RESYNC); knows no fence.

A copy that went its own way may be the only place of mail that nobody else has: its volumes are kept first, or nothing
is seeded over it unless a person has said so (I16).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from starover.errors import NotSafe, RemoteFailure
from starover.estate import Server
from starover.names import CopyId, same_host
from starover.runbook import Finding, Steps, together
from starover.step import Settle, wait
from starover.steps.copies import GOOD_COPY_QUEUE, CopyStatus, DatabaseCopies, Tag, caught_up, copies_of
from starover.steps.placement import Placement, placements
from starover.steps.seeding import (
    HOLDS_ITS_DATABASE,
    barred,
    divergence_of,
    may_have_diverged,
    seed_limit,
    seeded,
    seeded_over,
)
from starover.steps.snapshots import kept, snapshots_begun, snapshots_of

__all__ = ["BEYOND", "giver_of", "resynced", "safe"]

COMING = Settle(every=60, limit=14_400)
"""P(60s,4h)."""
SIDE_BY_SIDE = 2
"""Seeds that one server gives at the same time."""


def resynced(
    servers: Sequence[Server],
    databases: Mapping[str, Sequence[str]],
    discard: Collection[str],
    sites: Mapping[str, str],
) -> Steps[tuple[Finding, ...]]:
    """Every copy on these servers follows the active one again; what had to be done for it.

    `databases`: for each server, by name, those with a copy on it. `discard`: databases whose diverged copies may go
    without a snapshot. `sites`: of every member, by name.
    """
    yield from together(
        _settled(server, CopyId(database, server.name)) for server in servers for database in databases[server.name]
    )
    answers = yield from together(
        placements.read(server, databases=tuple(databases[server.name])) for server in servers
    )
    lanes: dict[str, list[list[tuple[Server, Placement, CopyStatus, str]]]] = {}
    findings: list[Finding] = []
    for server, answer in zip(servers, answers, strict=True):
        for now in answer.databases:
            one = now.find(CopyId(now.name, server.name))
            if one is None or one.active or one.status in HOLDS_ITS_DATABASE:
                continue
            if one.status == "Suspended" and not one.needs_seed:
                said = f'it stays Suspended, as somebody left it ("{Tag(one.suspend_comment).text}")'
                findings.append(Finding(check="S-RESYNC", on=str(one.id), level="warn", says=said))
                continue
            giver = giver_of(now, one, sites)
            lane = lanes.setdefault(giver or now.active_server, [])
            own = next((part for part in lane if part[0][1].name == now.name), None)
            if own is None:
                lane.append(own := [])
            own.append((server, now, one, giver))
    done = yield from together(
        _lane([part for own in lane[at::SIDE_BY_SIDE] for part in own], discard)
        for lane in lanes.values()
        for at in range(min(SIDE_BY_SIDE, len(lane)))
    )
    return (*findings, *(finding for part in done for finding in part))


def giver_of(now: Placement, one: CopyStatus, sites: Mapping[str, str]) -> str:
    """A good copy in the copy's own site, which spares the way between the sites; empty: the active copy gives."""
    near = [
        other.server
        for other in now.copies
        if not same_host(other.server, one.server)
        and sites.get(other.server, "") == sites.get(one.server, "")
        and (other.mounted or (other.status in HOLDS_ITS_DATABASE and other.queue == 0))
    ]
    return near[0] if near and not same_host(near[0], now.active_server) else ""


def _settled(server: Server, copy: CopyId) -> Steps:
    """Wait until a copy has caught up, or cannot by itself."""

    def until(now: DatabaseCopies) -> bool:
        one = now.find(copy)
        if one is None:
            return False
        good = one.status in HOLDS_ITS_DATABASE and one.queue is not None and one.queue <= GOOD_COPY_QUEUE
        return one.active or good or one.replication_suspended or one.needs_seed

    yield from wait(
        copies_of,
        server,
        until=until,
        settle=COMING,
        what=f"{copy} Healthy, or in need of a seed",
        expected=True,
        database=copy.database,
    )


def _lane(parts: Sequence[tuple[Server, Placement, CopyStatus, str]], discard: Collection[str]) -> Steps[list[Finding]]:
    """One copy after the other."""
    findings: list[Finding] = []
    for server, now, one, giver in parts:
        given_up = any(one.database.casefold() == name.casefold() for name in discard)
        if may_have_diverged(one) and not given_up:
            ids = yield from safe(server, one.id, divergence_of(one))
            says = f"diverged; kept as {', '.join(ids)}" if ids else "diverged; kept as snapshots"
        else:
            says = "diverged; given up by --discard-diverged" if may_have_diverged(one) else one.error_message
        yield (
            (seeded_over if given_up else seeded)
            .on(
                server,
                identity=one.id,
                database=one.database,
                source=giver,
                files="safe-delete",
                what="all",
                comment=Tag.write("failback"),
                coming=False,
                discard=may_have_diverged(one),
            )
            .within(seed_limit(now.bytes))
        )
        yield from caught_up(server, one.id)
        if one.lag or one.activation_suspended:
            yield barred.on(
                server,
                identity=one.id,
                database=one.database,
                comment=Tag.write("barred before it was seeded"),
                coming=True,
            )
        size = f", {now.bytes / 2**30:.0f} GB" if now.bytes else ""
        says = f"{says}; seeded from {giver or now.active_server}{size}"
        findings.append(Finding(check="S-RESYNC", on=str(one.id), level="info", says=says))
    return findings


def safe(server: Server, copy: CopyId, reason: str) -> Steps[tuple[str, ...]]:
    """Keep what lies on a copy's server before it is seeded over; ids of the snapshots.

    Raises `NotSafe` where AWS refuses: then it goes only when a person gives it up.
    """
    try:
        yield from kept(server, copy.database, reason)
    except RemoteFailure as error:
        raise NotSafe(
            f"I16: {copy} may hold the only copy of lost mail, and AWS took no snapshot of it",
            certain=(f"AWS says: {error.what}", "it was not seeded over; everything else is done"),
            next=(
                "give this tool the right ec2:CreateSnapshots, then this again",
                f"--discard-diverged {copy.database}   gives up what is in it: risk D",
            ),
            host=server.name,
        ) from error
    found = yield from snapshots_of.read(server, host=server.name, database=copy.database, reason=reason)
    return found.ids


BEYOND = (snapshots_begun, seeded, seeded_over, barred)

"""Members that a cluster without DAC has evicted, brought into it anew with the copies they had (S-REJOIN); no fence.

Their place in the DAG's object and their copies are laid down first: what those were is read before, and recalled where
an earlier run, or force-quorum, has laid them down.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

from starover.estate import Server
from starover.names import CopyId, DbName, ServerName, same_host
from starover.runbook import Finding, Steps, recall
from starover.step import Blocked, Change, Risk, Settle, step
from starover.steps.copies import Tag, caught_up
from starover.steps.copy_spec import lag_text
from starover.steps.dag import databases, short
from starover.steps.disaster import machine
from starover.steps.failback_side import NAMES, ReturningSide
from starover.steps.features import FAILOVER_CLUSTERING, feature_installed
from starover.steps.membership import member_of
from starover.steps.mounting import mounted_by_itself
from starover.steps.placement import HostView, Placement, copy_host, placements
from starover.steps.preferences import ordered
from starover.steps.recovery import lost_copy_removed, member_dropped, survivors_witness
from starover.steps.resync import safe
from starover.steps.seeding import barred, seed_limit, seeded, seeded_over

__all__ = ["BEYOND", "Laid", "copies_returned", "copy_back", "laid_down", "rejoined"]

SEEING = Settle(every=30, limit=1800)


@dataclass(frozen=True)
class Laid:
    """A copy that a member had when it was lost."""

    copy: CopyId
    replay_lag: timedelta
    truncation_lag: timedelta
    order: tuple[str, ...]
    """All servers of the database by preference, as they were then."""
    there: bool
    """Active Directory has it still."""
    alone: bool
    """Every copy of the database was lost: one stays in the object, and serves again once its member is back."""


def laid_down(side: ReturningSide) -> Steps[list[Laid]]:
    """The copies of the members that come back: as Active Directory has them, else as they were when removed.

    Of a database without a copy elsewhere one is left out: it stays a copy, the only one, and with that no replicated
    one, so that its member may leave the DAG's object with it.
    """
    known = (yield from databases.read(side.asked)).databases
    answer = yield from placements.read(side.asked, databases=tuple(one.name for one in known))
    found: list[Laid] = []
    coming = [each for each in side.coming if each not in side.away or not side.kept(each)]
    names = [one.server.name for one in coming]
    for one in coming:
        for now in answer.databases:
            copy = CopyId(now.name, one.server.name)
            stays = _staying(now, names)
            if same_host(stays, copy.server):
                continue
            was = now if now.has(copy.server) else (yield from _remembered(side, copy))
            if was is not None:
                found.append(
                    Laid(
                        copy,
                        was.replay_lag(copy.server),
                        was.truncation_lag(copy.server),
                        was.order,
                        there=was is now,
                        alone=bool(stays),
                    )
                )
    return found


def _staying(now: Placement, coming: Collection[str]) -> str:
    """The server whose copy is not removed, where all of them are on members that come back; else empty."""
    if not now.order or any(not any(same_host(name, one) for one in coming) for name in now.order):
        return ""
    return next((name for name in now.order if same_host(name, now.active_server)), now.order[0])


def _remembered(side: ReturningSide, copy: CopyId) -> Steps[Placement | None]:
    for at in side.survivors:
        was = yield from recall(at, lost_copy_removed, identity=copy)
        if was is not None and was.has(copy.server):
            return was
    return None


def rejoined(
    side: ReturningSide, away: Sequence[Server], dag: str, laid: Sequence[Laid], witness: tuple[str, str]
) -> Steps:
    """They leave the DAG's object, where the cluster has forgotten them, and join both again, one after the other."""
    asked = side.asked
    for one in away:
        for copy in [each.copy for each in laid if each.there and same_host(each.copy.server, one.name)]:
            yield lost_copy_removed.on(asked, identity=copy, database=copy.database)
    for one in away:
        yield member_dropped.on(asked, dag=dag, server=one.name)
    if away:
        yield from machine.read(asked, names=NAMES)  # here a plan ends: who is still listed would be half a member
    for one in away:
        yield feature_installed.on(one, feature=FAILOVER_CLUSTERING, management=True)
        yield member_of.on(asked, dag=dag, server=one.name)
    nodes = len(side.now.cluster.nodes) if side.now.cluster is not None else 0
    if away and (nodes + len(away)) % 2 == 0:
        yield survivors_witness.on(asked, dag=dag, server=witness[0], directory=witness[1])


@step(check=copy_host, apply="copy/add.ps1.j2", risk=Risk.LOW, settle=Settle(every=10, limit=300), deadline=900)
def copy_back(
    now: HostView,
    /,
    *,
    database: DbName,
    server: ServerName,
    preference: int | None,
    replay_lag: timedelta | None,
    truncation_lag: timedelta | None,
) -> Change | Blocked | None:
    """A member has the copy again that it had when it was lost, its seeding postponed; old files lie there still."""
    place = now.placement
    if place.found and place.has(server):
        return None
    if not place.found:
        return Blocked(f"there is no database {database}", certain=("nothing was changed",))
    if not place.mounted and not any(one.mounted for one in place.copies):
        return Blocked(
            f"{database} is not mounted on {place.active_server}, so nothing can be copied from it",
            certain=("nothing was changed",),
            next=("starover assess",),
        )
    wanted = f"preference {preference}" if preference else "next preference"
    wanted += f", replay lag {lag_text(replay_lag)}" if replay_lag else ""
    wanted += f", truncation lag {lag_text(truncation_lag)}" if truncation_lag else ""
    return Change(CopyId(database, server), "none", wanted, note="as it was when it was lost", action="add")


def copies_returned(side: ReturningSide, laid: Sequence[Laid], discard: Collection[str]) -> Steps[list[Finding]]:
    """Each member has its copies again: added, kept as snapshots, seeded, in their old order, lagged ones barred."""
    findings: list[Finding] = []
    if alone := sorted({one.copy.database for one in laid if one.alone}):
        yield from mounted_by_itself(side.asked, [one.server.name for one in side.coming], alone)
    for one in laid:
        server = next(each.server for each in side.coming if same_host(each.server.name, one.copy.server))
        findings += yield from _returned(server, one, discard)
    orders: dict[str, tuple[str, ...]] = {}
    for one in laid:
        if len(one.order) > len(orders.get(one.copy.database, ())):
            orders[one.copy.database] = one.order
    for database, order in orders.items():
        yield ordered.on(
            side.asked, database=database, order=tuple(CopyId(database, short(name)) for name in order), coming=()
        )
    return findings


def _returned(server: Server, one: Laid, discard: Collection[str]) -> Steps[list[Finding]]:
    copy, database = one.copy, one.copy.database
    yield copy_back.on(
        server,
        database=database,
        server=server.name,
        preference=None,
        replay_lag=one.replay_lag or None,
        truncation_lag=one.truncation_lag or None,
    )
    host = yield from copy_host.read(server, database=database)
    own = host.copy
    if own is None or own.status not in ("Suspended", "FailedAndSuspended"):
        return []
    given_up = any(database.casefold() == name.casefold() for name in discard)
    said = "no file of it was left"
    if host.files and not given_up:
        booted = (yield from machine.read(server, names=NAMES)).boot_time
        ids = yield from safe(server, copy, f"{copy} before failback {booted[:16]}")
        said = f"what was left of it is kept as {', '.join(ids)}"
    elif host.files:
        said = "what was left of it is given up by --discard-diverged"
    yield (
        (seeded_over if given_up else seeded)
        .on(
            server,
            identity=copy,
            database=database,
            source="",
            files="safe-delete" if host.files else "keep",
            what="all",
            comment=Tag.write("failback"),
            coming=False,
            discard=True,
        )
        .within(seed_limit(host.placement.bytes))
    )
    yield from caught_up(server, copy)
    if one.replay_lag:
        yield barred.on(server, identity=copy, database=database, comment=Tag.write("lagged copy"), coming=True)
    return [Finding(check="S-REJOIN", on=str(copy), level="info", says=f"{said}; seeded anew")]


BEYOND = (
    lost_copy_removed,
    member_dropped,
    feature_installed,
    member_of,
    survivors_witness,
    copy_back,
    seeded,
    seeded_over,
    barred,
    ordered,
)

"""Seed copies that have no database, or a broken one."""

from collections.abc import Mapping, Sequence
from typing import Literal

from starover import BadParameter, CopyId, DbName, Estate, Server, Steps, runbook, together
from starover.steps.copies import Tag, caught_up
from starover.steps.copy_spec import unique
from starover.steps.placement import Placement, placements
from starover.steps.seeding import (
    HOLDS_ITS_DATABASE,
    barred,
    catalog_seeded,
    divergence_of,
    may_have_diverged,
    seed_limit,
    seeded,
    seeded_over,
)
from starover.steps.snapshots import kept

Files = Literal["keep", "safe-delete", "delete"]
What = Literal["all", "database", "catalog"]
SIDE_BY_SIDE = 2
"""Seeds that one server gives at the same time."""


@runbook
def copy_seed(
    estate: Estate,
    copy: Sequence[CopyId],
    source: Server | None = None,
    files: Files = "keep",
    discard_diverged: Sequence[DbName] = (),
    what: What = "all",
) -> Steps:
    """Seed copies that need it, and wait until they are Healthy; a copy that holds its database is left alone.

    A copy that was barred from activation is barred again. A diverged copy may hold the only copy of lost mail: its
    volumes are kept as snapshots first, where the server is an EC2 instance; else it is not seeded over unless that is
    said (risk D). Files are deleted without a look only with delete (risk D).

    copy: DATABASE/SERVER; repeat it for several
    source: which server gives the database; the active copy where it is not named
    files: what becomes of files that lie there: keep them, safe-delete where another copy is whole, delete
    discard_diverged: databases whose diverged copies may go, without a snapshot
    what: all; the database alone; or the catalog, which is beside the database until Exchange 2016
    """
    if twice := unique(list(copy), lambda one: (one.database.casefold(), one.server.casefold())):
        raise BadParameter(f"{twice} was named twice", certain=("nothing was contacted",))
    servers = {one.server: estate.server(one.server) for one in copy}
    stray = [name for name in discard_diverged if not any(_same(name, one.database) for one in copy)]
    if stray:
        raise BadParameter(
            f"--discard-diverged {', '.join(stray)}: no copy of it is named", certain=("nothing was contacted",)
        )
    asked = {name: tuple(one.database for one in copy if one.server == name) for name in servers}
    answers = yield from together(placements.read(server, databases=asked[name]) for name, server in servers.items())
    found = {
        (name, database): now
        for (name, answer) in zip(servers, answers, strict=True)
        for database, now in zip(asked[name], answer.databases, strict=True)
    }
    lanes: dict[str, list[list[CopyId]]] = {}
    for database in dict.fromkeys(one.database for one in copy):
        own = [one for one in copy if one.database == database]
        giver = source.name if source is not None else found[own[0].server, database].active_server
        lanes.setdefault(giver, []).append(own)
    yield from together(
        _lane(
            [one for own in databases[at::SIDE_BY_SIDE] for one in own],
            servers,
            found,
            source.name if source is not None else "",
            files,
            discard_diverged,
            what,
        )
        for databases in lanes.values()
        for at in range(min(SIDE_BY_SIDE, len(databases)))
    )


def _lane(
    copies: Sequence[CopyId],
    servers: Mapping[str, Server],
    found: Mapping[tuple[str, str], Placement],
    source: str,
    files: Files,
    discarded: Sequence[str],
    what: What,
) -> Steps:
    """One copy after the other."""
    for asked in copies:
        server, now = servers[asked.server], found[asked.server, asked.database]
        identity = CopyId(now.name or asked.database, server.name)
        if what == "catalog":
            yield catalog_seeded.on(server, identity=identity, database=identity.database)
            continue
        discard = any(_same(name, asked.database) for name in discarded)
        was, safe = now.find(identity), False
        if was is not None and may_have_diverged(was) and server.instance and files != "keep" and not discard:
            yield from kept(server, identity.database, divergence_of(was))
            safe = True
        yield (
            (seeded_over if discard or files == "delete" else seeded)
            .on(
                server,
                identity=identity,
                database=identity.database,
                source=source,
                files=files,
                what=what,
                comment=Tag.write("seed"),
                coming=False,
                discard=discard or safe,
            )
            .within(seed_limit(now.bytes))
        )
        one = now.find(identity)
        if one is not None and not one.active and one.status not in HOLDS_ITS_DATABASE:
            yield from caught_up(server, identity)
            kept_back = bool(one.lag) or Tag(one.suspend_comment).blocked
            if kept_back or (one.activation_suspended and one.status != "Suspended"):
                yield barred.on(
                    server,
                    identity=identity,
                    database=identity.database,
                    comment=Tag.write("barred before it was seeded"),
                    coming=True,
                )


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()


@runbook
def copy_divergence_repair(estate: Estate, copy: Sequence[CopyId], discard_diverged: Sequence[DbName] = ()) -> Steps:
    """Seed diverged copies anew; what lies on them alone is kept first.

    A copy whose log stream went its own way may hold the only copy of lost mail. Its volumes are kept as snapshots
    before anything is seeded over it, and where that is impossible nothing is, unless somebody says so (risk D). A copy
    that holds its database is left alone.

    copy: DATABASE/SERVER; repeat it for several
    discard_diverged: databases whose diverged copies may go, without a snapshot
    """
    yield from copy_seed(estate, copy, files="safe-delete", discard_diverged=discard_diverged)

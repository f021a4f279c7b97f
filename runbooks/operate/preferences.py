"""Which copy of a database is activated first, and which servers may activate by themselves."""

from collections.abc import Mapping, Sequence
from typing import Literal

from starover import (
    BadParameter,
    CopyId,
    DagName,
    DbSelector,
    Estate,
    NotSafe,
    Server,
    Settle,
    Steps,
    runbook,
    same_host,
    together,
    wait,
)
from starover.steps.ad_wait import server_directory
from starover.steps.copy_spec import Order, unique
from starover.steps.dag import DatabaseInfo, databases, short
from starover.steps.dag_object import dag_named, existing
from starover.steps.placement import lag_of, places_of
from starover.steps.preferences import (
    left_without,
    ordered,
    policies,
    policies_on_controller,
    policy_set,
    spread,
)


@runbook
def activation_preferences(
    estate: Estate,
    db: Sequence[DbSelector] = ("*",),
    order: Sequence[Order] = (),
    policy: Literal["spread"] | None = None,
    dag: DagName | None = None,
) -> Steps:
    """Put the activation preferences of databases into an order: one that is given, or an even one.

    Only what differs is set, from the first place on. From Exchange 2016 on a database moves to its first place by
    itself, unless that is switched off. Lagged copies stay last. Undo puts back the order that was found.

    db: databases; repeat it for several, * for every one
    order: DB=S1,S2,... with every copy of the database once; repeat it for several databases
    policy: spread makes first places even, puts the second one into another zone, and moves as little as it can
    dag: the DAG; need not be named where the inventory has one
    """
    given = {one.database: [estate.server(name).name for name in one.servers] for one in order}
    _check(db, order, policy)
    asked = (yield from existing(dag_named(dag, estate), estate)).server
    if policy is not None:
        members = [server.name for server in estate.servers if server.exchange is not None]
        known = (yield from databases.read(asked)).databases
        chosen = _spread([one for one in known if _on(one, members)], estate)
        _all_there(db, known)
        given = {name: list(servers) for name, servers in chosen.items() if _wanted(name, db)}

    def part(name: str, servers: Sequence[str]) -> Steps:
        yield ordered.on(asked, database=name, order=tuple(CopyId(name, one) for one in servers), coming=())

    yield from together(part(name, servers) for name, servers in given.items())


def _check(db: Sequence[str], order: Sequence[Order], policy: str | None) -> None:
    """Raises `BadParameter` for what does not fit together."""
    certain = ("nothing was contacted",)
    if bool(order) == (policy is not None):
        raise BadParameter(
            "either --order or --policy says which order is wanted",
            certain=certain,
            next=("--order DB=S1,S2,...   every copy of DB once", "--policy spread"),
        )
    if twice := unique(list(order), lambda one: one.database.casefold()):
        raise BadParameter(f"two orders for {twice.database}", certain=certain)
    stray = [one.database for one in order if not _wanted(one.database, db)]
    if stray:
        raise BadParameter(f"--order names {', '.join(stray)}, which --db leaves out", certain=certain)
    missing = [name for name in db if name != "*" and order and not any(_same(name, one.database) for one in order)]
    if missing:
        raise BadParameter(f"--order says nothing of {', '.join(missing)}", certain=certain)


def _spread(known: Sequence[DatabaseInfo], estate: Estate) -> Mapping[str, Sequence[str]]:
    """Orders for all databases at once: what is even depends on all."""
    zones = {server.name: server.az or server.site for server in estate.servers}
    layout = {
        one.name: (list(order), [server for server in order if lag_of(one.lags, server)])
        for one in known
        for order in (places_of(one.preferences),)
    }
    return spread(layout, zones)


def _all_there(db: Sequence[str], known: Sequence[DatabaseInfo]) -> None:
    missing = [name for name in db if name != "*" and not any(_same(name, one.name) for one in known)]
    if missing:
        raise BadParameter(
            f"there is no database {', '.join(missing)}",
            certain=("only readings were sent",),
            next=("starover status",),
        )


def _on(database: DatabaseInfo, servers: Sequence[str]) -> bool:
    return any(same_host(pair.server, server) for pair in database.preferences for server in servers)


def _wanted(name: str, db: Sequence[str]) -> bool:
    return "*" in db or any(_same(name, one) for one in db)


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()


@runbook
def activation_policy(
    estate: Estate,
    servers: Sequence[Server],
    policy: Literal["Unrestricted", "IntrasiteOnly", "Blocked"],
    dag: DagName | None = None,
) -> Steps:
    """Say whether the copies on servers may be activated by themselves: always, within their site, or not at all.

    Every database keeps a server that may activate it. Undo puts back what was found.

    servers: whose copies
    policy: Blocked stops automatic activation only; a move that names the server still goes there
    dag: the DAG; need not be named where the inventory has one
    """
    asked = (yield from existing(dag_named(dag, estate), estate)).server
    now = yield from policies.read(asked)
    known = (yield from databases.read(asked)).databases
    chosen = [server.name for server in servers]
    left = left_without(known, now, chosen) if policy == "Blocked" else {}
    if left:
        name, hosts = next(iter(left.items()))
        more = f", and {len(left) - 1} more databases" if left.keys() - {name} else ""
        raise NotSafe(
            f"{name} would have no server that may activate it{more}: {', '.join(hosts)} would all be Blocked",
            certain=("nothing was changed",),
            next=("leave out one server of each database", "IntrasiteOnly still allows it within the site"),
        )
    directory = yield from together(server_directory.read(asked, name=name) for name in (asked.name, *chosen))
    controllers = list(dict.fromkeys(one for found in directory for one in found.controllers[:1]))[:2]
    for name in chosen:
        yield policy_set.on(asked, server=name, policy=policy)
    yield from together(
        wait(
            policies_on_controller,
            asked,
            until=lambda now: all((one := now.find(name)) is not None and one.policy == policy for name in chosen),
            settle=Settle(every=30, limit=900),
            what=f"AD: {short(controller)} has {policy} for {', '.join(chosen)} (waiting-ad)",
            expected=True,
            controller=controller,
        )
        for controller in controllers
    )

"""Active databases, and the role of Primary Active Manager, moved on purpose."""

from collections.abc import Sequence
from typing import Literal

from starover import (
    BadParameter,
    Blocked,
    Comment,
    CopyId,
    Dag,
    DbName,
    DbSelector,
    Estate,
    Finding,
    Findings,
    NotSafe,
    Server,
    Steps,
    recall,
    runbook,
    same_host,
)
from starover.steps import guards
from starover.steps.after_move import already_there, moved_and_well
from starover.steps.around import Around, look_around, member_of
from starover.steps.components import offline
from starover.steps.gate import Judged, admit, judged
from starover.steps.maintenance_types import AUTO, WHOLE_DAG, Check, MountDial, Scope, Seconds, Target
from starover.steps.moves import LOSSLESS, best_copies, home, homeward, moved, moved_with_loss, paused
from starover.steps.nodes import core_group, owner_moved
from starover.steps.out_on_purpose import refuse_out
from starover.steps.placement import places_of
from starover.steps.preferences import ordered
from starover.steps.rebalancing import rebalancing, rebalancing_set


@runbook
def db_switchover(
    dag: Dag,
    estate: Estate,
    db: Sequence[DbName],
    to: Target = AUTO,
    dial: MountDial = "Lossless",
    skip: Sequence[Check] = (),
    hold: Literal["none", "freeze", "swap"] = "none",
    comment: Comment = "db-switchover",
    now: bool = False,
) -> Steps[Findings | None]:
    """Make databases active on another server; their users notice a few seconds.

    From Exchange 2016 on a database goes back to its first preference within an hour by itself, unless it is held.
    With auto a database that a run of ours has moved stays where that put it: --to SERVER moves it on.

    dag: the DAG; need not be named where the inventory has one
    db: databases; repeat it for several
    to: the server, or auto: the copy that Active Manager would choose
    dial: how many logs may be lost; above Lossless mail may be lost
    skip: a check of Active Manager to leave out; repeat it for several
    hold: freeze stops automatic rebalancing until this run is undone; swap exchanges the preferences of the two copies
    comment: kept with the move
    now: outside the maintenance windows of the DAG too
    """
    around = yield from look_around(dag, estate)
    frequency = (yield from rebalancing.read(around.seen_by, dag=dag.name)).frequency
    if hold == "freeze" and guards.frequency_of(frequency) is not None:
        admit(f"freezing {dag.name}", [judged("G-SETDAG", guards.set_dag_allowed(around.seen))])
    stays: list[Finding] = []
    kind = moved if dial == LOSSLESS else moved_with_loss
    for name in _known(around, db):
        database = next(one for one in around.databases if one.name == name)
        active = next((one.server for one in around.copies[name] if one.mounted), "")
        earlier = None
        if active and not to.server:
            earlier = yield from recall(around.seen_by, kind, database=name, target=active, comment=comment)
        put = already_there(around.copies[name], earlier)
        if put is not None:
            says = f"an earlier run has moved it to {put.server}; --to SERVER moves it on"
            stays.append(Finding(check="auto", on=name, level="info", says=says))
        target = put.server if put is not None else _target(around, estate, name, to)
        order = list(places_of(database.preferences))
        first = home(database)
        warning = guards.rebalanced(frequency, name, target, first) if hold == "none" else ""
        there = any(one.mounted and same_host(one.server, target) for one in around.copies[name])
        notes = admit(
            f"moving {name} to {target}",
            [around.judge_setup(), _in_service(around, target), around.judge_window(around.seen_by, now=now)]
            if not there
            else [],
        )
        at = next((place for place, server in enumerate(order) if same_host(server, target)), 0)
        if hold == "swap" and at:
            order[0], order[at] = order[at], order[0]
            yield ordered.on(around.seen_by, database=name, order=tuple(CopyId(name, one) for one in order), coming=())
        step = kind.on(
            around.seen_by,
            database=name,
            target=target,
            dial=dial,
            comment=comment,
            skip=tuple(dict.fromkeys(skip)),
            note=warning,
        ).warned(*notes)
        yield from moved_and_well(around.seen_by, step, name, around.copies[name])
    if hold == "freeze":
        yield rebalancing_set.on(around.seen_by, dag=dag.name, frequency=None)
    return Findings(findings=tuple(stays)) if stays else None


@runbook
def server_switchover(
    dag: Dag,
    estate: Estate,
    server: Server,
    to: Target = AUTO,
    comment: Comment = "server-switchover",
    now: bool = False,
) -> Steps:
    """Make every database that is active on a server active elsewhere; the server itself stays in service.

    dag: the DAG; need not be named where the inventory has one
    server: whose active databases
    to: one server for all of them, or auto: for each the copy that Active Manager would choose
    comment: kept with the moves
    now: outside the maintenance windows of the DAG too
    """
    member_of(dag, server)
    around = yield from look_around(dag, estate, server)
    frequency = (yield from rebalancing.read(around.seen_by, dag=dag.name)).frequency
    active = around.active_on(server)
    if not active:
        return
    notes = admit(
        f"moving the databases of {server.name}",
        [
            around.judge_setup(),
            around.judge_seed(server),
            *(_in_service(around, to.server) for _ in active[:1] if to.server),
            around.judge_window(around.seen_by, now=now),
        ],
    )
    for name in active:
        target = _target(around, estate, name, to)
        database = next(one for one in around.databases if one.name == name)
        warning = guards.rebalanced(frequency, name, target, home(database))
        step = moved.on(
            around.seen_by,
            database=name,
            target=target,
            dial=LOSSLESS,
            comment=comment,
            skip=(),
            note=warning,
        ).warned(*notes)
        yield from moved_and_well(around.seen_by, step, name, around.copies[name])


@runbook
def pam_move(dag: Dag, estate: Estate, to: Target = AUTO) -> Steps[Findings | None]:
    """Make another member Primary Active Manager; no database moves.

    With auto the role stays where a run of ours has put it: --to SERVER moves it on.

    dag: the DAG; need not be named where the inventory has one
    to: the server, or auto: another node that is up
    """
    around = yield from look_around(dag, estate)
    core = yield from core_group.read(around.seen_by, dag=dag.name)
    owner = next((one.server for one in around.members if same_host(one.server.name, core.owner)), None)
    earlier = None
    if owner is not None and not to.server:
        earlier = yield from recall(around.seen_by, owner_moved, dag=dag.name, target=owner.name)
    stays = owner is not None and earlier is not None and not same_host(earlier.owner, owner.name)
    if to.server:
        target = estate.server(to.server)
        member_of(dag, target)
    elif owner is not None and stays:
        target = owner
    else:
        up = [
            one.server
            for one in around.members
            if any(same_host(one.server.name, node) for node in around.nodes_up)
            and not same_host(one.server.name, core.owner)
            and not offline(one.components)
        ]
        if not up:
            raise NotSafe(
                f"no other node of {dag.name} is up and in service",
                certain=("nothing was changed",),
                next=("starover status",),
            )
        target = up[0]
    yield owner_moved.on(around.seen_by, dag=dag.name, target=target.name)
    if not stays:
        return None
    says = f"an earlier run has made {target.name} Primary Active Manager; --to SERVER moves it on"
    return Findings(findings=(Finding(check="auto", on=dag.name, level="info", says=says),))


@runbook
def redistribute(
    dag: Dag,
    estate: Estate,
    db: Sequence[DbSelector] = ("*",),
    scope: Scope = WHOLE_DAG,
    site_first: bool = False,
    pause: Seconds = 10,
    now: bool = False,
) -> Steps[Findings | None]:
    """Move databases back to the server of their first preference, one after the other, without losing a log.

    A database whose first copy is not well, or may not take it, stays where it is, and that is said.

    dag: the DAG; need not be named where the inventory has one
    db: databases; repeat it for several, * for every one
    scope: dag, or server=NAME for what prefers one server
    site_first: those that stay in their site first
    pause: seconds between two moves
    now: outside the maintenance windows of the DAG too
    """
    around = yield from look_around(dag, estate)
    only = estate.server(scope.server).name if scope.server else ""
    names = [one.name for one in around.databases] if "*" in db else _known(around, db)
    chosen = [one for one in around.databases if one.name in names]
    zones = {one.server.name: one.server.site for one in around.members} if site_first else None
    astray = list(homeward(chosen, around.copies, around.servers, only=only, zones=zones))
    going = [(name, target) for name, target, why in astray if not why]
    staying = tuple(
        Finding(check="redistribute", on=name, level="warn", says=f"stays away from {target}: {why}")
        for name, target, why in astray
        if why
    )
    notes: tuple[str, ...] = ()
    if going:
        notes = admit(
            f"balancing {dag.name}",
            [around.judge_setup(), _all_up(around), around.judge_window(around.seen_by, now=now)],
        )
    for number, (name, target) in enumerate(going):
        if number:
            yield from paused(around.seen_by, pause)
        step = moved.on(
            around.seen_by,
            database=name,
            target=target,
            dial=LOSSLESS,
            comment="redistribute",
            skip=(),
            note="",
        ).warned(*notes)
        yield from moved_and_well(around.seen_by, step, name, around.copies[name])
    return Findings(findings=staying) if staying else None


def _known(around: Around, db: Sequence[str]) -> list[str]:
    """The databases as Exchange writes them, each once. Raises `BadParameter`."""
    there = {one.name.casefold(): one.name for one in around.databases}
    missing = [name for name in db if name != "*" and name.casefold() not in there]
    if missing:
        raise BadParameter(
            f"{around.dag.name} has no database {', '.join(missing)}",
            certain=("only readings were sent",),
            next=(f"it has: {', '.join(sorted(there.values())) or 'none'}",),
        )
    return list(dict.fromkeys(there[name.casefold()] for name in db if name != "*"))


def _target(around: Around, estate: Estate, database: str, to: Target) -> str:
    """The server a database goes to. Raises `NotSafe` where no copy can take over."""
    if to.server:
        target = estate.server(to.server)
        member_of(around.dag, target)
        return target.name
    copies = around.copies.get(database, [])
    best = best_copies(copies, around.nodes_up, around.servers)
    if best:
        return best[0].server
    seen = ", ".join(f"{one.id} {one.status}" for one in copies if not one.active) or "there is no other copy"
    raise NotSafe(
        f"no other copy of {database} can take over",
        certain=(f"the others: {seen}", "nothing was changed"),
        next=("starover run health-report   says what is wrong with each",),
    )


def _in_service(around: Around, target: str) -> Judged:
    """G-SINGLE for a target: nothing is moved onto a member that is in maintenance."""
    if target in around.out:
        why = refuse_out(target, around.out[target])
        return judged("G-SINGLE", Blocked(why.what, guard="G-SINGLE", next=why.next))
    member = next((one for one in around.members if same_host(one.server.name, target)), None)
    up = any(same_host(target, node) for node in around.nodes_up)
    if member is not None and up and not offline(member.components):
        return Judged("G-SINGLE")
    return judged(
        "G-SINGLE",
        Blocked(
            f"{target} is out of service (node not Up, or ServerWideOffline Inactive)",
            guard="G-SINGLE",
            next=(f"starover plan maintenance-stop --server {target}", "--to auto   takes one that is in service"),
        ),
    )


def _all_up(around: Around) -> Judged:
    """No maintenance, all nodes Up: what redistribute demands."""
    return around.judge_all_in()

"""Give databases copies: add, seed, order, keep some behind."""

from collections.abc import Mapping, Sequence
from typing import Literal

from starover import BadParameter, CopyId, DagName, Estate, NotSafe, Server, Settle, Steps, runbook, together, wait
from starover.steps.ad_wait import server_directory
from starover.steps.copies import GOOD_INDEX, caught_up, copies_of
from starover.steps.copy_plan import Adding, DatabasePlan, check_room, lanes, notes, plan_database, wished
from starover.steps.copy_spec import AUTO, CopySpec, Layout, Parallel, SeedFrom
from starover.steps.dag import short, volumes
from starover.steps.lags import held, lag_set, transport_config
from starover.steps.placement import Placement, copies_on_controller, placements
from starover.steps.preferences import ordered, policies
from starover.steps.seeding import HOLDS_ITS_DATABASE, barred, copy_added, seed_limit, seeded
from starover.steps.store import restart_stores, stores


@runbook
def copies_add(
    estate: Estate,
    copy: Sequence[CopySpec] = (),
    layout: Layout | None = None,
    seed: SeedFrom = AUTO,
    seeds_parallel: Parallel = 2,
    restart_store: Literal["never", "window"] = "never",
    dag: DagName | None = None,
    now: bool = False,
) -> Steps:
    """Give databases further copies: added, seeded, and in the order of preference that is wanted.

    The active server is read live. The first copy in each other zone is seeded from the active one, further ones there
    from that. A copy with a replay lag is barred from activation. Copies that are there already are left as they are,
    but for lag and preference. Undo removes the copies; their files stay.

    copy: a copy that shall be: DB=SERVER,pref=2[,replay-lag=7d][,truncation-lag=0]
    layout: a YAML file with all copies: DB01: {EX1: 1, EX4: {pref: 2, replay-lag: 7d}}
    seed: auto, postpone (add only), or source=SERVER for all
    seeds_parallel: seeds at the same time for each giving server; one for each database
    restart_store: window restarts MSExchangeIS of servers with a new copy at the end, so that it counts its memory
        anew; their databases move away before, and it is refused outside the maintenance windows of the DAG
    dag: the DAG; the servers' own where it is not named
    now: the restart outside the maintenance windows too
    """
    wanted = wished(copy, layout, estate)
    if restart_store != "never" and seed.how == "postpone":
        raise BadParameter(
            "--restart-store window does not go with --seed postpone: copies without a database cannot take over",
            certain=("nothing was contacted",),
            next=("restart it when the copies are seeded: starover run service-restart --service MSExchangeIS",),
        )
    source = estate.server(seed.source).name if seed.source else None
    targets = [estate.server(name) for name in dict.fromkeys(one.server for specs in wanted.values() for one in specs)]
    plans = yield from _plans(wanted, targets, estate, source, dag or "")
    room = yield from together(volumes.read(server) for server in targets)
    for server, found in zip(targets, room, strict=True):
        check_room(server.name, found.volumes, plans)
    keeps = (yield from transport_config.read(targets[0])) if any(plan.lag for plan in plans) else None
    controllers = yield from _controllers(plans, targets[0])
    fresh = {one.spec.server for plan in plans for one in plan.new} if restart_store == "window" else set[str]()
    restarts = (yield from stores([one for one in targets if one.name in fresh], estate, now=now)) if fresh else []
    yield from together(
        _lane(lane, estate, controllers, seed.how == "postpone", notes(plans, held(keeps), restarts=bool(restarts)))
        for lane in lanes(plans, seeds_parallel)
    )
    yield from restart_stores(restarts)


def _plans(
    wanted: Mapping[str, Sequence[CopySpec]], targets: Sequence[Server], estate: Estate, source: str | None, dag: str
) -> Steps[list[DatabasePlan]]:
    """Ask every target for its databases, side by side; the first target of a database tells what is planned."""
    asked = {
        server.name: tuple(name for name, specs in wanted.items() if any(one.server == server.name for one in specs))
        for server in targets
    }
    answers = yield from together(placements.read(server, databases=asked[server.name]) for server in targets)
    views = {
        server.name: dict(zip(asked[server.name], answer.databases, strict=True))
        for server, answer in zip(targets, answers, strict=True)
    }
    known = yield from policies.read(targets[0])
    plans: list[DatabasePlan] = []
    for name, specs in wanted.items():
        now: Placement = views[specs[0].server][name]
        if not now.found:
            raise BadParameter(
                f"there is no database {name}", certain=("only readings were sent",), next=("starover status",)
            )
        plans.append(plan_database(now, specs, estate, source))
    for server in targets:
        facts = known.find(server.name)
        if dag and facts is not None and facts.in_dag.casefold() != dag.casefold():
            raise NotSafe(
                f"{server.name} is {f'a member of {facts.in_dag}' if facts.in_dag else 'in no DAG'}, not of {dag}",
                certain=("nothing was changed",),
                next=("starover status",),
            )
    return plans


def _controllers(plans: Sequence[DatabasePlan], asked: Server) -> Steps[dict[str, tuple[str, ...]]]:
    """For each database the domain controllers that its servers work with: each must know a copy before it is used."""
    servers = tuple(dict.fromkeys(server for plan in plans for server in plan.order))
    found = yield from together(server_directory.read(asked, name=server) for server in servers)
    used = dict(zip(servers, (one.controllers[:1] for one in found), strict=True))
    return {plan.name: tuple(dict.fromkeys(one for server in plan.order for one in used[server])) for plan in plans}


def _lane(
    plans: Sequence[DatabasePlan],
    estate: Estate,
    controllers: Mapping[str, Sequence[str]],
    postpone: bool,
    said: Mapping[CopyId, str],
) -> Steps:
    """Databases one after the other."""
    for plan in plans:
        for adding in plan.copies:
            yield from _copy(plan, adding, estate, controllers[plan.name], postpone, said)
        yield ordered.on(
            estate.server(plan.copies[0].spec.server),
            database=plan.name,
            order=tuple(CopyId(plan.name, server) for server in plan.order),
            coming=tuple(one.spec.server for one in plan.new),
        )


def _copy(
    plan: DatabasePlan,
    adding: Adding,
    estate: Estate,
    controllers: Sequence[str],
    postpone: bool,
    said: Mapping[CopyId, str],
) -> Steps:
    """One copy: added, known everywhere, seeded, caught up, behind if it shall be."""
    spec, database = adding.spec, plan.name
    server, identity = estate.server(spec.server), CopyId(plan.name, spec.server)
    yield copy_added.on(
        server,
        database=database,
        server=server.name,
        preference=adding.preference,
        replay_lag=spec.replay_lag,
        truncation_lag=spec.truncation_lag,
        note=said.get(identity, ""),
    )
    yield from together(
        wait(
            copies_on_controller,
            server,
            until=lambda now: now.has(server.name),
            settle=Settle(every=30, limit=900),
            what=f"AD: {short(controller)} knows {identity} (waiting-ad)",
            expected=True,
            database=database,
            controller=controller,
        )
        for controller in controllers
    )
    there = plan.now.find(identity)
    whole = there is not None and (there.active or there.status in HOLDS_ITS_DATABASE)
    if not postpone and not (there is not None and there.active):
        yield seeded.on(
            server,
            identity=identity,
            database=database,
            source=adding.source,
            files="keep",
            what="all",
            comment="[starover] seed",
            coming=not adding.exists,
            discard=False,
        ).within(seed_limit(plan.now.bytes))
        if not whole:
            yield from caught_up(server, identity)
            yield from _indexed(plan, server, identity)
    if adding.exists and (spec.replay_lag is not None or spec.truncation_lag is not None):
        yield lag_set.on(
            server,
            identity=identity,
            database=database,
            replay_lag=spec.replay_lag,
            truncation_lag=spec.truncation_lag,
            max_delay=None,
            note="",
        )
    if spec.replay_lag and not postpone:
        yield barred.on(
            server, identity=identity, database=database, comment="[starover] lagged copy", coming=not whole
        )


def _indexed(plan: DatabasePlan, server: Server, identity: CopyId) -> Steps:
    """Until Exchange 2016 a copy has a content index of its own, which takes its time; later there is nothing to do."""
    if all(one.content_index in ("", "NotApplicable") for one in plan.now.copies):
        return
    yield from wait(
        copies_of,
        server,
        until=lambda now: (one := now.find(identity)) is not None and one.content_index in GOOD_INDEX,
        settle=Settle(every=60, limit=21_600),
        what=f"content index of {identity} Healthy",
        expected=True,
        database=plan.name,
    )

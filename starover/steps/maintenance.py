"""A member taken out of service and brought back, as several runbooks do it (catalogue, maintenance-start and -stop).

Order and guards are the catalogue's. What was before is the first reading of `hub_drained` (`Snapshot`), kept by the
journal and beside the receipt on the host.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from starover.errors import BadParameter, NotSafe, OutcomeUnknown, StaroverError, Unreachable
from starover.estate import Dag, Estate, Server
from starover.names import same_host
from starover.runbook import Steps, recall, together
from starover.step import Report, Settle, Step, wait
from starover.steps.activation import move_now_set
from starover.steps.around import AWAY, Around, Member, look_around, member_of
from starover.steps.behind import BALANCING, NOWHERE, Behind, behind, out_of_balancers, to_balancers, untold, was_behind
from starover.steps.components import (
    HUB,
    MAINTENANCE,
    WIDE,
    component_set,
    find,
    hub_held,
    offline,
    server_offline,
    still_on,
)
from starover.steps.copies import CopyStatus, DatabaseCopies, copies_on
from starover.steps.dag import ClusterState, cluster_state, short
from starover.steps.gate import admit
from starover.steps.maintenance_checks import (
    all_caught_up,
    blocks_lost,
    client_services,
    ready,
    served,
    unwell,
)
from starover.steps.maintenance_scripts import (
    Scripts,
    barred_before,
    calls_ended,
    emptied_by_script,
    enough_members,
    refilled_by_script,
)
from starover.steps.moves import LOSSLESS, evacuated, homeward, leaving, moved
from starover.steps.nodes import CoreGroup, core_group, node_paused, node_resumed, owner_moved, owner_moved_off
from starover.steps.preferences import policy_set
from starover.steps.queues import (
    Snapshot,
    drained,
    hub_drained,
    hub_restored,
    queues_retried,
    redirected,
    snapshot,
    submission_resumed,
)
from starover.steps.seeding import barred
from starover.steps.services import services_started

__all__ = ["BACK", "OUT", "TakenOut", "bring_back", "leftovers", "take_out"]

FUNCTIONAL = "Functional"
UM = "UMCallRouter"
"""Until Exchange 2016 only."""

OUT = (
    *BALANCING,
    hub_drained,
    component_set,
    policy_set,
    leaving,
    evacuated,
    owner_moved_off,
    node_paused,
    redirected,
    queues_retried,
    server_offline,
)
"""Kinds that taking a member out may need, for a plan that cannot foresee them."""
BACK = (
    *BALANCING,
    component_set,
    node_resumed,
    policy_set,
    move_now_set,
    barred,
    services_started,
    hub_restored,
    submission_resumed,
    moved,
)
"""Kinds that bringing a member back may need."""


class TakenOut(Snapshot):
    """What was before, with what only balancers tell."""

    where: Behind = NOWHERE


# -- out ---------------------------------------------------------------------------------------------------------------


def take_out(
    dag: Dag,
    server: Server,
    estate: Estate,
    *,
    redirect_to: Server | None = None,
    lb: bool = True,
    min_copies: int | None = None,
    allow_queued: int = 50,
    accept_offline: Sequence[str] = (),
    comment: str = "maintenance",
    now: bool = False,
    minutes: int = AWAY,
    scripts: Scripts | None = None,
) -> Steps[Snapshot]:
    """Take a member out of service, or find that it is; gives what was found before.

    `minutes`: how long it stays out, roughly, for warnings. `scripts`: Microsoft's do what concerns databases and node.

    When something fails, what was set is set back, last first; databases stay where they are by then. Nothing is set
    back after a host that went silent or an unknown outcome, nor for mail that does not leave.
    """
    member_of(dag, server)
    if scripts is not None:
        enough_members(dag, server, override=scripts.override)
    around = yield from look_around(dag, estate, server)
    before = yield from snapshot.read(server, server=server.name)
    core = yield from core_group.read(server, dag=dag.name)
    if _is_out(around, server, before):
        warnings: tuple[str, ...] = ()
    else:
        warnings = admit(
            f"taking {server.name} out of service",
            [
                around.judge_setup(),
                around.judge_single(server),
                around.judge_witness(server),
                around.judge_quorum(server),
                around.judge_copies(server, min_copies=min_copies, accept_offline=accept_offline, minutes=minutes),
                around.judge_seed(server),
                around.judge_window(server, now=now),
            ],
            host=server.name,
        )
    where = NOWHERE
    if lb:
        warnings = (*warnings, *untold(estate, f"take {server.name} out of it"))
        where = yield from behind(estate, server)
    target = _target(around, server, redirect_to)
    heir = _heir(around, server, target, core)
    undo: list[Step] = []
    try:
        yield from out_of_balancers(estate, server, where, undo)
        yield from _quieten(around, server, before, comment, warnings, heir, undo, scripts)
    except StaroverError as error:
        yield from _put_back(server, undo, error)
        raise
    yield redirected.on(server, server=server.name, target=target.fqdn, allowed=allow_queued)
    yield queues_retried.on(server, server=server.name, allowed=allow_queued)
    yield from drained(server, allow_queued)
    try:
        yield server_offline.on(server, server=server.name)
        if offline(before.components) is False:
            undo.append(_component(server, WIDE, "Active"))
        yield from _verified_out(server, dag)
    except StaroverError as error:
        yield from _put_back(server, undo, error)
        raise
    return TakenOut(**msgspec.structs.asdict(before), where=where)


def _quieten(
    around: Around,
    server: Server,
    before: Snapshot,
    comment: str,
    warnings: Sequence[str],
    heir: Server | None,
    undo: list[Step],
    scripts: Scripts | None,
) -> Steps:
    """No new mail, no active database, no role in the cluster; `undo` gets what would set each back."""
    name, dag = server.name, around.dag.name
    yield hub_drained.on(server, server=name).warned(*warnings)
    if hub_held(before.components) == "Active":
        undo.append(hub_restored.on(server, server=name))
    if find(before.components, UM) is not None:
        yield component_set.on(server, server=name, component=UM, state="Draining", requester=MAINTENANCE)
        undo.append(_component(server, UM, "Active"))
        yield from calls_ended(server)
    active = around.active_on(server)
    if scripts is not None:
        barred_there = barred_before(before.copies)
        step = emptied_by_script.on(
            server,
            server=name,
            dag=dag,
            databases=active,
            blocks=tuple(one.identity for one in barred_there),
            comment=comment,
            override=scripts.override,
        )
        yield step
        if before.policy not in ("", "Blocked"):
            undo.append(_refilled(server, dag, before.policy, barred_there))
        return
    yield policy_set.on(server, server=name, policy="Blocked")
    if before.policy not in ("", "Blocked"):
        undo.append(policy_set.on(server, server=name, policy=before.policy))
    yield leaving.on(server, name=name, databases=active, flagged=before.move_now)
    if not before.move_now:
        undo.append(move_now_set.on(server, server=name, enabled=False))
    yield evacuated.on(server, name=name, databases=active, comment=comment)
    if heir is not None:
        yield owner_moved_off.on(server, dag=dag, server=name, target=heir.name)
        owner = around.seen.active_manager
        if owner and same_host(short(owner), name):
            undo.append(owner_moved.on(server, dag=dag, target=name))
    yield node_paused.on(server, server=name)
    undo.append(node_resumed.on(server, server=name))


def _refilled(server: Server, dag: str, policy: str, blocked: Sequence[CopyStatus]) -> Step:
    return refilled_by_script.on(
        server,
        server=server.name,
        dag=dag,
        policy=policy,
        blocks=tuple(one.identity for one in blocked),
        comments=tuple(one.suspend_comment or "as before maintenance" for one in blocked),
    )


def _component(server: Server, component: str, state: str) -> Step:
    return component_set.on(server, server=server.name, component=component, state=state, requester=MAINTENANCE)


def _put_back(server: Server, undo: Sequence[Step], error: StaroverError) -> Steps:
    """Set back what was set, last first; not where nobody knows what happened.

    Raises what stops it, with why it was put back, what is left as it is, and who brings that back.
    """
    if isinstance(error, Unreachable | OutcomeUnknown):
        return
    left = list(undo)
    try:
        while left:
            yield left[-1]
            left.pop()
    except StaroverError as stopped:
        kinds = ", ".join(one.kind.name for one in reversed(left))
        # Not what was certain of `error`: "nothing was changed" and the like were of that one step.
        stopped.certain = (*stopped.certain, f"it was put back because of this: {error.what}")
        stopped.uncertain = (*stopped.uncertain, f"not put back, or not surely, on {server.name}: {kinds}")
        stopped.next = (
            f"starover plan maintenance-stop --server {server.name}   puts back what is left",
            *stopped.next,
        )
        raise


def _is_out(around: Around, server: Server, before: Snapshot) -> bool:
    """Whether it is out of service already, so that no guard has anything to say."""
    cluster = around.seen.cluster
    node = cluster.node(server.name) if cluster is not None else None
    return (
        not around.active_on(server)
        and before.policy == "Blocked"
        and node is not None
        and node.state == "Paused"
        and offline(before.components)
        and hub_held(before.components) != "Active"
    )


def leftovers(around: Around, member: Member) -> list[str]:
    """What of a member is as maintenance leaves it, in words; empty: it is in service."""
    name = member.server.name
    node = around.seen.cluster.node(name) if around.seen.cluster is not None else None
    limits = next((one for one in around.servers if same_host(one.name, name)), None)
    return [
        *([f"{HUB} {hub_held(member.components)}"] if hub_held(member.components) != "Active" else []),
        *([f"{WIDE} Inactive"] if offline(member.components) else []),
        *(["node Paused"] if node is not None and node.state == "Paused" else []),
        *(["its databases leave at once"] if limits is not None and limits.move_now else []),
    ]


def _target(around: Around, server: Server, given: Server | None) -> Server:
    """Where mail that waits is handed to. Raises `BadParameter` and `NotSafe`."""
    if given is not None:
        if given is server:
            raise BadParameter(
                f"--redirect-to {given.name}: that is the server that is taken out", certain=("nothing was changed",)
            )
        member = next((one for one in around.members if one.server is given), None)
        if member is None or not member.takes_mail:
            raise NotSafe(
                f"{given.name} takes no mail: it is no other member whose {HUB} is Active",
                certain=("nothing was changed",),
                next=("leave --redirect-to out   the best other member is taken",),
            )
        return given
    best = around.refuge(server)
    if best is None:
        raise NotSafe(
            f"no other member can take the mail of {server.name}",
            certain=(f"looked at: {', '.join(one.server.name for one in around.others(server)) or 'nobody'}",),
            next=("starover run health-report   says what is wrong with them",),
            host=server.name,
        )
    return best.server


def _heir(around: Around, server: Server, target: Server, core: CoreGroup) -> Server | None:
    """Who becomes Primary Active Manager; None: nobody else is in the cluster."""
    up = [
        one.server
        for one in around.others(server)
        if (node := core.node(one.server.name)) is not None and node.state == "Up"
    ]
    return target if target in up else next(iter(up), None)


def _verified_out(server: Server, dag: Dag) -> Steps:
    """The documented checks at the end: all of it holds at once."""

    def quiet(now: Snapshot) -> bool:
        return now.policy == "Blocked" and hub_held(now.components) != "Active" and not still_on(now.components)

    def aside(now: CoreGroup) -> bool:
        node = now.node(server.name)
        owns = same_host(short(now.active_manager), server.name) or same_host(now.owner, server.name)
        return node is not None and node.state == "Paused" and not owns

    settle = Settle(every=5, limit=120)
    yield from wait(
        snapshot, server, until=quiet, settle=settle, what=f"{server.name} out of service", server=server.name
    )
    yield from wait(
        core_group, server, until=aside, settle=settle, what=f"{server.name} aside in the cluster", dag=dag.name
    )


# -- back --------------------------------------------------------------------------------------------------------------


def bring_back(
    dag: Dag,
    server: Server,
    estate: Estate,
    *,
    before: Snapshot | None = None,
    rebalance: bool = False,
    lb: bool = True,
    fix_functional: bool = True,
    scripts: bool = False,
) -> Steps:
    """Bring a member back into service as it was before it was taken out, or find that nothing is missing.

    Its activation policy and the copies that were barred from activation come from what taking it out had found:
    `before` where the same run did it (a run cannot recall itself), else what an earlier run found. `scripts`: node and
    policy by Microsoft's script, which wipes blocks; they are set again with it.
    Raises `NotSafe` when services do not run, and when nobody knows the policy of before.
    """
    member_of(dag, server)
    parts: list[Steps[Report]] = [
        snapshot.read(server, server=server.name),
        cluster_state.read(server),
        copies_on.read(server, name=server.name),
    ]
    now, cluster, copies = yield from together(parts)
    assert isinstance(now, Snapshot)
    assert isinstance(cluster, ClusterState)
    assert isinstance(copies, DatabaseCopies)
    prev = before if before is not None and hub_held(before.components) == "Active" else None
    prev = prev or (yield from recall(server, hub_drained, server=server.name))
    policy = yield from _policy_before(server, now, before, prev)
    back = (yield from _homeward(dag, server, estate)) if rebalance else []
    own = before.where if isinstance(before, TakenOut) else None
    where = (yield from was_behind(estate, server, own)) if lb else NOWHERE
    ready(server, now, cluster)
    name = server.name

    yield component_set.on(server, server=name, component=WIDE, state="Active", requester=MAINTENANCE)
    if find(now.components, UM) is not None:
        yield component_set.on(server, server=name, component=UM, state="Active", requester=MAINTENANCE)
    for component in (WIDE, "Monitoring", "RecoveryActionsEnabled") if fix_functional else ():
        held = find(now.components, component)
        if held is not None and held.by(FUNCTIONAL) != "Active":
            yield component_set.on(server, server=name, component=component, state="Active", requester=FUNCTIONAL)
    if scripts:
        kept_back = barred_before(prev.copies if prev is not None else now.copies)
        yield _refilled(server, dag.name, policy, kept_back)
    else:
        yield node_resumed.on(server, server=name)
        yield policy_set.on(server, server=name, policy=policy)
    kept = prev is not None and prev.move_now and now.policy == policy
    yield move_now_set.on(server, server=name, enabled=kept)
    if prev is not None and not scripts and hub_held(now.components) != "Active":
        for copy in blocks_lost(prev.copies, now.copies):
            yield barred.on(
                server,
                identity=copy.id,
                database=copy.database,
                comment=copy.suspend_comment or "as before maintenance",
                coming=False,
            )
    if stopped := client_services(prev, now):
        yield services_started.on(server, server=name, names=stopped)
    by_hand = untold(estate, f"put {name} into it") if lb else ()
    yield hub_restored.on(server, server=name).warned(*by_hand)
    yield submission_resumed.on(server, server=name, queue=f"{name}\\Submission")
    yield from all_caught_up(server, unwell(prev.copies if prev is not None else now.copies))
    yield from served(server)
    yield from to_balancers(server, where)
    for database, target in back:
        yield moved.on(
            server, database=database, target=target, dial=LOSSLESS, comment="maintenance-stop", skip=(), note=""
        )


def _policy_before(server: Server, now: Snapshot, own: Snapshot | None, earlier: Snapshot | None) -> Steps[str]:
    """The activation policy to have: what it was before a run of ours made it Blocked. Raises `NotSafe`."""
    if now.policy != "Blocked":
        return now.policy
    if own is not None and own.policy not in ("", "Blocked"):
        return own.policy
    if hub_held(now.components) == "Active" and not offline(now.components):
        return now.policy  # Blocked on purpose: it is not in maintenance
    if earlier is not None and earlier.policy not in ("", "Blocked"):
        return earlier.policy  # by Microsoft's script, or by the step
    prev = yield from recall(server, policy_set, server=server.name)
    before = prev.find(server.name) if prev is not None else None
    if before is not None and before.policy:
        return before.policy
    raise NotSafe(
        f"nobody knows which activation policy {server.name} had: no run of ours here has set it to Blocked",
        certain=("nothing was changed",),
        next=(
            f"starover run activation-policy --servers {server.name} --policy Unrestricted   or what it was before",
            "or run it where the journal of maintenance-start is",
        ),
        host=server.name,
    )


def _homeward(dag: Dag, server: Server, estate: Estate) -> Steps[list[tuple[str, str]]]:
    """Databases that prefer the server and may come back to it; that it is Blocked now is what this run lifts."""
    around = yield from look_around(dag, estate, server)
    lifted = [
        msgspec.structs.replace(one, policy="Unrestricted", move_now=False) if same_host(one.name, server.name) else one
        for one in around.servers
    ]
    return [
        (name, target)
        for name, target, why in homeward(around.databases, around.copies, lifted, only=server.name)
        if not why
    ]

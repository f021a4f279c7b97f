"""A member taken out of service for work on it, and brought back as it was."""

from collections.abc import Sequence

from starover import (
    BadParameter,
    Comment,
    Dag,
    DbName,
    Estate,
    Finding,
    Findings,
    Server,
    Steps,
    recall,
    runbook,
)
from starover.steps.around import look_around
from starover.steps.maintenance import BACK, bring_back, leftovers, take_out
from starover.steps.maintenance_scripts import Scripts
from starover.steps.maintenance_types import Copies, Queued, RunId
from starover.steps.queues import hub_drained


@runbook
def maintenance_start(
    dag: Dag,
    estate: Estate,
    server: Server,
    redirect_to: Server | None = None,
    lb: bool = True,
    use_exchange_scripts: bool = False,
    min_copies: Copies | None = None,
    override_minimum_copies: bool = False,
    allow_queued: Queued = 50,
    accept_offline: Sequence[DbName] = (),
    comment: Comment = "maintenance",
    now: bool = False,
) -> Steps:
    """Take a member out of service, so that it can be worked on: no mail, no active database, nothing in the cluster.

    What was before is kept, and maintenance-stop brings exactly that back. When something fails, what was set is set
    back; databases stay where they have moved to. Mail that does not leave stops it, but undoes nothing.

    dag: the DAG; need not be named where the inventory has one
    server: the member
    redirect_to: who gets the mail that waits; the best other member where it is not named
    lb: the balancers' target groups and farms let it go first; the plan says which balancer must be told by hand
    use_exchange_scripts: Microsoft's StartDagServerMaintenance.ps1 for the middle part
    min_copies: good copies of each database that must remain; 1 where it has two, else 2
    override_minimum_copies: the switch of Microsoft's script for DAGs of two members
    allow_queued: messages that may stay in its queues; shadow and poison queues never count
    accept_offline: databases whose only copy is there, and that may be offline meanwhile; repeat it for several
    comment: kept with the databases that move
    now: outside the maintenance windows of the DAG too
    """
    if override_minimum_copies and not use_exchange_scripts:
        raise BadParameter(
            "--override-minimum-copies is a switch of Microsoft's script: it goes with --use-exchange-scripts",
            certain=("nothing was contacted",),
            next=("--min-copies 1   how many good copies must remain, without the script",),
        )
    yield from take_out(
        dag,
        server,
        estate,
        redirect_to=redirect_to,
        lb=lb,
        min_copies=min_copies,
        allow_queued=allow_queued,
        accept_offline=accept_offline,
        comment=comment,
        now=now,
        scripts=Scripts(override=override_minimum_copies) if use_exchange_scripts else None,
    )


@runbook
def maintenance_stop(
    dag: Dag,
    estate: Estate,
    server: Server,
    rebalance: bool = False,
    lb: bool = True,
    use_exchange_scripts: bool = False,
    fix_functional: bool = True,
) -> Steps:
    """Bring a member back into service as it was before maintenance-start.

    Its activation policy and the copies that were barred from activation are what they were, not what is usual.

    dag: the DAG; need not be named where the inventory has one
    server: the member
    rebalance: databases that prefer it move back at once
    lb: its target groups and farms get it back at the end, where a run here had taken it out
    use_exchange_scripts: Microsoft's StopDagServerMaintenance.ps1; the activation blocks that it wipes are set again
    fix_functional: also what a failed update left Inactive (requester Functional)
    """
    yield from bring_back(
        dag,
        server,
        estate,
        rebalance=rebalance,
        lb=lb,
        fix_functional=fix_functional,
        scripts=use_exchange_scripts,
    )


@runbook(beyond=BACK)
def maintenance_cleanup(dag: Dag, estate: Estate, run_id: RunId | None = None) -> Steps[Findings | None]:
    """Bring back every member that a run of ours left half in maintenance; what others left is only named.

    A member counts as ours when a journal here tells what it was like before.

    dag: the DAG; need not be named where the inventory has one
    run_id: only what this run left, by its id or the beginning of it; default: what any run of ours left
    """
    around = yield from look_around(dag, estate)
    foreign: list[Finding] = []
    ours: list[Server] = []
    known = False
    for member in around.members:
        name = member.server.name
        kept = yield from recall(member.server, hub_drained, of_run=run_id or "", server=name)
        known = known or kept is not None
        left = leftovers(around, member)
        if left and kept is not None:
            ours.append(member.server)
        elif left:
            who = f"run {run_id} has not done it" if run_id else "no run of ours here has done it"
            foreign.append(Finding(check="maintenance", on=name, level="warn", says=f"{', '.join(left)}; {who}"))
    if run_id and not known:
        raise BadParameter(
            f"--run-id {run_id}: no such run here has taken a member of {dag.name} out of service",
            certain=("nothing was changed",),
            next=("starover runs   which runs there are", "starover plan maintenance-cleanup   whoever has left it"),
        )
    for server in ours:
        yield from bring_back(dag, server, estate)
    return Findings(findings=tuple(foreign)) if foreign else None

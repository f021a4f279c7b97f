"""A member whose update of Exchange broke off half-way, made whole as far as that is possible without Setup."""

from starover import Comment, Dag, Estate, Server, Steps, runbook
from starover.steps.around import member_of
from starover.steps.components import component_set, component_states
from starover.steps.dag import members_of
from starover.steps.maintenance import BACK, bring_back
from starover.steps.patches import PATCHING, restarted
from starover.steps.update_repair import (
    FUNCTIONAL,
    held_back,
    may_restart,
    start_types_restored,
    unfinished,
    wanted_starts,
)
from starover.steps.update_task import pending_of, progress_of, setup_of, worker_removed


@runbook(beyond=(*PATCHING, *BACK, component_set))
def update_repair(
    dag: Dag, estate: Estate, server: Server, comment: Comment = "update-repair", now: bool = False
) -> Steps:
    """Repair a member after an update that broke off: start types, components, a restart, back into service.

    Start types come from what maintenance-start found, else from a member that is whole. While Setup itself has not
    ended, the server stays out of service, and the line that ends it is printed. A worker that hangs is removed.

    dag: the DAG; need not be named where the inventory has one
    server: the member
    comment: kept with the restart in the host's own log
    now: outside the maintenance windows of the DAG too
    """
    member_of(dag, server)
    setup = yield from setup_of.read(server)
    boot = (yield from pending_of.read(server)).boot_time
    worker = yield from progress_of.read(server)
    peers = [one for one in members_of(dag, estate) if one is not server]
    starts = yield from wanted_starts(peers, server, setup)
    notes = (yield from may_restart(dag, peers, server, now=now)) if starts.types else ()
    if worker.hung or (worker.task and not worker.running):
        yield worker_removed.on(server, server=server.name, hung=worker.hung)
    if starts.types:
        yield start_types_restored.on(server, server=server.name, starts=starts.types, note=starts.source).warned(
            *notes
        )
        yield from restarted(server, boot, comment=comment, member=True, note="after the repair")
        setup = yield from setup_of.read(server)
    failure = unfinished(server.name, setup)
    if failure is not None:
        raise failure
    states = yield from component_states.read(server, server=server.name)
    for component in held_back(states.components):
        yield component_set.on(server, server=server.name, component=component, state="Active", requester=FUNCTIONAL)
    yield from bring_back(dag, server, estate)

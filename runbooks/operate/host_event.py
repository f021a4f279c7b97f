"""A member whose host AWS wants to take away, or that fails: moved to another one."""

from starover import Comment, Dag, Estate, Findings, Server, Steps, runbook
from starover.steps.around import member_of
from starover.steps.dag import hello, members_of
from starover.steps.guards import moment
from starover.steps.host_events import (
    booted_anew,
    instance_halted,
    instance_relaunched,
    launched_of,
    look,
    may_stop,
    quarantine_ended,
    quiet,
    store_note,
)
from starover.steps.maintenance import BACK, bring_back, take_out
from starover.steps.maintenance_types import Copies, Queued
from starover.steps.moves import moment_of
from starover.steps.patches import back_up


@runbook(beyond=BACK)
def host_event(
    dag: Dag,
    estate: Estate,
    server: Server,
    min_copies: Copies | None = None,
    allow_queued: Queued = 50,
    comment: Comment = "host-event",
    now: bool = False,
) -> Steps[Findings | None]:
    """Move a member to another host when AWS has announced something for its own, or a status check fails.

    Out of service, stopped and started (instance-store volumes lose their data), back in service as it was. A node in
    quarantine takes part again. Where nothing is wrong, nothing is done.

    dag: the DAG; need not be named where the inventory has one
    server: the member
    min_copies: good copies of each database that must remain; 1 where it has two, else 2
    allow_queued: messages that may stay in its queues; they survive the restart
    comment: kept with the databases that move
    now: outside the maintenance windows of the DAG too
    """
    member_of(dag, server)
    asked = next((one for one in members_of(dag, estate) if one is not server), server)
    seen = yield from look(dag, server, asked)
    time = moment((yield from moment_of.read(asked)).utc)
    found = tuple(seen.findings(dag, time))
    if seen.quarantined:
        yield from quiet(server, asked, time)
        yield quarantine_ended.on(server, names=("ClusSvc",), server=server.name)
    if not seen.moves:
        return Findings(findings=found)
    yield from may_stop(server)
    launched = (yield from launched_of.read(server, instance=server.instance)).launched or ""
    boot = yield from hello.read(server)
    note = yield from store_note(server)
    before = yield from take_out(
        dag, server, estate, min_copies=min_copies, allow_queued=allow_queued, comment=comment, now=now
    )
    yield instance_halted.on(server, instance=server.instance, since=launched, note=note)
    yield instance_relaunched.on(server, instance=server.instance, since=launched)
    yield from booted_anew(server, boot.boot_time)
    yield from back_up(server, member=True)
    yield from bring_back(dag, server, estate, before=before)
    return Findings(findings=found)

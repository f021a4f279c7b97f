"""Queues that are stuck, and volumes that fill, relieved."""

from collections.abc import Sequence
from typing import Literal

from starover import BadParameter, CopyId, Dag, Estate, Finding, Findings, Server, Steps, runbook, together
from starover.steps.around import member_of
from starover.steps.dag import databases
from starover.steps.disaster import survey
from starover.steps.disk_relief import (
    circular_logging,
    grow,
    keepers,
    proven_gone,
    proven_lost,
    rest,
    resume_ours,
    space_of,
    why_kept,
)
from starover.steps.gate import admit
from starover.steps.maintenance_types import Gib, QueueName
from starover.steps.patch_state import of_members
from starover.steps.queues import transport
from starover.steps.recovery import lost_copy_removed
from starover.steps.relief import (
    TRANSPORT,
    chosen,
    not_draining,
    queue_resumed,
    queue_tried,
    started,
    transport_answers,
)
from starover.steps.services import service_restarted
from starover.steps.truncation import backed_up, backups_of, loosely_truncated, protected


@runbook
def queue_relief(
    dag: Dag,
    estate: Estate,
    action: Literal["retry", "resume", "restart-transport"],
    servers: Sequence[Server] = (),
    queue: Sequence[QueueName] = (),
) -> Steps:
    """Relieve queues after mailflow-triage has said why they are stuck: tried again, resumed, transport restarted.

    One server at a time; a server that drains on purpose is left alone.

    dag: the DAG; need not be named where the inventory has one
    action: what is done
    servers: only these members; repeat it for several
    queue: queues such as EX1\\Submission; those in Retry or Suspended where none is named; repeat it for several
    """
    members = of_members(dag, estate, servers)
    restart = action == "restart-transport"
    status = "Suspended" if action == "resume" else "Retry"
    found = yield from together(transport.read(server, server=server.name) for server in members)
    todo = [(server, now, chosen(now, queue, status)) for server, now in zip(members, found, strict=True)]
    todo = [one for one in todo if restart or one[2]]
    admit("relieving queues", [not_draining(server.name, now.components) for server, now, _ in todo])
    since = (yield from together(started(server) for server, _, _ in todo)) if restart else []
    for server, _, stuck in todo if not restart else ():
        kind = queue_resumed if action == "resume" else queue_tried
        for one in stuck:
            yield kind.on(server, server=server.name, queue=one.identity)
    for (server, _, _), after in zip(todo, since, strict=False):
        yield service_restarted.on(
            server,
            server=server.name,
            service=TRANSPORT,
            names=(TRANSPORT,),
            after=after,
            note="its mail waits for a moment",
        )
        yield from transport_answers(server)


@runbook
def disk_relief(
    dag: Dag,
    estate: Estate,
    server: Server,
    option: Literal[
        "report", "resume", "grow", "backup", "crcl", "loose-truncation", "remove-lost", "dismount"
    ] = "report",
    size: Gib | None = None,
) -> Steps[Findings]:
    """Make room on a log volume that fills, by the mildest way that helps; logs are never deleted by hand.

    The report says when it is full and what keeps the logs. The options in their order: a copy is resumed, the EBS
    volume grows, a backup (yours: this says when the last one was), circular logging, loose truncation on every member,
    copies of lost servers removed, a database dismounted.

    dag: the DAG; need not be named where the inventory has one
    server: the member whose volume fills
    option: what is done
    size: with grow: GiB to grow to; a quarter more where it is not given
    """
    member_of(dag, server)
    if size is not None and option != "grow":
        raise BadParameter("--size goes with --option grow", certain=("nothing was contacted",))
    seen = yield from survey(dag, estate)
    host, spaces = space_of(server, seen)
    known = (yield from databases.read(server)).databases
    found = [
        Finding(check="S-LOGSPACE", on=server.name, level="fail" if one.low else "ok", says=one.text) for one in spaces
    ]
    found += [line for one in spaces for line in why_kept(one, seen, known)]
    if option == "resume":
        yield from resume_ours(estate, spaces, seen)
    if option == "grow":
        yield from grow(server, spaces, size)
    names = [name for one in spaces for name in one.databases]
    if option == "backup":
        found += backed_up((yield from backups_of.read(server, server=server.name)), names)
    if option == "loose-truncation":
        silent = [one.server for one in seen.members if not one.answers]
        gone = yield from proven_gone(dag, estate, silent, seen)
        wait_for = protected(seen.databases or (), names)
        for member in (one for one in estate.members(dag) if one.name not in gone):
            yield loosely_truncated.on(member, server=member.name, protect=wait_for)
    if option == "remove-lost":
        gone = yield from proven_lost(dag, estate, names, seen)
        found += [Finding(check="lost", on=name, level="info", says=why) for name, why in gone.items()]
    for name in names:
        if option == "crcl":
            missing = [keeper for keeper, _ in keepers(name, seen)]
            note = "breaks the chain of log backups"
            if missing:
                note += f"; nothing goes while {', '.join(missing)} is behind"
            yield circular_logging.on(server, database=name, enabled=True, note=note)
        if option == "remove-lost":
            for keeper, copy in keepers(name, seen):
                if copy is None:
                    yield lost_copy_removed.on(server, identity=CopyId(name, keeper), database=name)
        if option == "dismount":
            yield from rest(server, name, host, seen)
    return Findings(findings=tuple(found))

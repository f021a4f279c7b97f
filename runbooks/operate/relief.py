"""Queues that are stuck, and volumes that fill, relieved."""

from collections.abc import Sequence
from typing import Literal

from starover import Dag, Estate, Server, Steps, runbook, together
from starover.steps.gate import admit
from starover.steps.maintenance_types import QueueName
from starover.steps.patch_state import of_members
from starover.steps.queues import transport
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

"""Queues tried again, resumed, or relieved by a restart of transport (catalogue, queue-relief); knows no runbook."""

from __future__ import annotations

from collections.abc import Sequence

from starover.estate import Server
from starover.runbook import Steps
from starover.step import Blocked, Change, Risk, Settle, step, wait
from starover.steps.components import ComponentState, hub_held, offline
from starover.steps.gate import Judged, judged
from starover.steps.queues import Queue, Transport, transport
from starover.steps.services import service_states

__all__ = ["TRANSPORT", "chosen", "not_draining", "queue_resumed", "queue_tried", "started", "transport_answers"]


TRANSPORT = "MSExchangeTransport"


def started(server: Server) -> Steps[str]:
    """Since when the process of transport runs; empty: it does not."""
    found = yield from service_states.read(server, names=(TRANSPORT,))
    one = found.find(TRANSPORT)
    return one.since if one is not None else ""


def transport_answers(server: Server) -> Steps:
    """Wait until transport can be asked again, before the next server is begun."""
    yield from wait(
        transport,
        server,
        until=lambda now: now.answers,
        settle=Settle(every=10, limit=300),
        what=f"transport of {server.name} to answer",
        expected=True,
        server=server.name,
    )


def not_draining(server: str, components: Sequence[ComponentState]) -> Judged:
    """A server that drains on purpose is left alone: its mail is to wait, or goes elsewhere."""
    if hub_held(components) == "Active" and not offline(components):
        return Judged("G-SINGLE")
    return judged(
        "G-SINGLE",
        Blocked(
            f"{server} drains on purpose (requester Maintenance)",
            guard="G-SINGLE",
            next=(f"starover plan maintenance-stop --server {server}",),
        ),
    )


def chosen(now: Transport, named: Sequence[str], status: str) -> list[Queue]:
    """The queues of a server that are meant: those named, else those with that status. Poison stays where it is."""
    wanted = {one.casefold() for one in named}
    return [
        one
        for one in now.queues
        if one.counts
        and one.status == status
        and (not wanted or one.identity.casefold() in wanted or one.name.casefold() in wanted)
    ]


def _of(now: Transport, queue: str) -> Queue | None:
    return next((one for one in now.queues if one.identity.casefold() == queue.casefold()), None)


@step(
    check=transport,
    apply="relief/retry_queue.ps1.j2",
    risk=Risk.SERVICE,
    settle=Settle(every=10, limit=120),
    lenient=True,
)
def queue_tried(now: Transport, /, *, server: str, queue: str) -> Change | Blocked | None:
    """A queue does not wait for its next try (queue-relief). Whether it gets rid of its mail is seen afterwards."""
    one = _of(now, queue)
    if one is None or one.status != "Retry":
        return None
    return Change(queue, "Retry", "tried now", note=f"on {server}" + (f", to {one.hop}" if one.hop else ""))


@step(check=transport, apply="transport/resume.ps1.j2", risk=Risk.SERVICE, settle=Settle(every=10, limit=120))
def queue_resumed(now: Transport, /, *, server: str, queue: str) -> Change | Blocked | None:
    """A queue that somebody had suspended moves again (queue-relief)."""
    one = _of(now, queue)
    if one is None or one.status != "Suspended":
        return None
    return Change(queue, "Suspended", "moving", note=f"on {server}")

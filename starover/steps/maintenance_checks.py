"""What a member is looked at for on its way back into service: services, copies, clients; changes nothing."""

from __future__ import annotations

from collections.abc import Sequence

from starover.errors import NotSafe
from starover.estate import Server
from starover.names import CopyId, same_host
from starover.runbook import Steps
from starover.step import Settle, wait
from starover.steps.client_check import HEALTH, WEB_S, page
from starover.steps.copies import GOOD_COPY_QUEUE, STALE_QUEUE, CopyStatus, DatabaseCopies, copies_on
from starover.steps.dag import ClusterState, Node
from starover.steps.queues import Snapshot
from starover.steps.services import NEEDED

__all__ = ["all_caught_up", "blocks_lost", "client_services", "ready", "served", "unwell"]

SERVED = 200
"""HTTP status of the health page while its component is Active."""


def ready(server: Server, now: Snapshot, cluster: ClusterState) -> None:
    """Its boot has ended: services run, and its node is in the cluster. Raises `NotSafe`."""
    wrong = [
        f"service {one.name} is {one.status}{' and Disabled' if one.start == 'Disabled' else ''}"
        for name in NEEDED
        if (one := now.service(name)) is not None and one.status != "Running"
    ]
    node: Node | None = next((one for one in cluster.nodes if same_host(one.name, server.name)), None)
    if node is None or node.state not in ("Up", "Paused"):
        wrong.append(f"its node is {node.state if node is not None else 'not in the cluster'}")
    if wrong:
        raise NotSafe(
            f"{server.name} is not ready: {'; '.join(wrong)}",
            certain=("nothing was changed",),
            next=("starover run health-report   names what else is wrong", "wait until its boot has ended"),
            host=server.name,
        )


def client_services(prev: Snapshot | None, now: Snapshot) -> tuple[str, ...]:
    """Client services that ServerWideOffline has stopped, and that ran before or start by themselves."""
    names: list[str] = []
    for one in now.services:
        if not one.name.casefold().startswith(("msexchangeimap", "msexchangepop")):
            continue
        was = prev.service(one.name) if prev is not None else None
        wanted = was.status == "Running" if was is not None else one.start == "Automatic"
        if wanted and one.status == "Stopped" and one.start != "Disabled":
            names.append(one.name)
    return tuple(sorted(names))


def blocks_lost(before: Sequence[CopyStatus], now: Sequence[CopyStatus]) -> list[CopyStatus]:
    """Copies that were barred from activation and are no more: Microsoft's script wipes that."""
    here = DatabaseCopies(copies=tuple(now))
    return [
        was
        for was in before
        if was.activation_suspended
        and not was.replication_suspended
        and (one := here.find(was.id)) is not None
        and not one.active
        and not one.activation_suspended
    ]


def unwell(before: Sequence[CopyStatus]) -> tuple[CopyId, ...]:
    """Copies that were not Healthy before either, so that nobody waits for them."""
    return tuple(one.id for one in before if not one.active and one.status in ("Suspended", "FailedAndSuspended"))


def all_caught_up(server: Server, without: Sequence[CopyId]) -> Steps:
    """Wait until every copy of the server is Healthy and lacks at most ten logs: every 15 s, an hour at most."""

    def behind(one: CopyStatus) -> bool:
        if one.active or any(same_host(one.server, copy.server) and one.database == copy.database for copy in without):
            return False
        return one.status != "Healthy" or one.queue is None or one.queue > GOOD_COPY_QUEUE

    def until(now: DatabaseCopies) -> bool:
        return not any(behind(one) for one in now.copies)

    def left(now: DatabaseCopies) -> int:
        return sum(one.queue if one.queue is not None else STALE_QUEUE for one in now.copies if behind(one))

    yield from wait(
        copies_on,
        server,
        until=until,
        settle=Settle(every=15, limit=3600),
        progress=left,
        what=f"the copies on {server.name} Healthy",
        expected=True,
        name=server.name,
    )


def served(server: Server) -> Steps:
    """Wait until clients are served by the server itself (S-CLIENTCHECK); where nobody can look, that is said only."""
    if not server.address:
        return
    yield from wait(
        page,
        server,
        until=lambda look: look.answers and look.status == SERVED,
        settle=Settle(every=10, limit=120),
        what=f"clients served by {server.name} at {server.address}",
        lenient=True,
        address=server.address,
        port=443,
        seconds=WEB_S,
        tls=True,
        name=server.fqdn,
        path=HEALTH,
    )

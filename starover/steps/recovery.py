"""The last steps of a recovery that are the same in every mode: witness, mounts, mail flow; knows no way there."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from starover.errors import NotSafe
from starover.estate import Server
from starover.names import CopyId, DagName, WitnessDirectory, same_host
from starover.runbook import Steps
from starover.step import Blocked, Change, Risk, Settle, step
from starover.steps.dag_object import DagObject, dag_facts
from starover.steps.disaster import DatabaseOrder
from starover.steps.losses import AcceptedLoss, Loss, verdict_on
from starover.steps.mailflow import SendConnectors, orphaned, sent_from
from starover.steps.mounting import dial_for, loss_note, mounted, mounted_by_itself, mounted_with_loss
from starover.steps.seeding import copy_removed

__all__ = ["dropped", "mail_flows", "member_dropped", "mounts", "refuse_losses", "survivors_witness"]


@step(check=dag_facts, apply="dag/set_witness.ps1.j2", risk=Risk.SERVICE, settle=Settle(every=10, limit=180))
def survivors_witness(
    now: DagObject, /, *, dag: DagName, server: str, directory: WitnessDirectory
) -> Change | Blocked | None:
    """An even number of survivors votes with a witness on their side (S-QUORUM-FIX)."""
    named = same_host(now.witness_server, server) and now.witness_directory.casefold() == directory.casefold()
    if named and now.cluster is not None and now.cluster.witness_state == "Online":
        return None
    return Change(f"witness of {dag}", now.witness_server or "none", f"{server} {directory}")


def mounts(
    asked: Server,
    survivors: Sequence[Server],
    costs: Sequence[Loss],
    given: Collection[AcceptedLoss],
    *,
    dial: str,
    hold: bool,
) -> Steps:
    """S-MOUNT: Active Manager first, then each database by name; one that loses too much is left as it is."""
    servers = tuple(one.name for one in survivors)
    able = [one for one in costs if one.target and not verdict_on(one, given)]
    alone = [one.database for one in able if one.by_itself]
    if alone and not hold:
        yield from mounted_by_itself(asked, servers, alone)
    for loss in able:
        kind = mounted_with_loss if loss.beyond_dial else mounted
        yield kind.on(
            asked,
            servers=servers,
            database=loss.database,
            identity=CopyId(loss.database, loss.target),
            target=loss.target,
            dial=dial_for(loss, given, dial),
            accept=loss.beyond_dial,
            note=loss_note(loss, given),
        )


def refuse_losses(costs: Sequence[Loss], given: Collection[AcceptedLoss], runbook: str) -> None:
    """G-LOSS, after everything else is up. Raises `NotSafe` with the numbers, and with what to type."""
    refused = [(one, why) for one in costs if one.target and (why := verdict_on(one, given))]
    if not refused:
        return
    flags = ",".join(f"{one.database}={'unknown' if one.known is None else one.known}" for one, _ in refused)
    raise NotSafe(
        f"G-LOSS: {'; '.join(why for _, why in refused)}",
        certain=(
            *(f"{one.database}: the last log on this side was written {one.inspected[:19]}Z" for one, _ in refused),
            f"{', '.join(one.database for one, _ in refused)} stay dismounted; everything before this is done",
        ),
        uncertain=tuple(
            f"how much {one.database} wrote after its last notice of {one.notified[:19]}Z"
            for one, _ in refused
            if one.notified
        ),
        next=(f"starover plan {runbook} ... --accept-data-loss {flags}",),
    )


@step(check=dag_facts, apply="recovery/drop_server.ps1.j2", risk=Risk.DATA, settle=Settle(every=10, limit=300))
def member_dropped(now: DagObject, /, *, dag: DagName, server: str) -> Change | Blocked | None:
    """A lost server is no member of the DAG in Active Directory any more; nothing is done on it (S-MEMBER-REMOVE)."""
    if not now.has(server):
        return None
    node = now.cluster.node(server) if now.cluster is not None else None
    if node is not None and node.state in ("Up", "Paused"):
        return Blocked(
            f"{server} is {node.state} in the cluster: it is not lost",
            certain=("nothing was changed",),
            next=(f"starover plan dag-remove-member --server {server}",),
        )
    return Change(f"{server} in {dag}", "a member", "none", note="in Active Directory only", action="remove")


def dropped(asked: Server, dag: DagName, lost: Sequence[str], databases: Sequence[DatabaseOrder]) -> Steps:
    """Lost servers leave the DAG's object, their copies first; what they were stands in the run's journal."""
    for server in lost:
        for database in databases:
            if any(same_host(one, server) for one in database.servers):
                yield copy_removed.on(asked, identity=CopyId(database.name, server), database=database.name)
        yield member_dropped.on(asked, dag=dag, server=server)


def mail_flows(
    asked: Server, survivors: Sequence[Server], connectors: SendConnectors | None, lost: Sequence[str]
) -> Steps:
    """S-MAILFLOW: connectors whose every source is lost send from the survivors."""
    for one in orphaned(connectors.connectors if connectors is not None else (), lost):
        yield sent_from.on(
            asked, connector=one.name, sources=tuple(server.name for server in survivors), lost=tuple(lost)
        )

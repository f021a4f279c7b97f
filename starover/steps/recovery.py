"""The last steps of a recovery that are the same in every mode: witness, mounts, mail flow; knows no way there."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from starover.command_line import word
from starover.errors import NotSafe
from starover.estate import Dag, Estate, Server
from starover.names import CopyId, DagName, DbName, WitnessDirectory, same_host
from starover.runbook import Steps
from starover.step import Blocked, Change, Outcome, Risk, Settle, step
from starover.steps.dag_object import DagObject, dag_facts
from starover.steps.disaster import DatabaseOrder
from starover.steps.losses import AcceptedLoss, Loss, verdict_on
from starover.steps.mailflow import SendConnectors, orphaned, sent_from
from starover.steps.mounting import (
    SideCopies,
    at_risk,
    dial_for,
    loss_note,
    mounted,
    mounted_by_itself,
    mounted_with_loss,
    side_copies,
)
from starover.steps.placement import Placement, placement
from starover.steps.recovery_cluster import NAMES, majority_of_nodes
from starover.steps.witness import prepared, witness_host

__all__ = [
    "all_up",
    "dropped",
    "lost_copy_removed",
    "mail_flows",
    "member_dropped",
    "mounts",
    "planned",
    "quorum_fixed",
    "survivors_witness",
]


@step(check=dag_facts, apply="dag/set_witness.ps1.j2", risk=Risk.SERVICE, settle=Settle(every=10, limit=180))
def survivors_witness(
    now: DagObject, /, *, dag: DagName, server: str, directory: WitnessDirectory
) -> Change | Blocked | None:
    """An even number of survivors votes with a witness on their side (S-QUORUM-FIX)."""
    named = same_host(now.witness_server, server) and now.witness_directory.casefold() == directory.casefold()
    if named and now.cluster is not None and now.cluster.witness_state == "Online":
        return None
    return Change(f"witness of {dag}", now.witness_server or "none", f"{server} {directory}")


def quorum_fixed(
    dag: Dag, estate: Estate, node: Server, asked: Server, survivors: int, server: str, directory: str
) -> Steps:
    """S-QUORUM-FIX after evictions: nodes alone where they are odd, a witness of this side where they are even."""
    if survivors % 2:
        yield majority_of_nodes.on(node, names=NAMES, members=survivors)
        return
    host = witness_host(server, estate)
    yield from prepared(host, estate, seen_from=asked)
    yield survivors_witness.on(asked, dag=dag.name, server=host.fqdn, directory=directory)


def mounts(
    asked: Server,
    survivors: Sequence[Server],
    costs: Sequence[Loss],
    given: Collection[AcceptedLoss],
    *,
    dial: str,
    hold: bool,
) -> Steps[bool]:
    """S-MOUNT: Active Manager first, then each database by name; one that loses too much is left as it is.

    True: this is a plan, and some are still to be mounted.
    """
    servers = tuple(one.name for one in survivors)
    able = [one for one in costs if one.target and not verdict_on(one, given)]
    alone = [one.database for one in able if one.by_itself]
    if alone and not hold:
        yield from mounted_by_itself(asked, servers, alone)
    coming = False
    for loss in able:
        risky = at_risk(loss, given)
        kind = mounted_with_loss if risky else mounted
        outcome = yield kind.on(
            asked,
            servers=servers,
            database=loss.database,
            identity=CopyId(loss.database, loss.target),
            target=loss.target,
            dial=dial_for(loss, given, dial),
            accept=risky,
            note=loss_note(loss, given),
        )
        coming = coming or planned(outcome)
    return coming


def all_up(
    asked: Server,
    survivors: Sequence[Server],
    costs: Sequence[Loss],
    given: Collection[AcceptedLoss],
    runbook: str,
    *,
    planning: bool,
) -> Steps:
    """G-LOSS, after everything else is up. Raises `NotSafe` for what is still down, with numbers and what to type.

    `planning`: mounts are still to come, so nothing is asked.
    """
    wanted = [one for one in costs if one.target]
    if planning or not wanted:
        return
    now = yield from side_copies.read(asked, servers=tuple(one.name for one in survivors))
    down = [one for one in wanted if now.mounted(one.database) is None]
    if not down:
        return
    seen = [(one, queue(now, one)) for one in down]
    reasons = [_more_missing(one, logs) or verdict_on(one, given) for one, logs in seen]
    flags = ",".join(f"{one.database}={'unknown' if logs is None else logs}" for one, logs in seen)
    names = ", ".join(one.database for one in down)
    raise NotSafe(
        f"G-LOSS: {'; '.join(reasons)}",
        certain=(
            *(f"{one.database}: the last log on this side was written {one.inspected[:19]}Z" for one in down),
            f"{names} {'stays' if len(down) == 1 else 'stay'} dismounted; everything else is done",
        ),
        uncertain=tuple(
            f"how much {one.database} wrote after its last notice of {one.notified[:19]}Z"
            for one in down
            if one.notified
        ),
        next=(f"starover plan {runbook} ... --accept-data-loss {word(flags)}",),
    )


def queue(now: SideCopies, loss: Loss) -> int | None:
    """How many logs are missing, now that the cluster's registry can be read; None: that still nobody can count."""
    copy = now.on(loss.database, loss.target)
    if copy is None or copy.queue is None or (loss.known is None and not copy.queue):
        return None
    return max(copy.queue, loss.known or 0)


def _more_missing(loss: Loss, logs: int | None) -> str:
    """What is said where more is missing than this side knew; empty: just what it knew."""
    if logs == loss.known and loss.beyond_dial:
        return ""
    known = "nothing could be counted" if loss.known is None else f"{loss.known} were known to be missing"
    if logs is None or logs == loss.known:
        return "" if loss.known is None else f"{loss.database} did not mount on {loss.target}, and {known}"
    return f"{loss.database} would lose {logs} logs: {known} before there was quorum"


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


@step(
    check=placement,
    apply="copy/remove.ps1.j2",
    risk=Risk.DATA,
    settle=Settle(every=10, limit=300),
)
def lost_copy_removed(now: Placement, /, *, identity: CopyId, database: DbName) -> Change | Blocked | None:
    """A copy on a lost server is no copy any more; its files stay there (S-COPY-REMOVE).

    What it was (preference, lags) is what the first reading found: failback recalls it. Exchange itself refuses to
    remove the active copy.
    """
    del database
    if not now.has(identity.server):
        return None
    left = len(now.order) - 1
    if not left:
        return Blocked(f"{identity} is the only copy", guard="G-COPIES", certain=("nothing was changed",))
    note = f"its files stay on {identity.server}; {left} {'copy is' if left == 1 else 'copies are'} left"
    return Change(identity, "a copy", "none", note=note, action="remove")


def dropped(asked: Server, dag: DagName, lost: Sequence[str], databases: Sequence[DatabaseOrder]) -> Steps[bool]:
    """Lost servers leave the DAG's object, their copies first; what they were stands in the run's journal.

    True: this is a plan, and some are still to leave.
    """
    coming = False
    for server in lost:
        for database in databases:
            if any(same_host(one, server) for one in database.servers):
                outcome = yield lost_copy_removed.on(
                    asked, identity=CopyId(database.name, server), database=database.name
                )
                coming = coming or planned(outcome)
        outcome = yield member_dropped.on(asked, dag=dag, server=server)
        coming = coming or planned(outcome)
    return coming


def mail_flows(
    asked: Server, survivors: Sequence[Server], connectors: SendConnectors | None, lost: Sequence[str]
) -> Steps[bool]:
    """S-MAILFLOW: connectors whose every source is lost send from the survivors.

    True: this is a plan, and some do not yet.
    """
    coming = False
    for one in orphaned(connectors.connectors if connectors is not None else (), lost):
        outcome = yield sent_from.on(
            asked, connector=one.name, sources=tuple(server.name for server in survivors), lost=tuple(lost)
        )
        coming = coming or planned(outcome)
    return coming


def planned(answer: object) -> bool:
    """Whether this is a plan, and the step would change something."""
    return isinstance(answer, Outcome) and answer.state == "planned"

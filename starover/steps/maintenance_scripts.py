"""Microsoft's DAG maintenance scripts as steps, for those whose rules ask for them; knows no runbook.

They stand for policy, evacuation, role and node in one (catalogue, maintenance-start, with scripts). Stop wipes every
activation block; what was barred on purpose is barred again in the same step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starover.errors import NotSafe
from starover.estate import Dag, Server
from starover.names import CopyId, DbName, same_host
from starover.runbook import Steps
from starover.step import Blocked, Change, Query, Report, Risk, Settle, Step, step, wait
from starover.steps.copies import CopyStatus
from starover.steps.dag import Node, short
from starover.steps.moves import active_on

__all__ = [
    "SNAPIN",
    "Scripts",
    "barred_before",
    "calls_ended",
    "emptied_by_script",
    "enough_members",
    "refilled_by_script",
]

FOLDER = "C:\\Program Files\\Microsoft\\Exchange Server\\V15\\"
"""Where Exchange is installed unless somebody chose otherwise; the scripts are called by their whole name."""
SNAPIN = "Microsoft's script loads the snap-in itself: the admin audit names the computer account"


class Scripted(Report):
    """What the scripts change (`maintenance/scripted.ps1.j2`)."""

    folder: str
    """Of Exchange."""
    policy: str
    copies: tuple[CopyStatus, ...]
    nodes: tuple[Node, ...]
    active_manager: str

    def node(self, server: str) -> str:
        """The state of a server's node; empty: it has none."""
        return next((one.state for one in self.nodes if same_host(one.name, server)), "")


scripted = Query("maintenance/scripted.ps1.j2", Scripted)
"""Arguments: `server`, which is the host that is asked too, and `dag`."""


@dataclass(frozen=True)
class Scripts:
    """How Microsoft's scripts are called."""

    override: bool = False
    """-OverrideMinimumTwoCopies, for a DAG of two."""


class Calls(Report):
    """Calls that Unified Messaging carries (`maintenance/calls.ps1.j2`)."""

    calls: int


calls_of = Query("maintenance/calls.ps1.j2", Calls)
"""Argument: `server`. Until Exchange 2016 only."""


def calls_ended(server: Server) -> Steps:
    """Give calls that are under way five minutes to end; they never hold up anything (S-UM-DRAIN)."""
    yield from wait(
        calls_of,
        server,
        until=lambda now: not now.calls,
        settle=Settle(every=15, limit=300),
        what=f"calls on {server.name} to end",
        progress=lambda now: now.calls,
        lenient=True,
        server=server.name,
    )


def barred_before(copies: Sequence[CopyStatus]) -> tuple[CopyStatus, ...]:
    """Copies that are barred from activation on purpose, though they replicate."""
    return tuple(one for one in copies if one.activation_suspended and not one.active and not one.replication_suspended)


def enough_members(dag: Dag, server: Server, *, override: bool) -> None:
    """Microsoft's script refuses in a DAG of two unless told. Raises `NotSafe`."""
    if len(dag.members) <= 2 and not override:
        raise NotSafe(
            f"{dag.name} has {len(dag.members)} members: Microsoft's script wants to be told that this is meant",
            certain=("nothing was changed",),
            next=("--override-minimum-copies   its switch for that", "without --use-exchange-scripts it is not needed"),
            host=server.name,
        )


def _elsewhere(now: Scripted, server: str) -> Blocked | None:
    if now.folder.rstrip("\\").casefold() == FOLDER.rstrip("\\").casefold():
        return None
    return Blocked(
        f"Exchange lies in {now.folder} on {server}, and its scripts are called by their usual place only",
        certain=("nothing was changed",),
        next=("leave --use-exchange-scripts out   the steps themselves do the same",),
    )


def _held(now: Scripted) -> Blocked | None:
    """Microsoft's script resumes every copy on the way back, also one that somebody holds still on purpose."""
    held = [str(CopyId.parse(one.identity)) for one in now.copies if one.replication_suspended]
    if not held:
        return None
    return Blocked(
        f"{', '.join(held)} is suspended on purpose, and Microsoft's script would resume it",
        guard="S-COPY-RESUME",
        certain=("nothing was changed",),
        next=("leave --use-exchange-scripts out   the steps themselves resume no copy",),
    )


def _start_back(
    prev: Scripted,
    at: Server,
    /,
    *,
    server: str,
    dag: str,
    databases: Sequence[DbName],
    blocks: Sequence[str],
    comment: str,
    override: bool,
) -> Step | None:
    del databases, blocks, comment, override
    if prev.policy == "Blocked" or not prev.policy:
        return None
    barred = barred_before(prev.copies)
    return refilled_by_script.on(
        at,
        server=server,
        dag=dag,
        policy=prev.policy,
        blocks=tuple(one.identity for one in barred),
        comments=tuple(one.suspend_comment or "as before maintenance" for one in barred),
    )


@step(
    check=scripted,
    apply="maintenance/script_start.ps1.j2",
    risk=Risk.SERVICE,
    settle=Settle(every=15, limit=600),
    undo=_start_back,
    deadline=1800,
)
def emptied_by_script(
    now: Scripted,
    /,
    *,
    server: str,
    dag: str,
    databases: Sequence[DbName],
    blocks: Sequence[str],
    comment: str,
    override: bool,
) -> Change | Blocked | None:
    """StartDagServerMaintenance.ps1: no activation, no active database, no role, the node paused.

    `databases`: those that must leave. `blocks`: copies that are barred from activation on purpose.
    """
    del comment, override
    extra = [one for one in barred_before(now.copies) if one.identity not in blocks]
    left = active_on(now.copies, databases)
    role = same_host(short(now.active_manager), server)
    if now.policy == "Blocked" and now.node(server) == "Paused" and not left and not role and not extra:
        return None
    moves = f"; active elsewhere: {', '.join(left)}" if left else ""
    return (
        _elsewhere(now, server)
        or _held(now)
        or Change(
            f"{server} in {dag}", f"{now.policy}, node {now.node(server)}", f"Blocked, node Paused{moves}", note=SNAPIN
        )
    )


@step(
    check=scripted,
    apply="maintenance/script_stop.ps1.j2",
    risk=Risk.SERVICE,
    settle=Settle(every=10, limit=300),
    deadline=900,
)
def refilled_by_script(
    now: Scripted, /, *, server: str, dag: str, policy: str, blocks: Sequence[str], comments: Sequence[str]
) -> Change | Blocked | None:
    """StopDagServerMaintenance.ps1: the node takes part, the policy and the activation blocks are as they were before.

    `comments` belong to `blocks`, one each.
    """
    del comments
    known = {one.identity: one for one in now.copies}
    lost = [name for name in blocks if (one := known.get(name)) is not None and not one.active]
    lost = [name for name in lost if not known[name].activation_suspended]
    if now.node(server) == "Up" and now.policy == policy and not lost:
        return None
    barred = f"; barred as before: {', '.join(str(CopyId.parse(one)) for one in blocks)}" if blocks else ""
    return (
        _elsewhere(now, server)
        or _held(now)
        or Change(
            f"{server} in {dag}", f"{now.policy}, node {now.node(server)}", f"{policy}, node Up{barred}", note=SNAPIN
        )
    )

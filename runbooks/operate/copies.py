"""Suspend and resume database copies."""

from collections.abc import Sequence
from typing import Literal

from starover import (
    BadParameter,
    Comment,
    CopyId,
    Dag,
    DbSelector,
    Estate,
    Server,
    Steps,
    recall,
    runbook,
    together,
)
from starover.steps.copies import (
    CopyStatus,
    DatabaseCopies,
    Tag,
    caught_up,
    copies_on,
    named_on,
    resumed,
    suspended,
)
from starover.steps.out_on_purpose import unless_out


@runbook
def copies_suspend(
    dag: Dag,
    estate: Estate,
    server: Server,
    mode: Literal["full", "activation-only"],
    db: Sequence[DbSelector] = (),
    comment: Comment = "maintenance",
    all_on_server: bool = False,
) -> Steps:
    """Suspend database copies on a server, so that it, or they, can be worked on.

    A copy that is barred from activation stays barred when it is resumed. Logs pile up on the active copy's volume for
    as long as one copy is suspended.

    dag: the DAG; need not be named where the inventory has one
    server: whose copies
    mode: full stops replication and activation; activation-only leaves replication running
    db: databases; repeat it for several, * for every one
    comment: kept with the copy, behind starover's mark
    all_on_server: every passive copy on the server
    """
    everything = _every(dag, server, db, all_on_server)
    here = yield from unless_out(dag, estate, server, copies_on.read(server, name=server.name))

    def part(copy: CopyId) -> Steps:
        yield suspended.on(
            server,
            identity=copy,
            database=copy.database,
            activation_only=mode == "activation-only",
            comment=Tag.write(comment, everything=everything, blocked=mode == "full" and _barred(here, copy)),
        )

    chosen = [one.id for one in here.copies if not one.active] if everything else named_on(here, server, db)
    yield from together(part(copy) for copy in chosen)


@runbook
def copies_resume(
    dag: Dag,
    estate: Estate,
    server: Server,
    db: Sequence[DbSelector] = (),
    all_on_server: bool = False,
    replication_only: bool = False,
    force_foreign: bool = False,
) -> Steps:
    """Resume suspended database copies on a server, and wait until they are Healthy.

    Lagged copies, and copies that were barred from activation before they were suspended, stay barred.

    dag: the DAG; need not be named where the inventory has one
    server: whose copies
    db: databases; repeat it for several, * for every one
    all_on_server: after a suspend of the whole server the copies that it changed, else all that starover suspended
    replication_only: activation stays suspended
    force_foreign: also copies that somebody else suspended
    """
    everything = _every(dag, server, db, all_on_server)
    here = yield from unless_out(dag, estate, server, copies_on.read(server, name=server.name))
    chosen = [one.id for one in _ours(here, force_foreign)] if everything else named_on(here, server, db)

    def part(copy: CopyId) -> Steps:
        one = here.find(copy)
        blocked = one is not None and Tag(one.suspend_comment).blocked
        before = (yield from recall(server, suspended, identity=copy)) if blocked else None
        was = before.find(copy) if before is not None else None
        yield resumed.on(
            server,
            identity=copy,
            database=copy.database,
            keep_block=replication_only or blocked or (one is not None and bool(one.lag)),
            block_comment=was.suspend_comment if was is not None and was.activation_suspended else None,
            force_foreign=force_foreign,
        )

    yield from together(part(copy) for copy in chosen)
    yield from together(caught_up(server, copy) for copy in chosen)


def _every(dag: Dag, server: Server, db: Sequence[str], all_on_server: bool) -> bool:
    """Whether the whole server is meant; raises `BadParameter` where the parameters do not fit together."""
    if all_on_server and any(name != "*" for name in db):
        raise BadParameter("--db and --all-on-server exclude each other", next=("give one of them",))
    if not db and not all_on_server:
        raise BadParameter(
            "neither a database nor the whole server was named",
            next=("--db DB   repeat it for several", "--all-on-server"),
        )
    if server.name.casefold() not in {member.casefold() for member in dag.members}:
        raise BadParameter(
            f"{server.name} is no member of {dag.name}", next=(f"its members: {', '.join(dag.members) or 'none'}",)
        )
    return all_on_server or "*" in db


def _barred(here: DatabaseCopies, copy: CopyId) -> bool:
    """Whether a copy was barred from activation before anything suspended it; suspending it bars it too."""
    one = here.find(copy)
    if one is None or not one.activation_suspended:
        return False
    return Tag(one.suspend_comment).blocked if one.replication_suspended else True


def _ours(here: DatabaseCopies, force_foreign: bool) -> list[CopyStatus]:
    """The copies that resuming a whole server means."""
    out = [one for one in here.copies if one.replication_suspended or one.activation_suspended]
    together_suspended = [one for one in out if Tag(one.suspend_comment).all]
    return together_suspended or [one for one in out if Tag(one.suspend_comment).ours or force_foreign]

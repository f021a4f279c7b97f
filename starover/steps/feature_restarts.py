"""The restart that a feature waits for, on servers that are about to join a DAG (S-FEATURE); knows no runbook.

The server is in no DAG yet, so its databases have no other copy. That is looked at before anything is changed.
"""

from __future__ import annotations

from collections.abc import Sequence

from starover.errors import NotSafe
from starover.estate import Server
from starover.names import same_host
from starover.runbook import Steps, together
from starover.step import Settle, wait
from starover.steps.dag import databases, short
from starover.steps.features import FAILOVER_CLUSTERING, feature_complete, feature_state
from starover.steps.services import NEEDED, service_states

__all__ = ["clustering_waits", "completed"]

_SERVICES = tuple(name for name in NEEDED if name != "ClusSvc")
"""What a server without a cluster needs."""
_BACK = Settle(every=15, limit=900)


def clustering_waits(asked: Server, servers: Sequence[Server], present: Sequence[str]) -> Steps[tuple[Server, ...]]:
    """Those of the servers that must restart before they can join, `present` members aside.

    Raises `NotSafe` while a database is mounted on one of them: S-REBOOT wants the server evacuated. `asked` is the
    host whose Exchange session is used.
    """
    coming = [one for one in servers if not any(same_host(one.name, short(name)) for name in present)]
    states = yield from together(feature_state.read(one, feature=FAILOVER_CLUSTERING) for one in coming)
    pending = [one for one, now in zip(coming, states, strict=True) if now.state == "InstallPending"]
    if not pending:
        return ()
    every = yield from databases.read(asked)
    for server in pending:
        mounted = [one.name for one in every.databases if one.mounted and same_host(short(one.server), server.name)]
        if mounted:
            raise NotSafe(
                f"G-COPIES: {server.name} must restart before it can join, and {', '.join(mounted)} is mounted on it",
                certain=(
                    f"{FAILOVER_CLUSTERING} is InstallPending there: a member cannot be added before the restart",
                    "no other server has a copy of what is mounted there",
                    "nothing was changed",
                ),
                next=(
                    f"Dismount-Database   by hand, when the mailboxes of {', '.join(mounted)} may be offline",
                    "then plan this again: the plan holds the restart",
                ),
                host=server.name,
            )
    return tuple(pending)


def completed(server: Server, *, comment: str) -> Steps:
    """Restart a server for its feature, and wait until it serves again."""
    yield feature_complete.on(server, feature=FAILOVER_CLUSTERING, server=server.name, comment=comment)
    yield from wait(
        service_states,
        server,
        until=lambda found: all(each.status == "Running" or each.start == "Disabled" for each in found.services),
        settle=_BACK,
        what=f"services of {server.name} running",
        expected=True,
        names=_SERVICES,
    )

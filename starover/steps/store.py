"""The store of a server restarted after it got copies, so that it counts its memory anew (S-STORE-RESTART)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starover.errors import BadParameter
from starover.estate import Estate, Server
from starover.names import same_host
from starover.runbook import Steps, together
from starover.step import Blocked, Change, Risk, Settle, step, wait
from starover.steps import guards
from starover.steps.copies import DatabaseCopies, copies_on
from starover.steps.gate import admit
from starover.steps.moves import USABLE, moment_of
from starover.steps.services import ServiceStates, service_states

__all__ = ["STORE", "Store", "restart_stores", "store_restarted", "stores"]

STORE = "MSExchangeIS"


@dataclass(frozen=True)
class Store:
    """A store that is to be restarted."""

    server: Server
    since: str
    """Since when it runs."""


def stores(servers: Sequence[Server], estate: Estate, *, now: bool) -> Steps[list[Store]]:
    """What is known of them before anything is changed. Raises `OutsideWindow` outside the windows of their DAG."""
    dag = next(
        (one for one in estate.dags if any(same_host(name, server.name) for name in one.members for server in servers)),
        None,
    )
    if dag is None:
        raise BadParameter(
            "--restart-store window needs the DAG in the inventory, whose windows tell when",
            certain=("nothing was changed",),
            next=("dags: in the inventory, with windows: where there are some",),
        )
    found = yield from together(service_states.read(server, names=(STORE,)) for server in servers)
    moments = yield from together(moment_of.read(server) for server in servers)
    for server, moment in zip(servers, moments, strict=True):
        admit(
            f"restarting {STORE} on {server.name}",
            [
                guards.no_setup({server.name: moment.installing}),
                guards.window_open(dag, moment.utc, override=now),
            ],
            host=server.name,
        )
    states = [states.find(STORE) for states in found]
    return [Store(server, one.since if one is not None else "") for server, one in zip(servers, states, strict=True)]


@step(
    check=service_states,
    apply="restart/store.ps1.j2",
    risk=Risk.SERVICE,
    settle=Settle(every=10, limit=600),
    deadline=1200,
)
def store_restarted(now: ServiceStates, /, *, server: str, names: Sequence[str], after: str) -> Change | Blocked | None:
    """The store of a server runs in a new process; what was active there has moved away before (S-STORE-RESTART)."""
    del names
    one = now.find(STORE)
    if one is None:
        return Blocked(f"{server} has no service {STORE}", certain=("nothing was changed",))
    if one.status == "Running" and one.since > after:
        return None
    return Change(f"{STORE} on {server}", f"since {after}", "started anew", note="its databases move away first")


def restart_stores(every: Sequence[Store]) -> Steps:
    """One store after the other, each only when the copies of the one before are well again."""
    for one in every:
        server = one.server
        yield store_restarted.on(server, server=server.name, names=(STORE,), after=one.since)
        yield from wait(
            copies_on,
            server,
            until=_well,
            settle=Settle(every=15, limit=1800),
            what=f"the copies on {server.name} back after the restart",
            expected=True,
            name=server.name,
        )


def _well(now: DatabaseCopies) -> bool:
    return all(one.mounted or one.status in USABLE or one.replication_suspended for one in now.copies)

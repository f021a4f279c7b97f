"""Back to the replication network after it had failed."""

from collections.abc import Sequence

from starover import DagName, DbSelector, Estate, Finding, Findings, NotSafe, Server, Steps, runbook, together
from starover.steps.copies import CopyStatus, Tag
from starover.steps.dag_object import dag_named, existing
from starover.steps.networks import dag_networks_of
from starover.steps.replication_network import (
    DagNetworkName,
    FewParallel,
    copy_networks_on,
    network_blocked,
    on_network,
    replication_network,
    replication_restarted,
)


@runbook
def replication_network_return(
    estate: Estate,
    network: DagNetworkName | None = None,
    db: Sequence[DbSelector] = ("*",),
    max_parallel: FewParallel = 1,
    restart_repl: bool = False,
    dag: DagName | None = None,
) -> Steps[Findings | None]:
    """Bring copies back to the replication network: after a failure they stay on the clients' network until told.

    Each copy is suspended and resumed, one after the other; one that was barred from activation stays barred.

    network: the DAG network for replication; need not be named where there is one
    db: databases; repeat it for several, * for every one
    max_parallel: copies at the same time, never two of one database
    restart_repl: restart the replication service of each server instead
    dag: the DAG; need not be named where the inventory has one
    """
    name = dag_named(dag, estate)
    found = yield from existing(name, estate)
    now = yield from dag_networks_of.read(found.server, dag=name)
    wanted = replication_network(now, network or "")
    if wanted is None:
        names = ", ".join(one.name for one in now.networks) or "none"
        if network is None and len(now.networks) == 1:
            says = f"{names} is the only network: it carries clients and replication, and nothing is to return"
            return Findings(findings=(Finding(check="networks", on=name, level="info", says=says),))
        raise NotSafe(
            f"{name} has no network `{network}`" if network else f"which network of {name} is for replication?",
            certain=("nothing was changed",),
            next=(f"--network NAME   one of: {names}",),
        )
    blocked = network_blocked(wanted)
    if blocked is not None:
        raise NotSafe(blocked.why, certain=blocked.certain, next=blocked.next)
    members = [server for server in estate.servers if found.dag.has(server.name)]
    seen = yield from together(copy_networks_on.read(server, name=server.name) for server in members)
    astray = [
        (server, one)
        for server, copies in zip(members, seen, strict=True)
        for one in copies.astray(wanted.name)
        if "*" in db or any(one.database.casefold() == selected.casefold() for selected in db)
    ]
    if restart_repl:
        for server in dict.fromkeys(server.name for server, _ in astray):
            yield replication_restarted.on(estate.server(server), name=server, network=wanted.name)
        return None
    databases = list(dict.fromkeys(one.database for _, one in astray))
    yield from together(
        _lane([pair for pair in astray if pair[1].database in databases[at::max_parallel]], wanted.name)
        for at in range(min(max_parallel, len(databases)))
    )
    return None


def _lane(copies: Sequence[tuple[Server, CopyStatus]], network: str) -> Steps:
    """One copy after the other."""
    for server, one in copies:
        barred = one.activation_suspended
        yield on_network.on(
            server,
            identity=one.id,
            database=one.database,
            network=network,
            comment=Tag.write("back to the replication network", blocked=barred),
            keep_block=barred,
            block_comment=one.suspend_comment if barred else "",
        )

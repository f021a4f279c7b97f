"""From what the hosts answered to what the map draws: facts in, `DagMap` out; asks nobody itself."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from starover.names import same_host
from starover_cli.views.dag_map import CopyCell, DagMap, DatabaseRow, HostCell, MailName, Silent
from starover_cli.views.head import Where

if TYPE_CHECKING:
    from starover.estate import Dag, Estate
    from starover.steps.copies import CopyStatus
    from starover.steps.dag import ClusterState, DagFacts, DagState, DatabaseInfo, Node

__all__ = ["dag_map", "plain_where", "where"]


def plain_where(estate: Estate, dag: Dag | None, at: datetime | None) -> Where:
    """The first line without asking anybody: what only the hosts know is `?`."""
    return Where(
        lab=estate.lab,
        estate=estate.name,
        dag=dag.name if dag else "",
        members=len(dag.members) if dag else None,
        at=at,
    )


def where(
    estate: Estate, dag: Dag, at: datetime, cluster: ClusterState | None, state: DagState | None, *, heard: int
) -> Where:
    """The first line, with the votes of `cluster` and the DAC mode of `state`.

    `heard`: how many voters answered, members and witness. When some did and no cluster service did, quorum is lost:
    nobody counts votes then, so the line counts those who answered of the voters that there are by design.
    """
    line = plain_where(estate, dag, at)
    dac = state.activation_mode if state is not None and state.activation_mode else None
    members = len(state.members) if state is not None else line.members
    if cluster is None:
        total = len(dag.members) + (len(dag.members) + 1) % 2
        needed = total // 2 + 1
        votes = (min(heard, needed - 1), total, needed) if heard else (None, None, None)
        return Where(
            lab=line.lab,
            estate=line.estate,
            dag=line.dag,
            members=members,
            votes=votes[0],
            votes_total=votes[1],
            votes_needed=votes[2],
            dac=dac,
            at=at,
        )
    return Where(
        lab=line.lab,
        estate=line.estate,
        dag=line.dag,
        members=members,
        votes=cluster.votes,
        votes_total=cluster.total,
        votes_needed=cluster.needed,
        dac=dac,
        witness_lost=bool(cluster.witness_state) and cluster.witness_weight == 0 and len(cluster.nodes) % 2 == 0,
        at=at,
    )


def dag_map(facts: DagFacts, estate: Estate, dag: Dag, at: datetime) -> DagMap:
    """What the hosts answered, as the map has it; what nobody answered is None there, never green."""
    cluster, state = facts.cluster, facts.dag
    voters = [*dag.members, *([dag.witness] if dag.witness and len(dag.members) % 2 == 0 else [])]
    heard = sum(_answers(facts, name) for name in voters) if any(host.answers for host in facts.members) else 0
    silent = [host for host in (*facts.members, *facts.others) if not host.answers and not host.out]
    return DagMap(
        where=where(estate, dag, at, cluster, state, heard=heard),
        members=tuple(_member(name, facts, estate) for name in dag.members),
        witnesses=_witnesses(facts, estate, dag),
        controllers=tuple(
            HostCell(name=server.name, az=server.az, state="ok" if _answers(facts, server.name) else None)
            for server in estate.having("dc")
        ),
        databases=_databases(facts, estate),
        names=tuple(
            MailName(name=one.name, target=_target(estate, one.balancer))
            for one in estate.client_names
            if one.dag in ("", dag.name) and one.balancer
        ),
        several=len(estate.dags) != 1,
        out=tuple(Silent(server=host.server, why=host.out) for host in facts.members if host.out),
        silent=tuple(Silent(server=host.server, why=_why(host.server, host.errors)) for host in silent),
        unlisted=_unlisted(facts),
    )


def _unlisted(facts: DagFacts) -> str:
    """What a member that answers said instead of listing the databases; empty: one did, or none answers at all."""
    if facts.databases is not None:
        return ""
    return next((error for host in facts.members if host.answers for error in host.errors), "")


def _why(server: str, errors: tuple[str, ...]) -> str:
    """What went wrong, without the name that stands before it anyway."""
    return (
        "; ".join(error.removeprefix(f"{server} ").removeprefix(f"{server}: ") for error in errors[:2]) or "no answer"
    )


def _az(estate: Estate, name: str) -> str:
    found = next((server for server in estate.servers if same_host(server.name, name)), None)
    return "" if found is None else found.az or found.site


def _answers(facts: DagFacts, name: str) -> bool:
    return any(host.answers for host in (*facts.members, *facts.others) if same_host(host.server, name))


def _member(name: str, facts: DagFacts, estate: Estate) -> HostCell:
    nodes = facts.cluster.nodes if facts.cluster else ()
    node = next((node for node in nodes if same_host(node.name, name)), None)
    manager = facts.dag.active_manager if facts.dag else ""
    silent = "" if _answers(facts, name) else "silent"  # what the others say of it may be minutes old
    note = "  ".join(word for word in ("PAM" if manager and same_host(manager, name) else "", silent) if word)
    az = _az(estate, name)
    if node is not None:
        return HostCell(name=name, az=az, state=_state(node), votes=node.dynamic, note=note)
    if _answers(facts, name):
        return HostCell(name=name, az=az, state="no cluster" if facts.cluster is None else "not in the cluster")
    out = any(host.out for host in facts.members if same_host(host.server, name))
    return HostCell(name=name, az=az, state="out" if out else None)


def _state(node: Node) -> str:
    return node.state if node.information in ("", "Normal") else node.information


def _witnesses(facts: DagFacts, estate: Estate, dag: Dag) -> tuple[HostCell, ...]:
    state, cluster = facts.dag, facts.cluster
    used = (state.witness_server if state else "") or dag.witness
    alternate = (state.alternate_server if state else "") or dag.alternate_witness
    if state is not None and state.witness_share == "Alternate" and alternate:
        used = alternate
    cells: list[HostCell] = []
    names = [server.name for server in estate.having("witness")]
    names += [name for name in (dag.witness, alternate) if name and not _listed(name, names)]
    for name in names:
        az = _az(estate, name)
        if used and same_host(name, used):
            word = None
            if cluster is not None:
                word = {"Online": "ok", "": "not in use"}.get(cluster.witness_state, cluster.witness_state)
            votes = cluster.witness_weight if cluster is not None and cluster.witness_state else None
            cells.append(HostCell(name=name, az=az, state=word, votes=votes))
        else:
            note = "alternate" if alternate and same_host(name, alternate) else "spare"
            cells.append(HostCell(name=name, az=az, state=note if _answers(facts, name) else None))
    return tuple(cells)


def _listed(name: str, names: list[str]) -> bool:
    return any(same_host(name, one) for one in names)


def _databases(facts: DagFacts, estate: Estate) -> tuple[DatabaseRow, ...]:
    copies = [copy for host in facts.members for copy in host.copies or ()]
    if facts.databases is not None:
        return tuple(_row(database, copies, estate) for database in facts.databases)
    names = dict.fromkeys(copy.database for copy in copies)
    return tuple(
        DatabaseRow(name=name, copies=tuple(_cell(copy, estate) for copy in copies if copy.database == name))
        for name in sorted(names)
    )


def _row(database: DatabaseInfo, copies: list[CopyStatus], estate: Estate) -> DatabaseRow:
    mine = [copy for copy in copies if copy.database.casefold() == database.name.casefold()]
    cells = [_cell(copy, estate) for copy in mine]
    for position, pair in enumerate(database.preferences, 1):
        if any(same_host(pair.server, copy.server) for copy in mine):
            continue
        cells.append(
            CopyCell(
                server=pair.server,
                az=_az(estate, pair.server),
                preference=int(pair.value) if pair.value.isdigit() else position,
                # AD says where it was mounted last; the host itself said nothing.
                active=not any(cell.active for cell in cells) and same_host(pair.server, database.server or "-"),
            )
        )
    return DatabaseRow(name=database.name, copies=tuple(sorted(cells, key=lambda cell: cell.preference or 99)))


def _cell(copy: CopyStatus, estate: Estate) -> CopyCell:
    return CopyCell(
        server=copy.server,
        az=_az(estate, copy.server),
        preference=copy.preference,
        status=copy.status or None,
        active=copy.active,
        copy_queue=copy.queue,
        replay_queue=copy.replay_queue,
        lag=copy.lag,
        activation_suspended=copy.activation_suspended,
        comment=copy.suspend_comment,
    )


def _target(estate: Estate, balancer: str) -> str:
    found = next((one for one in estate.balancers if one.name == balancer), None)
    return (found.fqdn or found.name) if found else balancer

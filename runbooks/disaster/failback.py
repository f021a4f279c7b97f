"""Bring back a side of a DAG that was fenced."""

from collections.abc import Sequence
from typing import Literal

from starover import Dag, DbName, Estate, Finding, Findings, SiteName, Steps, runbook
from starover.steps import failback_home, failback_hosts, rejoin, resync
from starover.steps.client_check import finding_of, look_at_all, targets
from starover.steps.dag import databases, look_at, members_of
from starover.steps.dag_object import existing
from starover.steps.failback_dag import recovery_held, side_started, witness_home
from starover.steps.failback_home import Batch
from starover.steps.failback_side import NAMES, Mode, ReturningSide, returning_side
from starover.steps.failback_witness import PREPARING, Voters, voters
from starover.steps.health import findings as graded
from starover.steps.names_after_loss import NAMES_BACK, names_home
from starover.steps.placement import places_of
from starover.steps.quorum import votes_of
from starover.steps.recovery_cluster import cluster_joined
from starover.steps.rejoin import copies_returned, laid_down, rejoined
from starover.steps.witness import prepared
from starover.steps.witness_choice import WitnessPlace

BEYOND = (
    *failback_hosts.BEYOND,
    *resync.BEYOND,
    *rejoin.BEYOND,
    *failback_home.BEYOND,
    *PREPARING,
    *NAMES_BACK,
    recovery_held,
    cluster_joined,
    side_started,
    witness_home,
)


class FailbackReport(Findings, frozen=True, kw_only=True):
    """What came back, and how the DAG is now."""

    dag: str
    site: str
    mode: str
    returned: tuple[str, ...]
    """Members whose fence this run has lifted."""
    votes: int
    total: int
    margin: int
    """Votes that may go and quorum is kept."""


@runbook(beyond=BEYOND, reaches=["dc"])
def failback(
    dag: Dag,
    estate: Estate,
    site: SiteName,
    mode: Mode = "auto",
    witness: WitnessPlace | None = None,
    strict_dismount: bool = False,
    batch: Batch = 10,
    when: Literal["window", "now"] = "window",
    discard_diverged: Sequence[DbName] = (),
) -> Steps[FailbackReport]:
    """Bring a fenced side back: fences lifted, members joined, copies caught up, databases and witness home.

    Its domain controller comes first and alone. Members start one at a time behind a quarantine, their cluster service
    off, so that none can vote; they join when all are there. Nothing is seeded over a diverged copy before its volumes
    are kept as snapshots. Databases move without losing a log, in batches, in the window. The witness is last. A run
    that was cut off is made again: what is done is done.

    dag: the DAG; need not be named where the inventory has one
    site: AD site that comes back
    mode: auto follows DAC; nodac: evicted members join anew, with the copies they had
    witness: SERVER:DIRECTORY that votes at the end; default: one in a zone without members, else as before
    strict_dismount: dismount each database before its move, as the documented order has it
    batch: databases moved in one window
    when: window: databases move in the maintenance windows of the DAG only; now: at once
    discard_diverged: databases whose diverged copies may go without a snapshot (risk D)
    """
    side = yield from returning_side(dag, estate, site, mode)
    findings: list[Finding] = []
    if side.open:
        laid = (yield from laid_down(side)) if side.mode == "nodac" else []
        witnesses = yield from voters(side, dag, estate, witness)
        yield from failback_hosts.stopped_again(side, dag.name)
        yield from failback_hosts.controllers_started(side)
        for host in witnesses.living(estate, side.site):
            yield from prepared(host, estate, seen_from=side.asked)
        if side.away:
            yield from failback_hosts.quarantined(side, estate)
            yield from failback_hosts.controllers_back(side, estate, dag.name)
            findings += yield from failback_hosts.members_awake(side)
            yield from failback_hosts.network_opened(side)
        yield from failback_home.controllers_asked_again(side)
        if side.away:
            yield from _joined(side, dag, laid, witnesses)
        if laid:
            findings += yield from copies_returned(side, laid, discard_diverged)
        yield from failback_hosts.fences_gone(side.coming, dag.name)
        findings += yield from _copies(side, estate, dag, discard_diverged)
        findings += yield from failback_home.brought_home(
            side, dag, batch=batch, now=when == "now", strict=strict_dismount
        )
        findings += yield from names_home(dag, estate)
        yield from _witness(side, dag, estate, witnesses)
        yield from failback_home.frequency_back(side, dag.name)
        yield from failback_home.others_back(side)
        yield from failback_hosts.fences_gone(side.fenced_witnesses, dag.name)
    return (yield from _report(side, dag, estate, findings))


def _joined(side: ReturningSide, dag: Dag, laid: Sequence[rejoin.Laid], witnesses: Voters) -> Steps:
    """The witness in use is named, and then they join (steps 3 and 4)."""
    server, directory = witnesses.held
    yield recovery_held.on(side.asked, dag=dag.name, server=server, directory=directory, hold=bool(side.now.frequency))
    away = [one.server for one in side.away if not side.kept(one)]
    for one in side.away:
        if side.kept(one):
            yield cluster_joined.on(one.server, names=NAMES, server=one.server.name)
    if side.mode == "nodac":
        yield from rejoined(side, away, dag.name, laid, witnesses.held)
    elif away:
        yield side_started.on(
            side.asked,
            dag=dag.name,
            site=side.site if len(away) == len(side.members) else "",
            servers=tuple(one.name for one in away),
            server=server,
            directory=directory,
        )


def _copies(side: ReturningSide, estate: Estate, dag: Dag, discard: Sequence[str]) -> Steps[tuple[Finding, ...]]:
    """Every copy on the members that came back follows the active one again (steps 5 and 6)."""
    known = (yield from databases.read(side.asked)).databases
    servers = [one.server for one in side.members]
    return (
        yield from resync.resynced(
            servers,
            {
                server.name: [
                    one.name
                    for one in known
                    if server.name.casefold() in {name.casefold() for name in places_of(one.preferences)}
                ]
                for server in servers
            },
            discard,
            {one.name: one.site for one in estate.members(dag)},
        )
    )


def _witness(side: ReturningSide, dag: Dag, estate: Estate, witnesses: Voters) -> Steps:
    """When most databases are at home: the old witness host runs again, the witness is what it shall be (step 9)."""
    yield from failback_home.majority_home(side)
    yield from failback_hosts.witnesses_back(side)
    for host in witnesses.returning(estate, side.site):
        yield from prepared(host, estate, seen_from=side.asked)
    server, directory = witnesses.last
    yield witness_home.on(side.asked, dag=dag.name, server=server, directory=directory, hold=bool(side.now.frequency))
    yield from failback_hosts.everywhere(side, estate, dag.name, server)


def _report(side: ReturningSide, dag: Dag, estate: Estate, said: Sequence[Finding]) -> Steps[FailbackReport]:
    """Quorum, health and what clients meet (step 10)."""
    found = yield from existing(dag.name, estate)
    votes = votes_of(found.dag.cluster) if found.dag.cluster is not None else None
    facts = yield from look_at(dag, estate, members_of(dag, estate), health=True)
    seen = yield from look_at_all(targets(dag, estate, (), {}), ("https",))
    present, total, needed = (votes.present, votes.total, votes.needed) if votes is not None else (0, 0, 0)
    margin = present - needed
    return FailbackReport(
        dag=dag.name,
        site=side.site,
        mode=side.mode,
        returned=tuple(one.server.name for one in side.coming),
        votes=present,
        total=total,
        margin=margin,
        findings=(
            *said,
            Finding(check="quorum", on=dag.name, level="ok", says=f"{present} of {total} votes, {margin} may go"),
            *(one for one in (*graded(facts), *map(finding_of, seen)) if one.level not in ("ok", "info")),
        ),
    )

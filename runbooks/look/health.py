"""Look at a DAG: the facts of its map, and everything graded."""

from collections.abc import Sequence

from starover import BadParameter, Dag, Estate, Findings, Server, Steps, runbook
from starover.steps.dag import DagFacts, members_of
from starover.steps.health import findings, verdict
from starover.steps.out_on_purpose import look_whole


class HealthReport(Findings, frozen=True, kw_only=True):
    """The page for on-call."""

    verdict: str
    facts: DagFacts


@runbook
def dag_status(dag: Dag, estate: Estate, skip: Sequence[Server] = ()) -> Steps[DagFacts]:
    """Read what `starover status` draws: members, votes, witness, databases and their copies.

    dag: the DAG; need not be named where the inventory has one
    skip: hosts that were silent a moment ago, and need not be waited for again
    """
    return (yield from look_whole(dag, estate, members_of(dag, estate), health=False, skip=skip))


@runbook
def health_report(dag: Dag, estate: Estate, servers: Sequence[Server] = ()) -> Steps[HealthReport]:
    """Grade a DAG on one page: quorum, witness, copies, replication, components, services, volumes.

    Red is what stops or threatens mail, amber what should be mended, unknown what could not be read; unknown is never
    green.

    dag: the DAG; need not be named where the inventory has one
    servers: only these members
    """
    members = members_of(dag, estate)
    foreign = [server.name for server in servers if server not in members]
    if foreign:
        raise BadParameter(
            f"{', '.join(foreign)}: no member of {dag.name}", next=(f"its members: {', '.join(dag.members) or 'none'}",)
        )
    facts = yield from look_whole(dag, estate, list(servers) or members, health=True)
    found = findings(facts)
    return HealthReport(findings=found, verdict=verdict(found, dag.name), facts=facts)

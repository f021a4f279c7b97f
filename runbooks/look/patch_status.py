"""Which updates the members of a DAG lack, and which restarts they wait for."""

from collections.abc import Sequence

from starover import Dag, Estate, Findings, Server, Steps, runbook
from starover.steps.patch_state import looked_at, of_members


@runbook
def patch_status(dag: Dag, estate: Estate, servers: Sequence[Server] = ()) -> Steps[Findings]:
    """Look for Windows updates on every member: what is offered, restarts that are due, the build of Exchange.

    Where a network logon may not search, a scheduled task does it as SYSTEM and is removed again.

    dag: the DAG; need not be named where the inventory has one
    servers: only these members; repeat it for several
    """
    found = yield from looked_at(of_members(dag, estate, servers))
    return Findings(findings=found)

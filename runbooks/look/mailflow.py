"""Why mail waits."""

from collections.abc import Sequence

from starover import Dag, Estate, Findings, Server, Steps, runbook
from starover.steps.maintenance_types import Threshold
from starover.steps.patch_state import of_members
from starover.steps.triage import triage


@runbook
def mailflow_triage(
    dag: Dag, estate: Estate, servers: Sequence[Server] = (), threshold: Threshold = 100
) -> Steps[Findings]:
    """Find out why queues grow: back pressure, disks, services, who holds transport, antimalware, poison, connectors.

    It names what queue-relief would do; it does nothing itself.

    dag: the DAG; need not be named where the inventory has one
    servers: only these members; repeat it for several
    threshold: messages in one queue from which on it is red
    """
    found = yield from triage(of_members(dag, estate, servers), threshold)
    return Findings(findings=found)

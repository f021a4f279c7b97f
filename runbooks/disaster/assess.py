"""Look at a DAG on a bad day."""

from collections.abc import Sequence

from starover import Dag, Estate, Server, SiteName, Steps, runbook
from starover.steps.assessing import assessed, named_lost
from starover.steps.assessment import Assessment


@runbook
def az_loss_assess(
    dag: Dag, estate: Estate, lost_site: Sequence[SiteName] = (), lost_server: Sequence[Server] = ()
) -> Steps[Assessment]:
    """Say what is wrong, what is safe, and which runbook mends it. The first command on a bad day; never writes.

    Asks every host at once, and those that answer twice: a silent one costs its own eight seconds. Quorum kept: nothing
    is done to the cluster. Quorum lost: force-quorum, whose mode follows DAC. A quorate majority elsewhere: stop.

    dag: the DAG; need not be named where the inventory has one
    lost_site: AD sites that are known to be lost
    lost_server: members that are known to be lost
    """
    lost = named_lost(dag, estate, lost_site, lost_server)
    found = yield from assessed(dag, estate, lost)
    return found.page

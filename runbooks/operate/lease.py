"""Take a DAG's lease from a run that will not come back."""

from starover import Dag, Estate, NotSafe, Steps, runbook
from starover.steps.lease import LeaseHost, holding, lease_released


@runbook
def lease_release(dag: Dag, estate: Estate, run: str) -> Steps:
    """Take the lease of a DAG from a run that will not come back, on every host that answers.

    Whatever that run still sends is refused by these hosts. A host that does not answer keeps it until it is over.

    run: whose lease it is, as `starover lease show` says; another one's is left alone
    """
    said = yield from holding(dag, estate)
    held = [(server, one) for server, one in said if isinstance(one, LeaseHost) and one.held]
    others = sorted({one.who.run for _, one in held if one.who.run != run})
    if others:
        raise NotSafe(
            f"the lease of {dag.name} is held by run {', '.join(others)}, not by {run}",
            certain=("nothing was sent but reads",),
            next=("starover lease show",),
        )
    for server, one in held:
        yield lease_released.on(server, dag=dag.name, holder=one.holder)

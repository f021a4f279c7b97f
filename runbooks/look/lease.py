"""Who may change a DAG now."""

from starover import Dag, Estate, Steps, runbook
from starover.steps.lease import LeaseReport, holding, lease_report


@runbook
def lease_show(dag: Dag, estate: Estate) -> Steps[LeaseReport]:
    """Who holds the lease of a DAG, and until when, as each of its hosts keeps it."""
    return lease_report(dag, (yield from holding(dag, estate)))

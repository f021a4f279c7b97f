"""Hold an estate against the planning requirements of a DAG."""

from collections.abc import Sequence

from starover import BadParameter, DagName, Estate, Findings, Steps, runbook
from starover.steps.preflight import EVERY, Phase, looked_at
from starover.steps.preflight_table import PCheck


@runbook
def preflight(
    estate: Estate, dag: DagName | None = None, phase: Phase = "operate", only: Sequence[PCheck] = ()
) -> Steps[Findings]:
    """Check the planning requirements P01-P58: Windows, Exchange, networks, witness, copies, Active Directory.

    What nobody looks at is said too: not checked is never green.

    dag: the DAG, there or to be; need not be named where the inventory has one
    phase: what lies ahead: building mends some findings, and some count for a DAG in use only
    only: these checks, such as P03
    """
    known = [one for one in estate.dags if dag is None or one.name.casefold() == dag.casefold()]
    if dag is None and len(known) > 1:
        raise BadParameter("which DAG?", next=(f"the inventory has: {', '.join(one.name for one in known)}",))
    names = {name.casefold() for one in known for name in one.members}
    mailbox = [server for server in estate.servers if "mailbox" in server.roles]
    members = [server for server in mailbox if server.name.casefold() in names] or mailbox
    name = known[0].name if known else dag or ""
    found = yield from looked_at(estate, name, members, only or EVERY, phase)
    return Findings(findings=found)

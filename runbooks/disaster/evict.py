"""Take lost nodes out of a cluster that has quorum."""

from collections.abc import Sequence

from starover import BadParameter, Dag, Estate, Finding, Findings, NotSafe, Server, Steps, runbook, same_host, together
from starover.steps.assessing import assessed, named_lost
from starover.steps.fence_first import fenced_first
from starover.steps.recovery import quorum_fixed
from starover.steps.recovery_cluster import NAMES, node_evicted
from starover.steps.rest_witness import needs_witness, rest_witness, witness_to_be


@runbook
def evict_nodes(dag: Dag, estate: Estate, lost_server: Sequence[Server], break_glass: str = "") -> Steps[Findings]:
    """Evict nodes that are lost, after they are fenced, and put the quorum model right.

    For a DAG without DAC whose force-quorum broke off, or nodes that are lost for good. They come back by failback.

    dag: the DAG; need not be named where the inventory has one
    lost_server: members; repeat it for several
    break_glass: why there is nobody else
    """
    if not lost_server:
        raise BadParameter("evict-nodes needs --lost-server", certain=("nothing was contacted",))
    lost = named_lost(dag, estate, (), lost_server)
    (found,) = yield from together([assessed(dag, estate, lost)])
    clusters = found.situation.clusters
    if len(clusters) != 1:
        raise NotSafe(
            f"{'two clusters have' if clusters else 'no cluster has'} quorum: nodes are evicted by one that has it",
            certain=(*found.decision.certain, "nothing was changed"),
            next=("starover assess",),
        )
    living = [name for name in clusters[0].nodes if any(same_host(name, one) for one in lost)]
    if living:
        raise NotSafe(
            f"{', '.join(living)} up in the cluster: a living node is not evicted",
            certain=(f"{clusters[0].seen_by} says so", "nothing was changed"),
            next=("starover assess",),
        )
    survivors = [one for one in estate.members(dag) if one.name not in lost]
    node = next(one for one in survivors if same_host(one.name, clusters[0].seen_by))
    witness = directory = ""
    if needs_witness(len(survivors), dac=False):  # refused before anything is fenced
        best = rest_witness(found.seen, dag, estate, lost, first="primary")
        _, witness, directory = witness_to_be(found.seen, dag, estate, best, lost, quorate=True)
    yield from fenced_first(
        dag, estate, lost, (), break_glass, dac=found.situation.mode == "DagOnly", answering=found.situation.answering
    )
    for name in lost:
        yield node_evicted.on(node, names=NAMES, node=name)
    yield from quorum_fixed(dag, estate, node, node, len(survivors), witness, directory)
    says = f"{', '.join(lost)} fenced and evicted: they come back only through failback"
    findings = [Finding(check="notice", on=dag.name, level="info", says=says)]
    if break_glass:
        findings.append(Finding(check="break-glass", on=dag.name, level="warn", says=break_glass))
    return Findings(findings=tuple(findings))

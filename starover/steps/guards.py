"""Guards of the catalogue that several runbooks share, as pure functions on facts; asks nobody, knows no runbook."""

from __future__ import annotations

from collections.abc import Collection

from starover.names import same_host
from starover.step import Blocked
from starover.steps.dag_object import ClusterView, DagObject

__all__ = ["quorum_without", "set_dag_allowed", "set_dag_unless_alternate"]


def quorum_without(
    cluster: ClusterView | None, *, nodes: Collection[str] = (), witness: bool = False
) -> Blocked | None:
    """G-QUORUM: whether the nodes that are up keep quorum while `nodes`, or the witness, are away; None: they do.

    With the weights of now and crash semantics: a clean stop would hand its vote over, but nobody promises that.
    """
    what = " and ".join([*sorted(nodes), *(["the witness"] if witness else [])])
    if cluster is None:
        return Blocked(
            f"the cluster could not be read, so nobody knows whether it survives without {what}",
            guard="G-QUORUM",
            certain=("nothing was changed",),
            next=("starover status",),
        )
    up = [node for node in cluster.nodes if node.state in ("Up", "Paused")]
    total = sum(node.dynamic for node in cluster.nodes) + cluster.witness_weight
    left = sum(node.dynamic for node in up if not any(same_host(node.name, gone) for gone in nodes))
    if not witness and cluster.witness_state == "Online":
        left += cluster.witness_weight
    if 2 * left > total:
        return None
    return Blocked(
        f"without {what} {left} of {total} votes would remain, and quorum needs {total // 2 + 1}",
        guard="G-QUORUM",
        certain=(f"nodes up now: {', '.join(node.name for node in up) or 'none'}", "nothing was changed"),
        next=("starover run health-report   names the node that is missing",),
    )


def set_dag_allowed(now: DagObject, *, naming: str = "") -> Blocked | None:
    """G-SETDAG: after quorum was restored with the alternate witness, only what names that witness may be set.

    Anything else may pull the quorum back to the primary one, which is dead then. `naming`: the witness it names.
    """
    if naming and same_host(naming, now.alternate_server):
        return None
    return set_dag_unless_alternate(now.witness_share)


def set_dag_unless_alternate(witness_share: str) -> Blocked | None:
    """G-SETDAG for what names no witness at all."""
    if witness_share != "Alternate":
        return None
    return Blocked(
        "the DAG runs on its alternate witness: setting it now may pull the quorum back to the primary one",
        guard="G-SETDAG",
        certain=("nothing was changed",),
        next=("failback puts the witness back in order",),
    )

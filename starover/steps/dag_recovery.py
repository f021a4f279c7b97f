"""Datacenter switchover with DAC: a side stopped in Active Directory, the DAG restored with the rest, started again."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from starover.names import DagName, WitnessDirectory, same_host
from starover.step import Blocked, Change, Risk, Settle, step
from starover.steps.dag import short
from starover.steps.dag_object import DagObject, dag_facts, listed

__all__ = ["dag_restored", "side_stopped", "standing"]

MOST_SHARES = ("Primary", "Alternate")


def _missing(now: DagObject, servers: Collection[str]) -> list[str]:
    """Of these servers those that are not stopped yet, as Active Directory has it."""
    return [one for one in servers if not listed(one, now.stopped) or listed(one, now.started)]


@step(
    check=dag_facts, apply="recovery/stop_dag.ps1.j2", risk=Risk.SPLIT, settle=Settle(every=10, limit=300), deadline=600
)
def side_stopped(
    now: DagObject, /, *, dag: DagName, site: str, servers: Sequence[str], controller: str
) -> Change | Blocked | None:
    """The lost members are on the Stopped list, by Active Directory of the surviving side alone (S-DAG-STOP).

    `site`: the AD site whose members are exactly `servers` (G-ADSITE); empty: each is named.
    """
    del controller, site
    if not now.found:
        return Blocked(f"Active Directory here has no DAG {dag}", certain=("nothing was changed",))
    if now.activation_mode != "DagOnly":
        return Blocked(
            f"{dag} has DAC {now.activation_mode or 'Off'}: its members cannot be stopped this way",
            certain=("nothing was changed",),
            next=("starover plan force-quorum --mode nodac ...",),
        )
    if all(any(same_host(short(one), name) for name in servers) for one in now.members):
        return Blocked(f"that would stop every member of {dag}", guard="G-ADSITE", certain=("nothing was changed",))
    missing = _missing(now, servers)
    return (
        Change(f"{', '.join(missing)} in {dag}", "started", "stopped", note="in Active Directory") if missing else None
    )


def standing(now: DagObject, survivors: Collection[str], lost: Collection[str]) -> bool:
    """Whether the cluster is that of the survivors and has quorum."""
    if now.cluster is None:
        return False
    nodes = {short(node.name).casefold(): node.state for node in now.cluster.nodes}
    wanted = {short(one).casefold() for one in survivors}
    gone = not any(short(one).casefold() in nodes for one in lost)
    return gone and wanted <= nodes.keys() and all(nodes[one] in ("Up", "Paused") for one in wanted)


def _witness(now: DagObject, members: int) -> bool:
    """Whether the quorum model is the one that Restore leaves: a witness for an even number, or for one alone."""
    if now.cluster is None:
        return False
    if members % 2 and members > 1:
        return not now.cluster.quorum_resource
    return now.cluster.witness_state == "Online" and now.witness_share in MOST_SHARES


def _half(now: DagObject) -> Blocked | None:
    """A lost node that is still in the cluster: eviction was tried while the cluster service initialised."""
    if now.cluster is None:
        return None
    left = [node.name for node in now.cluster.nodes if listed(node.name, now.stopped)]
    return Blocked(f"{', '.join(left)} could not be evicted while the cluster service began") if left else None


@step(
    check=dag_facts,
    apply="recovery/restore_dag.ps1.j2",
    risk=Risk.SPLIT,
    settle=Settle(every=15, limit=900),
    deadline=1800,
    broken=_half,
    tries=2,
)
def dag_restored(
    now: DagObject,
    /,
    *,
    dag: DagName,
    site: str,
    survivors: Sequence[str],
    lost: Sequence[str],
    alternate: str,
    alternate_directory: WitnessDirectory | None,
    primary: bool,
    controller: str,
    note: str,
) -> Change | Blocked | None:
    """The surviving members are the cluster, with quorum, and may mount (S-DAG-RESTORE).

    `site`: AD site of the survivors; empty where they lie in several. `primary`: the primary witness is alive and
    stays; `alternate`: another alternate one than the DAG names. A run that ends half-way is made once more.
    """
    del site, controller, alternate_directory
    if not now.found:
        return Blocked(f"Active Directory here has no DAG {dag}", certain=("nothing was changed",))
    if standing(now, survivors, lost) and _witness(now, len(survivors)):
        return None
    which = "the primary witness" if primary else f"{alternate or now.alternate_server or 'no witness'}"
    return Change(f"DAG {dag}", "no quorum", f"{', '.join(survivors)} with {which}", note=note)

"""The witness that a DAG names: whether it is in use, naming another, mending it; the host itself is `witness`'s."""

from __future__ import annotations

from starover.estate import Server
from starover.names import DagName, WitnessDirectory, same_host
from starover.step import Blocked, Change, Risk, Settle, Step, step
from starover.steps import guards
from starover.steps.dag_object import DagObject, dag_facts

__all__ = ["alternate_witness_set", "witness_broken", "witness_in_use", "witness_repaired", "witness_set"]


def _primary_back(
    prev: DagObject, asked: Server, /, *, dag: DagName, server: str, directory: WitnessDirectory
) -> Step | None:
    del server, directory
    if not prev.witness_server or not prev.witness_directory:
        return None
    return witness_set.on(asked, dag=dag, server=prev.witness_server, directory=prev.witness_directory)


@step(
    check=dag_facts,
    apply="dag/set_witness.ps1.j2",
    risk=Risk.SERVICE,
    settle=Settle(every=10, limit=180),
    undo=_primary_back,
)
def witness_set(
    now: DagObject, /, *, dag: DagName, server: str, directory: WitnessDirectory
) -> Change | Blocked | None:
    """The DAG's witness is the one that is wanted, and in use (S-DAG-PROPS).

    An odd number of members uses none; it is named all the same.
    """
    named = _same_witness((now.witness_server, now.witness_directory), server, directory)
    if named:
        return witness_repaired(now, dag=dag, server=server, directory=directory)
    blocked = guards.set_dag_allowed(now, naming=server)
    if blocked is None and now.even:
        blocked = guards.quorum_without(now.cluster, witness=True)
    if blocked is not None:
        return blocked
    return _renamed(f"witness of {dag}", (now.witness_server, now.witness_directory), server, directory, now)


@step(check=dag_facts, apply="dag/set_witness.ps1.j2", risk=Risk.LOW, settle=Settle(every=10, limit=180))
def witness_repaired(
    now: DagObject, /, *, dag: DagName, server: str, directory: WitnessDirectory
) -> Change | Blocked | None:
    """The witness that the DAG names is in use (S-DAG-PROPS).

    An odd number of members uses none.
    """
    if not now.even or witness_in_use(now, server):
        return None
    state = ", ".join((now.witness_share or "share unknown", f"resource {_witness_state(now) or 'missing'}"))
    blocked = guards.set_dag_allowed(now, naming=server)
    return blocked or Change(f"witness of {dag}", f"{server} {directory}, {state}", f"{server} {directory}, in use")


def _alternate_back(
    prev: DagObject, asked: Server, /, *, dag: DagName, server: str, directory: WitnessDirectory
) -> Step | None:
    del server, directory
    if not prev.alternate_server or not prev.alternate_directory:
        return None
    return alternate_witness_set.on(asked, dag=dag, server=prev.alternate_server, directory=prev.alternate_directory)


@step(check=dag_facts, apply="dag/set_alternate_witness.ps1.j2", risk=Risk.LOW, undo=_alternate_back)
def alternate_witness_set(
    now: DagObject, /, *, dag: DagName, server: str, directory: WitnessDirectory
) -> Change | Blocked | None:
    """The DAG's alternate witness is the one that is wanted (S-DAG-PROPS). Creation cannot name it."""
    was = (now.alternate_server, now.alternate_directory)
    if _same_witness(was, server, directory):
        return None
    return guards.set_dag_allowed(now) or _renamed(f"alternate witness of {dag}", was, server, directory, None)


def _same_witness(was: tuple[str, str], server: str, directory: str) -> bool:
    return bool(was[0]) and same_host(was[0], server) and _same_path(was[1], directory)


def _renamed(what: str, was: tuple[str, str], server: str, directory: str, now: DagObject | None) -> Change:
    notes: list[str] = []
    if now is not None and now.cluster is not None:
        down = [node.name for node in now.cluster.nodes if node.state not in ("Up", "Paused")]
        notes += [f"down: {', '.join(down)}"] if down else []
        notes += [f"the old share on {was[0]} stays: remove it by hand"] if was[0] else []
    before = " ".join(part for part in was if part) or "none"
    return Change(what, before, f"{server} {directory}", note="; ".join(notes), action="change" if was[0] else "add")


def witness_in_use(now: DagObject, server: str) -> bool:
    """Whether the cluster holds the share on `server`: resource online, share path there, AD says Primary."""
    witness = now.cluster.witness if now.cluster is not None else None
    if witness is None or witness.state != "Online" or now.witness_share != "Primary":
        return False
    host = witness.share.lstrip("\\").partition("\\")[0]
    return not host or same_host(host, server)


def witness_broken(now: DagObject) -> str:
    """What is wrong with the witness of a DAG that needs one, in a few words; empty: nothing."""
    if not now.even or now.witness_share == "Alternate":
        return ""
    if now.witness_share == "InvalidConfiguration":
        return f"witness-acl: the share on {now.witness_server} is InvalidConfiguration"
    if now.cluster is not None and now.cluster.witness_state not in ("", "Online"):
        return f"the witness resource is {now.cluster.witness_state}"
    return ""


def _witness_state(now: DagObject) -> str:
    return now.cluster.witness_state if now.cluster is not None else ""


def _same_path(one: str, other: str) -> bool:
    return one.rstrip("\\").casefold() == other.rstrip("\\").casefold()

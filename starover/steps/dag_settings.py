"""What a DAG is by itself: created, removed, its quorum model and its DAC mode; knows no member's way into it."""

from __future__ import annotations

from collections.abc import Sequence

from starover.estate import Server
from starover.names import DagName, WitnessDirectory
from starover.step import Blocked, Change, Risk, Settle, Step, step
from starover.steps import guards
from starover.steps.dag import short
from starover.steps.dag_object import DagObject, access_point_of, dag_facts

__all__ = ["activation_mode_set", "dag_created", "dag_removed", "quorum_model_right"]


def _remove(
    prev: DagObject,
    server: Server,
    /,
    *,
    dag: DagName,
    witness_server: str,
    witness_directory: WitnessDirectory,
    addresses: str | Sequence[str],
    file_system: str,
    warning: str,
) -> Step | None:
    del witness_server, witness_directory, addresses, file_system, warning
    return None if prev.found else dag_removed.on(server, dag=dag)


@step(
    check=dag_facts,
    apply="dag/create.ps1.j2",
    risk=Risk.LOW,
    settle=Settle(every=10, limit=120),
    undo=_remove,
)
def dag_created(
    now: DagObject,
    /,
    *,
    dag: DagName,
    witness_server: str,
    witness_directory: WitnessDirectory,
    addresses: str | Sequence[str],
    file_system: str,
    warning: str,
) -> Change | Blocked | None:
    """The DAG is there, with the access point that is wanted (S-DAG-CREATE). Its witness is `witness_set`'s concern.

    One address comes as text, as the documentation writes it; several as a list. `warning` is shown with the
    change: what a guard had to say.
    """
    every = (addresses,) if isinstance(addresses, str) else tuple(addresses)
    wanted = access_point_of(every)
    if not now.found:
        how = "without an access point" if wanted == "none" else f"access point {' '.join(every)}"
        made = f", {file_system}" if file_system else ""
        return Change(
            f"DAG {dag}",
            "none",
            f"{how}, witness {witness_server} {witness_directory}{made}",
            note=warning,
            action="add",
        )
    if now.third_party not in ("", "Disabled"):
        return Blocked(f"the DAG {dag} uses third-party replication, which is another product's to manage")
    if now.access_point != wanted:
        return Blocked(
            f"the DAG {dag} is there with the access point {now.access_point}, and {wanted} is wanted",
            certain=("an access point is chosen when a DAG is created", "nothing was changed"),
            next=("take its members out, remove it and create it anew, or ask for what it has",),
        )
    if wanted == "static" and set(now.addresses) != set(every):
        return Blocked(
            f"the DAG {dag} has the addresses {', '.join(now.addresses)}, and {', '.join(every)} are wanted",
            certain=("nothing was changed",),
            next=(
                f"Set-DatabaseAvailabilityGroup -Identity {dag} -DatabaseAvailabilityGroupIpAddresses ...   by hand",
            ),
        )
    return None


@step(check=dag_facts, apply="dag/remove.ps1.j2", risk=Risk.LOW)
def dag_removed(now: DagObject, /, *, dag: DagName) -> Change | Blocked | None:
    """An empty DAG is gone.

    That it is empty is looked at beside the write: a plan that undoes a whole creation takes the members out before.
    """
    return (
        Change(f"DAG {dag}", "there", "none", note="only while it has no members", action="remove")
        if now.found
        else None
    )


@step(check=dag_facts, apply="dag/quorum_model.ps1.j2", risk=Risk.LOW, settle=Settle(every=10, limit=180))
def quorum_model_right(now: DagObject, /, *, dag: DagName, members: Sequence[str]) -> Change | Blocked | None:
    """The quorum model fits the number of members: even with a witness, odd without.

    `members` are those that are to be in the DAG. While some are not, nobody can know what joining will leave, so the
    plan holds the change that would mend it; when the time comes it is mostly right already.
    """
    joined = now.found and all(now.has(member) for member in members)
    if joined and now.cluster is not None and bool(now.cluster.quorum_resource) == now.even:
        return None
    if joined and now.cluster is None:
        return Blocked(
            f"the cluster of {dag} cannot be read: {now.cluster_error or 'no answer'}",
            certain=("nothing was changed",),
            next=("starover status",),
        )
    blocked = guards.set_dag_allowed(now, joining=members)
    return blocked or Change(f"quorum model of {dag}", "as joining leaves it", "as the number of members wants it")


# -- DAC mode ----------------------------------------------------------------------------------------------------------


def _mode_back(prev: DagObject, server: Server, /, *, dag: DagName, mode: str, members: Sequence[str]) -> Step | None:
    if not prev.found or prev.activation_mode == mode:
        return None
    return activation_mode_set.on(server, dag=dag, mode=prev.activation_mode, members=members)


@step(check=dag_facts, apply="dag/activation_mode.ps1.j2", risk=Risk.LOW, undo=_mode_back)
def activation_mode_set(
    now: DagObject, /, *, dag: DagName, mode: str, members: Sequence[str]
) -> Change | Blocked | None:
    """DAC mode is as wanted (S-DAC): DagOnly keeps two halves of a DAG from both mounting.

    `members` are those that join before, so that a plan can count them.
    """
    if (now.activation_mode if now.found else "Off") == mode:
        return None
    count = len({short(name).casefold() for name in (*now.members, *members)})
    if mode == "DagOnly" and count < 2:
        return Blocked(
            f"DAC mode needs two members at least, and {dag} has {count}",
            certain=("nothing was changed",),
            next=(f"starover plan dag-add-members --dag {dag} --members ...",),
        )
    if mode == "DagOnly" and now.third_party not in ("", "Disabled"):
        return Blocked(f"the DAG {dag} uses third-party replication: DAC mode is not for it")
    if mode == "Off" and now.stopped:
        stopped = ", ".join(short(name) for name in now.stopped)
        return Blocked(
            f"a datacenter is stopped ({stopped}): without DAC it could mount what is mounted elsewhere",
            certain=("nothing was changed",),
            next=("start it again by failback, then turn DAC off",),
        )
    blocked = guards.set_dag_allowed(now, joining=members)
    return blocked or Change(f"DAC mode of {dag}", now.activation_mode or "Off", mode)

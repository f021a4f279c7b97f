"""What somebody else at another desk does meanwhile (fault `operator_parallel_change`): cmdlets, and their undoing.

Each stands in the admin audit log under that person's name, not under starover's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from starover_lab.world.dags import DagChanges
from starover_lab.world.entities import AuditRecord
from starover_lab.world.errors import WorldError

if TYPE_CHECKING:
    from starover_lab.world.world import World

__all__ = ["CMDLETS", "somebody"]

_NAME = "somebody.else"
Undo = Callable[[], None]


def _nothing() -> None:
    pass


def _copy(world: World, target: str) -> tuple[str, str]:
    r"""Database and server of `DB01/EX2` or `DB01\EX2`. Raises `not_found`."""
    name, _, server = target.replace("/", "\\").rpartition("\\")
    copy = world.copy(name, server)
    return world.database(name).name, copy.server


def _suspend(world: World, target: str, asked: str) -> Undo:
    database, server = _copy(world, target)
    world.suspend_copy(database, server, asked, comment="looked at by somebody else")
    return partial(world.resume_copy, database, server, asked)


def _resume(world: World, target: str, asked: str) -> Undo:
    database, server = _copy(world, target)
    world.resume_copy(database, server, asked)
    return partial(world.suspend_copy, database, server, asked)


def _prefer(world: World, target: str, asked: str) -> Undo:
    database, server = _copy(world, target)
    before = world.copy(database, server).preference
    last = len(world.database(database).copies)
    world.set_preference(database, server, asked, last if before != last else 1)
    return partial(world.set_preference, database, server, asked, before)


def _move(world: World, target: str, asked: str) -> Undo:
    before = world.database(target).active
    world.move_active(target, asked)

    def back() -> None:
        world.move_active(target, asked, target=before)

    return back


def _dismount(world: World, target: str, asked: str) -> Undo:
    world.dismount(target, asked)

    def back() -> None:
        world.mount(target, asked)

    return back


def _block(world: World, target: str, asked: str) -> Undo:
    exchange = world.server(target).exchange
    if exchange is None:
        raise WorldError("not_found", f"{target} has no Exchange", object="server", name=target)
    before = exchange.activation_policy
    world.set_activation(target, asked, policy="Blocked" if before != "Blocked" else "Unrestricted")
    return partial(world.set_activation, target, asked, policy=before)


def _set_dag(world: World, target: str, asked: str) -> Undo:
    world.dags.change(target, asked, DagChanges())
    return _nothing


def _pause(world: World, target: str, asked: str) -> Undo:
    world.suspend_node(asked, target)
    return partial(world.resume_node, asked, target)


def _stop_node(world: World, target: str, asked: str) -> Undo:
    world.cluster_tasks.stop(asked, target)

    def back() -> None:
        world.cluster_tasks.start(asked, target)

    return back


CMDLETS: Mapping[str, Callable[[World, str, str], Undo]] = {
    "Suspend-MailboxDatabaseCopy": _suspend,
    "Resume-MailboxDatabaseCopy": _resume,
    "Set-MailboxDatabaseCopy": _prefer,
    "Move-ActiveMailboxDatabase": _move,
    "Dismount-Database": _dismount,
    "Set-MailboxServer": _block,
    "Set-DatabaseAvailabilityGroup": _set_dag,
    "Suspend-ClusterNode": _pause,
    "Stop-ClusterNode": _stop_node,
}
"""Cmdlet to what runs it for an object, as from a server."""


def somebody(world: World, cmdlet: str, target: str) -> Undo:
    """Run a cmdlet as somebody else; what undoes it. Raises `KeyError` with the known cmdlets, `WorldError`."""
    known = {name.casefold(): name for name in CMDLETS}
    name = known.get(cmdlet.casefold())
    if name is None:
        raise KeyError(*CMDLETS)
    asked = _desk(world)
    undo = CMDLETS[name](world, target, asked)
    world.record_audit(
        AuditRecord(
            cmdlet=name,
            parameters={"Identity": target},
            caller=f"{world.state.netbios}\\{_NAME}",
            server=asked,
            time=world.now,
            object_modified=target,
        )
    )

    def back() -> None:
        try:
            undo()
        except WorldError as error:
            world.state.log.add("not_undone", target, cmdlet=name, reason=error.message)

    return back


def _desk(world: World) -> str:
    """A server that answers and whose cluster has quorum, if there is one."""
    answering = [one for one in world.state.servers if one.exchange is not None and world.state.answers(one)]

    def rank(name: str) -> bool:
        cluster = world.state.cluster_on(world.server(name))
        return cluster is None or not cluster.quorate

    names = sorted((one.name for one in answering), key=lambda name: (rank(name), name))
    if not names:
        raise WorldError("server_down", "no Exchange server answers", server="")
    return names[0]

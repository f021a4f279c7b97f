"""Which servers may have active databases: policy, limits, the order to leave at once (S-POLICY); knows no runbook."""

from __future__ import annotations

from starover.estate import Server
from starover.names import same_host
from starover.step import Blocked, Change, Query, Report, Risk, Step, step

__all__ = ["Activation", "Activations", "activations", "move_now_set"]


class Activation(Report):
    """A server with mailbox databases, as AD has it, and how many databases are active there."""

    name: str
    dag: str
    """In whatever form; empty: in no DAG."""
    policy: str
    """`Unrestricted`, `IntrasiteOnly`, `Blocked`."""
    move_now: bool
    """DatabaseCopyActivationDisabledAndMoveNow: Active Manager moves what is active there away."""
    dial: str
    """AutoDatabaseMountDial."""
    max_active: int | None
    """MaximumActiveDatabases; None: no limit."""
    active: int
    """Databases that are active there."""

    @property
    def takes(self) -> bool:
        """Whether one more database may become active there by itself."""
        room = self.max_active is None or self.active < self.max_active
        return self.policy != "Blocked" and not self.move_now and room


class Activations(Report):
    """Every server with mailbox databases (`server/activation.ps1.j2`)."""

    servers: tuple[Activation, ...]

    def find(self, name: str) -> Activation | None:
        """What is known of a server."""
        return next((one for one in self.servers if same_host(one.name, name)), None)


activations = Query("server/activation.ps1.j2", Activations)
"""Of the whole organization."""


def _flag_back(prev: Activations, asked: Server, /, *, server: str, enabled: bool) -> Step | None:
    was = prev.find(server)
    if was is None or was.move_now == enabled:
        return None
    return move_now_set.on(asked, server=server, enabled=was.move_now)


@step(check=activations, apply="server/set_move_now.ps1.j2", risk=Risk.SERVICE, undo=_flag_back)
def move_now_set(now: Activations, /, *, server: str, enabled: bool) -> Change | Blocked | None:
    """Whether Active Manager moves away whatever is active on a server (S-EVACUATE, S-POLICY)."""
    was = now.find(server)
    if was is None:
        return Blocked(f"{server} is no server with mailbox databases", certain=("nothing was changed",))
    if was.move_now == enabled:
        return None
    words = {True: "leave at once", False: "may stay"}
    return Change(f"{server} active databases", words[was.move_now], words[enabled])

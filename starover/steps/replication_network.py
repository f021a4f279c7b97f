"""Over which network copies get their logs, and back to the replication network after it failed; knows no runbook."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

from starover.names import CopyId, DbName, ServerName, same_host
from starover.step import Blocked, Change, Query, Report, Risk, Settle, step
from starover.steps.copies import CopyStatus, DatabaseCopies, Tag, redundancy
from starover.steps.networks import DagNetworks, OneNetwork

__all__ = [
    "CopyNetworks",
    "DagNetworkName",
    "FewParallel",
    "copy_networks",
    "copy_networks_on",
    "network_blocked",
    "on_network",
    "replication_network",
    "replication_restarted",
]

DagNetworkName: TypeAlias = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[^=:\\/,\"\u0000-\u001f\u007f-\u009f\u2028\u2029]{1,128}(?![\s\S])",
        title="Network",
        description="a DAG network's name, at most 128 characters",
    ),
]
FewParallel: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=4, description="a number from 1 to 4")]

BACK = Settle(every=10, limit=600)


class CopyNetwork(Report):
    """Over which network a copy gets its logs."""

    database: str
    server: str
    incoming: str
    """`{mbx1,ReplicationDagNetwork01}`; empty: no connection, or the active copy."""

    @property
    def name(self) -> str:
        """The network's name."""
        return self.incoming.strip("{}").rpartition(",")[2].strip()


class CopyNetworks(Report):
    """Copies and their networks (`copy/networks.ps1.j2`, `copy/networks_on_server.ps1.j2`)."""

    copies: tuple[CopyStatus, ...]
    networks: tuple[CopyNetwork, ...]

    def find(self, copy: CopyId) -> CopyStatus | None:
        """The state of a copy."""
        return DatabaseCopies(copies=self.copies).find(copy)

    def network(self, copy: CopyStatus) -> str:
        """The network of a copy; empty: none."""
        for one in self.networks:
            if one.database.casefold() == copy.database.casefold() and same_host(one.server, copy.server):
                return one.name
        return ""

    def astray(self, network: str) -> list[CopyStatus]:
        """Passive copies that are connected over another network."""
        return [
            one
            for one in self.copies
            if not one.active and (used := self.network(one)) and used.casefold() != network.casefold()
        ]


copy_networks = Query("copy/networks.ps1.j2", CopyNetworks)
"""Argument: `database`."""
copy_networks_on = Query("copy/networks_on_server.ps1.j2", CopyNetworks)
"""Argument: `name`, the server whose copies are meant."""


def replication_network(now: DagNetworks, name: str = "") -> OneNetwork | None:
    """The network of that name, or the only one that is for replication alone; None: there is none, or several."""
    if name:
        return now.find(name)
    own = [one for one in now.networks if one.replication and not one.mapi and not one.ignored]
    return own[0] if len(own) == 1 else None


def network_blocked(network: OneNetwork) -> Blocked | None:
    """Why copies would not come back to the network: it must be for replication, and Up everywhere."""
    certain = ("nothing was changed",)
    if not network.replication or network.ignored:
        return Blocked(f"the network {network.name} does not carry replication", certain=certain)
    down = [f"{node} {state}" for node, state, _ in (one.parts for one in network.interfaces) if state != "Up"]
    if down:
        return Blocked(
            f"the network {network.name} is not Up everywhere: {', '.join(down)}",
            certain=certain,
            next=("mend the network first; copies stay on the other one meanwhile, and are safe there",),
        )
    return None


@step(check=copy_networks, apply="copy/reconnect.ps1.j2", risk=Risk.LOW, settle=BACK)
def on_network(
    now: CopyNetworks,
    /,
    *,
    identity: CopyId,
    database: DbName,
    network: str,
    comment: str,
    keep_block: bool,
    block_comment: str,
) -> Change | Blocked | None:
    """A copy gets its logs over this network: suspended and resumed, because only a new connection chooses anew."""
    del database, comment, keep_block, block_comment
    one = now.find(identity)
    certain = ("nothing was changed",)
    if one is None:
        return Blocked(f"{identity.server} hosts no copy of {identity.database}", certain=certain)
    if one.active:
        return Blocked(f"{identity} is the active copy by now: it copies from nobody", certain=certain)
    used = now.network(one)
    if one.status == "Healthy" and used.casefold() == network.casefold():
        return None
    if one.replication_suspended and not Tag(one.suspend_comment).ours:
        return Blocked(f'{identity} is {one.status} ("{one.suspend_comment}")', certain=certain)
    if one.replication_suspended:
        return Change(identity, one.status, f"over {network}")
    blocked, warning = redundancy(now.copies, identity)
    return blocked or Change(identity, f"over {used or 'no network'}", f"over {network}", note=warning)


@step(check=copy_networks_on, apply="copy/restart_replication.ps1.j2", risk=Risk.SERVICE, settle=BACK)
def replication_restarted(now: CopyNetworks, /, *, name: ServerName, network: str) -> Change | Blocked | None:
    """Every copy of a server gets its logs over this network: its replication service was restarted."""
    astray = now.astray(network)
    if not astray:
        return None
    shown = ", ".join(f"{one.id} over {now.network(one)}" for one in astray)
    return Change(f"MSExchangeRepl on {name}", shown, f"all over {network}", note="replication stops for a moment")

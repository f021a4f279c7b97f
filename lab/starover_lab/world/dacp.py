"""Datacenter activation coordination: the bit without which a server in DAC mode mounts nothing; knows no database.

simulator.md section 7. The bit is 0 when Active Manager starts. It becomes 1 (a) when the server reaches a member whose
bit is 1, (b) when it reaches every member on the Started list, (c) by Restore-DatabaseAvailabilityGroup, (d) in a DAG
with one or two started members, alone, when it reaches the witness and had set its bit after the witness booted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from starover_lab.world.dag_objects import find_dag
from starover_lab.world.entities import DagObject, Server
from starover_lab.world.errors import WorldError
from starover_lab.world.machine_build import FILE_SHARING
from starover_lab.world.replication import REPL
from starover_lab.world.state import State, first_label
from starover_lab.world.witness_share import rule_open

__all__ = ["Dacp", "Member", "settle"]


@dataclass(frozen=True)
class Member:
    """What the rules ask of a member."""

    bit: int
    runs: bool
    """Active Manager runs on it."""
    set_at: float | None
    """When its bit became 1 last, seconds of the lab's clock; None: never."""


def settle(
    members: Mapping[str, Member],
    started: Sequence[str],
    parts: Sequence[Sequence[str]],
    *,
    sees_witness: Sequence[str],
    witness_boot: float,
) -> dict[str, int]:
    """The bits that follow by rules (a), (b) and (d), until nothing changes; `parts` are who reach each other."""
    bits = {name: member.bit for name, member in members.items() if member.runs}
    changed = True
    while changed:
        changed = False
        for part in parts:
            here = [name for name in part if name in bits]
            for name in here:
                if not bits[name] and _may(name, here, bits, members, started, sees_witness, witness_boot):
                    bits[name] = 1
                    changed = True
    return bits


def _may(
    name: str,
    here: Sequence[str],
    bits: Mapping[str, int],
    members: Mapping[str, Member],
    started: Sequence[str],
    sees_witness: Sequence[str],
    witness_boot: float,
) -> bool:
    if any(bits[other] for other in here if other != name):
        return True
    if len(started) > 1 and name in started and all(other in here for other in started):
        return True
    set_at = members[name].set_at
    alone = len(started) <= 2 and name in started and not any(other in here for other in started if other != name)
    return alone and name in sees_witness and set_at is not None and set_at > witness_boot


class Dacp:
    """Sets the bits that may be set."""

    def __init__(self, state: State) -> None:
        self._state = state

    def review(self) -> None:
        """Evaluate the rules for every member whose bit is 0."""
        for name in self._state.dags:
            for server in self._state.servers:
                if server.exchange is not None and not server.exchange.dacp_bit and self._state.runs(server, REPL):
                    self._judge(server, name)

    def _judge(self, server: Server, name: str) -> None:
        state, exchange = self._state, server.exchange
        dag = self._dag(server, name)
        if exchange is None or dag is None or server.name not in dag.members:
            return
        if dag.dac_mode == "DagOnly":
            reached = [
                one
                for one in (state.servers[member] for member in dag.members)
                if state.runs(one, REPL) and state.linked(server, one)
            ]
            members = {
                one.name: Member(one.exchange.dacp_bit, True, _seconds(one.exchange.dacp_set_at))
                for one in reached
                if one.exchange is not None
            }
            boot = self._witness_boot(server, dag)
            bits = settle(
                members,
                [state.servers[first_label(one)].name for one in dag.started],
                [list(members)],
                sees_witness=[server.name] if boot is not None else [],
                witness_boot=boot or 0.0,
            )
            if not bits.get(server.name):
                return
        exchange.dacp_bit, exchange.dacp_set_at = 1, state.now
        state.log.add("dacp_bit", server.name, bit=1)
        state.again()

    def _witness_boot(self, server: Server, dag: DagObject) -> float | None:
        """When the witness in use booted, if this server reaches it."""
        cluster = self._state.cluster_of(dag.name, server)
        name = cluster.witness_server if cluster is not None and cluster.witness_server else dag.witness_server
        host = self._state.servers.get(first_label(name)) if name else None
        if host is None or not self._state.reaches(server, host) or not rule_open(host, FILE_SHARING):
            return None
        return None if host.name.casefold() in self._state.witness_faults else _seconds(host.boot_time)

    def _dag(self, server: Server, name: str) -> DagObject | None:
        try:
            dc = self._state.directory.closest(server.site)
        except WorldError:
            return None
        return find_dag(self._state.directory, dc, name)


def _seconds(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment is not None else None

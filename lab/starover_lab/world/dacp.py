"""Datacenter activation coordination: the bit without which a server in DAC mode mounts nothing; knows no database.

simulator.md section 7, rules (a) and (b): the bit is 0 when Active Manager starts and becomes 1 when the server reaches
a member whose bit is 1, or every member on the Started list.
"""

from __future__ import annotations

from starover_lab.world.entities import DagObject, Server
from starover_lab.world.errors import WorldError
from starover_lab.world.replication import REPL
from starover_lab.world.state import State, first_label

__all__ = ["Dacp"]


class Dacp:
    """Sets the bits that may be set."""

    def __init__(self, state: State) -> None:
        self._state = state

    def review(self) -> None:
        """Evaluate the rules for every member whose bit is 0."""
        state = self._state
        for name in state.dags:
            for server in state.servers:
                if server.exchange is None or server.exchange.dacp_bit or not state.runs(server, REPL):
                    continue
                dag = self._dag(server, name)
                if dag is not None and server.name in dag.members and self._may(server, dag):
                    server.exchange.dacp_bit = 1
                    state.log.add("dacp_bit", server.name, bit=1)
                    state.again()

    def _dag(self, server: Server, name: str) -> DagObject | None:
        try:
            dc = self._state.directory.closest(server.site)
        except WorldError:
            return None
        return self._state.directory.read(dc, f"dag:{name.casefold()}", DagObject)

    def _may(self, server: Server, dag: DagObject) -> bool:
        if dag.dac_mode == "Off":
            return True
        started = [self._state.servers.get(first_label(name)) for name in dag.started]
        reached = [
            one
            for one in started
            if one is not None and self._state.runs(one, REPL) and self._state.linked(server, one)
        ]
        if any(one is not server and one.exchange is not None and one.exchange.dacp_bit for one in reached):
            return True
        return len(dag.started) > 1 and len(reached) == len(started) and server in reached

"""Reads what the first line needs, votes and DAC mode, from a member or two; draws nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from starover.errors import Unreachable
from starover.names import same_host
from starover.runbook import AnyRunbook, Content, Steps, attempt, runbook, together
from starover.steps.dag import ClusterState, DagState, cluster_state, dag_state

if TYPE_CHECKING:
    from starover.estate import Dag, Server
    from starover.render import Arg, Body
    from starover_cli.room import Room

__all__ = ["Head", "OneMore", "read_head"]


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What was read."""

    cluster: ClusterState | None = None
    state: DagState | None = None
    heard: int = 0
    """Members that answered, be it with an error."""


@dataclass(frozen=True)
class OneMore:
    """Content that knows one runbook more; plans made with it are never kept."""

    content: Content
    book: AnyRunbook

    @property
    def sha256(self) -> str:
        """As the content's own."""
        return self.content.sha256

    def runbook(self, name: str, /) -> AnyRunbook:
        """The one, or one of the content's. Raises `BadParameter`."""
        return self.book if name == self.book.name else self.content.runbook(name)

    def body(self, template: str, arguments: Mapping[str, Arg], /) -> Body:
        """As the content's own."""
        return self.content.body(template, arguments)


def read_head(room: Room, dag: Dag, hosts: Sequence[str]) -> tuple[ClusterState | None, DagState | None, int]:
    """The cluster, the DAG object, and how many of those asked answered. Raises what `Local.plan` raises.

    Two members are asked, `hosts` first; the others only when neither knows of a cluster: one that was taken out of it
    does not know whether it still stands.
    """
    members = room.estate.members(dag)
    known = [server for server in members if any(same_host(server.name, host) for host in hosts)]
    first = known[:2] or members[:2]
    cluster, state, heard = _ask(room, dag, first)
    rest = [server for server in members if server not in first]
    if cluster is None and heard and rest:
        cluster, other, more = _ask(room, dag, rest)
        state, heard = state or other, heard + more
    return cluster, state, heard


def _ask(room: Room, dag: Dag, asked: Sequence[Server]) -> tuple[ClusterState | None, DagState | None, int]:
    def one(server: Server) -> Steps[tuple[object, object]]:
        cluster = yield from attempt(cluster_state.read(server))
        state = yield from attempt(dag_state.read(server, dag=dag.name))
        return cluster, state

    @runbook
    def first_line() -> Steps[Head]:
        """Votes and DAC mode."""
        answers = yield from together(one(server) for server in asked)
        parts = [part for pair in answers for part in pair]
        return Head(
            cluster=next((part for part in parts if isinstance(part, ClusterState)), None),
            state=next((part for part in parts if isinstance(part, DagState)), None),
            heard=sum(any(not isinstance(part, Unreachable) for part in pair) for pair in answers),
        )

    with tempfile.TemporaryDirectory(prefix="starover-") as folder:
        planned = room.local([], Path(folder), OneMore(room.content, first_line)).plan(first_line.name, {})
    value = planned.value
    assert isinstance(value, Head)
    return value.cluster, value.state, value.heard

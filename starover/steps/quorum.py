"""Votes of a failover cluster: who keeps quorum when somebody goes (simulator, section 3); pure, asks nobody.

Dynamic quorum with dynamic witness and tie-breaker (Windows Server 2012 R2 and newer), and the static rule
(`DynamicQuorum` 0). Live weights come from `Get-ClusterNode` and `Get-Cluster`; what would follow is reckoned here.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from starover.names import same_host
from starover.steps.dag import Node

__all__ = ["WITNESS", "Loss", "Voter", "Votes", "fatal", "lose", "losses", "recalculated", "returned", "votes_of"]

WITNESS = "the witness"
"""How a set of what is lost names the witness; no host can have that name."""
PRESENT = frozenset({"Up", "Paused"})
"""States of a node that keeps its vote: pausing takes none away."""


@dataclass(frozen=True, kw_only=True)
class Voter:
    """A node that is not evicted."""

    name: str
    up: bool = True
    """Up or Paused."""
    weight: int = 1
    """NodeWeight: 0 where somebody took its vote for good."""
    vote: int = 1
    """DynamicWeight."""


@dataclass(frozen=True, kw_only=True)
class Votes:
    """The votes of one quorate cluster."""

    nodes: tuple[Voter, ...]
    """In the order of their ids: of several that are up the last one loses a tie [model; in reality any]."""
    witness: bool = False
    """Configured."""
    online: bool = False
    """The witness answers."""
    witness_vote: int = 0
    """WitnessDynamicWeight."""
    dynamic: bool = True
    """DynamicQuorum."""
    tie: str = ""
    """LowerQuorumPriorityNodeID's name; empty: the last node that is up."""
    last_down: str = ""
    """Which node went down last."""

    @property
    def total(self) -> int:
        """All votes that count now."""
        return sum(node.vote for node in self.nodes) + self.witness_vote

    @property
    def present(self) -> int:
        """Votes that are there: of nodes that are up, and of a witness that answers."""
        return sum(node.vote for node in self.nodes if node.up) + (self.witness_vote if self.online else 0)

    @property
    def needed(self) -> int:
        """Votes that keep quorum: more than half."""
        return self.total // 2 + 1

    @property
    def up(self) -> tuple[str, ...]:
        """Nodes that are up or paused."""
        return tuple(node.name for node in self.nodes if node.up)


@dataclass(frozen=True, kw_only=True)
class Loss:
    """What a loss would do. Without quorum the cluster service stops everywhere, and `after` keeps the votes."""

    lost: tuple[str, ...]
    """Nodes, and `WITNESS`."""
    quorum: bool
    votes: int
    """Left, by the weights from before."""
    total: int
    """Of all, by the weights from before."""
    after: Votes

    @property
    def needed(self) -> int:
        """Votes that would keep quorum."""
        return self.total // 2 + 1


class _Cluster(Protocol):
    """A cluster as a node sees it: `ClusterState` and `ClusterView` are both."""

    @property
    def nodes(self) -> Sequence[Node]: ...
    @property
    def witness_weight(self) -> int: ...
    @property
    def witness_state(self) -> str: ...


def votes_of(cluster: _Cluster, *, dynamic: bool = True) -> Votes:
    """The live votes of a cluster."""
    return Votes(
        nodes=tuple(
            Voter(name=node.name, up=node.state in PRESENT, weight=node.weight, vote=node.dynamic)
            for node in cluster.nodes
        ),
        witness=bool(cluster.witness_state),
        online=cluster.witness_state == "Online",
        witness_vote=cluster.witness_weight,
        dynamic=dynamic,
    )


def recalculated(votes: Votes) -> Votes:
    """The votes anew; only while quorate, after every join, leave and change of the witness."""
    if not votes.dynamic:
        return _voting(votes, {node.name: node.weight for node in votes.nodes}, int(votes.witness))
    each = {node.name: node.weight if node.up else 0 for node in votes.nodes}
    there = sum(each.values())
    online = votes.witness and votes.online
    if online and len(votes.up) == 1 and len(votes.nodes) > 1:
        # The total never falls below three: the node that left last keeps its vote.
        down = [node.name for node in votes.nodes if not node.up]
        each[votes.last_down if votes.last_down in down else down[-1]] = 1
        return _voting(votes, each, 1)
    witness = int(online and there % 2 == 0)
    if there and (there + witness) % 2 == 0:
        voters = [name for name in votes.up if each[name]]
        each[votes.tie if votes.tie in voters else voters[-1]] = 0
    return _voting(votes, each, witness)


def lose(votes: Votes, nodes: Collection[str] = (), *, witness: bool = False, clean: bool = False) -> Loss:
    """Nodes, and the witness, go at one moment. `clean`: one node is stopped, which hands its vote over first.

    Names may be short or full, in any case; what is down already loses nothing more.
    """
    gone = [node.name for node in votes.nodes if any(same_host(node.name, name) for name in nodes)]
    left = replace(
        votes,
        nodes=tuple(replace(node, up=node.up and node.name not in gone) for node in votes.nodes),
        online=votes.online and not witness,
        last_down=gone[-1] if gone else votes.last_down,
    )
    kept = 2 * left.present > votes.total or (clean and votes.dynamic and bool(left.up))
    return Loss(
        lost=(*gone, *([WITNESS] if witness else [])),
        quorum=kept,
        votes=left.present,
        total=votes.total,
        after=recalculated(left) if kept else left,
    )


def returned(votes: Votes, node: str) -> Votes:
    """A node joins again."""
    nodes = tuple(replace(one, up=one.up or same_host(one.name, node)) for one in votes.nodes)
    return recalculated(replace(votes, nodes=nodes))


def losses(votes: Votes, zones: Mapping[str, Collection[str]] | None = None) -> Iterator[Loss]:
    """Every single loss, every double one, then each zone whole; `zones` name what lies in them.

    The witness counts where it has a say: where it is configured and answers.
    """
    each = [*votes.up, *([WITNESS] if votes.witness and votes.online else [])]
    sets: list[tuple[str, ...]] = [*((one,) for one in each), *itertools.combinations(each, 2)]
    for names in (zones or {}).values():
        here = tuple(one for one in each if any(same_host(one, name) for name in names))
        if here and here not in sets:
            sets.append(here)
    for lost in sets:
        yield lose(votes, [one for one in lost if one != WITNESS], witness=WITNESS in lost)


def fatal(votes: Votes, zones: Mapping[str, Collection[str]] | None = None) -> Loss | None:
    """The first loss that costs quorum, the smallest first; None: none of those that are looked at."""
    return next((loss for loss in losses(votes, zones) if not loss.quorum), None)


def _voting(votes: Votes, each: Mapping[str, int], witness: int) -> Votes:
    nodes = tuple(replace(node, vote=each[node.name]) for node in votes.nodes)
    return replace(votes, nodes=nodes, witness_vote=witness)

"""Quorum arithmetic of a failover cluster as pure functions; knows no server, no time and no event.

simulator.md section 3: dynamic quorum with dynamic witness and tie-breaker (Windows Server 2012 R2 and newer), and the
static rule (`DynamicQuorum` 0). Every function takes the state before and returns the state after.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

__all__ = ["Loss", "Quorum", "form", "join", "lose", "recalc", "split"]


@dataclass(frozen=True, kw_only=True)
class Quorum:
    """The votes of one quorate cluster."""

    up: Mapping[int, bool]
    """Node id to whether it is Up or Paused; every node that is not evicted is in it."""
    weights: Mapping[int, int] = field(default_factory=dict[int, int])
    """NodeWeight where it is not 1."""
    votes: Mapping[int, int] = field(default_factory=dict[int, int])
    """DynamicWeight per node, as `recalc` left it."""
    witness: bool = False
    """Configured."""
    witness_online: bool = False
    witness_vote: int = 0
    dynamic: bool = True
    lower_priority: int | None = None
    """`LowerQuorumPriorityNodeID`; None: the highest id that is up loses a tie (lab rule)."""
    last_down: int | None = None
    """The node that went down last."""

    @property
    def total(self) -> int:
        """All votes there are."""
        return sum(self.votes.values()) + self.witness_vote

    @property
    def present(self) -> int:
        """The votes that are there: nodes up, and the witness where it has one and is online."""
        return sum(self.votes.get(node, 0) for node, up in self.up.items() if up) + (
            self.witness_vote if self.witness_online else 0
        )


@dataclass(frozen=True, kw_only=True)
class Loss:
    """What a loss did. Without quorum the cluster service stops everywhere and `after` keeps the votes from before."""

    quorum: bool
    votes: int
    """Votes left, by the weights from before."""
    total: int
    """All votes, by the weights from before."""
    after: Quorum


def recalc(state: Quorum) -> Quorum:
    """The votes anew; only while quorate, after every join, leave and change of the witness."""
    weight = {node: state.weights.get(node, 1) for node in state.up}
    if not state.dynamic:
        return replace(state, votes=weight, witness_vote=int(state.witness))
    votes = {node: weight[node] if up else 0 for node, up in state.up.items()}
    online = state.witness and state.witness_online
    present = sum(votes.values())
    witness_vote = int(online and present % 2 == 0)
    ups = [node for node, up in state.up.items() if up]
    if online and len(ups) == 1 and len(state.up) > 1:
        # The total never falls below 3: the node that left last keeps its vote.
        down = [node for node, up in state.up.items() if not up]
        votes[state.last_down if state.last_down in down else max(down)] = 1
        witness_vote = 1
    elif present > 0 and (present + witness_vote) % 2 == 0:
        voters = [node for node in ups if votes[node]]
        tie = state.lower_priority if state.lower_priority in voters else max(voters)
        votes[tie] = 0
    return replace(state, votes=votes, witness_vote=witness_vote)


def lose(state: Quorum, nodes: Collection[int] = (), *, witness: bool = False, clean: bool = False) -> Loss:
    """Nodes and the witness go at one moment; `clean` is the clean stop of one node, which hands its vote over."""
    total = state.total
    left = {node: up and node not in nodes for node, up in state.up.items()}
    gone = replace(
        state,
        up=left,
        witness_online=state.witness_online and not witness,
        last_down=max(nodes) if nodes else state.last_down,
    )
    if clean and state.dynamic and any(left.values()):
        after = recalc(gone)
        return Loss(quorum=True, votes=gone.present, total=total, after=after)
    votes = gone.present
    if 2 * votes <= total:
        return Loss(quorum=False, votes=votes, total=total, after=replace(gone, votes=state.votes))
    return Loss(quorum=True, votes=votes, total=total, after=recalc(gone))


def join(state: Quorum, node: int) -> Quorum:
    """A node comes (back) up."""
    return recalc(replace(state, up={**state.up, node: True}))


def form(state: Quorum, nodes: Collection[int], *, witness_reachable: bool) -> Quorum | None:
    """What nodes that wait without a cluster make of the votes they remember; None: not enough to form one."""
    votes = sum(state.votes.get(node, 0) for node in nodes) + (state.witness_vote if witness_reachable else 0)
    if not nodes or 2 * votes <= state.total:
        return None
    return recalc(
        replace(
            state,
            up={node: node in nodes for node in state.up},
            witness_online=state.witness and witness_reachable,
        )
    )


def split(
    state: Quorum, parts: Sequence[Collection[int]], *, sees_witness: Sequence[bool], owner: int | None
) -> int | None:
    """The index of the part that keeps quorum when the network falls into `parts`, or None when none does.

    The witness's lock has one holder: the first part that needs it and reaches the share. The part with the owner of
    the core group tries first.
    """
    order = sorted(range(len(parts)), key=lambda index: (owner not in parts[index], index))
    lock_taken = False
    for index in order:
        own = sum(state.votes.get(node, 0) for node in parts[index] if state.up.get(node))
        if 2 * own > state.total:
            return index
        if sees_witness[index] and state.witness_online and not lock_taken and state.witness_vote:
            lock_taken = True
            if 2 * (own + state.witness_vote) > state.total:
                return index
    return None

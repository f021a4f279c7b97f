"""`world.members`: servers joining and leaving a DAG and its cluster; knows no cmdlet text."""

from __future__ import annotations

from starover_lab.world.operations import Operation
from starover_lab.world.state import State

__all__ = ["Members"]


class Members:
    """Membership."""

    def __init__(self, state: State) -> None:
        self._state = state

    def add(self, dag: str, server: str, asked: str, *, dc: str | None = None) -> Operation:
        """Add-DatabaseAvailabilityGroupServer: 150 s for the first member, 180 s for each further one.

        The DC of *that server's* site decides whether the DAG looks empty: if it does, a new cluster is formed, even
        where another DC knows better (invariant I6). Notices: `witness_*`. Raises `not_found` (dag, server),
        `already_member`, `member_elsewhere`, `too_many`, `is_dc`, `other_domain`, `other_os`, `other_version`,
        `witness_is_member`, `feature_pending`, `server_down`, `service_down`, `no_quorum`, `cno_denied`, `cno_in_use`,
        `no_ip_for_subnet`, `ip_in_use`, `no_dc`; `Operation.error`: `server_down`, `no_quorum` when it breaks off.
        """
        raise NotImplementedError

    def remove(
        self, dag: str, server: str, asked: str, *, configuration_only: bool = False, dc: str | None = None
    ) -> Operation:
        """Remove-DatabaseAvailabilityGroupServer; with `configuration_only` AD alone, the cluster keeps its node.

        Raises `not_found`, `not_member`, `has_copies`, `no_quorum`, `server_down`, `no_dc`.
        """
        raise NotImplementedError

    def evict(self, asked: str, node: str) -> None:
        """Remove-ClusterNode: the cluster forgets a node, AD does not.

        Raises `service_down`, `no_quorum`, `not_found`.
        """
        raise NotImplementedError

"""`world.networks`: the networks of a DAG, discovered from its members' cards or set by hand; knows no cmdlet text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from starover_lab.world.state import State

__all__ = ["DagNetworks", "InterfaceView", "NetworkView", "SubnetView"]


@dataclass(frozen=True)
class SubnetView:
    """A subnet of a DAG network."""

    subnet: str
    """CIDR."""
    state: Literal["Up", "Down", "Partitioned", "Misconfigured", "Unavailable", "Unknown"]


@dataclass(frozen=True)
class InterfaceView:
    """A member's card in a DAG network."""

    server: str
    state: Literal["Up", "Failed", "Unreachable", "Unavailable", "Unknown"]
    address: str


@dataclass(frozen=True, kw_only=True)
class NetworkView:
    """A DAG network at one moment."""

    name: str
    description: str
    subnets: tuple[SubnetView, ...]
    interfaces: tuple[InterfaceView, ...]
    mapi_access: bool
    replication: bool
    ignored: bool


class DagNetworks:
    """DAG networks."""

    def __init__(self, state: State) -> None:
        self._state = state

    def of(self, dag: str, asked: str, *, dc: str | None = None) -> list[NetworkView]:
        """Get-DatabaseAvailabilityGroupNetwork. Raises `not_found`, `no_dc`."""
        raise NotImplementedError

    def create(
        self,
        dag: str,
        name: str,
        asked: str,
        *,
        subnets: Sequence[str] = (),
        description: str = "",
        replication: bool = True,
        ignored: bool = False,
        dc: str | None = None,
    ) -> None:
        """New-DatabaseAvailabilityGroupNetwork; a subnet leaves the network it was in.

        Its state is Unknown until networks are discovered. Raises `not_found`, `networks_automatic`, `name_in_use`,
        `syntax` (Name, Subnets), `no_quorum`.
        """
        raise NotImplementedError

    def change(
        self,
        dag: str,
        name: str,
        asked: str,
        *,
        new_name: str | None = None,
        subnets: Sequence[str] | None = None,
        description: str | None = None,
        replication: bool | None = None,
        ignored: bool | None = None,
        dc: str | None = None,
    ) -> None:
        """Set-DatabaseAvailabilityGroupNetwork. Raises as `create`, and `not_found` (object network)."""
        raise NotImplementedError

    def remove(self, dag: str, name: str, asked: str, *, dc: str | None = None) -> None:
        """Remove-DatabaseAvailabilityGroupNetwork. Raises `not_found`, `networks_automatic`, `has_subnets`."""
        raise NotImplementedError

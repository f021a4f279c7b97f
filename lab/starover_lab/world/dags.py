"""`world.dags`: making, changing and removing a DAG object; knows no cmdlet text. Members come and go in `members`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from starover_lab.world.operations import Operation
from starover_lab.world.state import State

__all__ = ["DagChanges", "Dags"]

NetworkOption = Literal["Disabled", "Enabled", "InterSubnetOnly", "SeedOnly"]


@dataclass(frozen=True, kw_only=True)
class DagChanges:
    """What Set-DatabaseAvailabilityGroup is to change; None: leave it."""

    witness_server: str | None = None
    witness_directory: str | None = None
    alternate_witness_server: str | None = None
    """Empty: none any more."""
    alternate_witness_directory: str | None = None
    dac_mode: Literal["Off", "DagOnly"] | None = None
    ip_addresses: Sequence[str] | None = None
    manual_networks: bool | None = None
    discover_networks: bool = False
    network_compression: NetworkOption | None = None
    network_encryption: NetworkOption | None = None
    replication_port: int | None = None
    preference_move_frequency_s: float | Literal["never"] | None = None
    replay_lag_manager: bool | None = None
    auto_reseed: bool | None = None
    auto_redistribute: bool | None = None
    file_system: Literal["NTFS", "ReFS"] | None = None


class Dags:
    """DAG objects."""

    def __init__(self, state: State) -> None:
        self._state = state

    def create(
        self,
        name: str,
        asked: str,
        *,
        witness_server: str = "",
        witness_directory: str = "",
        ip_addresses: Sequence[str] = (),
        file_system: Literal["NTFS", "ReFS"] = "NTFS",
        dc: str | None = None,
    ) -> Operation:
        """New-DatabaseAvailabilityGroup: the AD object on one DC, without members; ends at once.

        Without `witness_directory` the default `C:\\DAGFileShareWitnesses\\NAME.DOMAIN` is made on the witness. No
        address, or 255.255.255.255: without an administrative access point; 0.0.0.0: DHCP. Notices: `witness_*`.
        Raises `syntax` (Name, WitnessServer, WitnessDirectory, DatabaseAvailabilityGroupIpAddresses), `name_in_use`,
        `not_found` (object witness), `witness_default_directory`, `no_dc`.
        """
        raise NotImplementedError

    def change(self, name: str, asked: str, changes: DagChanges, *, dc: str | None = None) -> Operation:
        """Set-DatabaseAvailabilityGroup; any call, without changes too, sets quorum type and witness anew.

        Notices: `witness_*`. Raises `not_found`, `no_quorum` (what the cluster keeps needs it), `server_down`,
        `syntax`, `witness_is_member`, `no_dc`.
        """
        raise NotImplementedError

    def remove(self, name: str, asked: str, *, dc: str | None = None) -> None:
        """Remove-DatabaseAvailabilityGroup. Raises `not_found`, `has_members`, `no_dc`."""
        raise NotImplementedError

"""The door to the simulated estate for cmdlets, wire and control: reads, writes, faults; knows no PowerShell, no wire.

A read answers at once with the facts of this moment, a write makes its transition at once; both raise `WorldError`. How
long a cmdlet takes is the caller's business: it waits with `world.scheduler.wait` (and `WorldError.blocked_s` before it
tells an error). Writes that go on by themselves (mount, move, seed) return the moment at which they are expected to be
done, so that the cmdlet can wait for it. `asked` is the server on which the cmdlet runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

from starover_lab.world.clock import Scheduler
from starover_lab.world.directory import DomainController
from starover_lab.world.entities import Account, AuditRecord, Cluster, Component, Copy, DagObject, Database, Server
from starover_lab.world.errors import Data
from starover_lab.world.events import Event
from starover_lab.world.state import State
from starover_lab.world.views import CopyView, DagStatus, DatabaseView, NodeView, Space

__all__ = ["World"]


class World:
    """One estate and its time."""

    state: State
    """Everything as dataclasses: `state.servers`, `.databases`, `.clusters`, `.accounts`, `.azs`, `.tuning`, `.dice`."""

    @classmethod
    def from_topology(
        cls, topology: str | Path, *, seed: int | None = None, flags: Sequence[str] = (), dag: bool = False
    ) -> World:
        """A world from a topology by name or file; `dag` is short for the flag `dag`. Raises `TopologyError`."""
        raise NotImplementedError

    @property
    def scheduler(self) -> Scheduler:
        """The clock."""
        raise NotImplementedError

    @property
    def now(self) -> datetime:
        """The simulated moment."""
        raise NotImplementedError

    @property
    def events(self) -> list[Event]:
        """All that has happened."""
        raise NotImplementedError

    # -- hosts, people -------------------------------------------------------------------------------------------

    def server(self, name: str) -> Server:
        """A host by short name, FQDN or computer account, whether it is up or not. Raises `not_found`."""
        raise NotImplementedError

    def listener(self, host: str) -> tuple[str, ...]:
        """Faults of a host's WinRM listener now: of `off`, `refused`, `silent`, `slow` (`wire.endpoint.Endpoint.modes`)."""
        raise NotImplementedError

    def account(self, user: str) -> Account | None:
        r"""The account behind `DOMAIN\name`, `name@domain` or `name`; None when unknown or expired."""
        raise NotImplementedError

    def reach(self, asked: str, target: str) -> Server:
        """The target, if `asked` gets an answer from it. Raises `not_found`, `server_down` (with `blocked_s`)."""
        raise NotImplementedError

    def exchange_answers(self, server: str) -> bool:
        """Whether `/PowerShell` of that server takes connections now."""
        raise NotImplementedError

    def pending_services(self, server: str) -> Sequence[str]:
        """Automatic services that are not running."""
        raise NotImplementedError

    def space(self, server: str, path: str) -> Space | None:
        """The volume that a path of that server lies on, now; None when there is no such volume or no server."""
        raise NotImplementedError

    def start_service(self, server: str, service: str) -> datetime:
        """Start a service; returns when it runs. Raises `not_found`, `service_down` when it does not start."""
        raise NotImplementedError

    def stop_service(self, server: str, service: str) -> datetime:
        """Stop a service (clussvc: the node leaves cleanly); returns when it has stopped."""
        raise NotImplementedError

    # -- Active Directory ----------------------------------------------------------------------------------------

    def dc_of(self, asked: str, name: str | None = None) -> DomainController:
        """The DC that a cmdlet on `asked` uses, or the one named. Raises `no_dc`, `not_found`, `server_down`."""
        raise NotImplementedError

    def dag_names(self, asked: str, dc: str | None = None) -> list[str]:
        """The DAGs that this DC knows."""
        raise NotImplementedError

    def dag(self, name: str, asked: str, dc: str | None = None) -> DagObject:
        """A DAG as this DC knows it. Raises `not_found`."""
        raise NotImplementedError

    def dag_status(self, name: str, asked: str, dc: str | None = None) -> DagStatus:
        """The same with what `-Status` asks the cluster. Raises `no_quorum` when no member can tell."""
        raise NotImplementedError

    def dag_of(self, server: str) -> str:
        """The DAG of a server; empty: none."""
        raise NotImplementedError

    # -- cluster -------------------------------------------------------------------------------------------------

    def cluster(self, asked: str) -> Cluster:
        """The cluster as a node sees it. Raises `service_down` (no cluster service there), `no_quorum`."""
        raise NotImplementedError

    def nodes(self, asked: str) -> list[NodeView]:
        """The nodes of that cluster."""
        raise NotImplementedError

    def suspend_node(self, asked: str, node: str, *, drain: bool = False) -> None:
        """Pause a node."""
        raise NotImplementedError

    def resume_node(self, asked: str, node: str) -> None:
        """End a node's pause."""
        raise NotImplementedError

    def move_core_group(self, asked: str, node: str | None = None) -> str:
        """Move the core group (and with it the PAM) to a node that is up; returns its new owner."""
        raise NotImplementedError

    # -- databases and copies ------------------------------------------------------------------------------------

    def database(self, name: str) -> Database:
        """A database. Raises `not_found`."""
        raise NotImplementedError

    def copy(self, database: str, server: str) -> Copy:
        """One copy. Raises `not_found`."""
        raise NotImplementedError

    def databases_on(self, server: str) -> list[Database]:
        """Databases with a copy on that server, by name."""
        raise NotImplementedError

    def database_view(self, name: str, asked: str) -> DatabaseView:
        """A database now, as `Get-MailboxDatabase -Status` shows it."""
        raise NotImplementedError

    def copy_view(self, database: str, server: str, asked: str) -> CopyView:
        """One copy now, as `Get-MailboxDatabaseCopyStatus` shows it; `ServiceDown` when its server does not answer."""
        raise NotImplementedError

    def suspend_copy(
        self, database: str, server: str, asked: str, *, comment: str = "", activation_only: bool = False
    ) -> None:
        """Suspend-MailboxDatabaseCopy. Raises `active_copy`, `already_suspended`, `server_down`, `service_down`."""
        raise NotImplementedError

    def resume_copy(self, database: str, server: str, asked: str, *, replication_only: bool = False) -> None:
        """Resume-MailboxDatabaseCopy. A copy that needs a reseed falls back to FailedAndSuspended after a while."""
        raise NotImplementedError

    def update_copy(
        self,
        database: str,
        server: str,
        asked: str,
        *,
        source: str | None = None,
        delete_existing: bool = False,
        manual_resume: bool = False,
    ) -> datetime:
        """Update-MailboxDatabaseCopy: begin a seed; returns when it should be done (see `copy_view().seed_percent`).

        Raises `active_copy`, `must_be_suspended`, `files_exist`, `seed_in_progress`, `source_unhealthy`, `disk_full`.
        """
        raise NotImplementedError

    def cancel_seed(self, database: str, server: str, asked: str) -> None:
        """Update-MailboxDatabaseCopy -CancelSeed."""
        raise NotImplementedError

    def set_preference(self, database: str, server: str, asked: str, preference: int) -> None:
        """Set-MailboxDatabaseCopy -ActivationPreference: take out, insert, renumber 1..n. Raises `invalid`."""
        raise NotImplementedError

    def set_lag(
        self,
        database: str,
        server: str,
        asked: str,
        *,
        replay_s: float | None = None,
        truncation_s: float | None = None,
    ) -> None:
        """Set-MailboxDatabaseCopy -ReplayLagTime, -TruncationLagTime; at most 14 days. Raises `invalid`."""
        raise NotImplementedError

    def mount(self, database: str, asked: str, *, force: bool = False) -> datetime:
        """Mount-Database on the server with the active copy; returns when it should be mounted."""
        raise NotImplementedError

    def dismount(self, database: str, asked: str) -> datetime:
        """Dismount-Database; returns when it is dismounted."""
        raise NotImplementedError

    def move_active(
        self, database: str, asked: str, *, target: str | None = None, dial: str = "Lossless", comment: str = ""
    ) -> datetime:
        """Move-ActiveMailboxDatabase; returns when it should be mounted on the target."""
        raise NotImplementedError

    # -- Exchange servers ----------------------------------------------------------------------------------------

    def components(self, server: str, asked: str) -> list[tuple[Component, str]]:
        """Each component and its effective state (`Active`, `Inactive`, `Draining`)."""
        raise NotImplementedError

    def set_component(
        self,
        server: str,
        asked: str,
        component: str,
        state: Literal["Active", "Inactive", "Draining"],
        requester: str,
        *,
        local_only: bool = False,
        remote_only: bool = False,
    ) -> None:
        """Set-ServerComponentState. Raises `not_found`, `invalid`."""
        raise NotImplementedError

    def set_activation(
        self,
        server: str,
        asked: str,
        *,
        policy: Literal["Unrestricted", "IntrasiteOnly", "Blocked"] | None = None,
        disabled_and_move_now: bool | None = None,
    ) -> None:
        """Set-MailboxServer -DatabaseCopyAutoActivationPolicy, -DatabaseCopyActivationDisabledAndMoveNow."""
        raise NotImplementedError

    # -- records and faults --------------------------------------------------------------------------------------

    def record_audit(self, record: AuditRecord) -> None:
        """Keep a mutating cmdlet in the admin audit log (also when it failed)."""
        raise NotImplementedError

    def fault(self, kind: str, target: str = "", **params: Data) -> int:
        """Break something; returns the fault's number. Raises `FaultError` with the known kinds, targets, parameters."""
        raise NotImplementedError

    def mend(self, number: int | None = None, *, kind: str = "", target: str = "") -> list[int]:
        """Undo a fault by number, or all of a kind and target, or all; returns the numbers undone."""
        raise NotImplementedError

    def faults(self) -> list[Mapping[str, Data]]:
        """The faults in force: number, kind, target, params, since."""
        raise NotImplementedError

    def violations(self) -> list[Mapping[str, Data]]:
        """Invariants that were broken: id, time, text, event."""
        raise NotImplementedError

    def snapshot(self) -> dict[str, Data]:
        """The whole state as JSON-able data."""
        raise NotImplementedError

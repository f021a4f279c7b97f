"""What a write that takes its time hands back: when it ends, what it warns of, why it failed; knows no transition."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from starover_lab.world.errors import Data, WorldError

__all__ = ["Notice", "NoticeKind", "Operation"]

NoticeKind = Literal[
    "witness_access_denied",  # Exchange Trusted Subsystem is no administrator of the witness: data server, directory
    "witness_path_not_found",  # SMB is closed there, or the host is down: data server
    "witness_rpc_unavailable",  # WMI is closed there, or the host is down: data server, directory
    "not_evicted",  # Restore marked it stopped and could not remove it from the cluster: data server, dag
    "node_not_started",  # a survivor did not join in time: data server, dag
    "copy_needs_seed",  # the new copy is suspended until it is seeded: data copy
    "restart_store",  # first further copy on that server, MSExchangeIS should be restarted: data server
    "files_left",  # the copy is removed, its files stay: data copy, server, edb_path, log_path
]


@dataclass(frozen=True)
class Notice:
    """Something that a cmdlet warns of although it goes on."""

    kind: NoticeKind
    message: str
    data: dict[str, Data] = field(default_factory=dict[str, Data])


@dataclass(eq=False)
class Operation:
    """A write under way. Wait until `ends`, then read `notices` and call `result`."""

    ends: datetime
    notices: list[Notice] = field(default_factory=list[Notice])
    """Whole only when it has ended."""
    error: WorldError | None = None
    """Set at its end when it failed there."""

    def result(self) -> None:
        """Raise what it failed with."""
        if self.error is not None:
            raise self.error

    def warn(self, kind: NoticeKind, message: str, **data: Data) -> None:
        """Add a notice."""
        self.notices.append(Notice(kind, message, data))

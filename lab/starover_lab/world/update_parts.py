"""Windows updates of a host, and its scheduled tasks, as data; knows no rule, no host and no PowerShell."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

__all__ = ["HistoryEntry", "ScheduledTask", "Update", "UpdateState"]

UpdateState = Literal["applicable", "downloaded", "installing", "pending_reboot", "installed", "failed"]


@dataclass(eq=False)
class Update:
    """An update that a host is offered, or was."""

    id: UUID
    kb: str
    """`KB5044411`."""
    title: str
    size: int
    """Bytes to download."""
    install_s: float
    reboot: Literal["never", "always", "can"] = "never"
    categories: tuple[str, ...] = ("Security Updates",)
    severity: str = ""
    """`Critical`, `Important`, `Moderate`, `Low`, or empty."""
    revision: int = 200
    browse_only: bool = False
    after: str = ""
    """KB that must be installed first: it is offered only then."""
    eula_accepted: bool = True
    hidden: bool = False
    state: UpdateState = "applicable"
    hresult: int = 0
    """Of the last installation, unsigned."""
    installed_at: datetime | None = None
    hung_by: set[int] = field(default_factory=set[int])
    """Numbers of faults: its installation never ends."""
    failing: dict[int, int] = field(default_factory=dict[int, int])
    """Number of a fault to the HRESULT that its installation ends with."""
    looping_by: set[int] = field(default_factory=set[int])
    """Numbers of faults: after the reboot it is offered again, although its installation succeeded."""


@dataclass(frozen=True, kw_only=True)
class HistoryEntry:
    """One line of the update history."""

    title: str
    kb: str
    update_id: UUID
    revision: int
    time: datetime
    result: int
    """2 succeeded, 3 with errors, 4 failed, 5 aborted."""
    hresult: int


@dataclass(eq=False)
class ScheduledTask:
    """A registered task."""

    path: str
    """Folder, with a backslash on both ends."""
    name: str
    execute: str
    arguments: str
    working_directory: str
    user: str
    logon_type: str
    run_level: str
    description: str
    limit: timedelta | None
    """None: no time limit."""
    multiple: str
    """`IgnoreNew`, `Parallel`, `Queue`, `StopExisting`."""
    author: str
    registered: datetime
    disabled: bool = False
    running: int = 0
    """Instances at work."""
    last_run: datetime | None = None
    last_result: int = 267011
    """0x41303: it has not run yet."""

    @property
    def key(self) -> str:
        """How the host keeps it."""
        return (self.path + self.name).casefold()

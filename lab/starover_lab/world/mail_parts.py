"""Mail as data: the queues of a transport server and the connectors that send mail out; knows no rule and no host."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

__all__ = ["Mail", "MailQueue", "MonitoringOverride", "Pressure", "QueueKind", "QueueView", "SendConnector"]

QueueKind = Literal["submission", "database", "connector", "shadow", "poison"]


@dataclass(eq=False)
class MailQueue:
    r"""One queue of a server. Its messages stood at `amount` at `since` and change by `rate` a second since then."""

    name: str
    r"""Behind the server's name: `Submission`, `7`, `Shadow\3`, `Poison`."""
    kind: QueueKind
    about: str
    """The database, connector or server that it is for; empty for the others."""
    since: datetime
    amount: float = 0.0
    rate: float = 0.0
    level: float = 0.0
    """Messages just passing through: it does not fall below them."""
    arriving: float = 0.0
    """Messages a second that come in."""
    held: int = 0
    """Fault `queue_stuck`: messages that nothing moves."""
    suspended: bool = False
    trouble: str = ""
    """Why nothing leaves; empty: it does."""
    troubled_since: datetime | None = None
    retried: datetime | None = None
    """Last attempt by hand."""
    redirected_to: str = ""
    """Server that the messages are being moved to."""

    def count(self, now: datetime) -> int:
        """Messages in it."""
        return self.held + int(self.flowing(now) + 1e-6)

    def flowing(self, now: datetime) -> float:
        """Messages in it that can move."""
        moved = self.amount + self.rate * (now - self.since).total_seconds()
        return max(moved, self.level) if self.rate < 0 else moved


@dataclass(frozen=True, kw_only=True)
class QueueView:
    """A queue as `Get-Queue` shows it."""

    name: str
    delivery: str
    next_hop: str
    status: Literal["Active", "Ready", "Retry", "Suspended"]
    messages: int
    incoming: float
    outgoing: float
    last_error: str = ""
    retries: int = 0
    last_retry: datetime | None = None
    next_retry: datetime | None = None


@dataclass(frozen=True)
class Pressure:
    """A resource that transport watches, when it is not normal."""

    resource: str
    level: Literal["Medium", "High"]
    since: datetime


@dataclass(eq=False)
class SendConnector:
    """A connector by which mail leaves the organization."""

    name: str
    source_servers: tuple[str, ...]
    """Short names."""
    smart_hosts: tuple[str, ...] = ()
    """Empty: by DNS."""
    address_spaces: tuple[str, ...] = ("SMTP:*;1",)
    enabled: bool = True
    comment: str = ""


@dataclass(frozen=True, kw_only=True)
class MonitoringOverride:
    """A wish that a probe, monitor, responder or maintenance item behaves otherwise on one server."""

    health_set: str
    item: str
    item_type: str
    """`Probe`, `Monitor`, `Responder`, `Maintenance`."""
    property_name: str
    value: str
    target: str = ""
    """Resource it is narrowed to; empty: any."""
    created: datetime
    created_by: str
    expires: datetime | None = None
    apply_version: str = ""

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        """What tells two of them apart."""
        return (self.health_set, self.item, self.target, self.item_type.casefold(), self.property_name.casefold())


@dataclass(eq=False)
class Mail:
    """What transport and monitoring of one Exchange server keep."""

    queues: list[MailQueue] = field(default_factory=list[MailQueue])
    next_number: int = 3
    hub_state: str = "Active"
    """State of HubTransport as the running service read it last."""
    hub_differs_since: datetime | None = None
    """Since then the component has another state than the service knows of."""
    runs_since: datetime | None = None
    """The transport service runs since then; None: it does not."""
    pressure: Pressure | None = None
    """Fault `backpressure`."""
    disk_full_since: datetime | None = None
    engine_stuck_since: datetime | None = None
    """Fault `malware_engine_stuck`."""
    bypass_filtering: bool = False
    overrides: list[MonitoringOverride] = field(default_factory=list[MonitoringOverride])

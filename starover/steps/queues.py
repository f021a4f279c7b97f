"""Transport of one server: draining it, sending its mail elsewhere, taking it up again; knows no runbook.

S-HUB-DRAIN, S-REDIRECT and the hub's part of S-ONLINE (catalogue 5.5).
"""

from __future__ import annotations

from collections.abc import Sequence

from starover.estate import Server
from starover.runbook import Steps
from starover.step import Blocked, Change, Left, Query, Report, Risk, Settle, Step, step, wait
from starover.steps.components import HUB, ComponentState, find, hub_held, offline
from starover.steps.copies import CopyStatus

__all__ = [
    "Queue",
    "ServiceFact",
    "Snapshot",
    "Transport",
    "drained",
    "hub_drained",
    "hub_restored",
    "messages_in",
    "queues_retried",
    "redirected",
    "snapshot",
    "submission_resumed",
    "transport",
]


class Queue(Report):
    """A transport queue."""

    identity: str
    """`EX1\\Submission`."""
    delivery: str
    """`SmtpDeliveryToMailbox`, `ShadowRedundancy`..."""
    status: str
    """`Active`, `Ready`, `Retry`, `Suspended`, `Connecting`."""
    messages: int
    hop: str
    error: str

    @property
    def name(self) -> str:
        """Its identity without the server."""
        return self.identity.partition("\\")[2] or self.identity

    @property
    def counts(self) -> bool:
        """Whether what is in it should leave: shadow copies and poison stay where they are."""
        name = self.name.casefold()
        return not (name.startswith("shadow") or name == "poison" or self.delivery == "ShadowRedundancy")


class ServiceFact(Report):
    """A Windows service."""

    name: str
    status: str
    start: str
    """`Automatic`, `Manual`, `Disabled`."""


class Transport(Report):
    """The transport of a server (`transport/state.ps1.j2`)."""

    components: tuple[ComponentState, ...]
    queues: tuple[Queue, ...]
    answers: bool
    """The transport service could be asked."""


class Snapshot(Report):
    """A server before it is taken out of service (`maintenance/snapshot.ps1.j2`), which its return restores."""

    policy: str
    move_now: bool
    components: tuple[ComponentState, ...]
    copies: tuple[CopyStatus, ...]
    services: tuple[ServiceFact, ...]
    queues: tuple[Queue, ...]
    answers: bool

    def service(self, name: str) -> ServiceFact | None:
        """A service by name, in any case; None: the host lacks it."""
        return next((one for one in self.services if one.name.casefold() == name.casefold()), None)


transport = Query("transport/state.ps1.j2", Transport)
"""Argument: `server`."""
snapshot = Query("maintenance/snapshot.ps1.j2", Snapshot)
"""Argument: `server`, which is the host that is asked too: services are its own."""


def messages_in(queues: Sequence[Queue]) -> int:
    """Messages that should still leave."""
    return sum(one.messages for one in queues if one.counts)


def _drain_back(prev: Snapshot, at: Server, /, *, server: str) -> Step | None:
    return hub_restored.on(at, server=server) if hub_held(prev.components) == "Active" else None


@step(
    check=snapshot,
    apply="component/drain_hub.ps1.j2",
    risk=Risk.SERVICE,
    settle=Settle(every=10, limit=300),
    undo=_drain_back,
)
def hub_drained(now: Snapshot, /, *, server: str) -> Change | Blocked | None:
    """A server takes no new mail for transport (S-HUB-DRAIN). Its first reading is what maintenance restores."""
    if find(now.components, HUB) is None:
        return Blocked(f"{server} has no component {HUB}", certain=("nothing was changed",))
    was = hub_held(now.components)
    if was != "Active" and now.answers:
        return None
    return Change(f"{HUB} of {server}", was, "Draining")


def _restore_back(prev: Transport, at: Server, /, *, server: str) -> Step | None:
    return hub_drained.on(at, server=server) if hub_held(prev.components) != "Active" else None


@step(
    check=transport,
    apply="component/restore_hub.ps1.j2",
    risk=Risk.SERVICE,
    settle=Settle(every=10, limit=300),
    undo=_restore_back,
)
def hub_restored(now: Transport, /, *, server: str) -> Change | Blocked | None:
    """A server takes mail for transport again, and its transport answers (S-ONLINE, part hub)."""
    if find(now.components, HUB) is None:
        return Blocked(f"{server} has no component {HUB}", certain=("nothing was changed",))
    was = hub_held(now.components)
    if was == "Active" and now.answers:
        return None
    seen = was if was != "Active" else "Active, transport does not answer"
    return Change(f"{HUB} of {server}", seen, "Active")


def _gone(now: Transport, allowed: int) -> bool:
    """Nothing is left to be moved: it is drained and empty, or out of service with what was allowed to stay."""
    left = messages_in(now.queues)
    if not now.answers or hub_held(now.components) == "Active":
        return False
    return left == 0 or (offline(now.components) and left <= allowed)


def _left(now: Transport) -> Left:
    return Left(amount=messages_in(now.queues), unit="messages")


@step(
    check=transport,
    apply="transport/redirect.ps1.j2",
    risk=Risk.SERVICE,
    settle=Settle(every=10, limit=480, stall=120),
    progress=_left,
    lenient=True,
)
def redirected(now: Transport, /, *, server: str, target: str, allowed: int) -> Change | Blocked | None:
    """What waits in the queues of a server is handed to another one (S-REDIRECT)."""
    del target
    return None if _gone(now, allowed) else Change(f"queues of {server}", "may hold mail", "empty")


@step(
    check=transport,
    apply="transport/retry.ps1.j2",
    risk=Risk.SERVICE,
    settle=Settle(every=10, limit=120),
    progress=_left,
    lenient=True,
)
def queues_retried(now: Transport, /, *, server: str, allowed: int) -> Change | Blocked | None:
    """What is stuck in the queues of a server is tried once more (S-REDIRECT)."""
    return None if _gone(now, allowed) else Change(f"stuck queues of {server}", "may hold mail", "tried again")


def drained(server: Server, allowed: int) -> Steps:
    """Wait until no more than `allowed` messages are left; which, the error tells. Maintenance is not undone for it."""

    def until(now: Transport) -> bool:
        return now.answers and messages_in(now.queues) <= allowed

    yield from wait(
        transport,
        server,
        until=until,
        settle=Settle(every=10, limit=10),
        progress=_left,
        what=f"at most {allowed} messages left in the queues of {server.name}",
        expected=True,
        server=server.name,
    )


@step(check=transport, apply="transport/resume.ps1.j2", risk=Risk.SERVICE, settle=Settle(every=10, limit=120))
def submission_resumed(now: Transport, /, *, server: str, queue: str) -> Change | Blocked | None:
    """The submission queue of a server moves (S-ONLINE).

    `queue` is its identity.
    """
    one = next((one for one in now.queues if one.identity.casefold() == queue.casefold()), None)
    if one is None or one.status != "Suspended":
        return None
    return Change(f"submission queue of {server}", "Suspended", "moving")

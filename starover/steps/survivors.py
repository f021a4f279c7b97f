"""The surviving side and its domain controllers: which ones its servers may not ask any more (S-PREFDC); no cluster."""

from __future__ import annotations

from collections.abc import Sequence

from starover.estate import Server
from starover.names import same_host
from starover.runbook import Steps, attempt, together
from starover.step import Blocked, Change, Query, Report, Risk, Settle, Step, step, wait
from starover.steps.dag import short

__all__ = [
    "Masters",
    "UsedControllers",
    "bound_to_lost",
    "controllers_excluded",
    "lost_controllers_left_out",
    "masters",
    "masters_lost",
    "topology_restarted",
    "used_controllers",
]


TOPOLOGY = "MSExchangeADTopology"
REBOUND = Settle(every=30, limit=300)
"""How long Exchange is given to leave a lost domain controller by itself."""


class UsedControllers(Report):
    """The domain controllers of one server with Exchange (`recovery/controllers.ps1.j2`)."""

    name: str
    current: tuple[str, ...]
    """CurrentConfigDomainController first."""
    excluded: tuple[str, ...]
    """StaticExcludedDomainControllers."""


used_controllers = Query("recovery/controllers.ps1.j2", UsedControllers)
"""Argument: `server`, its name."""


class Master(Report):
    """A role of which there is one, and the FQDN of the domain controller that has it."""

    role: str
    holder: str


class Masters(Report):
    """All five (`ad/masters.ps1.j2`)."""

    masters: tuple[Master, ...]


masters = Query("ad/masters.ps1.j2", Masters, deadline=30)
"""Argument: `controller`, the FQDN of the domain controller that is asked."""


def masters_lost(controller: Server | None, lost: Sequence[str]) -> Steps[list[str]]:
    """Which roles are with domain controllers that are lost, in words; they are told, and never seized here."""
    if controller is None or not lost:
        return []
    seen = yield from attempt(masters.read(controller, controller=controller.fqdn))
    if not isinstance(seen, Masters):
        return [f"who holds the domain's master roles could not be read on {controller.name}"]
    held: dict[str, list[str]] = {}
    for one in seen.masters:
        if any(same_host(short(one.holder), short(name)) for name in lost):
            held.setdefault(short(one.holder), []).append(one.role)
    return [
        f"{holder} is lost and holds {', '.join(roles)}: mail needs none of them for now; seizing is for a person, and"
        f" then {holder} may never come back"
        for holder, roles in held.items()
    ]


def _same(one: Sequence[str], other: Sequence[str]) -> bool:
    return all(any(same_host(a, b) for b in other) for a in one) and len(one) == len(other)


def _back(prev: UsedControllers, asked: Server, /, *, server: str, excluded: Sequence[str]) -> Step | None:
    if _same(prev.excluded, excluded):
        return None
    return controllers_excluded.on(asked, server=server, excluded=prev.excluded)


@step(check=used_controllers, apply="recovery/exclude_controllers.ps1.j2", risk=Risk.LOW, undo=_back)
def controllers_excluded(now: UsedControllers, /, *, server: str, excluded: Sequence[str]) -> Change | Blocked | None:
    """A server with Exchange asks none of these domain controllers (S-PREFDC). What was before comes back by undo."""
    if _same(now.excluded, excluded):
        return None
    before = ", ".join(map(short, now.excluded)) or "none"
    return Change(f"{server} domain controllers left out", before, ", ".join(map(short, excluded)) or "none")


def _bound(now: UsedControllers, lost: Sequence[str]) -> list[str]:
    """Those of the lost that a server still works with."""
    return list(dict.fromkeys(short(one) for one in now.current if any(same_host(short(one), short(x)) for x in lost)))


@step(
    check=used_controllers,
    apply="service/restart.ps1.j2",
    risk=Risk.SERVICE,
    settle=Settle(every=15, limit=900),
    deadline=600,
)
def topology_restarted(
    now: UsedControllers, /, *, server: str, lost: tuple[str, ...], service: str = TOPOLOGY
) -> Change | Blocked | None:
    """A survivor works with living domain controllers: its topology service and all that need it have started anew.

    Where Exchange has found them by itself meanwhile, nothing is restarted. Its databases are down anyway (S-PREFDC).
    """
    bound = _bound(now, lost)
    if not bound:
        return None
    return Change(f"{server} works with", ", ".join(bound), "living ones", f"{service} restarted with what needs it")


def bound_to_lost(asked: Server, survivors: Sequence[Server], lost: Sequence[str]) -> Steps[list[Server]]:
    """The survivors that work with a lost domain controller now; whoever cannot be read is not among them."""
    if not lost:
        return []
    seen = yield from together(attempt(used_controllers.read(asked, server=one.name)) for one in survivors)
    pairs = zip(survivors, seen, strict=True)
    return [server for server, now in pairs if isinstance(now, UsedControllers) and _bound(now, lost)]


def lost_controllers_left_out(
    asked: Server, survivors: Sequence[Server], lost: Sequence[str], bound: Sequence[Server]
) -> Steps:
    """S-PREFDC: no survivor asks a lost domain controller; `lost` are FQDNs, none: nothing to do.

    Those that are `bound` to one have five minutes to find another; then their topology service is restarted.
    """
    if not lost:
        return
    for server in survivors:
        yield controllers_excluded.on(asked, server=server.name, excluded=tuple(lost))
    yield from together(_rebound(asked, server, tuple(lost)) for server in bound)


def _rebound(asked: Server, server: Server, lost: tuple[str, ...]) -> Steps:
    yield from wait(
        used_controllers,
        asked,
        until=lambda now: not _bound(now, lost),
        settle=REBOUND,
        what=f"{server.name} works with living domain controllers",
        expected=True,
        lenient=True,
        server=server.name,
    )
    yield topology_restarted.on(server, server=server.name, lost=lost)

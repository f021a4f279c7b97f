"""Server components: who holds them how, and setting them for one requester (S-ONLINE, S-OFFLINE); knows no runbook."""

from __future__ import annotations

from collections.abc import Sequence

from starover.estate import Server
from starover.step import Blocked, Change, Query, Report, Risk, Settle, Step, step
from starover.steps.health import ALWAYS_INACTIVE

__all__ = [
    "HUB",
    "MAINTENANCE",
    "STAY",
    "WIDE",
    "ComponentState",
    "ComponentStates",
    "Held",
    "component_set",
    "component_states",
    "find",
    "hub_held",
    "offline",
    "server_offline",
    "still_on",
]

HUB = "HubTransport"
WIDE = "ServerWideOffline"
MAINTENANCE = "Maintenance"
"""The requester of everything that maintenance sets."""
STAY = frozenset({"monitoring", "recoveryactionsenabled"})
"""Components that ServerWideOffline leaves alone."""


class Held(Report):
    """What one requester wants of a component."""

    requester: str
    state: str
    local: bool
    """On the server itself; else in AD."""


class ComponentState(Report):
    """A server component: it is Active only when no requester holds it otherwise."""

    name: str
    state: str
    """The effective one: `Active`, `Inactive`, `Draining`."""
    held: tuple[Held, ...]
    """Mostly empty: who never set anything has no entry."""

    def by(self, requester: str) -> str:
        """What a requester wants; `Active` where it never said anything, and its gravest word where two differ."""
        said = [one.state for one in self.held if one.requester.casefold() == requester.casefold()]
        return next((state for state in ("Inactive", "Draining") if state in said), "Active")


class ComponentStates(Report):
    """Every component of a server (`component/states.ps1.j2`)."""

    components: tuple[ComponentState, ...]


component_states = Query("component/states.ps1.j2", ComponentStates)
"""Argument: `server`."""


def find(components: Sequence[ComponentState], name: str) -> ComponentState | None:
    """A component by name, in any case; None: this version has none."""
    return next((one for one in components if one.name.casefold() == name.casefold()), None)


def offline(components: Sequence[ComponentState]) -> bool:
    """Whether the server as a whole is out of service."""
    wide = find(components, WIDE)
    return wide is not None and wide.state == "Inactive"


def hub_held(components: Sequence[ComponentState]) -> str:
    """What maintenance wants of HubTransport: `Active` where it wants nothing."""
    hub = find(components, HUB)
    return hub.by(MAINTENANCE) if hub is not None else "Active"


def still_on(components: Sequence[ComponentState]) -> tuple[str, ...]:
    """Components that serve although the server is to be offline."""
    return tuple(
        one.name for one in components if one.name.casefold() not in STAY | ALWAYS_INACTIVE and one.state != "Inactive"
    )


def _component_back(
    prev: ComponentStates, at: Server, /, *, server: str, component: str, state: str, requester: str
) -> Step | None:
    was = find(prev.components, component)
    if was is None or was.by(requester) == state:
        return None
    return component_set.on(at, server=server, component=component, state=was.by(requester), requester=requester)


@step(
    check=component_states,
    apply="component/set.ps1.j2",
    risk=Risk.SERVICE,
    settle=Settle(every=5, limit=120),
    undo=_component_back,
)
def component_set(
    now: ComponentStates, /, *, server: str, component: str, state: str, requester: str
) -> Change | Blocked | None:
    """A component is as one requester wants it; others may still hold it otherwise (S-ONLINE)."""
    was = find(now.components, component)
    if was is None:
        return Blocked(f"{server} has no component {component}", certain=("nothing was changed",))
    if was.by(requester) == state:
        return None
    return Change(f"{component} of {server}", was.by(requester), state, note=f"requester {requester}")


def _offline_back(prev: ComponentStates, at: Server, /, *, server: str) -> Step | None:
    was = find(prev.components, WIDE)
    if was is None or was.by(MAINTENANCE) == "Inactive":
        return None
    return component_set.on(at, server=server, component=WIDE, state=was.by(MAINTENANCE), requester=MAINTENANCE)


@step(
    check=component_states,
    apply="component/set_offline.ps1.j2",
    risk=Risk.SERVICE,
    settle=Settle(every=5, limit=120),
    undo=_offline_back,
)
def server_offline(now: ComponentStates, /, *, server: str) -> Change | Blocked | None:
    """No component of a server serves but those that watch it (S-OFFLINE)."""
    wide = find(now.components, WIDE)
    if wide is None:
        return Blocked(f"{server} has no component {WIDE}", certain=("nothing was changed",))
    if wide.by(MAINTENANCE) == "Inactive" and not still_on(now.components):
        return None
    return Change(f"{WIDE} of {server}", wide.by(MAINTENANCE), "Inactive", note=f"requester {MAINTENANCE}")

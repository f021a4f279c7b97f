"""Backends of Zevenet and SKUDONET farms: serving, in maintenance (S-FARM); knows no DAG and no inventory.

Every query and step is a call as data to the balancer's API; the server is the one whose backend it is, and is not
contacted.
"""

from __future__ import annotations

from starover.estate import Server
from starover.step import Blocked, Change, Query, Report, Risk, Settle, Step, step

__all__ = [
    "MAINTENANCE",
    "UP",
    "Backend",
    "Farm",
    "Farms",
    "Service",
    "backend_in_maintenance",
    "backend_up",
    "farm_state",
    "farms_of",
]

UP = "up"
MAINTENANCE = "maintenance"
LAST_VIP = "G-LASTVIP"
_RESTART = "needed restart"
_TAKES = Settle(every=5, limit=120)
"""P(5s,2m)."""


class FarmRow(Report):
    """A farm in the list."""

    name: str
    profile: str
    """`http`, `https`, `l4xnat`, or one whose backends have no maintenance."""
    status: str
    """Such as `up`, `down`, `needed restart`, `critical`."""

    @property
    def balances(self) -> bool:
        """Whether its backends are servers that can be taken out."""
        return self.profile in ("http", "https", "l4xnat")


class Farms(Report):
    """The farms of a balancer (`zevenet/farms.call.j2`)."""

    farms: tuple[FarmRow, ...]


class Backend(Report):
    """A server behind a farm."""

    id: int
    address: str
    status: str
    """`up`, `down`, `fgDOWN` (the farm's own check found it so), `maintenance`, `undefined`."""


class Service(Report):
    """A service of an HTTP farm."""

    name: str
    backends: tuple[Backend, ...]


class Farm(Report):
    """A farm (`zevenet/farm.call.j2`): backends stand in it (L4xNAT), or in its services (HTTP)."""

    status: str
    backends: tuple[Backend, ...] | None
    services: tuple[Service, ...] | None

    def of(self, service: str) -> tuple[Backend, ...]:
        """The backends of a service; empty name: those of the farm itself."""
        if not service:
            return self.backends or ()
        return next((one.backends for one in self.services or () if one.name == service), ())

    def find(self, service: str, backend: int) -> Backend | None:
        """A backend by its id."""
        return next((one for one in self.of(service) if one.id == backend), None)

    def all(self) -> tuple[tuple[str, Backend], ...]:
        """Every backend with its service; an empty one in a farm that has none."""
        own = [("", one) for one in self.backends or ()]
        return (*own, *((service.name, one) for service in self.services or () for one in service.backends))


farms_of = Query("zevenet/farms.call.j2", Farms)
"""Argument: `balancer`."""
farm_state = Query("zevenet/farm.call.j2", Farm)
"""Arguments: `balancer`, `farm`."""


def _up_again(prev: Farm, server: Server, /, *, balancer: str, farm: str, service: str, backend: int) -> Step | None:
    was = prev.find(service, backend)
    out = was is None or was.status == MAINTENANCE
    return None if out else backend_up.on(server, balancer=balancer, farm=farm, service=service, backend=backend)


@step(check=farm_state, apply="zevenet/maintenance.call.j2", risk=Risk.SERVICE, settle=_TAKES, undo=_up_again)
def backend_in_maintenance(
    now: Farm, /, *, balancer: str, farm: str, service: str, backend: int
) -> Change | Blocked | None:
    """A backend that gets no new connections; those it has may end (mode drain).

    G-LASTVIP: another backend of the same service must be up.
    """
    del balancer
    found = now.find(service, backend)
    if found is None:
        return _unknown(farm, service, backend)
    if found.status == MAINTENANCE:
        return None
    others = [one for one in now.of(service) if one.id != backend and one.address != found.address]
    if not any(one.status == UP for one in others):
        return Blocked(
            f"{LAST_VIP}: no other backend of {_called(farm, service)} is up",
            guard=LAST_VIP,
            certain=(
                f"this one: {found.address} {found.status}",
                f"others: {', '.join(f'{one.address} {one.status}' for one in others) or 'none'}",
            ),
            next=("bring another server into service first",),
        )
    return _locked(now, farm, service) or Change(f"{_called(farm, service)} {found.address}", found.status, MAINTENANCE)


def _out_again(prev: Farm, server: Server, /, *, balancer: str, farm: str, service: str, backend: int) -> Step | None:
    was = prev.find(service, backend)
    if was is None or was.status != MAINTENANCE:
        return None
    return backend_in_maintenance.on(server, balancer=balancer, farm=farm, service=service, backend=backend)


@step(check=farm_state, apply="zevenet/up.call.j2", risk=Risk.SERVICE, settle=_TAKES, undo=_out_again)
def backend_up(now: Farm, /, *, balancer: str, farm: str, service: str, backend: int) -> Change | Blocked | None:
    """A backend that is in maintenance no more. That the farm's checks find it up is another fact."""
    del balancer
    found = now.find(service, backend)
    if found is None:
        return _unknown(farm, service, backend)
    if found.status != MAINTENANCE:
        return None
    return _locked(now, farm, service) or Change(f"{_called(farm, service)} {found.address}", found.status, UP)


def _called(farm: str, service: str) -> str:
    return f"{farm} {service}" if service else farm


def _unknown(farm: str, service: str, backend: int) -> Blocked:
    return Blocked(f"{_called(farm, service)} has no backend {backend}", guard="G-INV")


def _locked(now: Farm, farm: str, service: str) -> Blocked | None:
    """An HTTP farm that waits for a restart takes no maintenance: the balancer would refuse it."""
    if not service or now.status != _RESTART:
        return None
    return Blocked(
        f"S-FARM: {farm} needs a restart first, and takes no change until then",
        guard="S-FARM",
        certain=("nothing was changed",),
        next=(f"restart the farm {farm} in the balancer's own interface when its clients can bear it",),
    )

"""Which backends a server is in the farms of the estate's balancers, taken out and put back (S-FARM); knows no DAG.

Balancers are those of the inventory of the kind `zevenet` that have an `api:`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from starover.errors import BadParameter
from starover.estate import Balancer, Estate, Server
from starover.runbook import Steps, recall, together
from starover.step import Settle, Step, wait
from starover.steps.farms import (
    MAINTENANCE,
    UP,
    Farm,
    FarmRow,
    backend_in_maintenance,
    backend_up,
    farm_state,
    farms_of,
)

__all__ = ["FARM_STEPS", "BackendOf", "backends_of", "every_farm", "named_backends", "put_in", "take_out", "were_up"]

FARM_STEPS = (backend_in_maintenance, backend_up)
"""Kinds that taking a server out of the farms or putting it back may need."""
_SERVES = Settle(every=5, limit=120)
_NOTHING = ("nothing was changed",)


class BackendOf(msgspec.Struct, frozen=True):
    """A server as a backend."""

    balancer: str
    farm: str
    service: str
    """Empty: the farm has none (L4xNAT)."""
    backend: int
    address: str
    status: str
    """When it was looked at."""

    @property
    def words(self) -> str:
        """For a person."""
        return f"{self.farm}:{self.backend}"

    @property
    def served(self) -> bool:
        """It was not in maintenance."""
        return self.status != MAINTENANCE


def every_farm(estate: Estate, server: Server) -> Steps[tuple[BackendOf, ...]]:
    """Every backend of every farm of the estate's balancers. `server`: whom the calls are about."""
    known = [one for one in estate.balancers if one.farms]
    lists = yield from together(farms_of.read(server, balancer=one.name) for one in known)
    farms: list[tuple[Balancer, FarmRow]] = [
        (balancer, row) for balancer, found in zip(known, lists, strict=True) for row in found.farms if row.balances
    ]
    states = yield from together(farm_state.read(server, balancer=one.name, farm=row.name) for one, row in farms)
    return tuple(
        BackendOf(balancer.name, row.name, service, one.id, one.address, one.status)
        for (balancer, row), state in zip(farms, states, strict=True)
        for service, one in state.all()
    )


def backends_of(server: Server, every: Sequence[BackendOf]) -> tuple[BackendOf, ...]:
    """What a server is in the farms: by its address."""
    return tuple(one for one in every if server.address and one.address == server.address)


def named_backends(every: Sequence[BackendOf], named: Sequence[str]) -> tuple[BackendOf, ...]:
    """The backends that `farm:backend` names. Raises `BadParameter`."""
    found: list[BackendOf] = []
    for text in named:
        farm, _, number = text.rpartition(":")
        fits = [one for one in every if one.farm == farm and str(one.backend) == number]
        if not fits:
            known = ", ".join(dict.fromkeys(f"{one.words} ({one.address})" for one in every)) or "none"
            raise BadParameter(f"--backend {text[:60]}: there is no such backend", certain=_NOTHING, next=(known,))
        if len({one.address for one in fits}) > 1 or len({one.balancer for one in fits}) > 1:
            where = ", ".join(f"{one.balancer} {one.farm} {one.service} {one.address}" for one in fits)
            raise BadParameter(
                f"--backend {text[:60]} is several servers: {where}",
                certain=_NOTHING,
                next=("name the server instead: --server NAME",),
            )
        found += fits
    return tuple(dict.fromkeys(found))


def take_out(server: Server, backends: Sequence[BackendOf], undo: list[Step]) -> Steps:
    """Put backends into maintenance; `undo` gets what puts back those that were not."""
    for one in backends:
        yield backend_in_maintenance.on(
            server, balancer=one.balancer, farm=one.farm, service=one.service, backend=one.backend
        )
        if one.served:
            undo.append(_up(server, one))


def put_in(server: Server, backends: Sequence[BackendOf]) -> Steps:
    """Take backends out of maintenance, and wait until the farms' own checks find them up."""
    for one in backends:
        yield _up(server, one)
    for one in backends:
        yield from wait(
            farm_state,
            server,
            until=_serves(one),
            settle=_SERVES,
            what=f"{one.address} up in {one.farm}",
            balancer=one.balancer,
            farm=one.farm,
        )


def _up(server: Server, one: BackendOf) -> Step:
    return backend_up.on(server, balancer=one.balancer, farm=one.farm, service=one.service, backend=one.backend)


def _serves(one: BackendOf) -> Callable[[Farm], bool]:
    def until(now: Farm) -> bool:
        found = now.find(one.service, one.backend)
        return found is not None and found.status == UP

    return until


def were_up(server: Server, now: Sequence[BackendOf]) -> Steps[tuple[BackendOf, ...]]:
    """Of backends those that an earlier run of ours found serving before it took them out."""
    found: list[BackendOf] = []
    for one in now:
        before = yield from recall(
            server,
            backend_in_maintenance,
            balancer=one.balancer,
            farm=one.farm,
            service=one.service,
            backend=one.backend,
        )
        was = before.find(one.service, one.backend) if before is not None else None
        if was is not None and was.status != MAINTENANCE:
            found.append(msgspec.structs.replace(one, status=was.status))
    return tuple(found)

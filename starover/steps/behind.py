"""What a server is behind every balancer of the estate, target groups and farms alike, taken out and put back.

The first and the last step of maintenance (S-LB-DRAIN, S-FARM; S-LB-RESTORE). It knows no DAG.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from starover.errors import StaroverError
from starover.estate import Estate, Server
from starover.runbook import Steps
from starover.step import Step
from starover.steps.balancing import GroupFact
from starover.steps.drains import DRAINS, TargetOf, drain, groups_named, road_to, targets_of, undrain, were_targets
from starover.steps.farm_backends import FARM_STEPS, BackendOf, backends_of, every_farm, put_in, take_out, were_up

__all__ = ["BALANCING", "NOWHERE", "Behind", "behind", "out_of_balancers", "to_balancers", "untold", "was_behind"]

BALANCING = (*DRAINS, *FARM_STEPS)
"""Kinds that taking a server out of the balancers or putting it back may need."""
_BY_HAND = "--lb false   leaves the balancers alone: tell them by hand"


class Behind(msgspec.Struct, frozen=True):
    """Where a server stands."""

    groups: tuple[GroupFact, ...] = ()
    targets: tuple[TargetOf, ...] = ()
    backends: tuple[BackendOf, ...] = ()


NOWHERE = Behind()


def untold(estate: Estate, what: str) -> tuple[str, ...]:
    """A line for the balancers to which there is no road: a person has to tell them. Empty: there is none."""
    names = ", ".join(one.name for one in estate.balancers if not road_to(one) and not one.farms)
    return (f"{names} is not told: {what} by hand",) if names else ()


def behind(estate: Estate, server: Server) -> Steps[Behind]:
    """Where a server stands now. Raises what the calls raise."""
    try:
        groups = yield from groups_named(estate, server)
        targets = (yield from targets_of(server, groups)) if groups else ()
        backends = backends_of(server, (yield from every_farm(estate, server)))
    except StaroverError as error:
        error.next = (*error.next, _BY_HAND)
        raise
    return Behind(groups, targets, backends)


def out_of_balancers(estate: Estate, server: Server, where: Behind, undo: list[Step]) -> Steps:
    """Take a server out of its target groups and its farms; `undo` gets what puts it back."""
    yield from drain(estate, server, where.groups, where.targets, undo)
    yield from take_out(server, where.backends, undo)


def was_behind(estate: Estate, server: Server, before: Behind | None) -> Steps[Behind]:
    """Where a server is to be again: `before`, found by the same run; None: what an earlier one found, if any did."""
    if before is not None:
        return before
    now = yield from behind(estate, server)
    targets = yield from were_targets(server, now.groups)
    return Behind(now.groups, targets, (yield from were_up(server, now.backends)))


def to_balancers(server: Server, where: Behind) -> Steps:
    """Put a server back into its target groups and farms, and wait until their checks find it healthy."""
    yield from undrain(server, where.targets)
    yield from put_in(server, _serving(where.backends))


def _serving(backends: Sequence[BackendOf]) -> list[BackendOf]:
    """Without those that were in maintenance before: they stay there."""
    return [one for one in backends if one.served]
